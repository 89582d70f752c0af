//! The messages of netlink_diag (`netlink(7)`, linux/include/uapi/linux/netlink_diag.h): encodes a
//! request for the table of netlink sockets, decodes its rows.
//!
//! Pure, as [`super::inet_diag`] is. The kernel tells no user of a netlink socket.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::diag_request;
use super::netlink::Attributes;
use crate::socket::{Endpoint, Family, Protocol, Queues, Socket, SocketId, SocketType};

const AF_NETLINK: u8 = 16;
/// Those of every netlink protocol (`NDIAG_PROTO_ALL`).
const EVERY_PROTOCOL: u8 = 255;
const SHOW_MEMORY: u32 = 0x01;
const ATTRIBUTE_MEMORY: u16 = 0;
/// `NETLINK_CONNECTED`, linux/net/netlink/af_netlink.h.
const CONNECTED: u8 = 1;

/// `struct netlink_diag_msg`.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct DiagMessage {
    family: u8,
    kind: u8,
    protocol: u8,
    state: u8,
    port: u32,
    peer_port: u32,
    peer_group: u32,
    inode: u32,
    /// Low half first.
    cookie: [u32; 2],
}

/// Returns the body of a request for all netlink sockets.
pub(crate) fn encode_request() -> Vec<u8> {
    diag_request::encode(AF_NETLINK, EVERY_PROTOCOL, SHOW_MEMORY)
}

/// Decodes one row; `None` when the message is too short or of another family. The identity is the
/// caller's to give.
pub(crate) fn decode_socket(message: &[u8]) -> Option<Socket> {
    let (row, attributes) = DiagMessage::read_from_prefix(message).ok()?;
    if row.family != AF_NETLINK {
        return None;
    }
    let mut socket = Socket::new(SocketId(0), Protocol::Netlink, Family::Netlink);
    socket.socket_type = SocketType::from_linux(row.kind.into());
    let end = |port| Some(Endpoint::Netlink { protocol: row.protocol, port });
    socket.local = end(row.port);
    socket.peer = end(row.peer_port).filter(|_| row.state == CONNECTED);
    socket.cookie = Some(diag_request::cookie(row.cookie));
    socket.inode = diag_request::inode(row.inode);
    let number = |index| Attributes(attributes).number(ATTRIBUTE_MEMORY, index);
    // SK_MEMINFO_RMEM_ALLOC and SK_MEMINFO_WMEM_ALLOC, linux/include/uapi/linux/sock_diag.h.
    socket.queues = number(0).zip(number(2)).map(|(recv, send)| Queues::Bytes { recv, send });
    Some(socket)
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::super::netlink::recorded_messages;
    use super::super::proc_net::{self, ByteOrder};
    use super::*;
    use crate::socket::Inode;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn recorded() -> Vec<Socket> {
        let bytes = include_bytes!("../../../tests/fixtures/raw/linux/netlink.netlink");
        recorded_messages(bytes).iter().filter_map(|row| decode_socket(row)).collect()
    }

    fn end(protocol: u8, port: u32) -> Endpoint {
        Endpoint::Netlink { protocol, port }
    }

    #[test]
    fn a_recorded_socket_has_its_protocol_port_peer_and_type() {
        let sockets = recorded();
        let at = |port| sockets.iter().find(|socket| socket.local == Some(end(15, port))).unwrap();
        let connected = at(4711);
        assert_eq!(
            (&connected.peer, connected.socket_type),
            (&Some(end(15, 0)), Some(SocketType::Raw))
        );
        assert!(matches!(connected.queues, Some(Queues::Bytes { recv: 0, send: 0 })));
        assert_eq!(at(4712).peer, None);
        assert_eq!(at(4712).socket_type, Some(SocketType::Dgram));
    }

    #[test]
    fn what_the_kernel_itself_listens_at_is_told_apart() {
        let sockets = recorded();
        let route = sockets.iter().find(|socket| socket.local == Some(end(0, 0))).unwrap();
        assert!(route.is_kernels_netlink());
        let ours = sockets.iter().find(|socket| socket.local == Some(end(15, 4711))).unwrap();
        assert!(!ours.is_kernels_netlink());
    }

    #[test]
    fn both_sources_have_the_same_sockets() {
        let proc = include_bytes!("../../../tests/fixtures/raw/linux/netlink.proc");
        let table = proc_net::parse(proc, Protocol::Netlink, Family::Netlink, ByteOrder::Little);
        assert_eq!(table.odd, []);
        // But for the one that asked.
        let facts = |sockets: &[Socket]| -> BTreeSet<(Option<Endpoint>, Option<Inode>)> {
            let asks = |end: &Option<Endpoint>| {
                matches!(end, Some(Endpoint::Netlink { protocol: 4, port: 1.. }))
            };
            let others = sockets.iter().filter(|socket| !asks(&socket.local));
            others.map(|socket| (socket.local.clone(), socket.inode)).collect()
        };
        assert_eq!(facts(&table.sockets), facts(&recorded()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(mut bytes: Vec<u8>, ours: bool) {
            if let (true, Some(family)) = (ours, bytes.first_mut()) {
                *family = AF_NETLINK;
            }
            // Either answer is fine; what counts is that there is one.
            let _row = decode_socket(&bytes);
        }
    }
}
