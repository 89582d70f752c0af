//! The arguments of the listing: what may be typed. Nothing is looked up here; that is
//! `plan`'s part, so that parsing is the same on every machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use crate::cli::terminal::ColorChoice;
use crate::filter::Filter;
use crate::platform::{NetnsWish, OwnersBy};
use crate::process::Pid;
use crate::render::fields::Fields;
use crate::socket::{NetnsId, Protocol};

mod tables;

pub use tables::Tables;

/// The arguments of `sockscope list`.
#[derive(Debug, Clone, Default, Args)]
pub struct ListArgs {
    /// Rows wanted, in words: tcp and listen and port 3000-3999
    #[arg(value_name = "FILTER")]
    pub filter: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become the command's help")]
    pub select: SelectArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become the command's help")]
    pub tables: TableArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become the command's help")]
    pub format: FormatArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become the command's help")]
    pub source: SourceArgs,
}

/// Options that select rows by one thing, with lsof's lists. All of them and the filter must hold.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Select rows (all must hold)")]
pub struct SelectArgs {
    /// Internet sockets as lsof selects them; repeated, any may hold.
    #[arg(short = 'i', long = "internet", value_name = "ADDR", num_args = 0..=1)]
    #[arg(help = "As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable")]
    #[arg(default_missing_value = "")]
    pub internet: Vec<String>,
    /// Held by these processes: 1,22 or ^1
    #[arg(long, value_name = "LIST")]
    pub pid: Option<String>,
    /// Held by these users: alice,0 or ^root
    #[arg(long, value_name = "LIST")]
    pub user: Option<String>,
    /// Held by commands that start so: nginx or ^ssh
    #[arg(long, value_name = "LIST")]
    pub command: Option<String>,
    /// In these states: listen,time-wait or ^listen
    #[arg(long, value_name = "LIST")]
    pub state: Option<String>,
    /// With these ports at an end: 80,8000-8099 or ^22
    #[arg(long, value_name = "LIST")]
    pub port: Option<String>,
}

/// The short flags of ss and netstat.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "As in ss and netstat (-tulpn is what it looks like)")]
pub struct TableArgs {
    /// TCP; -t -u -w -x -0 and -A add up
    #[arg(short = 't', long)]
    pub tcp: bool,
    /// UDP
    #[arg(short = 'u', long)]
    pub udp: bool,
    /// Raw IP
    #[arg(short = 'w', long)]
    pub raw: bool,
    /// UNIX
    #[arg(short = 'x', long)]
    pub unix: bool,
    /// Packet (frames of a link)
    #[arg(short = '0', long)]
    pub packet: bool,
    /// Listening; of UDP, the unconnected
    #[arg(short = 'l', long)]
    pub listening: bool,
    /// IPv4 only
    #[arg(short = '4', long)]
    pub ipv4: bool,
    /// IPv6 only; with -4, both
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp
    #[arg(short = 'A', long = "query", alias = "socket", value_name = "LIST")]
    #[arg(allow_hyphen_values = true)]
    pub query: Option<Tables>,
    /// More columns: queues, timer, uid, inode, cookie
    #[arg(short = 'e', long)]
    pub extended: bool,
    /// Always on: every state
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Always on: numbers, unless with -r
    #[arg(short = 'n', long)]
    pub numeric: bool,
    /// Always on: processes
    #[arg(short = 'p', long)]
    pub processes: bool,
    /// Always on: one line a socket
    #[arg(short = 'O', long)]
    pub oneline: bool,
}

