//! All eleven states of TCP at once, held still by one process: what `sockscope show` says of each in
//! words, and that its numbers are those of `ss -tieomn` of the same socket.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::netns;
use crate::support::{self, Running, skip};

/// Makes every state, and prints each with the port that it alone has, in the order of the making.
///
/// What is stuck fills a connection whose peer never reads: then the FIN waits behind the data.
const MUSEUM: &str = "
import socket, time
kept = []
def server(backlog=8): return socket.create_server(('127.0.0.1', 0), backlog=backlog)
def connect(listener): return socket.create_connection(listener.getsockname())
def pair():
    with server() as listener:
        client = connect(listener)
        return client, listener.accept()[0]
def stuff(stream):
    stream.setblocking(False)
    try:
        while True: stream.send(b'x' * 65536)
    except BlockingIOError: pass
def show(state, shown, *others):
    kept.extend([shown, *others])
    found.append(f'{state} {shown.getsockname()[1]}')
found = []
FIN = socket.SHUT_WR

listener = server()
show('LISTEN', listener, connect(listener))
bound = socket.socket()
bound.bind(('127.0.0.1', 0))
show('BOUND', bound)
full = server(0)
waiting, asking = connect(full), socket.socket()
# Its queue is full when the kernel has seen the end of the handshake: tcpi_unacked counts those that wait.
while not any(full.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)[24:]): time.sleep(0.002)
asking.setblocking(False)
asking.connect_ex(full.getsockname())
show('SYN_SENT', asking, waiting, full)
deferring = server()
deferring.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 600)
show('SYN_RECV', deferring, connect(deferring))
client, peer = pair()
client.send(b'x' * 5000)
peer.recv(5000)
peer.send(b'x' * 70)
show('ESTABLISHED', client, peer)
client, peer = pair()
stuff(client)
client.shutdown(FIN)
show('FIN_WAIT1', client, peer)
client, peer = pair()
client.shutdown(FIN)
show('FIN_WAIT2', client)
show('CLOSE_WAIT', peer)
client, peer = pair()
stuff(client)
client.shutdown(FIN)
peer.shutdown(FIN)
show('CLOSING', client, peer)
client, peer = pair()
peer.shutdown(FIN)
client.recv(1)
stuff(client)
client.shutdown(FIN)
show('LAST_ACK', client, peer)
client, peer = pair()
found.append(f'TIME_WAIT {client.getsockname()[1]}')
client.close()
peer.recv(1)
peer.close()
print(*found, flush=True)
time.sleep(600)
";

/// What the page says of each state beside its numbers: what it is, what ends it, who must act. `ME`
/// is the process.
const WORDS: [(&str, [&str; 3]); 11] = [
    ("LISTEN", ["waits for connections", "by the owner's close; never by itself", "ME"]),
    (
        "BOUND",
        [
            "holds a port, neither listening nor connected",
            "by the owner's listen, connect or close; never by itself",
            "ME",
        ],
    ),
    (
        "SYN_SENT",
        ["there is no answer yet", "by an answer, a refusal, or the last retry", "the peer, ME"],
    ),
    ("SYN_RECV", ["waits for the handshake's end", "by the peer's ACK", "the peer, ME"]),
    ("ESTABLISHED", ["open both ways", "by a close of either end", "ME or the peer, ME"]),
    (
        "FIN_WAIT1, peer's window closed",
        [
            "closed here, but the peer does not read",
            "by the peer's reading, or its abort; never by itself while the peer answers our probes",
            "the peer, ME",
        ],
    ),
    (
        "FIN_WAIT2",
        [
            "closed here, which the peer has acknowledged; the peer has not closed",
            "by the peer's close; never by itself while a process holds it",
            "the peer, ME",
        ],
    ),
    (
        "CLOSE_WAIT",
        [
            "the peer has closed, the owner here has not",
            "by the owner's close; never by itself",
            "ME",
        ],
    ),
    (
        "CLOSING, peer's window closed",
        [
            "both ends closed, but the peer does not read",
            "never by itself while the peer answers our probes",
            "the peer, ME",
        ],
    ),
    (
        "LAST_ACK, peer's window closed",
        [
            "the peer closed first, then the owner, but the peer does not read",
            "never by itself while the peer answers our probes",
            "the peer, ME",
        ],
    ),
    ("TIME_WAIT", ["over; it was closed here first", "by time alone; after 60 s", "nobody"]),
];

