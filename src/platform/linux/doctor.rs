//! What Linux lets sockscope see, found out by trying where that changes nothing.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
use rustix::thread::{CapabilitySet, capabilities};

use super::netns::Namespaces;
use super::owners::{bpf, visibility};
use super::privilege::Privilege;
use super::{destroy, sock_diag};
use crate::doctor::Fact;
use crate::error::cause;
use crate::platform::{DestroyError, Examined, NetnsWish, PortWish, Request};
use crate::snapshot::Missing;
use crate::socket::{Cookie, Family, Protocol, Socket, SocketId};
use crate::state::TcpState;

/// The capabilities that let us see more, and what each is for.
const CAPABILITIES: [(CapabilitySet, &str); 6] = [
    (CapabilitySet::BPF, "CAP_BPF"),
    (CapabilitySet::PERFMON, "CAP_PERFMON"),
    (CapabilitySet::SYS_PTRACE, "CAP_SYS_PTRACE"),
    (CapabilitySet::DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"),
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
];

/// Finds out.
pub(crate) fn examine() -> Examined {
    let mut facts = vec![kernel(), owners()];
    facts.extend(rights());
    facts.extend(processes());
    facts.extend(Protocol::ALL.into_iter().filter_map(diag));
    facts.extend([bound_only(), sock_destroy()]);
    let gaps = [visibility::hidden(), visibility::other_pid_namespaces()];
    Examined { facts, gaps: gaps.into_iter().flatten().collect() }
}

fn kernel() -> Fact {
    let name = rustix::system::uname();
    let words = [name.sysname(), name.release(), name.machine()];
    Fact::plain("kernel", words.map(|word| word.to_string_lossy().into_owned()).join(" "))
}

fn owners() -> Fact {
    match bpf::check() {
        Ok(()) => Fact::new("bpf", true, "owners are found by an iterator that the kernel runs"),
        Err(refusal) => {
            Fact::new("bpf", false, format!("owners are found by walking through /proc: {refusal}"))
        }
    }
}

/// Returns what would cure a gap of this kind that tells none itself.
pub(crate) const fn cure(what: Missing) -> Option<&'static str> {
    match what {
        Missing::Sockets | Missing::SocketFacts => {
            Some("load the module that answers (modprobe; see the diag- lines), if there is one")
        }
        Missing::BoundSockets => Some("Linux 6.8 or newer, and sock_diag"),
        Missing::Namespaces
        | Missing::UnheldSockets
        | Missing::Descriptors
        | Missing::Owners
        | Missing::ProcessFacts
        | Missing::BindFacts
        | Missing::UserNames => None,
    }
}

/// What may be asked of the kernel.
fn rights() -> Vec<Fact> {
    let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let (has, lacks): (Vec<_>, Vec<_>) =
        CAPABILITIES.into_iter().partition(|(capability, _)| effective.contains(*capability));
    let names = |some: Vec<(CapabilitySet, &'static str)>| {
        some.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(", ")
    };
    let mut facts = vec![Fact::new(
        "capabilities",
        lacks.is_empty(),
        if lacks.is_empty() { names(has) } else { format!("lacks {}", names(lacks)) },
    )];
    facts.push(match fs::metadata("/sys/kernel/btf/vmlinux") {
        Ok(types) => {
            Fact::new("types", true, format!("/sys/kernel/btf/vmlinux, {} bytes", types.len()))
        }
        Err(error) => {
            Fact::new("types", false, format!("/sys/kernel/btf/vmlinux: {}", cause(&error)))
        }
    });
    let lockdown = bpf::lockdown();
    let is_open = lockdown.as_deref() != Some("confidentiality");
    let lockdown = lockdown.unwrap_or_else(|| "the kernel shows none".to_owned());
    facts.push(Fact::new("lockdown", is_open, lockdown));
    if let Some(value) = setting("/proc/sys/kernel/unprivileged_bpf_disabled") {
        let means =
            if value == "0" { "bpf(2) is open to all" } else { "bpf(2) takes a capability" };
        facts.push(Fact::plain("unprivileged-bpf", format!("{means} ({value})")));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_filtered = parse_seccomp(&status);
    facts.push(match is_filtered {
        Some(true) => Fact::new("seccomp", false, "system calls are filtered: some may be refused"),
        Some(false) => Fact::new("seccomp", true, "no filter on system calls"),
        None => Fact::plain("seccomp", "the kernel does not tell"),
    });
    facts
}

/// What may be seen of processes and namespaces.
fn processes() -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(scope) = setting("/proc/sys/kernel/yama/ptrace_scope") {
        let means = match scope.as_str() {
            "0" => "processes of the same user may be looked into",
            "1" => "reading descriptors is not restricted by it",
            "2" | "3" => "only who has CAP_SYS_PTRACE may attach; reading is not restricted by it",
            _ => "not known",
        };
        facts.push(Fact::plain("ptrace-scope", format!("{scope}: {means}")));
    }
    let privilege = Privilege::read();
    facts.push(Fact::new(
        "all-processes",
        privilege.may_read_all && !privilege.is_confined,
        if privilege.is_confined {
            "runs in a user namespace: its rights end there"
        } else if privilege.may_read_all {
            "the descriptors of every process may be read in /proc"
        } else {
            "only those of this user's processes may be read in /proc"
        },
    ));
    facts.push(match visibility::hidden() {
        None => Fact::new("hidepid", true, "/proc lists every process"),
        Some(gap) => Fact::new("hidepid", false, gap.why),
    });
    facts.push(match visibility::in_initial_pid_namespace() {
        Some(true) => Fact::new("pid-namespace", true, "the machine's first"),
        Some(false) => {
            Fact::new("pid-namespace", false, "one of its own: processes outside are not seen")
        }
        None => Fact::plain("pid-namespace", "cannot be told"),
    });
    facts.push(match Namespaces::find(&NetnsWish::All) {
        Ok(all) => Fact::plain("namespaces", format!("network namespaces found: {}", all.count())),
        Err(error) => Fact::new("namespaces", false, error.to_string()),
    });
    facts
}

