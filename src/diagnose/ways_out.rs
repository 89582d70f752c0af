//! What takes sockets out of the way: from rows to remedies, the least harmful first.

use std::sync::Arc;

use crate::cgroup::{Cgroup, Container, Runtime};
use crate::diagnose::stand_ins::stands_for_others;
use crate::diagnose::{Action, Harm, Remedy, windows};
use crate::process::{Ownership, Pid, Process, Uid};
use crate::render::{phrase, sanitize};
use crate::snapshot::Entry;
use crate::socket::{Cookie, SocketId, TimerKind};
use crate::state::TcpState;

/// Returns what takes these sockets out of the way, the least harmful first. One remedy may clear
/// several of them; a socket may have none, when nobody is seen to hold it or only the first process
/// does.
pub fn ways_out(in_the_way: &[&Entry]) -> Vec<Remedy> {
    let mut remedies = left_over(in_the_way);
    remedies.extend(of_connections(in_the_way));
    remedies.extend(of_holders(in_the_way));
    remedies.extend(of_services(in_the_way));
    remedies.extend(of_windows_services(in_the_way));
    remedies.sort_by_key(|remedy| remedy.harm);
    remedies
}

/// Returns what can be done about what the kernel alone keeps: it is one wait, or one act, for all.
fn left_over(entries: &[&Entry]) -> Vec<Remedy> {
    let left: Vec<&Entry> = entries
        .iter()
        .copied()
        .filter(|entry| entry.ownership.is_left_over() && entry.socket.peer.is_some())
        .collect();
    let ends_at = |entry: &&Entry| {
        let timer = entry.socket.timer.filter(|timer| match timer.kind {
            TimerKind::Timewait => true,
            // An orphan is waited for with this one (`tcp_keepalive_timer`, linux/net/ipv4/tcp_timer.c).
            TimerKind::Keepalive => entry.socket.state == Some(TcpState::FinWait2),
            TimerKind::On | TimerKind::Persist | TimerKind::Other(_) => false,
        })?;
        Some((entry.socket.id, timer.expires_ms))
    };
    let (ids, times): (Vec<SocketId>, Vec<u32>) = left.iter().filter_map(ends_at).unzip();
    let wait = times.into_iter().max().map(|longest| Remedy {
        action: Action::Wait { seconds: u64::from(longest).div_ceil(1000) },
        harm: Harm::None,
        breaks: None,
        clears: ids,
    });
    let (ids, cookies): (Vec<SocketId>, Vec<Cookie>) =
        left.iter().filter_map(|entry| Some((entry.socket.id, entry.socket.cookie?))).unzip();
    let destroy = (!cookies.is_empty()).then(|| Remedy {
        action: Action::Destroy { cookies },
        harm: Harm::LeftOver,
        breaks: Some("late segments of the old connections are guarded against no more".to_owned()),
        clears: ids,
    });
    wait.into_iter().chain(destroy).collect()
}

/// Returns how a person stops what the kernel itself has sockets for.
fn of_services(entries: &[&Entry]) -> Vec<Remedy> {
    let mut remedies: Vec<Remedy> = Vec::new();
    for entry in entries {
        let Some(service) = entry.ownership.service() else { continue };
        let text = format!("stop the kernel's {}", sanitize::string(&service.to_string()));
        let action = Action::Advice { text, command: service.stop() };
        match remedies.iter_mut().find(|known| known.action == action) {
            Some(known) => known.clears.push(entry.socket.id),
            None => remedies.push(Remedy {
                action,
                harm: Harm::Service,
                breaks: Some("whatever uses it".to_owned()),
                clears: vec![entry.socket.id],
            }),
        }
    }
    remedies
}

/// Returns the stop of each service of Windows that has one of the sockets. Its process may run others,
/// which go on.
fn of_windows_services(entries: &[&Entry]) -> Vec<Remedy> {
    let mut remedies: Vec<Remedy> = Vec::new();
    for entry in entries {
        let Some(service) = entry.socket.rare.service.clone() else { continue };
        let action = Action::StopService { service };
        match remedies.iter_mut().find(|known| known.action == action) {
            Some(known) => known.clears.push(entry.socket.id),
            None => remedies.push(Remedy {
                action,
                harm: Harm::Service,
                breaks: Some("all that it does, until it is started again".to_owned()),
                clears: vec![entry.socket.id],
            }),
        }
    }
    remedies
}

