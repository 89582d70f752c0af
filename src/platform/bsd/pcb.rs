//! A socket of the Internet, in the words that both kernels have for it: the control block (`inpcb`)
//! and the socket above it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fields::Fields;
use crate::options::SocketOptions;
use crate::process::Uid;
use crate::socket::{
    Cookie, Endpoint, Family, Inode, Interface, Protocol, Queues, RareFacts, Socket, SocketId,
    SocketType, Timer, TimerKind,
};
use crate::state::TcpState;
use crate::text::Text;

// `SO_`, freebsd/sys/sys/socket.h and xnu's bsd/sys/socket.h.
const SO_ACCEPTCONN: u16 = 0x0002;
const SO_REUSEADDR: u16 = 0x0004;
const SO_KEEPALIVE: u16 = 0x0008;
const SO_REUSEPORT: u16 = 0x0200;

// `SS_`, freebsd/sys/sys/socketvar.h, and `SOI_S_`, xnu's bsd/sys/proc_info.h. FreeBSD gave up the
// first in version 14.
const SS_NOFDREF: u16 = 0x0001;
const SS_ISCONNECTED: u16 = 0x0002;

/// The control block is of an IPv4 (`INP_IPV4`), of an IPv6 socket, or of one that takes both
/// (netinet/in_pcb.h of both).
const INP_IPV4: u8 = 1;
pub(in crate::platform) const INP_IPV6: u8 = 2;
/// netinet/in_pcb.h of both.
const IN6P_IPV6_V6ONLY: u32 = 0x8000;

/// A `sockaddr_un` begins with its length and family.
const UNIX_NAME: usize = 2;

/// The socket itself, whatever its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::platform) struct Common {
    /// Where it is in the kernel, or a number that stands for that; 0 when it is gone already.
    pub(in crate::platform) handle: u64,
    pub(in crate::platform) kind: u16,
    pub(in crate::platform) options: u16,
    pub(in crate::platform) state: u16,
    /// How many connections wait to be accepted, and how many may.
    pub(in crate::platform) pending: u32,
    pub(in crate::platform) limit: u32,
    /// The bytes in its buffers.
    pub(in crate::platform) received: u32,
    pub(in crate::platform) unsent: u32,
    pub(in crate::platform) uid: Option<u32>,
}

impl Common {
    fn is_listening(&self) -> bool {
        self.options & SO_ACCEPTCONN != 0
    }

    /// Returns the number that stands for the socket, where a file refers to it: none does before it
    /// is accepted, and after it was closed.
    fn number(&self) -> Option<Inode> {
        (self.handle != 0 && self.state & SS_NOFDREF == 0).then_some(Inode(self.handle))
    }

    fn queues(&self) -> Queues {
        if self.is_listening() {
            Queues::Backlog { pending: self.pending, limit: Some(self.limit) }
        } else {
            Queues::Bytes { recv: self.received, send: self.unsent }
        }
    }

    /// Fills in what does not depend on the family.
    fn describe(&self, socket: &mut Socket) {
        socket.inode = self.number();
        // Of what the kernel keeps alone it tells the user 0, who is nobody there.
        socket.uid = socket.inode.and(self.uid).map(Uid);
        socket.queues = (self.handle != 0).then(|| self.queues());
    }

    /// Returns the options that the kernel tells of any socket.
    fn options(&self) -> SocketOptions {
        let is_on = |option| Some(self.options & option != 0);
        SocketOptions {
            reuse_address: is_on(SO_REUSEADDR),
            reuse_port: is_on(SO_REUSEPORT),
            keepalive: is_on(SO_KEEPALIVE),
            ..SocketOptions::default()
        }
    }
}

/// One end as the control block has it: 16 bytes, of which an IPv4 address takes the last four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::platform) struct End {
    pub(in crate::platform) address: [u8; 16],
    pub(in crate::platform) port: u16,
}

/// A TCP or UDP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform) struct Pcb {
    pub(in crate::platform) socket: Common,
    pub(in crate::platform) protocol: Protocol,
    pub(in crate::platform) family: Family,
    /// Counted up with each control block of the protocol, so never given twice.
    pub(in crate::platform) generation: u64,
    pub(in crate::platform) versions: u8,
    pub(in crate::platform) flags: u32,
    pub(in crate::platform) local: End,
    pub(in crate::platform) peer: End,
    /// The zone of link-local addresses, where it is told beside them; else 0.
    pub(in crate::platform) zone: u32,
    /// TCP's, by the kernel's number.
    pub(in crate::platform) state: Option<u8>,
    /// Milliseconds until TIME_WAIT ends, where that is told.
    pub(in crate::platform) time_wait_ms: Option<u32>,
}

impl Pcb {
    /// Returns what names the socket as long as the machine is up. Each protocol counts its control
    /// blocks for itself: TCP's numbers become even, UDP's odd.
    pub(in crate::platform) fn cookie(&self) -> Cookie {
        Cookie(self.generation << 1 | u64::from(self.protocol == Protocol::Udp))
    }

