//! `sockscope show` on real sockets, each in a namespace of its own: what it says of every state that
//! can be held, and which socket it takes an argument for.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with,
    sockopt,
};

use crate::namespaces::{netns_of, scene};
use crate::netns;
use crate::support::{self, Running, skip};

/// In this namespace alone: what is not found there is looked for in all, where other tests have theirs.
const HERE: [&str; 3] = ["show", "--netns", "current"];

/// Returns the page of the one socket that fits, in a pipe: a line is whole.
#[track_caller]
fn show(wanted: &str) -> String {
    let output = support::output(support::sockscope().args(HERE).arg(wanted));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the page as soon as the socket is there: a segment may still be on its way.
#[track_caller]
fn show_soon(wanted: &str) -> String {
    let deadline = Instant::now() + support::PATIENCE;
    loop {
        let output = support::sockscope().args(HERE).arg(wanted).output().unwrap();
        if output.status.code() == Some(0) {
            return String::from_utf8(output.stdout).unwrap();
        }
        assert!(Instant::now() < deadline, "{wanted}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[track_caller]
fn assert_says(page: &str, sentences: &[&str]) {
    for sentence in sentences {
        assert!(page.contains(sentence), "no '{sentence}' in\n{page}");
    }
}

#[test]
fn a_number_of_no_socket_is_told_without_how_the_others_were_read() {
    let output = support::output(support::sockscope().args(["show", "18446744073709551615"]));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("sockscope: no socket is 18446744073709551615\n"), "{stderr}");
    assert!(!stderr.contains("owners: found"), "{stderr}");
}

fn me() -> String {
    format!("(PID {})", std::process::id())
}

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// Returns both ends of a connection: the client's, the server's.
fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn tuple(stream: &TcpStream) -> String {
    format!("{}->{}", stream.local_addr().unwrap(), stream.peer_addr().unwrap())
}

#[test]
fn a_listener_and_its_queue() {
    netns::in_netns("show::a_listener_and_its_queue", || {
        let listener = listener();
        listen(&listener, 7).unwrap();
        let port = listener.local_addr().unwrap().port();
        let _waiting = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // Three sockets have the port; one serves it.
        let page = show(&format!(":{port}"));
        assert_says(
            &page,
            &["LISTEN: waits for connections", "the owner's close; never by itself"],
        );
        assert_says(
            &page,
            &["1 connection to be accepted, the limit is 7", &me(), "found in its descriptors"],
        );
    });
}

#[test]
fn a_socket_that_is_only_bound() {
    netns::in_netns("show::a_socket_that_is_only_bound", || {
        let (_socket, address) = bound();
        let page = show(&format!("bound and sport {}", address.port()));
        assert_says(&page, &["BOUND: holds a port, neither listening nor connected", &me()]);
    });
}

fn bound() -> (OwnedFd, SocketAddr) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address)
}

#[test]
fn an_open_connection_with_both_ends_and_its_numbers() {
    netns::in_netns("show::an_open_connection_with_both_ends_and_its_numbers", || {
        let listener = listener();
        let (mut client, server) = connection(&listener);
        client.write_all(&[7; 5000]).unwrap();
        let cookie = sockopt::socket_cookie(&client).unwrap();
        let page = show_soon("recvq 5000 and established");
        assert_says(&page, &["ESTABLISHED: open both ways", "5000 bytes not read yet"]);
        assert_says(
            &page,
            &[&format!("cookie {cookie}"), "5000 bytes of data in 1 segment", " ms ± "],
        );
        assert_says(
            &page,
            &[&format!("Socket       tcp {}", tuple(&server).replace("->", " -> "))],
        );
        let page = show(&tuple(&client));
        assert_says(
            &page,
            &[&format!("Numbers      cookie {cookie}"), "Sent         5000 bytes of data"],
        );
        assert_eq!(show(&cookie.to_string()).lines().next(), page.lines().next());
        let port = server.local_addr().unwrap().port();
        assert_says(&page, &["or the peer, it-", &format!("-> 127.0.0.1:{port}")]);
    });
}

#[test]
fn half_closed_connections_and_the_fin_that_is_no_data() {
    netns::in_netns("show::half_closed_connections_and_the_fin_that_is_no_data", || {
        let listener = listener();
        let (client, mut server) = connection(&listener);
        client.shutdown(Shutdown::Write).unwrap();
        // The client's end is settled last, by the acknowledgement.
        show_soon("fin-wait-2");
        let page = show("close-wait");
        assert_says(&page, &["the peer has closed, the owner here has not", "never by itself"]);
        assert_says(&page, &["0 bytes not read yet; the end of the stream (FIN) waits too"]);
        assert_says(&page, &["0 bytes of data in 0 segments", "FIN_WAIT2, cookie"]);
        let page = show_soon("fin-wait-2");
        assert_says(
            &page,
            &["closed here, which the peer has acknowledged", "by the peer's close"],
        );
        assert_says(&page, &["To act       the peer, it-"]);
        // Once the end of the stream was read, it is not counted any more.
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        assert!(show("close-wait").contains("0 bytes not read yet\n"));
    });
}

#[test]
fn time_wait_is_the_kernel_s_and_ends_by_itself() {
    netns::in_netns("show::time_wait_is_the_kernel_s_and_ends_by_itself", || {
        let listener = listener();
        let (client, mut server) = connection(&listener);
        drop(client);
        // Or both ends may close at once, and both keep TIME_WAIT.
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        drop(server);
        let page = show_soon("time-wait");
        assert_says(&page, &["TIME_WAIT: over; it was closed here first", "To act       nobody"]);
        assert_says(&page, &["no process: the kernel alone keeps it", "no inode"]);
        let left = page.lines().find_map(|line| line.trim().strip_prefix("now in ")).unwrap();
        let seconds: f64 = left.strip_suffix(" s").unwrap().parse().unwrap();
        assert!((30.0..=60.0).contains(&seconds), "{page}");
        assert!(!page.contains("root"), "{page}");
    });
}

#[test]
fn a_connection_without_answer_and_the_listener_it_asks() {
    netns::in_netns("show::a_connection_without_answer_and_the_listener_it_asks", || {
        let listener = listener();
        listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let _queued = TcpStream::connect(address).unwrap();
        support::wait_until(|| support::list(&["listen"])[0]["queues"]["pending"] == 1);
        // The queue is full: the next one's SYN is dropped.
        let (asking, _) = bound();
        connect(&asking, &address).unwrap_err();
        let page = show_soon("syn-sent");
        assert_says(&page, &["SYN_SENT: asked for a connection; there is no answer yet"]);
        assert_says(&page, &["0 bytes not acknowledged yet; nor is our SYN", "sends again in "]);
        assert_says(
            &page,
            &["To act       the peer, it-", "is asked, whose queue is full (1 wait, limit 0)"],
        );
        let full = show(&format!(":{}", address.port()));
        assert_says(&full, &["1 connection to be accepted, the limit is 0: it is full"]);
        assert_says(&full, &["LISTEN, queue full: ", "by the owner's accept, or its close"]);
    });
}

/// A listener that hands a connection out only when data has come, and a client that sends none.
const DEFERRED: &str = "
import socket, sys
listener = socket.create_server(('127.0.0.1', 0))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
client = socket.create_connection(listener.getsockname())
print('ready', flush=True)
sys.stdin.read() or __import__('signal').pause()
";

#[test]
fn a_deferred_connection_is_in_syn_recv() {
    netns::in_netns("show::a_deferred_connection_is_in_syn_recv", || {
        let Some(python) = support::program("python3") else { return skip("needs python3") };
        let (_running, _) =
            Running::start_and_read_line(Command::new(python).args(["-c", DEFERRED]));
        let page = show_soon("syn-recv");
        assert_says(&page, &["To act       the peer, python3 (PID "]);
        assert_says(&page, &["SYN_RECV: was asked for a connection", "TCP_DEFER_ACCEPT"]);
    });
}

#[test]
fn a_connection_that_nobody_accepted() {
    netns::in_netns("show::a_connection_that_nobody_accepted", || {
        let listener = listener();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let page = show_soon("via accept-queue");
        assert_says(&page, &["ESTABLISHED, not accepted", "the listener's owner, it-", "no inode"]);
        assert_says(&page, &["not accepted yet: it holds the listener"]);
    });
}

#[test]
fn an_orphan_has_no_owner() {
    netns::in_netns("show::an_orphan_has_no_owner", || {
        let listener = listener();
        let (client, _server) = connection(&listener);
        drop(client);
        let page = show_soon("fin-wait-2");
        assert_says(
            &page,
            &["FIN_WAIT2, without owner", "after 60 s (tcp_fin_timeout)", "now in "],
        );
        assert_says(&page, &["no process: the kernel alone keeps it", "the peer, it-"]);
    });
}

#[test]
fn udp_has_no_state_but_a_meaning() {
    netns::in_netns("show::udp_has_no_state_but_a_meaning", || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        let page = show(&format!(":{}", socket.local_addr().unwrap().port()));
        assert_says(&page, &["unconnected: takes what anybody sends", "Dropped      0"]);
        let page = show("udp and connected");
        assert_says(&page, &["connected: takes what its peer sends", " -> 127.0.0.1:"]);
    });
}

