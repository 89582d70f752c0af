//! Which sockets without holder are the kernel's, and why.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Packed;
use crate::kernel::{self, End, KernelPort, KernelReason, KernelService};
use crate::process::{HiddenReason, Ownership, Uid};
use crate::socket::{NetnsId, Protocol, Socket};
use crate::sockets::Place;
use crate::state::TcpState;

/// What the system is, and what it tells of the kernel's own ports.
#[derive(Debug)]
pub(super) struct Kernels {
    is_linux: bool,
    /// Whether a socket without inode surely has no descriptor. So it is on Linux, and so the own
    /// backends of other systems tell it; netstat2 tells no inodes there at all.
    tells_inodes: bool,
    /// Windows' tables name whoever made a socket for as long as it is open, and tell no inodes.
    is_windows: bool,
    told: HashMap<(Protocol, u16), Vec<KernelPort>>,
}

impl Kernels {
    pub(super) fn new(platform: &str, backend: &str, ports: Vec<KernelPort>) -> Self {
        let mut told: HashMap<_, Vec<KernelPort>> = HashMap::new();
        for port in ports {
            told.entry((port.protocol, port.port)).or_default().push(port);
        }
        let (is_linux, is_windows) = (platform == "linux", platform == "windows");
        let tells_inodes = is_linux || (backend == platform && !is_windows);
        Self { is_linux, tells_inodes, is_windows, told }
    }

    /// Returns why a socket without known holder is surely the kernel's; `None` when it may be anybody's.
    pub(super) fn surely(&self, socket: &Socket) -> Option<KernelReason> {
        self.kept(socket).or_else(|| {
            let ends = [(End::Local, &socket.local), (End::Peer, &socket.peer)];
            let ports = ends.into_iter().filter_map(|(at, end)| {
                let port = end.as_ref()?.port()?;
                let told = self.told.get(&(socket.protocol, port))?;
                Some(told.iter().filter(move |told| told.end == at))
            });
            kernel::told(socket, ports.flatten()).map(service)
        })
    }

    /// Returns why a socket without known holder is the kernel's by its nature: TIME_WAIT, and an orphan
    /// that was closed while it still had something to send or to wait for. That has no inode.
    fn kept(&self, socket: &Socket) -> Option<KernelReason> {
        match socket.state {
            _ if socket.is_kernels_netlink() => Some(KernelReason::Netlink),
            Some(TcpState::TimeWait) => Some(KernelReason::TimeWait),
            Some(
                TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing | TcpState::LastAck,
            ) => {
                let is_unheld = self.is_windows || (socket.inode.is_none() && self.tells_inodes);
                is_unheld.then_some(KernelReason::Orphan)
            }
            Some(_) | None => None,
        }
    }

    /// Returns why a socket that surely no process holds must be the kernel's: it is root's, and its
    /// port is the usual one of a service.
    pub(super) fn probably(&self, socket: &Socket) -> Option<KernelReason> {
        let is_roots = socket.inode.is_some() && socket.uid == Some(Uid(0));
        let kind = kernel::usual(socket).filter(|_| self.is_linux && is_roots)?;
        Some(service(KernelService { kind, links: Vec::new(), is_inferred: true }))
    }
}

/// Gives what is being opened to a port where nobody listens any more to the kernel, which drops it
/// soon.
pub(super) fn take_unheard(rows: &mut Packed) {
    let port = |socket: &Socket| Some((socket.netns, socket.local.as_ref()?.port()?));
    let is_opening =
        |socket: &Socket| socket.inode.is_none() && socket.state == Some(TcpState::SynRecv);
    let asked = |place| match rows.entry(place)?.ownership {
        Ownership::Hidden(reason) => Some(reason != HiddenReason::NotAsked),
        Ownership::Held(_) | Ownership::Kernel(_) => None,
    };
    if !rows.facts().kernels.tells_inodes {
        return;
    }
    let mut unheard: Vec<(Place, Socket)> =
        rows.sockets_where(is_opening).filter(|&(place, _)| asked(place) == Some(true)).collect();
    if unheard.is_empty() {
        return;
    }
    let listening = |socket: &Socket| socket.state == Some(TcpState::Listen);
    let heard: HashSet<(Option<NetnsId>, u16)> =
        rows.sockets_where(listening).filter_map(|(_, socket)| port(&socket)).collect();
    unheard.retain(|(_, socket)| port(socket).is_some_and(|port| !heard.contains(&port)));
    for (place, _) in unheard {
        rows.change(place, |entry| entry.ownership = Ownership::Kernel(KernelReason::NoListener));
    }
}

