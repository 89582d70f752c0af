//! Long output in parts: several threads render while another writes what is rendered.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use crate::platform::processors;
use crate::snapshot::PART as ROWS;

/// More threads than this gain little: whoever reads the output is slower.
const MOST_THREADS: usize = 4;

/// Writes what `render` makes of so many rows, in their order. It is called with the places of some of
/// them, and is told where to write to.
///
/// # Errors
///
/// What `render` says, and when `out` cannot be written to.
pub(crate) fn write(
    rows: usize,
    out: &mut dyn Write,
    render: impl Fn(Range<usize>, &mut Vec<u8>) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let parts = 0..rows.div_ceil(ROWS);
    let render = &render;
    let render = move |part: usize, mut bytes: Vec<u8>| {
        bytes.clear();
        let first = part * ROWS;
        render(first..rows.min(first + ROWS), &mut bytes).map(|()| bytes)
    };
    if parts.len() < MOST_THREADS {
        return parts.into_iter().try_for_each(|part| out.write_all(&render(part, Vec::new())?));
    }
    let threads = processors().min(MOST_THREADS);
    thread::scope(|scope| {
        // Each takes its turn, and is at most one part ahead of being asked for it. What was written is
        // written over.
        let workers: Vec<_> = (0..threads)
            .map(|turn| {
                let (hand_over, rendered) = sync_channel(1);
                let (give_back, space) = channel();
                let mine = parts.clone().skip(turn).step_by(threads);
                let work = move || {
                    for part in mine {
                        let bytes = render(part, space.try_recv().unwrap_or_default());
                        // Nobody takes it when writing has failed.
                        if hand_over.send(bytes).is_err() {
                            break;
                        }
                    }
                };
                // Where no thread can be had, nothing will come from it.
                drop(thread::Builder::new().spawn_scoped(scope, work));
                (rendered, give_back)
            })
            .collect();
        for (part, (rendered, give_back)) in parts.zip(workers.iter().cycle()) {
            let bytes = match rendered.recv() {
                Ok(bytes) => bytes?,
                Err(_) => render(part, Vec::new())?,
            };
            out.write_all(&bytes)?;
            // It is done when nobody takes it.
            drop(give_back.send(bytes));
        }
        Ok(())
    })
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_written_once_and_in_order() {
        for count in [0, 1, ROWS, ROWS + 1, 10 * ROWS + 7] {
            let rows: Vec<usize> = (0..count).collect();
            let mut written = Vec::new();
            write(count, &mut written, |mut places, bytes| {
                places.try_for_each(|place| writeln!(bytes, "{place}"))
            })
            .unwrap();
            let written = String::from_utf8(written).unwrap();
            let numbers: Vec<usize> = written.lines().map(|line| line.parse().unwrap()).collect();
            assert_eq!(numbers, rows, "{count} rows");
        }
    }

    #[test]
    fn a_row_that_cannot_be_rendered_is_an_error() {
        let error = write(3 * ROWS, &mut Vec::new(), |places, _| {
            if places.start == 0 { Ok(()) } else { Err(io::Error::other("no")) }
        });
        assert!(error.is_err());
    }
}
