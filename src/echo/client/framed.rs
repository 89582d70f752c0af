//! Sending and verifying messages with a header over a stream, one after the other.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::try_join;

use crate::echo::client::datagram::fill;
use crate::echo::client::stream::failed;
use crate::echo::client::{Exchange, FaultKind, Messages, Outgoing, Source};
use crate::echo::frame::Header;
use crate::echo::{CHUNK, within};

impl Exchange {
    pub(super) async fn over_frames(
        &self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
        source: Outgoing,
    ) -> Result<(), FaultKind> {
        let (mut source, messages, is_live) = match source {
            Outgoing::Twice(source, _, messages) => (source, messages, false),
            Outgoing::Once(source) => {
                (source, Messages { count: None, size: Source::DATAGRAM }, true)
            }
        };
        let mut message = vec![0; messages.size];
        let (mut number, mut offset) = (0, 0);
        while messages.count.is_none_or(|count| number < count) {
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
            // At once: a long message comes back while it is still being sent.
            let frame = self.send_frame(&mut writer, sent);
            try_join!(frame, self.verify_frame(&mut reader, sent, offset))?;
            number += 1;
            offset += length as u64;
        }
        if !self.keep_open || self.half_close {
            // Fails when the server is gone; then there is nothing to end.
            let _gone = writer.shutdown().await;
        }
        if !self.keep_open && self.receive(&mut reader, &mut [0], offset).await? > 0 {
            return Err(FaultKind::Extra { offset });
        }
        Ok(())
    }

    async fn send_frame(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        content: &[u8],
    ) -> Result<(), FaultKind> {
        let header = Header::of_bytes(content.len() as u64).encode().map_err(failed)?;
        for part in [&header[..]].into_iter().chain(content.chunks(CHUNK)) {
            // The server is gone, or stuck: the reading side finds out how far the echo came.
            if within(self.timeout, writer.write_all(part)).await.is_err() {
                return Ok(());
            }
        }
        self.sent(content.len());
        Ok(())
    }

    /// Reads one message and compares it.
    async fn verify_frame(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        sent: &[u8],
        mut offset: u64,
    ) -> Result<(), FaultKind> {
        let header = within(self.timeout, Header::read(reader)).await;
        let header = header.map_err(|error| Self::fault(error, offset))?;
        let Some(header) = header else { return Err(FaultKind::ClosedEarly { offset }) };
        if header.content_length != sent.len() as u64 {
            let got = usize::try_from(header.content_length).unwrap_or(usize::MAX);
            return Err(FaultKind::Length { offset, expected: sent.len(), got });
        }
        let mut room = vec![0; CHUNK];
        let mut rest = sent;
        while !rest.is_empty() {
            let length = self.verify_part(reader, rest, &mut room, offset).await?;
            offset += length as u64;
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }
}
