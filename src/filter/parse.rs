//! The grammar: conditions joined by `or`, `and`, `not` and parentheses; `and` may be left out.
//!
//! Precedence is as `ss(8)` documents it, `or` < `and` < `not`; ss itself treats the first two alike
//! (iproute2 misc/ssfilter.y).
//!
//! Recursive descent over the tokens, by hand. What a value may be hangs on the key before it, a
//! colon may be an operator, a port's or an address's, and every error names what was expected at
//! that very place: a table of keys and a few functions say that more directly than combinators,
//! which would report the union of everything tried.

use std::ops::Range;

use super::error::{Fault, visible};
use super::expression::{End, Expression, NumberKey, Side, StateSet, Test, TextKey};
use super::host::{self, Hosts};
use super::number::{Unit, looks_numeric};
use super::token::{Compare, Kind, Token, Word, tokens};
use super::word::{self, Key};
use super::{Names, value};
use crate::socket::{Family, Protocol};

/// How deep parentheses and `not` may be nested: more than anybody writes, less than any stack.
const MAX_DEPTH: usize = 200;

/// Parses a filter.
pub(super) fn parse(input: &str, names: &dyn Names) -> Result<Expression, Fault> {
    let tokens = tokens(input)?;
    if tokens.is_empty() {
        return Ok(Expression::All);
    }
    let mut parser = Parser { tokens: &tokens, end: input.len(), depth: 0, names };
    let expression = parser.or()?;
    match parser.tokens.first() {
        None => Ok(expression),
        Some(token) => Err(Fault::new(token.span.clone(), "this ')' closes nothing")),
    }
}

