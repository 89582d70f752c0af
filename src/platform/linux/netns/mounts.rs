//! Network namespaces that bind mounts keep: `ip netns` mounts them in `/run/netns`, Docker in
//! `/run/docker/netns`, others elsewhere.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use super::parse_link;
use crate::socket::NetnsId;

/// Returns the network namespaces mounted in our mount namespace, and where. Every mount is in one
/// file that everybody may read; no directory is searched.
pub(super) fn read() -> Vec<(NetnsId, PathBuf)> {
    std::fs::read("/proc/self/mountinfo").map(|info| parse(&info)).unwrap_or_default()
}

/// Parses `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`): the root of such a mount is `net:[…]`.
fn parse(mountinfo: &[u8]) -> Vec<(NetnsId, PathBuf)> {
    mountinfo
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.split(|&byte| byte == b' ').skip(3);
            let id = parse_link(fields.next()?)?;
            Some((id, PathBuf::from(OsString::from_vec(unescape(fields.next()?)))))
        })
        .collect()
}

/// Turns `\040` back into a space, and so on.
fn unescape(mut path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    while let Some((&byte, rest)) = path.split_first() {
        let escaped = path.get(..4).and_then(|code| match code {
            [b'\\', high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7'] => {
                Some((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'))
            }
            _ => None,
        });
        plain.push(escaped.unwrap_or(byte));
        path = if escaped.is_some() { path.get(4..).unwrap_or_default() } else { rest };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_network_namespaces_are_taken() {
        let info = b"22 21 0:5 / /proc rw - proc proc rw\n\
            40 22 0:4 net:[4026532300] /run/netns/blue rw shared:9 - nsfs nsfs rw\n\
            41 22 0:4 mnt:[4026532301] /run/snapd/ns/x.mnt rw - nsfs nsfs rw\n\
            42 22 0:4 net:[4026532302] /run/netns/a\\040b\\134 rw - nsfs nsfs rw\n";
        let expected = [(4_026_532_300, "/run/netns/blue"), (4_026_532_302, r"/run/netns/a b\")];
        assert_eq!(parse(info), expected.map(|(id, path)| (NetnsId(id), PathBuf::from(path))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            parse(&bytes);
            prop_assert!(unescape(&bytes).len() <= bytes.len());
        }
    }
}
