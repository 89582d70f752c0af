//! What families of generic netlink tell of the kernel's ports (`netlink(7)`): WireGuard, FOU, L2TP.
//!
//! Pure: values to bytes and back.

use zerocopy::FromBytes;
use zerocopy::network_endian::U16;

use crate::kernel::{KernelPort, Service};
use crate::platform::linux::link_message::until_nul;
use crate::platform::linux::netlink::Attributes;
use crate::socket::{Family, Protocol};
use crate::text::Text;

/// The family that tells of the others (linux/include/uapi/linux/genetlink.h).
pub(super) const CONTROLLER: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

// linux/include/uapi/linux/wireguard.h
pub(super) const WIREGUARD: &[u8] = b"wireguard";
const WG_CMD_GET_DEVICE: u8 = 0;
const WGDEVICE_A_IFNAME: u16 = 2;
const WGDEVICE_A_LISTEN_PORT: u16 = 6;

// linux/include/uapi/linux/fou.h
pub(super) const FOU: &[u8] = b"fou";
const FOU_CMD_GET: u8 = 3;
const FOU_ATTR_PORT: u16 = 1;
const FOU_ATTR_AF: u16 = 2;

// linux/include/uapi/linux/l2tp.h
pub(super) const L2TP: &[u8] = b"l2tp";
const L2TP_CMD_TUNNEL_GET: u8 = 4;
const L2TP_ATTR_UDP_SPORT: u16 = 26;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `struct genlmsghdr`: a command, a version, and two bytes for nothing.
const HEADER: usize = 4;

/// Returns the body of a request for every family. To ask for one by its name would load its module.
pub(super) fn encode_families() -> Vec<u8> {
    vec![CTRL_CMD_GETFAMILY, 1, 0, 0]
}

/// Decodes a family: its name and number.
pub(super) fn decode_family(message: &[u8]) -> Option<(Text, u16)> {
    let name = find(message, CTRL_ATTR_FAMILY_NAME).map(until_nul)?;
    let id = u16::read_from_bytes(find(message, CTRL_ATTR_FAMILY_ID)?).ok()?;
    Some((Text::new(name), id))
}

/// Returns the body of a request for a WireGuard link; `None` when no link can have this name.
pub(super) fn encode_wireguard(link: &Text) -> Option<Vec<u8>> {
    let name = link.as_bytes();
    let length = u16::try_from(4 + name.len() + 1).ok()?;
    let mut body = vec![WG_CMD_GET_DEVICE, 1, 0, 0];
    body.extend(length.to_ne_bytes());
    body.extend(WGDEVICE_A_IFNAME.to_ne_bytes());
    body.extend(name);
    body.push(0);
    body.resize(body.len().next_multiple_of(4), 0);
    Some(body)
}

/// Decodes the answer: of all it holds, keys among it, the port alone is looked at. `None` for the
/// answer's further messages, which have peers only.
pub(super) fn decode_wireguard(message: &[u8], link: &Text) -> Option<KernelPort> {
    let value = find(message, WGDEVICE_A_LISTEN_PORT)?;
    let port = u16::read_from_bytes(value).ok()?;
    let fact = KernelPort::new(Service::Wireguard, Protocol::Udp, port);
    Some(KernelPort { link: Some(link.clone()), ..fact })
}

/// Returns the body of a request for every port of FOU and GUE.
pub(super) fn encode_fou() -> Vec<u8> {
    vec![FOU_CMD_GET, 1, 0, 0]
}

/// Decodes one of them.
pub(super) fn decode_fou(message: &[u8]) -> Option<KernelPort> {
    let port = U16::read_from_bytes(find(message, FOU_ATTR_PORT)?).ok()?.get();
    let family = match find(message, FOU_ATTR_AF) {
        Some([AF_INET]) => Some(Family::Inet),
        Some([AF_INET6]) => Some(Family::Inet6),
        Some(_) | None => None,
    };
    Some(KernelPort { family, ..KernelPort::new(Service::Fou, Protocol::Udp, port) })
}

/// Returns the body of a request for every L2TP tunnel.
pub(super) fn encode_l2tp() -> Vec<u8> {
    vec![L2TP_CMD_TUNNEL_GET, 1, 0, 0]
}

/// Decodes one of them; `None` for a tunnel over IP, which has no port.
pub(super) fn decode_l2tp(message: &[u8]) -> Option<KernelPort> {
    let value = find(message, L2TP_ATTR_UDP_SPORT)?;
    let port = u16::read_from_bytes(value).ok()?;
    Some(KernelPort::new(Service::L2tp, Protocol::Udp, port))
}

/// Returns the value of an attribute of a message.
fn find(message: &[u8], wanted: u16) -> Option<&[u8]> {
    Attributes(message.get(HEADER..)?).value(wanted)
}

#[cfg(test)]
mod tests {
    use super::super::tests::attribute;
    use super::*;
    use proptest::prelude::*;

    fn message(attributes: &[Vec<u8>]) -> Vec<u8> {
        [vec![0, 1, 0, 0], attributes.concat()].concat()
    }

    #[test]
    fn a_family_has_a_name_and_a_number() {
        let id = attribute(CTRL_ATTR_FAMILY_ID, &31_u16.to_ne_bytes());
        let family = message(&[attribute(CTRL_ATTR_FAMILY_NAME, b"wireguard\0"), id]);
        assert_eq!(decode_family(&family), Some(("wireguard".into(), 31)));
        assert_eq!(decode_family(&message(&[])), None);
    }

    #[test]
    fn a_wireguard_links_port_is_in_our_byte_order() {
        let link = Text::from("wg0");
        let name = attribute(WGDEVICE_A_IFNAME, b"wg0\0");
        let port = attribute(WGDEVICE_A_LISTEN_PORT, &51820_u16.to_ne_bytes());
        let fact = decode_wireguard(&message(&[name.clone(), port]), &link).unwrap();
        assert_eq!(
            (fact.kind, fact.port, fact.link),
            (Service::Wireguard, 51820, Some(link.clone()))
        );
        assert_eq!(decode_wireguard(&message(std::slice::from_ref(&name)), &link), None);
        assert_eq!(encode_wireguard(&link).unwrap(), message(&[name]));
    }

    #[test]
    fn a_fou_port_is_in_network_order_and_of_one_family() {
        let port = attribute(FOU_ATTR_PORT, &5555_u16.to_be_bytes());
        for (number, family) in [(2, Family::Inet), (10, Family::Inet6)] {
            let fact = decode_fou(&message(&[port.clone(), attribute(FOU_ATTR_AF, &[number])]));
            let fact = fact.unwrap();
            assert_eq!((fact.kind, fact.port, fact.family), (Service::Fou, 5555, Some(family)));
        }
    }

    #[test]
    fn an_l2tp_tunnel_over_ip_has_no_port() {
        let port = attribute(L2TP_ATTR_UDP_SPORT, &1701_u16.to_ne_bytes());
        assert_eq!(decode_l2tp(&message(&[port])).unwrap().port, 1701);
        assert_eq!(decode_l2tp(&message(&[])), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoders_panic(bytes: Vec<u8>) {
            // Either answer is fine; what counts is that there is one.
            let _answers = (decode_family(&bytes), decode_fou(&bytes), decode_l2tp(&bytes));
            let _answer = decode_wireguard(&bytes, &Text::from("wg0"));
        }
    }
}
