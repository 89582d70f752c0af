use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::pin;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::echo::listen::ListenOptions;

const BOTH: ListenOptions = ListenOptions { tcp: true, udp: true, backlog: 128, force: false };

/// A server that runs until it is told to stop.
struct Running {
    endpoints: Vec<(Protocol, Endpoint)>,
    events: mpsc::Receiver<Event>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Summary>,
}

impl Running {
    async fn start(address: &str, options: ServerOptions) -> Self {
        let listeners = Listeners::bind(&address.parse().unwrap(), BOTH).await.unwrap();
        let endpoints = listeners.endpoints();
        let (sender, events) = mpsc::channel(1024);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            stopped.await.ok();
        };
        let server = tokio::spawn(serve(listeners, options, shutdown, sender));
        Self { endpoints, events, stop, server }
    }

    fn port(&self) -> u16 {
        self.endpoints[0].1.port().unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).await.unwrap()
    }

    /// Returns the next event of this kind, passing over others.
    async fn event(&mut self, is_wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.events.recv().await.expect("the server runs");
            if is_wanted(&event) {
                return event;
            }
        }
    }

    async fn close_reason(&mut self) -> Reason {
        let event = self.event(|event| matches!(event, Event::Close { .. })).await;
        let Event::Close { reason, .. } = event else { panic!("{event:?}") };
        reason
    }

    async fn stop(self) -> Summary {
        self.stop.send(()).unwrap();
        self.server.await.unwrap()
    }
}

async fn echoes(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, text.as_bytes());
}

#[tokio::test]
async fn both_loopback_addresses_of_localhost_echo() {
    let server = Running::start("localhost:0", ServerOptions::default()).await;
    echoes(&mut server.connect().await, "four").await;
    let mut six = TcpStream::connect((Ipv6Addr::LOCALHOST, server.port())).await.unwrap();
    echoes(&mut six, "six").await;
}

#[tokio::test]
async fn a_client_that_ends_its_side_still_gets_the_rest() {
    let server = Running::start(":0", ServerOptions::default()).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    // More than all buffers hold, so that much is under way when the end is sent.
    let sent = vec![7; 16 * 1024 * 1024];
    let length = sent.len();
    let sending = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
        writer
    });
    let mut back = Vec::new();
    reader.read_to_end(&mut back).await.unwrap();
    assert_eq!(back.len(), length);
    sending.await.unwrap();
}

#[tokio::test]
async fn the_events_of_a_connection_tell_its_story() {
    let mut server = Running::start("127.0.0.1:0", ServerOptions::default()).await;
    let mut stream = server.connect().await;
    let local = stream.local_addr().unwrap();
    let peer = stream.peer_addr().unwrap();
    echoes(&mut stream, "hello").await;
    stream.shutdown().await.unwrap();
    let accept = server.event(|event| matches!(event, Event::Accept { .. })).await;
    assert_eq!(
        accept,
        Event::Accept {
            client: 1,
            protocol: Protocol::Tcp,
            local: Some(peer.into()),
            peer: Some(local.into()),
        }
    );
    let close = server.event(|event| matches!(event, Event::Close { .. })).await;
    let Event::Close { client: 1, traffic, reason: Reason::Finished, error: None, .. } = close
    else {
        panic!("{close:?}")
    };
    assert_eq!(traffic, Traffic { received: 5, sent: 5 });
}

#[tokio::test]
async fn a_client_beyond_the_limit_is_served_when_one_leaves() {
    let options = ServerOptions { limit: 1, ..ServerOptions::default() };
    let mut server = Running::start("localhost:0", options).await;
    let mut first = server.connect().await;
    echoes(&mut first, "first").await;
    server.event(|event| matches!(event, Event::Limit { limit: 1, .. })).await;

    // The kernel completes the handshake; the server does not accept.
    let mut second = server.connect().await;
    second.write_all(b"second").await.unwrap();
    let mut back = [0; 6];
    {
        let mut answer = pin!(second.read_exact(&mut back));
        assert!(poll_once(answer.as_mut()).await.is_none());
        drop(first);
        answer.await.unwrap();
    }
    assert_eq!(&back, b"second");
}

/// Polls a future once: `None` when it is not ready.
async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_when_its_time_is_up() {
    let idle = Some(Duration::from_secs(30));
    let options = ServerOptions { idle, ..ServerOptions::default() };
    let mut server = Running::start(":0", options).await;
    let begun = Instant::now();
    let mut stream = server.connect().await;
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert_eq!(server.close_reason().await, Reason::Idle);
}

