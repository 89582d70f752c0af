//! A stopped server: its kernel still shakes hands.

use super::listen;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};

/// SIGSTOP.
pub(super) const QUESTION: Question = Question {
    name: "silent",
    needs: &[Need::Linux],
    parts: &[Part { stopped: true, ..Part::new("reports", listen) }],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "Clients connect to {target} at once, send their request, and never get an answer. The server's log says \
              nothing, and it uses no CPU.",
    causes: &[
        Cause::Stopped,
        Cause::FullBacklog,
        Cause::NotClosed,
        Cause::NobodyListens,
        Cause::Keepalive,
    ],
    hints: &[
        "The kernel shakes hands by itself: that a connection is made says nothing of the program.",
        "Look at the process: sockscope why {target}, or ps -o pid,stat -p {culprit}",
        "Its state is T.",
    ],
    shown: &[
        Shown { command: "why {target}", line: "{culprit}) is stopped" },
        Shown { command: "why --connect {target}", line: "its process is stopped" },
    ],
    answer: "The process {culprit} is stopped: by Ctrl-Z, a debugger, or SIGSTOP. 'fg' or 'kill -CONT {culprit}' lets it \
             go on.",
};
