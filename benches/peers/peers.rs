//! The peers: how each is asked for every TCP and UDP socket with its process, and how its answer is
//! read.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;

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

fn read_plain(text: &str) -> Vec<Row> {
    read_own(text)
}

fn nothing(peer: &str) -> String {
    if peer.ends_with(":*") || peer == "0.0.0.0:*" { "-".to_owned() } else { peer.to_owned() }
}

/// `tcp LISTEN 0 128 127.0.0.1:80 0.0.0.0:* users:(("x",pid=1,fd=3),("y",pid=2,fd=3))`
fn read_ss(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, _, local, peer, ..] = words[..] else { continue };
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
                    let local = std::net::SocketAddr::new(tcp.local_addr, tcp.local_port);
                    let peer = std::net::SocketAddr::new(tcp.remote_addr, tcp.remote_port);
                    (local, (peer.port() != 0).then_some(peer))
                }
                ProtocolSocketInfo::Udp(udp) => {
                    (std::net::SocketAddr::new(udp.local_addr, udp.local_port), None)
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
