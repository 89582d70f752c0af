//! The sockets that send pings (`icmp(7)`): `/proc/net/icmp` and `/proc/net/icmp6`.
//!
//! Each table also shows sockets of the other family, with an address that is not theirs: those that
//! come after one of its own in the same hash chain (`ping_get_next`, linux/net/ipv4/ping.c, passes over
//! other namespaces only). A socket is always in its own family's table, so one that is in both is in
//! one of them by mistake.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use super::{ByteOrder, OddRow, Table, file_name, parse_row};
use crate::socket::{Endpoint, Family, Inode, Protocol, Socket};

/// Reads the sockets of one family.
///
/// # Errors
///
/// NotFound when there is no such table: the kernel does not know the family.
pub(crate) fn read(directory: &Path, family: Family) -> io::Result<Table> {
    let of = |family| std::fs::read(directory.join(file_name(Protocol::Icmp, family)));
    let own = of(family)?;
    let other = if family == Family::Inet6 { Family::Inet } else { Family::Inet6 };
    let other = parse(&of(other).unwrap_or_default(), other, ByteOrder::NATIVE);
    let own = parse(&own, family, ByteOrder::NATIVE);
    Ok(own.without_those_of(&other))
}

/// One of the two tables.
#[derive(Debug)]
struct Pings {
    sockets: Vec<Socket>,
    odd: Vec<OddRow>,
    /// The first of each hash chain, which surely is of the table's family.
    first: HashSet<Inode>,
}

impl Pings {
    /// Returns the table without what is in it by mistake, as the table of the other family tells.
    fn without_those_of(self, other: &Self) -> Table {
        let Self { mut sockets, odd, first } = self;
        let theirs: HashMap<Inode, &Socket> =
            other.sockets.iter().filter_map(|socket| Some((socket.inode?, socket))).collect();
        sockets.retain(|socket| {
            let twin = socket.inode.and_then(|inode| Some((inode, theirs.get(&inode)?)));
            let Some((inode, twin)) = twin else { return true };
            let is_named = |socket: &Socket| {
                socket.local.as_ref().is_some_and(|local| !Endpoint::is_wildcard(local))
            };
            if first.contains(&inode) != other.first.contains(&inode) {
                first.contains(&inode)
            } else if is_named(socket) != is_named(twin) {
                // Where it does not belong it has no address.
                is_named(socket)
            } else {
                socket.family == Family::Inet
            }
        });
        Table { sockets, odd }
    }
}

fn parse(bytes: &[u8], family: Family, order: ByteOrder) -> Pings {
    let mut pings = Pings { sockets: Vec::new(), odd: Vec::new(), first: HashSet::new() };
    let mut last = None;
    for line in bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.is_empty() || line.starts_with(b"sl ") {
            continue;
        }
        let row = std::str::from_utf8(line).ok();
        match row.and_then(|row| Some((row, parse_row(row, Protocol::Icmp, family, order)?))) {
            Some((row, socket)) => {
                // The chain's number: `20: …`.
                let chain = row.split_once(':').map(|(chain, _)| chain);
                if chain != last {
                    pings.first.extend(socket.inode);
                }
                last = chain;
                pings.sockets.push(socket);
            }
            None => pings.odd.push(OddRow::new(line)),
        }
    }
    pings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table whose rows are a chain, an address and an inode each.
    fn table(family: Family, rows: &[(u8, &str, u64)]) -> Pings {
        let row = |(chain, address, inode): &(u8, &str, u64)| {
            let any = if family == Family::Inet { "0".repeat(8) } else { "0".repeat(32) };
            let address = if address.is_empty() { &any } else { *address };
            format!("{chain:5}: {address}:03E8 {any}:0000 07 0:0 00:0 0 0 0 {inode} 2 0 0\n")
        };
        let text: String = rows.iter().map(row).collect();
        parse(text.as_bytes(), family, ByteOrder::Little)
    }

    const LO: &str = "0100007F";
    const LO6: &str = "00000000000000000000000001000000";

    /// The inodes that are left of each family.
    fn apart(v4: &[(u8, &str, u64)], v6: &[(u8, &str, u64)]) -> (Vec<u64>, Vec<u64>) {
        let tables = || (table(Family::Inet, v4), table(Family::Inet6, v6));
        let inodes = |table: Table| {
            assert_eq!(table.odd, []);
            table.sockets.iter().map(|socket| socket.inode.unwrap().0).collect()
        };
        let ((own4, other6), (other4, own6)) = (tables(), tables());
        (inodes(own4.without_those_of(&other6)), inodes(own6.without_those_of(&other4)))
    }

    #[test]
    fn a_socket_is_in_its_own_familys_table_alone() {
        // As read on Linux 6.18: chain 20 has 6 (of IPv6) and then 1 (of IPv4).
        let v4 = [(20, LO, 1), (21, LO, 2)];
        let v6 = [(20, LO6, 6), (20, "", 1), (39, LO6, 7)];
        assert_eq!(apart(&v4, &v6), (vec![1, 2], vec![6, 7]));
        // The same with neither bound to an address.
        assert_eq!(apart(&[(20, "", 1)], &[(20, "", 6), (20, "", 1)]), (vec![1], vec![6]));
        // And the other way round: the first of its chain is of the table's family.
        assert_eq!(apart(&[(20, "", 1), (20, "", 6)], &[(20, "", 6)]), (vec![1], vec![6]));
        // One that is first in neither is where it has an address.
        let v4 = [(20, LO, 1), (20, "", 8)];
        let v6 = [(20, LO6, 6), (20, "", 1), (20, LO6, 8)];
        assert_eq!(apart(&v4, &v6), (vec![1], vec![6, 8]));
    }

    #[test]
    fn a_kernel_without_one_of_the_families_loses_nothing() {
        assert_eq!(apart(&[(20, LO, 1)], &[]), (vec![1], vec![]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let pings = parse(&bytes, Family::Inet6, ByteOrder::Big);
            prop_assert!(pings.sockets.len() + pings.odd.len() <= bytes.len());
        }
    }
}
