//! The calls that a lesson makes on UNIX sockets.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, SockAddr, Type};

use super::Stage;
use super::calls::zero;
use crate::demo::cast::Role;
use crate::demo::syscall::{Address, Kind, Syscall};
use crate::platform::props;

/// A file that is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // The lesson has removed it, unless it fell.
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// How many stages of this process have a name.
static NAMED: AtomicU32 = AtomicU32::new(0);

impl Stage {
    /// A name that no other process gives, and no other stage.
    fn name(&mut self) -> String {
        let give = || {
            let process = std::process::id();
            match NAMED.fetch_add(1, Ordering::Relaxed) {
                0 => format!("sockscope-demo-{process}"),
                number => format!("sockscope-demo-{process}-{number}"),
            }
        };
        self.name.get_or_insert_with(give).clone()
    }

    /// Calls `socket()` for a UNIX stream.
    pub fn unix(&mut self, role: Role) -> io::Result<()> {
        self.socket(role, Domain::UNIX, Type::STREAM)
    }

    /// Calls `bind()` with an abstract name.
    pub fn bind_abstract(&mut self, role: Role) -> io::Result<()> {
        let name = self.name();
        let result = self.get(role)?.bind(&SockAddr::unix(format!("\0{name}"))?);
        self.remember(role, None)?;
        self.is_bound(role);
        self.note(role, Syscall::Bind(Address::Abstract(name)), zero(result))
    }

    /// Calls `connect()` with the abstract name of `to`.
    pub fn connect_abstract(&mut self, role: Role, to: Role) -> io::Result<()> {
        let result = self.get(role)?.connect(&self.get(to)?.local_addr()?);
        self.remember(role, None)?;
        let address = Address::Abstract(self.name());
        let call = Syscall::Connect { address, blocking: true };
        self.note(role, call, zero(result))
    }

    /// Calls `bind()` with a path, twice, and what it takes for the second to succeed. All at once, so
    /// that the file is there for an instant only.
    pub fn path_story(&mut self, role: Role) -> io::Result<()> {
        let file = Removed(std::env::temp_dir().join(self.name()));
        self.unix(role)?;
        self.bind_path(role, &file.0)?;
        self.close(role)?;
        self.unix(role)?;
        self.fails("EADDRINUSE", |stage| stage.bind_path(role, &file.0))?;
        self.unlink(role, &file.0)?;
        self.bind_path(role, &file.0)?;
        self.remember(role, None)?;
        self.listen(role, 8)?;
        self.unlink(role, &file.0)
    }

    /// Calls `bind()` with a path and `close()`, which leaves the file. It stays until the stage is gone.
    pub fn leave_file(&mut self, role: Role) -> io::Result<PathBuf> {
        let path = std::env::temp_dir().join(self.name());
        self.unix(role)?;
        self.bind_path(role, &path)?;
        self.files.push(Removed(path.clone()));
        self.close(role)?;
        Ok(path)
    }

    fn bind_path(&mut self, role: Role, path: &Path) -> io::Result<()> {
        let result = self.get(role)?.bind(&SockAddr::unix(path)?);
        self.is_bound(role);
        self.note(role, Syscall::Bind(Address::Path(path.to_owned())), zero(result))
    }

    fn unlink(&mut self, role: Role, path: &Path) -> io::Result<()> {
        let result = std::fs::remove_file(path);
        self.note_plain(role.program, Syscall::Unlink { path: path.to_owned() }, zero(result))
    }

    /// Calls `socketpair()`.
    pub fn pair(&mut self, left: Role, right: Role) -> io::Result<()> {
        let (one, other) = props::pair()?;
        self.open.insert(left, one);
        self.open.insert(right, other);
        self.remember(left, None)?;
        self.remember(right, None)?;
        self.wire.pair(left, right);
        self.kinds.extend([(left, Kind::Unix), (right, Kind::Unix)]);
        self.note(left, Syscall::Pair { other: right }, Ok("two new descriptors".to_owned()))
    }

    /// Calls `sendmsg()` with a descriptor.
    pub fn send_descriptor(&mut self, through: Role, sent: Role) -> io::Result<()> {
        let result = props::send_descriptor(self.get(through)?, self.get(sent)?);
        self.wire.descriptor(through);
        self.note(through, Syscall::SendDescriptor { other: sent }, zero(result))
    }

    /// Calls `recvmsg()` for a descriptor.
    pub fn receive_descriptor(&mut self, through: Role, received: Role) -> io::Result<()> {
        let socket = props::receive_descriptor(self.get(through)?)?;
        self.open.insert(received, socket);
        let call = Syscall::RecvDescriptor { other: received };
        self.note(through, call, Ok("a new descriptor, of the listener".to_owned()))
    }
}
