//! ss's names for tables of sockets, the argument of `-A`.

use std::str::FromStr;

use crate::filter::Filter;
use crate::socket::{Protocol, SocketType};

/// The tables that `-A LIST` names (`ss(8)`, `--query`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables(Vec<Table>);

/// The smallest part there is a name for: a protocol, or its sockets of one type.
type Table = (Protocol, Option<SocketType>);

/// Every table, in the order rows are sorted.
const TABLES: &[Table] = &[
    (Protocol::Tcp, None),
    (Protocol::Mptcp, None),
    (Protocol::Udp, None),
    (Protocol::Udplite, None),
    (Protocol::Sctp, None),
    (Protocol::Icmp, None),
    (Protocol::Raw, None),
    UNIX_STREAM,
    UNIX_DGRAM,
    UNIX_SEQPACKET,
    PACKET_RAW,
    PACKET_DGRAM,
    (Protocol::Netlink, None),
    VSOCK_STREAM,
    VSOCK_DGRAM,
    VSOCK_SEQPACKET,
    (Protocol::Xdp, None),
    (Protocol::Other, None),
];

const UNIX_STREAM: Table = (Protocol::Unix, Some(SocketType::Stream));
const UNIX_DGRAM: Table = (Protocol::Unix, Some(SocketType::Dgram));
const UNIX_SEQPACKET: Table = (Protocol::Unix, Some(SocketType::Seqpacket));

const PACKET_RAW: Table = (Protocol::Packet, Some(SocketType::Raw));
const PACKET_DGRAM: Table = (Protocol::Packet, Some(SocketType::Dgram));

const VSOCK_STREAM: Table = (Protocol::Vsock, Some(SocketType::Stream));
const VSOCK_DGRAM: Table = (Protocol::Vsock, Some(SocketType::Dgram));
const VSOCK_SEQPACKET: Table = (Protocol::Vsock, Some(SocketType::Seqpacket));

/// What a word of ss's stands for.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    Everything,
    Protocols(&'static [Protocol]),
    One(Table),
    /// We list no such sockets.
    Unlisted,
}

/// Each of ss's words.
const WORDS: &[(&str, Meaning)] = &[
    ("all", Meaning::Everything),
    (
        "inet",
        Meaning::Protocols(&[
            Protocol::Tcp,
            Protocol::Mptcp,
            Protocol::Udp,
            Protocol::Udplite,
            Protocol::Sctp,
            Protocol::Raw,
        ]),
    ),
    ("tcp", Meaning::Protocols(&[Protocol::Tcp])),
    ("mptcp", Meaning::Protocols(&[Protocol::Mptcp])),
    ("sctp", Meaning::Protocols(&[Protocol::Sctp])),
    ("icmp", Meaning::Protocols(&[Protocol::Icmp])),
    ("udp", Meaning::Protocols(&[Protocol::Udp])),
    ("udplite", Meaning::Protocols(&[Protocol::Udplite])),
    ("raw", Meaning::Protocols(&[Protocol::Raw])),
    ("unix", Meaning::Protocols(&[Protocol::Unix])),
    ("unix_stream", Meaning::One(UNIX_STREAM)),
    ("u_str", Meaning::One(UNIX_STREAM)),
    ("unix_dgram", Meaning::One(UNIX_DGRAM)),
    ("u_dgr", Meaning::One(UNIX_DGRAM)),
    ("unix_seqpacket", Meaning::One(UNIX_SEQPACKET)),
    ("u_seq", Meaning::One(UNIX_SEQPACKET)),
    ("packet", Meaning::Protocols(&[Protocol::Packet])),
    ("packet_raw", Meaning::One(PACKET_RAW)),
    ("p_raw", Meaning::One(PACKET_RAW)),
    ("packet_dgram", Meaning::One(PACKET_DGRAM)),
    ("p_dgr", Meaning::One(PACKET_DGRAM)),
    ("netlink", Meaning::Protocols(&[Protocol::Netlink])),
    ("dccp", Meaning::Unlisted),
    ("tipc", Meaning::Unlisted),
    ("vsock", Meaning::Protocols(&[Protocol::Vsock])),
    ("vsock_stream", Meaning::One(VSOCK_STREAM)),
    ("v_str", Meaning::One(VSOCK_STREAM)),
    ("vsock_dgram", Meaning::One(VSOCK_DGRAM)),
    ("v_dgr", Meaning::One(VSOCK_DGRAM)),
    ("xdp", Meaning::Protocols(&[Protocol::Xdp])),
    ("other", Meaning::Protocols(&[Protocol::Other])),
];

