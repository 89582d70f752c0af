//! The portable backend: sockets by netstat2, processes by sysinfo.
//!
//! The base on macOS and Windows, and a second opinion on Linux (`--backend portable`). What
//! netstat2 gets wrong is put right in [`rows`]; what it cannot tell is a gap. What it cannot tell
//! *apart* from something else is a gap too: an empty table and an error of the kernel look the same
//! to it, so on Linux an empty table is checked against the kernel's own count in [`sockstat`].

mod rows;
#[cfg(target_os = "linux")]
mod sockstat;

use std::collections::BTreeSet;
use std::io;
use std::panic::catch_unwind;

use netstat2::error::Error;
use netstat2::{AddressFamilyFlags, ProtocolFlags, SocketInfo};

use self::rows::{Row, System};
use super::{Backend, NetnsWish, Request, clock, process, users};
use crate::error::CollectError;
use crate::process::{Holder, Pid, Via};
use crate::snapshot::{Collected, Gap, Missing};
use crate::socket::{Family, Protocol};

/// What this backend calls itself.
const NAME: &str = "portable";

/// netstat2 on macOS asserts what a descriptor closed at the wrong moment makes false
/// (`parse_tcp_socket_info`): a race, so it is tried again.
const ATTEMPTS: usize = 3;

/// The portable backend.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Portable;

impl Portable {
    /// Returns the backend. It holds nothing open.
    pub const fn new() -> Self {
        Self
    }
}

impl Backend for Portable {
    fn collect(&mut self, request: &Request) -> Result<Collected, CollectError> {
        if request.netns != NetnsWish::Current {
            return Err(CollectError::Netns {
                netns: request.netns.to_string(),
                why: "this backend knows only the one it runs in".to_owned(),
            });
        }
        let mut collected = Collected::new(clock::now(), std::env::consts::OS, NAME);
        let tables = tables(request);
        let read = read_tables(&tables, request.owners)?;
        let found = rows::convert(read.rows, System::HERE);

        collected.gaps = read.gaps;
        #[cfg(target_os = "linux")]
        collected.gaps.extend(sockstat::doubt(&tables, &found));
        collected.gaps.extend(never_told(request, System::HERE));
        collected.gaps.extend(refused(request));

        if request.owners {
            let holders: Vec<Holder> = found
                .iter()
                .flat_map(|(socket, pids)| {
                    pids.iter().map(|&pid| Holder {
                        pid,
                        tid: None,
                        fd: None,
                        socket: socket.id,
                        via: Via::Table,
                    })
                })
                .collect();
            let pids: BTreeSet<Pid> = holders.iter().map(|holder| holder.pid).collect();
            let (processes, gap) = process::read(&pids, request.process_details);
            collected.processes = processes;
            collected.gaps.extend(gap);
            collected.holders = Some(holders);
        }
        collected.sockets = found.into_iter().map(|(socket, _)| socket).collect();
        let owners: Vec<_> = collected.sockets.iter().filter_map(|socket| socket.uid).collect();
        users::name_all(&mut collected, owners);
        Ok(collected)
    }
}

/// One of the four tables netstat2 can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Table {
    protocol: Protocol,
    family: Family,
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} over {}", self.protocol, self.family)
    }
}

