//! The messages of unix_diag (`sock_diag(7)`, linux/include/uapi/linux/unix_diag.h): encodes a
//! request for the table of UNIX sockets, decodes its rows.
//!
//! Pure, as [`super::inet_diag`] is. The other end is a number here; the join looks it up.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::diag_request;
use super::netlink::Attributes;
use crate::process::Uid;
use crate::socket::{
    Endpoint, Family, Inode, Protocol, Queues, RareFacts, Socket, SocketId, SocketType,
};
use crate::state::TcpState;
use crate::text::Text;

const AF_UNIX: u8 = 1;

// What to tell of each socket.
const SHOW_NAME: u32 = 0x01;
const SHOW_FILE: u32 = 0x02;
const SHOW_PEER: u32 = 0x04;
const SHOW_WAITING: u32 = 0x08;
const SHOW_QUEUES: u32 = 0x10;
/// Since Linux 5.3; older kernels pass over it.
const SHOW_UID: u32 = 0x40;

// And how it is told.
const ATTRIBUTE_NAME: u16 = 0;
const ATTRIBUTE_FILE: u16 = 1;
const ATTRIBUTE_PEER: u16 = 2;
const ATTRIBUTE_WAITING: u16 = 3;
const ATTRIBUTE_QUEUES: u16 = 4;
const ATTRIBUTE_UID: u16 = 7;

/// `struct unix_diag_msg`.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct DiagMessage {
    family: u8,
    kind: u8,
    state: u8,
    padding: u8,
    inode: u32,
    /// Low half first.
    cookie: [u32; 2],
}

/// `struct unix_diag_rqlen`.
#[derive(Debug, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct QueueLengths {
    receive: u32,
    send: u32,
}

/// `struct unix_diag_vfs`: the file a socket is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct File {
    /// The low half of its inode number.
    pub(super) inode: u32,
    /// Its device, as the kernel has it: twelve bits of major and twenty of minor number.
    pub(super) device: u32,
}

/// A socket, and the file it is bound to where it is.
pub(super) type Bound = (Inode, Option<File>);

/// Returns the body of a request for the files that sockets are bound to.
pub(super) fn encode_file_request() -> Vec<u8> {
    diag_request::encode_in_states(AF_UNIX, u32::MAX, SHOW_FILE)
}

/// Decodes a row of the answer; `None` when the message is too short.
pub(super) fn decode_file(message: &[u8]) -> Option<Bound> {
    let (row, attributes) = DiagMessage::read_from_prefix(message).ok()?;
    let file = Attributes(attributes).value(ATTRIBUTE_FILE);
    let file = file.and_then(|value| File::read_from_prefix(value).ok());
    Some((Inode(row.inode.into()), file.map(|(file, _)| file)))
}

/// Returns the body of a request for the sockets in one of these states: a bit for each, of which
/// UNIX sockets use those of LISTEN, ESTABLISHED and CLOSE.
pub(crate) fn encode_request(states: u32) -> Vec<u8> {
    let show = SHOW_NAME | SHOW_PEER | SHOW_WAITING | SHOW_QUEUES | SHOW_UID;
    diag_request::encode_in_states(AF_UNIX, states, show)
}

/// Decodes one row; `None` when the message is too short or of another family. The identity is the
/// caller's to give.
pub(crate) fn decode_socket(message: &[u8]) -> Option<Socket> {
    let (row, attributes) = DiagMessage::read_from_prefix(message).ok()?;
    if row.family != AF_UNIX {
        return None;
    }
    let attribute = |kind| Attributes(attributes).value(kind);
    let mut socket = Socket::new(SocketId(0), Protocol::Unix, Family::Unix);
    socket.socket_type = SocketType::from_linux(row.kind.into());
    socket.state = state(TcpState::from_linux(row.state), socket.socket_type);
    socket.local = attribute(ATTRIBUTE_NAME).and_then(decode_name);
    let peer_inode = attribute(ATTRIBUTE_PEER).and_then(|value| decode_inodes(value).next());
    let waiting_inodes =
        attribute(ATTRIBUTE_WAITING).map(decode_inodes).into_iter().flatten().collect();
    socket.rare = RareFacts { peer_inode, waiting_inodes, ..RareFacts::default() }.into();
    socket.cookie = Some(diag_request::cookie(row.cookie));
    socket.inode = diag_request::inode(row.inode);
    socket.uid = attribute(ATTRIBUTE_UID)
        .and_then(|value| u32::read_from_prefix(value).ok())
        .filter(|_| socket.inode.is_some())
        .map(|(uid, _)| Uid(uid));
    socket.queues = attribute(ATTRIBUTE_QUEUES)
        .and_then(|value| QueueLengths::read_from_prefix(value).ok())
        .map(|(QueueLengths { receive, send }, _)| match socket.state {
            Some(TcpState::Listen) => Queues::Backlog { pending: receive, limit: Some(send) },
            Some(_) | None => Queues::Bytes { recv: receive, send },
        });
    Some(socket)
}

