//! Python: its socket module is the system's calls, one for one.

use super::{Dialect, variable};
use crate::demo::syscall::{Address, Invocation, SocketOption, Syscall};

pub(super) const DIALECT: Dialect = Dialect {
    prologue: "import ctypes, os, selectors, socket, struct, subprocess",
    call,
    option,
    address,
    each: "{socket}",
    name: variable,
};

fn call(invocation: &Invocation) -> &'static str {
    match &invocation.syscall {
        Syscall::Socket { .. } if invocation.kind.is_datagram() => {
            "{socket} = socket.socket(socket.AF_{family}, socket.SOCK_DGRAM)"
        }
        Syscall::Socket { .. } => {
            "{socket} = socket.socket(socket.AF_{family}, socket.SOCK_STREAM)"
        }
        Syscall::Pair { .. } => "{socket}, {other} = socket.socketpair()",
        Syscall::Bind(_) => "{socket}.bind({address})",
        Syscall::Listen { .. } => "{socket}.listen({backlog})",
        Syscall::Connect { blocking: true, .. } => "{socket}.connect({address})",
        Syscall::Connect { blocking: false, .. } => "error = {socket}.connect_ex({address})",
        Syscall::Accept { .. } => "{socket}, address = {other}.accept()",
        Syscall::Shutdown => "{socket}.shutdown(socket.SHUT_WR)",
        Syscall::Close => "{socket}.close()",
        Syscall::NonBlocking => "{socket}.setblocking(False)",
        Syscall::SetOption(_) => "{option}",
        Syscall::Send { .. } if invocation.kind.is_datagram() => "{socket}.send(b{text})",
        Syscall::Send { .. } => "{socket}.sendall(b{text})",
        Syscall::SendBytes { .. } => "sent = {socket}.send(bytes({length}))",
        Syscall::SendTo { .. } => "{socket}.sendto(b{text}, {address})",
        Syscall::Recv { .. } => "data = {socket}.recv({most})",
        Syscall::SendDescriptor { .. } => "socket.send_fds({socket}, [b\"!\"], [{other}.fileno()])",
        Syscall::RecvDescriptor { .. } => {
            "data, descriptors, flags, address = socket.recv_fds({socket}, 1, 1)\n\
             {other} = socket.socket(fileno=descriptors[0])"
        }
        Syscall::Poll { .. } => {
            "selector = selectors.DefaultSelector()\n\
             for connection in [{sockets}]:\n\
             \x20   selector.register(connection, selectors.EVENT_READ)\n\
             ready = [key.fileobj for key, events in selector.select()]"
        }
        Syscall::Unlink { .. } => "os.unlink(\"{path}\")",
        Syscall::Start { inherits: Some(_), .. } => {
            "child = subprocess.Popen(\n    [\"{program}\"], stdin=subprocess.PIPE, stdout={other}\n)"
        }
        Syscall::Start { inherits: None, .. } => {
            "child = subprocess.Popen([\"{program}\"], stdin=subprocess.PIPE)"
        }
        Syscall::Unshare => {
            "# CLONE_NEWNET; from Python 3.12 on os.unshare() does it\n\
             ctypes.CDLL(None).unshare(0x40000000)"
        }
        Syscall::Exit => "child.kill()\nchild.wait()",
        Syscall::Why(_) => "# in a shell: sockscope why {authority}",
    }
}

fn option(option: &SocketOption) -> &'static str {
    match option {
        SocketOption::ReuseAddress => {
            "{socket}.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)"
        }
        SocketOption::ReusePort => "{socket}.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)",
        SocketOption::LingerZero => {
            "linger = struct.pack(\"ii\", 1, 0)\n\
             {socket}.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)"
        }
        SocketOption::DeferAccept(_) => {
            "{socket}.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, {value})"
        }
        SocketOption::SynCount(_) => {
            "{socket}.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, {value})"
        }
        SocketOption::Keepalive => "{socket}.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)",
        SocketOption::KeepaliveTimes { .. } => {
            "{socket}.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, {value})\n\
             {socket}.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, {interval})\n\
             {socket}.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, {probes})"
        }
        SocketOption::KeepaliveIdle(_) => {
            "{socket}.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, {value})"
        }
        SocketOption::MinTtl(_) => {
            "{socket}.setsockopt(socket.IPPROTO_IP, 21, {value})  # IP_MINTTL"
        }
        SocketOption::V6Only(_) => {
            "{socket}.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, {value})"
        }
        SocketOption::LoopbackDevice => {
            "{socket}.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b\"lo\")"
        }
        SocketOption::PortRange { .. } => {
            "# 51: IP_LOCAL_PORT_RANGE\n\
             {socket}.setsockopt(socket.IPPROTO_IP, 51, {last} << 16 | {first})"
        }
        SocketOption::ReceiveBuffer(_) => {
            "{socket}.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, {value})"
        }
    }
}

fn address(address: &Address) -> &'static str {
    match address {
        Address::Inet(_) => "(\"{ip}\", {port})",
        Address::Path(_) => "\"{path}\"",
        Address::Abstract(_) => "\"\\0{name}\"",
    }
}
