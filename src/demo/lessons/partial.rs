//! Partial sends and reads: TCP is a stream of bytes, and its two queues have an end.

use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::socket::TimerKind::Persist;
use crate::state::TcpState::{Established, Listen};

/// A sender that is faster than its reader.
pub(super) const LESSON: Lesson = Lesson {
    name: "partial",
    title: "partial sends and reads: why send() and recv() need a loop",
    needs: &[Need::Winsock],
    steps: &[
        Step {
            act: |stage| {
                stage.tcp(LISTENER)?;
                stage.small_buffer(LISTENER)?;
                stage.bind(LISTENER)?;
                stage.listen(LISTENER, 8)?;
                stage.connection(LISTENER, CLIENT, SERVER)
            },
            say: "A connection whose server has a small receive buffer, so that it is soon full.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::held(CLIENT, Established).waiting(0),
                Row::held(SERVER, Established).waiting(0),
            ],
        },
        Step {
            act: |stage| stage.fill(CLIENT),
            say: "The server does not read: its buffer is full (RECVQ), then the client's (SENDQ), and only \
                  then send() refuses; the timer 'persist' asks now and then whether there is room again.",
            expect: &[
                Row::held(CLIENT, Established).some_unsent().timer(Persist),
                Row::held(SERVER, Established).some_waiting(),
            ],
        },
        Step {
            act: |stage| stage.recv_up_to(SERVER, 1000),
            say: "1000 of the bytes: what the client gave to one send() is not kept together; TCP has no messages.",
            expect: &[],
        },
        Step {
            act: |stage| stage.recv_up_to(SERVER, 1 << 20),
            say: "recv() for a megabyte returns what is there, which is less: no error, and not the end.",
            expect: &[Row::held(CLIENT, Established), Row::held(SERVER, Established)],
        },
        Step {
            act: |stage| stage.recv_all(SERVER, CLIENT),
            say: "A loop gets all of it; as the server makes room, the client's kernel sends the rest by itself.",
            expect: &[
                Row::held(CLIENT, Established).all_sent(),
                Row::held(SERVER, Established).waiting(0),
            ],
        },
    ],
};
