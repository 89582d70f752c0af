//! The tables `net.inet.tcp.pcblist_n` and `net.inet.udp.pcblist_n`: every socket of the protocol,
//! whoever's, TIME_WAIT too (`get_pcblist_n`, xnu's bsd/netinet/in_pcblist.c). No header that Apple
//! gives away has them; its own netstat reads them.
//!
//! A header and a trailer enclose the rows. Each row is pieces that tell their length and kind, so a
//! kernel may add pieces, and fields at their ends.

use super::fdinfo::decode_family;
use super::layout as at;
use crate::platform::bsd::fields::Fields;
use crate::platform::bsd::pcb::{Common, End, INP_IPV6, Pcb};
use crate::socket::{Family, Protocol};

// `XSO_`, xnu's bsd/sys/socketvar.h. The piece of the control block begins a row.
const KIND_SOCKET: u32 = 0x001;
const KIND_RECEIVE_BUFFER: u32 = 0x002;
const KIND_SEND_BUFFER: u32 = 0x004;
const KIND_PCB: u32 = 0x010;
const KIND_TCP: u32 = 0x020;

/// Each piece begins at a multiple of this.
const ALIGNMENT: usize = 8;

/// The rows of a table, and how many could not be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) pcbs: Vec<Pcb>,
    pub(super) malformed: usize,
}

/// The pieces of one row; one that did not come is empty.
#[derive(Default)]
struct Pieces<'a> {
    pcb: &'a [u8],
    socket: &'a [u8],
    receive: &'a [u8],
    send: &'a [u8],
    tcp: &'a [u8],
}

/// Decodes a table. What follows a piece of impossible length cannot be read and counts as one row.
pub(super) fn decode(bytes: &[u8], protocol: Protocol) -> Rows {
    let mut rows = Rows::default();
    let mut row: Option<Pieces<'_>> = None;
    let mut rest = bytes.get(at::X_HEADER..).unwrap_or_default();
    // What is as long as the trailer, and not a piece longer, is the trailer.
    while rest.len() > at::X_HEADER {
        let fields = Fields(rest);
        let length = fields.u32(at::X_LEN).and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|&length| length > at::X_KIND && length <= rest.len())
        else {
            rows.malformed += 1;
            break;
        };
        let (piece, _) = rest.split_at(length);
        match fields.u32(at::X_KIND) {
            Some(KIND_PCB) => {
                rows.add(row.replace(Pieces { pcb: piece, ..Pieces::default() }), protocol);
            }
            Some(kind) => {
                if let Some(row) = &mut row {
                    row.put(kind, piece);
                }
            }
            None => {}
        }
        rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    rows.add(row, protocol);
    rows
}

impl Rows {
    fn add(&mut self, row: Option<Pieces<'_>>, protocol: Protocol) {
        match row.map(|row| row.decode(protocol)) {
            None => {}
            Some(Some(pcb)) => self.pcbs.push(pcb),
            Some(None) => self.malformed += 1,
        }
    }
}

impl<'a> Pieces<'a> {
    fn put(&mut self, kind: u32, piece: &'a [u8]) {
        match kind {
            KIND_SOCKET => self.socket = piece,
            KIND_RECEIVE_BUFFER => self.receive = piece,
            KIND_SEND_BUFFER => self.send = piece,
            KIND_TCP => self.tcp = piece,
            _ => {}
        }
    }

