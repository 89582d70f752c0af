//! `sockscope wait` beside real sockets, in network namespaces where ports are known.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::netns::{as_nobody, in_netns};
use crate::support::{self, skip, sockscope};

fn wait(arguments: &[&str]) -> Command {
    let mut command = sockscope();
    command.arg("wait").args(arguments);
    command
}

/// Returns the exit code of a single look.
fn look(arguments: &[&str]) -> Option<i32> {
    wait(arguments).args(["-t", "0", "-q"]).output().unwrap().status.code()
}

#[track_caller]
fn assert_output(output: &Output, code: i32, stderr: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*text), (Some(code), stderr));
}

/// Starts one that is to wait for long, and returns it when it has waited a little.
fn waiting(arguments: &[&str]) -> Child {
    let mut command = wait(arguments);
    let command = command.args(["-t", "60", "--", "echo", "reached"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    // What it does if this is too short is the same, only later.
    support::wait_until(|| start.elapsed() > Duration::from_millis(50));
    assert_eq!(child.try_wait().unwrap(), None, "nothing has happened yet");
    child
}

/// Returns how long it took to end from when the event happened.
#[track_caller]
fn assert_reached(child: Child, event: Instant) -> Duration {
    let output = child.wait_with_output().unwrap();
    let reaction = event.elapsed();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "reached\n", "{output:?}");
    assert!(output.status.success());
    reaction
}

#[test]
fn it_ends_when_something_listens_and_connects_to_nobody() {
    in_netns("wait::it_ends_when_something_listens_and_connects_to_nobody", || {
        let child = waiting(&["listen", "7001"]);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        assert_reached(child, Instant::now());
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    });
}

/// The one document of `--json`, and the exit code.
fn json(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = wait(arguments).args(["-t", "0", "--json"]).output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    (support::conforming(str::from_utf8(&output.stdout).unwrap()), output.status.code())
}

#[test]
fn json_tells_of_each_target_whether_it_held_and_what_is_there_instead() {
    in_netns("wait::json_tells_of_each_target_whether_it_held_and_what_is_there_instead", || {
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        let (reached, code) = json(&["listen", "7001"]);
        assert_eq!((&reached["schema"], code), (&"sockscope.wait/1".into(), Some(0)));
        assert_eq!((&reached["event"], &reached["reached"]), (&"listen".into(), &true.into()));
        assert!(reached["waited_ms"].is_u64());
        let held = serde_json::json!({
            "target": "7001", "reached": true, "instead": [], "hint": null
        });
        assert_eq!(reached["targets"], Value::from(vec![held.clone()]));

        let (missed, code) = json(&["listen", "7001", "7002"]);
        assert_eq!((&missed["reached"], code), (&false.into(), Some(1)));
        assert_eq!(missed["targets"][0], held);
        assert_eq!(missed["targets"][1]["target"], "7002");
        assert_eq!(missed["targets"][1]["hint"], "sockscope why tcp:7002");
        assert_eq!(missed["targets"][1]["instead"], serde_json::json!(["nobody holds port 7002"]));

        let (free, code) = json(&["free", "7001"]);
        assert_eq!((&free["event"], code), (&"free".into(), Some(1)));
        let (connected, code) = json(&["connect", "127.0.0.1:7001"]);
        assert_eq!((&connected["reached"], code), (&true.into(), Some(0)));
        let (refused, code) = json(&["connect", "127.0.0.1:7002"]);
        assert_eq!((&refused["targets"][0]["hint"], code), (&Value::Null, Some(1)));
        assert_eq!(refused["targets"][0]["instead"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn an_address_is_listened_on_by_itself_or_by_a_wildcard() {
    in_netns("wait::an_address_is_listened_on_by_itself_or_by_a_wildcard", || {
        let _one = TcpListener::bind((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        let _any = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 7002)).unwrap();
        for (target, code) in [
            ("7001", 0),
            ("127.0.0.1:7001", 0),
            ("localhost:7001", 0),
            ("127.0.0.2:7001", 1),
            ("[::1]:7001", 1),
            ("127.0.0.1:7002", 0),
            ("[::1]:7002", 0),
            ("udp:7001", 1),
            ("7003", 1),
        ] {
            assert_eq!(look(&["listen", target]), Some(code), "{target}");
        }
        assert_eq!(look(&["listen", "7001", "7002"]), Some(0));
        assert_eq!(look(&["listen", "7001", "7003"]), Some(1));
    });
}

#[test]
fn udp_listens_until_it_is_connected() {
    in_netns("wait::udp_listens_until_it_is_connected", || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        assert_eq!(look(&["listen", "udp:7001"]), Some(0));
        assert_eq!(look(&["free", "udp:7001"]), Some(1));
        socket.connect((Ipv4Addr::LOCALHOST, 7002)).unwrap();
        assert_eq!(look(&["listen", "udp:7001"]), Some(1));
        assert_eq!(look(&["free", "udp:7001"]), Some(1));
    });
}

#[test]
fn a_unix_listener_is_found_by_its_path_or_name() {
    in_netns("wait::a_unix_listener_is_found_by_its_path_or_name", || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let text = path.to_str().unwrap();
        assert_eq!((look(&["listen", text]), look(&["free", text])), (Some(1), Some(0)));
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!((look(&["listen", text]), look(&["free", text])), (Some(0), Some(1)));
        // By another path than it was bound to.
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(look(&["listen", link.to_str().unwrap()]), Some(0));
        drop(listener);
        support::wait_until(|| look(&["listen", text]) == Some(1));
        assert_eq!(look(&["free", text]), Some(1), "the file is still there");

        // By a relative path, which is all that the kernel tells then.
        let mut server = sockscope();
        let server = server.args(["serve", "./relative.sock"]).current_dir(directory.path());
        let (_running, _) = support::Running::start_and_read_line(server);
        assert_eq!(
            look(&["listen", directory.path().join("relative.sock").to_str().unwrap()]),
            Some(0)
        );

        let name = format!("sockscope-test-{}", std::process::id());
        let target = format!("@{name}");
        assert_eq!((look(&["listen", &target]), look(&["free", &target])), (Some(1), Some(0)));
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        assert_eq!((look(&["listen", &target]), look(&["free", &target])), (Some(0), Some(1)));
    });
}

#[test]
fn a_port_is_free_when_its_holder_has_ended() {
    in_netns("wait::a_port_is_free_when_its_holder_has_ended", || {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 7001)).unwrap();
        let child = waiting(&["free", "7001"]);
        assert_eq!(look(&["free", "127.0.0.1:7001"]), Some(0));
        drop(listener);
        assert_reached(child, Instant::now());
    });
}

#[test]
fn a_socket_that_is_bound_and_no_more_holds_its_port() {
    in_netns("wait::a_socket_that_is_bound_and_no_more_holds_its_port", || {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 7001)).into()).unwrap();
        assert_eq!(look(&["free", "7001"]), Some(1));
        assert_eq!(look(&["free", "7001", "--reuseaddr"]), Some(1));
        assert_eq!(look(&["free", "[::1]:7001"]), Some(0));
    });
}

