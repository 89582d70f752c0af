//! Facts about processes, on every system: what sysinfo tells, completed where a system tells more.
//! Linux's own backend reads the files of its processes alone.

#[cfg(any(feature = "portable", not(target_os = "linux")))]
mod by_sysinfo;

use std::collections::BTreeSet;

#[cfg(any(feature = "portable", not(target_os = "linux")))]
pub(crate) use by_sysinfo::read;

use crate::process::{Pid, Process};
use crate::snapshot::{Gap, Missing};

/// Returns what is known of each of the processes, read so, and a gap when nothing is of some. With
/// `details`, also their ancestors as further processes.
pub(crate) fn read_by(
    pids: &BTreeSet<Pid>,
    details: bool,
    mut read: impl FnMut(&BTreeSet<Pid>, bool) -> Vec<(Pid, Option<Process>)>,
) -> (Vec<Process>, Option<Gap>) {
    let mut unknown = 0;
    let mut processes: Vec<Process> = read(pids, details)
        .into_iter()
        .map(|(pid, process)| {
            unknown += usize::from(process.is_none());
            process.unwrap_or_else(|| Process::new(pid))
        })
        .collect();
    if details {
        add_ancestors(&mut processes, |pids| read(pids, true));
        #[cfg(target_os = "linux")]
        super::linux::containers::name(processes.iter_mut().filter_map(|it| it.cgroup.as_mut()));
    }
    let gap = (unknown > 0)
        .then(|| Gap::new(Missing::ProcessFacts, "gone, or not to be read").count(unknown));
    (processes, gap)
}

/// Appends the parents that are not among the processes yet, then theirs, up to the first process.
fn add_ancestors(
    processes: &mut Vec<Process>,
    mut read: impl FnMut(&BTreeSet<Pid>) -> Vec<(Pid, Option<Process>)>,
) {
    let mut known: BTreeSet<Pid> = processes.iter().map(|process| process.pid).collect();
    loop {
        let parents = processes.iter().filter_map(|process| process.ppid);
        let missing: BTreeSet<Pid> = parents.filter(|pid| known.insert(*pid)).collect();
        if missing.is_empty() {
            return;
        }
        // One that has ended meanwhile is no loss: its children have another parent now.
        let found = read(&missing);
        processes.extend(found.into_iter().filter_map(|(_, process)| process));
    }
}
