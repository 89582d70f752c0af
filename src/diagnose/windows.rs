//! Windows' own rules of a bind, as data, and its own causes.
//!
//! The table is Microsoft's ("Sharing Transport Addresses",
//! <https://learn.microsoft.com/windows-hardware/drivers/network/sharing-transport-addresses>). A test
//! makes each of these binds where it runs; of the 36 Wine answers three otherwise, which the test names.

use crate::diagnose::checks::fails;
use crate::diagnose::facts::{BindFacts, WindowsFacts};
use crate::diagnose::judge::{Case, Finding};
use crate::diagnose::reason::Reason;
use crate::diagnose::remedies::advise;
use crate::diagnose::remedy::Remedy;
use crate::diagnose::request::Target;
use crate::diagnose::rules::{self, Newcomer, Stand};
use crate::diagnose::{Call, Certainty, Errno, Verdict};
use crate::process::{Pid, Process};
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Socket};
use crate::state::TcpState;

/// What a socket did about its address before `bind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Nothing.
    Default,
    /// `SO_REUSEADDR`.
    Reuse,
    /// `SO_EXCLUSIVEADDRUSE`.
    Exclusive,
}

/// What an address covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Wildcard,
    Specific,
}

/// What comes of the second bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both have it.
    Shared,
    /// `WSAEADDRINUSE`.
    InUse,
    /// `WSAEACCES`.
    Denied,
    /// It succeeds where both are of one user, else it is denied.
    Check,
}

/// The first binds, in the order of the table's columns.
pub(crate) const FIRST: [(Sharing, Reach); 6] = {
    use Reach::{Specific, Wildcard};
    use Sharing::{Default, Exclusive, Reuse};
    [
        (Default, Wildcard),
        (Default, Specific),
        (Reuse, Wildcard),
        (Reuse, Specific),
        (Exclusive, Wildcard),
        (Exclusive, Specific),
    ]
};

/// What comes of each second bind after each first one. Two specific addresses are the same one: others
/// never meet.
pub(crate) const SECOND: [((Sharing, Reach), [Outcome; 6]); 6] = {
    use Outcome::{Check, Denied, InUse, Shared};
    use Reach::{Specific, Wildcard};
    use Sharing::{Default, Exclusive, Reuse};
    [
        ((Default, Wildcard), [InUse, Shared, InUse, Shared, InUse, Shared]),
        ((Default, Specific), [Check, InUse, Check, Denied, Denied, InUse]),
        ((Reuse, Wildcard), [Denied, Shared, Shared, Shared, Denied, Shared]),
        ((Reuse, Specific), [Check, Denied, Shared, Shared, Denied, Denied]),
        ((Exclusive, Wildcard), [InUse; 6]),
        ((Exclusive, Specific), [Check, InUse, Check, InUse, Denied, InUse]),
    ]
};

/// Returns how a holder stands to the newcomer on Windows, where nobody tells which option a holder has
/// set: what all three leave open is unknown, and the probe decides.
pub(super) fn stand(newcomer: &Newcomer, holder: &Socket, facts: &BindFacts) -> Stand {
    let by_address = rules::stand(newcomer, holder, facts);
    if matches!(by_address, Stand::Apart | Stand::OtherDevice) {
        return by_address;
    }
    let is_held = match holder.state {
        Some(state) => matches!(state, TcpState::Listen | TcpState::Bound),
        None => holder.peer.is_none(),
    };
    let theirs = holder.local.as_ref().and_then(Endpoint::address);
    let is_known = facts.windows.as_ref().is_some_and(|windows| !windows.is_wine)
        && is_held
        && theirs.is_some_and(|theirs| theirs.is_ipv4() == newcomer.address.is_ipv4());
    if !is_known {
        return Stand::Unknown;
    }
    let reach = |is_any| if is_any { Reach::Wildcard } else { Reach::Specific };
    let sharing = if newcomer.reuse_address { Sharing::Reuse } else { Sharing::Default };
    let second = (sharing, reach(newcomer.address.is_unspecified()));
    let first = reach(theirs.is_some_and(|theirs| theirs.is_unspecified()));
    let outcomes: Vec<Outcome> = SECOND
        .iter()
        .filter(|(row, _)| *row == second)
        .flat_map(|(_, outcomes)| FIRST.iter().zip(outcomes))
        .filter(|((_, column), _)| *column == first)
        .map(|(_, outcome)| *outcome)
        .collect();
    if outcomes.iter().all(|outcome| *outcome == Outcome::InUse) {
        Stand::Blocks
    } else if outcomes.iter().all(|outcome| *outcome == Outcome::Shared) {
        Stand::Shares
    } else {
        Stand::Unknown
    }
}

