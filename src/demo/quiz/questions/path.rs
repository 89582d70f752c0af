//! A socket's file that was left behind.

use std::io;

use crate::demo::cast::LISTENER;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Part, Question, Shown};
use crate::demo::stage::Stage;

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    Ok(stage.leave_file(LISTENER)?.display().to_string())
}

/// bind() with a path, and no unlink().
pub(super) const QUESTION: Question = Question {
    name: "socketfile",
    needs: &[Need::Linux],
    parts: &[Part::new("agent", play)],
    target: 0,
    culprit: None,
    symptom: "Since the power failed, your server does not start: bind({target}) fails with EADDRINUSE. Who connects \
              there is refused.",
    causes: &[
        Cause::StaleFile,
        Cause::Listening,
        Cause::Inherited,
        Cause::Privilege,
        Cause::InFlight,
    ],
    hints: &[
        "It is a path: for a socket of UNIX, bind() makes a file.",
        "ls -l {target} shows that file; sockscope why {target} looks for who has the socket.",
        "close() does not remove the file.",
    ],
    shown: &[Shown { command: "why {target}", line: "left over" }],
    answer: "Nobody has the socket of that file: it is what a run left that did not unlink() it. Remove it; servers do so \
             before bind(), when nobody answers there.",
};
