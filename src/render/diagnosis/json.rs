//! The JSON of a diagnosis: the schema `sockscope.why/1` of docs/json.md.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

#[cfg(feature = "cli")]
use crate::diagnose::REASONS;
use crate::diagnose::connect::{Attempt, ConnectDiagnosis, Reach};
use crate::diagnose::{Call, Cause, Certainty, Diagnosis, Probe, Remedy, Target, Verdict};
use crate::render::diagnosis::way_out;
use crate::render::json::{Device, Socket};
use crate::snapshot::{Gap, Snapshot, Timestamp};
use crate::socket::Protocol;

/// The name and version of the schema.
pub const SCHEMA: &str = "sockscope.why/1";

/// Whether binds would succeed, and why not.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Why<'a> {
    /// The name and version of this schema: `sockscope.why/1`.
    pub schema: &'static str,
    /// When the collection began: RFC 3339, UTC.
    #[cfg_attr(feature = "cli", schemars(with = "String"))]
    pub collected_at: Timestamp,
    /// The system it was made on.
    pub platform: &'a str,
    /// What was asked for and could not be read.
    pub gaps: Vec<Gap>,
    /// One answer for each address asked about.
    pub answers: Vec<Answer<'a>>,
}

/// The answer for one address.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Answer<'a> {
    /// What was asked about.
    pub request: Asked<'a>,
    /// Whether a bind would succeed: `free`, `shareable` (yes, beside others), `fails` or `unknown`.
    /// Whether a connection would: `connects`, `fails`, `silent` (nobody answers) or `unknown`.
    pub verdict: &'static str,
    /// The call that fails; null when none does.
    pub call: Option<&'static str>,
    /// Its error by name; null when there is none.
    pub errno: Option<String>,
    /// The same as `verdict`, as it follows from the rules alone.
    pub prediction: &'static str,
    /// What came of a bind or a connection made to find out: `succeeded`, `failed`, `silent` (nobody
    /// answered), `not-made`; null when it was not asked.
    pub probe: Option<&'static str>,
    /// Why it was not asked; null otherwise.
    pub not_asked: Option<&'a str>,
    /// Whether the kernel did other than was predicted.
    pub contradicted: bool,
    /// Why it fails, or what is to be known although it does not; the most certain first.
    pub causes: Vec<Because<'a>>,
    /// What can be done, the least harmful first.
    pub remedies: Vec<WayOut>,
}

/// A bind, or a connection.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Asked<'a> {
    /// What is asked about: `bind` (and listen) or `connect`.
    pub call: &'static str,
    /// The protocol; null for a UNIX socket.
    pub protocol: Option<Protocol>,
    /// The address; null for a UNIX socket.
    pub address: Option<IpAddr>,
    /// The link of a link-local address.
    pub scope: Option<Device<'a>>,
    /// The port; null for a UNIX socket.
    pub port: Option<u16>,
    /// The path of a UNIX socket; null for others.
    pub path: Option<String>,
    /// Whether SO_REUSEADDR is set.
    pub reuse_address: bool,
    /// Whether SO_REUSEPORT is set.
    pub reuse_port: bool,
    /// Whether IPV6_V6ONLY is set; null for the system's default.
    pub v6only: Option<bool>,
    /// The device it is bound to.
    pub device: Option<Device<'a>>,
    /// The user that binds; null for the one that asks.
    pub uid: Option<u32>,
    /// The process that binds; null for the one that asks.
    pub pid: Option<u32>,
}

/// One cause.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Because<'a> {
    /// Which: a fixed word, such as `listener` or `time-wait`. A later version may have more of them.
    #[cfg_attr(feature = "cli", schemars(schema_with = "reason_words"))]
    pub reason: &'static str,
    /// What that is, a clause.
    pub title: &'static str,
    /// How certain: `certain`, `likely` or `possible`.
    pub certainty: &'static str,
    /// Whether it keeps the bind from succeeding; if not it is a note.
    pub in_the_way: bool,
    /// What shows it, a clause each.
    pub evidence: &'a [String],
    /// The sockets, with their owners.
    pub sockets: Vec<Socket<'a>>,
}

/// Returns the schema of a reason: every word there is.
#[cfg(feature = "cli")]
fn reason_words(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let words: Vec<&str> = REASONS.iter().map(|about| about.word).collect();
    schemars::json_schema!({ "type": "string", "enum": words })
}

/// One way out.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct WayOut {
    /// What it does: `wait`, `destroy`, `stop-unit`, `stop-container`, `end`, `continue` or `advice`.
    pub action: &'static str,
    /// What it costs: `none`, `left-over`, `connection`, `service` or `process`.
    pub harm: &'static str,
    /// The same in words.
    pub text: String,
    /// What to type; null where that is no command.
    pub command: Option<String>,
    /// What it breaks; null when nothing.
    pub breaks: Option<String>,
}

