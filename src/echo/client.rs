//! The echo client: sends, and checks that every byte comes back.
//!
//! All connections are made first, then all are used at once. Each sends and receives at the same
//! time: a client that sent everything before reading anything would wait for ever once both
//! directions' buffers are full, because the server waits for it.

mod datagram;
mod framed;
mod report;
mod stream;

pub use report::{Datagrams, Fault, FaultKind, Report, rate};

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{self, AsyncRead, AsyncWriteExt as _};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::{pin, select};
use tokio_util::sync::CancellationToken;

use crate::echo::address::Address;
use crate::echo::error::{Cause, EchoError};
use crate::echo::payload::Payload;
use crate::echo::{CHUNK, within};
use crate::socket::Protocol;

/// Whom to send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The protocol.
    pub protocol: Protocol,
    /// The address as the user typed it.
    pub address: Address,
}

/// What to send, on each connection.
pub enum Source {
    /// Pseudo-random bytes, others on each connection.
    Generated {
        /// How many messages.
        count: u64,
        /// How long each is, in bytes. Over UDP, one message is one datagram.
        size: u64,
        /// Which bytes: the same for the same seed.
        seed: u64,
    },
    /// These bytes. Over UDP, one datagram.
    Bytes(Arc<[u8]>),
    /// A file's bytes. Over UDP, in datagrams of [`Source::DATAGRAM`] bytes.
    File(PathBuf),
    /// What can be read only once, so on one connection only. What was sent and has not come back
    /// is kept, at most [`Source::WINDOW`] bytes of it. Over UDP, what one read returns is one
    /// datagram: on a terminal, a line.
    Once(Box<dyn AsyncRead + Send + Unpin>),
}

impl Source {
    /// How much of a file goes into one datagram: fits every link without fragments (RFC 8085, 3.2).
    pub const DATAGRAM: usize = 1024;
    /// How much of a stream that can be read only once may be under way.
    pub const WINDOW: usize = 1024 * 1024;
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated { count, size, seed } => f
                .debug_struct("Generated")
                .field("count", count)
                .field("size", size)
                .field("seed", seed)
                .finish(),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Once(_) => f.write_str("Once"),
        }
    }
}

/// How to send it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// How many connections at once, at least 1.
    pub connections: usize,
    /// How long to wait for a connection, and for something to move on one; over UDP, for each
    /// answer, and then the datagram counts as lost. Absent: for ever.
    pub timeout: Option<Duration>,
    /// Whether to leave the connections open after the echo, instead of ending our side and waiting
    /// for the server to end its own.
    pub keep_open: bool,
    /// Whether our side is ended after the last byte (`shutdown(SHUT_WR)`) also where the connection is
    /// left open.
    pub half_close: bool,
    /// Whether messages go with a header ([`crate::echo::frame`]), and come back so.
    pub framed: bool,
    /// Whether connections are closed by RST (`SO_LINGER` with no time) instead of FIN. What is not sent
    /// yet when [`Held`] is dropped is lost.
    pub reset: bool,
    /// Who gets the bytes that came back, once they are verified; absent when nobody.
    pub echo: Option<mpsc::Sender<Vec<u8>>>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connections: 1,
            timeout: Some(Duration::from_secs(30)),
            keep_open: false,
            half_close: false,
            framed: false,
            reset: false,
            echo: None,
        }
    }
}

/// How far a run is, to look at while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Connections made.
    pub connected: AtomicUsize,
    /// Connections done with.
    pub finished: AtomicUsize,
    /// Bytes sent.
    pub sent: AtomicU64,
    /// Bytes that came back as they were sent.
    pub verified: AtomicU64,
}

/// Connections still open after a run with [`ClientOptions::keep_open`].
#[derive(Debug)]
pub struct Held(Vec<Connection>);

impl Held {
    /// Returns how many connections are open.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true when none is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends and closes them.
    pub async fn close(self) {
        for connection in self.0 {
            // A server that closed its side first is no news at this point.
            let _already_gone = match connection {
                Connection::Tcp(mut stream) => stream.shutdown().await,
                #[cfg(unix)]
                Connection::Unix(mut stream) => stream.shutdown().await,
                Connection::Udp(_) => Ok(()),
            };
        }
    }
}

/// One connection, made and not yet used.
#[derive(Debug)]
enum Connection {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Udp(UdpSocket),
}

/// How many bytes may be under way on all connections together: sent, and not yet back. More would
/// fill the kernel's memory for TCP (`net.ipv4.tcp_mem`), which then drops what arrives, and
/// connections stall for half a minute. A server that waits for more before it answers is no echo
/// server.
const UNDER_WAY: usize = 256 * 1024 * 1024;

