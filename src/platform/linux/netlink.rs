//! Asks the kernel for a table through netlink (`netlink(7)`): one request out, many messages back;
//! or tells it to do something: one request out, one answer back.
//!
//! Knows the envelope only; what is inside is the caller's. An answer that is an error, that was
//! cut, or that changed under way is told apart from an empty table: never "no sockets" for "no
//! answer".

use std::io;

use rustix::io::retry_on_intr;
use rustix::net::netlink::{GENERIC, SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recvfrom, sendto,
    socket_with,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The kernel fills at most 32 KiB a read (`netlink_recvmsg`, linux/net/netlink/af_netlink.c).
const BUFFER: usize = 64 * 1024;
/// How often a dump that did not come through whole is tried before its rows are taken as they are.
const ATTEMPTS: usize = 3;
/// rtnetlink is number 0, which rustix says so.
const ROUTE: Option<Protocol> = None;
/// Each attempt has a socket of its own, so one number will do.
const SEQUENCE: u32 = 1;

// linux/include/uapi/linux/netlink.h
const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_ACK: u16 = 0x04;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
/// Leaves a type its number: the two highest bits are flags.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// `struct nlmsghdr`.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

/// How well a dump came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether the rows are all of the table at one time. If not, rows may be missing or doubled.
    pub(crate) consistent: bool,
    /// How many messages could not be decoded.
    pub(crate) malformed: usize,
}

/// Where the rows of a dump go.
pub(crate) trait Rows<T> {
    /// Returns how many there are.
    fn count(&self) -> usize;

    /// Takes one more.
    fn take(&mut self, row: T);

    /// Forgets all but the first ones.
    fn forget_after(&mut self, count: usize);
}

impl<T> Rows<T> for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn take(&mut self, row: T) {
        self.push(row);
    }

    fn forget_after(&mut self, count: usize) {
        self.truncate(count);
    }
}

