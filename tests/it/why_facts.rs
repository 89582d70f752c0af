//! `sockscope why` where no socket is in the way, or one that is no ordinary program's: each cause made
//! for real, and the kernel's answer beside it.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{self, UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::namespaces::{self, netns_of};
use crate::netns::{as_nobody, in_netns, is_root};
use crate::support::{Running, listen_when_released, program, skip, sockscope, wait_until};

/// The first answer of a command that prints those of `sockscope why --json`.
#[track_caller]
fn answer(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    let document: Result<Value, _> = serde_json::from_slice(&output.stdout);
    let Ok(mut document) = document else {
        panic!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    assert_eq!(document["answers"][0]["contradicted"], false, "{document:#}");
    let verdict = document["answers"][0]["verdict"].as_str().unwrap().to_owned();
    let all_alike = document["answers"].as_array().unwrap().len() == 1;
    let code = if verdict == "fails" { 1 } else { i32::from(verdict == "unknown") * 2 };
    assert!(!all_alike || output.status.code() == Some(code), "{verdict}: {}", output.status);
    document["answers"][0].take()
}

#[track_caller]
fn why(args: &[&str]) -> Value {
    answer(sockscope().args(["why", "--json"]).args(args))
}

/// The error, the reason of the first cause, and what the probe came to.
fn gist(answer: &Value) -> (&str, &str, &str) {
    let word =
        |value: &'_ Value| -> &'static str { value.as_str().unwrap_or("-").to_owned().leak() };
    (word(&answer["errno"]), word(&answer["causes"][0]["reason"]), word(&answer["probe"]))
}

/// All evidence, in one line.
fn evidence(answer: &Value) -> String {
    let causes = answer["causes"].as_array().unwrap().iter();
    let evidence = causes.flat_map(|cause| cause["evidence"].as_array().unwrap());
    evidence.map(|fact| fact.as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

/// All commands and texts of the ways out, in one line.
fn ways_out(answer: &Value) -> String {
    let ways = answer["remedies"].as_array().unwrap().iter();
    let words = ways.flat_map(|way| [&way["text"], &way["command"]]);
    words.filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).status().is_ok_and(|status| status.success())
}

fn set(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{name}"), value).unwrap();
}

#[test]
fn a_privileged_port_is_refused_to_a_user_and_given_to_root() {
    in_netns("why_facts::a_privileged_port_is_refused_to_a_user_and_given_to_root", || {
        set("ipv4/ip_unprivileged_port_start", "90");
        assert_eq!(gist(&why(&["89"])).2, "succeeded", "root of the namespace");
        for target in ["127.0.0.1:89", "[::1]:89", "udp:127.0.0.1:89"] {
            let as_user = why(&[target, "--user", "65534"]);
            assert_eq!(gist(&as_user), ("EACCES", "privileged-port", "not-made"));
            assert!(evidence(&as_user).contains("ip_unprivileged_port_start is 90"));
            assert!(ways_out(&as_user).contains("setcap cap_net_bind_service=+ep"));
            assert_eq!(why(&["127.0.0.1:90", "--user", "65534"])["verdict"], "free");
            let mut command = sockscope();
            if as_nobody(command.args(["why", "--json", target])) {
                let answer = answer(&mut command);
                assert_eq!(gist(&answer), ("EACCES", "privileged-port", "failed"), "{target}");
            }
        }
    });
}

#[test]
fn root_of_a_user_namespace_has_no_right_to_the_ports_of_its_parents_network() {
    in_netns(
        "why_facts::root_of_a_user_namespace_has_no_right_to_the_ports_of_its_parents_network",
        || {
            let inside = |namespaces: &str| {
                let mut command = Command::new("unshare");
                let bring_up = "ip link set lo up 2>/dev/null; exec \"$@\"";
                command.args([namespaces, "sh", "-c", bring_up, "sh"]);
                command.arg(env!("CARGO_BIN_EXE_sockscope"));
                command.args(["why", "--json", "127.0.0.1:80"]);
                answer(&mut command)
            };
            if !run("unshare", &["-Ur", "true"]) {
                return skip("may not make a user namespace");
            }
            assert_eq!(gist(&inside("-Ur")), ("EACCES", "privileged-port", "failed"));
            assert!(evidence(&inside("-Ur")).contains("this root is one of a user namespace"));
            assert_eq!(inside("-Urn")["probe"], "succeeded");
        },
    );
}

#[test]
fn an_address_is_not_available_for_the_reason_that_is_said() {
    in_netns("why_facts::an_address_is_not_available_for_the_reason_that_is_said", || {
        assert!(run("ip", &["addr", "add", "10.9.8.7/24", "dev", "lo"]));
        let none = why(&["10.1.2.3:8080"]);
        assert_eq!(gist(&none), ("EADDRNOTAVAIL", "no-address", "failed"));
        assert!(evidence(&none).contains("the addresses here are 127.0.0.1, 10.9.8.7"), "{none:#}");
        for address in
            ["10.9.8.7:80", "127.3.2.1:80", "0.0.0.0:80", "224.0.0.1:80", "255.255.255.255:80"]
        {
            assert_eq!(why(&[address])["probe"], "succeeded", "{address}");
        }
        // What a route alone makes local, without any interface having it.
        assert!(run("ip", &["route", "add", "local", "10.1.0.0/16", "dev", "lo"]));
        assert_eq!(why(&["10.1.2.3:8080"])["probe"], "succeeded");
        let none = why(&["10.2.2.3:8080"]);
        assert_eq!(gist(&none), ("EADDRNOTAVAIL", "no-address", "failed"));
        set("ipv4/ip_nonlocal_bind", "1");
        assert_eq!(why(&["10.2.2.3:8080"])["probe"], "succeeded");

        assert_eq!(gist(&why(&["[2001:db8::1]:80"])), ("EADDRNOTAVAIL", "no-address", "failed"));
        set("ipv6/ip_nonlocal_bind", "1");
        assert_eq!(why(&["[2001:db8::1]:80"])["probe"], "succeeded");
    });
}

#[test]
fn the_network_namespace_that_has_the_address_is_named() {
    if !is_root() {
        return skip("needs root, to read the addresses of another namespace");
    }
    let script = "for a in '198.51.100.77/32', '2001:db8::77/128':\n \
                  subprocess.run(['ip', 'addr', 'add', a, 'dev', 'lo'], check=True)\nup(); ready('ready')";
    let Some((scene, _)) = namespaces::scene("n", script) else { return };
    let has_it =
        format!("network namespace {} ({}/python3) has it", netns_of(scene.pid()), scene.pid());
    for address in ["198.51.100.77:8080", "[2001:db8::77]:8080", "[::ffff:198.51.100.77]:8080"] {
        let answer = why(&[address]);
        assert_eq!(gist(&answer).0, "EADDRNOTAVAIL");
        assert!(evidence(&answer).contains(&has_it), "{has_it}: {answer:#}");
    }
    assert!(!evidence(&why(&["198.51.100.78:8080"])).contains("has it"), "that is nobody's");
}

#[test]
fn an_address_of_ipv6_may_be_switched_off_tentative_or_without_its_link() {
    in_netns(
        "why_facts::an_address_of_ipv6_may_be_switched_off_tentative_or_without_its_link",
        || {
            assert_eq!(gist(&why(&["[fe80::1]:80"])), ("EINVAL", "no-scope", "failed"));
            assert_eq!(gist(&why(&["[ff02::1]:80"])), ("EINVAL", "multicast", "failed"));
            assert_eq!(gist(&why(&["udp:[ff02::1]:80"])), ("EINVAL", "no-scope", "failed"));
            assert_eq!(gist(&why(&["[::ffff:127.0.0.1]:80", "--v6only"])).1, "mapped-v6only");
            assert_eq!(gist(&why(&["80", "--device", "none0"])), ("ENODEV", "no-device", "failed"));

            // Two ends of a cable: without the other end up nobody can answer the check, which goes on.
            if run("ip", &["link", "add", "one", "type", "veth", "peer", "name", "two"]) {
                set("ipv6/conf/one/dad_transmits", "1000");
                assert!(
                    run("ip", &["link", "set", "two", "up"])
                        && run("ip", &["link", "set", "one", "up"])
                );
                assert!(run("ip", &["addr", "add", "2001:db8::5/64", "dev", "one"]));
                let tentative = why(&["[2001:db8::5]:80"]);
                assert_eq!(gist(&tentative), ("EADDRNOTAVAIL", "tentative-address", "failed"));
                assert!(
                    evidence(&tentative).contains("one has it, and still checks"),
                    "{tentative:#}"
                );
                assert!(run("ip", &["addr", "add", "2001:db8::6/64", "dev", "one", "nodad"]));
                assert_eq!(why(&["[2001:db8::6]:80"])["probe"], "succeeded");
                assert_eq!(why(&["[2001:db8::6]:80", "--device", "two"])["probe"], "succeeded");
                assert!(run("ip", &["addr", "add", "fe80::6/64", "dev", "one", "nodad"]));
                assert_eq!(why(&["[fe80::6%one]:80"])["probe"], "succeeded");
                assert!(evidence(&why(&["[fe80::6]:80"])).contains("one has it"));
                let elsewhere = why(&["[fe80::6%two]:80"]);
                assert_eq!(gist(&elsewhere), ("EADDRNOTAVAIL", "no-address", "failed"));
                assert!(evidence(&elsewhere).contains("it is an address of one"));
            } else {
                skip("this kernel has no veth");
            }

            set("ipv6/conf/all/disable_ipv6", "1");
            let disabled = why(&["[::1]:80"]);
            assert_eq!(gist(&disabled), ("EADDRNOTAVAIL", "ipv6-disabled", "failed"));
            assert!(evidence(&disabled).contains("net.ipv6.conf.all.disable_ipv6 is 1"));
            assert_eq!(why(&["[::]:80"])["probe"], "succeeded", "the wildcard needs no address");
        },
    );
}

/// Python that runs our command after it has done something to itself.
fn after(prelude: &str, args: &[&str]) -> Option<Command> {
    let python = program("python3")?;
    let mut command = Command::new(python);
    let script =
        format!("import ctypes, os, struct, sys\n{prelude}\nos.execv(sys.argv[1], sys.argv[1:])");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_sockscope"), "why", "--json"]).args(args);
    Some(command)
}

/// Gives up the right to bind TCP ports (`landlock(7)`): a ruleset that handles it and allows none.
const LANDLOCK: &str = "
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
rules = libc.syscall(444, struct.pack('QQQ', 0, 1, 0), 24, 0)
if rules < 0 or libc.syscall(446, rules, 0): sys.exit(77)
";

/// Answers every bind with an error, by a filter of x86-64's system calls (`seccomp(2)`).
const SECCOMP: &str = "
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 49), (6, 0, 0, 0x50000 | ERRNO), (6, 0, 0, 0x7fff0000)]
code = b''.join(struct.pack('HBBI', *step) for step in steps)
program = ctypes.create_string_buffer(code)
filters = struct.pack('HxxxxxxQ', len(steps), ctypes.addressof(program))
if os.uname().machine != 'x86_64' or libc.prctl(22, 2, filters, 0, 0): sys.exit(77)
";

