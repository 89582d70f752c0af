//! Several sockets that listen on one port: which of them gets what is sent to it.
//!
//! Whoever starts a server beside another, on purpose or not, sees clients reach the wrong one: that is
//! told where the port is asked about, not only where a connection is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::diagnose::rules::Stand;
use crate::diagnose::{Cause, Certainty, Reason};
use crate::overlap::reach;
use crate::render::phrase;
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Protocol};

/// How many owners of twins are named.
const SHOWN: usize = 4;

/// Returns who answers, when several sockets listen and one of them has to do with what is to be bound.
pub(super) fn cause(stands: &[(Stand, &Entry)], on_port: &[&Entry]) -> Option<Cause> {
    let first = stands
        .iter()
        .find(|(stand, entry)| *stand != Stand::OtherDevice && entry.socket.is_listening())?;
    let (_, first) = first;
    let protocol = first.socket.protocol;
    let listeners: Vec<&Entry> = on_port
        .iter()
        .copied()
        .filter(|entry| {
            let port = |entry: &Entry| entry.socket.local.as_ref().and_then(Endpoint::port);
            entry.socket.protocol == protocol && port(entry) == port(first)
        })
        .collect();
    let mut evidence = deals(&listeners);
    evidence.extend(who_answers(&listeners));
    (!evidence.is_empty()).then(|| Cause {
        reason: Reason::SeveralListeners,
        certainty: Certainty::Certain,
        sockets: listeners.into_iter().filter(|entry| serves(entry)).cloned().collect(),
        evidence,
    })
}

/// Groups those that listen on every device by address.
fn by_address<'a>(entries: &[&'a Entry]) -> BTreeMap<IpAddr, Vec<&'a Entry>> {
    let mut groups: BTreeMap<IpAddr, Vec<&Entry>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| serves(entry)) {
        if let Some(address) = entry.socket.local.as_ref().and_then(Endpoint::canonical_address) {
            groups.entry(address).or_default().push(entry);
        }
    }
    groups
}

/// Returns those of these groups that get what is sent to the address.
fn answering<'g, 'a: 'g>(
    groups: impl Iterator<Item = &'g Vec<&'a Entry>>,
    to: IpAddr,
) -> Option<&'g [&'a Entry]> {
    let fitting = groups.filter_map(|twins| {
        let reach = twins.iter().filter_map(|entry| reach(&entry.socket, to)).max()?;
        Some((reach, twins))
    });
    fitting.max_by_key(|(reach, _)| *reach).map(|(_, twins)| &**twins)
}

/// Says which of several sockets of one protocol, port and network namespace gets what is sent to which
/// address; nothing where that is plain. Those that are bound to a device are left out.
pub fn who_answers(entries: &[&Entry]) -> Vec<String> {
    let groups = by_address(entries);
    let mut said = Vec::new();
    // What is sent to a group goes to all that joined it.
    let is_single = |address: &IpAddr| !address.is_unspecified() && !address.is_multicast();
    for (address, twins) in groups.iter().filter(|(address, _)| is_single(address)) {
        let wildcards = groups.iter().filter(|(other, _)| other.is_unspecified());
        let without = answering(wildcards.map(|(_, twins)| twins), *address);
        if let Some(rest) = without.map(names).filter(|rest| *rest != names(twins)) {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let here = names(twins);
            said.push(format!(
                "{address} is answered by {here}, every other {family} address by {rest}"
            ));
        }
    }
    let loopbacks: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    if let [Some(four), Some(six)] =
        loopbacks.map(|address| answering(groups.values(), address).map(names))
        && four != six
    {
        said.push(format!(
            "localhost is two addresses: 127.0.0.1 is answered by {four}, ::1 by {six}"
        ));
    }
    said
}

fn serves(entry: &Entry) -> bool {
    entry.socket.is_listening() && entry.socket.rare.interface.is_none()
}

