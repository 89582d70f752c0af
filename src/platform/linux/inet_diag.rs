//! The messages of inet_diag (`sock_diag(7)`, linux/include/uapi/linux/inet_diag.h): encodes a
//! request for a table of TCP, MPTCP, UDP, UDPLITE, SCTP or raw sockets, decodes its rows.
//!
//! Pure: bytes to values and back. Sending and receiving is [`super::netlink`]'s.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::diag_details;
use super::diag_request;
use super::netlink::Attributes;
use crate::platform::PortWish;
use crate::process::Uid;
use crate::socket::{
    CgroupId, Cookie, Endpoint, Family, Inode, Interface, Protocol, Queues, RareFacts, Socket,
    SocketId, Timer, TimerKind,
};
use crate::state::TcpState;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_REQ_PROTOCOL: u16 = 3;
/// The ends of an SCTP association, which an endpoint has none of.
const INET_DIAG_PEERS: u16 = 13;
const INET_DIAG_SKV6ONLY: u16 = 11;
/// Since Linux 5.8, of every row that is a whole socket.
const INET_DIAG_CGROUP_ID: u16 = 21;

/// `struct inet_diag_sockid`.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct SockId {
    source_port: U16,
    destination_port: U16,
    source: [u8; 16],
    destination: [u8; 16],
    interface: u32,
    /// Low half first.
    cookie: [u32; 2],
}

impl SockId {
    /// In a request for a table none of it is looked at.
    const ANY: Self = Self {
        source_port: U16::ZERO,
        destination_port: U16::ZERO,
        source: [0; 16],
        destination: [0; 16],
        interface: 0,
        cookie: [0; 2],
    };
}

/// `struct inet_diag_req`: the first version, of which two bytes and the last number have no meaning
/// any more.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct TcpRequest {
    family: u8,
    prefixes: [u8; 2],
    extensions: u8,
    id: SockId,
    states: u32,
    tables: u32,
}

/// `struct inet_diag_req_v2`.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct DiagRequest {
    family: u8,
    protocol: u8,
    extensions: u8,
    raw_protocol: u8,
    states: u32,
    id: SockId,
}

/// `struct inet_diag_msg`.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct DiagMessage {
    family: u8,
    state: u8,
    timer: u8,
    retransmits: u8,
    id: SockId,
    expires: u32,
    receive_queue: u32,
    send_queue: u32,
    uid: u32,
    inode: u32,
}

/// One instruction of the kernel's port filter, `struct inet_diag_bc_op`: where to go on, in bytes
/// from here, when it is true and when not.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct Op {
    code: u8,
    yes: u8,
    no: u16,
}

/// Codes of [`Op`]. A comparison's port is in the `no` of a second `Op` behind it.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Code {
    Jump = 1,
    SourceAtLeast = 2,
    SourceAtMost = 3,
    DestinationAtLeast = 4,
    DestinationAtMost = 5,
}

/// Returns the `IPPROTO_` number inet_diag knows the protocol by; `None` for what it has no table
/// of.
pub(crate) const fn protocol_number(protocol: Protocol) -> Option<u16> {
    match protocol {
        Protocol::Tcp => Some(6),
        Protocol::Mptcp => Some(262),
        Protocol::Udp => Some(17),
        Protocol::Udplite => Some(136),
        Protocol::Sctp => Some(132),
        Protocol::Raw => Some(255),
        Protocol::Icmp
        | Protocol::Unix
        | Protocol::Packet
        | Protocol::Netlink
        | Protocol::Vsock
        | Protocol::Xdp
        | Protocol::Other => None,
    }
}

