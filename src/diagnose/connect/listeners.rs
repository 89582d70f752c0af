//! Who would answer at an address: the kernel's choice among the listeners of a port.

use std::net::IpAddr;

use crate::diagnose::connect::Case;
use crate::overlap::{self, Reach};
use crate::snapshot::Entry;
use crate::socket::{Family, Interface, Protocol, Socket};
use crate::state::TcpState;

/// The loopback interface: in every network namespace it is made first. Whatever is sent to an address of
/// this machine comes in by it.
const LOOPBACK: u32 = 1;

/// The sockets that have the port, in their relation to the address.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    /// Those that answer: one, or twins among which the kernel chooses.
    pub(super) answering: Vec<&'a Entry>,
    /// Those that would answer if the former were not there.
    pub(super) behind: Vec<&'a Entry>,
    /// Those of this namespace that listen, at other addresses.
    pub(super) elsewhere: Vec<&'a Entry>,
    /// Those that would, but for the device they are bound to.
    pub(super) other_device: Vec<&'a Entry>,
    /// Those that are bound to it without listening.
    pub(super) bound: Vec<&'a Entry>,
    /// Those that listen there in other namespaces.
    pub(super) other_namespace: Vec<&'a Entry>,
}

/// How well a socket fits an address. A specific address comes before a wildcard (the first is looked for
/// alone); then a bound device, then the family of the address. linux/net/ipv4/inet_hashtables.c
/// (`__inet_lookup_listener`, `compute_score`), linux/net/ipv4/udp.c (`__udp4_lib_lookup`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    is_specific: bool,
    is_on_device: bool,
    is_of_family: bool,
}

/// Sorts the sockets that have the port.
pub(super) fn find<'a>(case: &'a Case<'_>) -> Found<'a> {
    let mut found = Found::default();
    let mut fitting: Vec<(Fit, &Entry)> = Vec::new();
    let to = case.request.destination();
    for entry in case.on_port() {
        let socket = &entry.socket;
        let fit = fit(socket, to);
        let serves = socket.is_listening();
        match (case.is_here(socket.netns), serves, fit) {
            (true, true, Some(_)) if !is_on_loopback(socket.rare.interface.as_deref()) => {
                found.other_device.push(entry);
            }
            (true, true, Some(fit)) => fitting.push((fit, entry)),
            (true, true, None) => found.elsewhere.push(entry),
            (true, false, Some(_)) if is_bound_only(socket) => found.bound.push(entry),
            (false, true, Some(_)) => found.other_namespace.push(entry),
            (true, false, _) | (false, _, _) => {}
        }
    }
    let best = fitting.iter().map(|(fit, _)| *fit).max();
    for (fit, entry) in fitting {
        if Some(fit) == best {
            found.answering.push(entry);
        } else {
            found.behind.push(entry);
        }
    }
    found
}

/// Returns how well the socket fits the address; `None` when it does not. What is not known of
/// `IPV6_V6ONLY` is taken as the usual default.
fn fit(socket: &Socket, to: IpAddr) -> Option<Fit> {
    let reach = overlap::reach(socket, to)?;
    Some(Fit {
        is_specific: reach == Reach::Specific,
        is_on_device: socket.rare.interface.is_some(),
        is_of_family: (socket.family == Family::Inet) == to.is_ipv4(),
    })
}

const fn is_on_loopback(device: Option<&Interface>) -> bool {
    match device {
        None => true,
        Some(device) => device.index == LOOPBACK,
    }
}

fn is_bound_only(socket: &Socket) -> bool {
    socket.protocol == Protocol::Tcp
        && matches!(socket.state, Some(TcpState::Bound | TcpState::Closed))
}