    fn decode(&self, protocol: Protocol) -> Option<Pcb> {
        let pcb = Fields(self.pcb);
        let socket = Fields(self.socket);
        let end = |address, port| Some(End { address: pcb.bytes(address)?, port: pcb.port(port)? });
        let versions = pcb.u8(at::X_VFLAG)?;
        // A control block whose socket is gone has none of its facts, and its versions say the family.
        let family = socket.u32(at::X_FAMILY).map(u32::cast_signed).and_then(decode_family);
        Some(Pcb {
            socket: Common {
                handle: socket.u64(at::X_SO)?,
                kind: socket.u16(at::X_TYPE)?,
                options: u16::try_from(socket.u32(at::X_OPTIONS)? & 0xffff).unwrap_or_default(),
                state: socket.u16(at::X_STATE)?,
                pending: socket.u16(at::X_QLEN)?.into(),
                limit: socket.u16(at::X_QLIMIT)?.into(),
                received: Fields(self.receive).u32(at::X_CC).unwrap_or_default(),
                unsent: Fields(self.send).u32(at::X_CC).unwrap_or_default(),
                uid: socket.u32(at::X_UID),
            },
            protocol,
            family: family.unwrap_or(if versions & INP_IPV6 == 0 {
                Family::Inet
            } else {
                Family::Inet6
            }),
            generation: pcb.u64(at::X_GENCNT)?,
            versions,
            flags: pcb.u32(at::X_FLAGS)?,
            local: end(at::X_LADDR, at::X_LPORT)?,
            peer: end(at::X_FADDR, at::X_FPORT)?,
            zone: 0,
            state: if protocol == Protocol::Tcp {
                Some(Fields(self.tcp).u8(at::X_TCP_STATE)?)
            } else {
                None
            },
            time_wait_ms: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::process::Uid;
    use crate::state::TcpState;
    use proptest::prelude::*;

    #[test]
    fn every_row_is_told_with_its_user_and_state() {
        let rows = decode(&sample::table(&[sample::listener(), sample::over()]), Protocol::Tcp);
        assert_eq!((rows.pcbs.len(), rows.malformed), (2, 0));
        assert_eq!(rows.pcbs[0], sample::listener());
        let over = rows.pcbs[1].to_socket();
        assert_eq!((over.state, over.inode, over.uid), (Some(TcpState::TimeWait), None, None));
        assert_eq!(rows.pcbs[0].to_socket().uid, Some(Uid(501)));
    }

    #[test]
    fn an_empty_table_is_a_header_alone_or_with_a_trailer() {
        assert_eq!(decode(&[0; at::X_HEADER], Protocol::Tcp), Rows::default());
        assert_eq!(decode(&sample::table(&[]), Protocol::Udp), Rows::default());
        assert_eq!(decode(&[], Protocol::Udp), Rows::default());
    }

    #[test]
    fn a_kind_of_piece_that_is_not_known_is_passed_over() {
        let mut bytes = sample::table(&[]);
        bytes.truncate(at::X_HEADER);
        bytes.extend(sample::piece(0x400, &[7; 13]));
        bytes.extend(sample::row(&sample::listener()));
        bytes.extend(sample::piece(0x400, &[7; 13]));
        bytes.extend([0; at::X_HEADER]);
        assert_eq!(decode(&bytes, Protocol::Tcp).pcbs, [sample::listener()]);
    }

    #[test]
    fn a_row_without_its_pieces_and_one_of_impossible_length_are_counted() {
        let mut bytes = sample::table(&[sample::listener()]);
        bytes.truncate(at::X_HEADER + 104);
        bytes.extend([0; at::X_HEADER]);
        assert_eq!(decode(&bytes, Protocol::Tcp), Rows { pcbs: vec![], malformed: 1 });
        let mut bytes = sample::table(&[sample::listener(), sample::over()]);
        let second = at::X_HEADER + sample::row(&sample::listener()).len();
        bytes[second..second + 4].copy_from_slice(&[255; 4]);
        let rows = decode(&bytes, Protocol::Tcp);
        assert_eq!((rows.pcbs.len(), rows.malformed), (1, 1));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, place: usize, garbage: Vec<u8>) {
            let _rows = decode(&bytes, Protocol::Tcp);
            let mut table = sample::table(&[sample::listener(), sample::over()]);
            let place = place % table.len();
            for (byte, garbage) in table.iter_mut().skip(place).zip(garbage) {
                *byte = garbage;
            }
            for pcb in decode(&table, Protocol::Tcp).pcbs {
                let _socket = pcb.to_socket();
            }
        }
    }
}
