//! Where a lesson plays: the sockets it made, by name, and the listing of exactly those.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};

use serde::Serialize;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::CollectError;
use crate::join::join;
use crate::platform::{Backend, Request};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, Protocol};

/// A call, and what it returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The call as a programmer writes it: `connect(client, 127.0.0.1:40001)`.
    pub call: String,
    /// What came back: `0`, `5 bytes: "hello"`.
    pub result: String,
}

/// The sockets of a lesson. Dropping it closes them.
#[derive(Debug, Default)]
pub struct Stage {
    open: BTreeMap<&'static str, Socket>,
    /// Which row is whose. Kept after the socket is closed, for what the kernel still has of it.
    places: Vec<(Place, &'static str)>,
    /// What was called since somebody last took it.
    calls: Vec<Call>,
}

/// Where a row is in the listing: enough to know it again on loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    protocol: Protocol,
    port: u16,
    /// Absent when unconnected.
    peer: Option<u16>,
}

/// The calls a lesson can make. Each fails as the system answers.
impl Stage {
    /// Calls `socket()` for TCP; the socket is called `name` from now on.
    pub fn tcp(&mut self, name: &'static str) -> io::Result<()> {
        self.socket(name, Type::STREAM, "SOCK_STREAM")
    }

    /// Calls `socket()` for UDP; the socket is called `name` from now on.
    pub fn udp(&mut self, name: &'static str) -> io::Result<()> {
        self.socket(name, Type::DGRAM, "SOCK_DGRAM")
    }

    fn socket(&mut self, name: &'static str, kind: Type, word: &str) -> io::Result<()> {
        self.open.insert(name, Socket::new(Domain::IPV4, kind, None)?);
        self.note(format!("{name} = socket(AF_INET, {word})"), "a new descriptor");
        Ok(())
    }

    /// Calls `bind()` with loopback and port 0: the kernel picks a free port.
    pub fn bind(&mut self, name: &'static str) -> io::Result<()> {
        self.get(name)?.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let place = self.remember(name)?;
        self.note(
            format!("bind({name}, 127.0.0.1:0)"),
            format!("0; the kernel chose port {}", place.port),
        );
        Ok(())
    }

    /// Calls `listen()`.
    pub fn listen(&mut self, name: &'static str, backlog: i32) -> io::Result<()> {
        self.get(name)?.listen(backlog)?;
        self.note(format!("listen({name}, {backlog})"), "0");
        Ok(())
    }

    /// Calls `connect()` to where `to` is bound. For TCP, `server` is what the connection's other end
    /// is called: its row appears before anybody accepts it.
    pub fn connect(
        &mut self,
        name: &'static str,
        to: &'static str,
        server: Option<&'static str>,
    ) -> io::Result<()> {
        let target = self.get(to)?.local_addr()?;
        self.get(name)?.connect(&target)?;
        let Place { protocol, port: own, .. } = self.remember(name)?;
        let peer = port(&target)?;
        if let Some(server) = server {
            self.places.push((Place { protocol, port: peer, peer: Some(own) }, server));
        }
        self.note(format!("connect({name}, 127.0.0.1:{peer})"), format!("0; from port {own}"));
        Ok(())
    }

    /// Calls `accept()`; the new socket is called `name`.
    pub fn accept(&mut self, name: &'static str, listener: &'static str) -> io::Result<()> {
        let (socket, peer) = self.get(listener)?.accept()?;
        self.open.insert(name, socket);
        let peer = port(&peer)?;
        self.note(
            format!("{name} = accept({listener})"),
            format!("a new descriptor; the peer is 127.0.0.1:{peer}"),
        );
        Ok(())
    }

    /// Calls `send()`.
    pub fn send(&mut self, name: &'static str, text: &str) -> io::Result<()> {
        let sent = self.get(name)?.send(text.as_bytes())?;
        self.note(format!("send({name}, {text:?})"), bytes(sent));
        Ok(())
    }

