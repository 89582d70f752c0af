//! A plan that frees a port: what is in the way, every way out with its harm, which of them are taken,
//! and what of a plan still holds when it is carried out.
//!
//! Pure. The ways out are [`crate::diagnose`]'s, which `why` prints; carrying them out is
//! `cli::free`'s.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::diagnose::{Action, Harm, Remedy, is_manager, ways_out};
use crate::platform::process_control::Asker;
use crate::process::{HiddenReason, Ownership, Pid, Process, Uid};
use crate::render::phrase;
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Socket, SocketId};

/// A plan; without steps when nothing is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The sockets in the way.
    pub in_the_way: Vec<Entry>,
    /// Every way out, the least harmful first.
    pub steps: Vec<Step>,
}

/// One way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub remedy: Remedy,
    /// Why it is not possible; absent when it is.
    pub obstacle: Option<Obstacle>,
    /// Whether it is taken.
    pub is_chosen: bool,
}

/// Why a step is not possible.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// It would end sockscope, or what it was started from: a shell, a terminal, sshd.
    Lineage(Pid),
    /// It would stop the unit or container that sockscope runs in.
    OwnService,
    /// Only this user can, whose manager or runtime it is.
    OtherUser(Uid),
    /// It takes a program that is not installed.
    NoProgram(String),
    /// The start of this process could not be read: it cannot be told from one that gets its number.
    Unidentified(Pid),
    /// It takes longer than was asked to wait.
    TooLong,
    /// It takes root, or `CAP_NET_ADMIN`.
    NotPermitted,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lineage(pid) => {
                write!(f, "process {pid} is sockscope, or what it was started from")
            }
            Self::OwnService => f.write_str("sockscope itself runs in it"),
            Self::OtherUser(uid) => write!(f, "only user {uid} can do that"),
            Self::NoProgram(name) => write!(f, "there is no program '{name}'"),
            Self::Unidentified(pid) => write!(f, "the start of process {pid} could not be read"),
            Self::TooLong => f.write_str("longer than --timeout"),
            Self::NotPermitted => f.write_str("it takes root, or CAP_NET_ADMIN"),
        }
    }
}

impl Obstacle {
    /// Returns the word for it, as in the JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Lineage(_) => "lineage",
            Self::OwnService => "own-service",
            Self::OtherUser(_) => "other-user",
            Self::NoProgram(_) => "no-program",
            Self::Unidentified(_) => "unidentified",
            Self::TooLong => "too-long",
            Self::NotPermitted => "not-permitted",
        }
    }
}

/// What whoever asks can do.
#[expect(missing_debug_implementations, reason = "a function has no text")]
pub struct Means<'a> {
    /// Who asks.
    pub asker: &'a Asker,
    /// How long it may take.
    pub patience: Duration,
    /// Whether there is a program of this name.
    pub has_program: &'a dyn Fn(&str) -> bool,
}

impl Plan {
    /// Returns the plan that takes these out of the way with the least harm. A diagnosis may know of
    /// more units and containers to stop than the processes themselves tell.
    pub fn new(in_the_way: Vec<Entry>, diagnosed: Vec<Remedy>, means: &Means<'_>) -> Self {
        let mut remedies = ways_out(&in_the_way.iter().collect::<Vec<_>>());
        for remedy in diagnosed {
            let is_known = remedies.iter().any(|known| known.action == remedy.action);
            if remedy.harm == Harm::Service && !is_known {
                remedies.push(remedy);
            }
        }
        remedies.sort_by_key(|remedy| remedy.harm);
        let steps = remedies.into_iter().map(|remedy| {
            let obstacle = obstacle(&remedy, &in_the_way, means);
            Step { remedy, obstacle, is_chosen: false }
        });
        let mut plan = Self { steps: steps.collect(), in_the_way };
        plan.choose_least_harm();
        plan
    }

