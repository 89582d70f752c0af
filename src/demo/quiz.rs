//! The quiz: causes of trouble set up for real, and told as whoever is on call hears of them. The learner
//! finds the cause with `sockscope list`, `port`, `why` and `show`.
//!
//! A question is data: who plays in it, what is heard of it, what is offered as the cause, the hints, and
//! what shows the answer. Each player is a process of its own, under a name of its own, on loopback. They end
//! when the quiz ends, however that ends. What is said of a question, and what it is worth, is pure.

pub mod attempt;
pub mod cause;
pub mod questions;

use std::io;

use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::stage::Stage;
use crate::platform::actor::{self, Actor};
use crate::process::Pid;

/// How often a scene is set up anew: a port that one player got may be taken for the next.
const TRIES: usize = 5;
/// What a player answers when it has done its part.
const READY: &str = "ready";
/// What it says of a child it has not, or an address it needs not.
const NONE: &str = "-";

/// One thing to find out.
#[derive(Debug)]
pub struct Question {
    /// The word that chooses it on the command line. It does not give the answer away.
    pub name: &'static str,
    /// What it needs that not every system has.
    pub needs: &'static [Need],
    /// Who plays, in the order in which they enter.
    pub parts: &'static [Part],
    /// Which of them has the address in question.
    pub target: usize,
    /// The process to be found, where there is one.
    pub culprit: Option<Culprit>,
    /// What is heard of it. In this and all that follow, `{target}` and `{port}` are where it is, `{first}`
    /// and `{second}` the players' process numbers, `{culprit}` that of the one to be found.
    pub symptom: &'static str,
    /// The causes that are offered, the true one first.
    pub causes: &'static [Cause],
    /// Hints, each telling more than the one before.
    pub hints: &'static [&'static str],
    /// What shows the answer, the best first: the arguments of `sockscope`, and what a line then says.
    pub shown: &'static [Shown],
    /// The answer, and what to do about it.
    pub answer: &'static str,
}

/// One player's part.
#[derive(Debug)]
pub struct Part {
    /// The name that process lists show.
    pub name: &'static str,
    /// What it does, given what the player before it returned; returns the address it has.
    pub play: fn(&mut Stage, &str) -> io::Result<String>,
    /// Whether it is stopped when it has played.
    pub stopped: bool,
}

impl Part {
    /// Returns a part of this name that does this.
    pub const fn new(name: &'static str, play: fn(&mut Stage, &str) -> io::Result<String>) -> Self {
        Self { name, play, stopped: false }
    }
}

/// Which process is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Culprit {
    /// This player.
    Player(usize),
    /// The child of this player.
    ChildOf(usize),
}

/// What shows the answer.
#[derive(Debug)]
pub struct Shown {
    /// The arguments of `sockscope`, as a shell would take them.
    pub command: &'static str,
    /// What a line of its output has.
    pub line: &'static str,
}

/// A question that is set up. Dropping it ends the players.
#[derive(Debug)]
pub struct Scene {
    question: &'static Question,
    players: Vec<Player>,
}

#[derive(Debug)]
struct Player {
    actor: Actor,
    address: String,
    child: Option<Pid>,
}

