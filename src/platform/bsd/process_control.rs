//! A process held by its number and the moment it started: neither kernel has a descriptor for
//! others' processes. Each look compares the moment again, so what is left is the instant between the
//! last look and the signal, in which the process would have to end and its number to come round.

use std::io;
use std::time::Duration;

use crate::platform::clock::Deadline;
use crate::platform::process_control::{Asker, ControlError, Ending};
use crate::process::{Pid, Uid};

/// How long to sleep between two looks at a process that is to end.
const PAUSE: Duration = Duration::from_millis(20);

/// `ESRCH`: no such process. `io::ErrorKind` has no word for it.
const NO_SUCH_PROCESS: i32 = 3;

/// The states of a process (`SSTOP`, `SZOMB`; sys/proc.h of both).
pub(in crate::platform) const STATE_STOPPED: u8 = 4;
pub(in crate::platform) const STATE_ZOMBIE: u8 = 5;

/// What one look at a process shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform) struct Seen {
    /// In the unit of [`crate::process::Process::start`].
    pub(in crate::platform) start: u64,
    pub(in crate::platform) parent: Option<Pid>,
    pub(in crate::platform) has_ended: bool,
    pub(in crate::platform) is_stopped: bool,
    pub(in crate::platform) is_kernels: bool,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform) enum Signal {
    Terminate,
    Kill,
    Continue,
}

/// What looks at processes and sends them signals.
pub(in crate::platform) trait Processes {
    fn look(&self, pid: Pid) -> io::Result<Seen>;
    fn send(&self, pid: Pid, signal: Signal) -> io::Result<()>;
}

/// The process, by what tells it from all others.
#[derive(Debug)]
pub(in crate::platform) struct Handle<P> {
    pid: Pid,
    start: u64,
    processes: P,
}

impl<P: Processes> Handle<P> {
    /// Holds the process that has this number and started then.
    pub(in crate::platform) fn open(
        processes: P,
        pid: Pid,
        start: u64,
    ) -> Result<Self, ControlError> {
        if pid.0 <= 1 {
            return Err(ControlError::Protected { pid });
        }
        let handle = Self { pid, start, processes };
        if handle.look()?.is_kernels {
            return Err(ControlError::Protected { pid });
        }
        Ok(handle)
    }

    fn look(&self) -> Result<Seen, ControlError> {
        let pid = self.pid;
        let seen = self.processes.look(pid).map_err(|error| refusal(pid, error))?;
        if seen.start != self.start {
            return Err(ControlError::NotThatProcess { pid });
        }
        if seen.has_ended { Err(ControlError::Gone) } else { Ok(seen) }
    }

    pub(in crate::platform) fn end(&self, how: Ending) -> Result<(), ControlError> {
        let seen = self.look()?;
        let send = |signal| {
            self.processes.send(self.pid, signal).map_err(|error| refusal(self.pid, error))
        };
        match how {
            Ending::Kill => send(Signal::Kill),
            Ending::Ask => {
                send(Signal::Terminate)?;
                if seen.is_stopped { send(Signal::Continue) } else { Ok(()) }
            }
        }
    }

    /// Looks until the process is not there any more, at most this long.
    pub(in crate::platform) fn has_ended_within(&self, patience: Duration) -> bool {
        let deadline = Deadline::after(patience);
        loop {
            match self.look() {
                Err(ControlError::Gone | ControlError::NotThatProcess { .. }) => return true,
                Ok(_) | Err(_) if deadline.has_passed() => return false,
                Ok(_) | Err(_) => std::thread::sleep(PAUSE.min(deadline.left())),
            }
        }
    }
}

fn refusal(pid: Pid, error: io::Error) -> ControlError {
    if error.raw_os_error() == Some(NO_SUCH_PROCESS) {
        ControlError::Gone
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        ControlError::NotPermitted { pid }
    } else {
        ControlError::Refused { pid, source: error }
    }
}