#[test]
fn landlock_is_found_by_elimination() {
    in_netns("why_facts::landlock_is_found_by_elimination", || {
        let Some(mut command) = after(LANDLOCK, &["127.0.0.1:8080"]) else {
            return skip("needs python3");
        };
        if command.output().unwrap().status.code() == Some(77) {
            return skip("this kernel has no Landlock for TCP");
        }
        let refused = answer(&mut command);
        assert_eq!(gist(&refused), ("EACCES", "landlock", "failed"));
        assert_ne!(refused["prediction"], "fails");
        assert_eq!(refused["causes"][0]["certainty"], "likely", "nothing else is there");
        // The same where a socket is in the way, too: the refusal comes first.
        let _listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        assert_eq!(gist(&answer(&mut command)).0, "EACCES");
    });
}

#[test]
fn a_filter_of_seccomp_is_found_by_elimination() {
    in_netns("why_facts::a_filter_of_seccomp_is_found_by_elimination", || {
        for (errno, name) in [(1, "EPERM"), (13, "EACCES")] {
            let prelude = SECCOMP.replace("ERRNO", &errno.to_string());
            let Some(mut command) = after(&prelude, &["127.0.0.1:8080"]) else {
                return skip("needs python3");
            };
            if command.output().unwrap().status.code() == Some(77) {
                return skip("seccomp cannot be set here");
            }
            let refused = answer(&mut command);
            assert_eq!(refused["errno"], name);
            let causes = refused["causes"].as_array().unwrap();
            let seccomp = causes.iter().find(|cause| cause["reason"] == "seccomp").unwrap();
            assert_eq!(seccomp["certainty"], "possible", "Landlock or a control group may have");
            assert!(evidence(&refused).contains("1 filter runs for each of its calls"));
        }
    });
}

