//! Joins the collected tables into one picture: each socket with all its owners.
//!
//! Pure: it asks nothing and drops nothing. Every socket becomes exactly one entry, every holder of
//! a listed socket exactly one owner.

mod kernels;
pub mod listeners;
mod packed;
mod peers;
mod subflows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU16;
use std::sync::Arc;

use self::kernels::Kernels;
pub use self::packed::Packed;
use crate::holders::Holders;
use crate::process::{
    Fd, HiddenReason, Holder, Owner, Owners, Ownership, Parent, Pid, Process, Uid, Via,
};
use crate::rare::Rare;
use crate::snapshot::{Collected, Entry, Missing, PackedTables, Snapshot, Timestamp};
use crate::socket::{NetnsId, Socket, SocketId};
use crate::text::Text;

/// Joins what was collected.
///
/// # Errors
///
/// None: a holder whose process is unknown keeps its number, a socket without holder says why.
pub fn join(collected: Collected) -> Snapshot {
    join_packed(collected.packed()).unpacked()
}

/// Joins what was collected, and makes each row only when it is asked for: there may be very many.
pub fn join_packed(collected: PackedTables) -> Snapshot<Packed> {
    let Collected {
        collected_at,
        platform,
        backend,
        sockets,
        holders,
        processes,
        users,
        netns_names,
        current_netns,
        vanished,
        in_flight,
        kernel_ports,
        gaps,
        notes,
    } = collected;
    let processes = complete(processes, &users, collected_at);
    let owners = |holders| OwnersBySocket::new(holders, sockets.len(), processes);
    let facts = Facts {
        owners: holders.map(owners),
        kernels: Kernels::new(&platform, &backend, kernel_ports),
        vanished: vanished.into_iter().collect(),
        in_flight: in_flight.into_iter().collect(),
        permission: gaps.iter().any(|gap| gap.what == Missing::Descriptors),
        users,
        netns_names,
    };
    let mut rows = Packed::new(sockets, facts);
    listeners::attribute_unaccepted(&mut rows);
    subflows::mark(&mut rows);
    kernels::take_unheard(&mut rows);
    peers::attach(&mut rows);
    Snapshot { collected_at, platform, current_netns, unread: gaps, notes, entries: rows }
}

/// Everything that tells of a socket whose it is.
#[derive(Debug)]
struct Facts {
    /// Absent when owners were not asked for.
    owners: Option<OwnersBySocket>,
    kernels: Kernels,
    vanished: HashSet<SocketId>,
    in_flight: HashSet<SocketId>,
    /// Whether some processes' descriptors may not be read.
    permission: bool,
    users: BTreeMap<Uid, Text>,
    netns_names: BTreeMap<NetnsId, Text>,
}

impl Facts {
    /// Returns the row of a socket, as far as the socket alone decides it.
    fn entry(&self, socket: Socket) -> Entry {
        let ownership = self.ownership(&socket);
        let user = socket.uid.and_then(|uid| self.users.get(&uid).cloned());
        let netns_name = socket.netns.and_then(|netns| self.netns_names.get(&netns).cloned());
        Entry { socket, ownership, user, netns_name, peer_owners: Rare::default() }
    }

    fn ownership(&self, socket: &Socket) -> Ownership {
        let held = self.owners.as_ref().map(|owners| owners.of(socket.id));
        match held {
            Some(Some(owners)) => Ownership::Held(owners),
            Some(None) | None => match self.kernels.surely(socket) {
                Some(reason) => Ownership::Kernel(reason),
                None if held.is_none() => Ownership::Hidden(HiddenReason::NotAsked),
                None => self.without_holder(socket),
            },
        }
    }

    fn without_holder(&self, socket: &Socket) -> Ownership {
        if self.vanished.contains(&socket.id) {
            Ownership::Hidden(HiddenReason::Vanished)
        } else if self.in_flight.contains(&socket.id) {
            Ownership::Hidden(HiddenReason::InFlight)
        } else if self.permission {
            Ownership::Hidden(HiddenReason::Permission)
        } else {
            let probably = self.kernels.probably(socket);
            probably.map_or(Ownership::Hidden(HiddenReason::NoDescriptor), Ownership::Kernel)
        }
    }
}

