//! `sockscope demo`: performs the lessons and shows each step: the call, what it returned, the rows
//! of exactly the lesson's sockets, and one sentence.

mod json;
pub mod page;
pub mod quiz;

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Subcommand};

pub(super) use self::json::schema;
use crate::cli::demo::page::Left;
use crate::cli::demo::quiz::QuizArgs;
use crate::cli::{Exit, Io, command};
use crate::demo::code::{Language, code};
use crate::demo::stage::Call;
use crate::demo::{Lesson, Performance, Performed, lessons};
use crate::platform;
use crate::render::column::Column;
use crate::render::names::ResolvedNames;
use crate::render::sanitize;
use crate::render::table::{self, TableOptions};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::Endpoint;

const INDENT: &str = "  ";
/// Clears the screen, and what was scrolled away.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";
/// The word for every lesson.
const EVERY: &str = "all";

/// The arguments of `sockscope demo`.
#[derive(Debug, Clone, Default, Args)]
#[command(group = ArgGroup::new("pace").args(["auto", "step", "script", "json"]))]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct DemoArgs {
    /// The lessons, in this order, or 'all'; without one, a menu on a terminal, else all of them
    #[arg(value_name = "LESSON", value_parser = PossibleValuesParser::new(names()))]
    pub lessons: Vec<String>,
    /// Print the lessons, one a line
    #[arg(long, conflicts_with_all = ["pace", "lessons"])]
    pub list: bool,
    /// Go on by itself, with a pause after each step
    #[arg(long)]
    pub auto: bool,
    /// Plain text instead of the full-screen page: wait for Enter after each step
    #[arg(long)]
    pub step: bool,
    /// Print a plain transcript without waiting (the default in a pipe)
    #[arg(long)]
    pub script: bool,
    /// Print one JSON object a step, without waiting (see sockscope schema demo)
    #[arg(long)]
    pub json: bool,
    /// Show each call in this language, too
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub code: Option<Language>,
    /// How long --auto pauses after each step
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    pub pause: Duration,
    /// What the demo can do beside showing.
    #[command(subcommand)]
    pub other: Option<Other>,
}

/// What the demo can do beside showing.
#[derive(Debug, Clone, Subcommand)]
pub enum Other {
    /// Find out what is wrong: causes of trouble, set up for real, with hints and points
    #[command(after_help = quiz::HELP)]
    Quiz(QuizArgs),
}

fn names() -> Vec<&'static str> {
    lessons::ALL.iter().map(|lesson| lesson.name).chain([EVERY]).collect()
}

/// What happens after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// A full page a step; the user says when to go on.
    Step,
    /// A full page a step, for a while.
    Auto(Duration),
    /// The next step at once, as a transcript.
    Script,
    /// The next step at once, as JSON.
    Json,
}

/// What the user wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Step,
    Quit,
}

/// Performs the lessons. Exit 0 when every row was as promised, 1 when one was not, or when no lesson
/// can be shown here.
pub fn run(args: &DemoArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    if let Some(Other::Quiz(args)) = &args.other {
        return quiz::run(args, io);
    }
    if args.list {
        list(io.stdout)?;
        return Ok(Exit::Found);
    }
    let terminal = io.terminal;
    let is_interactive = terminal.stdout && terminal.stdin;
    let chosen: Vec<&'static Lesson> = args.lessons.iter().flat_map(|name| named(name)).collect();
    let is_plain = args.step || args.script || args.json || terminal.dumb;
    if is_interactive && !is_plain {
        let every = args.auto && chosen.is_empty();
        let chosen = if every { lessons::ALL.to_vec() } else { chosen };
        return match page::run(chosen, args, io)? {
            Left::ForGood(score) => {
                score.report(io)?;
                Ok(score.exit())
            }
            Left::ForQuiz => become_quiz(io),
        };
    }
    let pace = match (args.auto, args.step, args.script, args.json) {
        (true, ..) => Pace::Auto(args.pause),
        (_, true, ..) => Pace::Step,
        (_, _, true, _) => Pace::Script,
        (.., true) => Pace::Json,
        _ if is_interactive => Pace::Step,
        _ => Pace::Script,
    };
    if chosen.is_empty() && pace == Pace::Step {
        return menu(args.code, io);
    }
    let chosen = if chosen.is_empty() { lessons::ALL.to_vec() } else { chosen };
    let mut score = Score::default();
    for lesson in chosen {
        if perform(lesson, pace, args.code, &mut score, io)? == Next::Quit {
            break;
        }
    }
    score.report(io)?;
    Ok(score.exit())
}

