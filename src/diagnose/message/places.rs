//! The shapes of places in a message: `127.0.0.1:80`, `:::3000`, `('0.0.0.0', 8000)`, `port 5432`,
//! `/run/x.sock`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::diagnose::message::Host;

/// One line of a message.
pub(super) struct Line<'a> {
    text: &'a str,
    /// The same in lower case, as far as it is ASCII: every byte is where it was.
    pub lower: String,
}

impl<'a> Line<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, lower: text.to_ascii_lowercase() }
    }

    /// Returns true when the word stands on the line by itself.
    pub(super) fn has_word(&self, word: &str) -> bool {
        self.lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|found| found == word)
    }

    /// Returns true when the line speaks of UDP and not also of TCP.
    pub(super) fn is_udp(&self) -> bool {
        let has = |protocol: &str| {
            self.lower
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word.starts_with(protocol))
        };
        has("udp") && !has("tcp")
    }

    /// Returns true for a line of a stack trace: it has numbers of lines, not of ports.
    fn is_frame(&self) -> bool {
        let text = self.text.trim_start();
        ["at ", "from ", "File \"", "in "].iter().any(|start| text.starts_with(start))
    }
}

/// A place, with how much its shape alone proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The path of a UNIX socket, or its abstract name.
    Path(String),
    /// A port.
    Port {
        /// Its host, when it is written beside it.
        host: Option<Host>,
        /// The port.
        port: u16,
        /// Whether it is written that every address is meant.
        any: bool,
        /// How much the shape proves.
        weight: i64,
    },
}

impl Found {
    pub(super) const fn is_path(&self) -> bool {
        matches!(self, Self::Path(_))
    }

    pub(super) const fn weight(&self) -> i64 {
        match self {
            Self::Path(_) => 50,
            Self::Port { weight, .. } => *weight,
        }
    }
}

/// Names of hosts that stand for every address.
const ANY: &[&str] = &["", "*", "+", "any", "null"];

/// Words that a host follows, and so `db:5432` is no `main:12`.
const BEFORE_HOSTS: &[&str] = &[
    "to",
    "on",
    "at",
    "for",
    "tcp",
    "tcp4",
    "tcp6",
    "udp",
    "udp4",
    "udp6",
    "host",
    "address",
    "server",
    "in",
    "use",
    "econnrefused",
    "etimedout",
];

/// Words that the path of a UNIX socket follows.
const BEFORE_PATHS: &[&str] =
    &["unix", "socket", "use", "eaddrinuse", "econnrefused", "enoent", "eacces"];

/// What ends the name of a file with source code: `net.js:1313` is no host.
const SOURCES: &[&str] = &[
    "c", "cc", "cjs", "coffee", "cpp", "cs", "erl", "ex", "exs", "go", "h", "java", "js", "jsx",
    "kt", "lua", "mjs", "php", "pl", "py", "rb", "rs", "scala", "swift", "ts", "tsx", "vue",
    "conf", "cfg", "yml",
];

/// Returns every place on a line.
pub(super) fn find(line: &Line<'_>) -> Vec<Found> {
    if line.is_frame() {
        return Vec::new();
    }
    let words = words(line.text);
    let mut before = "";
    let mut found = Vec::new();
    for word in &words {
        if !is_json_value(line.text, word) {
            found.extend(of_word(word.text, before).or_else(|| of_tuple(line.text, word)));
        }
        before = word.text.trim_end_matches(':');
    }
    found.extend(of_port(&line.lower));
    found
}

/// Returns the host that stands on a line without a port: an address, else a name that is surely one.
pub(super) fn host_alone(line: &Line<'_>) -> Option<Host> {
    if line.is_frame() {
        return None;
    }
    let words = words(line.text);
    let alone = |word: &Word<'_>| {
        let text = word.text.trim_end_matches([':', '.', ',']);
        // `::` ends with the colons it is made of.
        [word.text, text].into_iter().find_map(address)
    };
    let name = |window: &[Word<'_>]| {
        let [verb, before, word, after] = window else { return None };
        let is = |word: &Word<'_>, name: &str| word.text.eq_ignore_ascii_case(name);
        let is_host =
            is(before, "host") || (is(verb, "connect") && is(before, "to") && is(after, "port"));
        (is_name(word.text) && is_host).then(|| Host::Name(word.text.to_owned()))
    };
    let localhost = |word: &Word<'_>| {
        word.text.eq_ignore_ascii_case("localhost").then(|| Host::Name("localhost".to_owned()))
    };
    words
        .iter()
        .find_map(alone)
        .or_else(|| erlang(&line.lower))
        .or_else(|| words.windows(4).find_map(name))
        .or_else(|| words.iter().find_map(localhost))
}

