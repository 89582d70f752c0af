//! What the kernel counts and measures of a TCP connection: Linux's `struct tcp_info`
//! (linux/include/uapi/linux/tcp.h), with units.
//!
//! The struct only ever grows at its end, so a kernel of any age sends a prefix of the newest one:
//! 104 bytes before Linux 3.15, 280 since 6.18. A field that lies behind the end is `None`, and so
//! is one whose value is the kernel's own word for "none yet".

use serde::{Deserialize, Serialize};

macro_rules! tcp_info {
    ($(
        $(#[doc = $doc:literal])+
        $offset:literal $name:ident: $number:ty $(, none: $none:expr)?;
    )+) => {
        /// What is known of a connection beyond its state. See [`crate::tcp_info`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
        #[serde(default)]
        #[non_exhaustive]
        pub struct TcpInfo {
            /// How it takes losses now; `None` for a number this version does not know.
            pub recovery: Option<Recovery>,
            /// Whether segments carry timestamps (RFC 7323).
            pub timestamps: Option<bool>,
            /// Whether selective acknowledgments were agreed on (RFC 2018).
            pub sack: Option<bool>,
            /// Whether congestion notification was agreed on (RFC 3168).
            pub ecn: Option<bool>,
            /// The binary logarithm of what the peer's windows are multiplied by; `None` when no
            /// scaling was agreed on (RFC 7323).
            pub send_scale: Option<u8>,
            /// The binary logarithm of what our windows are multiplied by, likewise.
            pub receive_scale: Option<u8>,
            /// Whether the delivery rate was limited by the program, not by the network.
            pub app_limited: Option<bool>,
            $( $(#[doc = $doc])+ pub $name: Option<$number>, )+
        }

        impl TcpInfo {
            /// Decodes what a kernel sent, in this machine's byte order, as far as it goes.
            pub fn decode(bytes: &[u8]) -> Self {
                let mut info = Self::decode_flags(bytes);
                $(
                    info.$name = (|| Some(
                        <$number>::from_ne_bytes(*bytes.get($offset..)?.first_chunk()?)
                    ))();
                    $( info.$name = info.$name.filter(|number| *number != $none); )?
                )+
                info
            }
        }

        /// The numbers' names with their places, for the test of the layout.
        #[cfg(test)]
        const LAYOUT: &[(&str, usize, usize)] =
            &[$((stringify!($name), $offset, size_of::<$number>())),+];
    };
}

tcp_info! {
    /// How often the oldest unacknowledged segment was retransmitted by now.
    2 retransmits: u8;
    /// How many zero-window or keepalive probes are unanswered.
    3 probes: u8;
    /// By how many doublings the retransmission timeout has grown.
    4 backoff: u8;
    /// The retransmission timeout, in microseconds.
    8 rto_us: u32;
    /// How long an acknowledgment may be delayed, in microseconds.
    12 ato_us: u32;
    /// The most bytes a segment sent may hold.
    16 send_mss: u32;
    /// The most bytes a segment received seems to hold.
    20 receive_mss: u32;
    /// Segments sent and not acknowledged.
    24 unacked: u32;
    /// Of those, the ones selectively acknowledged.
    28 sacked: u32;
    /// Of those, the ones taken for lost.
    32 lost: u32;
    /// Of those, the ones on their way again.
    36 retrans: u32;
    /// Milliseconds since data was last sent.
    44 last_data_sent_ms: u32;
    /// Milliseconds since data was last received.
    52 last_data_received_ms: u32;
    /// Milliseconds since an acknowledgment was last received.
    56 last_ack_received_ms: u32;
    /// The largest packet the path takes, in bytes.
    60 path_mtu: u32;
    /// Up to where the window we offer may grow at once, in bytes.
    64 receive_ssthresh: u32;
    /// The smoothed round trip time, in microseconds; `None` before the first was measured.
    68 rtt_us: u32, none: 0;
    /// The round trip time's mean deviation, in microseconds.
    72 rtt_variance_us: u32;
    /// The window at which slow start ends, in segments; `None` before the first loss.
    76 send_ssthresh: u32, none: 0x7fff_ffff;
    /// The congestion window, in segments.
    80 cwnd: u32;
    /// The largest segment the peer was told that we take, in bytes.
    84 advertised_mss: u32;
    /// By how many segments the path is taken to reorder.
    88 reordering: u32;
    /// The receiver's estimate of the round trip time, in microseconds; `None` before the first.
    92 receive_rtt_us: u32, none: 0;
    /// The bytes the program is taken to read in a round trip.
    96 receive_space: u32;
    /// Segments retransmitted so far.
    100 total_retrans: u32;
    /// The rate at which it sends, in bytes a second; `None` when unlimited. Linux 3.15.
    104 pacing_rate: u64, none: u64::MAX;
    /// The most that rate may be, in bytes a second; `None` when unlimited. Linux 3.15.
    112 max_pacing_rate: u64, none: u64::MAX;
    /// Bytes the peer has acknowledged; a SYN and a FIN count as one each. Linux 4.1.
    120 bytes_acked: u64;
    /// Bytes received in order; a FIN counts as one. Linux 4.1.
    128 bytes_received: u64;
    /// Segments sent. Linux 4.2.
    136 segments_out: u32;
    /// Segments received. Linux 4.2.
    140 segments_in: u32;
    /// Bytes the program has written that were never sent yet. Linux 4.6.
    144 not_sent: u32;
    /// The least round trip time of late, in microseconds; `None` before the first. Linux 4.6.
    148 min_rtt_us: u32, none: u32::MAX;
    /// Segments with data received. Linux 4.6.
    152 data_segments_in: u32;
    /// Segments with data sent. Linux 4.6.
    156 data_segments_out: u32;
    /// The rate at which data lately arrived at the peer, in bytes a second. Linux 4.9.
    160 delivery_rate: u64;
    /// For how long it had something to send, in microseconds. Linux 4.10.
    168 busy_us: u64;
    /// Of that, for how long the peer's window held it up, in microseconds. Linux 4.10.
    176 window_limited_us: u64;
    /// Of that, for how long its send buffer did, in microseconds. Linux 4.10.
    184 buffer_limited_us: u64;
    /// Segments with data that arrived at the peer, retransmissions included. Linux 4.18.
    192 delivered: u32;
    /// Of those, the ones marked for congestion. Linux 4.18.
    196 delivered_ce: u32;
    /// Bytes of data sent, retransmissions included. Linux 4.19.
    200 bytes_sent: u64;
    /// Bytes of data retransmitted. Linux 4.19.
    208 bytes_retrans: u64;
    /// Duplicates the peer reported: retransmissions that were not needed. Linux 4.19.
    216 dsack_duplicates: u32;
    /// How often reordering was seen. Linux 4.19.
    220 reorderings: u32;
    /// Segments received out of order. Linux 5.4.
    224 out_of_order: u32;
    /// The window the peer offers, in bytes. Linux 5.4.
    228 send_window: u32;
    /// The window we offer, in bytes. Linux 6.2.
    232 receive_window: u32;
    /// How often another path was tried after a timeout. Linux 6.2.
    236 rehashes: u32;
    /// How often the retransmission timeout was reached. Linux 6.7.
    240 timeouts: u16;
    /// How often a recovery from that began. Linux 6.7.
    242 timeout_recoveries: u16;
    /// The time spent in such recoveries, in milliseconds. Linux 6.7.
    244 timeout_recovery_ms: u32;
    /// Packets received that were marked for congestion. Linux 6.18, as all that follow.
    248 received_ce: u32;
    /// Bytes that arrived at the peer with ECT(1), as it tells by AccECN.
    252 delivered_e1_bytes: u32;
    /// Bytes that arrived at the peer with ECT(0).
    256 delivered_e0_bytes: u32;
    /// Bytes that arrived at the peer with a mark for congestion.
    260 delivered_ce_bytes: u32;
    /// Bytes received with ECT(1).
    264 received_e1_bytes: u32;
    /// Bytes received with ECT(0).
    268 received_e0_bytes: u32;
    /// Bytes received with a mark for congestion.
    272 received_ce_bytes: u32;
    /// Why AccECN failed, in the kernel's bits; 0 when it did not.
    276 accecn_fail_mode: u16;
    /// Whether the AccECN option was seen, in the kernel's numbers.
    278 accecn_option_seen: u16;
}

impl TcpInfo {
    /// Decodes the first eight bytes but for the plain counters among them.
    fn decode_flags(bytes: &[u8]) -> Self {
        let byte = |offset: usize| bytes.get(offset).copied();
        let agreed = |bit: u8| byte(5).map(|options| options & bit != 0);
        let (low, high) = (byte(6).map(|scales| scales & 0xf), byte(6).map(|scales| scales >> 4));
        // C lays out bit-fields from the end that the machine counts bits from.
        let (send, receive) =
            if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
        let app_limited = if cfg!(target_endian = "little") { 0x01 } else { 0x80 };
        let scaled = agreed(4) == Some(true);
        Self {
            recovery: byte(1).and_then(Recovery::from_linux),
            timestamps: agreed(1),
            sack: agreed(2),
            ecn: agreed(8),
            send_scale: send.filter(|_| scaled),
            receive_scale: receive.filter(|_| scaled),
            app_limited: byte(7).map(|flags| flags & app_limited != 0),
            ..Self::default()
        }
    }

    /// Returns the bytes of data sent, each counted once: without retransmissions. From kernels that
    /// do not count those (before Linux 4.19), what the peer acknowledged.
    pub fn bytes_out(&self) -> Option<u64> {
        let once = self.bytes_sent.zip(self.bytes_retrans);
        once.map(|(sent, again)| sent.saturating_sub(again)).or(self.bytes_acked)
    }
}

/// How a connection takes losses (`enum tcp_ca_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Recovery {
    /// Nothing is amiss.
    Open,
    /// Segments seem lost or reordered; it waits to know.
    Disorder,
    /// The window was reduced because the network said that it is congested.
    Cwr,
    /// Lost segments are being retransmitted.
    Recovery,
    /// The retransmission timeout was reached.
    Loss,
}

impl Recovery {
    const fn from_linux(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Open),
            1 => Some(Self::Disorder),
            2 => Some(Self::Cwr),
            3 => Some(Self::Recovery),
            4 => Some(Self::Loss),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of the struct over time: the last field of each must end there.
    const LENGTHS: [usize; 12] = [104, 120, 136, 144, 160, 168, 192, 200, 224, 232, 240, 280];

    #[test]
    fn the_fields_follow_each_other_and_end_where_each_version_of_the_struct_did() {
        let mut end = 8;
        for &(name, offset, size) in LAYOUT.iter().skip_while(|(_, offset, _)| *offset < 8) {
            // Left out: what the kernel no longer fills (tcpi_fackets, tcpi_last_ack_sent).
            let unused = matches!(offset, 44 | 52);
            assert_eq!(offset, if unused { end + 4 } else { end }, "{name}");
            end = offset + size;
            assert_eq!(offset % size, 0, "{name} is aligned");
        }
        let ends: Vec<usize> = LAYOUT.iter().map(|(_, offset, size)| offset + size).collect();
        for length in LENGTHS {
            assert!(ends.contains(&length), "{length}");
        }
    }

    #[test]
    fn a_shorter_struct_has_fewer_fields_and_a_longer_one_does_no_harm() {
        for length in 0..400_usize {
            let info = TcpInfo::decode(&vec![1; length]);
            assert_eq!(info.cwnd.is_some(), length >= 84, "{length}");
            assert_eq!(info.bytes_received.is_some(), length >= 136, "{length}");
            assert_eq!(info.receive_window.is_some(), length >= 236, "{length}");
            assert_eq!(info.accecn_option_seen.is_some(), length >= 280, "{length}");
        }
    }

    #[test]
    fn what_means_none_is_none() {
        let mut bytes = [0xff; 280];
        bytes[68..72].fill(0);
        bytes[76..80].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
        let info = TcpInfo::decode(&bytes);
        assert_eq!((info.rtt_us, info.min_rtt_us), (None, None));
        assert_eq!((info.send_ssthresh, info.max_pacing_rate), (None, None));
        assert_eq!(info.recovery, None, "no such number");
        assert_eq!(info.cwnd, Some(u32::MAX));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_bits_are_where_the_kernel_has_them() {
        // Of a connection of Linux 6.18: timestamps, SACK, scales 7 and 10, limited by the program.
        let info = TcpInfo::decode(&[1, 0, 0, 0, 0, 7, 0xa7, 1]);
        assert_eq!((info.timestamps, info.sack, info.ecn), (Some(true), Some(true), Some(false)));
        assert_eq!((info.send_scale, info.receive_scale), (Some(7), Some(10)));
        assert_eq!((info.recovery, info.app_limited), (Some(Recovery::Open), Some(true)));
        let unscaled = TcpInfo::decode(&[1, 4, 0, 0, 0, 0, 0xa7, 0]);
        assert_eq!((unscaled.send_scale, unscaled.recovery), (None, Some(Recovery::Loss)));
    }

    #[test]
    fn bytes_out_are_counted_once() {
        let mut info = TcpInfo { bytes_acked: Some(101), ..TcpInfo::default() };
        assert_eq!(info.bytes_out(), Some(101), "an old kernel");
        (info.bytes_sent, info.bytes_retrans) = (Some(150), Some(50));
        assert_eq!(info.bytes_out(), Some(100));
    }

    #[test]
    fn it_survives_a_recording_and_an_older_one_lacks_fields() {
        let info = TcpInfo::decode(&[7; 280]);
        let json = serde_json::to_string(&info).unwrap();
        assert_eq!(serde_json::from_str::<TcpInfo>(&json).unwrap(), info);
        assert_eq!(serde_json::from_str::<TcpInfo>("{}").unwrap(), TcpInfo::default());
    }
}
