use super::*;
use crate::join::join;
use crate::platform::NetnsWish;
use crate::platform::bsd::pcb::Common;
use crate::process::{Fd, HiddenReason, Ownership};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::Family;
use crate::state::TcpState;

/// Descriptors of sockets, by their numbers, with what is told of each.
type Descriptors = Vec<(u32, Vec<u8>)>;

/// A kernel made up: tables of control blocks, and the sockets of processes.
#[derive(Default)]
struct Fake {
    tcp: Option<Vec<Pcb>>,
    udp: Option<Vec<Pcb>>,
    /// What the table of TCP says when it is read again.
    later: Option<Vec<Pcb>>,
    reads: std::cell::Cell<usize>,
    /// PID and descriptors; absent when they may not be read.
    processes: Vec<(u32, Option<Descriptors>)>,
}

impl Kernel for Fake {
    fn table(&self, name: &str) -> io::Result<Vec<u8>> {
        let first = self.reads.replace(self.reads.get() + 1) < 2;
        let table = match name {
            "net.inet.tcp.pcblist_n" if !first && self.later.is_some() => &self.later,
            "net.inet.tcp.pcblist_n" => &self.tcp,
            _ => &self.udp,
        };
        let table = table.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Ok(sample::table(table))
    }

    fn pids(&self) -> io::Result<Vec<Pid>> {
        Ok(self.processes.iter().map(|(pid, _)| Pid(*pid)).collect())
    }

    fn descriptors(&self, pid: Pid) -> io::Result<Vec<u8>> {
        let (_, sockets) = self.processes.iter().find(|(other, _)| *other == pid.0).unwrap();
        let sockets = sockets.as_ref().ok_or(io::ErrorKind::PermissionDenied)?;
        let mut rows = vec![(0, 1)];
        rows.extend(sockets.iter().map(|(fd, _)| (*fd, 2)));
        Ok(sample::descriptors(&rows))
    }

    fn socket(&self, pid: Pid, fd: Fd) -> io::Result<Vec<u8>> {
        let (_, sockets) = self.processes.iter().find(|(other, _)| *other == pid.0).unwrap();
        let socket = sockets.iter().flatten().find(|(other, _)| *other == fd.0);
        Ok(socket.unwrap().1.clone())
    }

    fn interface(&self, index: u32) -> Option<String> {
        (index == 4).then(|| "en0".to_owned())
    }

    fn processes(&self, pids: &BTreeSet<Pid>, _details: bool) -> (Vec<Process>, Option<Gap>) {
        let process = |pid: &Pid| {
            let mut process = Process::new(*pid);
            process.start = Some(u64::from(pid.0));
            process
        };
        (pids.iter().map(process).collect(), None)
    }
}

fn of(mut pcb: Pcb, handle: u64, generation: u64) -> Pcb {
    (pcb.socket.handle, pcb.generation) = (handle, generation);
    pcb
}

fn fd(number: u32, pcb: &Pcb) -> (u32, Vec<u8>) {
    (number, sample::fdinfo(pcb))
}

fn collect(kernel: &Fake) -> Snapshot {
    join(read(kernel, &Request::default()).unwrap())
}

fn owners(entry: &Entry) -> Vec<(u32, u32)> {
    entry.ownership.owners().iter().map(|o| (o.process.pid.0, o.fd.unwrap().0)).collect()
}

#[test]
fn a_listener_shared_over_fork_is_one_row_and_twins_are_two() {
    let (shared, twin) = (of(sample::listener(), 1, 11), of(sample::listener(), 2, 12));
    let kernel = Fake {
        tcp: Some(vec![shared, twin]),
        udp: Some(vec![]),
        processes: vec![
            (70, Some(vec![fd(3, &shared)])),
            (71, Some(vec![fd(3, &shared), fd(9, &shared)])),
            (72, Some(vec![fd(3, &twin)])),
        ],
        ..Fake::default()
    };
    let snapshot = collect(&kernel);
    let all: Vec<Vec<(u32, u32)>> = snapshot.entries.iter().map(owners).collect();
    assert_eq!(all, [vec![(70, 3), (71, 3), (71, 9)], vec![(72, 3)]]);
    assert_eq!(snapshot.entries[0].socket.uid, Some(crate::process::Uid(501)));
}

