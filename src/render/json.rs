//! JSON: the schema `sockscope.list/1` of docs/json.md.
//!
//! The types here are the schema: docs/json.schema.json is generated from them, and a test keeps it
//! true. Fields may be added; none is renamed, retyped or removed within `/1`. A fact that is not
//! known is `null`, so that every row has the same keys; only the fields that hold raw bytes
//! (`…_hex`) and the zone of an address appear just where they say something.
//!
//! Rows are written some at a time: nothing is built up, whatever the number of sockets.

mod writer;

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use self::writer::Writer;
use crate::cgroup::{self, Cgroup, Runtime};
use crate::details::{self, Memory, Shutdown, SocketOption};
use crate::kernel::{self, KernelReason};
use crate::process::{self, ExeState, HiddenReason, Ownership, Parent, Via};
use crate::render::parts;
use crate::snapshot::{Entries, Entry, Gap, Snapshot, Timestamp};
use crate::socket::{
    Endpoint, Family, Interface, Protocol, Queues, SocketType, Timer, netlink_name,
};
use crate::state::TcpState;
use crate::tcp_info::TcpInfo;
use crate::text::Text;

/// The name and version of the schema.
pub const SCHEMA: &str = "sockscope.list/1";

/// A listing of sockets.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct List<'a> {
    /// The name and version of this schema: `sockscope.list/1`.
    pub schema: &'static str,
    /// When the collection began: RFC 3339, UTC.
    #[cfg_attr(feature = "cli", schemars(with = "String"))]
    pub collected_at: Timestamp,
    /// The system it was made on: `linux`, `macos`, `windows`, `freebsd`.
    pub platform: &'a str,
    /// What was asked for and could not be read.
    pub gaps: Vec<Gap>,
    /// The sockets, in the order of the table.
    #[cfg_attr(feature = "cli", schemars(with = "Vec<Socket<'a>>"))]
    pub sockets: Sockets<'a>,
}

impl<'a> List<'a> {
    /// Returns a listing of this picture with these of its rows.
    fn new(snapshot: &'a Snapshot<dyn Entries>, entries: &'a [Entry]) -> Self {
        Self {
            schema: SCHEMA,
            collected_at: snapshot.collected_at,
            platform: &snapshot.platform,
            gaps: snapshot.gaps(),
            sockets: Sockets(entries),
        }
    }
}

/// The rows of a listing, each turned into a [`Socket`] when its turn comes.
#[derive(Debug)]
pub struct Sockets<'a>(pub &'a [Entry]);

impl Serialize for Sockets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Socket::from))
    }
}

