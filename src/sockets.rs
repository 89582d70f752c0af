//! Very many sockets in little room: what many have in common once, and of each the few bytes that are
//! its own.
//!
//! A machine may have 100,000 sockets, nearly all of them alike: TCP over IPv4, established, of the same
//! user. As [`Socket`]s they take 17 MB, written like this 2 MB.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::cgroup::Cgroup;
use crate::process::Uid;
use crate::rare::Rare;
use crate::socket::{
    CgroupId, Cookie, Endpoint, Family, Inode, NetnsId, Protocol, Queues, Socket, SocketId,
    SocketType, Timer, TimerKind,
};
use crate::state::TcpState;

/// Where a socket is among the others.
pub type Place = u32;

/// A table of sockets, each of which is made when it is asked for.
///
/// It holds up to 4 GiB of them: a kernel with so many would have no room for anything else.
#[derive(Clone, Default)]
pub struct Sockets {
    /// What each socket has of its own, at the place that `starts` tells: the number of its shape, and
    /// the bytes of its numbers in the order of [`Numbers`]. Of shape 0 is what is kept whole: its place
    /// in `whole` follows.
    bytes: Vec<u8>,
    starts: Vec<u32>,
    shapes: Vec<Shape>,
    by_shape: HashMap<Shape, u32>,
    /// The number of the shape that was written last.
    last: u32,
    whole: Vec<Socket>,
}

/// What many sockets have in common, and how many bytes those of their numbers take that differ.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shape {
    protocol: Protocol,
    family: Family,
    socket_type: Option<SocketType>,
    state: Option<TcpState>,
    local: Address,
    peer: Address,
    queues: Option<QueuesKind>,
    has_inode: bool,
    has_cookie: bool,
    netns: Option<NetnsId>,
    cgroup_id: Option<CgroupId>,
    cgroup: Option<Arc<Cgroup>>,
    uid: Option<Uid>,
    v6only: Option<bool>,
    timer: Option<TimerKind>,
    /// Whether the socket's number is told: it is not that of its place.
    has_id: bool,
    lengths: Lengths,
}

/// How an end is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Address {
    None,
    V4,
    /// An IPv6 address that stands for one of IPv4.
    Mapped,
    V6,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum QueuesKind {
    Bytes,
    Backlog { has_limit: bool },
}

/// The numbers that may differ from socket to socket; 0 for those that it has not.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    inode: u64,
    cookie: u64,
    id: u64,
    /// Of [`Queues`]: `recv` or `pending`, and `send` or `limit`.
    queues: [u32; 2],
    timer_ms: u32,
    retransmits: u8,
}

/// How many bytes each of [`Numbers`] takes, in their order: as many as the number has.
type Lengths = [u8; 7];

impl Numbers {
    fn all(&self) -> [u64; 7] {
        let Self { inode, cookie, id, queues: [first, second], timer_ms, retransmits } = *self;
        [inode, cookie, id, first.into(), second.into(), timer_ms.into(), retransmits.into()]
    }

    fn lengths(&self) -> Lengths {
        let length = |number: u64| (u64::BITS - number.leading_zeros()).div_ceil(8);
        let mut lengths = self.all().map(length).map(|length| u8::try_from(length).unwrap_or(8));
        // Let one shape do for those of nearly all sockets.
        for usual in lengths.iter_mut().take(2).filter(|length| **length > 0) {
            *usual = (*usual).max(3);
        }
        lengths
    }

    fn write(&self, lengths: Lengths, bytes: &mut Vec<u8>) {
        for (number, length) in self.all().iter().zip(lengths) {
            bytes.extend(number.to_le_bytes().iter().take(length.into()));
        }
    }
}

/// The bytes that are still to be read; 0 stands for those that are not there.
struct Unread<'a>(&'a [u8]);

