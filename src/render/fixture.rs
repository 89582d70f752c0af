//! The snapshot that tests render: one row of every kind that is easy to get wrong.

use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::details::{Details, Memory, SocketOption};
use crate::join::join;
use crate::process::{Exe, ExeState, Fd, Holder, Pid, Process, Tid, Uid, Via};
use crate::render::column::Column;
use crate::render::names::ResolvedNames;
use crate::render::row::Rows;
use crate::snapshot::{Collected, Entry, Gap, Missing, Snapshot, Timestamp};
use crate::socket::{
    CgroupId, Cookie, Endpoint, Family, Inode, Interface, NetnsId, Protocol, Queues, Socket,
    SocketId, SocketType, Timer, TimerKind,
};
use crate::state::TcpState;
use crate::tcp_info::{Recovery, TcpInfo};
use crate::text::Text;

/// Returns the cells of a column, one row a socket.
pub(crate) fn cells(entries: &[Entry], column: Column) -> Vec<String> {
    let names = ResolvedNames::default();
    let cell = |row| {
        let mut cell = String::new();
        (column.spec().cell)(&row, &names, &mut cell);
        cell
    };
    Rows::Sockets.of(entries).map(cell).collect()
}

/// Returns the snapshot.
pub(crate) fn snapshot() -> Snapshot {
    join(collected())
}

