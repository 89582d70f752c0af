//! Looks and asks: what is in the way, by the rules of a bind, and whether the kernel agrees.

use crate::cli::error::Failure;
use crate::cli::why::target;
use crate::diagnose::{
    BindRequest, Certainty, Diagnosis, Errno, Probe, Remedy, Target, diagnose, undecided,
};
use crate::error::CollectError;
use crate::join::join;
use crate::platform::lookup::SystemNames;
use crate::platform::probe::probe;
use crate::platform::services::Services;
use crate::platform::{self, PortWish, Request};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::Protocol;

/// Returns the binds that must succeed: a server's, which for TCP sets SO_REUSEADDR.
///
/// # Errors
///
/// When it is no port.
pub(super) fn wanted(text: &str) -> Result<Vec<BindRequest>, Failure> {
    let targets = target::parse(text, &SystemNames::new(), &Services::read())?;
    let request = |target| match target {
        Target::Inet { protocol, .. } => Ok(BindRequest {
            reuse_address: protocol == Protocol::Tcp,
            ..BindRequest::plain(target)
        }),
        Target::Unix(_) => Err(Failure::new("a UNIX socket has no port to be freed")
            .hint("sockscope why tells who has its path")),
    };
    targets.into_iter().map(request).collect()
}

/// What the kernel says to the binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bindable {
    /// It did all of them.
    Yes,
    /// Somebody has one of the addresses.
    InUse,
    /// Whoever asks may not bind it, whoever has it.
    NotPermitted(String),
}

/// Asks the kernel: binds and listens, and closes at once.
///
/// # Errors
///
/// When it refuses for a reason that has nothing to do with who has the port.
pub(super) fn bind(requests: &[BindRequest]) -> Result<Bindable, Failure> {
    for request in requests {
        match probe(request, true) {
            Probe::Succeeded { .. } => {}
            Probe::Failed { errno: Some(Errno::EADDRINUSE), .. } => return Ok(Bindable::InUse),
            // A machine without IPv6.
            Probe::Failed { errno: Some(Errno::EAFNOSUPPORT), .. } if requests.len() > 1 => {}
            Probe::Failed { call, errno: Some(errno @ (Errno::EACCES | Errno::EPERM)) } => {
                return Ok(Bindable::NotPermitted(format!("{} fails with {errno:?}", call.name())));
            }
            Probe::Failed { call, errno } => {
                let errno = errno.map_or_else(String::new, |errno| format!(" with {errno:?}"));
                let (target, call) = (&request.target, call.name());
                return Err(Failure::new(format!("cannot bind {target}: {call} fails{errno}"))
                    .hint("sockscope why tells why"));
            }
            Probe::NotMade { why } => return Err(Failure::new(why)),
        }
    }
    Ok(Bindable::Yes)
}

/// What was seen.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) snapshot: Snapshot,
    /// The sockets in the way of one of the binds or another.
    pub(super) in_the_way: Vec<Entry>,
    /// What can be done about them.
    pub(super) remedies: Vec<Remedy>,
}

/// Looks who is in the way.
///
/// # Errors
///
/// When nothing could be read.
pub(super) fn look(requests: &[BindRequest]) -> Result<Seen, CollectError> {
    let mut request = Request {
        protocols: vec![Protocol::Tcp, Protocol::Udp],
        process_details: true,
        ..Request::default()
    };
    request.ports = requests.iter().find_map(|request| match request.target {
        Target::Inet { port, .. } => Some(PortWish::Local(port..=port)),
        Target::Unix(_) => None,
    });
    let snapshot = join(platform::native().collect(&request)?);
    let diagnoses: Vec<Diagnosis> = requests
        .iter()
        .map(|request| {
            let mut facts = platform::bind_facts(request);
            facts.options.extend(platform::options_of(&undecided(&snapshot, &facts, request)));
            diagnose(&snapshot, &facts, request)
        })
        .collect();
    let causes = || {
        let causes = diagnoses.iter().flat_map(|diagnosis| &diagnosis.causes);
        causes.filter(|cause| cause.reason.is_in_the_way())
    };
    // What only may be in the way is left alone where something is for sure.
    let is_sure = causes().any(|cause| cause.certainty != Certainty::Possible);
    let mut in_the_way: Vec<Entry> = Vec::new();
    for cause in causes().filter(|cause| !is_sure || cause.certainty != Certainty::Possible) {
        for entry in &cause.sockets {
            if !in_the_way.iter().any(|known| known.socket.id == entry.socket.id) {
                in_the_way.push(entry.clone());
            }
        }
    }
    let remedies = diagnoses.into_iter().flat_map(|diagnosis| diagnosis.remedies).collect();
    Ok(Seen { snapshot, in_the_way, remedies })
}
