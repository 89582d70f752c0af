//! From arguments to a plan: names are looked up here, lists become columns and filters, flags
//! become the one filter and the one request that the listing works with.
//!
//! [`crate::cli::args`] says what may be typed; [`crate::cli::list`] does what is planned.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::args::{BackendName, FormatArgs, ListArgs, SelectArgs, TableArgs};
use crate::filter::{self, Filter, FilterError, Names};
use crate::platform::{NetnsWish, Request};
use crate::render::column::{self, Column};
use crate::render::csv;
use crate::render::fields::Fields;
use crate::render::row::Rows;
use crate::socket::Family;
use crate::sort::SortKey;

/// What a listing is going to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the rows come from.
    pub source: Source,
    /// What the source is asked for.
    pub request: Request,
    /// Which rows are shown.
    pub filter: Filter,
    /// In which order.
    pub sort: Vec<SortKey>,
    /// As what.
    pub format: Format,
    /// The columns of a table or of CSV.
    pub columns: Vec<Column>,
    /// What makes a row of them.
    pub rows: Rows,
    /// How long names of hosts and ports may take; `None` when numbers are wanted.
    pub resolve: Option<Duration>,
    /// Where all that was collected is written too.
    pub recording: Option<Recording>,
}

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This machine.
    System(BackendName),
    /// A recording.
    Recording(PathBuf),
}

/// The format of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a socket.
    JsonLines,
    /// Comma-separated columns.
    Csv,
    /// lsof's fields.
    Fields(Fields),
    /// Process numbers.
    Pids,
}

/// A recording to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The file, which must not exist yet.
    pub path: PathBuf,
    /// Whether names, users and addresses are replaced.
    pub redact: bool,
}

/// What `-e` adds.
const EXTENDED: &[Column] = &[
    Column::RecvQ,
    Column::SendQ,
    Column::Backlog,
    Column::Timer,
    Column::Uid,
    Column::Inode,
    Column::Cookie,
];

impl Plan {
    /// Plans what the arguments ask for. Names in them are looked up in `names`.
    ///
    /// # Errors
    ///
    /// A filter or list that is none, and a name that nobody knows.
    pub fn new(args: &ListArgs, names: &dyn Names) -> anyhow::Result<Self> {
        let ListArgs { filter: words, select, tables, format, source } = args;
        let filter = Filter::parse(&words.join(" "), names)?
            .and(plan_selection(select, names)?)
            .and(plan_tables(tables));
        let sort = plan_sort(format.sort.as_deref())?;
        let mut request = Request { user_names: false, ..Request::default() };
        filter.widen(&mut request);
        request.owners_by = source.owners;
        if let Some(netns) = &source.netns {
            request.netns.clone_from(netns);
        }
        let columns = plan_columns(format, tables.extended, &request)?;
        let whole = source.record.is_some() || format.json || format.jsonl;
        let in_columns = format.fields.is_none() && !whole;
        let shown = || columns.iter().copied().chain(sort.iter().map(|key| key.column));
        request.details |= whole || shown().any(Column::needs_details);
        request.process_details |= whole || shown().any(Column::needs_process_details);
        request.user_names |= !in_columns || shown().any(Column::needs_user_names);
        // A recording is worth what it holds: it is made of everything.
        if source.record.is_none() && !source.no_narrow {
            filter.narrow(&mut request);
        }
        Ok(Self {
            source: source.replay.clone().map_or(Source::System(source.backend), Source::Recording),
            request,
            filter,
            sort,
            format: plan_format(format),
            columns,
            rows: if format.fds { Rows::Descriptors } else { Rows::Sockets },
            resolve: format.resolve.then_some(format.resolve_timeout),
            recording: source.record.clone().map(|path| Recording { path, redact: source.redact }),
        })
    }
}

/// Parses one of lsof's lists.
type ParseList = fn(&str, &dyn Names) -> Result<Filter, FilterError>;

