//! Inheritance: a socket that lives on in a child.

use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::rows::{Row, Whose};
use crate::demo::{Lesson, Step};
use crate::state::TcpState::Listen;

const RESTARTED: Role = Role::server("restarted");

/// A listener that a child has without knowing it.
pub(super) const LESSON: Lesson = Lesson {
    name: "inherit",
    title: "inheritance: the server has ended, its child has the port",
    needs: &[Need::Inheritance],
    steps: &[
        Step {
            act: |stage| {
                stage.tcp(LISTENER)?;
                stage.reuse_address(LISTENER)?;
                stage.bind(LISTENER)?;
                stage.listen(LISTENER, 8)
            },
            say: "A server, which has set SO_REUSEADDR as it should.",
            expect: &[Row::held(LISTENER, Listen)],
        },
        Step {
            act: |stage| stage.start_child(Some(LISTENER)),
            say: "It starts another program, and forgets to close the listener in it: one socket, one row, two \
                  processes that have it (PID shows +1).",
            expect: &[Row::held(LISTENER, Listen).whose(Whose::Shared)],
        },
        Step {
            act: |stage| stage.close(LISTENER),
            say: "The server closes it, or ends: nothing changes but the owner. The port is with a program \
                  that has no idea of it, and whoever connects waits for ever.",
            expect: &[Row::held(LISTENER, Listen).whose(Whose::Inherited)],
        },
        Step {
            act: |stage| {
                stage.tcp(RESTARTED)?;
                stage.reuse_address(RESTARTED)?;
                stage.fails("EADDRINUSE", |stage| stage.bind_where(RESTARTED, LISTENER))
            },
            say: "So the server cannot start again, though 'it does not run any more'.",
            expect: &[],
        },
        Step {
            act: |stage| {
                stage.end_child()?;
                stage.bind_where(RESTARTED, LISTENER)?;
                stage.listen(RESTARTED, 8)
            },
            say: "When the child ends, the last descriptor is closed, and the port is free.",
            expect: &[Row::gone(LISTENER), Row::held(RESTARTED, Listen)],
        },
        Step {
            act: |stage| stage.start_child(None),
            say: "The cure is close-on-exec (O_CLOEXEC), which most languages set by now: this child has not \
                  inherited it.",
            expect: &[Row::held(RESTARTED, Listen)],
        },
    ],
};
