//! One socket on a page: what it is, what its state means, whose it is, and every number there is.
//!
//! For people; [`write_json`] writes the same for programs (`sockscope.show/1`).

use std::io::{self, Write};

use serde::Serialize;

use crate::details::Details;
use crate::explain::{self, Actor, Meaning};
use crate::kernel::KernelService;
use crate::options::SocketOptions;
use crate::process::{HiddenReason, Owner, Ownership, Process};
use crate::render::{json, phrase, sanitize};
use crate::snapshot::{Entry, Gap, Snapshot, Timestamp};
use crate::socket::{Endpoint, Family, Protocol, Queues, Socket, Timer, TimerKind};
use crate::state::TcpState;
use crate::tcp_info::{Recovery, TcpInfo};

/// The socket to show, and what of the other sockets belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The socket.
    pub entry: &'a Entry,
    /// The socket at its other end, when that is of this machine.
    pub other: Option<&'a Entry>,
    /// What it means; `None` for a state this version does not know.
    pub meaning: Option<&'static Meaning>,
    /// The options of its holder's socket, when they were read.
    pub options: Option<&'a SocketOptions>,
    /// The picture the socket is from.
    pub snapshot: &'a Snapshot,
}

impl<'a> Page<'a> {
    /// Returns the page of one of the snapshot's sockets.
    pub fn new(entry: &'a Entry, snapshot: &'a Snapshot) -> Self {
        let other =
            snapshot.entries.iter().find(|other| is_other_end(&entry.socket, &other.socket));
        Self { entry, other, meaning: explain::explain(entry), options: None, snapshot }
    }
}

/// Whether the second socket is the first's other end: the same ends the other way round, or for
/// UNIX sockets the peer by number.
fn is_other_end(socket: &Socket, other: &Socket) -> bool {
    if socket.protocol != other.protocol || socket.netns != other.netns {
        return false;
    }
    if socket.protocol == Protocol::Unix {
        return socket.peer_inode.is_some() && socket.peer_inode == other.inode;
    }
    let is_same = |one: &Option<Endpoint>, two: &Option<Endpoint>| match (one, two) {
        (Some(one), Some(two)) => {
            one.port() == two.port() && one.canonical_address() == two.canonical_address()
        }
        _ => false,
    };
    is_same(&socket.local, &other.peer) && is_same(&socket.peer, &other.local)
}

/// Writes the page, its lines as wide as this at most; `None`, as in a pipe, cuts none in two.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(page: &Page<'_>, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines::default();
    let Page { entry, .. } = *page;
    let socket = &entry.socket;
    lines.add("Socket", ends(socket));
    lines.state(page);
    lines.holders(entry);
    lines.other_end(page);
    lines.queues(socket);
    if socket.state.is_some() && socket.protocol == Protocol::Tcp {
        lines.add("Timer", timer(socket));
    }
    if let Some(details) = socket.details.as_deref() {
        if let Some(info) = details.tcp_info.as_deref() {
            lines.tcp(socket, info, details);
        }
        lines.details(details);
    }
    for words in page.options.map(SocketOptions::words).unwrap_or_default() {
        lines.add("Options", words);
    }
    lines.identity(entry);
    lines.write(width, out)
}

/// The width of the labels.
const LABELS: usize = 13;

/// The page's lines: a label, empty when it is that of the line above, and a text.
#[derive(Debug, Default)]
struct Lines {
    lines: Vec<(&'static str, String)>,
}

impl Lines {
    fn add(&mut self, label: &'static str, text: impl Into<String>) {
        let is_same = self.lines.iter().rev().find(|(label, _)| !label.is_empty());
        let label = if is_same.is_some_and(|(last, _)| *last == label) { "" } else { label };
        self.lines.push((label, text.into()));
    }

    fn state(&mut self, page: &Page<'_>) {
        let Page { entry, meaning, .. } = *page;
        let name = entry.socket.state.map(|state| state.to_string());
        let Some(Meaning { here, ends, when, acts, but, .. }) = meaning else {
            return self.add("State", name.unwrap_or_default());
        };
        let name = match (name, *but) {
            (Some(name), "") => name,
            (Some(name), but) => format!("{name}, {but}"),
            (None, but) => but.to_owned(),
        };
        self.add("State", format!("{name}: {here}"));
        self.add("Ends", format!("by {ends}; {when}"));
        if let Some(limit) = time_left(&entry.socket) {
            self.add("Ends", limit);
        }
        self.add("To act", actor(page, *acts));
        if let Some(command) = entry.ownership.service().and_then(KernelService::stop) {
            self.add("To act", format!("as root: {command}"));
        }
    }

