//! `sockscope doctor --self`, and what is told where BPF is refused: by a missing capability, or by a
//! filter on system calls.

use std::process::{Command, Output};

use serde_json::Value;

use crate::netns;
use crate::support::{self, skip, sockscope};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The fact about this.
fn fact<'a>(report: &'a Value, about: &str) -> &'a Value {
    let facts = report["facts"].as_array().unwrap().iter();
    let mut found = facts.filter(|fact| fact["about"] == about);
    found.next().unwrap_or_else(|| panic!("{about}: {report:#}"))
}

#[test]
fn what_is_missing_decides_how_it_ends_in_text_and_in_json() {
    let plain = support::output(sockscope().args(["doctor", "--self"]));
    let json = support::output(sockscope().args(["doctor", "--self", "--json"]));
    for (output, is_complete) in [
        (&json, report(&json)["complete"].as_bool().unwrap()),
        (&plain, text(&plain.stdout).contains("\ncomplete: ")),
    ] {
        assert_eq!(output.status.code(), Some(i32::from(!is_complete)), "{output:?}");
    }
    let report = report(&json);
    assert_eq!(report["missing"].as_array().unwrap().is_empty(), report["complete"] == true);
    assert_eq!(report["schema"], "sockscope.doctor/1");
    if cfg!(target_os = "linux") {
        assert_eq!(fact(&report, "diag-tcp")["permits"], true, "{report:#}");
        assert!(text(&plain.stdout).starts_with("kernel "), "{plain:?}");
    }
}

#[test]
fn it_takes_to_be_asked_for_something() {
    let output = sockscope().arg("doctor").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--self"), "{output:?}");
}

#[test]
fn nobody_is_told_what_is_missing_and_what_would_cure_it() {
    let mut command = sockscope();
    command.args(["doctor", "--self", "--json"]);
    if !netns::as_nobody(&mut command) {
        return skip("needs root to become nobody");
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = report(&output);
    assert_eq!(fact(&report, "bpf")["permits"], false);
    let hint = report["missing"].as_array().unwrap().iter().find_map(|gap| {
        (gap["what"] == "descriptors").then(|| gap["hint"].as_str().unwrap_or_default())
    });
    assert!(hint.is_some_and(|hint| hint.contains("root")), "{report:#}");
}

/// Runs a program of ours with fewer rights: the listing goes on, and says why only to who asks.
fn falls_back(with_less: &dyn Fn(&[&str]) -> Command, why: &str) {
    let plain = with_less(&["list", "-t"]).output().unwrap();
    assert!(matches!(plain.status.code(), Some(0 | 1)), "{plain:?}");
    assert!(!text(&plain.stderr).contains("BPF"), "nobody asked: {plain:?}");
    let verbose = with_less(&["list", "-t", "-v"]).output().unwrap();
    let note = format!("owners: found by walking through /proc; BPF: {why}");
    // Where there are few processes nobody tries.
    let few = "owners: found by walking through /proc; there are few processes";
    let told = text(&verbose.stderr);
    assert!(told.contains(&note) || told.contains(few), "{why}: {told}");
    let doctor = with_less(&["doctor", "--self", "--json"]).output().unwrap();
    let report = report(&doctor);
    let fact = fact(&report, "bpf");
    assert_eq!(fact["permits"], false, "{report:#}");
    assert!(fact["found"].as_str().unwrap().contains(why), "{why}: {fact}");
}

#[test]
fn without_the_capabilities_owners_are_found_by_the_walk() {
    let Some(setpriv) = support::program("setpriv") else { return skip("needs setpriv") };
    if !netns::is_root() {
        return skip("needs root, to give rights away");
    }
    let with_less = |args: &[&str]| {
        let ours = sockscope();
        let mut command = Command::new(&setpriv);
        command.args(["--bounding-set", "-sys_admin,-bpf,-perfmon"]);
        command.arg(ours.get_program()).args(args);
        command
    };
    falls_back(&with_less, "needs CAP_BPF and CAP_PERFMON");
}

/// Refuses bpf(2) with an error, by its number, to itself and the program that it then becomes.
const FILTER: &str = "
import ctypes, os, struct, sys
number = {'x86_64': 321, 'aarch64': 280}[os.uname().machine]
refuse = 0x00050000 | int(sys.argv[1])
code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, refuse), (0x06, 0, 0, 0x7fff0000)]
filter = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *line) for line in code))
program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(code), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[2], sys.argv[2:])
";

#[test]
fn where_a_filter_refuses_the_call_owners_are_found_by_the_walk() {
    let Some(python) = support::program("python3") else { return skip("needs python3") };
    if !netns::is_root() {
        return skip("needs root: others lack the capabilities first");
    }
    for (errno, why) in [(1, "operation not permitted"), (38, "function not implemented")] {
        let with_less = |args: &[&str]| {
            let ours = sockscope();
            let mut command = Command::new(&python);
            command.args(["-c", FILTER, &errno.to_string()]);
            command.arg(ours.get_program()).args(args);
            command
        };
        falls_back(&with_less, &format!("bpf(2) is refused: {why}"));
    }
}
