//! Keeps names that come from outside from driving the terminal or breaking a line.
//!
//! Process names, UNIX socket names, user names and DNS answers are chosen by others: an escape
//! sequence in one could retitle the terminal, a bidirectional override could make a name
//! read as something else (CVE-2021-42574), a newline could forge a row. Such characters become
//! visible escapes: `\n`, `\x1b`, `\u{202e}`, and `\xff` for a byte that is not UTF-8.
//!
//! A backslash stays as it is, so that clean text is never changed (`CORP\alice`, systemd's `\x2d`).
//! The escapes are therefore for eyes and not for parsing: the exact bytes are in the JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::text::Text;

/// Returns the name, safe to print in one line of a terminal.
pub fn text(text: &Text) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(clean) if is_clean(clean) => Cow::Borrowed(clean),
        Ok(_) | Err(_) => {
            let mut out = String::with_capacity(bytes.len() + 8);
            push_bytes(&mut out, bytes);
            Cow::Owned(out)
        }
    }
}

/// Returns the string, safe to print in one line of a terminal.
pub fn string(string: &str) -> Cow<'_, str> {
    if is_clean(string) {
        return Cow::Borrowed(string);
    }
    let mut out = String::with_capacity(string.len() + 8);
    push_bytes(&mut out, string.as_bytes());
    Cow::Owned(out)
}

fn is_clean(text: &str) -> bool {
    // Nearly every name is plain ASCII: look at bytes before characters.
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_unsafe)
}

/// Returns true for a character that moves the cursor, ends a line, changes the direction of text
/// or cannot be seen: the controls of Unicode's categories Cc, Zl and Zp, and of Cf those that
/// change how neighbours look.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}'                     // Arabic letter mark
            | '\u{180e}'                  // Mongolian vowel separator
            | '\u{200b}'..='\u{200f}'     // zero-width characters, direction marks
            | '\u{2028}'..='\u{202e}'     // line and paragraph separators, embeddings, overrides
            | '\u{2060}'..='\u{206f}'     // word joiner, invisible operators, isolates
            | '\u{feff}'                  // zero-width no-break space
            | '\u{fff9}'..='\u{fffb}'     // interlinear annotation
            | '\u{e0000}'..='\u{e007f}'   // tags
        )
}

fn push_bytes(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_char(out, character);
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail; so below.
            let _infallible = write!(out, "\\x{byte:02x}");
        }
    }
}

fn push_char(out: &mut String, character: char) {
    let _infallible = match character {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        _ if !is_unsafe(character) => out.write_char(character),
        _ if character.is_ascii() => write!(out, "\\x{:02x}", u32::from(character)),
        _ => write!(out, "\\u{{{:x}}}", u32::from(character)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_leave_an_unsafe_character(bytes: Vec<u8>) {
            let bytes = Text::from(bytes);
            prop_assert!(!text(&bytes).chars().any(is_unsafe));
        }

        #[test]
        fn no_string_leaves_an_unsafe_character(input: String) {
            prop_assert!(!string(&input).chars().any(is_unsafe));
        }

        #[test]
        fn clean_text_is_unchanged(input in "[ -~à-ÿ一-龥]*") {
            prop_assert_eq!(string(&input), input.as_str());
        }

        #[test]
        fn a_safe_string_is_not_escaped_twice(input: String) {
            let once = string(&input).into_owned();
            prop_assert_eq!(string(&once), once.as_str());
        }
    }

    #[test]
    fn each_kind_has_its_escape() {
        for (hostile, shown) in [
            (&b"evil\x1b]0;x\x07\n"[..], "evil\\x1b]0;x\\x07\\n"),
            (b"tab\tcr\rdel\x7f", "tab\\tcr\\rdel\\x7f"),
            ("c1\u{9b}31m".as_bytes(), "c1\\u{9b}31m"),
            ("bidi\u{202e}gnp.exe".as_bytes(), "bidi\\u{202e}gnp.exe"),
            ("zero\u{200b}width\u{feff}".as_bytes(), "zero\\u{200b}width\\u{feff}"),
            ("line\u{2028}end".as_bytes(), "line\\u{2028}end"),
            (b"not utf-8 \xff\x9b", "not utf-8 \\xff\\x9b"),
            (b"CORP\\alice", "CORP\\alice"),
        ] {
            assert_eq!(text(&Text::from(hostile.to_vec())), shown);
        }
    }
}