#[test]
fn what_may_not_be_looked_into_is_hidden_and_counted() {
    let foreign = of(sample::listener(), 1, 11);
    let kernel = Fake {
        tcp: Some(vec![foreign, sample::over()]),
        udp: Some(vec![]),
        processes: vec![(70, None), (71, Some(vec![]))],
        ..Fake::default()
    };
    let snapshot = collect(&kernel);
    assert_eq!(snapshot.entries[0].ownership, Ownership::Hidden(HiddenReason::Permission));
    assert_eq!(snapshot.entries[0].socket.uid, Some(crate::process::Uid(501)));
    assert_eq!(snapshot.entries[1].ownership.kernel().unwrap().name(), "time-wait");
    let gap = snapshot.unread.iter().find(|gap| gap.what == Missing::Descriptors).unwrap();
    assert_eq!((gap.count, gap.why.as_str()), (Some(1), "permission denied"));
    assert_eq!(gap.hint.as_deref(), Some(bsd::SUDO));
}

#[test]
fn a_connection_nobody_accepted_is_its_listeners_and_an_orphan_the_kernels() {
    let listener = of(sample::listener(), 1, 11);
    let mut waiting = of(sample::datagram(), 2, 12);
    (waiting.protocol, waiting.state) = (Protocol::Tcp, Some(4));
    waiting.local.port = listener.local.port;
    waiting.socket.state = 0x1003;
    let mut orphan = of(waiting, 3, 13);
    (orphan.state, orphan.local.port) = (Some(6), 7777);
    let kernel = Fake {
        tcp: Some(vec![listener, waiting, orphan]),
        udp: Some(vec![]),
        processes: vec![(70, Some(vec![fd(3, &listener)]))],
        ..Fake::default()
    };
    let snapshot = collect(&kernel);
    let owner = &snapshot.entries[1].ownership.owners()[0];
    assert_eq!((owner.process.pid, owner.via), (Pid(70), Via::AcceptQueue));
    assert_eq!(snapshot.entries[2].ownership.kernel().unwrap().name(), "orphan");
}

#[test]
fn unix_sockets_are_told_with_their_peers_and_only_when_asked_for() {
    let kernel = Fake {
        tcp: Some(vec![]),
        udp: Some(vec![]),
        processes: vec![
            (70, Some(vec![(4, sample::unix_fdinfo())])),
            (80, Some(vec![(5, sample::unix("", 0x9b02, 0x9b01))])),
        ],
        ..Fake::default()
    };
    assert_eq!(collect(&kernel).entries, []);
    let mut request = Request::default();
    request.protocols.push(Protocol::Unix);
    request.families.push(Family::Unix);
    let snapshot = join(read(&kernel, &request).unwrap());
    let client = &snapshot.entries[1];
    assert_eq!(client.socket.state, Some(TcpState::Established));
    assert_eq!(client.socket.peer.as_ref().unwrap().to_string(), "/var/run/mDNSResponder");
    assert_eq!(client.peer_owners[0].process.pid, Pid(70));
}

#[test]
fn without_tables_the_descriptors_are_still_told_and_with_neither_it_is_an_error() {
    let listener = of(sample::listener(), 1, 11);
    let processes = vec![(70, Some(vec![fd(3, &listener)]))];
    let snapshot = collect(&Fake { processes, ..Fake::default() });
    assert_eq!(owners(&snapshot.entries[0]), [(70, 3)]);
    let refused: Vec<_> =
        snapshot.unread.iter().filter(|gap| gap.what == Missing::Sockets).collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0].detail.as_deref(), Some("tcp in TIME_WAIT and of other users"));

    let error = read(&Fake::default(), &Request::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read net.inet.tcp.pcblist_n");
}

