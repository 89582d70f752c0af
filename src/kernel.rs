//! Why nobody but the kernel has a socket, and what the kernel has sockets of its own for: one table of
//! its services.
//!
//! Pure. What the system tells of them is read below `platform`; [`crate::join`] concludes.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::socket::{Endpoint, Family, NetnsId, Protocol, Socket};
use crate::text::Text;

/// Why nobody but the kernel has a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelReason {
    /// It is what is left of a connection that is over (TIME_WAIT).
    TimeWait,
    /// It was closed while there was still something to send or to wait for.
    Orphan,
    /// It is a connection that is being opened to a listener that is gone.
    NoListener,
    /// It is the kernel's own end of a netlink protocol.
    Netlink,
    /// It is the kernel's own, for one of its services.
    Service(Arc<KernelService>),
}

impl KernelReason {
    /// Returns the word for it, as in the JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TimeWait => "time-wait",
            Self::Orphan => "orphan",
            Self::NoListener => "no-listener",
            Self::Netlink => "netlink",
            Self::Service(_) => "service",
        }
    }

    /// Returns the word for it, or for the service: `time-wait`, `vxlan`.
    pub fn word(&self) -> &'static str {
        self.service().map_or(self.name(), |service| service.kind.name())
    }

    /// Returns whether it is left over from a connection that somebody had.
    pub const fn is_left_over(&self) -> bool {
        match self {
            Self::TimeWait | Self::Orphan | Self::NoListener => true,
            Self::Netlink | Self::Service(_) => false,
        }
    }

    /// Returns the service.
    pub fn service(&self) -> Option<&KernelService> {
        match self {
            Self::Service(service) => Some(service),
            Self::TimeWait | Self::Orphan | Self::NoListener | Self::Netlink => None,
        }
    }
}

/// One of the kernel's services, as the owner of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelService {
    /// Which.
    pub kind: Service,
    /// The network links it is for, in the order of their numbers; empty where it has none, and where
    /// they cannot be told.
    pub links: Vec<Text>,
    /// Whether it is only inferred: nobody holds the socket, it belongs to root, and its port is the
    /// one that the service usually has.
    pub is_inferred: bool,
}

impl KernelService {
    /// Returns what would make it give up the socket, as a command; `None` when no single command is
    /// known to, or a link's name could mean something to a shell.
    pub fn stop(&self) -> Option<String> {
        let is_plain = |name: &str| {
            !name.starts_with('-')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
        };
        let command = self.kind.spec().stop;
        if command.is_empty() || !command.contains(LINK) {
            return (!command.is_empty()).then(|| command.to_owned());
        }
        match &*self.links {
            [link] => {
                link.as_str().filter(|name| is_plain(name)).map(|it| command.replace(LINK, it))
            }
            _ => None,
        }
    }
}

impl fmt::Display for KernelService {
    /// Writes `VXLAN tunnel vx0`, `NFS server`. Not safe for a terminal: links have names of others'
    /// choosing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.what())?;
        for (index, link) in self.links.iter().enumerate() {
            write!(f, "{} {link}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Which end of a socket is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The local one.
    Local,
    /// The peer.
    Peer,
}

impl End {
    const fn of(self, socket: &Socket) -> Option<&Endpoint> {
        match self {
            Self::Local => socket.local.as_ref(),
            Self::Peer => socket.peer.as_ref(),
        }
    }
}

/// A fact: one of the kernel's services has the sockets with this port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelPort {
    /// Which service.
    pub kind: Service,
    /// The network link it is for; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Text>,
    /// The network namespace; absent where the system has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<NetnsId>,
    /// The protocol.
    pub protocol: Protocol,
    /// The family of the sockets; absent for both, and when it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// Which end has the port.
    pub end: End,
    /// The address of that end; absent for all, and when it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

impl KernelPort {
    /// Returns the fact that the service has this local port, in any namespace, family and address.
    pub const fn new(kind: Service, protocol: Protocol, port: u16) -> Self {
        Self {
            kind,
            link: None,
            netns: None,
            protocol,
            family: None,
            end: End::Local,
            address: None,
            port,
        }
    }

    /// Returns whether the socket is one of those, if no process holds it.
    pub fn is_of(&self, socket: &Socket) -> bool {
        let end = self.end.of(socket);
        socket.protocol == self.protocol
            && socket.netns == self.netns
            && end.and_then(Endpoint::port) == Some(self.port)
            && self.family.is_none_or(|family| family == socket.family)
            && self
                .address
                .is_none_or(|address| end.and_then(Endpoint::canonical_address) == Some(address))
    }
}

/// Returns whose of the kernel's a socket without holder is, as the system tells.
pub fn told<'a>(
    socket: &Socket,
    ports: impl IntoIterator<Item = &'a KernelPort>,
) -> Option<KernelService> {
    let mut matching = ports.into_iter().filter(|port| port.is_of(socket));
    let first = matching.next()?;
    let others = matching.filter(|port| port.kind == first.kind);
    let links = [first].into_iter().chain(others).filter_map(|port| port.link.clone()).collect();
    Some(KernelService { kind: first.kind, links, is_inferred: false })
}

/// Returns the service that usually has such a socket, by its port alone, which proves nothing.
pub fn usual(socket: &Socket) -> Option<Service> {
    let has = |&(protocol, end, ref ports): &Port| {
        socket.protocol == protocol
            && end.of(socket).and_then(Endpoint::port).is_some_and(|port| ports.contains(&port))
    };
    Service::ALL.iter().copied().find(|kind| kind.spec().ports.iter().any(has))
}

/// Where the name of the link stands in a command.
const LINK: &str = "LINK";

/// A usual port of a service.
type Port = (Protocol, End, RangeInclusive<u16>);

/// What is known of a service.
#[derive(Debug)]
struct Spec {
    name: &'static str,
    what: &'static str,
    stop: &'static str,
    ports: &'static [Port],
}

const fn udp(port: u16) -> Port {
    (Protocol::Udp, End::Local, port..=port)
}

const fn tcp(port: u16) -> Port {
    (Protocol::Tcp, End::Local, port..=port)
}

const fn to_udp(port: u16) -> Port {
    (Protocol::Udp, End::Peer, port..=port)
}

const fn to_tcp(port: u16) -> Port {
    (Protocol::Tcp, End::Peer, port..=port)
}

macro_rules! services {
    ($( $kind:ident $name:literal $what:literal $stop:literal [$($ports:expr),*]; )+) => {
        /// What the kernel has sockets of its own for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub enum Service {
            $(#[doc = concat!($what, ".")] #[serde(rename = $name)] $kind,)+
        }

        impl Service {
            /// Every service, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            const fn spec(self) -> &'static Spec {
                match self {
                    $(Self::$kind => {
                        const { &Spec { name: $name, what: $what, stop: $stop, ports: &[$($ports),*] } }
                    })+
                }
            }
        }
    };
}

