//! Reports of snapshots made by hand.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::*;
use crate::join::join;
use crate::process::{Fd, Holder, Process, Via};
use crate::snapshot::{Collected, Timestamp};
use crate::socket::{Cookie, Family, Inode, SocketId, Timer};
use crate::text::Text;

/// A machine: each socket is held by the process given, if any.
struct Machine(Collected);

impl Machine {
    fn new() -> Self {
        let mut all = Collected::new(Timestamp(SystemTime::UNIX_EPOCH), "linux", "linux");
        all.holders = Some(Vec::new());
        Self(all)
    }

    fn process(mut self, pid: u32, argv: &str) -> Self {
        let mut process = Process::new(Pid(pid));
        process.command = argv.split(' ').next().map(Text::from);
        process.argv = Some(argv.split(' ').map(Text::from).collect());
        self.0.processes.push(process);
        self
    }

    /// Adds `tcp LISTEN 0.0.0.0:80 -` or `udp - 0.0.0.0:53 -`, held by these processes.
    fn socket(mut self, line: &str, pids: &[u32]) -> Self {
        let [protocol, state, local, peer] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let end = |end: &str| -> Option<SocketAddr> { (end != "-").then(|| end.parse().unwrap()) };
        let protocol = *Protocol::ALL.iter().find(|known| known.name() == protocol).unwrap();
        let local = end(local).unwrap();
        let family = if local.is_ipv6() { Family::Inet6 } else { Family::Inet };
        let number = u64::try_from(self.0.sockets.len()).unwrap() + 1;
        let mut socket = Socket::new(SocketId(number), protocol, family);
        socket.state = TcpState::parse(state);
        socket.local = Some(local.into());
        socket.peer = end(peer).map(Endpoint::from);
        socket.inode = (!pids.is_empty()).then_some(Inode(number));
        socket.cookie = Some(Cookie(number));
        if socket.state == Some(TcpState::TimeWait) {
            let expires_ms = u32::try_from(number).unwrap() * 1000;
            socket.timer = Some(Timer { kind: TimerKind::Timewait, expires_ms, retransmits: 0 });
        }
        for &pid in pids {
            let (fd, socket) = (Some(Fd(3)), socket.id);
            self.0.holders.as_mut().unwrap().push(Holder {
                pid: Pid(pid),
                tid: None,
                fd,
                socket,
                via: Via::Fd,
            });
        }
        self.0.sockets.push(socket);
        self
    }

    /// Puts the socket added last into this network namespace; the first is the one that is looked from.
    fn within(mut self, netns: u64, name: &str) -> Self {
        self.0.current_netns = self.0.current_netns.or(Some(NetnsId(netns)));
        self.0.sockets.last_mut().unwrap().netns = Some(NetnsId(netns));
        self.0.netns_names.insert(NetnsId(netns), Text::from(name));
        self
    }

    fn report(self, port: u16) -> PortReport {
        report(&join(self.0), port)
    }
}

/// The sockets of a part, by the number they were added with.
fn ids<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u64> {
    entries.into_iter().map(|entry| entry.socket.id.0).collect()
}

fn groups(groups: &[PeerGroup]) -> Vec<(String, Vec<u64>)> {
    let ids = |group: &PeerGroup| ids(group.connections.iter().map(|one| &one.entry));
    groups.iter().map(|group| (group.peer.to_string(), ids(group))).collect()
}

