//! `sockscope demo`: performs the lessons and shows each step: the call, what it returned, the rows
//! of exactly the lesson's sockets, and one sentence.

use std::io::{self, BufRead as _, Write};
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args};
use serde::Serialize;

use crate::cli::{Exit, Io};
use crate::demo::stage::Call;
use crate::demo::{Lesson, Performance, Performed, lessons};
use crate::platform;
use crate::render::column::Column;
use crate::render::json;
use crate::render::names::ResolvedNames;
use crate::render::table::{self, TableOptions};

const INDENT: &str = "  ";

/// The arguments of `sockscope demo`.
#[derive(Debug, Clone, Default, Args)]
#[command(group = ArgGroup::new("pace").args(["auto", "step", "script", "json"]))]
pub struct DemoArgs {
    /// The lessons, in this order; without one, all of them
    #[arg(value_name = "LESSON", value_parser = PossibleValuesParser::new(names()))]
    pub lessons: Vec<String>,
    /// Go on by itself, with a pause after each step
    #[arg(long)]
    pub auto: bool,
    /// Wait for Enter after each step (the default on a terminal)
    #[arg(long)]
    pub step: bool,
    /// Print a plain transcript without waiting (the default in a pipe)
    #[arg(long)]
    pub script: bool,
    /// Print one JSON object a step, without waiting
    #[arg(long)]
    pub json: bool,
    /// How long --auto pauses after each step
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    pub pause: Duration,
}

fn names() -> Vec<&'static str> {
    lessons::ALL.iter().map(|lesson| lesson.name).collect()
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

/// Performs the lessons. Exit 0 when every row was as promised, 1 when one was not.
pub fn run(args: &DemoArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let terminal = io.terminal;
    let pace = match (args.auto, args.step, args.script, args.json) {
        (true, ..) => Pace::Auto(args.pause),
        (_, true, ..) => Pace::Step,
        (_, _, true, _) => Pace::Script,
        (.., true) => Pace::Json,
        _ if terminal.stdout && terminal.stdin => Pace::Step,
        _ => Pace::Script,
    };
    let chosen: Vec<&'static Lesson> = if args.lessons.is_empty() {
        lessons::ALL.to_vec()
    } else {
        let named = |name: &String| lessons::ALL.iter().copied().find(|lesson| lesson.name == name);
        args.lessons.iter().filter_map(named).collect()
    };
    let mut exit = Exit::Found;
    for lesson in chosen {
        if pace == Pace::Script {
            writeln!(io.stdout, "== {}: {}\n", lesson.name, lesson.title)?;
        }
        let mut performance = Performance::new(lesson, platform::native());
        while let Some(step) = performance.next_step()? {
            if !step.surprises.is_empty() {
                exit = Exit::Nothing;
            }
            show(&step, lesson, pace, io)?;
            io.stdout.flush()?;
            if wait(pace, io)? == Next::Quit {
                return Ok(exit);
            }
        }
    }
    Ok(exit)
}

fn show(step: &Performed, lesson: &Lesson, pace: Pace, io: &mut Io<'_>) -> anyhow::Result<()> {
    match pace {
        Pace::Json => {
            serde_json::to_writer(&mut io.stdout, &Wire::of(step))?;
            writeln!(io.stdout)?;
        }
        Pace::Script => {
            writeln!(io.stdout, "{}/{}", step.number, step.of)?;
            calls(step, ("", ""), io.stdout)?;
            body(step, None, false, io.stdout)?;
            writeln!(io.stdout)?;
        }
        Pace::Step | Pace::Auto(_) => {
            let bold = if io.terminal.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            // Clears the screen: a page a step. Nothing needs restoring, whatever ends us.
            write!(io.stdout, "\x1b[H\x1b[2J\x1b[3J")?;
            writeln!(io.stdout, "{}: {}", lesson.name, lesson.title)?;
            writeln!(io.stdout, "step {} of {}\n", step.number, step.of)?;
            calls(step, bold, io.stdout)?;
            body(step, io.terminal.width.map(usize::from), io.terminal.color, io.stdout)?;
        }
    }
    Ok(())
}

fn calls(step: &Performed, (bold, plain): (&str, &str), out: &mut dyn Write) -> io::Result<()> {
    let width = step.calls.iter().map(|call| call.call.len()).max().unwrap_or_default();
    for Call { call, result } in &step.calls {
        writeln!(out, "{INDENT}{bold}{call:width$}{plain}  ->  {result}")?;
    }
    writeln!(out)
}

/// The columns of a lesson's rows: what changes, and who. All but TIMER fit 80 columns.
const COLUMNS: &[Column] = &[
    Column::Local,
    Column::Peer,
    Column::State,
    Column::Pid,
    Column::Fd,
    Column::RecvQ,
    Column::Backlog,
    Column::Timer,
];

/// Writes the rows, each with its role in front, the sentence, and what was not as promised.
fn body(
    step: &Performed,
    width: Option<usize>,
    color: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let role_width =
        step.roles.iter().map(|role| role.len()).max().unwrap_or_default() + INDENT.len();
    let names = ResolvedNames::default();
    let options = TableOptions {
        columns: COLUMNS,
        width: width.map(|width| width.saturating_sub(role_width + INDENT.len())),
        tokens: false,
        color,
        ..TableOptions::new(&names)
    };
    if step.roles.is_empty() {
        writeln!(out, "{INDENT}(no rows)")?;
    } else {
        let mut rows = Vec::new();
        table::write(&step.snapshot, &options, &mut rows)?;
        let roles = std::iter::once("").chain(step.roles.iter().copied());
        for (role, row) in roles.zip(String::from_utf8_lossy(&rows).lines()) {
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
            io.stdout.flush()?;
            let mut answer = String::new();
            let read = io::stdin().lock().read_line(&mut answer)?;
            let quit = read == 0 || answer.trim().eq_ignore_ascii_case("q");
            Ok(if quit { Next::Quit } else { Next::Step })
        }
    }
}

/// One step as JSON, schema `sockscope.demo/1`.
#[derive(Serialize)]
struct Wire<'a> {
    schema: &'static str,
    lesson: &'a str,
    step: usize,
    of: usize,
    calls: &'a [Call],
    say: &'a str,
    rows: Vec<WireRow<'a>>,
    surprises: &'a [String],
}

#[derive(Serialize)]
struct WireRow<'a> {
    role: &'a str,
    socket: json::Socket<'a>,
}

impl<'a> Wire<'a> {
    fn of(step: &'a Performed) -> Self {
        let rows = step.roles.iter().zip(&step.snapshot.entries);
        Self {
            schema: "sockscope.demo/1",
            lesson: step.lesson,
            step: step.number,
            of: step.of,
            calls: &step.calls,
            say: step.say,
            rows: rows
                .map(|(role, entry)| WireRow { role, socket: json::Socket::from(entry) })
                .collect(),
            surprises: &step.surprises,
        }
    }
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
