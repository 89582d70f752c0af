//! FreeBSD: the tables of control blocks, joined with the table of all descriptors by the address of
//! the socket, as sockstat(1) does.
//!
//! Everybody may read all of it unless the administrator (`security.bsd.see_other_uids` and its like)
//! says otherwise; the kernel then leaves rows out without a word, and a gap says so.
//!
//! [`read`] takes what asks the kernel as a value, so all of this is tested on every system.

mod layout;
mod process;
#[cfg(test)]
mod sample;
#[cfg(target_os = "freebsd")]
pub(crate) mod sys;
mod tables;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;

use self::tables::{Held, Rows};
use crate::error::{CollectError, cause};
use crate::options::SocketOptions;
use crate::platform::bsd;
use crate::platform::bsd::pcb::Pcb;
use crate::platform::bsd::process_control::Seen;
use crate::platform::{Request, clock};
use crate::process::{Exe, ExeState, Holder, Pid, Process, Via};
use crate::snapshot::{Collected, Gap, Missing};
use crate::socket::{Cookie, Inode, Protocol, Socket, SocketId};
use crate::text::Text;

/// What this backend calls itself.
const NAME: &str = "freebsd";

/// Protocols that FreeBSD may have sockets of, and that are not read yet.
const UNREAD: [Protocol; 6] = [
    Protocol::Raw,
    Protocol::Icmp,
    Protocol::Udplite,
    Protocol::Sctp,
    Protocol::Netlink,
    Protocol::Vsock,
];

/// The tables of the Internet.
const INET: [(Protocol, &str); 2] =
    [(Protocol::Tcp, "net.inet.tcp.pcblist"), (Protocol::Udp, "net.inet.udp.pcblist")];

/// The tables of UNIX sockets, by type.
const UNIX: [&str; 3] =
    ["net.local.stream.pcblist", "net.local.dgram.pcblist", "net.local.seqpacket.pcblist"];

/// What hides others' sockets and processes when it is 0 (`security(7)`).
const POLICIES: [&str; 3] =
    ["security.bsd.see_other_uids", "security.bsd.see_other_gids", "security.bsd.see_jail_proc"];

/// What is asked about one process (`KERN_PROC_`, freebsd/sys/sys/sysctl.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// A `struct kinfo_proc`.
    Process,
    Arguments,
    Program,
}

/// What asks the kernel: bytes as it gives them.
pub(super) trait Kernel {
    /// Reads a value or table by its name (`sysctlbyname(3)`).
    fn table(&self, name: &str) -> io::Result<Vec<u8>>;
    fn about(&self, pid: Pid, what: About) -> io::Result<Vec<u8>>;
    /// Returns the name of the interface with this number.
    fn interface(&self, index: u32) -> Option<String>;
    /// Whether the asker is root.
    fn is_root(&self) -> bool;
}

/// The native backend of FreeBSD.
#[cfg(target_os = "freebsd")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FreeBsd;

#[cfg(target_os = "freebsd")]
impl crate::platform::Backend for FreeBsd {
    fn collect(&mut self, request: &Request) -> Result<Collected, CollectError> {
        let mut collected = read(&sys::Kernel, request)?;
        let owners: Vec<_> = collected.sockets.iter().filter_map(|socket| socket.uid).collect();
        crate::platform::users::name_all(&mut collected, owners);
        Ok(collected)
    }
}

