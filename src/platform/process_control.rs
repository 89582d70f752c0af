//! Ends processes of others, where the system can: beside [`super::destroy()`] the only change that
//! sockscope ever makes.
//!
//! A process is held first ([`Held::of`]), by something that names it and no other, even when it ends
//! and its number is given away: on Linux a descriptor, else its number and start, looked at before each
//! signal. Only then is anything sent.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::cgroup::Cgroup;
use crate::process::{Pid, Uid};

/// Why a process was not ended. The text fits after `sockscope: `.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// This version does not know how on this system.
    #[error("cannot end processes of others on {platform}")]
    OtherSystem {
        /// The system's name.
        platform: &'static str,
    },
    /// It has ended.
    #[error("the process has ended")]
    Gone,
    /// Another process has the number by now, or it cannot be told whether one has.
    #[error("process {pid} is not the one that was seen")]
    NotThatProcess {
        /// The number.
        pid: Pid,
    },
    /// The first process, or a part of the kernel.
    #[error("process {pid} must not end")]
    Protected {
        /// The number.
        pid: Pid,
    },
    /// The caller lacks the privilege.
    #[error("cannot end process {pid}: operation not permitted")]
    NotPermitted {
        /// The number.
        pid: Pid,
    },
    /// The system's answer is none of those.
    #[error("cannot end process {pid}")]
    Refused {
        /// The number.
        pid: Pid,
        /// The answer.
        #[source]
        source: io::Error,
    },
}

impl ControlError {
    /// Returns what the user can do about it, for a line that starts with `hint: `.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OtherSystem { .. } => Some("end it with the means of the system"),
            Self::NotPermitted { .. } => Some("run as root (sudo), or as its user"),
            Self::Gone
            | Self::NotThatProcess { .. }
            | Self::Protected { .. }
            | Self::Refused { .. } => None,
        }
    }
}

/// How a process is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is asked to, and may tidy up, or not listen (`SIGTERM`).
    Ask,
    /// It is not asked (`SIGKILL`).
    Kill,
}

/// A process that no other can be taken for.
#[derive(Debug)]
pub struct Held {
    #[cfg(target_os = "linux")]
    handle: super::linux::process_control::Handle,
    #[cfg(all(feature = "portable", windows))]
    handle: super::windows::process_control::Handle,
    #[cfg(target_os = "macos")]
    handle: super::bsd::process_control::Handle<super::macos::sys::Darwin>,
    #[cfg(target_os = "freebsd")]
    handle: super::bsd::process_control::Handle<super::freebsd::sys::Kernel>,
}

impl Held {
    /// Holds the process that has this number and started then, in the unit of
    /// [`crate::process::Process::start`].
    ///
    /// # Errors
    ///
    /// When there is no such process any more, when it must not end, and on systems that cannot do
    /// this.
    pub fn of(pid: Pid, start: u64) -> Result<Self, ControlError> {
        cfg_select! {
            target_os = "linux" => {
                Ok(Self { handle: super::linux::process_control::Handle::open(pid, start)? })
            }
            all(feature = "portable", windows) => {
                Ok(Self { handle: super::windows::process_control::Handle::open(pid, start)? })
            }
            target_os = "macos" => {
                let kernel = super::macos::sys::Darwin;
                Ok(Self { handle: super::bsd::process_control::Handle::open(kernel, pid, start)? })
            }
            target_os = "freebsd" => {
                let kernel = super::freebsd::sys::Kernel;
                Ok(Self { handle: super::bsd::process_control::Handle::open(kernel, pid, start)? })
            }
            _ => {
                let _: (Pid, u64) = (pid, start);
                Err(ControlError::OtherSystem { platform: std::env::consts::OS })
            }
        }
    }

    /// Tells it to end. One that is stopped is continued, since it could not listen otherwise. Windows
    /// has no way to ask: there it ends at once.
    ///
    /// # Errors
    ///
    /// When it was not told.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")),
        expect(unused_variables, reason = "only UNIX can ask")
    )]
    pub fn end(&self, how: Ending) -> Result<(), ControlError> {
        cfg_select! {
            any(target_os = "linux", target_os = "macos", target_os = "freebsd") => self.handle.end(how),
            all(feature = "portable", windows) => self.handle.end(),
            _ => Err(ControlError::OtherSystem { platform: std::env::consts::OS }),
        }
    }

    /// Waits for its end, at most this long, and returns whether it has come.
    #[cfg_attr(
        not(any(
            target_os = "linux",
            target_os = "macos",
            target_os = "freebsd",
            all(feature = "portable", windows)
        )),
        expect(unused_variables, reason = "nobody has one there")
    )]
    pub fn has_ended_within(&self, patience: Duration) -> bool {
        cfg_select! {
            any(target_os = "linux", target_os = "macos", target_os = "freebsd", all(feature = "portable", windows)) => {
                self.handle.has_ended_within(patience)
            }
            _ => false,
        }
    }
}

/// Who is asking: what must not end, and what is ours to end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Asker {
    /// This process, its parent, that one's parent and so on: the shell, the terminal, sshd.
    pub lineage: Vec<Pid>,
    /// The control group all that is in; absent where there are none.
    pub cgroup: Option<Cgroup>,
    /// The user it acts as; absent where users have no number.
    pub uid: Option<Uid>,
    /// Whether it may close connections of others (`CAP_NET_ADMIN`); absent where that is not known.
    pub may_destroy: Option<bool>,
}

/// Returns who this process is, as far as the system tells.
pub fn asker() -> Asker {
    cfg_select! {
        target_os = "linux" => super::linux::process_control::asker(),
        all(feature = "portable", windows) => super::windows::process_control::asker(),
        target_os = "macos" => {
            let (own, user) = (Pid(std::process::id()), uzers::get_effective_uid());
            super::bsd::process_control::asker(&super::macos::sys::Darwin, own, user)
        }
        target_os = "freebsd" => {
            let (own, user) = (Pid(std::process::id()), uzers::get_effective_uid());
            super::bsd::process_control::asker(&super::freebsd::sys::Kernel, own, user)
        }
        _ => Asker { lineage: vec![Pid(std::process::id())], ..Asker::default() },
    }
}
