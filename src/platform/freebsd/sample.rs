//! Bytes as FreeBSD fills them, of sockets made up for tests.

use super::layout as at;
use crate::platform::bsd::pcb::{Common, Pcb};
use crate::platform::bsd::sample::{connected, listening, put, v4};
use crate::socket::Family;

/// A listener on 0.0.0.0:80 with two of 128 waiting.
pub(super) fn listener() -> Pcb {
    listening(0x51, 41, v4([0; 4], 80), 80)
}

/// A connection that is over.
pub(super) fn over() -> Pcb {
    let over = connected(0, 42, v4([10, 0, 0, 4], 80), v4([10, 0, 0, 9], 50_123), 0);
    Pcb { socket: Common { kind: 0, ..over.socket }, state: Some(10), ..over }
}

/// A `struct xfile`.
pub(super) fn file(pid: u32, fd: u32, kind: u16, handle: u64) -> Vec<u8> {
    let mut row = sized(at::FILE_SIZE);
    put(&mut row, at::FILE_PID, &pid.to_ne_bytes());
    put(&mut row, at::FILE_FD, &fd.to_ne_bytes());
    put(&mut row, at::FILE_TYPE, &kind.to_ne_bytes());
    put(&mut row, at::FILE_DATA, &handle.to_ne_bytes());
    row
}

/// A structure that begins with its size.
fn sized(size: usize) -> Vec<u8> {
    let mut row = vec![0; size];
    put(&mut row, 0, &(size as u64).to_ne_bytes());
    row
}

fn put_socket(row: &mut [u8], offset: usize, socket: &Common, family: u32) {
    put(row, offset + at::SO, &socket.handle.to_ne_bytes());
    put(row, offset + at::FAMILY, &family.to_ne_bytes());
    put(row, offset + at::QLEN, &socket.pending.to_ne_bytes());
    put(row, offset + at::QLIMIT, &socket.limit.to_ne_bytes());
    put(row, offset + at::UID, &socket.uid.unwrap_or_default().to_ne_bytes());
    put(row, offset + at::TYPE, &socket.kind.to_ne_bytes());
    put(row, offset + at::OPTIONS, &socket.options.to_ne_bytes());
    put(row, offset + at::STATE, &socket.state.to_ne_bytes());
    put(row, offset + at::RCV, &socket.received.to_ne_bytes());
    put(row, offset + at::SND, &socket.unsent.to_ne_bytes());
}

/// A `struct xinpcb`.
fn row(pcb: &Pcb) -> Vec<u8> {
    let family = if pcb.family == Family::Inet { 2 } else { 28 };
    let mut row = sized(at::PCB_SIZE);
    put_socket(&mut row, at::PCB_SOCKET, &pcb.socket, family);
    put(&mut row, at::PCB_INC + at::FPORT, &pcb.peer.port.to_be_bytes());
    put(&mut row, at::PCB_INC + at::LPORT, &pcb.local.port.to_be_bytes());
    put(&mut row, at::PCB_INC + at::FADDR, &pcb.peer.address);
    put(&mut row, at::PCB_INC + at::LADDR, &pcb.local.address);
    put(&mut row, at::PCB_INC + at::ZONE, &pcb.zone.to_ne_bytes());
    put(&mut row, at::GENCNT, &pcb.generation.to_ne_bytes());
    put(&mut row, at::FLAGS, &pcb.flags.to_ne_bytes());
    put(&mut row, at::VFLAG, &[pcb.versions]);
    row
}

fn enclosed(header: usize, rows: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut table = sized(header);
    table.extend(rows.flatten());
    table.extend(sized(header));
    table
}

/// A table of TCP.
pub(super) fn tcp_table(pcbs: &[Pcb]) -> Vec<u8> {
    enclosed(
        at::GEN_SIZE,
        pcbs.iter().map(|pcb| {
            let mut tcp = sized(at::TCP_SIZE);
            put(&mut tcp, at::TCP_PCB, &row(pcb));
            put(&mut tcp, at::TCP_STATE, &[pcb.state.unwrap_or_default()]);
            put(&mut tcp, at::TCP_2MSL, &pcb.time_wait_ms.unwrap_or_default().to_ne_bytes());
            tcp
        }),
    )
}

/// A table of UDP.
pub(super) fn udp_table(pcbs: &[Pcb]) -> Vec<u8> {
    enclosed(at::GEN_SIZE, pcbs.iter().map(row))
}

/// A `struct xunpcb`: its path, the handle of its socket, its control block and its peer's, its type.
pub(super) fn unix(path: &str, handle: u64, pcb: u64, peer: u64, kind: u16) -> Vec<u8> {
    let mut row = sized(at::UNIX_SIZE);
    let socket = Common { handle, kind, state: 2, ..Common::default() };
    put_socket(&mut row, at::UNIX_SOCKET, &socket, 1);
    put(&mut row, at::UNIX_PCB, &pcb.to_ne_bytes());
    put(&mut row, at::UNIX_CONN, &peer.to_ne_bytes());
    if !path.is_empty() {
        put(&mut row, at::UNIX_ADDR, &[106, 1]);
        put(&mut row, at::UNIX_ADDR + 2, path.as_bytes());
    }
    row
}

/// A table of UNIX sockets.
pub(super) fn unix_table(rows: &[Vec<u8>]) -> Vec<u8> {
    enclosed(at::UNIX_GEN_SIZE, rows.iter().cloned())
}

/// A `struct kinfo_proc` of user 80.
pub(super) fn process(pid: u32, parent: u32, command: &str, jail: u32) -> Vec<u8> {
    let mut row = vec![0; at::PROC_SIZE];
    let size = u32::try_from(at::PROC_SIZE).unwrap();
    put(&mut row, 0, &size.to_ne_bytes());
    put(&mut row, at::PROC_PID, &pid.to_ne_bytes());
    put(&mut row, at::PROC_PPID, &parent.to_ne_bytes());
    put(&mut row, at::PROC_UID, &80_u32.to_ne_bytes());
    put(&mut row, at::PROC_START, &1_700_000_000_u64.to_ne_bytes());
    put(&mut row, at::PROC_START + 8, &u64::from(pid).to_ne_bytes());
    put(&mut row, at::PROC_STAT, &[3]);
    put(&mut row, at::PROC_COMM, command.as_bytes());
    put(&mut row, at::PROC_JID, &jail.to_ne_bytes());
    row
}
