//! Go: its package net makes several calls in one, and has goroutines wait instead of programs poll.

use super::{Dialect, variable};
use crate::demo::syscall::{Address, Invocation, Kind, SocketOption, Syscall};

pub(super) const DIALECT: Dialect = Dialect {
    prologue: "\
package main

import (
\t\"net\"
\t\"os\"
\t\"os/exec\"
\t\"syscall\"
\t\"time\"
)",
    call,
    option,
    address,
    each: "{socket}",
    name: variable,
};

fn call(invocation: &Invocation) -> &'static str {
    let kind = invocation.kind;
    match &invocation.syscall {
        Syscall::Socket { .. } if kind.is_datagram() => {
            "// socket(): net.ListenUDP() and net.Dial() make it"
        }
        Syscall::Socket { .. } => "// socket(): net.Listen() and net.Dial() make it",
        Syscall::Pair { .. } => {
            "fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)\n\
             {socket}, err := net.FileConn(os.NewFile(uintptr(fds[0]), \"{socket}\"))\n\
             {other}, err := net.FileConn(os.NewFile(uintptr(fds[1]), \"{other}\"))"
        }
        Syscall::Bind(_) => match kind {
            Kind::Udp => {
                "{socket}, err := net.ListenUDP(\"udp\", &net.UDPAddr{IP: net.ParseIP(\"{ip}\"), Port: {port}})"
            }
            Kind::Tcp | Kind::TcpListener => {
                "{socket}, err := net.Listen(\"tcp\", {address}) // socket(), bind() and listen()"
            }
            Kind::Unix | Kind::UnixListener => {
                "{socket}, err := net.Listen(\"unix\", {address}) // socket(), bind() and listen()"
            }
        },
        Syscall::Listen { .. } => {
            "// listen(): net.Listen() has called it, with the system's largest backlog"
        }
        Syscall::Connect { blocking: true, .. } => match kind {
            Kind::Udp => "{socket}, err := net.Dial(\"udp\", {address})",
            Kind::Tcp | Kind::TcpListener => "{socket}, err := net.Dial(\"tcp\", {address})",
            Kind::Unix | Kind::UnixListener => "{socket}, err := net.Dial(\"unix\", {address})",
        },
        Syscall::Connect { blocking: false, .. } => {
            "{socket}, err := net.DialTimeout(\"tcp\", {address}, time.Second) // until it is decided; see a goroutine"
        }
        Syscall::Accept { .. } => "{socket}, err := {other}.Accept()",
        Syscall::Shutdown => match kind {
            Kind::Unix | Kind::UnixListener => "err = {socket}.(*net.UnixConn).CloseWrite()",
            Kind::Tcp | Kind::TcpListener | Kind::Udp => {
                "err = {socket}.(*net.TCPConn).CloseWrite()"
            }
        },
        Syscall::Close => "err = {socket}.Close()",
        Syscall::NonBlocking => {
            "// every socket of package net is non-blocking: a goroutine waits, and no thread"
        }
        Syscall::SetOption(_) => "{option}",
        Syscall::Send { .. } => "n, err := {socket}.Write([]byte({text}))",
        Syscall::SendBytes { .. } => {
            "n, err := {socket}.Write(make([]byte, {length})) // goes on until all are sent"
        }
        Syscall::SendTo { .. } => {
            "n, err := {socket}.WriteTo([]byte({text}), &net.UDPAddr{IP: net.ParseIP(\"{ip}\"), Port: {port}})"
        }
        Syscall::Recv { .. } => "buffer := make([]byte, {most})\nn, err := {socket}.Read(buffer)",
        Syscall::SendDescriptor { .. } => {
            "file, err := {other}.(*net.TCPListener).File()\n\
             {socket}.(*net.UnixConn).WriteMsgUnix([]byte(\"!\"), syscall.UnixRights(int(file.Fd())), nil)"
        }
        Syscall::RecvDescriptor { .. } => {
            "control := make([]byte, syscall.CmsgSpace(4))\n\
             {socket}.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), control)\n\
             messages, err := syscall.ParseSocketControlMessage(control)\n\
             fds, err := syscall.ParseUnixRights(&messages[0])\n\
             {other}, err := net.FileListener(os.NewFile(uintptr(fds[0]), \"{other}\"))"
        }
        Syscall::Poll { .. } => {
            "for _, connection := range []net.Conn{{sockets}} {\n\
             \tgo serve(connection) // a goroutine each: the runtime polls, and wakes the one that can read\n\
             }"
        }
        Syscall::Unlink { .. } => "err = os.Remove(\"{path}\") // Close() of the listener does it",
        Syscall::Start { inherits: Some(_), .. } => {
            "file, err := {other}.(*net.TCPListener).File()\n\
             child := exec.Command(\"{program}\")\n\
             child.ExtraFiles = []*os.File{file} // inherited, as descriptor 3\n\
             stdin, err := child.StdinPipe()\n\
             err = child.Start()"
        }
        Syscall::Start { inherits: None, .. } => {
            "child := exec.Command(\"{program}\")\nstdin, err := child.StdinPipe()\nerr = child.Start()"
        }
        Syscall::Unshare => "err = syscall.Unshare(syscall.CLONE_NEWNET)",
        Syscall::Exit => "child.Process.Kill()\nchild.Wait()",
        Syscall::Why(_) => "// in a shell: sockscope why {authority}",
    }
}

