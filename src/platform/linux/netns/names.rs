//! What people call a network namespace: the kernel knows numbers only.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Namespace, Namespaces};
use crate::platform::linux::owners::visibility::in_initial_pid_namespace;
use crate::process::Pid;
use crate::socket::NetnsId;
use crate::text::Text;

/// The name of the namespace the machine was started with.
const HOST: &str = "host";
/// The name of ours where it is not known to be that one: in a container.
const CURRENT: &str = "current";
/// Where `ip netns` keeps names; `/var/run` is the same directory on most systems.
const NAMED: [&str; 2] = ["/run/netns", "/var/run/netns"];

impl Namespaces {
    /// Returns the name of each namespace that has one.
    pub(in super::super) fn names(&self) -> BTreeMap<NetnsId, Text> {
        let sees_host = in_initial_pid_namespace() == Some(true);
        let name = |namespace: &Namespace| {
            if sees_host && namespace.processes.first() == Some(&Pid(1)) {
                return Some(Text::from(HOST));
            }
            mounted(namespace, |directory| NAMED.iter().any(|named| directory == Path::new(named)))
                .or_else(|| (self.current == Some(namespace.id)).then(|| Text::from(CURRENT)))
                .or_else(|| namespace.processes.iter().find_map(|&pid| first_process(pid)))
                .or_else(|| mounted(namespace, |_| true))
        };
        self.known.values().filter_map(|each| Some((each.id, name(each)?))).collect()
    }
}

/// Returns the name of the first mount of a namespace in such a directory.
fn mounted(namespace: &Namespace, is_wanted: impl Fn(&Path) -> bool) -> Option<Text> {
    let wanted = namespace.mounts.iter().filter(|path| path.parent().is_some_and(&is_wanted));
    let names = wanted.filter_map(|path| path.file_name()).map(OsStr::as_bytes);
    names.min().map(Text::new)
}

/// Returns a process as netstat writes it, `4711/nginx`: who was there first tells most about a
/// namespace without a name.
fn first_process(pid: Pid) -> Option<Text> {
    let mut name = format!("{pid}/").into_bytes();
    name.extend(std::fs::read(format!("/proc/{pid}/comm")).ok()?.trim_ascii_end());
    Some(Text::from(name))
}