/// One socket and whose it is.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Socket<'a> {
    /// The protocol spoken.
    pub protocol: Protocol,
    /// The kernel's own name for the protocol, as in `TCP`, `UDPv6` or `ALG`; absent of all but
    /// `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_name: Option<Cow<'a, str>>,
    /// The address family of the socket; its addresses may be IPv4-mapped on `inet6`.
    pub family: Family,
    /// The type of the socket; null where the protocol has only one.
    #[serde(rename = "type")]
    pub socket_type: Option<SocketType>,
    /// The TCP state: `LISTEN`, `BOUND`, `SYN_SENT`, `SYN_RECV`, `ESTABLISHED`, `CLOSE_WAIT`,
    /// `FIN_WAIT1`, `FIN_WAIT2`, `CLOSING`, `LAST_ACK`, `TIME_WAIT`, `CLOSED`, or `STATE_n` for a
    /// number that is not known. Null where the protocol has no states.
    #[cfg_attr(feature = "cli", schemars(with = "Option<String>"))]
    pub state: Option<TcpState>,
    /// The local end; null when not bound.
    pub local: Option<End<'a>>,
    /// The peer; null when unconnected, and when it is a UNIX socket without a name.
    pub peer: Option<End<'a>>,
    /// Of a UNIX socket: the inode number of its peer. Null when unconnected, and while nobody has
    /// accepted the connection.
    pub peer_inode: Option<u64>,
    /// Of a UNIX socket: every owner and descriptor of its peer, as in `owners`.
    pub peer_owners: Vec<Owner<'a>>,
    /// The queue lengths; null when the source does not tell.
    pub queues: Option<Queues>,
    /// The running TCP timer.
    pub timer: Option<Timer>,
    /// The device the socket is bound to (`SO_BINDTODEVICE`).
    pub interface: Option<Device<'a>>,
    /// Whether an `inet6` socket refuses IPv4 (`IPV6_V6ONLY`).
    pub v6only: Option<bool>,
    /// The service of Windows that made the socket; absent elsewhere, and where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Cow<'a, str>>,
    /// Counters, buffers and options; null where the source does not tell.
    pub details: Option<Details<'a>>,
    /// The inode number of the socket. Null where the kernel has none: TIME_WAIT, not yet accepted.
    pub inode: Option<u64>,
    /// The cookie of the socket (Linux `SO_COOKIE`): never reused while the machine is up.
    pub cookie: Option<u64>,
    /// Of a TCP socket that is a subflow: the cookie of its MPTCP socket. Null for all others, and when
    /// MPTCP's were not read.
    pub subflow_of: Option<u64>,
    /// The network namespace, by the inode number of its `ns/net` link; where that link may not be
    /// read, by the number of its `/proc/PID/net/dev`, which tells namespaces apart as well.
    pub netns: Option<u64>,
    /// The name of that namespace: `host`, its name in `/run/netns`, or as a hint the first process
    /// in it, as `4711/nginx`.
    pub netns_name: Option<Cow<'a, str>>,
    /// The bytes of `netns_name` in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name_hex: Option<String>,
    /// The control group the socket was made in, by the kernel's number: the inode number of its
    /// directory in the unified hierarchy.
    pub cgroup_id: Option<u64>,
    /// The same by name; null also when it was removed since, or was not asked for.
    pub cgroup: Option<Group<'a>>,
    /// The user the socket belongs to. Null when nobody owns it.
    pub uid: Option<u32>,
    /// The name of `uid`.
    pub user: Option<Cow<'a, str>>,
    /// The bytes of `user` in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_hex: Option<String>,
    /// Whose the socket is: `held` (see `owners`), `kernel` (nobody's: the kernel alone keeps it) or
    /// `hidden` (see `ownership_reason`).
    pub ownership: &'static str,
    /// Why the owner is hidden; null when it is not.
    pub ownership_reason: Option<HiddenReason>,
    /// Why the kernel alone has it; null unless `ownership` is `kernel`.
    pub kernel: Option<Kernel<'a>>,
    /// Every owner and descriptor, the main one first; empty unless `ownership` is `held`.
    pub owners: Vec<Owner<'a>>,
}

impl<'a> From<&'a Entry> for Socket<'a> {
    fn from(entry: &'a Entry) -> Self {
        let Entry { socket, ownership, user, netns_name, peer_owners } = entry;
        // The kernel gives 0 to what nobody owns: that is not root.
        let owned = ownership.kernel().is_none();
        let (user, user_hex) = name(user.as_ref().filter(|_| owned));
        let (netns_name, netns_name_hex) = name(netns_name.as_ref());
        Self {
            protocol: socket.protocol,
            protocol_name: socket.rare.protocol_name.as_ref().map(Text::to_lossy),
            family: socket.family,
            socket_type: socket.socket_type,
            state: socket.state,
            local: socket.local.as_ref().map(End::from),
            peer: socket.peer.as_ref().map(End::from),
            peer_inode: socket.rare.peer_inode.map(|inode| inode.0),
            peer_owners: peer_owners.iter().map(Owner::from).collect(),
            queues: socket.queues,
            timer: socket.timer,
            service: socket.rare.service.as_ref().map(Text::to_lossy),
            interface: socket.rare.interface.as_deref().map(Device::from),
            v6only: socket.v6only,
            details: socket.details.as_deref().map(Details::from),
            inode: socket.inode.map(|inode| inode.0),
            cookie: socket.cookie.map(|cookie| cookie.0),
            subflow_of: socket.rare.subflow_of.map(|cookie| cookie.0),
            netns: socket.netns.map(|netns| netns.0),
            netns_name,
            netns_name_hex,
            cgroup_id: socket.cgroup_id.map(|id| id.0),
            cgroup: socket.cgroup.as_deref().map(Group::from),
            uid: socket.uid.filter(|_| owned).map(|uid| uid.0),
            user,
            user_hex,
            ownership: ownership.name(),
            ownership_reason: match ownership {
                Ownership::Hidden(reason) => Some(*reason),
                Ownership::Held(_) | Ownership::Kernel(_) => None,
            },
            kernel: ownership.kernel().map(Kernel::from),
            owners: ownership.owners().iter().map(Owner::from).collect(),
        }
    }
}

