//! Real sockets of real processes, found in the real `/proc`.
#![expect(clippy::disallowed_methods, reason = "tests start programs")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::platform::clock::Deadline;

/// A program that ends when its standard input is closed, at the latest when the test ends.
struct Helper {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Helper {
    fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start a helper");
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Runs this Python program, which ends at the end of its input.
    fn python(program: &str) -> Self {
        Self::start(Command::new("python3").args(["-c", program]))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn numbers(&mut self) -> Vec<u64> {
        self.line().split(' ').map(|word| word.parse().unwrap()).collect()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).ok();
        self.child.wait().ok();
    }
}

/// Returns the descriptors found for this inode.
fn holders(scan: &Scan, inode: u64) -> Vec<(u32, u32)> {
    scan.holdings
        .sorted()
        .into_iter()
        .filter(|holding| holding.inode == Inode(inode))
        .map(|holding| (holding.pid.0, holding.fd.unwrap().0))
        .collect()
}

/// Returns the descriptors found in this process. Other tests start programs meanwhile, and until
/// `exec` a child holds everything its parent does.
fn own(mut scan: Scan) -> Vec<Holding> {
    scan.holdings.retain(|holding| holding.pid.0 == std::process::id());
    scan.holdings.sorted()
}

fn own_descriptor(socket: &(impl AsFd + AsRawFd)) -> Holding {
    Holding {
        pid: Pid(std::process::id()),
        tid: None,
        fd: Some(Fd(u32::try_from(socket.as_raw_fd()).unwrap())),
        inode: Inode(inode(socket)),
        via: Via::Fd,
    }
}

fn inode(socket: &impl AsFd) -> u64 {
    rustix::fs::fstat(socket).unwrap().st_ino
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says loudly that a test did not run, and fails it where everything must run.
fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
    assert!(std::env::var_os("SOCKSCOPE_REQUIRE_ALL").is_none(), "{why}");
}

#[test]
fn an_own_socket_is_found_with_its_descriptor() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(own(scan(None)).contains(&own_descriptor(&listener)));
}

#[test]
fn a_socket_shared_by_fork_has_two_holders() {
    let mut helper = Helper::python(
        "import os, socket, sys\n\
         s = socket.create_server(('127.0.0.1', 0))\n\
         child = os.fork()\n\
         if child: print(os.getpid(), child, s.fileno(), os.fstat(s.fileno()).st_ino, flush=True)\n\
         sys.stdin.read()\n",
    );
    let [parent, child, fd, inode] = helper.numbers()[..] else { panic!("four numbers") };
    let narrow = |number| u32::try_from(number).unwrap();
    let mut expected = vec![(narrow(parent), narrow(fd)), (narrow(child), narrow(fd))];
    expected.sort_unstable();
    assert_eq!(holders(&scan(None), inode), expected);
}

#[test]
fn a_duplicated_descriptor_is_a_second_holder() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let twin = listener.try_clone().unwrap();
    let found = own(scan(Some(&HashSet::from([Inode(inode(&listener))]))));
    let mut expected = [own_descriptor(&listener), own_descriptor(&twin)];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn only_wanted_sockets_are_returned() {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let wanted = HashSet::from([inode(&listeners[0]), inode(&listeners[2])].map(Inode));
    let mut expected = [own_descriptor(&listeners[0]), own_descriptor(&listeners[2])];
    expected.sort_unstable();
    assert_eq!(own(scan(Some(&wanted))), expected);
}

#[test]
fn ten_thousand_descriptors_in_one_process_are_all_found() {
    let mut helper = Helper::python(
        "import os, resource, socket, sys\n\
         hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n\
         try: resource.setrlimit(resource.RLIMIT_NOFILE, (10100, max(hard, 10100)))\n\
         except Exception: print('no', flush=True); sys.exit()\n\
         s = socket.create_server(('127.0.0.1', 0))\n\
         first = s.fileno()\n\
         fds = [first] + [os.dup(first) for _ in range(9999)]\n\
         print(os.getpid(), first, max(fds), os.fstat(first).st_ino, flush=True)\n\
         sys.stdin.read()\n",
    );
    let line = helper.line();
    if line == "no" {
        return skip("a process may not have 10,000 descriptors here (RLIMIT_NOFILE)");
    }
    let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
    let [pid, first, last, inode] = numbers[..] else { panic!("four numbers") };
    let narrow = |number| u32::try_from(number).unwrap();
    let mut found = holders(&scan(None), inode);
    assert_eq!(found.first(), Some(&(narrow(pid), narrow(first))));
    assert_eq!(found.last(), Some(&(narrow(pid), narrow(last))));
    found.dedup();
    assert_eq!(found.len(), 10_000);
}

