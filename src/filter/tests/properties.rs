//! What holds for every filter.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::expression::{
    End, Expression, Named, Network, NumberKey, OwnerKind, Ranges, Side, StateSet, Test, TextKey,
    state_of,
};
use super::super::glob::Glob;
use super::super::host::interface;
use super::super::number::Unit;
use super::super::token::Word;
use super::super::word::vocabulary;
use super::{Known, rows::rows};
use crate::filter::{Filter, NoNames};
use crate::platform::{PortWish, Request};
use crate::process::{HiddenReason, Ownership, Via};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Family, Interface, Protocol, Socket, SocketId, SocketType};
use crate::state::TcpState;

fn protocols() -> impl Strategy<Value = Protocol> {
    select(&Protocol::ALL)
}

fn families() -> impl Strategy<Value = Family> {
    select(&Family::ALL)
}

fn states() -> impl Strategy<Value = TcpState> {
    select(TcpState::all().chain([TcpState::Other(42)]).collect::<Vec<_>>())
}

/// Few enough addresses and ports that filters and rows often meet.
fn addresses() -> impl Strategy<Value = IpAddr> {
    let few = &["127.0.0.1", "10.1.2.3", "::1", "fe80::1", "::ffff:10.1.2.3", "0.0.0.0"];
    prop_oneof![select(few).prop_map(|text| text.parse().unwrap()), any::<IpAddr>()]
}

fn ports() -> impl Strategy<Value = u16> {
    prop_oneof![select(&[22u16, 80, 443, 3000]), 1u16..]
}

fn ranges(number: impl Strategy<Value = u64>) -> impl Strategy<Value = Ranges> {
    let range = proptest::collection::vec(number, 2)
        .prop_map(|pair| pair[0].min(pair[1])..=pair[0].max(pair[1]));
    proptest::collection::vec(range, 1..4).prop_map(Ranges::new)
}

fn port_ranges() -> impl Strategy<Value = Ranges> {
    prop_oneof![
        ports().prop_map(|port| Ranges::new([port.into()..=port.into()])),
        ranges(ports().prop_map(u64::from)),
    ]
}

fn globs() -> impl Strategy<Value = Glob> {
    let literal = prop_oneof!["[a-z]{1,4}", ".{0,4}", select(vocabulary().collect::<Vec<_>>())];
    let piece = (literal, select(&["", "", "*", "?", "[a-c]", "[!x]"]));
    let text =
        |(literal, wild): (String, &str)| format!("{}{wild}", Glob::exact(&literal).source());
    proptest::collection::vec(piece.prop_map(text), 0..3)
        .prop_map(|pieces| Glob::new(pieces.concat()))
}

fn networks() -> impl Strategy<Value = Network> {
    (addresses(), 0u8..=128, proptest::option::of("[a-z0-9.]{1,5}")).prop_map(
        |(address, length, zone)| {
            let address = address.to_canonical();
            let length = if address.is_ipv4() { length % 33 } else { length };
            let addresses = IpNet::new(address, length).unwrap().trunc();
            let zone = zone.filter(|_| address.is_ipv6());
            Network { addresses, zone: zone.map(|zone| interface(Glob::exact(&zone), &NoNames)) }
        },
    )
}

fn ends() -> impl Strategy<Value = Test> {
    let end = prop_oneof![
        port_ranges().prop_map(End::Port),
        (networks(), proptest::option::of(port_ranges()))
            .prop_map(|(network, ports)| End::Host(network, ports)),
        globs().prop_map(End::Unix),
    ];
    (select(&[Side::Local, Side::Peer, Side::Either]), end)
        .prop_map(|(side, end)| Test::End(side, end))
}

fn numbers() -> impl Strategy<Value = Test> {
    use NumberKey::{
        Age, Backlog, Cookie, Drops, Fd, Inode, Netns, Pid, Ppid, RecvQ, Retrans, SendQ, Uid,
    };
    select(&[Pid, Ppid, Fd, Age, Uid, Inode, Cookie, Netns, RecvQ, SendQ, Backlog, Retrans, Drops])
        .prop_flat_map(|key| {
            let number = prop_oneof![0..=key.max(), Just(0), Just(key.max()), 0u64..100];
            ranges(number).prop_map(move |ranges| Test::Number(key, ranges))
        })
}

fn is_no_range(glob: &Glob) -> bool {
    let word = glob.literal().map(|text| Word::plain(&text, 0));
    word.is_none_or(|word| Unit::of(NumberKey::Netns).range(&word).is_err())
}

