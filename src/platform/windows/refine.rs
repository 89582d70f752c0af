//! From the rows of Windows' tables to what they add to netstat2's. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use super::tables::Row;
use crate::process::{Holder, Pid, Process, Via};
use crate::snapshot::Collected;
use crate::socket::{Endpoint, Family, Protocol, Socket, SocketId};
use crate::state::TcpState;

/// What netstat2 tells of a socket, and the tables, too: what one is known again by.
type Key = (Protocol, Option<(IpAddr, u16)>, Option<(IpAddr, u16)>, Option<Pid>);

fn end(end: Option<&Endpoint>) -> Option<(IpAddr, u16)> {
    end.and_then(|end| Some((end.address()?, end.port()?)))
}

fn key(row: &Row<'_>) -> Key {
    (row.protocol, end(row.local.as_ref()), end(row.peer.as_ref()), row.pid)
}

/// Gives each socket what only the tables tell, and returns the row of each that has one. Both were read
/// one after the other: what came or went in between is as netstat2 has it.
pub(super) fn refine<'a>(
    collected: &mut Collected,
    rows: &[Row<'a>],
) -> HashMap<SocketId, Row<'a>> {
    let holders: HashMap<SocketId, Pid> = holders(collected).collect();
    let mut told: HashMap<Key, Vec<&Row<'a>>> = HashMap::new();
    for row in rows.iter().rev() {
        told.entry(key(row)).or_default().push(row);
    }
    let mut of_socket = HashMap::new();
    for socket in &mut collected.sockets {
        let pid = holders.get(&socket.id).copied();
        let ends = (end(socket.local.as_ref()), end(socket.peer.as_ref()));
        let known = told.get_mut(&(socket.protocol, ends.0, ends.1, pid)).and_then(Vec::pop);
        if let Some(row) = known {
            socket.local.clone_from(&row.local);
            socket.peer.clone_from(&row.peer);
            if row.created.is_some() {
                socket.rare.make_mut().created = row.created;
            }
            of_socket.insert(socket.id, row.clone());
        }
    }
    of_socket
}

fn holders(collected: &Collected) -> impl Iterator<Item = (SocketId, Pid)> {
    let all = collected.holders.iter().flatten();
    all.map(|holder| (holder.socket, holder.pid))
}

/// Adds the endpoints that are bound and no more. The table has those of connections too, which
/// `connect` bound: whatever process has a socket at that port in the other tables has that one.
pub(super) fn add_bound(collected: &mut Collected, told: &[Row<'_>], bound: &[Row<'_>]) {
    let at = |row: &Row<'_>| {
        let (address, port) = end(row.local.as_ref())?;
        Some((address.is_ipv4(), port, row.pid))
    };
    let tcp = told.iter().filter(|row| row.protocol == Protocol::Tcp);
    let known: HashSet<_> = tcp.filter_map(at).collect();
    let mut id = collected.sockets.iter().map(|socket| socket.id.0).max().unwrap_or(0);
    for row in bound {
        let Some((is_v4, ..)) = at(row).filter(|at| !known.contains(at)) else { continue };
        id += 1;
        let family = if is_v4 { Family::Inet } else { Family::Inet6 };
        let mut socket = Socket::new(SocketId(id), Protocol::Tcp, family);
        socket.state = Some(TcpState::Bound);
        socket.local.clone_from(&row.local);
        if let (Some(holders), Some(pid)) = (&mut collected.holders, row.pid) {
            let (socket, via) = (socket.id, Via::Table);
            holders.push(Holder { pid, tid: None, fd: None, socket, via });
        }
        collected.sockets.push(socket);
    }
}

/// The units of Windows' clock in a second, and the seconds from its epoch, 1601, to ours.
const UNITS: u64 = 10_000_000;
const EPOCH: u64 = 11_644_473_600;

/// Returns the second since our epoch in which that moment of Windows' clock is.
pub(super) const fn unix_seconds(moment: u64) -> u64 {
    (moment / UNITS).saturating_sub(EPOCH)
}