/// Starts Python and waits for its first line; `None`, said aloud, where there is none.
fn scene(script: &str) -> Option<Running> {
    let Some(python) = program("python3") else {
        skip("needs python3");
        return None;
    };
    let script = format!(
        "import os, resource, socket, sys, time\n{script}\nprint('ready', flush=True)\ntime.sleep(600)"
    );
    let mut command = Command::new(python);
    command.args(["-c", &script]).stderr(Stdio::inherit());
    let (running, line) = Running::start_and_read_line(&mut command);
    assert_eq!(line, "ready");
    Some(running)
}

#[test]
fn a_process_that_has_every_descriptor_it_may_have_gets_no_socket() {
    let script = "resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))\n\
                  hold = []\n\
                  try:\n    while True: hold.append(os.dup(0))\n\
                  except OSError: pass";
    let Some(full) = scene(script) else { return };
    let pid = full.pid().to_string();
    let answer = why(&["127.0.0.1:8080", "--pid", &pid]);
    assert_eq!(gist(&answer), ("EMFILE", "descriptor-limit", "not-made"));
    assert_eq!(answer["call"], "socket");
    let evidence = evidence(&answer);
    assert!(evidence.contains(&format!("process {pid} has 16 of 16 descriptors")), "{evidence}");
}

#[test]
fn port_0_is_refused_when_the_last_port_is_taken() {
    in_netns("why_facts::port_0_is_refused_when_the_last_port_is_taken", || {
        set("ipv4/ip_local_port_range", "40000 40005");
        set("ipv4/ip_local_reserved_ports", "40002");
        let bind = |address: &str, port: u16| TcpListener::bind((address, port)).unwrap();
        let mut held: Vec<TcpListener> =
            [40000, 40001, 40003, 40004].map(|port| bind("127.0.0.1", port)).into();
        assert_eq!(why(&["127.0.0.1:0"])["probe"], "succeeded", "one is left");
        held.push(listen_when_released(("127.0.0.1", 40005)));
        let exhausted = why(&["127.0.0.1:0"]);
        assert_eq!(gist(&exhausted), ("EADDRINUSE", "ports-exhausted", "failed"));
        let evidence = evidence(&exhausted);
        assert!(evidence.contains("40000 to 40005: 6 ports, 1 of them reserved"), "{evidence}");
        assert!(evidence.contains("has 5 of them"), "{evidence}");
        assert_eq!(why(&["127.0.0.2:0"])["probe"], "succeeded", "another address has its own");
        assert_eq!(gist(&why(&["0.0.0.0:0", "--reuseport"])).1, "ports-exhausted");
    });
}

