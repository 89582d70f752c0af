//! A leak: CLOSE_WAIT that piles up.

use std::io;

use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::stage::Stage;
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{CloseWait, FinWait2, Listen, TimeWait};

const CLIENTS: [Role; 3] =
    [Role::client("client 1"), Role::client("client 2"), Role::client("client 3")];
const SERVERS: [Role; 3] =
    [Role::server("server 1"), Role::server("server 2"), Role::server("server 3")];

/// A client comes, is served, and goes.
fn visit(stage: &mut Stage, client: Role, server: Role) -> io::Result<()> {
    stage.connection(LISTENER, client, server)?;
    stage.send(client, "a request")?;
    stage.recv(server)?;
    stage.close(client)
}

/// A server that never closes.
pub(super) const LESSON: Lesson = Lesson {
    name: "leak",
    title: "a leak: CLOSE_WAIT piles up, and whose bug that is",
    needs: &[Need::Linux],
    steps: &[
        Step {
            act: |stage| {
                stage.listener(LISTENER, 8)?;
                visit(stage, CLIENTS[0], SERVERS[0])
            },
            say: "A client came, asked and went. The server has read the request and forgets the connection.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::kernel(CLIENTS[0], FinWait2),
                Row::held(SERVERS[0], CloseWait).waiting(1),
            ],
        },
        Step {
            act: |stage| {
                visit(stage, CLIENTS[1], SERVERS[1])?;
                visit(stage, CLIENTS[2], SERVERS[2])
            },
            say: "Each visit leaves a row in CLOSE_WAIT, with a descriptor of the server's: FD counts up. The \
                  clients' rows end after a minute; these never do, and at the limit of open files accept() \
                  fails.",
            expect: &[
                Row::kernel(CLIENTS[1], FinWait2),
                Row::held(SERVERS[1], CloseWait).waiting(1),
                Row::kernel(CLIENTS[2], FinWait2),
                Row::held(SERVERS[2], CloseWait).waiting(1),
            ],
        },
        Step {
            act: |stage| stage.recv(SERVERS[0]),
            say: "The 1 in RECVQ was the end of the stream, which the server has not read; 0 means that it has, \
                  and still does not close. Either way it is the server's bug, never the network's.",
            expect: &[Row::held(SERVERS[0], CloseWait).waiting(0)],
        },
        Step {
            act: |stage| {
                // Closing before the end was read would be as good, and as orderly.
                SERVERS.into_iter().try_for_each(|server| stage.close(server))
            },
            say: "The cure is close(), in the server.",
            expect: &[
                Row::kernel(CLIENTS[0], TimeWait),
                Row::kernel(CLIENTS[1], TimeWait),
                Row::kernel(CLIENTS[2], TimeWait),
                Row::gone(SERVERS[0]),
                Row::gone(SERVERS[1]),
                Row::gone(SERVERS[2]),
            ],
        },
    ],
};