impl Unread<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk() {
            Some((array, rest)) => {
                self.0 = rest;
                *array
            }
            None => [0; N],
        }
    }

    #[inline]
    fn number(&mut self, length: u8) -> u64 {
        match length {
            0 => 0,
            3 => {
                let [low, middle, high] = self.array();
                u32::from_le_bytes([low, middle, high, 0]).into()
            }
            4 => u32::from_le_bytes(self.array()).into(),
            length => {
                let length = usize::from(length);
                let (bytes, rest) = self.0.split_at_checked(length).unwrap_or_default();
                self.0 = rest;
                bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
            }
        }
    }

    fn small(&mut self, length: u8) -> u32 {
        u32::try_from(self.number(length)).unwrap_or(u32::MAX)
    }

    /// Reads a number that was written by [`push_varint`].
    #[inline]
    fn varint(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        while let Some((&byte, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 28 {
                break;
            }
        }
        number
    }

    fn end(&mut self, address: Address) -> Option<Endpoint> {
        let mut port = || u16::from_le_bytes(self.array());
        let (port, address) = match address {
            Address::None => return None,
            Address::V4 => (port(), IpAddr::V4(self.array::<4>().into())),
            Address::Mapped => (port(), Ipv4Addr::from(self.array::<4>()).to_ipv6_mapped().into()),
            Address::V6 => (port(), Ipv6Addr::from(self.array::<16>()).into()),
        };
        Some(Endpoint::inet(address, port))
    }
}

