//! The seam to the operating system: the only part of sockscope that asks it anything.
//!
//! A backend returns *tables with join keys* and never joined rows or decisions: what it reads is
//! filtered and joined once, above. Nothing outside this module and the few places that
//! ARCHITECTURE.md names has a `cfg(target_os)`.

#[cfg(feature = "cli")]
pub mod actor;
#[cfg(any(test, target_os = "macos", target_os = "freebsd"))]
mod bsd;
pub mod clock;
pub mod destroy;
pub mod errno;
#[cfg(any(test, target_os = "freebsd"))]
mod freebsd;
#[cfg(feature = "cli")]
pub mod launch;
pub mod limits;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod lookup;
#[cfg(any(test, target_os = "macos"))]
mod macos;
#[cfg(feature = "cli")]
pub mod port_lock;
#[cfg(all(feature = "portable", any(target_os = "linux", target_os = "macos", windows)))]
pub mod portable;
#[cfg(feature = "cli")]
pub mod probe;
#[cfg(any(target_os = "linux", target_os = "macos", all(feature = "portable", windows)))]
mod process;
pub mod process_control;
#[cfg(feature = "cli")]
pub mod props;
pub mod reach;
pub mod replay;
#[cfg(feature = "cli")]
pub mod resolve;
pub mod services;
pub mod signals;
pub mod terminal;
#[cfg(any(
    test,
    not(any(
        target_os = "linux",
        target_os = "macos",
        target_os = "freebsd",
        all(feature = "portable", windows)
    ))
))]
mod unsupported;
pub(crate) mod users;
#[cfg(any(all(feature = "portable", windows), test))]
mod windows;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::thread;

pub use destroy::{DestroyError, destroy};

use crate::diagnose::{BindFacts, BindRequest};
use crate::doctor::Fact;
use crate::error::CollectError;
use crate::options::SocketOptions;
use crate::process::{Fd, Pid, Via};
use crate::snapshot::{Collected, Entry, Gap, Missing, PackedTables};
use crate::socket::{Cookie, Family, NetnsId, Protocol};
use crate::state::TcpState;

/// What a backend is asked for. It may return more: the filter runs again anyway, so a backend that
/// ignores a wish is slow, never wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The protocols wanted. An unwanted one is not read.
    pub protocols: Vec<Protocol>,
    /// The families wanted. An unwanted one is not read.
    pub families: Vec<Family>,
    /// The states wanted; `None` for all. They are TCP's; a socket without state counts as
    /// `Established` when it is connected and as `Closed` when not, as in the kernel's own dump.
    pub states: Option<Vec<TcpState>>,
    /// The ports wanted; `None` for all.
    pub ports: Option<PortWish>,
    /// The network namespaces wanted. A backend that cannot give them says so; it never gives others.
    pub netns: NetnsWish,
    /// Whether owners are wanted. If so, and TCP is, every TCP listener is read whatever `families`,
    /// `states` and `ports` say: unaccepted connections are attributed to listeners.
    pub owners: bool,
    /// How they are found.
    pub owners_by: OwnersBy,
    /// Whether [`crate::details`] are wanted.
    pub details: bool,
    /// Whether more is wanted of the owners than their names and users: program, directory, control
    /// group and ancestors. And the names of the sockets' own control groups.
    pub process_details: bool,
    /// Whether users are wanted by their names, too. A directory service may take its time over each.
    pub user_names: bool,
}

impl Default for Request {
    /// Returns the request of the plain listing: TCP, UDP and UDPLITE, both IP families, every
    /// state, of this network namespace, with owners.
    fn default() -> Self {
        Self {
            protocols: vec![Protocol::Tcp, Protocol::Udp, Protocol::Udplite],
            families: vec![Family::Inet, Family::Inet6],
            states: None,
            ports: None,
            netns: NetnsWish::Current,
            owners: true,
            owners_by: OwnersBy::Auto,
            details: false,
            process_details: false,
            user_names: true,
        }
    }
}

/// How owners are found. Only Linux has more than one way; what is found is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum OwnersBy {
    /// The fastest that this system permits.
    #[default]
    Auto,
    /// By a program that the kernel runs for every descriptor; an error where that is refused.
    Bpf,
    /// By walking through `/proc`.
    Proc,
}

/// Which network namespaces are wanted (`network_namespaces(7)`). Only Linux has more than one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NetnsWish {
    /// The one this process is in.
    #[default]
    Current,
    /// Every one that can be found.
    All,
    /// The one that process is in.
    Of(Pid),
    /// The one with this number.
    Id(NetnsId),
    /// The one with this name, as the listing shows it.
    Named(String),
}

impl fmt::Display for NetnsWish {
    /// Writes what `--netns` takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.pad("current"),
            Self::All => f.pad("all"),
            Self::Of(pid) => pid.fmt(f),
            Self::Id(netns) => netns.fmt(f),
            Self::Named(name) => f.pad(name),
        }
    }
}

/// Returns whether the system has network namespaces, so that there may be others than this one.
pub const fn has_namespaces() -> bool {
    cfg_select! {
        target_os = "linux" => true,
        _ => false,
    }
}

/// Which sockets are wanted, by port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortWish {
    /// The local port lies in the range.
    Local(RangeInclusive<u16>),
    /// The peer's port lies in the range.
    Peer(RangeInclusive<u16>),
    /// One of the two lies in the range.
    Either(RangeInclusive<u16>),
}

/// A source of socket tables: an operating system, or a recording.
pub trait Backend: fmt::Debug {
    /// Reads the tables asked for.
    ///
    /// # Errors
    ///
    /// Only when nothing at all could be read. A table or row that could not be read is a
    /// [`crate::snapshot::Gap`] in the answer.
    fn collect(&mut self, request: &Request) -> Result<Collected, CollectError>;

