//! `demo --json`: one line a step, the JSON `sockscope.demo/1` of docs/json.md.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::demo::Performed;
use crate::demo::cast::{Program, Role};
use crate::demo::code::{Language, code};
use crate::demo::stage;
use crate::render::json;

/// The name and version of the schema.
const SCHEMA: &str = "sockscope.demo/1";

/// A line of the output.
#[derive(Serialize, JsonSchema)]
pub(super) struct Line<'a> {
    /// The name and version of this schema: `sockscope.demo/1`.
    schema: &'static str,
    /// The name of the lesson.
    lesson: &'a str,
    #[serde(flatten)]
    what: What<'a>,
}

/// What is said of a lesson.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum What<'a> {
    Shown(Shown<'a>),
    Skipped(Skipped<'a>),
}

/// One step.
#[derive(Serialize, JsonSchema)]
struct Shown<'a> {
    /// The number of the step, from 1 on.
    step: usize,
    /// How many steps the lesson has.
    of: usize,
    /// The calls of this step, in the order they were made.
    calls: Vec<Call<'a>>,
    /// What to see.
    say: &'a str,
    /// The lesson's sockets, in the order they appeared.
    rows: Vec<Row<'a>>,
    /// What was not as the lesson promises; empty when all was.
    surprises: &'a [String],
}

/// A lesson that cannot be shown here.
#[derive(Serialize, JsonSchema)]
struct Skipped<'a> {
    /// Why not.
    skipped: &'a str,
}

/// One call.
#[derive(Serialize, JsonSchema)]
struct Call<'a> {
    #[serde(flatten)]
    call: &'a stage::Call,
    /// The lines of `--code`; absent without.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Vec<String>>,
}

/// One row of the listing.
#[derive(Serialize, JsonSchema)]
struct Row<'a> {
    /// What the lesson calls the socket.
    role: &'a str,
    /// Whose it is.
    program: Program,
    /// The row, as in the listing.
    socket: json::Socket<'a>,
}

impl<'a> Line<'a> {
    /// Returns what there is to say of a step.
    pub(super) fn of(step: &'a Performed, language: Option<Language>) -> Self {
        let code = |call| language.map(|language| code(call, language));
        let rows = step.roles.iter().zip(&step.snapshot.entries);
        let what = What::Shown(Shown {
            step: step.number,
            of: step.of,
            calls: step.calls.iter().map(|call| Call { call, code: code(call) }).collect(),
            say: step.say,
            rows: rows
                .map(|(&Role { name: role, program }, entry)| Row {
                    role,
                    program,
                    socket: json::Socket::from(entry),
                })
                .collect(),
            surprises: &step.surprises,
        });
        Self { schema: SCHEMA, lesson: step.lesson, what }
    }

    /// Returns that a lesson cannot be shown, and why.
    pub(super) const fn skipped(lesson: &'a str, why: &'a str) -> Self {
        Self { schema: SCHEMA, lesson, what: What::Skipped(Skipped { skipped: why }) }
    }

    /// Writes it.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", serde_json::to_string(self)?)
    }
}

/// Returns its JSON Schema.
pub(in crate::cli) fn schema() -> String {
    json::schema_of::<Line<'_>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json::conformance;

    #[test]
    fn the_committed_schema_is_current_and_documented() {
        conformance::assert_committed("demo.schema.json", &schema());
        conformance::assert_documented(&schema());
    }

    #[test]
    fn a_lesson_that_cannot_be_shown_is_as_its_schema_says() {
        let line = serde_json::to_value(Line::skipped("netns", "not here")).unwrap();
        assert_eq!(conformance::fault_of(&line, &schema()), None);
    }
}
