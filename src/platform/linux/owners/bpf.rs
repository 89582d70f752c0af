//! Who holds a socket, told by the kernel: a small program of ours that it runs for every descriptor
//! of every process (a BPF iterator, linux/Documentation/bpf/bpf_iterators.rst).
//!
//! One pass goes through all processes. Where there are many, each is a pass of its own, dealt to
//! several threads: that costs more in all, and is done sooner.
//!
//! Costs a tenth of the walk through `/proc`, and sees what that may not or does not: the descriptors
//! of every process of our PID namespace, and tables of single threads. It takes `CAP_BPF` and
//! `CAP_PERFMON`, and a kernel that describes its types. Nothing here can block, and nothing is
//! written but what is asked for.

mod assembler;
mod btf;
mod program;

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};
use thiserror::Error;

use super::{
    Descriptor, Holding, Holdings, Link, Scan, deal, failed, pids, processors, read_link,
    visibility,
};
use crate::error::cause;
use crate::platform::linux::privilege::Privilege;
use crate::platform::linux::sys::bpf as sys;
use crate::process::{Fd, Pid, Tid, Via};
use crate::socket::Inode;
use program::{Layout, Numbers, RECORD_SIZE, Record, What};

/// The kernel hands out so much a read at most (`bpf_seq_read`, linux/kernel/bpf/bpf_iter.c).
const BUFFER: usize = 32 * 1024;

/// With more processes than this, or more sockets looked for, each process is a pass of its own.
const MANY_PROCESSES: usize = 200;
const MANY_SOCKETS: usize = 10_000;

/// So many processes are read in the time that a thread takes to start.
const A_THREADS_WORTH: usize = 32;

/// A pass for each process takes some one and a half times as long in all: that pays from so many
/// threads on.
const FEWEST_THREADS: usize = 3;

/// Why the kernel cannot be asked in this way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// Not by this user.
    #[error("needs CAP_BPF and CAP_PERFMON")]
    Capability,
    /// Not by this process: a filter on its system calls, or a security module.
    #[error("bpf(2) is refused: {0}")]
    Refused(String),
    /// Not on this machine: programs may not read the kernel's memory.
    #[error("the kernel is locked down (confidentiality)")]
    Lockdown,
    /// Names would be looked up by numbers of another namespace.
    #[error("/proc shows another PID namespace than ours")]
    OtherProc,
    /// Not this kernel.
    #[error("the kernel does not describe its types: {0}")]
    NoTypes(String),
    /// Not this kernel either.
    #[error("the kernel has no iterator over descriptors that is known here")]
    NoIterator,
    /// It does not take the program.
    #[error("the kernel does not take the program: {0}")]
    Program(String),
    /// It stopped half-way.
    #[error("the kernel stopped half-way: {0}")]
    Read(String),
}

/// Finds every descriptor of every process that is a socket, only of the `wanted` ones when given,
/// and those of rings and namespaces. Every table of every thread is read, however it is shared.
///
/// # Errors
///
/// When the kernel cannot be asked; nothing is known then.
pub(crate) fn scan(wanted: Option<&HashSet<Inode>>) -> Result<Scan, Refusal> {
    scan_in(wanted, processes_to_deal)
}

/// Finds them in one pass, or where there are processes to deal, by dealing them.
pub(super) fn scan_in(
    wanted: Option<&HashSet<Inode>>,
    processes_to_deal: impl Fn(usize) -> Option<Vec<u32>>,
) -> Result<Scan, Refusal> {
    let program = program()?;
    let processes = processes_to_deal(wanted.map_or(0, HashSet::len));
    // Before Linux 6.1 it has no iterator over one process.
    let dealt = processes.and_then(|pids| read_each(program, &pids, wanted).ok());
    let threads = if dealt.is_some() { "several threads" } else { "one pass" };
    let told = match dealt {
        Some(told) => told,
        None => read(program, wanted).map_err(|error| Refusal::Read(cause(&error)))?,
    };
    let note = format!("owners: found by a BPF iterator, in {threads}");
    Ok(Scan { note: Some(note), ..told.sort_out(wanted.is_none()) })
}

