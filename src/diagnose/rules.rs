//! The rules by which Linux lets two sockets have one port, as data.
//!
//! Each table says what the kernel's code does, not what manuals say of it; the test `why_judge`
//! asks the kernel about more than ten thousand pairs. What depends on a fact that is not known is
//! unknown.

use std::net::IpAddr;

use crate::diagnose::facts::BindFacts;
use crate::options::SocketOptions;
use crate::process::Uid;
use crate::socket::{Cookie, Endpoint, Family, Interface, Protocol, Socket};
use crate::state::TcpState;

/// What a comparison says; `None` when a fact is missing.
pub(super) type Known = Option<bool>;

/// The socket that is to be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newcomer {
    pub(super) protocol: Protocol,
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) reuse_address: bool,
    pub(super) reuse_port: bool,
    pub(super) v6only: Known,
    pub(super) device: Option<Interface>,
    pub(super) uid: Option<Uid>,
}

/// What a socket's address covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// One IPv4 address, also as an IPv4-mapped one.
    V4,
    /// `0.0.0.0`.
    AnyV4,
    /// One IPv6 address.
    V6,
    /// `::` with IPV6_V6ONLY.
    AnyV6,
    /// `::` without it: IPv4 too.
    Dual,
}

/// Whether two places have an address in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meet {
    Always,
    SameAddress,
    Never,
}

/// Which places meet, whichever is bound first (`inet_rcv_saddr_equal`,
/// linux/net/ipv4/inet_connection_sock.c). Not said here: one IPv6 address of a socket that never was
/// bound to it, see [`overlaps`].
const MEETINGS: [(Place, [(Place, Meet); 5]); 5] = {
    use Meet::{Always, Never, SameAddress};
    use Place::{AnyV4, AnyV6, Dual, V4, V6};
    [
        (V4, [(V4, SameAddress), (AnyV4, Always), (V6, Never), (AnyV6, Never), (Dual, Always)]),
        (AnyV4, [(V4, Always), (AnyV4, Always), (V6, Never), (AnyV6, Never), (Dual, Always)]),
        (V6, [(V4, Never), (AnyV4, Never), (V6, SameAddress), (AnyV6, Always), (Dual, Always)]),
        (AnyV6, [(V4, Never), (AnyV4, Never), (V6, Always), (AnyV6, Always), (Dual, Always)]),
        (Dual, [(V4, Always), (AnyV4, Always), (V6, Always), (AnyV6, Always), (Dual, Always)]),
    ]
};

/// One way in which two sockets may share what they have in common.
struct Share {
    protocol: Protocol,
    /// The option that both must have set.
    option: ShareOption,
    /// What else must hold.
    condition: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShareOption {
    ReuseAddress,
    ReusePort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    None,
    /// The holder does not listen.
    NotListening,
    /// Both are of one user, by the user that made the socket; in TIME_WAIT nobody asks.
    SameUser,
}

/// How sockets share (`inet_bind_conflict`; `udp_lib_lport_inuse`). TCP's bind and its listen ask the
/// same, listen of a socket that counts as listening then.
const SHARES: [Share; 4] = [
    Share {
        protocol: Protocol::Tcp,
        option: ShareOption::ReuseAddress,
        condition: Condition::NotListening,
    },
    Share {
        protocol: Protocol::Tcp,
        option: ShareOption::ReusePort,
        condition: Condition::SameUser,
    },
    Share {
        protocol: Protocol::Udp,
        option: ShareOption::ReuseAddress,
        condition: Condition::None,
    },
    Share {
        protocol: Protocol::Udp,
        option: ShareOption::ReusePort,
        condition: Condition::SameUser,
    },
];

/// How one holder stands to the newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// They have nothing in common.
    Apart,
    /// They would have the same address and port, were they not bound to devices of their own.
    OtherDevice,
    /// They share.
    Shares,
    /// They share, and the kernel looks at no other holder then: UDP with SO_REUSEPORT.
    Admits,
    /// The holder is in the way.
    Blocks,
    /// That depends on what is not known of the holder.
    Unknown,
}

