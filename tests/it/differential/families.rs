//! Packet and netlink sockets against `ss -0ape` and `ss -f netlink`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, bind, socket_with};
use serde_json::Value;

use super::agrees_live;
use crate::netns;
use crate::support::{self, skip};

fn open(family: AddressFamily, kind: SocketType, protocol: Option<Protocol>) -> OwnedFd {
    socket_with(family, kind, SocketFlags::CLOEXEC, protocol).unwrap()
}

/// A packet socket of this type; `ethertype` in the order of the network.
fn packet(kind: SocketType, ethertype: u16) -> OwnedFd {
    let protocol = std::num::NonZeroU32::new(u32::from(ethertype.to_be()));
    open(AddressFamily::PACKET, kind, protocol.map(Protocol::from_raw))
}

/// What both sides say of a packet socket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Packet {
    kind: String,
    /// `2054:lo`, `*:*`.
    local: String,
    recv: u64,
    owners: BTreeSet<(u64, u64)>,
}

fn ss_packets() -> Option<BTreeMap<u64, Packet>> {
    let mut command = Command::new(support::program("ss")?);
    let output = support::output(command.args(["-H", "-0", "-a", "-p", "-e", "-n", "-O"]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, _, recv, _, local, ..] = &words[..] else { panic!("ss: {line}") };
        let inode = words.iter().find_map(|word| word.strip_prefix("ino:"));
        let users = line.split_once("users:((").map_or("", |(_, users)| users);
        let row = Packet {
            kind: (*kind).to_owned(),
            local: local.replace(['[', ']'], ""),
            recv: recv.parse().unwrap(),
            owners: super::ss_owners(users),
        };
        (inode.map_or(0, |inode| inode.parse().unwrap()), row)
    });
    Some(rows.collect())
}

fn our_packets() -> BTreeMap<u64, Packet> {
    let row = |row: &Value| {
        let local = match (row["local"]["ethertype"].as_u64(), row["interface"]["name"].as_str()) {
            (None, _) => "0:*".to_owned(),
            (Some(3), device) => format!("*:{}", device.unwrap_or("*")),
            (Some(ethertype), device) => format!("{ethertype}:{}", device.unwrap_or("*")),
        };
        let packet = Packet {
            kind: if row["type"] == "raw" { "p_raw" } else { "p_dgr" }.to_owned(),
            local,
            recv: row["queues"]["recv"].as_u64().unwrap(),
            owners: super::unix::owners(&row["owners"]),
        };
        (row["inode"].as_u64().unwrap(), packet)
    };
    support::list(&["-0"]).iter().map(row).collect()
}

#[test]
fn in_a_namespace_packet_sockets_are_exactly_those_of_ss() {
    let test = "differential::families::in_a_namespace_packet_sockets_are_exactly_those_of_ss";
    netns::in_netns(test, || {
        let _all = packet(SocketType::DGRAM, 3);
        let _arp = packet(SocketType::RAW, 0x0806);
        let Some(theirs) = ss_packets() else { return skip("needs ss (iproute2)") };
        assert_eq!(theirs.len(), 2, "the scene is there: {theirs:#?}");
        assert_eq!(our_packets(), theirs);
    });
}

#[test]
fn on_the_live_machine_every_stable_packet_socket_of_ss_is_in_the_listing() {
    if !agrees_live(ss_packets, our_packets) {
        skip("needs ss (iproute2)");
    }
}

/// The netlink sockets, as `15:4711`, but for those of whoever lists them; and whether they are
/// connected.
fn ss_netlink() -> Option<BTreeSet<(String, bool)>> {
    let mut command = Command::new(support::program("ss")?);
    let output = support::output(command.args(["-H", "-f", "netlink", "-a", "-n", "-O"]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, local, peer, ..] = &words[..] else { panic!("ss: {line}") };
        ((*local).to_owned(), *peer != "*")
    });
    Some(rows.filter(|(local, _)| !is_listers(local)).collect())
}

/// Sockets of sock_diag that are not the kernel's: ss and we open one to ask.
fn is_listers(local: &str) -> bool {
    local.starts_with("4:") && local != "4:0"
}

fn our_netlink() -> BTreeSet<(String, bool)> {
    let end = |end: &Value| format!("{}:{}", end["netlink_protocol"], end["port_id"]);
    let rows = support::list(&["netlink"]);
    let rows = rows.iter().map(|row| (end(&row["local"]), !row["peer"].is_null()));
    rows.filter(|(local, _)| !is_listers(local)).collect()
}

#[test]
fn in_a_namespace_netlink_sockets_are_exactly_those_of_ss() {
    let test = "differential::families::in_a_namespace_netlink_sockets_are_exactly_those_of_ss";
    netns::in_netns(test, || {
        let uevent = open(AddressFamily::NETLINK, SocketType::RAW, Some(KOBJECT_UEVENT));
        bind(&uevent, &SocketAddrNetlink::new(4711, 1)).unwrap();
        rustix::net::connect(&uevent, &SocketAddrNetlink::new(0, 0)).unwrap();
        let Some(mut theirs) = ss_netlink() else { return skip("needs ss (iproute2)") };
        assert!(theirs.contains(&("15:4711".to_owned(), true)), "{theirs:?}");
        let mut ours = our_netlink();
        // Whoever lists all namespaces asks by a netlink socket of its own in this one, too.
        support::becomes(|| {
            if ours != theirs {
                theirs = ss_netlink().unwrap();
                ours = our_netlink();
            }
            ours == theirs
        });
        assert_eq!(ours, theirs);
    });
}

#[test]
fn a_netlink_socket_has_its_owner_and_the_kernels_are_the_kernels() {
    netns::in_netns(
        "differential::families::a_netlink_socket_has_its_owner_and_the_kernels_are_the_kernels",
        || {
            let socket = open(AddressFamily::NETLINK, SocketType::DGRAM, None);
            bind(&socket, &SocketAddrNetlink::new(0, 0)).unwrap();
            let inode = rustix::fs::fstat(&socket).unwrap().st_ino;
            let rows = support::list(&["-A", "netlink"]);
            let ours = rows.iter().find(|row| row["inode"] == inode).unwrap();
            assert_eq!(
                (&ours["type"], &ours["local"]["netlink"]),
                (&"dgram".into(), &"route".into())
            );
            assert_eq!(ours["owners"][0]["pid"], std::process::id());
            assert_eq!(ours["owners"][0]["via"], "fd");
            let kernels =
                rows.iter().filter(|row| row["local"]["port_id"] == 0).collect::<Vec<_>>();
            assert!(!kernels.is_empty());
            assert!(kernels.iter().all(|row| row["ownership"] == "kernel"), "{kernels:#?}");
        },
    );
}

#[test]
fn the_plain_listing_has_neither() {
    let test = "differential::families::the_plain_listing_has_neither";
    netns::in_netns(test, || {
        let _all = packet(SocketType::DGRAM, 3);
        assert_eq!(support::list(&[]), Vec::<Value>::new());
        assert_eq!(support::list(&["-A", "p_dgr"]).len(), 1);
        assert_eq!(support::list(&["-A", "p_raw"]).len(), 0);
    });
}
