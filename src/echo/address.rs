//! Where to listen or to connect, as a user types it.
//!
//! Parsing only checks the text; [`Host::resolve`] looks names up.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;
use tokio::net::lookup_host;

use crate::echo::error::{Cause, EchoError};

/// Where to listen or to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Inet {
        /// The host.
        host: Host,
        /// The port; absent when the text has none.
        port: Option<u16>,
    },
    /// The path of a UNIX socket.
    Path(PathBuf),
}

/// The host part of an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// None was typed: `127.0.0.1`. Not the wildcard, because a server that echoes anything to
    /// anyone on the network is to be asked for.
    Unnamed,
    /// `localhost`: both loopback addresses, whatever the hosts file says (RFC 6761, 6.3).
    Localhost,
    /// `*`: every address of the machine, both families.
    Any,
    /// An IP address.
    Ip(IpAddr),
    /// A name to look up, or an address with a zone, such as `fe80::1%eth0`.
    Name(String),
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is nothing.
    #[error("an empty address")]
    Empty,
    /// `unix:` without a path.
    #[error("unix: needs a path, as in unix:/run/echo.sock")]
    NoPath,
    /// A port beyond 65535.
    #[error("port {0} is out of range")]
    PortRange(String),
    /// Something else than digits where the port belongs.
    #[error("{0:?} is not a port")]
    PortText(String),
    /// `[` without `]`, or something odd after it.
    #[error("{0:?} does not read as [ADDRESS]:PORT")]
    Brackets(String),
}

impl AddressError {
    /// Returns what to type instead.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::PortRange(_) => "ports go from 0 to 65535",
            Self::Empty | Self::NoPath | Self::PortText(_) | Self::Brackets(_) => {
                "addresses look like 8080, 127.0.0.1:8080, [::1]:8080, localhost:8080 or /path/of.sock"
            }
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(AddressError::NoPath),
                path => Ok(Self::Path(path.into())),
            };
        }
        if ["/", "./", "../"].iter().any(|start| text.starts_with(start)) {
            return Ok(Self::Path(text.into()));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Inet { host: Host::Unnamed, port: Some(parse_port(text)?) });
        }
        if let Some(rest) = text.strip_prefix('[') {
            let odd = || AddressError::Brackets(text.to_owned());
            let (host, rest) = rest.split_once(']').ok_or_else(odd)?;
            let port = match rest {
                "" => None,
                rest => Some(parse_port(rest.strip_prefix(':').ok_or_else(odd)?)?),
            };
            return match parse_host(host) {
                host @ (Host::Ip(IpAddr::V6(_)) | Host::Name(_)) => Ok(Self::Inet { host, port }),
                Host::Unnamed | Host::Localhost | Host::Any | Host::Ip(IpAddr::V4(_)) => Err(odd()),
            };
        }
        // An IPv6 address without brackets has no port: `::1:80` would be an address too.
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self::Inet { host: Host::Ip(address.into()), port: None });
        }
        match text.rsplit_once(':') {
            None => Ok(Self::Inet { host: parse_host(text), port: None }),
            Some((host, _)) if host.contains(':') => Err(AddressError::Brackets(text.to_owned())),
            Some((host, port)) => {
                Ok(Self::Inet { host: parse_host(host), port: Some(parse_port(port)?) })
            }
        }
    }
}

fn parse_host(text: &str) -> Host {
    match text {
        "" => Host::Unnamed,
        "*" => Host::Any,
        name if name.eq_ignore_ascii_case("localhost") => Host::Localhost,
        name => name.parse().map_or_else(|_| Host::Name(name.to_owned()), Host::Ip),
    }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressError::PortText(text.to_owned()));
    }
    text.parse().map_err(|_| AddressError::PortRange(text.to_owned()))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Inet { host, port } => {
                match (host, port) {
                    (Host::Unnamed, _) => f.write_str("127.0.0.1"),
                    (Host::Localhost, _) => f.write_str("localhost"),
                    (Host::Any, _) => f.write_str("*"),
                    (Host::Ip(IpAddr::V6(address)), Some(_)) => write!(f, "[{address}]"),
                    (Host::Ip(address), _) => address.fmt(f),
                    (Host::Name(name), Some(_)) if name.contains(':') => write!(f, "[{name}]"),
                    (Host::Name(name), _) => f.write_str(name),
                }?;
                port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
        }
    }
}

