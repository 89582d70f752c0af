//! What is in the cells. Each writes its value, safe for a terminal, or nothing when unknown.

use std::fmt::{Display, Write as _};
use std::net::IpAddr;

use itoa::{Buffer, Integer};

use crate::cgroup::Cgroup;
use crate::details::Details;
use crate::process::{Exe, ExeState, Owner, Ownership, Process};
use crate::render::names::ResolvedNames;
use crate::render::row::{Row, count_others};
use crate::render::sanitize;
use crate::socket::{Endpoint, Family, Interface, Protocol, Queues, Socket, TimerKind};
use crate::tcp_info::TcpInfo;
use crate::text::Text;

type Names = ResolvedNames;

fn push(out: &mut String, value: impl Display) {
    // Writing to a String cannot fail.
    let _infallible = write!(out, "{value}");
}

fn push_some(out: &mut String, value: Option<impl Display>) {
    if let Some(value) = value {
        push(out, value);
    }
}

/// Writes a number, several times faster than through [`Display`], which can pad and sign.
fn push_number(out: &mut String, number: Option<impl Integer>) {
    if let Some(number) = number {
        out.push_str(Buffer::new().format(number));
    }
}

fn push_text(out: &mut String, text: Option<&Text>) {
    if let Some(text) = text {
        out.push_str(&sanitize::text(text));
    }
}

/// Writes a process's name, or in brackets, as `ps` has what runs in the kernel, its service: `[vxlan]`,
/// and `[nfsd?]` when that is inferred.
pub(super) fn command(row: &Row<'_>, _: &Names, out: &mut String) {
    if let Some(service) = row.entry.ownership.service() {
        let mark = if service.is_inferred { "?" } else { "" };
        push(out, format_args!("[{}{mark}]", service.kind));
    }
    push_text(out, row.process().and_then(|process| process.command.as_ref()));
}

/// Returns a question mark, with the unit or the container that the socket was made in behind it: all
/// that is known of an owner who may not be seen.
pub(super) fn hidden_command(row: &Row<'_>) -> String {
    let mut cell = "?".to_owned();
    let names = Names::default();
    unit(row, &names, &mut cell);
    if cell.len() == 1 {
        container(row, &names, &mut cell);
    }
    cell
}

pub(super) fn pid(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, row.process().map(|process| process.pid.0));
}

pub(super) fn user(row: &Row<'_>, _: &Names, out: &mut String) {
    let process = row.process();
    let (name, number) = match (&row.entry.ownership, process) {
        // The kernel gives 0 to what nobody owns: that is not root.
        (Ownership::Kernel(_), _) => (None, None),
        (_, Some(Process { user: None, uid: None, .. }) | None) => {
            (row.entry.user.as_ref(), row.entry.socket.uid)
        }
        (_, Some(process)) => (process.user.as_ref(), process.uid),
    };
    match name {
        Some(name) => push_text(out, Some(name)),
        None => push_number(out, number.map(|uid| uid.0)),
    }
}

pub(super) fn fd(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, row.owner.and_then(|owner| owner.fd).map(|fd| fd.0));
}

pub(super) fn tid(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, row.owner.and_then(|owner| owner.tid).map(|tid| tid.0));
}

pub(super) fn proto(row: &Row<'_>, _: &Names, out: &mut String) {
    out.push_str(row.entry.socket.protocol.name());
    if row.entry.socket.family == Family::Inet6 {
        out.push('6');
    }
}

pub(super) fn local(row: &Row<'_>, names: &Names, out: &mut String) {
    let Socket { local, rare, protocol, .. } = &row.entry.socket;
    match (local, &rare.protocol_name) {
        // As lsof has it but for the space, since a cell has none: there is no more to say of it.
        (None, Some(name)) => push(out, format_args!("protocol:{}", sanitize::text(name))),
        (local, _) => endpoint(local.as_ref(), *protocol, names, out),
    }
}

