//! The rules by which macOS and FreeBSD let two sockets have one port, as data: what `in_pcbbind` and
//! `in6_pcbbind` do (bsd/netinet/in_pcb.c and bsd/netinet6/in6_pcb.c of xnu, at its commit 0f4c859;
//! sys/netinet/in_pcb.c and sys/netinet6/in6_pcb.c of FreeBSD 14).
//!
//! They are judged by these sources alone: no such kernel was asked. What differs from Linux:
//! SO_REUSEADDR on the newcomer alone lets it in beside a wildcard, a connection or TIME_WAIT; exactly
//! one address takes SO_REUSEPORT on both; listen asks nothing more; and a socket of another user is a
//! guard of its own.

use crate::diagnose::facts::BindFacts;
use crate::diagnose::rules::{
    Known, Newcomer, Place, Stand, holder_option, holds_port, place, v6only,
};
use crate::process::Uid;
use crate::socket::{Endpoint, Family, Protocol, Socket};

/// Which of the two kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnose) enum Kernel {
    MacOs,
    FreeBsd,
}

/// How the kernel meets the holder when it looks for the newcomer's address (`in_pcblookup_local`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meet {
    /// It has that very address.
    Exact,
    /// One of the two is a wildcard that covers the other.
    Wild,
    /// Exact, when the addresses are the same.
    SameAddress,
    /// It is found, and let be: each gets what is of its own family.
    Beside,
    Never,
}

/// What is found: ours, then theirs. Not the same both ways: a newcomer on `::` is let in beside one on
/// 0.0.0.0 (`SOCK_DOM(so) == SOCK_DOM(t->inp_socket)`, `INP_IPV6PROTO`), a newcomer on 0.0.0.0 beside one
/// on `::` is not.
const MEETINGS: [(Place, [(Place, Meet); 5]); 5] = {
    use Meet::{Beside, Exact, Never, SameAddress, Wild};
    use Place::{AnyV4, AnyV6, Dual, V4, V6};
    [
        (V4, [(V4, SameAddress), (AnyV4, Wild), (V6, Never), (AnyV6, Never), (Dual, Wild)]),
        (AnyV4, [(V4, Wild), (AnyV4, Exact), (V6, Never), (AnyV6, Never), (Dual, Exact)]),
        (V6, [(V4, Never), (AnyV4, Never), (V6, SameAddress), (AnyV6, Wild), (Dual, Wild)]),
        (AnyV6, [(V4, Never), (AnyV4, Never), (V6, Wild), (AnyV6, Exact), (Dual, Exact)]),
        (Dual, [(V4, Wild), (AnyV4, Beside), (V6, Wild), (AnyV6, Exact), (Dual, Exact)]),
    ]
};

/// How a holder is met, all told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Unconnected, with the very address.
    Exact,
    /// By a wildcard, or connected.
    Loose,
    /// By a wildcard of the other family.
    Beside,
    /// Not at all.
    Not,
}

/// Which option, of the newcomer or the holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    ReuseAddress,
    ReusePort,
}

/// One way in which a holder lets a newcomer in.
struct Rule {
    found: Found,
    /// Which options the newcomer must have: any of these, or whatever it has.
    ours: &'static [Share],
    /// Which the holder must have, likewise.
    theirs: &'static [Share],
}

/// What shares (`wild` and `reuseport` in both kernels).
const SHARES: [Rule; 3] = [
    Rule { found: Found::Exact, ours: &[Share::ReusePort], theirs: &[Share::ReusePort] },
    Rule { found: Found::Loose, ours: &[Share::ReuseAddress, Share::ReusePort], theirs: &[] },
    Rule { found: Found::Beside, ours: &[], theirs: &[] },
];

