//! Who holds a socket: the walk over every descriptor of every process, `/proc/*/fd`
//! (`proc_pid_fd(5)`).
//!
//! The text of a link is read, its target never: a link to a file on a dead network mount costs
//! nothing, and nothing is opened. What may not be read becomes a gap with its reason; a process
//! that ends meanwhile is no gap, it holds nothing any more.

pub(crate) mod bpf;
pub(crate) mod in_flight;
pub(crate) mod rings;
pub(crate) mod threads;
pub(crate) mod visibility;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::{self, Errno};
use rustix::path::{Arg, DecInt};

use super::netns;
use super::privilege::Privilege;
use super::stat::read_stat;
use crate::error::cause;
use crate::holders::{Holders, Names};
use crate::platform::{OwnersBy, processors};
use crate::process::{Fd, Holder, Pid, Tid, Via};
use crate::snapshot::{Gap, Missing};
use crate::socket::{Inode, NetnsId, SocketId};

/// More threads than this gain little: they meet at the kernel's locks.
const MOST_THREADS: usize = 4;

/// So many processes are read in the time that a thread takes to start.
const A_THREADS_WORTH: usize = 16;

/// And so many are asked a single question.
const A_QUESTION_S_WORTH: usize = 128;

/// A table of more descriptors than this is read by several threads.
const CHUNK: usize = 512;

/// How many such tables one thread keeps open for the others. A machine may have more of them than
/// we may have descriptors.
const MOST_SHARED: usize = 16;

const PERMISSION_DENIED: &str = "permission denied";

/// One way in which a process holds a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Holding {
    /// The process.
    pub(crate) pid: Pid,
    /// The thread, when it is in a table that it has for itself.
    pub(crate) tid: Option<Tid>,
    /// The descriptor's number in that table, if it is held by a descriptor.
    pub(crate) fd: Option<Fd>,
    /// The socket's inode.
    pub(crate) inode: Inode,
    /// Which way that is.
    pub(crate) via: Via,
}

/// Very many of them in little room, in no order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holdings(
    // Of sockets numbered by their inodes.
    Holders,
);

/// Returns the number by which [`Holdings`] know a socket.
pub(crate) const fn name(Inode(inode): Inode) -> SocketId {
    SocketId(inode)
}

impl Holdings {
    /// Returns an empty table with the room that one thread may need: pages that the kernel hands out only
    /// when they are written to, and that are handed back as one.
    fn of_a_thread() -> Self {
        Self(Holders::with_capacity(16 * 1024))
    }

    fn push(&mut self, Holding { pid, tid, fd, inode, via }: Holding) {
        self.0.push(Holder { pid, tid, fd, socket: name(inode), via });
    }

    /// Appends all of those others.
    fn append(&mut self, other: Self) {
        self.0.append(other.0);
    }

    /// Returns the holdings one by one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Holding> {
        self.0.iter().map(Holding::from)
    }

    /// Keeps only those that `keep` tells to.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Holding) -> bool) {
        self.0.retain(|&holder| keep(&holder.into()));
    }

    /// Returns them by process and descriptor.
    fn sorted(&self) -> Vec<Holding> {
        let mut all: Vec<Holding> = self.iter().collect();
        all.sort_unstable();
        all
    }

    /// Makes them holders of sockets, of which these are the names.
    pub(crate) fn into_holders(self, names: &Names) -> Holders {
        let Self(mut holders) = self;
        holders.rename(names);
        holders
    }
}

impl From<Holder> for Holding {
    fn from(Holder { pid, tid, fd, socket: SocketId(inode), via }: Holder) -> Self {
        Self { pid, tid, fd, inode: Inode(inode), via }
    }
}

impl Extend<Holding> for Holdings {
    fn extend<I: IntoIterator<Item = Holding>>(&mut self, holdings: I) {
        holdings.into_iter().for_each(|holding| self.push(holding));
    }
}

impl FromIterator<Holding> for Holdings {
    fn from_iter<I: IntoIterator<Item = Holding>>(holdings: I) -> Self {
        let mut all = Self::default();
        all.extend(holdings);
        all
    }
}