/// Gives each process what follows from the tables: the name of its user, its age, its ancestors.
fn complete(
    processes: Vec<Process>,
    users: &BTreeMap<Uid, Text>,
    collected_at: Timestamp,
) -> HashMap<Pid, Arc<Process>> {
    let parents: HashMap<Pid, Vec<Parent>> = {
        let known: HashMap<Pid, &Process> =
            processes.iter().map(|process| (process.pid, process)).collect();
        known.values().map(|process| (process.pid, parents(process, &known))).collect()
    };
    let complete = |mut process: Process| {
        if process.user.is_none() {
            process.user = process.uid.and_then(|uid| users.get(&uid).cloned());
        }
        // One that started while we looked has no age yet.
        process.age = process
            .started_at
            .map(|started| collected_at.0.duration_since(started.0).unwrap_or_default());
        process.parents = parents.get(&process.pid).cloned().unwrap_or_default();
        (process.pid, Arc::new(process))
    };
    processes.into_iter().map(complete).collect()
}

/// Returns the ancestors of a process, its parent first; the last may be one of which only the number
/// is known.
fn parents(process: &Process, known: &HashMap<Pid, &Process>) -> Vec<Parent> {
    let mut parents: Vec<Parent> = Vec::new();
    let mut child = process;
    while let Some(pid) = child.ppid {
        let is_loop = pid == process.pid || parents.iter().any(|parent| parent.pid == pid);
        // A number that was given to another process meanwhile: nobody is younger than their child.
        let parent = known.get(&pid).filter(|parent| {
            parent.start.zip(child.start).is_none_or(|(parent, child)| parent <= child)
        });
        if is_loop {
            break;
        }
        parents.push(Parent { pid, command: parent.and_then(|parent| parent.command.clone()) });
        match parent {
            Some(parent) => child = parent,
            None => break,
        }
    }
    parents
}

/// What listens for others and hands them the socket, while it keeps a descriptor of its own
/// (`systemd.socket(5)`): systemd as PID 1, as a user's manager, or in a container.
const ACTIVATOR: &[u8] = b"systemd";

/// The holders of all sockets, and what is known of them.
#[derive(Debug)]
struct OwnersBySocket {
    /// Of each socket, by its number, one process that has a descriptor for it: where that is among the
    /// processes, and the descriptor. Nearly every holder is here.
    one: Vec<Option<(NonZeroU16, u16)>>,
    others: Holders,
    processes: Vec<Arc<Process>>,
    by_pid: HashMap<Pid, usize>,
}

impl OwnersBySocket {
    /// Takes the holders of so many sockets.
    fn new(holders: Holders, sockets: usize, processes: HashMap<Pid, Arc<Process>>) -> Self {
        // None is at 0.
        let mut all = Self {
            one: vec![None; sockets],
            others: Holders::default(),
            processes: vec![Arc::new(Process::new(Pid(0)))],
            by_pid: HashMap::new(),
        };
        for (pid, process) in processes {
            all.add(pid, process);
        }
        for holder in holders.drain() {
            let at = match all.by_pid.get(&holder.pid) {
                Some(at) => *at,
                None => all.add(holder.pid, Arc::new(Process::new(holder.pid))),
            };
            let slot =
                usize::try_from(holder.socket.0).ok().and_then(|place| all.one.get_mut(place));
            match (slot, brief(&holder, at)) {
                (Some(slot @ None), Some(brief)) => *slot = Some(brief),
                _ => all.others.push(holder),
            }
        }
        all.others.sort();
        all
    }

    fn add(&mut self, pid: Pid, process: Arc<Process>) -> usize {
        self.processes.push(process);
        self.by_pid.insert(pid, self.processes.len() - 1);
        self.processes.len() - 1
    }

