//! From the sockets that matter to causes: which reason each is, and what shows it.

use std::ops::RangeInclusive;

use crate::diagnose::facts::BindFacts;
use crate::diagnose::reason::Reason;
use crate::diagnose::rules::{Newcomer, Stand, holder_option};
use crate::diagnose::system::System;
use crate::diagnose::{Cause, Certainty};
use crate::diagnose::{bsd, stand_ins, windows};
use crate::options::SocketOptions;
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Family, Socket, TimerKind};
use crate::state::TcpState;

/// Returns the causes, one for each reason.
pub(super) fn causes(
    newcomer: &Newcomer,
    stands: &[(Stand, &Entry)],
    all: &[&Entry],
    facts: &BindFacts,
    system: System,
) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for &(stand, entry) in stands {
        let reason = match stand {
            Stand::Apart => continue,
            Stand::OtherDevice => Reason::OtherDevice,
            Stand::Shares if system.is_bsd() && bsd::is_beside(newcomer, entry) => Reason::Beside,
            Stand::Shares | Stand::Admits => Reason::Shared,
            Stand::Blocks | Stand::Unknown => stand_ins::reason(entry, facts)
                .unwrap_or_else(|| reason(newcomer, entry, all, (facts, system))),
        };
        let certainty =
            if stand == Stand::Unknown { Certainty::Possible } else { Certainty::Certain };
        let known =
            causes.iter_mut().find(|cause| (cause.reason, cause.certainty) == (reason, certainty));
        match known {
            Some(cause) => cause.sockets.push(entry.clone()),
            None => causes.push(Cause {
                reason,
                certainty,
                sockets: vec![entry.clone()],
                evidence: Vec::new(),
            }),
        }
    }
    // On macOS and FreeBSD listen asks nothing that bind did not.
    causes.extend((!system.is_bsd()).then(|| listen_later(newcomer, stands, facts)).flatten());
    for cause in &mut causes {
        cause.evidence = evidence(newcomer, cause, facts, system);
        cause.evidence.extend(stand_ins::evidence(cause, facts));
        cause.evidence.extend(windows::evidence(cause.reason, newcomer.port, facts));
        cause.evidence.extend(bsd::evidence(newcomer, cause));
    }
    causes
}

/// Returns the sockets that share the address by SO_REUSEADDR alone and do not listen: of those and the
/// newcomer one can listen. Where somebody listens already, theirs will fail.
fn listen_later(
    newcomer: &Newcomer,
    stands: &[(Stand, &Entry)],
    facts: &BindFacts,
) -> Option<Cause> {
    let is_on = |socket: &Socket, which: fn(&SocketOptions) -> Option<bool>| {
        holder_option(socket, facts, which) == Some(true)
    };
    let any_listens = stands.iter().any(|(stand, entry)| {
        *stand != Stand::OtherDevice && entry.socket.state == Some(TcpState::Listen)
    });
    let sockets: Vec<Entry> = stands
        .iter()
        .filter(|(stand, _)| *stand == Stand::Shares || any_listens)
        .filter(|(_, entry)| {
            entry.socket.state == Some(TcpState::Bound)
                && is_on(&entry.socket, |options| options.reuse_address)
                && !(newcomer.reuse_port && is_on(&entry.socket, |options| options.reuse_port))
        })
        .map(|&(_, entry)| entry.clone())
        .collect();
    let evidence = if any_listens { "its listen will fail" } else { "nobody listens yet" };
    (!sockets.is_empty()).then(|| Cause {
        reason: Reason::ListenLater,
        certainty: Certainty::Certain,
        sockets,
        evidence: vec![evidence.to_owned()],
    })
}

/// Returns what a holder in the way is.
fn reason(
    newcomer: &Newcomer,
    entry: &Entry,
    all: &[&Entry],
    (facts, system): (&BindFacts, System),
) -> Reason {
    let socket = &entry.socket;
    let is_receiver = socket.state.is_none() && socket.peer.is_none();
    match socket.state {
        Some(TcpState::TimeWait) => Reason::TimeWait,
        _ if entry.ownership.is_left_over() => Reason::Orphan,
        Some(TcpState::Bound | TcpState::Closed) if has_connections(socket, all) => {
            Reason::ClosedListener
        }
        Some(TcpState::Bound | TcpState::Closed) => Reason::BoundOnly,
        Some(TcpState::Listen) if newcomer.reuse_port => Reason::ReusePort,
        Some(TcpState::Listen) => address_reason(newcomer, socket),
        None if is_receiver && newcomer.reuse_port => Reason::ReusePort,
        None if is_receiver => address_reason(newcomer, socket),
        _ if is_client(socket, all, facts.ephemeral.clone().unwrap_or(system.ephemeral())) => {
            Reason::EphemeralClient
        }
        _ => Reason::Connection,
    }
}

fn address_reason(newcomer: &Newcomer, socket: &Socket) -> Reason {
    let theirs = socket.local.as_ref().and_then(Endpoint::canonical_address);
    let is_dual = socket.family == Family::Inet6
        && theirs.is_some_and(|theirs| theirs.is_ipv6() && theirs.is_unspecified());
    if theirs == Some(newcomer.address.to_canonical()) {
        Reason::Listener
    } else if is_dual && newcomer.address.to_canonical().is_ipv4() {
        Reason::DualStack
    } else {
        Reason::OverlappingListener
    }
}