fn tests() -> impl Strategy<Value = Test> {
    let is_number = |glob: &Glob| glob.literal().is_some_and(|name| name.parse::<u32>().is_ok());
    let user = globs().prop_filter("a number is a uid", move |glob| !is_number(glob));
    prop_oneof![
        protocols().prop_map(Test::Protocol),
        families().prop_map(Test::Family),
        select(&SocketType::ALL).prop_map(Test::Type),
        proptest::collection::vec(states(), 0..13)
            .prop_map(|list| Test::State(StateSet::from_iter(list))),
        Just(Test::Server),
        ends(),
        ends(),
        numbers(),
        user.prop_map(|name| Test::User(Named { name, number: None })),
        globs().prop_map(Test::Command),
        (select(&TextKey::ALL), globs()).prop_map(|(key, glob)| Test::Text(key, glob)),
        globs().prop_filter("a number is an inode", is_no_range).prop_map(Test::Netns),
        globs().prop_map(|name| Test::Device(interface(name, &NoNames))),
        select(&OwnerKind::ALL).prop_map(Test::Owner),
        select(&Via::ALL).prop_map(Test::Via),
    ]
}

fn filters() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![9 => tests().prop_map(Expression::from), 1 => Just(Expression::All)];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        let list = || proptest::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            list().prop_map(Expression::all),
            list().prop_map(Expression::any),
            inner.clone().prop_map(Expression::negate),
        ]
    });
    tree.prop_map(Filter)
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    let scope = proptest::option::of(select(&["eth0", "lo"]));
    (addresses(), prop_oneof![Just(0), ports()], scope).prop_map(|(address, port, scope)| {
        Endpoint::Inet {
            address,
            port,
            scope: scope.map(|name| Box::new(Interface { index: 2, name: Some(name.into()) })),
        }
    })
}

fn entries() -> impl Strategy<Value = Entry> {
    let unix =
        proptest::option::of(select(&["/run/x", "a"]).prop_map(|name| Endpoint::Path(name.into())));
    let ends = (proptest::option::of(endpoints()), proptest::option::of(endpoints()), unix);
    let made = (protocols(), families(), proptest::option::of(states()), ends).prop_map(
        |(protocol, family, state, (local, peer, unix))| {
            let mut socket = Socket::new(SocketId(1), protocol, family);
            socket.state = state;
            (socket.local, socket.peer) = match family {
                Family::Inet | Family::Inet6 => (local, peer),
                Family::Unix => (unix, None),
                Family::Packet | Family::Netlink | Family::Vsock | Family::Xdp | Family::Other => {
                    (None, None)
                }
            };
            Entry {
                socket,
                ownership: Ownership::Hidden(HiddenReason::NotAsked),
                user: None,
                netns_name: None,
                peer_owners: crate::rare::Rare::default(),
            }
        },
    );
    prop_oneof![3 => made, 1 => select(rows()).prop_map(|(_, entry)| entry)]
}

/// A filter that accepts the row: the given one, or else its negation.
fn accepting(filter: Filter, entry: &Entry) -> Filter {
    if filter.matches(entry) { filter } else { !filter }
}

fn everything() -> Request {
    Request {
        protocols: Protocol::ALL.to_vec(),
        families: Family::ALL.to_vec(),
        ..Request::default()
    }
}

/// Whether a backend that does exactly what it is asked reads this socket.
fn admits(request: &Request, socket: &Socket) -> bool {
    let port = |end: &Option<Endpoint>| end.as_ref().and_then(Endpoint::port).unwrap_or(0);
    let (local, peer) = (port(&socket.local), port(&socket.peer));
    request.protocols.contains(&socket.protocol)
        && request.families.contains(&socket.family)
        && request.states.as_ref().is_none_or(|states| states.contains(&state_of(socket)))
        && request.ports.as_ref().is_none_or(|wish| match wish {
            PortWish::Local(range) => range.contains(&local),
            PortWish::Peer(range) => range.contains(&peer),
            PortWish::Either(range) => range.contains(&local) || range.contains(&peer),
        })
}

