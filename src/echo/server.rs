//! The echo server (RFC 862): whatever comes is sent back.
//!
//! [`serve`] takes sockets that are already bound and a future that says when to stop, and tells
//! what happens through a channel: it prints nothing, reads no signal and ends no process. One task
//! accepts, one more attends to each connection, one to each UDP socket.

mod connection;
mod datagram;

use std::collections::VecDeque;
use std::future;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::select;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::echo::error::Cause;
use crate::echo::event::{Event, Reason, Summary, Traffic};
use crate::echo::listen::{Accepted, Listeners, StreamListener};
use crate::echo::payload::Payload;
use crate::socket::{Endpoint, Protocol};

/// How to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOptions {
    /// How many connections may be open at once, at least 1. Further ones are not accepted but wait
    /// in the kernel's backlog. Also how many UDP peers are told apart.
    pub limit: usize,
    /// How long a client may do nothing before it is closed; absent for ever. UDP peers, which
    /// never say that they are gone, are forgotten after a minute then.
    pub idle: Option<Duration>,
    /// How long open connections may go on once the server is told to stop.
    pub drain: Duration,
    /// Whether streams carry messages with a header ([`crate::echo::frame`]).
    pub framed: bool,
    /// How many bytes a second are read from each connection, so that queues fill; absent for as fast
    /// as they come.
    pub slow: Option<NonZeroU64>,
    /// Which datagrams are thrown away.
    pub loss: Option<Loss>,
    /// Whether connections are left in the kernel's backlog instead of accepted.
    pub hold: bool,
    /// Whether a connection stays open after its client has ended its side: CLOSE_WAIT.
    pub leak: bool,
    /// Whether connections are closed by RST (`SO_LINGER` with no time) instead of FIN.
    pub reset: bool,
}

/// Which datagrams a server throws away, always the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Every so manieth: 3 is the third, the sixth, ….
    Every(NonZeroU64),
    /// This many of a hundred, in an order that looks like chance.
    Percent(u8),
}

impl Loss {
    /// Returns whether the datagram of this number, from 1 on, is thrown away.
    pub fn takes(self, number: u64) -> bool {
        match self {
            Self::Every(step) => number.is_multiple_of(step.get()),
            Self::Percent(share) => {
                let mut byte = [0; 8];
                Payload::new(1).fill(number.wrapping_mul(8), &mut byte);
                u64::from_le_bytes(byte) % 100 < u64::from(share)
            }
        }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            limit: 1024,
            idle: None,
            drain: Duration::from_secs(5),
            framed: false,
            slow: None,
            loss: None,
            hold: false,
            leak: false,
            reset: false,
        }
    }
}

/// Echoes until `shutdown` is ready: then closes the listeners, lets open connections finish until
/// the drain deadline, and cuts off the rest. Returns what moved.
///
/// `events` is waited for when it is full: a log that is not read slows the server down, and loses
/// nothing. A closed one is ignored.
pub async fn serve(
    listeners: Listeners,
    mut options: ServerOptions,
    shutdown: impl Future<Output = ()>,
    events: mpsc::Sender<Event>,
) -> Summary {
    let endpoints = listeners.endpoints();
    let Listeners { streams, datagrams, skipped } = listeners;
    let drain = options.drain;
    options.limit = options.limit.clamp(1, Semaphore::MAX_PERMITS);
    let limit = options.limit;
    let slots = Arc::new(Semaphore::new(limit));
    let server = Arc::new(Server {
        options,
        events,
        clients: AtomicU64::new(0),
        aborted: AtomicU64::new(0),
        received: AtomicU64::new(0),
        sent: AtomicU64::new(0),
        stop: CancellationToken::new(),
        abort: CancellationToken::new(),
    });
    for (protocol, local) in endpoints {
        server.tell(Event::Listening { protocol, local }).await;
    }
    for (protocol, local, cause) in skipped {
        server.tell(Event::Skipped { protocol, local, error: cause.to_string() }).await;
    }

    let tasks = TaskTracker::new();
    for socket in datagrams {
        tasks.spawn(datagram::serve(socket, Arc::clone(&server)));
    }
    let hold = server.options.hold;
    select! {
        // Dropping it closes the listeners, so that a client is refused rather than kept waiting.
        () = accept_loop(streams.into(), &slots, &server, &tasks), if !hold => {}
        () = shutdown => {}
    }
    let open = limit - slots.available_permits();
    server.tell(Event::Stopping { open, drain }).await;
    server.stop.cancel();
    tasks.close();
    if timeout(drain, tasks.wait()).await.is_err() {
        server.abort.cancel();
        tasks.wait().await;
    }
    let summary = server.summary();
    server.tell(Event::Stopped(summary)).await;
    summary
}

