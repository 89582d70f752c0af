//! lsof's own arguments: `-i` addresses and comma-separated lists.

use super::rows::ALL;
use super::{Known, fitting, parse};
use crate::filter::{Filter, FilterError, Names, lists, lsof};

type Parse = fn(&str, &dyn Names) -> Result<Filter, FilterError>;

fn table(parse: Parse, cases: &[(&str, &[&str])]) {
    for (input, expected) in cases {
        let filter = parse(input, &Known).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fitting(&filter), *expected, "{input}");
    }
}

fn refused(parse: Parse, input: &str) -> (String, Option<String>) {
    let error = parse(input, &Known).expect_err(input);
    let message = format!("{} | {}", error.message(), input.get(error.span()).unwrap());
    (message, error.hint().map(str::to_owned))
}

#[test]
fn internet_addresses() {
    table(
        lsof::parse_internet,
        &[
            ("", &["web", "node", "mapped", "tw", "link", "dns", "quic", "waiting"]),
            ("4", &["web", "node", "tw", "dns", "waiting"]),
            ("6", &["mapped", "link", "quic"]),
            ("tcp", &["web", "node", "mapped", "tw", "link", "waiting"]),
            ("UDP", &["dns", "quic"]),
            ("6UDP", &["quic"]),
            ("4tcp", &["web", "node", "tw", "waiting"]),
            (":80", &["web", "tw", "waiting"]),
            (":http", &["web", "tw", "waiting"]),
            ("TCP:80", &["web", "tw", "waiting"]),
            ("UDP:80", &[]),
            (":53,443,3000-3999", &["node", "mapped", "dns", "quic"]),
            (":22-my-app,http", &["web", "node", "mapped", "tw", "link", "dns", "quic", "waiting"]),
            ("@127.0.0.1", &["node", "tw"]),
            ("@127.0.0.1:80", &["tw"]),
            ("4tcp@127.0.0.1:80,443,3000-8010", &["node", "tw"]),
            ("4tcp@127.0.0.1:22-http,3000", &["node", "tw"]),
            ("@localhost:http", &["tw"]),
            ("@[2001:db8::2]:443", &["quic"]),
            ("@[2001:db8::2]", &["quic"]),
            ("6@[fe80::1%eth0]", &["link"]),
            ("@peer.test", &["node"]),
        ],
    );
}

/// Mapped IPv4 is selected by 6, as lsof(8) says; its address is compared as IPv4 all the same.
#[test]
fn mapped_addresses_are_of_version_6() {
    table(lsof::parse_internet, &[("6@192.168.1.5", &["mapped"]), ("4@192.168.1.5", &[])]);
}

#[test]
fn a_service_is_that_of_the_protocol() {
    let filter = lsof::parse_internet("udp:who", &Known).unwrap();
    assert_eq!(filter, parse("udp and port 513"));
    assert_eq!(lsof::parse_internet("tcp:who", &Known).unwrap(), parse("tcp:514"));
}

#[test]
fn host_and_port_are_those_of_one_end() {
    table(lsof::parse_internet, &[("@127.0.0.1:50000", &[]), ("@10.1.2.3:50000", &["node"])]);
}

#[test]
fn several_addresses_are_joined_by_any() {
    let both = [":53", "6udp"].map(|text| lsof::parse_internet(text, &Known).unwrap());
    assert_eq!(fitting(&Filter::any(both)), ["dns", "quic"]);
    assert!(fitting(&Filter::any([])).is_empty());
}

#[test]
fn broken_addresses_are_refused() {
    let parse = lsof::parse_internet;
    let hint = |hint: &str| Some(hint.to_owned());
    let (message, port) = refused(parse, "8080");
    assert_eq!(message, "'8080' is no protocol; expected [46][protocol][@host][:port] | 8080");
    assert_eq!(port, hint("a port is written ':8080'"));
    assert_eq!(refused(parse, "443").1, hint("a port is written ':443'"));
    assert_eq!(refused(parse, "127.0.0.1").1, hint("a host is written '@127.0.0.1'"));
    assert_eq!(refused(parse, "tpc:80").1, hint("did you mean 'tcp'?"));
    assert_eq!(refused(parse, "tcp@").0, "expected a host after '@' | @");
    assert_eq!(refused(parse, "tcp:").0, "expected a port or a service | ");
    assert_eq!(refused(parse, ":80,").0, "expected a port or a service | ");
    assert_eq!(refused(parse, "@1.2.3.4:").0, "expected a port or a service | ");
    let port = "is out of range; expected 1 to 65535";
    assert_eq!(refused(parse, ":0").0, format!("port 0 {port} | 0"));
    assert_eq!(refused(parse, "@1.2.3.4:80,65536").0, format!("port 65536 {port} | 65536"));
    assert_eq!(refused(parse, ":90-80").0, "the range 90-80 is reversed | 90-80");
    assert_eq!(refused(parse, "4@[::1]").0, "'::1' is no inet address | ::1");
    assert_eq!(refused(parse, "@nowhere.test:80").0, "unknown host 'nowhere.test' | nowhere.test");
}

