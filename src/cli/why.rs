//! `sockscope why`: would a bind succeed, and if not, why, and what can be done.

mod connect;
mod question;
pub mod target;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::cli::args::parse_duration;
use crate::cli::error::Failure;
use crate::cli::{Exit, Io};
use crate::diagnose::{
    BindFacts, BindRequest, Binder, Cause, Diagnosis, Probe, Reason, Target, Verdict, diagnose,
    undecided,
};
use crate::filter::Names as _;
use crate::join::join;
use crate::nearest::nearest;
use crate::platform::lookup::SystemNames;
use crate::platform::probe::probe;
use crate::platform::replay::{self, Replay};
use crate::platform::services::Services;
use crate::platform::{self, Backend, NetnsWish, PortWish, Request};
use crate::process::{HiddenReason, Ownership, Pid, Uid};
use crate::render::diagnosis::{self, json};
use crate::render::summary;
use crate::snapshot::{Collected, Gap, Missing, Snapshot};
use crate::socket::{Family, Interface, Protocol, SocketId};
use crate::text::Text;

/// The examples at the end of `sockscope why --help`.
pub const EXAMPLES: &str = "\
Examples:
  sockscope why 8080                  any address, IPv4 and IPv6
  sockscope why 127.0.0.1:8080        one address; also [::1]:8080, localhost:http
  sockscope why udp:53 --reuseaddr
  sockscope why 'Error: listen EADDRINUSE: address already in use :::3000'
  npm start 2>&1 | sockscope why -    the message from a pipe
  sockscope why --connect db:5432     who answers, or why nobody does
  sockscope why 80 --explain          the long story, with the rule's source

--connect really connects, closes at once, and sends nothing; --no-probe only predicts.

Exit codes: 0 it would succeed, 1 it would not, 2 it cannot be told, or trouble
";

/// The arguments of `sockscope why`.
#[derive(Debug, Clone, Default, Args)]
pub struct WhyArgs {
    /// What is bound: 8080, 127.0.0.1:8080, udp:53, localhost:http; or an error message (- for stdin)
    #[arg(value_name = "TARGET", allow_hyphen_values = true)]
    pub target: String,
    /// The program sets SO_REUSEADDR
    #[arg(long)]
    pub reuseaddr: bool,
    /// The program sets SO_REUSEPORT
    #[arg(long)]
    pub reuseport: bool,
    /// The program sets IPV6_V6ONLY
    #[arg(long)]
    pub v6only: bool,
    /// The program binds to this device (SO_BINDTODEVICE)
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// This user binds: a name or a number; only predicts
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// This process binds, in its network namespace; only predicts
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,
    /// Ask about a connection to HOST:PORT or /PATH instead of a bind
    #[arg(long, conflicts_with_all = ["reuseaddr", "reuseport", "v6only", "device", "user", "pid"])]
    pub connect: bool,
    /// Longest wait for an answer to --connect
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    #[arg(requires = "connect")]
    pub timeout: Duration,
    /// Only predict: make no bind, and no connection, to find out
    #[arg(long)]
    pub no_probe: bool,
    /// One JSON document (see sockscope schema why)
    #[arg(long)]
    pub json: bool,
    /// The long story of each cause, with its source
    #[arg(long, conflicts_with = "json")]
    pub explain: bool,
    /// Write what was read to a new file, for a bug report
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Predict from a recording; - reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    pub replay: Option<PathBuf>,
}

