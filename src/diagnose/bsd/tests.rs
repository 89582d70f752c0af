//! What `why` says of snapshots of macOS and FreeBSD, made by hand.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::cgroup::Cgroup;
use crate::diagnose::fixture::{entry, listener, owner};
use crate::diagnose::{
    Action, BindRequest, Call, Diagnosis, Errno, Harm, Target, Verdict, diagnose, undecided,
};
use crate::kernel::KernelReason;
use crate::process::{Ownership, Uid};
use crate::snapshot::{Collected, Snapshot, Timestamp};
use crate::socket::{Family, Protocol, SocketId};
use crate::state::TcpState;

const IN_USE: Verdict = Verdict::Fails { call: Call::Bind, errno: Errno::EADDRINUSE };

/// A process as these systems tell of it: without the short name that only Linux has.
fn program(pid: u32, name: &str) -> Owner {
    let mut owner = owner(pid, &[], "/");
    let process = Arc::make_mut(&mut owner.process);
    (process.command, process.cgroup) = (Some(Text::from(name)), None);
    owner
}

fn jailed(pid: u32, name: &str, jail: u32) -> Owner {
    let mut owner = program(pid, name);
    Arc::make_mut(&mut owner.process).cgroup = Some(Cgroup::of_jail(jail));
    owner
}

/// A listener at this address, of user 501.
fn held(local: &str, owners: Vec<Owner>) -> Entry {
    let local: std::net::SocketAddr = local.parse().unwrap();
    let mut entry = listener(owners);
    entry.socket.family = if local.is_ipv4() { Family::Inet } else { Family::Inet6 };
    (entry.socket.local, entry.socket.uid) = (Some(local.into()), Some(Uid(501)));
    entry
}

fn request(address: &str) -> BindRequest {
    let address: std::net::SocketAddr = address.parse().unwrap();
    let (address, port) = (address.ip(), address.port());
    BindRequest::plain(Target::Inet { protocol: Protocol::Tcp, address, scope: None, port })
}

fn reusing(address: &str) -> BindRequest {
    BindRequest { reuse_address: true, ..request(address) }
}

fn facts(uid: u32) -> BindFacts {
    BindFacts {
        unprivileged_port_start: Some(1024),
        may_bind_privileged: Some(uid == 0),
        bindv6only: Some(false),
        uid: Some(Uid(uid)),
        ..BindFacts::default()
    }
}

fn seen(platform: &str, entries: &[Entry]) -> Snapshot {
    let collected =
        Collected::new(Timestamp(std::time::SystemTime::UNIX_EPOCH), platform, platform);
    let numbered = (1..).zip(entries.iter().cloned()).map(|(number, mut entry)| {
        entry.socket.id = SocketId(number);
        entry
    });
    Snapshot { entries: numbered.collect(), ..crate::join::join(collected) }
}

fn asked(platform: &str, request: &BindRequest, entries: &[Entry]) -> Diagnosis {
    diagnose(&seen(platform, entries), &facts(501), request)
}

fn reasons(diagnosis: &Diagnosis) -> Vec<Reason> {
    diagnosis.causes.iter().map(|cause| cause.reason).collect()
}

