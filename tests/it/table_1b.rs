//! Sockets that other tools show without their holder, or not at all, each made by real processes:
//! whose it is and how that was found.

use std::fmt::Display;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt,
};
use serde_json::{Value, json};

use crate::namespaces::{netns_of, scene};
use crate::netns;
use crate::support::{self, Running, skip};

/// Runs a Python program that prints the words of its first line when all is set up; it ends with
/// the test. `None`, said loudly, where there is no Python.
fn python(program: &str) -> Option<(Running, Vec<String>)> {
    let Some(python) = support::program("python3") else {
        skip("needs python3");
        return None;
    };
    let (running, line) = Running::start_and_read_line(Command::new(python).args(["-c", program]));
    assert_ne!(line, "", "the program failed; see its output");
    Some((running, line.split(' ').map(str::to_owned).collect()))
}

/// The one socket on this local port in this state, as soon as it is there: a socket closed here lives
/// on, for a moment, in a child that another test is just starting. However its owners are found, they
/// are the same.
#[track_caller]
fn socket(port: impl Display, state: &str) -> Value {
    let found = found_by("proc", &port, state);
    if bpf_is_permitted() {
        let by_bpf = found_by("bpf", &port, state);
        let ownership = |socket: &Value| [own_owners(socket).into(), socket["ownership"].clone()];
        assert_eq!(ownership(&by_bpf), ownership(&found), "BPF, and the walk");
    }
    found
}

#[track_caller]
fn found_by(way: &str, port: &impl Display, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let filter = format!("sport {port} and state {state}");
        let mut found = support::list(&["--owners", way, "-t", &filter]);
        if found.len() == 1 {
            return found.remove(0);
        }
        let waited = began.elapsed();
        assert!(waited < support::PATIENCE, "{state} on port {port}: {found:#?}");
    }
}

fn bpf_is_permitted() -> bool {
    static IS_PERMITTED: OnceLock<bool> = OnceLock::new();
    *IS_PERMITTED.get_or_init(|| {
        let output = support::sockscope().args(["list", "--owners", "bpf"]).output().unwrap();
        let is_permitted = output.status.code() != Some(2);
        if !is_permitted {
            skip(&format!("without BPF: {}", String::from_utf8_lossy(&output.stderr)));
        }
        is_permitted
    })
}

/// What is said of each owner: who, which thread, which descriptor, how it was found.
fn owners(socket: &Value) -> Vec<Value> {
    let owners = socket["owners"].as_array().unwrap().iter();
    owners.map(|owner| json!([owner["pid"], owner["tid"], owner["fd"], owner["via"]])).collect()
}

/// What is said of this process. Other tests start programs meanwhile, and until `exec` a child
/// holds everything its parent does.
fn own_owners(socket: &Value) -> Vec<Value> {
    let mut own = owners(socket);
    own.retain(|owner| owner[0] == std::process::id());
    own
}

