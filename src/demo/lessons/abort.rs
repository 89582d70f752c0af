//! The abort: RST instead of FIN.

use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{Established, Listen};

/// SO_LINGER 0, unread data, ECONNRESET, EPIPE.
pub(super) const LESSON: Lesson = Lesson {
    name: "abort",
    title: "connection reset by peer: the two ways to send RST",
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
                Row::held(SERVER, Established),
            ],
        },
        Step {
            act: |stage| {
                stage.linger_zero(CLIENT)?;
                stage.close(CLIENT)
            },
            say: "close() with a linger of 0 sends RST: both rows vanish, no TIME_WAIT stays, and the server \
                  still has a descriptor, of nothing.",
            expect: &[Row::gone(CLIENT), Row::gone(SERVER)],
        },
        Step {
            act: |stage| stage.fails("ECONNRESET", |stage| stage.recv(SERVER)),
            say: "The server is told when it next calls: reset by peer.",
            expect: &[],
        },
        Step {
            act: |stage| stage.fails("EPIPE", |stage| stage.send(SERVER, "hello")),
            say: "It is told once; from then on there is just no connection to send on.",
            expect: &[],
        },
        Step {
            act: |stage| {
                stage.close(SERVER)?;
                stage.connection(LISTENER, CLIENT, SERVER)?;
                stage.send(CLIENT, "a request")
            },
            say: "A new connection: nine bytes wait for the server.",
            expect: &[Row::held(CLIENT, Established), Row::held(SERVER, Established).waiting(9)],
        },
        Step {
            act: |stage| stage.close(SERVER),
            say: "The server closes without reading them. Data was lost, so this close() sends RST too.",
            expect: &[Row::gone(CLIENT), Row::gone(SERVER)],
        },
        Step {
            act: |stage| stage.fails("ECONNRESET", |stage| stage.recv(CLIENT)),
            say: "So the client sees a reset, and loses an answer that was on its way: read to the end first.",
            expect: &[],
        },
    ],
};