#[test]
fn every_state_has_its_words_and_the_numbers_of_ss() {
    netns::in_netns("museum::every_state_has_its_words_and_the_numbers_of_ss", || {
        let (Some(python), Some(ss)) = (support::program("python3"), support::program("ss")) else {
            return skip("needs python3 and ss (iproute2)");
        };
        let (museum, line) =
            Running::start_and_read_line(Command::new(python).args(["-c", MUSEUM]));
        let me = format!("python3 (PID {})", museum.pid());
        let words: Vec<&str> = line.split(' ').collect();
        let found: Vec<(&str, &str)> = words.chunks(2).map(|two| (two[0], two[1])).collect();
        assert_eq!(found.len(), WORDS.len(), "the museum fell: {line}");
        // The last one, TIME_WAIT, has a minute.
        for ((state, port), (name, sentences)) in found.iter().zip(WORDS).rev() {
            let [here, ends, acts] = sentences.map(|text| text.replace("ME", &me));
            let page = page_as_of_ss(&ss, state, port);
            assert_says(&page, &format!("State        {name}: "));
            for sentence in [&here, &ends, &format!("To act       {acts}\n")] {
                assert_says(&page, sentence);
            }
        }
    });
}

#[track_caller]
fn assert_says(page: &str, sentence: &str) {
    assert!(page.contains(sentence), "no '{sentence}' in\n{page}");
}

/// Returns the page of a socket, once nothing moved while it was made: ss said the same before and
/// after. Its numbers are then those of ss.
#[track_caller]
fn page_as_of_ss(ss: &Path, state: &str, port: &str) -> String {
    let began = Instant::now();
    loop {
        let before = Line::read(ss, state, port);
        let wanted = format!("tcp and state {state} and sport {port}");
        let output =
            support::sockscope().args(["show", "--netns", "current", &wanted]).output().unwrap();
        let after = Line::read(ss, state, port);
        let page = String::from_utf8(output.stdout).unwrap();
        if let (Some(before), Some(after)) = (&before, &after)
            && before.still() == after.still()
            && before.time_left() >= after.time_left()
            && output.status.code() == Some(0)
        {
            for sentence in before.sentences(state) {
                assert_says(&page, &sentence);
            }
            assert_timer(&page, before, after);
            return page;
        }
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            began.elapsed() < support::PATIENCE,
            "{state}: {error}\n{before:?}\n{after:?}\n{page}"
        );
    }
}

/// A socket as ss shows it.
#[derive(Debug)]
struct Line {
    queues: (u32, u32),
    /// `name:value`, without the words that have no value, which are in `flags`.
    values: BTreeMap<String, String>,
    flags: Vec<String>,
}

impl Line {
    fn read(ss: &Path, state: &str, port: &str) -> Option<Self> {
        let mut command = Command::new(ss);
        // Old ones cannot list what is only bound: then there is nothing to compare with.
        let state = match state {
            "BOUND" => "bound-inactive".to_owned(),
            "LISTEN" => "listening".to_owned(),
            "FIN_WAIT1" | "FIN_WAIT2" => state.to_lowercase().replace("_wait", "-wait-"),
            state => state.to_lowercase().replace('_', "-"),
        };
        command.args(["-HtieomnO", "state", &state, "sport", "=", &format!(":{port}")]);
        let output = command.output().unwrap();
        if !output.status.success() {
            return (state == "bound-inactive").then(Self::empty);
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let mut words = text.split_whitespace();
        let mut queue = || words.next()?.parse().ok();
        let queues = (queue()?, queue()?);
        let (values, flags): (Vec<&str>, Vec<&str>) = words.skip(2).partition(|w| w.contains(':'));
        let values = values.into_iter().filter_map(|word| word.split_once(':'));
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Self { queues, values, flags: flags.into_iter().map(str::to_owned).collect() })
    }

