//! A connection that outlives its listener.

use std::io;

use super::connected;
use crate::demo::cast::LISTENER;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::Stage;

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    let address = connected(stage)?;
    stage.close(LISTENER)?;
    Ok(address)
}

/// The listener is closed, a connection is not.
pub(super) const QUESTION: Question = Question {
    name: "draining",
    needs: &[Need::Linux],
    parts: &[Part::new("worker", play)],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "The old version of your server has closed its listener and serves its last clients. The new one does not \
              start: bind({target}) fails with EADDRINUSE, though nobody listens there.",
    causes: &[Cause::LeftOpen, Cause::TimeWait, Cause::Bound, Cause::Outgoing, Cause::Inherited],
    hints: &[
        "A connection's local port is the listener's: accept() makes a socket on the same port.",
        "sockscope port {port}: which sockets have it as their local port?",
        "STATE says ESTABLISHED, and the process is the old version. What had it not set?",
    ],
    shown: &[
        Shown { command: "why {target}", line: "{culprit}" },
        Shown { command: "list 'sport {port}'", line: "ESTABLISHED" },
    ],
    answer: "The process {culprit} still has a connection with that local port, from a listener without SO_REUSEADDR. \
             With it, in both versions, a new listener could stand beside; now it must wait for the last client.",
};
