//! What decides a bind beside the sockets, on macOS and FreeBSD: their settings, by `sysctl(3)`.
//!
//! The addresses of the interfaces are not read: whether an address is this machine's is left to the probe.

use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::fields::Fields;
use crate::diagnose::BindFacts;
use crate::process::Uid;
use crate::snapshot::{Gap, Missing};

/// `IPPORT_RESERVED` (netinet/in.h), which macOS has no setting for.
const RESERVED: u16 = 1024;

/// What may be asked.
pub(in crate::platform) struct Asked<'a> {
    /// Reads a setting by its name.
    pub(in crate::platform) setting: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    /// Who binds.
    pub(in crate::platform) uid: Uid,
}

/// Gathers the facts of macOS. Its wildcards serve IPv4 too (`ip6(4)`).
#[cfg_attr(not(any(test, target_os = "macos")), expect(dead_code, reason = "only there"))]
pub(in crate::platform) fn of_macos(asked: &Asked<'_>) -> BindFacts {
    BindFacts { unprivileged_port_start: Some(RESERVED), bindv6only: Some(false), ..asked.common() }
}

/// Gathers the facts of FreeBSD.
#[cfg_attr(not(any(test, target_os = "freebsd")), expect(dead_code, reason = "only there"))]
pub(in crate::platform) fn of_freebsd(asked: &Asked<'_>) -> BindFacts {
    let mut facts = asked.common();
    let highest = asked.port("net.inet.ip.portrange.reservedhigh", &mut facts.gaps);
    let v6only = asked.number("net.inet6.ip6.v6only", &mut facts.gaps);
    facts.unprivileged_port_start = highest.map(|highest| highest.saturating_add(1));
    facts.bindv6only = v6only.map(|v6only| v6only != 0);
    facts
}

impl Asked<'_> {
    fn common(&self) -> BindFacts {
        let mut gaps = Vec::new();
        let first = self.port("net.inet.ip.portrange.first", &mut gaps);
        let last = self.port("net.inet.ip.portrange.last", &mut gaps);
        // Counted down where the first is the higher one.
        let range =
            |(first, last): (u16, u16)| RangeInclusive::new(first.min(last), first.max(last));
        let msl = self.number("net.inet.tcp.msl", &mut gaps);
        BindFacts {
            may_bind_privileged: Some(self.uid == Uid(0)),
            ephemeral: first.zip(last).map(range),
            time_wait: msl.map(|msl| Duration::from_millis(2 * u64::from(msl))),
            uid: Some(self.uid),
            gaps,
            ..BindFacts::default()
        }
    }

    fn port(&self, name: &str, gaps: &mut Vec<Gap>) -> Option<u16> {
        self.number(name, gaps).and_then(|number| u16::try_from(number).ok())
    }

    /// Reads an `int`.
    fn number(&self, name: &str, gaps: &mut Vec<Gap>) -> Option<u32> {
        let number = match (self.setting)(name) {
            Ok(bytes) => Fields(&bytes).u32(0).ok_or_else(|| "it is no number".to_owned()),
            Err(error) => Err(crate::error::cause(&error)),
        };
        number.map_err(|why| gaps.push(Gap::new(Missing::BindFacts, why).detail(name))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str) -> io::Result<Vec<u8>> {
        let value: i32 = match name {
            "net.inet.ip.portrange.first" => 49152,
            "net.inet.ip.portrange.last" => 65535,
            "net.inet.ip.portrange.reservedhigh" => 1023,
            "net.inet.tcp.msl" => 15_000,
            "net.inet6.ip6.v6only" => 1,
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(value.to_ne_bytes().to_vec())
    }

    #[test]
    fn the_settings_are_what_the_kernel_says() {
        let asked = Asked { setting: &setting, uid: Uid(501) };
        let facts = of_freebsd(&asked);
        assert_eq!(facts.ephemeral, Some(49152..=65535));
        assert_eq!(facts.time_wait, Some(Duration::from_secs(30)));
        assert_eq!((facts.unprivileged_port_start, facts.bindv6only), (Some(1024), Some(true)));
        assert_eq!((facts.uid, facts.may_bind_privileged), (Some(Uid(501)), Some(false)));
        assert_eq!(facts.gaps, []);
        let facts = of_macos(&Asked { uid: Uid(0), ..asked });
        assert_eq!((facts.bindv6only, facts.may_bind_privileged), (Some(false), Some(true)));
    }

    #[test]
    fn what_cannot_be_read_is_absent_and_said() {
        let refused = |_: &str| Err(io::ErrorKind::PermissionDenied.into());
        let facts = of_freebsd(&Asked { setting: &refused, uid: Uid(501) });
        assert_eq!((facts.ephemeral, facts.unprivileged_port_start), (None, None));
        assert_eq!(facts.gaps.len(), 5);
        let short = |_: &str| Ok(vec![1]);
        assert_eq!(of_macos(&Asked { setting: &short, uid: Uid(501) }).gaps.len(), 3);
    }
}
