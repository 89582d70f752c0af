//! FreeBSD's tables of descriptors and sockets: rows that begin with their length, so that a kernel may
//! add fields at their ends.

use std::collections::HashMap;

use super::layout as at;
use crate::platform::bsd::fields::Fields;
use crate::platform::bsd::pcb::{self, Common, End, Local, Pcb};
use crate::process::{Fd, Pid};
use crate::socket::{Family, Protocol};
use crate::state::TcpState;

/// A descriptor of a socket (`DTYPE_SOCKET`, freebsd/sys/sys/file.h).
const TYPE_SOCKET: u16 = 2;

// `AF_`, freebsd/sys/sys/socket.h.
const AF_INET: i32 = 2;
const AF_INET6: i32 = 28;

/// The rows of a table, and how many could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows<T> {
    pub(super) rows: Vec<T>,
    pub(super) malformed: usize,
}

/// A descriptor and the kernel's address of what it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) pid: Pid,
    pub(super) fd: Fd,
    pub(super) handle: u64,
}

/// Splits a table that begins with `header` bytes into rows of at least this length. What is no longer
/// than the header ends it: a trailer. After a row of impossible length nothing can be found any more.
fn split<T>(
    bytes: &[u8],
    header: usize,
    least: usize,
    decode: impl Fn(Fields<'_>) -> Option<T>,
) -> Rows<T> {
    let mut all = Rows { rows: Vec::new(), malformed: 0 };
    let mut rest = bytes.get(header..).unwrap_or_default();
    while rest.len() > header {
        let length = Fields(rest).u64(0).and_then(|length| usize::try_from(length).ok());
        let row = length.filter(|&length| length >= least).and_then(|length| rest.get(..length));
        let Some(row) = row else {
            all.malformed += 1;
            break;
        };
        match decode(Fields(row)) {
            Some(row) => all.rows.push(row),
            None => all.malformed += 1,
        }
        rest = rest.get(row.len()..).unwrap_or_default();
    }
    all
}

/// Decodes `kern.file`: the descriptors of sockets (`struct xfile`).
pub(super) fn decode_files(bytes: &[u8]) -> Rows<Held> {
    let all = split(bytes, 0, at::FILE_SIZE, |row| {
        let held = Held {
            pid: Pid(row.u32(at::FILE_PID)?),
            fd: Fd(row.u32(at::FILE_FD)?),
            handle: row.u64(at::FILE_DATA)?,
        };
        Some((row.u16(at::FILE_TYPE)? == TYPE_SOCKET).then_some(held))
    });
    Rows { rows: all.rows.into_iter().flatten().collect(), malformed: all.malformed }
}

/// Decodes `net.inet.tcp.pcblist` (`struct xtcpcb`) or `net.inet.udp.pcblist` (`struct xinpcb`).
pub(super) fn decode_pcbs(bytes: &[u8], protocol: Protocol) -> Rows<Pcb> {
    let is_tcp = protocol == Protocol::Tcp;
    let least = if is_tcp { at::TCP_SIZE } else { at::PCB_SIZE };
    split(bytes, at::GEN_SIZE, least, |row| {
        if !is_tcp {
            return decode_pcb(row, protocol);
        }
        let state = row.u8(at::TCP_STATE)?;
        let left = row.u32(at::TCP_2MSL).filter(|&left| left > 0);
        Some(Pcb {
            state: Some(state),
            // In FIN_WAIT_2 it is another timer that runs there.
            time_wait_ms: left.filter(|_| TcpState::from_bsd(state) == TcpState::TimeWait),
            ..decode_pcb(row.from(at::TCP_PCB), protocol)?
        })
    })
}

fn decode_pcb(row: Fields<'_>, protocol: Protocol) -> Option<Pcb> {
    let socket = row.from(at::PCB_SOCKET);
    let ends = row.from(at::PCB_INC);
    let end = |address, port| Some(End { address: ends.bytes(address)?, port: ends.port(port)? });
    let versions = row.u8(at::VFLAG)?;
    let family = match socket.u32(at::FAMILY)?.cast_signed() {
        AF_INET => Family::Inet,
        AF_INET6 => Family::Inet6,
        // What only the protocol still keeps has no socket (TIME_WAIT before version 14).
        _ if versions & pcb::INP_IPV6 != 0 => Family::Inet6,
        _ => Family::Inet,
    };
    Some(Pcb {
        socket: decode_common(socket)?,
        protocol,
        family,
        generation: row.u64(at::GENCNT)?,
        versions,
        flags: row.u32(at::FLAGS)?,
        local: end(at::LADDR, at::LPORT)?,
        peer: end(at::FADDR, at::FPORT)?,
        zone: ends.u32(at::ZONE)?,
        state: None,
        time_wait_ms: None,
    })
}

fn decode_common(socket: Fields<'_>) -> Option<Common> {
    Some(Common {
        handle: socket.u64(at::SO)?,
        kind: socket.u16(at::TYPE)?,
        options: socket.u16(at::OPTIONS)?,
        state: socket.u16(at::STATE)?,
        pending: socket.u32(at::QLEN)?,
        limit: socket.u32(at::QLIMIT)?,
        received: socket.u32(at::RCV)?,
        unsent: socket.u32(at::SND)?,
        uid: socket.u32(at::UID),
    })
}

/// Decodes `net.local.*.pcblist` (`struct xunpcb`). A peer is told by its control block, so the tables
/// of all types are decoded together.
pub(super) fn decode_unix(tables: &[Vec<u8>]) -> Rows<Local> {
    let mut handles = HashMap::new();
    let mut all = Rows { rows: Vec::new(), malformed: 0 };
    for table in tables {
        let part = split(table, at::UNIX_GEN_SIZE, at::UNIX_SIZE, |row| {
            Some((row.u64(at::UNIX_PCB)?, decode_local(row)?))
        });
        all.malformed += part.malformed;
        for (pcb, local) in part.rows {
            handles.insert(pcb, local.socket.handle);
            all.rows.push(local);
        }
    }
    for local in &mut all.rows {
        // One that may not be seen keeps its control block's address: nobody else has that.
        local.peer = handles.get(&local.peer).copied().unwrap_or(local.peer);
    }
    all
}

fn decode_local(row: Fields<'_>) -> Option<Local> {
    Some(Local {
        socket: decode_common(row.from(at::UNIX_SOCKET))?,
        peer: row.u64(at::UNIX_CONN)?,
        name: pcb::path(row.from(at::UNIX_ADDR)),
        peer_name: pcb::path(row.from(at::UNIX_CADDR)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::socket::{Queues, Timer, TimerKind};
    use crate::text::Text;
    use proptest::prelude::*;

    #[test]
    fn descriptors_of_sockets_are_told_with_their_holder() {
        let bytes = [sample::file(70, 3, 2, 0x51), sample::file(70, 4, 1, 0x52)].concat();
        let held = Held { pid: Pid(70), fd: Fd(3), handle: 0x51 };
        assert_eq!(decode_files(&bytes), Rows { rows: vec![held], malformed: 0 });
    }

    #[test]
    fn every_row_of_a_table_is_told_and_longer_ones_too() {
        let listener = sample::listener();
        let mut bytes = sample::tcp_table(&[listener]);
        assert_eq!(decode_pcbs(&bytes, Protocol::Tcp), Rows { rows: vec![listener], malformed: 0 });
        // A kernel whose rows have eight bytes more.
        let end = at::GEN_SIZE + at::TCP_SIZE;
        bytes[at::GEN_SIZE..][..8].copy_from_slice(&(at::TCP_SIZE as u64 + 8).to_ne_bytes());
        bytes.splice(end..end, [7; 8]);
        assert_eq!(decode_pcbs(&bytes, Protocol::Tcp).rows, [listener]);

        let udp = Pcb { protocol: Protocol::Udp, state: None, ..listener };
        assert_eq!(decode_pcbs(&sample::udp_table(&[udp]), Protocol::Udp).rows, [udp]);
    }

    #[test]
    fn time_wait_has_its_timer_and_a_listener_its_backlog() {
        let over = Pcb { time_wait_ms: Some(58_000), ..sample::over() };
        let rows = decode_pcbs(&sample::tcp_table(&[over]), Protocol::Tcp).rows;
        let socket = rows[0].to_socket();
        let timer = Timer { kind: TimerKind::Timewait, expires_ms: 58_000, retransmits: 0 };
        assert_eq!((socket.timer, socket.inode), (Some(timer), None));
        let closing = Pcb { state: Some(9), ..over };
        let rows = decode_pcbs(&sample::tcp_table(&[closing]), Protocol::Tcp).rows;
        assert_eq!(rows[0].to_socket().timer, None);
        let queues = sample::listener().to_socket().queues;
        assert_eq!(queues, Some(Queues::Backlog { pending: 2, limit: Some(128) }));
    }

    #[test]
    fn short_rows_and_impossible_lengths_are_counted() {
        let mut bytes = sample::tcp_table(&[sample::listener(), sample::over()]);
        for length in [8_u64, 0, u64::MAX] {
            let second = at::GEN_SIZE + at::TCP_SIZE;
            bytes[second..second + 8].copy_from_slice(&length.to_ne_bytes());
            let all = decode_pcbs(&bytes, Protocol::Tcp);
            assert_eq!((all.rows.len(), all.malformed), (1, 1), "{length}");
        }
        assert_eq!(decode_pcbs(&[], Protocol::Tcp), Rows { rows: vec![], malformed: 0 });
    }

    #[test]
    fn the_peer_of_a_unix_socket_is_found_by_its_control_block() {
        let tables = [
            sample::unix_table(&[sample::unix("/tmp/a", 1, 0x100, 0x200, 1)]),
            sample::unix_table(&[
                sample::unix("", 2, 0x200, 0x100, 1),
                sample::unix("", 3, 0x300, 0x999, 2),
            ]),
        ];
        let all = decode_unix(&tables);
        let peers: Vec<u64> = all.rows.iter().map(|local| local.peer).collect();
        assert_eq!((peers, all.malformed), (vec![2, 1, 0x999], 0));
        assert_eq!(all.rows[0].name, Some(Text::from("/tmp/a")));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, place: usize, garbage: Vec<u8>) {
            let _files = decode_files(&bytes);
            let _unix = decode_unix(std::slice::from_ref(&bytes));
            let mut table = sample::tcp_table(&[sample::listener(), sample::over()]);
            let place = place % table.len();
            for (byte, garbage) in table.iter_mut().skip(place).zip(garbage) {
                *byte = garbage;
            }
            for pcb in decode_pcbs(&table, Protocol::Tcp).rows {
                let _socket = pcb.to_socket();
            }
        }
    }
}