struct Parser<'a> {
    /// Those not yet taken.
    tokens: &'a [Token],
    end: usize,
    depth: usize,
    names: &'a dyn Names,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Expression, Fault> {
        let mut list = vec![self.and()?];
        while self.accept(&Kind::Or, "or") {
            list.push(self.and()?);
        }
        Ok(Expression::any(list))
    }

    fn and(&mut self) -> Result<Expression, Fault> {
        let mut list = vec![self.not()?];
        while self.accept(&Kind::And, "and") || !self.at_end_of_and() {
            list.push(self.not()?);
        }
        Ok(Expression::all(list))
    }

    fn not(&mut self) -> Result<Expression, Fault> {
        let place = self.place();
        if self.accept(&Kind::Not, "not") {
            return Ok(self.nested(place, Self::not)?.negate());
        }
        if self.accept(&Kind::Open, "(") {
            let inside = self.nested(place.clone(), Self::or)?;
            if !self.accept(&Kind::Close, ")") {
                return Err(Fault::new(place, "this '(' is never closed; expected ')'"));
            }
            return Ok(inside);
        }
        self.condition()
    }

    fn nested(
        &mut self,
        place: Range<usize>,
        inside: fn(&mut Self) -> Result<Expression, Fault>,
    ) -> Result<Expression, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::new(place, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let expression = inside(self)?;
        self.depth -= 1;
        Ok(expression)
    }

    /// Parses one condition: a key with its value, or a word that stands alone.
    fn condition(&mut self) -> Result<Expression, Fault> {
        let word = self.word("a condition such as tcp, listen, port 80")?;
        if host::is_address(&word) || word.text.starts_with(['[', ':', '*', '/', '@']) {
            return self.ends(word, None);
        }
        if let Some((prefix, rest)) = word.split_colon() {
            let text = prefix.text.as_str();
            if let Some(key) = word::key(text) {
                return self.keyed(key, &prefix, Some(rest));
            }
            if let Some(protocol) = word::protocol(text).filter(|_| !is_family(text)) {
                // `tcp:80`: the colon is the port's.
                let port = word.part(text.len()..word.text.len());
                return Ok(Expression::all([protocol, self.ends(port, protocol_of(text))?]));
            }
            return self.ends(word, None);
        }
        let Some(text) = word.bare() else { return Err(word::unknown(&word)) };
        if let Some(key) = word::key(text) {
            return self.keyed(key, &word, None);
        }
        if let Some(condition) = word::alone(text).filter(|_| !looks_numeric(&word)) {
            return Ok(condition);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return self.ends(word, None);
        }
        // `tcp,udp`: one of them.
        let words = word.split_commas();
        let listed: Option<Vec<_>> = words.iter().map(|word| word::alone(&word.text)).collect();
        match listed {
            Some(conditions) => Ok(Expression::any(conditions)),
            None => Err(word::unknown(
                words.iter().find(|w| word::alone(&w.text).is_none()).unwrap_or(&word),
            )),
        }
    }

    /// Parses hosts or ports that stand without a key: either end may be it.
    fn ends(&mut self, first: Word, protocol: Option<Protocol>) -> Result<Expression, Fault> {
        let hosts = Hosts { side: Side::Either, names: self.names, protocol, family: None };
        let words = self.values(Some(first), "an address or a port")?;
        if words.iter().all(looks_numeric) { hosts.ports(&words) } else { hosts.parse(&words) }
    }

    /// Parses what follows a key. The value may already be there: `port:80`.
    fn keyed(&mut self, key: Key, word: &Word, value: Option<Word>) -> Result<Expression, Fault> {
        let value = value.filter(|value| !value.is_missing());
        if let (Key::Host(side @ (Side::Local | Side::Peer)), None) = (key, &value)
            && let Some((key, word, value)) = self.second_key(side)
        {
            return self.keyed(key, &word, value);
        }
        if matches!(key, Key::State | Key::Exclude) {
            return self.state_run(key, value);
        }
        let compare = if value.is_some() { None } else { self.compare() };
        let (compare, place) = compare.unwrap_or((Compare::Equal, word.span.clone()));
        let ordered = !matches!(compare, Compare::Equal | Compare::NotEqual);
        let words = self.values(value, expected(key))?;
        if ordered && !matches!(key, Key::Port(_) | Key::Number(_) | Key::HexCookie | Key::Netns) {
            let message = format!("'{}' has no order; expected = or !=", visible(&word.text));
            return Err(Fault::new(place, message));
        }
        if let (true, Some(second)) = (ordered, words.get(1)) {
            return Err(Fault::new(second.span.clone(), "expected one value to compare with"));
        }
        let names = self.names;
        let test = match key {
            Key::Port(side) => {
                let words: Vec<Word> = words.iter().map(port_part).collect();
                let ports = Unit::port(names, None).values(compare, &words)?;
                Test::End(side, End::Port(ports)).into()
            }
            Key::Number(key) => Test::Number(key, Unit::of(key).values(compare, &words)?).into(),
            Key::HexCookie => {
                let unit = Unit::of(NumberKey::Cookie).hexadecimal();
                Test::Number(NumberKey::Cookie, unit.values(compare, &words)?).into()
            }
            Key::Host(side) => Hosts { side, names, protocol: None, family: None }.parse(&words)?,
            Key::User => any(&words, |word| value::user(word, names))?,
            Key::Command => any(&words, |word| Ok(Test::Command(word.glob()).into()))?,
            Key::Netns if ordered => {
                let key = NumberKey::Netns;
                Test::Number(key, Unit::of(key).values(compare, &words)?).into()
            }
            Key::Netns => value::netns(&words),
            Key::Text(key) => any(&words, |word| Ok(value::text(key, word)))?,
            Key::Device => any(&words, |word| Ok(value::device(word, names)))?,
            Key::Protocol => any(&words, value::protocol)?,
            Key::Family => any(&words, value::family)?,
            Key::Type => any(&words, value::socket_type)?,
            Key::Owner => any(&words, value::owner)?,
            Key::Via => any(&words, value::via)?,
            // Taken by `state_run` above.
            Key::State | Key::Exclude => Expression::All,
        };
        Ok(if compare == Compare::NotEqual { test.negate() } else { test })
    }

    /// Takes the second word of `local port` or `peer address`.
    fn second_key(&mut self, side: Side) -> Option<(Key, Word, Option<Word>)> {
        let (key, word, value) = self.peek_key()?;
        let key = if key == Key::Port(Side::Either) {
            Key::Port(side)
        } else if key == Key::Host(Side::Either) {
            Key::Host(side)
        } else {
            return None;
        };
        self.advance();
        Some((key, word, value))
    }

    /// Parses a run of `state X` and `exclude X`: each adds to or takes from one set, as in `ss(8)`
    /// STATE-FILTER.
    fn state_run(&mut self, key: Key, value: Option<Word>) -> Result<Expression, Fault> {
        let mut set: Option<StateSet> = None;
        let (mut key, mut value) = (key, value);
        loop {
            let mut adds = key == Key::State;
            match self.compare().filter(|_| value.is_none()) {
                None | Some((Compare::Equal, _)) => {}
                Some((Compare::NotEqual, _)) => adds = !adds,
                Some((_, place)) => {
                    return Err(Fault::new(place, "states have no order; expected = or !="));
                }
            }
            let words = self.values(value, expected(Key::State))?;
            let states = words
                .iter()
                .map(value::states)
                .try_fold(StateSet::NONE, |set, states| Ok::<_, Fault>(set.union(states?)))?;
            set = Some(if adds {
                set.unwrap_or(StateSet::NONE).union(states)
            } else {
                set.unwrap_or(StateSet::ALL).intersection(states.complement())
            });
            match self.peek_key() {
                Some((next @ (Key::State | Key::Exclude), _, next_value)) => {
                    self.advance();
                    (key, value) = (next, next_value.filter(|value| !value.is_missing()));
                }
                Some(_) | None => break,
            }
        }
        Ok(Test::State(set.unwrap_or(StateSet::ALL)).into())
    }

    /// Takes a list of values; a comma at the end of a word goes on with the next one.
    fn values(&mut self, first: Option<Word>, expected: &str) -> Result<Vec<Word>, Fault> {
        let first = match first {
            Some(word) => word,
            None => self.word(expected)?,
        };
        let mut words = first.split_commas();
        while words.len() > 1 && words.last().is_some_and(Word::is_missing) {
            let Some(Token { kind: Kind::Word(next), .. }) = self.tokens.first() else { break };
            if next.bare().is_some_and(word::is_reserved) {
                break;
            }
            self.advance();
            words.pop();
            words.extend(next.split_commas());
        }
        match words.iter().find(|word| word.is_missing()) {
            None => Ok(words),
            Some(missing) if words.len() == 1 => {
                Err(Fault::new(missing.span.clone(), format!("expected {expected}")))
            }
            Some(missing) => {
                let message = format!("expected {expected} on both sides of ','");
                Err(Fault::new(missing.span.clone(), message))
            }
        }
    }

    /// Takes a word that is no keyword.
    fn word(&mut self, expected: &str) -> Result<Word, Fault> {
        let fault = |found: &str| format!("expected {expected}, found {found}");
        let Some(token) = self.tokens.first() else {
            return Err(Fault::new(self.end..self.end, fault("nothing")));
        };
        let found = match &token.kind {
            Kind::Word(word) if !word.bare().is_some_and(word::is_reserved) => {
                self.advance();
                return Ok(word.clone());
            }
            Kind::Word(word) => visible(&word.text),
            Kind::Open => "(".to_owned(),
            Kind::Close => ")".to_owned(),
            Kind::And => "&".to_owned(),
            Kind::Or => "|".to_owned(),
            Kind::Not => "!".to_owned(),
            Kind::Compare(_) => "an operator".to_owned(),
        };
        let found = if found.contains(' ') { found } else { format!("'{found}'") };
        Err(Fault::new(token.span.clone(), fault(&found)))
    }

    /// Takes an operator that compares, as a sign or as a word.
    fn compare(&mut self) -> Option<(Compare, Range<usize>)> {
        let token = self.tokens.first()?;
        let compare = match &token.kind {
            Kind::Compare(compare) => *compare,
            Kind::Word(word) => word::compare(word.bare()?)?,
            Kind::Open | Kind::Close | Kind::And | Kind::Or | Kind::Not => return None,
        };
        self.advance();
        Some((compare, token.span.clone()))
    }

    /// Returns the key the next token is or starts with, and the value within the same word.
    fn peek_key(&self) -> Option<(Key, Word, Option<Word>)> {
        let Kind::Word(word) = &self.tokens.first()?.kind else { return None };
        if let Some(key) = word.bare().and_then(word::key) {
            return Some((key, word.clone(), None));
        }
        let (prefix, rest) = word.split_colon().filter(|_| !host::is_address(word))?;
        Some((word::key(&prefix.text)?, prefix, Some(rest)))
    }

    fn accept(&mut self, kind: &Kind, spelling: &str) -> bool {
        let found = self.tokens.first().is_some_and(|token| is(token, kind, spelling));
        if found {
            self.advance();
        }
        found
    }

    /// Returns true before what ends a list of conditions without operators.
    fn at_end_of_and(&self) -> bool {
        self.tokens
            .first()
            .is_none_or(|token| is(token, &Kind::Or, "or") || token.kind == Kind::Close)
    }

    fn place(&self) -> Range<usize> {
        self.tokens.first().map_or(self.end..self.end, |token| token.span.clone())
    }

    fn advance(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }
}