#[test]
fn lists_of_processes() {
    table(
        lists::pids,
        &[
            ("100", &["web", "waiting"]),
            ("200,300-400", &["node", "link", "dns"]),
            ("100,^101", &["waiting"]),
            ("^100, ^200", &["mapped", "tw", "link", "dns", "quic", "bus", "x11"]),
        ],
    );
    assert_eq!(refused(lists::pids, "1,,2").0, "expected a process number | ");
    assert_eq!(refused(lists::pids, "").0, "expected a process number | ");
    assert_eq!(
        refused(lists::pids, "1,^x").0,
        "'x' is no pid; expected a number or a range such as 100-199 | x"
    );
    assert_eq!(refused(lists::pids, "9-5").1.as_deref(), Some("did you mean '5-9'?"));
}

#[test]
fn lists_of_users() {
    table(
        lists::users,
        &[
            ("root", &["web", "waiting", "bus"]),
            ("0,alice", &["web", "node", "mapped", "link", "waiting", "bus"]),
            ("root,^33", &["waiting", "bus"]),
            ("^root", &["node", "mapped", "tw", "link", "dns", "quic", "x11"]),
        ],
    );
    let (message, hint) = refused(lists::users, "root,^alcie");
    assert_eq!(message, "unknown user 'alcie' | alcie");
    assert_eq!(hint.as_deref(), Some("did you mean 'alice'?"));
    let filter = lists::users(r"HOME\bob", &crate::filter::NoNames).unwrap();
    assert_eq!(fitting(&filter), ["quic"]);
}

#[test]
fn lists_of_commands_match_the_beginning() {
    table(
        lists::commands,
        &[
            ("ngi", &["web", "waiting"]),
            ("Web Con", &["quic"]),
            ("n", &["web", "node", "waiting"]),
            ("n,^ng", &["node"]),
            ("*nx", &["web", "waiting"]),
            ("^n", &["mapped", "tw", "link", "dns", "quic", "bus", "x11"]),
        ],
    );
    let (message, hint) = refused(lists::commands, "/ng.*/i");
    assert!(message.starts_with("regular expressions are not supported"), "{message}");
    assert_eq!(hint.as_deref(), Some("use a pattern such as *worker*"));
}

#[test]
fn lists_of_states() {
    table(
        lists::states,
        &[
            ("LISTEN", &["web", "bus"]),
            ("LISTEN,time-wait", &["web", "tw", "bus"]),
            ("connected,^TIME_WAIT", &["node", "mapped", "link", "quic", "waiting", "x11"]),
            ("^LISTEN", &["node", "mapped", "tw", "link", "dns", "quic", "waiting", "x11"]),
            ("TCP:LISTEN", &["web"]),
            ("tcp:listen,established", &["web", "node"]),
            (
                "TCP:^LISTEN",
                &["node", "mapped", "tw", "link", "dns", "quic", "waiting", "bus", "x11"],
            ),
            ("UDP:Idle", &["dns"]),
            (
                "UDP:^Idle",
                &["web", "node", "mapped", "tw", "link", "quic", "waiting", "bus", "x11"],
            ),
        ],
    );
    assert_eq!(refused(lists::states, "TPC:LISTEN").1.as_deref(), Some("did you mean 'tcp'?"));
    assert_eq!(
        refused(lists::states, "TCP:LISTEN,LSTEN").1.as_deref(),
        Some("did you mean 'listen'?")
    );
    assert_eq!(refused(lists::states, "TCP:").0, "expected a state | ");
}

#[test]
fn lists_of_ports() {
    table(
        lists::ports,
        &[
            ("80,443", &["web", "mapped", "tw", "quic", "waiting"]),
            ("http,3000-3999,^55555", &["web", "node", "waiting"]),
            ("^80,^22", &["node", "mapped", "dns", "quic", "bus", "x11"]),
        ],
    );
    assert_eq!(refused(lists::ports, "80,0").0, "port 0 is out of range; expected 1 to 65535 | 0");
    assert_eq!(
        refused(lists::ports, "http-80,x").0,
        "'x' is no port; expected a number, a range such as 3000-3999, or a known service | x"
    );
}

#[test]
fn filters_are_joined_flat() {
    let all = Filter::everything().and(parse("tcp")).and(parse("listen or kernel"));
    assert_eq!(all, parse("tcp (listen or kernel)"));
    assert_eq!(parse("tcp").or(parse("udp")).or(parse("unix")), parse("tcp or udp or unix"));
    assert_eq!(fitting(&Filter::everything()), ALL);
}
