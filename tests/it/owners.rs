//! Whose a socket is, as the command tells it: the cases where other tools show a dash or a lie.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::netns;
use crate::support::{self, Running, skip};

/// The one socket on this local port in this state.
#[track_caller]
fn socket(port: u16, state: &str) -> Value {
    let mut found = support::list(&["-t", &format!("sport {port} and state {state}")]);
    assert_eq!(found.len(), 1, "{state} on port {port}: {found:#?}");
    found.remove(0)
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn another_users_socket_is_listed_for_nobody_with_its_user_and_without_its_owner() {
    let (_listener, port) = listener();
    let mut command = support::sockscope();
    command.args(["list", "--json", "-t", &format!("sport {port} and listen")]);
    if !netns::as_nobody(&mut command) {
        return skip("needs root to become nobody");
    }
    let output = command.output().unwrap();
    let listing: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = &listing["sockets"][0];
    assert_eq!(row["ownership"], "hidden");
    assert_eq!(row["ownership_reason"], "permission");
    assert_eq!((&row["uid"], &row["user"]), (&json!(0), &json!("root")));
    let gap = &listing["gaps"][0];
    assert_eq!((&gap["what"], &gap["count"]), (&json!("owners"), &json!(1)));
    assert!(gap["hint"].as_str().unwrap().contains("root"), "{gap}");
    assert_eq!(output.status.code(), Some(0), "what can be seen is listed");
    // One line says what could not be seen and what would fix it.
    let summary = String::from_utf8(output.stderr).unwrap();
    assert_eq!(summary.lines().count(), 1, "{summary}");
}

#[test]
fn a_hostile_process_name_cannot_drive_the_terminal() {
    let Some(python) = support::program("python3") else { return skip("needs python3") };
    let script = "import socket, time\n\
                  open('/proc/self/comm', 'wb').write(b'a)b\\n\\x1b[31m\\xff')\n\
                  s = socket.create_server(('127.0.0.1', 0))\n\
                  print(s.getsockname()[1], flush=True)\n\
                  time.sleep(600)";
    let mut command = Command::new(python);
    let (process, port) =
        Running::start_and_read_line(command.args(["-c", script]).stderr(Stdio::inherit()));
    let row = socket(port.parse().unwrap(), "LISTEN");
    assert_eq!(row["owners"][0]["pid"], process.pid());
    let mut command = support::sockscope();
    // Of its own: what others left at the port has other processes.
    let filter = format!("sport {port} and pid {}", process.pid());
    command.args(["list", "-o", "comm,pid", "--color", "always", &filter]);
    let table = support::output(&mut command).stdout;
    assert!(
        !table.windows(5).any(|bytes| bytes == b"\x1b[31m"),
        "{}",
        String::from_utf8_lossy(&table)
    );
    let text = String::from_utf8(table).unwrap();
    assert_eq!(text.lines().count(), 2, "a header and one row: {text}");
}

#[test]
fn who_may_not_use_bpf_is_told_when_it_was_asked_for_and_only_then() {
    let (_listener, port) = listener();
    let as_nobody = |args: &[&str]| {
        let mut command = support::sockscope();
        command.args(["list", "-t", &format!("sport {port} and listen")]).args(args);
        netns::as_nobody(&mut command).then(|| command.output().unwrap())
    };
    let Some(refused) = as_nobody(&["--owners", "bpf"]) else {
        return skip("needs root to become nobody");
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let told = text(refused.stderr);
    assert!(told.contains("needs CAP_BPF and CAP_PERFMON") && told.contains("hint: "), "{told}");
    let plain = as_nobody(&[]).unwrap();
    assert_eq!(plain.status.code(), Some(0));
    assert!(!text(plain.stderr).contains("BPF"), "nobody asked");
    let verbose = text(as_nobody(&["-v"]).unwrap().stderr);
    assert!(verbose.contains("owners: found by walking through /proc; "), "{verbose}");
}
