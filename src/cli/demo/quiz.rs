//! `sockscope demo quiz`: sets up causes of trouble for real, lets the learner find them, and counts.

mod json;
mod words;

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _};

use anyhow::Context as _;
use clap::{Args, Parser as _};

pub(in crate::cli) use self::json::schema;
use self::words::{Page, Told};
use crate::cli::error::{Failure, report};
use crate::cli::terminal::Terminal;
use crate::cli::{Cli, Exit, Io};
use crate::demo::quiz::attempt::{Attempt, POINTS, Said, said};
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Question, Scene, questions, shuffled};
use crate::nearest::nearest;
use crate::render::sanitize;

/// The word that chooses it.
pub const NAME: &str = "quiz";
/// What it is, in one line.
pub const TITLE: &str = "find out what is wrong: trouble, set up for real; points";

/// The examples at the end of `sockscope demo quiz --help`.
pub const HELP: &str = "\
Each question is set up on this machine, on loopback, by processes of its own: find out what is wrong
with list, port, why and show, here or in another terminal. An answer is a letter, and a process number
where one is asked for. A question is worth 10 points; a hint costs 2, a wrong answer 3.

Examples:
  sockscope demo quiz                 all of them, in an order by chance
  sockscope demo quiz 2 restart       these two
  sockscope demo quiz --seed 7        the same order and the same letters each time

Exit codes: 0 every question was solved, 1 one was not, 2 trouble
";

/// The arguments of `sockscope demo quiz`.
#[derive(Debug, Clone, Default, Args)]
pub struct QuizArgs {
    /// The questions, by number or name, in this order; without one, all in an order by chance
    #[arg(value_name = "QUESTION")]
    pub questions: Vec<String>,
    /// Print the questions, one a line
    #[arg(long, conflicts_with_all = ["questions", "json", "seed"])]
    pub list: bool,
    /// What decides the order by chance: the same number, the same quiz
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Print one JSON object for each question, hint and answer (see sockscope schema quiz)
    #[arg(long)]
    pub json: bool,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Solved,
    GivenUp,
    Quit,
}

/// Asks the questions. Exit 0 when each was solved.
pub fn run(args: &QuizArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    if args.list {
        for (number, question) in (1..).zip(questions::ALL) {
            writeln!(io.stdout, "{number:>2}  {}", question.name)?;
        }
        return Ok(Exit::Found);
    }
    let seed = args.seed.unwrap_or_else(|| {
        // Named questions are the same each time; else whoever repeats it takes the seed from the end.
        if args.questions.is_empty() { RandomState::new().hash_one(()) % 10_000 } else { 0 }
    });
    let chosen = if args.questions.is_empty() {
        shuffled(questions::ALL, seed)
    } else {
        args.questions.iter().map(|word| named(word)).collect::<Result<_, _>>()?
    };
    let mut page = Page { json: args.json, of: chosen.len(), number: 0, question: "" };
    let (mut points, mut asked, mut solved) = (0, 0, 0);
    for question in chosen {
        page.number += 1;
        page.question = question.name;
        if let Some(why) = question.missing() {
            page.tell(Told::Skipped { why: &why }, io)?;
            continue;
        }
        asked += 1;
        let (attempt, end) = ask(question, seed, &mut page, io)?;
        points += attempt.points();
        solved += u32::from(end == End::Solved);
        if end == End::Quit {
            break;
        }
    }
    page.tell(Told::Total { points, of: asked * POINTS, seed }, io)?;
    Ok(if solved == asked && asked > 0 { Exit::Found } else { Exit::Nothing })
}

/// Returns the question of this number or name.
fn named(word: &str) -> Result<&'static Question, Failure> {
    let number = word.parse().ok().and_then(|number: usize| number.checked_sub(1));
    let by_number = number.and_then(|index| questions::ALL.get(index));
    let by_name = || questions::ALL.iter().find(|question| question.name == word);
    by_number.or_else(by_name).copied().ok_or_else(|| {
        let failure = Failure::new(format!("there is no question '{}'", sanitize::string(word)));
        let names = questions::ALL.iter().map(|question| question.name.to_owned());
        match nearest(word, names) {
            Some(name) => failure.hint(format!("did you mean '{name}'?")),
            None => failure.hint("sockscope demo quiz --list prints them"),
        }
    })
}

