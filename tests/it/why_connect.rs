//! `sockscope why --connect` and pasted messages, each case made for real in a network namespace of its own.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};

use serde_json::Value;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::netns::{as_nobody, in_netns};
use crate::support::{self, Running, program, skip, sockscope, wait_until};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The answers of `sockscope why --json ARGS`, and the exit code.
#[track_caller]
fn why(args: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = sockscope().args(["why", "--json"]).args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}\n{stderr}"));
    (serde_json::from_value(document["answers"].take()).unwrap(), output.status.code())
}

/// The one answer to `sockscope why --connect ARGS`, and the exit code.
#[track_caller]
fn ask(args: &[&str]) -> (Value, Option<i32>) {
    let args: Vec<&str> = ["--connect"].iter().chain(args).copied().collect();
    let (mut answers, code) = why(&args);
    assert_eq!(answers.len(), 1, "{answers:#?}");
    (answers.remove(0), code)
}

fn reasons(answer: &Value) -> Vec<&str> {
    let causes = answer["causes"].as_array().unwrap();
    causes.iter().map(|cause| cause["reason"].as_str().unwrap()).collect()
}

fn evidence(answer: &Value) -> String {
    let causes = answer["causes"].as_array().unwrap().iter();
    let evidence = causes.flat_map(|cause| cause["evidence"].as_array().unwrap());
    evidence.map(|fact| fact.as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

/// The processes that hold the sockets of the cause with this reason.
fn pids(answer: &Value, reason: &str) -> Vec<u64> {
    let causes = answer["causes"].as_array().unwrap().iter();
    let sockets = causes
        .filter(|cause| cause["reason"] == reason)
        .flat_map(|cause| cause["sockets"].as_array().unwrap());
    // A socket of another test, in another namespace, may have nobody yet or any more.
    sockets.filter_map(|socket| socket["owners"][0]["pid"].as_u64()).collect()
}

/// Checks that it is refused for this reason alone, as predicted. Other tests may have a listener on the
/// same port in their namespaces.
#[track_caller]
fn assert_refused(to: &str, reason: &str) -> Value {
    let (answer, code) = ask(&[to]);
    let mut reasons = reasons(&answer);
    reasons.retain(|reason| *reason != "other-namespace");
    assert_eq!((code, reasons), (Some(1), vec![reason]), "{answer:#}");
    assert_eq!((&answer["errno"], &answer["probe"]), (&"ECONNREFUSED".into(), &"failed".into()));
    assert_eq!((&answer["call"], &answer["contradicted"]), (&"connect".into(), &false.into()));
    answer
}

fn ip(args: &[&str]) -> bool {
    Command::new("ip")
        .args(args)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn tcp(address: &str) -> Socket {
    let address: SocketAddr = address.parse().unwrap();
    Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).unwrap()
}

/// A listener with options set before it is bound.
fn listen(address: &str, backlog: i32, options: impl FnOnce(&Socket)) -> Socket {
    let socket = tcp(address);
    options(&socket);
    let address: SocketAddr = address.parse().unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(backlog).unwrap();
    socket
}

fn reuse_port(socket: &Socket) {
    socket.set_reuse_port(true).unwrap();
}

/// Another program that listens there, and sets SO_REUSEPORT.
#[track_caller]
fn python(wrap: &[&str], family: &str, address: &str) -> Option<Running> {
    let Some(python) = program("python3") else {
        skip("needs python3");
        return None;
    };
    let script = format!(
        "import socket, time\ns = socket.socket(socket.{family}); s.setsockopt(1, 15, 1)\n\
         s.bind(('{address}', 8080)); s.listen(); print('ready', flush=True); time.sleep(600)"
    );
    let words: Vec<&str> = wrap.iter().copied().chain([python.to_str().unwrap()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["-c", &script]);
    let (running, line) = Running::start_and_read_line(&mut command);
    assert_eq!(line, "ready");
    Some(running)
}

#[test]
fn nobody_listens() {
    in_netns("why_connect::nobody_listens", || {
        assert_refused("127.0.0.1:8080", "nobody-listens");
        assert_refused("[::1]:8080", "nobody-listens");
    });
}

#[test]
fn a_listener_on_loopback_refuses_the_machines_other_address() {
    in_netns("why_connect::a_listener_on_loopback_refuses_the_machines_other_address", || {
        assert!(ip(&["addr", "add", "192.0.2.1/24", "dev", "lo"]));
        let _listener = TcpListener::bind((LOOPBACK, 8080)).unwrap();
        let answer = assert_refused("192.0.2.1:8080", "other-address");
        assert_eq!(evidence(&answer), "it listens on 127.0.0.1, you ask for 192.0.2.1");
        assert_eq!(pids(&answer, "other-address"), [u64::from(std::process::id())]);
        let instead = &answer["remedies"][0]["command"];
        assert_eq!(instead, "sockscope why --connect 127.0.0.1:8080");
    });
}

#[test]
fn one_family_refuses_the_other() {
    in_netns("why_connect::one_family_refuses_the_other", || {
        let _v6 = listen("[::]:8080", 9, |socket| socket.set_only_v6(true).unwrap());
        let answer = assert_refused("127.0.0.1:8080", "other-address");
        assert_eq!(evidence(&answer), "IPV6_V6ONLY is set on it, so :: takes no IPv4");
        let _v4 = listen("0.0.0.0:8081", 9, |_| {});
        let answer = assert_refused("[::1]:8081", "other-address");
        assert_eq!(evidence(&answer), "0.0.0.0 takes no IPv6");
    });
}

#[test]
fn a_socket_that_is_bound_and_does_not_listen_refuses() {
    in_netns("why_connect::a_socket_that_is_bound_and_does_not_listen_refuses", || {
        let socket = tcp("0.0.0.0:0");
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)).into()).unwrap();
        assert_refused("127.0.0.1:8080", "bound-only");
    });
}

