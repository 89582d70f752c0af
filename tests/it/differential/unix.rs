//! UNIX sockets against `ss -xape` and `lsof -U`: the same sockets, names, types, states, queues,
//! peers and owners.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::Value;
use sockscope::state::TcpState;

use super::agrees_live;
use crate::netns;
use crate::support::{self, Running, skip};

/// What both sides say of one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    socket_type: String,
    /// In our spelling; CLOSED for a datagram socket without peer.
    state: String,
    queues: (u64, u64),
    name: String,
    peer: u64,
    owners: BTreeSet<(u64, u64)>,
}

/// Sockets by inode.
type Rows = BTreeMap<u64, Row>;

fn ss(nobody: bool) -> Option<Rows> {
    let mut command = Command::new(support::program("ss")?);
    command.args(["-H", "-x", "-a", "-p", "-e", "-O"]);
    if nobody && !netns::as_nobody(&mut command) {
        return None;
    }
    let output = support::output(&mut command);
    Some(String::from_utf8_lossy(&output.stdout).lines().map(parse_ss).collect())
}

/// `u_str ESTAB 0 0 NAME INODE * PEER users:((…)) <-> …`; a name may hold spaces.
fn parse_ss(line: &str) -> (u64, Row) {
    // Arrows tell which ways are not shut down.
    let arrows = [" <->", " -->", " <--", " ---"];
    let row = arrows.iter().find_map(|arrow| line.rsplit_once(arrow)).map_or(line, |(row, _)| row);
    let (row, owners) = match row.split_once(" users:((") {
        Some((row, users)) => (row, super::ss_owners(users)),
        None => (row, BTreeSet::new()),
    };
    let words: Vec<&str> = row.split_whitespace().collect();
    let [socket_type, state, recv, send, name @ .., inode, "*", peer] = &words[..] else {
        panic!("ss: {line}")
    };
    let row = Row {
        socket_type: match *socket_type {
            "u_str" => "stream".to_owned(),
            "u_dgr" => "dgram".to_owned(),
            "u_seq" => "seqpacket".to_owned(),
            other => panic!("ss: type {other}"),
        },
        state: TcpState::parse(state).unwrap().to_string(),
        queues: (recv.parse().unwrap(), send.parse().unwrap()),
        name: name.join(" ").trim_start_matches('*').to_owned(),
        peer: peer.parse().unwrap(),
        owners,
    };
    (inode.parse().unwrap(), row)
}

/// Our listing of UNIX sockets.
fn listing(nobody: bool) -> Vec<Value> {
    let mut command = support::sockscope();
    command.args(["list", "--json", "-x"]);
    assert!(!nobody || netns::as_nobody(&mut command));
    support::listed(&mut command)
}

fn ours(nobody: bool) -> Rows {
    listing(nobody)
        .iter()
        .map(|socket| (socket["inode"].as_u64().unwrap(), our_row(socket)))
        .collect()
}

fn our_row(socket: &Value) -> Row {
    let number = |name: &str| socket["queues"][name].as_u64().unwrap_or_default();
    Row {
        socket_type: socket["type"].as_str().unwrap().to_owned(),
        state: socket["state"].as_str().unwrap_or("CLOSED").to_owned(),
        queues: match socket["queues"]["kind"].as_str() {
            Some("backlog") => (number("pending"), number("limit")),
            _ => (number("recv"), number("send")),
        },
        name: name(&socket["local"]),
        peer: socket["peer_inode"].as_u64().unwrap_or_default(),
        owners: owners(&socket["owners"]),
    }
}

/// Writes a UNIX name as ss and lsof do: NULs as `@`.
fn name(end: &Value) -> String {
    match (end["path"].as_str(), end["abstract"].as_str()) {
        (Some(path), _) => path.to_owned(),
        (_, Some(name)) => format!("@{}", name.replace('\0', "@")),
        (None, None) => String::new(),
    }
}

pub(super) fn owners(owners: &Value) -> BTreeSet<(u64, u64)> {
    let owners = owners.as_array().unwrap().iter().filter(|owner| owner["via"] == "fd");
    owners.map(|owner| (owner["pid"].as_u64().unwrap(), owner["fd"].as_u64().unwrap())).collect()
}