// Word, what it is, what stops it, and its usual ports.
services! {
    // Tunnels. 4789 is IANA's for VXLAN, 8472 the kernel's own default.
    Vxlan "vxlan" "VXLAN tunnel" "ip link set dev LINK down" [udp(4789), udp(8472)];
    Geneve "geneve" "Geneve tunnel" "ip link set dev LINK down" [udp(6081)];
    Wireguard "wireguard" "WireGuard tunnel" "ip link set dev LINK down" [udp(51820)];
    Bareudp "bareudp" "bare UDP tunnel" "ip link set dev LINK down" [udp(6635)];
    Amt "amt" "AMT tunnel" "ip link set dev LINK down" [udp(2268)];
    Gtp "gtp" "GTP tunnel" "ip link delete dev LINK" [udp(2152), udp(3386)];
    Pfcp "pfcp" "PFCP tunnel" "ip link set dev LINK down" [udp(8805)];
    Fou "fou" "FOU or GUE tunnel" "" [udp(5555), udp(5556)];
    L2tp "l2tp" "L2TP tunnel" "" [udp(1701)];
    Rxe "rxe" "RDMA over UDP" "" [udp(4791)];
    Tipc "tipc" "TIPC over UDP" "" [udp(6118)];
    Rxrpc "rxrpc" "RxRPC, for AFS" "" [udp(7001)];
    Ipvs "ipvs" "IPVS synchronisation" "" [udp(8848), to_udp(8848)];
    // Files and block devices: their servers, and their clients.
    Nfsd "nfsd" "NFS server" "rpc.nfsd 0" [tcp(2049), udp(2049)];
    Lockd "lockd" "NFS lock manager" "" [];
    NfsCallback "nfs-callback" "NFS client's callback service" "" [];
    Nfs "nfs" "NFS client" "" [to_tcp(2049), to_udp(2049)];
    Sunrpc "sunrpc" "RPC client" "" [to_tcp(111), to_udp(111)];
    Ksmbd "ksmbd" "SMB server" "ksmbd.control --shutdown" [tcp(445)];
    Cifs "cifs" "SMB client" "" [to_tcp(445)];
    IscsiTarget "iscsi-target" "iSCSI target" "" [tcp(3260)];
    Iscsi "iscsi" "iSCSI initiator" "" [to_tcp(3260)];
    Nvmet "nvmet" "NVMe over TCP target" "" [tcp(4420), tcp(8009)];
    Nvme "nvme" "NVMe over TCP host" "" [to_tcp(4420), to_tcp(8009)];
    Nbd "nbd" "network block device" "" [to_tcp(10809)];
    NineP "9p" "9P client" "" [to_tcp(564)];
    Ceph "ceph" "Ceph client" "" [to_tcp(3300), (Protocol::Tcp, End::Peer, 6789..=7568)];
    Drbd "drbd" "DRBD" "" [(Protocol::Tcp, End::Local, 7788..=7799), (Protocol::Tcp, End::Peer, 7788..=7799)];
    // Clusters.
    Dlm "dlm" "distributed lock manager" "" [tcp(21064), to_tcp(21064)];
    Ocfs2 "ocfs2" "OCFS2 cluster" "" [tcp(7777), to_tcp(7777)];
    Rds "rds" "RDS over TCP" "" [tcp(16385), to_tcp(16385)];
}

