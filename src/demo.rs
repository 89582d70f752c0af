//! The guided, live session: real sockets on the real kernel, one call at a time, and after each
//! call the rows it made, as the listing has them.
//!
//! A lesson is data: steps, each with what to *act*, what to *say* and what to *expect* to change in
//! the listing. The expectation is checked each time the lesson runs, for a learner as in the tests: the
//! demo cannot show what is not there. Everything happens on loopback, on ports the kernel picks. A
//! lesson's child ends with this process: whatever stops it leaves nothing behind but TIME_WAIT, which
//! is the lesson.

pub mod cast;
pub mod code;
pub mod lessons;
pub mod needs;
pub mod quiz;
pub mod rows;
pub mod see;
pub mod stage;
pub mod syscall;

use std::io;
use std::time::{Duration, Instant};

use crate::demo::cast::Role;
use crate::demo::needs::Need;
use crate::demo::rows::{Row, Seen};
use crate::demo::stage::{Call, Stage};
use crate::error::CollectError;
use crate::platform::Backend;
use crate::snapshot::Snapshot;
use crate::socket::TimerKind;
use crate::state::TcpState;

/// How long a step's rows may take to appear: the other end of a connection learns of a call
/// asynchronously, also on loopback.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait before looking again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A sequence of steps that teaches one thing.
#[derive(Debug)]
pub struct Lesson {
    /// The word that chooses it on the command line.
    pub name: &'static str,
    /// What it is about, in one line.
    pub title: &'static str,
    /// What it needs that not every system has.
    pub needs: &'static [Need],
    /// Its steps, in order.
    pub steps: &'static [Step],
}

impl Lesson {
    /// Returns why it cannot be shown here, as a fragment; `None` when it can.
    pub fn missing(&self) -> Option<String> {
        self.needs.iter().find_map(|need| need.missing())
    }
}

/// One call and what comes of it.
#[derive(Debug)]
pub struct Step {
    /// Makes the call, or calls.
    pub act: fn(&mut Stage) -> io::Result<()>,
    /// One sentence: what to see in the rows.
    pub say: &'static str,
    /// The rows that are new or have changed, and those that are gone. Every other row of the lesson
    /// stays as it was promised before, and there are no others.
    pub expect: &'static [Row],
}

/// A step as it went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Performed {
    /// The lesson's name.
    pub lesson: &'static str,
    /// The step's number within the lesson, from 1.
    pub number: usize,
    /// How many steps the lesson has.
    pub of: usize,
    /// The calls and what they returned.
    pub calls: Vec<Call>,
    /// One sentence.
    pub say: &'static str,
    /// The listing of exactly the lesson's sockets.
    pub snapshot: Snapshot,
    /// What each row of the listing is in the lesson, in the same order.
    pub roles: Vec<Role>,
    /// The expected rows that never appeared and the rows nobody expected, in words; empty when the
    /// listing is what the lesson promises.
    pub surprises: Vec<String>,
}

/// Why a lesson could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A call failed that should not.
    #[error("step {number} of lesson '{lesson}'")]
    Act {
        /// The lesson's name.
        lesson: &'static str,
        /// The step's number, from 1.
        number: usize,
        /// The system's answer.
        source: io::Error,
    },
    /// The sockets could not be listed.
    #[error(transparent)]
    Collect(#[from] CollectError),
}

/// Performs a lesson on a fresh stage. Whoever asks for the next step decides the pace; dropping the
/// performance closes every socket it made.
#[derive(Debug)]
pub struct Performance {
    lesson: &'static Lesson,
    backend: Box<dyn Backend>,
    stage: Stage,
    done: usize,
    /// Every row that should be there now.
    promised: Vec<Row>,
    /// When rows that end by themselves will: a learner may look at a step for as long as they like.
    ends: Vec<(Role, Instant)>,
}

