//! Binds the sockets of the echo server: one address may need several.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener, UdpSocket as StdUdpSocket};
use std::path::Path;
use std::task::{Context, Poll};

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::echo::address::{Address, Host};
use crate::echo::error::{Cause, EchoError};
#[cfg(unix)]
use crate::echo::unix_path::{self, Claim};
use crate::platform::limits::is_out_of_descriptors;
use crate::socket::{Endpoint, Protocol};

/// How to bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenOptions {
    /// Whether to listen for TCP connections. A UNIX path always listens for connections.
    pub tcp: bool,
    /// Whether to receive UDP datagrams.
    pub udp: bool,
    /// How many connections may wait for `accept`; the kernel may allow fewer
    /// (`net.core.somaxconn`).
    pub backlog: u16,
    /// Whether to replace the socket file that an earlier server left at a UNIX path.
    pub force: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { tcp: true, udp: false, backlog: 1024, force: false }
    }
}

/// The bound sockets of one server. Dropping it closes them and removes the file of a UNIX path.
#[derive(Debug, Default)]
pub struct Listeners {
    pub(super) streams: Vec<StreamListener>,
    pub(super) datagrams: Vec<UdpSocket>,
    /// IPv6 addresses that this machine lacks, where the user named no family.
    pub(super) skipped: Vec<(Protocol, Endpoint, Cause)>,
}

/// A listening socket.
pub(super) enum StreamListener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, Claim),
}

/// An accepted connection.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(UnixStream, Endpoint),
}

/// How often to look for a port that is free on every address wanted, when any port will do.
const FREE_PORT_ATTEMPTS: usize = 32;

