//! What the calls of a lesson make cross from one program to the other: the arrows of the page.
//!
//! It is concluded from the calls and what they returned, by the rules of TCP, not seen on the device:
//! that would take privilege. The tests hold it against the states that the kernel then reports.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::demo::cast::Role;

/// Something that crosses from one socket to another because of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Crossing {
    /// Whose it is. Not always the caller's: what was held back goes when the other side has read.
    pub from: Role,
    /// Where it goes.
    pub to: Role,
    /// What it is.
    pub what: Packet,
    /// Whether it gets there now: a SYN may be dropped, a FIN may wait behind data that do not fit.
    pub arrives: bool,
}

/// What crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Packet {
    /// The wish for a connection.
    Syn,
    /// The answer to it.
    SynAck,
    /// The last part of the handshake.
    Ack,
    /// So many bytes of a stream.
    Data(usize),
    /// The bytes that did not fit before.
    Rest,
    /// A datagram of so many bytes.
    Datagram(usize),
    /// The end of what is sent.
    Fin,
    /// The end of the connection, at once.
    Rst,
    /// The kernel's answer to a datagram for nobody.
    Unreachable,
    /// Keepalive's questions.
    Probes,
    /// A descriptor, through a UNIX socket.
    Descriptor,
    /// A new process, with what it inherits.
    Fork,
}

/// One end of a TCP connection, as far as the calls tell.
#[derive(Debug)]
struct End {
    peer: Role,
    /// The peer has not answered the SYN yet.
    is_asking: bool,
    /// What arrived and was not read.
    unread: usize,
    /// What was sent does not fit into the peer's window.
    is_stuck: bool,
    has_sent_fin: bool,
    /// `close()` will reset.
    lingers_zero: bool,
    /// Drops whatever arrives.
    is_cut: bool,
    /// Closed, or ended by a reset or a timeout.
    is_over: bool,
}

/// The connections of a lesson, and what crossed since the last call was noted.
#[derive(Debug, Default)]
pub(super) struct Wire {
    ends: BTreeMap<Role, End>,
    /// The ends of what `socketpair()` made.
    pairs: BTreeMap<Role, Role>,
    crossed: Vec<Crossing>,
}

impl Wire {
    /// Returns what crossed since this was last asked.
    pub(super) fn take(&mut self) -> Vec<Crossing> {
        std::mem::take(&mut self.crossed)
    }

    /// Something crosses.
    pub(super) fn cross(&mut self, from: Role, to: Role, what: Packet) {
        self.crossed.push(Crossing { from, to, what, arrives: true });
    }

    /// Something does not get there.
    pub(super) fn lose(&mut self, from: Role, to: Role, what: Packet) {
        self.crossed.push(Crossing { from, to, what, arrives: false });
    }

    /// A client asks a listener: `is_answered`, or it goes on in the kernel.
    pub(super) fn connect(&mut self, client: Role, server: Role, is_answered: bool) {
        if self.ends.get(&client).is_some_and(|end| end.is_asking) {
            // The SYN went out before.
            return self.answer(client);
        }
        if is_answered {
            self.cross(client, server, Packet::Syn);
            self.cross(server, client, Packet::SynAck);
            self.cross(client, server, Packet::Ack);
        } else {
            self.lose(client, server, Packet::Syn);
        }
        for (role, peer) in [(client, server), (server, client)] {
            let end = End {
                peer,
                is_asking: role == client && !is_answered,
                unread: 0,
                is_stuck: false,
                has_sent_fin: false,
                lingers_zero: false,
                is_cut: false,
                is_over: false,
            };
            self.ends.insert(role, end);
        }
    }

    /// A connection that went on in the kernel is made.
    pub(super) fn answer(&mut self, client: Role) {
        if let Some(end) = self.ends.get_mut(&client) {
            end.is_asking = false;
        }
    }

