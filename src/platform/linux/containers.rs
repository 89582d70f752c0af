//! What people call their containers: read from the files of what runs them, which by default only root
//! may do. A name that cannot be read is no gap, for the container still has its number.
//!
//! The meaning of the files is in the functions that take bytes.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cgroup::{Cgroup, Container};
use crate::platform::users;
use crate::process::Uid;
use crate::text::Text;

/// Docker's folder of a container has its number for a name.
const DOCKER: &str = "var/lib/docker/containers";
/// The same of a Docker that runs without root, in the home of its user.
const OWN_DOCKER: &str = ".local/share/docker/containers";
/// What containerd runs is described in `NAMESPACE/NUMBER/config.json` (OCI runtime specification); k3s
/// brings its own.
const BUNDLES: [&str; 2] = [
    "run/containerd/io.containerd.runtime.v2.task",
    "run/k3s/containerd/io.containerd.runtime.v2.task",
];
/// Where podman and CRI-O keep their containers.
const STORAGE: &str = "var/lib/containers/storage";
/// Where a podman that runs without root does, in the home of its user.
const OWN_STORAGE: &str = ".local/share/containers/storage";
/// What lists them there, by the driver of the storage.
const LISTS: [&str; 4] = [
    "overlay-containers/containers.json",
    "overlay-containers/volatile-containers.json",
    "vfs-containers/containers.json",
    "vfs-containers/volatile-containers.json",
];
/// The annotations that name a container: of Kubernetes, where it is one of a pod, and of nerdctl.
const POD: &str = "io.kubernetes.cri.sandbox-name";
const IN_POD: &str = "io.kubernetes.cri.container-name";
const NERDCTL: &str = "nerdctl/name";

/// The most that is read of one file, in bytes.
const LIMIT: u64 = 16 << 20;

/// Names the containers that these control groups are of, as far as that may be read.
pub(crate) fn name<'a>(groups: impl Iterator<Item = &'a mut Cgroup>) {
    name_from(Path::new("/"), own_home, groups);
}

/// Returns our own home. Those of others are left alone: they may be on a network that does not answer.
fn own_home() -> Option<PathBuf> {
    users::home(Uid(rustix::process::geteuid().as_raw()))
}

/// Does so with the files below another root and home.
fn name_from<'a>(
    root: &Path,
    home: impl FnOnce() -> Option<PathBuf>,
    groups: impl Iterator<Item = &'a mut Cgroup>,
) {
    let containers = groups.filter_map(|group| group.container.as_mut());
    // The others go by their name anyway.
    let mut containers = containers.filter(|container| container.is_numbered()).peekable();
    if containers.peek().is_none() {
        return;
    }
    let mut names = Names { root, home: home(), known: HashMap::new(), stored: None };
    for container in containers {
        container.name = names.of(container);
    }
}

/// The names found so far: many processes are of one container.
#[derive(Debug)]
struct Names<'a> {
    root: &'a Path,
    home: Option<PathBuf>,
    known: HashMap<Text, Option<Text>>,
    /// What podman and CRI-O list; absent until it is needed.
    stored: Option<BTreeMap<String, String>>,
}

