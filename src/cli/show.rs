//! `sockscope show`: one socket, all that is known of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ListArgs, SourceArgs, parse_netns};
use crate::cli::list;
use crate::cli::plan::Plan;
use crate::cli::{Exit, Io, target};
use crate::error::cause;
use crate::filter::Filter;
use crate::join::join;
use crate::options::SocketOptions;
use crate::platform::{self, NetnsWish};
use crate::process::Via;
use crate::render::column::Column;
use crate::render::names::ResolvedNames;
use crate::render::show::{self, Page};
use crate::render::table::{self, TableOptions};
use crate::render::{sanitize, summary};
use crate::snapshot::{Entry, Missing, Snapshot};
use crate::socket::{Endpoint, Family, Protocol};
use crate::sort::sort;

/// The examples at the end of `sockscope show --help`.
pub(super) const EXAMPLES: &str = "\
Examples:
  sockscope show :8080                              the listener of a port; also 127.0.0.1:8080
  sockscope show '127.0.0.1:80->127.0.0.1:5000'     a connection, by its two ends
  sockscope show 4711                               a cookie or an inode, whichever it is
  sockscope show inode:4711                         an inode for sure; also cookie:, sk: as in ss
  sockscope show established and pid 6001           any filter that matches one socket

Exit codes: 0 shown, 1 no such socket, 2 several of them, or trouble
";

/// The arguments of `sockscope show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Cookie, inode, :PORT, ADDRESS:PORT, 'LOCAL->PEER' or a filter
    #[arg(value_name = "SOCKET", required = true)]
    pub socket: Vec<String>,
    /// One JSON document (see sockscope schema show)
    #[arg(long)]
    pub json: bool,
    /// Also read the options of the holder's socket, through a copy of its descriptor
    ///
    /// The kernel tells SO_REUSEADDR, SO_REUSEPORT, TCP_NODELAY and keepalive only to whoever has the
    /// socket, so its descriptor is copied (pidfd_getfd) and the copy closed at once. That is not the
    /// default, because until then the copy keeps the socket alive: if its holder closes it in that
    /// instant, the port stays taken, and a program that binds it gets EADDRINUSE.
    #[arg(long, conflicts_with = "replay")]
    pub deep: bool,
    /// Network namespaces: all, PID, NAME or current
    ///
    /// Without it, this one is looked into, and all others when nothing is found there. With all, the other
    /// end is found in any of them too.
    #[arg(long, value_name = "NETNS", value_parser = parse_netns, conflicts_with = "replay")]
    pub netns: Option<NetnsWish>,
    /// Show from a recording; - reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
}

/// The most sockets listed to choose from.
const CHOICES: usize = 20;

/// Shows one socket.
pub fn run(args: &ShowArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let wanted = Wanted::parse(&args.socket.join(" "));
    let source = SourceArgs {
        replay: args.replay.clone(),
        netns: args.netns.clone(),
        no_narrow: true,
        ..SourceArgs::default()
    };
    let listing = ListArgs { filter: vec![wanted.filter()], source, ..ListArgs::default() };
    let mut plan = Plan::new(&listing, &*list::names(&listing))?;
    plan.request.details = true;
    if let Wanted::Number(_) = wanted {
        plan.request.protocols = Protocol::ALL.to_vec();
        plan.request.families = Family::ALL.to_vec();
    }
    plan.request.process_details = true;
    let mut snapshot = collect(&plan)?;
    // A filter on a namespace looks everywhere by itself.
    let may_look_further = args.replay.is_none()
        && args.netns.is_none()
        && plan.request.netns == NetnsWish::Current
        && platform::has_namespaces();
    if may_look_further && wanted.choose(&snapshot, &plan.filter).is_empty() {
        plan.request.netns = NetnsWish::All;
        snapshot = collect(&plan)?;
    }
    match &*wanted.choose(&snapshot, &plan.filter) {
        [] => {
            let text = args.socket.join(" ");
            writeln!(io.stderr, "sockscope: no socket is {}", sanitize::string(&text))?;
            if let Wanted::Number(number @ 1..=65535) = wanted {
                writeln!(io.stderr, "hint: it is no cookie and no inode; a port is :{number}")?;
            }
            // It may be where we could not look; how the rest was read is not asked.
            snapshot.entries.clear();
            snapshot.notes.clear();
            snapshot.unread.retain(|gap| gap.what == Missing::Namespaces);
            for line in summary::lines(&snapshot) {
                writeln!(io.stderr, "{line}")?;
            }
            Ok(Exit::Nothing)
        }
        [entry] => {
            let options = if args.deep { read_options(entry, io)? } else { None };
            let page = Page { options: options.as_ref(), ..Page::new(entry, &snapshot) };
            if args.json {
                show::json::write(&page, io.stdout)?;
            } else {
                show::write(&page, io.terminal.width.map(usize::from), io.stdout)?;
            }
            Ok(Exit::Found)
        }
        several => list_choices(several, &snapshot, io),
    }
}

fn collect(plan: &Plan) -> anyhow::Result<Snapshot> {
    let mut snapshot = join(list::open(&plan.source)?.collect(&plan.request)?);
    sort(&mut snapshot.entries, &[]);
    Ok(snapshot)
}

