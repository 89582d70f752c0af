//! The words of errors: one table, in the order in which they are believed.

use crate::diagnose::message::places::Line;
use crate::diagnose::{Call, Errno};

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// The error, when the word is one's.
    pub errno: Option<Errno>,
    /// Which call failed, when the word alone tells.
    pub call: Option<Call>,
}

/// How much a word alone proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Only sockets fail like that.
    Own,
    /// Files fail like that, too: the line must speak of a socket.
    Shared,
}

use Errno::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ECONNREFUSED, EHOSTUNREACH, EINVAL, EMFILE,
    ENAMETOOLONG, ENETUNREACH, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOTDIR, EPERM, EROFS, ETIMEDOUT,
};
use Proof::{Own, Shared};

/// An error with its names (`errno(3)`, `std::io::ErrorKind`), its texts (glibc, musl, the BSDs, Windows,
/// libuv, and programs that have their own) and its numbers (Linux; macOS and the BSDs; Windows; libuv).
struct Row {
    errno: Errno,
    proof: Proof,
    words: &'static [&'static str],
    numbers: &'static [u32],
}

const fn row(
    errno: Errno,
    proof: Proof,
    words: &'static [&'static str],
    numbers: &'static [u32],
) -> Row {
    Row { errno, proof, words, numbers }
}

const ROWS: &[Row] = &[
    row(
        EADDRINUSE,
        Own,
        &[
            "eaddrinuse",
            "addrinuse",
            "address already in use",
            "address in use",
            "address is already in use",
            "only one usage of each socket address",
            "port is already allocated",
            "port already in use",
            "port is already in use",
            "connection in use",
            "in use by another program",
            "adresse wird bereits verwendet",
            "adresse déjà utilisée",
        ],
        &[98, 48, 10048, 4091],
    ),
    row(
        EADDRNOTAVAIL,
        Own,
        &[
            "eaddrnotavail",
            "addrnotavailable",
            "cannot assign requested address",
            "can't assign requested address",
            "address not available",
            "requested address is not valid in its context",
            "ip address can't be assigned to",
        ],
        &[99, 49, 10049, 4090],
    ),
    row(
        ECONNREFUSED,
        Own,
        &["econnrefused", "connectionrefused", "connection refused", "actively refused it"],
        &[111, 61, 10061, 4078],
    ),
    row(
        ETIMEDOUT,
        Own,
        &[
            "etimedout",
            "connection timed out",
            "operation timed out",
            "i/o timeout",
            "connect timed out",
        ],
        &[110, 60, 10060, 4039],
    ),
    row(
        EHOSTUNREACH,
        Own,
        &[
            "ehostunreach",
            "hostunreachable",
            "no route to host",
            "host is unreachable",
            "unreachable host",
        ],
        &[113, 65, 10065, 4073],
    ),
    row(
        ENETUNREACH,
        Own,
        &[
            "enetunreach",
            "networkunreachable",
            "network is unreachable",
            "network unreachable",
            "unreachable network",
        ],
        &[101, 51, 10051, 4062],
    ),
    row(
        EAFNOSUPPORT,
        Own,
        &["eafnosupport", "address family not supported"],
        &[97, 47, 10047, 4089],
    ),
    row(
        EACCES,
        Own,
        &["forbidden by its access permissions", "permission to access that port"],
        &[10013],
    ),
    row(EACCES, Shared, &["eacces", "permission denied", "permissiondenied"], &[13, 4092]),
    row(EPERM, Shared, &["eperm", "operation not permitted"], &[1]),
    row(ENFILE, Shared, &["enfile", "too many open files in system"], &[23]),
    row(EMFILE, Shared, &["emfile", "too many open files"], &[24, 10024]),
    row(ENOBUFS, Shared, &["enobufs", "no buffer space available"], &[105, 55, 10055]),
    row(ENODEV, Shared, &["enodev", "no such device"], &[19]),
    row(ENOENT, Shared, &["enoent", "no such file or directory"], &[2]),
    row(ENOTDIR, Shared, &["enotdir", "not a directory"], &[20]),
    row(ENAMETOOLONG, Shared, &["enametoolong", "file name too long"], &[36, 63]),
    row(EROFS, Shared, &["erofs", "read-only file system"], &[30]),
    row(EINVAL, Shared, &["einval", "invalid argument"], &[22, 10022]),
];

