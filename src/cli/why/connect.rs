//! `sockscope why --connect`: would a connection succeed, who answers it, and if nobody does, why not.

use std::collections::BTreeSet;

use crate::cli::why::{WhyArgs, add_gaps, look, read, record, show};
use crate::cli::{Exit, Io};
use crate::diagnose::connect::{
    Attempt, ConnectDiagnosis, ConnectFacts, ConnectRequest, Reach, diagnose_connect, diagnose_path,
};
use crate::diagnose::{BindFacts, BindRequest, Errno, Reason, Target};
use crate::platform::reach;
use crate::platform::{self, NetnsWish, PortWish, Request};
use crate::process::Pid;
use crate::render::diagnosis::connect;
use crate::snapshot::{Collected, Snapshot};
use crate::socket::{Family, Protocol};
use crate::text::Text;

/// Answers. Exit 0 when one of the addresses can be connected to, 1 when none can, 2 when that cannot be
/// told.
pub(super) fn run(args: &WhyArgs, targets: &[Target], io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let mut seen = Look { args, snapshot: None, recorded: None };
    let answers = targets
        .iter()
        .map(|target| match target {
            Target::Unix(path) => seen.ask_path(path),
            Target::Inet { protocol, address, scope, port } => seen.ask(&to(&ConnectRequest {
                protocol: *protocol,
                address: *address,
                scope: scope.clone(),
                port: *port,
            })),
        })
        .collect::<anyhow::Result<Vec<ConnectDiagnosis>>>()?;
    let Look { snapshot, recorded, .. } = seen;
    record(args, recorded.as_ref())?;
    if let Some(snapshot) = snapshot {
        let look = look(args, io);
        let causes = answers.iter().flat_map(|answer| &answer.causes);
        show(causes, snapshot, io, |snapshot, out| match look {
            None => connect::write_json(&answers, snapshot, out),
            Some(look) => connect::write(&answers, look, out),
        })?;
    }
    Ok(exit(&answers))
}

/// Returns whom to connect to: what stands for every address means this machine.
fn to(asked: &ConnectRequest) -> ConnectRequest {
    ConnectRequest { address: asked.destination(), ..asked.clone() }
}

/// What was read, kept for the next address: the last look is the widest.
struct Look<'a> {
    args: &'a WhyArgs,
    snapshot: Option<Snapshot>,
    recorded: Option<Collected>,
}

impl Look<'_> {
    fn ask(&mut self, request: &ConnectRequest) -> anyhow::Result<ConnectDiagnosis> {
        let args = self.args;
        let near = Request {
            protocols: vec![request.protocol],
            ports: Some(PortWish::Either(request.port..=request.port)),
            process_details: true,
            ..Request::default()
        };
        if args.replay.is_some() {
            // Nothing of this machine counts for a recording.
            let snapshot = self.read(&near)?;
            return Ok(diagnose_connect(snapshot, &ConnectFacts::default(), request));
        }
        let mut facts = ConnectFacts {
            settings: settings(request),
            source: reach::source(request),
            ..ConnectFacts::default()
        };
        let snapshot = self.read(&near)?;
        facts.stopped = reach::stopped(&owners(snapshot));
        let before = reach::overflows();
        let attempt = if args.no_probe {
            None
        } else {
            let attempt = reach::attempt(request, args.timeout);
            let after = reach::overflows();
            facts.overflows = before.zip(after).map(|(before, after)| after.saturating_sub(before));
            Some(attempt)
        };
        let mut diagnosis = answer(snapshot, &facts, request, attempt.as_ref());
        if diagnosis.is_contradicted() {
            // It may have changed between the look and the attempt.
            let snapshot = self.read(&near)?;
            diagnosis = answer(snapshot, &facts, request, attempt.as_ref());
        }
        // Why it fails may stand in more than the port's own rows of this namespace.
        let nobody = diagnosis.causes.iter().any(|cause| cause.reason == Reason::NobodyListens);
        let wider = match diagnosis.verdict {
            _ if facts.is_local(request.destination()) != Some(true) => None,
            Reach::Fails { errno: Errno::ECONNREFUSED } if nobody => {
                Some(Request { netns: NetnsWish::All, ..near })
            }
            Reach::Fails { errno: Errno::EADDRNOTAVAIL } => Some(Request { ports: None, ..near }),
            Reach::Connects | Reach::Silent | Reach::Fails { .. } | Reach::Unknown => None,
        };
        if let Some(wider) = wider {
            let snapshot = self.read(&wider)?;
            diagnosis = answer(snapshot, &facts, request, attempt.as_ref());
        }
        if let Some(snapshot) = &mut self.snapshot {
            add_gaps(snapshot, facts.settings.gaps);
        }
        Ok(diagnosis)
    }

    fn ask_path(&mut self, path: &Text) -> anyhow::Result<ConnectDiagnosis> {
        let args = self.args;
        let request = Request {
            protocols: vec![Protocol::Unix],
            families: vec![Family::Unix],
            process_details: true,
            ..Request::default()
        };
        let mut facts = ConnectFacts::default();
        if args.replay.is_none() {
            let bind = BindRequest::plain(Target::Unix(path.clone()));
            facts.settings = platform::bind_facts(&bind);
        }
        let snapshot = self.read(&request)?;
        facts.stopped = reach::stopped(&owners(snapshot));
        let diagnosis = diagnose_path(snapshot, &facts, path);
        if args.no_probe || args.replay.is_some() {
            return Ok(diagnosis);
        }
        Ok(diagnosis.with_attempt(reach::attempt_path(path, args.timeout), &facts))
    }

    fn read(&mut self, request: &Request) -> anyhow::Result<&Snapshot> {
        let (snapshot, recorded) = read(self.args, request)?;
        self.recorded = recorded;
        Ok(self.snapshot.insert(snapshot))
    }
}

fn answer(
    snapshot: &Snapshot,
    facts: &ConnectFacts,
    request: &ConnectRequest,
    attempt: Option<&Attempt>,
) -> ConnectDiagnosis {
    let diagnosis = diagnose_connect(snapshot, facts, request);
    match attempt {
        None => diagnosis,
        Some(attempt) => diagnosis.with_attempt(attempt.clone(), facts),
    }
}

/// Reads the settings that count for a connection as they do for a bind of its address.
fn settings(request: &ConnectRequest) -> BindFacts {
    let ConnectRequest { protocol, scope, port, .. } = request.clone();
    let address = request.destination();
    platform::bind_facts(&BindRequest::plain(Target::Inet { protocol, address, scope, port }))
}

fn owners(snapshot: &Snapshot) -> BTreeSet<Pid> {
    let owners = snapshot.entries.iter().flat_map(|entry| entry.ownership.owners());
    owners.map(|owner| owner.process.pid).collect()
}

/// Programs try one address after the other: one that answers is enough.
fn exit(answers: &[ConnectDiagnosis]) -> Exit {
    let any = |is: fn(Reach) -> bool| answers.iter().any(|answer| is(answer.verdict));
    if any(|reach| reach == Reach::Connects) {
        Exit::Found
    } else if any(|reach| reach == Reach::Unknown) {
        Exit::Trouble
    } else {
        Exit::Nothing
    }
}
