//! What decides a bind beside the sockets: the system's settings, addresses and rights.
//!
//! Plain data, gathered by the platform, so that a diagnosis can be made of a
//! recording, and in a test of anything.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::options::SocketOptions;
use crate::socket::{Cookie, Interface};

/// What decides a bind beside the sockets. A fact that could not be read is absent; what depends on it
/// is then unknown, never assumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BindFacts {
    /// The first port that needs no privilege (`net.ipv4.ip_unprivileged_port_start`, `ip(7)`).
    pub unprivileged_port_start: Option<u16>,
    /// Whether the binder has `CAP_NET_BIND_SERVICE` in the user namespace that owns the network
    /// namespace (`capabilities(7)`).
    pub may_bind_privileged: Option<bool>,
    /// The default of `IPV6_V6ONLY` (`net.ipv6.bindv6only`).
    pub bindv6only: Option<bool>,
    /// Whether addresses of no interface may be bound, IPv4 (`net.ipv4.ip_nonlocal_bind`).
    pub nonlocal_bind: Option<bool>,
    /// The same for IPv6 (`net.ipv6.ip_nonlocal_bind`).
    pub nonlocal_bind_v6: Option<bool>,
    /// Whether a listener outside any VRF also serves those inside (`net.ipv4.tcp_l3mdev_accept`).
    pub tcp_l3mdev_accept: Option<bool>,
    /// The addresses of the interfaces; absent when they could not be read.
    pub addresses: Option<Vec<LocalAddress>>,
    /// Where the kernel takes ports of connecting sockets from (`net.ipv4.ip_local_port_range`).
    pub ephemeral: Option<RangeInclusive<u16>>,
    /// The ports it leaves out there (`net.ipv4.ip_local_reserved_ports`).
    pub reserved: Vec<RangeInclusive<u16>>,
    /// The options of sockets that may stand in the way, by cookie, where their holder may be looked
    /// into.
    pub options: BTreeMap<Cookie, SocketOptions>,
}

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address.
    pub address: IpAddr,
    /// How many of its bits are the network's.
    pub prefix: u8,
    /// The interface.
    pub interface: Interface,
    /// Whether it cannot be bound yet, or ever: a check for duplicates runs, or found one
    /// (`IFA_F_TENTATIVE`, `IFA_F_DADFAILED`, linux/include/uapi/linux/if_addr.h).
    pub is_tentative: bool,
}
