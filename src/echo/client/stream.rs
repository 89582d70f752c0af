//! Sending and verifying over a stream: TCP or UNIX.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex};
use tokio::try_join;

use crate::echo::client::{Exchange, FaultKind, Outgoing, Source};
use crate::echo::error::Cause;
use crate::echo::payload::first_difference;
use crate::echo::{CHUNK, within};

impl Exchange {
    pub(super) async fn over_stream(
        &self,
        reader: impl AsyncRead + Unpin,
        writer: impl AsyncWrite + Unpin,
        source: Outgoing,
    ) -> Result<(), FaultKind> {
        match source {
            source if self.framed => self.over_frames(reader, writer, source).await?,
            Outgoing::Twice(source, expected, _) => {
                let kept = None::<tokio::io::Sink>;
                try_join!(self.send(writer, source, kept), self.verify(reader, expected))?;
            }
            Outgoing::Once(source) => {
                // Dropping one end ends the other, which the halves of a `simplex` do not.
                let (kept, expected) = duplex(Source::WINDOW);
                try_join!(self.send(writer, source, Some(kept)), self.verify(reader, expected))?;
            }
        }
        Ok(())
    }

    /// Sends everything, keeping a copy where one is needed, and then ends our side.
    async fn send(
        &self,
        mut writer: impl AsyncWrite + Unpin,
        mut source: impl AsyncRead + Unpin,
        mut copy: Option<impl AsyncWrite + Unpin>,
    ) -> Result<(), FaultKind> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = source.read(&mut chunk).await.map_err(failed)?;
            let mut rest = chunk.get(..length).unwrap_or_default();
            if let Some(copy) = &mut copy {
                copy.write_all(rest).await.map_err(failed)?;
            }
            if length == 0 {
                break;
            }
            // Given back by `verify`. The semaphore is never closed.
            let permits = u32::try_from(length).unwrap_or(u32::MAX);
            if let Ok(room) = self.window.acquire_many(permits).await {
                room.forget();
            }
            while !rest.is_empty() {
                match within(self.timeout, writer.write(rest)).await {
                    Ok(sent) if sent > 0 => {
                        self.sent(sent);
                        rest = rest.get(sent..).unwrap_or_default();
                    }
                    // The server is gone, or stuck. How far the echo came, and so what to report,
                    // is for the reading side to find out, which has its own clock.
                    Ok(_) | Err(_) => return Ok(()),
                }
            }
        }
        if !self.keep_open || self.half_close {
            // Fails when the server is gone; see above.
            let _gone = writer.shutdown().await;
        }
        Ok(())
    }

    /// Compares what comes back with what was sent, to its end.
    async fn verify(
        &self,
        mut reader: impl AsyncRead + Unpin,
        mut expected: impl AsyncRead + Unpin,
    ) -> Result<(), FaultKind> {
        let mut offset = 0;
        let (mut sent, mut got) = (vec![0; CHUNK], vec![0; CHUNK]);
        loop {
            let length = expected.read(&mut sent).await.map_err(failed)?;
            if length == 0 {
                break;
            }
            let mut sent = sent.get(..length).unwrap_or_default();
            while !sent.is_empty() {
                let length = self.verify_part(&mut reader, sent, &mut got, offset).await?;
                self.window.add_permits(length);
                offset += length as u64;
                sent = sent.get(length..).unwrap_or_default();
            }
        }
        if !self.keep_open && self.receive(&mut reader, &mut [0], offset).await? > 0 {
            return Err(FaultKind::Extra { offset });
        }
        Ok(())
    }

    /// Reads some of what is to come back, as much as there is room for, compares it, and returns how
    /// much it was.
    pub(super) async fn verify_part(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        expected: &[u8],
        room: &mut [u8],
        offset: u64,
    ) -> Result<usize, FaultKind> {
        let most = expected.len().min(room.len());
        let room = room.get_mut(..most).unwrap_or_default();
        let length = self.receive(reader, room, offset).await?;
        if length == 0 {
            return Err(FaultKind::ClosedEarly { offset });
        }
        let got = room.get(..length).unwrap_or_default();
        if let Some(wrong) = first_difference(expected.get(..length).unwrap_or_default(), got) {
            return Err(FaultKind::Mismatch {
                offset: offset + wrong.index as u64,
                expected: wrong.expected,
                got: wrong.got,
            });
        }
        self.verified(got).await;
        Ok(length)
    }

    pub(super) async fn receive(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        room: &mut [u8],
        offset: u64,
    ) -> Result<usize, FaultKind> {
        within(self.timeout, reader.read(room)).await.map_err(|error| Self::fault(error, offset))
    }

    /// Returns what it means that reading failed when so much was back.
    pub(super) fn fault(error: io::Error, offset: u64) -> FaultKind {
        #[expect(clippy::wildcard_enum_match_arm, reason = "io::ErrorKind is not ours and grows")]
        match error.kind() {
            io::ErrorKind::TimedOut => FaultKind::TimedOut { offset },
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                FaultKind::ClosedEarly { offset }
            }
            _ => failed(error),
        }
    }
}

pub(super) fn failed(error: io::Error) -> FaultKind {
    FaultKind::Failed { error: Cause(error).to_string() }
}
