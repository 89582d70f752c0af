//! Times the listing beside its peers, on machines made for it: `cargo bench --bench peers`.
//!
//! Each scene is built in PID, network and mount namespaces of its own, so that nothing else on the
//! machine is counted and what is there is known exactly. There sockscope and a peer run in turn
//! (A B A B); what is printed is the ratio of the two, pair by pair: the machine may be busy, a pair is
//! busy together. Every answer is checked against what is there: a fast answer that is not whole is
//! marked.
//!
//! ```text
//! cargo bench --bench peers                       every scene, every peer that is installed
//! cargo bench --bench peers -- S1 S3 --pairs 5    these scenes
//! cargo bench --bench peers -- growth             1,000 to 200,000 sockets, and the picture of it
//! cargo bench --bench peers -- --write            and docs/performance.md anew
//! cargo bench --bench peers -- S1 --do ss -tunap  another command in a scene: a profiler, a shell
//! ```
#![cfg_attr(
    target_os = "linux",
    expect(
        clippy::disallowed_methods,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
        reason = "a bench starts programs, reads clocks, and fails by panicking"
    )
)]
#![expect(clippy::print_stdout, reason = "and prints what it saw")]

#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod scene;

#[cfg(target_os = "linux")]
fn main() {
    run::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the scenes need Linux's namespaces");
}
