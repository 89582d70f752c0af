//! A diagnosis for people: the verdict in the first line, the cause, the holder, what the kernel said,
//! and the ways out; safe for a terminal.

pub mod connect;
pub mod json;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use crate::diagnose::{
    Action, Cause, Certainty, Diagnosis, Errno, Harm, Probe, Remedy, Target, Verdict,
};
use crate::process::{Owner, Ownership, Pid};
use crate::render::{phrase, sanitize};
use crate::snapshot::Entry;
use crate::socket::SocketId;
use crate::text::Text;

/// How many sockets of one cause are shown; the rest is counted.
const SOCKETS: usize = 4;

/// How a diagnosis is to look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The terminal's width to fit; absent where no line is broken.
    pub width: Option<usize>,
    /// Whether the long story of each cause is told.
    pub explain: bool,
}

/// Writes the diagnoses of one question; what is the same for several addresses is said once.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(diagnoses: &[Diagnosis], options: Options, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { options, out };
    let mut groups: Vec<Vec<&Diagnosis>> = Vec::new();
    for diagnosis in diagnoses {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|known| is_same(known, diagnosis)))
        {
            Some(group) => group.push(diagnosis),
            None => groups.push(vec![diagnosis]),
        }
    }
    for group in &groups {
        page.verdict(group)?;
    }
    for group in &groups {
        if let [first, ..] = &group[..] {
            page.details(first, groups.len() > 1)?;
        }
    }
    page.remedies(diagnoses.iter().flat_map(|diagnosis| &diagnosis.remedies))
}

/// Whether two diagnoses say the same, of different addresses.
fn is_same(one: &Diagnosis, other: &Diagnosis) -> bool {
    let sockets = |diagnosis: &Diagnosis| {
        let causes = diagnosis.causes.iter();
        let mut ids: Vec<SocketId> =
            causes.flat_map(|cause| &cause.sockets).map(|entry| entry.socket.id).collect();
        ids.sort_unstable();
        ids
    };
    one.verdict == other.verdict
        && one.is_contradicted() == other.is_contradicted()
        && sockets(one) == sockets(other)
}

/// Returns the address as a person writes it, with the protocol: `tcp 127.0.0.1:80`.
fn target(target: &Target) -> String {
    sanitize::string(&target.to_string()).into_owned()
}

/// Returns the verdict as the end of a sentence that begins with the address.
pub fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Free => "yes, it is free".to_owned(),
        Verdict::Shareable => "yes, beside others that have it too".to_owned(),
        Verdict::Fails { call, errno } => {
            format!("no, {} fails with {errno:?} ({})", call.name(), in_words(errno))
        }
        Verdict::Unknown => "it cannot be told".to_owned(),
    }
}

/// Returns what an error means.
const fn in_words(errno: Errno) -> &'static str {
    match errno {
        Errno::EADDRINUSE => "address already in use",
        Errno::EADDRNOTAVAIL => "address not available",
        Errno::EACCES => "permission denied",
        Errno::EPERM => "operation not permitted",
        Errno::EINVAL => "invalid argument",
        Errno::EAFNOSUPPORT => "address family not supported",
        Errno::ENODEV => "no such device",
        Errno::EMFILE => "too many open files",
        Errno::ENFILE => "too many open files in system",
        Errno::ENOBUFS => "no buffer space available",
        Errno::ENOENT => "no such file or directory",
        Errno::ENOTDIR => "not a directory",
        Errno::ENAMETOOLONG => "name too long",
        Errno::EROFS => "read-only file system",
        Errno::ECONNREFUSED => "connection refused",
        Errno::ETIMEDOUT => "timed out",
        Errno::EHOSTUNREACH => "no route to host",
        Errno::ENETUNREACH => "network is unreachable",
    }
}