#[test]
fn a_stale_file_is_told_from_a_live_socket_and_may_be_removed() {
    in_netns("why_facts::a_stale_file_is_told_from_a_live_socket_and_may_be_removed", || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        let asked = || why(&[path.to_str().unwrap()]);
        assert_eq!(asked()["verdict"], "free");
        assert!(!path.exists(), "looking made no file");

        let listener = UnixListener::bind(&path).unwrap();
        let live = asked();
        assert_eq!(gist(&live), ("EADDRINUSE", "listener", "not-made"));
        let owner = &live["causes"][0]["sockets"][0]["owners"][0];
        assert_eq!(owner["pid"], std::process::id());
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "and it disturbed nobody");

        drop(listener);
        wait_until(|| gist(&asked()).1 == "stale-socket");
        let stale = asked();
        assert_eq!(gist(&stale), ("EADDRINUSE", "stale-socket", "not-made"));
        assert_eq!(stale["causes"][0]["certainty"], "certain");
        assert_eq!(stale["remedies"][0]["command"], format!("rm -- {}", path.display()));
        assert!(run("sh", &["-c", stale["remedies"][0]["command"].as_str().unwrap()]));
        assert_eq!(asked()["verdict"], "free");

        let _datagram = UnixDatagram::bind(&path).unwrap();
        assert_eq!(gist(&asked()), ("EADDRINUSE", "listener", "not-made"));
    });
}

