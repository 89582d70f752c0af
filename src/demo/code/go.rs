//! Go: its package net makes several calls in one, and has goroutines wait instead of programs poll.

use super::{Dialect, variable};
use crate::demo::syscall::{Address, Invocation, Kind, SocketOption, Syscall};

pub(super) const DIALECT: Dialect = Dialect {
    prologue: "\
package main

import (
    \"net\"
    \"os\"
    \"os/exec\"
    \"syscall\"
    \"time\"
)

// set is for options that package net has no name for. Its raw is what
// SyscallConn() gives; for a socket that is not there yet, what Control of
// net.ListenConfig or net.Dialer is given.
func set(raw syscall.RawConn, level, option, value int) (err error) {
    control := func(fd uintptr) {
        err = syscall.SetsockoptInt(int(fd), level, option, value)
    }
    raw.Control(control)
    return
}",
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
            "ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)\n\
             {socket}, err := net.FileConn(os.NewFile(uintptr(ends[0]), \"{socket}\"))\n\
             {other}, err := net.FileConn(os.NewFile(uintptr(ends[1]), \"{other}\"))"
        }
        Syscall::Bind(_) => match kind {
            Kind::Udp => {
                "at := &net.UDPAddr{IP: net.ParseIP(\"{ip}\"), Port: {port}}\n\
                 {socket}, err := net.ListenUDP(\"udp\", at)"
            }
            Kind::Tcp | Kind::TcpListener => {
                "// socket(), bind() and listen():\n\
                 {socket}, err := net.Listen(\"tcp\", {address})"
            }
            Kind::Unix | Kind::UnixListener => {
                "// socket(), bind() and listen():\n\
                 {socket}, err := net.Listen(\"unix\", {address})"
            }
        },
        Syscall::Listen { .. } => {
            "// listen(): net.Listen() called it, with the system's largest backlog"
        }
        Syscall::Connect { blocking: true, .. } => match kind {
            Kind::Udp => {
                "to := &net.UDPAddr{IP: net.ParseIP(\"{ip}\"), Port: {port}}\n\
                 {socket}, err := net.DialUDP(\"udp\", nil, to)"
            }
            Kind::Tcp | Kind::TcpListener => "{socket}, err := net.Dial(\"tcp\", {address})",
            Kind::Unix | Kind::UnixListener => "{socket}, err := net.Dial(\"unix\", {address})",
        },
        Syscall::Connect { blocking: false, .. } => {
            "// it waits until it is decided, and its goroutine with it, but no thread\n\
             {socket}, err := net.DialTimeout(\"tcp\", {address}, time.Second)"
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
            "// every socket of package net is non-blocking: goroutines wait, no thread"
        }
        Syscall::SetOption(_) => "{option}",
        Syscall::Send { .. } => "n, err := {socket}.Write([]byte({text}))",
        Syscall::SendBytes { .. } => {
            "// it goes on until all are sent\n\
             n, err := {socket}.Write(make([]byte, {length}))"
        }
        Syscall::SendTo { .. } => {
            "to := &net.UDPAddr{IP: net.ParseIP(\"{ip}\"), Port: {port}}\n\
             n, err := {socket}.WriteTo([]byte({text}), to)"
        }
        Syscall::Recv { .. } => "buffer := make([]byte, {most})\nn, err := {socket}.Read(buffer)",
        Syscall::SendDescriptor { .. } => {
            "file, err := {other}.(*net.TCPListener).File()\n\
             rights := syscall.UnixRights(int(file.Fd()))\n\
             {socket}.(*net.UnixConn).WriteMsgUnix([]byte(\"!\"), rights, nil)\n\
             err = file.Close() // File() had made a second descriptor"
        }
        Syscall::RecvDescriptor { .. } => {
            "control := make([]byte, syscall.CmsgSpace(4))\n\
             {socket}.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), control)\n\
             messages, err := syscall.ParseSocketControlMessage(control)\n\
             fds, err := syscall.ParseUnixRights(&messages[0])\n\
             {other}, err := net.FileListener(os.NewFile(uintptr(fds[0]), \"{other}\"))"
        }
        Syscall::Poll { .. } => {
            "// a goroutine each: the runtime polls, and wakes the one that can read\n\
             for _, connection := range []net.Conn{{sockets}} {\n\
             \x20   go serve(connection)\n\
             }"
        }
        Syscall::Unlink { .. } => "// Close() of the listener does it\nerr = os.Remove(\"{path}\")",
        Syscall::Start { inherits: Some(_), .. } => {
            "file, err := {other}.(*net.TCPListener).File()\n\
             child := exec.Command(\"{program}\")\n\
             child.ExtraFiles = []*os.File{file} // inherited, as descriptor 3\n\
             stdin, err := child.StdinPipe()\n\
             err = child.Start()\n\
             err = file.Close() // File() had made a second descriptor"
        }
        Syscall::Start { inherits: None, .. } => {
            "child := exec.Command(\"{program}\")\n\
             stdin, err := child.StdinPipe()\nerr = child.Start()"
        }
        Syscall::Unshare => "err = syscall.Unshare(syscall.CLONE_NEWNET)",
        Syscall::Exit => "child.Process.Kill()\nchild.Wait()",
        Syscall::Why(_) => "// in a shell: sockscope why {authority}",
    }
}

fn option(option: &SocketOption) -> &'static str {
    match option {
        SocketOption::ReuseAddress => "// SO_REUSEADDR: net.Listen() sets it",
        SocketOption::ReusePort => "// 15: SO_REUSEPORT\nerr = set(raw, syscall.SOL_SOCKET, 15, 1)",
        SocketOption::LingerZero => "err = {socket}.(*net.TCPConn).SetLinger(0)",
        SocketOption::DeferAccept(_) => {
            "err = set(raw, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, {value})"
        }
        SocketOption::SynCount(_) => {
            "err = set(raw, syscall.IPPROTO_TCP, syscall.TCP_SYNCNT, {value})"
        }
        SocketOption::Keepalive => "err = {socket}.(*net.TCPConn).SetKeepAlive(true)",
        SocketOption::KeepaliveTimes { .. } => {
            "// from Go 1.23 on SetKeepAliveConfig() does all three\n\
             raw, err := {socket}.(*net.TCPConn).SyscallConn()\n\
             err = set(raw, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, {value})\n\
             err = set(raw, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, {interval})\n\
             err = set(raw, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, {probes})"
        }
        SocketOption::KeepaliveIdle(_) => {
            "raw, err := {socket}.(*net.TCPConn).SyscallConn()\n\
             err = set(raw, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, {value})"
        }
        SocketOption::MinTtl(_) => "err = set(raw, syscall.IPPROTO_IP, syscall.IP_MINTTL, {value})",
        SocketOption::V6Only(false) => "// IPV6_V6ONLY 0: the network \"tcp\" of net.Listen()",
        SocketOption::V6Only(true) => {
            "// IPV6_V6ONLY 1: net.Listen(\"tcp6\", …) instead of \"tcp\""
        }
        SocketOption::LoopbackDevice => {
            "// raw is what net.ListenConfig.Control gets\n\
             raw.Control(func(fd uintptr) {\n\
             \x20   syscall.SetsockoptString(\n\
             \x20       int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, \"lo\")\n\
             })"
        }
        SocketOption::PortRange { .. } => {
            "// 51: IP_LOCAL_PORT_RANGE\n\
             err = set(raw, syscall.IPPROTO_IP, 51, {last}<<16|{first})"
        }
        SocketOption::ReceiveBuffer(_) => {
            "err = set(raw, syscall.SOL_SOCKET, syscall.SO_RCVBUF, {value})"
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
