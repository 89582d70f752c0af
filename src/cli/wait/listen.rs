//! Whether something of this machine listens: seen in the listing, without a connection.

use std::fs;

use crate::cli::wait::Instead;
use crate::diagnose::{BindRequest, PathFacts, Target};
use crate::overlap;
use crate::platform::{self, PortWish, Request};
use crate::render::sanitize;
use crate::socket::{Endpoint, Family, Protocol, Socket};
use crate::state::TcpState;
use crate::text::Text;

/// Returns true when something listens on one of these: on the address, or on a wildcard over it; on a
/// wildcard that was asked for, or on any address under it. Of UDP, an unconnected socket counts.
pub(super) fn holds(targets: &[Target]) -> anyhow::Result<bool> {
    for target in targets {
        let listens = match target {
            Target::Inet { address, .. } => listeners(target)?
                .iter()
                .any(|socket| socket.is_listening() && overlap::meets(socket, *address)),
            Target::Unix(name) => path_listens(name)?,
        };
        if listens {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads what may listen at the port of this target, and perhaps more; nothing for a path.
pub(super) fn listeners(target: &Target) -> anyhow::Result<Vec<Socket>> {
    let Target::Inet { protocol, port, .. } = target else { return Ok(Vec::new()) };
    // UDP has no states: what is not connected counts as closed.
    let is_tcp = *protocol == Protocol::Tcp;
    let state = if is_tcp { TcpState::Listen } else { TcpState::Closed };
    let request = Request {
        protocols: vec![*protocol],
        states: Some(vec![state]),
        ports: Some(PortWish::Local(*port..=*port)),
        owners: false,
        ..Request::default()
    };
    let mut sockets = platform::native().collect(&request)?.sockets;
    // The request narrows only what it can.
    sockets.retain(|socket| socket.local.as_ref().and_then(Endpoint::port) == Some(*port));
    Ok(sockets)
}

/// Returns the UNIX listeners.
fn unix_listeners() -> anyhow::Result<Vec<Socket>> {
    let request = Request {
        protocols: vec![Protocol::Unix],
        families: vec![Family::Unix],
        states: Some(vec![TcpState::Listen]),
        owners: false,
        ..Request::default()
    };
    let mut sockets = platform::native().collect(&request)?.sockets;
    sockets.retain(Socket::is_listening);
    Ok(sockets)
}

fn path_listens(name: &Text) -> anyhow::Result<bool> {
    if let Some(name) = abstract_name(name) {
        let name = Some(Endpoint::Abstract(name));
        return Ok(unix_listeners()?.iter().any(|socket| socket.local == name));
    }
    // Costs least, and says no for as long as there is no file.
    let Ok(real) = fs::canonicalize(name.to_lossy().as_ref()) else { return Ok(false) };
    let real = Text::from(real.as_os_str().as_encoded_bytes().to_vec());
    let listeners = unix_listeners()?;
    let is_bound_to = |path: &Text| {
        listeners
            .iter()
            .any(|socket| matches!(&socket.local, Some(Endpoint::Path(bound)) if bound == path))
    };
    if is_bound_to(name) || is_bound_to(&real) {
        return Ok(true);
    }
    // It may have been bound by a relative path, or through a link.
    let facts = platform::bind_facts(&BindRequest::plain(Target::Unix(real)));
    let Some(PathFacts::Taken { sockets, .. }) = facts.path else { return Ok(false) };
    Ok(listeners.iter().any(|socket| socket.inode.is_some_and(|own| sockets.contains(&own))))
}

/// Returns the name in the abstract namespace; `None` for a path.
pub(super) fn abstract_name(name: &Text) -> Option<Text> {
    name.as_bytes().strip_prefix(b"@").map(Text::new)
}

/// Returns true when a UNIX socket could be bound there.
pub(super) fn is_vacant(name: &Text) -> anyhow::Result<bool> {
    let Some(name) = abstract_name(name) else {
        return Ok(fs::symlink_metadata(name.to_lossy().as_ref()).is_err());
    };
    let request = Request {
        protocols: vec![Protocol::Unix],
        families: vec![Family::Unix],
        owners: false,
        ..Request::default()
    };
    let name = Some(Endpoint::Abstract(name));
    Ok(!platform::native().collect(&request)?.sockets.iter().any(|socket| socket.local == name))
}

/// Says what is at a path.
pub(super) fn explain_path(name: &Text) -> Instead {
    let shown = sanitize::text(name);
    let facts = platform::bind_facts(&BindRequest::plain(Target::Unix(name.clone())));
    let fact = |fact: String| Instead { facts: vec![fact], hint: None };
    match facts.path {
        Some(PathFacts::Taken { is_bound: Some(false), .. }) => {
            fact(format!("a file is at {shown}, and no socket is bound to it"))
        }
        Some(PathFacts::Taken { .. }) | None => {
            Instead { hint: Some(format!("sockscope why {shown}")), ..Instead::default() }
        }
        Some(_) => fact(format!("nothing is at {shown}")),
    }
}
