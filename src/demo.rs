//! The guided, live session: real sockets on the real kernel, one call at a time, and after each
//! call the rows it made, as the listing has them.
//!
//! A lesson is data: steps, each with what to *act*, what to *say* and what to *expect* in the
//! listing. The expectation is checked each time the lesson runs, for a learner as in the tests: the
//! demo cannot show what is not there. Everything happens on loopback, on ports the kernel picks, in
//! this process alone: whatever stops it leaves nothing behind but TIME_WAIT, which is the lesson.

pub mod lessons;
pub mod rows;
pub mod stage;

use std::io;
use std::time::{Duration, Instant};

use crate::demo::rows::Row;
use crate::demo::stage::{Call, Stage};
use crate::error::CollectError;
use crate::platform::Backend;
use crate::snapshot::Snapshot;

/// How long a step's rows may take to appear: the other end of a connection learns of a call
/// asynchronously, also on loopback.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait before looking again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A sequence of steps that teaches one thing.
#[derive(Debug)]
pub struct Lesson {
    /// The word that chooses it on the command line.
    pub name: &'static str,
    /// What it is about, in one line.
    pub title: &'static str,
    /// Its steps, in order.
    pub steps: &'static [Step],
}

/// One call and what comes of it.
#[derive(Debug)]
pub struct Step {
    /// Makes the call, or calls.
    pub act: fn(&mut Stage) -> io::Result<()>,
    /// One sentence: what to see in the rows.
    pub say: &'static str,
    /// The rows of the lesson's sockets after it: these and no others, in any order.
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
    pub roles: Vec<&'static str>,
    /// The expected rows that never appeared and the rows nobody expected, in words; empty when the
    /// listing is what the lesson promises.
    pub surprises: Vec<String>,
}

/// Why a lesson could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A call failed that should not.
    #[error("step {number} of lesson '{lesson}': {source}")]
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
}

impl Performance {
    /// Opens the lesson; nothing is called yet.
    pub fn new(lesson: &'static Lesson, backend: Box<dyn Backend>) -> Self {
        Self { lesson, backend, stage: Stage::default(), done: 0 }
    }

    /// Performs the next step and looks at the listing until it is as expected, for at most five
    /// seconds. Returns `None` after the last step.
    ///
    /// # Errors
    ///
    /// When a call fails that should not, or nothing can be listed. A listing that stays different is
    /// no error but [`Performed::surprises`].
    pub fn next_step(&mut self) -> Result<Option<Performed>, DemoError> {
        let Some(step) = self.lesson.steps.get(self.done) else { return Ok(None) };
        self.done += 1;
        let (lesson, number) = (self.lesson.name, self.done);
        let failed = |source| DemoError::Act { lesson, number, source };
        (step.act)(&mut self.stage).map_err(failed)?;
        let calls = self.stage.take_calls();
        let (snapshot, roles, surprises) = self.look_until(step.expect)?;
        let (of, say) = (self.lesson.steps.len(), step.say);
        Ok(Some(Performed { lesson, number, of, calls, say, snapshot, roles, surprises }))
    }

    /// Looks at the listing until it is as promised or patience ends.
    #[expect(clippy::disallowed_methods, reason = "patience is measured in time, not in looks")]
    fn look_until(
        &mut self,
        promised: &[Row],
    ) -> Result<(Snapshot, Vec<&'static str>, Vec<String>), CollectError> {
        let began = Instant::now();
        loop {
            let (snapshot, roles) = self.stage.look(&mut *self.backend)?;
            let surprises = rows::compare(promised, &snapshot, &roles);
            if surprises.is_empty() || began.elapsed() > PATIENCE {
                return Ok((snapshot, roles, surprises));
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
}
