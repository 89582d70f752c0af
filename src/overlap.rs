//! Which addresses of this machine a socket has, when its own may be a wildcard.

use std::net::IpAddr;

use crate::socket::{Endpoint, Socket};

/// How a socket has an address, the weakest first: of several that have it the kernel takes the one that
/// has it strongest (`compute_score`, linux/net/ipv4/inet_hashtables.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It has `::`, which takes IPv4 too.
    DualStack,
    /// It has the wildcard of the address's family.
    Wildcard,
    /// It has this very address.
    Specific,
}

/// Returns how what is sent to this address reaches the socket, ports and devices aside: its address is
/// that one or a wildcard over it. `::` is one over IPv4 too, unless the socket is known to refuse that.
pub fn reach(socket: &Socket, address: IpAddr) -> Option<Reach> {
    let own = socket.local.as_ref().and_then(Endpoint::canonical_address)?;
    let wanted = address.to_canonical();
    if own == wanted {
        return Some(Reach::Specific);
    }
    match (own.is_unspecified(), own, wanted) {
        (true, IpAddr::V4(_), IpAddr::V4(_)) | (true, IpAddr::V6(_), IpAddr::V6(_)) => {
            Some(Reach::Wildcard)
        }
        (true, IpAddr::V6(_), IpAddr::V4(_)) if socket.v6only != Some(true) => {
            Some(Reach::DualStack)
        }
        (_, IpAddr::V4(_) | IpAddr::V6(_), _) => None,
    }
}

/// Returns true when what is sent to this address reaches the socket at all; see [`reach`].
pub fn reaches(socket: &Socket, address: IpAddr) -> bool {
    reach(socket, address).is_some()
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
        assert_eq!(all(reaches, "::ffff:0.0.0.0"), ["127.0.0.1", "192.0.2.1", "0.0.0.0"]);
        assert_eq!(all(reaches, "0.0.0.0"), ["127.0.0.1", "192.0.2.1", "0.0.0.0"]);
        assert_eq!(all(reaches, "::"), ["127.0.0.1", "192.0.2.1", "::1", "0.0.0.0", "::"]);
        assert_eq!(all(reaches, "::only"), ["::1", "::"]);
    }

    #[test]
    fn the_very_address_comes_before_its_wildcard_and_that_before_the_other_familys() {
        let to = IpAddr::from([127, 0, 0, 1]);
        let of = |own: &str| reach(&at(own), to);
        assert!(of("127.0.0.1") > of("0.0.0.0") && of("0.0.0.0") > of("::"));
        assert!(of("::") > None && of("::only").is_none() && of("192.0.2.1").is_none());
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
