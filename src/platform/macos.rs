//! macOS: the kernel's own tables, and a walk over the descriptors of every process.
//!
//! The tables (`pcblist_n`) have every socket of TCP and UDP, whoever's, TIME_WAIT too, and no owners.
//! The descriptors (`proc_pidfdinfo`) have the owners, and UNIX sockets, of the processes that may be
//! looked into: without root, one's own. One socket has one handle, so what was inherited over `fork` is
//! one row with all its owners, and twins by SO_REUSEPORT are two. The two sources are joined by the
//! generation of the control block, which both tell as it is.
//!
//! [`read`] takes what asks the kernel as a value, so all of this is tested on every system.

mod fdinfo;
mod layout;
mod pcblist;
mod process;
#[cfg(test)]
mod sample;
#[cfg(target_os = "macos")]
pub(crate) mod sys;

use std::collections::{BTreeSet, HashMap};
use std::io;

use self::fdinfo::Told;
use crate::error::CollectError;
use crate::options::SocketOptions;
use crate::platform::bsd;
use crate::platform::bsd::pcb::Pcb;
use crate::platform::{Request, clock};
use crate::process::{Fd, Holder, Pid, Process, Via};
use crate::snapshot::{Collected, Gap, Missing};
use crate::socket::{Cookie, Protocol, Socket, SocketId};

/// What this backend calls itself.
const NAME: &str = "macos";

/// Protocols that macOS may have sockets of, and that are not read yet.
const UNREAD: [Protocol; 3] = [Protocol::Raw, Protocol::Icmp, Protocol::Vsock];

