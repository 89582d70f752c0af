//! The page of the demo as a picture, at three sizes and without a terminal. The lessons are played on the
//! real kernel; what differs from run to run (ports, processes, descriptors, times) is made the same, and
//! only then is the model drawn.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use sockscope::cli::demo::page::model::{Chosen, Effect, Model};
use sockscope::cli::demo::page::view::{self, SMALLEST};
use sockscope::demo::code::Language;
use sockscope::demo::{Lesson, Performance, Performed, lessons};
use sockscope::platform;
use sockscope::process::{Fd, Ownership, Pid};
use sockscope::socket::{Endpoint, TimerKind};

use crate::support;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn lesson(name: &str) -> &'static Lesson {
    lessons::ALL.iter().find(|lesson| lesson.name == name).unwrap()
}

/// Numbers that differ from run to run, each with the one that stands for it, in the order they appeared.
#[derive(Debug, Default)]
struct Aliases {
    ports: BTreeMap<u16, u16>,
    pids: BTreeMap<u32, u32>,
    fds: BTreeMap<u32, u32>,
}

impl Aliases {
    fn port(&mut self, port: u16) -> u16 {
        let next = 40_001 + u16::try_from(self.ports.len()).unwrap();
        *self.ports.entry(port).or_insert(next)
    }

    fn pid(&mut self, pid: u32) -> u32 {
        let next = 4711 + u32::try_from(self.pids.len()).unwrap();
        *self.pids.entry(pid).or_insert(next)
    }

    fn apply(&mut self, step: &mut Performed) {
        for entry in &mut step.snapshot.entries {
            for end in [&mut entry.socket.local, &mut entry.socket.peer].into_iter().flatten() {
                if let Endpoint::Inet { port, .. } = end {
                    *port = self.port(*port);
                }
            }
            if let Some(timer) = &mut entry.socket.timer {
                timer.expires_ms = if timer.kind == TimerKind::Timewait { 58_400 } else { 800 };
                timer.retransmits = 0;
            }
            if let Ownership::Held(owners) = &mut entry.ownership {
                // A process that another test starts has all our sockets for an instant.
                *owners = owners[0].clone().into();
                for owner in owners.iter_mut() {
                    let mut process = (*owner.process).clone();
                    process.pid = Pid(self.pid(process.pid.0));
                    owner.process = process.into();
                    let next = 3 + u32::try_from(self.fds.len()).unwrap();
                    owner.fd = owner.fd.map(|fd| Fd(*self.fds.entry(fd.0).or_insert(next)));
                }
            }
        }
        for call in &mut step.calls {
            call.call = self.text(&call.call);
            // musl has words of its own for an error.
            let result = call.result.replace(": address in use", ": address already in use");
            call.result = self.text(&result);
        }
    }

    /// Replaces ports, the number of a process, and how long TIME_WAIT still lasts.
    fn text(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut digits = String::new();
        for character in text.chars().chain(['\0']) {
            if character.is_ascii_digit() {
                digits.push(character);
                continue;
            }
            let is_port = (out.ends_with(':') || out.ends_with("port ")) && digits != "0";
            match digits.parse::<u32>() {
                Ok(port) if is_port => out += &self.port(port.try_into().unwrap()).to_string(),
                Ok(_) if out.ends_with("ends in ") => out += "58",
                Ok(pid) if out.ends_with("process ") => out += &self.pid(pid).to_string(),
                Ok(_) | Err(_) => out += &digits,
            }
            digits.clear();
            out.extend((character != '\0').then_some(character));
        }
        out
    }
}

/// Plays a lesson up to this step, and returns the page then.
fn played(name: &str, steps: usize) -> Model {
    let lesson = lesson(name);
    let mut model = Model::new(vec![lesson], false, "linux");
    assert_eq!(model.advance(), Effect::Open(Chosen(lesson)));
    let mut performance = Performance::new(lesson, platform::native());
    let mut aliases = Aliases::default();
    for _ in 0..steps {
        let mut step = performance.next_step().unwrap().unwrap();
        assert_eq!(step.surprises, [""; 0], "{name}/{}", step.number);
        aliases.apply(&mut step);
        model.performed(step);
    }
    model
}

fn drawn(model: &Model, (width, height): (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    view::draw(model, area, &mut buffer);
    buffer
}

/// Returns the picture as text; a state that is lit stands in brackets, since here is no colour.
fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Returns what is drawn reversed: the bar, and the states that are lit.
fn reversed(buffer: &Buffer) -> Vec<String> {
    let mut found = vec![String::new()];
    for y in 1..buffer.area.height {
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            if cell.modifier.contains(Modifier::REVERSED) {
                found.last_mut().unwrap().push_str(cell.symbol());
            } else if !found.last().unwrap().is_empty() {
                found.push(String::new());
            }
        }
    }
    found.pop();
    found
}