#[test]
fn a_socket_is_found_when_the_first_thread_has_exited() {
    // pthread_exit ends the first thread only; the second one waits for the end of the input.
    let mut helper = Helper::python(
        "import ctypes, os, socket, sys, threading\n\
         s = socket.create_server(('127.0.0.1', 0))\n\
         def rest():\n\
         \x20   while open('/proc/self/stat').read().rsplit(')')[-1].split()[0] != 'Z': pass\n\
         \x20   print(os.getpid(), s.fileno(), os.fstat(s.fileno()).st_ino, flush=True)\n\
         \x20   os.read(0, 1)\n\
         \x20   os._exit(0)\n\
         threading.Thread(target=rest).start()\n\
         ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)\n",
    );
    let [pid, fd, inode] = helper.numbers()[..] else { panic!("three numbers") };
    let narrow = |number| u32::try_from(number).unwrap();
    assert_eq!(holders(&scan(None), inode), [(narrow(pid), narrow(fd))]);
}

/// A program that has a socket in the table of its second thread alone; prints the process, that
/// thread, the descriptor and the inode.
const OWN_TABLE: &str = "import ctypes, os, socket, sys, threading\n\
    def rest():\n\
    \x20   assert ctypes.CDLL(None).unshare(0x400) == 0\n\
    \x20   s = socket.create_server(('127.0.0.1', 0))\n\
    \x20   inode = os.fstat(s.fileno()).st_ino\n\
    \x20   print(os.getpid(), threading.get_native_id(), s.fileno(), inode, flush=True)\n\
    \x20   sys.stdin.read()\n\
    threading.Thread(target=rest).start()\n\
    threading.Thread(target=threading.Event().wait, daemon=True).start()\n";

#[test]
fn a_socket_in_a_threads_own_table_is_found_with_the_thread() {
    let mut helper = Helper::python(OWN_TABLE);
    let [pid, tid, fd, inode] = helper.numbers()[..] else { panic!("four numbers") };
    let narrow = |number| u32::try_from(number).unwrap();
    let wanted = HashSet::from([Inode(inode)]);
    assert_eq!(holders(&scan(Some(&wanted)), inode), []);
    let expected = Holding {
        pid: Pid(narrow(pid)),
        tid: Some(Tid(narrow(tid))),
        fd: Some(Fd(narrow(fd))),
        inode: Inode(inode),
        via: Via::ThreadFd,
    };
    let found = threads::scan(Some(&wanted), Deadline::after(Duration::from_mins(1)));
    assert_eq!(found.holdings.sorted(), [expected]);
}

/// A program that registers a listener with an io_uring and closes it; prints the process and the
/// inode, or why it cannot.
const RING: &str = "import ctypes, os, socket, sys\n\
    libc = ctypes.CDLL(None, use_errno=True)\n\
    ring = libc.syscall(425, 4, (ctypes.c_char * 120)())\n\
    if ring < 0: print('no', os.strerror(ctypes.get_errno()), flush=True); sys.exit()\n\
    s = socket.create_server(('127.0.0.1', 0))\n\
    files = (ctypes.c_int * 3)(-1, s.fileno(), -1)\n\
    assert libc.syscall(427, ring, 2, files, 3) == 0\n\
    inode = os.fstat(s.fileno()).st_ino\n\
    s.close()\n\
    print(os.getpid(), inode, flush=True)\n\
    sys.stdin.read()\n";

#[test]
fn a_socket_registered_with_an_io_uring_is_found_without_a_descriptor() {
    let mut helper = Helper::python(RING);
    let line = helper.line();
    if let Some(why) = line.strip_prefix("no ") {
        return skip(&format!("no io_uring: {why}"));
    }
    let (pid, inode) = line.split_once(' ').unwrap();
    let (pid, inode) = (Pid(pid.parse().unwrap()), Inode(inode.parse().unwrap()));
    let wanted = HashSet::from([inode]);
    let scan = scan(Some(&wanted));
    assert_eq!(scan.holdings.sorted(), []);
    let found = rings::scan(&scan.rings, &wanted, Deadline::after(Duration::from_mins(1)));
    let expected = Holding { pid, tid: None, fd: None, inode, via: Via::IoUring };
    assert_eq!(found.holdings.sorted(), [expected]);
}

