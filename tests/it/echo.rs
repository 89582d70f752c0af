//! `sockscope serve` and `sockscope connect` as processes: signals, exit codes, what goes where.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use serde_json::{Value, json};

use crate::support;

fn sockscope(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockscope"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

fn signal(name: &str, child: &Child) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// A running `sockscope serve --json`.
struct Server {
    child: Child,
    log: BufReader<ChildStdout>,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::spawn(sockscope(&[&["serve", "--json"], arguments].concat()))
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        Self { child, log }
    }

    /// Returns the next line of the log with this event, passing over others.
    fn event(&mut self, name: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the log ended before {name}");
            let event = support::conforming(&line);
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Waits until it listens, and returns `127.0.0.1:PORT`.
    fn address(&mut self) -> String {
        let local = self.event("listening")["local"].take();
        format!("{}:{}", local["address"].as_str().unwrap(), local["port"])
    }

    fn connect(&mut self, address: &str) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        self.event("accept");
        stream
    }

    fn end(mut self) -> ExitStatus {
        // A log that is not read keeps the server waiting.
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a failed test it would run for ever; after a good one it is gone.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn stops_after(name: &str) {
    let mut server = Server::start(&[]);
    server.address();
    signal(name, &server.child);
    assert_eq!(server.event("stopping")["open"], 0);
    server.event("stopped");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn ctrl_c_stops_the_server() {
    stops_after("INT");
}

#[test]
fn sigterm_stops_the_server() {
    stops_after("TERM");
}

#[test]
fn a_hangup_stops_the_server() {
    stops_after("HUP");
}

#[cfg(target_os = "linux")]
#[test]
fn a_hangup_ignored_by_nohup_stays_ignored() {
    let mut command = Command::new("sh");
    let serve = format!("trap '' HUP; exec {} serve --json", env!("CARGO_BIN_EXE_sockscope"));
    command.args(["-c", &serve]).stdin(Stdio::null());
    let mut server = Server::spawn(command);
    let address = server.address();
    signal("HUP", &server.child);
    server.connect(&address);
    signal("TERM", &server.child);
    server.event("stopped");
}

#[test]
fn a_connection_may_go_on_while_the_server_drains() {
    let mut server = Server::start(&["--drain", "1h"]);
    let address = server.address();
    let mut stream = server.connect(&address);
    signal("TERM", &server.child);
    assert_eq!(server.event("stopping")["open"], 1);
    stream.write_all(b"late").unwrap();
    let mut back = [0; 4];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"late");
    drop(stream);
    assert_eq!(server.event("stopped")["aborted"], 0);
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn the_drain_deadline_cuts_off_what_is_left() {
    let mut server = Server::start(&["--drain", "10ms"]);
    let address = server.address();
    let _stream = server.connect(&address);
    signal("INT", &server.child);
    assert_eq!(server.event("stopped")["aborted"], 1);
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn a_second_ctrl_c_ends_the_server_at_once() {
    let mut server = Server::start(&["--drain", "1h"]);
    let address = server.address();
    let _stream = server.connect(&address);
    signal("INT", &server.child);
    server.event("stopping");
    signal("INT", &server.child);
    assert_eq!(server.end().code(), Some(0));
}

fn socket_path(directory: &Path) -> String {
    directory.join("echo.sock").to_str().unwrap().to_owned()
}

#[test]
fn a_unix_path_echoes_and_is_gone_after_ctrl_c() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    let mut server = Server::start(&[&path]);
    assert_eq!(server.event("listening")["local"], json!({ "path": path }));
    let sent = sockscope(&["connect", &path, "--size=1M", "--connections=3"]).output().unwrap();
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    signal("INT", &server.child);
    assert_eq!(server.end().code(), Some(0));
    assert!(!Path::new(&path).exists());
}

#[test]
fn a_unix_path_is_gone_even_if_the_server_does_not_drain() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    let mut server = Server::start(&[&path, "--drain=1h"]);
    server.event("listening");
    let _stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    server.event("accept");
    signal("INT", &server.child);
    server.event("stopping");
    signal("INT", &server.child);
    server.end();
    assert!(!Path::new(&path).exists());
}

#[test]
fn a_stale_unix_path_is_trouble_with_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_path(directory.path());
    drop(UnixListener::bind(&path).unwrap());
    // A child that another test is just starting may hold the listener for a moment.
    while std::os::unix::net::UnixStream::connect(&path).is_ok() {}
    let Output { status, stderr, .. } = sockscope(&["serve", &path]).output().unwrap();
    assert_eq!(status.code(), Some(2));
    assert!(text(&stderr).ends_with("\nhint: replace it with --force\n"), "{}", text(&stderr));
}

#[test]
fn the_first_lines_say_where_it_listens_and_what_to_type_next() {
    let mut server = Server::spawn(sockscope(&["serve"]));
    let mut said = String::new();
    for _ in 0..3 {
        server.log.read_line(&mut said).unwrap();
    }
    let (first, _) = said.split_once('\n').unwrap();
    let address = first.strip_prefix("listening on tcp ").unwrap();
    let port = address.strip_prefix("127.0.0.1:").unwrap();
    assert_eq!(
        said,
        format!(
            "listening on tcp {address}\n  \
             in a second terminal: sockscope connect {address}\n  \
             in a third:           sockscope list :{port}\n"
        )
    );
}

#[test]
fn a_server_whose_log_nobody_reads_any_more_ends_without_a_word() {
    let mut child = sockscope(&["serve", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    let port = listening["local"]["port"].as_u64().unwrap();
    drop(log);
    // A child that another test is just starting may hold the pipe for a moment, and a line still
    // goes into it: only the first line after that finds it closed.
    while child.try_wait().unwrap().is_none() {
        drop(TcpStream::connect(format!("127.0.0.1:{port}")));
    }
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!((status.code(), text(&stderr)), (Some(0), ""));
}

#[test]
fn both_protocols_on_both_loopback_addresses_share_a_port() {
    let mut server = Server::start(&["localhost", "--tcp", "--udp"]);
    let ports: Vec<Value> =
        (0..4).map(|_| server.event("listening")["local"]["port"].take()).collect();
    assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
}

#[test]
fn the_log_tells_of_one_connection_from_accept_to_close() {
    let mut server = Server::start(&[]);
    let address = server.address();
    let mut stream = TcpStream::connect(&address).unwrap();
    let peer = stream.local_addr().unwrap();
    stream.write_all(b"hello").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let accept = server.event("accept");
    let port = peer.port();
    assert_eq!(accept["peer"], json!({ "address": "127.0.0.1", "port": port }));
    let bytes = server.event("bytes");
    let moved = (&bytes["client"], &bytes["received"], &bytes["sent"]);
    assert_eq!(moved, (&json!(1), &json!(5), &json!(5)));
    let close = server.event("close");
    assert_eq!((&close["reason"], &close["received"]), (&json!("finished"), &json!(5)));
}

#[test]
fn everything_that_comes_back_right_is_success() {
    let mut server = Server::start(&[]);
    let address = server.address();
    let arguments = ["connect", &address, "--size=1MiB", "--connections=5", "--json"];
    let Output { status, stdout, .. } = sockscope(&arguments).output().unwrap();
    assert_eq!(status.code(), Some(0));
    let report = support::conforming(str::from_utf8(&stdout).unwrap());
    assert_eq!(report["schema"], "sockscope.connect/1");
    assert_eq!(report["verified"], 5 << 20);
    assert_eq!(report["verified_connections"], 5);
}

#[test]
fn a_line_comes_back_on_stdout() {
    let mut server = Server::start(&[]);
    let address = server.address();
    let Output { status, stdout, .. } =
        sockscope(&["connect", &address, "hello"]).output().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(text(&stdout).starts_with("hello\n1 of 1 connections verified"), "{}", text(&stdout));
}

#[test]
fn stdin_is_sent_when_nothing_else_is() {
    let mut server = Server::start(&[]);
    let address = server.address();
    let mut child = sockscope(&["connect", &address, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&vec![b'x'; 2_000_000]).unwrap();
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(0));
    let report = support::conforming(str::from_utf8(&stdout).unwrap());
    assert_eq!(report["verified"], 2_000_000);
}

#[test]
fn datagrams_come_back_through_both_commands() {
    let mut server = Server::start(&["--udp"]);
    let address = server.address();
    let arguments = ["connect", &address, "--udp", "--count=20", "--size=65507", "--json"];
    let Output { status, stdout, .. } = sockscope(&arguments).output().unwrap();
    let report = support::conforming(str::from_utf8(&stdout).unwrap());
    assert_eq!((status.code(), &report["datagrams"]["verified"]), (Some(0), &json!(20)));
}

#[test]
fn a_lost_datagram_is_no_success() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let arguments = ["connect", &address, "--udp", "--timeout=10ms", "lost", "--json"];
    let Output { status, stdout, .. } = sockscope(&arguments).output().unwrap();
    let report = support::conforming(str::from_utf8(&stdout).unwrap());
    assert_eq!((status.code(), &report["datagrams"]["lost"]), (Some(1), &json!(1)));
}

#[test]
fn a_server_that_closes_early_is_no_success() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let closing = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        stream.write_all(b"hel").unwrap();
    });
    let Output { status, stdout, .. } =
        sockscope(&["connect", &address, "hello"]).output().unwrap();
    closing.join().unwrap();
    assert_eq!(status.code(), Some(1));
    let said = text(&stdout);
    assert!(said.contains("connection 1: the server closed it when 3 bytes were back"), "{said}");
}

