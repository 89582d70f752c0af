//! Tests in private network namespaces, and as another user (Linux).

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use crate::support::{program, skip};

/// Makes TCP sockets in each state that lasts, in both families, and UDP sockets, kept as long as what
/// this returns. One connection is over: it is closed here first, then there, which leaves TIME_WAIT.
pub(crate) fn internet_scene() -> impl Sized {
    let connect = |listener: &TcpListener| {
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dual_stack = TcpListener::bind("[::]:0").unwrap();
    let established = (connect(&listener), listener.accept().unwrap());
    let mapped = (connect(&dual_stack), dual_stack.accept().unwrap());
    let half_closed = (connect(&listener), listener.accept().unwrap());
    half_closed.0.shutdown(Shutdown::Write).unwrap();
    let (first, (mut second, _)) = (connect(&listener), listener.accept().unwrap());
    drop(first);
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    drop(second);
    let unaccepted = connect(&listener);

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(udp.local_addr().unwrap()).unwrap();
    connected.send(b"unread").unwrap();
    let udp6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    (listener, dual_stack, established, mapped, half_closed, unaccepted, [udp, connected, udp6])
}

/// Runs the body of the test called `name` (its full path, as `cargo test` prints it) in a network
/// namespace of its own with `lo` up: there the listing is known to the last row. The test binary is
/// started again for that, so the body runs in another process.
pub(crate) fn in_netns(name: &str, body: impl FnOnce()) {
    inside("n", name, body);
}

/// Does the same where there are no other processes either.
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    inside("npf", name, body);
}

fn inside(namespaces: &str, name: &str, body: impl FnOnce()) {
    const MARK: &str = "SOCKSCOPE_TEST_IN_NETNS";
    if std::env::var(MARK).is_ok_and(|inside| inside == name) {
        return body();
    }
    let Some(mut command) = command(namespaces) else { return };
    let output = command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, name)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "in its namespace, {name}:\n{text}\n{said}"
    );
    // What it counted is shown, too, where somebody asks for it (--nocapture).
    let is_told = |line: &&str| line.starts_with("SKIPPED:") || line.contains(" pairs, ");
    for line in said.lines().filter(is_told) {
        eprintln!("{line}");
    }
}

/// Returns a command that runs the program and arguments it is yet given in a network namespace of its
/// own with `lo` up; a skip where none can be made.
pub(crate) fn command_in_netns() -> Option<Command> {
    command("n")
}

fn command(namespaces: &str) -> Option<Command> {
    let Some(unshare) = program("unshare") else {
        skip("needs unshare (util-linux)");
        return None;
    };
    let namespaces = if is_root() { format!("-{namespaces}") } else { format!("-Ur{namespaces}") };
    let proc = if namespaces.contains('p') { "--mount-proc" } else { "--" };
    let allowed = Command::new(&unshare).args([&namespaces, proc, "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        skip("may not make a network namespace");
        return None;
    }
    let mut command = Command::new(unshare);
    command.args([&namespaces, proc, "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    Some(command)
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt as _;
        own.uid() == 0
    })
}

/// Makes the command run as the user `nobody`; false when this process may not.
pub(crate) fn as_nobody(command: &mut Command) -> bool {
    use std::os::unix::process::CommandExt as _;
    let may = may_be_nobody();
    if may {
        command.uid(65534).gid(65534);
    }
    may
}

/// Returns whether this process may become the user `nobody`: root may, but not the root of a user
/// namespace that has no such user.
pub(crate) fn may_be_nobody() -> bool {
    // Lines of the first number inside, the first outside, and how many.
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let has_nobody = map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        (numbers[0]..numbers[0] + numbers[2]).contains(&65534)
    });
    is_root() && has_nobody
}
