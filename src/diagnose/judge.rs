//! The judgement: each of the kernel's checks in the order in which it makes them.

use crate::diagnose::facts::BindFacts;
use crate::diagnose::holders;
use crate::diagnose::reason::Reason;
use crate::diagnose::request::{BindRequest, Target};
use crate::diagnose::rules::{self, Newcomer, Stand};
use crate::diagnose::system::System;
use crate::diagnose::{Call, Cause, Certainty, Diagnosis, Errno, Verdict};
use crate::diagnose::{bsd, causes, checks, ephemeral, remedies, sharing, unix_path, windows};
use crate::snapshot::{Entry, Gap, Missing, Snapshot};
use crate::socket::{Interface, Protocol, Socket};

/// What is judged, and from what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) request: &'a BindRequest,
    pub(super) facts: &'a BindFacts,
    pub(super) snapshot: &'a Snapshot,
}

impl Case<'_> {
    /// Returns whose rules count.
    pub(super) fn system(&self) -> System {
        System::of(self.snapshot, self.facts)
    }
}

/// What one check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What comes of the bind when every other check passes; [`Verdict::Free`] when this one passes.
    pub(super) verdict: Verdict,
    /// Why, or what is to be known although it passes.
    pub(super) causes: Vec<Cause>,
}

impl Finding {
    /// Returns what a check says that has nothing against it.
    pub(super) const fn pass() -> Self {
        Self { verdict: Verdict::Free, causes: Vec::new() }
    }
}

/// The checks, in the kernel's order: the first that fails gives the error.
const CHECKS: &[fn(&Case<'_>) -> Finding] = &[
    checks::socket,
    checks::device,
    checks::privilege_first,
    checks::address,
    checks::privilege_last,
    unix_path::check,
    windows::excluded,
    ephemeral::check,
    sockets_in_the_way,
];

/// Returns whether this bind would succeed, why not, and what can be done; from nothing but what was
/// read.
pub fn diagnose(snapshot: &Snapshot, facts: &BindFacts, request: &BindRequest) -> Diagnosis {
    let case = Case { request, facts, snapshot };
    let mut diagnosis = judge(&case);
    diagnosis.remedies = remedies::remedies(&diagnosis, &case);
    diagnosis
}

/// Returns the same without remedies.
pub(super) fn judge(case: &Case<'_>) -> Diagnosis {
    let mut prediction = Verdict::Free;
    let mut causes: Vec<Cause> = Vec::new();
    // What only a fact that could not be read would make a cause: said when nothing better is known.
    let mut perhaps: Vec<Cause> = Vec::new();
    for check in CHECKS {
        let finding = check(case);
        let is_guess = finding.verdict == Verdict::Unknown;
        let (guesses, found): (Vec<Cause>, Vec<Cause>) =
            finding.causes.into_iter().partition(|cause| is_guess && cause.sockets.is_empty());
        causes.extend(found);
        perhaps.extend(guesses);
        prediction = match (prediction, finding.verdict) {
            (Verdict::Fails { .. }, _) | (_, Verdict::Free) => prediction,
            // What is not known before does not save what fails after it.
            (_, Verdict::Fails { .. }) | (Verdict::Free | Verdict::Shareable, _) => finding.verdict,
            (Verdict::Unknown, Verdict::Shareable | Verdict::Unknown) => Verdict::Unknown,
        };
    }
    if prediction == Verdict::Unknown {
        causes.append(&mut perhaps);
    }
    causes.sort_by_key(|cause| cause.certainty);
    Diagnosis {
        request: case.request.clone(),
        verdict: prediction,
        prediction,
        probe: None,
        causes,
        remedies: Vec::new(),
    }
}

/// Returns the sockets on the request's port whose options decide something and are not known yet: for
/// the request itself, and for what might help it.
pub fn undecided<'a>(
    snapshot: &'a Snapshot,
    facts: &BindFacts,
    request: &BindRequest,
) -> Vec<&'a Entry> {
    let Some(newcomer) = newcomer(request, facts) else { return Vec::new() };
    let variants = [(false, false), (true, false), (false, true), (true, true)];
    let of_namespace = in_namespace(snapshot, facts);
    let system = System::of(snapshot, facts);
    let is_undecided = |entry: &&Entry| {
        variants.into_iter().any(|(reuse_address, reuse_port)| {
            let newcomer = Newcomer { reuse_address, reuse_port, ..newcomer.clone() };
            system.stand(&newcomer, entry, facts) == Stand::Unknown
        })
    };
    of_namespace.filter(is_undecided).collect()
}

/// Returns what is to be bound, in the rules' words; `None` for what has no port.
pub(super) fn newcomer(request: &BindRequest, facts: &BindFacts) -> Option<Newcomer> {
    let Target::Inet { protocol, address, scope, port } = &request.target else { return None };
    Some(Newcomer {
        protocol: *protocol,
        address: *address,
        port: *port,
        reuse_address: request.reuse_address,
        reuse_port: request.reuse_port,
        v6only: request.v6only.or(facts.bindv6only),
        device: request.device.as_ref().or(scope.as_ref()).map(|device| resolved(device, facts)),
        uid: request.by.uid.or(facts.uid),
    })
}

