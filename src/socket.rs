//! One kernel socket and the words for its parts: protocol, family, ends, queues, identity.
//!
//! Plain values only. Nothing here asks the system; who owns a socket is in [`crate::process`].

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::details::Details;
use crate::rare::{Empty, Rare};
use crate::state::TcpState;
use crate::text::Text;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        // At any address, so that one that may be absent takes one byte more, not twice the room: a
        // machine may have 100,000 sockets, and each has several.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[repr(Rust, packed)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self(number) = *self;
                number.fmt(f)
            }
        }
    };
}
pub(crate) use number;

number! {
    /// The backend's join key: unique within one collection, meaningless outside it.
    SocketId(u64)
}
number! {
    /// The socket's inode number in the kernel's socket filesystem (Linux); on macOS and FreeBSD, which
    /// have none, the handle by which the kernel tells it from all others. Reused over time.
    Inode(u64)
}
number! {
    /// The socket's 64-bit cookie (Linux `SO_COOKIE`; on macOS and FreeBSD the generation of its control
    /// block, and its protocol): never reused while the machine is up.
    Cookie(u64)
}
number! {
    /// A control group of the unified hierarchy (`cgroups(7)`), by the kernel's 64-bit number: the
    /// inode number of its directory.
    CgroupId(u64)
}
number! {
    /// A network namespace: the inode number of its `ns/net` link (`namespaces(7)`).
    NetnsId(u64)
}

/// The protocol spoken on a socket, in the words of the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Protocol {
    /// Transmission Control Protocol, RFC 9293.
    Tcp,
    /// Multipath TCP, RFC 8684: one connection over several of TCP's, its subflows.
    Mptcp,
    /// User Datagram Protocol, RFC 768.
    Udp,
    /// Lightweight UDP, RFC 3828.
    Udplite,
    /// Stream Control Transmission Protocol, RFC 9260. Its states are those of TCP that are nearest.
    Sctp,
    /// ICMP echo, `icmp(7)`: an end's port is the identifier.
    Icmp,
    /// Raw IP, `raw(7)`.
    Raw,
    /// UNIX domain, `unix(7)`.
    Unix,
    /// Frames as they are on the wire, `packet(7)`.
    Packet,
    /// Messages with the kernel, `netlink(7)`.
    Netlink,
    /// Between a virtual machine and its host, `vsock(7)`.
    Vsock,
    /// Frames past most of the kernel, `AF_XDP` (linux/Documentation/networking/af_xdp.rst).
    Xdp,
    /// Whatever is in none of the kernel's lists of sockets: neither bound nor connected, or of a kind
    /// that no list has. All that is known of one is [`RareFacts::protocol_name`] and who holds it.
    Other,
}

impl Protocol {
    /// Every protocol, in the order rows are sorted.
    pub const ALL: [Self; 13] = [
        Self::Tcp,
        Self::Mptcp,
        Self::Udp,
        Self::Udplite,
        Self::Sctp,
        Self::Icmp,
        Self::Raw,
        Self::Unix,
        Self::Packet,
        Self::Netlink,
        Self::Vsock,
        Self::Xdp,
        Self::Other,
    ];

