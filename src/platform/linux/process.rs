//! What Linux tells of a process beyond sysinfo: the start in clock ticks, the short name as it is
//! (sysinfo has the escaped form of `stat`), every argument, the name a person knows it by, and its
//! number in its container.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::command::command;
use super::stat::read_stat;
use crate::platform::clock;
use crate::process::{Pid, Process};
use crate::snapshot::Timestamp;
use crate::text::Text;

/// Completes what sysinfo told. `exe` is the program's path, without the kernel's ` (deleted)`.
pub(crate) fn refine(process: &mut Process, exe: Option<&Path>) {
    let Pid(pid) = process.pid;
    // A file that cannot be read is of a process that has just ended, whose descriptors are gone
    // too: what is known of it stays.
    if let Ok(Some(stat)) = read_stat(pid) {
        process.ppid = (stat.ppid != 0).then_some(Pid(stat.ppid));
        process.start = Some(stat.start);
        process.started_at = started_at(clock::now(), stat.start);
    } else {
        // Seconds: another unit than everybody else's here.
        process.start = None;
    }
    let status = std::fs::read(format!("/proc/{pid}/status"));
    process.nspid = status.ok().and_then(|status| parse_nspid(&status));
    let argv = std::fs::read(format!("/proc/{pid}/cmdline")).map(|line| parse_cmdline(&line));
    let argv = argv.unwrap_or_default();
    if let Ok(comm) = std::fs::read(format!("/proc/{pid}/comm")) {
        let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
        let exe = exe.map(|exe| exe.as_os_str().as_bytes());
        process.comm = Some(Text::new(comm));
        process.command =
            Some(command(comm, exe, &argv)).filter(|name| !name.is_empty()).map(Text::new);
    }
    process.argv = Some(argv).filter(|argv| !argv.is_empty());
}

/// Returns the moment so many clock ticks after boot. Counted back from now: what is said of a
/// process's age is right then, also when the clock on the wall was set since boot.
fn started_at(now: Timestamp, ticks: u64) -> Option<Timestamp> {
    let per_second = rustix::param::clock_ticks_per_second();
    let start = Duration::from_millis(ticks.checked_mul(1000)?.checked_div(per_second)?);
    let up = Duration::try_from(clock_gettime(ClockId::Boottime)).ok()?;
    now.0.checked_sub(up.checked_sub(start)?).map(Timestamp)
}

/// Parses `/proc/PID/cmdline`: each argument ends with a NUL (`proc_pid_cmdline(5)`). A process that
/// rewrites its title pads the rest with NULs: empty arguments at the end are dropped.
fn parse_cmdline(line: &[u8]) -> Vec<Text> {
    let end = line.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    match line.get(..end) {
        Some([]) | None => Vec::new(),
        Some(line) => line.split(|&byte| byte == 0).map(Text::new).collect(),
    }
}

/// Parses the line `NSpid` of `/proc/PID/status` (`proc_pid_status(5)`): the process's number in each
/// PID namespace, from ours to its own. `None` when these are one.
fn parse_nspid(status: &[u8]) -> Option<Pid> {
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"))?;
    let numbers = std::str::from_utf8(line).ok()?.split_ascii_whitespace().skip(1);
    numbers.last()?.parse().ok().map(Pid)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests start programs")]

    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::platform::process::read;
    use crate::process::Uid;
    use proptest::prelude::*;

    /// Runs a Python program until it says something, describes it, and ends it.
    fn describe(command: &mut Command) -> (String, Process) {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (mut processes, gap) = read(&[Pid(child.id())].into(), false);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(gap, None);
        (line.trim_end().to_owned(), processes.remove(0))
    }

    fn python(program: &str) -> Command {
        let mut command = Command::new("python3");
        command.args([
            "-c",
            &format!("import os, sys\n{program}\nprint(flush=True)\nsys.stdin.read()"),
        ]);
        command
    }

    #[test]
    fn a_hostile_name_is_kept_byte_by_byte() {
        let name = b"a)b\n\x1b[31m\xff\\ \n";
        let set = r"open('/proc/self/comm', 'wb').write(b'a)b\n\x1b[31m\xff\\ \n')";
        let (_, process) = describe(&mut python(set));
        assert_eq!(process.comm, Some(Text::new(name.as_slice())));
        assert!(process.command.unwrap().to_lossy().starts_with("python3"));
    }

    #[test]
    fn the_facts_of_a_child_are_right() {
        let tell = "stat = open('/proc/self/stat').read().rsplit(')', 1)[1].split()\n\
                    print(os.getpid(), stat[19])";
        let (told, process) = describe(python(tell).args(["", "x y"]));
        assert_eq!(format!("{} {}", process.pid, process.start.unwrap()), told);
        assert_eq!(process.ppid, Some(Pid(std::process::id())));
        assert_eq!(process.uid, Some(Uid(rustix::process::geteuid().as_raw())));
        assert_eq!(process.argv.unwrap()[3..], [Text::from(""), Text::from("x y")]);
    }

    #[test]
    fn a_child_started_between_before_and_after() {
        // The kernel counts in hundredths of a second, and rounds down.
        let tick = Duration::from_millis(10);
        let before = clock::now().0 - tick;
        let (_, process) = describe(&mut python(""));
        let started = process.started_at.unwrap().0;
        assert!(before - tick <= started && started <= clock::now().0, "{started:?}");
    }

    #[test]
    fn a_process_of_the_future_has_no_start() {
        assert_eq!(started_at(clock::now(), u64::MAX), None);
        assert_eq!(started_at(clock::now(), u64::MAX / 1000), None);
    }

    #[test]
    fn the_user_is_the_effective_one() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: needs root, to become another user");
            assert!(std::env::var_os("SOCKSCOPE_REQUIRE_ALL").is_none());
            return;
        }
        let (_, process) = describe(&mut python("os.seteuid(65534)"));
        assert_eq!(process.uid, Some(Uid(65534)));
    }

    #[test]
    fn a_process_whose_thread_renamed_it_goes_by_its_program() {
        let set = "open('/proc/self/comm', 'w').write('MainThread')";
        let (_, process) = describe(&mut python(set));
        assert_eq!(process.comm, Some(Text::from("MainThread")));
        assert!(process.command.unwrap().to_lossy().starts_with("python3"));
    }

    #[test]
    fn arguments_end_with_a_nul_each() {
        let argv = |line: &[u8]| parse_cmdline(line);
        assert_eq!(argv(b"a\0\0b c\0"), [Text::from("a"), Text::from(""), Text::from("b c")]);
        assert_eq!(argv(b"nginx: worker process\0\0\0\0"), [Text::from("nginx: worker process")]);
        assert_eq!(argv(b"no end"), [Text::from("no end")]);
        assert_eq!(argv(b"\0\0"), []);
        assert_eq!(argv(b""), []);
    }

    #[test]
    fn a_process_in_a_container_has_its_innermost_number_too() {
        assert_eq!(parse_nspid(b"Name:\tx\nNSpid:\t4711\t12\t3\nNSpgid:\t9\t8\n"), Some(Pid(3)));
        assert_eq!(parse_nspid(b"Name:\tNSpid:\nNSpid:\t4711\n"), None);
        assert_eq!(parse_nspid(b"Name:\tx\n"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes: Vec<u8>) {
            parse_cmdline(&bytes);
            parse_nspid(&bytes);
        }
    }
}