#[test]
fn each_socket_of_the_port_is_in_one_part_and_others_in_none() {
    let report = Machine::new()
        .process(1, "server")
        .process(2, "client")
        .socket("tcp LISTEN 0.0.0.0:80 -", &[1])
        .socket("udp - 0.0.0.0:80 -", &[1])
        .socket("tcp BOUND 127.0.0.1:80 -", &[1])
        .socket("tcp ESTABLISHED 10.0.0.1:80 10.0.0.2:4000", &[1])
        .socket("tcp TIME_WAIT 10.0.0.1:80 10.0.0.2:4001", &[])
        .socket("tcp FIN_WAIT1 10.0.0.1:80 10.0.0.2:4002", &[])
        .socket("tcp ESTABLISHED 10.0.0.1:5000 10.0.0.9:80", &[2])
        .socket("tcp LISTEN 0.0.0.0:81 -", &[1])
        .socket("tcp ESTABLISHED 10.0.0.1:5001 10.0.0.9:81", &[2])
        .report(80);
    assert_eq!(ids(report.listeners.iter().map(|listener| &listener.entry)), [1, 2]);
    assert_eq!(ids(&report.bound), [3]);
    assert_eq!(groups(&report.connections), [("10.0.0.2".to_owned(), vec![4])]);
    assert_eq!(groups(&report.clients), [("10.0.0.9".to_owned(), vec![7])]);
    assert_eq!(ids(&report.left_over), [6, 5]);
    let mut all = ids(report.entries());
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn both_ends_of_a_local_connection_are_one_connection() {
    let report = Machine::new()
        .process(1, "server")
        .process(2, "client")
        .socket("tcp LISTEN [::]:80 -", &[1])
        .socket("tcp ESTABLISHED [::ffff:127.0.0.1]:80 [::ffff:127.0.0.1]:5000", &[1])
        .socket("tcp ESTABLISHED 127.0.0.1:5000 127.0.0.1:80", &[2])
        .report(80);
    assert_eq!(groups(&report.connections), [("127.0.0.1".to_owned(), vec![2])]);
    let other = report.connections[0].connections[0].other.as_ref().unwrap();
    assert_eq!(other.ownership.owners()[0].process.pid, Pid(2));
    assert_eq!(report.clients, []);
}

#[test]
fn a_client_whose_other_end_is_in_time_wait_is_still_shown() {
    let report = Machine::new()
        .process(2, "client")
        .socket("tcp TIME_WAIT 127.0.0.1:80 127.0.0.1:5000", &[])
        .socket("tcp CLOSE_WAIT 127.0.0.1:5000 127.0.0.1:80", &[2])
        .report(80);
    assert_eq!(groups(&report.clients), [("127.0.0.1".to_owned(), vec![2])]);
}

#[test]
fn the_busiest_peer_comes_first_and_then_the_lower_address() {
    let report = Machine::new()
        .process(1, "server")
        .socket("tcp ESTABLISHED 10.0.0.1:80 10.0.0.3:1", &[1])
        .socket("tcp ESTABLISHED 10.0.0.1:80 10.0.0.2:1", &[1])
        .socket("tcp ESTABLISHED 10.0.0.1:80 10.0.0.9:1", &[1])
        .socket("tcp CLOSE_WAIT 10.0.0.1:80 10.0.0.9:2", &[1])
        .report(80);
    let peers: Vec<String> =
        groups(&report.connections).into_iter().map(|(peer, _)| peer).collect();
    assert_eq!(peers, ["10.0.0.9", "10.0.0.2", "10.0.0.3"]);
}

#[test]
fn one_link_local_address_on_two_links_is_two_peers() {
    let mut machine = Machine::new()
        .process(1, "server")
        .socket("tcp ESTABLISHED [fe80::1]:80 [fe80::2]:1", &[1])
        .socket("tcp ESTABLISHED [fe80::1]:80 [fe80::2]:2", &[1]);
    for (index, socket) in (2..).zip(&mut machine.0.sockets) {
        if let Some(Endpoint::Inet { scope, .. }) = &mut socket.peer {
            *scope = Some(Box::new(Interface { index, name: None }));
        }
    }
    assert_eq!(machine.report(80).connections.len(), 2);
}

#[test]
fn listeners_at_one_address_are_twins_and_at_two_are_not() {
    let report = Machine::new()
        .process(1, "one")
        .process(2, "two")
        .socket("tcp LISTEN 127.0.0.1:80 -", &[1])
        .socket("tcp LISTEN 127.0.0.1:80 -", &[2])
        .socket("tcp LISTEN 127.0.0.2:80 -", &[2])
        .report(80);
    let twins: Vec<usize> = report.listeners.iter().map(|listener| listener.twins).collect();
    assert_eq!(twins, [1, 1, 0]);
}

#[test]
fn what_is_left_over_and_clients_hold_nothing() {
    let report = Machine::new()
        .process(2, "client")
        .socket("tcp TIME_WAIT 10.0.0.1:80 10.0.0.2:4001", &[])
        .socket("tcp ESTABLISHED 10.0.0.1:5000 10.0.0.9:80", &[2])
        .report(80);
    assert!(!report.is_held());
    let bound = Machine::new().process(1, "x").socket("tcp BOUND 0.0.0.0:80 -", &[1]).report(80);
    assert!(bound.is_held());
}

#[test]
fn the_longest_time_wait_is_the_one_that_counts() {
    let report = Machine::new()
        .socket("tcp TIME_WAIT 10.0.0.1:80 10.0.0.2:1", &[])
        .socket("tcp TIME_WAIT 10.0.0.1:80 10.0.0.2:2", &[])
        .report(80);
    assert_eq!(longest_time_wait(&report.left_over), Some(2000));
}

#[test]
fn a_forwarder_of_another_port_to_this_one_is_found_among_all_listeners() {
    let report = Machine::new()
        .process(1, "socat TCP-LISTEN:8080,fork TCP:localhost:80")
        .process(2, "docker-proxy -host-port 80 -container-ip 172.17.0.2 -container-port 8000")
        .process(3, "ssh -L 9000:db:5432 host")
        .socket("tcp LISTEN 0.0.0.0:8080 -", &[1])
        .socket("tcp LISTEN 0.0.0.0:80 -", &[2])
        .socket("tcp LISTEN 127.0.0.1:9000 -", &[3])
        .report(80);
    let tools: Vec<&str> = report.forwards.iter().map(|one| one.forward.tool).collect();
    assert_eq!(tools, ["socat", "docker-proxy"]);
}

#[test]
fn nothing_is_an_empty_report() {
    let report = Machine::new().socket("unix - 0.0.0.0:80 -", &[]).report(80);
    assert_eq!(report.entries().count(), 0);
    assert!(!report.is_held());
}

#[test]
fn each_network_namespace_has_a_report_of_its_own() {
    let report = Machine::new()
        .process(1, "here")
        .process(2, "there")
        .socket("tcp LISTEN 0.0.0.0:81 -", &[1])
        .within(1, "host")
        .socket("tcp LISTEN 0.0.0.0:80 -", &[2])
        .within(2, "blue")
        .socket("tcp LISTEN 0.0.0.0:81 -", &[2])
        .within(3, "green")
        .report(80);
    assert!(!report.is_held(), "not in ours");
    assert_eq!(report.netns.unwrap().id, NetnsId(1));
    let [blue] = &report.elsewhere[..] else { panic!("{:#?}", report.elsewhere) };
    assert!(blue.is_held());
    let name = Some(Text::from("blue"));
    assert_eq!(blue.netns, Some(Namespace { id: NetnsId(2), name }));
    assert_eq!(ids(blue.entries()), [2]);
}

#[test]
fn a_connection_between_two_namespaces_is_one() {
    let report = Machine::new()
        .process(1, "server")
        .process(2, "client")
        .socket("tcp ESTABLISHED 10.0.0.1:80 10.0.0.2:5000", &[1])
        .within(1, "host")
        .socket("tcp ESTABLISHED 10.0.0.2:5000 10.0.0.1:80", &[2])
        .within(2, "blue")
        .report(80);
    let other = report.connections[0].connections[0].other.as_ref().unwrap();
    assert_eq!(other.ownership.owners()[0].process.pid, Pid(2));
    assert_eq!(report.elsewhere, [], "its client is shown with it");
}
