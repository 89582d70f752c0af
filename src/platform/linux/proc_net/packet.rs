//! The rows of `/proc/net/packet` (`packet_seq_show`, linux/net/packet/af_packet.c) and
//! `/proc/net/netlink` (`netlink_native_seq_show`, linux/net/netlink/af_netlink.c).

use super::super::packet_diag;
use crate::process::Uid;
use crate::socket::{Endpoint, Family, Inode, Protocol, Queues, Socket, SocketId};

/// Parses `address references type ethertype device running rmem user inode`.
pub(super) fn parse_packet_row(row: &str) -> Option<Socket> {
    let mut words = row.split_ascii_whitespace();
    let [_address, _references] = [words.next()?, words.next()?];
    let kind = words.next()?.parse().ok()?;
    let ethertype = u16::from_str_radix(words.next()?, 16).ok()?;
    let device = words.next()?.parse().ok()?;
    let _running = words.next()?;
    let recv = words.next()?.parse().ok()?;
    let uid = words.next()?.parse().ok()?;
    let inode: u64 = words.next()?.parse().ok()?;
    let mut socket = packet_diag::socket(kind, ethertype, Some(device));
    socket.inode = (inode != 0).then_some(Inode(inode));
    socket.uid = socket.inode.map(|_| Uid(uid));
    socket.queues = Some(Queues::Bytes { recv, send: 0 });
    Some(socket)
}

/// Parses `address protocol port groups rmem wmem dump locks drops inode`.
pub(super) fn parse_netlink_row(row: &str) -> Option<Socket> {
    let mut words = row.split_ascii_whitespace();
    let _address = words.next()?;
    let protocol = words.next()?.parse().ok()?;
    // Printed as a signed number by older kernels.
    let port = words.next()?.parse::<i64>().ok()?;
    let port = u32::try_from(port).or_else(|_| i32::try_from(port).map(i32::cast_unsigned)).ok()?;
    let _groups = words.next()?;
    let recv = words.next()?.parse().ok()?;
    let send = words.next()?.parse().ok()?;
    let [_dump, _locks, _drops] = [words.next()?, words.next()?, words.next()?];
    let inode: u64 = words.next()?.parse().ok()?;
    let mut socket = Socket::new(SocketId(0), Protocol::Netlink, Family::Netlink);
    socket.local = Some(Endpoint::Netlink { protocol, port });
    socket.inode = (inode != 0).then_some(Inode(inode));
    socket.queues = Some(Queues::Bytes { recv, send });
    Some(socket)
}
