//! Which network namespaces there are (`network_namespaces(7)`), and the ways to each.
//!
//! The kernel has no list of them (before `listns(2)`, Linux 6.19): they are found by what keeps them
//! alive, which is processes, bind mounts and open descriptors, each once however many point to it.
//! One readlink a process tells; nothing is entered here, see [`read`].
//!
//! Without privilege the link `/proc/PID/ns/net` of another user's process is closed, while the
//! tables under `/proc/PID/net` are open. Their files are made anew for each namespace: two processes
//! whose `net/dev` has the same inode number are in one namespace (`proc_alloc_inum`,
//! linux/fs/proc/generic.c), so that no namespace is taken for two.

mod mounts;
mod names;
mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::path::PathBuf;

use rustix::fs::{CWD, readlinkat_raw, stat};
use rustix::io::{self, Errno};

pub(super) use self::read::{Trouble, Way, inside};
use super::owners::{self, Descriptor};
use super::sock_diag;
use crate::error::{CollectError, cause};
use crate::nearest::nearest;
use crate::platform::NetnsWish;
use crate::process::Pid;
use crate::snapshot::{Gap, Missing};
use crate::socket::NetnsId;
use crate::text::Text;

/// One network namespace and the ways to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Namespace {
    id: NetnsId,
    /// The number of its `/proc/PID/net/dev`, by which processes whose link is closed to us are told.
    /// When all are, `id` is this number too: no two things there have the same one.
    file: Option<NetnsId>,
    /// The processes in it, in the order of their numbers.
    processes: Vec<Pid>,
    /// Where it is mounted.
    mounts: Vec<PathBuf>,
    /// The descriptors that hold it open.
    descriptors: Vec<Descriptor>,
}

impl Namespace {
    const fn new(id: NetnsId) -> Self {
        Self { id, file: None, processes: Vec::new(), mounts: Vec::new(), descriptors: Vec::new() }
    }

    /// Returns one that goes by the number of a file.
    fn unnumbered(file: NetnsId) -> Self {
        Self { file: Some(file), ..Self::new(file) }
    }

    /// Adds a process whose link is open to us. What its files tell is asked at once: it may end.
    fn add(&mut self, pid: Pid) {
        self.processes.push(pid);
        if self.file.is_none() {
            self.file = file_number(pid).ok();
        }
    }

    fn is_numbered(&self) -> bool {
        self.file != Some(self.id)
    }

    /// Returns whether a process is in it now.
    fn has(&self, pid: Pid) -> bool {
        match link_number(pid) {
            Ok(id) if self.is_numbered() => id == self.id,
            Ok(_) | Err(Errno::ACCESS | Errno::PERM) => {
                self.file.is_some() && file_number(pid).ok() == self.file
            }
            Err(_) => false,
        }
    }
}

/// The namespaces asked for.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// The one this thread is in; `None` without `/proc`.
    current: Option<NetnsId>,
    known: BTreeMap<NetnsId, Namespace>,
    gaps: Vec<Gap>,
}

impl Namespaces {
    /// Finds the namespaces asked for, but for those that only a descriptor keeps: see
    /// [`Namespaces::read_held`].
    ///
    /// # Errors
    ///
    /// When one is asked for that does not exist or cannot be told.
    pub(super) fn find(wish: &NetnsWish) -> Result<Self, CollectError> {
        match wish {
            NetnsWish::Current => Ok(Self::only_current()),
            NetnsWish::All => Ok(Self::everywhere()),
            NetnsWish::Of(pid) => Self::of(*pid).map_err(|errno| match errno {
                Errno::NOENT | Errno::SRCH => not_found(pid, "there is no such process"),
                errno => not_found(pid, cause(&errno.into())),
            }),
            NetnsWish::Id(id) => {
                let mut all = Self::everywhere();
                if !all.known.contains_key(id) {
                    all.add_descriptors(&owners::namespaces());
                }
                all.keep(*id).ok_or_else(|| not_found(id, "nothing that can be seen keeps it"))
            }
            NetnsWish::Named(name) => {
                let all = Self::everywhere();
                let names = all.names();
                let id = names.iter().find(|(_, known)| known.as_bytes() == name.as_bytes());
                id.and_then(|(&id, _)| all.keep(id)).ok_or_else(|| {
                    let near = nearest(name, names.values().filter_map(|name| name.as_str()));
                    let near = near.map(|near| format!("; did you mean '{near}'?"));
                    not_found(name, format!("none has that name{}", near.unwrap_or_default()))
                })
            }
        }
    }

    /// Returns how many are known.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Returns the numbers of those known.
    pub(super) fn ids(&self) -> impl Iterator<Item = NetnsId> {
        self.known.keys().copied()
    }

    /// Returns the one this thread is in.
    pub(super) const fn current(&self) -> Option<NetnsId> {
        self.current
    }

