//! What decides a bind beside the sockets: the system's settings, addresses, rights and files.
//!
//! Plain data, gathered by [`crate::platform::bind_facts`], so that a diagnosis can be made of a
//! recording, and in a test of anything.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::options::SocketOptions;
use crate::process::Uid;
use crate::snapshot::Gap;
use crate::socket::{Cookie, Inode, Interface, NetnsId};
use crate::text::Text;

/// What decides a bind beside the sockets. A fact that could not be read is absent; what depends on it
/// is then unknown, never assumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BindFacts {
    /// The first port that needs no privilege (`net.ipv4.ip_unprivileged_port_start`, `ip(7)`).
    pub unprivileged_port_start: Option<u16>,
    /// Whether the binder has `CAP_NET_BIND_SERVICE` in the user namespace that owns the network
    /// namespace (`capabilities(7)`).
    pub may_bind_privileged: Option<bool>,
    /// The default of `IPV6_V6ONLY` (`net.ipv6.bindv6only`).
    pub bindv6only: Option<bool>,
    /// Whether addresses of no interface may be bound, IPv4 (`net.ipv4.ip_nonlocal_bind`).
    pub nonlocal_bind: Option<bool>,
    /// The same for IPv6 (`net.ipv6.ip_nonlocal_bind`).
    pub nonlocal_bind_v6: Option<bool>,
    /// Whether a listener outside any VRF also serves those inside (`net.ipv4.tcp_l3mdev_accept`).
    pub tcp_l3mdev_accept: Option<bool>,
    /// The addresses of the interfaces; absent when they could not be read.
    pub addresses: Option<Vec<LocalAddress>>,
    /// The other network namespaces that have the address asked about, by number, with their names; looked
    /// for only where the binder's own has not, and found only where they may be entered.
    pub address_elsewhere: BTreeMap<NetnsId, Option<Text>>,
    /// Where the kernel takes ports of connecting sockets from (`net.ipv4.ip_local_port_range`).
    pub ephemeral: Option<RangeInclusive<u16>>,
    /// How long TIME_WAIT lasts (twice `net.inet.tcp.msl`); known on macOS and FreeBSD, where the kernel
    /// does not say when a single one ends.
    pub time_wait: Option<Duration>,
    /// The ports it leaves out there (`net.ipv4.ip_local_reserved_ports`).
    pub reserved: Vec<RangeInclusive<u16>>,
    /// Whether the kernel counts the IPv4 address asked about as this machine's, though no interface
    /// may have it: its table of local routes decides (`inet_addr_type`, linux/net/ipv4/fib_frontend.c).
    pub is_routed_here: Option<bool>,
    /// The devices that are in a VRF, or are one, by index, with the index of the VRF; absent when that
    /// could not be read.
    pub vrfs: Option<BTreeMap<u32, u32>>,
    /// The interfaces there are; absent when they could not be read.
    pub interfaces: Option<Vec<Interface>>,
    /// Whether sockets of IPv6 can be made at all.
    pub has_ipv6: Option<bool>,
    /// Where IPv6 is switched off (`net.ipv6.conf.NAME.disable_ipv6`): interfaces, `all`, `default`.
    pub ipv6_disabled: Vec<Text>,
    /// The user that binds; the rules of `SO_REUSEPORT` ask for it.
    pub uid: Option<Uid>,
    /// The network namespace the binder is in.
    pub netns: Option<NetnsId>,
    /// The network namespace of whoever asks; another than `netns` when it is about another process.
    pub own_netns: Option<NetnsId>,
    /// The binder's open descriptors and its limit of them (`RLIMIT_NOFILE`); only of another process.
    pub descriptors: Option<Usage>,
    /// The open files of the machine and its limit of them (`fs.file-nr`).
    pub files: Option<Usage>,
    /// What may refuse the binder calls that its rights allow.
    pub confinement: Confinement,
    /// What is at the path asked about; absent when it is no path, or could not be read.
    pub path: Option<PathFacts>,
    /// The systemd socket units that listen at the port or path asked about.
    pub units: Vec<SocketUnit>,
    /// Whether the kernel is one of WSL, where Windows has ports of its own.
    pub is_wsl: bool,
    /// What only Windows has; absent elsewhere.
    pub windows: Option<WindowsFacts>,
    /// The options of sockets that may stand in the way, by cookie, where their holder may be looked
    /// into.
    pub options: BTreeMap<Cookie, SocketOptions>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// What decides a bind on Windows alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowsFacts {
    /// The ports that Windows keeps out of use, for the protocol and family asked about.
    pub excluded: Vec<ExcludedPorts>,
    /// The URLs that HTTP.sys serves, each with its port.
    pub urls: Vec<(u16, String)>,
    /// What the IP helper service forwards (`netsh interface portproxy`).
    pub proxies: Vec<PortProxy>,
    /// Whether this is Wine, which has Windows' calls and the rules of what is below it.
    pub is_wine: bool,
}

