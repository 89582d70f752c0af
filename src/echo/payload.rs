//! Pseudo-random bytes that can be made again at any offset, and the comparison with what came back.
//!
//! The verifier needs no copy of what was sent: it makes the same bytes a second time, so ten
//! megabytes cost as much memory as ten. Random ones, because a constant pattern would not show a
//! chunk that was lost, doubled or swapped.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// An endless stream of bytes, the same for the same seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    seed: u64,
}

/// Bytes made by one step of the generator.
const WORD: u64 = 8;

impl Payload {
    /// Returns the stream of this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Fills `buffer` with the bytes that start at `offset`.
    pub fn fill(self, offset: u64, buffer: &mut [u8]) {
        let mut index = offset / WORD;
        let within_word = usize::try_from(offset % WORD).unwrap_or_default();
        let mut rest = buffer;
        if within_word > 0 {
            let word = self.word(index);
            let unused = word.len() - within_word;
            let (head, tail) = rest.split_at_mut(unused.min(rest.len()));
            for (byte, value) in head.iter_mut().zip(word.into_iter().skip(within_word)) {
                *byte = value;
            }
            rest = tail;
            index += 1;
        }
        let (words, tail) = rest.as_chunks_mut();
        for word in words {
            *word = self.word(index);
            index += 1;
        }
        for (byte, value) in tail.iter_mut().zip(self.word(index)) {
            *byte = value;
        }
    }

    /// Returns a reader of `length` bytes from the start of the stream.
    pub const fn reader(self, length: u64) -> PayloadReader {
        PayloadReader { payload: self, offset: 0, end: length }
    }

    /// Returns the word at `index`: SplitMix64 (Steele, Lea, Flood 2014,
    /// <https://doi.org/10.1145/2714064.2660195>), whose state is a plain counter and so can start
    /// anywhere.
    fn word(self, index: u64) -> [u8; 8] {
        let mut z =
            self.seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).to_le_bytes()
    }
}

/// A part of a [`Payload`] as a reader that never waits.
#[derive(Debug, Clone)]
pub struct PayloadReader {
    payload: Payload,
    offset: u64,
    end: u64,
}

impl AsyncRead for PayloadReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let length = left.min(buffer.remaining());
        self.payload.fill(self.offset, buffer.initialize_unfilled_to(length));
        buffer.advance(length);
        self.offset += length as u64;
        Poll::Ready(Ok(()))
    }
}

/// One byte that came back wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Its index.
    pub index: usize,
    /// What was sent.
    pub expected: u8,
    /// What came back.
    pub got: u8,
}

/// Returns the first byte in which two slices of one length differ.
pub fn first_difference(expected: &[u8], got: &[u8]) -> Option<Difference> {
    // Equal slices, the usual case, are compared by memcmp.
    if expected == got {
        return None;
    }
    expected
        .iter()
        .zip(got)
        .enumerate()
        .find(|(_, (expected, got))| expected != got)
        .map(|(index, (&expected, &got))| Difference { index, expected, got })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    fn bytes(seed: u64, offset: u64, length: usize) -> Vec<u8> {
        let mut buffer = vec![0; length];
        Payload::new(seed).fill(offset, &mut buffer);
        buffer
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for seed 1234567, as Rosetta Code and Java's SplittableRandom have them.
        let expected = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973];
        let made = bytes(1_234_567, 0, 16);
        let words: Vec<u64> =
            made.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        assert_eq!(words, expected);
    }

    proptest! {
        #[test]
        fn every_part_equals_the_same_part_of_the_whole(
            seed: u64,
            offset in 0_usize..100,
            length in 0_usize..100,
        ) {
            let whole = bytes(seed, 0, 200);
            let part = bytes(seed, offset as u64, length);
            prop_assert_eq!(&part[..], &whole[offset..offset + length]);
        }

        #[test]
        fn one_wrong_byte_is_found_where_it_is(
            mut got in proptest::collection::vec(any::<u8>(), 1..200),
            place: prop::sample::Index,
            flip in 1_u8..,
        ) {
            let expected = got.clone();
            let index = place.index(got.len());
            got[index] ^= flip;
            let difference = Difference { index, expected: expected[index], got: got[index] };
            prop_assert_eq!(first_difference(&expected, &got), Some(difference));
        }
    }

    #[test]
    fn equal_bytes_do_not_differ() {
        assert_eq!(first_difference(b"echo", b"echo"), None);
    }

    #[tokio::test]
    async fn a_reader_ends_after_its_length() {
        let mut read = Vec::new();
        Payload::new(7).reader(1_001).read_to_end(&mut read).await.unwrap();
        assert_eq!(read, bytes(7, 0, 1_001));
    }
}
