//! What `proc_pidinfo` and `proc_pidfdinfo` tell of descriptors (xnu's bsd/sys/proc_info.h, filled by
//! bsd/kern/socket_info.c).

use super::layout as at;
use crate::platform::bsd::fields::Fields;
use crate::platform::bsd::pcb::{self, Common, End, Local, Pcb};
use crate::process::Fd;
use crate::socket::{Family, Protocol};

/// A descriptor of a socket (`PROX_FDTYPE_SOCKET`).
const TYPE_SOCKET: u32 = 2;

// `AF_`, xnu's bsd/sys/socket.h.
const AF_UNIX: i32 = 1;
const AF_INET: i32 = 2;
const AF_INET6: i32 = 30;

// `IPPROTO_`.
const TCP: i32 = 6;
const UDP: i32 = 17;

/// A socket as one descriptor shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Pcb(Pcb),
    Local(Local),
    /// Of a family or protocol that is not read.
    Other,
}

impl Told {
    /// Returns what is the same for all descriptors of one socket, and for no other's; `None` for what
    /// is not read.
    pub(super) fn handle(&self) -> Option<u64> {
        match self {
            Self::Pcb(pcb) => Some(pcb.socket.handle),
            Self::Local(local) => Some(local.socket.handle),
            Self::Other => None,
        }
    }
}

/// Decodes a process's descriptors, and returns those of sockets. What is cut off at the end is left.
pub(super) fn decode_descriptors(bytes: &[u8]) -> impl Iterator<Item = Fd> {
    bytes.chunks_exact(at::FD_SIZE).map(Fields).filter_map(|row| {
        let is_socket = row.u32(at::FD_TYPE) == Some(TYPE_SOCKET);
        row.u32(at::FD).filter(|_| is_socket).map(Fd)
    })
}

/// Decodes a `socket_fdinfo`; `None` when it is shorter than its fields.
pub(super) fn decode_socket(bytes: &[u8]) -> Option<Told> {
    let info = Fields(bytes).from(at::SOCKET_INFO);
    let socket = Common {
        handle: info.u64(at::SO)?,
        kind: u16::try_from(info.u32(at::TYPE)?).unwrap_or_default(),
        options: info.u16(at::OPTIONS)?,
        state: info.u16(at::STATE)?,
        pending: info.u16(at::QLEN)?.into(),
        limit: info.u16(at::QLIMIT)?.into(),
        received: info.u32(at::RCV + at::SBI_CC)?,
        unsent: info.u32(at::SND + at::SBI_CC)?,
        uid: None,
    };
    let of_protocol = info.from(at::PROTO);
    let number = |offset| info.u32(offset).map(u32::cast_signed);
    Some(match number(at::FAMILY)? {
        AF_UNIX => Told::Local(Local {
            socket,
            peer: of_protocol.u64(at::CONN_SO)?,
            name: pcb::path(of_protocol.from(at::ADDR)),
            peer_name: pcb::path(of_protocol.from(at::CADDR)),
        }),
        family @ (AF_INET | AF_INET6) => {
            let Some(protocol) = decode_protocol(number(at::PROTOCOL)?) else {
                return Some(Told::Other);
            };
            Told::Pcb(decode_pcb(socket, protocol, decode_family(family)?, of_protocol)?)
        }
        _ => Told::Other,
    })
}

/// Returns which protocol it is; `None` for one that is not read.
fn decode_protocol(number: i32) -> Option<Protocol> {
    match number {
        TCP => Some(Protocol::Tcp),
        UDP => Some(Protocol::Udp),
        _ => None,
    }
}

/// Returns the family of the Internet with this number.
pub(super) fn decode_family(number: i32) -> Option<Family> {
    match number {
        AF_INET => Some(Family::Inet),
        AF_INET6 => Some(Family::Inet6),
        _ => None,
    }
}

