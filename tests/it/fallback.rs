//! What is listed where the kernel refuses `sock_diag` (a sandbox, an emulator, an old kernel): the same
//! sockets with the same owners from `/proc/net`, and what that costs is a gap.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Command;

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, ipproto, socket_with};
use serde_json::Value;

use crate::netns::{in_netns, internet_scene, is_root};
use crate::support::{self, program, skip};

/// Python that becomes a command to which the kernel says what qemu and old kernels say: that there is no
/// such protocol as `NETLINK_SOCK_DIAG`. A filter of system calls (`seccomp(2)`) sees to that.
const WITHOUT_SOCK_DIAG: &str = "
import ctypes, os, struct, sys
SOCKET = {'x86_64': 41, 'aarch64': 198}[os.uname().machine]
def op(code, k, yes=0, no=0): return struct.pack('=HBBI', code, yes, no, k)
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
program = b''.join([
    op(LOAD, 0), op(EQUAL, SOCKET, 0, 5),
    op(LOAD, 16), op(EQUAL, 16, 0, 3),
    op(LOAD, 32), op(EQUAL, 4, 0, 1),
    op(RETURN, 0x00050000 | 93), op(RETURN, 0x7fff0000)])
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(program, len(program))
filter = struct.pack('HxxxxxxQ', len(program) // 8, ctypes.addressof(code))
def sure(result):
    if result: raise OSError(ctypes.get_errno(), 'of prctl')
sure(libc.prctl(38, 1, 0, 0, 0))
sure(libc.prctl(22, 2, ctypes.c_char_p(filter), 0, 0))
os.execv(sys.argv[1], sys.argv[1:])
";

/// Every protocol of which both sources have a table.
const PROTOCOLS: &str = "tcp,udp,udplite,raw,icmp,unix,packet,netlink";

/// Returns the command where sock_diag is refused; `None`, said aloud, where that cannot be made.
fn without_sock_diag() -> Option<Command> {
    let Some(python) = program("python3") else {
        skip("needs python3");
        return None;
    };
    let mut command = Command::new(python);
    command.env_clear().env("TZ", "UTC").args(["-c", WITHOUT_SOCK_DIAG]);
    command.arg(env!("CARGO_BIN_EXE_sockscope"));
    Some(command)
}

/// Returns its JSON listing.
fn refused(args: &[&str]) -> Option<Value> {
    let mut command = without_sock_diag()?;
    let output = support::output(command.args(["list", "--json"]).args(args));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// What both sources tell of a socket: which it is, how it is doing, and who holds it.
fn told_by_both(row: &Value) -> String {
    let is_unix = row["protocol"] == "unix";
    let held: BTreeSet<String> = row["owners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|owner| format!("{} {} {}", owner["pid"], owner["fd"], owner["via"]))
        .collect();
    let mut words: Vec<String> = ["protocol", "family", "state", "local", "inode", "ownership"]
        .iter()
        .map(|key| row[key].to_string())
        .collect();
    words.push(format!("{held:?}"));
    // Of these the file of UNIX sockets has nothing, and of a netlink socket's peer and user as little.
    if !is_unix && row["protocol"] != "netlink" {
        words.push(row["peer"].to_string());
        words.push(row["uid"].to_string());
        words.push(row["timer"]["kind"].to_string());
        let queues = &row["queues"];
        words.push(format!("{} {} {}", queues["recv"], queues["send"], queues["pending"]));
    }
    words.join(" ")
}

fn told(listing: &Value) -> Vec<String> {
    let rows = listing["sockets"].as_array().unwrap().iter();
    // Left out is what the one that looks looks with, and the connection to a UNIX socket that nobody
    // accepted yet, which `/proc/net` alone has.
    let is_looking =
        |row: &Value| row["local"]["netlink"] == "sock_diag" && row["local"]["port_id"] != 0;
    let waits = |row: &Value| row["protocol"] == "unix" && row["inode"].is_null();
    let mut rows: Vec<String> =
        rows.filter(|row| !is_looking(row) && !waits(row)).map(told_by_both).collect();
    rows.sort();
    rows
}

/// A scene with every protocol in it that may be made here, kept as long as what this returns.
fn scene() -> Vec<Box<dyn std::any::Any>> {
    let unix = UnixListener::bind(
        std::env::temp_dir().join(format!("sockscope-fallback-{}", std::process::id())),
    )
    .unwrap();
    let waiting = UnixStream::connect(unix.local_addr().unwrap().as_pathname().unwrap()).unwrap();
    std::fs::remove_file(unix.local_addr().unwrap().as_pathname().unwrap()).unwrap();
    let mut kept: Vec<Box<dyn std::any::Any>> = vec![
        Box::new(internet_scene()),
        Box::new((unix, waiting, UnixStream::pair().unwrap(), UnixDatagram::unbound().unwrap())),
    ];
    let open = |family, kind, protocol: Option<Protocol>| {
        socket_with(family, kind, SocketFlags::CLOEXEC, protocol).unwrap()
    };
    kept.push(Box::new([
        open(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)),
        open(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6)),
        open(AddressFamily::PACKET, SocketType::RAW, None),
        open(AddressFamily::NETLINK, SocketType::RAW, None),
    ]));
    kept
}

#[test]
fn what_proc_net_tells_is_what_sock_diag_tells() {
    in_netns("fallback::what_proc_net_tells_is_what_sock_diag_tells", || {
        let _kept = scene();
        let args = ["-A", PROTOCOLS];
        // A FIN may be on its way for a moment.
        let plain = || {
            let output = support::output(support::sockscope().args(["list", "--json"]).args(args));
            serde_json::from_slice::<Value>(&output.stdout).unwrap()
        };
        let states = |listing: &Value| {
            let rows = listing["sockets"].as_array().unwrap().iter();
            rows.map(|row| row["state"].to_string()).collect::<BTreeSet<_>>()
        };
        support::wait_until(|| states(&plain()).contains("\"TIME_WAIT\""));
        support::wait_until(|| states(&plain()).contains("\"FIN_WAIT2\""));
        let Some(mut fallback) = refused(&args) else { return };
        let mut ours = told(&plain());
        // Whoever lists all namespaces asks by a netlink socket of its own in this one, too.
        support::becomes(|| {
            if told(&fallback) != ours {
                fallback = refused(&args).unwrap();
                ours = told(&plain());
            }
            told(&fallback) == ours
        });
        assert_eq!(told(&fallback), ours);
        let rows = fallback["sockets"].as_array().unwrap();
        let waiting = rows.iter().find(|row| row["protocol"] == "unix" && row["inode"].is_null());
        assert_eq!(waiting.unwrap()["owners"][0]["via"], "accept-queue");
        for protocol in PROTOCOLS.split(',').filter(|it| !matches!(*it, "udplite" | "icmp")) {
            let of = |row: &&String| row.starts_with(&format!("\"{protocol}\""));
            assert!(ours.iter().any(|row| of(&row)), "{protocol}: {ours:#?}");
        }
    });
}

#[test]
fn what_it_costs_that_sock_diag_is_refused_is_said() {
    in_netns("fallback::what_it_costs_that_sock_diag_is_refused_is_said", || {
        let bound =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        bound.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let Some(listing) = refused(&["-A", "all"]) else { return };
        let gaps = listing["gaps"].to_string();
        for cost in [
            "sock_diag: protocol not supported",
            "cookies, control groups, backlog limits, devices and v6only of tcp",
            "cookies, users, queues and peers of unix",
            "/proc/net does not list them",
        ] {
            assert!(gaps.contains(cost), "{cost}: {gaps}");
        }
        let rows = listing["sockets"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["protocol"] != "tcp"), "it is bound and no more");
    });
}

