//! SOCK_DESTROY (`sock_diag_destroy`, linux/net/core/sock_diag.c): closes a connection from outside.

use rustix::io::Errno;

use super::{inet_diag, netlink};
use crate::platform::DestroyError;
use crate::socket::Socket;

/// The message type (linux/include/uapi/linux/sock_diag.h).
const SOCK_DESTROY: u16 = 21;

/// Returns whether the kernel can be told that this socket and no other is meant: by its cookie.
///
/// # Errors
///
/// [`DestroyError::Nameless`] where it cannot.
pub(crate) fn check_name(socket: &Socket) -> Result<(), DestroyError> {
    socket.cookie.map(drop).ok_or(DestroyError::Nameless)
}

/// Closes the connection.
///
/// # Errors
///
/// The kernel's answer, in words.
pub(crate) fn destroy(socket: &Socket) -> Result<(), DestroyError> {
    let body = inet_diag::encode_exact(socket).ok_or(DestroyError::Nameless)?;
    netlink::command(SOCK_DESTROY, &body).map_err(|error| match Errno::from_io_error(&error) {
        // ESTALE would be another cookie at the same ends; this kernel says ENOENT to that, too.
        Some(Errno::NOENT | Errno::STALE) => DestroyError::Gone,
        Some(Errno::PERM | Errno::ACCESS) => DestroyError::NotPermitted,
        Some(Errno::OPNOTSUPP) => DestroyError::NotSupported,
        Some(_) | None => DestroyError::Refused(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Cookie, Family, Protocol, SocketId};

    #[test]
    fn a_socket_that_nobody_has_is_gone() {
        let mut socket = Socket::new(SocketId(0), Protocol::Tcp, Family::Inet);
        socket.local = Some("127.0.0.1:1".parse::<std::net::SocketAddr>().unwrap().into());
        socket.peer = socket.local.clone();
        socket.cookie = Some(Cookie(u64::MAX - 1));
        assert!(matches!(destroy(&socket), Err(DestroyError::Gone)));
    }

    #[test]
    fn a_socket_without_cookie_is_never_asked_for() {
        let mut socket = Socket::new(SocketId(0), Protocol::Tcp, Family::Inet);
        assert!(matches!(check_name(&socket), Err(DestroyError::Nameless)));
        assert!(matches!(destroy(&socket), Err(DestroyError::Nameless)));
        socket.cookie = Some(Cookie(1));
        check_name(&socket).unwrap();
    }
}
