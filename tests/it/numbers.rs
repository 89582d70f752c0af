//! The numbers of connections against `ss -tieomn`, in a namespace where nothing moves: the same for
//! the same cookie.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use serde_json::Value;

use crate::netns;
use crate::support::{self, skip};

/// The numbers of connections by cookie, in ss's words; a number that either leaves out when it is 0
/// is left out.
type Numbers = BTreeMap<u64, BTreeMap<&'static str, String>>;

fn ss(program: &std::path::Path, options: &[&str]) -> BTreeMap<u64, String> {
    let output = support::output(
        Command::new(program).args(["-H", "-n", "-a", "-e", "-O", "-m"]).args(options),
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            let (_, cookie) = line.split_once("sk:").unwrap_or_else(|| panic!("ss: {line}"));
            let cookie = cookie.split_whitespace().next().unwrap();
            (u64::from_str_radix(cookie, 16).unwrap(), line.to_owned())
        })
        .collect()
}

/// `name:value` in a line of ss.
const COLON: &[&str] = &[
    "rto",
    "mss",
    "pmtu",
    "rcvmss",
    "advmss",
    "cwnd",
    "bytes_sent",
    "bytes_acked",
    "bytes_received",
    "segs_out",
    "segs_in",
    "data_segs_out",
    "data_segs_in",
    "rcv_space",
    "rcv_ssthresh",
    "minrtt",
    "snd_wnd",
    "delivered",
    "wscale",
    "rtt",
    "rcv_rtt",
];

/// The numbers of one line: those above, and the words `cubic`, `ts`, `sack`, `app_limited`.
fn theirs(line: &str) -> BTreeMap<&'static str, String> {
    let mut numbers = BTreeMap::new();
    for word in line.split_whitespace() {
        if let Some((name, value)) = word.split_once(':') {
            if let Some(name) = COLON.iter().find(|known| **known == name) {
                numbers.insert(*name, value.to_owned());
            } else if name == "skmem" {
                numbers.insert("skmem", value.to_owned());
            }
        }
        for flag in ["ts", "sack", "app_limited", "cubic", "reno", "bbr"] {
            if word == flag {
                numbers.insert(flag, String::new());
            }
        }
    }
    numbers
}

/// Writes microseconds as ss writes milliseconds: `%g`.
fn milliseconds(value: &Value) -> Option<String> {
    let us = value.as_f64()?;
    Some((us / 1000.0).to_string())
}

fn ours(socket: &Value) -> BTreeMap<&'static str, String> {
    let details = &socket["details"];
    let info = &details["tcp_info"];
    let mut numbers = BTreeMap::new();
    for (name, field) in [
        ("mss", "send_mss"),
        ("pmtu", "path_mtu"),
        ("rcvmss", "receive_mss"),
        ("advmss", "advertised_mss"),
        ("cwnd", "cwnd"),
        ("bytes_sent", "bytes_sent"),
        ("bytes_acked", "bytes_acked"),
        ("bytes_received", "bytes_received"),
        ("segs_out", "segments_out"),
        ("segs_in", "segments_in"),
        ("data_segs_out", "data_segments_out"),
        ("data_segs_in", "data_segments_in"),
        ("rcv_space", "receive_space"),
        ("rcv_ssthresh", "receive_ssthresh"),
        ("snd_wnd", "send_window"),
        ("delivered", "delivered"),
    ] {
        if let Some(number) = info[field].as_u64().filter(|number| *number != 0) {
            numbers.insert(name, number.to_string());
        }
    }
    for (name, field) in
        [("rto", "rto_us"), ("minrtt", "min_rtt_us"), ("rcv_rtt", "receive_rtt_us")]
    {
        if let Some(time) = milliseconds(&info[field]) {
            numbers.insert(name, time);
        }
    }
    if let Some(rtt) = milliseconds(&info["rtt_us"]) {
        let variance = milliseconds(&info["rtt_variance_us"]).unwrap();
        numbers.insert("rtt", format!("{rtt}/{variance}"));
    }
    if let (Some(send), Some(receive)) =
        (info["send_scale"].as_u64(), info["receive_scale"].as_u64())
    {
        numbers.insert("wscale", format!("{send},{receive}"));
    }
    for (name, field) in [("ts", "timestamps"), ("sack", "sack"), ("app_limited", "app_limited")] {
        if info[field] == true {
            numbers.insert(name, String::new());
        }
    }
    for name in ["cubic", "reno", "bbr"] {
        if details["congestion"] == name {
            numbers.insert(name, String::new());
        }
    }
    numbers.insert("skmem", skmem(details));
    numbers
}

