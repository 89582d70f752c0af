//! What the kernel checks before it looks for the port: each check of `socket`, `setsockopt` and `bind`
//! as it stands in the kernel's code (`__inet_bind`, linux/net/ipv4/af_inet.c; `__inet6_bind`,
//! linux/net/ipv6/af_inet6.c).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::diagnose::bsd::Kernel;
use crate::diagnose::facts::{LocalAddress, Usage};
use crate::diagnose::judge::{Case, Finding, resolved};
use crate::diagnose::reason::Reason;
use crate::diagnose::request::Target;
use crate::diagnose::system::System;
use crate::diagnose::{Call, Cause, Certainty, Errno, Verdict};
use crate::process::Uid;
use crate::socket::{Interface, Protocol};
use crate::text::Text;

/// `socket`: a descriptor is needed, and the family.
pub(super) fn socket(case: &Case<'_>) -> Finding {
    let facts = case.facts;
    let is_v6 = matches!(case.request.target, Target::Inet { address: IpAddr::V6(_), .. });
    if is_v6 && facts.has_ipv6 == Some(false) {
        let evidence = vec!["this kernel makes no sockets of IPv6".to_owned()];
        return fails(Call::Socket, Errno::EAFNOSUPPORT, Reason::NoIpv6, evidence);
    }
    let exhausted = |usage: &Option<Usage>| usage.filter(Usage::is_exhausted);
    if let (Some(usage), Some(pid)) = (exhausted(&facts.descriptors), case.request.by.pid) {
        let evidence = vec![format!("process {pid} has {}", used(usage, "descriptors"))];
        return fails(Call::Socket, Errno::EMFILE, Reason::DescriptorLimit, evidence);
    }
    if let Some(usage) = exhausted(&facts.files) {
        // Root may have more (`alloc_empty_file`, linux/fs/file_table.c).
        let evidence =
            vec![format!("fs.file-nr says that the machine has {}", used(usage, "files"))];
        return match facts.uid {
            Some(Uid(0)) => Finding::pass(),
            Some(_) | None => fails(Call::Socket, Errno::ENFILE, Reason::FileLimit, evidence),
        };
    }
    Finding::pass()
}

fn used(Usage { used, limit }: Usage, what: &str) -> String {
    format!("{used} of {limit} {what} open")
}

/// `setsockopt`: a device to bind to must be there.
pub(super) fn device(case: &Case<'_>) -> Finding {
    match &case.request.device {
        Some(device) => find_device(case, device, Call::Setsockopt),
        None => Finding::pass(),
    }
}

fn find_device(case: &Case<'_>, device: &Interface, call: Call) -> Finding {
    let Some(interfaces) = &case.facts.interfaces else { return Finding::pass() };
    if interfaces.iter().any(|known| is_same(known, device)) {
        return Finding::pass();
    }
    let names = interfaces.iter().filter_map(|known| known.name.as_ref());
    let names: Vec<String> = names.map(ToString::to_string).collect();
    let evidence = vec![format!("the devices there are: {}", names.join(", "))];
    fails(call, Errno::ENODEV, Reason::NoDevice, evidence)
}

/// Returns whether two are one interface, by their names where both have one: a number counts in its
/// own namespace.
fn is_same(one: &Interface, other: &Interface) -> bool {
    match (&one.name, &other.name) {
        (Some(one), Some(other)) => one == other,
        (Some(_) | None, _) => one.index == other.index,
    }
}

/// `bind` of IPv6 asks for the right to the port before it looks at the address.
pub(super) fn privilege_first(case: &Case<'_>) -> Finding {
    match case.request.target {
        Target::Inet { address: IpAddr::V6(v6), protocol, port, .. } => {
            if v6.is_multicast() && protocol == Protocol::Tcp {
                let evidence = vec![format!("{v6} is a group of many: nobody connects to it")];
                return fails(Call::Bind, Errno::EINVAL, Reason::Multicast, evidence);
            }
            privilege(case, port)
        }
        Target::Inet { .. } | Target::Unix(_) => Finding::pass(),
    }
}

/// `bind` of IPv4 asks for it afterwards.
pub(super) fn privilege_last(case: &Case<'_>) -> Finding {
    match case.request.target {
        Target::Inet { address: IpAddr::V4(_), port, .. } => privilege(case, port),
        Target::Inet { .. } | Target::Unix(_) => Finding::pass(),
    }
}

