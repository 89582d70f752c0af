//! What the kernel itself said, and what that makes of a prediction.

use crate::diagnose::advice::of_setting;
use crate::diagnose::confinement;
use crate::diagnose::facts::BindFacts;
use crate::diagnose::reason::Reason;
use crate::diagnose::remedies;
use crate::diagnose::{Call, Cause, Certainty, Diagnosis, Errno, Target, Verdict};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, Socket};

/// What came of a probe: the same calls with the same options, closed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// The kernel did it.
    Succeeded {
        /// Whether it was also asked to listen. It is not where somebody who listens would share the
        /// port with the probe, and lose a client to it.
        listened: bool,
    },
    /// The kernel refused.
    Failed {
        /// The call that failed.
        call: Call,
        /// Its error; absent when it is none of [`Errno`].
        errno: Option<Errno>,
    },
    /// It was not made.
    NotMade {
        /// Why, a clause.
        why: String,
    },
}

/// What is known of a closed socket when the kernel refuses one with SO_REUSEADDR beside it.
const NOT_SET: &str = "the earlier one did not set it";

impl Cause {
    /// Returns true for what the kernel keeps of closed connections.
    const fn is_left_over(&self) -> bool {
        matches!(self.reason, Reason::TimeWait | Reason::Orphan)
    }

    /// Returns true for a socket that may be there although none is seen.
    const fn is_unseen(&self) -> bool {
        matches!(self.reason, Reason::BoundOnly) && self.sockets.is_empty()
    }
}

impl Diagnosis {
    /// Returns the diagnosis with what the kernel said, which decides.
    #[must_use]
    pub fn with_probe(mut self, probe: Probe) -> Self {
        let succeeded = matches!(probe, Probe::Succeeded { .. });
        // What only might have been in the way, was not.
        self.causes.retain(|cause| {
            !succeeded || cause.certainty != Certainty::Possible || !cause.sockets.is_empty()
        });
        let is_none = self.causes.iter().all(|cause| cause.reason == Reason::OtherDevice);
        match &probe {
            Probe::NotMade { .. } | Probe::Failed { errno: None, .. } => {}
            Probe::Succeeded { .. } => {
                self.verdict = if is_none { Verdict::Free } else { Verdict::Shareable };
            }
            Probe::Failed { call, errno: Some(errno) } => {
                self.verdict = Verdict::Fails { call: *call, errno: *errno };
                // What alone could be it, is.
                if let [cause] = &mut *self.causes
                    && self.prediction == Verdict::Unknown
                {
                    cause.certainty = cause.certainty.min(Certainty::Likely);
                    if cause.is_left_over() && self.request.reuse_address {
                        cause.evidence.retain(|fact| !fact.starts_with("SO_REUSEADDR"));
                        cause.evidence.push(format!("{NOT_SET} (SO_REUSEADDR)"));
                    }
                }
            }
        }
        self.probe = Some(probe);
        self
    }

    /// Returns the diagnosis with what the kernel said to the same bind with SO_REUSEADDR, which depends
    /// on an option of closed sockets that nobody can read.
    #[must_use]
    pub fn with_reuse_address(mut self, probe: &Probe) -> Self {
        match probe {
            Probe::NotMade { .. } => {}
            Probe::Succeeded { .. } => {
                self.remedies.insert(0, remedies::set_option("SO_REUSEADDR"));
            }
            Probe::Failed { .. } => {
                let left_over = self.causes.iter_mut().filter(|cause| cause.is_left_over());
                for cause in left_over {
                    let words = "SO_REUSEADDR on the new socket alone does not help";
                    cause.evidence.push(format!("{words}: {NOT_SET}"));
                }
            }
        }
        self
    }

