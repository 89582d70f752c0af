//! Where a lesson plays: the sockets it made, by role, and the listing of exactly those.

mod calls;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use serde::Serialize;
use socket2::{SockAddr, Socket, Type};

use crate::demo::cast::{Program, Role};
use crate::demo::rows::Seen;
use crate::error::{CollectError, cause};
use crate::join::join;
use crate::platform::{Backend, Request, errno, props};
use crate::snapshot::Entry;
use crate::socket::{Cookie, Endpoint, Protocol};

/// A call, and what it returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The program that made it.
    pub program: Program,
    /// The call as a programmer writes it: `connect(client, 127.0.0.1:40001)`.
    pub call: String,
    /// What came back: `0`, `5 bytes: "hello"`, `-1 ECONNREFUSED: connection refused`.
    pub result: String,
}

/// The sockets of a lesson. Dropping it closes them.
#[derive(Debug, Default)]
pub struct Stage {
    open: BTreeMap<Role, Socket>,
    /// Which row is whose. Kept after the socket is closed, for what the kernel still has of it.
    places: Vec<(Place, Role)>,
    /// How many bytes each has sent.
    sent: BTreeMap<Role, usize>,
    /// How many it has received, where a lesson counts them.
    received: BTreeMap<Role, usize>,
    /// What was called since somebody last took it.
    calls: Vec<Call>,
    /// What did not go as the lesson wants it, likewise.
    surprises: Vec<String>,
}

/// Where a row is in the listing: enough to know it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    protocol: Protocol,
    local: SocketAddr,
    /// Absent when unconnected.
    peer: Option<SocketAddr>,
    /// Absent where it is not known: nobody has a descriptor yet, or cookies do not exist here.
    cookie: Option<Cookie>,
}

impl Stage {
    /// Makes a call that the lesson wants to fail with this error.
    ///
    /// # Errors
    ///
    /// None: a call that goes another way is a surprise of the step.
    pub fn fails(
        &mut self,
        wanted: &'static str,
        call: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let happened = match call(self) {
            Ok(()) => "it succeeded".to_owned(),
            Err(error) if errno::name(&error) == Some(wanted) => return Ok(()),
            Err(error) => cause(&error),
        };
        self.surprises.push(format!("expected: the last call fails with {wanted}; {happened}"));
        Ok(())
    }

    /// Returns the calls made since this was last asked, and what of them went another way than the
    /// lesson wants.
    pub fn take_calls(&mut self) -> (Vec<Call>, Vec<String>) {
        (std::mem::take(&mut self.calls), std::mem::take(&mut self.surprises))
    }

    /// Lists exactly the lesson's sockets, in the order they appeared, each with its role.
    ///
    /// # Errors
    ///
    /// When nothing can be listed.
    pub fn look(&self, backend: &mut dyn Backend) -> Result<Seen, CollectError> {
        let mut snapshot = join(backend.collect(&Request::default())?);
        let mut named: Vec<(usize, Role, Entry)> = std::mem::take(&mut snapshot.entries)
            .into_iter()
            .filter_map(|entry| self.role(&entry).map(|(order, role)| (order, role, entry)))
            .collect();
        named.sort_by_key(|(order, ..)| *order);
        let (entries, roles) = named.into_iter().map(|(_, role, entry)| (entry, role)).unzip();
        snapshot.entries = entries;
        Ok(Seen { snapshot, roles, child: None })
    }

    /// Returns what the row is in the lesson, and when that appeared.
    fn role(&self, entry: &Entry) -> Option<(usize, Role)> {
        let socket = &entry.socket;
        let local = address(socket.local.as_ref()?)?;
        let peer = socket.peer.as_ref().and_then(address);
        let is_here = |place: &Place| {
            place.protocol == socket.protocol && place.local == local && place.peer == peer
        };
        let is_it = |place: &Place| place.cookie.is_some() && place.cookie == socket.cookie;
        let known =
            || self.places.iter().enumerate().rev().filter(|(_, (place, _))| is_here(place));
        // Twins have one address, and only the cookie tells them apart. Else the latest wins: a closed
        // socket's port may have been taken again.
        let found = known().find(|(_, (place, _))| is_it(place)).or_else(|| known().next());
        found.map(|(_, (_, role))| (self.first_of(*role), *role))
    }

    /// Returns when a role appeared first: its row keeps its place whatever becomes of its socket.
    fn first_of(&self, role: Role) -> usize {
        self.places.iter().position(|(_, known)| *known == role).unwrap_or_default()
    }

    /// Takes note of a call. What it returns is what the call returned.
    fn note(
        &mut self,
        program: Program,
        call: impl Into<String>,
        result: io::Result<String>,
    ) -> io::Result<()> {
        let words = match &result {
            Ok(words) => words.clone(),
            Err(error) => match errno::name(error) {
                Some(name) => format!("-1 {name}: {}", cause(error)),
                None => format!("-1: {}", cause(error)),
            },
        };
        self.calls.push(Call { program, call: call.into(), result: words });
        result.map(|_| ())
    }

    fn get(&self, role: Role) -> io::Result<&Socket> {
        self.open.get(&role).ok_or_else(|| unknown(role))
    }

    /// Takes note of where the socket is now. A connection that is not made yet has no peer that the
    /// system would tell: then it is given.
    fn remember(&mut self, role: Role, peer: Option<SocketAddr>) -> io::Result<Place> {
        let socket = self.get(role)?;
        let protocol = if socket.r#type()? == Type::DGRAM { Protocol::Udp } else { Protocol::Tcp };
        let local = inet(&socket.local_addr()?)?;
        let place = Place { protocol, local, peer, cookie: props::cookie(socket) };
        self.places.push((place, role));
        Ok(place)
    }

    /// Returns where this role is, or was.
    fn place(&self, role: Role) -> io::Result<Place> {
        let known = self.places.iter().rev().find(|(_, known)| *known == role);
        known.map(|(place, _)| *place).ok_or_else(|| unknown(role))
    }
}

/// Returns the address to compare: an IPv4-mapped one is the IPv4 address.
fn address(endpoint: &Endpoint) -> Option<SocketAddr> {
    Some(SocketAddr::new(endpoint.canonical_address()?, endpoint.port()?))
}

fn unknown(role: Role) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("the lesson has no socket '{role}' now"))
}

/// Returns an address of the system's as one to compare.
fn inet(address: &SockAddr) -> io::Result<SocketAddr> {
    let address = address
        .as_socket()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an IP address"))?;
    Ok(SocketAddr::new(address.ip().to_canonical(), address.port()))
}