#[test]
fn what_was_closed_between_table_and_descriptors_is_vanished() {
    let (gone, stays) = (of(sample::listener(), 1, 11), of(sample::listener(), 2, 12));
    let kernel = Fake {
        tcp: Some(vec![gone, stays]),
        udp: Some(vec![]),
        later: Some(vec![stays]),
        ..Fake::default()
    };
    let snapshot = collect(&kernel);
    let hidden: Vec<_> = snapshot.entries.iter().map(|entry| entry.ownership.clone()).collect();
    let expected = [HiddenReason::Vanished, HiddenReason::NoDescriptor].map(Ownership::Hidden);
    assert_eq!(hidden, expected);
}

#[test]
fn without_owners_no_descriptor_is_read() {
    let kernel = Fake {
        tcp: Some(vec![sample::listener()]),
        udp: Some(vec![]),
        processes: vec![(70, None)],
        ..Fake::default()
    };
    let request = Request { owners: false, ..Request::default() };
    let collected = read(&kernel, &request).unwrap();
    assert_eq!((collected.sockets.len(), collected.holders), (1, None));
    assert!(collected.gaps.iter().all(|gap| gap.what != Missing::Descriptors));
}

#[test]
fn a_short_or_garbled_answer_is_a_gap() {
    let kernel = Fake {
        tcp: Some(vec![]),
        udp: Some(vec![]),
        processes: vec![(70, Some(vec![(3, vec![1; 40]), (4, vec![])]))],
        ..Fake::default()
    };
    let gaps = collect(&kernel).unread;
    let gap = gaps.iter().find(|gap| gap.why.contains("2 in a form")).unwrap();
    assert_eq!(gap.detail.as_deref(), Some("single rows of descriptors"));
}

#[test]
fn scopes_have_the_names_of_their_interfaces() {
    let mut listener = sample::listener();
    (listener.family, listener.versions) = (Family::Inet6, 2);
    listener.local = sample::v6("fe80:4::7", 80);
    let tcp = Some(vec![listener]);
    let snapshot = collect(&Fake { tcp, udp: Some(vec![]), ..Fake::default() });
    let local = snapshot.entries[0].socket.local.as_ref().unwrap();
    assert_eq!(local.to_string(), "[fe80::7%en0]:80");
}

#[test]
fn protocols_that_are_not_read_are_gaps_and_namespaces_an_error() {
    let kernel = Fake { tcp: Some(vec![]), udp: Some(vec![]), ..Fake::default() };
    let protocols = Protocol::ALL.to_vec();
    let collected = read(&kernel, &Request { protocols, ..Request::default() }).unwrap();
    let details: Vec<_> = collected
        .gaps
        .iter()
        .filter(|gap| gap.what == Missing::Sockets)
        .map(|gap| gap.detail.clone().unwrap())
        .collect();
    assert_eq!(details, ["icmp", "raw", "vsock"]);
    let netns = NetnsWish::All;
    assert!(read(&kernel, &Request { netns, ..Request::default() }).is_err());
}

#[test]
fn options_are_read_through_a_descriptor_only_while_it_is_of_that_socket() {
    let listener = of(sample::listener(), 1, 11);
    let processes = vec![(70, Some(vec![fd(3, &listener)]))];
    let kernel = Fake { processes, ..Fake::default() };
    let options = holder_options(&kernel, Pid(70), Fd(3), listener.cookie()).unwrap();
    assert_eq!((options.reuse_address, options.reuse_port), (Some(true), Some(false)));
    assert!(holder_options(&kernel, Pid(70), Fd(3), Cookie(99)).is_err());
}

#[test]
fn a_socket_whose_control_block_alone_is_left_is_told_by_its_versions() {
    let mut left = sample::over();
    left.socket = Common::default();
    left.versions = 2;
    left.family = Family::Inet6;
    left.local = sample::v6("::1", 80);
    let mut bytes = sample::table(&[left]);
    // Its socket's piece is all zero but for its head.
    let family = layout::X_HEADER + 104 + layout::X_FAMILY;
    bytes[family..family + 4].fill(0);
    let rows = pcblist::decode(&bytes, Protocol::Tcp);
    assert_eq!(rows.pcbs[0].family, Family::Inet6);
}

