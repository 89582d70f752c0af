//! Joins the collected tables into one picture: each socket with all its owners.
//!
//! Pure: it asks nothing and drops nothing. Every socket becomes exactly one entry, every holder of
//! a listed socket exactly one owner.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::process::{HiddenReason, Holder, Owner, Ownership, Pid, Process, Uid, Via};
use crate::snapshot::{Collected, Entry, Missing, Snapshot};
use crate::socket::{Endpoint, Family, NetnsId, Protocol, Queues, Socket, SocketId};
use crate::state::TcpState;
use crate::text::Text;

/// Joins what was collected.
///
/// # Errors
///
/// None: a holder whose process is unknown keeps its number, a socket without holder says why.
pub fn join(collected: Collected) -> Snapshot {
    let Collected {
        collected_at,
        platform,
        sockets,
        holders,
        processes,
        users,
        vanished,
        gaps,
        ..
    } = collected;
    let mut owners = holders.map(|holders| owners_by_socket(holders, processes, &users));
    let vanished: HashSet<SocketId> = vanished.into_iter().collect();
    let permission = gaps.iter().any(|gap| gap.what == Missing::Descriptors);

    let mut entries: Vec<Entry> = sockets
        .into_iter()
        .map(|socket| {
            let held = owners.as_mut().map(|owners| owners.remove(&socket.id));
            let ownership = match held {
                Some(Some(owners)) => Ownership::Held(owners),
                _ if is_kernels(&socket, &platform) => Ownership::Kernel,
                None => Ownership::Hidden(HiddenReason::NotAsked),
                Some(None) if vanished.contains(&socket.id) => {
                    Ownership::Hidden(HiddenReason::Vanished)
                }
                Some(None) if permission => Ownership::Hidden(HiddenReason::Permission),
                Some(None) => Ownership::Hidden(HiddenReason::NoDescriptor),
            };
            let user = socket.uid.and_then(|uid| users.get(&uid).cloned());
            Entry { socket, ownership, user }
        })
        .collect();

    attribute_unaccepted(&mut entries);
    Snapshot { collected_at, platform, entries, unread: gaps }
}

/// Groups holders by socket, the main owner first: the oldest process, which for a listener shared
/// by a forked family is the parent.
fn owners_by_socket(
    holders: Vec<Holder>,
    processes: Vec<Process>,
    users: &BTreeMap<Uid, Text>,
) -> HashMap<SocketId, Vec<Owner>> {
    let mut known: HashMap<Pid, Arc<Process>> = processes
        .into_iter()
        .map(|mut process| {
            if process.user.is_none() {
                process.user = process.uid.and_then(|uid| users.get(&uid).cloned());
            }
            (process.pid, Arc::new(process))
        })
        .collect();

    let mut owners: HashMap<SocketId, Vec<Owner>> = HashMap::new();
    for Holder { pid, fd, socket, via } in holders {
        let process = known.entry(pid).or_insert_with(|| Arc::new(Process::new(pid))).clone();
        owners.entry(socket).or_default().push(Owner { process, fd, via });
    }
    for owners in owners.values_mut() {
        // An unknown start sorts last: a process that could not be read is not the main one.
        owners.sort_by_key(|owner| {
            (
                owner.process.start.is_none(),
                owner.process.start,
                owner.process.pid,
                owner.fd,
                owner.via,
            )
        });
    }
    owners
}

/// Returns true for a socket that no process holds by its nature: TIME_WAIT, and on Linux an orphan
/// that was closed while it still had something to send or to wait for: it has no inode.
fn is_kernels(socket: &Socket, platform: &str) -> bool {
    match socket.state {
        Some(TcpState::TimeWait) => true,
        Some(TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing | TcpState::LastAck) => {
            socket.inode.is_none() && platform == "linux"
        }
        Some(_) | None => false,
    }
}

/// Returns true for a connection no process has accepted yet: it has no inode (linux
/// `inet_diag_msg_common_fill`, `sock_i_ino` is 0 until `accept` grafts a file onto it) though it is
/// open. An orphan cannot be in these states: `close` leaves them at once.
fn is_unaccepted(socket: &Socket) -> bool {
    socket.protocol == Protocol::Tcp
        && socket.inode.is_none()
        && matches!(
            socket.state,
            Some(TcpState::SynRecv | TcpState::Established | TcpState::CloseWait)
        )
}

/// Gives each unaccepted connection the owners of the listener it waits at.
fn attribute_unaccepted(entries: &mut [Entry]) {
    let mut listeners: HashMap<(Option<NetnsId>, u16), Vec<usize>> = HashMap::new();
    for (index, Entry { socket, .. }) in entries.iter().enumerate() {
        if socket.protocol == Protocol::Tcp
            && socket.state == Some(TcpState::Listen)
            && let Some(port) = socket.local.as_ref().and_then(Endpoint::port)
        {
            listeners.entry((socket.netns, port)).or_default().push(index);
        }
    }
    if listeners.is_empty() {
        return;
    }
    let found: Vec<(usize, Ownership)> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| {
            is_unaccepted(&entry.socket) && matches!(entry.ownership, Ownership::Hidden(_))
        })
        .filter_map(|(index, entry)| {
            let port = entry.socket.local.as_ref()?.port()?;
            let candidates = listeners.get(&(entry.socket.netns, port))?;
            Some((
                index,
                waiting_at(&entry.socket, candidates.iter().filter_map(|&i| entries.get(i)))?,
            ))
        })
        .collect();
    for (index, ownership) in found {
        if let Some(entry) = entries.get_mut(index) {
            entry.ownership = ownership;
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
            Ownership::Kernel => hidden = Some(Ownership::Kernel),
        }
    }
    // The descriptor is the listener's, not this connection's.
    for owner in &mut owners {
        owner.fd = None;
    }
    let mut seen = HashSet::new();
    owners.retain(|owner| seen.insert(owner.process.pid));
    if owners.is_empty() { hidden } else { Some(Ownership::Held(owners)) }
}

fn has_pending(listener: &Socket) -> bool {
    matches!(listener.queues, Some(Queues::Backlog { pending: 1.., .. }))
}

/// Returns how well a listener fits a connection, as the kernel scores them (`compute_score`,
/// linux/net/ipv4/inet_hashtables.c): a bound device and a specific address win over wildcards.
/// `None` when it cannot be its listener.
fn match_score(listener: &Socket, connection: &Socket) -> Option<u8> {
    let device = match (&listener.interface, &connection.interface) {
        (None, _) => 0,
        (Some(wanted), Some(got)) if wanted.index == got.index => 4,
        // An accepted socket inherits its listener's device, but a SYN_RECV row may not show it.
        (Some(_), _) => return None,
    };
    let own = connection.local.as_ref()?.canonical_address()?;
    let address = match listener.local.as_ref()?.canonical_address()? {
        address if address == own => 2,
        IpAddr::V4(any) if any.is_unspecified() && own.is_ipv4() => 1,
        IpAddr::V6(any) if any.is_unspecified() && own.is_ipv6() => 1,
        IpAddr::V6(any) if any.is_unspecified() && listener.v6only != Some(true) => 0,
        IpAddr::V4(_) | IpAddr::V6(_) => return None,
    };
    // A mapped IPv4 connection sits on an inet6 socket: its listener does too.
    (connection.family == listener.family || connection.family == Family::Inet)
        .then_some(device + address)
}
