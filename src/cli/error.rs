//! What the user reads when a command fails: one line with the cause, and one with the way out.

use std::error::Error as StdError;
use std::io::Write;

use thiserror::Error;

use crate::cli::Exit;
use crate::error::CollectError;

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
    let hint =
        failure.chain().find_map(hint_of).map_or_else(String::new, |h| format!("\nhint: {h}"));
    // Nothing is left to tell it to when stderr fails.
    let _lost = writeln!(stderr, "sockscope: {failure:#}{hint}");
}

fn hint_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a str> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        failure.hint.as_deref()
    } else {
        error.downcast_ref::<CollectError>().and_then(CollectError::hint)
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
    let _lost = std::io::stderr().write_all(text.as_bytes());
    Exit::Trouble
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

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
    fn a_failure_without_hint_is_one_line() {
        assert_eq!(reported(Failure::new("no")), "sockscope: no\n");
    }

    #[test]
    fn the_librarys_hint_is_shown() {
        let text = reported(CollectError::Unsupported { platform: "plan9" });
        assert!(text.contains("\nhint: "), "{text}");
    }
}