/// What is written, and how.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
#[command(group = ArgGroup::new("machine").multiple(false))]
pub struct FormatArgs {
    /// One JSON document (see sockscope schema)
    #[arg(long, group = "machine")]
    pub json: bool,
    /// One JSON object a socket, each on a line
    #[arg(long, group = "machine")]
    pub jsonl: bool,
    /// Comma-separated, every fact on its own
    #[arg(long, group = "machine")]
    pub csv: bool,
    /// lsof's fields, all or these: -FpcfnPT
    #[arg(short = 'F', long, value_name = "LETTERS", num_args = 0..=1, group = "machine")]
    #[arg(default_missing_value = "", value_parser = parse_fields)]
    pub fields: Option<Fields>,
    /// Process numbers only, each once
    #[arg(long, group = "machine")]
    pub pids: bool,
    /// pid,port or +inode,-user; alone +timer, as ss -o
    #[arg(short = 'o', long, value_name = "LIST", allow_hyphen_values = true)]
    #[arg(num_args = 0..=1, default_missing_value = "+timer")]
    #[arg(conflicts_with_all = ["json", "jsonl", "fields", "pids"])]
    pub columns: Option<String>,
    /// By columns: port,-pid (- for descending)
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// No header line
    #[arg(short = 'H', long)]
    pub no_header: bool,
    /// Cut nothing to fit the terminal
    #[arg(long)]
    pub wide: bool,
    /// A row for each descriptor, as lsof
    #[arg(long)]
    pub fds: bool,
    /// Names of hosts and ports
    #[arg(short = 'r', long)]
    pub resolve: bool,
    /// Longest wait for names
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    pub resolve_timeout: Duration,
    /// auto, always or never
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    pub color: ColorChoice,
    /// Tell all that could not be seen
    #[arg(short = 'v', long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Tell nothing but errors
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

/// Where the rows come from.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// native or portable (netstat2, sysinfo)
    #[arg(long, value_name = "NAME", value_enum, default_value_t, hide_possible_values = true)]
    pub backend: BackendName,
    /// How to find owners: auto, bpf or proc
    #[arg(long, value_name = "WAY", value_enum, default_value_t, hide_possible_values = true)]
    pub owners: OwnersBy,
    /// Network namespaces: all, PID, NAME or current
    #[arg(long, value_name = "NETNS", value_parser = parse_netns, conflicts_with = "replay")]
    pub netns: Option<NetnsWish>,
    /// Also write all that was collected to FILE
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Replace names, users and addresses in it
    #[arg(long, requires = "record")]
    pub redact: bool,
    /// List a recording; - reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with = "backend")]
    pub replay: Option<PathBuf>,
    /// Read everything, and only then select: slower, never different
    #[arg(long, hide = true)]
    pub no_narrow: bool,
}

/// Who asks the system: the best there is for it, or the same libraries everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[expect(missing_docs, reason = "a variant's doc comment would make --help twice as long")]
pub enum BackendName {
    #[default]
    Native,
    Portable,
}

impl TableArgs {
    /// Returns the filter for the tables asked for by flag; `None` when by none.
    pub fn filter(&self) -> Option<Filter> {
        let flags = [
            (self.tcp, Protocol::Tcp),
            (self.udp, Protocol::Udp),
            (self.raw, Protocol::Raw),
            (self.unix, Protocol::Unix),
            (self.packet, Protocol::Packet),
        ];
        let flagged = flags.into_iter().filter(|(asked, _)| *asked);
        let asked: Vec<Filter> = flagged
            .map(|(_, protocol)| Filter::protocol(protocol))
            .chain(self.query.iter().flat_map(Tables::filters))
            .collect();
        (!asked.is_empty()).then(|| Filter::any(asked))
    }
}

fn parse_fields(letters: &str) -> Result<Fields, String> {
    Fields::parse(letters).map_err(|error| {
        format!("{error}\nhint: -F takes the next word for letters; a filter may follow --")
    })
}

/// Linux gives no greater process number (`PID_MAX_LIMIT`, linux/include/linux/threads.h), and no
/// smaller one to a namespace (`PROC_DYNAMIC_FIRST`, linux/fs/proc/generic.c).
const MAX_PID: u64 = 1 << 22;

