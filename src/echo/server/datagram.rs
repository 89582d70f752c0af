//! One UDP socket of the server.
//!
//! UDP has no connections, so a client is an address that sent something lately. Addresses can be
//! forged at will: the table of them is bounded, and those beyond it are echoed all the same and
//! counted together.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::select;
use tokio::time::{Instant, interval, sleep};

use crate::echo::LARGEST_DATAGRAM;
use crate::echo::error::Cause;
use crate::echo::event::{Event, Reason};
use crate::echo::server::{Backoff, Pace, Server, Visit};
use crate::socket::{Endpoint, Protocol};

/// When a peer that says nothing is forgotten, if no idle time is set.
const FORGET_AFTER: Duration = Duration::from_mins(1);

/// Echoes each datagram until the server stops.
///
/// The answer leaves by the address that the route to the peer suggests. On a socket bound to a
/// wildcard this may be another than the peer sent to.
pub(super) async fn serve(socket: UdpSocket, server: Arc<Server>) {
    let idle = server.options.idle.unwrap_or(FORGET_AFTER).max(Duration::from_millis(1));
    let mut peers = Peers {
        known: HashMap::new(),
        limit: server.options.limit,
        local: socket.local_addr().ok().map(Into::into),
        server: &server,
        limit_reports: Pace::default(),
    };
    let mut datagram = vec![0; LARGEST_DATAGRAM];
    let mut looks_for_idle = interval(idle);
    let mut backoff = Backoff::default();
    let mut send_errors = Pace::default();
    let mut number = 0_u64;
    loop {
        let received = select! {
            () = server.stop.cancelled() => break,
            _ = looks_for_idle.tick() => {
                peers.forget_idle(idle).await;
                continue;
            }
            received = socket.recv_from(&mut datagram) => received,
        };
        match received {
            Ok((length, peer)) => {
                backoff = Backoff::default();
                number += 1;
                if server.options.loss.is_some_and(|loss| loss.takes(number)) {
                    server.tell(Event::Dropped { peer: peer.into(), datagram: number }).await;
                    continue;
                }
                let sent =
                    match socket.send_to(datagram.get(..length).unwrap_or_default(), peer).await {
                        Ok(sent) => sent,
                        Err(error) => {
                            if send_errors.is_due(Instant::now()) {
                                failed(&server, "send", error, None).await;
                            }
                            0
                        }
                    };
                peers.count(peer, length, sent).await;
            }
            // Windows: an earlier answer found no receiver. Nothing is wrong here.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => {
                let retry_in = backoff.after(&error);
                failed(&server, "receive", error, retry_in).await;
                select! {
                    () = server.stop.cancelled() => break,
                    () = sleep(retry_in.unwrap_or_default()) => {}
                }
            }
        }
    }
    peers.forget_all().await;
}

async fn failed(
    server: &Server,
    operation: &'static str,
    error: io::Error,
    retry_in: Option<Duration>,
) {
    let error = Cause(error).to_string();
    server.tell(Event::Error { operation, error, retry_in }).await;
}

/// The peers that sent something lately.
struct Peers<'a> {
    known: HashMap<SocketAddr, (Visit, Instant)>,
    limit: usize,
    local: Option<Endpoint>,
    server: &'a Server,
    limit_reports: Pace,
}

impl Peers<'_> {
    async fn count(&mut self, peer: SocketAddr, received: usize, sent: usize) {
        let now = Instant::now();
        if let Some((visit, last)) = self.known.get_mut(&peer) {
            *last = now;
            self.server.count(visit, received, sent).await;
        } else if self.known.len() < self.limit {
            let (local, endpoint) = (self.local.clone(), Some(peer.into()));
            let mut visit = self.server.welcome(Protocol::Udp, local, endpoint).await;
            self.server.count(&mut visit, received, sent).await;
            self.known.insert(peer, (visit, now));
        } else {
            self.server.received.fetch_add(received as u64, Ordering::Relaxed);
            self.server.sent.fetch_add(sent as u64, Ordering::Relaxed);
            if self.limit_reports.is_due(now) {
                let (protocol, limit) = (Protocol::Udp, self.limit);
                self.server.tell(Event::Limit { protocol, limit }).await;
            }
        }
    }

    async fn forget_idle(&mut self, idle: Duration) {
        let now = Instant::now();
        let gone: Vec<_> =
            self.known.extract_if(|_, (_, last)| now.duration_since(*last) >= idle).collect();
        self.farewell(gone, Reason::Idle).await;
    }

    async fn forget_all(&mut self) {
        let all: Vec<_> = self.known.drain().collect();
        self.farewell(all, Reason::Stopped).await;
    }

    /// Says farewell in the order the peers came, not in that of the table.
    async fn farewell(&self, mut gone: Vec<(SocketAddr, (Visit, Instant))>, reason: Reason) {
        gone.sort_by_key(|(_, (visit, _))| visit.client);
        for (_, (visit, _)) in gone {
            self.server.farewell(visit, reason, None).await;
        }
    }
}
