//! Sending and verifying over UDP: one datagram at a time, because a lost one is only known as such
//! by its time running out.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::echo::LARGEST_DATAGRAM;
use crate::echo::client::{Datagrams, Exchange, FaultKind, Messages, Outgoing, Source};
use crate::echo::error::Cause;
use crate::echo::payload::first_difference;

/// Returns a socket that receives from this peer only, and hears of its refusals (`udp(7)`).
pub(super) async fn connect(peer: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(peer).await?;
    Ok(socket)
}

impl Exchange {
    pub(super) async fn over_datagrams(
        &self,
        socket: &UdpSocket,
        source: Outgoing,
        datagrams: &mut Datagrams,
    ) -> Result<(), FaultKind> {
        let (mut source, messages, is_live) = match source {
            Outgoing::Twice(source, _, messages) => (source, messages, false),
            Outgoing::Once(source) => {
                (source, Messages { count: None, size: Source::DATAGRAM }, true)
            }
        };
        if messages.size > LARGEST_DATAGRAM {
            return Err(FaultKind::Failed { error: "a datagram cannot be that long".to_owned() });
        }
        let mut message = vec![0; messages.size];
        let mut recent = Recent::default();
        let mut offset = 0;
        while messages.count.is_none_or(|count| datagrams.sent < count) {
            let length = if is_live {
                source.read(&mut message).await
            } else {
                fill(&mut source, &mut message).await
            }
            .map_err(failed)?;
            if length == 0 && messages.count.is_none() {
                break;
            }
            let sent = message.get(..length).unwrap_or_default();
            socket.send(sent).await.map_err(failed)?;
            datagrams.sent += 1;
            self.sent(length);
            if self.await_echo(socket, sent, offset, &recent, datagrams).await? {
                datagrams.verified += 1;
                self.verified(sent).await;
            } else {
                datagrams.lost += 1;
            }
            recent.add(sent);
            offset += length as u64;
        }
        Ok(())
    }

    /// Waits for the datagram to come back. Returns false when its time is up.
    async fn await_echo(
        &self,
        socket: &UdpSocket,
        sent: &[u8],
        offset: u64,
        recent: &Recent,
        datagrams: &mut Datagrams,
    ) -> Result<bool, FaultKind> {
        // One byte more than sent shows that one too long came.
        let mut room = vec![0; sent.len() + 1];
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        loop {
            let received = match deadline {
                None => socket.recv(&mut room).await,
                Some(deadline) => match timeout_at(deadline, socket.recv(&mut room)).await {
                    Ok(received) => received,
                    Err(_elapsed) => return Ok(false),
                },
            };
            let got = room.get(..received.map_err(failed)?).unwrap_or_default();
            if got == sent {
                return Ok(true);
            }
            if recent.contains(got) {
                datagrams.stray += 1;
                continue;
            }
            return Err(match first_difference(sent, got) {
                Some(wrong) => FaultKind::Mismatch {
                    offset: offset + wrong.index as u64,
                    expected: wrong.expected,
                    got: wrong.got,
                },
                None => FaultKind::Length { offset, expected: sent.len(), got: got.len() },
            });
        }
    }
}

/// Reads until the buffer is full or nothing is left.
pub(super) async fn fill(
    source: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match source.read(room).await? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

/// The datagrams sent before, to tell one that comes late or twice from a wrong one. Their hashes
/// will do: nobody here is trying to deceive.
#[derive(Debug, Default)]
struct Recent(VecDeque<u64>);

impl Recent {
    const LENGTH: usize = 64;

    fn add(&mut self, datagram: &[u8]) {
        self.0.truncate(Self::LENGTH - 1);
        self.0.push_front(Self::hash(datagram));
    }

    fn contains(&self, datagram: &[u8]) -> bool {
        self.0.contains(&Self::hash(datagram))
    }

    fn hash(datagram: &[u8]) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(datagram)
    }
}

fn failed(error: io::Error) -> FaultKind {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return FaultKind::Refused;
    }
    FaultKind::Failed { error: Cause(error).to_string() }
}