/// An option that package net has no name for. Before bind() it is set in ListenConfig.Control.
macro_rules! raw {
    ($level:literal, $option:literal, $value:literal) => {
        concat!(
            "// raw: of net.ListenConfig.Control, or {socket}.SyscallConn()\n",
            "raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.",
            $level,
            ", ",
            $option,
            ", ",
            $value,
            ") })"
        )
    };
}

fn option(option: &SocketOption) -> &'static str {
    match option {
        SocketOption::ReuseAddress => "// SO_REUSEADDR: net.Listen() sets it",
        SocketOption::ReusePort => raw!("SOL_SOCKET", "15 /* SO_REUSEPORT */", "1"),
        SocketOption::LingerZero => "err = {socket}.(*net.TCPConn).SetLinger(0)",
        SocketOption::DeferAccept(_) => {
            raw!("IPPROTO_TCP", "syscall.TCP_DEFER_ACCEPT", "{value}")
        }
        SocketOption::SynCount(_) => raw!("IPPROTO_TCP", "syscall.TCP_SYNCNT", "{value}"),
        SocketOption::Keepalive => "err = {socket}.(*net.TCPConn).SetKeepAlive(true)",
        SocketOption::KeepaliveTimes { .. } => {
            "times := net.KeepAliveConfig{Enable: true, Idle: {value} * time.Second, Interval: {interval} * time.Second, Count: {probes}}\n\
             err = {socket}.(*net.TCPConn).SetKeepAliveConfig(times) // from Go 1.23"
        }
        SocketOption::KeepaliveIdle(_) => {
            "err = {socket}.(*net.TCPConn).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: {value} * time.Second})"
        }
        SocketOption::MinTtl(_) => raw!("IPPROTO_IP", "syscall.IP_MINTTL", "{value}"),
        SocketOption::V6Only(false) => "// IPV6_V6ONLY 0: the network \"tcp\" of net.Listen()",
        SocketOption::V6Only(true) => {
            "// IPV6_V6ONLY 1: net.Listen(\"tcp6\", …) instead of \"tcp\""
        }
        SocketOption::LoopbackDevice => {
            "// raw: of net.ListenConfig.Control\n\
             raw.Control(func(fd uintptr) { syscall.SetsockoptString(int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, \"lo\") })"
        }
        SocketOption::PortRange { .. } => {
            raw!("IPPROTO_IP", "51 /* IP_LOCAL_PORT_RANGE */", "{last}<<16|{first}")
        }
        SocketOption::ReceiveBuffer(_) => {
            raw!("SOL_SOCKET", "syscall.SO_RCVBUF", "{value}")
        }
    }
}

fn address(address: &Address) -> &'static str {
    match address {
        Address::Inet(_) => "\"{authority}\"",
        Address::Path(_) => "\"{path}\"",
        Address::Abstract(_) => "\"@{name}\"",
    }
}
