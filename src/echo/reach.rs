//! Tries once whether somebody accepts connections at an address, and tells nothing to whoever does.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::echo::address::{Address, Host};
use crate::echo::error::{Cause, EchoError};
use crate::socket::Protocol;

/// Connects and closes the connection again. Each address of a name is tried, for so long.
///
/// # Errors
///
/// Why the last of them could not be connected to, or why there is none.
pub fn reach(address: &Address, patience: Duration) -> Result<(), EchoError> {
    let (host, port) = match address {
        Address::Inet { host, port } => (host, port.unwrap_or(0)),
        #[cfg(unix)]
        Address::Path(path) => {
            return match UnixStream::connect(path) {
                Ok(_) => Ok(()),
                Err(source) => Err(failed(Protocol::Unix, address, source)),
            };
        }
        #[cfg(not(unix))]
        Address::Path(_) => return Err(EchoError::NoUnixSockets),
    };
    let mut last = io::ErrorKind::NotFound.into();
    for socket_address in addresses(host, port)? {
        match TcpStream::connect_timeout(&socket_address, patience) {
            Ok(stream) if is_itself(&stream) => last = io::ErrorKind::ConnectionRefused.into(),
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(failed(Protocol::Tcp, address, last))
}

/// Returns true when the kernel has given the client the very port that it connects to, and so made it
/// its own peer (simultaneous open, RFC 9293, 3.5). Nobody listens then.
fn is_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

fn addresses(host: &Host, port: u16) -> Result<Vec<SocketAddr>, EchoError> {
    let known: &[IpAddr] = match host {
        Host::Unnamed | Host::Any => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        Host::Localhost => {
            &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)]
        }
        Host::Ip(address) => std::slice::from_ref(address),
        Host::Name(name) => {
            return match (name.as_str(), port).to_socket_addrs() {
                Ok(found) => Ok(found.collect()),
                Err(source) => {
                    Err(EchoError::NoSuchHost { host: name.clone(), source: Cause(source) })
                }
            };
        }
    };
    Ok(known.iter().map(|&address| SocketAddr::new(address, port)).collect())
}

fn failed(protocol: Protocol, address: &Address, source: io::Error) -> EchoError {
    let port = match address {
        Address::Inet { port, .. } => *port,
        Address::Path(_) => None,
    };
    EchoError::Connect { protocol, peer: address.to_string(), port, source: Cause(source) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::platform::clock::wait_until;

    const PATIENCE: Duration = Duration::from_mins(1);

    fn try_to_reach(address: &str) -> Result<(), EchoError> {
        reach(&address.parse().unwrap(), PATIENCE)
    }

    #[test]
    fn a_listener_is_reached_and_nothing_else() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        try_to_reach(&address).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        // It says nothing, and is gone at once.
        assert_eq!(io::Read::read(&mut accepted, &mut [0]).unwrap(), 0);
        drop((accepted, listener));
        let mut reached = try_to_reach(&address);
        wait_until(|| {
            reached = try_to_reach(&address);
            reached.is_err()
        });
        let error = reached.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot connect to tcp {address}"));
    }

    #[test]
    fn a_name_that_is_no_host_is_named() {
        let error = try_to_reach("no such host:80").unwrap_err();
        assert!(matches!(error, EchoError::NoSuchHost { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_listener_is_reached() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let path_text = path.to_str().unwrap();
        assert!(try_to_reach(path_text).is_err());
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        try_to_reach(path_text).unwrap();
    }
}
