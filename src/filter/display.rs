//! Writes a filter in one canonical form, which parses back to the same filter.

use std::fmt;
use std::net::IpAddr;

use super::expression::{End, Expression, Network, NumberKey, Ranges, Side, Test};
use super::word::SERVER;
use crate::socket::Family;

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Not(inner) => write!(f, "not {}", Inside(inner, Binding::Not)),
            Self::And(list) => joined(f, list, " and ", Binding::And),
            Self::Or(list) => joined(f, list, " or ", Binding::Or),
            Self::Test(test) => test.fmt(f),
        }
    }
}

/// How tightly an operator binds, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
}

/// An operand: in parentheses where it binds no tighter than what is around it.
struct Inside<'a>(&'a Expression, Binding);

impl fmt::Display for Inside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(expression, around) = self;
        let loose = match expression {
            Expression::Or(_) => true,
            Expression::And(_) => *around >= Binding::And,
            Expression::All | Expression::Not(_) | Expression::Test(_) => false,
        };
        if loose { write!(f, "({expression})") } else { expression.fmt(f) }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    list: &[Expression],
    operator: &str,
    around: Binding,
) -> fmt::Result {
    for (index, expression) in list.iter().enumerate() {
        let operator = if index == 0 { "" } else { operator };
        write!(f, "{operator}{}", Inside(expression, around))?;
    }
    Ok(())
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(protocol) => protocol.fmt(f),
            // `unix` alone is the protocol.
            Self::Family(
                family @ (Family::Unix
                | Family::Packet
                | Family::Netlink
                | Family::Vsock
                | Family::Xdp
                | Family::Other),
            ) => {
                write!(f, "family {family}")
            }
            Self::Family(family @ (Family::Inet | Family::Inet6)) => family.fmt(f),
            Self::Type(socket_type) => write!(f, "type {socket_type}"),
            Self::State(states) => {
                // Every word names known states, so a set with the unknown ones is a complement.
                let (word, states) = if states.has_unknown() {
                    ("exclude", states.complement())
                } else {
                    ("state", *states)
                };
                let names: Vec<String> = states.known().map(|state| state.to_string()).collect();
                write!(f, "{word} {}", names.join(","))
            }
            Self::Server => f.write_str(SERVER),
            Self::End(side, end) => write_end(f, *side, end),
            Self::Number(key, ranges) => {
                f.write_str(key.name())?;
                write_numbers(f, *key, ranges)
            }
            Self::User(user) => write!(f, "user {}", user.name),
            Self::Command(command) => write!(f, "command {command}"),
            Self::Netns(name) => write!(f, "netns {name}"),
            Self::Text(key, text) => write!(f, "{} {text}", key.name()),
            Self::Device(device) => write!(f, "dev {}", device.name),
            Self::Owner(kind) => f.write_str(kind.name()),
            Self::Via(via) => write!(f, "via {}", via.name()),
        }
    }
}

fn write_end(f: &mut fmt::Formatter<'_>, side: Side, end: &End) -> fmt::Result {
    let host = match side {
        Side::Either => "host",
        Side::Local => "src",
        Side::Peer => "dst",
    };
    match end {
        End::Port(ports) => {
            let port = match side {
                Side::Either => "port",
                Side::Local => "sport",
                Side::Peer => "dport",
            };
            write!(f, "{port} {}", List(ports))
        }
        End::Host(network, None) => write!(f, "{host} {network}"),
        End::Host(network, Some(ports)) => match network.addresses.addr() {
            IpAddr::V6(_) if network.zone.is_none() => {
                write!(f, "{host} [{network}]:{}", List(ports))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => write!(f, "{host} {network}:{}", List(ports)),
        },
        End::Unix(glob) => write!(f, "{host} unix:{glob}"),
    }
}

impl fmt::Display for Network {
    /// Writes a single address without its length, one with a zone in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.addresses.addr();
        let single = self.addresses.prefix_len() == self.addresses.max_prefix_len();
        let length =
            if single { String::new() } else { format!("/{}", self.addresses.prefix_len()) };
        match &self.zone {
            None => write!(f, "{address}{length}"),
            Some(zone) => write!(f, "[{address}%{}{length}]", zone.name),
        }
    }
}

fn write_numbers(f: &mut fmt::Formatter<'_>, key: NumberKey, ranges: &Ranges) -> fmt::Result {
    match ranges.as_slice() {
        [range] if *range.end() == key.max() && *range.start() < key.max() => {
            write!(f, " >= {}", range.start())
        }
        _ => write!(f, " {}", List(ranges)),
    }
}

struct List<'a>(&'a Ranges);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.as_slice().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", range.start())?;
            if range.start() != range.end() {
                write!(f, "-{}", range.end())?;
            }
        }
        Ok(())
    }
}
