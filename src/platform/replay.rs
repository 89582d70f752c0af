//! Recordings: everything one backend collected, as a file, and the backend that returns it.
//!
//! A recording is [`Collected`] as JSON with a `schema` in front, one socket, holder and process a
//! line, so that it can be read, compared and cut down by hand. It is a complete test case and a
//! complete bug report; [`redact()`] takes out what is nobody else's business.

mod redact;
#[cfg(test)]
pub(crate) mod samples;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Serializer;
use serde_json::ser::Formatter;

pub use self::redact::redact;
use super::{Backend, Request};
use crate::error::CollectError;
use crate::snapshot::Collected;

/// The first field of a recording. The number rises when an old reader would misread a new file;
/// fields may be added within it.
const SCHEMA: &str = "sockscope.recording/1";

/// The largest recording read: about two million sockets. More is a mistake or an attack.
const MAX_BYTES: u64 = 1 << 30;

/// The path that stands for the standard input.
const STDIN: &str = "-";

/// A backend that returns a recording, whatever is asked for.
#[derive(Debug, Clone)]
pub struct Replay {
    collected: Collected,
}

impl Replay {
    /// Reads the recording at `path`, or from the standard input when that is `-`.
    ///
    /// # Errors
    ///
    /// [`CollectError::Recording`] when it cannot be read, is cut off, is no recording or one of
    /// another version.
    pub fn open(path: &Path) -> Result<Self, CollectError> {
        let (name, read) = if path == Path::new(STDIN) {
            (PathBuf::from("on the standard input"), Self::from_reader(io::stdin().lock()))
        } else {
            (path.to_owned(), File::open(path).and_then(Self::from_reader))
        };
        read.map_err(|source| CollectError::Recording { path: name, source })
    }

    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// As [`Replay::open`]; what is wrong with the text is [`io::ErrorKind::InvalidData`].
    pub fn from_reader(reader: impl Read) -> io::Result<Self> {
        let bytes = read_at_most(reader, MAX_BYTES)?;
        decode(&bytes).map(|collected| Self { collected })
    }
}

impl Backend for Replay {
    /// Returns the recording. It is what was read then; a request cannot make it more or less.
    fn collect(&mut self, _request: &Request) -> Result<Collected, CollectError> {
        Ok(self.collected.clone())
    }
}

/// What is checked before the tables are read.
#[derive(Deserialize)]
struct Header {
    schema: String,
}

/// A recording as it is written.
#[derive(Serialize)]
struct Recording<'a> {
    schema: &'static str,
    /// The version that wrote it: for people, never read.
    sockscope: &'static str,
    #[serde(flatten)]
    collected: &'a Collected,
}

/// Writes what was collected as a recording.
pub fn record(collected: &Collected, out: &mut dyn Write) -> io::Result<()> {
    let recording = Recording { schema: SCHEMA, sockscope: env!("CARGO_PKG_VERSION"), collected };
    recording.serialize(&mut Serializer::with_formatter(&mut *out, RowALine { depth: 0 }))?;
    writeln!(out)?;
    out.flush()
}

/// Writes what was collected as a recording into a new file that only its owner may read: it holds
/// names and command lines. An existing file is never overwritten (nor a link followed): it may be
/// the only record of what went wrong.
pub fn record_file(collected: &Collected, path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = BufWriter::new(options.open(path)?);
    record(collected, &mut out).inspect_err(|_| {
        // Half a recording is worth nothing; the first error is the one to tell.
        drop(fs::remove_file(path));
    })
}

fn read_at_most(reader: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        Err(invalid(format!("it is larger than {} MiB", limit >> 20)))
    }
}

fn decode(bytes: &[u8]) -> io::Result<Collected> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(invalid("it is empty"));
    }
    // Two passes: serde's `flatten` loses the numbers in the keys of `users`, and a wrong version
    // should be named before a wrong field.
    let header: Header = serde_json::from_slice(bytes).map_err(|error| explain(&error))?;
    if header.schema != SCHEMA {
        return Err(invalid(format!("its schema is {:?}, not {SCHEMA:?}", header.schema)));
    }
    let collected: Collected = serde_json::from_slice(bytes).map_err(|error| explain(&error))?;
    let mut ids = HashSet::new();
    match collected.sockets.iter().find(|socket| !ids.insert(socket.id)) {
        Some(twice) => Err(invalid(format!("two of its sockets have the id {}", twice.id))),
        None => Ok(collected),
    }
}