fn press(model: &mut Model, code: KeyCode) -> Option<Effect> {
    model.key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn a_step_is_drawn_at_every_size() {
    let mut scenes = vec![
        ("tcp_handshake", played("tcp", 4)),
        ("tcp_end", played("tcp", 12)),
        ("inuse_refused", played("inuse", 2)),
        ("inherit_child", played("inherit", 3)),
        ("udp_answer", played("udp", 10)),
    ];
    let mut tools = played("tcp", 4);
    press(&mut tools, KeyCode::Char('l'));
    scenes.push(("tcp_tools", tools));
    let mut help = played("abort", 2);
    press(&mut help, KeyCode::Char('?'));
    scenes.push(("abort_help", help));
    for (name, model) in scenes {
        for (width, height) in SIZES {
            let picture = text(&drawn(&model, (width, height)));
            insta::assert_snapshot!(format!("page_{name}_{width}x{height}"), picture);
        }
    }
}

#[test]
fn the_menu_is_drawn_at_every_size_and_says_why_a_lesson_cannot_be_shown() {
    let mut model = Model::new(Vec::new(), false, "linux");
    let mut missing: Vec<Option<String>> = lessons::ALL.iter().map(|_| None).collect();
    let why = "it needs a network namespace of its own: operation not permitted";
    *missing.last_mut().unwrap() = Some(why.to_owned());
    model.check(missing);
    press(&mut model, KeyCode::End);
    assert_eq!(press(&mut model, KeyCode::Enter), Some(Effect::Quiz), "the last of the menu");
    press(&mut model, KeyCode::Up);
    assert_eq!(press(&mut model, KeyCode::Enter), None, "it cannot be opened");
    for (width, height) in [SMALLEST, (80, 24), (120, 40)] {
        let picture = text(&drawn(&model, (width, height)));
        let words = picture.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(why), "{picture}");
        // What the lessons are called is tested elsewhere.
        let lines = picture.lines().filter(|line| line.contains("netns")).count();
        assert_eq!(lines, 1, "{picture}");
        assert!(picture.lines().next().unwrap().contains("0 of "), "{picture}");
    }
}

#[test]
fn a_terminal_of_80_columns_cuts_neither_a_title_nor_a_key() {
    let mut model = Model::new(Vec::new(), false, "linux");
    model.check(lessons::ALL.iter().map(|_| None).collect());
    for helps in [false, true] {
        let picture = text(&drawn(&model, (80, 24)));
        assert!(!picture.contains('…'), "help {helps}:\n{picture}");
        press(&mut model, KeyCode::Char('?'));
    }
}

#[test]
fn whatever_the_size_the_sentence_the_state_and_the_changed_row_are_there() {
    let model = played("tcp", 12);
    let say = lesson("tcp").steps[11].say;
    for width in (SMALLEST.0..=220).step_by(7) {
        for height in (SMALLEST.1..=70).step_by(3) {
            let buffer = drawn(&model, (width, height));
            let picture = text(&buffer);
            let words = picture.split_whitespace().collect::<Vec<_>>().join(" ");
            let at = format!("{width}×{height}:\n{picture}");
            assert!(words.contains(say), "{at}");
            assert!(words.contains("* ● client"), "{at}");
            assert!(words.contains("timewait:58.4s"), "{at}");
            assert_eq!(reversed(&buffer), ["LISTEN", "TIME_WAIT"], "{at}");
            assert!(words.contains("close(server)"), "{at}");
        }
    }
}

#[test]
fn tab_turns_to_every_row_where_not_all_fit() {
    if let Some(why) = lesson("museum").missing() {
        return support::skip(&why);
    }
    let mut model = played("museum", 9);
    let play = model.play.as_ref().unwrap();
    let wanted: BTreeSet<&str> = play.rows.roles.iter().map(|role| role.name).collect();
    let shown = |model: &Model| text(&drawn(model, (80, 24)));
    let first = shown(&model);
    assert!(first.contains(" more: Tab"), "{first}");
    let mut all = first.clone();
    for _ in 0..20 {
        press(&mut model, KeyCode::Tab);
        let picture = shown(&model);
        if picture == first {
            break;
        }
        all += &picture;
    }
    let missing: Vec<&str> =
        wanted.into_iter().filter(|name| !all.contains(&format!("{name} "))).collect();
    assert_eq!(missing, [""; 0], "{all}");
    assert_eq!(shown(&model), first, "after the last comes the first again");
}

