//! The processes that play in the demo's quiz: this program once more, under a name of its own. One ends
//! when whoever started it ends, however that ends: its input is a pipe whose other end only that one has.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::Pid;

/// How long one may take to end by itself, far longer than any does.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long to wait before looking again whether it has.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Such a process, seen from the one that started it.
#[derive(Debug)]
pub struct Actor {
    child: std::process::Child,
}

impl Actor {
    /// The command of ours that it is. Nobody but the quiz starts it.
    pub const COMMAND: &str = "demo-actor";

    /// Starts one of this name, tells it this line, and waits for the line that it answers.
    ///
    /// # Errors
    ///
    /// The system's. One that ends without an answer has answered with an empty line.
    #[cfg_attr(not(unix), expect(unused_variables, reason = "a name takes UNIX"))]
    pub fn start(name: &str, line: &str) -> io::Result<(Self, String)> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the quiz is about sockets of other processes"
        )]
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(Self::COMMAND);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C is meant for the quiz: this one ends after it, and cleans up.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, name);
        let mut actor = Self { child: command.spawn()? };
        if let Some(stdin) = &mut actor.child.stdin {
            writeln!(stdin, "{line}")?;
        }
        let mut answer = String::new();
        if let Some(stdout) = actor.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut answer)?;
        }
        Ok((actor, answer.trim_end().to_owned()))
    }

    /// Returns its number.
    pub fn pid(&self) -> Pid {
        Pid(self.child.id())
    }

    /// Stops it (`SIGSTOP`), until it is told to go on or we end.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn stop(&self) -> io::Result<()> {
        cfg_select! {
            target_os = "linux" => super::linux::props::stop(&self.child),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Drop for Actor {
    #[expect(clippy::disallowed_methods, reason = "patience is measured in time, not in looks")]
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        #[cfg(target_os = "linux")]
        super::linux::props::go_on(&self.child);
        let until = Instant::now() + LAST_WORDS;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Takes the name that process lists show, and lets the end of whoever started us wake us where we are
/// stopped. For the process that is such an actor.
///
/// # Errors
///
/// The system's.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has it"))]
pub fn play_as(name: &str) -> io::Result<()> {
    cfg_select! {
        target_os = "linux" => super::linux::props::play_as(name),
        _ => Ok(()),
    }
}
