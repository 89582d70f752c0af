//! `sockscope pick` against the kernel: each test where ports have to be known in a network namespace
//! of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Output, Stdio};

use crate::netns::{as_nobody, in_netns};
use crate::support::{self, listed, skip, sockscope};

fn pick(arguments: &[&str]) -> Output {
    sockscope().arg("pick").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Checks what is picked, once what others have just closed is released.
#[track_caller]
fn assert_picks(range: &str, expected: &str) {
    support::wait_until(|| stdout(&pick(&["--range", range])) == expected);
}

/// Checks that nothing was picked, and returns what it said about it.
#[track_caller]
fn assert_none(output: &Output) -> String {
    let text = stderr(output);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{text}");
    text
}

#[test]
fn what_is_picked_is_free_for_both_protocols_in_both_families() {
    in_netns("pick::what_is_picked_is_free_for_both_protocols_in_both_families", || {
        let output = support::output(sockscope().args(["pick", "-n", "50"]));
        let ports: Vec<u16> = stdout(&output).lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 50, "{ports:?}");
        for port in ports {
            assert!((1024..32768).contains(&port), "{port}");
            for address in ["0.0.0.0", "::"] {
                support::listen_when_released((address, port));
                support::wait_until(|| UdpSocket::bind((address, port)).is_ok());
            }
        }
    });
}

#[test]
fn json_has_the_ports_and_what_they_are_free_for() {
    let output =
        support::output(sockscope().args(["pick", "--json", "-n", "2", "-t", "-a", "::1"]));
    let answer: serde_json::Value = support::conforming(str::from_utf8(&output.stdout).unwrap());
    assert_eq!(answer["schema"], "sockscope.pick/1");
    assert_eq!(answer["protocols"], serde_json::json!(["tcp"]));
    assert_eq!(answer["address"], "::1");
    assert_eq!(answer["ports"].as_array().unwrap().len(), 2);
}

#[test]
fn whatever_keeps_a_port_from_being_bound_keeps_it_from_being_picked() {
    in_netns("pick::whatever_keeps_a_port_from_being_bound_keeps_it_from_being_picked", || {
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        let _datagrams = UdpSocket::bind((Ipv6Addr::LOCALHOST, 7002)).unwrap();
        let bound =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        bound.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 7003)).into()).unwrap();
        leave_time_wait(7004);
        for port in ["7001", "7002", "7003", "7004"] {
            assert!(assert_none(&pick(&["--range", port])).contains(": 1 held"), "{port}");
        }
        assert_eq!(stdout(&pick(&["--range", "7002", "--tcp"])), "7002\n");
        assert_eq!(stdout(&pick(&["--range", "7001", "--address", "::1"])), "7001\n");
        assert_picks("7001-7005", "7005\n");
        // What was picked may be held for an instant more by whoever looks at the one that picked it.
        let mut why = String::new();
        let expected = "sockscope: only 1 of the 2 ports wanted are free in 7001-7005: 4 held\n";
        support::wait_until(|| {
            why = assert_none(&pick(&["--range", "7001-7005", "-n", "2"]));
            why.starts_with(expected)
        });
        assert!(
            why.contains("port 7001/tcp: ") && why.contains(" listens on 127.0.0.1\n"),
            "{why}"
        );
    });
}

/// Leaves a connection on the server's port that the server closed first.
fn leave_time_wait(port: u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    drop(listener.accept().unwrap());
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop((client, listener));
    support::wait_until(|| {
        !support::list(&["state time-wait and sport", &port.to_string()]).is_empty()
    });
}

#[test]
fn what_the_system_has_plans_for_is_picked_only_when_asked_for() {
    in_netns("pick::what_the_system_has_plans_for_is_picked_only_when_asked_for", || {
        let set = |name: &str, value: &str| {
            fs::write(format!("/proc/sys/net/ipv4/{name}"), value).is_ok()
        };
        if !(set("ip_local_port_range", "1030 65535")
            && set("ip_local_reserved_ports", "1024-1028"))
        {
            return skip("may not change the settings of its own namespace");
        }
        assert_eq!(stdout(&pick(&[])), "1029\n");
        let _held = support::listen_when_released((Ipv4Addr::LOCALHOST, 1029));
        assert_none(&pick(&[]));
        assert_eq!(stdout(&pick(&["--range", "1028"])), "1028\n");
        assert_eq!(stdout(&pick(&["--range", "1030"])), "1030\n");
        assert!(set("ip_local_port_range", "1024 65535"));
        let why = assert_none(&pick(&[]));
        assert!(why.contains("ip_local_port_range") && why.contains("hint: "), "{why}");
    });
}

#[test]
fn without_privilege_no_privileged_port_is_free() {
    in_netns("pick::without_privilege_no_privileged_port_is_free", || {
        let mut command = sockscope();
        if !as_nobody(&mut command) {
            return skip("needs root to become another user");
        }
        let why = assert_none(&command.args(["pick", "--range", "81-83"]).output().unwrap());
        assert!(
            why.starts_with("sockscope: no port of 81-83 is free: 3 not permitted\nhint: "),
            "{why}"
        );
    });
}