    /// Returns the options that the kernel tells of any such socket.
    pub(in crate::platform) fn options(&self) -> SocketOptions {
        SocketOptions { v6only: self.v6only(), ..self.socket.options() }
    }

    fn v6only(&self) -> Option<bool> {
        (self.family == Family::Inet6).then_some(self.flags & IN6P_IPV6_V6ONLY != 0)
    }

    /// Returns the socket, without its number.
    pub(in crate::platform) fn to_socket(self) -> Socket {
        let mut socket = Socket::new(SocketId(0), self.protocol, self.family);
        self.socket.describe(&mut socket);
        socket.cookie = Some(self.cookie());
        socket.local = self.endpoint(self.local);
        socket.peer = self.endpoint(self.peer).filter(|_| self.peer.port != 0);
        let is_bound = socket.local.is_some() && socket.peer.is_none();
        socket.state = self.state.map(TcpState::from_bsd).map(|state| {
            if state == TcpState::Closed && is_bound { TcpState::Bound } else { state }
        });
        socket.timer = self.time_wait_ms.map(|left| Timer {
            kind: TimerKind::Timewait,
            expires_ms: left,
            retransmits: 0,
        });
        // What a connection refuses is no question any more.
        socket.v6only = self.v6only().filter(|_| socket.peer.is_none());
        socket
    }

    /// Returns an end; `None` for the wildcard with port 0, which is no end at all.
    fn endpoint(&self, end: End) -> Option<Endpoint> {
        let (address, zone) = self.address(end.address);
        if end.port == 0 && address.is_unspecified() {
            return None;
        }
        let zone = if is_link_local(address) { zone } else { 0 };
        let scope = (zone != 0).then_some(Interface { index: zone, name: None });
        Some(Endpoint::Inet { address, port: end.port, scope: scope.map(Box::new) })
    }

    /// Returns an address and its zone. An IPv4 address on an IPv6 socket is in the last four bytes
    /// like any other, and only the versions say what it is; both kernels keep the zone of a
    /// link-local address within it (KAME: `in6_recoverscope`, netinet6/scope6.c of both).
    fn address(&self, bytes: [u8; 16]) -> (IpAddr, u32) {
        let address = Ipv6Addr::from(bytes);
        let [.., high, low] = address.segments();
        let v4 = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
        if self.family == Family::Inet {
            return (v4.into(), 0);
        }
        if self.versions & (INP_IPV4 | INP_IPV6) == INP_IPV4 {
            return (v4.to_ipv6_mapped().into(), 0);
        }
        let [_, zone, ..] = address.segments();
        if !is_link_local(address.into()) || zone == 0 {
            return (address.into(), self.zone);
        }
        let without = address.to_bits() & !(u128::from(u16::MAX) << 96);
        (Ipv6Addr::from_bits(without).into(), zone.into())
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        // Unicast, and multicast of a link.
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.segments().first() == Some(&0xff02),
    }
}

/// A UNIX socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::platform) struct Local {
    pub(in crate::platform) socket: Common,
    /// The handle of the socket at the other end; 0 when there is none.
    pub(in crate::platform) peer: u64,
    pub(in crate::platform) name: Option<Text>,
    pub(in crate::platform) peer_name: Option<Text>,
}

impl Local {
    /// Returns the socket, without its number.
    pub(in crate::platform) fn into_socket(self) -> Socket {
        let mut socket = Socket::new(SocketId(0), Protocol::Unix, Family::Unix);
        self.socket.describe(&mut socket);
        // The numbers are the same as on Linux (`SOCK_`).
        socket.socket_type = SocketType::from_linux(self.socket.kind);
        let is_connected = self.socket.state & SS_ISCONNECTED != 0 || self.peer != 0;
        socket.state = if self.socket.is_listening() {
            Some(TcpState::Listen)
        } else if is_connected {
            Some(TcpState::Established)
        } else if socket.socket_type == Some(SocketType::Dgram) {
            None
        } else {
            Some(TcpState::Closed)
        };
        socket.local = self.name.map(Endpoint::Path);
        socket.peer = self.peer_name.map(Endpoint::Path);
        let peer_inode = (self.peer != 0).then_some(Inode(self.peer));
        socket.rare = RareFacts { peer_inode, ..RareFacts::default() }.into();
        socket
    }
}