    fn holders(&mut self, entry: &Entry) {
        match &entry.ownership {
            Ownership::Held(owners) => {
                for owner in owners {
                    self.add("Held by", holder(owner));
                }
            }
            Ownership::Kernel(reason) => self.add("Held by", phrase::kernel(reason)),
            Ownership::Hidden(reason) => {
                let user = entry.user.as_ref().map(|user| sanitize::text(user).into_owned());
                let user = user.or_else(|| entry.socket.uid.map(|uid| uid.to_string()));
                let user = user.map_or_else(String::new, |user| format!("; it belongs to {user}"));
                self.add("Held by", format!("{}{user}", hidden(*reason)));
            }
        }
    }

    fn other_end(&mut self, page: &Page<'_>) {
        let Page { entry, other, .. } = *page;
        match other {
            Some(other) if other.socket.id == entry.socket.id => {
                self.add("Other end", "itself: it is connected to its own address");
            }
            Some(other) => {
                let socket = &other.socket;
                let state = socket.state.map_or_else(String::new, |state| format!(", {state}"));
                let number = socket.cookie.map_or_else(String::new, |it| format!(", cookie {it}"));
                self.add("Other end", format!("{}{state}{number}", ends(socket)));
                match other.ownership.owners() {
                    [] => self.add("Other end", format!("held by {}", whose(other))),
                    owners => {
                        for owner in owners {
                            self.add("Other end", holder(owner));
                        }
                    }
                }
            }
            None if entry.socket.peer.is_some() => {
                self.add(
                    "Other end",
                    "not among the sockets seen here: another machine or namespace",
                );
            }
            None => {}
        }
    }

    fn queues(&mut self, socket: &Socket) {
        if let Some(Queues::Backlog { pending, limit }) = socket.queues {
            let limit = limit.map_or_else(String::new, |limit| {
                let full = if pending > limit { ": it is full" } else { "" };
                format!(", the limit is {limit}{full}")
            });
            return self
                .add("Queue", format!("{} to be accepted{limit}", plural(pending, "connection")));
        }
        let Some(counted) = explain::count(socket) else { return };
        let fin = if counted.fin_received {
            "; the end of the stream (FIN) waits too, which Recv-Q counts as 1"
        } else {
            ""
        };
        self.add("Received", format!("{} not read yet{fin}", plural(counted.unread, "byte")));
        let mark = match (counted.mark_sent, socket.state) {
            (false, _) => "",
            (true, Some(TcpState::SynSent)) => "; nor is our SYN, which Send-Q counts as 1",
            (true, _) => "; nor is our FIN, which Send-Q counts as 1",
        };
        let not_sent = socket.details.as_ref().and_then(|it| it.tcp_info.as_ref()?.not_sent);
        let not_sent = not_sent
            .filter(|bytes| *bytes > 0)
            .map_or_else(String::new, |it| format!(", of which {it} were never sent yet"));
        let word = if socket.protocol == Protocol::Tcp { "acknowledged" } else { "sent" };
        self.add(
            "Written",
            format!("{} not {word} yet{not_sent}{mark}", plural(counted.unsent, "byte")),
        );
    }

    fn tcp(&mut self, socket: &Socket, info: &TcpInfo, details: &Details) {
        let TcpInfo { rtt_us, rtt_variance_us, min_rtt_us, .. } = *info;
        if let Some(rtt) = rtt_us {
            let varies = rtt_variance_us.map_or_else(String::new, |it| format!(" ± {}", ms(it)));
            let least = min_rtt_us.map_or_else(String::new, |it| format!(", at least {}", ms(it)));
            self.add("Round trip", format!("{}{varies}{least}", ms(rtt)));
        }
        if let (Some(bytes), Some(segments)) = (info.bytes_out(), info.data_segments_out) {
            self.add(
                "Sent",
                format!("{} of data in {}", plural(bytes, "byte"), plural(segments, "segment")),
            );
        }
        if let Some(segments) = info.total_retrans.filter(|segments| *segments > 0) {
            let bytes = info.bytes_retrans.map_or_else(String::new, |it| format!(" ({it} bytes)"));
            self.add("Sent", format!("{} retransmitted{bytes}", plural(segments, "segment")));
        }
        if let (Some(bytes), Some(segments)) = (info.bytes_received, info.data_segments_in) {
            // The kernel counts a FIN as a byte received.
            let bytes = bytes.saturating_sub(u64::from(explain::has_peer_closed(socket)));
            let odd = info.out_of_order.filter(|segments| *segments > 0);
            let odd = odd.map_or_else(String::new, |it| format!(", {it} out of order"));
            let segments = plural(segments, "segment");
            self.add("Got", format!("{} of data in {segments}{odd}", plural(bytes, "byte")));
        }
        self.windows(info, details);
        if let Some(rate) = info.delivery_rate.filter(|rate| *rate > 0) {
            let limited =
                if info.app_limited == Some(true) { ", limited by the program" } else { "" };
            self.add("Rate", format!("{rate} bytes/s delivered{limited}"));
        }
        for (word, segments, ago) in [
            ("sent", info.data_segments_out, info.last_data_sent_ms),
            ("received", info.data_segments_in, info.last_data_received_ms),
        ] {
            if let (Some(1..), Some(ago)) = (segments, ago) {
                self.add("Idle", format!("data {word} {} ago", seconds(ago)));
            }
        }
        if info.timestamps.is_some() {
            self.add("Agreed", agreed(info));
        }
    }