pub(super) fn peer(row: &Row<'_>, names: &Names, out: &mut String) {
    let Socket { peer, rare, protocol, .. } = &row.entry.socket;
    match (peer, rare.peer_inode) {
        // As /proc/PID/fd names what has no name.
        (None, Some(inode)) => push(out, format_args!("socket:[{inode}]")),
        (peer, _) => endpoint(peer.as_ref(), *protocol, names, out),
    }
}

pub(super) fn state(row: &Row<'_>, _: &Names, out: &mut String) {
    match row.entry.socket.state {
        Some(state) if let Some(name) = state.name() => out.push_str(name),
        state => push_some(out, state),
    }
}

pub(super) fn port(row: &Row<'_>, names: &Names, out: &mut String) {
    endpoint_port(row.entry.socket.local.as_ref(), row.entry.socket.protocol, names, out);
}

pub(super) fn peer_port(row: &Row<'_>, names: &Names, out: &mut String) {
    endpoint_port(row.entry.socket.peer.as_ref(), row.entry.socket.protocol, names, out);
}

pub(super) fn local_address(row: &Row<'_>, names: &Names, out: &mut String) {
    endpoint_address(row.entry.socket.local.as_ref(), names, out);
}

pub(super) fn peer_address(row: &Row<'_>, names: &Names, out: &mut String) {
    endpoint_address(row.entry.socket.peer.as_ref(), names, out);
}

pub(super) fn family(row: &Row<'_>, _: &Names, out: &mut String) {
    out.push_str(row.entry.socket.family.name());
}

pub(super) fn socket_type(row: &Row<'_>, _: &Names, out: &mut String) {
    push_some(out, row.entry.socket.socket_type);
}

pub(super) fn peer_owner(row: &Row<'_>, _: &Names, out: &mut String) {
    let owners = &row.entry.peer_owners;
    let Some(Owner { process, .. }) = owners.first() else { return };
    push_text(out, process.command.as_ref());
    push(out, format_args!("[{}]", process.pid));
    let others = count_others(owners);
    if others > 0 {
        push(out, format_args!("+{others}"));
    }
}

pub(super) fn peer_inode(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, row.entry.socket.rare.peer_inode.map(|inode| inode.0));
}

pub(super) fn interface(row: &Row<'_>, _: &Names, out: &mut String) {
    if let Some(interface) = &row.entry.socket.rare.interface {
        push_interface(interface, out);
    }
}

pub(super) fn v6only(row: &Row<'_>, _: &Names, out: &mut String) {
    push_some(out, row.entry.socket.v6only.map(|v6only| if v6only { "yes" } else { "no" }));
}

pub(super) fn recv_q(row: &Row<'_>, _: &Names, out: &mut String) {
    if let Some(Queues::Bytes { recv, .. }) = row.entry.socket.queues {
        push_number(out, Some(recv));
    }
}

pub(super) fn send_q(row: &Row<'_>, _: &Names, out: &mut String) {
    if let Some(Queues::Bytes { send, .. }) = row.entry.socket.queues {
        push_number(out, Some(send));
    }
}

pub(super) fn backlog(row: &Row<'_>, _: &Names, out: &mut String) {
    match row.entry.socket.queues {
        Some(Queues::Backlog { pending, limit: Some(limit) }) => {
            push(out, format_args!("{pending}/{limit}"));
        }
        Some(Queues::Backlog { pending, limit: None }) => push(out, format_args!("{pending}/?")),
        Some(Queues::Bytes { .. }) | None => {}
    }
}

pub(super) fn timer(row: &Row<'_>, _: &Names, out: &mut String) {
    let Some(timer) = row.entry.socket.timer else { return };
    match timer.kind {
        TimerKind::On => out.push_str("on"),
        TimerKind::Keepalive => out.push_str("keepalive"),
        TimerKind::Timewait => out.push_str("timewait"),
        TimerKind::Persist => out.push_str("persist"),
        TimerKind::Other(number) => push(out, format_args!("timer{number}")),
    }
    push(out, format_args!(":{}.{}s", timer.expires_ms / 1000, timer.expires_ms % 1000 / 100));
    if timer.retransmits > 0 {
        push(out, format_args!(":{}", timer.retransmits));
    }
}

fn details<'a>(row: &Row<'a>) -> Option<&'a Details> {
    row.entry.socket.details.as_deref()
}

