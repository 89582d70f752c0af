//! Hand-made rows, one of each kind a filter may meet.

use std::sync::Arc;
use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::details::Details;
use crate::kernel::KernelReason;
use crate::process::{Exe, ExeState, Fd, HiddenReason, Owner, Ownership, Pid, Process, Uid, Via};
use crate::snapshot::Entry;
use crate::socket::{
    Cookie, Endpoint, Family, Inode, Interface, NetnsId, Protocol, Queues, Socket, SocketId,
};
use crate::state::TcpState;
use crate::tcp_info::TcpInfo;
use crate::text::Text;

/// A container's number, and a pod's.
const CONTAINER: &str = "4f5d0c1e9b8a7d6c5b4a39281706f5e4d3c2b1a0918273645546372819a0b1c2";
const POD: &str = "1f2e3d4c-5b6a-7980-8f9e-0a1b2c3d4e5f";

/// The names of all rows, in order.
pub(super) const ALL: &[&str] =
    &["web", "node", "mapped", "tw", "link", "dns", "quic", "waiting", "bus", "x11"];

#[expect(clippy::too_many_lines, reason = "one row after the other")]
pub(super) fn rows() -> Vec<(&'static str, Entry)> {
    vec![
        // Listens on port 80; a parent and its worker hold it.
        ("web", {
            let mut row = tcp(TcpState::Listen, "0.0.0.0:80", None);
            row.socket.queues = Some(Queues::Backlog { pending: 3, limit: Some(128) });
            row.socket.inode = Some(Inode(10));
            row.socket.cookie = Some(Cookie(0x1f));
            row.socket.netns = Some(NetnsId(4_026_531_840));
            row.netns_name = Some("host".into());
            row.socket.uid = Some(Uid(0));
            row.user = Some("root".into());
            let mut worker = owner(101, 100, "nginx", "nginx", (33, "www-data"), 7);
            let mut process = Process::clone(&worker.process);
            process.exe = Some(Exe { path: "/usr/sbin/nginx".into(), state: ExeState::Replaced });
            process.cwd = Some("/srv/www".into());
            process.cgroup = Some(Cgroup::new("/system.slice/nginx.service".into()));
            process.age = Some(Duration::from_millis(3_600_900));
            worker.process = Arc::new(process);
            row.ownership = Ownership::Held(
                vec![owner(100, 1, "nginx", "nginx", (0, "root"), 6), worker].into(),
            );
            row
        }),
        // An open connection of a process the kernel knows by its thread's name.
        ("node", {
            let mut row = tcp(TcpState::Established, "127.0.0.1:3000", Some("10.1.2.3:50000"));
            row.socket.queues = Some(Queues::Bytes { recv: 5, send: 700 });
            row.socket.details = Some(Box::new(Details {
                tcp_info: Some(Box::new(TcpInfo { total_retrans: Some(3), ..TcpInfo::default() })),
                ..Details::default()
            }));
            row.socket.rare.make_mut().interface = Some(interface(2, "eth0").into());
            let mut node = owner(200, 50, "node", "MainThread", (1000, "alice"), 20);
            let mut process = Process::clone(&node.process);
            let app = "/user.slice/user@1000.service/app.slice/snap.node.node-1f.scope";
            process.cgroup = Some(Cgroup::new(app.into()));
            process.age = Some(Duration::from_secs(90));
            node.process = Arc::new(process);
            // Handed over by systemd, which made it.
            row.socket.cgroup = Some(Cgroup::new("/init.scope".into()).into());
            row.ownership = Ownership::Held(vec![node].into());
            row
        }),
        // IPv4 on an inet6 socket, whose owner may not be seen.
        ("mapped", {
            let (local, peer) = ("[::ffff:192.168.1.5]:443", "[::ffff:192.168.1.9]:40000");
            let mut row = tcp(TcpState::CloseWait, local, Some(peer));
            row.socket.family = Family::Inet6;
            row.socket.uid = Some(Uid(1000));
            row.socket.cgroup = Some(
                Cgroup::new(format!("/kubepods/pod{POD}/crio-{CONTAINER}").as_str().into()).into(),
            );
            row.ownership = Ownership::Hidden(HiddenReason::Permission);
            row
        }),
        ("tw", {
            let mut row = tcp(TcpState::TimeWait, "127.0.0.1:80", Some("127.0.0.1:55555"));
            row.socket.cgroup = Some(Cgroup::new("/system.slice/gone.service".into()).into());
            row.ownership = Ownership::Kernel(KernelReason::TimeWait);
            row
        }),
        ("link", {
            let mut row = tcp(TcpState::SynSent, "[fe80::1]:5000", Some("[fe80::2]:22"));
            row.socket.family = Family::Inet6;
            for end in [&mut row.socket.local, &mut row.socket.peer] {
                if let Some(Endpoint::Inet { scope, .. }) = end {
                    *scope = Some(interface(2, "eth0").into());
                }
            }
            row.ownership =
                Ownership::Held(vec![owner(300, 1, "ssh", "ssh", (1000, "alice"), 3)].into());
            row
        }),
        ("dns", {
            let mut row = row(Protocol::Udp, Some("0.0.0.0:53"), None);
            row.socket.rare.make_mut().interface = Some(interface(1, "lo").into());
            row.socket.details = Some(Box::new(Details { drops: Some(7), ..Details::default() }));
            row.ownership = Ownership::Held(
                vec![owner(400, 1, "dnsmasq", "dnsmasq", (65534, "nobody"), 4)].into(),
            );
            row
        }),
        // A row of Windows or netstat2: no descriptor, no user number.
        ("quic", {
            let mut row = row(Protocol::Udp, Some("[2001:db8::1]:1234"), Some("[2001:db8::2]:443"));
            row.socket.family = Family::Inet6;
            let mut process = Process::new(Pid(500));
            process.command = Some("Web Content".into());
            process.user = Some(r"HOME\bob".into());
            row.ownership = Ownership::Held(
                Owner { process: Arc::new(process), tid: None, fd: None, via: Via::Table }.into(),
            );
            row
        }),
        // Not accepted yet; attributed to the listener's owner.
        ("waiting", {
            let mut row = tcp(TcpState::SynRecv, "10.0.0.1:80", Some("10.9.9.9:1111"));
            let mut owner = owner(100, 1, "nginx", "nginx", (0, "root"), 6);
            owner.fd = None;
            owner.via = Via::AcceptQueue;
            row.ownership = Ownership::Held(vec![owner].into());
            row
        }),
        ("bus", {
            let mut row = row(Protocol::Unix, None, None);
            row.socket.local = Some(Endpoint::Path("/run/dbus/System Bus".into()));
            row.socket.state = Some(TcpState::Listen);
            row.ownership =
                Ownership::Held(vec![owner(600, 1, "a)b, c", "a)b, c", (0, "root"), 4)].into());
            row
        }),
        ("x11", {
            let mut row = row(Protocol::Unix, None, None);
            row.socket.local = Some(Endpoint::Abstract("/tmp/.X11-unix/X0".into()));
            row.socket.peer = Some(Endpoint::Path(Text::from(b"\xff".to_vec())));
            row.ownership = Ownership::Hidden(HiddenReason::NotAsked);
            row
        }),
    ]
}

