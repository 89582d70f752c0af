//! Linux: the dumps of `sock_diag`, the walk over `/proc/*/fd`, and what the two together leave open.
//!
//! Dump and walk are not one moment. A socket whose holder was not found although it should have
//! been is looked at again before anything is said of it; see [`again`]. What is still without one
//! is looked for where a socket can be without being in any process's descriptor table.

mod again;
pub(crate) mod bind_facts;
mod cgroups;
mod command;
pub(crate) mod containers;
pub(crate) mod counters;
pub(crate) mod destroy;
mod diag_details;
mod diag_request;
pub(crate) mod doctor;
pub(crate) mod holder_options;
mod inet_diag;
mod kernel_ports;
mod link_message;
mod mountinfo;
mod netlink;
mod netlink_diag;
mod netns;
pub(crate) mod owners;
mod packet_diag;
mod privilege;
mod proc_net;
pub(crate) mod process;
pub(crate) mod process_control;
mod process_details;
#[cfg(feature = "cli")]
pub(crate) mod props;
pub(super) mod sock_diag;
pub(crate) mod stat;
pub(crate) mod sys;
mod unix_diag;
mod unlisted;
mod vsock_diag;
mod xdp_diag;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::error::CollectError;
use crate::holders::Holders;
use crate::kernel;
use crate::platform::clock::Deadline;
use crate::platform::linux::netns::Namespaces;
use crate::platform::linux::owners::{Holdings, Scan};
use crate::platform::linux::sock_diag::Dump;
use crate::platform::{
    Backend, NetnsWish, OwnersBy, PortWish, Request, clock, process as facts, users,
};
use crate::process::{Holder, Pid, Uid};
use crate::snapshot::{Collected, PackedTables};
use crate::socket::{CgroupId, Endpoint, Inode, NetnsId, Protocol, Socket, SocketId};
use crate::sockets::Place;

/// How long the search for holders without a descriptor of their process's may take.
const SEARCH_BUDGET: Duration = Duration::from_secs(1);

/// The native backend of Linux.
#[derive(Debug, Clone, Copy, Default)]
pub struct Linux;

impl Backend for Linux {
    fn collect(&mut self, request: &Request) -> Result<Collected, CollectError> {
        self.collect_packed(request).map(Collected::unpacked)
    }

    fn collect_packed(&mut self, request: &Request) -> Result<PackedTables, CollectError> {
        let mut collected = Collected::new(clock::now(), "linux", "linux").packed();
        let is_all = request.netns == NetnsWish::All;
        let find_and_read = || {
            let mut namespaces = Namespaces::find(&request.netns)?;
            let dump = namespaces.read(request)?;
            Ok((namespaces, dump))
        };
        // For every namespace this look finds more of them, too: those that only a descriptor keeps.
        let nothing = HashSet::new();
        let wants_unlisted = unlisted::are_wanted(request);
        let wanted = if request.owners || wants_unlisted { None } else { Some(&nothing) };
        let (found, scan) = if request.owners || wants_unlisted || is_all {
            let (found, scan) =
                read_both(find_and_read, || owners::find(request.owners_by, wanted));
            (found, Some(scan))
        } else {
            (find_and_read(), None)
        };
        let (mut namespaces, dump) = found?;
        let scan = scan.transpose().map_err(refused)?;
        collected.sockets = dump.sockets;
        collected.gaps = dump.gaps;
        if let Some(mut scan) = scan {
            if is_all {
                add(&mut collected, namespaces.read_held(&scan.namespaces, request));
            }
            if wants_unlisted {
                let found = unlisted::find(&collected.sockets, &mut scan, &namespaces);
                add(&mut collected, found);
            }
            if request.owners {
                find_owners(&mut collected, &namespaces, scan, request);
            }
        }
        collected.netns_names = namespaces.names();
        collected.current_netns = namespaces.current();
        name_cgroups(&mut collected, request);
        if request.user_names {
            let owners: Vec<Uid> =
                collected.sockets.kinds().filter_map(|socket| socket.uid).collect();
            users::name_all(&mut collected, owners);
        }
        Ok(collected)
    }
}

/// Reads the sockets and, at the same time, who holds what: each takes about as long as the other.
fn read_both<S, H: Send>(sockets: impl FnOnce() -> S, holders: impl Fn() -> H + Sync) -> (S, H) {
    thread::scope(|scope| {
        let finding = thread::Builder::new().spawn_scoped(scope, &holders);
        let sockets = sockets();
        let found = match finding {
            Ok(finding) => finding.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // Where no thread can be had, one after the other.
            Err(_) => holders(),
        };
        (sockets, found)
    })
}

/// Decodes one row of the kernel's TCP sockets, as every listing does with each. Here for the benches.
#[doc(hidden)]
pub fn decode_tcp_row(message: &[u8]) -> Option<Socket> {
    inet_diag::decoder(false)(message, Protocol::Tcp)
}

fn refused(refusal: owners::bpf::Refusal) -> CollectError {
    let operation = "find owners by BPF".to_owned();
    CollectError::Unreadable { operation, source: std::io::Error::other(refusal) }
}

