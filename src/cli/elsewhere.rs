//! The demo's child in another network namespace: it leaves ours, listens, and waits for its end. It is no
//! command: nobody but the demo starts it.

use std::ffi::OsString;
use std::io::{self, Write as _};

use crate::cli::Exit;
use crate::error::cause;
use crate::platform::props::{self, Child};

/// Returns the port to listen at, if these are the arguments of that child.
pub(super) fn asked(args: impl IntoIterator<Item = OsString>) -> Option<u16> {
    let mut args = args.into_iter().skip(1);
    let is_child = args.next().is_some_and(|word| word == Child::ELSEWHERE);
    if is_child { args.next()?.to_str()?.parse().ok() } else { None }
}

/// Listens until stdin ends: whoever started us has ended then. Says on stdout that it listens, or why
/// it does not.
pub(super) fn run(port: u16) -> Exit {
    let listening = props::listen_elsewhere(port);
    let answer = match &listening {
        Ok(_) => Child::READY.to_owned(),
        Err(error) => cause(error),
    };
    let said = writeln!(io::stdout(), "{answer}");
    let waited = said.and_then(|()| io::copy(&mut io::stdin().lock(), &mut io::sink()));
    if listening.is_ok() && waited.is_ok() { Exit::Found } else { Exit::Trouble }
}
