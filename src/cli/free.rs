//! `sockscope free`: makes a port free with the least harm, after saying how, and looks whether it is.
//!
//! What is planned and what may be done is [`crate::free`]'s; this asks, acts ([`act`]) and verifies.

mod act;
mod ask;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::cli::error::Failure;
use crate::cli::free::act::{Manner, PAUSE, carry_out};
use crate::cli::free::ask::{Bindable, Seen};
use crate::cli::why::keep_what_matters;
use crate::cli::{Exit, Io, program};
use crate::diagnose::{Action, BindRequest};
use crate::free::{Deed, Means, Outcome, Plan};
use crate::platform::clock::Deadline;
use crate::platform::process_control;
use crate::process::{HiddenReason, Ownership, Process};
use crate::render::free::{self, Report, json};
use crate::render::phrase;
use crate::snapshot::{Entry, Snapshot};

/// The examples at the end of `sockscope free --help`.
pub(super) const EXAMPLES: &str = "\
Examples:
  sockscope free 8080                 shows the plan and asks
  sockscope free 8080 --dry-run       shows the plan
  sockscope free 127.0.0.1:8080 -y    does what does the least harm, without a question
  sockscope free udp:53 --only 2      does the second step of the plan instead

Exit codes: 0 it is free, 1 it is not (refused, held, not agreed to), 2 trouble
";

/// The arguments of `sockscope free`.
#[derive(Debug, Clone, Default, Args)]
pub struct FreeArgs {
    /// What is to be free: a port, ADDRESS:PORT, tcp:PORT or udp:PORT
    #[arg(value_name = "TARGET", allow_hyphen_values = true)]
    pub target: String,
    /// Do it without asking
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Show the plan; do nothing
    #[arg(short = 'n', long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Take these steps of the plan instead of those that do the least harm
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub only: Vec<usize>,
    /// Kill processes that do not end when asked (SIGKILL after SIGTERM)
    #[arg(long)]
    pub force: bool,
    /// How long all of it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    pub timeout: u32,
    /// One JSON document (see sockscope schema free)
    #[arg(long)]
    pub json: bool,
}

/// How long it is looked again when something was only about to change.
const BLINK: Duration = Duration::from_secs(1);
/// How long after the port became free it is watched where nobody is left who would start its holder again.
const SETTLE: Duration = Duration::from_millis(300);
/// How long it is watched where whoever started the holder may start it again: most do so at once, and
/// what they start takes a while to listen.
const RESTART: Duration = Duration::from_secs(2);

/// Frees. Exit 0 when the port is free, 1 when it is not, 2 when it cannot be told or be seen whose it
/// is.
pub fn run(args: &FreeArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let requests = ask::wanted(&args.target)?;
    let bindable = ask::bind(&requests)?;
    let Seen { mut snapshot, in_the_way, remedies } = look_closely(&requests, &bindable)?;
    snapshot.entries.clone_from(&in_the_way);
    keep_what_matters(&mut snapshot);
    let mut run = Run { args, requests: &requests, snapshot: &snapshot, io };
    match bindable {
        Bindable::Yes => return run.end(&Plan::default(), &[], &Outcome::Free),
        Bindable::NotPermitted(why) if in_the_way.is_empty() => {
            return run.end(&Plan::default(), &[], &Outcome::Unheld(why));
        }
        Bindable::InUse | Bindable::NotPermitted(_) => {}
    }
    let asker = process_control::asker();
    let patience = Duration::from_secs(args.timeout.into());
    let has_program = |name: &str| program::find(name).is_some();
    let means = Means { asker: &asker, patience, has_program: &has_program };
    let mut plan = Plan::new(in_the_way, remedies, &means);
    if !args.only.is_empty() {
        plan.choose(&args.only)
            .map_err(|why| Failure::new(why).hint("see the plan with: sockscope free --dry-run"))?;
    }
    run.free(plan, patience)
}

/// One run of the command.
struct Run<'a, 'io> {
    args: &'a FreeArgs,
    requests: &'a [BindRequest],
    snapshot: &'a Snapshot,
    io: &'a mut Io<'io>,
}