/// Writes a number seven bits a byte, the lowest first; the highest bit says that more follow.
fn push_varint(mut number: u32, bytes: &mut Vec<u8>) {
    while let (low, 1..) = (number & 0x7f, number >> 7) {
        bytes.push(u8::try_from(low | 0x80).unwrap_or_default());
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
}

/// Returns how an end is written; `None` for one that must be kept whole.
const fn address(end: Option<&Endpoint>) -> Option<Address> {
    match end {
        None => Some(Address::None),
        Some(Endpoint::Inet { address, scope: None, .. }) => Some(match address {
            IpAddr::V4(_) => Address::V4,
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Address::Mapped,
            IpAddr::V6(_) => Address::V6,
        }),
        Some(_) => None,
    }
}

fn push_end(end: Option<&Endpoint>, bytes: &mut Vec<u8>) {
    let Some(Endpoint::Inet { address, port, .. }) = end else { return };
    bytes.extend(port.to_le_bytes());
    match address.to_canonical() {
        IpAddr::V4(v4) => bytes.extend(v4.octets()),
        IpAddr::V6(v6) => bytes.extend(v6.octets()),
    }
}

impl Shape {
    /// Returns what a socket has in common with others, and what it has of its own beside its ends;
    /// `None` for one that has more than that.
    fn of(socket: &Socket, place: Place) -> Option<(Self, Numbers)> {
        if socket.rare != Rare::default() || socket.details.is_some() {
            return None;
        }
        let mut numbers = Numbers {
            inode: socket.inode.map_or(0, |Inode(number)| number),
            cookie: socket.cookie.map_or(0, |Cookie(number)| number),
            ..Numbers::default()
        };
        let has_id = socket.id != SocketId(place.into());
        if has_id {
            numbers.id = socket.id.0;
        }
        let queues = socket.queues.map(|queues| match queues {
            Queues::Bytes { recv, send } => {
                numbers.queues = [recv, send];
                QueuesKind::Bytes
            }
            Queues::Backlog { pending, limit } => {
                numbers.queues = [pending, limit.unwrap_or(0)];
                QueuesKind::Backlog { has_limit: limit.is_some() }
            }
        });
        if let Some(Timer { expires_ms, retransmits, .. }) = socket.timer {
            (numbers.timer_ms, numbers.retransmits) = (expires_ms, retransmits);
        }
        let shape = Self {
            protocol: socket.protocol,
            family: socket.family,
            socket_type: socket.socket_type,
            state: socket.state,
            local: address(socket.local.as_ref())?,
            peer: address(socket.peer.as_ref())?,
            queues,
            has_inode: socket.inode.is_some(),
            has_cookie: socket.cookie.is_some(),
            netns: socket.netns,
            cgroup_id: socket.cgroup_id,
            cgroup: socket.cgroup.clone(),
            uid: socket.uid,
            v6only: socket.v6only,
            timer: socket.timer.map(|timer| timer.kind),
            has_id,
            lengths: numbers.lengths(),
        };
        Some((shape, numbers))
    }

    /// Returns the socket that has this of its own.
    fn socket(&self, place: Place, mut own: Unread<'_>) -> Socket {
        let (local, peer) = (own.end(self.local), own.end(self.peer));
        let [inode, cookie, id, first, second, timer_ms, retransmits] = self.lengths;
        let inode = Inode(own.number(inode));
        let cookie = Cookie(own.number(cookie));
        let id = own.number(id);
        let (first, second) = (own.small(first), own.small(second));
        let (expires_ms, retransmits) = (own.small(timer_ms), own.small(retransmits));
        let retransmits = u8::try_from(retransmits).unwrap_or(u8::MAX);
        Socket {
            id: SocketId(if self.has_id { id } else { place.into() }),
            protocol: self.protocol,
            family: self.family,
            socket_type: self.socket_type,
            state: self.state,
            local,
            peer,
            rare: Rare::default(),
            queues: self.queues.map(|kind| match kind {
                QueuesKind::Bytes => Queues::Bytes { recv: first, send: second },
                QueuesKind::Backlog { has_limit } => {
                    Queues::Backlog { pending: first, limit: has_limit.then_some(second) }
                }
            }),
            inode: self.has_inode.then_some(inode),
            cookie: self.has_cookie.then_some(cookie),
            netns: self.netns,
            cgroup_id: self.cgroup_id,
            cgroup: self.cgroup.clone(),
            uid: self.uid,
            v6only: self.v6only,
            timer: self.timer.map(|kind| Timer { kind, expires_ms, retransmits }),
            details: None,
        }
    }
}

impl Sockets {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Appends a socket as it is.
    pub fn push(&mut self, socket: Socket) {
        let start = self.write(socket, place(self.len()));
        self.starts.push(start);
    }

    /// Appends a socket, numbered by its place.
    pub fn add(&mut self, mut socket: Socket) {
        socket.id = SocketId(place(self.len()).into());
        self.push(socket);
    }

    /// Returns the socket at this place.
    pub fn get(&self, place: Place) -> Option<Socket> {
        let start = *self.starts.get(index(place))?;
        let mut own = Unread(self.bytes.get(index(start)..)?);
        match own.varint().checked_sub(1) {
            None => self.whole.get(own.varint()).cloned(),
            Some(shape) => Some(self.shapes.get(shape)?.socket(place, own)),
        }
    }

    /// Returns what rows are sorted by of the socket at this place.
    pub(crate) fn ends(&self, place: Place) -> Option<Ends> {
        let start = *self.starts.get(index(place))?;
        let mut own = Unread(self.bytes.get(index(start)..)?);
        match own.varint().checked_sub(1) {
            None => self.whole.get(own.varint()).map(Ends::from),
            Some(shape) => {
                let &Shape { protocol, state, local, peer, .. } = self.shapes.get(shape)?;
                let (local, peer) = (own.end(local), own.end(peer));
                Some(Ends { protocol, state, local, peer })
            }
        }
    }

    /// Puts another socket at this place.
    pub fn set(&mut self, place: Place, socket: Socket) {
        let at = self.write(socket, place);
        if let Some(start) = self.starts.get_mut(index(place)) {
            *start = at;
        }
    }

    /// Calls `change` for every socket.
    pub fn change_all(&mut self, mut change: impl FnMut(&mut Socket)) {
        for at in 0..place(self.len()) {
            if let Some(socket) = self.whole_mut(at) {
                change(socket);
            } else if let Some(socket) = self.get(at) {
                let mut changed = socket.clone();
                change(&mut changed);
                if changed != socket {
                    self.set(at, changed);
                }
            }
        }
    }

    /// Returns the socket at this place, if it is kept whole.
    fn whole_mut(&mut self, place: Place) -> Option<&mut Socket> {
        let start = *self.starts.get(index(place))?;
        let mut own = Unread(self.bytes.get(index(start)..)?);
        if own.varint() > 0 {
            return None;
        }
        self.whole.get_mut(own.varint())
    }

    /// Keeps only those that `keep` tells to, numbered by their places.
    pub fn retain(&mut self, mut keep: impl FnMut(&Socket) -> bool) {
        let all = std::mem::take(self);
        all.iter().filter(|socket| keep(socket)).for_each(|socket| self.add(socket));
    }

    /// Forgets all but the first ones.
    pub fn truncate(&mut self, count: usize) {
        if count < self.len() {
            *self = self.iter().take(count).collect();
        }
    }

    /// Returns the sockets one by one.
    pub fn iter(&self) -> impl Iterator<Item = Socket> {
        (0..).map_while(|place| self.get(place))
    }

    /// Returns what there is in kinds of sockets: one for all that have the same in common, its numbers
    /// (addresses, ports, inodes, queues, …) being 0.
    pub fn kinds(&self) -> impl Iterator<Item = Socket> {
        let shapes = self.shapes.iter().map(|shape| shape.socket(0, Unread(&[])));
        shapes.chain(self.whole.iter().cloned())
    }

    /// Returns the places of those for which `is_it` holds. It is asked by what they have in common with
    /// others, their numbers (addresses, ports, inodes, queues, …) all being 0, so that most need not be
    /// made.
    pub fn places(&self, is_it: impl Fn(&Socket) -> bool) -> Vec<Place> {
        let nothing = || Unread(&[]);
        let shapes: Vec<bool> =
            self.shapes.iter().map(|shape| is_it(&shape.socket(0, nothing()))).collect();
        if self.whole.is_empty() && !shapes.contains(&true) {
            return Vec::new();
        }
        let is_it = |start: u32| {
            let mut own = Unread(self.bytes.get(index(start)..)?);
            match own.varint().checked_sub(1) {
                None => self.whole.get(own.varint()).map(&is_it),
                Some(shape) => shapes.get(shape).copied(),
            }
        };
        let is_it = |&start: &u32| is_it(start).unwrap_or_default();
        (0..).zip(&self.starts).filter(|(_, start)| is_it(start)).map(|(place, _)| place).collect()
    }

    /// Writes what a socket has of its own, and returns where.
    fn write(&mut self, socket: Socket, at: Place) -> u32 {
        let start = place(self.bytes.len());
        if let Some((shape, numbers)) = Shape::of(&socket, at) {
            let lengths = shape.lengths;
            let number = self.shape(shape);
            push_varint(number + 1, &mut self.bytes);
            push_end(socket.local.as_ref(), &mut self.bytes);
            push_end(socket.peer.as_ref(), &mut self.bytes);
            numbers.write(lengths, &mut self.bytes);
        } else {
            push_varint(0, &mut self.bytes);
            push_varint(place(self.whole.len()), &mut self.bytes);
            self.whole.push(socket);
        }
        start
    }

    /// Returns the number of a shape.
    fn shape(&mut self, shape: Shape) -> u32 {
        let Self { shapes, by_shape, last, .. } = self;
        // Those that are alike often come one after the other.
        if shapes.get(index(*last)) == Some(&shape) {
            return *last;
        }
        *last = *by_shape.entry(shape).or_insert_with_key(|shape| {
            shapes.push(shape.clone());
            place(shapes.len() - 1)
        });
        *last
    }
}

/// What a socket does, and where.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    pub(crate) protocol: Protocol,
    pub(crate) state: Option<TcpState>,
    pub(crate) local: Option<Endpoint>,
    pub(crate) peer: Option<Endpoint>,
}

