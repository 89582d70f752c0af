//! What closing a socket from outside does to whom (`tcp_abort`, linux/net/ipv4/tcp.c; `udp_abort`,
//! linux/net/ipv4/udp.c), and which sockets it must not be done to.

use crate::cli::error::Failure;
use crate::platform::destroy;
use crate::process::{Ownership, Via};
use crate::render::phrase;
use crate::snapshot::Entry;
use crate::socket::{Protocol, Socket, TimerKind};
use crate::state::TcpState;

/// Checks that the socket is a connection that can be closed.
///
/// # Errors
///
/// The reason why it must not be closed, or cannot.
pub(super) fn check(entry: &Entry) -> Result<(), Failure> {
    let socket = &entry.socket;
    let name = phrase::ends(socket);
    if !matches!(socket.protocol, Protocol::Tcp | Protocol::Udp | Protocol::Udplite) {
        let is_other = socket.protocol == Protocol::Other;
        let protocol = if is_other { "such" } else { socket.protocol.name() };
        return Err(Failure::new(format!(
            "cannot close {name}: the kernel closes no {protocol} sockets from outside"
        ))
        .hint("end the process that holds it"));
    }
    if socket.state == Some(TcpState::Listen) {
        return Err(Failure::new(format!(
            "will not close {name}: it is a listener; it would vanish from every listing and still block \
             its port until {} closes it",
            phrase::owner(entry)
        ))
        .hint("end the process that holds it, or have it stop listening"));
    }
    if is_disconnected(socket) || socket.peer.is_none() {
        return Err(Failure::new(format!(
            "will not close {name}: it has no connection, and its port stays blocked until {} closes it",
            phrase::owner(entry)
        ))
        .hint("end the process that holds it"));
    }
    destroy::check_name(socket).map_err(|error| {
        let failure = Failure::new(format!("cannot close {name}: {error}"));
        error.hint().into_iter().fold(failure, Failure::hint)
    })
}

/// Returns true for a socket that is open and has no peer (any more).
pub(super) fn is_disconnected(socket: &Socket) -> bool {
    match socket.state {
        Some(state) => matches!(state, TcpState::Bound | TcpState::Closed),
        None => socket.peer.is_none(),
    }
}

/// Returns what closing does at this end and at the other, a line each.
pub(super) fn lines(entry: &Entry, other: Option<&Entry>) -> [String; 2] {
    [format!("here: {}", here(entry)), format!("peer: {}", peer(&entry.socket, other))]
}

fn here(entry: &Entry) -> String {
    let socket = &entry.socket;
    let owner = phrase::owner(entry);
    match (&entry.ownership, socket.state) {
        (_, Some(TcpState::TimeWait)) => "nobody holds it; the kernel stops guarding these ports \
             against late segments of the old connection"
            .to_owned(),
        (ownership, _) if ownership.is_left_over() => {
            "nobody holds it; what was not delivered yet is lost".to_owned()
        }
        (_, Some(TcpState::SynRecv)) => format!("{owner} never gets to see it"),
        (Ownership::Held(owners), _)
            if owners.iter().any(|owner| owner.via == Via::AcceptQueue) =>
        {
            format!("{owner} has not accepted it, and will find it closed (ECONNABORTED)")
        }
        (Ownership::Held(owners), _) if owners.iter().any(|owner| owner.via == Via::InFlight) => {
            format!("{owner}, whom it is on its way to, will find it closed (ECONNABORTED)")
        }
        (Ownership::Held(_) | Ownership::Kernel(_) | Ownership::Hidden(_), _) => {
            format!("{owner} gets ECONNABORTED from its next call; what was not delivered is lost")
        }
    }
}

fn peer(socket: &Socket, other: Option<&Entry>) -> String {
    let peer = phrase::end(socket.peer.as_ref());
    let who = match other {
        Some(entry) if entry.ownership.is_left_over() => {
            format!("{peer}, whom nobody holds,")
        }
        Some(entry) => format!("{} at {peer}", phrase::owner(entry)),
        None => peer,
    };
    if is_reset(socket) {
        format!("{who} gets a reset (RST): ECONNRESET")
    } else if socket.protocol == Protocol::Tcp {
        format!("{who} is told nothing")
    } else {
        format!("{who} is told nothing: {} has no end of a connection", socket.protocol)
    }
}

