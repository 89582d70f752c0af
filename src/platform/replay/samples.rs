//! Collections for tests: arbitrary ones, and the emptiest.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::option::of;
use proptest::prelude::*;

use crate::cgroup::{Cgroup, Container, Runtime};
use crate::details::{Details, SocketOption};
use crate::kernel::{KernelPort, Service};
use crate::process::{Exe, ExeState, Fd, Holder, Pid, Process, Tid, Uid, Via};
use crate::snapshot::{Collected, Gap, Missing, Timestamp};
use crate::socket::{
    CgroupId, Cookie, Endpoint, Family, Inode, Interface, NetnsId, Protocol, Queues, RareFacts,
    Socket, SocketId, SocketType, Timer, TimerKind,
};
use crate::state::TcpState;
use crate::tcp_info::TcpInfo;
use crate::text::Text;

/// Returns a collection with nothing in it.
pub(crate) fn empty() -> Collected {
    Collected::new(Timestamp(SystemTime::UNIX_EPOCH), "linux", "linux")
}

/// Returns plain sockets with the ids from 1 to `count`.
pub(crate) fn sockets(count: u64) -> Vec<Socket> {
    (1..=count).map(|id| Socket::new(SocketId(id), Protocol::Tcp, Family::Inet)).collect()
}

/// A name with a mark in it, so that a test can look for what should be gone.
fn name() -> impl Strategy<Value = Text> {
    ("[a-d]{1,3}", prop::collection::vec(any::<u8>(), 0..4)).prop_map(|(word, mut bytes)| {
        bytes.splice(0..0, format!("SECRET-{word}-").into_bytes());
        Text::from(bytes)
    })
}

fn interface() -> impl Strategy<Value = Box<Interface>> {
    (1..9u32, of(name())).prop_map(|(index, name)| Box::new(Interface { index, name }))
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
        any::<u32>().prop_map(|bits| IpAddr::V6((0xffff_0000_0000 | u128::from(bits)).into())),
        (0xfe80_u128 << 112..0xfe80_u128 << 112 | 3).prop_map(|bits| IpAddr::V6(bits.into())),
        (0x0a00_0000..0x0a00_0004_u32).prop_map(|bits| IpAddr::V4(bits.into())),
    ]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        (address(), any::<u16>(), of(interface()))
            .prop_map(|(address, port, scope)| Endpoint::Inet { address, port, scope }),
        name().prop_map(Endpoint::Path),
        name().prop_map(Endpoint::Abstract),
        (any::<u16>(), of(interface()))
            .prop_map(|(ethertype, interface)| Endpoint::Packet { ethertype, interface }),
        any::<(u8, u32)>().prop_map(|(protocol, port)| Endpoint::Netlink { protocol, port }),
    ]
}

fn socket() -> impl Strategy<Value = Socket> {
    let kind = (
        prop::sample::select(&Protocol::ALL[..]),
        prop::sample::select(&Family::ALL[..]),
        of(prop::sample::select(TcpState::all().collect::<Vec<_>>())),
    );
    let queues = prop_oneof![
        any::<(u32, u32)>().prop_map(|(recv, send)| Queues::Bytes { recv, send }),
        any::<(u32, Option<u32>)>().prop_map(|(pending, limit)| Queues::Backlog { pending, limit }),
    ];
    let timer = any::<(u32, u8)>().prop_map(|(expires_ms, retransmits)| Timer {
        kind: TimerKind::Keepalive,
        expires_ms,
        retransmits,
    });
    let unix = (of(prop::sample::select(&SocketType::ALL[..])), any::<Option<u64>>());
    let identity =
        any::<(Option<u64>, Option<u64>, Option<u64>, Option<u64>, Option<u32>, Option<bool>)>();
    let details = (any::<(Option<u32>, bool)>(), of(prop::collection::vec(any::<u8>(), 0..300)));
    let ends = (of(endpoint()), of(endpoint()));
    let identity = (identity, of(cgroup()));
    (kind, ends, of(queues), of(timer), of(interface()), identity, unix, details).prop_map(
        |(kind, (local, peer), queues, timer, interface, (identity, cgroup), unix, details)| {
            let (protocol, family, state) = kind;
            let (socket_type, peer_inode) = unix;
            let (inode, cookie, netns, cgroup_id, uid, v6only) = identity;
            let ((drops, option), info) = details;
            let details = Details {
                drops,
                options: option.then(|| vec![SocketOption::Freebind]),
                tcp_info: info.map(|bytes| Box::new(TcpInfo::decode(&bytes))),
                ..Details::default()
            };
            let rare = RareFacts {
                peer_inode: peer_inode.map(Inode),
                waiting_inodes: peer_inode.map(Inode).into_iter().collect(),
                interface,
                protocol_name: option.then(|| "TCP".into()),
                ..RareFacts::default()
            };
            Socket {
                state,
                local,
                peer,
                socket_type,
                queues,
                timer,
                v6only,
                inode: inode.map(Inode),
                cookie: cookie.map(Cookie),
                netns: netns.map(NetnsId),
                cgroup_id: cgroup_id.map(CgroupId),
                cgroup: cgroup.map(Arc::new),
                rare: rare.into(),
                uid: uid.map(Uid),
                details: drops.map(|_| Box::new(details)),
                ..Socket::new(SocketId(0), protocol, family)
            }
        },
    )
}

