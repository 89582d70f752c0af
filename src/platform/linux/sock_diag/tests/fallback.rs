//! What becomes of tables that sock_diag refuses.

use super::*;

const TCP: Table = Table { protocol: Protocol::Tcp, family: Family::Inet };

/// Reads tables as if sock_diag had refused them.
fn refused<'a>(directory: &'a Path, tables: &[Table]) -> Reader<'a> {
    let mut reader = Reader::new(directory);
    for table in tables {
        reader.read_proc(*table, &io::Error::from_raw_os_error(1));
    }
    reader
}

#[test]
fn both_sources_agree_on_a_live_connection() {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let (client, _server) = connection(&listener);
    let (local, peer) = ends(&client);
    let mut ours = between(local, peer);
    ours.cookie = None;
    ours.cgroup_id = None;
    ours.timer = None;

    let reader = refused(Path::new(proc_net::DIRECTORY), &[TCP]);
    let theirs = reader.finish(&EVERYTHING()).unwrap().sockets;
    let mut theirs: Vec<Socket> = theirs.iter().collect();
    theirs.retain(|s| local_port(s) == Some(local.port()) && peer_port(s) == Some(peer.port()));
    assert_eq!(theirs.len(), 1);
    theirs[0].id = ours.id;
    theirs[0].timer = None;
    assert_eq!(theirs, [ours]);
}

#[test]
fn what_the_fallback_lacks_is_said() {
    let tables = [TCP, Table { family: Family::Inet6, ..TCP }];
    let reader = refused(Path::new(proc_net::DIRECTORY), &tables);
    let gaps = reader.finish(&EVERYTHING()).unwrap().gaps;
    let facts = "cookies, control groups, backlog limits, devices and v6only of tcp over inet, tcp over inet6";
    assert_eq!(
        gaps,
        [
            Gap::new(Missing::SocketFacts, "sock_diag: operation not permitted").detail(facts),
            Gap::new(Missing::BoundSockets, "/proc/net does not list them"),
        ]
    );
}

#[test]
fn nothing_readable_at_all_is_an_error() {
    let nowhere = tempfile::tempdir().unwrap();
    let error = refused(nowhere.path(), &[TCP]).finish(&EVERYTHING()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}/tcp", nowhere.path().display()));
}

#[test]
fn a_table_that_cannot_be_read_is_a_gap_beside_others() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("udp"), "").unwrap();
    let udp = Table { protocol: Protocol::Udp, family: Family::Inet };
    let request = Request { protocols: vec![Protocol::Udp], ..EVERYTHING() };
    let gaps = refused(directory.path(), &[TCP, udp]).finish(&request).unwrap().gaps;
    let missing = Gap::new(Missing::Sockets, "no such file or directory").count(1);
    assert_eq!(gaps[0], missing.detail("tcp over inet"));
}

#[test]
fn a_protocol_the_kernel_was_built_without_has_no_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let udplite = Table { protocol: Protocol::Udplite, family: Family::Inet };
    // Without its brother it cannot be told from a /proc that is not mounted.
    assert!(refused(directory.path(), &[udplite]).finish(&EVERYTHING()).is_err());
    std::fs::write(directory.path().join("udp"), "").unwrap();
    let request = Request { protocols: vec![Protocol::Udplite], ..EVERYTHING() };
    let dump = refused(directory.path(), &[udplite]).finish(&request).unwrap();
    assert_eq!((dump.sockets.len(), dump.gaps), (0, vec![]));
}

#[test]
fn a_row_that_comes_twice_is_one_socket() {
    let directory = tempfile::tempdir().unwrap();
    let rest = "00000000:00000000 00:00000000 00000000 0 0";
    let rows = [
        format!("0: 0100007F:0050 00000000:0000 0A {rest} 7"),
        format!("1: 0100007F:0050 00000000:0000 0A {rest} 8"), // its twin by SO_REUSEPORT
        format!("2: 0100007F:0050 0100007F:0051 06 {rest} 0"),
        format!("3: 0100007F:0050 0100007F:0052 06 {rest} 0"),
    ];
    std::fs::write(directory.path().join("tcp"), [&rows[..], &rows[..]].concat().join("\n"))
        .unwrap();
    let sockets = refused(directory.path(), &[TCP]).finish(&EVERYTHING()).unwrap().sockets;
    assert_eq!(sockets.len(), rows.len(), "{sockets:?}");
}