#[test]
fn a_live_socket_of_another_network_namespace_is_not_called_stale() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    if !run("unshare", &[if is_root() { "-n" } else { "-Urn" }, "true"]) {
        return skip("may not make a network namespace");
    }
    let mut command = Command::new("unshare");
    command.arg(if is_root() { "-n" } else { "-Urn" }).arg(env!("CARGO_BIN_EXE_sockscope"));
    let elsewhere = answer(command.args(["why", "--json"]).arg(&path));
    assert_eq!(gist(&elsewhere), ("EADDRINUSE", "bound-elsewhere", "not-made"));
    assert!(!ways_out(&elsewhere).contains("rm "), "{elsewhere:#}");
}

#[test]
fn what_a_path_lacks_is_said_with_the_error_that_bind_gives() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("file"), "").unwrap();
    let long = at(&"x".repeat(108));
    for (path, errno, reason) in [
        (at("no/x.sock"), "ENOENT", "no-directory"),
        (at("file/x.sock"), "ENOTDIR", "no-directory"),
        (at("file"), "EADDRINUSE", "file-in-the-way"),
        (at(""), "EADDRINUSE", "file-in-the-way"),
        (long.clone(), "EINVAL", "path-too-long"),
        ("/proc/x.sock".to_owned(), "EACCES", "closed-directory"),
    ] {
        let answer = why(&[&path]);
        if path != "/proc/x.sock" || answer["verdict"] == "fails" {
            assert_eq!(gist(&answer), (errno, reason, "not-made"), "{path}: {answer:#}");
        }
        // The same from the kernel, by a bind that makes no file since it fails.
        if path != long && path != "/proc/x.sock" {
            let error = UnixListener::bind(&path).unwrap_err();
            let number = match errno {
                "ENOENT" => 2,
                "ENOTDIR" => 20,
                _ => 98,
            };
            assert_eq!(error.raw_os_error(), Some(number), "{path}");
        }
    }
}

#[test]
fn a_directory_that_a_user_may_not_write_to_is_said_as_that_user_and_for_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let mode = |mode| {
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let path = directory.path().join("x.sock");
    let asked = |command: &mut Command, options: &[&str]| {
        answer(command.args(["why", "--json"]).args(options).arg(&path))
    };
    for (bits, errno) in [(0o755, "EACCES"), (0o700, "EACCES"), (0o777, "-")] {
        mode(bits);
        let mut as_user = sockscope();
        if !as_nobody(&mut as_user) {
            return skip("needs root to become nobody");
        }
        assert_eq!(gist(&asked(&mut sockscope(), &["--user", "65534"])).0, errno, "{bits:o}");
        assert_eq!(gist(&asked(&mut as_user, &[])).0, errno, "{bits:o}");
    }
    assert!(!Path::new(&path).exists());
}

#[test]
fn a_filesystem_that_may_only_be_read_takes_no_socket() {
    let inside = "mount -t tmpfs -o ro none /mnt && exec \"$@\"";
    let namespaces = if is_root() { "-m" } else { "-Urm" };
    if !run("unshare", &[namespaces, "sh", "-c", inside, "sh", "true"]) {
        return skip("may not mount");
    }
    let mut command = Command::new("unshare");
    command.args([namespaces, "sh", "-c", inside, "sh", env!("CARGO_BIN_EXE_sockscope")]);
    let answer = answer(command.args(["why", "--json", "/mnt/x.sock"]));
    assert_eq!(gist(&answer), ("EROFS", "read-only-filesystem", "not-made"));
}

