//! All about one port: who listens on it, who is connected to it and from it, what is left over, and
//! what is forwarded.
//!
//! Pure: it sorts the rows of one [`Snapshot`] and concludes from nothing else. How it is shown is in
//! [`crate::render::port`].

pub mod forward;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::port::forward::Forward;
use crate::process::{Owner, Pid};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, Interface, NetnsId, Protocol, Socket, SocketId, TimerKind};
use crate::sort::sort;
use crate::state::TcpState;

/// The protocols that have ports, as far as a port is looked at here.
pub const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Udplite];

/// What is known of one port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortReport {
    /// The port.
    pub port: u16,
    /// Who waits for others: TCP listeners and unconnected UDP sockets.
    pub listeners: Vec<Listener>,
    /// TCP sockets that hold the port, neither listening nor connected.
    pub bound: Vec<Entry>,
    /// Connections whose end here has the port, by the peer's address; the busiest first.
    pub connections: Vec<PeerGroup>,
    /// Connections from here to that port elsewhere, by the peer's address.
    pub clients: Vec<PeerGroup>,
    /// What the kernel keeps after its owner closed it: TIME_WAIT and orphans, at either end.
    pub left_over: Vec<Entry>,
    /// What is forwarded from and to the port: inferred from command lines.
    pub forwards: Vec<Forwarded>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The socket and its owners.
    pub entry: Entry,
    /// How many more sockets listen at exactly this address: twins by `SO_REUSEPORT`, among which
    /// the kernel deals connections out. Several UDP sockets may also share by `SO_REUSEADDR`.
    pub twins: usize,
}

/// The connections with one peer address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerGroup {
    /// The peer's address, IPv4-mapped as IPv4.
    pub peer: IpAddr,
    /// The link of a link-local address: the same one on another link is another peer.
    pub scope: Option<Interface>,
    /// The connections, never none.
    pub connections: Vec<Connection>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// This end.
    pub entry: Entry,
    /// The other end, when it is on this machine.
    pub other: Option<Entry>,
}

/// A process that forwards from or to the port, by its own command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// The process.
    pub owner: Owner,
    /// What its command line says.
    pub forward: Forward,
}

impl PortReport {
    /// Returns whether anybody holds the port: what is left over and connections to the port
    /// elsewhere do not count.
    pub const fn is_held(&self) -> bool {
        !(self.listeners.is_empty() && self.bound.is_empty() && self.connections.is_empty())
    }

    /// Returns every entry of the report, once.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let connections = self.connections.iter().chain(&self.clients);
        let ends = connections
            .flat_map(|group| &group.connections)
            .flat_map(|connection| [Some(&connection.entry), connection.other.as_ref()])
            .flatten();
        let listeners = self.listeners.iter().map(|listener| &listener.entry);
        listeners.chain(&self.bound).chain(ends).chain(&self.left_over)
    }
}

/// Returns what a snapshot tells of a port. The snapshot may hold more than that port, and should for
/// all TCP listeners: their owners are who may forward.
pub fn report(snapshot: &Snapshot, port: u16) -> PortReport {
    let mut entries: Vec<Entry> = snapshot
        .entries
        .iter()
        .filter(|entry| PROTOCOLS.contains(&entry.socket.protocol) && has_port(&entry.socket, port))
        .cloned()
        .collect();
    sort(&mut entries, &[]);

    let by_ends: HashMap<Ends, SocketId> =
        entries.iter().filter_map(|entry| Some((ends(&entry.socket)?, entry.socket.id))).collect();
    let by_id: HashMap<SocketId, &Entry> =
        entries.iter().map(|entry| (entry.socket.id, entry)).collect();
    let other_end = |socket: &Socket| {
        let Ends { protocol, netns, local, peer } = ends(socket)?;
        let id = by_ends.get(&Ends { protocol, netns, local: peer, peer: local })?;
        by_id.get(id).copied().filter(|other| other.socket.id != socket.id)
    };

    let mut sorted: [Vec<&Entry>; 5] = Default::default();
    let [listeners, bound, connections, clients, left_over] = &mut sorted;
    for entry in &entries {
        let entries = match part(entry, port) {
            Part::Listener => &mut *listeners,
            Part::Bound => &mut *bound,
            Part::LeftOver => &mut *left_over,
            Part::Connection => &mut *connections,
            Part::Client => {
                // It is shown with the other end.
                let other = other_end(&entry.socket);
                if other.is_some_and(|other| part(other, port) == Part::Connection) {
                    continue;
                }
                &mut *clients
            }
        };
        entries.push(entry);
    }
    let connection = |entry: &&Entry| Connection {
        entry: (*entry).clone(),
        other: other_end(&entry.socket).cloned(),
    };
    PortReport {
        port,
        listeners: with_twins(listeners),
        bound: bound.iter().map(|&entry| entry.clone()).collect(),
        connections: by_peer(connections.iter().map(connection)),
        clients: by_peer(clients.iter().map(connection)),
        left_over: left_over.iter().map(|&entry| entry.clone()).collect(),
        forwards: forwards(snapshot, port),
    }
}

