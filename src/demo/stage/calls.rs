//! The calls that a lesson can make. Each is noted with what it returned, and fails as the system
//! answers.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::wire::Packet;
use super::{Inet, Place, Stage, inet, unknown};
use crate::demo::cast::{CHILD, LISTENER, Program, Role};
use crate::demo::syscall::{Address, Kind, SocketOption, Syscall};
use crate::platform::errno;
use crate::platform::props::{self, Child};
use crate::socket::Protocol;

/// What [`Stage::fill`] gives to one `send()`.
const CHUNK: usize = 64 * 1024;
/// What the standard library gives to `listen()`.
const STD_BACKLOG: i32 = 128;
/// How long a call may block, far longer than any should.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a closed socket may linger in somebody else's look, far longer than any look takes.
const RELEASED: Duration = Duration::from_secs(20);

/// An address without its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// 127.0.0.1.
    V4,
    /// ::1.
    V6,
    /// 0.0.0.0.
    AnyV4,
    /// `::`.
    AnyV6,
}

impl At {
    fn port(self, port: u16) -> SocketAddr {
        let address: IpAddr = match self {
            Self::V4 => Ipv4Addr::LOCALHOST.into(),
            Self::V6 => Ipv6Addr::LOCALHOST.into(),
            Self::AnyV4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::AnyV6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        SocketAddr::new(address, port)
    }
}

/// Making sockets and giving them addresses.
impl Stage {
    /// Calls `socket()` for TCP over IPv4.
    pub fn tcp(&mut self, role: Role) -> io::Result<()> {
        self.socket(role, Domain::IPV4, Type::STREAM)
    }

    /// Calls `socket()` for TCP over IPv6.
    pub fn tcp6(&mut self, role: Role) -> io::Result<()> {
        self.socket(role, Domain::IPV6, Type::STREAM)
    }

    /// Calls `socket()` for UDP over IPv4.
    pub fn udp(&mut self, role: Role) -> io::Result<()> {
        self.socket(role, Domain::IPV4, Type::DGRAM)
    }

    pub(super) fn socket(&mut self, role: Role, domain: Domain, kind: Type) -> io::Result<()> {
        self.open.insert(role, Socket::new(domain, kind, None)?);
        self.nonblocking.remove(&role);
        let (family, kind) = match domain {
            Domain::UNIX => ("UNIX", Kind::Unix),
            Domain::IPV6 if kind == Type::DGRAM => ("INET6", Kind::Udp),
            Domain::IPV6 => ("INET6", Kind::Tcp),
            _ if kind == Type::DGRAM => ("INET", Kind::Udp),
            _ => ("INET", Kind::Tcp),
        };
        self.kinds.insert(role, kind);
        self.note(role, Syscall::Socket { family }, Ok("a new descriptor".to_owned()))
    }

    /// Calls `bind()` with loopback and port 0: the kernel picks a free port.
    pub fn bind(&mut self, role: Role) -> io::Result<()> {
        self.bind_address(role, At::V4.port(0))
    }

    /// Calls `bind()` with this address and a port that is free, for IPv4 and for IPv6.
    pub fn bind_to(&mut self, role: Role, at: At) -> io::Result<()> {
        let port = match at {
            At::AnyV4 => props::free_for_both()?,
            At::V4 | At::V6 | At::AnyV6 => 0,
        };
        self.bind_address(role, at.port(port))
    }

    /// Calls `bind()` with this address and the port that another socket has.
    pub fn bind_beside(&mut self, role: Role, at: At, other: Role) -> io::Result<()> {
        let port = self.place(other)?.local.port();
        self.bind_address(role, at.port(port))
    }

    /// Calls `bind()` with the address that another socket has, or had.
    pub fn bind_where(&mut self, role: Role, other: Role) -> io::Result<()> {
        let address = self.place(other)?.local;
        self.bind_address(role, address)
    }