/// One descriptor, whatever it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Descriptor {
    pid: Pid,
    tid: Option<Tid>,
    fd: Fd,
}

impl Descriptor {
    /// Returns the path that leads to what is behind it.
    pub(crate) fn path(self) -> PathBuf {
        let Self { pid, tid, fd } = self;
        let thread = tid.map_or(pid.0, |Tid(thread)| thread);
        format!("/proc/{pid}/task/{thread}/fd/{fd}").into()
    }

    /// Reads what the kernel tells of the file behind it (`proc_pid_fdinfo(5)`).
    fn read_fdinfo(self) -> io::Result<Vec<u8>> {
        let Self { pid, tid, fd } = self;
        let thread = tid.map_or(pid.0, |Tid(thread)| thread);
        std::fs::read(format!("/proc/{pid}/task/{thread}/fdinfo/{fd}"))
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Every holding found.
    pub(crate) holdings: Holdings,
    /// Whether the tables that single threads have for themselves were read, too.
    pub(crate) has_own_tables: bool,
    /// Which of the sockets are UNIX sockets, where that was told.
    pub(crate) unix: Option<HashSet<Inode>>,
    /// Every descriptor of an io_uring met on the way, and perhaps others.
    pub(crate) rings: Vec<Descriptor>,
    /// Every descriptor of a network namespace met on the way.
    pub(crate) namespaces: Vec<(NetnsId, Descriptor)>,
    /// What could not be read.
    pub(crate) gaps: Vec<Gap>,
    /// In which way it was found, and why not in another; absent where there is only one.
    pub(crate) note: Option<String>,
}

/// With fewer processes than this the walk is done before a program is loaded.
const FEW_PROCESSES: usize = 40;

/// Finds every descriptor of every process that is a socket; only of the `wanted` ones when given.
///
/// # Errors
///
/// When the way asked for is refused.
pub(crate) fn find(by: OwnersBy, wanted: Option<&HashSet<Inode>>) -> Result<Scan, bpf::Refusal> {
    let by_proc = |because: &dyn fmt::Display| {
        let note = Some(format!("owners: found by walking through /proc; {because}"));
        Scan { note, ..scan(wanted) }
    };
    Ok(match by {
        OwnersBy::Bpf => bpf::scan(wanted)?,
        OwnersBy::Proc => by_proc(&"as asked for"),
        OwnersBy::Auto if has_many_processes() => {
            bpf::scan(wanted).unwrap_or_else(|refusal| by_proc(&format_args!("BPF: {refusal}")))
        }
        OwnersBy::Auto => by_proc(&"there are few processes"),
    })
}

/// Finds every network namespace that a descriptor keeps.
pub(crate) fn namespaces() -> Vec<(NetnsId, Descriptor)> {
    find(OwnersBy::Auto, Some(&HashSet::new())).unwrap_or_default().namespaces
}

/// Returns whether `/proc` lists more than a few processes; it is not read further than that.
fn has_many_processes() -> bool {
    let Ok(proc) = open_directory(CWD, c"/proc") else { return false };
    // Listing costs by the entry: ask for a page at a time.
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&proc, &mut space);
    let mut processes = 0;
    while let Some(Ok(entry)) = entries.next() {
        processes += usize::from(entry.file_name().to_bytes().iter().all(u8::is_ascii_digit));
        if processes > FEW_PROCESSES {
            return true;
        }
    }
    false
}

/// Finds every descriptor of every process that is a socket; only of the `wanted` ones when given.
pub(crate) fn scan(wanted: Option<&HashSet<Inode>>) -> Scan {
    let (proc, pids) = match open_proc() {
        Ok(opened) => opened,
        Err(errno) => return unreadable(errno),
    };
    let walk = Walk { proc, wanted };
    let mut found = Found::default();
    walk_all(&pids, A_THREADS_WORTH, &mut found, |&pid, worker| walk.process(pid, worker));
    let shared = std::mem::take(&mut found.shared);
    walk_all(&shared, 1, &mut found, |chunk, worker| walk.chunk(chunk, worker));
    let mut scan = found.into_scan();
    scan.gaps.extend(visibility::hidden_processes(&pids, &Privilege::read()));
    scan
}

