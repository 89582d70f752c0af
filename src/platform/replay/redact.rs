//! Takes names, users and addresses out of a collection, so that it can be shown to others.
//!
//! The same input becomes the same replacement and different inputs stay different, so that what
//! went wrong still does: owners, shared ports, listeners and their connections join as before.
//! Kept are numbers (ports, PIDs, descriptors, inodes, queues, times) and what is the same on every
//! machine: loopback and wildcard addresses, `lo`, user 0 and `root`.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use self::address::Addresses;
use crate::cgroup::Cgroup;
use crate::kernel::KernelPort;
use crate::process::{Process, Uid};
use crate::snapshot::{Collected, Gap};
use crate::socket::{Endpoint, Interface, RareFacts, Socket};
use crate::text::Text;

mod address;

/// Returns the collection with every name, user and address replaced.
///
/// Replacements are numbered in the order of first appearance: `command1`, `user1`, uid 1001,
/// 192.0.2.1, `if1`, `/path1`. Relations between addresses other than equality (same network, near)
/// are lost.
pub fn redact(mut collected: Collected) -> Collected {
    let mut redactor = Redactor::default();
    for socket in &mut collected.sockets {
        redactor.socket(socket);
    }
    for process in &mut collected.processes {
        redactor.process(process);
    }
    collected.users = collected
        .users
        .into_iter()
        .map(|(uid, name)| (redactor.uid(uid), redactor.user(&name)))
        .collect();
    for port in &mut collected.kernel_ports {
        redactor.kernel_port(port);
    }
    for name in collected.netns_names.values_mut() {
        redactor.netns(name);
    }
    // Last: by now every name is known that a gap's words could hold.
    for gap in &mut collected.gaps {
        redactor.gap(gap);
    }
    collected
}

/// What each original became.
#[derive(Default)]
struct Redactor {
    addresses: Addresses,
    uids: Numbered<Uid>,
    users: Numbered<Text>,
    commands: Numbered<Text>,
    arguments: Numbered<Text>,
    interfaces: Numbered<Text>,
    names: Numbered<Text>,
    namespaces: Numbered<Text>,
    cgroups: Numbered<Text>,
    units: Numbered<Text>,
    containers: Numbered<Text>,
    pods: Numbered<Text>,
}

/// Numbers each distinct value in the order of first appearance, from 1.
struct Numbered<T> {
    numbers: HashMap<T, usize>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new() }
    }
}

impl<T: Eq + Hash + Clone> Numbered<T> {
    fn number(&mut self, value: &T) -> usize {
        let next = self.numbers.len() + 1;
        *self.numbers.entry(value.clone()).or_insert(next)
    }
}

impl Redactor {
    fn socket(&mut self, socket: &mut Socket) {
        for end in [&mut socket.local, &mut socket.peer].into_iter().flatten() {
            self.endpoint(end);
        }
        if let Some(rare) = socket.rare.get_mut() {
            self.rare(rare);
        }
        if let Some(cgroup) = &mut socket.cgroup {
            self.cgroup(Arc::make_mut(cgroup));
        }
        socket.uid = socket.uid.map(|uid| self.uid(uid));
    }

    fn rare(&mut self, rare: &mut RareFacts) {
        if let Some(interface) = &mut rare.interface {
            self.interface(interface);
        }
        if let Some(service) = &mut rare.service {
            *service = Text::from(format!("service{}", self.units.number(service)));
        }
    }

    fn endpoint(&mut self, end: &mut Endpoint) {
        match end {
            Endpoint::Inet { address, scope, .. } => {
                *address = self.addresses.replace(*address);
                if let Some(interface) = scope {
                    self.interface(interface);
                }
            }
            Endpoint::Path(path) => {
                *path = Text::from(format!("/path{}", self.names.number(path)));
            }
            Endpoint::Abstract(name) => {
                *name = Text::from(format!("name{}", self.names.number(name)));
            }
            Endpoint::Packet { interface, .. } => {
                if let Some(interface) = interface {
                    self.interface(interface);
                }
            }
            Endpoint::Xdp { interface, .. } => self.interface(interface),
            Endpoint::Netlink { .. } | Endpoint::Vsock { .. } => {}
        }
    }