/// Becomes the quiz, which is no page. As a program of its own, since this one has caught the signals and
/// reads the keys for as long as it lives.
fn become_quiz(io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let own = std::env::current_exe()?.into_os_string();
    command::run_instead(&[own, "demo".into(), quiz::NAME.into()], &[], io)
}

/// Returns the lessons of this name: one, or all.
fn named(name: &str) -> Vec<&'static Lesson> {
    lessons::ALL.iter().copied().filter(|lesson| name == EVERY || lesson.name == name).collect()
}

/// Writes the lessons with their numbers, and the quiz as the last of them.
fn list(out: &mut dyn Write) -> io::Result<()> {
    let width = lessons::ALL.iter().map(|lesson| lesson.name.len()).max().unwrap_or_default();
    for (number, lesson) in (1..).zip(lessons::ALL) {
        writeln!(out, "{number:>2}  {:width$}  {}", lesson.name, lesson.title)?;
    }
    writeln!(out, "{:>2}  {:width$}  {}", lessons::ALL.len() + 1, quiz::NAME, quiz::TITLE)
}

/// Lets the user choose lessons, one after the other.
fn menu(language: Option<Language>, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let mut score = Score::default();
    loop {
        list(io.stdout)?;
        write!(io.stdout, "\n[number or name] a lesson, [all] every one, [q] quit: ")?;
        let Some(answer) = answer(io)? else { break };
        if answer == quiz::NAME || answer == (lessons::ALL.len() + 1).to_string() {
            quiz::run(&QuizArgs::default(), io)?;
            continue;
        }
        let number = answer.parse().ok().and_then(|number: usize| number.checked_sub(1));
        let chosen = match number.and_then(|index| lessons::ALL.get(index)) {
            Some(lesson) => vec![*lesson],
            None => named(&answer),
        };
        if chosen.is_empty() {
            writeln!(io.stdout, "there is no lesson '{}'\n", sanitize::string(&answer))?;
        }
        for lesson in chosen {
            if perform(lesson, Pace::Step, language, &mut score, io)? == Next::Quit {
                break;
            }
        }
    }
    score.report(io)?;
    Ok(score.exit())
}

/// How the lessons went.
#[derive(Debug, Default)]
struct Score {
    shown: usize,
    skipped: Vec<&'static str>,
    surprises: usize,
}

impl Score {
    fn exit(&self) -> Exit {
        let nothing_shown = self.shown == 0 && !self.skipped.is_empty();
        if self.surprises > 0 || nothing_shown { Exit::Nothing } else { Exit::Found }
    }

    /// Says what could not be shown.
    fn report(&self, io: &mut Io<'_>) -> io::Result<()> {
        io.stdout.flush()?;
        match self.skipped.len() {
            0 => Ok(()),
            1 => writeln!(io.stderr, "sockscope: 1 lesson skipped: {}", self.skipped.join(", ")),
            n => writeln!(io.stderr, "sockscope: {n} lessons skipped: {}", self.skipped.join(", ")),
        }
    }
}

/// Performs one lesson, to its end or until the user has seen enough.
fn perform(
    lesson: &'static Lesson,
    pace: Pace,
    language: Option<Language>,
    score: &mut Score,
    io: &mut Io<'_>,
) -> anyhow::Result<Next> {
    if pace == Pace::Script {
        writeln!(io.stdout, "== {}: {}\n", lesson.name, lesson.title)?;
        if let Some(language) = language {
            begin(language, io.stdout)?;
        }
    }
    if let Some(why) = lesson.missing() {
        score.skipped.push(lesson.name);
        skipped(lesson, &why, pace, io)?;
        return Ok(wait(pace, io)?);
    }
    score.shown += 1;
    let mut performance = Performance::new(lesson, platform::native());
    while let Some(step) = performance.next_step()? {
        score.surprises += step.surprises.len();
        show(&step, lesson, pace, language, io)?;
        io.stdout.flush()?;
        if wait(pace, io)? == Next::Quit {
            return Ok(Next::Quit);
        }
    }
    Ok(Next::Step)
}

