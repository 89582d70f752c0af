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
    #[error("the kernel has no name for exactly this socket")]
    Nameless,
    /// No such socket is there any more.
    #[error("the socket is gone")]
    Gone,
    /// The caller lacks the privilege.
    #[error("cannot close the connection: operation not permitted")]
    NotPermitted,
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
            Self::OtherSystem { .. } => Some("end the process that holds it"),
            Self::Nameless => Some("this takes sock_diag: see sockscope list -v"),
            Self::NotPermitted => Some("run as root (sudo), or with CAP_NET_ADMIN"),
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
        target_os = "linux" => Ok(()),
        _ => Err(DestroyError::OtherSystem { platform: std::env::consts::OS }),
    }
}

/// Closes the connection that this socket is, in the network namespace of this thread. It closes
/// nothing else: the kernel compares the cookie, and when that is not the socket's any more, nothing
/// happens.
///
/// # Errors
///
/// When nothing was closed.
pub fn destroy(socket: &Socket) -> Result<(), DestroyError> {
    cfg_select! {
        target_os = "linux" => super::linux::destroy::destroy(socket),
        _ => {
            let _: &Socket = socket;
            check()
        }
    }
}
