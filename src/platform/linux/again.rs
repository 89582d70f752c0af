//! The second look at sockets whose holder was not found.
//!
//! The dump and the descriptors are not of one moment. In between a socket may be closed, accepted or
//! handed on, and a process may fork or begin. So a socket that has an inode but no holder, though its
//! holder should have been visible, is dumped again: if it is gone it has *vanished*; if it changed
//! it is taken as it is now; if it is still the same its holder is looked for once more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::platform::Request;
use crate::platform::linux::Held;
use crate::platform::linux::netns::{Namespaces, Trouble};
use crate::process::Uid;
use crate::snapshot::{Gap, Missing};
use crate::socket::{Cookie, Endpoint, Inode, NetnsId, Protocol, Socket, SocketId};
use crate::sockets::{Place, Sockets};

/// Returns the places of the sockets whose holder should have been found: all without one when every
/// process could be read, else only those of our own user, whose processes we may read.
pub(super) fn surprisingly_unmatched(
    sockets: &Sockets,
    held: &Held,
    gaps: &[Gap],
) -> BTreeSet<Place> {
    let own = Uid(rustix::process::geteuid().as_raw());
    let should_be_held = |socket: &Socket| {
        socket.inode.is_some()
            && !socket.is_kernels_netlink()
            && (gaps.is_empty() || socket.uid == Some(own))
    };
    let places = sockets.places(should_be_held).into_iter();
    places.filter(|&place| !held.contains(SocketId(place.into()))).collect()
}

/// Dumps the missed sockets' tables again, each namespace's from within, and brings the sockets up to
/// date. Returns those that have vanished. When the tables cannot be read again, nothing is
/// concluded.
pub(super) fn look(
    sockets: &mut Sockets,
    missed: &BTreeSet<Place>,
    namespaces: &Namespaces,
) -> Vec<SocketId> {
    // As much is asked for as at the first look.
    let details = sockets.kinds().any(|socket| socket.details.is_some());
    let mut requests: BTreeMap<Option<NetnsId>, Request> = BTreeMap::new();
    for socket in missed.iter().filter_map(|&place| sockets.get(place)) {
        let Request { protocols, families, .. } =
            requests.entry(socket.netns).or_insert_with(|| Request {
                protocols: Vec::new(),
                families: Vec::new(),
                owners: false,
                details,
                ..Request::default()
            });
        if !protocols.contains(&socket.protocol) {
            protocols.push(socket.protocol);
        }
        if !families.contains(&socket.family) {
            families.push(socket.family);
        }
    }
    let mut second = Vec::new();
    let mut answered = HashSet::new();
    for (netns, answer) in namespaces.read_again(&requests) {
        match answer {
            Ok(dump) if dump.gaps.iter().all(|gap| gap.what != Missing::Sockets) => {
                second.push(dump.sockets);
            }
            // Its sockets went with it.
            Err(Trouble::Gone) => {}
            Ok(_) | Err(Trouble::Refused(_) | Trouble::Failed(_)) => continue,
        }
        answered.insert(netns);
    }
    let is_answered = |place: &&Place| {
        sockets.get(**place).is_some_and(|socket| answered.contains(&socket.netns))
    };
    let answered = missed.iter().filter(is_answered).copied().collect();
    reconcile(sockets, &answered, second.iter().flat_map(Sockets::iter))
}

/// What tells that two rows of a namespace are one socket: the cookie, or without one (`/proc/net`)
/// all the rest.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Identity {
    Cookie(Cookie),
    Row(Protocol, Option<Endpoint>, Option<Endpoint>, Option<Inode>),
}

fn identity(socket: &Socket) -> (Option<NetnsId>, Identity) {
    // The associations of an SCTP socket share its cookie.
    let cookie = socket.cookie.filter(|_| socket.protocol != Protocol::Sctp);
    let identity = cookie.map_or_else(
        || Identity::Row(socket.protocol, socket.local.clone(), socket.peer.clone(), socket.inode),
        Identity::Cookie,
    );
    (socket.netns, identity)
}