impl<'a> Answer<'a> {
    fn new(diagnosis: &'a Diagnosis) -> Self {
        let (call, errno) = match diagnosis.verdict {
            Verdict::Fails { call, errno } => (Some(call.name()), Some(format!("{errno:?}"))),
            Verdict::Free | Verdict::Shareable | Verdict::Unknown => (None, None),
        };
        let (probe, not_asked) = match &diagnosis.probe {
            None => (None, None),
            Some(Probe::Succeeded { .. }) => (Some("succeeded"), None),
            Some(Probe::Failed { .. }) => (Some("failed"), None),
            Some(Probe::NotMade { why }) => (Some("not-made"), Some(why.as_str())),
        };
        Self {
            request: Asked::new(diagnosis),
            verdict: word(diagnosis.verdict),
            call,
            errno,
            prediction: word(diagnosis.prediction),
            probe,
            not_asked,
            contradicted: diagnosis.is_contradicted(),
            causes: diagnosis.causes.iter().map(Because::from).collect(),
            remedies: diagnosis.remedies.iter().map(WayOut::from).collect(),
        }
    }
}

impl<'a> From<&'a ConnectDiagnosis> for Answer<'a> {
    fn from(diagnosis: &'a ConnectDiagnosis) -> Self {
        let (call, errno) = match diagnosis.verdict {
            Reach::Fails { errno } => (Some(Call::Connect.name()), Some(format!("{errno:?}"))),
            Reach::Connects | Reach::Silent | Reach::Unknown => (None, None),
        };
        let (probe, not_asked) = match &diagnosis.attempt {
            None => (None, None),
            Some(Attempt::Connected { .. }) => (Some("succeeded"), None),
            Some(Attempt::Failed { .. }) => (Some("failed"), None),
            Some(Attempt::Silent { .. }) => (Some("silent"), None),
            Some(Attempt::NotMade { why }) => (Some("not-made"), Some(why.as_str())),
        };
        Self {
            request: Asked::plain("connect", &diagnosis.request),
            verdict: reach(diagnosis.verdict),
            call,
            errno,
            prediction: reach(diagnosis.prediction),
            probe,
            not_asked,
            contradicted: diagnosis.is_contradicted(),
            causes: diagnosis.causes.iter().map(Because::from).collect(),
            remedies: diagnosis.remedies.iter().map(WayOut::from).collect(),
        }
    }
}

impl<'a> Asked<'a> {
    /// Returns a question about this target, without options.
    fn plain(call: &'static str, target: &'a Target) -> Self {
        let mut asked = Self {
            call,
            protocol: None,
            address: None,
            scope: None,
            port: None,
            path: None,
            reuse_address: false,
            reuse_port: false,
            v6only: None,
            device: None,
            uid: None,
            pid: None,
        };
        match target {
            Target::Inet { protocol, address, scope, port } => {
                asked.protocol = Some(*protocol);
                asked.address = Some(*address);
                asked.scope = scope.as_ref().map(Device::from);
                asked.port = Some(*port);
            }
            Target::Unix(path) => asked.path = Some(path.to_lossy().into_owned()),
        }
        asked
    }
}

const fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Connects => "connects",
        Reach::Fails { .. } => "fails",
        Reach::Silent => "silent",
        Reach::Unknown => "unknown",
    }
}

impl<'a> Asked<'a> {
    fn new(diagnosis: &'a Diagnosis) -> Self {
        let request = &diagnosis.request;
        Self {
            reuse_address: request.reuse_address,
            reuse_port: request.reuse_port,
            v6only: request.v6only,
            device: request.device.as_ref().map(Device::from),
            uid: request.by.uid.map(|uid| uid.0),
            pid: request.by.pid.map(|pid| pid.0),
            ..Self::plain("bind", &request.target)
        }
    }
}

impl<'a> From<&'a Cause> for Because<'a> {
    fn from(cause: &'a Cause) -> Self {
        let about = cause.reason.about();
        Self {
            reason: about.word,
            title: about.title,
            certainty: match cause.certainty {
                Certainty::Certain => "certain",
                Certainty::Likely => "likely",
                Certainty::Possible => "possible",
            },
            in_the_way: cause.reason.is_in_the_way(),
            evidence: &cause.evidence,
            sockets: cause.sockets.iter().map(Socket::from).collect(),
        }
    }
}

impl From<&Remedy> for WayOut {
    fn from(remedy: &Remedy) -> Self {
        let (text, command) = way_out(remedy);
        Self {
            action: remedy.action.name(),
            harm: remedy.harm.name(),
            text,
            command,
            breaks: remedy.breaks.clone(),
        }
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Free => "free",
        Verdict::Shareable => "shareable",
        Verdict::Fails { .. } => "fails",
        Verdict::Unknown => "unknown",
    }
}

/// Writes the answers as one indented object. The snapshot is the one they were made of.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(diagnoses: &[Diagnosis], snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    write_answers(diagnoses.iter().map(Answer::new).collect(), snapshot, out)
}

/// Writes answers of either kind.
pub(super) fn write_answers(
    answers: Vec<Answer<'_>>,
    snapshot: &Snapshot,
    out: &mut dyn Write,
) -> io::Result<()> {
    let why = Why {
        schema: SCHEMA,
        collected_at: snapshot.collected_at,
        platform: &snapshot.platform,
        gaps: snapshot.gaps(),
        answers,
    };
    serde_json::to_writer_pretty(&mut *out, &why)?;
    out.write_all(b"\n")
}

/// Returns the JSON Schema of the answers, indented.
#[cfg(feature = "cli")]
pub fn schema() -> String {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = generator.into_generator().into_root_schema_for::<Why<'static>>();
    format!("{:#}\n", schema.as_value())
}
