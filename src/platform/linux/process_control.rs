//! A process held by a descriptor of its own (`pidfd_open(2)`): whatever is sent through it reaches that
//! process or none.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{self, PidfdFlags, Signal, geteuid, getpid, pidfd_open, pidfd_send_signal};
use rustix::thread::{CapabilitySet, capabilities};

use super::stat::read_stat;
use crate::cgroup::Cgroup;
use crate::platform::process_control::{Asker, ControlError, Ending};
use crate::process::{Pid, Uid};

/// The descriptor, and the number it was opened by.
#[derive(Debug)]
pub(crate) struct Handle {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Handle {
    /// Opens the process that has this number and started at this tick.
    ///
    /// First the descriptor, then the look: as long as the descriptor's process is there, its number is
    /// nobody else's, so what was read under that number was read of it.
    pub(crate) fn open(pid: Pid, start: u64) -> Result<Self, ControlError> {
        if pid == Pid(1) {
            return Err(ControlError::Protected { pid });
        }
        let number = i32::try_from(pid.0).ok().and_then(process::Pid::from_raw);
        let number = number.ok_or(ControlError::NotThatProcess { pid })?;
        let pidfd = pidfd_open(number, PidfdFlags::empty()).map_err(|errno| refusal(pid, errno))?;
        let handle = Self { pid, pidfd };
        let read = read_stat(pid.0).map_err(|errno| match errno {
            Errno::NOENT | Errno::SRCH => ControlError::Gone,
            errno => refusal(pid, errno),
        })?;
        let process = read.ok_or(ControlError::NotThatProcess { pid })?;
        if handle.has_ended_within(Duration::ZERO) {
            return Err(ControlError::Gone);
        }
        if process.start != start || handle.number() != Some(pid) {
            return Err(ControlError::NotThatProcess { pid });
        }
        if process.is_kernel_thread() {
            return Err(ControlError::Protected { pid });
        }
        Ok(handle)
    }

    /// Returns the number of the process in the namespace that `/proc` is of, which is where all our
    /// numbers are from; it need not be the one we are in (`pidfd_open(2)`, `pid_namespaces(7)`).
    fn number(&self) -> Option<Pid> {
        let info =
            fs::read_to_string(format!("/proc/self/fdinfo/{}", self.pidfd.as_raw_fd())).ok()?;
        parse_number(&info)
    }

    pub(crate) fn end(&self, how: Ending) -> Result<(), ControlError> {
        let pid = self.pid;
        let send =
            |signal| pidfd_send_signal(&self.pidfd, signal).map_err(|errno| refusal(pid, errno));
        match how {
            Ending::Kill => send(Signal::KILL),
            Ending::Ask => {
                send(Signal::TERM)?;
                let is_stopped =
                    read_stat(pid.0).is_ok_and(|stat| stat.is_some_and(|stat| stat.state == b'T'));
                if is_stopped { send(Signal::CONT) } else { Ok(()) }
            }
        }
    }