    fn windows(&mut self, info: &TcpInfo, details: &Details) {
        if let (Some(cwnd), Some(mss)) = (info.cwnd, info.send_mss) {
            let by = details
                .congestion
                .as_ref()
                .map_or_else(String::new, |it| format!(" by {}", sanitize::text(it)));
            let slow = info
                .send_ssthresh
                .map_or_else(String::new, |it| format!(", slow start ends at {it}"));
            self.add(
                "Congestion",
                format!("window {} of {mss} bytes{by}{slow}", plural(cwnd, "segment")),
            );
        }
        let trouble = match info.recovery {
            None | Some(Recovery::Open) => None,
            Some(Recovery::Disorder) => Some("segments seem lost or reordered"),
            Some(Recovery::Cwr) => Some("slowed down: the network said that it is congested"),
            Some(Recovery::Recovery) => Some("sending lost segments again"),
            Some(Recovery::Loss) => Some("a retransmission timed out"),
        };
        if let Some(trouble) = trouble {
            self.add("Congestion", trouble);
        }
        if let Some(window) = info.send_window {
            let ours =
                info.receive_window.map_or_else(String::new, |it| format!(", we offer {it} bytes"));
            self.add("Windows", format!("the peer offers {window} bytes{ours}"));
        }
    }

    fn details(&mut self, details: &Details) {
        if let Some(memory) = details.memory {
            let send = memory.send.max(memory.transmit);
            self.add(
                "Memory",
                format!(
                    "receive {} of {} bytes, send {send} of {} bytes, {} reserved",
                    memory.receive, memory.receive_limit, memory.send_limit, memory.reserved
                ),
            );
        }
        if let Some(drops) = details.drops {
            self.add("Dropped", drops.to_string());
        }
        if let (None, Some(name)) = (&details.tcp_info, &details.congestion) {
            self.add("Congestion", sanitize::text(name));
        }
        if let Some(options) = details.options.as_deref().filter(|options| !options.is_empty()) {
            let names: Vec<&str> = options.iter().map(|option| option.name()).collect();
            self.add("Options", names.join(", "));
        }
        for (name, value) in [
            ("type of service", details.tos.map(u32::from)),
            ("traffic class", details.traffic_class.map(u32::from)),
            ("mark", details.mark),
        ] {
            if let Some(value) = value.filter(|value| *value != 0) {
                self.add("Marked", format!("{name} {value:#x}"));
            }
        }
    }

    fn identity(&mut self, entry: &Entry) {
        let socket = &entry.socket;
        if let Some(device) = &socket.interface {
            let name = device
                .name
                .as_ref()
                .map_or_else(|| device.index.to_string(), |name| sanitize::text(name).into_owned());
            self.add("Device", format!("bound to {name}"));
        }
        if let Some(v6only) = socket.v6only {
            self.add("IPv4", if v6only { "refused (v6only)" } else { "taken too (not v6only)" });
        }
        if let Some(netns) = socket.netns {
            let name = entry.netns_name.as_ref().map(|name| format!(" ({})", sanitize::text(name)));
            self.add("Namespace", format!("{netns}{}", name.unwrap_or_default()));
        }
        let user = entry.user.as_ref().map(|user| format!(" ({})", sanitize::text(user)));
        if let Some(uid) = socket.uid.filter(|_| entry.ownership.kernel().is_none()) {
            self.add("User", format!("{uid}{}", user.unwrap_or_default()));
        }
        let number = |name: &str, number: Option<u64>| {
            number.map_or_else(|| format!("no {name}"), |number| format!("{name} {number}"))
        };
        let inode = number("inode", socket.inode.map(|inode| inode.0));
        let cookie = number("cookie", socket.cookie.map(|cookie| cookie.0));
        self.add("Numbers", format!("{cookie}, {inode}"));
    }

