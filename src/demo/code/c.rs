//! C, on Linux: the calls themselves.

use super::{Dialect, variable};
use crate::demo::syscall::{Address, Invocation, SocketOption, Syscall};

pub(super) const DIALECT: Dialect = Dialect {
    prologue: "\
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>",
    call,
    option,
    address,
    each: "{{socket}, POLLIN}",
    name: variable,
};

fn call(invocation: &Invocation) -> &'static str {
    match &invocation.syscall {
        Syscall::Socket { .. } if invocation.kind.is_datagram() => {
            "int {socket} = socket(AF_{family}, SOCK_DGRAM, 0);"
        }
        Syscall::Socket { .. } => "int {socket} = socket(AF_{family}, SOCK_STREAM, 0);",
        Syscall::Pair { .. } => {
            "int pair[2];\n\
             socketpair(AF_UNIX, SOCK_STREAM, 0, pair);\n\
             int {socket} = pair[0], {other} = pair[1];"
        }
        Syscall::Bind(_) => "{address}\nbind({socket}, (struct sockaddr *)&at, sizeof at);",
        Syscall::Listen { .. } => "listen({socket}, {backlog});",
        Syscall::Connect { .. } => {
            "{address}\nconnect({socket}, (struct sockaddr *)&at, sizeof at);"
        }
        Syscall::Accept { .. } => "int {socket} = accept({other}, NULL, NULL);",
        Syscall::Shutdown => "shutdown({socket}, SHUT_WR);",
        Syscall::Close => "close({socket});",
        Syscall::NonBlocking => "fcntl({socket}, F_SETFL, O_NONBLOCK);",
        Syscall::SetOption(_) => "{option}",
        Syscall::Send { .. } => "send({socket}, {text}, {length}, MSG_NOSIGNAL);",
        Syscall::SendBytes { .. } => {
            "static char bytes[{length}];\nssize_t sent = send({socket}, bytes, sizeof bytes, MSG_NOSIGNAL);"
        }
        Syscall::SendTo { .. } => {
            "{address}\nsendto({socket}, {text}, {length}, 0, (struct sockaddr *)&at, sizeof at);"
        }
        Syscall::Recv { .. } => {
            "static char buffer[{most}];\nssize_t received = recv({socket}, buffer, sizeof buffer, 0);"
        }
        Syscall::SendDescriptor { .. } => {
            "char control[CMSG_SPACE(sizeof(int))] = {0};\n\
             struct iovec byte = {\"!\", 1};\n\
             struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1,\n\
             \x20                        .msg_control = control,\n\
             \x20                        .msg_controllen = sizeof control};\n\
             struct cmsghdr *rights = CMSG_FIRSTHDR(&message);\n\
             rights->cmsg_level = SOL_SOCKET;\n\
             rights->cmsg_type = SCM_RIGHTS;\n\
             rights->cmsg_len = CMSG_LEN(sizeof(int));\n\
             memcpy(CMSG_DATA(rights), &{other}, sizeof(int));\n\
             sendmsg({socket}, &message, 0);"
        }
        Syscall::RecvDescriptor { .. } => {
            "char control[CMSG_SPACE(sizeof(int))], room;\n\
             struct iovec byte = {&room, 1};\n\
             struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1,\n\
             \x20                        .msg_control = control,\n\
             \x20                        .msg_controllen = sizeof control};\n\
             recvmsg({socket}, &message, MSG_CMSG_CLOEXEC);\n\
             memcpy(&{other}, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));"
        }
        Syscall::Poll { .. } => {
            "struct pollfd ready[] = {\n    {sockets}\n};\npoll(ready, {count}, -1);"
        }
        Syscall::Unlink { .. } => "unlink(\"{path}\");",
        Syscall::Start { inherits: Some(_), .. } => {
            "pid_t child = fork();\n\
             if (child == 0) execlp(\"{program}\", \"{program}\", (char *)NULL);  // inherits {other}"
        }
        Syscall::Start { inherits: None, .. } => {
            "pid_t child = fork();\n\
             if (child == 0) {\n\
             \x20   close_range(3, ~0U, 0);  // or make each socket with SOCK_CLOEXEC\n\
             \x20   execlp(\"{program}\", \"{program}\", (char *)NULL);\n\
             }"
        }
        Syscall::Unshare => "unshare(CLONE_NEWNET);",
        Syscall::Exit => "kill(child, SIGKILL);\nwaitpid(child, NULL, 0);",
        Syscall::Why(_) => "// in a shell: sockscope why {authority}",
    }
}

