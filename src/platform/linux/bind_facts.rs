//! What decides a bind beside the sockets (`bind(2)`, `ip(7)`, `ipv6(7)`, `unix(7)`): settings and
//! addresses of the binder's network namespace, its rights, and what is at its path.
//!
//! Nothing is bound here, and no file is made. What belongs to another namespace is read by a thread
//! that enters it.

pub(super) mod addresses;
mod path;
mod rights;
mod settings;
mod units;

use std::net::IpAddr;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, socket};

use self::rights::Rights;
pub(crate) use self::settings::local_ports;
use super::{netns, sock_diag};
use crate::diagnose::{BindFacts, BindRequest, LocalAddress, Target};
use crate::error::cause;
use crate::snapshot::{Gap, Missing};

/// Gathers it all.
pub(crate) fn gather(request: &BindRequest) -> BindFacts {
    let own_netns = sock_diag::current_netns();
    let inside = match request.by.pid {
        None => Ok(of_namespace(request)),
        Some(pid) => netns::inside(pid, || of_namespace(request)),
    };
    let mut facts = inside.unwrap_or_else(|errno| {
        let gap = Gap::new(Missing::BindFacts, cause(&errno.into()));
        let gap = gap.detail("settings and addresses of its network namespace");
        BindFacts {
            gaps: vec![netns::hinted(gap)],
            netns: request.by.pid.and_then(|pid| netns::link_number(pid).ok()),
            ..BindFacts::default()
        }
    });
    facts.own_netns = own_netns;
    if let Target::Inet { address, .. } = &request.target
        && is_missing(*address, &facts)
    {
        facts.address_elsewhere = netns::having(*address, facts.netns);
    }
    facts.uid = Rights::of(&request.by).uid;
    facts.confinement = rights::confinement(request.by.pid);
    facts.descriptors = request.by.pid.and_then(settings::descriptors);
    facts.files = settings::files();
    facts.is_wsl = settings::is_wsl();
    facts.units = units::listening_at(Path::new("/"), &request.target);
    facts
}

/// Returns whether the binder's namespace is known not to have an address that another may have.
fn is_missing(address: IpAddr, facts: &BindFacts) -> bool {
    let address = address.to_canonical();
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return false;
    }
    let is_it = |known: &LocalAddress| known.address == address;
    let has = facts.addresses.as_ref().map(|all| all.iter().any(is_it));
    facts.is_routed_here.or(has) == Some(false)
}