/// Returns every process, where there are enough to read each by itself, and processors idle to do it.
fn processes_to_deal(sockets: usize) -> Option<Vec<u32>> {
    if idle_processors() < FEWEST_THREADS {
        return None;
    }
    // Whom `/proc` hides, the kernel goes through all the same when it goes through all.
    if !Privilege::read().may_ptrace {
        return None;
    }
    let pids: Vec<u32> = pids().ok()?.into_iter().map(|pid| pid.0).collect();
    let most = if sockets > MANY_SOCKETS { 2 * A_THREADS_WORTH } else { MANY_PROCESSES };
    (pids.len() > most).then_some(pids)
}

/// Finds out whether the kernel takes the program.
///
/// # Errors
///
/// Why it does not.
pub(crate) fn check() -> Result<(), Refusal> {
    program().map(|_| ())
}

/// Returns how much of itself the kernel keeps from root (`kernel_lockdown(7)`): `none`, `integrity` or
/// `confidentiality`; `None` where it does not show that.
pub(crate) fn lockdown() -> Option<String> {
    let levels = std::fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    parse_lockdown(&levels).map(str::to_owned)
}

/// Parses the level in brackets, as in `none [integrity] confidentiality`.
fn parse_lockdown(levels: &str) -> Option<&str> {
    levels.split_ascii_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

/// Returns the program, which the kernel is given once.
fn program() -> Result<&'static OwnedFd, Refusal> {
    static PROGRAM: OnceLock<Result<OwnedFd, Refusal>> = OnceLock::new();
    let make = || {
        permitted()?;
        let numbers = match visibility::in_initial_pid_namespace() {
            Some(true) => Numbers::Global,
            Some(false) | None => Numbers::Readers,
        };
        let layout = layout()?;
        load(&layout, numbers).or_else(|_| load(&layout.plain(), numbers))
    };
    PROGRAM.get_or_init(make).as_ref().map_err(Clone::clone)
}

/// Finds out at little cost whether there is any use in trying.
fn permitted() -> Result<(), Refusal> {
    let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let enough = CapabilitySet::BPF | CapabilitySet::PERFMON;
    if !effective.contains(enough) && !effective.contains(CapabilitySet::SYS_ADMIN) {
        return Err(Refusal::Capability);
    }
    // Asked for something senseless the kernel says so, unless it would refuse anything.
    if let Err(error) = sys::open_iterator(None)
        && error.raw_os_error() != Some(libc::EBADF)
    {
        return Err(Refusal::Refused(cause(&error)));
    }
    if lockdown().as_deref() == Some("confidentiality") {
        return Err(Refusal::Lockdown);
    }
    let own = rustix::process::getpid().as_raw_nonzero().to_string();
    let seen = std::fs::read_link("/proc/self");
    if seen.is_ok_and(|link| link.as_os_str() == own.as_str()) {
        Ok(())
    } else {
        Err(Refusal::OtherProc)
    }
}

fn layout() -> Result<Layout, Refusal> {
    let decoded = if let Ok(types) = sys::kernel_types() {
        Layout::decode(&types)
    } else {
        // Older kernels let them be read only.
        let types = std::fs::read("/sys/kernel/btf/vmlinux")
            .map_err(|error| Refusal::NoTypes(cause(&error)))?;
        Layout::decode(&types)
    };
    decoded.ok_or(Refusal::NoIterator)
}

/// Gives the program to the kernel.
fn load(layout: &Layout, numbers: Numbers) -> Result<OwnedFd, Refusal> {
    let lines = program::assemble(layout, numbers);
    let instructions = assembler::encode(&lines).ok_or(Refusal::NoIterator)?;
    sys::load_iterator_program(&instructions, layout.hook.0)
        .map_err(|error| Refusal::Program(cause(&error)))
}

/// Returns how many processors have nothing to do but this.
fn idle_processors() -> usize {
    let running =
        std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| parse_running(&text));
    // This thread is one of those that run.
    (processors() + 1).saturating_sub(running.unwrap_or(1))
}

/// Parses how many threads run, the first half of the fourth number (`proc_loadavg(5)`).
fn parse_running(loadavg: &str) -> Option<usize> {
    loadavg.split(' ').nth(3)?.split_once('/')?.0.parse().ok()
}

/// Runs the program for every descriptor of every process.
fn read(program: &OwnedFd, wanted: Option<&HashSet<Inode>>) -> io::Result<Told> {
    let mut worker = Worker::default();
    worker.read(program, None, wanted)?;
    Ok(worker.told)
}

