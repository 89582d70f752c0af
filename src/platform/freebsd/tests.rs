use super::*;
use crate::join::join;
use crate::process::{Fd, HiddenReason, Ownership};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::Family;
use crate::state::TcpState;

/// A kernel made up: its tables by name, and who asks.
#[derive(Default)]
struct Fake {
    tables: BTreeMap<&'static str, Vec<u8>>,
    is_root: bool,
}

impl Kernel for Fake {
    fn table(&self, name: &str) -> io::Result<Vec<u8>> {
        self.tables.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn about(&self, pid: Pid, what: About) -> io::Result<Vec<u8>> {
        match (pid.0, what) {
            (700, About::Arguments) => Ok(b"nginx: master\0".to_vec()),
            (700, About::Program) => Ok(b"/usr/local/sbin/nginx\0".to_vec()),
            (700, About::Process) => Ok(sample::process(700, 1, "nginx", 3)),
            _ => Err(io::Error::from_raw_os_error(3)),
        }
    }

    fn interface(&self, _index: u32) -> Option<String> {
        None
    }

    fn is_root(&self) -> bool {
        self.is_root
    }
}

fn fake(pcbs: &[Pcb], files: &[Vec<u8>]) -> Fake {
    let processes = [
        sample::process(1, 0, "init", 0),
        sample::process(700, 1, "nginx", 3),
        sample::process(701, 700, "nginx", 3),
    ];
    let tables = [
        ("net.inet.tcp.pcblist", sample::tcp_table(pcbs)),
        ("net.inet.udp.pcblist", sample::udp_table(&[])),
        ("kern.file", files.concat()),
        ("kern.proc.proc", processes.concat()),
    ];
    Fake { tables: tables.into(), is_root: false }
}

fn collect(kernel: &Fake) -> Snapshot {
    join(read(kernel, &Request::default()).unwrap())
}

fn owners(entry: &Entry) -> Vec<(u32, Fd)> {
    entry.ownership.owners().iter().map(|o| (o.process.pid.0, o.fd.unwrap())).collect()
}

#[test]
fn a_socket_has_every_owner_with_name_user_jail_and_command_line() {
    let files = [sample::file(701, 6, 2, 0x51), sample::file(700, 6, 2, 0x51)];
    let snapshot = collect(&fake(&[sample::listener()], &files));
    let entry = &snapshot.entries[0];
    assert_eq!(owners(entry), [(700, Fd(6)), (701, Fd(6))]);
    let process = &entry.ownership.owners()[0].process;
    assert_eq!(process.command, Some(Text::from("nginx")));
    assert_eq!(process.argv, Some(vec![Text::from("nginx: master")]));
    let jail = process.cgroup.as_ref().unwrap().container.as_ref().unwrap();
    assert_eq!(jail.id, Text::from("3"));
    assert_eq!(snapshot.platform, "freebsd");
}

#[test]
fn with_details_the_program_and_every_ancestor_are_told() {
    let kernel = fake(&[sample::listener()], &[sample::file(701, 6, 2, 0x51)]);
    let request = Request { process_details: true, ..Request::default() };
    let collected = read(&kernel, &request).unwrap();
    let pids: Vec<u32> = collected.processes.iter().map(|process| process.pid.0).collect();
    assert_eq!(pids, [1, 700, 701]);
    let exe = collected.processes[1].exe.as_ref().unwrap();
    assert_eq!(exe.path, Text::from("/usr/local/sbin/nginx"));
}

#[test]
fn what_the_administrator_hides_is_said_and_root_sees_it() {
    let hidden = Pcb { generation: 43, ..sample::listener() };
    let mut kernel = fake(&[hidden], &[]);
    kernel.tables.insert("security.bsd.see_other_uids", vec![0; 4]);
    let snapshot = collect(&kernel);
    assert_eq!(snapshot.entries[0].ownership, Ownership::Hidden(HiddenReason::Permission));
    let whys: Vec<_> = snapshot.gaps().into_iter().map(|gap| (gap.what, gap.why)).collect();
    let why = "security.bsd.see_other_uids is 0".to_owned();
    assert!(whys.contains(&(Missing::Sockets, why.clone())), "{whys:?}");
    assert!(whys.contains(&(Missing::Owners, why)), "{whys:?}");
    kernel.is_root = true;
    let snapshot = collect(&kernel);
    assert_eq!(snapshot.entries[0].ownership, Ownership::Hidden(HiddenReason::NoDescriptor));
    let gaps = snapshot.gaps().into_iter().map(|gap| (gap.what, gap.detail));
    let never = (Missing::Sockets, Some("udplite".to_owned()));
    assert_eq!(gaps.collect::<Vec<_>>(), [never, (Missing::SocketFacts, None)]);
}

#[test]
fn a_connection_nobody_accepted_is_its_listeners() {
    let waiting = Pcb { generation: 44, state: Some(4), ..sample::over() };
    let waiting = Pcb { socket: bsd::pcb::Common { handle: 0x52, ..waiting.socket }, ..waiting };
    let snapshot = collect(&fake(&[sample::listener(), waiting], &[sample::file(700, 6, 2, 0x51)]));
    let owner = &snapshot.entries[1].ownership.owners()[0];
    assert_eq!((owner.process.pid, owner.via), (Pid(700), Via::AcceptQueue));
}

#[test]
fn unix_sockets_are_told_with_their_peers() {
    let mut kernel = fake(&[], &[sample::file(700, 4, 2, 1), sample::file(701, 5, 2, 2)]);
    let rows = [sample::unix("/tmp/s", 1, 0x100, 0x200, 1), sample::unix("", 2, 0x200, 0x100, 1)];
    kernel.tables.insert(UNIX[0], sample::unix_table(&rows));
    kernel.tables.insert(UNIX[1], sample::unix_table(&[]));
    let request = Request {
        protocols: vec![Protocol::Unix],
        families: vec![Family::Unix],
        ..Request::default()
    };
    let snapshot = join(read(&kernel, &request).unwrap());
    let client = &snapshot.entries[1];
    assert_eq!(client.socket.state, Some(TcpState::Established));
    assert_eq!(client.socket.peer.as_ref().unwrap().to_string(), "/tmp/s");
    assert_eq!(client.peer_owners[0].process.pid, Pid(700));
    let refused: Vec<_> = snapshot.unread.iter().filter_map(|gap| gap.detail.as_deref()).collect();
    assert_eq!(refused, [UNIX[2]]);
}

#[test]
fn without_the_tables_it_is_an_error_and_without_the_files_a_gap() {
    let error = read(&Fake::default(), &Request::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the tables of sockets");
    let mut kernel = fake(&[sample::listener()], &[]);
    kernel.tables.remove("kern.file");
    let snapshot = collect(&kernel);
    assert_eq!(snapshot.entries[0].ownership, Ownership::Hidden(HiddenReason::Permission));
    kernel.tables.insert("kern.file", vec![1; 300]);
    let gaps = collect(&kernel).unread;
    assert!(gaps.iter().any(|gap| gap.what == Missing::Descriptors && gap.why.contains("form")));
}

#[test]
fn options_are_those_of_the_socket_with_the_cookie() {
    let kernel = fake(&[sample::listener()], &[]);
    let options = holder_options(&kernel, sample::listener().cookie()).unwrap();
    assert_eq!((options.reuse_address, options.reuse_port), (Some(true), Some(false)));
    assert!(holder_options(&kernel, Cookie(1)).is_err());
}

#[test]
fn a_process_that_may_be_ended_is_looked_at() {
    let seen = look(&Fake::default(), Pid(700)).unwrap();
    assert_eq!((seen.start, seen.parent), (1_700_000_000_000_700, Some(Pid(1))));
    assert_eq!(look(&Fake::default(), Pid(7)).unwrap_err().raw_os_error(), Some(3));
}

#[test]
fn the_recording_is_what_this_scene_gives() {
    let at = |port| bsd::sample::v4([0; 4], port);
    let loopback = |port| bsd::sample::v4([127, 0, 0, 1], port);
    let nginx = bsd::sample::listening(0x51, 41, at(80), 0);
    let postgres = bsd::sample::listening(0x52, 42, loopback(5432), 770);
    let server = bsd::sample::connected(0x53, 43, loopback(5432), loopback(40_000), 770);
    let waiting = Pcb {
        socket: bsd::pcb::Common { handle: 0x54, ..server.socket },
        generation: 44,
        local: bsd::sample::v4([10, 0, 0, 4], 80),
        peer: bsd::sample::v4([10, 0, 0, 9], 50_124),
        ..server
    };
    let over = Pcb { time_wait_ms: Some(41_000), generation: 45, ..sample::over() };
    let files = [
        sample::file(700, 6, 2, 0x51),
        sample::file(701, 6, 2, 0x51),
        sample::file(900, 5, 2, 0x52),
        sample::file(901, 9, 2, 0x53),
        sample::file(901, 4, 2, 1),
        sample::file(702, 5, 2, 2),
    ];
    let mut kernel = fake(&[nginx, postgres, server, waiting, over], &files);
    let rows = [
        sample::unix("/tmp/.s.PGSQL.5432", 1, 0x100, 0x200, 1),
        sample::unix("", 2, 0x200, 0x100, 1),
    ];
    kernel.tables.insert(UNIX[0], sample::unix_table(&rows));
    kernel.tables.insert(UNIX[1], sample::unix_table(&[]));
    kernel.tables.insert(UNIX[2], sample::unix_table(&[]));
    let processes = [
        sample::process(700, 1, "nginx", 3),
        sample::process(701, 700, "nginx", 3),
        sample::process(702, 1, "psql", 0),
        sample::process(900, 1, "postgres", 0),
        sample::process(901, 900, "postgres", 0),
    ];
    kernel.tables.insert("kern.proc.proc", processes.concat());
    let mut request = Request::default();
    request.protocols.push(Protocol::Unix);
    request.families.push(Family::Unix);
    let mut collected = read(&kernel, &request).unwrap();
    let users = [(0, "root"), (80, "www"), (770, "postgres")];
    collected.users = users.map(|(uid, name)| (crate::process::Uid(uid), name.into())).into();
    bsd::sample::assert_recorded(collected, "freebsd.json");
}
