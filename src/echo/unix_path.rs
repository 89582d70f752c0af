//! The file of a UNIX socket: it outlives the socket, so somebody has to tidy up, and nobody may
//! take away what another is using (`unix(7)`, notes).

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use crate::echo::error::{Cause, EchoError};
use crate::echo::listen::ListenOptions;
use crate::socket::{Endpoint, Protocol};
use crate::text::Text;

/// The right to remove the socket file at a path: dropping it does, unless by then the path names
/// another file.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    file: Option<(u64, u64)>,
}

impl Claim {
    fn new(path: &Path) -> Self {
        // Without its identity the file is left alone.
        let file = fs::symlink_metadata(path).ok().as_ref().map(identity);
        Self { path: path.to_owned(), file }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        endpoint(&self.path)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let now = fs::symlink_metadata(&self.path).ok().as_ref().map(identity);
        if now.is_some() && now == self.file {
            // A drop cannot fail; the next server explains a file left behind.
            let _left_behind = fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn endpoint(path: &Path) -> Endpoint {
    Endpoint::Path(Text::new(path.as_os_str().as_bytes()))
}

/// Listens at the path.
///
/// # Errors
///
/// When something is there already: a live server, a file of another kind, or, without `force`, what
/// an earlier server left.
pub(super) async fn listen(
    path: &Path,
    options: ListenOptions,
) -> Result<(UnixListener, Claim), EchoError> {
    let failed = |source| EchoError::Listen {
        protocol: Protocol::Unix,
        local: endpoint(path),
        source: Cause(source),
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(EchoError::PathTaken { path: path.to_owned() });
        }
        Ok(_) if is_live(path).await => return Err(EchoError::PathInUse { path: path.to_owned() }),
        Ok(_) if !options.force => return Err(EchoError::PathStale { path: path.to_owned() }),
        Ok(_) => fs::remove_file(path).map_err(failed)?,
    }
    let listener = bind(path, options.backlog).map_err(failed)?;
    Ok((listener, Claim::new(path)))
}

/// Returns whether somebody holds the socket. Only a refusal proves that nobody does: a full
/// backlog, a datagram socket or a lack of rights answer otherwise, and are somebody.
async fn is_live(path: &Path) -> bool {
    match UnixStream::connect(path).await {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::ConnectionRefused,
    }
}

fn bind(path: &Path, backlog: u16) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog.into())?;
    UnixListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::clock::wait_until;

    const KEEP: ListenOptions = ListenOptions { tcp: true, udp: false, backlog: 8, force: false };
    const FORCE: ListenOptions = ListenOptions { force: true, ..KEEP };

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("echo.sock");
        (directory, path)
    }

    #[tokio::test]
    async fn the_file_goes_with_the_listener() {
        let (_directory, path) = directory();
        let listening = listen(&path, KEEP).await.unwrap();
        assert!(path.exists());
        drop(listening);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_put_there_by_another_is_not_removed() {
        let (_directory, path) = directory();
        let listening = listen(&path, KEEP).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        drop(listening);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_live_server_is_not_replaced_even_by_force() {
        let (_directory, path) = directory();
        let _listening = listen(&path, KEEP).await.unwrap();
        let error = listen(&path, FORCE).await.unwrap_err();
        assert!(matches!(error, EchoError::PathInUse { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_not_replaced_even_by_force() {
        let (_directory, path) = directory();
        fs::write(&path, "precious").unwrap();
        let error = listen(&path, FORCE).await.unwrap_err();
        assert!(matches!(error, EchoError::PathTaken { .. }), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    /// Leaves the file of a server that was killed.
    fn leave_stale(path: &Path) {
        drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        wait_until(|| std::os::unix::net::UnixStream::connect(path).is_err());
    }

    #[tokio::test]
    async fn a_stale_socket_is_explained() {
        let (_directory, path) = directory();
        leave_stale(&path);
        let error = listen(&path, KEEP).await.unwrap_err();
        assert!(matches!(error, EchoError::PathStale { .. }), "{error:?}");
        assert_eq!(error.hint().as_deref(), Some("replace it with --force"));
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_by_force() {
        let (_directory, path) = directory();
        leave_stale(&path);
        let _listening = listen(&path, FORCE).await.unwrap();
        UnixStream::connect(&path).await.unwrap();
    }
}
