//! The recordings in `tests/fixtures/collected`: each is what README.md there says, and what is
//! broken is refused.

use std::fs;
use std::path::{Path, PathBuf};

use sockscope::join::join;
use sockscope::platform::replay::{Replay, record, redact};
use sockscope::platform::{Backend, Request};
use sockscope::process::{HiddenReason, Ownership, Via};
use sockscope::snapshot::{Collected, Entry, Snapshot};
use sockscope::state::TcpState;

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
fn redacting_the_laptop_leaves_nobodys_name_and_no_address() {
    let mut written = Vec::new();
    record(&redact(collect(&folder().join("laptop.json"))), &mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    for secret in ["alice", "nginx", "shop", "wlan0", "10.20.30", "2001:db8:7", "5c1f", "pwned"] {
        assert!(!text.contains(secret), "{secret} is left");
    }
}
