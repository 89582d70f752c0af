//! Node: servers and sockets are objects that tell of events, and its event loop does the waiting.

use super::{Dialect, variable};
use crate::demo::syscall::{Address, Invocation, Kind, SocketOption, Syscall};

pub(super) const DIALECT: Dialect = Dialect {
    prologue: "\
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { on, once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';",
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
            "// the system's socket comes with bind() or connect()\n\
             const {socket} = dgram.createSocket('udp4');\n\
             const {socket}Datagrams = on({socket}, 'message');"
        }
        Syscall::Socket { .. } => "// socket(): listen() and net.connect() make it",
        Syscall::Pair { .. } => "// socketpair(): Node has it for its child processes only",
        Syscall::Bind(_) => match kind {
            Kind::Udp => "{socket}.bind({port}, '{ip}');\nawait once({socket}, 'listening');",
            Kind::Tcp | Kind::TcpListener | Kind::Unix | Kind::UnixListener => {
                "const {socket} = net.createServer({ allowHalfOpen: true });\n\
                 const {socket}Connections = on({socket}, 'connection');\n\
                 // socket(), bind() and listen():\n\
                 {socket}.listen({address});\n\
                 await once({socket}, 'listening');"
            }
        },
        Syscall::Listen { .. } => {
            "// listen(): done; the backlog is listen({ …, backlog: {backlog} }), 511 without"
        }
        Syscall::Connect { .. } => match kind {
            Kind::Udp => "{socket}.connect({port}, '{ip}');\nawait once({socket}, 'connect');",
            Kind::Tcp | Kind::TcpListener | Kind::Unix | Kind::UnixListener => {
                "const {socket} = net.connect({address});\nawait once({socket}, 'connect');"
            }
        },
        Syscall::Accept { .. } => "const [{socket}] = (await {other}Connections.next()).value;",
        Syscall::Shutdown => "{socket}.end();",
        Syscall::Close => match kind {
            Kind::Tcp | Kind::Unix => "{socket}.destroy();",
            Kind::Udp | Kind::TcpListener | Kind::UnixListener => "{socket}.close();",
        },
        Syscall::NonBlocking => "// every socket of Node's is non-blocking",
        Syscall::SetOption(_) => "{option}",
        Syscall::Send { .. } if kind.is_datagram() => "{socket}.send({text});",
        Syscall::Send { .. } => "{socket}.write({text});",
        Syscall::SendBytes { .. } => {
            "// false: the kernel's queue is full, and Node keeps the rest\n\
             {socket}.write(Buffer.alloc({length}));"
        }
        Syscall::SendTo { .. } => "{socket}.send({text}, {port}, '{ip}');",
        Syscall::Recv { .. } if kind.is_datagram() => {
            "var [data, peer] = (await {socket}Datagrams.next()).value;"
        }
        Syscall::Recv { most: None } => {
            "await once({socket}, 'readable');\n\
             var data = {socket}.read(); // null: the peer has closed"
        }
        Syscall::Recv { most: Some(_) } => {
            "await once({socket}, 'readable');\n\
             var data = {socket}.read({most}); // null while there is less"
        }
        Syscall::SendDescriptor { .. } => {
            "// sendmsg(SCM_RIGHTS): child.send('!', {other}), to a child process of Node's"
        }
        Syscall::RecvDescriptor { .. } => {
            "// recvmsg(SCM_RIGHTS), in a child process of Node's:\n\
             // process.on('message', (text, {other}) => …)"
        }
        Syscall::Poll { .. } => {
            "// the event loop polls for all:\n\
             for (const connection of [{sockets}])\n\
             \x20 connection.once('readable', () => serve(connection));"
        }
        Syscall::Unlink { .. } => "fs.unlinkSync('{path}'); // close() of the server does it",
        Syscall::Start { inherits: Some(_), .. } => {
            "var child = spawn('{program}', { stdio: ['pipe', {other}._handle.fd] });"
        }
        Syscall::Start { inherits: None, .. } => {
            "var child = spawn('{program}', { stdio: ['pipe', 'ignore'] });"
        }
        Syscall::Unshare => "// unshare(): Node has it not; start it by unshare(1)",
        Syscall::Exit => "child.kill();\nawait once(child, 'exit');",
        Syscall::Why(_) => "// in a shell: sockscope why {authority}",
    }
}

fn option(option: &SocketOption) -> &'static str {
    match option {
        SocketOption::ReuseAddress => "// SO_REUSEADDR: listen() sets it",
        SocketOption::ReusePort => "// SO_REUSEPORT: listen({ …, reusePort: true }), from Node 23",
        SocketOption::LingerZero => {
            "// SO_LINGER 0: {socket}.resetAndDestroy() instead of destroy()"
        }
        SocketOption::Keepalive => "{socket}.setKeepAlive(true);",
        SocketOption::KeepaliveTimes { .. } => {
            "// the other two cannot be chosen\n{socket}.setKeepAlive(true, {value} * 1000);"
        }
        SocketOption::KeepaliveIdle(_) => "{socket}.setKeepAlive(true, {value} * 1000);",
        SocketOption::V6Only(_) => "// IPV6_V6ONLY: listen({ …, ipv6Only: {bool} })",
        SocketOption::DeferAccept(_) => "// TCP_DEFER_ACCEPT: Node cannot set it",
        SocketOption::SynCount(_) => "// TCP_SYNCNT: Node cannot set it",
        SocketOption::MinTtl(_) => "// IP_MINTTL: Node cannot set it",
        SocketOption::LoopbackDevice => "// SO_BINDTODEVICE: Node cannot set it",
        SocketOption::PortRange { .. } => "// IP_LOCAL_PORT_RANGE: Node cannot set it",
        SocketOption::ReceiveBuffer(_) => "// SO_RCVBUF: Node cannot set it for TCP",
    }
}

fn address(address: &Address) -> &'static str {
    match address {
        Address::Inet(_) => "{ host: '{ip}', port: {port} }",
        Address::Path(_) => "'{path}'",
        Address::Abstract(_) => "'\\0{name}'",
    }
}
