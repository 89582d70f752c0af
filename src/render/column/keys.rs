//! What the columns sort by: numbers by number, addresses by value, names by their bytes. Facts
//! about an owner are the main owner's.

use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use crate::cgroup::Cgroup;
use crate::process::{Owner, Process};
use crate::render::row::Row;
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Family, Interface, Protocol, Queues, Socket};
use crate::tcp_info::TcpInfo;
use crate::text::Text;

/// A value to sort by. Within one column the variants are nearly always the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    /// A number.
    Number(u64),
    /// An address, an IPv4-mapped one being its IPv4 address, and a port.
    Address(IpAddr, Option<u16>),
    /// A name, by its bytes.
    Name(&'a [u8]),
    /// A command line.
    Names(&'a [Text]),
}

fn main_owner(entry: &Entry) -> Option<&Owner> {
    entry.ownership.owners().first()
}

fn main_process(entry: &Entry) -> Option<&Process> {
    main_owner(entry).map(|owner| &*owner.process)
}

fn main_cgroup(entry: &Entry) -> Option<&Cgroup> {
    Row { entry, owner: main_owner(entry) }.cgroup()
}

fn number<'a>(value: impl Into<u64>) -> Key<'a> {
    Key::Number(value.into())
}

fn count<'a>(value: usize) -> Key<'a> {
    Key::Number(u64::try_from(value).unwrap_or(u64::MAX))
}

fn name(text: &Text) -> Key<'_> {
    Key::Name(text.as_bytes())
}

fn end(endpoint: &Endpoint) -> Key<'_> {
    match endpoint {
        Endpoint::Inet { address, port, .. } => Key::Address(address.to_canonical(), Some(*port)),
        Endpoint::Path(text) | Endpoint::Abstract(text) => name(text),
        Endpoint::Packet { ethertype, .. } => number(*ethertype),
        Endpoint::Netlink { protocol, port } => {
            Key::Number(u64::from(*protocol) << 32 | u64::from(*port))
        }
        Endpoint::Vsock { cid, port } => Key::Number(u64::from(*cid) << 32 | u64::from(*port)),
        Endpoint::Xdp { interface, .. } => device(interface),
    }
}

fn device(interface: &Interface) -> Key<'_> {
    interface.name.as_ref().map_or_else(|| number(interface.index), name)
}

pub(super) fn command(entry: &Entry) -> Option<Key<'_>> {
    match entry.ownership.service() {
        Some(service) => Some(Key::Name(service.kind.name().as_bytes())),
        None => main_process(entry)?.command.as_ref().map(name),
    }
}

pub(super) fn pid(entry: &Entry) -> Option<Key<'_>> {
    Some(number(main_process(entry)?.pid.0))
}

pub(super) fn user(entry: &Entry) -> Option<Key<'_>> {
    if entry.ownership.kernel().is_some() {
        return None;
    }
    let process = main_process(entry);
    let user = process.and_then(|process| process.user.as_ref()).or(entry.user.as_ref());
    user.map(name).or_else(|| process.and_then(|process| process.uid).map(|uid| number(uid.0)))
}

pub(super) fn fd(entry: &Entry) -> Option<Key<'_>> {
    Some(number(main_owner(entry)?.fd?.0))
}

pub(super) fn proto(entry: &Entry) -> Option<Key<'_>> {
    let Socket { protocol, family, .. } = &entry.socket;
    let place = Protocol::ALL.iter().position(|known| known == protocol)?;
    Some(count(2 * place + usize::from(*family == Family::Inet6)))
}

pub(super) fn local(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.local.as_ref().map(end)
}

pub(super) fn peer(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.peer.as_ref().map(end)
}

pub(super) fn state(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.state.map(|state| count(state.rank()))
}

pub(super) fn port(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.local.as_ref()?.port().map(number)
}

pub(super) fn peer_port(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.peer.as_ref()?.port().map(number)
}

pub(super) fn local_address(entry: &Entry) -> Option<Key<'_>> {
    Some(Key::Address(entry.socket.local.as_ref()?.canonical_address()?, None))
}

pub(super) fn peer_address(entry: &Entry) -> Option<Key<'_>> {
    Some(Key::Address(entry.socket.peer.as_ref()?.canonical_address()?, None))
}

#[expect(clippy::unnecessary_wraps, reason = "the table of columns holds one type of function")]
pub(super) fn family(entry: &Entry) -> Option<Key<'_>> {
    Some(Key::Name(entry.socket.family.name().as_bytes()))
}

pub(super) fn socket_type(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.socket_type.map(|socket_type| Key::Name(socket_type.name().as_bytes()))
}

pub(super) fn peer_owner(entry: &Entry) -> Option<Key<'_>> {
    entry.peer_owners.first()?.process.command.as_ref().map(name)
}

pub(super) fn peer_inode(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.rare.peer_inode.map(|inode| number(inode.0))
}

pub(super) fn interface(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.rare.interface.as_deref().map(device)
}

pub(super) fn v6only(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.v6only.map(number)
}

pub(super) fn recv_q(entry: &Entry) -> Option<Key<'_>> {
    match entry.socket.queues? {
        Queues::Bytes { recv, .. } => Some(number(recv)),
        Queues::Backlog { .. } => None,
    }
}

