//! The messages of vsock_diag (`vsock(7)`, linux/include/uapi/linux/vm_sockets_diag.h): encodes a
//! request for the table of sockets between virtual machines and their host, decodes its rows.
//!
//! Pure, as [`super::inet_diag`] is. The kernel tells neither users nor queues.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::diag_request;
use crate::socket::{Endpoint, Family, Protocol, Socket, SocketId, SocketType};
use crate::state::TcpState;

const AF_VSOCK: u8 = 40;

/// `struct vsock_diag_msg`.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct DiagMessage {
    family: u8,
    kind: u8,
    state: u8,
    shutdown: u8,
    cid: u32,
    port: u32,
    peer_cid: u32,
    peer_port: u32,
    inode: u32,
    /// Low half first.
    cookie: [u32; 2],
}

/// Returns the body of a request for all vsock sockets.
pub(crate) fn encode_request() -> Vec<u8> {
    diag_request::encode_in_states(AF_VSOCK, u32::MAX, 0)
}

/// Decodes one row; `None` when the message is too short or of another family. The identity is the
/// caller's to give.
pub(crate) fn decode_socket(message: &[u8]) -> Option<Socket> {
    let (row, _) = DiagMessage::read_from_prefix(message).ok()?;
    if row.family != AF_VSOCK {
        return None;
    }
    let mut socket = Socket::new(SocketId(0), Protocol::Vsock, Family::Vsock);
    socket.socket_type = SocketType::from_linux(row.kind.into());
    socket.state = Some(TcpState::from_linux(row.state));
    socket.local = Some(Endpoint::Vsock { cid: row.cid, port: row.port });
    // Without a peer both are "any".
    socket.peer = (row.peer_cid != u32::MAX || row.peer_port != u32::MAX)
        .then_some(Endpoint::Vsock { cid: row.peer_cid, port: row.peer_port });
    socket.cookie = Some(diag_request::cookie(row.cookie));
    socket.inode = diag_request::inode(row.inode);
    Some(socket)
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;
    use crate::socket::{Cookie, Inode};
    use proptest::prelude::*;

    fn row(state: u8, local: [u32; 2], peer: [u32; 2]) -> Vec<u8> {
        let [cid, port] = local;
        let [peer_cid, peer_port] = peer;
        let cookie = [7, 1];
        let (family, kind, shutdown, inode) = (AF_VSOCK, 1, 0, 4711);
        DiagMessage { family, kind, state, shutdown, cid, port, peer_cid, peer_port, inode, cookie }
            .as_bytes()
            .to_vec()
    }

    #[test]
    fn a_listener_takes_any_machine_and_a_connection_has_both_ends() {
        let listener = decode_socket(&row(10, [u32::MAX, 9000], [u32::MAX; 2])).unwrap();
        assert_eq!(listener.local.unwrap().to_string(), "*:9000");
        assert_eq!((listener.state, listener.peer), (Some(TcpState::Listen), None));
        assert_eq!(listener.socket_type, Some(SocketType::Stream));
        assert_eq!(listener.cookie, Some(Cookie(1 << 32 | 7)));
        assert_eq!(listener.inode, Some(Inode(4711)));
        let connection = decode_socket(&row(1, [3, 9000], [2, 1024])).unwrap();
        assert_eq!(connection.state, Some(TcpState::Established));
        assert_eq!(connection.peer.unwrap().to_string(), "2:1024");
    }

    #[test]
    fn the_request_has_the_layout_of_the_kernel() {
        let body = encode_request();
        assert_eq!((body.len(), &body[..8]), (24, &[40, 0, 0, 0, 0xff, 0xff, 0xff, 0xff][..]));
        assert_eq!(row(1, [3, 9], [2, 1]).len(), 32);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(mut bytes: Vec<u8>, ours: bool) {
            if let (true, Some(family)) = (ours, bytes.first_mut()) {
                *family = AF_VSOCK;
            }
            // Either answer is fine; what counts is that there is one.
            let _row = decode_socket(&bytes);
        }
    }
}
