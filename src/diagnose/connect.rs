//! Why a connection fails, or reaches somebody else than is meant.
//!
//! Pure: it concludes from the sockets of one [`Snapshot`] and from [`ConnectFacts`]. Of an address that is
//! not this machine's only a real [`Attempt`] tells, and what made it fail there cannot be seen from here.

mod causes;
mod listeners;
mod path;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::diagnose::{BindFacts, Cause, Certainty, Errno, Reason, Remedy, Target};
use crate::process::Pid;
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, Interface, NetnsId, Protocol};

pub use path::diagnose_path;

/// A connection to a port that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectRequest {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Whom to connect to. `0.0.0.0` and `::` mean loopback, as in the kernel.
    pub address: IpAddr,
    /// The link of a link-local IPv6 address.
    pub scope: Option<Interface>,
    /// The port.
    pub port: u16,
}

/// What decides a connection beside the sockets. A fact that could not be read is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ConnectFacts {
    /// Settings of the network namespace: where the kernel takes source ports from, and which
    /// namespace it is.
    pub settings: BindFacts,
    /// The address our end would have, or why there is no way.
    pub source: Option<Result<IpAddr, Errno>>,
    /// Which owners of sockets are stopped (`SIGSTOP`, `SIGTSTP`, a debugger).
    pub stopped: BTreeSet<Pid>,
    /// How many connections the kernel dropped at full queues, of any listener of this namespace, while
    /// the attempt was made (`ListenOverflows` in `/proc/net/netstat`).
    pub overflows: Option<u64>,
}

/// What came of a connection that was really tried, and closed at once without sending anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It was made.
    Connected {
        /// The address and port of our end; absent of a UNIX socket, which has none.
        from: Option<SocketAddr>,
    },
    /// It failed.
    Failed {
        /// Its error; absent when it is none of [`Errno`].
        errno: Option<Errno>,
    },
    /// Nobody answered, neither yes nor no.
    Silent {
        /// How long we waited.
        timeout: Duration,
    },
    /// It was not tried.
    NotMade {
        /// Why, a clause.
        why: String,
    },
}

/// Whether a connection succeeds; of UDP, whether a datagram is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It does.
    Connects,
    /// It does not, with this error.
    Fails {
        /// The error of `connect`; of UDP, of the call after the one that sent.
        errno: Errno,
    },
    /// Nobody answers; after some minutes that is [`Errno::ETIMEDOUT`].
    Silent,
    /// It cannot be told from what could be read.
    Unknown,
}

/// The answer for one address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectDiagnosis {
    /// What was asked about: whom to connect to.
    pub request: Target,
    /// What comes of it: what came of the attempt, else what was predicted.
    pub verdict: Reach,
    /// What follows from what was read.
    pub prediction: Reach,
    /// What came of trying; absent when nothing was tried.
    pub attempt: Option<Attempt>,
    /// Who answers, or why nobody does; the most certain first.
    pub causes: Vec<Cause>,
    /// What can be done, the least harmful first.
    pub remedies: Vec<Remedy>,
}

impl ConnectFacts {
    /// Returns whether the address is this machine's own, in the namespace that is connected from.
    pub fn is_local(&self, address: IpAddr) -> Option<bool> {
        if address.is_loopback() || self.source == Some(Ok(address)) {
            return Some(true);
        }
        self.settings.is_routed_here.or_else(|| {
            let addresses = self.settings.addresses.as_ref()?;
            Some(addresses.iter().any(|local| local.address == address))
        })
    }
}

impl ConnectRequest {
    /// Returns the request for a target; `None` when that is a UNIX socket.
    pub fn of(target: &Target) -> Option<Self> {
        match target.clone() {
            Target::Inet { protocol, address, scope, port } => {
                Some(Self { protocol, address, scope, port })
            }
            Target::Unix(_) => None,
        }
    }

    /// Returns its target.
    pub fn target(&self) -> Target {
        let Self { protocol, address, scope, port } = self.clone();
        Target::Inet { protocol, address, scope, port }
    }

    /// Returns the address that is connected to in fact: loopback instead of the wildcards, and IPv4
    /// instead of IPv4-mapped.
    pub fn destination(&self) -> IpAddr {
        match self.address.to_canonical() {
            IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
        }
    }
}

