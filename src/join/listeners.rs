//! Which listener a connection is of: the one it waits at until it is accepted, and the one that a
//! connection attempt asks.

use std::collections::{HashMap, HashSet};

use super::Packed;
use crate::overlap::{self, Reach};
use crate::process::{Owner, Ownership, Via};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Family, NetnsId, Protocol, Queues, Socket};
use crate::sockets::Place;
use crate::state::TcpState;

/// Returns true for a connection no process has accepted yet: it has no inode (linux
/// `inet_diag_msg_common_fill`, `sock_i_ino` is 0 until `accept` grafts a file onto it) though it is
/// open. An orphan cannot be in these states: `close` leaves them at once. Of UNIX sockets only
/// `/proc/net/unix` lists such.
fn is_unaccepted(socket: &Socket) -> bool {
    (is_of_tcp(socket.protocol) || socket.protocol == Protocol::Unix)
        && socket.inode.is_none()
        && matches!(
            socket.state,
            Some(TcpState::SynRecv | TcpState::Established | TcpState::CloseWait)
        )
}

/// Returns true for the protocols whose connections wait at a listener to be accepted.
const fn is_of_tcp(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Tcp | Protocol::Mptcp)
}

/// Where a listener may be looked for: its port, or a UNIX socket's name.
#[derive(Debug, PartialEq, Eq, Hash)]
enum At {
    Port(u16),
    Name(Endpoint),
}

/// The same, in which namespace.
type Address = (Protocol, Option<NetnsId>, At);

fn address(socket: &Socket) -> Option<Address> {
    let local = socket.local.as_ref()?;
    let at = if socket.protocol == Protocol::Unix {
        At::Name(local.clone())
    } else if is_of_tcp(socket.protocol) {
        At::Port(local.port()?)
    } else {
        return None;
    };
    Some((socket.protocol, socket.netns, at))
}

/// Gives each unaccepted connection the owners of the listener it waits at.
pub(super) fn attribute_unaccepted(rows: &mut Packed) {
    let mut waiting: Vec<(Place, Address, Socket)> = rows
        .sockets_where(is_unaccepted)
        .filter_map(|(place, socket)| Some((place, address(&socket)?, socket)))
        .collect();
    waiting.retain(|&(place, ..)| {
        rows.entry(place).is_some_and(|entry| matches!(entry.ownership, Ownership::Hidden(_)))
    });
    if waiting.is_empty() {
        return;
    }
    let mut listeners: HashMap<Address, Vec<Entry>> =
        waiting.iter().filter_map(|(.., socket)| Some((address(socket)?, Vec::new()))).collect();
    for (place, socket) in rows.sockets_where(|socket| socket.state == Some(TcpState::Listen)) {
        if let Some(there) = address(&socket).and_then(|address| listeners.get_mut(&address)) {
            there.extend(rows.entry(place));
        }
    }
    for (place, address, socket) in waiting {
        let candidates = listeners.get(&address).map(Vec::as_slice).unwrap_or_default();
        if let Some(ownership) = waiting_at(&socket, candidates.iter()) {
            rows.change(place, |entry| entry.ownership = ownership);
        }
    }
}

/// Returns whose the connection will be: the owners of the best matching listeners. Twins that share
/// a port by `SO_REUSEPORT` match alike; then those with a non-empty queue are all named.
fn waiting_at<'a>(
    socket: &Socket,
    listeners: impl Iterator<Item = &'a Entry>,
) -> Option<Ownership> {
    let scored: Vec<(u8, bool, &Entry)> = listeners
        .filter_map(|listener| {
            Some((match_score(&listener.socket, socket)?, has_pending(&listener.socket), listener))
        })
        .collect();
    let best = scored.iter().map(|&(score, pending, _)| (score, pending)).max()?;
    let mut owners: Vec<Owner> = Vec::new();
    let mut hidden = None;
    for (.., listener) in scored.iter().filter(|&&(score, pending, _)| (score, pending) == best) {
        match &listener.ownership {
            Ownership::Held(held) => {
                owners.extend(
                    held.iter().map(|owner| Owner { via: Via::AcceptQueue, ..owner.clone() }),
                );
            }
            Ownership::Hidden(reason) => hidden = Some(Ownership::Hidden(*reason)),
            kernels @ Ownership::Kernel(_) => hidden = Some(kernels.clone()),
        }
    }
    // The descriptor is the listener's, not this connection's.
    for owner in &mut owners {
        (owner.tid, owner.fd) = (None, None);
    }
    let mut seen = HashSet::new();
    owners.retain(|owner| seen.insert(owner.process.pid));
    if owners.is_empty() { hidden } else { Some(Ownership::Held(owners.into())) }
}