    /// Adds those who may have refused what the rules and rights allow, when the kernel did.
    #[must_use]
    pub fn with_suspects(mut self, facts: &BindFacts) -> Self {
        let Some(Probe::Failed { call, errno: Some(errno) }) = self.probe else { return self };
        // A socket refuses with this error alone, and on Windows with others too.
        let is_by_a_socket = errno == Errno::EADDRINUSE || facts.windows.is_some();
        self.causes.retain(|cause| is_by_a_socket || !cause.is_unseen());
        let is_explained = self.prediction == Verdict::Fails { call, errno }
            || self.causes.iter().any(|cause| {
                cause.reason.is_in_the_way()
                    && (cause.sockets.is_empty() || errno == Errno::EADDRINUSE)
            });
        if !is_explained {
            let mut causes = self.causes.iter();
            let is_held =
                causes.any(|cause| cause.reason.is_in_the_way() && !cause.sockets.is_empty());
            let suspects = confinement::suspects(call, errno, is_held, facts);
            let advice = suspects.iter().flat_map(|cause| of_setting(cause, &self.request, facts));
            self.remedies.extend(advice);
            self.remedies.sort_by_key(|remedy| remedy.harm);
            self.causes.extend(suspects);
        }
        self
    }

    /// Adds what was there a moment before, when the same was asked, and is gone.
    pub fn add_gone(&mut self, before: &Self) {
        let sockets = before.causes.iter().filter(|cause| cause.reason.is_in_the_way());
        let sockets: Vec<_> = sockets.flat_map(|cause| cause.sockets.iter().cloned()).collect();
        self.causes.push(Cause {
            reason: Reason::Gone,
            certainty: Certainty::Certain,
            sockets,
            evidence: Vec::new(),
        });
    }

    /// Adds that somebody had it before, because a message says so.
    pub fn add_freed(&mut self) {
        self.causes.push(Cause {
            reason: Reason::Gone,
            certainty: Certainty::Likely,
            sockets: Vec::new(),
            evidence: vec!["the message says that it was in use".to_owned()],
        });
    }

    /// Adds, to what is free here, who has the port in other network namespaces; nothing when nobody has.
    pub fn add_elsewhere(&mut self, everywhere: &Snapshot) {
        let Target::Inet { protocol, port, .. } = &self.request.target else { return };
        let has_it = |socket: &Socket| {
            socket.protocol == *protocol
                && socket.netns != everywhere.current_netns
                && socket.peer.is_none()
                && socket.local.as_ref().and_then(Endpoint::port) == Some(*port)
        };
        let entries = everywhere.entries.iter().filter(|entry| has_it(&entry.socket));
        let sockets: Vec<Entry> = entries.cloned().collect();
        let Some(first) = sockets.first() else { return };
        let namespace = match (&first.netns_name, first.socket.netns) {
            (Some(name), _) => format!("its namespace is {name}"),
            (None, Some(number)) => format!("its namespace is {number}"),
            (None, None) => return,
        };
        let inside = first
            .ownership
            .owners()
            .first()
            .map(|owner| format!("ask in there with --pid {}", owner.process.pid));
        self.causes.push(Cause {
            reason: Reason::HeldElsewhere,
            certainty: Certainty::Certain,
            evidence: std::iter::once(namespace).chain(inside).collect(),
            sockets,
        });
    }

    /// Returns true when the kernel did other than was predicted: the rules are wrong, or what was
    /// read is not what is there.
    pub fn is_contradicted(&self) -> bool {
        let would_succeed = matches!(self.prediction, Verdict::Free | Verdict::Shareable);
        if self.causes.iter().any(|cause| cause.reason.is_unforeseeable()) {
            return false;
        }
        match (&self.probe, self.prediction) {
            (None | Some(Probe::NotMade { .. }), _) | (_, Verdict::Unknown) => false,
            (Some(Probe::Succeeded { .. }), _) => !would_succeed,
            (
                Some(Probe::Failed { call, errno }),
                Verdict::Fails { call: ours, errno: expected },
            ) => (*call, *errno) != (ours, Some(expected)),
            (Some(Probe::Failed { .. }), Verdict::Free | Verdict::Shareable) => true,
        }
    }
}
