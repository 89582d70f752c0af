//! What is known of a socket beyond its row: counters, buffers and options. Costs the kernel extra
//! work, so it is read only when something shows it ([`crate::platform::Request::details`]).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tcp_info::TcpInfo;
use crate::text::Text;

/// The details of one socket. Each is absent where the source does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Details {
    /// The connection's counters and measurements; absent for what is none (a listener).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_info: Option<Box<TcpInfo>>,
    /// The memory of the socket's buffers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Datagrams, or connections of a listener, that were dropped: mostly for want of room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops: Option<u32>,
    /// The congestion control: a module of the kernel, such as `cubic` (TCP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub congestion: Option<Text>,
    /// Which options differ from how a new socket has them, as far as the kernel tells of others'
    /// sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<SocketOption>>,
    /// Which directions were shut down here or by the peer (`shutdown(2)`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<Shutdown>,
    /// The type of service of IPv4 packets sent (`IP_TOS`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos: Option<u8>,
    /// The traffic class of IPv6 packets sent (`IPV6_TCLASS`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_class: Option<u8>,
    /// The mark of packets sent (`SO_MARK`); the kernel tells it to the administrator of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
}

/// The memory of a socket's buffers, in bytes: `ss -m`'s numbers (`sk_get_meminfo`,
/// linux/net/core/sock.c). Buffers are counted whole, so this is more than the data in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Memory {
    /// What the receive queue takes.
    pub receive: u32,
    /// What it may take (`SO_RCVBUF`).
    pub receive_limit: u32,
    /// What is on its way out: handed to the network layer and not freed yet.
    pub transmit: u32,
    /// What the send queue may take (`SO_SNDBUF`).
    pub send_limit: u32,
    /// What is set aside for it and free.
    pub reserved: u32,
    /// What the send queue takes (TCP).
    pub send: u32,
    /// What its options and filters take.
    pub options: u32,
    /// What arrived while the socket was busy and is not in the receive queue yet.
    pub backlog: u32,
}

impl Memory {
    /// Returns the bytes that its two queues take.
    pub fn queues(&self) -> u64 {
        // TCP queues what it sends until that is acknowledged, UDP only hands it on.
        u64::from(self.receive) + u64::from(self.backlog) + u64::from(self.send.max(self.transmit))
    }
}

/// Which directions of a connection were shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Shutdown {
    /// Nothing more will be received: the peer said so, or the owner wants none.
    pub receive: bool,
    /// Nothing more will be sent.
    pub send: bool,
}

/// An option that differs from how a new socket has it, of those that the kernel tells of all sockets
/// (`struct inet_diag_sockopt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum SocketOption {
    /// Network errors are queued (`IP_RECVERR`).
    Recverr,
    /// May bind to addresses that are not the machine's (`IP_FREEBIND`).
    Freebind,
    /// The program writes the IP header itself (`IP_HDRINCL`).
    Hdrincl,
    /// Multicast it sends is not looped back (`IP_MULTICAST_LOOP` off).
    NoMulticastLoop,
    /// Takes connections to others' addresses (`IP_TRANSPARENT`).
    Transparent,
    /// Gets only the multicast groups that it joined itself (`IP_MULTICAST_ALL` off).
    NoMulticastAll,
    /// Fragments are not put together (`IP_NODEFRAG`).
    Nodefrag,
    /// The port is chosen at `connect`, not at `bind` (`IP_BIND_ADDRESS_NO_PORT`).
    BindAddressNoPort,
    /// Network errors carry the packet's extensions (`IP_RECVERR_RFC4884`).
    RecverrRfc4884,
    /// The connection is opened by the first write (`TCP_FASTOPEN_CONNECT`).
    DeferConnect,
}

impl SocketOption {
    /// Every option with its word, as in the JSON and in the column.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Recverr, "recverr"),
        (Self::Freebind, "freebind"),
        (Self::Hdrincl, "hdrincl"),
        (Self::NoMulticastLoop, "no-multicast-loop"),
        (Self::Transparent, "transparent"),
        (Self::NoMulticastAll, "no-multicast-all"),
        (Self::Nodefrag, "nodefrag"),
        (Self::BindAddressNoPort, "bind-address-no-port"),
        (Self::RecverrRfc4884, "recverr-rfc4884"),
        (Self::DeferConnect, "defer-connect"),
    ];

    /// Returns the option's word.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(option, _)| *option == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for SocketOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_the_same_word_everywhere() {
        for (option, name) in SocketOption::ALL {
            assert_eq!(serde_json::to_string(&option).unwrap(), format!("\"{name}\""));
            assert_eq!(option.name(), name);
        }
    }

    #[test]
    fn memory_counts_what_a_datagram_takes_on_its_way_out() {
        let tcp = Memory { receive: 1, backlog: 2, send: 4, transmit: 3, ..Memory::default() };
        assert_eq!(tcp.queues(), 7);
        let udp = Memory { transmit: 8, ..Memory::default() };
        assert_eq!(udp.queues(), 8);
    }
}
