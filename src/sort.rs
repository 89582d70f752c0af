//! Sorts rows: a total order, so that equal input gives equal output.
//!
//! Without keys listeners come first, then what is merely bound, then connections by the progress of
//! their life; within each by protocol, port, address, peer and process. Keys are columns; what they
//! leave equal stays in that order, and what is unknown comes last either way.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use crate::join::Packed;
use crate::render::column::{Column, Key, UnknownColumn};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Protocol, is_listening};
use crate::sockets::{Ends, Place, from_the_end, index};
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
    let get = |place: Place| entries.get(index(place));
    let mut order = usual_order(
        (0..).take(entries.len()),
        &|place| get(place).map(|entry| Ends::from(&entry.socket)),
        &|one, other| Some(compare_rest(get(one)?, get(other)?)),
    );
    if !keys.is_empty() {
        order.sort_by(|&one, &other| {
            let (Some(one), Some(other)) = (get(one), get(other)) else { return Ordering::Equal };
            let mut by_keys = keys.iter().map(|key| key.compare(one, other));
            by_keys.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        });
    }
    arrange(entries, order);
}

/// Sorts very many rows, as [`sort`] does without keys.
pub fn sort_packed(rows: &mut Packed) {
    rows.reorder(|rows, places| {
        let compare = |one, other| Some(compare_rest(&rows.entry(one)?, &rows.entry(other)?));
        usual_order(places, &|place| rows.ends(place), &compare)
    });
}

/// Two words of a brief, and whose they are.
type Head = ([u32; 2], Place);

/// Returns these places in the usual order, which the ends decide, and what they leave equal by `rest`.
fn usual_order(
    places: impl Iterator<Item = Place>,
    ends: &dyn Fn(Place) -> Option<Ends>,
    rest: &dyn Fn(Place, Place) -> Option<Ordering>,
) -> Vec<Place> {
    let words = |place, number: usize| -> [u32; 2] {
        let brief = ends(place).map(|ends| brief(&ends)).unwrap_or_default();
        brief.as_chunks().0.get(number).copied().unwrap_or_default()
    };
    let compare = |one, other| {
        let by_ends = ends(one).zip(ends(other)).map(|(one, other)| compare_ends(&one, &other));
        by_ends
            .filter(|ordering| ordering.is_ne())
            .or_else(|| rest(one, other))
            .unwrap_or_else(|| one.cmp(&other))
    };
    let mut heads: Vec<Head> = places.map(|place| (words(place, 0), place)).collect();
    sort_heads(&mut heads, 1, &words, &compare);
    let mut order = Vec::with_capacity(heads.len());
    order.extend(from_the_end(heads).map(|(_, place)| place));
    order.reverse();
    order
}

/// Sorts by the words that the heads have, and what is equal in them by those with this number, and so on.
/// Only two words of each are had at a time: there may be very many.
fn sort_heads(
    heads: &mut [Head],
    number: usize,
    words: &dyn Fn(Place, usize) -> [u32; 2],
    compare: &dyn Fn(Place, Place) -> Ordering,
) {
    heads.sort_unstable();
    let alike = heads.chunk_by_mut(|(one, _), (other, _)| one == other);
    for alike in alike.filter(|alike| alike.len() > 1) {
        if number < WORDS / 2 {
            for (head, place) in alike.iter_mut() {
                *head = words(*place, number);
            }
            sort_heads(alike, number + 1, words, compare);
        } else {
            alike.sort_unstable_by(|&(_, one), &(_, other)| compare(one, other));
        }
    }
}

/// Swaps each entry to its place in this order, which holds where each is.
fn arrange(entries: &mut [Entry], mut order: Vec<Place>) {
    for (place, number) in (0..order.len()).zip(0..) {
        // What was here before may have been swapped away, and that again.
        let mut from: Place = number;
        while let Some(&next) = order.get(index(from)) {
            from = next;
            if from >= number {
                break;
            }
        }
        entries.swap(place, index(from));
        if let Some(stored) = order.get_mut(place) {
            *stored = from;
        }
    }
}

/// The beginning of an entry's place in the usual order, in numbers of which the first decides: what is
/// less here comes first, what is equal is decided by [`compare_ends`].
type Brief = [u32; WORDS];

/// Two IPv6 addresses and what goes with them take so many.
const WORDS: usize = 10;

fn brief(ends: &Ends) -> Brief {
    let Ends { protocol, state, local, peer } = ends;
    let stage = stage(*protocol, *state, peer.as_ref());
    let protocol = Protocol::ALL.iter().position(|each| each == protocol);
    let mut brief = BitString::default();
    brief.push(stage, 5);
    brief.push(protocol.unwrap_or(Protocol::ALL.len()), 4);
    if brief.push_end(local.as_ref()) {
        brief.push_end(peer.as_ref());
    }
    brief.words
}

/// Numbers one after the other, the first in the highest bits.
#[derive(Debug, Default)]
struct BitString {
    words: Brief,
    length: u32,
}

