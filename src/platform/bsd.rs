//! What macOS and FreeBSD have in common: one ancestor, whose control blocks both still tell of.
//!
//! Pure, so that all of it is tested on every system; what differs is in [`super::macos`] and
//! [`super::freebsd`].

pub(super) mod bind_facts;
pub(super) mod fields;
pub(super) mod pcb;
pub(super) mod process_control;
#[cfg(test)]
pub(super) mod sample;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub(super) mod sys;

use std::collections::{HashMap, HashSet};
use std::io;

use crate::error::{CollectError, cause};
use crate::platform::{NetnsWish, Request};
use crate::process::Holder;
use crate::snapshot::{Gap, Missing};
use crate::socket::{Cookie, Endpoint, Protocol, Socket, SocketId};
use crate::text::Text;

/// What helps against descriptors that may not be read.
pub(super) const SUDO: &str = "run with sudo to see other users' processes";

/// Refuses what these systems do not have.
pub(super) fn check(request: &Request) -> Result<(), CollectError> {
    if request.netns == NetnsWish::Current {
        return Ok(());
    }
    Err(CollectError::Netns {
        netns: request.netns.to_string(),
        why: "this system has no network namespaces".to_owned(),
    })
}

/// Returns the gap of a table that could not be read.
pub(super) fn unread(what: impl Into<String>, error: &io::Error) -> Gap {
    Gap::new(Missing::Sockets, cause(error)).detail(what).count(1)
}

/// Returns the gap of rows in a form that is not known; `None` when there were none.
pub(super) fn malformed(what: &str, count: usize) -> Option<Gap> {
    (count > 0).then(|| {
        let why = format!("{count} in a form that this version does not know");
        Gap::new(Missing::Sockets, why).detail(format!("single rows of {what}"))
    })
}

/// Returns the gaps of the protocols that the system may have sockets of, and that are not read there.
/// The others, such as UDPLITE, it does not have at all.
pub(super) fn never_read<'a>(
    request: &'a Request,
    unread: &'a [Protocol],
) -> impl Iterator<Item = Gap> + use<'a> {
    let wanted = request.protocols.iter().filter(|protocol| unread.contains(protocol));
    wanted.map(|protocol| {
        let why = "this version does not read them on this system";
        Gap::new(Missing::Sockets, why).detail(protocol.name())
    })
}

/// Returns the sockets that nobody was found to hold though a descriptor should exist, and that are not
/// there any more when the tables are read again: they were closed between the first look at the tables
/// and that at the descriptors.
pub(super) fn vanished(
    sockets: &[Socket],
    holders: &[Holder],
    again: impl FnOnce() -> HashSet<Cookie>,
) -> Vec<SocketId> {
    let held: HashSet<SocketId> = holders.iter().map(|holder| holder.socket).collect();
    let missed: Vec<(SocketId, Cookie)> = sockets
        .iter()
        .filter(|socket| socket.inode.is_some() && !held.contains(&socket.id))
        .filter_map(|socket| Some((socket.id, socket.cookie?)))
        .collect();
    if missed.is_empty() {
        return Vec::new();
    }
    let there = again();
    missed.into_iter().filter(|(_, cookie)| !there.contains(cookie)).map(|(id, _)| id).collect()
}

/// Names the interfaces that scopes are of.
pub(super) fn name_interfaces(sockets: &mut [Socket], name: impl Fn(u32) -> Option<String>) {
    let mut known: HashMap<u32, Option<Text>> = HashMap::new();
    let ends = sockets.iter_mut().flat_map(|socket| [&mut socket.local, &mut socket.peer]);
    for end in ends.flatten() {
        if let Endpoint::Inet { scope: Some(scope), .. } = end {
            let named = known.entry(scope.index);
            scope.name.clone_from(named.or_insert_with(|| name(scope.index).map(Text::from)));
        }
    }
}
