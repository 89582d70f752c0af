//! A listener of IPv6 that takes IPv4.

use std::io;

use crate::demo::cast::LISTENER;
use crate::demo::needs::Need;
use crate::demo::quiz::cause::Cause;
use crate::demo::quiz::{Culprit, Part, Question, Shown};
use crate::demo::stage::{At, Stage};

fn play(stage: &mut Stage, _: &str) -> io::Result<String> {
    stage.tcp6(LISTENER)?;
    stage.only_v6(LISTENER, false)?;
    // So that nobody else can connect.
    stage.only_loopback(LISTENER)?;
    stage.bind_to(LISTENER, At::AnyV6)?;
    stage.listen(LISTENER, 8)?;
    Ok(format!("127.0.0.1:{}", stage.address(LISTENER)?.port()))
}

/// `[::]`, and a server of IPv4.
pub(super) const QUESTION: Question = Question {
    name: "four",
    needs: &[Need::Loopback6],
    parts: &[Part::new("gateway", play)],
    target: 0,
    culprit: Some(Culprit::Player(0)),
    symptom: "Your server does not start: bind({target}) fails with EADDRINUSE, but 'ss -4lnt' shows no listener of \
              that port.",
    causes: &[Cause::DualStack, Cause::Bound, Cause::TimeWait, Cause::InFlight, Cause::Elsewhere],
    hints: &[
        "ss -4 shows one family of two.",
        "sockscope port {port} shows both. Which addresses does that listener take?",
        "A socket bound to [::] takes IPv4 too, unless it has set IPV6_V6ONLY.",
    ],
    shown: &[
        Shown { command: "why {target}", line: "{culprit}" },
        Shown { command: "list 'sport {port}'", line: "::" },
    ],
    answer: "The process {culprit} listens on [::], which takes every address of IPv4 too. With IPV6_V6ONLY it would \
             leave them to you; or it serves both, and you need no second server.",
};