/// The holding of this process by this descriptor.
fn own(socket: &impl AsRawFd) -> Value {
    json!([std::process::id(), null, socket.as_raw_fd(), "fd"])
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The parent forks twice, the first child once: four processes, one listener. Each of the other
/// three says that it is there before the port is printed.
const FAMILY: &str = "
import os, socket, time
s = socket.create_server(('127.0.0.1', 0))
ready, say = os.pipe()
if all([os.fork(), os.fork()]):
    for _ in range(3): os.read(ready, 1)
    print(s.getsockname()[1], s.fileno(), flush=True)
else:
    os.write(say, b'.')
time.sleep(600)
";

#[test]
fn a_listener_shared_by_a_forked_family_is_all_its_members_and_the_parents_first() {
    netns::in_netns(
        "table_1b::a_listener_shared_by_a_forked_family_is_all_its_members_and_the_parents_first",
        || {
            let Some((parent, words)) = python(FAMILY) else { return };
            let [port, fd] = &words[..] else { panic!("{words:?}") };
            let listener = socket(port, "LISTEN");
            let owners = owners(&listener);
            assert_eq!(owners.len(), 4, "{listener:#}");
            assert_eq!(owners[0], json!([parent.pid(), null, fd.parse::<u32>().unwrap(), "fd"]));
            assert!(owners.iter().all(|owner| owner[3] == "fd"), "{owners:?}");
            assert_eq!(listener["ownership"], "held");
        },
    );
}

/// A server starts a program that inherits its listener, and ends.
const LEAKED: &str = "
import os, socket, subprocess, time
read, write = os.pipe()
server = os.fork()
if server == 0:
    s = socket.create_server(('127.0.0.1', 0))
    child = subprocess.Popen(['sleep', '600'], pass_fds=[s.fileno()])
    os.write(write, f'{s.getsockname()[1]} {child.pid} {s.fileno()}'.encode())
    os._exit(0)
os.waitpid(server, 0)
print(os.read(read, 99).decode(), flush=True)
time.sleep(600)
";

#[test]
fn a_listener_left_in_a_child_alone_is_the_childs() {
    netns::in_netns("table_1b::a_listener_left_in_a_child_alone_is_the_childs", || {
        let Some((_parent, words)) = python(LEAKED) else { return };
        let numbers: Vec<u32> = words.iter().map(|word| word.parse().unwrap()).collect();
        let [port, child, fd] = numbers[..] else { panic!("{words:?}") };
        let listener = socket(port, "LISTEN");
        assert_eq!(owners(&listener), [json!([child, null, fd, "fd"])]);
        assert_eq!(listener["owners"][0]["command"], "sleep");
    });
}

#[test]
fn a_bound_socket_that_does_not_listen_is_listed_with_its_owner() {
    netns::in_netns(
        "table_1b::a_bound_socket_that_does_not_listen_is_listed_with_its_owner",
        || {
            let bound = stream_socket();
            bind(&bound, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
            let row = socket(port_of(&bound), "bound");
            assert_eq!(row["state"], "BOUND");
            assert_eq!(own_owners(&row), [own(&bound)]);
        },
    );
}

fn stream_socket() -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
}

fn port_of(socket: &OwnedFd) -> u16 {
    std::net::SocketAddr::try_from(getsockname(socket).unwrap()).unwrap().port()
}

/// A listener in the table that the second thread has for itself.
const THREAD_TABLE: &str = "
import ctypes, os, socket, threading
def serve():
    CLONE_FILES = 0x400
    assert ctypes.CDLL(None).unshare(CLONE_FILES) == 0
    s = socket.create_server(('127.0.0.1', 0))
    print(s.getsockname()[1], threading.get_native_id(), s.fileno(), flush=True)
    threading.Event().wait()
threading.Thread(target=serve).start()
";

#[test]
fn a_listener_in_a_threads_own_table_is_its_processs_with_the_thread() {
    netns::in_netns(
        "table_1b::a_listener_in_a_threads_own_table_is_its_processs_with_the_thread",
        || {
            let Some((process, words)) = python(THREAD_TABLE) else { return };
            let [port, tid, fd] = &words[..] else { panic!("{words:?}") };
            let number = |word: &String| word.parse::<u32>().unwrap();
            assert_eq!(
                owners(&socket(port, "LISTEN")),
                [json!([process.pid(), number(tid), number(fd), "thread-fd"])]
            );

            let table = support::sockscope()
                .args(["-t", "-o", "pid,fd,tid,via", "--no-header", &format!("sport {port}")])
                .output()
                .unwrap();
            let table = String::from_utf8(table.stdout).unwrap();
            let cells: Vec<&str> = table.split_whitespace().collect();
            assert_eq!(
                cells,
                [&process.pid().to_string(), &format!("{fd}@{tid}"), tid, "thread-fd"]
            );
        },
    );
}

/// A listener that is registered with an io_uring, and its descriptor closed.
const RING: &str = "
import ctypes, os, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
IO_URING_SETUP, IO_URING_REGISTER, REGISTER_FILES = 425, 427, 2
ring = libc.syscall(IO_URING_SETUP, 4, (ctypes.c_char * 120)())
if ring < 0:
    print('no', ctypes.get_errno(), flush=True)
    sys.exit()
s = socket.create_server(('127.0.0.1', 0))
assert libc.syscall(IO_URING_REGISTER, ring, REGISTER_FILES, (ctypes.c_int * 1)(s.fileno()), 1) == 0
port = s.getsockname()[1]
s.close()
print(port, flush=True)
time.sleep(600)
";

#[test]
fn a_listener_registered_with_an_io_uring_is_its_processs() {
    netns::in_netns("table_1b::a_listener_registered_with_an_io_uring_is_its_processs", || {
        let Some((process, words)) = python(RING) else { return };
        let [port] = &words[..] else { return skip("io_uring is off here") };
        assert_eq!(
            owners(&socket(port, "LISTEN")),
            [json!([process.pid(), null, null, "io_uring"])]
        );
    });
}

/// A process sends its listener to another and closes it; the other has not received it yet.
/// Prints the port and who can receive it.
const IN_FLIGHT: &str = "
import os, socket, time
ours, theirs = socket.socketpair()
receiver = os.fork()
if receiver == 0:
    ours.close()
    theirs.send(b'.')
    time.sleep(600)
theirs.close()
ours.recv(1)
s = socket.create_server(('127.0.0.1', 0))
port = s.getsockname()[1]
socket.send_fds(ours, [b'.'], [s.fileno()])
s.close()
print(port, receiver, flush=True)
time.sleep(600)
";

/// One test at a time has descriptors in flight.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn a_listener_in_flight_is_the_receivers_unless_it_may_be_anothers() {
    let _turn = TURN.lock();
    let Some((_sender, words)) = python(IN_FLIGHT) else { return };
    let numbers: Vec<u32> = words.iter().map(|word| word.parse().unwrap()).collect();
    let [port, receiver] = numbers[..] else { panic!("{words:?}") };
    let row = socket(port, "LISTEN");
    if owners(&row).is_empty() {
        // Another process of this machine cannot be read, or has descriptors in flight, too.
        let why = row["ownership_reason"].as_str().unwrap();
        assert!(["permission", "in-flight"].contains(&why), "{row:#}");
        return;
    }
    assert_eq!(owners(&row), [json!([receiver, null, null, "in-flight"])]);
    let mut command = support::sockscope();
    let pids = command.args(["--pids", &format!("sport {port}")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&pids.stdout), "", "it does not hold it yet");
}

