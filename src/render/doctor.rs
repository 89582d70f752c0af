//! The report of `sockscope doctor`: as text, and as the JSON `sockscope.doctor/1` of docs/json.md.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use crate::doctor::{Fact, Report};
#[cfg(feature = "cli")]
use crate::render::json::schema_of;
use crate::render::sanitize;
use crate::snapshot::Gap;

/// The name and version of the schema.
pub const SCHEMA: &str = "sockscope.doctor/1";

/// What this system lets sockscope see.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
struct Doctor<'a> {
    /// The name and version of this schema: `sockscope.doctor/1`.
    schema: &'static str,
    /// The system.
    platform: &'a str,
    /// Whether a listing lacks nothing.
    complete: bool,
    /// What was found.
    facts: &'a [Fact],
    /// What a listing of everything lacks.
    missing: &'a [Gap],
}

/// Writes it for a person: a line for each fact, then what is missing and what would cure it.
///
/// # Errors
///
/// The writer's.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    let width = report.facts.iter().map(|fact| fact.about.len()).max().unwrap_or(0);
    for Fact { about, permits, found } in &report.facts {
        let mark = match permits {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let found = sanitize::string(found);
        let _infallible = writeln!(text, "{about:width$}  {mark:3}  {found}");
    }
    text.push('\n');
    if report.is_complete() {
        text.push_str("complete: a listing lacks nothing that is known of\n");
    }
    for gap in &report.missing {
        let Gap { what, detail, why, count, hint } = gap;
        let count = count.map_or_else(String::new, |count| format!(" ({count})"));
        let detail = detail.as_ref().map_or_else(String::new, |detail| format!(", {detail}"));
        let line = format!("missing: {what}{count}{detail}: {why}");
        let _infallible = writeln!(text, "{}", sanitize::string(&line));
        if let Some(hint) = hint {
            let _infallible = writeln!(text, "   cure: {}", sanitize::string(hint));
        }
    }
    out.write_all(text.as_bytes())
}

/// Writes it for programs.
///
/// # Errors
///
/// The writer's.
pub fn write_json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Report { platform, facts, missing } = report;
    let complete = report.is_complete();
    serde_json::to_writer_pretty(
        &mut *out,
        &Doctor { schema: SCHEMA, platform, complete, facts, missing },
    )?;
    writeln!(out)
}

/// Returns its JSON Schema.
#[cfg(feature = "cli")]
pub fn schema() -> String {
    schema_of::<Doctor<'_>>()
}

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests {
    use super::*;
    use crate::render::json::conformance;
    use crate::snapshot::Missing;

    fn report() -> Report {
        let gap = Gap::new(Missing::Descriptors, "permission denied")
            .count(12)
            .hint("run as root (sudo)\x1b[2J");
        let facts = vec![
            Fact::plain("kernel", "Linux 6.18"),
            Fact::new("bpf", false, "needs CAP_BPF"),
            Fact::new("diag-tcp", true, "answers"),
        ];
        Report::new("linux", facts, [gap.clone(), gap])
    }

    #[test]
    fn each_fact_is_a_line_and_what_is_missing_is_told_once_with_its_cure() {
        let mut out = Vec::new();
        write(&report(), &mut out).unwrap();
        let expected = "kernel         Linux 6.18\n\
                        bpf       no   needs CAP_BPF\n\
                        diag-tcp  yes  answers\n\n\
                        missing: descriptors (12): permission denied\n   \
                        cure: run as root (sudo)\u{fffd}[2J\n";
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), expected.lines().count(), "{text}");
        assert!(text.starts_with(expected.split("cure").next().unwrap()), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }

    #[test]
    fn where_nothing_is_missing_it_says_so() {
        let mut out = Vec::new();
        write(&Report::new("linux", Vec::new(), []), &mut out).unwrap();
        assert_eq!(out, b"\ncomplete: a listing lacks nothing that is known of\n");
    }

    #[test]
    fn the_json_is_as_its_schema_says_and_the_committed_schema_is_current() {
        let mut out = Vec::new();
        write_json(&report(), &mut out).unwrap();
        let document = serde_json::from_slice(&out).unwrap();
        assert_eq!(conformance::fault_of(&document, &schema()), None);
        conformance::assert_committed("doctor.schema.json", &schema());
    }
}
