//! A full backlog: why a client hangs, and is not refused.

use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::socket::TimerKind::On;
use crate::state::TcpState::{Established, Listen, SynSent};

const CLIENTS: [Role; 5] = [
    Role::client("client 1"),
    Role::client("client 2"),
    Role::client("client 3"),
    Role::client("client 4"),
    Role::client("client 5"),
];
const SERVERS: [Role; 2] = [Role::server("server 1"), Role::server("server 2")];

/// listen(0), five clients, no accept.
pub(super) const LESSON: Lesson = Lesson {
    name: "backlog",
    title: "a full backlog: why a client hangs instead of being refused",
    needs: &[Need::Linux],
    steps: &[
        Step {
            act: |stage| stage.listener(LISTENER, 0),
            say: "A listener that lets nobody wait. On Linux that is one: the queue is full when it holds more \
                  than its limit.",
            expect: &[Row::held(LISTENER, Listen).waiting(0)],
        },
        Step {
            act: |stage| stage.client(CLIENTS[0], LISTENER, SERVERS[0]),
            say: "The first client is connected and waits: 1/0, the queue is full.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(1),
                Row::held(CLIENTS[0], Established),
                Row::unaccepted(SERVERS[0]),
            ],
        },
        Step {
            act: |stage| {
                CLIENTS.into_iter().skip(1).try_for_each(|client| {
                    stage.tcp(client)?;
                    stage.keep_asking(client)?;
                    stage.nonblocking(client)?;
                    let server = (client == CLIENTS[1]).then_some(SERVERS[1]);
                    stage.fails("EINPROGRESS", |stage| stage.connect(client, LISTENER, server))
                })
            },
            say: "Four more get no answer, neither yes nor no: their SYN is dropped, and sent again when the \
                  timer 'on' runs out, each time later. At the server there is no row of them.",
            expect: &[
                Row::held(CLIENTS[1], SynSent).timer(On),
                Row::held(CLIENTS[2], SynSent).timer(On),
                Row::held(CLIENTS[3], SynSent).timer(On),
                Row::held(CLIENTS[4], SynSent).timer(On),
            ],
        },
        Step {
            act: |stage| CLIENTS.into_iter().skip(2).try_for_each(|client| stage.close(client)),
            say: "Three give up: their rows are gone, and the server never knew of them.",
            expect: &[Row::gone(CLIENTS[2]), Row::gone(CLIENTS[3]), Row::gone(CLIENTS[4])],
        },
        Step {
            act: |stage| stage.accept(SERVERS[0], LISTENER),
            say: "The server accepts one: there is room, and when its next SYN goes out, the client that \
                  waited is in. What it felt was a slow connection.",
            expect: &[
                Row::held(SERVERS[0], Established),
                Row::held(CLIENTS[1], Established),
                Row::unaccepted(SERVERS[1]),
            ],
        },
    ],
};
