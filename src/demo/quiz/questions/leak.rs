//! Connections that nobody closes.

use std::io;

use super::listen;
use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::Stage;

const CLIENTS: [Role; 8] = [
    Role::client("client 1"),
    Role::client("client 2"),
    Role::client("client 3"),
    Role::client("client 4"),
    Role::client("client 5"),
    Role::client("client 6"),
    Role::client("client 7"),
    Role::client("client 8"),
];

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    let address = listen(stage, "")?;
    for client in CLIENTS {
        stage.connection(LISTENER, client, Role::server(client.name))?;
        stage.close(client)?;
    }
    Ok(address)
}

/// CLOSE_WAIT, more and more.
pub(super) const QUESTION: Question = Question {
    name: "nightly",
    needs: &[Need::Linux],
    parts: &[Part::new("mailer", play)],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "The server of {target} must be restarted every night: after some hours accept() fails with EMFILE, too \
              many open files. There are never more than a few clients at a time.",
    causes: &[
        Cause::NotClosed,
        Cause::FullBacklog,
        Cause::Keepalive,
        Cause::TimeWait,
        Cause::Inherited,
    ],
    hints: &[
        "A descriptor for each connection there ever was: which of them are over?",
        "sockscope list 'sport {port}': in which state are most?",
        "CLOSE_WAIT: the other end has closed. Who must call close() now?",
    ],
    shown: &[
        Shown { command: "list 'sport {port} and state close-wait'", line: "{culprit}" },
        Shown { command: "port {port}", line: "CLOSE_WAIT" },
    ],
    answer: "The process {culprit} has connections in CLOSE_WAIT: the clients have closed, and it never does. The bug is \
             in the server: whoever gets 0 from recv() must close().",
};