#[test]
fn time_wait_counts_unless_both_programs_reuse_addresses() {
    in_netns("wait::time_wait_counts_unless_both_programs_reuse_addresses", || {
        // The standard library's listeners set SO_REUSEADDR.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        drop(listener.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop((client, listener));
        support::wait_until(|| !support::list(&["state time-wait and sport 7001"]).is_empty());
        support::wait_until(|| look(&["free", "7001", "--reuseaddr"]) == Some(0));
        let output = wait(&["free", "7001", "-t", "100ms"]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let start = "sockscope: timed out after 100ms: 7001 cannot be bound\n\
                     nobody holds port 7001; the kernel keeps 1 closed connection\n\
                     the last TIME_WAIT of port 7001 ends in ";
        assert!(text.starts_with(start) && text.contains("hint: sockscope why tcp:7001"), "{text}");
        assert_eq!(output.status.code(), Some(1));
    });
}

#[test]
fn everybody_may_wait_and_privileged_ports_are_judged_by_what_is_seen() {
    in_netns("wait::everybody_may_wait_and_privileged_ports_are_judged_by_what_is_seen", || {
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 81)).unwrap();
        for (event, port, code) in [("listen", "81", 0), ("free", "81", 1), ("free", "82", 0)] {
            let mut command = wait(&[event, port, "-t", "0", "-q"]);
            if !as_nobody(&mut command) {
                return skip("needs root to become another user");
            }
            assert_eq!(command.output().unwrap().status.code(), Some(code), "{event} {port}");
        }
    });
}

#[test]
fn it_connects_as_soon_as_somebody_accepts() {
    in_netns("wait::it_connects_as_soon_as_somebody_accepts", || {
        let child = waiting(&["connect", "127.0.0.1:7001", "localhost:7002"]);
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        let (mut accepted, _) = first.accept().unwrap();
        // It was reached, and may go again: it is connected to once.
        assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
        drop((accepted, first));
        let _second = TcpListener::bind((Ipv6Addr::LOCALHOST, 7002)).unwrap();
        assert_reached(child, Instant::now());
    });
}

