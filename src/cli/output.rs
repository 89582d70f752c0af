//! The standard output: one buffer, and the memory of what went wrong with it.

use std::io::{self, BufWriter, Write};

/// A buffered writer that remembers how it failed.
///
/// The remembering is here and not in a search of the error chain for `BrokenPipe`, because a
/// socket that its peer has closed fails with that same error, and then it is one.
#[derive(Debug)]
pub struct Output<W: Write>(BufWriter<Pipe<W>>);

/// Large enough that a listing of some hundred rows is one `write`.
const BUFFER: usize = 64 * 1024;

impl<W: Write> Output<W> {
    /// Returns an output that writes to `inner`.
    pub fn new(inner: W) -> Self {
        Self(BufWriter::with_capacity(BUFFER, Pipe { inner, failed: None }))
    }

    /// Returns true once the reader has closed its end.
    pub fn is_closed(&self) -> bool {
        self.0.get_ref().failed == Some(io::ErrorKind::BrokenPipe)
    }

    /// Returns true once something could not be written.
    pub fn has_failed(&self) -> bool {
        self.0.get_ref().failed.is_some()
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[derive(Debug)]
struct Pipe<W> {
    inner: W,
    /// The first failure that is final.
    failed: Option<io::ErrorKind>,
}

impl<W> Pipe<W> {
    fn watch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failed.get_or_insert(error.kind());
        }
        result
    }
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.watch(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.watch(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that fails in this way.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn is_closed_after(kind: io::ErrorKind) -> bool {
        let mut output = Output::new(Failing(kind));
        output.write_all(b"row").unwrap();
        output.flush().unwrap_err();
        output.is_closed()
    }

    #[test]
    fn a_reader_that_left_is_remembered() {
        assert!(is_closed_after(io::ErrorKind::BrokenPipe));
    }

    #[test]
    fn a_full_disk_is_no_closed_pipe() {
        assert!(!is_closed_after(io::ErrorKind::StorageFull));
    }
}
