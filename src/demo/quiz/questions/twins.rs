//! Two servers on one port.

use std::io;

use super::address;
use crate::demo::cast::LISTENER;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::{At, Stage};

fn first(stage: &mut Stage, _: &str) -> io::Result<String> {
    stage.tcp(LISTENER)?;
    stage.reuse_port(LISTENER)?;
    stage.bind_to(LISTENER, At::V4)?;
    stage.listen(LISTENER, 8)?;
    Ok(stage.address(LISTENER)?.to_string())
}

fn second(stage: &mut Stage, first: &str) -> io::Result<String> {
    stage.tcp(LISTENER)?;
    stage.reuse_port(LISTENER)?;
    stage.bind_address(LISTENER, address(first)?)?;
    stage.listen(LISTENER, 8)?;
    Ok(first.to_owned())
}

/// SO_REUSEPORT, by accident.
pub(super) const QUESTION: Question = Question {
    name: "half",
    needs: &[Need::Linux],
    parts: &[Part::new("shop", first), Part::new("shop", second)],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "You have started the new version of your server on {target}, as process {second}, and there was no \
              error. But about half of the requests are answered by the old one, which should be gone.",
    causes: &[
        Cause::Twins,
        Cause::OtherFamily,
        Cause::LeftOpen,
        Cause::Inherited,
        Cause::DualStack,
    ],
    hints: &[
        "Two programs on one address without an error: what allows that?",
        "sockscope list 'sport {port} and listen': how many rows are there?",
        "Both have set SO_REUSEPORT. Yours is process {second}.",
    ],
    shown: &[
        Shown { command: "list 'sport {port} and listen'", line: "{culprit}" },
        Shown { command: "port {port}", line: "{culprit}" },
    ],
    answer: "The process {culprit} listens there too: both have set SO_REUSEPORT, and the kernel deals the connections \
             out among them. End the old one; SO_REUSEPORT is for workers of one server.",
};
