//! Long output in parts: several threads render, one after the other is written.

use std::io::{self, Write};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// So many rows are a part: enough to be worth a thread, few enough to be kept.
const ROWS: usize = 512;

/// More threads than this gain little: whoever reads the output is slower.
const MOST_THREADS: usize = 4;

/// Writes what `render` makes of the rows, in their order. It is called with some of them and the place
/// of the first, and is told where to write to.
///
/// # Errors
///
/// What `render` says, and when `out` cannot be written to.
pub(crate) fn write<T: Sync>(
    rows: &[T],
    out: &mut dyn Write,
    render: impl Fn(usize, &[T], &mut Vec<u8>) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let parts: Vec<(usize, &[T])> = (0..).step_by(ROWS).zip(rows.chunks(ROWS)).collect();
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let render = |(first, rows): (usize, &[T]), mut bytes: Vec<u8>| {
        bytes.clear();
        render(first, rows, &mut bytes).map(|()| bytes)
    };
    // What was written is written over.
    let mut space: Vec<Vec<u8>> = Vec::new();
    for round in parts.chunks(threads) {
        let Some((&first, others)) = round.split_first() else { continue };
        let done: Vec<io::Result<Vec<u8>>> = thread::scope(|scope| {
            let others: Vec<_> = others
                .iter()
                .map(|&part| {
                    let bytes = space.pop().unwrap_or_default();
                    let job = move || render(part, bytes);
                    // Where no thread can be had, this one does it all.
                    (part, thread::Builder::new().spawn_scoped(scope, job).ok())
                })
                .collect();
            let own = render(first, space.pop().unwrap_or_default());
            let others = others.into_iter().map(|(part, thread)| match thread {
                Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                None => render(part, Vec::new()),
            });
            [own].into_iter().chain(others).collect()
        });
        for bytes in done {
            let bytes = bytes?;
            out.write_all(&bytes)?;
            space.push(bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_written_once_and_in_order() {
        for count in [0, 1, ROWS, ROWS + 1, 10 * ROWS + 7] {
            let rows: Vec<usize> = (0..count).collect();
            let mut written = Vec::new();
            write(&rows, &mut written, |first, rows, bytes| {
                for (place, row) in (first..).zip(rows) {
                    assert_eq!(place, *row);
                    writeln!(bytes, "{row}")?;
                }
                Ok(())
            })
            .unwrap();
            let written = String::from_utf8(written).unwrap();
            let numbers: Vec<usize> = written.lines().map(|line| line.parse().unwrap()).collect();
            assert_eq!(numbers, rows, "{count} rows");
        }
    }

    #[test]
    fn a_row_that_cannot_be_rendered_is_an_error() {
        let error = write(&[(); 3 * ROWS], &mut Vec::new(), |first, _, _| {
            if first == 0 { Ok(()) } else { Err(io::Error::other("no")) }
        });
        assert!(error.is_err());
    }
}
