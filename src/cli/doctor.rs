//! `sockscope doctor --self`: what this system lets sockscope see, what a listing lacks here, and what
//! would cure it.
//!
//! What is missing is not guessed from what was found: everything is listed once, and its gaps told.

use clap::Args;

use crate::cli::{Exit, Io};
use crate::doctor::Report;
use crate::join::join;
use crate::platform::{self, NetnsWish, Request};
use crate::render::doctor;
use crate::snapshot::Gap;
use crate::socket::{Family, Protocol};

/// The examples at the end of `sockscope doctor --help`.
pub(super) const EXAMPLES: &str = "\
Examples:
  sockscope doctor --self
  sudo sockscope doctor --self                      what root sees more
  sockscope doctor --self --json | jq '.missing[].hint'

Exit codes: 0 a listing lacks nothing, 1 something is missing, 2 trouble
";

/// The arguments of `sockscope doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// Examine sockscope itself: its rights, the kernel's answers, what a listing lacks
    #[arg(long = "self", required = true)]
    pub myself: bool,
    /// One JSON document (see sockscope schema doctor)
    #[arg(long)]
    pub json: bool,
}

/// Examines. Exit 0 when a listing lacks nothing, 1 when something is missing.
pub fn run(args: &DoctorArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let examined = platform::examine();
    let everything = Request {
        protocols: Protocol::ALL.to_vec(),
        families: Family::ALL.to_vec(),
        netns: if platform::has_namespaces() { NetnsWish::All } else { NetnsWish::Current },
        ..Request::default()
    };
    let snapshot = join(platform::native().collect(&everything)?);
    let gaps = snapshot.unread.into_iter().chain(examined.gaps).map(|gap| Gap {
        hint: gap.hint.or_else(|| platform::cure(gap.what).map(str::to_owned)),
        ..gap
    });
    let report = Report::new(std::env::consts::OS, examined.facts, gaps);
    if args.json {
        doctor::write_json(&report, io.stdout)?;
    } else {
        doctor::write(&report, io.stdout)?;
    }
    Ok(if report.is_complete() { Exit::Found } else { Exit::Nothing })
}