/// Returns how many bytes may be under way on each of these connections.
fn window(connections: usize) -> usize {
    (UNDER_WAY / connections.max(1)).clamp(4 * CHUNK, Source::WINDOW)
}

/// How many connections are being made at any moment: less than the usual backlog of a listener,
/// which would drop the rest and have them try again after a second.
const CONNECTING: usize = 100;

/// Connects, sends, verifies. When `interrupt` is ready first, what was done until then is reported.
///
/// # Errors
///
/// When a connection cannot be made, or the source cannot be read. Everything that goes wrong
/// afterwards is in the report.
pub async fn run(
    target: &Target,
    source: Source,
    options: ClientOptions,
    progress: &Arc<Progress>,
    interrupt: impl Future<Output = ()>,
) -> Result<(Report, Held), EchoError> {
    pin!(interrupt);
    let peers = match &target.address {
        Address::Inet { host, port } => host.resolve(port.unwrap_or(0)).await?,
        Address::Path(_) => Vec::new(),
    };
    let mut sources = Sources::open(source).await?;
    let begun = Instant::now();
    let mut report = Report::new(target);
    let connections = select! {
        connections = connect_all(target, peers.into(), &options, progress) => connections?,
        () = &mut interrupt => {
            report.fault(0, FaultKind::Interrupted);
            return Ok((report, Held(Vec::new())));
        }
    };
    report.connections = connections.len();

    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    for (number, connection) in connections.into_iter().enumerate() {
        let exchange = Exchange {
            timeout: options.timeout,
            window: Semaphore::new(window(report.connections)),
            // The end of our side would be a FIN.
            keep_open: options.keep_open || options.reset,
            half_close: options.half_close,
            framed: options.framed,
            echo: options.echo.clone(),
            progress: Arc::clone(progress),
        };
        let source = sources.next(number).await?;
        let stop = stop.clone();
        tasks.spawn(async move { (number + 1, exchange.run(connection, source, stop).await) });
    }
    // The tasks have their own: when the last of them ends, so does what comes back.
    drop(options);
    let mut held = Vec::new();
    let mut interrupted = false;
    loop {
        let (number, (connection, outcome)) = select! {
            done = tasks.join_next() => match done {
                Some(Ok(done)) => done,
                // A task ends early only if it panicked, and then the report must not say otherwise.
                Some(Err(error)) => {
                    report.fault(0, FaultKind::Failed { error: error.to_string() });
                    continue;
                }
                None => break,
            },
            () = &mut interrupt, if !interrupted => {
                interrupted = true;
                stop.cancel();
                continue;
            }
        };
        report.add(number, outcome);
        progress.finished.fetch_add(1, Ordering::Relaxed);
        held.push(connection);
    }
    report.finish(progress, begun.elapsed());
    Ok((report, Held(held)))
}

/// Makes all connections, some at a time.
async fn connect_all(
    target: &Target,
    peers: Arc<[SocketAddr]>,
    options: &ClientOptions,
    progress: &Arc<Progress>,
) -> Result<Vec<Connection>, EchoError> {
    let turns = Arc::new(Semaphore::new(CONNECTING));
    let mut tasks = JoinSet::new();
    for _ in 0..options.connections.max(1) {
        let (turns, progress) = (Arc::clone(&turns), Arc::clone(progress));
        let (target, peers) = (target.clone(), Arc::clone(&peers));
        let (limit, reset) = (options.timeout, options.reset);
        tasks.spawn(async move {
            // The semaphore is never closed.
            let _turn = turns.acquire().await;
            let connection = connect(&target, &peers, limit, reset).await?;
            progress.connected.fetch_add(1, Ordering::Relaxed);
            Ok(connection)
        });
    }
    let mut connections = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let connection = done.unwrap_or_else(|error| Err(io::Error::other(error)));
        connections.push(connection.map_err(|source| EchoError::Connect {
            protocol: target.protocol,
            peer: target.address.to_string(),
            port: match target.address {
                Address::Inet { port, .. } => port,
                Address::Path(_) => None,
            },
            source: Cause(source),
        })?);
    }
    Ok(connections)
}

