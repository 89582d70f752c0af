//! The sockets of this thread's network namespace, table by table: from sock_diag
//! (`sock_diag(7)`), and what that refuses from `/proc/net`.
//!
//! Says which table came from where and with what losses; who holds a socket is not asked here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io;
use std::os::linux::fs::MetadataExt as _;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

use super::netlink::Rows;
use super::{
    diag_details, inet_diag, netlink, netlink_diag, packet_diag, proc_net, unix_diag, vsock_diag,
    xdp_diag,
};
use crate::error::{CollectError, cause};
use crate::platform::{PortWish, Request};
use crate::snapshot::{Gap, Missing};
use crate::socket::{Cookie, Endpoint, Family, Inode, Interface, NetnsId, Protocol, Socket};
use crate::sockets::Sockets;
use crate::state::TcpState;
use crate::text::Text;

/// The sockets read, and what could not be.
#[derive(Debug)]
pub(crate) struct Dump {
    /// Each socket once, with an id unique among them.
    pub(crate) sockets: Sockets,
    /// What could not be read.
    pub(crate) gaps: Vec<Gap>,
}

/// Reads the tables asked for. What the request narrows is skipped in the kernel; that all TCP
/// listeners are read when owners are wanted costs next to nothing, they have a table of their own.
///
/// # Errors
///
/// When not one of the tables could be read, in either way.
pub(crate) fn dump(request: &Request) -> Result<Dump, CollectError> {
    Reader::new(Path::new(proc_net::DIRECTORY)).dump(request)
}

/// Reads the tables asked for from the files of another namespace, which this thread may not enter.
///
/// # Errors
///
/// When not one of the files could be read.
pub(crate) fn dump_files(
    directory: &Path,
    netns: NetnsId,
    request: &Request,
) -> Result<Dump, CollectError> {
    Reader::elsewhere(directory, netns).dump(request)
}

/// The message type of nearly every request and row (linux/include/uapi/linux/sock_diag.h).
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The one before it, of TCP alone, which takes "any family" (linux/include/uapi/linux/inet_diag.h).
const TCPDIAG_GETSOCK: u16 = 18;

/// One table of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Table {
    protocol: Protocol,
    family: Family,
}

/// Why a table is missing that only some kernels have.
pub(super) const CANNOT_LIST: &str = "this kernel cannot list them";

/// The tables of TCP.
const TCP: [Table; 2] = [
    Table { protocol: Protocol::Tcp, family: Family::Inet },
    Table { protocol: Protocol::Tcp, family: Family::Inet6 },
];

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, family } = self;
        if !family.is_ip() {
            return write!(f, "{protocol}");
        }
        write!(f, "{protocol} over {family}")
    }
}

/// Returns the tables a request needs. Of [`Protocol::Other`] there is none: see [`super::unlisted`].
fn tables(request: &Request) -> impl Iterator<Item = Table> {
    let of = |&protocol: &Protocol| {
        request.families.iter().map(move |&family| Table { protocol, family })
    };
    request
        .protocols
        .iter()
        .flat_map(of)
        .filter(|Table { protocol, family }| protocol.families().contains(family))
        .filter(|table| table.protocol != Protocol::Other)
}

/// Returns a bit for each state wanted: all there may ever be when the request names none. UDP has
/// the bits of ESTABLISHED and CLOSE, as the request means it.
fn state_bits(request: &Request) -> u32 {
    let Some(states) = &request.states else { return u32::MAX };
    let bit = |state: &TcpState| 1_u32.checked_shl(state.to_linux().into()).unwrap_or_default();
    states.iter().map(bit).fold(0, |bits, bit| bits | bit)
}

/// Reads tables one by one and remembers how each went.
#[derive(Debug)]
struct Reader<'a> {
    /// Where the files of /proc/net are.
    directory: &'a Path,
    /// Whether details are wanted.
    details: bool,
    /// Whether it is a gap when the kernel cannot list what only some kernels can.
    by_name: bool,
    /// Whether those are named all the same: see [`super::unlisted`].
    names_others: bool,
    /// The namespace whose files they are, where it is not this thread's: sock_diag would tell of
    /// ours.
    elsewhere: Option<NetnsId>,
    taken: Taken,
    gaps: Vec<Gap>,
    /// The tables read from /proc/net, and why sock_diag did not give them.
    fallbacks: BTreeMap<Table, String>,
    /// Whether any table could be read.
    success: bool,
    /// The first table that could be read in neither way.
    failure: Option<(Table, io::Error)>,
}

