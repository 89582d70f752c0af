//! All integration tests, in one binary.
#![expect(clippy::disallowed_methods, reason = "tests start programs and read clocks")]