/// Returns the tables asked for, of those netstat2 knows.
fn tables(request: &Request) -> Vec<Table> {
    [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .filter(|protocol| request.protocols.contains(protocol))
        .flat_map(|protocol| {
            [Family::Inet, Family::Inet6]
                .into_iter()
                .filter(|family| request.families.contains(family))
                .map(move |family| Table { protocol, family })
        })
        .collect()
}

/// What netstat2 told.
#[derive(Default)]
struct Read {
    rows: Vec<Row>,
    gaps: Vec<Gap>,
}

/// Reads the tables, all in one go: on Linux and macOS each go walks all processes. Only when that
/// fails is each asked for alone, to save those that can be read (Windows without IPv6).
fn read_tables(tables: &[Table], owners: bool) -> Result<Read, CollectError> {
    if tables.is_empty() {
        return Ok(Read::default());
    }
    let first = match ask(tables, owners) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    let mut all = Read::default();
    let mut refused = 0;
    for table in tables {
        match ask(std::slice::from_ref(table), owners) {
            Ok(read) => {
                all.rows.extend(read.rows);
                all.gaps.extend(read.gaps);
            }
            Err(why) => {
                refused += 1;
                let gap = Gap::new(Missing::Sockets, why.to_string());
                all.gaps.push(gap.detail(table.to_string()).count(1));
            }
        }
    }
    if refused < tables.len() {
        return Ok(all);
    }
    Err(CollectError::Unreadable {
        operation: "list sockets through netstat2".to_owned(),
        source: first,
    })
}

/// Asks netstat2 for the tables. It panics on what it does not expect (no /proc; a race on macOS).
fn ask(tables: &[Table], owners: bool) -> io::Result<Read> {
    for _ in 1..ATTEMPTS {
        if let Ok(answer) = catch_unwind(|| ask_once(tables, owners)) {
            return answer;
        }
    }
    catch_unwind(|| ask_once(tables, owners))
        .unwrap_or_else(|_| Err(io::Error::other("netstat2 panicked")))
}

fn ask_once(tables: &[Table], owners: bool) -> io::Result<Read> {
    let (families, protocols) = flags(tables);
    let mut read = Read::default();
    let mut failed: Option<(io::Error, usize)> = None;
    for answer in iterate(families, protocols, owners)? {
        match answer.map_err(cause) {
            Ok(socket) => read.rows.push(Row::from(socket)),
            // On Linux an error ends the table, and asking on could wait for ever
            // (`NetlinkIterator::next` receives again).
            Err(error) if System::HERE == System::Linux => return Err(error),
            Err(error) => {
                let before = failed.map_or(0, |(_, count)| count);
                failed = Some((error, before + 1));
            }
        }
    }
    if let Some((error, count)) = failed {
        let gap = Gap::new(Missing::Sockets, error.to_string());
        read.gaps.push(gap.detail(format!("{count} single descriptors")));
    }
    Ok(read)
}

fn flags(tables: &[Table]) -> (AddressFamilyFlags, ProtocolFlags) {
    let mut families = AddressFamilyFlags::empty();
    let mut protocols = ProtocolFlags::empty();
    for table in tables {
        families |= match table.family {
            Family::Inet => AddressFamilyFlags::IPV4,
            Family::Inet6 => AddressFamilyFlags::IPV6,
            Family::Unix
            | Family::Packet
            | Family::Netlink
            | Family::Vsock
            | Family::Xdp
            | Family::Other => AddressFamilyFlags::empty(),
        };
        protocols |= match table.protocol {
            Protocol::Tcp => ProtocolFlags::TCP,
            Protocol::Udp => ProtocolFlags::UDP,
            Protocol::Udplite
            | Protocol::Raw
            | Protocol::Unix
            | Protocol::Packet
            | Protocol::Netlink
            | Protocol::Mptcp
            | Protocol::Sctp
            | Protocol::Icmp
            | Protocol::Vsock
            | Protocol::Xdp
            | Protocol::Other => ProtocolFlags::empty(),
        };
    }
    (families, protocols)
}

type Answers = Box<dyn Iterator<Item = Result<SocketInfo, Error>>>;

#[cfg_attr(
    not(target_os = "linux"),
    expect(unused_variables, reason = "only on Linux do owners cost a walk over all descriptors")
)]
fn iterate(
    families: AddressFamilyFlags,
    protocols: ProtocolFlags,
    owners: bool,
) -> io::Result<Answers> {
    #[cfg(target_os = "linux")]
    if !owners {
        let answers = netstat2::iterate_sockets_info_without_pids(families, protocols);
        return Ok(Box::new(answers.map_err(cause)?));
    }
    Ok(Box::new(netstat2::iterate_sockets_info(families, protocols).map_err(cause)?))
}

/// Returns the system's answer within netstat2's error, which its own text does not hold.
#[expect(clippy::wildcard_enum_match_arm, reason = "netstat2 has other errors on each system")]
fn cause(error: Error) -> io::Error {
    match error {
        Error::OsError(error)
        | Error::FailedToListProcesses(error)
        | Error::FailedToQueryFileDescriptors(error) => error,
        // Windows: what GetExtendedTcpTable and GetExtendedUdpTable returned.
        Error::FailedToGetTcpTable(code) | Error::FailedToGetUdpTable(code) => {
            io::Error::from_raw_os_error(code)
        }
        other => io::Error::other(other),
    }
}

/// Returns what netstat2 never tells on this system, whatever the machine does.
fn never_told(request: &Request, system: System) -> Vec<Gap> {
    let hinted = |gap: Gap, helps: bool| {
        if helps { gap.hint("leave out --backend portable") } else { gap }
    };
    let gap = |what, why: &str| hinted(Gap::new(what, why), system != System::MacOs);
    let mut gaps: Vec<Gap> = request
        .protocols
        .iter()
        .filter(|protocol| !matches!(protocol, Protocol::Tcp | Protocol::Udp))
        // Neither macOS nor Windows has UDPLITE sockets.
        .filter(|&&protocol| protocol != Protocol::Udplite || system == System::Linux)
        // Windows' own backend reads no more protocols.
        .map(|protocol| {
            let gap = Gap::new(Missing::Sockets, "netstat2 does not read them");
            hinted(gap.detail(protocol.name()), system == System::Linux)
        })
        .collect();

    let tcp = request.protocols.contains(&Protocol::Tcp);
    match system {
        System::Linux | System::Windows if tcp => {
            gaps.push(gap(Missing::BoundSockets, "netstat2 does not list them"));
        }
        System::MacOs if tcp => gaps.push(
            gap(Missing::Sockets, "netstat2 looks only at what processes hold")
                .detail("tcp in TIME_WAIT"),
        ),
        System::Linux | System::Windows | System::MacOs => {}
    }
    gaps.push(gap(
        Missing::SocketFacts,
        match system {
            System::Linux => "netstat2 tells no queues, timers, interfaces or peers of udp sockets",
            System::Windows => "netstat2 tells no queues, users, scopes or peers of udp sockets",
            System::MacOs => {
                "netstat2 tells no queues, users, scopes or peers of udp sockets, and cannot tell \
                 one tcp socket in several processes from several that share an address"
            }
        },
    ));
    if system == System::Windows && request.owners {
        gaps.push(gap(Missing::UserNames, "netstat2 and sysinfo do not tell them"));
    }
    gaps
}

