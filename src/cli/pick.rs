//! `sockscope pick`: ports that are free, one a line; or one, for a command that is run with it.
//!
//! A port is free when a program that sets no options could bind it, at every address, for TCP and
//! UDP: that is tried, under a lock that all picks respect ([`claim`]).

mod claim;
mod json;

pub(super) use json::schema;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use anyhow::Context as _;
use clap::Args;
use socket2::Socket;

use crate::cli::error::Failure;
use crate::cli::pick::claim::{Claim, Refusal, Wish};
use crate::cli::{Exit, Io, command};
use crate::join::join;
use crate::overlap;
use crate::pick;
use crate::platform::launch::{self, Variable};
use crate::platform::limits::PRIVILEGED_PORT_HINT;
use crate::platform::services::Services;
use crate::platform::{self, PortWish, Request, limits};
use crate::port;
use crate::render::phrase;
use crate::render::port::verdicts;
use crate::socket::{Endpoint, Protocol};

/// The arguments of `sockscope pick`.
#[derive(Debug, Args)]
pub struct PickArgs {
    /// Which ports may be picked: 8000-8999, or one
    #[arg(short, long, value_name = "A-B", value_parser = parse_range)]
    pub range: Option<RangeInclusive<u16>>,
    /// How many, no two the same
    #[arg(short = 'n', long, value_name = "N", default_value = "1", conflicts_with = "exec")]
    pub count: NonZeroU16,
    /// Free for TCP, whatever it is for UDP; without -t and -u it must be for both
    #[arg(short, long)]
    pub tcp: bool,
    /// Free for UDP
    #[arg(short, long)]
    pub udp: bool,
    /// Free at this IP address, whatever it is at others
    #[arg(short, long, value_name = "ADDR", value_parser = parse_address)]
    pub address: Option<IpAddr>,
    /// One JSON document (see sockscope schema pick)
    #[arg(long, conflicts_with = "exec")]
    pub json: bool,
    /// Run CMD with the port; see below
    #[arg(long, requires = "command")]
    pub exec: bool,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD", requires = "exec")]
    pub command: Vec<OsString>,
}

/// The end of `sockscope pick --help`.
pub(super) const HELP: &str = "\
Without --range it picks from 1024 up: no port that the kernel may give to a
connecting socket or the administrator keeps, those of known services last.

A port that is only printed may be taken before you use it. With --exec, CMD
is run with one that no other pick gives out:
  CMD has {port}  the number is put there, and the IP address for {address};
                  CMD binds the port itself
  CMD has none    CMD gets the socket, listening, as systemd hands it over:
                  descriptor 3 and LISTEN_FDS (Linux); 127.0.0.1 without
                  --address, TCP without --udp
PORT is set either way. CMD takes the place of sockscope: signals and exit
code are its own.

Examples:
  sockscope pick
  sockscope pick --range 8000-8999 --count 3
  sockscope pick --exec -- python3 -m http.server --bind {address} {port}
  sockscope pick --exec -- env PORT={port} npm start
  sockscope pick --exec -- ./server-for-systemd

Exit codes: 0 picked, 1 not so many are free, 2 trouble; with --exec those of
CMD, 127 when it is not found, 126 when it cannot be run
";

impl PickArgs {
    fn protocols(&self) -> Vec<Protocol> {
        match (self.tcp, self.udp) {
            (true, false) => vec![Protocol::Tcp],
            (false, true) => vec![Protocol::Udp],
            (true, true) | (false, false) => vec![Protocol::Tcp, Protocol::Udp],
        }
    }

    /// Returns true when the command binds the port itself.
    fn gives_number(&self) -> bool {
        self.command.iter().any(|word| word.to_str().is_some_and(|word| word.contains(PORT)))
    }

    /// Returns the address that a command is told, or gets a socket at.
    fn handed_address(&self) -> IpAddr {
        self.address.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }
}

/// What stands for the port in a command's arguments, and what for its address.
const PORT: &str = "{port}";
const ADDRESS: &str = "{address}";

fn parse_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let port = |text: &str| match text.trim().parse::<u32>() {
        Ok(0) => Err("port 0 means any free one; ports are 1 to 65535".to_owned()),
        Ok(port) => u16::try_from(port)
            .map_err(|_| format!("port {port} is too large; ports are 1 to 65535")),
        Err(_) => Err("expected two ports with - between them, or one".to_owned()),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(format!("the range is backwards; {last}-{first} has ports"));
    }
    Ok(first..=last)
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| "expected an IP address, such as 127.0.0.1 or ::1".to_owned())
}

