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
use crate::render::{owner, phrase, sanitize};
use crate::snapshot::Entry;
use crate::socket::{Socket, SocketId};

/// How many holders are shown for a cause; the sockets of the rest are counted.
const HOLDERS: usize = 16;
/// How many sockets of one holder are shown; the rest is counted.
const SOCKETS: usize = 4;
/// What stands before the parts of a cause.
const INDENT: &str = "            ";

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
        let is_same = |group: &&mut Vec<&Diagnosis>| {
            group.first().is_some_and(|known| verdict_of(known) == verdict_of(diagnosis))
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(diagnosis),
            None => groups.push(vec![diagnosis]),
        }
    }
    for group in &groups {
        page.verdict(group)?;
    }
    for group in &groups {
        page.details(group, groups.len() > 1)?;
    }
    let causes = diagnoses.iter().flat_map(|diagnosis| &diagnosis.causes);
    let in_the_way = causes.filter(|cause| cause.reason.is_in_the_way());
    let in_the_way: Vec<SocketId> =
        in_the_way.flat_map(|cause| &cause.sockets).map(|entry| entry.socket.id).collect();
    page.remedies(&in_the_way, diagnoses.iter().flat_map(|diagnosis| &diagnosis.remedies))
}

/// What two addresses must have in common to be answered in one line.
fn verdict_of(diagnosis: &Diagnosis) -> (Verdict, bool) {
    (diagnosis.verdict, diagnosis.is_contradicted())
}

/// Returns the causes of all these, each once, and each socket with the first cause that it is of.
fn merged(group: &[&Diagnosis]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for cause in group.iter().flat_map(|diagnosis| &diagnosis.causes) {
        let is_known = |entry: &&Entry| {
            let ids = causes
                .iter()
                .filter(|known| known.reason.is_of_sockets() == cause.reason.is_of_sockets());
            ids.flat_map(|known| &known.sockets).any(|known| known.socket.id == entry.socket.id)
        };
        let new: Vec<Entry> =
            cause.sockets.iter().filter(|entry| !is_known(entry)).cloned().collect();
        match causes.iter_mut().find(|known| known.reason == cause.reason) {
            Some(known) => known.sockets.extend(new),
            None if new.is_empty() && !cause.sockets.is_empty() => {}
            None => causes.push(Cause { sockets: new, ..cause.clone() }),
        }
    }
    causes.sort_by_key(|cause| (!cause.reason.is_in_the_way(), cause.certainty));
    causes
}

/// Returns the address as a person writes it, with the protocol: `tcp 127.0.0.1:80`.
fn target(target: &Target) -> String {
    sanitize::string(&target.to_string()).into_owned()
}