    /// Calls `sendto()` with the address of `to`.
    pub fn send_to(&mut self, name: &'static str, to: &'static str, text: &str) -> io::Result<()> {
        let target = self.get(to)?.local_addr()?;
        let sent = self.get(name)?.send_to(text.as_bytes(), &target)?;
        self.note(format!("sendto({name}, {text:?}, 127.0.0.1:{})", port(&target)?), bytes(sent));
        Ok(())
    }

    /// Calls `recv()`.
    pub fn recv(&mut self, name: &'static str) -> io::Result<()> {
        let mut socket = self.get(name)?;
        // A lesson ends even when the promised bytes never come.
        socket.set_read_timeout(Some(super::PATIENCE))?;
        let mut buffer = [0; 1024];
        let read = socket.read(&mut buffer)?;
        let text = buffer.get(..read).map(String::from_utf8_lossy).unwrap_or_default();
        let result = match read {
            0 => "0 bytes: the peer has closed".to_owned(),
            _ => format!("{}: {text:?}", bytes(read)),
        };
        self.note(format!("recv({name})"), result);
        Ok(())
    }

    /// Calls `close()`.
    pub fn close(&mut self, name: &'static str) -> io::Result<()> {
        drop(self.open.remove(name).ok_or_else(|| unknown(name))?);
        self.note(format!("close({name})"), "0");
        Ok(())
    }

    /// Returns the calls made since this was last asked.
    pub fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    fn note(&mut self, call: impl Into<String>, result: impl Into<String>) {
        self.calls.push(Call { call: call.into(), result: result.into() });
    }

    fn get(&self, name: &str) -> io::Result<&Socket> {
        self.open.get(name).ok_or_else(|| unknown(name))
    }

    /// Takes note of where the socket is now.
    fn remember(&mut self, name: &'static str) -> io::Result<Place> {
        let socket = self.get(name)?;
        let protocol = if socket.r#type()? == Type::DGRAM { Protocol::Udp } else { Protocol::Tcp };
        let peer = socket.peer_addr().ok().map(|peer| port(&peer)).transpose()?;
        let place = Place { protocol, port: port(&socket.local_addr()?)?, peer };
        self.places.push((place, name));
        Ok(place)
    }
}

impl Stage {
    /// Lists exactly the lesson's sockets, in the order they appeared, each with its name.
    ///
    /// # Errors
    ///
    /// When nothing can be listed.
    pub fn look(
        &self,
        backend: &mut dyn Backend,
    ) -> Result<(Snapshot, Vec<&'static str>), CollectError> {
        let mut snapshot = join(backend.collect(&Request::default())?);
        let mut named: Vec<(usize, &'static str, Entry)> = std::mem::take(&mut snapshot.entries)
            .into_iter()
            .filter_map(|entry| self.role(&entry).map(|(order, role)| (order, role, entry)))
            .collect();
        named.sort_by_key(|(order, ..)| *order);
        let (entries, roles) = named.into_iter().map(|(_, role, entry)| (entry, role)).unzip();
        snapshot.entries = entries;
        Ok((snapshot, roles))
    }

    /// Returns what the row is in the lesson, and when that appeared.
    fn role(&self, entry: &Entry) -> Option<(usize, &'static str)> {
        let local = entry.socket.local.as_ref()?;
        let place = Place {
            protocol: entry.socket.protocol,
            port: local.port()?,
            peer: entry.socket.peer.as_ref().and_then(Endpoint::port),
        };
        let known = self
            .places
            .iter()
            .enumerate()
            .filter(|_| local.address() == Some(Ipv4Addr::LOCALHOST.into()));
        // The latest wins: a closed socket's port may have been taken again.
        known.rev().find(|(_, (known, _))| *known == place).map(|(order, (_, role))| (order, *role))
    }
}

fn bytes(count: usize) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

fn unknown(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("the lesson has no open socket '{name}'"))
}

fn port(address: &SockAddr) -> io::Result<u16> {
    address
        .as_socket()
        .map(|address| address.port())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an IP address"))
}
