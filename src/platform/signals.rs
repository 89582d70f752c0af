//! How this process was told to treat signals before it started.

/// Returns whether SIGHUP is ignored, as nohup(1) has it. Whoever installs a handler regardless
/// takes that protection away. False where it is not known how to ask without unsafe code.
pub fn is_hangup_ignored() -> bool {
    if cfg!(target_os = "linux") {
        std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
    } else {
        false
    }
}

/// Reads the mask of ignored signals (`proc_pid_status(5)`, SigIgn): signal 1 is the lowest bit.
fn ignores_hangup(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_is_the_hangup() {
        assert!(ignores_hangup("Name:\tsh\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("Name:\tsh\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup("SigBlk:\t0000000000000001\n"));
    }
}
