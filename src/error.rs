//! Errors of the library. A row or a table that cannot be read is no error but a
//! [`crate::snapshot::Gap`]; an error means that nothing at all could be done.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why nothing could be collected. The text fits after `sockscope: `.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Not one table of sockets could be read.
    #[error("cannot {operation}")]
    Unreadable {
        /// What was tried, such as `read /proc/net/tcp`.
        operation: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A recording could not be read.
    #[error("cannot read the recording {}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// The system's or the parser's answer.
        #[source]
        source: io::Error,
    },
    /// The network namespace asked for cannot be found or read.
    #[error("cannot read the network namespace {netns}: {why}")]
    Netns {
        /// The namespace as it was asked for.
        netns: String,
        /// The cause, a fragment.
        why: String,
    },
    /// There is no backend for this system.
    #[error("sockscope does not know how to list the sockets of {platform}")]
    Unsupported {
        /// The system's name.
        platform: &'static str,
    },
}

impl CollectError {
    /// Returns what the user can do about it, for a line that starts with `hint: `.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { operation, .. } if operation.contains("/proc") => {
                Some("check that /proc is mounted and readable")
            }
            Self::Unreadable { operation, .. } => operation
                .contains("BPF")
                .then_some("leave out --owners: the best way that is left is taken then"),
            Self::Netns { .. } => Some("see them all with: sockscope list --netns all"),
            Self::Recording { .. } => Some("make one with: sockscope list --record FILE"),
            Self::Unsupported { .. } => {
                Some("a recording from another machine can be listed: sockscope list --replay FILE")
            }
        }
    }
}

/// Returns what went wrong as a fragment such as `permission denied`: the system's words, without
/// the number and the capital.
pub fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words);
    let mut letters = text.chars();
    match letters.next() {
        // An acronym keeps its capitals.
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        Some(_) | None => text.to_owned(),
    }
}