    /// Takes for each socket the first step that clears it.
    fn choose_least_harm(&mut self) {
        let mut cleared: BTreeSet<SocketId> = BTreeSet::new();
        let is_ours =
            |step: &&mut Step| step.obstacle.is_none() && !is_by_hand(&step.remedy.action);
        for step in self.steps.iter_mut().filter(is_ours) {
            let clears = &step.remedy.clears;
            step.is_chosen = clears.iter().any(|id| !cleared.contains(id));
            cleared.extend(clears);
        }
    }

    /// Takes these steps and no others, by their numbers from 1.
    ///
    /// # Errors
    ///
    /// When there is no such step, or it is not possible, or a person's to do.
    pub fn choose(&mut self, numbers: &[usize]) -> Result<(), String> {
        let steps = self.steps.len();
        for &number in numbers {
            let step = number.checked_sub(1).and_then(|index| self.steps.get(index));
            let Some(step) = step else {
                return Err(match steps {
                    0 => "the plan has no steps".to_owned(),
                    1 => format!("the plan has no step {number}: it has one"),
                    _ => format!("the plan has no step {number}: it has 1 to {steps}"),
                });
            };
            if let Some(obstacle) = &step.obstacle {
                return Err(format!("step {number} is not possible: {obstacle}"));
            }
            if is_by_hand(&step.remedy.action) {
                return Err(format!("step {number} is yours to do by hand"));
            }
        }
        for (number, step) in (1..).zip(&mut self.steps) {
            step.is_chosen = numbers.contains(&number);
        }
        Ok(())
    }

    /// Returns the steps taken, with their numbers, in the order in which they are carried out: what is
    /// waited for ends by itself meanwhile, so that comes last.
    pub fn chosen(&self) -> Vec<(usize, &Step)> {
        let mut chosen: Vec<_> =
            (1..).zip(&self.steps).filter(|(_, step)| step.is_chosen).collect();
        chosen.sort_by_key(|(_, step)| matches!(step.remedy.action, Action::Wait { .. }));
        chosen
    }

    /// Returns what stays in the way when the steps taken are done.
    pub fn left(&self) -> Vec<&Entry> {
        let cleared: BTreeSet<SocketId> =
            self.chosen().into_iter().flat_map(|(_, step)| step.remedy.clears.clone()).collect();
        self.in_the_way.iter().filter(|entry| !cleared.contains(&entry.socket.id)).collect()
    }

    /// Returns true when some possible step clears this.
    pub fn is_clearable(&self, entry: &Entry) -> bool {
        let mut possible = self.steps.iter().filter(|step| step.obstacle.is_none());
        possible.any(|step| step.remedy.clears.contains(&entry.socket.id))
    }

    /// Returns the entries that a step clears.
    pub fn cleared_by<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a Entry> {
        self.in_the_way.iter().filter(|entry| step.remedy.clears.contains(&entry.socket.id))
    }

    /// Returns what of a step is to be done when the sockets are now like this.
    pub fn standing(&self, step: &Step, now: &Snapshot) -> Standing {
        let mut still: Vec<Entry> = Vec::new();
        for planned in self.cleared_by(step) {
            let Some(entry) = find(&planned.socket, now) else { continue };
            if let Some(change) = change(planned, entry) {
                return Standing::Changed(change);
            }
            still.push(entry.clone());
        }
        if still.is_empty() { Standing::Gone } else { Standing::AsPlanned(still) }
    }
}

/// What has become of the sockets that a step clears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// These are there, held by nobody who was not in the plan.
    AsPlanned(Vec<Entry>),
    /// None of them is there.
    Gone,
    /// One is another's, or another socket: what was planned would not do what it was planned for.
    Changed(String),
}

/// Returns the same socket as it is now.
fn find<'a>(planned: &Socket, now: &'a Snapshot) -> Option<&'a Entry> {
    let is_same = |socket: &Socket| {
        if let Some(cookie) = planned.cookie {
            return socket.cookie == Some(cookie) && socket.netns == planned.netns;
        }
        // Without cookies: what tells sockets apart otherwise.
        let of =
            |socket: &Socket| (socket.protocol, socket.netns, socket.inode, socket.rare.created);
        (of(socket), &socket.local, &socket.peer) == (of(planned), &planned.local, &planned.peer)
    };
    now.entries.iter().find(|entry| is_same(&entry.socket))
}

