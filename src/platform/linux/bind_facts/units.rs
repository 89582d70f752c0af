//! Socket units of systemd (`systemd.socket(5)`), from their files: who holds a port that systemd
//! itself listens at, and would start a service for.
//!
//! The files say what was asked for; that the manager has it so is told by the socket it holds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::diagnose::{SocketUnit, Target};
use crate::socket::Protocol;
use crate::text::Text;

/// Where the files of the system's manager are, those that count first (`systemd.unit(5)`).
const OF_SYSTEM: &[&str] = &[
    "etc/systemd/system.control",
    "run/systemd/system.control",
    "run/systemd/transient",
    "run/systemd/generator.early",
    "etc/systemd/system",
    "run/systemd/system",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "run/systemd/generator.late",
];

/// Where those of users' managers are, but for each user's own.
const OF_USERS: &[&str] = &[
    "etc/systemd/user",
    "run/systemd/user",
    "usr/local/lib/systemd/user",
    "usr/lib/systemd/user",
    "lib/systemd/user",
];

/// In the home of a user.
const OF_ONE_USER: &str = ".config/systemd/user";

/// Where the system's manager notes each unit that runs: a link `invocation:NAME`.
const RUNNING: &str = "run/systemd/units";

/// Returns the socket units that listen at the port, at whatever address, or at the path; below this
/// root.
pub(super) fn listening_at(root: &Path, target: &Target) -> Vec<SocketUnit> {
    let system = OF_SYSTEM.iter().map(|directory| root.join(directory)).collect();
    let home = uzers::get_user_by_uid(rustix::process::geteuid().as_raw()).map(|user| {
        let home = uzers::os::unix::UserExt::home_dir(&user);
        root.join(home.strip_prefix("/").unwrap_or(home)).join(OF_ONE_USER)
    });
    let users = home.into_iter().chain(OF_USERS.iter().map(|directory| root.join(directory)));
    let mut units = Vec::new();
    for (directories, is_user) in [(system, false), (users.collect(), true)] {
        for (name, files) in unit_files(directories) {
            units.extend(listening(&files, target).map(|(listens, file)| {
                let is_active = !is_user && {
                    let mut note = OsString::from("invocation:");
                    note.push(&name);
                    root.join(RUNNING).join(note).is_symlink()
                };
                SocketUnit { name: text(&name), is_user, listens, file, is_active }
            }));
        }
    }
    units
}

fn text(name: &(impl AsRef<std::ffi::OsStr> + ?Sized)) -> Text {
    Text::new(name.as_ref().as_bytes())
}

/// Returns the files that make each socket unit: its own, and then those that add to it.
fn unit_files(directories: Vec<PathBuf>) -> BTreeMap<OsString, Vec<PathBuf>> {
    let mut own: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    let mut added: BTreeMap<OsString, BTreeMap<OsString, PathBuf>> = BTreeMap::new();
    for directory in directories {
        for entry in entries(&directory) {
            let name = entry.file_name().unwrap_or_default().to_owned();
            let name_bytes = name.as_bytes();
            if name_bytes.ends_with(b".socket.d") {
                let unit = Path::new(&name).with_extension("").into_os_string();
                let parts = entries(&entry).into_iter();
                for part in parts.filter(|part| part.extension().is_some_and(|end| end == "conf")) {
                    let part_name = part.file_name().unwrap_or_default().to_owned();
                    added.entry(unit.clone()).or_default().entry(part_name).or_insert(part);
                }
            // A template has no socket, and where its instances listen depends on their names.
            } else if name_bytes.ends_with(b".socket") && !name_bytes.ends_with(b"@.socket") {
                own.entry(name).or_insert(entry);
            }
        }
    }
    own.into_iter()
        .map(|(unit, file)| {
            let parts = added.remove(&unit).unwrap_or_default();
            (unit, std::iter::once(file).chain(parts.into_values()).collect())
        })
        .collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// Returns the lines of a unit that make it listen at the target, each with its file.
fn listening(files: &[PathBuf], target: &Target) -> impl Iterator<Item = (Text, Text)> {
    let mut lines: Vec<(String, String, Text)> = Vec::new();
    for file in files {
        // One that is masked is a link to nothing in particular.
        let content = fs::read(file).unwrap_or_default();
        for (key, value) in parse(&String::from_utf8_lossy(&content)) {
            if value.is_empty() {
                // Forgets what was said before, of all kinds.
                lines.clear();
            } else {
                lines.push((key, value, text(file)));
            }
        }
    }
    let is_it = |key: &str, value: &str| listens_at(key, value, target);
    lines
        .into_iter()
        .filter(move |(key, value, _)| is_it(key, value))
        .map(|(key, value, file)| (Text::from(format!("{key}={value}")), file))
}

/// Parses a unit's file: what its section `[Socket]` says of where to listen.
fn parse(content: &str) -> Vec<(String, String)> {
    let joined = content.replace("\\\n", " ");
    let mut section = "";
    let mut found = Vec::new();
    for line in joined.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') {
            section = line;
        } else if let (Some((key, value)), "[Socket]") = (line.split_once('='), section)
            && key.trim_end().starts_with("Listen")
        {
            found.push((key.trim_end().to_owned(), value.trim_start().to_owned()));
        }
    }
    found
}

