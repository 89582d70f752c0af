//! Whether a row fits. Runs once a row, over 100,000 rows: allocates
//! nothing (but for abstract UNIX names, units and containers).

use std::net::IpAddr;

use ipnet::IpNet;

use super::expression::{
    End, Expression, Named, Network, NumberKey, OwnerKind, Ranges, Side, Test, TextKey, state_of,
};
use super::glob::Glob;
use crate::cgroup::{Cgroup, Container, unit_kind};
use crate::process::{Owner, Ownership, Uid};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Interface, Queues};
use crate::text::Text;

impl Expression {
    pub(super) fn matches(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Not(inner) => !inner.matches(entry),
            Self::And(list) => list.iter().all(|expression| expression.matches(entry)),
            Self::Or(list) => list.iter().any(|expression| expression.matches(entry)),
            Self::Test(test) => test.matches(entry),
        }
    }
}

impl Test {
    fn matches(&self, entry: &Entry) -> bool {
        let socket = &entry.socket;
        let owners = entry.ownership.owners();
        match self {
            Self::Protocol(protocol) => socket.protocol == *protocol,
            Self::Family(family) => socket.family == *family,
            Self::Type(socket_type) => socket.socket_type == Some(*socket_type),
            Self::State(states) => states.contains(state_of(socket)),
            Self::Server => socket.is_listening(),
            Self::End(side, end) => {
                let fits =
                    |endpoint: &Option<Endpoint>| endpoint.as_ref().is_some_and(|e| end.matches(e));
                match side {
                    Side::Local => fits(&socket.local),
                    Side::Peer => fits(&socket.peer),
                    Side::Either => fits(&socket.local) || fits(&socket.peer),
                }
            }
            Self::Number(key, ranges) => number(*key, entry, ranges),
            Self::User(user) => {
                user.is(socket.uid, entry.user.as_ref())
                    || owners
                        .iter()
                        .any(|owner| user.is(owner.process.uid, owner.process.user.as_ref()))
            }
            Self::Command(glob) => {
                let service = entry.ownership.service();
                service.is_some_and(|service| glob.matches(service.kind.name().as_bytes()))
                    || owners.iter().any(|owner| command(owner, glob))
            }
            Self::Netns(name) => {
                entry.netns_name.as_ref().is_some_and(|netns| name.matches(netns.as_bytes()))
            }
            Self::Text(key, glob) => text(*key, entry, glob),
            Self::Device(device) => {
                socket.rare.interface.as_ref().is_some_and(|at| device.is_at(at))
            }
            Self::Owner(kind) => match kind {
                OwnerKind::Held => matches!(entry.ownership, Ownership::Held(_)),
                OwnerKind::Kernel => matches!(entry.ownership, Ownership::Kernel(_)),
                OwnerKind::Hidden => matches!(entry.ownership, Ownership::Hidden(_)),
            },
            Self::Via(via) => owners.iter().any(|owner| owner.via == *via),
        }
    }
}

/// Returns whether the row's number, or that of one of its owners, is in the set.
fn number(key: NumberKey, entry: &Entry, ranges: &Ranges) -> bool {
    let socket = &entry.socket;
    let details = socket.details.as_deref();
    let fits = |number: Option<u64>| number.is_some_and(|number| ranges.contains(number));
    let owner = |number: fn(&Owner) -> Option<u32>| {
        entry.ownership.owners().iter().any(|owner| fits(number(owner).map(u64::from)))
    };
    match key {
        NumberKey::Pid => owner(|owner| Some(owner.process.pid.0)),
        NumberKey::Ppid => owner(|owner| owner.process.ppid.map(|pid| pid.0)),
        NumberKey::Fd => owner(|owner| owner.fd.map(|fd| fd.0)),
        NumberKey::Age => entry
            .ownership
            .owners()
            .iter()
            .any(|owner| fits(owner.process.age.map(|age| age.as_secs()))),
        NumberKey::Uid => {
            fits(socket.uid.map(|uid| uid.0.into()))
                || owner(|owner| owner.process.uid.map(|uid| uid.0))
        }
        NumberKey::Inode => fits(socket.inode.map(|inode| inode.0)),
        NumberKey::PeerInode => fits(socket.rare.peer_inode.map(|inode| inode.0)),
        NumberKey::Cookie => fits(socket.cookie.map(|cookie| cookie.0)),
        NumberKey::Netns => fits(socket.netns.map(|netns| netns.0)),
        NumberKey::RecvQ => fits(match socket.queues {
            Some(Queues::Bytes { recv, .. }) => Some(recv.into()),
            Some(Queues::Backlog { .. }) | None => None,
        }),
        NumberKey::SendQ => fits(match socket.queues {
            Some(Queues::Bytes { send, .. }) => Some(send.into()),
            Some(Queues::Backlog { .. }) | None => None,
        }),
        NumberKey::Backlog => fits(match socket.queues {
            Some(Queues::Backlog { pending, .. }) => Some(pending.into()),
            Some(Queues::Bytes { .. }) | None => None,
        }),
        NumberKey::Retrans => {
            let info = details.and_then(|details| details.tcp_info.as_ref());
            fits(info.and_then(|info| info.total_retrans).map(u64::from))
        }
        NumberKey::Drops => fits(details.and_then(|details| details.drops).map(u64::from)),
    }
}

