//! What integration tests share: the built command, and loud skips.

use std::process::{Command, Output, Stdio};

/// The command under test, with a clean environment.
pub(crate) fn sockscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockscope"));
    command.env_clear().env("NO_COLOR", "1").env("TZ", "UTC").stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs it and returns what it printed; fails when it could not do its job.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{command:?} ended with {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Prints why a test cannot run here, and fails it where everything must (`SOCKSCOPE_REQUIRE_ALL=1`,
/// which the gate sets).
#[track_caller]
pub(crate) fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
    assert!(std::env::var_os("SOCKSCOPE_REQUIRE_ALL").is_none(), "must not be skipped here: {why}");
}