/// Returns the state of a UNIX socket: one of datagrams that is not connected has none, as UDP's.
pub(super) fn state(state: TcpState, socket_type: Option<SocketType>) -> Option<TcpState> {
    (state != TcpState::Closed || socket_type != Some(SocketType::Dgram)).then_some(state)
}

/// Decodes inode numbers; 0 stands for a socket that nobody has accepted yet, which has none.
fn decode_inodes(value: &[u8]) -> impl Iterator<Item = Inode> {
    let numbers = value.chunks_exact(4).filter_map(|bytes| u32::read_from_bytes(bytes).ok());
    numbers.filter(|&number| number != 0).map(|number| Inode(number.into()))
}

/// Decodes a name as in `unix(7)`: a path, perhaps with its NUL, or a NUL and any bytes.
fn decode_name(name: &[u8]) -> Option<Endpoint> {
    match name {
        [] => None,
        [0, name @ ..] => Some(Endpoint::Abstract(Text::new(name))),
        [path @ .., 0] | path => Some(Endpoint::Path(Text::new(path))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Cookie;
    use proptest::prelude::*;

    /// Returns a row with these attributes, all of them with values.
    fn message(kind: u8, state: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let row =
            DiagMessage { family: AF_UNIX, kind, state, padding: 0, inode: 77, cookie: [5, 1] };
        let mut bytes = row.as_bytes().to_vec();
        for (kind, value) in attributes {
            bytes.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
    }

    #[test]
    fn a_listener_has_its_path_backlog_and_user() {
        let queues = numbers(&[2, 128]);
        let uid = numbers(&[1000]);
        let attributes = [(0, &b"/run/x.sock\0"[..]), (4, &queues), (7, &uid)];
        let socket = decode_socket(&message(1, 10, &attributes)).unwrap();

        let mut expected = Socket::new(SocketId(0), Protocol::Unix, Family::Unix);
        expected.socket_type = Some(SocketType::Stream);
        expected.state = Some(TcpState::Listen);
        expected.local = Some(Endpoint::Path("/run/x.sock".into()));
        expected.queues = Some(Queues::Backlog { pending: 2, limit: Some(128) });
        expected.inode = Some(Inode(77));
        expected.cookie = Some(Cookie(1 << 32 | 5));
        expected.uid = Some(Uid(1000));
        assert_eq!(socket, expected);
    }

    #[test]
    fn an_abstract_name_keeps_every_byte() {
        let socket = decode_socket(&message(1, 1, &[(0, b"\0a\0b\xff\0")])).unwrap();
        assert_eq!(socket.local, Some(Endpoint::Abstract(Text::new(*b"a\0b\xff\0"))));
    }

    #[test]
    fn without_a_name_it_is_unbound_and_without_a_user_attribute_unowned() {
        let socket = decode_socket(&message(1, 1, &[])).unwrap();
        assert_eq!((socket.local, socket.uid, socket.queues), (None, None, None));
    }

    #[test]
    fn a_datagram_socket_has_a_state_only_when_connected() {
        let state = |kind, number| decode_socket(&message(kind, number, &[])).unwrap().state;
        assert_eq!(state(2, 7), None);
        assert_eq!(state(2, 1), Some(TcpState::Established));
        assert_eq!(state(1, 7), Some(TcpState::Closed));
    }

    #[test]
    fn a_socket_has_its_type_and_the_inode_of_its_peer() {
        for (kind, socket_type) in [
            (1, Some(SocketType::Stream)),
            (2, Some(SocketType::Dgram)),
            (3, Some(SocketType::Raw)),
            (5, Some(SocketType::Seqpacket)),
            (9, None),
        ] {
            let socket = decode_socket(&message(kind, 1, &[(2, &numbers(&[78]))])).unwrap();
            assert_eq!(
                (socket.socket_type, socket.rare.peer_inode),
                (socket_type, Some(Inode(78)))
            );
        }
    }

    #[test]
    fn a_peer_that_is_not_accepted_yet_has_no_inode() {
        let socket = decode_socket(&message(1, 1, &[(2, &numbers(&[0]))])).unwrap();
        assert_eq!(socket.rare.peer_inode, None);
    }

    #[test]
    fn a_listener_names_those_who_wait() {
        let socket = decode_socket(&message(1, 10, &[(3, &numbers(&[5, 0, 6]))])).unwrap();
        assert_eq!(*socket.rare.waiting_inodes, [Inode(5), Inode(6)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(mut bytes: Vec<u8>, ours: bool) {
            if let (true, Some(family)) = (ours, bytes.first_mut()) {
                *family = AF_UNIX;
            }
            // Either answer is fine; what counts is that there is one.
            let _row = decode_socket(&bytes);
        }
    }
}