/// Returns what the kernel said to the probe, beside the prediction.
fn kernel(diagnosis: &Diagnosis) -> Option<String> {
    let made = |listened: bool| if listened { "bind and listen" } else { "bind" };
    Some(match diagnosis.probe.as_ref()? {
        Probe::NotMade { why } => format!("was not asked: {why}"),
        _ if diagnosis.is_contradicted() => format!(
            "differs from what was predicted ({}): a bug, to be reported with what --record writes",
            verdict(diagnosis.prediction)
        ),
        Probe::Succeeded { listened } => {
            format!("did a {} to find out, closed at once", made(*listened))
        }
        Probe::Failed { call, errno: Some(errno) } => {
            format!("refused a {} made to find out: {errno:?}", call.name())
        }
        Probe::Failed { call, errno: None } => {
            format!("refused a {} made to find out", call.name())
        }
    })
}

/// Lines of a screen.
pub(super) struct Page<'a> {
    pub(super) options: Options,
    pub(super) out: &'a mut dyn Write,
}

impl Page<'_> {
    /// Writes text after a label, set in below itself where it must be broken.
    pub(super) fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        let room = self.options.width.map(|width| width.saturating_sub(label.width()).max(20));
        let mut indent = label.to_owned();
        for line in phrase::wrap(text, room) {
            writeln!(self.out, "{indent}{line}")?;
            indent = " ".repeat(label.width());
        }
        Ok(())
    }

    fn verdict(&mut self, group: &[&Diagnosis]) -> io::Result<()> {
        let [first, ..] = group else { return Ok(()) };
        let targets: Vec<String> =
            group.iter().map(|diagnosis| target(&diagnosis.request.target)).collect();
        let targets = match &targets[..] {
            [first, rest @ ..] => rest.iter().fold(first.clone(), |all, next| {
                // The protocol is said once.
                let (_, address) = next.split_once(' ').unwrap_or(("", next));
                format!("{all} and {address}")
            }),
            [] => String::new(),
        };
        self.line("", &format!("{targets}: {}", verdict(first.verdict)))
    }

    fn details(&mut self, diagnosis: &Diagnosis, named: bool) -> io::Result<()> {
        if diagnosis.causes.is_empty() && diagnosis.verdict == Verdict::Free {
            return Ok(());
        }
        writeln!(self.out)?;
        if named {
            self.line("", &target(&diagnosis.request.target))?;
        }
        for cause in &diagnosis.causes {
            self.cause(cause)?;
        }
        match kernel(diagnosis) {
            Some(text) => self.line("  kernel    ", &text),
            None => Ok(()),
        }
    }

    fn cause(&mut self, cause: &Cause) -> io::Result<()> {
        let about = cause.reason.about();
        let label = match (cause.reason.is_in_the_way(), cause.certainty) {
            (false, _) => "  note      ",
            (true, Certainty::Certain | Certainty::Likely) => "  because   ",
            (true, Certainty::Possible) => "  perhaps   ",
        };
        let evidence = cause.evidence.iter().map(|fact| sanitize::string(fact));
        let words = std::iter::once(about.title.into()).chain(evidence).collect::<Vec<_>>();
        self.line(label, &words.join("; "))?;
        for entry in cause.sockets.iter().take(SOCKETS) {
            self.holder(entry)?;
        }
        let more = cause.sockets.len().saturating_sub(SOCKETS);
        if more > 0 {
            self.line("            ", &format!("and {}", phrase::count(more, "more socket")))?;
        }
        if self.options.explain {
            self.line("            ", about.story)?;
            if !about.source.is_empty() {
                self.line("            ", &format!("source: {}", about.source))?;
            }
        }
        Ok(())
    }

    /// Writes who holds a socket, a line a process, and its row.
    pub(super) fn holder(&mut self, entry: &Entry) -> io::Result<()> {
        let label = "  held by   ";
        let socket = &entry.socket;
        let state = socket.state.map_or_else(String::new, |state| format!(" {state}"));
        let row = format!("{} {}{state}", phrase::protocol(socket), phrase::ends(socket));
        match &entry.ownership {
            Ownership::Held(owners) => {
                let mut known: Vec<Pid> = Vec::new();
                for owner in owners {
                    if !known.contains(&owner.process.pid) {
                        known.push(owner.process.pid);
                        self.line(label, &owner_line(owner))?;
                    }
                }
            }
            Ownership::Kernel(reason) => self.line(label, &phrase::kernel(reason))?,
            Ownership::Hidden(_) => self.line(label, &phrase::owner(entry))?,
        }
        self.line("            ", &row)
    }

    fn remedies<'r>(&mut self, all: impl Iterator<Item = &'r Remedy>) -> io::Result<()> {
        let mut remedies: Vec<&Remedy> = Vec::new();
        for remedy in all {
            if !remedies.iter().any(|known| known.action == remedy.action) {
                remedies.push(remedy);
            }
        }
        if remedies.is_empty() {
            return Ok(());
        }
        remedies.sort_by_key(|remedy| remedy.harm);
        writeln!(self.out, "\nWays out, the least harmful first")?;
        for (number, remedy) in (1..).zip(remedies) {
            let (what, command) = way_out(remedy);
            self.line(&format!("{number:>3}  "), &what)?;
            if let Some(command) = command {
                writeln!(self.out, "       {command}")?;
            }
        }
        Ok(())
    }
}

