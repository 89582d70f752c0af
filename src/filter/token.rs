//! Cuts a filter into tokens: words, parentheses, and the signs of operators.
//!
//! A word ends at white space and at `( ) & | < > =` and `!=`. Quotes of either kind hold a word
//! together, a backslash takes the meaning from the next character. Which words are keywords is
//! not decided here: `and` may be a command's name.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use super::error::Fault;
use super::glob::{Glob, SPECIAL};

/// How a key's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One token and its place in the input, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Word(Word),
    Open,
    Close,
    And,
    Or,
    Not,
    Compare(Compare),
}

/// A word, or a part of one.
///
/// The text is a pattern as in [`Glob`]: quotes are gone, a backslash is left only where it protects
/// one of [`SPECIAL`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// How many bytes of the text stand in the input exactly so, from the span's start.
    plain: usize,
    /// Whether a quote or a backslash was used.
    quoted: bool,
}

impl Word {
    /// Returns a word that stands in the input at `start` exactly so.
    pub(super) fn plain(text: &str, start: usize) -> Self {
        Self {
            text: text.to_owned(),
            span: start..start + text.len(),
            plain: text.len(),
            quoted: false,
        }
    }

    /// Returns a word of a text where neither quotes nor backslashes mean anything.
    pub(super) fn unquoted(text: &str, start: usize) -> Self {
        let escape = |c| matches!(c, ',' | '"' | '\'' | '\\').then_some('\\');
        let pattern: String = text.chars().flat_map(|c| escape(c).into_iter().chain([c])).collect();
        let plain = if pattern == text { text.len() } else { 0 };
        Self { text: pattern, span: start..start + text.len(), plain, quoted: false }
    }

    /// Returns the text; `None` when it was quoted, so that it cannot be a keyword.
    pub(super) fn bare(&self) -> Option<&str> {
        (!self.quoted).then_some(self.text.as_str())
    }

    /// Returns the pattern the word spells.
    pub(super) fn glob(&self) -> Glob {
        Glob::new(self.text.clone())
    }

    /// Returns the part of the word in this range of its text.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        // Behind a quote or backslash places are no longer known, so the span is the wider one.
        let start = self.span.start + range.start.min(self.plain);
        let end = if range.end <= self.plain { self.span.start + range.end } else { self.span.end };
        let span = start..end;
        Self {
            text: self.text.get(range.clone()).unwrap_or_default().to_owned(),
            span,
            plain: self.plain.clamp(range.start, range.end) - range.start,
            quoted: self.quoted,
        }
    }

    /// Cuts the word at its first colon, if that was written plainly.
    pub(super) fn split_colon(&self) -> Option<(Self, Self)> {
        let colon = self.text.find(':').filter(|&colon| colon < self.plain)?;
        let mut before = self.part(0..colon);
        before.quoted = false;
        Some((before, self.part(colon + 1..self.text.len())))
    }

    /// Cuts the word at its commas.
    pub(super) fn split_commas(&self) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut start = 0;
        let mut chars = self.text.char_indices();
        while let Some((place, c)) = chars.next() {
            if c == '\\' {
                chars.next();
            } else if c == ',' {
                parts.push(self.part(start..place));
                start = place + 1;
            }
        }
        parts.push(self.part(start..self.text.len()));
        parts
    }

    /// Returns true for an empty word that was not written as `""`.
    pub(super) fn is_missing(&self) -> bool {
        self.text.is_empty() && !self.quoted
    }
}

/// Cuts the input into tokens.
pub(super) fn tokens(input: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { chars: input.char_indices().peekable(), end: input.len() };
    let mut tokens = Vec::new();
    while let Some((start, c)) = lexer.chars.peek().copied() {
        if c.is_whitespace() {
            lexer.chars.next();
            continue;
        }
        let kind = match lexer.sign(c) {
            Some(kind) => kind,
            None => Kind::Word(lexer.word(start)?),
        };
        tokens.push(Token { kind, span: start..lexer.place() });
    }
    Ok(tokens)
}

struct Lexer<'a> {
    chars: Peekable<CharIndices<'a>>,
    end: usize,
}

