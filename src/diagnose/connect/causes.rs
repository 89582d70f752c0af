//! Who answers, and why nobody does; and what can be done about it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::diagnose::connect::listeners::Found;
use crate::diagnose::connect::{Case, ConnectDiagnosis, ConnectFacts, ConnectRequest, Reach};
use crate::diagnose::{Action, Cause, Certainty, Errno, Harm, Reason, Remedy};
use crate::process::{Owner, Ownership};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Protocol, Queues, Socket};
use crate::state::TcpState;
use crate::text::Text;

pub(super) fn cause(reason: Reason, certainty: Certainty, sockets: &[&Entry]) -> Cause {
    let sockets = sockets.iter().map(|&entry| entry.clone()).collect();
    Cause { reason, certainty, sockets, evidence: Vec::new() }
}

impl Cause {
    pub(super) fn shown_by(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }
}

/// Returns what is to be said when nobody answers at an address of this machine.
pub(super) fn of_refusal(case: &Case<'_>, found: &Found<'_>) -> Vec<Cause> {
    let to = case.request.destination();
    let mut causes = Vec::new();
    if !found.elsewhere.is_empty() {
        let elsewhere = cause(Reason::OtherAddress, Certainty::Certain, &found.elsewhere);
        let evidence: BTreeSet<String> =
            found.elsewhere.iter().filter_map(|entry| why_not(&entry.socket, to)).collect();
        causes.push(Cause { evidence: evidence.into_iter().collect(), ..elsewhere });
    }
    if !found.bound.is_empty() {
        causes.push(cause(Reason::BoundOnly, Certainty::Certain, &found.bound));
    }
    if !found.other_device.is_empty() {
        let evidence = "what is sent to an address of this machine comes in by lo";
        causes.push(
            cause(Reason::OtherDevice, Certainty::Certain, &found.other_device).shown_by(evidence),
        );
    }
    if causes.is_empty() {
        let nobody = cause(Reason::NobodyListens, Certainty::Certain, &[]);
        let left = case.on_port().filter(|entry| {
            case.is_here(entry.socket.netns) && entry.socket.state != Some(TcpState::Listen)
        });
        causes.push(match left.count() {
            0 => nobody,
            1 => nobody.shown_by("a connection of an earlier listener is left"),
            left => nobody.shown_by(format!("{left} connections of an earlier listener are left")),
        });
    }
    if !found.other_namespace.is_empty() {
        // It may be another service that happens to have the same port.
        let likely =
            if found.elsewhere.is_empty() { Certainty::Likely } else { Certainty::Possible };
        causes.push(cause(Reason::OtherNamespace, likely, &found.other_namespace));
    }
    causes
}

/// Returns why a listener does not serve the address.
fn why_not(listener: &Socket, to: IpAddr) -> Option<String> {
    let own = listener.local.as_ref()?.canonical_address()?;
    Some(match (own, to) {
        (IpAddr::V6(any), IpAddr::V4(_)) if any.is_unspecified() => {
            "IPV6_V6ONLY is set on it, so :: takes no IPv4".to_owned()
        }
        (IpAddr::V4(any), IpAddr::V6(_)) if any.is_unspecified() => {
            "0.0.0.0 takes no IPv6".to_owned()
        }
        (own, to) => format!("it listens on {own}, you ask for {to}"),
    })
}