impl<'a> Reader<'a> {
    fn new(directory: &'a Path) -> Self {
        Self { elsewhere: None, ..Self::with(directory, current_netns()) }
    }

    fn elsewhere(directory: &'a Path, netns: NetnsId) -> Self {
        Self::with(directory, Some(netns))
    }

    fn with(directory: &'a Path, netns: Option<NetnsId>) -> Self {
        Self {
            directory,
            details: false,
            by_name: false,
            names_others: false,
            elsewhere: netns,
            taken: Taken { netns, ..Taken::default() },
            gaps: Vec::new(),
            fallbacks: BTreeMap::new(),
            success: false,
            failure: None,
        }
    }

    fn dump(mut self, request: &Request) -> Result<Dump, CollectError> {
        self.details = request.details;
        // Whoever wants all of IP's, or all there is, names none of what a kernel may be without.
        self.by_name = !request.protocols.contains(&Protocol::Raw);
        self.names_others = super::unlisted::are_wanted(request);
        let states = state_bits(request);
        let mut tables: Vec<Table> = tables(request).collect();
        if TCP.iter().all(|table| tables.contains(table)) && self.read_tcp(states, request) {
            tables.retain(|table| !TCP.contains(table));
        }
        for table in tables {
            self.read(table, states, request.ports.as_ref());
        }
        let listeners = 1 << TcpState::Listen.to_linux();
        let narrowed = request.ports.is_some() || states & listeners == 0;
        for protocol in [Protocol::Tcp, Protocol::Mptcp] {
            if !request.owners || !request.protocols.contains(&protocol) {
                continue;
            }
            for family in [Family::Inet, Family::Inet6] {
                let table = Table { protocol, family };
                // A table of /proc/net was read whole.
                let whole = !narrowed || self.fallbacks.contains_key(&table);
                if !(whole && request.families.contains(&family)) {
                    self.read(table, listeners, None);
                }
            }
        }
        self.finish(request)
    }

    /// Reads the tables of TCP over both families at once: the kernel has them in one, which it would
    /// walk through for each. Returns false where it cannot be asked so, nothing being read.
    fn read_tcp(&mut self, states: u32, request: &Request) -> bool {
        if self.elsewhere.is_some() {
            return false;
        }
        let extensions = if self.details { diag_details::EXTENSIONS } else { 0 };
        let Some(body) = inet_diag::encode_tcp_request(states, request.ports.as_ref(), extensions)
        else {
            return false;
        };
        let decode = inet_diag::decoder(self.details);
        let each = |message: &[u8]| decode(message, Protocol::Tcp);
        let Ok(outcome) = netlink::dump(TCPDIAG_GETSOCK, &body, &mut self.taken, each) else {
            return false;
        };
        self.note(Protocol::Tcp, outcome);
        true
    }

    fn read(&mut self, table: Table, states: u32, ports: Option<&PortWish>) {
        if table.protocol == Protocol::Icmp {
            return self.read_ping(table);
        }
        if self.elsewhere.is_some() {
            return self.read_proc(table, &Errno::PERM.into());
        }
        match read_diag(table, states, ports, self.details, &mut self.taken) {
            Ok(outcome) => self.note(table, outcome),
            Err(refusal) => self.read_proc(table, &refusal),
        }
    }

    /// Says how well a dump came through.
    fn note(&mut self, table: impl fmt::Display, outcome: netlink::Outcome) {
        self.success = true;
        if !outcome.consistent {
            let why = "inconsistent: it kept changing while it was read";
            self.gaps.push(Gap::new(Missing::Sockets, why).detail(table.to_string()));
        }
        if outcome.malformed > 0 {
            self.odd_rows(table, outcome.malformed, "malformed message");
        }
    }

