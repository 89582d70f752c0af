//! `sockscope close`: closes one connection from outside, after saying what that does.
//!
//! It looks three times: to find the socket, right before it acts to see that it is still the same
//! one, and afterwards to see that it is gone. What closes is [`platform::destroy()`]; what that does to
//! whom is in [`effect`].

mod effect;

use std::io;

use clap::Args;

use crate::cli::error::Failure;
use crate::cli::{Exit, Io, target};
use crate::error::CollectError;
use crate::filter::Filter;
use crate::join::join;
use crate::pairs::Pairs;
use crate::platform::lookup::SystemNames;
use crate::platform::{self, DestroyError, PortWish, Request};
use crate::render::column::{self, Column};
use crate::render::names::ResolvedNames;
use crate::render::phrase;
use crate::render::table::{self, TableOptions};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, Family, Protocol, Socket};
use crate::sort::sort;

/// The arguments of `sockscope close`.
#[derive(Debug, Clone, Default, Args)]
pub struct CloseArgs {
    /// Its cookie, LOCAL->PEER, or a filter that only it matches
    #[arg(value_name = "SOCKET", required = true)]
    pub socket: Vec<String>,
    /// Close without asking
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Say what would be closed and what that does; close nothing
    #[arg(short = 'n', long, conflicts_with = "yes")]
    pub dry_run: bool,
}

/// Closes a connection. Exit 0 when it is closed, 1 when there was none or nobody wanted it closed.
pub fn run(args: &CloseArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    platform::destroy::check()?;
    let wanted = target::parse(&args.socket.join(" "), &SystemNames::new())?;
    let snapshot = join(platform::native().collect(&request(&wanted))?);
    let Some(entry) = only_one(&snapshot, &wanted, io)? else {
        io.stdout.flush()?;
        writeln!(io.stderr, "sockscope: no socket matches; nothing was closed")?;
        return Ok(Exit::Nothing);
    };
    effect::check(entry)?;
    write_rows(vec![entry.clone()], &snapshot, io)?;
    let other = Pairs::new(&snapshot.entries).other_end(&entry.socket);
    for line in effect::lines(entry, other.filter(|other| other.socket.id != entry.socket.id)) {
        writeln!(io.stdout, "{line}")?;
    }
    io.stdout.flush()?;
    if args.dry_run {
        writeln!(io.stdout, "nothing was closed: this was a dry run")?;
        return Ok(Exit::Found);
    }
    if !args.yes && !is_confirmed(io)? {
        writeln!(io.stderr, "sockscope: nothing was closed")?;
        return Ok(Exit::Nothing);
    }
    close(entry, io)
}

/// Closes the socket if it is still the one that was shown, and looks what came of it.
fn close(shown: &Entry, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let nothing = |io: &mut Io<'_>, why: &str| -> anyhow::Result<Exit> {
        writeln!(io.stderr, "sockscope: {why}; nothing was closed")?;
        Ok(Exit::Nothing)
    };
    let Some(now) = look_again(&shown.socket)? else {
        return nothing(io, "the socket is gone by now");
    };
    if let Some(change) = change(&shown.socket, &now) {
        return nothing(io, &change);
    }
    // It may have become a listener meanwhile.
    effect::check(&Entry { socket: now.clone(), ..shown.clone() })?;
    match platform::destroy(&now) {
        Ok(()) => {}
        Err(DestroyError::Gone) => return nothing(io, "the socket is gone by now"),
        Err(error) => return Err(error.into()),
    }
    match look_again(&now)? {
        None => writeln!(io.stdout, "closed: {} is gone", phrase::ends(&now))?,
        Some(left) if effect::is_disconnected(&left) => {
            let (ends, owner) = (phrase::ends(&now), phrase::owner(shown));
            let rest = phrase::end(left.local.as_ref());
            writeln!(
                io.stdout,
                "closed: {ends} is gone; {rest} stays bound until {owner} closes it"
            )?;
        }
        Some(left) => {
            let ends = phrase::ends(&left);
            return Err(Failure::new(format!(
                "the kernel said that it closed {ends}, but it is still there"
            ))
            .into());
        }
    }
    Ok(Exit::Found)
}

/// Returns the request for what may match, and for the other end of it.
fn request(wanted: &Filter) -> Request {
    // What has no connection is looked for too, to say why it cannot be closed.
    let (protocols, families) = (Protocol::ALL.to_vec(), Family::ALL.to_vec());
    let mut request = Request { protocols, families, ..Request::default() };
    wanted.narrow(&mut request);
    // The other end has the same ports the other way round, and any state and family.
    request.ports = request.ports.map(|wish| match wish {
        PortWish::Local(range) | PortWish::Peer(range) | PortWish::Either(range) => {
            PortWish::Either(range)
        }
    });
    request.states = None;
    for family in [Family::Inet, Family::Inet6] {
        if !request.families.contains(&family) {
            request.families.push(family);
        }
    }
    request
}

