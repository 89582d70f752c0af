//! netstat2's rows, put right: what the kernel's 0 means, which ends are none, which rows are one
//! socket.
//!
//! Pure, and told which system the rows are from, so that the faults of every system are tested on
//! each.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use netstat2::{ProtocolSocketInfo, SocketInfo, TcpState as Told};

use crate::process::{Pid, Uid};
use crate::socket::{Endpoint, Family, Inode, Protocol, Socket, SocketId};
use crate::state::TcpState;

/// The systems netstat2 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    MacOs,
    Windows,
}

impl System {
    /// The one this program was built for.
    pub(super) const HERE: Self = if cfg!(target_os = "linux") {
        Self::Linux
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Windows
    };
}

/// One row as netstat2 tells it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    protocol: Protocol,
    local: (IpAddr, u16),
    peer: Option<(IpAddr, u16)>,
    state: Option<Told>,
    pids: Vec<u32>,
    /// Only on Linux.
    inode: Option<u32>,
    /// Only on Linux.
    uid: Option<u32>,
}

impl From<SocketInfo> for Row {
    fn from(told: SocketInfo) -> Self {
        let (protocol, local, peer, state) = match told.protocol_socket_info {
            ProtocolSocketInfo::Tcp(tcp) => (
                Protocol::Tcp,
                (tcp.local_addr, tcp.local_port),
                Some((tcp.remote_addr, tcp.remote_port)),
                Some(tcp.state),
            ),
            ProtocolSocketInfo::Udp(udp) => {
                (Protocol::Udp, (udp.local_addr, udp.local_port), None, None)
            }
        };
        #[cfg(target_os = "linux")]
        let (inode, uid) = (Some(told.inode), Some(told.uid));
        #[cfg(not(target_os = "linux"))]
        let (inode, uid) = (None, None);
        Self { protocol, local, peer, state, pids: told.associated_pids, inode, uid }
    }
}

/// A socket with the processes that hold it.
pub(super) type Found = (Socket, BTreeSet<Pid>);

/// Returns the sockets behind the rows, numbered from 1.
pub(super) fn convert(rows: Vec<Row>, system: System) -> Vec<Found> {
    let mut found: Vec<Found> = rows.into_iter().map(|row| convert_row(&row, system)).collect();
    if system == System::MacOs {
        found = merge_descriptors(found);
    }
    for (number, (socket, _)) in (1..).zip(&mut found) {
        socket.id = SocketId(number);
    }
    found
}

fn convert_row(row: &Row, system: System) -> Found {
    // An inet6 socket's addresses are IPv6 on every system, mapped ones too.
    let family = if row.local.0.is_ipv4() { Family::Inet } else { Family::Inet6 };
    let mut socket = Socket::new(SocketId(0), row.protocol, family);
    socket.local = endpoint(row.local, system);
    socket.peer = row.peer.and_then(|peer| endpoint(peer, system));
    socket.state = row.state.map(|told| state(told, &socket));
    // Inode 0 means that no process has the socket as a file (TIME_WAIT, SYN_RECV, unaccepted,
    // orphaned); the uid beside it is then 0 for "nobody", not root (`inet_diag_msg_common_fill`).
    socket.inode = row.inode.filter(|&inode| inode != 0).map(|inode| Inode(inode.into()));
    socket.uid = socket.inode.and(row.uid).map(Uid);
    // Windows gives a socket without owner (TIME_WAIT) to PID 0, the idle process.
    let pids = row.pids.iter().filter(|&&pid| pid != 0).map(|&pid| Pid(pid)).collect();
    (socket, pids)
}

/// Returns the end; `None` for the wildcard with port 0, which is no end at all.
fn endpoint((address, port): (IpAddr, u16), system: System) -> Option<Endpoint> {
    if port == 0 && address.is_unspecified() {
        return None;
    }
    let address = match address {
        IpAddr::V6(v6) if system == System::MacOs => IpAddr::V6(unmask(v6)),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    };
    Some(Endpoint::inet(address, port))
}

