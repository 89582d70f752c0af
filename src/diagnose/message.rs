//! What a pasted error message tells: which call failed, with which error, on which address and port.
//!
//! No rule is about one program. The error is found by its words ([`words`]), the place by its shape
//! ([`places`]), and of several places the one nearest to the error is taken. The text is hostile: any
//! bytes may stand in it.

mod places;
mod words;

use std::fmt;
use std::net::IpAddr;

use crate::diagnose::message::places::{Found, Line};
use crate::diagnose::{Call, Errno};
use crate::socket::Protocol;

/// How much of a text is looked at, in bytes: the rest of a log tells nothing new.
const LIMIT: usize = 64 * 1024;

/// What a message tells. What it does not tell is absent, never guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pasted {
    /// The error; absent when the message only says that it failed.
    pub errno: Option<Errno>,
    /// [`Call::Connect`] for a client; [`Call::Bind`] for a server, whichever of its calls it was:
    /// programs name the wrong one (Node.js says `listen` for `bind`).
    pub call: Call,
    /// Where; absent when the message names neither port nor path.
    pub place: Option<Place>,
}

/// Where a socket was to be, or to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A port.
    Inet {
        /// UDP when the message says so, else TCP.
        protocol: Protocol,
        /// The host; absent when the message has only a port, or means every address (`:8080`, `*`).
        host: Option<Host>,
        /// The port, never 0.
        port: u16,
    },
    /// The path of a UNIX socket; a name in the abstract namespace starts with `@`.
    Unix(String),
}

/// A host as a message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name to look up, or an address with a zone, such as `fe80::1%eth0`.
    Name(String),
}

impl fmt::Display for Place {
    /// Writes what `sockscope why` takes: `tcp:127.0.0.1:80`, `udp:[::1]:53`, `tcp::80`, `unix:/run/x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { protocol, host, port } => match host {
                None => write!(f, "{protocol}::{port}"),
                Some(Host::Ip(IpAddr::V6(address))) => write!(f, "{protocol}:[{address}]:{port}"),
                Some(Host::Ip(IpAddr::V4(address))) => write!(f, "{protocol}:{address}:{port}"),
                Some(Host::Name(name)) if name.contains(':') => {
                    write!(f, "{protocol}:[{name}]:{port}")
                }
                Some(Host::Name(name)) => write!(f, "{protocol}:{name}:{port}"),
            },
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// Reads a message: of one line or of many, with or without colours. `None` when nothing in it says that
/// a socket could not be bound or connected.
pub fn parse(text: &str) -> Option<Pasted> {
    let text = plain(text);
    let lines: Vec<Line<'_>> = text.lines().map(Line::new).collect();
    let (at, said) = words::find(&lines)?;
    let place = place(&lines, at);
    let call = said.call.unwrap_or_else(|| {
        let line = lines.get(at).map_or("", |line| line.lower.as_str());
        if words::is_about_connecting(line) { Call::Connect } else { Call::Bind }
    });
    Some(Pasted { errno: said.errno, call, place })
}

/// Returns the place that the error on this line is about.
fn place(lines: &[Line<'_>], at: usize) -> Option<Place> {
    let is_unix = lines.get(at).is_some_and(|line| line.has_word("unix"));
    let distance = |line: usize| i64::try_from(line.abs_diff(at)).unwrap_or(i64::MAX);
    let (line, best) = lines
        .iter()
        .enumerate()
        .flat_map(|(number, line)| places::find(line).into_iter().map(move |found| (number, found)))
        // The first of equals: `max_by_key` would take the last.
        .min_by_key(|(line, found)| {
            let unix = if is_unix && found.is_path() { 1000 } else { 0 };
            distance(*line).min(20) * 100 - found.weight() - unix
        })?;
    match best {
        Found::Path(path) => Some(Place::Unix(path)),
        Found::Port { host, port, any, .. } => {
            let host = if any { None } else { host.or_else(|| nearest_host(lines, line)) };
            let is_udp = [line, at].iter().filter_map(|line| lines.get(*line)).any(Line::is_udp);
            let protocol = if is_udp { Protocol::Udp } else { Protocol::Tcp };
            Some(Place::Inet { protocol, host, port })
        }
    }
}

/// Returns the host that stands alone on the line of a port, or near it, the line of the error first.
fn nearest_host(lines: &[Line<'_>], line: usize) -> Option<Host> {
    let near = line.saturating_sub(2)..=line.saturating_add(2);
    let alone = lines.iter().enumerate().filter(|(number, _)| near.contains(number));
    alone
        .filter_map(|(number, found)| Some((number.abs_diff(line), places::host_alone(found)?)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, host)| host)
}

/// Returns the text without colours, and without control characters but the end of a line.
fn plain(text: &str) -> String {
    let mut rest = text.chars().take(LIMIT);
    let mut plain = String::new();
    while let Some(c) = rest.next() {
        match c {
            // ECMA-48: `ESC [`, parameters, and a final byte of `@` to `~`. Other sequences are short.
            '\x1b' => {
                if rest.next() == Some('[') {
                    rest.by_ref().find(|c| matches!(c, '@'..='~'));
                }
            }
            '\n' => plain.push('\n'),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
