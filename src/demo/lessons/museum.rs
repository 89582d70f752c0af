//! The museum of TCP's states: all of them at once, held still, and then each moved on.

use std::io;

use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::rows::{Row, Whose};
use crate::demo::stage::Stage;
use crate::demo::{Lesson, Step};
use crate::socket::TimerKind::{On, Persist};
use crate::state::TcpState::{
    Bound, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
    TimeWait,
};

// Each exhibit is called what it shows, and the other end of its connection by that name and "peer".
const BOUND: Role = Role::server("bound");
const OPEN: Role = Role::client("open");
const OPEN_PEER: Role = Role::server("open peer");
const FULL: Role = Role::server("full");
const FILLER: Role = Role::client("filler");
const FILLER_PEER: Role = Role::server("filler peer");
const ASKING: Role = Role::client("asking");
const ASKING_PEER: Role = Role::server("asking peer");
const DEFERRING: Role = Role::server("deferring");
const ASKED: Role = Role::server("asked");
const ASKED_PEER: Role = Role::client("asked peer");
const HALF: Role = Role::client("half closed");
const HALF_PEER: Role = Role::server("half open");
const STUCK: Role = Role::client("stuck");
const STUCK_PEER: Role = Role::server("stuck peer");
const CLASH: Role = Role::client("clash");
const CLASH_PEER: Role = Role::server("clash peer");
const LAST: Role = Role::client("last");
const LAST_PEER: Role = Role::server("last peer");
const OVER: Role = Role::client("over");
const OVER_PEER: Role = Role::server("over peer");

/// Connects, and fills the server's window: whatever the client sends from now on stays with it.
fn filled(stage: &mut Stage, client: Role, server: Role) -> io::Result<()> {
    stage.connection(LISTENER, client, server)?;
    stage.fill(client)
}