/// Returns how a holder stands to the newcomer.
pub(super) fn stand(
    kernel: Kernel,
    newcomer: &Newcomer,
    holder: &Socket,
    facts: &BindFacts,
) -> Stand {
    if !holds_port(newcomer, holder) {
        return Stand::Apart;
    }
    let found = match meet(newcomer, holder, facts) {
        None => return Stand::Unknown,
        Some(Found::Not) => return Stand::Apart,
        Some(found) => found,
    };
    match (
        is_guarded(kernel, newcomer, holder, found, facts),
        shares(newcomer, holder, found, facts),
    ) {
        (Some(true), _) | (_, Some(false)) => Stand::Blocks,
        (Some(false), Some(true)) => Stand::Shares,
        (None, _) | (_, None) => Stand::Unknown,
    }
}

/// Returns whether a holder keeps the newcomer out only because it is another user's. The kernel asks this
/// of the holder that fits best, and nobody is told which that is.
pub(super) fn only_guards(
    kernel: Kernel,
    newcomer: &Newcomer,
    holder: &Socket,
    facts: &BindFacts,
) -> bool {
    let Some(found) = meet(newcomer, holder, facts) else { return false };
    shares(newcomer, holder, found, facts) == Some(true)
        && is_guarded(kernel, newcomer, holder, found, facts) == Some(true)
}

fn shares(newcomer: &Newcomer, holder: &Socket, found: Found, facts: &BindFacts) -> Known {
    let Rule { ours, theirs, .. } = SHARES.iter().find(|rule| rule.found == found)?;
    let has = |option: &Share| match option {
        Share::ReuseAddress => newcomer.reuse_address,
        Share::ReusePort => newcomer.reuse_port,
    };
    if !ours.is_empty() && !ours.iter().any(has) {
        return Some(false);
    }
    let has = |option: &Share| {
        holder_option(holder, facts, |options| match option {
            Share::ReuseAddress => options.reuse_address,
            Share::ReusePort => options.reuse_port,
        })
    };
    theirs.first().map_or(Some(true), has)
}

/// Returns how the holder is found; `None` when that depends on an option that is not known.
fn meet(newcomer: &Newcomer, holder: &Socket, facts: &BindFacts) -> Option<Found> {
    let theirs = holder.local.as_ref().and_then(Endpoint::address)?;
    let their_v6only = v6only(holder, facts);
    let found = |assumed: bool| {
        let ours = place(newcomer.address, newcomer.v6only.or(Some(assumed)))?;
        let theirs_place = place(theirs, their_v6only.or(Some(assumed)))?;
        let (_, meetings) = MEETINGS.iter().find(|(place, _)| *place == ours)?;
        let (_, meet) = meetings.iter().find(|(place, _)| *place == theirs_place)?;
        let is_connected = holder.peer.is_some();
        Some(match meet {
            Meet::Never => Found::Not,
            Meet::SameAddress if theirs.to_canonical() != newcomer.address.to_canonical() => {
                Found::Not
            }
            Meet::Beside => Found::Beside,
            Meet::Exact | Meet::SameAddress if !is_connected => Found::Exact,
            Meet::Exact | Meet::SameAddress | Meet::Wild => Found::Loose,
        })
    };
    found(true).filter(|one| found(false) == Some(*one))
}