/// Says that a lesson cannot be shown, and why.
fn skipped(lesson: &Lesson, why: &str, pace: Pace, io: &mut Io<'_>) -> anyhow::Result<()> {
    match pace {
        Pace::Json => json::Line::skipped(lesson.name, why).write(io.stdout)?,
        Pace::Script => writeln!(io.stdout, "  (skipped: {why})\n")?,
        Pace::Step | Pace::Auto(_) => {
            write!(io.stdout, "{CLEAR}")?;
            writeln!(io.stdout, "{}: {}\n", lesson.name, lesson.title)?;
            writeln!(io.stdout, "{INDENT}this lesson cannot be shown here: {why}")?;
        }
    }
    io.stdout.flush()?;
    Ok(())
}

fn show(
    step: &Performed,
    lesson: &Lesson,
    pace: Pace,
    language: Option<Language>,
    io: &mut Io<'_>,
) -> anyhow::Result<()> {
    match pace {
        Pace::Json => json::Line::of(step, language).write(io.stdout)?,
        Pace::Script => {
            writeln!(io.stdout, "{}/{}", step.number, step.of)?;
            calls(step, language, ("", ""), io.stdout)?;
            body(step, None, false, io.stdout)?;
            writeln!(io.stdout)?;
        }
        Pace::Step | Pace::Auto(_) => {
            let bold = if io.terminal.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            // Clears the screen: a page a step. Nothing needs restoring, whatever ends us.
            write!(io.stdout, "{CLEAR}")?;
            writeln!(io.stdout, "{}: {}", lesson.name, lesson.title)?;
            writeln!(io.stdout, "step {} of {}\n", step.number, step.of)?;
            calls(step, language, bold, io.stdout)?;
            body(step, io.terminal.width.map(usize::from), io.terminal.color, io.stdout)?;
        }
    }
    Ok(())
}

/// Writes what a program in this language begins with.
fn begin(language: Language, out: &mut dyn Write) -> io::Result<()> {
    for line in language.prologue().lines() {
        writeln!(out, "{INDENT}{INDENT}{line}")?;
    }
    writeln!(out)
}

fn calls(
    step: &Performed,
    language: Option<Language>,
    (bold, plain): (&str, &str),
    out: &mut dyn Write,
) -> io::Result<()> {
    let width = step.calls.iter().map(|call| call.call.len()).max().unwrap_or_default();
    for made @ Call { call, result, .. } in &step.calls {
        writeln!(out, "{INDENT}{bold}{call:width$}{plain}  ->  {result}")?;
        for line in language.map(|language| code(made, language)).unwrap_or_default() {
            writeln!(out, "{INDENT}{INDENT}{line}")?;
        }
    }
    writeln!(out)
}

/// The columns of a lesson's rows: what changes, and who; and fewer, where a terminal is narrow. On
/// loopback the ports say all; whose a row is says its role, and what has no descriptor is in a state
/// that tells.
const COLUMNS: [&[Column]; 7] = [
    &[
        Column::Local,
        Column::Peer,
        Column::State,
        Column::Pid,
        Column::Fd,
        Column::RecvQ,
        Column::SendQ,
        Column::Backlog,
        Column::Timer,
    ],
    &[
        Column::Port,
        Column::PeerPort,
        Column::State,
        Column::Pid,
        Column::Fd,
        Column::RecvQ,
        Column::SendQ,
        Column::Backlog,
        Column::Timer,
    ],
    &[
        Column::Port,
        Column::PeerPort,
        Column::State,
        Column::Fd,
        Column::RecvQ,
        Column::SendQ,
        Column::Backlog,
        Column::Timer,
    ],
    &[
        Column::Port,
        Column::PeerPort,
        Column::State,
        Column::RecvQ,
        Column::SendQ,
        Column::Backlog,
        Column::Timer,
    ],
    &[Column::Port, Column::PeerPort, Column::State, Column::RecvQ, Column::Backlog, Column::Timer],
    &[Column::Port, Column::PeerPort, Column::State, Column::RecvQ, Column::Timer],
    &[Column::Port, Column::PeerPort, Column::State, Column::Timer],
];