    /// Calls `bind()` with this address.
    pub fn bind_address(&mut self, role: Role, address: SocketAddr) -> io::Result<()> {
        let result = match self.bind_soon(role, address) {
            Ok(()) if address.port() == 0 => {
                self.remember(role, None)?;
                Ok(format!("0; the kernel chose port {}", self.place(role)?.local.port()))
            }
            Ok(()) => self.remember(role, None).map(|()| "0".to_owned()),
            Err(error) => Err(error),
        };
        self.is_bound(role);
        self.note(role, Syscall::Bind(Address::Inet(address)), result)
    }

    /// Takes note that a socket has an address of its own choice, or was to have one.
    pub(super) fn is_bound(&mut self, role: Role) {
        self.kinds.entry(role).and_modify(|kind| *kind = kind.bound());
    }

    /// Calls `bind()`, again for a moment where the lesson wants the port that it just closed.
    fn bind_soon(&self, role: Role, address: SocketAddr) -> io::Result<()> {
        let socket = self.get(role)?;
        if self.is_to_fail || address.port() == 0 {
            return socket.bind(&address.into());
        }
        bind_when_released(socket, address)
    }

    /// Calls `listen()`.
    pub fn listen(&mut self, role: Role, backlog: i32) -> io::Result<()> {
        let result = self.get(role)?.listen(backlog);
        self.note(role, Syscall::Listen { backlog }, zero(result))
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
        self.connect_address(role, target, server)
    }

    /// Calls `connect()` with this address and the port of a listener.
    pub fn connect_to(
        &mut self,
        role: Role,
        at: At,
        listener: Role,
        server: Option<Role>,
    ) -> io::Result<()> {
        let port = self.place(listener)?.local.port();
        self.connect_address(role, at.port(port), server)
    }

    /// Calls `connect()` with this address.
    pub fn connect_address(
        &mut self,
        role: Role,
        target: SocketAddr,
        server: Option<Role>,
    ) -> io::Result<()> {
        let connect = |socket: &Socket| socket.connect(&target.into());
        let connected = if self.is_to_fail {
            connect(self.get(role)?)
        } else {
            // The port of a connection that was just ended.
            when_released(self.get(role)?, "EADDRNOTAVAIL", connect)
        };
        let is_on_its_way =
            connected.as_ref().is_err_and(|error| errno::name(error) == Some("EINPROGRESS"));
        let result = match connected {
            Err(error) if !is_on_its_way => {
                if errno::name(&error) == Some("ECONNREFUSED")
                    && let Some(nobody) = self.at(target)
                {
                    self.wire.refuse(role, nobody);
                }
                Err(error)
            }
            answered => {
                self.remember(role, Some(target))?;
                let Inet { protocol, local, .. } = self.place(role)?;
                if let Some(server) = server {
                    self.wire.connect(role, server, answered.is_ok());
                    let inet = Inet { protocol, local: target, peer: Some(local) };
                    self.places.push((Place::at(inet), server));
                } else if protocol == Protocol::Tcp {
                    self.ask(role, target, is_on_its_way);
                }
                answered.map(|()| format!("0; from port {}", local.port()))
            }
        };
        let blocking = !self.nonblocking.contains(&role);
        self.note(role, Syscall::Connect { address: Address::Inet(target), blocking }, result)
    }

    /// A connection of which no other end is known: it is asked for, or was before.
    fn ask(&mut self, role: Role, target: SocketAddr, is_on_its_way: bool) {
        match self.at(target) {
            Some(listener) if is_on_its_way => self.wire.lose(role, listener, Packet::Syn),
            Some(_) | None => self.wire.answer(role),
        }
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
        self.nonblocking.remove(&role);
        let kind = self.kinds.get(&listener).copied().unwrap_or_default();
        self.kinds.insert(role, kind.accepted());
        let result = if let Ok(peer) = inet(&peer) {
            format!("a new descriptor, for {peer}")
        } else {
            self.remember(role, None)?;
            "a new descriptor".to_owned()
        };
        self.note(role, Syscall::Accept { listener }, Ok(result))
    }

    /// Makes a connection, accepted: the calls of a server and a client.
    pub fn connection(&mut self, listener: Role, client: Role, server: Role) -> io::Result<()> {
        self.client(client, listener, server)?;
        self.accept(server, listener)
    }

