use std::net::SocketAddr;

use super::*;
use crate::join::join;
use crate::options::SocketOptions;
use crate::process::Uid;
use crate::snapshot::{Collected, Gap, Missing, Snapshot, Timestamp};
use crate::socket::{Cookie, Family, Interface, Protocol, Socket, SocketId};
use crate::state::TcpState;

const IN_USE: Verdict = Verdict::Fails { call: Call::Bind, errno: Errno::EADDRINUSE };

/// A holder, and its options when they are known.
#[derive(Clone)]
struct Holder {
    socket: Socket,
    options: Option<SocketOptions>,
}

fn holder(state: TcpState, local: &str) -> Holder {
    let local: SocketAddr = local.parse().unwrap();
    let family = if local.is_ipv4() { Family::Inet } else { Family::Inet6 };
    let mut socket = Socket::new(SocketId(1), Protocol::Tcp, family);
    socket.local = Some(local.into());
    socket.state = Some(state);
    socket.cookie = Some(Cookie(1));
    socket.uid = Some(Uid(1000));
    socket.v6only = (family == Family::Inet6).then_some(!local.ip().is_unspecified());
    Holder { socket, options: Some(SocketOptions::default()) }
}

impl Holder {
    fn v6only(mut self) -> Self {
        self.socket.v6only = Some(true);
        self
    }

    fn reuse(mut self, address: bool, port: bool) -> Self {
        self.options = Some(SocketOptions {
            reuse_address: Some(address),
            reuse_port: Some(port),
            ..SocketOptions::default()
        });
        self
    }

    fn unreadable(mut self) -> Self {
        self.options = None;
        self
    }
}

fn request(address: &str) -> BindRequest {
    let address: SocketAddr = address.parse().unwrap();
    BindRequest::plain(Target::Inet {
        protocol: Protocol::Tcp,
        address: address.ip(),
        scope: None,
        port: address.port(),
    })
}

/// What is known beside the sockets: who asks is user 1000.
fn facts() -> BindFacts {
    BindFacts {
        unprivileged_port_start: Some(0),
        bindv6only: Some(false),
        uid: Some(Uid(1000)),
        ..BindFacts::default()
    }
}

/// A snapshot of these.
fn seen(holders: &[Holder]) -> Snapshot {
    let now = Timestamp(std::time::SystemTime::UNIX_EPOCH);
    let mut collected = Collected::new(now, "linux", "linux");
    let numbered = (1..).zip(holders).map(|(number, holder)| Socket {
        id: SocketId(number),
        cookie: Some(Cookie(number)),
        ..holder.socket.clone()
    });
    collected.sockets.extend(numbered);
    join(collected)
}

fn asked(request: &BindRequest, holders: &[Holder]) -> Diagnosis {
    let mut facts = facts();
    for (number, holder) in (1..).zip(holders) {
        facts.options.extend(holder.options.map(|options| (Cookie(number), options)));
    }
    diagnose(&seen(holders), &facts, request)
}

#[test]
fn addresses_overlap_as_they_were_measured() {
    let places = ["127.0.0.1:80", "0.0.0.0:80", "[::1]:80", "[::]:80 only", "[::]:80"];
    let overlaps = [
        [true, true, false, false, true],
        [true, true, false, false, true],
        [false, false, true, true, true],
        [false, false, true, true, true],
        [true, true, true, true, true],
    ];
    for (held, row) in places.into_iter().zip(overlaps) {
        for (wanted, overlaps) in places.into_iter().zip(row) {
            let address = |text: &str| text.trim_end_matches(" only").to_owned();
            let mut holder = holder(TcpState::Listen, &address(held));
            let mut request = request(&address(wanted));
            if held.ends_with("only") {
                holder = holder.v6only();
            }
            request.v6only = Some(wanted.ends_with("only"));
            let verdict = asked(&request, &[holder]).verdict;
            assert_eq!(verdict == IN_USE, overlaps, "{held} is held, {wanted} is wanted");
        }
    }
}