#[test]
fn a_listener_in_another_namespace_refuses_and_is_named() {
    in_netns("why_connect::a_listener_in_another_namespace_refuses_and_is_named", || {
        let script = ["unshare", "-n", "sh", "-c", "ip link set lo up; exec \"$@\"", "sh"];
        let Some(other) = python(&script, "AF_INET", "0.0.0.0") else { return };
        let (answer, code) = ask(&["127.0.0.1:8080"]);
        assert_eq!(code, Some(1));
        assert_eq!(reasons(&answer), ["nobody-listens", "other-namespace"], "{answer:#}");
        assert!(pids(&answer, "other-namespace").contains(&other.pid().into()), "{answer:#}");
    });
}

#[test]
fn a_full_backlog_answers_nobody() {
    in_netns("why_connect::a_full_backlog_answers_nobody", || {
        let _listener = listen("127.0.0.1:8080", 0, |_| {});
        let to = SocketAddr::from((LOOPBACK, 8080)).into();
        let connect = || {
            let client = tcp("127.0.0.1:0");
            client.set_nonblocking(true).unwrap();
            client.connect(&to).unwrap_err();
            client
        };
        let first = connect();
        wait_until(|| {
            let rows = support::list(&["tcp and sport 8080 and listen"]);
            rows.iter().any(|row| row["queues"]["pending"] == 1)
        });
        let clients = [first, connect()];
        let (answer, code) = ask(&["127.0.0.1:8080", "--timeout", "200ms"]);
        assert_eq!((code, reasons(&answer)), (Some(1), vec!["backlog-full"]), "{answer:#}");
        assert_eq!((&answer["verdict"], &answer["probe"]), (&"silent".into(), &"silent".into()));
        let words = "1 waiting, the limit is 0; another client waits for an answer (SYN_SENT)";
        assert_eq!(evidence(&answer), words);
        drop(clients);
    });
}