/// Every type, bound to every kind of name, listening, connected, waiting, with bytes unread; and a
/// bus with a client, where one is installed.
struct Scene {
    _listeners: Vec<UnixListener>,
    _streams: Vec<UnixStream>,
    _datagrams: Vec<UnixDatagram>,
    _others: Vec<OwnedFd>,
    _bus: Option<Running>,
    _files: tempfile::TempDir,
}

impl Scene {
    /// Sets the scene, with a listener of this name.
    fn set(name: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let at = |name: &str| files.path().join(name);

        let listener = UnixListener::bind(at(name)).unwrap();
        let mut client = UnixStream::connect(at(name)).unwrap();
        let server = listener.accept().unwrap().0;
        client.write_all(b"unread").unwrap();
        let waiting = UnixStream::connect(at(name)).unwrap();
        let (one, two) = UnixStream::pair().unwrap();

        let log = UnixDatagram::bind(at("log")).unwrap();
        let logger = UnixDatagram::unbound().unwrap();
        logger.connect(at("log")).unwrap();
        logger.send(b"unread").unwrap();
        let (three, four) = UnixDatagram::pair().unwrap();

        let sequence = |flags| {
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        };
        let seqpacket = sequence(SocketFlags::CLOEXEC).unwrap();
        let address = SocketAddrUnix::new_abstract_name(b"sockscope\0test").unwrap();
        rustix::net::bind(&seqpacket, &address).unwrap();
        rustix::net::listen(&seqpacket, 3).unwrap();
        let other = sequence(SocketFlags::CLOEXEC).unwrap();
        rustix::net::connect(&other, &address).unwrap();
        let unbound = sequence(SocketFlags::CLOEXEC).unwrap();

        let bus = bus(&at("bus"));
        let mut streams = vec![client, server, waiting, one, two];
        if bus.is_some() {
            streams.push(UnixStream::connect(at("bus")).unwrap());
            support::wait_until(|| {
                let rows = listing(false);
                let accepted = |row: &&Value| {
                    row["state"] == "ESTABLISHED"
                        && row["local"]["path"].as_str().is_some_and(|path| path.ends_with("/bus"))
                };
                rows.iter().any(|row| accepted(&row))
            });
        }
        Self {
            _listeners: vec![listener],
            _streams: streams,
            _datagrams: vec![log, logger, three, four, UnixDatagram::unbound().unwrap()],
            _others: vec![seqpacket, other, unbound],
            _bus: bus,
            _files: files,
        }
    }
}

/// Starts a message bus: a server that nobody here wrote.
fn bus(path: &Path) -> Option<Running> {
    let Some(program) = support::program("dbus-daemon") else {
        skip("needs dbus-daemon");
        return None;
    };
    let mut command = Command::new(program);
    command.args(["--session", "--nofork", "--nosyslog", "--nopidfile", "--print-address=1"]);
    command.arg(format!("--address=unix:path={}", path.display()));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    Some(Running::start_and_read_line(&mut command).0)
}

#[test]
fn in_a_namespace_unix_sockets_are_exactly_those_of_ss() {
    let test = "differential::unix::in_a_namespace_unix_sockets_are_exactly_those_of_ss";
    netns::in_netns(test, || {
        let _scene = Scene::set("a b.sock");
        let Some(theirs) = ss(false) else { return skip("needs ss (iproute2)") };
        assert!(theirs.len() >= 13, "the scene is there: {theirs:#?}");
        assert_eq!(ours(false), theirs);
    });
}

/// What `lsof -U` says: (pid, descriptor, inode) -> `/path type=STREAM LISTEN`.
fn lsof(nobody: bool) -> Option<BTreeMap<(u64, u64, u64), Vec<String>>> {
    let mut command = Command::new(support::program("lsof")?);
    command.args(["-nP", "-U", "-F"]).stderr(Stdio::null());
    if nobody && !netns::as_nobody(&mut command) {
        return None;
    }
    Some(fields(&mut command))
}

