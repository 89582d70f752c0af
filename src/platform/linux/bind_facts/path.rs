//! What is at a path that a UNIX socket shall be bound to, and who has it: told by looking, without
//! making a file (`unix(7)`; `unix_bind_bsd`, linux/net/unix/af_unix.c).

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, accessat, getxattr, open,
    openat2, readlinkat, statat,
};
use rustix::io::{self, Errno};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::rights::{Rights, process_file};
use crate::diagnose::{FileKind, PathFacts};
use crate::platform::linux::{netlink, proc_net, unix_diag};
use crate::process::{Pid, Uid};
use crate::socket::{Endpoint, Family, Inode, Protocol, Socket};
use crate::text::Text;

/// The message type (linux/include/uapi/linux/sock_diag.h).
const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// Looks at a path as a process sees it, which may have another root. `None` for a name of the abstract
/// namespace, and when it cannot be told.
pub(super) fn look(name: &Text, pid: Option<Pid>, rights: &Rights) -> Option<PathFacts> {
    let path = Path::new(OsStr::from_bytes(name.as_bytes()));
    if name.as_bytes().starts_with(b"@") || name.as_bytes().is_empty() {
        return None;
    }
    let (parent, file) = split(path);
    let directory = match open_directory(&parent, pid) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Some(PathFacts::NoDirectory),
        Err(Errno::NOTDIR) => return Some(PathFacts::NotDirectory),
        Err(Errno::ACCESS) if rights.is_own => return Some(PathFacts::Closed),
        Err(_) => return None,
    };
    let may = Reach::of(&directory, pid, rights);
    if may == Reach::Closed {
        return Some(PathFacts::Closed);
    }
    match statat(&directory, file, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Some(taken(&directory, file, &stat)),
        Err(Errno::NOENT) => Some(PathFacts::Vacant {
            may_write: may.write(),
            is_read_only: accessat(&directory, ".", Access::WRITE_OK, AtFlags::empty())
                == Err(Errno::ROFS),
        }),
        Err(Errno::ACCESS) if rights.is_own => Some(PathFacts::Closed),
        Err(_) => None,
    }
}

/// Splits a path into its directory and its last name; what has none is its own directory.
fn split(path: &Path) -> (PathBuf, &OsStr) {
    let ends_in_slash = path.as_os_str().as_bytes().ends_with(b"/");
    match (path.components().next_back(), path.parent()) {
        (Some(Component::Normal(name)), Some(parent)) if !ends_in_slash => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            (parent.to_owned(), name)
        }
        _ => (path.to_owned(), OsStr::new(".")),
    }
}

/// Opens a directory where a process finds it, for looking only.
fn open_directory(path: &Path, pid: Option<Pid>) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if pid.is_none() {
        return open(path, flags, Mode::empty());
    }
    let root = open(process_file(pid, "root"), flags, Mode::empty())?;
    let path = if path.is_absolute() {
        path.to_owned()
    } else {
        // As the kernel shows it to us; where it has another root, that is in there.
        let cwd = readlinkat(CWD, process_file(pid, "cwd"), Vec::new())?;
        Path::new(OsStr::from_bytes(cwd.as_bytes())).join(path)
    };
    openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
}

/// What the binder may do in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Not even find what is there.
    Closed,
    /// Find it, and not add to it.
    Search,
    /// Both.
    Write,
    /// It cannot be told.
    Unknown,
}

impl Reach {
    fn of(directory: &OwnedFd, pid: Option<Pid>, rights: &Rights) -> Self {
        if rights.is_own {
            let may = |access| accessat(directory, ".", access, AtFlags::EACCESS);
            return match (may(Access::EXEC_OK), may(Access::WRITE_OK)) {
                (Err(Errno::ACCESS), _) => Self::Closed,
                (Ok(()), Ok(())) => Self::Write,
                (Ok(()), Err(Errno::ACCESS)) => Self::Search,
                _ => Self::Unknown,
            };
        }
        match rights.uid {
            // A root of a user namespace may have no rights over others' files.
            Some(Uid(0)) if pid.is_none() => Self::Write,
            Some(Uid(0)) | None => Self::Unknown,
            Some(uid) => Self::by_mode(directory, pid, uid, &rights.gids).unwrap_or(Self::Unknown),
        }
    }

    /// By the permission bits of every directory on the way (`path_resolution(7)`); `None` where more
    /// than these counts.
    fn by_mode(directory: &OwnedFd, pid: Option<Pid>, uid: Uid, gids: &[u32]) -> Option<Self> {
        if pid.is_some() && !has_our_root(pid)? {
            return None;
        }
        let link =
            readlinkat(CWD, format!("/proc/self/fd/{}", directory.as_raw_fd()), Vec::new()).ok()?;
        let path = Path::new(OsStr::from_bytes(link.as_bytes())).to_owned();
        let mut may_write = false;
        for (depth, each) in path.ancestors().enumerate() {
            let bits = allowed(each, uid, gids)?;
            if bits & 1 == 0 {
                return Some(Self::Closed);
            }
            may_write |= depth == 0 && bits & 2 != 0;
        }
        Some(if may_write { Self::Write } else { Self::Search })
    }

