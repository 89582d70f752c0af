//! What was collected, and the one consistent picture made of it.
//!
//! [`Collected`] is tables with join keys, as a backend returns them and a recording stores them.
//! [`Snapshot`] is the same after [`crate::join::join`]: one [`Entry`] a socket.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kernel::KernelPort;
use crate::process::{HiddenReason, Holder, Owner, Ownership, Process, Uid};
use crate::rare::Rare;
use crate::socket::{NetnsId, Socket, SocketId};
use crate::text::Text;

/// A moment in UTC, written as RFC 3339 with seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub SystemTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(self.0).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Something asked for that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Gap {
    /// What is missing.
    pub what: Missing,
    /// Which part of it, such as `tcp over inet6`; absent when all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The cause, a fragment such as `permission denied`.
    pub why: String,
    /// How many are missing, in the unit of `what`; absent when that cannot be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What the user can do about it; absent when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Gap {
    /// Returns a gap with neither detail, count nor hint.
    pub fn new(what: Missing, why: impl Into<String>) -> Self {
        Self { what, detail: None, why: why.into(), count: None, hint: None }
    }

    /// Returns the gap with this detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Returns the gap with this count.
    #[must_use]
    pub fn count(mut self, count: usize) -> Self {
        self.count = u64::try_from(count).ok();
        self
    }

    /// Returns the gap with this hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What a [`Gap`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Missing {
    /// Whole tables of sockets. Count: tables.
    Sockets,
    /// Network namespaces. Count: namespaces.
    Namespaces,
    /// Sockets that are bound but neither listen nor are connected. Count: unknown.
    BoundSockets,
    /// Sockets that no process holds: TIME_WAIT, and connections that nobody accepted. Count: unknown.
    UnheldSockets,
    /// Facts about sockets that this source never tells (queues, peers of UDP, …).
    SocketFacts,
    /// The descriptor tables of processes. Count: processes.
    Descriptors,
    /// Owners of sockets. Count: sockets. Derived from the rows, see [`Snapshot::gaps`].
    Owners,
    /// Facts about processes (name, user). Count: processes.
    ProcessFacts,
    /// What decides a bind beside the sockets: settings, addresses, rights.
    BindFacts,
    /// Names of users. Count: users.
    UserNames,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sockets => "sockets",
            Self::Namespaces => "network namespaces",
            Self::BoundSockets => "bound sockets",
            Self::UnheldSockets => "sockets that no process holds",
            Self::SocketFacts => "socket facts",
            Self::Descriptors => "descriptors",
            Self::Owners => "owners",
            Self::ProcessFacts => "process facts",
            Self::BindFacts => "facts that decide a bind",
            Self::UserNames => "user names",
        })
    }
}

/// Everything one backend read in one go: plain tables, complete in themselves, so that a recording
/// is a complete test case and a complete bug report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Collected {
    /// When the collection began.
    pub collected_at: Timestamp,
    /// The system it was made on: `linux`, `macos`, `windows`, `freebsd`.
    pub platform: String,
    /// The backend that made it: `linux`, `portable`.
    pub backend: String,
    /// Every socket read, in no particular order.
    pub sockets: Vec<Socket>,
    /// Every (process, descriptor, socket) read; absent when owners were not asked for.
    pub holders: Option<Vec<Holder>>,
    /// The processes named by `holders`.
    pub processes: Vec<Process>,
    /// The names of users named by `sockets` and `processes`, where the system knows one.
    pub users: BTreeMap<Uid, Text>,
    /// The names of the network namespaces that `sockets` are in, where one is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub netns_names: BTreeMap<NetnsId, Text>,
    /// The network namespace of whoever collected; absent where the system has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_netns: Option<NetnsId>,
    /// Sockets that were gone, or had changed hands, when their holder was looked for again.
    pub vanished: Vec<SocketId>,
    /// Sockets that may be in flight inside a UNIX socket, whoever will receive them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<SocketId>,
    /// Ports that the kernel has for itself; not asked for unless a socket without holder may have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel_ports: Vec<KernelPort>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// How it was read, where there is more than one way: sentences for whoever asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Collected {
    /// Returns an empty collection.
    pub fn new(
        collected_at: Timestamp,
        platform: impl Into<String>,
        backend: impl Into<String>,
    ) -> Self {
        Self {
            collected_at,
            platform: platform.into(),
            backend: backend.into(),
            sockets: Vec::new(),
            holders: None,
            processes: Vec::new(),
            users: BTreeMap::new(),
            netns_names: BTreeMap::new(),
            current_netns: None,
            vanished: Vec::new(),
            in_flight: Vec::new(),
            kernel_ports: Vec::new(),
            gaps: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// One row: a socket and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The socket.
    pub socket: Socket,
    /// Whose it is.
    pub ownership: Ownership,
    /// The name of [`Socket::uid`]; absent when that is absent or has no name.
    pub user: Option<Text>,
    /// The name of [`Socket::netns`]; absent when that is absent or has no name.
    pub netns_name: Option<Text>,
    /// Who holds the socket at the other end, the main one first; empty when that is not of this
    /// machine, is hidden, or is not looked for: it is of UNIX sockets only.
    pub peer_owners: Rare<Vec<Owner>>,
}

/// One consistent picture of the machine's sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// When the collection began.
    pub collected_at: Timestamp,
    /// The system it was made on.
    pub platform: String,
    /// The network namespace of whoever collected; absent where that is not told.
    pub current_netns: Option<NetnsId>,
    /// The rows.
    pub entries: Vec<Entry>,
    /// What the backend could not read. See [`Snapshot::gaps`] for all gaps.
    pub unread: Vec<Gap>,
    /// How it was read: [`Collected::notes`].
    pub notes: Vec<String>,
}

impl Snapshot {
    /// Returns the same picture with these rows in place of its own.
    #[must_use]
    pub fn with_entries(&self, entries: Vec<Entry>) -> Self {
        Self {
            collected_at: self.collected_at,
            platform: self.platform.clone(),
            current_netns: self.current_netns,
            entries,
            unread: self.unread.clone(),
            notes: self.notes.clone(),
        }
    }

    /// Returns every gap that matters to the rows present: what the backend could not read, and how
    /// many of the rows have a hidden owner because of it.
    pub fn gaps(&self) -> Vec<Gap> {
        let hidden = self
            .entries
            .iter()
            .filter(|entry| entry.ownership == Ownership::Hidden(HiddenReason::Permission))
            .count();
        let owners = (hidden > 0).then(|| {
            let cause = self.unread.iter().find(|gap| gap.what == Missing::Descriptors);
            Gap {
                what: Missing::Owners,
                detail: None,
                why: cause.map_or_else(|| "permission denied".to_owned(), |gap| gap.why.clone()),
                count: u64::try_from(hidden).ok(),
                hint: cause.and_then(|gap| gap.hint.clone()),
            }
        });
        owners.into_iter().chain(self.unread.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine may have 100,000 of them, and every page takes the kernel time to hand out: what few
    /// sockets have belongs behind a pointer.
    #[test]
    fn a_row_is_small() {
        assert!(size_of::<Socket>() <= 168, "{}", size_of::<Socket>());
        assert!(size_of::<Entry>() <= 224, "{}", size_of::<Entry>());
        assert!(size_of::<Holder>() <= 23, "{}", size_of::<Holder>());
    }
}
