//! The wrong namespace.

use std::io;

use super::listen;
use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::Stage;

const ELSEWHERE: Role = Role::child("elsewhere");

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    let address = listen(stage, "")?;
    stage.start_elsewhere(ELSEWHERE, LISTENER)?;
    stage.close(LISTENER)?;
    Ok(address)
}

/// Free here, taken there.
pub(super) const QUESTION: Question = Question {
    name: "container",
    needs: &[Need::Namespaces],
    parts: &[Part::new("runtime", play)],
    target: 0,
    culprit: Some(Culprit::ChildOf(0)),
    symptom: "A container's log says that bind({target}) fails with EADDRINUSE. You look on the host: nobody has that \
              port, and your own test binds it without an error.",
    causes: &[Cause::Elsewhere, Cause::TimeWait, Cause::InFlight, Cause::Bound, Cause::Outgoing],
    hints: &[
        "Is the port that the container sees the one that you see?",
        "Each network namespace has ports of its own: sockscope list --netns all 'sport {port}'",
        "NETNS tells the namespaces apart.",
    ],
    shown: &[
        Shown { command: "why {target}", line: "{culprit}" },
        Shown { command: "list --netns all 'sport {port}'", line: "{culprit}" },
    ],
    answer: "The process {culprit} has it, in another network namespace: there it is taken, here it is free. Ask with \
             the container's eyes: sockscope why --pid {culprit} {target}.",
};