#[test]
fn a_timeout_says_why() {
    in_netns("wait::a_timeout_says_why", || {
        assert_output(
            &wait(&["connect", "127.0.0.1:7001", "-t", "100ms"]).output().unwrap(),
            1,
            "sockscope: timed out after 100ms: 127.0.0.1:7001 cannot be connected to\n\
             cannot connect to tcp 127.0.0.1:7001: connection refused\n",
        );
        assert_output(
            &wait(&["listen", "7001", "/nowhere/x", "-t", "0"]).output().unwrap(),
            1,
            "sockscope: nothing listens on 7001, nothing listens on /nowhere/x\n\
             nobody holds port 7001\nhint: sockscope why tcp:7001\nnothing is at /nowhere/x\n",
        );
        assert_output(&wait(&["listen", "7001", "-qt", "0"]).output().unwrap(), 1, "");
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, 7001)).unwrap();
        let output = wait(&["free", "7001", "-t", "0"]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let me = std::process::id();
        assert!(text.contains("\nport 7001/tcp: ") && text.contains(&format!("({me}")), "{text}");
    });
}

#[test]
fn the_command_runs_only_when_it_holds_and_its_exit_code_counts() {
    in_netns("wait::the_command_runs_only_when_it_holds_and_its_exit_code_counts", || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let code = |event: &str, command: &[&str]| {
            let mut waiting = wait(&[event, &port, "-t", "0", "-q", "--"]);
            // A directory that may not be searched would make another error of what is not found.
            let output = waiting.args(command).env("PATH", "/usr/bin:/bin").output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        assert_eq!(
            code("listen", &["sh", "-c", "echo ran; exit 7"]),
            (Some(7), "ran\n".to_owned())
        );
        assert_eq!(code("free", &["echo", "ran"]), (Some(1), String::new()));
        assert_eq!(code("listen", &["no-such-command-anywhere"]).0, Some(127));
        assert_eq!(code("listen", &["/etc/passwd"]).0, Some(126));
    });
}

#[test]
fn what_cannot_be_waited_for_is_trouble() {
    // Where no network is, no name server is asked, nor waited for.
    in_netns("wait::what_cannot_be_waited_for_is_trouble", || {
        for (wrong, why) in [
            (&["listen"][..], "TARGET"),
            (&["sometime", "80"], "sometime"),
            (&["listen", "0"], "port 0 means any free one"),
            (&["free", "65536"], "the port is too large"),
            (&["free", "no-such-host.invalid:80"], "there is no host"),
            (&["free", "192.0.2.1:8080"], "cannot bind tcp 192.0.2.1:8080"),
            (&["connect", "localhost"], "'localhost' has no port to connect to"),
            (&["connect", "localhost:http"], "\"http\" is not a port"),
            (&["listen", "80", "-t", "soon"], "--timeout"),
            (&["listen", "80", "--reuseaddr"], "--reuseaddr is for: sockscope wait free"),
        ] {
            let output = wait(wrong).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                (output.status.code(), output.stdout.len()),
                (Some(2), 0),
                "{wrong:?}: {text}"
            );
            assert!(text.starts_with("sockscope: ") && text.contains(why), "{wrong:?}: {text}");
        }
    });
}

/// How often each reaction is measured.
const REPEATS: usize = 21;

/// From the event to the end of the process that waits: what 50 ms are allowed for, and on a busy
/// machine as much more as it takes to run a program that does nothing, just before or just after.
#[test]
fn it_reacts_within_50_ms() {
    in_netns("wait::it_reacts_within_50_ms", || {
        let listens = || {
            let child = waiting(&["listen", "7001"]);
            let _listener = support::listen_when_released((Ipv4Addr::LOCALHOST, 7001));
            assert_reached(child, Instant::now())
        };
        let frees = || {
            let listener = support::listen_when_released((Ipv4Addr::LOCALHOST, 7002));
            let child = waiting(&["free", "7002"]);
            drop(listener);
            assert_reached(child, Instant::now())
        };
        let connects = || {
            let child = waiting(&["connect", "127.0.0.1:7003"]);
            let listener = support::listen_when_released((Ipv4Addr::LOCALHOST, 7003));
            let event = Instant::now();
            // Who is accepted closes first, so that the port can be bound again.
            drop(listener.accept().unwrap());
            assert_reached(child, event)
        };
        assert_reacts("listen", listens);
        assert_reacts("free", frees);
        assert_reacts("connect", connects);
    });
}

/// Checks that more than half of the reactions are quick enough, each for the machine as it is then.
#[track_caller]
fn assert_reacts(event: &str, reaction: impl Fn() -> Duration) {
    let nothing = || {
        let start = Instant::now();
        Command::new("true").status().unwrap();
        start.elapsed()
    };
    let measured: Vec<(Duration, Duration)> = (0..REPEATS)
        .map(|_| {
            let (before, reaction) = (nothing(), reaction());
            (reaction, before.max(nothing()))
        })
        .collect();
    let is_quick = |&&(reaction, busy): &&(Duration, Duration)| {
        reaction < Duration::from_millis(50) + 10 * busy
    };
    let quick = measured.iter().filter(is_quick).count();
    assert!(quick > REPEATS / 2, "{event}: reactions, and runs of nothing: {measured:?}");
}