#[test]
fn why_and_show_and_port_work_without_sock_diag() {
    in_netns("fallback::why_and_show_and_port_work_without_sock_diag", || {
        if !is_root() {
            return skip("needs root: the namespace's own rights are not ours");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let Some(python) = program("python3") else { return skip("needs python3") };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        let _unix = UnixListener::bind(&path).unwrap();
        for (args, code, words) in [
            (["why", path.to_str().unwrap()], 1, "held by"),
            (["why", &port], 1, "EADDRINUSE"),
            (["port", &port], 0, "listens on 127.0.0.1"),
            (["show", &format!(":{port}")], 0, "LISTEN"),
        ] {
            let mut command = Command::new(&python);
            command.env_clear().args(["-c", WITHOUT_SOCK_DIAG]);
            let output = command.arg(env!("CARGO_BIN_EXE_sockscope")).args(args).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
            assert!(said.contains(words), "{args:?}: {said}");
        }
    });
}

#[test]
fn the_demo_keeps_what_it_promises_by_proc_net_too() {
    let Some(mut command) = without_sock_diag() else { return };
    // The ports' lesson takes a range of them, in which another's test may have one.
    let lessons = ["inuse", "unix", "inherit", "dual", "museum", "udp", "leak"];
    let output = support::output(command.args(["demo", "--script"]).args(lessons));
    // Each promise that is broken is said, and decides how it ends.
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}
