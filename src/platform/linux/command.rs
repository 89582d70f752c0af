//! The name a person knows a process by.
//!
//! The kernel's short name (`comm`) is right unless it is cut at 15 bytes or a thread's name
//! overwrote it, as Node's `MainThread` and Firefox's `Web Content`. Then the program's file, the
//! first argument and the script know better. Whichever is taken is under the process's control:
//! good to recognise a process by, never to identify it.

use crate::text::Text;

/// How much of a name the kernel keeps (`TASK_COMM_LEN`, linux/include/linux/sched.h, less the NUL).
const COMM_LENGTH: usize = 15;

/// Returns the name of a process, given its short name, the path of its program where readable, and
/// its arguments.
pub(crate) fn command<'a>(comm: &'a [u8], exe: Option<&'a [u8]>, argv: &'a [Text]) -> &'a [u8] {
    // A program that lives in memory only (`memfd_create(2)`) has no file to be named after.
    let exe = exe.filter(|exe| !exe.starts_with(b"/memfd:")).map(file_name);
    let argument = |index| argv.get(index).map(Text::as_bytes);
    let title = argument(0).map(|title| title.strip_prefix(b"-").unwrap_or(title)); // login shells

    if is_part_of(comm, exe) {
        return if comm.len() < COMM_LENGTH { comm } else { exe.unwrap_or(comm) };
    }
    // A script's name is the second argument, or the third when its `#!` line has an option.
    let script = [argument(1), argument(2)].into_iter().flatten().map(program_name);
    let named = title.map(program_name).into_iter().chain(title).chain(script);
    if let Some(name) = named.into_iter().find(|name| is_part_of(comm, Some(name))) {
        return if comm.len() < COMM_LENGTH { comm } else { first_word(name, comm.len()) };
    }
    exe.or_else(|| title.filter(|title| !title.contains(&b' ')).map(program_name))
        .filter(|name| !name.is_empty())
        .unwrap_or(comm)
}

/// Returns true when the name starts with the short name.
fn is_part_of(comm: &[u8], name: Option<&[u8]>) -> bool {
    !comm.is_empty() && name.is_some_and(|name| name.starts_with(comm))
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Returns the last part of a path in an argument: under Wine it is a path of Windows.
fn program_name(argument: &[u8]) -> &[u8] {
    argument.rsplit(|byte| b"/\\".contains(byte)).next().unwrap_or(argument)
}

/// Returns the name up to the first space or colon at or after `from`: programs append their state
/// to the first argument, such as `redis-server *:6379` and `postgres: checkpointer`.
fn first_word(name: &[u8], from: usize) -> &[u8] {
    let end = name.iter().skip(from).position(|byte| b" :".contains(byte));
    end.and_then(|end| name.get(..from + end)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(comm: &str, exe: &str, argv: &[&str], expected: &str) {
        let argv: Vec<Text> = argv.iter().map(|&argument| argument.into()).collect();
        let exe = Some(exe.as_bytes()).filter(|exe| !exe.is_empty());
        let name = command(comm.as_bytes(), exe, &argv);
        assert_eq!(String::from_utf8_lossy(name), expected, "{comm} {exe:?} {argv:?}");
    }

    #[test]
    fn the_short_name_is_right_when_a_program_or_script_is_called_so() {
        check("sleep", "/usr/bin/sleep", &["sleep", "9"], "sleep");
        check("python3", "/usr/bin/python3.11", &["python3", "-m", "http.server"], "python3");
        check("bash", "/usr/bin/bash", &["-bash"], "bash");
        check("bash", "", &["-bash"], "bash");
        check(
            "server.py",
            "/usr/bin/python3.11",
            &["/usr/bin/python3", "./server.py"],
            "server.py",
        );
        check("app", "/usr/bin/python3.11", &["/usr/bin/python3", "-u", "/srv/app"], "app");
        check("server", "/usr/bin/node", &["node", "/srv/server.js"], "server");
        check("nc", "/usr/bin/busybox", &["nc", "-l"], "nc");
        check("busybox", "/usr/bin/busybox", &["busybox", "nc"], "busybox");
        check("(sd-pam)", "/usr/lib/systemd/systemd", &["(sd-pam)"], "(sd-pam)");
        check("game.exe", "/usr/lib/wine/wine64-preloader", &[r"C:\games\game.exe"], "game.exe");
    }

    #[test]
    fn a_rewritten_title_does_not_disturb() {
        let nginx = "nginx: master process nginx -c /etc/nginx/nginx.conf";
        check("nginx", "/usr/sbin/nginx", &[nginx], "nginx");
        check("nginx", "", &[nginx], "nginx");
        check(
            "postgres",
            "/usr/lib/postgresql/16/bin/postgres",
            &["postgres: walwriter "],
            "postgres",
        );
        check("postgres", "", &["postgres: alice db 127.0.0.1(4711) idle"], "postgres");
        check("redis-server", "/usr/bin/redis-check-rdb", &["redis-server *:6379"], "redis-server");
        check("gunicorn", "/usr/bin/python3.11", &["gunicorn: master [app:app]"], "gunicorn");
        check("sshd", "/usr/sbin/sshd", &["sshd: /usr/sbin/sshd -D [listener]"], "sshd");
    }

    #[test]
    fn a_cut_name_is_completed() {
        check("systemd-resolve", "/usr/lib/systemd/systemd-resolved", &[], "systemd-resolved");
        check(
            "containerd-shim",
            "",
            &["/usr/bin/containerd-shim-runc-v2"],
            "containerd-shim-runc-v2",
        );
        check(
            "long-script-nam",
            "/bin/dash",
            &["/bin/sh", "./long-script-name.sh"],
            "long-script-name.sh",
        );
        check("some-long-daemo", "", &["some-long-daemon: worker 3"], "some-long-daemon");
        check("exactly15bytes!", "/opt/exactly15bytes!", &[], "exactly15bytes!");
    }

    #[test]
    fn a_thread_s_name_gives_way_to_the_program() {
        check("MainThread", "/usr/bin/node", &["node", "server.js"], "node");
        check("MainThread", "", &["/usr/bin/node", "server.js"], "node");
        check("Web Content", "/usr/lib/firefox/firefox", &["/usr/lib/firefox/firefox"], "firefox");
        check("Isolated Web Co", "/usr/lib/firefox/firefox", &["firefox"], "firefox");
        check("CRON", "/usr/sbin/cron", &["/usr/sbin/cron", "-f"], "cron");
        check("", "/usr/bin/evil", &["evil"], "evil");
        check("6", "/memfd:runc_cloned:/proc/self/exe", &["runc", "init"], "runc");
    }

    #[test]
    fn the_short_name_stays_where_nothing_else_is_known() {
        check("kthreadd", "", &[], "kthreadd");
        check("worker", "", &["my daemon: worker"], "worker");
        check("zombie", "", &[""], "zombie");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(comm: Vec<u8>, exe: Option<Vec<u8>>, argv: Vec<Vec<u8>>) {
            let argv: Vec<Text> = argv.into_iter().map(Text::from).collect();
            command(&comm, exe.as_deref(), &argv);
        }

        #[test]
        fn the_short_name_is_never_lost_for_nothing(comm in "[ -~]{1,15}", exe in "[ -~]{0,20}") {
            prop_assert!(!command(comm.as_bytes(), Some(exe.as_bytes()), &[]).is_empty());
        }
    }
}
