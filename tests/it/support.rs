//! What integration tests share: the built command, loud skips, and processes that end with the test.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::conformance;

/// The command under test, with a clean environment.
pub(crate) fn sockscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockscope"));
    command.env_clear().env("NO_COLOR", "1").env("TZ", "UTC").stdin(Stdio::null());
    // Windows can start no program without SystemRoot.
    for kept in ["PATH", "SystemRoot"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// Runs it and returns what it printed; fails when it could not do its job.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{command:?} ended with {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Reads a line of JSON that names its schema, and fails where it is not as the committed one says.
#[track_caller]
pub(crate) fn conforming(line: &str) -> Value {
    let document: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let name = document["schema"].as_str().and_then(|name| name.strip_prefix("sockscope."));
    let name = name.and_then(|name| name.strip_suffix("/1"));
    let name = name.unwrap_or_else(|| panic!("no schema is named: {line}"));
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let schema = std::fs::read_to_string(docs.join(format!("{name}.schema.json"))).unwrap();
    assert_eq!(conformance::fault_of(&document, &schema), None, "{name}: {line}");
    document
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs it to its end, however that is.
#[track_caller]
pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Returns the sockets of `sockscope list --json ARGS`.
#[track_caller]
pub(crate) fn list(args: &[&str]) -> Vec<Value> {
    let mut command = sockscope();
    command.args(["list", "--json"]).args(args);
    listed(&mut command)
}

/// Returns the sockets that this command prints as a JSON listing.
#[track_caller]
pub(crate) fn listed(command: &mut Command) -> Vec<Value> {
    let output = output(command);
    let mut listing: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        // A program that starts it may have failed with a code that is one of ours.
        panic!("{command:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
    });
    serde_json::from_value(listing["sockets"].take()).unwrap()
}

/// Prints why a test cannot run here, and fails it where everything must (`SOCKSCOPE_REQUIRE_ALL=1`,
/// which the gate sets).
#[track_caller]
pub(crate) fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
    assert!(std::env::var_os("SOCKSCOPE_REQUIRE_ALL").is_none(), "must not be skipped here: {why}");
}

/// Returns the program's path when it is installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// A process that ends with the test, whatever happens.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts it with its standard output as given, in a process group of its own.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Starts it and waits for the first line it prints.
    #[track_caller]
    pub(crate) fn start_and_read_line(command: &mut Command) -> (Self, String) {
        let mut running = Self::start(command.stdout(Stdio::piped()));
        let mut line = String::new();
        let mut stdout = BufReader::new(running.0.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        // Kept open: a writer whose reader is gone would end by SIGPIPE.
        std::mem::forget(stdout);
        (running, line.trim_end().to_owned())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its children too: they are in its group. It may have ended by itself; either way nothing
        // is left behind.
        #[cfg(target_os = "linux")]
        if let Some(group) =
            i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Returns whether a process was started with this signal ignored, as nohup(1) and a shell's `&` do.
#[cfg(target_os = "linux")]
pub(crate) fn ignores(pid: u32, signal: rustix::process::Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (signal.as_raw() - 1)) != 0
}

/// Waits until this holds.
#[track_caller]
pub(crate) fn wait_until(holds: impl FnMut() -> bool) {
    assert!(becomes(holds), "not so after {} s", PATIENCE.as_secs());
}

/// How long to wait for what comes by itself, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Returns whether this holds at last.
pub(crate) fn becomes(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Returns the children of a process, in the order in which they were started.
#[cfg(target_os = "linux")]
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Waits until something accepts on this port of loopback.
#[track_caller]
pub(crate) fn wait_until_listening(port: u16) {
    let listens = || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    assert!(becomes(listens), "nothing listens on port {port}");
}

/// Listens at an address that a socket closed a moment ago may still have: whoever lists descriptors in
/// this instant holds a reference to each open file it looks at.
#[track_caller]
pub(crate) fn listen_when_released(address: impl ToSocketAddrs) -> TcpListener {
    let mut bound = TcpListener::bind(&address);
    becomes(|| {
        if bound.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
            bound = TcpListener::bind(&address);
        }
        !bound.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    });
    bound.unwrap()
}
