//! Replaces IP addresses by ones set aside for documentation, each kind by its own.
//!
//! | kind | becomes |
//! | --- | --- |
//! | loopback, wildcard, broadcast, well-known multicast | itself |
//! | private IPv4 (RFC 1918, RFC 6598) | 192.0.2.0/24, then 198.18.0.0/15, then 240.0.0.0/5 |
//! | public IPv4 | 198.51.100.0/24, 203.0.113.0/24, then 248.0.0.0/5 |
//! | link-local IPv4 (RFC 3927) | 169.254.0.0/24 (never assigned), then the rest of 169.254.0.0/16 |
//! | multicast IPv4 | 233.252.0.0/24 (RFC 6676), then 234.0.0.0/8, then 235.0.0.0/8 … |
//! | IPv4-mapped IPv6 | the mapped form of what the IPv4 address becomes |
//! | unique local IPv6 (RFC 4193) | fd00:db8::/96 |
//! | link-local IPv6 | fe80::db8:0:0:0/80 |
//! | multicast IPv6 | `ff…` with its flags and scope, then db8 and a number |
//! | public IPv6 | 2001:db8::/96 (RFC 3849) |

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What each address became.
#[derive(Default)]
pub(super) struct Addresses {
    replaced: HashMap<IpAddr, IpAddr>,
    used: HashMap<Kind, u32>,
}

/// The kinds whose addresses are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Private4,
    Public4,
    LinkLocal4,
    Multicast4,
    Private6,
    Public6,
    LinkLocal6,
    /// With the first 16 bits: `ff`, flags and scope.
    Multicast6(u16),
}

impl Addresses {
    /// Returns what stands for the address: always the same for the same one.
    pub(super) fn replace(&mut self, address: IpAddr) -> IpAddr {
        if let IpAddr::V6(v6) = address
            && let Some(v4) = v6.to_ipv4_mapped()
        {
            return match self.replace(v4.into()) {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
                v6 @ IpAddr::V6(_) => v6,
            };
        }
        let kind = match address {
            IpAddr::V4(v4) => kind4(v4),
            IpAddr::V6(v6) => kind6(v6),
        };
        let Some(kind) = kind else { return address };
        *self.replaced.entry(address).or_insert_with(|| {
            let used = self.used.entry(kind).or_default();
            let number = *used;
            *used = used.saturating_add(1);
            nth(kind, number)
        })
    }
}

/// Returns the kind of an IPv4 address; `None` for one that is the same everywhere.
fn kind4(address: Ipv4Addr) -> Option<Kind> {
    let [a, b, c, _] = address.octets();
    if address.is_unspecified() || address.is_loopback() || address.is_broadcast() {
        None
    } else if address.is_multicast() {
        // 224.0.0.0/24 holds assigned numbers only (RFC 5771, section 4).
        ((a, b, c) != (224, 0, 0)).then_some(Kind::Multicast4)
    } else if address.is_link_local() {
        Some(Kind::LinkLocal4)
    } else if address.is_private() || (a == 100 && b & 0xc0 == 64) {
        Some(Kind::Private4)
    } else {
        Some(Kind::Public4)
    }
}

/// Returns the kind of an IPv6 address; `None` for one that is the same everywhere.
fn kind6(address: Ipv6Addr) -> Option<Kind> {
    let [first, middle @ .., _] = address.segments();
    if address.is_unspecified() || address.is_loopback() {
        None
    } else if address.is_multicast() {
        // A group number below 2^16 is an assigned one (RFC 4291, section 2.7.1; IANA's registry).
        (middle != [0; 6]).then_some(Kind::Multicast6(first))
    } else if address.is_unicast_link_local() {
        Some(Kind::LinkLocal6)
    } else if address.is_unique_local() {
        Some(Kind::Private6)
    } else {
        Some(Kind::Public6)
    }
}

