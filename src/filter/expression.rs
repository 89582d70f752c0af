//! What a filter is once parsed: a tree of tests on one row.
//!
//! Trees are built by the functions here only, which keep them in one form: lists are flat, neither
//! empty nor of one; so two filters that say the same in the same order are equal.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::glob::Glob;
use crate::process::Via;
use crate::socket::{Family, Protocol, Socket, SocketType};
use crate::state::TcpState;

/// A condition on one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// Every row.
    All,
    Not(Box<Self>),
    /// At least two, none of them `And` or `All`.
    And(Vec<Self>),
    /// At least two, none of them `Or`.
    Or(Vec<Self>),
    Test(Test),
}

impl Expression {
    pub(super) fn negate(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Returns what holds when all of these do; no condition at all holds always.
    pub(super) fn all(expressions: impl IntoIterator<Item = Self>) -> Self {
        let mut list = Vec::new();
        for expression in expressions {
            match expression {
                Self::All => {}
                Self::And(inner) => list.extend(inner),
                other @ (Self::Not(_) | Self::Or(_) | Self::Test(_)) => list.push(other),
            }
        }
        match list.len() {
            0 => Self::All,
            1 => list.remove(0),
            _ => Self::And(list),
        }
    }

    /// Returns what holds when one of these does; no condition at all holds never.
    pub(super) fn any(expressions: impl IntoIterator<Item = Self>) -> Self {
        let mut list = Vec::new();
        for expression in expressions {
            match expression {
                Self::Or(inner) => list.extend(inner),
                other @ (Self::All | Self::Not(_) | Self::And(_) | Self::Test(_)) => {
                    list.push(other);
                }
            }
        }
        match list.len() {
            0 => Self::All.negate(),
            1 => list.remove(0),
            _ => Self::Or(list),
        }
    }
}

impl Expression {
    /// Returns whether a row's owners can decide.
    pub(super) fn asks_for_owners(&self) -> bool {
        match self {
            Self::All => false,
            Self::Not(inner) => inner.asks_for_owners(),
            Self::And(list) | Self::Or(list) => list.iter().any(Self::asks_for_owners),
            Self::Test(test) => match test {
                Test::Number(key, _) => {
                    matches!(key, NumberKey::Pid | NumberKey::Ppid | NumberKey::Fd | NumberKey::Age)
                }
                Test::User(_)
                | Test::Command(_)
                | Test::Text(..)
                | Test::Owner(_)
                | Test::Via(_) => true,
                Test::Protocol(_)
                | Test::Family(_)
                | Test::Type(_)
                | Test::State(_)
                | Test::Server
                | Test::End(..)
                | Test::Netns(_)
                | Test::Device(_) => false,
            },
        }
    }
}

impl Expression {
    /// Returns whether a row's details can decide.
    pub(super) fn asks_for_details(&self) -> bool {
        match self {
            Self::Not(inner) => inner.asks_for_details(),
            Self::And(list) | Self::Or(list) => list.iter().any(Self::asks_for_details),
            Self::Test(Test::Number(NumberKey::Retrans | NumberKey::Drops, _)) => true,
            Self::All | Self::Test(_) => false,
        }
    }

    /// Returns whether the name of a user can decide.
    pub(super) fn asks_for_user_names(&self) -> bool {
        match self {
            Self::Not(inner) => inner.asks_for_user_names(),
            Self::And(list) | Self::Or(list) => list.iter().any(Self::asks_for_user_names),
            Self::Test(Test::User(_)) => true,
            Self::All | Self::Test(_) => false,
        }
    }

