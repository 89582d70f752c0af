//! What `serve` and `connect` can do wrong on purpose, for a learner to look at: each is seen in the
//! public listing, or at the other end. Each is in a network namespace of its own, where nobody else has
//! or had the server's port.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::netns::in_netns;
use crate::support::{self, wait_until};

/// A running `sockscope serve --json`.
struct Server {
    child: Child,
    log: BufReader<ChildStdout>,
    port: u64,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = support::sockscope();
        command.args(["serve", "--json"]).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, log, port: 0 };
        server.port = server.event("listening")["local"]["port"].as_u64().unwrap();
        server
    }

    /// Returns the next line of the log with this event, passing over others.
    #[track_caller]
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

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).unwrap()
    }

    /// Returns the rows of the server's port, at either end, in this state.
    fn rows(&self, state: &str) -> Vec<Value> {
        support::list(&[&format!("port {} and state {state}", self.port)])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Runs `sockscope connect --json` and returns its exit status and report.
#[track_caller]
fn connect(server: &Server, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = support::sockscope();
    command.args(["connect", &server.address(), "--json"]).args(arguments);
    let output = support::output(&mut command);
    (output.status.code(), support::conforming(str::from_utf8(&output.stdout).unwrap()))
}

fn frame(content: &[u8]) -> Vec<u8> {
    let header = format!(
        r#"{{"byteorder": "little", "content-type": "text/json", "content-encoding": "utf-8", "content-length": {}}}"#,
        content.len()
    );
    let length = u16::try_from(header.len()).unwrap().to_be_bytes();
    [&length, header.as_bytes(), content].concat()
}

#[test]
fn framed_messages_of_every_length_come_back_through_both_commands() {
    in_netns(
        "echo_lessons::framed_messages_of_every_length_come_back_through_both_commands",
        || {
            let server = Server::start(&["--framed"]);
            for size in ["0", "1", "100000", "10M"] {
                let (code, report) = connect(&server, &["--framed", "--count=3", "--size", size]);
                assert_eq!((code, &report["faults"]), (Some(0), &Value::Array(vec![])), "{size}");
            }
        },
    );
}

#[test]
fn a_framed_message_is_answered_by_one_of_the_same_kind() {
    in_netns("echo_lessons::a_framed_message_is_answered_by_one_of_the_same_kind", || {
        let server = Server::start(&["--framed"]);
        let mut stream = server.connect();
        stream.write_all(&frame(b"\"search\"")).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let (length, rest) = answer.split_at(2);
        let (header, content) = rest.split_at(u16::from_be_bytes([length[0], length[1]]).into());
        let header: Value = serde_json::from_slice(header).unwrap();
        assert_eq!(
            (&header["content-type"], &header["content-length"]),
            (&"text/json".into(), &8.into())
        );
        assert_eq!(content, b"\"search\"");
    });
}

#[test]
fn a_bad_frame_ends_its_own_connection_with_a_reason_and_no_other() {
    in_netns(
        "echo_lessons::a_bad_frame_ends_its_own_connection_with_a_reason_and_no_other",
        || {
            let mut server = Server::start(&["--framed"]);
            let mut good = server.connect();
            let cases: [(&[u8], &str); 4] = [
                (b"GET / HTTP/1.1\r\n\r\n", "a header of 18245 bytes; at most 4096"),
                (b"\0\x02{}", "the header: missing field"),
                (&frame(b"hello")[..40], "the header ends after 38 of"),
                (
                    &frame(b"hello")[..frame(b"hello").len() - 1],
                    "the content ends after 4 of 5 bytes",
                ),
            ];
            for (sent, wanted) in cases {
                let mut bad = server.connect();
                bad.write_all(sent).unwrap();
                // Fails where the server has reset the connection by now, with the rest unread.
                bad.shutdown(Shutdown::Write).ok();
                let close = server.event("close");
                let error = close["error"].as_str().unwrap();
                assert!(error.contains(wanted), "{error}");
            }
            good.write_all(&frame(b"still here")).unwrap();
            let mut back = vec![0; 20];
            good.read_exact(&mut back).unwrap();
        },
    );
}

#[test]
fn a_client_that_frames_tells_a_server_that_does_not_answer_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HELLO").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Whether it ends in order or by a reset is the client's affair.
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let mut command = support::sockscope();
    let output = support::output(command.args(["connect", &address, "--framed", "hi"]));
    answering.join().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("connection 1: bad frame: a header of 18501 bytes"), "{said}");
}

#[test]
fn each_third_datagram_is_dropped_and_told_of_at_both_ends() {
    in_netns("echo_lessons::each_third_datagram_is_dropped_and_told_of_at_both_ends", || {
        let mut server = Server::start(&["--udp", "--drop=3"]);
        let (code, report) = connect(&server, &["--udp", "--count=4", "--timeout=10s"]);
        let datagrams = &report["datagrams"];
        assert_eq!(
            (code, &datagrams["lost"], &datagrams["verified"]),
            (Some(1), &1.into(), &3.into())
        );
        assert_eq!(server.event("dropped")["datagram"], 3);
    });
}

