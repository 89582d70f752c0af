//! `sockscope close` on real connections, each test in a network namespace of its own: there it may
//! close, and there is nothing else to hit.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};

use crate::netns::{as_nobody, in_netns, is_root};
use crate::support::{self, Ran, program, ran, skip, sockscope};

fn close(arguments: &[&str]) -> Ran {
    ran(sockscope().arg("close").args(arguments))
}

/// A listener, and both ends of one connection to it.
struct Connection {
    listener: TcpListener,
    server: TcpStream,
    client: TcpStream,
}

impl Connection {
    fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        Self { listener, server, client }
    }

    /// The server's end as the command takes it.
    fn target(&self) -> String {
        let server = &self.server;
        format!("tcp:{}->{}", server.local_addr().unwrap(), server.peer_addr().unwrap())
    }

    /// Checks that what one end sends arrives at the other.
    #[track_caller]
    fn assert_open(mut self) {
        self.client.write_all(b"x").unwrap();
        self.server.read_exact(&mut [0]).unwrap();
    }
}

/// The cookie of the one socket that the filter finds.
#[track_caller]
fn cookie(filter: &str) -> String {
    let found = support::list(&[filter]);
    assert_eq!(found.len(), 1, "{filter}: {found:#?}");
    found[0]["cookie"].to_string()
}

#[test]
fn an_established_connection_is_closed_at_both_ends() {
    in_netns("close::an_established_connection_is_closed_at_both_ends", || {
        let mut connection = Connection::open();
        let target = connection.target();
        let ran = close(&["--yes", &target]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains(" gets a reset (RST): ECONNRESET\n"), "{ran:?}");
        assert!(ran.stdout.ends_with(" is gone\n"), "{ran:?}");
        let here = connection.server.read(&mut [0]).unwrap_err();
        assert_eq!(here.kind(), ErrorKind::ConnectionAborted);
        let peer = connection.client.read(&mut [0]).unwrap_err();
        assert_eq!(peer.kind(), ErrorKind::ConnectionReset);
        assert_eq!(close(&["--yes", &target]).code, Some(1), "a second time there is none");
    });
}

#[test]
fn both_processes_are_named_before() {
    in_netns("close::both_processes_are_named_before", || {
        let connection = Connection::open();
        let ran = close(&["--dry-run", &connection.target()]);
        // This process is at both ends.
        let me = format!("({})", std::process::id());
        let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(&me)).collect();
        assert_eq!(lines.len(), 2, "{ran:?}");
        assert!(lines[0].starts_with("here: ") && lines[1].starts_with("peer: "), "{ran:?}");
    });
}

#[test]
fn a_dry_run_closes_nothing() {
    in_netns("close::a_dry_run_closes_nothing", || {
        let connection = Connection::open();
        let ran = close(&["--dry-run", &connection.target()]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.ends_with("nothing was closed: this was a dry run\n"), "{ran:?}");
        connection.assert_open();
    });
}

#[test]
fn without_terminal_and_without_yes_nothing_is_closed() {
    in_netns("close::without_terminal_and_without_yes_nothing_is_closed", || {
        let connection = Connection::open();
        let ran = close(&[&connection.target()]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("\nhint: add --yes "), "{ran:?}");
        connection.assert_open();
    });
}

#[test]
fn at_a_terminal_the_answer_decides() {
    in_netns("close::at_a_terminal_the_answer_decides", || {
        let Some(script) = program("script") else { return skip("needs script (util-linux)") };
        // Runs the command at a terminal and types the answer.
        let answer = |connection: &Connection, answer: &[u8]| {
            let line =
                format!("'{}' close '{}'", env!("CARGO_BIN_EXE_sockscope"), connection.target());
            let mut command = Command::new(&script);
            command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(answer).unwrap();
            let output = child.wait_with_output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        let connection = Connection::open();
        let (code, text) = answer(&connection, b"n\n");
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("Close it? [y/N]"), "{text}");
        connection.assert_open();

        let mut connection = Connection::open();
        let (code, text) = answer(&connection, b"y\n");
        assert_eq!(code, Some(0), "{text}");
        let error = connection.server.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    });
}

