//! What the lessons of the demo need of the system, beyond what every system has: options of their own
//! sockets, and how to know such a socket again in the listing.

use std::io;

use socket2::Socket;

use crate::socket::Cookie;

/// The system this is.
pub const SYSTEM: &str = std::env::consts::OS;

/// Returns the socket's cookie; `None` where sockets have none.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has cookies"))]
pub fn cookie(socket: &Socket) -> Option<Cookie> {
    cfg_select! {
        target_os = "linux" => socket.cookie().ok().map(Cookie),
        _ => None,
    }
}

/// Sets `SO_REUSEPORT`.
///
/// # Errors
///
/// The system's, and on systems without that option.
#[cfg_attr(not(unix), expect(unused_variables, reason = "only UNIX has it"))]
pub fn reuse_port(socket: &Socket) -> io::Result<()> {
    cfg_select! {
        unix => socket.set_reuse_port(true),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}