impl Tables {
    /// Returns the filter that accepts the sockets of these tables: of each protocol all, or those
    /// of some types.
    pub fn filters(&self) -> impl Iterator<Item = Filter> {
        Protocol::ALL.into_iter().filter_map(|protocol| {
            let of = |tables: &[Table]| {
                let mut tables = tables.to_vec();
                tables.retain(|(of, _)| *of == protocol);
                tables
            };
            let wanted = of(&self.0);
            let all = wanted == of(TABLES);
            let types = wanted.iter().filter(|_| !all).filter_map(|(_, socket_type)| *socket_type);
            let types: Vec<Filter> = types.map(Filter::socket_type).collect();
            let some_types = if all { Filter::everything() } else { Filter::any(types) };
            (!wanted.is_empty()).then(|| Filter::protocol(protocol).and(some_types))
        })
    }
}

impl FromStr for Tables {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let mut wanted: Vec<Table> = Vec::new();
        for (position, word) in list.split(',').enumerate() {
            if let Some(excluded) = word.strip_prefix('!') {
                // As ss: a list that starts with an exclusion starts from everything.
                if position == 0 {
                    wanted = TABLES.to_vec();
                }
                let excluded = parse_word(excluded)?;
                wanted.retain(|table| !excluded.contains(table));
            } else {
                wanted.extend(parse_word(word)?);
            }
        }
        let chosen: Vec<Table> =
            TABLES.iter().copied().filter(|table| wanted.contains(table)).collect();
        if chosen.is_empty() { Err("nothing is left to list".to_owned()) } else { Ok(Self(chosen)) }
    }
}

fn parse_word(word: &str) -> Result<Vec<Table>, String> {
    let tables = |wanted: &dyn Fn(&Table) -> bool| {
        Ok(TABLES.iter().copied().filter(|table| wanted(table)).collect())
    };
    match WORDS.iter().find(|(name, _)| *name == word) {
        Some((_, Meaning::Everything)) => tables(&|_| true),
        Some((_, Meaning::Protocols(protocols))) => tables(&|(of, _)| protocols.contains(of)),
        Some((_, Meaning::One(one))) => tables(&|table| table == one),
        Some((name, Meaning::Unlisted)) => {
            Err(format!("sockscope does not list {name} sockets; {}", listed()))
        }
        None => Err(format!("no table is called '{word}'; {}", listed())),
    }
}

fn listed() -> String {
    let names: Vec<&str> = WORDS
        .iter()
        .filter(|(_, meaning)| !matches!(meaning, Meaning::Unlisted))
        .map(|(name, _)| *name)
        .collect();
    format!("it lists {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(list: &str) -> String {
        Filter::any(list.parse::<Tables>().unwrap().filters()).to_string()
    }

    #[test]
    fn inet_is_every_internet_protocol() {
        assert_eq!(filter("inet"), "tcp or mptcp or udp or udplite or sctp or raw");
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        assert_eq!(filter("udp,tcp,udp"), filter("tcp,udp"));
        assert_eq!(filter("u_dgr,unix_stream,u_seq"), "unix");
    }

    #[test]
    fn a_table_may_be_of_one_type() {
        assert_eq!(filter("u_str"), "unix and type stream");
        assert_eq!(filter("tcp,!u_str,u_seq"), "tcp or unix and type seqpacket");
    }

    #[test]
    fn an_exclusion_alone_excludes_from_everything() {
        assert_eq!(filter("!unix"), filter("inet,icmp,packet,netlink,vsock,xdp,other"));
        assert_eq!(filter("inet,!tcp,!raw"), "mptcp or udp or udplite or sctp");
        assert_eq!(
            filter("!inet,!icmp,!unix_stream,!packet,!netlink,!vsock,!xdp,!other"),
            "unix and (type dgram or type seqpacket)"
        );
    }

    #[test]
    fn a_table_of_ss_that_we_lack_is_not_taken_for_a_typing_error() {
        let error = "tipc".parse::<Tables>().unwrap_err();
        assert!(error.starts_with("sockscope does not list tipc sockets"), "{error}");
    }

    #[test]
    fn an_unknown_table_is_answered_with_the_list() {
        let error = "tpc".parse::<Tables>().unwrap_err();
        assert!(error.starts_with("no table is called 'tpc'; it lists all, inet, tcp"), "{error}");
    }

    #[test]
    fn excluding_everything_is_refused() {
        "tcp,!tcp".parse::<Tables>().unwrap_err();
    }
}
