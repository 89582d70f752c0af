//! What the quiz says: lines for a person, or one JSON object each.

use std::io;

use crate::cli::Io;
use crate::cli::demo::quiz::json::{Choice, Event, Line, Numbered};
use crate::demo::quiz::attempt::{Attempt, POINTS};
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Question, Scene};
use crate::render::phrase;

const INDENT: &str = "  ";

/// Something to say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told<'a> {
    Skipped {
        why: &'a str,
    },
    Question {
        scene: &'a Scene,
        question: &'a Question,
        causes: &'a [Cause],
    },
    Hint {
        hint: &'a str,
    },
    NoHint,
    NotUnderstood,
    /// Which parts of an answer were right; `None` for what was not answered.
    Judged {
        cause: Option<bool>,
        process: Option<bool>,
        attempt: Attempt,
    },
    Solution {
        scene: &'a Scene,
        question: &'a Question,
        causes: &'a [Cause],
        attempt: Attempt,
        shown: &'a Option<(String, Option<String>)>,
    },
    Total {
        points: u32,
        of: u32,
        seed: u64,
    },
}

/// Where it is said, and of which question.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) json: bool,
    pub(super) number: usize,
    pub(super) of: usize,
    pub(super) question: &'static str,
}

impl Page {
    /// Asks for a line, where somebody sees that.
    pub(super) fn prompt(&self, io: &mut Io<'_>) -> io::Result<()> {
        if io.terminal.stdin && !self.json {
            write!(io.stdout, "> ")?;
        }
        io.stdout.flush()
    }

    /// Says something.
    pub(super) fn tell(&self, told: Told<'_>, io: &mut Io<'_>) -> anyhow::Result<()> {
        if self.json {
            self.line(told).write(io.stdout)?;
        } else {
            self.write(told, io)?;
        }
        io.stdout.flush()?;
        Ok(())
    }

    fn write(&self, told: Told<'_>, io: &mut Io<'_>) -> io::Result<()> {
        match told {
            Told::Skipped { why } => {
                writeln!(io.stdout, "question {} of {}: {}", self.number, self.of, self.question)?;
                writeln!(io.stdout, "{INDENT}(skipped: {why})\n")
            }
            Told::Question { scene, question, causes } => {
                writeln!(
                    io.stdout,
                    "question {} of {}: {}\n",
                    self.number, self.of, self.question
                )?;
                paragraph(INDENT, &scene.fill(question.symptom), io)?;
                writeln!(io.stdout, "\n{INDENT}What is it?")?;
                for (letter, cause) in ('a'..).zip(causes) {
                    paragraph(&format!("{INDENT}  {letter}  "), &cause.to_string(), io)?;
                }
                let also = match question.culprit {
                    Some(_) => "And which process? Answer with both, as in: a 4711",
                    None => "Answer with the letter.",
                };
                writeln!(io.stdout, "{INDENT}{also}\n")?;
                paragraph(
                    INDENT,
                    "[h] a hint, [s] the solution, [r] set it up once more, [q] quit; list, port, why and show \
                     work here too",
                    io,
                )
            }
            Told::Hint { hint } => paragraph(&format!("{INDENT}hint: "), hint, io),
            Told::NoHint => writeln!(io.stdout, "{INDENT}there is no further hint; [s] tells"),
            Told::NotUnderstood => writeln!(
                io.stdout,
                "{INDENT}that is no answer: a letter, a process number, both, or one of h, s, r, q"
            ),
            Told::Judged { cause, process, attempt } => judged(cause, process, attempt, io),
            Told::Solution { scene, question, causes, attempt, shown } => {
                solution(scene, question, causes, attempt, shown.as_ref(), io)
            }
            Told::Total { points, of, seed } => {
                writeln!(io.stdout, "total: {points} of {of} points")?;
                writeln!(io.stdout, "the same once more: --seed {seed}")
            }
        }
    }

