//! What a lesson needs that not every system has. A lesson that cannot be shown says so.

use std::fmt;

use crate::error::cause;
use crate::platform::props::{self, Child, SYSTEM};
use crate::socket::Protocol;
use crate::state::TcpState;

/// Something a lesson needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Linux: the lesson shows what its kernel does, and others do otherwise.
    Linux,
    /// Linux or Windows: what the lesson shows was seen on both, on Windows by Wine.
    Winsock,
    /// That a full queue does not answer, so that a connection stays asked for.
    SilentQueue,
    /// That TIME_WAIT holds its port, and a listener's port is never given twice by `SO_REUSEADDR`.
    StrictPorts,
    /// Linux, where every state of TCP can be held still; elsewhere some cannot.
    EveryState,
    /// That a child inherits a socket of its parent's.
    Inheritance,
    /// That a UDP socket is told by `ECONNREFUSED` that nobody receives.
    Refusals,
    /// That the backlog's limit is told, and sockets that are bound and no more: `/proc/net` has neither.
    SockDiag,
    /// That a socket can be made to drop whatever arrives, as if the cable were cut.
    CutCable,
    /// IPv6 on loopback, and sockets that are bound to that device.
    Loopback6,
    /// That a socket can be given a range of ports of its own.
    PortRange,
    /// That a child may make a network namespace.
    Namespaces,
}

impl Need {
    /// Returns what is missing here, as a fragment; `None` when nothing is.
    pub fn missing(self) -> Option<String> {
        if self == Self::Winsock && SYSTEM == "windows" {
            return None;
        }
        if SYSTEM != "linux" && !matches!(self, Self::Inheritance | Self::Refusals) {
            return Some(self.elsewhere(SYSTEM));
        }
        match self {
            Self::Linux
            | Self::Winsock
            | Self::SilentQueue
            | Self::StrictPorts
            | Self::EveryState => None,
            Self::Inheritance => (!props::CAN_INHERIT)
                .then(|| "only UNIX hands a socket on to a child so".to_owned()),
            Self::Refusals => (!props::REFUSES_DATAGRAMS)
                .then(|| format!("{SYSTEM} tells a sender of datagrams otherwise")),
            Self::SockDiag => props::ask_kernel(Protocol::Tcp)
                .err()
                .map(|error| format!("it needs sock_diag: {}", cause(&error))),
            Self::CutCable => props::try_min_ttl()
                .err()
                .map(|error| format!("it needs IP_MINTTL: {}", cause(&error))),
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

impl Need {
    /// Returns what another system than Linux lacks.
    fn elsewhere(self, system: &str) -> String {
        let is = format!("it shows what Linux does, and this is {system}");
        if let Some((.., why)) =
            OTHERWISE.iter().find(|(name, need, _)| *name == system && *need == self)
        {
            return format!("{is}, where {why}");
        }
        match NOT_HELD.iter().find(|(name, ..)| *name == system) {
            Some((_, states, why)) if self == Self::EveryState => {
                let names: Vec<String> = states.iter().map(ToString::to_string).collect();
                format!("{is}, where {} cannot be held still: {why}", names.join(" and "))
            }
            Some(_) | None => is,
        }
    }
}

/// The states of TCP that no program without privilege can hold still on loopback, by system, and why: from
/// their manuals and from what their kernels are known to do, not seen there. On Linux all can.
pub const NOT_HELD: &[(&str, &[TcpState], &str)] = &[
    ("macos", &[TcpState::SynRecv], NO_DEFERRAL),
    ("freebsd", &[TcpState::SynRecv], NO_DEFERRAL),
    (
        "windows",
        &[TcpState::SynRecv, TcpState::SynSent],
        "it has no TCP_DEFER_ACCEPT, and a full queue refuses instead of not answering",
    ),
];
/// What a system does instead of what a lesson shows: from Microsoft's documents, and seen under Wine as far as
/// `bind()` in spite of TIME_WAIT.
const OTHERWISE: &[(&str, Need, &str)] = &[
    (
        "windows",
        Need::SilentQueue,
        "a full queue refuses instead of not answering: no connect() stays asked for",
    ),
    (
        "windows",
        Need::StrictPorts,
        "TIME_WAIT keeps no bind() away, and SO_REUSEADDR takes the port even of a listener, unless that has \
         SO_EXCLUSIVEADDRUSE",
    ),
];
const NO_DEFERRAL: &str = "it has no TCP_DEFER_ACCEPT";

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linux | Self::SilentQueue | Self::StrictPorts => "Linux",
            Self::Winsock => "Linux or Windows",
            Self::SockDiag => "Linux with `sock_diag`",
            Self::CutCable => "Linux with `IP_MINTTL`",
            Self::EveryState => "Linux (elsewhere not every state can be held still)",
            Self::Inheritance | Self::Refusals => "UNIX",
            Self::Loopback6 => "Linux 5.7 with IPv6",
            Self::PortRange => "Linux 6.3",
            Self::Namespaces => "Linux that lets this user make namespaces",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_museum_says_of_each_other_system_which_states_cannot_be_held_there() {
        for (system, states, why) in NOT_HELD {
            let text = Need::EveryState.elsewhere(system);
            assert!(text.contains(system) && text.ends_with(why), "{text}");
            assert!(states.iter().all(|state| text.contains(&state.to_string())), "{text}");
            assert!(!Need::Linux.elsewhere(system).contains("held"), "it is the museum's affair");
        }
        assert_eq!(
            Need::EveryState.elsewhere("windows"),
            "it shows what Linux does, and this is windows, where SYN_RECV and SYN_SENT cannot be held still: \
             it has no TCP_DEFER_ACCEPT, and a full queue refuses instead of not answering"
        );
        for (system, need, why) in OTHERWISE {
            assert!(need.elsewhere(system).ends_with(why), "{need} on {system}");
            assert!(!need.elsewhere("plan9").contains(why));
        }
        assert_eq!(
            Need::EveryState.elsewhere("plan9"),
            "it shows what Linux does, and this is plan9"
        );
    }
}