/// Returns what makes a socket another matter than was planned for; `None` when nothing does. That
/// some of its holders are gone changes nothing.
fn change(planned: &Entry, now: &Entry) -> Option<String> {
    if (&planned.socket.local, &planned.socket.peer) != (&now.socket.local, &now.socket.peer) {
        let (before, after) = (phrase::ends(&planned.socket), phrase::ends(&now.socket));
        return Some(format!("{before} is another connection by now, {after}"));
    }
    let before: Vec<(Pid, Option<u64>)> =
        planned.ownership.owners().iter().map(|owner| identity(&owner.process)).collect();
    let newcomer =
        now.ownership.owners().iter().find(|owner| !before.contains(&identity(&owner.process)));
    newcomer.map(|owner| {
        let (who, what) = (phrase::process(&owner.process), phrase::ends(&now.socket));
        format!("{who} has {what} too by now, and is not in the plan")
    })
}

fn identity(process: &Process) -> (Pid, Option<u64>) {
    (process.pid, process.start)
}

/// Returns those of the planned processes that hold one of these sockets.
pub fn still_holding<'a>(planned: &'a [Arc<Process>], now: &[Entry]) -> Vec<&'a Process> {
    let owners = now.iter().flat_map(|entry| entry.ownership.owners());
    let holders: BTreeSet<(Pid, Option<u64>)> =
        owners.map(|owner| identity(&owner.process)).collect();
    let planned = planned.iter().map(|process| &**process);
    planned.filter(|process| holders.contains(&identity(process))).collect()
}

/// Returns true for what a person does, and no step of ours.
const fn is_by_hand(action: &Action) -> bool {
    matches!(action, Action::Advice { .. } | Action::Continue { .. })
}

/// Returns why a remedy is not possible.
fn obstacle(remedy: &Remedy, in_the_way: &[Entry], means: &Means<'_>) -> Option<Obstacle> {
    let Means { asker, patience, has_program } = means;
    let of_other_user =
        |user: Option<Uid>| user.filter(|user| asker.uid != Some(*user)).map(Obstacle::OtherUser);
    let missing = |action: &Action| {
        let program = action.command()?.into_iter().next()?;
        (!has_program(&program)).then_some(Obstacle::NoProgram(program))
    };
    let group = asker.cgroup.as_ref();
    match &remedy.action {
        Action::Wait { seconds } => (*seconds > patience.as_secs()).then_some(Obstacle::TooLong),
        Action::Destroy { .. } => {
            (asker.may_destroy == Some(false)).then_some(Obstacle::NotPermitted)
        }
        action @ Action::StopUnit { unit, user } => {
            let is_ours = group.is_some_and(|group| {
                [&group.unit, &group.user_unit].contains(&&Some(unit.clone()))
            });
            lineage(remedy, in_the_way, asker)
                .or(is_ours.then_some(Obstacle::OwnService))
                .or_else(|| of_other_user(*user))
                .or_else(|| missing(action))
        }
        action @ Action::StopContainer { container, user, .. } => {
            let ours = group.and_then(|group| group.container.as_ref());
            let is_ours = ours.is_some_and(|ours| ours.id == *container);
            lineage(remedy, in_the_way, asker)
                .or(is_ours.then_some(Obstacle::OwnService))
                .or_else(|| of_other_user(*user))
                .or_else(|| missing(action))
        }
        action @ Action::StopService { .. } => {
            lineage(remedy, in_the_way, asker).or_else(|| missing(action))
        }
        Action::End { processes } => lineage(remedy, in_the_way, asker).or_else(|| {
            let unknown = processes.iter().find(|process| process.start.is_none());
            unknown.map(|process| Obstacle::Unidentified(process.pid))
        }),
        Action::Continue { .. } | Action::Advice { .. } => None,
    }
}

