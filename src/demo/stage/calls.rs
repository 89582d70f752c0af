//! The calls that a lesson can make. Each is noted with what it returned, and fails as the system
//! answers.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::{Place, Stage, inet, unknown};
use crate::demo::PATIENCE;
use crate::demo::cast::Role;
use crate::platform::{errno, props};

/// What [`Stage::fill`] gives to one `send()`.
const CHUNK: usize = 64 * 1024;

/// Making sockets and giving them addresses.
impl Stage {
    /// Calls `socket()` for TCP over IPv4.
    pub fn tcp(&mut self, role: Role) -> io::Result<()> {
        self.socket(role, Type::STREAM, "SOCK_STREAM")
    }

    /// Calls `socket()` for UDP over IPv4.
    pub fn udp(&mut self, role: Role) -> io::Result<()> {
        self.socket(role, Type::DGRAM, "SOCK_DGRAM")
    }

    fn socket(&mut self, role: Role, kind: Type, word: &str) -> io::Result<()> {
        self.open.insert(role, Socket::new(Domain::IPV4, kind, None)?);
        let call = format!("{role} = socket(AF_INET, {word})");
        self.note(role.program, call, Ok("a new descriptor".to_owned()))
    }

    /// Calls `bind()` with loopback and port 0: the kernel picks a free port.
    pub fn bind(&mut self, role: Role) -> io::Result<()> {
        self.bind_address(role, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Calls `bind()` with the address that another socket has, or had.
    pub fn bind_where(&mut self, role: Role, other: Role) -> io::Result<()> {
        let address = self.place(other)?.local;
        self.bind_address(role, address)
    }

    fn bind_address(&mut self, role: Role, address: SocketAddr) -> io::Result<()> {
        let bound = self.get(role)?.bind(&address.into());
        let result = match bound {
            Ok(()) if address.port() == 0 => {
                let port = self.remember(role, None)?.local.port();
                Ok(format!("0; the kernel chose port {port}"))
            }
            Ok(()) => self.remember(role, None).map(|_| "0".to_owned()),
            Err(error) => Err(error),
        };
        self.note(role.program, format!("bind({role}, {address})"), result)
    }

    /// Calls `listen()`.
    pub fn listen(&mut self, role: Role, backlog: i32) -> io::Result<()> {
        let result = self.get(role)?.listen(backlog);
        self.note(role.program, format!("listen({role}, {backlog})"), zero(result))
    }

    /// Makes a listener: three calls in one.
    pub fn listener(&mut self, role: Role, backlog: i32) -> io::Result<()> {
        self.tcp(role)?;
        self.bind(role)?;
        self.listen(role, backlog)
    }

    /// Calls `connect()` to where `to` is, or was. For TCP, `server` is what the connection's other end
    /// is: its row appears before anybody accepts it.
    pub fn connect(&mut self, role: Role, to: Role, server: Option<Role>) -> io::Result<()> {
        let target = self.place(to)?.local;
        let connected = self.get(role)?.connect(&target.into());
        let is_on_its_way =
            connected.as_ref().is_err_and(|error| errno::name(error) == Some("EINPROGRESS"));
        let result = match connected {
            Err(error) if !is_on_its_way => Err(error),
            answered => {
                let Place { protocol, local, .. } = self.remember(role, Some(target))?;
                if let Some(server) = server {
                    let place = Place { protocol, local: target, peer: Some(local), cookie: None };
                    self.places.push((place, server));
                }
                answered.map(|()| format!("0; from port {}", local.port()))
            }
        };
        self.note(role.program, format!("connect({role}, {target})"), result)
    }

    /// Makes a client and connects it: two calls in one.
    pub fn client(&mut self, role: Role, to: Role, server: Role) -> io::Result<()> {
        self.tcp(role)?;
        self.connect(role, to, Some(server))
    }

    /// Calls `accept()`; the new socket has the role `role`.
    pub fn accept(&mut self, role: Role, listener: Role) -> io::Result<()> {
        let (socket, peer) = self.get(listener)?.accept()?;
        self.open.insert(role, socket);
        let result = format!("a new descriptor; the peer is {}", inet(&peer)?);
        self.note(role.program, format!("{role} = accept({listener})"), Ok(result))
    }

    /// Makes a connection, accepted: the calls of a server and a client.
    pub fn connection(&mut self, listener: Role, client: Role, server: Role) -> io::Result<()> {
        self.client(client, listener, server)?;
        self.accept(server, listener)
    }

    /// Calls `shutdown()` for sending.
    pub fn shutdown(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.shutdown(Shutdown::Write);
        self.note(role.program, format!("shutdown({role}, SHUT_WR)"), zero(result))
    }

    /// Calls `close()`.
    pub fn close(&mut self, role: Role) -> io::Result<()> {
        drop(self.open.remove(&role).ok_or_else(|| unknown(role))?);
        self.note(role.program, format!("close({role})"), Ok("0".to_owned()))
    }
}

/// Options, each before it matters.
impl Stage {
    /// Makes calls return at once.
    pub fn nonblocking(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.set_nonblocking(true);
        self.note(role.program, format!("fcntl({role}, F_SETFL, O_NONBLOCK)"), zero(result))
    }

    /// Allows an address that old connections still have.
    pub fn reuse_address(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.set_reuse_address(true);
        self.note(role.program, format!("setsockopt({role}, SO_REUSEADDR, 1)"), zero(result))
    }

    /// Shares an address with others that set it too.
    pub fn reuse_port(&mut self, role: Role) -> io::Result<()> {
        let result = props::reuse_port(self.get(role)?);
        self.note(role.program, format!("setsockopt({role}, SO_REUSEPORT, 1)"), zero(result))
    }

    /// Makes `close()` end the connection at once.
    pub fn linger_zero(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.set_linger(Some(Duration::ZERO));
        self.note(role.program, format!("setsockopt({role}, SO_LINGER, on, 0 s)"), zero(result))
    }

    /// Makes the receive buffer small, also of what this listener accepts.
    pub fn small_buffer(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.set_recv_buffer_size(CHUNK);
        self.note(role.program, format!("setsockopt({role}, SO_RCVBUF, {CHUNK})"), zero(result))
    }
}

/// Sending and receiving.
impl Stage {
    /// Calls `send()`.
    pub fn send(&mut self, role: Role, text: &str) -> io::Result<()> {
        let result = self.get(role)?.send(text.as_bytes());
        *self.sent.entry(role).or_default() += result.as_ref().copied().unwrap_or_default();
        self.note(role.program, format!("send({role}, {text:?})"), result.map(bytes))
    }

    /// Calls `send()` until nothing more goes in: the peer does not read.
    pub fn fill(&mut self, role: Role) -> io::Result<()> {
        self.nonblocking(role)?;
        let mut socket = self.get(role)?;
        let chunk = vec![b'x'; CHUNK];
        let (mut sent, mut times) = (0, 0);
        let full = loop {
            match socket.write(&chunk) {
                Ok(count) => {
                    sent += count;
                    times += 1;
                }
                Err(error) => break error,
            }
        };
        *self.sent.entry(role).or_default() += sent;
        let call = format!("send({role}, {CHUNK} bytes)");
        self.note(role.program, call.clone(), Ok(format!("{times} times: {}", bytes(sent))))?;
        self.fails("EAGAIN", |stage| stage.note(role.program, call, Err(full)))
    }

    /// Calls `sendto()` with the address of `to`.
    pub fn send_to(&mut self, role: Role, to: Role, text: &str) -> io::Result<()> {
        let target = self.place(to)?.local;
        let result = self.get(role)?.send_to(text.as_bytes(), &target.into());
        self.note(role.program, format!("sendto({role}, {text:?}, {target})"), result.map(bytes))
    }

    /// Calls `recv()`.
    pub fn recv(&mut self, role: Role) -> io::Result<()> {
        let mut buffer = [0; 1024];
        let read = self.read(role, &mut buffer);
        let words = |read| {
            let text = buffer.get(..read).map(String::from_utf8_lossy).unwrap_or_default();
            if read == 0 {
                "0 bytes: the peer has closed".to_owned()
            } else {
                format!("{}: {text:?}", bytes(read))
            }
        };
        self.note(role.program, format!("recv({role})"), read.map(words))
    }

    /// Calls `recv()` for so many bytes, of which it may get fewer.
    pub fn recv_up_to(&mut self, role: Role, most: usize) -> io::Result<()> {
        let mut buffer = vec![0; most];
        let result = self.read(role, &mut buffer);
        *self.received.entry(role).or_default() += result.as_ref().copied().unwrap_or_default();
        self.note(role.program, format!("recv({role}, {most} bytes)"), result.map(bytes))
    }

    /// Calls `recv()` until it has all that the peer has sent.
    pub fn recv_all(&mut self, role: Role, peer: Role) -> io::Result<()> {
        let sent = self.sent.get(&peer).copied().unwrap_or_default();
        let before = self.received.get(&role).copied().unwrap_or_default();
        let mut buffer = vec![0; CHUNK];
        let (mut received, mut times) = (before, 0);
        while received < sent {
            match self.read(role, &mut buffer)? {
                0 => break,
                count => received += count,
            }
            times += 1;
        }
        self.received.insert(role, received);
        let result = format!("{times} times: {}", bytes(received - before));
        self.note(role.program, format!("recv({role}, {CHUNK} bytes)"), Ok(result))
    }

    /// Receives, for as long as a step may take: a lesson ends even when the promised bytes never come.
    fn read(&self, role: Role, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.get(role)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.read(buffer)
    }
}

fn zero(result: io::Result<()>) -> io::Result<String> {
    result.map(|()| "0".to_owned())
}

fn bytes(count: usize) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}