/// Collects from this kernel. The names of users are not looked up.
pub(super) fn read(kernel: &impl Kernel, request: &Request) -> Result<Collected, CollectError> {
    bsd::check(request)?;
    let mut collected = Collected::new(clock::now(), "freebsd", NAME);
    collected.gaps.extend(bsd::never_read(request, &UNREAD));
    let mut tables = Tables::read(kernel, request);
    if let (Some(source), 0) = (tables.refused.take(), tables.read) {
        let operation = "read the tables of sockets".to_owned();
        return Err(CollectError::Unreadable { operation, source });
    }
    collected.gaps.append(&mut tables.gaps);
    collected.gaps.extend(never_told(!tables.pcbs.is_empty()));
    let mut sockets: Vec<Socket> = tables.pcbs.iter().map(|pcb| pcb.to_socket()).collect();
    sockets.extend(tables.unix.into_iter().map(bsd::pcb::Local::into_socket));
    for (number, socket) in (1..).zip(&mut sockets) {
        socket.id = SocketId(number);
    }
    bsd::name_interfaces(&mut sockets, |index| kernel.interface(index));
    let restriction = restriction(kernel);
    if let Some(why) = &restriction {
        let gap = Gap::new(Missing::Sockets, why).detail("of other users");
        collected.gaps.push(gap.hint(bsd::SUDO));
    }
    if request.owners {
        let (holders, gaps) = find_holders(kernel, &sockets);
        let all_seen = gaps.is_empty() && restriction.is_none();
        collected.gaps.extend(gaps);
        if let Some(why) = restriction {
            collected.gaps.push(Gap::new(Missing::Descriptors, why).hint(bsd::SUDO));
        }
        let again = || Tables::read(kernel, request).pcbs.iter().map(Pcb::cookie).collect();
        collected.vanished = bsd::vanished(&sockets, &holders, again);
        if all_seen {
            forget_unheld(&mut sockets, &holders, &collected.vanished);
        }
        let pids: BTreeSet<Pid> = holders.iter().map(|holder| holder.pid).collect();
        let (processes, gap) = read_processes(kernel, &pids, request.process_details);
        collected.processes = processes;
        collected.gaps.extend(gap);
        collected.holders = Some(holders);
    }
    collected.sockets = sockets;
    Ok(collected)
}

/// Returns what the kernel never tells.
fn never_told(any: bool) -> Option<Gap> {
    let why = "freebsd does not tell how often timers ran out, or what connections counted";
    any.then(|| Gap::new(Missing::SocketFacts, why))
}

/// Returns why rows of others may have been left out; `None` when none were.
fn restriction(kernel: &impl Kernel) -> Option<String> {
    let is_off = |name: &&str| {
        let value = kernel.table(name).ok().and_then(|bytes| bytes.first_chunk().copied());
        value.map(u32::from_ne_bytes) == Some(0)
    };
    let policy = POLICIES.into_iter().find(is_off).filter(|_| !kernel.is_root())?;
    Some(format!("{policy} is 0"))
}

/// What the tables told.
#[derive(Default)]
struct Tables {
    pcbs: Vec<Pcb>,
    unix: Vec<bsd::pcb::Local>,
    gaps: Vec<Gap>,
    /// How many could be read.
    read: usize,
    /// Why one could not.
    refused: Option<io::Error>,
}

impl Tables {
    fn read(kernel: &impl Kernel, request: &Request) -> Self {
        let mut all = Self::default();
        let wanted = |protocol| request.protocols.contains(&protocol);
        for (protocol, name) in INET.into_iter().filter(|(protocol, _)| wanted(*protocol)) {
            let Some(bytes) = all.table(kernel, name, protocol.name()) else { continue };
            let Rows { rows, malformed } = tables::decode_pcbs(&bytes, protocol);
            all.pcbs.extend(rows);
            all.gaps.extend(bsd::malformed(name, malformed));
        }
        if wanted(Protocol::Unix) {
            let read: Vec<Vec<u8>> =
                UNIX.into_iter().filter_map(|name| all.table(kernel, name, name)).collect();
            let Rows { rows, malformed } = tables::decode_unix(&read);
            all.unix = rows;
            all.gaps.extend(bsd::malformed("unix sockets", malformed));
        }
        all
    }

    fn table(&mut self, kernel: &impl Kernel, name: &str, what: &str) -> Option<Vec<u8>> {
        match kernel.table(name) {
            Ok(bytes) => {
                self.read += 1;
                Some(bytes)
            }
            Err(error) => {
                self.gaps.push(bsd::unread(what, &error));
                self.refused = Some(error);
                None
            }
        }
    }
}

