//! `sockscope free` on real holders, each test in a network namespace of its own: there any port may be
//! taken, and there is nobody else to hit.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::netns::{alone, as_nobody, in_netns};
use crate::support::{self, Ran, Running, program, ran, skip, sockscope, wait_until};

const PORT: u16 = 8080;

fn free(arguments: &[&str]) -> Ran {
    ran(sockscope().args(["free", "8080"]).args(arguments))
}

/// Runs a Python program that prints a line when all is set up; it ends with the test. `None`, said
/// loudly, where there is no Python.
fn python(script: &str) -> Option<(Running, Vec<u32>)> {
    let Some(python) = program("python3") else {
        skip("needs python3");
        return None;
    };
    let script = format!("import os, signal, socket, subprocess, sys, time\n{script}");
    let (running, line) = Running::start_and_read_line(Command::new(python).args(["-c", &script]));
    assert_ne!(line, "", "the program failed; see its output");
    Some((running, line.split(' ').map(|word| word.parse().unwrap()).collect()))
}

/// Who must be left alone: holds another port.
const SIBLING: &str = "
s = socket.create_server(('127.0.0.1', 8081))
print(os.getpid(), flush=True)
time.sleep(600)
";

fn is_alive(pid: u32) -> bool {
    // A zombie has ended.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

/// What a plan and its act have in common.
fn targets(report: &Value) -> Value {
    let steps = report["steps"].as_array().unwrap().iter();
    let steps: Vec<Value> = steps
        .map(|step| {
            let processes = step["processes"].as_array().unwrap().iter();
            let pids: Vec<&Value> = processes.map(|process| &process["pid"]).collect();
            json!([step["action"], pids, step["cookies"], step["clears"], step["chosen"]])
        })
        .collect();
    let sockets = report["in_the_way"].as_array().unwrap().iter();
    let sockets: Vec<&Value> = sockets.map(|socket| &socket["cookie"]).collect();
    json!([steps, sockets])
}

/// Runs it dry and in earnest, and checks that both mean the same, that nothing changed before, and
/// that the port is free after. Returns the numbers of the processes ended.
#[track_caller]
fn assert_frees(arguments: &[&str]) -> Vec<u64> {
    let dry = free(&[&["--dry-run", "--json"], arguments].concat());
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).is_err(), "a dry run does nothing");
    let done = free(&[&["--yes", "--json"], arguments].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    let (dry, done) = (dry.json(), done.json());
    assert_eq!((&dry["outcome"], &done["outcome"]), (&json!("untouched"), &json!("freed")));
    assert_eq!(targets(&dry), targets(&done));
    support::listen_when_released((Ipv4Addr::UNSPECIFIED, PORT));
    let chosen = done["steps"].as_array().unwrap().iter().filter(|step| step["chosen"] == true);
    let processes = chosen.flat_map(|step| step["processes"].as_array().unwrap().clone());
    processes.map(|process| process["pid"].as_u64().unwrap()).collect()
}

#[test]
fn a_plain_holder_is_ended_and_nobody_else() {
    in_netns("free::a_plain_holder_is_ended_and_nobody_else", || {
        let Some((sibling, _)) = python(SIBLING) else { return };
        let Some((holder, _)) = python(&SIBLING.replace("8081", "8080")) else { return };
        assert_eq!(assert_frees(&[]), [u64::from(holder.pid())]);
        assert!(!is_alive(holder.pid()) && is_alive(sibling.pid()));
        let again = free(&["--yes"]);
        assert_eq!((again.code, &*again.stdout), (Some(0), "port 8080/tcp is free\n"));
    });
}

#[test]
fn a_forked_family_is_ended_the_parent_first() {
    in_netns("free::a_forked_family_is_ended_the_parent_first", || {
        let Some((sibling, _)) = python(SIBLING) else { return };
        let family = "
s = socket.create_server(('127.0.0.1', 8080))
children = []
ready, say = os.pipe()
for _ in range(2):
    child = os.fork()
    if child == 0:
        os.write(say, b'.')
        time.sleep(600)
    children.append(child)
    os.read(ready, 1)
print(os.getpid(), *children, flush=True)
time.sleep(600)
";
        let Some((_parent, pids)) = python(family) else { return };
        let pids: Vec<u64> = pids.into_iter().map(u64::from).collect();
        assert_eq!(assert_frees(&[]), pids);
        assert!(is_alive(sibling.pid()));
    });
}

