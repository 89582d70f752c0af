//! The system calls that rustix does not have: each a function that is safe to call.
#![expect(unsafe_code, reason = "system calls are made by number here")]

use std::io;

/// `KCMP_FILES`, linux/include/uapi/linux/kcmp.h.
const KCMP_FILES: libc::c_long = 2;

/// Returns true when two threads have one descriptor table between them (`kcmp(2)`).
///
/// # Errors
///
/// The kernel's: a thread has ended, or may not be compared, or the kernel compares nothing.
pub(super) fn share_descriptors(one: u32, other: u32) -> io::Result<bool> {
    let number =
        |thread| libc::pid_t::try_from(thread).map(libc::c_long::from).map_err(io::Error::other);
    let (one, other) = (number(one)?, number(other)?);
    let unused: libc::c_long = 0;
    // SAFETY: kcmp takes five numbers, as given here, and reads or writes no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, unused, unused) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer == 0) }
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