/// Runs it for every descriptor of each of these processes; one that has ended has none.
fn read_each(
    program: &OwnedFd,
    processes: &[u32],
    wanted: Option<&HashSet<Inode>>,
) -> io::Result<Told> {
    let mut told = Told::default();
    let workers = deal(processes, A_THREADS_WORTH, Worker::default, |&process, worker| {
        if worker.failure.is_none() {
            worker.failure = worker.read(program, Some(process), wanted).err();
        }
    });
    for worker in workers {
        match worker.failure {
            Some(error) => return Err(error),
            None => told.add(worker.told),
        }
    }
    Ok(told)
}

/// What the kernel told of the descriptors.
#[derive(Debug, Default)]
struct Told {
    /// The sockets in tables of processes: nearly all there is.
    holdings: Holdings,
    /// Those of them that are UNIX sockets.
    unix: HashSet<Inode>,
    /// All else, to be sorted out.
    others: Vec<Record>,
}

impl Told {
    fn add(&mut self, other: Self) {
        self.holdings.append(other.holdings);
        self.unix.extend(other.unix);
        self.others.extend(other.others);
    }

    fn take(&mut self, record: Record) {
        let What::Socket(family) = record.what else { return self.others.push(record) };
        if family == UNIX {
            self.unix.insert(Inode(record.inode));
        }
        // The first thread stands for all who share its table.
        if record.leaders_table == record.table && record.thread == record.process {
            self.holdings.push(record.holding());
        } else {
            self.others.push(record);
        }
    }

    /// Makes of it what a walk would have found.
    fn sort_out(self, with_families: bool) -> Scan {
        let Self { holdings, unix, others } = self;
        let unix = with_families.then_some(unix);
        let mut scan = Scan { has_own_tables: true, holdings, unix, ..Scan::default() };
        let mut failures = Vec::new();
        for record in each_table_once(others) {
            let descriptor = record.descriptor();
            match record.what {
                What::Socket(_) => scan.holdings.push(record.holding()),
                What::PerhapsRing => scan.rings.push(descriptor),
                What::Namespace => match read_link(CWD, descriptor.path()) {
                    Ok(Link::Netns(id)) => scan.namespaces.push((id, descriptor)),
                    // Of another kind, or closed by now.
                    Ok(_) | Err(Errno::NOENT | Errno::SRCH) => {}
                    Err(errno) => failures.push((descriptor.pid, errno)),
                },
            }
        }
        scan.gaps = failed(failures);
        scan
    }
}

/// `AF_UNIX`, linux/include/linux/socket.h.
const UNIX: u32 = 1;

/// Drops what threads tell again of a table that they share with others. Of a socket in the first one's
/// table that one has told.
fn each_table_once(mut records: Vec<Record>) -> Vec<Record> {
    let is_told = |record: &Record| {
        matches!(record.what, What::Socket(_)) && record.leaders_table == record.table
    };
    records.retain(|record| !is_told(record));
    // Of the threads that share a table the one with the lowest number stands for it.
    let descriptor = |record: &Record| (record.process, record.table, record.fd);
    records.sort_by_key(|record| (descriptor(record), record.thread));
    records.dedup_by_key(|record| descriptor(record));
    records
}

impl Record {
    /// Returns the holding it tells of.
    fn holding(&self) -> Holding {
        // When the first thread has ended, what the others share is the process's.
        let is_own = self.leaders_table != 0 && self.leaders_table != self.table;
        Holding {
            pid: Pid(self.process),
            tid: is_own.then_some(Tid(self.thread)),
            fd: Some(Fd(self.fd)),
            inode: Inode(self.inode),
            via: if is_own { Via::ThreadFd } else { Via::Fd },
        }
    }

    /// Returns the descriptor by which `/proc` shows it.
    fn descriptor(&self) -> Descriptor {
        let is_first_s = self.leaders_table == self.table;
        let tid = (!is_first_s).then_some(Tid(self.thread));
        Descriptor { pid: Pid(self.process), tid, fd: Fd(self.fd) }
    }
}

/// One thread's findings and scratch space.
#[derive(Debug)]
struct Worker {
    told: Told,
    buffer: Vec<u8>,
    failure: Option<io::Error>,
}

