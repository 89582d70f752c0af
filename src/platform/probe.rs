//! Asks the kernel whether a bind would succeed, by doing it: the same calls with the same options,
//! closed at once.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Socket, Type};

use crate::diagnose::{BindRequest, Binder, Call, Probe, Target};
use crate::platform::errno;
use crate::socket::{Interface, Protocol};

/// Makes the bind, and if wanted for TCP the listen after it, as this process and in its network
/// namespace, and takes it back at once.
///
/// A client that asks for a connection in the instant in which the probe listens is not answered, and
/// asks again a second later: on Linux the probe drops whatever it gets.
pub fn probe(request: &BindRequest, listen: bool) -> Probe {
    let Target::Inet { protocol, address, scope, port } = &request.target else {
        return not_made("a bind of a UNIX socket would leave a file");
    };
    if request.by != Binder::default() {
        return not_made("it would be this process that binds, not the one asked about");
    }
    let scope = scope.as_ref().map_or(0, |scope| scope.index);
    let address = match *address {
        IpAddr::V4(v4) => SocketAddr::from((v4, *port)),
        IpAddr::V6(v6) => SocketAddrV6::new(v6, *port, 0, scope).into(),
    };
    match bind(request, *protocol, address, listen) {
        Ok(()) => Probe::Succeeded { listened: listen && *protocol == Protocol::Tcp },
        Err((call, error)) => Probe::Failed { call, errno: errno::of(&error) },
    }
}

fn not_made(why: &str) -> Probe {
    Probe::NotMade { why: why.to_owned() }
}

fn bind(
    request: &BindRequest,
    protocol: Protocol,
    address: SocketAddr,
    listen: bool,
) -> Result<(), (Call, io::Error)> {
    let kind = if protocol == Protocol::Tcp { Type::STREAM } else { Type::DGRAM };
    let of = |call| move |error| (call, error);
    let socket = Socket::new(Domain::for_address(address), kind, None).map_err(of(Call::Socket))?;
    set_options(&socket, request, address).map_err(of(Call::Setsockopt))?;
    socket.bind(&address.into()).map_err(of(Call::Bind))?;
    if listen && protocol == Protocol::Tcp {
        socket.listen(1).map_err(of(Call::Listen))?;
    }
    Ok(())
}

fn set_options(socket: &Socket, request: &BindRequest, address: SocketAddr) -> io::Result<()> {
    drop_what_comes(socket);
    if request.reuse_address {
        socket.set_reuse_address(true)?;
    }
    if request.reuse_port {
        set_reuse_port(socket)?;
    }
    if let (Some(v6only), true) = (request.v6only, address.is_ipv6()) {
        socket.set_only_v6(v6only)?;
    }
    match &request.device {
        Some(device) => set_device(socket, device),
        None => Ok(()),
    }
}

/// Attaches a filter that drops every packet (`SO_ATTACH_FILTER`, `socket(7)`). Without it the probe
/// is seen a little longer, that is all.
fn drop_what_comes(socket: &Socket) {
    #[cfg(target_os = "linux")]
    {
        // "Return 0": keep no byte of the packet.
        const RET_0: socket2::SockFilter = socket2::SockFilter::new(0x06, 0, 0, 0);
        drop(socket.attach_filter(&[RET_0]));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

#[cfg(unix)]
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn set_reuse_port(_socket: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn set_device(socket: &Socket, device: &Interface) -> io::Result<()> {
    match &device.name {
        Some(name) => socket.bind_device(Some(name.as_bytes())),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn set_device(_socket: &Socket, _device: &Interface) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::diagnose::Errno;
    use crate::platform::clock::wait_until;

    fn request(port: u16) -> BindRequest {
        let address = Ipv4Addr::LOCALHOST.into();
        BindRequest::plain(Target::Inet { protocol: Protocol::Tcp, address, scope: None, port })
    }

    #[test]
    fn a_port_in_use_is_refused_and_a_free_one_is_given_back() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let in_use = Probe::Failed { call: Call::Bind, errno: Some(Errno::EADDRINUSE) };
        assert_eq!(probe(&request(port), true), in_use);
        drop(listener);
        for _ in 0..2 {
            wait_until(|| probe(&request(port), true) == Probe::Succeeded { listened: true });
        }
    }

    #[test]
    fn nobody_is_asked_as_somebody_else() {
        let mut request = request(0);
        request.by.uid = Some(crate::process::Uid(1));
        assert!(matches!(probe(&request, true), Probe::NotMade { .. }));
    }
}
