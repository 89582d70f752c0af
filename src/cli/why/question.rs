//! What is asked: a target, or an error message that names one, as an argument or from stdin.

use std::io::Read as _;

use anyhow::Context as _;

use crate::cli::error::Failure;
use crate::cli::why::target;
use crate::diagnose::message::{self, Pasted, Place};
use crate::diagnose::{Call, Errno, Target};
use crate::filter::Names;
use crate::platform::services::Services;
use crate::render::sanitize;
use crate::text::Text;

/// No message is longer: the rest of what a pipe brings is left unread.
const LIMIT: u64 = 64 * 1024;

/// What is asked.
#[derive(Debug)]
pub(super) struct Question {
    /// About what.
    pub targets: Vec<Target>,
    /// Whether it is about connecting to it.
    pub connects: bool,
    /// What a message said; absent when none was given.
    pub pasted: Option<Pasted>,
}

/// Reads the argument, or stdin for `-`.
///
/// # Errors
///
/// When it is neither a target nor a message that names one.
pub(super) fn read(
    argument: &str,
    connects: bool,
    names: &dyn Names,
    services: &Services,
) -> anyhow::Result<Question> {
    let mut text = argument.to_owned();
    if argument == "-" {
        let mut bytes = Vec::new();
        let stdin = std::io::stdin().lock();
        stdin.take(LIMIT).read_to_end(&mut bytes).context("cannot read the message from stdin")?;
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    Ok(question(&text, connects, names, services)?)
}

fn question(
    text: &str,
    connects: bool,
    names: &dyn Names,
    services: &Services,
) -> Result<Question, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::new("there is neither a target nor a message")
            .hint("ask by port: sockscope why 8080, or: sockscope why --connect HOST:PORT"));
    }
    let is_word = !text.contains(char::is_whitespace);
    let parse = if connects { target::parse } else { target::parse_any };
    let as_target = match parse(text, names, services) {
        Ok(targets) if is_word => return Ok(Question { targets, connects, pasted: None }),
        as_target => as_target,
    };
    let Some(pasted) = message::parse(text) else {
        return match as_target {
            Err(failure) if is_word => Err(failure),
            Ok(_) | Err(_) => {
                Err(Failure::new("that is no message of a bind or a connect that failed")
                    .hint("ask by port: sockscope why 8080, or: sockscope why --connect HOST:PORT"))
            }
        };
    };
    let connects = connects || pasted.call == Call::Connect;
    let how = if connects { "sockscope why --connect HOST:PORT" } else { "sockscope why PORT" };
    let targets = match &pasted.place {
        None => {
            return Err(Failure::new(format!("{}, but not on which port", said(&pasted)))
                .hint(format!("ask with the port: {how}")));
        }
        Some(Place::Unix(path)) => vec![Target::Unix(Text::from(path.as_str()))],
        Some(place @ Place::Inet { .. }) => target::parse(&place.to_string(), names, services)?,
    };
    Ok(Question { targets, connects, pasted: Some(pasted) })
}

fn said(Pasted { errno, call, .. }: &Pasted) -> String {
    let what = if *call == Call::Connect { "a connection" } else { "a bind" };
    match errno {
        Some(errno) => format!("the message says that {what} failed with {errno:?}"),
        None => format!("the message says that {what} failed"),
    }
}

impl Question {
    /// Returns what was understood of a message, a line for whoever pasted it.
    pub(super) fn understood(&self) -> Option<String> {
        let pasted = self.pasted.as_ref()?;
        let place = pasted.place.as_ref().map(ToString::to_string).unwrap_or_default();
        Some(format!("{}: {}", said(pasted), sanitize::string(&place)))
    }

    /// Returns true when a message said that the address was in use.
    pub(super) fn was_in_use(&self) -> bool {
        self.pasted.as_ref().is_some_and(|pasted| pasted.errno == Some(Errno::EADDRINUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::NoNames;

    fn ask(text: &str, connects: bool) -> Result<Question, Failure> {
        question(text, connects, &NoNames, &Services::default())
    }

    fn asked(text: &str) -> (String, bool) {
        let question = ask(text, false).unwrap_or_else(|failure| panic!("{text}: {failure}"));
        let targets: Vec<String> = question.targets.iter().map(ToString::to_string).collect();
        (targets.join(", "), question.connects)
    }

    #[test]
    fn a_target_is_no_message_and_a_message_names_one() {
        let is = |text, target: &str, connects| {
            assert_eq!(asked(text), (target.to_owned(), connects), "{text}");
        };
        is("127.0.0.1:80", "tcp 127.0.0.1:80", false);
        is(" [::1]:80\n", "tcp [::1]:80", false);
        is("Error: listen EADDRINUSE: address already in use :::3000", "tcp [::]:3000", false);
        let any = "tcp 0.0.0.0:8080, tcp [::]:8080";
        is("listen tcp :8080: bind: address already in use", any, false);
        is("Error: connect ECONNREFUSED 127.0.0.1:3000", "tcp 127.0.0.1:3000", true);
        is("listen unix /run/x.sock: bind: address already in use", "unix /run/x.sock", false);
    }

    #[test]
    fn a_message_without_port_says_how_to_ask() {
        let failure = ask("OSError: [Errno 98] Address already in use", false).unwrap_err();
        let words = "the message says that a bind failed with EADDRINUSE, but not on which port";
        assert_eq!(failure.to_string(), words);
        let failure = ask("Connection refused", false).unwrap_err();
        let words =
            "the message says that a connection failed with ECONNREFUSED, but not on which port";
        assert_eq!(failure.to_string(), words);
    }

    #[test]
    fn what_is_neither_is_said_to_be_none() {
        let failure = ask("hello world", false).unwrap_err().to_string();
        assert_eq!(failure, "that is no message of a bind or a connect that failed");
        // One word is a target that is wrong.
        let failure = ask("hello", false).unwrap_err().to_string();
        assert!(failure.contains("'hello'"), "{failure}");
        let failure = ask(" \n", false).unwrap_err().to_string();
        assert_eq!(failure, "there is neither a target nor a message");
    }

    #[test]
    fn what_was_understood_is_said_safely() {
        let text = "listen unix /run/\u{202e}x.sock: bind: address already in use";
        let words = ask(text, false).unwrap().understood().unwrap();
        assert!(
            words.starts_with("the message says that a bind failed with EADDRINUSE: unix:/run/")
        );
        assert!(!words.contains('\u{202e}'), "{words}");
        assert_eq!(ask("127.0.0.1:80", false).unwrap().understood(), None);
    }
}
