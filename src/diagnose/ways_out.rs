//! What takes sockets out of the way: from rows to remedies, the least harmful first.

use std::cmp::Reverse;

use crate::cgroup::{Cgroup, Container, Runtime};
use crate::diagnose::{Action, Harm, Remedy};
use crate::process::{Owner, Ownership, Pid, Process, Uid};
use crate::render::phrase;
use crate::snapshot::Entry;
use crate::socket::{Cookie, SocketId, TimerKind};

/// Returns what takes these sockets out of the way, the least harmful first. One remedy may clear
/// several of them; a socket may have none, when nobody is seen to hold it or only the first process
/// does.
pub fn ways_out(in_the_way: &[&Entry]) -> Vec<Remedy> {
    let mut remedies = left_over(in_the_way);
    for entry in in_the_way {
        remedies.extend(of_connection(entry));
        remedies.extend(of_holders(entry));
    }
    let mut merged: Vec<Remedy> = Vec::new();
    for remedy in remedies {
        match merged.iter_mut().find(|known| known.action == remedy.action) {
            Some(known) => known.clears.extend(remedy.clears),
            None => merged.push(remedy),
        }
    }
    merged.sort_by_key(|remedy| remedy.harm);
    merged
}

/// Returns what can be done about what the kernel alone keeps: it is one wait, or one act, for all.
fn left_over(entries: &[&Entry]) -> Vec<Remedy> {
    let left: Vec<&Entry> = entries
        .iter()
        .copied()
        .filter(|entry| entry.ownership.is_left_over() && entry.socket.peer.is_some())
        .collect();
    let ends_at = |entry: &&Entry| {
        let timer = entry.socket.timer.filter(|timer| timer.kind == TimerKind::Timewait)?;
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

/// Returns the end of a connection that a process holds.
fn of_connection(entry: &Entry) -> Option<Remedy> {
    let is_open = entry.socket.peer.is_some() && !entry.ownership.is_left_over();
    Some(Remedy {
        action: Action::Destroy { cookies: vec![entry.socket.cookie.filter(|_| is_open)?] },
        harm: Harm::Connection,
        breaks: Some(format!(
            "the connection {} of {} is reset",
            phrase::ends(&entry.socket),
            phrase::owner(entry)
        )),
        clears: vec![entry.socket.id],
    })
}

/// Returns what ends those who hold the socket: as a service where all are of one, and as processes.
/// The first process holds sockets for others (`systemd.socket(5)`), and ends never.
fn of_holders(entry: &Entry) -> Vec<Remedy> {
    let owners = holders(&entry.ownership);
    let Some(main) = owners.first() else { return Vec::new() };
    if owners.iter().any(|owner| is_manager(&owner.process)) {
        return Vec::new();
    }
    let clears = vec![entry.socket.id];
    let service = service(&main.process)
        .filter(|action| {
            owners.iter().all(|other| service(&other.process).as_ref() == Some(action))
        })
        .map(|action| Remedy {
            breaks: Some("all that it does, until it is started again".to_owned()),
            action,
            harm: Harm::Service,
            clears: clears.clone(),
        });
    let names = owners.iter().map(|owner| phrase::process(&owner.process));
    let breaks = format!("all that {} does", names.collect::<Vec<_>>().join(", "));
    let end = Remedy {
        action: Action::End { owners },
        harm: Harm::Process,
        breaks: Some(breaks),
        clears,
    };
    service.into_iter().chain([end]).collect()
}

/// Returns one owner for each process that holds the socket for sure, parents before their children.
fn holders(ownership: &Ownership) -> Vec<Owner> {
    let mut holders: Vec<Owner> = Vec::new();
    for owner in ownership.owners().iter().filter(|owner| !owner.via.is_inferred()) {
        if !holders.iter().any(|known| known.process.pid == owner.process.pid) {
            holders.push(owner.clone());
        }
    }
    let members: Vec<Pid> = holders.iter().map(|owner| owner.process.pid).collect();
    let above = |process: &Process| {
        process.parents.iter().filter(|parent| members.contains(&parent.pid)).count()
    };
    holders.sort_by_key(|owner| {
        (above(&owner.process), owner.process.start, Reverse(owner.process.pid))
    });
    holders
}

/// Returns true for the first process, and for systemd's managers of users.
fn is_manager(process: &Process) -> bool {
    let in_init_scope = |group: &Cgroup| {
        let innermost = group.user_unit.as_ref().or(group.unit.as_ref());
        innermost.is_some_and(|unit| unit.as_bytes() == b"init.scope")
    };
    process.pid == Pid(1) || process.cgroup.as_ref().is_some_and(in_init_scope)
}

/// Returns how the container or unit that a process is of is stopped, where one command does that.
fn service(process: &Process) -> Option<Action> {
    let Cgroup { unit, user_unit, container, .. } = process.cgroup.as_ref()?;
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
            | Runtime::Flatpak => return None,
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
    use std::sync::Arc;

    use super::*;
    use crate::kernel::KernelReason;
    use crate::process::{Fd, Parent, Via};
    use crate::socket::{Family, Protocol, Socket, Timer};
    use crate::state::TcpState;
    use crate::text::Text;

    fn owner(pid: u32, parents: &[u32], group: &str) -> Owner {
        let mut process = Process::new(Pid(pid));
        process.parents =
            parents.iter().map(|&pid| Parent { pid: Pid(pid), command: None }).collect();
        process.cgroup = Cgroup::of_process(format!("0::{group}\n").as_bytes());
        Owner { process: Arc::new(process), tid: None, fd: Some(Fd(3)), via: Via::Fd }
    }

    fn entry(id: u64, state: TcpState, ownership: Ownership) -> Entry {
        let mut socket = Socket::new(SocketId(id), Protocol::Tcp, Family::Inet);
        socket.state = Some(state);
        socket.cookie = Some(Cookie(id));
        let end = |text: &str| Some(text.parse::<std::net::SocketAddr>().unwrap().into());
        socket.local = end("127.0.0.1:80");
        if state != TcpState::Listen {
            socket.peer = end("127.0.0.1:5000");
        }
        Entry { socket, ownership, user: None, netns_name: None, peer_owners: Vec::new() }
    }

    fn listener(owners: Vec<Owner>) -> Entry {
        entry(1, TcpState::Listen, Ownership::Held(owners))
    }

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
                (Harm::Process, Action::End { owners: vec![nginx] }),
            ]
        );
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
            assert_eq!(service(&owner(800, &[1], &group).process), action, "{group}");
        }
    }

    #[test]
    fn a_family_is_ended_in_one_go_the_parent_first() {
        let family =
            vec![owner(12, &[11, 10, 1], "/"), owner(10, &[1], "/"), owner(11, &[10, 1], "/")];
        let actions = actions(&[&listener(family)]);
        let [(Harm::Process, Action::End { owners })] = &actions[..] else { panic!("{actions:?}") };
        let pids: Vec<u32> = owners.iter().map(|owner| owner.process.pid.0).collect();
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
    fn whoever_only_may_get_the_socket_is_not_ended() {
        let mut maybe = owner(800, &[1], "/");
        maybe.via = Via::InFlight;
        assert_eq!(ways_out(&[&listener(vec![maybe])]), []);
    }

    #[test]
    fn leftovers_are_waited_for_as_long_as_the_last_of_them_lasts() {
        let left = |id, expires_ms| {
            let mut entry =
                entry(id, TcpState::TimeWait, Ownership::Kernel(KernelReason::TimeWait));
            entry.socket.timer =
                Some(Timer { kind: TimerKind::Timewait, expires_ms, retransmits: 0 });
            entry
        };
        let remedies = ways_out(&[&left(1, 20_001), &left(2, 5000)]);
        let [wait, destroy] = &remedies[..] else { panic!("{remedies:?}") };
        assert_eq!((wait.harm, &wait.action), (Harm::None, &Action::Wait { seconds: 21 }));
        let cookies = vec![Cookie(1), Cookie(2)];
        assert_eq!((destroy.harm, &destroy.action), (Harm::LeftOver, &Action::Destroy { cookies }));
        assert_eq!((wait.clears.len(), destroy.clears.len()), (2, 2));
    }

    #[test]
    fn a_connection_is_destroyed_before_its_process_is_ended() {
        let held = Ownership::Held(vec![owner(800, &[1], "/")]);
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
        let mut two = listener(vec![nginx]);
        two.socket.id = SocketId(2);
        let remedies = ways_out(&[&one, &two]);
        assert_eq!(remedies.len(), 1);
        assert_eq!(remedies[0].clears, [SocketId(1), SocketId(2)]);
    }
}