/// Returns whether the token is this operator, as a sign or as a word.
fn is(token: &Token, kind: &Kind, spelling: &str) -> bool {
    match &token.kind {
        Kind::Word(word) => word.bare().is_some_and(|text| text.eq_ignore_ascii_case(spelling)),
        Kind::Open | Kind::Close | Kind::And | Kind::Or | Kind::Not | Kind::Compare(_) => {
            token.kind == *kind
        }
    }
}

fn any(
    words: &[Word],
    condition: impl Fn(&Word) -> Result<Expression, Fault>,
) -> Result<Expression, Fault> {
    Ok(Expression::any(words.iter().map(condition).collect::<Result<Vec<_>, _>>()?))
}

/// Returns a port without what ss may write before it: `:80`, `*:80`, `inet:80`, `inet6::80`.
fn port_part(word: &Word) -> Word {
    let mut word = word.clone();
    if let Some((prefix, rest)) = word.split_colon()
        && (matches!(prefix.text.as_str(), "" | "*") || is_family(&prefix.text))
    {
        word = rest;
    }
    match word.split_colon() {
        Some((prefix, rest)) if matches!(prefix.text.as_str(), "" | "*") => rest,
        Some(_) | None => word,
    }
}

/// Returns true for the prefixes that name a family in ss's host syntax.
fn is_family(prefix: &str) -> bool {
    Family::ALL.iter().any(|family| family.name().eq_ignore_ascii_case(prefix))
}

