//! The names of ports, from the system's file (`services(5)`). A name says what a port is meant
//! for, not what runs there.

use std::collections::HashMap;
use std::fs;

use crate::socket::Protocol;

/// Where the system keeps the file.
const PATH: &str =
    if cfg!(windows) { r"C:\Windows\System32\drivers\etc\services" } else { "/etc/services" };

/// The services of this system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services {
    names: HashMap<(Protocol, u16), String>,
    ports: HashMap<(String, Protocol), u16>,
}

impl Services {
    /// Reads the system's file. Without one, or with one that cannot be read, no port has a name:
    /// ports are shown as numbers, which are always right.
    pub fn read() -> Self {
        fs::read(PATH).map(|file| Self::parse(&String::from_utf8_lossy(&file))).unwrap_or_default()
    }

    /// Parses `name port/protocol aliases… # comment` lines; what is neither TCP nor UDP, or not of
    /// that form, is left out. The first of several names for a port is the one that counts.
    pub fn parse(file: &str) -> Self {
        let mut services = Self::default();
        for line in file.lines() {
            let line = line.split_once('#').map_or(line, |(line, _comment)| line);
            let mut words = line.split_whitespace();
            let (Some(name), Some(number)) = (words.next(), words.next()) else { continue };
            let Some((port, protocol)) = number.split_once('/') else { continue };
            let protocol = match protocol {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => continue,
            };
            let Ok(port) = port.parse() else { continue };
            services.names.entry((protocol, port)).or_insert_with(|| name.to_owned());
            for name in words.chain([name]) {
                services.ports.entry((name.to_ascii_lowercase(), protocol)).or_insert(port);
            }
        }
        services
    }

    /// Returns the name of a port; UDPLITE's are UDP's.
    pub fn name(&self, protocol: Protocol, port: u16) -> Option<&str> {
        self.names.get(&(ports_of(protocol)?, port)).map(String::as_str)
    }

    /// Returns the port of a service name or alias, whatever its case, for this protocol or for any
    /// (TCP first).
    pub fn port(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        let name = name.to_ascii_lowercase();
        let port = |protocol| self.ports.get(&(name.clone(), protocol)).copied();
        match protocol {
            Some(protocol) => port(ports_of(protocol)?),
            None => port(Protocol::Tcp).or_else(|| port(Protocol::Udp)),
        }
    }
}

/// Returns the protocol whose port names a protocol uses; `None` where it has no ports.
const fn ports_of(protocol: Protocol) -> Option<Protocol> {
    match protocol {
        Protocol::Tcp => Some(Protocol::Tcp),
        Protocol::Udp | Protocol::Udplite => Some(Protocol::Udp),
        Protocol::Raw | Protocol::Unix => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> Services {
        Services::parse(
            "# a comment\n\
             http            80/tcp          www WorldWideWeb  # HyperText\n\
             http-alt        80/tcp\n\
             domain          53/udp\n\
             domain          53/tcp\n\
             syslog          514/udp\n\
             sctp-thing      99/sctp\n\
             broken          http/tcp\n\
             broken          70000/tcp\n\
             broken\n",
        )
    }

    #[test]
    fn the_first_name_of_a_port_counts() {
        assert_eq!(services().name(Protocol::Tcp, 80), Some("http"));
    }

    #[test]
    fn a_port_has_a_name_only_in_its_protocol() {
        assert_eq!(services().name(Protocol::Udp, 80), None);
        assert_eq!(services().name(Protocol::Udplite, 53), Some("domain"));
        assert_eq!(services().name(Protocol::Raw, 80), None);
    }

    #[test]
    fn names_and_aliases_have_ports_whatever_their_case() {
        assert_eq!(services().port("worldwideweb", Some(Protocol::Tcp)), Some(80));
        assert_eq!(services().port("HTTP-ALT", None), Some(80));
        assert_eq!(services().port("syslog", None), Some(514));
        assert_eq!(services().port("syslog", Some(Protocol::Tcp)), None);
    }

    #[test]
    fn what_is_not_a_service_is_left_out() {
        assert_eq!(services().port("broken", None), None);
        assert_eq!(services().port("sctp-thing", None), None);
    }
}
