//! The kernel's settings: `/proc/sys`, of which `net` is that of the thread's network namespace.

use std::fs;
use std::ops::RangeInclusive;

use rustix::system::uname;

use crate::diagnose::{BindFacts, BindRequest, Target, Usage};
use crate::platform::limits::LocalPorts;
use crate::process::Pid;
use crate::socket::Interface;
use crate::text::Text;

/// Reads the settings of this thread's network namespace.
pub(super) fn read(request: &BindRequest, facts: &mut BindFacts) {
    facts.unprivileged_port_start = number("ipv4/ip_unprivileged_port_start");
    facts.bindv6only = flag("ipv6/bindv6only");
    facts.nonlocal_bind = flag("ipv4/ip_nonlocal_bind");
    facts.nonlocal_bind_v6 = flag("ipv6/ip_nonlocal_bind");
    facts.tcp_l3mdev_accept = flag("ipv4/tcp_l3mdev_accept");
    let LocalPorts { ephemeral, reserved } = local_ports();
    facts.ephemeral = ephemeral;
    facts.reserved = reserved;
    let scope = match &request.target {
        Target::Inet { scope, .. } => scope.as_ref(),
        Target::Unix(_) => None,
    };
    let links = [scope, request.device.as_ref()];
    let links = links.into_iter().flatten().filter_map(|Interface { name, .. }| name.clone());
    let names = ["all", "default", "lo"].map(Text::from).into_iter().chain(links);
    facts.ipv6_disabled = names.filter(|name| is_ipv6_disabled(name) == Some(true)).collect();
    facts.ipv6_disabled.dedup();
}

/// Reads which local ports the kernel has plans for.
pub(crate) fn local_ports() -> LocalPorts {
    LocalPorts {
        ephemeral: setting("ipv4/ip_local_port_range").as_deref().and_then(parse_range),
        reserved: setting("ipv4/ip_local_reserved_ports")
            .as_deref()
            .map(parse_ports)
            .unwrap_or_default(),
    }
}

/// Returns the open files of the machine and their limit (`proc_sys_fs(5)`).
pub(super) fn files() -> Option<Usage> {
    parse_files(&fs::read_to_string("/proc/sys/fs/file-nr").ok()?)
}

/// Returns the descriptors of a process and its soft limit of them; `None` when they may not be seen.
/// The limit is one of numbers: what a process has above it from earlier counts for nothing.
pub(super) fn descriptors(pid: Pid) -> Option<Usage> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let limit = parse_open_files(&limits)?;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok());
    Some(Usage { used: u64::try_from(numbers.filter(|fd| *fd < limit).count()).ok()?, limit })
}

/// Returns true for the kernels of WSL, which say so in their release: `5.15.90.1-microsoft-standard`.
pub(super) fn is_wsl() -> bool {
    uname().release().to_string_lossy().to_lowercase().contains("microsoft")
}

fn setting(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/sys/net/{name}")).ok()
}

fn number(name: &str) -> Option<u16> {
    setting(name)?.trim().parse().ok()
}

fn flag(name: &str) -> Option<bool> {
    number(name).map(|number| number != 0)
}

fn is_ipv6_disabled(interface: &Text) -> Option<bool> {
    let name = interface.as_str().filter(|name| !name.contains('/') && *name != "..")?;
    flag(&format!("ipv6/conf/{name}/disable_ipv6"))
}

/// Parses `ip_local_port_range`: the first and the last port.
fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut ports = text.split_ascii_whitespace().map(str::parse);
    Some(ports.next()?.ok()?..=ports.next()?.ok()?)
}

/// Parses `ip_local_reserved_ports`: `8080,9148-9150`.
fn parse_ports(list: &str) -> Vec<RangeInclusive<u16>> {
    let range = |ports: &str| {
        let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
        Some(from.parse().ok()?..=to.parse().ok()?)
    };
    list.trim().split(',').filter_map(range).collect()
}

/// Parses `file-nr`: how many are open, how many of these are unused, and the most there may be.
fn parse_files(text: &str) -> Option<Usage> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    let (used, limit) = (numbers.next()?.ok()?, numbers.nth(1)?.ok()?);
    Some(Usage { used, limit })
}

/// Parses the soft limit of open files of `/proc/PID/limits` (`proc_pid_limits(5)`), which always is a
/// number: there is no way to have none (`fs.nr_open`).
fn parse_open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_and_lists_of_ports_are_read() {
        assert_eq!(parse_range("32768\t60999\n"), Some(32768..=60999));
        assert_eq!(parse_range("32768\n"), None);
        assert_eq!(parse_ports("8080,9148-9150\n"), [8080..=8080, 9148..=9150]);
        assert_eq!(parse_ports("\n"), []);
    }

    #[test]
    fn limits_are_read() {
        let limits = |soft: &str| {
            format!("Limit   Soft Limit\nMax open files            {soft}   1048576   files\n")
        };
        assert_eq!(parse_open_files(&limits("1024")), Some(1024));
        assert_eq!(parse_open_files("Limit\n"), None);
        let usage = Usage { used: 1952, limit: 9_223_372 };
        assert_eq!(parse_files("1952\t0\t9223372\n"), Some(usage));
        assert!(!usage.is_exhausted());
    }

    #[test]
    fn this_very_process_has_descriptors_and_a_limit() {
        let own = descriptors(Pid(std::process::id())).unwrap();
        assert!(own.used > 2 && !own.is_exhausted(), "{own:?}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text: String) {
            parse_range(&text);
            parse_ports(&text);
            parse_files(&text);
            parse_open_files(&text);
        }
    }
}
