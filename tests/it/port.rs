//! `sockscope port` on this machine, and its exit codes.

use std::path::Path;
use std::process::Output;

use crate::support::{self, sockscope};

fn port(arguments: &[&str]) -> Output {
    sockscope().arg("port").args(arguments).output().unwrap()
}

fn laptop(arguments: &[&str]) -> Output {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/collected/laptop.json");
    sockscope().arg("port").args(arguments).arg("--replay").arg(file).output().unwrap()
}

/// What only the native backend of Linux tells: descriptors and UDP peers.
#[cfg(target_os = "linux")]
mod live {
    use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};

    use serde_json::Value;

    use crate::namespaces::{netns_of, scene};
    use crate::netns::in_netns;
    use crate::support::{self, sockscope};

    /// A port that one test alone has, in a namespace of its own.
    const ELSEWHERE: &str = "8093";

    #[test]
    fn a_port_in_another_network_namespace_is_told_after_ours() {
        in_netns("port::live::a_port_in_another_network_namespace_is_told_after_ours", || {
            let script = "up(); s = listen(8093); c = socket.create_connection(('127.0.0.1', 8093))\n\
                      ready('ready')";
            let Some((process, _)) = scene("n", script) else { return };
            let netns = netns_of(process.pid());
            let output = support::output(sockscope().args(["port", ELSEWHERE, "--json"]));
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(report["netns"], netns_of(std::process::id()));
            let elsewhere = report["elsewhere"].as_array().unwrap();
            let there = elsewhere.iter().find(|other| other["netns"] == netns).unwrap();
            assert_eq!(there["held"], true);
            assert_eq!(there["listeners"][0]["socket"]["owners"][0]["pid"], process.pid());
            let pair = &there["connections"][0]["connections"][0];
            assert_eq!(pair["other"]["owners"][0]["pid"], process.pid());

            let text = |args: &[&str]| {
                let output = support::output(sockscope().args(["port", ELSEWHERE]).args(args));
                (output.status.code(), String::from_utf8(output.stdout).unwrap())
            };
            let (code, page) = text(&[]);
            assert_eq!(code, Some(1), "in ours nobody holds it: {page}");
            let heading = format!("\nIn network namespace {netns} ({}/python3", process.pid());
            assert!(page.contains(&heading), "{page}");
            assert!(
                page.contains(&format!("\n  port 8093/tcp: python3 ({})", process.pid())),
                "{page}"
            );
            let (code, page) = text(&["--netns", &process.pid().to_string()]);
            assert_eq!(code, Some(0), "{page}");
            assert!(page.starts_with(heading.trim_start()), "{page}");
            let (code, page) = text(&["--netns", "current"]);
            assert_eq!((code, page.as_str()), (Some(1), "nobody holds port 8093\n"));
        });
    }

    #[test]
    fn a_listener_its_connection_and_both_ends_of_it_are_one_report() {
        in_netns(
            "port::live::a_listener_its_connection_and_both_ends_of_it_are_one_report",
            || {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let number = listener.local_addr().unwrap().port();
                let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let (_server, _) = listener.accept().unwrap();
                let output =
                    support::output(sockscope().args(["port", &number.to_string(), "--json"]));
                assert_eq!(output.status.code(), Some(0));
                let report: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(report["schema"], "sockscope.port/1");
                assert_eq!(report["listeners"].as_array().unwrap().len(), 1, "{report:#}");
                let me = std::process::id();
                assert_eq!(report["listeners"][0]["socket"]["owners"][0]["pid"], me);
                assert_eq!(report["connections"].as_array().unwrap().len(), 1, "{report:#}");
                let pair = &report["connections"][0]["connections"][0];
                assert_eq!(pair["other"]["owners"][0]["pid"], me);
                assert_eq!(pair["other"]["local"]["port"], client.local_addr().unwrap().port());
            },
        );
    }

    #[test]
    fn the_first_lines_name_who_receives() {
        in_netns("port::live::the_first_lines_name_who_receives", || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let number = socket.local_addr().unwrap().port();
            let output = support::output(sockscope().args(["port", &number.to_string()]));
            let text = String::from_utf8(output.stdout).unwrap();
            let start = format!("port {number}/udp: ");
            let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
            let me = std::process::id();
            // Another test may be starting a program right now: then that has the descriptor, too.
            assert!(line.contains(&format!(" ({me}")), "{line}");
            assert!(line.ends_with(" receives on 127.0.0.1"), "{line}");
        });
    }
}

#[test]
fn a_port_that_nobody_holds_is_exit_1() {
    let output = laptop(&["8081"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("nobody holds port 8081\n"), "{text}");
}

#[test]
fn a_port_that_is_only_connected_to_is_held_by_nobody_and_shown() {
    let output = laptop(&["443"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("nobody holds port 443; ") && text.contains("firefox"), "{text}");
}

#[test]
fn a_port_has_a_name() {
    let output = laptop(&["http"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let verdict = "port 80/tcp: nginx (800, +2) listens on 0.0.0.0 and [::]\n";
    assert!(text.starts_with(verdict), "{text}");
}

#[test]
fn what_is_no_port_is_trouble() {
    for wrong in ["0", "65536", "-1", "no-such-service", ""] {
        let output = port(&[wrong]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{wrong}: {stderr}");
        assert!(stderr.starts_with(&format!("sockscope: '{wrong}' is no port: ")), "{stderr}");
    }
}

#[test]
fn the_schemas_are_printed() {
    for (command, file) in [
        ("list", "json.schema.json"),
        ("port", "port.schema.json"),
        ("show", "show.schema.json"),
        ("doctor", "doctor.schema.json"),
        ("pick", "pick.schema.json"),
        ("wait", "wait.schema.json"),
        ("connect", "connect.schema.json"),
        ("serve", "serve.schema.json"),
        ("demo", "demo.schema.json"),
        ("quiz", "quiz.schema.json"),
    ] {
        let output = support::output(sockscope().args(["schema", command]));
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
        assert_eq!(output.stdout, std::fs::read(committed).unwrap());
    }
}