/// Reads what depends on this thread's network namespace, which sockets bound to a file belong to, too.
fn of_namespace(request: &BindRequest) -> BindFacts {
    let mut facts = BindFacts { netns: sock_diag::current_netns(), ..BindFacts::default() };
    settings::read(request, &mut facts);
    rights::read_privileged(&request.by, &mut facts);
    facts.has_ipv6 = match socket(AddressFamily::INET6, SocketType::DGRAM, None) {
        Ok(_) => Some(true),
        Err(Errno::AFNOSUPPORT) => Some(false),
        Err(_) => None,
    };
    match &request.target {
        Target::Inet { address, .. } => {
            addresses::read(*address, request.device.as_ref(), &mut facts);
        }
        Target::Unix(name) => {
            facts.path = path::look(name, request.by.pid, &Rights::of(&request.by));
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests start programs")]

    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::os::unix::net::UnixListener;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::diagnose::{Binder, FileKind, PathFacts};
    use crate::platform::clock::Deadline;
    use crate::process::{Pid, Uid};
    use crate::socket::Protocol;
    use crate::text::Text;

    fn tcp(address: impl Into<IpAddr>) -> BindRequest {
        let (protocol, address) = (Protocol::Tcp, address.into());
        BindRequest::plain(Target::Inet { protocol, address, scope: None, port: 80 })
    }

    fn path(path: &Path) -> Option<PathFacts> {
        gather(&BindRequest::plain(Target::Unix(Text::from(path.to_str().unwrap())))).path
    }

    #[test]
    fn of_this_very_machine_everything_is_known() {
        let facts = gather(&tcp(Ipv4Addr::LOCALHOST));
        assert_eq!(facts.gaps, []);
        assert_eq!((facts.netns, facts.is_routed_here), (facts.own_netns, Some(true)));
        assert!(facts.unprivileged_port_start.is_some() && facts.ephemeral.is_some());
        assert_eq!(facts.descriptors, None, "our own count for nobody");
        let addresses = facts.addresses.unwrap();
        let loopback =
            addresses.iter().find(|each| each.address == IpAddr::from(Ipv4Addr::LOCALHOST));
        let loopback = loopback.unwrap();
        assert_eq!((loopback.prefix, loopback.is_tentative), (8, false));
        assert_eq!(loopback.interface.name, Some("lo".into()));
        assert!(facts.interfaces.unwrap().contains(&loopback.interface));
    }

    #[test]
    fn the_whole_network_of_loopback_is_routed_here_and_a_test_net_is_not() {
        let routed = |address: [u8; 4]| gather(&tcp(address)).is_routed_here;
        assert_eq!(routed([127, 9, 9, 9]), Some(true));
        assert_eq!(routed([198, 51, 100, 1]), Some(false), "RFC 5737: of nobody");
        assert_eq!(gather(&tcp(Ipv6Addr::LOCALHOST)).is_routed_here, None);
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        assert_eq!(gather(&tcp(mapped)).is_routed_here, Some(true));
    }

    #[test]
    fn an_ordinary_user_may_bind_no_privileged_port() {
        let by = |uid| BindRequest {
            by: Binder { uid: Some(Uid(uid)), pid: None },
            ..tcp(Ipv4Addr::LOCALHOST)
        };
        assert_eq!(gather(&by(65534)).may_bind_privileged, Some(false));
        if rustix::process::geteuid().is_root() {
            assert_eq!(gather(&by(0)).may_bind_privileged, Some(true));
        }
    }

    #[test]
    fn a_process_that_is_gone_is_a_gap() {
        let by = Binder { uid: None, pid: Some(Pid(u32::MAX)) };
        let facts = gather(&BindRequest { by, ..tcp(Ipv4Addr::LOCALHOST) });
        assert_eq!((facts.netns, facts.may_bind_privileged, facts.gaps.len()), (None, None, 1));
    }

    /// A process that `unshare` starts with these options.
    fn elsewhere(options: &str) -> Option<std::process::Child> {
        let mut command = Command::new("unshare");
        command.args([options, "sh", "-c", "echo; read _"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut line = [0];
        let ready = std::io::Read::read(child.stdout.as_mut()?, &mut line).ok()? == 1;
        if !ready {
            child.wait().ok();
        }
        ready.then_some(child)
    }

    #[test]
    fn the_settings_of_another_process_are_those_of_its_namespace() {
        let root = rustix::process::geteuid().is_root();
        for (options, owns_it) in [("-n", root), ("-Urn", true), ("-Ur", false)] {
            let Some(mut child) = elsewhere(options) else {
                eprintln!("SKIPPED: unshare {options}: may not make a namespace");
                assert!(std::env::var_os("SOCKSCOPE_REQUIRE_ALL").is_none() || !root);
                continue;
            };
            let by = Binder { uid: None, pid: Some(Pid(child.id())) };
            let facts = gather(&BindRequest { by, ..tcp(Ipv4Addr::LOCALHOST) });
            assert_eq!(facts.gaps, [], "{options}");
            assert_eq!(facts.netns == facts.own_netns, options == "-Ur", "{options}");
            assert_eq!(facts.may_bind_privileged, Some(owns_it), "{options}");
            if options != "-Ur" {
                assert_eq!(facts.addresses, Some(Vec::new()), "lo is down there, without address");
                assert_eq!(facts.is_routed_here, None, "there may be no table that would tell");
            }
            assert!(facts.descriptors.is_some_and(|usage| usage.used >= 3));
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }

    #[test]
    fn a_path_is_told_by_what_is_there_and_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let vacant = PathFacts::Vacant { may_write: Some(true), is_read_only: false };
        assert_eq!(path(&at("new")), Some(vacant));
        assert_eq!(path(&at("no/new")), Some(PathFacts::NoDirectory));
        std::fs::write(at("file"), "").unwrap();
        assert_eq!(path(&at("file/new")), Some(PathFacts::NotDirectory));
        let taken = |kind| PathFacts::Taken { kind, is_bound: None, sockets: Vec::new() };
        assert_eq!(path(&at("file")), Some(taken(FileKind::Regular)));
        assert_eq!(path(&at(".")), Some(taken(FileKind::Directory)));
        std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
        assert_eq!(path(&at("link")), Some(taken(FileKind::Symlink)));
        assert_eq!(path(Path::new("@abstract")), None);

        let listener = UnixListener::bind(at("socket")).unwrap();
        let Some(PathFacts::Taken { is_bound, sockets, .. }) = path(&at("socket")) else {
            panic!("it is there");
        };
        assert_eq!(is_bound, Some(true));
        let inode = rustix::fs::fstat(&listener).unwrap().st_ino;
        assert_eq!(sockets, [crate::socket::Inode(inode)]);
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "nobody was disturbed");
        drop(listener);
        let stale =
            PathFacts::Taken { kind: FileKind::Socket, is_bound: Some(false), sockets: Vec::new() };
        // A program that another test is just starting may have it for a moment more.
        let deadline = Deadline::after(Duration::from_secs(20));
        while path(&at("socket")).as_ref() != Some(&stale) {
            assert!(!deadline.has_passed(), "{:?}", path(&at("socket")));
            std::thread::yield_now();
        }
    }

    #[test]
    fn another_users_way_to_a_directory_is_told_by_the_modes() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = Text::from(directory.path().join("new").to_str().unwrap());
        let by = Binder { uid: Some(Uid(65534)), pid: None };
        let request = BindRequest { by, ..BindRequest::plain(Target::Unix(file)) };
        let with_mode = |mode| {
            std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode))
                .unwrap();
            gather(&request).path
        };
        let vacant = |may| Some(PathFacts::Vacant { may_write: Some(may), is_read_only: false });
        assert_eq!(with_mode(0o700), Some(PathFacts::Closed));
        assert_eq!(with_mode(0o755), vacant(false));
        assert_eq!(with_mode(0o777), vacant(true));
    }
}