/// Returns whether the owner's command fits, by the name a person knows or by the kernel's.
fn command(owner: &Owner, glob: &Glob) -> bool {
    let fits = |name: &Option<Text>| name.as_ref().is_some_and(|n| glob.matches(n.as_bytes()));
    fits(&owner.process.command) || fits(&owner.process.comm)
}

/// Returns whether what is known of an owner by name fits. Where no owner is known, it is the control
/// group that the socket was made in.
fn text(key: TextKey, entry: &Entry, glob: &Glob) -> bool {
    let owners = entry.ownership.owners();
    let own = entry.socket.cgroup.as_deref();
    let hidden = own.filter(|_| matches!(entry.ownership, Ownership::Hidden(_)));
    let groups = || owners.iter().filter_map(|owner| owner.process.cgroup.as_ref());
    match key {
        TextKey::Exe => owners
            .iter()
            .filter_map(|owner| owner.process.exe.as_ref())
            .any(|exe| path(exe.path.as_bytes(), glob)),
        TextKey::Cwd => owners
            .iter()
            .filter_map(|owner| owner.process.cwd.as_ref())
            .any(|cwd| glob.matches(cwd.as_bytes())),
        TextKey::Unit => {
            let service = entry.socket.rare.service.as_ref();
            service.is_some_and(|service| glob.matches(service.as_bytes()))
                || groups().chain(hidden).any(|group| unit(group, glob))
        }
        TextKey::Container => groups()
            .chain(hidden)
            .filter_map(|group| group.container.as_ref())
            .any(|found| container(found, glob)),
        // As in ss the socket's own, too.
        TextKey::Cgroup => groups().chain(own).any(|group| glob.matches(group.path.as_bytes())),
    }
}

/// Returns whether the path or the name of the file fits.
fn path(path: &[u8], glob: &Glob) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next();
    glob.matches(path) || name.is_some_and(|name| glob.matches(name))
}

/// Returns whether a unit fits, with or without its `.service`.
fn unit(group: &Cgroup, glob: &Glob) -> bool {
    let fits = |unit: &Text| {
        let name = unit.as_bytes();
        let short = unit_kind(name).and_then(|kind| name.strip_suffix(kind.as_bytes()));
        glob.matches(name) || short.is_some_and(|short| glob.matches(short))
    };
    let full = || group.full_unit().filter(|_| group.user_unit.is_some());
    group.unit.iter().chain(&group.user_unit).any(fits) || full().is_some_and(|full| fits(&full))
}

/// Returns whether a container fits: its number from the start, its name (of a pod's also the pod's or the
/// container's part), its pod's uid, what runs it, or
/// what the column shows.
fn container(container: &Container, glob: &Glob) -> bool {
    let id = container.id.as_bytes();
    let start = id.get(..glob.len()).filter(|start| container.is_numbered() && !start.is_empty());
    glob.matches(id)
        || start.is_some_and(|start| glob.matches(start))
        || glob.matches(container.runtime.name().as_bytes())
        || container.name.as_ref().is_some_and(|name| {
            let mut parts = name.as_bytes().split(|byte| *byte == b'/');
            glob.matches(name.as_bytes()) || parts.any(|part| glob.matches(part))
        })
        || container.pod.as_ref().is_some_and(|pod| glob.matches(pod.as_bytes()))
        || glob.matches(container.to_string().as_bytes())
}

impl End {
    fn matches(&self, endpoint: &Endpoint) -> bool {
        match (self, endpoint) {
            (Self::Port(ports), Endpoint::Inet { port, .. }) => ports.contains((*port).into()),
            (Self::Host(network, ports), Endpoint::Inet { address, port, scope }) => {
                network.contains(*address, scope.as_deref())
                    && ports.as_ref().is_none_or(|ports| ports.contains((*port).into()))
            }
            (Self::Unix(glob), Endpoint::Path(path)) => glob.matches_any_case(path.as_bytes()),
            (Self::Unix(glob), Endpoint::Abstract(name)) => {
                glob.matches_any_case(&[b"@", name.as_bytes()].concat())
            }
            (Self::Port(_) | Self::Host(..), Endpoint::Path(_) | Endpoint::Abstract(_))
            | (Self::Unix(_), Endpoint::Inet { .. })
            | (
                _,
                Endpoint::Packet { .. }
                | Endpoint::Netlink { .. }
                | Endpoint::Vsock { .. }
                | Endpoint::Xdp { .. },
            ) => false,
        }
    }
}

impl Network {
    fn contains(&self, address: IpAddr, scope: Option<&Interface>) -> bool {
        let inside = match (&self.addresses, address.to_canonical()) {
            (IpNet::V4(network), IpAddr::V4(address)) => network.contains(&address),
            (IpNet::V6(network), IpAddr::V6(address)) => network.contains(&address),
            (IpNet::V4(_), IpAddr::V6(_)) | (IpNet::V6(_), IpAddr::V4(_)) => false,
        };
        inside
            && self
                .zone
                .as_ref()
                .is_none_or(|zone| scope.is_some_and(|interface| zone.is_at(interface)))
    }
}

impl Named {
    /// Returns whether this is the user with this number and name, of which either may be unknown.
    fn is(&self, uid: Option<Uid>, name: Option<&Text>) -> bool {
        let same_number = self.number.is_some_and(|number| uid == Some(Uid(number)));
        same_number || name.is_some_and(|name| self.name.matches(name.as_bytes()))
    }

    fn is_at(&self, interface: &Interface) -> bool {
        self.number == Some(interface.index)
            || interface.name.as_ref().is_some_and(|name| self.name.matches(name.as_bytes()))
    }
}