/// Returns the obstacle that a holder of what the remedy clears is sockscope, or what it was started
/// from.
fn lineage(remedy: &Remedy, in_the_way: &[Entry], asker: &Asker) -> Option<Obstacle> {
    let cleared = in_the_way.iter().filter(|entry| remedy.clears.contains(&entry.socket.id));
    let mut holders = cleared.flat_map(|entry| entry.ownership.owners());
    // A manager gives a socket back without ending, and everybody was started by one.
    let is_ours = |process: &Process| !is_manager(process) && asker.lineage.contains(&process.pid);
    let ours = holders.find(|owner| is_ours(&owner.process))?;
    Some(Obstacle::Lineage(ours.process.pid))
}

/// Returns why nothing takes this out of the way, a clause.
pub fn why_stuck(entry: &Entry) -> &'static str {
    match &entry.ownership {
        Ownership::Held(owners) if owners.iter().all(|owner| owner.via.is_inferred()) => {
            "that is inferred, and nobody is ended on a guess"
        }
        Ownership::Held(_) => "which must not end: it holds sockets for others",
        Ownership::Kernel(_) => "no process has it, so none can be ended",
        Ownership::Hidden(HiddenReason::Permission) => "run as root (sudo) to see who it is",
        Ownership::Hidden(_) => "who that is cannot be told",
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It was done; what, in words.
    Done(String),
    /// There was nothing to do any more.
    Needless(String),
    /// It was not done, or not wholly; why, in words.
    Failed(String),
}

impl Deed {
    /// Returns the words.
    pub fn words(&self) -> &str {
        match self {
            Self::Done(words) | Self::Needless(words) | Self::Failed(words) => words,
        }
    }

    /// Returns the word for it, as in the JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Needless(_) => "needless",
            Self::Failed(_) => "failed",
        }
    }
}

/// What came of it all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody had it, and it can be bound.
    Free,
    /// Nobody has it; whether whoever asks may bind it is another matter, for this reason.
    Unheld(String),
    /// It was held, and can be bound now.
    Freed,
    /// Nobody holds it any more, but the kernel keeps it for this many seconds more, as far as that is
    /// known.
    Lingering(Option<u64>),
    /// These have it.
    Held(Vec<Entry>),
    /// Nothing was done: only the plan was asked for, or it was not agreed to, or it would not help.
    Untouched,
}

impl Outcome {
    /// Returns true when the port is free.
    pub const fn is_free(&self) -> bool {
        match self {
            Self::Free | Self::Unheld(_) | Self::Freed => true,
            Self::Lingering(_) | Self::Held(_) | Self::Untouched => false,
        }
    }

    /// Returns the word for it, as in the JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Unheld(_) => "unheld",
            Self::Freed => "freed",
            Self::Lingering(_) => "lingering",
            Self::Held(_) => "held",
            Self::Untouched => "untouched",
        }
    }
}

/// What somebody who took the port has to do with who had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// One of the processes of the plan.
    Planned,
    /// A process of the same unit.
    SameUnit,
    /// A process that was started by the same one.
    SameParent,
    /// None that is known.
    None,
}

/// Returns what a process has to do with those that were in the way.
pub fn kinship(process: &Process, in_the_way: &[Entry]) -> Kinship {
    let before = || in_the_way.iter().flat_map(|entry| entry.ownership.owners());
    let unit = |process: &Process| process.cgroup.as_ref().and_then(Cgroup::full_unit);
    let is_service = |process: &Process| {
        unit(process).is_some_and(|unit| unit.as_bytes().ends_with(b".service"))
    };
    if before().any(|owner| identity(&owner.process) == identity(process)) {
        Kinship::Planned
    } else if is_service(process) && before().any(|owner| unit(&owner.process) == unit(process)) {
        Kinship::SameUnit
    } else if process.ppid.is_some_and(|parent| parent != Pid(1))
        && before().any(|owner| owner.process.ppid == process.ppid)
    {
        Kinship::SameParent
    } else {
        Kinship::None
    }
}

#[cfg(test)]
mod tests;
