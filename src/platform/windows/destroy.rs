//! `SetTcpEntry` (iphlpapi.h), the one call by which Windows closes a connection from outside
//! (<https://learn.microsoft.com/windows/win32/api/iphlpapi/nf-iphlpapi-settcpentry>): over IPv4 alone,
//! which it tells by its two ends. The row that it takes is made by safe code, compiled for tests on every
//! system.

use std::net::{IpAddr, Ipv4Addr};

use crate::platform::DestroyError;
use crate::socket::{Endpoint, Family, Protocol, Socket};

/// `MIB_TCP_STATE_DELETE_TCB` (tcpmib.h), the one state that a connection can be put into.
const DELETE_TCB: u32 = 12;

/// Returns the `MIB_TCPROW` that asks for the end of this connection: its state, and both ends in
/// network byte order; `None` where it has no two ends over IPv4.
pub(super) fn row(socket: &Socket) -> Option<[u32; 5]> {
    let (local, peer) = (end(socket.local.as_ref())?, end(socket.peer.as_ref())?);
    let word = |address: Ipv4Addr| u32::from_ne_bytes(address.octets());
    let port = |port: u16| u32::from(port.to_be());
    Some([DELETE_TCB, word(local.0), port(local.1), word(peer.0), port(peer.1)])
}

fn end(end: Option<&Endpoint>) -> Option<(Ipv4Addr, u16)> {
    let IpAddr::V4(address) = end?.address()? else { return None };
    Some((address, end?.port()?))
}

/// Returns whether the call can name this connection.
///
/// # Errors
///
/// [`DestroyError::OtherKind`] where it cannot.
pub(crate) fn check_name(socket: &Socket) -> Result<(), DestroyError> {
    let is_named =
        socket.protocol == Protocol::Tcp && socket.family == Family::Inet && row(socket).is_some();
    if is_named { Ok(()) } else { Err(DestroyError::OtherKind) }
}

/// Closes the connection.
///
/// # Errors
///
/// The system's answer, in words.
#[cfg(all(feature = "portable", windows))]
pub(crate) fn destroy(socket: &Socket) -> Result<(), DestroyError> {
    check_name(socket)?;
    let row = row(socket).ok_or(DestroyError::Nameless)?;
    super::sys::set_tcp_entry(row).map_err(reason)
}

/// Returns what an error of the call means; 317 is what it says to whoever is no administrator.
fn reason(error: std::io::Error) -> DestroyError {
    const ERROR_ACCESS_DENIED: i32 = 5;
    const ERROR_MR_MID_NOT_FOUND: i32 = 317;
    match error.raw_os_error() {
        Some(ERROR_ACCESS_DENIED | ERROR_MR_MID_NOT_FOUND) => DestroyError::NotPermitted,
        Some(_) | None => DestroyError::Refused(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;

    use super::*;
    use crate::socket::SocketId;

    fn connection(protocol: Protocol, local: &str, peer: &str) -> Socket {
        let (local, peer): (SocketAddr, SocketAddr) =
            (local.parse().unwrap(), peer.parse().unwrap());
        let family = if local.is_ipv4() { Family::Inet } else { Family::Inet6 };
        let mut socket = Socket::new(SocketId(0), protocol, family);
        socket.local = Some(local.into());
        socket.peer = Some(peer.into());
        socket
    }

    #[test]
    fn the_row_has_both_ends_in_network_byte_order() {
        let socket = connection(Protocol::Tcp, "10.0.0.1:22", "192.168.7.9:51022");
        let bytes: Vec<u8> =
            row(&socket).unwrap().iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(bytes[..4], 12_u32.to_ne_bytes());
        assert_eq!(bytes[4..10], [10, 0, 0, 1, 0, 22]);
        assert_eq!(bytes[12..18], [192, 168, 7, 9, 0xc7, 0x4e]);
        check_name(&socket).unwrap();
    }

    #[test]
    fn what_the_call_cannot_name_is_refused() {
        let udp = connection(Protocol::Udp, "127.0.0.1:1", "127.0.0.1:2");
        let v6 = connection(Protocol::Tcp, "[::1]:1", "[::1]:2");
        let mapped = connection(Protocol::Tcp, "[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:2");
        for socket in [udp, v6, mapped] {
            let error = check_name(&socket).unwrap_err();
            assert!(matches!(error, DestroyError::OtherKind), "{error}");
        }
    }

    #[test]
    fn an_answer_is_told_in_words() {
        let reason = |code| reason(io::Error::from_raw_os_error(code));
        for code in [5, 317] {
            assert!(matches!(reason(code), DestroyError::NotPermitted), "{code}");
        }
        assert!(matches!(reason(50), DestroyError::Refused(_)));
    }
}