    fn read_proc(&mut self, table: Table, refusal: &io::Error) {
        match proc_net::read(self.directory, table.protocol, table.family) {
            Ok(read) => {
                self.success = true;
                let no_module = refusal.kind() == io::ErrorKind::NotFound;
                let why = if no_module { "no module for it".to_owned() } else { cause(refusal) };
                self.fallbacks.insert(table, why);
                self.take_table(table, read);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_absent(table) => {
                self.success = true;
            }
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && !is_everywhere(table)
                    && self.directory.exists() =>
            {
                self.success = true;
                let always = matches!(table.family, Family::Packet | Family::Netlink);
                if self.by_name || always || self.has_sockets(table.protocol) {
                    let gap = Gap::new(Missing::Sockets, CANNOT_LIST).count(1);
                    let gap = gap.detail(table.to_string());
                    let hint = "list -A other names those that a process has a descriptor for";
                    self.gaps.push(if self.names_others { gap } else { gap.hint(hint) });
                }
            }
            Err(error) => {
                let gap = Gap::new(Missing::Sockets, cause(&error)).count(1);
                self.gaps.push(gap.detail(table.to_string()));
                self.failure.get_or_insert((table, error));
            }
        }
    }

    /// Reads the sockets that send pings: only `/proc/net` has them, and its two tables only together tell
    /// which socket is of which family.
    fn read_ping(&mut self, table: Table) {
        match proc_net::read_pings(self.directory, table.family) {
            Ok(read) => {
                self.success = true;
                self.take_table(table, read);
            }
            Err(error) => {
                let gap = Gap::new(Missing::Sockets, cause(&error)).count(1);
                self.gaps.push(gap.detail(table.to_string()));
                self.failure.get_or_insert((table, error));
            }
        }
    }

    fn take_table(&mut self, table: Table, read: proc_net::Table) {
        read.sockets.into_iter().for_each(|socket| self.taken.take(socket));
        if let Some(proc_net::OddRow(first)) = read.odd.first() {
            self.odd_rows(table, read.odd.len(), &format!("cannot understand '{first}'"));
        }
    }

    /// Returns true when a missing table means that there are no such sockets, which is no gap. The
    /// file of a protocol comes and goes with the protocol itself (`udplite4_register` and
    /// `inet6_init` make both; UDPLITE and IPv6 may be left out of a kernel, or switched off at boot).
    /// That holds only where `/proc/net` is there at all, so its brother must be: one that no kernel
    /// lacks.
    fn is_absent(&self, table: Table) -> bool {
        let brother = match (table.protocol, table.family) {
            (Protocol::Mptcp | Protocol::Sctp, _) => return false,
            (Protocol::Udplite, _) => proc_net::file_name(Protocol::Udp, Family::Inet),
            (protocol, Family::Inet6) => proc_net::file_name(protocol, Family::Inet),
            (
                _,
                Family::Inet
                | Family::Unix
                | Family::Packet
                | Family::Netlink
                | Family::Vsock
                | Family::Xdp
                | Family::Other,
            ) => return false,
        };
        self.directory.join(brother).exists()
    }

    /// Returns whether the kernel makes sockets of a protocol, though it may lack the module that lists
    /// them (`proto_seq_show`, linux/net/core/sock.c).
    fn has_sockets(&self, protocol: Protocol) -> bool {
        let name = match protocol {
            Protocol::Vsock => "AF_VSOCK",
            Protocol::Xdp => "XDP",
            Protocol::Mptcp => "MPTCP",
            Protocol::Sctp => "SCTP",
            // Those that every kernel can list, or that are a gap in any case.
            Protocol::Tcp
            | Protocol::Udp
            | Protocol::Udplite
            | Protocol::Icmp
            | Protocol::Raw
            | Protocol::Unix
            | Protocol::Packet
            | Protocol::Netlink
            | Protocol::Other => return false,
        };
        let protocols = std::fs::read_to_string(self.directory.join("protocols"));
        let names = |line: &str| line.split_ascii_whitespace().next() == Some(name);
        protocols.is_ok_and(|text| text.lines().any(names))
    }

    fn odd_rows(&mut self, table: impl fmt::Display, count: usize, why: &str) {
        let rows = if count == 1 { "row" } else { "rows" };
        let gap = Gap::new(Missing::Sockets, why);
        self.gaps.push(gap.detail(format!("{count} {rows} of {table}")));
    }

    fn finish(mut self, request: &Request) -> Result<Dump, CollectError> {
        if let (false, Some((table, source))) = (self.success, self.failure.take()) {
            let file = proc_net::file_name(table.protocol, table.family);
            let operation = format!("read {}", self.directory.join(file).display());
            return Err(CollectError::Unreadable { operation, source });
        }
        self.gaps.extend(fallback_gaps(&self.fallbacks));
        self.gaps.extend(self.bound_gap(request));

        drop_twins(&mut self.taken.sockets);
        Ok(Dump { sockets: self.taken.sockets, gaps: self.gaps })
    }

    /// Says so when sockets that are bound and no more were asked for and cannot be listed.
    fn bound_gap(&self, request: &Request) -> Option<Gap> {
        let bit = 1 << TcpState::Bound.to_linux();
        if !request.protocols.contains(&Protocol::Tcp) || state_bits(request) & bit == 0 {
            return None;
        }
        let tcp = |table: &&Table| table.protocol == Protocol::Tcp;
        if self.fallbacks.keys().any(|table| tcp(&table)) {
            return Some(Gap::new(Missing::BoundSockets, "/proc/net does not list them"));
        }
        // A kernel that does not know the bit passes over it in silence.
        let release = rustix::system::uname();
        let known = kernel_version(release.release().to_str().ok()?)? >= (6, 8);
        let is_bound = |socket: &Socket| socket.state == Some(TcpState::Bound);
        let seen = !self.taken.sockets.places(is_bound).is_empty();
        (!known && !seen).then(|| {
            Gap::new(Missing::BoundSockets, "this kernel cannot list them (needs Linux 6.8)")
        })
    }
}

/// Returns whether every kernel that can list sockets at all can list these.
const fn is_everywhere(table: Table) -> bool {
    match table.protocol {
        Protocol::Tcp
        | Protocol::Udp
        | Protocol::Udplite
        | Protocol::Icmp
        | Protocol::Raw
        | Protocol::Unix => true,
        Protocol::Mptcp
        | Protocol::Sctp
        | Protocol::Packet
        | Protocol::Netlink
        | Protocol::Vsock
        | Protocol::Xdp
        | Protocol::Other => false,
    }
}

/// Appends the rows of one sock_diag table.
fn read_diag(
    table: Table,
    states: u32,
    ports: Option<&PortWish>,
    details: bool,
    sockets: &mut impl Rows<Socket>,
) -> io::Result<netlink::Outcome> {
    if table.protocol == Protocol::Unix {
        // In every state: the peer of a socket that is wanted may be in another one.
        let body = unix_diag::encode_request(u32::MAX);
        return netlink::dump(SOCK_DIAG_BY_FAMILY, &body, sockets, unix_diag::decode_socket);
    }
    let extensions = if details { diag_details::EXTENSIONS } else { 0 };
    if table.protocol == Protocol::Packet {
        let body = packet_diag::encode_request();
        return netlink::dump(SOCK_DIAG_BY_FAMILY, &body, sockets, packet_diag::decode_socket);
    }
    if table.protocol == Protocol::Netlink {
        let body = netlink_diag::encode_request();
        return netlink::dump(SOCK_DIAG_BY_FAMILY, &body, sockets, netlink_diag::decode_socket);
    }
    if table.protocol == Protocol::Vsock {
        let body = vsock_diag::encode_request();
        return netlink::dump(SOCK_DIAG_BY_FAMILY, &body, sockets, vsock_diag::decode_socket);
    }
    if table.protocol == Protocol::Xdp {
        let body = xdp_diag::encode_request();
        return netlink::dump(SOCK_DIAG_BY_FAMILY, &body, sockets, xdp_diag::decode_socket);
    }
    // An association's state is none of TCP's.
    let states = if table.protocol == Protocol::Sctp { u32::MAX } else { states };
    let body = inet_diag::encode_request(table.protocol, table.family, states, ports, extensions)
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let decode = inet_diag::decoder(details);
    netlink::dump(SOCK_DIAG_BY_FAMILY, &body, sockets, |message| decode(message, table.protocol))
}

/// Asks for the listeners of a protocol, or for all its sockets where they do not listen.
///
/// # Errors
///
/// The kernel's: ENOENT where it has no module for it.
pub(crate) fn ask(protocol: Protocol) -> io::Result<()> {
    let listeners = 1 << TcpState::Listen.to_linux();
    for &family in protocol.families() {
        read_diag(Table { protocol, family }, listeners, None, false, &mut Vec::<Socket>::new())?;
    }
    Ok(())
}

/// Returns a gap for each reason why sock_diag did not give tables that `/proc/net` then did.
fn fallback_gaps(fallbacks: &BTreeMap<Table, String>) -> Vec<Gap> {
    let mut tables: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (table, why) in fallbacks {
        let lost = match table.protocol {
            Protocol::Unix => "cookies, users, queues and peers",
            Protocol::Tcp => "cookies, control groups, backlog limits, devices and v6only",
            Protocol::Packet => "cookies",
            Protocol::Netlink => "cookies, types and peers",
            Protocol::Udp | Protocol::Udplite | Protocol::Raw => {
                "cookies, control groups, devices and v6only"
            }
            // Not one of these is in a table of /proc/net's that is read instead.
            Protocol::Mptcp
            | Protocol::Sctp
            | Protocol::Icmp
            | Protocol::Vsock
            | Protocol::Xdp
            | Protocol::Other => continue,
        };
        tables.entry((why, lost)).or_default().push(table.to_string());
    }
    let gap = |((why, lost), tables): ((&str, &str), Vec<String>)| {
        let gap = Gap::new(Missing::SocketFacts, format!("sock_diag: {why}"));
        gap.detail(format!("{lost} of {}", tables.join(", ")))
    };
    tables.into_iter().map(gap).collect()
}

/// Drops what came twice. The kernel walks hash chains: a socket that moves meanwhile may.
fn drop_twins(sockets: &mut Sockets) {
    let mut cookies: Vec<Cookie> =
        sockets.iter().filter_map(|socket| Seen::cookie(&socket)).collect();
    cookies.sort_unstable();
    cookies.dedup();
    // Nearly always each has a cookie of its own, and to know that takes no table of them.
    if cookies.len() < sockets.len() {
        let mut seen = Seen::default();
        sockets.retain(|socket| seen.is_new(socket));
    }
}

/// The sockets seen so far.
#[derive(Debug, Default)]
struct Seen {
    cookies: HashSet<Cookie>,
    /// Of rows without cookie, what tells one from another.
    rows: HashSet<Row>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Row {
    protocol: Protocol,
    local: Option<Endpoint>,
    peer: Option<Endpoint>,
    inode: Option<Inode>,
}

impl Seen {
    /// Returns the cookie that no other row has. The associations of an SCTP socket are rows of their
    /// own, with its cookie.
    fn cookie(socket: &Socket) -> Option<Cookie> {
        socket.cookie.filter(|_| socket.protocol != Protocol::Sctp)
    }

