//! The one place that reads the wall clock: time travels with the snapshot from here on.

use std::time::SystemTime;

use crate::snapshot::Timestamp;

/// Returns the current time.
#[expect(clippy::disallowed_methods, reason = "the one place that is allowed to")]
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now())
}
