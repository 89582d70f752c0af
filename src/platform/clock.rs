//! The one place that reads the clocks: time travels with the snapshot from here on.

use std::time::{Duration, Instant, SystemTime};

use crate::snapshot::Timestamp;

/// Returns the current time.
#[expect(clippy::disallowed_methods, reason = "the one place that is allowed to")]
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now())
}

/// A moment after which work that cannot be bounded otherwise is given up; `None` when it lies beyond all
/// that the clock can tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

#[cfg_attr(
    not(any(
        test,
        target_os = "linux",
        target_os = "macos",
        target_os = "freebsd",
        feature = "cli"
    )),
    expect(dead_code, reason = "only Linux and the commands have such work")
)]
#[expect(clippy::disallowed_methods, reason = "the one place that is allowed to")]
impl Deadline {
    /// Returns the moment that lies this far ahead.
    pub(crate) fn after(budget: Duration) -> Self {
        Self(Instant::now().checked_add(budget))
    }

    /// Returns true from that moment on.
    pub(crate) fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// Returns how far ahead it still lies.
    pub(crate) fn left(self) -> Duration {
        let until = |end: Instant| end.saturating_duration_since(Instant::now());
        self.0.map_or(Duration::MAX, until)
    }
}

/// Waits, for a test, until this holds: what was closed goes a moment later when a program that another
/// test is just starting has it too, or whoever lists descriptors looks at it.
///
/// # Panics
///
/// When it does not hold after a minute.
#[cfg(test)]
#[track_caller]
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = Deadline::after(Duration::from_mins(1));
    while !holds() {
        assert!(!deadline.has_passed(), "not so after a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs something, and returns how long it took besides.
#[cfg(feature = "cli")]
#[expect(clippy::disallowed_methods, reason = "the one place that is allowed to")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}