#[test]
fn unaccepted_unix_connections_are_as_many_as_there_are() {
    let directory = tempfile::tempdir().unwrap();
    let row = "0000000000000000: 00000003 00000000 00000000 0001 02 0 /run/x\n";
    std::fs::write(directory.path().join("unix"), row.repeat(3)).unwrap();
    let unix = Table { protocol: Protocol::Unix, family: Family::Unix };
    let sockets = refused(directory.path(), &[unix]).finish(&EVERYTHING()).unwrap().sockets;
    assert_eq!(sockets.len(), 3);
}

#[test]
fn a_missing_module_is_called_that() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("raw"), "").unwrap();
    let mut reader = Reader::new(directory.path());
    let raw = Table { protocol: Protocol::Raw, family: Family::Inet };
    reader.read_proc(raw, &io::Error::from_raw_os_error(2));
    let request = Request { protocols: vec![Protocol::Raw], ..EVERYTHING() };
    let gap = Gap::new(Missing::SocketFacts, "sock_diag: no module for it");
    let gap = gap.detail("cookies, control groups, devices and v6only of raw over inet");
    assert_eq!(reader.finish(&request).unwrap().gaps, [gap]);
}

#[test]
fn an_odd_row_of_the_fallback_is_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tcp"), "\x1b[31m what\n 1: again\n").unwrap();
    let gaps = refused(directory.path(), &[TCP]).finish(&EVERYTHING()).unwrap().gaps;
    let odd = Gap::new(Missing::Sockets, r"cannot understand '\x1b[31m what'");
    assert_eq!(gaps[0], odd.detail("2 rows of tcp over inet"));
}

#[test]
fn a_family_without_any_table_is_one_that_this_kernel_cannot_list() {
    let directory = tempfile::tempdir().unwrap();
    let packet = Table { protocol: Protocol::Packet, family: Family::Packet };
    let request = Request { protocols: vec![Protocol::Packet], ..EVERYTHING() };
    let dump = refused(directory.path(), &[packet]).finish(&request).unwrap();
    let gap = Gap::new(Missing::Sockets, "this kernel cannot list them").count(1).detail("packet");
    let hint = "list -A other names those that a process has a descriptor for";
    assert_eq!((dump.sockets.len(), dump.gaps), (0, vec![gap.clone().hint(hint)]));

    // Unless it does so already.
    let mut reader = refused(directory.path(), &[]);
    reader.names_others = true;
    reader.read_proc(packet, &io::ErrorKind::NotFound.into());
    assert_eq!(reader.gaps, [gap]);
}

#[test]
fn both_sources_agree_on_unix_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(directory.path().join("x")).unwrap();
    let (one, _other) = UnixStream::pair().unwrap();
    let datagram = UnixDatagram::unbound().unwrap();

    let table = Table { protocol: Protocol::Unix, family: Family::Unix };
    let theirs = refused(Path::new(proc_net::DIRECTORY), &[table]).finish(&EVERYTHING()).unwrap();
    let theirs: Vec<Socket> = theirs.sockets.iter().collect();
    let ours = unix_rows();
    for socket in [listener.as_fd(), one.as_fd(), datagram.as_fd()] {
        let mut ours = row_of(socket, &ours).clone();
        let theirs = row_of(socket, &theirs);
        (ours.id, ours.cookie, ours.uid, ours.queues) = (theirs.id, None, None, None);
        ours.rare = crate::rare::Rare::default();
        assert_eq!(*theirs, ours);
    }
}
