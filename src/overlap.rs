//! Which addresses of this machine a socket has, when its own may be a wildcard.

use std::net::IpAddr;

use crate::socket::{Endpoint, Socket};

/// Returns true when what is sent to this address reaches the socket, ports aside: its address is that
/// one or a wildcard over it. `::` is one over IPv4 too, unless the socket is known to refuse that.
pub fn reaches(socket: &Socket, address: IpAddr) -> bool {
    let Some(own) = socket.local.as_ref().and_then(Endpoint::address) else { return false };
    let wanted = address.to_canonical();
    own.to_canonical() == wanted
        || (own.is_unspecified()
            && (own.is_ipv4() == wanted.is_ipv4()
                || (own.is_ipv6() && socket.v6only != Some(true))))
}

/// Returns true when the socket has this address or, where that is a wildcard, any under it, IPv4's
/// under `::`. A socket that binds the address without further wishes meets it.
pub fn meets(socket: &Socket, address: IpAddr) -> bool {
    let Some(own) = socket.local.as_ref().and_then(Endpoint::address) else { return false };
    let is_under = address.is_unspecified() && (address.is_ipv6() || own.to_canonical().is_ipv4());
    is_under || reaches(socket, address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Family, Protocol, SocketId};

    /// A socket at this address; `::only` refuses IPv4.
    fn at(address: &str) -> Socket {
        let mut socket = Socket::new(SocketId(0), Protocol::Tcp, Family::Inet);
        socket.v6only = Some(address == "::only");
        let address = address.trim_end_matches("only").parse().unwrap();
        socket.local = Some(Endpoint::inet(address, 80));
        socket
    }

    /// The addresses of which the relation holds, for a socket at the first.
    fn all(relation: fn(&Socket, IpAddr) -> bool, own: &str) -> Vec<&'static str> {
        ["127.0.0.1", "192.0.2.1", "::1", "0.0.0.0", "::"]
            .into_iter()
            .filter(|address| relation(&at(own), address.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_wildcard_is_reached_at_every_address_of_its_families() {
        assert_eq!(all(reaches, "127.0.0.1"), ["127.0.0.1"]);
        assert_eq!(all(reaches, "::ffff:127.0.0.1"), ["127.0.0.1"]);
        assert_eq!(all(reaches, "::1"), ["::1"]);
        assert_eq!(all(reaches, "0.0.0.0"), ["127.0.0.1", "192.0.2.1", "0.0.0.0"]);
        assert_eq!(all(reaches, "::"), ["127.0.0.1", "192.0.2.1", "::1", "0.0.0.0", "::"]);
        assert_eq!(all(reaches, "::only"), ["::1", "::"]);
    }

    /// As the kernel decides (measured, 50-port-conflicts 5.4), for a newcomer whose `::` is of both.
    #[test]
    fn a_wildcard_meets_every_socket_under_it() {
        assert_eq!(all(meets, "127.0.0.1"), ["127.0.0.1", "0.0.0.0", "::"]);
        assert_eq!(all(meets, "::1"), ["::1", "::"]);
        assert_eq!(all(meets, "0.0.0.0"), ["127.0.0.1", "192.0.2.1", "0.0.0.0", "::"]);
        assert_eq!(all(meets, "::"), ["127.0.0.1", "192.0.2.1", "::1", "0.0.0.0", "::"]);
        assert_eq!(all(meets, "::only"), ["::1", "::"]);
    }

    #[test]
    fn a_socket_without_address_has_none() {
        let socket = Socket::new(SocketId(0), Protocol::Unix, Family::Unix);
        let any = IpAddr::from([0, 0, 0, 0]);
        assert!(!reaches(&socket, any) && !meets(&socket, any));
    }
}