/// Picks. Exit 0 when there were enough, 1 when not.
pub fn run(args: &PickArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let settings = limits::local_ports();
    let services = Services::read();
    let is_named =
        |port| [Protocol::Tcp, Protocol::Udp].iter().any(|&of| services.name(of, port).is_some());
    let candidates = pick::candidates(args.range.clone(), &settings, is_named, chance());
    let count = usize::from(args.count.get());
    if let Some(range) = &args.range
        && count > candidates.len()
    {
        let (range, has) = (show(range), phrase::count(candidates.len(), "port"));
        return Err(Failure::new(format!("cannot pick {count} ports from {range}: it has {has}"))
            .hint("give a larger --range")
            .into());
    }
    let wish = Wish {
        protocols: args.protocols(),
        address: args.address,
        hands_over: (args.exec && !args.gives_number()).then(|| args.handed_address()),
    };
    let taken = taken(&wish, &candidates);
    let (mut picked, mut refused) = (Vec::new(), Vec::new());
    for port in candidates {
        if taken.contains(&port) {
            refused.push((port, Refusal::Held));
            continue;
        }
        match claim::claim(port, &wish)? {
            Ok(claim) if args.exec => return exec(args, claim, io),
            Ok(_) => picked.push(port),
            Err(refusal) => refused.push((port, refusal)),
        }
        if picked.len() == count {
            write(&picked, args, io)?;
            return Ok(Exit::Found);
        }
    }
    explain(args, picked.len(), &mut refused, io)?;
    Ok(Exit::Nothing)
}

/// Returns a number that nobody can foretell: the standard library's maps are seeded by the system.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Returns the ports that some socket has, in whatever state. Where binding is no proof (elsewhere than
/// on Linux a wildcard may be bound beside an address in use) this is; where nothing can be read, binding
/// alone decides.
fn taken(wish: &Wish, candidates: &[u16]) -> BTreeSet<u16> {
    let (Some(&first), Some(&last)) = (candidates.iter().min(), candidates.iter().max()) else {
        return BTreeSet::new();
    };
    let request = Request {
        protocols: wish.protocols.clone(),
        ports: Some(PortWish::Local(first..=last)),
        owners: false,
        ..Request::default()
    };
    let sockets = platform::native().collect(&request).map(|collected| collected.sockets);
    let address = wish.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
    sockets
        .unwrap_or_default()
        .iter()
        .filter(|socket| overlap::meets(socket, address))
        .filter_map(|socket| socket.local.as_ref().and_then(Endpoint::port))
        .collect()
}

fn write(picked: &[u16], args: &PickArgs, io: &mut Io<'_>) -> anyhow::Result<()> {
    if args.json {
        return json::write(picked, args, io.stdout);
    }
    for port in picked {
        writeln!(io.stdout, "{port}")?;
    }
    Ok(())
}

/// Runs the command with the port.
fn exec(args: &PickArgs, claim: Claim, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let Claim { port, mut lock, sockets } = claim;
    let mut environment: Vec<Variable> = vec![("PORT", port.to_string())];
    if args.gives_number() {
        drop(sockets);
        lock.bequeath().context("cannot keep the port reserved")?;
    } else {
        // The sockets are enough, and it would be in their place.
        lock.release();
        let handed = launch::hand_over(handed(args, sockets)).map_err(|error| {
            Failure::new("cannot hand the socket over")
                .because(error)
                .hint("a command that binds the port itself takes its number: {port}")
        })?;
        environment.extend(handed);
    }
    let local = SocketAddr::new(args.handed_address(), port);
    let filled = |word: &OsString| {
        word.to_str().map_or_else(|| word.clone(), |word| fill(word, local).into())
    };
    let words: Vec<OsString> = args.command.iter().map(filled).collect();
    command::run_instead(&words, &environment, io)
}

/// Puts the port and the address where they belong. Together they are a socket address, in which an IPv6
/// address has brackets.
fn fill(word: &str, local: SocketAddr) -> String {
    word.replace(&format!("{ADDRESS}:{PORT}"), &local.to_string())
        .replace(PORT, &local.port().to_string())
        .replace(ADDRESS, &local.ip().to_string())
}

/// Returns the sockets of the protocols asked for; TCP's when none was.
fn handed(args: &PickArgs, mut sockets: Vec<(Protocol, Socket)>) -> Vec<(Protocol, Socket)> {
    sockets.retain(
        |(protocol, _)| if *protocol == Protocol::Udp { args.udp } else { args.tcp || !args.udp },
    );
    sockets
}