/// Returns true when connections are left with the port, which a socket accepted while it listened.
fn has_connections(socket: &Socket, all: &[&Entry]) -> bool {
    all.iter().any(|other| {
        other.socket.protocol == socket.protocol
            && other.socket.peer.is_some()
            && has_port_of(&other.socket, socket)
    })
}

fn has_port_of(one: &Socket, other: &Socket) -> bool {
    let port = |socket: &Socket| socket.local.as_ref().and_then(Endpoint::port);
    port(one) == port(other)
}

/// Returns true for a connection that was made from here: its own port is of those that the kernel
/// hands out, its peer's is not, or its peer is a listener of this machine.
fn is_client(socket: &Socket, all: &[&Entry], range: RangeInclusive<u16>) -> bool {
    let port = |end: &Option<Endpoint>| end.as_ref().and_then(Endpoint::port);
    let (Some(local), Some(peer)) = (port(&socket.local), port(&socket.peer)) else { return false };
    let listens = |port| {
        all.iter().any(|other| {
            other.socket.protocol == socket.protocol
                && other.socket.is_listening()
                && other.socket.local.as_ref().and_then(Endpoint::port) == Some(port)
        })
    };
    socket.state == Some(TcpState::SynSent)
        || listens(peer)
        || (range.contains(&local) && !range.contains(&peer))
}

/// Returns what shows the cause.
fn evidence(newcomer: &Newcomer, cause: &Cause, facts: &BindFacts, system: System) -> Vec<String> {
    let mut evidence = Vec::new();
    let sockets = || cause.sockets.iter().map(|entry| &entry.socket);
    if cause.reason == Reason::TimeWait {
        evidence.extend(seconds_left(sockets()).map(|left| match cause.sockets.len() {
            1 => format!("it ends in {left} s"),
            _ => format!("the last of them ends in {left} s"),
        }));
        let longest = facts.time_wait.map(|longest| longest.as_secs());
        evidence.extend(longest.map(|longest| format!("it lasts {longest} s (net.inet.tcp.msl)")));
    }
    if cause.reason == Reason::Orphan {
        let unsent = |socket| crate::explain::count(socket).map_or(0, |counted| counted.unsent);
        let unsent: u64 = sockets().map(|socket| u64::from(unsent(socket))).sum();
        evidence.extend((unsent > 0).then(|| format!("{unsent} bytes of it are unsent")));
    }
    if cause.reason == Reason::EphemeralClient
        && let Some(range) = &facts.ephemeral
    {
        let (low, high) = (range.start(), range.end());
        evidence.push(format!("{} is {low} to {high}", system.ephemeral_setting()));
    }
    if cause.reason == Reason::DualStack {
        evidence.push("IPV6_V6ONLY is not set on it".to_owned());
    }
    if cause.reason == Reason::OtherDevice || cause.reason == Reason::ListenLater {
        return cause.evidence.clone();
    }
    let is_guard = system.is_bsd() && (newcomer.reuse_address || newcomer.reuse_port);
    if is_guard && cause.reason.is_in_the_way()
        || newcomer.reuse_port && cause.reason == Reason::ReusePort
    {
        let users: Vec<_> = sockets().filter_map(|socket| socket.uid).collect();
        if let (Some(ours), Some(theirs)) =
            (newcomer.uid, users.iter().find(|uid| Some(**uid) != newcomer.uid))
        {
            evidence.push(format!("it belongs to user {theirs}, not to user {ours}"));
        }
    }
    evidence.extend(option_evidence("SO_REUSEPORT", newcomer.reuse_port, sockets(), |socket| {
        holder_option(socket, facts, |options| options.reuse_port)
    }));
    let matters = newcomer.reuse_address && cause.reason != Reason::ReusePort && !system.is_bsd();
    let asked = sockets().filter(|socket| socket.state != Some(TcpState::Listen));
    evidence.extend(option_evidence("SO_REUSEADDR", matters, asked, |socket| {
        holder_option(socket, facts, |options| options.reuse_address)
    }));
    evidence
}

/// Says how the holders have an option, when the newcomer has it.
fn option_evidence<'a>(
    name: &str,
    newcomer: bool,
    holders: impl Iterator<Item = &'a Socket>,
    option: impl Fn(&Socket) -> Option<bool>,
) -> Option<String> {
    let holders: Vec<Option<bool>> = holders.map(option).collect();
    if !newcomer || holders.is_empty() {
        return None;
    }
    let words = if holders.iter().all(|holder| *holder == Some(true)) {
        "is set"
    } else if holders.contains(&Some(false)) {
        "is not set"
    } else {
        "cannot be read"
    };
    Some(format!("{name} {words} on it"))
}

/// Returns after how many seconds the last of these is over; `None` when one of them may stay longer.
fn seconds_left<'a>(mut sockets: impl Iterator<Item = &'a Socket>) -> Option<u64> {
    sockets.try_fold(0, |longest, socket| {
        let timer = socket.timer.filter(|timer| timer.kind == TimerKind::Timewait)?;
        // TIME_WAIT is over within the millisecond; people are told the next full second.
        Some(longest.max(u64::from(timer.expires_ms).div_ceil(1000)))
    })
}
