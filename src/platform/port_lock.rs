//! A lock on a port number, which every `sockscope pick` of this network namespace respects, whoever
//! runs it. It guards a port between the moment it was seen to be free and the moment a command that
//! was given its number has bound it.
//!
//! On Linux it is a UNIX socket bound to an abstract name (`unix(7)`): only one can be, the names are
//! the network namespace's own as ports are, no file is left behind, and it is released when the last
//! copy of the descriptor is closed, however that comes about. Nobody can connect: it does not listen.
//! Elsewhere there is no such name, and no lock.

use std::io;

/// A lock on a port number; dropping it releases it.
#[derive(Debug)]
pub struct PortLock {
    #[cfg(target_os = "linux")]
    socket: rustix::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
impl PortLock {
    /// Takes the lock; `None` when another process has it.
    ///
    /// # Errors
    ///
    /// When no such socket can be made here.
    pub fn take(port: u16) -> io::Result<Option<Self>> {
        use rustix::io::Errno;
        use rustix::net::{
            AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with,
        };

        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let name = SocketAddrUnix::new_abstract_name(format!("sockscope-pick-{port}").as_bytes())?;
        match bind(&socket, &name) {
            Ok(()) => Ok(Some(Self { socket })),
            Err(Errno::ADDRINUSE) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets the program that this process becomes inherit the lock, so that it lasts as long as that.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn bequeath(&mut self) -> io::Result<()> {
        use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

        // Where no shell script puts files of its own: `exec 3>log` would close the lock.
        self.socket = fcntl_dupfd_cloexec(&self.socket, 100)?;
        Ok(fcntl_setfd(&self.socket, FdFlags::empty())?)
    }
}

impl PortLock {
    /// Releases the lock, as dropping it does.
    pub fn release(self) {}
}

#[cfg(not(target_os = "linux"))]
impl PortLock {
    /// See the Linux version: there is nothing to lock here.
    pub fn take(_port: u16) -> io::Result<Option<Self>> {
        Ok(Some(Self {}))
    }

    /// See the Linux version.
    pub fn bequeath(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_the_lock() {
        // No port has the number 0, so no other test and no user asks for it.
        let lock = PortLock::take(0).unwrap().unwrap();
        assert!(PortLock::take(0).unwrap().is_none());
        drop(lock);
        // A child that another test starts right now may have a copy for a moment.
        while PortLock::take(0).unwrap().is_none() {
            std::thread::yield_now();
        }
    }
}