/// Finds who holds the sockets.
fn find_holders(kernel: &impl Kernel, sockets: &[Socket]) -> (Vec<Holder>, Vec<Gap>) {
    let files = match kernel.table("kern.file") {
        Ok(bytes) => tables::decode_files(&bytes),
        Err(error) => {
            let gap = Gap::new(Missing::Descriptors, format!("read kern.file: {}", cause(&error)));
            return (Vec::new(), vec![gap]);
        }
    };
    let known: HashMap<Inode, SocketId> =
        sockets.iter().filter_map(|socket| Some((socket.inode?, socket.id))).collect();
    let holder = |Held { pid, fd, handle }: Held| {
        let socket = *known.get(&Inode(handle))?;
        Some(Holder { pid, tid: None, fd: Some(fd), socket, via: Via::Fd })
    };
    let gap = (files.malformed > 0).then(|| {
        let why = "kern.file is in a form that this version does not know";
        Gap::new(Missing::Descriptors, why)
    });
    (files.rows.into_iter().filter_map(holder).collect(), gap.into_iter().collect())
}

/// Takes the number, which stands for a file, from connections that no descriptor is of though all were
/// seen: they were not accepted yet, or are closed and not over. The kernel does not say it itself.
fn forget_unheld(sockets: &mut [Socket], holders: &[Holder], vanished: &[SocketId]) {
    let held: HashSet<SocketId> = holders.iter().map(|holder| holder.socket).collect();
    let is_unheld = |socket: &&mut Socket| {
        socket.protocol == Protocol::Tcp
            && socket.peer.is_some()
            && !held.contains(&socket.id)
            && !vanished.contains(&socket.id)
    };
    for socket in sockets.iter_mut().filter(is_unheld) {
        (socket.inode, socket.uid) = (None, None);
    }
}

/// Reads about these processes and, with `details`, their programs and ancestors.
fn read_processes(
    kernel: &impl Kernel,
    pids: &BTreeSet<Pid>,
    details: bool,
) -> (Vec<Process>, Option<Gap>) {
    let table = kernel.table("kern.proc.proc").unwrap_or_default();
    let all: BTreeMap<Pid, Process> = process::decode(&table)
        .into_iter()
        .map(|row| {
            (row.process.pid, Process { is_stopped: details && row.is_stopped, ..row.process })
        })
        .collect();
    let mut wanted = pids.clone();
    if details {
        let mut last: BTreeSet<Pid> = pids.clone();
        while !last.is_empty() {
            let parents = last.iter().filter_map(|pid| all.get(pid)?.ppid);
            last = parents
                .filter(|parent| all.contains_key(parent) && wanted.insert(*parent))
                .collect();
        }
    }
    let unknown = pids.iter().filter(|pid| !all.contains_key(pid)).count();
    let mut processes: Vec<Process> =
        wanted.iter().map(|pid| all.get(pid).cloned().unwrap_or(Process::new(*pid))).collect();
    for process in &mut processes {
        let about = |what| kernel.about(process.pid, what).ok();
        process.argv = about(About::Arguments).and_then(|bytes| process::decode_arguments(&bytes));
        if details {
            let path = about(About::Program)
                .map(|path| Text::new(path.strip_suffix(b"\0").unwrap_or(&path)));
            process.exe = path
                .filter(|path| !path.as_bytes().is_empty())
                .map(|path| Exe { path, state: ExeState::Current });
        }
    }
    let gap = (unknown > 0)
        .then(|| Gap::new(Missing::ProcessFacts, "gone, or not to be read").count(unknown));
    (processes, gap)
}

/// Reads the options of the socket with this cookie.
pub(super) fn holder_options(kernel: &impl Kernel, cookie: Cookie) -> io::Result<SocketOptions> {
    let mut pcbs = Vec::new();
    for (protocol, name) in INET {
        pcbs.extend(tables::decode_pcbs(&kernel.table(name)?, protocol).rows);
    }
    let found = pcbs.iter().find(|pcb| pcb.cookie() == cookie);
    found.map(Pcb::options).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Looks at a process that may be ended.
pub(super) fn look(kernel: &impl Kernel, pid: Pid) -> io::Result<Seen> {
    let bytes = kernel.about(pid, About::Process)?;
    let rows = process::decode(&bytes);
    let row = rows.first().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Seen {
        start: row.process.start.ok_or(io::ErrorKind::InvalidData)?,
        parent: row.process.ppid,
        has_ended: row.has_ended,
        is_stopped: row.is_stopped,
        is_kernels: row.is_kernels,
    })
}

#[cfg(test)]
mod tests;