/// Returns one process that holds a socket, with what it runs: `node (4711, alice, fd 25): node app.js`.
fn owner_line(owner: &Owner) -> String {
    let process = &owner.process;
    let mut facts = vec![process.pid.to_string()];
    facts.extend(process.user.as_ref().map(|user| sanitize::text(user).into_owned()));
    facts.extend(owner.fd.map(|fd| format!("fd {fd}")));
    if owner.via != crate::process::Via::Fd {
        facts.push(format!("via {}", owner.via.name()));
    }
    let age = process.age.map_or_else(String::new, |age| {
        let seconds = std::time::Duration::from_secs(age.as_secs());
        format!(", for {}", humantime::format_duration(seconds))
    });
    let argv = process.argv.as_deref().unwrap_or_default().iter().map(Text::to_string);
    let argv = argv.collect::<Vec<_>>().join(" ");
    let argv = if argv.is_empty() { argv } else { format!(": {}", sanitize::string(&argv)) };
    format!("{} ({}){age}{argv}", phrase::command(process), facts.join(", "))
}

/// Returns what a remedy does, and what a person types for it.
pub fn way_out(remedy: &Remedy) -> (String, Option<String>) {
    let breaks =
        remedy.breaks.as_ref().map_or_else(String::new, |breaks| format!("; breaks: {breaks}"));
    let command = remedy.action.command().map(|words| words.join(" "));
    let what = match &remedy.action {
        Action::Wait { seconds } => format!("wait {seconds} s: the kernel gives it back by itself"),
        Action::Destroy { cookies } => {
            let what = if remedy.harm == Harm::LeftOver { "leftover" } else { "connection" };
            format!("close {} through the kernel (root)", phrase::count(cookies.len(), what))
        }
        Action::StopUnit { unit, .. } => format!("stop the unit {}", sanitize::text(unit)),
        Action::StopContainer { container, .. } => {
            format!("stop the container {}", sanitize::text(container))
        }
        Action::End { processes } => {
            let names: Vec<String> =
                processes.iter().map(|process| phrase::process(process)).collect();
            format!("end {}", names.join(", "))
        }
        Action::Continue { pid } => format!("continue the stopped job {pid}: fg in its shell"),
        Action::Advice { text, command } => {
            let text = sanitize::string(text).into_owned();
            let command = command.as_ref().map(|line| sanitize::string(line).into_owned());
            return (text, command);
        }
    };
    (format!("{what}{breaks}"), command.map(|line| sanitize::string(&line).into_owned()))
}
