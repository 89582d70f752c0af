//! UDP: no connection, no states, only addresses.

use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};

/// bind, connect, send, recv, sendto, close.
pub(super) const LESSON: Lesson = Lesson {
    name: "udp",
    title: "UDP: datagrams, no handshake, no states",
    steps: &[
        Step {
            act: |stage| {
                stage.udp("server")?;
                stage.bind("server")
            },
            say: "A bound UDP socket receives at once: there is no listen() and no state.",
            expect: &[Row::udp("server")],
        },
        Step {
            act: |stage| {
                stage.udp("client")?;
                stage.connect("client", "server", None)
            },
            say: "connect() sent nothing: it only noted the peer; the server's row does not change.",
            expect: &[Row::udp("server"), Row::udp("client")],
        },
        Step {
            act: |stage| stage.send("client", "hello"),
            say: "RECVQ counts the kernel's buffer for the datagram, which is more than its 5 bytes.",
            expect: &[Row::udp("server").some_waiting(), Row::udp("client").waiting(0)],
        },
        Step {
            act: |stage| stage.recv("server"),
            say: "One recv() takes one whole datagram: boundaries are kept, unlike in TCP.",
            expect: &[Row::udp("server").waiting(0), Row::udp("client").waiting(0)],
        },
        Step {
            act: |stage| stage.send_to("server", "client", "hello"),
            say: "The server answers by address: it has no connection to answer on.",
            expect: &[Row::udp("server").waiting(0), Row::udp("client").some_waiting()],
        },
        Step {
            act: |stage| stage.recv("client"),
            say: "The client takes datagrams from the peer it noted, and from nobody else.",
            expect: &[Row::udp("server").waiting(0), Row::udp("client").waiting(0)],
        },
        Step {
            act: |stage| stage.close("client"),
            say: "The row is gone at once: no FIN, no TIME_WAIT, and the server is not told.",
            expect: &[Row::udp("server")],
        },
        Step { act: |stage| stage.close("server"), say: "Nothing is left.", expect: &[] },
    ],
};
