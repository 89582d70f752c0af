//! The peers: how each is asked for every TCP and UDP socket with its process, and how its answer is
//! read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use serde::Deserialize;

use crate::scene::Row;

/// A program that lists sockets.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) words: Vec<String>,
    read: fn(&str) -> Vec<Row>,
}

/// The ladders of sockscope.
pub(crate) fn own() -> Vec<Peer> {
    let own = |name, owners: &str| {
        let columns = ["-H", "--wide", "-o", "pid,local,peer"];
        let program = env!("CARGO_BIN_EXE_sockscope");
        let words = [program, "list", "--owners", owners].into_iter().chain(columns);
        Peer { name, words: words.map(str::to_owned).collect(), read: read_own }
    };
    vec![own("sockscope (bpf)", "bpf"), own("sockscope (proc)", "proc")]
}

/// What else is asked than the listing, beside what answers it, and the rows that the answer has.
pub(crate) fn questions(truth: &[Row]) -> Vec<(Peer, Peer, Vec<Row>)> {
    let ask = |name, words: &[&str], read| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Peer { name, words, read }
    };
    let program = env!("CARGO_BIN_EXE_sockscope");
    let table = ask(
        "sockscope list -o pid,local,peer",
        &[program, "list", "-H", "--wide", "-o", "pid,local,peer"],
        read_own,
    );
    let json = ask(
        "sockscope list --json",
        &[program, "list", "--json"],
        read_json as fn(&str) -> Vec<Row>,
    );
    let mut questions = vec![(json, table, truth.to_vec())];

    let connected: HashSet<&str> = truth
        .iter()
        .filter(|(_, _, peer)| peer != "-")
        .map(|(_, local, _)| local.as_str())
        .collect();
    let mut listeners =
        truth.iter().filter(|(_, local, peer)| peer == "-" && connected.contains(local.as_str()));
    if let Some((_, local, _)) = listeners.next() {
        let (_, port) = local.rsplit_once(':').unwrap();
        let own = ask("sockscope port N", &[program, "port", port], read_port);
        let filter = format!(":{port}");
        let ss = ask("ss -tlnp sport = :N", &["ss", "-tlnpH", "sport", "=", &filter], read_ss_tcp);
        let holders = truth.iter().filter(|(_, other, peer)| other == local && peer == "-");
        questions.push((own, ss, holders.cloned().collect()));
    }
    questions
}

/// The peers that are installed.
pub(crate) fn all() -> Vec<Peer> {
    let peer = |name, words: &[&str], read| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Peer { name, words, read }
    };
    let own = std::env::current_exe().unwrap();
    let own = own.to_str().unwrap();
    let all = [
        peer("ss -tunap", &["ss", "-tunapH"], read_ss as fn(&str) -> Vec<Row>),
        peer("lsof -nP -i", &["lsof", "-nP", "-i", "-Fpn"], read_lsof),
        peer("netstat -tunap", &["netstat", "-tunapW"], read_netstat),
        peer("crate netstat2", &[own, "--as", "netstat2"], read_plain),
        peer("crate listeners", &[own, "--as", "listeners"], read_plain),
    ];
    let is_installed = |peer: &Peer| {
        let program = &peer.words[0];
        program.starts_with('/') || Command::new(program).arg("-V").output().is_ok()
    };
    let (here, missing): (Vec<Peer>, Vec<Peer>) = all.into_iter().partition(is_installed);
    for peer in missing {
        println!("SKIPPED: {} is not installed", peer.name);
    }
    here
}

impl Peer {
    /// Asks once, and returns how many of the rows that are there it told.
    pub(crate) fn complete(&self, truth: &[Row]) -> usize {
        let output = Command::new(&self.words[0]).args(&self.words[1..]).output().unwrap();
        let told = (self.read)(&String::from_utf8_lossy(&output.stdout));
        let mut count: HashMap<&Row, usize> = HashMap::new();
        for row in &told {
            *count.entry(row).or_default() += 1;
        }
        truth.iter().filter(|row| count.contains_key(row)).count()
    }
}

