//! The messages of packet_diag (`packet(7)`, linux/include/uapi/linux/packet_diag.h): encodes a
//! request for the table of packet sockets, decodes its rows.
//!
//! Pure, as [`super::inet_diag`] is.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::diag_request;
use super::netlink::Attributes;
use crate::process::Uid;
use crate::socket::{
    Endpoint, Family, Interface, Protocol, Queues, RareFacts, Socket, SocketId, SocketType,
};

const AF_PACKET: u8 = 17;

// What to tell of each socket: the device and the user, and the bytes in memory.
const SHOW_INFO: u32 = 0x01;
const SHOW_MEMORY: u32 = 0x10;

// And how it is told.
const ATTRIBUTE_INFO: u16 = 0;
const ATTRIBUTE_UID: u16 = 5;
const ATTRIBUTE_MEMORY: u16 = 6;

/// `struct packet_diag_msg`.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct DiagMessage {
    family: u8,
    kind: u8,
    ethertype: u16,
    inode: u32,
    /// Low half first.
    cookie: [u32; 2],
}

/// Returns the body of a request for all packet sockets.
pub(crate) fn encode_request() -> Vec<u8> {
    diag_request::encode(AF_PACKET, 0, SHOW_INFO | SHOW_MEMORY)
}

/// Decodes one row; `None` when the message is too short or of another family. The identity is the
/// caller's to give, and so is the device's name.
pub(crate) fn decode_socket(message: &[u8]) -> Option<Socket> {
    let (row, attributes) = DiagMessage::read_from_prefix(message).ok()?;
    if row.family != AF_PACKET {
        return None;
    }
    let number = |kind, index| Attributes(attributes).number(kind, index);
    let mut socket = socket(u16::from(row.kind), row.ethertype, number(ATTRIBUTE_INFO, 0));
    socket.cookie = Some(diag_request::cookie(row.cookie));
    socket.inode = diag_request::inode(row.inode);
    socket.uid = number(ATTRIBUTE_UID, 0).filter(|_| socket.inode.is_some()).map(Uid);
    // SK_MEMINFO_RMEM_ALLOC and SK_MEMINFO_WMEM_ALLOC, linux/include/uapi/linux/sock_diag.h.
    let queues = number(ATTRIBUTE_MEMORY, 0).zip(number(ATTRIBUTE_MEMORY, 2));
    socket.queues = queues.map(|(recv, send)| Queues::Bytes { recv, send });
    Some(socket)
}

/// Returns a packet socket of this type that hears this kind of frames on this device; 0 stands for
/// none, and for all of them.
pub(super) fn socket(kind: u16, ethertype: u16, device: Option<u32>) -> Socket {
    let mut socket = Socket::new(SocketId(0), Protocol::Packet, Family::Packet);
    socket.socket_type = SocketType::from_linux(kind);
    let index = device.filter(|index| *index != 0);
    let interface = index.map(|index| Box::new(Interface { index, name: None }));
    socket.rare = RareFacts { interface, ..RareFacts::default() }.into();
    socket.local = (ethertype != 0)
        .then(|| Endpoint::Packet { ethertype, interface: socket.rare.interface.clone() });
    socket
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::super::netlink::recorded_messages;
    use super::super::proc_net::{self, ByteOrder};
    use super::*;
    use proptest::prelude::*;

    /// The facts of the recorded scene, in the words of record.py.
    fn facts(socket: &Socket) -> (Option<SocketType>, Option<String>, Option<u32>) {
        let device = socket.rare.interface.as_ref().map(|interface| interface.index);
        (socket.socket_type, socket.local.as_ref().map(ToString::to_string), device)
    }

    fn scene() -> Vec<(Option<SocketType>, Option<String>, Option<u32>)> {
        vec![
            (Some(SocketType::Raw), Some("arp%1".to_owned()), Some(1)),
            (Some(SocketType::Dgram), Some("all".to_owned()), None),
            (Some(SocketType::Raw), Some("0x88cc".to_owned()), None),
            (Some(SocketType::Raw), None, None),
        ]
    }

    #[test]
    fn every_row_of_a_recorded_table_is_right() {
        let bytes = include_bytes!("../../../tests/fixtures/raw/linux/packet.netlink");
        let sockets: Vec<Socket> =
            recorded_messages(bytes).iter().map(|row| decode_socket(row).unwrap()).collect();
        assert_eq!(sockets.iter().map(facts).collect::<Vec<_>>(), scene());
        for socket in &sockets {
            assert!(matches!(socket.queues, Some(Queues::Bytes { .. })), "{socket:?}");
            assert_eq!((socket.uid, socket.inode.is_some()), (Some(Uid(0)), true));
        }
    }

    #[test]
    fn both_sources_tell_the_same_but_for_cookies() {
        let netlink = include_bytes!("../../../tests/fixtures/raw/linux/packet.netlink");
        let proc = include_bytes!("../../../tests/fixtures/raw/linux/packet.proc");
        let table = proc_net::parse(proc, Protocol::Packet, Family::Packet, ByteOrder::Little);
        assert_eq!(table.odd, []);
        let mut theirs = recorded_messages(netlink)
            .iter()
            .map(|row| Socket { cookie: None, ..decode_socket(row).unwrap() })
            .collect::<Vec<Socket>>();
        for socket in &mut theirs {
            if let Some(Queues::Bytes { send, .. }) = &mut socket.queues {
                *send = 0;
            }
        }
        assert_eq!(table.sockets, theirs);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(mut bytes: Vec<u8>, ours: bool) {
            if let (true, Some(family)) = (ours, bytes.first_mut()) {
                *family = AF_PACKET;
            }
            // Either answer is fine; what counts is that there is one.
            let _row = decode_socket(&bytes);
        }
    }
}
