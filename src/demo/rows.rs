//! What a step promises of the listing, as data, and the comparison with what is there.

use std::fmt;

use crate::process::{Ownership, Via};
use crate::snapshot::{Entry, Missing, Snapshot};
use crate::socket::Queues;
use crate::state::TcpState;

/// One promised row. What is `None` is not promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Whose row: the name the lesson gave the socket.
    pub role: &'static str,
    /// The state; absent for sockets without one (UDP).
    pub state: Option<TcpState>,
    /// Who has it.
    pub whose: Whose,
    /// The first queue number: unread bytes, or connections waiting to be accepted.
    pub waiting: Option<Waiting>,
}

/// Whose a promised row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A process holds a descriptor for it.
    Held,
    /// Nobody accepted it yet.
    Unaccepted,
    /// The kernel's alone.
    Kernel,
}

/// A promised first queue number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Exactly so many.
    Exactly(u32),
    /// Some: UDP counts the kernel's buffers, not the bytes in them.
    Some,
}

impl Row {
    /// Promises a row that a process holds, in this state.
    pub const fn held(role: &'static str, state: TcpState) -> Self {
        Self { role, state: Some(state), whose: Whose::Held, waiting: None }
    }

    /// Promises a UDP row.
    pub const fn udp(role: &'static str) -> Self {
        Self { role, state: None, whose: Whose::Held, waiting: None }
    }

    /// Promises a row that waits in the accept queue.
    pub const fn unaccepted(role: &'static str) -> Self {
        Self { role, state: Some(TcpState::Established), whose: Whose::Unaccepted, waiting: None }
    }

    /// Promises a row that no process has any more.
    pub const fn kernel(role: &'static str, state: TcpState) -> Self {
        Self { role, state: Some(state), whose: Whose::Kernel, waiting: None }
    }

    /// Promises the first queue number too.
    #[must_use]
    pub const fn waiting(self, exactly: u32) -> Self {
        Self { waiting: Some(Waiting::Exactly(exactly)), ..self }
    }

    /// Promises that the first queue number is not 0.
    #[must_use]
    pub const fn some_waiting(self) -> Self {
        Self { waiting: Some(Waiting::Some), ..self }
    }

    fn is_kept_by(&self, entry: &Entry, role: &str) -> bool {
        let number = match entry.socket.queues {
            Some(Queues::Bytes { recv, .. }) => Some(recv),
            Some(Queues::Backlog { pending, .. }) => Some(pending),
            None => None,
        };
        role == self.role
            && entry.socket.state == self.state
            && whose(&entry.ownership) == Some(self.whose)
            && match (self.waiting, number) {
                // A source that does not tell breaks no promise.
                (None, _) | (Some(_), None) => true,
                (Some(Waiting::Exactly(promised)), Some(number)) => promised == number,
                (Some(Waiting::Some), Some(number)) => number > 0,
            }
    }
}

/// Returns whose the row is in the lesson's words; `None` when that cannot be told.
fn whose(ownership: &Ownership) -> Option<Whose> {
    match ownership {
        Ownership::Held(owners) if owners.iter().any(|owner| owner.via == Via::AcceptQueue) => {
            Some(Whose::Unaccepted)
        }
        Ownership::Held(_) => Some(Whose::Held),
        Ownership::Kernel => Some(Whose::Kernel),
        Ownership::Hidden(_) => None,
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.role)?;
        if let Some(state) = self.state {
            write!(f, " {state}")?;
        }
        match self.whose {
            Whose::Held => {}
            Whose::Unaccepted => write!(f, ", not accepted")?,
            Whose::Kernel => write!(f, ", the kernel's")?,
        }
        match self.waiting {
            None => Ok(()),
            Some(Waiting::Exactly(number)) => write!(f, ", {number} waiting"),
            Some(Waiting::Some) => write!(f, ", some waiting"),
        }
    }
}

/// Compares the promised rows with the listing: each must be there once, and no others. Returns the
/// differences in words.
pub fn compare(promised: &[Row], snapshot: &Snapshot, roles: &[&'static str]) -> Vec<String> {
    let blind_to_bound = snapshot.unread.iter().any(|gap| gap.what == Missing::BoundSockets);
    let mut there: Vec<(&Entry, &str)> =
        snapshot.entries.iter().zip(roles.iter().copied()).collect();
    let mut surprises = Vec::new();
    for row in promised {
        match there.iter().position(|(entry, role)| row.is_kept_by(entry, role)) {
            Some(index) => {
                there.swap_remove(index);
            }
            None if row.state == Some(TcpState::Bound) && blind_to_bound => {}
            None => surprises.push(format!("expected: {row}")),
        }
    }
    surprises.extend(there.into_iter().map(|(entry, role)| {
        let state = entry.socket.state.map_or_else(String::new, |state| format!(" {state}"));
        format!(
            "not expected: {role}{state}, {}, {:?}",
            entry.ownership.name(),
            entry.socket.queues
        )
    }));
    surprises
}
