//! A plan that frees a port, and what came of it, for people: what is in the way, every way out with
//! its harm, and the verdict.

pub mod json;

use std::io::{self, Write};

use crate::diagnose::{BindRequest, Target};
use crate::free::{Deed, Kinship, Outcome, Plan, kinship, why_stuck};
use crate::render::diagnosis::{Options, Page, way_out};
use crate::render::{phrase, sanitize};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::Endpoint;

/// All there is to say.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// What somebody wants to bind.
    pub requests: &'a [BindRequest],
    /// The plan.
    pub plan: &'a Plan,
    /// What it was made of.
    pub snapshot: &'a Snapshot,
    /// What became of the steps taken, with their numbers.
    pub deeds: &'a [(usize, Deed)],
    /// What came of it.
    pub outcome: &'a Outcome,
}

/// Returns what is wanted, as a person calls it: `port 8080/tcp`, `127.0.0.1:8080/tcp`.
pub fn name(requests: &[BindRequest]) -> String {
    let mut names: Vec<String> = Vec::new();
    for request in requests {
        let name = match &request.target {
            Target::Inet { protocol, address, port, .. } if address.is_unspecified() => {
                format!("port {port}/{protocol}")
            }
            Target::Inet { protocol, address, scope, port } => {
                let end = Endpoint::Inet {
                    address: *address,
                    port: *port,
                    scope: scope.clone().map(Box::new),
                };
                format!("{}/{protocol}", phrase::end(Some(&end)))
            }
            Target::Unix(path) => sanitize::text(path).into_owned(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" and ")
}

/// Writes the plan: what is in the way, and the ways out.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_plan(
    requests: &[BindRequest],
    plan: &Plan,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page { options: Options { width, explain: false }, out };
    writeln!(page.out, "{} is not free", name(requests))?;
    page.sockets(&plan.in_the_way)?;
    if plan.steps.is_empty() {
        return Ok(());
    }
    writeln!(page.out, "\nWays out, the least harmful first")?;
    for (number, step) in (1..).zip(&plan.steps) {
        let mark = if step.is_chosen { "->" } else { "" };
        let (what, command) = way_out(&step.remedy);
        page.line(&format!("{mark:2}{number:>3}  "), &what)?;
        if let Some(command) = command {
            writeln!(page.out, "       {command}")?;
        }
        if let Some(obstacle) = &step.obstacle {
            page.line("       ", &format!("not possible: {obstacle}"))?;
        }
    }
    Ok(())
}

/// Returns the verdict, in a sentence.
pub fn verdict(report: &Report<'_>) -> String {
    let name = name(report.requests);
    match report.outcome {
        Outcome::Free => format!("{name} is free"),
        Outcome::Unheld(why) => format!("nobody has {name}, but you cannot bind it: {why}"),
        Outcome::Freed => format!("{name} is free now"),
        Outcome::Lingering(left) => {
            let left = left.map_or_else(String::new, |left| format!(" for {left} s more"));
            format!(
                "nobody holds {name} any more, but the kernel keeps closed connections of it{left}"
            )
        }
        Outcome::Held(entries) => held(&name, entries, report.plan),
        Outcome::Untouched => untouched(&name, report.plan),
    }
}

/// Says who has the port, and what that has to do with who had it.
fn held(name: &str, entries: &[Entry], plan: &Plan) -> String {
    let main = |entry: &Entry| entry.ownership.owners().first().cloned();
    let Some((entry, owner)) = entries.iter().find_map(|entry| Some((entry, main(entry)?))) else {
        let who = entries.first().map_or_else(|| "somebody".to_owned(), phrase::owner);
        return format!("{name} is not free: {who} has it");
    };
    let who = phrase::owner(entry);
    let process = &owner.process;
    match kinship(process, &plan.in_the_way) {
        Kinship::Planned => format!("{name} is not free: {who} has it still"),
        Kinship::SameUnit => {
            let unit = process
                .cgroup
                .as_ref()
                .and_then(|group| group.user_unit.as_ref().or(group.unit.as_ref()));
            let unit = unit.map_or_else(String::new, |unit| sanitize::text(unit).into_owned());
            format!("{name} was taken again by {who} of the same unit: stop {unit} instead")
        }
        Kinship::SameParent => {
            let parent = process.parents.first().and_then(|parent| {
                Some(format!("{} ({})", sanitize::text(parent.command.as_ref()?), parent.pid))
            });
            let parent = parent.unwrap_or_else(|| "the same process".to_owned());
            format!("{name} was taken again by {who}, which {parent} started too: end that first")
        }
        Kinship::None => format!("{name} was taken by {who} meanwhile"),
    }
}

/// Says that nothing was done, and why the plan would not free the port, if it would not.
fn untouched(name: &str, plan: &Plan) -> String {
    match &*plan.left() {
        [] => format!("{name} is not free: nothing was done"),
        [first, ..] => {
            let (what, who) = (phrase::ends(&first.socket), phrase::owner(first));
            let why = match plan.steps.iter().find_map(|step| {
                step.obstacle.as_ref().filter(|_| step.remedy.clears.contains(&first.socket.id))
            }) {
                Some(obstacle) => obstacle.to_string(),
                None if plan.is_clearable(first) => "the steps taken do not clear it".to_owned(),
                None => why_stuck(first).to_owned(),
            };
            format!("{name} stays as it is: {who} has {what}: {why}; nothing was done")
        }
    }
}

#[cfg(test)]
mod tests;
