//! Reads the sockets of namespaces: from inside, by a thread that enters, else from the tables that
//! `/proc` shows of a process in it.
//!
//! A thread that has entered a namespace stays there, so each is one of our own that does nothing
//! else and ends: what the rest of the program opens is never in the wrong namespace.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fd::AsFd as _;
use rustix::fs::{Mode, OFlags, fstat, open};
use rustix::io::{self, Errno};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Namespace, Namespaces, hinted, is_ours, link_number};
use crate::error::{CollectError, cause};
use crate::kernel::KernelPort;
use crate::platform::linux::bind_facts::addresses;
use crate::platform::linux::kernel_ports;
use crate::platform::linux::owners::Descriptor;
use crate::platform::linux::sock_diag::{self, Dump};
use crate::platform::{Request, processors};
use crate::process::Pid;
use crate::snapshot::{Gap, Missing};
use crate::socket::NetnsId;
use crate::sockets::Sockets;

/// More threads than this gain little: every dump walks the same tables of the kernel.
const MOST_THREADS: usize = 4;

/// Why a namespace could not be read.
#[derive(Debug)]
pub(in super::super) enum Trouble {
    /// All that was known to keep it has ended.
    Gone,
    /// We may not enter it, and no table of it can be read from outside.
    Refused(Errno),
    /// Not one of its tables could be read.
    Failed(CollectError),
}

impl Namespaces {
    /// Reads the sockets of all of them.
    ///
    /// # Errors
    ///
    /// When the only one asked for cannot be read.
    pub(in super::super) fn read(&mut self, request: &Request) -> Result<Dump, CollectError> {
        if self.known.len() > 1 {
            let all: Vec<NetnsId> = self.known.keys().copied().collect();
            return Ok(self.read_some(&all, request));
        }
        let only: Vec<(&Namespace, &Request)> =
            self.known.values().map(|namespace| (namespace, request)).collect();
        let Some((netns, answer)) = self.read_each(&only, read_sockets).pop() else {
            // Without /proc there is no number.
            return sock_diag::dump(request);
        };
        let mut dump = answer.map_err(|trouble| trouble.into_error(netns))?;
        dump.gaps.append(&mut self.gaps);
        Ok(dump)
    }

    /// Reads the sockets of the namespaces that these descriptors keep, as far as they are new.
    pub(in super::super) fn read_held(
        &mut self,
        held: &[(NetnsId, Descriptor)],
        request: &Request,
    ) -> Dump {
        let new: Vec<NetnsId> = self.add_descriptors(held).into_iter().collect();
        self.read_some(&new, request)
    }

    /// Reads the sockets of these namespaces; what cannot be read is a gap.
    fn read_some(&mut self, some: &[NetnsId], request: &Request) -> Dump {
        let jobs: Vec<(&Namespace, &Request)> =
            some.iter().filter_map(|id| Some((self.known.get(id)?, request))).collect();
        let count = jobs.len();
        let (mut sockets, mut gaps) = (Sockets::default(), Vec::new());
        let mut troubles: BTreeMap<String, (Gap, usize)> = BTreeMap::new();
        for (_, answer) in self.read_each(&jobs, read_sockets) {
            let trouble = match answer {
                Ok(dump) => {
                    dump.sockets.iter().for_each(|socket| sockets.add(socket));
                    gaps.extend(dump.gaps);
                    continue;
                }
                Err(trouble) => trouble.into_gap(),
            };
            troubles.entry(trouble.why.clone()).or_insert((trouble, 0)).1 += 1;
        }
        let mut gaps = merge(gaps, count);
        gaps.extend(troubles.into_values().map(|(gap, count)| gap.count(count)));
        gaps.append(&mut self.gaps);
        Dump { sockets, gaps }
    }

