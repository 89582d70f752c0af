//! Whether a program could bind: nobody listens, and the kernel lets us.

use crate::cli::error::Failure;
use crate::cli::wait::listen;
use crate::diagnose::{BindRequest, Errno, Probe, Target};
use crate::overlap;
use crate::platform::limits::NO_SUCH_ADDRESS_HINT;
use crate::platform::probe::probe;
use crate::platform::{self, PortWish, Request};
use crate::socket::{Endpoint, Socket};

/// Returns true when all of these could be bound.
///
/// A bind that fails holds nothing, so trying is in nobody's way until the moment in which it succeeds,
/// and then the wait is over. That is why `::`, which is of both families, is tried first.
pub(super) fn holds(targets: &[Target], reuse_address: bool) -> anyhow::Result<bool> {
    for target in targets.iter().rev() {
        let is_free = match target {
            Target::Inet { .. } => is_free(target, targets.len() > 1, reuse_address)?,
            Target::Unix(name) => listen::is_vacant(name)?,
        };
        if !is_free {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_free(target: &Target, is_one_of_many: bool, reuse_address: bool) -> anyhow::Result<bool> {
    let Target::Inet { address, .. } = target else { return Ok(true) };
    // Two sockets that say SO_REUSEADDR share a UDP port, and elsewhere than on Linux a wildcard is
    // bound beside an address in use: such a bind proves nothing.
    if listen::listeners(target)?.iter().any(|socket| overlap::meets(socket, *address)) {
        return Ok(false);
    }
    let request = BindRequest { reuse_address, ..BindRequest::plain(target.clone()) };
    match probe(&request, false) {
        Probe::Succeeded { .. } => Ok(true),
        Probe::Failed { errno: Some(Errno::EADDRINUSE), .. } => Ok(false),
        // It takes privilege that we lack: then what is to be seen counts.
        Probe::Failed { errno: Some(Errno::EACCES | Errno::EPERM), .. } => is_unused(target),
        Probe::Failed { errno: Some(Errno::EAFNOSUPPORT), .. } if is_one_of_many => Ok(true),
        Probe::Failed { errno: Some(Errno::EADDRNOTAVAIL), .. } => {
            Err(Failure::new(format!("cannot bind {target}")).hint(NO_SUCH_ADDRESS_HINT).into())
        }
        Probe::Failed { call, errno } => {
            let errno = errno.map_or_else(|| "an error".to_owned(), |errno| format!("{errno:?}"));
            Err(Failure::new(format!("cannot try {target}: {} fails with {errno}", call.name()))
                .hint(format!("sockscope why {}", why(target)))
                .into())
        }
        Probe::NotMade { why } => Err(Failure::new(format!("cannot try {target}: {why}")).into()),
    }
}

/// Returns the target as `sockscope why` takes it.
fn why(target: &Target) -> String {
    target.to_string().replacen(' ', ":", 1)
}

/// Returns true when no socket has the port, in whatever state.
fn is_unused(target: &Target) -> anyhow::Result<bool> {
    let Target::Inet { protocol, address, port, .. } = target else { return Ok(true) };
    let request = Request {
        protocols: vec![*protocol],
        ports: Some(PortWish::Local(*port..=*port)),
        owners: false,
        ..Request::default()
    };
    let is_in_the_way = |socket: &Socket| {
        socket.local.as_ref().and_then(Endpoint::port) == Some(*port)
            && overlap::meets(socket, *address)
    };
    Ok(!platform::native().collect(&request)?.sockets.iter().any(is_in_the_way))
}