/// Returns the number of every process that `/proc` lists.
pub(crate) fn pids() -> io::Result<Vec<Pid>> {
    let (_, pids) = open_proc()?;
    Ok(pids.into_iter().map(Pid).collect())
}

/// Asks this of every process that `/proc` lists, on several threads where they are many; the answers
/// are in the order of the processes.
pub(crate) fn each_process<T: Send>(ask: impl Fn(Pid) -> T + Sync) -> Vec<(Pid, T)> {
    each_of(&pids().unwrap_or_default(), A_QUESTION_S_WORTH, ask)
}

/// Asks this of each of these processes, on several threads where there are more than a thread's
/// `worth`; the answers are in the order of the processes.
pub(crate) fn each_of<T: Send>(
    pids: &[Pid],
    worth: usize,
    ask: impl Fn(Pid) -> T + Sync,
) -> Vec<(Pid, T)> {
    let parts = deal(pids, worth, Vec::new, |&pid, answers| answers.push((pid, ask(pid))));
    let mut answers: Vec<(Pid, T)> = parts.into_iter().flatten().collect();
    answers.sort_by_key(|(pid, _)| *pid);
    answers
}

/// Opens `/proc` and lists the processes in it.
fn open_proc() -> io::Result<(OwnedFd, Vec<u32>)> {
    let proc = open_directory(CWD, c"/proc")?;
    let mut pids = Vec::new();
    read_numbers(&proc, &mut buffer(), &mut pids)?;
    Ok((proc, pids))
}

fn unreadable(errno: Errno) -> Scan {
    let gap = Gap::new(Missing::Descriptors, format!("read /proc: {}", cause(&errno.into())));
    Scan { gaps: vec![gap.hint("check that /proc is mounted")], ..Scan::default() }
}

/// Returns a gap for each reason why descriptors could not be read, counting processes.
fn failed(failures: Vec<(Pid, Errno)>) -> Vec<Gap> {
    let hint = if failures.is_empty() { None } else { Privilege::read().hint() };
    let mut pids_by_reason: BTreeMap<String, HashSet<Pid>> = BTreeMap::new();
    for (pid, errno) in failures {
        let reason = match errno {
            Errno::ACCESS | Errno::PERM => PERMISSION_DENIED.to_owned(),
            errno => cause(&errno.into()),
        };
        pids_by_reason.entry(reason).or_default().insert(pid);
    }
    pids_by_reason
        .into_iter()
        .map(|(reason, pids)| {
            let hint = hint.filter(|_| reason == PERMISSION_DENIED);
            Gap {
                hint: hint.map(str::to_owned),
                ..Gap::new(Missing::Descriptors, reason).count(pids.len())
            }
        })
        .collect()
}

/// Deals the jobs to several threads, each taking the next one when it is done with its last; `worth`
/// jobs are worth starting a thread for. Returns what each thread had at the end of what it had at
/// its start.
fn deal<J: Sync, W: Send>(
    jobs: &[J],
    worth: usize,
    start: impl Fn() -> W + Sync,
    work: impl Fn(&J, &mut W) + Sync,
) -> Vec<W> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut worker = start();
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(job, &mut worker);
        }
        worker
    };
    let threads = match jobs.len() / worth {
        0 | 1 => 1,
        worth => processors().min(MOST_THREADS).min(worth),
    };
    thread::scope(|scope| {
        // Where no thread can be had, the others do its work.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, run).ok())
            .collect();
        let mut done = vec![run()];
        for other in others {
            done.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}

/// What one or several threads found.
#[derive(Debug, Default)]
struct Found {
    holdings: Holdings,
    rings: Vec<Descriptor>,
    namespaces: Vec<(NetnsId, Descriptor)>,
    failures: Vec<(Pid, Errno)>,
    /// What is left of large tables, for every thread to take from.
    shared: Vec<Chunk>,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.holdings.append(other.holdings);
        self.rings.extend(other.rings);
        self.namespaces.extend(other.namespaces);
        self.failures.extend(other.failures);
        self.shared.extend(other.shared);
    }

    fn into_scan(self) -> Scan {
        let Self { holdings, rings, namespaces, failures, .. } = self;
        Scan { holdings, rings, namespaces, gaps: failed(failures), ..Scan::default() }
    }
}

/// Has several threads walk, and adds what they found.
fn walk_all<J: Sync>(
    jobs: &[J],
    worth: usize,
    found: &mut Found,
    work: impl Fn(&J, &mut Worker) + Sync,
) {
    for worker in deal(jobs, worth, Worker::default, work) {
        found.add(worker.found);
    }
}

/// Some descriptors of one process.
#[derive(Debug)]
struct Chunk {
    pid: Pid,
    directory: Arc<OwnedFd>,
    numbers: Vec<u32>,
}

/// One thread's findings and scratch space: nothing is allocated per descriptor.
struct Worker {
    found: Found,
    numbers: Vec<u32>,
    buffer: Vec<u8>,
}

/// Returns the space in which directories are listed: room for a thousand entries at a time.
fn buffer() -> Vec<u8> {
    Vec::with_capacity(32 * 1024)
}

struct Walk<'a> {
    proc: OwnedFd,
    wanted: Option<&'a HashSet<Inode>>,
}

