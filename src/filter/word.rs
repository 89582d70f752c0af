//! The words of the language: one table for keys, one for words that stand alone, one for what `ss`
//! knows and we do not. docs/filter.md has every word here; a test sees to it.

use super::error::Fault;
use super::expression::{Expression, NumberKey, OwnerKind, Side, StateSet, Test, TextKey};
use super::token::{Compare, Word};
use crate::process::Via;
use crate::socket::{Family, Protocol, SocketType};
use crate::state::TcpState;

/// A word that wants a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Port(Side),
    Host(Side),
    Number(NumberKey),
    /// A cookie in hexadecimal, as `ss -e` prints it: `sk:1f`.
    HexCookie,
    User,
    Command,
    Text(TextKey),
    Netns,
    Device,
    Protocol,
    Family,
    Type,
    State,
    Exclude,
    Owner,
    Via,
}

/// Every key and its spellings, in the order they are documented.
pub(super) const KEYS: &[(Key, &[&str])] = &[
    (Key::Port(Side::Either), &["port"]),
    (Key::Port(Side::Local), &["sport", "lport"]),
    (Key::Port(Side::Peer), &["dport", "rport"]),
    (Key::Host(Side::Either), &["host", "addr", "address"]),
    (Key::Host(Side::Local), &["src", "local"]),
    (Key::Host(Side::Peer), &["dst", "peer", "remote"]),
    (Key::State, &["state"]),
    (Key::Exclude, &["exclude"]),
    (Key::Protocol, &["protocol", "proto"]),
    (Key::Family, &["family"]),
    (Key::Type, &["type"]),
    (Key::Number(NumberKey::Pid), &["pid"]),
    (Key::Number(NumberKey::Ppid), &["ppid"]),
    (Key::Command, &["command", "cmd", "comm"]),
    (Key::Text(TextKey::Exe), &["exe", "program"]),
    (Key::Text(TextKey::Cwd), &["cwd", "directory"]),
    (Key::Text(TextKey::Unit), &["unit", "service"]),
    (Key::Text(TextKey::Container), &["container"]),
    (Key::Text(TextKey::Cgroup), &["cgroup"]),
    (Key::Number(NumberKey::Age), &["age"]),
    (Key::User, &["user"]),
    (Key::Number(NumberKey::Uid), &["uid"]),
    (Key::Number(NumberKey::Fd), &["fd"]),
    (Key::Owner, &["owner", "ownership"]),
    (Key::Via, &["via"]),
    (Key::Number(NumberKey::Inode), &["inode", "ino"]),
    (Key::Number(NumberKey::PeerInode), &["peer_inode", "peer-inode"]),
    (Key::Number(NumberKey::Cookie), &["cookie"]),
    (Key::HexCookie, &["sk"]),
    (Key::Netns, &["netns"]),
    (Key::Device, &["dev", "device", "interface"]),
    (Key::Number(NumberKey::RecvQ), &["recvq", "recv-q"]),
    (Key::Number(NumberKey::SendQ), &["sendq", "send-q"]),
    (Key::Number(NumberKey::Backlog), &["backlog"]),
    (Key::Number(NumberKey::Retrans), &["retrans"]),
    (Key::Number(NumberKey::Drops), &["drops"]),
];

/// Every family's spellings.
pub(super) const FAMILIES: &[(Family, &[&str])] = &[
    (Family::Inet, &["inet", "ipv4", "ip4", "4"]),
    (Family::Inet6, &["inet6", "ipv6", "ip6", "6"]),
    (Family::Unix, &["unix"]),
    (Family::Packet, &["packet"]),
    (Family::Netlink, &["netlink"]),
    (Family::Vsock, &["vsock"]),
    (Family::Xdp, &["xdp"]),
    (Family::Other, &["other"]),
];

/// Every socket type's spellings.
pub(super) const TYPES: &[(SocketType, &[&str])] = &[
    (SocketType::Stream, &["stream"]),
    (SocketType::Dgram, &["dgram", "datagram"]),
    (SocketType::Seqpacket, &["seqpacket"]),
    (SocketType::Raw, &["raw"]),
];

