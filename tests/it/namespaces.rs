//! Sockets of other network namespaces: `--netns`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::differential::{Row, our_row, parse_ss};
use crate::netns::{as_nobody, is_root};
use crate::support::{self, Running, program, skip};

/// Python that all scenes begin with: a listener on a port, `setns` and `unshare`.
const PRELUDE: &str = "
import ctypes, os, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def sure(result):
    if result: raise OSError(ctypes.get_errno(), 'of libc')
def unshare(): sure(libc.unshare(0x40000000))
def setns(fd): sure(libc.setns(fd, 0x40000000))
def number(fd): return os.fstat(fd).st_ino
def listen(port):
    s = socket.socket(); s.bind(('127.0.0.1', port)); s.listen()
    return s
def up(): subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
def ready(*words):
    print(*words, flush=True)
    time.sleep(600)
";

/// Starts Python in namespaces of its own, made by these options of `unshare(1)`, and returns it with
/// the words it is ready with. `None`, said aloud, where that cannot be.
#[track_caller]
pub(crate) fn scene(options: &str, script: &str) -> Option<(Running, Vec<String>)> {
    let (Some(unshare), Some(python)) = (program("unshare"), program("python3")) else {
        skip("needs unshare (util-linux) and python3");
        return None;
    };
    let options = if is_root() { options.to_owned() } else { format!("-Ur{options}") };
    let options = if options.starts_with('-') { options } else { format!("-{options}") };
    let allowed = Command::new(&unshare).args([&options, "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        skip("may not make namespaces");
        return None;
    }
    let mut command = Command::new(unshare);
    command.arg(options).arg(python).args(["-c", &format!("{PRELUDE}\n{script}")]);
    let (running, line) = Running::start_and_read_line(&mut command);
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    assert_eq!(words.first().map(String::as_str), Some("ready"), "the scene fell: {line}");
    Some((running, words.into_iter().skip(1).collect()))
}

/// The number of the network namespace of a process.
pub(crate) fn netns_of(pid: u32) -> u64 {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let text = link.to_str().unwrap();
    text.trim_start_matches("net:[").trim_end_matches(']').parse().unwrap()
}

fn pids(socket: &Value) -> BTreeSet<u64> {
    let owners = socket["owners"].as_array().unwrap();
    owners.iter().map(|owner| owner["pid"].as_u64().unwrap()).collect()
}

/// Runs our command inside the mount namespace of a scene.
fn within(scene: &Running, args: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["-m", "-t", &scene.pid().to_string()]);
    command.arg(env!("CARGO_BIN_EXE_sockscope")).args(["list", "--json"]).args(args);
    command
}

/// A mount namespace of its own, so that the machine's `/run/netns` is left alone.
const OWN_RUN: &str = "
subprocess.run(['mount', '-t', 'tmpfs', 'none', '/run'], check=True)
os.mkdir('/run/netns')
def add(name): subprocess.run(['ip', 'netns', 'add', name], check=True)
def into(name): setns(os.open('/run/netns/' + name, os.O_RDONLY))
";

#[test]
fn one_port_in_two_namespaces_is_two_rows_each_with_its_own_owner() {
    let script = "up(); s = listen(8080); c = socket.create_connection(('127.0.0.1', 8080))\n\
                  ready('ready')";
    let (Some((one, _)), Some((two, _))) = (scene("n", script), scene("n", script)) else { return };
    let rows = support::list(&["--netns", "all", "tcp and sport 8080"]);
    for scene in [&one, &two] {
        let ours: Vec<&Value> =
            rows.iter().filter(|row| row["netns"] == netns_of(scene.pid())).collect();
        let states: BTreeSet<_> = ours.iter().map(|row| row["state"].as_str().unwrap()).collect();
        assert_eq!((ours.len(), states), (2, ["ESTABLISHED", "LISTEN"].into()), "{ours:#?}");
        for row in ours {
            assert_eq!(pids(row), [u64::from(scene.pid())].into(), "{row:#}");
            assert_eq!(row["netns_name"], format!("{}/python3", scene.pid()));
        }
    }
    assert_ne!(netns_of(one.pid()), netns_of(two.pid()));
}

#[test]
fn a_namespace_is_chosen_by_process_number_or_name() {
    let Some((scene, _)) = scene("n", "s = listen(8080); ready('ready')") else { return };
    let netns = netns_of(scene.pid());
    for wish in [scene.pid().to_string(), netns.to_string(), format!("{}/python3", scene.pid())] {
        let rows = support::list(&["--netns", &wish, "-A", "tcp,udp"]);
        assert_eq!(rows.len(), 1, "--netns {wish}: {rows:#?}");
        assert_eq!((&rows[0]["netns"], &rows[0]["local"]["port"]), (&netns.into(), &8080.into()));
        assert_eq!(pids(&rows[0]), [u64::from(scene.pid())].into());
    }
    let filter = format!("netns {netns}");
    assert_eq!(support::list(&[&filter]).len(), 1, "the filter alone finds it too");
}

