//! The JSON of a port's report: the schema `sockscope.port/1` of docs/json.md.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use crate::port::forward::{Local, Place};
use crate::port::{Forwarded, Listener, PeerGroup, PortReport};
#[cfg(feature = "cli")]
use crate::render::json::schema_of;
use crate::render::json::{Device, Owner, Socket, name};
use crate::render::port::{verdicts, who_answers};
use crate::snapshot::{Entry, Gap, Snapshot, Timestamp};
use crate::socket::Protocol;

/// The name and version of the schema.
pub const SCHEMA: &str = "sockscope.port/1";

/// All about one port.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Port<'a> {
    /// The name and version of this schema: `sockscope.port/1`.
    pub schema: &'static str,
    /// When the collection began: RFC 3339, UTC.
    #[cfg_attr(feature = "cli", schemars(with = "String"))]
    pub collected_at: Timestamp,
    /// The system it was made on.
    pub platform: &'a str,
    /// The port.
    pub port: u16,
    /// What the system's file of services calls the port: a hint, not what runs there.
    pub services: Vec<Service<'a>>,
    /// What was asked for and could not be read.
    pub gaps: Vec<Gap>,
    /// The report.
    #[serde(flatten)]
    pub within: Within<'a>,
    /// The same of every other network namespace in which something has the port.
    pub elsewhere: Vec<Within<'a>>,
}

/// All about the port in one network namespace.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Within<'a> {
    /// The network namespace; null where the system has none.
    pub netns: Option<u64>,
    /// Its name.
    pub netns_name: Option<Cow<'a, str>>,
    /// The bytes of `netns_name` in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name_hex: Option<String>,
    /// Whether anybody holds the port in it.
    pub held: bool,
    /// Who holds it, in a sentence a protocol.
    pub verdicts: Vec<String>,
    /// Which of several listeners answers at which address, in sentences; empty where that is plain.
    pub who_answers: Vec<String>,
    /// TCP listeners and unconnected UDP sockets.
    pub listeners: Vec<Listening<'a>>,
    /// TCP sockets that hold the port, neither listening nor connected.
    pub bound: Vec<Socket<'a>>,
    /// Connections whose end here has the port, by the peer's address, the busiest first.
    pub connections: Vec<Peer<'a>>,
    /// Connections from here to that port elsewhere.
    pub clients: Vec<Peer<'a>>,
    /// What the kernel keeps after its owner closed it: TIME_WAIT and orphans, at either end.
    pub left_over: Vec<Socket<'a>>,
    /// What is forwarded from and to the port: inferred from command lines.
    pub forwards: Vec<Forwarding<'a>>,
}

/// The name of the port in one protocol.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Service<'a> {
    /// The protocol.
    pub protocol: Protocol,
    /// The name.
    pub name: &'a str,
}

/// A listener.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Listening<'a> {
    /// The socket.
    pub socket: Socket<'a>,
    /// How many more sockets listen at exactly this address.
    pub twins: usize,
}

/// The connections with one peer address.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Peer<'a> {
    /// The peer's address, IPv4-mapped as IPv4.
    pub peer: IpAddr,
    /// The link of a link-local address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Device<'a>>,
    /// The connections.
    pub connections: Vec<Pair<'a>>,
}

/// Both ends of a connection.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Pair<'a> {
    /// This end.
    pub socket: Socket<'a>,
    /// The other end, when it is on this machine.
    pub other: Option<Socket<'a>>,
}

/// A process that forwards, by its own command line.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Forwarding<'a> {
    /// The tool: `docker-proxy`, `ssh`, `kubectl`, `socat`, …
    pub tool: &'static str,
    /// Where it listens.
    pub from: PlaceOf<'a>,
    /// Where it forwards to.
    pub to: PlaceOf<'a>,
    /// The process.
    pub owner: Owner<'a>,
}

/// One end of a forwarding.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct PlaceOf<'a> {
    /// In words, from the command line.
    pub text: Cow<'a, str>,
    /// The port of this machine it is; null when it is elsewhere or not said.
    pub port: Option<u16>,
}

impl<'a> From<&'a Place> for PlaceOf<'a> {
    fn from(place: &'a Place) -> Self {
        let port = match place.port {
            Local::Port(port) => Some(port),
            Local::Some | Local::No => None,
        };
        Self { text: place.text.as_str().into(), port }
    }
}

impl<'a> Port<'a> {
    /// Returns the report as JSON has it.
    pub fn new(
        report: &'a PortReport,
        snapshot: &'a Snapshot,
        services: &'a [(Protocol, String)],
    ) -> Self {
        Self {
            schema: SCHEMA,
            collected_at: snapshot.collected_at,
            platform: &snapshot.platform,
            port: report.port,
            services: services
                .iter()
                .map(|(protocol, name)| Service { protocol: *protocol, name })
                .collect(),
            gaps: snapshot.gaps(),
            within: Within::from(report),
            elsewhere: report.elsewhere.iter().map(Within::from).collect(),
        }
    }
}

impl<'a> From<&'a PortReport> for Within<'a> {
    fn from(report: &'a PortReport) -> Self {
        let sockets = |entries: &'a [Entry]| entries.iter().map(Socket::from).collect();
        let (netns_name, netns_name_hex) =
            name(report.netns.as_ref().and_then(|netns| netns.name.as_ref()));
        Self {
            netns: report.netns.as_ref().map(|netns| netns.id.0),
            netns_name,
            netns_name_hex,
            held: report.is_held(),
            verdicts: verdicts(report),
            who_answers: who_answers(report),
            listeners: report.listeners.iter().map(Listening::from).collect(),
            bound: sockets(&report.bound),
            connections: report.connections.iter().map(Peer::from).collect(),
            clients: report.clients.iter().map(Peer::from).collect(),
            left_over: sockets(&report.left_over),
            forwards: report.forwards.iter().map(Forwarding::from).collect(),
        }
    }
}

impl<'a> From<&'a Listener> for Listening<'a> {
    fn from(listener: &'a Listener) -> Self {
        Self { socket: Socket::from(&listener.entry), twins: listener.twins }
    }
}

impl<'a> From<&'a PeerGroup> for Peer<'a> {
    fn from(group: &'a PeerGroup) -> Self {
        let pair = |connection: &'a crate::port::Connection| Pair {
            socket: Socket::from(&connection.entry),
            other: connection.other.as_ref().map(Socket::from),
        };
        let scope = group.scope.as_ref().map(Device::from);
        Self { peer: group.peer, scope, connections: group.connections.iter().map(pair).collect() }
    }
}

impl<'a> From<&'a Forwarded> for Forwarding<'a> {
    fn from(Forwarded { owner, forward }: &'a Forwarded) -> Self {
        Self {
            tool: forward.tool,
            from: PlaceOf::from(&forward.from),
            to: PlaceOf::from(&forward.to),
            owner: Owner::from(owner),
        }
    }
}

/// Writes the report as one indented object. The snapshot is the one it was made of.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    report: &PortReport,
    snapshot: &Snapshot,
    services: &[(Protocol, String)],
    out: &mut dyn Write,
) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Port::new(report, snapshot, services))?;
    out.write_all(b"\n")
}

/// Returns the JSON Schema of a port's report, indented.
#[cfg(feature = "cli")]
pub fn schema() -> String {
    schema_of::<Port<'static>>()
}
