//! Sockets that are in none of the kernel's lists, found by the descriptors that processes have for them.
//!
//! The kernel lists a socket from its bind or connect on, and those of some families never (`AF_ALG`,
//! `AF_CAN`, …; `AF_VSOCK` and `AF_XDP` where it lacks their modules). What it tells of every socket
//! to whoever may look into a holder is the name of its protocol (the attribute
//! `system.sockprotoname`, linux/net/socket.c).
//!
//! A descriptor may be newer than the dump, so every list is read once more behind the walk: what was
//! in a descriptor before that, is in none of the lists, and still is in the descriptor, is unlisted.
//! That may be because it is of another namespace than its holder: only `--netns all` reads them all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags, fstat, getxattr, open};
use rustix::io::Errno;

use super::netns::{Namespaces, link_number};
use super::owners::{self, Holding, Scan};
use super::sock_diag::{CANNOT_LIST, Dump};
use crate::platform::clock::Deadline;
use crate::platform::{NetnsWish, OwnersBy, Request};
use crate::process::{Pid, Tid, Uid};
use crate::snapshot::{Gap, Missing};
use crate::socket::{Family, Inode, NetnsId, Protocol, RareFacts, Socket, SocketId};
use crate::sockets::Sockets;
use crate::state::TcpState;
use crate::text::Text;

/// How long the descriptor tables of single threads may be looked through.
const THREADS_BUDGET: Duration = Duration::from_secs(1);

/// The attribute that has the name.
const NAME: &str = "system.sockprotoname";

/// Longer than any (`struct proto`, linux/include/net/sock.h).
const LONGEST_NAME: usize = 64;

/// Returns whether such sockets are wanted: they have no ports, and count as closed.
pub(super) fn are_wanted(request: &Request) -> bool {
    let closed = |states: &Vec<TcpState>| states.contains(&TcpState::Closed);
    request.protocols.contains(&Protocol::Other)
        && request.families.contains(&Family::Other)
        && request.ports.is_none()
        && request.states.as_ref().is_none_or(closed)
}

/// Finds those that the walk met. Completes the walk by the tables of single threads, where those are
/// not in it.
pub(super) fn find(listed: &Sockets, scan: &mut Scan, namespaces: &Namespaces) -> Dump {
    let mut known: HashSet<Inode> = listed.iter().filter_map(|socket| socket.inode).collect();
    if !scan.has_own_tables {
        let walked: HashSet<Inode> = scan.holdings.iter().map(|holding| holding.inode).collect();
        let threads = owners::threads::scan(None, Deadline::after(THREADS_BUDGET));
        let is_new =
            |Holding { inode, .. }: &Holding| !known.contains(inode) && !walked.contains(inode);
        scan.holdings.extend(threads.holdings.iter().filter(is_new));
        // Whom it may not look into the walk has named.
        scan.gaps.extend(threads.gaps.into_iter().filter(|gap| gap.what == Missing::Owners));
    }
    let mut candidates: BTreeMap<Inode, Vec<Holding>> = BTreeMap::new();
    for holding in scan.holdings.iter() {
        if !known.contains(&holding.inode) {
            candidates.entry(holding.inode).or_default().push(holding);
        }
    }
    let mut gaps: Vec<Gap> = scan.gaps.iter().filter_map(unseen).collect();
    if candidates.is_empty() {
        return Dump { sockets: Sockets::default(), gaps };
    }

    let (read, second, unread) = read_all(namespaces);
    gaps.extend(unread);
    known.extend(second);
    let mut homes: HashMap<Pid, bool> = HashMap::new();
    let mut is_at_home = |pid: Pid| {
        let home = || namespace_of(pid).is_some_and(|id| read.contains(&id));
        *homes.entry(pid).or_insert_with(home)
    };
    candidates.retain(|inode, _| !known.contains(inode));
    let look = |(inode, holdings): (Inode, Vec<Holding>)| {
        holdings.into_iter().filter(|holding| is_at_home(holding.pid)).find_map(look_at).map(
            |Look { uid, name }| {
                let mut socket = Socket::new(SocketId(0), Protocol::Other, Family::Other);
                socket.inode = Some(inode);
                socket.uid = Some(uid);
                socket.rare = RareFacts { protocol_name: name, ..RareFacts::default() }.into();
                socket
            },
        )
    };
    let mut sockets = Sockets::default();
    candidates.into_iter().filter_map(look).for_each(|socket| sockets.add(socket));
    Dump { sockets, gaps }
}

