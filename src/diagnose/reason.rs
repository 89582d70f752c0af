//! The reasons why a bind fails, or is not what it seems: each with its fixed word, what it is called,
//! and the long story.

use std::fmt;

/// Why a bind fails. Each has a fixed word, the same in every format and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Somebody listens at the same address.
    Listener,
    /// Somebody listens at an address that covers it, or is covered by it.
    OverlappingListener,
    /// Somebody listens on `::`, which takes IPv4 too.
    DualStack,
    /// A socket holds it that neither listens nor is connected.
    BoundOnly,
    /// A socket holds it that listened before.
    ClosedListener,
    /// A connection that an earlier listener accepted is still open.
    Connection,
    /// A connection from here has it as its own port.
    EphemeralClient,
    /// The kernel keeps a closed connection until late segments cannot come any more.
    TimeWait,
    /// The kernel still ends a connection that its process closed.
    Orphan,
    /// Both sides set, or must set, `SO_REUSEPORT`, and the kernel does not let them share.
    ReusePort,
    /// Sockets share the address; that is allowed.
    Shared,
    /// A socket has the port on another device or in another VRF.
    OtherDevice,
    /// The holder that was seen is gone by now.
    Gone,
}

/// What is to be said of a reason.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The reason.
    pub reason: Reason,
    /// Its word, in the JSON.
    pub word: &'static str,
    /// What it is, a clause.
    pub title: &'static str,
    /// The long story.
    pub story: &'static str,
    /// Where that is said: kernel source, manual.
    pub source: &'static str,
}

macro_rules! reasons {
    ($( $reason:ident $word:literal: $title:literal, $story:literal, $source:expr; )+) => {
        /// Every reason.
        pub const REASONS: &[About] = &[$(
            About {
                reason: Reason::$reason,
                word: $word,
                title: $title,
                story: $story,
                source: $source,
            }
        ),+];
    };
}

/// Where TCP's rules are.
const TCP: &str = "linux/net/ipv4/inet_connection_sock.c (inet_csk_get_port, inet_bind_conflict)";
/// Where the rules of addresses are.
const ADDRESSES: &str = "linux/net/ipv4/inet_connection_sock.c (inet_rcv_saddr_equal)";
/// Where TIME_WAIT is made.
const TIMEWAIT: &str = "linux/net/ipv4/inet_timewait_sock.c (inet_twsk_alloc)";

reasons! {
    Listener "listener": "another socket has this address",
        "One address and port serve one listener, unless all of them set SO_REUSEPORT and are of one \
         user. SO_REUSEADDR changes nothing while a socket listens.", TCP;
    OverlappingListener "overlapping-listener": "another socket has an address that overlaps",
        "0.0.0.0 stands for every IPv4 address and :: for every IPv6 address, so a listener on one of \
         them blocks each single address, and a listener on a single address blocks them.", ADDRESSES;
    DualStack "dual-stack": "another socket has ::, which takes IPv4 too",
        "A socket on :: serves IPv4 too unless IPV6_V6ONLY is set on it (its default is \
         net.ipv6.bindv6only). So it has the port on every IPv4 address as well.", "ipv6(7); RFC 3493, 5.3";
    BoundOnly "bound-only": "another socket is bound to it without listening",
        "bind alone takes the port. A socket that never called listen blocks it like a listener; most \
         tools do not show it. Often it is a client that binds before it connects, or a leaked \
         socket.", TCP;
    ClosedListener "closed-listener": "a socket that listened before is still open",
        "A listener that was shut down, or destroyed from outside, serves nobody any more and still \
         holds its port until its process closes the descriptor.", TCP;
    Connection "connection": "a connection of an earlier listener is still open",
        "Connections keep the port of the listener that accepted them. When it is gone they still \
         block a new one, unless the earlier and the new listener both set SO_REUSEADDR before bind.",
        TCP;
    EphemeralClient "ephemeral-client": "an outgoing connection uses it as its own port",
        "connect takes a free port from net.ipv4.ip_local_port_range; it may be one that a service \
         wants. No option of the service helps. net.ipv4.ip_local_reserved_ports keeps a port out.",
        "linux/net/ipv4/inet_hashtables.c (__inet_hash_connect); ip(7)";
    TimeWait "time-wait": "the kernel keeps a closed connection for a while",
        "The end that closes first keeps the connection in TIME_WAIT for 60 seconds, so that late \
         segments cannot reach a new one. Meanwhile a new listener can have the port only when it and \
         the earlier one set SO_REUSEADDR: on the new one alone it does nothing.", TIMEWAIT;
    Orphan "orphan": "the kernel still ends a connection that its process closed",
        "The process closed the connection with data unsent, or the peer has not closed yet. The \
         kernel goes on alone until the peer answers or it gives up (tcp_orphan_retries, \
         tcp_fin_timeout). It holds the port like any connection.", "tcp(7)";
    ReusePort "reuse-port": "SO_REUSEPORT is not set on both, or they are of two users",
        "With SO_REUSEPORT several sockets share an address when every one of them set it before \
         bind and all belong to one user (the effective one that made the socket).", TCP;
    Shared "shared": "other sockets have the same address, and share it",
        "With SO_REUSEPORT the kernel deals connections and datagrams out among all of them. With \
         SO_REUSEADDR several may bind, but TCP lets only one of them listen, and a UDP datagram \
         goes to the socket bound last.", "socket(7)";
    OtherDevice "other-device": "a socket has the port on another device, which is no conflict",
        "Sockets bound to different devices (SO_BINDTODEVICE, or the scope of a link-local address) \
         share a port. So do, for TCP, those inside and outside a VRF, unless \
         net.ipv4.tcp_l3mdev_accept is set.", "linux/net/ipv4/inet_hashtables.c (inet_bind_bucket_match)";
    Gone "gone": "whoever had it is gone by now",
        "It was there when the sockets were listed, and the kernel gave the port to the probe right \
         after. A service that restarts in a loop looks like this.", "";
}

impl Reason {
    /// Returns true when the sockets of such a cause keep the bind from succeeding.
    pub const fn is_in_the_way(self) -> bool {
        !matches!(self, Self::Shared | Self::OtherDevice | Self::Gone)
    }

    /// Returns what is to be said of it.
    pub fn about(self) -> &'static About {
        const NOTHING: About =
            About { reason: Reason::Gone, word: "", title: "", story: "", source: "" };
        REASONS.iter().find(|about| about.reason == self).unwrap_or(&NOTHING)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.about().word)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_stands_in_the_table_once() {
        let words: BTreeSet<&str> = REASONS.iter().map(|about| about.word).collect();
        assert_eq!(words.len(), REASONS.len());
        for (place, about) in REASONS.iter().enumerate() {
            // The order of the declaration, so that none is left out unseen.
            assert_eq!(about.reason as usize, place, "{}", about.word);
            assert_eq!(about.reason.to_string(), about.word);
        }
    }
}
