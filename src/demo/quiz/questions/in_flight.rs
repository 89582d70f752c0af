//! A listener that no process has open.

use std::io;

use super::listen;
use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Part, Question, Shown};
use crate::demo::stage::Stage;

const LEFT: Role = Role::server("left");
const RIGHT: Role = Role::server("right");

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    let address = listen(stage, "")?;
    stage.pair(LEFT, RIGHT)?;
    stage.send_descriptor(LEFT, LISTENER)?;
    stage.close(LISTENER)?;
    Ok(address)
}

/// SCM_RIGHTS, sent and not received.
pub(super) const QUESTION: Question = Question {
    name: "handover",
    needs: &[Need::Linux],
    parts: &[Part::new("upgrader", play)],
    target: 0,
    culprit: None,
    symptom: "An upgrade without downtime went wrong: bind({target}) fails with EADDRINUSE. The row is there and says \
              LISTEN, but lsof and ss name no process, not even to root.",
    causes: &[Cause::InFlight, Cause::Orphan, Cause::TimeWait, Cause::Elsewhere, Cause::Inherited],
    hints: &[
        "A listener ends with its last descriptor. Where can a descriptor be, but in a process?",
        "How does one process hand a listener to another? See SCM_RIGHTS in unix(7).",
        "sockscope port {port} says so, where it may read every process.",
    ],
    shown: &[
        // Who may not read every process sees that nobody it may see has it, and no more.
        Shown { command: "list 'sport {port}'", line: "LISTEN" },
        Shown { command: "why {target}", line: "another socket has this address" },
    ],
    answer: "The old version sent the listener's descriptor (SCM_RIGHTS), closed its own, and the new version never \
             received it. It ends with the UNIX socket that it lies in.",
};
