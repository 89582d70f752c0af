//! More of who a process is: its program, its directory, its control group and what it sleeps in. Some
//! more reads a process, done only when they are wanted.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{Access, AtFlags, CWD, StatxFlags, access, statx};
use rustix::io::Errno;

use super::process::{read_file, read_link};
use super::stat::Stat;
use crate::cgroup::Cgroup;
use crate::process::{Exe, ExeState, Pid, Process};
use crate::text::Text;

/// What the kernel writes behind the path of a file that has none any more (`d_path`).
pub(super) const DELETED: &[u8] = b" (deleted)";

/// Fills in what can be read in the process's directory, given its `stat` and where its `exe` leads; the
/// program and the directory are told only to whoever may trace the process (`ptrace(2)`), the control
/// group to everybody.
pub(super) fn read(
    process: &mut Process,
    directory: &OwnedFd,
    stat: &Stat,
    exe_link: Option<Vec<u8>>,
    buffer: &mut Vec<u8>,
) {
    let Pid(pid) = process.pid;
    process.exe = exe_link.map(|link| exe(pid, link));
    process.cwd = read_link(directory, c"cwd").map(Text::from);
    if read_file(directory, c"cgroup", buffer).is_ok() {
        process.cgroup = Cgroup::of_process(buffer);
    }
    process.is_stopped = stat.is_stopped();
    process.is_session_over = stat.session != 0
        && access(format!("/proc/{}", stat.session), Access::EXISTS) == Err(Errno::NOENT);
    // "0" is what it says of one that runs, or that may not be looked into.
    process.sleeps_in = read_file(directory, c"wchan", buffer)
        .ok()
        .filter(|()| !matches!(&buffer[..], b"" | b"0"))
        .map(|()| Text::new(&buffer[..]));
}

/// Returns what a link to a program tells. Only where it says "deleted" are files looked at: whether
/// that is the file's own name, and whether another has taken its place.
fn exe(pid: u32, link: Vec<u8>) -> Exe {
    let Some(path) = link.strip_suffix(DELETED) else {
        return Exe { path: Text::from(link), state: ExeState::Current };
    };
    // As the process sees it, which may be in another mount namespace.
    let at = |path: &[u8]| identify(&[format!("/proc/{pid}/root").as_bytes(), path].concat());
    let program = identify(format!("/proc/{pid}/exe").as_bytes());
    if program.is_some() && at(&link) == program {
        return Exe { path: Text::from(link), state: ExeState::Current };
    }
    let state = if at(path).is_some() { ExeState::Replaced } else { ExeState::Deleted };
    Exe { path: Text::new(path), state }
}

/// Returns what tells one file from another: device and inode number. Never waits for a server: what
/// is known of a file on the network is enough.
fn identify(path: &[u8]) -> Option<(u32, u32, u64)> {
    let path = std::ffi::OsStr::from_bytes(path);
    let known = statx(CWD, path, AtFlags::STATX_DONT_SYNC, StatxFlags::INO).ok()?;
    Some((known.stx_dev_major, known.stx_dev_minor, known.stx_ino))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests start programs")]

    use std::fs;
    use std::io::{Read as _, Write as _};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::platform::linux::process;

    /// A running copy of `cat`, which waits for its input to end.
    struct Running(Child);

    impl Running {
        fn start(program: &Path) -> Self {
            let mut command = Command::new(program);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/");
            let mut child = command.spawn().unwrap();
            // Whoever emulates a processor is there before the program is.
            child.stdin.as_mut().unwrap().write_all(b"!").unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            Self(child)
        }

        fn details(&self) -> Process {
            let mut process = Process::new(Pid(self.0.id()));
            process::complete(&mut process, true).unwrap();
            process
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    /// Runs a copy of a program under this name, does something to its file, and tells of its `exe`.
    fn exe_after(name: &str, change: fn(&Path)) -> (String, ExeState) {
        let folder = tempfile::tempdir().unwrap();
        let folder_path = fs::canonicalize(folder.path()).unwrap();
        let program = folder_path.join(name);
        // By another process: a child that another test is just starting would hold the file open for
        // writing, and it could not be run (ETXTBSY).
        assert!(Command::new("cp").arg("/bin/cat").arg(&program).status().unwrap().success());
        let running = Running::start(&program);
        change(&program);
        let Exe { path, state } = running.details().exe.unwrap();
        let path = path.to_string();
        let prefix = format!("{}/", folder_path.display());
        (path.strip_prefix(&prefix).unwrap().to_owned(), state)
    }

    #[test]
    fn a_program_is_known_by_its_path() {
        assert_eq!(exe_after("daemon", |_| ()), ("daemon".to_owned(), ExeState::Current));
    }

    #[test]
    fn a_deleted_program_is_said_to_be() {
        let told = exe_after("daemon", |program| fs::remove_file(program).unwrap());
        assert_eq!(told, ("daemon".to_owned(), ExeState::Deleted));
    }

    #[test]
    fn an_upgraded_program_is_said_to_be_replaced() {
        let told = exe_after("daemon", |program| {
            let newer = program.with_extension("new");
            fs::copy("/bin/cat", &newer).unwrap();
            fs::rename(newer, program).unwrap();
        });
        assert_eq!(told, ("daemon".to_owned(), ExeState::Replaced));
    }

    #[test]
    fn a_program_that_is_named_deleted_is_not() {
        let told = exe_after("daemon (deleted)", |_| ());
        assert_eq!(told, ("daemon (deleted)".to_owned(), ExeState::Current));
        let told = exe_after("daemon (deleted)", |program| fs::remove_file(program).unwrap());
        assert_eq!(told, ("daemon (deleted)".to_owned(), ExeState::Deleted));
    }

    #[test]
    fn a_deleted_program_is_not_taken_for_another_that_is_named_so() {
        let told = exe_after("daemon", |program| {
            fs::copy("/bin/cat", program.with_file_name("daemon (deleted)")).unwrap();
            fs::remove_file(program).unwrap();
        });
        assert_eq!(told, ("daemon".to_owned(), ExeState::Deleted));
    }

    #[test]
    fn the_directory_and_the_control_group_of_a_child_are_known() {
        let running = Running::start(Path::new("/bin/cat"));
        let process = running.details();
        assert_eq!(process.cwd, Some(Text::from("/")));
        let own = Cgroup::of_process(&fs::read("/proc/self/cgroup").unwrap());
        assert_eq!(process.cgroup, own);
        assert!(own.is_some());
    }

    #[test]
    fn of_a_process_that_is_gone_nothing_is_told() {
        let mut process = Process::new(Pid(2_000_000_001));
        process::complete(&mut process, true).unwrap_err();
        assert_eq!(process, Process::new(Pid(2_000_000_001)));
    }
}
