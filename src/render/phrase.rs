//! Sockets and their owners as parts of a sentence, safe for a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::cgroup::Container;
use crate::kernel::{KernelReason, KernelService};
use crate::process::{HiddenReason, Ownership, Process};
use crate::render::row::Row;
use crate::render::sanitize;
use crate::snapshot::Entry;
use crate::socket::{Endpoint, Socket};

/// Returns whose the socket is: `nginx (800, +2)`, `nobody`, `the kernel (VXLAN tunnel vx0)`,
/// `somebody you may not see (user avahi)`.
pub fn owner(entry: &Entry) -> String {
    match &entry.ownership {
        Ownership::Held(owners) => {
            let Some(main) = owners.first() else { return "nobody".to_owned() };
            match (Row { entry, owner: Some(main) }).others() {
                0 => process(&main.process),
                others => format!("{} ({}, +{others})", command(&main.process), main.process.pid),
            }
        }
        Ownership::Kernel(reason) => reason.service().map_or_else(|| "nobody".to_owned(), service),
        Ownership::Hidden(reason) => {
            let who = match reason {
                HiddenReason::Permission => "somebody you may not see",
                HiddenReason::Vanished => "somebody who is gone by now",
                HiddenReason::NoDescriptor => "somebody without a descriptor for it",
                HiddenReason::InFlight => "nobody at the moment: it may be in flight to a process",
                HiddenReason::NotAsked => "somebody",
            };
            let user = match (&entry.user, entry.socket.uid) {
                (Some(name), _) => format!(" (user {})", sanitize::text(name)),
                (None, Some(uid)) => format!(" (user {uid})"),
                (None, None) => String::new(),
            };
            who.to_owned() + &user
        }
    }
}

/// Returns the kernel as the owner of a socket: `the kernel (VXLAN tunnel vx0)`.
pub fn service(service: &KernelService) -> String {
    let probably = if service.is_inferred { ", it seems" } else { "" };
    format!("the kernel{probably} ({})", sanitize::string(&service.to_string()))
}

/// Returns why the kernel has a socket: `no process: the kernel alone keeps it`.
pub fn kernel(reason: &KernelReason) -> String {
    match reason {
        KernelReason::TimeWait | KernelReason::Orphan => {
            "no process: the kernel alone keeps it".to_owned()
        }
        KernelReason::NoListener => "no process: its listener is gone".to_owned(),
        KernelReason::Netlink => "no process: it is the kernel's own end".to_owned(),
        KernelReason::Service(service) if service.is_inferred => {
            let why = "nobody holds it, it is root's, and has that service's usual port";
            format!("{}: {why}", self::service(service))
        }
        KernelReason::Service(service) => format!("no process but {}", self::service(service)),
    }
}

/// Returns a process by name and number: `nginx (800)`.
pub fn process(process: &Process) -> String {
    format!("{} ({})", command(process), process.pid)
}

/// Returns the name of a process; `?` when it could not be read.
pub fn command(process: &Process) -> String {
    process.command.as_ref().map_or_else(|| "?".to_owned(), |name| sanitize::text(name).into())
}

/// Returns a container by its name, what runs it and its number, cut as their tools cut it: `web (docker
/// 0123456789ab)`; without a name `docker 0123456789ab`, without a number `lxc web`.
pub fn container(container: &Container) -> String {
    let runtime = container.runtime.name();
    let number = format!("{runtime} {}", sanitize::string(&container.short_id()));
    match &container.name {
        Some(name) => format!("{} ({number})", sanitize::text(name)),
        None => number,
    }
}

/// Returns the protocol, with a 6 for the IPv6 family: `tcp6`.
pub fn protocol(socket: &Socket) -> String {
    let six = if socket.family == crate::socket::Family::Inet6 { "6" } else { "" };
    format!("{}{six}", socket.protocol)
}

/// Returns one end; `-` when there is none.
pub fn end(end: Option<&Endpoint>) -> String {
    end.map_or_else(|| "-".to_owned(), |end| sanitize::string(&end.to_string()).into_owned())
}

