//! A full backlog.

use std::io;

use super::address;
use crate::demo::cast::{CLIENT, LISTENER};
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::Stage;

fn serve(stage: &mut Stage, _: &str) -> io::Result<String> {
    stage.listener(LISTENER, 0)?;
    Ok(stage.address(LISTENER)?.to_string())
}

fn connect(stage: &mut Stage, server: &str) -> io::Result<String> {
    stage.tcp(CLIENT)?;
    stage.connect_address(CLIENT, address(server)?, None)?;
    Ok(stage.address(CLIENT)?.to_string())
}

/// listen(0), one client that waits, and no accept().
pub(super) const QUESTION: Question = Question {
    name: "hanging",
    needs: &[Need::SockDiag],
    parts: &[Part::new("search", serve), Part::new("frontend", connect)],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "Nobody can connect to {target}: connect() hangs and then times out. It is on this machine, so there is \
              no firewall between, and if nobody listened it would be refused at once.",
    causes: &[
        Cause::FullBacklog,
        Cause::NobodyListens,
        Cause::Stopped,
        Cause::Bound,
        Cause::NotClosed,
    ],
    hints: &[
        "No answer at all: the SYN is dropped. When does a kernel drop one that is for a listener?",
        "Compare how many wait with how many may: sockscope list -o +backlog 'sport {port} and listen'",
        "sockscope why --connect {target} tries it and tells.",
    ],
    shown: &[
        Shown { command: "port {port}", line: "backlog 1 of 0, full" },
        Shown { command: "why --connect {target}", line: "queue of connections" },
        Shown { command: "list -o +backlog 'sport {port} and listen'", line: "1/0" },
    ],
    answer: "The process {culprit} does not call accept(), and as many wait as its listen() allowed. Why it does not is \
             to be seen in it; a longer backlog only makes it later.",
};
