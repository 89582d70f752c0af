//! See it yourself: the commands that show a lesson's rows in another terminal, with the ports, process
//! numbers and inodes that they have right now, and the rows that each of these tools does not show.
//!
//! Pure, and data: the page and the transcript print the same.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::demo::cast::Role;
use crate::process::{Ownership, Pid, Via};
use crate::snapshot::{Entry, Snapshot};
use crate::socket::{Endpoint, Inode, Protocol};
use crate::state::TcpState;

/// A command for another terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeeIt {
    /// The program: `lsof`.
    pub tool: &'static str,
    /// The whole command line, for a shell.
    pub command: String,
    /// The rows that it leaves out, by the names that the lesson gives them.
    pub lacks: Vec<&'static str>,
}

/// What tells the lesson's rows of one kind from all others.
#[derive(Debug, Default)]
struct Marks<'a> {
    rows: Vec<(Role, &'a Entry)>,
    ports: Vec<u16>,
    inodes: BTreeSet<Inode>,
    pids: BTreeSet<Pid>,
}

/// Returns the commands that show these rows on this system (`std::env::consts::OS`), ours first; none
/// when there are no rows.
pub fn see_it(system: &str, snapshot: &Snapshot, roles: &[Role]) -> Vec<SeeIt> {
    let of = |protocol| {
        let rows = roles.iter().copied().zip(&snapshot.entries);
        Marks::of(rows.filter(|(_, entry)| entry.socket.protocol == protocol).collect())
    };
    let internet = |protocol, short: char, word: &str| {
        let marks = of(protocol);
        let (ports, digits) = (list(&marks.ports, ","), list(&marks.ports, "|"));
        let across = if marks.is_in_one_netns() { "" } else { " --netns all" };
        let ss = match &*marks.ports {
            [port] => format!("ss -{short}anpo 'sport = :{port} or dport = :{port}'"),
            _ => format!("ss -{short}anpo | grep -E ':({digits}) '"),
        };
        let grep = match system {
            "linux" => format!("netstat -{short}anpo | grep -E ':({digits}) '"),
            "windows" => format!("netstat -ano | findstr /R \"{}\"", windows(&marks.ports)),
            _ => format!("netstat -an -p {word} | grep -E '\\.({digits}) '"),
        };
        let mut commands = vec![
            marks.row("sockscope", format!("sockscope -{short}e{across} 'port {ports}'"), |_| true),
            marks.row("lsof", format!("lsof -nP -i{}:{ports}", word.to_uppercase()), is_in_lsof),
            marks.row("ss", ss, |entry| is_in_proc(entry) && marks.is_here(entry)),
            marks.row("netstat", grep, |entry| is_in_proc(entry) && marks.is_here(entry)),
        ];
        keep_known(system, &mut commands);
        if marks.rows.is_empty() { Vec::new() } else { commands }
    };
    let unix = || {
        let marks = of(Protocol::Unix);
        let inodes: Vec<u64> = marks.inodes.iter().map(|inode| inode.0).collect();
        let (commas, bars) = (list(&inodes, ","), list(&inodes, "|"));
        let pids: Vec<u32> = marks.pids.iter().map(|pid| pid.0).collect();
        let by_inode = |entry: &Entry| entry.socket.inode.is_some();
        let mut commands = vec![
            marks.row("sockscope", format!("sockscope -xe 'inode {commas}'"), by_inode),
            marks.row("lsof", format!("lsof -nP -a -U -p {}", list(&pids, ",")), is_in_lsof),
            marks.row("ss", format!("ss -xanp | grep -wE '{bars}'"), by_inode),
            marks.row("netstat", format!("netstat -xanp | grep -wE '{bars}'"), by_inode),
        ];
        keep_known(system, &mut commands);
        if marks.rows.is_empty() { Vec::new() } else { commands }
    };
    let mut commands = internet(Protocol::Tcp, 't', "tcp");
    commands.extend(internet(Protocol::Udp, 'u', "udp"));
    commands.extend(unix());
    commands
}

impl<'a> Marks<'a> {
    fn of(rows: Vec<(Role, &'a Entry)>) -> Self {
        let mut marks = Self { rows, ..Self::default() };
        // Listeners first: their port is also an end of each of their connections.
        let (listening, others): (Vec<_>, Vec<_>) =
            marks.rows.iter().partition(|(_, entry)| entry.socket.is_listening());
        for (_, entry) in listening.into_iter().chain(others) {
            let port = |end: &Option<Endpoint>| end.as_ref().and_then(Endpoint::port);
            let ends = [port(&entry.socket.local), port(&entry.socket.peer)];
            if !ends.iter().flatten().any(|port| marks.ports.contains(port)) {
                marks.ports.extend(ends.into_iter().flatten().next());
            }
            marks.inodes.extend(entry.socket.inode);
            marks.pids.extend(entry.ownership.owners().iter().map(|owner| owner.process.pid));
        }
        marks
    }

    fn is_in_one_netns(&self) -> bool {
        self.rows.iter().all(|(_, entry)| self.is_here(entry))
    }

    /// Returns whether the row is in the namespace where the lesson began.
    fn is_here(&self, entry: &Entry) -> bool {
        self.rows.first().is_none_or(|(_, first)| first.socket.netns == entry.socket.netns)
    }

    fn row(&self, tool: &'static str, command: String, shows: impl Fn(&Entry) -> bool) -> SeeIt {
        let lacks = self.rows.iter().filter(|(_, entry)| !shows(entry));
        SeeIt { tool, command, lacks: lacks.map(|(role, _)| role.name).collect() }
    }
}

/// Takes away the tools that this system does not have.
fn keep_known(system: &str, commands: &mut Vec<SeeIt>) {
    commands.retain(|see| match see.tool {
        "ss" => system == "linux",
        "lsof" => system != "windows",
        _ => true,
    });
}

/// lsof lists descriptors, and finds the address of a socket in `/proc/net`.
fn is_in_lsof(entry: &Entry) -> bool {
    let Ownership::Held(owners) = &entry.ownership else { return false };
    is_in_proc(entry) && owners.iter().any(|owner| owner.via == Via::Fd)
}

/// `/proc/net/tcp` has no socket that is bound only (`tcp_seek_last_pos`, linux/net/ipv4/tcp_ipv4.c);
/// ss shows it from iproute2 6.8 on, with `-B`.
fn is_in_proc(entry: &Entry) -> bool {
    entry.socket.state != Some(TcpState::Bound)
}

fn list(numbers: &[impl ToString], between: &str) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// `findstr` takes several patterns, with spaces between them.
fn windows(ports: &[u16]) -> String {
    ports.iter().map(|port| format!(":{port}\\>")).collect::<Vec<_>>().join(" ")
}