/// Returns both ends, or the local one: `127.0.0.1:80->127.0.0.1:5000`. That is how a command takes it.
pub fn ends(socket: &Socket) -> String {
    match &socket.peer {
        Some(peer) => format!("{}->{}", end(socket.local.as_ref()), end(Some(peer))),
        None if let Some(name) = &socket.rare.protocol_name => {
            format!("protocol: {}", sanitize::text(name))
        }
        None => end(socket.local.as_ref()),
    }
}

/// Returns a number with its noun: `1 socket`, `2 sockets`.
pub fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// A space at which no line is broken; [`wrap`] writes it as a plain one.
pub(super) const TOGETHER: &str = "\u{a0}";
/// Stands before a word that may be cut: a command line, its own spaces [`TOGETHER`]. Nothing safe for a
/// terminal has it.
pub(super) const CUT: char = '\u{1}';
/// How many columns of what is cut are worth beginning with on a line that has something else.
const WORTH: usize = 24;
/// How many characters of it are shown where no line is broken.
const UNBROKEN: usize = 120;

/// Breaks a text at spaces. A word that is wider than the room has a line of its own, but that which may
/// be cut is.
pub fn wrap(text: &str, room: Option<usize>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let (word, may_be_cut) = word.strip_prefix(CUT).map_or((word, false), |word| (word, true));
        let word = word.replace(TOGETHER, " ");
        let left = |line: &String| room.map(|room| room.saturating_sub(line.width() + 1));
        match (lines.last_mut(), may_be_cut) {
            (Some(line), true) => match left(line) {
                Some(left) if left < WORTH => lines.push(cut(&word, room.unwrap_or_default())),
                left => {
                    line.push(' ');
                    line.push_str(&cut(&word, left.unwrap_or(UNBROKEN)));
                }
            },
            (Some(line), false) if left(line).is_none_or(|left| word.width() <= left) => {
                line.push(' ');
                line.push_str(&word);
            }
            (None, true) => lines.push(cut(&word, room.unwrap_or(UNBROKEN))),
            (Some(_) | None, false) => lines.push(word),
        }
    }
    lines
}

/// Returns a text of at most this width, its end replaced by an ellipsis when it is wider.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        if short.width() + character.width().unwrap_or(0) + 1 > width {
            break;
        }
        short.push(character);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Service;
    use crate::render::fixture;

    fn owners() -> Vec<String> {
        fixture::snapshot().entries.iter().map(owner).collect()
    }

    #[test]
    fn every_kind_of_owner_has_its_words() {
        let owners = owners();
        for words in [
            "nginx (811, +3)",
            "nginx (813)",
            "nobody",
            "somebody you may not see (user 70)",
            "somebody who is gone by now (user alice)",
            "systemd-resolve (700)",
        ] {
            assert!(owners.iter().any(|owner| owner == words), "{words}: {owners:#?}");
        }
    }

    #[test]
    fn the_kernel_is_an_owner_with_a_service_and_its_links() {
        let inferred = KernelService { kind: Service::Nfsd, links: Vec::new(), is_inferred: true };
        assert_eq!(service(&inferred), "the kernel, it seems (NFS server)");
        let links = vec!["vx0".into(), "\u{1b}[2J".into()];
        let told = KernelService { kind: Service::Vxlan, links, is_inferred: false };
        assert_eq!(service(&told), r"the kernel (VXLAN tunnel vx0, \x1b[2J)");
    }

    #[test]
    fn no_name_drives_the_terminal() {
        assert!(!owners().concat().contains(char::is_control));
        for entry in &fixture::snapshot().entries {
            assert!(!ends(&entry.socket).contains(char::is_control));
        }
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_stand_alone() {
        assert_eq!(wrap("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(wrap("a verylongword b", Some(5)), ["a", "verylongword", "b"]);
        assert_eq!(wrap("one two", None), ["one two"]);
    }
}
