//! Tunnels that are network links (`rtnetlink(7)`): the kind of each and the port it listens on.
//!
//! Pure: bytes to values.

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes as _, IntoBytes as _};

use crate::kernel::{KernelPort, Service};
use crate::platform::linux::link_message::{self, IFLA_LINKINFO, LinkMessage};
use crate::platform::linux::netlink::Attributes;
use crate::socket::{Family, Protocol};
use crate::text::Text;

// linux/include/uapi/linux/if_link.h
const IFLA_EXT_MASK: u16 = 29;
const IFLA_INFO_DATA: u16 = 2;
const IFF_UP: u32 = 1;
/// Leaves counters out of the answer.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

/// What a kind of link tells of its sockets, by the numbers of its attributes.
struct Kind {
    name: &'static [u8],
    service: Service,
    /// Its port, in network order.
    port: u16,
    /// It has sockets of both families.
    both: Option<u16>,
    /// It has one of IPv6, and none of IPv4.
    six: &'static [u16],
}

/// Every kind that listens on a UDP port of its own, while the link is up. `IFLA_VXLAN_`,
/// `IFLA_GENEVE_`, `IFLA_BAREUDP_`, linux/include/uapi/linux/if_link.h; `IFLA_AMT_`, linux/amt.h.
const KINDS: &[Kind] = &[
    Kind { name: b"vxlan", service: Service::Vxlan, port: 15, both: Some(25), six: &[16, 17] },
    Kind { name: b"geneve", service: Service::Geneve, port: 5, both: Some(6), six: &[7] },
    // One socket takes both families.
    Kind { name: b"bareudp", service: Service::Bareudp, port: 1, both: Some(1), six: &[] },
    Kind { name: b"amt", service: Service::Amt, port: 2, both: None, six: &[] },
];

/// The kinds whose ports are fixed.
const FIXED: &[(&[u8], Service, &[u16])] =
    &[(b"gtp", Service::Gtp, &[2152, 3386]), (b"pfcp", Service::Pfcp, &[8805])];

/// One link, as far as it may have sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// Its sockets have these ports.
    Ports(Vec<KernelPort>),
    /// A WireGuard link, whose port has to be asked for.
    Wireguard(Text),
    /// It has none of its own, or is down.
    Other,
}