impl Scene {
    /// Sets up a question.
    ///
    /// # Errors
    ///
    /// When a player cannot do its part.
    pub fn set_up(question: &'static Question) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::Other);
        for _ in 0..TRIES {
            match Self::try_set_up(question) {
                Ok(scene) => return Ok(scene),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn try_set_up(question: &'static Question) -> io::Result<Self> {
        let mut scene = Self { question, players: Vec::new() };
        for (number, part) in question.parts.iter().enumerate() {
            let before = scene.players.last().map_or(NONE, |player| player.address.as_str());
            let line = format!("{} {number} {before}", question.name);
            let (actor, answer) = Actor::start(part.name, &line)?;
            let words: Vec<&str> = answer.splitn(3, ' ').collect();
            let [READY, child, address] = *words else { return Err(io::Error::other(answer)) };
            let child = child.parse().ok().map(Pid);
            if part.stopped {
                actor.stop()?;
            }
            scene.players.push(Player { actor, address: address.to_owned(), child });
        }
        Ok(scene)
    }

    /// Returns the address in question.
    pub fn target(&self) -> &str {
        self.players.get(self.question.target).map_or("", |player| &player.address)
    }

    /// Returns the process to be found, where there is one.
    pub fn culprit(&self) -> Option<Pid> {
        match self.question.culprit? {
            Culprit::Player(number) => self.player(number),
            Culprit::ChildOf(number) => self.players.get(number)?.child,
        }
    }

    /// Returns a text of the question's with what is true of this scene in its places.
    pub fn fill(&self, text: &str) -> String {
        let target = self.target();
        let port = target.rsplit(':').next().unwrap_or_default();
        let mut text = text.replace("{target}", target).replace("{port}", port);
        let numbers = [
            ("{first}", self.player(0)),
            ("{second}", self.player(1)),
            ("{culprit}", self.culprit()),
        ];
        for (place, pid) in numbers {
            text = text.replace(place, &pid.map_or_else(String::new, |pid| pid.to_string()));
        }
        text
    }

    fn player(&self, number: usize) -> Option<Pid> {
        self.players.get(number).map(|player| player.actor.pid())
    }
}

/// Plays the part that this line of [`Scene`] tells, on this stage. Returns the answer.
pub fn play(line: &str, stage: &mut Stage) -> String {
    let mut words = line.trim_end().splitn(3, ' ');
    let (name, number, before) = (words.next(), words.next(), words.next().unwrap_or(NONE));
    let question = questions::ALL.iter().find(|question| Some(question.name) == name);
    let number = number.and_then(|number| number.parse::<usize>().ok());
    let part = question.zip(number).and_then(|(question, number)| question.parts.get(number));
    let Some(part) = part else { return "there is no such part".to_owned() };
    let played = actor::play_as(part.name).and_then(|()| (part.play)(stage, before));
    match played {
        Ok(address) => {
            let child = stage.child().map_or_else(|| NONE.to_owned(), |pid| pid.to_string());
            format!("{READY} {child} {address}")
        }
        Err(error) => crate::error::cause(&error),
    }
}

impl Question {
    /// Returns why it cannot be asked here, as a fragment; `None` when it can.
    pub fn missing(&self) -> Option<String> {
        self.needs.iter().find_map(|need| need.missing())
    }

    /// Returns the true cause. Each question has one.
    pub fn cause(&self) -> Option<Cause> {
        self.causes.first().copied()
    }

    /// Returns the causes in the order in which this seed offers them.
    pub fn offered(&self, seed: u64) -> Vec<Cause> {
        let salt =
            self.name.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
        shuffled(self.causes, seed ^ salt)
    }
}

/// Returns these in an order that the seed alone decides.
pub fn shuffled<T: Copy>(items: &[T], seed: u64) -> Vec<T> {
    let mut state = seed;
    let mut keyed: Vec<(u64, T)> = items.iter().map(|item| (next(&mut state), *item)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, item)| item).collect()
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_question_has_causes_to_choose_from_hints_and_what_shows_it() {
        for question in questions::ALL {
            let causes: BTreeSet<_> = question.causes.iter().collect();
            assert_eq!(causes.len(), question.causes.len(), "{}: each cause once", question.name);
            assert!((3..=6).contains(&causes.len()), "{}: a to f", question.name);
            assert!(question.hints.len() >= 2, "{}", question.name);
            assert!(!question.shown.is_empty(), "{}", question.name);
            assert!(question.parts.iter().all(|part| part.name.len() < 16), "{}", question.name);
            assert!(question.target < question.parts.len(), "{}", question.name);
        }
    }

    #[test]
    fn names_are_told_apart() {
        let names: BTreeSet<_> = questions::ALL.iter().map(|question| question.name).collect();
        assert_eq!(names.len(), questions::ALL.len());
    }

    #[test]
    fn a_seed_decides_the_order_and_another_seed_another() {
        let numbers: Vec<u32> = (0..20).collect();
        let [one, again, other] = [1, 1, 2].map(|seed| shuffled(&numbers, seed));
        assert_eq!(one, again);
        assert_ne!(one, other);
        let mut sorted = one;
        sorted.sort_unstable();
        assert_eq!(sorted, numbers);
    }
}
