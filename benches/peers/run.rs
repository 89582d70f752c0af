//! The order of things: outside, a scene after the other; inside its namespaces, the runs.

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::measure::{self, Cost};
use crate::peers::{self, Peer};
use crate::report;
use crate::scene::{self, Built, Group, Row, SCENES, Scene};

/// How often each pair is run unless it is said.
const PAIRS: usize = 7;

/// How many sockets the growth is shown with.
const GROWTH: [usize; 6] = [1_000, 10_000, 20_000, 50_000, 100_000, 200_000];

/// What the scene of so many sockets is called.
const GROWN: &str = "growth";

/// As many sockets as a process may have descriptors for.
const A_HOLDER: usize = 16_000;

/// What was seen in a scene.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) processes: usize,
    pub(crate) descriptors: usize,
    pub(crate) sockets: usize,
    pub(crate) comparisons: Vec<Comparison>,
}

/// One of our ladders beside a peer, or alone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) own: String,
    pub(crate) peer: String,
    /// How many sockets were asked for, and how many of them each told.
    pub(crate) asked: usize,
    pub(crate) own_told: usize,
    pub(crate) peer_told: usize,
    /// Nanoseconds, nanoseconds and KiB of each, pair by pair; of a ladder alone, the second is nothing.
    pub(crate) pairs: Vec<([u64; 3], [u64; 3])>,
}

pub(crate) fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (first, rest) = words.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    match first {
        "--hold" => scene::hold(rest),
        "--cost" => measure::cost(rest),
        "--as" => peers::list_as(&rest[0]),
        "--inside" => inside(&rest[0], rest[1].parse().unwrap()),
        "--do-inside" => do_inside(&rest[0], &rest[1..]),
        _ => outside(&words),
    }
}

fn outside(words: &[String]) {
    if !rustix::process::geteuid().is_root() {
        return println!("SKIPPED: the scenes need root for namespaces of their own");
    }
    let mut pairs = PAIRS;
    let mut wanted: Vec<String> = Vec::new();
    let mut write = false;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--pairs" => pairs = words.next().expect("--pairs N").parse().expect("--pairs N"),
            "--write" => write = true,
            "--do" => {
                let command: Vec<String> = words.cloned().collect();
                return wanted.iter().for_each(|name| enter_for(name, &command));
            }
            word => wanted.push(word.to_owned()),
        }
    }
    if wanted.is_empty() {
        wanted = SCENES.iter().map(|scene| scene.name.to_owned()).collect();
        if write {
            wanted.push(GROWN.to_owned());
        }
    }
    let mut seen = Vec::new();
    let mut growth = Vec::new();
    for name in wanted {
        if name == GROWN {
            growth = GROWTH.map(|sockets| enter(&sockets.to_string(), pairs)).into();
            report::print_growth(&growth);
        } else {
            seen.push(enter(&name, pairs));
            report::print(seen.last().unwrap());
        }
    }
    if write {
        report::write(&seen, &growth);
    }
}

/// Returns this program in namespaces of its own.
fn elsewhere() -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--fork", "--pid", "--kill-child", "--mount-proc", "--net", "--"])
        .arg(std::env::current_exe().unwrap());
    command
}

/// Builds a scene, and runs a command in it: for profiles, and for figures of one's own.
fn enter_for(name: &str, command: &[String]) {
    let status =
        elsewhere().args(["--do-inside", name]).args(command).status().expect("unshare(1)");
    assert!(status.success(), "{name}: {status}");
}

/// Builds a scene in namespaces of its own, and has it measured there.
fn enter(name: &str, pairs: usize) -> Seen {
    let output = elsewhere()
        .args(["--inside", name, &pairs.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .expect("unshare(1)");
    assert!(output.status.success(), "{name}: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines().filter(|line| line.starts_with("SKIPPED")) {
        println!("{line}");
    }
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn do_inside(name: &str, command: &[String]) {
    let (_, built) = build(name);
    let (program, arguments) = command.split_first().expect("--do COMMAND [ARGUMENT ...]");
    println!("{name}: {} processes, {} descriptors", built.processes, built.descriptors);
    let status = Command::new(program).args(arguments).status();
    assert!(status.expect("--do COMMAND").success());
}

/// Builds the scene of this name, or of so many sockets.
fn build(name: &str) -> (Scene, Built) {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("ip(8)");
    assert!(up.success());
    let scene = match name.parse::<usize>() {
        Ok(sockets) => {
            let holders = sockets.div_ceil(A_HOLDER);
            let v4_pairs = sockets / holders / 2;
            let group = Group {
                processes: holders,
                threads: 1,
                listeners: 1,
                v4_pairs,
                ..Group::default()
            };
            Scene { name: GROWN, what: "connections", groups: Vec::leak(vec![group]) }
        }
        Err(_) => *SCENES
            .iter()
            .find(|scene| scene.name == name)
            .unwrap_or_else(|| panic!("there is no scene {name}: S0 to S4, and growth")),
    };
    (scene, scene::build(scene.groups))
}

fn inside(name: &str, pairs: usize) {
    let (scene, built) = build(name);
    // How a ladder grows is shown by itself: what ss takes for so many goes up with their square.
    let is_grown = scene.name == GROWN;
    let peers = if is_grown { Vec::new() } else { peers::all() };
    let mut comparisons = Vec::new();
    for own in peers::own() {
        if is_grown {
            let (asked, own_told) = (built.truth.len(), own.complete(&built.truth));
            let pairs = (0..pairs).map(|_| (numbers(measure::run(&own.words)), [0; 3])).collect();
            let (own, peer) = (own.name.to_owned(), String::new());
            comparisons.push(Comparison { own, peer, asked, own_told, peer_told: 0, pairs });
        }
        for peer in &peers {
            comparisons.push(compare(&own, peer, &built.truth, pairs));
        }
    }
    if !is_grown {
        for (own, peer, truth) in peers::questions(&built.truth) {
            comparisons.push(compare(&own, &peer, &truth, pairs));
        }
    }
    let seen = Seen {
        name: name.to_owned(),
        what: scene.what.to_owned(),
        processes: built.processes,
        descriptors: built.descriptors,
        sockets: built.truth.len(),
        comparisons,
    };
    drop(built);
    println!("{}", serde_json::to_string(&seen).unwrap());
}

fn compare(own: &Peer, peer: &Peer, truth: &[Row], pairs: usize) -> Comparison {
    let (own_told, peer_told) = (own.complete(truth), peer.complete(truth));
    let pairs = (0..pairs).map(|_| pair(own, peer)).collect();
    let (own, peer) = (own.name.to_owned(), peer.name.to_owned());
    Comparison { own, peer, asked: truth.len(), own_told, peer_told, pairs }
}

fn pair(own: &Peer, peer: &Peer) -> ([u64; 3], [u64; 3]) {
    (numbers(measure::run(&own.words)), numbers(measure::run(&peer.words)))
}

fn numbers(cost: Cost) -> [u64; 3] {
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap();
    [nanos(cost.wall), nanos(cost.cpu), cost.memory]
}