/// Asks one question until it is solved or given up.
fn ask(
    question: &'static Question,
    seed: u64,
    page: &mut Page,
    io: &mut Io<'_>,
) -> anyhow::Result<(Attempt, End)> {
    let set_up = || {
        Scene::set_up(question)
            .with_context(|| format!("cannot set up the question '{}'", question.name))
    };
    let mut scene = set_up()?;
    let causes = question.offered(seed);
    let mut attempt = Attempt { process: question.culprit.is_none(), ..Attempt::default() };
    page.tell(Told::Question { scene: &scene, question, causes: &causes }, io)?;
    let end = loop {
        page.prompt(io)?;
        let mut line = String::new();
        let is_over = io::stdin().lock().read_line(&mut line)? == 0;
        match said(&line, causes.len()) {
            _ if is_over => break End::Quit,
            Said::Quit => break End::Quit,
            Said::Solution => break End::GivenUp,
            Said::Nothing => {}
            Said::Again => {
                // The old players leave first: the new ones may want what they have.
                drop(scene);
                scene = set_up()?;
                page.tell(Told::Question { scene: &scene, question, causes: &causes }, io)?;
            }
            Said::Hint => match question.hints.get(attempt.hints) {
                Some(hint) => {
                    attempt.hints += 1;
                    page.tell(Told::Hint { hint: &scene.fill(hint) }, io)?;
                }
                None => page.tell(Told::NoHint, io)?,
            },
            Said::Answer { cause, pid } => {
                judge(question, &scene, &causes, (cause, pid), &mut attempt, page, io)?;
                if attempt.is_solved() {
                    break End::Solved;
                }
            }
            Said::Command(words) if !page.json => look(&words, io)?,
            Said::Command(_) | Said::Unknown => page.tell(Told::NotUnderstood, io)?,
        }
    };
    if end != End::Quit {
        let shown = shown(question, &scene);
        let scene = &scene;
        page.tell(Told::Solution { scene, question, causes: &causes, attempt, shown: &shown }, io)?;
    }
    Ok((attempt, end))
}

/// Takes note of what of an answer is right, and says what is not.
fn judge(
    question: &Question,
    scene: &Scene,
    causes: &[Cause],
    (cause, pid): (Option<usize>, Option<u32>),
    attempt: &mut Attempt,
    page: &mut Page,
    io: &mut Io<'_>,
) -> anyhow::Result<()> {
    let cause = cause.map(|index| causes.get(index).copied() == question.cause());
    let process = pid.map(|pid| scene.culprit().is_some_and(|culprit| culprit.0 == pid));
    attempt.cause |= cause == Some(true);
    attempt.process |= process == Some(true);
    let wrong = [cause, process].iter().filter(|right| **right == Some(false)).count();
    attempt.wrong = attempt.wrong.saturating_add(u32::try_from(wrong)?);
    if wrong > 0 || !attempt.is_solved() {
        page.tell(Told::Judged { cause, process, attempt: *attempt }, io)?;
    }
    Ok(())
}

/// Runs a command that only looks, and shows what it says.
fn look(words: &[String], io: &mut Io<'_>) -> anyhow::Result<()> {
    let words = std::iter::once("sockscope").chain(words.iter().map(String::as_str));
    match Cli::try_parse_from(words) {
        Err(answer) => write!(io.stdout, "{}", answer.render())?,
        Ok(cli) => {
            if let Err(failure) = crate::cli::run(&cli, io) {
                io.stdout.flush()?;
                report(&failure, io.stderr);
            }
        }
    }
    io.stdout.flush()?;
    Ok(())
}

/// Returns the command that shows the answer, and the line of what it says now that has it. What was ended
/// meanwhile is not to be seen any more.
fn shown(question: &Question, scene: &Scene) -> Option<(String, Option<String>)> {
    let shown = question.shown.first()?;
    let (command, wanted) = (scene.fill(shown.command), scene.fill(shown.line));
    let Said::Command(words) = said(&command, 0) else { return None };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut quiet = Io { stdout: &mut stdout, stderr: &mut stderr, terminal: Terminal::default() };
    look(&words, &mut quiet).ok()?;
    let text = String::from_utf8_lossy(&stdout);
    let line = text.lines().find(|line| line.contains(&wanted));
    Some((command, line.map(|line| line.trim().to_owned())))
}