    /// Returns the families whose sockets speak it.
    pub const fn families(self) -> &'static [Family] {
        match self {
            Self::Tcp
            | Self::Mptcp
            | Self::Udp
            | Self::Udplite
            | Self::Sctp
            | Self::Icmp
            | Self::Raw => &[Family::Inet, Family::Inet6],
            Self::Unix => &[Family::Unix],
            Self::Packet => &[Family::Packet],
            Self::Netlink => &[Family::Netlink],
            Self::Vsock => &[Family::Vsock],
            Self::Xdp => &[Family::Xdp],
            Self::Other => &[Family::Other],
        }
    }

    /// Returns the protocol's word, as in the JSON and the filter language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Mptcp => "mptcp",
            Self::Sctp => "sctp",
            Self::Icmp => "icmp",
            Self::Udp => "udp",
            Self::Udplite => "udplite",
            Self::Raw => "raw",
            Self::Unix => "unix",
            Self::Packet => "packet",
            Self::Netlink => "netlink",
            Self::Vsock => "vsock",
            Self::Xdp => "xdp",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The address family of a socket (not of its addresses: an `inet6` socket may carry mapped IPv4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Family {
    /// IPv4 (`AF_INET`).
    Inet,
    /// IPv6 (`AF_INET6`).
    Inet6,
    /// UNIX domain (`AF_UNIX`).
    Unix,
    /// Frames of a link (`AF_PACKET`).
    Packet,
    /// The kernel's own (`AF_NETLINK`).
    Netlink,
    /// Virtual machines and their host (`AF_VSOCK`).
    Vsock,
    /// Frames past most of the kernel (`AF_XDP`).
    Xdp,
    /// Not known: of a socket that is in none of the kernel's lists ([`Protocol::Other`]).
    Other,
}

impl Family {
    /// Every family, in the order rows are sorted.
    pub const ALL: [Self; 8] = [
        Self::Inet,
        Self::Inet6,
        Self::Unix,
        Self::Packet,
        Self::Netlink,
        Self::Vsock,
        Self::Xdp,
        Self::Other,
    ];

    /// Returns true for the families of IP.
    pub const fn is_ip(self) -> bool {
        matches!(self, Self::Inet | Self::Inet6)
    }

    /// Returns the family's word, as in the JSON and the filter language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Inet6 => "inet6",
            Self::Unix => "unix",
            Self::Packet => "packet",
            Self::Netlink => "netlink",
            Self::Vsock => "vsock",
            Self::Xdp => "xdp",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The type of a socket (`socket(2)`), where its family has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum SocketType {
    /// A connected stream of bytes (`SOCK_STREAM`).
    Stream,
    /// Single messages (`SOCK_DGRAM`).
    Dgram,
    /// Messages over a connection (`SOCK_SEQPACKET`).
    Seqpacket,
    /// Messages with their headers (`SOCK_RAW`).
    Raw,
}

impl SocketType {
    /// Every type, in the order rows are sorted.
    pub const ALL: [Self; 4] = [Self::Stream, Self::Dgram, Self::Seqpacket, Self::Raw];

    /// Returns the type's word, as in the JSON and the filter language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Dgram => "dgram",
            Self::Seqpacket => "seqpacket",
            Self::Raw => "raw",
        }
    }

    /// Returns the type Linux gives this number (linux/include/linux/net.h).
    pub const fn from_linux(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Stream),
            2 => Some(Self::Dgram),
            3 => Some(Self::Raw),
            5 => Some(Self::Seqpacket),
            _ => None,
        }
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A network interface, as a bound device or the scope of a link-local address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interface {
    /// The kernel's interface index, never 0.
    pub index: u32,
    /// The interface's name; absent when the index could not be resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

/// One end of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Endpoint {
    /// An IP address and port, as the kernel has them: a wildcard is `0.0.0.0` or `::`, an IPv4
    /// address on an `inet6` socket is `::ffff:a.b.c.d`. Port 0 means "no port".
    Inet {
        /// The address, unnormalised; see [`Endpoint::canonical_address`] for comparisons.
        address: IpAddr,
        /// The port in host order; 0 where the protocol has none.
        port: u16,
        /// The zone of a link-local IPv6 address; absent for all others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Box<Interface>>,
    },
    /// A UNIX socket bound to a path.
    Path(Text),
    /// A UNIX socket bound to a name in the abstract namespace, without the leading NUL.
    Abstract(Text),
    /// The frames a packet socket hears.
    Packet {
        /// Their protocol (`ETH_P_`, linux/include/uapi/linux/if_ether.h); 3 stands for all.
        ethertype: u16,
        /// The device they come from; absent for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<Box<Interface>>,
    },
    /// One end of a netlink conversation.
    Netlink {
        /// What the conversation is about (`NETLINK_`, linux/include/uapi/linux/netlink.h).
        protocol: u8,
        /// The port, which is often but not always the PID of its owner; 0 is the kernel.
        port: u32,
    },
    /// One end between a virtual machine and its host.
    Vsock {
        /// The machine (`VMADDR_CID_`, `vsock(7)`): 1 is this one to itself, 2 the host, [`u32::MAX`]
        /// any.
        cid: u32,
        /// The port; [`u32::MAX`] for any.
        port: u32,
    },
    /// The frames that an `AF_XDP` socket takes.
    Xdp {
        /// The device they come from.
        interface: Box<Interface>,
        /// The queue of that device.
        queue: u32,
    },
}

