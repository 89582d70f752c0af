//! What a lesson needs that not every system has. A lesson that cannot be shown says so.

use std::fmt;

use crate::error::cause;
use crate::platform::props::{self, Child, SYSTEM};
use crate::state::TcpState;

/// Something a lesson needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Linux: the lesson shows what its kernel does, and others do otherwise.
    Linux,
    /// Linux, where every state of TCP can be held still; elsewhere some cannot.
    EveryState,
    /// That a child inherits a socket of its parent's.
    Inheritance,
    /// That a UDP socket is told by `ECONNREFUSED` that nobody receives.
    Refusals,
    /// That a socket can drop what arrives (`IP_MINTTL`), which an emulator may not pass on.
    Deafness,
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
        if SYSTEM != "linux" && !matches!(self, Self::Inheritance | Self::Refusals) {
            return Some(self.elsewhere(SYSTEM));
        }
        match self {
            Self::Linux | Self::EveryState => None,
            Self::Inheritance => (!props::CAN_INHERIT)
                .then(|| "only UNIX hands a socket on to a child so".to_owned()),
            Self::Refusals => (!props::REFUSES_DATAGRAMS)
                .then(|| format!("{SYSTEM} tells a sender of datagrams otherwise")),
            Self::Deafness => props::try_min_ttl()
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
const NO_DEFERRAL: &str = "it has no TCP_DEFER_ACCEPT";

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linux | Self::Deafness => "Linux",
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
        assert_eq!(
            Need::EveryState.elsewhere("plan9"),
            "it shows what Linux does, and this is plan9"
        );
    }
}
