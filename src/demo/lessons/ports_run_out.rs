//! No port left: what a client runs out of, and for which destination.

use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{Established, Listen};

const OTHER: Role = Role::server("other");
const CLIENTS: [Role; 2] = [Role::client("client 1"), Role::client("client 2")];
const SERVERS: [Role; 2] = [Role::server("server 1"), Role::server("server 2")];
const THIRD: Role = Role::client("client 3");
const THIRD_SERVER: Role = Role::server("server 3");
const FOURTH: Role = Role::client("client 4");
const FOURTH_SERVER: Role = Role::server("server 4");

/// Two ports, three clients.
pub(super) const LESSON: Lesson = Lesson {
    name: "ports",
    title: "the ports run out: EADDRNOTAVAIL, and how soon",
    needs: &[Need::PortRange],
    steps: &[
        Step {
            act: |stage| {
                stage.listener(LISTENER, 8)?;
                stage.listener(OTHER, 8)
            },
            say: "Two servers.",
            expect: &[Row::held(LISTENER, Listen).waiting(0), Row::held(OTHER, Listen).waiting(0)],
        },
        Step {
            act: |stage| {
                stage.choose_narrow_range()?;
                for (client, server) in CLIENTS.into_iter().zip(SERVERS) {
                    stage.tcp(client)?;
                    stage.narrow_range(client)?;
                    stage.connect(client, LISTENER, Some(server))?;
                    stage.accept(server, LISTENER)?;
                }
                Ok(())
            },
            say: "connect() takes a port for the client's end, here from two; usually there are 28,232 \
                  (net.ipv4.ip_local_port_range).",
            expect: &[
                Row::held(CLIENTS[0], Established),
                Row::held(SERVERS[0], Established),
                Row::held(CLIENTS[1], Established),
                Row::held(SERVERS[1], Established),
            ],
        },
        Step {
            act: |stage| {
                stage.tcp(THIRD)?;
                stage.narrow_range(THIRD)?;
                stage.fails("EADDRNOTAVAIL", |stage| stage.connect(THIRD, LISTENER, None))
            },
            say: "Both are taken. The error speaks of an address; it is a port that is missing.",
            expect: &[],
        },
        Step {
            act: |stage| stage.connect(THIRD, OTHER, Some(THIRD_SERVER)),
            say: "To another server the same port can be used once more: what must be unique is the pair of \
                  both ends. So ports run out for each destination by itself.",
            expect: &[
                Row::held(OTHER, Listen).waiting(1),
                Row::held(THIRD, Established),
                Row::unaccepted(THIRD_SERVER),
            ],
        },
        Step {
            act: |stage| {
                stage.linger_zero(CLIENTS[0])?;
                stage.close(CLIENTS[0])?;
                stage.tcp(FOURTH)?;
                stage.narrow_range(FOURTH)?;
                stage.connect(FOURTH, LISTENER, Some(FOURTH_SERVER))
            },
            say: "One ends, by a reset, so without TIME_WAIT: its port is free at once. An orderly close would \
                  keep it for a minute, which is how clients that come and go quickly run out.",
            expect: &[
                Row::gone(CLIENTS[0]),
                Row::gone(SERVERS[0]),
                Row::held(LISTENER, Listen).waiting(1),
                Row::held(FOURTH, Established),
                Row::unaccepted(FOURTH_SERVER),
            ],
        },
    ],
};