/// Returns the path in a `sockaddr_un`; `None` when it has none. Its first byte says how much of it is
/// filled (`unix(4)`), and programs may count the NUL or not.
pub(in crate::platform) fn path(address: Fields<'_>) -> Option<Text> {
    let length = usize::from(address.u8(0)?).checked_sub(UNIX_NAME)?;
    let path = address.string(UNIX_NAME, length);
    (!path.is_empty()).then(|| Text::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(v4: [u8; 4]) -> [u8; 16] {
        let mut address = [0; 16];
        address[12..].copy_from_slice(&v4);
        address
    }

    fn tcp(family: Family, versions: u8, address: [u8; 16]) -> Pcb {
        Pcb {
            socket: Common { handle: 9, uid: Some(501), kind: 1, ..Common::default() },
            protocol: Protocol::Tcp,
            family,
            generation: 5,
            versions,
            flags: 0,
            local: End { address, port: 8080 },
            peer: End::default(),
            zone: 0,
            state: Some(1),
            time_wait_ms: None,
        }
    }

    fn local(pcb: Pcb) -> String {
        pcb.to_socket().local.unwrap().to_string()
    }

    #[test]
    fn the_versions_say_what_an_address_is() {
        let loopback = Ipv6Addr::LOCALHOST.octets();
        for (family, versions, address, expected) in [
            (Family::Inet, 1, mapped([127, 0, 0, 1]), "127.0.0.1:8080"),
            (Family::Inet, 1, [0; 16], "0.0.0.0:8080"),
            (Family::Inet6, 1, mapped([127, 0, 0, 1]), "[::ffff:127.0.0.1]:8080"),
            (Family::Inet6, 3, [0; 16], "[::]:8080"),
            (Family::Inet6, 2, loopback, "[::1]:8080"),
            (Family::Inet6, 1, [0; 16], "[::ffff:0.0.0.0]:8080"),
        ] {
            assert_eq!(local(tcp(family, versions, address)), expected);
        }
    }

    #[test]
    fn the_zone_within_a_link_local_address_is_taken_out() {
        let mut inside = "fe80::7".parse::<Ipv6Addr>().unwrap().octets();
        inside[3] = 4;
        assert_eq!(local(tcp(Family::Inet6, 2, inside)), "[fe80::7%4]:8080");
        let outside = "fe80::7".parse::<Ipv6Addr>().unwrap().octets();
        let beside = Pcb { zone: 5, ..tcp(Family::Inet6, 2, outside) };
        assert_eq!(local(beside), "[fe80::7%5]:8080");
        let global = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(local(Pcb { zone: 5, ..tcp(Family::Inet6, 2, global) }), "[2001:db8::7]:8080");
    }

    #[test]
    fn what_no_file_refers_to_has_neither_number_nor_user() {
        let mut pcb = tcp(Family::Inet, 1, [0; 16]);
        let socket = pcb.to_socket();
        assert_eq!((socket.inode, socket.uid), (Some(Inode(9)), Some(Uid(501))));
        pcb.socket.state = SS_NOFDREF;
        let socket = pcb.to_socket();
        assert_eq!((socket.inode, socket.uid), (None, None));
        assert_eq!(socket.cookie, Some(Cookie(10)));
        pcb.socket = Common::default();
        assert_eq!(pcb.to_socket().queues, None);
    }

    #[test]
    fn a_closed_socket_with_a_port_is_bound_and_queues_mean_what_the_state_says() {
        let mut pcb = tcp(Family::Inet, 1, [0; 16]);
        (pcb.socket.received, pcb.socket.unsent) = (3, 4);
        (pcb.socket.pending, pcb.socket.limit) = (1, 128);
        pcb.state = Some(0);
        let socket = pcb.to_socket();
        assert_eq!(socket.state, Some(TcpState::Bound));
        assert_eq!(socket.queues, Some(Queues::Bytes { recv: 3, send: 4 }));
        pcb.state = Some(1);
        pcb.socket.options = SO_ACCEPTCONN;
        let backlog = Queues::Backlog { pending: 1, limit: Some(128) };
        assert_eq!(pcb.to_socket().queues, Some(backlog));
        pcb.local.port = 0;
        pcb.state = Some(0);
        assert_eq!(pcb.to_socket().state, Some(TcpState::Closed));
    }

    #[test]
    fn one_generation_of_two_protocols_is_two_cookies() {
        let tcp = tcp(Family::Inet, 1, [0; 16]);
        let udp = Pcb { protocol: Protocol::Udp, ..tcp };
        assert_ne!(tcp.cookie(), udp.cookie());
    }

    #[test]
    fn only_ipv6_has_the_option_and_only_what_is_unconnected_tells_it() {
        let mut pcb = tcp(Family::Inet6, 2, [0; 16]);
        pcb.flags = IN6P_IPV6_V6ONLY;
        assert_eq!(pcb.to_socket().v6only, Some(true));
        pcb.peer = End { address: Ipv6Addr::LOCALHOST.octets(), port: 1 };
        assert_eq!((pcb.to_socket().v6only, pcb.options().v6only), (None, Some(true)));
        assert_eq!(tcp(Family::Inet, 1, [0; 16]).to_socket().v6only, None);
    }

    #[test]
    fn a_path_ends_where_its_length_or_a_nul_says() {
        assert_eq!(path(Fields(b"\x04\x01/a/b")), Some(Text::from("/a")));
        assert_eq!(path(Fields(b"\x6a\x01/a\0/b")), Some(Text::from("/a")));
        for none in [&b""[..], b"\0", b"\x01\x01/", b"\x02\x01/", b"\x10\x01\0abc"] {
            assert_eq!(path(Fields(none)), None, "{none:?}");
        }
    }
}
