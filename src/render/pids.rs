//! Process numbers only, as `lsof -t`: for `kill $(sockscope list --pids :8080)`.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::snapshot::{Entries, Snapshot, parts};

/// Writes the number of each process that holds one of the sockets, ascending, one a line. Inferred
/// owners (of connections not accepted yet, of sockets in flight) are left out: they hold nothing.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(snapshot: &Snapshot<dyn Entries>, out: &mut dyn Write) -> io::Result<()> {
    let mut pids = BTreeSet::new();
    for entries in parts(&snapshot.entries) {
        let owners = entries.iter().flat_map(|entry| entry.ownership.owners());
        pids.extend(owners.filter(|owner| !owner.via.is_inferred()).map(|owner| owner.process.pid));
    }
    for pid in pids {
        writeln!(out, "{pid}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use crate::state::TcpState;

    fn pids(snapshot: &Snapshot) -> String {
        let mut out = Vec::new();
        write(snapshot, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_holder_is_written_once_in_ascending_order() {
        let expected = "700\n811\n812\n813\n814\n900\n4444\n5001\n6000\n123456\n";
        assert_eq!(pids(&fixture::snapshot()), expected);
    }

    #[test]
    fn an_inferred_owner_is_no_holder() {
        let mut snapshot = fixture::snapshot();
        snapshot.entries.retain(|entry| {
            entry.socket.state == Some(TcpState::Established) && entry.socket.inode.is_none()
        });
        assert_eq!(snapshot.entries.len(), 1);
        assert_eq!(pids(&snapshot), "");
    }
}