#[test]
fn time_wait_can_be_closed_by_its_cookie() {
    in_netns("close::time_wait_can_be_closed_by_its_cookie", || {
        let Connection { listener, server, mut client } = Connection::open();
        let port = listener.local_addr().unwrap().port();
        drop(server);
        // The FIN has come; the answer to it makes the server's end TIME_WAIT.
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        let state = format!("sport {port} and state time-wait");
        support::wait_until(|| !support::list(&[&state]).is_empty());
        let ran = close(&["--yes", &cookie(&state)]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("here: nobody holds it"), "{ran:?}");
        assert_eq!(support::list(&[&state]).len(), 0);
    });
}

#[test]
fn a_listener_is_refused_and_still_listens() {
    in_netns("close::a_listener_is_refused_and_still_listens", || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ran = close(&["--yes", &cookie(&format!("sport {port}"))]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(
            ran.stderr.contains("it is a listener") && ran.stderr.contains("still block"),
            "{ran:?}"
        );
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (_, from) = listener.accept().unwrap();
        assert_eq!(from, client.local_addr().unwrap());
    });
}

#[test]
fn several_matches_are_listed_and_none_is_closed() {
    in_netns("close::several_matches_are_listed_and_none_is_closed", || {
        let connection = Connection::open();
        let port = connection.listener.local_addr().unwrap().port();
        let ran = close(&["--yes", &format!("established and port {port}")]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.starts_with("sockscope: 2 sockets match"), "{ran:?}");
        for end in ["sport", "dport"] {
            let cookie = cookie(&format!("established and {end} {port}"));
            let is_row = |line: &str| line.split_whitespace().last() == Some(&cookie);
            assert!(ran.stdout.lines().any(is_row), "{cookie}: {ran:?}");
        }
        connection.assert_open();
    });
}

#[test]
fn a_cookie_that_nobody_has_says_so() {
    in_netns("close::a_cookie_that_nobody_has_says_so", || {
        let ran = close(&["--yes", "18446744073709551614"]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""));
        assert_eq!(ran.stderr, "sockscope: no socket matches; nothing was closed\n");
    });
}

#[test]
fn the_ipv4_mapped_end_of_a_connection_can_be_closed() {
    in_netns("close::the_ipv4_mapped_end_of_a_connection_can_be_closed", || {
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let from = client.local_addr().unwrap();
        // As the listing shows it: [::ffff:127.0.0.1]:80.
        let ran = close(&[
            "-y",
            &format!("[::ffff:127.0.0.1]:{port}->[::ffff:127.0.0.1]:{}", from.port()),
        ]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_connected_udp_socket_is_disconnected_and_keeps_its_port() {
    in_netns("close::a_connected_udp_socket_is_disconnected_and_keeps_its_port", || {
        // A port that was chosen by bind(0) is not kept; one that was asked for is.
        let port = 8080;
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.connect(peer).unwrap();
        let ran = close(&["--yes", &format!("udp:127.0.0.1:{port}->{peer}")]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("stays bound until "), "{ran:?}");
        let error = socket.recv(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        let left = support::list(&["-u", &format!("sport {port}")]);
        assert_eq!(left.len(), 1, "{left:#?}");
        assert!(left[0]["peer"].is_null(), "{left:#?}");
    });
}

#[test]
fn whoever_may_not_close_is_told_what_it_takes() {
    in_netns("close::whoever_may_not_close_is_told_what_it_takes", || {
        if !is_root() {
            return skip("needs root, to become nobody");
        }
        let connection = Connection::open();
        let mut command = sockscope();
        command.args(["close", "--yes", &connection.target()]);
        if !as_nobody(&mut command) {
            return skip("needs root, to become another user");
        }
        let ran = ran(&mut command);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("operation not permitted\nhint: run as root"), "{ran:?}");
        connection.assert_open();
    });
}

#[test]
fn a_unix_socket_is_refused() {
    in_netns("close::a_unix_socket_is_refused", || {
        let (_one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let me = std::process::id();
        let sockets = support::list(&[&format!("unix and pid {me}")]);
        let ran = close(&["--yes", &sockets[0]["cookie"].to_string()]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("closes no unix sockets"), "{ran:?}");
    });
}
