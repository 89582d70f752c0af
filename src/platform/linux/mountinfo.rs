//! `/proc/self/mountinfo`: what is mounted where in our mount namespace (`proc_pid_mountinfo(5)`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// One mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mount<'a> {
    /// What of the filesystem is mounted: of a namespace its link's text, `net:[…]`.
    pub(super) root: &'a [u8],
    /// Where, as it is written.
    at: &'a [u8],
    /// The filesystem's kind.
    pub(super) kind: &'a [u8],
    /// The filesystem's options, with commas between.
    pub(super) options: &'a [u8],
}

impl<'a> Mount<'a> {
    /// Parses a line: `id parent device root at options optional… - kind source options`.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ').skip(3);
        let (root, at) = (fields.next()?, fields.next()?);
        let mut filesystem = fields.skip_while(|field| *field != b"-").skip(1);
        let (kind, _source) = (filesystem.next()?, filesystem.next()?);
        Some(Self { root, at, kind, options: filesystem.next().unwrap_or_default() })
    }

    /// Returns where it is mounted.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(OsString::from_vec(unescape(self.at)))
    }

    /// Returns whether it is mounted at this path, which has nothing in it that would be escaped.
    pub(super) fn is_at(&self, path: &[u8]) -> bool {
        self.at == path
    }
}

/// Reads the text; empty where `/proc` is not there.
pub(super) fn read() -> Vec<u8> {
    std::fs::read("/proc/self/mountinfo").unwrap_or_default()
}

/// Parses the text; a line that is cut is passed over.
pub(super) fn parse(text: &[u8]) -> impl DoubleEndedIterator<Item = Mount<'_>> {
    text.split(|&byte| byte == b'\n').filter_map(Mount::parse)
}

/// Turns `\040` back into a space, and so on: how white space and backslashes are written.
fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    while let Some((&byte, rest)) = text.split_first() {
        let escaped = text.get(..4).and_then(|code| match code {
            [b'\\', high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7'] => {
                Some((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'))
            }
            _ => None,
        });
        plain.push(escaped.unwrap_or(byte));
        text = if escaped.is_some() { text.get(4..).unwrap_or_default() } else { rest };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mount_has_its_root_place_kind_and_options() {
        let text = b"22 21 0:5 / /proc rw,nosuid shared:2 master:1 - proc proc rw,hidepid=2\n\
                     40 22 0:4 net:[4026532300] /run/a\\040b\\134 rw - nsfs nsfs rw\n\
                     cut 22 0:4 / /x\n";
        let [proc, netns] = parse(text).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(
            (proc.root, proc.kind, proc.options),
            (&b"/"[..], &b"proc"[..], &b"rw,hidepid=2"[..])
        );
        assert!(proc.is_at(b"/proc"));
        assert_eq!((netns.root, netns.path()), (&b"net:[4026532300]"[..], r"/run/a b\".into()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            for mount in parse(&bytes) {
                mount.path();
            }
            prop_assert!(unescape(&bytes).len() <= bytes.len());
        }
    }
}
