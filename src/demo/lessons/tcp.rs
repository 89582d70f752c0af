//! The life of one TCP connection, from `socket` to TIME_WAIT.

use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{Bound, CloseWait, Established, FinWait2, Listen, TimeWait};

/// bind, listen, connect, accept, send, recv, close, TIME_WAIT.
pub(super) const LESSON: Lesson = Lesson {
    name: "tcp",
    title: "the life of a TCP connection, from socket() to TIME_WAIT",
    needs: &[],
    steps: &[
        Step {
            act: |stage| stage.tcp(LISTENER),
            say: "A socket without an address is in no table: socket() alone reserves nothing.",
            expect: &[],
        },
        Step {
            act: |stage| stage.bind(LISTENER),
            say: "The port is taken from here on, before listen(); most tools do not show this row.",
            expect: &[Row::held(LISTENER, Bound)],
        },
        Step {
            act: |stage| stage.listen(LISTENER, 8),
            say: "Now it accepts connections: 0 of 8 wait in its queue.",
            expect: &[Row::held(LISTENER, Listen).waiting(0)],
        },
        Step {
            act: |stage| stage.client(CLIENT, LISTENER, SERVER),
            say: "The kernel has shaken hands by itself: both ends are open, though nobody called accept() yet.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(1),
                Row::held(CLIENT, Established).waiting(0),
                Row::unaccepted(SERVER).waiting(0),
            ],
        },
        Step {
            act: |stage| stage.accept(SERVER, LISTENER),
            say: "accept() gave the waiting connection a descriptor: a new socket on the same local port.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::held(SERVER, Established).waiting(0),
            ],
        },
        Step {
            act: |stage| stage.send(CLIENT, "hello"),
            say: "Five bytes lie unread at the server's end: its RECVQ.",
            expect: &[Row::held(SERVER, Established).waiting(5)],
        },
        Step {
            act: |stage| stage.recv(SERVER),
            say: "The server has read them; its queue is empty again.",
            expect: &[Row::held(SERVER, Established).waiting(0)],
        },
        Step {
            act: |stage| stage.send(SERVER, "hello"),
            say: "The echo: now five bytes lie unread at the client's end.",
            expect: &[Row::held(CLIENT, Established).waiting(5)],
        },
        Step {
            act: |stage| stage.recv(CLIENT),
            say: "Two rows, one connection: the addresses of one are those of the other, mirrored.",
            expect: &[Row::held(CLIENT, Established).waiting(0)],
        },
        Step {
            act: |stage| stage.close(CLIENT),
            say: "The client closed first; the server has not noticed: the 1 in its RECVQ is the FIN, not data.",
            expect: &[Row::kernel(CLIENT, FinWait2), Row::held(SERVER, CloseWait).waiting(1)],
        },
        Step {
            act: |stage| stage.recv(SERVER),
            say: "recv() returning 0 is the FIN, read; CLOSE_WAIT lasts until the server closes too.",
            expect: &[Row::held(SERVER, CloseWait).waiting(0)],
        },
        Step {
            act: |stage| stage.close(SERVER),
            say: "Whoever closed first keeps TIME_WAIT, for 60 seconds on Linux, and no process owns it.",
            expect: &[Row::kernel(CLIENT, TimeWait), Row::gone(SERVER)],
        },
        Step {
            act: |stage| stage.close(LISTENER),
            say: "The listener is gone at once; the TIME_WAIT row goes by itself.",
            expect: &[Row::gone(LISTENER)],
        },
    ],
};
