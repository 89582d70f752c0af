//! Protocols that the plain listing leaves out, made for real: MPTCP beside `ss -M`, pings, what this
//! kernel cannot list, and what no kernel lists beside `lsof`.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::Command;

use rustix::net::{
    AddressFamily, Protocol, SocketFlags, SocketType, accept, bind, connect, getsockname, ipproto,
    listen, socket_with,
};
use serde_json::{Value, json};

use crate::netns::in_netns;
use crate::support::{self, program, skip};

fn open(
    family: AddressFamily,
    kind: SocketType,
    protocol: Protocol,
) -> rustix::io::Result<OwnedFd> {
    socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))
}

/// An MPTCP listener on a free port of loopback, and its address.
fn mptcp_listener() -> Option<(OwnedFd, SocketAddr)> {
    let socket = open(AddressFamily::INET, SocketType::STREAM, ipproto::MPTCP).ok()?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    listen(&socket, 8).unwrap();
    let address = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
    Some((socket, address))
}

fn mptcp_connection(to: SocketAddr) -> OwnedFd {
    let socket = open(AddressFamily::INET, SocketType::STREAM, ipproto::MPTCP).unwrap();
    connect(&socket, &to).unwrap();
    socket
}

/// What tells the rows of a protocol apart: state, ends, and how they are held.
fn rows_of(rows: &[Value], protocol: &str) -> BTreeSet<String> {
    let own = rows.iter().filter(|row| row["protocol"] == protocol);
    let fact = |row: &Value| {
        let owner = &row["owners"][0];
        assert_eq!(owner["pid"], std::process::id(), "{row:#}");
        format!("{} {} {} {}", row["state"], row["local"]["port"], row["peer"]["port"], owner["fd"])
    };
    own.map(fact).collect()
}

#[test]
fn an_mptcp_connection_and_its_subflow_have_the_same_ends_and_owner() {
    in_netns("families::an_mptcp_connection_and_its_subflow_have_the_same_ends_and_owner", || {
        let Some((listener, address)) = mptcp_listener() else { return skip("needs MPTCP") };
        let _client = mptcp_connection(address);
        let _server = accept(&listener).unwrap();
        let _waiting = mptcp_connection(address);
        support::wait_until(|| support::list(&["-A", "mptcp"]).len() == 5);

        let rows = support::list(&["-A", "tcp,mptcp"]);
        let whole = rows_of(&rows, "mptcp");
        assert_eq!(whole.len(), 5, "a listener and both ends of two connections: {whole:#?}");
        assert_eq!(rows_of(&rows, "tcp"), whole);
        let of =
            |protocol: &'static str| rows.iter().filter(move |row| row["protocol"] == protocol);
        for subflow in of("tcp") {
            let whole = of("mptcp").find(|row| row["cookie"] == subflow["subflow_of"]);
            let inode = whole.map_or(&Value::Null, |row| &row["inode"]);
            assert_eq!(*inode, subflow["inode"], "{subflow:#}");
        }
        // The one that nobody accepted waits at the listener, in both lists.
        let waits = of("mptcp").filter(|row| row["owners"][0]["via"] == "accept-queue");
        assert_eq!(waits.count(), 1);
        assert!(support::list(&[]).iter().all(|row| row["protocol"] == "tcp"), "as ever");
    });
}

#[test]
fn the_mptcp_sockets_are_those_of_ss() {
    in_netns("families::the_mptcp_sockets_are_those_of_ss", || {
        let Some(ss) = program("ss") else { return skip("needs ss (iproute2)") };
        let Some((listener, address)) = mptcp_listener() else { return skip("needs MPTCP") };
        let _client = mptcp_connection(address);
        let _server = accept(&listener).unwrap();
        let output = support::output(Command::new(ss).args(["-HManeO"]));
        let text = String::from_utf8(output.stdout).unwrap();
        let cookie = |line: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix("sk:"))?;
            u64::from_str_radix(word, 16).ok()
        };
        let theirs: BTreeSet<u64> = text.lines().filter_map(cookie).collect();
        let ours = support::list(&["-A", "mptcp"]);
        let ours: BTreeSet<u64> = ours.iter().map(|row| row["cookie"].as_u64().unwrap()).collect();
        assert_eq!((ours.len(), ours), (3, theirs), "{text}");
    });
}

