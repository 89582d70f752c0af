//! `sockscope serve`: the echo server in a terminal.

mod json;

use std::io::{self, Write};
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use clap::Args;
use tokio::select;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) use self::json::schema;
use crate::cli::args::{parse_duration, parse_size};
use crate::cli::error::Failure;
use crate::cli::{Exit, Io, runtime};
use crate::echo::address::{Address, Host};
use crate::echo::error::EchoError;
use crate::echo::event::{Event, Reason, Summary, Traffic};
use crate::echo::listen::{ListenOptions, Listeners};
use crate::echo::server::{Loss, ServerOptions, serve};
use crate::platform::{clock, limits};
use crate::socket::{Endpoint, Protocol};

/// The arguments of `sockscope serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
ADDR is 8080, :8080, 127.0.0.1:8080, [::1]:8080, localhost:8080 (both families), *:8080 (every address),
or the path of a UNIX socket. Without a host it is 127.0.0.1, which only this machine can reach.

Ctrl-C, SIGTERM and SIGHUP stop the server: it takes no more clients, and those it has may finish until
the drain time is up. A second one ends it at once.")]
pub struct ServeArgs {
    /// Where to listen [default: a free port of 127.0.0.1]
    #[arg(value_name = "ADDR")]
    pub address: Option<String>,
    /// The port, if ADDR has none; 0 takes a free one and tells which
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Listen on every address of this machine: anyone who can reach it can use it
    #[arg(long)]
    pub any: bool,
    /// Echo TCP connections (the default)
    #[arg(short, long)]
    pub tcp: bool,
    /// Echo UDP datagrams; with --tcp both
    #[arg(short, long)]
    pub udp: bool,
    /// How many connections at once; further ones wait in the backlog
    #[arg(long, value_name = "N", default_value = "1024")]
    pub limit: NonZeroUsize,
    /// Close a client that does nothing for this long, such as 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub idle: Option<Duration>,
    /// How long clients may finish once the server is stopped
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub drain: Duration,
    /// How many connections may wait to be accepted
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub backlog: u16,
    /// Messages with a header: its length in two bytes, JSON with content-length, the content
    #[arg(long, conflicts_with = "udp")]
    pub framed: bool,
    /// Read so many bytes a second from each connection, such as 1000 or 64K, so that queues fill
    #[arg(long, value_name = "BYTES", value_parser = parse_rate)]
    pub slow: Option<NonZeroU64>,
    /// Throw datagrams away: every Nth, or N% of them, always the same ones
    #[arg(long, value_name = "N|N%", requires = "udp", value_parser = parse_loss)]
    pub drop: Option<Loss>,
    /// Do not accept: connections wait in the backlog until it is full
    #[arg(long)]
    pub hold: bool,
    /// Never close a connection whose client has ended its side: it stays in CLOSE_WAIT
    #[arg(long)]
    pub leak: bool,
    /// Close connections by RST instead of FIN (SO_LINGER with 0 seconds)
    #[arg(long)]
    pub reset: bool,
    /// Replace the socket that an earlier server left at a UNIX path
    #[arg(long)]
    pub force: bool,
    /// One JSON object a line for each thing that happens (see sockscope schema serve)
    #[arg(long)]
    pub json: bool,
}

impl ServeArgs {
    fn address(&self) -> anyhow::Result<Address> {
        let address = match &self.address {
            None => Address::Inet { host: Host::Unnamed, port: None },
            Some(text) => text.parse().map_err(EchoError::from)?,
        };
        let (host, port) = match address {
            Address::Inet { host, port } => (host, port),
            Address::Path(path) => {
                let extra = [
                    ("--port", self.port.is_some()),
                    ("--any", self.any),
                    ("--udp", self.udp),
                    ("--reset", self.reset),
                ];
                return match extra.iter().find(|(_, is_given)| *is_given) {
                    None => Ok(Address::Path(path)),
                    Some((option, _)) => {
                        Err(Failure::new(format!("a UNIX path takes no {option}")).into())
                    }
                };
            }
        };
        let port = match (port, self.port) {
            (Some(one), Some(other)) if one != other => {
                let text = format!("the address says port {one} and --port says {other}");
                return Err(Failure::new(text).hint("give one of them").into());
            }
            (one, other) => one.or(other),
        };
        if self.any && !matches!(host, Host::Unnamed | Host::Any) {
            let address = Address::Inet { host, port: None };
            return Err(Failure::new(format!("--any is every address, and not only {address}"))
                .hint("give one of them")
                .into());
        }
        let host = if self.any { Host::Any } else { host };
        Ok(Address::Inet { host, port })
    }
}

