//! Processes that `/proc` does not even list: hidden by a mount option, or outside our PID
//! namespace.

use crate::platform::linux::mountinfo;
use crate::platform::linux::privilege::Privilege;
use crate::snapshot::{Gap, Missing};

/// The number of the initial PID namespace (`PID_NS_INIT_INO`, linux/include/uapi/linux/nsfs.h).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Returns a gap when `/proc` hides processes from us, given the numbers it lists.
pub(super) fn hidden_processes(pids: &[u32], privilege: &Privilege) -> Option<Gap> {
    if privilege.may_ptrace && pids.contains(&1) {
        return None;
    }
    let options = parse_hiding(&mountinfo::read());
    let why = match options {
        Some(options) if options.hides_from(privilege) => {
            format!(
                "/proc is mounted with hidepid={}: other users' processes are hidden",
                options.mode.name()
            )
        }
        // Every PID namespace has a process 1.
        Some(_) | None if !pids.contains(&1) => {
            "/proc hides processes: process 1 is missing".to_owned()
        }
        Some(_) | None => return None,
    };
    let gap = Gap::new(Missing::Descriptors, why);
    Some(Gap { hint: privilege.hint().map(str::to_owned), ..gap })
}

/// Returns a gap when `/proc` hides processes from us.
pub(crate) fn hidden() -> Option<Gap> {
    let pids: Vec<u32> = super::pids().unwrap_or_default().into_iter().map(|pid| pid.0).collect();
    hidden_processes(&pids, &Privilege::read())
}

/// Returns whether we see the machine's own process 1; `None` without `/proc`.
pub(crate) fn in_initial_pid_namespace() -> Option<bool> {
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(namespace.as_os_str() == INITIAL_PID_NAMESPACE)
}

/// Returns a gap when processes may exist outside our PID namespace, whose descriptors nobody here
/// can see. It matters only where a socket has no visible holder.
pub(crate) fn other_pid_namespaces() -> Option<Gap> {
    (!in_initial_pid_namespace()?).then(|| {
        let why = "processes outside this PID namespace cannot be seen (inferred: its number is \
                   not the initial one's)";
        Gap::new(Missing::Descriptors, why)
            .hint("run on the host, or in a container started with the host's PID namespace")
    })
}

/// Who is hidden from whom (`proc(5)`, "hidepid").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// From all but the group.
    Invisible,
    /// From all who may not ptrace them.
    Ptraceable,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Invisible => "invisible",
            Self::Ptraceable => "ptraceable",
        }
    }
}

/// The mount options by which `/proc` hides processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hiding {
    mode: Mode,
    /// The group that sees everything; not shown when it is root's.
    group: u32,
}

impl Hiding {
    /// As `has_pid_permissions`, linux/fs/proc/base.c.
    fn hides_from(self, privilege: &Privilege) -> bool {
        let is_exempt = match self.mode {
            Mode::Invisible => privilege.groups.contains(&self.group),
            Mode::Ptraceable => false,
        };
        !privilege.may_ptrace && !is_exempt
    }
}

/// Finds how the topmost mount on `/proc` hides processes; `None` when it does not.
///
/// `hidepid=noaccess` is no hiding: the processes are listed, and reading them is refused.
fn parse_hiding(mounts: &[u8]) -> Option<Hiding> {
    let mount = mountinfo::parse(mounts).rfind(|mount| mount.is_at(b"/proc"))?;
    let options = mount.options.split(|&byte| byte == b',');
    let value = |name: &[u8]| options.clone().find_map(|option| option.strip_prefix(name));
    let mode = match value(b"hidepid=")? {
        // Numbers before Linux 5.8.
        b"invisible" | b"2" => Mode::Invisible,
        b"ptraceable" | b"4" => Mode::Ptraceable,
        _ => return None,
    };
    let group = value(b"gid=").and_then(|gid| std::str::from_utf8(gid).ok()?.parse().ok());
    Some(Hiding { mode, group: group.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOBODY: Privilege = Privilege {
        is_root: false,
        may_ptrace: false,
        may_read_all: false,
        is_confined: false,
        groups: Vec::new(),
    };

    fn hiding(options: &str) -> Option<Hiding> {
        parse_hiding(
            format!(
                "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                 22 21 0:5 / /proc rw,nosuid shared:2 - proc proc rw{options}\n\
                 23 21 0:6 / /sys rw - sysfs sysfs rw\n"
            )
            .as_bytes(),
        )
    }

    #[test]
    fn the_option_is_read_in_both_spellings() {
        let invisible = Hiding { mode: Mode::Invisible, group: 0 };
        let ptraceable = Hiding { mode: Mode::Ptraceable, group: 0 };
        assert_eq!(hiding(",hidepid=invisible"), Some(invisible));
        assert_eq!(hiding(",hidepid=2"), Some(invisible));
        assert_eq!(hiding(",gid=7,hidepid=2"), Some(Hiding { group: 7, ..invisible }));
        assert_eq!(hiding(",hidepid=ptraceable"), Some(ptraceable));
        assert_eq!(hiding(",hidepid=noaccess"), None);
        assert_eq!(hiding(""), None);
    }

    #[test]
    fn the_topmost_mount_counts() {
        let twice = b"22 21 0:5 / /proc rw - proc proc rw,hidepid=2\n\
                      23 22 0:6 / /proc rw - proc proc rw\n";
        assert_eq!(parse_hiding(twice), None);
    }

    #[test]
    fn a_member_of_the_group_sees_everything_unless_only_ptrace_counts() {
        let member = Privilege { groups: vec![7], ..NOBODY };
        let invisible = Hiding { mode: Mode::Invisible, group: 7 };
        assert!(!invisible.hides_from(&member));
        assert!(invisible.hides_from(&NOBODY));
        assert!(Hiding { mode: Mode::Ptraceable, group: 7 }.hides_from(&member));
    }

    #[test]
    fn a_missing_process_1_is_a_gap() {
        assert!(hidden_processes(&[2, 3], &NOBODY).is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            parse_hiding(&bytes);
        }
    }
}
