//! What could not be seen, in one line for stderr.

use crate::render::sanitize;
use crate::snapshot::{Entries, Gap, Missing, Snapshot};

/// Returns one line, without its end, that names the most important gap, how to close it, and how
/// many more there are and by which flag they are told (`-v`, `--json`); `None` when nothing is missing.
pub fn summary(snapshot: &Snapshot<dyn Entries>, flag: &str) -> Option<String> {
    let mut gaps = snapshot.gaps();
    if gaps.iter().any(|gap| gap.what == Missing::Owners) {
        // They are why the owners are hidden: one gap, not two.
        gaps.retain(|gap| gap.what != Missing::Descriptors);
    }
    gaps.sort_by_key(|gap| importance(gap.what));
    let (first, more) = gaps.split_first()?;
    let others = match more.len() {
        0 => String::new(),
        1 => format!(" (+1 more gap, see {flag})"),
        more => format!(" (+{more} more gaps, see {flag})"),
    };
    Some(line(first, snapshot.entries.count()) + &others)
}

/// Returns a line for each gap, without its end: all that is missing, in the order it was noticed;
/// then how the rest was read.
pub fn lines(snapshot: &Snapshot<dyn Entries>) -> Vec<String> {
    let gaps = snapshot.gaps();
    let gaps = gaps.iter().map(|gap| line(gap, snapshot.entries.count()));
    let notes = snapshot.notes.iter().map(|note| sanitize::string(note).into_owned());
    gaps.chain(notes).collect()
}

fn line(gap: &Gap, rows: usize) -> String {
    let hint = gap.hint.as_ref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
    sanitize::string(&format!("{}{hint}", describe(gap, rows))).into_owned()
}

/// Hidden owners come first, being what a user can do something about; then missing rows, then
/// missing facts.
fn importance(what: Missing) -> u8 {
    match what {
        Missing::Owners => 0,
        Missing::Sockets => 1,
        Missing::Namespaces => 2,
        Missing::Descriptors => 3,
        Missing::BoundSockets | Missing::UnheldSockets => 4,
        Missing::SocketFacts => 5,
        Missing::ProcessFacts => 6,
        Missing::UserNames => 7,
        Missing::BindFacts => 8,
    }
}

fn describe(gap: &Gap, rows: usize) -> String {
    let why = &gap.why;
    let detail = gap.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    match (gap.what, gap.count) {
        (Missing::Owners, Some(count)) => {
            let have = if count == 1 { "has" } else { "have" };
            format!("{count} of {rows} sockets {have} a hidden owner{detail}: {why}")
        }
        (Missing::Descriptors, Some(count)) => {
            let processes = if count == 1 { "process" } else { "processes" };
            format!("the descriptors of {count} {processes} could not be read{detail}: {why}")
        }
        (Missing::ProcessFacts, Some(count)) => {
            let processes = if count == 1 { "process" } else { "processes" };
            format!("{count} {processes} could not be fully read{detail}: {why}")
        }
        (Missing::Namespaces, Some(count)) => {
            let namespaces = if count == 1 { "namespace" } else { "namespaces" };
            format!("{count} network {namespaces} could not be fully read{detail}: {why}")
        }
        (what, _) => format!("{what} could not be read{detail}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn nothing_missing_is_silence() {
        let mut snapshot = fixture::snapshot();
        snapshot.unread.clear();
        snapshot.entries.clear();
        assert_eq!(summary(&snapshot, "-v"), None);
    }

    #[test]
    fn hidden_owners_and_their_cause_are_one_gap() {
        let mut snapshot = fixture::snapshot();
        snapshot.unread.retain(|gap| gap.what == Missing::Descriptors);
        assert_eq!(
            summary(&snapshot, "-v").unwrap(),
            "1 of 18 sockets has a hidden owner: permission denied; \
             hint: run as root (sudo) to see other users' processes"
        );
    }

    #[test]
    fn hidden_owners_matter_most_and_the_rest_is_counted() {
        let line = summary(&fixture::snapshot(), "-v").unwrap();
        assert!(line.starts_with("1 of 18 sockets has a hidden owner: "), "{line}");
        assert!(line.ends_with(" (+1 more gap, see -v)"), "{line}");
    }

    #[test]
    fn missing_tables_are_named() {
        let mut snapshot = fixture::snapshot();
        snapshot.unread.retain(|gap| gap.what == Missing::Sockets);
        snapshot.entries.clear();
        assert_eq!(
            summary(&snapshot, "-v").unwrap(),
            "sockets could not be read (udplite over inet6): module not loaded"
        );
    }

    #[test]
    fn unread_descriptors_are_said_even_when_no_row_is_hidden() {
        let mut snapshot = fixture::snapshot();
        snapshot.entries.clear();
        snapshot.unread.retain(|gap| gap.what == Missing::Descriptors);
        assert!(summary(&snapshot, "-v").unwrap().starts_with("the descriptors of 41 processes"));
    }

    #[test]
    fn all_of_it_is_a_line_a_gap() {
        let snapshot = fixture::snapshot();
        assert_eq!(lines(&snapshot).len(), snapshot.gaps().len());
    }

    #[test]
    fn it_is_one_line_whatever_the_system_says() {
        let mut snapshot = fixture::snapshot();
        snapshot.unread = vec![Gap::new(Missing::Sockets, "two\nlines\x1b[2J")];
        assert!(!summary(&snapshot, "-v").unwrap().contains(char::is_control));
    }
}