/// Why the kernel alone has a socket.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Kernel<'a> {
    /// `time-wait` (what is left of a connection), `orphan` (closed with something left to send or to
    /// wait for), `no-listener` (being opened to a listener that is gone), `netlink` (its own end of a
    /// netlink protocol) or `service` (its own, for one of its services).
    pub reason: &'static str,
    /// The service, by its module or kind of link: `vxlan`, `wireguard`, `nfsd`, …
    pub service: Option<kernel::Service>,
    /// The names of the network links the service has the socket for.
    pub links: Vec<Cow<'a, str>>,
    /// Whether the service is only inferred: nobody holds the socket, it belongs to root, and its port
    /// is the one that the service usually has.
    pub inferred: bool,
}

impl<'a> From<&'a KernelReason> for Kernel<'a> {
    fn from(reason: &'a KernelReason) -> Self {
        let service = reason.service();
        let links = service.map(|service| service.links.as_slice()).unwrap_or_default();
        Self {
            reason: reason.name(),
            service: service.map(|service| service.kind),
            links: links.iter().map(Text::to_lossy).collect(),
            inferred: service.is_some_and(|service| service.is_inferred),
        }
    }
}

/// One end of a socket: an IP address and port, the name of a UNIX socket, or what its family has.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum End<'a> {
    /// An address and port, as the kernel has them: a wildcard is `0.0.0.0` or `::`.
    Inet {
        /// The address.
        address: IpAddr,
        /// The port; 0 where the protocol has none.
        port: u16,
        /// The zone of a link-local IPv6 address.
        #[serde(skip_serializing_if = "Option::is_none")]
        scope: Option<Device<'a>>,
    },
    /// A UNIX socket bound to a path.
    Path {
        /// The path.
        path: Cow<'a, str>,
        /// The bytes of `path` in hexadecimal, where they are not UTF-8.
        #[serde(skip_serializing_if = "Option::is_none")]
        path_hex: Option<String>,
    },
    /// A UNIX socket bound to a name in the abstract namespace.
    Abstract {
        /// The name, without the leading NUL.
        #[serde(rename = "abstract")]
        name: Cow<'a, str>,
        /// The bytes of `abstract` in hexadecimal, where they are not UTF-8.
        #[serde(rename = "abstract_hex", skip_serializing_if = "Option::is_none")]
        hex: Option<String>,
    },
    /// What a packet socket hears.
    Packet {
        /// The kind of frames (`ETH_P_`): 2054 is ARP, 3 stands for all.
        ethertype: u16,
        /// The device they come from; null for all.
        interface: Option<Device<'a>>,
    },
    /// One end of a netlink conversation.
    Netlink {
        /// What it is about, as in `netlink(7)`; null for a number without a name.
        netlink: Option<&'static str>,
        /// The same as a number (`NETLINK_`).
        netlink_protocol: u8,
        /// The port; 0 is the kernel.
        port_id: u32,
    },
    /// One end between a virtual machine and its host.
    Vsock {
        /// The machine: 1 is this one to itself, 2 the host, 4294967295 any.
        cid: u32,
        /// The port; 4294967295 for any.
        port: u32,
    },
    /// The frames an `AF_XDP` socket takes.
    Xdp {
        /// The device they come from.
        interface: Device<'a>,
        /// The queue of that device.
        queue: u32,
    },
}

impl<'a> From<&'a Endpoint> for End<'a> {
    fn from(endpoint: &'a Endpoint) -> Self {
        match endpoint {
            Endpoint::Inet { address, port, scope } => Self::Inet {
                address: *address,
                port: *port,
                scope: scope.as_deref().map(Device::from),
            },
            Endpoint::Path(path) => {
                Self::Path { path: path.to_lossy(), path_hex: path.hex_unless_utf8() }
            }
            Endpoint::Abstract(name) => {
                Self::Abstract { name: name.to_lossy(), hex: name.hex_unless_utf8() }
            }
            Endpoint::Packet { ethertype, interface } => Self::Packet {
                ethertype: *ethertype,
                interface: interface.as_deref().map(Device::from),
            },
            Endpoint::Vsock { cid, port } => Self::Vsock { cid: *cid, port: *port },
            Endpoint::Xdp { interface, queue } => {
                Self::Xdp { interface: Device::from(&**interface), queue: *queue }
            }
            Endpoint::Netlink { protocol, port } => Self::Netlink {
                netlink: netlink_name(*protocol),
                netlink_protocol: *protocol,
                port_id: *port,
            },
        }
    }
}

/// A network interface.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Device<'a> {
    /// The kernel's interface index.
    pub index: u32,
    /// The interface's name; null when the index could not be resolved.
    pub name: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Interface> for Device<'a> {
    fn from(interface: &'a Interface) -> Self {
        Self { index: interface.index, name: interface.name.as_ref().map(Text::to_lossy) }
    }
}

