//! Sockets made up for the tests of both kernels.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::pcb::{Common, End, Pcb};
use crate::snapshot::{Collected, Timestamp};
use crate::socket::{Family, Protocol};

/// Writes the bytes at this place.
pub(in crate::platform) fn put(bytes: &mut [u8], offset: usize, field: &[u8]) {
    bytes[offset..offset + field.len()].copy_from_slice(field);
}

/// An end of IPv4.
pub(in crate::platform) fn v4(address: [u8; 4], port: u16) -> End {
    let mut end = End { port, ..End::default() };
    end.address[12..].copy_from_slice(&address);
    end
}

/// A TCP listener with two of 128 waiting.
pub(in crate::platform) fn listening(handle: u64, generation: u64, local: End, uid: u32) -> Pcb {
    Pcb {
        socket: Common {
            handle,
            kind: 1,
            options: 0x0002 | 0x0004,
            state: 0,
            pending: 2,
            limit: 128,
            received: 0,
            unsent: 0,
            uid: Some(uid),
        },
        protocol: Protocol::Tcp,
        family: Family::Inet,
        generation,
        versions: 1,
        flags: 0,
        local,
        peer: End::default(),
        zone: 0,
        state: Some(1),
        time_wait_ms: None,
    }
}

/// An open TCP connection with nothing in its buffers.
pub(in crate::platform) fn connected(
    handle: u64,
    generation: u64,
    local: End,
    peer: End,
    uid: u32,
) -> Pcb {
    let listener = listening(handle, generation, local, uid);
    let socket = Common { options: 0, state: 2, pending: 0, limit: 0, ..listener.socket };
    Pcb { socket, peer, state: Some(4), ..listener }
}

/// Compares a collection with the recording of this name in `tests/fixtures/collected`; writes it when
/// `BLESS` is set. Its time is always the same.
#[expect(clippy::disallowed_methods, reason = "only tests bless")]
pub(in crate::platform) fn assert_recorded(mut collected: Collected, name: &str) {
    let moment = Duration::from_secs(1_763_805_601);
    collected.collected_at = Timestamp(SystemTime::UNIX_EPOCH + moment);
    let mut recorded = Vec::new();
    crate::platform::replay::record(&collected, &mut recorded).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/collected");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(folder.join(name), &recorded).unwrap();
    }
    let expected = std::fs::read_to_string(folder.join(name)).unwrap().replace("\r\n", "\n");
    assert_eq!(String::from_utf8(recorded).unwrap(), expected);
}