impl Walk<'_> {
    fn process(&self, pid: u32, worker: &mut Worker) {
        let result = self.read_process(pid, worker);
        worker.note(Pid(pid), result);
    }

    fn chunk(&self, chunk: &Chunk, worker: &mut Worker) {
        let Chunk { pid, directory, numbers } = chunk;
        let result = self
            .read_links(*pid, None, directory, numbers, &mut worker.found)
            .or_else(|errno| confirm(pid.0, errno));
        worker.note(*pid, result);
    }

    fn read_process(&self, pid: u32, worker: &mut Worker) -> io::Result<()> {
        let Worker { found, numbers, buffer } = worker;
        numbers.clear();
        let directory = match open_directory(&self.proc, format!("{pid}/fd")) {
            Ok(directory) => {
                read_numbers(&directory, buffer, numbers)?;
                directory
            }
            Err(errno) => {
                confirm(pid, errno)?;
                return self.read_threads(pid, worker);
            }
        };
        if numbers.is_empty() {
            self.read_threads(pid, worker)
        } else if numbers.len() > CHUNK && found.shared.len() < MOST_SHARED {
            let directory = Arc::new(directory);
            found.shared.extend(numbers.chunks(CHUNK).map(|numbers| Chunk {
                pid: Pid(pid),
                directory: Arc::clone(&directory),
                numbers: numbers.to_vec(),
            }));
            Ok(())
        } else {
            self.read_links(Pid(pid), None, &directory, numbers, found)
                .or_else(|errno| confirm(pid, errno))
        }
    }

    /// Reads the descriptors of every thread but the first, if there are others. When that one has
    /// exited, its table is gone from `/proc/PID/fd`, while the others still hold it
    /// (`proc_pid_task(5)`).
    fn read_threads(&self, pid: u32, worker: &mut Worker) -> io::Result<()> {
        if !self.has_other_threads(pid)? {
            return Ok(());
        }
        let tasks = open_directory(&self.proc, format!("{pid}/task"))?;
        let mut threads = Vec::new();
        read_numbers(&tasks, &mut worker.buffer, &mut threads)?;
        let mut found = Found::default();
        for thread in threads.into_iter().filter(|&thread| thread != pid) {
            let result = self
                .read_thread(Pid(pid), thread, &tasks, &mut worker.buffer, &mut found)
                .or_else(|errno| confirm(thread, errno));
            worker.note(Pid(pid), result);
        }
        // Threads usually share one table: the process's.
        let mut holdings = found.holdings.sorted();
        for holding in &mut holdings {
            (holding.tid, holding.via) = (None, Via::Fd);
        }
        holdings.sort_unstable();
        holdings.dedup();
        found.holdings = holdings.into_iter().collect();
        worker.found.add(found);
        Ok(())
    }

    fn read_thread(
        &self,
        pid: Pid,
        thread: u32,
        tasks: &OwnedFd,
        buffer: &mut Vec<u8>,
        found: &mut Found,
    ) -> io::Result<()> {
        let directory = open_directory(tasks, format!("{thread}/fd"))?;
        let mut numbers = Vec::new();
        read_numbers(&directory, buffer, &mut numbers)?;
        self.read_links(pid, Some(Tid(thread)), &directory, &numbers, found)
    }

    /// Returns true when the process has more than one thread: each is one more link of its task
    /// directory, besides the usual two (`proc_task_getattr`, linux/fs/proc/base.c). Much cheaper
    /// to ask for than its `stat` file.
    fn has_other_threads(&self, pid: u32) -> io::Result<bool> {
        Ok(statat(&self.proc, format!("{pid}/task"), AtFlags::empty())?.st_nlink > 3)
    }

    fn is_wanted(&self, inode: Inode) -> bool {
        self.wanted.is_none_or(|wanted| wanted.contains(&inode))
    }

    fn read_links(
        &self,
        pid: Pid,
        tid: Option<Tid>,
        directory: &OwnedFd,
        numbers: &[u32],
        found: &mut Found,
    ) -> io::Result<()> {
        for &number in numbers {
            let fd = Fd(number);
            match read_link(directory, DecInt::new(number)) {
                Ok(Link::Socket(inode)) if self.is_wanted(inode) => {
                    let via = if tid.is_some() { Via::ThreadFd } else { Via::Fd };
                    found.holdings.push(Holding { pid, tid, fd: Some(fd), inode, via });
                }
                Ok(Link::Ring) => found.rings.push(Descriptor { pid, tid, fd }),
                Ok(Link::Netns(id)) => found.namespaces.push((id, Descriptor { pid, tid, fd })),
                // Another file, or closed since the directory was listed.
                Ok(Link::Socket(_) | Link::Other) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

impl Default for Worker {
    fn default() -> Self {
        let found = Found { holdings: Holdings::of_a_thread(), ..Found::default() };
        Self { found, numbers: Vec::new(), buffer: buffer() }
    }
}

impl Worker {
    /// Keeps why a process could not be read, unless it has ended.
    fn note(&mut self, pid: Pid, result: io::Result<()>) {
        match result {
            Ok(()) | Err(Errno::NOENT | Errno::SRCH) => {}
            Err(errno) => self.found.failures.push((pid, errno)),
        }
    }
}

/// What a descriptor's link says that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Socket(Inode),
    Ring,
    Netns(NetnsId),
    Other,
}

fn read_link(directory: impl AsFd, name: impl Arg) -> io::Result<Link> {
    // `socket:[…]` takes 29 bytes at most; a longer link is cut, and is another file's.
    let mut space = [MaybeUninit::uninit(); 32];
    let (link, _) = readlinkat_raw(directory, name, &mut space)?;
    Ok(match parse_socket_link(link) {
        Some(inode) => Link::Socket(inode),
        None if link == rings::LINK => Link::Ring,
        None => netns::parse_link(link).map_or(Link::Other, Link::Netns),
    })
}

/// Parses the text of a descriptor's link, such as `socket:[4711]`; `None` when it is no socket.
fn parse_socket_link(link: &[u8]) -> Option<Inode> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok().map(Inode)
}

/// Returns the error again unless there was nothing to read: a kernel thread and a zombie have no
/// descriptors, yet a refusal is what others get of them; and the kernel also refuses when the
/// process has ended since the directory was opened (`proc_fd_access_allowed`, linux/fs/proc/base.c).
fn confirm(pid: u32, errno: Errno) -> io::Result<()> {
    if !matches!(errno, Errno::ACCESS | Errno::PERM) {
        return Err(errno);
    }
    let stat = read_stat(pid)?;
    if stat.is_some_and(|stat| stat.is_kernel_thread() || stat.is_zombie()) {
        Ok(())
    } else {
        Err(errno)
    }
}

fn open_directory(at: impl AsFd, path: impl Arg) -> io::Result<OwnedFd> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Appends the names in this directory that are numbers.
fn read_numbers(directory: &OwnedFd, buffer: &mut Vec<u8>, into: &mut Vec<u32>) -> io::Result<()> {
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        into.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
