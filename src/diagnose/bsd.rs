//! macOS' and FreeBSD's own causes: who holds a port there for others, and what is to be done about it.
//! How their kernels decide is in [`rules`].

pub(super) mod rules;

use crate::cgroup::Runtime;
use crate::diagnose::Cause;
use crate::diagnose::facts::BindFacts;
use crate::diagnose::reason::Reason;
use crate::diagnose::remedies::advise;
use crate::diagnose::remedy::{Action, Remedy};
use crate::diagnose::rules::{Newcomer, Stand};
use crate::diagnose::stand_ins::service;
use crate::process::{Owner, Process};
use crate::render::phrase;
use crate::snapshot::Entry;
use crate::socket::Endpoint;
use crate::text::Text;

pub(super) use rules::Kernel;

/// A program of the system's that holds ports for something else.
struct StandIn {
    reason: Reason,
    /// The names it goes by, in this version or that.
    names: &'static [&'static str],
    /// Where it is what it is here; any port when empty.
    ports: &'static [u16],
    /// What it does there, behind its name.
    does: &'static str,
}

/// Those known. That a name is theirs is concluded, as all of this is: a recording may be of any machine.
const STAND_INS: [StandIn; 4] = [
    StandIn {
        reason: Reason::AirPlay,
        names: &["ControlCenter", "ControlCe", "AirPlayXPCHelper", "AirPlayUIAgent"],
        ports: &[5000, 7000],
        does: "is AirPlay Receiver, at 5000 and 7000",
    },
    StandIn {
        reason: Reason::LaunchdSocket,
        names: &["launchd"],
        ports: &[],
        does: "listens for its jobs",
    },
    StandIn {
        reason: Reason::MulticastDns,
        names: &["mDNSResponder"],
        ports: &[5353],
        does: "finds names by multicast",
    },
    StandIn {
        reason: Reason::Inetd,
        names: &["inetd"],
        ports: &[],
        does: "starts a program for whoever connects",
    },
];

/// Returns how a holder stands to the newcomer. Who is in a jail of FreeBSD has the host's ports only where
/// the jail has the host's addresses (`prison_equal_ip4`), and nobody is told whether it has.
pub(super) fn stand(
    kernel: Kernel,
    newcomer: &Newcomer,
    entry: &Entry,
    facts: &BindFacts,
) -> Stand {
    let stand = rules::stand(kernel, newcomer, &entry.socket, facts);
    if stand != Stand::Apart && jail(entry).is_some() { Stand::Unknown } else { stand }
}

/// Returns whether the kernel may let the newcomer in although a holder is in the way: only because it is
/// another user's, and there are others that may be asked in its place.
pub(super) fn may_pass(
    kernel: Kernel,
    newcomer: &Newcomer,
    stands: &[(Stand, &Entry)],
    facts: &BindFacts,
) -> bool {
    let mut blockers = stands.iter().filter(|(stand, _)| *stand == Stand::Blocks);
    stands.iter().any(|(stand, _)| *stand == Stand::Shares)
        && blockers.all(|(_, entry)| rules::only_guards(kernel, newcomer, &entry.socket, facts))
}

/// Returns the number of the jail that all who hold a socket are in.
fn jail(entry: &Entry) -> Option<&Text> {
    let mut jails = entry.ownership.owners().iter().map(|owner| jail_of(&owner.process));
    let first = jails.next()??;
    jails.all(|jail| jail == Some(first)).then_some(first)
}

fn jail_of(process: &Process) -> Option<&Text> {
    let container = process.cgroup.as_ref()?.container.as_ref()?;
    (container.runtime == Runtime::Jail).then_some(&container.id)
}

/// Returns what a process is, when it is one that holds ports for others. `comm` only Linux has, where
/// programs of these names may be others.
fn stand_in_of(process: &Process) -> Option<&'static StandIn> {
    let name = process.command.as_ref()?;
    let is_it =
        |known: &&StandIn| known.names.iter().any(|other| other.as_bytes() == name.as_bytes());
    STAND_INS.iter().find(is_it).filter(|_| process.comm.is_none())
}