/// Appends to `rows` what `decode` makes of each message of a dump. `decode` returns `None` for a
/// message it cannot understand.
///
/// # Errors
///
/// The kernel's own answer, such as ENOENT where it has no module for this table. `rows` is then
/// as it was.
pub(crate) fn dump<T>(
    kind: u16,
    body: &[u8],
    rows: &mut impl Rows<T>,
    decode: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Outcome> {
    let request = encode_request(kind, NLM_F_DUMP, body)?;
    repeat(rows, decode, |size, each| attempt(Some(SOCK_DIAG), &request, size, each))
}

/// Does the same with a table of rtnetlink (`rtnetlink(7)`): links, addresses.
///
/// # Errors
///
/// As [`dump`].
pub(crate) fn dump_route<T>(
    kind: u16,
    body: &[u8],
    rows: &mut impl Rows<T>,
    decode: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Outcome> {
    let request = encode_request(kind, NLM_F_DUMP, body)?;
    repeat(rows, decode, |size, each| attempt(ROUTE, &request, size, each))
}

/// Asks rtnetlink one thing, and hands each message of the answer on.
///
/// # Errors
///
/// The kernel's own answer, such as ENETUNREACH for an address without a route.
pub(crate) fn ask_route(kind: u16, body: &[u8], each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    attempt(ROUTE, &encode_request(kind, NLM_F_ACK, body)?, BUFFER, each).and_then(Ending::answer)
}

/// Does the same with a family of generic netlink, by its number.
///
/// # Errors
///
/// As [`dump`].
pub(crate) fn dump_generic<T>(
    family: u16,
    body: &[u8],
    rows: &mut impl Rows<T>,
    decode: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Outcome> {
    let request = encode_request(family, NLM_F_DUMP, body)?;
    repeat(rows, decode, |size, each| attempt(Some(GENERIC), &request, size, each))
}

/// Tells the kernel to do something, and waits for its answer.
///
/// # Errors
///
/// The kernel's own answer: it was not done.
pub(crate) fn command(kind: u16, body: &[u8]) -> io::Result<()> {
    let request = encode_request(kind, NLM_F_ACK, body)?;
    attempt(Some(SOCK_DIAG), &request, BUFFER, &mut |_| ()).and_then(Ending::answer)
}

/// Attempts a dump, given the size of the buffer, until it comes through whole or the attempts are
/// used up.
fn repeat<T>(
    rows: &mut impl Rows<T>,
    decode: impl Fn(&[u8]) -> Option<T>,
    mut attempt: impl FnMut(usize, &mut dyn FnMut(&[u8])) -> io::Result<Ending>,
) -> io::Result<Outcome> {
    let before = rows.count();
    let mut outcome = Outcome { consistent: false, malformed: 0 };
    let mut size = BUFFER;
    for _ in 0..ATTEMPTS {
        rows.forget_after(before);
        outcome.malformed = 0;
        let ending = attempt(size, &mut |message| match decode(message) {
            Some(row) => rows.take(row),
            None => outcome.malformed += 1,
        });
        match ending {
            Ok(Ending::Consistent) => {
                outcome.consistent = true;
                break;
            }
            Ok(Ending::Interrupted) => {}
            Ok(Ending::Cut { needed }) => size = needed,
            Err(error) => {
                rows.forget_after(before);
                return Err(error);
            }
        }
    }
    Ok(outcome)
}

/// How one attempt ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Consistent,
    /// The table changed under way, or messages were lost.
    Interrupted,
    /// A datagram did not fit into the buffer.
    Cut {
        needed: usize,
    },
}

impl Ending {
    /// Returns whether the one answer that was waited for came.
    fn answer(self) -> io::Result<()> {
        match self {
            Self::Consistent => Ok(()),
            Self::Interrupted | Self::Cut { .. } => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer was lost"))
            }
        }
    }
}

fn attempt(
    protocol: Option<Protocol>,
    request: &[u8],
    size: usize,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<Ending> {
    let kernel = SocketAddrNetlink::new(0, 0);
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
    retry_on_intr(|| sendto(&socket, request, SendFlags::empty(), &kernel))?;

    let mut buffer = vec![0; size];
    let mut interrupted = false;
    loop {
        // With MSG_TRUNC the second number is the datagram's real length.
        let (received, length, sender) =
            match retry_on_intr(|| recvfrom(&socket, &mut buffer, RecvFlags::TRUNC)) {
                Ok(received) => received,
                Err(rustix::io::Errno::NOBUFS) => return Ok(Ending::Interrupted),
                Err(error) => return Err(error.into()),
            };
        // Any process may send to a netlink socket; only the kernel's port is 0.
        if sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok()) != Some(kernel) {
            continue;
        }
        if length > received {
            return Ok(Ending::Cut { needed: length });
        }
        let datagram = buffer.get(..received).unwrap_or_default();
        match decode_datagram(datagram, &mut interrupted, each)? {
            Next::More => {}
            Next::Done if interrupted => return Ok(Ending::Interrupted),
            Next::Done => return Ok(Ending::Consistent),
        }
    }
}

/// Whether a datagram was the last.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    More,
    Done,
}

/// Hands each message of a datagram on, and finds the errors among them.
fn decode_datagram(
    mut bytes: &[u8],
    interrupted: &mut bool,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<Next> {
    while let Some(Message { header, payload, rest }) = split_message(bytes)? {
        bytes = rest;
        if header.sequence != SEQUENCE {
            continue;
        }
        *interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
        match header.kind {
            NLMSG_NOOP => {}
            NLMSG_OVERRUN => *interrupted = true,
            // Both carry a negative errno. A dump that fails late ends with DONE.
            NLMSG_ERROR | NLMSG_DONE => {
                return match i32::read_from_prefix(payload) {
                    Ok((errno @ ..0, _)) => {
                        Err(io::Error::from_raw_os_error(errno.saturating_neg()))
                    }
                    Ok(_) | Err(_) => Ok(Next::Done),
                };
            }
            _ => each(payload),
        }
    }
    Ok(Next::More)
}

/// One message of a datagram, and what comes after it.
struct Message<'a> {
    header: Header,
    payload: &'a [u8],
    rest: &'a [u8],
}