/// What asks the kernel: bytes as it gives them.
pub(super) trait Kernel {
    /// Reads a table by its name (`sysctlbyname(3)`).
    fn table(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Returns the processes there are.
    fn pids(&self) -> io::Result<Vec<Pid>>;
    /// Reads the descriptors of a process (`PROC_PIDLISTFDS`).
    fn descriptors(&self, pid: Pid) -> io::Result<Vec<u8>>;
    /// Reads about the socket behind a descriptor (`PROC_PIDFDSOCKETINFO`).
    fn socket(&self, pid: Pid, fd: Fd) -> io::Result<Vec<u8>>;
    /// Returns the name of the interface with this number.
    fn interface(&self, index: u32) -> Option<String>;
    /// Reads about processes and, with `details`, their ancestors.
    fn processes(&self, pids: &BTreeSet<Pid>, details: bool) -> (Vec<Process>, Option<Gap>);
}

/// The native backend of macOS.
#[cfg(target_os = "macos")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MacOs;

#[cfg(target_os = "macos")]
impl crate::platform::Backend for MacOs {
    fn collect(&mut self, request: &Request) -> Result<Collected, CollectError> {
        let mut collected = read(&sys::Darwin, request)?;
        let owners: Vec<_> = collected.sockets.iter().filter_map(|socket| socket.uid).collect();
        crate::platform::users::name_all(&mut collected, owners);
        Ok(collected)
    }
}

/// Collects from this kernel. The names of users are not looked up.
pub(super) fn read(kernel: &impl Kernel, request: &Request) -> Result<Collected, CollectError> {
    bsd::check(request)?;
    let mut collected = Collected::new(clock::now(), "macos", NAME);
    collected.gaps.extend(bsd::never_read(request, &UNREAD));
    let wants_unix = request.protocols.contains(&Protocol::Unix);
    let wants_pcbs = inet(request).next().is_some();

    let mut tables = Tables::read(kernel, request);
    collected.gaps.append(&mut tables.gaps);
    let needs_walk = request.owners || wants_unix || tables.refused.is_some();
    let walk = (needs_walk && (wants_pcbs || wants_unix)).then(|| Walk::through(kernel));
    if let (Some(refused), Some(walk)) = (tables.refused.take(), &walk)
        && (walk.told.is_empty() && tables.pcbs.is_empty() && !wants_unix)
    {
        let operation = "read net.inet.tcp.pcblist_n".to_owned();
        return Err(CollectError::Unreadable { operation, source: refused });
    }
    let mut sockets = Sockets::default();
    for pcb in tables.pcbs {
        sockets.add_pcb(&pcb);
    }
    let mut holders = Vec::new();
    if let Some(walk) = walk {
        let is_wanted = |told: &Told| match told {
            Told::Pcb(pcb) => request.protocols.contains(&pcb.protocol),
            Told::Local(_) => wants_unix,
            Told::Other => false,
        };
        for (pid, fd, told) in walk.told.into_iter().filter(|(.., told)| is_wanted(told)) {
            if let Some(socket) = sockets.place(told) {
                holders.push(Holder { pid, tid: None, fd: Some(fd), socket, via: Via::Fd });
            }
        }
        collected.gaps.extend(walk.gaps);
    }
    let mut sockets = sockets.list;
    bsd::name_interfaces(&mut sockets, |index| kernel.interface(index));
    collected.gaps.extend(never_told(wants_pcbs));
    if request.owners {
        let again = || Tables::read(kernel, request).pcbs.iter().map(Pcb::cookie).collect();
        collected.vanished = bsd::vanished(&sockets, &holders, again);
        let pids: BTreeSet<Pid> = holders.iter().map(|holder| holder.pid).collect();
        let (processes, gap) = kernel.processes(&pids, request.process_details);
        collected.processes = processes;
        collected.gaps.extend(gap);
        collected.holders = Some(holders);
    }
    collected.sockets = sockets;
    Ok(collected)
}

/// Reads the options of the socket with this cookie through its holder's descriptor.
pub(super) fn holder_options(
    kernel: &impl Kernel,
    pid: Pid,
    fd: Fd,
    cookie: Cookie,
) -> io::Result<SocketOptions> {
    match fdinfo::decode_socket(&kernel.socket(pid, fd)?) {
        Some(Told::Pcb(pcb)) if pcb.cookie() == cookie => Ok(pcb.options()),
        Some(_) | None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Returns the protocols asked for that have a table, with its name.
fn inet(request: &Request) -> impl Iterator<Item = (Protocol, &'static str)> {
    [(Protocol::Tcp, "net.inet.tcp.pcblist_n"), (Protocol::Udp, "net.inet.udp.pcblist_n")]
        .into_iter()
        .filter(|(protocol, _)| request.protocols.contains(protocol))
}

/// Returns what the kernel never tells, whatever the machine does. Of a timer it tells when it began,
/// by a clock that nobody can read (`OFFSET_FROM_START`, xnu's bsd/netinet/tcp_timer.h).
fn never_told(wants_pcbs: bool) -> Option<Gap> {
    let why = "macos does not tell when timers run out, what device a socket is bound to, or what \
               its buffers and connection counted";
    wants_pcbs.then(|| Gap::new(Missing::SocketFacts, why))
}

/// What the tables told.
#[derive(Default)]
struct Tables {
    pcbs: Vec<Pcb>,
    gaps: Vec<Gap>,
    /// Why one could not be read at all.
    refused: Option<io::Error>,
}

impl Tables {
    fn read(kernel: &impl Kernel, request: &Request) -> Self {
        let mut all = Self::default();
        for (protocol, name) in inet(request) {
            match kernel.table(name) {
                Ok(bytes) => {
                    let rows = pcblist::decode(&bytes, protocol);
                    all.pcbs.extend(rows.pcbs);
                    all.gaps.extend(bsd::malformed(name, rows.malformed));
                }
                Err(error) => {
                    let what = format!("{protocol} in TIME_WAIT and of other users");
                    all.gaps.push(bsd::unread(what, &error));
                    all.refused = Some(error);
                }
            }
        }
        all
    }
}

/// What the descriptors told.
#[derive(Default)]
struct Walk {
    told: Vec<(Pid, Fd, Told)>,
    gaps: Vec<Gap>,
}

impl Walk {
    fn through(kernel: &impl Kernel) -> Self {
        let mut walk = Self::default();
        let pids = match kernel.pids() {
            Ok(pids) => pids,
            Err(error) => {
                let why = crate::error::cause(&error);
                walk.gaps.push(Gap::new(Missing::Descriptors, why));
                return walk;
            }
        };
        let (mut denied, mut malformed) = (0, 0);
        for pid in pids {
            let descriptors = match kernel.descriptors(pid) {
                Ok(descriptors) => descriptors,
                Err(error) => {
                    // Any other answer is that of a process that has ended.
                    denied += usize::from(error.kind() == io::ErrorKind::PermissionDenied);
                    continue;
                }
            };
            for fd in fdinfo::decode_descriptors(&descriptors) {
                // One that cannot be read was closed meanwhile.
                let Ok(bytes) = kernel.socket(pid, fd) else { continue };
                match fdinfo::decode_socket(&bytes) {
                    Some(Told::Other) => {}
                    Some(told) => walk.told.push((pid, fd, told)),
                    None => malformed += 1,
                }
            }
        }
        if denied > 0 {
            let gap = Gap::new(Missing::Descriptors, "permission denied").count(denied);
            walk.gaps.push(gap.hint(bsd::SUDO));
        }
        walk.gaps.extend(bsd::malformed("descriptors", malformed));
        walk
    }
}

/// The sockets, each once, numbered from 1.
#[derive(Default)]
struct Sockets {
    list: Vec<Socket>,
    by_cookie: HashMap<Cookie, SocketId>,
    by_handle: HashMap<u64, SocketId>,
}

impl Sockets {
    fn add_pcb(&mut self, pcb: &Pcb) -> SocketId {
        let id = self.push(pcb.to_socket());
        self.by_cookie.insert(pcb.cookie(), id);
        id
    }

    fn push(&mut self, socket: Socket) -> SocketId {
        let id = SocketId(self.list.len() as u64 + 1);
        self.list.push(Socket { id, ..socket });
        id
    }

    /// Returns the socket that a descriptor shows: one that is known by its handle, one that a table
    /// told of, or a new one.
    fn place(&mut self, told: Told) -> Option<SocketId> {
        let handle = told.handle()?;
        if let Some(id) = self.by_handle.get(&handle) {
            return Some(*id);
        }
        let id = match told {
            Told::Pcb(pcb) => match self.by_cookie.get(&pcb.cookie()) {
                Some(id) => *id,
                None => self.add_pcb(&pcb),
            },
            Told::Local(local) => self.push(local.into_socket()),
            Told::Other => return None,
        };
        self.by_handle.insert(handle, id);
        Some(id)
    }
}

#[cfg(test)]
mod tests;
