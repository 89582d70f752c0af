//! What a step promises of the listing, as data, and the comparison with what is there.

use std::fmt;

use crate::demo::cast::Role;
use crate::process::{HiddenReason, Ownership, Pid, Via};
use crate::snapshot::{Entry, Missing, Snapshot};
use crate::socket::{Queues, TimerKind};
use crate::state::TcpState;

/// One promised row. What is `None` is not promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Whose row.
    pub role: Role,
    /// The state; absent for sockets without one (UDP).
    pub state: Option<TcpState>,
    /// Who has it.
    pub whose: Whose,
    /// The first queue number: unread bytes, or connections waiting to be accepted.
    pub waiting: Option<Number>,
    /// The second queue number: bytes not sent, or not acknowledged.
    pub unsent: Option<Number>,
    /// The kind of timer that runs.
    pub timer: Option<TimerKind>,
}

/// Whose a promised row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// This process, and no other, holds it.
    Held,
    /// This process holds it, and its child does.
    Shared,
    /// The child alone holds it.
    Inherited,
    /// Nobody accepted it yet.
    Unaccepted,
    /// Its only descriptor is on its way through a UNIX socket.
    InFlight,
    /// The kernel's alone.
    Kernel,
    /// Nobody's: there is no such row any more.
    Gone,
}

/// A promised queue number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Exactly so many.
    Exactly(u32),
    /// Some: how many is the kernel's affair.
    Some,
}

impl Row {
    const fn new(role: Role, state: Option<TcpState>, whose: Whose) -> Self {
        Self { role, state, whose, waiting: None, unsent: None, timer: None }
    }

    /// Promises a row that this process holds, in this state.
    pub const fn held(role: Role, state: TcpState) -> Self {
        Self::new(role, Some(state), Whose::Held)
    }

    /// Promises a UDP row.
    pub const fn udp(role: Role) -> Self {
        Self::new(role, None, Whose::Held)
    }

    /// Promises a row that waits in the accept queue.
    pub const fn unaccepted(role: Role) -> Self {
        Self::new(role, Some(TcpState::Established), Whose::Unaccepted)
    }

    /// Promises a row that no process has any more.
    pub const fn kernel(role: Role, state: TcpState) -> Self {
        Self::new(role, Some(state), Whose::Kernel)
    }

    /// Promises that there is no row.
    pub const fn gone(role: Role) -> Self {
        Self::new(role, None, Whose::Gone)
    }

    /// Promises that somebody else has it.
    #[must_use]
    pub const fn whose(self, whose: Whose) -> Self {
        Self { whose, ..self }
    }

    /// Promises the first queue number too.
    #[must_use]
    pub const fn waiting(self, exactly: u32) -> Self {
        Self { waiting: Some(Number::Exactly(exactly)), ..self }
    }

    /// Promises that the first queue number is not 0.
    #[must_use]
    pub const fn some_waiting(self) -> Self {
        Self { waiting: Some(Number::Some), ..self }
    }

    /// Promises that all it sent was acknowledged.
    #[must_use]
    pub const fn all_sent(self) -> Self {
        Self { unsent: Some(Number::Exactly(0)), ..self }
    }

    /// Promises that something is not sent yet, or not acknowledged.
    #[must_use]
    pub const fn some_unsent(self) -> Self {
        Self { unsent: Some(Number::Some), ..self }
    }

    /// Promises that such a timer runs.
    #[must_use]
    pub const fn timer(self, kind: TimerKind) -> Self {
        Self { timer: Some(kind), ..self }
    }

    fn is_kept_by(&self, entry: &Entry, role: Role, seen: &Seen) -> bool {
        let (first, second) = match entry.socket.queues {
            Some(Queues::Bytes { recv, send }) => (Some(recv), Some(send)),
            Some(Queues::Backlog { pending, .. }) => (Some(pending), None),
            None => (None, None),
        };
        role == self.role
            && entry.socket.state == self.state
            && (whose(&entry.ownership, seen.child) == Some(self.whose)
                // A table that names the listener's process for it, too, does not tell the two apart.
                || (self.whose == Whose::Unaccepted && is_of_table(&entry.ownership)))
            && is_kept(self.waiting, first)
            && is_kept(self.unsent, second)
            && (seen.tells_no_timers()
                || self.timer.is_none_or(|kind| entry.socket.timer.is_some_and(|t| t.kind == kind)))
    }
}

fn is_of_table(ownership: &Ownership) -> bool {
    let owners = ownership.owners();
    !owners.is_empty() && owners.iter().all(|owner| owner.via == Via::Table)
}

/// A source that does not tell a number breaks no promise.
fn is_kept(promised: Option<Number>, number: Option<u32>) -> bool {
    match (promised, number) {
        (None, _) | (Some(_), None) => true,
        (Some(Number::Exactly(promised)), Some(number)) => promised == number,
        (Some(Number::Some), Some(number)) => number > 0,
    }
}

