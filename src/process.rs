//! Who holds sockets: processes, their descriptors, and what the join concludes of them.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::kernel::{KernelReason, KernelService};
use crate::snapshot::Timestamp;
use crate::socket::{SocketId, number};
use crate::text::Text;

number! {
    /// A process number, in the PID namespace of whoever collected.
    Pid(u32)
}
number! {
    /// A thread's number, in the same namespace as its process's.
    Tid(u32)
}
number! {
    /// A file descriptor number (a handle on Windows).
    Fd(u32)
}
number! {
    /// A user number. Windows has none: there only names are known.
    Uid(u32)
}

/// What is known of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Process {
    /// The process number.
    pub pid: Pid,
    /// Its number in its own PID namespace, as programs in its container know it; absent when that
    /// is ours, or unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nspid: Option<Pid>,
    /// The parent's number; absent for the first process, or when unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ppid: Option<Pid>,
    /// The name a person knows it by: its program's or script's name where the kernel's short name
    /// is cut or was overwritten, else the kernel's. Absent when nothing could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Text>,
    /// The kernel's own short name (`comm`, at most 15 bytes, `proc_pid_comm(5)`): what lsof and ss
    /// print. Absent outside Linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comm: Option<Text>,
    /// The effective user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// The user's name; filled by the backend only where users have no number (Windows), else by
    /// the join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// The start time in the backend's own unit: Linux clock ticks since boot (`proc_pid_stat(5)`
    /// field 22), the portable backend's seconds since the epoch. Guards against a reused PID and
    /// orders by age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// The same by the clock on the wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// How old it was when the collection began; filled by the join.
    #[serde(skip)]
    pub age: Option<Duration>,
    /// The command line; absent when unreadable or empty (kernel threads).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<Text>>,
    /// The program's file. This and what follows only when it was asked for
    /// ([`crate::platform::Request::process_details`]) and may be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<Exe>,
    /// The working directory; the kernel writes ` (deleted)` behind one that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Text>,
    /// The control group, which tells the systemd unit and the container (Linux).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Cgroup>,
    /// Whether it is stopped, by job control or a debugger (Linux). This too only when asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_stopped: bool,
    /// Whether the process that leads its session is gone (Linux).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_session_over: bool,
    /// What its first thread sleeps in: the name of a function of the kernel (`proc_pid_wchan(5)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleeps_in: Option<Text>,
    /// Its parent, that one's parent and so on, as far as they are known; filled by the join.
    #[serde(skip)]
    pub parents: Vec<Parent>,
}

/// The file of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exe {
    /// Its path when the program was started.
    pub path: Text,
    /// What is at that path now.
    pub state: ExeState,
}

/// What is now where a program was started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum ExeState {
    /// The same file.
    Current,
    /// No file: it was deleted while the program runs, or never was in a directory (`memfd`).
    Deleted,
    /// Another file: the program was upgraded and still runs as it was before.
    Replaced,
}

impl ExeState {
    /// Returns the word for it, as in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Deleted => "deleted",
            Self::Replaced => "replaced",
        }
    }
}

/// One ancestor of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The process number.
    pub pid: Pid,
    /// The name a person knows it by; absent when it was not read.
    pub command: Option<Text>,
}

impl Process {
    /// Returns a process of which only the number is known.
    pub const fn new(pid: Pid) -> Self {
        Self {
            pid,
            nspid: None,
            ppid: None,
            command: None,
            comm: None,
            uid: None,
            user: None,
            start: None,
            started_at: None,
            age: None,
            argv: None,
            exe: None,
            cwd: None,
            cgroup: None,
            is_stopped: false,
            is_session_over: false,
            sleeps_in: None,
            parents: Vec::new(),
        }
    }
}

/// How a holder was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Via {
    /// A descriptor in the process's table.
    Fd,
    /// The system's own table names the process, without a descriptor (Windows, netstat2).
    Table,
    /// Not yet accepted: the owner of the listener it waits at (inferred).
    AcceptQueue,
    /// A descriptor in a table that a thread has for itself (`CLONE_FILES`, `unshare(2)`).
    ThreadFd,
    /// Registered with an io_uring of the process, with or without a descriptor
    /// (`io_uring_register(2)`).
    #[serde(rename = "io_uring")]
    IoUring,
    /// In flight inside a UNIX socket: a process that can receive it there (inferred).
    InFlight,
}

impl Via {
    /// Every way, in the order of the declaration.
    pub const ALL: [Self; 6] =
        [Self::Fd, Self::Table, Self::AcceptQueue, Self::ThreadFd, Self::IoUring, Self::InFlight];

