//! What the server tells of itself while it runs: the lines of its log.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::socket::{Endpoint, Protocol};

/// One thing that happened. Serialises as a flat object whose `event` says which.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A socket is ready for clients.
    Listening {
        /// Its protocol.
        protocol: Protocol,
        /// Where.
        #[serde(serialize_with = "endpoint")]
        #[cfg_attr(feature = "cli", schemars(with = "Place<'_>"))]
        local: Endpoint,
    },
    /// An address was left out because this machine lacks its family.
    Skipped {
        /// The protocol.
        protocol: Protocol,
        /// Where not.
        #[serde(serialize_with = "endpoint")]
        #[cfg_attr(feature = "cli", schemars(with = "Place<'_>"))]
        local: Endpoint,
        /// The system's answer.
        error: String,
    },
    /// A client came: a connection was accepted, or a peer's first datagram arrived.
    Accept {
        /// The client's number, from 1 on.
        client: u64,
        /// The protocol.
        protocol: Protocol,
        /// This end.
        #[serde(serialize_with = "maybe_endpoint")]
        #[cfg_attr(feature = "cli", schemars(with = "Option<Place<'_>>"))]
        local: Option<Endpoint>,
        /// The client's end; absent for a UNIX client, which seldom has a name.
        #[serde(serialize_with = "maybe_endpoint")]
        #[cfg_attr(feature = "cli", schemars(with = "Option<Place<'_>>"))]
        peer: Option<Endpoint>,
    },
    /// A client's bytes were echoed. The first time at once, then at most once a second.
    Bytes {
        /// The client's number.
        client: u64,
        /// What moved so far.
        #[serde(flatten)]
        traffic: Traffic,
    },
    /// A datagram was thrown away because the server was told to ([`crate::echo::server::Loss`]).
    Dropped {
        /// Who sent it.
        #[serde(serialize_with = "endpoint")]
        #[cfg_attr(feature = "cli", schemars(with = "Place<'_>"))]
        peer: Endpoint,
        /// Which it was of all that came to this socket, from 1 on.
        datagram: u64,
    },
    /// A client is gone.
    Close {
        /// The client's number.
        client: u64,
        /// What moved in all.
        #[serde(flatten)]
        traffic: Traffic,
        /// How long it was there.
        #[serde(serialize_with = "as_seconds")]
        #[cfg_attr(feature = "cli", schemars(with = "f64"))]
        seconds: Duration,
        /// Why.
        reason: Reason,
        /// The system's answer, where the reason is [`Reason::Failed`].
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// As many clients as allowed are there. Further connections wait in the kernel's backlog;
    /// further UDP peers are echoed, and counted together.
    Limit {
        /// The protocol that is at its limit.
        protocol: Protocol,
        /// The limit.
        limit: usize,
    },
    /// Something failed that concerns no one client.
    Error {
        /// What was tried: `accept`, `receive`, `send`.
        operation: &'static str,
        /// The system's answer.
        error: String,
        /// When it is tried again; absent when at once.
        #[serde(rename = "retry_in_seconds", serialize_with = "maybe_as_seconds")]
        #[cfg_attr(feature = "cli", schemars(with = "Option<f64>"))]
        retry_in: Option<Duration>,
    },
    /// The server was told to stop: it takes no more clients.
    Stopping {
        /// How many connections are still open.
        open: usize,
        /// How long they may go on.
        #[serde(rename = "drain_seconds", serialize_with = "as_seconds")]
        #[cfg_attr(feature = "cli", schemars(with = "f64"))]
        drain: Duration,
    },
    /// The server has stopped.
    Stopped(Summary),
}

/// What moved between the server and a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Traffic {
    /// Bytes received.
    pub received: u64,
    /// Bytes sent back.
    pub sent: u64,
}

/// What moved in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Summary {
    /// How many clients came.
    pub clients: u64,
    /// How many connections were cut off when the drain deadline came.
    pub aborted: u64,
    /// What they sent and got back.
    #[serde(flatten)]
    pub traffic: Traffic,
}

/// Why a client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// It ended its side, and got everything back.
    Finished,
    /// Nothing moved for the idle time.
    Idle,
    /// The server stopped and the drain deadline came; for UDP peers, the server stopped.
    Stopped,
    /// The connection broke.
    Failed,
}

/// An endpoint, as the listing's JSON has it.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
struct Place<'a> {
    /// The address; absent of a UNIX socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    /// The port; absent of a UNIX socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// The path; of a UNIX socket alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    /// The name in the abstract namespace; of a UNIX socket alone.
    #[serde(rename = "abstract", skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Endpoint> for Place<'a> {
    fn from(endpoint: &'a Endpoint) -> Self {
        match endpoint {
            Endpoint::Inet { address, port, .. } => {
                Self { address: Some(*address), port: Some(*port), ..Self::default() }
            }
            Endpoint::Path(path) => Self { path: Some(path.to_lossy()), ..Self::default() },
            Endpoint::Abstract(name) => Self { name: Some(name.to_lossy()), ..Self::default() },
            // Nobody echoes there.
            Endpoint::Packet { .. }
            | Endpoint::Netlink { .. }
            | Endpoint::Vsock { .. }
            | Endpoint::Xdp { .. } => Self::default(),
        }
    }
}

fn endpoint<S: Serializer>(endpoint: &Endpoint, serializer: S) -> Result<S::Ok, S::Error> {
    Place::from(endpoint).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the signature serde wants")]
fn maybe_endpoint<S: Serializer>(
    maybe: &Option<Endpoint>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match maybe {
        Some(present) => endpoint(present, serializer),
        None => serializer.serialize_none(),
    }
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "the signature serde wants")]
fn maybe_as_seconds<S: Serializer>(
    maybe: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match maybe {
        Some(duration) => as_seconds(duration, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_a_flat_object() {
        let event = Event::Close {
            client: 3,
            traffic: Traffic { received: 6, sent: 5 },
            seconds: Duration::from_millis(1_500),
            reason: Reason::Finished,
            error: None,
        };
        assert_eq!(
            serde_json::to_value(event).unwrap(),
            json!({
                "event": "close", "client": 3, "received": 6, "sent": 5, "seconds": 1.5,
                "reason": "finished",
            })
        );
    }

    #[test]
    fn ends_are_written_as_in_the_listing() {
        let event = Event::Accept {
            client: 1,
            protocol: Protocol::Tcp,
            local: Some("[::1]:80".parse::<std::net::SocketAddr>().unwrap().into()),
            peer: None,
        };
        assert_eq!(
            serde_json::to_value(event).unwrap(),
            json!({
                "event": "accept", "client": 1, "protocol": "tcp",
                "local": { "address": "::1", "port": 80 }, "peer": null,
            })
        );
    }

    #[test]
    fn the_last_line_has_the_totals() {
        let summary = Summary { clients: 2, aborted: 1, traffic: Traffic { received: 8, sent: 7 } };
        assert_eq!(
            serde_json::to_value(Event::Stopped(summary)).unwrap(),
            json!({ "event": "stopped", "clients": 2, "aborted": 1, "received": 8, "sent": 7 })
        );
    }
}
