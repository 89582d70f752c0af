//! What the lessons of the demo need of the system, beyond what every system has: options of their own
//! sockets, how to know such a socket again in the listing, and a child that inherits one.

use std::io::{self, BufRead as _, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::process::Pid;
use crate::socket::{Cookie, Inode, Protocol};

/// The system this is.
pub const SYSTEM: &str = std::env::consts::OS;

/// Whether a UDP socket is told by `ECONNREFUSED` that nobody receives: Windows says `WSAECONNRESET`.
pub const REFUSES_DATAGRAMS: bool = cfg!(unix);

/// Whether a child can inherit a socket.
pub const CAN_INHERIT: bool = cfg!(unix);

/// Returns the socket's cookie; `None` where sockets have none.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has cookies"))]
pub fn cookie(socket: &Socket) -> Option<Cookie> {
    cfg_select! {
        target_os = "linux" => socket.cookie().ok().map(Cookie),
        _ => None,
    }
}

/// Returns the socket's inode; `None` where sockets have none, or the listing shows another number.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux lists them"))]
pub fn inode(socket: &Socket) -> Option<Inode> {
    cfg_select! {
        target_os = "linux" => rustix::fs::fstat(socket).ok().map(|file| Inode(file.st_ino)),
        _ => None,
    }
}

/// Sets `SO_REUSEPORT`.
///
/// # Errors
///
/// The system's, and on systems without that option. So with all that follow.
#[cfg_attr(not(unix), expect(unused_variables, reason = "only UNIX has it"))]
pub fn reuse_port(socket: &Socket) -> io::Result<()> {
    cfg_select! {
        unix => socket.set_reuse_port(true),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Sets `TCP_DEFER_ACCEPT`: a connection is none before it has brought data, or so many seconds.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has it"))]
pub fn defer_accept(socket: &Socket, seconds: u32) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => super::linux::props::defer_accept(socket, seconds),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Sets how many times a connection is asked for before that is given up (`TCP_SYNCNT`), and keeps the
/// time between two short.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has it"))]
pub fn keep_asking(socket: &Socket, times: u32) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => super::linux::props::keep_asking(socket, times),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Probes an idle connection after `idle` seconds, then each `interval` seconds, and gives it up after
/// so many probes without an answer.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "shown on Linux alone"))]
pub fn keepalive(socket: &Socket, idle: u32, interval: u32, probes: u32) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => super::linux::props::keepalive(socket, idle, interval, probes),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Sets the hops that what arrives must still have left (`IP_MINTTL`): with 255, more than anything
/// has, whatever arrives is dropped, as if the cable were cut; with 0 it is whole again.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "shown on Linux alone"))]
pub fn min_ttl(socket: &Socket, ttl: u32) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => super::linux::props::min_ttl(socket, ttl),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Finds out whether [`min_ttl`] can be set.
///
/// # Errors
///
/// The system's, when not.
pub fn try_min_ttl() -> io::Result<()> {
    min_ttl(&Socket::new(Domain::IPV4, Type::STREAM, None)?, 255)
}

/// Asks the kernel itself for the sockets of a protocol (`sock_diag`), which tells more than its files do.
///
/// # Errors
///
/// The kernel's, when it does not answer.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has it"))]
pub fn ask_kernel(protocol: Protocol) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => super::linux::sock_diag::ask(protocol),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Binds the socket to the loopback device, whatever address it will have.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has it"))]
pub fn only_loopback(socket: &Socket) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => socket.bind_device(Some(b"lo")),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Tries [`only_loopback`] with IPv6.
pub fn try_loopback6() -> io::Result<()> {
    free_for_both().map(|_| ())
}

/// How often to try for ports: others take and leave them all the time.
const TRIES: usize = 100;

/// Returns a port that nobody has, neither over IPv4 nor over IPv6, on the loopback device.
pub fn free_for_both() -> io::Result<u16> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let four = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        only_loopback(&four)?;
        four.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
        let port = port(&four)?;
        let six = Socket::new(Domain::IPV6, Type::STREAM, None)?;
        six.set_only_v6(true)?;
        only_loopback(&six)?;
        match six.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()) {
            Ok(()) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sets the ports of which `bind()` and `connect()` take one (`IP_LOCAL_PORT_RANGE`).
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has it"))]
pub fn port_range(socket: &Socket, range: &RangeInclusive<u16>) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => super::linux::props::port_range(socket, range),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Returns so many ports in a row that the kernel gives, and that nobody has. Of an odd number but 1 it
/// never gives the last (`inet_csk_find_open_port`, linux/net/ipv4/inet_connection_sock.c).
pub fn free_range(count: u16) -> io::Result<RangeInclusive<u16>> {
    let loopback = || SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let any = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        any.bind(&loopback())?;
        let first = port(&any)?;
        drop(any);
        let range = first..=first.saturating_add(count.saturating_sub(1));
        let taken: io::Result<Vec<Socket>> = range
            .clone()
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
                port_range(&socket, &range)?;
                socket.bind(&loopback())?;
                Ok(socket)
            })
            .collect();
        match taken {
            Ok(_) => return Ok(range),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn port(socket: &Socket) -> io::Result<u16> {
    let address = socket.local_addr()?.as_socket();
    address.map(|address| address.port()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Calls `socketpair()` for a UNIX stream.
pub fn pair() -> io::Result<(Socket, Socket)> {
    cfg_select! {
        unix => Socket::pair(Domain::UNIX, Type::STREAM, None),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Sends a descriptor through a UNIX socket, with one byte (`SCM_RIGHTS`).
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "shown on Linux alone"))]
pub fn send_descriptor(through: &Socket, sent: &Socket) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => super::linux::props::send_descriptor(through, sent),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Receives one.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "shown on Linux alone"))]
pub fn receive_descriptor(through: &Socket) -> io::Result<Socket> {
    cfg_select! {
        target_os = "linux" => super::linux::props::receive_descriptor(through),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Waits until one of these can be read without waiting, for at most `limit`, and returns which can:
/// `poll()`. Where we do not call that, each is asked in turn by a look that takes nothing.
pub fn poll_readable(sockets: &[&Socket], limit: Duration) -> io::Result<Vec<bool>> {
    cfg_select! {
        target_os = "linux" => super::linux::props::poll_readable(sockets, limit),
        _ => sockets.iter().map(|socket| {
            socket.set_read_timeout(Some(limit))?;
            socket.peek(&mut [std::mem::MaybeUninit::uninit()]).map(|_| true)
        }).collect(),
    }
}

/// Leaves the network namespace for a new one, in a user namespace of its own where that takes one, and
/// listens there at 127.0.0.1. Only for a process that has nothing else to do: see
/// [`Child::start_elsewhere`].
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has them"))]
pub fn listen_elsewhere(port: u16) -> io::Result<TcpListener> {
    cfg_select! {
        target_os = "linux" => {
            super::linux::props::leave_namespace()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// A process that does nothing, and ends when this one does, however that ends: it reads from a pipe
/// whose other end only this process has.
#[derive(Debug)]
pub struct Child(std::process::Child);

impl Child {
    /// The program it is.
    pub const PROGRAM: &str = "cat";

    /// Starts one, which inherits this socket, if any is given, and no other.
    #[cfg_attr(not(unix), expect(unused_variables, reason = "only UNIX inherits so"))]
    pub fn start(inherits: Option<&Socket>) -> io::Result<Self> {
        let inherited = match inherits {
            None => Stdio::null(),
            Some(socket) => cfg_select! {
                unix => Stdio::from(std::os::fd::OwnedFd::from(socket.try_clone()?)),
                _ => return Err(io::ErrorKind::Unsupported.into()),
            },
        };
        #[expect(clippy::disallowed_methods, reason = "the lesson is about such a child")]
        let mut command = Command::new(Self::PROGRAM);
        // It never has anything to write there.
        command.stdin(Stdio::piped()).stdout(inherited).stderr(Stdio::null());
        command.spawn().map(Self)
    }

    /// The command of ours that [`Child::start_elsewhere`] starts.
    pub const ELSEWHERE: &str = "demo-elsewhere";
    /// What it says when it listens.
    pub const READY: &str = "listening";

    /// Starts this program once more, in a network namespace of its own, where it listens at this port of
    /// 127.0.0.1; returns when it does.
    pub fn start_elsewhere(port: u16) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "a namespace takes a process of its own")]
        let mut command = Command::new(std::env::current_exe()?);
        command.args([Self::ELSEWHERE, &port.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Self(command.spawn()?);
        let mut answer = String::new();
        if let Some(stdout) = child.0.stdout.take() {
            BufReader::new(stdout).read_line(&mut answer)?;
        }
        match answer.trim_end() {
            Self::READY => Ok(child),
            why => Err(io::Error::other(why.to_owned())),
        }
    }

    /// Returns its number.
    pub fn pid(&self) -> Pid {
        Pid(self.0.id())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It ends by itself when its input does; this is to be sure, and to be quick.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}