/// Returns how a holder stands to the newcomer.
pub(super) fn stand(newcomer: &Newcomer, holder: &Socket, facts: &BindFacts) -> Stand {
    if !holds_port(newcomer, holder) {
        return Stand::Apart;
    }
    let overlaps = overlaps(newcomer, holder, facts);
    if overlaps == Some(false) {
        return Stand::Apart;
    }
    let devices = devices_meet(newcomer, holder, facts);
    if devices == Some(false) {
        return Stand::OtherDevice;
    }
    let [by_address, by_port] = [ShareOption::ReuseAddress, ShareOption::ReusePort]
        .map(|option| shares(option, newcomer, holder, facts));
    match (or(by_address, by_port), and(overlaps, devices)) {
        (Some(true), _) if newcomer.protocol == Protocol::Tcp => Stand::Shares,
        (Some(true), _) if by_address == Some(true) => Stand::Shares,
        (Some(true), Some(_)) if by_address == Some(false) => Stand::Admits,
        (Some(false), Some(_)) => Stand::Blocks,
        (Some(_) | None, _) => Stand::Unknown,
    }
}

/// Returns whether the holder has the newcomer's port in the kernel's table of bound sockets. A
/// connection half open has none of its own yet: it lives in its listener.
pub(super) fn holds_port(newcomer: &Newcomer, holder: &Socket) -> bool {
    holder.protocol == newcomer.protocol
        && holder.local.as_ref().and_then(Endpoint::port) == Some(newcomer.port)
        && holder.state != Some(TcpState::SynRecv)
}

/// Returns whether the two addresses meet.
fn overlaps(newcomer: &Newcomer, holder: &Socket, facts: &BindFacts) -> Known {
    let their_address = holder.local.as_ref().and_then(Endpoint::address)?;
    let v6only = v6only(holder, facts);
    let ours = place(newcomer.address, newcomer.v6only);
    let their_place = place(their_address, v6only);
    // An IPv6 socket that was connected, not bound, passes for any IPv4 address, too: what it has in
    // place of one is LOOPBACK4_IPV6, and only IPV6_V6ONLY says that this counts for nothing.
    // Bound to one address it always has that option (__inet6_bind, linux/net/ipv6/af_inet6.c).
    if newcomer.address == IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)
        && their_place == Some(Place::V6)
        && holder.family == Family::Inet6
    {
        return match v6only {
            Some(v6only) => Some(!v6only),
            None if holder.state.map_or(holder.peer.is_none(), is_never_connected) => Some(false),
            None => None,
        };
    }
    let both = |ours, theirs| match meet(ours, theirs) {
        Meet::Always => true,
        Meet::Never => false,
        Meet::SameAddress => their_address.to_canonical() == newcomer.address.to_canonical(),
    };
    match (ours, their_place) {
        (Some(ours), Some(theirs)) => Some(both(ours, theirs)),
        // Whether `::` takes IPv4 may not matter.
        (Some(ours), None) => same(both(ours, Place::AnyV6), both(ours, Place::Dual)),
        (None, Some(theirs)) => same(both(Place::AnyV6, theirs), both(Place::Dual, theirs)),
        (None, None) => Some(true),
    }
}

/// Whether a socket in the state cannot have got its address by `connect` or `accept`.
const fn is_never_connected(state: TcpState) -> bool {
    matches!(state, TcpState::Listen | TcpState::Bound | TcpState::Closed)
}

/// Returns what an address covers; `None` when that is `::` and IPV6_V6ONLY is not known.
pub(super) fn place(address: IpAddr, v6only: Known) -> Option<Place> {
    Some(match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_unspecified() => Place::AnyV4,
        IpAddr::V4(_) => Place::V4,
        IpAddr::V6(v6) if !v6.is_unspecified() => Place::V6,
        IpAddr::V6(_) if v6only? => Place::AnyV6,
        IpAddr::V6(_) => Place::Dual,
    })
}

fn meet(ours: Place, theirs: Place) -> Meet {
    MEETINGS
        .iter()
        .filter(|(place, _)| *place == ours)
        .flat_map(|(_, meetings)| meetings)
        .find(|(place, _)| *place == theirs)
        .map_or(Meet::Always, |(_, meet)| *meet)
}

