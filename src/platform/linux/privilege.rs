//! What this process may see of others, and what would let it see more.

use rustix::process::{getegid, geteuid, getgroups};
use rustix::thread::{CapabilitySet, capabilities};

/// The rights that reading other processes' descriptors takes: passing the permission bits of
/// `/proc/PID/fd`, and the ptrace check on each link in it (`ptrace(2)`, "Ptrace access mode
/// checking").
const NEEDED: CapabilitySet = CapabilitySet::SYS_PTRACE.union(CapabilitySet::DAC_READ_SEARCH);

/// What this process may see of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Privilege {
    /// Runs as user 0 (of its user namespace).
    pub(crate) is_root: bool,
    /// Has `CAP_SYS_PTRACE`: no process is hidden from it.
    pub(crate) may_ptrace: bool,
    /// Has every capability that reading all descriptors takes.
    pub(crate) may_read_all: bool,
    /// Runs in a user namespace of its own: its capabilities do not reach processes outside.
    pub(crate) is_confined: bool,
    /// The groups it is in.
    pub(crate) groups: Vec<u32>,
}

impl Privilege {
    /// Reads this thread's own privilege.
    pub(crate) fn read() -> Self {
        let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let may_override = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_OVERRIDE;
        Self {
            is_root: geteuid().is_root(),
            may_ptrace: effective.contains(CapabilitySet::SYS_PTRACE),
            may_read_all: effective.contains(NEEDED) || effective.contains(may_override),
            is_confined: std::fs::read("/proc/self/uid_map").is_ok_and(|map| !maps_everybody(&map)),
            groups: getgroups()
                .unwrap_or_default()
                .into_iter()
                .chain([getegid()])
                .map(rustix::process::Gid::as_raw)
                .collect(),
        }
    }

    /// Returns what the user can do to see the descriptors of more processes; `None` when nothing
    /// is known to help.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self { is_root: false, .. } => Some("run as root (sudo) to see other users' processes"),
            Self { is_confined: true, .. } => {
                Some("run outside this user namespace: its root is not the machine's")
            }
            Self { may_read_all: false, .. } => Some(
                "grant this root CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (docker run \
                 --cap-add SYS_PTRACE --cap-add DAC_READ_SEARCH)",
            ),
            // Everything is granted: a security module refuses.
            Self { .. } => None,
        }
    }
}

/// Returns true for the map of the initial user namespace: all 2^32-1 users, each onto itself
/// (`user_namespaces(7)`).
fn maps_everybody(uid_map: &[u8]) -> bool {
    let fields = uid_map.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    fields.eq([b"0".as_slice(), b"0", b"4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Privilege = Privilege {
        is_root: true,
        may_ptrace: true,
        may_read_all: true,
        is_confined: false,
        groups: Vec::new(),
    };

    #[test]
    fn only_who_is_not_root_is_told_to_become_root() {
        let nobody = Privilege { is_root: false, may_ptrace: false, may_read_all: false, ..ROOT };
        let in_container = Privilege { may_ptrace: false, may_read_all: false, ..ROOT };
        let in_user_namespace = Privilege { is_confined: true, ..ROOT };
        assert!(nobody.hint().unwrap().contains("run as root"));
        assert!(in_container.hint().unwrap().contains("CAP_SYS_PTRACE"));
        assert!(in_user_namespace.hint().unwrap().contains("user namespace"));
        assert_eq!(ROOT.hint(), None);
    }

    #[test]
    fn the_initial_user_namespace_is_told_by_its_map() {
        assert!(maps_everybody(b"         0          0 4294967295\n"));
        assert!(!maps_everybody(b"         0          0 1\n"));
        assert!(!maps_everybody(b"         0       1000          1\n"));
        assert!(!maps_everybody(b"0 0 4294967294\n4294967294 4294967294 1\n"));
        assert!(!maps_everybody(b""));
    }
}