fn tcp(state: TcpState, local: &str, peer: Option<&str>) -> Entry {
    let mut row = row(Protocol::Tcp, Some(local), peer);
    row.socket.state = Some(state);
    row
}

fn row(protocol: Protocol, local: Option<&str>, peer: Option<&str>) -> Entry {
    let family = if protocol == Protocol::Unix { Family::Unix } else { Family::Inet };
    let mut socket = Socket::new(SocketId(1), protocol, family);
    let end = |text: &str| Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap());
    socket.local = local.map(end);
    socket.peer = peer.map(end);
    Entry {
        socket,
        ownership: Ownership::Hidden(HiddenReason::NotAsked),
        user: None,
        netns_name: None,
        peer_owners: crate::rare::Rare::default(),
    }
}

fn owner(pid: u32, parent: u32, command: &str, comm: &str, user: (u32, &str), fd: u32) -> Owner {
    let mut process = Process::new(Pid(pid));
    process.ppid = Some(Pid(parent));
    process.command = Some(command.into());
    process.comm = Some(comm.into());
    process.uid = Some(Uid(user.0));
    process.user = Some(user.1.into());
    Owner { process: Arc::new(process), tid: None, fd: Some(Fd(fd)), via: Via::Fd }
}

fn interface(index: u32, name: &str) -> Interface {
    Interface { index, name: Some(name.into()) }
}