/// Adds what was read later.
fn add(collected: &mut PackedTables, dump: Dump) {
    dump.sockets.iter().for_each(|socket| collected.sockets.add(socket));
    collected.gaps.extend(dump.gaps);
}

/// Matches the descriptors found, looks again at what stayed unmatched, and reads the holders'
/// processes.
fn find_owners(
    collected: &mut PackedTables,
    namespaces: &Namespaces,
    scan: Scan,
    request: &Request,
) {
    #[cfg(all(feature = "cli", target_env = "gnu"))]
    sys::trim_memory();
    let mut holders = match_holders(collected.sockets.iter(), scan.holdings);
    let held = Held::by(&holders);
    find_kernels(collected, &held, namespaces);
    let mut missed = again::surprisingly_unmatched(&collected.sockets, &held, &scan.gaps);
    if !collected.kernel_ports.is_empty() {
        missed.retain(|&place| {
            let socket = collected.sockets.get(place);
            socket.is_none_or(|socket| kernel::told(&socket, &collected.kernel_ports).is_none())
        });
    }
    collected.gaps.extend(scan.gaps);
    collected.notes.extend(scan.note);
    if !missed.is_empty() {
        holders.append(find_missed(collected, &missed, namespaces, request.owners_by));
    }

    read_processes(collected, &holders, request);
    collected.holders = Some(holders);
}

/// Reads who the holders are. Details cost as much again, so of those who hold nothing with a port that was
/// asked for, as the other listeners, there are none.
fn read_processes(collected: &mut PackedTables, holders: &Holders, request: &Request) {
    let mut pids: BTreeSet<Pid> = holders.iter().map(|holder| holder.pid).collect();
    if let Some(ports) = request.ports.as_ref().filter(|_| request.process_details) {
        let with_port = collected.sockets.iter().filter(|socket| has_one_of(socket, ports));
        let with_port: HashSet<SocketId> = with_port.map(|socket| socket.id).collect();
        let near = holders.iter().filter(|holder| with_port.contains(&holder.socket));
        let near: BTreeSet<Pid> = near.map(|holder| holder.pid).collect();
        let (processes, gap) = facts::read_by(&near, true, process::read_some);
        for process in &processes {
            pids.remove(&process.pid);
        }
        collected.processes = processes;
        collected.gaps.extend(gap);
    }
    let details = request.process_details && request.ports.is_none();
    let (processes, gap) = facts::read_by(&pids, details, process::read_some);
    collected.processes.extend(processes);
    collected.gaps.extend(gap);
}

/// Returns true for a socket with a port that was asked for.
fn has_one_of(socket: &Socket, ports: &PortWish) -> bool {
    let is_in = |end: &Option<Endpoint>, range: &RangeInclusive<u16>| {
        end.as_ref().and_then(Endpoint::port).is_some_and(|port| range.contains(&port))
    };
    match ports {
        PortWish::Local(range) => is_in(&socket.local, range),
        PortWish::Peer(range) => is_in(&socket.peer, range),
        PortWish::Either(range) => is_in(&socket.local, range) || is_in(&socket.peer, range),
    }
}

/// Asks which ports the kernel has for itself, where a socket without holder may have one.
fn find_kernels(collected: &mut PackedTables, held: &Held, namespaces: &Namespaces) {
    let sockets = &collected.sockets;
    let ownerless = sockets.places(kernel_ports::may_be).into_iter();
    let ownerless = ownerless.filter(|&place| !held.contains(SocketId(place.into())));
    let some: BTreeSet<Option<NetnsId>> =
        ownerless.filter_map(|place| sockets.get(place)).map(|socket| socket.netns).collect();
    if !some.is_empty() {
        collected.kernel_ports = namespaces.read_kernel_ports(&some);
    }
}

/// Looks again at the sockets that were missed, and where a socket can be that no process has in its
/// descriptor table.
fn find_missed(
    collected: &mut PackedTables,
    missed: &BTreeSet<Place>,
    namespaces: &Namespaces,
    by: OwnersBy,
) -> Holders {
    let vanished = again::look(&mut collected.sockets, missed, namespaces);
    let mut left: Vec<Socket> =
        missed.iter().filter_map(|&place| collected.sockets.get(place)).collect();
    left.retain(|socket| socket.inode.is_some() && !vanished.contains(&socket.id));

    if left.is_empty() {
        collected.vanished = vanished;
        return Holders::default();
    }
    // This time every socket is taken down: what is in flight is in the queue of another.
    let mut scan = owners::find(by, None).unwrap_or_default();
    let mut holders = match_holders(left.iter().cloned(), scan.holdings.clone());
    retain_ownerless(&mut left, &holders);
    let mut gaps = std::mem::take(&mut scan.gaps);
    let deadline = Deadline::after(SEARCH_BUDGET);
    if !left.is_empty() {
        let wanted = inodes(&left);
        if !scan.has_own_tables {
            let threads = owners::threads::scan(Some(&wanted), deadline);
            holders.append(match_holders(left.iter().cloned(), threads.holdings));
            scan.rings.extend(threads.rings);
            gaps.extend(threads.gaps);
        }
        let rings = owners::rings::scan(&scan.rings, &wanted, deadline);
        holders.append(match_holders(left.iter().cloned(), rings.holdings));
        gaps.extend(rings.gaps);
        retain_ownerless(&mut left, &holders);
    }
    if !left.is_empty() {
        // Processes that cannot be seen may hold what is left: then nothing is to be guessed.
        gaps.extend(owners::visibility::hidden());
        gaps.extend(owners::visibility::other_pid_namespaces());
        if gaps.is_empty() {
            holders.append(guess_in_flight(collected, left, scan, deadline));
        }
    }
    // Each way of looking is refused by the same processes.
    for gap in gaps {
        if !collected.gaps.contains(&gap) {
            collected.gaps.push(gap);
        }
    }
    collected.vanished = vanished;
    holders
}