/// Returns the body of a request for one table: the sockets in one of these states (a bit for
/// each) and with these ports, with these extensions. `None` when inet_diag has no such table.
pub(crate) fn encode_request(
    protocol: Protocol,
    family: Family,
    states: u32,
    ports: Option<&PortWish>,
    extensions: u8,
) -> Option<Vec<u8>> {
    let family = match family {
        Family::Inet => AF_INET,
        Family::Inet6 => AF_INET6,
        Family::Unix
        | Family::Packet
        | Family::Netlink
        | Family::Vsock
        | Family::Xdp
        | Family::Other => return None,
    };
    let mut body = encode_header(family, protocol, extensions, states, SockId::ANY)?;
    push_ports(&mut body, ports)?;
    Some(body)
}

/// Returns the body of a request for the sockets of TCP of whatever family.
pub(crate) fn encode_tcp_request(
    states: u32,
    ports: Option<&PortWish>,
    extensions: u8,
) -> Option<Vec<u8>> {
    let (family, prefixes, tables) = (0, [0; 2], 0);
    let request = TcpRequest { family, prefixes, extensions, id: SockId::ANY, states, tables };
    let mut body = request.as_bytes().to_vec();
    push_ports(&mut body, ports)?;
    Some(body)
}

/// Appends the kernel's filter for a wish.
fn push_ports(body: &mut Vec<u8>, ports: Option<&PortWish>) -> Option<()> {
    if let Some(ports) = ports {
        let filter = encode_ports(ports);
        let length = u16::try_from(4 + filter.as_bytes().len()).ok()?;
        body.extend(length.to_ne_bytes());
        body.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
        body.extend(filter.as_bytes());
    }
    Some(())
}

/// Returns the body of a request for exactly this socket: by its ends and its cookie, in the order
/// that lookups of TCP and SOCK_DESTROY take (`inet_diag_find_one_icsk`, `__udp_diag_destroy`;
/// linux/net/ipv4). An IPv4-mapped connection is found through AF_INET6, as its row says. `None`
/// without a cookie: the ends alone may be another socket's by now.
pub(crate) fn encode_exact(socket: &Socket) -> Option<Vec<u8>> {
    let family = match socket.family {
        Family::Inet => AF_INET,
        Family::Inet6 => AF_INET6,
        Family::Unix
        | Family::Packet
        | Family::Netlink
        | Family::Vsock
        | Family::Xdp
        | Family::Other => return None,
    };
    let (source, source_port) = encode_end(socket.local.as_ref())?;
    let (destination, destination_port) = encode_end(socket.peer.as_ref())?;
    let Cookie(cookie) = socket.cookie?;
    let low = u32::try_from(cookie & u64::from(u32::MAX)).ok()?;
    let high = u32::try_from(cookie >> 32).ok()?;
    let id = SockId {
        source_port,
        destination_port,
        source,
        destination,
        interface: socket.rare.interface.as_ref().map_or(0, |interface| interface.index),
        cookie: [low, high],
    };
    encode_header(family, socket.protocol, 0, u32::MAX, id)
}

/// Encodes what every request begins with. A protocol whose number is more than a byte has it in an
/// attribute, too, which counts then.
fn encode_header(
    family: u8,
    protocol: Protocol,
    extensions: u8,
    states: u32,
    id: SockId,
) -> Option<Vec<u8>> {
    let number = protocol_number(protocol)?;
    let [.., protocol] = number.to_be_bytes();
    let request = DiagRequest { family, protocol, extensions, raw_protocol: 0, states, id };
    let mut body = request.as_bytes().to_vec();
    if u8::try_from(number).is_err() {
        body.extend(8_u16.to_ne_bytes());
        body.extend(INET_DIAG_REQ_PROTOCOL.to_ne_bytes());
        body.extend(u32::from(number).to_ne_bytes());
    }
    Some(body)
}

fn encode_end(end: Option<&Endpoint>) -> Option<([u8; 16], U16)> {
    let Endpoint::Inet { address, port, .. } = end? else { return None };
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(v4) => bytes.get_mut(..4)?.copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => bytes = v6.octets(),
    }
    Some((bytes, U16::new(*port)))
}

