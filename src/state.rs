//! TCP states and their spellings: one table, for every peer's words.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A TCP state: RFC 9293's eleven, `Bound`, and whatever the kernel may add.
///
/// `Closed` is what the kernel calls CLOSE: a TCP socket without a connection. `Bound` is such a
/// socket that holds a port without listening (Linux `TCP_BOUND_INACTIVE`, which the kernel itself
/// reports as CLOSE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TcpState {
    /// Waits for connections.
    Listen,
    /// Holds a port, neither listening nor connected.
    Bound,
    /// Sent SYN, waits for the answer.
    SynSent,
    /// Received SYN, answered, waits for the handshake's last part.
    SynRecv,
    /// Open both ways.
    Established,
    /// Closed here first; the FIN is not acknowledged yet.
    FinWait1,
    /// Closed here, acknowledged; the peer may still send.
    FinWait2,
    /// The peer closed; the owner here has not.
    CloseWait,
    /// Both closed at once; our FIN is not acknowledged yet.
    Closing,
    /// The peer closed first, then the owner; our FIN is not acknowledged yet.
    LastAck,
    /// Over; kept to catch late segments.
    TimeWait,
    /// No connection.
    Closed,
    /// A number this version does not know.
    Other(u8),
}

/// One state with its number in the Linux kernel and its spellings.
struct Spelling {
    state: TcpState,
    /// `enum` in linux/include/net/tcp_states.h; absent for what the kernel has no number of.
    linux: Option<u8>,
    /// `TCPS_` in freebsd/sys/netinet/tcp_fsm.h, and `TSI_S_` in xnu's bsd/sys/proc_info.h; absent for
    /// what these kernels have no number of.
    bsd: Option<u8>,
    /// As lsof, netstat, macOS and Windows write it: the one we print.
    canonical: &'static str,
    /// Other spellings in use, lower case, compared without `-` and `_`: ss's, the RFC's, Windows'.
    others: &'static [&'static str],
}

/// The one table of states, in the order rows are sorted: listeners first, the dying last.
const SPELLINGS: &[Spelling] = &[
    Spelling {
        state: TcpState::Listen,
        linux: Some(10),
        bsd: Some(1),
        canonical: "LISTEN",
        others: &["listening"],
    },
    Spelling {
        state: TcpState::Bound,
        linux: Some(13),
        bsd: None,
        canonical: "BOUND",
        others: &["boundinactive"],
    },
    Spelling {
        state: TcpState::Established,
        linux: Some(1),
        bsd: Some(4),
        canonical: "ESTABLISHED",
        others: &["estab", "est"],
    },
    Spelling {
        state: TcpState::SynSent,
        linux: Some(2),
        bsd: Some(2),
        canonical: "SYN_SENT",
        others: &[],
    },
    Spelling {
        state: TcpState::SynRecv,
        linux: Some(3),
        bsd: Some(3),
        canonical: "SYN_RECV",
        others: &["synreceived", "synrcvd", "synrcv"],
    },
    Spelling {
        state: TcpState::CloseWait,
        linux: Some(8),
        bsd: Some(5),
        canonical: "CLOSE_WAIT",
        others: &[],
    },
    Spelling {
        state: TcpState::FinWait1,
        linux: Some(4),
        bsd: Some(6),
        canonical: "FIN_WAIT1",
        others: &["finwait"],
    },
    Spelling {
        state: TcpState::FinWait2,
        linux: Some(5),
        bsd: Some(9),
        canonical: "FIN_WAIT2",
        others: &[],
    },
    Spelling {
        state: TcpState::Closing,
        linux: Some(11),
        bsd: Some(7),
        canonical: "CLOSING",
        others: &[],
    },
    Spelling {
        state: TcpState::LastAck,
        linux: Some(9),
        bsd: Some(8),
        canonical: "LAST_ACK",
        others: &[],
    },
    Spelling {
        state: TcpState::TimeWait,
        linux: Some(6),
        bsd: Some(10),
        canonical: "TIME_WAIT",
        others: &[],
    },
    Spelling {
        state: TcpState::Closed,
        linux: Some(7),
        bsd: Some(0),
        canonical: "CLOSED",
        others: &["close", "unconnected", "unconn", "idle"],
    },
];

impl TcpState {
    /// Returns every known state, in the order rows are sorted.
    pub fn all() -> impl Iterator<Item = Self> {
        SPELLINGS.iter().map(|spelling| spelling.state)
    }

    /// Returns the state the Linux kernel gives this number (linux/include/net/tcp_states.h).
    pub fn from_linux(number: u8) -> Self {
        // 12 is TCP_NEW_SYN_RECV, the kernel's own distinction within SYN_RECV.
        let number = if number == 12 { 3 } else { number };
        SPELLINGS
            .iter()
            .find(|spelling| spelling.linux == Some(number))
            .map_or(Self::Other(number), |spelling| spelling.state)
    }