#[expect(clippy::too_many_lines, reason = "one socket after the other")]
pub(crate) fn collected() -> Collected {
    let morning = humantime::parse_rfc3339("2026-11-22T10:00:00Z").unwrap();
    let mut all = Collected::new(Timestamp(morning), "linux", "linux");
    all.users = [(0, "root"), (33, "www-data"), (999, "redis"), (1000, "alice")]
        .map(|(uid, name)| (Uid(uid), Text::from(name)))
        .into();
    all.netns_names = [(NetnsId(4_026_531_840), Text::from("host"))].into();
    all.gaps = vec![
        Gap::new(Missing::Descriptors, "permission denied")
            .count(41)
            .hint("run as root (sudo) to see other users' processes"),
        Gap::new(Missing::Sockets, "module not loaded").detail("udplite over inet6").count(1),
    ];
    let mut holders = Vec::new();
    let mut hold = |pid, fd, socket| {
        holders.push(Holder { pid: Pid(pid), tid: None, fd: Some(Fd(fd)), socket, via: Via::Fd });
    };

    // A forked family shares a dual-stack listener; one worker has a client, one more waits.
    let mut listener = socket(&mut all, Protocol::Tcp, "[::]:443", None, TcpState::Listen, 0);
    listener.queues = Some(Queues::Backlog { pending: 1, limit: Some(511) });
    listener.v6only = Some(false);
    hold(811, 6, listener.id);
    for worker in 812..815 {
        hold(worker, 6, listener.id);
    }
    all.sockets.push(listener);
    let client = "[::ffff:198.51.100.7]:50312";
    let mut accepted = socket(
        &mut all,
        Protocol::Tcp,
        "[::ffff:192.0.2.10]:443",
        Some(client),
        TcpState::Established,
        33,
    );
    accepted.queues = Some(Queues::Bytes { recv: 0, send: 2880 });
    accepted.timer = Some(Timer { kind: TimerKind::On, expires_ms: 412, retransmits: 3 });
    accepted.details = Some(Box::new(details()));
    hold(813, 11, accepted.id);
    all.sockets.push(accepted);
    let mut waiting = socket(
        &mut all,
        Protocol::Tcp,
        "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:443",
        Some("[2001:db8:ffff:1:2:3:4:5]:61034"),
        TcpState::Established,
        0,
    );
    (waiting.inode, waiting.uid) = (None, None);
    all.sockets.push(waiting);
    let mut over = socket(
        &mut all,
        Protocol::Tcp,
        "[::ffff:192.0.2.10]:443",
        Some("[::ffff:203.0.113.9]:40022"),
        TcpState::TimeWait,
        0,
    );
    (over.inode, over.uid, over.queues) = (None, None, None);
    over.timer = Some(Timer { kind: TimerKind::Timewait, expires_ms: 43_210, retransmits: 0 });
    all.sockets.push(over);

    // Names that others chose.
    let redis = tcp_listener(&mut all, "127.0.0.1:6379", 999);
    hold(900, 7, redis);
    let hostile = tcp_listener(&mut all, "127.0.0.1:31337", 1000);
    hold(4444, 3, hostile);
    let wide = tcp_listener(&mut all, "0.0.0.0:8080", 1000);
    hold(5001, 3, wide);
    let long = tcp_listener(&mut all, "[::1]:9229", 1000);
    hold(123_456, 24, long);
    let raw = tcp_listener(&mut all, "127.0.0.1:7000", 1000);
    hold(6000, 1, raw);

    // Hidden, vanished, half closed, merely bound.
    tcp_listener(&mut all, "127.0.0.1:5432", 70);
    if let Some(hidden) = all.sockets.last_mut() {
        hidden.cgroup_id = Some(CgroupId(4711));
        hidden.cgroup = Some(cgroup("/system.slice/postgresql.service").into());
    }
    let gone = tcp_listener(&mut all, "127.0.0.1:4000", 1000);
    all.vanished.push(gone);
    let half = socket(
        &mut all,
        Protocol::Tcp,
        "127.0.0.1:45678",
        Some("127.0.0.1:6379"),
        TcpState::CloseWait,
        1000,
    );
    hold(5001, 9, half.id);
    all.sockets.push(half);
    let mut bound = socket(&mut all, Protocol::Tcp, "127.0.0.1:3000", None, TcpState::Bound, 1000);
    bound.rare.make_mut().interface =
        Some(Box::new(Interface { index: 1, name: Some("lo".into()) }));
    hold(5001, 12, bound.id);
    all.sockets.push(bound);

    // UDP: bound, and connected over a link-local address.
    let mut dns = socket(&mut all, Protocol::Udp, "0.0.0.0:5353", None, None, 0);
    dns.queues = Some(Queues::Bytes { recv: 4096, send: 0 });
    dns.details = Some(Box::new(Details { drops: Some(41), ..Details::default() }));
    hold(700, 12, dns.id);
    hold(700, 13, dns.id);
    all.sockets.push(dns);
    let mut link = socket(&mut all, Protocol::Udp, "[fe80::1]:546", Some("[fe80::2]:547"), None, 0);
    let scope = Some(Box::new(Interface { index: 2, name: Some("eth0".into()) }));
    for end in [&mut link.local, &mut link.peer] {
        if let Some(Endpoint::Inet { scope: end, .. }) = end {
            end.clone_from(&scope);
        }
    }
    hold(700, 14, link.id);
    all.sockets.push(link);

    // UNIX: a path, an abstract name, no name.
    for (fd, name) in [
        (20, Some(Endpoint::Path("/run/a b\nc.sock".into()))),
        (21, Some(Endpoint::Abstract("bus".into()))),
        (22, None),
    ] {
        let mut unix = socket(&mut all, Protocol::Unix, "0.0.0.0:0", None, None, 1000);
        unix.family = Family::Unix;
        (unix.local, unix.queues) = (name, None);
        unix.socket_type = Some(SocketType::Stream);
        unix.state = Some(if fd == 20 { TcpState::Listen } else { TcpState::Established });
        match fd {
            20 => {}
            // The other two are the ends of one connection.
            21 => unix.rare.make_mut().peer_inode = unix.inode.map(|inode| Inode(inode.0 + 1)),
            _ => unix.rare.make_mut().peer_inode = unix.inode.map(|inode| Inode(inode.0 - 1)),
        }
        hold(5001, fd, unix.id);
        all.sockets.push(unix);
    }

    // One is in the table that a thread has for itself.
    for holder in holders.iter_mut().filter(|holder| holder.pid == Pid(6000)) {
        (holder.tid, holder.via) = (Some(Tid(6003)), Via::ThreadFd);
    }
    all.holders = Some(holders);
    all.processes = vec![
        process(700, 1, "systemd-resolve", 0, &["/lib/systemd/systemd-resolved"]),
        // Upgraded since it was started.
        Process {
            started_at: Some(Timestamp(morning - Duration::from_hours(11 * 24 + 3))),
            exe: Some(Exe { path: "/usr/sbin/nginx".into(), state: ExeState::Replaced }),
            cwd: Some("/".into()),
            cgroup: Some(cgroup("/system.slice/nginx.service")),
            ..process(811, 1, "nginx", 0, &["nginx: master process /usr/sbin/nginx"])
        },
        process(812, 811, "nginx", 33, &["nginx: worker process"]),
        process(813, 811, "nginx", 33, &["nginx: worker process"]),
        process(814, 811, "nginx", 33, &["nginx: worker process"]),
        Process {
            started_at: Some(Timestamp(morning - Duration::from_secs(725))),
            exe: Some(Exe { path: "/usr/bin/redis-server".into(), state: ExeState::Current }),
            cwd: Some("/data".into()),
            cgroup: Some(cgroup(
                "/docker/4f5d0c1e9b8a7d6c5b4a39281706f5e4d3c2b1a0918273645546372819a0b1c2",
            )),
            ..process(900, 1, "redis-server", 999, &["redis-server", "127.0.0.1:6379"])
        },
        process(4444, 1000, "evil\x1b]0;x\x07\n", 1000, &["evil", "\u{202e}gnp.exe"]),
        Process {
            started_at: Some(Timestamp(morning - Duration::from_secs(45))),
            exe: Some(Exe {
                path: Text::from(b"/tmp/\x1b[31m\xff".to_vec()),
                state: ExeState::Deleted,
            }),
            cgroup: Some(cgroup(
                "/user.slice/user-1000.slice/user@1000.service/app.slice/app-a b.scope",
            )),
            ..process(5001, 1000, "日本語サーバー", 1000, &["python3", "サーバー.py"])
        },
        process(
            123_456,
            1000,
            "a-program-with-a-very-long-name-indeed",
            1000,
            &["/opt/a-program-with-a-very-long-name-indeed", "--inspect", "--verbose"],
        ),
        Process {
            nspid: Some(Pid(17)),
            command: Some(Text::from(b"caf\xe9 bar".to_vec())),
            comm: None,
            ..process(6000, 1, "", 4000, &[])
        },
    ];
    all
}