fn tcp_info<'a>(row: &Row<'a>) -> Option<&'a TcpInfo> {
    details(row)?.tcp_info.as_deref()
}

pub(super) fn rtt(row: &Row<'_>, _: &Names, out: &mut String) {
    if let Some(rtt) = tcp_info(row).and_then(|info| info.rtt_us) {
        push(out, format_args!("{}.{:03}ms", rtt / 1000, rtt % 1000));
    }
}

pub(super) fn cwnd(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, tcp_info(row).and_then(|info| info.cwnd));
}

pub(super) fn retrans(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, tcp_info(row).and_then(|info| info.total_retrans));
}

pub(super) fn bytes_in(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, tcp_info(row).and_then(|info| info.bytes_received));
}

pub(super) fn bytes_out(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, tcp_info(row).and_then(TcpInfo::bytes_out));
}

pub(super) fn congestion(row: &Row<'_>, _: &Names, out: &mut String) {
    push_text(out, details(row).and_then(|details| details.congestion.as_ref()));
}

pub(super) fn memory(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, details(row).and_then(|details| details.memory).map(|memory| memory.queues()));
}

pub(super) fn drops(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, details(row).and_then(|details| details.drops));
}

pub(super) fn options(row: &Row<'_>, _: &Names, out: &mut String) {
    let options = details(row).and_then(|details| details.options.as_deref()).unwrap_or_default();
    for (index, option) in options.iter().enumerate() {
        push(out, format_args!("{}{option}", if index > 0 { "," } else { "" }));
    }
}

pub(super) fn uid(row: &Row<'_>, _: &Names, out: &mut String) {
    if row.entry.ownership.kernel().is_none() {
        push_number(out, row.entry.socket.uid.map(|uid| uid.0));
    }
}

pub(super) fn inode(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, row.entry.socket.inode.map(|inode| inode.0));
}

pub(super) fn cookie(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, row.entry.socket.cookie.map(|cookie| cookie.0));
}

pub(super) fn netns(row: &Row<'_>, _: &Names, out: &mut String) {
    match &row.entry.netns_name {
        Some(name) => push_text(out, Some(name)),
        None => push_number(out, row.entry.socket.netns.map(|netns| netns.0)),
    }
}

pub(super) fn nspid(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, row.process().and_then(|process| process.nspid).map(|pid| pid.0));
}

pub(super) fn ppid(row: &Row<'_>, _: &Names, out: &mut String) {
    push_number(out, row.process().and_then(|process| process.ppid).map(|pid| pid.0));
}

pub(super) fn age(row: &Row<'_>, _: &Names, out: &mut String) {
    let Some(age) = row.process().and_then(|process| process.age) else { return };
    let seconds = age.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    // The two largest units.
    match (days, hours, minutes) {
        (0, 0, 0) => push(out, format_args!("{seconds}s")),
        (0, 0, _) => push(out, format_args!("{minutes}m{}s", seconds % 60)),
        (0, _, _) => push(out, format_args!("{hours}h{}m", minutes % 60)),
        _ => push(out, format_args!("{days}d{}h", hours % 24)),
    }
}

pub(super) fn start(row: &Row<'_>, _: &Names, out: &mut String) {
    push_some(out, row.process().and_then(|process| process.started_at));
}

pub(super) fn exe(row: &Row<'_>, _: &Names, out: &mut String) {
    let Some(Exe { path, state }) = row.process().and_then(|process| process.exe.as_ref()) else {
        return;
    };
    push_text(out, Some(path));
    match state {
        ExeState::Current => {}
        ExeState::Deleted | ExeState::Replaced => {
            push(out, format_args!(" ({})", state.name()));
        }
    }
}

pub(super) fn cwd(row: &Row<'_>, _: &Names, out: &mut String) {
    push_text(out, row.process().and_then(|process| process.cwd.as_ref()));
}

pub(super) fn unit(row: &Row<'_>, _: &Names, out: &mut String) {
    let unit = row.cgroup().and_then(Cgroup::full_unit);
    push_text(out, unit.as_ref().or(row.entry.socket.rare.service.as_ref()));
}