fn protocol_of(word: &str) -> Option<Protocol> {
    let name = word.trim_end_matches(['4', '6']);
    Protocol::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
}

/// Returns what a key's value is, for messages.
const fn expected(key: Key) -> &'static str {
    match key {
        Key::Port(_) => "a port such as 80, 3000-3999, http",
        Key::Host(_) => "a host such as 127.0.0.1, 10.0.0.0/8, [::1]:80",
        Key::Number(NumberKey::Age) => "an age such as 90s, 15m, 1h, 7d",
        Key::Number(_) => "a number",
        Key::HexCookie => "a hexadecimal cookie",
        Key::User => "a user",
        Key::Command => "a command such as nginx, python*",
        Key::Netns => "a network namespace such as host, 4026531840",
        Key::Text(TextKey::Exe) => "a program such as /usr/sbin/nginx, nginx",
        Key::Text(TextKey::Cwd) => "a directory such as /srv/*",
        Key::Text(TextKey::Unit) => "a systemd unit such as nginx.service, user@*",
        Key::Text(TextKey::Container) => "a container such as docker, 4f5d0c1e",
        Key::Text(TextKey::Cgroup) => "a control group such as /system.slice/*",
        Key::Device => "an interface such as lo",
        Key::Protocol => "a protocol such as tcp",
        Key::Family => "a family such as inet6",
        Key::Type => "a socket type such as stream, dgram",
        Key::State | Key::Exclude => "a state such as listen, time-wait, connected",
        Key::Owner => "held, kernel or hidden",
        Key::Via => "a way an owner was found, such as fd",
    }
}
