//! The diagnosis of a connection, for people and as JSON.

use std::io::{self, Write};

use crate::diagnose::Target;
use crate::diagnose::connect::{Attempt, ConnectDiagnosis, Reach};
use crate::render::diagnosis::json::{self, Answer};
use crate::render::diagnosis::{Options, Page, in_words};
use crate::render::sanitize;
use crate::snapshot::Snapshot;
use crate::socket::Protocol;

/// Writes the diagnoses of one question.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    diagnoses: &[ConnectDiagnosis],
    options: Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page { options, out };
    for diagnosis in diagnoses {
        page.line("", &format!("{}: {}", target(diagnosis), verdict(diagnosis)))?;
    }
    for diagnosis in diagnoses {
        writeln!(page.out)?;
        if diagnoses.len() > 1 {
            page.line("", &target(diagnosis))?;
        }
        for cause in &diagnosis.causes {
            page.cause(cause)?;
        }
        if let Some(attempt) = &diagnosis.attempt {
            page.line("  tried     ", &tried(attempt))?;
        }
    }
    page.remedies(&[], diagnoses.iter().flat_map(|diagnosis| &diagnosis.remedies))
}

/// Writes them as one indented object. The snapshot is the one they were made of.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_json(
    diagnoses: &[ConnectDiagnosis],
    snapshot: &Snapshot,
    out: &mut dyn Write,
) -> io::Result<()> {
    json::write_answers(diagnoses.iter().map(Answer::from).collect(), snapshot, out)
}

fn target(diagnosis: &ConnectDiagnosis) -> String {
    sanitize::string(&diagnosis.request.to_string()).into_owned()
}

/// Returns the verdict as the end of a sentence that begins with the address.
fn verdict(diagnosis: &ConnectDiagnosis) -> String {
    let is_udp = matches!(diagnosis.request, Target::Inet { protocol: Protocol::Udp, .. });
    match diagnosis.verdict {
        Reach::Connects if is_udp => "yes, a datagram is received".to_owned(),
        Reach::Connects => "yes, it connects".to_owned(),
        Reach::Fails { errno } if is_udp => {
            format!("no, a datagram is answered with {errno:?} ({})", in_words(errno))
        }
        Reach::Fails { errno } => {
            format!("no, connect fails with {errno:?} ({})", in_words(errno))
        }
        Reach::Silent => "no, nobody answers".to_owned(),
        Reach::Unknown => "it cannot be told".to_owned(),
    }
}

fn tried(attempt: &Attempt) -> String {
    match attempt {
        Attempt::Connected { from } => {
            let from = from.map_or_else(String::new, |from| format!(", from {from}"));
            format!("a connection{from}; closed at once, nothing was sent")
        }
        Attempt::Failed { errno: Some(errno) } => format!("a connection: {errno:?}"),
        Attempt::Failed { errno: None } => "a connection, in vain".to_owned(),
        Attempt::Silent { timeout } => {
            format!("a connection: no answer within {}", humantime::format_duration(*timeout))
        }
        Attempt::NotMade { why } => format!("nothing: {why}"),
    }
}
