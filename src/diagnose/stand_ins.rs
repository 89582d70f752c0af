//! Holders that are no ordinary program: the manager that listens for a service, the proxy that
//! listens for a container, the kernel itself. To end them is no way out; what is, they tell.

use std::net::Ipv4Addr;

use crate::diagnose::facts::{BindFacts, SocketUnit};
use crate::diagnose::reason::Reason;
use crate::diagnose::remedies::advise;
use crate::diagnose::remedy::{Action, Harm, Remedy};
use crate::diagnose::request::Target;
use crate::diagnose::{Cause, bsd, windows};
use crate::kernel::KernelService;
use crate::port::forward::{self, Forward};
use crate::process::{Owner, Pid, Process};
use crate::render::phrase;
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Socket};

/// Returns what a holder is, when it is no ordinary program.
pub(super) fn reason(entry: &Entry, facts: &BindFacts) -> Option<Reason> {
    if entry.ownership.service().is_some() {
        return Some(Reason::KernelService);
    }
    if let Some(reason) = windows::stand_in(entry, facts).or_else(|| bsd::stand_in(entry)) {
        return Some(reason);
    }
    let is_any = |is: &dyn Fn(&Process) -> bool| holders(entry).any(|owner| is(&owner.process));
    if is_any(&is_manager) {
        Some(Reason::SocketUnit)
    } else if is_any(&|process| is_named(process, "systemd-resolve")) && is_stub(&entry.socket) {
        Some(Reason::ResolvedStub)
    } else if holders(entry).any(|owner| !forwards(&owner.process, &entry.socket).is_empty()) {
        Some(Reason::Forwarder)
    } else {
        None
    }
}

/// Returns true for a process that only stands for what another holds: ending it, or the service it
/// belongs to, is no remedy.
pub(super) fn stands_for_others(process: &Process) -> bool {
    is_manager(process) || bsd::stands_for_others(process) || container_tool(process).is_some()
}

fn holders(entry: &Entry) -> impl Iterator<Item = &Owner> {
    entry.ownership.owners().iter().filter(|owner| !owner.via.is_inferred())
}

/// Returns true for systemd, the system's or a user's.
fn is_manager(process: &Process) -> bool {
    is_named(process, "systemd")
}

/// By the kernel's name, which has 15 bytes at most.
fn is_named(process: &Process, name: &str) -> bool {
    process.comm.as_ref().is_some_and(|comm| comm.as_bytes() == name.as_bytes())
}

/// The stub of systemd-resolved (`systemd-resolved.service(8)`).
fn is_stub(socket: &Socket) -> bool {
    let end = socket.local.as_ref();
    let address = end.and_then(Endpoint::canonical_address);
    let stubs = [Ipv4Addr::new(127, 0, 0, 53), Ipv4Addr::new(127, 0, 0, 54)];
    end.and_then(Endpoint::port) == Some(53)
        && stubs.iter().any(|stub| address == Some((*stub).into()))
}

fn forwards(process: &Process, socket: &Socket) -> Vec<Forward> {
    let Some(port) = socket.local.as_ref().and_then(Endpoint::port) else { return Vec::new() };
    forward::infer(process).into_iter().filter(|forward| forward.listens_at(port)).collect()
}

/// Returns the runtime whose proxy a process is.
fn container_tool(process: &Process) -> Option<&'static str> {
    forward::infer(process).first().and_then(|forward| match forward.tool {
        "docker-proxy" | "com.docker.backend" => Some("docker"),
        "rootlessport" | "rootlessport-child" => Some("podman"),
        _ => None,
    })
}

/// Returns what shows it.
pub(super) fn evidence(cause: &Cause, facts: &BindFacts) -> Vec<String> {
    let owners =
        || cause.sockets.iter().flat_map(|entry| holders(entry).map(move |owner| (entry, owner)));
    if cause.reason == Reason::SocketUnit {
        let told = |SocketUnit { name, listens, file, .. }: &SocketUnit| {
            format!("{name} says {listens} ({file})")
        };
        units(cause, facts).into_iter().map(told).collect()
    } else if cause.reason == Reason::KernelService {
        let told = |service: &KernelService| {
            let inferred = if service.is_inferred { ", as its port suggests" } else { "" };
            format!("it is the kernel's {service}{inferred}")
        };
        services(cause).map(told).collect()
    } else if cause.reason == Reason::Forwarder {
        let of_owner = |(entry, owner): (&Entry, &Owner)| {
            let forwards = forwards(&owner.process, &entry.socket).into_iter();
            let pid = owner.process.pid;
            let told = move |Forward { tool, from, to }| {
                format!("{tool} ({pid}) forwards {} to {}", from.text, to.text)
            };
            forwards.map(told).collect::<Vec<_>>()
        };
        owners().flat_map(of_owner).collect()
    } else {
        Vec::new()
    }
}

/// Returns the kernel's services that have the sockets of the cause, each once.
fn services(cause: &Cause) -> impl Iterator<Item = &KernelService> {
    let mut services: Vec<&KernelService> = Vec::new();
    for service in cause.sockets.iter().filter_map(|entry| entry.ownership.service()) {
        if !services.contains(&service) {
            services.push(service);
        }
    }
    services.into_iter()
}