/// Returns what is to be expected of a connection, and why, from nothing but what was read.
pub fn diagnose_connect(
    snapshot: &Snapshot,
    facts: &ConnectFacts,
    request: &ConnectRequest,
) -> ConnectDiagnosis {
    let case = Case { snapshot, facts, request };
    let (prediction, causes) = case.predict();
    let remedies = causes::remedies(request, &causes);
    ConnectDiagnosis {
        request: request.target(),
        verdict: prediction,
        prediction,
        attempt: None,
        causes,
        remedies,
    }
}

impl ConnectDiagnosis {
    /// Returns the diagnosis with what came of trying, which decides.
    #[must_use]
    pub fn with_attempt(mut self, attempt: Attempt, facts: &ConnectFacts) -> Self {
        self.verdict = match &attempt {
            Attempt::Connected { .. } => Reach::Connects,
            Attempt::Failed { errno: Some(errno) } => Reach::Fails { errno: *errno },
            Attempt::Silent { .. } => Reach::Silent,
            Attempt::Failed { errno: None } => Reach::Unknown,
            Attempt::NotMade { .. } => self.prediction,
        };
        if !matches!(attempt, Attempt::NotMade { .. }) && self.verdict != self.prediction {
            self.causes.retain(|cause| !cause.reason.is_in_the_way());
            let asked = ConnectRequest::of(&self.request);
            self.causes.extend(match &asked {
                Some(request) => causes::unforeseen(request, &self, facts),
                None => path::unforeseen(self.verdict),
            });
            self.causes.sort_by_key(|cause| cause.certainty);
            self.remedies = match &asked {
                Some(request) => causes::remedies(request, &self.causes),
                None => path::remedies(&self.causes),
            };
        }
        self.attempt = Some(attempt);
        self
    }

    /// Returns true when it was tried and something else came of it than was predicted: it changed
    /// meanwhile, or what decides is no socket.
    pub fn is_contradicted(&self) -> bool {
        let is_tried = !matches!(self.attempt, None | Some(Attempt::NotMade { .. }));
        is_tried && self.prediction != Reach::Unknown && self.prediction != self.verdict
    }
}

/// What is judged, and from what.
struct Case<'a> {
    snapshot: &'a Snapshot,
    facts: &'a ConnectFacts,
    request: &'a ConnectRequest,
}

impl Case<'_> {
    fn predict(&self) -> (Reach, Vec<Cause>) {
        if let Some(Err(errno)) = self.facts.source {
            let cause = Cause {
                reason: Reason::NoRoute,
                certainty: Certainty::Certain,
                sockets: Vec::new(),
                evidence: vec![format!(
                    "the kernel finds no way to {}",
                    self.request.destination()
                )],
            };
            return (Reach::Fails { errno }, vec![cause]);
        }
        match self.facts.is_local(self.request.destination()) {
            Some(true) => {}
            Some(false) => return (Reach::Unknown, vec![causes::other_machine(self.facts)]),
            None => return (Reach::Unknown, Vec::new()),
        }
        if let Some(cause) = causes::no_source_port(self) {
            return (Reach::Fails { errno: Errno::EADDRNOTAVAIL }, vec![cause]);
        }
        let found = listeners::find(self);
        if found.answering.is_empty() {
            (Reach::Fails { errno: Errno::ECONNREFUSED }, causes::of_refusal(self, &found))
        } else {
            causes::of_answer(self, &found)
        }
    }

    /// Returns true for a socket of the network namespace that is connected from.
    fn is_here(&self, netns: Option<NetnsId>) -> bool {
        self.facts.settings.netns.zip(netns).is_none_or(|(ours, netns)| ours == netns)
    }

    /// Returns the sockets of the protocol that have the port as their own.
    fn on_port(&self) -> impl Iterator<Item = &Entry> {
        self.snapshot.entries.iter().filter(|entry| {
            let local = entry.socket.local.as_ref();
            entry.socket.protocol == self.request.protocol
                && local.and_then(Endpoint::port) == Some(self.request.port)
        })
    }
}

#[cfg(test)]
mod tests;
