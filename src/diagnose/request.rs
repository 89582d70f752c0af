//! What somebody wants to bind.

use std::fmt;
use std::net::IpAddr;

use crate::process::{Pid, Uid};
use crate::socket::{Interface, Protocol};
use crate::text::Text;

/// A bind, and for TCP the listen after it, that is asked about (`bind(2)`, `listen(2)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindRequest {
    /// What is bound.
    pub target: Target,
    /// `SO_REUSEADDR` on the new socket (`socket(7)`).
    pub reuse_address: bool,
    /// `SO_REUSEPORT` on the new socket (`socket(7)`).
    pub reuse_port: bool,
    /// `IPV6_V6ONLY` on the new socket (`ipv6(7)`); absent for the system's default
    /// (`net.ipv6.bindv6only`).
    pub v6only: Option<bool>,
    /// `SO_BINDTODEVICE` on the new socket (`socket(7)`); its number is 0 when only the binder's
    /// namespace may know the name.
    pub device: Option<Interface>,
    /// Who binds.
    pub by: Binder,
}

/// What is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An address and a port.
    Inet {
        /// TCP or UDP.
        protocol: Protocol,
        /// The address as the program gives it: `0.0.0.0` and `::` for all.
        address: IpAddr,
        /// The link of a link-local IPv6 address.
        scope: Option<Interface>,
        /// The port; 0 for any free one.
        port: u16,
    },
    /// A path of a UNIX socket; a name in the abstract namespace starts with `@`.
    Unix(Text),
}

/// Who binds: that decides its rights and its network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Binder {
    /// The user; absent for the one that asks.
    pub uid: Option<Uid>,
    /// The process whose rights and namespace count; absent for the one that asks.
    pub pid: Option<Pid>,
}

impl BindRequest {
    /// Returns the request of a program that sets no option.
    pub const fn plain(target: Target) -> Self {
        Self {
            target,
            reuse_address: false,
            reuse_port: false,
            v6only: None,
            device: None,
            by: Binder { uid: None, pid: None },
        }
    }
}

impl fmt::Display for Target {
    /// Writes `tcp 127.0.0.1:80`, `udp [::1]:53`, `unix /run/x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { protocol, address, scope, port } => {
                let end = crate::socket::Endpoint::Inet {
                    address: *address,
                    port: *port,
                    scope: scope.clone().map(Box::new),
                };
                write!(f, "{protocol} {end}")
            }
            Self::Unix(path) => write!(f, "unix {path}"),
        }
    }
}