    /// Reads the same into little room, for there may be very many sockets.
    ///
    /// # Errors
    ///
    /// As [`Backend::collect`].
    fn collect_packed(&mut self, request: &Request) -> Result<PackedTables, CollectError> {
        self.collect(request).map(Collected::packed)
    }
}

/// Returns how many processors this process may use. Finding out takes the reading of several files.
pub(crate) fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

/// Returns the best backend for this system: its own, else the portable one, else one that says that
/// there is none.
pub fn native() -> Box<dyn Backend> {
    cfg_select! {
        target_os = "linux" => Box::new(linux::Linux),
        target_os = "macos" => Box::new(macos::MacOs),
        target_os = "freebsd" => Box::new(freebsd::FreeBsd),
        all(feature = "portable", windows) => Box::new(windows::native::Windows),
        _ => Box::new(unsupported::Unsupported),
    }
}

/// Returns the portable backend, which [`native`] may be too; `None` where it is not built: without
/// the feature `portable`, and on systems that its libraries do not know.
pub fn portable() -> Option<Box<dyn Backend>> {
    cfg_select! {
        all(feature = "portable", any(target_os = "linux", target_os = "macos", windows)) => Some(Box::new(portable::Portable::new())),
        _ => None,
    }
}

/// Has memory that is freed handed back to the system at once, where the allocator can be told so: what
/// one step of a listing held is not added to what the next one holds.
#[cfg(feature = "cli")]
pub(crate) fn hand_back_memory() {
    cfg_select! {
        all(target_os = "linux", target_env = "gnu") => { linux::sys::hand_back_memory(); }
        _ => {}
    }
}

/// What was found of the system, and what follows from it that no listing need meet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// What was found.
    pub facts: Vec<Fact>,
    /// What a listing lacks because of it.
    pub gaps: Vec<Gap>,
}

#[cfg(not(target_os = "linux"))]
impl Examined {
    /// Returns where sockets are read; what a listing lacks by that is in its gaps.
    #[cfg_attr(
        not(any(target_os = "macos", all(feature = "portable", windows))),
        expect(dead_code, reason = "nothing is read there")
    )]
    fn told(sources: &str) -> Self {
        let facts = vec![Fact::plain("sources", format!("{sources} (docs/platforms.md)"))];
        Self { facts, gaps: Vec::new() }
    }
}

/// Finds out what this system lets us see. Nothing of it is changed.
pub fn examine() -> Examined {
    cfg_select! {
        target_os = "linux" => linux::doctor::examine(),
        target_os = "macos" => Examined::told("the kernel's own tables, and libproc for the processes"),
        all(feature = "portable", windows) => {
            Examined::told("IP Helper's tables and the service manager, beside netstat2 and sysinfo")
        }
        _ => Examined::default(),
    }
}

/// Returns what would cure a gap of this kind that tells no cure itself; `None` where nothing is known.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux knows any"))]
pub const fn cure(what: Missing) -> Option<&'static str> {
    cfg_select! {
        target_os = "linux" => linux::doctor::cure(what),
        _ => None,
    }
}

/// Gathers what decides this bind beside the sockets, as its binder has it: settings, addresses,
/// rights, files. Of [`BindFacts::options`] it gathers nothing. What cannot be read is absent, and said
/// in [`BindFacts::gaps`].
#[cfg_attr(
    not(any(target_os = "linux", all(feature = "portable", windows))),
    expect(unused_variables, reason = "nothing depends on it there")
)]
pub fn bind_facts(request: &BindRequest) -> BindFacts {
    cfg_select! {
        target_os = "linux" => linux::bind_facts::gather(request),
        all(feature = "portable", windows) => windows::bind_facts::gather(request),
        target_os = "macos" => bsd::bind_facts::of_macos(&bsd::sys::asked()),
        target_os = "freebsd" => bsd::bind_facts::of_freebsd(&bsd::sys::asked()),
        _ => BindFacts::default(),
    }
}

/// Reads the options of a socket through a copy of its holder's descriptor. The copy keeps the socket
/// alive for an instant.
///
/// # Errors
///
/// When the holder may not be looked into or is gone, when the descriptor is another file by now, and
/// on systems that cannot do this.
#[cfg_attr(
    not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")),
    expect(unused_variables, reason = "the others cannot do this")
)]
pub fn holder_options(pid: Pid, fd: Fd, cookie: Cookie) -> io::Result<SocketOptions> {
    cfg_select! {
        target_os = "linux" => linux::holder_options::read(pid, fd, cookie),
        target_os = "macos" => macos::holder_options(&macos::sys::Darwin, pid, fd, cookie),
        target_os = "freebsd" => {
            let _: (Pid, Fd) = (pid, fd);
            freebsd::holder_options(&freebsd::sys::Kernel, cookie)
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// How many sockets' options are read at most: each takes a copy of a descriptor.
const MAX_OPTIONS: usize = 256;

/// Reads the options of these sockets, as far as their holders may be looked into; see
/// [`holder_options`].
pub fn options_of(entries: &[&Entry]) -> BTreeMap<Cookie, SocketOptions> {
    let options = |entry: &&Entry| {
        let cookie = entry.socket.cookie?;
        let owners = entry.ownership.owners().iter();
        let mut descriptors = owners
            .filter(|owner| owner.via == Via::Fd && owner.tid.is_none())
            .filter_map(|owner| Some((owner.process.pid, owner.fd?)));
        let options = descriptors.find_map(|(pid, fd)| holder_options(pid, fd, cookie).ok())?;
        Some((cookie, options))
    };
    entries.iter().take(MAX_OPTIONS).filter_map(options).collect()
}
