//! A listener that lives on in a child.

use std::io;

use super::listen;
use crate::demo::cast::LISTENER;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::Stage;

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    let address = listen(stage, "")?;
    stage.start_child(Some(LISTENER))?;
    stage.close(LISTENER)?;
    Ok(address)
}

/// The server has closed it, its child has it.
pub(super) const QUESTION: Question = Question {
    name: "closed",
    needs: &[Need::Linux],
    parts: &[Part::new("deploy", play)],
    target: 0,
    culprit: Some(Culprit::ChildOf(0)),
    symptom: "Your server has closed its listener, and cannot open it again: bind({target}) fails with EADDRINUSE, \
              for hours. Its log says that it closed it. It starts other programs now and then.",
    causes: &[Cause::Inherited, Cause::TimeWait, Cause::Bound, Cause::Outgoing, Cause::InFlight],
    hints: &[
        "For hours: so it is not TIME_WAIT. Somebody has that socket.",
        "Who? sockscope port {port}. Is that a program that would ever listen?",
        "fork() hands on every descriptor, and exec() all without close-on-exec. Whose child is process {culprit}?",
    ],
    shown: &[
        Shown { command: "why {target}", line: "{culprit}" },
        Shown { command: "list 'sport {port}'", line: "LISTEN" },
    ],
    answer: "The process {culprit} ({target} is its stdout) has inherited the listener: closing it in the server was \
             not enough. End that child; and open sockets with close-on-exec (SOCK_CLOEXEC).",
};
