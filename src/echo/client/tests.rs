use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::echo::listen::{ListenOptions, Listeners};
use crate::echo::server::{ServerOptions, serve};
use crate::platform::limits::raise_open_files;

const BOTH: ListenOptions = ListenOptions { tcp: true, udp: true, backlog: 1024, force: false };

/// Starts our own server, which ends with the test's runtime.
async fn echo_server(address: &str) -> Address {
    let address: Address = address.parse().unwrap();
    let listeners = Listeners::bind(&address, BOTH).await.unwrap();
    let bound = listeners.endpoints()[0].1.to_string();
    let (events, mut log) = mpsc::channel(64);
    tokio::spawn(async move { while log.recv().await.is_some() {} });
    tokio::spawn(serve(listeners, ServerOptions::default(), std::future::pending(), events));
    bound.parse().unwrap()
}

/// Starts a server that treats its one connection in this way.
async fn server_that<F: Future<Output = ()> + Send>(
    treats: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    tokio::spawn(async move { treats(listener.accept().await.unwrap().0).await });
    address
}

async fn run_with(
    protocol: Protocol,
    address: Address,
    source: Source,
    options: ClientOptions,
) -> Result<(Report, Held), EchoError> {
    let target = Target { protocol, address };
    let progress = Arc::new(Progress::default());
    run(&target, source, options, &progress, std::future::pending()).await
}

async fn report_of(protocol: Protocol, address: Address, source: Source) -> Report {
    run_with(protocol, address, source, ClientOptions::default()).await.unwrap().0
}

const fn generated(count: u64, size: u64) -> Source {
    Source::Generated { count, size, seed: 1 }
}

fn faults(report: &Report) -> Vec<FaultKind> {
    report.faults.iter().map(|fault| fault.kind.clone()).collect()
}

#[tokio::test]
async fn ten_megabytes_come_back_over_tcp() {
    let report = report_of(Protocol::Tcp, echo_server(":0").await, generated(1, 10 << 20)).await;
    assert_eq!((report.verified, faults(&report)), (10 << 20, vec![]));
}

#[tokio::test]
async fn ipv6_echoes() {
    let report = report_of(Protocol::Tcp, echo_server("[::1]:0").await, generated(3, 100)).await;
    assert_eq!((report.verified, faults(&report)), (300, vec![]));
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_path_echoes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.sock");
    let address = echo_server(path.to_str().unwrap()).await;
    let report = report_of(Protocol::Unix, address, generated(3, 100_000)).await;
    assert_eq!((report.verified, faults(&report)), (300_000, vec![]));
}

#[tokio::test]
async fn datagrams_come_back_one_by_one() {
    let report = report_of(Protocol::Udp, echo_server(":0").await, generated(50, 1_000)).await;
    let datagrams = Datagrams { sent: 50, verified: 50, lost: 0, stray: 0 };
    assert_eq!((report.datagrams, faults(&report)), (Some(datagrams), vec![]));
}

#[tokio::test]
async fn empty_datagrams_come_back_too() {
    let report = report_of(Protocol::Udp, echo_server(":0").await, generated(3, 0)).await;
    assert_eq!(report.datagrams.unwrap().verified, 3);
}

#[tokio::test]
async fn a_file_comes_back() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![9; 100_001]).unwrap();
    let source = Source::File(file.path().into());
    let report = report_of(Protocol::Tcp, echo_server(":0").await, source).await;
    assert_eq!((report.verified, faults(&report)), (100_001, vec![]));
}

#[tokio::test]
async fn what_can_be_read_only_once_comes_back() {
    let (mut typed, stdin) = duplex(1024);
    tokio::spawn(async move { typed.write_all(&vec![5; 3_000_000]).await });
    let source = Source::Once(Box::new(stdin));
    let report = report_of(Protocol::Tcp, echo_server(":0").await, source).await;
    assert_eq!((report.verified, faults(&report)), (3_000_000, vec![]));
}

#[tokio::test]
async fn a_line_is_shown_when_it_is_back_and_before_the_next_is_typed() {
    let (mut typed, stdin): (DuplexStream, DuplexStream) = duplex(1024);
    let (echo, mut shown) = mpsc::channel(8);
    let options = ClientOptions { echo: Some(echo), ..ClientOptions::default() };
    let address = echo_server(":0").await;
    let source = Source::Once(Box::new(stdin));
    let running: JoinHandle<_> = tokio::spawn(run_with(Protocol::Tcp, address, source, options));
    for line in ["one\n", "two\n"] {
        typed.write_all(line.as_bytes()).await.unwrap();
        assert_eq!(shown.recv().await.unwrap(), line.as_bytes());
    }
    drop(typed);
    let (report, _) = running.await.unwrap().unwrap();
    assert_eq!(report.verified, 8);
}

