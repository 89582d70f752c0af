//! Names of users, as the system knows them: through NSS on UNIX (`nsswitch.conf(5)`), so that users
//! of a directory service have names too.

use std::collections::BTreeMap;

use crate::process::Uid;
use crate::snapshot::Collected;
use crate::text::Text;

/// Names the users of the sockets, which these are, and of the processes that were collected.
#[cfg_attr(
    not(any(
        target_os = "linux",
        target_os = "macos",
        target_os = "freebsd",
        all(feature = "portable", windows)
    )),
    expect(dead_code, reason = "there is no backend")
)]
pub(crate) fn name_all<S, H>(
    collected: &mut Collected<S, H>,
    sockets: impl IntoIterator<Item = Uid>,
) {
    let processes = collected.processes.iter().filter_map(|process| process.uid);
    collected.users = names(sockets.into_iter().chain(processes));
}

/// Returns the names of these users; one without a name has no entry. A directory service may take
/// its time: only users about to be shown should be asked for.
#[cfg(unix)]
#[cfg_attr(
    not(any(test, target_os = "linux", target_os = "macos", target_os = "freebsd")),
    expect(dead_code, reason = "no backend here has users to name")
)]
pub(crate) fn names(uids: impl IntoIterator<Item = Uid>) -> BTreeMap<Uid, Text> {
    let mut names = BTreeMap::new();
    for uid in uids.into_iter().collect::<std::collections::BTreeSet<_>>() {
        if let Some(user) = uzers::get_user_by_uid(uid.0) {
            names.insert(uid, Text::from(user.name().as_encoded_bytes().to_vec()));
        }
    }
    names
}

/// Returns nothing: users have no numbers here.
#[cfg(not(unix))]
#[cfg_attr(not(feature = "portable"), expect(dead_code, reason = "there is no backend"))]
pub(crate) fn names(_uids: impl IntoIterator<Item = Uid>) -> BTreeMap<Uid, Text> {
    BTreeMap::new()
}

/// Returns the number of the user of this name.
#[cfg(unix)]
pub(crate) fn number(name: &str) -> Option<Uid> {
    uzers::get_user_by_name(name).map(|user| Uid(user.uid()))
}

/// Returns nothing: users have no numbers here.
#[cfg(not(unix))]
pub(crate) fn number(_name: &str) -> Option<Uid> {
    None
}

/// Returns the groups a program of this user starts with: its own first.
#[cfg(target_os = "linux")]
pub(crate) fn groups(uid: Uid) -> Vec<u32> {
    let Some(user) = uzers::get_user_by_uid(uid.0) else { return Vec::new() };
    let gid = user.primary_group_id();
    let others = uzers::get_user_groups(user.name(), gid).unwrap_or_default();
    std::iter::once(gid).chain(others.iter().map(uzers::Group::gid)).collect()
}

/// Returns the home of this user; absent where nobody is called by the number.
#[cfg(target_os = "linux")]
pub(crate) fn home(uid: Uid) -> Option<std::path::PathBuf> {
    use uzers::os::unix::UserExt as _;
    uzers::get_user_by_uid(uid.0).map(|user| user.home_dir().to_owned())
}

/// Returns the names of the users of this machine, without those that only a directory service
/// knows: good for finding the nearest word, not for telling that a user does not exist.
#[cfg(unix)]
pub(crate) fn local() -> Option<Vec<String>> {
    std::fs::read("/etc/passwd").ok().map(|passwd| parse_passwd(&passwd))
}

/// Returns nothing: whether a user exists cannot be told from its number here.
#[cfg(not(unix))]
pub(crate) fn local() -> Option<Vec<String>> {
    None
}

/// Parses `passwd(5)`: the names, without the `+name` entries that include others.
#[cfg(unix)]
fn parse_passwd(passwd: &[u8]) -> Vec<String> {
    passwd
        .split(|&byte| byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':'))
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty() && !name.starts_with(['+', '-', '#']))
        .map(str::to_owned)
        .collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn user_0_is_root() {
        let expected = BTreeMap::from([(Uid(0), Text::from("root"))]);
        assert_eq!(names([Uid(0), Uid(0)]), expected);
        assert_eq!(number("root"), Some(Uid(0)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn user_0_has_a_home() {
        assert!(home(Uid(0)).is_some_and(|home| home.is_absolute()));
        assert_eq!(home(Uid(4_123_456_789)), None);
    }

    #[test]
    fn a_user_nobody_knows_has_no_name() {
        assert_eq!(names([Uid(4_123_456_789)]), BTreeMap::new());
        assert_eq!(number("no\0such user"), None);
    }

    #[test]
    fn names_are_read_from_passwd() {
        let passwd = b"root:x:0:0::/root:/bin/sh\n+@staff::::::\n# x:\n\nno colon\nweb:x:33:33::/:";
        assert_eq!(parse_passwd(passwd), ["root", "web"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            parse_passwd(&bytes);
        }
    }
}
