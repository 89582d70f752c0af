//! Sorts rows: a total order, so that equal input gives equal output.
//!
//! Without keys listeners come first, then what is merely bound, then connections by the progress of
//! their life; within each by protocol, port, address, peer and process. Keys are columns; what they
//! leave equal stays in that order, and what is unknown comes last either way.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::process::{Fd, Pid};
use crate::render::column::{Column, Key, UnknownColumn};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Family, Protocol, Socket, SocketId};
use crate::state::TcpState;
use crate::text::Text;

/// A column to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// The column.
    pub column: Column,
    /// Whether the greatest comes first.
    pub reverse: bool,
}

impl SortKey {
    /// Parses the word of a column; a leading `-` reverses it.
    ///
    /// # Errors
    ///
    /// When the word names no column.
    pub fn parse(word: &str) -> Result<Self, UnknownColumn> {
        let word = word.trim();
        let (name, reverse) = match word.strip_prefix('-') {
            Some(name) => (name, true),
            None => (word.strip_prefix('+').unwrap_or(word), false),
        };
        Ok(Self { column: Column::parse(name)?, reverse })
    }

    /// Parses words with commas between them.
    ///
    /// # Errors
    ///
    /// When a word names no column.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, UnknownColumn> {
        list.split(',').map(Self::parse).collect()
    }

    fn compare(self, one: &Entry, other: &Entry) -> Ordering {
        let key: for<'a> fn(&'a Entry) -> Option<Key<'a>> = self.column.spec().key;
        match (key(one), key(other)) {
            (Some(one), Some(other)) if self.reverse => other.cmp(&one),
            (Some(one), Some(other)) => one.cmp(&other),
            // Some before None.
            (one, other) => one.is_none().cmp(&other.is_none()),
        }
    }
}

/// Sorts the entries by these keys, the first being the most important.
pub fn sort(entries: &mut [Entry], keys: &[SortKey]) {
    entries.sort_by_cached_key(usual_place);
    if !keys.is_empty() {
        entries.sort_by(|one, other| {
            keys.iter()
                .map(|key| key.compare(one, other))
                .find(|ordering| ordering.is_ne())
                .unwrap_or(Ordering::Equal)
        });
    }
}

/// A socket's place in the usual order.
type Place = (usize, Protocol, End, End, Family, Option<(Pid, Option<Fd>)>, SocketId);

/// One end's place: port, address, UNIX name. `None` sorts first: paths are unordered by address.
type End = (Option<u16>, Option<IpAddr>, Option<Text>);

fn usual_place(entry: &Entry) -> Place {
    let Entry { socket, ownership, .. } = entry;
    let owner = ownership.owners().first().map(|owner| (owner.process.pid, owner.fd));
    (
        stage(socket),
        socket.protocol,
        end(socket.local.as_ref()),
        end(socket.peer.as_ref()),
        socket.family,
        owner,
        socket.id,
    )
}

/// Returns the stage of a socket's life. UDP has no states: unconnected it is open to all as a
/// listener is, connected it is as good as established.
fn stage(socket: &Socket) -> usize {
    let state = match socket.state {
        Some(state) => state,
        None if socket.is_listening() => TcpState::Listen,
        None => TcpState::Established,
    };
    state.rank()
}

fn end(endpoint: Option<&Endpoint>) -> End {
    match endpoint {
        Some(Endpoint::Path(name) | Endpoint::Abstract(name)) => (None, None, Some(name.clone())),
        Some(
            end @ (Endpoint::Packet { .. }
            | Endpoint::Netlink { .. }
            | Endpoint::Vsock { .. }
            | Endpoint::Xdp { .. }),
        ) => (None, None, Some(Text::from(end.to_string()))),
        Some(end @ Endpoint::Inet { .. }) => (end.port(), end.canonical_address(), None),
        None => (None, None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::kernel::KernelReason;
    use crate::process::Ownership;
    use crate::render::column::COLUMNS;
    use crate::render::fixture;

    fn columns(entries: &[Entry], keys: &[SortKey], column: Column) -> Vec<String> {
        let mut entries = entries.to_vec();
        sort(&mut entries, keys);
        fixture::cells(&entries, column)
    }

    #[test]
    fn listeners_come_first_and_the_dying_last() {
        let entries = fixture::snapshot().entries;
        let states = columns(&entries, &[], Column::State);
        let listeners =
            states.iter().take_while(|state| *state == "LISTEN" || state.is_empty()).count();
        assert!(states.iter().skip(listeners).all(|state| state != "LISTEN"), "{states:?}");
        assert_eq!(states.last().map(String::as_str), Some("TIME_WAIT"));
    }

    #[test]
    fn ports_sort_as_numbers() {
        let ports =
            columns(&fixture::snapshot().entries, &[SortKey::parse("port").unwrap()], Column::Port);
        let numbers: Vec<u16> = ports.iter().filter_map(|port| port.parse::<u16>().ok()).collect();
        assert!(numbers.is_sorted(), "{ports:?}");
    }

    #[test]
    fn a_minus_reverses_and_the_unknown_stays_last() {
        let keys = [SortKey::parse("-pid").unwrap()];
        let pids = columns(&fixture::snapshot().entries, &keys, Column::Pid);
        let known: Vec<u32> = pids.iter().map_while(|pid| pid.parse().ok()).collect();
        assert!(known.is_sorted_by(|a, b| a >= b), "{pids:?}");
        assert!(pids.iter().skip(known.len()).all(String::is_empty), "{pids:?}");
    }

    #[test]
    fn a_mapped_address_sorts_as_ipv4() {
        let entry = |address: &str| {
            let mut socket = Socket::new(SocketId(1), Protocol::Tcp, Family::Inet6);
            socket.local = Some(Endpoint::inet(address.parse().unwrap(), 80));
            Entry {
                socket,
                ownership: Ownership::Kernel(KernelReason::TimeWait),
                user: None,
                netns_name: None,
                peer_owners: Vec::new(),
            }
        };
        let mut entries = [entry("10.0.0.2"), entry("::ffff:10.0.0.1")];
        sort(&mut entries, &[SortKey::parse("local").unwrap()]);
        assert_eq!(entries[0], entry("::ffff:10.0.0.1"));
    }

    /// The fixture, and twins that share everything but their identity (SO_REUSEPORT).
    fn entries() -> Vec<Entry> {
        let entries = fixture::snapshot().entries;
        let twins = entries.clone().into_iter().map(|mut entry| {
            entry.socket.id.0 += 1_000;
            entry
        });
        entries.iter().cloned().chain(twins).collect()
    }

    fn key() -> impl Strategy<Value = SortKey> {
        (0..COLUMNS.len(), any::<bool>())
            .prop_map(|(index, reverse)| SortKey { column: COLUMNS[index], reverse })
    }

    proptest! {
        #[test]
        fn any_input_order_gives_the_same_output(
            shuffled in Just(entries()).prop_shuffle(),
            keys in proptest::collection::vec(key(), 0..4),
        ) {
            let mut expected = entries();
            sort(&mut expected, &keys);
            let mut sorted = shuffled;
            sort(&mut sorted, &keys);
            prop_assert_eq!(&sorted, &expected);
            sort(&mut sorted, &keys);
            prop_assert_eq!(&sorted, &expected);
        }
    }

    #[test]
    fn every_column_sorts_something() {
        for &column in COLUMNS {
            let known = fixture::snapshot()
                .entries
                .iter()
                .filter_map(|entry| (column.spec().key)(entry).map(drop))
                .count();
            assert!(known > 0, "no key in column {column:?}");
        }
    }
}