/// Compiles a wish for ports into the kernel's filter (`inet_diag_bc_run`,
/// linux/net/ipv4/inet_diag.c). A program accepts by going on to exactly its end, and rejects by
/// going four bytes further.
fn encode_ports(ports: &PortWish) -> Vec<Op> {
    let local = |range| in_range(Code::SourceAtLeast, Code::SourceAtMost, range);
    let peer = |range| in_range(Code::DestinationAtLeast, Code::DestinationAtMost, range);
    match ports {
        PortWish::Local(range) => local(range).into(),
        PortWish::Peer(range) => peer(range).into(),
        PortWish::Either(range) => {
            // Behind the local port's test, for a socket that passed it: over the peer's test, to
            // the end. One that failed goes on four bytes further, at the peer's test.
            let accept = Op { code: Code::Jump as u8, yes: 4, no: 4 + 16 };
            local(range).into_iter().chain([accept]).chain(peer(range)).collect()
        }
    }
}

/// Returns a test for a port: true goes on behind it, false four bytes further.
fn in_range(at_least: Code, at_most: Code, range: &RangeInclusive<u16>) -> [Op; 4] {
    let port = |number| Op { code: 0, yes: 0, no: number };
    [
        Op { code: at_least as u8, yes: 8, no: 16 + 4 },
        port(*range.start()),
        Op { code: at_most as u8, yes: 8, no: 8 + 4 },
        port(*range.end()),
    ]
}

/// Decodes one row of a table of this protocol; `None` when the message is too short or of an
/// unknown family. The identity is the caller's to give, and so are names of interfaces.
pub(crate) fn decode_socket(message: &[u8], protocol: Protocol) -> Option<Socket> {
    let (row, attributes) = DiagMessage::read_from_prefix(message).ok()?;
    let family = match row.family {
        AF_INET => Family::Inet,
        AF_INET6 => Family::Inet6,
        _ => return None,
    };
    let mut socket = Socket::new(SocketId(0), protocol, family);
    socket.state = decode_state(&row, attributes, protocol);
    // What a socket's `sk_bound_dev_if` is (`inet_diag_msg_common_fill`): the device it was bound
    // to, be it by option or because a link-local address of its own or its peer's made it so.
    let interface = (row.id.interface != 0)
        .then(|| Box::new(Interface { index: row.id.interface, name: None }));
    let end = |address: [u8; 16], port: U16| {
        let address = decode_address(address, family);
        let scope = interface.clone().filter(|_| needs_scope(address));
        let port = port.get();
        (port != 0 || !address.is_unspecified()).then_some(Endpoint::Inet { address, port, scope })
    };
    socket.local = end(row.id.source, row.id.source_port);
    socket.peer = end(row.id.destination, row.id.destination_port);
    socket.rare = RareFacts { interface, ..RareFacts::default() }.into();
    socket.cookie = Some(diag_request::cookie(row.id.cookie));
    // Without inode nobody owns it, and the kernel's 0 is no user (`inet_twsk_diag_fill`).
    socket.inode = (row.inode != 0).then(|| Inode(u64::from(row.inode)));
    socket.uid = socket.inode.map(|_| Uid(row.uid));
    socket.queues = Some(if socket.state == Some(TcpState::Listen) {
        Queues::Backlog { pending: row.receive_queue, limit: Some(row.send_queue) }
    } else {
        Queues::Bytes { recv: row.receive_queue, send: row.send_queue }
    });
    socket.timer = decode_timer(&row);
    for (kind, value) in Attributes(attributes) {
        match kind {
            INET_DIAG_SKV6ONLY => socket.v6only = value.first().map(|flag| *flag != 0),
            INET_DIAG_CGROUP_ID => {
                socket.cgroup_id = u64::read_from_bytes(value).ok().map(CgroupId);
            }
            _ => {}
        }
    }
    Some(socket)
}

/// Returns what decodes a row: with its extensions when there are `details`.
pub(crate) fn decoder(details: bool) -> fn(&[u8], Protocol) -> Option<Socket> {
    if details { decode_detailed } else { decode_socket }
}

