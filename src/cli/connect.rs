//! `sockscope connect`: the echo client in a terminal.

use std::io::{self, Write};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{ArgGroup, Args};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};
use tokio::{pin, select};

use crate::cli::args::{parse_duration, parse_size};
use crate::cli::error::Failure;
use crate::cli::{Exit, Io, runtime};
use crate::echo::address::Address;
use crate::echo::client::{
    self, ClientOptions, Datagrams, Fault, FaultKind, Held, Progress, Report, Source, Target,
};
use crate::echo::error::{Cause, EchoError};
use crate::platform::limits;
use crate::render::json::schema_of;
use crate::socket::Protocol;

/// The arguments of `sockscope connect`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").args(["message", "text", "file"]))]
#[command(after_help = "\
ADDR is 8080, 127.0.0.1:8080, [::1]:8080, localhost:8080, NAME:8080, or the path of a UNIX socket.

Without anything to send, lines are read from stdin; with --count, --size or several connections,
pseudo-random messages are sent. Exit status: 0 when everything came back as it was sent, 1 when
not, 2 when nothing could be sent.")]
pub struct ConnectArgs {
    /// Whom to connect to
    #[arg(value_name = "ADDR")]
    pub address: String,
    /// A line to send
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
    /// A line to send
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// A file to send
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How many messages to send [default: 1]
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "source")]
    pub count: Option<NonZeroU64>,
    /// How long a message is, such as 1000, 64KiB or 10M (powers of 1024) [default: 1024]
    #[arg(short, long, value_name = "BYTES", conflicts_with = "source", value_parser = parse_size)]
    pub size: Option<u64>,
    /// How many connections at once
    #[arg(short, long, value_name = "N", default_value = "1")]
    pub connections: NonZeroUsize,
    /// Send UDP datagrams, one a message
    #[arg(short, long)]
    pub udp: bool,
    /// Keep the connections open after the echo: for so long, or until Ctrl-C
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, value_parser = parse_duration)]
    pub hold: Option<Option<Duration>>,
    /// End our side once all is sent (shutdown), with --hold too; without, that is always done
    #[arg(long)]
    pub half_close: bool,
    /// Messages with a header: its length in two bytes, JSON with content-length, the content
    #[arg(long, conflicts_with = "udp")]
    pub framed: bool,
    /// Close by RST instead of FIN (SO_LINGER with 0 seconds): no TIME_WAIT
    #[arg(long, conflicts_with_all = ["udp", "half_close"])]
    pub reset: bool,
    /// Give up when nothing moves for so long [default: 30s; over UDP, 1s for each datagram]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Which pseudo-random bytes to send
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The result as JSON (see sockscope schema connect)
    #[arg(long)]
    pub json: bool,
}

/// The largest payload of a UDP datagram over IPv4: 65,535 less both headers.
const LARGEST_MESSAGE: u64 = 65_507;

/// The longest message that is sent with a header: it is kept until it is back.
const LARGEST_FRAME: u64 = 16 << 20;

impl ConnectArgs {
    fn target(&self) -> anyhow::Result<Target> {
        let address: Address = self.address.parse().map_err(EchoError::from)?;
        let protocol = match &address {
            Address::Path(_) if self.udp => {
                return Err(Failure::new("a UNIX path takes no --udp").into());
            }
            Address::Path(_) if self.reset => {
                return Err(Failure::new("a UNIX path takes no --reset").into());
            }
            Address::Path(_) => Protocol::Unix,
            Address::Inet { port: None | Some(0), .. } => {
                return Err(Failure::new(format!("{:?} has no port to connect to", self.address))
                    .hint("as in localhost:8080")
                    .into());
            }
            Address::Inet { .. } if self.udp => Protocol::Udp,
            Address::Inet { .. } => Protocol::Tcp,
        };
        Ok(Target { protocol, address })
    }

