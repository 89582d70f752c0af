//! What the states mean, in words: the one table behind `sockscope show` and docs/states.md.
//!
//! Pure. A state alone does not say it: who holds the socket, and whether anybody does, changes what
//! it means, what ends it and who must act.

use crate::process::Via;
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Protocol, Queues, Socket, TimerKind};
use crate::state::TcpState;

/// What a socket's situation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The state; `None` for protocols without states.
    pub state: Option<TcpState>,
    /// What sets this situation apart from others in the state; empty when nothing does.
    pub but: &'static str,
    /// What it means here.
    pub here: &'static str,
    /// What ends it.
    pub ends: &'static str,
    /// When it ends though nobody does anything.
    pub when: &'static str,
    /// Who has to do something.
    pub acts: Actor,
}

/// Who has to do something to end a situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Actor {
    /// Whoever holds the socket.
    Owner,
    /// The peer.
    Peer,
    /// One of the two.
    Either,
    /// Nobody: it ends by itself.
    Nobody,
}

impl Actor {
    /// Returns the words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Owner => "the owner",
            Self::Peer => "the peer",
            Self::Either => "either end",
            Self::Nobody => "nobody",
        }
    }
}

const NEVER: &str = "never by itself";
/// Probes are sent for as long as they are answered (RFC 9293 3.8.6.1, `tcp_probe_timer` in
/// linux/net/ipv4/tcp_timer.c).
const ANSWERED: &str = "never by itself while the peer answers our probes";
const LONG: &str = "after about a quarter of an hour of retries (tcp_retries2)";
const ORPHANED: &str = "after some retries (tcp_orphan_retries)";
const NOT_ACCEPTED: &str = "not accepted";
const NO_OWNER: &str = "without owner";
const NO_ROOM: &str = "peer's window closed";
const QUEUE_FULL: &str = "queue full";
const UNCONNECTED: &str = "unconnected";
const CONNECTED: &str = "connected";
const IN_NO_LIST: &str = "in no list";

macro_rules! meanings {
    ($( $state:expr, $but:expr, $here:literal, $ends:literal, $when:expr, $acts:ident; )+) => {
        /// Every situation. What is special comes behind the plain one of its state.
        pub const MEANINGS: &[Meaning] = &[$(
            Meaning {
                state: $state,
                but: $but,
                here: $here,
                ends: $ends,
                when: $when,
                acts: Actor::$acts,
            }
        ),+];
    };
}

