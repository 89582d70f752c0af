//! The names of the system's errors (`errno(3)`).

use std::io;

use crate::diagnose::Errno;

/// No error has this number.
const NONE: i32 = -1;

/// The errors that a diagnosis knows, as far as a call returns them.
const DIAGNOSED: &[Errno] = &[
    Errno::EADDRINUSE,
    Errno::EADDRNOTAVAIL,
    Errno::EACCES,
    Errno::EPERM,
    Errno::EINVAL,
    Errno::EAFNOSUPPORT,
    Errno::ENODEV,
    Errno::EMFILE,
    Errno::ENFILE,
    Errno::ENOBUFS,
    Errno::ENOENT,
    Errno::ENOTDIR,
    Errno::ENAMETOOLONG,
    Errno::ECONNREFUSED,
    Errno::ETIMEDOUT,
    Errno::EHOSTUNREACH,
    Errno::ENETUNREACH,
];

/// An error's name and its number on Linux, on macOS and the BSDs, and in Winsock. On the few kinds
/// of processors where Linux numbers them otherwise (MIPS, SPARC, Alpha, PA-RISC) a name may be missing
/// or wrong.
/// Of two with one number the first is meant.
const NAMES: &[(&str, [i32; 3])] = &[
    ("EACCES", [13, 13, 10_013]),
    ("EPERM", [1, 1, 10_013]),
    ("ENOENT", [2, 2, NONE]),
    ("ENODEV", [19, 19, NONE]),
    ("ENOTDIR", [20, 20, NONE]),
    ("ENFILE", [23, 23, NONE]),
    ("ENAMETOOLONG", [36, 63, 10_063]),
    ("EPROTOTYPE", [91, 41, 10_041]),
    ("EINVAL", [22, 22, 10_022]),
    ("EMFILE", [24, 24, 10_024]),
    ("EPIPE", [32, 32, 10_058]),
    ("EAGAIN", [11, 35, 10_035]),
    ("ENOPROTOOPT", [92, 42, 10_042]),
    ("EAFNOSUPPORT", [97, 47, 10_047]),
    ("EADDRINUSE", [98, 48, 10_048]),
    ("EADDRNOTAVAIL", [99, 49, 10_049]),
    ("ENETUNREACH", [101, 51, 10_051]),
    ("ECONNABORTED", [103, 53, 10_053]),
    ("ECONNRESET", [104, 54, 10_054]),
    ("ENOBUFS", [105, 55, 10_055]),
    ("EISCONN", [106, 56, 10_056]),
    ("ENOTCONN", [107, 57, 10_057]),
    ("ETIMEDOUT", [110, 60, 10_060]),
    ("ECONNREFUSED", [111, 61, 10_061]),
    ("EHOSTUNREACH", [113, 65, 10_065]),
    ("EALREADY", [114, 37, 10_037]),
    ("EINPROGRESS", [115, 36, 10_036]),
];

/// Returns the name that programmers know an error of a socket call by; `None` for errors that are
/// not the system's, and for those no such call is known for.
pub fn name(error: &io::Error) -> Option<&'static str> {
    let number = error.raw_os_error()?;
    let here = |[linux, bsd, windows]: [i32; 3]| {
        if cfg!(any(target_os = "linux", target_os = "android")) {
            linux
        } else if cfg!(windows) {
            windows
        } else {
            bsd
        }
    };
    NAMES.iter().find(|(_, numbers)| here(*numbers) == number).map(|(name, _)| *name)
}

/// Returns the error as a diagnosis knows it; `None` for all others.
pub fn of(error: &io::Error) -> Option<Errno> {
    let name = name(error)?;
    DIAGNOSED.iter().copied().find(|errno| format!("{errno:?}") == name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_system() {
        for (number, expected) in [
            (libc::EPERM, "EPERM"),
            (libc::EACCES, "EACCES"),
            (libc::ENOENT, "ENOENT"),
            (libc::ENODEV, "ENODEV"),
            (libc::ENOTDIR, "ENOTDIR"),
            (libc::ENFILE, "ENFILE"),
            (libc::ENAMETOOLONG, "ENAMETOOLONG"),
            (libc::EPROTOTYPE, "EPROTOTYPE"),
            (libc::EINVAL, "EINVAL"),
            (libc::EMFILE, "EMFILE"),
            (libc::EPIPE, "EPIPE"),
            (libc::EAGAIN, "EAGAIN"),
            (libc::ENOPROTOOPT, "ENOPROTOOPT"),
            (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
            (libc::EADDRINUSE, "EADDRINUSE"),
            (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
            (libc::ENETUNREACH, "ENETUNREACH"),
            (libc::ECONNABORTED, "ECONNABORTED"),
            (libc::ECONNRESET, "ECONNRESET"),
            (libc::ENOBUFS, "ENOBUFS"),
            (libc::EISCONN, "EISCONN"),
            (libc::ENOTCONN, "ENOTCONN"),
            (libc::ETIMEDOUT, "ETIMEDOUT"),
            (libc::ECONNREFUSED, "ECONNREFUSED"),
            (libc::EHOSTUNREACH, "EHOSTUNREACH"),
            (libc::EALREADY, "EALREADY"),
            (libc::EINPROGRESS, "EINPROGRESS"),
        ] {
            assert_eq!(name(&io::Error::from_raw_os_error(number)), Some(expected));
        }
        assert_eq!(name(&io::Error::other("ours")), None);
    }

    #[test]
    fn a_diagnosis_knows_each_of_its_errors_by_name() {
        for errno in DIAGNOSED {
            let (_, [number, ..]) =
                NAMES.iter().find(|(name, _)| *name == format!("{errno:?}")).unwrap();
            assert_eq!(of(&io::Error::from_raw_os_error(*number)), Some(*errno));
        }
        assert_eq!(of(&io::Error::from_raw_os_error(libc::EISCONN)), None);
    }
}
