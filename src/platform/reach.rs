//! Tries a connection: as this process, in its network namespace, closed at once, and nothing is sent.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::time::Duration;

use crate::diagnose::Errno;
use crate::diagnose::connect::{Attempt, ConnectRequest};
use crate::platform::errno;
use crate::process::Pid;
use crate::socket::Protocol;
#[cfg(feature = "cli")]
use crate::text::Text;

/// Connects, waits for an answer for so long, and closes.
pub fn attempt(request: &ConnectRequest, timeout: Duration) -> Attempt {
    if request.protocol != Protocol::Tcp {
        let why = "UDP has no connection, and a datagram would reach the program";
        return Attempt::NotMade { why: why.to_owned() };
    }
    let connected = TcpStream::connect_timeout(&address(request), timeout);
    match connected.and_then(|stream| stream.local_addr()) {
        Ok(from) => Attempt::Connected { from: Some(from) },
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Attempt::Silent { timeout },
        Err(error) => Attempt::Failed { errno: errno::of(&error) },
    }
}

/// Connects to the path of a UNIX socket, or to an abstract name that starts with `@`, waits for so long
/// when its queue is full, and closes.
#[cfg(all(unix, feature = "cli"))]
pub fn attempt_path(path: &Text, timeout: Duration) -> Attempt {
    use std::os::unix::ffi::OsStrExt as _;

    use socket2::{Domain, SockAddr, Socket, Type};

    // A name begins with NUL (`unix(7)`).
    let name = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => [b"\0", name].concat(),
        None => path.as_bytes().to_vec(),
    };
    let connect = |kind| {
        let address = SockAddr::unix(std::ffi::OsStr::from_bytes(&name))?;
        let socket = Socket::new(Domain::UNIX, kind, None)?;
        // The wait for room in the queue is one for sending.
        socket.set_write_timeout(Some(timeout))?;
        socket.connect(&address)
    };
    let mut connected = connect(Type::STREAM);
    for kind in [Type::DGRAM, Type::SEQPACKET] {
        // Of another type (EPROTOTYPE): std has no word for it.
        if connected.as_ref().is_err_and(|error| errno::name(error) == Some("EPROTOTYPE")) {
            connected = connect(kind);
        }
    }
    match connected {
        Ok(()) => Attempt::Connected { from: None },
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Attempt::Silent { timeout },
        Err(error) => Attempt::Failed { errno: errno::of(&error) },
    }
}

/// See the version for UNIX systems.
#[cfg(all(not(unix), feature = "cli"))]
pub fn attempt_path(_path: &Text, _timeout: Duration) -> Attempt {
    Attempt::NotMade { why: "this system's UNIX sockets are not known here".to_owned() }
}

/// Returns the address that our end of a connection would have, or why there is no way. The kernel is
/// asked by a UDP socket that sends nothing. `None` when it cannot be asked.
pub fn source(request: &ConnectRequest) -> Option<Result<IpAddr, Errno>> {
    let to = address(request);
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = match UdpSocket::bind((any, 0)) {
        Ok(socket) => socket,
        Err(error) => {
            return errno::of(&error).filter(|errno| *errno == Errno::EAFNOSUPPORT).map(Err);
        }
    };
    let source = socket.connect(to).and_then(|()| socket.local_addr());
    match source {
        Ok(source) => Some(Ok(source.ip().to_canonical())),
        Err(error) => errno::of(&error).map(Err),
    }
}

fn address(request: &ConnectRequest) -> SocketAddr {
    match request.destination() {
        IpAddr::V4(address) => SocketAddr::from((address, request.port)),
        IpAddr::V6(address) => {
            let scope = request.scope.as_ref().map_or(0, |scope| scope.index);
            SocketAddrV6::new(address, request.port, 0, scope).into()
        }
    }
}

/// Returns which of these processes are stopped, by a signal or a debugger; none where that cannot be
/// told.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux is asked"))]
pub fn stopped(pids: &BTreeSet<Pid>) -> BTreeSet<Pid> {
    cfg_select! {
        target_os = "linux" => super::linux::stat::stopped(pids),
        _ => BTreeSet::new(),
    }
}

/// Returns how many connections the kernel has dropped at full queues of listeners in this network
/// namespace so far; `None` where it does not tell.
pub fn overflows() -> Option<u64> {
    cfg_select! {
        target_os = "linux" => super::linux::counters::listen_overflows(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const SHORT: Duration = Duration::from_secs(20);

    fn to(address: SocketAddr) -> ConnectRequest {
        let (address, port) = (address.ip(), address.port());
        ConnectRequest { protocol: Protocol::Tcp, address, scope: None, port }
    }

    #[test]
    fn a_listener_is_connected_to_and_gets_nothing() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let request = to(listener.local_addr().unwrap());
        let Attempt::Connected { from } = attempt(&request, SHORT) else { panic!() };
        let (mut stream, peer) = listener.accept().unwrap();
        assert_eq!(Some(peer), from);
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut stream, &mut bytes).unwrap();
        assert!(bytes.is_empty(), "{bytes:?}");
    }

    #[test]
    fn where_nobody_listens_it_is_refused() {
        // Bound, so that no other test listens there.
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let request = to(socket.local_addr().unwrap().as_socket().unwrap());
        let refused = Some(Errno::ECONNREFUSED);
        assert!(matches!(attempt(&request, SHORT), Attempt::Failed { errno } if errno == refused));
    }

    #[test]
    fn our_end_of_a_connection_to_loopback_is_loopback() {
        let request = to(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80)));
        assert_eq!(source(&request), Some(Ok(Ipv4Addr::LOCALHOST.into())));
    }

    #[test]
    fn a_datagram_is_not_sent_to_find_out() {
        let udp = ConnectRequest { protocol: Protocol::Udp, ..to(([127, 0, 0, 1], 9).into()) };
        assert!(matches!(attempt(&udp, SHORT), Attempt::NotMade { .. }));
    }
}
