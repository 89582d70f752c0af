//! What the bytes of Windows' tables of sockets mean (`MIB_…TABLE_OWNER_MODULE` and
//! `MIB_TCP…TABLE2`: iprtrmib.h, tcpmib.h, udpmib.h). Safe, and compiled for tests on every system.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::process::Pid;
use crate::socket::{Endpoint, Interface, Protocol};

/// The tables of sockets that Windows keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Table {
    /// `MIB_TCPTABLE_OWNER_MODULE`.
    Tcp4,
    /// `MIB_TCP6TABLE_OWNER_MODULE`.
    Tcp6,
    /// `MIB_UDPTABLE_OWNER_MODULE`.
    Udp4,
    /// `MIB_UDP6TABLE_OWNER_MODULE`.
    Udp6,
    /// `MIB_TCPTABLE2` of the endpoints that are bound.
    Bound4,
    /// `MIB_TCP6TABLE2` of the endpoints that are bound.
    Bound6,
}

/// Where the parts of a row are, in bytes.
struct Layout {
    protocol: Protocol,
    is_v6: bool,
    /// Where the first row begins: behind the count, aligned as the rows are.
    first: usize,
    size: usize,
    local: usize,
    peer: Option<usize>,
    pid: usize,
    created: Option<usize>,
}

const TCP4: Layout = Layout {
    protocol: Protocol::Tcp,
    is_v6: false,
    first: 8,
    size: 160,
    local: 4,
    peer: Some(12),
    pid: 20,
    created: Some(24),
};
const TCP6: Layout = Layout {
    protocol: Protocol::Tcp,
    is_v6: true,
    first: 8,
    size: 192,
    local: 0,
    peer: Some(24),
    pid: 52,
    created: Some(56),
};
const UDP4: Layout = Layout {
    protocol: Protocol::Udp,
    is_v6: false,
    first: 8,
    size: 160,
    local: 0,
    peer: None,
    pid: 8,
    created: Some(16),
};
const UDP6: Layout = Layout {
    protocol: Protocol::Udp,
    is_v6: true,
    first: 8,
    size: 176,
    local: 0,
    peer: None,
    pid: 24,
    created: Some(32),
};
const BOUND4: Layout = Layout { first: 4, size: 28, created: None, ..TCP4 };
const BOUND6: Layout = Layout { first: 4, size: 60, created: None, ..TCP6 };

impl Table {
    const fn layout(self) -> &'static Layout {
        match self {
            Self::Tcp4 => &TCP4,
            Self::Tcp6 => &TCP6,
            Self::Udp4 => &UDP4,
            Self::Udp6 => &UDP6,
            Self::Bound4 => &BOUND4,
            Self::Bound6 => &BOUND6,
        }
    }

    /// Returns how many bytes a row has.
    #[cfg(all(feature = "portable", windows))]
    pub(super) const fn row_size(self) -> usize {
        self.layout().size
    }
}

/// One row. What netstat2 tells of it, too, is there to know it again by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// The table it is from.
    pub(super) table: Table,
    pub(super) protocol: Protocol,
    /// Absent for the wildcard with port 0, which is no end.
    pub(super) local: Option<Endpoint>,
    pub(super) peer: Option<Endpoint>,
    /// Absent for 0, which is nobody: the kernel keeps the socket.
    pub(super) pid: Option<Pid>,
    /// When it was bound or connected, in units of 100 ns since 1601; absent where that is not told.
    pub(super) created: Option<u64>,
    /// All of the row, for who asks the system more about it.
    pub(super) bytes: &'a [u8],
}

/// Returns the rows, and how many more there should be.
pub(super) fn decode(bytes: &[u8], table: Table) -> (Vec<Row<'_>>, usize) {
    let layout = table.layout();
    let count = number(bytes, 0).unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let rows = bytes.get(layout.first..).unwrap_or_default().chunks_exact(layout.size).take(count);
    let rows: Vec<Row<'_>> = rows.filter_map(|row| decode_row(row, table)).collect();
    let cut = count.saturating_sub(rows.len());
    (rows, cut)
}

