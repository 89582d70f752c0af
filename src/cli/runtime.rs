//! What the commands that talk to the network share: the runtime they run on, and how they are told
//! to stop.

use std::io;

use tokio::runtime::Builder;
use tokio::select;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

#[cfg(unix)]
use crate::platform::signals::is_hangup_ignored;

/// Runs a command's future to its end.
///
/// On several threads, for two reasons: making, copying and comparing gigabytes keeps more than one
/// core busy; and the future given here writes to stdout, which may block for as long as nobody
/// reads it, while the other threads go on serving.
pub(super) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    // A thread that still waits for a line from the terminal must not keep the process alive.
    runtime.shutdown_background();
    result
}

/// The ways in which a user or the system asks a program to stop.
#[cfg(unix)]
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    /// Absent where hangups were ignored when we started: that is what nohup(1) does.
    hangup: Option<Signal>,
}

#[cfg(unix)]
impl Interrupts {
    /// Starts listening. From here on none of these signals ends the process by itself.
    pub(super) fn listen() -> io::Result<Self> {
        let is_hangup_ignored = is_hangup_ignored();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_hangup_ignored { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// Waits for the next request to stop.
    pub(super) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// See the UNIX version: here Ctrl-C, Ctrl-Break, and the closing of the window.
#[cfg(windows)]
pub(super) struct Interrupts {
    interrupt: CtrlC,
    terminate: CtrlBreak,
    hangup: CtrlClose,
}

#[cfg(windows)]
impl Interrupts {
    /// Starts listening. From here on none of these ends the process by itself.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: ctrl_c()?, terminate: ctrl_break()?, hangup: ctrl_close()? })
    }

    /// Waits for the next request to stop.
    pub(super) async fn next(&mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