pub(super) fn parse_netns(text: &str) -> Result<NetnsWish, &'static str> {
    match (text, text.parse::<u64>()) {
        ("", _) => Err("expected all, current, a process number or a name"),
        ("all", _) => Ok(NetnsWish::All),
        ("current", _) => Ok(NetnsWish::Current),
        (_, Ok(number)) => Ok(match u32::try_from(number) {
            Ok(pid) if number <= MAX_PID => NetnsWish::Of(Pid(pid)),
            Ok(_) | Err(_) => NetnsWish::Id(NetnsId(number)),
        }),
        (name, Err(_)) => Ok(NetnsWish::Named(name.to_owned())),
    }
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// Reads a number of bytes: `1000`, `64KiB`, `10M`.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("{unit:?} is not a unit; they are K, M and G")),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of bytes".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too many bytes".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    #[command(args_override_self = true)]
    struct Only {
        #[command(flatten)]
        list: ListArgs,
    }

    fn parsed(arguments: &[&str]) -> ListArgs {
        let arguments = std::iter::once(&"list").chain(arguments);
        Only::try_parse_from(arguments).unwrap().list
    }

    fn refused(arguments: &[&str]) -> String {
        let arguments = std::iter::once(&"list").chain(arguments);
        Only::try_parse_from(arguments).unwrap_err().to_string()
    }

    #[test]
    fn tulpn_is_what_it_looks_like() {
        let args = parsed(&["-tulpn"]).tables;
        assert!(args.tcp && args.udp && args.listening && args.processes && args.numeric);
        assert_eq!(args.filter().unwrap().to_string(), "tcp or udp");
    }

    #[test]
    fn protocol_flags_and_tables_add_up() {
        let args = parsed(&["-t", "-A", "unix,udp"]).tables;
        assert_eq!(args.filter().unwrap().to_string(), "tcp or udp or unix");
    }

    #[test]
    fn an_internet_address_may_be_absent_attached_or_apart() {
        assert_eq!(parsed(&["-i"]).select.internet, [""]);
        assert_eq!(parsed(&["-iTCP:80"]).select.internet, ["TCP:80"]);
        assert_eq!(
            parsed(&["-i", "4tcp@[::1]:80", "-i:53"]).select.internet,
            ["4tcp@[::1]:80", ":53"]
        );
    }

    #[test]
    fn field_letters_may_be_absent() {
        let fields = |letters| Some(Fields::parse(letters).unwrap());
        assert_eq!(parsed(&["-F"]).format.fields, fields(""));
        assert_eq!(parsed(&["-FpcfnPT"]).format.fields, fields("pcfnPT"));
    }

    #[test]
    fn a_filter_taken_for_field_letters_is_told_where_to_stand() {
        assert!(refused(&["-F", ":8080"]).contains("may follow --"));
    }

    #[test]
    fn columns_may_be_taken_away() {
        assert_eq!(parsed(&["-o", "-user"]).format.columns.as_deref(), Some("-user"));
    }

    #[test]
    fn columns_without_a_list_are_what_ss_means_by_it() {
        assert_eq!(parsed(&["-tunapo"]).format.columns.as_deref(), Some("+timer"));
    }

    #[test]
    fn two_formats_contradict_each_other() {
        assert!(refused(&["--json", "--csv"]).contains("cannot be used with"));
    }

    #[test]
    fn a_flag_typed_twice_is_typed_once() {
        assert!(parsed(&["-nn", "-t", "-t"]).tables.tcp);
    }

    #[test]
    fn a_namespace_is_a_process_a_number_or_a_name() {
        let wish = |text| parsed(&["--netns", text]).source.netns.unwrap();
        assert_eq!(wish("all"), NetnsWish::All);
        assert_eq!(wish("current"), NetnsWish::Current);
        assert_eq!(wish("4194304"), NetnsWish::Of(Pid(4_194_304)));
        assert_eq!(wish("4026531833"), NetnsWish::Id(NetnsId(4_026_531_833)));
        assert_eq!(wish("blue"), NetnsWish::Named("blue".to_owned()));
        assert!(refused(&["--netns", ""]).contains("a process number or a name"));
        assert!(refused(&["--netns", "all", "--replay", "x"]).contains("cannot be used with"));
    }

    #[test]
    fn a_recording_is_redacted_only_where_one_is_made() {
        assert!(refused(&["--redact"]).contains("--record"));
    }
}
