//! One connection of the server: a TCP or UNIX stream.

use std::future;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::select;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use crate::echo::event::Reason;
use crate::echo::frame::{Header, truncated};
use crate::echo::listen::Accepted;
use crate::echo::server::{Server, ServerOptions, Visit};
use crate::echo::{CHUNK, within};
use crate::socket::Protocol;

/// Echoes one connection to its end, then closes it and gives the slot back.
pub(super) async fn attend(accepted: Accepted, server: Arc<Server>, slot: OwnedSemaphorePermit) {
    let (visit, outcome) = match accepted {
        Accepted::Tcp(stream, peer) => {
            // The address of a connection that was reset meanwhile is not known any more.
            let local = stream.local_addr().ok().map(Into::into);
            if server.options.reset {
                // Fails only on a connection that is gone already.
                let _gone = stream.set_zero_linger();
            }
            let visit = server.welcome(Protocol::Tcp, local, Some(peer.into())).await;
            converse(stream, visit, &server).await
        }
        #[cfg(unix)]
        Accepted::Unix(stream, local) => {
            let visit = server.welcome(Protocol::Unix, Some(local), None).await;
            converse(stream, visit, &server).await
        }
    };
    drop(slot);
    let (reason, error) = match outcome {
        Ok(reason) => (reason, None),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => (Reason::Idle, None),
        Err(error) => (Reason::Failed, Some(error)),
    };
    if reason == Reason::Stopped {
        server.aborted.fetch_add(1, Ordering::Relaxed);
    }
    server.farewell(visit, reason, error).await;
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut visit: Visit,
    server: &Server,
) -> (Visit, io::Result<Reason>) {
    let outcome = select! {
        outcome = echo(&mut stream, &mut visit, server) => outcome.map(|()| Reason::Finished),
        () = server.abort.cancelled() => Ok(Reason::Stopped),
    };
    (visit, outcome)
}

/// Sends back what comes until the client ends its side; then ends ours. By then everything was
/// sent, since each chunk is written before the next is read: a client that does not read is not
/// read from, and costs no more than one chunk.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    visit: &mut Visit,
    server: &Server,
) -> io::Result<()> {
    let ServerOptions { idle, framed, leak, reset, .. } = server.options;
    if framed {
        while let Some(header) = within(idle, Header::read(stream)).await? {
            let length = header.content_length;
            write(stream, &header.encode()?, server).await?;
            let echoed = pass_on(stream, visit, server, length).await?;
            if echoed < length {
                return Err(truncated("the content", echoed, length));
            }
        }
    } else {
        pass_on(stream, visit, server, u64::MAX).await?;
    }
    if leak {
        // Until the server ends.
        return future::pending().await;
    }
    if reset {
        // Dropping it is what sends the RST; an end of ours would be a FIN.
        return Ok(());
    }
    within(idle, stream.shutdown()).await
}

/// Sends back so many bytes, or fewer when the client ends its side; returns how many.
async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    visit: &mut Visit,
    server: &Server,
    length: u64,
) -> io::Result<u64> {
    let ServerOptions { idle, slow, .. } = server.options;
    let rate = slow.map_or(u64::MAX, NonZeroU64::get);
    let mut chunk = vec![0; CHUNK];
    let mut echoed = 0;
    while echoed < length {
        let most = usize::try_from(rate.min(length - echoed)).unwrap_or(usize::MAX);
        let room = chunk.get_mut(..most.min(CHUNK)).unwrap_or_default();
        let received = within(idle, stream.read(room)).await?;
        if received == 0 {
            break;
        }
        visit.traffic.received += received as u64;
        let mut rest = chunk.get(..received).unwrap_or_default();
        while !rest.is_empty() {
            let sent = within(idle, stream.write(rest)).await?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = rest.get(sent..).unwrap_or_default();
            server.count(visit, 0, sent).await;
        }
        echoed += received as u64;
        if slow.is_some() {
            sleep(Duration::from_nanos(1_000_000_000 * received as u64 / rate)).await;
        }
    }
    Ok(echoed)
}

/// Writes all of it.
async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    server: &Server,
) -> io::Result<()> {
    within(server.options.idle, stream.write_all(bytes)).await
}