/// Returns who this process is.
pub(in crate::platform) fn asker(processes: &impl Processes, own: Pid, uid: u32) -> Asker {
    let mut lineage = vec![own];
    while let Some(last) = lineage.last()
        && let Ok(Seen { parent: Some(parent), .. }) = processes.look(*last)
        && !lineage.contains(&parent)
    {
        lineage.push(parent);
    }
    Asker { lineage, uid: Some(Uid(uid)), ..Asker::default() }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Process 70, stopped, which ends at the signal given; and what it was sent.
    #[derive(Debug)]
    struct Fake {
        seen: RefCell<Option<Seen>>,
        ends_at: Signal,
        sent: RefCell<Vec<Signal>>,
    }

    const SEEN: Seen = Seen {
        start: 1000,
        parent: Some(Pid(1)),
        has_ended: false,
        is_stopped: true,
        is_kernels: false,
    };

    fn fake(seen: Seen, ends_at: Signal) -> Fake {
        Fake { seen: RefCell::new(Some(seen)), ends_at, sent: RefCell::default() }
    }

    impl Processes for &Fake {
        fn look(&self, _pid: Pid) -> io::Result<Seen> {
            self.seen.borrow().ok_or_else(|| io::Error::from_raw_os_error(NO_SUCH_PROCESS))
        }

        fn send(&self, _pid: Pid, signal: Signal) -> io::Result<()> {
            self.sent.borrow_mut().push(signal);
            if signal == self.ends_at {
                self.seen.take();
            }
            Ok(())
        }
    }

    #[test]
    fn a_stopped_process_is_asked_continued_and_seen_to_end() {
        let fake = fake(SEEN, Signal::Continue);
        let handle = Handle::open(&fake, Pid(70), 1000).unwrap();
        assert!(!handle.has_ended_within(Duration::ZERO));
        handle.end(Ending::Ask).unwrap();
        assert_eq!(*fake.sent.borrow(), [Signal::Terminate, Signal::Continue]);
        assert!(handle.has_ended_within(Duration::from_secs(20)));
        assert!(matches!(handle.end(Ending::Kill), Err(ControlError::Gone)));
        assert_eq!(fake.sent.borrow().len(), 2, "nothing is sent to what is gone");
    }

    #[test]
    fn a_number_that_was_given_away_is_sent_nothing() {
        let fake = fake(SEEN, Signal::Kill);
        let error = Handle::open(&fake, Pid(70), 999).unwrap_err();
        assert!(matches!(error, ControlError::NotThatProcess { .. }));
        let handle = Handle::open(&fake, Pid(70), 1000).unwrap();
        fake.seen.replace(Some(Seen { start: 1001, ..SEEN }));
        let error = handle.end(Ending::Kill).unwrap_err();
        assert!(matches!(error, ControlError::NotThatProcess { .. }));
        assert!(fake.sent.borrow().is_empty());
        assert!(handle.has_ended_within(Duration::ZERO));
    }

    #[test]
    fn zombies_have_ended_and_the_first_process_and_the_kernels_are_protected() {
        let zombie = fake(Seen { has_ended: true, ..SEEN }, Signal::Kill);
        assert!(matches!(Handle::open(&zombie, Pid(70), 1000), Err(ControlError::Gone)));
        let kernels = fake(Seen { is_kernels: true, ..SEEN }, Signal::Kill);
        for (pid, fake) in [(Pid(70), &kernels), (Pid(1), &zombie), (Pid(0), &zombie)] {
            let error = Handle::open(fake, pid, 1000).unwrap_err();
            assert!(matches!(error, ControlError::Protected { .. }), "{pid}");
        }
    }

    /// By the numbers of UNIX: Windows' mean something else.
    #[cfg(unix)]
    #[test]
    fn refusals_are_told_apart() {
        let of = |number| refusal(Pid(7), io::Error::from_raw_os_error(number));
        assert!(matches!(of(1), ControlError::NotPermitted { .. }));
        assert!(matches!(of(3), ControlError::Gone));
        assert!(matches!(of(22), ControlError::Refused { .. }));
    }

    #[test]
    fn the_lineage_goes_up_and_ends() {
        let fake = fake(SEEN, Signal::Kill);
        assert_eq!(asker(&&fake, Pid(70), 501).lineage, [Pid(70), Pid(1)]);
    }
}
