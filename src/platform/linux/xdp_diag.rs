//! The messages of xdp_diag (linux/include/uapi/linux/xdp_diag.h): encodes a request for the table of
//! `AF_XDP` sockets, decodes its rows.
//!
//! Pure, as [`super::inet_diag`] is.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::diag_request;
use super::netlink::Attributes;
use crate::process::Uid;
use crate::socket::{Endpoint, Family, Interface, Protocol, Queues, Socket, SocketId, SocketType};

const AF_XDP: u8 = 44;

// What to tell of each socket: the device, its queue and the user, and the bytes in memory.
const SHOW_INFO: u32 = 1 << 0;
const SHOW_MEMORY: u32 = 1 << 3;

// And how it is told.
const ATTRIBUTE_INFO: u16 = 1;
const ATTRIBUTE_UID: u16 = 2;
const ATTRIBUTE_MEMORY: u16 = 8;

/// `struct xdp_diag_msg`.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct DiagMessage {
    family: u8,
    kind: u8,
    padding: u16,
    inode: u32,
    /// Low half first.
    cookie: [u32; 2],
}

/// Returns the body of a request for all `AF_XDP` sockets.
pub(crate) fn encode_request() -> Vec<u8> {
    diag_request::encode(AF_XDP, 0, SHOW_INFO | SHOW_MEMORY)
}

/// Decodes one row; `None` when the message is too short or of another family. The identity is the
/// caller's to give, and so is the device's name.
pub(crate) fn decode_socket(message: &[u8]) -> Option<Socket> {
    let (row, attributes) = DiagMessage::read_from_prefix(message).ok()?;
    if row.family != AF_XDP {
        return None;
    }
    let number = |kind, index| Attributes(attributes).number(kind, index);
    let mut socket = Socket::new(SocketId(0), Protocol::Xdp, Family::Xdp);
    socket.socket_type = SocketType::from_linux(row.kind.into());
    // One that is not bound has no device.
    let device = number(ATTRIBUTE_INFO, 0).filter(|index| *index != 0);
    let interface = device.map(|index| Interface { index, name: None });
    socket.local = interface
        .zip(number(ATTRIBUTE_INFO, 1))
        .map(|(interface, queue)| Endpoint::Xdp { interface: Box::new(interface), queue });
    socket.cookie = Some(diag_request::cookie(row.cookie));
    socket.inode = diag_request::inode(row.inode);
    socket.uid = number(ATTRIBUTE_UID, 0).filter(|_| socket.inode.is_some()).map(Uid);
    // SK_MEMINFO_RMEM_ALLOC and SK_MEMINFO_WMEM_ALLOC, linux/include/uapi/linux/sock_diag.h.
    let queues = number(ATTRIBUTE_MEMORY, 0).zip(number(ATTRIBUTE_MEMORY, 2));
    socket.queues = queues.map(|(recv, send)| Queues::Bytes { recv, send });
    Some(socket)
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::super::kernel_ports::tests::attribute;
    use super::*;
    use crate::socket::{Cookie, Inode};
    use proptest::prelude::*;

    fn row(attributes: &[Vec<u8>]) -> Vec<u8> {
        let row = DiagMessage { family: AF_XDP, kind: 3, padding: 0, inode: 4711, cookie: [7, 1] };
        [row.as_bytes().to_vec(), attributes.concat()].concat()
    }

    fn numbers(kind: u16, numbers: &[u32]) -> Vec<u8> {
        attribute(kind, &numbers.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<_>>())
    }

    #[test]
    fn a_bound_socket_has_its_device_and_queue() {
        let attributes = [
            numbers(ATTRIBUTE_INFO, &[2, 3]),
            numbers(ATTRIBUTE_UID, &[1000]),
            numbers(ATTRIBUTE_MEMORY, &[5, 0, 6]),
        ];
        let socket = decode_socket(&row(&attributes)).unwrap();
        assert_eq!(socket.local.unwrap().to_string(), "2:q3");
        assert_eq!((socket.uid, socket.inode), (Some(Uid(1000)), Some(Inode(4711))));
        assert_eq!(socket.queues, Some(Queues::Bytes { recv: 5, send: 6 }));
        assert_eq!(socket.cookie, Some(Cookie(1 << 32 | 7)));
    }

    #[test]
    fn one_that_is_not_bound_has_no_end() {
        let socket = decode_socket(&row(&[numbers(ATTRIBUTE_INFO, &[0, 0])])).unwrap();
        assert_eq!((socket.local, socket.socket_type), (None, Some(SocketType::Raw)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(mut bytes: Vec<u8>, ours: bool) {
            if let (true, Some(family)) = (ours, bytes.first_mut()) {
                *family = AF_XDP;
            }
            // Either answer is fine; what counts is that there is one.
            let _row = decode_socket(&bytes);
        }
    }
}
