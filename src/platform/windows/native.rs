//! Reads Windows' tables, and completes with them what the portable backend tells.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::refine::{add_bound, drop_impostors, refine};
use super::sys::{self, Access, Sid};
use super::tables::{Row, Table, decode};
use crate::error::CollectError;
use crate::platform::portable::Portable;
use crate::platform::{Backend, Request};
use crate::process::Pid;
use crate::snapshot::{Collected, Gap, Missing};
use crate::socket::{Family, Protocol, SocketId};
use crate::text::Text;

/// The backend for Windows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Windows;

impl Backend for Windows {
    fn collect(&mut self, request: &Request) -> Result<Collected, CollectError> {
        let mut collected = Portable::new().collect(request)?;
        "windows".clone_into(&mut collected.backend);
        // What these gaps are about is told below, or is missing for a reason of its own.
        collected.gaps.retain(|gap| {
            !matches!(gap.what, Missing::BoundSockets | Missing::SocketFacts | Missing::UserNames)
        });
        let never = "windows tells no queues, no users of sockets and no peers of udp sockets";
        collected.gaps.push(Gap::new(Missing::SocketFacts, never));
        if sys::is_wine() {
            collected.gaps.push(Gap::new(Missing::UnheldSockets, "wine does not list them"));
        }

        let (tables, gaps) = read(request);
        collected.gaps.extend(gaps);
        let rows = rows(&tables);
        let (bound, told): (Vec<Row<'_>>, Vec<Row<'_>>) =
            rows.into_iter().partition(|row| matches!(row.table, Table::Bound4 | Table::Bound6));
        let of_sockets = refine(&mut collected, &told);
        add_bound(&mut collected, &told, &bound);
        if request.owners {
            read_new_processes(&mut collected, request.process_details);
            add_services(&mut collected, &of_sockets);
            disown(&mut collected, &of_sockets, request);
            add_users(&mut collected);
        }
        Ok(collected)
    }
}

/// The tables, and what of them.
const TABLES: [(Table, Protocol, Family); 6] = [
    (Table::Tcp4, Protocol::Tcp, Family::Inet),
    (Table::Tcp6, Protocol::Tcp, Family::Inet6),
    (Table::Udp4, Protocol::Udp, Family::Inet),
    (Table::Udp6, Protocol::Udp, Family::Inet6),
    (Table::Bound4, Protocol::Tcp, Family::Inet),
    (Table::Bound6, Protocol::Tcp, Family::Inet6),
];

/// Reads the tables wanted, and says which could not be.
fn read(request: &Request) -> (Vec<(Table, Vec<u8>)>, Vec<Gap>) {
    let (mut tables, mut gaps) = (Vec::new(), Vec::new());
    let is_wine = sys::is_wine();
    for (table, protocol, family) in TABLES {
        if !request.protocols.contains(&protocol) || !request.families.contains(&family) {
            continue;
        }
        let what = match table {
            Table::Bound4 | Table::Bound6 => Missing::BoundSockets,
            Table::Tcp4 | Table::Tcp6 | Table::Udp4 | Table::Udp6 => Missing::SocketFacts,
        };
        let why = match sys::table(table) {
            Ok(Some(bytes)) => {
                let (_, cut) = decode(&bytes, table);
                tables.push((table, bytes));
                if cut == 0 {
                    continue;
                }
                format!("{cut} rows are cut off")
            }
            // It has them among the others, as closed.
            Ok(None) if is_wine => continue,
            Ok(None) => "this windows has no call for them".to_owned(),
            Err(error) => error.to_string(),
        };
        gaps.push(Gap::new(what, why).detail(format!("{protocol} over {family}")));
    }
    (tables, gaps)
}

fn rows(tables: &[(Table, Vec<u8>)]) -> Vec<Row<'_>> {
    tables.iter().flat_map(|(table, bytes)| decode(bytes, *table).0).collect()
}