/// Returns true for a program that the system starts again, or that serves others: to end it is no remedy.
pub(super) fn stands_for_others(process: &Process) -> bool {
    stand_in_of(process).is_some()
}

/// Returns what a holder is, when it is one of these.
pub(super) fn stand_in(entry: &Entry) -> Option<Reason> {
    let port = entry.socket.local.as_ref().and_then(Endpoint::port)?;
    let known = entry.ownership.owners().iter().find_map(|owner| {
        let known = stand_in_of(&owner.process)?;
        (known.ports.is_empty() || known.ports.contains(&port)).then_some(known.reason)
    });
    known.or_else(|| jail(entry).map(|_| Reason::Jail))
}

/// Returns whether both have the port by different addresses, of which the more specific one answers.
pub(super) fn is_beside(newcomer: &Newcomer, entry: &Entry) -> bool {
    let theirs = entry.socket.local.as_ref().and_then(Endpoint::address);
    entry.socket.peer.is_none()
        && theirs.is_some_and(|theirs| theirs.to_canonical() != newcomer.address.to_canonical())
}

/// Returns what shows a cause.
pub(super) fn evidence(newcomer: &Newcomer, cause: &Cause) -> Vec<String> {
    let of_owners = |tell: &dyn Fn(&Process) -> Option<String>| {
        let owners = cause.sockets.iter().flat_map(|entry| entry.ownership.owners());
        let mut told: Vec<String> =
            owners.filter_map(|owner: &Owner| tell(&owner.process)).collect();
        told.dedup();
        told
    };
    let name = phrase::process;
    if cause.reason == Reason::Jail {
        of_owners(&|process| Some(format!("{} is in jail {}", name(process), jail_of(process)?)))
    } else if cause.reason == Reason::Beside {
        cause.sockets.iter().filter_map(|entry| who_answers(newcomer, entry)).collect()
    } else if cause.reason == Reason::LaunchdSocket {
        let jobs = of_owners(&|process| {
            let is_job = stand_in_of(process).is_none();
            is_job.then(|| format!("launchd handed it to {}", name(process)))
        });
        let none = "nobody else has it yet: launchd starts the job when somebody connects";
        if jobs.is_empty() { vec![none.to_owned()] } else { jobs }
    } else {
        of_owners(&|process| {
            let known = stand_in_of(process).filter(|known| known.reason == cause.reason)?;
            Some(format!("{} {}", name(process), known.does))
        })
    }
}

/// Says which of two with overlapping addresses gets what.
fn who_answers(newcomer: &Newcomer, entry: &Entry) -> Option<String> {
    let theirs = entry.socket.local.as_ref().and_then(Endpoint::canonical_address)?;
    let ours = newcomer.address.to_canonical();
    Some(match (ours.is_unspecified(), theirs.is_unspecified()) {
        (false, _) => format!("what comes to {ours} goes to the new socket, the rest to {theirs}"),
        (true, false) => {
            format!("what comes to {theirs} goes on to it, the rest to the new socket")
        }
        (true, true) => "each of the two gets what comes by its own family".to_owned(),
    })
}

