//! Times each step of a listing by itself, on 100,000 rows made up here: `cargo bench --bench micro`.
//!
//! No kernel takes part, so the figures are of our own code alone and steadier than those of the bench
//! `peers`, which says what a user waits for.
//!
//! ```text
//! cargo bench --bench micro              every step
//! cargo bench --bench micro -- render    those whose names have this in them
//! ```
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::SystemTime;

use divan::{Bencher, black_box};
use sockscope::filter::{Filter, NoNames};
use sockscope::join::{Packed, join, join_packed};
use sockscope::process::{Fd, Holder, Pid, Process, Uid, Via};
use sockscope::render::names::ResolvedNames;
use sockscope::render::row::Rows;
use sockscope::render::table::TableOptions;
use sockscope::render::{csv, json, table};
use sockscope::snapshot::{Collected, Snapshot, Timestamp, parts};
use sockscope::socket::{Cookie, Family, Inode, NetnsId, Protocol, Queues, Socket, SocketId};
use sockscope::sort::{SortKey, sort, sort_packed};
use sockscope::state::TcpState;

const ROWS: u32 = 100_000;
const PROCESSES: u32 = 500;
const SAMPLES: u32 = 20;

fn main() {
    divan::main();
}

/// Returns the sockets of a busy server: connections of both families in no order, each held by one of
/// its processes, and some in TIME_WAIT.
fn collected() -> Collected {
    let mut collected = Collected::new(Timestamp(SystemTime::UNIX_EPOCH), "linux", "bench");
    let numbers = 0..ROWS;
    collected.sockets = numbers.clone().map(socket).collect();
    let has_holder = |number: &u32| !number.is_multiple_of(10);
    collected.holders = Some(numbers.filter(has_holder).map(holder).collect());
    collected.processes = (0..PROCESSES).map(process).collect();
    collected.users = [(Uid(0), "root".into()), (Uid(33), "www-data".into())].into();
    collected.netns_names = [(NetnsId(1), "host".into())].into();
    collected
}

fn socket(number: u32) -> Socket {
    // Scattered as the kernel's hash scatters them, and each once.
    let scattered = number.wrapping_mul(0x9e37_79b1);
    let port = u16::try_from(scattered >> 16).unwrap() | 1;
    let is_v6 = number.is_multiple_of(4);
    let family = if is_v6 { Family::Inet6 } else { Family::Inet };
    let end = |host: u32, port| -> SocketAddr {
        if is_v6 {
            (Ipv6Addr::from_bits(0xfd00 << 112 | u128::from(host)), port).into()
        } else {
            (Ipv4Addr::from_bits(10 << 24 | host & 0x00ff_ffff), port).into()
        }
    };
    let mut socket = Socket::new(SocketId(number.into()), Protocol::Tcp, family);
    let is_over = number.is_multiple_of(10);
    socket.state = Some(if is_over { TcpState::TimeWait } else { TcpState::Established });
    socket.local = Some(end(1, 443).into());
    socket.peer = Some(end(scattered, port).into());
    socket.cookie = Some(Cookie(number.into()));
    socket.netns = Some(NetnsId(1));
    if !is_over {
        socket.inode = Some(Inode(u64::from(number) + 10_000));
        socket.uid = Some(Uid(33));
        socket.queues = Some(Queues::Bytes { recv: number % 3, send: 0 });
    }
    socket
}

fn holder(number: u32) -> Holder {
    let (pid, fd) = (Pid(1000 + number % PROCESSES), Some(Fd(3 + number / PROCESSES)));
    Holder { pid, tid: None, fd, socket: SocketId(number.into()), via: Via::Fd }
}

fn process(number: u32) -> Process {
    let mut process = Process::new(Pid(1000 + number));
    (process.command, process.comm) = (Some("nginx".into()), Some("nginx".into()));
    (process.uid, process.start) = (Some(Uid(33)), Some(number.into()));
    process.argv = Some(vec!["nginx: worker process".into()]);
    process
}

fn sorted() -> Snapshot<Packed> {
    let mut snapshot = join_packed(collected().packed());
    sort_packed(&mut snapshot.entries);
    snapshot
}

