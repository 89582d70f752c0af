//! Names for the addresses and ports of a snapshot, on request only: look-ups block, leak what one
//! looks at, and may lie.
//!
//! Addresses are looked up by several workers, each address once, within one budget of time for
//! all. What is not answered by then stays numeric. A worker that hangs in the resolver is left
//! behind: it holds nothing, and the end of the program ends it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::services::Services;
use crate::render::names::ResolvedNames;
use crate::snapshot::{Entries, Entry, Snapshot, parts};
use crate::socket::Endpoint;

/// How many look-ups run at once: they only wait.
const WORKERS: usize = 32;

/// Returns the names of the snapshot's addresses and ports that can be found within the budget.
pub fn resolve(snapshot: &Snapshot<dyn Entries>, budget: Duration) -> ResolvedNames {
    let mut names = ResolvedNames::default();
    let services = Services::read();
    let mut addresses: BTreeSet<IpAddr> = BTreeSet::new();
    for entries in parts(&snapshot.entries) {
        for entry in entries.iter() {
            for port in ends(entry).filter_map(Endpoint::port) {
                if let Some(name) = services.name(entry.socket.protocol, port) {
                    names.insert_service(entry.socket.protocol, port, name);
                }
            }
        }
        let all = entries.iter().flat_map(ends).filter_map(Endpoint::canonical_address);
        addresses.extend(all.filter(|address| !address.is_unspecified()));
    }
    for (address, host) in
        hosts(addresses, budget, |address| dns_lookup::lookup_addr(&address).ok())
    {
        names.insert_host(address, host);
    }
    names
}

fn ends(entry: &Entry) -> impl Iterator<Item = &Endpoint> {
    entry.socket.local.iter().chain(&entry.socket.peer)
}

/// What the workers share.
#[derive(Default)]
struct Work {
    waiting: Vec<IpAddr>,
    /// Look-ups not finished yet, waiting or running.
    unfinished: usize,
    found: HashMap<IpAddr, String>,
}

/// Looks the addresses up, and returns what was found when all are done or the budget is used up.
fn hosts(
    addresses: BTreeSet<IpAddr>,
    budget: Duration,
    look_up: impl Fn(IpAddr) -> Option<String> + Send + Sync + 'static,
) -> HashMap<IpAddr, String> {
    let waiting: Vec<IpAddr> = addresses.into_iter().collect();
    let wanted = waiting.len().min(WORKERS);
    let work = Work { unfinished: waiting.len(), waiting, ..Work::default() };
    let shared = Arc::new((Mutex::new(work), Condvar::new()));
    let look_up = Arc::new(look_up);
    let started = (0..wanted)
        .map_while(|_| {
            let (shared, look_up) = (Arc::clone(&shared), Arc::clone(&look_up));
            let run = move || worker(&shared.0, &shared.1, &*look_up);
            thread::Builder::new().name("resolve".to_owned()).spawn(run).ok()
        })
        .count();
    if started == 0 {
        return HashMap::new();
    }
    let (work, done) = &*shared;
    let outcome = done.wait_timeout_while(lock(work), budget, |work| work.unfinished > 0);
    let (mut work, _) = outcome.unwrap_or_else(PoisonError::into_inner);
    work.waiting.clear();
    std::mem::take(&mut work.found)
}

fn worker(work: &Mutex<Work>, done: &Condvar, look_up: &dyn Fn(IpAddr) -> Option<String>) {
    loop {
        // The lock is given back before the look-up.
        let next = lock(work).waiting.pop();
        let Some(address) = next else { return };
        // A resolver that does not know answers with the number.
        let name = look_up(address).filter(|name| name.parse::<IpAddr>().is_err());
        let mut work = lock(work);
        work.unfinished -= 1;
        work.found.extend(name.map(|name| (address, name)));
        if work.unfinished == 0 {
            done.notify_all();
        }
    }
}

fn lock(work: &Mutex<Work>) -> MutexGuard<'_, Work> {
    // A worker cannot panic while it holds the lock.
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(10);

    fn addresses(count: u8) -> BTreeSet<IpAddr> {
        (0..count).map(|last| IpAddr::from([192, 0, 2, last])).collect()
    }

    #[test]
    fn every_address_is_looked_up_once() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let found = hosts(addresses(100), LONG, move |address| {
            seen.lock().unwrap().push(address);
            Some(format!("host-{address}"))
        });
        assert_eq!(found.len(), 100);
        let mut asked = asked.lock().unwrap().clone();
        asked.sort();
        assert_eq!(asked, Vec::from_iter(addresses(100)));
    }

    #[test]
    fn a_look_up_that_hangs_does_not_outlast_the_budget() {
        let (over, until_over) = std::sync::mpsc::channel::<()>();
        let until_over = Mutex::new(until_over);
        let found = hosts(addresses(1), Duration::from_millis(10), move |_| {
            // Hangs until the test is over: a sender that is dropped ends it.
            let _gone = until_over.lock().unwrap().recv();
            Some("late".to_owned())
        });
        assert_eq!(found, HashMap::new());
        drop(over);
    }

    #[test]
    fn what_has_no_name_stays_numeric() {
        let found = hosts(addresses(2), LONG, |address| {
            (address == IpAddr::from([192, 0, 2, 1])).then(|| "192.0.2.1".to_owned())
        });
        assert_eq!(found, HashMap::new());
    }

    #[test]
    fn nothing_to_look_up_waits_for_nothing() {
        assert_eq!(hosts(BTreeSet::new(), LONG, |_| None), HashMap::new());
    }
}