/// Puts right an IPv4 address on an inet6 socket of macOS: the kernel keeps it in the last four bytes
/// and says so in `insi_vflag` (xnu `in_pcb.h`, `in4in6_addr`), which netstat2 does not read. It then
/// looks like `::127.0.0.1`, a form that RFC 4291 section 2.5.5.1 took out of use.
fn unmask(address: Ipv6Addr) -> Ipv6Addr {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, ..] if !address.is_unspecified() && !address.is_loopback() => {
            Ipv6Addr::from_bits(0xffff_0000_0000 | address.to_bits())
        }
        _ => address,
    }
}

fn state(told: Told, socket: &Socket) -> TcpState {
    match told {
        Told::Listen => TcpState::Listen,
        Told::SynSent => TcpState::SynSent,
        Told::SynReceived => TcpState::SynRecv,
        Told::Established => TcpState::Established,
        Told::FinWait1 => TcpState::FinWait1,
        Told::FinWait2 => TcpState::FinWait2,
        Told::CloseWait => TcpState::CloseWait,
        Told::Closing => TcpState::Closing,
        Told::LastAck => TcpState::LastAck,
        Told::TimeWait => TcpState::TimeWait,
        // With a port and without a peer: bound, as macOS and Wine list it.
        Told::Closed if socket.local.is_some() && socket.peer.is_none() => TcpState::Bound,
        // Windows' DELETE_TCB is a connection whose memory is about to be freed.
        Told::Closed | Told::DeleteTcb => TcpState::Closed,
        // netstat2 drops the number; no kernel's states have a 0.
        Told::Unknown => TcpState::Other(0),
    }
}