/// Returns the name of a packet socket's kind of frames, where it is a common one.
pub const fn ethertype_name(ethertype: u16) -> Option<&'static str> {
    match ethertype {
        0x0003 => Some("all"),
        0x0800 => Some("ip"),
        0x0806 => Some("arp"),
        0x86dd => Some("ipv6"),
        _ => None,
    }
}

/// Returns the name of a netlink protocol, as in `netlink(7)`, in lower case.
pub const fn netlink_name(protocol: u8) -> Option<&'static str> {
    Some(match protocol {
        0 => "route",
        2 => "usersock",
        3 => "firewall",
        4 => "sock_diag",
        5 => "nflog",
        6 => "xfrm",
        7 => "selinux",
        8 => "iscsi",
        9 => "audit",
        10 => "fib_lookup",
        11 => "connector",
        12 => "netfilter",
        15 => "kobject_uevent",
        16 => "generic",
        18 => "scsitransport",
        19 => "ecryptfs",
        20 => "rdma",
        21 => "crypto",
        22 => "smc",
        _ => return None,
    })
}

impl Endpoint {
    /// Returns an IP endpoint without a scope.
    pub const fn inet(address: IpAddr, port: u16) -> Self {
        Self::Inet { address, port, scope: None }
    }

    /// Returns the IP address as the kernel has it; `None` for ends that are none.
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Inet { address, .. } => Some(*address),
            Self::Path(_)
            | Self::Abstract(_)
            | Self::Packet { .. }
            | Self::Netlink { .. }
            | Self::Vsock { .. }
            | Self::Xdp { .. } => None,
        }
    }

    /// Returns the IP address with an IPv4-mapped one turned into IPv4: the form to compare.
    pub fn canonical_address(&self) -> Option<IpAddr> {
        self.address().map(|address| address.to_canonical())
    }

    /// Returns the IP port; `None` for ends that are none. 0 where the protocol has no ports.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Inet { port, .. } => Some(*port),
            Self::Path(_)
            | Self::Abstract(_)
            | Self::Packet { .. }
            | Self::Netlink { .. }
            | Self::Vsock { .. }
            | Self::Xdp { .. } => None,
        }
    }

    /// Returns true for the wildcard addresses `0.0.0.0` and `::`.
    pub fn is_wildcard(&self) -> bool {
        self.address().is_some_and(|address| address.is_unspecified())
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        let scope = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => {
                Some(Box::new(Interface { index: v6.scope_id(), name: None }))
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => None,
        };
        Self::Inet { address: address.ip(), port: address.port(), scope }
    }
}

