//! What the page shows, and what a key or a step changes in it. No terminal, no clock, no sockets.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum as _;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::cli::demo::quiz;
use crate::demo::cast::{Program, Role};
use crate::demo::code::Language;
use crate::demo::rows::Seen;
use crate::demo::stage::Call;
use crate::demo::stage::wire::{Crossing, Packet};
use crate::demo::{Lesson, Performed, lessons};
use crate::process::Ownership;
use crate::snapshot::{Entry, Snapshot};

/// All that is on the page.
#[derive(Debug)]
pub struct Model {
    /// Whether there may be colour.
    pub color: bool,
    /// The lessons that can be chosen.
    pub menu: Menu,
    /// The lesson that is played; absent while the menu is shown.
    pub play: Option<Play>,
    /// The lessons that follow.
    pub queue: Vec<&'static Lesson>,
    /// Whether it goes on by itself.
    pub runs_free: bool,
    /// Whether the commands of other tools are shown.
    pub sees: bool,
    /// The language in which the calls of a step are shown, too.
    pub code: Option<Language>,
    /// Whether the keys are explained.
    pub helps: bool,
    /// Whether to leave when no lesson follows, instead of showing the menu.
    pub ends: bool,
    /// The system this is, which decides what other tools there are.
    pub system: &'static str,
}

/// The lessons to choose from.
#[derive(Debug)]
pub struct Menu {
    /// Every lesson.
    pub items: Vec<Item>,
    /// The chosen one, by its place.
    pub selected: usize,
    /// The digits of a number that is being typed.
    typed: String,
}

/// A line of the menu: a lesson, or the quiz.
#[derive(Debug)]
pub struct Item {
    /// The word that chooses it on the command line.
    pub name: &'static str,
    /// What it is about, in one line.
    pub title: &'static str,
    /// The lesson; absent for the quiz, which is no page.
    pub lesson: Option<&'static Lesson>,
    /// Why it cannot be shown here; `None` when it can, or this is not known yet.
    pub missing: Option<String>,
    /// Whether it was played to its end.
    pub is_done: bool,
}

/// A lesson that is being played.
#[derive(Debug)]
pub struct Play {
    /// The lesson.
    pub lesson: &'static Lesson,
    /// The step that was performed last, from 1; 0 before the first.
    pub number: usize,
    /// Whether a step is being performed.
    pub is_acting: bool,
    /// Every call so far, each with the number of its step.
    pub calls: Vec<(usize, Call)>,
    /// What to see; empty before the first step.
    pub say: &'static str,
    /// What was not as promised.
    pub surprises: Vec<String>,
    /// The rows as they are now.
    pub rows: Rows,
    /// What the rows were like when the step began.
    before: BTreeMap<Role, String>,
    /// How many lines of the calls are scrolled down.
    pub scrolled: usize,
    /// How often the rows that did not fit were turned to.
    pub rows_turned: usize,
    /// The language in which the calls of the last step are shown, too.
    pub code: Option<Language>,
}

/// The listing of the lesson's sockets.
#[derive(Debug, Default)]
pub struct Rows {
    /// The listing; absent before the first step.
    pub snapshot: Option<Snapshot>,
    /// What each row is in the lesson.
    pub roles: Vec<Role>,
}

/// What is to be done next. All of it takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Begin this lesson, with its first step; the one before is over.
    Open(Chosen),
    /// Perform the next step.
    Next,
    /// End the lesson, and close its sockets.
    Close,
    /// Leave.
    Quit,
    /// Leave, for the quiz.
    Quiz,
}

