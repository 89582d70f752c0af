//! Bytes as xnu fills them, of sockets made up for tests.

use super::layout as at;
use crate::platform::bsd::pcb::{Common, End, Pcb};
use crate::platform::bsd::sample::{connected, listening, put, v4};
use crate::socket::{Family, Protocol};

const AF_UNIX: u32 = 1;

/// A listener on 0.0.0.0:5000 with two of 128 waiting.
pub(super) fn listener() -> Pcb {
    listening(0x9a11, 41, v4([0; 4], 5000), 501)
}

/// A connection that is over.
pub(super) fn over() -> Pcb {
    let over = connected(0, 42, v4([127, 0, 0, 1], 5000), v4([127, 0, 0, 1], 50_123), 0);
    Pcb { socket: Common { state: 0x3031, ..over.socket }, state: Some(10), ..over }
}

/// A UDP socket that is connected to a name server.
pub(super) fn datagram() -> Pcb {
    let udp = connected(0x9a77, 7, v4([10, 0, 0, 4], 60_001), v4([10, 0, 0, 53], 53), 501);
    Pcb { protocol: Protocol::Udp, state: None, socket: Common { kind: 2, ..udp.socket }, ..udp }
}

fn family_number(family: Family) -> u32 {
    if family == Family::Inet { 2 } else { 30 }
}

fn protocol_number(protocol: Protocol) -> u32 {
    if protocol == Protocol::Tcp { 6 } else { 17 }
}

/// A table of descriptors: numbers and kinds.
pub(super) fn descriptors(rows: &[(u32, u32)]) -> Vec<u8> {
    rows.iter().flat_map(|(fd, kind)| [fd.to_ne_bytes(), kind.to_ne_bytes()]).flatten().collect()
}

/// A `socket_fdinfo` of what every socket has.
fn common(socket: &Common, family: u32, protocol: u32) -> Vec<u8> {
    let mut bytes = vec![0; 792];
    let psi = at::SOCKET_INFO;
    put(&mut bytes, psi + at::SO, &socket.handle.to_ne_bytes());
    put(&mut bytes, psi + at::TYPE, &u32::from(socket.kind).to_ne_bytes());
    put(&mut bytes, psi + at::PROTOCOL, &protocol.to_ne_bytes());
    put(&mut bytes, psi + at::FAMILY, &family.to_ne_bytes());
    put(&mut bytes, psi + at::OPTIONS, &socket.options.to_ne_bytes());
    put(&mut bytes, psi + at::STATE, &socket.state.to_ne_bytes());
    put(&mut bytes, psi + at::QLEN, &socket.pending.to_ne_bytes()[..2]);
    put(&mut bytes, psi + at::QLIMIT, &socket.limit.to_ne_bytes()[..2]);
    put(&mut bytes, psi + at::RCV + at::SBI_CC, &socket.received.to_ne_bytes());
    put(&mut bytes, psi + at::SND + at::SBI_CC, &socket.unsent.to_ne_bytes());
    bytes
}

/// A `socket_fdinfo`.
pub(super) fn fdinfo(pcb: &Pcb) -> Vec<u8> {
    let mut bytes = common(&pcb.socket, family_number(pcb.family), protocol_number(pcb.protocol));
    let proto = at::SOCKET_INFO + at::PROTO;
    put(&mut bytes, proto + at::FPORT, &pcb.peer.port.to_be_bytes());
    put(&mut bytes, proto + at::LPORT, &pcb.local.port.to_be_bytes());
    put(&mut bytes, proto + at::GENCNT, &pcb.generation.to_ne_bytes());
    put(&mut bytes, proto + at::FLAGS, &pcb.flags.to_ne_bytes());
    put(&mut bytes, proto + at::VFLAG, &[pcb.versions]);
    put(&mut bytes, proto + at::FADDR, &pcb.peer.address);
    put(&mut bytes, proto + at::LADDR, &pcb.local.address);
    put(&mut bytes, proto + at::TCP_STATE, &[pcb.state.unwrap_or_default()]);
    bytes
}

