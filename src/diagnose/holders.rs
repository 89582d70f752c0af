//! Why a socket in the way is still held: by a child that only inherited it, by a process that was
//! stopped or left behind, or in a way that most tools do not see.

use crate::diagnose::facts::BindFacts;
use crate::diagnose::reason::Reason;
use crate::diagnose::rules::holder_option;
use crate::diagnose::{Cause, Certainty};
use crate::explain::how_found;
use crate::process::{Owner, Pid, Process, Via};
use crate::render::phrase;
use crate::snapshot::Entry;

/// What a process that serves nobody sleeps in (`proc_pid_wchan(5)`): a timer, the end of a child, input
/// from a pipe or a terminal.
const SERVES_NOBODY: &[&[u8]] = &[
    b"hrtimer_nanosleep",
    b"do_wait",
    b"kernel_wait4",
    b"pipe_read",
    b"anon_pipe_read",
    b"wait_woken",
    b"n_tty_read",
];

/// Returns what is to be said of the holders of the sockets in the way, each process once a reason.
pub(super) fn causes(causes: &[Cause], facts: &BindFacts) -> Vec<Cause> {
    let mut found: Vec<Cause> = Vec::new();
    let in_the_way = causes.iter().filter(|cause| cause.reason.is_in_the_way());
    for entry in in_the_way.flat_map(|cause| &cause.sockets) {
        for owner in entry.ownership.owners() {
            for (reason, certainty, evidence) in of_owner(entry, owner, facts) {
                let known = found.iter_mut().find(|cause| cause.reason == reason);
                match known {
                    Some(cause) => {
                        if !cause.evidence.contains(&evidence) {
                            cause.evidence.push(evidence);
                        }
                        if !cause.sockets.iter().any(|known| known.socket.id == entry.socket.id) {
                            cause.sockets.push(entry.clone());
                        }
                    }
                    None => found.push(Cause {
                        reason,
                        certainty,
                        sockets: vec![entry.clone()],
                        evidence: vec![evidence],
                    }),
                }
            }
        }
    }
    found
}

fn of_owner(entry: &Entry, owner: &Owner, facts: &BindFacts) -> Vec<(Reason, Certainty, String)> {
    let process = &owner.process;
    let name = phrase::process(process);
    let mut found = Vec::new();
    if matches!(owner.via, Via::ThreadFd | Via::IoUring | Via::InFlight) {
        let certainty =
            if owner.via.is_inferred() { Certainty::Likely } else { Certainty::Certain };
        found.push((Reason::HiddenHolder, certainty, format!("{name}: {}", how_found(owner.via))));
    }
    if process.is_stopped {
        found.push((Reason::StoppedHolder, Certainty::Certain, format!("{name} is stopped (T)")));
    }
    if let Some(evidence) = leaked(entry, owner, facts) {
        found.push((Reason::LeakedChild, Certainty::Likely, evidence));
    } else if process.is_session_over && is_adopted(process) && !is_service(process) {
        let evidence = format!("the session that {name} was started in is over");
        found.push((Reason::LeftBehind, Certainty::Likely, evidence));
    }
    found
}

/// Returns what shows that a process only inherited the socket: it runs another program than an ancestor
/// that has the socket too; or it lets programs inherit the descriptor, and waits for something else.
fn leaked(entry: &Entry, owner: &Owner, facts: &BindFacts) -> Option<String> {
    let process = &owner.process;
    let name = phrase::process(process);
    let owners = entry.ownership.owners();
    let ancestor = process.parents.iter().find_map(|parent| {
        owners.iter().map(|owner| &owner.process).find(|other| other.pid == parent.pid)
    });
    if let Some(ancestor) = ancestor {
        let is_other = process.exe.is_some()
            && ancestor.exe.is_some()
            && process.exe.as_ref().map(|exe| &exe.path)
                != ancestor.exe.as_ref().map(|exe| &exe.path);
        return is_other.then(|| format!("{name} was started by {}", phrase::process(ancestor)));
    }
    let is_inheritable =
        holder_option(&entry.socket, facts, |options| options.close_on_exec) == Some(false);
    let sleeps_in = process.sleeps_in.as_ref()?;
    let is_elsewhere = SERVES_NOBODY.contains(&sleeps_in.as_bytes());
    (is_inheritable && is_elsewhere && owner.via == Via::Fd).then(|| {
        format!(
            "{name} waits for something else ({sleeps_in}), its descriptor has no close-on-exec"
        )
    })
}

/// Returns true when the process that started this one is gone, and the first one, or a user's systemd,
/// has taken its place.
fn is_adopted(process: &Process) -> bool {
    let is_manager = |parent: &crate::process::Parent| {
        parent.command.as_ref().is_some_and(|name| name.as_bytes() == b"systemd")
    };
    process.ppid == Some(Pid(1)) || process.parents.first().is_some_and(is_manager)
}

/// Returns true when a service manager looks after the process.
fn is_service(process: &Process) -> bool {
    process.cgroup.as_ref().is_some_and(|cgroup| {
        let unit = cgroup.user_unit.as_ref().or(cgroup.unit.as_ref());
        unit.is_some_and(|unit| unit.as_bytes().ends_with(b".service"))
    })
}
