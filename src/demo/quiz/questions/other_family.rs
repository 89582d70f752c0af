//! IPv4 and IPv6, two servers.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use super::{address, listen};
use crate::demo::cast::LISTENER;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::Stage;

fn beside(stage: &mut Stage, four: &str) -> io::Result<String> {
    let port = address(four)?.port();
    stage.tcp6(LISTENER)?;
    stage.bind_address(LISTENER, SocketAddr::from((Ipv6Addr::LOCALHOST, port)))?;
    stage.listen(LISTENER, 8)?;
    Ok(stage.address(LISTENER)?.to_string())
}

/// 127.0.0.1 is ours, ::1 is not.
pub(super) const QUESTION: Question = Question {
    name: "stranger",
    needs: &[Need::Loopback6],
    parts: &[Part::new("api", listen), Part::new("preview", beside)],
    target: 0,
    culprit: Some(Culprit::Player(1)),
    symptom: "Your server runs on {target}, as process {first}, and there was no error. But http://localhost:{port}/ \
              shows somebody else's page, while http://{target}/ shows yours.",
    causes: &[
        Cause::OtherFamily,
        Cause::Twins,
        Cause::Elsewhere,
        Cause::DualStack,
        Cause::Inherited,
    ],
    hints: &[
        "localhost is a name. What does it resolve to? getent ahosts localhost",
        "sockscope port {port} shows both families.",
        "One listens on 127.0.0.1 and one on ::1: two addresses, so there is no conflict.",
    ],
    shown: &[
        Shown { command: "list 'sport {port} and listen'", line: "{culprit}" },
        Shown { command: "port {port}", line: "{culprit}" },
    ],
    answer: "The process {culprit} listens on [::1]:{port}, which browsers try first for 'localhost'. Listen on both \
             addresses, and such a stranger would be an error at your start.",
};
