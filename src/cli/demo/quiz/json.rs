//! `demo quiz --json`: one line for each thing said, the JSON `sockscope.quiz/1` of docs/json.md.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::demo::quiz::cause::Cause;
use crate::render::json::schema_of;

/// The name and version of the schema.
const SCHEMA: &str = "sockscope.quiz/1";

/// A line of the output.
#[derive(Serialize, JsonSchema)]
pub(super) struct Line<'a> {
    /// The name and version of this schema: `sockscope.quiz/1`.
    schema: &'static str,
    #[serde(flatten)]
    question: Option<Numbered>,
    #[serde(flatten)]
    event: Event<'a>,
}

/// Which question it is about; absent of the total.
#[derive(Serialize, JsonSchema)]
pub(super) struct Numbered {
    /// Its name.
    pub(super) question: &'static str,
    /// Its number in this quiz, from 1 on.
    pub(super) number: usize,
    /// How many questions this quiz has.
    pub(super) questions: usize,
}

/// What is said.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event<'a> {
    /// The question cannot be set up here.
    Skipped {
        /// Why not.
        why: &'a str,
    },
    /// It is set up: what is it?
    Question {
        /// What it is about: `127.0.0.1:PORT`, `:PORT`, or a path.
        target: String,
        /// What does not work, a sentence.
        symptom: String,
        /// What can be answered.
        causes: Vec<Choice>,
        /// Whether a process is asked for as well.
        asks_process: bool,
    },
    /// A hint; null when there is no further one.
    Hint {
        /// The sentence.
        hint: Option<&'a str>,
    },
    /// The line read was no answer.
    NotUnderstood {},
    /// What is right of an answer.
    Judged {
        /// Whether the cause is; null when none was answered.
        cause: Option<bool>,
        /// Whether the process is; null when none was answered.
        process: Option<bool>,
        /// How many wrong answers were given so far.
        wrong: u32,
    },
    /// The end of a question.
    Solution {
        /// Whether it was found.
        solved: bool,
        /// The points for it.
        points: u32,
        /// How many hints were taken.
        hints: usize,
        /// How many wrong answers were given.
        wrong: u32,
        /// The letter of the right cause.
        letter: Option<char>,
        /// The right cause.
        cause: Option<Cause>,
        /// The PID asked for; null when none is.
        process: Option<u32>,
        /// The explanation.
        answer: String,
        /// The command that shows it, without `sockscope`.
        command: Option<&'a str>,
        /// The line of its output that does.
        line: Option<&'a str>,
    },
    /// The end of the quiz.
    Total {
        /// The points.
        points: u32,
        /// Of so many.
        of: u32,
        /// What `--seed` takes for the same quiz once more.
        seed: u64,
    },
}

/// A cause that can be answered.
#[derive(Serialize, JsonSchema)]
pub(super) struct Choice {
    /// What to answer.
    pub(super) letter: char,
    /// The cause, in one word.
    pub(super) cause: Cause,
    /// The cause, in words.
    pub(super) words: String,
}

impl<'a> Line<'a> {
    /// Returns a line about this question, or about none.
    pub(super) const fn new(question: Option<Numbered>, event: Event<'a>) -> Self {
        Self { schema: SCHEMA, question, event }
    }

    /// Writes it.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", serde_json::to_string(self)?)
    }
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
        conformance::assert_committed("quiz.schema.json", &schema());
        conformance::assert_documented(&schema());
    }
}
