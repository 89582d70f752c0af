//! Which ports to offer to somebody who wants a free one, and in which order to try them.
//!
//! Pure: whether a port is free is not known here.

use std::ops::RangeInclusive;

use crate::platform::limits::LocalPorts;

/// Ports that need no privilege.
const USUAL: RangeInclusive<u16> = 1024..=u16::MAX;

/// The dynamic ports (RFC 6335, section 6), which systems take the ports of connecting sockets from
/// unless they are set up otherwise.
const DYNAMIC: RangeInclusive<u16> = 49152..=u16::MAX;

/// Ports above 1023 that browsers refuse to open (<https://fetch.spec.whatwg.org/#port-blocking>;
/// `kRestrictedPorts`, chromium/net/base/port_util.cc).
const UNSAFE: [u16; 19] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080,
];

/// How well a port suits, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fitness {
    /// Nobody is known to want it.
    Good,
    /// It is one of the dynamic ports, which another system may take for connections.
    Dynamic,
    /// It belongs to a service, or browsers refuse it.
    Named,
    /// The administrator keeps it for something (`ip_local_reserved_ports`).
    Reserved,
    /// The kernel may give it to any connecting socket at any time.
    Ephemeral,
}

/// Returns how well a port suits.
pub fn fitness(port: u16, settings: &LocalPorts, is_named: impl Fn(u16) -> bool) -> Fitness {
    let ephemeral = settings.ephemeral.as_ref().unwrap_or(&DYNAMIC);
    if settings.reserved.iter().any(|range| range.contains(&port)) {
        Fitness::Reserved
    } else if ephemeral.contains(&port) {
        Fitness::Ephemeral
    } else if is_named(port) || UNSAFE.contains(&port) {
        Fitness::Named
    } else if DYNAMIC.contains(&port) {
        Fitness::Dynamic
    } else {
        Fitness::Good
    }
}

/// Returns the ports to try: of the range, all of them; without one, those that need no privilege and
/// that neither the kernel nor the administrator has plans for. The fittest come first, and among
/// equals chance decides, so that many who ask at once do not all try the same.
pub fn candidates(
    range: Option<RangeInclusive<u16>>,
    settings: &LocalPorts,
    is_named: impl Fn(u16) -> bool,
    seed: u64,
) -> Vec<u16> {
    let is_chosen = range.is_some();
    let mut ports: Vec<(Fitness, u64, u16)> = range
        .unwrap_or(USUAL)
        .map(|port| (fitness(port, settings, &is_named), mix(seed ^ u64::from(port)), port))
        .filter(|(fitness, ..)| is_chosen || *fitness < Fitness::Reserved)
        .collect();
    ports.sort_unstable();
    ports.into_iter().map(|(.., port)| port).collect()
}

/// Scatters a number (the output function of SplitMix64, <https://prng.di.unimi.it/splitmix64.c>).
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> LocalPorts {
        LocalPorts { ephemeral: Some(32768..=60999), reserved: vec![8080..=8080, 9148..=9150] }
    }

    fn is_named(port: u16) -> bool {
        port == 5432
    }

    fn usual(seed: u64) -> Vec<u16> {
        candidates(None, &settings(), is_named, seed)
    }

    #[test]
    fn the_usual_ports_are_those_that_nobody_has_plans_for() {
        let ports = usual(1);
        for port in [1023, 8080, 9149, 32768, 60999] {
            assert!(!ports.contains(&port), "{port}");
        }
        let ephemeral = usize::from(60999_u16 - 32767);
        assert_eq!(ports.len(), 65536 - 1024 - 4 - ephemeral);
    }

    #[test]
    fn the_ports_of_services_come_last_but_they_come() {
        let ports = usual(1);
        let named = UNSAFE.len() + 1;
        let last: Vec<u16> = ports.iter().rev().take(named).copied().collect();
        assert!([5432, 6000, 10080].iter().all(|port| last.contains(port)), "{last:?}");
        assert!(ports.iter().rev().skip(named).take(4535).all(|port| *port > 60999));
    }

    #[test]
    fn chance_decides_who_comes_first() {
        let firsts: std::collections::BTreeSet<u16> =
            (0..100).map(|seed| usual(seed).first().copied().unwrap()).collect();
        assert!(firsts.len() > 90, "{firsts:?}");
        assert_eq!(usual(7), usual(7));
    }

    #[test]
    fn every_port_of_a_chosen_range_is_tried_the_fittest_first() {
        let mut ports = candidates(Some(32766..=32769), &settings(), is_named, 3);
        ports[..2].sort_unstable();
        ports[2..].sort_unstable();
        assert_eq!(ports, [32766, 32767, 32768, 32769]);
        assert_eq!(candidates(Some(8080..=8080), &settings(), is_named, 3), [8080]);
        assert_eq!(candidates(Some(65535..=65535), &settings(), is_named, 3), [65535]);
    }

    #[test]
    fn where_every_port_is_ephemeral_none_is_usual() {
        let settings = LocalPorts { ephemeral: Some(1024..=65535), reserved: vec![] };
        assert!(candidates(None, &settings, is_named, 3).is_empty());
    }

    #[test]
    fn without_knowing_better_the_dynamic_ports_are_ephemeral() {
        let ports = candidates(None, &LocalPorts::default(), is_named, 3);
        assert!(ports.iter().all(|port| *port < 49152));
    }
}