/// A `socket_fdinfo` of a UNIX socket: its path, its own handle and its peer's.
pub(super) fn unix(path: &str, handle: u64, peer: u64) -> Vec<u8> {
    let socket = Common { handle, kind: 1, state: 2, ..Common::default() };
    let mut bytes = common(&socket, AF_UNIX, 0);
    let proto = at::SOCKET_INFO + at::PROTO;
    put(&mut bytes, proto + at::CONN_SO, &peer.to_ne_bytes());
    if !path.is_empty() {
        put(&mut bytes, proto + at::ADDR, &[106, 1]);
        put(&mut bytes, proto + at::ADDR + 2, path.as_bytes());
    }
    bytes
}

pub(super) fn unix_fdinfo() -> Vec<u8> {
    unix("/var/run/mDNSResponder", 0x9b01, 0x9b02)
}

/// One piece of a row: its length, its kind, what is in it, and what fills it up.
pub(super) fn piece(kind: u32, content: &[u8]) -> Vec<u8> {
    let length = 8 + content.len();
    let mut bytes = u32::try_from(length).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(content);
    bytes.resize(length.next_multiple_of(8), 0);
    bytes
}

/// A row of `pcblist_n`, with the lengths that macOS 15 has.
pub(super) fn row(pcb: &Pcb) -> Vec<u8> {
    let mut inpcb = piece(0x10, &[0; 104 - 8]);
    put(&mut inpcb, at::X_FPORT, &pcb.peer.port.to_be_bytes());
    put(&mut inpcb, at::X_LPORT, &pcb.local.port.to_be_bytes());
    put(&mut inpcb, at::X_GENCNT, &pcb.generation.to_ne_bytes());
    put(&mut inpcb, at::X_FLAGS, &pcb.flags.to_ne_bytes());
    put(&mut inpcb, at::X_VFLAG, &[pcb.versions]);
    put(&mut inpcb, at::X_FADDR, &pcb.peer.address);
    put(&mut inpcb, at::X_LADDR, &pcb.local.address);

    let mut socket = piece(0x01, &[0; 104 - 8]);
    put(&mut socket, at::X_SO, &pcb.socket.handle.to_ne_bytes());
    put(&mut socket, at::X_TYPE, &pcb.socket.kind.to_ne_bytes());
    put(&mut socket, at::X_OPTIONS, &u32::from(pcb.socket.options).to_ne_bytes());
    put(&mut socket, at::X_STATE, &pcb.socket.state.to_ne_bytes());
    put(&mut socket, at::X_FAMILY, &family_number(pcb.family).to_ne_bytes());
    put(&mut socket, at::X_QLEN, &pcb.socket.pending.to_ne_bytes()[..2]);
    put(&mut socket, at::X_QLIMIT, &pcb.socket.limit.to_ne_bytes()[..2]);
    put(&mut socket, at::X_UID, &pcb.socket.uid.unwrap_or_default().to_ne_bytes());

    let buffer = |kind, count: u32| {
        let mut buffer = piece(kind, &[0; 32 - 8]);
        put(&mut buffer, at::X_CC, &count.to_ne_bytes());
        buffer
    };
    let mut bytes = [inpcb, socket].concat();
    bytes.extend(buffer(0x02, pcb.socket.received));
    bytes.extend(buffer(0x04, pcb.socket.unsent));
    bytes.extend(piece(0x08, &[0; 128]));
    if let Some(state) = pcb.state {
        let mut tcp = piece(0x20, &[0; 204 - 8]);
        put(&mut tcp, at::X_TCP_STATE, &[state]);
        bytes.extend(tcp);
    }
    bytes
}

/// A table of `pcblist_n`.
pub(super) fn table(pcbs: &[Pcb]) -> Vec<u8> {
    let mut bytes = vec![0; at::X_HEADER];
    bytes.extend(pcbs.iter().flat_map(row));
    bytes.extend([0; at::X_HEADER]);
    bytes
}

/// An end of IPv6.
pub(super) fn v6(address: &str, port: u16) -> End {
    End { address: address.parse::<std::net::Ipv6Addr>().unwrap().octets(), port }
}