    /// Returns the owners of a socket, the main one first: the oldest process, which for a listener
    /// shared by a forked family is the parent. An activator, older than its service, comes after it.
    fn of(&self, socket: SocketId) -> Option<Owners> {
        let one = usize::try_from(socket.0).ok().and_then(|place| *self.one.get(place)?);
        let one = one.and_then(|(at, fd)| {
            let process = Arc::clone(self.processes.get(usize::from(at.get()))?);
            Some(Owner { process, tid: None, fd: Some(Fd(fd.into())), via: Via::Fd })
        });
        let others = self.others.of(socket).filter_map(|Holder { pid, tid, fd, via, .. }| {
            let process = Arc::clone(self.processes.get(*self.by_pid.get(&pid)?)?);
            Some(Owner { process, tid, fd, via })
        });
        let mut owners = one.into_iter().chain(others);
        let first = owners.next()?;
        let Some(second) = owners.next() else { return Some(first.into()) };
        let mut owners: Vec<Owner> = [first, second].into_iter().chain(owners).collect();
        // An unknown start sorts last: a process that could not be read is not the main one.
        owners.sort_by_key(|owner| {
            (
                owner.process.start.is_none(),
                owner.process.comm.as_ref().is_some_and(|comm| comm.as_bytes() == ACTIVATOR),
                owner.process.start,
                owner.process.pid,
                owner.tid,
                owner.fd,
                owner.via,
            )
        });
        Some(owners.into())
    }
}

