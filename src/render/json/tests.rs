//! The output is what the schema and docs/json.md say.

use serde_json::{Map, Value, json};

use super::*;
use crate::render::fixture;

fn written(write: fn(&Snapshot, &mut dyn Write) -> io::Result<()>) -> String {
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
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.schema.json");
    #[expect(clippy::disallowed_methods, reason = "BLESS=1 cargo test rewrites the file")]
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, schema()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        schema(),
        "run: BLESS=1 cargo test the_committed_schema_is_current"
    );
}

#[test]
fn the_documentation_names_every_field() {
    let documentation = include_str!("../../../docs/json.md");
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let mut fields = Vec::new();
    collect_properties(&schema, &mut fields);
    assert!(fields.len() > 30, "{fields:?}");
    for field in fields {
        assert!(documentation.contains(&format!("`{field}`")), "docs/json.md lacks `{field}`");
    }
}

fn collect_properties(schema: &Value, fields: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                fields.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| collect_properties(value, fields));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_properties(value, fields)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_output_conforms_to_the_schema() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let listing: Value = serde_json::from_str(&written(write)).unwrap();
    assert_eq!(fault(&listing, &schema, &schema), None);
}

#[test]
fn a_renamed_a_missing_and_a_retyped_field_do_not_conform() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let mut renamed: Value = serde_json::from_str(&written(write)).unwrap();
    let socket = renamed["sockets"][0].as_object_mut().unwrap();
    let pid = socket.remove("inode").unwrap();
    assert!(fault(&renamed, &schema, &schema).is_some());
    renamed["sockets"][0]["inode"] = pid;
    assert_eq!(fault(&renamed, &schema, &schema), None);
    renamed["sockets"][0]["ino"] = json!(1);
    assert!(fault(&renamed, &schema, &schema).is_some());
    let mut retyped: Value = serde_json::from_str(&written(write)).unwrap();
    retyped["sockets"][0]["owners"][0]["pid"] = json!("811");
    assert!(fault(&retyped, &schema, &schema).is_some());
}

/// Returns the first way in which a value does not conform: the part of JSON Schema that our own
/// schema uses, and stricter in that a field that is not in the schema is a fault.
fn fault(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        return fault(value, root.pointer(reference.trim_start_matches('#')).unwrap(), root);
    }
    if let Some(Value::Array(choices)) = schema.get("anyOf").or(schema.get("oneOf")) {
        // What stands beside the choices holds too, such as the rest of a tagged object.
        let faults: Vec<_> =
            choices.iter().map_while(|choice| fault(value, choice, root)).collect();
        return (faults.len() == choices.len()).then(|| format!("no choice: {faults:?}"));
    }
    let wrong = |what: &str| Some(format!("{value}: {what} of {schema}"));
    match schema.get("type") {
        Some(Value::String(wanted)) if !is_a(value, wanted) => return wrong("type"),
        Some(Value::Array(wanted))
            if !wanted.iter().any(|wanted| is_a(value, wanted.as_str().unwrap())) =>
        {
            return wrong("type");
        }
        _ => {}
    }
    if schema.get("const").is_some_and(|constant| constant != value) {
        return wrong("const");
    }
    if schema.get("enum").is_some_and(|words| !words.as_array().unwrap().contains(value)) {
        return wrong("enum");
    }
    if let (Value::Array(elements), Some(items)) = (value, schema.get("items")) {
        return elements.iter().find_map(|element| fault(element, items, root));
    }
    if let (Value::Object(fields), Some(properties)) = (value, schema.get("properties")) {
        return object_fault(fields, properties, schema, root);
    }
    None
}

fn object_fault(
    fields: &Map<String, Value>,
    properties: &Value,
    schema: &Value,
    root: &Value,
) -> Option<String> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    if let Some(missing) =
        required.map(|key| key.as_str().unwrap()).find(|&key| !fields.contains_key(key))
    {
        return Some(format!("no {missing}"));
    }
    fields.iter().find_map(|(key, value)| match properties.get(key) {
        Some(property) => fault(value, property, root).map(|fault| format!("{key}: {fault}")),
        None => Some(format!("{key} is not in the schema")),
    })
}

fn is_a(value: &Value, wanted: &str) -> bool {
    match wanted {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema says {other}"),
    }
}
