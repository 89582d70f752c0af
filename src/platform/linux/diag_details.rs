//! The extensions of an inet_diag row (`inet_sk_diag_fill`, linux/net/ipv4/inet_diag.c): counters,
//! buffers and options of one socket.
//!
//! Pure, as [`super::inet_diag`] is.

use super::netlink::Attributes;
use crate::details::{Details, Memory, Shutdown, SocketOption};
use crate::socket::{Protocol, Socket};
use crate::state::TcpState;
use crate::tcp_info::TcpInfo;
use crate::text::Text;

// linux/include/uapi/linux/inet_diag.h
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_CONG: u16 = 4;
const INET_DIAG_TOS: u16 = 5;
const INET_DIAG_TCLASS: u16 = 6;
const INET_DIAG_SKMEMINFO: u16 = 7;
const INET_DIAG_SHUTDOWN: u16 = 8;
const INET_DIAG_MARK: u16 = 15;
const INET_DIAG_SOCKOPT: u16 = 22;

/// The extensions asked for, a bit for each. The others come unasked. Not asked for is
/// `INET_DIAG_MEMINFO`: all of it is in `INET_DIAG_SKMEMINFO` too.
pub(crate) const EXTENSIONS: u8 = 1 << (INET_DIAG_INFO - 1)
    | 1 << (INET_DIAG_CONG - 1)
    | 1 << (INET_DIAG_TOS - 1)
    | 1 << (INET_DIAG_TCLASS - 1)
    | 1 << (INET_DIAG_SKMEMINFO - 1);

/// Decodes the attributes behind a row; what is cut or missing stays absent.
pub(crate) fn decode(attributes: &[u8], socket: &Socket) -> Details {
    let mut details = Details::default();
    for (kind, value) in Attributes(attributes) {
        match kind {
            INET_DIAG_INFO if has_connection(socket) => {
                details.tcp_info = Some(Box::new(TcpInfo::decode(value)));
            }
            INET_DIAG_CONG => details.congestion = decode_name(value),
            INET_DIAG_TOS => details.tos = value.first().copied(),
            INET_DIAG_TCLASS => details.traffic_class = value.first().copied(),
            INET_DIAG_SKMEMINFO => (details.memory, details.drops) = decode_memory(value),
            INET_DIAG_SHUTDOWN => {
                details.shutdown = value.first().copied().map(decode_shutdown);
            }
            INET_DIAG_MARK => {
                details.mark = value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
            }
            INET_DIAG_SOCKOPT => details.options = decode_options(value),
            _ => {}
        }
    }
    details
}

/// The kernel fills the struct for what is no connection too, with the values one would start with.
/// Other protocols have structs of their own.
fn has_connection(socket: &Socket) -> bool {
    let state = socket.state.filter(|_| socket.protocol == Protocol::Tcp);
    state.is_some_and(|state| {
        !matches!(state, TcpState::Listen | TcpState::Bound | TcpState::Closed)
    })
}

/// Decodes a name that ends with a NUL.
fn decode_name(value: &[u8]) -> Option<Text> {
    let name = value.split(|byte| *byte == 0).next()?;
    (!name.is_empty()).then(|| Text::new(name))
}