/// What all tasks of one server share.
struct Server {
    options: ServerOptions,
    events: mpsc::Sender<Event>,
    /// How many clients came: the number of the latest.
    clients: AtomicU64,
    /// How many connections were cut off.
    aborted: AtomicU64,
    /// Bytes received from clients that are gone.
    received: AtomicU64,
    /// Bytes sent to clients that are gone.
    sent: AtomicU64,
    /// Set by [`serve`] when it is told to stop; the UDP tasks wait for it.
    stop: CancellationToken,
    /// Set by [`serve`] at the drain deadline; the connections wait for it.
    abort: CancellationToken,
}

impl Server {
    async fn tell(&self, event: Event) {
        // A log that nobody reads any more does not stop the server: whoever reads it decides.
        let _nobody_listens = self.events.send(event).await;
    }

    async fn welcome(
        &self,
        protocol: Protocol,
        local: Option<Endpoint>,
        peer: Option<Endpoint>,
    ) -> Visit {
        let client = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell(Event::Accept { client, protocol, local, peer }).await;
        Visit {
            client,
            since: Instant::now(),
            traffic: Traffic::default(),
            reports: Pace::default(),
        }
    }

    async fn count(&self, visit: &mut Visit, received: usize, sent: usize) {
        visit.traffic.received += received as u64;
        visit.traffic.sent += sent as u64;
        if visit.reports.is_due(Instant::now()) {
            self.tell(Event::Bytes { client: visit.client, traffic: visit.traffic }).await;
        }
    }

    async fn farewell(&self, visit: Visit, reason: Reason, error: Option<io::Error>) {
        let Visit { client, since, traffic, .. } = visit;
        self.received.fetch_add(traffic.received, Ordering::Relaxed);
        self.sent.fetch_add(traffic.sent, Ordering::Relaxed);
        let error = error.map(|error| Cause(error).to_string());
        self.tell(Event::Close { client, traffic, seconds: since.elapsed(), reason, error }).await;
    }

    fn summary(&self) -> Summary {
        Summary {
            clients: self.clients.load(Ordering::Relaxed),
            aborted: self.aborted.load(Ordering::Relaxed),
            traffic: Traffic {
                received: self.received.load(Ordering::Relaxed),
                sent: self.sent.load(Ordering::Relaxed),
            },
        }
    }
}

/// One client's stay.
struct Visit {
    client: u64,
    since: Instant,
    traffic: Traffic,
    reports: Pace,
}

/// Lets the first of many reports through, and then one a second: a log that tells of every read
/// would be slower than the echo.
#[derive(Debug, Default)]
struct Pace {
    last: Option<Instant>,
}

impl Pace {
    const INTERVAL: Duration = Duration::from_secs(1);

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.last.is_none_or(|last| now.duration_since(last) >= Self::INTERVAL);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

/// Accepts from all listeners, never more at once than there are slots. Ends only without listeners.
async fn accept_loop(
    mut listeners: VecDeque<StreamListener>,
    slots: &Arc<Semaphore>,
    server: &Arc<Server>,
    tasks: &TaskTracker,
) {
    if listeners.is_empty() {
        return future::pending().await;
    }
    let mut backoff = Backoff::default();
    loop {
        if slots.available_permits() == 0 {
            let limit = server.options.limit;
            let protocol = listeners.front().map_or(Protocol::Tcp, StreamListener::protocol);
            server.tell(Event::Limit { protocol, limit }).await;
        }
        // The slot is taken before accept: a client beyond the limit stays in the kernel's backlog,
        // where it costs nothing, instead of being accepted and left alone.
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return };
        match accept(&mut listeners).await {
            Ok(accepted) => {
                backoff = Backoff::default();
                tasks.spawn(connection::attend(accepted, Arc::clone(server), slot));
            }
            Err(error) => {
                let retry_in = backoff.after(&error);
                let error = Cause(error).to_string();
                server.tell(Event::Error { operation: "accept", error, retry_in }).await;
                sleep(retry_in.unwrap_or_default()).await;
            }
        }
    }
}

/// Waits for the next connection on any of the listeners, each of which comes first in turn.
async fn accept(listeners: &mut VecDeque<StreamListener>) -> io::Result<Accepted> {
    listeners.rotate_left(1);
    future::poll_fn(|context| {
        listeners
            .iter()
            .map(|listener| listener.poll_accept(context))
            .find(std::task::Poll::is_ready)
            .unwrap_or(std::task::Poll::Pending)
    })
    .await
}

/// How long to wait after a failure. An error of one connection is no reason to wait; one of the
/// whole process, such as too many open files, would otherwise come back a million times a second.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    fn after(&mut self, error: &io::Error) -> Option<Duration> {
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::Interrupted
        ) {
            return None;
        }
        let wait = Self::FIRST.saturating_mul(1 << self.failures.min(16)).min(Self::LONGEST);
        self.failures += 1;
        Some(wait)
    }
}

#[cfg(test)]
mod tests;