/// A server starts a program that inherits its listener, and ends.
const LEAKED: &str = "
read, write = os.pipe()
server = os.fork()
if server == 0:
    s = socket.create_server(('127.0.0.1', 8080))
    child = subprocess.Popen(['sleep', '600'], pass_fds=[s.fileno()])
    os.write(write, str(child.pid).encode())
    os._exit(0)
os.waitpid(server, 0)
print(os.read(read, 99).decode(), flush=True)
time.sleep(600)
";

#[test]
fn of_a_leaked_listener_the_child_alone_is_ended() {
    in_netns("free::of_a_leaked_listener_the_child_alone_is_ended", || {
        let Some((first, pids)) = python(LEAKED) else { return };
        assert_eq!(assert_frees(&[]), [u64::from(pids[0])]);
        assert!(is_alive(first.pid()));
    });
}

#[test]
fn a_stopped_job_is_continued_to_its_end() {
    in_netns("free::a_stopped_job_is_continued_to_its_end", || {
        let tidy = "
def bye(*_):
    os.write(1, b'tidied')
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
s = socket.create_server(('127.0.0.1', 8080))
child = os.fork()
if child == 0:
    os.kill(os.getppid(), signal.SIGSTOP)
    os._exit(0)
s.settimeout(0)
os.waitpid(child, 0)
print(os.getpid(), flush=True)
time.sleep(600)
";
        // It says nothing while it is stopped, so it is asked for.
        let Some(python) = program("python3") else { return skip("needs python3") };
        let script = format!("import os, signal, socket, sys, time\n{tidy}");
        let job = Running::start(Command::new(python).args(["-c", &script]).stdout(Stdio::null()));
        let stat = format!("/proc/{}/stat", job.pid());
        wait_until(|| {
            let stat = std::fs::read_to_string(&stat).unwrap();
            stat.rsplit(')').next().unwrap().starts_with(" T")
        });
        assert_eq!(assert_frees(&[]), [u64::from(job.pid())]);
    });
}

/// Leaves a connection of a server without SO_REUSEADDR, closed by the server first; the client closes
/// too, or holds on.
fn leave_over(client_closes: bool) -> Option<Running> {
    let ends = if client_closes { "c.recv(1); c.close()" } else { "c.recv(1)" };
    let (holder, _) = python(&format!(
        "
s = socket.socket(); s.bind(('127.0.0.1', 8080)); s.listen()
c = socket.create_connection(('127.0.0.1', 8080))
a, _ = s.accept()
a.close(); {ends}; s.close()
print(os.getpid(), flush=True)
time.sleep(600)
"
    ))?;
    Some(holder)
}

