//! Other programs that do what only they can: `systemctl`, `docker`, `podman`, `sc`.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Returns where on the search path a program is; `None` when it is not installed.
#[expect(clippy::disallowed_methods, reason = "the search path is read here alone")]
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).map(|folder| folder.join(&file)).find(|file| file.is_file())
}

/// Runs a program to its end, word by word as given and without a shell, and returns what it said.
///
/// # Errors
///
/// When it is not installed, or could not be started.
#[expect(clippy::disallowed_methods, reason = "no call of the kernel stops a unit or a container")]
pub(super) fn run(command: &[String]) -> io::Result<Output> {
    let (name, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let program = find(name).ok_or(io::ErrorKind::NotFound)?;
    Command::new(program).args(arguments).stdin(Stdio::null()).output()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_not_found() {
        assert_eq!(find("sockscope-is-never-called-this"), None);
        let error = run(&["sockscope-is-never-called-this".to_owned()]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(run(&[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
