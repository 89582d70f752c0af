//! Who refused, when rights and addresses are in order and the kernel says no all the same: told by
//! elimination, since none of these says what it refuses.

use crate::diagnose::facts::{BindFacts, Confinement};
use crate::diagnose::reason::Reason;
use crate::diagnose::{Call, Cause, Certainty, Errno};

/// Returns who may have refused this call with this error; none when it is no refusal. One alone is
/// likely, several are each possible. On Windows it can be the holder of the port.
pub(super) fn suspects(call: Call, errno: Errno, is_held: bool, facts: &BindFacts) -> Vec<Cause> {
    let of = &facts.confinement;
    let suspects: Vec<(Reason, Option<String>)> = match (call, errno) {
        (Call::Bind, Errno::EACCES) if facts.windows.is_some() => {
            vec![is_held.then_some((Reason::ExclusiveUse, None))]
        }
        (Call::Bind, Errno::EACCES) => vec![selinux(of), apparmor(of), landlock(of), seccomp(of)],
        (Call::Listen | Call::Socket, Errno::EACCES) => {
            vec![selinux(of), apparmor(of), seccomp(of)]
        }
        (Call::Bind, Errno::EPERM) => vec![seccomp(of), Some(control_group(of))],
        (_, Errno::EPERM) | (Call::Socket, Errno::EAFNOSUPPORT) => vec![seccomp(of)],
        (_, Errno::EADDRINUSE) if facts.is_wsl => vec![Some((Reason::WindowsSide, None))],
        _ => Vec::new(),
    }
    .into_iter()
    .flatten()
    .collect();
    let certainty = if suspects.len() == 1 { Certainty::Likely } else { Certainty::Possible };
    let cause = |(reason, evidence): (Reason, Option<String>)| Cause {
        reason,
        certainty,
        sockets: Vec::new(),
        evidence: evidence.into_iter().collect(),
    };
    suspects.into_iter().map(cause).collect()
}

type Suspect = Option<(Reason, Option<String>)>;

fn selinux(of: &Confinement) -> Suspect {
    let label = of.label.as_ref().map(|label| format!("it runs as {label}"));
    (of.selinux_enforces == Some(true)).then_some((Reason::Selinux, label))
}

/// A profile that only complains refuses nothing (`apparmor(7)`).
fn apparmor(of: &Confinement) -> Suspect {
    let label = of.label.as_ref().filter(|_| of.selinux_enforces.is_none())?.to_lossy();
    let refuses =
        label != "unconfined" && !label.ends_with("(complain)") && !label.ends_with("(unconfined)");
    refuses.then(|| (Reason::Apparmor, Some(format!("its profile is {label}"))))
}

/// Landlock shows nowhere.
fn landlock(of: &Confinement) -> Suspect {
    let told = of.no_new_privileges?.then(|| {
        "no_new_privs is set on the process, as Landlock demands of who is not root".to_owned()
    });
    Some((Reason::Landlock, told))
}

fn seccomp(of: &Confinement) -> Suspect {
    let count = of.seccomp_filters.filter(|count| *count > 0)?;
    let filters = if count == 1 { "filter runs" } else { "filters run" };
    Some((Reason::Seccomp, Some(format!("{count} {filters} for each of its calls"))))
}

fn control_group(of: &Confinement) -> (Reason, Option<String>) {
    (Reason::ControlGroup, of.unit.as_ref().map(|unit| format!("it runs in the unit {unit}")))
}