    /// Waits until the descriptor can be read, which is when all of its threads have ended.
    pub(crate) fn has_ended_within(&self, patience: Duration) -> bool {
        let timeout = Timespec::try_from(patience).ok();
        let mut wanted = [PollFd::new(&self.pidfd, PollFlags::IN)];
        retry_on_intr(|| poll(&mut wanted, timeout.as_ref())).is_ok_and(|ready| ready > 0)
    }
}

fn refusal(pid: Pid, errno: Errno) -> ControlError {
    match errno {
        Errno::SRCH => ControlError::Gone,
        Errno::PERM | Errno::ACCESS => ControlError::NotPermitted { pid },
        errno => ControlError::Refused { pid, source: errno.into() },
    }
}

/// Parses the line `Pid` of a pidfd's `fdinfo`; `None` when the process is gone (-1), or of no
/// namespace that this `/proc` shows (0).
fn parse_number(info: &str) -> Option<Pid> {
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    number.trim().parse().ok().filter(|&number| number > 0).map(Pid)
}

/// Returns who this process is.
pub(crate) fn asker() -> Asker {
    let own = fs::read_link("/proc/self").ok();
    // Its number where `/proc` is from; see [`Handle::number`].
    let own = own.and_then(|link| link.to_str()?.parse().ok()).map(Pid);
    let own = own.unwrap_or_else(|| Pid(getpid().as_raw_nonzero().get().unsigned_abs()));
    let mut lineage = vec![own];
    while let Some(&Pid(last)) = lineage.last()
        && let Ok(Some(stat)) = read_stat(last)
        && stat.ppid != 0
        && !lineage.contains(&Pid(stat.ppid))
    {
        lineage.push(Pid(stat.ppid));
    }
    let membership = fs::read("/proc/self/cgroup").unwrap_or_default();
    let effective = capabilities(None).map(|sets| sets.effective);
    Asker {
        lineage,
        cgroup: Cgroup::of_process(&membership),
        uid: Some(Uid(geteuid().as_raw())),
        may_destroy: effective.ok().map(|rights| rights.contains(CapabilitySet::NET_ADMIN)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests start programs")]

    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command};

    use super::*;

    /// Long enough for any machine, and never waited for.
    const LONG: Duration = Duration::from_secs(20);

    /// A process that does nothing, and ends with the test whatever happens.
    struct Sleeper {
        child: Child,
        pid: Pid,
        start: u64,
    }

    impl Sleeper {
        fn start() -> Self {
            let child = Command::new("sleep").arg("600").spawn().unwrap();
            let mut sleeper = Self { pid: Pid(child.id()), child, start: 0 };
            sleeper.start = read_stat(sleeper.pid.0).unwrap().unwrap().start;
            sleeper
        }

        fn handle(&self) -> Handle {
            Handle::open(self.pid, self.start).unwrap()
        }

        fn end(&mut self) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            // It may have ended by itself.
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }

    #[test]
    fn a_process_is_asked_and_its_end_is_seen() {
        let mut sleeper = Sleeper::start();
        let handle = sleeper.handle();
        assert!(!handle.has_ended_within(Duration::ZERO));
        handle.end(Ending::Ask).unwrap();
        assert!(handle.has_ended_within(LONG));
        assert_eq!(sleeper.child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    }

    #[test]
    fn a_process_that_started_at_another_time_is_another() {
        let sleeper = Sleeper::start();
        for other in [sleeper.start - 1, sleeper.start + 1, 0] {
            let error = Handle::open(sleeper.pid, other).unwrap_err();
            assert!(matches!(error, ControlError::NotThatProcess { .. }), "{error}");
        }
    }

    #[test]
    fn what_has_ended_is_gone_and_nothing_is_sent_to_anybody() {
        let mut sleeper = Sleeper::start();
        let handle = sleeper.handle();
        sleeper.end();
        assert!(matches!(handle.end(Ending::Ask), Err(ControlError::Gone)));
        let again = Handle::open(sleeper.pid, sleeper.start);
        assert!(matches!(again, Err(ControlError::Gone)));
    }

    #[test]
    fn what_has_ended_and_nobody_has_asked_after_is_gone() {
        let mut sleeper = Sleeper::start();
        let handle = sleeper.handle();
        sleeper.child.kill().unwrap();
        assert!(handle.has_ended_within(LONG));
        let again = Handle::open(sleeper.pid, sleeper.start);
        assert!(matches!(again, Err(ControlError::Gone)));
    }

    #[test]
    fn a_stopped_process_is_continued_so_that_it_can_end() {
        let sleeper = Sleeper::start();
        let handle = sleeper.handle();
        pidfd_send_signal(&handle.pidfd, Signal::STOP).unwrap();
        while read_stat(sleeper.pid.0).unwrap().unwrap().state != b'T' {
            std::thread::yield_now();
        }
        handle.end(Ending::Ask).unwrap();
        assert!(handle.has_ended_within(LONG));
    }

    #[test]
    fn the_first_process_and_the_kernel_are_protected() {
        let stat = |pid| read_stat(pid).ok().flatten();
        for pid in [1, 2] {
            let Some(stat) = stat(pid).filter(|stat| pid == 1 || stat.is_kernel_thread()) else {
                continue;
            };
            let error = Handle::open(Pid(pid), stat.start).unwrap_err();
            assert!(matches!(error, ControlError::Protected { .. }), "{error}");
        }
    }

    #[test]
    fn the_number_is_where_proc_is_from_and_an_end_is_told() {
        assert_eq!(parse_number("pos:\t0\nPid:\t4711\nNSpid:\t4711\t5\n"), Some(Pid(4711)));
        assert_eq!(parse_number("pos:\t0\nPid:\t-1\n"), None);
        assert_eq!(parse_number("Pid:\t0\n"), None);
        assert_eq!(parse_number(""), None);
    }

    #[test]
    fn the_lineage_begins_here_and_goes_up() {
        let lineage = asker().lineage;
        let parent = std::os::unix::process::parent_id();
        assert_eq!(lineage[..2], [Pid(std::process::id()), Pid(parent)]);
    }
}
