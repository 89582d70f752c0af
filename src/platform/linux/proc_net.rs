//! The tables of `/proc/net` (`proc_pid_net(5)`): what is left where sock_diag is refused, as in
//! some sandboxes, or lacks a module.
//!
//! They tell less: no cookie, no accept limit, no device, no v6only, no bound-only sockets.

mod packet;
mod ping;
mod unix;

pub(crate) use ping::read as read_pings;

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::details::Details;
use crate::process::Uid;
use crate::socket::{
    Endpoint, Family, Inode, Protocol, Queues, Socket, SocketId, Timer, TimerKind,
};
use crate::state::TcpState;

/// Where the kernel shows the tables of the network namespace this thread is in. `/proc/net` would
/// be those of the process's first thread.
pub(crate) const DIRECTORY: &str = "/proc/thread-self/net";

/// The kernel counts time for programs in hundredths of a second (`USER_HZ`) on every architecture
/// Rust runs on.
const MS_PER_TICK: u32 = 10;

/// One table read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its sockets, all with the same placeholder for an identity.
    pub(crate) sockets: Vec<Socket>,
    /// The rows that could not be understood.
    pub(crate) odd: Vec<OddRow>,
}

/// A row that could not be understood: safe to print, and not long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OddRow(pub(crate) String);

impl OddRow {
    const LENGTH: usize = 100;

    fn new(line: &[u8]) -> Self {
        let mut quoted = String::new();
        for byte in line.iter().take(Self::LENGTH) {
            // Writing to a String cannot fail.
            let _infallible = write!(quoted, "{}", byte.escape_ascii());
        }
        if line.len() > Self::LENGTH {
            quoted.push('…');
        }
        Self(quoted)
    }
}

/// Reads one table from a directory such as [`DIRECTORY`].
///
/// # Errors
///
/// NotFound when there is no such table: the kernel does not know the protocol.
pub(crate) fn read(directory: &Path, protocol: Protocol, family: Family) -> io::Result<Table> {
    let bytes = std::fs::read(directory.join(file_name(protocol, family)))?;
    Ok(parse(&bytes, protocol, family, ByteOrder::NATIVE))
}

/// Returns the name of the file that has the table.
pub(crate) fn file_name(protocol: Protocol, family: Family) -> String {
    let suffix = if family == Family::Inet6 { "6" } else { "" };
    format!("{protocol}{suffix}")
}

/// The byte order of the machine that wrote a table: its addresses are printed as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };

    fn bytes(self, word: u32) -> [u8; 4] {
        match self {
            Self::Little => word.to_le_bytes(),
            Self::Big => word.to_be_bytes(),
        }
    }
}

/// Parses a table.
pub(crate) fn parse(bytes: &[u8], protocol: Protocol, family: Family, order: ByteOrder) -> Table {
    let mut table = Table::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii_start();
        if line.is_empty()
            || line.starts_with(b"sl ")
            || line.starts_with(b"sk ")
            || line.starts_with(b"Num ")
        {
            continue;
        }
        let socket = match (protocol, std::str::from_utf8(line)) {
            (Protocol::Unix, _) => unix::parse_row(line),
            (Protocol::Packet, Ok(row)) => packet::parse_packet_row(row),
            (Protocol::Netlink, Ok(row)) => packet::parse_netlink_row(row),
            (_, Ok(row)) => parse_row(row, protocol, family, order),
            (_, Err(_)) => None,
        };
        match socket {
            Some(socket) => table.sockets.push(socket),
            None => table.odd.push(OddRow::new(line)),
        }
    }
    table
}

/// Parses a row of an IP protocol (`get_tcp4_sock`, linux/net/ipv4/tcp_ipv4.c):
/// `sl local remote state tx:rx timer:expires retransmits uid timeout inode …`.
fn parse_row(row: &str, protocol: Protocol, family: Family, order: ByteOrder) -> Option<Socket> {
    let mut words = row.split_ascii_whitespace();
    let _slot = words.next()?;
    let local = words.next()?;
    let peer = words.next()?;
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let (send, recv) = parse_pair(words.next()?)?;
    let (timer, ticks) = words.next()?.split_once(':')?;
    let retransmits = u32::from_str_radix(words.next()?, 16).ok()?;
    let uid = words.next()?.parse().ok()?;
    let _timeout = words.next()?;
    let inode: u64 = words.next()?.parse().ok()?;

    let mut socket = Socket::new(SocketId(0), protocol, family);
    socket.local = parse_end(local, family, order)?;
    socket.peer = parse_end(peer, family, order)?;
    socket.state = (protocol == Protocol::Tcp).then(|| TcpState::from_linux(state));
    socket.queues = Some(if socket.state == Some(TcpState::Listen) {
        Queues::Backlog { pending: recv, limit: None }
    } else {
        Queues::Bytes { recv, send }
    });
    socket.inode = (inode != 0).then_some(Inode(inode));
    // Without inode nobody owns it, and the 0 of a TIME_WAIT row is no user.
    socket.uid = socket.inode.map(|_| Uid(uid));
    let ticks = u64::from_str_radix(ticks, 16).ok()?;
    socket.timer = TimerKind::from_linux(u8::from_str_radix(timer, 16).ok()?).map(|kind| Timer {
        kind,
        expires_ms: u32::try_from(ticks).unwrap_or(u32::MAX).saturating_mul(MS_PER_TICK),
        retransmits: u8::try_from(retransmits).unwrap_or(u8::MAX),
    });
    // Behind the inode: references, an address, and but for TCP the datagrams dropped.
    let drops =
        words.nth(2).filter(|_| protocol != Protocol::Tcp).and_then(|word| word.parse().ok());
    socket.details =
        drops.map(|drops| Box::new(Details { drops: Some(drops), ..Details::default() }));
    Some(socket)
}

