//! The classic: a server that is started again at once.

use std::io;

use super::connected;
use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Part, Question, Shown};
use crate::demo::stage::Stage;

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    let address = connected(stage)?;
    stage.close(SERVER)?;
    // Read, so that the FIN has arrived: closing at once would leave TIME_WAIT at both ends.
    stage.recv(CLIENT)?;
    stage.close(CLIENT)?;
    stage.close(LISTENER)?;
    Ok(address)
}

/// A server without SO_REUSEADDR that closed first.
pub(super) const QUESTION: Question = Question {
    name: "restart",
    needs: &[Need::Linux],
    parts: &[Part::new("orders", play)],
    target: 0,
    culprit: None,
    symptom: "You have restarted your server, and it does not start: bind({target}) fails with EADDRINUSE. A minute \
              later it will, so be quick ([r] sets it up once more).",
    causes: &[Cause::TimeWait, Cause::LeftOpen, Cause::Inherited, Cause::Listening, Cause::Orphan],
    hints: &[
        "It mends itself after a minute. What takes a minute?",
        "Look for the port with no process beside it: sockscope port {port}",
        "STATE says TIME_WAIT, which is what remains of a connection at the end that closed first.",
    ],
    shown: &[
        Shown { command: "why {target}", line: "TIME_WAIT" },
        Shown { command: "list 'sport {port}'", line: "TIME_WAIT" },
    ],
    answer: "The last run closed its connections first, so their TIME_WAIT has its port for 60 seconds. Nobody is to be \
             ended. The cure is SO_REUSEADDR before bind(), in every run.",
};
