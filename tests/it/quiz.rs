//! The quiz: what is set up is what its solution says, answers count as they should, and nothing is left.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sockscope::demo::quiz::{Culprit, Question, questions};

use crate::netns;
use crate::support;

const SEED: &str = "7";

/// A quiz about one question, played by lines.
struct Quiz {
    question: &'static Question,
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Quiz {
    fn start(question: &'static Question, command: &mut Command) -> Self {
        command.args(["demo", "quiz", question.name, "--json", "--seed", SEED]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { question, process, stdin, stdout }
    }

    /// Starts it and returns it with what is asked; `None` where that cannot be set up.
    fn asked(question: &'static Question, command: &mut Command) -> Option<(Self, Value)> {
        let mut quiz = Self::start(question, command);
        let asked = quiz.event();
        if let Some(why) = asked["why"].as_str() {
            support::skip(&format!("question {}: {why}", question.name));
            quiz.end();
            return None;
        }
        assert_eq!(asked["event"], "question", "{asked:#}");
        Some((quiz, asked))
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn event(&mut self) -> Value {
        let line = self.stdout.next().unwrap_or_else(|| panic!("{}: no line", self.question.name));
        support::conforming(&line.unwrap())
    }

    /// Ends its input and returns how it ended.
    fn end(mut self) -> ExitStatus {
        drop(self.stdin.take());
        for line in self.stdout.by_ref() {
            line.unwrap();
        }
        self.process.wait().unwrap()
    }

    /// The players, in the order of their parts.
    fn players(&self) -> Vec<u32> {
        support::children(self.process.id())
    }

    /// The process to be found.
    fn culprit(&self) -> Option<u32> {
        Some(match self.question.culprit? {
            Culprit::Player(number) => self.players()[number],
            Culprit::ChildOf(number) => support::children(self.players()[number])[0],
        })
    }

    /// The letter of the true cause, and another.
    fn letters(&self) -> (char, char) {
        let offered = self.question.offered(SEED.parse().unwrap());
        let right = offered.iter().position(|&cause| Some(cause) == self.question.cause()).unwrap();
        let letter = |index| ('a'..).nth(index).unwrap();
        (letter(right), letter((right + 1) % offered.len()))
    }
}

/// Runs this for every question, all at once.
fn for_each(test: impl Fn(&'static Question) + Sync) {
    std::thread::scope(|scope| {
        for question in questions::ALL {
            let test = &test;
            scope.spawn(move || test(question));
        }
    });
}

/// Sets up every question, runs each command that its solution names, and finds what that promises.
fn check_what_is_shown(prepare: impl Fn(&mut Command) + Sync) {
    let command = || {
        let mut command = support::sockscope();
        prepare(&mut command);
        command
    };
    for_each(|question| {
        let Some((mut quiz, asked)) = Quiz::asked(question, &mut command()) else { return };
        let target = asked["target"].as_str().unwrap();
        let port = target.rsplit(':').next().unwrap();
        let culprit = quiz.culprit().map_or_else(String::new, |pid| pid.to_string());
        for shown in question.shown {
            let words = shown.command.replace("{target}", target).replace("{port}", port);
            let line = shown.line.replace("{culprit}", &culprit);
            let (first, last) = words.split_once('\'').unwrap_or((&words, ""));
            let last = Some(last.trim_end_matches('\'')).filter(|last| !last.is_empty());
            let mut text = String::new();
            // The players' kernel may need a moment: to stop one, to carry a FIN.
            support::becomes(|| {
                let output = command().args(first.split_whitespace()).args(last).output().unwrap();
                text = String::from_utf8(output.stdout).unwrap();
                text.contains(&line)
            });
            assert!(text.contains(&line), "{}: sockscope {words}: {line}\n{text}", question.name);
        }
        quiz.say("s");
        let solution = quiz.event();
        assert_eq!(solution["event"], "solution");
        assert_eq!(solution["process"].as_u64(), culprit.parse().ok(), "{solution:#}");
        assert_ne!(solution["line"], Value::Null, "it shows the line: {solution:#}");
        assert_eq!((&solution["solved"], &solution["points"]), (&false.into(), &0.into()));
        assert_eq!(quiz.end().code(), Some(1), "one was not solved");
    });
}

#[test]
fn each_question_is_to_be_seen_as_its_solution_says() {
    check_what_is_shown(|_| {});
}

#[test]
fn each_question_is_to_be_seen_by_nobody_too() {
    if !netns::is_root() {
        return support::skip("needs root to become nobody");
    }
    check_what_is_shown(|command| assert!(netns::as_nobody(command)));
}

#[test]
fn the_right_answer_is_worth_ten_points_and_hints_and_wrong_answers_cost() {
    for_each(|question| {
        let Some((mut quiz, _)) = Quiz::asked(question, &mut support::sockscope()) else { return };
        let pid = quiz.culprit().map_or_else(String::new, |pid| format!(" {pid}"));
        let (right, wrong) = quiz.letters();
        quiz.say(&format!("{right}{pid}"));
        let solution = quiz.event();
        assert_eq!((&solution["solved"], &solution["points"]), (&true.into(), &10.into()));
        assert_eq!(solution["letter"], right.to_string());
        let total = quiz.event();
        assert_eq!((&total["points"], &total["of"]), (&10.into(), &10.into()), "{total:#}");
        assert_eq!(quiz.end().code(), Some(0));

        let (mut quiz, _) = Quiz::asked(question, &mut support::sockscope()).unwrap();
        let pid = quiz.culprit().map_or_else(String::new, |pid| format!(" {pid}"));
        quiz.say("h");
        assert_eq!(quiz.event()["event"], "hint");
        quiz.say(&format!("{wrong}{pid}"));
        let judged = quiz.event();
        assert_eq!((&judged["cause"], &judged["wrong"]), (&false.into(), &1.into()), "{judged:#}");
        quiz.say("nonsense");
        assert_eq!(quiz.event()["event"], "not-understood");
        quiz.say(&right.to_string());
        let solution = quiz.event();
        assert_eq!((&solution["solved"], &solution["points"]), (&true.into(), &5.into()));
        assert_eq!(quiz.end().code(), Some(0));
    });
}

#[test]
fn the_parts_of_an_answer_may_come_one_by_one_and_a_wrong_process_costs() {
    let question = questions::ALL.iter().find(|question| question.culprit.is_some()).unwrap();
    let Some((mut quiz, _)) = Quiz::asked(question, &mut support::sockscope()) else { return };
    let (right, _) = quiz.letters();
    let culprit = quiz.culprit().unwrap();
    quiz.say(&right.to_string());
    let judged = quiz.event();
    assert_eq!((&judged["cause"], &judged["process"]), (&true.into(), &Value::Null));
    quiz.say("1");
    let judged = quiz.event();
    assert_eq!((&judged["process"], &judged["wrong"]), (&false.into(), &1.into()));
    quiz.say(&culprit.to_string());
    assert_eq!(quiz.event()["points"], 7);
    assert_eq!(quiz.end().code(), Some(0));
}

#[test]
fn what_the_learner_ended_is_set_up_once_more() {
    let question = questions::ALL[0];
    let Some((mut quiz, before)) = Quiz::asked(question, &mut support::sockscope()) else { return };
    let old = quiz.culprit().unwrap();
    kill_process(pid(old), Signal::KILL).unwrap();
    quiz.say("r");
    let after = quiz.event();
    assert_eq!((&after["event"], &after["causes"]), (&before["event"], &before["causes"]));
    let new = quiz.culprit().unwrap();
    assert_ne!(old, new);
    let (right, _) = quiz.letters();
    quiz.say(&format!("{new} {right}"));
    assert_eq!(quiz.event()["points"], 10, "that costs nothing");
    assert_eq!(quiz.end().code(), Some(0));
}

#[test]
fn a_person_reads_lines_and_may_look_from_here() {
    let question = questions::ALL[0];
    let mut command = support::sockscope();
    command.args(["demo", "quiz", "1"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut quiz = command.spawn().unwrap();
    quiz.stdin.take().unwrap().write_all(b"list 'tcp and listen'\nwhy\nh\ns\n").unwrap();
    let output = quiz.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rest = text.as_str();
    let shown = [
        &format!("question 1 of 1: {}\n", question.name),
        "Your server does not start",
        "\n    a  ",
        "COMMAND",
        "required arguments were not provided",
        "  hint: EADDRINUSE",
        "0 of 10 points; the answer was: ",
        "$ sockscope why 127.0.0.1:",
        "held by   invoices (",
        "total: 0 of 10 points\nthe same once more: --seed 0\n",
    ];
    for part in shown {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} in {text}"));
        rest = after;
    }
}

#[test]
fn one_seed_asks_the_same_and_the_input_s_end_ends_it() {
    let first = |seed| {
        let mut command = support::sockscope();
        let output = support::output(command.args(["demo", "quiz", "--json", "--seed", seed]));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let first = lines.next().unwrap();
        let last = lines.next_back().unwrap();
        assert_eq!((&last["event"], last["seed"].to_string()), (&"total".into(), seed.to_owned()));
        (first["question"].clone(), first["causes"].clone())
    };
    assert_eq!(first("3"), first("3"));
    let names: std::collections::BTreeSet<String> =
        ["1", "2", "3"].iter().map(|seed| first(seed).0.to_string()).collect();
    assert!(names.len() > 1, "{names:?}");
}

#[test]
fn a_name_that_is_no_question_is_an_error_with_a_way_out() {
    for (word, hint) in [("restrat", "did you mean 'restart'?"), ("0", "--list prints them")] {
        let output = support::sockscope().args(["demo", "quiz", word]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(&format!("there is no question '{word}'")), "{text}");
        assert!(text.contains(hint), "{text}");
    }
}

fn pid(pid: u32) -> Pid {
    Pid::from_raw(pid.try_into().unwrap()).unwrap()
}

fn runs(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[test]
fn whatever_ends_the_quiz_ends_the_players_and_leaves_nothing() {
    for_each(|question| {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
            let Some((mut quiz, asked)) = Quiz::asked(question, &mut support::sockscope()) else {
                return;
            };
            let players = quiz.players();
            assert_eq!(players.len(), question.parts.len(), "{}", question.name);
            let grandchildren = players.iter().flat_map(|&player| support::children(player));
            let all: Vec<u32> = players.iter().copied().chain(grandchildren).collect();
            let signal =
                if support::ignores(quiz.process.id(), signal) { Signal::KILL } else { signal };
            kill_process(pid(quiz.process.id()), signal).unwrap();
            quiz.process.wait().unwrap();
            support::wait_until(|| !all.iter().any(|&pid| runs(pid)));
            let target = asked["target"].as_str().unwrap();
            // Another test may listen on the port by now.
            let is_left = |row: &Value| {
                let owners = row["owners"].as_array().unwrap();
                let is_ours = |pid: u64| all.iter().any(|ours| u64::from(*ours) == pid);
                owners.is_empty()
                    || owners.iter().any(|owner| is_ours(owner["pid"].as_u64().unwrap()))
            };
            support::wait_until(|| match target.rsplit_once(':') {
                Some((_, port)) => {
                    let filter = format!("sport {port} and not state time-wait");
                    !support::list(&[&filter]).iter().any(is_left)
                }
                None => !Path::new(target).exists(),
            });
        }
    });
}
