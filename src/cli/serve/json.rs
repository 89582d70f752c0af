//! The log of `sockscope serve --json`: one line an event, the JSON `sockscope.serve/1` of docs/json.md.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::echo::event::Event;
use crate::render::json::schema_of;
use crate::snapshot::Timestamp;

/// The name and version of the schema.
const SCHEMA: &str = "sockscope.serve/1";

/// A line of the log.
#[derive(Serialize, JsonSchema)]
struct Line<'a> {
    /// The name and version of this schema: `sockscope.serve/1`.
    schema: &'static str,
    /// When it was told, RFC 3339 in UTC.
    #[schemars(with = "String")]
    at: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

/// Writes one event.
pub(super) fn write(at: Timestamp, event: &Event, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(&Line { schema: SCHEMA, at, event })?)
}

/// Returns its JSON Schema.
pub(in crate::cli) fn schema() -> String {
    schema_of::<Line<'_>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json::conformance;

    #[test]
    fn the_committed_schema_is_current_and_documented() {
        conformance::assert_committed("serve.schema.json", &schema());
        conformance::assert_documented(&schema());
    }
}
