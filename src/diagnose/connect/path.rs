//! A connection to the path of a UNIX socket, or to a name in the abstract namespace (`unix(7)`).

use crate::diagnose::connect::causes::{advice, cause, is_full, is_stopped, queue};
use crate::diagnose::connect::{ConnectDiagnosis, ConnectFacts, Reach};
use crate::diagnose::{Cause, Certainty, Errno, FileKind, PathFacts, Reason, Remedy, Target};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, SocketType};
use crate::text::Text;

/// Returns what is to be expected of a connection to a path, or to an abstract name that starts with `@`.
pub fn diagnose_path(snapshot: &Snapshot, facts: &ConnectFacts, path: &Text) -> ConnectDiagnosis {
    let (prediction, causes) = predict(snapshot, facts, path);
    ConnectDiagnosis {
        request: Target::Unix(path.clone()),
        verdict: prediction,
        prediction,
        attempt: None,
        remedies: remedies(&causes),
        causes,
    }
}

fn predict(snapshot: &Snapshot, facts: &ConnectFacts, path: &Text) -> (Reach, Vec<Cause>) {
    let fails =
        |errno, reason| (Reach::Fails { errno }, vec![cause(reason, Certainty::Certain, &[])]);
    if let Some(name) = path.as_bytes().strip_prefix(b"@") {
        let name = Endpoint::Abstract(Text::from(name.to_vec()));
        let bound =
            snapshot.entries.iter().filter(|entry| entry.socket.local.as_ref() == Some(&name));
        let bound: Vec<&Entry> = bound.collect();
        if bound.is_empty() {
            return fails(Errno::ECONNREFUSED, Reason::NobodyListens);
        }
        return of_sockets(facts, &bound);
    }
    match &facts.settings.path {
        None => (Reach::Unknown, Vec::new()),
        Some(PathFacts::NoDirectory) => fails(Errno::ENOENT, Reason::NoDirectory),
        Some(PathFacts::NotDirectory) => fails(Errno::ENOTDIR, Reason::NoDirectory),
        Some(PathFacts::Closed) => fails(Errno::EACCES, Reason::ClosedDirectory),
        Some(PathFacts::Vacant { .. }) => fails(Errno::ENOENT, Reason::NoFile),
        Some(PathFacts::Taken { kind, is_bound, sockets }) => match kind {
            // It is followed, to what was not looked at.
            FileKind::Symlink => (Reach::Unknown, Vec::new()),
            FileKind::Regular | FileKind::Directory | FileKind::Other => {
                fails(Errno::ECONNREFUSED, Reason::FileInTheWay)
            }
            FileKind::Socket if *is_bound == Some(false) => {
                fails(Errno::ECONNREFUSED, Reason::StaleSocket)
            }
            FileKind::Socket => {
                let is_it = |entry: &&Entry| {
                    entry.socket.inode.is_some_and(|inode| sockets.contains(&inode))
                };
                let bound: Vec<&Entry> = snapshot.entries.iter().filter(is_it).collect();
                of_sockets(facts, &bound)
            }
        },
    }
}

/// Returns what comes of a connection to these sockets, of which a path has one.
fn of_sockets(facts: &ConnectFacts, bound: &[&Entry]) -> (Reach, Vec<Cause>) {
    let Some(first) = bound.first() else { return (Reach::Unknown, Vec::new()) };
    let about = |reason| cause(reason, Certainty::Certain, bound);
    let is_datagram = first.socket.socket_type == Some(SocketType::Dgram);
    if !is_datagram && !first.socket.is_listening() {
        return (Reach::Fails { errno: Errno::ECONNREFUSED }, vec![about(Reason::BoundOnly)]);
    }
    let mut causes = Vec::new();
    // `unix_recvq_full`, linux/net/unix/af_unix.c.
    let full = queue(first).filter(|&queue| is_full(queue));
    causes.push(match full {
        None => about(Reason::Answers),
        Some((pending, limit)) => {
            about(Reason::BacklogFull).shown_by(format!("{pending} waiting, the limit is {limit}"))
        }
    });
    if is_stopped(facts, first) {
        causes.push(about(Reason::Stopped));
    }
    (if full.is_some() { Reach::Silent } else { Reach::Connects }, causes)
}

/// Returns what made the attempt end otherwise than was predicted.
pub(super) fn unforeseen(verdict: Reach) -> Vec<Cause> {
    let reason = match verdict {
        Reach::Connects | Reach::Unknown => return Vec::new(),
        Reach::Silent => Reason::BacklogFull,
        Reach::Fails { errno: Errno::EACCES | Errno::EPERM } => Reason::NoAccess,
        Reach::Fails { errno: Errno::ENOENT } => Reason::NoFile,
        Reach::Fails { .. } => Reason::NobodyListens,
    };
    vec![cause(reason, Certainty::Likely, &[])]
}

