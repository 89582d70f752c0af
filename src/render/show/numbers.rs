//! The numbers of a socket, each with its unit and what it counts.

use crate::details::Details;
use crate::explain;
use crate::render::sanitize;
use crate::render::show::Lines;
use crate::socket::{Protocol, Queues, Socket, Timer, TimerKind};
use crate::state::TcpState;
use crate::tcp_info::{Recovery, TcpInfo};

impl Lines {
    pub(super) fn queues(&mut self, socket: &Socket) {
        if let Some(Queues::Backlog { pending, limit }) = socket.queues {
            let limit = limit.map_or_else(String::new, |limit| {
                let full = if pending > limit { ": it is full" } else { "" };
                format!(", the limit is {limit}{full}")
            });
            return self
                .add("Queue", format!("{} to be accepted{limit}", plural(pending, "connection")));
        }
        if let Some(TcpState::Bound | TcpState::SynRecv | TcpState::TimeWait) = socket.state {
            // It has none: the kernel says 0.
            return;
        }
        let Some(counted) = explain::count(socket) else { return };
        let fin = if counted.fin_received {
            "; the end of the stream (FIN) waits too, which Recv-Q counts as 1"
        } else {
            ""
        };
        self.add("Received", format!("{} not read yet{fin}", plural(counted.unread, "byte")));
        let info = socket.details.as_ref().and_then(|details| details.tcp_info.as_deref());
        let waiting = info.and_then(|info| info.not_sent).filter(|bytes| *bytes > 0);
        let mark = match (counted.mark_sent, socket.state, waiting) {
            (false, ..) => "",
            (true, Some(TcpState::SynSent), _) => "; nor is our SYN, which Send-Q counts as 1",
            (true, _, None) => "; nor is our FIN, which Send-Q counts as 1",
            (true, _, Some(_)) => "; our FIN waits behind them, which Send-Q counts as 1",
        };
        // The FIN is the last to be sent, and counted among what was not.
        let not_sent = waiting
            .map(|bytes| bytes - u32::from(counted.mark_sent))
            .filter(|bytes| *bytes > 0)
            .map_or_else(String::new, |it| format!(", of which {it} were never sent yet"));
        let word = if socket.protocol == Protocol::Tcp { "acknowledged" } else { "sent" };
        self.add(
            "Written",
            format!("{} not {word} yet{not_sent}{mark}", plural(counted.unsent, "byte")),
        );
    }

    pub(super) fn tcp(&mut self, socket: &Socket, info: &TcpInfo, details: &Details) {
        if socket.state == Some(TcpState::SynSent) {
            // The rest comes with the answer.
            return self.windows(info, details, false);
        }
        let TcpInfo { rtt_us, rtt_variance_us, min_rtt_us, .. } = *info;
        if let Some(rtt) = rtt_us {
            let varies = rtt_variance_us.map_or_else(String::new, |it| format!(" ± {}", ms(it)));
            let least = min_rtt_us.map_or_else(String::new, |it| format!(", at least {}", ms(it)));
            self.add("Round trip", format!("{}{varies}{least}", ms(rtt)));
        }
        if let (Some(bytes), Some(segments)) = (info.bytes_out(), info.data_segments_out) {
            self.add(
                "Sent",
                format!("{} of data in {}", plural(bytes, "byte"), plural(segments, "segment")),
            );
        }
        if let Some(segments) = info.total_retrans.filter(|segments| *segments > 0) {
            let bytes = info.bytes_retrans.map_or_else(String::new, |it| format!(" ({it} bytes)"));
            self.add("Sent", format!("{} retransmitted{bytes}", plural(segments, "segment")));
        }
        if let (Some(bytes), Some(segments)) = (info.bytes_received, info.data_segments_in) {
            // The kernel counts a FIN as a byte received.
            let bytes = bytes.saturating_sub(u64::from(explain::has_peer_closed(socket)));
            let odd = info.out_of_order.filter(|segments| *segments > 0);
            let odd = odd.map_or_else(String::new, |it| format!(", {it} out of order"));
            let segments = plural(segments, "segment");
            self.add("Got", format!("{} of data in {segments}{odd}", plural(bytes, "byte")));
        }
        if let (Some(out), Some(taken)) = (info.segments_out, info.segments_in) {
            self.add(
                "Segments",
                format!("{out} sent and {taken} received, those without data too"),
            );
        }
        self.windows(info, details, true);
        if let Some(rate) = info.delivery_rate.filter(|rate| *rate > 0) {
            let limited =
                if info.app_limited == Some(true) { ", limited by the program" } else { "" };
            self.add("Rate", format!("{rate} bytes/s delivered{limited}"));
        }
        self.held_up(info);
        for (word, segments, ago) in [
            ("sent", info.data_segments_out, info.last_data_sent_ms),
            ("received", info.data_segments_in, info.last_data_received_ms),
        ] {
            if let (Some(1..), Some(ago)) = (segments, ago) {
                self.add("Idle", format!("data {word} {} ago", duration(ago)));
            }
        }
        if info.timestamps.is_some() {
            self.add("Agreed", agreed(info));
        }
    }

    /// Says how long it had something to send, and what held that up.
    fn held_up(&mut self, info: &TcpInfo) {
        let Some(busy) = info.busy_us.filter(|us| *us > 0) else { return };
        let by = [
            ("the peer's window", info.window_limited_us),
            ("our send buffer", info.buffer_limited_us),
        ];
        let by = by.into_iter().filter_map(|(what, us)| {
            let us = us.filter(|us| *us > 0)?;
            Some(format!(", {} of it held up by {what}", long(us)))
        });
        self.add("Busy", format!("{}{}", long(busy), by.collect::<String>()));
    }