/// Returns what this user may not see, which netstat2 leaves out without a word.
#[cfg_attr(windows, expect(unused_variables, reason = "it tells everybody whose every socket is"))]
fn refused(request: &Request) -> Vec<Gap> {
    cfg_select! {
        // The walk of the native backend meets the same refusals, and counts them.
        target_os = "linux" => {
            if !request.owners {
                return Vec::new();
            }
            super::linux::owners::scan(Some(&std::collections::HashSet::new())).gaps
        }
        // Sockets are found in their processes, and only root may look into others' (`proc_pidinfo`).
        target_os = "macos" => {
            if request.protocols.is_empty() || uzers::get_effective_uid() == 0 {
                return Vec::new();
            }
            vec![
                Gap::new(Missing::Sockets, "permission denied")
                    .detail("of other users' processes")
                    .hint("run with sudo to see other users' processes"),
            ]
        }
        _ => Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Socket;
    use crate::state::TcpState;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    fn collect() -> Collected {
        Portable::new().collect(&Request::default()).unwrap()
    }

    fn missing(gaps: &[Gap]) -> Vec<Missing> {
        gaps.iter().map(|gap| gap.what).collect()
    }

    #[test]
    fn a_listener_of_ours_is_listed_with_us_as_its_owner() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let end = listener.local_addr().unwrap().into();
        let collected = collect();
        let found: Vec<_> =
            collected.sockets.iter().filter(|socket| socket.local.as_ref() == Some(&end)).collect();
        // Others may have had the port before.
        let is_over = |socket: &&Socket| socket.state == Some(TcpState::TimeWait);
        let (_, found): (Vec<&Socket>, Vec<&Socket>) = found.into_iter().partition(is_over);
        assert_eq!(found.len(), 1);
        let me = Pid(std::process::id());
        let owners: Vec<Pid> = collected
            .holders
            .unwrap()
            .iter()
            .filter(|holder| holder.socket == found[0].id)
            .map(|holder| holder.pid)
            // A program that another test is just starting has what we have.
            .filter(|pid| *pid == me)
            .collect();
        assert_eq!(owners, [me]);
        let process = collected.processes.iter().find(|process| process.pid == me).unwrap();
        assert!(
            process
                .uid
                .is_none_or(|uid| { collected.users.get(&uid) == users::names([uid]).get(&uid) })
        );
    }

    #[test]
    fn another_backend_is_advised_only_where_it_reads_more() {
        let request = Request { protocols: vec![Protocol::Unix], ..Request::default() };
        let hint = |system| {
            let gaps = never_told(&request, system);
            gaps.iter().find(|gap| gap.what == Missing::Sockets).unwrap().hint.is_some()
        };
        assert!(hint(System::Linux));
        assert!(!hint(System::Windows) && !hint(System::MacOs));
    }

    #[test]
    fn both_ends_of_a_connection_are_listed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let sockets = collect().sockets;
        for end in [&client, &server] {
            let (local, peer) = (end.local_addr().unwrap().into(), end.peer_addr().unwrap().into());
            let found = sockets
                .iter()
                .filter(|s| s.local.as_ref() == Some(&local) && s.peer.as_ref() == Some(&peer));
            assert_eq!(found.count(), 1);
        }
    }

    #[test]
    fn without_owners_nobody_is_looked_for() {
        let _held = UdpSocket::bind("127.0.0.1:0").unwrap();
        let request = Request { owners: false, ..Request::default() };
        let collected = Portable::new().collect(&request).unwrap();
        assert_eq!(collected.holders, None);
        assert!(!collected.sockets.is_empty());
    }

    #[test]
    fn an_unwanted_table_is_not_read() {
        let _held = UdpSocket::bind("127.0.0.1:0").unwrap();
        let request = Request { protocols: vec![Protocol::Tcp], ..Request::default() };
        let collected = Portable::new().collect(&request).unwrap();
        assert!(collected.sockets.iter().all(|socket| socket.protocol == Protocol::Tcp));
    }

    #[test]
    fn nothing_wanted_is_nothing_read() {
        let request = Request { protocols: vec![], ..Request::default() };
        assert_eq!(Portable::new().collect(&request).unwrap().sockets, []);
    }

    #[test]
    fn what_netstat2_never_tells_is_declared() {
        let request = Request::default();
        for (system, expected) in [
            (System::Linux, &[Missing::Sockets, Missing::BoundSockets, Missing::SocketFacts][..]),
            (System::Windows, &[Missing::BoundSockets, Missing::SocketFacts, Missing::UserNames]),
            (System::MacOs, &[Missing::Sockets, Missing::SocketFacts]),
        ] {
            assert_eq!(missing(&never_told(&request, system)), expected, "{system:?}");
        }
    }
}