/// Returns the end of the connections that processes hold: one act for all.
fn of_connections(entries: &[&Entry]) -> Option<Remedy> {
    let open = entries
        .iter()
        .filter(|entry| entry.socket.peer.is_some() && !entry.ownership.is_left_over());
    let open: Vec<(&Entry, Cookie)> =
        open.filter_map(|entry| Some((*entry, entry.socket.cookie?))).collect();
    let breaks = match &open[..] {
        [] => return None,
        [(one, _)] => {
            let (ends, owner) = (phrase::ends(&one.socket), phrase::owner(one));
            format!("the connection {ends} of {owner} is reset")
        }
        _ => "the connections are reset".to_owned(),
    };
    Some(Remedy {
        clears: open.iter().map(|(entry, _)| entry.socket.id).collect(),
        action: Action::Destroy { cookies: open.into_iter().map(|(_, cookie)| cookie).collect() },
        harm: Harm::Connection,
        breaks: Some(breaks),
    })
}

/// Returns what ends those who hold the sockets: as a service where all are of one, and as processes.
/// Who holds one socket ends in one go, with all others that hold it.
fn of_holders(entries: &[&Entry]) -> Vec<Remedy> {
    let held: Vec<(SocketId, Vec<Arc<Process>>)> = entries
        .iter()
        .map(|entry| (entry.socket.id, holders(&entry.ownership)))
        .filter(|(_, holders)| !holders.is_empty())
        .collect();
    let is_within = |one: &[Arc<Process>], other: &[Arc<Process>]| {
        one.iter().all(|process| other.contains(process))
    };
    let mut remedies: Vec<Remedy> = Vec::new();
    for (_, holders) in &held {
        let is_less = |(_, other): &(SocketId, Vec<Arc<Process>>)| {
            other.len() > holders.len() && is_within(holders, other)
        };
        let end = Action::End { processes: holders.clone() };
        if held.iter().any(is_less) || remedies.iter().any(|known| known.action == end) {
            continue;
        }
        let cleared = held.iter().filter(|(_, other)| is_within(other, holders));
        let clears: Vec<SocketId> = cleared.map(|(id, _)| *id).collect();
        if let Some(stop) = common_service(holders) {
            match remedies.iter_mut().find(|known| known.action == stop) {
                Some(known) => known.clears.extend(&clears),
                None => remedies.push(Remedy {
                    action: stop,
                    harm: Harm::Service,
                    breaks: Some("all that it does, until it is started again".to_owned()),
                    clears: clears.clone(),
                }),
            }
        }
        let (whose, who) =
            if holders.len() == 1 { ("its", "it has") } else { ("their", "they have") };
        let breaks = format!("{whose} connections close, and what {who} not saved is lost");
        remedies.push(Remedy { action: end, harm: Harm::Process, breaks: Some(breaks), clears });
    }
    remedies
}

/// Returns the processes that hold the socket for sure, parents before their children; none when one
/// of them must not end.
fn holders(ownership: &Ownership) -> Vec<Arc<Process>> {
    let mut holders: Vec<Arc<Process>> = Vec::new();
    for owner in ownership.owners().iter().filter(|owner| !owner.via.is_inferred()) {
        if is_manager(&owner.process) || stands_for_others(&owner.process) {
            return Vec::new();
        }
        if !holders.contains(&owner.process) {
            holders.push(Arc::clone(&owner.process));
        }
    }
    let members: Vec<Pid> = holders.iter().map(|process| process.pid).collect();
    let above = |process: &Process| {
        process.parents.iter().filter(|parent| members.contains(&parent.pid)).count()
    };
    holders.sort_by_key(|process| (above(process), process.start, process.pid));
    holders
}