impl Default for Worker {
    fn default() -> Self {
        let told = Told { holdings: Holdings::of_a_thread(), ..Told::default() };
        Self { told, buffer: vec![0; BUFFER], failure: None }
    }
}

impl Worker {
    fn read(
        &mut self,
        program: &OwnedFd,
        process: Option<u32>,
        wanted: Option<&HashSet<Inode>>,
    ) -> io::Result<()> {
        let link = sys::link_iterator(program, process)?;
        let iterator = sys::open_iterator(Some(&link))?;
        self.read_records(&mut File::from(iterator), wanted)
    }

    fn read_records(
        &mut self,
        iterator: &mut impl io::Read,
        wanted: Option<&HashSet<Inode>>,
    ) -> io::Result<()> {
        let is_wanted = |record: &Record| match record.what {
            What::Socket(_) => wanted.is_none_or(|wanted| wanted.contains(&Inode(record.inode))),
            What::Namespace | What::PerhapsRing => true,
        };
        let Self { told, buffer, .. } = self;
        let mut filled = 0;
        loop {
            let space = buffer.get_mut(filled..).unwrap_or_default();
            filled += match iterator.read(space) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
            let (whole, rest) = buffer.get(..filled).unwrap_or_default().as_chunks::<RECORD_SIZE>();
            let records = whole.iter().filter_map(Record::decode).filter(is_wanted);
            records.for_each(|record| told.take(record));
            let rest = rest.len();
            buffer.copy_within(filled - rest..filled, 0);
            filled = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a skip is a failure when the environment says so; a test reads the clock"
    )]

    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;
    use std::time::{Duration, Instant};

    use rustix::thread::{CapabilitySets, set_capabilities};

    use super::*;

