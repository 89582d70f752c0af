//! Where a lesson plays: the sockets it made, by role, and the listing of exactly those.

mod calls;
mod unix;
mod why;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use serde::Serialize;
use socket2::{SockAddr, Socket, Type};

pub use self::calls::At;
use crate::demo::cast::{Program, Role};
use crate::demo::code;
use crate::demo::rows::Seen;
use crate::demo::stage::wire::{Crossing, Wire};
use crate::demo::syscall::{Invocation, Kind, Syscall};
use crate::error::{CollectError, cause};
use crate::join::join;
use crate::platform::props::{self, Child};
use crate::platform::{Backend, NetnsWish, Request, errno};
use crate::process::Pid;
use crate::snapshot::Entry;
use crate::socket::{Cookie, Endpoint, Family, Inode, Protocol};

/// What a system answers where Linux, whose answer the lessons name, has another word: seen under Wine.
const ANSWERS: &[(&str, &str, &str)] = &[("windows", "EPIPE", "ECONNRESET")];

/// A call, and what it returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Call {
    /// The program that made it.
    pub program: Program,
    /// The call as a programmer writes it: `connect(client, 127.0.0.1:40001)`.
    pub call: String,
    /// What came back: `0`, `5 bytes: "hello"`, `-1 ECONNREFUSED: connection refused`.
    pub result: String,
    /// The call as data: [`super::code::code`] writes it in a language.
    #[serde(skip)]
    pub invocation: Invocation,
    /// What crossed between the programs because of it, in this order; absent when nothing did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crossed: Vec<Crossing>,
}

/// The sockets of a lesson. Dropping it closes them.
#[derive(Debug, Default)]
pub struct Stage {
    open: BTreeMap<Role, Socket>,
    /// What each is.
    kinds: BTreeMap<Role, Kind>,
    /// Those whose calls return at once.
    nonblocking: BTreeSet<Role>,
    /// Which row is whose. Kept after the socket is closed, for what the kernel still has of it.
    places: Vec<(Place, Role)>,
    /// How many bytes each has sent.
    sent: BTreeMap<Role, usize>,
    /// How many it has received, where a lesson counts them.
    received: BTreeMap<Role, usize>,
    /// The server's child, while it has one.
    child: Option<Child>,
    /// What its UNIX sockets are called, once one is.
    name: Option<String>,
    /// Files to be removed at the end.
    files: Vec<unix::Removed>,
    /// The ports that clients may have, where a lesson makes them few.
    range: Option<RangeInclusive<u16>>,
    /// What the calls make cross.
    wire: Wire,
    /// What was called since somebody last took it.
    calls: Vec<Call>,
    /// Whether the lesson wants the call it makes now to fail.
    is_to_fail: bool,
    /// What did not go as the lesson wants it, likewise.
    surprises: Vec<String>,
}

/// What tells a row from all others in the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Its addresses; absent for a UNIX socket, which is known by its numbers.
    inet: Option<Inet>,
    /// Absent where it is not known: nobody has a descriptor yet, or cookies do not exist here.
    cookie: Option<Cookie>,
    /// The same of its inode, for listings without cookies.
    inode: Option<Inode>,
    /// Whether it is in the child's network namespace.
    elsewhere: bool,
}

impl Place {
    /// Returns the place of a socket of which only the addresses are known.
    const fn at(inet: Inet) -> Self {
        Self { inet: Some(inet), cookie: None, inode: None, elsewhere: false }
    }
}