impl From<&Socket> for Ends {
    fn from(socket: &Socket) -> Self {
        let Socket { protocol, state, local, peer, .. } = socket;
        Self { protocol: *protocol, state: *state, local: local.clone(), peer: peer.clone() }
    }
}

/// Returns the place of this number; the last one where there is none so high.
fn place(number: usize) -> Place {
    Place::try_from(number).unwrap_or(Place::MAX)
}

/// Hands out the last first, and gives back the memory of what is done with: there may be very many.
pub(crate) fn from_the_end<T>(mut all: Vec<T>) -> impl Iterator<Item = T> {
    const GIVEN_BACK: usize = 4096;
    std::iter::from_fn(move || {
        if all.len().is_multiple_of(GIVEN_BACK) {
            all.shrink_to_fit();
        }
        all.pop()
    })
}

/// Returns a place as an index.
pub(crate) fn index(place: Place) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

impl FromIterator<Socket> for Sockets {
    fn from_iter<I: IntoIterator<Item = Socket>>(sockets: I) -> Self {
        let mut all = Self::default();
        sockets.into_iter().for_each(|socket| all.push(socket));
        all
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Sockets {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Sockets {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::details::Details;
    use crate::platform::replay::samples;
    use crate::socket::RareFacts;

    fn end() -> impl Strategy<Value = Option<Endpoint>> {
        let address = prop_oneof![
            any::<Ipv4Addr>().prop_map(IpAddr::V4),
            any::<Ipv4Addr>().prop_map(|v4| v4.to_ipv6_mapped().into()),
            any::<Ipv6Addr>().prop_map(IpAddr::V6),
            Just(Ipv6Addr::UNSPECIFIED.into()),
        ];
        proptest::option::of(prop_oneof![
            6 => (address, any::<u16>()).prop_map(|(address, port)| Endpoint::inet(address, port)),
            1 => Just(Endpoint::Path("/run/x".into())),
            1 => Just(Endpoint::Netlink { protocol: 0, port: 7 }),
        ])
    }

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), 0..300_u64, 0..1_u64 << 34, any::<u64>()]
    }

