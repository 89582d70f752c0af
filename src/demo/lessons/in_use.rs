//! "Address already in use": the classic, its cure, and what the cure is not.

use std::io;

use crate::demo::cast::{CLIENT, LISTENER, Role, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::stage::Stage;
use crate::demo::{Lesson, Step};
use crate::diagnose::Reason;
use crate::state::TcpState::{Established, Listen, TimeWait};

const RESTARTED: Role = Role::server("restarted");
const CURED: Role = Role::server("cured listener");
const CURED_SERVER: Role = Role::server("cured server");
const CURED_CLIENT: Role = Role::client("its client");
const TWIN: Role = Role::server("twin");
const SHARING: Role = Role::server("sharing");

/// The server closes first, so it is the server's port that TIME_WAIT keeps.
fn end(stage: &mut Stage, listener: Role, server: Role, client: Role) -> io::Result<()> {
    stage.close(server)?;
    // Read, so that the FIN has arrived: closing at once would leave TIME_WAIT at both ends.
    stage.recv(client)?;
    stage.close(client)?;
    stage.close(listener)
}

/// TIME_WAIT, SO_REUSEADDR, SO_REUSEPORT.
pub(super) const LESSON: Lesson = Lesson {
    name: "inuse",
    title: "address already in use, SO_REUSEADDR and SO_REUSEPORT",
    needs: &[Need::StrictPorts],
    steps: &[
        Step {
            act: |stage| {
                stage.listener(LISTENER, 8)?;
                stage.connection(LISTENER, CLIENT, SERVER)
            },
            say: "A server without SO_REUSEADDR, and a client.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::held(CLIENT, Established),
                Row::held(SERVER, Established),
            ],
        },
        Step {
            act: |stage| {
                end(stage, LISTENER, SERVER, CLIENT)?;
                stage.tcp(RESTARTED)?;
                stage.fails("EADDRINUSE", |stage| stage.bind_where(RESTARTED, LISTENER))?;
                stage.reuse_address(RESTARTED)?;
                stage.fails("EADDRINUSE", |stage| stage.bind_where(RESTARTED, LISTENER))?;
                stage.why(LISTENER, Reason::TimeWait)
            },
            say: "The server ends and starts again, and cannot: it closed first, so TIME_WAIT has its port \
                  for 60 seconds, and no process to kill. SO_REUSEADDR now does not help: the old one lacked it.",
            expect: &[Row::gone(LISTENER), Row::gone(CLIENT), Row::kernel(SERVER, TimeWait)],
        },
        Step {
            act: |stage| {
                stage.close(RESTARTED)?;
                stage.tcp(CURED)?;
                stage.reuse_address(CURED)?;
                stage.bind(CURED)?;
                stage.listen(CURED, 8)?;
                stage.connection(CURED, CURED_CLIENT, CURED_SERVER)
            },
            say: "The same on another port, with SO_REUSEADDR from the start.",
            expect: &[
                Row::held(CURED, Listen).waiting(0),
                Row::held(CURED_CLIENT, Established),
                Row::held(CURED_SERVER, Established),
            ],
        },
        Step {
            act: |stage| {
                end(stage, CURED, CURED_SERVER, CURED_CLIENT)?;
                stage.tcp(RESTARTED)?;
                stage.reuse_address(RESTARTED)?;
                stage.bind_where(RESTARTED, CURED)?;
                stage.listen(RESTARTED, 8)
            },
            say: "The cure: both had it, and the new listener stands beside the old one's TIME_WAIT.",
            expect: &[
                Row::gone(CURED),
                Row::gone(CURED_CLIENT),
                Row::kernel(CURED_SERVER, TimeWait),
                Row::held(RESTARTED, Listen).waiting(0),
            ],
        },
        Step {
            act: |stage| {
                stage.tcp(TWIN)?;
                stage.reuse_address(TWIN)?;
                stage.fails("EADDRINUSE", |stage| stage.bind_where(TWIN, RESTARTED))?;
                stage.why(RESTARTED, Reason::Listener)
            },
            say: "It is not sharing: while one listens, a second cannot have the port, options or not.",
            expect: &[],
        },
        Step {
            act: |stage| {
                stage.close(TWIN)?;
                stage.tcp(SHARING)?;
                stage.reuse_port(SHARING)?;
                stage.bind(SHARING)?;
                stage.listen(SHARING, 8)?;
                stage.tcp(TWIN)?;
                stage.reuse_port(TWIN)?;
                stage.bind_where(TWIN, SHARING)?;
                stage.listen(TWIN, 8)
            },
            say: "SO_REUSEPORT on both is sharing: two listeners with one address, and each new connection \
                  goes to one of them. Started twice by accident, a server answers as two.",
            expect: &[Row::held(SHARING, Listen).waiting(0), Row::held(TWIN, Listen).waiting(0)],
        },
    ],
};
