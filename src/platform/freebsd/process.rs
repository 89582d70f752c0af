//! FreeBSD's processes (`struct kinfo_proc`, freebsd/sys/sys/user.h).

use std::time::{Duration, SystemTime};

use super::layout as at;
use crate::cgroup::Cgroup;
use crate::platform::bsd::fields::Fields;
use crate::platform::bsd::process_control::{STATE_STOPPED, STATE_ZOMBIE};
use crate::process::{Pid, Process, Uid};
use crate::snapshot::Timestamp;
use crate::text::Text;

/// The bytes of a name (`COMMLEN`), and the NUL behind it.
const COMM_SIZE: usize = 20;

/// `P_KPROC` and `P_SYSTEM` (freebsd/sys/sys/proc.h): the kernel's own.
const FLAGS_KERNEL: u64 = 0x4 | 0x200;

/// What a row tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) process: Process,
    pub(super) has_ended: bool,
    pub(super) is_stopped: bool,
    pub(super) is_kernels: bool,
}

/// Decodes a table of processes. What is cut off at the end is left.
pub(super) fn decode(bytes: &[u8]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = bytes;
    loop {
        let length = Fields(rest).u32(0).and_then(|length| usize::try_from(length).ok());
        let row = length.filter(|&length| length >= at::PROC_SIZE);
        let Some(row) = row.and_then(|length| rest.get(..length)) else { return rows };
        rows.extend(decode_row(Fields(row)));
        rest = rest.get(row.len()..).unwrap_or_default();
    }
}

fn decode_row(row: Fields<'_>) -> Option<Row> {
    let mut process = Process::new(Pid(row.u32(at::PROC_PID)?));
    process.ppid = row.u32(at::PROC_PPID).filter(|&ppid| ppid != 0).map(Pid);
    process.uid = row.u32(at::PROC_UID).map(Uid);
    let command = row.string(at::PROC_COMM, COMM_SIZE);
    process.command = (!command.is_empty()).then(|| Text::new(command));
    let (seconds, micros) = (row.u64(at::PROC_START)?, row.u64(at::PROC_START + 8)?);
    process.start = seconds.checked_mul(1_000_000).and_then(|start| start.checked_add(micros));
    process.started_at = process
        .start
        .and_then(|start| SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(start)))
        .map(Timestamp);
    process.cgroup = row.u32(at::PROC_JID).filter(|&jail| jail != 0).map(Cgroup::of_jail);
    let state = row.u8(at::PROC_STAT)?;
    Some(Row {
        process,
        has_ended: state == STATE_ZOMBIE,
        is_stopped: state == STATE_STOPPED,
        is_kernels: row.u64(at::PROC_FLAG)? & FLAGS_KERNEL != 0,
    })
}

/// Decodes a command line: words that end with NUL.
pub(super) fn decode_arguments(bytes: &[u8]) -> Option<Vec<Text>> {
    let words = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    (!words.is_empty()).then(|| words.split(|&byte| byte == 0).map(Text::new).collect())
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_process_has_its_name_user_parent_start_and_jail() {
        let bytes = [sample::process(700, 1, "nginx", 3), sample::process(1, 0, "init", 0)];
        let rows = decode(&bytes.concat());
        let nginx = &rows[0].process;
        assert_eq!((nginx.pid, nginx.ppid, nginx.uid), (Pid(700), Some(Pid(1)), Some(Uid(80))));
        assert_eq!(nginx.command, Some(Text::from("nginx")));
        assert_eq!(nginx.start, Some(1_700_000_000_000_700));
        let container = nginx.cgroup.as_ref().unwrap().container.as_ref().unwrap();
        assert_eq!((container.runtime.name(), container.id.to_string()), ("jail", "3".to_owned()));
        assert_eq!((&rows[1].process.cgroup, rows[1].process.ppid), (&None, None));
        assert!(!rows[0].has_ended && !rows[0].is_stopped && !rows[0].is_kernels);
    }

    #[test]
    fn a_row_that_is_cut_off_is_left() {
        let whole = sample::process(700, 1, "nginx", 0);
        assert_eq!(decode(&whole[..1000]), []);
        let zombie = {
            let mut row = whole;
            row[at::PROC_STAT] = 5;
            row
        };
        assert!(decode(&zombie)[0].has_ended);
    }

    #[test]
    fn a_command_line_is_its_words() {
        let words = decode_arguments(b"nginx\0-g\0\0").unwrap();
        assert_eq!(words, ["nginx", "-g", ""].map(Text::from));
        assert_eq!((decode_arguments(b""), decode_arguments(b"\0")), (None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, length: u32) {
            let mut row = sample::process(700, 1, "nginx", 3);
            for (place, byte) in row.iter_mut().skip(4).zip(bytes.iter().cycle()) {
                *place = *byte;
            }
            row[..4].copy_from_slice(&(length % 2048).to_ne_bytes());
            let _rows = decode(&row);
            let _words = decode_arguments(&bytes);
        }
    }
}