/// Where a socket of IP is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inet {
    protocol: Protocol,
    local: SocketAddr,
    /// Absent when unconnected.
    peer: Option<SocketAddr>,
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
        let other =
            ANSWERS.iter().find(|(system, of, _)| *system == props::SYSTEM && *of == wanted);
        let wanted = other.map_or(wanted, |(.., here)| here);
        self.is_to_fail = true;
        let called = call(self);
        self.is_to_fail = false;
        let happened = match called {
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
        let mut request = Request::default();
        if self.places.iter().any(|(place, _)| place.inet.is_none()) {
            request.protocols.push(Protocol::Unix);
            request.families.push(Family::Unix);
        }
        let mut snapshot = join(backend.collect(&request)?);
        let mut named = self.named(std::mem::take(&mut snapshot.entries), false);
        let child = self.child();
        if let Some(child) = child
            && self.places.iter().any(|(place, _)| place.elsewhere)
        {
            let there = Request { netns: NetnsWish::Of(child), ..Request::default() };
            let there = join(backend.collect(&there)?);
            named.extend(self.named(there.entries, true));
            snapshot.unread.extend(there.unread);
        }
        named.sort_by_key(|(order, ..)| *order);
        let (entries, roles) = named.into_iter().map(|(_, role, entry)| (entry, role)).unzip();
        snapshot.entries = entries;
        Ok(Seen { snapshot, roles, child })
    }

    /// Returns the rows that are of the lesson, each with its role and when that appeared.
    fn named(&self, entries: Vec<Entry>, elsewhere: bool) -> Vec<(usize, Role, Entry)> {
        let named = |entry: Entry| {
            let role = self.role(&entry, elsewhere)?;
            Some((self.first_of(role), role, entry))
        };
        entries.into_iter().filter_map(named).collect()
    }

    /// Returns what the row is in the lesson.
    fn role(&self, entry: &Entry, elsewhere: bool) -> Option<Role> {
        let socket = &entry.socket;
        let inet = if socket.protocol == Protocol::Unix {
            None
        } else {
            let local = address(socket.local.as_ref()?)?;
            let peer = socket.peer.as_ref().and_then(address);
            Some(Inet { protocol: socket.protocol, local, peer })
        };
        let is_it = |place: &Place| match socket.cookie {
            Some(_) => place.cookie == socket.cookie,
            None => socket.inode.is_some() && place.inode == socket.inode,
        };
        let known = || {
            let here = |place: &Place| place.inet == inet && place.elsewhere == elsewhere;
            self.places.iter().rev().filter(move |(place, _)| here(place))
        };
        // Twins have one address, and only these numbers tell them apart. Else the latest wins: a closed
        // socket's port may have been taken again. A UNIX socket has no other mark.
        let latest = || known().next().filter(|_| inet.is_some());
        known().find(|(place, _)| is_it(place)).or_else(latest).map(|(_, role)| *role)
    }

    /// Returns when a role appeared first: its row keeps its place whatever becomes of its socket.
    fn first_of(&self, role: Role) -> usize {
        self.places.iter().position(|(_, known)| *known == role).unwrap_or_default()
    }

    /// Takes note of a call on a socket. What it returns is what the call returned.
    fn note(&mut self, role: Role, call: Syscall, result: io::Result<String>) -> io::Result<()> {
        let kind = self.kinds.get(&role).copied().unwrap_or_default();
        let invocation = Invocation { socket: Some(role), kind, syscall: call };
        self.note_of(role.program, invocation, result)
    }

    /// Takes note of a call that is about no socket.
    fn note_plain(
        &mut self,
        program: Program,
        call: Syscall,
        result: io::Result<String>,
    ) -> io::Result<()> {
        let invocation = Invocation { socket: None, kind: Kind::default(), syscall: call };
        self.note_of(program, invocation, result)
    }

    fn note_of(
        &mut self,
        program: Program,
        invocation: Invocation,
        result: io::Result<String>,
    ) -> io::Result<()> {
        let words = match &result {
            Ok(words) => words.clone(),
            Err(error) => match errno::name(error) {
                Some(name) => format!("-1 {name}: {}", cause(error)),
                None => format!("-1: {}", cause(error)),
            },
        };
        let call = code::manual(&invocation);
        let crossed = self.wire.take();
        self.calls.push(Call { program, call, result: words, invocation, crossed });
        result.map(|_| ())
    }

    fn get(&self, role: Role) -> io::Result<&Socket> {
        self.open.get(&role).ok_or_else(|| unknown(role))
    }

    /// Takes note of where the socket is now. A connection that is not made yet has no peer that the
    /// system would tell: then it is given.
    fn remember(&mut self, role: Role, peer: Option<SocketAddr>) -> io::Result<()> {
        let socket = self.get(role)?;
        let protocol = if socket.r#type()? == Type::DGRAM { Protocol::Udp } else { Protocol::Tcp };
        let local = socket.local_addr()?;
        let inet = inet(&local).ok().map(|local| Inet { protocol, local, peer });
        let (cookie, inode) = (props::cookie(socket), props::inode(socket));
        let place = Place { inet, cookie, inode, elsewhere: false };
        self.places.push((place, role));
        Ok(())
    }

    /// Returns the address that this role has, or had.
    ///
    /// # Errors
    ///
    /// When the lesson has no such socket.
    pub fn address(&self, role: Role) -> io::Result<SocketAddr> {
        self.place(role).map(|place| place.local)
    }

    /// Returns the number of the server's child, while it has one.
    pub fn child(&self) -> Option<Pid> {
        self.child.as_ref().map(Child::pid)
    }

    /// Returns the socket that has, or had, this address, the latest first.
    fn at(&self, address: SocketAddr) -> Option<Role> {
        let is_it = |place: &Place| place.inet.is_some_and(|inet| inet.local == address);
        self.places.iter().rev().find(|(place, _)| is_it(place)).map(|(_, role)| *role)
    }

    /// Returns where on the network this role is, or was.
    fn place(&self, role: Role) -> io::Result<Inet> {
        let known = self.places.iter().rev().find(|(_, known)| *known == role);
        known.and_then(|(place, _)| place.inet).ok_or_else(|| unknown(role))
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
