//! Why a filter was refused: the line, a caret under the exact place, what was expected, and the
//! nearest known word.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use crate::nearest::nearest;

/// A refused filter. `Display` shows the message, the line with carets, and the hint, each on its
/// own line and safe for a terminal whatever the input was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    input: String,
    fault: Fault,
}

impl FilterError {
    pub(super) fn new(input: &str, fault: Fault) -> Self {
        Self { input: input.to_owned(), fault }
    }

    /// Returns what was parsed.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// Returns where it went wrong, in bytes of the input; empty at its end.
    pub fn span(&self) -> Range<usize> {
        self.fault.span.clone()
    }

    /// Returns what went wrong and what was expected: one line, a lowercase fragment.
    pub fn message(&self) -> &str {
        &self.fault.message
    }

    /// Returns what to write instead; absent when that cannot be guessed.
    pub fn hint(&self) -> Option<&str> {
        self.fault.hint.as_deref()
    }
}

impl Error for FilterError {}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { span, message, hint } = &self.fault;
        let mut line = String::new();
        let (mut before, mut under) = (0, 0);
        for (place, c) in self.input.char_indices() {
            let shown = visible_char(c);
            let width: usize = shown.chars().filter_map(UnicodeWidthChar::width).sum();
            if place < span.start {
                before += width;
            } else if place < span.end {
                under += width;
            }
            line.push_str(&shown);
        }
        writeln!(f, "{message}")?;
        writeln!(f, "  {line}")?;
        write!(f, "  {:before$}{}", "", "^".repeat(under.max(1)))?;
        match hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What went wrong where, before the input is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    message: String,
    hint: Option<String>,
}

impl Fault {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the nearest of the known words as a hint, if one is near.
    pub(super) fn nearest<S: AsRef<str>>(
        self,
        word: &str,
        known: impl IntoIterator<Item = S>,
    ) -> Self {
        match nearest(word, known) {
            Some(near) => self.hint(format!("did you mean '{}'?", visible(&near))),
            None => self,
        }
    }
}

/// Returns the text with everything escaped that could drive a terminal or hide in it.
pub(super) fn visible(text: &str) -> String {
    text.chars().map(visible_char).collect()
}

fn visible_char(c: char) -> String {
    if c.is_control() || c.width().unwrap_or(0) == 0 {
        c.escape_default().collect()
    } else {
        c.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(input: &str, span: Range<usize>) -> String {
        FilterError::new(input, Fault::new(span, "no")).to_string()
    }

    #[test]
    fn the_caret_is_under_the_place() {
        assert_eq!(shown("tcp and lisen", 8..13), "no\n  tcp and lisen\n          ^^^^^");
    }

    #[test]
    fn the_end_of_the_line_has_one_caret() {
        assert_eq!(shown("port", 4..4), "no\n  port\n      ^");
    }

    #[test]
    fn wide_characters_and_escapes_move_the_caret() {
        assert_eq!(shown("漢 x", 4..5), "no\n  漢 x\n     ^");
        assert_eq!(shown("\u{1b} x", 2..3), "no\n  \\u{1b} x\n         ^");
        assert_eq!(shown("\u{202e} x", 4..5), "no\n  \\u{202e} x\n           ^");
    }

    proptest! {
        #[test]
        fn no_input_can_drive_the_terminal(input: String, start in 0..40usize, len in 0..9usize) {
            let text = shown(&input, start..start + len);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
            prop_assert_eq!(text.lines().count(), 3);
        }
    }
}
