//! A peer that is gone without a word, and the keepalive that finds out.

use crate::demo::cast::{CLIENT, LISTENER, SERVER};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::{Lesson, Step};
use crate::socket::TimerKind::Keepalive;
use crate::state::TcpState::{Established, Listen};

/// SO_KEEPALIVE, and a cable that is cut.
pub(super) const LESSON: Lesson = Lesson {
    name: "keepalive",
    title: "a dead peer: TCP notices nothing by itself; keepalive does",
    needs: &[Need::CutCable],
    steps: &[
        Step {
            act: |stage| {
                stage.listener(LISTENER, 8)?;
                stage.connection(LISTENER, CLIENT, SERVER)
            },
            say: "A connection on which nothing is said: no timer runs at either end.",
            expect: &[
                Row::held(LISTENER, Listen).waiting(0),
                Row::held(CLIENT, Established),
                Row::held(SERVER, Established),
            ],
        },
        Step {
            act: |stage| stage.keepalive(CLIENT),
            say: "The client asks its kernel to probe an idle connection after ten minutes: the timer \
                  'keepalive'. Without asking there is none, and with it the usual time is two hours.",
            expect: &[Row::held(CLIENT, Established).timer(Keepalive)],
        },
        Step {
            act: |stage| {
                stage.cut(CLIENT)?;
                stage.cut(SERVER)
            },
            say: "The cable is cut (IP_MINTTL 255: each end drops all that arrives): nothing changes. An idle \
                  connection to a machine without power looks exactly like one to a machine with it.",
            expect: &[],
        },
        Step {
            act: |stage| {
                stage.keepalive_idle(CLIENT, 1)?;
                stage.fails("ETIMEDOUT", |stage| stage.recv(CLIENT))
            },
            say: "With less patience: after 1 s a probe, and three without an answer are enough. The client \
                  knows now; the server, which did not ask, keeps its half-open connection for ever.",
            expect: &[Row::gone(CLIENT)],
        },
        Step {
            act: |stage| {
                stage.mend(SERVER)?;
                stage.send(SERVER, "hello")?;
                stage.fails("ECONNRESET", |stage| stage.recv(SERVER))
            },
            say: "The cable is whole again, and the server says something: the answer is a reset, because \
                  nobody there knows of the connection.",
            expect: &[Row::gone(SERVER)],
        },
    ],
};