/// Splits the first message off; `None` at the end.
fn split_message(bytes: &[u8]) -> io::Result<Option<Message<'_>>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed netlink message");
    let (header, _) = Header::read_from_prefix(bytes).map_err(|_| malformed())?;
    let length = usize::try_from(header.length).map_err(|_| malformed())?;
    let payload = bytes.get(size_of::<Header>()..length).ok_or_else(malformed)?;
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Ok(Some(Message { header, payload, rest }))
}

fn encode_request(kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(size_of::<Header>() + body.len()).map_err(io::Error::other)?;
    let flags = NLM_F_REQUEST | flags;
    let header = Header { length, kind, flags, sequence: SEQUENCE, port: 0 };
    Ok([header.as_bytes(), body].concat())
}

/// The attributes after a message's fixed part: type and value of each. Ends at the first that
/// makes no sense.
#[derive(Debug, Clone)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, after) = u16::read_from_prefix(self.0).ok()?;
        let (kind, _) = u16::read_from_prefix(after).ok()?;
        let length = usize::from(length);
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & NLA_TYPE_MASK, value))
    }
}

impl<'a> Attributes<'a> {
    /// Returns the value of the first attribute of this type.
    pub(super) fn value(&self, kind: u16) -> Option<&'a [u8]> {
        self.clone().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// Returns the n-th number of the first attribute of this type.
    pub(super) fn number(&self, kind: u16, index: usize) -> Option<u32> {
        let (numbers, _) = self.value(kind)?.as_chunks();
        numbers.get(index).copied().map(u32::from_ne_bytes)
    }
}