/// An option: its value on a line of its own, so that none is too long.
macro_rules! set {
    ($level:literal, $option:literal, $value:literal, $type:literal) => {
        concat!(
            "setsockopt({socket}, ",
            $level,
            ", ",
            $option,
            ",\n           ",
            $value,
            ", sizeof(",
            $type,
            "));"
        )
    };
}

fn option(option: &SocketOption) -> &'static str {
    match option {
        SocketOption::ReuseAddress => {
            set!("SOL_SOCKET", "SO_REUSEADDR", "&(int){1}", "int")
        }
        SocketOption::ReusePort => {
            set!("SOL_SOCKET", "SO_REUSEPORT", "&(int){1}", "int")
        }
        SocketOption::LingerZero => {
            set!("SOL_SOCKET", "SO_LINGER", "&(struct linger){1, 0}", "struct linger")
        }
        SocketOption::DeferAccept(_) => {
            set!("IPPROTO_TCP", "TCP_DEFER_ACCEPT", "&(int){{value}}", "int")
        }
        SocketOption::SynCount(_) => {
            set!("IPPROTO_TCP", "TCP_SYNCNT", "&(int){{value}}", "int")
        }
        SocketOption::Keepalive => {
            set!("SOL_SOCKET", "SO_KEEPALIVE", "&(int){1}", "int")
        }
        SocketOption::KeepaliveTimes { .. } => {
            concat!(
                set!("IPPROTO_TCP", "TCP_KEEPIDLE", "&(int){{value}}", "int"),
                "\n",
                set!("IPPROTO_TCP", "TCP_KEEPINTVL", "&(int){{interval}}", "int"),
                "\n",
                set!("IPPROTO_TCP", "TCP_KEEPCNT", "&(int){{probes}}", "int")
            )
        }
        SocketOption::KeepaliveIdle(_) => {
            set!("IPPROTO_TCP", "TCP_KEEPIDLE", "&(int){{value}}", "int")
        }
        SocketOption::MinTtl(_) => {
            set!("IPPROTO_IP", "IP_MINTTL", "&(int){{value}}", "int")
        }
        SocketOption::V6Only(_) => {
            set!("IPPROTO_IPV6", "IPV6_V6ONLY", "&(int){{value}}", "int")
        }
        SocketOption::LoopbackDevice => {
            "setsockopt({socket}, SOL_SOCKET, SO_BINDTODEVICE, \"lo\", 3);"
        }
        SocketOption::PortRange { .. } => {
            concat!(
                "// 51: IP_LOCAL_PORT_RANGE\n",
                set!("IPPROTO_IP", "51", "&(unsigned){{last}U << 16 | {first}}", "int")
            )
        }
        SocketOption::ReceiveBuffer(_) => {
            set!("SOL_SOCKET", "SO_RCVBUF", "&(int){{value}}", "int")
        }
    }
}

fn address(address: &Address) -> &'static str {
    match address {
        Address::Inet(at) if at.is_ipv4() => {
            "struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons({port}),\n\
             \x20                        .sin_addr = {inet_addr(\"{ip}\")}};"
        }
        Address::Inet(_) => {
            "struct sockaddr_in6 at = {.sin6_family = AF_INET6,\n\
             \x20                         .sin6_port = htons({port})};\n\
             inet_pton(AF_INET6, \"{ip}\", &at.sin6_addr);"
        }
        Address::Path(_) => "struct sockaddr_un at = {AF_UNIX, \"{path}\"};",
        // The length counts: with zeros behind it, it would be another name.
        Address::Abstract(_) => {
            "struct { sa_family_t family; char name[1 + {length}]; } at =\n\
             \x20   {AF_UNIX, \"\\0{name}\"};"
        }
    }
}
