//! Which ports the kernel has for itself: its tunnels, and its servers and clients of files.
//!
//! Asked only when a socket without holder may be one of them. What tells nothing is passed over: the
//! sockets that it would explain stay hidden, and say so.

mod files;
mod generic;
mod links;

use std::collections::BTreeMap;
use std::path::Path;

use self::links::Link;
use super::link_message::RTM_GETLINK;
use super::netlink;
use super::netns::Way;
use super::proc_net;
use crate::kernel::KernelPort;
use crate::socket::Socket;
use crate::text::Text;

/// Returns whether the kernel may have this socket for itself: its have inodes like any other's.
pub(super) fn may_be(socket: &Socket) -> bool {
    socket.family.is_ip() && socket.inode.is_some()
}

/// Reads the ports of one namespace. The machine's first one also has those that only the machine
/// tells of.
pub(super) fn read(way: Way<'_>, is_first: bool) -> Vec<KernelPort> {
    let mut ports = match way {
        Way::Inside => read_inside(),
        Way::Outside(directory) => files::read_net(directory),
    };
    if is_first {
        ports.extend(files::read_machine(Path::new("/")));
    }
    ports
}

/// Reads the ports of the namespace this thread is in.
fn read_inside() -> Vec<KernelPort> {
    let mut ports = files::read_net(Path::new(proc_net::DIRECTORY));
    let mut wireguard: Vec<Text> = Vec::new();
    for link in route(&links::encode_request()) {
        match link {
            Link::Ports(of_link) => ports.extend(of_link),
            Link::Wireguard(name) => wireguard.push(name),
            Link::Other => {}
        }
    }
    let families: BTreeMap<Text, u16> =
        generic(generic::CONTROLLER, &generic::encode_families(), generic::decode_family)
            .into_iter()
            .collect();
    let family = |name| families.get(&Text::new(name)).copied();
    if let Some(family) = family(generic::WIREGUARD) {
        for link in &wireguard {
            let Some(request) = generic::encode_wireguard(link) else { continue };
            let decode = |message: &[u8]| generic::decode_wireguard(message, link);
            ports.extend(generic(family, &request, decode));
        }
    }
    if let Some(family) = family(generic::FOU) {
        ports.extend(generic(family, &generic::encode_fou(), generic::decode_fou));
    }
    if let Some(family) = family(generic::L2TP) {
        ports.extend(generic(family, &generic::encode_l2tp(), generic::decode_l2tp));
    }
    ports
}

fn route(request: &[u8]) -> Vec<Link> {
    let mut rows = Vec::new();
    // Refused, as in some sandboxes, it tells nothing.
    let _outcome = netlink::dump_route(RTM_GETLINK, request, &mut rows, links::decode);
    rows
}

fn generic<T>(family: u16, request: &[u8], decode: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
    let mut rows = Vec::new();
    // WireGuard's and L2TP's ports are told to the namespace's administrator only.
    let _outcome = netlink::dump_generic(family, request, &mut rows, decode);
    rows
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::socket::{Family, Inode, Protocol, SocketId};

    /// A netlink attribute.
    pub(in super::super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn only_a_socket_of_ip_with_an_inode_may_be_the_kernels() {
        let may_be = |protocol, family, inode| {
            may_be(&Socket { inode, ..Socket::new(SocketId(0), protocol, family) })
        };
        assert!(may_be(Protocol::Udp, Family::Inet, Some(Inode(1))));
        assert!(!may_be(Protocol::Tcp, Family::Inet6, None));
        assert!(!may_be(Protocol::Unix, Family::Unix, Some(Inode(2))));
    }

    #[test]
    fn the_links_of_this_namespace_can_be_read() {
        assert!(!route(&links::encode_request()).is_empty(), "there is lo at least");
        let families =
            generic(generic::CONTROLLER, &generic::encode_families(), generic::decode_family);
        assert!(families.contains(&("nlctrl".into(), generic::CONTROLLER)), "{families:?}");
    }
}