#[test]
fn several_sockets_are_listed_and_none_is_told() {
    netns::in_netns("show::several_sockets_are_listed_and_none_is_told", || {
        let listener = listener();
        let (client, _server) = connection(&listener);
        let output = support::sockscope().args(HERE).arg("established").output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        let text = String::from_utf8(output.stderr).unwrap();
        let cookie = sockopt::socket_cookie(&client).unwrap().to_string();
        assert!(text.starts_with("sockscope: 2 sockets are that"), "{text}");
        assert!(text.lines().any(|line| line.trim_start().starts_with(&cookie)), "{text}");
        // The first cookie of all may be a socket's of another namespace.
        let output = support::sockscope().args(HERE).arg("1").output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        assert!(String::from_utf8_lossy(&output.stderr).contains("hint: "));
    });
}

#[test]
fn the_document_for_programs_has_both_ends() {
    netns::in_netns("show::the_document_for_programs_has_both_ends", || {
        let listener = listener();
        let (client, _server) = connection(&listener);
        let output =
            support::output(support::sockscope().args(["show", "--json", &tuple(&client)]));
        let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(page["schema"], "sockscope.show/1");
        assert_eq!(page["socket"]["state"], "ESTABLISHED");
        assert_eq!(page["socket"]["local"], page["other_end"]["peer"]);
        assert_eq!(page["meaning"]["acts"], "either end");
        assert!(page["socket"]["details"]["tcp_info"]["rtt_us"].is_u64());
    });
}