/// All eleven states, without privilege.
pub(super) const LESSON: Lesson = Lesson {
    name: "museum",
    title: "the museum of states: all eleven held still, then moved on",
    needs: &[Need::EveryState],
    steps: &[
        Step {
            act: |stage| {
                stage.tcp(LISTENER)?;
                stage.small_buffer(LISTENER)?;
                stage.bind(LISTENER)?;
                stage.listen(LISTENER, 8)?;
                stage.tcp(BOUND)?;
                stage.bind(BOUND)
            },
            say: "LISTEN and BOUND: the two that wait for a program, each for as long as it likes.",
            expect: &[Row::held(LISTENER, Listen).waiting(0), Row::held(BOUND, Bound)],
        },
        Step {
            act: |stage| stage.connection(LISTENER, OPEN, OPEN_PEER),
            say: "ESTABLISHED, at both ends.",
            expect: &[Row::held(OPEN, Established), Row::held(OPEN_PEER, Established)],
        },
        Step {
            act: |stage| {
                stage.listener(FULL, 0)?;
                stage.client(FILLER, FULL, FILLER_PEER)?;
                stage.tcp(ASKING)?;
                stage.keep_asking(ASKING)?;
                stage.nonblocking(ASKING)?;
                stage.fails("EINPROGRESS", |stage| stage.connect(ASKING, FULL, Some(ASKING_PEER)))
            },
            say: "SYN_SENT, held by a listener whose queue is full: it does not answer.",
            expect: &[
                Row::held(FULL, Listen).waiting(1),
                Row::held(FILLER, Established),
                Row::unaccepted(FILLER_PEER),
                Row::held(ASKING, SynSent).timer(On),
            ],
        },
        Step {
            act: |stage| {
                stage.tcp(DEFERRING)?;
                stage.defer_accept(DEFERRING, 600)?;
                stage.bind(DEFERRING)?;
                stage.listen(DEFERRING, 8)?;
                stage.client(ASKED_PEER, DEFERRING, ASKED)
            },
            say: "SYN_RECV, held by TCP_DEFER_ACCEPT: the server's kernel waits for data. The ends disagree: \
                  the client's says ESTABLISHED.",
            expect: &[
                Row::held(DEFERRING, Listen).waiting(0),
                Row::held(ASKED_PEER, Established),
                Row::held(ASKED, SynRecv).whose(Whose::Unaccepted),
            ],
        },
        Step {
            act: |stage| {
                stage.connection(LISTENER, HALF, HALF_PEER)?;
                stage.shutdown(HALF)
            },
            say: "FIN_WAIT2 and CLOSE_WAIT, a pair: one has closed, the other has not.",
            expect: &[Row::held(HALF, FinWait2), Row::held(HALF_PEER, CloseWait).waiting(1)],
        },
        Step {
            act: |stage| {
                filled(stage, STUCK, STUCK_PEER)?;
                stage.shutdown(STUCK)
            },
            say: "FIN_WAIT1, held by a server that does not read: the FIN stands behind the data, and the \
                  data do not fit. The server does not know that it is over.",
            expect: &[
                Row::held(STUCK, FinWait1).some_unsent().timer(Persist),
                Row::held(STUCK_PEER, Established).some_waiting(),
            ],
        },
        Step {
            act: |stage| {
                filled(stage, CLASH, CLASH_PEER)?;
                stage.shutdown(CLASH)?;
                stage.shutdown(CLASH_PEER)
            },
            say: "CLOSING: both have closed at once; the client has the server's FIN, and its own is stuck.",
            expect: &[
                Row::held(CLASH, Closing).some_unsent(),
                Row::held(CLASH_PEER, FinWait2).some_waiting(),
            ],
        },
        Step {
            act: |stage| {
                stage.connection(LISTENER, LAST, LAST_PEER)?;
                stage.shutdown(LAST_PEER)?;
                stage.recv(LAST)?;
                stage.fill(LAST)?;
                stage.shutdown(LAST)
            },
            say: "LAST_ACK: the server closed first, then the client, whose FIN is stuck behind its data.",
            expect: &[
                Row::held(LAST, LastAck).some_unsent(),
                Row::held(LAST_PEER, FinWait2).some_waiting(),
            ],
        },
        Step {
            act: |stage| {
                stage.connection(LISTENER, OVER, OVER_PEER)?;
                stage.close(OVER)?;
                stage.recv(OVER_PEER)?;
                stage.close(OVER_PEER)
            },
            say: "TIME_WAIT, the only one that ends by itself: look at its timer. Now all eleven are here; from \
                  here on, each is moved on.",
            expect: &[Row::kernel(OVER, TimeWait)],
        },
        Step {
            act: |stage| stage.listen(BOUND, 8),
            say: "BOUND to LISTEN, by listen().",
            expect: &[Row::held(BOUND, Listen).waiting(0)],
        },
        Step {
            act: |stage| stage.accept(FILLER_PEER, FULL),
            say: "SYN_SENT to ESTABLISHED: there is room in the queue again, and the next SYN is answered.",
            expect: &[
                Row::held(FILLER_PEER, Established),
                Row::held(ASKING, Established),
                Row::unaccepted(ASKING_PEER),
            ],
        },
        Step {
            act: |stage| stage.send(ASKED_PEER, "hello"),
            say: "SYN_RECV to ESTABLISHED: the data are here, and the connection waits to be accepted.",
            expect: &[Row::held(DEFERRING, Listen).waiting(1), Row::unaccepted(ASKED).waiting(5)],
        },
        Step {
            act: |stage| stage.close(HALF_PEER),
            say: "FIN_WAIT2 to TIME_WAIT: the server has closed too, and CLOSE_WAIT is gone.",
            expect: &[Row::kernel(HALF, TimeWait), Row::gone(HALF_PEER)],
        },
        Step {
            act: |stage| stage.recv_all(STUCK_PEER, STUCK),
            say: "FIN_WAIT1 to FIN_WAIT2: the server has read, so there was room for the FIN, and the server \
                  has acknowledged it: now it is in CLOSE_WAIT.",
            expect: &[Row::held(STUCK, FinWait2), Row::held(STUCK_PEER, CloseWait)],
        },
        Step {
            act: |stage| stage.recv_all(CLASH_PEER, CLASH),
            say: "CLOSING to TIME_WAIT, at both ends: each closed before it knew of the other's close.",
            expect: &[Row::kernel(CLASH, TimeWait), Row::kernel(CLASH_PEER, TimeWait)],
        },
        Step {
            act: |stage| stage.recv_all(LAST_PEER, LAST),
            say: "LAST_ACK to nothing: who closes second needs no TIME_WAIT; who closed first has it.",
            expect: &[Row::gone(LAST), Row::kernel(LAST_PEER, TimeWait)],
        },
        Step {
            act: |stage| {
                stage.linger_zero(OPEN)?;
                stage.close(OPEN)
            },
            say: "ESTABLISHED to nothing, by a reset. TIME_WAIT goes by itself.",
            expect: &[Row::gone(OPEN), Row::gone(OPEN_PEER)],
        },
    ],
};