impl Performance {
    /// Opens the lesson; nothing is called yet.
    pub fn new(lesson: &'static Lesson, backend: Box<dyn Backend>) -> Self {
        let (promised, ends) = (Vec::new(), Vec::new());
        Self { lesson, backend, stage: Stage::default(), done: 0, promised, ends }
    }

    /// Performs the next step and looks at the listing until it is as expected, for at most twenty
    /// seconds, or until the kernel will have sent again what it waits to send again. Returns `None`
    /// after the last step.
    ///
    /// # Errors
    ///
    /// When a call fails that should not, or nothing can be listed. A listing that stays different, or
    /// a call that should fail and did not, is no error but [`Performed::surprises`].
    pub fn next_step(&mut self) -> Result<Option<Performed>, DemoError> {
        let Some(step) = self.lesson.steps.get(self.done) else { return Ok(None) };
        self.done += 1;
        let (lesson, number) = (self.lesson.name, self.done);
        let failed = |source| DemoError::Act { lesson, number, source };
        (step.act)(&mut self.stage).map_err(failed)?;
        let (calls, mut surprises) = self.stage.take_calls();
        rows::change(&mut self.promised, step.expect);
        let seen = self.look_until_kept()?;
        surprises.extend(rows::compare(&self.promised, &seen));
        let (of, say) = (self.lesson.steps.len(), step.say);
        let Seen { snapshot, roles, .. } = seen;
        Ok(Some(Performed { lesson, number, of, calls, say, snapshot, roles, surprises }))
    }

    /// Looks at the listing as it is now, a while after a step: a timer counts down, TIME_WAIT ends.
    ///
    /// # Errors
    ///
    /// When nothing can be listed.
    pub fn look(&mut self) -> Result<Seen, CollectError> {
        let begun = now();
        let seen = self.stage.look(&mut *self.backend)?;
        self.forgive(&seen, begun, now());
        Ok(seen)
    }

    /// Looks at the listing until it is as promised or patience ends.
    fn look_until_kept(&mut self) -> Result<Seen, CollectError> {
        let mut deadline = now() + PATIENCE;
        loop {
            // On a busy machine one look may take longer than patience: the last one begins after.
            let begun = now();
            let is_last = begun > deadline;
            let seen = self.stage.look(&mut *self.backend)?;
            let looked = now();
            self.forgive(&seen, begun, looked);
            if is_last || rows::compare(&self.promised, &seen).is_empty() {
                return Ok(seen);
            }
            if let Some(wait) = until_next_syn(&seen) {
                deadline = deadline.max(looked + wait + PATIENCE);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Promises no longer what has ended by itself since it was last seen. A look takes its time: what a
    /// timer tells counts from when that began, so that nothing is missed that may have ended by now.
    fn forgive(&mut self, seen: &Seen, begun: Instant, now: Instant) {
        for (role, entry) in seen.rows() {
            self.ends.retain(|(known, _)| *known != role);
            if let Some(timer) = entry.socket.timer
                && timer.kind == TimerKind::Timewait
            {
                self.ends.push((role, begun + Duration::from_millis(timer.expires_ms.into())));
            }
        }
        let has_ended = |role| {
            self.ends.iter().any(|(known, end)| *known == role && *end <= now + BETWEEN_LOOKS)
        };
        let missing: Vec<Role> =
            rows::missing(&self.promised, seen).iter().map(|row| row.role).collect();
        self.promised.retain(|row| !(missing.contains(&row.role) && has_ended(row.role)));
    }
}

#[expect(clippy::disallowed_methods, reason = "patience is measured in time, not in looks")]
fn now() -> Instant {
    Instant::now()
}

/// Returns how long the kernel waits before it asks for a connection again, and is answered.
fn until_next_syn(seen: &Seen) -> Option<Duration> {
    let timers = seen
        .rows()
        .filter(|(_, entry)| entry.socket.state == Some(TcpState::SynSent))
        .filter_map(|(_, entry)| entry.socket.timer);
    timers.map(|timer| Duration::from_millis(timer.expires_ms.into())).max()
}
