//! Options of our own sockets that only Linux has, for the lessons of the demo.

use std::ffi::CString;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::ops::RangeInclusive;
use std::os::fd::AsFd as _;
use std::process::Child;
use std::time::Duration;

use rustix::event::{self, PollFd, PollFlags, Timespec};
use rustix::net::{self, sockopt};
use rustix::process;
use rustix::thread::UnshareFlags;
use socket2::Socket;

use crate::platform::linux::sys::{self, set_option};

/// Sets `TCP_DEFER_ACCEPT`, in seconds.
pub(crate) fn defer_accept(socket: &Socket, seconds: u32) -> io::Result<()> {
    set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

/// Sets `TCP_SYNCNT`; and keeps the time between one SYN and the next short where the kernel can
/// (`TCP_RTO_MAX_MS`, since 6.15).
pub(crate) fn keep_asking(socket: &Socket, times: u32) -> io::Result<()> {
    const TCP_RTO_MAX_MS: libc::c_int = 44;
    const FIVE_SECONDS: u32 = 5000;
    set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_SYNCNT, times)?;
    // Without it the wait is longer, and as true.
    set_option(socket.as_fd(), libc::IPPROTO_TCP, TCP_RTO_MAX_MS, FIVE_SECONDS).or(Ok(()))
}

/// Sets `SO_KEEPALIVE` with its three numbers.
pub(crate) fn keepalive(socket: &Socket, idle: u32, interval: u32, probes: u32) -> io::Result<()> {
    let seconds = |number: u32| Duration::from_secs(number.into());
    sockopt::set_tcp_keepcnt(socket, probes)?;
    sockopt::set_tcp_keepintvl(socket, seconds(interval))?;
    sockopt::set_socket_keepalive(socket, true)?;
    // Last: with the option on, it starts the timer anew.
    sockopt::set_tcp_keepidle(socket, seconds(idle))?;
    Ok(())
}

/// Sets `IP_MINTTL` (`ip(7)`): what arrives with less is dropped before TCP sees it, without an answer.
pub(crate) fn min_ttl(socket: &Socket, ttl: u32) -> io::Result<()> {
    set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MINTTL, ttl)
}

/// Sets `IP_LOCAL_PORT_RANGE`: the last port in the upper half, the first in the lower.
pub(crate) fn port_range(socket: &Socket, range: &RangeInclusive<u16>) -> io::Result<()> {
    const IP_LOCAL_PORT_RANGE: libc::c_int = 51;
    let both = u32::from(*range.end()) << 16 | u32::from(*range.start());
    set_option(socket.as_fd(), libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, both)
}

/// Sends a descriptor, with one byte.
pub(crate) fn send_descriptor(through: &Socket, sent: &Socket) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = net::SendAncillaryBuffer::new(&mut space);
    let rights = [sent.as_fd()];
    if !control.push(net::SendAncillaryMessage::ScmRights(&rights)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    net::sendmsg(through, &[IoSlice::new(b"!")], &mut control, net::SendFlags::empty())?;
    Ok(())
}

/// Receives one.
pub(crate) fn receive_descriptor(through: &Socket) -> io::Result<Socket> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = net::RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = net::RecvFlags::CMSG_CLOEXEC;
    net::recvmsg(through, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
    let rights = control.drain().find_map(|message| {
        let net::RecvAncillaryMessage::ScmRights(mut rights) = message else { return None };
        rights.next()
    });
    rights.map(Socket::from).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Calls `poll()` for what can be read.
pub(crate) fn poll_readable(sockets: &[&Socket], limit: Duration) -> io::Result<Vec<bool>> {
    let mut ready: Vec<PollFd<'_>> =
        sockets.iter().map(|socket| PollFd::new(*socket, PollFlags::IN)).collect();
    let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
    event::poll(&mut ready, Some(&limit))?;
    Ok(ready.iter().map(|one| one.revents().contains(PollFlags::IN)).collect())
}

/// Leaves the network namespace for a new one; without privilege, in a user namespace of its own.
pub(crate) fn leave_namespace() -> io::Result<()> {
    sys::unshare(UnshareFlags::NEWNET)
        .or_else(|_| sys::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET))
}

/// Stops a child of ours.
pub(crate) fn stop(child: &Child) -> io::Result<()> {
    Ok(process::kill_process(process::Pid::from_child(child), process::Signal::STOP)?)
}

/// Lets a child of ours go on that was stopped.
pub(crate) fn go_on(child: &Child) {
    // One that has ended needs it no more.
    let _gone = process::kill_process(process::Pid::from_child(child), process::Signal::CONT);
}

/// Takes a name (`PR_SET_NAME`), and is told to go on when whoever started us ends
/// (`PR_SET_PDEATHSIG`): a stopped process reads no end of its input.
pub(crate) fn play_as(name: &str) -> io::Result<()> {
    rustix::thread::set_name(&CString::new(name)?)?;
    Ok(process::set_parent_process_death_signal(Some(process::Signal::CONT))?)
}