/// Returns what is to be said when somebody has the address, and what to expect.
pub(super) fn of_answer(case: &Case<'_>, found: &Found<'_>) -> (Reach, Vec<Cause>) {
    let full: Vec<&Entry> =
        found.answering.iter().filter(|entry| queue(entry).is_some_and(is_full)).copied().collect();
    let mut causes = Vec::new();
    if !full.is_empty() {
        let mut filled = cause(Reason::BacklogFull, Certainty::Certain, &full);
        filled.evidence.extend(full.iter().filter_map(|entry| {
            let (pending, limit) = queue(entry)?;
            Some(format!("{pending} waiting, the limit is {limit}"))
        }));
        filled.evidence.extend(waiting(case));
        causes.push(filled);
    }
    if full.len() < found.answering.len() {
        let mut answers = cause(Reason::Answers, Certainty::Certain, &found.answering);
        answers.evidence.extend(found.answering.iter().filter_map(|entry| {
            let (pending @ 1.., limit) = queue(entry)? else { return None };
            Some(format!("{pending} waiting to be accepted, the limit is {limit}"))
        }));
        causes.push(answers);
    }
    let stopped: Vec<&Entry> =
        found.answering.iter().filter(|entry| is_stopped(case.facts, entry)).copied().collect();
    if !stopped.is_empty() {
        causes.push(cause(Reason::Stopped, Certainty::Certain, &stopped));
    }
    if found.answering.len() > 1 {
        causes.push(shared(case.request.protocol, &found.answering));
    }
    if !found.behind.is_empty() {
        let behind = cause(Reason::LessSpecific, Certainty::Certain, &found.behind);
        causes.push(behind);
    }
    causes.sort_by_key(|cause| cause.certainty);
    let reach = match full.len() {
        0 => Reach::Connects,
        all if all == found.answering.len() => Reach::Silent,
        _ => Reach::Unknown,
    };
    (reach, causes)
}

/// Returns a listener's queue: how many wait, and how many may.
pub(super) const fn queue(entry: &Entry) -> Option<(u32, u32)> {
    match entry.socket.queues {
        Some(Queues::Backlog { pending, limit: Some(limit) }) => Some((pending, limit)),
        Some(Queues::Backlog { limit: None, .. } | Queues::Bytes { .. }) | None => None,
    }
}

/// `sk_acceptq_is_full`, linux/include/net/sock.h.
pub(super) const fn is_full((pending, limit): (u32, u32)) -> bool {
    pending > limit
}

/// Returns how many others wait for an answer.
fn waiting(case: &Case<'_>) -> Option<String> {
    let to = case.request.destination();
    let waits = |entry: &&Entry| {
        let Socket { state, peer, netns, .. } = &entry.socket;
        *state == Some(TcpState::SynSent)
            && case.is_here(*netns)
            && peer.as_ref().is_some_and(|peer| {
                peer.canonical_address() == Some(to) && peer.port() == Some(case.request.port)
            })
    };
    match case.snapshot.entries.iter().filter(waits).count() {
        0 => None,
        1 => Some("another client waits for an answer (SYN_SENT)".to_owned()),
        clients => Some(format!("{clients} other clients wait for an answer (SYN_SENT)")),
    }
}

pub(super) fn is_stopped(facts: &ConnectFacts, entry: &Entry) -> bool {
    let owners = entry.ownership.owners();
    !owners.is_empty() && owners.iter().all(|owner| facts.stopped.contains(&owner.process.pid))
}

/// Returns what is to be said of sockets that share an address.
fn shared(protocol: Protocol, answering: &[&Entry]) -> Cause {
    let shared = cause(Reason::Shared, Certainty::Certain, &[]);
    let programs: BTreeSet<Option<&Text>> = answering.iter().map(|entry| program(entry)).collect();
    let what = if protocol == Protocol::Tcp { "connection" } else { "datagram" };
    let what = format!("each {what} goes to one of them");
    let count = answering.len();
    if programs.len() < 2 {
        return shared.shown_by(format!("{count} sockets of one program; {what}"));
    }
    let name = |program: Option<&Text>| program.map_or("?".to_owned(), Text::to_string);
    let names: Vec<String> = programs.into_iter().map(name).collect();
    shared.shown_by(format!("of different programs: {}; {what}", names.join(", ")))
}

/// Returns the program of the main owner: its file, else its name.
fn program(entry: &Entry) -> Option<&Text> {
    let process = &entry.ownership.owners().first()?.process;
    process.exe.as_ref().map(|exe| &exe.path).or(process.command.as_ref())
}