pub(super) fn send_q(entry: &Entry) -> Option<Key<'_>> {
    match entry.socket.queues? {
        Queues::Bytes { send, .. } => Some(number(send)),
        Queues::Backlog { .. } => None,
    }
}

pub(super) fn backlog(entry: &Entry) -> Option<Key<'_>> {
    match entry.socket.queues? {
        Queues::Backlog { pending, .. } => Some(number(pending)),
        Queues::Bytes { .. } => None,
    }
}

pub(super) fn timer(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.timer.map(|timer| number(timer.expires_ms))
}

fn tcp_info(entry: &Entry) -> Option<&TcpInfo> {
    entry.socket.details.as_ref()?.tcp_info.as_deref()
}

pub(super) fn rtt(entry: &Entry) -> Option<Key<'_>> {
    tcp_info(entry)?.rtt_us.map(number)
}

pub(super) fn cwnd(entry: &Entry) -> Option<Key<'_>> {
    tcp_info(entry)?.cwnd.map(number)
}

pub(super) fn retrans(entry: &Entry) -> Option<Key<'_>> {
    tcp_info(entry)?.total_retrans.map(number)
}

pub(super) fn bytes_in(entry: &Entry) -> Option<Key<'_>> {
    tcp_info(entry)?.bytes_received.map(number)
}

pub(super) fn bytes_out(entry: &Entry) -> Option<Key<'_>> {
    tcp_info(entry)?.bytes_out().map(number)
}

pub(super) fn congestion(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.details.as_ref()?.congestion.as_ref().map(name)
}

pub(super) fn memory(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.details.as_ref()?.memory.map(|memory| number(memory.queues()))
}

pub(super) fn drops(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.details.as_ref()?.drops.map(number)
}

pub(super) fn options(entry: &Entry) -> Option<Key<'_>> {
    let first = entry.socket.details.as_ref()?.options.as_ref()?.first()?;
    Some(Key::Name(first.name().as_bytes()))
}

pub(super) fn uid(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.uid.filter(|_| entry.ownership.kernel().is_none()).map(|uid| number(uid.0))
}

pub(super) fn inode(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.inode.map(|inode| number(inode.0))
}

pub(super) fn cookie(entry: &Entry) -> Option<Key<'_>> {
    entry.socket.cookie.map(|cookie| number(cookie.0))
}

pub(super) fn netns(entry: &Entry) -> Option<Key<'_>> {
    match &entry.netns_name {
        Some(text) => Some(name(text)),
        None => entry.socket.netns.map(|netns| number(netns.0)),
    }
}

pub(super) fn nspid(entry: &Entry) -> Option<Key<'_>> {
    main_process(entry)?.nspid.map(|pid| number(pid.0))
}

pub(super) fn tid(entry: &Entry) -> Option<Key<'_>> {
    main_owner(entry)?.tid.map(|tid| number(tid.0))
}

pub(super) fn ppid(entry: &Entry) -> Option<Key<'_>> {
    main_process(entry)?.ppid.map(|pid| number(pid.0))
}

pub(super) fn age(entry: &Entry) -> Option<Key<'_>> {
    Some(number(main_process(entry)?.age?.as_secs()))
}

pub(super) fn start(entry: &Entry) -> Option<Key<'_>> {
    let since_epoch = main_process(entry)?.started_at?.0.duration_since(UNIX_EPOCH).ok()?;
    Some(number(since_epoch.as_secs()))
}

pub(super) fn exe(entry: &Entry) -> Option<Key<'_>> {
    main_process(entry)?.exe.as_ref().map(|exe| name(&exe.path))
}

pub(super) fn cwd(entry: &Entry) -> Option<Key<'_>> {
    main_process(entry)?.cwd.as_ref().map(name)
}

pub(super) fn unit(entry: &Entry) -> Option<Key<'_>> {
    let of_group =
        main_cgroup(entry).and_then(|group| group.user_unit.as_ref().or(group.unit.as_ref()));
    of_group.or(entry.socket.rare.service.as_ref()).map(name)
}

pub(super) fn container(entry: &Entry) -> Option<Key<'_>> {
    main_cgroup(entry)?.container.as_ref().map(|it| name(it.name.as_ref().unwrap_or(&it.id)))
}

pub(super) fn cgroup(entry: &Entry) -> Option<Key<'_>> {
    main_cgroup(entry).map(|group| name(&group.path))
}

pub(super) fn comm(entry: &Entry) -> Option<Key<'_>> {
    main_process(entry)?.comm.as_ref().map(name)
}

pub(super) fn cmdline(entry: &Entry) -> Option<Key<'_>> {
    main_process(entry)?.argv.as_deref().map(Key::Names)
}

pub(super) fn others(entry: &Entry) -> Option<Key<'_>> {
    let owner = main_owner(entry)?;
    Some(count(Row { entry, owner: Some(owner) }.others()))
}

#[expect(clippy::unnecessary_wraps, reason = "the table of columns holds one type of function")]
pub(super) fn owner(entry: &Entry) -> Option<Key<'_>> {
    Some(Key::Name(entry.ownership.name().as_bytes()))
}

pub(super) fn via(entry: &Entry) -> Option<Key<'_>> {
    Some(Key::Name(main_owner(entry)?.via.name().as_bytes()))
}
