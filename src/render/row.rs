//! One row of a table: a socket with the owner it is shown with.

use std::collections::HashSet;

use crate::cgroup::Cgroup;
use crate::process::{Owner, Ownership, Process};
use crate::snapshot::Entry;

/// A socket and one of its owners.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The socket and all its owners.
    pub entry: &'a Entry,
    /// The owner shown; absent when nobody holds the socket or it cannot be told who.
    pub owner: Option<&'a Owner>,
}

impl<'a> Row<'a> {
    /// Returns the process shown.
    pub fn process(&self) -> Option<&'a Process> {
        self.owner.map(|owner| &*owner.process)
    }

    /// Returns the control group of the process shown; where it is hidden, the socket's own. One that
    /// only the kernel keeps is nobody's, whoever made it.
    pub fn cgroup(&self) -> Option<&'a Cgroup> {
        match (self.owner, &self.entry.ownership) {
            (Some(owner), _) => owner.process.cgroup.as_ref(),
            (None, Ownership::Kernel(_)) => None,
            (None, Ownership::Held(_) | Ownership::Hidden(_)) => {
                self.entry.socket.cgroup.as_deref()
            }
        }
    }

    /// Returns how many processes beside the shown one hold the socket.
    pub fn others(&self) -> usize {
        count_others(self.entry.ownership.owners())
    }
}

/// Returns how many processes there are among the owners beside the first.
pub(crate) fn count_others(owners: &[Owner]) -> usize {
    if owners.len() < 2 {
        return 0;
    }
    let pids: HashSet<_> = owners.iter().map(|owner| owner.process.pid).collect();
    pids.len().saturating_sub(1)
}

/// What makes a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rows {
    /// Each socket, with its main owner.
    #[default]
    Sockets,
    /// Each descriptor, as lsof lists them; a socket without a known owner still has one row.
    Descriptors,
}

impl Rows {
    /// Returns the rows of these entries, in their order.
    pub fn of(self, entries: &[Entry]) -> impl Iterator<Item = Row<'_>> {
        entries.iter().flat_map(move |entry| {
            let owners = entry.ownership.owners();
            let shown = match self {
                Self::Sockets => owners.get(..1).unwrap_or_default(),
                Self::Descriptors => owners,
            };
            let ownerless = shown.is_empty().then_some(Row { entry, owner: None });
            shown.iter().map(move |owner| Row { entry, owner: Some(owner) }).chain(ownerless)
        })
    }
}