/// `inet_port_requires_bind_service` (linux/include/net/ip.h), and `ns_capable`; on macOS and FreeBSD
/// `PRIV_NETINET_RESERVEDPORT` of `in_pcbbind`.
fn privilege(case: &Case<'_>, port: u16) -> Finding {
    /// What the limit is where nobody changed it, and where it cannot be.
    const USUAL: u16 = 1024;
    let facts = case.facts;
    let is_privileged = match facts.unprivileged_port_start {
        Some(start) => port < start,
        None => port < USUAL,
    };
    let system = case.system();
    let is_any =
        matches!(case.request.target, Target::Inet { address, .. } if address.is_unspecified());
    // macOS lets everybody have the wildcard.
    let is_exempt = system == System::Bsd(Kernel::MacOs) && is_any;
    if port == 0 || !is_privileged || is_exempt || facts.may_bind_privileged == Some(true) {
        return Finding::pass();
    }
    let (Some(start), Some(false)) = (facts.unprivileged_port_start, facts.may_bind_privileged)
    else {
        let evidence = vec![format!("ports below {USUAL} usually are")];
        let mut perhaps = fails(Call::Bind, Errno::EACCES, Reason::PrivilegedPort, evidence);
        perhaps.verdict = Verdict::Unknown;
        for cause in &mut perhaps.causes {
            cause.certainty = Certainty::Possible;
        }
        return perhaps;
    };
    if let System::Bsd(kernel) = system {
        let limit = match kernel {
            Kernel::MacOs => {
                format!("macOS keeps ports below {start} of single addresses for root")
            }
            Kernel::FreeBsd => {
                format!("net.inet.ip.portrange.reservedhigh is {}", start.saturating_sub(1))
            }
        };
        let who = facts.uid.map(|uid| format!("the binder is user {uid}, not root"));
        let evidence = std::iter::once(limit).chain(who).collect();
        return fails(Call::Bind, Errno::EACCES, Reason::PrivilegedPort, evidence);
    }
    let lacks = match facts.uid {
        Some(Uid(0)) => {
            "this root is one of a user namespace: its rights do not reach the network namespace"
                .to_owned()
        }
        Some(uid) => format!("user {uid} does not have CAP_NET_BIND_SERVICE"),
        None => "the binder does not have CAP_NET_BIND_SERVICE".to_owned(),
    };
    let evidence = vec![format!("net.ipv4.ip_unprivileged_port_start is {start}"), lacks];
    fails(Call::Bind, Errno::EACCES, Reason::PrivilegedPort, evidence)
}

/// `bind`: the address must be of this machine.
pub(super) fn address(case: &Case<'_>) -> Finding {
    let Target::Inet { address, scope, .. } = &case.request.target else { return Finding::pass() };
    match (address, address.to_canonical()) {
        (IpAddr::V6(_), IpAddr::V4(v4)) if case.request.v6only == Some(true) => {
            let evidence =
                vec![format!("::ffff:{v4} is an address of IPv4, and IPV6_V6ONLY is set")];
            fails(Call::Bind, Errno::EINVAL, Reason::MappedV6Only, evidence)
        }
        (_, IpAddr::V4(v4)) => address_v4(case, v4),
        (_, IpAddr::V6(v6)) => address_v6(case, v6, scope.as_ref()),
    }
}

/// `inet_addr_valid_or_nonlocal` (linux/include/net/inet_sock.h).
fn address_v4(case: &Case<'_>, address: Ipv4Addr) -> Finding {
    let facts = case.facts;
    let is_of_nobody = address.octets().first() == Some(&0) || address.is_broadcast();
    if is_of_nobody || address.is_multicast() || facts.nonlocal_bind == Some(true) {
        return Finding::pass();
    }
    let is_ours = facts.is_routed_here.or_else(|| {
        let mut addresses = facts.addresses.iter().flatten();
        // Without any of IPv4 it cannot be told whether there ever was one: until then all may be bound.
        addresses.clone().find(|known| known.address.is_ipv4())?;
        let is_it = |known: &LocalAddress| match known.address {
            // Loopback has whole networks.
            IpAddr::V4(v4) if v4.is_loopback() => is_in_network(address, v4, known.prefix),
            IpAddr::V4(v4) => v4 == address,
            IpAddr::V6(_) => false,
        };
        Some(addresses.any(is_it))
    });
    match is_ours {
        Some(true) => Finding::pass(),
        None if address.is_loopback() && facts.addresses.is_none() => Finding::pass(),
        None => Finding { verdict: Verdict::Unknown, causes: Vec::new() },
        Some(false) => not_available(case, address.into(), Reason::NoAddress, Vec::new()),
    }
}

fn is_in_network(address: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    let host_bits = 32_u32.saturating_sub(prefix.into());
    let network_of = |address: Ipv4Addr| address.to_bits().checked_shr(host_bits);
    network_of(address) == network_of(network)
}