    const fn write(self) -> Option<bool> {
        match self {
            Self::Write => Some(true),
            Self::Search | Self::Closed => Some(false),
            Self::Unknown => None,
        }
    }
}

fn has_our_root(pid: Option<Pid>) -> Option<bool> {
    let root = statat(CWD, process_file(pid, "root"), AtFlags::empty()).ok()?;
    let ours = statat(CWD, "/", AtFlags::empty()).ok()?;
    Some((root.st_dev, root.st_ino) == (ours.st_dev, ours.st_ino))
}

/// Returns the three bits of a directory's mode that count for a user; `None` where a list of rights
/// counts instead (`acl(5)`).
fn allowed(directory: &Path, uid: Uid, gids: &[u32]) -> Option<u32> {
    let stat = statat(CWD, directory, AtFlags::empty()).ok()?;
    // Without room for the list the answer is its length.
    let mut none: [u8; 0] = [];
    if getxattr(directory, "system.posix_acl_access", &mut none[..]).is_ok() {
        return None;
    }
    let shift = if stat.st_uid == uid.0 {
        6
    } else if gids.contains(&stat.st_gid) {
        3
    } else {
        0
    };
    Some(stat.st_mode >> shift & 7)
}

/// Describes a file that is in the way, and who is bound to it.
fn taken(directory: &OwnedFd, name: &OsStr, stat: &Stat) -> PathFacts {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => FileKind::Socket,
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => {
            FileKind::Other
        }
    };
    let (is_bound, sockets) = match kind {
        FileKind::Socket => (is_bound(directory, name), bound_sockets(name, stat)),
        FileKind::Regular | FileKind::Directory | FileKind::Symlink | FileKind::Other => {
            (None, Vec::new())
        }
    };
    PathFacts::Taken { kind, is_bound, sockets }
}

/// Asks the kernel whether any socket is bound to a file: a datagram socket is connected to it. That
/// succeeds, or fails with EPROTOTYPE when it is a socket of streams, and nobody notices it: a datagram
/// that is not sent is not seen. Only ECONNREFUSED says that there is none (`unix_find_bsd`).
fn is_bound(directory: &OwnedFd, name: &OsStr) -> Option<bool> {
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    let mut path = format!("/proc/self/fd/{}/", directory.as_fd().as_raw_fd()).into_bytes();
    path.extend(name.as_bytes());
    let address = SocketAddrUnix::new(OsStr::from_bytes(&path)).ok()?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::PROTOTYPE | Errno::PERM) => Some(true),
        Err(Errno::CONNREFUSED) => Some(false),
        Err(_) => None,
    }
}

/// Returns the sockets of this process's network namespace that are bound to a file.
fn bound_sockets(name: &OsStr, stat: &Stat) -> Vec<Inode> {
    let mut rows = Vec::new();
    let body = unix_diag::encode_file_request();
    let outcome = netlink::dump(SOCK_DIAG_BY_FAMILY, &body, &mut rows, unix_diag::decode_file);
    if outcome.is_err() {
        return bound_by_path(Path::new(proc_net::DIRECTORY), name, stat);
    }
    let (major, minor) = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
    let device = u64::from(major) << 20 | u64::from(minor);
    // The kernel tells the low half of the file's number.
    let file = stat.st_ino & u64::from(u32::MAX);
    let is_it =
        |row: &unix_diag::File| u64::from(row.inode) == file && u64::from(row.device) == device;
    rows.iter()
        .filter(|(_, row)| row.as_ref().is_some_and(is_it))
        .map(|(socket, _)| *socket)
        .collect()
}

/// Returns the sockets that were bound by a path which leads to the file: all that `/proc/net/unix` tells,
/// where sock_diag tells nothing. Not found is what was bound by a path from a directory of its own.
fn bound_by_path(tables: &Path, name: &OsStr, stat: &Stat) -> Vec<Inode> {
    let table = proc_net::read(tables, Protocol::Unix, Family::Unix).unwrap_or_default();
    let is_it = |socket: &Socket| {
        let Some(Endpoint::Path(path)) = &socket.local else { return false };
        let path = Path::new(OsStr::from_bytes(path.as_bytes()));
        // Only what has the file's name is looked at: any other may be on a server that does not answer.
        path.is_absolute()
            && path.file_name() == Some(name)
            && statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|found| (found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino))
    };
    table.sockets.iter().filter(|socket| is_it(socket)).filter_map(|socket| socket.inode).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn without_sock_diag_who_is_bound_to_a_file_is_told_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let listener = UnixListener::bind(&path).unwrap();
        let _waiting = UnixStream::connect(&path).unwrap();
        let stat = |path: &Path| statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        let tables = Path::new(proc_net::DIRECTORY);
        let found = bound_by_path(tables, OsStr::new("x"), &stat(&path));
        assert_eq!(found, [Inode(rustix::fs::fstat(&listener).unwrap().st_ino)]);
        assert_eq!(bound_by_path(tables, OsStr::new("x"), &stat(directory.path())), []);
    }
}
