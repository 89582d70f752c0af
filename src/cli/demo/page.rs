//! The demo as a page on a terminal: the calls as a sequence diagram, the rows, live, the states, and the
//! sentence.
//!
//! Three parts: the model (what is shown, and what a key changes in it), the view (a pure function from
//! the model and the size to a picture), and this loop, which has the terminal, the time, and a thread
//! that performs the lesson, so that a step that takes seconds keeps nobody from leaving.

mod diagram;
mod machine;
mod menu;
pub mod model;
mod paint;
mod player;
pub mod view;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{DemoArgs, Score};
use crate::cli::Io;
use crate::cli::screen::{self, Input, Screen};
use crate::demo::Lesson;
use crate::platform::clock::Deadline;
use crate::platform::props::SYSTEM;
use model::{Effect, Model};
use player::{Order, Player, Report};

/// How often the rows are looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// How long leaving waits for the lesson to be taken down.
const FAREWELL: Duration = Duration::from_secs(1);

/// What wakes the loop.
#[derive(Debug)]
enum Event {
    Input(Input),
    Report(usize, Report),
}

/// How it was left.
#[derive(Debug)]
pub(super) enum Left {
    /// For good.
    ForGood(Score),
    /// For the quiz.
    ForQuiz,
}

/// Shows the page: these lessons, one after the other, or without any the menu. With `--auto` it goes on
/// by itself, and leaves at the end.
pub(super) fn run(
    lessons: Vec<&'static Lesson>,
    args: &DemoArgs,
    io: &mut Io<'_>,
) -> anyhow::Result<Left> {
    let (send, events) = mpsc::channel();
    let inputs = send.clone();
    // Signals are caught before the terminal is touched.
    screen::listen(move |input| inputs.send(Event::Input(input)).is_ok())?;
    let player = Player::start(move |age, report| send.send(Event::Report(age, report)).is_ok());
    let mut model = Model::new(lessons, io.terminal.color, SYSTEM);
    model.runs_free = args.auto;
    model.ends = args.auto;
    model.code = args.code;
    let mut page = Page {
        model,
        player,
        score: Score::default(),
        pause: args.pause,
        next_look: None,
        next_step: None,
        is_looking: false,
        is_for_quiz: false,
    };
    let done = {
        let mut screen = Screen::open(io.stdout)?;
        page.show(&mut screen, &events)
    };
    page.player.end(FAREWELL);
    done?;
    Ok(if page.is_for_quiz { Left::ForQuiz } else { Left::ForGood(page.score) })
}

/// The model, and all that takes time.
#[derive(Debug)]
struct Page {
    model: Model,
    player: Player,
    score: Score,
    /// How long it waits after a step while it runs free.
    pause: Duration,
    /// When to look at the rows again; absent while nothing is to be seen.
    next_look: Option<Deadline>,
    /// When to go on, while it runs free.
    next_step: Option<Deadline>,
    is_looking: bool,
    /// Whether it is left for the quiz.
    is_for_quiz: bool,
}

impl Page {
    /// Draws, waits, changes; until it is to end.
    fn show(&mut self, screen: &mut Screen<'_>, events: &Receiver<Event>) -> anyhow::Result<()> {
        self.player.order(Order::Check);
        loop {
            screen.draw(|area, buffer| view::draw(&self.model, area, buffer))?;
            let event = match events.recv_timeout(self.patience()) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let effect = match event {
                Some(Event::Input(Input::Stop)) => return Ok(()),
                Some(Event::Input(Input::Resize(width, height))) => {
                    screen.resize(width, height)?;
                    None
                }
                Some(Event::Input(Input::Key(key))) => {
                    let was_free = self.model.runs_free;
                    let effect = self.model.key(key);
                    if self.model.runs_free && !was_free && effect.is_none() {
                        self.next_step = Some(Deadline::after(Duration::ZERO));
                    }
                    effect
                }
                Some(Event::Report(age, report)) if self.player.wants(age, &report) => {
                    self.take(report)?
                }
                Some(Event::Report(..)) => None,
                None => self.when_due(),
            };
            if let Some(effect) = effect
                && !self.follow(effect)
            {
                return Ok(());
            }
        }
    }

