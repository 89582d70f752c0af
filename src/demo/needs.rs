//! What a lesson needs that not every system has. A lesson that cannot be shown says so.

use std::fmt;

use crate::error::cause;
use crate::platform::props::{self, Child, SYSTEM};

/// Something a lesson needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Linux: the lesson shows what its kernel does, and others do otherwise.
    Linux,
    /// That a child inherits a socket of its parent's.
    Inheritance,
    /// That a UDP socket is told by `ECONNREFUSED` that nobody receives.
    Refusals,
    /// IPv6 on loopback, and sockets that are bound to that device.
    Loopback6,
    /// That descriptors can be sent through UNIX sockets, and such sockets told apart.
    Descriptors,
    /// That a socket can be given a range of ports of its own.
    PortRange,
    /// That a child may make a network namespace.
    Namespaces,
}

impl Need {
    /// Returns what is missing here, as a fragment; `None` when nothing is.
    pub fn missing(self) -> Option<String> {
        if SYSTEM != "linux" && !matches!(self, Self::Inheritance | Self::Refusals) {
            return Some(format!("it shows what Linux does, and this is {SYSTEM}"));
        }
        match self {
            Self::Linux | Self::Descriptors => None,
            Self::Inheritance => (!props::CAN_INHERIT)
                .then(|| "only UNIX hands a socket on to a child so".to_owned()),
            Self::Refusals => (!props::REFUSES_DATAGRAMS)
                .then(|| format!("{SYSTEM} tells a sender of datagrams otherwise")),
            Self::Loopback6 => props::try_loopback6().err().map(|error| {
                format!("it needs IPv6 on the device lo, and Linux 5.7: {}", cause(&error))
            }),
            Self::PortRange => props::free_range(1).err().map(|error| {
                format!("it needs IP_LOCAL_PORT_RANGE, of Linux 6.3: {}", cause(&error))
            }),
            Self::Namespaces => Child::start_elsewhere(0)
                .err()
                .map(|error| format!("it needs a network namespace of its own: {}", cause(&error))),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linux => "Linux",
            Self::Inheritance | Self::Refusals => "UNIX",
            Self::Loopback6 => "Linux 5.7 with IPv6",
            Self::Descriptors => "Linux with `sock_diag` for UNIX sockets",
            Self::PortRange => "Linux 6.3",
            Self::Namespaces => "Linux that lets this user make namespaces",
        })
    }
}
