//! A port's report for people: the verdict first, then who listens, who is connected, what is left
//! over and what is forwarded; in one screen, safe for a terminal.

pub mod json;

use std::collections::BTreeMap;
use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use crate::diagnose;
use crate::port::{
    Connection, Forwarded, Listener, Namespace, PROTOCOLS, PeerGroup, PortReport, longest_time_wait,
};
use crate::process::{Ownership, Via};
use crate::render::{owner, phrase, sanitize};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Family, Interface, Protocol, Queues, Socket};
use crate::state::TcpState;

/// How many peer addresses are shown; the rest is counted.
const PEERS: usize = 10;

/// How a report is to look.
#[derive(Debug, Clone, Copy, Default)]
pub struct PortOptions<'a> {
    /// What the system's file of services calls the port, by protocol.
    pub services: &'a [(Protocol, String)],
    /// Whether the network namespace is named, because it was chosen.
    pub is_named: bool,
    /// The terminal's width to fit; `None` where no line is broken.
    pub width: Option<usize>,
}

/// Writes the report.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    report: &PortReport,
    options: &PortOptions<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page { width: options.width, indent: 0, out };
    if options.is_named {
        page.namespace(report)?;
    }
    for verdict in verdicts(report) {
        page.line(0, "", &verdict)?;
    }
    for line in who_answers(report) {
        page.line(0, "", &line)?;
    }
    if let Some(hint) = service_hint(options.services) {
        page.line(0, "", &hint)?;
    }
    page.parts(report)?;
    for other in &report.elsewhere {
        writeln!(page.out)?;
        page.namespace(other)?;
        page.indent = 2;
        for verdict in verdicts(other) {
            page.line(0, "", &verdict)?;
        }
        for line in who_answers(other) {
            page.line(0, "", &line)?;
        }
        page.parts(other)?;
        page.indent = 0;
    }
    Ok(())
}

impl Page<'_> {
    /// Names the network namespace of what follows.
    fn namespace(&mut self, report: &PortReport) -> io::Result<()> {
        let Some(Namespace { id, name }) = &report.netns else { return Ok(()) };
        let container = report.entries().find_map(|entry| {
            let owner = entry.ownership.owners().first()?;
            Some(phrase::container(owner.process.cgroup.as_ref()?.container.as_ref()?))
        });
        let names = [name.as_ref().map(|name| sanitize::text(name).into_owned()), container];
        let names: Vec<String> = names.into_iter().flatten().collect();
        let names =
            if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        self.line(0, "", &format!("In network namespace {id}{names}:"))
    }

    fn parts(&mut self, report: &PortReport) -> io::Result<()> {
        let page = self;
        page.listeners(&report.listeners)?;
        page.bound(&report.bound)?;
        page.peers(
            &format!("Connections on port {}, by peer", report.port),
            &report.connections,
            true,
        )?;
        page.peers(
            &format!("Connections from here to port {}, by peer", report.port),
            &report.clients,
            false,
        )?;
        page.left_over(report)?;
        page.forwards(&report.forwards)
    }
}

/// Returns who holds the port, a line for each protocol in which somebody does; else one line that
/// says that nobody does.
pub fn verdicts(report: &PortReport) -> Vec<String> {
    let port = report.port;
    let held: Vec<String> = PROTOCOLS
        .into_iter()
        .filter_map(|protocol| {
            Some(format!("port {port}/{protocol}: {}", holders(report, protocol)?))
        })
        .collect();
    if !held.is_empty() {
        return held;
    }
    let clients: usize = report.clients.iter().map(|group| group.connections.len()).sum();
    let mut parts = vec![format!("nobody holds port {port}")];
    if clients > 0 {
        let clients = phrase::count(clients, "connection");
        parts.push(format!("{clients} from here to it elsewhere"));
    }
    if !report.left_over.is_empty() {
        let left = phrase::count(report.left_over.len(), "closed connection");
        parts.push(format!("the kernel keeps {left}"));
    }
    let elsewhere = report.elsewhere.iter().filter(|other| other.is_held()).count();
    if elsewhere > 0 {
        parts.push(format!(
            "somebody does in {}",
            phrase::count(elsewhere, "other network namespace")
        ));
    }
    vec![parts.join("; ")]
}