fn decode_row(row: &[u8], table: Table) -> Option<Row<'_>> {
    let layout = table.layout();
    let end = |at| end(row, at, layout.is_v6);
    Some(Row {
        table,
        protocol: layout.protocol,
        local: end(layout.local)?,
        peer: match layout.peer {
            Some(at) => end(at)?,
            None => None,
        },
        pid: Some(number(row, layout.pid)?).filter(|&pid| pid != 0).map(Pid),
        created: match layout.created {
            Some(at) => {
                let bytes = row.get(at..)?.first_chunk()?;
                Some(u64::from_ne_bytes(*bytes)).filter(|&moment| moment != 0)
            }
            None => None,
        },
        bytes: row,
    })
}

/// Returns the end at this place of a row; the inner `None` stands for none.
#[expect(clippy::option_option, reason = "a row that is cut off has neither an end nor none")]
fn end(row: &[u8], at: usize, is_v6: bool) -> Option<Option<Endpoint>> {
    let (address, scope, port): (IpAddr, _, _) = if is_v6 {
        let address: [u8; 16] = *row.get(at..)?.first_chunk()?;
        (Ipv6Addr::from(address).into(), scope(number(row, at + 16)?), at + 20)
    } else {
        let address: [u8; 4] = *row.get(at..)?.first_chunk()?;
        (Ipv4Addr::from(address).into(), None, at + 4)
    };
    // In the order of the network, in the first two of four bytes; the others may hold anything.
    let port = u16::from_be_bytes(*row.get(port..)?.first_chunk()?);
    let is_none = port == 0 && address.is_unspecified();
    Some((!is_none).then_some(Endpoint::Inet { address, port, scope: scope.map(Box::new) }))
}