/// The word for what `-l` lists: [`crate::socket::Socket::is_listening`].
pub(super) const SERVER: &str = "server";

/// The sets of states `ss(8)` has words for.
pub(super) const CLASSES: [&str; 5] = ["all", "connected", "synchronized", "bucket", "big"];

/// Operators written as words, beside the signs that the lexer knows.
pub(super) const COMPARE_WORDS: &[(&str, Compare)] = &[
    ("eq", Compare::Equal),
    ("ne", Compare::NotEqual),
    ("neq", Compare::NotEqual),
    ("lt", Compare::Less),
    ("le", Compare::LessOrEqual),
    ("leq", Compare::LessOrEqual),
    ("gt", Compare::Greater),
    ("ge", Compare::GreaterOrEqual),
    ("geq", Compare::GreaterOrEqual),
];

/// The words that join conditions.
pub(super) const JOINS: [&str; 3] = ["and", "or", "not"];

/// What `ss(8)` can ask for and sockscope cannot, with the reason.
pub(super) const UNSUPPORTED: &[(&str, &str)] = &[
    (
        "autobound",
        "sockscope does not know how a port was chosen; use a range such as port 32768-60999",
    ),
    ("fwmark", "sockscope does not read marks"),
    ("link", "sockscope calls these sockets packet"),
    ("tipc", "sockscope does not list TIPC sockets"),
    ("dccp", "sockscope does not list DCCP sockets"),
];

/// Returns the key with this spelling.
pub(super) fn key(word: &str) -> Option<Key> {
    find(KEYS, word)
}

/// Returns the family with this spelling.
pub(super) fn family(word: &str) -> Option<Family> {
    find(FAMILIES, word)
}

/// Returns the socket type with this spelling.
pub(super) fn socket_type(word: &str) -> Option<SocketType> {
    find(TYPES, word)
}

/// Returns the operator this word is.
pub(super) fn compare(word: &str) -> Option<Compare> {
    COMPARE_WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, op)| *op)
}

/// Returns the protocol this word names, or the protocol over one family: `tcp`, `udp6`.
pub(super) fn protocol(word: &str) -> Option<Expression> {
    let word = word.to_ascii_lowercase();
    let (name, family) = match (word.strip_suffix('4'), word.strip_suffix('6')) {
        (Some(name), _) => (name, Some(Family::Inet)),
        (_, Some(name)) => (name, Some(Family::Inet6)),
        (None, None) => (word.as_str(), None),
    };
    let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name)?;
    if family.is_some_and(|family| !protocol.families().contains(&family)) {
        return None;
    }
    let family = family.map(|family| Expression::from(Test::Family(family)));
    Some(Expression::all([Expression::from(Test::Protocol(protocol))].into_iter().chain(family)))
}

/// Returns the states this word names: one in any tool's spelling, or one of `ss`'s classes.
pub(super) fn states(word: &str) -> Option<StateSet> {
    use TcpState::{Bound, Closed, Listen, SynRecv, SynSent, TimeWait};
    let apart_from =
        |states: &[TcpState]| states.iter().copied().collect::<StateSet>().complement();
    // ss(8), STATE-FILTER. A socket that is only bound is `closed` to the kernel that dumps it.
    match word.to_ascii_lowercase().as_str() {
        "all" => Some(StateSet::ALL),
        "connected" => Some(apart_from(&[Listen, Closed, Bound])),
        "synchronized" => Some(apart_from(&[Listen, Closed, Bound, SynSent])),
        "bucket" => Some(apart_from(&[TimeWait, SynRecv]).complement()),
        "big" => Some(apart_from(&[TimeWait, SynRecv])),
        _ => TcpState::parse(word).map(StateSet::one),
    }
}

/// Returns the ownership with this name.
pub(super) fn owner(word: &str) -> Option<OwnerKind> {
    OwnerKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(word))
}

