//! Rust: socket2 has the calls one for one, which the standard library makes several at a time; what
//! socket2 has not, rustix and libc have.

use super::{Dialect, variable};
use crate::demo::syscall::{Address, Invocation, SocketOption, Syscall};

pub(super) const DIALECT: Dialect = Dialect {
    prologue: "\
use std::io::{self, IoSlice, IoSliceMut, Read};
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
fn set(to: &Socket, level: i32, option: i32, value: u32) -> io::Result<()> {
    let (fd, value) = (to.as_raw_fd(), (&raw const value).cast());
    match unsafe { libc::setsockopt(fd, level, option, value, 4) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}",
    call,
    option,
    address,
    each: "&{socket}",
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
        Syscall::Bind(_) => "let at = {address};\n{socket}.bind(&at)?;",
        Syscall::Listen { .. } => "{socket}.listen({backlog})?;",
        Syscall::Connect { .. } => "let at = {address};\n{socket}.connect(&at)?;",
        Syscall::Accept { .. } => "let ({socket}, address) = {other}.accept()?;",
        Syscall::Shutdown => "{socket}.shutdown(Shutdown::Write)?;",
        Syscall::Close => "drop({socket});",
        Syscall::NonBlocking => "{socket}.set_nonblocking(true)?;",
        Syscall::SetOption(_) => "{option}",
        Syscall::Send { .. } => "let sent = {socket}.send(b{text})?;",
        Syscall::SendBytes { .. } => "let sent = {socket}.send(&[0; {length}])?;",
        Syscall::SendTo { .. } => {
            "let at = {address};\nlet sent = {socket}.send_to(b{text}, &at)?;"
        }
        Syscall::Recv { .. } => {
            "let mut buffer = vec![0; {most}];\nlet received = (&{socket}).read(&mut buffer)?;"
        }
        Syscall::SendDescriptor { .. } => {
            "let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];\n\
             let mut control = SendAncillaryBuffer::new(&mut space);\n\
             let rights = [{other}.as_fd()];\n\
             control.push(SendAncillaryMessage::ScmRights(&rights));\n\
             let parts = [IoSlice::new(b\"!\")];\n\
             let flags = SendFlags::empty();\n\
             rustix::net::sendmsg(&{socket}, &parts, &mut control, flags)?;"
        }
        Syscall::RecvDescriptor { .. } => {
            "let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];\n\
             let mut control = RecvAncillaryBuffer::new(&mut space);\n\
             let mut byte = [0];\n\
             let mut parts = [IoSliceMut::new(&mut byte)];\n\
             let flags = RecvFlags::empty();\n\
             rustix::net::recvmsg(&{socket}, &mut parts, &mut control, flags)?;\n\
             let message = control.drain().next();\n\
             let Some(RecvAncillaryMessage::ScmRights(mut rights)) = message else {\n\
             \x20   panic!(\"no descriptor\");\n\
             };\n\
             let {other} = Socket::from(rights.next().unwrap());"
        }
        Syscall::Poll { .. } => {
            "let sockets = [{sockets}];\n\
             let mut ready = sockets.map(|socket| PollFd::new(socket, PollFlags::IN));\n\
             poll(&mut ready, None)?;"
        }
        Syscall::Unlink { .. } => "std::fs::remove_file(\"{path}\")?;",
        Syscall::Start { inherits: Some(_), .. } => {
            "let inherited = OwnedFd::from({other}.try_clone()?);\n\
             let mut command = Command::new(\"{program}\");\n\
             command.stdin(Stdio::piped()).stdout(inherited);\n\
             let mut child = command.spawn()?;"
        }
        Syscall::Start { inherits: None, .. } => {
            "let mut command = Command::new(\"{program}\");\n\
             let mut child = command.stdin(Stdio::piped()).spawn()?;"
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
            "let times = TcpKeepalive::new().with_time(Duration::from_secs({value}));\n\
             {socket}.set_tcp_keepalive(&times)?;"
        }
        SocketOption::MinTtl(_) => "set(&{socket}, libc::IPPROTO_IP, libc::IP_MINTTL, {value})?;",
        SocketOption::V6Only(_) => "{socket}.set_only_v6({bool})?;",
        SocketOption::LoopbackDevice => "{socket}.bind_device(Some(b\"lo\"))?;",
        SocketOption::PortRange { .. } => {
            "// 51: IP_LOCAL_PORT_RANGE\n\
             set(&{socket}, libc::IPPROTO_IP, 51, {last} << 16 | {first})?;"
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