#[test]
fn a_share_of_datagrams_is_dropped_always_the_same() {
    use sockscope::echo::server::Loss;
    let taken = |share| (1..=10_000).filter(|number| Loss::Percent(share).takes(*number)).count();
    assert_eq!((taken(0), taken(100)), (0, 10_000));
    let some = taken(30);
    assert!((2_800..3_200).contains(&some), "{some}");
    assert_eq!(taken(30), some);
}

#[test]
fn a_slow_server_fills_both_queues() {
    in_netns("echo_lessons::a_slow_server_fills_both_queues", || {
        let server = Server::start(&["--slow=1000"]);
        let mut client = support::sockscope();
        client.args(["connect", &server.address(), "--size=16M", "--timeout=1h"]);
        let _client = support::Running::start(client.stdout(Stdio::null()).stderr(Stdio::null()));
        wait_until(|| {
            let rows = server.rows("established");
            let fills =
                |queue: &str| rows.iter().any(|row| row["queues"][queue].as_u64() > Some(50_000));
            fills("recv") && fills("send")
        });
    });
}

#[test]
fn a_server_that_holds_lets_its_backlog_fill() {
    in_netns("echo_lessons::a_server_that_holds_lets_its_backlog_fill", || {
        let server = Server::start(&["--hold", "--backlog=2"]);
        // Linux lets in one more than the limit.
        let _waiting: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
        wait_until(|| server.rows("listen")[0]["queues"]["pending"] == 3);
        assert_eq!(server.rows("listen")[0]["queues"]["limit"], 2);
        let via = |row: &Value| row["owners"][0]["via"] == "accept-queue";
        assert_eq!(server.rows("established").iter().filter(|row| via(row)).count(), 3);
    });
}

#[test]
fn a_half_closed_connection_is_fin_wait2_here_and_close_wait_at_a_server_that_leaks() {
    in_netns(
        "echo_lessons::a_half_closed_connection_is_fin_wait2_here_and_close_wait_at_a_server_that_leaks",
        || {
            let server = Server::start(&["--leak"]);
            let mut client = support::sockscope();
            client.args(["connect", &server.address(), "hello", "--hold", "--half-close"]);
            let client =
                support::Running::start(client.stdout(Stdio::null()).stderr(Stdio::null()));
            wait_until(|| server.rows("close-wait").len() == 1);
            wait_until(|| server.rows("fin-wait2").len() == 1);
            let holder = &server.rows("fin-wait2")[0]["owners"][0]["pid"];
            assert_eq!(*holder, client.pid(), "half closed, and still held");
        },
    );
}

#[test]
fn a_held_connection_is_open_both_ways_without_half_close() {
    in_netns("echo_lessons::a_held_connection_is_open_both_ways_without_half_close", || {
        let server = Server::start(&["--leak"]);
        let mut client = support::sockscope();
        client.args(["connect", &server.address(), "hello", "--hold"]).stdout(Stdio::null());
        let mut client = client.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(client.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(server.rows("established").len(), 2, "{said}");
        client.kill().unwrap();
        client.wait().unwrap();
    });
}

#[test]
fn a_client_that_resets_leaves_no_time_wait_and_its_server_is_told() {
    in_netns(
        "echo_lessons::a_client_that_resets_leaves_no_time_wait_and_its_server_is_told",
        || {
            let mut server = Server::start(&[]);
            assert_eq!(connect(&server, &["orderly"]).0, Some(0));
            // The usual close leaves one.
            wait_until(|| server.rows("time-wait").len() == 1);
            assert_eq!(server.event("close")["reason"], "finished");
            assert_eq!(connect(&server, &["reset", "--reset"]).0, Some(0));
            let close = server.event("close");
            assert_eq!(
                (&close["reason"], &close["error"]),
                (&"failed".into(), &"connection reset by peer".into())
            );
            assert_eq!(server.rows("time-wait").len(), 1);
        },
    );
}

#[test]
fn a_server_that_resets_is_seen_as_one() {
    in_netns("echo_lessons::a_server_that_resets_is_seen_as_one", || {
        let server = Server::start(&["--reset"]);
        let mut stream = server.connect();
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        drop(stream);
        assert_eq!(server.rows("time-wait").len(), 0);
    });
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let cases: [(&[&str], &str); 14] = [
        (&["serve", "--drop", "3"], "--udp"),
        (&["serve", "--udp", "--drop", "0"], "every Nth"),
        (&["serve", "--udp", "--drop", "101%"], "0% to 100%"),
        (&["serve", "--udp", "--drop", "often"], "every Nth"),
        (&["serve", "--slow", "0"], "--hold does that"),
        (&["serve", "--slow", "fast"], "fast"),
        (&["serve", "--udp", "--slow", "1K"], "--slow is about connections"),
        (&["serve", "--udp", "--hold"], "--hold is about connections"),
        (&["serve", "--udp", "--framed"], "cannot be used with"),
        (&["serve", "--backlog", "65536"], "--backlog"),
        (&["serve", "/tmp/never.sock", "--reset"], "a UNIX path takes no --reset"),
        (&["connect", "1", "--udp", "--framed", "x"], "cannot be used with"),
        (&["connect", "1", "--reset", "--half-close", "x"], "cannot be used with"),
        (&["connect", "1", "--framed", "--size=1G"], "the longest is 16777216"),
    ];
    for (arguments, wanted) in cases {
        let output = support::sockscope().args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
}
