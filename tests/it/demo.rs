//! The demo: what it says will be seen is seen, on the real kernel.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sockscope::cli::demo::quiz;
use sockscope::demo::quiz::cause::Cause;
use sockscope::demo::quiz::questions;
use sockscope::demo::rows::Whose;
use sockscope::demo::stage::wire::{Crossing, Packet};
use sockscope::demo::{Lesson, Performance, lessons};
use sockscope::platform;
use sockscope::state::TcpState;

use crate::netns;
use crate::support;

/// Starts each lesson in a process of its own, all at once, and checks every step of it.
fn play(prepare: impl Fn(&mut Command)) {
    let start = |lesson: &&'static Lesson| {
        let mut command = support::sockscope();
        prepare(command.args(["demo", lesson.name, "--json"]));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        (*lesson, child)
    };
    let playing: Vec<(&Lesson, Child)> = lessons::ALL.iter().map(start).collect();
    let over: Vec<_> = playing.into_iter().map(|(l, p)| (l, p.wait_with_output())).collect();
    for (lesson, output) in over {
        let output = output.unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let objects: Vec<Value> = stdout.lines().map(support::conforming).collect();
        if let Some(why) = objects.first().and_then(|first| first["skipped"].as_str()) {
            support::skip(&format!("lesson {}: {why}", lesson.name));
            continue;
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(objects.len(), lesson.steps.len(), "{}: {stderr}", lesson.name);
        for step in &objects {
            assert_eq!(step["surprises"], Value::Array(vec![]), "{step:#}");
        }
        assert_eq!(output.status.code(), Some(0), "{}: {stderr}", lesson.name);
    }
}

#[test]
fn each_step_of_each_lesson_makes_the_rows_it_promises_and_no_others() {
    play(|_| {});
}

#[test]
fn nobody_can_take_the_course_too() {
    if !netns::is_root() {
        return support::skip("needs root to become nobody");
    }
    play(|command| assert!(netns::as_nobody(command)));
}

#[test]
fn a_transcript_has_every_call_every_changed_row_and_every_sentence() {
    // The rows are the same for all, and tested above: two lessons have every kind of line.
    let names = ["tcp", "abort"];
    let output = support::output(support::sockscope().args(["demo", "--script"]).args(names));
    assert_eq!(output.status.code(), Some(0), "every row was as promised");
    let transcript = String::from_utf8(output.stdout).unwrap();
    for lesson in lessons::ALL.iter().filter(|lesson| names.contains(&lesson.name)) {
        let (_, rest) = transcript.split_once(&format!("== {}: ", lesson.name)).unwrap();
        let own = rest.split("\n== ").next().unwrap();
        let mark = format!("/{}\n", lesson.steps.len());
        let mut steps = own.split(&mark).skip(1);
        for step in lesson.steps {
            let text = steps.next().unwrap();
            assert!(text.contains(step.say), "{}: {text}", step.say);
            assert!(text.contains("->"), "the call and its result: {text}");
            for row in step.expect {
                let state = row.state.map_or_else(String::new, |state| state.to_string());
                let is_there = text.lines().any(|line| {
                    line.trim_start().starts_with(&format!("{}  ", row.role))
                        && line.contains(&state)
                        && !line.contains("->")
                });
                assert_eq!(is_there, row.whose != Whose::Gone, "{row}: {text}");
            }
        }
    }
}

#[test]
fn json_has_one_object_a_step_that_tells_who_called_and_whose_row_it_is() {
    let output = support::output(support::sockscope().args(["demo", "udp", "--json"]));
    let steps: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let udp = lessons::ALL.iter().find(|lesson| lesson.name == "udp").unwrap();
    assert_eq!(steps.len(), udp.steps.len());
    let second = &steps[1];
    assert_eq!((&second["schema"], &second["step"]), (&"sockscope.demo/1".into(), &2.into()));
    let calls: Vec<&Value> =
        second["calls"].as_array().unwrap().iter().map(|call| &call["program"]).collect();
    assert_eq!(calls, ["client", "client"]);
    let rows = second["rows"].as_array().unwrap();
    let roles: Vec<_> = rows.iter().map(|row| (&row["role"], &row["program"])).collect();
    let word = |word: &str| Value::from(word);
    assert_eq!(roles, [(&word("server"), &word("server")), (&word("client"), &word("client"))]);
    let [server, client] = [0, 1].map(|index| &rows[index]["socket"]);
    assert_eq!(server["peer"], Value::Null);
    assert_eq!(client["peer"]["port"], server["local"]["port"]);
}

