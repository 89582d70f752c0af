//! Closes one connection from outside, where the system can: beside [`super::process_control`] the only
//! change that sockscope ever makes.

use std::io;

use thiserror::Error;

use crate::socket::Socket;

/// Why a socket was not destroyed. The text fits after `sockscope: `.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DestroyError {
    /// This system has no call for it.
    #[error("cannot close connections of others on {platform}")]
    OtherSystem {
        /// The system's name.
        platform: &'static str,
    },
    /// The socket was read from a source without cookies, or is of a protocol without connections:
    /// it cannot be named so that no other is meant.
    #[error("without its cookie it cannot be told from one that takes its place")]
    Nameless,
    /// No such socket is there any more.
    #[error("the socket is gone")]
    Gone,
    /// The caller lacks the privilege.
    #[error("cannot close the connection: operation not permitted")]
    NotPermitted,
    /// Windows' call takes TCP over IPv4 alone.
    #[error("windows closes no connections from outside but those of TCP over IPv4")]
    OtherKind,
    /// The kernel was built without it, or cannot for this protocol.
    #[error("cannot close the connection: this kernel does not support it")]
    NotSupported,
    /// The kernel's answer is none of those.
    #[error("cannot close the connection")]
    Refused(#[source] io::Error),
}

impl DestroyError {
    /// Returns what the user can do about it, for a line that starts with `hint: `.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OtherSystem { .. } | Self::OtherKind => Some("end the process that holds it"),
            Self::Nameless => {
                Some("cookies come from sock_diag, which could not be read: see sockscope list -v")
            }
            Self::NotPermitted => Some(cfg_select! {
                windows => "run as administrator",
                _ => "run as root (sudo), or with CAP_NET_ADMIN",
            }),
            Self::NotSupported => Some(
                "it takes a kernel with CONFIG_INET_DIAG_DESTROY; without it, end the process that \
                 holds the socket",
            ),
            Self::Gone | Self::Refused(_) => None,
        }
    }
}

/// Returns whether this system can close connections of others at all.
///
/// # Errors
///
/// [`DestroyError::OtherSystem`] where it cannot.
pub fn check() -> Result<(), DestroyError> {
    cfg_select! {
        any(target_os = "linux", all(feature = "portable", windows)) => Ok(()),
        _ => Err(DestroyError::OtherSystem { platform: std::env::consts::OS }),
    }
}

/// Returns whether this system can name this connection to close it: Linux by its cookie, Windows by
/// both ends, and TCP over IPv4 alone.
///
/// # Errors
///
/// [`DestroyError::OtherSystem`], [`DestroyError::Nameless`] or [`DestroyError::OtherKind`].
pub fn check_name(socket: &Socket) -> Result<(), DestroyError> {
    cfg_select! {
        target_os = "linux" => super::linux::destroy::check_name(socket),
        all(feature = "portable", windows) => super::windows::destroy::check_name(socket),
        _ => {
            let _: &Socket = socket;
            check()
        }
    }
}

/// Closes the connection that this socket is, in the network namespace of this thread. On Linux it
/// closes nothing else: the kernel compares the cookie, and when that is not the socket's any more,
/// nothing happens. Windows compares the ends.
///
/// # Errors
///
/// When nothing was closed.
pub fn destroy(socket: &Socket) -> Result<(), DestroyError> {
    cfg_select! {
        target_os = "linux" => super::linux::destroy::destroy(socket),
        all(feature = "portable", windows) => super::windows::destroy::destroy(socket),
        _ => {
            let _: &Socket = socket;
            check()
        }
    }
}
