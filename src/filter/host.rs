//! One end of a socket as a value: `ss(8)` HOST SYNTAX, `[FAMILY:]ADDRESS[:PORT]`.
//!
//! Addresses are compared in canonical form: an IPv4-mapped one is IPv4.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::Names;
use super::error::{Fault, visible};
use super::expression::{End, Expression, Named, Network, Side, Test};
use super::glob::Glob;
use super::number::{Unit, literal};
use super::token::{Compare, Word};
use super::word;
use crate::socket::{Family, Protocol};

/// What is needed to read a host, beside its text.
#[derive(Clone, Copy)]
pub(super) struct Hosts<'a> {
    pub(super) side: Side,
    pub(super) names: &'a dyn Names,
    /// The protocol whose services the ports may be named by.
    pub(super) protocol: Option<Protocol>,
    /// The family the addresses have to be of, if not any.
    pub(super) family: Option<Family>,
}

/// One host of a list, with the ports that follow it.
struct Host {
    family: Option<Family>,
    address: Address,
    ports: Option<Vec<Word>>,
}

/// What the address of a host stands for.
enum Address {
    Any,
    Networks(Vec<Network>),
    Unix(Glob),
}

impl Hosts<'_> {
    /// Returns the condition that one of these hosts is there. A port after a host with port belongs
    /// to that host: `10.0.0.1:80,443`.
    pub(super) fn parse(self, words: &[Word]) -> Result<Expression, Fault> {
        let port = Unit::port(self.names, self.protocol);
        let mut hosts: Vec<Host> = Vec::new();
        for word in words {
            match hosts.last_mut() {
                Some(Host { ports: Some(ports), .. }) if port.fits(word) => {
                    ports.push(word.clone());
                }
                Some(_) | None => hosts.push(self.host(word)?),
            }
        }
        let hosts: Vec<Expression> =
            hosts.into_iter().map(|host| self.expression(host)).collect::<Result<_, _>>()?;
        Ok(Expression::any(hosts))
    }

    /// Returns the condition that one of these ports is there.
    pub(super) fn ports(self, words: &[Word]) -> Result<Expression, Fault> {
        let ports = Unit::port(self.names, self.protocol).values(Compare::Equal, words)?;
        Ok(self.end(End::Port(ports)))
    }

    fn end(self, end: End) -> Expression {
        Test::End(self.side, end).into()
    }

    fn expression(self, host: Host) -> Result<Expression, Fault> {
        let family = host.family.map(|family| Expression::from(Test::Family(family)));
        let unit = Unit::port(self.names, self.protocol);
        let ports = host.ports.map(|words| unit.values(Compare::Equal, &words)).transpose()?;
        let end = match (host.address, ports) {
            (Address::Unix(glob), _) => self.end(End::Unix(glob)),
            (Address::Networks(networks), ports) => Expression::any(
                networks.into_iter().map(|network| self.end(End::Host(network, ports.clone()))),
            ),
            (Address::Any, Some(ports)) => self.end(End::Port(ports)),
            // `*` for both: any end, and also none, as ss has it.
            (Address::Any, None) => Expression::All,
        };
        Ok(Expression::all(family.into_iter().chain([end])))
    }

    fn host(self, word: &Word) -> Result<Host, Fault> {
        let (family, rest) = split_family(word)?;
        if family == Some(Family::Unix) || rest.text.starts_with(['/', '@']) {
            return Ok(Host { family: None, address: Address::Unix(rest.glob()), ports: None });
        }
        let (address, port) = split_port(&rest)?;
        let any = |word: &Word| matches!(word.text.as_str(), "" | "*");
        let address = if any(&address) {
            Address::Any
        } else {
            Address::Networks(self.networks(&address, family.or(self.family))?)
        };
        Ok(Host { family, address, ports: port.filter(|port| !any(port)).map(|port| vec![port]) })
    }

    /// Returns the networks an address or a host's name stands for.
    fn networks(self, word: &Word, family: Option<Family>) -> Result<Vec<Network>, Fault> {
        let text = literal(word)?;
        let (text, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.as_str(), None),
        };
        let (text, zone) = match text.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (text, None),
        };
        let fault = |message: String| Fault::new(word.span.clone(), message);
        let wrong_family = |address: IpAddr| match family {
            Some(Family::Inet) => address.is_ipv6(),
            Some(Family::Inet6) => address.is_ipv4(),
            Some(
                Family::Unix
                | Family::Packet
                | Family::Netlink
                | Family::Vsock
                | Family::Xdp
                | Family::Other,
            )
            | None => false,
        };
        if let Some(address) = parse_address(text, length.is_some()) {
            if wrong_family(address) {
                let family = family.map_or("", Family::name);
                return Err(fault(format!("'{}' is no {family} address", visible(text))));
            }
            let addresses = network(address, length).ok_or_else(|| {
                let max = if address.is_ipv4() { 32 } else { 128 };
                let length = visible(length.unwrap_or_default());
                fault(format!("'/{length}' is no prefix length; expected /0 to /{max}"))
            })?;
            if zone.is_some() && addresses.addr().is_ipv4() {
                return Err(fault("only an IPv6 address has a zone behind '%'".to_owned()));
            }
            return Ok(vec![Network { addresses, zone: self.zone(zone, word)? }]);
        }
        if text.chars().all(|c| c.is_ascii_digit()) {
            let hint = format!("a port is written ':{text}'");
            return Err(fault(format!("'{}' is no address", visible(text))).hint(hint));
        }
        let numeric = text.contains(':') || text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if numeric || length.is_some() || zone.is_some() {
            let message = "expected one such as 10.0.0.1, 10.0.0.0/8, ::1";
            return Err(fault(format!("'{}' is no address; {message}", visible(text))));
        }
        let found: Vec<Network> = self
            .names
            .hosts(text)
            .into_iter()
            .filter(|address| !wrong_family(*address))
            .map(|address| Network { addresses: address.to_canonical().into(), zone: None })
            .collect();
        if found.is_empty() {
            let keys = word::KEYS.iter().flat_map(|(_, words)| words.iter().copied());
            let known = keys.map(str::to_owned).chain(word::protocols());
            return Err(fault(format!("unknown host '{}'", visible(text))).nearest(text, known));
        }
        Ok(found)
    }

    fn zone(self, zone: Option<&str>, word: &Word) -> Result<Option<Named>, Fault> {
        match zone {
            None => Ok(None),
            Some("") => Err(Fault::new(word.span.clone(), "expected an interface after '%'")),
            Some(zone) => Ok(Some(interface(Glob::exact(zone), self.names))),
        }
    }
}