/// The columns of rows in several network namespaces.
const ACROSS: &[Column] =
    &[Column::Local, Column::Peer, Column::State, Column::Pid, Column::Fd, Column::Netns];

/// Writes the rows as a table that fits, if any can.
fn table(snapshot: &Snapshot, width: Option<usize>, color: bool) -> io::Result<String> {
    let names = ResolvedNames::default();
    let write = |columns, width, color| -> io::Result<String> {
        let mut rows = Vec::new();
        let options =
            TableOptions { columns, width, tokens: false, color, ..TableOptions::new(&names) };
        table::write(snapshot, &options, &mut rows)?;
        Ok(String::from_utf8_lossy(&rows).into_owned())
    };
    let netns: BTreeSet<_> = snapshot.entries.iter().map(|entry| entry.socket.netns).collect();
    if netns.len() > 1 {
        return write(ACROSS, width, color);
    }
    let is_local = |entry: &Entry| {
        let address = entry.socket.local.as_ref().and_then(Endpoint::address);
        address == Some(Ipv4Addr::LOCALHOST.into())
    };
    if width.is_some() && snapshot.entries.iter().all(is_local) {
        for columns in COLUMNS {
            let text = write(columns, width, color)?;
            let head = text.lines().next().unwrap_or_default();
            let is_whole = head.split_whitespace().count() == columns.len();
            if is_whole && !text.contains('…') {
                return Ok(text);
            }
        }
    }
    let [columns, ..] = COLUMNS;
    write(columns, width, color)
}

/// Writes the rows, each with its role in front, the sentence, and what was not as promised.
fn body(
    step: &Performed,
    width: Option<usize>,
    color: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let role_width =
        step.roles.iter().map(|role| role.name.len()).max().unwrap_or_default() + INDENT.len();
    if step.roles.is_empty() {
        writeln!(out, "{INDENT}(no rows)")?;
    } else {
        let left = width.map(|width| width.saturating_sub(role_width + INDENT.len()));
        let rows = table(&step.snapshot, left, color)?;
        let roles = std::iter::once("").chain(step.roles.iter().map(|role| role.name));
        for (role, row) in roles.zip(rows.lines()) {
            writeln!(out, "{INDENT}{role:role_width$}{row}")?;
        }
    }
    writeln!(out)?;
    for line in wrap(step.say, width.map_or(usize::MAX, |width| width.saturating_sub(INDENT.len())))
    {
        writeln!(out, "{INDENT}{line}")?;
    }
    for surprise in &step.surprises {
        writeln!(out, "{INDENT}! not as promised: {surprise}")?;
    }
    Ok(())
}

/// Breaks a sentence between words, into lines of at most `width` characters.
fn wrap(sentence: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Waits until the next step is wanted.
fn wait(pace: Pace, io: &mut Io<'_>) -> io::Result<Next> {
    match pace {
        Pace::Script | Pace::Json => Ok(Next::Step),
        Pace::Auto(pause) => {
            std::thread::sleep(pause);
            Ok(Next::Step)
        }
        Pace::Step => {
            write!(io.stdout, "\n  [Enter] next step, [q] [Enter] quit ")?;
            Ok(if answer(io)?.is_some() { Next::Step } else { Next::Quit })
        }
    }
}

/// Returns the user's next line; `None` when it says to stop, or there is no more.
fn answer(io: &mut Io<'_>) -> io::Result<Option<String>> {
    io.stdout.flush()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    let answer = line.trim();
    let stop = read == 0 || answer.eq_ignore_ascii_case("q");
    Ok((!stop).then(|| answer.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_breaks_between_words_only() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("unbreakable word", 4), ["unbreakable", "word"]);
        assert_eq!(wrap("one two three", usize::MAX), ["one two three"]);
    }
}
