//! The orderly close, half by half.

use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{CloseWait, Established, FinWait2, Listen, TimeWait};

/// shutdown, and what the other side may still do.
pub(super) const LESSON: Lesson = Lesson {
    name: "halfclose",
    title: "the orderly close: one half, then the other",
    needs: &[Need::Winsock],
    steps: &[
        Step {
            act: |stage| {
                stage.listener(LISTENER, 8)?;
                stage.connection(LISTENER, CLIENT, SERVER)
            },
            say: "An open connection.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::held(CLIENT, Established),
                Row::held(SERVER, Established).waiting(0),
            ],
        },
        Step {
            act: |stage| stage.shutdown(CLIENT),
            say: "The client will send no more, and says so (FIN); it keeps its descriptor and can still \
                  receive. The 1 in the server's RECVQ is the FIN.",
            expect: &[Row::held(CLIENT, FinWait2), Row::held(SERVER, CloseWait).waiting(1)],
        },
        Step {
            act: |stage| stage.recv(SERVER),
            say: "The server has read to the end. CLOSE_WAIT is its state: it waits for its own close().",
            expect: &[Row::held(SERVER, CloseWait).waiting(0)],
        },
        Step {
            act: |stage| stage.send(SERVER, "the answer"),
            say: "It may still send for as long as it likes: ten bytes wait at the client.",
            expect: &[Row::held(CLIENT, FinWait2).waiting(10)],
        },
        Step {
            act: |stage| stage.recv(CLIENT),
            say: "The client gets the answer on a connection it had closed, for its own half.",
            expect: &[Row::held(CLIENT, FinWait2).waiting(0)],
        },
        Step {
            act: |stage| stage.close(SERVER),
            say: "Now the other half is closed too: the row of who closed first stays in TIME_WAIT, the \
                  kernel's alone, though the client has not closed its descriptor.",
            expect: &[Row::kernel(CLIENT, TimeWait), Row::gone(SERVER)],
        },
        Step {
            act: |stage| {
                stage.recv(CLIENT)?;
                stage.close(CLIENT)
            },
            say: "The client reads the end and closes: nothing changes. TIME_WAIT goes by itself.",
            expect: &[],
        },
    ],
};