fn show(range: &RangeInclusive<u16>) -> String {
    match (range.start(), range.end()) {
        (first, last) if first == last => format!("{first}"),
        (first, last) => format!("{first}-{last}"),
    }
}

/// How many of the ports that are held are told with their holder.
const TOLD: usize = 5;

/// Says why there were not enough.
fn explain(
    args: &PickArgs,
    found: usize,
    refused: &mut [(u16, Refusal)],
    io: &mut Io<'_>,
) -> anyhow::Result<()> {
    refused.sort_unstable();
    let range = args.range.as_ref().map_or_else(|| "1024-65535".to_owned(), show);
    let what = match (found, args.count.get()) {
        (0, _) => format!("no port of {range} is free"),
        (found, wanted) => format!("only {found} of the {wanted} ports wanted are free in {range}"),
    };
    let parts: Vec<String> = Refusal::ALL
        .iter()
        .filter_map(|refusal| {
            let count = refused.iter().filter(|(_, why)| why == refusal).count();
            (count > 0).then(|| format!("{count} {}", refusal.in_words()))
        })
        .collect();
    let why = if parts.is_empty() {
        // Of a range every port was tried.
        "connecting sockets may get every one (ip_local_port_range), or it is reserved".to_owned()
    } else {
        parts.join(", ")
    };
    writeln!(io.stderr, "sockscope: {what}: {why}")?;
    if parts.is_empty() {
        writeln!(io.stderr, "hint: say which ports may be picked: --range A-B")?;
    } else if refused.iter().any(|(_, refusal)| *refusal == Refusal::Forbidden) {
        writeln!(io.stderr, "hint: {PRIVILEGED_PORT_HINT}")?;
    }
    let held = refused.iter().filter(|(_, refusal)| *refusal == Refusal::Held);
    let held: Vec<u16> = held.map(|&(port, _)| port).collect();
    let (told, more) = held.split_at_checked(TOLD).unwrap_or((&held, &[]));
    if let (Some(&first), Some(&last)) = (told.first(), told.last()) {
        let request = Request {
            protocols: args.protocols(),
            ports: Some(PortWish::Local(first..=last)),
            ..Request::default()
        };
        let snapshot = join(platform::native().collect(&request)?);
        for verdict in told.iter().flat_map(|&port| verdicts(&port::report(&snapshot, port))) {
            writeln!(io.stderr, "{verdict}")?;
        }
    }
    if !more.is_empty() {
        writeln!(io.stderr, "and {} more: sockscope list 'sport {range}'", more.len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_ports_or_one() {
        assert_eq!(parse_range("8000-8999"), Ok(8000..=8999));
        assert_eq!(parse_range("8000"), Ok(8000..=8000));
        assert_eq!(parse_range("1-65535"), Ok(1..=65535));
    }

    #[test]
    fn what_is_no_range_is_told_why() {
        for (text, why) in [
            ("9000-8000", "the range is backwards; 8000-9000 has ports"),
            ("0-10", "port 0 means any free one; ports are 1 to 65535"),
            ("10-65536", "port 65536 is too large; ports are 1 to 65535"),
            ("", "expected two ports with - between them, or one"),
            ("8000-", "expected two ports with - between them, or one"),
            ("http", "expected two ports with - between them, or one"),
        ] {
            assert_eq!(parse_range(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_address_is_one_of_this_machines_in_any_spelling() {
        for text in ["::1", "[::1]"] {
            assert_eq!(parse_address(text), Ok(Ipv6Addr::LOCALHOST.into()));
        }
        assert_eq!(parse_address("LOCALHOST"), Ok(Ipv4Addr::LOCALHOST.into()));
        assert!(parse_address("example.org").is_err());
    }

    #[test]
    fn the_port_is_put_wherever_it_is_wanted() {
        let local = |text: &str| text.parse().unwrap();
        let words = "-l {address}:{port} --port={port} http://{address}:{port}/{x}";
        assert_eq!(
            fill(words, local("127.0.0.1:8080")),
            "-l 127.0.0.1:8080 --port=8080 http://127.0.0.1:8080/{x}"
        );
        assert_eq!(fill("{address} {address}:{port}", local("[::1]:80")), "::1 [::1]:80");
    }

    #[test]
    fn chance_does_not_repeat_itself() {
        assert_ne!(chance(), chance());
    }
}
