//! What the smaller diag modules have in common: each has structures of its own in its own header, but
//! there are two kinds of request, and sockets are identified alike.

use zerocopy::{Immutable, IntoBytes};

use crate::socket::{Cookie, Inode};

/// `struct packet_diag_req`, `netlink_diag_req`, `xdp_diag_req`: of sockets without states.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct Stateless {
    family: u8,
    protocol: u8,
    padding: u16,
    inode: u32,
    show: u32,
    cookie: [u32; 2],
}

/// `struct unix_diag_req`, `vsock_diag_req`: of sockets in some states, a bit each.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct InStates {
    family: u8,
    protocol: u8,
    padding: u16,
    states: u32,
    inode: u32,
    show: u32,
    cookie: [u32; 2],
}

/// Returns the body of a request for all sockets of a protocol of a family that has no states. `show` is
/// what to tell of each, in the family's own bits.
pub(super) fn encode(family: u8, protocol: u8, show: u32) -> Vec<u8> {
    let request = Stateless { family, protocol, padding: 0, inode: 0, show, cookie: [0; 2] };
    request.as_bytes().to_vec()
}

/// Returns the body of a request for all sockets of a family that are in one of these states.
pub(super) fn encode_in_states(family: u8, states: u32, show: u32) -> Vec<u8> {
    let (protocol, padding, inode, cookie) = (0, 0, 0, [0; 2]);
    InStates { family, protocol, padding, states, inode, show, cookie }.as_bytes().to_vec()
}

/// Returns the cookie that is told in two halves, the low one first.
pub(super) fn cookie([low, high]: [u32; 2]) -> Cookie {
    Cookie(u64::from(high) << 32 | u64::from(low))
}

/// Returns the inode; `None` for 0, which is no inode.
pub(super) fn inode(number: u32) -> Option<Inode> {
    (number != 0).then_some(Inode(u64::from(number)))
}
