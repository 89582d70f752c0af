//! What can keep the echo server or client from starting, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::echo::address::AddressError;
use crate::error::cause;
use crate::platform::limits::{PRIVILEGED_PORT_HINT, is_out_of_descriptors};
use crate::socket::{Endpoint, Protocol};

/// The system's answer as a fragment: `connection refused`, without the capital and the number that
/// [`io::Error`] writes.
#[derive(Debug, Error)]
pub struct Cause(pub io::Error);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cause(&self.0))
    }
}

/// Why nothing could be served or sent. The text fits after `sockscope: `.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EchoError {
    /// The text is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The name has no address.
    #[error("cannot find the address of {host:?}")]
    NoSuchHost {
        /// The name.
        host: String,
        /// The resolver's answer.
        #[source]
        source: Cause,
    },
    /// A socket could not be bound, or not listen.
    #[error("cannot listen on {protocol} {local}")]
    Listen {
        /// The protocol.
        protocol: Protocol,
        /// Where.
        local: Endpoint,
        /// The system's answer.
        #[source]
        source: Cause,
    },
    /// A server answers at the path.
    #[error("cannot listen on unix {}: a server is listening there", path.display())]
    PathInUse {
        /// The path.
        path: PathBuf,
    },
    /// Nobody answers at the path, but the socket file of some earlier server is there.
    #[error("cannot listen on unix {}: an earlier server left its socket there", path.display())]
    PathStale {
        /// The path.
        path: PathBuf,
    },
    /// Something that is no socket is at the path.
    #[error("cannot listen on unix {}: a file that is no socket is there", path.display())]
    PathTaken {
        /// The path.
        path: PathBuf,
    },
    /// No connection could be made.
    #[error("cannot connect to {protocol} {peer}")]
    Connect {
        /// The protocol.
        protocol: Protocol,
        /// Where to.
        peer: String,
        /// The port, where the protocol has one.
        port: Option<u16>,
        /// The system's answer.
        #[source]
        source: Cause,
    },
    /// What is to be sent could not be read.
    #[error("cannot read {}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: Cause,
    },
    /// The system has no UNIX sockets that tokio knows of.
    #[error("UNIX sockets are not available on this system")]
    NoUnixSockets,
}

impl EchoError {
    /// Returns what the user can do about it, for a line that starts with `hint: `.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Address(error) => Some(error.hint().to_owned()),
            Self::NoSuchHost { .. } => {
                Some("check the spelling, or give the IP address".to_owned())
            }
            Self::Listen { local, source: Cause(source), .. } => listen_hint(local, source),
            Self::PathInUse { .. } => {
                Some("choose another path, or see who holds it: sockscope list -x".to_owned())
            }
            Self::PathStale { .. } => Some("replace it with --force".to_owned()),
            Self::PathTaken { .. } => Some("choose another path".to_owned()),
            Self::Connect { protocol, port, source: Cause(source), .. } => {
                connect_hint(*protocol, *port, source)
            }
            Self::Source { .. } => None,
            Self::NoUnixSockets => Some("use an IP address and a port".to_owned()),
        }
    }
}

fn listen_hint(local: &Endpoint, source: &io::Error) -> Option<String> {
    if is_out_of_descriptors(source) {
        return Some(descriptors_hint());
    }
    match (source.kind(), local.port()) {
        (io::ErrorKind::AddrInUse, Some(port)) => Some(format!(
            "see who holds it: sockscope list :{port}, or take a free port: --port 0"
        )),
        (io::ErrorKind::PermissionDenied, Some(_)) => Some(PRIVILEGED_PORT_HINT.to_owned()),
        (io::ErrorKind::PermissionDenied, None) => {
            Some("choose a path in a directory you may write to".to_owned())
        }
        (io::ErrorKind::NotFound, None) => Some("make the directory first".to_owned()),
        (io::ErrorKind::AddrNotAvailable, _) => Some(
            "no interface of this machine has that address; 127.0.0.1 is always there, --any takes all"
                .to_owned(),
        ),
        _ => None,
    }
}

fn connect_hint(protocol: Protocol, port: Option<u16>, source: &io::Error) -> Option<String> {
    if is_out_of_descriptors(source) {
        return Some(descriptors_hint());
    }
    match (source.kind(), port) {
        (io::ErrorKind::ConnectionRefused, Some(port)) => Some(format!(
            "nothing listens there: start sockscope serve --{protocol} {port}, or look: sockscope list :{port}"
        )),
        (io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound, None) => {
            Some("nothing listens there: start sockscope serve with this path".to_owned())
        }
        (io::ErrorKind::TimedOut, _) => {
            Some("a firewall may drop the packets, or the server's backlog is full".to_owned())
        }
        (io::ErrorKind::AddrNotAvailable, _) => Some(
            "the address is not reachable from here, or every local port towards it is in use"
                .to_owned(),
        ),
        (io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable, _) => {
            Some("check the address and this machine's routes".to_owned())
        }
        _ => None,
    }
}

fn descriptors_hint() -> String {
    "raise the limit of open files: ulimit -n".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_a_lower_case_fragment_without_number() {
        let text = Cause(io::Error::from_raw_os_error(13)).to_string();
        assert!(text.starts_with(char::is_lowercase), "{text}");
        assert!(!text.contains("os error"), "{text}");
    }

    fn listening(port: u16, kind: io::ErrorKind) -> Option<String> {
        let local = Endpoint::inet(std::net::Ipv4Addr::LOCALHOST.into(), port);
        EchoError::Listen { protocol: Protocol::Tcp, local, source: Cause(kind.into()) }.hint()
    }

    #[test]
    fn a_port_in_use_hints_at_its_holder() {
        let hint = listening(8080, io::ErrorKind::AddrInUse).unwrap();
        assert!(hint.contains("sockscope list :8080"), "{hint}");
    }

    #[test]
    fn a_privileged_port_hints_at_the_limit() {
        let hint = listening(80, io::ErrorKind::PermissionDenied).unwrap();
        assert_eq!(hint, PRIVILEGED_PORT_HINT);
    }
}