/// What programs say before the number of an error.
const BEFORE_NUMBERS: &[&str] = &[
    "errno ",
    "errno=",
    "errno: ",
    "os error ",
    "code: ",
    "winerror ",
    "error ",
    "socketexception (",
    "failed (",
    "(",
];

/// What says that the rest of a line is about a socket.
const SOCKET_WORDS: &[&str] = &[
    "bind",
    "listen",
    "socket",
    "port",
    "address",
    "connect",
    "dial",
    "tcp",
    "udp",
    "unix",
    "make_sock",
];

/// What says that a socket failed without saying how.
const FAILURES: &[(&str, Call)] = &[
    ("already in use", Call::Bind),
    ("is in use", Call::Bind),
    ("in use?", Call::Bind),
    ("already running on port", Call::Bind),
    ("could not be started because port", Call::Bind),
    ("cannot bind", Call::Bind),
    ("can't bind", Call::Bind),
    ("could not bind", Call::Bind),
    ("couldn't bind", Call::Bind),
    ("failed to bind", Call::Bind),
    ("unable to bind", Call::Bind),
    ("error binding", Call::Bind),
    ("cannot listen", Call::Bind),
    ("could not listen", Call::Bind),
    ("couldn't listen", Call::Bind),
    ("failed to listen", Call::Bind),
    ("failed listening", Call::Bind),
    ("cannot find empty port", Call::Bind),
    ("no address added out of", Call::Bind),
    ("unable to listen", Call::Bind),
    ("refused", Call::Connect),
    ("could not connect", Call::Connect),
    ("couldn't connect", Call::Connect),
    ("can't connect", Call::Connect),
    ("failed to connect", Call::Connect),
    ("unable to connect", Call::Connect),
];

/// Finds what a message says, and on which of its lines: an error by name or text, else by number, else
/// only that something failed.
pub(super) fn find(lines: &[Line<'_>]) -> Option<(usize, Said)> {
    let each = |says: fn(&str) -> Option<Said>| {
        let said = |(at, line): (usize, &Line<'_>)| Some((at, says(&line.lower)?));
        lines.iter().enumerate().find_map(said)
    };
    each(by_word).or_else(|| each(by_number)).or_else(|| each(by_failure))
}

/// Returns true when a line whose error may be of either kind speaks of a client's call.
pub(super) fn is_about_connecting(line: &str) -> bool {
    ["connect", "dial"].iter().any(|word| line.contains(word))
        && !["bind", "listen"].iter().any(|word| line.contains(word))
}

fn by_word(line: &str) -> Option<Said> {
    let row = ROWS.iter().find(|row| {
        row.words.iter().any(|word| line.contains(word)) && (row.proof == Own || is_of_socket(line))
    })?;
    Some(said(row.errno))
}

fn by_number(line: &str) -> Option<Said> {
    let of_socket = is_of_socket(line);
    let row = |before: &str, rest: &str| {
        let rest = rest.trim_start_matches('-');
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u32 = rest.get(..end)?.parse().ok()?;
        // In mere parentheses only what is hardly anything else, and beyond 10,000 it is Windows alone.
        let proves = (before != "(" || number > 90) && (of_socket || number > 10_000);
        ROWS.iter().find(|row| proves && row.numbers.contains(&number))
    };
    let row = BEFORE_NUMBERS.iter().find_map(|before| {
        line.match_indices(before).find_map(|(at, _)| row(before, line.get(at + before.len()..)?))
    })?;
    Some(said(row.errno))
}

fn by_failure(line: &str) -> Option<Said> {
    let (_, call) = FAILURES.iter().find(|(word, _)| line.contains(word) && is_of_socket(line))?;
    Some(Said { errno: None, call: Some(*call) })
}

fn is_of_socket(line: &str) -> bool {
    SOCKET_WORDS.iter().any(|word| line.contains(word))
}

/// Adds which call fails so, where only one does.
fn said(errno: Errno) -> Said {
    let call = match errno {
        EADDRINUSE => Some(Call::Bind),
        ECONNREFUSED | ETIMEDOUT | EHOSTUNREACH | ENETUNREACH => Some(Call::Connect),
        EADDRNOTAVAIL | EACCES | EPERM | EINVAL | EAFNOSUPPORT | ENODEV | EMFILE | ENFILE
        | ENOBUFS | ENOENT | ENOTDIR | ENAMETOOLONG | EROFS => None,
    };
    Said { errno: Some(errno), call }
}
