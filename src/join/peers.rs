//! The other end of UNIX sockets: its name and its owners, found by its inode.
//!
//! The kernel tells a UNIX socket only the inode of its peer (`UNIX_DIAG_PEER`), and a connection
//! that nobody has accepted not even that; but its listener names who waits (`UNIX_DIAG_ICONS`).

use std::collections::HashMap;

use super::Packed;
use crate::process::{Owner, Via};
use crate::socket::{Endpoint, Inode, Protocol, Socket};
use crate::sockets::Place;

/// Gives each UNIX socket with a peer among the entries that peer's name and owners. One that waits
/// to be accepted gets its listener's.
pub(super) fn attach(rows: &mut Packed) {
    let all: Vec<(Place, Socket)> =
        rows.sockets_where(|socket| socket.protocol == Protocol::Unix).collect();
    let mut by_inode: HashMap<Inode, &(Place, Socket)> = HashMap::new();
    let mut waits_at: HashMap<Inode, &(Place, Socket)> = HashMap::new();
    for each in &all {
        let (_, socket) = each;
        by_inode.extend(socket.inode.map(|inode| (inode, each)));
        waits_at.extend(socket.rare.waiting_inodes.iter().map(|&inode| (inode, each)));
    }
    let owners = |place: Place| rows.entry(place).map(|entry| entry.ownership.owners().to_vec());
    let ends: Vec<(Place, Option<Endpoint>, Vec<Owner>)> = all
        .iter()
        .filter_map(|(place, socket)| {
            let peer = socket.rare.peer_inode.and_then(|inode| by_inode.get(&inode));
            if let Some((peer, Socket { local, .. })) = peer {
                return Some((*place, local.clone(), owners(*peer)?));
            }
            let (listener, Socket { local, .. }) = waits_at.get(&socket.inode?)?;
            // The descriptor is the listener's, not that of the connection to come.
            let mut owners = owners(*listener)?;
            for owner in &mut owners {
                (owner.tid, owner.fd, owner.via) = (None, None, Via::AcceptQueue);
            }
            owners.dedup_by_key(|owner| owner.process.pid);
            Some((*place, local.clone(), owners))
        })
        .collect();
    for (place, name, owners) in ends {
        rows.change(place, |entry| {
            entry.socket.peer = entry.socket.peer.take().or(name);
            entry.peer_owners = owners.into();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Fd, Holder, Pid};
    use crate::snapshot::{Collected, Entry, Snapshot, Timestamp};
    use crate::socket::{Family, SocketId};
    use crate::state::TcpState;

    /// Joins UNIX sockets of which each is held by the process with ten times its id, as descriptor 3.
    fn joined(sockets: Vec<Socket>) -> Snapshot {
        let time = Timestamp(std::time::SystemTime::UNIX_EPOCH);
        let mut collected = Collected::new(time, "linux", "test");
        let holder = |socket: &Socket| Holder {
            pid: Pid(u32::try_from(socket.id.0 * 10).unwrap()),
            tid: None,
            fd: Some(Fd(3)),
            socket: socket.id,
            via: Via::Fd,
        };
        collected.holders = Some(sockets.iter().map(holder).collect());
        collected.sockets = sockets;
        crate::join::join(collected)
    }

    fn unix(id: u64, name: Option<&str>, peer: Option<u64>) -> Socket {
        let mut socket = Socket::new(SocketId(id), Protocol::Unix, Family::Unix);
        socket.state = Some(TcpState::Established);
        socket.inode = Some(Inode(id));
        socket.local = name.map(|name| Endpoint::Path(name.into()));
        socket.rare.make_mut().peer_inode = peer.map(Inode);
        socket
    }

    type Owned = (u32, Option<Fd>, Via);

    fn peer(entry: &Entry) -> (Option<String>, Vec<Owned>) {
        let owners = entry.peer_owners.iter();
        (
            entry.socket.peer.as_ref().map(ToString::to_string),
            owners.map(|owner| (owner.process.pid.0, owner.fd, owner.via)).collect(),
        )
    }

    #[test]
    fn each_end_has_the_name_and_the_owner_of_the_other() {
        let entries = joined(vec![unix(1, Some("/bus"), Some(2)), unix(2, None, Some(1))]).entries;
        assert_eq!(peer(&entries[0]), (None, vec![(20, Some(Fd(3)), Via::Fd)]));
        assert_eq!(peer(&entries[1]), (Some("/bus".to_owned()), vec![(10, Some(Fd(3)), Via::Fd)]));
    }

    #[test]
    fn who_waits_to_be_accepted_has_the_listener_at_the_other_end() {
        let mut listener = unix(1, Some("/bus"), None);
        listener.state = Some(TcpState::Listen);
        listener.rare.make_mut().waiting_inodes = vec![Inode(2)];
        let entries = joined(vec![listener, unix(2, None, None)]).entries;
        let waiting = (Some("/bus".to_owned()), vec![(10, None, Via::AcceptQueue)]);
        assert_eq!(peer(&entries[1]), waiting);
        assert_eq!(peer(&entries[0]), (None, vec![]), "a listener has no peer");
    }

    #[test]
    fn a_peer_that_is_not_listed_stays_a_number() {
        let entries = joined(vec![unix(1, None, Some(99))]).entries;
        assert_eq!(peer(&entries[0]), (None, vec![]));
        assert_eq!(entries[0].socket.rare.peer_inode, Some(Inode(99)));
    }
}
