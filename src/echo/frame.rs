//! Messages with a header, as the application protocol of Python's well-known guide to sockets frames
//! them (<https://realpython.com/python-sockets/>): two bytes with the length of a header, big end
//! first; the header, which is JSON and says how long the content is; the content.
//!
//! TCP is a stream: without something like this a receiver cannot tell where a message ends.

use std::fmt::Display;
use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How long a header may be. The two bytes could say 65,535; a header has four short entries.
const LONGEST_HEADER: u16 = 4096;

/// What stands in front of a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Header {
    /// The sender's own: `little` or `big`.
    pub byteorder: String,
    /// What the content is.
    pub content_type: String,
    /// How it is written.
    pub content_encoding: String,
    /// How many bytes it has.
    pub content_length: u64,
}

impl Header {
    /// Returns the header of bytes that mean nothing.
    pub fn of_bytes(content_length: u64) -> Self {
        let byteorder = if cfg!(target_endian = "big") { "big" } else { "little" };
        Self {
            byteorder: byteorder.to_owned(),
            content_type: "binary/sockscope-echo".to_owned(),
            content_encoding: "binary".to_owned(),
            content_length,
        }
    }

    /// Returns the bytes that stand in front of the content: length and header.
    ///
    /// # Errors
    ///
    /// When the header is too long, because a peer sent a long one to be answered with.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let length = u16::try_from(json.len()).ok().filter(|length| *length <= LONGEST_HEADER);
        let length = length.ok_or_else(|| too_long(json.len()))?;
        Ok([&length.to_be_bytes(), &json[..]].concat())
    }

    /// Reads the next header; `None` when the peer has ended its side between two messages.
    ///
    /// # Errors
    ///
    /// When what comes is no such header, or ends in the middle of one, or cannot be read.
    pub async fn read(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut length = [0; 2];
        match read_full(reader, &mut length).await? {
            0 => return Ok(None),
            2 => {}
            read => return Err(truncated("the header's length", read, length.len())),
        }
        let length = u16::from_be_bytes(length);
        if length > LONGEST_HEADER {
            return Err(too_long(length.into()));
        }
        let mut json = vec![0; length.into()];
        let read = read_full(reader, &mut json).await?;
        if read < json.len() {
            return Err(truncated("the header", read, json.len()));
        }
        let parsed = serde_json::from_slice(&json);
        parsed.map(Some).map_err(|error| invalid(format!("bad frame: the header: {error}")))
    }
}

/// Returns the error of a message that ends too early.
pub(super) fn truncated(what: &str, read: impl Display, wanted: impl Display) -> io::Error {
    let text = format!("bad frame: {what} ends after {read} of {wanted} bytes");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

fn too_long(length: usize) -> io::Error {
    invalid(format!(
        "bad frame: a header of {length} bytes; at most {LONGEST_HEADER} are taken (is the peer --framed?)"
    ))
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Reads until the buffer is full or the peer has ended its side; returns how much came.
async fn read_full(reader: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room).await? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn read(mut bytes: &[u8]) -> Result<Option<Header>, String> {
        Header::read(&mut bytes).await.map_err(|error| error.to_string())
    }

    fn framed(json: &str) -> Vec<u8> {
        let length = u16::try_from(json.len()).unwrap();
        [&length.to_be_bytes(), json.as_bytes()].concat()
    }

    #[tokio::test]
    async fn the_header_is_the_guides() {
        let header = Header::of_bytes(5).encode().unwrap();
        let text = String::from_utf8(header[2..].to_vec()).unwrap();
        assert_eq!(usize::from(header[0]) * 256 + usize::from(header[1]), text.len());
        let keys = ["byteorder", "content-type", "content-encoding", "content-length\":5"];
        assert!(keys.iter().all(|key| text.contains(&format!("\"{key}"))), "{text}");
        assert_eq!(read(&header).await, Ok(Some(Header::of_bytes(5))));
        // As Python's json.dumps writes it.
        let pythons = r#"{"byteorder": "little", "content-type": "text/json", "content-encoding": "utf-8", "content-length": 42}"#;
        assert_eq!(read(&framed(pythons)).await.unwrap().unwrap().content_length, 42);
    }

    #[tokio::test]
    async fn what_is_no_header_is_told() {
        let long = [0xFF, 0xFF];
        let cases: [(&[u8], &str); 6] = [
            (&[0], "the header's length ends after 1 of 2 bytes"),
            (&long, "a header of 65535 bytes; at most 4096"),
            (&framed("{}")[..3], "the header ends after 1 of 2 bytes"),
            (&framed("{}"), "missing field `byteorder`"),
            (b"\0\x04nope", "the header: expected"),
            (&[0, 0], "the header: EOF"),
        ];
        for (bytes, wanted) in cases {
            let error = read(bytes).await.unwrap_err();
            assert!(error.starts_with("bad frame: ") && error.contains(wanted), "{error}");
        }
        assert_eq!(read(b"").await, Ok(None), "an end between two messages is none too early");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _read = runtime.block_on(read(&bytes));
        }
    }
}
