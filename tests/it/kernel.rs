//! Sockets that the kernel has for itself: tunnels, made for real where this kernel can.

use std::process::Command;

use serde_json::{Value, json};

use crate::netns::{as_nobody, in_netns};
use crate::support::{self, program, skip};

/// Runs `ip` with these words; false when the kernel cannot do that.
fn ip(words: &str) -> bool {
    let ip = program("ip").unwrap_or_else(|| "ip".into());
    Command::new(ip).args(words.split(' ')).output().is_ok_and(|output| output.status.success())
}

/// Makes a link and sets it up; says so where this kernel has no such links.
fn add(name: &str, kind: &str) -> bool {
    let made = ip(&format!("link add {name} type {kind}"));
    if made {
        assert!(ip(&format!("link set {name} up")), "{name}");
    } else {
        eprintln!("SKIPPED: this kernel makes no link of type {kind}");
    }
    made
}

/// Whose each socket is: protocol, family, port, and the service with its links.
fn services(rows: &[Value]) -> Vec<Value> {
    let facts = |row: &Value| {
        let kernel = &row["kernel"];
        assert_eq!(row["ownership"], "kernel", "{row:#}");
        assert_eq!((&kernel["reason"], &kernel["inferred"]), (&json!("service"), &json!(false)));
        assert_eq!((&row["uid"], &row["owners"]), (&Value::Null, &json!([])));
        json!([row["family"], row["local"]["port"], kernel["service"], kernel["links"]])
    };
    rows.iter().map(facts).collect()
}

#[test]
fn a_tunnels_socket_is_its_links_whoever_looks() {
    in_netns("kernel::a_tunnels_socket_is_its_links_whoever_looks", || {
        if !add("vx0", "vxlan id 1 dstport 5000") {
            return skip("needs VXLAN");
        }
        assert!(add("vx1", "vxlan id 2 dstport 5000") && add("vx2", "vxlan id 3 dstport 5001"));
        assert!(add("vx3", "vxlan external dstport 5002"));
        assert!(ip("link set vx2 down"));
        let expected = vec![
            json!(["inet", 5000, "vxlan", ["vx0", "vx1"]]),
            json!(["inet", 5002, "vxlan", ["vx3"]]),
            json!(["inet6", 5002, "vxlan", ["vx3"]]),
        ];
        assert_eq!(services(&support::list(&["--sort", "port"])), expected);
        let mut command = support::sockscope();
        command.args(["list", "--json", "--sort", "port"]);
        if as_nobody(&mut command) {
            assert_eq!(services(&support::listed(&mut command)), expected, "as nobody");
        }

        let page = support::output(support::sockscope().args(["show", "inet and port 5002"]));
        let page = String::from_utf8(page.stdout).unwrap();
        for line in ["no process but the kernel (VXLAN tunnel vx3)", "ip link set dev vx3 down"] {
            assert!(page.contains(line), "no '{line}' in\n{page}");
        }
        let report = support::output(support::sockscope().args(["port", "5000"]));
        let report = String::from_utf8(report.stdout).unwrap();
        assert!(
            report.contains("the kernel (VXLAN tunnel vx0, vx1) receives on 0.0.0.0"),
            "{report}"
        );

        // What it says stops it does.
        assert!(ip("link set dev vx3 down"));
        assert_eq!(services(&support::list(&[])), expected[..1]);
    });
}

#[test]
fn a_port_with_the_links_number_that_a_process_holds_is_the_processs() {
    in_netns("kernel::a_port_with_the_links_number_that_a_process_holds_is_the_processs", || {
        if !ip("link add vx0 type vxlan id 1 dstport 5000") {
            return skip("needs VXLAN");
        }
        // While the link is down, the port is anybody's.
        let held = std::net::UdpSocket::bind(("127.0.0.1", 5000)).unwrap();
        let rows = support::list(&["port 5000"]);
        assert_eq!((rows.len(), &rows[0]["ownership"]), (1, &json!("held")), "{rows:#?}");
        assert!(!ip("link set vx0 up"), "the port is taken");
        drop(held);
    });
}

#[test]
fn tunnels_of_every_kind_are_named() {
    in_netns("kernel::tunnels_of_every_kind_are_named", || {
        for (name, kind, port) in [
            ("gnv0", "geneve id 1 remote 127.0.0.1 dstport 5001", 5001),
            ("bare0", "bareudp dstport 5003 ethertype ip", 5003),
            ("wg0", "wireguard", 0),
        ] {
            if add(name, kind) {
                let word = kind.split(' ').next().unwrap();
                let rows = support::list(&[&format!("command {word}")]);
                assert!(!rows.is_empty(), "{kind}");
                assert!(
                    rows.iter().all(|row| row["kernel"]["links"] == json!([name])),
                    "{rows:#?}"
                );
                assert!(port == 0 || rows.iter().all(|row| row["local"]["port"] == port));
            }
        }
        if ip("fou add port 5004 ipproto 4") {
            let rows = support::list(&["command fou"]);
            assert_eq!((rows.len(), &rows[0]["local"]["port"]), (1, &json!(5004)), "{rows:#?}");
        } else {
            eprintln!("SKIPPED: this kernel has no FOU");
        }
    });
}