/// Returns a holder in few bytes, if it is a process, which is at this place, with a descriptor.
fn brief(holder: &Holder, at: usize) -> Option<(NonZeroU16, u16)> {
    match *holder {
        Holder { tid: None, fd: Some(Fd(fd)), via: Via::Fd, .. } => {
            Some((NonZeroU16::try_from(u16::try_from(at).ok()?).ok()?, u16::try_from(fd).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;
    use crate::kernel::KernelReason;
    use crate::snapshot::Gap;
    use crate::socket::{Family, Inode, Interface, NetnsId, Protocol, Queues, RareFacts, Socket};
    use crate::state::TcpState;

    fn collected() -> Collected {
        let mut collected = Collected::new(Timestamp(SystemTime::UNIX_EPOCH), "linux", "linux");
        collected.holders = Some(Vec::new());
        collected
    }

    fn tcp(id: u64, state: TcpState, local: &str) -> Socket {
        let local: std::net::SocketAddr = local.parse().unwrap();
        let family = if local.is_ipv4() { Family::Inet } else { Family::Inet6 };
        let mut socket = Socket::new(SocketId(id), Protocol::Tcp, family);
        socket.state = Some(state);
        socket.local = Some(local.into());
        socket.inode = Some(Inode(id));
        socket
    }

    fn unaccepted(id: u64, local: &str) -> Socket {
        Socket { inode: None, ..tcp(id, TcpState::Established, local) }
    }

    fn process(pid: u32, start: u64) -> Process {
        let mut process = Process::new(Pid(pid));
        process.start = Some(start);
        process
    }

    fn holder(pid: u32, fd: u32, socket: u64) -> Holder {
        Holder {
            pid: Pid(pid),
            tid: None,
            fd: Some(Fd(fd)),
            socket: SocketId(socket),
            via: Via::Fd,
        }
    }

    fn pids(ownership: &Ownership) -> Vec<(u32, Via)> {
        ownership.owners().iter().map(|owner| (owner.process.pid.0, owner.via)).collect()
    }

    /// The ownership of the last socket given, with one process per listener: socket N is held by
    /// process N * 10.
    fn owners_of_last(sockets: Vec<Socket>) -> Ownership {
        let mut collected = collected();
        collected.holders = Some(
            sockets
                .iter()
                .filter(|socket| socket.inode.is_some())
                .filter_map(|socket| u32::try_from(socket.id.0).ok())
                .map(|id| holder(id * 10, 3, id.into()))
                .collect(),
        );
        collected.sockets = sockets;
        join(collected).entries.pop().unwrap().ownership
    }

    #[test]
    fn a_forked_socket_has_every_owner_and_the_oldest_first() {
        let mut collected = collected();
        collected.sockets = vec![tcp(1, TcpState::Listen, "0.0.0.0:80")];
        collected.holders =
            Some(vec![holder(30, 6, 1), holder(20, 6, 1), holder(10, 6, 1), holder(20, 7, 1)]);
        collected.processes = vec![process(10, 900), process(20, 100), process(30, 500)];
        let snapshot = join(collected);
        assert_eq!(
            pids(&snapshot.entries[0].ownership),
            [(20, Via::Fd), (20, Via::Fd), (30, Via::Fd), (10, Via::Fd)]
        );
    }

    /// What is numbered too high to be kept in few bytes is kept all the same.
    #[test]
    fn high_numbers_are_owners_like_any_other() {
        let mut collected = collected();
        collected.sockets = vec![
            tcp(0, TcpState::Listen, "0.0.0.0:80"),
            tcp(1 << 40, TcpState::Listen, "0.0.0.0:81"),
        ];
        let odd = Holder { fd: None, via: Via::Table, ..holder(4, 3, 0) };
        let far = Holder { socket: SocketId(1 << 40), ..holder(3, 5, 0) };
        let others = (100..70_000).map(|pid| holder(pid, 3, 7));
        let holders = [holder(1, 70_000, 0), odd, far, holder(2, 4, 0)];
        collected.holders = Some(others.chain(holders).collect());
        let entries = join(collected).entries;
        assert_eq!(pids(&entries[0].ownership), [(1, Via::Fd), (2, Via::Fd), (4, Via::Table)]);
        assert_eq!(entries[0].ownership.owners()[0].fd, Some(Fd(70_000)));
        assert_eq!(pids(&entries[1].ownership), [(3, Via::Fd)]);
    }

    #[test]
    fn a_process_that_could_not_be_read_keeps_its_number_and_comes_last() {
        let mut collected = collected();
        collected.sockets = vec![tcp(1, TcpState::Listen, "0.0.0.0:80")];
        collected.holders = Some(vec![holder(5, 3, 1), holder(9, 3, 1)]);
        collected.processes = vec![process(9, 100)];
        assert_eq!(pids(&join(collected).entries[0].ownership), [(9, Via::Fd), (5, Via::Fd)]);
    }

    #[test]
    fn a_service_comes_before_the_systemd_that_listened_for_it() {
        let named =
            |pid, start, comm| Process { comm: Some(Text::from(comm)), ..process(pid, start) };
        let mut collected = collected();
        collected.sockets =
            vec![tcp(1, TcpState::Listen, "[::]:22"), tcp(2, TcpState::Listen, "[::]:23")];
        collected.holders = Some(vec![
            holder(1, 40, 1),
            holder(1, 41, 2),
            holder(900, 3, 1),
            holder(500, 4, 1),
            holder(800, 3, 1),
        ]);
        collected.processes = vec![
            named(1, 0, "systemd"),
            named(500, 10, "systemd"),
            named(800, 50, "sshd"),
            named(900, 60, "sshd"),
        ];
        let snapshot = join(collected);
        let order = |entry: &Entry| -> Vec<u32> {
            pids(&entry.ownership).into_iter().map(|(pid, _)| pid).collect()
        };
        assert_eq!(order(&snapshot.entries[0]), [800, 900, 1, 500]);
        assert_eq!(order(&snapshot.entries[1]), [1], "until the service runs it is systemd's");
    }

    /// The first owner of a listener that process 30 holds, with these processes known.
    fn owner_among(processes: Vec<Process>) -> Arc<Process> {
        let mut collected = collected();
        collected.sockets = vec![tcp(1, TcpState::Listen, "0.0.0.0:80")];
        collected.holders = Some(vec![holder(30, 3, 1)]);
        collected.processes = processes;
        join(collected).entries[0].ownership.owners()[0].process.clone()
    }

    fn child(pid: u32, parent: u32, start: u64) -> Process {
        let command = Some(Text::from(format!("command{pid}")));
        Process { ppid: Some(Pid(parent)), command, ..process(pid, start) }
    }

    fn parents_among(processes: Vec<Process>) -> Vec<(u32, Option<String>)> {
        let name = |parent: &Parent| parent.command.as_ref().map(ToString::to_string);
        let owner = owner_among(processes);
        owner.parents.iter().map(|parent| (parent.pid.0, name(parent))).collect()
    }

    #[test]
    fn ancestors_are_named_from_the_parent_up() {
        let init = Process { ppid: None, ..child(1, 0, 1) };
        let expected = [(20, Some("command20".to_owned())), (1, Some("command1".to_owned()))];
        assert_eq!(parents_among(vec![init, child(30, 20, 9), child(20, 1, 5)]), expected);
    }

    #[test]
    fn an_ancestor_that_was_not_read_ends_the_chain_with_its_number() {
        let expected = [(20, Some("command20".to_owned())), (7, None)];
        assert_eq!(parents_among(vec![child(30, 20, 9), child(20, 7, 5)]), expected);
        assert_eq!(parents_among(vec![process(30, 9)]), []);
    }

    #[test]
    fn a_number_used_again_is_no_parent() {
        assert_eq!(parents_among(vec![child(30, 20, 9), child(20, 1, 10)]), [(20, None)]);
    }

    #[test]
    fn ancestors_in_a_circle_are_named_once() {
        let circle = vec![child(30, 20, 5), child(20, 10, 5), child(10, 30, 5)];
        let pids: Vec<u32> = parents_among(circle).into_iter().map(|(pid, _)| pid).collect();
        assert_eq!(pids, [20, 10]);
    }

    #[test]
    fn age_is_counted_to_the_collection_and_never_negative() {
        let moment = |seconds| Timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let now = moment(1000);
        let processes = [(1, Some(400)), (2, Some(1001)), (3, None)]
            .map(|(pid, at)| Process { started_at: at.map(moment), ..process(pid, 1) })
            .into();
        let processes = complete(processes, &BTreeMap::new(), now);
        let age = |pid| processes[&Pid(pid)].age;
        assert_eq!(age(1), Some(Duration::from_mins(10)));
        assert_eq!(age(2), Some(Duration::ZERO));
        assert_eq!(age(3), None);
    }

    #[test]
    fn time_wait_and_orphans_are_the_kernels() {
        for state in [
            TcpState::TimeWait,
            TcpState::FinWait1,
            TcpState::FinWait2,
            TcpState::Closing,
            TcpState::LastAck,
        ] {
            let socket = Socket { inode: None, ..tcp(1, state, "127.0.0.1:80") };
            let reason = if state == TcpState::TimeWait {
                KernelReason::TimeWait
            } else {
                KernelReason::Orphan
            };
            assert_eq!(owners_of_last(vec![socket]), Ownership::Kernel(reason), "{state}");
        }
    }

    #[test]
    fn nobody_hidden_vanished_in_flight_and_not_asked_are_five_answers() {
        let alone = |change: fn(&mut Collected)| {
            let mut collected = collected();
            collected.sockets = vec![tcp(1, TcpState::Listen, "0.0.0.0:80")];
            change(&mut collected);
            join(collected).entries.pop().unwrap().ownership
        };
        assert_eq!(alone(|_| ()), Ownership::Hidden(HiddenReason::NoDescriptor));
        assert_eq!(
            alone(|c| c.gaps.push(Gap::new(Missing::Descriptors, "permission denied"))),
            Ownership::Hidden(HiddenReason::Permission)
        );
        assert_eq!(
            alone(|c| c.vanished.push(SocketId(1))),
            Ownership::Hidden(HiddenReason::Vanished)
        );
        assert_eq!(
            alone(|c| c.in_flight.push(SocketId(1))),
            Ownership::Hidden(HiddenReason::InFlight)
        );
        assert_eq!(alone(|c| c.holders = None), Ownership::Hidden(HiddenReason::NotAsked));
    }

    #[test]
    fn an_unaccepted_connection_is_its_listeners() {
        for state in [TcpState::Established, TcpState::SynRecv, TcpState::CloseWait] {
            let waiting = Socket { state: Some(state), ..unaccepted(3, "127.0.0.1:80") };
            let ownership = owners_of_last(vec![
                tcp(1, TcpState::Listen, "0.0.0.0:80"),
                tcp(2, TcpState::Listen, "0.0.0.0:81"),
                waiting,
            ]);
            assert_eq!(pids(&ownership), [(10, Via::AcceptQueue)], "{state}");
            assert_eq!(ownership.owners()[0].fd, None, "the descriptor is the listener's");
        }
    }

    #[test]
    fn a_specific_listener_wins_over_the_wildcard() {
        let ownership = owners_of_last(vec![
            tcp(1, TcpState::Listen, "0.0.0.0:80"),
            tcp(2, TcpState::Listen, "127.0.0.1:80"),
            unaccepted(3, "127.0.0.1:80"),
        ]);
        assert_eq!(pids(&ownership), [(20, Via::AcceptQueue)]);
    }

    #[test]
    fn a_dual_stack_listener_takes_mapped_connections_and_a_v6only_one_does_not() {
        for (v6only, expected) in
            [(Some(false), vec![(10, Via::AcceptQueue)]), (Some(true), vec![])]
        {
            let listener = Socket { v6only, ..tcp(1, TcpState::Listen, "[::]:80") };
            let ownership = owners_of_last(vec![listener, unaccepted(2, "[::ffff:127.0.0.1]:80")]);
            assert_eq!(pids(&ownership), expected);
        }
    }

    #[test]
    fn a_listener_bound_to_another_device_is_not_it() {
        let device = |index| {
            let interface = Some(Box::new(Interface { index, name: None }));
            Rare::from(RareFacts { interface, ..RareFacts::default() })
        };
        let ownership = owners_of_last(vec![
            Socket { rare: device(2), ..tcp(1, TcpState::Listen, "0.0.0.0:80") },
            tcp(2, TcpState::Listen, "0.0.0.0:80"),
            Socket { rare: device(3), ..unaccepted(3, "127.0.0.1:80") },
        ]);
        assert_eq!(pids(&ownership), [(20, Via::AcceptQueue)]);
    }

    #[test]
    fn twins_that_share_a_port_are_both_named_unless_one_queue_is_empty() {
        let twin = |id, pending| Socket {
            queues: Some(Queues::Backlog { pending, limit: Some(8) }),
            ..tcp(id, TcpState::Listen, "0.0.0.0:80")
        };
        let both = owners_of_last(vec![twin(1, 1), twin(2, 1), unaccepted(3, "127.0.0.1:80")]);
        assert_eq!(pids(&both), [(10, Via::AcceptQueue), (20, Via::AcceptQueue)]);
        let one = owners_of_last(vec![twin(1, 0), twin(2, 1), unaccepted(3, "127.0.0.1:80")]);
        assert_eq!(pids(&one), [(20, Via::AcceptQueue)]);
    }

    #[test]
    fn a_listener_in_another_namespace_is_not_it() {
        let elsewhere =
            Socket { netns: Some(NetnsId(7)), ..tcp(1, TcpState::Listen, "0.0.0.0:80") };
        let ownership = owners_of_last(vec![elsewhere, unaccepted(2, "127.0.0.1:80")]);
        assert_eq!(ownership, Ownership::Hidden(HiddenReason::NoDescriptor));
    }

    #[test]
    fn the_gap_counts_the_hidden_rows_and_keeps_the_hint() {
        let mut collected = collected();
        collected.sockets =
            vec![tcp(1, TcpState::Listen, "0.0.0.0:80"), tcp(2, TcpState::Listen, "0.0.0.0:81")];
        collected.gaps.push(
            Gap::new(Missing::Descriptors, "permission denied").count(57).hint("run as root"),
        );
        let gaps = join(collected).gaps();
        assert_eq!((gaps[0].what, gaps[0].count), (Missing::Owners, Some(2)));
        assert_eq!(gaps[0].hint.as_deref(), Some("run as root"));
        assert_eq!((gaps[1].what, gaps[1].count), (Missing::Descriptors, Some(57)));
    }

    proptest! {
        #[test]
        fn no_socket_and_no_holder_of_a_listed_socket_is_lost(
            sockets in proptest::collection::btree_set(0_u64..40, 0..40),
            holders in proptest::collection::vec((1_u32..9, 0_u32..5, 0_u64..60), 0..80),
        ) {
            let mut collected = collected();
            collected.sockets = sockets.iter().map(|&id| tcp(id, TcpState::Established, "127.0.0.1:9")).collect();
            collected.holders = Some(holders.iter().map(|&(pid, fd, socket)| holder(pid, fd, socket)).collect());
            let snapshot = join(collected);
            let listed: Vec<u64> = snapshot.entries.iter().map(|entry| entry.socket.id.0).collect();
            prop_assert_eq!(listed, sockets.iter().copied().collect::<Vec<_>>());
            let owners: usize = snapshot.entries.iter().map(|entry| entry.ownership.owners().len()).sum();
            prop_assert_eq!(owners, holders.iter().filter(|(.., socket)| sockets.contains(socket)).count());
        }
    }
}