/// Decodes one row and its extensions.
fn decode_detailed(message: &[u8], protocol: Protocol) -> Option<Socket> {
    let mut socket = decode_socket(message, protocol)?;
    let (_, attributes) = DiagMessage::read_from_prefix(message).ok()?;
    socket.details = Some(Box::new(diag_details::decode(attributes, &socket)));
    Some(socket)
}

/// A TCP socket in CLOSE that has a port is one that was bound and no more: the kernel answers so
/// to the bit of TCP_BOUND_INACTIVE, and no other socket in CLOSE is in its tables.
fn decode_state(row: &DiagMessage, attributes: &[u8], protocol: Protocol) -> Option<TcpState> {
    let state = TcpState::from_linux(row.state);
    match protocol {
        Protocol::Tcp if state == TcpState::Closed && row.id.source_port != U16::ZERO => {
            Some(TcpState::Bound)
        }
        Protocol::Tcp | Protocol::Mptcp => Some(state),
        Protocol::Sctp => {
            let is_association = Attributes(attributes).any(|(kind, _)| kind == INET_DIAG_PEERS);
            Some(if is_association { association_state(row.state) } else { state })
        }
        Protocol::Udp
        | Protocol::Udplite
        | Protocol::Icmp
        | Protocol::Raw
        | Protocol::Unix
        | Protocol::Packet
        | Protocol::Netlink
        | Protocol::Vsock
        | Protocol::Xdp
        | Protocol::Other => None,
    }
}

/// Returns the state of TCP's that is nearest to an SCTP association's (`enum sctp_state`,
/// linux/include/net/sctp/constants.h).
fn association_state(number: u8) -> TcpState {
    match number {
        0 => TcpState::Closed,
        // COOKIE_WAIT, COOKIE_ECHOED
        1 | 2 => TcpState::SynSent,
        3 => TcpState::Established,
        // SHUTDOWN_PENDING, SHUTDOWN_SENT
        4 | 5 => TcpState::FinWait1,
        // SHUTDOWN_RECEIVED
        6 => TcpState::CloseWait,
        // SHUTDOWN_ACK_SENT
        7 => TcpState::LastAck,
        number => TcpState::from_linux(number),
    }
}

fn decode_address(bytes: [u8; 16], family: Family) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    match family {
        Family::Inet => Ipv4Addr::new(a, b, c, d).into(),
        Family::Inet6
        | Family::Unix
        | Family::Packet
        | Family::Netlink
        | Family::Vsock
        | Family::Xdp
        | Family::Other => Ipv6Addr::from(bytes).into(),
    }
}

/// Returns true for the addresses that mean nothing without a link: link-local ones, and multicast
/// of interface or link scope (`__ipv6_addr_needs_scope_id`, linux/include/net/ipv6.h).
fn needs_scope(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || matches!(v6.octets(), [0xff, scope, ..] if matches!(scope & 0xf, 1 | 2))
        }
    }
}

