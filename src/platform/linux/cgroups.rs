//! The names of the control groups that the kernel gives by number: the inode number of their
//! directory in the unified hierarchy (`cgroups(7)`), which everybody may walk.
//!
//! `open_by_handle_at(2)` would find one at once, but takes a privilege that those who need this
//! most do not have.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, fstat, openat};
use rustix::io;

use super::mountinfo;
use crate::cgroup::Cgroup;
use crate::socket::CgroupId;
use crate::text::Text;

/// Returns these control groups by name. One that was removed since has none.
pub(super) fn named(wanted: BTreeSet<CgroupId>) -> BTreeMap<CgroupId, Cgroup> {
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    let Some(mount) = unified_mount(&mountinfo::read()) else { return BTreeMap::new() };
    find(&mount, wanted).into_iter().map(|(id, path)| (id, Cgroup::new(path))).collect()
}

/// Returns where the unified hierarchy is mounted.
fn unified_mount(mounts: &[u8]) -> Option<PathBuf> {
    mountinfo::parse(mounts).find(|mount| mount.kind == b"cgroup2").map(|mount| mount.path())
}

/// Walks the hierarchy, upper groups first, until all the wanted ones are found.
fn find(mount: &Path, mut wanted: BTreeSet<CgroupId>) -> BTreeMap<CgroupId, Text> {
    let mut found = BTreeMap::new();
    let Ok(root) = openat(CWD, mount, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else {
        return found;
    };
    if let Ok(stat) = fstat(&root)
        && wanted.remove(&CgroupId(stat.st_ino))
    {
        found.insert(CgroupId(stat.st_ino), Text::from("/"));
    }
    // Without the slash at the start.
    let mut groups = VecDeque::from([Vec::new()]);
    let mut buffer = Vec::with_capacity(16 * 1024);
    while let Some(group) = groups.pop_front().filter(|_| !wanted.is_empty()) {
        let each = |id, name: &[u8]| {
            let slash: &[u8] = if group.is_empty() { b"" } else { b"/" };
            let path = [&group, slash, name].concat();
            if wanted.remove(&id) {
                found.insert(id, Text::from([b"/", path.as_slice()].concat()));
            }
            groups.push_back(path);
        };
        // One that was removed meanwhile has no groups in it.
        let _gone = read_groups(&root, &group, &mut buffer, each);
    }
    found
}

/// Calls `each` with the number and name of every group in this one.
fn read_groups(
    root: impl std::os::fd::AsFd,
    group: &[u8],
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(CgroupId, &[u8]),
) -> io::Result<()> {
    let path: &[u8] = if group.is_empty() { b"." } else { group };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(root, path, flags, Mode::empty())?;
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if entry.file_type() == FileType::Directory && name != b"." && name != b".." {
            each(CgroupId(entry.ino()), name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn the_unified_hierarchy_is_found_wherever_it_is_mounted() {
        let mount = |text: &str| unified_mount(text.as_bytes());
        let tmpfs = "25 1 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n";
        let v1 = "27 25 0:25 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n";
        let v2 =
            r"30 25 0:28 / /sys/fs/cgroup/my\040unified rw shared:8 master:1 - cgroup2 cgroup2 rw";
        assert_eq!(mount(&format!("{tmpfs}{v1}{v2}\n")), Some("/sys/fs/cgroup/my unified".into()));
        assert_eq!(mount(&format!("{tmpfs}{v1}")), None);
        assert_eq!(mount("30 25 0:28 / /cgroup2 rw - tmpfs cgroup2 rw\n"), None);
        assert_eq!(mount(""), None);
    }

    #[test]
    fn a_group_is_found_by_its_number_at_any_depth() {
        let tree = tempfile::tempdir().unwrap();
        let id = |path: &str| CgroupId(fs::metadata(tree.path().join(path)).unwrap().ino());
        fs::create_dir_all(tree.path().join("a.slice/b.service/c")).unwrap();
        fs::create_dir_all(tree.path().join("other")).unwrap();
        fs::write(tree.path().join("a.slice/cgroup.procs"), "").unwrap();

        let wanted = ["a.slice/b.service/c", "a.slice", ".", "a.slice/cgroup.procs"].map(id);
        let found = find(tree.path(), wanted.into());
        let expected = [
            (id("a.slice/b.service/c"), Text::from("/a.slice/b.service/c")),
            (id("a.slice"), Text::from("/a.slice")),
            (id("."), Text::from("/")),
        ];
        assert_eq!(found, expected.into(), "a file is no group");
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert!(find(Path::new("/nonexistent"), [CgroupId(1)].into()).is_empty());
    }
}
