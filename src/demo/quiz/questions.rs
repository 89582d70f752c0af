//! The questions, from the plain ones to those that few tools can answer. Adding one is adding a file.

mod bound;
mod container;
mod dual_stack;
mod hanging;
mod in_flight;
mod inherited;
mod leak;
mod left_open;
mod listener;
mod mismatch;
mod orphan;
mod other_family;
mod outgoing;
mod path;
mod silent;
mod time_wait;
mod twins;

use std::io;
use std::net::SocketAddr;

use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::quiz::Question;
use crate::demo::stage::Stage;

/// Every question.
pub const ALL: &[&Question] = &[
    &listener::QUESTION,
    &bound::QUESTION,
    &time_wait::QUESTION,
    &inherited::QUESTION,
    &dual_stack::QUESTION,
    &hanging::QUESTION,
    &silent::QUESTION,
    &left_open::QUESTION,
    &outgoing::QUESTION,
    &twins::QUESTION,
    &mismatch::QUESTION,
    &other_family::QUESTION,
    &leak::QUESTION,
    &path::QUESTION,
    &orphan::QUESTION,
    &in_flight::QUESTION,
    &container::QUESTION,
];

/// Listens on loopback. Returns where.
fn listen(stage: &mut Stage, _: &str) -> io::Result<String> {
    stage.listener(LISTENER, 8)?;
    Ok(stage.address(LISTENER)?.to_string())
}

/// Listens, and has one connection of its own, accepted. Returns where it listens.
fn connected(stage: &mut Stage) -> io::Result<String> {
    let address = listen(stage, "")?;
    stage.connection(LISTENER, CLIENT, SERVER)?;
    Ok(address)
}

/// Reads an address that the player before returned.
fn address(text: &str) -> io::Result<SocketAddr> {
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no address"))
}