    fn write(&self, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        let room = width.map(|width| width.saturating_sub(LABELS).max(20));
        for (label, text) in &self.lines {
            let mut label = *label;
            for line in phrase::wrap(text, room) {
                writeln!(out, "{label:LABELS$}{line}")?;
                label = "";
            }
        }
        Ok(())
    }
}

/// Writes `tcp 127.0.0.1:80 -> 127.0.0.1:5000`.
fn ends(socket: &Socket) -> String {
    let end = |end: &Option<Endpoint>| {
        end.as_ref().map(|end| sanitize::string(&end.to_string()).into_owned())
    };
    let six = if socket.family == Family::Inet6 { "6" } else { "" };
    let local = end(&socket.local).unwrap_or_else(|| "without a name".to_owned());
    let peer = end(&socket.peer).map_or_else(String::new, |peer| format!(" -> {peer}"));
    format!("{}{six} {local}{peer}", socket.protocol)
}

fn process_name(process: &Process) -> String {
    let name = process.command.as_ref().map_or("?".into(), |name| sanitize::text(name));
    format!("{name} (PID {})", process.pid)
}

/// Writes an owner: process, user, descriptor, and how that was found.
fn holder(owner: &Owner) -> String {
    let process = &owner.process;
    let user = process.user.as_ref().map(|user| sanitize::text(user).into_owned());
    let user = user.or_else(|| process.uid.map(|uid| uid.to_string()));
    let user = user.map_or_else(String::new, |user| format!(" of {user}"));
    let fd = owner.fd.map_or_else(String::new, |fd| format!(", descriptor {fd}"));
    let tid = owner.tid.map_or_else(String::new, |tid| format!(" of thread {tid}"));
    format!("{}{user}{fd}{tid}: {}", process_name(process), explain::how_found(owner.via))
}

const fn hidden(reason: HiddenReason) -> &'static str {
    match reason {
        HiddenReason::Permission => "a process that you may not see: run as root (sudo)",
        HiddenReason::Vanished => "nobody any more: it was gone, or handed on, while we looked",
        HiddenReason::NoDescriptor => "no descriptor that could be read: held in another way",
        HiddenReason::InFlight => {
            "nobody at the moment, perhaps: it may be in flight inside a UNIX socket, towards a \
             process that cannot be told"
        }
        HiddenReason::NotAsked => "not asked",
    }
}

/// Says whose a socket is, in a word or two.
fn whose(entry: &Entry) -> String {
    match &entry.ownership {
        Ownership::Held(owners) => {
            owners.first().map_or_else(String::new, |owner| process_name(&owner.process))
        }
        Ownership::Kernel(reason) => phrase::kernel(reason),
        Ownership::Hidden(reason) => hidden(*reason).to_owned(),
    }
}

/// Says who must act, by name where that is known.
fn actor(page: &Page<'_>, acts: Actor) -> String {
    let owner = || match page.entry.ownership.owners().first() {
        Some(owner) if explain::is_unaccepted(page.entry) => {
            format!("the listener's owner, {}", process_name(&owner.process))
        }
        Some(owner) => process_name(&owner.process),
        None => {
            page.entry.ownership.service().map_or_else(|| "the owner".to_owned(), phrase::service)
        }
    };
    let peer = || {
        let other = page.other.and_then(|other| other.ownership.owners().first());
        let end = page.entry.socket.peer.as_ref();
        match (other, end) {
            (Some(owner), _) => format!("the peer, {}", process_name(&owner.process)),
            (None, Some(end)) => format!("the peer, {}", sanitize::string(&end.to_string())),
            (None, None) => "the peer".to_owned(),
        }
    };
    match acts {
        Actor::Owner => owner(),
        Actor::Peer => peer(),
        Actor::Either => format!("{} or {}", owner(), peer()),
        Actor::Nobody => acts.words().to_owned(),
    }
}

/// Says how long it still is, where a timer tells.
fn time_left(socket: &Socket) -> Option<String> {
    let timer = socket.timer?;
    let dropped = timer.kind == TimerKind::Timewait
        || (socket.state == Some(TcpState::FinWait2) && socket.inode.is_none());
    dropped.then(|| format!("now in {}", seconds(timer.expires_ms)))
}

