//! The listing against `ss -tunap` and `lsof -nP -i`: the same sockets, states, queues and owners.
//!
//! docs/differences.md is the written list of accepted differences; whatever is not on it fails.
//! In a private namespace the comparison is exact; on the live machine only rows that the other
//! tool shows the same before and after our run count.

mod families;
mod unix;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use sockscope::state::TcpState;

use crate::netns;
use crate::support::{self, Running, skip};

/// What both sides say of one socket, in words both have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    protocol: String,
    /// In our spelling; `connected` and `unconnected` for UDP.
    state: String,
    recv_q: u64,
    send_q: u64,
    /// `address%device:port`, the wildcards as ss writes them, the device only where bound to one.
    local: String,
    peer: String,
    inode: u64,
    owners: BTreeSet<(u64, u64)>,
}

/// Sockets by cookie.
type Rows = BTreeMap<u64, Row>;

fn ss(nobody: bool) -> Option<Rows> {
    let mut command = Command::new(support::program("ss")?);
    command.args(["-H", "-t", "-u", "-n", "-a", "-p", "-e", "-O"]);
    if nobody && !netns::as_nobody(&mut command) {
        return None;
    }
    let output = support::output(&mut command);
    Some(String::from_utf8_lossy(&output.stdout).lines().map(parse_ss).collect())
}

pub(crate) fn parse_ss(line: &str) -> (u64, Row) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [protocol, state, recv_q, send_q, local, peer, rest @ ..] = &words[..] else {
        panic!("ss: {line}")
    };
    let field = |name: &str| {
        rest.iter()
            .find_map(|word| word.strip_prefix(name))
            .map(|value| value.trim_start_matches("0x"))
    };
    let state = match (*protocol, *state) {
        ("udp", "ESTAB") => "connected".to_owned(),
        ("udp", _) => "unconnected".to_owned(),
        (_, word) => {
            TcpState::parse(word).unwrap_or_else(|| panic!("ss: state {word}")).to_string()
        }
    };
    // users:(("nginx",pid=1,fd=3),("nginx",pid=2,fd=3)); a name may hold anything but its end.
    let owners =
        line.split_once("users:((").map_or_else(BTreeSet::new, |(_, users)| ss_owners(users));
    let row = Row {
        protocol: (*protocol).to_owned(),
        state,
        recv_q: recv_q.parse().unwrap(),
        send_q: send_q.parse().unwrap(),
        local: (*local).to_owned(),
        peer: (*peer).to_owned(),
        inode: field("ino:").map_or(0, |inode| inode.parse().unwrap()),
        owners,
    };
    let cookie = u64::from_str_radix(field("sk:").unwrap(), 16).unwrap();
    (cookie, row)
}

/// Returns the processes and descriptors of what ss writes after `users:((`.
fn ss_owners(users: &str) -> BTreeSet<(u64, u64)> {
    let owners = users.split(",pid=").skip(1).map(|owner| {
        let (pid, rest) = owner.split_once(",fd=").unwrap();
        (pid.parse().unwrap(), rest.split(')').next().unwrap().parse().unwrap())
    });
    owners.collect()
}

/// Our listing in the same words. Left out, because ss 6.1 has no row for them: bound sockets.
fn ours(nobody: bool) -> Rows {
    let mut command = support::sockscope();
    command.args(["list", "--json", "-t", "-u"]);
    assert!(!nobody || netns::as_nobody(&mut command));
    support::listed(&mut command)
        .iter()
        .filter(|socket| socket["state"] != "BOUND")
        .map(|socket| (socket["cookie"].as_u64().unwrap(), our_row(socket)))
        .collect()
}

pub(crate) fn our_row(socket: &Value) -> Row {
    let queues = &socket["queues"];
    let number = |name: &str| queues[name].as_u64().unwrap_or_default();
    let (recv_q, send_q) = match queues["kind"].as_str() {
        Some("backlog") => (number("pending"), number("limit")),
        _ => (number("recv"), number("send")),
    };
    let state = match (socket["state"].as_str(), socket["peer"].is_null()) {
        (Some(state), _) => state,
        (None, true) => "unconnected",
        (None, false) => "connected",
    };
    let owners = socket["owners"].as_array().unwrap().iter().filter(|owner| owner["via"] == "fd");
    Row {
        protocol: socket["protocol"].as_str().unwrap().to_owned(),
        state: state.to_owned(),
        recv_q,
        send_q,
        local: ss_address(socket, "local"),
        peer: ss_address(socket, "peer"),
        inode: socket["inode"].as_u64().unwrap_or_default(),
        owners: owners
            .map(|owner| (owner["pid"].as_u64().unwrap(), owner["fd"].as_u64().unwrap()))
            .collect(),
    }
}