/// Answers. Exit 0 when the bind would succeed, 1 when it would not, 2 when that cannot be told.
pub fn run(args: &WhyArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let names = SystemNames::new();
    let question = question::read(&args.target, args.connect, &names, &Services::read())?;
    if let Some(line) = question.understood() {
        writeln!(io.stderr, "{line}")?;
    }
    if question.connects {
        return connect::run(args, &question.targets, io);
    }
    let options = options(args, &names)?;
    let was_in_use = question.was_in_use();
    let requests: Vec<BindRequest> = question
        .targets
        .into_iter()
        .map(|target| BindRequest { target, ..options.clone() })
        .collect();

    let wish = request(args, &requests);
    let (mut snapshot, recorded) = read(args, &wish)?;
    record(args, recorded.as_ref())?;
    let (mut answers, mut gaps) = (Vec::new(), Vec::new());
    for request in &requests {
        let (mut diagnosis, found) = ask(args, &snapshot, request);
        gaps.extend(found);
        if diagnosis.is_contradicted() {
            // It may have changed between the look and the probe.
            (snapshot, _) = read(args, &wish)?;
            let before = diagnosis;
            (diagnosis, _) = ask(args, &snapshot, request);
            if matches!(before.prediction, Verdict::Fails { .. }) && !diagnosis.is_contradicted() {
                diagnosis.add_gone(&before);
            }
        }
        if was_in_use && diagnosis.verdict == Verdict::Free {
            diagnosis.add_freed();
        }
        answers.push(diagnosis);
    }
    add_gaps(&mut snapshot, gaps);
    if may_be_elsewhere(args, &answers) {
        let everywhere = platform::native().collect(&Request { netns: NetnsWish::All, ..wish });
        if let Ok(everywhere) = everywhere.map(join) {
            for answer in &mut answers {
                answer.add_elsewhere(&everywhere);
            }
        }
    }
    let look = look(args, io);
    let causes = answers.iter().flat_map(|answer| &answer.causes);
    show(causes, snapshot, io, |snapshot, out| match look {
        None => json::write(&answers, snapshot, out),
        Some(look) => diagnosis::write(&answers, look, out),
    })?;
    Ok(exit(&answers))
}

/// Returns how the answer is to look; `None` for JSON.
fn look(args: &WhyArgs, io: &Io<'_>) -> Option<diagnosis::Options> {
    let width = io.terminal.width.map(usize::from);
    (!args.json).then_some(diagnosis::Options { width, explain: args.explain })
}

fn options(args: &WhyArgs, names: &SystemNames) -> anyhow::Result<BindRequest> {
    let user = |name: &String| match name.parse() {
        Ok(number) => Ok(Uid(number)),
        Err(_) => names.user(name).ok_or_else(|| {
            let failure = Failure::new(format!("there is no user '{name}'"));
            match names.users().and_then(|users| nearest(name, users)) {
                Some(name) => failure.hint(format!("did you mean '{name}'?")),
                None => failure,
            }
        }),
    };
    let device = |name: &String| Interface {
        index: names.interface(name).unwrap_or(0),
        name: Some(Text::from(name.as_str())),
    };
    let mut options = BindRequest::plain(Target::Unix(Text::from("")));
    options.reuse_address = args.reuseaddr;
    options.reuse_port = args.reuseport;
    options.v6only = args.v6only.then_some(true);
    options.device = args.device.as_ref().map(device);
    options.by = Binder { uid: args.user.as_ref().map(user).transpose()?, pid: args.pid.map(Pid) };
    Ok(options)
}

/// Whether it is worth looking into other network namespaces: where nothing is in the way here, the
/// one who asks may look in the wrong one.
fn may_be_elsewhere(args: &WhyArgs, answers: &[Diagnosis]) -> bool {
    let is_free = |answer: &Diagnosis| match answer.request.target {
        Target::Inet { port, .. } => port != 0 && answer.verdict == Verdict::Free,
        Target::Unix(_) => false,
    };
    platform::has_namespaces()
        && args.replay.is_none()
        && args.pid.is_none()
        && answers.iter().all(is_free)
}

/// Reads what is asked for; kept as it came where it is to be recorded.
fn read(args: &WhyArgs, request: &Request) -> anyhow::Result<(Snapshot, Option<Collected>)> {
    let mut backend: Box<dyn Backend> = match &args.replay {
        Some(path) => Box::new(Replay::open(path)?),
        None => platform::native(),
    };
    let collected = backend.collect(request)?;
    let recorded = args.record.is_some().then(|| collected.clone());
    Ok((join(collected), recorded))
}

/// Writes the recording that was asked for.
fn record(args: &WhyArgs, collected: Option<&Collected>) -> anyhow::Result<()> {
    let (Some(path), Some(collected)) = (&args.record, collected) else { return Ok(()) };
    replay::record_file(collected, path)
        .with_context(|| format!("cannot record to {}", path.display()))
}

/// Adds gaps, each once.
fn add_gaps(snapshot: &mut Snapshot, gaps: Vec<Gap>) {
    for gap in gaps {
        if !snapshot.unread.contains(&gap) {
            snapshot.unread.push(gap);
        }
    }
}

/// Returns the request for what concerns the ports asked about.
fn request(args: &WhyArgs, requests: &[BindRequest]) -> Request {
    let mut request = Request {
        protocols: vec![Protocol::Tcp, Protocol::Udp],
        process_details: true,
        ..Request::default()
    };
    match requests.first().map(|request| &request.target) {
        Some(Target::Inet { port, .. }) if *port != 0 => {
            request.ports = Some(PortWish::Local(*port..=*port));
        }
        Some(Target::Unix(_)) => {
            request.protocols = vec![Protocol::Unix];
            request.families = vec![Family::Unix];
        }
        // Any port: all of them count.
        Some(Target::Inet { .. }) | None => {}
    }
    if let Some(pid) = args.pid {
        request.netns = NetnsWish::Of(Pid(pid));
    }
    request
}

