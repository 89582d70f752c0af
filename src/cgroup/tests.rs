use super::*;
use proptest::prelude::*;

/// A container's number.
const ID: &str = "4f5d0c1e9b8a7d6c5b4a39281706f5e4d3c2b1a0918273645546372819a0b1c2";
const POD: &str = "1f2e3d4c-5b6a-7980-8f9e-0a1b2c3d4e5f";

/// Returns "UNIT CONTAINER POD" of a path in which `ID` and `POD` stand for the constants, `POD_` for
/// the uid as systemd's names have it.
fn told(path: &str) -> String {
    let path = path.replace("POD_", &POD.replace('-', "_")).replace("POD", POD).replace("ID", ID);
    describe(&Cgroup::new(Text::from(path)))
}

fn describe(group: &Cgroup) -> String {
    let unit = group.full_unit().map_or("-".to_owned(), |unit| unit.to_string());
    let container = group.container.as_ref();
    let shown = container.map_or("-".to_owned(), ToString::to_string);
    let pod = container.and_then(|container| container.pod.as_ref());
    let pod = pod.map_or(String::new(), |uid| format!(" {uid}"));
    format!("{unit} {shown}{pod}")
        .replace(ID, "ID")
        .replace(ID.get(..12).unwrap(), "id")
        .replace(POD, "POD")
}

#[test]
fn a_path_names_the_unit() {
    for (path, expected) in [
        ("/", "- -"),
        ("/init.scope", "init.scope -"),
        ("/system.slice/nginx.service", "nginx.service -"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service -"),
        ("/system.slice/postgresql@15-main.service/worker", "postgresql@15-main.service -"),
        // A service that divides its own group is one service.
        ("/system.slice/x.service/inner.service", "x.service -"),
        (
            "/system.slice/dbus-:1.3-org.freedesktop.x@0.service",
            "dbus-:1.3-org.freedesktop.x@0.service -",
        ),
        ("/system.slice/_cpu.service", "cpu.service -"),
        ("/system.slice", "- -"),
        ("/system.slice/.service", "- -"),
        ("/user.slice/user-1000.slice/session-2.scope", "session-2.scope -"),
        (
            "/user.slice/user-1000.slice/user@1000.service/init.scope",
            "user@1000.service/init.scope -",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service",
            "user@1000.service/syncthing.service -",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope",
            "user@1000.service/vte-spawn-1.scope -",
        ),
        ("/user.slice/user-1000.slice/user@1000.service", "user@1000.service -"),
        // Seen from inside another cgroup namespace.
        ("/../../system.slice/cron.service", "cron.service -"),
    ] {
        assert_eq!(told(path), expected, "{path}");
    }
}

#[test]
fn a_path_names_the_container() {
    for (path, expected) in [
        ("/docker/ID", "- docker:id"),
        ("/system.slice/docker-ID.scope", "docker-ID.scope docker:id"),
        ("/machine.slice/libpod-ID.scope", "libpod-ID.scope podman:id"),
        ("/machine.slice/libpod-ID.scope/container", "libpod-ID.scope podman:id"),
        ("/libpod_parent/libpod-ID", "- podman:id"),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            "user@1000.service/libpod-ID.scope podman:id",
        ),
        // The monitors are outside.
        ("/machine.slice/libpod-conmon-ID.scope", "libpod-conmon-ID.scope -"),
        ("/crio-conmon-ID.scope", "crio-conmon-ID.scope -"),
        ("/lxc.monitor.web", "- -"),
        ("/default/ID", "- containerd:id"),
        ("/k8s.io/ID", "- containerd:id"),
        ("/user.slice/nerdctl-ID.scope", "nerdctl-ID.scope containerd:id"),
        ("/lxc/web", "- lxc:web"),
        ("/lxc/101/ns", "- lxc:101"),
        ("/lxc.payload.web/", "- lxc:web"),
        ("/lxc.payload/web", "- lxc:web"),
        (
            "/machine.slice/machine-fedora\\x2dserver.scope",
            "machine-fedora\\x2dserver.scope machine:fedora-server",
        ),
        (
            "/machine.slice/systemd-nspawn@deb.service/payload",
            "systemd-nspawn@deb.service machine:deb",
        ),
        ("/ecs/task/ID", "- oci:id"),
        ("/system.slice/snap.lxd.daemon.service", "snap.lxd.daemon.service snap:lxd"),
        ("/snap.firefox", "- snap:firefox"),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/snap.firefox.firefox-b3e1.scope",
            "user@1000.service/snap.firefox.firefox-b3e1.scope snap:firefox",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.mozilla.firefox-3211.scope",
            "user@1000.service/app-flatpak-org.mozilla.firefox-3211.scope flatpak:org.mozilla.firefox",
        ),
        // Shorter or longer numbers, and upper case, are names of something else.
        ("/docker/4f5d0c1e9b8a", "- -"),
        ("/docker/ID0", "- -"),
        ("/docker", "- -"),
        ("/process_api/abe992d7c2ac52e6449a96a0e577c657", "- -"),
    ] {
        assert_eq!(told(path), expected, "{path}");
    }
}