/// Our fields of the same.
fn ours_as_lsof(nobody: bool) -> BTreeMap<(u64, u64, u64), Vec<String>> {
    let mut command = support::sockscope();
    command.args(["list", "-x", "-F"]);
    assert!(!nobody || netns::as_nobody(&mut command));
    fields(&mut command)
}

/// The fields of each descriptor, but for flags and addresses in memory, which are not ours to know.
fn fields(command: &mut Command) -> BTreeMap<(u64, u64, u64), Vec<String>> {
    let number = |line: &str| line.get(1..).and_then(|text| text.parse::<u64>().ok());
    let mut rows = BTreeMap::new();
    for ((process, file), lines) in super::field_sets(command) {
        if let Some(inode) = lines.iter().find(|line| line.starts_with('i')).and_then(|i| number(i))
        {
            let lines = lines.into_iter().filter(|line| !line.starts_with('d'));
            // A NUL is the kernel's `@` to lsof.
            let lines = lines.map(|line| line.replace("^@", "@")).collect();
            rows.insert((number(&process).unwrap(), number(&file).unwrap(), inode), lines);
        }
    }
    rows
}

#[test]
fn in_a_namespace_unix_sockets_are_exactly_those_of_lsof() {
    let test = "differential::unix::in_a_namespace_unix_sockets_are_exactly_those_of_lsof";
    netns::in_netns(test, || {
        // lsof cuts a name at its first space.
        let _scene = Scene::set("a.sock");
        let Some(theirs) = lsof(false) else { return skip("needs lsof") };
        assert!(theirs.len() >= 13, "the scene is there: {theirs:#?}");
        assert_eq!(ours_as_lsof(false), theirs);
    });
}

#[test]
fn on_the_live_machine_every_stable_unix_socket_of_ss_is_in_the_listing() {
    for nobody in [false, true] {
        if !agrees_live(|| ss(nobody), || ours(nobody)) {
            return skip("needs ss, and root to become nobody");
        }
    }
}

#[test]
fn on_the_live_machine_every_stable_unix_socket_of_lsof_is_in_the_listing() {
    for nobody in [false, true] {
        if !agrees_live(|| lsof(nobody), || ours_as_lsof(nobody)) {
            return skip("needs lsof, and root to become nobody");
        }
    }
}

/// What ss cannot tell: whose the other end is, and what it is called.
#[test]
fn every_end_knows_the_name_and_the_owners_of_the_other() {
    let test = "differential::unix::every_end_knows_the_name_and_the_owners_of_the_other";
    netns::in_netns(test, || {
        let _scene = Scene::set("a b.sock");
        let rows: BTreeMap<u64, Value> =
            listing(false).into_iter().map(|row| (row["inode"].as_u64().unwrap(), row)).collect();
        let mut met = 0;
        for row in rows.values() {
            let Some(peer) = row["peer_inode"].as_u64() else { continue };
            met += 1;
            assert_eq!(row["peer"], rows[&peer]["local"], "{row:#}");
            assert_eq!(row["peer_owners"], rows[&peer]["owners"], "{row:#}");
        }
        assert!(met >= 7, "{met} have a peer");
    });
}

#[test]
fn a_client_that_waits_to_be_accepted_has_the_listener_at_the_other_end() {
    netns::in_netns(
        "differential::unix::a_client_that_waits_to_be_accepted_has_the_listener_at_the_other_end",
        || {
            let files = tempfile::tempdir().unwrap();
            let path = files.path().join("x");
            let listener = UnixListener::bind(&path).unwrap();
            let client = UnixStream::connect(&path).unwrap();
            let own = rustix::fs::fstat(&client).unwrap().st_ino;
            let row = || support::list(&["-x", &format!("inode {own}")]).remove(0);

            let waiting = row();
            assert_eq!(waiting["peer"]["path"], path.to_str().unwrap());
            assert_eq!(waiting["peer_inode"], Value::Null);
            assert_eq!(waiting["peer_owners"][0]["pid"], std::process::id());
            assert_eq!(waiting["peer_owners"][0]["via"], "accept-queue");

            let _server = listener.accept().unwrap();
            assert_eq!(row()["peer_owners"][0]["via"], "fd");
        },
    );
}