#[test]
fn time_wait_is_destroyed_where_waiting_takes_too_long() {
    in_netns("free::time_wait_is_destroyed_where_waiting_takes_too_long", || {
        let Some(holder) = leave_over(true) else { return };
        wait_until(|| !support::list(&["sport 8080 and state time-wait"]).is_empty());
        let plan = free(&["--dry-run", "--json"]).json();
        let actions: Vec<(&Value, &Value)> = plan["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| (&step["action"], &step["chosen"]))
            .collect();
        let (yes, no) = (json!(true), json!(false));
        let (wait, destroy) = (json!("wait"), json!("destroy"));
        assert_eq!(actions, [(&wait, &yes), (&destroy, &no)], "{plan:#}");
        assert_eq!(assert_frees(&["--timeout", "5"]), [] as [u64; 0]);
        assert!(is_alive(holder.pid()));
    });
}

#[test]
fn what_ends_by_itself_is_waited_for() {
    in_netns("free::what_ends_by_itself_is_waited_for", || {
        // For how long a closed end waits for the other, which is held open here.
        // Long enough to be found still waiting on a busy machine.
        std::fs::write("/proc/sys/net/ipv4/tcp_fin_timeout", "12").unwrap();
        let Some(holder) = leave_over(false) else { return };
        // Its FIN may not be acknowledged at once.
        wait_until(|| !support::list(&["sport 8080 and state fin-wait-2"]).is_empty());
        let done = free(&["--yes", "--json", "--timeout", "120"]).json();
        assert_eq!((&done["outcome"], &done["free"]), (&json!("freed"), &json!(true)), "{done:#}");
        assert_eq!(done["steps"][0]["action"], "wait");
        assert!(is_alive(holder.pid()));
    });
}

#[test]
fn a_process_of_a_container_is_ended_by_its_number_here() {
    in_netns("free::a_process_of_a_container_is_ended_by_its_number_here", || {
        let (Some(unshare), Some(python)) = (program("unshare"), program("python3")) else {
            return skip("needs unshare (util-linux) and python3");
        };
        // The first process in there only looks after the second, which has the port.
        let script = "
import os, socket, time
if os.fork():
    os.wait()
    time.sleep(600)
s = socket.create_server(('127.0.0.1', 8080))
print(os.getpid(), flush=True)
time.sleep(600)
";
        let mut command = Command::new(unshare);
        command.args(["-pf", "--kill-child", "--mount-proc"]).arg(python).args(["-c", script]);
        let (_container, inner) = Running::start_and_read_line(&mut command);
        let owner = support::list(&["sport 8080"])[0]["owners"][0].clone();
        assert_eq!(owner["nspid"].to_string(), inner);
        assert_eq!(assert_frees(&[]), [owner["pid"].as_u64().unwrap()]);
    });
}

#[test]
fn a_port_is_freed_in_the_namespace_it_is_asked_in_and_in_no_other() {
    let test = "free::a_port_is_freed_in_the_namespace_it_is_asked_in_and_in_no_other";
    in_netns(test, || {
        let (Some(unshare), Some(nsenter)) = (program("unshare"), program("nsenter")) else {
            return skip("needs unshare and nsenter (util-linux)");
        };
        let Some(python) = program("python3") else { return skip("needs python3") };
        let script = "
import socket, subprocess, time
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
s = socket.create_server(('127.0.0.1', 8080))
print('ready', flush=True)
time.sleep(600)
";
        let mut command = Command::new(unshare);
        command.arg("-n").arg(python).args(["-c", script]);
        let (other, line) = Running::start_and_read_line(&mut command);
        assert_eq!(line, "ready");

        let here = free(&["--yes"]);
        assert_eq!((here.code, &*here.stdout), (Some(0), "port 8080/tcp is free\n"));
        assert!(is_alive(other.pid()));

        let mut command = Command::new(nsenter);
        command.args(["-n", "-t", &other.pid().to_string(), env!("CARGO_BIN_EXE_sockscope")]);
        let there = ran(command.args(["free", "8080", "--yes"]));
        assert_eq!(there.code, Some(0), "{there:?}");
        assert!(there.stdout.ends_with("port 8080/tcp is free now\n"), "{there:?}");
        assert!(!is_alive(other.pid()));
    });
}

#[test]
fn what_sockscope_was_started_from_is_not_ended() {
    in_netns("free::what_sockscope_was_started_from_is_not_ended", || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).unwrap();
        for arguments in [&["--yes"][..], &["--dry-run"], &[]] {
            let ran = free(arguments);
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(ran.stdout.contains("is sockscope, or what it was started from"), "{ran:?}");
        }
        let ran = free(&["--yes", "--only", "1"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        drop(listener);
    });
}

#[test]
fn the_first_process_is_not_ended() {
    alone("free::the_first_process_is_not_ended", || {
        assert_eq!(std::process::id(), 1);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).unwrap();
        let ran = free(&["--yes", "--force"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stdout.contains("which must not end"), "{ran:?}");
        drop(listener);
    });
}

#[test]
fn who_may_not_be_seen_is_trouble() {
    in_netns("free::who_may_not_be_seen_is_trouble", || {
        let Some((holder, _)) = python(&SIBLING.replace("8081", "8080")) else { return };
        let mut command = sockscope();
        command.args(["free", "8080", "--yes"]);
        if !as_nobody(&mut command) {
            return skip("needs root, to become another user");
        }
        let ran = ran(&mut command);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stdout.contains("somebody you may not see"), "{ran:?}");
        assert!(is_alive(holder.pid()));
    });
}

#[test]
fn without_terminal_and_without_yes_nothing_is_done() {
    in_netns("free::without_terminal_and_without_yes_nothing_is_done", || {
        let Some((holder, _)) = python(&SIBLING.replace("8081", "8080")) else { return };
        let ran = free(&[]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("\nhint: add --yes "), "{ran:?}");
        assert!(is_alive(holder.pid()));
    });
}

