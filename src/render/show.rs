//! One socket on a page: what it is, what its state means, whose it is, and every number there is.
//!
//! For people; [`json`] writes the same for programs (`sockscope.show/1`).

pub mod json;
mod numbers;
mod who;

use std::io::{self, Write};

use crate::explain::{self, Meaning};
use crate::join::listeners;
use crate::options::SocketOptions;
use crate::pairs::Pairs;
use crate::render::{phrase, sanitize};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, Family, Protocol, Socket};

/// The socket to show, and what of the other sockets belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The socket.
    pub entry: &'a Entry,
    /// The socket at its other end, when that is of this machine.
    pub other: Option<&'a Entry>,
    /// Where nothing is at the other end yet: who is asked for a connection there, or receives what
    /// is sent, when that is of this machine.
    pub asked: Option<&'a Entry>,
    /// What it means; `None` for a state this version does not know.
    pub meaning: Option<&'static Meaning>,
    /// The options of its holder's socket, when they were read.
    pub options: Option<&'a SocketOptions>,
    /// The picture the socket is from.
    pub snapshot: &'a Snapshot,
}

impl<'a> Page<'a> {
    /// Returns the page of one of the snapshot's sockets.
    pub fn new(entry: &'a Entry, snapshot: &'a Snapshot) -> Self {
        let other = Pairs::new(&snapshot.entries).other_end(&entry.socket);
        let asked =
            if other.is_none() { listeners::asked(&entry.socket, &snapshot.entries) } else { None };
        Self { entry, other, asked, meaning: explain::explain(entry), options: None, snapshot }
    }
}

/// Writes the page, its lines as wide as this at most; `None`, as in a pipe, cuts none in two.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(page: &Page<'_>, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines::default();
    let Page { entry, .. } = *page;
    let socket = &entry.socket;
    lines.add("Socket", ends(socket));
    lines.state(page);
    lines.holders(entry);
    lines.other_end(page);
    lines.queues(socket);
    if socket.state.is_some() && socket.protocol == Protocol::Tcp {
        lines.add("Timer", numbers::timer(socket));
    }
    if let Some(details) = socket.details.as_deref() {
        if let Some(info) = details.tcp_info.as_deref() {
            lines.tcp(socket, info, details);
        }
        lines.details(details);
    }
    for words in page.options.map(SocketOptions::words).unwrap_or_default() {
        lines.add("Options", words);
    }
    lines.identity(entry);
    lines.write(width, out)
}

/// The width of the labels.
const LABELS: usize = 13;

/// The page's lines: a label, empty when it is that of the line above, and a text.
#[derive(Debug, Default)]
struct Lines {
    lines: Vec<(&'static str, String)>,
}

impl Lines {
    fn add(&mut self, label: &'static str, text: impl Into<String>) {
        let is_same = self.lines.iter().rev().find(|(label, _)| !label.is_empty());
        let label = if is_same.is_some_and(|(last, _)| *last == label) { "" } else { label };
        self.lines.push((label, text.into()));
    }

    fn identity(&mut self, entry: &Entry) {
        let socket = &entry.socket;
        if let Some(cookie) = socket.rare.subflow_of {
            self.add("Subflow", format!("of the MPTCP socket with cookie {cookie}"));
        }
        if let Some(device) = &socket.rare.interface {
            let name = device
                .name
                .as_ref()
                .map_or_else(|| device.index.to_string(), |name| sanitize::text(name).into_owned());
            self.add("Device", format!("bound to {name}"));
        }
        if let Some(v6only) = socket.v6only {
            self.add("IPv4", if v6only { "refused (v6only)" } else { "taken too (not v6only)" });
        }
        if let Some(netns) = socket.netns {
            let name = entry.netns_name.as_ref().map(|name| format!(" ({})", sanitize::text(name)));
            self.add("Namespace", format!("{netns}{}", name.unwrap_or_default()));
        }
        let user = entry.user.as_ref().map(|user| format!(" ({})", sanitize::text(user)));
        if let Some(uid) = socket.uid.filter(|_| entry.ownership.kernel().is_none()) {
            self.add("User", format!("{uid}{}", user.unwrap_or_default()));
        }
        let number = |name: &str, number: Option<u64>| {
            number.map_or_else(|| format!("no {name}"), |number| format!("{name} {number}"))
        };
        let inode = number("inode", socket.inode.map(|inode| inode.0));
        let cookie = number("cookie", socket.cookie.map(|cookie| cookie.0));
        self.add("Numbers", format!("{cookie}, {inode}"));
    }

    fn write(&self, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        let room = width.map(|width| width.saturating_sub(LABELS).max(20));
        for (label, text) in &self.lines {
            let mut label = *label;
            for line in phrase::wrap(text, room) {
                writeln!(out, "{label:LABELS$}{line}")?;
                label = "";
            }
        }
        Ok(())
    }
}

/// Writes `tcp 127.0.0.1:80 -> 127.0.0.1:5000`.
fn ends(socket: &Socket) -> String {
    let end = |end: &Option<Endpoint>| {
        end.as_ref().map(|end| sanitize::string(&end.to_string()).into_owned())
    };
    let six = if socket.family == Family::Inet6 { "6" } else { "" };
    let local = end(&socket.local).unwrap_or_else(|| match &socket.rare.protocol_name {
        Some(name) => format!("protocol: {}", sanitize::text(name)),
        None => "without a name".to_owned(),
    });
    let peer = end(&socket.peer).map_or_else(String::new, |peer| format!(" -> {peer}"));
    format!("{}{six} {local}{peer}", socket.protocol)
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::render::fixture;

    fn page(id: u64, width: Option<usize>) -> String {
        let snapshot = fixture::snapshot();
        let entry = snapshot.entries.iter().find(|entry| entry.socket.id.0 == id).unwrap();
        let mut out = Vec::new();
        write(&Page::new(entry, &snapshot), width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_connection_at_80_columns_is_this() {
        insta::assert_snapshot!(page(2, Some(80)));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for entry in fixture::snapshot().entries {
            for width in [80, 120] {
                for line in page(entry.socket.id.0, Some(width)).lines() {
                    assert!(line.width() <= width, "{line}");
                }
            }
        }
    }

    #[test]
    fn no_name_can_drive_the_terminal() {
        for entry in fixture::snapshot().entries {
            let text = page(entry.socket.id.0, None);
            assert!(!text.replace('\n', "").contains(char::is_control), "{text}");
            assert!(!text.contains('\u{202e}'), "{text}");
        }
    }

    #[test]
    fn whoever_is_hidden_is_said_to_be_and_why() {
        assert!(page(10, None).contains("you may not see: run as root (sudo); it belongs to 70"));
        assert!(page(11, None).contains("it was gone, or handed on, while we looked"));
    }
}