/// Says what timer runs, and what it is for.
fn timer(socket: &Socket) -> String {
    let Some(Timer { kind, expires_ms, retransmits }) = socket.timer else {
        return "none runs".to_owned();
    };
    let time = seconds(expires_ms);
    let so_far = |word: &str| {
        if retransmits == 0 { String::new() } else { format!(", {retransmits} {word} so far") }
    };
    match kind {
        TimerKind::On => format!("sends again in {time}{}", so_far("retransmissions")),
        TimerKind::Keepalive if socket.inode.is_none() => format!("the kernel drops it in {time}"),
        TimerKind::Keepalive => format!("keepalive probe in {time}{}", so_far("unanswered")),
        TimerKind::Timewait => format!("the kernel drops it in {time}"),
        TimerKind::Persist => {
            format!("the peer's window is closed; asks again in {time}{}", so_far("unanswered"))
        }
        TimerKind::Other(number) => format!("number {number} runs out in {time}"),
    }
}

/// Lists what the two ends agreed on in the handshake.
fn agreed(info: &TcpInfo) -> String {
    let mut words: Vec<String> = Vec::new();
    for (name, flag) in [("timestamps", info.timestamps), ("SACK", info.sack), ("ECN", info.ecn)] {
        if flag == Some(true) {
            words.push(name.to_owned());
        }
    }
    if let (Some(send), Some(receive)) = (info.send_scale, info.receive_scale) {
        words.push(format!("windows scaled by 2^{send} (theirs) and 2^{receive} (ours)"));
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn plural(number: impl Into<u64>, unit: &str) -> String {
    let number = number.into();
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{s}")
}

/// Writes microseconds as milliseconds.
fn ms(us: u32) -> String {
    format!("{}.{:03} ms", us / 1000, us % 1000)
}

/// Writes milliseconds as seconds.
fn seconds(ms: u32) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// The page for programs: the schema `sockscope.show/1` of docs/json.md.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    collected_at: Timestamp,
    platform: &'a str,
    gaps: Vec<Gap>,
    socket: json::Socket<'a>,
    meaning: Option<Words<'a>>,
    other_end: Option<json::Socket<'a>>,
    options: Option<&'a SocketOptions>,
}

/// What the socket's state means.
#[derive(Debug, Serialize)]
struct Words<'a> {
    here: &'a str,
    ends: &'a str,
    when: &'a str,
    acts: &'a str,
    unread: Option<u32>,
    fin_received: Option<bool>,
}

/// Writes the page as one indented object.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_json(page: &Page<'_>, out: &mut dyn Write) -> io::Result<()> {
    let counted = explain::count(&page.entry.socket);
    let words = |meaning: &'static Meaning| Words {
        here: meaning.here,
        ends: meaning.ends,
        when: meaning.when,
        acts: meaning.acts.words(),
        unread: counted.map(|counted| counted.unread),
        fin_received: counted.map(|counted| counted.fin_received),
    };
    let document = Document {
        schema: "sockscope.show/1",
        collected_at: page.snapshot.collected_at,
        platform: &page.snapshot.platform,
        gaps: page.snapshot.gaps(),
        socket: page.entry.into(),
        meaning: page.meaning.map(words),
        other_end: page.other.map(json::Socket::from),
        options: page.options,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::render::fixture;

    fn page(id: u64, width: Option<usize>) -> String {
        let snapshot = fixture::snapshot();
        let entry = snapshot.entries.iter().find(|entry| entry.socket.id.0 == id).unwrap();
        let mut out = Vec::new();
        write(&Page::new(entry, &snapshot), width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_connection_at_80_columns_is_this() {
        insta::assert_snapshot!(page(2, Some(80)));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for entry in fixture::snapshot().entries {
            for width in [80, 120] {
                for line in page(entry.socket.id.0, Some(width)).lines() {
                    assert!(line.width() <= width, "{line}");
                }
            }
        }
    }

    #[test]
    fn no_name_can_drive_the_terminal() {
        for entry in fixture::snapshot().entries {
            let text = page(entry.socket.id.0, None);
            assert!(!text.replace('\n', "").contains(char::is_control), "{text}");
            assert!(!text.contains('\u{202e}'), "{text}");
        }
    }

    #[test]
    fn whoever_is_hidden_is_said_to_be_and_why() {
        assert!(page(10, None).contains("you may not see: run as root (sudo); it belongs to 70"));
        assert!(page(11, None).contains("it was gone, or handed on, while we looked"));
    }
}
