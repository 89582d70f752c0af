//! The JSON of a plan that frees a port and of what came of it: the schema `sockscope.free/1` of
//! docs/json.md.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use crate::diagnose::{Action, BindRequest, Target};
use crate::free::{Outcome, Plan};
use crate::process::Process;
use crate::render::diagnosis::way_out;
use crate::render::free::{Report, verdict};
use crate::render::json::Socket;
use crate::snapshot::{Gap, Timestamp};
use crate::socket::Protocol;
use crate::text::Text;

/// The name and version of the schema.
pub const SCHEMA: &str = "sockscope.free/1";

/// How a port is freed, and what came of it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Free<'a> {
    /// The name and version of this schema: `sockscope.free/1`.
    pub schema: &'static str,
    /// When the collection began: RFC 3339, UTC.
    #[cfg_attr(feature = "cli", schemars(with = "String"))]
    pub collected_at: Timestamp,
    /// The system it was made on.
    pub platform: &'a str,
    /// What is to be bound, each of them.
    pub wanted: Vec<Wanted>,
    /// Whether it is free, now that all that was asked for is done.
    pub free: bool,
    /// What came of it: `free` (nobody had it), `unheld` (nobody has it, but you cannot bind it),
    /// `freed`, `lingering` (nobody holds it any more, but the kernel keeps closed connections of it),
    /// `held`, or `untouched` (nothing was done).
    pub outcome: &'static str,
    /// The same in a sentence.
    pub verdict: String,
    /// What was asked for and could not be read.
    pub gaps: Vec<Gap>,
    /// The sockets that were in the way.
    pub in_the_way: Vec<Socket<'a>>,
    /// Every way out, the least harmful first.
    pub steps: Vec<Step<'a>>,
    /// The sockets that have it, when `outcome` is `held`.
    pub held_by: Vec<Socket<'a>>,
}

/// One bind.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Wanted {
    /// The protocol.
    pub protocol: Protocol,
    /// The address; `0.0.0.0` and `::` for all.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// Whether with `SO_REUSEADDR`.
    pub reuse_address: bool,
}

/// One way out.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Step<'a> {
    /// Its number, from 1: what `--only` takes.
    pub number: usize,
    /// What it does: `wait`, `destroy`, `stop-unit`, `stop-container`, `end`.
    pub action: &'static str,
    /// The same in words.
    pub text: String,
    /// What a person would type, word by word; null when that is not one command.
    pub command: Option<Vec<String>>,
    /// Of `wait`: how long, in seconds.
    pub seconds: Option<u64>,
    /// Of `end`: the processes, in the order in which they are asked.
    pub processes: Vec<Ended<'a>>,
    /// Of `destroy`: the sockets, by their cookies.
    pub cookies: Vec<u64>,
    /// How harmful it is: `none`, `left-over`, `connection`, `service`, `process`.
    pub harm: &'static str,
    /// What it breaks; null when nothing.
    pub breaks: Option<&'a str>,
    /// What it clears: places in `in_the_way`, from 0.
    pub clears: Vec<usize>,
    /// Whether it is taken.
    pub chosen: bool,
    /// Why it is not possible; null when it is.
    pub obstacle: Option<Obstacle>,
    /// What became of it; null when it was not carried out.
    pub deed: Option<Deed<'a>>,
}

/// A process that ends.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Ended<'a> {
    /// The process number.
    pub pid: u32,
    /// When it began: RFC 3339, UTC. With the number it tells the process from others.
    #[cfg_attr(feature = "cli", schemars(with = "Option<String>"))]
    pub started_at: Option<Timestamp>,
    /// The name a person knows it by.
    pub command: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Process> for Ended<'a> {
    fn from(process: &'a Process) -> Self {
        let command = process.command.as_ref().map(Text::to_lossy);
        Self { pid: process.pid.0, started_at: process.started_at, command }
    }
}

/// Why a step is not possible.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Obstacle {
    /// In a word: `lineage` (it would end sockscope or what it was started from), `own-service`,
    /// `other-user`, `no-program`, `unidentified`, `too-long`, `not-permitted`.
    pub reason: &'static str,
    /// In words.
    pub text: String,
}

/// What became of a step.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Deed<'a> {
    /// In a word: `done`, `needless`, `failed`.
    pub result: &'static str,
    /// In words.
    pub text: &'a str,
}

impl<'a> From<&'a Report<'a>> for Free<'a> {
    fn from(report: &'a Report<'a>) -> Self {
        let Report { requests, plan, snapshot, outcome, .. } = report;
        let held: &[_] = if let Outcome::Held(entries) = outcome { entries } else { &[] };
        Self {
            schema: SCHEMA,
            collected_at: snapshot.collected_at,
            platform: &snapshot.platform,
            wanted: requests.iter().filter_map(wanted).collect(),
            free: outcome.is_free(),
            outcome: outcome.name(),
            verdict: verdict(report),
            gaps: snapshot.gaps(),
            in_the_way: plan.in_the_way.iter().map(Socket::from).collect(),
            steps: (1..)
                .zip(&plan.steps)
                .map(|(number, step)| to_step(number, step, report))
                .collect(),
            held_by: held.iter().map(Socket::from).collect(),
        }
    }
}

fn wanted(request: &BindRequest) -> Option<Wanted> {
    let Target::Inet { protocol, address, port, .. } = request.target else { return None };
    Some(Wanted { protocol, address, port, reuse_address: request.reuse_address })
}

fn to_step<'a>(number: usize, step: &'a crate::free::Step, report: &'a Report<'a>) -> Step<'a> {
    let remedy = &step.remedy;
    let deed = report.deeds.iter().find(|(done, _)| *done == number);
    Step {
        number,
        action: remedy.action.name(),
        text: way_out(remedy).0,
        command: remedy.action.command(),
        seconds: if let Action::Wait { seconds } = remedy.action { Some(seconds) } else { None },
        processes: if let Action::End { processes } = &remedy.action {
            processes.iter().map(|process| Ended::from(&**process)).collect()
        } else {
            Vec::new()
        },
        cookies: if let Action::Destroy { cookies } = &remedy.action {
            cookies.iter().map(|cookie| cookie.0).collect()
        } else {
            Vec::new()
        },
        harm: remedy.harm.name(),
        breaks: remedy.breaks.as_deref(),
        clears: places(step, report.plan),
        chosen: step.is_chosen,
        obstacle: step
            .obstacle
            .as_ref()
            .map(|obstacle| Obstacle { reason: obstacle.name(), text: obstacle.to_string() }),
        deed: deed.map(|(_, deed)| Deed { result: deed.name(), text: deed.words() }),
    }
}

fn places(step: &crate::free::Step, plan: &Plan) -> Vec<usize> {
    let entries = plan.in_the_way.iter().enumerate();
    let cleared = entries.filter(|(_, entry)| step.remedy.clears.contains(&entry.socket.id));
    cleared.map(|(place, _)| place).collect()
}

/// Writes the report as one indented object.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Free::from(report))?;
    out.write_all(b"\n")
}

/// Returns the JSON Schema of it, indented.
#[cfg(feature = "cli")]
pub fn schema() -> String {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = generator.into_generator().into_root_schema_for::<Free<'static>>();
    format!("{:#}\n", schema.as_value())
}