    fn source(&self) -> anyhow::Result<Source> {
        if let Some(text) = self.message.as_ref().or(self.text.as_ref()) {
            return Ok(Source::Bytes(format!("{text}\n").into_bytes().into()));
        }
        if let Some(path) = &self.file {
            return Ok(Source::File(path.clone()));
        }
        if self.count.is_none() && self.size.is_none() && self.connections.get() == 1 {
            return Ok(Source::Once(Box::new(tokio::io::stdin())));
        }
        let size = self.size.unwrap_or(1024);
        if self.udp && size > LARGEST_MESSAGE {
            let text = format!("a datagram cannot be {size} bytes long");
            return Err(Failure::new(text)
                .hint(format!("the largest is {LARGEST_MESSAGE}; --count sends more of them"))
                .into());
        }
        if self.framed && size > LARGEST_FRAME {
            let text = format!("a framed message of {size} bytes is too long");
            return Err(Failure::new(text)
                .hint(format!("the longest is {LARGEST_FRAME}; --count sends more of them"))
                .into());
        }
        Ok(Source::Generated {
            count: self.count.map_or(1, NonZeroU64::get),
            size,
            seed: self.seed,
        })
    }

    /// Returns whether to show what comes back: where a person typed it.
    fn shows_echo(&self, io: &Io<'_>, source: &Source) -> bool {
        !self.json
            && self.connections.get() == 1
            && match source {
                Source::Once(_) => io.terminal.stdin,
                Source::Bytes(_) => true,
                Source::File(_) | Source::Generated { .. } => false,
            }
    }
}

/// Sends, verifies, reports.
pub fn run(args: &ConnectArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let target = args.target()?;
    let source = args.source()?;
    make_room(args.connections.get(), io.stderr)?;
    let patience = if target.protocol == Protocol::Udp { 1 } else { 30 };
    let shows_echo = args.shows_echo(io, &source);
    if shows_echo && matches!(source, Source::Once(_)) {
        writeln!(io.stderr, "sockscope: type a line and see it come back; Ctrl-D ends")?;
    }
    runtime::block_on(async {
        let mut interrupts = runtime::Interrupts::listen()?;
        let progress = Arc::new(Progress::default());
        let (echo, mut echoed) = mpsc::channel(64);
        let options = ClientOptions {
            connections: args.connections.get(),
            timeout: Some(args.timeout.unwrap_or(Duration::from_secs(patience))),
            keep_open: args.hold.is_some(),
            half_close: args.half_close,
            framed: args.framed,
            reset: args.reset,
            echo: shows_echo.then_some(echo),
        };
        let ran = {
            let running = client::run(&target, source, options, &progress, interrupts.next());
            pin!(running);
            let mut meter = Meter::new(io.terminal.stderr && !shows_echo);
            loop {
                select! {
                    biased;
                    Some(bytes) = echoed.recv() => {
                        io.stdout.write_all(&bytes)?;
                        io.stdout.flush()?;
                    }
                    ran = &mut running => {
                        meter.clear(io.stderr)?;
                        break ran;
                    }
                    () = meter.tick() => meter.draw(&progress, io.stderr)?,
                }
            }
        };
        // What came back last may have been handed over in the moment the run ended.
        while let Ok(bytes) = echoed.try_recv() {
            io.stdout.write_all(&bytes)?;
        }
        let (report, held) = ran?;
        if let Some(refusal) = refusal(&target, &report) {
            return Err(refusal.into());
        }
        if args.json {
            writeln!(
                io.stdout,
                "{}",
                serde_json::to_string(&Wire { schema: SCHEMA, report: &report })?
            )?;
        } else {
            write_report(&report, io.stdout)?;
        }
        io.stdout.flush()?;
        if let Some(time) = args.hold {
            hold(held, (time, args.reset), &target, &mut interrupts, io.stderr).await?;
        }
        Ok(if report.is_verified() { Exit::Found } else { Exit::Nothing })
    })
}

/// Descriptors that are not connections: the standard streams, the runtime's own, files sent.
const OTHER_FILES: u64 = 64;

fn make_room(connections: usize, stderr: &mut dyn Write) -> io::Result<()> {
    let needed = (connections as u64).saturating_add(OTHER_FILES);
    match limits::raise_open_files(needed) {
        Some(files) if files < needed => writeln!(
            stderr,
            "sockscope: {connections} connections may be too many: no more than {files} files may be \
             open\nhint: raise the hard limit: ulimit -Hn"
        ),
        Some(_) | None => Ok(()),
    }
}

