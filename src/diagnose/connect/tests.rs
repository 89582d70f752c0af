use std::sync::Arc;
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::diagnose::{Action, LocalAddress};
use crate::process::{HiddenReason, Owner, Ownership, Process, Via};
use crate::snapshot::Timestamp;
use crate::socket::{Family, Queues, Socket, SocketId};
use crate::state::TcpState;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn owned(mut entry: Entry, pid: u32, command: &str) -> Entry {
    let process = Process { command: Some(command.into()), ..Process::new(Pid(pid)) };
    let owner = Owner { process: Arc::new(process), tid: None, fd: None, via: Via::Fd };
    entry.ownership = Ownership::Held(vec![owner].into());
    entry
}

/// A TCP socket in this state, held by a process of its number.
fn tcp(id: u32, state: TcpState, local: &str) -> Entry {
    let local = at(local);
    let family = if local.is_ipv4() { Family::Inet } else { Family::Inet6 };
    let mut socket = Socket::new(SocketId(id.into()), Protocol::Tcp, family);
    socket.state = Some(state);
    socket.local = Some(local.into());
    socket.v6only = local.is_ipv6().then_some(false);
    if state == TcpState::Listen {
        socket.queues = Some(Queues::Backlog { pending: 0, limit: Some(128) });
    }
    let ownership = Ownership::Hidden(HiddenReason::NotAsked);
    let entry = Entry {
        socket,
        ownership,
        user: None,
        netns_name: None,
        peer_owners: crate::rare::Rare::default(),
    };
    owned(entry, id, &format!("server{id}"))
}

fn listener(id: u32, local: &str) -> Entry {
    tcp(id, TcpState::Listen, local)
}

fn with(entry: Entry, change: impl FnOnce(&mut Socket)) -> Entry {
    let mut entry = entry;
    change(&mut entry.socket);
    entry
}

/// A machine that has 192.0.2.1 beside loopback.
fn facts() -> ConnectFacts {
    let interface = Interface { index: 2, name: Some("eth0".into()) };
    let address = LocalAddress {
        address: at("192.0.2.1:0").ip(),
        prefix: 24,
        interface,
        is_tentative: false,
        is_duplicate: false,
    };
    let settings = BindFacts {
        addresses: Some(vec![address]),
        netns: Some(NetnsId(1)),
        ephemeral: Some(40_000..=40_003),
        ..BindFacts::default()
    };
    let source = Some(Ok(Ipv4Addr::LOCALHOST.into()));
    ConnectFacts { settings, source, ..ConnectFacts::default() }
}

fn request(to: &str) -> ConnectRequest {
    let to = at(to);
    let (address, port) = (to.ip(), to.port());
    ConnectRequest { protocol: Protocol::Tcp, address, scope: None, port }
}

fn snapshot(entries: Vec<Entry>) -> Snapshot {
    Snapshot {
        collected_at: Timestamp(SystemTime::UNIX_EPOCH),
        platform: "linux".to_owned(),
        current_netns: None,
        entries,
        unread: Vec::new(),
        notes: Vec::new(),
    }
}

fn ask(to: &str, entries: Vec<Entry>) -> ConnectDiagnosis {
    diagnose_connect(&snapshot(entries), &facts(), &request(to))
}

/// The reasons with the processes of their sockets, which have the same numbers.
fn reasons(diagnosis: &ConnectDiagnosis) -> Vec<(Reason, Vec<u64>)> {
    let ids = |cause: &Cause| cause.sockets.iter().map(|entry| entry.socket.id.0).collect();
    diagnosis.causes.iter().map(|cause| (cause.reason, ids(cause))).collect()
}

fn evidence(diagnosis: &ConnectDiagnosis) -> String {
    let evidence = diagnosis.causes.iter().flat_map(|cause| cause.evidence.clone());
    evidence.collect::<Vec<_>>().join("; ")
}

const REFUSED: Reach = Reach::Fails { errno: Errno::ECONNREFUSED };

#[test]
fn a_listener_answers_at_its_address_and_at_what_its_wildcard_covers() {
    for (local, to) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("0.0.0.0:80", "192.0.2.1:80"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("[::]:80", "[::1]:80"),
        ("[::]:80", "192.0.2.1:80"),
        ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
        ("127.0.0.1:80", "[::ffff:127.0.0.1]:80"),
    ] {
        let diagnosis = ask(to, vec![listener(1, local)]);
        assert_eq!(diagnosis.verdict, Reach::Connects, "{local} for {to}");
        assert_eq!(reasons(&diagnosis), [(Reason::Answers, vec![1])], "{local} for {to}");
    }
}

