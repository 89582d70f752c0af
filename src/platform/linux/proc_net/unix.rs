//! The rows of `/proc/net/unix` (`unix_seq_show`, linux/net/unix/af_unix.c).

use super::super::unix_diag;
use crate::socket::{Endpoint, Family, Inode, Protocol, Socket, SocketId, SocketType};
use crate::state::TcpState;
use crate::text::Text;

/// `__SO_ACCEPTCON` in the flags: it listens.
const LISTENS: u32 = 1 << 16;
/// `SS_CONNECTING` and `SS_CONNECTED`: the kernel prints them for ESTABLISHED, by whether somebody
/// holds the socket.
const CONNECTED: [u8; 2] = [2, 3];

/// Parses `address: references protocol flags type state inode[ name]`. The name is any bytes; its
/// NULs are printed as `@`, so that one of an abstract name is.
pub(super) fn parse_row(line: &[u8]) -> Option<Socket> {
    let mut rest = line;
    let mut word = || {
        let start = rest.trim_ascii_start();
        let end = start.iter().position(|byte| *byte == b' ').unwrap_or(start.len());
        let (word, after) = start.split_at_checked(end)?;
        rest = after;
        std::str::from_utf8(word).ok()
    };
    let [_address, _references, _protocol] = [word()?, word()?, word()?];
    let flags = u32::from_str_radix(word()?, 16).ok()?;
    let kind = u16::from_str_radix(word()?, 16).ok()?;
    let state = u8::from_str_radix(word()?, 16).ok()?;
    let inode: u64 = word()?.parse().ok()?;

    let state = match state {
        _ if flags & LISTENS != 0 => TcpState::Listen,
        number if CONNECTED.contains(&number) => TcpState::Established,
        _ => TcpState::Closed,
    };
    let mut socket = Socket::new(SocketId(0), Protocol::Unix, Family::Unix);
    socket.socket_type = SocketType::from_linux(kind);
    socket.state = unix_diag::state(state, socket.socket_type);
    socket.inode = (inode != 0).then_some(Inode(inode));
    socket.local = match rest {
        [] => None,
        [b' ', b'@', name @ ..] => Some(Endpoint::Abstract(Text::new(name))),
        [b' ', path @ ..] => Some(Endpoint::Path(Text::new(path))),
        [..] => return None,
    };
    Some(socket)
}
