//! The scenes: what is on the machine, and the processes that hold it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Processes that are alike.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Group {
    pub(crate) processes: usize,
    /// What each of them has.
    pub(crate) threads: usize,
    pub(crate) plain: usize,
    pub(crate) listeners: usize,
    /// Both ends of each.
    pub(crate) v4_pairs: usize,
    /// The same over IPv6.
    pub(crate) v6_pairs: usize,
    pub(crate) udp: usize,
    /// Both ends of each.
    pub(crate) unix_pairs: usize,
}

/// A scene by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) groups: &'static [Group],
}

const NONE: Group = Group {
    processes: 0,
    threads: 1,
    plain: 0,
    listeners: 0,
    v4_pairs: 0,
    v6_pairs: 0,
    udp: 0,
    unix_pairs: 0,
};

/// As in the project's notes on performance. Each pair of a group needs a listener.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "S1",
        what: "a laptop",
        groups: &[
            Group {
                processes: 30,
                threads: 8,
                plain: 20,
                listeners: 1,
                v4_pairs: 1,
                udp: 1,
                unix_pairs: 2,
                ..NONE
            },
            Group { processes: 10, threads: 20, plain: 30, udp: 2, unix_pairs: 1, ..NONE },
            Group { processes: 70, threads: 10, plain: 30, ..NONE },
            Group { processes: 190, plain: 20, ..NONE },
        ],
    },
    Scene {
        name: "S2",
        what: "a server",
        groups: &[
            Group {
                processes: 10,
                threads: 20,
                plain: 50,
                listeners: 10,
                v4_pairs: 800,
                v6_pairs: 200,
                udp: 20,
                unix_pairs: 50,
            },
            Group {
                processes: 100,
                threads: 5,
                plain: 20,
                listeners: 1,
                udp: 3,
                unix_pairs: 5,
                ..NONE
            },
            Group { processes: 390, plain: 20, ..NONE },
        ],
    },
    Scene {
        name: "S3",
        what: "100,000 connections",
        groups: &[
            Group {
                processes: 6,
                threads: 16,
                listeners: 1,
                v4_pairs: 8333,
                plain: 10,
                udp: 1,
                ..NONE
            },
            Group { processes: 1000, plain: 48, ..NONE },
        ],
    },
    Scene {
        name: "S4",
        what: "5,000 processes",
        groups: &[
            Group { processes: 50, plain: 28, listeners: 1, v4_pairs: 1, udp: 1, ..NONE },
            Group { processes: 4950, plain: 28, ..NONE },
        ],
    },
    Scene {
        name: "S0",
        what: "a nearly empty machine",
        groups: &[Group { processes: 3, plain: 3, listeners: 1, v4_pairs: 1, udp: 1, ..NONE }],
    },
];

impl Group {
    const fn sockets(&self) -> usize {
        self.listeners + 2 * self.v4_pairs + 2 * self.v6_pairs + self.udp + 2 * self.unix_pairs
    }

    const fn arguments(&self) -> [usize; 7] {
        let Self { threads, plain, listeners, v4_pairs, v6_pairs, udp, unix_pairs, .. } = *self;
        [threads, plain, listeners, v4_pairs, v6_pairs, udp, unix_pairs]
    }
}

/// One TCP or UDP socket that is there: who has it, and its ends as ss writes them.
pub(crate) type Row = (u32, String, String);

/// A scene that is there; it goes with this.
#[derive(Debug)]
pub(crate) struct Built {
    children: Vec<Child>,
    /// Every TCP and UDP socket that a process holds, sorted.
    pub(crate) truth: Vec<Row>,
    pub(crate) processes: usize,
    pub(crate) descriptors: usize,
}

