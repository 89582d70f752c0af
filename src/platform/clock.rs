//! The one place that reads the clocks: time travels with the snapshot from here on.

use std::time::{Duration, Instant, SystemTime};

use crate::snapshot::Timestamp;

/// Returns the current time.
#[expect(clippy::disallowed_methods, reason = "the one place that is allowed to")]
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now())
}

/// A moment after which work that cannot be bounded otherwise is given up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

#[cfg_attr(
    not(any(target_os = "linux", feature = "cli")),
    expect(dead_code, reason = "only Linux has such work, and the command")
)]
#[expect(clippy::disallowed_methods, reason = "the one place that is allowed to")]
impl Deadline {
    /// Returns the moment that lies this far ahead.
    pub(crate) fn after(budget: Duration) -> Self {
        Self(Instant::now() + budget)
    }

    /// Returns true from that moment on.
    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }

    /// Returns how far ahead it still lies.
    #[cfg(feature = "cli")]
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