fn explain(error: &serde_json::Error) -> io::Error {
    if error.is_eof() {
        invalid(format!("it is cut off at line {}", error.line()))
    } else if error.is_data() {
        invalid(format!("it is not a recording: {error}"))
    } else {
        invalid(format!("it is not JSON: {error}"))
    }
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Writes each field of the recording, and each row of its tables, on a line of its own.
struct RowALine {
    depth: usize,
}

impl RowALine {
    /// How deep lines are broken: the fields are at 1, the rows at 2.
    const ROWS: usize = 2;

    fn open<W: ?Sized + Write>(&mut self, out: &mut W, bracket: u8) -> io::Result<()> {
        self.depth += 1;
        out.write_all(&[bracket])
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, bracket: u8) -> io::Result<()> {
        if self.depth == 1 {
            out.write_all(b"\n")?;
        }
        self.depth = self.depth.saturating_sub(1);
        out.write_all(&[bracket])
    }

    fn next<W: ?Sized + Write>(&self, out: &mut W, first: bool) -> io::Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        if self.depth > Self::ROWS {
            return if first { Ok(()) } else { out.write_all(b" ") };
        }
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(b"  "))
    }
}

impl Formatter for RowALine {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b'[')
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b']')
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b'{')
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b'}')
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(collected: &Collected) -> Vec<u8> {
        let mut bytes = Vec::new();
        record(collected, &mut bytes).unwrap();
        bytes
    }

    fn refusal(bytes: &[u8]) -> String {
        Replay::from_reader(bytes).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn a_recording_gives_back_what_was_collected(collected in samples::collected()) {
            let mut replay = Replay::from_reader(&*write(&collected)).unwrap();
            prop_assert_eq!(replay.collect(&Request::default()).unwrap(), collected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            prop_assert!(Replay::from_reader(&*bytes).is_err());
        }

        #[test]
        fn a_recording_cut_off_anywhere_is_refused(
            collected in samples::collected(),
            at in any::<prop::sample::Index>(),
        ) {
            let bytes = write(&collected);
            // Without the newline at its end it is still whole.
            let cut = at.index(bytes.len() - 2);
            prop_assert!(Replay::from_reader(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn each_socket_is_one_line() {
        let mut collected = samples::empty();
        collected.sockets = samples::sockets(3);
        let text = String::from_utf8(write(&collected)).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("\"protocol\"")).count(), 3, "{text}");
        assert!(text.starts_with("{\n  \"schema\": \"sockscope.recording/1\",\n"), "{text}");
        assert!(text.ends_with("\n}\n"), "{text}");
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        let whole = write(&samples::empty());
        let text = String::from_utf8(whole.clone()).unwrap();
        for (bytes, message) in [
            (b"".to_vec(), "it is empty"),
            (b"\n \n".to_vec(), "it is empty"),
            (b"not json".to_vec(), "it is not JSON: "),
            (b"{}".to_vec(), "it is not a recording: missing field `schema`"),
            (b"[1]".to_vec(), "it is not a recording: "),
            (
                text.replace("recording/1", "recording/2").into_bytes(),
                "its schema is \"sockscope.recording/2\", not \"sockscope.recording/1\"",
            ),
            (whole[..whole.len() - 5].to_vec(), "it is cut off at line "),
            (text.replace("\"sockets\"", "\"rockets\"").into_bytes(), "missing field `sockets`"),
        ] {
            let why = refusal(&bytes);
            assert!(why.contains(message), "{why} does not say {message}");
        }
    }

    #[test]
    fn two_sockets_with_one_id_are_refused() {
        let mut collected = samples::empty();
        collected.sockets = samples::sockets(1);
        collected.sockets.extend(samples::sockets(1));
        assert_eq!(refusal(&write(&collected)), "two of its sockets have the id 1");
    }

    #[test]
    fn a_recording_without_end_is_refused() {
        let error = read_at_most(io::repeat(b' '), 3 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 3 MiB");
    }

    #[test]
    fn a_field_added_later_is_ignored() {
        let text = String::from_utf8(write(&samples::empty())).unwrap();
        let newer = text.replacen('{', "{\"weather\": [1],", 1);
        assert!(Replay::from_reader(newer.as_bytes()).is_ok());
    }

    #[test]
    fn an_existing_file_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::write(&path, "precious").unwrap();
        let error = record_file(&samples::empty(), &path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_file_written_is_a_file_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        record_file(&samples::empty(), &path).unwrap();
        let mut replay = Replay::open(&path).unwrap();
        assert_eq!(replay.collect(&Request::default()).unwrap(), samples::empty());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        record_file(&samples::empty(), &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Replay::open(Path::new("/nonexistent/recording.json")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the recording /nonexistent/recording.json");
    }
}
