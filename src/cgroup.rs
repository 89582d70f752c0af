//! Control groups (`cgroups(7)`) as the answer to "who runs this?": systemd and the container
//! runtimes give the groups they make names by rule, and everybody may read them.
//!
//! Pure, from the kernel's text to values. [`PATTERNS`] is the one table of how runtimes name their
//! groups.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// A control group, and whose it is by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cgroup {
    /// The path from the root of its hierarchy, such as `/system.slice/nginx.service`.
    pub path: Text,
    /// The systemd unit; within a container that runs a systemd of its own, the unit in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Text>,
    /// The unit of a user's own systemd, of which `unit` then is the manager (`user@1000.service`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_unit: Option<Text>,
    /// The container, the innermost one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
}

/// A container, as far as the name of a control group tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Container {
    /// What runs it.
    pub runtime: Runtime,
    /// Its number in hexadecimal, or for LXC, machines, snaps and Flatpaks its name.
    pub id: Text,
    /// What people call it, where what runs it told that: `web`, in Kubernetes with its pod `web-7c9/nginx`.
    /// Absent too where it goes by a name anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The uid of the Kubernetes pod it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Text>,
}

/// What runs a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Runtime {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// containerd, by itself or for Kubernetes.
    Containerd,
    /// CRI-O.
    #[serde(rename = "cri-o")]
    Crio,
    /// Kubernetes, through a runtime that the name does not tell.
    Kubernetes,
    /// LXC, LXD, Incus, Proxmox VE.
    Lxc,
    /// A machine of systemd (`machinectl(1)`): systemd-nspawn, or libvirt.
    Machine,
    /// Some runtime that numbers containers as all of OCI do.
    Oci,
    /// snapd.
    Snap,
    /// Flatpak.
    Flatpak,
    /// A jail of FreeBSD, by its number (`jail(8)`).
    Jail,
}

impl Runtime {
    /// Returns the word for it, as in the JSON and the filter language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
            Self::Crio => "cri-o",
            Self::Kubernetes => "kubernetes",
            Self::Lxc => "lxc",
            Self::Machine => "machine",
            Self::Oci => "oci",
            Self::Snap => "snap",
            Self::Flatpak => "flatpak",
            Self::Jail => "jail",
        }
    }
}

/// How a runtime names the control group of a container.
#[derive(Debug, Clone, Copy)]
struct Pattern {
    runtime: Runtime,
    /// The group it lies in; any when empty.
    parent: &'static str,
    before: &'static str,
    name: Name,
    after: &'static str,
}

/// What stands for the container within a group's name.
#[derive(Debug, Clone, Copy)]
enum Name {
    /// 64 hexadecimal digits.
    Number,
    /// A name, escaped as systemd does.
    Escaped,
    /// A name that ends before the first dot: `snap.NAME.APP-…`.
    First,
    /// A name, and behind the last dash a number: `app-flatpak-NAME-…`.
    Numbered,
}

const fn named(runtime: Runtime, before: &'static str, name: Name, after: &'static str) -> Pattern {
    Pattern { runtime, parent: "", before, name, after }
}

const fn within(runtime: Runtime, parent: &'static str, name: Name) -> Pattern {
    Pattern { runtime, parent, before: "", name, after: "" }
}

/// Every pattern; the first that fits counts. A runtime has one for its systemd driver (a scope) and
/// one for its cgroupfs driver (a directory).
const PATTERNS: &[Pattern] = &[
    named(Runtime::Docker, "docker-", Name::Number, ".scope"),
    within(Runtime::Docker, "docker", Name::Number),
    named(Runtime::Podman, "libpod-", Name::Number, ".scope"),
    named(Runtime::Podman, "libpod-", Name::Number, ""),
    named(Runtime::Containerd, "cri-containerd-", Name::Number, ".scope"),
    within(Runtime::Containerd, "cri-containerd", Name::Number),
    named(Runtime::Containerd, "nerdctl-", Name::Number, ".scope"),
    // containerd's namespaces of ctr and nerdctl, and of Kubernetes.
    within(Runtime::Containerd, "default", Name::Number),
    within(Runtime::Containerd, "k8s.io", Name::Number),
    named(Runtime::Crio, "crio-", Name::Number, ".scope"),
    named(Runtime::Crio, "crio-", Name::Number, ""),
    within(Runtime::Crio, "crio", Name::Number),
    // Not `lxc.monitor`, which is outside of the container.
    named(Runtime::Lxc, "lxc.payload.", Name::Escaped, ""),
    within(Runtime::Lxc, "lxc.payload", Name::Escaped),
    within(Runtime::Lxc, "lxc", Name::Escaped),
    named(Runtime::Machine, "machine-", Name::Escaped, ".scope"),
    named(Runtime::Machine, "systemd-nspawn@", Name::Escaped, ".service"),
    named(Runtime::Snap, "snap.", Name::First, ".service"),
    named(Runtime::Snap, "snap.", Name::First, ".scope"),
    named(Runtime::Snap, "snap.", Name::First, ""),
    named(Runtime::Flatpak, "app-flatpak-", Name::Numbered, ".scope"),
    named(Runtime::Oci, "", Name::Number, ""),
];

