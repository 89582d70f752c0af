//! Where the kernel itself listens and connects: sockets that no process holds by their nature.
//!
//! A port proves nothing. This only keeps a guess from being made of such a socket.

use crate::socket::{Endpoint, Protocol, Socket};

/// Which end of the socket has the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Local,
    Peer,
}

/// The usual ports of what the kernel does on sockets of its own.
const PORTS: &[(Protocol, End, u16)] = &[
    // Tunnels: VXLAN (IANA's and the kernel's own default), Geneve, WireGuard, GTP, L2TP, FOU.
    (Protocol::Udp, End::Local, 4789),
    (Protocol::Udp, End::Local, 8472),
    (Protocol::Udp, End::Local, 6081),
    (Protocol::Udp, End::Local, 51820),
    (Protocol::Udp, End::Local, 2152),
    (Protocol::Udp, End::Local, 3386),
    (Protocol::Udp, End::Local, 1701),
    (Protocol::Udp, End::Local, 5555),
    // AFS over rxrpc.
    (Protocol::Udp, End::Local, 7001),
    // Servers: nfsd, ksmbd, iSCSI, NVMe over TCP, DLM.
    (Protocol::Tcp, End::Local, 2049),
    (Protocol::Udp, End::Local, 2049),
    (Protocol::Tcp, End::Local, 445),
    (Protocol::Tcp, End::Local, 3260),
    (Protocol::Tcp, End::Local, 4420),
    (Protocol::Tcp, End::Local, 21064),
    // Clients of the same, rpcbind asked by sunrpc, and Ceph's monitors.
    (Protocol::Tcp, End::Peer, 2049),
    (Protocol::Udp, End::Peer, 2049),
    (Protocol::Tcp, End::Peer, 445),
    (Protocol::Tcp, End::Peer, 3260),
    (Protocol::Tcp, End::Peer, 4420),
    (Protocol::Tcp, End::Peer, 21064),
    (Protocol::Tcp, End::Peer, 111),
    (Protocol::Udp, End::Peer, 111),
    (Protocol::Tcp, End::Peer, 3300),
    (Protocol::Tcp, End::Peer, 6789),
];

/// Returns true when the socket may well be the kernel's own.
pub(super) fn may_be_kernels(socket: &Socket) -> bool {
    PORTS.iter().any(|&(protocol, end, port)| {
        let end = match end {
            End::Local => &socket.local,
            End::Peer => &socket.peer,
        };
        socket.protocol == protocol && end.as_ref().and_then(Endpoint::port) == Some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Family, SocketId};

    #[test]
    fn a_tunnels_port_and_a_file_servers_are_the_kernels_perhaps() {
        let socket = |protocol, local: &str, peer: Option<&str>| {
            let end = |text: &str| Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap());
            let mut socket = Socket::new(SocketId(1), protocol, Family::Inet);
            (socket.local, socket.peer) = (Some(end(local)), peer.map(end));
            socket
        };
        assert!(may_be_kernels(&socket(Protocol::Udp, "0.0.0.0:4789", None)));
        assert!(!may_be_kernels(&socket(Protocol::Tcp, "0.0.0.0:4789", None)));
        assert!(may_be_kernels(&socket(Protocol::Tcp, "10.0.0.1:901", Some("10.0.0.2:2049"))));
        assert!(!may_be_kernels(&socket(Protocol::Tcp, "10.0.0.1:901", Some("10.0.0.2:80"))));
    }
}
