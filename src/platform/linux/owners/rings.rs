//! Sockets registered with an io_uring (`io_uring_register(2)`, `IORING_REGISTER_FILES`): the ring
//! holds them, and no descriptor need be left. The `fdinfo` of the ring's own descriptor names them
//! (`__io_uring_show_fdinfo`, linux/io_uring/fdinfo.c).
//!
//! A ring whose descriptor was closed after the ring itself was registered
//! (`IORING_REGISTER_RING_FDS`) cannot be found: nothing in `/proc` shows it.

use std::collections::{BTreeSet, HashSet};

use rustix::fs::CWD;
use rustix::io::Errno;

use super::{Descriptor, Holding, Link, Scan, failed, parse_socket_link, read_link};
use crate::platform::clock::Deadline;
use crate::process::Via;
use crate::snapshot::{Gap, Missing};
use crate::socket::Inode;

/// The text of the link of an io_uring's descriptor.
pub(super) const LINK: &[u8] = b"anon_inode:[io_uring]";

/// How often a ring that is busy is asked. The kernel tells nothing while another works on it.
const ATTEMPTS: usize = 8;

/// Finds these sockets among the files of the rings, as far as the deadline allows.
pub(crate) fn scan(rings: &[Descriptor], wanted: &HashSet<Inode>, deadline: Deadline) -> Scan {
    let mut holdings = BTreeSet::new();
    let mut failures = Vec::new();
    let mut unread = 0;
    for &ring in rings {
        if deadline.has_passed() {
            unread += 1;
            continue;
        }
        match files(ring) {
            Ok(Some(inodes)) => holdings.extend(
                inodes.into_iter().filter(|inode| wanted.contains(inode)).map(|inode| Holding {
                    pid: ring.pid,
                    tid: ring.tid,
                    fd: None,
                    inode,
                    via: Via::IoUring,
                }),
            ),
            Ok(None) => unread += 1,
            Err(Errno::NOENT | Errno::SRCH) => {}
            Err(errno) => failures.push((ring.pid, errno)),
        }
    }
    let mut gaps = failed(failures);
    if unread > 0 {
        let why = format!("{unread} io_uring too busy to tell the files registered with it");
        gaps.push(Gap::new(Missing::Owners, why));
    }
    Scan { holdings: holdings.into_iter().collect(), gaps, ..Scan::default() }
}

/// Returns the sockets registered with this ring, none when it is another file; `None` when it stays
/// busy.
fn files(ring: Descriptor) -> rustix::io::Result<Option<Vec<Inode>>> {
    if read_link(CWD, ring.path())? != Link::Ring {
        return Ok(Some(Vec::new()));
    }
    for _ in 0..ATTEMPTS {
        if let Some(inodes) = parse_user_files(&ring.read_fdinfo()?) {
            return Ok(Some(inodes));
        }
        std::thread::yield_now();
    }
    Ok(None)
}

/// Parses the sockets in the list `UserFiles` of a ring's `fdinfo`: a line with their number, then
/// one for each, such as `    1: socket:[4711]`. `None` when there is no list.
fn parse_user_files(fdinfo: &[u8]) -> Option<Vec<Inode>> {
    let mut lines = fdinfo.split(|&byte| byte == b'\n');
    lines.find(|line| line.starts_with(b"UserFiles:"))?;
    let is_item = |line: &&[u8]| matches!(line.first(), Some(b' ' | b'0'..=b'9'));
    let target = |line: &[u8]| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        parse_socket_link(line.get(colon..)?.strip_prefix(b": ")?)
    };
    Some(lines.take_while(is_item).filter_map(target).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_sockets_in_the_list_of_files_are_taken() {
        let fdinfo = b"pos:\t0\nino:\t7\nSqThread:\t-1\nUserFiles:\t100001\n    1: socket:[11]\n    \
                       2: /tmp/socket:[12]\n    3: pipe:[13]\n100000: socket:[14]\nUserBufs:\t1\n    \
                       0: socket:[15]\nPollList:\n";
        assert_eq!(parse_user_files(fdinfo), Some(vec![Inode(11), Inode(14)]));
    }

    #[test]
    fn a_ring_without_files_is_not_a_busy_one() {
        assert_eq!(parse_user_files(b"ino:\t7\nUserFiles:\t0\nUserBufs:\t0\n"), Some(Vec::new()));
        assert_eq!(parse_user_files(b"pos:\t0\nino:\t7\n"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            parse_user_files(&bytes);
        }

        #[test]
        fn no_list_makes_it_panic(mut bytes: Vec<u8>) {
            bytes.splice(0..0, *b"UserFiles:\t1\n");
            parse_user_files(&bytes);
        }
    }
}