/// Takes the processes away that cannot have made the sockets they are named for: those that have
/// ended, and those that started later and only have the number of one that has. Returns the sockets
/// whose owner is not known therefore, with that number: Windows names who made a socket for as long as
/// it is open, and some process that inherited it may hold it.
pub(super) fn drop_impostors(
    collected: &mut Collected,
    has_ended: &BTreeSet<Pid>,
) -> Vec<(SocketId, Pid)> {
    let start: HashMap<Pid, u64> = collected
        .processes
        .iter()
        .filter_map(|process| Some((process.pid, process.start?)))
        .collect();
    let created: HashMap<SocketId, u64> = collected
        .sockets
        .iter()
        .filter_map(|socket| Some((socket.id, socket.rare.created?)))
        .collect();
    let mut dropped = Vec::new();
    let Some(holders) = &mut collected.holders else { return dropped };
    holders.retain(|holder| {
        let is_younger = created
            .get(&holder.socket)
            .zip(start.get(&holder.pid))
            .is_some_and(|(&created, &start)| start > unix_seconds(created));
        let is_impostor = is_younger || has_ended.contains(&holder.pid);
        if is_impostor {
            dropped.push((holder.socket, holder.pid));
        }
        !is_impostor
    });
    let held: HashSet<Pid> = holders.iter().map(|holder| holder.pid).collect();
    let gone: HashSet<Pid> =
        dropped.iter().map(|(_, pid)| *pid).filter(|pid| !held.contains(pid)).collect();
    let is_parent = |pid: Pid, all: &[Process]| all.iter().any(|other| other.ppid == Some(pid));
    let all = collected.processes.clone();
    collected
        .processes
        .retain(|process| !gone.contains(&process.pid) || is_parent(process.pid, &all));
    collected.vanished.extend(dropped.iter().map(|(socket, _)| *socket));
    dropped
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::tables::Table;
    use super::*;
    use crate::join::join;
    use crate::process::{HiddenReason, Ownership};
    use crate::snapshot::Timestamp;

    fn address(text: &str) -> Endpoint {
        text.parse::<std::net::SocketAddr>().unwrap().into()
    }

    fn row(local: &str, peer: Option<&str>, pid: u32, created: Option<u64>) -> Row<'static> {
        Row {
            table: Table::Tcp4,
            protocol: Protocol::Tcp,
            local: Some(address(local)),
            peer: peer.map(address),
            pid: Some(Pid(pid)),
            created,
            bytes: &[],
        }
    }

    /// What netstat2 tells of such rows: everything but the scopes and the moments.
    fn portable(rows: &[Row<'_>]) -> Collected {
        let now = Timestamp(SystemTime::UNIX_EPOCH);
        let mut collected = Collected::new(now, "windows", "windows");
        let plain = |end: &Option<Endpoint>| {
            end.as_ref().map(|end| Endpoint::inet(end.address().unwrap(), end.port().unwrap()))
        };
        let mut holders = Vec::new();
        for (id, row) in (1..).zip(rows) {
            let mut socket = Socket::new(SocketId(id), row.protocol, Family::Inet);
            socket.state = Some(TcpState::Listen);
            (socket.local, socket.peer) = (plain(&row.local), plain(&row.peer));
            collected.sockets.push(socket);
            let (pid, socket) = (row.pid.unwrap(), SocketId(id));
            holders.push(Holder { pid, tid: None, fd: None, socket, via: Via::Table });
        }
        collected.holders = Some(holders);
        collected
    }

    fn process(pid: u32, start: u64) -> Process {
        let mut process = Process::new(Pid(pid));
        process.start = Some(start);
        process
    }

    /// A moment of Windows' clock, so many seconds after our epoch.
    fn moment(seconds: u64) -> u64 {
        (seconds + EPOCH) * UNITS + 7
    }

    #[test]
    fn sockets_that_differ_by_their_scope_get_one_each() {
        let rows = [
            row("[fe80::1%3]:80", None, 8, Some(moment(5))),
            row("[fe80::1%4]:80", None, 8, Some(moment(6))),
            row("10.0.0.1:80", Some("10.0.0.2:999"), 8, Some(moment(7))),
        ];
        let mut collected = portable(&rows);
        let of_socket = refine(&mut collected, &rows);
        assert_eq!(of_socket.len(), 3);
        let told: Vec<_> = collected
            .sockets
            .iter()
            .map(|s| (s.local.clone(), s.peer.clone(), s.rare.created))
            .collect();
        let expected: Vec<_> =
            rows.iter().map(|r| (r.local.clone(), r.peer.clone(), r.created)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_socket_that_is_another_process_s_by_now_stays_as_it_was() {
        let rows = [row("10.0.0.1:80", None, 8, Some(moment(5)))];
        let mut collected = portable(&rows);
        let others = [row("10.0.0.1:80", None, 9, Some(moment(6)))];
        assert!(refine(&mut collected, &others).is_empty());
        assert_eq!(collected.sockets[0].rare.created, None);
    }

    #[test]
    fn what_is_bound_and_no_more_is_added_and_what_connect_bound_is_not() {
        let told = [row("10.0.0.1:50001", Some("10.0.0.2:80"), 8, None)];
        let mut collected = portable(&told);
        let bound = [row("0.0.0.0:50001", None, 8, None), row("0.0.0.0:8080", None, 9, None)];
        add_bound(&mut collected, &told, &bound);
        let snapshot = join(collected);
        let [_, added] = &snapshot.entries[..] else { panic!("{snapshot:#?}") };
        assert_eq!(added.socket.state, Some(TcpState::Bound));
        assert_eq!(added.socket.local, Some(address("0.0.0.0:8080")));
        assert_eq!(added.ownership.owners()[0].process.pid, Pid(9));
    }

    #[test]
    fn a_process_that_is_younger_than_the_socket_did_not_make_it() {
        let rows = [
            row("10.0.0.1:80", None, 8, Some(moment(100))),
            row("10.0.0.1:81", None, 8, Some(moment(200))),
        ];
        let mut collected = portable(&rows);
        refine(&mut collected, &rows);
        collected.processes = vec![process(8, 101)];
        assert_eq!(drop_impostors(&mut collected, &BTreeSet::new()), [(SocketId(1), Pid(8))]);
        let entries = join(collected).entries;
        assert_eq!(entries[0].ownership, Ownership::Hidden(HiddenReason::Vanished));
        assert_eq!(entries[1].ownership.owners().len(), 1);
    }

    #[test]
    fn a_process_that_made_its_socket_in_its_first_second_keeps_it() {
        let rows = [row("10.0.0.1:80", None, 8, Some(moment(100)))];
        let mut collected = portable(&rows);
        refine(&mut collected, &rows);
        collected.processes = vec![process(8, 100)];
        assert_eq!(drop_impostors(&mut collected, &BTreeSet::new()), []);
    }

    #[test]
    fn a_socket_outlives_the_process_that_made_it() {
        let rows = [row("10.0.0.1:80", None, 8, None)];
        let mut collected = portable(&rows);
        collected.processes = vec![Process::new(Pid(8))];
        assert_eq!(drop_impostors(&mut collected, &[Pid(8)].into()), [(SocketId(1), Pid(8))]);
        assert_eq!(collected.processes, []);
        let entries = join(collected).entries;
        assert_eq!(entries[0].ownership, Ownership::Hidden(HiddenReason::Vanished));
    }
}