#[test]
fn a_stopped_process_connects_and_is_named() {
    in_netns("why_connect::a_stopped_process_connects_and_is_named", || {
        let Some(server) = python(&["env"], "AF_INET", "127.0.0.1") else { return };
        let pid = i32::try_from(server.pid()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        wait_until(|| ask(&["127.0.0.1:8080"]).0["causes"].as_array().unwrap().len() == 2);
        let (answer, code) = ask(&["127.0.0.1:8080"]);
        assert_eq!((code, reasons(&answer)), (Some(0), vec!["answers", "stopped"]), "{answer:#}");
        assert_eq!(pids(&answer, "stopped"), [u64::from(server.pid())]);
        assert_eq!(answer["remedies"][0]["action"], "continue");
    });
}

#[test]
fn without_a_route_it_is_said_so() {
    in_netns("why_connect::without_a_route_it_is_said_so", || {
        let is = |errno: &str| {
            let (answer, code) = ask(&["203.0.113.1:80"]);
            assert_eq!((code, reasons(&answer)), (Some(1), vec!["no-route"]), "{answer:#}");
            assert_eq!((&answer["errno"], &answer["contradicted"]), (&errno.into(), &false.into()));
        };
        is("ENETUNREACH");
        assert!(ip(&["route", "add", "unreachable", "203.0.113.0/24"]));
        is("EHOSTUNREACH");
        assert!(ip(&["route", "replace", "prohibit", "203.0.113.0/24"]));
        is("EACCES");
    });
}

#[test]
fn another_machine_that_does_not_answer_is_only_said_to_be_silent() {
    in_netns("why_connect::another_machine_that_does_not_answer_is_only_said_to_be_silent", || {
        // At the other end of the cable nobody has that hardware address.
        if !ip(&["link", "add", "near", "type", "veth", "peer", "name", "far"]) {
            return skip("needs the kernel's veth device");
        }
        assert!(ip(&["addr", "add", "198.51.100.1/24", "dev", "near"]));
        assert!(ip(&["link", "set", "far", "up"]) && ip(&["link", "set", "near", "up"]));
        let neighbour = ["neigh", "add", "198.51.100.2", "lladdr", "02:00:00:00:00:09"];
        assert!(ip(&[neighbour.as_slice(), &["dev", "near"]].concat()));
        let (answer, code) = ask(&["198.51.100.2:80", "--timeout", "200ms"]);
        assert_eq!((code, reasons(&answer)), (Some(1), vec!["other-machine", "packet-filter"]));
        assert_eq!(
            (&answer["verdict"], &answer["prediction"]),
            (&"silent".into(), &"unknown".into())
        );
        assert_eq!(evidence(&answer), "our end is 198.51.100.1");
        let (answer, code) = ask(&["198.51.100.2:80", "--no-probe"]);
        assert_eq!((&answer["verdict"], code), (&"unknown".into(), Some(2)));
    });
}

#[test]
fn used_up_source_ports_are_counted() {
    in_netns("why_connect::used_up_source_ports_are_counted", || {
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003").unwrap();
        let _listener = listen("127.0.0.1:8080", 9, |_| {});
        let clients: Vec<TcpStream> =
            (0..4).map(|_| TcpStream::connect((LOOPBACK, 8080)).unwrap()).collect();
        let (answer, code) = ask(&["127.0.0.1:8080"]);
        assert_eq!((code, reasons(&answer)), (Some(1), vec!["no-source-port"]), "{answer:#}");
        assert_eq!(
            (&answer["errno"], &answer["contradicted"]),
            (&"EADDRNOTAVAIL".into(), &false.into())
        );
        assert!(evidence(&answer).starts_with("all 4 ports of"), "{answer:#}");
        drop(clients);
    });
}

#[test]
fn twins_of_different_programs_are_both_named() {
    in_netns("why_connect::twins_of_different_programs_are_both_named", || {
        let _ours = listen("127.0.0.1:8080", 9, reuse_port);
        let Some(theirs) = python(&["env"], "AF_INET", "127.0.0.1") else { return };
        let (answer, code) = ask(&["127.0.0.1:8080"]);
        assert_eq!((code, reasons(&answer)), (Some(0), vec!["answers", "shared"]), "{answer:#}");
        let mut both = [u64::from(std::process::id()), u64::from(theirs.pid())];
        let mut named = pids(&answer, "answers");
        both.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, both);
        assert!(evidence(&answer).starts_with("of different programs: "), "{answer:#}");
    });
}

#[test]
fn localhost_has_two_addresses_and_each_its_own_holder() {
    in_netns("why_connect::localhost_has_two_addresses_and_each_its_own_holder", || {
        let _ours = listen("127.0.0.1:8080", 9, |_| {});
        let Some(theirs) = python(&["env"], "AF_INET6", "::1") else { return };
        let (answers, code) = why(&["--connect", "8080"]);
        assert_eq!((code, answers.len()), (Some(0), 2));
        let named: Vec<(&str, Vec<u64>)> = answers
            .iter()
            .map(|answer| (answer["request"]["address"].as_str().unwrap(), pids(answer, "answers")))
            .collect();
        let ours = vec![u64::from(std::process::id())];
        assert_eq!(named, [("127.0.0.1", ours), ("::1", vec![theirs.pid().into()])]);
    });
}

#[test]
fn the_specific_address_answers_and_the_wildcard_is_named_behind_it() {
    in_netns(
        "why_connect::the_specific_address_answers_and_the_wildcard_is_named_behind_it",
        || {
            let ours = listen("127.0.0.1:8080", 9, reuse_port);
            let Some(theirs) = python(&["env"], "AF_INET", "0.0.0.0") else { return };
            let (answer, _) = ask(&["127.0.0.1:8080"]);
            assert_eq!(reasons(&answer), ["answers", "less-specific"], "{answer:#}");
            assert_eq!(pids(&answer, "answers"), [u64::from(std::process::id())]);
            assert_eq!(pids(&answer, "less-specific"), [u64::from(theirs.pid())]);
            // What was tried came to us.
            let (stream, _) = ours.accept().unwrap();
            let mut bytes = Vec::new();
            TcpStream::from(stream).read_to_end(&mut bytes).unwrap();
            assert!(bytes.is_empty(), "nothing is sent: {bytes:?}");
        },
    );
}