/// Returns the gap that this gap among the descriptors is among such sockets.
fn unseen(gap: &Gap) -> Option<Gap> {
    let of = match gap.count {
        Some(1) => " of 1 process".to_owned(),
        Some(count) => format!(" of {count} processes"),
        None => String::new(),
    };
    let Gap { why, hint, .. } = gap.clone();
    (gap.what == Missing::Descriptors)
        .then(|| Gap { hint, ..Gap::new(Missing::Sockets, why).detail(format!("other{of}")) })
}

/// Returns the namespace a process is in; that of another thread where the first has ended.
fn namespace_of(pid: Pid) -> Option<NetnsId> {
    let of = |thread| link_number(Pid(thread)).ok();
    of(pid.0).or_else(|| threads(pid).find_map(of))
}

/// Reads every list of these namespaces. Returns those that could be read, the inodes in the lists, and of
/// the others a gap: nothing is concluded of them.
fn read_all(namespaces: &Namespaces) -> (HashSet<NetnsId>, HashSet<Inode>, Vec<Gap>) {
    let everything = Request {
        protocols: Protocol::ALL.to_vec(),
        families: Family::ALL.to_vec(),
        netns: NetnsWish::Current,
        owners: false,
        owners_by: OwnersBy::Auto,
        ..Request::default()
    };
    let requests = namespaces.ids().map(|id| (Some(id), everything.clone())).collect();
    let (mut read, mut inodes, mut gaps) = (HashSet::new(), HashSet::new(), Vec::new());
    for (netns, answer) in namespaces.read_again(&requests) {
        let Some(netns) = netns else { continue };
        let why = match answer {
            Ok(dump) => {
                inodes.extend(dump.sockets.iter().filter_map(|socket| socket.inode));
                // What this kernel cannot list is just what is looked for.
                let mut bad = dump.gaps.into_iter();
                match bad.find(|gap| gap.what == Missing::Sockets && gap.why != CANNOT_LIST) {
                    None => {
                        read.insert(netns);
                        continue;
                    }
                    Some(gap) => gap.why,
                }
            }
            // It is gone, or a gap already.
            Err(_) => continue,
        };
        gaps.push(Gap::new(Missing::Sockets, why).detail("other"));
    }
    gaps.dedup();
    (read, inodes, gaps)
}

/// What a descriptor tells of its socket.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    uid: Uid,
    name: Option<Text>,
}

/// Looks at the socket that is held; `None` when it is so no more. A file opened for its path alone does
/// not keep the socket open.
fn look_at(holding: Holding) -> Option<Look> {
    let Holding { pid, tid, fd, inode, .. } = holding;
    let fd = fd?;
    let at = |thread: u32| {
        let path = format!("/proc/{pid}/task/{thread}/fd/{fd}");
        open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    };
    let file = match at(tid.map_or(pid.0, |Tid(thread)| thread)) {
        Ok(file) => file,
        // The first thread has ended, and with it what it shows of the table.
        Err(Errno::NOENT) if tid.is_none() => threads(pid).find_map(|thread| at(thread).ok())?,
        Err(_) => return None,
    };
    let stat = fstat(&file).ok()?;
    let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
    (is_socket && Inode(stat.st_ino) == inode)
        .then(|| Look { uid: Uid(stat.st_uid), name: read_name(&file) })
}

/// Returns the threads of a process.
fn threads(pid: Pid) -> impl Iterator<Item = u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok())
}