/// Returns the way an owner is found that has this name.
pub(super) fn via(word: &str) -> Option<Via> {
    Via::ALL.into_iter().find(|via| via.name().eq_ignore_ascii_case(word))
}

/// Returns the condition a word is when it stands alone.
pub(super) fn alone(word: &str) -> Option<Expression> {
    if word.eq_ignore_ascii_case(SERVER) {
        return Some(Expression::from(Test::Server));
    }
    protocol(word)
        .or_else(|| family(word).map(|family| Test::Family(family).into()))
        .or_else(|| states(word).map(|states| Test::State(states).into()))
        .or_else(|| owner(word).map(|kind| Test::Owner(kind).into()))
}

/// Returns true for a word that has to be quoted to be a value.
pub(super) fn is_reserved(word: &str) -> bool {
    JOINS.iter().any(|join| join.eq_ignore_ascii_case(word)) || compare(word).is_some()
}

/// Returns the error for a word that is neither a key nor a condition.
pub(super) fn unknown(word: &Word) -> Fault {
    let text = word.text.as_str();
    if let Some(fault) = unsupported(word) {
        return fault;
    }
    let message = format!(
        "'{}' is no condition; expected one such as tcp, listen, port 80",
        super::error::visible(text)
    );
    Fault::new(word.span.clone(), message).nearest(text, vocabulary())
}

/// Returns the error for something `ss` knows and we do not.
pub(super) fn unsupported(word: &Word) -> Option<Fault> {
    let (name, why) = UNSUPPORTED.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word.text))?;
    Some(Fault::new(word.span.clone(), format!("'{name}' is not supported: {why}")))
}

/// Returns every word of the language.
pub(super) fn vocabulary() -> impl Iterator<Item = String> {
    let keys = KEYS.iter().flat_map(|(_, words)| words.iter().copied());
    let own = |word: &'static str| word.to_owned();
    keys.chain(JOINS)
        .chain([SERVER])
        .chain(COMPARE_WORDS.iter().map(|(word, _)| *word))
        .chain(OwnerKind::ALL.map(OwnerKind::name))
        .map(own)
        .chain(protocols())
        .chain(families())
        .chain(state_words())
}

/// Returns every protocol's words.
pub(super) fn protocols() -> impl Iterator<Item = String> {
    Protocol::ALL.into_iter().flat_map(|protocol| {
        let name = protocol.name();
        [name.to_owned(), format!("{name}4"), format!("{name}6")]
            .into_iter()
            .filter(|word| self::protocol(word).is_some())
    })
}

/// Returns every family's words.
pub(super) fn families() -> impl Iterator<Item = String> {
    FAMILIES.iter().flat_map(|(_, words)| words.iter().map(|word| (*word).to_owned()))
}

/// Returns every socket type's words.
pub(super) fn socket_types() -> impl Iterator<Item = String> {
    TYPES.iter().flat_map(|(_, words)| words.iter().map(|word| (*word).to_owned()))
}

/// Returns every state's words, those of the classes too.
pub(super) fn state_words() -> impl Iterator<Item = String> {
    CLASSES.into_iter().chain(TcpState::spellings()).map(str::to_lowercase)
}

fn find<T: Copy>(table: &[(T, &[&str])], word: &str) -> Option<T> {
    table
        .iter()
        .find(|(_, words)| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
        .map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_has_two_meanings() {
        for (key, words) in KEYS {
            for word in *words {
                assert_eq!(alone(word), None, "{word}");
                assert!(!is_reserved(word) && super::key(word) == Some(*key), "{word}");
            }
        }
        for (word, _) in UNSUPPORTED {
            assert!(alone(word).is_none() && key(word).is_none(), "{word}");
        }
    }

    #[test]
    fn every_class_is_known() {
        for class in CLASSES {
            assert!(states(class).is_some() && TcpState::parse(class).is_none(), "{class}");
        }
    }

    #[test]
    fn every_number_is_a_key_by_its_name() {
        for (key, _) in KEYS {
            if let Key::Number(number) = key {
                assert_eq!(super::key(number.name()), Some(*key));
            }
        }
    }
}