/// Every state of TCP that a row can have.
const STATES: [&str; 11] = [
    "BOUND",
    "CLOSE_WAIT",
    "CLOSING",
    "ESTABLISHED",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "LAST_ACK",
    "LISTEN",
    "SYN_RECV",
    "SYN_SENT",
    "TIME_WAIT",
];

#[test]
fn the_museum_has_all_eleven_states_at_once_in_the_listing_for_nobody_too() {
    let mut visitors = vec![support::sockscope()];
    if netns::is_root() {
        visitors.push(support::sockscope());
        assert!(netns::as_nobody(&mut visitors[1]));
    }
    for mut command in visitors {
        let output = support::output(command.args(["demo", "museum", "--json"]));
        let text = String::from_utf8(output.stdout).unwrap();
        let states = |line: &str| -> BTreeSet<String> {
            let step: Value = serde_json::from_str(line).unwrap();
            let rows = step["rows"].as_array().unwrap().iter();
            rows.map(|row| row["socket"]["state"].as_str().unwrap().to_owned()).collect()
        };
        let all = BTreeSet::from(STATES.map(str::to_owned));
        assert!(text.lines().any(|line| states(line) == all), "{text}");
    }
}

#[test]
fn where_a_bind_fails_it_says_what_why_says_of_it() {
    let output = support::output(support::sockscope().args(["demo", "inuse", "--json"]));
    let text = String::from_utf8(output.stdout).unwrap();
    let steps = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let calls: Vec<Value> =
        steps.flat_map(|step| step["calls"].as_array().unwrap().clone()).collect();
    let said: Vec<&str> = calls
        .iter()
        .filter(|call| call["call"].as_str().unwrap().starts_with("sockscope why 127.0.0.1:"))
        .map(|call| call["result"].as_str().unwrap())
        .collect();
    let [first, second] = said[..] else { panic!("{said:?}") };
    let (cause, left) = first.rsplit_once(" it ends in ").unwrap_or_else(|| panic!("{first}"));
    let verdict = "no, bind fails with EADDRINUSE (address already in use); because ";
    assert_eq!(cause, format!("{verdict}the kernel keeps a closed connection for a while;"));
    let seconds: u32 = left.strip_suffix(" s").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{first}");
    assert!(second.ends_with("because another socket has this address"), "{second}");
}

#[test]
fn the_list_has_a_line_for_each_lesson() {
    let output = support::output(support::sockscope().args(["demo", "--list"]));
    let text = String::from_utf8(output.stdout).unwrap();
    let quiz = format!("{}  quiz ", lessons::ALL.len() + 1);
    assert!(text.lines().last().unwrap().contains(&quiz), "the last is the quiz: {text}");
    assert_eq!(text.lines().count(), lessons::ALL.len() + 1);
    for ((number, lesson), line) in (1..).zip(lessons::ALL).zip(text.lines()) {
        assert!(line.contains(&format!("{number}  {}", lesson.name)), "{line}");
        assert!(line.ends_with(lesson.title), "{line}");
    }
}

#[test]
fn the_menu_takes_numbers_and_names_and_says_when_there_is_no_such_lesson() {
    let mut command = support::sockscope();
    command.args(["demo", "--step"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"nonsense\x1b\n1\nq\nudp\nq\nquiz\nq\nq\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(r"there is no lesson 'nonsense\x1b'"), "{text}");
    assert!(text.contains("Jtcp: "), "{text}");
    assert!(text.contains("Judp: "), "{text}");
    assert!(text.contains("question 1 of "), "{text}");
    assert!(!text.contains("step 2 of"), "quitting a lesson leads back to the menu: {text}");
}

/// The arrows are concluded from the calls; the states are the kernel's. Each FIN that an arrow says was
/// sent, or has arrived, must be in the states, and no other may be.
#[test]
fn the_arrows_tell_of_each_fin_what_the_kernels_states_do() {
    use TcpState::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, TimeWait};
    let play = |lesson: &'static Lesson| {
        if let Some(why) = lesson.missing() {
            return support::skip(&format!("lesson {}: {why}", lesson.name));
        }
        let mut performance = Performance::new(lesson, platform::native());
        let (mut sent, mut arrived) = (BTreeSet::new(), BTreeSet::new());
        while let Some(step) = performance.next_step().unwrap() {
            for Crossing { from, to, what, arrives, .. } in
                step.calls.iter().flat_map(|c| &c.crossed)
            {
                if *what == Packet::Fin {
                    sent.insert(*from);
                    arrived.extend(arrives.then_some(*to));
                }
                // A new connection may have the name of an old one.
                if *what == Packet::Syn {
                    for role in [from, to] {
                        sent.remove(role);
                        arrived.remove(role);
                    }
                }
            }
            for (role, entry) in step.roles.iter().zip(&step.snapshot.entries) {
                let (has_sent, has_got) = match entry.socket.state {
                    Some(Established) => (false, false),
                    Some(CloseWait) => (false, true),
                    Some(FinWait1 | FinWait2) => (true, false),
                    Some(Closing | LastAck | TimeWait) => (true, true),
                    _ => continue,
                };
                let told = (sent.contains(role), arrived.contains(role));
                let at = format!("{}/{}: {role}", lesson.name, step.number);
                assert_eq!((has_sent, has_got), told, "{at} {:?}", entry.socket.state);
            }
        }
    };
    std::thread::scope(|scope| {
        // The child of that one is this program, which here is the tests; nothing is closed in it.
        for lesson in lessons::ALL.iter().filter(|lesson| lesson.name != "netns") {
            scope.spawn(|| play(lesson));
        }
    });
}