/// Builds it of processes of this program, and of `sleep` where only plain files are held.
pub(crate) fn build(groups: &[Group]) -> Built {
    let mut built = Built { children: Vec::new(), truth: Vec::new(), processes: 0, descriptors: 0 };
    let mut starting: Vec<(Child, BufReader<std::process::ChildStdout>)> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        for number in 0..group.processes {
            let mut command = if group.sockets() == 0 && group.threads == 1 {
                let mut sleep = Command::new("sleep");
                sleep.arg("infinity");
                sleep
            } else {
                let mut holder = Command::new("/proc/self/exe");
                holder.arg("--hold").args(group.arguments().map(|number| number.to_string()));
                holder
            };
            // A machine has more than one user.
            let user = if number % 3 == 0 { 0 } else { 2000 + u32::try_from(index).unwrap() };
            command.uid(user).stdin(Stdio::null()).stderr(Stdio::inherit());
            built.processes += 1;
            built.descriptors += group.plain + group.sockets() + 3;
            if group.sockets() == 0 && group.threads == 1 {
                let plain = plain_for_children(group.plain);
                built.children.push(command.stdout(Stdio::null()).spawn().unwrap());
                drop(plain);
            } else {
                let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
                let output = BufReader::new(child.stdout.take().unwrap());
                starting.push((child, output));
            }
        }
    }
    for (child, output) in starting {
        let pid = child.id();
        built.children.push(child);
        for line in output.lines() {
            let line = line.unwrap();
            if line == "ready" {
                break;
            }
            let (local, peer) = line.split_once(' ').unwrap();
            built.truth.push((pid, local.to_owned(), peer.to_owned()));
        }
    }
    built.truth.sort();
    built
}

impl Drop for Built {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().ok();
        }
        for child in &mut self.children {
            child.wait().ok();
        }
    }
}

/// Opens plain files that a child inherits.
fn plain_for_children(count: usize) -> Vec<std::os::fd::OwnedFd> {
    let open = |_| {
        let file = File::open("/dev/null").unwrap();
        // A duplicate made so is not closed by exec.
        rustix::io::dup(&file).unwrap()
    };
    (0..count).map(open).collect()
}

/// What a holder does: makes what the arguments say, tells it, and waits to be ended.
pub(crate) fn hold(arguments: &[String]) -> ! {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
    let numbers: Vec<usize> = arguments.iter().map(|word| word.parse().unwrap()).collect();
    let [threads, plain, listeners, v4_pairs, v6_pairs, udp, unix_pairs] = numbers[..] else {
        panic!("{arguments:?}")
    };
    let mut told = std::io::BufWriter::new(std::io::stdout().lock());
    let mut tell = |local: SocketAddr, peer: Option<SocketAddr>| {
        let peer = peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
        writeln!(told, "{local} {peer}").unwrap();
    };
    let plain: Vec<File> = (0..plain).map(|_| File::open("/dev/null").unwrap()).collect();
    let v6_listeners = usize::from(v6_pairs > 0);
    let listeners: Vec<TcpListener> = (0..listeners)
        .map(|number| {
            let v6 = number < v6_listeners;
            let address: std::net::IpAddr =
                if v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
            TcpListener::bind((address, 0)).unwrap()
        })
        .collect();
    for listener in &listeners {
        tell(listener.local_addr().unwrap(), None);
    }
    let mut connections = Vec::new();
    let mut connect = |listener: &TcpListener| {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, peer) = listener.accept().unwrap();
        let local = server.local_addr().unwrap();
        tell(peer, Some(local));
        tell(local, Some(peer));
        connections.push((client, server));
    };
    for number in 0..v6_pairs + v4_pairs {
        let (all_v6, all_v4) = listeners.split_at(v6_listeners);
        let all = if number < v6_pairs { all_v6 } else { all_v4 };
        connect(&all[number % all.len()]);
    }
    let udp: Vec<UdpSocket> =
        (0..udp).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    for socket in &udp {
        tell(socket.local_addr().unwrap(), None);
    }
    let pairs: Vec<_> = (0..unix_pairs).map(|_| UnixStream::pair().unwrap()).collect();
    for _ in 1..threads {
        std::thread::Builder::new().stack_size(16 * 1024).spawn(sleep_forever).unwrap();
    }
    writeln!(told, "ready").unwrap();
    told.flush().unwrap();
    drop(told);
    let _held = (plain, listeners, connections, udp, pairs);
    sleep_forever()
}

fn sleep_forever() -> ! {
    loop {
        std::thread::park();
    }
}
