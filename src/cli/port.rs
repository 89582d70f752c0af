//! `sockscope port N`: all about one port in one screen.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::parse_netns;
use crate::cli::error::Failure;
use crate::cli::{Exit, Io};
use crate::join::join;
use crate::nearest::nearest;
use crate::platform::replay::Replay;
use crate::platform::services::Services;
use crate::platform::{self, Backend, NetnsWish, PortWish, Request};
use crate::port::{self, PortReport};
use crate::process::{HiddenReason, Ownership};
use crate::render::port::{PortOptions, json, write};
use crate::render::summary;
use crate::snapshot::{Missing, Snapshot};
use crate::socket::Protocol;

/// The arguments of `sockscope port`.
#[derive(Debug, Clone, Default, Args)]
pub struct PortArgs {
    /// The port: a number from 1 to 65535, or a service's name
    #[arg(value_name = "PORT", allow_hyphen_values = true)]
    pub port: String,
    /// One JSON document (see sockscope schema port)
    #[arg(long)]
    pub json: bool,
    /// Network namespaces: all (the usual), PID, NAME or current
    ///
    /// Of all, this one is told first and decides the exit code; then every other in which something
    /// has the port, as far as it may be entered.
    #[arg(long, value_name = "NETNS", value_parser = parse_netns, conflicts_with = "replay")]
    pub netns: Option<NetnsWish>,
    /// Look into a recording; - reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
}

/// Reports. Exit 0 when somebody holds the port, 1 when nobody does.
pub fn run(args: &PortArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let services = Services::read();
    let number = parse_port(&args.port, &services)?;
    let request = Request {
        protocols: port::PROTOCOLS.to_vec(),
        ports: Some(PortWish::Either(number..=number)),
        netns: args.netns.clone().unwrap_or_else(everywhere),
        process_details: true,
        ..Request::default()
    };
    let mut backend: Box<dyn Backend> = match &args.replay {
        Some(path) => Box::new(Replay::open(path)?),
        None => platform::native(),
    };
    let mut snapshot = join(backend.collect(&request)?);
    let is_chosen = match request.netns {
        NetnsWish::All | NetnsWish::Current => false,
        NetnsWish::Of(_) | NetnsWish::Id(_) | NetnsWish::Named(_) => true,
    };
    if is_chosen {
        // The one that is told of is the one that was read.
        snapshot.current_netns = None;
    }
    let report = port::report(&snapshot, number);
    // From here on only what is reported counts, in the gaps too.
    snapshot.entries = report.entries().cloned().collect();
    keep_what_matters(&mut snapshot, &report);

    let names = names(number, &services);
    if args.json {
        json::write(&report, &snapshot, &names, io.stdout)?;
    } else {
        let width = io.terminal.width.map(usize::from);
        write(&report, &PortOptions { services: &names, is_named: is_chosen, width }, io.stdout)?;
    }
    io.stdout.flush()?;
    if let Some(line) = summary::summary(&snapshot, "--json") {
        writeln!(io.stderr, "{line}")?;
    }
    Ok(if report.is_held() { Exit::Found } else { Exit::Nothing })
}

/// Returns the wish for every network namespace, where there may be others than this one.
fn everywhere() -> NetnsWish {
    if platform::has_namespaces() { NetnsWish::All } else { NetnsWish::Current }
}

/// Parses a port, by number or by the name of its service.
fn parse_port(text: &str, services: &Services) -> Result<u16, Failure> {
    let text = text.trim();
    let text = text.strip_prefix(':').unwrap_or(text);
    let wrong = |why: &str| {
        Failure::new(format!("'{}' is no port: {why}", crate::render::sanitize::string(text)))
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u16>() {
            Ok(0) => Err(wrong("0 means any free one").hint("ports are 1 to 65535")),
            Ok(port) => Ok(port),
            Err(_) => Err(wrong("too large").hint("ports are 1 to 65535")),
        };
    }
    services.port(text, None).ok_or_else(|| {
        let failure = wrong("neither a number from 1 to 65535 nor a service");
        match nearest(text, services.names()) {
            Some(name) => failure.hint(format!("did you mean '{name}'?")),
            None => failure,
        }
    })
}

/// Returns what the port is called, by protocol.
fn names(port: u16, services: &Services) -> Vec<(Protocol, String)> {
    let name = |protocol| Some((protocol, services.name(protocol, port)?.to_owned()));
    [Protocol::Tcp, Protocol::Udp].into_iter().filter_map(name).collect()
}

/// Drops the gaps that take nothing from the report: owners matter where one is hidden, and where
/// nobody was found, since whoever forwards may be among those not seen.
fn keep_what_matters(snapshot: &mut Snapshot, report: &PortReport) {
    let is_hidden =
        |ownership: &Ownership| *ownership == Ownership::Hidden(HiddenReason::Permission);
    let any_hidden = report.entries().any(|entry| is_hidden(&entry.ownership));
    let any = report.entries().next().is_some();
    snapshot.unread.retain(|gap| match gap.what {
        Missing::Sockets | Missing::Namespaces | Missing::BoundSockets | Missing::UnheldSockets => {
            true
        }
        Missing::Descriptors | Missing::Owners => any_hidden,
        Missing::SocketFacts | Missing::ProcessFacts | Missing::UserNames => any,
        Missing::BindFacts => false,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> Services {
        Services::parse("http 80/tcp www\nhttps 443/tcp\ndomain 53/udp\n")
    }

    #[test]
    fn a_port_is_a_number_or_a_service() {
        for (text, port) in
            [("1", 1), ("65535", 65535), (":80", 80), ("http", 80), ("WWW", 80), ("domain", 53)]
        {
            assert_eq!(parse_port(text, &services()).unwrap(), port, "{text}");
        }
    }

    #[test]
    fn what_is_no_port_is_said_to_be_none() {
        for (text, message) in [
            ("0", "'0' is no port: 0 means any free one"),
            ("65536", "'65536' is no port: too large"),
            ("99999999999999999999", "'99999999999999999999' is no port: too large"),
            ("-1", "'-1' is no port: neither a number from 1 to 65535 nor a service"),
            ("", "'' is no port: neither a number from 1 to 65535 nor a service"),
            ("80-90", "'80-90' is no port: neither a number from 1 to 65535 nor a service"),
        ] {
            assert_eq!(parse_port(text, &services()).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_port_has_its_name_in_each_protocol() {
        assert_eq!(names(53, &services()), [(Protocol::Udp, "domain".to_owned())]);
        assert_eq!(names(1, &Services::default()), []);
    }
}