#[test]
fn pings_are_listed_once_each_in_their_own_family() {
    in_netns("families::pings_are_listed_once_each_in_their_own_family", || {
        if std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").is_err() {
            return skip("may not let this group send pings");
        }
        // One identifier, so one hash chain: there the kernel's tables show sockets of the other family.
        let ping4 = || open(AddressFamily::INET, SocketType::DGRAM, ipproto::ICMP);
        let ping6 = || open(AddressFamily::INET6, SocketType::DGRAM, ipproto::ICMPV6);
        let Ok(v4) = ping4() else { return skip("may not send pings") };
        bind(&v4, &SocketAddr::from((Ipv4Addr::LOCALHOST, 1000))).unwrap();
        let v6 = ping6().unwrap();
        bind(&v6, &SocketAddr::from((Ipv6Addr::LOCALHOST, 1000))).unwrap();
        let connected = ping6().unwrap();
        connect(&connected, &SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).unwrap();

        let facts = |rows: &[Value]| -> Vec<Value> {
            let fact = |row: &Value| {
                assert_eq!(row["owners"][0]["pid"], std::process::id(), "{row:#}");
                json!([row["family"], row["local"]["address"], row["peer"]["address"]])
            };
            rows.iter().map(fact).collect()
        };
        let (one, two) = (json!(["inet", "127.0.0.1", null]), json!(["inet6", "::1", null]));
        let three = json!(["inet6", "::1", "::1"]);
        let sorted = |words: &str| {
            let mut facts = facts(&support::list(&["-A", words]));
            facts.sort_by_key(ToString::to_string);
            facts
        };
        assert_eq!(sorted("icmp"), [one.clone(), three.clone(), two.clone()]);
        assert_eq!(facts(&support::list(&["icmp4"])), [one]);
        assert_eq!(support::list(&["icmp6"]).len(), 2);
        assert!(support::list(&[]).is_empty(), "only when asked for");
    });
}

#[test]
fn what_this_kernel_cannot_list_is_a_gap_when_it_is_asked_for_or_may_be_there() {
    let gaps = |words: &str| {
        let mut command = support::sockscope();
        command.args(["list", "--json", "-A", words]);
        let output = support::output(&mut command);
        let listing: Value = serde_json::from_slice(&output.stdout).unwrap();
        let gaps: Vec<Value> = serde_json::from_value(listing["gaps"].clone()).unwrap();
        gaps.into_iter().filter(|gap| gap["why"] == "this kernel cannot list them").count()
    };
    let sctp = std::path::Path::new("/proc/net/sctp").exists();
    assert_eq!(gaps("sctp") == 0, sctp);
    assert_eq!((gaps("inet"), gaps("tcp,udp")), (0, 0));
    // Of all there is, only what the kernel makes and cannot list.
    let protocols = std::fs::read_to_string("/proc/net/protocols").unwrap();
    let makes = |name| protocols.lines().any(|line| line.split_whitespace().next() == Some(name));
    let hidden = [("AF_VSOCK", "vsock"), ("XDP", "xdp")];
    let hidden = hidden.into_iter().filter(|(name, word)| makes(*name) && gaps(word) == 1);
    assert_eq!(gaps("all"), hidden.count());
}

/// Sockets of this process that are in none of the kernel's lists, each with the kernel's name for it.
fn unlisted() -> Vec<(&'static str, OwnedFd)> {
    let of = |name, family, kind| {
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None);
        socket.ok().map(|socket| (name, socket))
    };
    let (stream, dgram) = (SocketType::STREAM, SocketType::DGRAM);
    let sockets = [
        of("TCP", AddressFamily::INET, stream),
        of("TCPv6", AddressFamily::INET6, stream),
        of("UDP", AddressFamily::INET, dgram),
        of("UDPv6", AddressFamily::INET6, dgram),
        // Not every kernel has it.
        of("ALG", AddressFamily::from_raw(38), SocketType::SEQPACKET),
    ];
    sockets.into_iter().flatten().collect()
}

