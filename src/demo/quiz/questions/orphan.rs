//! A connection that only the kernel has, with much to send.

use std::io;

use super::connected;
use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Part, Question, Shown};
use crate::demo::stage::Stage;

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    let address = connected(stage)?;
    // The client, a phone without a network, does not read.
    stage.small_buffer(CLIENT)?;
    stage.fill(SERVER)?;
    stage.close(SERVER)?;
    stage.close(LISTENER)?;
    Ok(address)
}

/// FIN_WAIT1 without an owner.
pub(super) const QUESTION: Question = Question {
    name: "ended",
    needs: &[Need::Linux],
    parts: &[Part::new("download", play)],
    target: 0,
    culprit: None,
    symptom: "Your server has ended minutes ago, and does not start again: bind({target}) fails with EADDRINUSE. No \
              process has the port. A client of yours has a bad network.",
    causes: &[Cause::Orphan, Cause::TimeWait, Cause::LeftOpen, Cause::InFlight, Cause::Bound],
    hints: &[
        "No process: so the kernel has it. And for longer than TIME_WAIT lasts.",
        "Look at the queues too: sockscope list -o +sendq,timer 'sport {port}'",
        "FIN_WAIT1: the FIN is not acknowledged, and it stands behind what is not sent.",
    ],
    shown: &[
        Shown { command: "why {target}", line: "FIN_WAIT1" },
        Shown { command: "list -o +sendq,timer 'sport {port}'", line: "FIN_WAIT1" },
    ],
    answer: "close() is not the end of sending: the kernel keeps the connection until the client has read all of it, or \
             it gives up. With SO_REUSEADDR the new server could start; root can 'sockscope close' the row.",
};