    /// Two sockets were born connected.
    pub(super) fn pair(&mut self, one: Role, other: Role) {
        self.pairs.extend([(one, other), (other, one)]);
    }

    /// A descriptor is sent through one of such a pair.
    pub(super) fn descriptor(&mut self, through: Role) {
        if let Some(to) = self.pairs.get(&through) {
            self.cross(through, *to, Packet::Descriptor);
        }
    }

    /// Nobody listens there.
    pub(super) fn refuse(&mut self, client: Role, target: Role) {
        self.cross(client, target, Packet::Syn);
        self.cross(target, client, Packet::Rst);
    }

    /// So many bytes were given to the kernel; `all_fit`, or some are held back.
    pub(super) fn send(&mut self, role: Role, count: usize, all_fit: bool) {
        let Some(end) = self.ends.get_mut(&role) else { return };
        end.is_stuck |= !all_fit;
        let to = end.peer;
        match self.ends.get_mut(&to) {
            Some(peer) if peer.is_over => {
                self.cross(role, to, Packet::Data(count));
                self.reset(to, role);
            }
            Some(peer) if peer.is_cut => self.lose(role, to, Packet::Data(count)),
            Some(peer) => {
                peer.unread += count;
                self.cross(role, to, Packet::Data(count));
            }
            None => {}
        }
    }

    /// So many bytes were read.
    pub(super) fn receive(&mut self, role: Role, count: usize) {
        let Some(end) = self.ends.get_mut(&role) else { return };
        end.unread = end.unread.saturating_sub(count);
        let (from, is_empty) = (end.peer, end.unread == 0);
        if let Some(peer) = self.ends.get_mut(&from)
            && peer.is_stuck
            && is_empty
        {
            peer.is_stuck = false;
            let has_sent_fin = peer.has_sent_fin;
            self.cross(from, role, Packet::Rest);
            if has_sent_fin {
                self.cross(from, role, Packet::Fin);
            }
        }
    }

    /// A call was told that the connection was reset, or that the peer is silent.
    pub(super) fn fail(&mut self, role: Role, error: &str) {
        let Some(end) = self.ends.get_mut(&role) else { return };
        let peer = end.peer;
        match error {
            "ECONNRESET" => end.is_over = true,
            "ETIMEDOUT" => {
                end.is_over = true;
                self.lose(role, peer, Packet::Probes);
            }
            _ => {}
        }
    }

    /// Nothing more will be sent.
    pub(super) fn shutdown(&mut self, role: Role) {
        let Some(end) = self.ends.get_mut(&role) else { return };
        if end.has_sent_fin || end.is_over || end.is_asking {
            return;
        }
        end.has_sent_fin = true;
        let fin = Crossing { from: role, to: end.peer, what: Packet::Fin, arrives: !end.is_stuck };
        self.crossed.push(fin);
    }

    /// The descriptor is closed, and it was the last.
    pub(super) fn close(&mut self, role: Role) {
        let Some(end) = self.ends.get_mut(&role) else { return };
        let peer = end.peer;
        if !end.is_over && !end.is_asking && (end.lingers_zero || end.unread > 0) {
            self.reset(role, peer);
        } else {
            self.shutdown(role);
        }
        if let Some(end) = self.ends.get_mut(&role) {
            end.is_over = true;
        }
    }

    fn reset(&mut self, from: Role, to: Role) {
        self.cross(from, to, Packet::Rst);
        for role in [from, to] {
            if let Some(end) = self.ends.get_mut(&role) {
                end.is_over = true;
            }
        }
    }

    /// `close()` will reset.
    pub(super) fn linger_zero(&mut self, role: Role) {
        if let Some(end) = self.ends.get_mut(&role) {
            end.lingers_zero = true;
        }
    }

    /// Drops whatever arrives, or no more.
    pub(super) fn cut(&mut self, role: Role, is_cut: bool) {
        if let Some(end) = self.ends.get_mut(&role) {
            end.is_cut = is_cut;
        }
    }
}