/// Over UDP nobody says that nothing listens until something was sent. Then it is what it is over
/// TCP: nothing could be done.
fn refusal(target: &Target, report: &Report) -> Option<EchoError> {
    let is_refused =
        report.verified == 0 && report.faults.iter().any(|fault| fault.kind == FaultKind::Refused);
    let port = match target.address {
        Address::Inet { port, .. } => port,
        Address::Path(_) => None,
    };
    is_refused.then(|| EchoError::Connect {
        protocol: target.protocol,
        peer: target.address.to_string(),
        port,
        source: Cause(io::ErrorKind::ConnectionRefused.into()),
    })
}

/// Keeps the connections open, so that they can be looked at.
async fn hold(
    held: Held,
    (time, reset): (Option<Duration>, bool),
    target: &Target,
    interrupts: &mut runtime::Interrupts,
    stderr: &mut dyn Write,
) -> anyhow::Result<()> {
    let list = match target.address {
        Address::Inet { port, .. } => format!(":{}", port.unwrap_or_default()),
        Address::Path(_) => "-x".to_owned(),
    };
    let end = time.map_or_else(
        || "Ctrl-C ends".to_owned(),
        |time| format!("for {}", humantime::format_duration(time)),
    );
    writeln!(
        stderr,
        "sockscope: holding {} connections open, {end}; look at them: sockscope list {list}",
        held.len()
    )?;
    match time {
        None => interrupts.next().await,
        Some(time) => select! {
            () = interrupts.next() => {}
            () = sleep(time) => {}
        },
    }
    if !reset {
        held.close().await;
    }
    Ok(())
}

/// The line on the terminal that shows how far it is.
struct Meter {
    ticks: Option<Interval>,
    begun: Instant,
    is_drawn: bool,
}

impl Meter {
    const INTERVAL: Duration = Duration::from_millis(200);