impl Names<'_> {
    fn of(&mut self, container: &Container) -> Option<Text> {
        if let Some(known) = self.known.get(&container.id) {
            return known.clone();
        }
        // Sixty-four hexadecimal digits: no path out of the folder.
        let number = container.id.to_lossy().into_owned();
        let found = self
            .docker(&number)
            .or_else(|| self.bundle(&number))
            .or_else(|| self.stored().get(&number).cloned());
        let found = found.map(|name| Text::from(in_pod(&name).unwrap_or(name)));
        self.known.insert(container.id.clone(), found.clone());
        found
    }

    fn docker(&self, number: &str) -> Option<String> {
        let own = self.home.as_ref().map(|home| home.join(OWN_DOCKER));
        let mut folders = std::iter::once(self.root.join(DOCKER)).chain(own);
        docker_name(&folders.find_map(|folder| read(&folder.join(number).join("config.v2.json")))?)
    }

    fn bundle(&self, number: &str) -> Option<String> {
        let namespaces = |base: &str| std::fs::read_dir(self.root.join(base)).ok();
        let folders = BUNDLES.into_iter().filter_map(namespaces).flatten().filter_map(Result::ok);
        let file = |folder: PathBuf| read(&folder.join(number).join("config.json"));
        bundle_name(&folders.map(|entry| entry.path()).find_map(file)?)
    }

    fn stored(&mut self) -> &BTreeMap<String, String> {
        let Self { root, home, stored, .. } = self;
        stored.get_or_insert_with(|| {
            let own = home.as_ref().map(|home| home.join(OWN_STORAGE));
            let folders = std::iter::once(root.join(STORAGE)).chain(own);
            let lists = folders.flat_map(|folder| {
                LISTS.into_iter().filter_map(move |list| read(&folder.join(list)))
            });
            lists.flat_map(|text| storage_names(&text)).collect()
        })
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Returns the name in Docker's `config.v2.json`, where a slash stands before it.
fn docker_name(text: &[u8]) -> Option<String> {
    let config: Value = serde_json::from_slice(text).ok()?;
    let name = config.get("Name")?.as_str()?;
    Some(name.strip_prefix('/').unwrap_or(name).to_owned()).filter(|name| !name.is_empty())
}

/// Returns the name in the `config.json` of an OCI bundle, which its annotations tell.
fn bundle_name(text: &[u8]) -> Option<String> {
    let config: Value = serde_json::from_slice(text).ok()?;
    let annotations = config.get("annotations")?;
    let told =
        |key: &str| annotations.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
    match (told(POD), told(IN_POD)) {
        (Some(pod), Some(name)) => Some(format!("{pod}/{name}")),
        // The one that keeps the pod's namespaces.
        (Some(pod), None) => Some(pod.to_owned()),
        (None, _) => told(NERDCTL).map(str::to_owned),
    }
}

/// Returns the names by number in a `containers.json` of containers/storage, each the first it has.
fn storage_names(text: &[u8]) -> BTreeMap<String, String> {
    let list: Vec<Value> = serde_json::from_slice(text).unwrap_or_default();
    let name = |container: &Value| {
        let number = container.get("id")?.as_str()?;
        let name = container.get("names")?.as_array()?.first()?.as_str()?;
        Some((number.to_owned(), name.to_owned()))
    };
    list.iter().filter_map(name).filter(|(_, name)| !name.is_empty()).collect()
}

/// Returns the pod and the container where a name is made of them, as Kubernetes has Docker and CRI-O call
/// theirs: `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`.
fn in_pod(name: &str) -> Option<String> {
    let mut parts = name.strip_prefix("k8s_")?.split('_');
    let (container, pod) = (parts.next()?, parts.next()?);
    let is_whole = parts.count() == 3 && !container.is_empty() && !pod.is_empty();
    is_whole.then(|| format!("{pod}/{container}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A made-up number that begins with this digit.
    fn number(digit: char) -> String {
        format!("{digit}f2a9c1b{}", "0".repeat(56))
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Returns the names of containers in these control groups.
    fn names(root: &Path, paths: &[String]) -> Vec<Option<String>> {
        let mut groups: Vec<Cgroup> =
            paths.iter().map(|path| Cgroup::new(Text::from(path.as_str()))).collect();
        name_from(root, || Some(root.join("home/web")), groups.iter_mut());
        let name = |group: Cgroup| group.container.unwrap().name.map(|name| name.to_string());
        groups.into_iter().map(name).collect()
    }

    #[test]
    fn each_runtime_tells_the_name_in_a_file_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let [docker, podman, kube, nerd, crio] = ['3', '4', '5', '6', '7'].map(number);
        write(
            root,
            &format!("{DOCKER}/{docker}/config.v2.json"),
            r#"{"ID":"x","Name":"/web","Config":{"Labels":{}}}"#,
        );
        let list = format!(
            r#"[{{"id":"{podman}","names":["db","alias"]}},
                {{"id":"{crio}","names":["k8s_nginx_web-7c9_shop_0a1b-2c_0"]}},{{"id":"x"}},7]"#
        );
        write(root, &format!("{STORAGE}/{}", LISTS[0]), &list);
        let annotations = |text: &str| format!(r#"{{"annotations":{{{text}}}}}"#);
        let pod = annotations(&format!(r#""{POD}":"web-7c9","{IN_POD}":"nginx""#));
        write(root, &format!("{}/k8s.io/{kube}/config.json", BUNDLES[0]), &pod);
        let name = annotations(&format!(r#""{NERDCTL}":"cache""#));
        write(root, &format!("{}/default/{nerd}/config.json", BUNDLES[1]), &name);

        let paths = [
            format!("/system.slice/docker-{docker}.scope"),
            format!("/machine.slice/libpod-{podman}.scope/container"),
            format!("/kubepods.slice/cri-containerd-{kube}.scope"),
            format!("/system.slice/nerdctl-{nerd}.scope"),
            format!("/kubepods.slice/crio-{crio}.scope"),
            format!("/docker/{}", number('8')),
            format!("/docker/{docker}"),
        ];
        let expected =
            ["web", "db", "web-7c9/nginx", "cache", "web-7c9/nginx", "", "web"].map(str::to_owned);
        let expected = expected.map(|name| Some(name).filter(|name| !name.is_empty()));
        assert_eq!(names(root, &paths), expected);
    }

    #[test]
    fn what_one_runs_without_root_is_named_in_one_s_own_home() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let [docker, podman] = ['3', '4'].map(number);
        let folder = format!("home/web/{OWN_DOCKER}/{docker}/config.v2.json");
        write(root, &folder, r#"{"Name":"/web"}"#);
        let list = format!(r#"[{{"id":"{podman}","names":["db"]}}]"#);
        write(root, &format!("home/web/{OWN_STORAGE}/{}", LISTS[1]), &list);
        let of_user = "/user.slice/user-1000.slice/user@1000.service/user.slice";
        let paths = [
            format!("{of_user}/docker-{docker}.scope"),
            format!("{of_user}/libpod-{podman}.scope/container"),
        ];
        assert_eq!(names(root, &paths), ["web", "db"].map(|name| Some(name.to_owned())));
    }

    #[test]
    fn what_goes_by_a_name_is_not_looked_up() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(names(root.path(), &["/lxc.payload.web".to_owned()]), [None]);
    }

    #[test]
    fn a_name_of_kubernetes_is_its_pod_and_container() {
        assert_eq!(in_pod("k8s_POD_web_shop_uid_3"), Some("web/POD".to_owned()));
        for other in ["web", "k8s_", "k8s_a_b", "k8s_a_b_c_d_e_f", "k8s__b_c_d_e"] {
            assert_eq!(in_pod(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_file_makes_the_parsers_panic(text in r#"[\[\]{}":,a-zA-Z0-9/_.\-]{0,60}"#) {
            let text = text.as_bytes();
            let _all = (docker_name(text), bundle_name(text), storage_names(text));
        }
    }
}
