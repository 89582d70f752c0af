//! Runs another program in the place of this one, with sockets if it is to have some.
//!
//! Where a process can become another program (`execve(2)`), it does: signals, the exit code, the
//! terminal and the process number are then the program's own, with nobody in between.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use socket2::Socket;

use crate::socket::Protocol;

/// A variable of the program's environment.
pub type Variable = (&'static str, String);

/// Runs the program with these variables added to its environment. Returns only when it could not be
/// started or, where no process can become another program, when it has ended: then its exit code.
///
/// # Errors
///
/// The system's answer: why it could not be started.
#[expect(clippy::disallowed_methods, reason = "running the user's own command is the task here")]
pub fn run_instead(command: &[OsString], environment: &[Variable]) -> io::Result<u8> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    cfg_select! {
        unix => Err(std::os::unix::process::CommandExt::exec(&mut command)),
        _ => {
            let code = command.status()?.code();
            // Larger codes are Windows' own, such as 0xC000013A for Ctrl-C.
            Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
        }
    }
}

/// Lets the program that this process becomes inherit the sockets as systemd hands them over: as
/// descriptors 3 and up, TCP's listening, with the variables returned (`sd_listen_fds(3)`).
///
/// # Errors
///
/// The kernel's answer; elsewhere than on Linux always.
#[cfg(target_os = "linux")]
pub fn hand_over(sockets: Vec<(Protocol, Socket)>) -> io::Result<Vec<Variable>> {
    for (_, socket) in sockets.iter().filter(|(protocol, _)| *protocol == Protocol::Tcp) {
        // As systemd does: a later server on this port is not kept waiting by connections of this one.
        socket.set_reuse_address(true)?;
        socket.listen(BACKLOG)?;
    }
    let names: Vec<&str> = sockets.iter().map(|(protocol, _)| protocol.name()).collect();
    let variables = vec![
        ("LISTEN_FDS", sockets.len().to_string()),
        // It stays ours when we become the program.
        ("LISTEN_PID", std::process::id().to_string()),
        ("LISTEN_FDNAMES", names.join(":")),
    ];
    super::linux::sys::pass_on::all(
        sockets.into_iter().map(|(_, socket)| socket.into()).collect(),
    )?;
    Ok(variables)
}

/// See the Linux version.
#[cfg(not(target_os = "linux"))]
pub fn hand_over(_sockets: Vec<(Protocol, Socket)>) -> io::Result<Vec<Variable>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// As many as systemd lets wait, and the kernel by default (`net.core.somaxconn`).
#[cfg(target_os = "linux")]
const BACKLOG: i32 = 4096;