#[test]
fn the_holder_s_options_are_read_only_on_request() {
    netns::in_netns("show::the_holder_s_options_are_read_only_on_request", || {
        let listener = listener();
        let (client, _server) = connection(&listener);
        client.set_nodelay(true).unwrap();
        sockopt::set_socket_keepalive(&client, true).unwrap();
        sockopt::set_tcp_keepidle(&client, Duration::from_secs(77)).unwrap();
        let text = |args: &[&str]| {
            let mut command = support::sockscope();
            let output = support::output(command.args(["show", &tuple(&client)]).args(args));
            String::from_utf8(output.stdout).unwrap()
        };
        assert_says(
            &text(&["--deep"]),
            &["TCP_NODELAY on", "SO_REUSEADDR off", "probed after 77 s"],
        );
        assert!(!text(&[]).contains("TCP_NODELAY"));
        let page: serde_json::Value = serde_json::from_str(&text(&["--deep", "--json"])).unwrap();
        assert_eq!(page["options"]["keepalive_idle_s"], 77);
    });
}

#[test]
fn options_that_cannot_be_read_are_said_to_be() {
    netns::in_netns("show::options_that_cannot_be_read_are_said_to_be", || {
        let listener = listener();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut command = support::sockscope();
        let output = support::output(command.args(HERE).args(["--deep", "via accept-queue"]));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("cannot read its options: no descriptor"), "{text}");
        assert!(!output.stdout.is_empty());
    });
}

#[test]
fn a_socket_is_found_in_whatever_namespace_it_is() {
    let script = "s = listen(8094)\nready('ready', os.fstat(s.fileno()).st_ino)";
    let Some((process, words)) = scene("n", script) else { return };
    let anywhere = ["show", &format!("inode:{}", words[0])];
    let page = support::output(support::sockscope().args(anywhere)).stdout;
    let page = String::from_utf8(page).unwrap();
    let netns = netns_of(process.pid());
    let owner = format!("Held by      python3 ({}, ", process.pid());
    assert_says(&page, &[&owner, &format!("Namespace    {netns} (")]);

    let here = support::sockscope().args(HERE).arg(format!("inode:{}", words[0])).output();
    let output = here.unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
