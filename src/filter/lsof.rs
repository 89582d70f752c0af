//! lsof's internet addresses (`lsof(8)` -i): `[46][protocol][@hostname|hostaddr][:service|port]`.
//!
//! Host and port are those of one end, either one.

use super::error::{Fault, visible};
use super::expression::{Expression, Side, Test};
use super::host::{Hosts, is_address};
use super::number::looks_numeric;
use super::token::Word;
use super::{Filter, FilterError, Names};
use crate::socket::{Family, Protocol};

/// Parses one internet address: `4tcp@127.0.0.1:80,443,8000-8010`, `UDP`, `@[::1]`, `:http`. An
/// empty one stands for all internet sockets. Several are meant to be joined by [`Filter::any`].
///
/// # Errors
///
/// When the text is no such address.
pub fn parse_internet(input: &str, names: &dyn Names) -> Result<Filter, FilterError> {
    internet(input, names).map(Filter).map_err(|fault| FilterError::new(input, fault))
}

fn internet(input: &str, names: &dyn Names) -> Result<Expression, Fault> {
    let whole = Word::plain(input, 0);
    let head_end = input.find(['@', ':']).unwrap_or(input.len());
    let head = whole.part(0..head_end);
    let (version, name) = match (head.text.strip_prefix('4'), head.text.strip_prefix('6')) {
        (Some(rest), _) => (Some(Family::Inet), rest),
        (_, Some(rest)) => (Some(Family::Inet6), rest),
        (None, None) => (None, head.text.as_str()),
    };
    let protocol = match name {
        "" => None,
        name => Some(protocol(name, &head, &whole)?),
    };

    let side = Side::Either;
    // An inet6 socket may carry IPv4, so 6 takes either kind of address.
    let family = version.filter(|version| *version == Family::Inet);
    let hosts = Hosts { side, names, protocol, family };
    let tail = whole.part(head_end..input.len());
    let end = match tail.text.strip_prefix('@') {
        None if tail.text.is_empty() => None,
        None => Some(hosts.parse(&ports(&tail, 1)?)?),
        Some("") => return Err(Fault::new(tail.span, "expected a host after '@'")),
        Some(host) => {
            let colon = host.rfind(']').unwrap_or(0);
            let behind = host.get(colon..).unwrap_or_default();
            let port = behind.find(':').map(|place| 1 + colon + place + 1);
            let mut words = match port {
                Some(port) => ports(&tail, port)?,
                None => vec![tail.clone()],
            };
            // The host stays with its first port.
            if let Some(first) = words.first_mut() {
                let end = first.span.end - tail.span.start;
                *first = tail.part(1..end);
            }
            Some(hosts.parse(&words)?)
        }
    };

    let family = match (version, protocol, &end) {
        (Some(family), ..) => Some(Expression::from(Test::Family(family))),
        (None, None, None) => {
            Some(Expression::any([Family::Inet, Family::Inet6].map(|f| Test::Family(f).into())))
        }
        (None, ..) => None,
    };
    let protocol = protocol.map(|protocol| Expression::from(Test::Protocol(protocol)));
    Ok(Expression::all(family.into_iter().chain(protocol).chain(end)))
}

fn protocol(name: &str, head: &Word, whole: &Word) -> Result<Protocol, Fault> {
    let known =
        Protocol::ALL.into_iter().filter(|protocol| protocol.families().contains(&Family::Inet));
    if let Some(protocol) = known.clone().find(|known| known.name().eq_ignore_ascii_case(name)) {
        return Ok(protocol);
    }
    let message =
        format!("'{}' is no protocol; expected [46][protocol][@host][:port]", visible(name));
    let fault = Fault::new(head.span.clone(), message);
    Err(if looks_numeric(head) {
        fault.hint(format!("a port is written ':{}'", head.text))
    } else if is_address(whole) || name.contains('.') {
        fault.hint(format!("a host is written '@{}'", visible(&whole.text)))
    } else {
        fault.nearest(name, known.map(Protocol::name))
    })
}

/// Cuts the list of ports that starts at this byte, keeping on the first what stands before it.
fn ports(tail: &Word, start: usize) -> Result<Vec<Word>, Fault> {
    let list = tail.part(start..tail.text.len());
    let mut words = list.split_commas();
    if let Some(missing) = words.iter().find(|word| word.text.is_empty()) {
        return Err(Fault::new(missing.span.clone(), "expected a port or a service"));
    }
    if let Some(first) = words.first_mut() {
        *first = tail.part(0..start + first.text.len());
    }
    Ok(words)
}
