//! Whose rules count: those of the kernel that a snapshot was taken from.

use std::ops::RangeInclusive;

use crate::diagnose::bsd::{self, Kernel};
use crate::diagnose::facts::BindFacts;
use crate::diagnose::rules::{self, Newcomer, Stand};
use crate::diagnose::windows;
use crate::snapshot::{Entry, Snapshot};

/// A kernel, by the rules it has for a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// Its rules are judged by the kernel itself, in the test `why_judge`.
    Linux,
    /// Judged by the kernels' sources: [`bsd::rules`].
    Bsd(Kernel),
    /// Judged by Microsoft's documents, and by Wine where that is faithful: [`windows`].
    Windows,
    /// Wine's, and those of systems that nothing is known of here.
    Other,
}

impl System {
    /// Returns the one that the snapshot is of.
    pub(super) fn of(snapshot: &Snapshot, facts: &BindFacts) -> Self {
        match (&facts.windows, snapshot.platform.as_str()) {
            (Some(windows), _) if windows.is_wine => Self::Other,
            (Some(_), _) => Self::Windows,
            (None, "linux") => Self::Linux,
            (None, "macos") => Self::Bsd(Kernel::MacOs),
            (None, "freebsd") => Self::Bsd(Kernel::FreeBsd),
            (None, _) => Self::Other,
        }
    }

    /// Returns how a holder stands to the newcomer. Where no rules are known, those of Linux say what may
    /// be in the way.
    pub(super) fn stand(self, newcomer: &Newcomer, entry: &Entry, facts: &BindFacts) -> Stand {
        match self {
            Self::Bsd(kernel) => bsd::stand(kernel, newcomer, entry, facts),
            Self::Windows => windows::stand(newcomer, &entry.socket, facts),
            Self::Other if facts.windows.is_some() => {
                windows::stand(newcomer, &entry.socket, facts)
            }
            Self::Linux | Self::Other => rules::stand(newcomer, &entry.socket, facts),
        }
    }

    /// Returns whether its rules are known.
    pub(super) const fn has_rules(self) -> bool {
        !matches!(self, Self::Other)
    }

    pub(super) const fn is_bsd(self) -> bool {
        matches!(self, Self::Bsd(_))
    }

    /// Returns where the kernel takes ports of connecting sockets from when nobody changed it: `ip(7)`;
    /// `ipport_firstauto`, netinet/in_pcb.c of macOS and of FreeBSD.
    pub(super) const fn ephemeral(self) -> RangeInclusive<u16> {
        match self {
            Self::Linux | Self::Other => 32768..=60999,
            Self::Bsd(Kernel::FreeBsd) => 10000..=65535,
            Self::Bsd(Kernel::MacOs) | Self::Windows => 49152..=65535,
        }
    }

    /// Returns what that range is set by.
    pub(super) const fn ephemeral_setting(self) -> &'static str {
        match self {
            Self::Linux | Self::Other => "net.ipv4.ip_local_port_range",
            Self::Bsd(_) => "net.inet.ip.portrange.first to .last",
            Self::Windows => "netsh int ipv4 show dynamicport",
        }
    }
}