    /// Returns the state that the kernels of FreeBSD and macOS give this number.
    pub fn from_bsd(number: u8) -> Self {
        SPELLINGS
            .iter()
            .find(|spelling| spelling.bsd == Some(number))
            .map_or(Self::Other(number), |spelling| spelling.state)
    }

    /// Returns the kernel's number for this state: its bit in a `sock_diag` state mask.
    pub fn to_linux(self) -> u8 {
        if let Self::Other(number) = self {
            return number;
        }
        SPELLINGS.iter().find(|s| s.state == self).and_then(|s| s.linux).unwrap_or_default()
    }

    /// Returns the state written this way by any tool in use: case, `-` and `_` do not matter.
    pub fn parse(word: &str) -> Option<Self> {
        let word: String = fold(word);
        SPELLINGS
            .iter()
            .find(|s| fold(s.canonical) == word || s.others.contains(&word.as_str()))
            .map(|s| s.state)
    }

    /// Returns every spelling that [`TcpState::parse`] knows, for completions and "did you mean".
    pub fn spellings() -> impl Iterator<Item = &'static str> {
        SPELLINGS.iter().flat_map(|s| std::iter::once(s.canonical).chain(s.others.iter().copied()))
    }

    /// Returns the state's name, as lsof and netstat write it; `None` for a number that is not known.
    pub fn name(self) -> Option<&'static str> {
        SPELLINGS.iter().find(|spelling| spelling.state == self).map(|spelling| spelling.canonical)
    }

    /// Returns the state's place in the sort order.
    pub fn rank(self) -> usize {
        SPELLINGS.iter().position(|s| s.state == self).unwrap_or(SPELLINGS.len())
    }
}

fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self) {
            (None, Self::Other(number)) => f.pad(&format!("STATE_{number}")),
            (name, _) => f.pad(name.unwrap_or_default()),
        }
    }
}

impl Serialize for TcpState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for TcpState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let number = word.strip_prefix("STATE_").and_then(|number| number.parse().ok());
        Self::parse(&word)
            .or(number.map(Self::Other))
            .ok_or_else(|| serde::de::Error::custom(format!("unknown state '{word}'")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_every_spelling_in_use() {
        for (words, state) in [
            (&["LISTEN", "listening", "Listen"][..], TcpState::Listen),
            (&["ESTAB", "established", "ESTABLISHED"], TcpState::Established),
            (&["SYN_RECV", "syn-recv", "SYN-RECEIVED", "SYN_RCVD"], TcpState::SynRecv),
            (&["FIN_WAIT1", "fin-wait-1", "FIN-WAIT-1", "FIN_WAIT_1"], TcpState::FinWait1),
            (&["FIN_WAIT2", "fin-wait-2", "FIN_WAIT_2"], TcpState::FinWait2),
            (&["TIME_WAIT", "time-wait", "TIME-WAIT"], TcpState::TimeWait),
            (&["CLOSE", "CLOSED", "unconnected", "UNCONN"], TcpState::Closed),
            (&["bound", "bound-inactive"], TcpState::Bound),
        ] {
            for word in words {
                assert_eq!(TcpState::parse(word), Some(state), "{word}");
            }
        }
    }

    #[test]
    fn display_parses_back_and_numbers_too() {
        for state in TcpState::all() {
            assert_eq!(TcpState::parse(&state.to_string()), Some(state));
            assert_eq!(TcpState::from_linux(state.to_linux()), state);
        }
        assert_eq!(TcpState::from_linux(99), TcpState::Other(99));
    }

    #[test]
    fn each_number_of_the_bsd_kernels_is_one_state() {
        let states: Vec<String> = (0..=10).map(|n| TcpState::from_bsd(n).to_string()).collect();
        let expected = "CLOSED LISTEN SYN_SENT SYN_RECV ESTABLISHED CLOSE_WAIT FIN_WAIT1 CLOSING \
                        LAST_ACK FIN_WAIT2 TIME_WAIT";
        assert_eq!(states.join(" "), expected);
        assert_eq!(TcpState::from_bsd(11), TcpState::Other(11));
    }

    #[test]
    fn a_state_survives_a_recording() {
        for state in TcpState::all().chain([TcpState::Other(42)]) {
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<TcpState>(&json).unwrap(), state);
        }
    }

    #[test]
    fn no_spelling_names_two_states() {
        let mut seen = std::collections::HashSet::new();
        for word in TcpState::spellings() {
            assert!(seen.insert(fold(word)), "{word}");
        }
    }
}
