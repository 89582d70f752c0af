//! The plain case: somebody listens.

use super::listen;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};

/// One listener.
pub(super) const QUESTION: Question = Question {
    name: "start",
    needs: &[Need::Linux],
    parts: &[Part::new("invoices", listen)],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "Your server does not start: bind({target}) fails with EADDRINUSE.",
    causes: &[Cause::Listening, Cause::Bound, Cause::TimeWait, Cause::Outgoing, Cause::Privilege],
    hints: &[
        "EADDRINUSE: some socket has that address. The question is in which state, and whose it is.",
        "Ask for every socket of the port: sockscope port {port}",
        "STATE says LISTEN, and PID says who it is.",
    ],
    shown: &[
        Shown { command: "why {target}", line: "{culprit}" },
        Shown { command: "port {port}", line: "{culprit}) listens on 127.0.0.1" },
    ],
    answer: "The process {culprit} listens there. End it, or take another port; 'sockscope free {port}' plans the \
             first and 'sockscope pick' does the second.",
};