/// Returns the interface with this name or index.
pub(super) fn interface(name: Glob, names: &dyn Names) -> Named {
    let number = name.literal().and_then(|text| {
        text.parse().ok().filter(|index| *index != 0).or_else(|| names.interface(&text))
    });
    Named { name, number }
}

/// Returns whether the word is a numeric address, without or with prefix length and zone.
pub(super) fn is_address(word: &Word) -> bool {
    let text = word.text.split(['/', '%']).next().unwrap_or_default();
    let tail = word.text.get(text.len()..).unwrap_or_default();
    text.parse::<IpAddr>().is_ok() && !tail.contains(':')
}

fn split_family(word: &Word) -> Result<(Option<Family>, Word), Fault> {
    let Some((prefix, rest)) = word.split_colon().filter(|_| !is_address(word)) else {
        return Ok((None, word.clone()));
    };
    if let Some(fault) = word::unsupported(&prefix) {
        return Err(fault);
    }
    Ok(match prefix.bare().map(str::to_ascii_lowercase).as_deref() {
        Some("inet") => (Some(Family::Inet), rest),
        Some("inet6") => (Some(Family::Inet6), rest),
        Some("unix") => (Some(Family::Unix), rest),
        Some(_) | None => (None, word.clone()),
    })
}

/// Cuts a host into address and port.
fn split_port(word: &Word) -> Result<(Word, Option<Word>), Fault> {
    let text = word.text.as_str();
    let whole = 0..text.len();
    if let Some(inside) = text.strip_prefix('[') {
        let Some(close) = inside.find(']').map(|place| place + 1) else {
            return Err(Fault::new(word.span.clone(), "this '[' is never closed; expected ']'"));
        };
        let behind = text.get(close + 1..).unwrap_or_default();
        return match behind.as_bytes().first() {
            None => Ok((word.part(1..close), None)),
            Some(b':') => Ok((word.part(1..close), Some(word.part(close + 2..whole.end)))),
            Some(_) => {
                let message = "expected ':' and a port after ']'";
                Err(Fault::new(word.part(close + 1..whole.end).span, message)
                    .hint("a prefix length goes inside: [2001:db8::/32]:80"))
            }
        };
    }
    if is_address(word) {
        return Ok((word.clone(), None));
    }
    Ok(match text.rfind(':') {
        Some(colon) => (word.part(0..colon), Some(word.part(colon + 1..whole.end))),
        None => (word.clone(), None),
    })
}

/// Returns the address; before a prefix length, IPv4 may be cut short, as in `127/8`.
fn parse_address(text: &str, short: bool) -> Option<IpAddr> {
    text.parse().ok().or_else(|| {
        let missing = 4usize.checked_sub(text.split('.').count())?;
        let full = format!("{text}{}", ".0".repeat(missing));
        full.parse().ok().filter(|_| short).map(IpAddr::V4)
    })
}

/// Returns the canonical network; `None` when the length is none.
fn network(address: IpAddr, length: Option<&str>) -> Option<IpNet> {
    let Some(length) = length else { return Some(address.to_canonical().into()) };
    if !length.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let length: u8 = length.parse().ok()?;
    let mapped = |v6: Ipv6Addr| v6.to_ipv4_mapped().zip(length.checked_sub(96));
    match address {
        IpAddr::V6(v6) if length <= 128 && mapped(v6).is_some() => {
            mapped(v6).and_then(|(v4, length)| IpNet::new(v4.into(), length).ok())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => IpNet::new(address, length).ok(),
    }
    .map(|network| network.trunc())
}