/// The rows of `inet_diag`, bytes to sockets.
#[cfg(target_os = "linux")]
#[divan::bench(sample_count = SAMPLES)]
fn decode(bencher: Bencher<'_, '_>) {
    // An IPv4 connection as the kernel tells it: `struct inet_diag_msg` and its control group.
    let message = |number: u32| {
        let mut row = vec![2, 1, 0, 0];
        row.extend(443_u16.to_be_bytes());
        row.extend(u16::try_from(number >> 4).unwrap().to_be_bytes());
        for host in [1_u32, number] {
            row.extend((10 << 24 | host).to_be_bytes());
            row.extend([0; 12]);
        }
        row.extend([0, number, 0, 0, 0, 0, 33, number + 1].map(u32::to_ne_bytes).concat());
        row.extend([12_u16, 21].map(u16::to_ne_bytes).concat());
        row.extend(4711_u64.to_ne_bytes());
        row
    };
    let messages: Vec<Vec<u8>> = (0..ROWS).map(message).collect();
    bencher.bench(|| {
        let decoded = messages.iter().map(|row| sockscope::platform::linux::decode_tcp_row(row));
        decoded.collect::<Option<Vec<Socket>>>().unwrap()
    });
}

/// Into little room, and out of it.
#[divan::bench(sample_count = SAMPLES)]
fn pack(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(collected).bench_values(Collected::packed);
}

#[divan::bench(sample_count = SAMPLES)]
fn unpack(bencher: Bencher<'_, '_>) {
    let tables = collected().packed();
    bencher.bench_local(|| tables.sockets.iter().map(black_box).count());
}

#[divan::bench(sample_count = SAMPLES)]
fn join_holders(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| collected().packed()).bench_values(join_packed);
}

/// Makes each row.
#[divan::bench(sample_count = SAMPLES)]
fn entries(bencher: Bencher<'_, '_>) {
    let snapshot = sorted();
    bencher
        .bench_local(|| parts(&snapshot.entries).map(|some| black_box(some).len()).sum::<usize>());
}

#[divan::bench(sample_count = SAMPLES, args = ["tcp", "dst 10.1.0.0/16 and command nginx or port 80"])]
fn filter(bencher: Bencher<'_, '_>, text: &str) {
    let (snapshot, filter) = (join(collected()), Filter::parse(text, &NoNames).unwrap());
    let matches = || snapshot.entries.iter().filter(|entry| filter.matches(entry)).count();
    bencher.bench_local(matches);
}

#[divan::bench(sample_count = SAMPLES)]
fn sort_usually(bencher: Bencher<'_, '_>) {
    let joined = || join_packed(collected().packed());
    bencher.with_inputs(joined).bench_local_values(|mut snapshot| {
        sort_packed(&mut snapshot.entries);
        snapshot
    });
}

#[divan::bench(sample_count = SAMPLES, args = ["command,-peer"])]
fn sort_by_keys(bencher: Bencher<'_, '_>, keys: &str) {
    let keys = SortKey::parse_list(keys).unwrap();
    let snapshot = join(collected());
    bencher.with_inputs(|| snapshot.entries.clone()).bench_local_values(|mut entries| {
        sort(&mut entries, &keys);
        entries
    });
}

#[divan::bench(sample_count = SAMPLES)]
fn render_table(bencher: Bencher<'_, '_>) {
    let (snapshot, names) = (sorted(), ResolvedNames::default());
    bencher.bench_local(|| {
        table::write(black_box(&snapshot), &TableOptions::new(&names), &mut io::sink()).unwrap();
    });
}

#[divan::bench(sample_count = SAMPLES)]
fn render_json(bencher: Bencher<'_, '_>) {
    let snapshot = sorted();
    bencher.bench_local(|| json::write(black_box(&snapshot), &mut io::sink()).unwrap());
}

#[divan::bench(sample_count = SAMPLES)]
fn render_csv(bencher: Bencher<'_, '_>) {
    let (snapshot, names) = (sorted(), ResolvedNames::default());
    let (columns, header, rows) = (csv::DEFAULT, true, Rows::Sockets);
    let options = csv::CsvOptions { columns, header, rows, names: &names };
    bencher.bench_local(|| csv::write(black_box(&snapshot), &options, &mut io::sink()).unwrap());
}
