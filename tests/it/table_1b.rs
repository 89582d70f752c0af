//! Sockets that other tools show without their holder, or not at all, each made by real processes:
//! whose it is and how that was found.

use std::process::Command;

use serde_json::{Value, json};

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

/// The one socket on this local port in this state.
#[track_caller]
fn socket(port: &str, state: &str) -> Value {
    let mut found = support::list(&["-t", &format!("sport {port} and state {state}")]);
    assert_eq!(found.len(), 1, "{state} on port {port}: {found:#?}");
    found.remove(0)
}

/// What is said of each owner: who, which thread, which descriptor, how it was found.
fn owners(socket: &Value) -> Vec<Value> {
    let owners = socket["owners"].as_array().unwrap().iter();
    owners.map(|owner| json!([owner["pid"], owner["tid"], owner["fd"], owner["via"]])).collect()
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
    assert_eq!(cells, [&process.pid().to_string(), &format!("{fd}@{tid}"), tid, "thread-fd"]);
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
    let Some((process, words)) = python(RING) else { return };
    let [port] = &words[..] else { return skip("io_uring is off here") };
    assert_eq!(owners(&socket(port, "LISTEN")), [json!([process.pid(), null, null, "io_uring"])]);
}