impl Host {
    /// Returns the socket addresses with this port, those to try first first.
    ///
    /// # Errors
    ///
    /// When a name has no address.
    pub async fn resolve(&self, port: u16) -> Result<Vec<SocketAddr>, EchoError> {
        let addresses: Vec<IpAddr> = match self {
            Self::Unnamed => vec![Ipv4Addr::LOCALHOST.into()],
            Self::Localhost => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Self::Any => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            Self::Ip(address) => vec![*address],
            Self::Name(name) => {
                let error = |source| EchoError::NoSuchHost { host: name.clone(), source };
                let found = lookup_host((name.as_str(), port)).await;
                let found: Vec<SocketAddr> =
                    found.map_err(|source| error(Cause(source)))?.collect();
                // Keeps the zone of a link-local address, which an IpAddr has no room for.
                return Ok(found);
            }
        };
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn inet(host: Host, port: Option<u16>) -> Address {
        Address::Inet { host, port }
    }

    fn ip(text: &str) -> Host {
        Host::Ip(text.parse().unwrap())
    }

    #[test]
    fn every_documented_form_is_read() {
        let cases = [
            ("8080", inet(Host::Unnamed, Some(8080))),
            (":8080", inet(Host::Unnamed, Some(8080))),
            ("127.0.0.1:8080", inet(ip("127.0.0.1"), Some(8080))),
            ("[::1]:8080", inet(ip("::1"), Some(8080))),
            ("[::1]", inet(ip("::1"), None)),
            ("::1", inet(ip("::1"), None)),
            ("localhost:8080", inet(Host::Localhost, Some(8080))),
            ("LOCALHOST", inet(Host::Localhost, None)),
            ("*:8080", inet(Host::Any, Some(8080))),
            ("example.org:7", inet(Host::Name("example.org".into()), Some(7))),
            ("[fe80::1%eth0]:7", inet(Host::Name("fe80::1%eth0".into()), Some(7))),
            ("unix:echo.sock", Address::Path("echo.sock".into())),
            ("/run/echo.sock", Address::Path("/run/echo.sock".into())),
            ("./8080", Address::Path("./8080".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", "an empty address"),
            ("65536", "port 65536 is out of range"),
            ("localhost:99999999999", "port 99999999999 is out of range"),
            ("localhost:http", "\"http\" is not a port"),
            ("localhost:", "\"\" is not a port"),
            ("localhost:+80", "\"+80\" is not a port"),
            ("[::1:80", "\"[::1:80\" does not read as [ADDRESS]:PORT"),
            ("[::1]80", "\"[::1]80\" does not read as [ADDRESS]:PORT"),
            ("[127.0.0.1]:80", "\"[127.0.0.1]:80\" does not read as [ADDRESS]:PORT"),
            ("fe80::1%eth0:80", "\"fe80::1%eth0:80\" does not read as [ADDRESS]:PORT"),
            ("unix:", "unix: needs a path, as in unix:/run/echo.sock"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Address>().expect_err(text);
            assert_eq!(error.to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _checked = text.parse::<Address>();
        }

        #[test]
        fn a_socket_address_is_read_and_written_back(address: SocketAddr) {
            let parsed: Address = address.to_string().parse().unwrap();
            prop_assert_eq!(parsed.to_string(), address.to_string());
        }
    }

    #[tokio::test]
    async fn localhost_is_both_loopback_addresses() {
        let addresses = Host::Localhost.resolve(80).await.unwrap();
        assert_eq!(addresses, ["127.0.0.1:80".parse().unwrap(), "[::1]:80".parse().unwrap()]);
    }
}
