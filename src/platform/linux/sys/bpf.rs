//! `bpf(2)`, as far as iterators need it, and the kernel's description of its types.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::{ptr, slice};

// linux/include/uapi/linux/bpf.h
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ITER_CREATE: libc::c_long = 33;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_ITER: u32 = 28;

/// The part of `union bpf_attr` that loading a program uses.
#[derive(Debug, Default)]
#[repr(C)]
struct ProgramAttributes {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
    btf: u32,
    function_info_size: u32,
    function_info: u64,
    function_infos: u32,
    line_info_size: u32,
    line_info: u64,
    line_infos: u32,
    attach_to: u32,
}

/// The part that making a link uses.
#[derive(Debug, Default)]
#[repr(C)]
struct LinkAttributes {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    parameters: u64,
    parameters_size: u32,
    unused: u32,
}

/// `union bpf_iter_link_info`, its `task` part.
#[derive(Debug, Default)]
#[repr(C)]
struct TaskParameters {
    thread: u32,
    process: u32,
    pidfd: u32,
    unused: u32,
}

/// The part that making an iterator uses.
#[derive(Debug, Default)]
#[repr(C)]
struct IteratorAttributes {
    link: u32,
    flags: u32,
}

/// Loads a program that the kernel runs for what an iterator goes through (`bpf(2)`). `hook` is the
/// number of the function in the kernel's types that stands for the iterator.
///
/// # Errors
///
/// The kernel's: not permitted, not known, or the program is not safe to run.
pub(in crate::platform::linux) fn load_iterator_program(
    instructions: &[[u8; 8]],
    hook: u32,
) -> io::Result<OwnedFd> {
    // Two helpers are for programs with a licence like the kernel's only.
    let license = c"Dual MIT/GPL";
    let attributes = ProgramAttributes {
        kind: BPF_PROG_TYPE_TRACING,
        count: u32::try_from(instructions.len()).map_err(io::Error::other)?,
        instructions: address(instructions.as_ptr()),
        license: address(license.as_ptr()),
        name: *b"sockscope\0\0\0\0\0\0\0",
        attach_type: BPF_TRACE_ITER,
        attach_to: hook,
        ..ProgramAttributes::default()
    };
    // SAFETY: the two pointers are to `count` instructions of eight bytes and to a string with an
    // end, which outlive the call; the kernel only reads them.
    unsafe { bpf(BPF_PROG_LOAD, &attributes) }
}

/// Makes a link between such a program and its iterator: over all processes, or over one.
///
/// # Errors
///
/// The kernel's: the process is gone, or the kernel knows no iterator over one.
pub(in crate::platform::linux) fn link_iterator(
    program: impl AsFd,
    process: Option<u32>,
) -> io::Result<OwnedFd> {
    let parameters = TaskParameters { process: process.unwrap_or(0), ..TaskParameters::default() };
    let mut attributes = LinkAttributes {
        program: number(&program)?,
        attach_type: BPF_TRACE_ITER,
        ..LinkAttributes::default()
    };
    if process.is_some() {
        attributes.parameters = address(&raw const parameters);
        attributes.parameters_size =
            u32::try_from(size_of_val(&parameters)).map_err(io::Error::other)?;
    }
    // SAFETY: the pointer, if any, is to `parameters_size` bytes that outlive the call; the kernel
    // only reads them.
    unsafe { bpf(BPF_LINK_CREATE, &attributes) }
}

/// Opens what such a link iterates over, to be read from its beginning to its end.
///
/// # Errors
///
/// The kernel's. `EBADF` for a descriptor that is no link is also the sign that it would be permitted.
pub(in crate::platform::linux) fn open_iterator(link: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    let link = link.map_or(Ok(u32::MAX), number)?;
    // SAFETY: the attributes have no pointers.
    unsafe { bpf(BPF_ITER_CREATE, &IteratorAttributes { link, flags: 0 }) }
}

/// Calls `bpf(2)` with a command that answers with a descriptor.
///
/// # Safety
///
/// `T` is the part of `union bpf_attr` for the command, and what it points to is valid for it.
unsafe fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    let size = libc::c_long::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `size` bytes of the attributes, which are that long; the caller
    // answers for what they point to.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, ptr::from_ref(attributes), size) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    let descriptor = RawFd::try_from(answer).map_err(io::Error::other)?;
    // SAFETY: these commands answer with a descriptor that is new, and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn address<T>(pointer: *const T) -> u64 {
    // Addresses have 64 bits at most on every system that Linux runs on.
    pointer.addr() as u64
}

fn number(descriptor: impl AsFd) -> io::Result<u32> {
    u32::try_from(descriptor.as_fd().as_raw_fd()).map_err(io::Error::other)
}

/// The kernel's types, as it shows them to everybody: mapped, because reading them costs more than
/// all else that is done with them.
#[derive(Debug)]
pub(in crate::platform::linux) struct KernelTypes {
    start: NonNull<u8>,
    size: usize,
}

/// Opens the kernel's types (`/sys/kernel/btf/vmlinux`).
///
/// # Errors
///
/// When the kernel has none, or cannot map them (before Linux 6.16).
pub(in crate::platform::linux) fn kernel_types() -> io::Result<KernelTypes> {
    let file = std::fs::File::open("/sys/kernel/btf/vmlinux")?;
    let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let start = ptr::null_mut();
    // SAFETY: a new mapping at an address that the kernel chooses touches nothing that there is.
    let start =
        unsafe { libc::mmap(start, size, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(KernelTypes { start, size })
}

impl Deref for KernelTypes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `size` bytes are mapped there until this is dropped. They are part of the running
        // kernel: nobody can change or cut them.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.size) }
    }
}

impl Drop for KernelTypes {
    fn drop(&mut self) {
        // SAFETY: that is what was mapped, and nothing borrows from it any more.
        let answer = unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
        debug_assert_eq!(answer, 0, "a mapping of our own");
    }
}