/// Picks that run at the same time, every second of them with a command that binds the port itself.
struct Crowd(Vec<(Child, BufReader<std::process::ChildStdout>)>);

impl Crowd {
    fn start(size: usize, range: &str) -> Self {
        let start = |number: usize| {
            let mut command = sockscope();
            command.args(["pick", "--range", range, "--exec", "--"]);
            if number.is_multiple_of(2) {
                command.args([env!("CARGO_BIN_EXE_sockscope"), "serve", "{address}:{port}"]);
            } else {
                // Ends when nobody writes to it any more.
                command.args(["sh", "-c", "echo listening on $PORT; exec cat"]);
            }
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let children: Vec<Child> = (0..size).map(start).collect();
        Self(
            children
                .into_iter()
                .map(|mut child| {
                    let stdout = BufReader::new(child.stdout.take().unwrap());
                    (child, stdout)
                })
                .collect(),
        )
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for (child, _) in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

#[test]
fn two_hundred_at_once_share_two_hundred_ports() {
    in_netns("pick::two_hundred_at_once_share_two_hundred_ports", || {
        let mut crowd = Crowd::start(200, "20000-20199");
        for (child, stdout) in &mut crowd.0 {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            if !line.contains("listening on") {
                let mut why = String::new();
                child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
                panic!("{line}{why}");
            }
        }
        // What the kernel says: each of them has one port, and each port one of them.
        let listeners = listed(sockscope().args(["list", "--json", "tcp and listen"]));
        let ports: BTreeSet<u64> =
            listeners.iter().map(|socket| socket["local"]["port"].as_u64().unwrap()).collect();
        assert_eq!(ports, (20000..20200).collect());
        let held: BTreeSet<u64> =
            listeners.iter().map(|socket| socket["owners"][0]["pid"].as_u64().unwrap()).collect();
        assert_eq!(held, crowd.0.iter().map(|(child, _)| u64::from(child.id())).collect());
        assert_none(&pick(&["--range", "20000-20199"]));
    });
}

#[test]
fn a_socket_is_handed_over_as_systemd_does() {
    let script = "echo $LISTEN_FDS $LISTEN_FDNAMES $PORT; test $LISTEN_PID = $$ && exec cat <&3";
    let mut child = sockscope()
        .args(["pick", "--exec", "--tcp", "--udp", "--address", "::1", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // Reading from a listener fails, which ends cat, and cat is all that sockscope had become.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[..2], ["2", "tcp:udp"], "{line}");
}

#[test]
fn a_socket_that_is_handed_over_listens_and_its_port_is_reserved_for_nobody_else() {
    let script = "echo $PORT; exec cat";
    let mut child = sockscope()
        .args(["pick", "--exec", "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, line.trim().parse().unwrap())).unwrap();
    // Signals and the like are the command's own: it is the same process.
    child.stdin.take().unwrap().write_all(b"through\n").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "through\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_port_whose_number_was_given_away_is_offered_to_no_other_pick() {
    in_netns("pick::a_port_whose_number_was_given_away_is_offered_to_no_other_pick", || {
        let mut inner = vec![env!("CARGO_BIN_EXE_sockscope"), "pick", "--range", "7001-7002"];
        let outer = ["pick", "--range", "7001", "--exec", "--"];
        // The command has the number and has not bound it.
        let script = ["sh", "-c", "\"$@\"", "{port}"];
        let output = sockscope().args(outer).args(script).args(&inner).output().unwrap();
        assert_eq!(stdout(&output), "7002\n", "{}", stderr(&output));
        inner[3] = "7001";
        // What the first pick bound may be held for an instant more by whoever looks at it.
        support::wait_until(|| {
            let output = sockscope().args(outer).args(script).args(&inner).output().unwrap();
            assert_none(&output).contains("1 reserved by another sockscope pick")
        });
        // It is over with the command.
        assert_picks("7001", "7001\n");
    });
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let code = |words: &[&str]| {
        let mut command: Command = sockscope();
        // A directory that may not be searched would make another error of what is not found.
        command.env("PATH", "/usr/bin:/bin");
        command.args(["pick", "--exec", "--"]).args(words).output().unwrap().status.code()
    };
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["no-such-command-anywhere"]), Some(127));
    assert_eq!(code(&["/etc/passwd"]), Some(126));
}

#[test]
fn what_cannot_be_picked_from_is_trouble() {
    for (wrong, why) in [
        (&["--range", "9000-8000"][..], "the range is backwards"),
        (&["--range", "0-10"], "port 0 means any free one"),
        (&["--range", "1-65536"], "port 65536 is too large"),
        (&["--range", "8000-8001", "--count", "3"], "cannot pick 3 ports from 8000-8001"),
        (&["--count", "0"], "--count"),
        (&["--address", "192.0.2.1"], "cannot bind tcp 192.0.2.1:"),
        (&["--address", "example.org"], "expected an IP address"),
        (&["--exec"], "CMD"),
        (&["--", "true"], "--exec"),
    ] {
        let output = pick(wrong);
        let text = stderr(&output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{wrong:?}: {text}");
        assert!(text.starts_with("sockscope: ") && text.contains(why), "{wrong:?}: {text}");
    }
}