/// Returns what can be done about the causes. No command names the path: it may be anybody's.
#[expect(clippy::wildcard_enum_match_arm, reason = "most reasons are of other questions")]
pub(super) fn remedies(causes: &[Cause]) -> Vec<Remedy> {
    let way = |cause: &Cause| {
        Some(match cause.reason {
            Reason::NobodyListens | Reason::StaleSocket | Reason::NoFile | Reason::NoDirectory => {
                advice(
                    "start the server, or see where others listen",
                    Some("sockscope list 'unix and listen'"),
                )
            }
            Reason::NoAccess | Reason::ClosedDirectory => advice(
                "connect as its owner or as one of its group: who may write to the file may connect",
                Some("id"),
            ),
            Reason::BacklogFull => {
                advice("find out why it does not accept: it is busy, stuck or stopped", None)
            }
            _ => return None,
        })
    };
    causes.iter().filter_map(way).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::process::{HiddenReason, Ownership};
    use crate::snapshot::Timestamp;
    use crate::socket::{Family, Inode, Protocol, Queues, Socket, SocketId};
    use crate::state::TcpState;

    fn row(local: Endpoint, state: TcpState, pending: u32) -> Entry {
        let mut socket = Socket::new(SocketId(1), Protocol::Unix, Family::Unix);
        socket.local = Some(local);
        socket.inode = Some(Inode(7));
        socket.socket_type = Some(SocketType::Stream);
        socket.state = Some(state);
        socket.queues = Some(Queues::Backlog { pending, limit: Some(2) });
        let ownership = Ownership::Hidden(HiddenReason::NotAsked);
        Entry {
            socket,
            ownership,
            user: None,
            netns_name: None,
            peer_owners: crate::rare::Rare::default(),
        }
    }

    fn ask(path: &str, facts: Option<PathFacts>, entries: Vec<Entry>) -> (Reach, Vec<Reason>) {
        let snapshot = Snapshot {
            collected_at: Timestamp(SystemTime::UNIX_EPOCH),
            platform: "linux".to_owned(),
            entries,
            unread: Vec::new(),
            notes: Vec::new(),
            current_netns: None,
        };
        let mut all = ConnectFacts::default();
        all.settings.path = facts;
        let diagnosis = diagnose_path(&snapshot, &all, &Text::from(path));
        let reasons = diagnosis.causes.iter().map(|cause| cause.reason).collect();
        (diagnosis.verdict, reasons)
    }

    fn taken(kind: FileKind, is_bound: bool) -> PathFacts {
        let sockets = if is_bound { vec![Inode(7)] } else { Vec::new() };
        PathFacts::Taken { kind, is_bound: Some(is_bound), sockets }
    }

    #[test]
    fn what_is_at_the_path_decides() {
        let fails = |errno, reason| (Reach::Fails { errno }, vec![reason]);
        let vacant = Some(PathFacts::Vacant { may_write: None, is_read_only: false });
        for (facts, expected) in [
            (vacant, fails(Errno::ENOENT, Reason::NoFile)),
            (Some(PathFacts::NoDirectory), fails(Errno::ENOENT, Reason::NoDirectory)),
            (Some(PathFacts::NotDirectory), fails(Errno::ENOTDIR, Reason::NoDirectory)),
            (Some(PathFacts::Closed), fails(Errno::EACCES, Reason::ClosedDirectory)),
            (
                Some(taken(FileKind::Regular, false)),
                fails(Errno::ECONNREFUSED, Reason::FileInTheWay),
            ),
            (Some(taken(FileKind::Socket, false)), fails(Errno::ECONNREFUSED, Reason::StaleSocket)),
            (Some(taken(FileKind::Symlink, false)), (Reach::Unknown, Vec::new())),
            (None, (Reach::Unknown, Vec::new())),
        ] {
            assert_eq!(ask("/run/x", facts.clone(), Vec::new()), expected, "{facts:?}");
        }
    }

    #[test]
    fn who_is_bound_to_it_answers_when_it_listens_and_has_room() {
        let ask = |state, pending| {
            let entry = row(Endpoint::Path("/run/x".into()), state, pending);
            ask("/run/x", Some(taken(FileKind::Socket, true)), vec![entry])
        };
        assert_eq!(ask(TcpState::Listen, 2), (Reach::Connects, vec![Reason::Answers]));
        assert_eq!(ask(TcpState::Listen, 3), (Reach::Silent, vec![Reason::BacklogFull]));
        let refused = Reach::Fails { errno: Errno::ECONNREFUSED };
        assert_eq!(ask(TcpState::Closed, 0), (refused, vec![Reason::BoundOnly]));
    }

    #[test]
    fn an_abstract_name_has_no_file() {
        let entry = row(Endpoint::Abstract("x".into()), TcpState::Listen, 0);
        assert_eq!(ask("@x", None, vec![entry]), (Reach::Connects, vec![Reason::Answers]));
        let refused = Reach::Fails { errno: Errno::ECONNREFUSED };
        assert_eq!(ask("@x", None, Vec::new()), (refused, vec![Reason::NobodyListens]));
    }
}
