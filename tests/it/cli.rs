//! The binary itself: exit codes, usage errors, pipes. What one module can show is tested there.

use std::process::{Command, Output, Stdio};

/// Returns the command in an environment that is the same everywhere.
fn sockscope(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockscope"));
    command.env_clear().envs([("COLUMNS", "100"), ("NO_COLOR", "1"), ("TZ", "UTC")]);
    // Windows cannot start a program without this one.
    command.envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_version_is_the_packages() {
    let Output { status, stdout, .. } = sockscope(&["--version"]).output().unwrap();
    assert!(status.success());
    assert_eq!(text(&stdout), concat!("sockscope ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn an_unknown_flag_is_trouble_and_says_which() {
    let Output { status, stdout, stderr } = sockscope(&["--nonsense"]).output().unwrap();
    assert_eq!(status.code(), Some(2));
    assert_eq!(text(&stdout), "");
    assert!(text(&stderr).starts_with("sockscope: unexpected argument '--nonsense'"), "{stderr:?}");
}