/// Reads the options of the socket through one of its holders; says so when that is not possible.
fn read_options(entry: &Entry, io: &mut Io<'_>) -> anyhow::Result<Option<SocketOptions>> {
    let mut why = "no descriptor of it is known".to_owned();
    for owner in entry.ownership.owners().iter().filter(|owner| owner.via == Via::Fd) {
        let (Some(fd), Some(cookie)) = (owner.fd, entry.socket.cookie) else { continue };
        match platform::holder_options(owner.process.pid, fd, cookie) {
            Ok(options) => return Ok(Some(options)),
            Err(error) => why = cause(&error),
        }
    }
    writeln!(io.stderr, "sockscope: cannot read its options: {why}")?;
    Ok(None)
}

/// Lists the sockets to choose from, and says how.
fn list_choices(several: &[&Entry], snapshot: &Snapshot, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let first: Vec<Entry> = several.iter().take(CHOICES).map(|entry| (*entry).clone()).collect();
    let shown = snapshot.with_entries(first);
    let has_cookies = shown.entries.iter().all(|entry| entry.socket.cookie.is_some());
    let columns = [
        if has_cookies { Column::Cookie } else { Column::Inode },
        Column::Proto,
        Column::Local,
        Column::Peer,
        Column::State,
        Column::Command,
        Column::Pid,
    ];
    let netns = |entry: &&Entry| entry.socket.netns;
    let is_one = several.iter().map(netns).all(|one| Some(one) == several.first().map(netns));
    let columns: Vec<Column> =
        columns.into_iter().chain((!is_one).then_some(Column::Netns)).collect();
    let has_number = |entry: &&Entry| entry.socket.cookie.is_some() || entry.socket.inode.is_some();
    let by = if several.iter().any(has_number) {
        "its number"
    } else {
        "both of its ends, 'LOCAL->PEER'"
    };
    writeln!(io.stderr, "sockscope: {} sockets are that; name one by {by}", several.len())?;
    let names = ResolvedNames::default();
    let width = io.terminal.width.filter(|_| io.terminal.stderr).map(usize::from);
    let options = TableOptions { columns: &columns, width, ..TableOptions::new(&names) };
    table::write(&shown, &options, io.stderr)?;
    if several.len() > CHOICES {
        writeln!(io.stderr, "… and {} more", several.len() - CHOICES)?;
    }
    Ok(Exit::Trouble)
}

/// What the user calls the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// A cookie or an inode.
    Number(u64),
    /// `:80`: who serves the port, at whatever address, if that is one socket; else all that have it.
    Port(u16),
    /// `127.0.0.1:80`: the same, at this address.
    End(SocketAddr),
    /// Anything else, as a filter.
    Filter(String),
}

impl Wanted {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Self::Number(number);
        }
        if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
            return Self::Port(port);
        }
        if let Ok(end) = text.parse() {
            return Self::End(end);
        }
        Self::Filter(target::filter(text).unwrap_or_else(|| text.to_owned()))
    }

    fn filter(&self) -> String {
        match self {
            Self::Number(number) => format!("cookie {number} or inode {number}"),
            Self::Port(port) => format!(":{port}"),
            Self::End(end) => end.to_string(),
            Self::Filter(text) => text.clone(),
        }
    }

    /// Returns the sockets it may be.
    fn choose<'a>(&self, snapshot: &'a Snapshot, filter: &Filter) -> Vec<&'a Entry> {
        let matching: Vec<&Entry> =
            snapshot.entries.iter().filter(|entry| filter.matches(entry)).collect();
        let serves = |entry: &&&Entry| {
            let Some(local) = &entry.socket.local else { return false };
            let is_it = match self {
                Self::Port(port) => local.port() == Some(*port),
                Self::End(end) => *local == Endpoint::from(*end),
                Self::Number(_) | Self::Filter(_) => false,
            };
            is_it && entry.socket.is_listening()
        };
        match &*matching.iter().filter(serves).collect::<Vec<_>>() {
            [one] => vec![**one],
            _ => matching,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_named_in_many_ways() {
        for (text, wanted, filter) in [
            ("4711", Wanted::Number(4711), "cookie 4711 or inode 4711"),
            (
                "18446744073709551616",
                Wanted::Filter("cookie 18446744073709551616".into()),
                "cookie 18446744073709551616",
            ),
            (":80", Wanted::Port(80), ":80"),
            ("[::1]:80", Wanted::End("[::1]:80".parse().unwrap()), "[::1]:80"),
            (
                "127.0.0.1:80->[::1]:5000",
                Wanted::Filter("src 127.0.0.1:80 and dst [::1]:5000".into()),
                "src 127.0.0.1:80 and dst [::1]:5000",
            ),
            ("inode:5", Wanted::Filter("inode:5".into()), "inode:5"),
            ("tcp and pid 7", Wanted::Filter("tcp and pid 7".into()), "tcp and pid 7"),
        ] {
            assert_eq!(Wanted::parse(text), wanted);
            assert_eq!(wanted.filter(), filter);
        }
    }
}
