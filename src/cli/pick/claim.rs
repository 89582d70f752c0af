//! Takes hold of a port, if it is free.
//!
//! The lock comes first, the sockets after it: whoever has the lock is the only pick that tries the
//! port, so two that meet cannot both see it taken, and neither both see it free. A pick whose command
//! is going to bind the port closes its sockets and lets the command inherit the lock; one that hands
//! its socket over needs the lock no longer, because the socket itself keeps others away.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use socket2::{Domain, Socket, Type};

use crate::cli::error::Failure;
use crate::echo::listen::is_family_missing;
use crate::platform::limits::NO_SUCH_ADDRESS_HINT;
use crate::platform::port_lock::PortLock;
use crate::socket::Protocol;

/// What a port must be free for.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) protocols: Vec<Protocol>,
    /// `None` for every address.
    pub(super) address: Option<IpAddr>,
    /// Whether a socket is to be handed over, and at which address.
    pub(super) hands_over: Option<IpAddr>,
}

/// A port that is ours.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) port: u16,
    pub(super) lock: PortLock,
    /// Bound, not listening: what is to be handed over, or what was bound to see that it can be.
    pub(super) sockets: Vec<(Protocol, Socket)>,
}

/// Why a port cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// Some socket has it, or had it and is not forgotten yet.
    Held,
    /// It takes privilege, or the system keeps it.
    Forbidden,
    /// Another pick has it reserved for a command.
    Reserved,
}

impl Refusal {
    pub(super) const ALL: [Self; 3] = [Self::Held, Self::Forbidden, Self::Reserved];

    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Forbidden => "not permitted",
            Self::Reserved => "reserved by another sockscope pick",
        }
    }
}

/// Takes hold of the port.
///
/// # Errors
///
/// When it is not the port that is the matter: no such address, no descriptors, no lock.
pub(super) fn claim(port: u16, wish: &Wish) -> anyhow::Result<Result<Claim, Refusal>> {
    let Some(lock) = PortLock::take(port).context("cannot lock a port")? else {
        return Ok(Err(Refusal::Reserved));
    };
    let sockets = match wish.address {
        Some(address) => bind_all(port, &wish.protocols, &[address])?,
        None => bind_all(port, &wish.protocols, &EVERYWHERE)?,
    };
    let sockets = match (sockets, wish.hands_over) {
        (Ok(everywhere), Some(address)) if wish.address.is_none() => {
            // An address cannot be bound beside its wildcard: between the two the port is guarded by
            // the lock alone.
            drop(everywhere);
            bind_all(port, &wish.protocols, &[address])?
        }
        (sockets, _) => sockets,
    };
    Ok(sockets.map(|sockets| Claim { port, lock, sockets }))
}

const EVERYWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

/// Binds a socket of each protocol at each of the addresses.
fn bind_all(
    port: u16,
    protocols: &[Protocol],
    addresses: &[IpAddr],
) -> Result<Result<Vec<(Protocol, Socket)>, Refusal>, Failure> {
    let mut sockets = Vec::new();
    for (&protocol, &address) in
        protocols.iter().flat_map(|protocol| addresses.iter().map(move |at| (protocol, at)))
    {
        let local = SocketAddr::new(address, port);
        // Beside the IPv4 wildcard, IPv6's must leave IPv4 alone.
        let v6only = (addresses.len() > 1 && address.is_ipv6()).then_some(true);
        let error = match bind(protocol, local, v6only) {
            Ok(socket) => {
                sockets.push((protocol, socket));
                continue;
            }
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::AddrInUse {
            return Ok(Err(Refusal::Held));
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            return Ok(Err(Refusal::Forbidden));
        } else if v6only.is_none() || !is_family_missing(&error) {
            let is_elsewhere = error.kind() == io::ErrorKind::AddrNotAvailable;
            let failure = Failure::new(format!("cannot bind {protocol} {local}")).because(error);
            return Err(if is_elsewhere { failure.hint(NO_SUCH_ADDRESS_HINT) } else { failure });
        }
    }
    Ok(Ok(sockets))
}

/// Binds a socket as a program does that sets no options, but for `IPV6_V6ONLY` where that is given.
fn bind(protocol: Protocol, local: SocketAddr, v6only: Option<bool>) -> io::Result<Socket> {
    let kind = if protocol == Protocol::Udp { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(local), kind, None)?;
    if let Some(v6only) = v6only {
        socket.set_only_v6(v6only)?;
    }
    socket.bind(&local.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(address: Option<IpAddr>) -> Wish {
        let protocols = vec![Protocol::Tcp, Protocol::Udp];
        Wish { protocols, address, hands_over: None }
    }

    #[test]
    fn a_port_that_is_held_is_not_free() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(claim(port, &wish(None)).unwrap().unwrap_err(), Refusal::Held);
    }

    #[test]
    fn an_address_of_another_machine_is_no_ports_fault() {
        // TEST-NET-1, RFC 5737: nobody's.
        let wish = wish(Some(Ipv4Addr::new(192, 0, 2, 1).into()));
        // The first port that no other pick, of another test, has reserved in this instant.
        let is_reserved = |answer: &anyhow::Result<_>| matches!(answer, Ok(Err(Refusal::Reserved)));
        let mut answers = (4000..5000).map(|port| (port, claim(port, &wish)));
        let (port, answer) = answers.find(|(_, answer)| !is_reserved(answer)).unwrap();
        let error = answer.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot bind tcp 192.0.2.1:{port}")), "{error}");
    }
}