fn read_own(text: &str) -> Vec<Row> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let pid = words.next()?.parse().ok()?;
            Some((pid, words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect()
}

/// The parts of the listing that the other answers have, too.
#[derive(Deserialize)]
struct List {
    sockets: Vec<Socket>,
}

#[derive(Deserialize)]
struct Socket {
    local: Option<SocketEnd>,
    peer: Option<SocketEnd>,
    owners: Vec<Owner>,
}

#[derive(Deserialize)]
struct SocketEnd {
    address: IpAddr,
    port: u16,
}

#[derive(Deserialize)]
struct Owner {
    pid: u32,
}

fn read_json(text: &str) -> Vec<Row> {
    let end = |end: Option<SocketEnd>| match end {
        Some(SocketEnd { address, port }) => SocketAddr::new(address, port).to_string(),
        None => "-".to_owned(),
    };
    let list: List = serde_json::from_str(text).unwrap();
    let rows = |Socket { local, peer, owners }: Socket| {
        let (local, peer) = (end(local), end(peer));
        owners.into_iter().map(move |Owner { pid }| (pid, local.clone(), peer.clone()))
    };
    list.sockets.into_iter().flat_map(rows).collect()
}

/// `  tcp   127.0.0.1:80  backlog 0 of 128`, and below it whose it is: `nginx (812, root, fd 6), for 3s: nginx`.
fn read_port(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut local = "";
    for line in
        text.lines().skip_while(|line| *line != "Listeners").take_while(|line| !line.is_empty())
    {
        let mut words = line.split_whitespace();
        if words.next() == Some("tcp") {
            local = words.next().unwrap();
        } else if let Some((_, owner)) = line.split_once(" (") {
            rows.extend(
                owner
                    .split(',')
                    .next()
                    .and_then(|pid| Some((pid.parse().ok()?, local.to_owned(), "-".to_owned()))),
            );
        }
    }
    rows
}

fn read_plain(text: &str) -> Vec<Row> {
    read_own(text)
}

fn nothing(peer: &str) -> String {
    if peer.ends_with(":*") || peer == "0.0.0.0:*" { "-".to_owned() } else { peer.to_owned() }
}

/// `tcp LISTEN 0 128 127.0.0.1:80 0.0.0.0:* users:(("x",pid=1,fd=3),("y",pid=2,fd=3))`
fn read_ss(text: &str) -> Vec<Row> {
    read_ss_from(text, 4)
}

/// Asked for one protocol, it leaves that out.
fn read_ss_tcp(text: &str) -> Vec<Row> {
    read_ss_from(text, 3)
}

/// The local end is in this column.
fn read_ss_from(text: &str, column: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().skip(column);
        let (Some(local), Some(peer)) = (words.next(), words.next()) else { continue };
        let pids = line.split("pid=").skip(1).filter_map(|rest| {
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
        });
        rows.extend(pids.map(|pid| (pid, local.to_owned(), nothing(peer))));
    }
    rows
}

/// `p123`, then for each of its descriptors `f3` and `n127.0.0.1:80->127.0.0.1:5000`.
fn read_lsof(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut pid = 0;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix('p') {
            pid = number.parse().unwrap_or(0);
        } else if let Some(name) = line.strip_prefix('n') {
            let (local, peer) = name.split_once("->").unwrap_or((name, "-"));
            rows.push((pid, local.to_owned(), peer.to_owned()));
        }
    }
    rows
}

/// `tcp 0 0 127.0.0.1:80 0.0.0.0:* LISTEN 123/x`; it names one process a socket.
fn read_netstat(text: &str) -> Vec<Row> {
    let end = |word: &str| match word.rsplit_once(':') {
        Some((address, port)) if address.contains(':') => format!("[{address}]:{port}"),
        _ => word.to_owned(),
    };
    text.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, _, _, local, peer, rest @ ..] = &words[..] else { return None };
            let pid = rest.iter().find_map(|word| word.split_once('/')?.0.parse().ok())?;
            Some((pid, end(local), nothing(&end(peer))))
        })
        .collect()
}

/// What a program does that lists with one of the crates, names included.
pub(crate) fn list_as(name: &str) {
    use std::fmt::Write as _;
    let mut text = String::new();
    if name == "netstat2" {
        use netstat2::{AddressFamilyFlags, ProtocolFlags, ProtocolSocketInfo, get_sockets_info};
        let families = AddressFamilyFlags::IPV4 | AddressFamilyFlags::IPV6;
        let protocols = ProtocolFlags::TCP | ProtocolFlags::UDP;
        let mut names = BTreeMap::new();
        for socket in get_sockets_info(families, protocols).unwrap() {
            let (local, peer) = match &socket.protocol_socket_info {
                ProtocolSocketInfo::Tcp(tcp) => {
                    let local = SocketAddr::new(tcp.local_addr, tcp.local_port);
                    let peer = SocketAddr::new(tcp.remote_addr, tcp.remote_port);
                    (local, (peer.port() != 0).then_some(peer))
                }
                ProtocolSocketInfo::Udp(udp) => {
                    (SocketAddr::new(udp.local_addr, udp.local_port), None)
                }
            };
            let peer = peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
            for pid in &socket.associated_pids {
                let name = names.entry(*pid).or_insert_with(|| command(*pid));
                writeln!(text, "{pid} {local} {peer} {name}").unwrap();
            }
        }
    } else {
        for listener in listeners::get_all().unwrap() {
            let process = &listener.process;
            writeln!(text, "{} {} - {}", process.pid, listener.socket, process.name).unwrap();
        }
    }
    print!("{text}");
}

fn command(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}
