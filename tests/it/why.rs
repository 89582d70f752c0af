//! `sockscope why` on real sockets, each test in a network namespace of its own.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use serde_json::Value;

use crate::netns::in_netns;
use crate::support::{self, sockscope};

/// The answers of `sockscope why --json ARGS`, and the exit code.
#[track_caller]
fn why(args: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = support::output(sockscope().args(["why", "--json"]).args(args));
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    (serde_json::from_value(document["answers"].take()).unwrap(), output.status.code())
}

#[test]
fn a_free_port_is_free_and_the_kernel_says_so() {
    in_netns("why::a_free_port_is_free_and_the_kernel_says_so", || {
        let (answers, code) = why(&["8080"]);
        assert_eq!((answers.len(), code), (2, Some(0)), "{answers:#?}");
        for answer in answers {
            assert_eq!(
                (&answer["verdict"], &answer["probe"]),
                (&"free".into(), &"succeeded".into())
            );
        }
    });
}

#[test]
fn a_dual_stack_listener_blocks_ipv4() {
    in_netns("why::a_dual_stack_listener_blocks_ipv4", || {
        let _listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 8080)).unwrap();
        let (answers, code) = why(&["127.0.0.1:8080"]);
        assert_eq!(code, Some(1));
        let answer = &answers[0];
        assert_eq!((&answer["errno"], &answer["probe"]), (&"EADDRINUSE".into(), &"failed".into()));
        let cause = &answer["causes"][0];
        assert_eq!(cause["reason"], "dual-stack");
        assert_eq!(cause["sockets"][0]["owners"][0]["pid"], std::process::id());
    });
}

#[test]
fn the_verdict_is_the_first_line() {
    in_netns("why::the_verdict_is_the_first_line", || {
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)).unwrap();
        let output = support::output(sockscope().args(["why", "127.0.0.1:8080"]));
        let text = String::from_utf8(output.stdout).unwrap();
        let verdict = "tcp 127.0.0.1:8080: no, bind fails with EADDRINUSE (address already in use)";
        assert_eq!(text.lines().next(), Some(verdict));
    });
}