#[test]
fn where_processes_may_exist_outside_a_listener_in_flight_is_given_to_nobody() {
    let _turn = TURN.lock();
    let name =
        "table_1b::where_processes_may_exist_outside_a_listener_in_flight_is_given_to_nobody";
    netns::alone(name, || {
        let Some((_sender, words)) = python(IN_FLIGHT) else { return };
        let row = socket(&words[0], "LISTEN");
        let said = (&row["ownership"], &row["ownership_reason"]);
        assert_eq!(said, (&json!("hidden"), &json!("permission")));
    });
}

#[test]
fn a_listener_in_another_network_namespace_is_its_processs() {
    let script = "s = listen(8080); ready('ready', s.fileno())";
    let Some((process, words)) = scene("n", script) else { return };
    let netns = netns_of(process.pid());
    assert_ne!(netns, netns_of(std::process::id()));
    let mut rows = support::list(&["-t", "--netns", "all", "sport 8080 and state listen"]);
    rows.retain(|row| row["netns"] == netns);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let fd: u32 = words[0].parse().unwrap();
    assert_eq!(owners(&rows[0]), [json!([process.pid(), null, fd, "fd"])]);
}

#[test]
fn time_wait_has_no_owner_and_is_never_roots() {
    netns::in_netns("table_1b::time_wait_has_no_owner_and_is_never_roots", || {
        let (listener, port) = listener();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
        drop((server, client));
        let row = socket(port, "TIME_WAIT");
        assert_eq!(row["ownership"], "kernel");
        assert_eq!(row["owners"], json!([]));
        assert_eq!(
            (&row["uid"], &row["user"]),
            (&Value::Null, &Value::Null),
            "the kernel's 0 is not root"
        );
        let table = support::sockscope()
            .args(["-t", &format!("sport {port} and state time-wait")])
            .output()
            .unwrap();
        assert!(!String::from_utf8_lossy(&table.stdout).contains("root"), "{table:?}");
    });
}