/// Whether the kernel answers for the sockets of this protocol; `None` where it is not asked.
fn diag(protocol: Protocol) -> Option<Fact> {
    let (about, module) = match protocol {
        Protocol::Tcp => ("diag-tcp", "tcp_diag"),
        Protocol::Udp => ("diag-udp", "udp_diag"),
        Protocol::Udplite => ("diag-udplite", "udp_diag"),
        Protocol::Raw => ("diag-raw", "raw_diag"),
        Protocol::Mptcp => ("diag-mptcp", "mptcp_diag"),
        Protocol::Sctp => ("diag-sctp", "sctp_diag"),
        Protocol::Unix => ("diag-unix", "unix_diag"),
        Protocol::Packet => ("diag-packet", "af_packet_diag"),
        Protocol::Netlink => ("diag-netlink", "netlink_diag"),
        Protocol::Vsock => ("diag-vsock", "vsock_diag"),
        Protocol::Xdp => ("diag-xdp", "xsk_diag"),
        // These are in /proc/net alone, and in none.
        Protocol::Icmp | Protocol::Other => return None,
    };
    Some(match sock_diag::ask(protocol) {
        Ok(()) => Fact::new(about, true, "answers"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Fact::new(about, false, format!("no module answers (modprobe {module})"))
        }
        Err(error) => Fact::new(about, false, cause(&error)),
    })
}

/// Makes a socket that is bound and no more, and looks whether it is listed.
fn bound_only() -> Fact {
    const ABOUT: &str = "bound-only";
    let port = || {
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        let local = SocketAddr::try_from(getsockname(&socket)?)?;
        rustix::io::Result::Ok((socket, local.port()))
    };
    let (_socket, port) = match port() {
        Ok(made) => made,
        Err(errno) => return Fact::plain(ABOUT, format!("not tried: {}", cause(&errno.into()))),
    };
    let request = Request {
        protocols: vec![Protocol::Tcp],
        families: vec![Family::Inet],
        states: Some(vec![TcpState::Bound]),
        ports: Some(PortWish::Local(port..=port)),
        owners: false,
        ..Request::default()
    };
    let is_listed = sock_diag::dump(&request).is_ok_and(|dump| !dump.sockets.is_empty());
    if is_listed {
        Fact::new(ABOUT, true, "sockets that are bound and no more are listed")
    } else {
        Fact::new(
            ABOUT,
            false,
            "sockets that are bound and no more are not listed (needs Linux 6.8)",
        )
    }
}

/// Asks to close a socket that nobody has.
fn sock_destroy() -> Fact {
    const ABOUT: &str = "sock-destroy";
    let mut nobodys = Socket::new(SocketId(0), Protocol::Tcp, Family::Inet);
    nobodys.local = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into());
    nobodys.peer.clone_from(&nobodys.local);
    nobodys.cookie = Some(Cookie(u64::MAX - 1));
    match destroy::destroy(&nobodys) {
        Ok(()) | Err(DestroyError::Gone) => {
            Fact::new(ABOUT, true, "connections can be closed from outside (sockscope close)")
        }
        Err(error) => {
            let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
            Fact::new(ABOUT, false, format!("{error}{hint}"))
        }
    }
}

/// Reads a setting of one line.
fn setting(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Parses from `/proc/PID/status` whether system calls are filtered (`proc_pid_status(5)`).
fn parse_seccomp(status: &str) -> Option<bool> {
    let value = status.lines().find_map(|line| line.strip_prefix("Seccomp:"))?;
    Some(value.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_on_system_calls_is_told_by_the_status_file() {
        assert_eq!(parse_seccomp("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n"), Some(false));
        assert_eq!(parse_seccomp("Seccomp:\t2\n"), Some(true));
        assert_eq!(parse_seccomp("Seccomp_filters:\t1\n"), None);
    }

    #[test]
    fn each_fact_is_told_once() {
        let facts = examine().facts;
        let mut abouts: Vec<&str> = facts.iter().map(|fact| fact.about).collect();
        abouts.sort_unstable();
        let count = abouts.len();
        abouts.dedup();
        assert_eq!(abouts.len(), count, "{facts:?}");
        assert!(facts.iter().any(|fact| fact.about == "diag-tcp"), "{facts:?}");
    }
}