/// Joins macOS' rows, one a descriptor, into sockets.
///
/// A TCP connection's two ends are its own; listeners with the same address are taken for one socket
/// inherited over `fork`, the common case (a gap says so). UDP sockets of several processes commonly
/// share an address (5353), so only those of one process are joined.
fn merge_descriptors(rows: Vec<Found>) -> Vec<Found> {
    let mut places = HashMap::new();
    let mut merged: Vec<Found> = Vec::new();
    for (socket, pids) in rows {
        let process = if socket.protocol == Protocol::Tcp { None } else { pids.first().copied() };
        let key = (
            socket.protocol,
            socket.family,
            socket.local.clone(),
            socket.peer.clone(),
            socket.state,
            process,
        );
        // A socket without any end is like every other one.
        let known = if socket.local.is_none() { None } else { places.get(&key).copied() };
        if let Some((_, holders)) = known.and_then(|place: usize| merged.get_mut(place)) {
            holders.extend(pids);
        } else {
            places.insert(key, merged.len());
            merged.push((socket, pids));
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(local: &str, peer: &str, state: Told, pid: u32) -> Row {
        Row {
            protocol: Protocol::Tcp,
            local: parse(local),
            peer: Some(parse(peer)),
            state: Some(state),
            pids: vec![pid],
            inode: None,
            uid: None,
        }
    }

    fn udp(local: &str, pid: u32) -> Row {
        Row {
            protocol: Protocol::Udp,
            peer: None,
            state: None,
            ..tcp(local, local, Told::Closed, pid)
        }
    }

    fn parse(end: &str) -> (IpAddr, u16) {
        let end: std::net::SocketAddr = end.parse().unwrap();
        (end.ip(), end.port())
    }

    fn one(row: Row, system: System) -> Found {
        let mut found = convert(vec![row], system);
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    fn pids(found: &[Found]) -> Vec<Vec<u32>> {
        found.iter().map(|(_, pids)| pids.iter().map(|pid| pid.0).collect()).collect()
    }

    #[test]
    fn user_0_of_a_socket_without_inode_is_nobody() {
        let mut row = tcp("127.0.0.1:80", "127.0.0.1:999", Told::TimeWait, 0);
        (row.inode, row.uid) = (Some(0), Some(0));
        let (socket, pids) = one(row, System::Linux);
        assert_eq!((socket.inode, socket.uid, pids.len()), (None, None, 0));
    }

    #[test]
    fn user_0_of_a_socket_with_inode_is_root() {
        let mut row = tcp("127.0.0.1:80", "0.0.0.0:0", Told::Listen, 7);
        (row.inode, row.uid) = (Some(5), Some(0));
        let (socket, _) = one(row, System::Linux);
        assert_eq!((socket.inode, socket.uid), (Some(Inode(5)), Some(Uid(0))));
    }

    #[test]
    fn pid_0_owns_nothing() {
        let row = tcp("127.0.0.1:80", "127.0.0.1:999", Told::TimeWait, 0);
        assert!(one(row, System::Windows).1.is_empty());
    }

    #[test]
    fn a_listener_has_no_peer() {
        let (socket, _) = one(tcp("[::]:80", "[::]:0", Told::Listen, 7), System::Linux);
        assert_eq!(socket.peer, None);
        assert!(socket.local.is_some());
    }

    #[test]
    fn a_closed_socket_with_a_port_is_bound() {
        let (socket, _) = one(tcp("0.0.0.0:80", "0.0.0.0:0", Told::Closed, 7), System::MacOs);
        assert_eq!(socket.state, Some(TcpState::Bound));
        let (socket, _) = one(tcp("0.0.0.0:0", "0.0.0.0:0", Told::Closed, 7), System::MacOs);
        assert_eq!(socket.state, Some(TcpState::Closed));
    }

    #[test]
    fn ipv4_on_an_inet6_socket_of_macos_is_mapped() {
        let row = tcp("[::127.0.0.1]:80", "[::10.0.0.1]:999", Told::Established, 7);
        let (socket, _) = one(row.clone(), System::MacOs);
        assert_eq!(socket.family, Family::Inet6);
        assert_eq!(socket.local.unwrap().to_string(), "[::ffff:127.0.0.1]:80");
        assert_eq!(socket.peer.unwrap().to_string(), "[::ffff:10.0.0.1]:999");
        // Elsewhere such an address is what it says.
        let (socket, _) = one(row, System::Linux);
        assert_eq!(socket.local.unwrap().to_string(), "[::7f00:1]:80");
    }

    #[test]
    fn loopback_and_wildcard_of_macos_stay() {
        let (socket, _) = one(tcp("[::1]:80", "[::]:0", Told::Listen, 7), System::MacOs);
        assert_eq!(socket.local.unwrap().to_string(), "[::1]:80");
    }

    #[test]
    fn a_forked_listener_of_macos_is_one_socket_with_two_owners() {
        let rows = [8, 7, 7].map(|pid| tcp("0.0.0.0:80", "0.0.0.0:0", Told::Listen, pid));
        assert_eq!(pids(&convert(rows.to_vec(), System::MacOs)), [[7, 8]]);
    }

    #[test]
    fn udp_sockets_of_two_processes_stay_two() {
        let rows = [7, 8, 7].map(|pid| udp("0.0.0.0:5353", pid));
        assert_eq!(pids(&convert(rows.to_vec(), System::MacOs)), [[7], [8]]);
    }

    #[test]
    fn unbound_sockets_are_never_one() {
        let rows = [7, 8].map(|pid| tcp("0.0.0.0:0", "0.0.0.0:0", Told::Closed, pid));
        assert_eq!(convert(rows.to_vec(), System::MacOs).len(), 2);
    }

    #[test]
    fn rows_alike_are_two_sockets_where_rows_are_sockets() {
        let rows = [7, 8].map(|pid| tcp("0.0.0.0:80", "0.0.0.0:0", Told::Listen, pid));
        for system in [System::Linux, System::Windows] {
            let found = convert(rows.to_vec(), system);
            assert_eq!(found.iter().map(|(socket, _)| socket.id.0).collect::<Vec<_>>(), [1, 2]);
        }
    }

    #[test]
    fn a_state_netstat2_does_not_know_is_other() {
        let (socket, _) = one(tcp("0.0.0.0:80", "0.0.0.0:0", Told::Unknown, 7), System::Linux);
        assert_eq!(socket.state, Some(TcpState::Other(0)));
    }
}
