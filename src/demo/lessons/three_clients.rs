//! Three clients at once: one listener, and a socket for each connection.

use crate::demo::cast::{LISTENER, Role};
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{Established, Listen, TimeWait};

const CLIENTS: [Role; 3] =
    [Role::client("client 1"), Role::client("client 2"), Role::client("client 3")];
const SERVERS: [Role; 3] =
    [Role::server("server 1"), Role::server("server 2"), Role::server("server 3")];

/// One server process, many connections.
pub(super) const LESSON: Lesson = Lesson {
    name: "clients",
    title: "three clients at once: one listener, one port, seven rows",
    needs: &[],
    steps: &[
        Step {
            act: |stage| stage.listener(LISTENER, 8),
            say: "One listener.",
            expect: &[Row::held(LISTENER, Listen).waiting(0)],
        },
        Step {
            act: |stage| {
                let mut pairs = CLIENTS.into_iter().zip(SERVERS);
                pairs.try_for_each(|(client, server)| stage.client(client, LISTENER, server))
            },
            say: "All three are connected; all three wait in the listener's queue.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(3),
                Row::held(CLIENTS[0], Established),
                Row::unaccepted(SERVERS[0]),
                Row::held(CLIENTS[1], Established),
                Row::unaccepted(SERVERS[1]),
                Row::held(CLIENTS[2], Established),
                Row::unaccepted(SERVERS[2]),
            ],
        },
        Step {
            act: |stage| SERVERS.into_iter().try_for_each(|server| stage.accept(server, LISTENER)),
            say: "Four sockets share one local port: what tells connections apart is the peer.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::held(SERVERS[0], Established),
                Row::held(SERVERS[1], Established),
                Row::held(SERVERS[2], Established),
            ],
        },
        Step {
            act: |stage| {
                stage.send(CLIENTS[0], "one")?;
                stage.send(CLIENTS[1], "two, two")?;
                stage.send(CLIENTS[2], "three, three")
            },
            say: "Each connection has a queue of its own: 3, 8 and 12 bytes wait.",
            expect: &[
                Row::held(SERVERS[0], Established).waiting(3),
                Row::held(SERVERS[1], Established).waiting(8),
                Row::held(SERVERS[2], Established).waiting(12),
            ],
        },
        Step {
            act: |stage| {
                stage.poll(&SERVERS)?;
                stage.recv(SERVERS[2])?;
                stage.recv(SERVERS[0])?;
                stage.recv(SERVERS[1])
            },
            say: "The server reads them in any order it likes; poll(), a selector, tells it which are ready.",
            expect: &[
                Row::held(SERVERS[0], Established).waiting(0),
                Row::held(SERVERS[1], Established).waiting(0),
                Row::held(SERVERS[2], Established).waiting(0),
            ],
        },
        Step {
            act: |stage| {
                CLIENTS.into_iter().try_for_each(|client| stage.close(client))?;
                // Whose FIN has arrived closed first. Without this both ends may close at once, and
                // both keep TIME_WAIT.
                SERVERS.into_iter().try_for_each(|server| stage.recv(server))?;
                SERVERS.into_iter().try_for_each(|server| stage.close(server))
            },
            say: "Three rows of TIME_WAIT at the clients' ports; the server's port has only its listener.",
            expect: &[
                Row::kernel(CLIENTS[0], TimeWait),
                Row::kernel(CLIENTS[1], TimeWait),
                Row::kernel(CLIENTS[2], TimeWait),
                Row::gone(SERVERS[0]),
                Row::gone(SERVERS[1]),
                Row::gone(SERVERS[2]),
            ],
        },
        Step {
            act: |stage| stage.close(LISTENER),
            say: "The port is free again: TIME_WAIT at the clients' ends does not hold it.",
            expect: &[Row::gone(LISTENER)],
        },
    ],
};