    fn new(is_wanted: bool) -> Self {
        let ticks = is_wanted.then(|| {
            // Nothing is drawn of what is over in no time.
            let mut ticks = interval_at(Instant::now() + Self::INTERVAL, Self::INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self { ticks, begun: Instant::now(), is_drawn: false }
    }

    async fn tick(&mut self) {
        match &mut self.ticks {
            Some(ticks) => {
                ticks.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    fn draw(&mut self, progress: &Progress, stderr: &mut dyn Write) -> io::Result<()> {
        let verified = progress.verified.load(Ordering::Relaxed);
        self.is_drawn = true;
        // Carriage return, and erase to the end of the line (ECMA-48 EL).
        write!(
            stderr,
            "\r\x1b[K{} connected, {} done, {} back, {}/s",
            progress.connected.load(Ordering::Relaxed),
            progress.finished.load(Ordering::Relaxed),
            format_size(verified),
            format_size(client::rate(verified, self.begun.elapsed())),
        )?;
        stderr.flush()
    }

    fn clear(&self, stderr: &mut dyn Write) -> io::Result<()> {
        if self.is_drawn { write!(stderr, "\r\x1b[K") } else { Ok(()) }
    }
}

/// The schema of the JSON result: fields may be added to it, never renamed.
const SCHEMA: &str = "sockscope.connect/1";

/// What a run of the client found.
#[derive(Serialize, schemars::JsonSchema)]
struct Wire<'a> {
    /// The name and version of this schema: `sockscope.connect/1`.
    schema: &'static str,
    #[serde(flatten)]
    report: &'a Report,
}

/// Returns the JSON Schema of the result.
pub(super) fn schema() -> String {
    schema_of::<Wire<'_>>()
}

fn write_report(report: &Report, stdout: &mut dyn Write) -> io::Result<()> {
    let Report { protocol, peer, connections, verified_connections, .. } = report;
    writeln!(
        stdout,
        "{verified_connections} of {connections} connections verified: {protocol} {peer}, {} bytes sent, {} back in {:.3}s ({}/s)",
        report.sent,
        report.verified,
        report.seconds,
        format_size(report.bytes_per_second),
    )?;
    if let Some(Datagrams { sent, verified, lost, stray }) = report.datagrams {
        writeln!(stdout, "{sent} datagrams: {verified} back, {lost} lost, {stray} late or twice")?;
    }
    for Fault { connection, kind } in &report.faults {
        writeln!(stdout, "connection {connection}: {}", describe(kind))?;
    }
    match report.faulty_connections - report.faults.len() {
        0 => Ok(()),
        more => writeln!(stdout, "and {more} more connections with faults"),
    }
}

fn describe(fault: &FaultKind) -> String {
    match fault {
        FaultKind::Mismatch { offset, expected, got } => {
            format!("byte {offset} was sent as {expected:#04x} and came back as {got:#04x}")
        }
        FaultKind::Length { offset, expected, got } => {
            format!(
                "the datagram at byte {offset} was sent with {expected} bytes and came back with {got}"
            )
        }
        FaultKind::Extra { offset } => format!("more came back than the {offset} bytes sent"),
        FaultKind::ClosedEarly { offset } => {
            format!("the server closed it when {offset} bytes were back")
        }
        FaultKind::TimedOut { offset } => {
            format!("timed out when {offset} bytes were back; nothing moved any more")
        }
        FaultKind::Lost => "datagrams were lost".to_owned(),
        FaultKind::Interrupted => "interrupted before everything was back".to_owned(),
        FaultKind::Refused => "refused: nothing listens there any more".to_owned(),
        FaultKind::Failed { error } => error.clone(),
    }
}

/// Writes a number of bytes with three digits or more and a unit: `640 B`, `9.8 GiB`.
fn format_size(bytes: u64) -> String {
    let mut whole = bytes;
    let mut tenths = 0;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while whole >= 1024
        && let Some(next) = units.next()
    {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = next;
    }
    if unit == "B" { format!("{whole} B") } else { format!("{whole}.{tenths} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json::conformance;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        connect: ConnectArgs,
    }

    fn parse(arguments: &[&str]) -> Result<ConnectArgs, clap::Error> {
        let arguments = std::iter::once("connect").chain(arguments.iter().copied());
        Command::try_parse_from(arguments).map(|command| command.connect)
    }

    #[test]
    fn sizes_are_read_with_and_without_unit() {
        for (text, bytes) in [("0", 0), ("1000", 1000), ("64KiB", 65_536), ("10M", 10 << 20)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "1X", "-1", "1.5M", "99999999999G"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_with_the_largest_unit_that_fits() {
        let sizes = [0, 1023, 1024, 1536, 10 << 20, u64::MAX].map(format_size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10.0 MiB", "16777215.9 TiB"]);
    }

    #[test]
    fn a_line_is_sent_with_its_end() {
        let source = parse(&["8080", "hello"]).unwrap().source().unwrap();
        let Source::Bytes(bytes) = source else { panic!("{source:?}") };
        assert_eq!(&bytes[..], b"hello\n");
    }

    #[test]
    fn several_connections_without_source_send_generated_messages() {
        let source = parse(&["8080", "--connections", "3"]).unwrap().source().unwrap();
        assert!(matches!(source, Source::Generated { count: 1, size: 1024, .. }), "{source:?}");
    }

    #[test]
    fn hold_takes_a_time_only_after_an_equals_sign() {
        let held = parse(&["8080", "--hold", "text"]).unwrap();
        assert_eq!((held.hold, held.text.as_deref()), (Some(None), Some("text")));
        let held = parse(&["8080", "--hold=5s"]).unwrap();
        assert_eq!(held.hold, Some(Some(Duration::from_secs(5))));
    }

    #[test]
    fn two_sources_at_once_are_refused() {
        for arguments in [["8080", "a", "--message=b"], ["8080", "a", "--size=1"]] {
            assert!(parse(&arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn a_port_is_needed() {
        for address in ["localhost", "localhost:0", "::1"] {
            let error = parse(&[address]).unwrap().target().unwrap_err();
            assert!(error.to_string().contains("no port"), "{address}: {error}");
        }
    }

    #[test]
    fn a_datagram_that_cannot_be_is_refused_before_it_is_sent() {
        let args = parse(&["8080", "--udp", "--size", "65508"]).unwrap();
        assert!(args.source().is_err());
    }

    #[test]
    fn the_committed_schema_is_current_and_documented() {
        conformance::assert_committed("connect.schema.json", &schema());
        conformance::assert_documented(&schema());
    }

    #[test]
    fn a_wrong_byte_is_told_with_both_values() {
        let fault = FaultKind::Mismatch { offset: 7, expected: 1, got: 255 };
        assert_eq!(describe(&fault), "byte 7 was sent as 0x01 and came back as 0xff");
    }
}