/// Returns who is asked at the other end of a socket: the listener that should answer a connection
/// attempt, or the unconnected socket that receives what a connected one without states sends; the
/// best of several. `None` when nobody among the entries is.
pub fn asked<'a>(asking: &Socket, entries: &'a [Entry]) -> Option<&'a Entry> {
    if !matches!(asking.state, Some(TcpState::SynSent) | None) {
        return None;
    }
    let there = asking.peer.clone()?;
    let is_inet = there.canonical_address()?.is_ipv4();
    // The connection as it would be at the other end.
    let mut answer = Socket::new(asking.id, asking.protocol, asking.family);
    answer.family = if is_inet { Family::Inet } else { asking.family };
    answer.local = Some(there);
    let here = entries.iter().filter(|Entry { socket, .. }| {
        let port = |socket: &Socket| socket.local.as_ref().and_then(Endpoint::port);
        socket.is_listening()
            && socket.protocol == asking.protocol
            && socket.netns == asking.netns
            && port(socket) == port(&answer)
    });
    // Whether a bound device is the one that is asked through cannot be told.
    let scored = here.filter_map(|entry| {
        let mut anywhere = entry.socket.clone();
        if let Some(rare) = anywhere.rare.get_mut() {
            rare.interface = None;
        }
        Some((match_score(&anywhere, &answer)?, entry))
    });
    // The first of those that fit alike.
    scored.rev().max_by_key(|(score, _)| *score).map(|(_, entry)| entry)
}

fn has_pending(listener: &Socket) -> bool {
    matches!(listener.queues, Some(Queues::Backlog { pending: 1.., .. }))
}

/// Returns how well a listener fits a connection, as the kernel scores them (`compute_score`,
/// linux/net/ipv4/inet_hashtables.c): a bound device and a specific address win over wildcards.
/// `None` when it cannot be its listener.
fn match_score(listener: &Socket, connection: &Socket) -> Option<u8> {
    if listener.protocol == Protocol::Unix {
        return (listener.local == connection.local).then_some(0);
    }
    let device = match (&listener.rare.interface, &connection.rare.interface) {
        (None, _) => 0,
        (Some(wanted), Some(got)) if wanted.index == got.index => 4,
        // An accepted socket inherits its listener's device, but a SYN_RECV row may not show it.
        (Some(_), _) => return None,
    };
    let address = match overlap::reach(listener, connection.local.as_ref()?.canonical_address()?)? {
        Reach::Specific => 2,
        Reach::Wildcard => 1,
        Reach::DualStack => 0,
    };
    // A mapped IPv4 connection sits on an inet6 socket: its listener does too.
    (connection.family == listener.family || connection.family == Family::Inet)
        .then_some(device + address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::HiddenReason;
    use crate::socket::SocketId;

    fn entry(protocol: Protocol, local: &str, peer: Option<&str>) -> Entry {
        let end = |text: &str| Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap());
        let family = if local.starts_with('[') { Family::Inet6 } else { Family::Inet };
        let mut socket = Socket::new(SocketId(0), protocol, family);
        (socket.local, socket.peer) = (Some(end(local)), peer.map(end));
        if protocol == Protocol::Tcp {
            socket.state = Some(if peer.is_some() { TcpState::SynSent } else { TcpState::Listen });
        }
        let ownership = Ownership::Hidden(HiddenReason::NotAsked);
        Entry {
            socket,
            ownership,
            user: None,
            netns_name: None,
            peer_owners: crate::rare::Rare::default(),
        }
    }

    /// Asks each of these for `127.0.0.1:80`, and returns the place of who is asked.
    fn asked_of(protocol: Protocol, listeners: &[&str]) -> Option<usize> {
        let asking = entry(protocol, "127.0.0.1:5000", Some("127.0.0.1:80"));
        let entries: Vec<Entry> =
            listeners.iter().map(|local| entry(protocol, local, None)).collect();
        let found = asked(&asking.socket, &entries)?;
        entries.iter().position(|entry| std::ptr::eq(entry, found))
    }

    #[test]
    fn who_is_asked_is_the_best_listener_of_the_port() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let all = ["127.0.0.2:80", "127.0.0.1:81", "[::1]:80", "[::]:80", "0.0.0.0:80"];
            assert_eq!(asked_of(protocol, &all), Some(4));
            assert_eq!(asked_of(protocol, &all[..4]), Some(3), "dual-stack");
            assert_eq!(asked_of(protocol, &all[..3]), None);
            assert_eq!(asked_of(protocol, &["0.0.0.0:80", "127.0.0.1:80"]), Some(1));
        }
    }

    #[test]
    fn who_is_asked_may_be_bound_to_a_device() {
        let mut listener = entry(Protocol::Tcp, "0.0.0.0:80", None);
        listener.socket.rare.make_mut().interface =
            Some(Box::new(crate::socket::Interface { index: 1, name: None }));
        let asking = entry(Protocol::Tcp, "127.0.0.1:5000", Some("127.0.0.1:80")).socket;
        assert_eq!(asked(&asking, std::slice::from_ref(&listener)), Some(&listener));
    }

    #[test]
    fn nobody_is_asked_by_what_is_connected_or_waits_itself() {
        let listener = entry(Protocol::Tcp, "127.0.0.1:80", None);
        let mut connected = entry(Protocol::Tcp, "127.0.0.1:5000", Some("127.0.0.1:80")).socket;
        connected.state = Some(TcpState::Established);
        assert_eq!(asked(&connected, std::slice::from_ref(&listener)), None);
        assert_eq!(asked(&listener.socket, std::slice::from_ref(&listener)), None);
    }
}
