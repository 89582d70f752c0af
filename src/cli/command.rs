//! Runs the command that stands behind `--`, in the place of this one.

use std::ffi::OsString;
use std::io;

use crate::cli::error::{Failure, report};
use crate::cli::{Exit, Io};
use crate::platform::launch::{self, Variable};
use crate::render::sanitize;

/// What env(1), nohup(1) and the shells exit with when a command is not found.
const NOT_FOUND: u8 = 127;
/// And when it is found and cannot be run.
const NOT_RUN: u8 = 126;

/// Becomes the command. Returns only when it could not be started or, where a process cannot become
/// another program, when it has ended.
pub(super) fn run_instead(
    command: &[OsString],
    environment: &[Variable],
    io: &mut Io<'_>,
) -> anyhow::Result<Exit> {
    io.stdout.flush()?;
    let error = match launch::run_instead(command, environment) {
        Ok(code) => return Ok(Exit::Command(code)),
        Err(error) => error,
    };
    let name = command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    let failure = Failure::new(format!("cannot run '{}'", sanitize::string(&name))).because(error);
    report(&failure.into(), io.stderr);
    Ok(Exit::Command(if is_missing { NOT_FOUND } else { NOT_RUN }))
}