/// Decodes the numbers of `sk_get_meminfo` (linux/include/uapi/linux/sock_diag.h); the count of drops
/// is the last of them, and came last.
fn decode_memory(value: &[u8]) -> (Option<Memory>, Option<u32>) {
    let number = |index: usize| {
        let bytes = value.get(index * 4..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    let memory = || {
        Some(Memory {
            receive: number(0)?,
            receive_limit: number(1)?,
            transmit: number(2)?,
            send_limit: number(3)?,
            reserved: number(4)?,
            send: number(5)?,
            options: number(6)?,
            backlog: number(7)?,
        })
    };
    (memory(), number(8))
}

/// Decodes `sk_shutdown` (`RCV_SHUTDOWN`, `SEND_SHUTDOWN`, linux/include/net/sock.h).
const fn decode_shutdown(bits: u8) -> Shutdown {
    Shutdown { receive: bits & 1 != 0, send: bits & 2 != 0 }
}

/// Decodes `struct inet_diag_sockopt`: a bit for each option, of which multicast's two are set on a
/// new socket. Left out is `is_icsk`, which is a kind of socket and no option.
fn decode_options(value: &[u8]) -> Option<Vec<SocketOption>> {
    let [first, second] = *value.first_chunk()?;
    let is_set = |byte: u8, place: u8| {
        // C lays out bit-fields from the end that the machine counts bits from.
        let place = if cfg!(target_endian = "little") { place } else { 7 - place };
        byte & 1 << place != 0
    };
    let differs = [
        (is_set(first, 0), SocketOption::Recverr),
        (is_set(first, 2), SocketOption::Freebind),
        (is_set(first, 3), SocketOption::Hdrincl),
        (!is_set(first, 4), SocketOption::NoMulticastLoop),
        (is_set(first, 5), SocketOption::Transparent),
        (!is_set(first, 6), SocketOption::NoMulticastAll),
        (is_set(first, 7), SocketOption::Nodefrag),
        (is_set(second, 0), SocketOption::BindAddressNoPort),
        (is_set(second, 1), SocketOption::RecverrRfc4884),
        (is_set(second, 2), SocketOption::DeferConnect),
    ];
    Some(differs.into_iter().filter(|(differs, _)| *differs).map(|(_, option)| option).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::socket::{Family, Protocol, SocketId};

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn socket(state: Option<TcpState>) -> Socket {
        Socket { state, ..Socket::new(SocketId(0), Protocol::Tcp, Family::Inet) }
    }

    fn decoded(kind: u16, value: &[u8]) -> Details {
        decode(&attribute(kind, value), &socket(Some(TcpState::Established)))
    }

    #[test]
    fn memory_has_eight_numbers_and_drops_are_the_ninth() {
        let numbers: Vec<u8> = (1..=9_u32).flat_map(u32::to_ne_bytes).collect();
        let details = decoded(INET_DIAG_SKMEMINFO, &numbers);
        let memory = details.memory.unwrap();
        assert_eq!((memory.receive, memory.receive_limit, memory.transmit), (1, 2, 3));
        assert_eq!((memory.send_limit, memory.reserved, memory.send), (4, 5, 6));
        assert_eq!((memory.options, memory.backlog, details.drops), (7, 8, Some(9)));
        // The kernel of before drops were counted, and one cut short.
        let older = decoded(INET_DIAG_SKMEMINFO, &numbers[..32]);
        assert_eq!((older.memory, older.drops), (Some(memory), None));
        assert_eq!(decoded(INET_DIAG_SKMEMINFO, &numbers[..31]), Details::default());
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_new_socket_has_no_option_that_differs() {
        assert_eq!(decoded(INET_DIAG_SOCKOPT, &[0b0101_0010, 0]).options, Some(vec![]));
        let all: Vec<SocketOption> = SocketOption::ALL.map(|(option, _)| option).into();
        assert_eq!(decoded(INET_DIAG_SOCKOPT, &[0b1010_1101, 7]).options, Some(all));
        assert_eq!(decoded(INET_DIAG_SOCKOPT, &[0]).options, None);
    }

    #[test]
    fn a_name_ends_at_its_nul() {
        assert_eq!(decoded(INET_DIAG_CONG, b"cubic\0").congestion, Some("cubic".into()));
        assert_eq!(decoded(INET_DIAG_CONG, b"\0").congestion, None);
    }

    #[test]
    fn shutdown_mark_and_classes_are_read() {
        let both = Shutdown { receive: true, send: true };
        assert_eq!(decoded(INET_DIAG_SHUTDOWN, &[3]).shutdown, Some(both));
        let receive = Shutdown { receive: true, send: false };
        assert_eq!(decoded(INET_DIAG_SHUTDOWN, &[1]).shutdown, Some(receive));
        assert_eq!(decoded(INET_DIAG_MARK, &77_u32.to_ne_bytes()).mark, Some(77));
        assert_eq!(decoded(INET_DIAG_TOS, &[16]).tos, Some(16));
        assert_eq!(decoded(INET_DIAG_TCLASS, &[32]).traffic_class, Some(32));
    }

    #[test]
    fn only_a_connection_has_counters() {
        let info = attribute(INET_DIAG_INFO, &[1; 280]);
        for (state, has) in [
            (Some(TcpState::Established), true),
            (Some(TcpState::SynSent), true),
            (Some(TcpState::Listen), false),
            (Some(TcpState::Bound), false),
            (Some(TcpState::Closed), false),
            (None, false),
        ] {
            assert_eq!(decode(&info, &socket(state)).tcp_info.is_some(), has, "{state:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>, kind in 0_u16..24) {
            let _details = decode(&attribute(kind, &bytes), &socket(Some(TcpState::Established)));
            let _details = decode(&bytes, &socket(None));
        }
    }
}