    /// Calls `shutdown()` for sending.
    pub fn shutdown(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.shutdown(Shutdown::Write);
        self.wire.shutdown(role);
        self.note(role, Syscall::Shutdown, zero(result))
    }

    /// Calls `close()`.
    pub fn close(&mut self, role: Role) -> io::Result<()> {
        drop(self.open.remove(&role).ok_or_else(|| unknown(role))?);
        // A datagram that is sent next shall find nobody. Whether somebody is there, a bind tells; one that
        // fails to the end is another program's, which has taken the port since.
        if let Ok(Inet { protocol: Protocol::Udp, local, .. }) = self.place(role) {
            let probe = Socket::new(Domain::for_address(local), Type::DGRAM, None)?;
            bind_when_released(&probe, local).ok();
        }
        self.wire.close(role);
        self.note(role, Syscall::Close, Ok("0".to_owned()))
    }
}

/// Options, each before it matters.
impl Stage {
    /// Makes calls return at once.
    pub fn nonblocking(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.set_nonblocking(true);
        self.nonblocking.insert(role);
        self.note(role, Syscall::NonBlocking, zero(result))
    }

    /// Allows an address that old connections still have.
    pub fn reuse_address(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.set_reuse_address(true);
        self.set(role, SocketOption::ReuseAddress, result)
    }

    /// Shares an address with others that set it too.
    pub fn reuse_port(&mut self, role: Role) -> io::Result<()> {
        let result = props::reuse_port(self.get(role)?);
        self.set(role, SocketOption::ReusePort, result)
    }

    /// Makes `close()` end the connection at once.
    pub fn linger_zero(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.set_linger(Some(Duration::ZERO));
        self.wire.linger_zero(role);
        self.set(role, SocketOption::LingerZero, result)
    }

    /// Keeps a connection waiting until it brings data.
    pub fn defer_accept(&mut self, role: Role, seconds: u32) -> io::Result<()> {
        let result = props::defer_accept(self.get(role)?, seconds);
        self.set(role, SocketOption::DeferAccept(seconds), result)
    }

    /// Makes it ask for its connection for as long as a learner may look at that.
    pub fn keep_asking(&mut self, role: Role) -> io::Result<()> {
        const TIMES: u32 = 127;
        let result = props::keep_asking(self.get(role)?, TIMES);
        self.set(role, SocketOption::SynCount(TIMES), result)
    }

    /// Probes the peer of an idle connection, in a while.
    pub fn keepalive(&mut self, role: Role) -> io::Result<()> {
        let (idle, interval, probes) = (600, 1, 3);
        let result = props::keepalive(self.get(role)?, idle, interval, probes);
        self.set(role, SocketOption::Keepalive, result)?;
        let times = Syscall::SetOption(SocketOption::KeepaliveTimes { idle, interval, probes });
        let words = format!("0: after {idle} s, then each {interval} s, {probes} times");
        self.note(role, times, Ok(words))
    }

    /// Changes after how many seconds it does.
    pub fn keepalive_idle(&mut self, role: Role, seconds: u32) -> io::Result<()> {
        let result = props::keepalive(self.get(role)?, seconds, 1, 3);
        self.set(role, SocketOption::KeepaliveIdle(seconds), result)
    }

    /// Drops whatever arrives from now on: nothing has so many hops left.
    pub fn cut(&mut self, role: Role) -> io::Result<()> {
        // Should the lesson be ended here, nobody would answer this end's FIN, and the kernel would repeat
        // it for a minute. A reset wants no answer.
        self.get(role)?.set_linger(Some(Duration::ZERO))?;
        self.min_ttl(role, 255)
    }

    /// Lets arrive what is sent from now on.
    pub fn mend(&mut self, role: Role) -> io::Result<()> {
        self.min_ttl(role, 0)
    }