    /// The namespace of this thread. Of the others no more is known than whether it is the host's.
    fn only_current() -> Self {
        let mut namespaces = Self { current: sock_diag::current_netns(), ..Self::default() };
        if let Some(id) = namespaces.current {
            let namespace = namespaces.at(id);
            if is_ours(Pid(1), id) {
                namespace.processes.push(Pid(1));
            } else {
                namespaces.add_mounts();
                namespaces.known.retain(|known, _| *known == id);
            }
        }
        namespaces
    }

    /// The namespace of one process.
    fn of(pid: Pid) -> Result<Self, Errno> {
        let mut namespaces = Self::only_current();
        let mut namespace = match link_number(pid) {
            Ok(id) => Namespace::new(id),
            Err(Errno::ACCESS | Errno::PERM) => match namespaces.current {
                Some(current) if is_ours(pid, current) => Namespace::new(current),
                Some(_) | None => Namespace::unnumbered(file_number(pid)?),
            },
            Err(errno) => return Err(errno),
        };
        if namespaces.current != Some(namespace.id) {
            namespace.processes.push(pid);
            let id = namespace.id;
            namespaces.known = BTreeMap::from([(id, namespace)]);
            namespaces.add_mounts();
            namespaces.known.retain(|known, _| *known == id);
        }
        Ok(namespaces)
    }

    /// Every namespace that a process or a mount keeps.
    fn everywhere() -> Self {
        let mut namespaces = Self { current: sock_diag::current_netns(), ..Self::default() };
        if let Some(current) = namespaces.current {
            namespaces.at(current);
        }
        let mut closed = Vec::new();
        for (pid, link) in owners::each_process(link_number) {
            match link {
                Ok(id) => namespaces.at(id).add(pid),
                Err(Errno::ACCESS | Errno::PERM) => closed.push(pid),
                // It has ended.
                Err(_) => {}
            }
        }
        namespaces.add_closed(&closed);
        namespaces.add_mounts();
        namespaces
    }

    fn at(&mut self, id: NetnsId) -> &mut Namespace {
        self.known.entry(id).or_insert_with(|| Namespace::new(id))
    }

    /// Leaves only this one; `None` when it is not known.
    fn keep(mut self, id: NetnsId) -> Option<Self> {
        self.known.retain(|known, _| *known == id);
        self.gaps.clear();
        (!self.known.is_empty()).then_some(self)
    }

    fn add_mounts(&mut self) {
        for (id, path) in mounts::read() {
            self.at(id).mounts.push(path);
        }
    }

    /// Adds processes whose links are closed to us: each to a known namespace, or to a new one that
    /// goes by the number of a file.
    fn add_closed(&mut self, closed: &[Pid]) {
        if closed.is_empty() {
            return;
        }
        let mut by_file: HashMap<NetnsId, NetnsId> = HashMap::new();
        let mut unnumbered = 0;
        // Whether what is in no known namespace is surely in another.
        let mut can_tell = true;
        for namespace in self.known.values_mut() {
            let mut files = namespace.processes.iter().map(|&pid| file_number(pid));
            namespace.file = namespace.file.or_else(|| files.find_map(Result::ok));
            match namespace.file {
                Some(file) => drop(by_file.insert(file, namespace.id)),
                None => can_tell &= namespace.processes.is_empty(),
            }
        }
        let mut untold = 0;
        for &pid in closed {
            match file_number(pid) {
                Ok(file) => match by_file.get(&file) {
                    Some(&id) => self.at(id).processes.push(pid),
                    None if can_tell => {
                        by_file.insert(file, file);
                        unnumbered += 1;
                        let namespace = Namespace::unnumbered(file);
                        self.known.entry(file).or_insert(namespace).processes.push(pid);
                    }
                    None => untold += 1,
                },
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(_) => untold += 1,
            }
        }
        for namespace in self.known.values_mut() {
            namespace.processes.sort();
        }
        if unnumbered > 0 {
            let namespaces = if unnumbered == 1 { "namespace" } else { "namespaces" };
            let gap = Gap::new(Missing::SocketFacts, "permission denied")
                .detail(format!("the number of {unnumbered} network {namespaces}"));
            self.gaps.push(hinted(gap));
        }
        if untold > 0 {
            let processes = if untold == 1 { "process" } else { "processes" };
            let why = "permission denied: which they are in cannot be told";
            let gap = Gap::new(Missing::Namespaces, why).detail(format!("of {untold} {processes}"));
            self.gaps.push(hinted(gap));
        }
    }

    /// Adds namespaces that descriptors keep open, and returns those that were not known.
    fn add_descriptors(&mut self, held: &[(NetnsId, Descriptor)]) -> BTreeSet<NetnsId> {
        let mut new = BTreeSet::new();
        for &(id, descriptor) in held {
            if !self.known.contains_key(&id) {
                new.insert(id);
            }
            self.at(id).descriptors.push(descriptor);
        }
        new
    }
}

