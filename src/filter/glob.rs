//! Patterns for names, as the shell has them (`glob(7)`): `*`, `?`, `[a-z]`, `[!a-z]`; a backslash
//! takes the meaning from the next character.

use std::fmt;

/// Characters that a backslash in a pattern protects; before any other it is dropped.
pub(super) const SPECIAL: &[char] = &['*', '?', '[', ']', ',', '"', '\'', '\\'];

/// A pattern, compared with whole names. Its text has a backslash before every quote, every literal
/// special character, and nothing else; so equal patterns have equal texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(String);

impl Glob {
    /// Returns the pattern with this text, as [`super::token`] normalised it.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the pattern that matches this name only.
    pub(super) fn exact(name: &str) -> Self {
        let mut pattern = String::new();
        for c in name.chars() {
            if SPECIAL.contains(&c) {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        Self(pattern)
    }

    /// Returns the pattern that matches whatever starts like this one.
    pub(super) fn prefix(self) -> Self {
        Self(self.0 + "*")
    }

    /// Returns the pattern's text.
    #[cfg(test)]
    pub(super) fn source(&self) -> &str {
        &self.0
    }

    /// Returns the one name it matches; `None` when it has a wild part.
    pub(super) fn literal(&self) -> Option<String> {
        let mut name = String::new();
        let mut chars = self.0.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' | '?' | '[' => return None,
                '\\' => name.extend(chars.next()),
                _ => name.push(c),
            }
        }
        Some(name)
    }

    /// Returns the pattern for what follows this text, with which it begins; `None` when it does not.
    pub(super) fn after(&self, start: &str) -> Option<Self> {
        self.0.strip_prefix(start).map(Self::new)
    }

    /// Returns the length of the pattern's text.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the whole name fits.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        fits(self.0.as_bytes(), name, |a, b| a == b)
    }

    /// Returns whether the whole name fits when the case of ASCII letters does not count.
    pub(super) fn matches_any_case(&self, name: &[u8]) -> bool {
        fits(self.0.as_bytes(), name, |a, b| a.eq_ignore_ascii_case(&b))
    }
}

/// Walks pattern and name once; at a mismatch it goes back to the last `*` only, so the time is at
/// most the product of the two lengths.
fn fits(mut pattern: &[u8], mut name: &[u8], same: fn(u8, u8) -> bool) -> bool {
    let mut last_star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = pattern {
            last_star = Some((after, name));
            pattern = after;
            continue;
        }
        let step = match name {
            [] if pattern.is_empty() => return true,
            [] => None,
            _ => one(pattern, name, same),
        };
        if let Some((after, rest)) = step {
            (pattern, name) = (after, rest);
        } else if let Some((after, [_, rest @ ..])) = last_star {
            last_star = Some((after, rest));
            (pattern, name) = (after, rest);
        } else {
            return false;
        }
    }
}

/// Matches one element of the pattern with one character of the name; returns what is left of both.
fn one<'p, 'n>(
    pattern: &'p [u8],
    name: &'n [u8],
    same: fn(u8, u8) -> bool,
) -> Option<(&'p [u8], &'n [u8])> {
    let (&byte, rest) = name.split_first()?;
    match pattern {
        [b'?', after @ ..] => {
            // A whole UTF-8 character, or one stray byte.
            let more = rest.iter().take_while(|byte| (0x80..0xC0).contains(*byte)).count();
            Some((after, rest.get(more..)?))
        }
        [b'[', class @ ..] => match in_class(class, byte, same) {
            Some((inside, after)) => inside.then_some((after, rest)),
            // Never closed: an ordinary bracket, as in the shell.
            None => (byte == b'[').then_some((class, rest)),
        },
        [b'\\', literal, after @ ..] | [literal, after @ ..] => {
            same(*literal, byte).then_some((after, rest))
        }
        [] => None,
    }
}

/// Returns whether the byte is in the class that starts here, and the pattern behind its `]`.
fn in_class(class: &[u8], byte: u8, same: fn(u8, u8) -> bool) -> Option<(bool, &[u8])> {
    let (negated, mut class) = match class {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut inside, mut first) = (false, true);
    loop {
        (inside, class) = match class {
            [b']', after @ ..] if !first => return Some((inside != negated, after)),
            [low, b'-', high, after @ ..] if *high != b']' => {
                let found = (*low..=*high).any(|member| same(member, byte));
                (inside || found, after)
            }
            [b'\\', member, after @ ..] | [member, after @ ..] => {
                (inside || same(*member, byte), after)
            }
            [] => return None,
        };
        first = false;
    }
}

impl fmt::Display for Glob {
    /// Writes the pattern so that the language reads it back: in quotes where it needs them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/@*?".contains(c);
        let bare =
            !self.0.is_empty() && self.0.chars().all(plain) && !super::word::is_reserved(&self.0);
        if bare { f.write_str(&self.0) } else { write!(f, "\"{}\"", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, yes, no) in [
            ("nginx", &["nginx"][..], &["nginx2", "Nginx", "", "ngin"][..]),
            ("nginx*", &["nginx", "nginx: worker"], &["anginx"]),
            ("*d", &["sshd", "d", "dd"], &["sshd "]),
            ("a*b*c", &["abc", "a-b-c", "abbcc"], &["acb", "ab"]),
            ("?", &["a", "ü", "漢"], &["", "ab"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "[a-c]x"]),
            ("[!a-c]x", &["dx"], &["ax"]),
            ("[]]", &["]"], &["["]),
            ("[a", &["[a"], &["a"]),
            (r"\*", &["*"], &["a", r"\*"]),
            (r"a\,b", &["a,b"], &["ab"]),
            ("", &[""], &["a"]),
            ("*", &["", "anything"], &[]),
        ] {
            for name in yes {
                assert!(Glob::new(pattern).matches(name.as_bytes()), "{pattern} {name}");
            }
            for name in no {
                assert!(!Glob::new(pattern).matches(name.as_bytes()), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn case_counts_only_when_asked() {
        assert!(Glob::new("/RUN/[A-Z]*").matches_any_case(b"/run/x.sock"));
        assert!(!Glob::new("/RUN/*").matches(b"/run/x.sock"));
    }

    #[test]
    fn only_a_pattern_without_wild_parts_is_one_name() {
        assert_eq!(Glob::new(r"a\*b").literal().as_deref(), Some("a*b"));
        assert_eq!(Glob::new("a*b").literal(), None);
        assert_eq!(Glob::exact(r#"a"\,*"#).literal().as_deref(), Some(r#"a"\,*"#));
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        let name = [b'a'; 10_000];
        assert!(!Glob::new("a*a*a*a*a*a*a*a*b").matches(&name));
    }
}