#[test]
fn a_container_of_kubernetes_has_its_pod() {
    for (path, expected) in [
        ("/kubepods/burstable/podPOD/ID", "- kubernetes:id POD"),
        ("/kubepods/podPOD/crio-ID", "- cri-o:id POD"),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/cri-containerd-ID.scope",
            "cri-containerd-ID.scope containerd:id POD",
        ),
        ("/kubepods.slice/kubepods-podPOD_.slice/crio-ID.scope", "crio-ID.scope cri-o:id POD"),
        ("/kubepods.slice/kubepods-podPOD_.slice/docker-ID.scope", "docker-ID.scope docker:id POD"),
        (
            "/system.slice/containerd.service/kubepods-besteffort-podPOD_.slice:cri-containerd:ID",
            "containerd.service containerd:id POD",
        ),
        ("/kubepods/besteffort", "- -"),
    ] {
        assert_eq!(told(path), expected, "{path}");
    }
}

#[test]
fn the_innermost_container_counts_and_the_unit_within_it() {
    for (path, expected) in [
        ("/system.slice/docker-ID.scope/system.slice/nginx.service", "nginx.service docker:id"),
        ("/lxc.payload.web/system.slice/nginx.service", "nginx.service lxc:web"),
        (
            "/lxc/web/user.slice/user-0.slice/user@0.service/app.slice/a.service",
            "user@0.service/a.service lxc:web",
        ),
        (
            "/docker/ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podPOD_.slice/cri-containerd-ID.scope",
            "cri-containerd-ID.scope containerd:id POD",
        ),
    ] {
        assert_eq!(told(path), expected, "{path}");
    }
}

/// Returns the path and what is told of a process.
fn of_process(text: &str) -> String {
    let group = Cgroup::of_process(text.replace("ID", ID).as_bytes()).unwrap();
    format!("{} {}", group.path, describe(&group)).replace(ID, "ID")
}

#[test]
fn the_unified_hierarchy_comes_first_then_systemds_then_any_that_says_something() {
    for (text, expected) in [
        ("0::/system.slice/nginx.service\n", "/system.slice/nginx.service nginx.service -"),
        // v1, as docker without systemd left it.
        (
            "12:memory:/docker/ID\n11:cpu,cpuacct:/docker/ID\n1:name=systemd:/docker/ID\n",
            "/docker/ID - docker:id",
        ),
        // Hybrid: systemd's units in both, the container in the controllers only.
        (
            "3:memory:/docker/ID\n2:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/\n",
            "/system.slice/a.service a.service docker:id",
        ),
        ("1:name=systemd:/a.service\n0::/b.service\n", "/b.service b.service -"),
        // This project's own machine: hybrid, without systemd.
        (
            "9:name=systemd:/\n4:memory:/process_api/abe992d7c2ac\n1:cpu:/\n0::/\n",
            "/process_api/abe992d7c2ac - -",
        ),
        ("9:name=systemd:/\n0::/\n", "/ - -"),
        // A zombie whose group is gone, and a path with colons.
        ("0::/system.slice/a.service (deleted)\n", "/system.slice/a.service a.service -"),
        ("0::/a:b:c\n", "/a:b:c - -"),
    ] {
        assert_eq!(of_process(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_membership_tells_nothing() {
    for text in ["", "\n", "0::", "nonsense", "0::relative\n"] {
        assert_eq!(Cgroup::of_process(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn every_pattern_finds_its_container() {
    for pattern in PATTERNS {
        let name = match pattern.name {
            Name::Number => ID.to_owned(),
            Name::Escaped => "web".to_owned(),
            Name::First => "web.app".to_owned(),
            Name::Numbered => "web-1".to_owned(),
        };
        let Pattern { parent, before, after, .. } = pattern;
        let group = Cgroup::new(Text::from(format!("/{parent}/{before}{name}{after}")));
        let found = group.container.unwrap();
        assert_eq!(found.runtime, pattern.runtime, "{pattern:?}");
        assert!(matches!(found.id.as_str(), Some(ID | "web")), "{pattern:?}");
    }
}

#[test]
fn words_are_those_of_the_json() {
    for pattern in PATTERNS {
        let json = serde_json::to_string(&pattern.runtime).unwrap();
        assert_eq!(json, format!("\"{}\"", pattern.runtime.name()));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        Cgroup::of_process(&bytes);
        Cgroup::new(Text::from(bytes));
    }

    #[test]
    fn words_of_the_field_in_any_order_do_not_either(
        parts in prop::collection::vec(prop::sample::select(vec![
            "/", ":", "0::/", "docker", "-", ".scope", ".slice", "kubepods", "pod", ID, POD, "user@",
            ".service", "lxc", "_", "\\x2d", "\\x", "snap.", "\n", "machine-", "app-flatpak-",
        ]), 0..12)
    ) {
        let text = parts.concat();
        let group = Cgroup::new(Text::from(text.as_str()));
        prop_assert_eq!(group.path, Text::from(text.as_str()));
        prop_assert!(group.unit.is_some() || group.user_unit.is_none());
        Cgroup::of_process(text.as_bytes());
    }
}
