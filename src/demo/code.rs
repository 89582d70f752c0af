//! A call as a line of code: in C's manual, and in five languages.
//!
//! Each language is a table, from the call to a template with `{words}` for the arguments. A table is a
//! `match` without a rest, so that a new call is a line in each, or does not compile. Where a language
//! makes several calls in one, or has none of this kind, its line is a comment that says so.

mod c;
mod go;
mod manual;
mod node;
mod python;
mod rust;

use crate::demo::cast::Role;
use crate::demo::stage::Call;
use crate::demo::syscall::{Address, Invocation, SocketOption, Syscall};

/// A language that a call can be shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Language {
    /// Python, as in its guide to sockets.
    Python,
    /// Rust, with socket2 and rustix.
    Rust,
    /// C, on Linux.
    C,
    /// Go, with its package net.
    Go,
    /// JavaScript, with Node's modules net and dgram.
    Node,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 5] = [Self::Python, Self::Rust, Self::C, Self::Go, Self::Node];

    const fn dialect(self) -> &'static Dialect {
        match self {
            Self::Python => &python::DIALECT,
            Self::Rust => &rust::DIALECT,
            Self::C => &c::DIALECT,
            Self::Go => &go::DIALECT,
            Self::Node => &node::DIALECT,
        }
    }

    /// Returns what a program needs before the first of these lines: imports.
    pub const fn prologue(self) -> &'static str {
        self.dialect().prologue
    }
}

/// Returns the call as it is written in this language, one string a line. Names of sockets are made
/// names of variables: `client 1` is `client_1`.
pub fn code(call: &Call, language: Language) -> Vec<String> {
    let text = write(&call.invocation, language.dialect());
    text.lines().map(str::to_owned).collect()
}

/// Returns the call as the manual's pages write it, with the lesson's own names: one line.
pub fn manual(invocation: &Invocation) -> String {
    write(invocation, &manual::DIALECT)
}

/// Returns the name of a socket as that of a variable.
pub fn variable(role: Role) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    role.name.chars().map(letter).collect()
}

/// How a language writes calls. In a template, `{word}` is an argument; see [`Words::look_up`].
#[derive(Debug)]
struct Dialect {
    /// What a program begins with.
    prologue: &'static str,
    /// A call.
    call: fn(&Invocation) -> &'static str,
    /// `{option}`: what sets an option.
    option: fn(&SocketOption) -> &'static str,
    /// `{address}`.
    address: fn(&Address) -> &'static str,
    /// One of `{sockets}`, which are separated by commas.
    each: &'static str,
    /// The name of a socket.
    name: fn(Role) -> String,
}

/// How many bytes a `recv()` has room for that does not care.
const ROOM: usize = 1024;

fn write(invocation: &Invocation, dialect: &Dialect) -> String {
    let words = Words { invocation, dialect };
    words.fill((dialect.call)(invocation))
}

/// The arguments of one call.
struct Words<'a> {
    invocation: &'a Invocation,
    dialect: &'a Dialect,
}

impl Words<'_> {
    /// Replaces each `{word}` that is an argument; every other brace is the language's own.
    fn fill(&self, template: &str) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let word = after.split_once('}').map(|(word, tail)| (self.look_up(word), tail));
            if let Some((Some(value), tail)) = word {
                text.push_str(&value);
                rest = tail;
            } else {
                text.push('{');
                rest = after;
            }
        }
        text + rest
    }

    fn look_up(&self, word: &str) -> Option<String> {
        let dialect = self.dialect;
        let Invocation { socket, syscall, .. } = self.invocation;
        match word {
            "socket" => return socket.map(dialect.name),
            "other" => return other(syscall).map(dialect.name),
            "address" => return address(syscall).map(|at| self.fill((dialect.address)(&at))),
            _ => {}
        }
        match (syscall, word) {
            (Syscall::Socket { family }, "family") => Some((*family).to_owned()),
            // What Rust calls it.
            (Syscall::Socket { family }, "domain") => Some(if *family == "INET" {
                "IPV4".to_owned()
            } else {
                family.replace("INET6", "IPV6")
            }),
            (Syscall::Listen { backlog }, "backlog") => Some(backlog.to_string()),
            (Syscall::SetOption(option), "option") => Some(self.fill((dialect.option)(option))),
            (Syscall::SetOption(option), _) => of_option(option, word),
            (Syscall::Send { text } | Syscall::SendTo { text, .. }, "text") => {
                Some(format!("{text:?}"))
            }
            (Syscall::Send { text } | Syscall::SendTo { text, .. }, "length") => {
                Some(text.len().to_string())
            }
            (Syscall::SendBytes { length }, "length") => Some(length.to_string()),
            (Syscall::Recv { most }, "most") => Some(most.unwrap_or(ROOM).to_string()),
            (Syscall::Poll { sockets }, "sockets") => {
                let each = |role: &Role| dialect.each.replace("{socket}", &(dialect.name)(*role));
                Some(sockets.iter().map(each).collect::<Vec<_>>().join(", "))
            }
            (Syscall::Poll { sockets }, "count") => Some(sockets.len().to_string()),
            (Syscall::Unlink { path }, "path") => Some(path.display().to_string()),
            (Syscall::Start { program, .. }, "program") => Some((*program).to_owned()),
            (call, word) => match (address(call)?, word) {
                (Address::Inet(at), "ip") => Some(at.ip().to_string()),
                (Address::Inet(at), "port") => Some(at.port().to_string()),
                (Address::Inet(at), "authority") => Some(at.to_string()),
                // As C's manual and Go write an address's bytes.
                (Address::Path(path), "path") => Some(path.display().to_string()),
                (Address::Abstract(name), "name") => Some(name),
                (Address::Abstract(name), "length") => Some(name.len().to_string()),
                (Address::Inet(_) | Address::Path(_) | Address::Abstract(_), _) => None,
            },
        }
    }
}

