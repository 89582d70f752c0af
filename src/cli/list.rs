//! `sockscope list`: collect, join, filter, sort, render; one after the other.

use std::mem::ManuallyDrop;
use std::net::IpAddr;

use anyhow::Context as _;

use crate::cli::args::{BackendName, FormatArgs, ListArgs};
use crate::cli::error::Failure;
use crate::cli::plan::{Format, Plan, Recording, Source};
use crate::cli::{Exit, Io};
use crate::filter::{Filter, Names};
use crate::join::join_packed;
use crate::platform::lookup::SystemNames;
use crate::platform::replay::{self, Replay};
use crate::platform::resolve::resolve;
use crate::platform::{self, Backend};
use crate::process::Uid;
use crate::render::csv::{self, CsvOptions};
use crate::render::names::ResolvedNames;
use crate::render::table::{self, TableOptions};
use crate::render::{fields, json, pids, summary};
use crate::snapshot::{Collected, Entries, Missing, Snapshot};
use crate::socket::Protocol;
use crate::sort::{sort, sort_packed};

/// Lists.
pub fn run(args: &ListArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let plan = Plan::new(args, &*names(args))?;
    let collected = open(&plan.source)?.collect_packed(&plan.request)?;
    if let Some(recording) = &plan.recording {
        write_recording(collected.clone().unpacked(), recording)?;
    }
    let mut snapshot = join_packed(collected);
    if plan.filter != Filter::everything() {
        snapshot.entries.retain(|entry| plan.filter.matches(entry));
    }
    // The process ends when all is written: to free row by row what it has would only take time.
    if plan.sort.is_empty() {
        sort_packed(&mut snapshot.entries);
        show(&mut *ManuallyDrop::new(snapshot), &plan, args, io)
    } else {
        let mut snapshot = ManuallyDrop::new(snapshot.unpacked());
        sort(&mut snapshot.entries, &plan.sort);
        show(&mut *snapshot, &plan, args, io)
    }
}

/// Writes the rows, and what is missing.
fn show(
    snapshot: &mut Snapshot<dyn Entries>,
    plan: &Plan,
    args: &ListArgs,
    io: &mut Io<'_>,
) -> anyhow::Result<Exit> {
    let names = match plan.resolve {
        Some(budget) => resolve(snapshot, budget),
        None => ResolvedNames::default(),
    };
    render(snapshot, &names, plan, args, io)?;
    io.stdout.flush()?;
    let exit = if snapshot.entries.count() == 0 { Exit::Nothing } else { Exit::Found };
    tell_gaps(snapshot, plan, &args.format, io)?;
    Ok(exit)
}

fn render(
    snapshot: &Snapshot<dyn Entries>,
    names: &ResolvedNames,
    plan: &Plan,
    args: &ListArgs,
    io: &mut Io<'_>,
) -> anyhow::Result<()> {
    let (terminal, out) = (io.terminal, &mut *io.stdout);
    match &plan.format {
        Format::Table => {
            let width = terminal.width.filter(|_| !args.format.wide).map(usize::from);
            let options = TableOptions {
                columns: &plan.columns,
                width,
                tokens: !terminal.stdout,
                color: terminal.colors(args.format.color),
                header: !args.format.no_header,
                rows: plan.rows,
                names,
            };
            table::write(snapshot, &options, out)
        }
        Format::Csv => {
            let options = CsvOptions {
                columns: &plan.columns,
                header: !args.format.no_header,
                rows: plan.rows,
                names,
            };
            csv::write(snapshot, &options, out)
        }
        Format::Json => json::write(snapshot, out),
        Format::JsonLines => json::write_lines(snapshot, out),
        Format::Fields(fields) => fields::write(snapshot, fields, out),
        Format::Pids => pids::write(snapshot, out),
    }?;
    Ok(())
}

/// Writes to stderr what could not be seen: in one line what matters to the rows shown, or with `-v`
/// all of it.
fn tell_gaps(
    snapshot: &mut Snapshot<dyn Entries>,
    plan: &Plan,
    args: &FormatArgs,
    io: &mut Io<'_>,
) -> anyhow::Result<()> {
    let lines = if args.quiet {
        Vec::new()
    } else if args.verbose {
        summary::lines(snapshot)
    } else {
        keep_what_matters(snapshot, &plan.filter);
        Vec::from_iter(summary::summary(snapshot, "-v"))
    };
    for line in lines {
        writeln!(io.stderr, "{line}")?;
    }
    Ok(())
}

/// Drops the gaps that take nothing from these rows. Facts are missing from rows only, so without
/// rows none are; an owner that could not be seen matters where a row has none, or where there is no
/// row and the filter asks for owners.
fn keep_what_matters(snapshot: &mut Snapshot<dyn Entries>, filter: &Filter) {
    let has_rows = snapshot.entries.count() > 0;
    let is_owner_missing =
        if has_rows { snapshot.entries.hidden() > 0 } else { filter.asks_for_owners() };
    snapshot.unread.retain(|gap| match gap.what {
        Missing::Sockets | Missing::Namespaces | Missing::BoundSockets | Missing::UnheldSockets => {
            true
        }
        Missing::Descriptors | Missing::Owners => is_owner_missing,
        Missing::SocketFacts | Missing::ProcessFacts | Missing::UserNames => has_rows,
        Missing::BindFacts => false,
    });
}

/// Returns where the names in arguments are looked up.
pub(super) fn names(args: &ListArgs) -> Box<dyn Names> {
    let system = SystemNames::new();
    match args.source.replay {
        None => Box::new(system),
        Some(_) => Box::new(Elsewhere(system)),
    }
}

/// The names for a recording: services and hosts are the same everywhere, users and interfaces are
/// another machine's.
struct Elsewhere(SystemNames);

impl Names for Elsewhere {
    fn service(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        self.0.service(name, protocol)
    }

    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        self.0.hosts(name)
    }

    fn user(&self, _name: &str) -> Option<Uid> {
        None
    }

    fn interface(&self, _name: &str) -> Option<u32> {
        None
    }

    fn users(&self) -> Option<Vec<String>> {
        None
    }
}

pub(super) fn open(source: &Source) -> anyhow::Result<Box<dyn Backend>> {
    Ok(match source {
        Source::System(BackendName::Native) => platform::native(),
        Source::System(BackendName::Portable) => platform::portable().ok_or_else(|| {
            Failure::new("there is no portable backend in this build")
                .hint("leave out --backend, or build with the feature 'portable'")
        })?,
        Source::Recording(path) => Box::new(Replay::open(path)?),
    })
}

fn write_recording(collected: Collected, recording: &Recording) -> anyhow::Result<()> {
    let Recording { path, redact } = recording;
    let collected = if *redact { replay::redact(collected) } else { collected };
    let written = replay::record_file(&collected, path);
    written.with_context(|| format!("cannot record to {}", path.display()))
}