    fn empty() -> Self {
        Self { queues: (0, 0), values: BTreeMap::new(), flags: Vec::new() }
    }

    /// What does not grow by itself.
    fn still(&self) -> (Still<'_>, Option<(&str, u8)>) {
        let moving = ["timer", "lastsnd", "lastrcv", "lastack", "busy", "rwnd_limited"];
        let values = self.values.iter().filter(|(name, _)| !moving.contains(&name.as_str()));
        let timer = self.timer().map(|(kind, _, times)| (kind, times));
        ((self.queues, values.collect()), timer)
    }

    fn number(&self, name: &str) -> u64 {
        self.values.get(name).map_or(0, |value| value.parse().unwrap())
    }

    /// The kind of timer, the time left in milliseconds and how often it ran out.
    fn timer(&self) -> Option<(&str, u32, u8)> {
        let timer = self.values.get("timer")?.strip_prefix('(')?.strip_suffix(')')?;
        let words: Vec<&str> = timer.split(',').collect();
        let [kind, left, count] = words[..] else { panic!("{timer}") };
        Some((kind, milliseconds(left), count.parse().unwrap()))
    }

    /// The time of the timer; one that was set again meanwhile has more than before.
    fn time_left(&self) -> u32 {
        self.timer().map_or(0, |(_, left, _)| left)
    }

    /// What the page must say for these numbers to be on it.
    fn sentences(&self, state: &str) -> Vec<String> {
        let mut all = Vec::new();
        let (recv, send) = self.queues;
        let peer_closed = ["CLOSE_WAIT", "CLOSING", "LAST_ACK"].contains(&state);
        let marked = ["SYN_SENT", "FIN_WAIT1", "CLOSING", "LAST_ACK"].contains(&state) && send > 0;
        match state {
            "LISTEN" => all.push(format!(
                "Queue        {} to be accepted, the limit is {send}\n",
                plural(recv.into(), "connection")
            )),
            "BOUND" | "SYN_RECV" | "TIME_WAIT" => {}
            _ => {
                let unread = recv - u32::from(peer_closed && recv > 0);
                all.push(format!("Received     {} not read", plural(unread.into(), "byte")));
                let unsent = send - u32::from(marked);
                all.push(format!("Written      {} not ack", plural(unsent.into(), "byte")));
            }
        }
        if let Some(memory) = self.values.get("skmem") {
            let number = |name: &str| {
                let mut parts = memory.trim_matches(['(', ')']).split(',');
                parts.find_map(|part| part.strip_prefix(name)?.parse::<u32>().ok()).unwrap()
            };
            all.push(format!(
                "Memory       receive {} of {} bytes, send {} of {} bytes, {} reserved\n",
                number("r"),
                number("rb"),
                number("w").max(number("t")),
                number("tb"),
                number("f"),
            ));
            all.push(format!("Dropped      {}\n", number("d")));
        }
        if let Some(cookie) = self.values.get("sk") {
            let cookie = u64::from_str_radix(cookie, 16).unwrap();
            let inode = match self.number("ino") {
                0 => "no inode".to_owned(),
                inode => format!("inode {inode}"),
            };
            all.push(format!("Numbers      cookie {cookie}, {inode}\n"));
        }
        if self.values.contains_key("mss") {
            all.extend(self.tcp_sentences(state, peer_closed, marked));
        }
        all
    }

