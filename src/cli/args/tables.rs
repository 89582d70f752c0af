//! ss's names for tables of sockets, the argument of `-A`.

use std::str::FromStr;

use crate::socket::Protocol;

/// The protocols that `-A LIST` names (`ss(8)`, `--query`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables(Vec<Protocol>);

/// What each of ss's words means to us; `None` where we list no such sockets.
const WORDS: &[(&str, Option<&[Protocol]>)] = &[
    ("all", Some(&Protocol::ALL)),
    ("inet", Some(&[Protocol::Tcp, Protocol::Udp, Protocol::Udplite, Protocol::Raw])),
    ("tcp", Some(&[Protocol::Tcp])),
    ("udp", Some(&[Protocol::Udp])),
    ("udplite", Some(&[Protocol::Udplite])),
    ("raw", Some(&[Protocol::Raw])),
    ("unix", Some(&[Protocol::Unix])),
    ("dccp", None),
    ("mptcp", None),
    ("netlink", None),
    ("packet", None),
    ("packet_dgram", None),
    ("packet_raw", None),
    ("sctp", None),
    ("tipc", None),
    ("unix_dgram", None),
    ("unix_seqpacket", None),
    ("unix_stream", None),
    ("vsock", None),
    ("vsock_dgram", None),
    ("vsock_stream", None),
    ("xdp", None),
];

impl Tables {
    /// Returns the protocols, in the order rows are sorted.
    pub fn protocols(&self) -> &[Protocol] {
        &self.0
    }
}

impl FromStr for Tables {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let mut wanted: Vec<Protocol> = Vec::new();
        for (position, word) in list.split(',').enumerate() {
            if let Some(excluded) = word.strip_prefix('!') {
                // As ss: a list that starts with an exclusion starts from everything.
                if position == 0 {
                    wanted = Protocol::ALL.to_vec();
                }
                let excluded = parse_word(excluded)?;
                wanted.retain(|protocol| !excluded.contains(protocol));
            } else {
                wanted.extend(parse_word(word)?);
            }
        }
        let chosen: Vec<Protocol> =
            Protocol::ALL.into_iter().filter(|protocol| wanted.contains(protocol)).collect();
        if chosen.is_empty() { Err("nothing is left to list".to_owned()) } else { Ok(Self(chosen)) }
    }
}

fn parse_word(word: &str) -> Result<&'static [Protocol], String> {
    match WORDS.iter().find(|(name, _)| *name == word) {
        Some((_, Some(protocols))) => Ok(protocols),
        Some((name, None)) => Err(format!("sockscope does not list {name} sockets; {}", listed())),
        None => Err(format!("no table is called '{word}'; {}", listed())),
    }
}

fn listed() -> String {
    let names: Vec<&str> =
        WORDS.iter().filter(|(_, listed)| listed.is_some()).map(|(name, _)| *name).collect();
    format!("it lists {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocols(list: &str) -> Vec<Protocol> {
        list.parse::<Tables>().unwrap().0
    }

    #[test]
    fn inet_is_every_internet_protocol() {
        let inet = [Protocol::Tcp, Protocol::Udp, Protocol::Udplite, Protocol::Raw];
        assert_eq!(protocols("inet"), inet);
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        assert_eq!(protocols("udp,tcp,udp"), protocols("tcp,udp"));
    }

    #[test]
    fn an_exclusion_alone_excludes_from_everything() {
        assert_eq!(protocols("!unix"), protocols("inet"));
        assert_eq!(protocols("inet,!tcp,!raw"), protocols("udp,udplite"));
    }

    #[test]
    fn a_table_of_ss_that_we_lack_is_not_taken_for_a_typing_error() {
        let error = "packet".parse::<Tables>().unwrap_err();
        assert!(error.starts_with("sockscope does not list packet sockets"), "{error}");
    }

    #[test]
    fn an_unknown_table_is_answered_with_the_list() {
        let error = "tpc".parse::<Tables>().unwrap_err();
        assert_eq!(
            error,
            "no table is called 'tpc'; it lists all, inet, tcp, udp, udplite, raw, unix"
        );
    }

    #[test]
    fn excluding_everything_is_refused() {
        "tcp,!tcp".parse::<Tables>().unwrap_err();
    }
}
