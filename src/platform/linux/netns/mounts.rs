//! Network namespaces that bind mounts keep: `ip netns` mounts them in `/run/netns`, Docker in
//! `/run/docker/netns`, others elsewhere.

use std::path::PathBuf;

use super::parse_link;
use crate::platform::linux::mountinfo;
use crate::socket::NetnsId;

/// Returns the network namespaces mounted in our mount namespace, and where. Every mount is in one
/// file that everybody may read; no directory is searched.
pub(super) fn read() -> Vec<(NetnsId, PathBuf)> {
    parse(&mountinfo::read())
}

/// Finds them: the root of such a mount is `net:[…]`.
fn parse(mounts: &[u8]) -> Vec<(NetnsId, PathBuf)> {
    mountinfo::parse(mounts)
        .filter_map(|mount| Some((parse_link(mount.root)?, mount.path())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_network_namespaces_are_taken() {
        let info = b"22 21 0:5 / /proc rw - proc proc rw\n\
            40 22 0:4 net:[4026532300] /run/netns/blue rw shared:9 - nsfs nsfs rw\n\
            41 22 0:4 mnt:[4026532301] /run/snapd/ns/x.mnt rw - nsfs nsfs rw\n\
            42 22 0:4 net:[4026532302] /run/netns/a\\040b\\134 rw - nsfs nsfs rw\n";
        let expected = [(4_026_532_300, "/run/netns/blue"), (4_026_532_302, r"/run/netns/a b\")];
        assert_eq!(parse(info), expected.map(|(id, path)| (NetnsId(id), PathBuf::from(path))));
    }
}