/// Returns the ways out without those that take `SOCK_DESTROY`, which only Linux has. FreeBSD has
/// `tcpdrop(8)`, for connections by their ends.
pub(super) fn without_destroy(
    kernel: Kernel,
    remedies: Vec<Remedy>,
    in_the_way: &[&Entry],
) -> Vec<Remedy> {
    let drop_of = |remedy: &Remedy| {
        let entry = in_the_way.iter().find(|entry| remedy.clears == [entry.socket.id])?;
        let words = |end: &Endpoint| Some(format!("{} {}", end.address()?, end.port()?));
        let (local, peer) = (entry.socket.local.as_ref()?, entry.socket.peer.as_ref()?);
        Some(format!("tcpdrop {} {}", words(local)?, words(peer)?))
    };
    let instead = |remedy: Remedy| match (&remedy.action, kernel) {
        (Action::Destroy { .. }, Kernel::MacOs) => None,
        (Action::Destroy { .. }, Kernel::FreeBsd) => {
            // Of many, the command that lists a command for each.
            let command = drop_of(&remedy).unwrap_or_else(|| "tcpdrop -l -a".to_owned());
            let text = "close what is left through the kernel (root)".to_owned();
            Some(Remedy { action: Action::Advice { text, command: Some(command) }, ..remedy })
        }
        _ => Some(remedy),
    };
    remedies.into_iter().filter_map(instead).collect()
}

/// Returns what can be done about these systems' own causes, and in their own words about others.
pub(super) fn remedies(cause: &Cause, kernel: Kernel, port: u16, facts: &BindFacts) -> Vec<Remedy> {
    let say = |text: &str| advise(text, None);
    let run = |text: &str, command: String| advise(text, Some(command));
    match (cause.reason, kernel) {
        (Reason::AirPlay, _) => {
            let off =
                say("switch AirPlay Receiver off (System Settings, General, AirDrop & Handoff)");
            vec![service(cause, off, "nothing can be played to this Mac")]
        }
        (Reason::LaunchdSocket, _) => {
            let look =
                "see whose it is: a property list names the port, or its service, under Sockets";
            let places = "/Library/LaunchDaemons /Library/LaunchAgents ~/Library/LaunchAgents \
                          /System/Library/LaunchDaemons";
            let unload = run(
                "unload that job, by its label (gui/UID/LABEL for an agent of a user)",
                "launchctl bootout system/LABEL".to_owned(),
            );
            let breaks = "the job is not started on demand any more, until it is loaded again";
            vec![
                run(look, format!("grep -lr SockServiceName {places}")),
                service(cause, unload, breaks),
            ]
        }
        (Reason::MulticastDns, _) => {
            vec![say(
                "set SO_REUSEPORT before bind and bind the wildcard: multicast DNS shares 5353",
            )]
        }
        (Reason::Inetd, _) => {
            let off = run(
                "take the service's line out of /etc/inetd.conf, and have inetd read it again",
                "service inetd reload".to_owned(),
            );
            vec![service(cause, off, "that service is not started on demand any more")]
        }
        (Reason::Jail, _) => {
            let Some(jail) = cause.sockets.iter().find_map(jail) else { return Vec::new() };
            let stop = run("stop the service in there", format!("service -j {jail} NAME stop"));
            vec![
                run("see the jail's addresses", format!("jls -n -j {jail} ip4 ip4.addr ip6.addr")),
                say("take an address that is not the jail's in place of the wildcard"),
                service(cause, stop, "what it does in the jail"),
            ]
        }
        (Reason::PrivilegedPort, Kernel::MacOs) => vec![
            say("take a port from 1024 up"),
            say("take 0.0.0.0 or ::, on which macOS gives every user every port"),
            say("let launchd bind it and hand it over (Sockets in launchd.plist(5))"),
        ],
        (Reason::PrivilegedPort, Kernel::FreeBsd) => vec![
            say(&format!("take a port from {} up", facts.unprivileged_port_start.unwrap_or(1024))),
            say("let inetd bind it, or give the user the port by a rule of mac_portacl(4)"),
            run(
                "let every user have ports from this one up",
                format!("sysctl net.inet.ip.portrange.reservedhigh={}", port.saturating_sub(1)),
            ),
        ],
        (Reason::PortsExhausted, _) => {
            vec![run("widen the range", "sysctl net.inet.ip.portrange.first=10000".to_owned())]
        }
        (Reason::EphemeralClient, _) => vec![run(
            "let outgoing connections have ports from above this one from now on",
            format!("sysctl net.inet.ip.portrange.first={}", port.saturating_add(1)),
        )],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
