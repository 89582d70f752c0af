//! Binds a socket as a plain program would, to see whether it can, or to hand it over.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use crate::socket::Protocol;

pub(super) use crate::echo::listen::is_family_missing;

/// What helps when an address cannot be bound at all.
pub(super) const NO_SUCH_ADDRESS: &str = "no interface of this machine has that address";

/// What the socket is told before it is bound.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    /// `IPV6_V6ONLY`; the system's default when absent.
    pub(super) v6only: Option<bool>,
    /// `SO_REUSEADDR`.
    pub(super) reuse_address: bool,
}

/// Binds a socket, TCP's or UDP's.
///
/// # Errors
///
/// The system's answer.
pub(super) fn bind(protocol: Protocol, local: SocketAddr, options: Options) -> io::Result<Socket> {
    let kind = if protocol == Protocol::Udp { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(local), kind, None)?;
    if let Some(v6only) = options.v6only {
        socket.set_only_v6(v6only)?;
    }
    if options.reuse_address {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&local.into())?;
    Ok(socket)
}
