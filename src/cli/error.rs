//! What the user reads when a command fails: one line with the cause, and one with the way out.

use std::error::Error as StdError;
use std::io::{self, Write};

use thiserror::Error;

use crate::cli::Exit;
use crate::echo::error::EchoError;
use crate::error::{CollectError, cause};
use crate::platform::DestroyError;

/// A failure with its way out. The text fits after `sockscope: `.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    hint: Option<String>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Failure {
    /// Returns a failure with this text and nothing else.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, source: None }
    }

    /// Returns the failure with what the user can do about it: a line after `hint: `.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the failure with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Writes the failure with its causes, and the hint if one of them has any.
pub(super) fn report(failure: &anyhow::Error, stderr: &mut dyn Write) {
    let causes: Vec<String> = failure.chain().map(in_words).collect();
    let hint =
        failure.chain().find_map(hint_of).map_or_else(String::new, |h| format!("\nhint: {h}"));
    // Nothing is left to tell it to when stderr fails.
    let _lost = writeln!(stderr, "sockscope: {}{hint}", causes.join(": "));
}

/// Returns the error as a fragment of a line.
fn in_words(error: &(dyn StdError + 'static)) -> String {
    error.downcast_ref::<io::Error>().map_or_else(|| error.to_string(), cause)
}

fn hint_of(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        failure.hint.clone()
    } else if let Some(error) = error.downcast_ref::<EchoError>() {
        error.hint()
    } else if let Some(error) = error.downcast_ref::<DestroyError>() {
        error.hint().map(str::to_owned)
    } else {
        error.downcast_ref::<CollectError>().and_then(CollectError::hint).map(str::to_owned)
    }
}

/// Prints what the argument parser has to say, in the words of our other messages: help and version
/// to stdout, an error to stderr.
pub(super) fn usage(answer: &clap::Error) -> Exit {
    let text = answer.render();
    if !answer.use_stderr() {
        // A reader that left has read enough help.
        let _closed = answer.print();
        return Exit::Found;
    }
    let text = text.to_string();
    let text = text.replacen("error: ", "sockscope: ", 1).replace("\n  tip: ", "\nhint: ");
    let _lost = io::stderr().write_all(text.as_bytes());
    Exit::Trouble
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(failure: impl Into<anyhow::Error>) -> String {
        let mut text = Vec::new();
        report(&failure.into(), &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_failure_shows_its_cause_and_the_way_out() {
        let failure = Failure::new("cannot listen on 127.0.0.1:80")
            .because(io::Error::from(io::ErrorKind::PermissionDenied))
            .hint("take a port above 1023");
        assert_eq!(
            reported(failure),
            "sockscope: cannot listen on 127.0.0.1:80: permission denied\n\
             hint: take a port above 1023\n"
        );
    }

    #[test]
    fn the_systems_answer_is_a_fragment_without_its_number() {
        // 2 is ENOENT, and ERROR_FILE_NOT_FOUND on Windows.
        let failure = anyhow::Error::new(io::Error::from_raw_os_error(2)).context("cannot read x");
        let text = reported(failure);
        assert!(text.starts_with("sockscope: cannot read x: "), "{text}");
        assert!(!text.contains("os error"), "{text}");
    }

    #[test]
    fn a_failure_without_hint_is_one_line() {
        assert_eq!(reported(Failure::new("no")), "sockscope: no\n");
    }

    #[test]
    fn the_librarys_hint_is_shown() {
        let text = reported(CollectError::Unsupported { platform: "plan9" });
        assert!(text.contains("\nhint: "), "{text}");
    }
}