impl BitString {
    /// Appends a number of up to 32 bits.
    fn push(&mut self, number: impl TryInto<u32>, width: u32) {
        let number = number.try_into().unwrap_or_default();
        let (place, used) = (self.length / u32::BITS, self.length % u32::BITS);
        let mut words = self.words.iter_mut().skip(usize::try_from(place).unwrap_or(WORDS));
        // In the highest bits of what is left of this word and in the next one.
        let bits = u64::from(number) << (u64::BITS - used - width);
        for half in [bits >> u32::BITS, bits & u64::from(u32::MAX)] {
            if let Some(word) = words.next() {
                *word |= u32::try_from(half).unwrap_or_default();
            }
        }
        self.length += width;
    }

    /// Appends an end's port and address, and returns whether that tells it from all others.
    fn push_end(&mut self, endpoint: Option<&Endpoint>) -> bool {
        let Some(Endpoint::Inet { address, port, .. }) = endpoint else { return false };
        self.push(1_u32 << 16 | u32::from(*port), 17);
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                self.push(1_u8, 2);
                self.push(v4.to_bits(), 32);
            }
            IpAddr::V6(v6) => {
                self.push(2_u8, 2);
                for four in v6.octets().as_chunks().0 {
                    self.push(u32::from_be_bytes(*four), 32);
                }
            }
        }
        true
    }
}

/// Compares the places of two rows in the usual order, as far as their ends tell.
fn compare_ends(one: &Ends, other: &Ends) -> Ordering {
    let stage = |ends: &Ends| stage(ends.protocol, ends.state, ends.peer.as_ref());
    stage(one)
        .cmp(&stage(other))
        .then(one.protocol.cmp(&other.protocol))
        .then_with(|| compare_end(one.local.as_ref(), other.local.as_ref()))
        .then_with(|| compare_end(one.peer.as_ref(), other.peer.as_ref()))
}

/// Compares what two rows have beside their ends.
fn compare_rest(one: &Entry, other: &Entry) -> Ordering {
    let owner =
        |entry: &Entry| entry.ownership.owners().first().map(|owner| (owner.process.pid, owner.fd));
    let (a, b) = (&one.socket, &other.socket);
    a.family.cmp(&b.family).then_with(|| owner(one).cmp(&owner(other))).then(a.id.cmp(&b.id))
}

/// Returns the stage of a socket's life. UDP has no states: unconnected it is open to all as a
/// listener is, connected it is as good as established.
fn stage(protocol: Protocol, state: Option<TcpState>, peer: Option<&Endpoint>) -> usize {
    let state = match state {
        Some(state) => state,
        None if is_listening(protocol, state, peer) => TcpState::Listen,
        None => TcpState::Established,
    };
    state.rank()
}

/// Compares by port, address and name. What has none comes first: paths are unordered by address.
fn compare_end(one: Option<&Endpoint>, other: Option<&Endpoint>) -> Ordering {
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

    use crate::join::join_packed;
    use crate::kernel::KernelReason;
    use crate::process::Ownership;
    use crate::render::column::COLUMNS;
    use crate::render::fixture;
    use crate::socket::{Family, Inode, Socket, SocketId};

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
    fn rows_made_when_they_are_asked_for_are_sorted_as_a_list_of_them_is() {
        let mut packed = join_packed(fixture::collected().packed());
        packed.entries.retain(|entry| entry.socket.protocol != Protocol::Udp);
        sort_packed(&mut packed.entries);
        let mut entries = fixture::snapshot().entries;
        entries.retain(|entry| entry.socket.protocol != Protocol::Udp);
        sort(&mut entries, &[]);
        assert!(entries.len() > 9);
        assert_eq!(packed.unpacked().entries, entries);
    }

    /// The name of the other end is found by the join: with it the socket is connected.
    #[test]
    fn a_packed_row_is_sorted_as_it_was_joined() {
        let socket = |id: u64, name: Option<&str>, peer| {
            let mut socket = Socket::new(SocketId(id), Protocol::Unix, Family::Unix);
            socket.inode = Some(Inode(id));
            socket.local = name.map(|name| Endpoint::Path(name.into()));
            socket.rare.make_mut().peer_inode = Some(Inode(peer));
            socket
        };
        let mut collected = fixture::collected();
        collected.sockets = vec![
            socket(0, Some("/a"), 1),
            socket(1, Some("/b"), 9),
            socket(2, Some("/c"), 0),
            socket(3, None, 1),
        ];
        let mut packed = join_packed(collected.clone().packed());
        sort_packed(&mut packed.entries);
        let mut list = crate::join::join(collected);
        sort(&mut list.entries, &[]);
        let ids: Vec<u64> = list.entries.iter().map(|entry| entry.socket.id.0).collect();
        assert_eq!(ids, [1, 3, 0, 2], "the one without a name to talk to comes first");
        assert_eq!(packed.unpacked(), list);
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
            let (one, other) = (Ends::from(&one.socket), Ends::from(&other.socket));
            let by_brief = brief(&one).cmp(&brief(&other));
            prop_assert!(by_brief.is_eq() || by_brief == compare_ends(&one, &other));
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
