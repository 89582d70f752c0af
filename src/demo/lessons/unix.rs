//! UNIX sockets, and a descriptor that travels through one.

use crate::demo::cast::{CLIENT, LISTENER, Role, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::{Row, Whose};
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{Established, Listen};

const NAMED: Role = Role::server("named");
const LEFT: Role = Role::server("left");
const RIGHT: Role = Role::client("right");
const GIFT: Role = Role::server("gift");

/// Abstract names, paths, pairs, SCM_RIGHTS.
pub(super) const LESSON: Lesson = Lesson {
    name: "unix",
    title: "UNIX sockets: names, paths, pairs, a descriptor in flight",
    needs: &[Need::Linux],
    steps: &[
        Step {
            act: |stage| {
                stage.unix(LISTENER)?;
                stage.bind_abstract(LISTENER)?;
                stage.listen(LISTENER, 8)
            },
            say: "A listener with an abstract name (Linux): no file, gone with its socket.",
            expect: &[Row::held(LISTENER, Listen).waiting(0)],
        },
        Step {
            act: |stage| {
                stage.unix(CLIENT)?;
                stage.connect_abstract(CLIENT, LISTENER)
            },
            say: "The client is connected and waits to be accepted. It has no name: few clients have.",
            expect: &[Row::held(LISTENER, Listen).waiting(1), Row::held(CLIENT, Established)],
        },
        Step {
            act: |stage| stage.accept(SERVER, LISTENER),
            say: "The accepted socket has the listener's name; the two ends know each other by inode.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::held(CLIENT, Established),
                Row::held(SERVER, Established),
            ],
        },
        Step {
            act: |stage| stage.path_story(NAMED),
            say: "A path is a file, and close() leaves it: the next bind() fails until somebody removes it. The \
                  listener here lives on though its file is gone, and nobody can find it any more.",
            expect: &[Row::held(NAMED, Listen).waiting(0)],
        },
        Step {
            act: |stage| stage.pair(LEFT, RIGHT),
            say: "socketpair(): two sockets that were born connected, without any name.",
            expect: &[Row::held(LEFT, Established), Row::held(RIGHT, Established)],
        },
        Step {
            act: |stage| {
                stage.listener(GIFT, 8)?;
                stage.send_descriptor(LEFT, GIFT)?;
                stage.close(GIFT)
            },
            say: "A TCP listener is sent through it and closed here: it listens on, and no process has a \
                  descriptor of it. It is in flight, in the queue of the other end.",
            expect: &[Row::held(GIFT, Listen).whose(Whose::InFlight)],
        },
        Step {
            act: |stage| stage.receive_descriptor(RIGHT, GIFT),
            say: "Received, it is a descriptor again, maybe in another process: so a server hands its port to \
                  the next version of itself without closing it.",
            expect: &[Row::held(GIFT, Listen)],
        },
    ],
};
