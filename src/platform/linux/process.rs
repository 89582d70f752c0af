//! What Linux tells of a process: four files of its directory in `/proc` (`proc(5)`), which is opened
//! once, so that all that is said is of one process, whoever gets its number next.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::io;
use rustix::time::{ClockId, clock_gettime};

use super::command::command;
use super::owners::each_of;
use super::process_details;
use super::stat::{parse_name, parse_stat};
use crate::platform::clock;
use crate::process::{Pid, Process, Uid};
use crate::snapshot::Timestamp;
use crate::text::Text;

/// So many processes are read in the time that a thread takes to start.
const A_THREADS_WORTH: usize = 8;

/// Returns what is known of each of the processes, which are read on several threads where they are
/// many.
pub(crate) fn read_some(pids: &BTreeSet<Pid>, details: bool) -> Vec<(Pid, Option<Process>)> {
    let pids: Vec<Pid> = pids.iter().copied().collect();
    each_of(&pids, A_THREADS_WORTH, |pid| {
        let mut process = Process::new(pid);
        complete(&mut process, details).ok()?;
        Some(process)
    })
}

/// Fills in what the process's own files say, with `details` also its [`process_details`]; what was
/// known before stays where they cannot be read.
///
/// # Errors
///
/// When not even what everybody may read could be: it has ended, or is hidden.
pub(crate) fn complete(process: &mut Process, details: bool) -> io::Result<()> {
    // Seconds: another unit than everybody else's here.
    process.start = None;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, format!("/proc/{}", process.pid), flags, Mode::empty())?;
    let mut buffer = Vec::with_capacity(4096);

    read_file(&directory, c"stat", &mut buffer)?;
    let stat = parse_stat(&buffer).ok_or(io::Errno::IO)?;
    process.ppid = (stat.ppid != 0).then_some(Pid(stat.ppid));
    process.start = Some(stat.start);
    process.started_at = started_at(clock::now(), stat.start);
    let mut comm = parse_name(&buffer).unwrap_or_default().to_vec();
    // Before Linux 4.18 it is written with escapes here.
    if comm.contains(&b'\\') && read_file(&directory, c"comm", &mut buffer).is_ok() {
        comm.clear();
        comm.extend(buffer.strip_suffix(b"\n").unwrap_or(&buffer));
    }

    if read_file(&directory, c"status", &mut buffer).is_ok() {
        process.uid = parse_uid(&buffer).or(process.uid);
        process.nspid = parse_nspid(&buffer);
    }
    let argv = read_file(&directory, c"cmdline", &mut buffer).map(|()| parse_cmdline(&buffer));
    let argv = argv.unwrap_or_default();
    let exe = read_link(&directory, c"exe");
    let path = exe.as_deref().map(|exe| exe.strip_suffix(process_details::DELETED).unwrap_or(exe));
    process.command =
        Some(command(&comm, path, &argv)).filter(|name| !name.is_empty()).map(Text::new);
    process.comm = Some(Text::from(comm));
    process.argv = Some(argv).filter(|argv| !argv.is_empty());
    if details {
        process_details::read(process, &directory, &stat, exe, &mut buffer);
    }
    Ok(())
}

/// Reads a link of a process's directory; `None` when it may not be read.
pub(super) fn read_link(directory: &OwnedFd, name: &CStr) -> Option<Vec<u8>> {
    Some(readlinkat(directory, name, Vec::new()).ok()?.into_bytes())
}

/// Reads a file of a process's directory. The kernel makes it at each read, whole as far as there is
/// room: a read that leaves room was the last.
pub(super) fn read_file(directory: &OwnedFd, name: &CStr, buffer: &mut Vec<u8>) -> io::Result<()> {
    let file = openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    buffer.clear();
    loop {
        buffer.reserve(1024);
        let room = buffer.capacity() - buffer.len();
        if io::read(&file, spare_capacity(buffer))? < room {
            return Ok(());
        }
    }
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
    numbers(status, b"NSpid:")?.skip(1).last()?.parse().ok().map(Pid)
}

/// Parses the line `Uid`: the real, the effective, the saved user, and the one for files.
fn parse_uid(status: &[u8]) -> Option<Uid> {
    numbers(status, b"Uid:")?.nth(1)?.parse().ok().map(Uid)
}

/// Returns the words of the line of `/proc/PID/status` that begins so.
fn numbers<'a>(status: &'a [u8], name: &[u8]) -> Option<impl Iterator<Item = &'a str>> {
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name))?;
    Some(std::str::from_utf8(line).ok()?.split_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests start programs")]

    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;
    use proptest::prelude::*;

    /// Runs a Python program until it says something, describes it, and ends it.
    fn describe(command: &mut Command) -> (String, Process) {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = Pid(child.id());
        let mut processes = read_some(&[pid].into(), false);
        // The other way to the same facts: sysinfo's, completed.
        #[cfg(feature = "portable")]
        let portable = crate::platform::process::read(&[pid].into(), false);
        drop(child.stdin.take());
        child.wait().unwrap();
        let (_, process) = processes.remove(0);
        #[cfg(feature = "portable")]
        if let Some(process) = &process {
            let same_start = portable.0[0].started_at;
            assert_eq!(
                portable,
                (vec![Process { started_at: same_start, ..process.clone() }], None)
            );
        }
        (line.trim_end().to_owned(), process.unwrap())
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
        // The kernel counts in hundredths of a second, and a busy machine takes its time between the
        // looks at the two clocks; who confuses them is off by the age of the machine.
        let slack = Duration::from_secs(2);
        let before = clock::now().0;
        let (_, process) = describe(&mut python(""));
        let started = process.started_at.unwrap().0;
        assert!(before - slack <= started && started <= clock::now().0 + slack, "{started:?}");
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

    #[test]
    fn the_effective_user_is_the_second_number() {
        assert_eq!(parse_uid(b"Name:\tUid:\t9\nUid:\t1\t2\t3\t4\n"), Some(Uid(2)));
        assert_eq!(parse_uid(b"Uid:\t1\n"), None);
    }

    #[test]
    fn arguments_longer_than_the_buffer_are_read_to_their_end() {
        let word = "x".repeat(10_000);
        let (_, process) = describe(python("").arg(&word).arg("last"));
        assert_eq!(process.argv.unwrap()[3..], [Text::from(word), Text::from("last")]);
    }

    #[test]
    fn many_processes_are_read_in_the_order_of_their_numbers() {
        let pids: BTreeSet<Pid> = super::super::owners::pids().unwrap().into_iter().collect();
        let read = read_some(&pids, true);
        assert_eq!(read.iter().map(|(pid, _)| *pid).collect::<BTreeSet<_>>(), pids);
        assert!(read.is_sorted_by_key(|(pid, _)| *pid));
        let own = read.iter().find(|(pid, _)| *pid == Pid(std::process::id()));
        assert!(own.unwrap().1.as_ref().unwrap().cgroup.is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes: Vec<u8>) {
            parse_cmdline(&bytes);
            parse_uid(&bytes);
            parse_name(&bytes);
            parse_nspid(&bytes);
        }
    }
}