/// Ports that are kept out of use (`netsh int ipv4 show excludedportrange`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedPorts {
    /// Which.
    pub ports: RangeInclusive<u16>,
    /// Whether an administrator made the range: the program that it is for may bind in it.
    pub is_administered: bool,
}

/// A port that the IP helper service listens at for something elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortProxy {
    /// From what to what, as the command takes it: `v4tov4`.
    pub kind: &'static str,
    /// The address it listens at; `*` for all.
    pub address: String,
    /// The port.
    pub port: u16,
    /// Where it leads.
    pub to: String,
}

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address.
    pub address: IpAddr,
    /// How many of its bits are the network's.
    pub prefix: u8,
    /// The interface.
    pub interface: Interface,
    /// Whether it cannot be bound yet, or ever: a check for duplicates runs, or found one
    /// (`IFA_F_TENTATIVE`, linux/include/uapi/linux/if_addr.h).
    pub is_tentative: bool,
    /// Whether that check found one: another machine has the address (`IFA_F_DADFAILED`).
    pub is_duplicate: bool,
}

/// How much of something is used, and how much there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What is used.
    pub used: u64,
    /// What may be used.
    pub limit: u64,
}

impl Usage {
    /// Returns true when nothing is left.
    pub const fn is_exhausted(&self) -> bool {
        self.used >= self.limit
    }
}

/// What may refuse a process calls that its rights allow. None of it says what it refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confinement {
    /// What the security module calls the process (`/proc/PID/attr/current`): an AppArmor profile with
    /// its mode, a SELinux context; absent when there is no such module.
    pub label: Option<Text>,
    /// Whether SELinux refuses, and does not only report (`/sys/fs/selinux/enforce`); absent without
    /// SELinux.
    pub selinux_enforces: Option<bool>,
    /// How many filters seccomp runs for each call (`Seccomp_filters`, `proc_pid_status(5)`).
    pub seccomp_filters: Option<u32>,
    /// Whether it can gain no right by starting a program (`NoNewPrivs`): who restricts itself with
    /// Landlock must have said so.
    pub no_new_privileges: Option<bool>,
    /// The systemd unit, whose `SocketBindDeny=` may refuse ports.
    pub unit: Option<Text>,
    /// The snap or other container.
    pub container: Option<Text>,
}

/// What is at a path that a UNIX socket shall be bound to, as the binder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathFacts {
    /// A directory on the way is missing.
    NoDirectory,
    /// Something on the way is no directory.
    NotDirectory,
    /// A directory on the way may not be searched.
    Closed,
    /// Nothing is there yet.
    Vacant {
        /// Whether the binder may make a file there; absent when that cannot be told.
        may_write: Option<bool>,
        /// Whether nobody may: the filesystem is mounted to be read.
        is_read_only: bool,
    },
    /// A file is there.
    Taken {
        /// What kind of one.
        kind: FileKind,
        /// Whether a socket is bound to it, in whatever network namespace: the kernel was asked;
        /// absent when it did not say.
        is_bound: Option<bool>,
        /// The sockets bound to it, of the binder's network namespace.
        sockets: Vec<Inode>,
    },
}

/// The kind of a file, as far as a bind to its path has use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are the kinds' own names")]
pub enum FileKind {
    Socket,
    Regular,
    Directory,
    Symlink,
    Other,
}

impl FileKind {
    /// Returns the words for it, with its article.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Socket => "a socket",
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Other => "neither a socket nor a regular file",
        }
    }
}

/// A socket unit of systemd (`systemd.socket(5)`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketUnit {
    /// The unit, with its suffix.
    pub name: Text,
    /// Whose manager has it: the system's, or a user's.
    pub is_user: bool,
    /// The line that says where it listens, such as `ListenStream=8080`.
    pub listens: Text,
    /// The file that line is in.
    pub file: Text,
    /// Whether its manager is seen to have it running.
    pub is_active: bool,
}