/// `ipv6_chk_addr` (linux/net/ipv6/addrconf.c), and what goes before it.
fn address_v6(case: &Case<'_>, address: Ipv6Addr, scope: Option<&Interface>) -> Finding {
    if address.is_unspecified() {
        return Finding::pass();
    }
    let facts = case.facts;
    let device = scope.or(case.request.device.as_ref());
    if needs_scope(address) && device.is_none() {
        let evidence = vec![
            format!("{address} is an address of each link, and none is named"),
            of_link(case, address),
        ];
        return fails(Call::Bind, Errno::EINVAL, Reason::NoScope, evidence);
    }
    if let Some(scope) = scope {
        let finding = find_device(case, scope, Call::Bind);
        if finding.verdict != Verdict::Free {
            return finding;
        }
    }
    if address.is_multicast() || facts.nonlocal_bind_v6 == Some(true) {
        return Finding::pass();
    }
    let Some(addresses) = &facts.addresses else {
        let verdict = if address.is_loopback() { Verdict::Free } else { Verdict::Unknown };
        return Finding { verdict, causes: Vec::new() };
    };
    let all: Vec<&LocalAddress> =
        addresses.iter().filter(|known| known.address == IpAddr::V6(address)).collect();
    // An address of one link or of loopback is bound on its own device alone; any other on each device
    // of the same VRF.
    let is_of_link = address.is_unicast_link_local() || address.is_loopback();
    let vrf = |device: &Interface| facts.vrfs.as_ref()?.get(&resolved(device, facts).index);
    let is_on_device = |known: &&LocalAddress| {
        device.and_then(vrf) == vrf(&known.interface)
            && device.is_none_or(|device| !is_of_link || is_same(&known.interface, device))
    };
    if all.iter().any(|known| is_on_device(known) && !known.is_tentative) {
        return Finding::pass();
    }
    let is_disabled = |place: &&Text| {
        place.as_bytes() == b"all"
            || (address.is_loopback() && place.as_bytes() == b"lo")
            || device.is_some_and(|device| device.name.as_ref() == Some(place))
    };
    let disabled = facts.ipv6_disabled.iter().filter(is_disabled);
    let mut evidence: Vec<String> =
        disabled.map(|place| format!("net.ipv6.conf.{place}.disable_ipv6 is 1")).collect();
    let reason = if !evidence.is_empty() {
        Reason::Ipv6Disabled
    } else if all.iter().any(|known| is_on_device(known) && !known.is_duplicate) {
        Reason::TentativeAddress
    } else {
        Reason::NoAddress
    };
    evidence.extend(all.into_iter().map(|known| {
        let name = name(&known.interface);
        if known.is_duplicate {
            format!("{name} has it and may not use it: another machine has it, too (dadfailed)")
        } else if known.is_tentative {
            format!("{name} has it, and still checks that no other machine does (tentative)")
        } else {
            format!("it is an address of {name}")
        }
    }));
    not_available(case, address.into(), reason, evidence)
}

/// `__ipv6_addr_needs_scope_id` (linux/include/net/ipv6.h).
fn needs_scope(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.octets();
    // Groups of one interface or one link.
    address.is_unicast_link_local() || (first == 0xff && matches!(second & 0x0f, 1 | 2))
}

/// Says which links have a link-local address.
fn of_link(case: &Case<'_>, address: Ipv6Addr) -> String {
    let addresses = case.facts.addresses.iter().flatten();
    let links = addresses.filter(|known| known.address == IpAddr::V6(address));
    let links: Vec<String> = links.map(|known| name(&known.interface)).collect();
    match &links[..] {
        [] => "no link has it".to_owned(),
        links => format!("{} has it", links.join(", ")),
    }
}

fn name(interface: &Interface) -> String {
    interface.name.as_ref().map_or_else(|| interface.index.to_string(), ToString::to_string)
}

/// Returns what comes of an address that is not this machine's, and which are.
fn not_available(
    case: &Case<'_>,
    address: IpAddr,
    reason: Reason,
    mut evidence: Vec<String>,
) -> Finding {
    let has = |known: &&LocalAddress| known.address.is_ipv4() == address.is_ipv4();
    let ours = case.facts.addresses.iter().flatten().filter(has);
    let ours: Vec<String> = ours.map(|known| known.address.to_string()).collect();
    if evidence.is_empty() {
        evidence.push(match &ours[..] {
            [] => "no interface has an address of this family".to_owned(),
            ours => format!("the addresses here are {}", shortened(ours)),
        });
    }
    let (setting, is_known_off) = match address {
        IpAddr::V4(_) => ("net.ipv4.ip_nonlocal_bind", case.facts.nonlocal_bind == Some(false)),
        IpAddr::V6(_) => ("net.ipv6.ip_nonlocal_bind", case.facts.nonlocal_bind_v6 == Some(false)),
    };
    if is_known_off {
        evidence.push(format!("{setting} is 0"));
    }
    let elsewhere = case.facts.address_elsewhere.iter().map(|(id, name)| {
        let name = name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        format!("network namespace {id}{name} has it")
    });
    evidence.extend(elsewhere.take(SHOWN));
    fails(Call::Bind, Errno::EADDRNOTAVAIL, reason, evidence)
}

/// How many of many are told.
const SHOWN: usize = 6;

/// Joins the first few of many.
fn shortened(all: &[String]) -> String {
    let first: Vec<&str> = all.iter().take(SHOWN).map(String::as_str).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Returns a failure for one certain cause.
pub(super) fn fails(call: Call, errno: Errno, reason: Reason, evidence: Vec<String>) -> Finding {
    let cause = Cause { reason, certainty: Certainty::Certain, sockets: Vec::new(), evidence };
    Finding { verdict: Verdict::Fails { call, errno }, causes: vec![cause] }
}