    /// Reads something of this thread's namespace and of others, of each with a request of its own.
    /// Returns the answers in the order of the namespaces asked.
    fn read_each<R: Copy + Sync, T: Send>(
        &self,
        jobs: &[(&Namespace, R)],
        read: impl Fn(NetnsId, Way<'_>, R) -> Result<T, CollectError> + Sync,
    ) -> Vec<(NetnsId, Result<T, Trouble>)> {
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            jobs.iter().copied().partition(|(namespace, _)| self.current == Some(namespace.id));
        let next = AtomicUsize::new(0);
        let run = || {
            let mut answers = Vec::new();
            while let Some((namespace, request)) =
                elsewhere.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let read = |way: Way<'_>| read(namespace.id, way, *request);
                answers.push((namespace.id, read_inside(namespace, read)));
            }
            answers
        };
        let threads = processors().min(MOST_THREADS).min(elsewhere.len());
        let mut answers = thread::scope(|scope| {
            let entering: Vec<_> = (0..threads)
                .filter_map(|_| thread::Builder::new().spawn_scoped(scope, run).ok())
                .collect();
            let mut answers: Vec<_> = here
                .iter()
                .map(|(namespace, request)| {
                    let answer = read(namespace.id, Way::Inside, *request);
                    (namespace.id, answer.map_err(Trouble::Failed))
                })
                .collect();
            for thread in entering {
                answers.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            answers
        });
        // Where not one thread could be had.
        let answered: HashSet<NetnsId> = answers.iter().map(|(id, _)| *id).collect();
        let left = elsewhere.iter().filter(|(namespace, _)| !answered.contains(&namespace.id));
        answers.extend(left.map(|(each, _)| (each.id, Err(Trouble::Refused(Errno::AGAIN)))));
        answers.sort_by_key(|(id, _)| *id);
        answers
    }

    /// Reads the sockets of some namespaces once more, each with a request of its own; `None` is ours
    /// without a number. One that is not known is not answered.
    pub(in super::super) fn read_again(
        &self,
        requests: &BTreeMap<Option<NetnsId>, Request>,
    ) -> Vec<(Option<NetnsId>, Result<Dump, Trouble>)> {
        let numbered = requests.iter().filter_map(|(id, request)| Some(((*id)?, request)));
        let jobs: Vec<(&Namespace, &Request)> =
            numbered.filter_map(|(id, request)| Some((self.known.get(&id)?, request))).collect();
        let answers =
            self.read_each(&jobs, read_sockets).into_iter().map(|(id, answer)| (Some(id), answer));
        let ours = requests.get(&None).map(|request| (None, sock_diag::dump(request)));
        answers.chain(ours.map(|(id, dump)| (id, dump.map_err(Trouble::Failed)))).collect()
    }

    /// Returns the namespaces other than this one that have an address. Those that may not be entered do
    /// not tell.
    pub(in super::super) fn with_address(
        &self,
        address: IpAddr,
        but: Option<NetnsId>,
    ) -> BTreeSet<NetnsId> {
        let others = self.known.values().filter(|each| Some(each.id) != but);
        let jobs: Vec<(&Namespace, ())> = others.map(|each| (each, ())).collect();
        let has = |_, way: Way<'_>, ()| match way {
            Way::Inside => Ok(addresses::is_had_here(address)),
            Way::Outside(_) => Ok(false),
        };
        let answers = self.read_each(&jobs, has).into_iter();
        answers.filter_map(|(id, has)| has.is_ok_and(|has| has).then_some(id)).collect()
    }

    /// Reads which ports the kernel has for itself in some namespaces, as far as it tells; `None` is ours
    /// without a number.
    pub(in super::super) fn read_kernel_ports(
        &self,
        some: &BTreeSet<Option<NetnsId>>,
    ) -> Vec<KernelPort> {
        let known = some.iter().filter_map(|id| self.known.get(&(*id)?));
        let jobs: Vec<(&Namespace, bool)> =
            known.map(|namespace| (namespace, namespace.processes.contains(&Pid(1)))).collect();
        let read = |id, way: Way<'_>, is_first| {
            let ports = kernel_ports::read(way, is_first).into_iter();
            Ok(ports.map(|port| KernelPort { netns: Some(id), ..port }).collect::<Vec<_>>())
        };
        let answers = self.read_each(&jobs, read).into_iter();
        let mut ports: Vec<KernelPort> =
            answers.filter_map(|(_, ports)| ports.ok()).flatten().collect();
        if some.contains(&None) {
            ports.extend(kernel_ports::read(Way::Inside, true));
        }
        ports
    }
}

/// How a namespace at hand can be read.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Way<'a> {
    /// This thread is in it.
    Inside,
    /// It may not be entered: by the tables in this directory.
    Outside(&'a Path),
}

fn read_sockets(netns: NetnsId, way: Way<'_>, request: &Request) -> Result<Dump, CollectError> {
    match way {
        Way::Inside => sock_diag::dump(request),
        Way::Outside(directory) => sock_diag::dump_files(directory, netns, request),
    }
}

impl Trouble {
    fn into_error(self, netns: NetnsId) -> CollectError {
        let why = match self {
            Self::Gone => "it is gone".to_owned(),
            Self::Refused(errno) => cause(&errno.into()),
            Self::Failed(error) => return error,
        };
        CollectError::Netns { netns: netns.to_string(), why }
    }

    fn into_gap(self) -> Gap {
        match self {
            Self::Gone => Gap::new(Missing::Namespaces, "gone before it could be read"),
            Self::Refused(errno) => {
                hinted(Gap::new(Missing::Namespaces, format!("enter: {}", cause(&errno.into()))))
            }
            Self::Failed(error) => Gap::new(Missing::Namespaces, error.to_string()),
        }
    }
}