/// Predicts, and asks the kernel unless that is not wanted.
fn ask(args: &WhyArgs, snapshot: &Snapshot, request: &BindRequest) -> (Diagnosis, Vec<Gap>) {
    if args.replay.is_some() {
        // Nothing of this machine counts for a recording.
        return (diagnose(snapshot, &BindFacts::default(), request), Vec::new());
    }
    let mut facts = platform::bind_facts(request);
    facts.options.extend(platform::options_of(&undecided(snapshot, &facts, request)));
    let diagnosis = diagnose(snapshot, &facts, request);
    if args.no_probe {
        return (diagnosis, facts.gaps);
    }
    let made = match would_disturb(&diagnosis) {
        Some(why) if is_udp(request) => Probe::NotMade { why: why.to_owned() },
        disturbed => probe(request, disturbed.is_none()),
    };
    let mut diagnosis = diagnosis.with_probe(made).with_suspects(&facts);
    let with_option = BindRequest { reuse_address: true, ..request.clone() };
    let fails = matches!(diagnosis.verdict, Verdict::Fails { .. });
    if fails && !is_udp(request) && request != &with_option {
        let other = diagnose(snapshot, &facts, &with_option);
        if other.prediction == Verdict::Unknown && would_disturb(&other).is_none() {
            diagnosis = diagnosis.with_reuse_address(&probe(&with_option, true));
        }
    }
    (diagnosis, facts.gaps)
}

const fn is_udp(request: &BindRequest) -> bool {
    matches!(request.target, Target::Inet { protocol: Protocol::Udp, .. })
}

/// Returns why a probe would take from others what is meant for them, if it may succeed beside them.
fn would_disturb(diagnosis: &Diagnosis) -> Option<&'static str> {
    let may_succeed = !matches!(diagnosis.prediction, Verdict::Fails { .. });
    let serves = |cause: &Cause| {
        cause.reason != Reason::OtherDevice
            && cause.sockets.iter().any(|entry| entry.socket.is_listening())
    };
    (may_succeed && diagnosis.causes.iter().any(serves))
        .then_some("for an instant it would get what is meant for those who share the port")
}

/// Writes the answer, and what could not be seen of it.
fn show<'a>(
    causes: impl Iterator<Item = &'a Cause>,
    mut snapshot: Snapshot,
    io: &mut Io<'_>,
    write: impl FnOnce(&Snapshot, &mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    // From here on only what is shown counts, in the gaps too.
    let shown: BTreeSet<SocketId> =
        causes.flat_map(|cause| &cause.sockets).map(|entry| entry.socket.id).collect();
    snapshot.entries.retain(|entry| shown.contains(&entry.socket.id));
    keep_what_matters(&mut snapshot);
    write(&snapshot, io.stdout)?;
    io.stdout.flush()?;
    if let Some(line) = summary::summary(&snapshot, "--json") {
        writeln!(io.stderr, "{line}")?;
    }
    Ok(())
}

/// Drops the gaps that take nothing from the answer.
pub(super) fn keep_what_matters(snapshot: &mut Snapshot) {
    let hidden = Ownership::Hidden(HiddenReason::Permission);
    let any_hidden = snapshot.entries.iter().any(|entry| entry.ownership == hidden);
    snapshot.unread.retain(|gap| match gap.what {
        Missing::Sockets
        | Missing::Namespaces
        | Missing::BoundSockets
        | Missing::UnheldSockets
        | Missing::BindFacts => true,
        Missing::Descriptors | Missing::Owners => any_hidden,
        Missing::SocketFacts | Missing::ProcessFacts | Missing::UserNames => false,
    });
}

/// One bind that fails decides, then one that cannot be told.
fn exit(diagnoses: &[Diagnosis]) -> Exit {
    let any = |is: fn(Verdict) -> bool| diagnoses.iter().any(|diagnosis| is(diagnosis.verdict));
    if any(|verdict| matches!(verdict, Verdict::Fails { .. })) {
        Exit::Nothing
    } else if any(|verdict| verdict == Verdict::Unknown) {
        Exit::Trouble
    } else {
        Exit::Found
    }
}