#[test]
fn what_all_threads_share_is_no_threads_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let wanted = HashSet::from([Inode(inode(&listener))]);
    let found = threads::scan(Some(&wanted), Deadline::after(Duration::from_mins(1)));
    assert_eq!(own(found), []);
}

#[test]
fn a_search_through_threads_that_takes_too_long_is_given_up_and_says_so() {
    let found = threads::scan(Some(&HashSet::new()), Deadline::after(Duration::ZERO));
    assert_eq!(found.gaps.len(), 1, "{:?}", found.gaps);
    assert!(found.gaps[0].why.contains("took too long"));
}

/// A program that sends a listener to its child, which does not receive it; prints the child and the
/// inode.
const FLIGHT: &str = "import os, socket, sys\n\
    ours, theirs = socket.socketpair()\n\
    receiver = os.fork()\n\
    if receiver == 0: ours.close(); theirs.send(b'.'); sys.stdin.read(); os._exit(0)\n\
    theirs.close()\n\
    ours.recv(1)\n\
    s = socket.create_server(('127.0.0.1', 0))\n\
    inode = os.fstat(s.fileno()).st_ino\n\
    socket.send_fds(ours, [b'.'], [s.fileno()])\n\
    s.close()\n\
    print(receiver, inode, flush=True)\n\
    sys.stdin.read()\n";

/// Not a test by itself: what the next test runs again where there are no other processes.
#[test]
fn in_flight_for_another_test() {
    if std::env::var_os("SOCKSCOPE_TEST_IN_FLIGHT").is_none() {
        return;
    }
    let mut helper = Helper::python(FLIGHT);
    let [receiver, inode] = helper.numbers()[..] else { panic!("two numbers") };
    let receiver = Pid(u32::try_from(receiver).unwrap());
    let inode = Inode(inode);
    let search = || {
        in_flight::scan(
            scan(None).holdings.iter(),
            &HashSet::from([inode]),
            Deadline::after(Duration::from_mins(1)),
        )
    };
    let found = search();
    let expected = Holding { pid: receiver, tid: None, fd: None, inode, via: Via::InFlight };
    assert_eq!((found.holdings, found.is_possible), (vec![expected], true));

    let mut another = Helper::python(FLIGHT);
    another.line();
    let found = search();
    assert_eq!((found.holdings, found.is_possible), (vec![], true), "one of two receivers");
}

#[test]
fn a_socket_in_flight_is_given_to_the_one_receiver_and_to_neither_of_two() {
    alone("in_flight_for_another_test", "SOCKSCOPE_TEST_IN_FLIGHT");
}

