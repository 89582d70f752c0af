//! Who the binder is to the kernel: its user and groups, whether it has `CAP_NET_BIND_SERVICE` where
//! that counts (`capabilities(7)`, `user_namespaces(7)`), and what may refuse it calls beside that.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::fstat;

use crate::cgroup::Cgroup;
use crate::diagnose::{BindFacts, Binder, Confinement};
use crate::platform::linux::sys;
use crate::platform::users;
use crate::process::{Pid, Uid};
use crate::text::Text;

/// Its bit in the masks of `/proc/PID/status` (linux/include/uapi/linux/capability.h).
const CAP_NET_BIND_SERVICE: u32 = 10;

/// What a process may do by its user, groups and capabilities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rights {
    /// The effective user.
    pub(super) uid: Option<Uid>,
    /// The effective group and the others.
    pub(super) gids: Vec<u32>,
    /// The effective capabilities.
    capabilities: Option<u64>,
    /// Whether they are this process's own.
    pub(super) is_own: bool,
}

impl Rights {
    /// Returns the rights of a binder: of its process, else of a program that its user starts, else
    /// our own.
    pub(super) fn of(binder: &Binder) -> Self {
        let own = fs::read_to_string(process_file(binder.pid, "status")).ok();
        let (rights, bounding) = own.as_deref().map(parse).unwrap_or_default();
        match binder.uid {
            Some(uid) if rights.uid != Some(uid) => Self {
                uid: Some(uid),
                gids: users::groups(uid),
                // Root starts with all that its bounding set leaves, another user with none.
                capabilities: if uid == Uid(0) { bounding } else { Some(0) },
                is_own: false,
            },
            Some(_) | None => Self { is_own: binder.pid.is_none(), ..rights },
        }
    }

    /// Returns whether a capability is in force in this user namespace, given that the process is in
    /// the other one (`cap_capable`, linux/security/commoncap.c).
    fn has(&self, capability: u32, within: OwnedFd, own: &OwnedFd) -> Option<bool> {
        let mut within = within;
        loop {
            if is_same(&within, own)? {
                return self.capabilities.map(|all| all >> capability & 1 == 1);
            }
            let above = match sys::parent_user_namespace(within.as_fd()) {
                Ok(above) => above,
                // Nothing above it is the process's, whose namespace we can see.
                Err(error) => return is_refused(&error).then_some(false),
            };
            // Who made a namespace has every capability in it.
            if is_same(&above, own)?
                && sys::owner_of_user_namespace(within.as_fd()).ok().map(Uid) == self.uid
            {
                return Some(true);
            }
            within = above;
        }
    }
}

/// Finds out whether the binder may bind privileged ports of this thread's network namespace.
pub(super) fn read_privileged(binder: &Binder, facts: &mut BindFacts) {
    let own = File::open(process_file(binder.pid, "ns/user")).ok();
    let netns = File::open("/proc/thread-self/ns/net").ok();
    facts.may_bind_privileged = (|| {
        let own = OwnedFd::from(own?);
        match sys::owning_user_namespace(netns?.as_fd()) {
            Ok(owner) => Rights::of(binder).has(CAP_NET_BIND_SERVICE, owner, &own),
            // It is owned by a namespace above ours, where we and all below us have no rights.
            Err(error) => is_refused(&error).then_some(false),
        }
    })();
}

fn is_refused(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Reads what may refuse a process calls that its rights allow.
pub(super) fn confinement(pid: Option<Pid>) -> Confinement {
    let read = |name| fs::read(process_file(pid, name)).ok();
    let status = read("status").map(|status| String::from_utf8_lossy(&status).into_owned());
    let number = |name| field(status.as_deref()?, name)?.parse::<u32>().ok();
    let label = read("attr/current").map(|label| label.trim_ascii_end().to_vec());
    let label = label.filter(|label| !label.is_empty()).map(|mut label| {
        // SELinux ends it with a NUL.
        label.retain(|&byte| byte != 0);
        Text::from(label)
    });
    let cgroup = read("cgroup").and_then(|groups| Cgroup::of_process(&groups));
    let container = cgroup.as_ref().and_then(|cgroup| cgroup.container.as_ref());
    Confinement {
        label,
        selinux_enforces: fs::read("/sys/fs/selinux/enforce").ok().map(|flag| flag != b"0"),
        seccomp_filters: number("Seccomp_filters"),
        no_new_privileges: number("NoNewPrivs").map(|flag| flag != 0),
        unit: cgroup.as_ref().and_then(|cgroup| cgroup.unit.clone()),
        container: container.map(|container| container.id.clone()),
    }
}

/// Returns the path of a file of a process's, or of our own.
pub(super) fn process_file(pid: Option<Pid>, name: &str) -> String {
    match pid {
        Some(pid) => format!("/proc/{pid}/{name}"),
        None => format!("/proc/thread-self/{name}"),
    }
}

fn is_same(one: &OwnedFd, other: &OwnedFd) -> Option<bool> {
    let (one, other) = (fstat(one).ok()?, fstat(other).ok()?);
    Some((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// Parses `/proc/PID/status` (`proc_pid_status(5)`): the rights in force, and the capabilities that a
/// program started by root would have.
fn parse(status: &str) -> (Rights, Option<u64>) {
    let numbers = |name| {
        let words = field(status, name).into_iter().flat_map(str::split_ascii_whitespace);
        words.map_while(|word| word.parse::<u32>().ok()).collect::<Vec<u32>>()
    };
    let mask = |name| u64::from_str_radix(field(status, name)?, 16).ok();
    // Real, effective, saved, of files.
    let effective = |name| numbers(name).get(1).copied();
    let rights = Rights {
        uid: effective("Uid").map(Uid),
        gids: effective("Gid").into_iter().chain(numbers("Groups")).collect(),
        capabilities: mask("CapEff"),
        is_own: false,
    };
    (rights, mask("CapBnd"))
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':').map(str::trim);
    status.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS: &str = "Name:\tx\nUid:\t1000\t1001\t1000\t1000\nGid:\t5\t6\t5\t5\n\
                          Groups:\t6 27 \nCapEff:\t0000000000000400\nCapBnd:\t000001ffffffffff\n";

    #[test]
    fn the_effective_user_groups_and_capabilities_count() {
        let (rights, bounding) = parse(STATUS);
        assert_eq!((rights.uid, &rights.gids), (Some(Uid(1001)), &vec![6, 6, 27]));
        assert_eq!((rights.capabilities, bounding), (Some(1 << 10), Some(0x1ff_ffff_ffff)));
    }

    #[test]
    fn a_program_of_another_user_has_its_groups_and_no_capability() {
        let nobody = Rights::of(&Binder { uid: Some(Uid(65534)), pid: None });
        assert_eq!((nobody.uid, nobody.capabilities), (Some(Uid(65534)), Some(0)));
        assert!(!nobody.is_own);
        let own = Rights::of(&Binder::default());
        assert_eq!(own.uid, Some(Uid(rustix::process::geteuid().as_raw())));
        assert!(own.is_own && own.capabilities.is_some());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            parse(&text);
        }
    }
}
