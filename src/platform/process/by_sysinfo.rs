//! What sysinfo tells of a process.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::read_by;
use crate::process::{Exe, ExeState, Pid, Process};
use crate::snapshot::{Gap, Missing, Timestamp};
use crate::text::Text;

/// Returns what is known of each of the processes, and a gap when nothing is of some. With `details`,
/// also their programs, directories and control groups, and their ancestors as further processes.
pub(crate) fn read(pids: &BTreeSet<Pid>, details: bool) -> (Vec<Process>, Option<Gap>) {
    let mut system = match System::new() {
        Ok(system) => system,
        Err(error) => {
            let gap = Gap::new(Missing::ProcessFacts, error.to_string()).count(pids.len());
            return (pids.iter().copied().map(Process::new).collect(), Some(gap));
        }
    };
    read_by(pids, details, |pids, details| read_some(&mut system, pids, details))
}

/// Returns what is known of each of the processes.
fn read_some(
    system: &mut System,
    pids: &BTreeSet<Pid>,
    details: bool,
) -> Vec<(Pid, Option<Process>)> {
    let wanted: Vec<sysinfo::Pid> = pids.iter().map(|pid| sysinfo::Pid::from_u32(pid.0)).collect();
    // Not the CPU usage, which ends the process under Wine; not the threads, which sysinfo on Linux
    // would list as processes.
    let kind = ProcessRefreshKind::nothing()
        .without_tasks()
        .with_cmd(UpdateKind::OnlyIfNotSet)
        .with_exe(UpdateKind::OnlyIfNotSet)
        .with_user(UpdateKind::OnlyIfNotSet);
    // Linux is asked for the directory, and for more of the program, in its own module.
    let cwd = details && !cfg!(target_os = "linux");
    let kind = if cwd { kind.with_cwd(UpdateKind::OnlyIfNotSet) } else { kind };
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&wanted), false, kind);
    let read = |&pid: &Pid| {
        let told = system.process(sysinfo::Pid::from_u32(pid.0));
        (pid, told.map(|told| convert(pid, told, details)))
    };
    pids.iter().map(read).collect()
}

fn convert(pid: Pid, told: &sysinfo::Process, details: bool) -> Process {
    let mut process = Process::new(pid);
    process.ppid = told.parent().map(|parent| Pid(parent.as_u32()));
    process.command = command(told.name(), told.exe());
    process.uid = uid(told);
    process.start = Some(told.start_time()).filter(|&seconds| seconds > 0);
    process.started_at = process.start.and_then(moment);
    process.argv = (!told.cmd().is_empty()).then(|| {
        told.cmd().iter().map(|word| Text::from(word.as_encoded_bytes().to_vec())).collect()
    });
    if details {
        let exe = told.exe().and_then(|exe| text(exe.as_os_str()));
        process.exe = exe.map(|path| Exe { path, state: ExeState::Current });
        process.cwd = told.cwd().and_then(|cwd| text(cwd.as_os_str()));
    }
    #[cfg(target_os = "linux")]
    {
        // Gone since, with its descriptors: what is known of it stays.
        let _gone = crate::platform::linux::process::complete(&mut process, details);
    }
    process
}

/// Returns the moment so many seconds after the epoch.
fn moment(seconds: u64) -> Option<Timestamp> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).map(Timestamp)
}

/// Returns the name a person knows the program by: the file's where the system's name is a cut of
/// it (15 bytes on Linux, 32 on macOS).
fn command(name: &OsStr, exe: Option<&Path>) -> Option<Text> {
    let name_bytes = name.as_encoded_bytes();
    let file = exe.and_then(Path::file_name);
    let whole = file
        .filter(|file| name_bytes.len() >= 15 && file.as_encoded_bytes().starts_with(name_bytes));
    text(whole.unwrap_or(name))
}

/// Returns the bytes as they are on UNIX; on Windows UTF-8, but for lone surrogates.
fn text(name: &OsStr) -> Option<Text> {
    (!name.is_empty()).then(|| Text::from(name.as_encoded_bytes().to_vec()))
}

#[cfg(unix)]
fn uid(told: &sysinfo::Process) -> Option<crate::process::Uid> {
    told.effective_user_id().map(|uid| crate::process::Uid(**uid))
}

/// Windows has no user numbers. Its names are not read: sysinfo's list of users reads through a null
/// pointer (0.40.1, src/windows/users.rs) and a gap tells so.
#[cfg(windows)]
fn uid(_told: &sysinfo::Process) -> Option<crate::process::Uid> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_known() {
        let pid = Pid(std::process::id());
        let (processes, gap) = read(&BTreeSet::from([pid]), false);
        assert_eq!(gap, None);
        assert_eq!(processes.len(), 1);
        let process = &processes[0];
        assert_eq!(process.pid, pid);
        assert!(process.command.as_ref().unwrap().to_string().starts_with("sockscope"));
        assert!(process.start.is_some() && process.started_at.is_some());
        assert_eq!((&process.exe, &process.cwd, &process.cgroup), (&None, &None, &None));
        // On Windows whoever started it may be gone, or be none of its processes (Wine).
        assert!(process.ppid.is_some() || cfg!(windows));
    }

    #[test]
    fn a_process_that_is_gone_is_a_gap_and_keeps_its_number() {
        // The largest PID Linux gives is 2^22; Windows' and macOS' are smaller or multiples of 4.
        let pid = Pid(2_000_000_001);
        let (processes, gap) = read(&BTreeSet::from([pid]), true);
        assert_eq!(processes, [Process::new(pid)]);
        assert_eq!(gap.unwrap().count, Some(1));
    }

    #[test]
    fn with_details_the_program_and_every_ancestor_are_known() {
        let pid = Pid(std::process::id());
        let (processes, _) = read(&BTreeSet::from([pid]), true);
        let own = &processes[0];
        let exe = std::env::current_exe().unwrap();
        let told = own.exe.clone().unwrap();
        assert_eq!((told.path, told.state), (text(exe.as_os_str()).unwrap(), ExeState::Current));
        let cwd = std::env::current_dir().unwrap();
        // Windows ends a directory with a backslash.
        let told = own.cwd.as_ref().unwrap().to_string();
        assert_eq!(Path::new(told.trim_end_matches('\\')), cwd);
        let pids: Vec<Pid> = processes.iter().map(|process| process.pid).collect();
        let parents: Vec<Pid> = processes.iter().filter_map(|process| process.ppid).collect();
        // On Windows a parent may be gone for long.
        assert!(parents.iter().all(|parent| pids.contains(parent)) || cfg!(windows));
        let once: BTreeSet<Pid> = pids.iter().copied().collect();
        assert_eq!(once.len(), pids.len());
    }

    #[test]
    fn a_cut_name_is_completed_by_the_files() {
        for (name, exe, command_name) in [
            ("systemd-resolve", "/usr/lib/systemd/systemd-resolved", "systemd-resolved"),
            ("node", "/usr/bin/nodejs", "node"),
            ("Socket Process", "/usr/lib/firefox/firefox", "Socket Process"),
        ] {
            let command = command(OsStr::new(name), Some(Path::new(exe)));
            assert_eq!(command, Some(Text::from(command_name)));
        }
        assert_eq!(command(OsStr::new(""), None), None);
    }
}