#[tokio::test]
async fn a_wrong_byte_is_found_where_it_is() {
    let server = server_that(async |mut stream| {
        let mut bytes = vec![0; 100_000];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes[70_000] ^= 0xff;
        stream.write_all(&bytes).await.unwrap();
        // Not closed before the client has read it all.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    })
    .await;
    let report = report_of(Protocol::Tcp, server, generated(1, 100_000)).await;
    let mut sent = vec![0; 100_000];
    Payload::new(1).fill(0, &mut sent);
    let (expected, got) = (sent[70_000], sent[70_000] ^ 0xff);
    assert_eq!(faults(&report), [FaultKind::Mismatch { offset: 70_000, expected, got }]);
}

#[tokio::test]
async fn a_server_that_closes_early_is_found_out() {
    let server = server_that(async |mut stream| {
        let mut bytes = vec![0; 10_000];
        stream.read_exact(&mut bytes).await.unwrap();
        stream.write_all(&bytes[..4_000]).await.unwrap();
    })
    .await;
    let report = report_of(Protocol::Tcp, server, generated(1, 10_000)).await;
    assert_eq!(faults(&report), [FaultKind::ClosedEarly { offset: 4_000 }]);
}

#[tokio::test]
async fn a_server_that_says_too_much_is_found_out() {
    let server = server_that(async |mut stream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        bytes.push(b'!');
        stream.write_all(&bytes).await.unwrap();
    })
    .await;
    let report = report_of(Protocol::Tcp, server, generated(1, 10)).await;
    assert_eq!(faults(&report), [FaultKind::Extra { offset: 10 }]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_not_waited_for_for_ever() {
    let server = server_that(async |_stream| std::future::pending().await).await;
    let report = report_of(Protocol::Tcp, server, generated(1, 10)).await;
    assert_eq!(faults(&report), [FaultKind::TimedOut { offset: 0 }]);
}

#[tokio::test]
async fn datagrams_without_answer_are_lost_and_not_waited_for_for_ever() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string().parse().unwrap();
    let options =
        ClientOptions { timeout: Some(Duration::from_millis(1)), ..ClientOptions::default() };
    let run = run_with(Protocol::Udp, address, generated(3, 10), options).await;
    let report = run.unwrap().0;
    assert_eq!(report.datagrams.unwrap(), Datagrams { sent: 3, lost: 3, ..Datagrams::default() });
    assert_eq!(faults(&report), [FaultKind::Lost]);
}

#[tokio::test]
async fn a_datagram_that_comes_back_twice_is_a_stray_and_no_fault() {
    let doubling = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = doubling.local_addr().unwrap().to_string().parse().unwrap();
    tokio::spawn(async move {
        let mut room = [0; 64];
        loop {
            let (length, peer) = doubling.recv_from(&mut room).await.unwrap();
            for _ in 0..2 {
                doubling.send_to(&room[..length], peer).await.unwrap();
            }
        }
    });
    let report = report_of(Protocol::Udp, address, generated(3, 10)).await;
    let datagrams = report.datagrams.unwrap();
    assert_eq!((datagrams.verified, datagrams.stray, faults(&report)), (3, 2, vec![]));
}

/// A TCP port that is taken and does not listen: whoever connects is refused.
fn refusing() -> (socket2::Socket, Address) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap().to_string();
    (socket, address.parse().unwrap())
}

#[tokio::test]
async fn a_refusal_says_where_to_look() {
    let (_socket, address) = refusing();
    let options = ClientOptions::default();
    let error =
        run_with(Protocol::Tcp, address.clone(), generated(1, 1), options).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot connect to tcp {address}"));
    assert!(error.hint().unwrap().contains("sockscope serve"), "{error:?}");
}

#[tokio::test]
async fn a_missing_file_is_named_before_anything_is_connected() {
    let (_socket, address) = refusing();
    let source = Source::File("/no/such/file".into());
    let options = ClientOptions::default();
    let error = run_with(Protocol::Tcp, address, source, options).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot read /no/such/file");
}

#[tokio::test]
async fn held_connections_stay_open_until_they_are_closed() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let server = server_that(async |mut stream| {
        let mut bytes = [0; 10];
        stream.read_exact(&mut bytes).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        tell.send(stream.read(&mut bytes).await.unwrap()).unwrap();
    })
    .await;
    let options = ClientOptions { keep_open: true, ..ClientOptions::default() };
    let (report, held) = run_with(Protocol::Tcp, server, generated(1, 10), options).await.unwrap();
    assert!(report.is_verified());
    let mut told = told;
    assert!(told.try_recv().is_err(), "the server saw the end too early");
    held.close().await;
    assert_eq!(told.await, Ok(0));
}

#[tokio::test]
async fn an_interrupted_run_reports_what_was_done() {
    let server = server_that(async |_stream| std::future::pending().await).await;
    let target = Target { protocol: Protocol::Tcp, address: server };
    let progress = Arc::new(Progress::default());
    let interrupt = {
        let progress = Arc::clone(&progress);
        async move {
            while progress.sent.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    let options = ClientOptions::default();
    let (report, _) = run(&target, generated(1, 10), options, &progress, interrupt).await.unwrap();
    assert_eq!(faults(&report), [FaultKind::Interrupted]);
    assert_eq!(report.sent, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_at_once_get_every_byte_back() {
    // Both ends are in this process.
    let files = raise_open_files(2_200).unwrap_or(256);
    let connections = usize::try_from(files.saturating_sub(200) / 2).unwrap().min(1_000);
    let options = ClientOptions { connections, ..ClientOptions::default() };
    let address = echo_server(":0").await;
    let run = run_with(Protocol::Tcp, address, generated(1, 64 << 10), options).await;
    let report = run.unwrap().0;
    assert_eq!(faults(&report), []);
    assert_eq!(report.verified_connections, connections);
    assert_eq!(report.verified, connections as u64 * (64 << 10));
}

#[test]
fn what_is_under_way_is_bounded_over_all_connections() {
    assert_eq!(window(1), Source::WINDOW);
    assert!(window(1_000) * 1_000 <= UNDER_WAY);
    assert!(window(1_000_000) >= CHUNK);
}
