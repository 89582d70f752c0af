//! What `proc_pidinfo` tells of a process (`struct proc_bsdinfo`, xnu's bsd/sys/proc_info.h).

use super::layout as at;
use crate::platform::bsd::fields::Fields;
use crate::platform::bsd::process_control::{STATE_STOPPED, STATE_ZOMBIE, Seen};
use crate::process::Pid;

/// Decodes a `proc_bsdinfo`; `None` when it is shorter than its fields. The start is in whole seconds,
/// as sysinfo tells it.
pub(super) fn decode(bytes: &[u8]) -> Option<Seen> {
    let info = Fields(bytes);
    let state = info.u8(at::BSD_STATUS)?;
    Some(Seen {
        start: info.u64(at::BSD_START)?,
        parent: info.u32(at::BSD_PPID).filter(|&parent| parent != 0).map(Pid),
        has_ended: state == STATE_ZOMBIE,
        is_stopped: state == STATE_STOPPED,
        // All of the kernel is process 0, which cannot be held.
        is_kernels: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::bsd::sample::put;

    #[test]
    fn a_process_is_told_with_its_parent_and_state_and_a_short_one_is_not() {
        let mut bytes = vec![0; at::BSD_SIZE];
        put(&mut bytes, at::BSD_STATUS, &[4]);
        put(&mut bytes, at::BSD_PPID, &[1]);
        put(&mut bytes, at::BSD_START, &1_700_000_000_u64.to_ne_bytes());
        let seen = decode(&bytes).unwrap();
        assert_eq!((seen.start, seen.parent), (1_700_000_000, Some(Pid(1))));
        assert!(seen.is_stopped && !seen.has_ended);
        bytes.truncate(at::BSD_START);
        assert_eq!(decode(&bytes), None);
    }
}
