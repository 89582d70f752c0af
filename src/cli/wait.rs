//! `sockscope wait`: until something listens, a port is free, or a connection is made; then it runs a
//! command, if there is one.
//!
//! It looks again and again, at short intervals: the kernel tells of no socket that starts to listen,
//! and of those that go only root may hear (`SKNLGRP_INET_TCP_DESTROY`, linux/net/core/sock_diag.c). One
//! look asks for the sockets of one port and no more.

mod connect;
mod free;
mod json;
mod listen;

pub(super) use json::schema;

use std::ffi::OsString;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::args::parse_duration;
use crate::cli::error::Failure;
use crate::cli::why::target;
use crate::cli::{Exit, Io, command};
use crate::diagnose::Target;
use crate::join::join;
use crate::platform::clock::{self, Deadline};
use crate::platform::lookup::SystemNames;
use crate::platform::services::Services;
use crate::platform::{self, PortWish, Request};
use crate::port::{self, longest_time_wait};
use crate::render::port::verdicts;
use crate::render::sanitize;
use crate::socket::Protocol;

/// The arguments of `sockscope wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// What to wait for: listen, free or connect
    #[arg(value_name = "EVENT", value_enum, hide_possible_values = true)]
    pub event: Event,
    /// Where: 8080, 127.0.0.1:8080, udp:53, /run/x.sock; all must hold
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// Longest wait; 0 looks once
    #[arg(short, long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub timeout: Duration,
    /// With free: for a program that sets SO_REUSEADDR, as most servers do
    #[arg(long)]
    pub reuseaddr: bool,
    /// One JSON document, also when time is up (see sockscope schema wait)
    #[arg(long, conflicts_with = "command")]
    pub json: bool,
    /// Tell nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// The command to run then, with its arguments
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// The end of `sockscope wait --help`.
pub(super) const HELP: &str = "\
Events:
  listen   some process of this machine listens there; no connection is made
  free     a program could bind it; with TIME_WAIT left over it could not,
           unless it and its predecessor set SO_REUSEADDR: --reuseaddr
  connect  a connection is made, and closed; to any machine

Examples:
  sockscope wait listen 5432 6379 -- ./server
  sockscope wait free 8080 --reuseaddr -t 2m && ./server
  sockscope wait connect db.example.org:5432 -t 60
  sockscope wait listen /run/x.sock

Exit codes: 0 it holds, 1 it did not in time, 2 trouble; with CMD, when it
holds, those of CMD, 127 when it is not found, 126 when it cannot be run
";

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "a variant's doc comment would make --help twice as long")]
pub enum Event {
    Listen,
    Free,
    Connect,
}

impl Event {
    /// Returns what is waited for: what follows "waiting until".
    fn awaited(self, targets: &str) -> String {
        match self {
            Self::Listen => format!("something listens on {targets}"),
            Self::Free => format!("{targets} can be bound"),
            Self::Connect => format!("{targets} can be connected to"),
        }
    }

    /// Returns what is so instead.
    fn missed(self, target: &str) -> String {
        match self {
            Self::Listen => format!("nothing listens on {target}"),
            Self::Free => format!("{target} cannot be bound"),
            Self::Connect => format!("{target} cannot be connected to"),
        }
    }
}

/// Parses a time; a plain number is of seconds, as for sleep(1) and timeout(1).
fn parse_time(text: &str) -> Result<Duration, humantime::DurationError> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => parse_duration(text),
    }
}

/// Waits. Exit 0 when it holds, 1 when it did not in time.
pub fn run(args: &WaitArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    if args.reuseaddr && args.event != Event::Free {
        return Err(Failure::new("--reuseaddr is for: sockscope wait free").into());
    }
    let (missed, waited) = clock::timed(|| match args.event {
        Event::Listen => poll(args, io, listen::holds),
        Event::Free => poll(args, io, |targets| free::holds(targets, args.reuseaddr)),
        Event::Connect => connect::wait(args, io),
    });
    let missed = missed?;
    if args.json {
        return json::write(args, &missed, waited, io);
    }
    if missed.is_empty() {
        return match &*args.command {
            [] => Ok(Exit::Found),
            command => command::run_instead(command, &[], io),
        };
    }
    if !args.quiet {
        report(args, &missed, io)?;
    }
    Ok(Exit::Nothing)
}

/// A target that did not hold in time.
struct Missed<'a> {
    /// As it was typed.
    target: &'a str,
    why: Why,
}

/// What is known of why it did not hold.
enum Why {
    /// A look at these tells it.
    Look(Vec<Target>),
    /// This was the last answer.
    Answer(String),
}

/// What is there instead.
#[derive(Debug, Default)]
struct Instead {
    /// Sentences.
    facts: Vec<String>,
    /// The command that tells more.
    hint: Option<String>,
}

