//! Pages as they are seen, of the laptop's recording.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::join::join;
use crate::platform::replay::Replay;
use crate::platform::{Backend as _, Request};
use crate::port::report;
#[cfg(feature = "cli")]
use crate::render::json::conformance;
use crate::snapshot::Snapshot;

fn laptop() -> Snapshot {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/collected/laptop.json");
    join(Replay::open(&path).unwrap().collect(&Request::default()).unwrap())
}

fn page(port: u16, options: &PortOptions<'_>) -> String {
    let mut out = Vec::new();
    write(&report(&laptop(), port), options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The page on a terminal of 80 columns.
fn at_80(port: u16) -> String {
    let page = page(port, &PortOptions { width: Some(80), ..PortOptions::default() });
    for line in page.lines() {
        assert!(line.width() <= 80, "{line}");
    }
    page
}

#[test]
fn a_web_server_is_this() {
    let services = [(Protocol::Tcp, "http".to_owned())];
    let options = PortOptions { width: Some(80), services: &services, ..PortOptions::default() };
    insta::assert_snapshot!(page(80, &options));
}

#[test]
fn a_dual_stack_server_with_all_kinds_of_connections_is_this() {
    insta::assert_snapshot!(at_80(8000));
}

#[test]
fn twins_are_this() {
    insta::assert_snapshot!(at_80(9090));
}

#[test]
fn a_database_with_local_clients_is_this() {
    insta::assert_snapshot!(at_80(6379));
}

#[test]
fn hidden_receivers_are_this() {
    insta::assert_snapshot!(at_80(5353));
}

#[test]
fn a_port_that_is_merely_bound_is_this() {
    insta::assert_snapshot!(at_80(3000));
}

#[test]
fn a_port_held_elsewhere_alone_is_this() {
    insta::assert_snapshot!(at_80(443));
}

#[test]
fn a_port_nobody_holds_is_one_line() {
    assert_eq!(at_80(1), "nobody holds port 1\n");
}

#[test]
fn the_verdict_is_the_first_line() {
    for (port, verdict) in [
        (8000, "port 8000/tcp: python3 (6001) listens on [::] (IPv4 too)\n"),
        (22, "port 22/tcp: sshd (701) listens on 0.0.0.0 and [::]\n"),
        (53, "port 53/tcp: systemd-resolved (612) listens on 127.0.0.53\n"),
        (3000, "port 3000/tcp: node (4711) holds 127.0.0.1 without listening\n"),
        (68, "port 68/udp: NetworkManager (650) is connected from 10.20.30.40; nobody listens\n"),
    ] {
        let page = page(port, &PortOptions::default());
        assert!(page.starts_with(verdict), "{page}");
    }
}

#[test]
fn no_name_drives_the_terminal() {
    let snapshot = laptop();
    for entry in &snapshot.entries {
        let Some(port) = entry.socket.local.as_ref().and_then(Endpoint::port) else { continue };
        let page = page(port, &PortOptions::default());
        assert!(!page.replace('\n', "").contains(char::is_control), "{page:?}");
    }
}

#[test]
fn many_peers_are_counted_and_not_shown() {
    let mut report = report(&laptop(), 8000);
    let group = report.connections[0].clone();
    let peers = (0..15).map(|last| PeerGroup { peer: [10, 0, 0, last].into(), ..group.clone() });
    report.connections = peers.collect();
    let mut out = Vec::new();
    write(&report, &PortOptions::default(), &mut out).unwrap();
    let page = String::from_utf8(out).unwrap();
    assert!(page.contains("  10.0.0.9 ") && !page.contains("  10.0.0.10 "), "{page}");
    let more = 5 * group.connections.len();
    assert!(page.contains(&format!("5 more peers with {more} connections; --json")), "{page}");
}

// JSON.

fn json(port: u16) -> Value {
    let snapshot = laptop();
    let services = [(Protocol::Tcp, "http".to_owned())];
    let mut out = Vec::new();
    json::write(&report(&snapshot, port), &snapshot, &services, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn the_json_pairs_the_ends_of_local_connections() {
    let report = json(8000);
    assert_eq!(report["schema"], "sockscope.port/1");
    assert_eq!(report["held"], true);
    let groups = report["connections"].as_array().unwrap();
    let local = groups.iter().find(|group| group["peer"] == "127.0.0.1").unwrap();
    assert_eq!(local["connections"][0]["other"]["owners"][0]["command"], "curl");
    assert_eq!(report["listeners"][0]["socket"]["v6only"], false);
}

#[cfg(feature = "cli")]
#[test]
fn the_committed_schema_is_current() {
    conformance::assert_committed("port.schema.json", &json::schema());
}

#[cfg(feature = "cli")]
#[test]
fn the_documentation_names_every_field() {
    conformance::assert_documented(&json::schema());
}

#[cfg(feature = "cli")]
#[test]
fn the_json_conforms_to_the_schema() {
    for port in [80, 443, 8000, 8081] {
        assert_eq!(conformance::fault_of(&json(port), &json::schema()), None);
    }
}
