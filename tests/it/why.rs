//! `sockscope why` on real sockets, each test in a namespace of its own: every cause, made for real.

use std::io::{Read as _, Write as _};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket,
};
use std::process::Command;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::netns::{alone, as_nobody, in_netns, is_root};
use crate::support::{self, Running, program, skip, sockscope, wait_until};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The answers of `sockscope why --json ARGS`, and the exit code.
#[track_caller]
fn why(args: &[&str]) -> (Vec<Value>, Option<i32>) {
    // Not `support::output`: that it cannot be told is an answer, too.
    let output = sockscope().args(["why", "--json"]).args(args).output().unwrap();
    let mut document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (serde_json::from_value(document["answers"].take()).unwrap(), output.status.code())
}

/// The one answer to a question about one address, on which the kernel and the rules agree.
#[track_caller]
fn answer(args: &[&str]) -> Value {
    let (mut answers, code) = why(args);
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let answer = answers.remove(0);
    assert_eq!(answer["contradicted"], false, "{answer:#}");
    let expected = match answer["verdict"].as_str() {
        Some("free" | "shareable") => 0,
        Some("fails") => 1,
        _ => 2,
    };
    assert_eq!(code, Some(expected), "{answer:#}");
    answer
}

/// The cause with this word; fails when the bind would not.
#[track_caller]
fn cause<'a>(answer: &'a Value, reason: &str) -> &'a Value {
    let causes = answer["causes"].as_array().unwrap();
    let cause = causes.iter().find(|cause| cause["reason"] == reason);
    cause.unwrap_or_else(|| panic!("no {reason} in {answer:#}"))
}

#[track_caller]
fn fails_because<'a>(answer: &'a Value, reason: &str) -> &'a Value {
    assert_eq!(
        (&answer["verdict"], &answer["call"], &answer["errno"]),
        (&"fails".into(), &"bind".into(), &"EADDRINUSE".into()),
        "{answer:#}"
    );
    cause(answer, reason)
}

fn actions(answer: &Value) -> Vec<&str> {
    let remedies = answer["remedies"].as_array().unwrap();
    remedies.iter().map(|remedy| remedy["action"].as_str().unwrap()).collect()
}

fn evidence(cause: &Value) -> String {
    let facts = cause["evidence"].as_array().unwrap();
    facts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

fn owner(cause: &Value) -> u64 {
    cause["sockets"][0]["owners"][0]["pid"].as_u64().unwrap()
}

fn me() -> u64 {
    u64::from(std::process::id())
}

/// A socket bound without options, unless `set` sets some.
fn bound(kind: Type, address: IpAddr, port: u16, set: impl Fn(&Socket)) -> Socket {
    let address = SocketAddr::new(address, port);
    let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
    set(&socket);
    // One that was closed before may be held for an instant more by whoever lists descriptors.
    wait_until(|| {
        let bound = socket.bind(&address.into());
        !bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    });
    assert_eq!(socket.local_addr().unwrap().as_socket(), Some(address));
    socket
}

/// Closes a listener of port 8080, and waits until it is gone: whoever lists descriptors may hold it for
/// an instant more.
fn close(listener: TcpListener) {
    drop(listener);
    wait_until(|| support::list(&["listen and sport 8080"]).is_empty());
}

/// A listener without options: std sets SO_REUSEADDR.
fn plain_listener(port: u16) -> TcpListener {
    let socket = bound(Type::STREAM, LOCAL, port, |_| {});
    socket.listen(8).unwrap();
    socket.into()
}

/// Both ends of a connection to the listener: the client's, the server's.
fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_free_port_is_free_and_the_kernel_says_so() {
    in_netns("why::a_free_port_is_free_and_the_kernel_says_so", || {
        let (answers, code) = why(&["8080"]);
        assert_eq!((answers.len(), code), (2, Some(0)), "{answers:#?}");
        for answer in answers {
            let told = (&answer["verdict"], &answer["probe"]);
            assert_eq!(told, (&"free".into(), &"succeeded".into()));
        }
    });
}

#[test]
fn a_listener_at_the_same_address() {
    in_netns("why::a_listener_at_the_same_address", || {
        let _listener = plain_listener(8080);
        let answer = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&answer, "listener");
        assert_eq!((owner(cause), &cause["certainty"]), (me(), &"certain".into()));
        assert_eq!(actions(&answer), ["end"]);
    });
}

