//! SO_REUSEPORT at one of two.

use super::listen;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};

/// A listener that does not share.
pub(super) const QUESTION: Question = Question {
    name: "sharing",
    needs: &[Need::Linux],
    parts: &[Part::new("shop", listen)],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "Your server's second worker sets SO_REUSEPORT, as it should, and still bind({target}) fails with \
              EADDRINUSE.",
    causes: &[
        Cause::NoReusePort,
        Cause::TimeWait,
        Cause::Elsewhere,
        Cause::DualStack,
        Cause::Privilege,
    ],
    hints: &[
        "Who has it now? sockscope port {port}",
        "Sharing takes two who want to. What has the other one set?",
        "sockscope why --reuseport {target} compares the options of both.",
    ],
    shown: &[
        Shown { command: "why --reuseport {target}", line: "SO_REUSEPORT" },
        Shown { command: "port {port}", line: "{culprit}" },
    ],
    answer: "The process {culprit} listens there without SO_REUSEPORT: each worker must set it before bind(), the first \
             one too, and all must run as one user.",
};
