//! What `sockscope why` says of an address of the lesson's.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Stage;
use crate::demo::cast::Role;
use crate::demo::syscall::Syscall;
use crate::diagnose::{BindRequest, Cause, Diagnosis, Reason, Target, diagnose, undecided};
use crate::join::join;
use crate::platform::{self, PortWish, Request};
use crate::render::diagnosis;
use crate::socket::Protocol;

/// How long the kernel may take to be where the lesson wants it, far longer than it does.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait before asking again.
const BETWEEN: Duration = Duration::from_millis(5);

impl Stage {
    /// Asks why the address that this role has, or had, cannot be bound. That it is for another reason than
    /// this is a surprise of the step.
    ///
    /// # Errors
    ///
    /// When nothing can be listed.
    #[expect(clippy::disallowed_methods, reason = "patience is measured in time, not in tries")]
    pub fn why(&mut self, role: Role, reason: Reason) -> io::Result<()> {
        let address = self.address(role)?;
        let until = Instant::now() + PATIENCE;
        let (answer, cause) = loop {
            let answer = ask(address)?;
            let first = answer.causes.first().cloned();
            let is_it = first.as_ref().is_some_and(|cause| cause.reason == reason);
            // The other end's FIN comes a moment later, and TIME_WAIT with it.
            if is_it || Instant::now() > until {
                break (answer, first);
            }
            std::thread::sleep(BETWEEN);
        };
        if cause.as_ref().map(|cause| cause.reason) != Some(reason) {
            self.surprises.push(format!("expected: the reason is {reason}; {cause:?}"));
        }
        self.note_plain(role.program, Syscall::Why(address), Ok(words(&answer, cause)))
    }
}

/// Predicts: no probe is made, the lesson's own bind has just failed.
fn ask(address: SocketAddr) -> io::Result<Diagnosis> {
    let target = Target::Inet {
        protocol: Protocol::Tcp,
        address: address.ip(),
        scope: None,
        port: address.port(),
    };
    let question = BindRequest::plain(target);
    let request = Request {
        protocols: vec![Protocol::Tcp],
        ports: Some(PortWish::Local(address.port()..=address.port())),
        ..Request::default()
    };
    let snapshot = join(platform::native().collect(&request).map_err(io::Error::other)?);
    let mut facts = platform::bind_facts(&question);
    facts.options.extend(platform::options_of(&undecided(&snapshot, &facts, &question)));
    Ok(diagnose(&snapshot, &facts, &question))
}

fn words(answer: &Diagnosis, cause: Option<Cause>) -> String {
    let verdict = diagnosis::verdict(answer.verdict);
    match cause {
        Some(cause) => format!("{verdict}; because {}", diagnosis::because(&cause)),
        None => verdict,
    }
}
