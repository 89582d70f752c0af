//! Very many holders in little room: nearly every one is a process with a descriptor in its own table.

use crate::process::{Fd, Holder, Pid, Via};
use crate::socket::SocketId;
use crate::sockets::{Place, from_the_end};

/// A table of holders.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    /// Those that are a process with a descriptor, of a socket with a number that is not too high.
    plain: Vec<Plain>,
    others: Vec<Holder>,
}

/// A holder found by [`Via::Fd`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Plain {
    socket: u32,
    pid: Pid,
    fd: Fd,
}

impl From<Plain> for Holder {
    fn from(Plain { socket, pid, fd }: Plain) -> Self {
        Self { pid, tid: None, fd: Some(fd), socket: SocketId(socket.into()), via: Via::Fd }
    }
}

impl Holders {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.plain.len() + self.others.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.others.is_empty()
    }

    /// Returns an empty table with room for so many. A table that grows leaves behind, in the memory of its
    /// thread, the rooms that were too small for it.
    pub fn with_capacity(count: usize) -> Self {
        Self { plain: Vec::with_capacity(count), others: Vec::new() }
    }

    /// Appends a holder.
    pub fn push(&mut self, holder: Holder) {
        let Holder { pid, tid, fd, socket: SocketId(socket), via } = holder;
        match (u32::try_from(socket), tid, fd, via) {
            (Ok(socket), None, Some(fd), Via::Fd) => self.plain.push(Plain { socket, pid, fd }),
            _ => self.others.push(holder),
        }
    }

    /// Appends all of another table.
    pub fn append(&mut self, mut other: Self) {
        if self.is_empty() {
            *self = other;
        } else {
            self.plain.append(&mut other.plain);
            self.others.append(&mut other.others);
        }
    }

    /// Returns the holders one by one, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Holder> {
        self.plain.iter().map(|&plain| plain.into()).chain(self.others.iter().copied())
    }

    /// Hands the holders out, in no order, and gives back the memory of what is done with.
    pub fn drain(self) -> impl Iterator<Item = Holder> {
        from_the_end(self.plain).map(Holder::from).chain(self.others)
    }

    /// Keeps only those that `keep` tells to.
    pub fn retain(&mut self, mut keep: impl FnMut(&Holder) -> bool) {
        self.plain.retain(|&plain| keep(&plain.into()));
        self.others.retain(keep);
    }

    /// Puts them in the order in which [`Holders::of`] finds them.
    pub fn sort(&mut self) {
        self.plain.sort_unstable();
        self.others.sort_unstable_by_key(|holder| holder.socket);
    }

    /// Returns those of one socket. They must have been sorted.
    pub fn of(&self, socket: SocketId) -> impl Iterator<Item = Holder> {
        let plain = u32::try_from(socket.0).map_or(&[][..], |socket| {
            let start = self.plain.partition_point(|plain| plain.socket < socket);
            self.plain.get(start..).unwrap_or_default()
        });
        let start = self.others.partition_point(|holder| holder.socket < socket);
        let others = self.others.get(start..).unwrap_or_default();
        let is_its = move |holder: &Holder| holder.socket == socket;
        plain
            .iter()
            .map(|&plain| Holder::from(plain))
            .take_while(is_its)
            .chain(others.iter().copied().take_while(is_its))
    }

    /// Numbers the sockets by their places, and sorts. A holder of a number that stands for several is of
    /// each, and that of one which stands for none is left out.
    pub fn rename(&mut self, names: &Names) {
        self.sort();
        let mut more = Vec::new();
        let at = |holder: Holder, place: Place| Holder { socket: SocketId(place.into()), ..holder };
        let mut rest = names.near.as_slice();
        self.plain.retain_mut(|plain| {
            while let Some((&(number, _), after)) = rest.split_first()
                && number < plain.socket
            {
                rest = after;
            }
            let holder = Holder::from(*plain);
            let mut same = rest.iter().take_while(|(number, _)| *number == plain.socket);
            let Some(&(_, first)) = same.next() else { return false };
            more.extend(same.map(|&(_, place)| at(holder, place)));
            plain.socket = first;
            true
        });
        for holder in std::mem::take(&mut self.others) {
            more.extend(names.of(holder.socket).map(|place| at(holder, place)));
        }
        self.extend(more);
        self.sort();
    }
}

/// Which sockets a number stands for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Numbers that are not too high, and places; sorted.
    near: Vec<(u32, Place)>,
    /// The others, likewise.
    far: Vec<(SocketId, Place)>,
}