/// Returns how the service that all of them are of is stopped.
fn common_service(processes: &[Arc<Process>]) -> Option<Action> {
    let mut services = processes.iter().map(|process| process.cgroup.as_ref().and_then(service));
    let first = services.next()??;
    services.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// Returns true for the first process, for systemd's managers of users, and for Windows' kernel with its
/// drivers: they hold sockets for others (`systemd.socket(5)`), and must not end.
pub(crate) fn is_manager(process: &Process) -> bool {
    let in_init_scope = |group: &Cgroup| {
        let innermost = group.user_unit.as_ref().or(group.unit.as_ref());
        innermost.is_some_and(|unit| unit.as_bytes() == b"init.scope")
    };
    process.pid == Pid(1)
        || windows::is_kernel(process)
        || process.cgroup.as_ref().is_some_and(in_init_scope)
}

/// Returns how the container or unit that a control group is of is stopped, where one command does
/// that.
fn service(group: &Cgroup) -> Option<Action> {
    let Cgroup { unit, user_unit, container, .. } = group;
    let user = unit.as_ref().and_then(|unit| user_of(unit.as_bytes()));
    if let Some(Container { runtime, id, .. }) = container {
        let runtime = match runtime {
            Runtime::Docker => "docker",
            Runtime::Podman => "podman",
            Runtime::Containerd
            | Runtime::Crio
            | Runtime::Kubernetes
            | Runtime::Lxc
            | Runtime::Machine
            | Runtime::Oci
            | Runtime::Snap
            | Runtime::Flatpak
            | Runtime::Jail => return None,
        };
        return Some(Action::StopContainer { runtime, container: id.clone(), user });
    }
    let unit = if user.is_some() { user_unit } else { unit }.clone()?;
    unit.as_bytes().ends_with(b".service").then_some(Action::StopUnit { unit, user })
}

/// Returns whose manager a unit is: that of `user@1000.service` is user 1000's.
fn user_of(unit: &[u8]) -> Option<Uid> {
    let number = unit.strip_prefix(b"user@")?.strip_suffix(b".service")?;
    std::str::from_utf8(number).ok()?.parse().ok().map(Uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::fixture::{entry, left, listener, owner};
    use crate::kernel::{KernelReason, KernelService, Service};
    use crate::process::{Owner, Via};
    use crate::text::Text;

    fn actions(entries: &[&Entry]) -> Vec<(Harm, Action)> {
        ways_out(entries).into_iter().map(|remedy| (remedy.harm, remedy.action)).collect()
    }

    #[test]
    fn a_unit_is_stopped_before_its_processes_are_ended() {
        let nginx = owner(800, &[1], "/system.slice/nginx.service");
        let unit = Text::from("nginx.service");
        assert_eq!(
            actions(&[&listener(vec![nginx.clone()])]),
            [
                (Harm::Service, Action::StopUnit { unit, user: None }),
                (Harm::Process, Action::End { processes: vec![nginx.process] }),
            ]
        );
    }

    #[test]
    fn a_tunnel_of_the_kernels_is_stopped_by_a_person_once() {
        let of_kernel = |id| {
            let links = vec![Text::from("vx0")];
            let service = KernelService { kind: Service::Vxlan, links, is_inferred: false };
            let mut entry = listener(Vec::new());
            entry.socket.id = SocketId(id);
            entry.ownership = Ownership::Kernel(KernelReason::Service(Arc::new(service)));
            entry
        };
        let remedies = ways_out(&[&of_kernel(1), &of_kernel(2)]);
        let [Remedy { action, harm, clears, .. }] = &remedies[..] else { panic!("{remedies:?}") };
        let text = "stop the kernel's VXLAN tunnel vx0".to_owned();
        let command = Some("ip link set dev vx0 down".to_owned());
        assert_eq!(*action, Action::Advice { text, command });
        assert_eq!((*harm, &clears[..]), (Harm::Service, &[SocketId(1), SocketId(2)][..]));
    }

    #[test]
    fn the_service_is_stopped_where_one_command_does_that() {
        let id = "0123456789abcdef".repeat(4);
        let container = |runtime, user| Action::StopContainer {
            runtime,
            container: Text::from(id.clone()),
            user,
        };
        let user = "/user.slice/user-1000.slice/user@1000.service";
        for (group, action) in [
            (format!("/system.slice/docker-{id}.scope"), Some(container("docker", None))),
            (
                format!("{user}/user.slice/libpod-{id}.scope"),
                Some(container("podman", Some(Uid(1000)))),
            ),
            (
                format!("{user}/app.slice/syncthing.service"),
                Some(Action::StopUnit {
                    unit: Text::from("syncthing.service"),
                    user: Some(Uid(1000)),
                }),
            ),
            // The session would end with it.
            ("/user.slice/user-1000.slice/session-3.scope".to_owned(), None),
            (format!("{user}/app.slice/vte-spawn-1.scope"), None),
            (format!("/kubepods.slice/cri-containerd-{id}.scope"), None),
            ("/".to_owned(), None),
        ] {
            let group = Cgroup::new(Text::from(group));
            assert_eq!(service(&group), action, "{}", group.path);
        }
    }

    #[test]
    fn a_family_is_ended_in_one_go_the_parent_first() {
        let family =
            vec![owner(12, &[11, 10, 1], "/"), owner(10, &[1], "/"), owner(11, &[10, 1], "/")];
        let actions = actions(&[&listener(family)]);
        let [(Harm::Process, Action::End { processes })] = &actions[..] else {
            panic!("{actions:?}")
        };
        let pids: Vec<u32> = processes.iter().map(|process| process.pid.0).collect();
        assert_eq!(pids, [10, 11, 12]);
    }

    #[test]
    fn the_first_process_and_a_users_manager_end_never() {
        let manager = owner(900, &[1], "/user.slice/user-1000.slice/user@1000.service/init.scope");
        for manager in [owner(1, &[], "/init.scope"), manager] {
            let shared = vec![manager, owner(800, &[1], "/system.slice/sshd.service")];
            assert_eq!(ways_out(&[&listener(shared)]), []);
        }
    }

    #[test]
    fn a_service_of_windows_is_stopped_alone_and_its_process_only_ended_after_it() {
        let mut entry = listener(vec![owner(800, &[], "/")]);
        entry.socket.rare.make_mut().service = Some(Text::from("Dnscache"));
        let actions = actions(&[&entry]);
        let [(Harm::Service, stop), (Harm::Process, Action::End { .. })] = &actions[..] else {
            panic!("{actions:?}")
        };
        assert_eq!(stop.command().unwrap(), ["sc", "stop", "Dnscache"]);
    }

    #[test]
    fn windows_kernel_is_not_ended() {
        let mut system = owner(4, &[], "/");
        Arc::make_mut(&mut system.process).command = Some(Text::from("System"));
        assert_eq!(ways_out(&[&listener(vec![system.clone()])]), []);
        // On Linux the number says nothing.
        Arc::make_mut(&mut system.process).command = Some(Text::from("server"));
        assert_eq!(ways_out(&[&listener(vec![system])]).len(), 1);
    }

    #[test]
    fn whoever_only_may_get_the_socket_is_not_ended() {
        let mut maybe = owner(800, &[1], "/");
        maybe.via = Via::InFlight;
        assert_eq!(ways_out(&[&listener(vec![maybe])]), []);
    }

    #[test]
    fn leftovers_are_waited_for_as_long_as_the_last_of_them_lasts() {
        let remedies = ways_out(&[&left(1, 20_001), &left(2, 5000)]);
        let [wait, destroy] = &remedies[..] else { panic!("{remedies:?}") };
        assert_eq!((wait.harm, &wait.action), (Harm::None, &Action::Wait { seconds: 21 }));
        let cookies = vec![Cookie(1), Cookie(2)];
        assert_eq!((destroy.harm, &destroy.action), (Harm::LeftOver, &Action::Destroy { cookies }));
        assert_eq!((wait.clears.len(), destroy.clears.len()), (2, 2));
    }

    #[test]
    fn a_connection_is_destroyed_before_its_process_is_ended() {
        let held = Ownership::Held(vec![owner(800, &[1], "/")].into());
        let harms: Vec<Harm> = actions(&[&entry(1, TcpState::Established, held)])
            .into_iter()
            .map(|(harm, _)| harm)
            .collect();
        assert_eq!(harms, [Harm::Connection, Harm::Process]);
    }

    #[test]
    fn one_act_on_one_process_clears_all_its_sockets() {
        let nginx = owner(800, &[1], "/");
        let one = listener(vec![nginx.clone()]);
        // By another descriptor.
        let mut two = listener(vec![Owner { fd: None, ..nginx }]);
        two.socket.id = SocketId(2);
        let remedies = ways_out(&[&one, &two]);
        assert_eq!(remedies.len(), 1);
        assert_eq!(remedies[0].clears, [SocketId(1), SocketId(2)]);
    }

    #[test]
    fn who_holds_one_socket_with_others_ends_with_them() {
        let (parent, child) = (owner(10, &[1], "/"), owner(11, &[10, 1], "/"));
        let held = Ownership::Held(vec![child.clone()].into());
        let accepted = entry(2, TcpState::Established, held);
        let remedies = ways_out(&[&accepted, &listener(vec![parent, child])]);
        let [destroy, end] = &remedies[..] else { panic!("{remedies:?}") };
        assert_eq!(destroy.clears, [SocketId(2)]);
        assert_eq!(end.clears, [SocketId(2), SocketId(1)]);
    }
}