impl ServeArgs {
    /// Refuses what is about connections where there are none.
    fn check(&self) -> anyhow::Result<()> {
        let of_connections = [
            ("--slow", self.slow.is_some()),
            ("--hold", self.hold),
            ("--leak", self.leak),
            ("--reset", self.reset),
        ];
        let wrong = of_connections.iter().find(|(_, is_given)| *is_given);
        match wrong.filter(|_| self.udp && !self.tcp) {
            Some((option, _)) => {
                let text = format!("{option} is about connections, and UDP has none");
                Err(Failure::new(text).hint("leave --udp out, or add --tcp").into())
            }
            None => Ok(()),
        }
    }
}

/// Reads a number of bytes a second.
fn parse_rate(text: &str) -> Result<NonZeroU64, String> {
    let rate = parse_size(text)?;
    NonZeroU64::new(rate).ok_or_else(|| "0 is not slow but never: --hold does that".to_owned())
}

/// Reads which datagrams to drop: `3`, `30%`.
fn parse_loss(text: &str) -> Result<Loss, String> {
    let wrong = || "not a number from 1 on (every Nth), nor a share from 0% to 100%".to_owned();
    match text.strip_suffix('%') {
        Some(share) => match share.parse() {
            Ok(share @ 0..=100) => Ok(Loss::Percent(share)),
            Ok(_) | Err(_) => Err(wrong()),
        },
        None => text.parse().map(Loss::Every).map_err(|_| wrong()),
    }
}

/// Serves until it is told to stop.
pub fn run(args: &ServeArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    args.check()?;
    let address = args.address()?;
    let limit = affordable(args.limit.get(), io.stderr)?;
    let options = ServerOptions {
        limit,
        idle: args.idle,
        drain: args.drain,
        framed: args.framed,
        slow: args.slow,
        loss: args.drop,
        hold: args.hold,
        leak: args.leak,
        reset: args.reset,
    };
    let listen = ListenOptions {
        tcp: args.tcp || !args.udp,
        udp: args.udp,
        backlog: args.backlog,
        force: args.force,
    };
    runtime::block_on(async {
        let mut interrupts = runtime::Interrupts::listen()?;
        let listeners = Listeners::bind(&address, listen).await?;
        let log = if args.json { Log::Json } else { Log::Text };
        let endpoints = listeners.endpoints();
        let (sender, events) = mpsc::channel(1024);
        let stop = CancellationToken::new();
        let server =
            tokio::spawn(serve(listeners, options, stop.clone().cancelled_owned(), sender));
        let followed =
            log.follow(events, (&endpoints, args.framed), io.stdout, &mut interrupts, &stop).await;
        // Whatever ended the log early ends the server. It is waited for, so that the file of a
        // UNIX socket is gone when the process is.
        server.abort();
        let _ended = server.await;
        followed?;
        Ok(Exit::Found)
    })
}

/// Descriptors that are not for clients: the standard streams, listeners, the runtime's own.
const OTHER_FILES: u64 = 64;

/// Makes room for this many clients, and returns for how many there is.
fn affordable(wanted: usize, stderr: &mut dyn Write) -> io::Result<usize> {
    let needed = (wanted as u64).saturating_add(OTHER_FILES);
    let Some(files) = limits::raise_open_files(needed).filter(|files| *files < needed) else {
        return Ok(wanted);
    };
    let limit = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX).max(1);
    writeln!(
        stderr,
        "sockscope: only {limit} clients at once: no more than {files} files may be open\n\
         hint: raise the hard limit: ulimit -Hn"
    )?;
    Ok(limit)
}

/// How to write what happens.
#[derive(Debug, Clone, Copy)]
enum Log {
    Text,
    Json,
}