    /// Returns the word for it, as in the JSON and the filter language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fd => "fd",
            Self::Table => "table",
            Self::AcceptQueue => "accept-queue",
            Self::ThreadFd => "thread-fd",
            Self::IoUring => "io_uring",
            Self::InFlight => "in-flight",
        }
    }

    /// Returns true when the process does not hold the socket: it is concluded that it will.
    pub const fn is_inferred(self) -> bool {
        match self {
            Self::AcceptQueue | Self::InFlight => true,
            Self::Fd | Self::Table | Self::ThreadFd | Self::IoUring => false,
        }
    }
}

/// A raw fact: this process holds this socket, found this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: Pid,
    /// The thread whose table the descriptor is in; absent when it is the process's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<Tid>,
    /// The descriptor; absent when the source does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<Fd>,
    /// The socket held.
    pub socket: SocketId,
    /// How that was found.
    pub via: Via,
}

/// One owner of a socket, after the join: a process and one of its descriptors for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub process: Arc<Process>,
    /// The thread whose table the descriptor is in; absent when it is the process's.
    pub tid: Option<Tid>,
    /// The descriptor; absent when the source does not tell, or the owner is inferred.
    pub fd: Option<Fd>,
    /// How it was found.
    pub via: Via,
}

/// Some owners, the main one first. Nearly every socket has one: that one is kept without a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners(List);

#[derive(Debug, Clone, PartialEq, Eq)]
enum List {
    One(Owner),
    Many(Vec<Owner>),
}

impl From<Owner> for Owners {
    fn from(owner: Owner) -> Self {
        Self(List::One(owner))
    }
}

impl From<Vec<Owner>> for Owners {
    fn from(mut owners: Vec<Owner>) -> Self {
        match owners.pop() {
            Some(only) if owners.is_empty() => Self(List::One(only)),
            last => {
                owners.extend(last);
                Self(List::Many(owners))
            }
        }
    }
}

impl Deref for Owners {
    type Target = [Owner];

    fn deref(&self) -> &[Owner] {
        match &self.0 {
            List::One(owner) => slice::from_ref(owner),
            List::Many(owners) => owners,
        }
    }
}

impl DerefMut for Owners {
    fn deref_mut(&mut self) -> &mut [Owner] {
        match &mut self.0 {
            List::One(owner) => slice::from_mut(owner),
            List::Many(owners) => owners,
        }
    }
}

impl<'a> IntoIterator for &'a Owners {
    type Item = &'a Owner;
    type IntoIter = slice::Iter<'a, Owner>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Whose a socket is. "Nobody's", "you may not see whose" and "it vanished while we looked" are
/// different answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// These hold it: never empty, the main one first.
    Held(Owners),
    /// Nobody: the kernel alone has it, for this reason.
    Kernel(KernelReason),
    /// Somebody may, but it cannot be told who.
    Hidden(HiddenReason),
}

impl Ownership {
    /// Returns the owners, the main one first; none when nobody is known.
    pub fn owners(&self) -> &[Owner] {
        match self {
            Self::Held(owners) => owners,
            Self::Kernel(_) | Self::Hidden(_) => &[],
        }
    }

    /// Returns why nobody but the kernel has it; `None` when somebody has, or it cannot be told.
    pub const fn kernel(&self) -> Option<&KernelReason> {
        match self {
            Self::Kernel(reason) => Some(reason),
            Self::Held(_) | Self::Hidden(_) => None,
        }
    }

    /// Returns the service of the kernel's that has it.
    pub fn service(&self) -> Option<&KernelService> {
        self.kernel()?.service()
    }

    /// Returns whether the kernel alone keeps it, left over from a connection that somebody had.
    pub fn is_left_over(&self) -> bool {
        self.kernel().is_some_and(KernelReason::is_left_over)
    }

    /// Returns the word for it, as in the JSON and the filter language.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held(_) => "held",
            Self::Kernel(_) => "kernel",
            Self::Hidden(_) => "hidden",
        }
    }
}

/// Why an owner is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum HiddenReason {
    /// Some processes' descriptors may not be read, and nobody else holds it.
    Permission,
    /// The socket was gone, or changed hands, before its holder could be found.
    Vanished,
    /// Every descriptor was read and none is this socket: it is held in another way, or from
    /// another PID namespace.
    NoDescriptor,
    /// Every descriptor was read and none is this socket; it may be in flight inside a UNIX socket,
    /// towards a process that cannot be told.
    InFlight,
    /// Owners were not asked for.
    NotAsked,
}

impl fmt::Display for HiddenReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Permission => "permission",
            Self::Vanished => "vanished",
            Self::NoDescriptor => "no-descriptor",
            Self::InFlight => "in-flight",
            Self::NotAsked => "not-asked",
        })
    }
}