    fn interface(&mut self, interface: &mut Interface) {
        if let Some(name) = &mut interface.name
            && !matches!(name.as_bytes(), b"lo" | b"lo0")
        {
            *name = Text::from(format!("if{}", self.interfaces.number(name)));
        }
    }

    fn kernel_port(&mut self, port: &mut KernelPort) {
        if let Some(link) = &mut port.link {
            *link = Text::from(format!("if{}", self.interfaces.number(link)));
        }
        port.address = port.address.map(|address| self.addresses.replace(address));
    }

    /// `host` and `current` are our own words.
    fn netns(&mut self, name: &mut Text) {
        if !matches!(name.as_bytes(), b"host" | b"current") {
            *name = Text::from(format!("netns{}", self.namespaces.number(name)));
        }
    }

    fn process(&mut self, process: &mut Process) {
        // `comm` first: most commands are the same name, and then keep the same number.
        for name in [&mut process.comm, &mut process.command].into_iter().flatten() {
            *name = Text::from(format!("command{}", self.commands.number(name)));
        }
        for argument in process.argv.iter_mut().flatten() {
            *argument = Text::from(format!("argument{}", self.arguments.number(argument)));
        }
        let exe = process.exe.as_mut().map(|exe| &mut exe.path);
        for path in exe.into_iter().chain(&mut process.cwd) {
            *path = Text::from(format!("/path{}", self.names.number(path)));
        }
        if let Some(cgroup) = &mut process.cgroup {
            self.cgroup(cgroup);
        }
        process.uid = process.uid.map(|uid| self.uid(uid));
        process.user = process.user.as_ref().map(|name| self.user(name));
    }

    /// Replaces what the names of a control group say; which kind of unit and what runs the container
    /// stays.
    fn cgroup(&mut self, cgroup: &mut Cgroup) {
        if !cgroup.is_root() {
            cgroup.path = Text::from(format!("/cgroup{}", self.cgroups.number(&cgroup.path)));
        }
        for unit in [&mut cgroup.unit, &mut cgroup.user_unit].into_iter().flatten() {
            let kind = crate::cgroup::unit_kind(unit.as_bytes()).unwrap_or_default();
            *unit = Text::from(format!("unit{}{kind}", self.units.number(unit)));
        }
        if let Some(container) = &mut cgroup.container {
            let number = self.containers.number(&container.id);
            container.id = Text::from(format!("container{number}"));
            container.name = None;
            if let Some(pod) = &mut container.pod {
                *pod = Text::from(format!("pod{}", self.pods.number(pod)));
            }
        }
    }

    fn uid(&mut self, uid: Uid) -> Uid {
        if uid == Uid(0) {
            return uid;
        }
        Uid(u32::try_from(self.uids.number(&uid)).unwrap_or(u32::MAX).saturating_add(1000))
    }

    fn user(&mut self, name: &Text) -> Text {
        if name.as_bytes() == b"root" {
            return name.clone();
        }
        Text::from(format!("user{}", self.users.number(name)))
    }

    fn gap(&mut self, gap: &mut Gap) {
        gap.why = self.words(&gap.why);
        for words in [&mut gap.detail, &mut gap.hint].into_iter().flatten() {
            *words = self.words(words);
        }
    }

    /// Replaces what stands in a gap's words: addresses, paths outside the kernel's own file systems,
    /// and every name the collection holds.
    fn words(&mut self, text: &str) -> String {
        let text = text.split(' ').map(|word| self.word(word)).collect::<Vec<_>>().join(" ");
        self.known_names(&text)
    }

    /// Replaces a word that is an address or a path, punctuation around it aside.
    fn word(&mut self, word: &str) -> String {
        let core =
            word.trim_matches(|c: char| matches!(c, '"' | '\'' | '(' | ')' | ',' | ';' | ':'));
        if core.is_empty() {
            return word.to_owned();
        }
        let replacement = if let Ok(address) = core.trim_matches(['[', ']']).parse::<IpAddr>() {
            self.addresses.replace(address).to_string()
        } else if let Ok(mut end) = core.parse::<std::net::SocketAddr>() {
            end.set_ip(self.addresses.replace(end.ip()));
            end.to_string()
        } else if is_private_path(core) {
            format!("/path{}", self.names.number(&Text::from(core)))
        } else {
            return word.to_owned();
        };
        word.replacen(core, &replacement, 1)
    }