/// Returns which of several listeners answers at which address, where that is not plain.
pub fn who_answers(report: &PortReport) -> Vec<String> {
    let of = |protocol| {
        let listeners = report.listeners.iter().map(|listener| &listener.entry);
        let listeners = listeners.filter(|entry| entry.socket.protocol == protocol);
        diagnose::who_answers(&listeners.collect::<Vec<_>>())
    };
    PROTOCOLS.into_iter().flat_map(of).collect()
}

/// Returns who holds the port in one protocol; `None` when nobody does.
fn holders(report: &PortReport, protocol: Protocol) -> Option<String> {
    let is_of = |entry: &&Entry| entry.socket.protocol == protocol;
    let mut parts = Vec::new();

    let verb = if protocol == Protocol::Tcp { "listens on" } else { "receives on" };
    let listeners = report.listeners.iter().map(|listener| &listener.entry).filter(is_of);
    for (owner, addresses) in addresses_by_owner(listeners) {
        parts.push(format!("{owner} {verb} {}", enumerate(&addresses)));
    }
    for (owner, addresses) in addresses_by_owner(report.bound.iter().filter(is_of)) {
        parts.push(format!("{owner} holds {} without listening", enumerate(&addresses)));
    }
    if parts.is_empty() {
        let connections = report.connections.iter().flat_map(|group| &group.connections);
        let connections = connections.map(|connection| &connection.entry).filter(is_of);
        for (owner, addresses) in addresses_by_owner(connections) {
            parts.push(format!(
                "{owner} is connected from {}; nobody listens",
                enumerate(&addresses)
            ));
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Groups the local addresses by owner, both in order of their first appearance.
fn addresses_by_owner<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for entry in entries {
        let owner = phrase::owner(entry);
        let address = address(&entry.socket);
        match groups.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, addresses)) if addresses.contains(&address) => {}
            Some((_, addresses)) => addresses.push(address),
            None => groups.push((owner, vec![address])),
        }
    }
    groups
}

/// Returns the local address without its port: `0.0.0.0`, `[::1]`, `[::] (IPv4 too)`.
fn address(socket: &Socket) -> String {
    let end = phrase::end(socket.local.as_ref());
    let address = end.rsplit_once(':').map_or(end.as_str(), |(address, _)| address);
    let too = if is_dual_stack(socket) { " (IPv4 too)" } else { "" };
    format!("{address}{too}")
}

/// Returns true for a socket that is known to take IPv4 beside IPv6.
fn is_dual_stack(socket: &Socket) -> bool {
    socket.family == Family::Inet6 && is_wildcard(socket) && socket.v6only == Some(false)
}

fn is_wildcard(socket: &Socket) -> bool {
    socket.local.as_ref().is_some_and(Endpoint::is_wildcard)
}

