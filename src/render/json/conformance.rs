//! Checks of a document against its schema, for the tests of every command that writes JSON.

use serde_json::{Map, Value};

/// Checks that the committed file in docs/ is the schema; `BLESS=1` rewrites it.
#[track_caller]
pub(crate) fn assert_committed(file: &str, schema: &str) {
    let path = format!("{}/docs/{file}", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "BLESS=1 cargo test rewrites the file")]
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, schema).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    // Without both in the message: they are long.
    assert!(committed == schema, "run: BLESS=1 cargo test the_committed_schema_is_current");
}

/// Checks that docs/json.md names every field of the schema.
#[track_caller]
pub(crate) fn assert_documented(schema: &str) {
    let documentation = include_str!("../../../docs/json.md");
    let mut fields = Vec::new();
    collect_properties(&serde_json::from_str(schema).unwrap(), &mut fields);
    assert!(fields.contains(&"schema".to_owned()), "{fields:?}");
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

/// Returns the first way in which a document does not conform to a schema; `None` when it does.
pub(crate) fn fault_of(document: &Value, schema: &str) -> Option<String> {
    let schema = serde_json::from_str(schema).unwrap();
    fault(document, &schema, &schema)
}

/// Returns the first way in which a value does not conform: the part of JSON Schema that our own
/// schema uses, and stricter in that a field that is not in the schema is a fault.
fn fault(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let referred = root.pointer(reference.trim_start_matches('#')).unwrap();
        return fault(value, &beside(schema, referred), root);
    }
    if let Some(Value::Array(choices)) = schema.get("anyOf").or(schema.get("oneOf")) {
        // What stands beside the choices holds too, such as the rest of a tagged object.
        let whole = |choice| fault(value, &beside(schema, choice), root);
        let faults: Vec<_> = choices.iter().map_while(whole).collect();
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

/// Returns a part of a schema, with the fields that stand beside it.
fn beside(schema: &Value, part: &Value) -> Value {
    let mut part = part.clone();
    for key in ["properties", "required"] {
        match (schema.get(key), part.get_mut(key)) {
            (Some(Value::Object(common)), Some(Value::Object(own))) => own.extend(common.clone()),
            (Some(Value::Array(common)), Some(Value::Array(own))) => own.extend(common.clone()),
            (Some(common), _) => part[key] = common.clone(),
            (None, _) => {}
        }
    }
    part
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
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema says {other}"),
    }
}
