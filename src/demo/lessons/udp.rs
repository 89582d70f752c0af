//! UDP: no connection, no states, only addresses.

use crate::demo::cast::{CLIENT, Role, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};

const SECOND: Role = Role::client("client 2");

/// bind, connect, send, recv, sendto, close, and the error that comes back.
pub(super) const LESSON: Lesson = Lesson {
    name: "udp",
    title: "UDP: datagrams, no handshake, no states",
    needs: &[Need::Refusals],
    steps: &[
        Step {
            act: |stage| {
                stage.udp(SERVER)?;
                stage.bind(SERVER)
            },
            say: "A bound UDP socket receives at once: there is no listen() and no state.",
            expect: &[Row::udp(SERVER)],
        },
        Step {
            act: |stage| {
                stage.udp(CLIENT)?;
                stage.connect(CLIENT, SERVER, None)
            },
            say: "connect() sent nothing: it only noted the peer; the server's row does not change.",
            expect: &[Row::udp(CLIENT)],
        },
        Step {
            act: |stage| stage.send(CLIENT, "hello"),
            say: "RECVQ counts the kernel's buffer for the datagram, which is more than its 5 bytes.",
            expect: &[Row::udp(SERVER).some_waiting(), Row::udp(CLIENT).waiting(0)],
        },
        Step {
            act: |stage| stage.recv(SERVER),
            say: "One recv() takes one whole datagram: boundaries are kept, unlike in TCP.",
            expect: &[Row::udp(SERVER).waiting(0)],
        },
        Step {
            act: |stage| stage.send_to(SERVER, CLIENT, "hello"),
            say: "The server answers by address: it has no connection to answer on.",
            expect: &[Row::udp(CLIENT).some_waiting()],
        },
        Step {
            act: |stage| stage.recv(CLIENT),
            say: "The client takes datagrams from the peer it noted, and from nobody else.",
            expect: &[Row::udp(CLIENT).waiting(0)],
        },
        Step {
            act: |stage| {
                stage.udp(SECOND)?;
                stage.connect(SECOND, SERVER, None)?;
                stage.send(SECOND, "me too")?;
                stage.recv(SERVER)
            },
            say: "A second client makes no second row at the server: one socket receives from all.",
            expect: &[Row::udp(SERVER).waiting(0), Row::udp(SECOND).waiting(0)],
        },
        Step {
            act: |stage| stage.close(SECOND),
            say: "Its row is gone at once: no FIN, no TIME_WAIT, and the server is not told.",
            expect: &[Row::gone(SECOND)],
        },
        Step {
            act: |stage| {
                stage.close(SERVER)?;
                stage.send(CLIENT, "anybody there?")
            },
            say: "send() succeeds though nobody is there: all it says is that the datagram went out.",
            expect: &[Row::gone(SERVER)],
        },
        Step {
            act: |stage| stage.fails("ECONNREFUSED", |stage| stage.recv(CLIENT)),
            say: "The answer was an ICMP message, and the next call tells of it, because the socket is connected.",
            expect: &[],
        },
        Step {
            act: |stage| stage.close(CLIENT),
            say: "Nothing is left.",
            expect: &[Row::gone(CLIENT)],
        },
    ],
};