/// Returns how long the longest TIME_WAIT among these still lasts, in milliseconds.
pub fn longest_time_wait(entries: &[Entry]) -> Option<u32> {
    let timers = entries.iter().filter_map(|entry| entry.socket.timer);
    timers.filter(|timer| timer.kind == TimerKind::Timewait).map(|timer| timer.expires_ms).max()
}

/// Where in the report an entry belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Listener,
    Bound,
    Connection,
    Client,
    LeftOver,
}

fn part(Entry { socket, ownership, .. }: &Entry, port: u16) -> Part {
    let is_here = socket.local.as_ref().and_then(Endpoint::port) == Some(port);
    match socket.state {
        Some(TcpState::TimeWait) => Part::LeftOver,
        _ if ownership.is_left_over() && socket.peer.is_some() => Part::LeftOver,
        Some(TcpState::Bound | TcpState::Closed) => Part::Bound,
        _ if socket.is_listening() => Part::Listener,
        _ if is_here => Part::Connection,
        _ => Part::Client,
    }
}

fn has_port(socket: &Socket, port: u16) -> bool {
    let has = |end: &Option<Endpoint>| end.as_ref().and_then(Endpoint::port) == Some(port);
    has(&socket.local) || has(&socket.peer)
}

/// What the two ends of a connection have in common, the other way round.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Ends {
    protocol: Protocol,
    netns: Option<NetnsId>,
    local: (IpAddr, u16),
    peer: (IpAddr, u16),
}

fn ends(socket: &Socket) -> Option<Ends> {
    let end = |end: &Option<Endpoint>| {
        let end = end.as_ref()?;
        Some((end.canonical_address()?, end.port()?))
    };
    let (local, peer) = (end(&socket.local)?, end(&socket.peer)?);
    Some(Ends { protocol: socket.protocol, netns: socket.netns, local, peer })
}

fn with_twins(entries: &[&Entry]) -> Vec<Listener> {
    let place = |entry: &Entry| {
        let Socket { protocol, family, local, interface, netns, .. } = &entry.socket;
        (*protocol, *family, local.clone(), interface.clone(), *netns)
    };
    entries
        .iter()
        .map(|&entry| {
            let same = entries.iter().filter(|other| place(other) == place(entry)).count();
            Listener { entry: entry.clone(), twins: same.saturating_sub(1) }
        })
        .collect()
}

fn by_peer(connections: impl Iterator<Item = Connection>) -> Vec<PeerGroup> {
    let mut groups: BTreeMap<(IpAddr, Option<Interface>), Vec<Connection>> = BTreeMap::new();
    for connection in connections {
        if let Some(Endpoint::Inet { address, scope, .. }) = &connection.entry.socket.peer {
            let peer = (address.to_canonical(), scope.clone());
            groups.entry(peer).or_default().push(connection);
        }
    }
    let group = |((peer, scope), connections)| PeerGroup { peer, scope, connections };
    let mut groups: Vec<PeerGroup> = groups.into_iter().map(group).collect();
    // Stable: equally busy ones stay in the order of their addresses.
    groups.sort_by_key(|group| std::cmp::Reverse(group.connections.len()));
    groups
}

/// Returns what the command lines of all owners say of the port, each process once.
fn forwards(snapshot: &Snapshot, port: u16) -> Vec<Forwarded> {
    let mut owners: BTreeMap<Pid, (&Owner, bool)> = BTreeMap::new();
    for entry in &snapshot.entries {
        let serves = part(entry, port) == Part::Listener
            && entry.socket.local.as_ref().and_then(Endpoint::port) == Some(port);
        for owner in entry.ownership.owners() {
            owners.entry(owner.process.pid).or_insert((owner, false)).1 |= serves;
        }
    }
    owners
        .into_values()
        .flat_map(|(owner, serves)| {
            let all = forward::infer(&owner.process).into_iter();
            all.filter(move |forward| forward.concerns(port, serves))
                .map(|forward| Forwarded { owner: owner.clone(), forward })
        })
        .collect()
}

#[cfg(test)]
mod tests;
