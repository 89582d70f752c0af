//! What can be done: the one list that `why` prints and `free` carries out.

use std::sync::Arc;

use crate::process::{Pid, Process, Uid};
use crate::socket::{Cookie, SocketId};
use crate::text::Text;

/// One way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What is done.
    pub action: Action,
    /// What it costs, and so its place in the list.
    pub harm: Harm,
    /// What it would break, a sentence; absent when nothing.
    pub breaks: Option<String>,
    /// The sockets it takes out of the way, by their numbers in the snapshot; none for advice.
    pub clears: Vec<SocketId>,
}

/// How much harm a remedy does, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// None: waiting, or asking for something else.
    None,
    /// A connection that nobody uses any more ends.
    LeftOver,
    /// A connection in use ends.
    Connection,
    /// A service stops, and can be started again as it was.
    Service,
    /// A process ends, asked to.
    Process,
}

impl Harm {
    /// Returns the word for it, as in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LeftOver => "left-over",
            Self::Connection => "connection",
            Self::Service => "service",
            Self::Process => "process",
        }
    }
}

/// What a remedy does. All but [`Action::Advice`] can be carried out by `free`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing but waiting.
    Wait {
        /// How long until the kernel gives the port back, in seconds.
        seconds: u64,
    },
    /// Leftovers or connections are destroyed (`SOCK_DESTROY`).
    Destroy {
        /// Which ones.
        cookies: Vec<Cookie>,
    },
    /// A systemd unit is stopped: a service, or the socket unit that would start it again.
    StopUnit {
        /// The unit, with its suffix.
        unit: Text,
        /// The user whose own manager has it; absent when the system's has.
        user: Option<Uid>,
    },
    /// A service of Windows is stopped.
    StopService {
        /// The service, by the name that the service manager knows it by.
        service: Text,
    },
    /// A container is stopped.
    StopContainer {
        /// The runtime's program: `docker`, `podman`.
        runtime: &'static str,
        /// Its id or name.
        container: Text,
        /// The user who runs it without root; absent when the system's runtime does.
        user: Option<Uid>,
    },
    /// Processes are asked to end (`SIGTERM`).
    End {
        /// All that hold the socket, parents before their children. The start time guards against a
        /// reused number.
        processes: Vec<Arc<Process>>,
    },
    /// A stopped job is continued in its shell (`fg`) by a person.
    Continue {
        /// The process.
        pid: Pid,
    },
    /// Something a person decides: another port, an option of the program, a setting.
    Advice {
        /// What to do, a sentence.
        text: String,
        /// What to type; absent when that is not one command.
        command: Option<String>,
    },
}

impl Action {
    /// Returns the word for it, as in the JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Wait { .. } => "wait",
            Self::Destroy { .. } => "destroy",
            Self::StopUnit { .. } => "stop-unit",
            Self::StopService { .. } => "stop-service",
            Self::StopContainer { .. } => "stop-container",
            Self::End { .. } => "end",
            Self::Continue { .. } => "continue",
            Self::Advice { .. } => "advice",
        }
    }

    /// Returns what a person types to do it, word by word; `None` where that is no command.
    pub fn command(&self) -> Option<Vec<String>> {
        let words =
            |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
        match self {
            Self::StopUnit { unit, user: None } => {
                Some(words(&["systemctl", "stop", "--", &unit.to_lossy()]))
            }
            Self::StopUnit { unit, user: Some(_) } => {
                Some(words(&["systemctl", "--user", "stop", "--", &unit.to_lossy()]))
            }
            Self::StopService { service } => Some(words(&["sc", "stop", &service.to_lossy()])),
            Self::StopContainer { runtime, container, .. } => {
                Some(words(&[runtime, "stop", "--", &container.to_lossy()]))
            }
            Self::End { processes } => {
                let pids = processes.iter().map(|process| process.pid.to_string());
                if !processes.is_empty() && processes.iter().all(|process| is_of_windows(process)) {
                    let each = pids.flat_map(|pid| ["/PID".to_owned(), pid]);
                    return Some(words(&["taskkill", "/F"]).into_iter().chain(each).collect());
                }
                Some(std::iter::once("kill".to_owned()).chain(pids).collect())
            }
            Self::Destroy { cookies } => match &cookies[..] {
                [one] => Some(words(&["sockscope", "close", &one.to_string()])),
                _ => None,
            },
            Self::Wait { .. } | Self::Continue { .. } | Self::Advice { .. } => None,
        }
    }
}

/// Returns whether a process is one of Windows, wherever this program runs: a recording is read on any
/// system. Programs have such names there, and none has the kernel's short one.
fn is_of_windows(process: &Process) -> bool {
    let name = process.command.as_ref().and_then(Text::as_str);
    process.comm.is_none() && name.is_some_and(|name| name.to_ascii_lowercase().ends_with(".exe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ended_by_the_command_of_its_own_system() {
        let process = |name: &str, comm: Option<&str>| {
            let (command, comm) = (Some(Text::from(name)), comm.map(Text::from));
            Arc::new(Process { command, comm, ..Process::new(Pid(8)) })
        };
        let command = |process| Action::End { processes: vec![process] }.command().unwrap();
        assert_eq!(command(process("a.exe", None)), ["taskkill", "/F", "/PID", "8"]);
        // Under Wine a program has such a name, and is Linux's.
        assert_eq!(command(process("a.exe", Some("a.exe"))), ["kill", "8"]);
        assert_eq!(command(process("nginx", None)), ["kill", "8"]);
    }
}