#[test]
fn a_listener_at_another_address_or_family_does_not_answer_and_is_named() {
    let v6only = with(listener(1, "[::]:80"), |socket| socket.v6only = Some(true));
    for (entry, to, why) in [
        (
            listener(1, "127.0.0.1:80"),
            "192.0.2.1:80",
            "it listens on 127.0.0.1, you ask for 192.0.2.1",
        ),
        (listener(1, "127.0.0.1:80"), "[::1]:80", "it listens on 127.0.0.1, you ask for ::1"),
        (listener(1, "0.0.0.0:80"), "[::1]:80", "0.0.0.0 takes no IPv6"),
        (v6only, "127.0.0.1:80", "IPV6_V6ONLY is set on it, so :: takes no IPv4"),
    ] {
        let diagnosis = ask(to, vec![entry]);
        assert_eq!(diagnosis.verdict, REFUSED, "{why}");
        assert_eq!(reasons(&diagnosis), [(Reason::OtherAddress, vec![1])], "{why}");
        assert_eq!(evidence(&diagnosis), why);
    }
}

#[test]
fn where_it_listens_is_said_as_an_address_that_can_be_connected_to() {
    let v6only = with(listener(1, "[::]:80"), |socket| socket.v6only = Some(true));
    let diagnosis = ask("127.0.0.1:80", vec![v6only]);
    let Action::Advice { command, .. } = &diagnosis.remedies[0].action else { panic!() };
    assert_eq!(command.as_deref(), Some("sockscope why --connect [::1]:80"));
}

#[test]
fn a_port_without_any_socket_is_nobodys() {
    let diagnosis = ask("127.0.0.1:80", vec![listener(1, "127.0.0.1:81")]);
    assert_eq!(
        (diagnosis.verdict, reasons(&diagnosis)),
        (REFUSED, vec![(Reason::NobodyListens, vec![])])
    );
}

#[test]
fn what_an_earlier_listener_left_is_said_and_does_not_answer() {
    let left = tcp(1, TcpState::TimeWait, "127.0.0.1:80");
    let diagnosis = ask("127.0.0.1:80", vec![left]);
    assert_eq!(reasons(&diagnosis), [(Reason::NobodyListens, vec![])]);
    assert_eq!(evidence(&diagnosis), "a connection of an earlier listener is left");
}

#[test]
fn a_socket_that_is_bound_without_listening_does_not_answer() {
    let diagnosis = ask("127.0.0.1:80", vec![tcp(1, TcpState::Bound, "0.0.0.0:80")]);
    assert_eq!(diagnosis.verdict, REFUSED);
    assert_eq!(reasons(&diagnosis), [(Reason::BoundOnly, vec![1])]);
}

#[test]
fn a_listener_of_another_namespace_does_not_answer_and_is_named() {
    let other = with(listener(1, "0.0.0.0:80"), |socket| socket.netns = Some(NetnsId(2)));
    let ours = with(listener(2, "127.0.0.1:80"), |socket| socket.netns = Some(NetnsId(1)));
    let diagnosis = ask("127.0.0.1:80", vec![other.clone()]);
    assert_eq!(diagnosis.verdict, REFUSED);
    let expected = [(Reason::NobodyListens, vec![]), (Reason::OtherNamespace, vec![1])];
    assert_eq!(reasons(&diagnosis), expected);
    let diagnosis = ask("127.0.0.1:80", vec![other, ours]);
    assert_eq!(reasons(&diagnosis), [(Reason::Answers, vec![2])]);
}

#[test]
fn a_device_decides_only_when_it_is_not_loopback() {
    let on = |index| {
        with(listener(1, "0.0.0.0:80"), |socket| {
            socket.rare.make_mut().interface = Some(Box::new(Interface { index, name: None }));
        })
    };
    assert_eq!(ask("127.0.0.1:80", vec![on(1)]).verdict, Reach::Connects);
    let diagnosis = ask("127.0.0.1:80", vec![on(2)]);
    assert_eq!(
        (diagnosis.verdict, reasons(&diagnosis)),
        (REFUSED, vec![(Reason::OtherDevice, vec![1])])
    );
}

#[test]
fn the_specific_address_answers_before_the_wildcard() {
    let both =
        || vec![listener(1, "0.0.0.0:80"), listener(2, "127.0.0.1:80"), listener(3, "[::]:80")];
    let expected = [(Reason::Answers, vec![2]), (Reason::LessSpecific, vec![1, 3])];
    assert_eq!(reasons(&ask("127.0.0.1:80", both())), expected);
    // Of two wildcards the one of the address's own family.
    let expected = [(Reason::Answers, vec![1]), (Reason::LessSpecific, vec![3])];
    assert_eq!(reasons(&ask("192.0.2.1:80", both())), expected);
    assert_eq!(reasons(&ask("[::1]:80", both())), [(Reason::Answers, vec![3])]);
}