    fn is_new(&mut self, socket: &Socket) -> bool {
        if let Some(cookie) = Self::cookie(socket) {
            return self.cookies.insert(cookie);
        }
        let &Socket { protocol, inode, .. } = socket;
        let (local, peer) = (socket.local.clone(), socket.peer.clone());
        // Unaccepted UNIX connections have nothing but their listener's name.
        let nameless = inode.is_none() && peer.is_none();
        nameless || self.rows.insert(Row { protocol, local, peer, inode })
    }
}

/// Returns the first two numbers of a kernel release such as `6.18.44-rc1`.
fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Returns this thread's network namespace; `None` without /proc.
pub(crate) fn current_netns() -> Option<NetnsId> {
    let link = std::fs::metadata("/proc/thread-self/ns/net").ok()?;
    Some(NetnsId(link.st_ino()))
}

/// The sockets read so far, each completed as it comes.
#[derive(Debug, Default)]
struct Taken {
    sockets: Sockets,
    /// The namespace that they are in.
    netns: Option<NetnsId>,
    names: InterfaceNames,
}

impl Rows<Socket> for Taken {
    fn count(&self) -> usize {
        self.sockets.len()
    }

    fn take(&mut self, mut socket: Socket) {
        socket.netns = self.netns;
        self.names.complete(&mut socket);
        self.sockets.add(socket);
    }