/// Gives sockets that nobody holds to those towards whom they must be in flight.
fn guess_in_flight(
    collected: &mut PackedTables,
    mut sockets: Vec<Socket>,
    scan: Scan,
    deadline: Deadline,
) -> Holders {
    sockets.retain(|socket| kernel::usual(socket).is_none());
    if sockets.is_empty() {
        return Holders::default();
    }
    // Only a UNIX socket has others in its queue.
    let no_unix: HashSet<Inode> = collected
        .sockets
        .iter()
        .filter(|socket| socket.protocol != Protocol::Unix)
        .filter_map(|socket| socket.inode)
        .collect();
    let Scan { mut holdings, unix, .. } = scan;
    holdings.retain(|holding| match &unix {
        Some(unix) => unix.contains(&holding.inode),
        None => !no_unix.contains(&holding.inode),
    });
    let in_flight = owners::in_flight::scan(holdings.iter(), &inodes(&sockets), deadline);
    collected.gaps.extend(in_flight.gaps);
    if in_flight.is_possible {
        collected.in_flight = sockets.iter().map(|socket| socket.id).collect();
    }
    match_holders(sockets.into_iter(), in_flight.holdings.into_iter().collect())
}

fn retain_ownerless(sockets: &mut Vec<Socket>, holders: &Holders) {
    let held = Held::by(holders);
    sockets.retain(|socket| !held.contains(socket.id));
}

/// Names the control groups of the sockets: of all when asked to, else, where holders are hidden, of
/// those without one, because that is all there is to say whose they are.
fn name_cgroups(collected: &mut PackedTables, request: &Request) {
    let held = collected.holders.as_ref().map(Held::by).unwrap_or_default();
    let is_held = |id: SocketId| held.contains(id);
    let sockets = &mut collected.sockets;
    let any_hidden = || {
        let mut open = sockets.places(|socket| socket.inode.is_some()).into_iter();
        open.any(|place| !is_held(SocketId(place.into())))
    };
    let are_wanted = request.process_details || (request.owners && any_hidden());
    if !are_wanted {
        return;
    }
    let wanted = |socket: &Socket| request.process_details || !is_held(socket.id);
    let ids = sockets.iter().filter(wanted).filter_map(|socket| socket.cgroup_id).collect();
    let mut groups = cgroups::named(ids);
    containers::name(groups.values_mut());
    let groups: BTreeMap<CgroupId, Arc<Cgroup>> =
        groups.into_iter().map(|(id, group)| (id, Arc::new(group))).collect();
    if !groups.is_empty() {
        sockets.change_all(|socket| {
            if wanted(socket) {
                socket.cgroup = socket.cgroup_id.and_then(|id| groups.get(&id)).cloned();
            }
        });
    }
}

fn inodes(sockets: &[Socket]) -> HashSet<Inode> {
    sockets.iter().filter_map(|socket| socket.inode).collect()
}

/// Which sockets have a holder: their numbers are their places, so there are no gaps between them.
#[derive(Debug, Default)]
struct Held(Vec<bool>);

impl Held {
    fn by(holders: &Holders) -> Self {
        let place = |holder: Holder| usize::try_from(holder.socket.0).ok();
        let last = holders.iter().filter_map(place).max();
        let mut held = vec![false; last.map_or(0, |last| last + 1)];
        for place in holders.iter().filter_map(place) {
            if let Some(held) = held.get_mut(place) {
                *held = true;
            }
        }
        Self(held)
    }

    fn contains(&self, SocketId(id): SocketId) -> bool {
        usize::try_from(id).ok().and_then(|place| self.0.get(place)) == Some(&true)
    }
}

/// Turns holdings into holders of these sockets. Several sockets may share an inode (an MPTCP
/// socket and its first subflow).
fn match_holders(sockets: impl Iterator<Item = Socket>, holdings: Holdings) -> Holders {
    let place = |SocketId(id)| Place::try_from(id).ok();
    let name = |socket: Socket| Some((owners::name(socket.inode?), place(socket.id)?));
    holdings.into_holders(&sockets.filter_map(name).collect())
}