fn skmem(details: &Value) -> String {
    let memory = |field: &str| details["memory"][field].as_u64().unwrap();
    format!(
        "(r{},rb{},t{},tb{},f{},w{},o{},bl{},d{})",
        memory("receive"),
        memory("receive_limit"),
        memory("transmit"),
        memory("send_limit"),
        memory("reserved"),
        memory("send"),
        memory("options"),
        memory("backlog"),
        details["drops"].as_u64().unwrap()
    )
}

/// The connections of a scene: one that carried data both ways, one that never did, over both
/// families, one with data unread.
fn connections() -> Vec<(TcpListener, TcpStream, TcpStream)> {
    let pair = |listener: TcpListener| {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        (listener, client, server)
    };
    let v4 = || pair(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let mut busy = v4();
    let mut buffer = vec![7; 40_000];
    busy.1.write_all(&buffer).unwrap();
    busy.2.read_exact(&mut buffer).unwrap();
    busy.2.write_all(&buffer[..999]).unwrap();
    busy.1.read_exact(&mut buffer[..999]).unwrap();
    let mut unread = v4();
    unread.1.write_all(b"12345").unwrap();
    let six = pair(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap());
    vec![busy, unread, six, v4()]
}

#[test]
fn the_numbers_of_idle_connections_are_those_of_ss() {
    netns::in_netns("numbers::the_numbers_of_idle_connections_are_those_of_ss", || {
        let Some(program) = support::program("ss") else { return skip("needs ss (iproute2)") };
        let scene = connections();
        // Nothing moves, once the acknowledgments are through: the same before and after ours.
        let (theirs, ours) = loop {
            let before = numbers_of_ss(&program);
            let ours: Numbers = support::list(&["tcp and connected"])
                .iter()
                .map(|socket| (socket["cookie"].as_u64().unwrap(), ours(socket)))
                .collect();
            if before == numbers_of_ss(&program) {
                break (before, ours);
            }
        };
        assert_eq!(ours.len(), 2 * scene.len());
        for (cookie, numbers) in &theirs {
            assert!(numbers.contains_key("rtt") && numbers.contains_key("cwnd"), "{numbers:?}");
            assert_eq!(ours.get(cookie), Some(numbers));
        }
    });
}

fn numbers_of_ss(program: &std::path::Path) -> Numbers {
    ss(program, &["-t", "-i", "state", "connected"])
        .into_iter()
        .map(|(cookie, line)| (cookie, theirs(&line)))
        .collect()
}

#[test]
fn a_datagram_that_found_no_room_is_counted() {
    netns::in_netns("numbers::a_datagram_that_found_no_room_is_counted", || {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for _ in 0..2000 {
            sender.send_to(&[0; 1000], receiver.local_addr().unwrap()).unwrap();
        }
        let port = receiver.local_addr().unwrap().port();
        let rows = support::list(&["udp and drops > 0"]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["local"]["port"], port);
        let drops = rows[0]["details"]["drops"].as_u64().unwrap();
        assert!((1..2000).contains(&drops), "{drops}");
        // The same socket by the table, and what it has in the kernel's own.
        let table = std::fs::read_to_string("/proc/thread-self/net/udp").unwrap();
        let row = table.lines().find(|line| line.contains(&format!(":{port:04X} "))).unwrap();
        assert_eq!(row.split_whitespace().last(), Some(drops.to_string().as_str()));
        let output = support::output(support::sockscope().args([
            "list",
            "-u",
            "-Ho",
            "drops,mem",
            "--sort",
            "-drops",
        ]));
        let text = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(words[0], drops.to_string());
        assert!(words[1].parse::<u32>().unwrap() > 100_000, "{words:?}");
        if let Some(program) = support::program("ss") {
            let lines = ss(&program, &["-u"]);
            let line = &lines[&rows[0]["cookie"].as_u64().unwrap()];
            assert_eq!(theirs(line).get("skmem"), Some(&skmem(&rows[0]["details"])));
        }
    });
}

#[test]
fn a_recording_holds_the_details_though_no_column_shows_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("all.json");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let filter = format!("listen and sport {}", listener.local_addr().unwrap().port());
    let mut command = support::sockscope();
    support::output(command.args(["list", &filter, "--record"]).arg(&file));
    let mut replayed = support::sockscope();
    replayed.args(["list", &filter, "--json", "--replay"]).arg(&file);
    let rows = support::listed(&mut replayed);
    assert!(rows[0]["details"]["memory"].is_object(), "a recording holds everything: {rows:?}");
    assert!(rows[0]["details"]["tcp_info"].is_null(), "a listener is no connection: {rows:?}");
}
