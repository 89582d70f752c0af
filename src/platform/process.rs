//! Facts about processes, on every system: what sysinfo tells, refined where a system tells more.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::process::{Pid, Process};
use crate::snapshot::{Gap, Missing};
use crate::text::Text;

/// Reads what is known of these processes, in the order of their numbers. One that cannot be read
/// has no entry, and is counted in a gap.
pub(crate) fn read(pids: &[Pid]) -> (Vec<Process>, Vec<Gap>) {
    let pids: BTreeSet<Pid> = pids.iter().copied().collect();
    let mut system = match System::new() {
        Ok(system) => system,
        Err(error) => {
            let gap = Gap::new(Missing::ProcessFacts, error.to_string()).count(pids.len());
            return (Vec::new(), vec![gap]);
        }
    };
    let wanted: Vec<sysinfo::Pid> = pids.iter().map(|pid| sysinfo::Pid::from_u32(pid.0)).collect();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&wanted), false, facts());

    let processes: Vec<Process> = pids
        .iter()
        .filter_map(|&pid| Some(describe(pid, system.process(sysinfo::Pid::from_u32(pid.0))?)))
        .collect();
    let missing = pids.len() - processes.len();
    let gap = (missing > 0).then(|| {
        Gap::new(Missing::ProcessFacts, "ended meanwhile, or not readable").count(missing)
    });
    (processes, Vec::from_iter(gap))
}

/// Returns what sysinfo is asked for. Not its threads: it would list them as processes.
fn facts() -> ProcessRefreshKind {
    let facts = ProcessRefreshKind::nothing()
        .without_tasks()
        .with_exe(UpdateKind::OnlyIfNotSet)
        .with_user(UpdateKind::OnlyIfNotSet);
    // On Linux the arguments are read below: sysinfo drops empty ones.
    if cfg!(target_os = "linux") { facts } else { facts.with_cmd(UpdateKind::OnlyIfNotSet) }
}

fn describe(pid: Pid, found: &sysinfo::Process) -> Process {
    let mut process = Process::new(pid);
    process.ppid = found.parent().map(|parent| Pid(parent.as_u32()));
    process.command = Some(found.name()).filter(|name| !name.is_empty()).map(text);
    process.start = Some(found.start_time());
    process.argv = Some(found.cmd().iter().map(|argument| text(argument)).collect::<Vec<_>>())
        .filter(|argv| !argv.is_empty());
    #[cfg(unix)]
    {
        process.uid = found.effective_user_id().map(|uid| crate::process::Uid(**uid));
    }
    #[cfg(target_os = "linux")]
    super::linux::process::refine(&mut process, found.exe());
    process
}

/// Returns the text of a name as the system has it; where that is no bytes (Windows), lossily.
fn text(name: &OsStr) -> Text {
    #[cfg(unix)]
    return Text::from(std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec());
    #[cfg(not(unix))]
    return Text::from(name.to_string_lossy().into_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_is_described() {
        let own = Pid(std::process::id());
        let (processes, gaps) = read(&[own, own]);
        let [process] = &processes[..] else { panic!("one process: {processes:?}") };
        assert_eq!(gaps, []);
        assert_eq!(process.pid, own);
        assert!(process.command.as_ref().unwrap().to_lossy().starts_with("sockscope"));
        assert!(process.start.is_some_and(|start| start > 0));
        let argv: Vec<Text> = std::env::args_os().map(|argument| text(&argument)).collect();
        assert_eq!(process.argv.as_ref(), Some(&argv));
    }

    #[test]
    fn a_process_that_has_ended_is_a_gap() {
        let (processes, gaps) = read(&[Pid(u32::MAX >> 1)]);
        assert_eq!(processes, []);
        let [gap] = &gaps[..] else { panic!("one gap: {gaps:?}") };
        assert_eq!((gap.what, gap.count), (Missing::ProcessFacts, Some(1)));
    }
}