/// The kinds of unit that processes are in (`systemd.unit(5)`), besides slices, which only group
/// them.
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

impl Cgroup {
    /// Returns what stands for a control group on FreeBSD, which has none: a jail, by its number.
    pub fn of_jail(number: u32) -> Self {
        let id = Text::from(number.to_string());
        let path = Text::from(format!("jail {number}"));
        let container = Some(Container { runtime: Runtime::Jail, id, name: None, pod: None });
        Self { path, unit: None, user_unit: None, container }
    }

    /// Returns what the path of a control group tells.
    pub fn new(path: Text) -> Self {
        let (mut unit, mut user_unit): (Option<Text>, Option<Text>) = (None, None);
        let mut innermost = None;
        let mut pod = None;
        let mut parent: &[u8] = b"";
        let mut in_container = false;
        for name in names(path.as_bytes()) {
            pod = pod_uid(name).or(pod);
            if unit_kind(name).is_some() {
                let manager =
                    unit.as_ref().is_some_and(|unit| unit.as_bytes().starts_with(b"user@"));
                if unit.is_none() || in_container {
                    (unit, user_unit) = (Some(Text::new(name)), None);
                    in_container = false;
                } else if user_unit.is_none() && manager {
                    user_unit = Some(Text::new(name));
                }
            }
            if let Some((runtime, id)) = container(parent, name) {
                let pod = pod.take();
                let of_pod = runtime == Runtime::Oci && pod.is_some();
                let runtime = if of_pod { Runtime::Kubernetes } else { runtime };
                innermost = Some(Container { runtime, id, name: None, pod });
                in_container = true;
            }
            parent = name;
        }
        Self { path, unit, user_unit, container: innermost }
    }

    /// Returns what `/proc/PID/cgroup` tells (`cgroups(7)`): a process is in one group of each
    /// hierarchy, the unified one (v2), systemd's own and those of the controllers (v1). The first of
    /// these that says something counts. `None` when no line can be read.
    pub fn of_process(membership: &[u8]) -> Option<Self> {
        let mut paths: Vec<(u8, &[u8])> =
            membership.split(|&byte| byte == b'\n').filter_map(parse_line).collect();
        paths.sort_by_key(|(rank, _)| *rank);
        let groups: Vec<Self> =
            paths.into_iter().map(|(_, path)| Self::new(Text::new(path))).collect();
        let shown = groups.iter().find(|group| !group.is_root()).or(groups.first())?;
        let with_unit = groups.iter().find(|group| group.unit.is_some()).unwrap_or(shown);
        let container = groups.iter().find_map(|group| group.container.clone());
        Some(Self {
            path: shown.path.clone(),
            unit: with_unit.unit.clone(),
            user_unit: with_unit.user_unit.clone(),
            container,
        })
    }

    /// Returns the unit in full: for one of a user's own systemd the manager before it, as in
    /// `user@1000.service/syncthing.service`.
    pub fn full_unit(&self) -> Option<Text> {
        match (&self.unit, &self.user_unit) {
            (Some(unit), Some(user_unit)) => {
                Some(Text::from([unit.as_bytes(), b"/", user_unit.as_bytes()].concat()))
            }
            (unit, _) => unit.clone(),
        }
    }

    /// Returns true for the root of a hierarchy, where everything is that nobody put elsewhere.
    pub fn is_root(&self) -> bool {
        self.path.as_bytes() == b"/"
    }
}