/// What is known of a socket beyond its row.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Details<'a> {
    /// What the kernel counts and measures of a TCP connection.
    pub tcp_info: Option<&'a TcpInfo>,
    /// The memory of its buffers.
    pub memory: Option<Memory>,
    /// Datagrams, or connections of a listener, that were dropped.
    pub drops: Option<u32>,
    /// The congestion control.
    pub congestion: Option<Cow<'a, str>>,
    /// The options that differ from how a new socket has them, of those the kernel tells of.
    pub options: Option<&'a [SocketOption]>,
    /// Which directions were shut down.
    pub shutdown: Option<Shutdown>,
    /// The type of service of IPv4 packets sent.
    pub tos: Option<u8>,
    /// The traffic class of IPv6 packets sent.
    pub traffic_class: Option<u8>,
    /// The mark of packets sent (`SO_MARK`).
    pub mark: Option<u32>,
}

impl<'a> From<&'a details::Details> for Details<'a> {
    fn from(details: &'a details::Details) -> Self {
        Self {
            tcp_info: details.tcp_info.as_deref(),
            memory: details.memory,
            drops: details.drops,
            congestion: details.congestion.as_ref().map(Text::to_lossy),
            options: details.options.as_deref(),
            shutdown: details.shutdown,
            tos: details.tos,
            traffic_class: details.traffic_class,
            mark: details.mark,
        }
    }
}

/// A process that holds a socket, and its descriptor.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Owner<'a> {
    /// The process number.
    pub pid: u32,
    /// Its number in its own PID namespace, as programs in its container know it; null when that is
    /// ours.
    pub nspid: Option<u32>,
    /// The parent's number.
    pub ppid: Option<u32>,
    /// The name a person knows the process by.
    pub command: Option<Cow<'a, str>>,
    /// The bytes of `command` in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_hex: Option<String>,
    /// The kernel's own short name, at most 15 bytes: what lsof and ss print.
    pub comm: Option<Cow<'a, str>>,
    /// The command line; bytes that are not UTF-8 are replaced by U+FFFD.
    pub argv: Option<Vec<Cow<'a, str>>>,
    /// When the process began: RFC 3339, UTC.
    #[cfg_attr(feature = "cli", schemars(with = "Option<String>"))]
    pub started_at: Option<Timestamp>,
    /// How many seconds before `collected_at` that was.
    pub age_seconds: Option<u64>,
    /// The path of the program when it was started.
    pub exe: Option<Cow<'a, str>>,
    /// The bytes of `exe` in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe_hex: Option<String>,
    /// What is at `exe` now: the program itself, no file, or another one.
    pub exe_state: Option<ExeState>,
    /// The working directory; the kernel writes ` (deleted)` behind one that is gone.
    pub cwd: Option<Cow<'a, str>>,
    /// The bytes of `cwd` in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd_hex: Option<String>,
    /// The control group of the process, with its systemd unit and container.
    pub cgroup: Option<Group<'a>>,
    /// The parent, its parent and so on.
    pub parents: Vec<Ancestor<'a>>,
    /// The effective user of the process.
    pub uid: Option<u32>,
    /// The name of that user.
    pub user: Option<Cow<'a, str>>,
    /// The bytes of `user` in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_hex: Option<String>,
    /// The thread whose descriptor table `fd` is in; null when it is the process's table.
    pub tid: Option<u32>,
    /// The descriptor; null when the source does not tell, or the owner is inferred.
    pub fd: Option<u32>,
    /// How the owner was found.
    pub via: Via,
}

impl<'a> From<&'a process::Owner> for Owner<'a> {
    fn from(owner: &'a process::Owner) -> Self {
        let process = &*owner.process;
        let (command, command_hex) = name(process.command.as_ref());
        let (user, user_hex) = name(process.user.as_ref());
        let (exe, exe_hex) = name(process.exe.as_ref().map(|exe| &exe.path));
        let (cwd, cwd_hex) = name(process.cwd.as_ref());
        Self {
            pid: process.pid.0,
            nspid: process.nspid.map(|pid| pid.0),
            ppid: process.ppid.map(|pid| pid.0),
            command,
            command_hex,
            comm: process.comm.as_ref().map(Text::to_lossy),
            argv: process.argv.as_ref().map(|argv| argv.iter().map(Text::to_lossy).collect()),
            started_at: process.started_at,
            age_seconds: process.age.map(|age| age.as_secs()),
            exe,
            exe_hex,
            exe_state: process.exe.as_ref().map(|exe| exe.state),
            cwd,
            cwd_hex,
            cgroup: process.cgroup.as_ref().map(Group::from),
            parents: process.parents.iter().map(Ancestor::from).collect(),
            uid: process.uid.map(|uid| uid.0),
            user,
            user_hex,
            tid: owner.tid.map(|tid| tid.0),
            fd: owner.fd.map(|fd| fd.0),
            via: owner.via,
        }
    }
}

