//! What can be done: the one list that `why` prints and `free` carries out.

use crate::process::{Owner, Pid};
use crate::socket::Cookie;
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

/// What a remedy does. All but [`Action::Advice`] can be carried out by `free`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing but waiting.
    Wait {
        /// How long until the kernel gives the port back, in seconds.
        seconds: u64,
    },
    /// A leftover or a connection is destroyed (`SOCK_DESTROY`).
    Destroy {
        /// Which one.
        cookie: Cookie,
    },
    /// A systemd unit is stopped: a service, or the socket unit that would start it again.
    StopUnit {
        /// The unit, with its suffix.
        unit: Text,
        /// Whose manager has it: the system's, or a user's.
        user: bool,
    },
    /// A container is stopped.
    StopContainer {
        /// The runtime's program: `docker`, `podman`.
        runtime: &'static str,
        /// Its id or name.
        container: Text,
    },
    /// A process is asked to end (`SIGTERM`).
    End {
        /// The process; its start time guards against a reused number.
        owner: Owner,
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