#[test]
fn sockets_share_as_it_was_measured() {
    let verdict = |state, held: (bool, bool), wanted: (bool, bool)| {
        let holder = holder(state, "127.0.0.1:80").reuse(held.0, held.1);
        let mut request = request("127.0.0.1:80");
        (request.reuse_address, request.reuse_port) = wanted;
        asked(&request, &[holder]).verdict
    };
    let (plain, address, port) = ((false, false), (true, false), (false, true));
    for state in [TcpState::Listen, TcpState::Bound, TcpState::Established, TcpState::TimeWait] {
        for held in [plain, address, port] {
            for wanted in [plain, address, port] {
                let shares =
                    held == wanted && held != plain && (held == port || state != TcpState::Listen);
                let expected = if shares { Verdict::Shareable } else { IN_USE };
                assert_eq!(verdict(state, held, wanted), expected, "{state} {held:?} {wanted:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_unknown_only_where_it_matters() {
    let time_wait = holder(TcpState::TimeWait, "127.0.0.1:80").unreadable();
    let mut request = request("127.0.0.1:80");
    assert_eq!(asked(&request, std::slice::from_ref(&time_wait)).verdict, IN_USE);
    request.reuse_address = true;
    let diagnosis = asked(&request, &[time_wait]);
    assert_eq!(diagnosis.verdict, Verdict::Unknown);
    assert_eq!(diagnosis.causes[0].reason, Reason::TimeWait);
    assert_eq!(diagnosis.causes[0].certainty, Certainty::Possible);
    let settled =
        diagnosis.with_probe(Probe::Failed { call: Call::Bind, errno: Some(Errno::EADDRINUSE) });
    assert_eq!(settled.verdict, IN_USE);
    assert!(!settled.is_contradicted());
    assert_eq!(settled.causes[0].certainty, Certainty::Likely);
}

#[test]
fn where_bound_sockets_are_not_listed_one_may_have_the_port_and_the_kernel_is_no_liar() {
    let mut snapshot = seen(&[]);
    snapshot.unread.push(Gap::new(Missing::BoundSockets, "this kernel cannot list them"));
    let diagnosis = diagnose(&snapshot, &facts(), &request("127.0.0.1:80"));
    assert_eq!(
        (diagnosis.verdict, diagnosis.causes[0].reason),
        (Verdict::Unknown, Reason::BoundOnly)
    );
    let refused = Probe::Failed { call: Call::Bind, errno: Some(Errno::EADDRINUSE) };
    let found = diagnosis.clone().with_probe(refused);
    assert_eq!((found.verdict, found.causes[0].certainty), (IN_USE, Certainty::Likely));
    assert!(!found.is_contradicted());
    // A socket refuses with no other error.
    let refused = Probe::Failed { call: Call::Bind, errno: Some(Errno::EACCES) };
    let mut confined = facts();
    confined.confinement.no_new_privileges = Some(false);
    let found = diagnosis.clone().with_probe(refused).with_suspects(&confined);
    let reasons: Vec<Reason> = found.causes.iter().map(|cause| cause.reason).collect();
    assert_eq!(reasons, [Reason::Landlock]);
    let free = diagnosis.with_probe(Probe::Succeeded { listened: true });
    assert_eq!((free.verdict, free.causes.len()), (Verdict::Free, 0));
    // A listener is certain all the same, and a datagram socket is never without a row.
    let listener = seen(&[holder(TcpState::Listen, "127.0.0.1:80")]);
    let with_listener = Snapshot { unread: snapshot.unread.clone(), ..listener };
    let diagnosis = diagnose(&with_listener, &facts(), &request("127.0.0.1:80"));
    assert_eq!((diagnosis.verdict, diagnosis.causes[0].certainty), (IN_USE, Certainty::Certain));
}

#[test]
fn where_no_rules_are_known_nothing_is_certain_but_that_nobody_is_there() {
    let listener = holder(TcpState::Listen, "127.0.0.1:80");
    let mut snapshot = seen(&[listener]);
    snapshot.platform = "openbsd".to_owned();
    let asked = |address| diagnose(&snapshot, &facts(), &request(address));
    let diagnosis = asked("127.0.0.1:80");
    assert_eq!(diagnosis.verdict, Verdict::Unknown);
    assert_eq!(diagnosis.causes[0].certainty, Certainty::Likely);
    assert_eq!(asked("127.0.0.2:80").verdict, Verdict::Free);
}

#[test]
fn whoever_left_between_the_look_and_the_probe_is_named() {
    let address = request("127.0.0.1:80");
    let before = asked(&address, &[holder(TcpState::Listen, "127.0.0.1:80")]);
    let mut now = asked(&address, &[]).with_probe(Probe::Succeeded { listened: true });
    now.add_gone(&before);
    assert_eq!((now.verdict, now.causes.len()), (Verdict::Free, 1));
    assert_eq!((now.causes[0].reason, now.causes[0].sockets.len()), (Reason::Gone, 1));
}

#[test]
fn what_the_kernel_remembers_of_a_twin_on_another_device_may_let_one_in() {
    let mut twin = holder(TcpState::Listen, "127.0.0.1:80").reuse(false, true);
    twin.socket.rare.make_mut().interface = Some(Box::new(Interface { index: 2, name: None }));
    let mut plain = holder(TcpState::Bound, "127.0.0.1:80").reuse(false, false);
    plain.socket.rare.make_mut().interface = Some(Box::new(Interface { index: 3, name: None }));
    let mut request = request("127.0.0.1:80");
    request.device = plain.socket.rare.interface.as_deref().cloned();
    assert_eq!(asked(&request, &[twin.clone(), plain.clone()]).verdict, IN_USE);
    request.reuse_port = true;
    assert_eq!(asked(&request, &[plain.clone()]).verdict, IN_USE);
    assert_eq!(asked(&request, &[twin, plain]).verdict, Verdict::Unknown);
}

#[test]
fn another_user_does_not_share() {
    let mut listener = holder(TcpState::Listen, "127.0.0.1:80").reuse(false, true);
    let mut request = request("127.0.0.1:80");
    request.reuse_port = true;
    assert_eq!(asked(&request, &[listener.clone()]).verdict, Verdict::Shareable);
    listener.socket.uid = Some(Uid(0));
    let diagnosis = asked(&request, &[listener]);
    assert_eq!(diagnosis.verdict, IN_USE);
    assert_eq!(diagnosis.causes[0].evidence[0], "it belongs to user 0, not to user 1000");
}

#[test]
fn a_half_open_connection_holds_no_port_of_its_own() {
    assert_eq!(
        asked(&request("127.0.0.1:80"), &[holder(TcpState::SynRecv, "127.0.0.1:80")]).verdict,
        Verdict::Free
    );
}

#[test]
fn a_kernel_that_differs_is_noticed() {
    let diagnosis = asked(&request("127.0.0.1:80"), &[holder(TcpState::Listen, "0.0.0.0:80")]);
    let diagnosis = diagnosis.with_probe(Probe::Succeeded { listened: true });
    assert!(diagnosis.is_contradicted());
    assert_eq!(diagnosis.prediction, IN_USE);
}