impl Why {
    fn explain(&self) -> anyhow::Result<Instead> {
        match self {
            Self::Look(targets) => explain(targets),
            Self::Answer(answer) => Ok(Instead { facts: vec![answer.clone()], hint: None }),
        }
    }
}

fn report(args: &WaitArgs, missed: &[Missed<'_>], io: &mut Io<'_>) -> anyhow::Result<()> {
    let time = humantime::format_duration(args.timeout);
    let after =
        if args.timeout.is_zero() { String::new() } else { format!("timed out after {time}: ") };
    let words: Vec<String> =
        missed.iter().map(|one| args.event.missed(&sanitize::string(one.target))).collect();
    writeln!(io.stderr, "sockscope: {after}{}", words.join(", "))?;
    for Missed { why, .. } in missed {
        let Instead { facts, hint } = why.explain()?;
        for line in facts.into_iter().chain(hint.map(|hint| format!("hint: {hint}"))) {
            writeln!(io.stderr, "{line}")?;
        }
    }
    Ok(())
}

/// Tells a person at a terminal what it waits for, when that takes longer than a look.
fn announce(args: &WaitArgs, io: &mut Io<'_>) -> anyhow::Result<()> {
    if io.terminal.stderr && !args.quiet && !args.timeout.is_zero() {
        let shown: Vec<_> = args.targets.iter().map(|target| sanitize::string(target)).collect();
        let awaited = args.event.awaited(&shown.join(" and "));
        let time = humantime::format_duration(args.timeout);
        writeln!(io.stderr, "sockscope: waiting until {awaited}, {time} at most")?;
    }
    Ok(())
}

/// How long to rest between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// After a long look, which keeps a processor busy or was kept from one, this many times as long.
const REST: u32 = 5;
/// But no longer than this: what happens is to be noticed within 50 ms.
const LONGEST_PAUSE: Duration = Duration::from_millis(30);

/// Looks until all targets hold at once; returns which did not at the last look.
fn poll<'a>(
    args: &'a WaitArgs,
    io: &mut Io<'_>,
    holds: impl Fn(&[Target]) -> anyhow::Result<bool>,
) -> anyhow::Result<Vec<Missed<'a>>> {
    let deadline = Deadline::after(args.timeout);
    // One target may be several binds.
    let (names, services) = (SystemNames::new(), Services::read());
    let targets: Vec<Vec<Target>> = args
        .targets
        .iter()
        .map(|text| target::parse(text, &names, &services))
        .collect::<Result<_, _>>()?;
    let look = || targets.iter().map(|binds| holds(binds)).collect::<anyhow::Result<Vec<bool>>>();
    let mut is_first = true;
    loop {
        let is_last = deadline.has_passed();
        let (held, time) = clock::timed(look);
        let held = held?;
        if held.iter().all(|&holds| holds) {
            return Ok(Vec::new());
        }
        if is_last {
            let missed = args.targets.iter().zip(targets).zip(held).filter(|(_, held)| !held);
            return Ok(missed
                .map(|((target, binds), _)| Missed { target, why: Why::Look(binds) })
                .collect());
        }
        if std::mem::take(&mut is_first) {
            announce(args, io)?;
        }
        let pause = time.saturating_mul(REST).clamp(PAUSE, LONGEST_PAUSE);
        thread::sleep(pause.min(deadline.left()));
    }
}

/// Says what is there instead.
fn explain(binds: &[Target]) -> anyhow::Result<Instead> {
    match binds.first() {
        Some(Target::Inet { protocol, port, .. }) => explain_port(*protocol, *port),
        Some(Target::Unix(name)) => Ok(listen::explain_path(name)),
        None => Ok(Instead::default()),
    }
}

fn explain_port(protocol: Protocol, number: u16) -> anyhow::Result<Instead> {
    let request = Request {
        protocols: vec![protocol],
        ports: Some(PortWish::Local(number..=number)),
        owners: false,
        ..Request::default()
    };
    let mut collected = platform::native().collect(&request)?;
    if !collected.sockets.is_empty() {
        // Whose they are takes longer to find out.
        collected = platform::native().collect(&Request { owners: true, ..request })?;
    }
    let report = port::report(&join(collected), number);
    let mut facts = verdicts(&report);
    if let Some(milliseconds) = longest_time_wait(&report.left_over) {
        let seconds = milliseconds.div_ceil(1000);
        facts.push(format!("the last TIME_WAIT of port {number} ends in {seconds} s"));
    }
    Ok(Instead { facts, hint: Some(format!("sockscope why {protocol}:{number}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_unit_is_of_seconds() {
        for (text, seconds) in [("0", 0), ("5", 5), ("2m", 120), ("1h 30m", 5400)] {
            assert_eq!(parse_time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_time("250ms"), Ok(Duration::from_millis(250)));
        assert!(
            parse_time("").is_err() && parse_time("-1").is_err() && parse_time("soon").is_err()
        );
    }
}