pub(super) fn container(row: &Row<'_>, _: &Names, out: &mut String) {
    if let Some(container) = row.cgroup().and_then(|cgroup| cgroup.container.as_ref()) {
        out.push_str(&sanitize::string(&container.to_string()));
    }
}

pub(super) fn cgroup(row: &Row<'_>, _: &Names, out: &mut String) {
    push_text(out, row.cgroup().map(|cgroup| &cgroup.path));
}

pub(super) fn comm(row: &Row<'_>, _: &Names, out: &mut String) {
    push_text(out, row.process().and_then(|process| process.comm.as_ref()));
}

pub(super) fn cmdline(row: &Row<'_>, _: &Names, out: &mut String) {
    let argv = row.process().and_then(|process| process.argv.as_deref()).unwrap_or_default();
    for (index, argument) in argv.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        push_text(out, Some(argument));
    }
}

pub(super) fn others(row: &Row<'_>, _: &Names, out: &mut String) {
    if row.owner.is_some() {
        push_number(out, Some(row.others()));
    }
}

pub(super) fn owner(row: &Row<'_>, _: &Names, out: &mut String) {
    out.push_str(row.entry.ownership.name());
    match &row.entry.ownership {
        Ownership::Held(_) => {}
        Ownership::Kernel(reason) => push(out, format_args!(":{}", reason.word())),
        Ownership::Hidden(reason) => push(out, format_args!(":{reason}")),
    }
}

pub(super) fn via(row: &Row<'_>, _: &Names, out: &mut String) {
    push_some(out, row.owner.map(|owner| owner.via.name()));
}

/// Writes `127.0.0.1:80`, `[::1]:80`, `localhost:http`, `/path`, `@name`, `arp%eth0` or
/// `route:4711`; `*` for no port.
fn endpoint(end: Option<&Endpoint>, protocol: Protocol, names: &Names, out: &mut String) {
    match end {
        Some(end @ Endpoint::Inet { address, .. }) => {
            let brackets = address.is_ipv6() && names.host(*address).is_none();
            if brackets {
                out.push('[');
            }
            endpoint_address(Some(end), names, out);
            out.push_str(if brackets { "]:" } else { ":" });
            endpoint_port(Some(end), protocol, names, out);
        }
        Some(Endpoint::Path(path)) => push_text(out, Some(path)),
        Some(Endpoint::Abstract(name)) => {
            out.push('@');
            push_text(out, Some(name));
        }
        // Only a device's name is others' to choose.
        Some(
            end @ (Endpoint::Packet { .. }
            | Endpoint::Netlink { .. }
            | Endpoint::Vsock { .. }
            | Endpoint::Xdp { .. }),
        ) => {
            out.push_str(&sanitize::string(&end.to_string()));
        }
        None => {}
    }
}

fn endpoint_address(end: Option<&Endpoint>, names: &Names, out: &mut String) {
    let Some(Endpoint::Inet { address, scope, .. }) = end else { return };
    match names.host(*address) {
        Some(host) => out.push_str(&sanitize::string(host)),
        None => push_address(out, *address),
    }
    if let Some(scope) = scope {
        out.push('%');
        push_interface(scope, out);
    }
}

fn endpoint_port(end: Option<&Endpoint>, protocol: Protocol, names: &Names, out: &mut String) {
    let Some(Endpoint::Inet { port, .. }) = end else { return };
    match (port, names.service(protocol, *port)) {
        (0, _) => out.push('*'),
        (_, Some(service)) => out.push_str(&sanitize::string(service)),
        (port, None) => push_number(out, Some(*port)),
    }
}

fn push_address(out: &mut String, address: IpAddr) {
    let IpAddr::V4(v4) = address else { return push(out, address) };
    for (index, octet) in v4.octets().into_iter().enumerate() {
        if index > 0 {
            out.push('.');
        }
        push_number(out, Some(octet));
    }
}

fn push_interface(interface: &Interface, out: &mut String) {
    match &interface.name {
        Some(name) => push_text(out, Some(name)),
        None => push_number(out, Some(interface.index)),
    }
}