    /// Replaces each name of the collection where it stands as a word of its own; of two that fit,
    /// the longer one. Not the arguments: no gap quotes them, and any word may be one.
    fn known_names(&self, text: &str) -> String {
        let kinds = [
            ("user", &self.users),
            ("command", &self.commands),
            ("if", &self.interfaces),
            ("/path", &self.names),
            ("netns", &self.namespaces),
            ("/cgroup", &self.cgroups),
            ("unit", &self.units),
            ("container", &self.containers),
            ("pod", &self.pods),
        ];
        let known: BTreeSet<(std::cmp::Reverse<usize>, &str, String)> = kinds
            .into_iter()
            .flat_map(|(kind, names)| names.numbers.iter().map(move |(name, n)| (kind, name, n)))
            .filter_map(|(kind, name, number)| {
                let name = name.as_str().filter(|name| name.contains(char::is_alphanumeric))?;
                Some((std::cmp::Reverse(name.len()), name, format!("{kind}{number}")))
            })
            .collect();

        let mut result = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let starts_word = !result.ends_with(char::is_alphanumeric);
            let found = known.iter().find_map(|(_, name, replacement)| {
                let after = rest.strip_prefix(name)?;
                (starts_word && !after.starts_with(char::is_alphanumeric))
                    .then_some((replacement, after))
            });
            if let Some((replacement, after)) = found {
                result.push_str(replacement);
                rest = after;
            } else {
                result.push(next);
                rest = rest.strip_prefix(next).unwrap_or_default();
            }
        }
        result
    }
}