/// Returns several addresses in one, the protocol said once: `tcp 0.0.0.0:80 and [::]:80`.
fn targets(group: &[&Diagnosis]) -> String {
    let mut targets = group.iter().map(|diagnosis| target(&diagnosis.request.target));
    let first = targets.next().unwrap_or_default();
    targets.fold(first, |all, next| {
        let (_, address) = next.split_once(' ').unwrap_or(("", &next));
        format!("{all} and {address}")
    })
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

/// Returns what the cause is, and what shows it: fragments.
pub fn because(cause: &Cause) -> String {
    let title = std::iter::once(cause.reason.about().title.into());
    let evidence = cause.evidence.iter().map(|fact| sanitize::string(fact));
    title.chain(evidence).collect::<Vec<_>>().join("; ")
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
        let Some(first) = group.first() else { return Ok(()) };
        self.line("", &format!("{}: {}", targets(group), verdict(first.verdict)))
    }

    fn details(&mut self, group: &[&Diagnosis], named: bool) -> io::Result<()> {
        let causes = merged(group);
        let Some(first) = group.first() else { return Ok(()) };
        if causes.is_empty() && first.verdict == Verdict::Free {
            return Ok(());
        }
        writeln!(self.out)?;
        if named {
            self.line("", &targets(group))?;
        }
        for cause in &causes {
            self.cause(cause)?;
        }
        match kernel(first) {
            Some(text) => self.line("  kernel    ", &text),
            None => Ok(()),
        }
    }

    fn cause(&mut self, cause: &Cause) -> io::Result<()> {
        let label = match (cause.reason.is_in_the_way(), cause.certainty) {
            (true, Certainty::Certain) => "  because   ",
            (false, Certainty::Certain) if cause.reason.is_of_sockets() => "  note      ",
            (false, Certainty::Certain) => "  moreover  ",
            (_, Certainty::Likely) => "  likely    ",
            (_, Certainty::Possible) => "  perhaps   ",
        };
        self.line(label, &because(cause))?;
        let is_of_sockets = cause.reason.is_of_sockets();
        self.sockets(if is_of_sockets { &cause.sockets } else { &[] })?;
        if self.options.explain {
            let about = cause.reason.about();
            self.line(INDENT, about.story)?;
            if !about.source.is_empty() {
                self.line(INDENT, &format!("source: {}", about.source))?;
            }
        }
        Ok(())
    }

    /// Writes the rows of sockets, and who holds them.
    pub(super) fn sockets(&mut self, sockets: &[Entry]) -> io::Result<()> {
        let groups = by_holder(sockets);
        for (entries, holders) in groups.iter().take(HOLDERS) {
            for entry in entries.iter().take(SOCKETS) {
                self.line(INDENT, &row(&entry.socket))?;
            }
            self.more(entries.len().saturating_sub(SOCKETS))?;
            let labels = std::iter::once("  held by   ").chain(std::iter::repeat(INDENT));
            labels.zip(holders).try_for_each(|(label, line)| self.line(label, line))?;
        }
        self.more(groups.iter().skip(HOLDERS).map(|(entries, _)| entries.len()).sum())
    }

    fn more(&mut self, sockets: usize) -> io::Result<()> {
        if sockets == 0 {
            return Ok(());
        }
        self.line(INDENT, &format!("and {}", phrase::count(sockets, "more socket")))
    }

    /// Writes what can be done; of these sockets, which are in the way, a way out may clear some alone.
    fn remedies<'r>(
        &mut self,
        in_the_way: &[SocketId],
        all: impl Iterator<Item = &'r Remedy>,
    ) -> io::Result<()> {
        let mut ways: Vec<(Harm, Vec<SocketId>, WayOut)> = Vec::new();
        for remedy in all {
            let words = way_out(remedy);
            match ways.iter_mut().find(|(.., known)| *known == words) {
                Some((_, clears, _)) => clears.extend(&remedy.clears),
                None => ways.push((remedy.harm, remedy.clears.clone(), words)),
            }
        }
        if ways.is_empty() {
            return Ok(());
        }
        ways.sort_by_key(|(harm, ..)| *harm);
        writeln!(self.out, "\nWays out, the least harmful first")?;
        let mut left = in_the_way.to_vec();
        let mut together: Vec<String> = Vec::new();
        for (number, (_, clears, (what, command))) in (1..).zip(&ways) {
            let is_part = !clears.is_empty() && !in_the_way.iter().all(|id| clears.contains(id));
            if is_part && left.iter().any(|id| clears.contains(id)) {
                left.retain(|id| !clears.contains(id));
                together.push(number.to_string());
            }
            let part = if is_part { "; not enough alone" } else { "" };
            self.line(&format!("{number:>3}  "), &format!("{what}{part}"))?;
            if let Some(command) = command {
                writeln!(self.out, "       {command}")?;
            }
        }
        if left.is_empty() && together.len() > 1 {
            writeln!(self.out, "It takes {} together.", together.join(" and "))?;
        }
        Ok(())
    }
}

/// Groups sockets by the processes that hold them, with the holders in lines, in order of their first
/// appearance.
fn by_holder(sockets: &[Entry]) -> Vec<(Vec<&Entry>, Vec<String>)> {
    let of = |entry: &Entry| -> Vec<Pid> {
        owner::by_process(entry.ownership.owners())
            .iter()
            .filter_map(|it| Some(it.first()?.process.pid))
            .collect()
    };
    let mut groups: Vec<Vec<&Entry>> = Vec::new();
    for entry in sockets {
        let is_same = |group: &&mut Vec<&Entry>| {
            group.first().is_some_and(|first| match of(entry) {
                none if none.is_empty() => holders(first) == holders(entry),
                pids => of(first) == pids,
            })
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
    }
    let lines = |group: &[&Entry]| {
        let owners: Vec<Owner> =
            group.iter().flat_map(|entry| entry.ownership.owners()).cloned().collect();
        let nobody = || group.first().map(|entry| holders(entry)).unwrap_or_default();
        if owners.is_empty() { nobody() } else { owner::lines(&owners) }
    };
    let with_lines = |group: Vec<_>| {
        let lines = lines(&group);
        (group, lines)
    };
    groups.into_iter().map(with_lines).collect()
}

/// Returns the socket as a row: `tcp6 [::]:80 LISTEN`.
fn row(socket: &Socket) -> String {
    let state = socket.state.map_or_else(String::new, |state| format!(" {state}"));
    format!("{} {}{state}", phrase::protocol(socket), phrase::ends(socket))
}

/// Returns who holds a socket, in lines; nothing for what is left over, of which the cause says enough.
fn holders(entry: &Entry) -> Vec<String> {
    match &entry.ownership {
        Ownership::Held(owners) => owner::lines(owners),
        Ownership::Kernel(_) if entry.ownership.is_left_over() => Vec::new(),
        Ownership::Kernel(reason) => vec![phrase::kernel(reason)],
        Ownership::Hidden(_) => vec![phrase::owner(entry)],
    }
}

/// What a remedy does in words, and what a person types for it.
type WayOut = (String, Option<String>);

/// Returns what a remedy does, and what a person types for it.
pub fn way_out(remedy: &Remedy) -> WayOut {
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
        Action::StopService { service } => {
            format!("stop the service {}", sanitize::text(service))
        }
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
