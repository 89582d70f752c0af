//! Sockets that only a thread holds. A thread may have a descriptor table for itself
//! (`unshare(2)` with `CLONE_FILES`, or a `clone(2)` without it), while `/proc/PID/fd` shows the
//! first thread's.
//!
//! Looked for only where the walk has left a socket without holder. `kcmp(2)` tells which threads
//! share a table, so each table is read once; where that may not be asked, every thread's is read.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use rustix::io;

use super::{
    Found, Holding, Link, Scan, Walk, Worker, confirm, open_directory, open_proc, read_link,
    read_numbers, unreadable, walk_all,
};
use crate::platform::clock::Deadline;
use crate::platform::linux::sys;
use crate::process::{Pid, Via};
use crate::snapshot::{Gap, Missing};
use crate::socket::Inode;

/// Finds every descriptor for a socket, only for the `wanted` ones when given, in a table that is not its
/// process's, as far as the deadline allows.
pub(crate) fn scan(wanted: Option<&HashSet<Inode>>, deadline: Deadline) -> Scan {
    let (proc, pids) = match open_proc() {
        Ok(opened) => opened,
        Err(errno) => return unreadable(errno),
    };
    let walk = Walk { proc, wanted };
    let mut found = Found::default();
    walk_all(&pids, super::A_THREADS_WORTH, &mut found, |&pid, worker| {
        let result = walk.read_own_tables(pid, worker, deadline);
        worker.note(Pid(pid), result);
    });
    let mut scan = found.into_scan();
    if deadline.has_passed() {
        let why = "looking through the descriptors of single threads took too long";
        scan.gaps.push(Gap::new(Missing::Owners, why));
    }
    scan
}

impl Walk<'_> {
    /// Reads the tables that threads of this process have for themselves.
    fn read_own_tables(&self, pid: u32, worker: &mut Worker, deadline: Deadline) -> io::Result<()> {
        if deadline.has_passed() || !self.has_other_threads(pid)? {
            return Ok(());
        }
        let tasks = open_directory(&self.proc, format!("{pid}/task"))?;
        let mut threads = Vec::new();
        read_numbers(&tasks, &mut worker.buffer, &mut threads)?;

        // One thread of each table there is; the first has the process's.
        let mut tables = vec![pid];
        let mut doubtful = Found::default();
        for thread in threads.into_iter().filter(|&thread| thread != pid) {
            if deadline.has_passed() {
                break;
            }
            let Worker { found, buffer, .. } = worker;
            let into = match is_known(&tables, thread) {
                Ok(true) => continue,
                Ok(false) => {
                    tables.push(thread);
                    found
                }
                Err(_) => &mut doubtful,
            };
            let result = self
                .read_thread(Pid(pid), thread, &tasks, buffer, into)
                .or_else(|errno| confirm(thread, errno));
            worker.note(Pid(pid), result);
        }
        let holdings = settle(pid, &tasks, doubtful.holdings.sorted()).into_iter().collect();
        worker.found.add(Found { holdings, ..doubtful });
        Ok(())
    }
}

/// Returns true when the thread shares one of these threads' tables.
fn is_known(tables: &[u32], thread: u32) -> std::io::Result<bool> {
    for &table in tables {
        if sys::share_descriptors(table, thread)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes the best of what was read without knowing whose table it is in: what the process has under
/// the same number is the process's, what several threads have is named once.
fn settle(pid: u32, tasks: &OwnedFd, mut holdings: Vec<Holding>) -> Vec<Holding> {
    for holding in &mut holdings {
        let Some(fd) = holding.fd else { continue };
        if read_link(tasks, format!("{pid}/fd/{fd}")) == Ok(Link::Socket(holding.inode)) {
            (holding.tid, holding.via) = (None, Via::Fd);
        }
    }
    holdings.sort_by_key(|holding| (holding.fd, holding.inode, holding.tid));
    holdings.dedup_by_key(|holding| (holding.fd, holding.inode));
    holdings
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    use rustix::fs::CWD;

    use super::*;
    use crate::process::{Fd, Tid};

    #[test]
    fn read_without_knowing_whose_the_processs_is_told_apart_and_the_rest_named_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pid = std::process::id();
        let inode = Inode(rustix::fs::fstat(&listener).unwrap().st_ino);
        let own = Holding {
            pid: Pid(pid),
            tid: Some(Tid(70_000)),
            fd: Some(Fd(u32::try_from(listener.as_raw_fd()).unwrap())),
            inode,
            via: Via::ThreadFd,
        };
        let elsewhere = Holding { fd: Some(Fd(u32::MAX)), ..own };
        let of_another = |found| Holding { tid: Some(Tid(70_001)), ..found };

        let tasks = open_directory(CWD, c"/proc/self/task").unwrap();
        let read = vec![own, elsewhere, of_another(own), of_another(elsewhere)];
        let expected = [Holding { tid: None, via: Via::Fd, ..own }, elsewhere];
        assert_eq!(settle(pid, &tasks, read), expected);
    }
}