    fn min_ttl(&mut self, role: Role, ttl: u32) -> io::Result<()> {
        let result = props::min_ttl(self.get(role)?, ttl);
        self.wire.cut(role, ttl > 0);
        self.set(role, SocketOption::MinTtl(ttl), result)
    }

    /// Takes IPv6 alone, or both.
    pub fn only_v6(&mut self, role: Role, only: bool) -> io::Result<()> {
        let result = self.get(role)?.set_only_v6(only);
        self.set(role, SocketOption::V6Only(only), result)
    }

    /// Takes what comes over loopback alone, whatever its address says.
    pub fn only_loopback(&mut self, role: Role) -> io::Result<()> {
        let result = props::only_loopback(self.get(role)?);
        self.set(role, SocketOption::LoopbackDevice, result)
    }

    /// Chooses the few ports that clients may have. No call is noted.
    pub fn choose_narrow_range(&mut self) -> io::Result<()> {
        self.range = Some(props::free_range(2)?);
        Ok(())
    }

    /// Takes a port of those few when it connects.
    pub fn narrow_range(&mut self, role: Role) -> io::Result<()> {
        let range = self.range.clone().ok_or_else(|| unknown(role))?;
        let result = props::port_range(self.get(role)?, &range);
        let (first, last) = range.into_inner();
        self.set(role, SocketOption::PortRange { first, last }, result)
    }

    /// Makes the receive buffer small, also of what this listener accepts.
    pub fn small_buffer(&mut self, role: Role) -> io::Result<()> {
        let result = self.get(role)?.set_recv_buffer_size(CHUNK);
        self.set(role, SocketOption::ReceiveBuffer(CHUNK), result)
    }

    fn set(&mut self, role: Role, option: SocketOption, result: io::Result<()>) -> io::Result<()> {
        self.note(role, Syscall::SetOption(option), zero(result))
    }
}

/// The server's child.
impl Stage {
    /// Starts a child, which inherits this socket, if any is given.
    pub fn start_child(&mut self, inherits: Option<Role>) -> io::Result<()> {
        let socket = inherits.map(|role| self.get(role)).transpose()?;
        let child = Child::start(socket)?;
        let result = format!("process {}", child.pid());
        self.child = Some(child);
        self.wire.cross(inherits.unwrap_or(LISTENER), CHILD, Packet::Fork);
        let call = Syscall::Start { program: Child::PROGRAM, inherits };
        self.note_plain(Program::Server, call, Ok(result))
    }

    /// Starts a child in a network namespace of its own, where it listens at the address that another
    /// socket has here.
    pub fn start_elsewhere(&mut self, role: Role, like: Role) -> io::Result<()> {
        let inet = Inet { peer: None, ..self.place(like)? };
        let child = Child::start_elsewhere(inet.local.port())?;
        let result = format!("process {}", child.pid());
        self.child = Some(child);
        self.places.push((Place { elsewhere: true, ..Place::at(inet) }, role));
        self.wire.cross(like, role, Packet::Fork);
        self.kinds.insert(role, Kind::TcpListener);
        let start = Syscall::Start { program: "sockscope", inherits: None };
        self.note_plain(Program::Server, start, Ok(result))?;
        self.note_plain(Program::Child, Syscall::Unshare, Ok("0".to_owned()))?;
        self.note(role, Syscall::Bind(Address::Inet(inet.local)), Ok("0".to_owned()))?;
        self.note(role, Syscall::Listen { backlog: STD_BACKLOG }, Ok("0".to_owned()))
    }

    /// Ends the child.
    pub fn end_child(&mut self) -> io::Result<()> {
        self.child = None;
        let result = Ok("its descriptors are closed".to_owned());
        self.note_plain(Program::Child, Syscall::Exit, result)
    }
}

/// Sending and receiving.
impl Stage {
    /// Calls `send()`.
    pub fn send(&mut self, role: Role, text: &str) -> io::Result<()> {
        let result = self.get(role)?.send(text.as_bytes());
        let count = result.as_ref().copied().unwrap_or_default();
        *self.sent.entry(role).or_default() += count;
        match self.place(role) {
            Ok(Inet { protocol: Protocol::Udp, peer: Some(peer), .. }) => {
                self.datagram(role, peer, count);
            }
            Ok(_) | Err(_) if count > 0 => self.wire.send(role, count, true),
            Ok(_) | Err(_) => {}
        }
        self.note(role, Syscall::Send { text: text.to_owned() }, result.map(bytes))
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
        self.wire.send(role, sent, false);
        let call = Syscall::SendBytes { length: CHUNK };
        self.note(role, call.clone(), Ok(format!("{times} times: {}", bytes(sent))))?;
        self.fails("EAGAIN", |stage| stage.note(role, call, Err(full)))
    }