/// Returns true for a path that may name a person or what they do: not `/proc/…`, which is the same
/// everywhere.
fn is_private_path(word: &str) -> bool {
    let windows = word.get(1..3).is_some_and(|start| start == ":\\");
    let unix = word.starts_with('/')
        && !["/proc", "/sys", "/dev"].iter().any(|known| {
            word.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    windows || unix
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::join::join;
    use crate::process::{Ownership, Pid};
    use crate::snapshot::Missing;
    use crate::socket::{Family, Protocol, SocketId};
    use proptest::prelude::*;

    /// Which values are equal to which: the first place each value was seen at.
    fn pattern<T: PartialEq>(values: &[T]) -> Vec<usize> {
        values.iter().map(|v| values.iter().position(|other| other == v).unwrap()).collect()
    }

    fn addresses(collected: &Collected) -> Vec<Option<IpAddr>> {
        let ends = collected.sockets.iter().flat_map(|socket| [&socket.local, &socket.peer]);
        ends.map(|end| end.as_ref().and_then(Endpoint::address)).collect()
    }

    fn uids(collected: &Collected) -> Vec<Option<Uid>> {
        let sockets = collected.sockets.iter().map(|socket| socket.uid);
        let processes = collected.processes.iter().map(|process| process.uid);
        sockets.chain(processes).chain(collected.users.keys().copied().map(Some)).collect()
    }

    fn commands(collected: &Collected) -> Vec<Option<Text>> {
        collected.processes.iter().flat_map(|p| [p.comm.clone(), p.command.clone()]).collect()
    }

    /// Who owns which socket, without names.
    fn structure(collected: Collected) -> Vec<(SocketId, Vec<Pid>, &'static str)> {
        let entries = join(collected).entries;
        entries
            .iter()
            .map(|entry| {
                let owners = entry.ownership.owners().iter().map(|owner| owner.process.pid);
                (entry.socket.id, owners.collect(), Ownership::name(&entry.ownership))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn no_name_is_left(collected in samples::collected()) {
            let mut bytes = Vec::new();
            super::super::record(&redact(collected), &mut bytes).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            // A name that is not UTF-8 is written as hex.
            for secret in ["SECRET", "5345435245542d", "hex"] {
                prop_assert!(!text.contains(secret), "{text}");
            }
        }

        #[test]
        fn equal_stays_equal_and_different_different(collected in samples::collected()) {
            let redacted = redact(collected.clone());
            prop_assert_eq!(pattern(&addresses(&collected)), pattern(&addresses(&redacted)));
            prop_assert_eq!(pattern(&uids(&collected)), pattern(&uids(&redacted)));
            prop_assert_eq!(pattern(&commands(&collected)), pattern(&commands(&redacted)));
        }

        #[test]
        fn the_join_finds_the_same_owners(collected in samples::collected()) {
            prop_assert_eq!(structure(redact(collected.clone())), structure(collected));
        }

        #[test]
        fn the_same_input_gives_the_same_output(collected in samples::collected()) {
            prop_assert_eq!(redact(collected.clone()), redact(collected));
        }
    }

    #[test]
    fn what_is_the_same_everywhere_stays() {
        let mut collected = samples::empty();
        let mut socket = Socket::new(SocketId(1), Protocol::Tcp, Family::Inet);
        socket.local = Some(Endpoint::inet([127, 0, 0, 53].into(), 53));
        socket.uid = Some(Uid(0));
        socket.rare.make_mut().interface =
            Some(Box::new(Interface { index: 1, name: Some("lo".into()) }));
        collected.sockets.push(socket);
        collected.users.insert(Uid(0), "root".into());
        collected.gaps.push(
            Gap::new(Missing::Sockets, "read /proc/net/tcp6: permission denied")
                .detail("tcp over inet6")
                .hint("run with sudo"),
        );
        assert_eq!(redact(collected.clone()), collected);
    }

    #[test]
    fn a_control_group_keeps_its_kind_and_shares_its_replacement() {
        let id = "4f5d0c1e9b8a7d6c5b4a39281706f5e4d3c2b1a0918273645546372819a0b1c2";
        let path = format!("/user.slice/user@1000.service/user.slice/libpod-{id}.scope");
        let group = Cgroup::new(Text::from(path));
        let mut collected = samples::empty();
        let mut socket = Socket::new(SocketId(1), Protocol::Tcp, Family::Inet);
        socket.cgroup = Some(group.clone().into());
        collected.sockets.push(socket);
        let mut process = Process::new(Pid(7));
        process.cgroup = Some(group);
        collected.processes.push(process);

        let redacted = redact(collected);
        let group = redacted.processes[0].cgroup.as_ref().unwrap();
        assert_eq!(redacted.sockets[0].cgroup.as_deref(), Some(group));
        assert_eq!(group.path, Text::from("/cgroup1"));
        assert_eq!(group.full_unit(), Some(Text::from("unit1.service/unit2.scope")));
        assert_eq!(group.container.as_ref().unwrap().to_string(), "podman:container1");
    }

    #[test]
    fn a_user_keeps_number_and_name_together() {
        let mut collected = samples::empty();
        collected.users.insert(Uid(501), "alice".into());
        let mut process = Process::new(Pid(7));
        process.uid = Some(Uid(501));
        collected.processes.push(process);
        let redacted = redact(collected);
        assert_eq!(redacted.processes[0].uid, Some(Uid(1001)));
        assert_eq!(redacted.users.get(&Uid(1001)), Some(&Text::from("user1")));
    }

    #[test]
    fn an_argument_does_not_change_the_words_of_a_gap() {
        let mut collected = samples::empty();
        let mut process = Process::new(Pid(7));
        process.argv = Some(vec!["-".into(), "sudo".into()]);
        process.command = Some("-".into());
        collected.processes.push(process);
        collected
            .gaps
            .push(Gap::new(Missing::Sockets, "none").hint("leave out --backend, use sudo"));
        assert_eq!(redact(collected.clone()).gaps, collected.gaps);
    }

    #[test]
    fn the_words_of_a_gap_hold_no_name() {
        let mut collected = samples::empty();
        let mut process = Process::new(Pid(7));
        process.command = Some("secret server".into());
        collected.processes.push(process);
        collected.users.insert(Uid(501), "alice".into());
        collected.gaps.push(
            Gap::new(
                Missing::Sockets,
                "read /home/alice/x: no; alice's secret server at 10.1.2.3:80, 10.1.2.3, /proc/7/fd, malice",
            )
            .hint("ask alice"),
        );
        let redacted = redact(collected);
        assert_eq!(
            redacted.gaps[0].why,
            "read /path1: no; user1's command1 at 192.0.2.1:80, 192.0.2.1, /proc/7/fd, malice"
        );
        assert_eq!(redacted.gaps[0].hint.as_deref(), Some("ask user1"));
    }
}
