//! The answer of `sockscope wait --json`: the JSON `sockscope.wait/1` of docs/json.md.

use std::time::Duration;

use serde::Serialize;

use crate::cli::wait::{Event, Instead, Missed, WaitArgs};
use crate::cli::{Exit, Io};
use crate::render::json::schema_of;

/// The name and version of the schema.
const SCHEMA: &str = "sockscope.wait/1";

/// What came of a wait.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Wait<'a> {
    /// The name and version of this schema: `sockscope.wait/1`.
    schema: &'static str,
    /// What was waited for: `listen`, `free` or `connect`.
    event: &'static str,
    /// Whether all targets hold.
    reached: bool,
    /// How long it took, in milliseconds.
    waited_ms: u64,
    /// The targets, in the order in which they were given.
    targets: Vec<Awaited<'a>>,
}

/// One target.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Awaited<'a> {
    /// As it was typed.
    target: &'a str,
    /// Whether it held at the last look.
    reached: bool,
    /// What is there instead, sentences; empty when it held.
    instead: Vec<String>,
    /// The command that tells more; null when there is none.
    hint: Option<String>,
}

/// Writes the answer in one line. Exit 0 when all hold, 1 when not.
pub(super) fn write(
    args: &WaitArgs,
    missed: &[Missed<'_>],
    waited: Duration,
    io: &mut Io<'_>,
) -> anyhow::Result<Exit> {
    let awaited = |target| -> anyhow::Result<Awaited<'_>> {
        let missed = missed.iter().find(|one| one.target == target);
        let Instead { facts: instead, hint } =
            missed.map(|one| one.why.explain()).transpose()?.unwrap_or_default();
        Ok(Awaited { target, reached: missed.is_none(), instead, hint })
    };
    let wait = Wait {
        schema: SCHEMA,
        event: word(args.event),
        reached: missed.is_empty(),
        waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        targets: args.targets.iter().map(|target| awaited(target)).collect::<Result<_, _>>()?,
    };
    writeln!(io.stdout, "{}", serde_json::to_string(&wait)?)?;
    Ok(if wait.reached { Exit::Found } else { Exit::Nothing })
}

const fn word(event: Event) -> &'static str {
    match event {
        Event::Listen => "listen",
        Event::Free => "free",
        Event::Connect => "connect",
    }
}

/// Returns its JSON Schema.
pub(in crate::cli) fn schema() -> String {
    schema_of::<Wait<'_>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json::conformance;

    #[test]
    fn the_committed_schema_is_current_and_documented() {
        conformance::assert_committed("wait.schema.json", &schema());
        conformance::assert_documented(&schema());
    }

    #[test]
    fn the_json_is_as_its_schema_says() {
        let missed =
            Awaited { target: "81", reached: false, instead: vec!["x".into()], hint: None };
        let held = Awaited {
            target: "80",
            reached: true,
            instead: Vec::new(),
            hint: Some("sockscope why tcp:80".into()),
        };
        let wait = Wait {
            schema: SCHEMA,
            event: word(Event::Listen),
            reached: false,
            waited_ms: 7,
            targets: vec![held, missed],
        };
        let document = serde_json::to_value(&wait).unwrap();
        assert_eq!(conformance::fault_of(&document, &schema()), None);
    }
}