#[test]
fn an_abstract_name_is_in_use_in_its_own_network_namespace() {
    in_netns("why_facts::an_abstract_name_is_in_use_in_its_own_network_namespace", || {
        assert_eq!(why(&["@sockscope-test"])["verdict"], "free");
        let name = net::SocketAddr::from_abstract_name("sockscope-test").unwrap();
        let _listener = UnixListener::bind_addr(&name).unwrap();
        let taken = why(&["@sockscope-test"]);
        assert_eq!(gist(&taken).0, "EADDRINUSE");
        assert_eq!(taken["causes"][0]["sockets"][0]["owners"][0]["pid"], std::process::id());
        assert_eq!(why(&["@sockscope-tes"])["verdict"], "free", "every byte counts");
    });
}

#[test]
fn a_process_of_another_namespace_is_asked_about_in_there() {
    if !is_root() || !run("unshare", &["-n", "true"]) {
        return skip("needs root, to make a network namespace and enter it");
    }
    let mut command = Command::new("unshare");
    let script = "import socket, time\n\
                  socket.if_nameindex()\n\
                  open('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'w').write('0')\n\
                  s = socket.socket(); s.bind(('0.0.0.0', 80)); s.listen()\n\
                  print('ready', flush=True); time.sleep(600)";
    command.args(["-n", "python3", "-c", script]);
    let (inside, line) = Running::start_and_read_line(&mut command);
    assert_eq!(line, "ready");
    let pid = inside.pid().to_string();
    let answer = why(&["0.0.0.0:80", "--pid", &pid]);
    assert_eq!(gist(&answer), ("EADDRINUSE", "listener", "not-made"));
    assert_eq!(answer["causes"][0]["sockets"][0]["owners"][0]["pid"], inside.pid());
    let loopback = why(&["127.0.0.1:81", "--pid", &pid]);
    // lo is down there, and has no address: whether it ever had one decides.
    assert_eq!((&loopback["verdict"], &loopback["probe"]), (&"unknown".into(), &"not-made".into()));
    assert_eq!(gist(&why(&["81", "--pid", &pid, "--device", "eth0"])).1, "no-device");
}

/// A process that listens at a port and looks to everybody like another program: by the kernel's name
/// for it, and by its command line.
fn pretender(comm: &str, address: &str, port: u16, argv: &[&str]) -> Option<Running> {
    let script = "import os, socket, time\n\
                  open('/proc/self/comm', 'w').write(os.environ['COMM'])\n\
                  s = socket.socket(); s.bind((os.environ['ADDRESS'], int(os.environ['PORT'])))\n\
                  s.listen(); print('ready', flush=True); time.sleep(600)";
    let Some(python) = program("python3") else {
        skip("needs python3");
        return None;
    };
    // Not a script that starts it, which would lose the name it is given; by that name it would not
    // find what is its own.
    let tell = ["-c", "import sys; print(sys.executable, sys.base_prefix)"];
    let told = String::from_utf8(Command::new(python).args(tell).output().unwrap().stdout).unwrap();
    let (executable, prefix) = told.trim_end().split_once(' ')?;
    let mut command = Command::new(executable);
    command.env("PYTHONHOME", prefix);
    std::os::unix::process::CommandExt::arg0(&mut command, argv.first()?);
    command.args(["-c", script]).args(argv.iter().skip(1));
    command.env("COMM", comm).env("ADDRESS", address).env("PORT", port.to_string());
    let (running, line) = Running::start_and_read_line(&mut command);
    assert_eq!(line, "ready");
    Some(running)
}

#[test]
fn a_port_that_systemd_holds_leads_to_its_socket_unit() {
    in_netns("why_facts::a_port_that_systemd_holds_leads_to_its_socket_unit", || {
        let Some(_manager) = pretender("systemd", "0.0.0.0", 8080, &["/usr/lib/systemd/systemd"])
        else {
            return;
        };
        let unit = why(&["127.0.0.1:8080"]);
        assert_eq!(gist(&unit), ("EADDRINUSE", "socket-unit", "failed"));
        assert_eq!(
            ways_out(&unit),
            "see which socket unit it is, and stop that; systemctl --user list-sockets"
        );

        let with_unit = "mount -t tmpfs none /run && mkdir -p /run/systemd/user && \
                         printf '[Socket]\\nListenStream=8080\\n' >/run/systemd/user/web.socket && \
                         exec \"$@\"";
        let namespaces = if is_root() { "-m" } else { "-Urm" };
        let mut command = Command::new("unshare");
        command.args([namespaces, "sh", "-c", with_unit, "sh", env!("CARGO_BIN_EXE_sockscope")]);
        let unit = answer(command.args(["why", "--json", "127.0.0.1:8080"]));
        assert_eq!(
            evidence(&unit),
            "web.socket says ListenStream=8080 (/run/systemd/user/web.socket)"
        );
        let way = &unit["remedies"][0];
        assert_eq!((&way["action"], &way["harm"]), (&"stop-unit".into(), &"service".into()));
        assert_eq!(way["command"], "systemctl --user stop -- web.socket");
        assert_eq!(unit["remedies"].as_array().unwrap().len(), 1, "nothing is killed");
    });
}