    /// Calls `sendto()` with the address of `to`.
    pub fn send_to(&mut self, role: Role, to: Role, text: &str) -> io::Result<()> {
        let target = self.place(to)?.local;
        let result = self.get(role)?.send_to(text.as_bytes(), &target.into());
        self.datagram(role, target, text.len());
        let call = Syscall::SendTo { text: text.to_owned(), address: target };
        self.note(role, call, result.map(bytes))
    }

    /// A datagram crosses, and the kernel says when nobody is there.
    fn datagram(&mut self, role: Role, target: SocketAddr, count: usize) {
        let Some(to) = self.at(target) else { return };
        self.wire.cross(role, to, Packet::Datagram(count));
        if !self.open.contains_key(&to) {
            self.wire.cross(to, role, Packet::Unreachable);
        }
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
        self.note(role, Syscall::Recv { most: None }, read.map(words))
    }

    /// Calls `recv()` for so many bytes, of which it may get fewer.
    pub fn recv_up_to(&mut self, role: Role, most: usize) -> io::Result<()> {
        let mut buffer = vec![0; most];
        let result = self.read(role, &mut buffer);
        *self.received.entry(role).or_default() += result.as_ref().copied().unwrap_or_default();
        self.note(role, Syscall::Recv { most: Some(most) }, result.map(bytes))
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
        self.note(role, Syscall::Recv { most: Some(CHUNK) }, Ok(result))
    }

    /// Calls `poll()` until the first of these can be read.
    pub fn poll(&mut self, roles: &[Role]) -> io::Result<()> {
        let sockets: Vec<&Socket> =
            roles.iter().map(|role| self.get(*role)).collect::<Result<_, _>>()?;
        let ready = props::poll_readable(&sockets, LONGEST)?;
        let result = format!("{} can be read", ready.iter().filter(|ready| **ready).count());
        let call = Syscall::Poll { sockets: roles.to_vec() };
        let program = roles.first().map_or(Program::Server, |role| role.program);
        self.note_plain(program, call, Ok(result))
    }

    /// Receives. A lesson ends even when the promised bytes never come.
    fn read(&mut self, role: Role, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.get(role)?;
        socket.set_read_timeout(Some(LONGEST))?;
        let read = socket.read(buffer);
        match &read {
            Ok(count) => self.wire.receive(role, *count),
            Err(error) => self.wire.fail(role, errno::name(error).unwrap_or_default()),
        }
        read
    }
}

pub(super) fn zero(result: io::Result<()>) -> io::Result<String> {
    result.map(|()| "0".to_owned())
}

fn bytes(count: usize) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// Calls `bind()`; see [`when_released`].
fn bind_when_released(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    when_released(socket, "EADDRINUSE", |socket| socket.bind(&address.into()))
}

/// Calls, and again for a moment while this error says that the address is taken: whoever lists descriptors in this
/// instant (another `sockscope`, lsof) holds a reference to each open file it looks at, and a socket
/// closed meanwhile goes with that reference (`__fput`, fs/file_table.c).
#[expect(clippy::disallowed_methods, reason = "patience is measured in time, not in tries")]
fn when_released(
    socket: &Socket,
    taken: &str,
    call: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<()> {
    let until = Instant::now() + RELEASED;
    loop {
        let done = call(socket);
        let is_taken = done.as_ref().is_err_and(|e| errno::name(e) == Some(taken));
        if !is_taken || Instant::now() > until {
            return done;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