/// Says how twins share the connections: TCP sockets listen at one address only by SO_REUSEPORT. Of UDP
/// sockets that have SO_REUSEADDR instead the last one bound gets all, and nobody is told which that is.
fn deals(listeners: &[&Entry]) -> Vec<String> {
    let is_twins = |twins: &Vec<&Entry>| {
        twins.len() > 1 && twins.iter().all(|entry| entry.socket.protocol == Protocol::Tcp)
    };
    let groups = by_address(listeners);
    let shared = groups.iter().filter(|(_, twins)| is_twins(twins));
    let said = shared.map(|(address, twins)| {
        let (count, names) = (twins.len(), names(twins));
        format!(
            "each connection to {address} goes to one of {count} sockets (SO_REUSEPORT), of {names}"
        )
    });
    said.collect()
}

/// Names the owners of twins, each once.
fn names(twins: &[&Entry]) -> String {
    let owners: BTreeSet<String> = twins.iter().map(|entry| phrase::owner(entry)).collect();
    let mut shown: Vec<String> = owners.iter().take(SHOWN).cloned().collect();
    let more = owners.len().saturating_sub(SHOWN);
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::fixture::{listener, owner};

    /// A listener at this address that the process with this number has; `::only` refuses IPv4.
    fn at(address: &str, pid: u32) -> Entry {
        let mut entry = listener(vec![owner(pid, &[], "/")]);
        let (bare, is_only) =
            address.strip_suffix("only").map_or((address, false), |bare| (bare, true));
        let address: IpAddr = bare.parse().unwrap();
        entry.socket.local = Some(std::net::SocketAddr::from((address, 80)).into());
        entry.socket.v6only = address.is_ipv6().then_some(is_only);
        entry
    }

    #[track_caller]
    fn assert_said(listeners: &[(&str, u32)], expected: &[&str]) {
        let entries: Vec<Entry> = listeners.iter().map(|(place, pid)| at(place, *pid)).collect();
        let entries: Vec<&Entry> = entries.iter().collect();
        let said = [deals(&entries), who_answers(&entries)].concat();
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_plain_is_not_said() {
        assert_said(&[("0.0.0.0", 1)], &[]);
        assert_said(&[("0.0.0.0", 1), ("::only", 1)], &[]);
        assert_said(&[("127.0.0.1", 1), ("::1", 1), ("10.0.0.1", 1)], &[]);
        assert_said(&[("127.0.0.1", 1), ("10.0.0.1", 2)], &[]);
        assert_said(&[("127.0.0.1", 1), ("0.0.0.0", 1)], &[]);
    }

    #[test]
    fn twins_share_the_connections() {
        let one =
            "each connection to 0.0.0.0 goes to one of 2 sockets (SO_REUSEPORT), of server (1)";
        assert_said(&[("0.0.0.0", 1), ("0.0.0.0", 1)], &[one]);
        assert_said(&[("0.0.0.0", 1), ("0.0.0.0", 2)], &[&format!("{one} or server (2)")]);
    }

    #[test]
    fn the_more_specific_address_comes_first() {
        let said = "127.0.0.1 is answered by server (2), every other IPv4 address by server (1)";
        assert_said(&[("0.0.0.0", 1), ("127.0.0.1", 2)], &[said]);
        assert_said(
            &[("::", 1), ("127.0.0.1", 2)],
            &[
                said,
                "localhost is two addresses: 127.0.0.1 is answered by server (2), ::1 by server (1)",
            ],
        );
    }

    #[test]
    fn the_families_may_have_servers_of_their_own() {
        let said =
            "localhost is two addresses: 127.0.0.1 is answered by server (1), ::1 by server (2)";
        assert_said(&[("0.0.0.0", 1), ("::only", 2)], &[said]);
        assert_said(&[("127.0.0.1", 1), ("::1", 2)], &[said]);
    }

    #[test]
    fn a_listener_on_a_device_of_its_own_is_left_out() {
        let mut other = at("127.0.0.1", 2);
        other.socket.rare.make_mut().interface =
            Some(Box::new(crate::socket::Interface { index: 2, name: None }));
        assert!(who_answers(&[&at("0.0.0.0", 1), &other]).is_empty());
    }
}