fn parse_pair(text: &str) -> Option<(u32, u32)> {
    let (first, second) = text.split_once(':')?;
    Some((u32::from_str_radix(first, 16).ok()?, u32::from_str_radix(second, 16).ok()?))
}

/// Parses `0100007F:1F90`. The outer `None` means that it is no such thing, the inner one that
/// there is no address.
#[expect(clippy::option_option, reason = "unreadable and absent are different answers")]
fn parse_end(text: &str, family: Family, order: ByteOrder) -> Option<Option<Endpoint>> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = parse_address(address, family, order)?;
    Some((port != 0 || !address.is_unspecified()).then(|| Endpoint::inet(address, port)))
}

fn parse_address(digits: &str, family: Family, order: ByteOrder) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = digits.get(index * 8..(index + 1) * 8)?;
        u32::from_str_radix(digits, 16).ok().map(|word| order.bytes(word))
    };
    match (family, digits.len()) {
        (Family::Inet, 8) => Some(Ipv4Addr::from(word(0)?).into()),
        (Family::Inet6, 32) => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        }
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;
    use proptest::prelude::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 3092 1 00000000c3b880c5 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 06 00000000:00000000 03:0000176F 00000000     0        0 0 3 00000000c3b880c5
   2: 0200A8C0:C350 22D8B85D:0050 01 00000010:00000002 01:00000014 00000003     0        0 77 2 00000000c3b880c5 20 4 30 10 -1