#[test]
fn a_listener_at_an_address_that_overlaps() {
    in_netns("why::a_listener_at_an_address_that_overlaps", || {
        let _listener = plain_listener(8080);
        fails_because(&answer(&["0.0.0.0:8080"]), "overlapping-listener");
        let other = answer(&["127.0.0.2:8080"]);
        assert_eq!(other["verdict"], "free");
        // Other tests have namespaces with that port.
        let causes = other["causes"].as_array().unwrap();
        assert!(causes.iter().all(|cause| cause["reason"] == "held-elsewhere"), "{causes:#?}");
    });
}

#[test]
fn a_dual_stack_listener_blocks_ipv4() {
    in_netns("why::a_dual_stack_listener_blocks_ipv4", || {
        let _listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 8080)).unwrap();
        let answer = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&answer, "dual-stack");
        assert_eq!(owner(cause), me());
        assert_eq!(answer["probe"], "failed");
        assert!(evidence(cause).contains("IPV6_V6ONLY is not set"), "{cause:#}");
    });
}

#[test]
fn the_two_families_are_told_apart_where_they_differ() {
    in_netns("why::the_two_families_are_told_apart_where_they_differ", || {
        let _listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 8080)).unwrap();
        let (answers, code) = why(&["8080"]);
        let verdicts: Vec<&Value> = answers.iter().map(|answer| &answer["verdict"]).collect();
        assert_eq!((verdicts, code), (vec![&"free".into(), &"fails".into()], Some(1)));
    });
}

#[test]
fn who_answers_is_told_where_several_listen() {
    in_netns("why::who_answers_is_told_where_several_listen", || {
        let reuse_port = |address| {
            let socket = bound(Type::STREAM, address, 8080, |socket| {
                socket.set_reuse_port(true).unwrap();
            });
            socket.listen(8).unwrap();
            socket
        };
        let _twins =
            [reuse_port(Ipv4Addr::UNSPECIFIED.into()), reuse_port(Ipv4Addr::UNSPECIFIED.into())];
        let server = Running::start_and_read_line(sockscope().args(["serve", "[::1]:8080"])).0;
        let (answers, _) = why(&["8080"]);
        let note = cause(&answers[1], "several-listeners");
        let said = evidence(note);
        let me = format!("({})", std::process::id());
        let twins = "each connection to 0.0.0.0 goes to one of 2 sockets (SO_REUSEPORT), of ";
        assert!(said.contains(twins) && said.contains(&me), "{said}");
        let six = format!("::1 by sockscope ({})", server.pid());
        assert!(said.contains("localhost is two addresses: 127.0.0.1 is answered by "), "{said}");
        assert!(said.ends_with(&six), "{said}");
        assert_eq!(note["in_the_way"], false);

        let report = support::output(sockscope().args(["port", "8080", "--netns", "current"]));
        let report = String::from_utf8(report.stdout).unwrap();
        assert!(report.lines().any(|line| line.ends_with(&six)), "{report}");
    });
}

#[test]
fn a_socket_that_is_bound_and_never_listens() {
    in_netns("why::a_socket_that_is_bound_and_never_listens", || {
        let _socket = bound(Type::STREAM, LOCAL, 8080, |_| {});
        let answer = answer(&["127.0.0.1:8080"]);
        assert_eq!(owner(fails_because(&answer, "bound-only")), me());
    });
}

#[test]
fn a_listener_that_was_shut_down_and_is_still_open() {
    in_netns("why::a_listener_that_was_shut_down_and_is_still_open", || {
        let listener = plain_listener(8080);
        let _ends = connection(&listener);
        let listener = Socket::from(listener);
        listener.shutdown(Shutdown::Both).unwrap();
        let answer = answer(&["127.0.0.1:8080"]);
        assert_eq!(owner(fails_because(&answer, "closed-listener")), me());
    });
}

#[test]
fn a_listener_that_was_shut_down_before_anybody_came() {
    in_netns("why::a_listener_that_was_shut_down_before_anybody_came", || {
        let listener = Socket::from(plain_listener(8080));
        listener.shutdown(Shutdown::Both).unwrap();
        // Nothing tells it from a socket that never listened.
        let answer = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&answer, "bound-only");
        assert_eq!((owner(cause), actions(&answer)), (me(), vec!["end"]));
    });
}

