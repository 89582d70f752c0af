//! Dual stack: one listener for both IPs, or two, and what localhost means.

use crate::demo::cast::{LISTENER, Role};
use crate::demo::needs::Need;
use crate::demo::rows::Row;
use crate::demo::stage::At::{AnyV4, AnyV6, V4, V6};
use crate::demo::{Lesson, Step};
use crate::state::TcpState::{Established, Listen};

const CLIENT4: Role = Role::client("client v4");
const SERVER4: Role = Role::server("server v4");
const CLIENT6: Role = Role::client("client v6");
const SERVER6: Role = Role::server("server v6");
const SECOND: Role = Role::server("second");
const ONLY4: Role = Role::server("v4 listener");
const ONLY6: Role = Role::server("v6 listener");
const REFUSED: Role = Role::client("refused");

/// `::`, `0.0.0.0`, and IPV6_V6ONLY.
pub(super) const LESSON: Lesson = Lesson {
    name: "dual",
    title: "dual stack: what [::] takes, and when 0.0.0.0 is beside it",
    needs: &[Need::Loopback6],
    steps: &[
        Step {
            act: |stage| {
                stage.tcp6(LISTENER)?;
                stage.only_v6(LISTENER, false)?;
                stage.only_loopback(LISTENER)?;
                stage.bind_to(LISTENER, AnyV6)?;
                stage.listen(LISTENER, 8)
            },
            say: "One listener, bound to every address of IPv6; without IPV6_V6ONLY it takes IPv4 too, which its \
                  row does not show. (It is bound to the device lo, so that nobody else can connect.)",
            expect: &[Row::held(LISTENER, Listen).waiting(0)],
        },
        Step {
            act: |stage| {
                stage.tcp(CLIENT4)?;
                stage.connect_to(CLIENT4, V4, LISTENER, Some(SERVER4))?;
                stage.accept(SERVER4, LISTENER)
            },
            say: "A client by 127.0.0.1. Its connection has two spellings: 127.0.0.1 at the client's end, and \
                  ::ffff:127.0.0.1 at the server's, whose socket is one of IPv6.",
            expect: &[Row::held(CLIENT4, Established), Row::held(SERVER4, Established)],
        },
        Step {
            act: |stage| {
                stage.tcp6(CLIENT6)?;
                stage.connect_to(CLIENT6, V6, LISTENER, Some(SERVER6))?;
                stage.accept(SERVER6, LISTENER)
            },
            say: "And one by ::1, to the same listener.",
            expect: &[Row::held(CLIENT6, Established), Row::held(SERVER6, Established)],
        },
        Step {
            act: |stage| {
                stage.tcp(SECOND)?;
                stage.only_loopback(SECOND)?;
                stage.fails("EADDRINUSE", |stage| stage.bind_beside(SECOND, AnyV4, LISTENER))
            },
            say: "So 0.0.0.0 with this port is taken, though no row shows it.",
            expect: &[],
        },
        Step {
            act: |stage| {
                stage.close(SECOND)?;
                stage.tcp(ONLY4)?;
                stage.only_loopback(ONLY4)?;
                stage.bind_to(ONLY4, AnyV4)?;
                stage.listen(ONLY4, 8)?;
                stage.tcp6(REFUSED)?;
                stage.fails("ECONNREFUSED", |stage| stage.connect_to(REFUSED, V6, ONLY4, None))
            },
            say: "A listener on 0.0.0.0 takes IPv4 alone: by ::1 it refuses. 'localhost' is both, and which a \
                  program tries first is its own affair.",
            expect: &[Row::held(ONLY4, Listen).waiting(0)],
        },
        Step {
            act: |stage| {
                stage.close(REFUSED)?;
                stage.tcp6(ONLY6)?;
                stage.only_v6(ONLY6, true)?;
                stage.only_loopback(ONLY6)?;
                stage.bind_beside(ONLY6, AnyV6, ONLY4)?;
                stage.listen(ONLY6, 8)
            },
            say: "With IPV6_V6ONLY a second listener stands beside it on the same port: two rows, maybe of two \
                  programs, and 'localhost' reaches the one or the other.",
            expect: &[Row::held(ONLY6, Listen).waiting(0)],
        },
    ],
};