    /// Returns what there is, or says loudly that this cannot be asked here.
    fn asked<T>(answer: Result<T, Refusal>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(refusal) => {
                eprintln!("SKIPPED: BPF: {refusal}");
                assert!(std::env::var_os("SOCKSCOPE_REQUIRE_ALL").is_none());
                None
            }
        }
    }

    #[test]
    fn a_socket_of_our_own_is_found_where_it_is_by_either_numbers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = rustix::fs::fstat(&listener).unwrap().st_ino;
        let Some(layout) = asked(permitted().and_then(|()| layout())) else { return };
        let numbers = [Numbers::Global, Numbers::Readers];
        let ways = [layout, layout.plain()].map(|layout| numbers.map(|numbers| (layout, numbers)));
        for (layout, numbers) in ways.into_iter().flatten() {
            let program = load(&layout, numbers).unwrap();
            let wanted = HashSet::from([Inode(inode)]);
            let processes: Vec<u32> = pids().unwrap().into_iter().map(|pid| pid.0).collect();
            let one = read(&program, Some(&wanted)).unwrap();
            let dealt = read_each(&program, &processes, Some(&wanted)).unwrap();
            let expected = Holding {
                pid: Pid(std::process::id()),
                tid: None,
                fd: Some(Fd(u32::try_from(listener.as_raw_fd()).unwrap())),
                inode: Inode(inode),
                via: Via::Fd,
            };
            // Until it starts its program, a child of another test's has it too.
            for told in [one, dealt] {
                assert!(!told.unix.contains(&Inode(inode)));
                let found = told.sort_out(true).holdings.sorted();
                assert!(found.contains(&expected), "{numbers:?} of {layout:?}: {found:?}");
            }
        }
    }

    /// What is refused must be so at once: the walk is still to be done. Each thread has its own rights.
    #[test]
    fn whoever_may_not_is_refused_in_less_than_a_millisecond() {
        let try_without_rights = || {
            let sets = capabilities(None).unwrap();
            let needed = CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::SYS_ADMIN;
            let effective = sets.effective.difference(needed);
            set_capabilities(None, CapabilitySets { effective, ..sets }).unwrap();
            let attempt = || {
                let began = Instant::now();
                assert_eq!(permitted(), Err(Refusal::Capability));
                began.elapsed()
            };
            // The least: the machine may have other things to do.
            (0..100).map(|_| attempt()).min()
        };
        let least = std::thread::spawn(try_without_rights).join().unwrap().unwrap();
        eprintln!("refused in {least:?}");
        assert!(least < Duration::from_millis(1), "{least:?}");
    }

    #[test]
    fn the_level_of_lockdown_is_the_one_in_brackets() {
        assert_eq!(parse_lockdown("none integrity [confidentiality]\n"), Some("confidentiality"));
        assert_eq!(parse_lockdown("[none] integrity confidentiality\n"), Some("none"));
        assert_eq!(parse_lockdown("none integrity"), None);
    }

    #[test]
    fn how_many_threads_run_is_the_fourth_number_s_first_half() {
        assert_eq!(parse_running("11.96 6.66 4.44 3/1425 20211\n"), Some(3));
        for other in ["", "11.96 6.66 4.44", "1 2 3 4", "1 2 3 x/4 5"] {
            assert_eq!(parse_running(other), None, "{other}");
        }
    }

    const RECORD: Record =
        Record { process: 10, thread: 10, table: 1, leaders_table: 1, fd: 3, what: UDP, inode: 77 };
    const UDP: What = What::Socket(2);
    const HOLDING: Holding =
        Holding { pid: Pid(10), tid: None, fd: Some(Fd(3)), inode: Inode(77), via: Via::Fd };

    /// Returns what comes of records.
    fn sorted_out(records: impl IntoIterator<Item = Record>) -> Scan {
        let mut told = Told::default();
        records.into_iter().for_each(|record| told.take(record));
        told.sort_out(true)
    }

    #[test]
    fn a_table_that_threads_share_is_named_once_by_its_first() {
        let of_thread = |thread| Record { thread, table: 2, ..RECORD };
        let again = Record { thread: 14, ..RECORD };
        let found = sorted_out([of_thread(13), again, RECORD, of_thread(12)]).holdings.sorted();
        let of_thread = Holding { tid: Some(Tid(12)), via: Via::ThreadFd, ..HOLDING };
        assert_eq!(found, [HOLDING, of_thread]);
    }

    #[test]
    fn what_is_a_unix_socket_is_told_and_what_may_be_a_ring_is_kept() {
        let ring = Record { what: What::PerhapsRing, fd: 4, ..RECORD };
        let again = Record { thread: 11, ..ring };
        let found = sorted_out([Record { what: What::Socket(UNIX), ..RECORD }, again, ring]);
        assert_eq!(found.unix, Some(HashSet::from([Inode(77)])));
        assert_eq!(found.rings, [Descriptor { pid: Pid(10), tid: None, fd: Fd(4) }]);
    }

    #[test]
    fn what_is_left_of_a_process_without_its_first_thread_is_the_processs() {
        let of_thread = |thread| Record { thread, table: 2, leaders_table: 0, ..RECORD };
        let ring = |thread| Record { what: What::PerhapsRing, fd: 4, ..of_thread(thread) };
        let found = sorted_out([of_thread(13), ring(13), of_thread(12), ring(12)]);
        assert_eq!(found.holdings.sorted(), [HOLDING]);
        assert_eq!(found.rings, [Descriptor { pid: Pid(10), tid: Some(Tid(12)), fd: Fd(4) }]);
    }

    #[test]
    fn a_table_that_processes_share_is_each_ones() {
        let of_other = Record { process: 11, thread: 11, ..RECORD };
        let found = sorted_out([of_other, RECORD]).holdings.sorted();
        assert_eq!(found, [HOLDING, Holding { pid: Pid(11), ..HOLDING }]);
    }

    #[test]
    fn records_cut_by_the_end_of_a_read_are_put_together() {
        struct Pieces<'a>(std::slice::Chunks<'a, u8>);
        impl io::Read for Pieces<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let piece = self.0.next().unwrap_or_default();
                into[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        let parts = (1..=50_u64).map(|number| 1 + number / 5);
        let bytes: Vec<u8> = parts.flat_map(u64::to_ne_bytes).collect();
        let read = |iterator: &mut dyn io::Read| {
            let mut worker = Worker::default();
            worker.read_records(&mut &mut *iterator, None).unwrap();
            let Told { holdings, others, .. } = worker.told;
            assert_eq!(holdings.sorted(), []);
            others
        };
        let whole = read(&mut bytes.as_slice());
        assert_eq!(whole.len(), 10);
        for size in [1, 39, 40, 41, 100] {
            assert_eq!(read(&mut Pieces(bytes.chunks(size))), whole, "{size}");
        }
    }
}