fn decode_pcb(socket: Common, protocol: Protocol, family: Family, info: Fields<'_>) -> Option<Pcb> {
    let end = |address, port| {
        // An `int` whose first two bytes are the port.
        Some(End { address: info.bytes(address)?, port: info.port(port)? })
    };
    Some(Pcb {
        socket,
        protocol,
        family,
        generation: info.u64(at::GENCNT)?,
        versions: info.u8(at::VFLAG)?,
        flags: info.u32(at::FLAGS)?,
        local: end(at::LADDR, at::LPORT)?,
        peer: end(at::FADDR, at::FPORT)?,
        zone: 0,
        state: (protocol == Protocol::Tcp).then(|| info.u8(at::TCP_STATE)).flatten(),
        time_wait_ms: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::socket::{Queues, SocketType};
    use crate::state::TcpState;
    use crate::text::Text;
    use proptest::prelude::*;

    #[test]
    fn only_descriptors_of_sockets_are_told_and_a_cut_off_one_is_left() {
        let mut bytes = sample::descriptors(&[(0, 1), (3, 2), (4, 6), (17, 2)]);
        bytes.extend([9; 7]);
        assert_eq!(decode_descriptors(&bytes).collect::<Vec<_>>(), [Fd(3), Fd(17)]);
    }

    #[test]
    fn a_listener_is_told_with_its_backlog() {
        let bytes = sample::fdinfo(&sample::listener());
        let Some(Told::Pcb(pcb)) = decode_socket(&bytes) else { panic!("no listener") };
        let socket = pcb.to_socket();
        assert_eq!(socket.state, Some(TcpState::Listen));
        assert_eq!(socket.local.unwrap().to_string(), "0.0.0.0:5000");
        assert_eq!(socket.peer, None);
        assert_eq!(socket.queues, Some(Queues::Backlog { pending: 2, limit: Some(128) }));
        assert_eq!((pcb.socket.handle, pcb.generation), (0x9a11, 41));
    }

    #[test]
    fn a_connected_udp_socket_has_its_peer_and_no_state() {
        let Some(Told::Pcb(pcb)) = decode_socket(&sample::fdinfo(&sample::datagram())) else {
            panic!("no socket")
        };
        let socket = pcb.to_socket();
        assert_eq!((socket.state, socket.protocol), (None, Protocol::Udp));
        assert_eq!(socket.peer.unwrap().to_string(), "10.0.0.53:53");
    }

    #[test]
    fn a_unix_socket_has_its_path_its_peer_and_its_peers_path() {
        let Some(Told::Local(local)) = decode_socket(&sample::unix_fdinfo()) else {
            panic!("no UNIX socket")
        };
        assert_eq!(local.name, Some(Text::from("/var/run/mDNSResponder")));
        assert_eq!((local.peer, local.peer_name.clone()), (0x9b02, None));
        let socket = local.into_socket();
        assert_eq!(socket.socket_type, Some(SocketType::Stream));
        assert_eq!(socket.state, Some(TcpState::Established));
    }

    #[test]
    fn a_family_or_protocol_that_is_not_read_is_told_apart_from_a_short_answer() {
        let mut system = sample::fdinfo(&sample::listener());
        system[at::SOCKET_INFO + at::FAMILY] = 32;
        assert_eq!(decode_socket(&system), Some(Told::Other));
        let mut icmp = sample::fdinfo(&sample::listener());
        icmp[at::SOCKET_INFO + at::PROTOCOL] = 1;
        assert_eq!(decode_socket(&icmp), Some(Told::Other));
        let whole = sample::fdinfo(&sample::listener());
        assert_eq!(decode_socket(&whole[..at::SOCKET_INFO + at::PROTO + 20]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, family: u8, protocol: u8, cut: usize) {
            let mut whole = vec![0; 792];
            for (place, byte) in whole.iter_mut().zip(bytes.iter().cycle()) {
                *place = *byte;
            }
            whole[at::SOCKET_INFO + at::FAMILY..][..4].copy_from_slice(&[family & 31, 0, 0, 0]);
            whole[at::SOCKET_INFO + at::PROTOCOL..][..4].copy_from_slice(&[protocol & 31, 0, 0, 0]);
            whole.truncate(cut % 793);
            if let Some(Told::Pcb(pcb)) = decode_socket(&whole) {
                let _socket = pcb.to_socket();
            }
            assert!(decode_descriptors(&bytes).count() <= bytes.len());
        }
    }
}
