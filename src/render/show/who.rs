//! What a socket's state means, who holds it, who is at its other end and who must act.

use crate::explain::{self, Actor, Meaning};
use crate::kernel::KernelService;
use crate::process::{HiddenReason, Owner, Ownership, Process};
use crate::render::show::numbers::duration;
use crate::render::show::{Lines, Page, ends};
use crate::render::{owner, phrase, sanitize};
use crate::snapshot::Entry;
use crate::socket::{Queues, Socket, TimerKind};
use crate::state::TcpState;

impl Lines {
    pub(super) fn state(&mut self, page: &Page<'_>) {
        let Page { entry, meaning, .. } = *page;
        let name = entry.socket.state.map(|state| state.to_string());
        let Some(Meaning { here, ends, when, acts, but, .. }) = meaning else {
            return self.add("State", name.unwrap_or_default());
        };
        let name = match (name, *but) {
            (Some(name), "") => name,
            (Some(name), but) => format!("{name}, {but}"),
            (None, but) => but.to_owned(),
        };
        self.add("State", format!("{name}: {here}"));
        self.add("Ends", format!("by {ends}; {when}"));
        if let Some(limit) = time_left(&entry.socket) {
            self.add("Ends", limit);
        }
        self.add("To act", actor(page, *acts));
        if let Some(command) = entry.ownership.service().and_then(KernelService::stop) {
            self.add("To act", format!("as root: {command}"));
        }
    }

    pub(super) fn holders(&mut self, entry: &Entry) {
        match &entry.ownership {
            Ownership::Held(owners) => {
                self.owners("Held by", owners);
            }
            Ownership::Kernel(reason) => self.add("Held by", phrase::kernel(reason)),
            Ownership::Hidden(reason) => {
                let user = entry.user.as_ref().map(|user| sanitize::text(user).into_owned());
                let user = user.or_else(|| entry.socket.uid.map(|uid| uid.to_string()));
                let user = user.map_or_else(String::new, |user| format!("; it belongs to {user}"));
                self.add("Held by", format!("{}{user}", hidden(*reason)));
            }
        }
    }

    pub(super) fn other_end(&mut self, page: &Page<'_>) {
        let Page { entry, other, asked, .. } = *page;
        match (other, asked) {
            (Some(other), _) if other.socket.id == entry.socket.id => {
                self.add("Other end", "itself: it is connected to its own address");
            }
            (Some(other), _) => {
                let socket = &other.socket;
                let state = socket.state.map_or_else(String::new, |state| format!(", {state}"));
                let number = socket.cookie.map_or_else(String::new, |it| format!(", cookie {it}"));
                self.add("Other end", format!("{}{state}{number}", ends(socket)));
                self.other_holders(other);
            }
            (None, Some(listener)) => {
                let ends = ends(&listener.socket);
                self.add("Other end", format!("nobody yet; {ends} is asked{}", full(listener)));
                self.other_holders(listener);
            }
            (None, None) if entry.socket.peer.is_some() => {
                self.add("Other end", nowhere(&entry.socket));
            }
            (None, None) => {}
        }
    }

    fn other_holders(&mut self, other: &Entry) {
        match other.ownership.owners() {
            [] => self.add("Other end", format!("held by {}", whose(other))),
            owners => self.owners("Other end", owners),
        }
    }

    /// Adds each process, and how it was found to hold the socket.
    fn owners(&mut self, label: &'static str, owners: &[Owner]) {
        for process in owner::by_process(owners) {
            self.add(label, owner::line(&process));
            let mut found: Vec<&str> = Vec::new();
            for how in process.iter().map(|owner| explain::how_found(owner.via)) {
                if !found.contains(&how) {
                    found.push(how);
                }
            }
            self.add(label, found.join("; "));
        }
    }
}

/// Says of a listener that is asked whether it can answer.
fn full(listener: &Entry) -> String {
    match listener.socket.queues {
        Some(Queues::Backlog { pending, limit: Some(limit) }) if pending > limit => {
            format!(
                ", whose queue is full ({pending} wait, limit {limit}), so that it does not answer"
            )
        }
        Some(_) | None => String::new(),
    }
}

/// Says why nothing is at the other end.
fn nowhere(socket: &Socket) -> &'static str {
    match (explain::is_within_machine(socket), socket.state) {
        (false, _) => "not among the sockets seen here: another machine or namespace",
        (true, Some(TcpState::SynSent)) => {
            "nobody listens there, and no refusal came: something drops packets, such as a firewall"
        }
        (true, Some(_)) => "gone: no socket here has it any more",
        (true, None) => "nobody receives there",
    }
}

fn process_name(process: &Process) -> String {
    let name = process.command.as_ref().map_or("?".into(), |name| sanitize::text(name));
    format!("{name} (PID {})", process.pid)
}

const fn hidden(reason: HiddenReason) -> &'static str {
    match reason {
        HiddenReason::Permission => "a process that you may not see: run as root (sudo)",
        HiddenReason::Vanished => "nobody any more: it was gone, or handed on, while we looked",
        HiddenReason::NoDescriptor => "no descriptor that could be read: held in another way",
        HiddenReason::InFlight => {
            "nobody at the moment, perhaps: it may be in flight inside a UNIX socket, towards a \
             process that cannot be told"
        }
        HiddenReason::NotAsked => "not asked",
    }
}

/// Says whose a socket is, in a word or two.
fn whose(entry: &Entry) -> String {
    match &entry.ownership {
        Ownership::Held(owners) => {
            owners.first().map_or_else(String::new, |owner| process_name(&owner.process))
        }
        Ownership::Kernel(reason) => phrase::kernel(reason),
        Ownership::Hidden(reason) => hidden(*reason).to_owned(),
    }
}

/// Says who must act, by name where that is known.
fn actor(page: &Page<'_>, acts: Actor) -> String {
    let owner = || match page.entry.ownership.owners().first() {
        Some(owner) if explain::is_unaccepted(page.entry) => {
            format!("the listener's owner, {}", process_name(&owner.process))
        }
        Some(owner) => process_name(&owner.process),
        None => {
            page.entry.ownership.service().map_or_else(|| "the owner".to_owned(), phrase::service)
        }
    };
    let peer = || {
        let other = page.other.or(page.asked).and_then(|other| other.ownership.owners().first());
        let end = page.entry.socket.peer.as_ref();
        match (other, end) {
            (Some(owner), _) => format!("the peer, {}", process_name(&owner.process)),
            (None, Some(end)) => format!("the peer, {}", sanitize::string(&end.to_string())),
            (None, None) => "the peer".to_owned(),
        }
    };
    match acts {
        Actor::Owner => owner(),
        Actor::Peer => peer(),
        Actor::Either => format!("{} or {}", owner(), peer()),
        Actor::Nobody => acts.words().to_owned(),
    }
}

/// Says how long it still is, where a timer tells.
fn time_left(socket: &Socket) -> Option<String> {
    let timer = socket.timer?;
    let dropped = timer.kind == TimerKind::Timewait
        || (socket.state == Some(TcpState::FinWait2) && socket.inode.is_none());
    dropped.then(|| format!("now in {}", duration(timer.expires_ms)))
}