/// Returns whether the kernel sends a reset: in the states of `tcp_need_reset`, and only for a socket
/// that is one. FIN_WAIT2 with the timer of TIME_WAIT is a remainder, and SYN_RECV a request.
fn is_reset(socket: &Socket) -> bool {
    let is_remainder = socket.timer.is_some_and(|timer| timer.kind == TimerKind::Timewait);
    match socket.state {
        Some(TcpState::Established | TcpState::CloseWait | TcpState::FinWait1) => true,
        Some(TcpState::FinWait2) => !is_remainder,
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    /// The first entry of the fixture that is like this.
    fn entry(like: impl Fn(&Entry) -> bool) -> Entry {
        fixture::snapshot().entries.into_iter().find(like).unwrap()
    }

    fn in_state(state: TcpState) -> Entry {
        entry(|entry| entry.socket.state == Some(state))
    }

    #[track_caller]
    fn refusal(entry: &Entry) -> String {
        check(entry).unwrap_err().to_string()
    }

    #[test]
    fn a_listener_is_refused_because_its_port_would_stay_blocked() {
        let text = refusal(&in_state(TcpState::Listen));
        assert_eq!(
            text,
            "will not close [::]:443: it is a listener; it would vanish from every listing and still \
             block its port until nginx (811, +3) closes it"
        );
    }

    #[test]
    fn what_is_bound_and_no_more_is_refused() {
        assert!(refusal(&in_state(TcpState::Bound)).contains("it has no connection"));
        let udp =
            entry(|entry| entry.socket.protocol == Protocol::Udp && entry.socket.peer.is_none());
        assert!(refusal(&udp).contains("it has no connection"));
    }

    #[test]
    fn a_unix_socket_cannot_be_closed() {
        let text = refusal(&entry(|entry| entry.socket.protocol == Protocol::Unix));
        assert!(text.ends_with("the kernel closes no unix sockets from outside"), "{text}");
    }

    #[test]
    fn what_the_system_cannot_name_is_not_closed() {
        // Linux names by the cookie, Windows TCP over IPv4, the others nothing.
        let mut entry = in_state(TcpState::Established);
        entry.socket.cookie = None;
        let text = refusal(&entry);
        assert!(text.starts_with("cannot close [::ffff:192.0.2.10]:443->"), "{text}");
    }

    #[test]
    fn both_ends_of_a_connection_are_told_what_they_notice() {
        let entry = in_state(TcpState::Established);
        assert_eq!(
            lines(&entry, None),
            [
                "here: nginx (813) gets ECONNABORTED from its next call; what was not delivered is lost",
                "peer: [::ffff:198.51.100.7]:50312 gets a reset (RST): ECONNRESET",
            ]
        );
    }

    #[test]
    fn a_reset_is_sent_only_where_the_kernel_sends_one() {
        let mut entry = in_state(TcpState::Established);
        entry.socket.timer = None;
        for (state, reset) in [
            (TcpState::Established, true),
            (TcpState::CloseWait, true),
            (TcpState::FinWait1, true),
            (TcpState::FinWait2, true),
            (TcpState::SynSent, false),
            (TcpState::SynRecv, false),
            (TcpState::Closing, false),
            (TcpState::LastAck, false),
            (TcpState::TimeWait, false),
        ] {
            entry.socket.state = Some(state);
            assert_eq!(is_reset(&entry.socket), reset, "{state}");
        }
    }

    #[test]
    fn the_end_of_time_wait_is_nobodys_loss() {
        let [here, peer] = lines(&in_state(TcpState::TimeWait), None);
        assert!(here.starts_with("here: nobody holds it; the kernel stops guarding"), "{here}");
        assert!(peer.ends_with("is told nothing"), "{peer}");
    }

    #[test]
    fn a_connection_in_the_accept_queue_is_its_listeners() {
        let waiting = entry(|entry| {
            entry.ownership.owners().iter().any(|owner| owner.via == Via::AcceptQueue)
        });
        let [here, _] = lines(&waiting, None);
        assert_eq!(
            here,
            "here: nginx (811, +3) has not accepted it, and will find it closed (ECONNABORTED)"
        );
    }
}