/// All that is advised, a line each.
fn advice(diagnosis: &Diagnosis) -> String {
    let lines = diagnosis.remedies.iter().map(|remedy| {
        if let Action::Advice { text, command } = &remedy.action {
            return format!("{text}: {}", command.as_deref().unwrap_or_default());
        }
        remedy.action.command().unwrap_or_default().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn airplay_is_switched_off_and_not_killed() {
    let holder = held("0.0.0.0:5000", vec![program(411, "ControlCenter")]);
    let told = asked("macos", &request("0.0.0.0:5000"), &[holder]);
    assert_eq!((told.verdict, reasons(&told)), (IN_USE, vec![Reason::AirPlay]));
    assert_eq!(
        told.causes[0].evidence,
        ["ControlCenter (411) is AirPlay Receiver, at 5000 and 7000"]
    );
    assert!(advice(&told).contains("switch AirPlay Receiver off"), "{}", advice(&told));
    assert!(!advice(&told).contains("kill"), "{}", advice(&told));
    let elsewhere = held("0.0.0.0:6000", vec![program(411, "ControlCenter")]);
    let told = asked("macos", &request("0.0.0.0:6000"), &[elsewhere]);
    assert_eq!(reasons(&told), [Reason::Listener]);
}

#[test]
fn a_program_of_that_name_on_linux_is_an_ordinary_one() {
    let mut owner = program(411, "inetd");
    Arc::make_mut(&mut owner.process).comm = Some(Text::from("inetd"));
    let told = asked("linux", &request("0.0.0.0:5000"), &[held("0.0.0.0:5000", vec![owner])]);
    assert_eq!(reasons(&told), [Reason::Listener]);
    assert!(advice(&told).contains("kill 411"), "{}", advice(&told));
}

#[test]
fn launchd_holds_for_a_job_and_the_job_is_unloaded() {
    let waiting = held("127.0.0.1:8021", vec![program(1, "launchd")]);
    let told = asked("macos", &request("127.0.0.1:8021"), std::slice::from_ref(&waiting));
    assert_eq!(reasons(&told), [Reason::LaunchdSocket]);
    assert!(told.causes[0].evidence[0].starts_with("nobody else has it yet"));
    let unload = told.remedies.iter().find(|remedy| remedy.harm == Harm::Service).unwrap();
    assert_eq!(unload.clears, [SocketId(1)]);
    assert!(advice(&told).contains("launchctl bootout"), "{}", advice(&told));
    let started = held("127.0.0.1:8021", vec![program(1, "launchd"), program(90, "ftp-proxy")]);
    let told = asked("macos", &request("127.0.0.1:8021"), &[started]);
    assert_eq!(told.causes[0].evidence, ["launchd handed it to ftp-proxy (90)"]);
    assert!(!advice(&told).contains("kill"), "{}", advice(&told));
}

#[test]
fn multicast_dns_is_shared() {
    let mut holder = held("0.0.0.0:5353", vec![program(300, "mDNSResponder")]);
    (holder.socket.protocol, holder.socket.state) = (Protocol::Udp, None);
    let mut request = request("0.0.0.0:5353");
    let Target::Inet { protocol, .. } = &mut request.target else { unreachable!() };
    *protocol = Protocol::Udp;
    let told = asked("macos", &request, &[holder]);
    assert_eq!((told.verdict, reasons(&told)), (IN_USE, vec![Reason::MulticastDns]));
    assert!(advice(&told).contains("set SO_REUSEPORT"), "{}", advice(&told));
}

#[test]
fn inetd_is_told_to_leave_the_service_out() {
    let holder = held("0.0.0.0:2121", vec![program(700, "inetd")]);
    let told = asked("freebsd", &request("0.0.0.0:2121"), &[holder]);
    assert_eq!(reasons(&told), [Reason::Inetd]);
    assert!(advice(&told).contains("service inetd reload"), "{}", advice(&told));
}

#[test]
fn who_is_in_a_jail_may_be_in_the_way_and_is_told_with_its_jail() {
    let holder = held("0.0.0.0:8080", vec![jailed(700, "nginx", 3)]);
    let told = asked("freebsd", &request("0.0.0.0:8080"), std::slice::from_ref(&holder));
    assert_eq!((told.verdict, reasons(&told)), (Verdict::Unknown, vec![Reason::Jail]));
    assert_eq!(told.causes[0].evidence, ["nginx (700) is in jail 3"]);
    assert!(advice(&told).contains("jls -n -j 3"), "{}", advice(&told));
    // Of another port it says nothing, and one that the host has as well is the host's.
    assert_eq!(
        asked("freebsd", &request("0.0.0.0:81"), &[holder]).verdict,
        Verdict::Fails { call: Call::Bind, errno: Errno::EACCES }
    );
    let both = held("0.0.0.0:8080", vec![jailed(700, "nginx", 3), program(1, "init")]);
    assert_eq!(asked("freebsd", &request("0.0.0.0:8080"), &[both]).verdict, IN_USE);
}

#[test]
fn a_more_specific_address_is_bound_beside_a_wildcard_and_it_is_said_who_answers() {
    for platform in ["macos", "freebsd"] {
        let holder = held("0.0.0.0:8080", vec![program(700, "node")]);
        let plain = asked(platform, &request("127.0.0.1:8080"), std::slice::from_ref(&holder));
        assert_eq!((plain.verdict, reasons(&plain)), (IN_USE, vec![Reason::OverlappingListener]));
        assert!(advice(&plain).contains("set SO_REUSEADDR before bind"), "{}", advice(&plain));
        let told = asked(platform, &reusing("127.0.0.1:8080"), &[holder]);
        assert_eq!((told.verdict, reasons(&told)), (Verdict::Shareable, vec![Reason::Beside]));
        let evidence = ["what comes to 127.0.0.1 goes to the new socket, the rest to 0.0.0.0"];
        assert_eq!(told.causes[0].evidence, evidence);
        let other = held("0.0.0.0:8080", vec![program(700, "node")]);
        let told = asked(platform, &request("[::]:8080"), &[other]);
        assert_eq!((told.verdict, reasons(&told)), (Verdict::Shareable, vec![Reason::Beside]));
    }
}

#[test]
fn another_users_wildcard_is_guarded_and_it_is_said_whose_it_is() {
    let mut holder = held("0.0.0.0:8080", vec![program(700, "node")]);
    holder.socket.uid = Some(Uid(70));
    let told = asked("macos", &reusing("127.0.0.1:8080"), std::slice::from_ref(&holder));
    assert_eq!(told.verdict, IN_USE);
    assert_eq!(told.causes[0].evidence, ["it belongs to user 70, not to user 501"]);
    // Another of one's own at that very address may be asked in its place.
    let mut own = entry(2, TcpState::Established, Ownership::Held(vec![program(9, "a")].into()));
    (own.socket.local, own.socket.uid) = (Some(end("127.0.0.1:8080")), Some(Uid(501)));
    let told = asked("macos", &reusing("127.0.0.1:8080"), &[holder, own]);
    assert_eq!(told.verdict, Verdict::Unknown);
}

fn end(text: &str) -> Endpoint {
    text.parse::<std::net::SocketAddr>().unwrap().into()
}

#[test]
fn time_wait_needs_the_option_on_the_newcomer_alone() {
    for platform in ["macos", "freebsd"] {
        let mut left = entry(1, TcpState::TimeWait, Ownership::Kernel(KernelReason::TimeWait));
        (left.socket.local, left.socket.uid) = (Some(end("127.0.0.1:8080")), Some(Uid(501)));
        let facts = BindFacts { time_wait: Some(Duration::from_secs(30)), ..facts(501) };
        let snapshot = seen(platform, &[left]);
        let told = diagnose(&snapshot, &facts, &request("127.0.0.1:8080"));
        assert_eq!((told.verdict, reasons(&told)), (IN_USE, vec![Reason::TimeWait]));
        assert_eq!(told.causes[0].evidence, ["it lasts 30 s (net.inet.tcp.msl)"]);
        assert!(advice(&told).contains("set SO_REUSEADDR before bind"), "{}", advice(&told));
        assert!(!advice(&told).contains("sockscope close"), "{}", advice(&told));
        let dropped = advice(&told).contains("tcpdrop 127.0.0.1 8080 127.0.0.1 5000");
        assert_eq!(dropped, platform == "freebsd", "{}", advice(&told));
        let told = diagnose(&snapshot, &facts, &reusing("127.0.0.1:8080"));
        assert_eq!(told.verdict, Verdict::Shareable);
    }
}

#[test]
fn an_outgoing_connection_is_known_by_the_systems_own_range() {
    let mut client =
        entry(1, TcpState::Established, Ownership::Held(vec![program(9, "curl")].into()));
    client.socket.local = Some(end("127.0.0.1:12000"));
    client.socket.peer = Some(end("127.0.0.1:443"));
    let of = |platform| asked(platform, &request("127.0.0.1:12000"), std::slice::from_ref(&client));
    assert_eq!(reasons(&of("freebsd")), [Reason::EphemeralClient]);
    assert!(advice(&of("freebsd")).contains("net.inet.ip.portrange.first=12001"));
    assert_eq!(reasons(&of("macos")), [Reason::Connection]);
}

#[test]
fn privileged_ports_are_those_of_single_addresses_on_macos_and_all_on_freebsd() {
    let denied = Verdict::Fails { call: Call::Bind, errno: Errno::EACCES };
    let verdict = |platform, address| asked(platform, &request(address), &[]).verdict;
    assert_eq!(verdict("macos", "0.0.0.0:80"), Verdict::Free);
    assert_eq!(verdict("macos", "[::]:80"), Verdict::Free);
    assert_eq!(verdict("macos", "127.0.0.1:80"), denied);
    assert_eq!(verdict("freebsd", "0.0.0.0:80"), denied);
    let told = asked("macos", &request("127.0.0.1:80"), &[]);
    assert!(advice(&told).contains("take 0.0.0.0 or ::"), "{}", advice(&told));
    assert!(!advice(&told).contains("setcap"), "{}", advice(&told));
    let told = asked("freebsd", &request("127.0.0.1:80"), &[]);
    assert_eq!(told.causes[0].evidence[0], "net.inet.ip.portrange.reservedhigh is 1023");
    assert!(advice(&told).contains("sysctl net.inet.ip.portrange.reservedhigh=79"));
}

#[test]
fn only_where_an_option_of_the_holder_decides_it_is_to_be_read() {
    let wanted = |platform| {
        let snapshot = seen(platform, &[held("127.0.0.1:8080", vec![program(700, "node")])]);
        undecided(&snapshot, &facts(501), &request("127.0.0.1:8080")).len()
    };
    assert_eq!((wanted("macos"), wanted("freebsd")), (1, 1));
    let snapshot = seen("macos", &[held("0.0.0.0:8080", vec![program(700, "node")])]);
    assert_eq!(undecided(&snapshot, &facts(501), &request("127.0.0.1:8080")).len(), 0);
}
