//! The calls of FreeBSD. What they return is bytes; what those mean is decoded by safe code.
#![expect(unsafe_code, reason = "sysctl is a C function")]

use std::ffi::c_int;
use std::io;
use std::ptr;

use super::{About, look};
use crate::platform::bsd::process_control::{Processes, Seen, Signal};
use crate::platform::bsd::sys::{self, fill};
use crate::process::{Pid, Uid};

/// The running kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel;

impl super::Kernel for Kernel {
    fn table(&self, name: &str) -> io::Result<Vec<u8>> {
        sys::table(name)
    }

    fn about(&self, pid: Pid, what: About) -> io::Result<Vec<u8>> {
        let number = c_int::try_from(pid.0).map_err(|_| io::ErrorKind::NotFound)?;
        let what = match what {
            About::Process => libc::KERN_PROC_PID,
            About::Arguments => libc::KERN_PROC_ARGS,
            About::Program => libc::KERN_PROC_PATHNAME,
        };
        let name = [libc::CTL_KERN, libc::KERN_PROC, what, number];
        fill(|buffer, size| {
            // SAFETY: the name has the four numbers that are said; `fill` gives null, or a buffer that
            // has `size` bytes to write to; nothing is set.
            unsafe { libc::sysctl(name.as_ptr(), 4, buffer, size, ptr::null(), 0) }
        })
    }

    fn interface(&self, index: u32) -> Option<String> {
        sys::interface(index)
    }

    fn is_root(&self) -> bool {
        sys::user() == Uid(0)
    }
}

impl Processes for Kernel {
    fn look(&self, pid: Pid) -> io::Result<Seen> {
        look(self, pid)
    }

    fn send(&self, pid: Pid, signal: Signal) -> io::Result<()> {
        sys::send(pid, signal)
    }
}
