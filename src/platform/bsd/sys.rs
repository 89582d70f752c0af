//! The calls that macOS and FreeBSD have in common. What they return is bytes; what those mean is decoded
//! by safe code.
#![expect(unsafe_code, reason = "sysctlbyname, kill and if_indextoname are C functions")]

use std::ffi::{CStr, CString, c_int, c_void};
use std::io;
use std::ptr;

use super::bind_facts::Asked;
use super::process_control::Signal;
use crate::process::{Pid, Uid};

/// How often a table is asked for that grows while it is read.
const ATTEMPTS: usize = 8;

/// Reads a value or table by its name (`sysctlbyname(3)`).
pub(in crate::platform) fn table(name: &str) -> io::Result<Vec<u8>> {
    let name = CString::new(name)?;
    fill(|buffer, size| {
        // SAFETY: the name ends with NUL; `fill` gives null, or a buffer that has `size` bytes to write
        // to; nothing is set.
        unsafe { libc::sysctlbyname(name.as_ptr(), buffer, size, ptr::null_mut(), 0) }
    })
}

/// Fills a buffer with what sysctl tells: first its size, then with some room for what comes meanwhile.
pub(in crate::platform) fn fill(
    ask: impl Fn(*mut c_void, &mut usize) -> c_int,
) -> io::Result<Vec<u8>> {
    for _ in 0..ATTEMPTS {
        let mut size = 0;
        if ask(ptr::null_mut(), &mut size) != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut bytes = vec![0_u8; size + size / 8 + 1024];
        size = bytes.len();
        if ask(bytes.as_mut_ptr().cast(), &mut size) == 0 {
            bytes.truncate(size);
            return Ok(bytes);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ENOMEM) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Returns the name of the interface with this number.
pub(in crate::platform) fn interface(index: u32) -> Option<String> {
    let mut name = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE bytes that the function may write.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return None;
    }
    let name = CStr::from_bytes_until_nul(&name).ok()?;
    Some(name.to_string_lossy().into_owned())
}

/// Sends a process a signal.
pub(in crate::platform) fn send(pid: Pid, signal: Signal) -> io::Result<()> {
    // 0 and negative numbers would mean groups of processes.
    let number = libc::pid_t::try_from(pid.0).ok().filter(|&number| number > 0);
    let number = number.ok_or(io::ErrorKind::NotFound)?;
    let signal = match signal {
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
        Signal::Continue => libc::SIGCONT,
    };
    // SAFETY: it takes two numbers.
    let result = unsafe { libc::kill(number, signal) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Returns what the settings of this kernel are asked by.
pub(in crate::platform) fn asked() -> Asked<'static> {
    Asked { setting: &table, uid: user() }
}

/// Returns the effective user of this process.
pub(in crate::platform) fn user() -> Uid {
    Uid(uzers::get_effective_uid())
}
