//! What `connect()` can answer: refused, in progress, done, done already.

use crate::demo::cast::{CLIENT, LISTENER, Role, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::socket::TimerKind::On;
use crate::state::TcpState::{Bound, Established, Listen, SynSent};

const CLOSED: Role = Role::server("not listening");
const FIRST: Role = Role::client("first");
const FIRST_SERVER: Role = Role::server("first's server");

/// The errors of `connect()`, each with the row it leaves.
pub(super) const LESSON: Lesson = Lesson {
    name: "errors",
    title: "what connect() answers: ECONNREFUSED, EINPROGRESS, EISCONN",
    needs: &[Need::SilentQueue],
    steps: &[
        Step {
            act: |stage| {
                stage.tcp(CLOSED)?;
                stage.bind(CLOSED)
            },
            say: "A port that somebody has bound, though nobody listens there.",
            expect: &[Row::held(CLOSED, Bound)],
        },
        Step {
            act: |stage| {
                stage.tcp(CLIENT)?;
                stage.fails("ECONNREFUSED", |stage| stage.connect(CLIENT, CLOSED, None))
            },
            say: "Refused, at once: the other side answered, and nobody listens; the client has no row.",
            expect: &[],
        },
        Step {
            act: |stage| {
                stage.close(CLIENT)?;
                stage.close(CLOSED)?;
                stage.listener(LISTENER, 0)?;
                stage.client(FIRST, LISTENER, FIRST_SERVER)
            },
            say: "A listener with room for one connection, which is taken: its queue is full.",
            expect: &[
                Row::gone(CLOSED),
                Row::held(LISTENER, Listen).waiting(1),
                Row::held(FIRST, Established),
                Row::unaccepted(FIRST_SERVER),
            ],
        },
        Step {
            act: |stage| {
                stage.tcp(CLIENT)?;
                stage.keep_asking(CLIENT)?;
                stage.nonblocking(CLIENT)?;
                stage.fails("EINPROGRESS", |stage| stage.connect(CLIENT, LISTENER, Some(SERVER)))
            },
            say: "No failure: it goes on in the kernel. SYN_SENT lasts, because a full queue answers nothing; \
                  the timer 'on' counts to the next SYN.",
            expect: &[Row::held(CLIENT, SynSent).timer(On)],
        },
        Step {
            act: |stage| stage.fails("EALREADY", |stage| stage.connect(CLIENT, LISTENER, None)),
            say: "Asked again, it says that it is still at it.",
            expect: &[],
        },
        Step {
            act: |stage| stage.accept(FIRST_SERVER, LISTENER),
            say: "There is room again: the next SYN is answered, and the connection is made.",
            expect: &[
                Row::held(FIRST_SERVER, Established),
                Row::held(CLIENT, Established),
                Row::unaccepted(SERVER),
            ],
        },
        Step {
            act: |stage| {
                stage.connect(CLIENT, LISTENER, None)?;
                stage.fails("EISCONN", |stage| stage.connect(CLIENT, LISTENER, None))
            },
            say: "The next call says 0: it is done; and the one after that, that it was done before.",
            expect: &[],
        },
    ],
};
