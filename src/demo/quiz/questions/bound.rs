//! A port that is taken and in no list of listeners.

use std::io;

use crate::demo::cast::LISTENER;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::Stage;

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    stage.tcp(LISTENER)?;
    stage.bind(LISTENER)?;
    Ok(stage.address(LISTENER)?.to_string())
}

/// bind() without listen().
pub(super) const QUESTION: Question = Question {
    name: "unlisted",
    needs: &[Need::SockDiag],
    parts: &[Part::new("billing", play)],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "Your server does not start: bind({target}) fails with EADDRINUSE. 'lsof -i :{port}' and 'netstat -an' \
              show nothing, and who connects there is refused.",
    causes: &[Cause::Bound, Cause::Listening, Cause::TimeWait, Cause::Outgoing, Cause::Elsewhere],
    hints: &[
        "Refused: so nobody listens. But EADDRINUSE takes only a bind().",
        "Some lists show what listens and what is connected, and nothing between. sockscope port {port} shows all.",
        "STATE says BOUND.",
    ],
    shown: &[
        Shown { command: "why {target}", line: "{culprit}" },
        Shown { command: "list 'sport {port}'", line: "BOUND" },
    ],
    answer: "The process {culprit} has bound the port and not called listen(): a server that hangs in its start, or a \
             client that chose its own port.",
};