/// A run of characters that can be part of a place.
struct Word<'a> {
    start: usize,
    text: &'a str,
}

fn words(line: &str) -> Vec<Word<'_>> {
    let is_part = |c: char| !c.is_whitespace() && !"\"'`<>(),;{}=|".contains(c);
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match (start, is_part(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.extend(line.get(from..at).map(|text| Word { start: from, text }));
                start = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    words
}

/// Returns true for the `:23024` of `"id":23024`: whatever ends in `port` is read as that.
fn is_json_value(line: &str, word: &Word<'_>) -> bool {
    let before = line.get(..word.start).unwrap_or_default();
    word.text.starts_with(':')
        && before.ends_with('"')
        && before.matches('"').count().is_multiple_of(2)
}

/// Reads a place that is one word: `127.0.0.1:80`, `http://localhost:3000/`, `/run/x.sock`.
fn of_word(word: &str, before: &str) -> Option<Found> {
    if let Some(path) = path(word, before) {
        return Some(Found::Path(path));
    }
    // `10.0.0.1:5000->10.0.0.2:443`: the end here is not what failed.
    if word.ends_with('-') {
        return None;
    }
    let (scheme, rest) = match word.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest.split(['/', '?']).next().unwrap_or(rest)),
        None => (
            None,
            ["tcp:", "udp:"].iter().find_map(|scheme| word.strip_prefix(scheme)).unwrap_or(word),
        ),
    };
    let rest = rest.trim_end_matches(['.', ':', '!', '?', ',']);
    // A bracket that was opened before the word closes a list: `[listen EADDRINUSE 0.0.0.0:80]`.
    let rest = if rest.contains('[') { rest } else { rest.trim_end_matches(']') };
    // Docker writes `0.0.0.0:80/tcp`.
    let rest = ["/tcp", "/udp"].iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
    // Java writes `localhost/127.0.0.1:80`; others put brackets around the whole.
    let address = rest.rsplit('/').next().unwrap_or(rest);
    let inner = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let pair = [Some(rest), Some(address), inner].into_iter().flatten().find_map(pair);
    let Some((host, port)) = pair.or_else(|| published(rest)) else {
        return tomcat(rest).or_else(|| without_port(scheme?, rest));
    };
    let weight = match &host {
        Some(Host::Ip(_)) => 60,
        None => 55,
        Some(Host::Name(name)) if scheme.is_some() || name.eq_ignore_ascii_case("localhost") => 55,
        Some(Host::Name(name)) => {
            let follows = BEFORE_HOSTS.iter().any(|word| before.eq_ignore_ascii_case(word));
            let is_source = name.rsplit_once('.').is_some_and(|(_, end)| SOURCES.contains(&end));
            if is_source || !(follows || name.contains('.')) {
                return None;
            }
            40
        }
    };
    Some(Found::Port { any: host.is_none(), host, port, weight })
}

/// Splits `HOST:PORT`; the host is `None` when every address is meant.
fn pair(text: &str) -> Option<(Option<Host>, u16)> {
    // BIND writes `127.0.0.1#53`.
    let (host, port) = text.rsplit_once('#').or_else(|| text.rsplit_once(':'))?;
    // Elasticsearch writes `127.0.0.1:[9200]`.
    let bare = port.strip_prefix('[').map(|port| port.trim_end_matches(']'));
    let port = number(bare.unwrap_or(port))?;
    if ANY.contains(&host) {
        return Some((None, port));
    }
    // `:::3000` is `::` and a port, and `::1:3000` is `::1` and one.
    if let Some(host) = address(host) {
        return Some((Some(host), port));
    }
    (is_name(host) && host.contains(|c: char| c.is_ascii_alphabetic()))
        .then(|| (Some(Host::Name(host.to_owned())), port))
}

/// Reads where Docker publishes a port, before the container's own: `0.0.0.0:8080:172.17.0.2:80`.
fn published(text: &str) -> Option<(Option<Host>, u16)> {
    let of_address = |text| pair(text).filter(|(host, _)| matches!(host, Some(Host::Ip(_))));
    text.match_indices(':').find_map(|(at, _)| {
        let container = text.get(at + 1..)?;
        of_address(container).and_then(|_| of_address(text.get(..at)?))
    })
}

