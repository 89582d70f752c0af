//! Three clients at once: one listener, and a socket for each connection.

use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{Established, Listen, TimeWait};

/// One server process, many connections.
pub(super) const LESSON: Lesson = Lesson {
    name: "clients",
    title: "three clients at once: one listener, one port, seven rows",
    steps: &[
        Step {
            act: |stage| {
                stage.tcp("listener")?;
                stage.bind("listener")?;
                stage.listen("listener", 8)
            },
            say: "One listener.",
            expect: &[Row::held("listener", Listen).waiting(0)],
        },
        Step {
            act: |stage| {
                stage.tcp("client 1")?;
                stage.tcp("client 2")?;
                stage.tcp("client 3")?;
                stage.connect("client 1", "listener", Some("server 1"))?;
                stage.connect("client 2", "listener", Some("server 2"))?;
                stage.connect("client 3", "listener", Some("server 3"))
            },
            say: "All three are connected; all three wait in the listener's queue.",
            expect: &[
                Row::held("listener", Listen).waiting(3),
                Row::held("client 1", Established),
                Row::unaccepted("server 1"),
                Row::held("client 2", Established),
                Row::unaccepted("server 2"),
                Row::held("client 3", Established),
                Row::unaccepted("server 3"),
            ],
        },
        Step {
            act: |stage| {
                stage.accept("server 1", "listener")?;
                stage.accept("server 2", "listener")?;
                stage.accept("server 3", "listener")
            },
            say: "Four sockets share one local port: what tells connections apart is the peer.",
            expect: &[
                Row::held("listener", Listen).waiting(0),
                Row::held("client 1", Established),
                Row::held("server 1", Established),
                Row::held("client 2", Established),
                Row::held("server 2", Established),
                Row::held("client 3", Established),
                Row::held("server 3", Established),
            ],
        },
        Step {
            act: |stage| {
                stage.send("client 1", "one")?;
                stage.send("client 2", "two, two")?;
                stage.send("client 3", "three, three")
            },
            say: "Each connection has a queue of its own: 3, 8 and 12 bytes wait.",
            expect: &[
                Row::held("listener", Listen),
                Row::held("client 1", Established),
                Row::held("server 1", Established).waiting(3),
                Row::held("client 2", Established),
                Row::held("server 2", Established).waiting(8),
                Row::held("client 3", Established),
                Row::held("server 3", Established).waiting(12),
            ],
        },
        Step {
            act: |stage| {
                stage.recv("server 3")?;
                stage.recv("server 1")?;
                stage.recv("server 2")
            },
            say: "The server reads them in any order it likes; a selector tells it which are ready.",
            expect: &[
                Row::held("listener", Listen),
                Row::held("client 1", Established),
                Row::held("server 1", Established).waiting(0),
                Row::held("client 2", Established),
                Row::held("server 2", Established).waiting(0),
                Row::held("client 3", Established),
                Row::held("server 3", Established).waiting(0),
            ],
        },
        Step {
            act: |stage| {
                stage.close("client 1")?;
                stage.close("client 2")?;
                stage.close("client 3")?;
                // Whose FIN has arrived closed first. Without this both ends may close at once, and
                // both keep TIME_WAIT.
                stage.recv("server 1")?;
                stage.recv("server 2")?;
                stage.recv("server 3")?;
                stage.close("server 1")?;
                stage.close("server 2")?;
                stage.close("server 3")
            },
            say: "Three rows of TIME_WAIT at the clients' ports; the server's port has only its listener.",
            expect: &[
                Row::held("listener", Listen),
                Row::kernel("client 1", TimeWait),
                Row::kernel("client 2", TimeWait),
                Row::kernel("client 3", TimeWait),
            ],
        },
        Step {
            act: |stage| stage.close("listener"),
            say: "The port is free again: TIME_WAIT at the clients' ends does not hold it.",
            expect: &[
                Row::kernel("client 1", TimeWait),
                Row::kernel("client 2", TimeWait),
                Row::kernel("client 3", TimeWait),
            ],
        },
    ],
};