fn cgroup(path: &str) -> Cgroup {
    Cgroup::new(path.into())
}

fn socket(
    all: &mut Collected,
    protocol: Protocol,
    local: &str,
    peer: Option<&str>,
    state: impl Into<Option<TcpState>>,
    uid: u32,
) -> Socket {
    let number = u64::try_from(all.sockets.len()).unwrap() + 1;
    let end = |text: &str| Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap());
    let local = end(local);
    let family = match local.address() {
        Some(address) if address.is_ipv6() => Family::Inet6,
        Some(_) | None => Family::Inet,
    };
    let mut socket = Socket::new(SocketId(number), protocol, family);
    socket.local = Some(local);
    socket.peer = peer.map(end);
    socket.state = state.into();
    socket.queues = Some(Queues::Bytes { recv: 0, send: 0 });
    socket.inode = Some(Inode(20_000 + number));
    socket.cookie = Some(Cookie(4_096 + number));
    socket.netns = Some(NetnsId(4_026_531_840));
    socket.uid = Some(Uid(uid));
    socket
}

/// Returns the details of a connection of Linux 6.18 that lost segments.
fn details() -> Details {
    let tcp_info = TcpInfo {
        recovery: Some(Recovery::Recovery),
        rtt_us: Some(18_204),
        cwnd: Some(10),
        total_retrans: Some(3),
        bytes_received: Some(517),
        bytes_sent: Some(10_080),
        bytes_retrans: Some(4_344),
        ..TcpInfo::default()
    };
    Details {
        tcp_info: Some(Box::new(tcp_info)),
        memory: Some(Memory {
            receive: 0,
            receive_limit: 131_072,
            send_limit: 87_040,
            send: 5_120,
            ..Memory::default()
        }),
        drops: Some(0),
        congestion: Some("cubic".into()),
        options: Some(vec![SocketOption::Freebind, SocketOption::Transparent]),
        ..Details::default()
    }
}

fn tcp_listener(all: &mut Collected, local: &str, uid: u32) -> SocketId {
    let mut listener = socket(all, Protocol::Tcp, local, None, TcpState::Listen, uid);
    listener.queues = Some(Queues::Backlog { pending: 0, limit: Some(128) });
    let id = listener.id;
    all.sockets.push(listener);
    id
}

fn process(pid: u32, parent: u32, command: &str, uid: u32, argv: &[&str]) -> Process {
    Process {
        ppid: Some(Pid(parent)),
        command: Some(command.into()),
        comm: Some(Text::from(command.bytes().take(15).collect::<Vec<u8>>())),
        uid: Some(Uid(uid)),
        start: Some(u64::from(pid)),
        argv: (!argv.is_empty()).then(|| argv.iter().map(|&arg| arg.into()).collect()),
        ..Process::new(Pid(pid))
    }
}