/// Returns whether a line says to listen at this port or path.
fn listens_at(key: &str, value: &str, target: &Target) -> bool {
    match target {
        Target::Inet { protocol, port, .. } => {
            let kind = match protocol {
                Protocol::Tcp => "ListenStream",
                Protocol::Udp => "ListenDatagram",
                Protocol::Udplite
                | Protocol::Raw
                | Protocol::Unix
                | Protocol::Packet
                | Protocol::Netlink
                | Protocol::Mptcp
                | Protocol::Sctp
                | Protocol::Icmp
                | Protocol::Vsock
                | Protocol::Xdp
                | Protocol::Other => return false,
            };
            key == kind && port_of(value) == Some(*port)
        }
        Target::Unix(name) => value.as_bytes() == name.as_bytes(),
    }
}

/// Returns the port of `8080`, `127.0.0.1:8080`, `[::1]:8080%eth0`; `None` for a path and others.
fn port_of(value: &str) -> Option<u16> {
    let address = value.split_once('%').map_or(value, |(address, _)| address);
    let of_address = || address.parse::<SocketAddr>().ok().map(|address| address.port());
    address.parse().ok().or_else(of_address)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use proptest::prelude::*;

    fn tcp(port: u16) -> Target {
        let address = Ipv4Addr::UNSPECIFIED.into();
        Target::Inet { protocol: Protocol::Tcp, address, scope: None, port }
    }

    /// Makes files below a root and returns what listens there, as `NAME LINE`.
    fn found(files: &[(&str, &str)], target: &Target) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let units = listening_at(root.path(), target);
        units.iter().map(|unit| format!("{} {}", unit.name, unit.listens)).collect()
    }

    #[test]
    fn a_unit_is_found_by_each_way_to_name_a_port() {
        for listens in ["8080", "0.0.0.0:8080", "[::]:8080", "[fe80::1]:8080%eth0"] {
            let file =
                format!("[Unit]\nListenStream=1\n[Socket]\n# 8080\nListenStream = {listens}\n");
            let found = found(&[("usr/lib/systemd/system/web.socket", &file)], &tcp(8080));
            assert_eq!(found, [format!("web.socket ListenStream={listens}")]);
        }
        let udp = "[Socket]\nListenDatagram=8080\n";
        assert!(found(&[("usr/lib/systemd/system/web.socket", udp)], &tcp(8080)).is_empty());
    }

    #[test]
    fn what_an_administrator_says_counts_more_and_an_empty_line_forgets() {
        let vendor = ("usr/lib/systemd/system/ssh.socket", "[Socket]\nListenStream=22\n");
        assert_eq!(found(&[vendor], &tcp(22)), ["ssh.socket ListenStream=22"]);
        let own = ("etc/systemd/system/ssh.socket", "[Socket]\nListenStream=2222\n");
        assert!(found(&[vendor, own], &tcp(22)).is_empty());
        let part = "[Socket]\nListenStream=\nListenStream=2222\n";
        let part = ("etc/systemd/system/ssh.socket.d/port.conf", part);
        assert!(found(&[vendor, part], &tcp(22)).is_empty());
        assert_eq!(found(&[vendor, part], &tcp(2222)), ["ssh.socket ListenStream=2222"]);
    }

    #[test]
    fn paths_and_users_units_are_found_and_templates_are_not() {
        let file = "[Socket]\nListenStream=/run/docker.sock\n";
        let path = Target::Unix("/run/docker.sock".into());
        let docker = ("lib/systemd/system/docker.socket", file);
        assert_eq!(found(&[docker], &path), ["docker.socket ListenStream=/run/docker.sock"]);
        let web = "[Socket]\nListenStream=8080\n";
        assert_eq!(found(&[("etc/systemd/user/x.socket", web)], &tcp(8080)).len(), 1);
        assert!(found(&[("etc/systemd/user/x@.socket", web)], &tcp(8080)).is_empty());
    }

    #[test]
    fn that_a_unit_runs_is_told_by_its_managers_note() {
        let root = tempfile::tempdir().unwrap();
        for (directory, file) in [("etc/systemd/system", "a.socket"), ("run/systemd/units", "b")] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
            fs::write(root.path().join(directory).join(file), "[Socket]\nListenStream=1\n")
                .unwrap();
        }
        let is_active = || listening_at(root.path(), &tcp(1))[0].is_active;
        assert!(!is_active());
        let note = root.path().join("run/systemd/units/invocation:a.socket");
        std::os::unix::fs::symlink("0123", note).unwrap();
        assert!(is_active());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text: String) {
            parse(&text);
            port_of(&text);
        }
    }
}