    fn windows(&mut self, info: &TcpInfo, details: &Details, is_answered: bool) {
        if let (Some(cwnd), Some(mss)) = (info.cwnd, info.send_mss) {
            let by = details
                .congestion
                .as_ref()
                .map_or_else(String::new, |it| format!(" by {}", sanitize::text(it)));
            let slow = info
                .send_ssthresh
                .map_or_else(String::new, |it| format!(", slow start ends at {it}"));
            self.add(
                "Congestion",
                format!("window {} of {mss} bytes{by}{slow}", plural(cwnd, "segment")),
            );
        }
        let trouble = match info.recovery {
            None | Some(Recovery::Open) => None,
            Some(Recovery::Disorder) => Some("segments seem lost or reordered"),
            Some(Recovery::Cwr) => Some("slowed down: the network said that it is congested"),
            Some(Recovery::Recovery) => Some("sending lost segments again"),
            Some(Recovery::Loss) => Some("a retransmission timed out"),
        };
        if let Some(trouble) = trouble {
            self.add("Congestion", trouble);
        }
        if let Some(rto) = info.rto_us {
            self.add("Timeout", format!("an answer is waited for {} (RTO)", ms(rto)));
        }
        if let (Some(ours), Some(path)) = (info.advertised_mss, info.path_mtu) {
            self.add(
                "Sizes",
                format!("we take {ours} bytes a segment (advmss), the path {path} a packet (pmtu)"),
            );
        }
        if let Some(window) = info.send_window.filter(|_| is_answered) {
            let ours =
                info.receive_window.map_or_else(String::new, |it| format!(", we offer {it} bytes"));
            self.add("Windows", format!("the peer offers {window} bytes{ours}"));
        }
    }

    pub(super) fn details(&mut self, details: &Details) {
        if let Some(memory) = details.memory {
            let send = memory.send.max(memory.transmit);
            self.add(
                "Memory",
                format!(
                    "receive {} of {} bytes, send {send} of {} bytes, {} reserved",
                    memory.receive, memory.receive_limit, memory.send_limit, memory.reserved
                ),
            );
            for (what, bytes) in
                [("options and filters", memory.options), ("backlog", memory.backlog)]
            {
                if bytes > 0 {
                    self.add("Memory", format!("{what} {bytes} bytes"));
                }
            }
        }
        if let Some(drops) = details.drops {
            self.add("Dropped", drops.to_string());
        }
        if let (None, Some(name)) = (&details.tcp_info, &details.congestion) {
            self.add("Congestion", sanitize::text(name));
        }
        if let Some(options) = details.options.as_deref().filter(|options| !options.is_empty()) {
            let names: Vec<&str> = options.iter().map(|option| option.name()).collect();
            self.add("Options", names.join(", "));
        }
        for (name, value) in [
            ("type of service", details.tos.map(u32::from)),
            ("traffic class", details.traffic_class.map(u32::from)),
            ("mark", details.mark),
        ] {
            if let Some(value) = value.filter(|value| *value != 0) {
                self.add("Marked", format!("{name} {value:#x}"));
            }
        }
    }
}

/// Says what timer runs, and what it is for.
pub(super) fn timer(socket: &Socket) -> String {
    let Some(Timer { kind, expires_ms, retransmits }) = socket.timer else {
        return "none runs".to_owned();
    };
    let time = duration(expires_ms);
    let so_far = |word: &str| {
        if retransmits == 0 { String::new() } else { format!(", {retransmits} {word} so far") }
    };
    match kind {
        TimerKind::On => format!("sends again in {time}{}", so_far("retransmissions")),
        TimerKind::Keepalive if socket.inode.is_none() => format!("the kernel drops it in {time}"),
        TimerKind::Keepalive => format!("keepalive probe in {time}{}", so_far("unanswered")),
        TimerKind::Timewait => format!("the kernel drops it in {time}"),
        TimerKind::Persist => {
            format!("the peer's window is closed; asks again in {time}{}", so_far("unanswered"))
        }
        TimerKind::Other(number) => format!("number {number} runs out in {time}"),
    }
}

/// Lists what the two ends agreed on in the handshake.
fn agreed(info: &TcpInfo) -> String {
    let mut words: Vec<String> = Vec::new();
    for (name, flag) in [("timestamps", info.timestamps), ("SACK", info.sack), ("ECN", info.ecn)] {
        if flag == Some(true) {
            words.push(name.to_owned());
        }
    }
    if let (Some(send), Some(receive)) = (info.send_scale, info.receive_scale) {
        words.push(format!("windows scaled by 2^{send} (theirs) and 2^{receive} (ours)"));
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn plural(number: impl Into<u64>, unit: &str) -> String {
    let number = number.into();
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{s}")
}

/// Writes microseconds as milliseconds.
fn ms(us: u32) -> String {
    format!("{}.{:03} ms", us / 1000, us % 1000)
}

/// Writes milliseconds as a person says them.
pub(super) fn duration(ms: u32) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..600_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        600_000.. => format!("{} min", ms / 60_000),
    }
}

/// Writes microseconds as a person says them.
fn long(us: u64) -> String {
    duration(u32::try_from(us / 1000).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_exact_as_it_needs_to_be() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_999, "59.9 s"),
            (600_000, "10 min"),
            (u32::MAX, "71582 min"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }
}