/// Returns the namespaces that have an address, but for this one, with their names.
pub(super) fn having(address: IpAddr, but: Option<NetnsId>) -> BTreeMap<NetnsId, Option<Text>> {
    let all = Namespaces::everywhere();
    let mut names = all.names();
    let with_name = |id| (id, names.remove(&id));
    all.with_address(address, but).into_iter().map(with_name).collect()
}

fn not_found(netns: &impl Display, why: impl Into<String>) -> CollectError {
    let netns = netns.to_string().escape_debug().to_string();
    CollectError::Netns { netns, why: why.into() }
}

/// Returns the gap with what would help against a refusal.
pub(super) fn hinted(gap: Gap) -> Gap {
    let hint = (!rustix::process::geteuid().is_root()).then_some("run as root (sudo)");
    Gap { hint: hint.map(str::to_owned), ..gap }
}

/// Returns the number of the namespace a process is in, from its link.
pub(super) fn link_number(pid: Pid) -> io::Result<NetnsId> {
    // `net:[…]` takes 26 bytes at most.
    let mut space = [MaybeUninit::uninit(); 32];
    let (link, _) = readlinkat_raw(CWD, format!("/proc/{pid}/ns/net"), &mut space)?;
    parse_link(link).ok_or(Errno::INVAL)
}

/// Parses the text of a link to a network namespace, such as `net:[4026531833]`.
pub(super) fn parse_link(link: &[u8]) -> Option<NetnsId> {
    let number = link.strip_prefix(b"net:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok().map(NetnsId)
}

/// Returns the number of a file that each namespace has its own of.
fn file_number(pid: Pid) -> io::Result<NetnsId> {
    Ok(NetnsId(stat(format!("/proc/{pid}/net/dev"))?.st_ino))
}

/// Returns whether a process is in this thread's namespace, which has this number; also where its
/// link is closed to us.
fn is_ours(pid: Pid, current: NetnsId) -> bool {
    if let Ok(id) = link_number(pid) {
        return id == current;
    }
    let own = stat("/proc/thread-self/net/dev").map(|file| NetnsId(file.st_ino));
    own.is_ok() && own == file_number(pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OURS: fn() -> Pid = || Pid(std::process::id());

    #[test]
    fn a_link_is_told_by_its_kind() {
        assert_eq!(parse_link(b"net:[4026531833]"), Some(NetnsId(4_026_531_833)));
        for other in [&b"mnt:[4026531841]"[..], b"net:[]", b"net:[-1]", b"net:[1", b"socket:[1]"] {
            assert_eq!(parse_link(other), None);
        }
    }

    #[test]
    fn a_process_with_a_closed_link_is_told_by_its_files() {
        let current = link_number(OURS()).unwrap();
        let mut namespaces = Namespaces::default();
        namespaces.at(current).processes.push(OURS());
        namespaces.add_closed(&[Pid(std::os::unix::process::parent_id())]);
        assert_eq!(namespaces.known.len(), 1, "{namespaces:?}");
        assert_eq!(namespaces.known[&current].processes.len(), 2);
        assert_eq!(namespaces.gaps, []);

        // The same without any link to go by.
        let mut namespaces = Namespaces::default();
        namespaces.add_closed(&[OURS(), Pid(std::os::unix::process::parent_id())]);
        let (id, namespace) = namespaces.known.pop_first().unwrap();
        assert_eq!(Ok(id), file_number(OURS()));
        assert!(!namespace.is_numbered() && namespace.has(OURS()));
        assert_eq!(namespaces.known, BTreeMap::new());
        assert_eq!(namespaces.gaps[0].detail.as_deref(), Some("the number of 1 network namespace"));
    }

    #[test]
    fn what_cannot_be_told_apart_is_a_gap_and_no_second_namespace() {
        // A namespace known by a process that has ended since: its files tell nothing any more.
        let mut namespaces = Namespaces::default();
        namespaces.at(NetnsId(1)).processes.push(Pid(u32::MAX));
        namespaces.add_closed(&[OURS()]);
        assert_eq!(namespaces.known.len(), 1, "{namespaces:?}");
        assert_eq!(namespaces.gaps[0].what, Missing::Namespaces);
        assert_eq!(namespaces.gaps[0].detail.as_deref(), Some("of 1 process"));
    }

    #[test]
    fn a_descriptor_s_namespace_is_new_once() {
        let mut namespaces = Namespaces::default();
        namespaces.at(NetnsId(1));
        let file = std::fs::File::open("/proc/self/ns/net").unwrap();
        let scan = owners::scan(None).namespaces;
        drop(file);
        let (_, descriptor) = scan[0];
        let held = [1, 2, 2].map(|id| (NetnsId(id), descriptor));
        assert_eq!(namespaces.add_descriptors(&held), [NetnsId(2)].into());
        assert_eq!(namespaces.add_descriptors(&held), BTreeSet::new());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            parse_link(&bytes);
        }
    }
}