impl Run<'_, '_> {
    /// Shows the plan, asks, acts and verifies.
    fn free(&mut self, mut plan: Plan, patience: Duration) -> anyhow::Result<Exit> {
        if !self.args.json {
            let width = self.io.terminal.width.map(usize::from);
            free::write_plan(self.requests, &plan, width, self.io.stdout)?;
            writeln!(self.io.stdout)?;
            self.io.stdout.flush()?;
        }
        if !plan.left().is_empty() || self.args.dry_run || !self.is_agreed(&mut plan)? {
            let would_help = plan.left().is_empty();
            let exit = self.end(&plan, &[], &Outcome::Untouched)?;
            let may_help = self.args.dry_run && would_help;
            let is_hidden = plan.left().iter().any(|entry| is_hidden(entry));
            return Ok(if is_hidden {
                Exit::Trouble
            } else if may_help {
                Exit::Found
            } else {
                exit
            });
        }
        let manner = Manner { force: self.args.force, deadline: Deadline::after(patience) };
        let deeds = self.act(&plan, manner)?;
        let outcome = self.verify(&plan, &deeds, manner.deadline)?;
        self.end(&plan, &deeds, &outcome)
    }

    /// Carries out the steps taken, up to the first that fails.
    fn act(&mut self, plan: &Plan, manner: Manner) -> anyhow::Result<Vec<(usize, Deed)>> {
        let mut deeds = Vec::new();
        for (number, step) in plan.chosen() {
            let requests = self.requests;
            let deed = carry_out(plan, step, manner, &mut || Ok(ask::look(requests)?.snapshot))?;
            if !self.args.json && !matches!(step.remedy.action, Action::Wait { .. }) {
                writeln!(self.io.stdout, "{number}. {}", deed.words())?;
                self.io.stdout.flush()?;
            }
            let failed = matches!(deed, Deed::Failed(_));
            deeds.push((number, deed));
            if failed {
                break;
            }
        }
        Ok(deeds)
    }

    /// Looks what came of it: the bind decides.
    fn verify(
        &mut self,
        plan: &Plan,
        deeds: &[(usize, Deed)],
        deadline: Deadline,
    ) -> anyhow::Result<Outcome> {
        let has_failed = deeds.iter().any(|(_, deed)| matches!(deed, Deed::Failed(_)));
        let blink = Deadline::after(BLINK);
        let mut is_told = false;
        loop {
            let bindable = ask::bind(self.requests)?;
            if bindable == Bindable::Yes {
                return self.settle(plan);
            }
            let now = ask::look(self.requests)?.in_the_way;
            if now.is_empty() && bindable != Bindable::InUse {
                return Ok(Outcome::Freed);
            }
            let holders: Vec<Entry> =
                now.iter().filter(|entry| !entry.ownership.is_left_over()).cloned().collect();
            if !holders.is_empty() && (has_failed || blink.has_passed()) {
                return Ok(Outcome::Held(holders));
            }
            if holders.is_empty() && (has_failed || deadline.has_passed()) {
                return Ok(Outcome::Lingering(seconds_left(&now)));
            }
            if holders.is_empty() && blink.has_passed() && !is_told {
                is_told = true;
                let left = seconds_left(&now);
                let left = left.map_or_else(String::new, |left| format!(", {left} s"));
                let count = phrase::count(now.len(), "closed connection");
                writeln!(self.io.stderr, "sockscope: waiting for {count}{left}")?;
            }
            thread::sleep(PAUSE.min(deadline.left()));
        }
    }

    /// Watches whether somebody takes again what was just freed, and says so at once.
    fn settle(&self, plan: &Plan) -> anyhow::Result<Outcome> {
        let watch = Deadline::after(time_to_return(plan));
        while !watch.has_passed() {
            thread::sleep(PAUSE.min(watch.left()));
            // It is not bound to find out: that could be what keeps a server from starting.
            let now = ask::look(self.requests)?.in_the_way;
            if !now.is_empty() && ask::bind(self.requests)? != Bindable::Yes {
                return Ok(Outcome::Held(now));
            }
        }
        Ok(Outcome::Freed)
    }

    /// Asks whoever sits at the terminal, who may take other steps.
    fn is_agreed(&mut self, plan: &mut Plan) -> anyhow::Result<bool> {
        if self.args.yes {
            return Ok(true);
        }
        if !self.io.terminal.stdin {
            return Err(Failure::new("nothing was done: there is no terminal to ask at")
                .hint("add --yes to do it without a question, or --dry-run to see the plan")
                .into());
        }
        let numbers: Vec<String> =
            plan.chosen().iter().map(|(number, _)| number.to_string()).collect();
        let others =
            if plan.steps.len() > numbers.len() { ", or the numbers of others" } else { "" };
        write!(self.io.stderr, "Do {}? [y/N{others}] ", numbers.join(" and "))?;
        self.io.stderr.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        match Answer::parse(&answer) {
            Answer::Yes => Ok(true),
            Answer::No => Ok(false),
            Answer::Others(numbers) => {
                plan.choose(&numbers).map_err(Failure::new)?;
                Ok(plan.left().is_empty())
            }
        }
    }