/// Replaces each missed socket by what the second dump says of it, under its first id, and returns
/// the ids of those it does not have.
fn reconcile(
    sockets: &mut Sockets,
    missed: &BTreeSet<Place>,
    second: impl Iterator<Item = Socket>,
) -> Vec<SocketId> {
    let mut now: HashMap<(Option<NetnsId>, Identity), Option<Socket>> =
        missed.iter().filter_map(|&place| Some((identity(&sockets.get(place)?), None))).collect();
    for socket in second {
        if let Some(now) = now.get_mut(&identity(&socket)) {
            *now = Some(socket);
        }
    }
    let mut vanished = Vec::new();
    for &place in missed {
        let Some(socket) = sockets.get(place) else { continue };
        match now.remove(&identity(&socket)).flatten() {
            Some(current) => sockets.set(place, Socket { id: socket.id, ..current }),
            None => vanished.push(socket.id),
        }
    }
    vanished
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use super::*;
    use crate::platform::NetnsWish;
    use crate::platform::clock::wait_until;
    use crate::platform::linux::sock_diag;
    use crate::process::{Fd, Holder, Pid, Via};
    use crate::socket::Family;
    use crate::state::TcpState;

    fn socket(id: u64, state: TcpState) -> Socket {
        let mut socket = Socket::new(SocketId(id), Protocol::Tcp, Family::Inet);
        socket.cookie = Some(Cookie(id + 100));
        socket.inode = Some(Inode(id + 1000));
        socket.state = Some(state);
        socket
    }

    #[test]
    fn what_is_gone_has_vanished_and_what_changed_is_taken_as_it_is_now() {
        let mut sockets: Sockets = (0..3).map(|id| socket(id, TcpState::Established)).collect();
        let missed = BTreeSet::from([0, 1]);
        // Another numbering, as a second dump has it; the third socket changed too but was not missed.
        let second = vec![
            Socket { id: SocketId(7), ..socket(1, TcpState::CloseWait) },
            Socket { id: SocketId(8), ..socket(2, TcpState::CloseWait) },
        ];
        assert_eq!(reconcile(&mut sockets, &missed, second.into_iter()), [SocketId(0)]);
        assert_eq!(sockets.get(1), Some(socket(1, TcpState::CloseWait)), "with the id it had");
        assert_eq!(sockets.get(2), Some(socket(2, TcpState::Established)));
    }

    #[test]
    fn without_cookies_a_row_is_known_by_its_addresses_and_inode() {
        let bare = |id| Socket { cookie: None, ..socket(id, TcpState::Listen) };
        let mut sockets: Sockets = (0..2).map(bare).collect();
        let missed = BTreeSet::from([0, 1]);
        assert_eq!(reconcile(&mut sockets, &missed, once(bare(1))), [SocketId(0)]);
    }

    #[test]
    fn a_cookie_is_a_socket_s_within_its_namespace() {
        let within = |netns| Socket { netns: Some(netns), ..socket(0, TcpState::Listen) };
        let mut sockets: Sockets = once(within(NetnsId(1))).collect();
        let missed = BTreeSet::from([0]);
        assert_eq!(reconcile(&mut sockets, &missed, once(within(NetnsId(2)))), [SocketId(0)]);
    }

    #[test]
    fn nothing_is_concluded_of_a_namespace_that_cannot_be_asked() {
        let elsewhere = Some(NetnsId(1));
        let socket = Socket { netns: elsewhere, ..socket(0, TcpState::Listen) };
        let mut sockets: Sockets = once(socket).collect();
        let missed = BTreeSet::from([0]);
        let namespaces = Namespaces::find(&NetnsWish::Current).unwrap();
        assert_eq!(look(&mut sockets, &missed, &namespaces), []);
    }

    #[test]
    fn only_what_should_have_been_seen_is_looked_at_again() {
        let own = Uid(rustix::process::geteuid().as_raw());
        let other = Uid(own.0 + 1);
        let with = |id, uid| Socket { uid: Some(uid), ..socket(id, TcpState::Listen) };
        let ownerless = Socket { inode: None, ..socket(3, TcpState::TimeWait) };
        let sockets = [with(0, own), with(1, other), with(2, own), ownerless];
        let sockets: Sockets = sockets.into_iter().collect();
        let holder =
            Holder { pid: Pid(1), tid: None, fd: Some(Fd(3)), socket: SocketId(2), via: Via::Fd };
        let held = Held::by(&once(holder).collect());

        let all = surprisingly_unmatched(&sockets, &held, &[]);
        assert_eq!(all, BTreeSet::from([0, 1]), "every process was readable");
        let gap = Gap::new(Missing::Descriptors, "permission denied");
        let ours = surprisingly_unmatched(&sockets, &held, &[gap]);
        assert_eq!(ours, BTreeSet::from([0]), "others' processes were not");
    }

    #[test]
    fn a_live_socket_is_found_again_and_a_closed_one_is_not() {
        let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |listener: &std::net::TcpListener| listener.local_addr().unwrap().port();
        let (open_port, closed_port) = (port(&open), port(&closed));
        let mut sockets = sock_diag::dump(&Request::default()).unwrap().sockets;
        sockets.retain(|socket| {
            let local = socket.local.as_ref().and_then(Endpoint::port);
            socket.state == Some(TcpState::Listen)
                && (local == Some(open_port) || local == Some(closed_port))
        });
        assert_eq!(sockets.len(), 2);
        drop(closed);
        let missed = BTreeSet::from([0, 1]);
        let namespaces = Namespaces::find(&NetnsWish::Current).unwrap();
        let mut gone = || -> Vec<Option<u16>> {
            let vanished = look(&mut sockets, &missed, &namespaces);
            let vanished = sockets.iter().filter(|socket| vanished.contains(&socket.id));
            vanished.map(|socket| socket.local.as_ref().and_then(Endpoint::port)).collect()
        };
        wait_until(|| !gone().is_empty());
        assert_eq!(gone(), [Some(closed_port)]);
    }
}
