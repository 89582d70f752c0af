use super::*;
use crate::diagnose::fixture::{entry, left, listener, owner};
use crate::process::{Fd, Owner, Via};
use crate::snapshot::Timestamp;
use crate::state::TcpState;
use crate::text::Text;

/// Somebody who may do everything, and was started by process 40.
fn asker() -> Asker {
    let lineage = vec![Pid(50), Pid(40), Pid(1)];
    Asker { lineage, uid: Some(Uid(1000)), may_destroy: Some(true), ..Asker::default() }
}

fn plan_of(in_the_way: Vec<Entry>, asker: &Asker) -> Plan {
    let means =
        Means { asker, patience: Duration::from_secs(90), has_program: &|name| name != "podman" };
    Plan::new(in_the_way, Vec::new(), &means)
}

fn plan(in_the_way: Vec<Entry>) -> Plan {
    plan_of(in_the_way, &asker())
}

fn chosen(plan: &Plan) -> Vec<&'static str> {
    plan.chosen().iter().map(|(_, step)| step.remedy.action.name()).collect()
}

fn obstacles(plan: &Plan) -> Vec<Option<&'static str>> {
    plan.steps.iter().map(|step| step.obstacle.as_ref().map(Obstacle::name)).collect()
}

fn now(entries: Vec<Entry>) -> Snapshot {
    let mut snapshot = crate::render::fixture::snapshot();
    snapshot.entries = entries;
    snapshot.collected_at = Timestamp(std::time::SystemTime::UNIX_EPOCH);
    snapshot
}

const NGINX: &str = "/system.slice/nginx.service";

#[test]
fn the_least_harmful_step_is_taken() {
    let plan = plan(vec![listener(vec![owner(800, &[1], NGINX)])]);
    assert_eq!(chosen(&plan), ["stop-unit"]);
    assert_eq!(plan.left(), [] as [&Entry; 0]);
}

#[test]
fn each_socket_is_cleared_by_one_step_and_waiting_comes_last() {
    let server = entry(9, TcpState::Listen, Ownership::Held(vec![owner(800, &[1], "/")].into()));
    let plan = plan(vec![left(2, 30_000), server, left(3, 20_000)]);
    assert_eq!(chosen(&plan), ["end", "wait"]);
    assert_eq!(plan.left(), [] as [&Entry; 0]);
}

#[test]
fn what_takes_too_long_is_not_waited_for() {
    let plan = plan(vec![left(2, 90_001)]);
    assert_eq!(obstacles(&plan), [Some("too-long"), None]);
    assert_eq!(chosen(&plan), ["destroy"]);
}

#[test]
fn without_the_right_nothing_is_destroyed() {
    let asker = Asker { may_destroy: Some(false), ..asker() };
    let plan = plan_of(vec![left(2, 90_001)], &asker);
    assert_eq!(obstacles(&plan), [Some("too-long"), Some("not-permitted")]);
    assert_eq!((chosen(&plan).len(), plan.left().len()), (0, 1));
}

#[test]
fn nothing_ends_what_sockscope_was_started_from() {
    for (pid, group) in [(40, "/"), (50, NGINX)] {
        let plan = plan(vec![listener(vec![owner(pid, &[1], group), owner(90, &[pid], group)])]);
        assert!(obstacles(&plan).iter().all(|obstacle| *obstacle == Some("lineage")), "{plan:?}");
        assert_eq!(plan.left().len(), 1);
    }
}

#[test]
fn the_unit_that_sockscope_runs_in_is_not_stopped() {
    let asker = Asker { cgroup: Some(Cgroup::new(Text::from(NGINX))), ..asker() };
    let plan = plan_of(vec![listener(vec![owner(800, &[1], NGINX)])], &asker);
    assert_eq!(obstacles(&plan), [Some("own-service"), None]);
    assert_eq!(chosen(&plan), ["end"]);
}

#[test]
fn what_is_another_users_or_not_installed_is_not_run() {
    let id = "0123456789abcdef".repeat(4);
    let of_user =
        |uid: u32| format!("/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/dev.service");
    for (group, obstacle) in [
        (of_user(1000), None),
        (of_user(0), Some("other-user")),
        (of_user(1001), Some("other-user")),
        (format!("/system.slice/docker-{id}.scope"), None),
        (format!("/machine.slice/libpod-{id}.scope"), Some("no-program")),
    ] {
        let plan = plan(vec![listener(vec![owner(800, &[1], &group)])]);
        assert_eq!(obstacles(&plan), [obstacle, None], "{group}");
    }
}

#[test]
fn a_process_whose_start_is_not_known_is_not_ended() {
    let mut unknown = Process::new(Pid(800));
    unknown.ppid = Some(Pid(1));
    let process = Arc::new(unknown);
    let unknown = Owner { process, tid: None, fd: Some(Fd(3)), via: Via::Fd };
    assert_eq!(obstacles(&plan(vec![listener(vec![unknown])])), [Some("unidentified")]);
}