fn cgroup() -> impl Strategy<Value = Cgroup> {
    let container = (name(), of(name()), of(name())).prop_map(|(id, name, pod)| Container {
        runtime: Runtime::Docker,
        id,
        name,
        pod,
    });
    (name(), of(name()), of(name()), of(container)).prop_map(
        |(path, unit, user_unit, container)| {
            let mut cgroup = Cgroup::new(path);
            (cgroup.unit, cgroup.user_unit) = (unit, user_unit);
            cgroup.container = container;
            cgroup
        },
    )
}

fn exe() -> impl Strategy<Value = Exe> {
    let states = vec![ExeState::Current, ExeState::Deleted, ExeState::Replaced];
    (name(), prop::sample::select(states)).prop_map(|(path, state)| Exe { path, state })
}

fn process() -> impl Strategy<Value = Process> {
    let names = (of(name()), of(name()), of(name()), of(prop::collection::vec(name(), 0..4)));
    let numbers = any::<(Option<u32>, Option<u32>, Option<u64>)>();
    let details = (of(exe()), of(name()), of(cgroup()), of(0..4_000_000_000_u64));
    (0..20u32, names, numbers, details).prop_map(|(pid, names, numbers, details)| {
        let (command, comm, user, argv) = names;
        let (ppid, uid, start) = numbers;
        let (exe, cwd, cgroup, started) = details;
        let moment = |seconds| Timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        Process {
            command,
            comm,
            user,
            argv,
            ppid: ppid.map(Pid),
            uid: uid.map(Uid),
            start,
            started_at: started.map(moment),
            exe,
            cwd,
            cgroup,
            ..Process::new(Pid(pid))
        }
    })
}

fn holder() -> impl Strategy<Value = Holder> {
    (0..20u32, of(any::<u32>()), 1..9u64).prop_map(|(pid, fd, socket)| Holder {
        pid: Pid(pid),
        tid: fd.map(Tid),
        fd: fd.map(Fd),
        socket: SocketId(socket),
        via: if fd.is_some() { Via::Fd } else { Via::Table },
    })
}

fn kernel_port() -> impl Strategy<Value = KernelPort> {
    (any::<u16>(), of(name()), of(address())).prop_map(|(port, link, address)| {
        let address = address.map(|address| address.to_canonical());
        KernelPort { link, address, ..KernelPort::new(Service::Vxlan, Protocol::Udp, port) }
    })
}

/// Returns collections of every shape, each name of which holds `SECRET`.
pub(crate) fn collected() -> impl Strategy<Value = Collected> {
    (
        prop::collection::vec(socket(), 0..8),
        of(prop::collection::vec(holder(), 0..12)),
        prop::collection::vec(process(), 0..6),
        prop::collection::btree_map(any::<u32>().prop_map(Uid), name(), 0..6),
        prop::collection::btree_map(any::<u64>().prop_map(NetnsId), name(), 0..3),
        prop::collection::vec(any::<u64>().prop_map(SocketId), 0..3),
        prop::collection::vec(kernel_port(), 0..3),
        prop::collection::vec(any::<(bool, Option<u64>)>(), 0..3),
        0..4_000_000_000_u64,
    )
        .prop_map(
            |(
                mut sockets,
                holders,
                processes,
                users,
                netns_names,
                vanished,
                ports,
                gaps,
                seconds,
            )| {
                for (id, socket) in (1..).zip(&mut sockets) {
                    socket.id = SocketId(id);
                }
                let gaps = gaps.into_iter().map(|(hint, count)| Gap {
                    count,
                    hint: hint.then(|| "run with sudo".to_owned()),
                    ..Gap::new(Missing::Descriptors, "permission denied")
                });
                Collected {
                    collected_at: Timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
                    sockets,
                    holders,
                    processes,
                    users,
                    netns_names,
                    vanished,
                    kernel_ports: ports,
                    gaps: gaps.collect(),
                    ..empty()
                }
            },
        )
}
