//! Sorts rows: a total order, so that equal input gives equal output.
//!
//! Without keys listeners come first, then what is merely bound, then connections by the progress of
//! their life; within each by protocol, port, address, peer and process. Keys are columns; what they
//! leave equal stays in that order, and what is unknown comes last either way.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use crate::render::column::{Column, Key, UnknownColumn};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Protocol, Socket};
use crate::state::TcpState;

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
    let mut order: Vec<(Brief, Place)> =
        (0..).zip(&*entries).map(|(place, entry)| (brief(entry), place)).collect();
    order.sort_unstable_by(|&(brief, place), &(other_brief, other_place)| {
        let both = || entries.get(index(place)).zip(entries.get(index(other_place)));
        let by_keys = keys.iter().find_map(|key| {
            both().map(|(one, other)| key.compare(one, other)).filter(|ordering| ordering.is_ne())
        });
        by_keys
            .unwrap_or_else(|| brief.cmp(&other_brief))
            .then_with(|| both().map_or(Ordering::Equal, |(one, other)| usually(one, other)))
            .then(place.cmp(&other_place))
    });
    arrange(entries, order);
}

/// Where an entry is among the others. There may be very many, and this stands beside each.
type Place = u32;

fn index(place: Place) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// Swaps each entry to its place in this order, which holds where each is.
fn arrange(entries: &mut [Entry], mut order: Vec<(Brief, Place)>) {
    for (place, number) in (0..order.len()).zip(0..) {
        // What was here before may have been swapped away, and that again.
        let mut from: Place = number;
        while let Some(&(_, next)) = order.get(index(from)) {
            from = next;
            if from >= number {
                break;
            }
        }
        entries.swap(place, index(from));
        if let Some((_, stored)) = order.get_mut(place) {
            *stored = from;
        }
    }
}

/// The beginning of an entry's place in the usual order, in one number, its highest byte first: what is
/// less here comes first, what is equal is decided by [`usually`].
type Brief = [u8; 16];

fn brief(entry: &Entry) -> Brief {
    let Entry { socket, .. } = entry;
    let protocol = Protocol::ALL.iter().position(|protocol| *protocol == socket.protocol);
    let mut brief = BitString::default();
    brief.push(stage(socket), 8);
    brief.push(protocol.unwrap_or(Protocol::ALL.len()), 8);
    if brief.push_end(socket.local.as_ref()) {
        brief.push_end(socket.peer.as_ref());
    }
    (brief.bits << (u128::BITS - brief.length)).to_be_bytes()
}

/// Numbers one after the other, the first in the highest bits.
#[derive(Debug, Default)]
struct BitString {
    bits: u128,
    length: u32,
}

impl BitString {
    fn push(&mut self, number: impl TryInto<u128>, width: u32) {
        self.bits = self.bits << width | number.try_into().unwrap_or_default();
        self.length += width;
    }

    /// Appends an end's port and address, and returns whether that tells it from all others.
    fn push_end(&mut self, endpoint: Option<&Endpoint>) -> bool {
        let Some(Endpoint::Inet { address, port, .. }) = endpoint else {
            self.push(0_u8, 17 + 2);
            return false;
        };
        self.push(1_u32 << 16 | u32::from(*port), 17);
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                self.push(1_u8, 2);
                self.push(v4.to_bits(), 32);
                true
            }
            IpAddr::V6(v6) => {
                self.push(2_u8, 2);
                self.push(v6.to_bits() >> 96, 32);
                false
            }
        }
    }
}

/// Compares the places of two entries in the usual order.
fn usually(one: &Entry, other: &Entry) -> Ordering {
    let owner =
        |entry: &Entry| entry.ownership.owners().first().map(|owner| (owner.process.pid, owner.fd));
    let (a, b) = (&one.socket, &other.socket);
    stage(a)
        .cmp(&stage(b))
        .then(a.protocol.cmp(&b.protocol))
        .then_with(|| compare_ends(a.local.as_ref(), b.local.as_ref()))
        .then_with(|| compare_ends(a.peer.as_ref(), b.peer.as_ref()))
        .then(a.family.cmp(&b.family))
        .then_with(|| owner(one).cmp(&owner(other)))
        .then(a.id.cmp(&b.id))
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

/// Compares by port, address and name. What has none comes first: paths are unordered by address.
fn compare_ends(one: Option<&Endpoint>, other: Option<&Endpoint>) -> Ordering {
    let number = |end: Option<&Endpoint>| {
        end.map_or((None, None), |end| (end.port(), end.canonical_address()))
    };
    number(one).cmp(&number(other)).then_with(|| name(one).cmp(&name(other)))
}

fn name(endpoint: Option<&Endpoint>) -> Option<Cow<'_, [u8]>> {
    match endpoint? {
        Endpoint::Path(name) | Endpoint::Abstract(name) => Some(name.as_bytes().into()),
        end @ (Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Xdp { .. }) => Some(end.to_string().into_bytes().into()),
        Endpoint::Inet { .. } => None,
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
    use crate::socket::{Family, SocketId};

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
                peer_owners: crate::rare::Rare::default(),
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

    fn end_of_any_kind() -> impl Strategy<Value = Option<Endpoint>> {
        let name = || proptest::sample::select(&["", "a", "b"][..]);
        let near = 0..3_u128;
        proptest::option::of(prop_oneof![
            (any::<u32>(), 0..3_u16)
                .prop_map(|(bits, port)| Endpoint::inet(IpAddr::V4(bits.into()), port)),
            (proptest::sample::select(&[0, 96, 0x20][..]), near, 0..3_u16).prop_map(
                |(shift, bits, port)| Endpoint::inet(IpAddr::V6((bits << shift).into()), port)
            ),
            (0..3_u32).prop_map(|bits| {
                let mapped = std::net::Ipv4Addr::from_bits(bits).to_ipv6_mapped();
                Endpoint::inet(mapped.into(), 1)
            }),
            name().prop_map(|name| Endpoint::Path(name.into())),
            name().prop_map(|name| Endpoint::Abstract(name.into())),
            (0..2_u32).prop_map(|port| Endpoint::Netlink { protocol: 0, port }),
        ])
    }

    fn entry_of_any_kind() -> impl Strategy<Value = Entry> {
        // Few of each, so that the ends often decide.
        let protocols = proptest::sample::select(&[Protocol::Tcp, Protocol::Xdp][..]);
        let states = [TcpState::Listen, TcpState::Other(99)];
        let states = proptest::option::of(proptest::sample::select(states.to_vec()));
        (protocols, states, end_of_any_kind(), end_of_any_kind()).prop_map(
            |(protocol, state, local, peer)| {
                let mut socket = Socket::new(SocketId(1), protocol, Family::Inet);
                (socket.state, socket.local, socket.peer) = (state, local, peer);
                let ownership = Ownership::Kernel(KernelReason::TimeWait);
                Entry {
                    socket,
                    ownership,
                    user: None,
                    netns_name: None,
                    peer_owners: crate::rare::Rare::default(),
                }
            },
        )
    }

    proptest! {
        #[test]
        fn the_brief_never_contradicts_the_order(
            one in entry_of_any_kind(),
            other in entry_of_any_kind(),
        ) {
            let by_brief = brief(&one).cmp(&brief(&other));
            prop_assert!(by_brief.is_eq() || by_brief == usually(&one, &other));
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
