//! The causes that the quiz offers, in words.

use std::fmt;

use serde::Serialize;

/// Why something does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words below say it")]
pub enum Cause {
    Listening,
    Bound,
    Inherited,
    DualStack,
    NoReusePort,
    Outgoing,
    LeftOpen,
    TimeWait,
    Orphan,
    InFlight,
    StaleFile,
    Elsewhere,
    Twins,
    OtherFamily,
    FullBacklog,
    Stopped,
    NotClosed,
    Keepalive,
    NobodyListens,
    Privilege,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Listening => "another program listens at this very address",
            Self::Bound => {
                "a process has bound it and does not listen, so no list of listeners has it"
            }
            Self::Inherited => {
                "a child has inherited the listener, and its server has long closed it"
            }
            Self::DualStack => "a listener of IPv6, on [::], takes IPv4 too",
            Self::NoReusePort => "the other listener has not set SO_REUSEPORT, and both must",
            Self::Outgoing => "a client's outgoing connection happens to have this port as its own",
            Self::LeftOpen => {
                "a connection of the last run is still open, and that run had not set SO_REUSEADDR"
            }
            Self::TimeWait => "TIME_WAIT of the last run, which had not set SO_REUSEADDR",
            Self::Orphan => {
                "the last run is gone, and the kernel still sends what it has written (an orphan)"
            }
            Self::InFlight => {
                "the listener's only descriptor is on its way through a UNIX socket: in flight"
            }
            Self::StaleFile => "the socket's file was left behind, and nobody has the socket",
            Self::Elsewhere => "a process in another network namespace has it, as in a container",
            Self::Twins => {
                "two programs share the port (SO_REUSEPORT), and the kernel deals them out"
            }
            Self::OtherFamily => {
                "another program listens on the port over IPv6, and 'localhost' is that first"
            }
            Self::FullBacklog => "the server does not accept, and its queue (backlog) is full",
            Self::Stopped => "the server is stopped, and its kernel shakes hands without it",
            Self::NotClosed => {
                "the server does not close what its clients have closed (CLOSE_WAIT)"
            }
            Self::Keepalive => "the clients are gone without a word, and no keepalive finds out",
            Self::NobodyListens => "nobody listens there",
            Self::Privilege => "the port takes privilege",
        })
    }
}