    /// Returns how long nothing is due.
    fn patience(&self) -> Duration {
        let look = self.next_look.filter(|_| !self.is_looking);
        let step = self.next_step.filter(|_| self.model.runs_free);
        look.into_iter().chain(step).map(Deadline::left).min().unwrap_or(BETWEEN_LOOKS * 4)
    }

    /// Does what is due.
    fn when_due(&mut self) -> Option<Effect> {
        if self.model.runs_free && self.next_step.is_some_and(Deadline::has_passed) {
            self.next_step = None;
            return self.model.go_on();
        }
        if !self.is_looking && self.next_look.is_some_and(Deadline::has_passed) {
            self.is_looking = true;
            self.player.order(Order::Look);
        }
        None
    }

    /// Takes over what the player tells.
    fn take(&mut self, report: Report) -> anyhow::Result<Option<Effect>> {
        match report {
            Report::Checked(missing) => {
                let asked = self.model.queue.iter().map(|lesson| lesson.name);
                let asked: Vec<&'static str> = asked.collect();
                self.model.check(missing);
                let items = self.model.menu.items.iter();
                let missing = items.filter(|item| item.missing.is_some());
                let missing: Vec<&'static str> = missing.map(|item| item.name).collect();
                self.score.skipped = asked.into_iter().filter(|n| missing.contains(n)).collect();
                if !self.model.queue.is_empty() {
                    return Ok(Some(self.model.advance()));
                }
            }
            Report::Performed(step) => {
                self.score.surprises += step.surprises.len();
                self.model.performed(*step);
                self.next_look = Some(Deadline::after(BETWEEN_LOOKS));
                self.next_step = Some(Deadline::after(self.pause));
            }
            Report::Seen(seen, took) => {
                self.is_looking = false;
                self.model.seen(seen);
                // On a machine where looking is dear, it is done less often.
                self.next_look = Some(Deadline::after(BETWEEN_LOOKS.max(took * 4)));
            }
            Report::Failed(error) => return Err(error),
        }
        Ok(None)
    }

    /// Does what the model wants; false when that is to leave.
    fn follow(&mut self, effect: Effect) -> bool {
        self.next_step = None;
        match effect {
            Effect::Open(chosen) => {
                self.score.shown += 1;
                self.close();
                self.player.order(Order::Open(chosen.0));
                self.player.order(Order::Next);
            }
            Effect::Next => self.player.order(Order::Next),
            Effect::Close => {
                self.close();
                self.player.order(Order::Close);
            }
            Effect::Quit => return false,
            Effect::Quiz => {
                self.is_for_quiz = true;
                return false;
            }
        }
        true
    }

    fn close(&mut self) {
        self.player.forget();
        self.next_look = None;
        self.is_looking = false;
    }
}

/// Breaks a text between words into lines of at most `width` characters, those after the first indented;
/// a word that is longer than a line is broken too.
fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut long = 0;
    let mut is_begun = false;
    let leading = text.chars().take_while(|c| *c == ' ').count();
    line.push_str(&" ".repeat(leading));
    long += leading;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let size = word.chars().count();
        if is_begun && long + 1 + size > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            long = indent;
            is_begun = false;
        }
        if is_begun {
            line.push(' ');
            long += 1;
        }
        for character in word.chars() {
            if long >= width.max(indent + 1) {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
                long = indent;
            }
            line.push(character);
            long += 1;
        }
        is_begun = true;
    }
    if is_begun {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_breaks_between_words_and_what_is_longer_within_them() {
        assert_eq!(wrap("one two three", 8, 0), ["one two", "three"]);
        assert_eq!(wrap("one two three", 8, 2), ["one two", "  three"]);
        assert_eq!(wrap("unbreakable", 4, 1), ["unbr", " eak", " abl", " e"]);
        assert_eq!(wrap("  = 0; fine", 80, 4), ["  = 0; fine"]);
        assert_eq!(wrap("", 8, 2), [""; 0]);
    }
}
