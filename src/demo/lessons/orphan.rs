//! An orphan: closed, and far from done.

use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::socket::TimerKind::Persist;
use crate::state::TcpState::{CloseWait, Established, FinWait1, FinWait2, Listen, TimeWait};

/// close with data that the peer does not read.
pub(super) const LESSON: Lesson = Lesson {
    name: "orphan",
    title: "an orphan: close() is not the end of sending",
    needs: &[Need::Linux],
    steps: &[
        Step {
            act: |stage| {
                stage.tcp(LISTENER)?;
                stage.small_buffer(LISTENER)?;
                stage.bind(LISTENER)?;
                stage.listen(LISTENER, 8)?;
                stage.connection(LISTENER, CLIENT, SERVER)?;
                stage.fill(CLIENT)
            },
            say: "A client has given its kernel all it takes; the server does not read.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::held(CLIENT, Established).some_unsent().timer(Persist),
                Row::held(SERVER, Established).some_waiting(),
            ],
        },
        Step {
            act: |stage| stage.close(CLIENT),
            say: "close() returns 0 at once. No process has the socket now, and the kernel keeps it with \
                  megabytes to send: an orphan. If they never arrive, nobody is told.",
            expect: &[Row::kernel(CLIENT, FinWait1).some_unsent().timer(Persist)],
        },
        Step {
            act: |stage| stage.recv_all(SERVER, CLIENT),
            say: "The server reads, the kernel sends the rest and the FIN, though the client's program has \
                  long gone on.",
            expect: &[Row::kernel(CLIENT, FinWait2), Row::held(SERVER, CloseWait)],
        },
        Step {
            act: |stage| {
                stage.recv(SERVER)?;
                stage.close(SERVER)
            },
            say: "Now it ends as any connection does.",
            expect: &[Row::kernel(CLIENT, TimeWait), Row::gone(SERVER)],
        },
    ],
};