#[test]
fn other_steps_are_taken_by_their_numbers() {
    let mut plan = plan(vec![listener(vec![owner(800, &[1], NGINX)])]);
    plan.choose(&[2]).unwrap();
    assert_eq!(chosen(&plan), ["end"]);
    for (number, why) in
        [(0, "the plan has no step 0: it has 1 to 2"), (3, "the plan has no step 3: it has 1 to 2")]
    {
        assert_eq!(plan.choose(&[number]).unwrap_err(), why);
    }
    assert_eq!(chosen(&plan), ["end"], "a wrong choice changes nothing");
    let mut shells = self::plan(vec![listener(vec![owner(40, &[1], "/")])]);
    let why = shells.choose(&[1]).unwrap_err();
    assert!(why.starts_with("step 1 is not possible: process 40 is sockscope"), "{why}");
}

/// What becomes of the plan to end process 800, when its listener is like this.
fn standing(entries: Vec<Entry>) -> Standing {
    let plan = plan(vec![listener(vec![owner(800, &[1], "/"), owner(801, &[800], "/")])]);
    plan.standing(&plan.steps[0], &now(entries))
}

#[test]
fn a_plan_stands_as_long_as_nobody_new_holds_the_socket() {
    let one_less = listener(vec![owner(801, &[1], "/")]);
    let planned = [owner(800, &[1], "/").process, owner(801, &[800], "/").process];
    assert_eq!(standing(vec![one_less.clone()]), Standing::AsPlanned(vec![one_less.clone()]));
    let still = still_holding(&planned, &[one_less]);
    assert_eq!(still.iter().map(|process| process.pid).collect::<Vec<_>>(), [Pid(801)]);

    let one_more = listener(vec![owner(800, &[1], "/"), owner(802, &[800], "/")]);
    assert!(matches!(standing(vec![one_more]), Standing::Changed(_)));
}

#[test]
fn a_number_that_another_process_has_by_now_is_a_newcomer() {
    let mut reused = owner(800, &[1], "/");
    Arc::make_mut(&mut reused.process).start = Some(8);
    let Standing::Changed(why) = standing(vec![listener(vec![reused.clone()])]) else {
        panic!("it is another process")
    };
    assert!(why.contains("server (800) has 127.0.0.1:80 too by now"), "{why}");
    let planned = [owner(800, &[1], "/").process];
    assert_eq!(still_holding(&planned, &[listener(vec![reused])]), [] as [&Process; 0]);
}

#[test]
fn another_socket_at_the_same_place_is_not_the_planned_one() {
    let mut other = listener(vec![owner(800, &[1], "/")]);
    other.socket.cookie = Some(crate::socket::Cookie(77));
    assert_eq!(standing(vec![other]), Standing::Gone);
    assert_eq!(standing(Vec::new()), Standing::Gone);
}

#[test]
fn whoever_took_the_port_is_known_by_unit_and_parent() {
    let before = [listener(vec![owner(800, &[30, 1], NGINX)])];
    let kinship = |owner: Owner| kinship(&owner.process, &before);
    assert_eq!(kinship(owner(800, &[30, 1], NGINX)), Kinship::Planned);
    assert_eq!(kinship(owner(900, &[1], NGINX)), Kinship::SameUnit);
    assert_eq!(kinship(owner(900, &[30, 1], "/")), Kinship::SameParent);
    assert_eq!(kinship(owner(900, &[31, 1], "/")), Kinship::None);
    // A session is no service, and the first process adopts everybody.
    let before = [listener(vec![owner(800, &[1], "/user.slice/session-3.scope")])];
    let other = owner(900, &[1], "/user.slice/session-3.scope");
    assert_eq!(super::kinship(&other.process, &before), Kinship::None);
}

#[test]
fn a_unit_that_only_the_diagnosis_knows_is_stopped() {
    let systemd = listener(vec![owner(1, &[], "/init.scope")]);
    let remedy = Remedy {
        action: Action::StopUnit { unit: Text::from("echo.socket"), user: None },
        harm: Harm::Service,
        breaks: None,
        clears: vec![systemd.socket.id],
    };
    let means = Means { asker: &asker(), patience: Duration::ZERO, has_program: &|_| true };
    let plan = Plan::new(vec![systemd], vec![remedy.clone(), remedy], &means);
    assert_eq!((chosen(&plan), plan.left().len()), (vec!["stop-unit"], 0));
}

#[test]
fn what_a_person_does_is_never_taken() {
    let action = Action::Advice { text: "stop the other server".to_owned(), command: None };
    let in_the_way = listener(vec![owner(1, &[], "/init.scope")]);
    let clears = vec![in_the_way.socket.id];
    let remedy = Remedy { action, harm: Harm::Service, breaks: None, clears };
    let (asker, patience) = (asker(), Duration::from_secs(90));
    let means = Means { asker: &asker, patience, has_program: &|_| true };
    let mut plan = Plan::new(vec![in_the_way], vec![remedy], &means);
    assert_eq!((chosen(&plan).len(), plan.left().len()), (0, 1));
    assert_eq!(plan.choose(&[1]), Err("step 1 is yours to do by hand".to_owned()));
    assert_eq!((chosen(&plan).len(), plan.left().len()), (0, 1));
}
