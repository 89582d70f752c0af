//! "See it yourself": what the demo says that other tools show, they show, and what it says that they
//! do not, they do not.

use std::process::Command;

use sockscope::demo::see::{SeeIt, see_it};
use sockscope::demo::{Performance, Performed, lessons};
use sockscope::platform;
use sockscope::snapshot::Entry;
use sockscope::socket::{Endpoint, Protocol};
use sockscope::state::TcpState;

use crate::support;

/// Runs the command as a shell would; ours is the one that was just built.
fn shown(see: &SeeIt) -> String {
    let command = match see.command.strip_prefix("sockscope") {
        Some(rest) => format!("{}{rest}", env!("CARGO_BIN_EXE_sockscope")),
        None => see.command.clone(),
    };
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns whether the word is an address with a port.
fn has_port(word: &str) -> bool {
    word.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

/// Returns whether a line of a tool's output is this row's.
fn is_of(line: &str, entry: &Entry) -> bool {
    let socket = &entry.socket;
    let words: Vec<&str> = line.split_whitespace().collect();
    if socket.protocol == Protocol::Unix {
        let inode = socket.inode.map(|inode| inode.to_string());
        return words.iter().any(|word| Some(*word) == inode.as_deref());
    }
    // By its ports: every tool writes wildcards and IPv6 in its own way.
    let port = |end: &Option<Endpoint>| end.as_ref().and_then(Endpoint::port);
    let ends = |word: &str, port: u16| word.ends_with(&format!(":{port}"));
    let (Some(local), peer) = (port(&socket.local), port(&socket.peer)) else { return false };
    let pairs = words.windows(2).map(|pair| (pair[0], pair[1]));
    let arrows = words.iter().filter_map(|word| word.split_once("->"));
    match peer {
        Some(peer) => pairs.chain(arrows).any(|(one, two)| ends(one, local) && ends(two, peer)),
        // A row with two ends is of somebody who has had the port before.
        None => words.iter().enumerate().any(|(at, word)| {
            let is_end = |at: usize| words.get(at).is_some_and(|word| has_port(word));
            let has_peer =
                word.contains("->") || is_end(at + 1) || at.checked_sub(1).is_some_and(is_end);
            ends(word, local) && !has_peer
        }),
    }
}

/// Checks what each tool shows of each row.
fn check(step: &Performed) -> Vec<&'static str> {
    let commands = see_it("linux", &step.snapshot, &step.roles);
    for see in &commands {
        if support::program(see.tool).is_none() && see.tool != "sockscope" {
            // netstat is old, and in no machine by itself.
            continue;
        }
        let mut output = shown(see);
        let is_unix = see.command.contains(" -x") || see.command.contains(" -U");
        let is_udp = see.command.contains(" -u") || see.command.contains("UDP");
        for (role, entry) in step.roles.iter().zip(&step.snapshot.entries) {
            let protocol = entry.socket.protocol;
            if (protocol == Protocol::Unix, protocol == Protocol::Udp) != (is_unix, is_udp) {
                continue;
            }
            let is_there = |output: &str| output.lines().any(|line| is_of(line, entry));
            // ss shows it from iproute2 6.8 on, only when asked.
            let may_be = see.tool == "ss" && entry.socket.state == Some(TcpState::Bound);
            let is_right = |output: &str| is_there(output) != see.lacks.contains(&role.name);
            // Who reads the kernel's tables in pieces may miss a row while others come and go.
            support::becomes(|| {
                if !may_be && !is_right(&output) {
                    output = shown(see);
                }
                may_be || is_right(&output)
            });
            assert!(
                may_be || is_right(&output),
                "{}/{}: {role} of `{}`:\n{output}",
                step.lesson,
                step.number,
                see.command
            );
        }
    }
    commands.iter().map(|see| see.tool).collect()
}

#[test]
fn the_other_tools_show_what_the_demo_says_they_do() {
    for name in ["tcp", "backlog", "udp", "unix", "dual"] {
        let lesson = lessons::ALL.iter().find(|lesson| lesson.name == name).unwrap();
        if let Some(why) = lesson.missing() {
            support::skip(&format!("lesson {name}: {why}"));
            continue;
        }
        let mut performance = Performance::new(lesson, platform::native());
        while let Some(step) = performance.next_step().unwrap() {
            let tools = check(&step);
            assert_eq!(tools.is_empty(), step.roles.is_empty());
            let ours = ["sockscope", "lsof", "ss", "netstat"];
            assert!(tools.chunks(ours.len()).all(|tools| tools == ours), "{tools:?}");
        }
    }
}