/// Returns the messages of a recorded dump.
#[cfg(test)]
pub(super) fn recorded_messages(datagrams: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let next = decode_datagram(datagrams, &mut false, &mut |message| messages.push(message.into()));
    assert_eq!(next.expect("a dump that went well"), Next::Done);
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + payload.len()).unwrap();
        let mut bytes = Header { length, kind, flags, sequence, port: 0 }.as_bytes().to_vec();
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// Returns how a datagram ends, whether it was interrupted, and its payloads.
    fn decode(bytes: &[u8]) -> (io::Result<Next>, bool, Vec<Vec<u8>>) {
        let (mut interrupted, mut payloads) = (false, Vec::new());
        let next =
            decode_datagram(bytes, &mut interrupted, &mut |payload| payloads.push(payload.into()));
        (next, interrupted, payloads)
    }

    #[test]
    fn a_datagram_holds_several_messages_and_then_the_end() {
        let bytes =
            [message(20, 2, 1, b"abcde"), message(20, 2, 1, b"f"), message(3, 2, 1, &[0; 4])];
        let (next, interrupted, payloads) = decode(&bytes.concat());
        assert_eq!(next.unwrap(), Next::Done);
        assert!(!interrupted);
        assert_eq!(payloads, [b"abcde".to_vec(), b"f".to_vec()]);
    }

    #[test]
    fn a_kernel_error_is_an_error_also_at_the_end() {
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            let (next, ..) = decode(&message(kind, 0, 1, &(-2_i32).to_ne_bytes()));
            assert_eq!(next.unwrap_err().raw_os_error(), Some(2));
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_recorded_refusal_is_an_error() {
        let bytes = include_bytes!("../../../tests/fixtures/raw/linux/raw.netlink");
        let (next, _, payloads) = decode(bytes);
        assert_eq!(next.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(payloads, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn an_interrupted_dump_is_noticed_whatever_message_says_so() {
        for bytes in [
            message(20, NLM_F_DUMP_INTR, 1, b""),
            message(NLMSG_DONE, NLM_F_DUMP_INTR, 1, b""),
            message(NLMSG_OVERRUN, 0, 1, b""),
        ] {
            assert!(decode(&bytes).1);
        }
    }

    #[test]
    fn an_answer_to_another_request_is_passed_over() {
        let (next, _, payloads) =
            decode(&[message(20, 2, 9, b"old"), message(NLMSG_DONE, 0, 9, b"")].concat());
        assert_eq!(next.unwrap(), Next::More);
        assert_eq!(payloads, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_message_with_an_impossible_length_is_an_error() {
        let good = message(20, 2, 1, b"abcd");
        for length in [0_u32, 15, 21, u32::MAX] {
            let mut bad = good.clone();
            bad[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(decode(&bad).0.unwrap_err().kind(), io::ErrorKind::InvalidData, "{length}");
        }
        assert!(decode(&good[..10]).0.is_err());
    }

    #[test]
    fn attributes_end_at_one_without_sense() {
        // Type 11 with one byte and padding, then a nested one, then a length of 0, 3, too much.
        let good = [5, 0, 11, 0, 1, 0, 0, 0, 8, 0, 7, 0x80, 1, 2, 3, 4];
        let expected = vec![(11, &[1][..]), (7, &[1, 2, 3, 4][..])];
        if cfg!(target_endian = "little") {
            for bad in [&[][..], &[0, 0, 1, 0], &[3, 0, 1, 0], &[9, 0, 1, 0, 1], &[4, 0, 1]] {
                let bytes = [&good[..], bad].concat();
                assert_eq!(Attributes(&bytes).collect::<Vec<_>>(), expected, "{bad:?}");
            }
        }
    }

    #[test]
    fn a_refused_request_is_an_error_and_leaves_the_rows() {
        let mut rows = vec![7_u8];
        // A sock_diag request too short to name a family: EINVAL.
        let error = dump(20, &[], &mut rows, |_| Some(0)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(22));
        assert_eq!(rows, [7]);
    }

    /// Repeats attempts that end like this, each with a row of its number and an odd one. Returns
    /// the outcome, the rows behind one that was there before, and the sizes of the buffers.
    fn repeated(endings: Vec<io::Result<Ending>>) -> (io::Result<Outcome>, Vec<u8>, Vec<usize>) {
        let (mut rows, mut sizes) = (vec![99], Vec::new());
        let mut endings = (0_u8..).zip(endings);
        let outcome = repeat(
            &mut rows,
            |message| message.first().copied(),
            |size, each| {
                let (number, ending) = endings.next().expect("one more attempt");
                sizes.push(size);
                each(&[number]);
                each(&[]);
                ending
            },
        );
        (outcome, rows, sizes)
    }

    #[test]
    fn an_interrupted_dump_is_repeated_and_its_rows_forgotten() {
        let (outcome, rows, _) = repeated(vec![Ok(Ending::Interrupted), Ok(Ending::Consistent)]);
        assert_eq!(outcome.unwrap(), Outcome { consistent: true, malformed: 1 });
        assert_eq!(rows, [99, 1]);
    }

    #[test]
    fn a_dump_that_is_always_interrupted_gives_its_last_rows_and_says_so() {
        let (outcome, rows, _) = repeated((0..3).map(|_| Ok(Ending::Interrupted)).collect());
        assert_eq!(outcome.unwrap(), Outcome { consistent: false, malformed: 1 });
        assert_eq!(rows, [99, 2]);
    }

    #[test]
    fn a_cut_dump_is_repeated_with_a_buffer_that_holds_it() {
        let (outcome, rows, sizes) =
            repeated(vec![Ok(Ending::Cut { needed: 100_000 }), Ok(Ending::Consistent)]);
        assert!(outcome.unwrap().consistent);
        assert_eq!((rows, sizes), (vec![99, 1], vec![BUFFER, 100_000]));
    }

    #[test]
    fn an_error_midway_leaves_none_of_the_dumps_rows() {
        let (outcome, rows, _) = repeated(vec![Err(io::ErrorKind::NotFound.into())]);
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(rows, [99]);
    }

    #[test]
    fn a_datagram_that_does_not_fit_is_noticed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        // `struct inet_diag_req_v2` for TCP over IPv4, every state: a row needs more than 80 bytes.
        let mut body = vec![2, 6, 0, 0, 0xff, 0xff, 0xff, 0xff];
        body.resize(56, 0);
        let request = encode_request(20, NLM_F_DUMP, &body).unwrap();
        let ending = attempt(Some(SOCK_DIAG), &request, 80, &mut |_| {}).unwrap();
        assert!(matches!(ending, Ending::Cut { needed: 81.. }), "{ending:?}");
        drop(listener);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoders_panic(bytes: Vec<u8>) {
            // Either outcome is fine; what counts is that there is one.
            let _outcome = decode(&bytes);
            prop_assert!(Attributes(&bytes).count() <= bytes.len());
        }
    }
}