impl Service {
    /// Returns its word: the name of its module or of its kind of link, as in the JSON and the filter
    /// language.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// Returns what it is, such as `VXLAN tunnel`.
    pub const fn what(self) -> &'static str {
        self.spec().what
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::SocketId;

    fn socket(protocol: Protocol, local: &str, peer: Option<&str>) -> Socket {
        let end = |text: &str| Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap());
        let family = if local.starts_with('[') { Family::Inet6 } else { Family::Inet };
        let mut socket = Socket::new(SocketId(1), protocol, family);
        (socket.local, socket.peer) = (Some(end(local)), peer.map(end));
        socket
    }

    fn port(kind: Service, port: u16, link: &str) -> KernelPort {
        KernelPort { link: Some(link.into()), ..KernelPort::new(kind, Protocol::Udp, port) }
    }

    #[test]
    fn a_service_is_guessed_by_the_right_end_of_the_right_protocol() {
        let udp = |local| usual(&socket(Protocol::Udp, local, None));
        assert_eq!(udp("0.0.0.0:4789"), Some(Service::Vxlan));
        assert_eq!(udp("[::]:51820"), Some(Service::Wireguard));
        assert_eq!(udp("0.0.0.0:53"), None);
        let tcp = |local, peer| usual(&socket(Protocol::Tcp, local, peer));
        assert_eq!(tcp("0.0.0.0:4789", None), None);
        assert_eq!(tcp("10.0.0.1:2049", Some("10.0.0.2:901")), Some(Service::Nfsd));
        assert_eq!(tcp("10.0.0.1:901", Some("10.0.0.2:2049")), Some(Service::Nfs));
        assert_eq!(tcp("10.0.0.1:901", Some("10.0.0.2:80")), None);
    }

    #[test]
    fn what_is_told_names_every_link_that_shares_the_socket() {
        let ports = [
            port(Service::Vxlan, 5000, "vx0"),
            port(Service::Vxlan, 5001, "vx1"),
            port(Service::Vxlan, 5000, "vx2"),
        ];
        let service = told(&socket(Protocol::Udp, "0.0.0.0:5000", None), &ports).unwrap();
        assert_eq!(service.to_string(), "VXLAN tunnel vx0, vx2");
        assert_eq!(service.stop(), None, "one command would not do");
        assert_eq!(told(&socket(Protocol::Udp, "0.0.0.0:5002", None), &ports), None);
    }

    #[test]
    fn a_fact_holds_for_its_namespace_family_end_and_address_alone() {
        let any = KernelPort::new(Service::Nfs, Protocol::Tcp, 2049);
        let ours = socket(Protocol::Tcp, "10.0.0.1:2049", Some("10.0.0.2:901"));
        assert!(any.is_of(&ours));
        let address = |text: &str| Some(text.parse().unwrap());
        for other in [
            KernelPort { netns: Some(NetnsId(7)), ..any.clone() },
            KernelPort { family: Some(Family::Inet6), ..any.clone() },
            KernelPort { end: End::Peer, ..any.clone() },
            KernelPort { address: address("10.0.0.2"), ..any.clone() },
            KernelPort { protocol: Protocol::Udp, ..any.clone() },
        ] {
            assert!(!other.is_of(&ours), "{other:?}");
        }
        assert!(KernelPort { address: address("10.0.0.1"), ..any }.is_of(&ours));
    }

    #[test]
    fn a_command_has_the_links_name_unless_a_shell_could_mistake_it() {
        let stop = |kind, link: &str| {
            KernelService { kind, links: vec![link.into()], is_inferred: false }.stop()
        };
        assert_eq!(stop(Service::Geneve, "gnv0").unwrap(), "ip link set dev gnv0 down");
        for hostile in ["a;reboot", "$(reboot)", "-x", "a b", "\u{1b}[2J"] {
            assert_eq!(stop(Service::Geneve, hostile), None, "{hostile:?}");
        }
        assert_eq!(stop(Service::Nfsd, "").unwrap(), "rpc.nfsd 0");
        assert_eq!(stop(Service::Dlm, ""), None);
    }

    #[test]
    fn no_word_is_of_two_services_and_each_is_the_recordings() {
        let words: std::collections::HashSet<&str> =
            Service::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(words.len(), Service::ALL.len());
        for kind in Service::ALL {
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
        }
    }

    #[test]
    fn no_port_is_of_two_services() {
        let all: Vec<(&Service, &Port)> = Service::ALL
            .iter()
            .flat_map(|kind| kind.spec().ports.iter().map(move |it| (kind, it)))
            .collect();
        for (one, (protocol, end, ports)) in &all {
            for (two, (of, at, others)) in &all {
                let apart = ports.end() < others.start() || others.end() < ports.start();
                assert!(one == two || protocol != of || end != at || apart, "{one} {two}");
            }
        }
    }
}