/// Reads the kernel's name for a socket's protocol. By the path of our own descriptor: the holder's may
/// be another file by now.
fn read_name(file: &OwnedFd) -> Option<Text> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut space = [0; LONGEST_NAME];
    let length = getxattr(path, NAME, &mut space).ok()?;
    let name = space.get(..length)?.split(|&byte| byte == 0).next()?;
    (!name.is_empty()).then(|| Text::new(name))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::{AsFd, AsRawFd as _};

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

    use super::*;
    use crate::platform::clock::wait_until;
    use crate::process::{Fd, Via};

    fn unbound() -> OwnedFd {
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
    }

    fn holding(socket: impl AsFd) -> Holding {
        let fd = Fd(u32::try_from(socket.as_fd().as_raw_fd()).unwrap());
        let inode = Inode(fstat(&socket).unwrap().st_ino);
        Holding { pid: Pid(std::process::id()), tid: None, fd: Some(fd), inode, via: Via::Fd }
    }

    /// Returns those found of what a walk met, when the first dump had nothing.
    fn found(holdings: Vec<Holding>, namespaces: &Namespaces) -> Vec<Socket> {
        let holdings = holdings.into_iter().collect();
        let mut scan = Scan { holdings, has_own_tables: true, ..Scan::default() };
        find(&Sockets::default(), &mut scan, namespaces).sockets.iter().collect()
    }

    #[test]
    fn it_is_in_a_descriptor_before_and_after_and_in_no_list_between() {
        let here = Namespaces::find(&NetnsWish::Current).unwrap();
        let (open, closed, listed) = (unbound(), unbound(), unbound());
        let [held, gone, made_since] = [&open, &closed, &listed].map(holding);
        drop(closed);
        // Not yet in the first dump, but in the second.
        rustix::net::listen(&listed, 1).unwrap();
        // Lists that keep changing while they are read are not concluded from.
        let found = || found(vec![held, gone, made_since], &here);
        wait_until(|| !found().is_empty());
        let found = found();
        let [socket] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((socket.protocol, socket.inode), (Protocol::Other, Some(held.inode)));
        assert_eq!(socket.uid, Some(Uid(rustix::process::geteuid().as_raw())));
        assert_eq!(socket.rare.protocol_name, Some("TCP".into()));
        assert!(!socket.is_listening());
    }

    #[test]
    fn a_number_that_is_another_socket_s_by_now_is_not_taken_for_it() {
        let (one, other) = (unbound(), unbound());
        let mistaken = Holding { fd: holding(&other).fd, ..holding(&one) };
        assert_eq!(look_at(mistaken), None);
        // Neither is a file of another kind, whatever its number.
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        assert_eq!(look_at(holding(&file)), None);
    }

    #[test]
    fn of_a_holder_whose_namespace_was_not_read_nothing_is_said() {
        let socket = unbound();
        assert_eq!(found(vec![holding(&socket)], &Namespaces::default()), []);
    }

    #[test]
    fn they_are_wanted_only_where_the_request_leaves_them_room() {
        let everything = Request {
            protocols: Protocol::ALL.to_vec(),
            families: Family::ALL.to_vec(),
            ..Request::default()
        };
        assert!(are_wanted(&everything));
        assert!(!are_wanted(&Request::default()));
        assert!(!are_wanted(&Request {
            states: Some(vec![TcpState::Listen]),
            ..everything.clone()
        }));
        let ports = Some(crate::platform::PortWish::Local(80..=80));
        assert!(!are_wanted(&Request { ports, ..everything }));
    }

    #[test]
    fn whoever_may_not_see_all_descriptors_is_told_that_these_sockets_lack() {
        let here = Namespaces::find(&NetnsWish::Current).unwrap();
        let gap = Gap::new(Missing::Descriptors, "permission denied").count(57).hint("run as root");
        let mut scan = Scan { gaps: vec![gap], has_own_tables: true, ..Scan::default() };
        let lacking = Gap::new(Missing::Sockets, "permission denied").hint("run as root");
        let found = find(&Sockets::default(), &mut scan, &here);
        assert_eq!(found.gaps, [lacking.detail("other of 57 processes")]);
    }

    #[test]
    fn what_the_first_dump_has_is_listed() {
        let here = Namespaces::find(&NetnsWish::Current).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let held = holding(&listener);
        // Though it be gone from the lists since.
        let unbound = unbound();
        let known = Socket {
            inode: Some(holding(&unbound).inode),
            ..Socket::new(SocketId(0), Protocol::Tcp, Family::Inet)
        };
        let mut scan = Scan {
            holdings: [held, holding(&unbound)].into_iter().collect(),
            has_own_tables: true,
            ..Scan::default()
        };
        let listed = std::iter::once(known).collect();
        assert!(find(&listed, &mut scan, &here).sockets.is_empty());
    }
}