meanings! {
    Some(TcpState::Listen), "", "waits for connections", "the owner's close", NEVER, Owner;
    Some(TcpState::Listen), QUEUE_FULL,
        "more connections wait than its queue may hold; who asks for another gets no answer",
        "the owner's accept, or its close", NEVER, Owner;
    Some(TcpState::Bound), "",
        "holds a port, neither listening nor connected; nobody else may listen there",
        "the owner's listen, connect or close", NEVER, Owner;
    Some(TcpState::SynSent), "", "asked for a connection; there is no answer yet",
        "an answer, a refusal, or the last retry",
        "after about two minutes of retries (tcp_syn_retries)", Peer;
    Some(TcpState::SynRecv), "",
        "was asked for a connection and has answered; waits for the handshake's end",
        "the peer's ACK (with TCP_DEFER_ACCEPT its first data), or the last retry",
        "after about a minute of retries (tcp_synack_retries)", Peer;
    Some(TcpState::Established), "", "open both ways", "a close of either end",
        "never by itself, unless keepalive is on and the peer is gone", Either;
    Some(TcpState::Established), NOT_ACCEPTED,
        "open both ways, but no process has accepted it: it waits in its listener's queue",
        "the listener's accept, or its close", NEVER, Owner;
    Some(TcpState::Established), NO_ROOM,
        "open both ways, but the peer does not read: what is written waits here",
        "the peer's reading, or a close of either end", ANSWERED, Peer;
    Some(TcpState::FinWait1), "", "closed here; the peer has not acknowledged that yet",
        "the peer's ACK", LONG, Peer;
    Some(TcpState::FinWait1), NO_OWNER,
        "closed here, and no process holds it any more; the kernel still sends what is left",
        "the peer's ACK of all of it", ORPHANED, Peer;
    Some(TcpState::FinWait1), NO_ROOM,
        "closed here, but the peer does not read: what was written waits, and our FIN behind it",
        "the peer's reading, or its abort", ANSWERED, Peer;
    Some(TcpState::FinWait2), "",
        "closed here, which the peer has acknowledged; the peer has not closed and may still send",
        "the peer's close", "never by itself while a process holds it", Peer;
    Some(TcpState::FinWait2), NO_OWNER,
        "closed here, which the peer has acknowledged; no process holds it, the peer has not closed",
        "the peer's close", "after 60 s (tcp_fin_timeout)", Peer;
    Some(TcpState::CloseWait), "",
        "the peer has closed, the owner here has not: if these pile up, the owner leaks them",
        "the owner's close", NEVER, Owner;
    Some(TcpState::CloseWait), NOT_ACCEPTED,
        "the peer has closed before any process accepted it: it waits in its listener's queue",
        "the listener's accept and close", NEVER, Owner;
    Some(TcpState::Closing), "",
        "both ends closed at once; the peer has not acknowledged our close yet", "the peer's ACK",
        LONG, Peer;
    Some(TcpState::Closing), NO_OWNER,
        "both ends closed at once, and no process holds it; the peer has not acknowledged our close yet",
        "the peer's ACK", ORPHANED, Peer;
    Some(TcpState::Closing), NO_ROOM,
        "both ends closed, but the peer does not read: what was written waits, and our FIN behind it",
        "the peer's reading, or its abort", ANSWERED, Peer;
    Some(TcpState::LastAck), "",
        "the peer closed first, then the owner; the peer has not acknowledged that yet",
        "the peer's ACK", LONG, Peer;
    Some(TcpState::LastAck), NO_OWNER,
        "the peer closed first, then the owner, and no process holds it; the peer has not acknowledged that yet",
        "the peer's ACK", ORPHANED, Peer;
    Some(TcpState::LastAck), NO_ROOM,
        "the peer closed first, then the owner, but the peer does not read: what was written waits, and our FIN behind it",
        "the peer's reading, or its abort", ANSWERED, Peer;
    Some(TcpState::TimeWait), "",
        "over; it was closed here first, and is kept so that late segments cannot disturb a new connection",
        "time alone", "after 60 s on Linux", Nobody;
    Some(TcpState::Closed), "", "no connection", "the owner's bind, connect or close", NEVER, Owner;
    None, UNCONNECTED, "takes what anybody sends", "the owner's close", NEVER, Owner;
    None, CONNECTED, "takes what its peer sends; the peer need not know of it",
        "the owner's close", NEVER, Owner;
    None, IN_NO_LIST,
        "in none of the kernel's lists: neither bound nor connected, of a kind that no list has, or of a network namespace that was not read",
        "the owner's bind, connect or close", NEVER, Owner;
}

/// Returns what the socket's situation means; `None` for a state this version does not know.
pub fn explain(entry: &Entry) -> Option<&'static Meaning> {
    let but = match (entry.socket.state, &entry.ownership) {
        (None, _) if entry.socket.protocol == Protocol::Other => IN_NO_LIST,
        (None, _) if entry.socket.peer.is_some() => CONNECTED,
        (None, _) => UNCONNECTED,
        (Some(_), _) if is_unaccepted(entry) => NOT_ACCEPTED,
        (Some(_), ownership) if ownership.is_left_over() => NO_OWNER,
        (Some(_), _) if is_full(&entry.socket) => QUEUE_FULL,
        (Some(_), _) if has_no_room(&entry.socket) => NO_ROOM,
        (Some(_), _) => "",
    };
    let of_state = || MEANINGS.iter().filter(|meaning| meaning.state == entry.socket.state);
    of_state().find(|meaning| meaning.but == but).or_else(|| of_state().next())
}

/// Returns true for a connection that waits to be accepted.
pub fn is_unaccepted(entry: &Entry) -> bool {
    entry.ownership.owners().iter().any(|owner| owner.via == Via::AcceptQueue)
}

/// Returns true for a listener with more connections to be accepted than it was to hold.
const fn is_full(socket: &Socket) -> bool {
    matches!(socket.queues, Some(Queues::Backlog { pending, limit: Some(limit) }) if pending > limit)
}

/// Returns true for a connection whose peer takes no more: its window is probed.
fn has_no_room(socket: &Socket) -> bool {
    socket.timer.is_some_and(|timer| timer.kind == TimerKind::Persist)
}

/// Returns true when the peer's address is one of this machine's, as far as the socket tells: loopback,
/// or the local one.
pub fn is_within_machine(socket: &Socket) -> bool {
    let address = |end: &Option<Endpoint>| end.as_ref().and_then(Endpoint::canonical_address);
    address(&socket.peer)
        .is_some_and(|peer| peer.is_loopback() || address(&socket.local) == Some(peer))
}

/// Returns how an owner was found, in words.
pub fn how_found(via: Via) -> &'static str {
    match via.name() {
        "fd" => "found in its descriptors",
        "thread-fd" => "found in the descriptors that one of its threads has for itself",
        "io_uring" => "registered in its io_uring, without a descriptor",
        "in-flight" => "on its way to it in a message of a UNIX socket",
        "accept-queue" => "not accepted yet: it holds the listener",
        "table" => "told by the system, without a descriptor",
        other => other,
    }
}

