//! All integration tests, in one binary.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests start programs, read clocks, and fail by panicking"
)]

mod architecture;
mod cli;
#[cfg(target_os = "linux")]
mod close;
#[cfg(target_os = "linux")]
mod code;
#[path = "../../src/render/json/conformance.rs"]
#[expect(dead_code, reason = "the checks of the committed files are of the library's own tests")]
mod conformance;
#[cfg(target_os = "linux")]
mod demo;
#[cfg(target_os = "linux")]
mod demo_killed;
#[cfg(target_os = "linux")]
mod demo_page;
#[cfg(target_os = "linux")]
mod demo_see;
#[cfg(target_os = "linux")]
mod demo_terminal;
#[cfg(target_os = "linux")]
mod differential;
#[cfg(target_os = "linux")]
mod doctor;
mod echo;
#[cfg(target_os = "linux")]
mod echo_lessons;
#[cfg(target_os = "linux")]
mod fallback;
#[cfg(target_os = "linux")]
mod families;
#[cfg(target_os = "linux")]
mod free;
mod generated;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod museum;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod netns;
#[cfg(target_os = "linux")]
mod numbers;
#[cfg(target_os = "linux")]
mod owners;
#[cfg(target_os = "linux")]
mod pick;
mod port;
#[cfg(all(target_os = "linux", feature = "portable"))]
mod portable;
#[cfg(target_os = "linux")]
mod quiz;
mod recordings;
mod replay;
#[cfg(target_os = "linux")]
mod show;
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "most of it serves tests that are of Linux alone")
)]
mod support;
#[cfg(target_os = "linux")]
mod table_1b;
#[cfg(target_os = "linux")]
mod wait;
#[cfg(target_os = "linux")]
mod why;
#[cfg(target_os = "linux")]
mod why_connect;
#[cfg(target_os = "linux")]
mod why_facts;
#[cfg(target_os = "linux")]
mod why_judge;
#[cfg(windows)]
mod windows;

/// A file of tests that nobody compiles is worse than none.
#[test]
fn no_file_of_tests_is_forgotten() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(here.join("main.rs")).unwrap();
    for file in std::fs::read_dir(&here).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else {
            continue;
        };
        assert!(
            main.lines().any(|line| line == format!("mod {module};")),
            "mod {module}; is missing"
        );
    }
}
