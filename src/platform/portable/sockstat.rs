//! The kernel's own count of sockets in use, to doubt an empty table with.
//!
//! netstat2 ends a table quietly when the kernel answers with an error (`try_read_next_packet`: a
//! missing module, a refusal), which reads as "no sockets". `/proc/net/sockstat` (`proc_pid_net(5)`)
//! counts them in another way.

use std::fs;

use super::Table;
use super::rows::Found;
use crate::snapshot::{Gap, Missing};
use crate::socket::{Family, Protocol};

/// Returns a gap for each table that is empty though the kernel counts sockets of it.
pub(super) fn doubt(tables: &[Table], found: &[Found]) -> Vec<Gap> {
    let mut counts = String::new();
    for file in ["/proc/net/sockstat", "/proc/net/sockstat6"] {
        // Without the file (no IPv6, no /proc) there is nothing to doubt with.
        counts += &fs::read_to_string(file).unwrap_or_default();
    }
    doubt_by(tables, found, &counts)
}

fn doubt_by(tables: &[Table], found: &[Found], counts: &str) -> Vec<Gap> {
    let is_empty = |table: &Table| {
        !found.iter().any(|(s, _)| s.protocol == table.protocol && s.family == table.family)
    };
    tables
        .iter()
        .filter(|table| is_empty(table))
        .filter_map(|table| {
            let count = parse_in_use(counts, name(*table)?).filter(|&count| count > 0)?;
            let why = format!("netstat2 lists none of {count}, and does not say why");
            Some(
                Gap::new(Missing::Sockets, why)
                    .detail(table.to_string())
                    .count(1)
                    .hint("leave out --backend portable"),
            )
        })
        .collect()
}

/// Returns what the kernel calls the table in its count.
fn name(table: Table) -> Option<&'static str> {
    match (table.protocol, table.family) {
        (Protocol::Tcp, Family::Inet) => Some("TCP"),
        (Protocol::Tcp, Family::Inet6) => Some("TCP6"),
        (Protocol::Udp, Family::Inet) => Some("UDP"),
        (Protocol::Udp, Family::Inet6) => Some("UDP6"),
        (_, _) => None,
    }
}

/// Returns the number after `inuse` in the line `NAME: inuse 5 …`.
fn parse_in_use(counts: &str, name: &str) -> Option<u64> {
    let line = counts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "inuse")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Socket, SocketId};
    use std::collections::BTreeSet;

    const COUNTS: &str = "sockets: used 290\nTCP: inuse 5 orphan 0 tw 2 alloc 8 mem 2\n\
                          UDP: inuse 0 mem 0\nTCP6: inuse 1\nUDP6: inuse x\n";
    const TCP: Table = Table { protocol: Protocol::Tcp, family: Family::Inet };
    const TCP6: Table = Table { protocol: Protocol::Tcp, family: Family::Inet6 };
    const UDP: Table = Table { protocol: Protocol::Udp, family: Family::Inet };

    #[test]
    fn the_count_of_each_table_is_found() {
        for (name, count) in
            [("TCP", Some(5)), ("TCP6", Some(1)), ("UDP", Some(0)), ("UDP6", None), ("RAW", None)]
        {
            assert_eq!(parse_in_use(COUNTS, name), count, "{name}");
        }
    }

    #[test]
    fn an_empty_table_is_doubted_only_when_the_kernel_counts_sockets() {
        let found = vec![(Socket::new(SocketId(1), Protocol::Tcp, Family::Inet6), BTreeSet::new())];
        let gaps = doubt_by(&[TCP, TCP6, UDP], &found, COUNTS);
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].detail.as_deref(), Some("tcp over inet"));
        assert_eq!(gaps[0].why, "netstat2 lists none of 5, and does not say why");
    }
}