#[test]
fn an_orphan_with_unsent_data_is_the_kernels() {
    netns::in_netns("table_1b::an_orphan_with_unsent_data_is_the_kernels", || {
        let (listener, port) = listener();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let client_port = client.local_addr().unwrap().port();
        let (server, _) = listener.accept().unwrap();
        // The server never reads, so what does not fit anywhere stays unsent.
        client.set_nonblocking(true).unwrap();
        while client.write(&[0; 4096]).is_ok() {}
        drop(client);
        let row = socket(client_port, "FIN_WAIT1");
        assert_eq!((&row["ownership"], &row["owners"]), (&json!("kernel"), &json!([])));
        assert!(row["queues"]["send"].as_u64().unwrap() > 0, "{row:#}");
        drop(server);
    });
}

#[test]
fn an_unaccepted_connection_is_attributed_to_its_listener() {
    netns::in_netns("table_1b::an_unaccepted_connection_is_attributed_to_its_listener", || {
        let (listener, port) = listener();
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let row = socket(port, "ESTABLISHED");
        assert_eq!(row["ownership"], "held");
        let waiting = json!([std::process::id(), null, null, "accept-queue"]);
        assert_eq!(own_owners(&row), [waiting], "nobody has a descriptor for it yet");
        assert_eq!(socket(port, "LISTEN")["queues"]["pending"], 1);

        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(own_owners(&socket(port, "ESTABLISHED")), [own(&accepted)]);
        drop(client);
    });
}

#[test]
fn an_inet_connection_to_a_dual_stack_listener_has_its_owner_and_is_written_as_mapped() {
    netns::in_netns(
        "table_1b::an_inet_connection_to_a_dual_stack_listener_has_its_owner_and_is_written_as_mapped",
        || {
            let listener = TcpListener::bind("[::]:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            let (server, _) = listener.accept().unwrap();
            let row = socket(port, "ESTABLISHED");
            assert_eq!(
                (&row["family"], &row["local"]["address"]),
                (&json!("inet6"), &json!("::ffff:127.0.0.1"))
            );
            assert_eq!(own_owners(&row), [own(&server)]);
            assert_eq!(owners(&socket(port, "LISTEN")), [own(&listener)]);
            drop(client);
        },
    );
}

#[test]
fn twins_that_share_a_port_are_two_rows_with_an_owner_each() {
    netns::in_netns("table_1b::twins_that_share_a_port_are_two_rows_with_an_owner_each", || {
        let twin = |port| {
            let twin = stream_socket();
            sockopt::set_socket_reuseport(&twin, true).unwrap();
            bind(&twin, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
            listen(&twin, 8).unwrap();
            twin
        };
        let one = twin(0);
        let port = port_of(&one);
        let other = twin(port);
        let rows = support::list(&["-t", &format!("sport {port} and listen")]);
        assert_eq!(rows.len(), 2);
        let mut found: Vec<Value> = rows.iter().flat_map(own_owners).collect();
        found.sort_by_key(|owner| owner[2].as_u64());
        let mut expected = [own(&one), own(&other)];
        expected.sort_by_key(|owner| owner[2].as_u64());
        assert_eq!(found, expected);
    });
}