#[test]
fn twins_are_all_named_and_different_programs_said() {
    let same = |id| owned(listener(id, "0.0.0.0:80"), id, "nginx");
    let diagnosis = ask("127.0.0.1:80", vec![same(1), same(2)]);
    assert_eq!(reasons(&diagnosis), [(Reason::Answers, vec![1, 2]), (Reason::Shared, vec![])]);
    assert_eq!(
        evidence(&diagnosis),
        "2 sockets of one program; each connection goes to one of them"
    );
    let diagnosis = ask("127.0.0.1:80", vec![same(1), listener(2, "0.0.0.0:80")]);
    let words = "of different programs: nginx, server2; each connection goes to one of them";
    assert_eq!(evidence(&diagnosis), words);
}

fn filled(id: u32, pending: u32) -> Entry {
    with(listener(id, "127.0.0.1:80"), |socket| {
        socket.queues = Some(Queues::Backlog { pending, limit: Some(2) });
    })
}

#[test]
fn a_full_queue_answers_nobody_and_an_almost_full_one_does() {
    let diagnosis = ask("127.0.0.1:80", vec![filled(1, 3)]);
    assert_eq!(
        (diagnosis.verdict, reasons(&diagnosis)),
        (Reach::Silent, vec![(Reason::BacklogFull, vec![1])])
    );
    assert_eq!(evidence(&diagnosis), "3 waiting, the limit is 2");
    assert_eq!(ask("127.0.0.1:80", vec![filled(1, 2)]).verdict, Reach::Connects);
    // Which of the twins the kernel takes depends on the port of our end.
    assert_eq!(ask("127.0.0.1:80", vec![filled(1, 3), filled(2, 0)]).verdict, Reach::Unknown);
}

#[test]
fn clients_that_wait_for_an_answer_are_counted() {
    let mut client = tcp(2, TcpState::SynSent, "127.0.0.1:40000");
    client.socket.peer = Some(at("127.0.0.1:80").into());
    let diagnosis = ask("127.0.0.1:80", vec![filled(1, 3), client]);
    assert!(evidence(&diagnosis).ends_with("another client waits for an answer (SYN_SENT)"));
}

#[test]
fn a_stopped_process_lets_connect_succeed_and_is_named() {
    let facts = ConnectFacts { stopped: [Pid(1)].into(), ..facts() };
    let snapshot = snapshot(vec![listener(1, "127.0.0.1:80")]);
    let diagnosis = diagnose_connect(&snapshot, &facts, &request("127.0.0.1:80"));
    assert_eq!(diagnosis.verdict, Reach::Connects);
    assert_eq!(reasons(&diagnosis), [(Reason::Answers, vec![1]), (Reason::Stopped, vec![1])]);
    assert_eq!(diagnosis.remedies[0].action, Action::Continue { pid: Pid(1) });
}

#[test]
fn without_a_way_nothing_else_counts() {
    let facts = ConnectFacts { source: Some(Err(Errno::ENETUNREACH)), ..facts() };
    let diagnosis = diagnose_connect(&snapshot(Vec::new()), &facts, &request("203.0.113.1:80"));
    assert_eq!(diagnosis.verdict, Reach::Fails { errno: Errno::ENETUNREACH });
    assert_eq!(reasons(&diagnosis), [(Reason::NoRoute, vec![])]);
}

#[test]
fn of_another_machine_nothing_is_predicted() {
    let diagnosis = ask("203.0.113.1:80", vec![listener(1, "0.0.0.0:80")]);
    assert_eq!(diagnosis.verdict, Reach::Unknown);
    assert_eq!(reasons(&diagnosis), [(Reason::OtherMachine, vec![])]);
    // Nor when it is not known whose address it is.
    let request = request("203.0.113.1:80");
    let diagnosis = diagnose_connect(&snapshot(Vec::new()), &ConnectFacts::default(), &request);
    assert_eq!((diagnosis.verdict, reasons(&diagnosis)), (Reach::Unknown, vec![]));
}

#[test]
fn source_ports_are_used_up_when_each_has_a_connection_there_or_is_bound() {
    let to = "127.0.0.1:80";
    let client = |id: u32, port: u16| {
        let mut client = tcp(id, TcpState::Established, &format!("127.0.0.1:{port}"));
        client.socket.peer = Some(at(to).into());
        client
    };
    let mut entries = vec![
        listener(1, to),
        client(2, 40_000),
        client(3, 40_001),
        client(4, 40_002),
        tcp(5, TcpState::Bound, "192.0.2.1:40003"),
    ];
    let diagnosis = ask(to, entries.clone());
    assert_eq!(diagnosis.verdict, Reach::Fails { errno: Errno::EADDRNOTAVAIL });
    assert_eq!(reasons(&diagnosis), [(Reason::NoSourcePort, vec![])]);
    entries.pop();
    assert_eq!(ask(to, entries).verdict, Reach::Connects);
}