/// Returns a device with the number it has in the binder's namespace.
pub(super) fn resolved(device: &Interface, facts: &BindFacts) -> Interface {
    let mut known = facts.interfaces.iter().flatten();
    let known = known.find(|known| device.name.is_some() && known.name == device.name);
    known.unwrap_or(device).clone()
}

/// Returns the entries of the namespace that is bound in.
pub(super) fn in_namespace<'a>(
    snapshot: &'a Snapshot,
    facts: &BindFacts,
) -> impl Iterator<Item = &'a Entry> + use<'a> {
    let netns = facts.netns;
    snapshot.entries.iter().filter(move |entry| {
        netns.zip(entry.socket.netns).is_none_or(|(wanted, netns)| wanted == netns)
    })
}

/// The last check: `inet_csk_get_port` and `udp_lib_get_port`.
fn sockets_in_the_way(case: &Case<'_>) -> Finding {
    let Some(newcomer) = newcomer(case.request, case.facts) else { return Finding::pass() };
    if newcomer.port == 0 {
        return Finding::pass();
    }
    // What nobody accepted yet is as its listener is, which decides for both.
    let entries: Vec<&Entry> = in_namespace(case.snapshot, case.facts)
        .filter(|entry| !crate::explain::is_unaccepted(entry))
        .collect();
    let system = case.system();
    let stands: Vec<(Stand, &Entry)> = entries
        .iter()
        .map(|&entry| (system.stand(&newcomer, entry, case.facts), entry))
        .filter(|(stand, _)| *stand != Stand::Apart)
        .collect();
    let any = |wanted| stands.iter().any(|(stand, _)| *stand == wanted);
    let in_use = Verdict::Fails { call: Call::Bind, errno: Errno::EADDRINUSE };
    let may_pass = || match system {
        System::Bsd(kernel) => bsd::may_pass(kernel, &newcomer, &stands, case.facts),
        System::Linux | System::Windows | System::Other => {
            may_pass(&newcomer, &stands, &entries, case.facts)
        }
    };
    let verdict = if !system.has_rules() && !stands.is_empty() {
        // Where no rules are known, others' say what may be in the way, and the probe decides.
        Verdict::Unknown
    } else if any(Stand::Blocks) && may_pass() {
        Verdict::Unknown
    } else if any(Stand::Admits) && (any(Stand::Blocks) || any(Stand::Unknown)) {
        // The kernel asks the one it finds first, and nobody is told which that is.
        Verdict::Unknown
    } else if any(Stand::Blocks) {
        in_use
    } else if any(Stand::Unknown) {
        Verdict::Unknown
    } else if any(Stand::Shares) || any(Stand::Admits) {
        Verdict::Shareable
    } else {
        Verdict::Free
    };
    let mut causes = causes::causes(&newcomer, &stands, &entries, case.facts, system);
    for cause in causes.iter_mut().filter(|_| !system.has_rules()) {
        cause.certainty = cause.certainty.max(Certainty::Likely);
    }
    causes.extend(holders::causes(&causes, case.facts));
    causes.extend(sharing::cause(&stands, &entries));
    let unseen = unseen(case, &newcomer).filter(|_| !matches!(verdict, Verdict::Fails { .. }));
    let verdict = if unseen.is_some() { Verdict::Unknown } else { verdict };
    causes.extend(unseen);
    Finding { verdict, causes }
}

/// Returns what may have the port unseen: a socket that is bound and no more, where those are not listed.
fn unseen(case: &Case<'_>, newcomer: &Newcomer) -> Option<Cause> {
    let is_it = |gap: &&Gap| gap.what == Missing::BoundSockets;
    let gap = case.snapshot.unread.iter().find(is_it)?;
    (newcomer.protocol == Protocol::Tcp).then(|| Cause {
        reason: Reason::BoundOnly,
        certainty: Certainty::Possible,
        sockets: Vec::new(),
        evidence: vec![format!("such sockets are not seen: {}", gap.why)],
    })
}

/// Returns whether the kernel may let the newcomer in although a holder is in the way: it remembers the
/// last socket with SO_REUSEPORT that it let in at the port, asks the next of the same user for no more
/// than whether that one's address covers its own (`sk_reuseport_match`), and forgets it when a socket
/// without the option comes. Seen are only those that are still open.
fn may_pass(
    newcomer: &Newcomer,
    stands: &[(Stand, &Entry)],
    entries: &[&Entry],
    facts: &BindFacts,
) -> bool {
    let blockers: Vec<&Socket> = stands
        .iter()
        .filter(|(stand, _)| *stand == Stand::Blocks)
        .map(|(_, entry)| &entry.socket)
        .collect();
    let came_beside_all = |socket: &Socket| {
        rules::as_newcomer(socket, facts).is_some_and(|came| {
            blockers.iter().all(|blocker| {
                blocker.id != socket.id && rules::stand(&came, blocker, facts) != Stand::Blocks
            })
        })
    };
    newcomer.protocol == Protocol::Tcp
        && newcomer.reuse_port
        && entries.iter().any(|entry| {
            rules::covers(newcomer, &entry.socket, facts) && came_beside_all(&entry.socket)
        })
}
