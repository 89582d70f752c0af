//! The calls of macOS. What they return is bytes; what those mean is decoded by safe code.
#![expect(unsafe_code, reason = "those of libproc are C functions")]

use std::collections::BTreeSet;
use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;

use super::{Kernel, layout, process as told};
use crate::platform::bsd::process_control::{Processes, Seen, Signal};
use crate::platform::bsd::sys;
use crate::platform::process;
use crate::process::{Fd, Pid, Process};
use crate::snapshot::Gap;

/// How often a list is asked for that grows while it is read.
const ATTEMPTS: usize = 8;

/// More than `struct socket_fdinfo` has on any version yet: 792 bytes.
const SOCKET_INFO_SIZE: usize = 1024;

/// The running kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Darwin;

impl Kernel for Darwin {
    fn table(&self, name: &str) -> io::Result<Vec<u8>> {
        sys::table(name)
    }

    fn pids(&self) -> io::Result<Vec<Pid>> {
        let bytes = fill(|buffer, size| {
            // SAFETY: the buffer has `size` bytes to write to, or is null with a size of 0, which asks
            // for the count. Of a number of PIDs the caller makes bytes.
            let count = unsafe { libc::proc_listallpids(buffer, size) };
            count.saturating_mul(PID_SIZE)
        })?;
        let numbers = bytes.chunks_exact(4).filter_map(|bytes| bytes.first_chunk().copied());
        // 0 is the kernel, which has no descriptors.
        let numbers = numbers.map(u32::from_ne_bytes).filter(|&number| number != 0);
        Ok(numbers.map(Pid).collect())
    }

    fn descriptors(&self, pid: Pid) -> io::Result<Vec<u8>> {
        fill(|buffer, size| pid_info(pid, libc::PROC_PIDLISTFDS, buffer, size))
    }

    fn socket(&self, pid: Pid, fd: Fd) -> io::Result<Vec<u8>> {
        let (Ok(number), Ok(fd)) = (c_int::try_from(pid.0), c_int::try_from(fd.0)) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut bytes = vec![0_u8; SOCKET_INFO_SIZE];
        let size = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
        let buffer = bytes.as_mut_ptr().cast();
        // SAFETY: the buffer has `size` bytes to write to and outlives the call.
        let written =
            unsafe { libc::proc_pidfdinfo(number, fd, PROC_PIDFDSOCKETINFO, buffer, size) };
        written_part(bytes, written)
    }

    fn interface(&self, index: u32) -> Option<String> {
        sys::interface(index)
    }

    fn processes(&self, pids: &BTreeSet<Pid>, details: bool) -> (Vec<Process>, Option<Gap>) {
        process::read(pids, details)
    }
}

/// `PROC_PIDFDSOCKETINFO`, xnu's bsd/sys/proc_info.h.
const PROC_PIDFDSOCKETINFO: c_int = 3;

/// The bytes of a PID.
const PID_SIZE: c_int = 4;

impl Processes for Darwin {
    fn look(&self, pid: Pid) -> io::Result<Seen> {
        let mut bytes = vec![0_u8; layout::BSD_SIZE];
        let size = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
        let written = pid_info(pid, libc::PROC_PIDTBSDINFO, bytes.as_mut_ptr().cast(), size);
        let bytes = written_part(bytes, written)?;
        told::decode(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn send(&self, pid: Pid, signal: Signal) -> io::Result<()> {
        sys::send(pid, signal)
    }
}

/// Asks about a process; returns how many bytes were written, or would be when there is no buffer.
///
/// The buffer must be null with a size of 0, or have so many bytes to write to.
fn pid_info(pid: Pid, flavor: c_int, buffer: *mut c_void, size: c_int) -> c_int {
    let Ok(number) = c_int::try_from(pid.0) else { return 0 };
    // SAFETY: the callers, all in this file, keep to what is said of the buffer above.
    unsafe { libc::proc_pidinfo(number, flavor, 0, buffer, size) }
}

/// Fills a buffer that grows until something of it is left over, for an answer that fills it may have
/// been cut off. These functions return 0 or less when they fail.
fn fill(ask: impl Fn(*mut c_void, c_int) -> c_int) -> io::Result<Vec<u8>> {
    let mut wanted = ask(ptr::null_mut(), 0);
    for _ in 0..ATTEMPTS {
        let size = usize::try_from(wanted).ok().filter(|&size| size > 0);
        let size = size.ok_or_else(io::Error::last_os_error)?;
        let mut bytes = vec![0_u8; size + size / 8 + 256];
        let room = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
        wanted = ask(bytes.as_mut_ptr().cast(), room);
        if wanted < room {
            return written_part(bytes, wanted);
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Returns the part of a buffer that was written.
fn written_part(mut bytes: Vec<u8>, written: c_int) -> io::Result<Vec<u8>> {
    let written = usize::try_from(written).ok().filter(|&written| written > 0);
    bytes.truncate(written.ok_or_else(io::Error::last_os_error)?);
    Ok(bytes)
}