impl fmt::Display for Endpoint {
    /// Writes `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80`, `/path`, `@name`, `arp%eth0`,
    /// `route:4711`, `2:1024` or `eth0:q3`. Not safe for a terminal: names are hostile, see `render::sanitize`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { address: IpAddr::V4(v4), port, .. } => write!(f, "{v4}:{port}"),
            Self::Inet { address: IpAddr::V6(v6), port, scope } => match scope.as_deref() {
                None => write!(f, "[{v6}]:{port}"),
                Some(Interface { name: Some(name), .. }) => write!(f, "[{v6}%{name}]:{port}"),
                Some(Interface { index, name: None }) => write!(f, "[{v6}%{index}]:{port}"),
            },
            Self::Path(path) => write!(f, "{path}"),
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Packet { ethertype, interface } => {
                match ethertype_name(*ethertype) {
                    Some(name) => f.write_str(name)?,
                    None => write!(f, "{ethertype:#06x}")?,
                }
                match interface.as_deref() {
                    None => Ok(()),
                    Some(Interface { name: Some(name), .. }) => write!(f, "%{name}"),
                    Some(Interface { index, name: None }) => write!(f, "%{index}"),
                }
            }
            Self::Netlink { protocol, port } => match netlink_name(*protocol) {
                Some(name) => write!(f, "{name}:{port}"),
                None => write!(f, "{protocol}:{port}"),
            },
            Self::Vsock { cid, port } => {
                let number = |number: &u32| match *number {
                    u32::MAX => "*".to_owned(),
                    number => number.to_string(),
                };
                write!(f, "{}:{}", number(cid), number(port))
            }
            Self::Xdp { interface, queue } => match &**interface {
                Interface { name: Some(name), .. } => write!(f, "{name}:q{queue}"),
                Interface { index, name: None } => write!(f, "{index}:q{queue}"),
            },
        }
    }
}

/// What the kernel's two queue numbers mean for this socket (`ss(8)` Recv-Q and Send-Q).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Queues {
    /// Bytes not yet read by the owner and bytes not yet acknowledged by the peer. The kernel
    /// counts a received FIN as one byte in `recv`.
    Bytes {
        /// Bytes received and unread.
        recv: u32,
        /// Bytes sent and unacknowledged, or not yet sent.
        send: u32,
    },
    /// A listener's accept queue. It is full when `pending > limit`.
    Backlog {
        /// Connections waiting for `accept`.
        pending: u32,
        /// The limit given to `listen`, capped by `net.core.somaxconn`; absent when the source
        /// does not tell (`/proc/net/tcp`).
        limit: Option<u32>,
    },
}

/// The timer pending on a TCP socket (`idiag_timer`, linux/net/ipv4/inet_diag.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Timer {
    /// What happens when it runs out.
    pub kind: TimerKind,
    /// Milliseconds until then.
    pub expires_ms: u32,
    /// How often it ran out before (retransmissions or unanswered probes).
    pub retransmits: u8,
}

/// What a [`Timer`] is for, in `ss -o`'s words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum TimerKind {
    /// Retransmission, or tail loss probe.
    On,
    /// Keepalive (for SYN_SENT and SYN_RECV: the handshake's own).
    Keepalive,
    /// The end of TIME_WAIT.
    Timewait,
    /// Zero-window probe.
    Persist,
    /// A number this version does not know.
    #[serde(untagged)]
    Other(u8),
}

impl TimerKind {
    /// Returns the kind Linux gives this number (`idiag_timer`, and `tr` in `/proc/net/tcp`);
    /// `None` for 0: no timer runs.
    pub const fn from_linux(number: u8) -> Option<Self> {
        match number {
            0 => None,
            1 => Some(Self::On),
            2 => Some(Self::Keepalive),
            3 => Some(Self::Timewait),
            4 => Some(Self::Persist),
            number => Some(Self::Other(number)),
        }
    }
}