#[test]
fn a_terminal_that_is_too_small_is_told_how_large_to_be() {
    let model = played("tcp", 3);
    let (width, height) = SMALLEST;
    for size in [(width - 1, 40), (200, height - 1), (20, 5)] {
        let picture = text(&drawn(&model, size)).replace('\n', " ");
        let words = picture.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("The demo needs {width} × {height}")), "{picture}");
        assert!(words.contains(&format!("{} × {}", size.0, size.1)), "{picture}");
    }
    // Nothing to say it with, and no panic.
    for size in [(0, 0), (1, 1), (3, 1), (80, 1)] {
        drawn(&model, size);
    }
}

#[test]
fn colour_says_nothing_that_is_not_said_without_it() {
    let mut model = played("halfclose", 2);
    let plain = drawn(&model, (120, 40));
    model.color = true;
    let colored = drawn(&model, (120, 40));
    assert_eq!(text(&plain), text(&colored));
    assert_eq!(reversed(&plain), ["LISTEN", "CLOSE_WAIT", "FIN_WAIT2"]);
    let has_color = |buffer: &Buffer| {
        let is_colored = |color| color != ratatui::style::Color::Reset;
        buffer.content.iter().any(|cell| is_colored(cell.fg) || is_colored(cell.bg))
    };
    assert!(has_color(&colored) && !has_color(&plain));
}

#[test]
fn what_the_rows_show_counts_down_and_ends_while_the_learner_looks() {
    let lesson = lesson("tcp");
    let mut model = Model::new(vec![lesson], false, "linux");
    model.advance();
    let mut performance = Performance::new(lesson, platform::native());
    while let Some(step) = performance.next_step().unwrap() {
        model.performed(step);
    }
    let shown = |model: &Model| text(&drawn(model, (120, 40)));
    let timer = |model: &Model| {
        let picture = shown(model);
        picture.split_once("timewait:").map(|(_, rest)| rest.split('s').next().unwrap().to_owned())
    };
    let first = timer(&model).unwrap();
    support::wait_until(|| {
        model.seen(performance.look().unwrap());
        timer(&model).is_some_and(|now| now != first)
    });
}

#[test]
fn keys_go_through_the_menu_and_a_lesson() {
    let mut model = Model::new(Vec::new(), false, "linux");
    assert_eq!(press(&mut model, KeyCode::Char('1')), None);
    assert_eq!(press(&mut model, KeyCode::Char('2')), None);
    assert_eq!(model.menu.items[model.menu.selected].name, lessons::ALL[11].name);
    // Nothing has the number 123: what is typed then begins anew.
    assert_eq!(press(&mut model, KeyCode::Char('3')), None);
    assert_eq!(model.menu.selected, 2);
    press(&mut model, KeyCode::Up);
    press(&mut model, KeyCode::Char('k'));
    assert_eq!(press(&mut model, KeyCode::Enter), Some(Effect::Open(Chosen(lessons::ALL[0]))));
    assert_eq!(press(&mut model, KeyCode::Char(' ')), None, "the first step is being performed");
    let mut performance = Performance::new(lessons::ALL[0], platform::native());
    model.performed(performance.next_step().unwrap().unwrap());
    assert_eq!(press(&mut model, KeyCode::Char(' ')), Some(Effect::Next));
    assert_eq!(press(&mut model, KeyCode::Char(' ')), None, "one step after the other");
    assert_eq!(press(&mut model, KeyCode::Char('m')), Some(Effect::Close));
    assert_eq!(press(&mut model, KeyCode::Char('q')), Some(Effect::Quit));
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(model.key(interrupt), Some(Effect::Quit));
}

#[test]
fn the_calls_of_a_step_are_shown_in_each_language_one_after_the_other() {
    let mut model = played("tcp", 4);
    let mut connects = Vec::new();
    loop {
        press(&mut model, KeyCode::Char('c'));
        let picture = text(&drawn(&model, (200, 60)));
        let line = picture.lines().rfind(|line| line.contains('»'));
        let Some(line) = line else { break };
        connects.push(line.to_owned());
    }
    assert_eq!(connects.len(), Language::ALL.len(), "{connects:#?}");
    connects.dedup();
    assert_eq!(connects.len(), Language::ALL.len(), "{connects:#?}");
}

#[test]
fn after_the_last_step_comes_the_next_lesson_of_those_asked_for_and_then_the_menu() {
    let [abort, udp] = [lesson("abort"), lesson("udp")];
    let mut model = Model::new(vec![abort, udp], false, "linux");
    assert_eq!(model.advance(), Effect::Open(Chosen(abort)));
    let mut performance = Performance::new(abort, platform::native());
    while let Some(step) = performance.next_step().unwrap() {
        model.performed(step);
    }
    assert!(text(&drawn(&model, (80, 24))).contains("press space for the next"));
    assert_eq!(press(&mut model, KeyCode::Enter), Some(Effect::Open(Chosen(udp))));
    press(&mut model, KeyCode::Esc);
    assert!(text(&drawn(&model, (80, 24))).contains("1 of "), "done");
}