fn attempted(to: &str, entries: Vec<Entry>, attempt: Attempt) -> ConnectDiagnosis {
    ask(to, entries).with_attempt(attempt, &facts())
}

const fn failed(errno: Errno) -> Attempt {
    Attempt::Failed { errno: Some(errno) }
}

#[test]
fn the_attempt_decides_and_what_it_shows_is_explained() {
    let to = "127.0.0.1:80";
    let connected = || Attempt::Connected { from: None };
    let silent = || Attempt::Silent { timeout: Duration::from_secs(2) };
    let is = |diagnosis: ConnectDiagnosis, verdict, reason| {
        assert_eq!((diagnosis.verdict, reasons(&diagnosis)), (verdict, vec![(reason, vec![])]));
    };
    is(attempted(to, vec![], connected()), Reach::Connects, Reason::Redirected);
    is(attempted(to, vec![], silent()), Reach::Silent, Reason::PacketFilter);
    is(attempted(to, vec![], failed(Errno::ECONNREFUSED)), REFUSED, Reason::NobodyListens);
    let errno = Errno::EHOSTUNREACH;
    is(attempted(to, vec![], failed(errno)), Reach::Fails { errno }, Reason::NoRoute);
    let errno = Errno::EADDRNOTAVAIL;
    is(attempted(to, vec![], failed(errno)), Reach::Fails { errno }, Reason::NoSourcePort);

    let agreed = attempted(to, vec![listener(1, to)], connected());
    assert_eq!(reasons(&agreed), [(Reason::Answers, vec![1])]);
    assert!(!agreed.is_contradicted());
    let dropped = attempted(to, vec![listener(1, to)], silent());
    let expected = [(Reason::Answers, vec![1]), (Reason::PacketFilter, vec![])];
    assert_eq!(reasons(&dropped), expected);
    assert!(dropped.is_contradicted());
}

#[test]
fn what_is_said_of_another_machine_is_only_what_it_answered() {
    let refused = attempted("203.0.113.1:80", vec![], failed(Errno::ECONNREFUSED));
    let expected = [
        (Reason::OtherMachine, vec![]),
        (Reason::NobodyListens, vec![]),
        (Reason::PacketFilter, vec![]),
    ];
    assert_eq!((refused.verdict, reasons(&refused)), (REFUSED, expected.into()));
}

#[test]
fn what_was_not_tried_changes_nothing() {
    let to = "127.0.0.1:80";
    let not_made = attempted(to, vec![], Attempt::NotMade { why: String::new() });
    assert_eq!((not_made.verdict, reasons(&not_made)), (REFUSED, reasons(&ask(to, vec![]))));
}

#[test]
fn a_datagram_is_received_by_an_unconnected_socket() {
    let mut socket = Socket::new(SocketId(1), Protocol::Udp, Family::Inet);
    socket.local = Some(at("0.0.0.0:53").into());
    let ownership = Ownership::Hidden(HiddenReason::NotAsked);
    let entry = Entry {
        socket,
        ownership,
        user: None,
        netns_name: None,
        peer_owners: crate::rare::Rare::default(),
    };
    let udp = ConnectRequest { protocol: Protocol::Udp, ..request("127.0.0.1:53") };
    let ask = |entry: &Entry| diagnose_connect(&snapshot(vec![entry.clone()]), &facts(), &udp);
    assert_eq!(reasons(&ask(&entry)), [(Reason::Answers, vec![1])]);
    let connected = with(entry, |socket| socket.peer = Some(at("127.0.0.1:9").into()));
    assert_eq!(ask(&connected).verdict, REFUSED);
}

proptest! {
    /// Somebody answers, or it is said why nobody does.
    #[test]
    fn every_refusal_has_a_reason(
        to: SocketAddr,
        locals in proptest::collection::vec((any::<SocketAddr>(), 0u32..4, any::<Option<bool>>()), 0..6),
    ) {
        let states = [TcpState::Listen, TcpState::Bound, TcpState::TimeWait, TcpState::Established];
        let entries = locals.into_iter().zip(1..).map(|((local, state, v6only), id)| {
            let local = SocketAddr::new(local.ip(), to.port());
            with(tcp(id, states[state as usize], &local.to_string()), |socket| socket.v6only = v6only)
        });
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port());
        let diagnosis = ask(&address.to_string(), entries.collect());
        prop_assert!(!diagnosis.causes.is_empty());
        let answered = diagnosis.causes.iter().any(|cause| cause.reason == Reason::Answers);
        prop_assert_eq!(answered, diagnosis.verdict == Reach::Connects);
    }
}