/// Reads the processes that only bound endpoints name.
fn read_new_processes(collected: &mut Collected, details: bool) {
    let known: BTreeSet<Pid> = collected.processes.iter().map(|process| process.pid).collect();
    let holders = collected.holders.iter().flatten();
    let new: BTreeSet<Pid> =
        holders.map(|holder| holder.pid).filter(|pid| !known.contains(pid)).collect();
    if !new.is_empty() {
        let (processes, gap) = crate::platform::process::read(&new, details);
        let added = processes.into_iter().filter(|process| !known.contains(&process.pid));
        collected.processes.extend(added);
        collected.gaps.extend(gap);
    }
}

/// Names the service of each socket whose process runs services. Where it runs several, as a `svchost`
/// may, the tag that Windows gave the socket tells whose it is.
fn add_services(collected: &mut Collected, of_sockets: &HashMap<SocketId, Row<'_>>) {
    // Whoever may not ask the service manager sees processes alone.
    let Ok(running) = sys::services() else { return };
    let mut services: HashMap<u32, Vec<String>> = HashMap::new();
    for (pid, name) in running {
        services.entry(pid).or_default().push(name);
    }
    let holders: HashMap<SocketId, Pid> =
        collected.holders.iter().flatten().map(|holder| (holder.socket, holder.pid)).collect();
    for socket in &mut collected.sockets {
        let pid = holders.get(&socket.id);
        let Some(names) = pid.and_then(|pid| services.get(&{ pid.0 })) else { continue };
        let tagged = || {
            let row = of_sockets.get(&socket.id)?;
            let module = sys::owner_module(row.table, row.bytes)?;
            names.iter().find(|name| name.eq_ignore_ascii_case(&module))
        };
        let name = if let [only] = &names[..] { Some(only) } else { tagged() };
        if let Some(name) = name {
            socket.rare.make_mut().service = Some(Text::from(name.as_str()));
        }
    }
}

/// Takes the processes away that did not make what they are named for; see [`drop_impostors`].
fn disown(collected: &mut Collected, of_sockets: &HashMap<SocketId, Row<'_>>, request: &Request) {
    let unknown = collected.processes.iter().filter(|process| process.command.is_none());
    let ended: BTreeSet<Pid> =
        unknown.map(|process| process.pid).filter(|pid| has_ended(*pid)).collect();
    let dropped = drop_impostors(collected, &ended);
    if dropped.is_empty() {
        return;
    }
    // A socket may have gone together with its process. What is there still, somebody inherited.
    let (tables, _) = read(request);
    let now = rows(&tables);
    let is_there = |id: &SocketId| of_sockets.get(id).is_some_and(|row| now.contains(row));
    let inherited: Vec<&(SocketId, Pid)> = dropped.iter().filter(|(id, _)| is_there(id)).collect();
    if !inherited.is_empty() {
        let makers: BTreeSet<String> = inherited.iter().map(|(_, pid)| pid.to_string()).collect();
        let why = "the process that made it has ended, and windows does not tell who inherited it";
        collected.gaps.push(
            Gap::new(Missing::Owners, why)
                .detail(format!("made by {}", Vec::from_iter(makers).join(", ")))
                .count(inherited.len()),
        );
    }
}

/// What `OpenProcess` says to a number that no process has (`ERROR_INVALID_PARAMETER`).
const NO_SUCH_PROCESS: i32 = 87;

fn has_ended(pid: Pid) -> bool {
    let opened = sys::open_process(pid.0, Access::Look);
    opened.is_err_and(|error| error.raw_os_error() == Some(NO_SUCH_PROCESS))
}

/// Names the users of the processes. Each is looked up once: it may be a domain's.
fn add_users(collected: &mut Collected) {
    let mut names: BTreeMap<Sid, Option<Text>> = BTreeMap::new();
    let mut unknown = 0;
    for process in &mut collected.processes {
        let sid = sys::open_process(process.pid.0, Access::Look).and_then(|handle| handle.user());
        process.user = sid.ok().and_then(|sid| {
            let name = || sys::account(&sid).ok().map(|name| Text::from(name.as_str()));
            names.entry(sid.clone()).or_insert_with(name).clone()
        });
        unknown += usize::from(process.user.is_none());
    }
    if unknown > 0 {
        let gap = Gap::new(Missing::UserNames, "the system does not tell").count(unknown);
        collected.gaps.push(gap.hint("run as administrator to see whose processes they are"));
    }
}
