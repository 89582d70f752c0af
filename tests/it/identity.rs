//! Who an owner really is, as the command tells it: program, directory, age, ancestors, and the unit
//! that even nobody may know.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::netns;
use crate::support::{self, Running, skip};

/// A program that listens on a port it prints; what `first` does comes before.
fn server(first: &str) -> Option<(Command, String)> {
    let python = support::program("python3")?;
    let script = format!(
        "import os, socket, sys, time\n{first}\n\
         s = socket.create_server(('127.0.0.1', 0))\n\
         print(s.getsockname()[1], flush=True)\n\
         time.sleep(600)"
    );
    Some((Command::new(python), script))
}

#[test]
fn an_owner_has_its_program_directory_age_and_ancestors() {
    let Some((mut command, script)) = server("") else { return skip("needs python3") };
    let folder = tempfile::tempdir().unwrap();
    let folder_path = fs::canonicalize(folder.path()).unwrap();
    let command = command.args(["-c", &script]).current_dir(&folder_path);
    let (process, port) = Running::start_and_read_line(command);
    let rows = support::list(&[&format!("sport {port} and listen")]);
    let owner = &rows[0]["owners"][0];
    assert_eq!(owner["pid"], process.pid());
    // What is started may be a script that starts the program.
    let python = fs::read_link(format!("/proc/{}/exe", process.pid())).unwrap();
    assert_eq!(owner["exe"], python.to_str().unwrap());
    assert_eq!(owner["exe_state"], "current");
    assert_eq!(owner["cwd"], folder_path.to_str().unwrap());
    assert!(owner["age_seconds"].as_u64().unwrap() < 60, "{owner:#}");
    assert!(owner["cgroup"]["path"].is_string(), "{owner:#}");
    let parents = owner["parents"].as_array().unwrap();
    assert_eq!(parents[0]["pid"], std::process::id());
    assert!(parents[0]["command"].as_str().unwrap().starts_with("it"), "{owner:#}");
    // Up to the first process, or the first of this container.
    assert!(parents.iter().all(|parent| parent["command"].is_string()), "{owner:#}");
}

#[test]
fn details_are_read_when_a_column_the_order_or_the_filter_needs_them() {
    let Some((mut command, script)) = server("") else { return skip("needs python3") };
    let (_process, port) = Running::start_and_read_line(command.args(["-c", &script]));
    let here = format!("sport {port} and listen");
    let lines = |args: &[&str]| {
        let mut command = support::sockscope();
        let output = support::output(command.args(["list", "-H"]).args(args).arg(&here));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(lines(&["-o", "exe"]).contains("python3"));
    assert!(lines(&["-o", "pid", "--sort", "exe"]).lines().count() == 1);
    for (filter, found) in [("exe */python3*", 1), ("exe /nowhere", 0), ("age > 1h", 0)] {
        assert_eq!(lines(&["-o", "pid", filter]).lines().count(), found, "{filter}");
    }
}

#[test]
fn a_service_is_named_before_the_systemd_that_listened_for_it() {
    if support::program("python3").is_none() {
        return skip("needs python3");
    }
    // Older than its service, and the socket is its own too: so it is under socket activation.
    let script = "import os, socket, time\n\
                  s = socket.create_server(('127.0.0.1', 0))\n\
                  open('/proc/self/comm', 'w').write('systemd')\n\
                  child = os.fork()\n\
                  if child == 0: open('/proc/self/comm', 'w').write('service'); print(s.getsockname()[1], flush=True)\n\
                  time.sleep(600)";
    let (process, port) =
        Running::start_and_read_line(Command::new("python3").args(["-c", script]));
    let rows = support::list(&[&format!("sport {port} and listen")]);
    let owners = rows[0]["owners"].as_array().unwrap();
    let comms: Vec<_> = owners.iter().map(|owner| owner["comm"].as_str().unwrap()).collect();
    assert_eq!(comms, ["service", "systemd"]);
    assert_eq!(owners[1]["pid"], process.pid());
}

/// A control group of this test, in the unified hierarchy, that ends with it.
struct Group(PathBuf);

impl Group {
    /// Returns a new group with this name, in one with a name of its own; `None` when it cannot be
    /// made.
    fn make(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let mount = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ');
            let point = fields.nth(1)?;
            (fields.next() == Some("cgroup2")).then_some(point)
        })?;
        let slice = Path::new(mount).join(format!("sockscopetest{}.slice", std::process::id()));
        let group = Self(slice.join(name));
        fs::create_dir_all(&group.0).ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group can be removed only when its last process is gone to the last bit.
        support::becomes(|| fs::remove_dir(&self.0).is_ok());
        fs::remove_dir(self.0.parent().unwrap()).ok();
    }
}

#[test]
fn as_nobody_a_hidden_owner_has_user_unit_and_the_reason() {
    if !netns::is_root() {
        return skip("needs root to make a control group, and to become nobody");
    }
    let Some(group) = Group::make("shop.service") else {
        return skip("needs a unified hierarchy of control groups that can be written to");
    };
    let enter = format!("open('{}/cgroup.procs', 'w').write('0')", group.0.display());
    let Some((mut command, script)) = server(&enter) else { return skip("needs python3") };
    let (_process, port) = Running::start_and_read_line(command.args(["-c", &script]));
    let run = |arguments: &[&str]| {
        let mut command = support::sockscope();
        command.args(arguments).arg(format!("sport {port} and listen"));
        assert!(netns::as_nobody(&mut command));
        support::output(&mut command)
    };

    let listing: Value = serde_json::from_slice(&run(&["list", "--json"]).stdout).unwrap();
    let row = &listing["sockets"][0];
    assert_eq!(row["ownership"], "hidden");
    assert_eq!(row["ownership_reason"], "permission");
    assert_eq!(row["uid"], 0);
    assert_eq!(row["cgroup"]["unit"], "shop.service");
    let path = format!("/sockscopetest{}.slice/shop.service", std::process::id());
    assert_eq!(row["cgroup"]["path"], json!(path));

    let table = String::from_utf8(run(&["list", "-H"]).stdout).unwrap();
    assert!(table.starts_with("?shop.service  ?  root"), "{table}");
    let found = run(&["list", "-H", "-o", "unit,cgroup", "unit", "shop"]).stdout;
    let found = String::from_utf8(found).unwrap();
    assert_eq!(found.split_whitespace().collect::<Vec<_>>(), ["shop.service", &path]);

    // Who may see the owner is told the unit of the process.
    let seen = support::list(&[&format!("sport {port} and unit shop")]);
    assert_eq!(seen[0]["owners"][0]["cgroup"]["unit"], "shop.service");
}
