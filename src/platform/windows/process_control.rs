//! Ends processes: each is held by a handle, and as long as that is open no other gets its number.

use std::io;
use std::time::Duration;

use super::refine::unix_seconds;
use super::sys::{self, Access};
use crate::platform::process;
use crate::platform::process_control::{Asker, ControlError};
use crate::process::{Pid, Process};

/// The idle process, and the kernel with its threads, which holds the sockets of drivers such as
/// HTTP.sys.
const PROTECTED: [Pid; 2] = [Pid(0), Pid(4)];

const ERROR_ACCESS_DENIED: i32 = 5;
/// What `OpenProcess` says to a number that no process has.
const ERROR_INVALID_PARAMETER: i32 = 87;

/// A process, by a handle.
#[derive(Debug)]
pub(in crate::platform) struct Handle {
    process: sys::Handle,
    pid: Pid,
}

impl Handle {
    /// Opens the process that has this number and was made in this second since the epoch.
    pub(in crate::platform) fn open(pid: Pid, start: u64) -> Result<Self, ControlError> {
        if PROTECTED.contains(&pid) {
            return Err(ControlError::Protected { pid });
        }
        let process = sys::open_process(pid.0, Access::End).map_err(|error| refusal(pid, error))?;
        let created = process.created().map_err(|error| refusal(pid, error))?;
        if unix_seconds(created) != start {
            return Err(ControlError::NotThatProcess { pid });
        }
        let handle = Self { process, pid };
        // Whoever else has a handle keeps what has ended.
        if handle.has_ended_within(Duration::ZERO) { Err(ControlError::Gone) } else { Ok(handle) }
    }

    /// Ends it at once: Windows has no way to ask a program without a window.
    pub(in crate::platform) fn end(&self) -> Result<(), ControlError> {
        match self.process.terminate() {
            // What is ending already may not be ended any more.
            Err(_) if self.has_ended_within(Duration::ZERO) => Err(ControlError::Gone),
            ended => ended.map_err(|error| refusal(self.pid, error)),
        }
    }

    pub(in crate::platform) fn has_ended_within(&self, patience: Duration) -> bool {
        // The greatest number would mean "for ever".
        let most = u32::MAX - 1;
        self.process.has_ended_within(u32::try_from(patience.as_millis()).unwrap_or(most).min(most))
    }
}

fn refusal(pid: Pid, error: io::Error) -> ControlError {
    match error.raw_os_error() {
        Some(ERROR_INVALID_PARAMETER) => ControlError::Gone,
        Some(ERROR_ACCESS_DENIED) => ControlError::NotPermitted { pid },
        _ => ControlError::Refused { pid, source: error },
    }
}

/// Returns this process and its ancestors. A parent that is younger than its child only has the number
/// of who was.
pub(in crate::platform) fn asker() -> Asker {
    let own = Pid(std::process::id());
    let (processes, _) = process::read(&[own].into(), true);
    let find = |pid: Pid| processes.iter().find(|process| process.pid == pid);
    let mut lineage = vec![own];
    let mut child: Option<&Process> = find(own);
    while let Some(parent) = child.and_then(|child| find(child.ppid?)) {
        let is_younger = child
            .and_then(|child| child.start)
            .zip(parent.start)
            .is_some_and(|(child, parent)| parent > child);
        if is_younger || lineage.contains(&parent.pid) {
            break;
        }
        lineage.push(parent.pid);
        child = Some(parent);
    }
    Asker { lineage, ..Asker::default() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a child is needed, to be ended")]

    use super::*;

    /// A process that does nothing until its input ends.
    fn child() -> (std::process::Child, u64) {
        let mut command = std::process::Command::new("sort");
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
        let child = command.spawn().or_else(|_| {
            let mut command = std::process::Command::new("cmd");
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn()
        });
        let child = child.unwrap();
        let (processes, _) = process::read(&[Pid(child.id())].into(), false);
        (child, processes[0].start.unwrap())
    }

    #[test]
    fn a_process_is_ended_and_no_other_of_its_number() {
        let (mut child, start) = child();
        let pid = Pid(child.id());
        let other = Handle::open(pid, start - 1);
        assert!(matches!(other, Err(ControlError::NotThatProcess { .. })), "{other:?}");
        let held = Handle::open(pid, start).unwrap();
        assert!(!held.has_ended_within(Duration::ZERO));
        held.end().unwrap();
        assert!(held.has_ended_within(Duration::from_secs(20)));
        child.wait().unwrap();
        let gone = Handle::open(pid, start);
        assert!(matches!(gone, Err(ControlError::Gone)), "{gone:?}");
    }

    #[test]
    fn the_system_s_own_processes_are_not_ended() {
        for pid in PROTECTED {
            let refused = Handle::open(pid, 0);
            assert!(matches!(refused, Err(ControlError::Protected { .. })), "{refused:?}");
        }
    }

    #[test]
    fn whoever_asks_is_the_first_of_the_lineage() {
        assert_eq!(asker().lineage[0], Pid(std::process::id()));
    }
}
