//! The two ends of a conversation, where both are among the sockets of one snapshot.
//!
//! Pure. Both ends are usually in one network namespace; between two of them an end is only taken
//! where no third has the same addresses, which loopback's always may.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::snapshot::Entry;
use crate::socket::{Endpoint, Inode, NetnsId, Protocol, Socket};

/// Finds the other end of sockets.
#[derive(Debug)]
pub struct Pairs<'a> {
    by_ends: HashMap<(Option<NetnsId>, Ends), &'a Entry>,
    /// Whatever namespace it is in; `None` where several have such ends.
    anywhere: HashMap<Ends, Option<&'a Entry>>,
    by_inode: HashMap<Inode, &'a Entry>,
}

/// What the two ends of a connection have in common, the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    protocol: Protocol,
    local: (IpAddr, u16),
    peer: (IpAddr, u16),
}

impl Ends {
    fn of(socket: &Socket) -> Option<Self> {
        let end = |end: &Option<Endpoint>| {
            let end = end.as_ref()?;
            Some((end.canonical_address()?, end.port()?))
        };
        let (local, peer) = (end(&socket.local)?, end(&socket.peer)?);
        Some(Self { protocol: socket.protocol, local, peer })
    }

    const fn reversed(self) -> Self {
        Self { protocol: self.protocol, local: self.peer, peer: self.local }
    }

    fn is_loopback(&self) -> bool {
        self.local.0.is_loopback() || self.peer.0.is_loopback()
    }
}

impl<'a> Pairs<'a> {
    /// Prepares to find ends among these.
    pub fn new(entries: &'a [Entry]) -> Self {
        let (mut by_ends, mut anywhere) = (HashMap::new(), HashMap::new());
        let mut by_inode = HashMap::new();
        for entry in entries {
            let socket = &entry.socket;
            if socket.protocol == Protocol::Unix {
                by_inode.extend(socket.inode.map(|inode| (inode, entry)));
            } else if let Some(ends) = Ends::of(socket) {
                by_ends.insert((socket.netns, ends), entry);
                anywhere.entry(ends).and_modify(|known| *known = None).or_insert(Some(entry));
            }
        }
        Self { by_ends, anywhere, by_inode }
    }

    /// Returns the socket at the other end; a socket that is connected to its own address is its own.
    pub fn other_end(&self, socket: &Socket) -> Option<&'a Entry> {
        if socket.protocol == Protocol::Unix {
            return self.by_inode.get(&socket.rare.peer_inode?).copied();
        }
        let wanted = Ends::of(socket)?.reversed();
        let near = self.by_ends.get(&(socket.netns, wanted)).copied();
        near.or_else(|| *self.anywhere.get(&wanted).filter(|_| !wanted.is_loopback())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{HiddenReason, Ownership};
    use crate::socket::{Family, SocketId};

    /// The second's place among sockets, each `NETNS LOCAL PEER`, where it is the first's other end.
    fn other_end_of_first(sockets: &[&str]) -> Option<u64> {
        let entries: Vec<Entry> = (0..)
            .zip(sockets)
            .map(|(id, line)| {
                let words: Vec<&str> = line.split(' ').collect();
                let end = |text: &str| Some(text.parse::<std::net::SocketAddr>().unwrap().into());
                let mut socket = Socket::new(SocketId(id), Protocol::Tcp, Family::Inet);
                socket.netns = Some(NetnsId(words[0].parse().unwrap()));
                (socket.local, socket.peer) = (end(words[1]), end(words[2]));
                let ownership = Ownership::Hidden(HiddenReason::NotAsked);
                Entry {
                    socket,
                    ownership,
                    user: None,
                    netns_name: None,
                    peer_owners: crate::rare::Rare::default(),
                }
            })
            .collect();
        Some(Pairs::new(&entries).other_end(&entries[0].socket)?.socket.id.0)
    }

    #[test]
    fn the_other_end_has_the_same_ends_the_other_way_round() {
        let first = "1 127.0.0.1:80 127.0.0.1:5000";
        let other = "1 127.0.0.1:5000 127.0.0.1:80";
        assert_eq!(other_end_of_first(&[first, "1 127.0.0.1:5000 127.0.0.1:81", other]), Some(2));
        assert_eq!(other_end_of_first(&[first, "1 [::ffff:127.0.0.1]:5000 127.0.0.1:80"]), Some(1));
        assert_eq!(other_end_of_first(&["1 127.0.0.1:9 127.0.0.1:9"]), Some(0), "its own");
        assert_eq!(other_end_of_first(&[first]), None);
    }

    #[test]
    fn an_end_in_another_namespace_is_taken_only_where_it_must_be_the_one() {
        let first = "1 10.0.0.1:80 10.0.0.2:5000";
        let [two, three] = ["2 10.0.0.2:5000 10.0.0.1:80", "3 10.0.0.2:5000 10.0.0.1:80"];
        assert_eq!(other_end_of_first(&[first, two]), Some(1));
        assert_eq!(other_end_of_first(&[first, two, three]), None, "it may be either");
        let near = "1 10.0.0.2:5000 10.0.0.1:80";
        assert_eq!(other_end_of_first(&[first, two, near]), Some(2));
        let loopback = ["1 127.0.0.1:80 127.0.0.1:5000", "2 127.0.0.1:5000 127.0.0.1:80"];
        assert_eq!(other_end_of_first(&loopback), None);
    }
}