    fn queues() -> impl Strategy<Value = Option<Queues>> {
        proptest::option::of(prop_oneof![
            any::<(u32, u32)>().prop_map(|(recv, send)| Queues::Bytes { recv, send }),
            any::<(u32, Option<u32>)>()
                .prop_map(|(pending, limit)| Queues::Backlog { pending, limit }),
        ])
    }

    fn timer() -> impl Strategy<Value = Option<Timer>> {
        let timer = |(number, expires_ms, retransmits)| {
            TimerKind::from_linux(number).map(|kind| Timer { kind, expires_ms, retransmits })
        };
        (0..7_u8, any::<u32>(), any::<u8>()).prop_map(timer)
    }

    fn socket() -> impl Strategy<Value = Socket> {
        let some = |numbers: BoxedStrategy<u64>| proptest::option::of(numbers);
        let facts = (any::<(bool, bool, Option<bool>)>(), queues(), timer(), 0..9_u8);
        let numbers = (number(), some(number().boxed()), some(number().boxed()), 0..3_u64);
        (facts, numbers, end(), end()).prop_map(
            |((kinds, queues, timer, rare), (id, inode, cookie, few), local, peer)| {
                let (is_tcp, is_v4, v6only) = kinds;
                let protocol = if is_tcp { Protocol::Tcp } else { Protocol::Udp };
                let family = if is_v4 { Family::Inet } else { Family::Inet6 };
                let mut socket = Socket::new(SocketId(id), protocol, family);
                socket.state = is_tcp.then_some(TcpState::Established);
                (socket.local, socket.peer, socket.queues) = (local, peer, queues);
                (socket.timer, socket.v6only) = (timer, v6only);
                (socket.inode, socket.cookie) = (inode.map(Inode), cookie.map(Cookie));
                socket.uid = u32::try_from(few).ok().map(Uid);
                (socket.netns, socket.cgroup_id) = (Some(NetnsId(few)), Some(CgroupId(few)));
                socket.cgroup =
                    (few == 1).then(|| Arc::new(Cgroup::new(crate::text::Text::from("/x"))));
                if rare == 0 {
                    socket.rare = RareFacts { created: Some(few), ..RareFacts::default() }.into();
                }
                if rare == 1 {
                    socket.details = Some(Box::new(Details::default()));
                }
                socket
            },
        )
    }