/// Returns the replacement with this number, from 0. Each kind has more of them than a collection
/// that fits into memory can hold addresses of it.
fn nth(kind: Kind, number: u32) -> IpAddr {
    // First address and how many, network and broadcast addresses left out.
    const PRIVATE: [(Ipv4Addr, u32); 3] = [
        (Ipv4Addr::new(192, 0, 2, 1), 254),
        (Ipv4Addr::new(198, 18, 0, 0), 1 << 17),
        (Ipv4Addr::new(240, 0, 0, 0), 1 << 27),
    ];
    const PUBLIC: [(Ipv4Addr, u32); 3] = [
        (Ipv4Addr::new(198, 51, 100, 1), 254),
        (Ipv4Addr::new(203, 0, 113, 1), 254),
        (Ipv4Addr::new(248, 0, 0, 0), (1 << 27) - 1),
    ];
    const LINK_LOCAL: [(Ipv4Addr, u32); 1] = [(Ipv4Addr::new(169, 254, 0, 0), 1 << 16)];
    const MULTICAST: [(Ipv4Addr, u32); 2] =
        [(Ipv4Addr::new(233, 252, 0, 0), 1 << 8), (Ipv4Addr::new(234, 0, 0, 0), 6 << 24)];

    // The number is the last 32 bits, from 1: an address that ends in zeros is a network's.
    let v6 = |first: Ipv6Addr| {
        IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | (u128::from(number) + 1)))
    };
    match kind {
        Kind::Private4 => nth_of(&PRIVATE, number).into(),
        Kind::Public4 => nth_of(&PUBLIC, number).into(),
        Kind::LinkLocal4 => nth_of(&LINK_LOCAL, number).into(),
        Kind::Multicast4 => nth_of(&MULTICAST, number).into(),
        Kind::Private6 => v6(Ipv6Addr::new(0xfd00, 0xdb8, 0, 0, 0, 0, 0, 0)),
        Kind::Public6 => v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0)),
        Kind::LinkLocal6 => v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0xdb8, 0, 0, 0)),
        Kind::Multicast6(first) => v6(Ipv6Addr::new(first, 0, 0, 0, 0xdb8, 0, 0, 0)),
    }
}

/// Returns the address with this number, counting through the blocks; the last one of all beyond.
fn nth_of(blocks: &[(Ipv4Addr, u32)], mut number: u32) -> Ipv4Addr {
    let mut last = Ipv4Addr::BROADCAST;
    for &(first, size) in blocks {
        if number < size {
            return Ipv4Addr::from_bits(first.to_bits().saturating_add(number));
        }
        number -= size;
        last = Ipv4Addr::from_bits(first.to_bits().saturating_add(size - 1));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn replace(address: &str) -> String {
        Addresses::default().replace(address.parse().unwrap()).to_string()
    }

    #[test]
    fn each_kind_becomes_its_own() {
        for (address, replacement) in [
            ("0.0.0.0", "0.0.0.0"),
            ("127.1.2.3", "127.1.2.3"),
            ("255.255.255.255", "255.255.255.255"),
            ("224.0.0.251", "224.0.0.251"),
            ("239.1.2.3", "233.252.0.0"),
            ("10.1.2.3", "192.0.2.1"),
            ("100.64.0.1", "192.0.2.1"),
            ("169.254.7.7", "169.254.0.0"),
            ("8.8.8.8", "198.51.100.1"),
            ("::", "::"),
            ("::1", "::1"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
            ("::ffff:10.1.2.3", "::ffff:192.0.2.1"),
            ("fe80::1", "fe80::db8:0:0:1"),
            ("fd12:3456::1", "fd00:db8::1"),
            ("ff02::fb", "ff02::fb"),
            ("ff02::1:ff12:3456", "ff02::db8:0:0:1"),
            ("2606:4700::1111", "2001:db8::1"),
        ] {
            assert_eq!(replace(address), replacement, "{address}");
        }
    }

    #[test]
    fn a_mapped_address_and_its_ipv4_stay_the_same() {
        let mut addresses = Addresses::default();
        let plain = addresses.replace("10.0.0.9".parse().unwrap());
        let mapped = addresses.replace("::ffff:10.0.0.9".parse().unwrap());
        assert_eq!(mapped.to_canonical(), plain);
    }

    #[test]
    fn a_full_block_goes_on_in_the_next_without_repeating() {
        for (kind, last_of_first, next) in [
            (Kind::Private4, "192.0.2.254", "198.18.0.0"),
            (Kind::Public4, "198.51.100.254", "203.0.113.1"),
        ] {
            assert_eq!(nth(kind, 253).to_string(), last_of_first);
            assert_eq!(nth(kind, 254).to_string(), next);
            let all: HashSet<IpAddr> = (0..200_000).map(|n| nth(kind, n)).collect();
            assert_eq!(all.len(), 200_000);
        }
    }
}
