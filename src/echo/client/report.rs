//! What a run of the client found.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use crate::echo::client::{Outcome, Progress, Target};
use crate::socket::Protocol;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Report {
    /// The protocol.
    pub protocol: Protocol,
    /// Whom it went to, as typed.
    pub peer: String,
    /// How many connections were made.
    pub connections: usize,
    /// On how many of them everything came back as it was sent.
    pub verified_connections: usize,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes that came back as they were sent.
    pub verified: u64,
    /// How long it took, connecting included, in seconds.
    pub seconds: f64,
    /// `verified` a second.
    pub bytes_per_second: u64,
    /// The datagrams, over UDP; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datagrams: Option<Datagrams>,
    /// How many connections went wrong.
    pub faulty_connections: usize,
    /// What went wrong, the first few by connection.
    pub faults: Vec<Fault>,
}

/// What became of the datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Datagrams {
    /// How many were sent.
    pub sent: u64,
    /// How many came back as they were sent.
    pub verified: u64,
    /// How many did not come back in time.
    pub lost: u64,
    /// How many came too late, or twice.
    pub stray: u64,
}

/// What went wrong first on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Fault {
    /// The connection's number, from 1 on; 0 when none was made.
    pub connection: usize,
    /// What it was.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What can go wrong. Offsets count the bytes sent on that connection, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// A byte came back wrong.
    Mismatch {
        /// Where.
        offset: u64,
        /// What was sent.
        expected: u8,
        /// What came back.
        got: u8,
    },
    /// A datagram came back longer or shorter than it was sent.
    Length {
        /// Where it starts.
        offset: u64,
        /// How long it was sent.
        expected: usize,
        /// How long it came back.
        got: usize,
    },
    /// More came back than was sent.
    Extra {
        /// How much was sent.
        offset: u64,
    },
    /// The server closed, or reset, the connection before everything was back.
    ClosedEarly {
        /// How much was back.
        offset: u64,
    },
    /// Nothing moved for too long.
    TimedOut {
        /// How much was back.
        offset: u64,
    },
    /// Datagrams did not come back; [`Report::datagrams`] says how many.
    Lost,
    /// The user ended it.
    Interrupted,
    /// Nothing listens at the UDP port.
    Refused,
    /// Something else failed.
    Failed {
        /// The system's answer.
        error: String,
    },
}

/// How many faults are told one by one.
const FAULTS: usize = 20;

impl Report {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            protocol: target.protocol,
            peer: target.address.to_string(),
            connections: 0,
            verified_connections: 0,
            sent: 0,
            verified: 0,
            seconds: 0.0,
            bytes_per_second: 0,
            datagrams: None,
            faulty_connections: 0,
            faults: Vec::new(),
        }
    }

    /// Returns true when everything came back on every connection.
    pub const fn is_verified(&self) -> bool {
        self.faulty_connections == 0
    }

    pub(super) fn add(&mut self, connection: usize, (datagrams, outcome): Outcome) {
        let mut lost = 0;
        if let Some(one) = datagrams {
            let all = self.datagrams.get_or_insert_default();
            all.sent += one.sent;
            all.verified += one.verified;
            all.lost += one.lost;
            all.stray += one.stray;
            lost = one.lost;
        }
        match outcome {
            Err(kind) => self.fault(connection, kind),
            Ok(()) if lost > 0 => self.fault(connection, FaultKind::Lost),
            Ok(()) => self.verified_connections += 1,
        }
    }

    pub(super) fn fault(&mut self, connection: usize, kind: FaultKind) {
        self.faulty_connections += 1;
        self.faults.push(Fault { connection, kind });
        self.faults.sort_by_key(|fault| fault.connection);
        self.faults.truncate(FAULTS);
    }

    pub(super) fn finish(&mut self, progress: &Progress, elapsed: Duration) {
        self.sent = progress.sent.load(Ordering::Relaxed);
        self.verified = progress.verified.load(Ordering::Relaxed);
        self.seconds = elapsed.as_secs_f64();
        self.bytes_per_second = rate(self.verified, elapsed);
    }
}

/// Returns how many bytes a second these are.
pub fn rate(bytes: u64, time: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000_000 / time.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}
