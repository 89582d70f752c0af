//! What somebody wants to bind, as it is typed: `8080`, `:8080`, `127.0.0.1:8080`, `[::1]:53`,
//! `udp:53`, `tcp:localhost:http`, `/run/x.sock`, `@name`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cli::error::Failure;
use crate::diagnose::Target;
use crate::filter::Names;
use crate::nearest::nearest;
use crate::platform::services::Services;
use crate::render::sanitize;
use crate::socket::{Interface, Protocol};
use crate::text::Text;

/// Returns what is to be bound. Without an address that is two binds, of `::` and of `0.0.0.0`; a name
/// may have several addresses.
///
/// # Errors
///
/// When it is no target, with what is wrong with it.
pub fn parse(text: &str, names: &dyn Names, services: &Services) -> Result<Vec<Target>, Failure> {
    let targets = parse_any(text, names, services)?;
    if targets.iter().any(|target| matches!(target, Target::Inet { port: 0, .. })) {
        let text = sanitize::string(text.trim());
        return Err(Failure::new(format!("'{text}' is no target: port 0 means any free one")));
    }
    Ok(targets)
}

/// Does the same where port 0 has a meaning: any free one.
///
/// # Errors
///
/// When it is no target, with what is wrong with it.
pub fn parse_any(
    text: &str,
    names: &dyn Names,
    services: &Services,
) -> Result<Vec<Target>, Failure> {
    let text = text.trim();
    if ["/", "@", "./", "../"].iter().any(|start| text.starts_with(start)) && text.len() > 1 {
        return Ok(vec![Target::Unix(Text::from(text))]);
    }
    let wrong =
        |why: &str| Failure::new(format!("'{}' is no target: {why}", sanitize::string(text)));
    let (protocol, rest) = protocol(text);
    let (host, port) = split(rest);
    let number = parse_port(port, protocol, services).map_err(|(why, near)| {
        let failure = wrong(&why);
        match near {
            Some(name) => failure.hint(format!("did you mean '{name}'?")),
            None => failure.hint("it takes [tcp:|udp:][ADDRESS:]PORT, such as 8080 or [::1]:8080"),
        }
    })?;
    let protocol = protocol.or_else(|| only_protocol(port, services)).unwrap_or(Protocol::Tcp);
    let target = |(address, scope)| Target::Inet { protocol, address, scope, port: number };
    let addresses = match host {
        None | Some("*" | "") => {
            vec![(Ipv4Addr::UNSPECIFIED.into(), None), (Ipv6Addr::UNSPECIFIED.into(), None)]
        }
        Some(host) => addresses(host, names).map_err(|why| wrong(&why))?,
    };
    Ok(addresses.into_iter().map(target).collect())
}

/// Takes `tcp:` or `udp:` off the front.
fn protocol(text: &str) -> (Option<Protocol>, &str) {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let name = protocol.name();
        if let Some((word, rest)) = text.split_once(':')
            && word.eq_ignore_ascii_case(name)
        {
            return (Some(protocol), rest);
        }
    }
    (None, text)
}

/// Splits the port off the end: `[::1]:53`, `host:53`, `:::53` as Node prints it, `:53`, `53`.
fn split(text: &str) -> (Option<&str>, &str) {
    match text.rsplit_once(':') {
        None => (None, text),
        Some((host, port)) => {
            let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            (Some(inner.unwrap_or(host)), port)
        }
    }
}

/// Returns a port by number or name; else why it is none, and what may be meant.
fn parse_port(
    text: &str,
    protocol: Option<Protocol>,
    services: &Services,
) -> Result<u16, (String, Option<String>)> {
    let no = |why: &str| Err((why.to_owned(), None));
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u16>() {
            Ok(port) => Ok(port),
            Err(_) => no("the port is too large, the largest is 65535"),
        };
    }
    match services.port(text, protocol) {
        Some(port) => Ok(port),
        None if text.is_empty() || text.ends_with(']') => no("the port is missing"),
        None => Err((
            format!("'{}' is neither a port nor a service", sanitize::string(text)),
            nearest(text, services.names()),
        )),
    }
}

/// Returns the protocol of a service that only one has.
fn only_protocol(name: &str, services: &Services) -> Option<Protocol> {
    let is_udp = services.port(name, Some(Protocol::Udp)).is_some();
    let is_tcp = services.port(name, Some(Protocol::Tcp)).is_some();
    (is_udp && !is_tcp).then_some(Protocol::Udp)
}