/// Joins words as a sentence does: `a, b and c`.
fn enumerate(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn service_hint(services: &[(Protocol, String)]) -> Option<String> {
    let (_, first) = services.first()?;
    let same = services.iter().all(|(_, name)| name == first);
    let names = if same {
        sanitize::string(first).into_owned()
    } else {
        let each = services
            .iter()
            .map(|(protocol, name)| format!("{} ({protocol})", sanitize::string(name)));
        enumerate(&each.collect::<Vec<_>>())
    };
    Some(format!("the services file calls it {names}: a hint, not what runs there"))
}

/// Returns who holds a socket, in lines.
fn holders_of(entry: &Entry) -> Vec<String> {
    match &entry.ownership {
        Ownership::Held(owners) => owner::lines(owners),
        Ownership::Kernel(_) | Ownership::Hidden(_) => vec![phrase::owner(entry)],
    }
}

/// Returns what is to be said of a listener beside its address and owners.
fn listener_facts(Listener { entry, twins }: &Listener) -> Vec<String> {
    let socket = &entry.socket;
    let mut facts = Vec::new();
    match socket.queues {
        Some(Queues::Backlog { pending, limit: Some(limit) }) => {
            let full = if pending > limit { ", full" } else { "" };
            facts.push(format!("backlog {pending} of {limit}{full}"));
        }
        Some(Queues::Backlog { pending, limit: None }) => facts.push(format!("backlog {pending}")),
        Some(Queues::Bytes { recv: recv @ 1.., .. }) => facts.push(format!("bytes unread: {recv}")),
        Some(Queues::Bytes { recv: 0, .. }) | None => {}
    }
    if is_dual_stack(socket) {
        facts.push("IPv6 and IPv4 (dual-stack)".to_owned());
    } else if is_wildcard(socket) && socket.v6only == Some(true) {
        facts.push("IPv6 only (v6only)".to_owned());
    }
    if let Some(device) = &socket.rare.interface {
        facts.push(format!("on {} alone", interface(device)));
    }
    if *twins > 0 {
        let all = twins + 1;
        let by = if socket.protocol == Protocol::Tcp { "" } else { " or SO_REUSEADDR" };
        facts.push(format!("one of {all} at this address (SO_REUSEPORT{by})"));
    }
    facts
}

/// Returns the state of a connection in a word or two.
fn state(entry: &Entry) -> String {
    let is_waiting = entry.ownership.owners().iter().any(|owner| owner.via == Via::AcceptQueue);
    match entry.socket.state {
        Some(TcpState::SynRecv) => TcpState::SynRecv.to_string(),
        Some(state) if is_waiting => format!("{state} not accepted yet"),
        Some(state) => state.to_string(),
        None => format!("{} connected", entry.socket.protocol),
    }
}

/// Returns the peer of a group: `10.0.0.1`, `fe80::1%eth0`.
fn peer(PeerGroup { peer, scope, .. }: &PeerGroup) -> String {
    let link = scope.as_ref().map_or_else(String::new, |scope| format!("%{}", interface(scope)));
    format!("{peer}{link}")
}

fn interface(Interface { index, name }: &Interface) -> String {
    name.as_ref().map_or_else(|| index.to_string(), |name| sanitize::text(name).into_owned())
}

/// Counts the states: `ESTABLISHED`, or `2 ESTABLISHED, 1 CLOSE_WAIT`.
fn count_states<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let mut counts: BTreeMap<(usize, String), usize> = BTreeMap::new();
    for entry in entries {
        let rank = entry.socket.state.map_or(0, TcpState::rank);
        *counts.entry((rank, state(entry))).or_default() += 1;
    }
    if counts.len() == 1 {
        return counts.into_keys().map(|(_, state)| state).collect();
    }
    let each = counts.into_iter().map(|((_, state), count)| format!("{count} {state}"));
    each.collect::<Vec<_>>().join(", ")
}

