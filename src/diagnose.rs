//! Why a bind or a connection fails, and the least harmful way out.
//!
//! Pure: [`diagnose`] concludes from one [`crate::snapshot::Snapshot`] and the [`BindFacts`] beside it;
//! `platform` reads both, and makes the [`Probe`] that asks the kernel itself.

mod advice;
mod bsd;
mod causes;
mod checks;
mod confinement;
pub mod connect;
mod ephemeral;
mod facts;
mod holders;
mod judge;
pub mod message;
mod probe;
mod reason;
mod remedies;
mod remedy;
mod request;
mod rules;
mod sharing;
mod stand_ins;
mod system;
mod unix_path;
mod ways_out;
pub(crate) mod windows;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use crate::snapshot::Entry;

pub use facts::{
    BindFacts, Confinement, ExcludedPorts, FileKind, LocalAddress, PathFacts, PortProxy,
    SocketUnit, Usage, WindowsFacts,
};
pub use judge::{diagnose, undecided};
pub use probe::Probe;
pub use reason::{About, REASONS, Reason};
pub use remedy::{Action, Harm, Remedy};
pub use request::{BindRequest, Binder, Target};
pub use sharing::who_answers;
pub(crate) use ways_out::is_manager;
pub use ways_out::ways_out;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What was asked about.
    pub request: BindRequest,
    /// Whether it would succeed: what the kernel said, else what was predicted.
    pub verdict: Verdict,
    /// What follows from the rules and what was read.
    pub prediction: Verdict,
    /// What the kernel said when it was asked; absent when it was not.
    pub probe: Option<Probe>,
    /// Why not, or what to know although it would; the most certain first.
    pub causes: Vec<Cause>,
    /// What can be done, the least harmful first.
    pub remedies: Vec<Remedy>,
}

/// Whether a bind, and for TCP the listen after it, would succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It would, and nobody else has any of it.
    Free,
    /// It would, beside others that have the same address or part of it.
    Shareable,
    /// It would not.
    Fails {
        /// The call that fails.
        call: Call,
        /// Its error.
        errno: Errno,
    },
    /// It cannot be told from what could be read.
    Unknown,
}

/// A system call of a server's start, or of a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the calls' own names")]
pub enum Call {
    Socket,
    Setsockopt,
    Bind,
    Listen,
    Connect,
}

impl Call {
    /// Returns the call's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Setsockopt => "setsockopt",
            Self::Bind => "bind",
            Self::Listen => "listen",
            Self::Connect => "connect",
        }
    }
}

/// The errors those calls fail with, by name (`errno(3)`), the same on every system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the errors' own names")]
pub enum Errno {
    EADDRINUSE,
    EADDRNOTAVAIL,
    EACCES,
    EPERM,
    EINVAL,
    EAFNOSUPPORT,
    ENODEV,
    EMFILE,
    ENFILE,
    ENOBUFS,
    ENOENT,
    ENOTDIR,
    ENAMETOOLONG,
    EROFS,
    ECONNREFUSED,
    ETIMEDOUT,
    EHOSTUNREACH,
    ENETUNREACH,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Which; its word is fixed.
    pub reason: Reason,
    /// How certain.
    pub certainty: Certainty,
    /// The sockets that are the cause, with their owners; none when it is a rule or a setting.
    pub sockets: Vec<Entry>,
    /// What shows it: facts, each a fragment such as `net.ipv4.ip_unprivileged_port_start is 1024`.
    pub evidence: Vec<String>,
}

/// How certain a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// It follows from what was read.
    Certain,
    /// It follows from what was read and something inferred.
    Likely,
    /// It could be: nothing that was read speaks against it.
    Possible,
}
