//! A player of the demo's quiz. It is no command: nobody but the quiz starts it.

use std::ffi::OsString;
use std::io::{self, BufRead as _, Write as _};

use crate::cli::Exit;
use crate::demo::quiz;
use crate::demo::stage::Stage;
use crate::platform::actor::Actor;

/// Whether these are the arguments of such a player.
pub(super) fn asked(args: impl IntoIterator<Item = OsString>) -> bool {
    args.into_iter().nth(1).is_some_and(|word| word == Actor::COMMAND)
}

/// Plays the part that stdin's first line tells, says so on stdout, and waits until stdin ends: whoever
/// started us has ended then.
pub(super) fn run() -> Exit {
    let mut stdin = io::stdin().lock();
    let mut line = String::new();
    let mut stage = Stage::default();
    let read = stdin.read_line(&mut line);
    let said = read.and_then(|_| writeln!(io::stdout(), "{}", quiz::play(&line, &mut stage)));
    let waited = said.and_then(|()| io::copy(&mut stdin, &mut io::sink()));
    if waited.is_ok() { Exit::Found } else { Exit::Trouble }
}