/// Returns the different words, in the order of their first appearance; the rest is counted.
fn distinct(words: impl Iterator<Item = String>) -> Option<String> {
    let mut seen: Vec<String> = Vec::new();
    for word in words {
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    let more = seen.len().saturating_sub(3);
    seen.truncate(3);
    if more > 0 {
        seen.push(format!("{more} more"));
    }
    (!seen.is_empty()).then(|| seen.join(", "))
}

/// Returns a group in words: states, who at this end, and who at the other.
fn group_facts(connections: &[Connection], serving: bool) -> String {
    let states = count_states(connections.iter().map(|connection| &connection.entry));
    let here = distinct(connections.iter().map(|connection| phrase::owner(&connection.entry)));
    let others = connections.iter().filter_map(|connection| connection.other.as_ref());
    let there = distinct(others.map(phrase::owner));
    let arrow = if serving { "<-" } else { "->" };
    let there = there.map_or_else(String::new, |there| format!(" {arrow} {there}"));
    format!("{states}; {}{there}", here.unwrap_or_default())
}

/// Lines of a screen.
struct Page<'a> {
    width: Option<usize>,
    /// By how much everything is set in.
    indent: usize,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn heading(&mut self, text: &str) -> io::Result<()> {
        if self.indent == 0 {
            writeln!(self.out)?;
        }
        self.line(0, "", text)
    }

    /// Writes text after a label, breaking it at spaces so that it fits beside the label.
    fn line(&mut self, indent: usize, label: &str, text: &str) -> io::Result<()> {
        let indent = self.indent + indent;
        let start = indent + label.width();
        // What goes on is set in, so that it is not taken for a line of its own.
        let further = if start == self.indent { start + 2 } else { start };
        let room = self.width.map(|width| width.saturating_sub(further));
        let mut lines = phrase::wrap(text, room).into_iter();
        writeln!(self.out, "{:indent$}{label}{}", "", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(self.out, "{:further$}{line}", ""))
    }

    fn listeners(&mut self, listeners: &[Listener]) -> io::Result<()> {
        if listeners.is_empty() {
            return Ok(());
        }
        self.heading("Listeners")?;
        for listener in listeners {
            let facts = listener_facts(listener);
            self.socket(&listener.entry, &facts.join("; "))?;
        }
        Ok(())
    }

    fn bound(&mut self, bound: &[Entry]) -> io::Result<()> {
        if bound.is_empty() {
            return Ok(());
        }
        self.heading("Bound, neither listening nor connected")?;
        bound.iter().try_for_each(|entry| self.socket(entry, "blocks the port like a listener"))
    }

    /// Writes a socket's address and facts, and its owners below.
    fn socket(&mut self, entry: &Entry, facts: &str) -> io::Result<()> {
        let (protocol, local) =
            (phrase::protocol(&entry.socket), phrase::end(entry.socket.local.as_ref()));
        let gap = if facts.is_empty() { "" } else { "  " };
        self.line(2, &format!("{protocol:<6}{local}{gap}"), facts)?;
        holders_of(entry).iter().try_for_each(|line| self.line(8, "", line))
    }

    fn peers(&mut self, heading: &str, groups: &[PeerGroup], serving: bool) -> io::Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        self.heading(heading)?;
        let (shown, rest) = groups.split_at_checked(PEERS).unwrap_or((groups, &[]));
        let widest = shown.iter().map(|group| peer(group).width()).max().unwrap_or(0);
        for group in shown {
            let (peer, count) = (peer(group), group.connections.len());
            let label = format!("{peer:<widest$}  {count:>4}  ");
            self.line(2, &label, &group_facts(&group.connections, serving))?;
        }
        if !rest.is_empty() {
            let connections = rest.iter().map(|group| group.connections.len()).sum();
            let more = phrase::count(connections, "connection");
            self.line(2, "", &format!("{} more peers with {more}; --json has all", rest.len()))?;
        }
        Ok(())
    }

    fn left_over(&mut self, report: &PortReport) -> io::Result<()> {
        if report.left_over.is_empty() {
            return Ok(());
        }
        self.heading("Left over (no process holds it)")?;
        let is_here = |entry: &Entry| {
            entry.socket.local.as_ref().and_then(Endpoint::port) == Some(report.port)
        };
        for (place, here) in [("on it", true), ("to that port elsewhere", false)] {
            let of_place = report.left_over.iter().filter(|entry| is_here(entry) == here);
            let (waits, orphans): (Vec<Entry>, Vec<Entry>) =
                of_place.cloned().partition(|entry| entry.socket.state == Some(TcpState::TimeWait));
            if !waits.is_empty() {
                let longest = longest_time_wait(&waits).map_or_else(String::new, |milliseconds| {
                    format!(", the longest for {} s more", milliseconds.div_ceil(1000))
                });
                self.line(2, "", &format!("{} TIME_WAIT {place}{longest}", waits.len()))?;
            }
            if !orphans.is_empty() {
                self.line(2, "", &orphan_facts(&orphans, place))?;
            }
        }
        Ok(())
    }

    fn forwards(&mut self, forwards: &[Forwarded]) -> io::Result<()> {
        if forwards.is_empty() {
            return Ok(());
        }
        self.heading("Forwarded (inferred from command lines)")?;
        for Forwarded { owner, forward } in forwards {
            let (from, to) =
                (sanitize::string(&forward.from.text), sanitize::string(&forward.to.text));
            let label = format!("{}: ", phrase::process(&owner.process));
            self.line(2, &label, &format!("{from} -> {to}"))?;
        }
        Ok(())
    }
}

fn orphan_facts(orphans: &[Entry], place: &str) -> String {
    let unsent: usize = orphans
        .iter()
        .filter_map(|entry| match entry.socket.queues {
            Some(Queues::Bytes { send, .. }) => usize::try_from(send).ok(),
            Some(Queues::Backlog { .. }) | None => None,
        })
        .sum();
    let states = count_states(orphans.iter());
    let orphans = phrase::count(orphans.len(), "orphan");
    let unsent = if unsent > 0 {
        format!(", {} unsent", phrase::count(unsent, "byte"))
    } else {
        String::new()
    };
    format!("{orphans} {place} ({states}){unsent}")
}

#[cfg(test)]
mod tests;
