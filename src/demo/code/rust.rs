//! Rust: socket2 has the calls one for one, which the standard library makes several at a time; what
//! socket2 has not, rustix and libc have.

use super::{Dialect, variable};
use crate::demo::syscall::{Address, Invocation, SocketOption, Syscall};

pub(super) const DIALECT: Dialect = Dialect {
    prologue: "\
use std::io::{IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

/// What socket2 has no name for.
fn set(socket: &Socket, level: i32, option: i32, value: u32) -> std::io::Result<()> {
    let (value, length) = ((&raw const value).cast(), size_of::<u32>() as u32);
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}",
    call,
    option,
    address,
    each: "PollFd::new(&{socket}, PollFlags::IN)",
    name: variable,
};

fn call(invocation: &Invocation) -> &'static str {
    match &invocation.syscall {
        Syscall::Socket { .. } if invocation.kind.is_datagram() => {
            "let {socket} = Socket::new(Domain::{domain}, Type::DGRAM, None)?;"
        }
        Syscall::Socket { .. } => {
            "let {socket} = Socket::new(Domain::{domain}, Type::STREAM, None)?;"
        }
        Syscall::Pair { .. } => {
            "let ({socket}, {other}) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;"
        }
        Syscall::Bind(_) => "{socket}.bind(&{address})?;",
        Syscall::Listen { .. } => "{socket}.listen({backlog})?;",
        Syscall::Connect { .. } => "{socket}.connect(&{address})?;",
        Syscall::Accept { .. } => "let ({socket}, address) = {other}.accept()?;",
        Syscall::Shutdown => "{socket}.shutdown(Shutdown::Write)?;",
        Syscall::Close => "drop({socket});",
        Syscall::NonBlocking => "{socket}.set_nonblocking(true)?;",
        Syscall::SetOption(_) => "{option}",
        Syscall::Send { .. } => "let sent = {socket}.send(b{text})?;",
        Syscall::SendBytes { .. } => "let sent = {socket}.send(&[0; {length}])?;",
        Syscall::SendTo { .. } => "let sent = {socket}.send_to(b{text}, &{address})?;",
        Syscall::Recv { .. } => {
            "let mut buffer = vec![0; {most}];\nlet received = (&{socket}).read(&mut buffer)?;"
        }
        Syscall::SendDescriptor { .. } => {
            "let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];\n\
             let mut control = SendAncillaryBuffer::new(&mut space);\n\
             let rights = [{other}.as_fd()];\n\
             control.push(SendAncillaryMessage::ScmRights(&rights));\n\
             rustix::net::sendmsg(&{socket}, &[IoSlice::new(b\"!\")], &mut control, SendFlags::empty())?;"
        }
        Syscall::RecvDescriptor { .. } => {
            "let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];\n\
             let mut control = RecvAncillaryBuffer::new(&mut space);\n\
             rustix::net::recvmsg(&{socket}, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::empty())?;\n\
             let Some(RecvAncillaryMessage::ScmRights(mut rights)) = control.drain().next() else { panic!() };\n\
             let {other} = Socket::from(rights.next().unwrap());"
        }
        Syscall::Poll { .. } => "let mut ready = [{sockets}];\npoll(&mut ready, None)?;",
        Syscall::Unlink { .. } => "std::fs::remove_file(\"{path}\")?;",
        Syscall::Start { inherits: Some(_), .. } => {
            "let inherited = OwnedFd::from({other}.try_clone()?);\n\
             let mut child = Command::new(\"{program}\").stdin(Stdio::piped()).stdout(inherited).spawn()?;"
        }
        Syscall::Start { inherits: None, .. } => {
            "let mut child = Command::new(\"{program}\").stdin(Stdio::piped()).spawn()?;"
        }
        Syscall::Unshare => "unsafe { libc::unshare(libc::CLONE_NEWNET) };",
        Syscall::Exit => "child.kill()?;\nchild.wait()?;",
        Syscall::Why(_) => "// in a shell: sockscope why {authority}",
    }
}

fn option(option: &SocketOption) -> &'static str {
    match option {
        SocketOption::ReuseAddress => "{socket}.set_reuse_address(true)?;",
        SocketOption::ReusePort => "{socket}.set_reuse_port(true)?;",
        SocketOption::LingerZero => "{socket}.set_linger(Some(Duration::ZERO))?;",
        SocketOption::DeferAccept(_) => {
            "set(&{socket}, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, {value})?;"
        }
        SocketOption::SynCount(_) => {
            "set(&{socket}, libc::IPPROTO_TCP, libc::TCP_SYNCNT, {value})?;"
        }
        SocketOption::Keepalive => "{socket}.set_keepalive(true)?;",
        SocketOption::KeepaliveTimes { .. } => {
            "let times = TcpKeepalive::new().with_time(Duration::from_secs({value}));\n\
             let times = times.with_interval(Duration::from_secs({interval})).with_retries({probes});\n\
             {socket}.set_tcp_keepalive(&times)?;"
        }
        SocketOption::KeepaliveIdle(_) => {
            "{socket}.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs({value})))?;"
        }
        SocketOption::MinTtl(_) => "set(&{socket}, libc::IPPROTO_IP, libc::IP_MINTTL, {value})?;",
        SocketOption::V6Only(_) => "{socket}.set_only_v6({bool})?;",
        SocketOption::LoopbackDevice => "{socket}.bind_device(Some(b\"lo\"))?;",
        SocketOption::PortRange { .. } => {
            "set(&{socket}, libc::IPPROTO_IP, 51, {last} << 16 | {first})?; // IP_LOCAL_PORT_RANGE"
        }
        SocketOption::ReceiveBuffer(_) => "{socket}.set_recv_buffer_size({value})?;",
    }
}

fn address(address: &Address) -> &'static str {
    match address {
        Address::Inet(_) => "SockAddr::from(\"{authority}\".parse::<SocketAddr>()?)",
        Address::Path(_) => "SockAddr::unix(\"{path}\")?",
        Address::Abstract(_) => "SockAddr::unix(\"\\0{name}\")?",
    }
}