    fn tcp_sentences(&self, state: &str, peer_closed: bool, marked: bool) -> Vec<String> {
        let mut all = vec![
            format!(
                "Congestion   window {} of {} bytes by ",
                plural(self.number("cwnd"), "segment"),
                self.number("mss")
            ),
            format!("waited for {} ms (RTO)\n", three(&self.values["rto"])),
            format!(
                "Sizes        we take {} bytes a segment (advmss), the path {} a packet (pmtu)\n",
                self.number("advmss"),
                self.number("pmtu")
            ),
        ];
        if state == "SYN_SENT" {
            return all;
        }
        let (mean, variance) = self.values["rtt"].split_once('/').unwrap();
        let least = three(&self.values["minrtt"]);
        all.push(format!(
            "Round trip   {} ms ± {} ms, at least {least} ms\n",
            three(mean),
            three(variance)
        ));
        all.push(format!(
            "Sent         {} of data in {}\n",
            plural(self.number("bytes_sent") - self.number("bytes_retrans"), "byte"),
            plural(self.number("data_segs_out"), "segment")
        ));
        if let Some((_, times)) = self.values.get("retrans").and_then(|text| text.split_once('/')) {
            let bytes = self.number("bytes_retrans");
            let segments = plural(times.parse().unwrap(), "segment");
            all.push(format!("{segments} retransmitted ({bytes} bytes)\n"));
        }
        all.push(format!(
            "Got          {} of data in {}",
            plural(self.number("bytes_received") - u64::from(peer_closed), "byte"),
            plural(self.number("data_segs_in"), "segment")
        ));
        all.push(format!(
            "Segments     {} sent and {} received, ",
            self.number("segs_out"),
            self.number("segs_in")
        ));
        all.push(format!("Windows      the peer offers {} bytes, ", self.number("snd_wnd")));
        if let Some(unsent) = self.number("notsent").checked_sub(1) {
            let unsent = unsent + u64::from(!marked);
            all.push(format!("of which {unsent} were never sent yet; our FIN waits behind them"));
        }
        let (theirs, ours) = self.values["wscale"].split_once(',').unwrap();
        assert!(["ts", "sack"].iter().all(|word| self.flags.iter().any(|flag| flag == word)));
        all.push(format!(
            "Agreed       timestamps, SACK, windows scaled by 2^{theirs} (theirs) and 2^{ours} (ours)\n"
        ));
        all
    }
}

/// What of a line stays the same.
type Still<'a> = ((u32, u32), Vec<(&'a String, &'a String)>);

fn plural(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Milliseconds as ss writes them (`%g`), with three digits behind the point.
fn three(text: &str) -> String {
    format!("{:.3}", text.parse::<f64>().unwrap())
}

/// Parses a time of a timer: `076ms`, `1.024ms` (seconds and milliseconds), `59sec`, `1min20sec`.
fn milliseconds(text: &str) -> u32 {
    let (minutes, rest) = text.split_once("min").unwrap_or(("0", text));
    let seconds = match rest.strip_suffix("ms") {
        Some(rest) => rest.split_once('.').unwrap_or(("0", rest)),
        None => (rest.trim_end_matches("sec"), "0"),
    };
    let number = |text: &str| if text.is_empty() { 0 } else { text.parse::<u32>().unwrap() };
    number(minutes) * 60_000 + number(seconds.0) * 1000 + number(seconds.1)
}

/// The timer on the page is of the kind that ss tells, and its time lies between the two looks.
#[track_caller]
fn assert_timer(page: &str, before: &Line, after: &Line) {
    let line = page.lines().find_map(|line| line.strip_prefix("Timer        ")).unwrap();
    let (Some((kind, most, times)), Some((_, least, _))) = (before.timer(), after.timer()) else {
        return assert_eq!(line, "none runs");
    };
    let words = match kind {
        "on" => "sends again in ",
        "keepalive" => "keepalive probe in ",
        "timewait" => "the kernel drops it in ",
        "persist" => "the peer's window is closed; asks again in ",
        _ => panic!("{kind}"),
    };
    let rest = line.strip_prefix(words).unwrap_or_else(|| panic!("{kind}: {line}"));
    let (time, rest) = rest.split_once(',').unwrap_or((rest, ""));
    assert!(times == 0 || rest.contains(&times.to_string()), "{times}: {line}");
    let ours = match time.strip_suffix(" ms") {
        Some(ms) => ms.parse::<f64>().unwrap(),
        None => time.strip_suffix(" s").unwrap().parse::<f64>().unwrap() * 1000.0,
    };
    // Ours is cut to tenths of a second, from ten seconds on theirs to seconds.
    let (least, most) = (f64::from(least) - 100.0, f64::from(most));
    let most = if most >= 10_000.0 { most + 1000.0 } else { most };
    assert!((least..=most).contains(&ours), "{least} <= {ours} <= {most}: {line}");
}