/// Writes an end as ss does: `*` for both families at once, `[v6]`, `%device`, port `*` for none.
fn ss_address(socket: &Value, end: &str) -> String {
    let inet6 = socket["family"] == "inet6";
    let dual = inet6 && socket["v6only"] != true;
    let wildcard = match (inet6, dual) {
        (false, _) => "0.0.0.0",
        (true, true) => "*",
        (true, false) => "[::]",
    };
    let (address, port) = match socket[end]["address"].as_str() {
        None => (wildcard.to_owned(), "*".to_owned()),
        Some("::") => (wildcard.to_owned(), socket[end]["port"].to_string()),
        Some(v6) if v6.contains(':') => (format!("[{v6}]"), socket[end]["port"].to_string()),
        Some(v4) => (v4.to_owned(), socket[end]["port"].to_string()),
    };
    match socket["interface"]["name"].as_str().filter(|_| end == "local") {
        Some(device) => format!("{address}%{device}:{port}"),
        None => format!("{address}:{port}"),
    }
}

/// What `lsof -nP -i` says: (pid, descriptor, inode) -> `TCP 127.0.0.1:80->127.0.0.1:5000 LISTEN`.
fn lsof(nobody: bool) -> Option<BTreeMap<(u64, u64, u64), String>> {
    let mut command = Command::new(support::program("lsof")?);
    command.args(["-nP", "-i", "-FpfdPnT"]).stderr(Stdio::null());
    if nobody && !netns::as_nobody(&mut command) {
        return None;
    }
    let output = support::output(&mut command);
    let mut rows = BTreeMap::new();
    let (mut pid, mut fd, mut inode) = (0, 0, 0);
    let (mut protocol, mut name) = (String::new(), String::new());
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    // One more descriptor, so that the last row is closed like the others.
    text.push_str("f0\n");
    for line in text.lines() {
        let (letter, value) = line.split_at(1);
        match letter {
            "p" | "f" => {
                if inode != 0 {
                    rows.insert((pid, fd, inode), format!("{protocol} {name}"));
                    inode = 0;
                }
                if letter == "p" {
                    pid = value.parse().unwrap();
                } else {
                    fd = value.parse().unwrap_or(u64::MAX);
                }
            }
            "d" => inode = value.parse().unwrap(),
            "P" => value.clone_into(&mut protocol),
            "n" => value.clone_into(&mut name),
            "T" => {
                if let Some(state) = value.strip_prefix("ST=") {
                    name = format!("{name} {state}");
                }
            }
            _ => (),
        }
    }
    Some(rows)
}

/// Our rows as lsof has them: one a descriptor.
fn ours_as_lsof(nobody: bool) -> BTreeMap<(u64, u64, u64), String> {
    let mut command = support::sockscope();
    command.args(["list", "--json", "-t", "-u"]);
    assert!(!nobody || netns::as_nobody(&mut command));
    let mut rows = BTreeMap::new();
    for socket in support::listed(&mut command) {
        let inode = socket["inode"].as_u64().unwrap_or_default();
        let end = |end: &str| {
            let endpoint = &socket[end];
            let address = match endpoint["address"].as_str()? {
                "0.0.0.0" | "::" => "*".to_owned(),
                // lsof writes a mapped address as the IPv4 address it is.
                v6 if v6.contains(':') => match v6.strip_prefix("::ffff:") {
                    Some(v4) => v4.to_owned(),
                    None => format!("[{v6}]"),
                },
                v4 => v4.to_owned(),
            };
            Some(format!("{address}:{}", endpoint["port"]))
        };
        let name = format!(
            "{} {}{}{}",
            socket["protocol"].as_str().unwrap().to_uppercase(),
            end("local").unwrap_or_default(),
            end("peer").map_or_else(String::new, |peer| format!("->{peer}")),
            socket["state"].as_str().map_or_else(String::new, |state| format!(" {state}")),
        );
        for owner in
            socket["owners"].as_array().unwrap().iter().filter(|owner| owner["via"] == "fd")
        {
            rows.insert(
                (owner["pid"].as_u64().unwrap(), owner["fd"].as_u64().unwrap(), inode),
                name.clone(),
            );
        }
    }
    rows
}

/// Sockets in every state and form that this process alone can hold still, plus servers that nobody
/// here wrote, where they are installed.
struct Scene {
    _tcp: Vec<TcpListener>,
    _streams: Vec<TcpStream>,
    _udp: Vec<UdpSocket>,
    _servers: Vec<Running>,
    _files: tempfile::TempDir,
}