/// Returns the socket units of the manager that holds a socket of the cause: those that run, where any
/// is seen to.
fn units<'a>(cause: &Cause, facts: &'a BindFacts) -> Vec<&'a SocketUnit> {
    let is_users = manager(cause).is_some_and(|manager| manager.pid != Pid(1));
    let units = || facts.units.iter().filter(|unit| unit.is_user == is_users);
    let active: Vec<&SocketUnit> = units().filter(|unit| unit.is_active).collect();
    if active.is_empty() { units().collect() } else { active }
}

fn manager(cause: &Cause) -> Option<&Process> {
    let owners = cause.sockets.iter().flat_map(holders);
    owners.map(|owner| &*owner.process).find(|process| is_manager(process))
}

/// Returns what can be done about such holders.
pub(super) fn remedies(cause: &Cause, facts: &BindFacts, target: &Target) -> Vec<Remedy> {
    let port = match target {
        Target::Inet { port, .. } => *port,
        Target::Unix(_) => return stop_units(cause, facts),
    };
    if cause.reason == Reason::SocketUnit {
        stop_units(cause, facts)
    } else if cause.reason == Reason::ResolvedStub {
        resolved_stub(cause)
    } else if cause.reason == Reason::Forwarder {
        let owners = cause.sockets.iter().flat_map(holders);
        let tool = owners.map(|owner| &owner.process).find_map(|process| container_tool(process));
        tool.map(|tool| container(cause, tool, port)).unwrap_or_default()
    } else {
        Vec::new()
    }
}

/// Returns the remedy as one that stops a service that the sockets of the cause belong to.
pub(super) fn service(cause: &Cause, remedy: Remedy, breaks: &str) -> Remedy {
    Remedy {
        harm: Harm::Service,
        breaks: Some(breaks.to_owned()),
        clears: cause.sockets.iter().map(|entry| entry.socket.id).collect(),
        ..remedy
    }
}

fn resolved_stub(cause: &Cause) -> Vec<Remedy> {
    let off = advise(
        "set DNSStubListener=no in /etc/systemd/resolved.conf and restart systemd-resolved",
        Some("systemctl restart systemd-resolved".to_owned()),
    );
    let breaks = "programs that ask 127.0.0.53 find no names, until /etc/resolv.conf names another";
    vec![
        advise("take one address of your own: the stub has only 127.0.0.53 and 127.0.0.54", None),
        service(cause, off, breaks),
    ]
}

/// Stops the container that a proxy stands for.
fn container(cause: &Cause, runtime: &str, port: u16) -> Vec<Remedy> {
    let stops = "all that the container does, until it is started again";
    let by_hand = |text: &str, command: String| advise(text, Some(command));
    if runtime != "docker" {
        let command = "podman ps --format '{{.Names}} {{.Ports}}'".to_owned();
        let stop =
            by_hand("stop the container that publishes the port (podman stop NAME)", command);
        return vec![service(cause, stop, stops)];
    }
    let command = format!("docker stop $(docker ps -q --filter publish={port})");
    let stop = by_hand("stop the container that publishes the port", command);
    let command = "systemctl restart docker".to_owned();
    let stale = by_hand("if docker ps shows none, the proxy is left over: restart Docker", command);
    let restarts = "containers stop and start again, unless live-restore is set";
    vec![service(cause, stop, stops), service(cause, stale, restarts)]
}

/// Stops the socket unit; and the service too, where it has been started and holds the socket as well.
fn stop_units(cause: &Cause, facts: &BindFacts) -> Vec<Remedy> {
    let Some(manager) = manager(cause) else { return Vec::new() };
    let user = (manager.pid != Pid(1)).then_some(manager.uid).flatten();
    let who = if user.is_some() { "systemctl --user" } else { "systemctl" };
    let units = units(cause, facts);
    if units.is_empty() {
        return vec![advise(
            "see which socket unit it is, and stop that",
            Some(format!("{who} list-sockets")),
        )];
    }
    let others = cause.sockets.iter().flat_map(holders).map(|owner| &owner.process);
    let services: Vec<String> = others
        .filter(|process| !is_manager(process))
        .map(|process| service_of(process).unwrap_or_else(|| phrase::process(process)))
        .collect();
    let stop = |unit: &SocketUnit| match services.first() {
        None => Remedy {
            action: Action::StopUnit { unit: unit.name.clone(), user },
            ..advise("", None)
        },
        Some(service) => advise(
            format!("stop {} and then {service}, which has the socket, too", unit.name),
            Some(format!("{who} stop {} {service}", unit.name)),
        ),
    };
    let breaks = "the service is not started on demand any more, until the unit is";
    units.into_iter().map(|unit| service(cause, stop(unit), breaks)).collect()
}

/// Returns the unit a process is of.
fn service_of(process: &Process) -> Option<String> {
    let cgroup = process.cgroup.as_ref()?;
    let unit = cgroup.user_unit.as_ref().or(cgroup.unit.as_ref())?;
    Some(unit.to_lossy().into_owned())
}