/// Returns what is to be said of an address that is not this machine's.
pub(super) fn other_machine(facts: &ConnectFacts) -> Cause {
    let other = cause(Reason::OtherMachine, Certainty::Certain, &[]);
    match facts.source {
        Some(Ok(source)) => other.shown_by(format!("our end is {source}")),
        Some(Err(_)) | None => other,
    }
}

/// Returns that no source port is left, when none is: `__inet_hash_connect`
/// (linux/net/ipv4/inet_hashtables.c) takes one that nobody has bound and that has no connection to the
/// same peer yet.
pub(super) fn no_source_port(case: &Case<'_>) -> Option<Cause> {
    let range = case.facts.settings.ephemeral.clone()?;
    let source = case.facts.source?.ok()?;
    let reserved = &case.facts.settings.reserved;
    let usable: BTreeSet<u16> =
        range.clone().filter(|port| !reserved.iter().any(|range| range.contains(port))).collect();
    let to = case.request.destination();
    let is_taken = |socket: &Socket| {
        let is_bound =
            socket.state == Some(TcpState::Listen) || socket.state == Some(TcpState::Bound);
        let local = socket.local.as_ref().and_then(Endpoint::canonical_address);
        let same = local == Some(source)
            && socket.peer.as_ref().is_some_and(|peer| {
                peer.canonical_address() == Some(to) && peer.port() == Some(case.request.port)
            });
        // TIME_WAIT may be used again (`net.ipv4.tcp_tw_reuse`).
        is_bound || (same && socket.state != Some(TcpState::TimeWait))
    };
    let taken: BTreeSet<u16> = case
        .snapshot
        .entries
        .iter()
        .map(|entry| &entry.socket)
        .filter(|socket| socket.protocol == case.request.protocol && case.is_here(socket.netns))
        .filter(|socket| is_taken(socket))
        .filter_map(|socket| socket.local.as_ref()?.port())
        .filter(|port| usable.contains(port))
        .collect();
    (taken.len() == usable.len()).then(|| {
        let (first, last) = (range.start(), range.end());
        cause(Reason::NoSourcePort, Certainty::Certain, &[]).shown_by(format!(
            "all {} ports of net.ipv4.ip_local_port_range ({first} to {last}) have a connection there or \
             are bound",
            usable.len()
        ))
    })
}

/// Returns what made the attempt end otherwise than was predicted.
pub(super) fn unforeseen(
    request: &ConnectRequest,
    diagnosis: &ConnectDiagnosis,
    facts: &ConnectFacts,
) -> Vec<Cause> {
    let possible = |reason| cause(reason, Certainty::Possible, &[]);
    let overflowed = facts.overflows.filter(|&overflows| overflows > 0).map(|overflows| {
        cause(Reason::BacklogFull, Certainty::Likely, &[])
            .shown_by(format!("the kernel dropped {overflows} at full queues meanwhile"))
    });
    let is_local = facts.is_local(request.destination()) == Some(true);
    match (diagnosis.verdict, diagnosis.prediction) {
        (Reach::Connects, Reach::Fails { .. }) => vec![possible(Reason::Redirected)],
        (Reach::Connects | Reach::Unknown, _) => Vec::new(),
        (Reach::Silent | Reach::Fails { errno: Errno::ETIMEDOUT }, _) => {
            overflowed.map_or_else(|| vec![possible(Reason::PacketFilter)], |cause| vec![cause])
        }
        (Reach::Fails { errno: Errno::ENETUNREACH | Errno::EHOSTUNREACH }, _) => {
            vec![cause(Reason::NoRoute, Certainty::Certain, &[])]
        }
        (Reach::Fails { errno: Errno::EADDRNOTAVAIL }, _) => {
            vec![cause(Reason::NoSourcePort, Certainty::Likely, &[])]
        }
        (Reach::Fails { errno: Errno::ECONNREFUSED }, _) if !is_local => vec![
            cause(Reason::NobodyListens, Certainty::Likely, &[])
                .shown_by("somebody there answered, and said no"),
            possible(Reason::PacketFilter),
        ],
        (Reach::Fails { .. }, _) => vec![possible(Reason::PacketFilter)],
    }
}

