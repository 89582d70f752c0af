//! Tests in private network namespaces, and as another user (Linux).

use std::process::Command;

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt as _;
        own.uid() == 0
    })
}

/// Makes the command run as the user `nobody`; false when this process may not.
pub(crate) fn as_nobody(command: &mut Command) -> bool {
    use std::os::unix::process::CommandExt as _;
    let root = is_root();
    if root {
        command.uid(65534).gid(65534);
    }
    root
}