";

    fn tcp(text: &str) -> Table {
        parse(text.as_bytes(), Protocol::Tcp, Family::Inet, ByteOrder::Little)
    }

    #[test]
    fn a_listener_has_a_backlog_without_limit() {
        let listener = &tcp(TCP).sockets[0];
        assert_eq!(listener.state, Some(TcpState::Listen));
        assert_eq!(listener.local.as_ref().unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(listener.peer, None);
        assert_eq!(listener.queues, Some(Queues::Backlog { pending: 3, limit: None }));
        assert_eq!((listener.inode, listener.uid), (Some(Inode(3092)), Some(Uid(1000))));
        assert_eq!(listener.timer, None);
    }

    #[test]
    fn time_wait_belongs_to_nobody() {
        let socket = &tcp(TCP).sockets[1];
        assert_eq!(socket.state, Some(TcpState::TimeWait));
        assert_eq!((socket.inode, socket.uid), (None, None));
        let expires_ms = 0x176F * 10;
        let timer = Timer { kind: TimerKind::Timewait, expires_ms, retransmits: 0 };
        assert_eq!(socket.timer, Some(timer));
    }

    #[test]
    fn a_connection_has_both_ends_and_its_bytes() {
        let socket = &tcp(TCP).sockets[2];
        assert_eq!(socket.local.as_ref().unwrap().to_string(), "192.168.0.2:50000");
        assert_eq!(socket.peer.as_ref().unwrap().to_string(), "93.184.216.34:80");
        assert_eq!(socket.queues, Some(Queues::Bytes { recv: 2, send: 16 }));
        assert_eq!(socket.uid, Some(Uid(0)));
        let timer = Timer { kind: TimerKind::On, expires_ms: 200, retransmits: 3 };
        assert_eq!(socket.timer, Some(timer));
    }

    #[test]
    fn addresses_are_read_in_the_byte_order_of_the_machine() {
        let address =
            |digits, order| parse_address(digits, Family::Inet, order).unwrap().to_string();
        assert_eq!(address("0100007F", ByteOrder::Little), "127.0.0.1");
        assert_eq!(address("7F000001", ByteOrder::Big), "127.0.0.1");
        let mapped =
            parse_address("0000000000000000FFFF00000100007F", Family::Inet6, ByteOrder::Little);
        assert_eq!(mapped.unwrap().to_string(), "::ffff:127.0.0.1");
        let big = parse_address("FE800000000000000000000000000001", Family::Inet6, ByteOrder::Big);
        assert_eq!(big.unwrap().to_string(), "fe80::1");
    }

    #[test]
    fn udp_has_no_state_and_is_connected_when_it_has_a_peer() {
        let text = "  10: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 101 0 9 2 0 0\n  \
                    11: 0100007F:0036 0100007F:0037 01 00000000:00000000 00:00000000 00000000 101 0 8 2 0 0\n";
        let table = parse(text.as_bytes(), Protocol::Udp, Family::Inet, ByteOrder::Little);
        let peers: Vec<_> =
            table.sockets.iter().map(|socket| (socket.state, socket.peer.is_some())).collect();
        assert_eq!(peers, [(None, false), (None, true)]);
    }

    #[test]
    fn dropped_datagrams_are_counted_where_the_table_has_them() {
        let row =
            "10: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 101 0 9";
        let drops = |rest: &str, protocol| {
            let text = format!("{row}{rest}");
            let table = parse(text.as_bytes(), protocol, Family::Inet, ByteOrder::Little);
            table.sockets[0].details.as_ref().and_then(|details| details.drops)
        };
        assert_eq!(drops(" 2 00000000c3b880c5 17", Protocol::Udp), Some(17));
        assert_eq!(drops(" 2 00000000c3b880c5 3", Protocol::Raw), Some(3));
        assert_eq!(drops("", Protocol::Udp), None);
        assert_eq!(drops(" 1 00000000c3b880c5 100 0 0 10 0", Protocol::Tcp), None);
    }

    #[test]
    fn unix_rows_have_state_and_name() {
        let text = b"Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 20617 /run/a b.sock
0000000000000000: 00000003 00000000 00000000 0001 03   617 @/tmp/.X11-unix/X0
0000000000000000: 00000002 00000000 00000000 0002 01 20618
0000000000000000: 00000003 00000000 00000000 0005 02     0
0000000000000000: 00000003 00000000 00000000 0001 01 20619 caf\xe9 \n";
        let table = parse(text, Protocol::Unix, Family::Unix, ByteOrder::Little);
        assert_eq!(table.odd, []);
        let rows: Vec<_> =
            table.sockets.into_iter().map(|row| (row.state, row.inode, row.local)).collect();
        let path = |path: &[u8]| Some(Endpoint::Path(Text::new(path)));
        let name = Some(Endpoint::Abstract("/tmp/.X11-unix/X0".into()));
        assert_eq!(
            rows,
            [
                (Some(TcpState::Listen), Some(Inode(20617)), path(b"/run/a b.sock")),
                (Some(TcpState::Established), Some(Inode(617)), name),
                (None, Some(Inode(20618)), None),
                (Some(TcpState::Established), None, None),
                (Some(TcpState::Closed), Some(Inode(20619)), path(b"caf\xe9 ")),
            ]
        );
    }

    #[test]
    fn one_odd_row_does_not_cost_the_others() {
        let table = tcp(&format!("{TCP}   3: what\x1b[2J\n"));
        assert_eq!(table.sockets.len(), 3);
        assert_eq!(table.odd, [OddRow(r"3: what\x1b[2J".to_owned())]);
    }

    #[test]
    fn a_row_with_any_word_broken_is_odd() {
        let row = "2: 0200A8C0:C350 22D8B85D:0050 01 00000010:00000002 01:00000014 00000003 0 0 77";
        assert_eq!(tcp(row).sockets.len(), 1);
        let words: Vec<_> = row.split(' ').collect();
        for index in [1, 2, 3, 4, 5, 6, 7, 9] {
            for bad in ["x", "-1", "é:1", ":", "0:12345678901234567"] {
                let mut words = words.clone();
                words[index] = bad;
                assert_eq!(tcp(&words.join(" ")).odd.len(), 1, "{index} {bad}");
            }
        }
        for length in 1..words.len() {
            assert_eq!(tcp(&words[..length].join(" ")).odd.len(), 1, "{length}");
        }
    }

    #[test]
    fn an_endless_row_is_quoted_shortly() {
        let table = tcp(&"9".repeat(10_000));
        assert_eq!(table.odd, [OddRow(format!("{}…", "9".repeat(100)))]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            for (protocol, family) in [
                (Protocol::Udp, Family::Inet),
                (Protocol::Udp, Family::Inet6),
                (Protocol::Unix, Family::Unix),
                (Protocol::Packet, Family::Packet),
                (Protocol::Netlink, Family::Netlink),
            ] {
                let table = parse(&bytes, protocol, family, ByteOrder::Big);
                prop_assert!(table.sockets.len() + table.odd.len() <= bytes.len());
            }
        }

        #[test]
        fn no_row_makes_the_parser_panic(row in "([0-9A-Fa-f:é]{0,9} ?){0,12}") {
            for protocol in [Protocol::Tcp, Protocol::Unix, Protocol::Packet, Protocol::Netlink] {
                let table = parse(row.as_bytes(), protocol, Family::Inet, ByteOrder::Little);
                prop_assert!(table.sockets.len() + table.odd.len() <= 1);
            }
        }
    }
}
