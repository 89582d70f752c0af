//! `/proc/PID/stat`: the facts of a process that everybody may read (`proc_pid_stat(5)`).

use std::collections::BTreeSet;

use rustix::io::{self, Errno};

use crate::process::Pid;

/// The flag of kernel threads (`PF_KTHREAD`, linux/include/linux/sched.h).
const PF_KTHREAD: u32 = 0x0020_0000;

/// What sockscope needs of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Field 3: one letter, `Z` for a zombie, `T` for one that is stopped.
    pub(crate) state: u8,
    /// Field 4: the parent's number, 0 for none.
    pub(crate) ppid: u32,
    /// Field 6: the process that leads the session.
    pub(crate) session: u32,
    /// Field 9: `PF_*` flags.
    pub(crate) flags: u32,
    /// Field 20: how many threads live, an exited leader counted until the last one is gone.
    pub(crate) threads: u32,
    /// Field 22: the start time in clock ticks since boot.
    pub(crate) start: u64,
}

impl Stat {
    /// Returns true for a thread of the kernel, which has neither program nor descriptors.
    pub(crate) const fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    /// Returns true for a process that a signal or a debugger has stopped.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    /// Returns true when the first thread has exited. Others may live on: see [`Stat::threads`].
    pub(crate) const fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// Returns which of these processes are stopped: by a signal (`T`) or a debugger (`t`).
pub(crate) fn stopped(pids: &BTreeSet<Pid>) -> BTreeSet<Pid> {
    let state = |pid: &Pid| Some(read_stat(pid.0).ok()??.state);
    pids.iter().filter(|pid| matches!(state(pid), Some(b'T' | b't'))).copied().collect()
}

/// Reads and parses `/proc/PID/stat` of a process or thread.
pub(crate) fn read_stat(pid: u32) -> io::Result<Option<Stat>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => Ok(parse_stat(&stat)),
        Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
    }
}

/// Returns the second field of `/proc/PID/stat`, the short name.
pub(crate) fn parse_name(line: &[u8]) -> Option<&[u8]> {
    let begin = line.iter().position(|&byte| byte == b'(')? + 1;
    line.get(begin..line.iter().rposition(|&byte| byte == b')')?)
}

/// Parses `/proc/PID/stat`; `None` when it is cut short or no such file.
///
/// The second field is the short name in parentheses; it may hold spaces and `)` itself, so counting
/// starts after the last `)`.
pub(crate) fn parse_stat(line: &[u8]) -> Option<Stat> {
    let end_of_name = line.iter().rposition(|&byte| byte == b')')?;
    let mut fields =
        std::str::from_utf8(line.get(end_of_name + 1..)?).ok()?.split_ascii_whitespace();
    // Each `nth` skips from the field taken before it.
    let state = *fields.next()?.as_bytes().first()?; // 3
    let ppid = fields.next()?.parse().ok()?; // 4
    let session = fields.nth(1)?.parse().ok()?; // 6
    let flags = fields.nth(2)?.parse().ok()?; // 9
    let threads = fields.nth(10)?.parse().ok()?; // 20
    let start = fields.nth(1)?.parse().ok()?; // 22
    Some(Stat { state, ppid, session, flags, threads, start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(name: &str) -> Vec<u8> {
        format!(
            "4711 ({name}) S 42 4711 4710 0 -1 4194560 21 0 0 0 1 2 0 0 20 0 7 0 98765 241664 53 \
             18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        )
        .into_bytes()
    }

    #[test]
    fn the_fields_are_counted_after_the_name_whatever_it_holds() {
        let (ppid, session, flags) = (42, 4710, 4_194_560);
        let expected = Stat { state: b'S', ppid, session, flags, threads: 7, start: 98765 };
        for name in ["sleep", "a) S 1 (b", ") R 9 9 9", "", "a b  c", "((", "))"] {
            assert_eq!(parse_stat(&line(name)), Some(expected), "{name:?}");
        }
    }

    #[test]
    fn a_kernel_thread_is_told_by_its_flag() {
        let kthreadd = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 2 0 0 0\n";
        assert!(parse_stat(kthreadd).unwrap().is_kernel_thread());
        assert!(!parse_stat(&line("sleep")).unwrap().is_kernel_thread());
    }

    #[test]
    fn this_very_process_can_be_read() {
        let stat = parse_stat(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        assert_eq!(stat.ppid, std::os::unix::process::parent_id());
        assert!(stat.start > 0 && stat.threads > 0);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            parse_stat(&bytes);
        }

        #[test]
        fn a_cut_line_is_none_or_right(cut in 0usize..200) {
            let whole = line("x");
            let cut = cut.min(whole.len());
            if let Some(stat) = parse_stat(&whole[..cut]) {
                prop_assert_eq!(stat.ppid, 42);
                prop_assert_eq!(stat.threads, 7);
            }
        }
    }
}