impl Lexer<'_> {
    fn place(&mut self) -> usize {
        self.chars.peek().map_or(self.end, |&(place, _)| place)
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.chars.next_if(|&(_, c)| c == wanted).is_some()
    }

    /// Takes the sign that starts with this character, the next one.
    fn sign(&mut self, c: char) -> Option<Kind> {
        if !matches!(c, '(' | ')' | '&' | '|' | '!' | '=' | '<' | '>') {
            return None;
        }
        self.chars.next();
        Some(match c {
            '(' => Kind::Open,
            ')' => Kind::Close,
            '&' => {
                self.accept('&');
                Kind::And
            }
            '|' => {
                self.accept('|');
                Kind::Or
            }
            '!' if self.accept('=') => Kind::Compare(Compare::NotEqual),
            '!' => Kind::Not,
            '<' if self.accept('=') => Kind::Compare(Compare::LessOrEqual),
            '<' => Kind::Compare(Compare::Less),
            '>' if self.accept('=') => Kind::Compare(Compare::GreaterOrEqual),
            '>' => Kind::Compare(Compare::Greater),
            _ => {
                self.accept('=');
                Kind::Compare(Compare::Equal)
            }
        })
    }

    fn word(&mut self, start: usize) -> Result<Word, Fault> {
        let mut word = Word { text: String::new(), span: start..start, plain: 0, quoted: false };
        while let Some((place, c)) = self.chars.peek().copied() {
            if c.is_whitespace() || "()&|<>=".contains(c) || (c == '!' && self.before_equals()) {
                break;
            }
            self.chars.next();
            match c {
                '"' | '\'' => {
                    word.quoted = true;
                    self.quoted(c, place, &mut word.text)?;
                }
                '\\' => {
                    word.quoted = true;
                    self.escaped(&mut word.text);
                }
                _ => word.text.push(c),
            }
            if !word.quoted {
                word.plain = word.text.len();
            }
        }
        word.span.end = self.place();
        Ok(word)
    }

    /// Returns whether the next character, a `!`, belongs to a `!=`.
    fn before_equals(&self) -> bool {
        self.chars.clone().nth(1).is_some_and(|(_, c)| c == '=')
    }

    fn quoted(&mut self, quote: char, start: usize, text: &mut String) -> Result<(), Fault> {
        while let Some((_, c)) = self.chars.next() {
            match c {
                '\\' => self.escaped(text),
                _ if c == quote => return Ok(()),
                ',' | '"' | '\'' => text.extend(['\\', c]),
                _ => text.push(c),
            }
        }
        Err(Fault::new(start..self.end, format!("this {quote} is never closed")))
    }

    /// Takes the character behind a backslash; a backslash at the very end stands for itself.
    fn escaped(&mut self, text: &mut String) {
        let c = self.chars.next().map_or('\\', |(_, c)| c);
        if SPECIAL.contains(&c) {
            text.push('\\');
        }
        text.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(input: &str) -> Vec<String> {
        let word = |token: Token| {
            if let Kind::Word(word) = token.kind { word.text } else { format!("{:?}", token.kind) }
        };
        tokens(input).unwrap().into_iter().map(word).collect()
    }

    #[test]
    fn signs_need_no_spaces() {
        assert_eq!(
            words("port>=80&&!(a||b)"),
            [
                "port",
                "Compare(GreaterOrEqual)",
                "80",
                "And",
                "Not",
                "Open",
                "a",
                "Or",
                "b",
                "Close"
            ]
        );
        assert_eq!(words("a!=b"), ["a", "Compare(NotEqual)", "b"]);
        assert_eq!(words("[!a]"), ["[!a]"]);
    }

    #[test]
    fn quotes_and_backslashes_hold_a_word_together() {
        assert_eq!(words(r#"command:"a b",c"#), ["command:a b,c"]);
        assert_eq!(words(r#"'a"b,c' a\ b \* \"#), [r#"a\"b\,c"#, "a b", r"\*", r"\\"]);
        assert_eq!(words(r#""" x"#), ["", "x"]);
    }

    #[test]
    fn an_open_quote_is_an_error_at_the_quote() {
        assert_eq!(tokens("a \"b c").unwrap_err().span, 2..6);
    }

    #[test]
    fn parts_keep_their_place() {
        let Kind::Word(word) = tokens("  port:80,443").unwrap().remove(0).kind else { panic!() };
        let (key, value) = word.split_colon().unwrap();
        assert_eq!((key.bare(), key.span.clone()), (Some("port"), 2..6));
        let spans: Vec<_> = value.split_commas().into_iter().map(|part| part.span).collect();
        assert_eq!(spans, [7..9, 10..13]);
    }

    #[test]
    fn parts_before_a_backslash_keep_their_place() {
        let Kind::Word(word) = tokens(r",*é:\b").unwrap().remove(0).kind else { panic!() };
        let (before, behind) = word.split_commas().remove(1).split_colon().unwrap();
        assert_eq!((before.span, behind.span), (1..4, 5..7));
    }

    proptest! {
        #[test]
        fn no_input_panics_and_spans_lie_within(input: String) {
            if let Ok(tokens) = tokens(&input) {
                for token in tokens {
                    prop_assert!(input.get(token.span).is_some_and(|text| !text.is_empty()));
                }
            }
        }
    }
}