    proptest! {
        #[test]
        fn every_socket_comes_back_as_it_was(all in proptest::collection::vec(socket(), 0..20)) {
            let sockets: Sockets = all.iter().cloned().collect();
            for (place, socket) in (0..).zip(&all) {
                let (ends, expected) = (sockets.ends(place).unwrap(), Ends::from(socket));
                prop_assert_eq!(format!("{ends:?}"), format!("{expected:?}"));
            }
            prop_assert_eq!(sockets.len(), all.len());
            prop_assert_eq!(sockets.iter().collect::<Vec<_>>(), all);
        }

        #[test]
        fn places_are_those_of_the_sockets_that_are_alike(
            all in proptest::collection::vec(socket(), 0..20),
        ) {
            let is_it = |socket: &Socket| {
                socket.protocol == Protocol::Tcp && socket.inode.is_some() && socket.local.is_some()
            };
            let sockets: Sockets = all.iter().cloned().collect();
            let expected = (0..).zip(&all).filter(|(_, socket)| is_it(socket));
            prop_assert_eq!(sockets.places(is_it), expected.map(|(place, _)| place).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, starts: Vec<u32>) {
            let mut sockets: Sockets = samples::sockets(3).into_iter().collect();
            (sockets.bytes, sockets.starts) = (bytes, starts);
            prop_assert!(sockets.iter().count() <= sockets.len());
        }
    }

    fn numbered(ids: impl IntoIterator<Item = u64>) -> Sockets {
        let socket = |id| {
            let mut socket = Socket::new(SocketId(id), Protocol::Tcp, Family::Inet);
            socket.inode = Some(Inode(id + 100));
            socket
        };
        ids.into_iter().map(socket).collect()
    }

    fn inodes(sockets: &Sockets) -> Vec<(u64, u64)> {
        let numbers = |socket: Socket| (socket.id.0, socket.inode.map_or(0, |inode| inode.0));
        sockets.iter().map(numbers).collect()
    }

    #[test]
    fn what_is_kept_or_added_is_numbered_by_its_place() {
        let mut sockets = numbered([0, 7, 2, 3]);
        sockets.retain(|socket| socket.id.0 != 7);
        assert_eq!(inodes(&sockets), [(0, 100), (1, 102), (2, 103)]);
        sockets.add(numbered([9]).get(0).unwrap());
        assert_eq!(inodes(&sockets), [(0, 100), (1, 102), (2, 103), (3, 109)]);
    }

    #[test]
    fn one_is_changed_and_the_others_stay() {
        let mut sockets = numbered(0..3);
        sockets.set(1, Socket { id: SocketId(1), ..numbered([8]).get(0).unwrap() });
        assert_eq!(inodes(&sockets), [(0, 100), (1, 108), (2, 102)]);
        sockets.truncate(2);
        assert_eq!(inodes(&sockets), [(0, 100), (1, 108)]);
        sockets.change_all(|socket| socket.inode = Some(Inode(socket.id.0)));
        assert_eq!(inodes(&sockets), [(0, 0), (1, 1)]);
    }

    /// A machine may have 100,000 of them, and every page takes the kernel time to hand out.
    #[test]
    fn a_thousand_connections_of_a_server_take_23_bytes_each() {
        let connection = |number: u16| {
            let mut socket = Socket::new(SocketId(number.into()), Protocol::Tcp, Family::Inet);
            socket.state = Some(TcpState::Established);
            socket.local = Some(Endpoint::inet(Ipv4Addr::LOCALHOST.into(), 80));
            socket.peer = Some(Endpoint::inet(Ipv4Addr::LOCALHOST.into(), number));
            socket.inode = Some(Inode(u64::from(number) + 3_000_000));
            socket.cookie = Some(Cookie(number.into()));
            socket.queues = Some(Queues::Bytes { recv: 0, send: 0 });
            socket.uid = Some(Uid(33));
            socket
        };
        let sockets: Sockets = (0..1000).map(connection).collect();
        assert_eq!(sockets.shapes.len(), 2, "one for cookie 0");
        let taken = sockets.bytes.len() + 4 * sockets.starts.len();
        assert!(taken <= 23 * 1000, "{taken}");
    }
}