fn soup() -> impl Strategy<Value = String> {
    let signs = &[
        "(",
        ")",
        "!",
        "&",
        "||",
        "=",
        "!=",
        "<",
        ">=",
        ",",
        ":",
        "*",
        "\"",
        "'",
        "\\",
        "80",
        "443-500",
        ":80",
        "10.0.0.0/8",
        "[::1]:80",
        "fe80::1%lo",
        "/run/*",
        "localhost:80",
        "root",
        "nginx*",
        "state",
        "exclude",
        "listen",
        "port",
        "src",
        "tcp:80,443",
        "pid:7",
    ];
    let word = prop_oneof![
        select(vocabulary().collect::<Vec<_>>()),
        select(signs).prop_map(str::to_owned),
        select(signs).prop_map(str::to_owned),
    ];
    let spaced = (word, select(&[" ", " ", " ", ""])).prop_map(|(word, space)| word + space);
    proptest::collection::vec(spaced, 0..9).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_written_parses_back(filter in filters()) {
        let text = filter.to_string();
        let parsed = Filter::parse(&text, &NoNames);
        prop_assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
        prop_assert_eq!(parsed.unwrap(), filter, "{}", text);
    }

    #[test]
    fn what_is_parsed_is_written_and_parses_back(text in soup()) {
        if let Ok(filter) = Filter::parse(&text, &Known) {
            prop_assert_eq!(Filter::parse(&filter.to_string(), &Known).unwrap(), filter);
        }
    }

    #[test]
    fn a_narrowed_request_reads_every_row_wanted(filter in filters(), entry in entries()) {
        let filter = accepting(filter, &entry);
        let mut request = everything();
        filter.narrow(&mut request);
        prop_assert!(admits(&request, &entry.socket), "{} {:?}", filter, request);
    }

    #[test]
    fn narrowing_never_asks_for_more(
        filter in filters(),
        protocols in subsequence(&Protocol::ALL, 0..=5),
        families in subsequence(&Family::ALL, 0..=3),
        states in proptest::option::of(subsequence(TcpState::all().collect::<Vec<_>>(), 0..=12)),
        entry in entries(),
    ) {
        let mut request = everything();
        (request.protocols, request.families, request.states) = (protocols, families, states);
        let before = request.clone();
        filter.narrow(&mut request);
        prop_assert!(!admits(&request, &entry.socket) || admits(&before, &entry.socket));
    }

    #[test]
    fn and_or_and_not_are_those_of_logic(one in filters(), two in filters(), entry in entries()) {
        let (first, second) = (one.matches(&entry), two.matches(&entry));
        prop_assert_eq!(one.clone().and(two.clone()).matches(&entry), first && second);
        prop_assert_eq!(one.clone().or(two).matches(&entry), first || second);
        prop_assert_eq!((!one).matches(&entry), !first);
    }
}

/// What is pushed down, as far as it goes: the properties above hold for a `narrow` that does nothing.
#[test]
fn the_kernel_is_asked_for_less() {
    let narrowed = |text: &str| {
        let mut request = Request::default();
        Filter::parse(text, &NoNames).unwrap().narrow(&mut request);
        request
    };
    let request = narrowed("tcp and listen and port 3000-3999 and not user root");
    assert_eq!(request.protocols, [Protocol::Tcp]);
    assert_eq!(request.states, Some(vec![TcpState::Listen]));
    assert_eq!(request.ports, Some(PortWish::Either(3000..=3999)));

    assert_eq!(narrowed("inet6 or udp4").families, [Family::Inet, Family::Inet6]);
    assert_eq!(narrowed("not inet").families, [Family::Inet6]);
    assert_eq!(narrowed("not (tcp or not inet)").protocols, [Protocol::Udp, Protocol::Udplite]);
    assert_eq!(narrowed("sport 80 or sport 443").ports, Some(PortWish::Local(80..=443)));
    assert_eq!(narrowed("sport 80 or dport 80").ports, Some(PortWish::Either(80..=80)));
    assert_eq!(narrowed("dport 80 and port 1-9").ports, Some(PortWish::Peer(80..=80)));
    assert_eq!(narrowed("server").states, Some(vec![TcpState::Listen, TcpState::Closed]));
    assert_eq!(narrowed("port 80 or pid 5").ports, None);
    assert_eq!(narrowed("not port 80").ports, None);
    assert_eq!(narrowed("tcp and udp").protocols, []);
    assert_eq!(narrowed("all"), Request::default());
}

#[test]
fn details_of_processes_are_asked_for_by_who_tests_them() {
    let details = |text: &str| {
        let mut request = Request::default();
        Filter::parse(text, &NoNames).unwrap().widen(&mut request);
        request.process_details
    };
    for text in ["unit nginx", "tcp and not container docker", "udp or exe x", "cwd /", "cgroup /"]
    {
        assert!(details(text), "{text}");
    }
    assert!(!details("command nginx and age > 1h"));
}

#[test]
fn a_protocol_named_is_asked_for() {
    let widened = |text: &str| {
        let mut request = Request::default();
        Filter::parse(text, &NoNames).unwrap().widen(&mut request);
        request
    };
    let unix = widened("unix or tcp");
    assert!(unix.protocols.contains(&Protocol::Unix) && unix.families.contains(&Family::Unix));
    assert!(widened("raw").protocols.contains(&Protocol::Raw));
    assert!(widened("/run/*").families.contains(&Family::Unix));
    assert_eq!(widened("not unix and tcp"), Request::default());
}