#[test]
fn a_listener_that_was_destroyed_from_outside() {
    in_netns("why::a_listener_that_was_destroyed_from_outside", || {
        let Some(ss) = program("ss") else { return skip("needs ss") };
        let _listener = plain_listener(8080);
        let mut destroy = Command::new(ss);
        destroy.args(["-K", "state", "listening", "sport", "=", ":8080"]);
        assert!(destroy.output().unwrap().status.success());
        if sockscope().args(["list", "-q", "listen"]).output().unwrap().status.success() {
            return skip("needs a kernel that destroys sockets (INET_DIAG_DESTROY)");
        }
        let answer = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&answer, "bound-only");
        assert_eq!((owner(cause), actions(&answer)), (me(), vec!["end"]));
    });
}

#[test]
fn a_holder_that_came_and_went_is_said_to_be_gone() {
    in_netns("why::a_holder_that_came_and_went_is_said_to_be_gone", || {
        let message = "listen tcp 127.0.0.1:8080: bind: address already in use";
        let listener = plain_listener(8080);
        fails_because(&answer(&[message]), "listener");
        close(listener);
        let answer = answer(&[message]);
        assert_eq!(answer["verdict"], "free");
        cause(&answer, "gone");
    });
}

#[test]
fn a_port_that_is_free_here_and_held_in_another_namespace() {
    in_netns("why::a_port_that_is_free_here_and_held_in_another_namespace", || {
        let script = format!("{LISTEN}\nready(); time.sleep(600)");
        let Some(python) = program("python3") else { return skip("needs python3") };
        let mut command = Command::new("unshare");
        let up = "ip link set lo up; exec \"$@\"";
        command.args(["-n", "sh", "-c", up, "sh"]).arg(python).args(["-c", &script]);
        let (other, line) = Running::start_and_read_line(&mut command);
        assert_eq!(line, "ready");
        let here = answer(&["127.0.0.1:8080"]);
        assert_eq!(here["verdict"], "free");
        let note = cause(&here, "held-elsewhere");
        let pid = other.pid().to_string();
        // Other tests have namespaces with that port, too.
        let sockets = note["sockets"].as_array().unwrap();
        let is_others = |socket: &Value| socket["owners"][0]["pid"] == other.pid();
        assert!(sockets.iter().any(is_others), "{note:#}");
        assert!(evidence(note).contains("ask in there with --pid "), "{note:#}");
        let there = answer(&["127.0.0.1:8080", "--pid", &pid]);
        assert_eq!(owner(fails_because(&there, "listener")), u64::from(other.pid()));
    });
}

/// Python that listens at 8080 without options.
const LISTEN: &str = "
import ctypes, os, socket, subprocess, sys, threading, time
s = socket.socket(); s.bind(('127.0.0.1', 8080)); s.listen()
def ready(): print('ready', flush=True)
";

#[track_caller]
fn python(script: &str) -> Option<Running> {
    let Some(python) = program("python3") else {
        skip("needs python3");
        return None;
    };
    let mut command = Command::new(python);
    let (running, line) =
        Running::start_and_read_line(command.args(["-c", &format!("{LISTEN}\n{script}")]));
    assert_eq!(line, "ready");
    Some(running)
}

#[test]
fn a_child_that_only_inherited_the_socket() {
    in_netns("why::a_child_that_only_inherited_the_socket", || {
        // The server is gone, `sleep` goes on in its group.
        let script = "os.set_inheritable(s.fileno(), True)\n\
                      subprocess.Popen(['sleep', '600'], close_fds=False, stdout=subprocess.DEVNULL)\n\
                      ready(); os._exit(0)";
        let Some(_running) = python(script) else { return };
        let mut told = Value::Null;
        wait_until(|| {
            told = answer(&["127.0.0.1:8080"]);
            told["causes"].as_array().unwrap().iter().any(|cause| cause["reason"] == "leaked-child")
        });
        let cause = fails_because(&told, "leaked-child");
        assert_eq!(cause["certainty"], "likely");
        assert!(evidence(cause).contains("its descriptor has no close-on-exec"), "{cause:#}");
        assert_eq!(cause["sockets"][0]["owners"][0]["command"], "sleep");
        assert!(actions(&told).contains(&"end"));
    });
}

