//! All about one port: who listens on it, who is connected to it and from it, what is left over, and
//! what is forwarded; in this network namespace and in every other that was read.
//!
//! Pure: it sorts the rows of one [`Snapshot`] and concludes from nothing else. How it is shown is in
//! [`crate::render::port`].

pub mod forward;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::pairs::Pairs;
use crate::port::forward::Forward;
use crate::process::{Owner, Pid};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, Interface, NetnsId, Protocol, Socket, TimerKind};
use crate::sort::sort;
use crate::state::TcpState;
use crate::text::Text;

/// The protocols that have ports, as far as a port is looked at here.
pub const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Udplite];

/// What is known of one port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortReport {
    /// The port.
    pub port: u16,
    /// The network namespace it is told of; absent where the system has none.
    pub netns: Option<Namespace>,
    /// The same of every other namespace in which something has the port.
    pub elsewhere: Vec<Self>,
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

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its number.
    pub id: NetnsId,
    /// Its name; absent when none is known.
    pub name: Option<Text>,
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
    /// Returns whether anybody holds the port in its namespace: what is left over and connections to the port
    /// elsewhere do not count.
    pub const fn is_held(&self) -> bool {
        !(self.listeners.is_empty() && self.bound.is_empty() && self.connections.is_empty())
    }

    /// Returns every entry of the report, those of other namespaces too, once.
    pub fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_> {
        let connections = self.connections.iter().chain(&self.clients);
        let ends = connections
            .flat_map(|group| &group.connections)
            .flat_map(|connection| [Some(&connection.entry), connection.other.as_ref()])
            .flatten();
        let listeners = self.listeners.iter().map(|listener| &listener.entry);
        let own = listeners.chain(&self.bound).chain(ends).chain(&self.left_over);
        Box::new(own.chain(self.elsewhere.iter().flat_map(Self::entries)))
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

    let pairs = Pairs::new(&entries);
    let here = snapshot.current_netns.or_else(|| entries.first()?.socket.netns);
    let mut by_netns: BTreeMap<Option<NetnsId>, Vec<&Entry>> = BTreeMap::new();
    for entry in &entries {
        by_netns.entry(entry.socket.netns).or_default().push(entry);
    }
    let own = by_netns.remove(&here).unwrap_or_default();
    let mut report = report_of(snapshot, port, here, &own, &pairs);
    report.elsewhere = by_netns
        .into_iter()
        .map(|(netns, entries)| report_of(snapshot, port, netns, &entries, &pairs))
        .filter(|report| report.entries().next().is_some())
        .collect();
    report
}

/// Returns what is to be told of one network namespace, given the sockets of it that have the port.
fn report_of(
    snapshot: &Snapshot,
    port: u16,
    netns: Option<NetnsId>,
    entries: &[&Entry],
    pairs: &Pairs<'_>,
) -> PortReport {
    let other_end =
        |socket: &Socket| pairs.other_end(socket).filter(|other| other.socket.id != socket.id);
    let name = entries.iter().find_map(|entry| entry.netns_name.clone());
    let mut sorted: [Vec<&Entry>; 5] = Default::default();
    let [listeners, bound, connections, clients, left_over] = &mut sorted;
    for &entry in entries {
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
        netns: netns.map(|id| Namespace { id, name }),
        elsewhere: Vec::new(),
        listeners: with_twins(listeners),
        bound: bound.iter().map(|&entry| entry.clone()).collect(),
        connections: by_peer(connections.iter().map(connection)),
        clients: by_peer(clients.iter().map(connection)),
        left_over: left_over.iter().map(|&entry| entry.clone()).collect(),
        forwards: forwards(snapshot, netns, port),
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

fn with_twins(entries: &[&Entry]) -> Vec<Listener> {
    let place = |entry: &Entry| {
        let Socket { protocol, family, local, rare, netns, .. } = &entry.socket;
        (*protocol, *family, local.clone(), rare.interface.clone(), *netns)
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
            let peer = (address.to_canonical(), scope.as_deref().cloned());
            groups.entry(peer).or_default().push(connection);
        }
    }
    let group = |((peer, scope), connections)| PeerGroup { peer, scope, connections };
    let mut groups: Vec<PeerGroup> = groups.into_iter().map(group).collect();
    // Stable: equally busy ones stay in the order of their addresses.
    groups.sort_by_key(|group| std::cmp::Reverse(group.connections.len()));
    groups
}

/// Returns what the command lines of all owners in a namespace say of the port, each process once.
fn forwards(snapshot: &Snapshot, netns: Option<NetnsId>, port: u16) -> Vec<Forwarded> {
    let mut owners: BTreeMap<Pid, (&Owner, bool)> = BTreeMap::new();
    for entry in snapshot.entries.iter().filter(|entry| entry.socket.netns == netns) {
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