impl Scene {
    fn set() -> Self {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let dual = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        let any = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let mut streams = Vec::new();

        // Open both ways, with bytes unread at one end.
        let mut client = TcpStream::connect(v4.local_addr().unwrap()).unwrap();
        client.write_all(b"unread").unwrap();
        streams.extend([v4.accept().unwrap().0, client]);
        // IPv4 on an IPv6 socket.
        let port = dual.local_addr().unwrap().port();
        let mapped = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        streams.extend([dual.accept().unwrap().0, mapped]);
        // FIN_WAIT2 and CLOSE_WAIT.
        let half = TcpStream::connect(v4.local_addr().unwrap()).unwrap();
        half.shutdown(Shutdown::Write).unwrap();
        let (mut other, _) = v4.accept().unwrap();
        assert_eq!(other.read(&mut [0; 8]).unwrap(), 0, "the FIN has arrived");
        streams.extend([half, other]);
        // TIME_WAIT at the client's end, which closes first.
        let mut first = TcpStream::connect(v4.local_addr().unwrap()).unwrap();
        let (second, _) = v4.accept().unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        second.shutdown(Shutdown::Both).unwrap();
        assert_eq!(first.read(&mut [0; 8]).unwrap(), 0);
        drop((first, second));
        // Waiting to be accepted.
        streams.push(
            TcpStream::connect((Ipv4Addr::LOCALHOST, any.local_addr().unwrap().port())).unwrap(),
        );

        let bound = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let connected = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        connected.connect(connected.local_addr().unwrap()).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender.send_to(b"unread", bound.local_addr().unwrap()).unwrap();

        let files = tempfile::tempdir().unwrap();
        Self {
            _tcp: vec![v4, dual, any],
            _streams: streams,
            _udp: vec![bound, connected, sender],
            _servers: servers(files.path()),
            _files: files,
        }
    }
}

/// Starts the servers found on this machine, in a network namespace where nobody else has their ports,
/// with their files in `directory`.
fn servers(directory: &Path) -> Vec<Running> {
    let mut running = Vec::new();
    let mut start = |name: &str, processes: usize, port: u16, args: &[&str]| {
        let Some(program) = support::program(name) else { return skip(&format!("needs {name}")) };
        let mut command = Command::new(program);
        command.args(args).current_dir(directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        running.push(Running::start(&mut command));
        support::wait_until_listening(port);
        wait_until_quiet(port, processes);
    };
    let port = 8001;
    start("python3", 1, port, &["-m", "http.server", "--bind", "::", &port.to_string()]);
    let port = 8002;
    start(
        "redis-server",
        1,
        port,
        &["--port", &port.to_string(), "--save", "", "--daemonize", "no"],
    );
    if !netns::may_be_nobody() {
        skip("needs root, for the workers of nginx, which become nobody");
        return running;
    }
    // A master and two workers that share one listener.
    let port = 8003;
    let config = format!(
        "daemon off; pid nginx.pid; worker_processes 2; events {{}} \
         http {{ access_log off; server {{ listen {port}; }} }}"
    );
    std::fs::write(directory.join("nginx.conf"), config).unwrap();
    let prefix = directory.to_str().unwrap();
    start("nginx", 3, port, &["-p", prefix, "-c", "nginx.conf", "-e", "stderr"]);
    running
}

/// Waits until so many processes, all with their final user, hold the listener, and the connection
/// that found it listening is over: until then two tools cannot see the same.
#[track_caller]
fn wait_until_quiet(port: u16, processes: usize) {
    let deadline = Instant::now() + support::PATIENCE;
    loop {
        let rows = support::list(&["-t", &format!("local port {port}")]);
        let users = |row: &Value| -> BTreeSet<u64> {
            let owners = row["owners"].as_array().unwrap();
            owners.iter().filter_map(|owner| owner["uid"].as_u64()).collect()
        };
        let quiet = rows.iter().all(|row| match row["state"].as_str() {
            Some("LISTEN") => {
                row["queues"]["pending"] == 0
                    && row["owners"].as_array().unwrap().len() == processes
                    // A master runs as root, its workers as another user, once they have begun.
                    && (processes == 1 || !netns::is_root() || users(row).len() == 2)
            }
            state => state == Some("TIME_WAIT"),
        });
        if quiet && !rows.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "port {port} is not quiet: {rows:#?}");
    }
}

#[track_caller]
fn assert_same(theirs: &Rows, ours: &Rows) {
    for (cookie, row) in theirs {
        assert_eq!(ours.get(cookie), Some(row), "socket with cookie {cookie:x}");
    }
}