#[test]
fn a_child_beside_its_server() {
    in_netns("why::a_child_beside_its_server", || {
        let script = "os.set_inheritable(s.fileno(), True)\n\
                      subprocess.Popen(['sleep', '600'], close_fds=False, stdout=subprocess.DEVNULL)\n\
                      ready(); s.accept()";
        let Some(running) = python(script) else { return };
        let answer = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&answer, "leaked-child");
        let started = format!("was started by python3 ({})", running.pid());
        assert!(evidence(cause).replace("python3.11", "python3").contains(&started), "{cause:#}");
    });
}

#[test]
fn a_holder_that_most_tools_do_not_see() {
    in_netns("why::a_holder_that_most_tools_do_not_see", || {
        // A thread takes the descriptors for itself, and the process closes its own.
        let script = "def thread():\n\
                      \x20 ctypes.CDLL(None).unshare(0x400); mine.set(); time.sleep(600)\n\
                      mine = threading.Event(); threading.Thread(target=thread, daemon=True).start()\n\
                      mine.wait(); os.close(s.detach()); ready(); time.sleep(600)";
        let Some(running) = python(script) else { return };
        let answer = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&answer, "hidden-holder");
        assert_eq!(owner(cause), u64::from(running.pid()));
        assert!(evidence(cause).contains("one of its threads"), "{cause:#}");
    });
}

#[test]
fn a_stopped_job() {
    in_netns("why::a_stopped_job", || {
        let Some(running) = python("ready(); os.kill(os.getpid(), 19)") else { return };
        let mut told = Value::Null;
        wait_until(|| {
            told = answer(&["127.0.0.1:8080"]);
            told["causes"].as_array().unwrap().len() > 1
        });
        let cause = fails_because(&told, "stopped-holder");
        assert_eq!(owner(cause), u64::from(running.pid()));
        assert_eq!(actions(&told), ["continue", "end"]);
    });
}

#[test]
fn a_server_that_outlived_its_session() {
    alone("why::a_server_that_outlived_its_session", || {
        // The child of a session whose leader has ended.
        let script = "s.close()\n\
                      import signal\n\
                      if os.fork() == 0:\n\
                      \x20 os.setsid()\n\
                      \x20 if os.fork(): os._exit(0)\n\
                      \x20 s = socket.socket(); s.bind(('127.0.0.1', 8080)); s.listen(); ready(); s.accept()\n\
                      os.wait(); time.sleep(600)";
        let Some(_running) = python(script) else { return };
        let mut told = Value::Null;
        wait_until(|| {
            told = answer(&["127.0.0.1:8080"]);
            told["causes"].as_array().unwrap().iter().any(|cause| cause["reason"] == "left-behind")
        });
        let cause = fails_because(&told, "left-behind");
        assert!(evidence(cause).contains("was started in is over"), "{cause:#}");
        // It is in no group that ends with the test: the namespace ends it.
    });
}

#[test]
fn a_connection_that_outlived_its_listener() {
    in_netns("why::a_connection_that_outlived_its_listener", || {
        let listener = plain_listener(8080);
        let (_client, _server) = connection(&listener);
        close(listener);
        let answer = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&answer, "connection");
        assert_eq!((owner(cause), actions(&answer)), (me(), vec!["destroy", "end"]));
    });
}

#[test]
fn what_the_earlier_listener_set_decides_of_its_connections() {
    in_netns("why::what_the_earlier_listener_set_decides_of_its_connections", || {
        let listener = TcpListener::bind((LOCAL, 8080)).unwrap();
        let (_client, _server) = connection(&listener);
        close(listener);
        let plain = answer(&["127.0.0.1:8080"]);
        fails_because(&plain, "connection");
        let remedies = plain["remedies"].as_array().unwrap();
        assert!(remedies[0]["text"].as_str().unwrap().starts_with("set SO_REUSEADDR before bind"));
        assert_eq!(answer(&["127.0.0.1:8080", "--reuseaddr"])["verdict"], "shareable");
    });
}

