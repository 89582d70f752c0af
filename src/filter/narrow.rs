//! What a backend may skip because the filter would drop it anyway.
//!
//! Computed as the set of sockets a filter *may* accept, along four axes: protocol, family, state,
//! port. A test on anything else accepts, as far as this goes, everything. The set is never too
//! small, so the answer is the same with it.

use std::ops::RangeInclusive;
use std::slice;

use super::expression::{End, Expression, NumberKey, Side, StateSet, Test};
use crate::platform::{NetnsWish, PortWish, Request};
use crate::socket::{Family, Protocol};
use crate::state::TcpState;

/// A set of sockets: those that lie within it on every axis.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reach {
    protocols: Vec<Protocol>,
    families: Vec<Family>,
    states: StateSet,
    /// Any when absent.
    ports: Option<(Side, RangeInclusive<u16>)>,
}

impl Reach {
    fn everything() -> Self {
        Self {
            protocols: Protocol::ALL.to_vec(),
            families: Family::ALL.to_vec(),
            states: StateSet::ALL,
            ports: None,
        }
    }

    fn nothing() -> Self {
        Self { protocols: Vec::new(), families: Vec::new(), states: StateSet::NONE, ports: None }
    }

    fn is_empty(&self) -> bool {
        self.protocols.is_empty() || self.families.is_empty() || self.states == StateSet::NONE
    }

    fn intersection(mut self, other: Self) -> Self {
        self.protocols.retain(|protocol| other.protocols.contains(protocol));
        self.families.retain(|family| other.families.contains(family));
        self.states = self.states.intersection(other.states);
        // A request has room for one wish; either of the two is wide enough, so the narrower.
        self.ports = match (self.ports, other.ports) {
            (Some(one), Some(two)) => Some(if two.1.len() < one.1.len() { two } else { one }),
            (one, two) => one.or(two),
        };
        self
    }

    fn union(mut self, mut other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        other.protocols.retain(|protocol| !self.protocols.contains(protocol));
        self.protocols.append(&mut other.protocols);
        other.families.retain(|family| !self.families.contains(family));
        self.families.append(&mut other.families);
        self.states = self.states.union(other.states);
        self.ports = self.ports.zip(other.ports).map(|((side, one), (other_side, two))| {
            let side = if side == other_side { side } else { Side::Either };
            (side, *one.start().min(two.start())..=*one.end().max(two.end()))
        });
        self
    }
}

/// Returns what the expression, or its negation, may accept.
fn reach(expression: &Expression, negated: bool) -> Reach {
    let each = |list: &[Expression], union: bool| {
        let parts = list.iter().map(|expression| reach(expression, negated));
        if union {
            parts.fold(Reach::nothing(), Reach::union)
        } else {
            parts.fold(Reach::everything(), Reach::intersection)
        }
    };
    match expression {
        Expression::All if negated => Reach::nothing(),
        Expression::All => Reach::everything(),
        Expression::Not(inner) => reach(inner, !negated),
        // De Morgan: not (a and b) is not a, or not b.
        Expression::And(list) => each(list, negated),
        Expression::Or(list) => each(list, !negated),
        Expression::Test(test) => reach_of_test(test, negated),
    }
}

fn reach_of_test(test: &Test, negated: bool) -> Reach {
    let mut reach = Reach::everything();
    match test {
        Test::Protocol(wanted) => {
            reach.protocols.retain(|protocol| (protocol == wanted) != negated);
        }
        Test::Family(wanted) => reach.families.retain(|family| (family == wanted) != negated),
        Test::State(states) if negated => reach.states = states.complement(),
        Test::State(states) => reach.states = *states,
        // A listener, or without state and unconnected, which counts as closed.
        Test::Server if !negated => {
            reach.states = [TcpState::Listen, TcpState::Closed].into_iter().collect();
        }
        Test::End(side, End::Port(ports) | End::Host(_, Some(ports))) if !negated => {
            reach.families.retain(|family| family.is_ip());
            reach.ports = ports.hull().and_then(|hull| {
                let (low, high) = hull.into_inner();
                Some((*side, u16::try_from(low).ok()?..=u16::try_from(high).ok()?))
            });
        }
        Test::End(_, End::Unix(_)) if !negated => reach.families = vec![Family::Unix],
        Test::Server
        | Test::Type(_)
        | Test::End(..)
        | Test::Number(..)
        | Test::User(_)
        | Test::Command(_)
        | Test::Text(..)
        | Test::Netns(_)
        | Test::Device(_)
        | Test::Owner(_)
        | Test::Via(_) => {}
    }
    reach
}

/// Takes from the request what the expression cannot accept.
pub(super) fn narrow(expression: &Expression, request: &mut Request) {
    let Reach { protocols, families, states, ports } = reach(expression, false);
    request.protocols.retain(|protocol| protocols.contains(protocol));
    request.families.retain(|family| families.contains(family));
    if !states.has_unknown() {
        // A set of unknown states cannot be asked for, so it is left out only when not wanted.
        let states = states.known();
        request.states = Some(match request.states.take() {
            Some(wanted) => states.filter(|state| wanted.contains(state)).collect(),
            None => states.collect(),
        });
    }
    if let (None, Some((side, range))) = (&request.ports, ports) {
        request.ports = Some(match side {
            Side::Local => PortWish::Local(range),
            Side::Peer => PortWish::Peer(range),
            Side::Either => PortWish::Either(range),
        });
    }
}

/// Adds to the request what the plain listing leaves out but the expression needs: protocols,
/// families and namespaces that it names, and details.
pub(super) fn widen(expression: &Expression, request: &mut Request) {
    request.details |= expression.asks_for_details();
    match expression {
        Expression::All | Expression::Not(_) => {}
        Expression::And(list) | Expression::Or(list) => {
            for expression in list {
                widen(expression, request);
            }
        }
        Expression::Test(test) => {
            let protocols: &[Protocol] = match test {
                Test::Protocol(protocol) => slice::from_ref(protocol),
                Test::Family(Family::Unix)
                | Test::End(_, End::Unix(_))
                | Test::Number(NumberKey::PeerInode, _) => &[Protocol::Unix],
                Test::Family(Family::Packet) => &[Protocol::Packet],
                Test::Family(Family::Netlink) => &[Protocol::Netlink],
                Test::Family(Family::Vsock) => &[Protocol::Vsock],
                Test::Family(Family::Xdp) => &[Protocol::Xdp],
                Test::Family(Family::Other) => &[Protocol::Other],
                Test::Type(_) => &[Protocol::Unix, Protocol::Packet, Protocol::Netlink],
                Test::Netns(_) | Test::Number(NumberKey::Netns, _) => {
                    request.netns = NetnsWish::All;
                    return;
                }
                Test::Family(Family::Inet | Family::Inet6)
                | Test::State(_)
                | Test::Server
                | Test::End(..)
                | Test::Number(..)
                | Test::User(_)
                | Test::Command(_)
                | Test::Text(..)
                | Test::Device(_)
                | Test::Owner(_)
                | Test::Via(_) => return,
            };
            for protocol in protocols {
                if !request.protocols.contains(protocol) {
                    request.protocols.push(*protocol);
                }
                for family in protocol.families() {
                    if !request.families.contains(family) {
                        request.families.push(*family);
                    }
                }
            }
        }
    }
}
