//! Numbers as values: single, in ranges, compared; ports also by the name of their service.

use std::ops::RangeInclusive;

use super::Names;
use super::error::{Fault, visible};
use super::expression::{NumberKey, Ranges};
use super::token::{Compare, Word};
use crate::socket::Protocol;

/// The units of time, in seconds.
const SECONDS: &[(char, u64)] = &[('s', 1), ('m', 60), ('h', 3600), ('d', 86400), ('w', 604_800)];

/// What kind of number is expected.
#[derive(Clone, Copy)]
pub(super) struct Unit<'a> {
    /// What it is called in messages.
    noun: &'a str,
    min: u64,
    max: u64,
    radix: u32,
    /// The letters that may follow a number, and how many each stands for.
    multiples: &'static [(char, u64)],
    /// The service names that stand for it, and the protocol they belong to.
    services: Option<(&'a dyn Names, Option<Protocol>)>,
}

impl<'a> Unit<'a> {
    /// Returns a port's unit. 0 means "no port", so it is none.
    pub(super) const fn port(names: &'a dyn Names, protocol: Option<Protocol>) -> Self {
        let services = Some((names, protocol));
        Self { noun: "port", min: 1, max: 65535, radix: 10, multiples: &[], services }
    }

    /// Returns the unit of this key.
    pub(super) const fn of(key: NumberKey) -> Self {
        let multiples = if matches!(key, NumberKey::Age) { SECONDS } else { &[] };
        Self { noun: key.name(), min: 0, max: key.max(), radix: 10, multiples, services: None }
    }

    /// Returns the unit in hexadecimal.
    pub(super) const fn hexadecimal(self) -> Self {
        Self { radix: 16, ..self }
    }

    /// Returns the numbers that compare like this with the values: for `=` and `!=` (which the
    /// caller negates) those listed, else those below or above the only one.
    pub(super) fn values(self, compare: Compare, words: &[Word]) -> Result<Ranges, Fault> {
        if let ([word], false) = (words, matches!(compare, Compare::Equal | Compare::NotEqual)) {
            return self.compared(compare, word);
        }
        Ok(Ranges::new(words.iter().map(|word| self.range(word)).collect::<Result<Vec<_>, _>>()?))
    }

    /// Returns the numbers that compare like this with this one.
    fn compared(self, compare: Compare, word: &Word) -> Result<Ranges, Fault> {
        let text = literal(word)?;
        let number = match self.number(&text, word) {
            Some(number) => number?,
            None => return Err(self.unknown(&text, word)),
        };
        let range = match compare {
            Compare::Equal | Compare::NotEqual => Some(number..=number),
            Compare::Less => number.checked_sub(1).map(|below| self.min..=below),
            Compare::LessOrEqual => Some(self.min..=number),
            Compare::Greater => number.checked_add(1).map(|above| above..=self.max),
            Compare::GreaterOrEqual => Some(number..=self.max),
        };
        let range = range.filter(|range| !range.is_empty()).ok_or_else(|| {
            let Self { noun, min, max, .. } = self;
            let message = format!("nothing fits; expected a {noun}, {min} to {max}, to lie there");
            Fault::new(word.span.clone(), message)
        })?;
        Ok(Ranges::new([range]))
    }

    /// Returns the number or range a word spells.
    pub(super) fn range(self, word: &Word) -> Result<RangeInclusive<u64>, Fault> {
        let text = literal(word)?;
        if let Some(number) = self.number(&text, word) {
            return number.map(|number| number..=number);
        }
        // Service names may contain a minus sign, so a range is tried after the name.
        let Some((low, high)) = text.split_once('-') else {
            return Err(self.unknown(&text, word));
        };
        let cut = low.len();
        let low_word = word.part(0..cut);
        let high_word = word.part(cut + 1..word.text.len());
        match (self.number(low, &low_word), self.number(high, &high_word)) {
            (Some(first), Some(last)) => {
                let (first, last) = (first?, last?);
                if first <= last {
                    return Ok(first..=last);
                }
                let message = format!("the range {} is reversed", visible(&text));
                let hint = format!("did you mean '{}-{}'?", visible(high), visible(low));
                Err(Fault::new(word.span.clone(), message).hint(hint))
            }
            (Some(_), None) => Err(self.unknown(high, &high_word)),
            (None, _) => Err(self.unknown(&text, word)),
        }
    }

    /// Returns whether the word can be one, for lists that may hold something else too.
    pub(super) fn fits(self, word: &Word) -> bool {
        looks_numeric(word) || self.range(word).is_ok()
    }

    /// Returns the number this text is, or why it cannot be; `None` when it is no number at all.
    fn number(self, text: &str, word: &Word) -> Option<Result<u64, Fault>> {
        let (digits, factor) = self
            .multiples
            .iter()
            .find_map(|(letter, factor)| text.strip_suffix(*letter).map(|digits| (digits, *factor)))
            .unwrap_or((text, 1));
        let (digits, radix) = match digits.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (digits, self.radix),
        };
        if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
            // Digits only, so it fails only when it is too large.
            let number = u64::from_str_radix(digits, radix).ok();
            let number = number.and_then(|number| number.checked_mul(factor));
            return Some(
                number.filter(|number| (self.min..=self.max).contains(number)).ok_or_else(|| {
                    let Self { noun, min, max, .. } = self;
                    let message = format!(
                        "{noun} {} is out of range; expected {min} to {max}",
                        visible(text)
                    );
                    Fault::new(word.span.clone(), message)
                }),
            );
        }
        let (names, protocol) = self.services?;
        let is_name = text.contains(|c: char| c.is_ascii_alphabetic());
        names
            .service(text, protocol)
            .filter(|_| is_name)
            .filter(|port| *port != 0)
            .map(|port| Ok(port.into()))
    }

    fn unknown(self, text: &str, word: &Word) -> Fault {
        let (noun, shown) = (self.noun, visible(text));
        let message = match self.services {
            Some(_) => format!(
                "'{shown}' is no {noun}; expected a number, a range such as 3000-3999, or a known service"
            ),
            None if self.radix == 16 => {
                format!("'{shown}' is no {noun}; expected a hexadecimal number")
            }
            None if !self.multiples.is_empty() => {
                format!("'{shown}' is no {noun}; expected one such as 90s, 15m, 1h, 7d")
            }
            None => format!("'{shown}' is no {noun}; expected a number or a range such as 100-199"),
        };
        Fault::new(word.span.clone(), message)
    }
}

/// Returns the word's own text, which must not be a pattern.
pub(super) fn literal(word: &Word) -> Result<String, Fault> {
    word.glob().literal().ok_or_else(|| {
        let message = format!("'{}' is a pattern; this needs a single value", visible(&word.text));
        Fault::new(word.span.clone(), message)
    })
}

/// Returns whether the word is made of what numbers and ranges are made of, right or wrong.
pub(super) fn looks_numeric(word: &Word) -> bool {
    word.text.starts_with(|c: char| c.is_ascii_digit())
        && word.text.chars().all(|c| c.is_ascii_digit() || c == '-')
}