/// Leaves a connection of port 8080 in TIME_WAIT.
fn leave_time_wait(listener: TcpListener) {
    let (mut client, server) = connection(&listener);
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    wait_until(|| !support::list(&["state time-wait and sport 8080"]).is_empty());
    close(listener);
}

#[test]
fn time_wait_with_its_seconds() {
    in_netns("why::time_wait_with_its_seconds", || {
        leave_time_wait(plain_listener(8080));
        let plain = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&plain, "time-wait");
        assert!(evidence(cause).contains("SO_REUSEADDR on the new socket alone does not help"));
        let remedy = &plain["remedies"][0];
        assert_eq!((&remedy["action"], &remedy["harm"]), (&"wait".into(), &"none".into()));
        let words: Vec<&str> = remedy["text"].as_str().unwrap().split(' ').collect();
        assert!((1..=60).contains(&words[1].parse::<u32>().unwrap()), "{remedy:#}");

        let other = answer(&["127.0.0.1:8080", "--reuseaddr"]);
        assert_eq!(other["prediction"], "unknown");
        let cause = fails_because(&other, "time-wait");
        assert!(evidence(cause).contains("the earlier one did not set it"), "{cause:#}");
    });
}

#[test]
fn time_wait_of_a_listener_that_set_the_option() {
    in_netns("why::time_wait_of_a_listener_that_set_the_option", || {
        leave_time_wait(TcpListener::bind((LOCAL, 8080)).unwrap());
        let plain = answer(&["127.0.0.1:8080"]);
        fails_because(&plain, "time-wait");
        let text = plain["remedies"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("set SO_REUSEADDR before bind"), "{plain:#}");
        assert_eq!(answer(&["127.0.0.1:8080", "--reuseaddr"])["verdict"], "shareable");
    });
}

#[test]
fn an_orphan_with_unsent_data() {
    in_netns("why::an_orphan_with_unsent_data", || {
        let listener = plain_listener(8080);
        let (_client, mut server) = connection(&listener);
        server.set_nonblocking(true).unwrap();
        while server.write(&[0; 4096]).is_ok() {}
        drop(server);
        close(listener);
        wait_until(|| {
            let rows = support::list(&["sport 8080"]);
            rows.iter().all(|row| row["ownership"] == "kernel")
        });
        let answer = answer(&["127.0.0.1:8080"]);
        let cause = fails_because(&answer, "orphan");
        assert_eq!(cause["sockets"][0]["ownership"], "kernel");
        assert!(evidence(cause).contains("unsent"), "{cause:#}");
        assert_eq!(actions(&answer), ["destroy"]);
    });
}

#[test]
fn an_outgoing_connection_at_the_port() {
    in_netns("why::an_outgoing_connection_at_the_port", || {
        let listener = plain_listener(8080);
        let (client, _server) = connection(&listener);
        let port = client.local_addr().unwrap().port();
        let answer = answer(&[&format!("127.0.0.1:{port}"), "--reuseaddr"]);
        let cause = fails_because(&answer, "ephemeral-client");
        assert_eq!(owner(cause), me());
        let commands: Vec<&Value> =
            answer["remedies"].as_array().unwrap().iter().map(|way| &way["command"]).collect();
        let reserve = format!("sysctl -w net.ipv4.ip_local_reserved_ports={port}");
        assert_eq!(commands[0], &Value::from(reserve));
    });
}

#[test]
fn reuse_port_takes_both_and_one_user() {
    in_netns("why::reuse_port_takes_both_and_one_user", || {
        let listener = bound(Type::STREAM, LOCAL, 8080, |_| {});
        listener.listen(8).unwrap();
        let plain = answer(&["127.0.0.1:8080", "--reuseport"]);
        assert!(evidence(fails_because(&plain, "reuse-port")).contains("SO_REUSEPORT is not set"));
        drop(listener);
        let set = |socket: &Socket| socket.set_reuse_port(true).unwrap();
        let listener = bound(Type::STREAM, LOCAL, 8080, set);
        listener.listen(8).unwrap();
        let shared = answer(&["127.0.0.1:8080", "--reuseport"]);
        assert_eq!(shared["verdict"], "shareable");
        cause(&shared, "shared");
        if !is_root() {
            return skip("needs root, to ask for another user");
        }
        let other = answer(&["127.0.0.1:8080", "--reuseport", "--user", "65534"]);
        assert_eq!(other["probe"], "not-made");
        let cause = fails_because(&other, "reuse-port");
        assert_eq!(cause["evidence"][0], "it belongs to user 0, not to user 65534");
    });
}

