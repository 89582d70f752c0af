//! Which TCP sockets are subflows of an MPTCP socket: they share its inode, since the kernel gives them
//! all its file (`mptcp_sock_graft`, linux/net/mptcp/protocol.h).

use std::collections::HashMap;

use super::Packed;
use crate::socket::{Cookie, Inode, NetnsId, Protocol, Socket};
use crate::sockets::Place;

/// Marks the subflows, where the MPTCP sockets were read too.
pub(super) fn mark(rows: &mut Packed) {
    let of = |socket: &Socket| Some((socket.netns, socket.inode?));
    let whole: HashMap<(Option<NetnsId>, Inode), Cookie> = rows
        .sockets_where(|socket| socket.protocol == Protocol::Mptcp)
        .filter_map(|(_, socket)| Some((of(&socket)?, socket.cookie?)))
        .collect();
    if whole.is_empty() {
        return;
    }
    let subflows: Vec<(Place, Cookie)> = rows
        .sockets_where(|socket| socket.protocol == Protocol::Tcp)
        .filter_map(|(place, socket)| Some((place, *whole.get(&of(&socket)?)?)))
        .collect();
    for (place, whole) in subflows {
        rows.change(place, |entry| entry.socket.rare.make_mut().subflow_of = Some(whole));
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::join::join;
    use crate::snapshot::{Collected, Timestamp};
    use crate::socket::{Family, SocketId};

    #[test]
    fn a_subflow_has_the_inode_of_its_mptcp_socket() {
        let socket = |id, protocol, inode: Option<u64>| {
            let mut socket = Socket::new(SocketId(id), protocol, Family::Inet);
            socket.cookie = Some(Cookie(id * 10));
            socket.inode = inode.map(Inode);
            socket
        };
        let mut collected = Collected::new(Timestamp(SystemTime::UNIX_EPOCH), "linux", "linux");
        collected.sockets = vec![
            socket(1, Protocol::Mptcp, Some(7)),
            socket(2, Protocol::Tcp, Some(7)),
            socket(3, Protocol::Tcp, Some(7)),
            socket(4, Protocol::Tcp, Some(8)),
            socket(5, Protocol::Mptcp, None),
            socket(6, Protocol::Tcp, None),
        ];
        collected
            .sockets
            .push(Socket { netns: Some(NetnsId(1)), ..socket(7, Protocol::Tcp, Some(7)) });
        let marks: Vec<Option<u64>> = join(collected)
            .entries
            .iter()
            .map(|entry| entry.socket.rare.subflow_of.map(|Cookie(cookie)| cookie))
            .collect();
        assert_eq!(marks, [None, Some(10), Some(10), None, None, None, None]);
    }
}
