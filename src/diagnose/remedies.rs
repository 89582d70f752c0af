//! What can be done about a bind that fails: what the program could do, then what takes the sockets out
//! of its way ([`ways_out`]), the least harmful first.

use crate::diagnose::advice;
use crate::diagnose::bsd;
use crate::diagnose::judge::{Case, judge};
use crate::diagnose::reason::Reason;
use crate::diagnose::remedy::{Action, Harm, Remedy};
use crate::diagnose::request::{BindRequest, Target};
use crate::diagnose::system::System;
use crate::diagnose::ways_out::ways_out;
use crate::diagnose::{Diagnosis, Verdict};
use crate::process::Owner;
use crate::snapshot::Entry;

/// Returns what can be done; nothing when the bind would succeed.
pub(super) fn remedies(diagnosis: &Diagnosis, case: &Case<'_>) -> Vec<Remedy> {
    if is_fine(diagnosis.verdict) {
        return Vec::new();
    }
    let causes = || diagnosis.causes.iter().filter(|cause| cause.reason.is_in_the_way());
    let mut in_the_way: Vec<&Entry> = Vec::new();
    for entry in causes().flat_map(|cause| &cause.sockets) {
        if !in_the_way.iter().any(|known| known.socket.id == entry.socket.id) {
            in_the_way.push(entry);
        }
    }
    let mut remedies = ways_out(&in_the_way);
    if let System::Bsd(kernel) = case.system() {
        remedies = bsd::without_destroy(kernel, remedies, &in_the_way);
    }
    remedies.extend(options_that_help(case));
    if !case.system().is_bsd()
        && causes().any(|cause| cause.reason == Reason::EphemeralClient)
        && let Target::Inet { port, .. } = diagnosis.request.target
    {
        let command = match &case.facts.windows {
            Some(_) => format!(
                "netsh int ipv4 add excludedportrange protocol=tcp startport={port} numberofports=1"
            ),
            None => format!("sysctl -w net.ipv4.ip_local_reserved_ports={port}"),
        };
        remedies.push(advise("let no outgoing connection get the port from now on", Some(command)));
    }
    for owner in stopped(diagnosis) {
        remedies.push(Remedy {
            action: Action::Continue { pid: owner.process.pid },
            harm: Harm::None,
            breaks: None,
            clears: Vec::new(),
        });
    }
    remedies.extend(causes().flat_map(|cause| advice::remedies(cause, case)));
    remedies.sort_by_key(|remedy| remedy.harm);
    remedies
}

/// Returns the stopped processes that hold something in the way, each once.
fn stopped(diagnosis: &Diagnosis) -> Vec<&Owner> {
    let mut stopped: Vec<&Owner> = Vec::new();
    let causes = diagnosis.causes.iter().filter(|cause| cause.reason == Reason::StoppedHolder);
    let owners = causes.flat_map(|cause| &cause.sockets).flat_map(|entry| entry.ownership.owners());
    for owner in owners.filter(|owner| owner.process.is_stopped) {
        if !stopped.iter().any(|known| known.process.pid == owner.process.pid) {
            stopped.push(owner);
        }
    }
    stopped
}

/// Returns something that a person decides.
pub(super) fn advise(text: impl Into<String>, command: Option<String>) -> Remedy {
    Remedy {
        action: Action::Advice { text: text.into(), command },
        harm: Harm::None,
        breaks: None,
        clears: Vec::new(),
    }
}

const fn is_fine(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Free | Verdict::Shareable)
}

/// Returns the option with which the same bind would succeed, if there is one.
fn options_that_help(case: &Case<'_>) -> Option<Remedy> {
    let request = case.request;
    let is_v6 = matches!(request.target, Target::Inet { address, .. } if address.is_ipv6());
    let variants = [
        (
            "SO_REUSEADDR",
            !request.reuse_address,
            BindRequest { reuse_address: true, ..request.clone() },
        ),
        ("IPV6_V6ONLY", is_v6, BindRequest { v6only: Some(true), ..request.clone() }),
        ("SO_REUSEPORT", !request.reuse_port, BindRequest { reuse_port: true, ..request.clone() }),
    ];
    let helps = |request: &BindRequest| is_fine(judge(&Case { request, ..*case }).verdict);
    let (option, ..) = variants
        .into_iter()
        .find(|(_, is_new, variant)| *is_new && variant != request && helps(variant))?;
    Some(match option {
        "IPV6_V6ONLY" => advise("set IPV6_V6ONLY before bind: IPv6 alone is free", None),
        option => set_option(option),
    })
}

/// Returns the advice to set an option of the program's socket.
pub(super) fn set_option(option: &str) -> Remedy {
    advise(format!("set {option} before bind: with it the bind would succeed"), None)
}