/// Makes one connection, to the first of the addresses that answers. When none does, the first
/// one's error is returned: the others are second choices.
async fn connect(
    target: &Target,
    peers: &[SocketAddr],
    limit: Option<Duration>,
    reset: bool,
) -> io::Result<Connection> {
    if let Address::Path(path) = &target.address {
        #[cfg(unix)]
        return within(limit, UnixStream::connect(path)).await.map(Connection::Unix);
        #[cfg(not(unix))]
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("{}: no UNIX sockets on this system", path.display()),
        ));
    }
    let mut first_error = None;
    for &peer in peers {
        let connected = if target.protocol == Protocol::Udp {
            datagram::connect(peer).await.map(Connection::Udp)
        } else {
            let connected = within(limit, TcpStream::connect(peer)).await;
            connected.and_then(|stream| {
                if reset {
                    stream.set_zero_linger()?;
                }
                Ok(Connection::Tcp(stream))
            })
        };
        match connected {
            Ok(connection) => return Ok(connection),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// Hands each connection what it sends.
struct Sources {
    source: Source,
}

/// What one connection sends.
enum Outgoing {
    /// A reader, and a second one of the same bytes to compare with.
    Twice(Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncRead + Send + Unpin>, Messages),
    /// A reader whose bytes have to be kept until they come back.
    Once(Box<dyn AsyncRead + Send + Unpin>),
}

/// How a stream of bytes is cut into datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Messages {
    /// How many; absent when until the end.
    count: Option<u64>,
    /// The length of each but the last.
    size: usize,
}

impl Sources {
    async fn open(source: Source) -> Result<Self, EchoError> {
        if let Source::File(path) = &source {
            // Before anything is connected, so that a misspelt name makes no connection.
            open(path).await?;
        }
        Ok(Self { source })
    }

    async fn next(&mut self, connection: usize) -> Result<Outgoing, EchoError> {
        Ok(match &mut self.source {
            Source::Generated { count, size, seed } => {
                let payload = Payload::new(seed.wrapping_add(connection as u64));
                let reader = payload.reader(count.saturating_mul(*size));
                let size = usize::try_from(*size).unwrap_or(usize::MAX);
                let messages = Messages { count: Some(*count), size };
                Outgoing::Twice(Box::new(reader.clone()), Box::new(reader), messages)
            }
            Source::Bytes(bytes) => {
                let messages = Messages { count: Some(1), size: bytes.len() };
                let reader = std::io::Cursor::new(Arc::clone(bytes));
                Outgoing::Twice(Box::new(reader.clone()), Box::new(reader), messages)
            }
            Source::File(path) => {
                let messages = Messages { count: None, size: Source::DATAGRAM };
                let (first, second) = (open(path).await?, open(path).await?);
                Outgoing::Twice(Box::new(first), Box::new(second), messages)
            }
            Source::Once(reader) => {
                let reader = std::mem::replace(reader, Box::new(io::empty()));
                Outgoing::Once(reader)
            }
        })
    }
}

async fn open(path: &PathBuf) -> Result<File, EchoError> {
    let failed = |source| EchoError::Source { path: path.clone(), source: Cause(source) };
    let file = File::open(path).await.map_err(failed)?;
    // Opening a directory succeeds; reading it would fail when half of the work is done.
    if file.metadata().await.map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    Ok(file)
}

/// What sending and verifying on one connection needs to know.
struct Exchange {
    timeout: Option<Duration>,
    /// One permit for each byte that may still be sent before others are back.
    window: Semaphore,
    keep_open: bool,
    half_close: bool,
    framed: bool,
    echo: Option<mpsc::Sender<Vec<u8>>>,
    progress: Arc<Progress>,
}

/// How one connection ended: the datagrams, if it was one of datagrams, and the first thing that
/// went wrong.
type Outcome = (Option<Datagrams>, Result<(), FaultKind>);

impl Exchange {
    async fn run(
        self,
        mut connection: Connection,
        source: Outgoing,
        stop: CancellationToken,
    ) -> (Connection, Outcome) {
        let mut datagrams = None;
        let outcome = {
            let exchange = async {
                match &mut connection {
                    Connection::Tcp(stream) => {
                        let (reader, writer) = stream.split();
                        self.over_stream(reader, writer, source).await
                    }
                    #[cfg(unix)]
                    Connection::Unix(stream) => {
                        let (reader, writer) = stream.split();
                        self.over_stream(reader, writer, source).await
                    }
                    Connection::Udp(socket) => {
                        let datagrams = datagrams.insert(Datagrams::default());
                        self.over_datagrams(socket, source, datagrams).await
                    }
                }
            };
            select! {
                outcome = exchange => outcome,
                () = stop.cancelled() => Err(FaultKind::Interrupted),
            }
        };
        (connection, (datagrams, outcome))
    }

    /// Counts bytes that came back right, and hands them to whoever wants to see them.
    async fn verified(&self, bytes: &[u8]) {
        self.progress.verified.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if let Some(echo) = &self.echo {
            // Whoever does not look any more misses nothing.
            let _nobody_looks = echo.send(bytes.to_vec()).await;
        }
    }

    fn sent(&self, bytes: usize) {
        self.progress.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
