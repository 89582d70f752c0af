use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::diagnose::fixture::{entry, left, listener, owner};
use crate::free::{Means, Obstacle};
use crate::platform::process_control::Asker;
use crate::process::{Ownership, Pid};
use crate::render::fixture;
#[cfg(feature = "cli")]
use crate::render::json::conformance;
use crate::socket::Protocol;
use crate::state::TcpState;

fn requests() -> Vec<BindRequest> {
    let address = Ipv4Addr::UNSPECIFIED.into();
    let target = Target::Inet { protocol: Protocol::Tcp, address, scope: None, port: 80 };
    vec![BindRequest::plain(target)]
}

fn plan(in_the_way: Vec<Entry>) -> Plan {
    let lineage = vec![Pid(50), Pid(40)];
    let asker = Asker { lineage, may_destroy: Some(false), ..Asker::default() };
    let patience = Duration::from_secs(90);
    Plan::new(in_the_way, Vec::new(), &Means { asker: &asker, patience, has_program: &|_| true })
}

/// A server in a unit, with two workers, and what is left of a connection.
fn web_server() -> Plan {
    const NGINX: &str = "/system.slice/nginx.service";
    let workers = [owner(801, &[800, 1], NGINX), owner(802, &[800, 1], NGINX)];
    let server = [vec![owner(800, &[1], NGINX)], workers.to_vec()].concat();
    plan(vec![listener(server), left(2, 41_000)])
}

fn page(plan: &Plan) -> String {
    let mut out = Vec::new();
    write_plan(&requests(), plan, Some(80), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn sentence(plan: &Plan, outcome: &Outcome) -> String {
    let (requests, snapshot) = (requests(), fixture::snapshot());
    verdict(&Report { requests: &requests, plan, snapshot: &snapshot, deeds: &[], outcome })
}

#[test]
fn a_plan_at_80_columns_is_this() {
    insta::assert_snapshot!(page(&web_server()));
}

#[test]
fn who_has_several_of_the_sockets_is_named_once() {
    let of = |inode| {
        let held = Ownership::Held(vec![owner(800, &[1], "/")].into());
        entry(inode, TcpState::Listen, held)
    };
    let one = page(&plan((1..=7).map(of).collect()));
    assert_eq!(one.matches("held by").count(), 1, "{one}");
    assert!(one.contains("and 3 more sockets\n"), "{one}");
    let holders = (1..=20).map(|pid| {
        let held = Ownership::Held(vec![owner(pid + 100, &[1], "/")].into());
        entry(pid.into(), TcpState::Listen, held)
    });
    let many = page(&plan(holders.collect()));
    assert_eq!(many.matches("held by").count(), 16, "{many}");
    assert!(many.contains("and 4 more sockets\n"), "{many}");
}

#[test]
fn what_is_not_possible_says_why() {
    let shell = plan(vec![listener(vec![owner(40, &[1], "/")])]);
    let why = Obstacle::Lineage(Pid(40)).to_string();
    assert!(page(&shell).contains(&format!("       not possible: {why}\n")), "{}", page(&shell));
    assert_eq!(
        sentence(&shell, &Outcome::Untouched),
        format!(
            "port 80/tcp stays as it is: server (40) has 127.0.0.1:80: {why}; nothing was done"
        )
    );
}

#[test]
fn every_outcome_has_its_sentence() {
    let plan = web_server();
    let other = |pid, parents: &[u32], group| {
        let owners = vec![owner(pid, parents, group)];
        Outcome::Held(vec![entry(9, TcpState::Listen, Ownership::Held(owners.into()))])
    };
    let nginx = "/system.slice/nginx.service";
    for (outcome, words) in [
        (Outcome::Free, "port 80/tcp is free"),
        (Outcome::Freed, "port 80/tcp is free now"),
        (
            Outcome::Unheld("bind fails with EACCES".into()),
            "nobody has port 80/tcp, but you cannot bind it: bind fails with EACCES",
        ),
        (
            Outcome::Lingering(Some(7)),
            "nobody holds port 80/tcp any more, but the kernel keeps closed connections of it for 7 s more",
        ),
        (other(800, &[1], nginx), "port 80/tcp is not free: server (800) has it still"),
        (
            other(900, &[1], nginx),
            "port 80/tcp was taken again by server (900) of the same unit: stop nginx.service instead",
        ),
        (
            other(900, &[800, 1], "/"),
            "port 80/tcp was taken again by server (900), which the same process started too: end that \
             first",
        ),
        (other(900, &[7], "/"), "port 80/tcp was taken by server (900) meanwhile"),
        (Outcome::Held(Vec::new()), "port 80/tcp is not free: somebody has it"),
        (Outcome::Untouched, "port 80/tcp is not free: nothing was done"),
    ] {
        assert_eq!(sentence(&plan, &outcome), words);
    }
}

#[test]
fn no_name_drives_the_terminal() {
    for entry in fixture::snapshot().entries {
        let plan = plan(vec![entry]);
        let text = page(&plan) + &sentence(&plan, &Outcome::Untouched);
        assert!(!text.replace('\n', "").contains(char::is_control), "{text}");
    }
}

fn report() -> Value {
    let (requests, snapshot, plan) = (requests(), fixture::snapshot(), web_server());
    let deeds = [(1, Deed::Done("ran it".into()))];
    let outcome = Outcome::Freed;
    let report = Report {
        requests: &requests,
        plan: &plan,
        snapshot: &snapshot,
        deeds: &deeds,
        outcome: &outcome,
    };
    let mut out = Vec::new();
    json::write(&report, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn the_json_has_each_step_with_its_targets() {
    let report = report();
    assert_eq!((&report["schema"], &report["free"]), (&json::SCHEMA.into(), &true.into()));
    let steps = report["steps"].as_array().unwrap();
    let actions: Vec<&str> = steps.iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["wait", "destroy", "stop-unit", "end"]);
    assert_eq!(steps[0]["deed"]["result"], "done");
    assert_eq!(steps[0]["clears"], serde_json::json!([1]));
    assert_eq!(steps[1]["obstacle"]["reason"], "not-permitted");
    assert_eq!(steps[2]["chosen"], true);
    let pids: Vec<&Value> =
        steps[3]["processes"].as_array().unwrap().iter().map(|owner| &owner["pid"]).collect();
    assert_eq!(pids, [800, 801, 802]);
}

#[cfg(feature = "cli")]
#[test]
fn the_committed_schema_is_current() {
    conformance::assert_committed("free.schema.json", &json::schema());
}

#[cfg(feature = "cli")]
#[test]
fn the_documentation_names_every_field() {
    conformance::assert_documented(&json::schema());
}

#[cfg(feature = "cli")]
#[test]
fn the_json_conforms_to_the_schema() {
    assert_eq!(conformance::fault_of(&report(), &json::schema()), None);
}