/// Returns whether the guard against others' sockets keeps the newcomer out, whatever its options: nobody
/// but root may take from another user a part of a port that that one has.
fn is_guarded(
    kernel: Kernel,
    newcomer: &Newcomer,
    holder: &Socket,
    found: Found,
    facts: &BindFacts,
) -> Known {
    if newcomer.uid == Some(Uid(0)) {
        return Some(false);
    }
    let theirs = holder.local.as_ref().and_then(Endpoint::canonical_address);
    let both_any =
        newcomer.address.is_unspecified() && theirs.is_some_and(|theirs| theirs.is_unspecified());
    let is_v4 = newcomer.address.is_ipv4() || holder.family == Family::Inet;
    let reuse_port = || holder_option(holder, facts, |options| options.reuse_port);
    let exempt = match kernel {
        // What is connected is no concern of a newcomer that will listen.
        Kernel::FreeBsd if newcomer.protocol == Protocol::Tcp && holder.peer.is_some() => {
            Some(true)
        }
        // Two wildcards: 13 lets SO_REUSEPORT of the holder pass, 14 does not.
        Kernel::FreeBsd if both_any && found == Found::Exact => match reuse_port() {
            Some(false) => Some(false),
            Some(true) | None => None,
        },
        Kernel::MacOs if both_any && is_v4 => Some(true),
        // So does SO_REUSEPORT of the holder where `::` looks for one of IPv4, or for another `::`.
        Kernel::MacOs if both_any => reuse_port(),
        Kernel::MacOs
            if newcomer.address.is_unspecified() && is_v4 && !newcomer.address.is_ipv4() =>
        {
            reuse_port()
        }
        Kernel::FreeBsd | Kernel::MacOs => Some(false),
    };
    match (newcomer.uid.zip(holder.uid).map(|(ours, theirs)| ours == theirs), exempt) {
        (Some(true), _) | (_, Some(true)) => Some(false),
        (Some(false), Some(false)) => Some(true),
        (None, _) | (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketOptions;
    use crate::socket::{Cookie, SocketId};
    use crate::state::TcpState;

    /// The options of a holder that has this set.
    fn facts(reuse_port: bool) -> BindFacts {
        let options = SocketOptions { reuse_port: Some(reuse_port), ..SocketOptions::default() };
        BindFacts { options: [(Cookie(1), options)].into(), ..BindFacts::default() }
    }

    fn end(address: &str) -> Endpoint {
        std::net::SocketAddr::new(address.parse().unwrap(), 80).into()
    }

    /// A listener; `::` takes IPv4 unless it is written `::6`.
    fn holder(address: &str) -> Socket {
        let (address, v6only) = if address == "::6" { ("::", true) } else { (address, false) };
        let is_v6 = address.contains(':');
        let family = if is_v6 { Family::Inet6 } else { Family::Inet };
        let mut holder = Socket::new(SocketId(1), Protocol::Tcp, family);
        holder.local = Some(end(address));
        holder.state = Some(TcpState::Listen);
        holder.cookie = Some(Cookie(1));
        holder.uid = Some(Uid(501));
        holder.v6only = is_v6.then_some(v6only);
        holder
    }

    fn newcomer(address: &str, reuse_address: bool, reuse_port: bool) -> Newcomer {
        let (address, v6only) = if address == "::6" { ("::", true) } else { (address, false) };
        Newcomer {
            protocol: Protocol::Tcp,
            address: address.parse().unwrap(),
            port: 80,
            reuse_address,
            reuse_port,
            v6only: Some(v6only),
            device: None,
            uid: Some(Uid(501)),
        }
    }

    const BOTH: [Kernel; 2] = [Kernel::MacOs, Kernel::FreeBsd];

    #[test]
    fn which_addresses_meet() {
        use Stand::{Apart, Blocks, Shares};
        // Plain, and with SO_REUSEADDR on the newcomer alone.
        for (ours, theirs, plain, reusing) in [
            ("127.0.0.1", "127.0.0.1", Blocks, Blocks),
            ("127.0.0.1", "10.0.0.1", Apart, Apart),
            ("127.0.0.1", "0.0.0.0", Blocks, Shares),
            ("0.0.0.0", "127.0.0.1", Blocks, Shares),
            ("0.0.0.0", "0.0.0.0", Blocks, Blocks),
            ("127.0.0.1", "::", Blocks, Shares),
            ("127.0.0.1", "::6", Apart, Apart),
            ("127.0.0.1", "::1", Apart, Apart),
            ("0.0.0.0", "::", Blocks, Blocks),
            ("::", "0.0.0.0", Shares, Shares),
            ("::", "127.0.0.1", Blocks, Shares),
            ("::", "::", Blocks, Blocks),
            ("::6", "::", Blocks, Blocks),
            ("::", "::6", Blocks, Blocks),
            ("::1", "::", Blocks, Shares),
            ("::1", "::6", Blocks, Shares),
            ("::1", "::1", Blocks, Blocks),
            ("::1", "0.0.0.0", Apart, Apart),
            ("::6", "0.0.0.0", Apart, Apart),
        ] {
            for kernel in BOTH {
                let stand = |reuse| {
                    stand(kernel, &newcomer(ours, reuse, false), &holder(theirs), &facts(false))
                };
                assert_eq!((stand(false), stand(true)), (plain, reusing), "{ours} on {theirs}");
            }
        }
    }

    #[test]
    fn one_address_takes_the_option_on_both() {
        for (ours, theirs, expected) in [
            (true, true, Stand::Shares),
            (true, false, Stand::Blocks),
            (false, true, Stand::Blocks),
        ] {
            let newcomer = newcomer("0.0.0.0", true, ours);
            let stand = stand(Kernel::MacOs, &newcomer, &holder("0.0.0.0"), &facts(theirs));
            assert_eq!(stand, expected);
        }
        let newcomer = newcomer("0.0.0.0", false, true);
        let unknown = BindFacts::default();
        assert_eq!(stand(Kernel::MacOs, &newcomer, &holder("0.0.0.0"), &unknown), Stand::Unknown);
    }

    #[test]
    fn connections_and_what_is_over_are_in_the_way_only_of_the_plain() {
        let mut left = holder("127.0.0.1");
        left.peer = Some(end("127.0.0.2"));
        for state in [TcpState::TimeWait, TcpState::FinWait2, TcpState::Established] {
            left.state = Some(state);
            for kernel in BOTH {
                let stand = |reuse| {
                    let newcomer = newcomer("127.0.0.1", reuse, false);
                    stand(kernel, &newcomer, &left, &BindFacts::default())
                };
                assert_eq!((stand(false), stand(true)), (Stand::Blocks, Stand::Shares));
            }
        }
        // macOS asks whose it was, and a connection that is over may not say.
        left.uid = None;
        let newcomer = newcomer("127.0.0.1", true, false);
        let stand = |kernel| stand(kernel, &newcomer, &left, &BindFacts::default());
        assert_eq!(BOTH.map(stand), [Stand::Unknown, Stand::Shares]);
    }

    #[test]
    fn another_users_socket_is_guarded_and_root_passes() {
        let stand = |kernel, ours: &str, theirs: &str, uid| {
            let newcomer = Newcomer { uid: Some(Uid(uid)), ..newcomer(ours, true, true) };
            let stand = stand(kernel, &newcomer, &holder(theirs), &facts(true));
            let guards = only_guards(kernel, &newcomer, &holder(theirs), &facts(true));
            assert_eq!(guards, stand == Stand::Blocks, "{kernel:?}: {ours} on {theirs}");
            stand
        };
        for kernel in BOTH {
            assert_eq!(stand(kernel, "127.0.0.1", "0.0.0.0", 502), Stand::Blocks);
            assert_eq!(stand(kernel, "127.0.0.1", "0.0.0.0", 501), Stand::Shares);
            assert_eq!(stand(kernel, "127.0.0.1", "0.0.0.0", 0), Stand::Shares);
        }
        assert_eq!(stand(Kernel::MacOs, "0.0.0.0", "0.0.0.0", 502), Stand::Shares);
        assert_eq!(stand(Kernel::MacOs, "::", "::", 502), Stand::Shares);
        assert_eq!(stand(Kernel::FreeBsd, "0.0.0.0", "0.0.0.0", 502), Stand::Unknown);
        assert_eq!(stand(Kernel::MacOs, "::", "0.0.0.0", 502), Stand::Shares);
        assert_eq!(stand(Kernel::FreeBsd, "::", "0.0.0.0", 502), Stand::Blocks);
    }

    #[test]
    fn whether_a_wildcard_takes_ipv4_matters_only_where_it_does() {
        let mut unknown = holder("::");
        unknown.v6only = None;
        let stand = |ours| {
            let newcomer = newcomer(ours, false, false);
            stand(Kernel::MacOs, &newcomer, &unknown, &facts(false))
        };
        assert_eq!(stand("::1"), Stand::Blocks);
        assert_eq!(stand("127.0.0.1"), Stand::Unknown);
    }

    #[test]
    fn another_port_is_apart() {
        let other = Newcomer { port: 81, ..newcomer("0.0.0.0", false, false) };
        assert_eq!(stand(Kernel::MacOs, &other, &holder("0.0.0.0"), &facts(false)), Stand::Apart);
    }
}