impl Listeners {
    /// Binds every socket that the address needs. Port 0, or none, takes a port that is free on all
    /// of them.
    ///
    /// # Errors
    ///
    /// When one of them cannot be bound. IPv6 is left out, and reported by
    /// [`crate::echo::server::serve`], where the machine lacks it and the address does not insist.
    pub async fn bind(address: &Address, options: ListenOptions) -> Result<Self, EchoError> {
        let (host, port) = match address {
            Address::Path(path) => return Self::bind_path(path, options).await,
            Address::Inet { host, port } => (host, port.unwrap_or(0)),
        };
        let addresses = host.resolve(port).await?;
        let insists = !matches!(host, Host::Localhost | Host::Any);
        let mut attempt = 1;
        loop {
            match Self::bind_addresses(&addresses, options, insists) {
                Err(EchoError::Listen { source: Cause(source), .. })
                    if port == 0
                        && source.kind() == io::ErrorKind::AddrInUse
                        && attempt < FREE_PORT_ATTEMPTS =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Returns what was bound, in the order of the address.
    pub fn endpoints(&self) -> Vec<(Protocol, Endpoint)> {
        let streams = self.streams.iter().filter_map(StreamListener::endpoint);
        let datagrams = self
            .datagrams
            .iter()
            .filter_map(|socket| Some((Protocol::Udp, socket.local_addr().ok()?.into())));
        streams.chain(datagrams).collect()
    }

    fn bind_addresses(
        addresses: &[SocketAddr],
        options: ListenOptions,
        insists: bool,
    ) -> Result<Self, EchoError> {
        let mut listeners = Self::default();
        // `[::]` alone takes IPv4 too (RFC 3493, 5.3). Beside an IPv4 socket it must not.
        let v6only = addresses.iter().any(SocketAddr::is_ipv4);
        let mut chosen = None;
        for (&address, protocol) in addresses.iter().flat_map(|address| {
            let tcp = options.tcp.then_some((address, Protocol::Tcp));
            tcp.into_iter().chain(options.udp.then_some((address, Protocol::Udp)))
        }) {
            let mut address = address;
            if address.port() == 0 {
                address.set_port(chosen.unwrap_or(0));
            }
            let bound = bind(address, protocol, v6only, options.backlog).and_then(|socket| {
                chosen = socket.local_addr()?.as_socket().map(|local| local.port());
                listeners.take(socket, protocol)
            });
            if let Err(source) = bound {
                let local = Endpoint::from(address);
                if !insists && address.is_ipv6() && is_family_missing(&source) {
                    listeners.skipped.push((protocol, local, Cause(source)));
                } else {
                    return Err(EchoError::Listen { protocol, local, source: Cause(source) });
                }
            }
        }
        Ok(listeners)
    }

    fn take(&mut self, socket: Socket, protocol: Protocol) -> io::Result<()> {
        if protocol == Protocol::Udp {
            self.datagrams.push(UdpSocket::from_std(StdUdpSocket::from(socket))?);
        } else {
            let listener = TcpListener::from_std(StdTcpListener::from(socket))?;
            self.streams.push(StreamListener::Tcp(listener));
        }
        Ok(())
    }

    #[cfg(unix)]
    async fn bind_path(path: &Path, options: ListenOptions) -> Result<Self, EchoError> {
        let (listener, claim) = unix_path::listen(path, options).await?;
        Ok(Self { streams: vec![StreamListener::Unix(listener, claim)], ..Self::default() })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_async, reason = "the same signature on every system")]
    async fn bind_path(_path: &Path, _options: ListenOptions) -> Result<Self, EchoError> {
        Err(EchoError::NoUnixSockets)
    }
}

fn bind(address: SocketAddr, protocol: Protocol, v6only: bool, backlog: u16) -> io::Result<Socket> {
    let is_datagram = protocol == Protocol::Udp;
    let kind = if is_datagram { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(v6only)?;
    }
    // Lets a server restart while connections of the last one are in TIME_WAIT. On Windows the
    // option means something else: to take a port away from its holder.
    if cfg!(unix) && !is_datagram {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    if !is_datagram {
        socket.listen(backlog.into())?;
    }
    Ok(socket)
}

/// Returns whether an IPv6 socket failed for want of IPv6 itself, not for what was asked of it.
pub(crate) fn is_family_missing(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
        && !is_out_of_descriptors(error)
}

impl StreamListener {
    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(listener) => {
                listener.poll_accept(context).map_ok(|(stream, peer)| Accepted::Tcp(stream, peer))
            }
            #[cfg(unix)]
            Self::Unix(listener, claim) => listener
                .poll_accept(context)
                .map_ok(|(stream, _)| Accepted::Unix(stream, claim.endpoint())),
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::Tcp(_) => Protocol::Tcp,
            #[cfg(unix)]
            Self::Unix(..) => Protocol::Unix,
        }
    }

    fn endpoint(&self) -> Option<(Protocol, Endpoint)> {
        match self {
            Self::Tcp(listener) => Some((Protocol::Tcp, listener.local_addr().ok()?.into())),
            #[cfg(unix)]
            Self::Unix(_, claim) => Some((Protocol::Unix, claim.endpoint())),
        }
    }
}

impl fmt::Debug for StreamListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamListener").field(&self.endpoint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    async fn bind(text: &str, options: ListenOptions) -> Result<Listeners, EchoError> {
        Listeners::bind(&text.parse().unwrap(), options).await
    }

    fn ports(listeners: &Listeners) -> Vec<Option<u16>> {
        listeners.endpoints().iter().map(|(_, local)| local.port()).collect()
    }

    #[tokio::test]
    async fn no_host_is_loopback_only() {
        let listeners = bind(":0", ListenOptions::default()).await.unwrap();
        let [(Protocol::Tcp, local)] = &listeners.endpoints()[..] else { panic!("{listeners:?}") };
        assert_eq!(local.address(), Some(Ipv4Addr::LOCALHOST.into()));
    }

    #[tokio::test]
    async fn every_socket_of_localhost_has_the_same_port() {
        let options = ListenOptions { udp: true, ..ListenOptions::default() };
        let listeners = bind("localhost:0", options).await.unwrap();
        let ports = ports(&listeners);
        assert_eq!(ports.len(), 4, "{listeners:?}");
        assert!(ports.iter().all(|port| *port == ports[0] && *port != Some(0)), "{ports:?}");
    }

    #[tokio::test]
    async fn any_is_two_sockets_that_do_not_collide() {
        let listeners = bind("*:0", ListenOptions::default()).await.unwrap();
        let wildcards = listeners.endpoints().iter().filter(|(_, e)| e.is_wildcard()).count();
        assert_eq!(wildcards, 2);
    }

    #[tokio::test]
    async fn the_ipv6_wildcard_alone_takes_ipv4_too() {
        let listeners = bind("[::]:0", ListenOptions::default()).await.unwrap();
        let port = ports(&listeners)[0].unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_its_address() {
        let first = bind("127.0.0.1:0", ListenOptions::default()).await.unwrap();
        let text = first.endpoints()[0].1.to_string();
        let error = bind(&text, ListenOptions::default()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on tcp {text}"));
        assert!(error.hint().unwrap().contains("sockscope list :"), "{error:?}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_with_a_hint() {
        // TEST-NET-1, RFC 5737: nobody's.
        let error = bind("192.0.2.1:0", ListenOptions::default()).await.unwrap_err();
        assert!(error.hint().unwrap().contains("no interface"), "{error:?}");
    }
}
