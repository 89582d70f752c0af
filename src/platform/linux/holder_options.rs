//! The options of a socket through a copy of its holder's descriptor (`pidfd_getfd(2)`).
//!
//! The copy keeps the socket alive until it is closed: a listener that its holder closes in that
//! instant still blocks its port. So this is done only on request, one socket at a time, and the copy
//! is closed at once.

use std::io;

use rustix::fd::OwnedFd;
use rustix::net::sockopt;
use rustix::process::{self, PidfdFlags, PidfdGetfdFlags};

use crate::options::SocketOptions;
use crate::process::{Fd, Pid};
use crate::socket::Cookie;

/// As `fdinfo` writes it, on every architecture Linux runs on but Alpha, PA-RISC and SPARC
/// (linux/include/uapi/asm-generic/fcntl.h).
const O_CLOEXEC: u32 = 0o2_000_000;

/// Reads the options of the socket that this process has at this descriptor.
///
/// # Errors
///
/// When the process may not be traced or is gone, and when the descriptor is another socket by now.
pub(crate) fn read(pid: Pid, fd: Fd, cookie: Cookie) -> io::Result<SocketOptions> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let pid = i32::try_from(pid.0).ok().and_then(process::Pid::from_raw).ok_or_else(invalid)?;
    let fd = i32::try_from(fd.0).map_err(|_| invalid())?;
    let pidfd = process::pidfd_open(pid, PidfdFlags::empty())?;
    let copy = process::pidfd_getfd(&pidfd, fd, PidfdGetfdFlags::empty())?;
    // Between the look and now the number may have been given to another file.
    if !sockopt::socket_cookie(&copy).is_ok_and(|number| number == cookie.0) {
        return Err(io::Error::other("the descriptor has become another file"));
    }
    Ok(SocketOptions { close_on_exec: close_on_exec(pid, fd), ..options(&copy) })
}

/// Returns whether the descriptor is closed by `execve`, from its `fdinfo` (`proc_pid_fdinfo(5)`): the
/// copy has a flag of its own.
fn close_on_exec(pid: process::Pid, fd: i32) -> Option<bool> {
    let info =
        std::fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", pid.as_raw_nonzero())).ok()?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    Some(u32::from_str_radix(flags.trim(), 8).ok()? & O_CLOEXEC != 0)
}

fn options(copy: &OwnedFd) -> SocketOptions {
    SocketOptions {
        reuse_address: sockopt::socket_reuseaddr(copy).ok(),
        reuse_port: sockopt::socket_reuseport(copy).ok(),
        close_on_exec: None,
        v6only: sockopt::ipv6_v6only(copy).ok(),
        no_delay: sockopt::tcp_nodelay(copy).ok(),
        keepalive: sockopt::socket_keepalive(copy).ok(),
        keepalive_idle_s: sockopt::tcp_keepidle(copy).ok().map(|time| time.as_secs()),
        keepalive_interval_s: sockopt::tcp_keepintvl(copy).ok().map(|time| time.as_secs()),
        keepalive_probes: sockopt::tcp_keepcnt(copy).ok(),
        linger_s: sockopt::socket_linger(copy).ok().flatten().map(|time| time.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn only_the_socket_that_was_meant_is_read() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let pid = Pid(std::process::id());
        let fd = Fd(u32::try_from(listener.as_raw_fd()).unwrap());
        let cookie = sockopt::socket_cookie(&listener).unwrap();
        assert_eq!(read(pid, fd, Cookie(cookie)).unwrap().reuse_address, Some(true));
        assert!(read(pid, fd, Cookie(cookie + 1)).is_err());
        assert!(read(Pid(0), fd, Cookie(cookie)).is_err());
    }
}