#[test]
fn who_does_not_listen_to_sigterm_is_killed_only_by_force() {
    in_netns("free::who_does_not_listen_to_sigterm_is_killed_only_by_force", || {
        let deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n".to_owned()
            + &SIBLING.replace("8081", "8080");
        let Some((holder, _)) = python(&deaf) else { return };
        let ran = free(&["--yes", "--timeout", "1"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stdout.contains("did not end when asked (SIGTERM); --force kills"), "{ran:?}");
        assert!(is_alive(holder.pid()));
        let ran = free(&["--yes", "--timeout", "1", "--force"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    });
}

/// The command at a terminal, which has shown its plan and asks.
struct Asking(Child);

impl Asking {
    fn start() -> Option<Self> {
        let Some(script) = program("script") else {
            skip("needs script (util-linux)");
            return None;
        };
        let line = format!("'{}' free 8080", env!("CARGO_BIN_EXE_sockscope"));
        let mut command = Command::new(script);
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.as_mut().unwrap();
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).contains("[y/N") {
            let mut byte = [0];
            stdout.read_exact(&mut byte).unwrap();
            shown.extend(byte);
        }
        Some(Self(child))
    }

    /// Types the answer and returns the exit code and what was said after.
    fn answer(mut self, answer: &[u8]) -> (Option<i32>, String) {
        self.0.stdin.take().unwrap().write_all(answer).unwrap();
        let output = self.0.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn at_a_terminal_the_answer_decides() {
    in_netns("free::at_a_terminal_the_answer_decides", || {
        let Some((holder, _)) = python(&SIBLING.replace("8081", "8080")) else { return };
        for no in [&b"n\n"[..], b"\n", b"7\n"] {
            let Some(asking) = Asking::start() else { return };
            let (code, text) = asking.answer(no);
            assert!(matches!(code, Some(1 | 2)), "{text}");
            assert!(is_alive(holder.pid()));
        }
        let Some(asking) = Asking::start() else { return };
        let (code, text) = asking.answer(b"y\n");
        assert_eq!(code, Some(0), "{text}");
        assert!(!is_alive(holder.pid()));
    });
}

#[test]
fn who_took_the_place_of_the_holder_is_named_and_not_ended() {
    in_netns("free::who_took_the_place_of_the_holder_is_named_and_not_ended", || {
        let serve = SIBLING.replace("8081", "8080");
        let Some((planned, _)) = python(&serve) else { return };
        let Some(asking) = Asking::start() else { return };
        drop(planned);
        drop(support::listen_when_released((Ipv4Addr::LOCALHOST, PORT)));
        let Some((other, _)) = python(&serve) else { return };
        let (code, text) = asking.answer(b"y\n");
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(&format!("({})", other.pid())), "{text}");
        assert!(is_alive(other.pid()));
    });
}

#[test]
fn who_joined_the_holders_after_the_plan_stops_it() {
    in_netns("free::who_joined_the_holders_after_the_plan_stops_it", || {
        let late = "
s = socket.create_server(('127.0.0.1', 8080))
def fork(*_):
    if os.fork() == 0: time.sleep(600)
signal.signal(signal.SIGUSR1, fork)
print(os.getpid(), flush=True)
while True: signal.pause()
";
        let Some((holder, _)) = python(late) else { return };
        let Some(asking) = Asking::start() else { return };
        let pid =
            i32::try_from(holder.pid()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
        wait_until(|| support::list(&["sport 8080"])[0]["owners"].as_array().unwrap().len() == 2);
        let (code, text) = asking.answer(b"y\n");
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("is not in the plan: nothing was done"), "{text}");
        assert!(is_alive(holder.pid()));
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).unwrap());
    });
}

#[test]
fn a_server_that_is_started_again_is_told_with_who_starts_it() {
    in_netns("free::a_server_that_is_started_again_is_told_with_who_starts_it", || {
        let supervisor = "
ready, say = os.pipe()
def serve():
    s = socket.create_server(('127.0.0.1', 8080))
    os.write(say, b'.')
    time.sleep(600)
if os.fork() == 0: serve()
os.read(ready, 1)
print(os.getpid(), flush=True)
while True:
    os.wait()
    if os.fork() == 0: serve()
";
        let Some((parent, _)) = python(supervisor) else { return };
        let parent = format!("({}) started too: end that first", parent.pid());
        // A busy machine may take longer to start a server than it is waited for: then it is free, which
        // was true.
        wait_until(|| {
            support::wait_until_listening(PORT);
            let ran = free(&["--yes"]);
            let is_taken = ran.stdout.contains("was taken again by python3");
            assert_eq!(ran.code, Some(i32::from(is_taken)), "{ran:?}");
            assert!(!is_taken || ran.stdout.contains(&parent), "{ran:?}");
            is_taken
        });
    });
}

#[test]
fn what_is_no_port_is_trouble() {
    for wrong in ["0", "65536", "-1", "no-such-service", "", "999.1.1.1:80", "tcp:", "[::1:80"] {
        let ran = ran(sockscope().args(["free", wrong]));
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{wrong}: {ran:?}");
        assert!(ran.stderr.starts_with("sockscope: "), "{wrong}: {ran:?}");
    }
}
