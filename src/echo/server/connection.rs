//! One connection of the server: a TCP or UNIX stream.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::select;
use tokio::sync::OwnedSemaphorePermit;

use crate::echo::event::Reason;
use crate::echo::listen::Accepted;
use crate::echo::server::{Server, Visit};
use crate::echo::{CHUNK, within};
use crate::socket::Protocol;

/// Echoes one connection to its end, then closes it and gives the slot back.
pub(super) async fn attend(accepted: Accepted, server: Arc<Server>, slot: OwnedSemaphorePermit) {
    let (visit, outcome) = match accepted {
        Accepted::Tcp(stream, peer) => {
            // The address of a connection that was reset meanwhile is not known any more.
            let local = stream.local_addr().ok().map(Into::into);
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
    let idle = server.options.idle;
    let mut chunk = vec![0; CHUNK];
    loop {
        let received = within(idle, stream.read(&mut chunk)).await?;
        if received == 0 {
            return within(idle, stream.shutdown()).await;
        }
        let mut rest = chunk.get(..received).unwrap_or_default();
        visit.traffic.received += received as u64;
        while !rest.is_empty() {
            let sent = within(idle, stream.write(rest)).await?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = rest.get(sent..).unwrap_or_default();
            server.count(visit, 0, sent).await;
        }
    }
}
