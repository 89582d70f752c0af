//! Port 0: whether the kernel finds a free one (`inet_csk_find_open_port`,
//! linux/net/ipv4/inet_connection_sock.c; `udp_lib_get_port`, linux/net/ipv4/udp.c).

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnose::checks::fails;
use crate::diagnose::judge::{Case, Finding, in_namespace, newcomer};
use crate::diagnose::reason::Reason;
use crate::diagnose::rules::{Newcomer, Stand};
use crate::diagnose::{Call, Errno, Verdict};
use crate::render::phrase;
use crate::socket::{Endpoint, Protocol};

/// How many of those who have most of the ports are named.
const NAMED: usize = 3;

/// Judges a bind to port 0; of other ports there is nothing to say.
pub(super) fn check(case: &Case<'_>) -> Finding {
    let Some(newcomer) = newcomer(case.request, case.facts).filter(|newcomer| newcomer.port == 0)
    else {
        return Finding::pass();
    };
    let Some(range) = &case.facts.ephemeral else {
        return Finding { verdict: Verdict::Unknown, causes: Vec::new() };
    };
    let is_reserved = |port| case.facts.reserved.iter().any(|range| range.contains(&port));
    let candidates: BTreeSet<u16> = range.clone().filter(|port| !is_reserved(*port)).collect();
    let mut left = candidates.clone();
    let mut unknown = BTreeSet::new();
    let mut takers: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    let system = case.system();
    for entry in in_namespace(case.snapshot, case.facts) {
        let Some(port) = entry.socket.local.as_ref().and_then(Endpoint::port) else { continue };
        if !candidates.contains(&port) {
            continue;
        }
        match system.stand(&at(port, &newcomer), entry, case.facts) {
            Stand::Blocks => {
                left.remove(&port);
                takers.entry(phrase::owner(entry)).or_default().insert(port);
            }
            Stand::Unknown => {
                unknown.insert(port);
            }
            Stand::Apart | Stand::OtherDevice | Stand::Shares | Stand::Admits => {}
        }
    }
    // TCP passes over the first or the last port of an odd number, by chance.
    let is_odd = range.len() % 2 == 1 && newcomer.protocol == Protocol::Tcp;
    let is_end = |port: &u16| is_odd && (port == range.start() || port == range.end());
    if left.iter().any(|port| !unknown.contains(port) && !is_end(port)) {
        return Finding::pass();
    }
    if !left.is_empty() {
        return Finding { verdict: Verdict::Unknown, causes: Vec::new() };
    }
    let mut evidence = vec![format!(
        "{} is {} to {}: {} ports, {} of them reserved",
        system.ephemeral_setting(),
        range.start(),
        range.end(),
        range.len(),
        range.len() - candidates.len()
    )];
    let mut takers: Vec<(String, usize)> =
        takers.into_iter().map(|(name, ports)| (name, ports.len())).collect();
    takers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    evidence.extend(
        takers.iter().take(NAMED).map(|(name, count)| format!("{name} has {count} of them")),
    );
    fails(Call::Bind, Errno::EADDRINUSE, Reason::PortsExhausted, evidence)
}

/// Returns the newcomer at one port. TCP gives away no port that somebody has, whatever both have set.
fn at(port: u16, newcomer: &Newcomer) -> Newcomer {
    let may_share = newcomer.protocol != Protocol::Tcp;
    Newcomer {
        port,
        reuse_address: newcomer.reuse_address && may_share,
        reuse_port: newcomer.reuse_port && may_share,
        ..newcomer.clone()
    }
}