/// `bind` of a port that Windows keeps out of use.
pub(super) fn excluded(case: &Case<'_>) -> Finding {
    let (Some(windows), Target::Inet { port, .. }) = (&case.facts.windows, &case.request.target)
    else {
        return Finding::pass();
    };
    let Some(range) = windows.excluded.iter().find(|range| range.ports.contains(port)) else {
        return Finding::pass();
    };
    let (first, last) = (range.ports.start(), range.ports.end());
    let mut evidence = vec![format!("netsh int ipv4 show excludedportrange has {first} to {last}")];
    if range.is_administered {
        evidence.push("an administrator made that range: its program may bind it".to_owned());
    }
    let mut finding = fails(Call::Bind, Errno::EACCES, Reason::ExcludedRange, evidence);
    if range.is_administered {
        finding.verdict = Verdict::Unknown;
        for cause in &mut finding.causes {
            cause.certainty = Certainty::Possible;
        }
    }
    finding
}

/// Returns true for Windows' kernel with its drivers.
pub(crate) fn is_kernel(process: &Process) -> bool {
    process.pid == Pid(4) && is_named(process, "System")
}

fn is_named(process: &Process, name: &str) -> bool {
    process.command.as_ref().and_then(|command| command.as_str()).is_some_and(|command| {
        command.eq_ignore_ascii_case(name)
            || command.to_ascii_lowercase().strip_suffix(".exe") == Some(name)
    })
}

/// Returns what a holder is, when it is one of those that stand for others on Windows.
pub(super) fn stand_in(entry: &Entry, facts: &BindFacts) -> Option<Reason> {
    let any = |is: &dyn Fn(&Process) -> bool| {
        entry.ownership.owners().iter().any(|owner| is(&owner.process))
    };
    let port = entry.socket.local.as_ref().and_then(Endpoint::port)?;
    let proxies = || facts.windows.iter().flat_map(|windows| &windows.proxies);
    if any(&is_kernel) {
        Some(Reason::WindowsKernel)
    } else if any(&|process| ["wslrelay", "wslhost"].iter().any(|name| is_named(process, name))) {
        Some(Reason::WslRelay)
    } else if proxies().any(|proxy| proxy.port == port) {
        Some(Reason::PortProxy)
    } else {
        None
    }
}

/// Returns what shows it.
pub(super) fn evidence(reason: Reason, port: u16, facts: &BindFacts) -> Vec<String> {
    let Some(WindowsFacts { urls, proxies, .. }) = &facts.windows else { return Vec::new() };
    if reason == Reason::WindowsKernel {
        let here = urls.iter().filter(|(of, _)| *of == port);
        here.map(|(_, url)| format!("HTTP.sys serves {url}")).collect()
    } else if reason == Reason::PortProxy {
        let here = proxies.iter().filter(|proxy| proxy.port == port);
        here.map(|proxy| format!("portproxy leads {}:{port} to {}", proxy.address, proxy.to))
            .collect()
    } else {
        Vec::new()
    }
}