#[test]
fn without_the_option_only_our_own_namespace_is_listed() {
    let Some((_scene, _)) = scene("n", "s = listen(8080); ready('ready')") else { return };
    let own = netns_of(std::process::id());
    for row in support::list(&[]) {
        assert_eq!(row["netns"], own, "{row:#}");
    }
}

#[test]
fn a_namespace_that_does_not_exist_is_an_error_that_says_so() {
    for (wish, why) in [
        ("4194000", "there is no such process"),
        ("4294967295", "nothing that can be seen keeps it"),
        ("no such\nname", r"no such\nname: none has that name"),
    ] {
        let output = support::sockscope().args(["list", "--netns", wish]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("cannot read the network namespace"), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
}

#[test]
fn a_namespace_of_ip_netns_goes_by_its_name() {
    if !is_root() {
        return skip("needs root, for ip netns");
    }
    let script = format!(
        "{OWN_RUN}\nadd('blue'); add('green'); into('blue'); s = listen(8080)\nready('ready')"
    );
    let Some((scene, _)) = scene("mn", &script) else { return };
    let named = support::listed(&mut within(&scene, &["--netns", "blue"]));
    let all = support::listed(&mut within(&scene, &["--netns", "all", "netns blue"]));
    assert_eq!(named.len(), 1, "{named:#?}");
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(named[0]["cookie"], all[0]["cookie"]);
    assert_eq!(named[0]["netns_name"], "blue");
    assert_eq!(pids(&named[0]), [u64::from(scene.pid())].into());
    // Nobody is in it, and nothing: that is an answer.
    assert_eq!(support::listed(&mut within(&scene, &["--netns", "green"])), Vec::<Value>::new());
    let typo = within(&scene, &["--netns", "gren"]).output().unwrap();
    assert!(String::from_utf8_lossy(&typo.stderr).contains("did you mean 'green'?"), "{typo:?}");
}

#[test]
fn a_namespace_that_only_a_descriptor_keeps_is_found() {
    if !is_root() {
        return skip("needs root, to enter it");
    }
    let script = "home = os.open('/proc/self/ns/net', os.O_RDONLY); unshare()\n\
                  away = os.open('/proc/self/ns/net', os.O_RDONLY); s = listen(8080); setns(home)\n\
                  ready('ready', number(away))";
    let Some((scene, words)) = scene("n", script) else { return };
    let away: u64 = words[0].parse().unwrap();
    assert_ne!(away, netns_of(scene.pid()));
    for args in [["--netns", "all"], ["--netns", &words[0]]] {
        let mut rows = support::list(&args);
        rows.retain(|row| row["netns"] == away);
        assert_eq!(rows.len(), 1, "{args:?}: {rows:#?}");
        assert_eq!(rows[0]["local"]["port"], 8080);
        assert_eq!(pids(&rows[0]), [u64::from(scene.pid())].into(), "held from another namespace");
    }
}

#[test]
fn the_second_look_goes_to_the_namespace_of_what_was_missed() {
    // Only a thread's own table has the listener, so the first walk misses it.
    let script = "import threading\n\
                  def hold():\n \
                  sure(libc.unshare(0x400)); s = listen(8080); held.set(); time.sleep(600)\n\
                  held = threading.Event(); threading.Thread(target=hold, daemon=True).start()\n\
                  held.wait(); ready('ready')";
    let Some((scene, _)) = scene("n", script) else { return };
    for wish in ["all", &scene.pid().to_string()] {
        let mut rows = support::list(&["--netns", wish, "listen and port 8080"]);
        rows.retain(|row| row["netns"] == netns_of(scene.pid()));
        assert_eq!(rows.len(), 1, "{rows:#?}");
        assert_eq!(pids(&rows[0]), [u64::from(scene.pid())].into(), "{rows:#?}");
        assert_eq!(rows[0]["owners"][0]["via"], "thread-fd");
    }
}

#[test]
fn interfaces_have_the_names_of_their_namespace() {
    if !is_root() {
        return skip("needs root, to enter it");
    }
    let script = "subprocess.run(['ip', 'link', 'set', 'lo', 'name', 'loop', 'up'], check=True)\n\
                  s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'loop')\n\
                  s.bind(('127.0.0.1', 8080)); s.listen(); ready('ready')";
    let Some((scene, _)) = scene("n", script) else { return };
    let rows = support::list(&["--netns", &scene.pid().to_string()]);
    assert_eq!(rows[0]["interface"]["name"], "loop", "{rows:#?}");
}

#[test]
fn a_process_in_a_container_shows_both_its_numbers() {
    let script = "s = listen(8080)\n\
                  ready('ready', os.getpid(), number(os.open('/proc/self/ns/net', os.O_RDONLY)))";
    let Some((_scene, words)) = scene("npf", script) else { return };
    let (inner, netns): (u64, u64) = (words[0].parse().unwrap(), words[1].parse().unwrap());
    let mut rows = support::list(&["--netns", "all", "listen and port 8080"]);
    rows.retain(|row| row["netns"] == netns);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["owners"][0]["nspid"], inner);
    assert!(rows[0]["owners"][0]["pid"].as_u64().unwrap() > inner);
}

#[test]
fn namespaces_that_come_and_go_while_we_look_do_no_harm() {
    if !is_root() {
        return skip("needs root: what is read without it has no cookies");
    }
    let script = "if os.fork() == 0:\n while True:\n  if os.fork() == 0: unshare(); s = listen(8080); os._exit(0)\n  os.wait()\nready('ready')";
    let Some((_scene, _)) = scene("n", script) else { return };
    for _ in 0..20 {
        let rows = support::list(&["--netns", "all", "listen"]);
        let mut seen = BTreeSet::new();
        assert!(
            rows.iter().all(|row| seen.insert((row["netns"].as_u64(), row["cookie"].as_u64())))
        );
    }
}

#[test]
fn without_privilege_what_can_be_read_is_listed_once_and_the_rest_is_a_gap() {
    // Two processes of one namespace, whose links `nobody` may not read.
    let script = "s = listen(8080)\nchild = os.fork()\nif child == 0: time.sleep(600)\nready(f'ready {child}')";
    let Some((scene, words)) = scene("n", script) else { return };
    let mut command = support::sockscope();
    command.args(["list", "--json", "--netns", "all", "listen and port 8080"]);
    if !as_nobody(&mut command) {
        return skip("needs root, to become another user");
    }
    let listing: Value = serde_json::from_slice(&support::output(&mut command).stdout).unwrap();
    // The lower number names it: the child's, where the numbers have begun anew between them.
    let names = [format!("{}/python3", scene.pid()), format!("{}/python3", words[0])];
    let rows: Vec<&Value> = listing["sockets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| names.iter().any(|name| row["netns_name"] == name.as_str()))
        .collect();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["ownership_reason"], "permission");
    assert_ne!(rows[0]["netns"], netns_of(scene.pid()), "that number could not be read");
    let gaps = listing["gaps"].to_string();
    assert!(gaps.contains("the number of"), "{gaps}");
    assert!(gaps.contains("in ") && gaps.contains("network namespaces"), "{gaps}");
}

#[test]
fn fifty_namespaces_are_the_union_of_what_ss_says_in_each() {
    if !is_root() {
        return skip("needs root, for ip netns");
    }
    if program("ss").is_none() {
        return skip("needs ss (iproute2)");
    }
    // What was closed here waits for its peer's end longer than the minute that all this may take.
    let script = format!(
        "{OWN_RUN}\nkept = []\nfor i in range(50):\n add(f't{{i}}'); into(f't{{i}}'); up()\n \
         with open('/proc/sys/net/ipv4/tcp_fin_timeout', 'w') as f: f.write('3600')\n \
         kept += [listen(8080), listen(9000 + i), socket.create_connection(('127.0.0.1', 8080))]\n \
         u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 53)); kept += [u]\n \
         w = socket.create_connection(('127.0.0.1', 9000 + i)); p, _ = kept[-3].accept(); p.close(); kept += [w]\nready('ready')"
    );
    let Some((scene, _)) = scene("mn", &script) else { return };

    let each = "for n in /run/netns/*; do echo \"@${n##*/}\"; ip netns exec \"${n##*/}\" ss -HtunapeO; done";
    let mut command = Command::new("nsenter");
    command.args(["-m", "-t", &scene.pid().to_string(), "sh", "-c", each]);
    let output = support::output(&mut command);
    let mut theirs: BTreeMap<(String, u64), Row> = BTreeMap::new();
    let mut name = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(next) = line.strip_prefix('@') {
            next.clone_into(&mut name);
        } else {
            let (cookie, row) = parse_ss(line);
            theirs.insert((name.clone(), cookie), row);
        }
    }
    let ours: BTreeMap<(String, u64), Row> =
        support::listed(&mut within(&scene, &["--netns", "all", "netns t*"]))
            .iter()
            .map(|row| {
                let name = row["netns_name"].as_str().unwrap().to_owned();
                ((name, row["cookie"].as_u64().unwrap()), our_row(row))
            })
            .collect();
    assert_eq!(
        theirs.len(),
        50 * 7,
        "two listeners, a UDP socket, and two connections with two ends"
    );
    assert_eq!(ours, theirs);
}
