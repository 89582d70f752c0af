//! The system calls that rustix does not have: each a function that is safe to call.
#![expect(unsafe_code, reason = "system calls are made by number here")]

pub(super) mod bpf;
#[cfg(feature = "cli")]
pub(crate) mod pass_on;

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// Has the allocator ask the kernel for each large piece of memory by itself, and hand it back when it is
/// freed. By itself glibc keeps ever larger pieces (`mallopt(3)`, M_MMAP_THRESHOLD), in case they are
/// wanted again: those of 100,000 sockets are not. Of small pieces it keeps 128 KiB, and for each thread that
/// there was (M_TRIM_THRESHOLD, M_TOP_PAD).
#[cfg(all(feature = "cli", target_env = "gnu"))]
pub(crate) fn hand_back_memory() {
    const LARGE: libc::c_int = 128 * 1024;
    const KEPT: libc::c_int = 48 * 1024;
    const MORE: libc::c_int = 16 * 1024;
    for (number, value) in
        [(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, KEPT), (libc::M_TOP_PAD, MORE)]
    {
        // SAFETY: this sets a number of the allocator's, which it looks at under its own lock.
        let _is_known = unsafe { libc::mallopt(number, value) };
    }
}

/// Has the allocator hand back the small pieces, too, that are free by now: each thread that was has left
/// some (`malloc_trim(3)`).
#[cfg(all(feature = "cli", target_env = "gnu"))]
pub(crate) fn trim_memory() {
    // SAFETY: it hands back pages that hold nothing, under the allocator's own locks.
    let _is_any = unsafe { libc::malloc_trim(0) };
}

/// `KCMP_FILES`, linux/include/uapi/linux/kcmp.h.
const KCMP_FILES: libc::c_long = 2;

/// Returns true when two threads have one descriptor table between them (`kcmp(2)`).
///
/// # Errors
///
/// The kernel's: a thread has ended, or may not be compared, or the kernel compares nothing.
pub(super) fn share_descriptors(one: u32, other: u32) -> io::Result<bool> {
    let thread =
        |number| libc::pid_t::try_from(number).map(libc::c_long::from).map_err(io::Error::other);
    let (one, other) = (thread(one)?, thread(other)?);
    let unused: libc::c_long = 0;
    // SAFETY: kcmp takes five numbers, as given here, and reads or writes no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, unused, unused) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer == 0) }
}

// linux/include/uapi/linux/nsfs.h. Where requests without argument are marked in their high bits
// (MIPS, PowerPC) the kernel knows none of these: ENOTTY.
const NS_GET_USERNS: libc::c_long = 0xb701;
const NS_GET_PARENT: libc::c_long = 0xb702;
const NS_GET_OWNER_UID: libc::c_long = 0xb704;

/// Returns the user namespace that owns a namespace (`ioctl_nsfs(2)`).
///
/// # Errors
///
/// EPERM when that is neither ours nor one below it.
pub(super) fn owning_user_namespace(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    related_namespace(namespace, NS_GET_USERNS)
}

/// Returns the user namespace above a user namespace.
///
/// # Errors
///
/// EPERM when that is neither ours nor one below it, or when there is none.
pub(super) fn parent_user_namespace(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    related_namespace(namespace, NS_GET_PARENT)
}

fn related_namespace(namespace: BorrowedFd<'_>, request: libc::c_long) -> io::Result<OwnedFd> {
    let fd = libc::c_long::from(namespace.as_raw_fd());
    // SAFETY: these requests take no argument, and read or write no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_ioctl, fd, request) };
    let fd = RawFd::try_from(answer).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns the user that made a user namespace.
///
/// # Errors
///
/// The kernel's: it is no user namespace.
pub(super) fn owner_of_user_namespace(namespace: BorrowedFd<'_>) -> io::Result<u32> {
    let fd = libc::c_long::from(namespace.as_raw_fd());
    let mut uid: libc::uid_t = 0;
    // SAFETY: the request writes one `uid_t`, to `uid`, which outlives the call.
    let answer = unsafe { libc::syscall(libc::SYS_ioctl, fd, NS_GET_OWNER_UID, &raw mut uid) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(uid) }
}

/// Sets an option of a socket of ours that takes a number (`setsockopt(2)`).
///
/// # Errors
///
/// The kernel's: it has no such option, or does not take this number.
#[cfg(feature = "cli")]
pub(super) fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: u32,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<u32>()).map_err(io::Error::other)?;
    let bytes = (&raw const value).cast::<libc::c_void>();
    // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel only reads `length`
    // bytes at `bytes`, which is all of `value`.
    let answer = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, bytes, length) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Leaves namespaces for new ones (`unshare(2)`).
///
/// # Errors
///
/// The kernel's: not permitted, or, for a user namespace, this process has other threads.
#[cfg(feature = "cli")]
pub(super) fn unshare(namespaces: rustix::thread::UnshareFlags) -> io::Result<()> {
    let namespaces = namespaces & !rustix::thread::UnshareFlags::FILES;
    // SAFETY: what is unsafe about it is to give a thread descriptors of its own (`FILES`), so that
    // numbers that others were given mean nothing to it; and that is left out.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }.map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a skip is a failure when the environment says so"
    )]

    use super::*;

    #[test]
    fn threads_share_their_table_and_processes_do_not() {
        let own = std::process::id();
        let of_thread = move || {
            let thread = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
            share_descriptors(own, thread)
        };
        let shared = std::thread::spawn(of_thread).join().unwrap();
        if let Err(error) = shared {
            eprintln!("SKIPPED: kcmp: {error}");
            assert!(std::env::var_os("SOCKSCOPE_REQUIRE_ALL").is_none());
            return;
        }
        assert!(shared.unwrap());
        let parent = std::os::unix::process::parent_id();
        assert!(!share_descriptors(own, parent).unwrap());
    }
}