/// Returns whose the row is in the lesson's words; `None` when that cannot be told, and when it is
/// somebody's who does not play: a process that another thread starts has all our sockets for an
/// instant.
fn whose(ownership: &Ownership, child: Option<Pid>) -> Option<Whose> {
    let owners = match ownership {
        Ownership::Held(owners) => owners,
        Ownership::Kernel(_) => return Some(Whose::Kernel),
        Ownership::Hidden(HiddenReason::InFlight | HiddenReason::NoDescriptor) => {
            return Some(Whose::InFlight);
        }
        // Whoever cannot see every process cannot know that nobody has it.
        Ownership::Hidden(HiddenReason::Permission) => return Some(Whose::InFlight),
        Ownership::Hidden(HiddenReason::Vanished | HiddenReason::NotAsked) => return None,
    };
    let any = |via| owners.iter().any(|owner| owner.via == via);
    if any(Via::AcceptQueue) {
        return Some(Whose::Unaccepted);
    }
    if any(Via::InFlight) {
        return Some(Whose::InFlight);
    }
    let own = Pid(std::process::id());
    let is = |pid| owners.iter().any(|owner| owner.process.pid == pid);
    let has_child = child.is_some_and(is);
    let plays = |pid| pid == own || Some(pid) == child;
    if !owners.iter().all(|owner| plays(owner.process.pid)) {
        return None;
    }
    Some(match (is(own), has_child) {
        (true, true) => Whose::Shared,
        (_, false) => Whose::Held,
        (false, true) => Whose::Inherited,
    })
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.role)?;
        if let Some(state) = self.state {
            write!(f, " {state}")?;
        }
        f.write_str(match self.whose {
            Whose::Held => "",
            Whose::Shared => ", the child's too",
            Whose::Inherited => ", the child's",
            Whose::Unaccepted => ", not accepted",
            Whose::InFlight => ", in flight",
            Whose::Kernel => ", the kernel's",
            Whose::Gone => ", gone",
        })?;
        for (number, what) in [(self.waiting, "waiting"), (self.unsent, "unsent")] {
            match number {
                None => {}
                Some(Number::Exactly(number)) => write!(f, ", {number} {what}")?,
                Some(Number::Some) => write!(f, ", some {what}")?,
            }
        }
        match self.timer {
            None => Ok(()),
            Some(kind) => write!(f, ", timer {kind:?}"),
        }
    }
}

/// Takes over what a step says that changed: every other row stays as it was promised before.
pub fn change(promised: &mut Vec<Row>, changes: &[Row]) {
    promised.retain(|row| changes.iter().all(|change| change.role != row.role));
    promised.extend(changes.iter().filter(|change| change.whose != Whose::Gone));
}

/// Returns the promised rows that are not in the listing.
pub fn missing<'a>(promised: &'a [Row], seen: &Seen) -> Vec<&'a Row> {
    let to_bound = seen.is_blind_to(Missing::BoundSockets);
    let to_unheld = seen.is_blind_to(Missing::UnheldSockets);
    let is_excused = |row: &Row| {
        let is_unheld = matches!(row.whose, Whose::Kernel | Whose::Unaccepted);
        (to_bound && row.state == Some(TcpState::Bound)) || (to_unheld && is_unheld)
    };
    let is_there = |row: &Row| seen.rows().any(|(role, entry)| row.is_kept_by(entry, role, seen));
    promised.iter().filter(|row| !is_excused(row) && !is_there(row)).collect()
}

/// What a look showed: the listing of exactly the lesson's sockets.
#[derive(Debug)]
#[non_exhaustive]
pub struct Seen {
    /// The listing.
    pub snapshot: Snapshot,
    /// What each row of it is in the lesson, in the same order.
    pub roles: Vec<Role>,
    /// The server's child, while it has one.
    pub child: Option<Pid>,
}

impl Seen {
    /// Returns the rows, each with its role.
    pub fn rows(&self) -> impl Iterator<Item = (Role, &Entry)> {
        self.roles.iter().copied().zip(&self.snapshot.entries)
    }

    /// Returns whether the listing says that it could not read these.
    fn is_blind_to(&self, what: Missing) -> bool {
        self.snapshot.unread.iter().any(|gap| gap.what == what)
    }

    /// Returns whether the listing says that it has no timers: Linux' has them, whatever else is missing.
    fn tells_no_timers(&self) -> bool {
        self.snapshot.platform != "linux" && self.is_blind_to(Missing::SocketFacts)
    }

    /// Returns whether a row is but a descriptor whose connection no process holds any more: where those
    /// are not listed (Wine), it stands there as CLOSED.
    fn is_left_over(&self, entry: &Entry) -> bool {
        self.is_blind_to(Missing::UnheldSockets) && entry.socket.state == Some(TcpState::Closed)
    }
}

/// Compares the promised rows with the listing: each must be there once, and no others. Returns the
/// differences in words.
pub fn compare(promised: &[Row], seen: &Seen) -> Vec<String> {
    let mut surprises: Vec<String> =
        missing(promised, seen).iter().map(|row| format!("expected: {row}")).collect();
    let mut met: Vec<Role> = Vec::new();
    for (role, entry) in seen.rows() {
        let is_promised = |row: &Row| row.is_kept_by(entry, role, seen);
        if met.contains(&role) || !(seen.is_left_over(entry) || promised.iter().any(is_promised)) {
            let state = entry.socket.state.map_or_else(String::new, |state| format!(" {state}"));
            surprises.push(format!(
                "not expected: {role}{state}, {}, {:?}, {:?}",
                entry.ownership.name(),
                entry.socket.queues,
                entry.socket.timer
            ));
        }
        met.push(role);
    }
    surprises
}