/// Returns what can be done about Windows' own causes.
pub(super) fn remedies(reason: Reason, port: u16, facts: &BindFacts) -> Vec<Remedy> {
    let run = |text: &str, command: &str| advise(text, Some(command.to_owned()));
    let proxies = facts.windows.iter().flat_map(|windows| &windows.proxies);
    if reason == Reason::ExcludedRange {
        vec![
            advise("take a port outside the range", None),
            run("give the ranges back, until they are taken again", "net stop winnat"),
            run(
                "keep the port for your program from the next start on",
                &format!(
                    "netsh int ipv4 add excludedportrange protocol=tcp startport={port} numberofports=1"
                ),
            ),
        ]
    } else if reason == Reason::WindowsKernel {
        vec![run("see whose URLs they are, and stop that service", "netsh http show servicestate")]
    } else if reason == Reason::WslRelay {
        vec![run(
            "stop the program that listens in there",
            &format!("wsl -- ss -ltnp 'sport = {port}'"),
        )]
    } else if reason == Reason::PortProxy {
        proxies
            .filter(|proxy| proxy.port == port)
            .map(|proxy| {
                let command = format!(
                    "netsh interface portproxy delete {} listenport={port} listenaddress={}",
                    proxy.kind, proxy.address
                );
                advise("take the forwarding away", Some(command))
            })
            .collect()
    } else if reason == Reason::ExclusiveUse {
        vec![advise("take another port, or another address than the holder's", None)]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnose::fixture::{listener, owner};
    use crate::diagnose::{
        Action, BindRequest, Diagnosis, ExcludedPorts, PortProxy, Probe, WindowsFacts, diagnose,
    };
    use crate::snapshot::{Collected, Snapshot, Timestamp};
    use crate::socket::Protocol;
    use crate::text::Text;

    const IN_USE: Verdict = Verdict::Fails { call: Call::Bind, errno: Errno::EADDRINUSE };
    const DENIED: Verdict = Verdict::Fails { call: Call::Bind, errno: Errno::EACCES };

    /// A listener at this address, of a process of this number and name.
    fn held(local: &str, pid: u32, name: &str) -> Entry {
        let mut owner = owner(pid, &[], "/");
        let process = Arc::make_mut(&mut owner.process);
        (process.command, process.cgroup) = (Some(Text::from(name)), None);
        let mut entry = listener(vec![owner]);
        entry.socket.local = Some(local.parse::<std::net::SocketAddr>().unwrap().into());
        entry.socket.cookie = None;
        entry
    }

    fn request(address: &str) -> BindRequest {
        let address: std::net::SocketAddr = address.parse().unwrap();
        let (address, port) = (address.ip(), address.port());
        BindRequest::plain(Target::Inet { protocol: Protocol::Tcp, address, scope: None, port })
    }

    fn asked(request: &BindRequest, entries: Vec<Entry>, windows: WindowsFacts) -> Diagnosis {
        let now = Timestamp(std::time::SystemTime::UNIX_EPOCH);
        let collected = Collected::new(now, "windows", "windows");
        let snapshot = Snapshot { entries, ..crate::join::join(collected) };
        let mut facts = BindFacts::default();
        (facts.unprivileged_port_start, facts.bindv6only) = (Some(0), Some(true));
        facts.windows = Some(windows);
        diagnose(&snapshot, &facts, request)
    }

    fn verdict(wanted: &str, holder: &str) -> Verdict {
        asked(&request(wanted), vec![held(holder, 800, "a.exe")], WindowsFacts::default()).verdict
    }

    #[test]
    fn what_every_option_of_the_holder_decides_alike_is_predicted() {
        assert_eq!(verdict("0.0.0.0:80", "0.0.0.0:80"), IN_USE);
        assert_eq!(verdict("0.0.0.0:80", "127.0.0.1:80"), Verdict::Shareable);
        assert_eq!(verdict("127.0.0.1:80", "127.0.0.2:80"), Verdict::Free);
        // In use or denied, or shared or denied: that is an option of the holder's, which nobody tells.
        assert_eq!(verdict("127.0.0.1:80", "127.0.0.1:80"), Verdict::Unknown);
        assert_eq!(verdict("127.0.0.1:80", "0.0.0.0:80"), Verdict::Unknown);
    }

    #[test]
    fn wine_is_asked_and_not_predicted() {
        let wine = WindowsFacts { is_wine: true, ..WindowsFacts::default() };
        let entries = vec![held("0.0.0.0:80", 800, "a.exe")];
        assert_eq!(asked(&request("0.0.0.0:80"), entries, wine).verdict, Verdict::Unknown);
    }

    fn reasons(diagnosis: &Diagnosis) -> Vec<Reason> {
        diagnosis.causes.iter().map(|cause| cause.reason).collect()
    }

    fn commands(diagnosis: &Diagnosis) -> String {
        let commands = diagnosis.remedies.iter().map(|remedy| {
            if let Action::Advice { command, .. } = &remedy.action {
                return command.clone().unwrap_or_default();
            }
            remedy.action.command().unwrap_or_default().join(" ")
        });
        commands.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_excluded_range_denies_the_port_that_nobody_has() {
        let range = |is_administered| ExcludedPorts { ports: 50000..=50059, is_administered };
        let with = |range| WindowsFacts { excluded: vec![range], ..WindowsFacts::default() };
        let denied = asked(&request("0.0.0.0:50001"), Vec::new(), with(range(false)));
        assert_eq!((denied.verdict, reasons(&denied)), (DENIED, vec![Reason::ExcludedRange]));
        assert!(commands(&denied).contains("net stop winnat"), "{}", commands(&denied));
        let maybe = asked(&request("0.0.0.0:50001"), Vec::new(), with(range(true)));
        assert_eq!(maybe.verdict, Verdict::Unknown);
        let beside = asked(&request("0.0.0.0:50060"), Vec::new(), with(range(false)));
        assert_eq!(beside.verdict, Verdict::Free);
    }

    #[test]
    fn a_driver_of_the_kernel_s_is_told_by_its_urls_and_never_ended() {
        let urls = vec![(80, "http://+:80/reports/".to_owned()), (81, "http://+:81/".to_owned())];
        let facts = WindowsFacts { urls, ..WindowsFacts::default() };
        let told = asked(&request("0.0.0.0:80"), vec![held("0.0.0.0:80", 4, "System")], facts);
        assert_eq!(reasons(&told), [Reason::WindowsKernel]);
        assert_eq!(told.causes[0].evidence, ["HTTP.sys serves http://+:80/reports/"]);
        assert!(commands(&told).contains("netsh http show servicestate"));
        assert!(!commands(&told).contains("kill"), "{}", commands(&told));
    }

    #[test]
    fn a_relay_of_wsl_and_a_proxy_are_told_by_what_they_serve() {
        let relay = held("127.0.0.1:80", 900, "wslrelay.exe");
        let told = asked(&request("127.0.0.1:80"), vec![relay], WindowsFacts::default());
        assert_eq!(reasons(&told), [Reason::WslRelay]);
        let proxy = PortProxy {
            kind: "v4tov4",
            address: "0.0.0.0".to_owned(),
            port: 80,
            to: "172.20.0.5:8080".to_owned(),
        };
        let facts = WindowsFacts { proxies: vec![proxy], ..WindowsFacts::default() };
        let host = held("0.0.0.0:80", 900, "svchost.exe");
        let told = asked(&request("0.0.0.0:80"), vec![host], facts);
        assert_eq!(reasons(&told), [Reason::PortProxy]);
        assert_eq!(told.causes[0].evidence, ["portproxy leads 0.0.0.0:80 to 172.20.0.5:8080"]);
        let delete = "netsh interface portproxy delete v4tov4 listenport=80 listenaddress=0.0.0.0";
        assert!(commands(&told).contains(delete), "{}", commands(&told));
    }

    #[test]
    fn who_is_denied_beside_a_holder_met_exclusive_use() {
        let entries = vec![held("127.0.0.1:80", 800, "a.exe")];
        let told = asked(&request("127.0.0.1:80"), entries, WindowsFacts::default());
        let probe = Probe::Failed { call: Call::Bind, errno: Some(Errno::EACCES) };
        let facts = BindFacts { windows: Some(WindowsFacts::default()), ..BindFacts::default() };
        let told = told.with_probe(probe).with_suspects(&facts);
        assert_eq!(told.verdict, DENIED);
        assert!(reasons(&told).contains(&Reason::ExclusiveUse), "{:?}", reasons(&told));
    }
}
