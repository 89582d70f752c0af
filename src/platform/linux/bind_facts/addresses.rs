//! The interfaces of this thread's network namespace and their addresses, from rtnetlink
//! (`rtnetlink(7)`).

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use rustix::io::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::diagnose::{BindFacts, LocalAddress};
use crate::error::cause;
use crate::platform::linux::link_message::{self, LinkMessage, RTM_GETLINK};
use crate::platform::linux::netlink::{self, Attributes};
use crate::snapshot::{Gap, Missing};
use crate::socket::Interface;
use crate::text::Text;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

// linux/include/uapi/linux/rtnetlink.h
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const RTN_LOCAL: u8 = 2;
const RTN_BROADCAST: u8 = 3;
const RTA_DST: u16 = 1;
// linux/include/uapi/linux/if_link.h
const IFLA_MASTER: u16 = 10;
// linux/include/uapi/linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;

/// `struct ifaddrmsg`.
#[derive(Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct AddressMessage {
    family: u8,
    prefix: u8,
    flags: u8,
    scope: u8,
    index: u32,
}

/// `struct rtmsg`.
#[derive(Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RouteMessage {
    family: u8,
    destination_bits: u8,
    source_bits: u8,
    tos: u8,
    table: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    index: u32,
    name: Option<Text>,
    /// The interface it is part of: a bridge, a bond, a VRF.
    master: Option<u32>,
    is_vrf: bool,
}

/// Reads the interfaces, their addresses, and how the kernel counts the one asked about.
pub(super) fn read(address: IpAddr, device: Option<&Interface>, facts: &mut BindFacts) {
    let mut links = Vec::new();
    let outcome = netlink::dump_route(
        RTM_GETLINK,
        LinkMessage::default().as_bytes(),
        &mut links,
        decode_link,
    );
    if let Err(error) = outcome {
        facts.gaps.push(Gap::new(Missing::BindFacts, cause(&error)).detail("interfaces"));
        return;
    }
    let names: HashMap<u32, Text> =
        links.iter().filter_map(|link| Some((link.index, link.name.clone()?))).collect();
    let interface = |index| Interface { index, name: names.get(&index).cloned() };
    facts.interfaces = Some(links.iter().map(|link| interface(link.index)).collect());
    let vrfs = vrfs(&links);
    let is_in_vrf = |link: &Link| {
        vrfs.contains_key(&link.index) && device.is_some_and(|device| is(link, device))
    };
    let has_own_routes = links.iter().any(is_in_vrf);
    facts.vrfs = Some(vrfs);

    let mut addresses: Vec<LocalAddress> = Vec::new();
    let decode = |message: &[u8]| decode_address(message, interface);
    match netlink::dump_route(
        RTM_GETADDR,
        AddressMessage::default().as_bytes(),
        &mut addresses,
        decode,
    ) {
        Ok(_) => facts.addresses = Some(addresses),
        Err(error) => {
            facts.gaps.push(Gap::new(Missing::BindFacts, cause(&error)).detail("addresses"));
        }
    }
    if let IpAddr::V4(v4) = address.to_canonical()
        && !v4.is_unspecified()
        && !has_own_routes
    {
        // The table that decides is made for the first address there is. Before that every address may be
        // bound (`inet_addr_type`, linux/net/ipv4/fib_frontend.c), though no route leads to any.
        let is_told = facts.addresses.iter().flatten().any(|known| known.address.is_ipv4());
        facts.is_routed_here = is_routed_here(v4).filter(|_| is_told);
    }
}

/// Returns whether an interface of this thread's network namespace has the address.
pub(in super::super) fn is_had_here(address: IpAddr) -> bool {
    let mut all: Vec<LocalAddress> = Vec::new();
    let unnamed = |index| Interface { index, name: None };
    let decode = |message: &[u8]| decode_address(message, unnamed);
    let body = AddressMessage::default();
    netlink::dump_route(RTM_GETADDR, body.as_bytes(), &mut all, decode).is_ok()
        && all.iter().any(|known| known.address == address.to_canonical())
}

/// Returns the links that are in a VRF or are one, with the index of the VRF, which has routes of its
/// own.
fn vrfs(links: &[Link]) -> BTreeMap<u32, u32> {
    let is_vrf = |index: u32| links.iter().any(|link| link.index == index && link.is_vrf);
    let vrf_of = |link: &Link| {
        let vrf = if link.is_vrf { Some(link.index) } else { link.master.filter(|&of| is_vrf(of)) };
        Some((link.index, vrf?))
    };
    links.iter().filter_map(vrf_of).collect()
}

/// Returns whether a link is this interface, by its name where it has one.
fn is(link: &Link, interface: &Interface) -> bool {
    match &interface.name {
        Some(name) => link.name.as_ref() == Some(name),
        None => link.index == interface.index,
    }
}

fn decode_link(message: &[u8]) -> Option<Link> {
    let (link, attributes) = LinkMessage::read_from_prefix(message).ok()?;
    let attributes = Attributes(attributes);
    Some(Link {
        index: link.index,
        name: link_message::name(&attributes).map(Text::new),
        master: attributes.number(IFLA_MASTER, 0),
        is_vrf: link_message::kind(&attributes) == Some(b"vrf"),
    })
}

