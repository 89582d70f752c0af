//! Calls as the pages of the manual write them: what the demo shows beside a result.

use super::Dialect;
use crate::demo::syscall::{Address, Invocation, SocketOption, Syscall};

pub(super) const DIALECT: Dialect = Dialect {
    prologue: "",
    call,
    option,
    address,
    each: "{socket}",
    name: |role| role.name.to_owned(),
};

fn call(invocation: &Invocation) -> &'static str {
    match &invocation.syscall {
        Syscall::Socket { .. } if invocation.kind.is_datagram() => {
            "{socket} = socket(AF_{family}, SOCK_DGRAM)"
        }
        Syscall::Socket { .. } => "{socket} = socket(AF_{family}, SOCK_STREAM)",
        Syscall::Pair { .. } => "{socket}, {other} = socketpair(AF_UNIX, SOCK_STREAM)",
        Syscall::Bind(_) => "bind({socket}, {address})",
        Syscall::Listen { .. } => "listen({socket}, {backlog})",
        Syscall::Connect { .. } => "connect({socket}, {address})",
        Syscall::Accept { .. } => "{socket} = accept({other})",
        Syscall::Shutdown => "shutdown({socket}, SHUT_WR)",
        Syscall::Close => "close({socket})",
        Syscall::NonBlocking => "fcntl({socket}, F_SETFL, O_NONBLOCK)",
        Syscall::SetOption(_) => "setsockopt({socket}, {option})",
        Syscall::Send { .. } => "send({socket}, {text})",
        Syscall::SendBytes { .. } => "send({socket}, {length} bytes)",
        Syscall::SendTo { .. } => "sendto({socket}, {text}, {address})",
        Syscall::Recv { most: None } => "recv({socket})",
        Syscall::Recv { most: Some(_) } => "recv({socket}, {most} bytes)",
        Syscall::SendDescriptor { .. } => "sendmsg({socket}, SCM_RIGHTS {other})",
        Syscall::RecvDescriptor { .. } => "recvmsg({socket}, SCM_RIGHTS)",
        Syscall::Poll { .. } => "poll({sockets}, POLLIN)",
        Syscall::Unlink { .. } => "unlink({path})",
        Syscall::Start { inherits: None, .. } => "fork(), exec({program})",
        Syscall::Start { .. } => "fork(), exec({program}) with {other} inherited",
        Syscall::Unshare => "unshare(CLONE_NEWNET)",
        Syscall::Exit => "exit()",
        Syscall::Why(_) => "sockscope why {address}",
    }
}

fn option(option: &SocketOption) -> &'static str {
    match option {
        SocketOption::ReuseAddress => "SO_REUSEADDR, 1",
        SocketOption::ReusePort => "SO_REUSEPORT, 1",
        SocketOption::LingerZero => "SO_LINGER, on, 0 s",
        SocketOption::DeferAccept(_) => "TCP_DEFER_ACCEPT, {value} s",
        SocketOption::SynCount(_) => "TCP_SYNCNT, {value}",
        SocketOption::Keepalive => "SO_KEEPALIVE, 1",
        SocketOption::KeepaliveTimes { .. } => "TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT",
        SocketOption::KeepaliveIdle(_) => "TCP_KEEPIDLE, {value} s",
        SocketOption::MinTtl(_) => "IP_MINTTL, {value}",
        SocketOption::V6Only(_) => "IPV6_V6ONLY, {value}",
        SocketOption::LoopbackDevice => "SO_BINDTODEVICE, \"lo\"",
        SocketOption::PortRange { .. } => "IP_LOCAL_PORT_RANGE, {first}-{last}",
        SocketOption::ReceiveBuffer(_) => "SO_RCVBUF, {value}",
    }
}

fn address(address: &Address) -> &'static str {
    match address {
        Address::Inet(_) => "{authority}",
        Address::Path(_) => "{path}",
        Address::Abstract(_) => "@{name}",
    }
}