#[test]
fn a_datagram_to_nobody_is_refused_as_predicted() {
    in_netns("why_connect::a_datagram_to_nobody_is_refused_as_predicted", || {
        let (answer, code) = ask(&["udp:127.0.0.1:8080"]);
        assert_eq!((code, reasons(&answer)[0]), (Some(1), "nobody-listens"));
        assert_eq!(
            (&answer["errno"], &answer["probe"]),
            (&"ECONNREFUSED".into(), &"not-made".into())
        );
        let client = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        client.connect((LOOPBACK, 8080)).unwrap();
        client.send(b"x").unwrap();
        let refused = client.recv(&mut [0]).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

        let _server = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap();
        let (answer, code) = ask(&["udp:127.0.0.1:8080"]);
        assert_eq!((code, reasons(&answer)), (Some(0), vec!["answers"]));
    });
}

/// For every address of a listener and every address asked for, the prediction is what the kernel does.
#[test]
fn the_kernel_agrees_for_every_pair_of_addresses() {
    in_netns("why_connect::the_kernel_agrees_for_every_pair_of_addresses", || {
        assert!(ip(&["addr", "add", "192.0.2.1/24", "dev", "lo"]));
        assert!(ip(&["addr", "add", "2001:db8::1/64", "dev", "lo", "nodad"]));
        let listeners = [
            "127.0.0.1",
            "127.0.0.9",
            "0.0.0.0",
            "192.0.2.1",
            "::1",
            "::",
            "v6only",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
            "lo",
        ];
        let _sockets: Vec<Socket> = (8001..)
            .zip(listeners)
            .map(|(port, address)| {
                let address = match address {
                    "v6only" => "::",
                    "lo" => "0.0.0.0",
                    address => address,
                };
                let address = SocketAddr::new(address.parse().unwrap(), port).to_string();
                listen(&address, 99, |socket| match listeners[usize::from(port - 8001)] {
                    "v6only" => socket.set_only_v6(true).unwrap(),
                    "lo" => socket.bind_device(Some(b"lo")).unwrap(),
                    _ => {}
                })
            })
            .collect();
        let mut connected = 0;
        for port in 8001..8001 + u16::try_from(listeners.len()).unwrap() {
            for to in ["127.0.0.1", "127.0.0.9", "192.0.2.1", "::1", "2001:db8::1"] {
                let to = SocketAddr::new(to.parse().unwrap(), port).to_string();
                let (answer, _) = ask(&[&to]);
                let listener = listeners[usize::from(port - 8001)];
                assert_eq!(answer["contradicted"], false, "{listener} asked for {to}: {answer:#}");
                assert_eq!(answer["prediction"], answer["verdict"], "{listener} asked for {to}");
                connected += usize::from(answer["verdict"] == "connects");
            }
        }
        assert_eq!(connected, 1 + 1 + 3 + 1 + 1 + 5 + 2 + 1 + 1 + 3 + 3);
    });
}

#[test]
fn a_hidden_owner_does_not_hide_the_answer() {
    in_netns("why_connect::a_hidden_owner_does_not_hide_the_answer", || {
        let _listener = TcpListener::bind((LOOPBACK, 8080)).unwrap();
        let mut command = sockscope();
        if !as_nobody(&mut command) {
            return skip("needs root, to become nobody");
        }
        let output = support::output(command.args(["why", "--connect", "127.0.0.1:8080"]));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("tcp 127.0.0.1:8080: yes, it connects\n"), "{text}");
        assert!(text.contains("somebody you may not see"), "{text}");
    });
}

