//! Names for addresses and ports, where somebody asked for them. Looking up is done elsewhere
//! (`platform::resolve`); here they are only kept.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::socket::Protocol;

/// The names to print in place of numbers. Empty by default: everything stays numeric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvedNames {
    hosts: HashMap<IpAddr, String>,
    services: HashMap<(Protocol, u16), String>,
}

impl ResolvedNames {
    /// Remembers the host name of an address.
    pub fn insert_host(&mut self, address: IpAddr, name: impl Into<String>) {
        self.hosts.insert(address.to_canonical(), name.into());
    }

    /// Remembers the service name of a port.
    pub fn insert_service(&mut self, protocol: Protocol, port: u16, name: impl Into<String>) {
        self.services.insert((protocol, port), name.into());
    }

    /// Returns the host name of an address, an IPv4-mapped one being its IPv4 address. Not safe for
    /// a terminal: whoever answers DNS chose it.
    pub fn host(&self, address: IpAddr) -> Option<&str> {
        if self.hosts.is_empty() {
            return None;
        }
        self.hosts.get(&address.to_canonical()).map(String::as_str)
    }

    /// Returns the service name of a port: a hint, what runs there may be anything.
    pub fn service(&self, protocol: Protocol, port: u16) -> Option<&str> {
        if self.services.is_empty() {
            return None;
        }
        self.services.get(&(protocol, port)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_has_the_name_of_its_ipv4_address() {
        let mut names = ResolvedNames::default();
        names.insert_host("::ffff:192.0.2.1".parse().unwrap(), "example");
        assert_eq!(names.host("192.0.2.1".parse().unwrap()), Some("example"));
        assert_eq!(names.host("192.0.2.2".parse().unwrap()), None);
    }

    #[test]
    fn a_service_belongs_to_its_protocol() {
        let mut names = ResolvedNames::default();
        names.insert_service(Protocol::Tcp, 80, "http");
        assert_eq!(names.service(Protocol::Tcp, 80), Some("http"));
        assert_eq!(names.service(Protocol::Udp, 80), None);
    }
}