    /// Returns whether the details of processes can decide.
    pub(super) fn asks_for_process_details(&self) -> bool {
        match self {
            Self::Not(inner) => inner.asks_for_process_details(),
            Self::And(list) | Self::Or(list) => list.iter().any(Self::asks_for_process_details),
            Self::Test(Test::Text(..)) => true,
            Self::All | Self::Test(_) => false,
        }
    }
}

impl From<Test> for Expression {
    fn from(test: Test) -> Self {
        match test {
            Test::State(states) if states == StateSet::ALL => Self::All,
            Test::State(states) if states == StateSet::NONE => Self::All.negate(),
            Test::State(_)
            | Test::Protocol(_)
            | Test::Family(_)
            | Test::Type(_)
            | Test::Server
            | Test::End(..)
            | Test::Number(..)
            | Test::User(_)
            | Test::Command(_)
            | Test::Text(..)
            | Test::Netns(_)
            | Test::Device(_)
            | Test::Owner(_)
            | Test::Via(_) => Self::Test(test),
        }
    }
}

/// One test on one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Protocol(Protocol),
    Family(Family),
    Type(SocketType),
    /// Neither none nor all of them.
    State(StateSet),
    /// [`Socket::is_listening`].
    Server,
    /// One of the ends on this side fits.
    End(Side, End),
    /// A number is in the set: the row's, or one of its owners'.
    Number(NumberKey, Ranges),
    /// The socket or one of its owners belongs to this user.
    User(Named),
    /// An owner's command.
    Command(Glob),
    /// Something else that is known of an owner by name.
    Text(TextKey, Glob),
    /// The name of its network namespace.
    Netns(Glob),
    /// The device it is bound to.
    Device(Named),
    Owner(OwnerKind),
    /// An owner was found this way.
    Via(Via),
}

/// Which end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Local,
    Peer,
    Either,
}

/// What one end has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// An IP end with one of these ports.
    Port(Ranges),
    /// An IP end in this network, and with one of these ports if some are given.
    Host(Network, Option<Ranges>),
    /// A UNIX name: a path, or `@` and an abstract name. Case does not count, as in `ss(8)`.
    Unix(Glob),
}

/// A network, or one address, whose IPv4-mapped form is IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Network {
    /// Without host bits.
    pub(super) addresses: IpNet,
    /// The zone of a link-local address.
    pub(super) zone: Option<Named>,
}

/// Something with a name and, where it could be found out, a number: a user, an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: Glob,
    pub(super) number: Option<u32>,
}

/// What is known by name of who holds a socket, or of the control group it was made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKey {
    Exe,
    Cwd,
    Unit,
    Container,
    Cgroup,
}

impl TextKey {
    /// Every key.
    #[cfg(test)]
    pub(super) const ALL: [Self; 5] =
        [Self::Exe, Self::Cwd, Self::Unit, Self::Container, Self::Cgroup];

    /// Returns the key's first word.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Exe => "exe",
            Self::Cwd => "cwd",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Cgroup => "cgroup",
        }
    }
}

/// A number of a row or its owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberKey {
    Pid,
    Ppid,
    Fd,
    /// In seconds.
    Age,
    Uid,
    Inode,
    PeerInode,
    Cookie,
    Netns,
    RecvQ,
    SendQ,
    Backlog,
    Retrans,
    Drops,
}

impl NumberKey {
    /// Returns the key's first word.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pid => "pid",
            Self::Ppid => "ppid",
            Self::Fd => "fd",
            Self::Age => "age",
            Self::Uid => "uid",
            Self::Inode => "inode",
            Self::PeerInode => "peer_inode",
            Self::Cookie => "cookie",
            Self::Netns => "netns",
            Self::RecvQ => "recvq",
            Self::SendQ => "sendq",
            Self::Backlog => "backlog",
            Self::Retrans => "retrans",
            Self::Drops => "drops",
        }
    }

    /// Returns the largest number it can be.
    pub(super) const fn max(self) -> u64 {
        match self {
            Self::Pid
            | Self::Ppid
            | Self::Fd
            | Self::Uid
            | Self::RecvQ
            | Self::SendQ
            | Self::Backlog
            | Self::Retrans
            | Self::Drops => u32::MAX as u64,
            Self::Inode | Self::Cookie | Self::Netns | Self::PeerInode | Self::Age => u64::MAX,
        }
    }
}

/// Whose a socket is, without by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerKind {
    Held,
    Kernel,
    Hidden,
}

impl OwnerKind {
    pub(super) const ALL: [Self; 3] = [Self::Held, Self::Kernel, Self::Hidden];

    /// Returns the word for it: [`crate::process::Ownership::name`]'s.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Kernel => "kernel",
            Self::Hidden => "hidden",
        }
    }
}

