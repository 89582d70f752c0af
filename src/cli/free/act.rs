//! Carries a step out, after looking that it still is what was planned.

use std::thread;
use std::time::Duration;

use crate::cli::program;
use crate::diagnose::Action;
use crate::error::cause;
use crate::free::{Deed, Plan, Standing, Step, still_holding};
use crate::platform::clock::Deadline;
use crate::platform::process_control::{ControlError, Ending, Held};
use crate::platform::{self, DestroyError};
use crate::process::{Pid, Process};
use crate::render::{phrase, sanitize};
use crate::snapshot::{Entry, Snapshot};

/// How long processes have after they were asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// How long the children have to follow their parent before they are asked themselves.
const LEAD: Duration = Duration::from_secs(2);
/// How long a change may last that is none: a process that is just being started holds, until it runs
/// its program, what its parent does.
const BLINK: Duration = Duration::from_secs(1);
/// How long between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// How steps are carried out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Whether processes that do not end when asked are killed.
    pub(super) force: bool,
    /// Until when all is to be done.
    pub(super) deadline: Deadline,
}

/// Carries out a step of the plan.
///
/// # Errors
///
/// When it could not be looked.
pub(super) fn carry_out(
    plan: &Plan,
    step: &Step,
    manner: Manner,
    look: &mut dyn FnMut() -> anyhow::Result<Snapshot>,
) -> anyhow::Result<Deed> {
    if let Action::Wait { seconds } = step.remedy.action {
        // Whoever looks afterwards whether the port is free waits until it is.
        return Ok(Deed::Done(format!("waited {seconds} s at most")));
    }
    let blink = Deadline::after(BLINK);
    let now = loop {
        match plan.standing(step, &look()?) {
            Standing::AsPlanned(now) => break now,
            Standing::Gone => return Ok(Deed::Needless("it is gone by now".to_owned())),
            Standing::Changed(change) if blink.has_passed() => {
                return Ok(Deed::Failed(format!("{change}: nothing was done")));
            }
            Standing::Changed(_) => thread::sleep(PAUSE),
        }
    };
    Ok(match &step.remedy.action {
        Action::End { processes } => end(&still_holding(processes, &now), manner),
        Action::Destroy { .. } => destroy(&now),
        action @ (Action::StopUnit { .. } | Action::StopContainer { .. }) => run(action),
        action @ Action::StopService { .. } => {
            let deed = run(action);
            let patience = Deadline::after(GRACE.min(manner.deadline.left()));
            // The manager only passes the wish on, and the service takes its time.
            while matches!(deed, Deed::Done(_))
                && !patience.has_passed()
                && plan.standing(step, &look()?) != Standing::Gone
            {
                thread::sleep(PAUSE);
            }
            deed
        }
        Action::Wait { .. } | Action::Continue { .. } | Action::Advice { .. } => {
            Deed::Needless("a person does that".to_owned())
        }
    })
}

/// Ends the processes: all are held before the first is told anything.
fn end(processes: &[&Process], manner: Manner) -> Deed {
    let mut held: Vec<(Held, &Process)> = Vec::new();
    for &process in processes {
        let pid = process.pid;
        let handle = match process.start {
            Some(start) => Held::of(pid, start),
            None => Err(ControlError::NotThatProcess { pid }),
        };
        match handle {
            Ok(handle) => held.push((handle, process)),
            Err(ControlError::Gone) => {}
            Err(error) => return Deed::Failed(format!("{}: nothing was done", failure(&error))),
        }
    }
    let names = names(&held);
    match end_all(held, manner) {
        Ok(true) => Deed::Done(format!("ended {names} (SIGKILL: asking did not help)")),
        Ok(false) if names.is_empty() => Deed::Needless("they have ended by themselves".to_owned()),
        Ok(false) => Deed::Done(format!("ended {names}")),
        Err(why) => Deed::Failed(why),
    }
}

/// Ends these, and returns whether they had to be killed.
fn end_all(mut held: Vec<(Held, &Process)>, manner: Manner) -> Result<bool, String> {
    let members: Vec<Pid> = held.iter().map(|(_, process)| process.pid).collect();
    let is_child =
        |process: &Process| process.parents.iter().any(|parent| members.contains(&parent.pid));
    // A parent may take its children along, and would start them anew if they went first.
    tell(held.iter().filter(|(_, process)| !is_child(process)), Ending::Ask)?;
    if held.iter().any(|(_, process)| is_child(process)) {
        await_end(&mut held, LEAD.min(manner.deadline.left()));
        tell(held.iter().filter(|(_, process)| is_child(process)), Ending::Ask)?;
    }
    await_end(&mut held, GRACE.min(manner.deadline.left()));
    if held.is_empty() {
        return Ok(false);
    }
    let left = names(&held);
    if !manner.force {
        return Err(format!("{left} did not end when asked (SIGTERM); --force kills"));
    }
    tell(held.iter(), Ending::Kill)?;
    await_end(&mut held, GRACE);
    match &*held {
        [] => Ok(true),
        left => Err(format!("{} was killed and has not ended yet", names(left))),
    }
}

fn tell<'a>(
    processes: impl Iterator<Item = &'a (Held, &'a Process)>,
    how: Ending,
) -> Result<(), String> {
    for (process, _) in processes {
        match process.end(how) {
            Ok(()) | Err(ControlError::Gone) => {}
            Err(error) => return Err(failure(&error)),
        }
    }
    Ok(())
}

/// Waits for their ends and keeps those that have not come.
fn await_end(held: &mut Vec<(Held, &Process)>, patience: Duration) {
    let until = Deadline::after(patience);
    held.retain(|(process, _)| !process.has_ended_within(until.left()));
}

fn names(held: &[(Held, &Process)]) -> String {
    let names = held.iter().map(|(_, process)| phrase::process(process));
    names.collect::<Vec<_>>().join(", ")
}

fn failure(error: &ControlError) -> String {
    let hint = error.hint().map_or_else(String::new, |hint| format!(" ({hint})"));
    let answer = if let ControlError::Refused { source, .. } = error {
        format!(": {}", cause(source))
    } else {
        String::new()
    };
    format!("{error}{answer}{hint}")
}

fn destroy(entries: &[Entry]) -> Deed {
    for entry in entries {
        match platform::destroy(&entry.socket) {
            Ok(()) | Err(DestroyError::Gone) => {}
            Err(error) => {
                let hint = error.hint().map_or_else(String::new, |hint| format!(" ({hint})"));
                return Deed::Failed(format!("{error}{hint}"));
            }
        }
    }
    Deed::Done(format!("destroyed {}", phrase::count(entries.len(), "connection")))
}

/// Runs the command of an action.
fn run(action: &Action) -> Deed {
    let Some(command) = action.command() else {
        return Deed::Failed("there is no command for it".to_owned());
    };
    let line = sanitize::string(&command.join(" ")).into_owned();
    match program::run(&command) {
        Ok(output) if output.status.success() => Deed::Done(format!("ran {line}")),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason");
            Deed::Failed(format!("{line} failed: {}", sanitize::string(first.trim())))
        }
        Err(error) => Deed::Failed(format!("cannot run {line}: {}", cause(&error))),
    }
}
