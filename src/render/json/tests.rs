//! The output is what the schema and docs/json.md say.

use serde_json::{Value, json};

use super::conformance::fault_of;
use super::*;
use crate::render::fixture;

fn written(write: fn(&Snapshot<dyn Entries>, &mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&fixture::snapshot(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_listing_is_this() {
    let mut snapshot = fixture::snapshot();
    // A listener with four owners, an unaccepted connection, a hidden one, bytes that are not UTF-8.
    snapshot.entries.retain(|entry| matches!(entry.socket.id.0, 1 | 3 | 9 | 10 | 15 | 16));
    let mut out = Vec::new();
    write(&snapshot, &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn rows_written_by_themselves_are_those_of_the_whole() {
    let mut snapshot = fixture::snapshot();
    for copies in [0, 1, 30] {
        let all = std::iter::repeat_n(fixture::snapshot().entries, copies);
        snapshot.entries = all.flatten().collect();
        let mut out = Vec::new();
        write(&snapshot, &mut out).unwrap();
        let whole = serde_json::to_string_pretty(&List::new(&snapshot, &snapshot.entries)).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), whole + "\n");
    }
}

#[test]
fn lines_are_this() {
    insta::assert_snapshot!(written(write_lines));
}

#[test]
fn lines_are_the_elements_of_the_listing() {
    let listing: Value = serde_json::from_str(&written(write)).unwrap();
    let lines: Vec<Value> =
        written(write_lines).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listing["sockets"], Value::from(lines));
}

#[test]
fn the_vision_s_keys_come_in_its_order() {
    let listing = written(write);
    let places: Vec<usize> = ["schema", "collected_at", "platform", "gaps", "sockets"]
        .iter()
        .map(|key| listing.find(&format!("\n  \"{key}\":")).unwrap())
        .collect();
    assert!(places.is_sorted());
    let socket = written(write_lines);
    let places: Vec<usize> = [
        "protocol",
        "family",
        "state",
        "local",
        "peer",
        "queues",
        "inode",
        "cookie",
        "netns",
        "uid",
        "user",
        "ownership",
        "owners",
    ]
    .iter()
    .map(|key| socket.find(&format!("\"{key}\":")).unwrap())
    .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn what_the_kernel_keeps_belongs_to_no_user() {
    let mut snapshot = fixture::snapshot();
    for entry in &mut snapshot.entries {
        entry.socket.uid = Some(process::Uid(0));
        entry.user = Some("root".into());
    }
    let kernel = snapshot.entries.iter().find(|e| e.ownership.kernel().is_some()).unwrap();
    let value = serde_json::to_value(Socket::from(kernel)).unwrap();
    assert_eq!((&value["uid"], &value["user"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_committed_schema_is_current() {
    conformance::assert_committed("json.schema.json", &schema());
}

#[test]
fn the_documentation_names_every_field() {
    conformance::assert_documented(&schema());
}

#[test]
fn the_output_conforms_to_the_schema() {
    let listing: Value = serde_json::from_str(&written(write)).unwrap();
    assert_eq!(fault_of(&listing, &schema()), None);
}

#[test]
fn a_renamed_a_missing_and_a_retyped_field_do_not_conform() {
    let schema = schema();
    let mut renamed: Value = serde_json::from_str(&written(write)).unwrap();
    let socket = renamed["sockets"][0].as_object_mut().unwrap();
    let pid = socket.remove("inode").unwrap();
    assert!(fault_of(&renamed, &schema).is_some());
    renamed["sockets"][0]["inode"] = pid;
    assert_eq!(fault_of(&renamed, &schema), None);
    renamed["sockets"][0]["ino"] = json!(1);
    assert!(fault_of(&renamed, &schema).is_some());
    let mut retyped: Value = serde_json::from_str(&written(write)).unwrap();
    retyped["sockets"][0]["owners"][0]["pid"] = json!("811");
    assert!(fault_of(&retyped, &schema).is_some());
}