#[test]
fn the_arrows_of_a_connection_are_its_packets() {
    let lesson = lessons::ALL.iter().find(|lesson| lesson.name == "abort").unwrap();
    let mut performance = Performance::new(lesson, platform::native());
    let mut crossed = Vec::new();
    while let Some(step) = performance.next_step().unwrap() {
        let arrows = step.calls.iter().flat_map(|call| &call.crossed);
        crossed.extend(arrows.map(|crossing| (crossing.from.name, crossing.what)));
    }
    let [syn, answer, ack] =
        [("client", Packet::Syn), ("server", Packet::SynAck), ("client", Packet::Ack)];
    let (data, reset) = (("client", Packet::Data(9)), Packet::Rst);
    let first = [syn, answer, ack, ("client", reset)];
    let second = [syn, answer, ack, data, ("server", reset)];
    assert_eq!(crossed, [&first[..], &second].concat());
}

/// What docs/lessons.md says, made of the lessons themselves.
fn manual() -> String {
    let mut text = String::from(
        "# The lessons of the demo\n\n`sockscope demo LESSON` performs one on the real kernel: each step \
         makes its calls, shows the rows of\nexactly the lesson's sockets, and checks them. Below each \
         step's sentence are the rows that change by it. docs/three-terminals.md has those that two programs can\nplay.\n\nThis file is made of the lessons: `BLESS=1 \
         cargo test demo`.\n",
    );
    for (number, lesson) in (1..).zip(lessons::ALL) {
        let Lesson { name, title, .. } = lesson;
        writeln!(text, "\n## {number}. `{name}`: {title}\n").unwrap();
        if !lesson.needs.is_empty() {
            let needs: Vec<_> = lesson.needs.iter().map(ToString::to_string).collect();
            writeln!(text, "Needs {}.\n", needs.join(" and ")).unwrap();
        }
        for (number, step) in (1..).zip(lesson.steps) {
            writeln!(text, "{number}. {}", step.say).unwrap();
            for row in step.expect {
                writeln!(text, "   - {row}").unwrap();
            }
        }
    }
    let names: Vec<_> = questions::ALL.iter().map(|q| format!("`{}`", q.name)).collect();
    let causes: BTreeSet<Cause> = questions::ALL.iter().filter_map(|q| q.cause()).collect();
    let number = lessons::ALL.len() + 1;
    writeln!(text, "\n## {number}. `quiz`: {}\n", quiz::TITLE).unwrap();
    writeln!(
        text,
        "`sockscope demo quiz [QUESTION]...` tells of trouble as whoever is on call hears of it; you find the\n\
         cause with `list`, `port`, `why` and `show`. Each question is worth 10 points; a hint costs 2, a\n\
         wrong answer 3. The questions are {}. What may be behind them:\n",
        names.join(", ")
    )
    .unwrap();
    for cause in causes {
        writeln!(text, "- {cause}").unwrap();
    }
    text
}

#[test]
fn the_manual_tells_what_the_lessons_do() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lessons.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, manual()).unwrap();
    }
    let committed = fs::read_to_string(file).unwrap();
    assert!(committed == manual(), "docs/lessons.md is not current: BLESS=1 cargo test demo");
}