/// Reads an address alone, with or without brackets and a zone.
fn address(text: &str) -> Option<Host> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = inner.parse::<Ipv4Addr>() {
        return Some(Host::Ip(address.into()));
    }
    let (address, zone) =
        inner.split_once('%').map_or((inner, None), |(ip, zone)| (ip, Some(zone)));
    let address: Ipv6Addr = address.parse().ok()?;
    match zone {
        None => Some(Host::Ip(address.into())),
        Some(zone) => is_name(zone).then(|| Host::Name(inner.to_owned())),
    }
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !text.is_empty() && text.len() <= 253 && text.chars().all(is_part)
}

/// Reads a port; 0 is none.
fn number(text: &str) -> Option<u16> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten().filter(|port| *port != 0)
}

/// Reads `unix:/run/x`, a path that is a socket's by its name, or one that follows a word for it.
fn path(word: &str, before: &str) -> Option<String> {
    if let Some(path) = ["unix://", "unix:"].iter().find_map(|scheme| word.strip_prefix(scheme)) {
        let path = path.trim_end_matches(':');
        return (!path.is_empty()).then(|| path.to_owned());
    }
    let path = word.trim_end_matches([':', '.', '!', '?']);
    let is_socket = matches!(path.rsplit_once('.'), Some((_, "sock" | "socket")))
        || path.contains("/.s.PGSQL.");
    let follows = BEFORE_PATHS.iter().any(|word| before.eq_ignore_ascii_case(word));
    let is_path = path.starts_with(['/', '@'])
        && path.len() > 1
        && pair(path.trim_start_matches('/')).is_none();
    ((is_path && (is_socket || follows)) || (is_socket && follows)).then(|| path.to_owned())
}

/// Reads the port after a quoted host: `('0.0.0.0', 8000)`, `('', 8000)`.
fn of_tuple(line: &str, word: &Word<'_>) -> Option<Found> {
    let port = number(word.text)?;
    let before = line.get(..word.start)?.trim_end().strip_suffix(',')?;
    let quote = before.chars().next_back().filter(|c| matches!(c, '\'' | '"'))?;
    let (_, host) = before.strip_suffix(quote)?.rsplit_once(quote)?;
    let host = match host {
        "" => None,
        host => Some(address(host).or_else(|| is_name(host).then(|| Host::Name(host.to_owned())))?),
    };
    Some(Found::Port { any: host.is_none(), host, port, weight: 60 })
}

/// Reads `port 80`, `port: 80`, `port=80`, `port(80)`, `{port,80}`, `ports (80, 81)`.
fn of_port(lower: &str) -> Option<Found> {
    lower.match_indices("port").find_map(|(at, word)| {
        let before = lower.get(..at)?.chars().next_back();
        if before.is_some_and(char::is_alphanumeric) {
            return None;
        }
        let rest = lower.get(at + word.len()..)?;
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        let digits = rest.trim_start_matches([' ', ':', '=', '(', ',', '"', '\'', '#']);
        if digits.len() == rest.len() || rest.len() - digits.len() > 4 {
            return None;
        }
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (digits, after) = digits.split_at_checked(end)?;
        let mut after = after.chars();
        let is_longer = match after.next() {
            Some('.' | ':') => after.next().is_some_and(|c| c.is_ascii_digit()),
            Some(c) => c.is_alphanumeric() || c == '-',
            None => false,
        };
        let port = number(digits).filter(|_| !is_longer)?;
        Some(Found::Port { host: None, port, any: false, weight: 45 })
    })
}

/// Reads the port in what Tomcat calls its parts: `http-nio-8080`, `Connector[HTTP/1.1-8080]`.
fn tomcat(word: &str) -> Option<Found> {
    let (name, port) = word.trim_end_matches(']').rsplit_once('-')?;
    let name = name.to_ascii_lowercase();
    let port = number(port).filter(|_| name.contains("http") || name.contains("ajp"))?;
    Some(Found::Port { host: None, port, any: true, weight: 20 })
}

/// Reads a URL that leaves the port to its scheme.
fn without_port(scheme: &str, host: &str) -> Option<Found> {
    let port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = address(host).or_else(|| is_name(host).then(|| Host::Name(host.to_owned())))?;
    Some(Found::Port { host: Some(host), port, any: false, weight: 30 })
}

/// Reads `{ip,{127,0,0,1}}`.
fn erlang(lower: &str) -> Option<Host> {
    let (_, rest) = lower.split_once("{ip,{")?;
    let (numbers, _) = rest.split_once('}')?;
    let address: IpAddr = numbers.replace(',', ".").parse().ok()?;
    Some(Host::Ip(address))
}
