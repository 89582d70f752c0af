//! The bind of a UNIX socket: to a path, which makes a file, or to a name of the abstract namespace
//! (`unix(7)`; `unix_bind_bsd` and `unix_bind_abstract`, linux/net/unix/af_unix.c).

use crate::diagnose::checks::fails;
use crate::diagnose::facts::{FileKind, PathFacts};
use crate::diagnose::judge::{Case, Finding, in_namespace};
use crate::diagnose::reason::Reason;
use crate::diagnose::request::Target;
use crate::diagnose::stand_ins;
use crate::diagnose::{Call, Cause, Certainty, Errno, Verdict};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Inode, Socket, SocketType};
use crate::state::TcpState;
use crate::text::Text;

/// The room for a path, or for a name behind its NUL (`sun_path`, linux/include/uapi/linux/un.h).
const ROOM: usize = 108;

/// Judges the bind of a stream socket to a path or name; of what has a port there is nothing to say.
pub(super) fn check(case: &Case<'_>) -> Finding {
    let Target::Unix(name) = &case.request.target else { return Finding::pass() };
    let length = name.as_bytes().len();
    if length > ROOM {
        let evidence = vec![format!("it has {length} bytes, and there is room for {ROOM}")];
        return fails(Call::Bind, Errno::EINVAL, Reason::PathTooLong, evidence);
    }
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => in_use(case, abstract_holders(case, name)),
        None => path(case, name),
    }
}

fn path(case: &Case<'_>, path: &Text) -> Finding {
    let refuse =
        |errno, reason, evidence: &str| fails(Call::Bind, errno, reason, vec![evidence.to_owned()]);
    match &case.facts.path {
        None => Finding { verdict: Verdict::Unknown, causes: Vec::new() },
        Some(PathFacts::NoDirectory) => {
            refuse(Errno::ENOENT, Reason::NoDirectory, &format!("a directory of {path} is missing"))
        }
        Some(PathFacts::NotDirectory) => refuse(
            Errno::ENOTDIR,
            Reason::NoDirectory,
            &format!("something on the way to {path} is no directory"),
        ),
        Some(PathFacts::Closed) => refuse(
            Errno::EACCES,
            Reason::ClosedDirectory,
            "a directory on the way may not be searched",
        ),
        Some(PathFacts::Vacant { is_read_only: true, .. }) => refuse(
            Errno::EROFS,
            Reason::ReadOnlyFilesystem,
            "the filesystem of its directory is mounted read-only",
        ),
        Some(PathFacts::Vacant { may_write: Some(false), .. }) => {
            refuse(Errno::EACCES, Reason::ClosedDirectory, "its directory may not be written to")
        }
        Some(PathFacts::Vacant { may_write: None, .. }) => {
            Finding { verdict: Verdict::Unknown, causes: Vec::new() }
        }
        Some(PathFacts::Vacant { may_write: Some(true), .. }) => Finding::pass(),
        Some(PathFacts::Taken { kind: FileKind::Socket, is_bound, sockets }) => {
            socket_file(case, *is_bound, sockets)
        }
        Some(PathFacts::Taken { kind, .. }) => {
            refuse(Errno::EADDRINUSE, Reason::FileInTheWay, &format!("it is {}", kind.words()))
        }
    }
}

/// The file is a socket's: somebody's, or nobody's any more. It blocks the path in either case.
fn socket_file(case: &Case<'_>, is_bound: Option<bool>, sockets: &[Inode]) -> Finding {
    let of = |reason, evidence: &str| {
        fails(Call::Bind, Errno::EADDRINUSE, reason, vec![evidence.to_owned()])
    };
    if is_bound == Some(false) {
        return of(
            Reason::StaleSocket,
            "no socket is bound to the file: the kernel refuses to connect to it (ECONNREFUSED)",
        );
    }
    let has_file = |entry: &&Entry| {
        is_holder(&entry.socket) && entry.socket.inode.is_some_and(|inode| sockets.contains(&inode))
    };
    let holders: Vec<&Entry> = in_namespace(case.snapshot, case.facts).filter(has_file).collect();
    match (&holders[..], is_bound) {
        ([], Some(true)) => of(
            Reason::BoundElsewhere,
            "a socket is bound to the file, in another network namespace",
        ),
        ([], _) => {
            let mut finding =
                of(Reason::StaleSocket, "it could not be asked whether a socket is bound to it");
            for cause in &mut finding.causes {
                cause.certainty = Certainty::Possible;
            }
            finding
        }
        (_, _) => in_use(case, holders),
    }
}

/// Returns the sockets that have this name; one of another type may have the same.
fn abstract_holders<'a>(case: &Case<'a>, name: &[u8]) -> Vec<&'a Entry> {
    let has_name = |entry: &&Entry| {
        let socket = &entry.socket;
        let is_it =
            matches!(&socket.local, Some(Endpoint::Abstract(local)) if local.as_bytes() == name);
        is_it && is_holder(socket) && socket.socket_type == Some(SocketType::Stream)
    };
    in_namespace(case.snapshot, case.facts).filter(has_name).collect()
}

/// Returns false for a connection, which has the name of the listener that accepted it without being
/// bound to it.
fn is_holder(socket: &Socket) -> bool {
    socket.state != Some(TcpState::Established) || socket.socket_type == Some(SocketType::Dgram)
}

/// Returns what comes of holders: each is in the way.
fn in_use(case: &Case<'_>, holders: Vec<&Entry>) -> Finding {
    let mut causes: Vec<Cause> = Vec::new();
    for entry in holders {
        let reason = stand_ins::reason(entry, case.facts).unwrap_or(match entry.socket.state {
            Some(TcpState::Closed) => Reason::BoundOnly,
            Some(_) | None => Reason::Listener,
        });
        match causes.iter_mut().find(|cause| cause.reason == reason) {
            Some(known) => known.sockets.push(entry.clone()),
            None => causes.push(Cause {
                reason,
                certainty: Certainty::Certain,
                sockets: vec![entry.clone()],
                evidence: Vec::new(),
            }),
        }
    }
    for cause in &mut causes {
        cause.evidence = stand_ins::evidence(cause, case.facts);
    }
    if causes.is_empty() {
        return Finding::pass();
    }
    Finding { verdict: Verdict::Fails { call: Call::Bind, errno: Errno::EADDRINUSE }, causes }
}
