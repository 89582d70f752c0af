//! Who holds a socket, told by the kernel in one pass: a small program of ours that it runs for
//! every descriptor of every process (a BPF iterator, linux/Documentation/bpf/bpf_iterators.rst).
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

use rustix::thread::{CapabilitySet, capabilities};
use thiserror::Error;

use super::{Holding, visibility};
use crate::error::cause;
use crate::platform::linux::sys::bpf as sys;
use crate::process::{Fd, Pid, Tid, Via};
use crate::socket::Inode;
use program::{Layout, Numbers, RECORD_SIZE, Record};

/// The kernel hands out so much a read at most (`bpf_seq_read`, linux/kernel/bpf/bpf_iter.c).
const BUFFER: usize = 32 * 1024;

/// Why the kernel cannot be asked in this way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// Not by this user.
    #[error("needs CAP_BPF and CAP_PERFMON")]
    Capability,
    /// Not by this process: a filter on its system calls, or a security module.
    #[error("bpf(2) is refused: {0}")]
    Refused(String),
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

/// Finds every descriptor of every process that is one of these sockets.
///
/// # Errors
///
/// When the kernel cannot be asked; nothing is known then.
pub(crate) fn scan(wanted: &HashSet<Inode>) -> Result<Vec<Holding>, Refusal> {
    let mut records = read(program()?)?;
    records.retain(|record| wanted.contains(&Inode(record.inode)));
    Ok(holdings(records))
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
        load(&layout()?, numbers)
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

/// Runs the program for every descriptor.
fn read(program: &OwnedFd) -> Result<Vec<Record>, Refusal> {
    let run = || {
        let link = sys::link_iterator(program, None)?;
        let iterator = sys::open_iterator(Some(&link))?;
        read_records(&mut File::from(iterator))
    };
    run().map_err(|error| Refusal::Read(cause(&error)))
}

fn read_records(iterator: &mut impl io::Read) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    loop {
        let space = buffer.get_mut(filled..).unwrap_or_default();
        filled += match iterator.read(space) {
            Ok(0) => return Ok(records),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        let (whole, rest) = buffer.get(..filled).unwrap_or_default().as_chunks::<RECORD_SIZE>();
        records.extend(whole.iter().filter_map(Record::decode));
        let rest = rest.len();
        buffer.copy_within(filled - rest..filled, 0);
        filled = rest;
    }
}

/// Makes holdings of what the descriptors say: each table once.
fn holdings(mut records: Vec<Record>) -> Vec<Holding> {
    let descriptor = |record: &Record| (record.process, record.table, record.fd);
    // Of the threads that share a table the one with the lowest number stands for it.
    records.sort_unstable_by_key(|record| (descriptor(record), record.thread));
    records.dedup_by_key(|record| descriptor(record));
    let mut holdings: Vec<Holding> = records
        .iter()
        .map(|record| {
            // When the first thread has ended, what the others share is the process's.
            let is_own = record.leaders_table != 0 && record.leaders_table != record.table;
            Holding {
                pid: Pid(record.process),
                tid: is_own.then_some(Tid(record.thread)),
                fd: Some(Fd(record.fd)),
                inode: Inode(record.inode),
                via: if is_own { Via::ThreadFd } else { Via::Fd },
            }
        })
        .collect();
    holdings.sort_unstable();
    holdings
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a skip is a failure when the environment says so"
    )]

    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

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
        for numbers in [Numbers::Global, Numbers::Readers] {
            let program = load(&layout, numbers).unwrap();
            let mut records = read(&program).unwrap();
            records.retain(|record| record.inode == inode);
            let expected = Holding {
                pid: Pid(std::process::id()),
                tid: None,
                fd: Some(Fd(u32::try_from(listener.as_raw_fd()).unwrap())),
                inode: Inode(inode),
                via: Via::Fd,
            };
            // Until it starts its program, a child of another test's has it too.
            assert!(holdings(records).contains(&expected), "{numbers:?}");
        }
    }

    const RECORD: Record =
        Record { process: 10, thread: 10, table: 1, leaders_table: 1, fd: 3, inode: 77 };
    const HOLDING: Holding =
        Holding { pid: Pid(10), tid: None, fd: Some(Fd(3)), inode: Inode(77), via: Via::Fd };

    #[test]
    fn a_table_that_threads_share_is_named_once_by_its_first() {
        let of_thread = |thread| Record { thread, table: 2, ..RECORD };
        let found = holdings(vec![of_thread(13), RECORD, of_thread(12)]);
        let of_thread = Holding { tid: Some(Tid(12)), via: Via::ThreadFd, ..HOLDING };
        assert_eq!(found, [HOLDING, of_thread]);
    }

    #[test]
    fn what_is_left_of_a_process_without_its_first_thread_is_the_processs() {
        let of_thread = |thread| Record { thread, table: 2, leaders_table: 0, ..RECORD };
        assert_eq!(holdings(vec![of_thread(13), of_thread(12)]), [HOLDING]);
    }

    #[test]
    fn a_table_that_processes_share_is_each_ones() {
        let of_other = Record { process: 11, thread: 11, ..RECORD };
        let found = holdings(vec![of_other, RECORD]);
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
        let parts = (1..=60_u64).map(|number| 1 + number / 6);
        let bytes: Vec<u8> = parts.flat_map(u64::to_ne_bytes).collect();
        let whole = read_records(&mut bytes.as_slice()).unwrap();
        assert_eq!(whole.len(), 10);
        for size in [1, 47, 48, 49, 100] {
            assert_eq!(read_records(&mut Pieces(bytes.chunks(size))).unwrap(), whole, "{size}");
        }
    }
}
