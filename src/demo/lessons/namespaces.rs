//! Network namespaces: one port, twice.

use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::rows::{Row, Whose};
use crate::demo::{Lesson, Step};
use crate::state::TcpState::Listen;

const SECOND: Role = Role::server("second");
const ELSEWHERE: Role = Role::child("elsewhere");

/// The same address and port in another namespace.
pub(super) const LESSON: Lesson = Lesson {
    name: "netns",
    title: "network namespaces: one port, taken and free at once",
    needs: &[Need::Namespaces],
    steps: &[
        Step {
            act: |stage| {
                stage.listener(LISTENER, 8)?;
                stage.tcp(SECOND)?;
                stage.fails("EADDRINUSE", |stage| stage.bind_where(SECOND, LISTENER))
            },
            say: "A port that is taken, as everywhere.",
            expect: &[Row::held(LISTENER, Listen)],
        },
        Step {
            act: |stage| stage.start_elsewhere(ELSEWHERE, LISTENER),
            say: "A child in a network namespace of its own, as in a container, takes the same address and port: \
                  there it is free. Most tools show only one of the two; NETNS tells them apart.",
            expect: &[Row::held(ELSEWHERE, Listen).whose(Whose::Inherited)],
        },
        Step {
            act: |stage| stage.end_child(),
            say: "The child ends, and its namespace with it: nothing else was in there.",
            expect: &[Row::gone(ELSEWHERE)],
        },
    ],
};