    fn line<'a>(&self, told: Told<'a>) -> Line<'a> {
        let event = match told {
            Told::Skipped { why } => Event::Skipped { why },
            Told::Question { scene, question, causes } => Event::Question {
                target: scene.target().to_owned(),
                symptom: scene.fill(question.symptom),
                causes: ('a'..)
                    .zip(causes)
                    .map(|(letter, &cause)| Choice { letter, cause, words: cause.to_string() })
                    .collect(),
                asks_process: question.culprit.is_some(),
            },
            Told::Hint { hint } => Event::Hint { hint: Some(hint) },
            Told::NoHint => Event::Hint { hint: None },
            Told::NotUnderstood => Event::NotUnderstood {},
            Told::Judged { cause, process, attempt } => {
                Event::Judged { cause, process, wrong: attempt.wrong }
            }
            Told::Solution { scene, question, causes, attempt, shown } => Event::Solution {
                solved: attempt.is_solved(),
                points: attempt.points(),
                hints: attempt.hints,
                wrong: attempt.wrong,
                letter: letter(question, causes),
                cause: question.cause(),
                process: scene.culprit().map(|pid| pid.0),
                answer: scene.fill(question.answer),
                command: shown.as_ref().map(|(command, _)| command.as_str()),
                line: shown.as_ref().and_then(|(_, line)| line.as_deref()),
            },
            Told::Total { points, of, seed } => Event::Total { points, of, seed },
        };
        let is_total = matches!(told, Told::Total { .. });
        let question = (!is_total).then_some(Numbered {
            question: self.question,
            number: self.number,
            questions: self.of,
        });
        Line::new(question, event)
    }
}

/// Writes text after a label, set in below itself where it must be broken.
fn paragraph(label: &str, text: &str, io: &mut Io<'_>) -> io::Result<()> {
    let room =
        io.terminal.width.map(|width| usize::from(width).saturating_sub(label.len()).max(20));
    let mut indent = label.to_owned();
    for line in phrase::wrap(text, room) {
        writeln!(io.stdout, "{indent}{line}")?;
        indent = " ".repeat(label.len());
    }
    Ok(())
}

fn judged(
    cause: Option<bool>,
    process: Option<bool>,
    attempt: Attempt,
    io: &mut Io<'_>,
) -> io::Result<()> {
    for (what, right) in [("the cause", cause), ("the process", process)] {
        match right {
            Some(true) => writeln!(io.stdout, "{INDENT}right: {what}")?,
            Some(false) => writeln!(io.stdout, "{INDENT}wrong: it is not {what}")?,
            None => {}
        }
    }
    match (attempt.cause, attempt.process) {
        (true, false) => writeln!(io.stdout, "{INDENT}and which process is it?"),
        (false, true) if process == Some(true) => writeln!(io.stdout, "{INDENT}and what is it?"),
        _ => Ok(()),
    }
}

fn solution(
    scene: &Scene,
    question: &Question,
    causes: &[Cause],
    attempt: Attempt,
    shown: Option<&(String, Option<String>)>,
    io: &mut Io<'_>,
) -> io::Result<()> {
    let points = attempt.points();
    if attempt.is_solved() {
        writeln!(io.stdout, "{INDENT}right: {points} of {POINTS} points\n")?;
    } else if let (Some(letter), Some(cause)) = (letter(question, causes), question.cause()) {
        let process = scene.culprit().map_or_else(String::new, |pid| format!(" {pid}"));
        writeln!(
            io.stdout,
            "{INDENT}{points} of {POINTS} points; the answer was: {letter}{process}"
        )?;
        paragraph(&format!("{INDENT}  {letter}  "), &cause.to_string(), io)?;
        writeln!(io.stdout)?;
    }
    paragraph(INDENT, &scene.fill(question.answer), io)?;
    if let Some((command, line)) = shown {
        writeln!(io.stdout, "\n{INDENT}$ sockscope {command}")?;
        if let Some(line) = line {
            writeln!(io.stdout, "{INDENT}{line}")?;
        }
    }
    writeln!(io.stdout)
}

fn letter(question: &Question, causes: &[Cause]) -> Option<char> {
    let index = causes.iter().position(|&cause| Some(cause) == question.cause())?;
    ('a'..).nth(index)
}