/// Runs a test of this file where there are no other processes.
fn alone(name: &str, variable: &str) {
    if !is_root() {
        return skip("needs root, to make a PID namespace");
    }
    let output = Command::new("unshare")
        .args(["--fork", "--pid", "--kill-child", "--mount-proc"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("platform::linux::owners::tests::{name}")])
        .env(variable, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

/// A program of as many processes as it is told, with sockets of several kinds, descriptors that are
/// none, threads, duplicates, and what their parent holds; says when all are there.
const CROWD: &str = "import ctypes, os, socket, sys, threading\n\
    shared = socket.create_server(('127.0.0.1', 0))\n\
    ready, say = os.pipe()\n\
    count = int(sys.argv[1])\n\
    for number in range(count):\n\
    \x20   if os.fork(): continue\n\
    \x20   held = [os.open('/dev/null', os.O_RDONLY) for _ in range(number % 7)]\n\
    \x20   held += [socket.socket(*kind) for kind in [(2, 1), (2, 2), (10, 1)][:number % 4]]\n\
    \x20   held += [socket.socketpair() for _ in range(number % 3)]\n\
    \x20   held += [os.dup(shared.fileno()), open('/proc/self/ns/net'), open('/proc/self/ns/uts')]\n\
    \x20   if number == 2: held += [socket.socket(2, 2) for _ in range(700)]\n\
    \x20   def rest():\n\
    \x20       if number % 2: ctypes.CDLL(None).unshare(0x400); held.append(socket.socket(2, 2))\n\
    \x20       while not number % 10 and open('/proc/self/stat').read().rsplit(')')[-1].split()[0] != 'Z': pass\n\
    \x20       os.write(say, b'.')\n\
    \x20       threading.Event().wait()\n\
    \x20   if number % 5 == 0: threading.Thread(target=rest).start()\n\
    \x20   else: os.write(say, b'.')\n\
    \x20   if number % 10: threading.Event().wait()\n\
    \x20   ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)\n\
    for _ in range(count): os.read(ready, 1)\n\
    print('ready', flush=True)\n\
    sys.stdin.read()\n\
    os.killpg(0, 9)\n";

/// Returns what only one of the two has.
fn differing(one: &[Holding], other: &[Holding]) -> Vec<Holding> {
    let [one, other] = [one, other].map(|all| all.iter().copied().collect::<HashSet<Holding>>());
    one.symmetric_difference(&other).copied().collect()
}

/// Not a test by itself: what the next test runs again where there are no other processes.
#[test]
fn both_ways_for_another_test() {
    if std::env::var_os("SOCKSCOPE_TEST_BOTH_WAYS").is_none() {
        return;
    }
    for (count, is_dealt) in [(60, false), (60, true), (330, true)] {
        let processes =
            |_| is_dealt.then(|| pids().unwrap().into_iter().map(|pid| pid.0).collect());
        let mut crowd = Helper::start(
            Command::new("python3").args(["-c", CROWD, &count.to_string()]).process_group(0),
        );
        assert_eq!(crowd.line(), "ready");
        let told = match bpf::scan_in(None, processes) {
            Ok(told) => told,
            Err(refusal) => return skip(&format!("BPF: {refusal}")),
        };
        let mut walked = scan(None);
        let mut threads = threads::scan(
            Some(&told.holdings.iter().map(|holding| holding.inode).collect()),
            Deadline::after(Duration::from_mins(1)),
        );
        // Where the first thread has ended, the walk has read the others already.
        let has_first = |pid: Pid| {
            read_stat(pid.0).is_ok_and(|stat| stat.is_some_and(|stat| !stat.is_zombie()))
        };
        threads.holdings.retain(|holding| has_first(holding.pid));
        threads.namespaces.retain(|(_, descriptor)| has_first(descriptor.pid));
        walked.holdings.append(threads.holdings);
        walked.namespaces.extend(threads.namespaces);
        let (walked_s, told_s) = (walked.holdings.sorted(), told.holdings.sorted());
        let found = told_s.len();
        assert!(found > count * 3, "{found} of {count}");
        assert!(told.holdings.iter().any(|holding| holding.tid.is_some()), "of a single thread");
        assert_eq!(differing(&told_s, &walked_s), [], "{count}");
        let [kept_told, kept_walked] =
            [&told, &walked].map(|scan| scan.namespaces.iter().copied().collect::<BTreeSet<_>>());
        assert!(kept_told.len() >= count, "{} of {count}", kept_told.len());
        assert_eq!(kept_told, kept_walked);

        // What is asked for alone is the same of it.
        let one = told_s[found / 2].inode;
        let wanted = HashSet::from([one]);
        let mut of_it = told_s;
        of_it.retain(|holding| holding.inode == one);
        assert_eq!(bpf::scan_in(Some(&wanted), processes).unwrap().holdings.sorted(), of_it);
    }
}

#[test]
fn both_ways_find_the_same_of_few_processes_and_of_many() {
    alone("both_ways_for_another_test", "SOCKSCOPE_TEST_BOTH_WAYS");
}

#[test]
fn bpf_tells_the_rings_and_the_unix_sockets_too() {
    let mut helper = Helper::python(RING);
    let line = helper.line();
    if let Some(why) = line.strip_prefix("no ") {
        return skip(&format!("no io_uring: {why}"));
    }
    let (_, inode_of_ring) = line.split_once(' ').unwrap();
    let wanted = HashSet::from([Inode(inode_of_ring.parse().unwrap())]);
    let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let inet = TcpListener::bind("127.0.0.1:0").unwrap();
    let told = match bpf::scan(None) {
        Ok(told) => told,
        Err(refusal) => return skip(&format!("BPF: {refusal}")),
    };
    let found = rings::scan(&told.rings, &wanted, Deadline::after(Duration::from_mins(1)));
    assert_eq!(found.holdings.iter().count(), 1, "{:?}", told.rings);
    let is_unix = |socket: &dyn AsFd| {
        told.unix.as_ref().unwrap().contains(&Inode(rustix::fs::fstat(socket).unwrap().st_ino))
    };
    assert!(is_unix(&unix) && !is_unix(&inet));
}

/// Not a test by itself: what the tests below run again as another user.
#[test]
fn report_for_another_test() {
    if std::env::var_os("SOCKSCOPE_TEST_REPORT").is_none() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scan = scan(None);
    let own = holders(&scan, inode(&listener));
    println!("own {}", own.len());
    println!("others {}", scan.holdings.iter().any(|found| found.pid.0 != std::process::id()));
    for gap in scan.gaps.into_iter().chain(visibility::other_pid_namespaces()) {
        println!("gap {} | {:?} | {}", gap.why, gap.count, gap.hint.unwrap_or_default());
    }
}

/// Runs `report_for_another_test` in this way and returns the lines it prints.
fn report(command: &mut Command) -> Vec<String> {
    let output = command
        .args(["--exact", "--nocapture", "platform::linux::owners::tests::report_for_another_test"])
        .env("SOCKSCOPE_TEST_REPORT", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines()
        .filter(|line| ["own ", "others ", "gap "].iter().any(|word| line.starts_with(word)))
        .map(str::to_owned)
        .collect()
}

/// Runs this test binary as this user, who must have no process (the usual nobody may run servers), in a mount namespace of its own prepared by a command. The
/// binary is opened beforehand: that user may not reach the directory it lies in.
fn as_user(uid: u32, prepare: &str) -> Command {
    let script = format!(
        "{prepare} && exec setpriv --reuid {uid} --regid {uid} --clear-groups \
         /proc/self/fd/3 \"$@\" 3<\"$0\""
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]).arg(std::env::current_exe().unwrap());
    command
}

#[test]
fn nobody_sees_its_own_sockets_and_is_told_how_many_processes_it_cannot_read() {
    if !is_root() {
        return skip("needs root, to become another user");
    }
    // In a PID namespace, so that exactly three processes are others', whatever other tests start.
    let mut inside = Command::new("unshare");
    let sleepers = "for _ in 1 2 3; do sleep 600 & done";
    let command = as_user(3_999_999_998, sleepers);
    inside.args(["-p", "-f", "--mount-proc"]).arg(command.get_program()).args(command.get_args());
    let lines = report(&mut inside);
    assert_eq!(lines[..2], ["own 1", "others false"]);
    assert_eq!(
        lines[2],
        "gap permission denied | Some(3) | run as root (sudo) to see other users' processes"
    );
    assert!(lines[3].contains("processes outside this PID namespace cannot be seen"), "{lines:?}");
    assert_eq!(lines.len(), 4);
}

#[test]
fn processes_hidden_by_the_mount_are_a_gap() {
    if !is_root() {
        return skip("needs root, to mount /proc");
    }
    let lines =
        report(&mut as_user(3_999_999_999, "mount -t proc -o hidepid=invisible proc /proc"));
    assert_eq!(
        lines,
        [
            "own 1",
            "others false",
            "gap /proc is mounted with hidepid=invisible: other users' processes are hidden \
             | None | run as root (sudo) to see other users' processes",
        ]
    );
}

#[test]
fn in_a_pid_namespace_others_may_exist_outside() {
    if !is_root() {
        return skip("needs root, to make a PID namespace");
    }
    let exe = std::env::current_exe().unwrap();
    let lines = report(Command::new("unshare").args(["-p", "-f", "--mount-proc"]).arg(exe));
    assert_eq!(lines[..2], ["own 1", "others false"]);
    assert!(lines[2].contains("processes outside this PID namespace cannot be seen (inferred"));
    assert_eq!(lines.len(), 3);
}

#[test]
fn only_links_to_sockets_are_parsed() {
    for (link, inode) in [
        ("socket:[1]", Some(1)),
        ("socket:[18446744073709551615]", Some(u64::MAX)),
        ("socket:[18446744073709551616]", None),
        ("socket:[]", None),
        ("socket:[1", None),
        ("pipe:[1]", None),
        ("/tmp/socket:[1]", None),
        ("anon_inode:[eventpoll]", None),
    ] {
        assert_eq!(parse_socket_link(link.as_bytes()), inode.map(Inode), "{link}");
    }
}

proptest! {
    #[test]
    fn no_link_makes_the_parser_panic(bytes: Vec<u8>) {
        parse_socket_link(&bytes);
    }
}