/// The scene of `tests/fixtures/collected/macos.json`, as user 501 sees it: AirPlay's port, a development
/// server that two processes share, twins by SO_REUSEPORT, root's ssh, a connection of IPv4 on an IPv6
/// socket, TIME_WAIT, mDNS on two families, and a UNIX socket with its client.
fn scene() -> Fake {
    let loopback = |port| bsd::sample::v4([127, 0, 0, 1], port);
    let open = |handle, generation, local, peer| {
        bsd::sample::connected(handle, generation, local, peer, 501)
    };
    let listening = |handle, generation, port, uid| {
        bsd::sample::listening(handle, generation, bsd::sample::v4([0; 4], port), uid)
    };
    let dual = |pcb: Pcb| Pcb { family: Family::Inet6, ..pcb };
    let airplay = listening(0x9a01, 11, 5000, 501);
    let node = dual(Pcb { versions: 3, ..listening(0x9a02, 12, 3000, 501) });
    let twins = [listening(0x9a03, 13, 9090, 501), listening(0x9a04, 14, 9090, 501)];
    let ssh = listening(0x9a05, 15, 22, 0);
    let mapped = dual(open(0x9a06, 16, loopback(3000), loopback(50_123)));
    let client = open(0x9a07, 17, loopback(50_123), loopback(3000));
    let over = Pcb { generation: 18, ..sample::over() };
    let mdns = Pcb {
        protocol: Protocol::Udp,
        state: None,
        socket: Common { kind: 2, options: 0x0200, ..listening(0x9a08, 19, 5353, 65).socket },
        ..listening(0x9a08, 19, 5353, 65)
    };
    let unix = [
        (9, sample::unix("/var/run/docker.sock", 0x9b01, 0x9b02)),
        (8, sample::unix("", 0x9b02, 0x9b01)),
    ];
    let [server, user] = unix;
    Fake {
        tcp: Some(vec![airplay, node, twins[0], twins[1], ssh, mapped, client, over]),
        udp: Some(vec![mdns]),
        processes: vec![
            (1, None),
            (410, None),
            (601, Some(vec![fd(11, &airplay)])),
            (702, Some(vec![fd(20, &node), fd(23, &mapped)])),
            (703, Some(vec![fd(20, &node)])),
            (710, Some(vec![fd(5, &twins[0])])),
            (711, Some(vec![fd(5, &twins[1])])),
            (720, Some(vec![fd(6, &client), user])),
            (730, Some(vec![server])),
        ],
        ..Fake::default()
    }
}

/// What sysinfo would tell of the processes of the scene.
fn name(process: &mut Process) {
    let (command, ppid) = match process.pid.0 {
        601 => ("ControlCenter", 1),
        702 => ("node", 650),
        703 => ("node", 702),
        710 | 711 => ("worker", 650),
        720 => ("curl", 650),
        _ => ("com.docker.backend", 1),
    };
    process.command = Some(command.into());
    (process.ppid, process.uid) = (Some(Pid(ppid)), Some(crate::process::Uid(501)));
    process.start = Some(1_763_800_000 + u64::from(process.pid.0));
}

#[test]
fn the_recording_is_what_this_scene_gives() {
    let mut request = Request::default();
    request.protocols.push(Protocol::Unix);
    request.families.push(Family::Unix);
    let mut collected = read(&scene(), &request).unwrap();
    collected.processes.iter_mut().for_each(name);
    collected.users = [(501, "alice"), (0, "root"), (65, "_mdnsresponder")]
        .map(|(uid, name)| (crate::process::Uid(uid), name.into()))
        .into();
    bsd::sample::assert_recorded(collected, "macos.json");
}
