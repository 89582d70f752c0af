//! The demo ended at each step of each lesson: no process, socket, file or raw terminal is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use rustix::process::{Signal, kill_process};
use sockscope::demo::{Lesson, lessons};

use crate::demo_terminal::Terminal;
use crate::{netns, support};

fn status(pid: impl std::fmt::Display) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}

/// Returns whether a process is there and has not ended.
fn runs(pid: u32) -> bool {
    let status = status(pid);
    !status.is_empty() && !status.contains("State:\tZ")
}

/// A socket of TCP: its ends and inode as `/proc/net/tcp` has them.
type Socket = (String, String, String);

/// The sockets of TCP that are not in TIME_WAIT, which is the kernel's way and ends by itself.
fn tcp_sockets() -> BTreeSet<Socket> {
    const TIME_WAIT: &str = "06";
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let text = read("/proc/net/tcp") + &read("/proc/net/tcp6");
    let rows = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (local, peer, state) = (words.get(1)?, words.get(2)?, words.get(3)?);
        let inode = words.get(9)?;
        inode.parse::<u64>().ok()?;
        (*state != TIME_WAIT).then(|| ((*local).into(), (*peer).into(), (*inode).into()))
    });
    rows.collect()
}

/// The inodes of the sockets that a process has.
fn inodes(pid: u32) -> BTreeSet<String> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return BTreeSet::new() };
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let inode = |link: PathBuf| {
        let link = link.to_str()?;
        Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    links.filter_map(inode).collect()
}

/// Returns the children of all threads of a process.
fn children(pid: u32) -> BTreeSet<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return BTreeSet::new() };
    let files =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    files
        .flat_map(|file| {
            file.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()
        })
        .collect()
}

/// How a lesson is shown on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// As a full-screen page.
    Page,
    /// As text that waits for Enter.
    Plain,
}

/// One end of one lesson.
#[derive(Debug, Clone, Copy)]
struct End {
    lesson: &'static Lesson,
    shown: Shown,
    step: usize,
    signal: Signal,
}

/// Plays a lesson up to this step, sends the signal, and sees what is left.
fn end(&End { lesson, shown, step, signal }: &End) {
    let what = format!("{}, {shown:?}, step {step}, {signal:?}", lesson.name);
    let mut terminal = Terminal::start((160, 50), |command| {
        command.args(["demo", lesson.name]);
        match shown {
            Shown::Plain => _ = command.arg("--step"),
            // Whoever may look into few processes lists in a tenth of the time.
            Shown::Page => _ = netns::as_nobody(command),
        }
    });
    terminal.step(step);
    let pid = terminal.pid().as_raw_nonzero().get().try_into().unwrap();
    assert_eq!(terminal.is_cooked(), shown == Shown::Plain, "{what}");
    let children = children(pid);
    let own: BTreeSet<String> =
        children.iter().chain([&pid]).flat_map(|&process| inodes(process)).collect();
    let before = tcp_sockets();
    let ports: BTreeSet<&str> = before
        .iter()
        .filter(|(_, _, inode)| own.contains(inode))
        .map(|(local, ..)| local.rsplit(':').next().unwrap())
        .collect();
    // What nobody has accepted, and what nobody has any more, is theirs too.
    let is_theirs = |(local, peer, _): &&Socket| {
        [local, peer].iter().all(|end| ports.contains(end.rsplit(':').next().unwrap()))
    };
    let theirs: BTreeSet<Socket> = before
        .iter()
        .filter(|socket| own.contains(&socket.2) || is_theirs(socket))
        .cloned()
        .collect();
    let signal = if support::ignores(pid, signal) { Signal::KILL } else { signal };
    kill_process(terminal.pid(), signal).unwrap();
    terminal.wait();
    // Whoever could give the terminal back itself has, before it ended.
    assert!(signal == Signal::KILL || terminal.is_cooked(), "{what}");
    let left = || {
        let now = tcp_sockets();
        // The same socket, or what the kernel keeps of it without a descriptor; not another test's at
        // the same port.
        let is_there = |(local, peer, inode): &&Socket| {
            now.iter().any(|(l, p, i)| (l, p) == (local, peer) && (i == inode || i == "0"))
        };
        let file = std::env::temp_dir().join(format!("sockscope-demo-{pid}"));
        let mut left = Vec::new();
        left.extend(children.iter().filter(|pid| runs(**pid)).map(|pid| format!("process {pid}")));
        left.extend(theirs.iter().filter(is_there).map(|socket| format!("socket {socket:?}")));
        left.extend(file.exists().then(|| format!("{}", file.display())));
        left.extend((!terminal.is_cooked()).then(|| "raw terminal".to_owned()));
        left.extend((!terminal.is_left()).then(|| "picture".to_owned()));
        left
    };
    assert!(support::becomes(|| left().is_empty()), "{what}: {:#?}", left());
}

#[test]
fn whatever_ends_the_demo_at_whichever_step_leaves_no_process_socket_file_or_raw_terminal() {
    const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL];
    // Here each step of each lesson has one of the four in turn in the page, and each lesson's last step
    // another in plain text; by hand, all have all.
    let every = std::env::var_os("SOCKSCOPE_EVERY_SIGNAL").is_some();
    let mut ends = Vec::new();
    for (index, lesson) in lessons::ALL.iter().enumerate() {
        if lesson.missing().is_some() {
            continue;
        }
        let last = lesson.steps.len();
        for (shown, first, shift) in [(Shown::Page, 1, 0), (Shown::Plain, last, 1)] {
            for step in if every { 1 } else { first }..=last {
                let turn = (index + step + shift) % SIGNALS.len();
                let signals = SIGNALS.into_iter().enumerate();
                let chosen = signals.filter(|(number, _)| every || *number == turn);
                ends.extend(chosen.map(|(_, signal)| End { lesson, shown, step, signal }));
            }
        }
    }
    let next = Mutex::new(ends.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(next) = { next.lock().unwrap().next() } {
                    end(&next);
                }
            });
        }
    });
}