fn decode_timer(row: &DiagMessage) -> Option<Timer> {
    let kind = TimerKind::from_linux(row.timer)?;
    // One that is overdue comes as a negative number from older kernels.
    let expires_ms = if i32::try_from(row.expires).is_ok() { row.expires } else { 0 };
    Some(Timer { kind, expires_ms, retransmits: row.retransmits })
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::super::netlink::recorded_messages;
    use super::super::proc_net;
    use super::*;
    use proptest::prelude::*;

    /// Decodes a dump recorded from a little-endian kernel; see tests/fixtures/raw/linux.
    macro_rules! recorded {
        ($file:literal, $protocol:expr) => {
            recorded_messages(include_bytes!(concat!("../../../tests/fixtures/raw/linux/", $file)))
                .iter()
                .map(|message| decode_socket(message, $protocol).expect("a row"))
                .collect::<Vec<Socket>>()
        };
    }

    /// Returns a row of what a person would compare first.
    fn line(socket: &Socket) -> String {
        let end = |end: &Option<Endpoint>| end.as_ref().map_or("-".to_owned(), ToString::to_string);
        let state = socket.state.map_or("-".to_owned(), |state| state.to_string());
        let queues = match socket.queues {
            Some(Queues::Bytes { recv, send }) => format!("{recv}+{send}"),
            Some(Queues::Backlog { pending, limit: Some(limit) }) => format!("{pending}/{limit}"),
            Some(Queues::Backlog { limit: None, .. }) | None => "-".to_owned(),
        };
        let owned = if socket.uid.is_some() { "owned" } else { "nobody" };
        let v6only = socket.v6only.map_or("", |v6only| if v6only { " v6only" } else { " dual" });
        let interface = socket
            .rare
            .interface
            .as_ref()
            .map_or(String::new(), |device| format!(" on {}", device.index));
        let (local, peer) = (end(&socket.local), end(&socket.peer));
        format!("{state} {local} {peer} {queues} {owned}{v6only}{interface}")
    }

    fn lines(sockets: &[Socket]) -> Vec<String> {
        let mut lines: Vec<String> = sockets.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn every_row_of_a_recorded_tcp_table_is_right() {
        assert_eq!(
            lines(&recorded!("tcp.netlink", Protocol::Tcp)),
            [
                "BOUND 127.0.0.1:8082 - 0+0 owned",
                "CLOSE_WAIT 127.0.0.1:8080 127.0.0.1:40002 1+0 owned",
                "ESTABLISHED 127.0.0.1:40001 127.0.0.1:8080 5+0 owned",
                "ESTABLISHED 127.0.0.1:40004 127.0.0.1:8080 0+0 owned",
                "ESTABLISHED 127.0.0.1:40005 127.0.0.1:9090 0+0 owned",
                "ESTABLISHED 127.0.0.1:8080 127.0.0.1:40001 0+0 owned",
                "ESTABLISHED 127.0.0.1:8080 127.0.0.1:40004 0+0 nobody",
                "FIN_WAIT2 127.0.0.1:40002 127.0.0.1:8080 0+0 owned",
                "LISTEN 0.0.0.0:8081 - 0/1 owned on 1",
                "LISTEN 127.0.0.1:8080 - 1/7 owned",
                "TIME_WAIT 127.0.0.1:40003 127.0.0.1:8080 0+0 nobody",
            ]
        );
    }

    #[test]
    fn every_row_of_a_recorded_tcp6_table_is_right() {
        assert_eq!(
            lines(&recorded!("tcp6.netlink", Protocol::Tcp)),
            [
                "ESTABLISHED [::ffff:127.0.0.1]:9090 [::ffff:127.0.0.1]:40005 0+0 owned",
                "LISTEN [::1]:9091 - 0/5 owned v6only",
                "LISTEN [::]:9090 - 0/5 owned dual",
                // Whoever binds a specific address refuses IPv4 (`__inet6_bind`).
                "LISTEN [fe80::1%1]:9092 - 0/5 owned v6only on 1",
            ]
        );
    }

    #[test]
    fn every_row_of_the_recorded_udp_tables_is_right() {
        assert_eq!(
            lines(&recorded!("udp.netlink", Protocol::Udp)),
            ["- 127.0.0.1:5353 - 0+0 owned", "- 127.0.0.1:5354 127.0.0.1:5353 0+0 owned"]
        );
        assert_eq!(
            lines(&recorded!("udp6.netlink", Protocol::Udp)),
            ["- [::]:5355 - 0+0 owned v6only"]
        );
    }

    #[test]
    fn whole_sockets_have_a_control_group_and_time_wait_has_none() {
        for row in recorded!("tcp.netlink", Protocol::Tcp) {
            let expected = (row.state != Some(TcpState::TimeWait)).then_some(CgroupId(1));
            assert_eq!(row.cgroup_id, expected, "{row:?}");
        }
    }

    #[test]
    fn time_wait_ends_within_a_minute() {
        let rows = recorded!("tcp.netlink", Protocol::Tcp);
        let over = rows.iter().find(|row| row.state == Some(TcpState::TimeWait)).unwrap();
        let timer = over.timer.unwrap();
        assert_eq!((timer.kind, timer.retransmits), (TimerKind::Timewait, 0));
        assert!((50_000..=60_000).contains(&timer.expires_ms), "{timer:?}");
    }

    /// Leaves what `/proc/net` tells too, and what holds still between two looks.
    fn common(mut socket: Socket) -> String {
        socket.cookie = None;
        socket.cgroup_id = None;
        socket.v6only = None;
        socket.rare = crate::rare::Rare::default();
        socket.timer = None;
        socket.details = None;
        for end in [&mut socket.local, &mut socket.peer] {
            if let Some(Endpoint::Inet { scope, .. }) = end {
                *scope = None;
            }
        }
        if let Some(Queues::Backlog { limit, .. }) = &mut socket.queues {
            *limit = None;
        }
        format!("{socket:?}")
    }

    #[test]
    fn both_sources_agree_on_what_both_tell() {
        macro_rules! compare {
            ($netlink:literal, $proc:literal, $protocol:expr, $family:expr) => {
                let bytes = include_bytes!(concat!("../../../tests/fixtures/raw/linux/", $proc));
                let table = proc_net::parse(bytes, $protocol, $family, proc_net::ByteOrder::Little);
                assert_eq!(table.odd, []);
                let mut theirs: Vec<String> = table.sockets.into_iter().map(common).collect();
                let mut ours: Vec<String> = recorded!($netlink, $protocol)
                    .into_iter()
                    .filter(|socket| socket.state != Some(TcpState::Bound))
                    .map(common)
                    .collect();
                theirs.sort();
                ours.sort();
                assert_eq!(ours, theirs);
            };
        }
        compare!("tcp.netlink", "tcp.proc", Protocol::Tcp, Family::Inet);
        compare!("tcp6.netlink", "tcp6.proc", Protocol::Tcp, Family::Inet6);
        compare!("udp.netlink", "udp.proc", Protocol::Udp, Family::Inet);
        compare!("udp6.netlink", "udp6.proc", Protocol::Udp, Family::Inet6);
    }

    /// Returns the first row of the recorded TCP table, to be broken.
    fn message() -> Vec<u8> {
        let bytes = include_bytes!("../../../tests/fixtures/raw/linux/tcp6.netlink");
        recorded_messages(bytes).swap_remove(0)
    }

    fn decode(message: &[u8]) -> Option<Socket> {
        decode_socket(message, Protocol::Tcp)
    }

    #[test]
    fn a_short_message_is_no_row() {
        let whole = message();
        for length in 0..72 {
            assert_eq!(decode(&whole[..length]), None, "{length}");
        }
        assert_eq!(decode(&whole[..72]).unwrap().v6only, None);
    }

    #[test]
    fn an_unknown_family_is_no_row() {
        let mut message = message();
        message[0] = 1;
        assert_eq!(decode(&message), None);
    }

    #[test]
    fn an_unknown_state_and_timer_keep_their_numbers() {
        let mut message = message();
        message[1] = 77;
        message[2] = 9;
        let socket = decode(&message).unwrap();
        assert_eq!(socket.state, Some(TcpState::Other(77)));
        assert_eq!(socket.timer.unwrap().kind, TimerKind::Other(9));
    }

    #[test]
    fn an_overdue_timer_expires_now() {
        let mut message = message();
        message[2] = 1;
        message[52..56].copy_from_slice(&(-12_i32).to_ne_bytes());
        assert_eq!(decode(&message).unwrap().timer.unwrap().expires_ms, 0);
    }

    #[test]
    fn a_broken_attribute_hides_only_what_comes_after_it() {
        let mut message = message();
        message.truncate(72);
        let fixed = decode(&message).unwrap();
        for broken in [&[0, 0, 11, 0, 1][..], &[3, 0, 11, 0], &[255, 255, 11, 0, 1], &[5]] {
            let after = [5, 0, 11, 0, 1, 0, 0, 0];
            let bytes = [&message[..], broken, &after[..]].concat();
            assert_eq!(decode(&bytes), Some(fixed.clone()), "{broken:?}");
            let bytes = [&message[..], &after[..], broken].concat();
            assert_eq!(decode(&bytes).unwrap().v6only, Some(true), "{broken:?}");
        }
    }

    #[test]
    fn a_big_nested_attribute_is_stepped_over() {
        let mut bytes = message();
        bytes.truncate(72);
        let nested = [&[0xf8, 0xff, 19, 0x80][..], &vec![0xff; 0xfff4], &[5, 0, 11, 0, 0, 0, 0, 0]];
        bytes.extend(nested.concat());
        assert_eq!(decode(&bytes).unwrap().v6only, Some(false));
    }

    #[test]
    fn an_exact_request_names_the_socket_its_own_row_describes() {
        let table = include_bytes!("../../../tests/fixtures/raw/linux/tcp6.netlink");
        let mut connections = 0;
        for row in recorded_messages(table) {
            let socket = decode(&row).unwrap();
            if socket.peer.is_some() {
                connections += 1;
                // The id is the same in both: at 8 in a request, at 4 in a row.
                assert_eq!(encode_exact(&socket).unwrap()[8..56], row[4..52], "{socket:?}");
            }
            // Without a cookie the ends could be another's by now; without a peer it is no connection.
            let nameless = Socket { cookie: None, ..socket };
            assert_eq!(encode_exact(&nameless), None);
        }
        assert!(connections > 0);
    }

    #[test]
    fn only_what_has_a_diag_table_can_be_asked_for() {
        let encode = |protocol, family| encode_request(protocol, family, 1, None, 0);
        assert_eq!(encode(Protocol::Unix, Family::Inet), None);
        assert_eq!(encode(Protocol::Tcp, Family::Unix), None);
        assert_eq!(encode(Protocol::Tcp, Family::Inet).unwrap().len(), 56);
    }

    #[test]
    fn a_number_of_more_than_a_byte_is_in_an_attribute_before_the_filter() {
        let request = |ports| encode_request(Protocol::Mptcp, Family::Inet, 0, ports, 0).unwrap();
        let header = size_of::<DiagRequest>();
        let attribute = [8_u8, 0, 3, 0, 6, 1, 0, 0];
        assert_eq!(request(None)[header..], attribute);
        let filtered = request(Some(&PortWish::Local(1..=2)));
        assert_eq!((&filtered[header..header + 8], filtered[header + 10]), (&attribute[..], 1));
        let tcp = encode_request(Protocol::Tcp, Family::Inet, 0, None, 0).unwrap();
        assert_eq!(tcp.len(), header);
    }

    #[test]
    fn an_sctp_association_has_the_nearest_of_tcps_states() {
        let state = |number, peers: &[u8]| {
            let mut row = vec![0; size_of::<DiagMessage>()];
            (row[0], row[1]) = (AF_INET, number);
            row.extend(peers);
            decode_socket(&row, Protocol::Sctp).unwrap().state.unwrap()
        };
        let peers = [4, 0, 13, 0];
        assert_eq!(state(10, &[]), TcpState::Listen);
        assert_eq!(
            (state(3, &peers), state(1, &peers)),
            (TcpState::Established, TcpState::SynSent)
        );
        assert_eq!((state(7, &peers), state(6, &peers)), (TcpState::LastAck, TcpState::CloseWait));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(tail: Vec<u8>, cut in 0_usize..200) {
            let mut bytes = message();
            bytes.truncate(cut);
            bytes.extend(tail);
            // Either answer is fine; what counts is that there is one.
            let _row = decode(&bytes);
        }
    }
}
