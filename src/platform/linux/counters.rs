//! `/proc/net/netstat`: what the kernel has counted in this thread's network namespace since that began.

/// Returns how many connections were dropped because a listener's queue was full (`LINUX_MIB_LISTENOVERFLOWS`,
/// linux/net/ipv4/tcp_ipv4.c).
pub(crate) fn listen_overflows() -> Option<u64> {
    counter(
        &std::fs::read_to_string("/proc/thread-self/net/netstat").ok()?,
        "TcpExt",
        "ListenOverflows",
    )
}

/// Finds a counter: each group is a line of names and a line of numbers, both of which start with the name
/// of the group.
fn counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group)?.strip_prefix(": "));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let place = names.split(' ').position(|found| found == name)?;
    numbers.split(' ').nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_counter_is_found_by_its_name_in_its_group() {
        let text =
            "TcpExt: A ListenOverflows B\nTcpExt: 1 22 3\nIpExt: ListenOverflows\nIpExt: 4\n";
        assert_eq!(counter(text, "TcpExt", "ListenOverflows"), Some(22));
        assert_eq!(counter(text, "IpExt", "ListenOverflows"), Some(4));
        assert_eq!(counter(text, "TcpExt", "ListenDrops"), None);
        assert_eq!(counter("TcpExt: A\n", "TcpExt", "A"), None);
    }

    #[test]
    fn this_kernel_counts() {
        assert!(listen_overflows().is_some());
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _found = counter(&text, "TcpExt", "A");
        }
    }
}
