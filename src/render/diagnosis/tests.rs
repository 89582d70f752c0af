use std::net::IpAddr;

use serde_json::Value;

use super::*;
use crate::diagnose::{BindFacts, BindRequest, REASONS, diagnose};
use crate::join::join;
use crate::platform::replay::Replay;
use crate::platform::{Backend as _, Request};
use crate::snapshot::Snapshot;
use crate::socket::Protocol;

fn laptop() -> Snapshot {
    let recording = include_bytes!("../../../tests/fixtures/collected/laptop.json");
    let mut replay = Replay::from_reader(&recording[..]).unwrap();
    join(replay.collect(&Request::default()).unwrap())
}

fn asked(snapshot: &Snapshot, address: &str, port: u16) -> Diagnosis {
    let address: IpAddr = address.parse().unwrap();
    let target = Target::Inet { protocol: Protocol::Tcp, address, scope: None, port };
    let facts = BindFacts {
        unprivileged_port_start: Some(0),
        bindv6only: Some(false),
        ..BindFacts::default()
    };
    diagnose(snapshot, &facts, &BindRequest::plain(target))
}

fn page(addresses: &[&str], port: u16, options: Options) -> String {
    let snapshot = laptop();
    let diagnoses: Vec<Diagnosis> =
        addresses.iter().map(|address| asked(&snapshot, address, port)).collect();
    let mut out = Vec::new();
    write(&diagnoses, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const NARROW: Options = Options { width: Some(80), explain: false };

#[test]
fn a_web_server_in_the_way_is_this() {
    insta::assert_snapshot!(page(&["0.0.0.0", "::"], 80, NARROW));
}

#[test]
fn the_long_story_of_a_dual_stack_listener_is_this() {
    insta::assert_snapshot!(page(&["127.0.0.1"], 8000, Options { explain: true, ..NARROW }));
}

#[test]
fn a_free_port_is_one_line() {
    assert_eq!(page(&["0.0.0.0", "::"], 9, NARROW), "tcp 0.0.0.0:9 and [::]:9: yes, it is free\n");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for port in [22, 53, 80, 3001, 5432, 6379, 8000, 38400, 40112] {
        for line in page(&["0.0.0.0", "::1"], port, NARROW).lines() {
            // A word is never broken: both ends of a connection are one.
            assert!(line.width() <= 80 || !line.trim().contains(' '), "{line}");
        }
    }
}

// JSON.

#[test]
fn the_json_says_what_fails_and_why() {
    let snapshot = laptop();
    let diagnoses = [asked(&snapshot, "0.0.0.0", 80)];
    let mut out = Vec::new();
    json::write(&diagnoses, &snapshot, &mut out).unwrap();
    let why: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(why["schema"], "sockscope.why/1");
    let answer = &why["answers"][0];
    assert_eq!(answer["verdict"], "fails");
    assert_eq!((&answer["call"], &answer["errno"]), (&"bind".into(), &"EADDRINUSE".into()));
    assert_eq!(answer["causes"][0]["sockets"][0]["owners"][0]["command"], "nginx");
}

#[cfg(feature = "cli")]
#[test]
fn the_committed_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/why.schema.json");
    #[expect(clippy::disallowed_methods, reason = "BLESS=1 cargo test rewrites the file")]
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, json::schema()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        json::schema(),
        "run with BLESS=1"
    );
}

#[test]
fn the_documentation_has_every_reason() {
    let documentation = include_str!("../../../docs/json.md");
    for about in REASONS {
        let row = format!("| `{}` | {} |", about.word, about.title);
        assert!(documentation.contains(&row), "docs/json.md lacks {row}");
    }
}

#[cfg(feature = "cli")]
#[test]
fn the_documentation_names_every_field() {
    let documentation = include_str!("../../../docs/json.md");
    let schema: Value = serde_json::from_str(&json::schema()).unwrap();
    for of in ["/properties", "/$defs/Answer/properties", "/$defs/Asked/properties"] {
        for field in schema.pointer(of).unwrap().as_object().unwrap().keys() {
            assert!(documentation.contains(&format!("`{field}`")), "docs/json.md lacks `{field}`");
        }
    }
}
