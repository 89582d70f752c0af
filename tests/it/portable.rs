//! The portable backend against the native one: in a namespace that holds nothing else, both list the
//! same sockets, and differ only in what the portable one declares.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use socket2::{Domain, Socket, Type};
use sockscope::join::join;
use sockscope::platform::portable::Portable;
use sockscope::platform::{Backend, Request, native};
use sockscope::process::Via;
use sockscope::snapshot::{Entry, Missing, Snapshot};
use sockscope::socket::Protocol;
use sockscope::state::TcpState;

use crate::netns::{in_netns, internet_scene};
use crate::support::PATIENCE;

/// What both backends must tell alike of a row: everything but numbers only one of them has.
fn told_by_both(entry: &Entry) -> String {
    let socket = &entry.socket;
    // netstat2 drops the peer of a UDP socket.
    let peer = socket.peer.as_ref().filter(|_| socket.protocol == Protocol::Tcp);
    let owners: BTreeSet<(u32, Option<String>)> = entry
        .ownership
        .owners()
        .iter()
        .map(|owner| (owner.process.pid.0, owner.process.command.as_ref().map(ToString::to_string)))
        .collect();
    format!(
        "{} {} {:?} {:?} {peer:?} inode {:?} user {:?} {:?} {} {owners:?}",
        socket.protocol,
        socket.family,
        socket.state,
        socket.local,
        socket.inode,
        socket.uid,
        entry.user,
        entry.ownership.name(),
    )
}

fn collect(backend: &mut dyn Backend) -> Snapshot {
    join(backend.collect(&Request::default()).unwrap())
}

fn rows(snapshot: &Snapshot) -> Vec<String> {
    let mut rows: Vec<String> = snapshot.entries.iter().map(told_by_both).collect();
    rows.sort();
    rows
}

/// Lists natively until no FIN is on its way, whose acknowledgement may take 40 ms, and what was closed
/// is over: as long as somebody looks at its descriptor it is not.
fn settled() -> Snapshot {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let snapshot = collect(&mut *native());
        let moving = [TcpState::FinWait1, TcpState::Closing, TcpState::LastAck];
        let is_moving = |entry: &Entry| moving.iter().any(|s| entry.socket.state == Some(*s));
        let is_over = |entry: &Entry| entry.socket.state == Some(TcpState::TimeWait);
        if !snapshot.entries.iter().any(is_moving) && snapshot.entries.iter().any(is_over) {
            return snapshot;
        }
        assert!(Instant::now() < deadline, "{:?}", rows(&snapshot));
    }
}

#[test]
fn portable_and_native_list_the_same_sockets() {
    in_netns("portable::portable_and_native_list_the_same_sockets", || {
        let _kept = internet_scene();
        let native = settled();
        let portable = collect(&mut Portable::new());
        assert_eq!(rows(&portable), rows(&native));
        for state in [
            TcpState::Listen,
            TcpState::Established,
            TcpState::FinWait2,
            TcpState::CloseWait,
            TcpState::TimeWait,
        ] {
            assert!(native.entries.iter().any(|e| e.socket.state == Some(state)), "{state}");
        }
        let waits = |entry: &&Entry| {
            entry.ownership.owners().iter().any(|owner| owner.via == Via::AcceptQueue)
        };
        assert_eq!(portable.entries.iter().filter(waits).count(), 1);
    });
}

#[test]
fn the_bound_socket_that_portable_cannot_list_is_a_gap() {
    in_netns("portable::the_bound_socket_that_portable_cannot_list_is_a_gap", || {
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        bound.bind(&any.into()).unwrap();
        assert_eq!(collect(&mut *native()).entries.len(), 1);
        let portable = collect(&mut Portable::new());
        assert_eq!(portable.entries, []);
        assert!(portable.unread.iter().any(|gap| gap.what == Missing::BoundSockets));
    });
}
