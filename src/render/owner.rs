//! Who holds a socket, in the words that `why`, `free`, `port` and `show` have in common: the process that
//! counts with all that is known of it, and the others by name.

use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::process::{Owner, Pid, Process, Via};
use crate::render::phrase::{CUT, TOGETHER};
use crate::render::{phrase, sanitize};
use crate::text::Text;

/// How many further processes are named; the rest is counted.
const OTHERS: usize = 8;

/// Returns the processes of these owners in their order, each with every way in which it holds the socket.
pub(super) fn by_process(owners: &[Owner]) -> Vec<Vec<&Owner>> {
    let mut processes: Vec<(Pid, Vec<&Owner>)> = Vec::new();
    for owner in owners {
        match processes.iter_mut().find(|(pid, _)| *pid == owner.process.pid) {
            Some((_, same)) => same.push(owner),
            None => processes.push((owner.process.pid, vec![owner])),
        }
    }
    processes.into_iter().map(|(_, owners)| owners).collect()
}

/// Returns the holders as lines: the main process in full, then the others. Nothing without owners.
pub(super) fn lines(owners: &[Owner]) -> Vec<String> {
    let processes = by_process(owners);
    let Some((main, others)) = processes.split_first() else { return Vec::new() };
    let mut words: Vec<String> = others.iter().take(OTHERS).map(|owners| brief(owners)).collect();
    let more = others.len().saturating_sub(OTHERS);
    if more > 0 {
        words.push(format!("{more} more"));
    }
    let others = (!words.is_empty()).then(|| format!("and {}", words.join(", ")));
    std::iter::once(line(main)).chain(others).collect()
}

/// Returns one process with all that is known of it: `node (4711, alice, fd 21), unit shop.service, for
/// 2h 5m: node app.js`. The command line is cut where the line ends; see [`phrase::wrap`].
pub(super) fn line(owners: &[&Owner]) -> String {
    let Some(Owner { process, .. }) = owners.first() else { return String::new() };
    let age = process.age.map(|age| format!("for {}", short(age)));
    let facts: Vec<String> =
        std::iter::once(brief(owners)).chain(origin(process)).chain(age).collect();
    let argv = process.argv.as_deref().unwrap_or_default().iter().map(Text::to_string);
    let command_line = argv.collect::<Vec<_>>().join(" ");
    if command_line.is_empty() {
        return facts.join(", ");
    }
    let command_line = sanitize::string(&command_line).replace(' ', TOGETHER);
    format!("{}: {CUT}{command_line}", facts.join(", "))
}

/// Returns one process with its user and how it holds the socket: `nginx (800, root, fd 6)`.
pub(super) fn brief(owners: &[&Owner]) -> String {
    let Some(Owner { process, .. }) = owners.first() else { return String::new() };
    let mut facts = vec![process.pid.to_string()];
    match (&process.user, process.uid) {
        (Some(user), _) => facts.push(sanitize::text(user).into_owned()),
        (None, Some(uid)) => facts.push(format!("uid{TOGETHER}{uid}")),
        (None, None) => {}
    }
    for owner in owners {
        let thread = owner.tid.map(|tid| format!("{TOGETHER}of{TOGETHER}thread{TOGETHER}{tid}"));
        let thread = thread.unwrap_or_default();
        facts.extend(owner.fd.map(|fd| format!("fd{TOGETHER}{fd}{thread}")));
        if owner.via != Via::Fd {
            facts.push(format!("via{TOGETHER}{}", owner.via.name()));
        }
    }
    facts.dedup();
    format!("{} ({})", phrase::command(process), facts.join(", "))
}

/// Returns where a process comes from: its unit, and its container; of a container that has a unit for
/// itself alone only the container.
fn origin(process: &Process) -> impl Iterator<Item = String> {
    let group = process.cgroup.as_ref();
    let container = group.and_then(|group| group.container.as_ref());
    let is_of_container = |unit: &Text| {
        let id = container.map(|container| container.id.to_lossy());
        id.is_some_and(|id| unit.to_lossy().contains(&*id))
    };
    let unit = group.and_then(Cgroup::full_unit).filter(|unit| !is_of_container(unit));
    let unit = unit.map(|unit| format!("unit {}", sanitize::text(&unit)));
    let container = container.map(|it| format!("container {}", phrase::container(it)));
    unit.into_iter().chain(container)
}

/// Returns a time by its two largest units: `2h 5m`.
fn short(time: Duration) -> String {
    let whole = humantime::format_duration(Duration::from_secs(time.as_secs())).to_string();
    whole.split(' ').take(2).collect::<Vec<_>>().join(TOGETHER)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::process::Fd;

    fn owner(pid: u32, argv: &str) -> Owner {
        let mut process = Process::new(Pid(pid));
        process.command = Some("node".into());
        process.user = Some("alice".into());
        process.age = Some(Duration::from_mins(125));
        process.argv = Some(argv.split(' ').map(Text::from).collect());
        Owner { process: Arc::new(process), tid: None, fd: Some(Fd(21)), via: Via::Fd }
    }

    fn wrapped(owners: &[Owner], room: Option<usize>) -> Vec<String> {
        lines(owners).iter().flat_map(|line| phrase::wrap(line, room)).collect()
    }

    #[test]
    fn the_main_process_is_told_in_full_and_the_others_by_name() {
        let mut twice = owner(11, "node app.js");
        twice.fd = Some(Fd(22));
        let owners = [owner(11, "node app.js"), twice, owner(12, "node worker.js")];
        assert_eq!(
            wrapped(&owners, None),
            [
                "node (11, alice, fd 21, fd 22), for 2h 5m: node app.js",
                "and node (12, alice, fd 21)"
            ]
        );
    }

    #[test]
    fn many_others_are_counted() {
        let owners: Vec<Owner> = (1..=12).map(|pid| owner(pid, "x")).collect();
        assert!(lines(&owners)[1].ends_with("node (9, alice, fd\u{a0}21), 3 more"));
    }

    #[test]
    fn a_command_line_is_cut_where_the_line_ends() {
        let owners = [owner(11, &"word ".repeat(99))];
        for room in [30, 60, 80, 120] {
            let lines = wrapped(&owners, Some(room));
            assert!(lines.len() <= 3, "{lines:#?}");
            assert!(lines.iter().all(|line| line.chars().count() <= room), "{lines:#?}");
            assert!(lines.last().unwrap().ends_with('…'));
        }
        assert!(wrapped(&owners, None)[0].len() < 200, "in a pipe too");
    }

    #[test]
    fn a_unit_that_is_the_containers_own_is_not_said_twice() {
        let number = "4".repeat(64);
        let of = |path: &str, name: Option<&str>| {
            let mut cgroup = Cgroup::new(Text::from(path));
            if let Some(container) = &mut cgroup.container {
                container.name = name.map(Text::from);
            }
            let mut process = Process::new(Pid(1));
            process.cgroup = Some(cgroup);
            origin(&process).collect::<Vec<_>>().join(", ")
        };
        let docker = format!("/system.slice/docker-{number}.scope");
        assert_eq!(of(&docker, Some("web")), "container web (docker 444444444444)");
        assert_eq!(of(&docker, None), "container docker 444444444444");
        assert_eq!(of("/system.slice/nginx.service", None), "unit nginx.service");
        let inner = format!("{docker}/init.scope/x.service");
        assert!(of(&inner, None).ends_with("container docker 444444444444"));
    }
}