    /// Says what came of it, and returns the exit code of that.
    fn end(
        &mut self,
        plan: &Plan,
        deeds: &[(usize, Deed)],
        outcome: &Outcome,
    ) -> anyhow::Result<Exit> {
        let report =
            Report { requests: self.requests, plan, snapshot: self.snapshot, deeds, outcome };
        if self.args.json {
            json::write(&report, self.io.stdout)?;
        } else {
            let width = self.io.terminal.width.map(usize::from);
            for line in phrase::wrap(&free::verdict(&report), width) {
                writeln!(self.io.stdout, "{line}")?;
            }
        }
        self.io.stdout.flush()?;
        Ok(if outcome.is_free() { Exit::Found } else { Exit::Nothing })
    }
}

/// Looks who is in the way; again for a moment, when somebody must be and nobody is seen, or whoever
/// it is was just going.
///
/// # Errors
///
/// When somebody must be in the way and nobody is seen.
fn look_closely(requests: &[BindRequest], bindable: &Bindable) -> anyhow::Result<Seen> {
    let blink = Deadline::after(BLINK);
    loop {
        let seen = ask::look(requests)?;
        let is_vague = |entry: &Entry| entry.ownership == Ownership::Hidden(HiddenReason::Vanished);
        let is_odd = seen.in_the_way.is_empty() && *bindable == Bindable::InUse;
        let is_settled = !is_odd && !seen.in_the_way.iter().any(is_vague);
        match (is_settled || blink.has_passed(), is_odd) {
            (true, false) => return Ok(seen),
            (true, true) => {
                let name = free::name(requests);
                let what = format!("{name} is in use, and nobody is seen to have it");
                return Err(Failure::new(what)
                    .hint("sockscope why tells more, and most of it to root (sudo)")
                    .into());
            }
            (false, _) => thread::sleep(PAUSE),
        }
    }
}

/// Returns how long those may take to come back that the plan ends.
fn time_to_return(plan: &Plan) -> Duration {
    let lineage = process_control::asker().lineage;
    // The first process starts nobody again that it has only inherited, nor does the shell we run in.
    let may_restart = |process: &Arc<Process>| {
        let parent = process.parents.first();
        parent.is_some_and(|parent| parent.pid.0 > 1 && !lineage.contains(&parent.pid))
    };
    let times = plan.chosen().into_iter().map(|(_, step)| match &step.remedy.action {
        Action::End { processes } if processes.iter().any(may_restart) => RESTART,
        Action::End { .. }
        | Action::StopUnit { .. }
        | Action::StopService { .. }
        | Action::StopContainer { .. } => SETTLE,
        Action::Wait { .. }
        | Action::Destroy { .. }
        | Action::Continue { .. }
        | Action::Advice { .. } => Duration::ZERO,
    });
    times.max().unwrap_or_default()
}

fn is_hidden(entry: &Entry) -> bool {
    entry.ownership == Ownership::Hidden(HiddenReason::Permission)
}

/// Returns for how many seconds more the kernel keeps these.
fn seconds_left(entries: &[Entry]) -> Option<u64> {
    crate::port::longest_time_wait(entries).map(|ms| u64::from(ms).div_ceil(1000))
}

/// What somebody answered.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Others(Vec<usize>),
}

impl Answer {
    /// Reads `y`, `yes`, or numbers; anything else is no.
    fn parse(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        if matches!(text.as_str(), "y" | "yes") {
            return Self::Yes;
        }
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        match words.map(str::parse).collect::<Result<Vec<usize>, _>>() {
            Ok(numbers) if !numbers.is_empty() => Self::Others(numbers),
            Ok(_) | Err(_) => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_and_numbers_are_more_than_no() {
        assert_eq!(Answer::parse("Y\n"), Answer::Yes);
        assert_eq!(Answer::parse("yes\n"), Answer::Yes);
        assert_eq!(Answer::parse("2\n"), Answer::Others(vec![2]));
        assert_eq!(Answer::parse("1, 3\n"), Answer::Others(vec![1, 3]));
        for no in ["", "\n", "n\n", "yep\n", "1x\n", "-1\n", ","] {
            assert_eq!(Answer::parse(no), Answer::No, "{no:?}");
        }
    }
}
