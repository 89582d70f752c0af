//! The recordings in `tests/fixtures/collected`: each is what README.md there says, and what is
//! broken is refused.

use std::fs;
use std::path::{Path, PathBuf};

use sockscope::join::join;
use sockscope::platform::replay::{Replay, record, redact};
use sockscope::platform::{Backend, Request};
use sockscope::process::{HiddenReason, Ownership, Via};
use sockscope::snapshot::{Collected, Entry, Snapshot};
use sockscope::socket::Protocol;
use sockscope::state::TcpState;

use crate::support::{output, sockscope};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/collected")
}

/// Returns the `.json` files in a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

fn collect(path: &Path) -> Collected {
    Replay::open(path).unwrap().collect(&Request::default()).unwrap()
}

fn laptop() -> Snapshot {
    join(collect(&folder().join("laptop.json")))
}

fn local_port(entry: &Entry) -> u16 {
    entry.socket.local.as_ref().unwrap().port().unwrap()
}

fn commands(entry: &Entry) -> Vec<String> {
    let owners = entry.ownership.owners();
    owners.iter().map(|owner| owner.process.command.as_ref().unwrap().to_string()).collect()
}

#[test]
fn every_recording_is_written_as_record_writes_it() {
    let files = files(&folder());
    assert!(files.len() >= 2);
    for path in files {
        let mut written = Vec::new();
        record(&collect(&path), &mut written).unwrap();
        let expected = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
        assert_eq!(String::from_utf8(written).unwrap(), expected, "{}", path.display());
    }
}

#[test]
fn every_broken_recording_is_refused_with_its_reason() {
    let reasons = [
        ("bad-address.json", "it is not a recording: "),
        ("cut-off.json", "it is cut off at line "),
        ("duplicate-id.json", "two of its sockets have the id 1"),
        ("empty.json", "it is empty"),
        ("newer-schema.json", "its schema is \"sockscope.recording/2\""),
        ("not-a-recording.json", "its schema is \"sockscope.list/1\""),
        ("not-json.json", "it is not JSON: "),
    ];
    let files = files(&folder().join("broken"));
    assert_eq!(files.len(), reasons.len());
    for (path, (name, reason)) in files.iter().zip(reasons) {
        assert_eq!(path.file_name().unwrap(), name);
        let error = Replay::open(path).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.starts_with(reason), "{name}: {source}");
    }
}

#[test]
fn the_laptop_has_every_tcp_state() {
    let snapshot = laptop();
    for state in TcpState::all().filter(|state| *state != TcpState::Closed) {
        assert!(snapshot.entries.iter().any(|e| e.socket.state == Some(state)), "{state}");
    }
}

#[test]
fn the_laptops_nginx_listener_has_three_owners_the_master_first() {
    let snapshot = laptop();
    let listener = snapshot.entries.iter().find(|entry| local_port(entry) == 80).unwrap();
    let pids: Vec<u32> =
        listener.ownership.owners().iter().map(|owner| owner.process.pid.0).collect();
    assert_eq!(pids, [800, 801, 802]);
}

#[test]
fn what_the_laptops_programs_have_not_accepted_is_attributed_to_their_listeners() {
    let snapshot = laptop();
    let waiting: Vec<(u16, String, Vec<String>)> = snapshot
        .entries
        .iter()
        .filter(|entry| entry.ownership.owners().iter().any(|o| o.via == Via::AcceptQueue))
        .map(|entry| (local_port(entry), entry.socket.state.unwrap().to_string(), commands(entry)))
        .collect();
    let long = "a-rather-long-program-name-that-no-column-was-made-for";
    let expected: [(u16, &str, &[&str]); 4] = [
        (8000, "ESTABLISHED", &["python3"]),
        (8000, "CLOSE_WAIT", &["python3"]),
        (80, "SYN_RECV", &["nginx", "nginx", "nginx"]),
        (9090, "ESTABLISHED", &[long]),
    ];
    assert_eq!(waiting.len(), expected.len(), "{waiting:?}");
    for ((port, state, names), expected) in waiting.iter().zip(expected) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!((*port, state.as_str(), names.as_slice()), expected);
    }
}

#[test]
fn the_laptop_hides_two_owners_and_lost_one() {
    let snapshot = laptop();
    let count = |wanted: &Ownership| {
        snapshot.entries.iter().filter(|entry| entry.ownership == *wanted).count()
    };
    assert_eq!(count(&Ownership::Hidden(HiddenReason::Permission)), 2);
    assert_eq!(count(&Ownership::Hidden(HiddenReason::Vanished)), 1);
    let kernels = snapshot.entries.iter().filter(|entry| entry.ownership.is_left_over());
    assert_eq!(kernels.count(), 4);
}

#[test]
fn nobody_sees_two_owners_of_nine_sockets() {
    let snapshot = join(collect(&folder().join("nobody.json")));
    assert_eq!(snapshot.entries.len(), 9);
    let held = snapshot.entries.iter().filter(|e| !e.ownership.owners().is_empty()).count();
    assert_eq!(held, 2);
    assert_eq!(snapshot.gaps()[0].count, Some(6));
}

#[test]
fn recordings_of_other_systems_look_the_same_on_every_system() {
    for name in ["macos", "freebsd"] {
        let mut command = sockscope();
        command.args(["list", "-x", "-t", "-u", "-v", "--wide", "-o", "+inode,peer_owner"]);
        let ran = output(command.arg("--replay").arg(folder().join(format!("{name}.json"))));
        let [out, notes] = [ran.stdout, ran.stderr].map(|text| String::from_utf8(text).unwrap());
        insta::assert_snapshot!(name, format!("{out}\n{notes}").replace("\r\n", "\n"));
    }
}

#[test]
fn macos_says_whose_what_is_and_what_may_not_be_seen() {
    let snapshot = join(collect(&folder().join("macos.json")));
    let at = |port: u16| {
        let here = snapshot.entries.iter().filter(|entry| entry.socket.protocol == Protocol::Tcp);
        here.filter(|entry| local_port(entry) == port).collect::<Vec<_>>()
    };
    assert_eq!(commands(at(3000)[0]), ["node", "node"]);
    assert_eq!(at(9090).len(), 2, "twins are two");
    assert_eq!(at(22)[0].ownership, Ownership::Hidden(HiddenReason::Permission));
    assert!(at(5000)[1].ownership.is_left_over());
    assert_eq!(snapshot.gaps()[0].count, Some(2));
}

#[test]
fn freebsd_says_what_waits_and_what_is_in_a_jail() {
    let snapshot = join(collect(&folder().join("freebsd.json")));
    let waiting = &snapshot.entries[3];
    assert_eq!(waiting.ownership.owners()[0].via, Via::AcceptQueue);
    let nginx = &snapshot.entries[0].ownership.owners()[0].process;
    let jail = nginx.cgroup.as_ref().unwrap().container.as_ref().unwrap();
    assert_eq!((jail.runtime.name(), jail.id.to_string()), ("jail", "3".to_owned()));
}

#[test]
fn redacting_the_laptop_leaves_nobodys_name_and_no_address() {
    let mut written = Vec::new();
    record(&redact(collect(&folder().join("laptop.json"))), &mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    for secret in ["alice", "nginx", "shop", "wlan0", "10.20.30", "2001:db8:7", "5c1f", "pwned"] {
        assert!(!text.contains(secret), "{secret} is left");
    }
}
