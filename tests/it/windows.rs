//! The command on Windows, beside real servers of its own. All of it runs under Wine too.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Output;

use serde_json::Value;
use sockscope::demo::{Lesson, lessons};

use crate::support::{self, Running, listed, output, sockscope};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Starts an echo server, and returns it with its port.
fn server() -> (Running, u16) {
    let (server, line) = Running::start_and_read_line(sockscope().args(["serve", "127.0.0.1:0"]));
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let (_, rest) = line.split_once("127.0.0.1:").unwrap_or_else(|| panic!("{line}"));
    (server, digits(rest).parse().unwrap())
}

fn on_port(port: u16) -> Vec<Value> {
    listed(sockscope().args(["list", "--json", &format!("sport {port} and listen")]))
}

#[test]
fn two_servers_are_listed_with_their_own_processes_names_and_users() {
    let servers = [server(), server()];
    for (running, port) in &servers {
        let rows = on_port(*port);
        let [row] = &rows[..] else { panic!("{rows:#?}") };
        assert_eq!((&row["state"], &row["ownership"]), (&"LISTEN".into(), &"held".into()));
        let owner = &row["owners"][0];
        assert_eq!(owner["pid"], running.pid());
        assert_eq!(owner["command"], "sockscope.exe");
        assert_eq!(owner["via"], "table");
        assert!(owner["user"].as_str().is_some_and(|name| !name.is_empty()), "{owner:#}");
        assert!(owner["started_at"].is_string(), "{owner:#}");
    }
}

#[test]
fn both_ends_of_a_connection_are_found_and_neither_twice() {
    let (running, port) = server();
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let own = client.local_addr().unwrap().port();
    support::wait_until(|| {
        let filter = format!("established and (sport {own} or dport {own})");
        let rows = listed(sockscope().args(["list", "--json", &filter]));
        let mut pids: Vec<u64> =
            rows.iter().filter_map(|row| row["owners"][0]["pid"].as_u64()).collect();
        let mut expected = [u64::from(running.pid()), u64::from(std::process::id())];
        pids.sort_unstable();
        expected.sort_unstable();
        rows.len() == 2 && pids == expected
    });
}

#[test]
fn the_portable_backend_tells_the_same_sockets_and_processes() {
    let (_running, port) = server();
    let filter = format!("sport {port}");
    let of = |arguments: &[&str]| {
        let rows = listed(sockscope().args(["list", "--json", &filter]).args(arguments));
        let facts = |row: &Value| (row["local"].clone(), row["owners"][0]["pid"].clone());
        rows.iter().map(facts).collect::<Vec<_>>()
    };
    assert_eq!(of(&[]), of(&["--backend", "portable"]));
}

#[test]
fn a_conflict_is_explained_and_resolved() {
    let (running, port) = server();
    let target = format!("127.0.0.1:{port}");
    let why = sockscope().args(["why", &target]).output().unwrap();
    let text = stdout(&why);
    assert_eq!(why.status.code(), Some(1), "{text}");
    let holder = format!("sockscope.exe ({}", running.pid());
    assert!(text.contains("EADDRINUSE") && text.contains(&holder), "{text}");

    let plan = output(sockscope().args(["free", &target, "--dry-run"]));
    let command = format!("taskkill /F /PID {}", running.pid());
    assert!(stdout(&plan).contains(&command), "{}", stdout(&plan));
    assert_eq!(on_port(port).len(), 1, "a dry run does nothing");

    let freed = sockscope().args(["free", &target, "--yes"]).output().unwrap();
    assert_eq!(freed.status.code(), Some(0), "{freed:?}");
    assert!(stdout(&freed).contains(&format!("ended sockscope.exe ({})", running.pid())));
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
}

#[test]
fn whoever_asks_is_not_ended() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused =
        sockscope().args(["free", &format!("127.0.0.1:{port}"), "--yes"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(stdout(&refused).contains("what it was started from"), "{}", stdout(&refused));
}

#[test]
fn a_free_port_is_picked_and_waited_for() {
    let picked = output(sockscope().args(["pick", "--tcp"]));
    let port: u16 = stdout(&picked).trim().parse().unwrap();
    let is_free = |port: u16| {
        let wait = sockscope().args(["wait", "free", &port.to_string(), "-t", "0"]).output();
        wait.unwrap().status.code()
    };
    assert_eq!(is_free(port), Some(0));
    let (_running, port) = server();
    assert_eq!(is_free(port), Some(1));
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
    output(sockscope().args(["wait", "listen", &target, "-t", "20"]));
    output(sockscope().args(["wait", "connect", &target, "-t", "20"]));
}

/// What this system lists of what a lesson makes is as promised, and what it lists nothing of is said
/// to be missing.
#[test]
fn each_lesson_passes_or_says_why_it_cannot_be_shown() {
    let mut shown = Vec::new();
    for lesson in lessons::ALL {
        let Lesson { name, steps, .. } = lesson;
        let played = sockscope().args(["demo", name, "--json"]).output().unwrap();
        let objects: Vec<Value> =
            stdout(&played).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if let Some(why) = objects.first().and_then(|first| first["skipped"].as_str()) {
            assert!(why.contains("windows") || why.contains("UNIX"), "{name}: {why}");
            continue;
        }
        assert_eq!(objects.len(), steps.len(), "{name}: {played:?}");
        for step in &objects {
            assert_eq!(step["surprises"], Value::Array(vec![]), "{step:#}");
        }
        assert_eq!(played.status.code(), Some(0), "{name}: {played:?}");
        shown.push(*name);
    }
    assert_eq!(shown, ["tcp", "partial", "clients", "halfclose", "abort"]);
}

#[test]
fn close_says_what_it_does_and_refuses_what_it_must_not_or_cannot_close() {
    let (_running, port) = server();
    let close = |arguments: &[&str]| sockscope().arg("close").args(arguments).output().unwrap();
    let stderr = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let listener = close(&["--yes", &format!("sport {port} and listen")]);
    assert_eq!(listener.status.code(), Some(2), "{listener:?}");
    assert!(stderr(&listener).contains("it is a listener"), "{listener:?}");

    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let own = client.local_addr().unwrap();
    let target = format!("tcp:{own}->127.0.0.1:{port}");
    support::wait_until(|| close(&["--dry-run", &target]).status.success());
    let plan = stdout(&close(&["--dry-run", &target]));
    assert!(
        plan.contains(" gets a reset (RST): ECONNRESET") && plan.contains("a dry run"),
        "{plan}"
    );
    // Wine's call does nothing and says that it has: what is there is looked at, not believed.
    let closed = close(&["--yes", &target]);
    let text = stderr(&closed);
    let is_closed = closed.status.success() && stdout(&closed).ends_with(" is gone\n");
    assert!(is_closed || text.contains("but it is still there"), "{closed:?}");

    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let client = TcpStream::connect(v6.local_addr().unwrap()).unwrap();
    let target = format!("tcp:{}->{}", client.local_addr().unwrap(), v6.local_addr().unwrap());
    let refused = close(&["--yes", &target]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(stderr(&refused).contains("but those of TCP over IPv4"), "{refused:?}");
}