impl Log {
    /// Writes events until the server has stopped, or at the second interrupt.
    async fn follow(
        self,
        mut events: mpsc::Receiver<Event>,
        (endpoints, framed): (&[(Protocol, Endpoint)], bool),
        stdout: &mut dyn Write,
        interrupts: &mut runtime::Interrupts,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let mut unlisted = endpoints.len();
        loop {
            let event = select! {
                event = events.recv() => event,
                () = interrupts.next() => {
                    if stop.is_cancelled() {
                        return Ok(());
                    }
                    stop.cancel();
                    continue;
                }
            };
            // What happened at once is written at once.
            let mut next = event;
            while let Some(event) = next {
                self.write(&event, stdout)?;
                if matches!(event, Event::Listening { .. }) {
                    unlisted = unlisted.saturating_sub(1);
                    if unlisted == 0 && matches!(self, Self::Text) {
                        write_next_steps(endpoints, framed, stdout)?;
                    }
                }
                next = events.try_recv().ok();
            }
            stdout.flush()?;
            if events.is_closed() && events.is_empty() {
                return Ok(());
            }
        }
    }

    fn write(self, event: &Event, stdout: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Text => writeln!(stdout, "{}", describe(event)),
            Self::Json => json::write(clock::now(), event, stdout),
        }
    }
}

/// Tells what to type in the other terminals.
fn write_next_steps(
    endpoints: &[(Protocol, Endpoint)],
    framed: bool,
    stdout: &mut dyn Write,
) -> io::Result<()> {
    let Some((protocol, local)) = endpoints.first() else { return Ok(()) };
    let (connect, list) = match (local, protocol) {
        (Endpoint::Inet { address, port, .. }, protocol) => {
            // A wildcard is where to listen, not where to connect.
            let peer = match local.is_wildcard() {
                true if address.is_ipv4() => format!("127.0.0.1:{port}"),
                true => format!("[::1]:{port}"),
                false => local.to_string(),
            };
            let udp = if *protocol == Protocol::Udp { "--udp " } else { "" };
            (format!("{udp}{peer}"), format!(":{port}"))
        }
        (
            Endpoint::Path(_)
            | Endpoint::Abstract(_)
            | Endpoint::Packet { .. }
            | Endpoint::Netlink { .. }
            | Endpoint::Vsock { .. }
            | Endpoint::Xdp { .. },
            _,
        ) => (local.to_string(), "-x".to_owned()),
    };
    let framed = if framed { "--framed " } else { "" };
    writeln!(stdout, "  in a second terminal: sockscope connect {framed}{connect}")?;
    writeln!(stdout, "  in a third:           sockscope list {list}")
}

/// Returns the event as a line for people.
fn describe(event: &Event) -> String {
    match event {
        Event::Listening { protocol, local } => format!("listening on {protocol} {local}"),
        Event::Skipped { protocol, local, error } => {
            format!("not listening on {protocol} {local}: {error}")
        }
        Event::Accept { client, protocol, peer, .. } => match (protocol, peer) {
            (Protocol::Udp, Some(peer)) => format!("client {client}: first datagram from {peer}"),
            (_, Some(peer)) => format!("client {client}: connected from {peer}"),
            (_, None) => format!("client {client}: connected"),
        },
        Event::Dropped { peer, datagram } => format!("datagram {datagram} from {peer}: dropped"),
        Event::Bytes { client, traffic } => format!("client {client}: {}", moved(*traffic)),
        Event::Close { client, traffic, seconds, reason, error } => {
            let reason = match reason {
                Reason::Finished => "closed",
                Reason::Idle => "idle, closed",
                Reason::Stopped => "ended with the server",
                Reason::Failed => "broken",
            };
            let error = error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
            let after = seconds.as_secs_f64();
            format!("client {client}: {reason} after {after:.1}s{error}: {}", moved(*traffic))
        }
        Event::Limit { protocol: Protocol::Udp, limit } => {
            format!("{limit} UDP peers are told apart; further ones are counted together")
        }
        Event::Limit { limit, .. } => {
            format!("limit reached: {limit} connections; further ones wait in the backlog")
        }
        Event::Error { operation, error, retry_in } => match retry_in {
            Some(wait) => {
                format!(
                    "{operation}: {error}; trying again in {}",
                    humantime::format_duration(*wait)
                )
            }
            None => format!("{operation}: {error}"),
        },
        Event::Stopping { open, drain } => format!(
            "stopping: {open} connections open, with {} to finish; Ctrl-C again ends them at once",
            humantime::format_duration(*drain)
        ),
        Event::Stopped(Summary { clients, aborted, traffic }) => {
            format!("stopped: {clients} clients, {aborted} cut off: {}", moved(*traffic))
        }
    }
}

fn moved(Traffic { received, sent }: Traffic) -> String {
    format!("{received} bytes received, {sent} sent back")
}