/// Returns the interface a scope is. Microsoft's pages say that it is in the order of the network, its
/// libraries give it as the machine has it: interfaces have small numbers, so the smaller reading is it.
fn scope(number: u32) -> Option<Interface> {
    let index = number.min(number.swap_bytes());
    (index != 0).then_some(Interface { index, name: None })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table of one row, with `0xee` wherever nothing was put.
    fn table(table: Table, parts: &[(usize, &[u8])]) -> Vec<u8> {
        let layout = table.layout();
        let mut bytes = vec![0xee; layout.first + layout.size];
        bytes[..4].copy_from_slice(&1_u32.to_ne_bytes());
        for (at, part) in parts {
            bytes[layout.first + at..][..part.len()].copy_from_slice(part);
        }
        bytes
    }

    fn one(bytes: &[u8], table: Table) -> Row<'_> {
        let (mut rows, cut) = decode(bytes, table);
        assert_eq!((rows.len(), cut), (1, 0));
        rows.remove(0)
    }

    fn v6(address: &str, scope: [u8; 4], port: u16) -> Vec<u8> {
        let address: Ipv6Addr = address.parse().unwrap();
        [&address.octets()[..], &scope, &port.to_be_bytes(), &[0, 0]].concat()
    }

    fn text(end: Option<&Endpoint>) -> String {
        end.map_or_else(|| "-".to_owned(), ToString::to_string)
    }

    #[test]
    fn a_listener_of_ipv4_is_decoded() {
        let bytes = table(
            Table::Tcp4,
            &[
                (0, &2_u32.to_ne_bytes()),
                (4, &[127, 0, 0, 1]),
                // What is behind the port is rubbish on real machines too.
                (8, &[0x1f, 0x90, 0xab, 0xcd]),
                (12, &[0; 4]),
                (16, &[0; 4]),
                (20, &4712_u32.to_ne_bytes()),
                (24, &133_500_000_000_000_000_u64.to_ne_bytes()),
            ],
        );
        let row = one(&bytes, Table::Tcp4);
        assert_eq!(
            (text(row.local.as_ref()), text(row.peer.as_ref())),
            ("127.0.0.1:8080".into(), "-".into())
        );
        assert_eq!((row.pid, row.created), (Some(Pid(4712)), Some(133_500_000_000_000_000)));
        assert_eq!(row.bytes.len(), 160);
    }

    #[test]
    fn a_connection_of_ipv6_has_a_scope_at_both_ends_in_either_byte_order() {
        let bytes = table(
            Table::Tcp6,
            &[
                (0, &v6("fe80::1", 7_u32.to_ne_bytes(), 80)),
                (24, &v6("fe80::2", 7_u32.swap_bytes().to_ne_bytes(), 5000)),
                (52, &8_u32.to_ne_bytes()),
            ],
        );
        let row = one(&bytes, Table::Tcp6);
        assert_eq!(text(row.local.as_ref()), "[fe80::1%7]:80");
        assert_eq!(text(row.peer.as_ref()), "[fe80::2%7]:5000");
        assert_eq!(row.pid, Some(Pid(8)));
    }

    #[test]
    fn udp_has_no_peer() {
        let moment = 5_u64.to_ne_bytes();
        let bytes = table(
            Table::Udp4,
            &[(0, &[0; 4]), (4, &[0, 53, 0, 0]), (8, &9_u32.to_ne_bytes()), (16, &moment)],
        );
        let row = one(&bytes, Table::Udp4);
        assert_eq!((text(row.local.as_ref()), row.peer), ("0.0.0.0:53".into(), None));
        assert_eq!((row.pid, row.created), (Some(Pid(9)), Some(5)));
        let bytes = table(
            Table::Udp6,
            &[(0, &v6("::", [0; 4], 53)), (24, &9_u32.to_ne_bytes()), (32, &moment)],
        );
        let row = one(&bytes, Table::Udp6);
        assert_eq!((text(row.local.as_ref()), row.peer), ("[::]:53".into(), None));
        assert_eq!((row.pid, row.created), (Some(Pid(9)), Some(5)));
    }

    #[test]
    fn bound_endpoints_have_no_moment_and_rows_without_gaps() {
        let v4 = [(4, &[0; 4][..]), (8, &[0, 80, 0, 0]), (12, &[0; 8]), (20, &7_u32.to_ne_bytes())];
        let row_bytes = table(Table::Bound4, &v4);
        let row = one(&row_bytes, Table::Bound4);
        assert_eq!((text(row.local.as_ref()), row.pid), ("0.0.0.0:80".into(), Some(Pid(7))));
        assert_eq!((row.peer, row.created, row.bytes.len()), (None, None, 28));
        let end = v6("::1", [0; 4], 80);
        let none = v6("::", [0; 4], 0);
        let v6 = [(0, &end[..]), (24, &none), (52, &7_u32.to_ne_bytes())];
        let row_bytes = table(Table::Bound6, &v6);
        let row = one(&row_bytes, Table::Bound6);
        assert_eq!((text(row.local.as_ref()), row.pid), ("[::1]:80".into(), Some(Pid(7))));
        assert_eq!((row.peer, row.bytes.len()), (None, 60));
    }

    #[test]
    fn pid_0_is_nobody_and_a_moment_of_0_is_none() {
        let bytes = table(Table::Tcp4, &[(20, &[0; 4]), (24, &[0; 8])]);
        let row = one(&bytes, Table::Tcp4);
        assert_eq!((row.pid, row.created), (None, None));
    }

    #[test]
    fn a_table_that_is_cut_off_says_how_many_rows_are_missing() {
        let mut bytes = table(Table::Tcp4, &[]);
        bytes[..4].copy_from_slice(&3_u32.to_ne_bytes());
        assert_eq!(decode(&bytes, Table::Tcp4).1, 2);
        bytes.pop();
        assert_eq!(decode(&bytes, Table::Tcp4), (Vec::new(), 3));
        assert_eq!(decode(&[], Table::Tcp4), (Vec::new(), 0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, which in 0..6_usize) {
            let table = [Table::Tcp4, Table::Tcp6, Table::Udp4, Table::Udp6, Table::Bound4, Table::Bound6][which];
            decode(&bytes, table);
        }
    }
}