/// Returns the body of a request for every link.
pub(super) fn encode_request() -> Vec<u8> {
    let mut body = LinkMessage::default().as_bytes().to_vec();
    body.extend(8_u16.to_ne_bytes());
    body.extend(IFLA_EXT_MASK.to_ne_bytes());
    body.extend(RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    body
}

/// Decodes one link; `None` when the message is too short.
pub(super) fn decode(message: &[u8]) -> Option<Link> {
    let (link, attributes) = LinkMessage::read_from_prefix(message).ok()?;
    let attributes = Attributes(attributes);
    let Some(info) = attributes.value(IFLA_LINKINFO) else { return Some(Link::Other) };
    let kind = link_message::kind(&attributes).unwrap_or_default();
    let data = Attributes(Attributes(info).value(IFLA_INFO_DATA).unwrap_or_default());
    let name = link_message::name(&attributes).map(Text::new);
    if let Some((_, service, ports)) = FIXED.iter().find(|(name, ..)| *name == kind) {
        let port = |port: &u16| KernelPort {
            link: name.clone(),
            ..KernelPort::new(*service, Protocol::Udp, *port)
        };
        return Some(Link::Ports(ports.iter().map(port).collect()));
    }
    if link.flags & IFF_UP == 0 {
        return Some(Link::Other);
    }
    if kind == b"wireguard" {
        return Some(name.map_or(Link::Other, Link::Wireguard));
    }
    let Some(kind) = KINDS.iter().find(|known| known.name == kind) else {
        return Some(Link::Other);
    };
    let port = data.value(kind.port).and_then(|value| U16::read_from_bytes(value).ok());
    let has = |wanted| data.value(wanted).is_some();
    let family = if kind.both.is_some_and(has) {
        None
    } else if kind.six.iter().copied().any(has) {
        Some(Family::Inet6)
    } else {
        Some(Family::Inet)
    };
    let fact = |port: U16| KernelPort {
        link: name,
        family,
        ..KernelPort::new(kind.service, Protocol::Udp, port.get())
    };
    Some(port.map_or(Link::Other, |port| Link::Ports(vec![fact(port)])))
}

#[cfg(test)]
mod tests {
    use super::super::tests::attribute;
    use super::*;
    use crate::platform::linux::link_message::{IFLA_IFNAME, IFLA_INFO_KIND};
    use proptest::prelude::*;

    /// A link as the kernel tells of it.
    fn link(name: &str, flags: u32, kind: &str, data: &[Vec<u8>]) -> Vec<u8> {
        let info = [
            attribute(IFLA_INFO_KIND, format!("{kind}\0").as_bytes()),
            attribute(IFLA_INFO_DATA | 0x8000, &data.concat()),
        ];
        let message = LinkMessage { flags, ..LinkMessage::default() };
        [
            message.as_bytes().to_vec(),
            attribute(IFLA_IFNAME, format!("{name}\0").as_bytes()),
            attribute(IFLA_LINKINFO, &info.concat()),
        ]
        .concat()
    }

    fn ports(link: &[u8]) -> Vec<(Service, Option<Family>, u16, Option<String>)> {
        let Some(Link::Ports(ports)) = decode(link) else { return Vec::new() };
        let facts = |port: KernelPort| {
            (port.kind, port.family, port.port, port.link.map(|link| link.to_string()))
        };
        ports.into_iter().map(facts).collect()
    }

    #[test]
    fn a_tunnel_that_is_up_has_its_port_in_its_families() {
        let port = |kind, number: u16| attribute(kind, &number.to_be_bytes());
        let vxlan = |data: &[Vec<u8>]| ports(&link("vx0", IFF_UP, "vxlan", data));
        let at = |family, port| vec![(Service::Vxlan, family, port, Some("vx0".to_owned()))];
        assert_eq!(vxlan(&[port(15, 4789)]), at(Some(Family::Inet), 4789));
        assert_eq!(
            vxlan(&[port(15, 5000), attribute(16, &[1; 16])]),
            at(Some(Family::Inet6), 5000)
        );
        assert_eq!(vxlan(&[port(15, 5000), attribute(25, &[])]), at(None, 5000));
        let geneve = ports(&link("g", IFF_UP, "geneve", &[port(5, 6081)]));
        assert_eq!(geneve, [(Service::Geneve, Some(Family::Inet), 6081, Some("g".into()))]);
        let bareudp = ports(&link("b", IFF_UP, "bareudp", &[port(1, 6635)]));
        assert_eq!(bareudp, [(Service::Bareudp, None, 6635, Some("b".into()))]);
        let amt = ports(&link("a", IFF_UP, "amt", &[port(2, 2268), port(3, 1)]));
        assert_eq!(amt, [(Service::Amt, Some(Family::Inet), 2268, Some("a".into()))]);
        let gtp: Vec<u16> = ports(&link("g", 0, "gtp", &[])).iter().map(|port| port.2).collect();
        assert_eq!(gtp, [2152, 3386]);
    }

    #[test]
    fn a_link_that_is_down_or_no_tunnel_has_none() {
        let port = attribute(15, &4789_u16.to_be_bytes());
        for message in [
            link("vx0", 0, "vxlan", std::slice::from_ref(&port)),
            link("vx0", IFF_UP, "vxlan", &[]),
            link("br0", IFF_UP, "bridge", &[port]),
            link("wg0", 0, "wireguard", &[]),
            LinkMessage::default().as_bytes().to_vec(),
        ] {
            assert_eq!(decode(&message), Some(Link::Other));
        }
        assert_eq!(decode(&[0; 15]), None);
    }

    #[test]
    fn a_wireguard_link_is_named() {
        let message = link("wg0", IFF_UP, "wireguard", &[]);
        assert_eq!(decode(&message), Some(Link::Wireguard("wg0".into())));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            // Either answer is fine; what counts is that there is one.
            let _link = decode(&bytes);
        }
    }
}