fn decode_address(message: &[u8], interface: impl Fn(u32) -> Interface) -> Option<LocalAddress> {
    let (row, attributes) = AddressMessage::read_from_prefix(message).ok()?;
    let attributes = Attributes(attributes);
    // On a point-to-point link IFA_ADDRESS is the peer's.
    let value = attributes.value(IFA_LOCAL).or_else(|| attributes.value(IFA_ADDRESS))?;
    let address = match row.family {
        AF_INET => IpAddr::from(<[u8; 4]>::try_from(value).ok()?),
        AF_INET6 => IpAddr::from(<[u8; 16]>::try_from(value).ok()?),
        _ => return None,
    };
    let flags = attributes.number(IFA_FLAGS, 0).unwrap_or_else(|| row.flags.into());
    Some(LocalAddress {
        address,
        prefix: row.prefix,
        interface: interface(row.index),
        is_tentative: flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC) == IFA_F_TENTATIVE,
        is_duplicate: flags & IFA_F_DADFAILED != 0,
    })
}

/// Asks how a datagram to this address would be routed; `None` when the kernel does not say.
fn is_routed_here(address: Ipv4Addr) -> Option<bool> {
    let message = RouteMessage { family: AF_INET, destination_bits: 32, ..RouteMessage::default() };
    let mut body = message.as_bytes().to_vec();
    body.extend(8_u16.to_ne_bytes());
    body.extend(RTA_DST.to_ne_bytes());
    body.extend(address.octets());
    let mut kind = None;
    let answer = netlink::ask_route(RTM_GETROUTE, &body, &mut |message| {
        kind = RouteMessage::read_from_prefix(message).ok().map(|(route, _)| route.kind);
    });
    match answer.map_err(|error| Errno::from_io_error(&error)) {
        Ok(()) => kind.map(|kind| matches!(kind, RTN_LOCAL | RTN_BROADCAST)),
        // Routes that say so, or none.
        Err(Some(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ACCESS | Errno::INVAL)) => {
            Some(false)
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::linux::kernel_ports::tests::attribute;
    use crate::platform::linux::link_message::{IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO};
    use proptest::prelude::*;

    fn address(family: u8, flags: u32, attributes: &[(u16, &[u8])]) -> LocalAddress {
        let row = AddressMessage { family, prefix: 24, index: 7, ..AddressMessage::default() };
        let mut message = row.as_bytes().to_vec();
        message.extend(attributes.iter().flat_map(|(kind, value)| attribute(*kind, value)));
        message.extend(attribute(IFA_FLAGS, &flags.to_ne_bytes()));
        decode_address(&message, |index| Interface { index, name: None }).unwrap()
    }

    #[test]
    fn on_a_point_to_point_link_our_own_address_counts() {
        let ours =
            address(AF_INET, 0, &[(IFA_ADDRESS, &[10, 0, 0, 2]), (IFA_LOCAL, &[10, 0, 0, 1])]);
        assert_eq!(ours.address, IpAddr::from([10, 0, 0, 1]));
        assert_eq!((ours.prefix, ours.interface.index), (24, 7));
    }

    #[test]
    fn an_address_under_check_is_tentative_unless_it_may_be_used_meanwhile() {
        let flags = |flags| {
            let address = address(AF_INET6, flags, &[(IFA_ADDRESS, &[0; 16])]);
            (address.is_tentative, address.is_duplicate)
        };
        assert_eq!(flags(0x80), (false, false));
        assert_eq!(flags(IFA_F_TENTATIVE), (true, false));
        assert_eq!(flags(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC), (false, false));
        assert_eq!(flags(IFA_F_TENTATIVE | IFA_F_DADFAILED), (true, true));
    }

    #[test]
    fn a_vrf_and_what_is_in_it_are_told_from_a_bridge_and_its_ports() {
        let link = |index, master: Option<u32>, kind: &[u8]| {
            let mut message = LinkMessage { index, ..LinkMessage::default() }.as_bytes().to_vec();
            message.extend(attribute(IFLA_IFNAME, b"eth0\0"));
            message.extend(master.iter().flat_map(|of| attribute(IFLA_MASTER, &of.to_ne_bytes())));
            message.extend(attribute(IFLA_LINKINFO, &attribute(IFLA_INFO_KIND, kind)));
            decode_link(&message).unwrap()
        };
        let links =
            [link(1, None, b"vrf\0"), link(2, Some(1), b"veth\0"), link(3, Some(4), b"veth\0")];
        assert_eq!(links[1].name, Some("eth0".into()));
        assert_eq!(
            vrfs(&[&links[..], &[link(4, None, b"bridge\0")]].concat()),
            [(1, 1), (2, 1)].into()
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoders_panic(bytes: Vec<u8>) {
            decode_link(&bytes);
            decode_address(&bytes, |index| Interface { index, name: None });
        }
    }
}