#[tokio::test]
async fn a_connection_that_ends_within_the_drain_time_is_not_cut_off() {
    let options = ServerOptions { drain: Duration::from_mins(1), ..ServerOptions::default() };
    let mut server = Running::start("127.0.0.1:0", options).await;
    let mut stream = server.connect().await;
    echoes(&mut stream, "before").await;
    let Running { stop, server: task, ref mut events, .. } = server;
    stop.send(()).unwrap();
    while !matches!(events.recv().await, Some(Event::Stopping { open: 1, .. })) {}
    echoes(&mut stream, "while it stops").await;
    drop(stream);
    assert_eq!(task.await.unwrap().aborted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stays_is_cut_off_at_the_drain_deadline() {
    let mut server = Running::start("127.0.0.1:0", ServerOptions::default()).await;
    let mut stream = server.connect().await;
    server.event(|event| matches!(event, Event::Accept { .. })).await;
    let begun = Instant::now();
    let summary = server.stop().await;
    assert_eq!(summary.aborted, 1);
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_stopping_server_refuses_new_clients() {
    let mut server = Running::start("127.0.0.1:0", ServerOptions::default()).await;
    let stream = server.connect().await;
    server.event(|event| matches!(event, Event::Accept { .. })).await;
    let address = (Ipv4Addr::LOCALHOST, server.port());
    let Running { stop, server: task, ref mut events, .. } = server;
    stop.send(()).unwrap();
    while !matches!(events.recv().await, Some(Event::Stopping { .. })) {}
    // A program that another test is just starting may have the listener for a moment more.
    let refused = async {
        loop {
            if let Err(error) = TcpStream::connect(address).await {
                break error;
            }
            tokio::task::yield_now().await;
        }
    };
    let refused = timeout(Duration::from_mins(1), refused).await.unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    drop(stream);
    task.await.unwrap();
}

#[tokio::test]
async fn a_datagram_of_the_largest_size_comes_back() {
    let server = Running::start("127.0.0.1:0", ServerOptions::default()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, server.port())).await.unwrap();
    // 65,535 less the IP and UDP headers.
    let sent = vec![3; 65_507];
    socket.send(&sent).await.unwrap();
    let mut back = vec![0; LARGEST];
    let length = socket.recv(&mut back).await.unwrap();
    assert_eq!(back[..length], sent);
    let summary = server.stop().await;
    assert_eq!(summary.traffic, Traffic { received: 65_507, sent: 65_507 });
}

const LARGEST: usize = 65_536;

#[tokio::test]
async fn udp_peers_beyond_the_limit_are_echoed_and_counted_together() {
    let options = ServerOptions { limit: 1, ..ServerOptions::default() };
    let server = Running::start("127.0.0.1:0", options).await;
    for _ in 0..3 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, server.port())).await.unwrap();
        socket.send(b"ten bytes!").await.unwrap();
        assert_eq!(socket.recv(&mut [0; 16]).await.unwrap(), 10);
    }
    let summary = server.stop().await;
    assert_eq!(summary.clients, 1);
    assert_eq!(summary.traffic, Traffic { received: 30, sent: 30 });
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_path_echoes_and_is_gone_once_the_server_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let server = Running::start(path.to_str().unwrap(), ServerOptions::default()).await;
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    echoes(&mut stream, "local").await;
    drop(stream);
    server.stop().await;
    assert!(!path.exists());
}

#[test]
fn failures_of_the_whole_process_are_waited_for_longer_and_longer() {
    let mut backoff = Backoff::default();
    let too_many_files = io::Error::from_raw_os_error(24);
    let waits: Vec<_> = (0..9).filter_map(|_| backoff.after(&too_many_files)).collect();
    let milliseconds: Vec<_> = waits.iter().map(Duration::as_millis).collect();
    assert_eq!(milliseconds, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
}

#[test]
fn a_connection_that_is_gone_before_accept_is_no_reason_to_wait() {
    let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
    assert_eq!(Backoff::default().after(&gone), None);
}

#[tokio::test(start_paused = true)]
async fn reports_come_at_once_and_then_once_a_second() {
    let mut pace = Pace::default();
    let begun = Instant::now();
    let due: Vec<bool> = [0, 1, 999, 1000, 1999, 2000]
        .map(|ms| pace.is_due(begun + Duration::from_millis(ms)))
        .into();
    assert_eq!(due, [true, false, false, true, false, true]);
}