/// An ancestor of a process.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Ancestor<'a> {
    /// The process number.
    pub pid: u32,
    /// The name a person knows the process by; null when it was not read.
    pub command: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Parent> for Ancestor<'a> {
    fn from(parent: &'a Parent) -> Self {
        Self { pid: parent.pid.0, command: parent.command.as_ref().map(Text::to_lossy) }
    }
}

/// A control group, and whose it is by its name.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Group<'a> {
    /// The path from the root of its hierarchy.
    pub path: Cow<'a, str>,
    /// The bytes of `path` in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
    /// The systemd unit.
    pub unit: Option<Cow<'a, str>>,
    /// The unit of a user's own systemd, of which `unit` then is the manager.
    pub user_unit: Option<Cow<'a, str>>,
    /// The container, the innermost one.
    pub container: Option<Container<'a>>,
}

impl<'a> From<&'a Cgroup> for Group<'a> {
    fn from(group: &'a Cgroup) -> Self {
        Self {
            path: group.path.to_lossy(),
            path_hex: group.path.hex_unless_utf8(),
            unit: group.unit.as_ref().map(Text::to_lossy),
            user_unit: group.user_unit.as_ref().map(Text::to_lossy),
            container: group.container.as_ref().map(Container::from),
        }
    }
}

/// A container.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Container<'a> {
    /// What runs it.
    pub runtime: Runtime,
    /// Its number in full, or for LXC, machines, snaps and Flatpaks its name.
    pub id: Cow<'a, str>,
    /// What people call it; null when that could not be read, and where `id` is its name.
    pub name: Option<Cow<'a, str>>,
    /// The uid of its Kubernetes pod.
    pub pod: Option<Cow<'a, str>>,
}

impl<'a> From<&'a cgroup::Container> for Container<'a> {
    fn from(container: &'a cgroup::Container) -> Self {
        Self {
            runtime: container.runtime,
            id: container.id.to_lossy(),
            name: container.name.as_ref().map(Text::to_lossy),
            pod: container.pod.as_ref().map(Text::to_lossy),
        }
    }
}

/// Returns a name as JSON can hold it, and its bytes where that loses some.
pub(super) fn name(text: Option<&Text>) -> (Option<Cow<'_, str>>, Option<String>) {
    (text.map(Text::to_lossy), text.and_then(Text::hex_unless_utf8))
}

/// Writes the listing as one indented object.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(snapshot: &Snapshot<dyn Entries>, out: &mut dyn Write) -> io::Result<()> {
    // The rows are rendered by themselves; this is what stands around them.
    let frame = serde_json::to_string_pretty(&List::new(snapshot, &[]))?;
    out.write_all(frame.trim_end_matches(['}', '\n', ']']).as_bytes())?;
    let entries = &snapshot.entries;
    parts::write(entries.count(), out, |places, bytes| {
        for (place, entry) in places.clone().zip(entries.some(places).iter()) {
            bytes.extend(if place == 0 { "\n    " } else { ",\n    " }.as_bytes());
            Socket::from(entry).serialize(Writer::indented(bytes, 2))?;
        }
        Ok(())
    })?;
    out.write_all(if entries.count() == 0 { b"]\n}\n" } else { b"\n  ]\n}\n" })?;
    out.flush()
}

/// Writes one socket a line, and nothing else: each line is an element of `sockets` in the listing.
/// What could not be read is said on stderr only.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_lines(snapshot: &Snapshot<dyn Entries>, out: &mut dyn Write) -> io::Result<()> {
    let entries = &snapshot.entries;
    parts::write(entries.count(), out, |places, bytes| {
        for entry in entries.some(places).iter() {
            Socket::from(entry).serialize(Writer::compact(bytes))?;
            bytes.push(b'\n');
        }
        Ok(())
    })?;
    out.flush()
}

/// Returns the JSON Schema of a listing, indented.
#[cfg(feature = "cli")]
pub fn schema() -> String {
    schema_of::<List<'static>>()
}

/// Returns the JSON Schema of what a type is written as, indented.
#[cfg(feature = "cli")]
pub(crate) fn schema_of<Written: schemars::JsonSchema>() -> String {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = generator.into_generator().into_root_schema_for::<Written>();
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
#[cfg(feature = "cli")]
pub(crate) mod conformance;

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests;