/// Returns the second socket that a call is about.
fn other(syscall: &Syscall) -> Option<Role> {
    match syscall {
        Syscall::Pair { other }
        | Syscall::Accept { listener: other }
        | Syscall::SendDescriptor { other }
        | Syscall::RecvDescriptor { other } => Some(*other),
        Syscall::Start { inherits, .. } => *inherits,
        Syscall::Socket { .. }
        | Syscall::Bind(_)
        | Syscall::Listen { .. }
        | Syscall::Connect { .. }
        | Syscall::Shutdown
        | Syscall::Close
        | Syscall::NonBlocking
        | Syscall::SetOption(_)
        | Syscall::Send { .. }
        | Syscall::SendBytes { .. }
        | Syscall::SendTo { .. }
        | Syscall::Recv { .. }
        | Syscall::Poll { .. }
        | Syscall::Unlink { .. }
        | Syscall::Unshare
        | Syscall::Exit
        | Syscall::Why(_) => None,
    }
}

/// Returns the address that a call is given.
fn address(syscall: &Syscall) -> Option<Address> {
    match syscall {
        Syscall::Bind(address) | Syscall::Connect { address, .. } => Some(address.clone()),
        Syscall::SendTo { address, .. } | Syscall::Why(address) => Some(Address::Inet(*address)),
        Syscall::Socket { .. }
        | Syscall::Pair { .. }
        | Syscall::Listen { .. }
        | Syscall::Accept { .. }
        | Syscall::Shutdown
        | Syscall::Close
        | Syscall::NonBlocking
        | Syscall::SetOption(_)
        | Syscall::Send { .. }
        | Syscall::SendBytes { .. }
        | Syscall::Recv { .. }
        | Syscall::SendDescriptor { .. }
        | Syscall::RecvDescriptor { .. }
        | Syscall::Poll { .. }
        | Syscall::Unlink { .. }
        | Syscall::Start { .. }
        | Syscall::Unshare
        | Syscall::Exit => None,
    }
}

/// Returns a value of an option.
fn of_option(option: &SocketOption, word: &str) -> Option<String> {
    match (option, word) {
        (
            SocketOption::DeferAccept(value)
            | SocketOption::SynCount(value)
            | SocketOption::KeepaliveIdle(value)
            | SocketOption::MinTtl(value)
            | SocketOption::KeepaliveTimes { idle: value, .. },
            "value",
        )
        | (SocketOption::KeepaliveTimes { interval: value, .. }, "interval")
        | (SocketOption::KeepaliveTimes { probes: value, .. }, "probes") => Some(value.to_string()),
        (SocketOption::V6Only(only), "value") => Some(u8::from(*only).to_string()),
        (SocketOption::V6Only(only), "bool") => Some(only.to_string()),
        (SocketOption::PortRange { first, .. }, "first") => Some(first.to_string()),
        (SocketOption::PortRange { last, .. }, "last") => Some(last.to_string()),
        (SocketOption::ReceiveBuffer(bytes), "value") => Some(bytes.to_string()),
        _ => None,
    }
}