impl fmt::Display for Container {
    /// Writes `docker:web`, without a name `docker:0123456789ab`, the number cut as the runtimes
    /// themselves do. Not safe for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_ref().map_or_else(|| self.short_id(), Text::to_lossy);
        write!(f, "{}:{name}", self.runtime.name())
    }
}

impl Container {
    /// Returns true when the container goes by its number, not by a name.
    pub fn is_numbered(&self) -> bool {
        is_number(self.id.as_bytes())
    }

    /// Returns its number, cut as the runtimes themselves do, or its name. Not safe for a terminal.
    pub fn short_id(&self) -> Cow<'_, str> {
        let number = self.id.as_str().filter(|_| self.is_numbered());
        number.and_then(|id| id.get(..12)).map_or_else(|| self.id.to_lossy(), Cow::Borrowed)
    }
}

/// Parses one line, `NUMBER:CONTROLLERS:PATH`, into the rank of its hierarchy and the path.
fn parse_line(line: &[u8]) -> Option<(u8, &[u8])> {
    let mut fields = line.splitn(3, |&byte| byte == b':');
    let (_number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let rank = match controllers {
        b"" => 0,
        b"name=systemd" => 1,
        _ => 2,
    };
    // Written behind the group of a zombie when that was removed.
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    path.starts_with(b"/").then_some((rank, path))
}

/// Returns the names of the groups on this path, from the root.
fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .flat_map(|name| {
            // runc takes `SLICE:PREFIX:NAME` for a name where systemd is not asked to make the group.
            let is_triple = name.windows(7).any(|part| part == b".slice:");
            name.split(move |&byte| is_triple && byte == b':')
        })
        .filter(|name| !name.is_empty())
        // What systemd writes before a name that the kernel could take for a file of its own.
        .map(|name| name.strip_prefix(b"_").unwrap_or(name))
}

/// Returns the end of a unit's name that tells its kind, such as `.service`; `None` for what is no
/// unit.
pub(crate) fn unit_kind(name: &[u8]) -> Option<&'static str> {
    let of = |kind: &&str| name.strip_suffix(kind.as_bytes()).is_some_and(|name| !name.is_empty());
    UNITS.into_iter().find(of)
}

/// Returns the container that a group of this name, within this parent, is.
fn container(parent: &[u8], name: &[u8]) -> Option<(Runtime, Text)> {
    PATTERNS.iter().find_map(|pattern| {
        let within = pattern.parent.is_empty() || pattern.parent.as_bytes() == parent;
        let name = name.strip_prefix(pattern.before.as_bytes()).filter(|_| within)?;
        let name = name.strip_suffix(pattern.after.as_bytes())?;
        let id = match pattern.name {
            Name::Number => is_number(name).then(|| name.to_vec())?,
            Name::Escaped => unescape(name),
            Name::First => name.split(|&byte| byte == b'.').next()?.to_vec(),
            Name::Numbered => {
                let dash = name.iter().rposition(|&byte| byte == b'-')?;
                unescape(name.get(..dash)?)
            }
        };
        (!id.is_empty()).then(|| (pattern.runtime, Text::from(id)))
    })
}

/// Returns true for a container's number as OCI runtimes give it: 64 hexadecimal digits.
fn is_number(name: &[u8]) -> bool {
    name.len() == 64 && name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the uid in the name of a pod's group: `podUID`, or `…-podUID.slice` with `_` for `-`.
fn pod_uid(name: &[u8]) -> Option<Text> {
    let name = name.strip_suffix(b".slice").unwrap_or(name);
    let start = name.windows(3).rposition(|part| part == b"pod")?;
    let (before, after) = name.split_at_checked(start)?;
    let uid = after.get(3..)?;
    let is_uid = uid.len() >= 32
        && uid.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_'))
        && before.last().is_none_or(|&byte| byte == b'-');
    is_uid.then(|| {
        let dashed = uid.iter().map(|&byte| if byte == b'_' { b'-' } else { byte });
        Text::from(dashed.collect::<Vec<u8>>())
    })
}

/// Returns a name with what systemd escaped as `\xHH` (`systemd-escape(1)`) put back.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = rest.strip_prefix(br"\x").and_then(|rest| rest.split_at_checked(2));
        let byte = escaped
            .and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        plain.push(byte.unwrap_or(first));
        rest = byte.and(escaped).map_or(after, |(_, after)| after);
    }
    plain
}

#[cfg(test)]
mod tests;