/// What a socket's queues hold, with what is no data counted out of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Bytes received that the owner has not read.
    pub unread: u32,
    /// Whether the end of the stream waits behind them: the peer's FIN, which the kernel counts as
    /// a byte.
    pub fin_received: bool,
    /// Bytes written that the peer has not acknowledged.
    pub unsent: u32,
    /// Whether our FIN, or our SYN, is among what is not acknowledged: counted as a byte too.
    pub mark_sent: bool,
}

/// Returns true when the peer's FIN has been received.
pub fn has_peer_closed(socket: &Socket) -> bool {
    matches!(
        socket.state,
        Some(TcpState::CloseWait | TcpState::LastAck | TcpState::Closing | TcpState::TimeWait)
    )
}

/// Counts a SYN and the FINs out of the queues (`tcp_diag_get_info`, linux/net/ipv4/tcp_diag.c, takes
/// differences of sequence numbers, where each is one). `None` for a listener.
pub fn count(socket: &Socket) -> Option<Counted> {
    let Some(Queues::Bytes { recv, send }) = socket.queues else { return None };
    let state = socket.state;
    let marked = matches!(
        state,
        Some(TcpState::SynSent | TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck)
    );
    // Of a whole MPTCP connection the kernel counts data only.
    let is_tcp = socket.protocol == Protocol::Tcp;
    let fin_received = is_tcp && has_peer_closed(socket) && recv > 0;
    let mark_sent = is_tcp && marked && send > 0;
    Some(Counted {
        unread: recv - u32::from(fin_received),
        fin_received,
        unsent: send - u32::from(mark_sent),
        mark_sent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Family, Protocol, SocketId};

    const MANUAL: &str = include_str!("../docs/states.md");

    #[test]
    fn the_manual_has_this_table() {
        let rows: Vec<String> = MEANINGS
            .iter()
            .map(|Meaning { state, but, here, ends, when, acts }| {
                let state = state.map_or("no state".to_owned(), |state| format!("`{state}`"));
                let space = if but.is_empty() { "" } else { " " };
                format!("| {state}{space}{but} | {here} | {ends} | {when} | {} |", acts.words())
            })
            .collect();
        let rows = rows.join("\n");
        assert!(MANUAL.contains(&rows), "docs/states.md should contain:\n{rows}");
    }

    #[test]
    fn every_state_has_a_meaning() {
        for state in TcpState::all() {
            assert!(MEANINGS.iter().any(|meaning| meaning.state == Some(state)), "{state}");
        }
    }

    #[test]
    fn no_situation_is_there_twice_and_the_plain_one_is_first() {
        let mut seen = Vec::new();
        for Meaning { state, but, .. } in MEANINGS {
            assert!(!seen.contains(&(state, but)), "{state:?} {but}");
            let is_first = seen.iter().all(|(other, _)| *other != state);
            assert_eq!(is_first, but.is_empty() || (state.is_none() && *but == UNCONNECTED));
            seen.push((state, but));
        }
    }

    #[test]
    fn every_way_an_owner_is_found_has_words() {
        for via in Via::ALL {
            assert_ne!(how_found(via), via.name());
        }
    }

    fn counted(state: TcpState, recv: u32, send: u32) -> Counted {
        let mut socket = Socket::new(SocketId(1), Protocol::Tcp, Family::Inet);
        socket.state = Some(state);
        socket.queues = Some(Queues::Bytes { recv, send });
        count(&socket).unwrap()
    }

    #[test]
    fn a_received_fin_is_no_data() {
        let counted = counted(TcpState::CloseWait, 1, 0);
        assert_eq!((counted.unread, counted.fin_received), (0, true));
    }

    #[test]
    fn a_fin_that_was_read_is_not_counted_again() {
        let counted = counted(TcpState::CloseWait, 0, 0);
        assert_eq!((counted.unread, counted.fin_received), (0, false));
    }

    #[test]
    fn our_own_syn_and_fin_are_no_data_either() {
        assert_eq!(counted(TcpState::SynSent, 0, 1).unsent, 0);
        assert_eq!(counted(TcpState::FinWait1, 0, 5001).unsent, 5000);
        assert_eq!(counted(TcpState::Closing, 1, 1).unread, 0);
    }

    #[test]
    fn an_open_connection_s_bytes_are_all_data() {
        let counted = counted(TcpState::Established, 1, 1);
        assert_eq!((counted.unread, counted.unsent), (1, 1));
        assert!(!counted.fin_received && !counted.mark_sent);
    }
}
