//! The page for programs: the schema `sockscope.show/1` of docs/json.md.

use std::io::{self, Write};

use serde::Serialize;

use crate::explain::{self, Meaning};
use crate::options::SocketOptions;
use crate::render::json::Socket;
#[cfg(feature = "cli")]
use crate::render::json::schema_of;
use crate::render::show::Page;
use crate::snapshot::{Gap, Timestamp};

/// The name and version of the schema.
pub const SCHEMA: &str = "sockscope.show/1";

/// All about one socket.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Show<'a> {
    /// The name and version of this schema: `sockscope.show/1`.
    pub schema: &'static str,
    /// When the collection began: RFC 3339, UTC.
    #[cfg_attr(feature = "cli", schemars(with = "String"))]
    pub collected_at: Timestamp,
    /// The system it was made on.
    pub platform: &'a str,
    /// What was asked for and could not be read.
    pub gaps: Vec<Gap>,
    /// The socket.
    pub socket: Socket<'a>,
    /// What its state means; null for a state that is not known.
    pub meaning: Option<Words<'a>>,
    /// The socket at its other end, when that is among the sockets read.
    pub other_end: Option<Socket<'a>>,
    /// Where nothing is at the other end yet: the listener that is asked for the connection, or the
    /// socket that receives what is sent there.
    pub asked: Option<Socket<'a>>,
    /// What the kernel tells only to whoever has the socket; null unless asked for.
    pub options: Option<&'a SocketOptions>,
}

/// What a socket's state means.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Words<'a> {
    /// What it means here.
    pub here: &'a str,
    /// What ends it.
    pub ends: &'a str,
    /// When it ends though nobody does anything.
    pub when: &'a str,
    /// Who has to do something.
    pub acts: &'a str,
    /// Bytes received and not read, the FIN counted out; null for a listener.
    pub unread: Option<u32>,
    /// Whether the peer's FIN waits behind them; null for a listener.
    pub fin_received: Option<bool>,
}

impl<'a> From<&Page<'a>> for Show<'a> {
    fn from(page: &Page<'a>) -> Self {
        let counted = explain::count(&page.entry.socket);
        let words = |meaning: &'static Meaning| Words {
            here: meaning.here,
            ends: meaning.ends,
            when: meaning.when,
            acts: meaning.acts.words(),
            unread: counted.map(|counted| counted.unread),
            fin_received: counted.map(|counted| counted.fin_received),
        };
        Self {
            schema: SCHEMA,
            collected_at: page.snapshot.collected_at,
            platform: &page.snapshot.platform,
            gaps: page.snapshot.gaps(),
            socket: page.entry.into(),
            meaning: page.meaning.map(words),
            other_end: page.other.map(Socket::from),
            asked: page.asked.map(Socket::from),
            options: page.options,
        }
    }
}

/// Writes the page as one indented object.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(page: &Page<'_>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Show::from(page))?;
    writeln!(out)
}

/// Returns the JSON Schema of a socket's page, indented.
#[cfg(feature = "cli")]
pub fn schema() -> String {
    schema_of::<Show<'static>>()
}

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests {
    use super::*;
    use crate::render::fixture;
    use crate::render::json::conformance;

    #[test]
    fn the_committed_schema_is_current() {
        conformance::assert_committed("show.schema.json", &schema());
    }

    #[test]
    fn the_documentation_names_every_field() {
        conformance::assert_documented(&schema());
    }

    #[test]
    fn every_page_conforms_to_the_schema() {
        let snapshot = fixture::snapshot();
        let options = SocketOptions::default();
        for entry in &snapshot.entries {
            let page = Page { options: Some(&options), ..Page::new(entry, &snapshot) };
            let mut out = Vec::new();
            write(&page, &mut out).unwrap();
            let document = serde_json::from_slice(&out).unwrap();
            assert_eq!(conformance::fault_of(&document, &schema()), None, "{document:#}");
        }
    }
}