fn service(service: KernelService) -> KernelReason {
    KernelReason::Service(Arc::new(service))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::join;
    use crate::kernel::Service;
    use crate::process::{Holder, Pid, Via};
    use crate::snapshot::{Collected, Gap, Missing, Timestamp};
    use crate::socket::{Family, Inode, SocketId};

    fn socket(protocol: Protocol, state: Option<TcpState>, local: &str) -> Socket {
        let mut socket = Socket::new(SocketId(1), protocol, Family::Inet);
        socket.state = state;
        socket.local = Some(local.parse::<std::net::SocketAddr>().unwrap().into());
        (socket.inode, socket.uid) = (Some(Inode(1)), Some(Uid(0)));
        socket
    }

    fn vxlan() -> Socket {
        socket(Protocol::Udp, None, "0.0.0.0:4789")
    }

    /// Whose the last of the sockets is, when every descriptor was read and the rest is like this.
    fn last(sockets: Vec<Socket>, change: impl FnOnce(&mut Collected)) -> Ownership {
        let now = Timestamp(std::time::SystemTime::UNIX_EPOCH);
        let mut collected = Collected::new(now, "linux", "linux");
        collected.holders = Some(Vec::new());
        collected.sockets = sockets;
        change(&mut collected);
        join(collected).entries.pop().unwrap().ownership
    }

    fn told(collected: &mut Collected) {
        let port = KernelPort::new(Service::Vxlan, Protocol::Udp, 4789);
        collected.kernel_ports = vec![KernelPort { link: Some("vx0".into()), ..port }];
    }

    fn unseen(collected: &mut Collected) {
        collected.gaps.push(Gap::new(Missing::Descriptors, "permission denied"));
    }

    /// The service, its links, and whether it is inferred.
    fn facts(ownership: &Ownership) -> Option<(Service, usize, bool)> {
        let KernelService { kind, links, is_inferred } = ownership.service()?;
        Some((*kind, links.len(), *is_inferred))
    }

    #[test]
    fn what_the_system_tells_is_certain_whoever_looks() {
        let certain = Some((Service::Vxlan, 1, false));
        assert_eq!(facts(&last(vec![vxlan()], told)), certain);
        let seen_by_nobody = |collected: &mut Collected| {
            told(collected);
            unseen(collected);
        };
        assert_eq!(facts(&last(vec![vxlan()], seen_by_nobody)), certain);
    }

    #[test]
    fn a_port_alone_convinces_only_where_everything_was_seen_and_root_has_it() {
        assert_eq!(facts(&last(vec![vxlan()], |_| ())), Some((Service::Vxlan, 0, true)));
        let hidden = |socket, change: fn(&mut Collected)| {
            matches!(last(vec![socket], change), Ownership::Hidden(_))
        };
        assert!(hidden(vxlan(), unseen));
        assert!(hidden(vxlan(), |collected| collected.vanished = vec![SocketId(1)]));
        assert!(hidden(vxlan(), |collected| collected.holders = None));
        assert!(hidden(vxlan(), |collected| collected.platform = "macos".to_owned()));
        assert!(hidden(Socket { uid: Some(Uid(1000)), ..vxlan() }, |_| ()));
        assert!(hidden(socket(Protocol::Udp, None, "0.0.0.0:53"), |_| ()));
    }

    #[test]
    fn who_holds_a_socket_has_it_whatever_the_system_tells_of_its_port() {
        let held = last(vec![vxlan()], |collected| {
            told(collected);
            let (pid, socket) = (Pid(7), SocketId(1));
            collected.holders =
                Some(vec![Holder { pid, tid: None, fd: None, socket, via: Via::Fd }]);
        });
        assert!(matches!(held, Ownership::Held(_)));
    }

    fn opening() -> Socket {
        let opening = socket(Protocol::Tcp, Some(TcpState::SynRecv), "127.0.0.1:2049");
        Socket { id: SocketId(2), inode: None, uid: None, ..opening }
    }

    #[test]
    fn what_waits_at_the_kernels_listener_is_its_service_s_too() {
        let listener = socket(Protocol::Tcp, Some(TcpState::Listen), "0.0.0.0:2049");
        let ownership = last(vec![listener, opening()], |_| ());
        assert_eq!(facts(&ownership), Some((Service::Nfsd, 0, true)));
    }

    #[test]
    fn what_is_being_opened_to_nobody_is_the_kernels() {
        let nobody = Ownership::Kernel(KernelReason::NoListener);
        assert_eq!(last(vec![opening()], |_| ()), nobody);
        assert_eq!(last(vec![opening()], unseen), nobody);
        let not_asked = last(vec![opening()], |collected| collected.holders = None);
        assert_eq!(not_asked, Ownership::Hidden(HiddenReason::NotAsked));
        // One at the port, though not its own: it may be bound to a device that the row does not tell.
        let mut listener = socket(Protocol::Tcp, Some(TcpState::Listen), "10.0.0.1:2049");
        listener.uid = Some(Uid(1));
        assert!(matches!(last(vec![listener, opening()], |_| ()), Ownership::Hidden(_)));
    }
}
