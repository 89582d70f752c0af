//! What can be done about a cause that is no socket's: a setting, a right, an address, a file. A person
//! does it; the command is there to be read first.

use std::borrow::Cow;

use crate::diagnose::facts::BindFacts;
use crate::diagnose::judge::Case;
use crate::diagnose::reason::Reason;
use crate::diagnose::remedies::advise;
use crate::diagnose::remedy::{Harm, Remedy};
use crate::diagnose::request::{BindRequest, Target};
use crate::diagnose::stand_ins;
use crate::diagnose::system::System;
use crate::diagnose::{Cause, Certainty, bsd, windows};

/// Returns what can be done about a cause, besides what takes its sockets out of the way.
pub(super) fn remedies(cause: &Cause, of: &Case<'_>) -> Vec<Remedy> {
    let Case { request, facts, .. } = of;
    if let (System::Bsd(kernel), Target::Inet { port, .. }) = (of.system(), &request.target) {
        let own = bsd::remedies(cause, kernel, *port, facts);
        if !own.is_empty() {
            return own;
        }
    }
    let mut remedies = stand_ins::remedies(cause, facts, &request.target);
    remedies.extend(of_setting(cause, request, facts));
    remedies
}

/// Returns what can be done about a setting, a right, an address or a file.
#[expect(clippy::too_many_lines, reason = "one table: an arm for each reason")]
pub(super) fn of_setting(cause: &Cause, request: &BindRequest, facts: &BindFacts) -> Vec<Remedy> {
    if let Target::Inet { port, .. } = request.target {
        let of_windows = windows::remedies(cause.reason, port, facts);
        if !of_windows.is_empty() {
            return of_windows;
        }
    }
    let say = |text: &str| advise(text, None);
    let run = |text: &str, command: String| advise(text, Some(command));
    match (cause.reason, &request.target) {
        (Reason::PrivilegedPort, Target::Inet { port, .. }) => {
            let start = facts.unprivileged_port_start.unwrap_or(1024);
            vec![
                say(&format!("take a port from {start} up")),
                run(
                    "give the program the right to privileged ports",
                    "setcap cap_net_bind_service=+ep PROGRAM".to_owned(),
                ),
                say("let systemd bind it and hand it over: a socket unit (ListenStream=), or \
                     AmbientCapabilities=CAP_NET_BIND_SERVICE in the service"),
                run(
                    "let every user have ports from this one up",
                    format!("sysctl -w net.ipv4.ip_unprivileged_port_start={port}"),
                ),
            ]
        }
        (Reason::NoAddress, Target::Inet { address, .. }) => {
            let any = if address.is_ipv4() { "0.0.0.0" } else { "::" };
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            let mut remedies = vec![say(&format!("take {any}, for every address the machine has"))];
            if !address.is_loopback() {
                remedies.push(run(
                    "allow addresses that come later, as of a failover",
                    format!("sysctl -w net.{family}.ip_nonlocal_bind=1"),
                ));
            }
            remedies
        }
        (Reason::TentativeAddress, _) => vec![
            say("wait a second or two, until the check is over"),
            say("let the program set IPV6_FREEBIND, or systemd start it after \
                 network-online.target"),
        ],
        (Reason::Ipv6Disabled, _) => vec![
            say("take the address of IPv4 instead: 127.0.0.1 for ::1"),
            run("switch IPv6 on again", "sysctl -w net.ipv6.conf.all.disable_ipv6=0".to_owned()),
        ],
        (Reason::NoScope, Target::Inet { address, .. }) => {
            vec![say(&format!("name the link behind the address: {address}%eth0"))]
        }
        (Reason::MappedV6Only, _) => vec![say("bind a socket of IPv4, or leave IPV6_V6ONLY off")],
        (Reason::NoDevice, _) => vec![run("see which devices there are", "ip link".to_owned())],
        (Reason::DescriptorLimit, _) => {
            let Some(pid) = request.by.pid else { return Vec::new() };
            vec![
                run("see what it has open", format!("sockscope list pid {pid}")),
                run("let it open more", format!("prlimit --pid {pid} --nofile=65536")),
            ]
        }
        (Reason::FileLimit, _) => {
            vec![run("allow more files", "sysctl -w fs.file-max=NUMBER".to_owned())]
        }
        (Reason::PortsExhausted, _) => vec![
            say("let clients set IP_BIND_ADDRESS_NO_PORT, or not bind before they connect"),
            run(
                "widen the range",
                "sysctl -w net.ipv4.ip_local_port_range='1024 65535'".to_owned(),
            ),
        ],
        (Reason::StaleSocket, Target::Unix(path)) if cause.certainty == Certainty::Certain => {
            let text = "remove the file; nobody can be reached through it";
            let command = format!("rm -- {}", quoted(&path.to_lossy()));
            vec![Remedy { harm: Harm::LeftOver, ..run(text, command) }]
        }
        (Reason::StaleSocket | Reason::FileInTheWay, Target::Unix(_)) => {
            vec![say("take another path, or look at the file and move it away")]
        }
        (Reason::NoDirectory, Target::Unix(path)) => match path.as_str().and_then(parent) {
            Some(parent) => {
                vec![run("make the directory", format!("mkdir -p -- {}", quoted(parent)))]
            }
            None => Vec::new(),
        },
        (Reason::ClosedDirectory, _) => {
            vec![say(
                "take a directory of the user's own: /run/user/UID, or RuntimeDirectory= of the \
                      unit",
            )]
        }
        (Reason::ReadOnlyFilesystem, _) => vec![say("take a path below /run or /tmp")],
        (Reason::PathTooLong, _) => {
            vec![say("take a shorter path, or one relative to the working directory")]
        }
        (Reason::Selinux, target) => {
            let log = run("see what was refused", "ausearch -m AVC -ts recent".to_owned());
            let port = match target {
                Target::Inet { port, protocol, .. } => Some(run(
                    "give the port to the kind of server that it is, such as http_port_t",
                    format!("semanage port -a -t TYPE -p {protocol} {port}"),
                )),
                Target::Unix(_) => None,
            };
            std::iter::once(log).chain(port).collect()
        }
        (Reason::Apparmor, _) => {
            vec![run("see what was refused", "journalctl -k -g apparmor=.DENIED".to_owned())]
        }
        (Reason::Landlock, _) => {
            vec![say("see in what started the program whether it restricts it, and start it from \
                      outside to compare")]
        }
        (Reason::Seccomp, _) => {
            vec![say("start it without the filter to compare: SystemCallFilter= and \
                      RestrictAddressFamilies= of a unit, --security-opt seccomp=unconfined of a \
                      container")]
        }
        (Reason::ControlGroup, _) => match &facts.confinement.unit {
            Some(unit) => vec![run(
                "see what its unit denies",
                format!(
                    "systemctl show -p SocketBindDeny -p SocketBindAllow -- {}",
                    quoted(&unit.to_lossy())
                ),
            )],
            None => vec![run("see the programs attached", "bpftool cgroup tree".to_owned())],
        },
        (Reason::WindowsSide, Target::Inet { port, .. }) => vec![run(
            "ask Windows who has it, in PowerShell",
            format!("Get-NetTCPConnection -LocalPort {port}"),
        )],
        _ => Vec::new(),
    }
}

/// Returns the directory of a path; `None` when it names none.
fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}

/// Returns a word as a shell takes it.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reaches_the_shell_as_one_word() {
        assert_eq!(quoted("/run/my-app.sock"), "/run/my-app.sock");
        assert_eq!(quoted("/tmp/a b;$(c)'d"), r"'/tmp/a b;$(c)'\''d'");
        assert_eq!(quoted(""), "''");
    }
}