#[test]
fn a_port_that_nobody_listens_at_is_trouble_with_a_hint() {
    // Taken, so that no other test listens there; not listening, so that connections are refused.
    let holder = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    holder.bind(&any.into()).unwrap();
    let address = holder.local_addr().unwrap().as_socket().unwrap();
    let port = address.port();
    let Output { status, stderr, .. } =
        sockscope(&["connect", &address.to_string(), "x"]).output().unwrap();
    assert_eq!(status.code(), Some(2));
    assert_eq!(
        text(&stderr),
        format!(
            "sockscope: cannot connect to tcp {address}: connection refused\n\
             hint: nothing listens there: start sockscope serve --tcp {port}, or look: sockscope \
             list :{port}\n"
        )
    );
}

#[test]
fn a_port_in_use_is_trouble_with_a_hint() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let port = address.port();
    let Output { status, stderr, .. } =
        sockscope(&["serve", &address.to_string()]).output().unwrap();
    // The system's own words: glibc's and musl's differ.
    let words = sockscope::error::cause(&TcpListener::bind(address).unwrap_err());
    assert_eq!(status.code(), Some(2));
    assert_eq!(
        text(&stderr),
        format!(
            "sockscope: cannot listen on tcp {address}: {words}\n\
             hint: see who holds it: sockscope list :{port}, or take a free port: --port 0\n"
        )
    );
}

#[test]
fn a_port_beyond_the_last_is_named() {
    let Output { status, stderr, .. } =
        sockscope(&["connect", "localhost:65536"]).output().unwrap();
    assert_eq!(status.code(), Some(2));
    assert_eq!(
        text(&stderr),
        "sockscope: port 65536 is out of range\nhint: ports go from 0 to 65535\n"
    );
}

#[test]
fn held_connections_are_open_until_ctrl_c() {
    let mut server = Server::start(&[]);
    let address = server.address();
    let mut client = sockscope(&["connect", &address, "--connections=2", "--hold"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(client.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("sockscope: holding 2 connections open, Ctrl-C ends"), "{said}");
    // The kernel has connected them; the server may not have accepted them yet.
    server.event("accept");
    server.event("accept");
    signal("INT", &server.child);
    assert_eq!(server.event("stopping")["open"], 2);
    signal("INT", &client);
    assert_eq!(client.wait().unwrap().code(), Some(0));
    assert_eq!(server.event("stopped")["aborted"], 0);
}