impl Names {
    /// Returns the places of the sockets.
    fn of(&self, socket: SocketId) -> impl Iterator<Item = Place> {
        let near = u32::try_from(socket.0).map_or(&[][..], |number| {
            let start = self.near.partition_point(|&(near, _)| near < number);
            self.near.get(start..).unwrap_or_default()
        });
        let start = self.far.partition_point(|&(far, _)| far < socket);
        let far = self.far.get(start..).unwrap_or_default();
        let near = near.iter().take_while(move |&&(near, _)| u64::from(near) == socket.0);
        let far = far.iter().take_while(move |&&(far, _)| far == socket);
        near.map(|&(_, place)| place).chain(far.map(|&(_, place)| place))
    }
}

impl FromIterator<(SocketId, Place)> for Names {
    fn from_iter<I: IntoIterator<Item = (SocketId, Place)>>(names: I) -> Self {
        let mut all = Self::default();
        for (socket, place) in names {
            match u32::try_from(socket.0) {
                Ok(number) => all.near.push((number, place)),
                Err(_) => all.far.push((socket, place)),
            }
        }
        all.near.sort_unstable();
        all.far.sort_unstable();
        all
    }
}

impl Extend<Holder> for Holders {
    fn extend<I: IntoIterator<Item = Holder>>(&mut self, holders: I) {
        holders.into_iter().for_each(|holder| self.push(holder));
    }
}

impl FromIterator<Holder> for Holders {
    fn from_iter<I: IntoIterator<Item = Holder>>(holders: I) -> Self {
        let mut all = Self::default();
        all.extend(holders);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::process::Tid;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0..8_u64, Just(u64::MAX - 1), Just(1 << 32)]
    }

    fn holder() -> impl Strategy<Value = Holder> {
        let via = proptest::sample::select(Via::ALL.to_vec());
        let fd = proptest::option::of(0..3_u32);
        (number(), 0..4_u32, fd, proptest::option::weighted(0.2, 0..3_u32), via).prop_map(
            |(socket, pid, fd, tid, via)| Holder {
                pid: Pid(pid),
                tid: tid.map(Tid),
                fd: fd.map(Fd),
                socket: SocketId(socket),
                via,
            },
        )
    }

    fn sorted(holders: impl IntoIterator<Item = Holder>) -> Vec<String> {
        let mut all: Vec<String> = holders.into_iter().map(|each| format!("{each:?}")).collect();
        all.sort();
        all
    }

    proptest! {
        #[test]
        fn every_holder_comes_back_and_is_found(
            all in proptest::collection::vec(holder(), 0..30),
        ) {
            let mut holders: Holders = all.iter().copied().collect();
            prop_assert_eq!(holders.len(), all.len());
            prop_assert_eq!(sorted(holders.iter()), sorted(all.iter().copied()));
            prop_assert_eq!(sorted(holders.clone().drain()), sorted(all.iter().copied()));
            holders.sort();
            for socket in (0..9).chain([1 << 32, u64::MAX - 1]).map(SocketId) {
                let expected = all.iter().copied().filter(|holder| holder.socket == socket);
                prop_assert_eq!(sorted(holders.of(socket)), sorted(expected));
            }
        }

        #[test]
        fn each_holder_is_of_every_socket_its_number_stands_for(
            all in proptest::collection::vec(holder(), 0..30),
            names in proptest::collection::vec((number(), 0..100_u32), 0..20),
        ) {
            let names: Vec<(SocketId, Place)> =
                names.into_iter().map(|(name, place)| (SocketId(name), place)).collect();
            let mut holders: Holders = all.iter().copied().collect();
            holders.rename(&names.iter().copied().collect());
            let expected = all.iter().flat_map(|&holder| {
                let new = names.iter().filter(move |(name, _)| *name == holder.socket);
                new.map(move |&(_, place)| Holder { socket: SocketId(place.into()), ..holder })
            });
            prop_assert_eq!(sorted(holders.iter()), sorted(expected));
            for socket in (0..100).map(SocketId) {
                let theirs = holders.iter().filter(|holder| holder.socket == socket);
                prop_assert_eq!(sorted(holders.of(socket)), sorted(theirs));
            }
        }
    }

    #[test]
    fn a_descriptor_takes_12_bytes() {
        assert_eq!(size_of::<Plain>(), 12);
    }
}