/// A lesson, told by its name from others.
#[derive(Debug, Clone, Copy)]
pub struct Chosen(pub &'static Lesson);

impl PartialEq for Chosen {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Chosen {}

impl Model {
    /// Returns the page before anything happened: these lessons are to be played, one after the other;
    /// without one, it is the menu.
    pub fn new(queue: Vec<&'static Lesson>, color: bool, system: &'static str) -> Self {
        let item =
            |name, title, lesson| Item { name, title, lesson, missing: None, is_done: false };
        let lessons = lessons::ALL.iter().map(|it| item(it.name, it.title, Some(*it)));
        let items = lessons.chain([item(quiz::NAME, quiz::TITLE, None)]).collect();
        Self {
            color,
            menu: Menu { items, selected: 0, typed: String::new() },
            play: None,
            queue,
            runs_free: false,
            sees: false,
            code: None,
            helps: false,
            ends: false,
            system,
        }
    }

    /// Takes note of what each lesson lacks here, in the order of the menu.
    pub fn check(&mut self, missing: Vec<Option<String>>) {
        for (item, missing) in self.menu.items.iter_mut().zip(missing) {
            item.missing = missing;
        }
    }

    /// Begins the next lesson of the queue that can be shown; else the menu, or the end.
    pub fn advance(&mut self) -> Effect {
        while !self.queue.is_empty() {
            let lesson = self.queue.remove(0);
            if !self.is_missing(lesson) {
                return self.open(lesson);
            }
        }
        if self.ends {
            return Effect::Quit;
        }
        self.play = None;
        self.runs_free = false;
        Effect::Close
    }

    fn is_missing(&self, lesson: &Lesson) -> bool {
        self.menu.items.iter().any(|item| item.name == lesson.name && item.missing.is_some())
    }

    fn open(&mut self, lesson: &'static Lesson) -> Effect {
        if let Some(place) = self.menu.items.iter().position(|item| item.name == lesson.name) {
            self.menu.selected = place;
        }
        self.play = Some(Play::new(lesson, self.code));
        Effect::Open(Chosen(lesson))
    }

    /// A key was pressed.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing here")]
    pub fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Effect::Quit);
        }
        if self.helps {
            self.helps = false;
            return (key.code == KeyCode::Char('q')).then_some(Effect::Quit);
        }
        match key.code {
            KeyCode::Char('q') => return Some(Effect::Quit),
            KeyCode::Char('?' | 'h') => self.helps = true,
            code if self.play.is_none() => return self.menu_key(code),
            KeyCode::Char(' ') | KeyCode::Enter | KeyCode::Right => return self.go_on(),
            KeyCode::Char('m') | KeyCode::Esc => {
                self.play = None;
                self.queue.clear();
                self.runs_free = false;
                return Some(Effect::Close);
            }
            KeyCode::Char('r') => self.runs_free = !self.runs_free,
            KeyCode::Char('c') => {
                self.code = after(self.code);
                if let Some(play) = &mut self.play {
                    play.code = self.code;
                }
            }
            KeyCode::Char('l') => self.sees = !self.sees,
            KeyCode::Up | KeyCode::Char('k') => self.scroll(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll(-1),
            KeyCode::PageUp => self.scroll(10),
            KeyCode::PageDown => self.scroll(-10),
            KeyCode::Tab => {
                if let Some(play) = &mut self.play {
                    play.rows_turned += 1;
                }
            }
            _ => {}
        }
        None
    }

    fn scroll(&mut self, lines: isize) {
        if let Some(play) = &mut self.play {
            play.scrolled = play.scrolled.saturating_add_signed(lines);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing here")]
    fn menu_key(&mut self, code: KeyCode) -> Option<Effect> {
        let menu = &mut self.menu;
        let last = menu.items.len().saturating_sub(1);
        let digit = if let KeyCode::Char(c) = code { c.to_digit(10) } else { None };
        if digit.is_none() {
            menu.typed.clear();
        }
        match code {
            KeyCode::Down | KeyCode::Char('j') => menu.selected = (menu.selected + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => menu.selected = menu.selected.saturating_sub(1),
            KeyCode::Home | KeyCode::Char('g') => menu.selected = 0,
            KeyCode::End | KeyCode::Char('G') => menu.selected = last,
            KeyCode::Enter | KeyCode::Char(' ') | KeyCode::Right => {
                let item = menu.items.get(menu.selected)?;
                return match item.lesson {
                    None => Some(Effect::Quiz),
                    Some(lesson) => item.missing.is_none().then(|| self.open(lesson)),
                };
            }
            KeyCode::Char('r') => {
                // The course from here on.
                self.queue =
                    menu.items.iter().skip(menu.selected).filter_map(|it| it.lesson).collect();
                if self.queue.is_empty() {
                    return None;
                }
                self.runs_free = true;
                return Some(self.advance());
            }
            KeyCode::Char(digit) if digit.is_ascii_digit() => {
                menu.typed.push(digit);
                let number =
                    |typed: &str| typed.parse().ok().filter(|n| (1..=last + 1).contains(n));
                if number(&menu.typed).is_none() {
                    menu.typed = digit.to_string();
                }
                match number(&menu.typed) {
                    Some(number) => menu.selected = number - 1,
                    None => menu.typed.clear(),
                }
            }
            _ => {}
        }
        None
    }

    /// Goes on: the next step, or after the last one what follows.
    pub fn go_on(&mut self) -> Option<Effect> {
        let play = self.play.as_mut()?;
        if play.is_acting {
            return None;
        }
        if play.is_over() {
            return Some(self.advance());
        }
        play.is_acting = true;
        Some(Effect::Next)
    }

    /// A step was performed.
    pub fn performed(&mut self, step: Performed) {
        let Some(play) = &mut self.play else { return };
        play.before = play.rows.marks();
        play.number = step.number;
        play.is_acting = false;
        play.calls.extend(step.calls.into_iter().map(|call| (step.number, call)));
        play.say = step.say;
        play.surprises = step.surprises;
        play.rows = Rows { snapshot: Some(step.snapshot), roles: step.roles };
        (play.scrolled, play.rows_turned) = (0, 0);
        if play.is_over() {
            let name = play.lesson.name;
            let item = self.menu.items.iter_mut().enumerate();
            if let Some((place, item)) = item.into_iter().find(|(_, item)| item.name == name) {
                item.is_done = true;
                // The next one is what the menu offers.
                self.menu.selected = (place + 1).min(self.menu.items.len().saturating_sub(1));
            }
        }
    }

    /// The rows were looked at once more.
    pub fn seen(&mut self, seen: Seen) {
        if let Some(play) = &mut self.play {
            play.rows = Rows { snapshot: Some(seen.snapshot), roles: seen.roles };
        }
    }
}

impl Play {
    fn new(lesson: &'static Lesson, code: Option<Language>) -> Self {
        Self {
            lesson,
            number: 0,
            is_acting: true,
            calls: Vec::new(),
            say: "",
            surprises: Vec::new(),
            rows: Rows::default(),
            before: BTreeMap::new(),
            scrolled: 0,
            rows_turned: 0,
            code,
        }
    }

    /// Returns whether the last step was performed.
    pub fn is_over(&self) -> bool {
        self.number >= self.lesson.steps.len()
    }

    /// Returns the roles whose rows are new, or not as they were when the step began.
    pub fn changed(&self) -> BTreeSet<Role> {
        let now = self.rows.marks();
        now.into_iter()
            .filter(|(role, mark)| self.before.get(role) != Some(mark))
            .map(|(r, _)| r)
            .collect()
    }

    /// Returns the roles whose rows were there when the step began and are not now.
    pub fn gone(&self) -> Vec<Role> {
        self.before.keys().filter(|role| !self.rows.roles.contains(role)).copied().collect()
    }

    /// Returns the programs that play, as far as the lesson promises and the calls have shown.
    pub fn programs(&self) -> Vec<Program> {
        let promised =
            self.lesson.steps.iter().flat_map(|step| step.expect).map(|row| row.role.program);
        let crossed = |call: &Call| {
            let ends = |crossing: &Crossing| [crossing.from.program, crossing.to.program];
            call.crossed.iter().flat_map(ends).chain([call.program]).collect::<Vec<_>>()
        };
        let called = self.calls.iter().flat_map(|(_, call)| crossed(call));
        let all: BTreeSet<Program> = promised.chain(called).collect();
        Program::IN_ORDER.into_iter().filter(|program| all.contains(program)).collect()
    }
}

impl Rows {
    /// Returns the rows, each with its role.
    pub fn all(&self) -> impl Iterator<Item = (Role, &Entry)> {
        let entries = self.snapshot.iter().flat_map(|snapshot| &snapshot.entries);
        self.roles.iter().copied().zip(entries)
    }

    /// Returns of each row what a learner would call a change.
    fn marks(&self) -> BTreeMap<Role, String> {
        let mark = |entry: &Entry| {
            let socket = &entry.socket;
            let holders: Vec<_> = match &entry.ownership {
                Ownership::Held(owners) => owners.iter().map(|o| (o.process.pid, o.via)).collect(),
                Ownership::Kernel(_) | Ownership::Hidden(_) => Vec::new(),
            };
            let timer = socket.timer.map(|timer| timer.kind);
            format!("{:?} {holders:?} {:?} {timer:?}", socket.state, socket.queues)
        };
        self.all().map(|(role, entry)| (role, mark(entry))).collect()
    }
}

/// Returns the next language, and after the last none.
fn after(language: Option<Language>) -> Option<Language> {
    let all = Language::value_variants();
    let next = match language {
        None => 0,
        Some(language) => 1 + all.iter().position(|one| *one == language)?,
    };
    all.get(next).copied()
}

/// Returns the word on an arrow.
pub fn word(packet: Packet) -> String {
    let bytes = |count: usize| format!("{count} byte{}", if count == 1 { "" } else { "s" });
    match packet {
        Packet::Syn => "SYN".to_owned(),
        Packet::SynAck => "SYN+ACK".to_owned(),
        Packet::Ack => "ACK".to_owned(),
        Packet::Data(count) => bytes(count),
        Packet::Rest => "the rest".to_owned(),
        Packet::Datagram(count) => format!("datagram, {}", bytes(count)),
        Packet::Fin => "FIN".to_owned(),
        Packet::Rst => "RST".to_owned(),
        Packet::Unreachable => "ICMP: nobody there".to_owned(),
        Packet::Probes => "keepalive probes".to_owned(),
        Packet::Descriptor => "a descriptor".to_owned(),
        Packet::Fork => "fork".to_owned(),
    }
}
