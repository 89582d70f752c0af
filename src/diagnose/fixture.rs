//! What tests of diagnoses and of plans are made of: sockets on one port, and who holds them.

use std::sync::Arc;

use crate::cgroup::Cgroup;
use crate::kernel::KernelReason;
use crate::process::{Fd, Owner, Ownership, Parent, Pid, Process, Via};
use crate::snapshot::Entry;
use crate::socket::{Cookie, Family, Protocol, Socket, SocketId, Timer, TimerKind};
use crate::state::TcpState;
use crate::text::Text;

/// Returns a process with these ancestors in this control group, that started at tick 7.
pub(crate) fn owner(pid: u32, parents: &[u32], group: &str) -> Owner {
    let mut process = Process::new(Pid(pid));
    process.command = Some(Text::from("server"));
    process.start = Some(7);
    process.ppid = parents.first().map(|&pid| Pid(pid));
    process.parents = parents.iter().map(|&pid| Parent { pid: Pid(pid), command: None }).collect();
    process.cgroup = Some(Cgroup::new(Text::from(group)));
    Owner { process: Arc::new(process), tid: None, fd: Some(Fd(3)), via: Via::Fd }
}

/// Returns a socket on port 80 of loopback.
pub(crate) fn entry(id: u64, state: TcpState, ownership: Ownership) -> Entry {
    let mut socket = Socket::new(SocketId(id), Protocol::Tcp, Family::Inet);
    socket.state = Some(state);
    socket.cookie = Some(Cookie(id));
    let end = |text: &str| Some(text.parse::<std::net::SocketAddr>().unwrap().into());
    socket.local = end("127.0.0.1:80");
    if state != TcpState::Listen {
        socket.peer = end("127.0.0.1:5000");
    }
    Entry {
        socket,
        ownership,
        user: None,
        netns_name: None,
        peer_owners: crate::rare::Rare::default(),
    }
}

/// Returns a listener that these hold.
pub(crate) fn listener(owners: Vec<Owner>) -> Entry {
    entry(1, TcpState::Listen, Ownership::Held(owners.into()))
}

/// Returns a connection in TIME_WAIT.
pub(crate) fn left(id: u64, expires_ms: u32) -> Entry {
    let mut entry = entry(id, TcpState::TimeWait, Ownership::Kernel(KernelReason::TimeWait));
    entry.socket.timer = Some(Timer { kind: TimerKind::Timewait, expires_ms, retransmits: 0 });
    entry
}