/// One kernel socket: not a descriptor, of which it may have none or many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Socket {
    /// The join key, unique within one collection.
    pub id: SocketId,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// The address family of the socket itself.
    pub family: Family,
    /// The type; absent where the protocol has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_type: Option<SocketType>,
    /// The state; absent where the protocol has none (UDP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TcpState>,
    /// The local end; absent when the socket is not bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Endpoint>,
    /// The peer; absent when unconnected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Endpoint>,
    /// What few sockets have.
    #[serde(flatten)]
    pub rare: Rare<RareFacts>,
    /// The queue lengths; absent when the source does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<Queues>,
    /// The inode; absent where the kernel gives 0: TIME_WAIT, SYN_RECV, unaccepted, orphaned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<Inode>,
    /// The cookie; absent on Windows, and from sources that tell none (`/proc/net`, netstat2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Cookie>,
    /// The network namespace; absent where the system has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<NetnsId>,
    /// The control group it was made in, which whoever holds it now may have left since; absent
    /// when the source does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_id: Option<CgroupId>,
    /// The same by name; only when it was asked for, or when nobody is seen to hold the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Arc<Cgroup>>,
    /// The user the socket belongs to; absent when nobody owns it (the kernel then says 0, which
    /// is not root) or the source does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<crate::process::Uid>,
    /// Whether an `inet6` socket refuses IPv4 (`IPV6_V6ONLY`); absent when the kernel does not
    /// tell, which for connections it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v6only: Option<bool>,
    /// The pending timer; absent when none runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Timer>,
    /// Counters, buffers and options; absent when not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Details>>,
}

/// Facts of a socket that few have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RareFacts {
    /// Of a UNIX socket: the inode of its peer; absent when unconnected, and while nobody has
    /// accepted the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_inode: Option<Inode>,
    /// Of a UNIX listener: the inodes of those who wait to be accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_inodes: Vec<Inode>,
    /// Of a TCP socket that is a subflow: the cookie of its MPTCP socket; filled by the join, where that
    /// was read too.
    #[serde(skip)]
    pub subflow_of: Option<Cookie>,
    /// The device it is bound to (`SO_BINDTODEVICE`); absent when to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<Box<Interface>>,
    /// When it was bound or connected, in units of 100 ns since 1601, in UTC (Windows); with its ends it
    /// tells a socket from a later one, as a cookie does elsewhere. Absent where that is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<u64>,
    /// The service that made it, of those that its process runs (Windows).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Text>,
    /// The kernel's own name for its protocol, such as `TCP` or `ALG` (Linux, the attribute
    /// `system.sockprotoname`); absent of all but [`Protocol::Other`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_name: Option<Text>,
}

impl Empty for RareFacts {
    fn empty() -> &'static Self {
        static EMPTY: RareFacts = RareFacts {
            peer_inode: None,
            waiting_inodes: Vec::new(),
            subflow_of: None,
            interface: None,
            created: None,
            service: None,
            protocol_name: None,
        };
        &EMPTY
    }
}

impl Socket {
    /// Returns a socket of which nothing more is known. Backends fill in what they can tell.
    pub fn new(id: SocketId, protocol: Protocol, family: Family) -> Self {
        Self {
            id,
            protocol,
            family,
            socket_type: None,
            state: None,
            local: None,
            peer: None,
            rare: Rare::default(),
            queues: None,
            inode: None,
            cookie: None,
            netns: None,
            cgroup_id: None,
            cgroup: None,
            uid: None,
            v6only: None,
            timer: None,
            details: None,
        }
    }

    /// Returns true for the kernel's own end of a netlink protocol: port 0 is the kernel
    /// (`netlink(7)`), and a program's socket is not listed before it has another.
    pub const fn is_kernels_netlink(&self) -> bool {
        matches!(self.local, Some(Endpoint::Netlink { port: 0, .. }))
    }

    /// Returns true for a socket that waits for others to connect or send: a listener, or an
    /// unconnected socket of a protocol without states. What `ss -l` and `netstat -l` list.
    pub fn is_listening(&self) -> bool {
        is_listening(self.protocol, self.state, self.peer.as_ref())
    }
}

/// Returns [`Socket::is_listening`] for a socket of which this is known.
pub(crate) fn is_listening(
    protocol: Protocol,
    state: Option<TcpState>,
    peer: Option<&Endpoint>,
) -> bool {
    match state {
        Some(state) => state == TcpState::Listen,
        // What others can reach is in a list of the kernel's.
        None => peer.is_none() && protocol != Protocol::Other,
    }
}