    fn forget_after(&mut self, count: usize) {
        self.sockets.truncate(count);
    }
}

/// The names of this thread's network interfaces, each looked up once.
#[derive(Debug, Default)]
struct InterfaceNames {
    names: HashMap<u32, Option<Text>>,
    /// Any socket will do (`netdevice(7)`).
    socket: Option<OwnedFd>,
}

impl InterfaceNames {
    /// Names the interfaces of a socket.
    fn complete(&mut self, socket: &mut Socket) {
        if let Some(interface) = socket.rare.get_mut().and_then(|rare| rare.interface.as_mut()) {
            self.name(interface);
        }
        for end in [&mut socket.local, &mut socket.peer] {
            if let Some(
                Endpoint::Inet { scope: Some(interface), .. }
                | Endpoint::Packet { interface: Some(interface), .. }
                | Endpoint::Xdp { interface, .. },
            ) = end
            {
                self.name(interface);
            }
        }
    }

    fn name(&mut self, interface: &mut Interface) {
        let Self { names, socket } = self;
        let name = names.entry(interface.index).or_insert_with(|| {
            if socket.is_none() {
                let flags = SocketFlags::CLOEXEC;
                *socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None).ok();
            }
            let name = netdevice::index_to_name(socket.as_ref()?, interface.index).ok()?;
            Some(Text::from(name))
        });
        interface.name.clone_from(name);
    }
}

#[cfg(test)]
mod tests;
