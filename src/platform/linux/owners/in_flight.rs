//! Sockets in flight: a descriptor that was sent over a UNIX socket (`SCM_RIGHTS`, `unix(7)`) and
//! not received yet is in no table. The `fdinfo` of the receiving socket tells how many wait in its
//! queue (`unix_show_fdinfo`, linux/net/unix/af_unix.c), not which.
//!
//! So whose a socket will be is inferred, and said only where there is one answer: all queues that
//! hold descriptors, at two looks, are the same processes', and they hold enough of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rustix::io::{self, Errno};

use super::{Descriptor, Holding};
use crate::platform::clock::Deadline;
use crate::process::{Pid, Via};
use crate::snapshot::{Gap, Missing};
use crate::socket::Inode;

/// What is known of sockets that nobody holds in another way.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// Towards whom they are, where there is one answer.
    pub(crate) holdings: Vec<Holding>,
    /// Whether they may be in flight.
    pub(crate) is_possible: bool,
    /// What could not be read.
    pub(crate) gaps: Vec<Gap>,
}

/// Finds towards whom these sockets are in flight, as far as the deadline allows. `holdings` are of
/// every UNIX socket, and perhaps of others.
pub(crate) fn scan(
    holdings: impl IntoIterator<Item = Holding>,
    wanted: &HashSet<Inode>,
    deadline: Deadline,
) -> InFlight {
    let mut by_socket: BTreeMap<Inode, Vec<Holding>> = BTreeMap::new();
    for holding in holdings {
        by_socket.entry(holding.inode).or_default().push(holding);
    }
    let mut queues = Vec::new();
    for (&receiver, holdings) in &by_socket {
        if deadline.has_passed() {
            let why = "looking for descriptors in flight took too long";
            let gaps = vec![Gap::new(Missing::Owners, why)];
            return InFlight { gaps, ..InFlight::default() };
        }
        match count_waiting(receiver, holdings) {
            Ok(0) => {}
            Ok(waiting) => queues.push((receiver, holdings, waiting)),
            // It may hold them.
            Err(_) => return InFlight::default(),
        }
    }
    // What is on its way only for the moment has arrived by now.
    let queues: Vec<Queue> = queues
        .into_iter()
        .map(|(receiver, holdings, waiting)| Queue {
            processes: holdings.iter().map(|holding| holding.pid).collect(),
            waiting: waiting.min(count_waiting(receiver, holdings).unwrap_or(0)),
        })
        .filter(|queue| queue.waiting > 0)
        .collect();

    let towards = one_answer(&queues, wanted.len());
    let holding = |pid, inode| Holding { pid, tid: None, fd: None, inode, via: Via::InFlight };
    let holdings = towards
        .into_iter()
        .flatten()
        .flat_map(|&pid| wanted.iter().map(move |&inode| holding(pid, inode)));
    InFlight { holdings: holdings.collect(), is_possible: !queues.is_empty(), gaps: Vec::new() }
}

/// A UNIX socket with descriptors in its queue.
#[derive(Debug)]
struct Queue {
    processes: BTreeSet<Pid>,
    waiting: usize,
}

/// Returns the processes towards which this many sockets must be in flight; `None` when it may be
/// others, or cannot be so many.
fn one_answer(queues: &[Queue], sockets: usize) -> Option<&BTreeSet<Pid>> {
    let (first, others) = queues.split_first()?;
    let waiting: usize = queues.iter().map(|queue| queue.waiting).sum();
    let is_one = others.iter().all(|other| other.processes == first.processes);
    (is_one && sockets <= waiting).then_some(&first.processes)
}

/// Returns how many descriptors wait in this socket's queue; 0 when it is no UNIX socket, or gone.
fn count_waiting(receiver: Inode, holdings: &[Holding]) -> io::Result<usize> {
    for holding in holdings {
        let Holding { pid, tid, fd, .. } = *holding;
        let Some(fd) = fd else { continue };
        match (Descriptor { pid, tid, fd }).read_fdinfo() {
            Ok(fdinfo) => {
                if let Some(waiting) = parse_waiting(&fdinfo, receiver) {
                    return Ok(waiting);
                }
            }
            Err(Errno::NOENT | Errno::SRCH) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(0)
}

/// Parses the number of descriptors in a UNIX socket's queue from its `fdinfo`, where `scm_fds`
/// follows `ino`; 0 for other sockets, `None` when it is of another file by now.
fn parse_waiting(fdinfo: &[u8], receiver: Inode) -> Option<usize> {
    let value = |name: &str| {
        std::str::from_utf8(fdinfo)
            .ok()?
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    // The inode is told since Linux 5.14.
    let is_it = value("ino").is_none_or(|inode| inode.parse() == Ok(receiver.0));
    is_it.then(|| value("scm_fds").and_then(|count| count.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_queue_is_counted_unless_the_file_is_another_by_now() {
        let unix = b"pos:\t0\nflags:\t02\nmnt_id:\t10\nino:\t77\nscm_fds: 3\n";
        assert_eq!(parse_waiting(unix, Inode(77)), Some(3));
        assert_eq!(parse_waiting(unix, Inode(78)), None);
        assert_eq!(parse_waiting(b"pos:\t0\nino:\t77\n", Inode(77)), Some(0));
        assert_eq!(parse_waiting(b"pos:\t0\nscm_fds: 2\n", Inode(77)), Some(2));
    }

    fn queue(pids: &[u32], waiting: usize) -> Queue {
        Queue { processes: pids.iter().copied().map(Pid).collect(), waiting }
    }

    #[test]
    fn an_answer_is_given_only_when_there_is_one() {
        let answer = |queues: &[Queue], sockets| {
            one_answer(queues, sockets).map(|pids| pids.iter().map(|pid| pid.0).collect::<Vec<_>>())
        };
        assert_eq!(answer(&[queue(&[7], 1)], 1), Some(vec![7]));
        assert_eq!(answer(&[queue(&[7, 8], 2)], 1), Some(vec![7, 8]), "a shared receiver");
        assert_eq!(answer(&[queue(&[7], 1), queue(&[7], 1)], 2), Some(vec![7]), "two of its own");
        assert_eq!(answer(&[queue(&[7], 1)], 2), None, "one of them is elsewhere");
        assert_eq!(answer(&[queue(&[7], 1), queue(&[8], 1)], 1), None, "one of two");
        assert_eq!(answer(&[], 0), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            parse_waiting(&bytes, Inode(1));
        }
    }
}
