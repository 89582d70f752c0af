//! Passes files on to the program that this process becomes, at descriptors of its choice.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd};

/// The first descriptor after the standard streams, and the first that a service is given
/// (`SD_LISTEN_FDS_START`, `sd_listen_fds(3)`).
const FIRST: RawFd = 3;

/// Puts these files at the descriptors from 3 up, for the program that this process is about to become.
/// What it inherited there itself is closed; what it opened there is not touched.
///
/// # Errors
///
/// When one of those descriptors is a file that this process opened and still has, and the kernel's own.
pub(crate) fn all(files: Vec<OwnedFd>) -> io::Result<()> {
    let end = FIRST + RawFd::try_from(files.len()).map_err(io::Error::other)?;
    // Out of the way, each with its place; the originals, which may be in it, are closed here.
    let files: Vec<(RawFd, OwnedFd)> = (FIRST..end)
        .zip(files)
        .map(|(place, file)| Ok((place, fcntl_dupfd_cloexec(file, end)?)))
        .collect::<io::Result<_>>()?;
    for (place, file) in files {
        at(place, &file)?;
    }
    Ok(())
}

fn at(place: RawFd, file: &OwnedFd) -> io::Result<()> {
    // SAFETY: the number is not negative, and only the flags of whatever it names are read, if anything.
    let there = unsafe { BorrowedFd::borrow_raw(place) };
    // Everything that Rust's library and rustix open is closed on exec; what came through the exec that
    // started us was not.
    if fcntl_getfd(there).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC)) {
        return Err(io::Error::other(format!("descriptor {place} is in use")));
    }
    // SAFETY: dup2 takes two numbers and touches no memory of ours. What it closes is inherited: no
    // value of this process owns it, as was just seen.
    let answer = unsafe { libc::dup2(file.as_raw_fd(), place) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