/// Returns what can be done about the causes.
pub(super) fn remedies(request: &ConnectRequest, causes: &[Cause]) -> Vec<Remedy> {
    let mut remedies: Vec<Remedy> =
        causes.iter().flat_map(|cause| of_cause(request, cause)).collect();
    remedies.sort_by_key(|remedy| remedy.harm);
    remedies
}

/// Returns what a person decides, and what to type for it.
pub(super) fn advice(text: impl Into<String>, command: Option<&str>) -> Remedy {
    let (text, command) = (text.into(), command.map(str::to_owned));
    Remedy {
        action: Action::Advice { text, command },
        harm: Harm::None,
        breaks: None,
        clears: Vec::new(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most reasons are those of a bind")]
fn of_cause(request: &ConnectRequest, cause: &Cause) -> Vec<Remedy> {
    let port = request.port;
    let to = request.destination();
    let first = |entries: &[Entry]| {
        entries.iter().flat_map(|entry| entry.ownership.owners()).next().cloned()
    };
    match cause.reason {
        Reason::OtherAddress => {
            let mut ways: Vec<Remedy> = instead(cause, to)
                .map(|end| {
                    let text = format!("connect to {end}, where it listens");
                    advice(text, Some(&format!("sockscope why --connect {end}")))
                })
                .collect();
            let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
            ways.push(advice(format!("let it listen on {to}, or on every address ({any})"), None));
            ways
        }
        Reason::NobodyListens => {
            vec![advice(
                "start the server, or see what listens here",
                Some("sockscope list listen"),
            )]
        }
        Reason::BacklogFull => vec![
            advice(
                "find out why it does not accept: it is busy, stuck or stopped",
                Some(&format!("sockscope port {port}")),
            ),
            advice("a longer queue: the program's listen, and net.core.somaxconn", None),
        ],
        Reason::Stopped => cause
            .sockets
            .iter()
            .filter_map(|entry| main_owner(entry))
            .map(|owner| Remedy {
                action: Action::Continue { pid: owner.process.pid },
                ..advice(String::new(), None)
            })
            .collect(),
        Reason::OtherNamespace => first(&cause.sockets)
            .map(|owner| {
                let command = format!("nsenter --net --target {} COMMAND", owner.process.pid);
                advice("connect from within that namespace", Some(&command))
            })
            .into_iter()
            .collect(),
        Reason::NoRoute => {
            vec![advice("look at the routes", Some(&format!("ip route get {to}")))]
        }
        Reason::NoSourcePort => vec![advice(
            "let the clients keep connections open, or widen net.ipv4.ip_local_port_range"
                .to_owned(),
            None,
        )],
        Reason::PacketFilter => {
            vec![advice("look at the packet filter (root)", Some("nft list ruleset"))]
        }
        _ => Vec::new(),
    }
}

/// Returns where a listener can be connected to instead, without its wildcards.
fn instead(cause: &Cause, to: IpAddr) -> impl Iterator<Item = Endpoint> {
    let ends: Vec<Endpoint> = cause
        .sockets
        .iter()
        .filter_map(|entry| {
            let local = entry.socket.local.as_ref()?;
            let request = ConnectRequest {
                protocol: entry.socket.protocol,
                address: local.canonical_address()?,
                scope: None,
                port: local.port()?,
            };
            Some(Endpoint::inet(request.destination(), request.port))
        })
        .filter(|end| end.address() != Some(to))
        .collect();
    let mut seen = BTreeSet::new();
    ends.into_iter().filter(move |end| seen.insert(end.clone())).take(2)
}

fn main_owner(entry: &Entry) -> Option<&Owner> {
    match &entry.ownership {
        Ownership::Held(owners) => owners.first(),
        Ownership::Kernel(_) | Ownership::Hidden(_) => None,
    }
}