/// Returns the one entry that matches; `None` when none does.
fn only_one<'a>(
    snapshot: &'a Snapshot,
    wanted: &Filter,
    io: &mut Io<'_>,
) -> anyhow::Result<Option<&'a Entry>> {
    let mut matching = snapshot.entries.iter().filter(|entry| wanted.matches(entry));
    let (first, second) = (matching.next(), matching.next());
    if second.is_none() {
        return Ok(first);
    }
    let all: Vec<Entry> = first.into_iter().chain(second).chain(matching).cloned().collect();
    let count = all.len();
    write_rows(all, snapshot, io)?;
    io.stdout.flush()?;
    Err(Failure::new(format!("{count} sockets match, and close takes exactly one"))
        .hint("name it by its cookie, the last column, or where it has none by both ends: LOCAL->PEER")
        .into())
}

fn write_rows(entries: Vec<Entry>, from: &Snapshot, io: &mut Io<'_>) -> io::Result<()> {
    let names = ResolvedNames::default();
    let mut shown = from.with_entries(entries);
    sort(&mut shown.entries, &[]);
    // The listing's, and what a socket is named by.
    let columns = [column::DEFAULT, &[Column::Cookie]].concat();
    let options = TableOptions {
        columns: &columns,
        width: io.terminal.width.map(usize::from),
        tokens: !io.terminal.stdout,
        ..TableOptions::new(&names)
    };
    table::write(&shown, &options, io.stdout)
}

/// Asks whoever sits at the terminal.
fn is_confirmed(io: &mut Io<'_>) -> anyhow::Result<bool> {
    if !io.terminal.stdin {
        return Err(Failure::new("nothing was closed: there is no terminal to ask at")
            .hint("add --yes to close without a question")
            .into());
    }
    write!(io.stderr, "Close it? [y/N] ")?;
    io.stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Reads this socket as it is now; `None` when it is gone.
fn look_again(socket: &Socket) -> Result<Option<Socket>, CollectError> {
    let port = socket.local.as_ref().and_then(Endpoint::port);
    let request = Request {
        protocols: vec![socket.protocol],
        ports: port.map(|port| PortWish::Local(port..=port)),
        owners: false,
        ..Request::default()
    };
    let sockets = platform::native().collect(&request)?.sockets;
    Ok(sockets.into_iter().find(|other| is_same(socket, other)))
}

/// Returns whether the two are one socket: by its cookie, where it has none by its ends and when it was
/// connected.
fn is_same(one: &Socket, other: &Socket) -> bool {
    let ends = |socket: &Socket| {
        (socket.protocol, socket.rare.created, socket.local.clone(), socket.peer.clone())
    };
    one.cookie == other.cookie && (one.cookie.is_some() || ends(one) == ends(other))
}

/// Returns what makes the socket another one than was shown. A connected UDP socket can be connected
/// elsewhere, and a closed TCP socket connected anew; both keep their cookie.
fn change(shown: &Socket, now: &Socket) -> Option<String> {
    let same = (shown.protocol, &shown.local, &shown.peer, shown.netns)
        == (now.protocol, &now.local, &now.peer, now.netns);
    (!same).then(|| format!("the socket is another connection by now, {}", phrase::ends(now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::NoNames;
    use crate::render::fixture;

    fn request_for(target: &str) -> Request {
        request(&target::parse(target, &NoNames).unwrap())
    }

    #[test]
    fn the_other_end_is_read_too() {
        let request = request_for("tcp:127.0.0.1:80->127.0.0.1:5000");
        assert!(matches!(&request.ports, Some(PortWish::Either(_))), "{request:?}");
        assert_eq!(request.states, None);
        assert_eq!(request.protocols, [Protocol::Tcp]);
    }

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes("YES\n"));
        for answer in ["", "\n", "n\n", "yo\n", "no\n"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }

    #[test]
    fn without_cookies_ends_and_moment_tell_a_connection() {
        let entries = fixture::snapshot().entries;
        let mut one = entries.into_iter().find(|entry| entry.socket.peer.is_some()).unwrap().socket;
        one.cookie = None;
        one.rare.make_mut().created = Some(1);
        assert!(is_same(&one, &one));
        let mut later = one.clone();
        later.rare.make_mut().created = Some(2);
        assert!(!is_same(&one, &later));
        assert!(!is_same(&one, &Socket { peer: None, ..one.clone() }));
    }

    #[test]
    fn a_socket_that_was_connected_anew_is_another() {
        let entries = fixture::snapshot().entries;
        let shown = entries.into_iter().find(|entry| entry.socket.peer.is_some()).unwrap().socket;
        assert_eq!(change(&shown, &shown), None);
        let now = Socket { peer: shown.local.clone(), ..shown.clone() };
        assert!(change(&shown, &now).unwrap().starts_with("the socket is another connection"));
    }
}