/// Returns the addresses of a host, or the one that it is, with its zone.
fn addresses(host: &str, names: &dyn Names) -> Result<Vec<(IpAddr, Option<Interface>)>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![(address, None)]);
    }
    if let Some((address, zone)) = host.split_once('%')
        && let Ok(address) = address.parse::<Ipv6Addr>()
    {
        let index = zone.parse().ok().or_else(|| names.interface(zone));
        let name = Some(Text::from(zone));
        return match index {
            Some(index) => Ok(vec![(address.into(), Some(Interface { index, name }))]),
            None => Err(format!("there is no network device '{}'", sanitize::string(zone))),
        };
    }
    match names.hosts(host) {
        addresses if addresses.is_empty() => {
            Err(format!("there is no host '{}'", sanitize::string(host)))
        }
        addresses => Ok(addresses.into_iter().map(|address| (address, None)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Uid;
    use proptest::prelude::*;

    /// A machine with one host and one device.
    struct Known;

    impl Names for Known {
        fn service(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
            None
        }

        fn hosts(&self, name: &str) -> Vec<IpAddr> {
            match name {
                "localhost" => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
                _ => Vec::new(),
            }
        }

        fn user(&self, _: &str) -> Option<Uid> {
            None
        }

        fn interface(&self, name: &str) -> Option<u32> {
            (name == "eth0").then_some(2)
        }

        fn users(&self) -> Option<Vec<String>> {
            None
        }
    }

    fn services() -> Services {
        Services::parse("http 80/tcp www\ndomain 53/udp\ndomain 53/tcp\nntp 123/udp\n")
    }

    fn parsed(text: &str) -> Vec<String> {
        let targets = parse(text, &Known, &services()).unwrap_or_else(|error| panic!("{error}"));
        targets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_form_of_a_target_is_understood() {
        for (text, targets) in [
            ("8080", &["tcp 0.0.0.0:8080", "tcp [::]:8080"][..]),
            (":8080", &["tcp 0.0.0.0:8080", "tcp [::]:8080"]),
            ("*:8080", &["tcp 0.0.0.0:8080", "tcp [::]:8080"]),
            ("http", &["tcp 0.0.0.0:80", "tcp [::]:80"]),
            ("ntp", &["udp 0.0.0.0:123", "udp [::]:123"]),
            ("udp:53", &["udp 0.0.0.0:53", "udp [::]:53"]),
            ("UDP:domain", &["udp 0.0.0.0:53", "udp [::]:53"]),
            ("127.0.0.1:8080", &["tcp 127.0.0.1:8080"]),
            ("udp:127.0.0.1:53", &["udp 127.0.0.1:53"]),
            ("0.0.0.0:80", &["tcp 0.0.0.0:80"]),
            ("[::1]:53", &["tcp [::1]:53"]),
            (":::3000", &["tcp [::]:3000"]),
            ("[fe80::1%eth0]:53", &["tcp [fe80::1%eth0]:53"]),
            ("tcp:localhost:http", &["tcp [::1]:80", "tcp 127.0.0.1:80"]),
            ("/run/x.sock", &["unix /run/x.sock"]),
            ("./x.sock", &["unix ./x.sock"]),
            ("@name", &["unix @name"]),
        ] {
            assert_eq!(parsed(text), targets, "{text}");
        }
    }

    #[test]
    fn what_is_no_target_is_said_to_be_none() {
        for (text, why) in [
            ("0", "port 0 means any free one"),
            ("65536", "the port is too large"),
            ("127.0.0.1:", "the port is missing"),
            ("[::1]", "the port is missing"),
            ("", "the port is missing"),
            ("-1", "'-1' is neither a port nor a service"),
            ("nowhere:80", "there is no host 'nowhere'"),
            ("[fe80::1%eth9]:80", "there is no network device 'eth9'"),
            ("127.0.0.1:80\x1b", "'80\\x1b' is neither a port nor a service"),
        ] {
            let error = parse(text, &Known, &services()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn port_0_is_for_who_asks_for_any() {
        let targets = parse_any("127.0.0.1:0", &Known, &services()).unwrap();
        assert_eq!(targets[0].to_string(), "tcp 127.0.0.1:0");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            drop(parse(&text, &Known, &services()));
        }
    }
}