/// Compares our rows with theirs on the live machine, where only rows that they show the same before
/// and after count. Even those may have changed and changed back meanwhile: a row is wrong when it
/// differs each time. Returns false when theirs cannot be had.
#[track_caller]
fn agrees_live<K, V>(
    theirs: impl Fn() -> Option<BTreeMap<K, V>>,
    ours: impl Fn() -> BTreeMap<K, V>,
) -> bool
where
    K: Ord + Clone + Debug,
    V: PartialEq + Debug,
{
    let mut wrong: Option<BTreeMap<K, String>> = None;
    for _ in 0..5 {
        let Some(before) = theirs() else { return false };
        let ours = ours();
        let Some(after) = theirs() else { return false };
        let differing: BTreeMap<K, String> = before
            .into_iter()
            .filter(|(key, row)| after.get(key) == Some(row) && ours.get(key) != Some(row))
            .filter(|(key, _)| wrong.as_ref().is_none_or(|wrong| wrong.contains_key(key)))
            .map(|(key, row)| {
                let both = format!("theirs {row:?}, ours {:?}", ours.get(&key));
                (key, both)
            })
            .collect();
        if differing.is_empty() {
            return true;
        }
        wrong = Some(differing);
    }
    panic!("these rows differ each time: {wrong:#?}");
}

#[test]
fn in_a_namespace_the_listing_is_exactly_that_of_ss() {
    netns::in_netns("differential::in_a_namespace_the_listing_is_exactly_that_of_ss", || {
        let _scene = Scene::set();
        let Some(theirs) = ss(false) else { return skip("needs ss (iproute2)") };
        let ours = ours(false);
        assert!(theirs.len() >= 14, "the scene is there: {theirs:#?}");
        assert_same(&theirs, &ours);
        assert_eq!(
            ours.keys().collect::<Vec<_>>(),
            theirs.keys().collect::<Vec<_>>(),
            "and no others"
        );
    });
}

#[test]
fn in_a_namespace_the_listing_is_exactly_that_of_lsof() {
    netns::in_netns("differential::in_a_namespace_the_listing_is_exactly_that_of_lsof", || {
        let _scene = Scene::set();
        let Some(theirs) = lsof(false) else { return skip("needs lsof") };
        assert!(theirs.len() >= 12, "the scene is there: {theirs:#?}");
        assert_eq!(ours_as_lsof(false), theirs);
    });
}

/// The sets of `lsof -F` output: the process's first line and the descriptor's (none for the
/// process's own set) -> the lines.
fn field_sets(command: &mut Command) -> BTreeMap<(String, String), Vec<String>> {
    let output = support::output(command.stderr(Stdio::null()));
    let (mut process, mut file) = (String::new(), String::new());
    let mut sets: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if line.starts_with('p') {
            (process, file) = (line.to_owned(), String::new());
        } else if line.starts_with('f') {
            line.clone_into(&mut file);
        }
        // Process groups and file flags are not ours to know.
        if !line.starts_with(['g', 'G']) {
            sets.entry((process.clone(), file.clone())).or_default().push(line.to_owned());
        }
    }
    // lsof does not see a socket that is merely bound: docs/differences.md.
    sets.retain(|_, lines| !lines.iter().any(|line| line == "TST=BOUND"));
    sets
}

#[test]
fn in_a_namespace_the_fields_are_exactly_those_of_lsof() {
    netns::in_netns("differential::in_a_namespace_the_fields_are_exactly_those_of_lsof", || {
        let _scene = Scene::set();
        let Some(lsof) = support::program("lsof") else { return skip("needs lsof") };
        let theirs = field_sets(Command::new(lsof).args(["-nP", "-i", "-F"]));
        let ours = field_sets(support::sockscope().args(["list", "-t", "-u", "-F"]));
        assert!(theirs.len() >= 12, "the scene is there: {theirs:#?}");
        assert_eq!(ours, theirs);
    });
}

#[test]
fn on_the_live_machine_every_stable_row_of_ss_is_in_the_listing() {
    for nobody in [false, true] {
        if !agrees_live(|| ss(nobody), || ours(nobody)) {
            return skip("needs ss, and root to become nobody");
        }
    }
}

#[test]
fn on_the_live_machine_every_stable_row_of_lsof_is_in_the_listing() {
    for nobody in [false, true] {
        if !agrees_live(|| lsof(nobody), || ours_as_lsof(nobody)) {
            return skip("needs lsof, and root to become nobody");
        }
    }
}