/// Makes one gap of those that several namespaces have, and says in how many of all.
fn merge(gaps: Vec<Gap>, all: usize) -> Vec<Gap> {
    let mut merged: Vec<(Gap, usize)> = Vec::new();
    for gap in gaps {
        match merged.iter_mut().find(|(known, _)| *known == gap) {
            Some((_, times)) => *times += 1,
            None => merged.push((gap, 1)),
        }
    }
    let say = |(gap, times): (Gap, usize)| {
        if times == all {
            return gap;
        }
        let detail = gap.detail.as_ref().map(|detail| format!("{detail} ")).unwrap_or_default();
        gap.detail(format!("{detail}in {times} of {all} network namespaces"))
    };
    merged.into_iter().map(say).collect()
}

/// Reads a namespace in this thread, which is left there.
fn read_inside<T>(
    namespace: &Namespace,
    read: impl Fn(Way<'_>) -> Result<T, CollectError>,
) -> Result<T, Trouble> {
    let mut refusal = None;
    for door in namespace.doors() {
        match enter(&door, namespace.id) {
            Ok(()) => return read(Way::Inside).map_err(Trouble::Failed),
            // What kept it has ended, or its number is another's by now.
            Err(Errno::NOENT | Errno::SRCH | Errno::STALE) => {}
            Err(errno) => refusal = Some(errno),
        }
    }
    let mut failure = None;
    for &pid in &namespace.processes {
        if !namespace.has(pid) {
            continue;
        }
        let directory = PathBuf::from(format!("/proc/{pid}/net"));
        match read(Way::Outside(&directory)) {
            // Still the same process: not one that took its number, nor a zombie by now.
            Ok(answer) if namespace.has(pid) => return Ok(answer),
            Ok(_) => {}
            Err(error) => failure = namespace.has(pid).then_some(error),
        }
    }
    Err(match (failure, refusal) {
        (Some(error), _) => Trouble::Failed(error),
        (None, Some(errno)) => Trouble::Refused(errno),
        (None, None) => Trouble::Gone,
    })
}

/// Runs something in the network namespace of a process, in a thread of its own unless that is ours.
///
/// # Errors
///
/// When that namespace is not ours and may not be entered, or the process is gone.
pub(in super::super) fn inside<T: Send>(pid: Pid, run: impl FnOnce() -> T + Send) -> io::Result<T> {
    if sock_diag::current_netns().is_some_and(|current| is_ours(pid, current)) {
        return Ok(run());
    }
    let id = link_number(pid)?;
    let entering = || {
        enter(Path::new(&format!("/proc/{pid}/ns/net")), id)?;
        Ok(run())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, entering);
        let thread = thread.map_err(|_| Errno::AGAIN)?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Moves this thread into the namespace behind a link or mount, if that is the one with this number.
fn enter(door: &Path, id: NetnsId) -> io::Result<()> {
    // A mount may have been replaced by anything, such as a pipe.
    let link = open(door, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
    if NetnsId(fstat(&link)?.st_ino) != id {
        return Err(Errno::STALE);
    }
    move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))
}

impl Namespace {
    /// Returns every path that leads into it, those that are nearest to it first.
    fn doors(&self) -> impl Iterator<Item = PathBuf> {
        let processes = self.processes.iter().map(|pid| format!("/proc/{pid}/ns/net").into());
        let descriptors = self.descriptors.iter().map(|descriptor| descriptor.path());
        // Without its number it could not be told that it is the right one.
        let is_open = self.is_numbered();
        processes.chain(self.mounts.iter().cloned()).chain(descriptors).filter(move |_| is_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_of_several_namespaces_is_one_and_says_of_how_many() {
        let bound = || Gap::new(Missing::BoundSockets, "/proc/net does not list them");
        let tcp = Gap::new(Missing::Sockets, "permission denied").detail("tcp over inet");
        assert_eq!(
            merge(vec![bound(), tcp.clone(), bound()], 3),
            [
                bound().detail("in 2 of 3 network namespaces"),
                tcp.clone().detail("tcp over inet in 1 of 3 network namespaces"),
            ]
        );
        assert_eq!(merge(vec![tcp.clone()], 1), [tcp]);
    }

    #[test]
    fn a_namespace_that_nothing_keeps_any_more_is_a_gap_beside_ours() {
        let own = sock_diag::current_netns().unwrap();
        let mut namespaces = Namespaces { current: Some(own), ..Namespaces::default() };
        namespaces.at(own);
        // A process that cannot be, and one whose number is another's by now.
        let pids = vec![Pid(u32::MAX), Pid(std::process::id())];
        for id in [NetnsId(1), NetnsId(2)] {
            namespaces.at(id).processes.clone_from(&pids);
        }
        let dump = namespaces.read(&Request::default()).unwrap();
        assert!(dump.sockets.iter().all(|socket| socket.netns == Some(own)));
        let gone = Gap::new(Missing::Namespaces, "gone before it could be read").count(2);
        assert!(dump.gaps.contains(&gone), "{:?}", dump.gaps);
    }

    #[test]
    fn the_only_namespace_asked_for_is_an_error_when_it_is_gone() {
        let mut namespaces = Namespaces::default();
        namespaces.at(NetnsId(1));
        let error = namespaces.read(&Request::default()).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the network namespace 1: it is gone");
    }
}
