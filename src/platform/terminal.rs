//! Gives a terminal back after a full-screen program that was killed, which cannot do it itself.

use std::io;
#[cfg(unix)]
use std::io::{BufRead as _, BufReader, Write as _};
#[cfg(unix)]
use std::os::fd::AsFd as _;
use std::process::Child;
#[cfg(unix)]
use std::process::{Command, Stdio};

#[cfg(unix)]
use rustix::process::setsid;
#[cfg(unix)]
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr,
};

/// This program once more, waiting for our end. Dropping it says that the terminal has been given back.
///
/// It is in a session of its own: so no signal to us, to our group or to the shell's job ends it, and the
/// system lets it change a terminal that is not its own (`__tty_check_change`,
/// linux/drivers/tty/tty_jobctrl.c). When we end, however that is, its input ends: our descriptors are
/// closed before our parent is told, so it mostly is done before a shell asks for the next command.
#[derive(Debug)]
pub struct Keeper(Child);

impl Keeper {
    /// The command of ours that [`Keeper::start`] starts.
    pub const COMMAND: &str = "terminal-keeper";
    /// What it says when it knows how the terminal was.
    #[cfg(unix)]
    const READY: &str = "ready";

    /// Starts one for the terminal that is stdout, before anything is changed there.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or stdout is no terminal; and where terminals have no such settings.
    pub fn start() -> io::Result<Self> {
        cfg_select! {
            unix => Self::start_at(io::stdout().as_fd().try_clone_to_owned()?.into()),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    #[cfg(unix)]
    fn start_at(terminal: Stdio) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "only another process outlives us")]
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(Self::COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(terminal);
        let mut keeper = Self(command.spawn()?);
        let mut answer = String::new();
        if let Some(stdout) = keeper.0.stdout.take() {
            BufReader::new(stdout).read_line(&mut answer)?;
        }
        let is_ready = answer.trim_end() == Self::READY;
        if is_ready { Ok(keeper) } else { Err(io::Error::other("nobody keeps the terminal")) }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Is that process: waits until stdin ends, then gives the terminal that is stderr back, and writes this
/// there. Settings that somebody has changed by then, as a shell does, are left alone.
///
/// # Errors
///
/// When the terminal is gone, and where terminals have no such settings.
#[cfg_attr(not(unix), expect(unused_variables, reason = "only UNIX has such settings"))]
pub fn keep(farewell: &[u8]) -> io::Result<()> {
    cfg_select! {
        unix => {
            setsid()?;
            let mut terminal = io::stderr();
            let before = tcgetattr(&terminal)?;
            let mut raw = before.clone();
            raw.make_raw();
            writeln!(io::stdout(), "{}", Keeper::READY)?;
            io::copy(&mut io::stdin().lock(), &mut io::sink())?;
            if modes(&tcgetattr(&terminal)?) == modes(&raw) {
                tcsetattr(&terminal, OptionalActions::Now, &before)?;
            }
            terminal.write_all(farewell)
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Returns what raw mode changes.
#[cfg(unix)]
fn modes(settings: &Termios) -> (InputModes, OutputModes, LocalModes) {
    (settings.input_modes, settings.output_modes, settings.local_modes)
}
