//! The life of one TCP connection, from `socket` to TIME_WAIT.

use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{Bound, CloseWait, Established, FinWait2, Listen, TimeWait};

/// bind, listen, connect, accept, send, recv, close, TIME_WAIT.
pub(super) const LESSON: Lesson = Lesson {
    name: "tcp",
    title: "the life of a TCP connection, from socket() to TIME_WAIT",
    steps: &[
        Step {
            act: |stage| stage.tcp("listener"),
            say: "A socket without an address is in no table: socket() alone reserves nothing.",
            expect: &[],
        },
        Step {
            act: |stage| stage.bind("listener"),
            say: "The port is taken from here on, before listen(); most tools do not show this row.",
            expect: &[Row::held("listener", Bound)],
        },
        Step {
            act: |stage| stage.listen("listener", 8),
            say: "Now it accepts connections: 0 of 8 wait in its queue.",
            expect: &[Row::held("listener", Listen).waiting(0)],
        },
        Step {
            act: |stage| {
                stage.tcp("client")?;
                stage.connect("client", "listener", Some("server"))
            },
            say: "The kernel has shaken hands by itself: both ends are open, though nobody called accept() yet.",
            expect: &[
                Row::held("listener", Listen).waiting(1),
                Row::held("client", Established).waiting(0),
                Row::unaccepted("server").waiting(0),
            ],
        },
        Step {
            act: |stage| stage.accept("server", "listener"),
            say: "accept() gave the waiting connection a descriptor: a new socket on the same local port.",
            expect: &[
                Row::held("listener", Listen).waiting(0),
                Row::held("client", Established),
                Row::held("server", Established),
            ],
        },
        Step {
            act: |stage| stage.send("client", "hello"),
            say: "Five bytes lie unread at the server's end: its RECVQ.",
            expect: &[
                Row::held("listener", Listen),
                Row::held("client", Established).waiting(0),
                Row::held("server", Established).waiting(5),
            ],
        },
        Step {
            act: |stage| stage.recv("server"),
            say: "The server has read them; its queue is empty again.",
            expect: &[
                Row::held("listener", Listen),
                Row::held("client", Established).waiting(0),
                Row::held("server", Established).waiting(0),
            ],
        },
        Step {
            act: |stage| stage.send("server", "hello"),
            say: "The echo: now five bytes lie unread at the client's end.",
            expect: &[
                Row::held("listener", Listen),
                Row::held("client", Established).waiting(5),
                Row::held("server", Established).waiting(0),
            ],
        },
        Step {
            act: |stage| stage.recv("client"),
            say: "Two rows, one connection: the addresses of one are those of the other, mirrored.",
            expect: &[
                Row::held("listener", Listen),
                Row::held("client", Established).waiting(0),
                Row::held("server", Established).waiting(0),
            ],
        },
        Step {
            act: |stage| stage.close("client"),
            say: "The client closed first; the server has not noticed: the 1 in its RECVQ is the FIN, not data.",
            expect: &[
                Row::held("listener", Listen),
                Row::kernel("client", FinWait2),
                Row::held("server", CloseWait).waiting(1),
            ],
        },
        Step {
            act: |stage| stage.recv("server"),
            say: "recv() returning 0 is the FIN, read; CLOSE_WAIT lasts until the server closes too.",
            expect: &[
                Row::held("listener", Listen),
                Row::kernel("client", FinWait2),
                Row::held("server", CloseWait).waiting(0),
            ],
        },
        Step {
            act: |stage| stage.close("server"),
            say: "Whoever closed first keeps TIME_WAIT, for 60 seconds on Linux, and no process owns it.",
            expect: &[Row::held("listener", Listen), Row::kernel("client", TimeWait)],
        },
        Step {
            act: |stage| stage.close("listener"),
            say: "The listener is gone at once; the TIME_WAIT row goes by itself.",
            expect: &[Row::kernel("client", TimeWait)],
        },
    ],
};
