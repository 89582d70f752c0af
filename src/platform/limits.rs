//! How many descriptors this process may open, and which ports it may bind.

use std::io;
use std::ops::RangeInclusive;

/// What helps when binding a port is refused.
pub const PRIVILEGED_PORT_HINT: &str = if cfg!(target_os = "linux") {
    "choose a port from 1024 up, or lower the limit: sysctl net.ipv4.ip_unprivileged_port_start"
} else if cfg!(windows) {
    "the port may lie in an excluded range: netsh interface ipv4 show excludedportrange tcp"
} else {
    "choose a port from 1024 up, or run as root"
};

/// What helps when an address cannot be bound at all.
pub const NO_SUCH_ADDRESS_HINT: &str = "no interface of this machine has that address";

/// Raises the soft limit of open files to `wanted`, or as near to it as the hard limit allows, and
/// returns the limit then in force. `None` where the system has no such limit or it is not known
/// how to ask.
///
/// The usual soft limit of 1024 is for programs that call `select`; the hard one is there for those
/// that need more (<https://0pointer.net/blog/file-descriptor-limits.html>).
#[cfg(target_os = "linux")]
pub fn raise_open_files(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let soft = current?;
    let target = maximum.map_or(wanted, |hard| wanted.min(hard));
    if soft >= target {
        return Some(soft);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum }) {
        Ok(()) => Some(target),
        // The old limit is still in force, and that is what the caller is told.
        Err(_) => Some(soft),
    }
}

/// See the Linux version. Elsewhere the limit is left as it is.
#[cfg(not(target_os = "linux"))]
pub fn raise_open_files(_wanted: u64) -> Option<u64> {
    None
}

/// The local ports that the system has plans for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalPorts {
    /// Where it takes the ports of connecting sockets from; absent when that is not known.
    pub ephemeral: Option<RangeInclusive<u16>>,
    /// Which of these it leaves to programs that ask for them by number.
    pub reserved: Vec<RangeInclusive<u16>>,
}

/// Reads them: `ip_local_port_range` and `ip_local_reserved_ports` of this network namespace, which
/// count for IPv6 too (`ip(7)`; linux/Documentation/networking/ip-sysctl.rst).
#[cfg(target_os = "linux")]
pub fn local_ports() -> LocalPorts {
    super::linux::bind_facts::local_ports()
}

/// See the Linux version. Nothing is asked elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn local_ports() -> LocalPorts {
    LocalPorts::default()
}

/// Returns whether an operation failed because this process (`EMFILE`) or the machine (`ENFILE`) has
/// too many files open. `io::ErrorKind` has no word for it; the numbers are the same on Linux, macOS
/// and the BSDs, and Winsock has its own.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    let numbers: &[i32] = if cfg!(windows) { &[10_024] } else { &[23, 24] };
    error.raw_os_error().is_some_and(|number| numbers.contains(&number))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_lower_wish_changes_nothing() {
        let before = raise_open_files(0);
        assert!(before.is_some_and(|limit| limit > 0));
        assert_eq!(raise_open_files(1), before);
    }

    #[test]
    fn running_out_of_descriptors_is_told_from_other_failures() {
        assert!(is_out_of_descriptors(&io::Error::from_raw_os_error(24)));
        assert!(!is_out_of_descriptors(&io::Error::from_raw_os_error(13)));
    }
}
