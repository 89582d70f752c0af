//! The names of ports, from the system's file (`services(5)`). A name says what a port is meant
//! for, not what runs there.

use std::collections::HashMap;
use std::fs;

use crate::socket::Protocol;

/// Where the system keeps the file.
const PATH: &str =
    if cfg!(windows) { r"C:\Windows\System32\drivers\etc\services" } else { "/etc/services" };

/// The commonest services, in the file's own form: containers often lack the file, and it the newer
/// ones.
const BUILT_IN: &str = "\
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp
domain 53/tcp dns
domain 53/udp dns
bootps 67/udp
bootpc 68/udp
tftp 69/udp
http 80/tcp www
kerberos 88/tcp
kerberos 88/udp
pop3 110/tcp
sunrpc 111/tcp portmapper
sunrpc 111/udp portmapper
ntp 123/udp
imap2 143/tcp imap
snmp 161/udp
ldap 389/tcp
https 443/tcp
https 443/udp
microsoft-ds 445/tcp
submissions 465/tcp
syslog 514/udp
ipp 631/tcp
ldaps 636/tcp
domain-s 853/tcp
rsync 873/tcp
imaps 993/tcp
pop3s 995/tcp
socks 1080/tcp
openvpn 1194/udp
ms-sql-s 1433/tcp
mqtt 1883/tcp
nfs 2049/tcp
mysql 3306/tcp
ms-wbt-server 3389/tcp rdp
stun 3478/udp
postgresql 5432/tcp postgres
amqp 5672/tcp
mdns 5353/udp
llmnr 5355/udp
redis 6379/tcp
http-alt 8080/tcp
secure-mqtt 8883/tcp
memcached 11211/tcp
mongodb 27017/tcp
wireguard 51820/udp
";

/// The services of this system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services {
    names: HashMap<(Protocol, u16), String>,
    ports: HashMap<(String, Protocol), u16>,
}

impl Services {
    /// Reads the system's file. Its names come before the built-in ones; a file that cannot be read
    /// leaves those.
    pub fn read() -> Self {
        let file = fs::read(PATH).unwrap_or_default();
        Self::parse(&format!("{}\n{BUILT_IN}", String::from_utf8_lossy(&file)))
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

    /// Returns every service name and alias, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ports.keys().map(|(name, _)| name.as_str())
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
        Protocol::Tcp | Protocol::Mptcp => Some(Protocol::Tcp),
        Protocol::Udp | Protocol::Udplite => Some(Protocol::Udp),
        Protocol::Raw
        | Protocol::Unix
        | Protocol::Packet
        | Protocol::Netlink
        | Protocol::Sctp
        | Protocol::Icmp
        | Protocol::Vsock
        | Protocol::Xdp
        | Protocol::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    #[test]
    fn every_built_in_line_is_a_service() {
        let services = Services::parse(BUILT_IN);
        assert_eq!(services.names.len(), BUILT_IN.lines().count());
    }

    #[test]
    fn the_common_services_are_known_everywhere() {
        let services = Services::read();
        assert_eq!(services.port("ssh", Some(Protocol::Tcp)), Some(22));
        assert_eq!(services.port("https", None), Some(443));
        assert_eq!(services.name(Protocol::Udp, 53), Some("domain"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            Services::parse(&text);
        }
    }
}
