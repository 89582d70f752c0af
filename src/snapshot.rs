//! What was collected, and the one consistent picture made of it.
//!
//! [`Collected`] is tables with join keys, as a backend returns them and a recording stores them.
//! [`Snapshot`] is the same after [`crate::join::join`]: one [`Entry`] a socket.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::holders::Holders;
use crate::kernel::KernelPort;
use crate::process::{HiddenReason, Holder, Owner, Ownership, Process, Uid};
use crate::rare::Rare;
use crate::socket::{NetnsId, Socket, SocketId};
use crate::sockets::Sockets;
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
///
/// Where there may be very many sockets they are [`Sockets`], and whoever holds them [`Holders`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Collected<S = Vec<Socket>, H = Vec<Holder>> {
    /// When the collection began.
    pub collected_at: Timestamp,
    /// The system it was made on: `linux`, `macos`, `windows`, `freebsd`.
    pub platform: String,
    /// The backend that made it: `linux`, `portable`.
    pub backend: String,
    /// Every socket read, in no particular order.
    pub sockets: S,
    /// Every (process, descriptor, socket) read; absent when owners were not asked for.
    pub holders: Option<H>,
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

/// The tables of very many sockets.
pub type PackedTables = Collected<Sockets, Holders>;

impl<S, H> Collected<S, H> {
    /// Returns the same with these two tables in place of its own, which are handed to `change`.
    fn map<T, I>(self, change: impl FnOnce(S, Option<H>) -> (T, Option<I>)) -> Collected<T, I> {
        let (sockets, holders) = change(self.sockets, self.holders);
        Collected {
            collected_at: self.collected_at,
            platform: self.platform,
            backend: self.backend,
            sockets,
            holders,
            processes: self.processes,
            users: self.users,
            netns_names: self.netns_names,
            current_netns: self.current_netns,
            vanished: self.vanished,
            in_flight: self.in_flight,
            kernel_ports: self.kernel_ports,
            gaps: self.gaps,
            notes: self.notes,
        }
    }
}

impl Collected {
    /// Returns the same in less room.
    pub fn packed(self) -> PackedTables {
        self.map(|sockets, holders| {
            (sockets.into_iter().collect(), holders.map(|all| all.into_iter().collect()))
        })
    }
}

impl PackedTables {
    /// Returns the same as plain tables.
    pub fn unpacked(self) -> Collected {
        self.map(|sockets, holders| {
            (sockets.iter().collect(), holders.map(|all| all.iter().collect()))
        })
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

/// Rows to be read: a list of them, or one that makes each when it is asked for
/// ([`crate::join::Packed`]).
pub trait Entries: Sync {
    /// Returns how many there are.
    fn count(&self) -> usize;

    /// Returns some of them, by their places.
    fn some(&self, places: Range<usize>) -> Cow<'_, [Entry]>;

    /// Returns how many of them are of a socket whose owner may not be seen.
    fn hidden(&self) -> usize {
        let is_hidden =
            |entry: &&Entry| entry.ownership == Ownership::Hidden(HiddenReason::Permission);
        parts(self).map(|entries| entries.iter().filter(is_hidden).count()).sum()
    }
}

/// So many rows are a part: enough to be worth making at once, few enough to stay in a processor's cache.
pub(crate) const PART: usize = 64;

/// Returns the rows some at a time.
pub fn parts<R: Entries + ?Sized>(rows: &R) -> impl Iterator<Item = Cow<'_, [Entry]>> {
    let count = rows.count();
    (0..count).step_by(PART).map(move |first| rows.some(first..count.min(first + PART)))
}

impl Entries for Vec<Entry> {
    fn count(&self) -> usize {
        self.len()
    }

    fn some(&self, places: Range<usize>) -> Cow<'_, [Entry]> {
        self.get(places).unwrap_or_default().into()
    }
}

/// One consistent picture of the machine's sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot<R: ?Sized = Vec<Entry>> {
    /// When the collection began.
    pub collected_at: Timestamp,
    /// The system it was made on.
    pub platform: String,
    /// The network namespace of whoever collected; absent where that is not told.
    pub current_netns: Option<NetnsId>,
    /// What the backend could not read. See [`Snapshot::gaps`] for all gaps.
    pub unread: Vec<Gap>,
    /// How it was read: [`Collected::notes`].
    pub notes: Vec<String>,
    /// The rows.
    pub entries: R,
}

impl<R> Snapshot<R> {
    /// Returns the same picture with these rows in place of its own.
    #[must_use]
    pub fn with_entries<T>(&self, entries: T) -> Snapshot<T> {
        Snapshot {
            collected_at: self.collected_at,
            platform: self.platform.clone(),
            current_netns: self.current_netns,
            unread: self.unread.clone(),
            notes: self.notes.clone(),
            entries,
        }
    }
}

impl<R: Entries + ?Sized> Snapshot<R> {
    /// Returns every gap that matters to the rows present: what the backend could not read, and how
    /// many of the rows have a hidden owner because of it.
    pub fn gaps(&self) -> Vec<Gap> {
        let cause = self.unread.iter().find(|gap| gap.what == Missing::Descriptors);
        let hidden = self.entries.hidden();
        let owners = (hidden > 0).then(|| Gap {
            what: Missing::Owners,
            detail: None,
            why: cause.map_or_else(|| "permission denied".to_owned(), |gap| gap.why.clone()),
            count: u64::try_from(hidden).ok(),
            hint: cause.and_then(|gap| gap.hint.clone()),
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