/// Returns whether the two may get packets of one device. TCP moreover keeps the ports of each VRF
/// apart, unless `net.ipv4.tcp_l3mdev_accept` is set (`inet_bind_bucket_match`,
/// linux/net/ipv4/inet_hashtables.c).
fn devices_meet(newcomer: &Newcomer, holder: &Socket, facts: &BindFacts) -> Known {
    let (ours, theirs) = (newcomer.device.as_ref(), holder.rare.interface.as_deref());
    let index = |device: Option<&Interface>| device.map(|device| device.index);
    if index(ours) == index(theirs) {
        return Some(true);
    }
    if ours.is_some() && theirs.is_some() {
        return Some(false);
    }
    if newcomer.protocol != Protocol::Tcp || facts.tcp_l3mdev_accept == Some(true) {
        return Some(true);
    }
    // One of the two has a device, the other none.
    let device = index(ours).or(index(theirs))?;
    let is_in_vrf = facts.vrfs.as_ref()?.contains_key(&device);
    match (is_in_vrf, facts.tcp_l3mdev_accept) {
        (false, _) => Some(true),
        (true, accept) => accept,
    }
}

/// Returns whether the two share what they have in common because both have this option.
fn shares(option: ShareOption, newcomer: &Newcomer, holder: &Socket, facts: &BindFacts) -> Known {
    let share = SHARES
        .iter()
        .find(|share| share.protocol == newcomer.protocol && share.option == option)?;
    let (ours, theirs) = match option {
        ShareOption::ReuseAddress => {
            (newcomer.reuse_address, holder_option(holder, facts, |options| options.reuse_address))
        }
        ShareOption::ReusePort => {
            (newcomer.reuse_port, holder_option(holder, facts, |options| options.reuse_port))
        }
    };
    let condition = match share.condition {
        Condition::None => Some(true),
        Condition::NotListening => Some(holder.state != Some(TcpState::Listen)),
        Condition::SameUser => is_same_user(newcomer, holder),
    };
    and(and(Some(ours), theirs), condition)
}

/// Returns whether a holder may be one that the kernel remembers for such newcomers: it has
/// SO_REUSEPORT, is of the same user, and its address covers the newcomer's, whatever its device.
pub(super) fn covers(newcomer: &Newcomer, holder: &Socket, facts: &BindFacts) -> bool {
    holds_port(newcomer, holder)
        && overlaps(newcomer, holder, facts) != Some(false)
        && holder_option(holder, facts, |options| options.reuse_port) != Some(false)
        && is_same_user(newcomer, holder) != Some(false)
}

/// Returns a holder as it came; what is not known of it as what would let it in.
pub(super) fn as_newcomer(holder: &Socket, facts: &BindFacts) -> Option<Newcomer> {
    let local = holder.local.as_ref()?;
    let is_on = |option: Known| option != Some(false);
    Some(Newcomer {
        protocol: holder.protocol,
        address: local.address()?,
        port: local.port()?,
        reuse_address: is_on(holder_option(holder, facts, |options| options.reuse_address)),
        reuse_port: is_on(holder_option(holder, facts, |options| options.reuse_port)),
        v6only: v6only(holder, facts),
        device: holder.rare.interface.as_deref().cloned(),
        uid: holder.uid,
    })
}

fn is_same_user(newcomer: &Newcomer, holder: &Socket) -> Known {
    if holder.state == Some(TcpState::TimeWait) {
        return Some(true);
    }
    Some(newcomer.uid? == holder.uid?)
}

/// Returns an option of a holder, where it is known.
pub(super) fn holder_option(
    holder: &Socket,
    facts: &BindFacts,
    which: impl Fn(&SocketOptions) -> Option<bool>,
) -> Known {
    let cookie: Cookie = holder.cookie?;
    which(facts.options.get(&cookie)?)
}

pub(super) fn v6only(holder: &Socket, facts: &BindFacts) -> Known {
    holder.v6only.or_else(|| holder_option(holder, facts, |options| options.v6only))
}

/// Three-valued "and": a false decides, whatever the other is.
fn and(one: Known, other: Known) -> Known {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    }
}

/// Three-valued "or": a true decides.
fn or(one: Known, other: Known) -> Known {
    and(one.map(|one| !one), other.map(|other| !other)).map(|neither| !neither)
}

fn same(one: bool, other: bool) -> Known {
    (one == other).then_some(one)
}