#[test]
fn each_end_of_a_unix_path_is_told() {
    in_netns("why_connect::each_end_of_a_unix_path_is_told", || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let path = path.to_str().unwrap();
        let is = |args: &[&str], code, verdict: &str, errno: Option<&str>, reason: &str| {
            let (answer, exit) = ask(&[&[path], args].concat());
            assert_eq!((exit, reasons(&answer)), (Some(code), vec![reason]), "{answer:#}");
            let expected = (&verdict.into(), &errno.map_or(Value::Null, Value::from));
            assert_eq!((&answer["verdict"], &answer["errno"]), expected, "{answer:#}");
            assert_eq!(
                (&answer["request"]["path"], &answer["contradicted"]),
                (&path.into(), &false.into())
            );
            answer
        };
        is(&[], 1, "fails", Some("ENOENT"), "no-file");
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(path).unwrap()).unwrap();
        is(&[], 1, "fails", Some("ECONNREFUSED"), "bound-only");
        listener.listen(0).unwrap();
        let answer = is(&[], 0, "connects", None, "answers");
        assert_eq!(pids(&answer, "answers"), [u64::from(std::process::id())]);
        // What was tried waits to be accepted, and is one more than may.
        let silent = is(&["--timeout", "100ms"], 1, "silent", None, "backlog-full");
        assert_eq!(evidence(&silent), "1 waiting, the limit is 0");
        drop(listener);
        wait_until(|| ask(&[path]).0["causes"][0]["reason"] == "stale-socket");
        is(&[], 1, "fails", Some("ECONNREFUSED"), "stale-socket");
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, "").unwrap();
        is(&[], 1, "fails", Some("ECONNREFUSED"), "file-in-the-way");
    });
}

#[test]
fn a_unix_socket_that_may_not_be_written_to_is_told_from_one_that_nobody_has() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for (path, mode) in [(directory.path(), 0o755), (&path, 0o600)] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(path, mode).unwrap();
    }
    let mut command = sockscope();
    if !as_nobody(&mut command) {
        return skip("needs root, to become nobody");
    }
    let message = format!("dial unix {}: connect: permission denied", path.display());
    let output = support::output(command.args(["why", "--json"]).arg(message));
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let answer = &document["answers"][0];
    assert_eq!(
        (&answer["errno"], &answer["request"]["call"]),
        (&"EACCES".into(), &"connect".into())
    );
    assert!(reasons(answer).contains(&"no-access"), "{answer:#}");
}

#[test]
fn a_pasted_refusal_asks_about_the_connection() {
    in_netns("why_connect::a_pasted_refusal_asks_about_the_connection", || {
        let (answers, code) = why(&["Error: connect ECONNREFUSED 127.0.0.1:3000"]);
        assert_eq!((code, answers.len()), (Some(1), 1));
        assert_eq!(answers[0]["request"]["call"], "connect");
        assert_eq!(
            (&answers[0]["errno"], reasons(&answers[0])[0]),
            (&"ECONNREFUSED".into(), "nobody-listens")
        );
    });
}

#[test]
fn a_pasted_message_names_who_is_in_the_way() {
    in_netns("why_connect::a_pasted_message_names_who_is_in_the_way", || {
        let _listener = listen("[::]:3000", 9, |_| {});
        let message = "\x1b[31mError: listen EADDRINUSE: address already in use :::3000\x1b[0m\n    at Server.setupListenHandle (net.js:1313:16)\n";
        let (answers, code) = why(&[message]);
        assert_eq!((code, answers.len()), (Some(1), 1));
        assert_eq!(answers[0]["errno"], "EADDRINUSE");
        assert_eq!(pids(&answers[0], "listener"), [u64::from(std::process::id())]);
    });
}

#[test]
fn a_message_is_read_from_stdin_and_what_is_free_by_now_is_said() {
    in_netns("why_connect::a_message_is_read_from_stdin_and_what_is_free_by_now_is_said", || {
        let mut child = sockscope()
            .args(["why", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let message =
            b"starting\nlisten tcp 127.0.0.1:8080: bind: address already in use\nexit status 1\n";
        child.stdin.take().unwrap().write_all(message).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.starts_with("tcp 127.0.0.1:8080: yes, it is free\n"), "{text}");
        assert!(text.contains("whoever had it is gone by now"), "{text}");
        let understood =
            "the message says that a bind failed with EADDRINUSE: tcp:127.0.0.1:8080\n";
        assert_eq!(String::from_utf8(output.stderr).unwrap(), understood);
    });
}

#[test]
fn what_cannot_be_asked_says_how_to() {
    for (args, message, hint) in [
        (
            &["OSError: [Errno 98] Address already in use"][..],
            "the message says that a bind failed with EADDRINUSE, but not on which port",
            "ask with the port: sockscope why PORT",
        ),
        (
            &["it does not work"],
            "that is no message of a bind or a connect that failed",
            "ask by port: sockscope why 8080, or: sockscope why --connect HOST:PORT",
        ),
    ] {
        let output = sockscope().arg("why").args(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
        assert_eq!(stderr, format!("sockscope: {message}\nhint: {hint}\n"));
    }
}