/// A set of numbers: ranges in order that neither meet nor overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranges(Vec<RangeInclusive<u64>>);

impl Ranges {
    pub(super) fn new(ranges: impl IntoIterator<Item = RangeInclusive<u64>>) -> Self {
        let mut sorted: Vec<RangeInclusive<u64>> =
            ranges.into_iter().filter(|range| !range.is_empty()).collect();
        sorted.sort_by_key(|range| *range.start());
        let mut merged: Vec<RangeInclusive<u64>> = Vec::new();
        for range in sorted {
            match merged.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                Some(_) | None => merged.push(range),
            }
        }
        Self(merged)
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }

    pub(super) fn as_slice(&self) -> &[RangeInclusive<u64>] {
        &self.0
    }

    /// Returns the smallest range that holds them all; `None` when there is none.
    pub(super) fn hull(&self) -> Option<RangeInclusive<u64>> {
        Some(*self.0.first()?.start()..=*self.0.last()?.end())
    }
}

/// A set of states, over all protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StateSet(u16);

impl StateSet {
    /// No state.
    pub(super) const NONE: Self = Self(0);
    /// Every state, also those this version does not know.
    pub(super) const ALL: Self = Self(0b0010_1111_1111_1111);

    /// Returns the set of this state alone.
    pub(super) fn one(state: TcpState) -> Self {
        // Bits as in the kernel's mask; bit 0, of which it has no state, is for the unknown ones.
        let bit = if let TcpState::Other(_) = state { 0 } else { state.to_linux() };
        Self(1u16.checked_shl(bit.into()).unwrap_or(0))
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn complement(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }

    pub(super) fn contains(self, state: TcpState) -> bool {
        self.intersection(Self::one(state)) != Self::NONE
    }

    /// Returns true when states are in it that this version does not know.
    pub(super) const fn has_unknown(self) -> bool {
        self.0 & 1 != 0
    }

    /// Returns the known states in it, in the order rows are sorted.
    pub(super) fn known(self) -> impl Iterator<Item = TcpState> {
        TcpState::all().filter(move |state| self.contains(*state))
    }
}

impl FromIterator<TcpState> for StateSet {
    fn from_iter<I: IntoIterator<Item = TcpState>>(states: I) -> Self {
        states.into_iter().fold(Self::NONE, |set, state| set.union(Self::one(state)))
    }
}

/// Returns the state a socket counts as: its own, or where its protocol has none, what the kernel
/// itself calls it: `Established` when connected, else `Closed` (`ss(8)` ESTAB and UNCONN).
pub(super) fn state_of(socket: &Socket) -> TcpState {
    match (socket.state, &socket.peer) {
        (Some(state), _) => state,
        (None, Some(_)) => TcpState::Established,
        (None, None) => TcpState::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_of_all_states_holds_each_once() {
        let each: StateSet = TcpState::all().chain([TcpState::Other(42)]).collect();
        assert_eq!(each, StateSet::ALL);
        for state in TcpState::all() {
            assert_eq!(StateSet::one(state).known().collect::<Vec<_>>(), [state]);
            assert!(!StateSet::one(state).complement().contains(state), "{state}");
        }
    }

    #[test]
    fn ranges_are_sorted_and_merged() {
        let ranges = Ranges::new([443..=443, 80..=80, 81..=90, 85..=87]);
        assert_eq!(ranges.as_slice(), [80..=90, 443..=443]);
        assert_eq!(ranges.hull(), Some(80..=443));
        assert!(ranges.contains(86) && !ranges.contains(91));
    }

    #[test]
    fn lists_are_flat() {
        let tcp = Expression::from(Test::Protocol(Protocol::Tcp));
        assert_eq!(Expression::all([]), Expression::All);
        assert_eq!(Expression::any([]), Expression::All.negate());
        assert_eq!(Expression::all([Expression::All, tcp.clone()]), tcp);
        let two = Expression::all([tcp.clone(), tcp.clone()]);
        assert_eq!(Expression::all([two, tcp.clone()]), Expression::And(vec![tcp; 3]));
    }
}
