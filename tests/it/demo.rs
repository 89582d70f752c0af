//! The demo: what it says will be seen is seen, on the real kernel.

use serde_json::Value;
use sockscope::demo::{Performance, lessons};
use sockscope::platform;

use crate::netns;
use crate::support;

#[test]
fn each_step_of_each_lesson_makes_the_rows_it_promises_and_no_others() {
    for lesson in lessons::ALL {
        let mut performance = Performance::new(lesson, platform::native());
        let mut steps = 0;
        while let Some(step) = performance.next_step().unwrap() {
            assert_eq!(
                step.surprises, [""; 0],
                "{} step {}: {:#?}",
                step.lesson, step.number, step.snapshot
            );
            steps += 1;
        }
        assert_eq!(steps, lesson.steps.len());
    }
}

#[test]
fn the_transcript_has_every_call_every_promised_row_and_every_sentence() {
    let output = support::output(support::sockscope().args(["demo", "--script"]));
    assert_eq!(output.status.code(), Some(0), "every row was as promised");
    let transcript = String::from_utf8(output.stdout).unwrap();
    for lesson in lessons::ALL {
        let (_, rest) = transcript.split_once(&format!("== {}", lesson.name)).unwrap();
        let own = rest.split("\n== ").next().unwrap();
        let mark = format!("/{}\n", lesson.steps.len());
        let mut steps = own.split(&mark).skip(1);
        for step in lesson.steps {
            let text = steps.next().unwrap();
            assert!(text.contains(step.say), "{}: {text}", step.say);
            assert!(text.contains(") ") && text.contains("->"), "the call and its result: {text}");
            for row in step.expect {
                let state = row.state.map_or_else(String::new, |state| state.to_string());
                assert!(
                    text.lines().any(
                        |line| line.trim_start().starts_with(row.role) && line.contains(&state)
                    ),
                    "{row}: {text}"
                );
            }
        }
    }
}

#[test]
fn nobody_can_take_the_course_too() {
    let mut command = support::sockscope();
    if !netns::as_nobody(command.args(["demo", "--script"])) {
        return support::skip("needs root to become nobody");
    }
    let output = support::output(&mut command);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn json_has_one_object_a_step() {
    let output = support::output(support::sockscope().args(["demo", "udp", "--json"]));
    let steps: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        steps.len(),
        lessons::ALL.iter().find(|lesson| lesson.name == "udp").unwrap().steps.len()
    );
    let second = &steps[1];
    assert_eq!((&second["schema"], &second["step"]), (&"sockscope.demo/1".into(), &2.into()));
    let roles: Vec<&Value> =
        second["rows"].as_array().unwrap().iter().map(|row| &row["role"]).collect();
    assert_eq!(roles, ["server", "client"]);
    let [server, client] = [0, 1].map(|index| &second["rows"][index]["socket"]);
    assert_eq!(server["peer"], Value::Null);
    assert_eq!(client["peer"]["port"], server["local"]["port"]);
}