#[test]
fn a_socket_in_none_of_the_kernel_s_lists_goes_by_the_name_of_its_protocol() {
    let name = "families::a_socket_in_none_of_the_kernel_s_lists_goes_by_the_name_of_its_protocol";
    in_netns(name, || {
        let pid = std::process::id().to_string();
        let sockets = unlisted();
        let mut expected: Vec<Value> = Vec::new();
        for (name, socket) in &sockets {
            let inode = rustix::fs::fstat(socket).unwrap().st_ino;
            expected.push(json!([name, inode, socket.as_raw_fd(), "fd"]));
        }
        // What is in a list is not here.
        let _unix = std::os::unix::net::UnixDatagram::unbound().unwrap();
        let bound = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let others = |args: &[&str]| {
            let rows = support::list(&[&["--pid", &pid], args].concat());
            let mut facts = Vec::new();
            for row in rows.iter().filter(|row| row["protocol"] == "other") {
                assert_eq!((&row["uid"], &row["state"]), (&json!(0), &Value::Null), "{row:#}");
                assert!(row["local"].is_null() && row["netns"].is_null(), "{row:#}");
                let owner = &row["owners"][0];
                assert_eq!(owner["pid"].to_string(), pid, "{row:#}");
                facts.push(json!([row["protocol_name"], row["inode"], owner["fd"], owner["via"]]));
            }
            facts.retain(|fact| expected.contains(fact));
            facts.sort_by_key(|fact| fact[1].as_u64());
            facts
        };
        assert_eq!(others(&["-A", "other", "--owners", "proc"]), expected);
        assert_eq!(others(&["-A", "all"]), expected);
        assert_eq!(others(&["family other"]), expected);
        let mut by_bpf = support::sockscope();
        by_bpf.args(["list", "-A", "other", "--owners", "bpf"]);
        if by_bpf.output().unwrap().status.code() == Some(2) {
            skip("needs CAP_BPF and CAP_PERFMON");
        } else {
            assert_eq!(others(&["-A", "other", "--owners", "bpf"]), expected);
        }
        assert_eq!(others(&[]), [] as [Value; 0], "only when asked for");
        assert_eq!(others(&["-A", "all", "-l"]), [] as [Value; 0], "nobody can reach one");

        let all = support::list(&["-A", "all", "--pid", &pid]);
        let udp: Vec<&Value> = all.iter().filter(|row| row["protocol"] == "udp").collect();
        let port = bound.local_addr().unwrap().port();
        assert_eq!((udp.len(), &udp[0]["local"]["port"]), (1, &json!(port)));
        let mut inodes: Vec<&Value> = all.iter().map(|row| &row["inode"]).collect();
        inodes.sort_by_key(|inode| inode.as_u64());
        inodes.dedup();
        assert_eq!(inodes.len(), all.len(), "none is there twice: {all:#?}");

        let inode = expected[0][1].to_string();
        let page = support::ran(support::sockscope().args(["show", &inode]));
        assert!(page.stdout.contains("other protocol: TCP\n"), "{page:?}");
        assert!(page.stdout.contains("in none of the kernel's lists"), "{page:?}");
        let closed =
            support::ran(support::sockscope().args(["close", &format!("inode {inode}"), "--yes"]));
        assert_eq!(closed.code, Some(2), "{closed:?}");
        assert!(closed.stderr.contains("the kernel closes no such sockets"), "{closed:?}");
    });
}

#[test]
fn the_sockets_in_no_list_are_those_that_lsof_knows_by_their_protocol_alone() {
    let name = "families::the_sockets_in_no_list_are_those_that_lsof_knows_by_their_protocol_alone";
    in_netns(name, || {
        let Some(lsof) = program("lsof") else { return skip("needs lsof") };
        let pid = std::process::id().to_string();
        let _sockets = unlisted();
        let of = |output: std::process::Output| {
            let text = String::from_utf8(output.stdout).unwrap();
            // A set of fields begins with f.
            let files = text.split("\nf").skip(1).map(str::to_owned);
            files
                .filter(|file| file.contains("\ntsock\n"))
                .map(|file| file.trim_end().to_owned())
                .collect::<BTreeSet<String>>()
        };
        let theirs =
            of(support::output(Command::new(lsof).args(["-w", "-a", "-p", &pid, "-F", "ftin"])));
        let mut ours = support::sockscope();
        let ours =
            of(support::output(ours.args(["list", "-A", "other", "--pid", &pid, "-F", "ftin"])));
        assert!(ours.len() >= 4, "{ours:?}");
        assert_eq!(ours, theirs);
    });
}
