//! A client's port.

use std::io;

use super::{address, listen};
use crate::demo::cast::CLIENT;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::Stage;

fn connect(stage: &mut Stage, server: &str) -> io::Result<String> {
    stage.tcp(CLIENT)?;
    stage.connect_address(CLIENT, address(server)?, None)?;
    Ok(stage.address(CLIENT)?.to_string())
}

/// A port that a client was given.
pub(super) const QUESTION: Question = Question {
    name: "sometimes",
    needs: &[Need::Linux],
    parts: &[Part::new("cache", listen), Part::new("browser", connect)],
    target: 1,
    culprit: Some(Culprit::Player(1)),
    symptom: "Once in some hundred boots your server does not start: bind({target}) fails with EADDRINUSE, with \
              SO_REUSEADDR and without. Nobody else is configured for that port.",
    causes: &[Cause::Outgoing, Cause::LeftOpen, Cause::TimeWait, Cause::Bound, Cause::Listening],
    hints: &[
        "By chance: who chooses ports by chance?",
        "cat /proc/sys/net/ipv4/ip_local_port_range. Is {port} in it?",
        "sockscope list 'sport {port}': that row is the client's end of a connection.",
    ],
    shown: &[
        Shown { command: "why {target}", line: "{culprit}" },
        Shown { command: "list 'sport {port}'", line: "ESTABLISHED" },
    ],
    answer: "The process {culprit} is a client, and the kernel gave it this port for its end. Reserve the port \
             (net.ipv4.ip_local_reserved_ports), or move the server below the range.",
};
