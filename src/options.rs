//! The options of one socket that the kernel tells only to whoever has a descriptor of it.

use serde::Serialize;

/// The options of a socket, read through a copy of its holder's descriptor. Each is absent where the
/// socket has no such option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SocketOptions {
    /// Whether its address may be bound again while old connections linger (`SO_REUSEADDR`).
    pub reuse_address: Option<bool>,
    /// Whether others of the same user may bind the same address too (`SO_REUSEPORT`).
    pub reuse_port: Option<bool>,
    /// Whether an IPv6 socket refuses IPv4 (`IPV6_V6ONLY`).
    pub v6only: Option<bool>,
    /// Whether the descriptor it was read through is closed when its process starts another program
    /// (`FD_CLOEXEC`).
    pub close_on_exec: Option<bool>,
    /// Whether small writes are sent at once (`TCP_NODELAY`).
    pub no_delay: Option<bool>,
    /// Whether an idle connection is probed (`SO_KEEPALIVE`).
    pub keepalive: Option<bool>,
    /// After how long without traffic it would be, in seconds (`TCP_KEEPIDLE`).
    pub keepalive_idle_s: Option<u64>,
    /// How long after one probe the next would be, in seconds (`TCP_KEEPINTVL`).
    pub keepalive_interval_s: Option<u64>,
    /// After how many probes without an answer it would be given up (`TCP_KEEPCNT`).
    pub keepalive_probes: Option<u32>,
    /// For how long `close` waits for what is unsent, in seconds (`SO_LINGER`); absent when it does
    /// not.
    pub linger_s: Option<u64>,
}

impl SocketOptions {
    /// Returns the options in words.
    pub fn words(&self) -> Vec<String> {
        let flags = [
            ("SO_REUSEADDR", self.reuse_address),
            ("SO_REUSEPORT", self.reuse_port),
            ("IPV6_V6ONLY", self.v6only),
            ("TCP_NODELAY", self.no_delay),
            ("SO_KEEPALIVE", self.keepalive),
        ];
        let mut words: Vec<String> = flags
            .into_iter()
            .filter_map(|(name, flag)| Some(format!("{name} {}", if flag? { "on" } else { "off" })))
            .collect();
        if let (Some(true), Some(idle), Some(interval), Some(probes)) = (
            self.keepalive,
            self.keepalive_idle_s,
            self.keepalive_interval_s,
            self.keepalive_probes,
        ) {
            words.push(format!("probed after {idle} s, then every {interval} s, {probes} times"));
        }
        if let Some(linger) = self.linger_s {
            words.push(format!("SO_LINGER {linger} s"));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_said_and_times_only_of_what_is_on() {
        let mut options = SocketOptions {
            reuse_address: Some(true),
            keepalive: Some(false),
            keepalive_idle_s: Some(7200),
            keepalive_interval_s: Some(75),
            keepalive_probes: Some(9),
            ..SocketOptions::default()
        };
        assert_eq!(options.words(), ["SO_REUSEADDR on", "SO_KEEPALIVE off"]);
        options.keepalive = Some(true);
        assert_eq!(options.words()[2], "probed after 7200 s, then every 75 s, 9 times");
    }
}