#[test]
fn a_proxy_is_named_with_what_it_stands_for_and_the_container_is_stopped_not_docker() {
    in_netns(
        "why_facts::a_proxy_is_named_with_what_it_stands_for_and_the_container_is_stopped_not_docker",
        || {
            let argv = [
                "docker-proxy",
                "-proto",
                "tcp",
                "-host-ip",
                "0.0.0.0",
                "-host-port",
                "8080",
                "-container-ip",
                "172.17.0.2",
                "-container-port",
                "80",
            ];
            let Some(docker) = pretender("docker-proxy", "0.0.0.0", 8080, &argv) else { return };
            let proxy = why(&["127.0.0.1:8080"]);
            assert_eq!(gist(&proxy), ("EADDRINUSE", "forwarder", "failed"));
            let told = format!("docker-proxy ({}) forwards 0.0.0.0:8080 to", docker.pid());
            assert!(evidence(&proxy).contains(&told), "{proxy:#}");
            let ways = ways_out(&proxy);
            assert!(ways.contains("docker stop $(docker ps -q --filter publish=8080)"), "{ways}");
            assert!(!ways.contains("kill"), "{ways}");

            let argv = ["ssh", "-N", "-L", "5432:db:5432", "bastion"];
            let Some(ssh) = pretender("ssh", "127.0.0.1", 5432, &argv) else { return };
            let tunnel = why(&["127.0.0.1:5432"]);
            assert_eq!(gist(&tunnel).1, "forwarder");
            assert!(evidence(&tunnel).contains("to db:5432 as seen from bastion"), "{tunnel:#}");
            assert!(ways_out(&tunnel).contains(&format!("kill {}", ssh.pid())), "{tunnel:#}");
        },
    );
}

#[test]
fn the_stub_of_resolved_blocks_the_wildcard_and_no_other_address() {
    in_netns("why_facts::the_stub_of_resolved_blocks_the_wildcard_and_no_other_address", || {
        let argv = ["/usr/lib/systemd/systemd-resolved"];
        let Some(_stub) = pretender("systemd-resolve", "127.0.0.53", 53, &argv) else { return };
        let stub = why(&["0.0.0.0:53"]);
        assert_eq!(gist(&stub), ("EADDRINUSE", "resolved-stub", "failed"));
        assert!(ways_out(&stub).contains("DNSStubListener=no"), "{stub:#}");
        assert_eq!(why(&["127.0.0.1:53"])["probe"], "succeeded");
    });
}

#[test]
fn a_port_of_the_kernels_own_is_named_with_the_link_to_remove() {
    in_netns("why_facts::a_port_of_the_kernels_own_is_named_with_the_link_to_remove", || {
        let link = ["link", "add", "vx0", "type", "vxlan", "id", "7", "dstport", "4789", "local"];
        let up = ["link", "set", "vx0", "up"];
        if !run("ip", &[&link[..], &["127.0.0.1"]].concat()) || !run("ip", &up) {
            return skip("this kernel has no VXLAN");
        }
        let kernels = why(&["udp:0.0.0.0:4789"]);
        assert_eq!(gist(&kernels), ("EADDRINUSE", "kernel-service", "failed"));
        assert!(evidence(&kernels).contains("the kernel's VXLAN tunnel vx0"), "{kernels:#}");
        assert!(ways_out(&kernels).contains("vx0"), "{kernels:#}");
    });
}