#[test]
fn bind_succeeds_and_listen_will_not_for_both() {
    in_netns("why::bind_succeeds_and_listen_will_not_for_both", || {
        let set = |socket: &Socket| socket.set_reuse_address(true).unwrap();
        let one = bound(Type::STREAM, LOCAL, 8080, set);
        // At another port, which is of no account.
        let _listener = plain_listener(8081);
        let later = answer(&["127.0.0.1:8080", "--reuseaddr"]);
        assert_eq!(later["verdict"], "shareable");
        assert_eq!(cause(&later, "listen-later")["evidence"][0], "nobody listens yet");
        let other = bound(Type::STREAM, LOCAL, 8080, set);
        other.listen(8).unwrap();
        // What is said of the first one is so.
        assert_eq!(one.listen(8).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
        let now = answer(&["127.0.0.1:8080", "--reuseaddr"]);
        assert_eq!(cause(&now, "listen-later")["evidence"][0], "its listen will fail");
    });
}

#[test]
fn another_device_is_no_conflict() {
    in_netns("why::another_device_is_no_conflict", || {
        let ip = Command::new("ip").args(["link", "add", "d0", "type", "bridge"]).status();
        assert!(ip.unwrap().success());
        let on_lo = |socket: &Socket| socket.bind_device(Some(b"lo")).unwrap();
        let _listener = bound(Type::STREAM, Ipv4Addr::UNSPECIFIED.into(), 8080, on_lo);
        let answer = answer(&["0.0.0.0:8080", "--device", "d0"]);
        assert_eq!(answer["verdict"], "free");
        assert_eq!(cause(&answer, "other-device")["in_the_way"], false);
    });
}

#[test]
fn udp_is_never_probed_where_it_would_take_datagrams() {
    in_netns("why::udp_is_never_probed_where_it_would_take_datagrams", || {
        let set = |socket: &Socket| socket.set_reuse_address(true).unwrap();
        let _socket = bound(Type::DGRAM, LOCAL, 8080, set);
        let shared = answer(&["udp:127.0.0.1:8080", "--reuseaddr"]);
        assert_eq!(
            (&shared["verdict"], &shared["probe"]),
            (&"shareable".into(), &"not-made".into())
        );
        let _other = UdpSocket::bind((LOCAL, 8081)).unwrap();
        fails_because(&answer(&["udp:127.0.0.1:8081"]), "listener");
    });
}

#[test]
fn whoever_is_hidden_still_blocks() {
    in_netns("why::whoever_is_hidden_still_blocks", || {
        let _listener = plain_listener(8080);
        let mut command = sockscope();
        if !as_nobody(&mut command) {
            return skip("needs root, to become another user");
        }
        let output = support::output(command.args(["why", "127.0.0.1:8080"]));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("held by   somebody you may not see (user root)"), "{text}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("hint: run as root"));
    });
}

#[test]
fn without_the_probe_it_only_predicts() {
    in_netns("why::without_the_probe_it_only_predicts", || {
        leave_time_wait(plain_listener(8080));
        let answer = answer(&["127.0.0.1:8080", "--reuseaddr", "--no-probe"]);
        assert_eq!((&answer["verdict"], &answer["probe"]), (&"unknown".into(), &Value::Null));
    });
}

#[test]
fn the_verdict_is_the_first_line() {
    in_netns("why::the_verdict_is_the_first_line", || {
        let _listener = plain_listener(8080);
        let output = support::output(sockscope().args(["why", "127.0.0.1:8080"]));
        let text = String::from_utf8(output.stdout).unwrap();
        let verdict = "tcp 127.0.0.1:8080: no, bind fails with EADDRINUSE (address already in use)";
        assert_eq!(text.lines().next(), Some(verdict));
    });
}

#[test]
fn what_is_no_target_is_trouble() {
    for wrong in ["65536", "-1", "[::1]", "no-such-service", ""] {
        let output = sockscope().args(["why", wrong]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{wrong}: {stderr}");
        assert!(stderr.starts_with("sockscope: ") && stderr.contains("\nhint: "), "{stderr}");
    }
}