fn plan_selection(args: &SelectArgs, names: &dyn Names) -> anyhow::Result<Filter> {
    let SelectArgs { internet, pid, user, command, state, port } = args;
    let lists: [(&'static str, &Option<String>, ParseList); 5] = [
        ("--pid", pid, filter::lists::pids),
        ("--user", user, filter::lists::users),
        ("--command", command, filter::lists::commands),
        ("--state", state, filter::lists::states),
        ("--port", port, filter::lists::ports),
    ];
    let mut all = Filter::everything();
    for (flag, list, parse) in lists {
        if let Some(list) = list {
            all = all.and(parse(list, names).context(flag)?);
        }
    }
    let internet: Vec<Filter> = internet
        .iter()
        .map(|address| filter::lsof::parse_internet(address, names))
        .collect::<Result<_, _>>()
        .context("-i")?;
    Ok(if internet.is_empty() { all } else { all.and(Filter::any(internet)) })
}

/// Says the flags of ss and netstat as a filter.
fn plan_tables(args: &TableArgs) -> Filter {
    let family = only_family(args).map(Filter::family);
    let listening = args.listening.then(Filter::servers);
    [args.filter(), family, listening].into_iter().flatten().fold(Filter::everything(), Filter::and)
}

/// Returns the one family asked for; both together restrict nothing.
fn only_family(args: &TableArgs) -> Option<Family> {
    match (args.ipv4, args.ipv6) {
        (true, false) => Some(Family::Inet),
        (false, true) => Some(Family::Inet6),
        (true, true) | (false, false) => None,
    }
}

fn plan_sort(list: Option<&str>) -> anyhow::Result<Vec<SortKey>> {
    list.map_or(Ok(Vec::new()), SortKey::parse_list).context("--sort")
}

/// Returns the columns asked for. Where rows may be of several namespaces, the usual ones say of which.
fn plan_columns(
    args: &FormatArgs,
    extended: bool,
    request: &Request,
) -> anyhow::Result<Vec<Column>> {
    let mut usual = if args.csv { csv::DEFAULT } else { column::DEFAULT }.to_vec();
    if request.netns != NetnsWish::Current && !usual.contains(&Column::Netns) {
        usual.push(Column::Netns);
    }
    let mut columns = match &args.columns {
        Some(list) => column::parse_list(list, &usual).context("--columns")?,
        None => usual,
    };
    if extended {
        let more = EXTENDED.iter().filter(|more| !columns.contains(more)).copied();
        columns.extend(more.collect::<Vec<_>>());
    }
    Ok(columns)
}

fn plan_format(args: &FormatArgs) -> Format {
    if args.json {
        Format::Json
    } else if args.jsonl {
        Format::JsonLines
    } else if args.csv {
        Format::Csv
    } else if args.pids {
        Format::Pids
    } else if let Some(fields) = &args.fields {
        Format::Fields(fields.clone())
    } else {
        Format::Table
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::filter::NoNames;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        list: ListArgs,
    }

    fn request(words: &str) -> Request {
        let only = Only::parse_from(["list"].into_iter().chain(words.split_whitespace()));
        Plan::new(&only.list, &NoNames).unwrap().request
    }

    fn asks_for_details(words: &str) -> bool {
        request(words).details
    }

    #[test]
    fn users_are_asked_for_by_name_only_when_something_shows_or_compares_them() {
        for words in ["-o pid,local", "-o uid", "-H -o pid,local,peer --sort pid", "-o fd user 7"] {
            assert!(!request(words).user_names, "{words}");
        }
        let shown = ["", "-o +inode", "-o pid --sort user", "--csv", "--json", "--jsonl", "-F pn"];
        let compared = ["-o pid user a*", "-o pid not (port 1 or user a*)", "-o pid --user a*"];
        for words in shown.into_iter().chain(compared).chain(["-o pid --record x"]) {
            assert!(request(words).user_names, "{words}");
        }
    }

    #[test]
    fn details_are_asked_for_only_when_something_shows_them() {
        for words in ["", "-e", "--csv", "--pids", "--sort port", "pid 7"] {
            assert!(!asks_for_details(words), "{words}");
        }
        for words in ["--json", "--jsonl", "-o +rtt", "--sort -mem", "not drops 0", "--record x"] {
            assert!(asks_for_details(words), "{words}");
        }
    }
}
