//! `demo --code`: the lines of a lesson, put together as a program, compile; and where the lesson does
//! not hang on time, the program runs and every call of it answers as it did in the lesson.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use sockscope::demo::code::{Language, code, variable};
use sockscope::demo::stage::Call;
use sockscope::demo::syscall::{Address, Kind, Syscall};
use sockscope::demo::{Lesson, Performance, lessons};
use sockscope::platform;

use crate::netns;
use crate::support;

/// The lessons whose programs run as fast as they can and still answer as in the lesson. In the others a
/// call answers only after the kernel has tried again, or how often depends on how much it buffers.
const RUN: [&str; 8] = ["tcp", "clients", "halfclose", "inuse", "abort", "inherit", "udp", "unix"];

/// Performs a lesson and returns its calls, with the ports that the kernel chose asked for by number:
/// the program runs in a namespace of its own, where nobody has them.
fn calls(lesson: &'static Lesson) -> Vec<Call> {
    let mut performance = Performance::new(lesson, platform::native());
    let mut calls = Vec::new();
    while let Some(step) = performance.next_step().unwrap() {
        assert_eq!(step.surprises, Vec::<String>::new(), "{}", lesson.name);
        for mut call in step.calls {
            let port = |mark| Some(call.result.split_once(mark)?.1.parse::<u16>().unwrap());
            match (
                &mut call.invocation.syscall,
                port("; the kernel chose port "),
                port("; from port "),
            ) {
                // A comment, and no statement.
                (Syscall::Why(_), ..) => continue,
                (Syscall::Bind(Address::Inet(at)), Some(port), _) => at.set_port(port),
                // A later sendto() is to find it there.
                (Syscall::Connect { .. }, _, Some(port)) if call.invocation.kind == Kind::Udp => {
                    let mut bind = call.clone();
                    let address = Address::Inet((Ipv4Addr::LOCALHOST, port).into());
                    bind.invocation.syscall = Syscall::Bind(address);
                    calls.push(bind);
                }
                _ => {}
            }
            calls.push(call);
        }
    }
    calls
}

/// Returns the name of the error that the call ended with.
fn error(call: &Call) -> Option<&str> {
    call.result.strip_prefix("-1 ")?.split(':').next()
}

/// Returns the lessons that can be shown here, but for the one whose calls are of two processes.
fn shown() -> impl Iterator<Item = &'static Lesson> {
    let lessons = lessons::ALL.iter().copied().filter(|lesson| lesson.name != "netns");
    lessons.filter(|lesson| match lesson.missing() {
        None => true,
        Some(why) => {
            support::skip(&format!("lesson {}: {why}", lesson.name));
            false
        }
    })
}

/// Returns every lesson with its calls, performed once for all tests of this file.
fn performed() -> &'static [(&'static Lesson, Vec<Call>)] {
    static PERFORMED: OnceLock<Vec<(&Lesson, Vec<Call>)>> = OnceLock::new();
    PERFORMED.get_or_init(|| {
        let performing: Vec<_> =
            shown().map(|lesson| (lesson, std::thread::spawn(move || calls(lesson)))).collect();
        performing.into_iter().map(|(lesson, calls)| (lesson, calls.join().unwrap())).collect()
    })
}

/// Returns the variables of a program.
fn variables(calls: &[Call]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for Call { invocation, .. } in calls {
        all.extend(invocation.socket.map(variable));
        if let Syscall::Pair { other } | Syscall::RecvDescriptor { other } = invocation.syscall {
            all.insert(variable(other));
        }
    }
    all
}

/// The program with a UNIX path of its own: those of other languages run at the same time. The name is as
/// long as before.
fn elsewhere(program: &str, word: &str) -> String {
    program.replace("sockscope-demo-", &format!("sockscope-{word}-"))
}

/// Python functions, one a lesson, that fail when a call answers otherwise.
fn python() -> String {
    let mut program = format!(
        "{}\nimport contextlib, errno, sys\n\n\
         @contextlib.contextmanager\n\
         def expect(wanted):\n    \
             got = None\n    \
             try: yield\n    \
             except OSError as raised: got = errno.errorcode.get(raised.errno)\n    \
             assert got == wanted, (got, wanted)\n",
        Language::Python.prologue()
    );
    for (lesson, calls) in performed() {
        writeln!(program, "\ndef {}():", lesson.name).unwrap();
        for call in calls {
            let wanted = error(call).map_or("None".to_owned(), |name| format!("'{name}'"));
            writeln!(program, "    with expect({wanted}):").unwrap();
            for line in code(call, Language::Python) {
                writeln!(program, "        {line}").unwrap();
            }
        }
    }
    elsewhere(&(program + "\nglobals()[sys.argv[1]]()\n"), "pyth")
}

/// C functions, likewise. Each call is a block of its own; what it declares for others is declared in
/// front.
fn c() -> String {
    let mut program =
        format!("{}\n#include <stdio.h>\n\nstatic pid_t child;\n", Language::C.prologue());
    let mut main = String::new();
    for (lesson, calls) in performed() {
        let name = lesson.name;
        let names: Vec<_> = variables(calls).into_iter().collect();
        let names = names.join(" = 0, ");
        writeln!(program, "\nint lesson_{name}(void) {{\n    int {names} = 0;").unwrap();
        for (number, call) in (1..).zip(calls) {
            program += "    errno = 0;\n    {\n";
            for line in code(call, Language::C) {
                let rest = line.strip_prefix("int ").or(line.strip_prefix("pid_t "));
                let rest = rest.filter(|rest| !rest.starts_with("pair[2]"));
                writeln!(program, "        {}", rest.unwrap_or(&line)).unwrap();
            }
            let wanted = error(call).unwrap_or("0");
            let tell = format!("printf(\"{name}, call {number}: errno %d\\n\", errno)");
            writeln!(program, "    }}\n    if (errno != {wanted}) return {tell};").unwrap();
        }
        program += "    return 0;\n}\n";
        writeln!(main, "    if (strcmp(argv[1], \"{name}\") == 0) answer = lesson_{name}();")
            .unwrap();
    }
    // A child that a lesson left running would have our output open.
    let program = elsewhere(&program, "in_c");
    format!(
        "{program}\nint main(int argc, char **argv) {{\n    int answer = 1;\n{main}    \
         if (child > 0) kill(child, SIGKILL);\n    return answer;\n}}\n"
    )
}

/// Rust functions. Their calls that fail would end them: they are compiled only.
fn rust() -> String {
    let mut program = format!(
        "#![allow(unused, unreachable_code)]\n{}\n\nfn main() {{}}\n",
        Language::Rust.prologue()
    );
    for (lesson, calls) in performed() {
        writeln!(program, "\nfn {}() -> Result<(), Box<dyn std::error::Error>> {{", lesson.name)
            .unwrap();
        for line in calls.iter().flat_map(|call| code(call, Language::Rust)) {
            writeln!(program, "    {line}").unwrap();
        }
        program += "    Ok(())\n}\n";
    }
    program
}

/// Go functions. Go wants each name used and none made twice: `:=` makes those that are new.
fn go() -> String {
    let mut program = format!(
        "{}\n\nvar _, _, _ = exec.Command, os.Remove, time.Second\n",
        Language::Go.prologue()
    );
    let mut lessons = String::new();
    for (lesson, calls) in performed() {
        let name = lesson.name;
        writeln!(lessons, "    \"{name}\": lesson_{name},").unwrap();
        writeln!(program, "\nfunc lesson_{name}() {{").unwrap();
        program += "    var err error\n    var raw syscall.RawConn\n    _, _ = err, raw\n";
        let mut known = BTreeSet::from(["err".to_owned(), "raw".to_owned()]);
        for (number, call) in (1..).zip(calls) {
            program += "    err = nil\n";
            let mut asks = false;
            for line in code(call, Language::Go) {
                asks |= line.contains("err");
                let made = line.split_once(" := ").filter(|_| !line.starts_with("for "));
                let Some((names, rest)) = made else {
                    writeln!(program, "    {line}").unwrap();
                    continue;
                };
                let new: Vec<_> =
                    names.split(", ").filter(|name| known.insert((*name).to_owned())).collect();
                let makes = if new.is_empty() { "=" } else { ":=" };
                writeln!(program, "    {names} {makes} {rest}").unwrap();
                for name in new {
                    writeln!(program, "    _ = {name}").unwrap();
                }
            }
            let wanted = error(call).map_or("nil".to_owned(), |errno| format!("syscall.{errno}"));
            if asks {
                writeln!(program, "    check(\"{name}, call {number}\", err, {wanted})").unwrap();
            }
        }
        program += "}\n";
    }
    elsewhere(&format!("{program}\nvar lessons = map[string]func(){{\n{lessons}}}\n"), "goes")
}

/// What the Go functions need beside: they end the program when a call answers otherwise.
const GO_MAIN: &str = "package main

import (\"errors\"; \"fmt\"; \"io\"; \"net\"; \"os\"; \"syscall\")

func serve(connection net.Conn) {}

func check(call string, got, wanted error) {
    // The end of the stream is an error to Go.
    if got == io.EOF { got = nil }
    if errors.Is(got, wanted) { return }
    var number syscall.Errno
    errors.As(got, &number)
    fmt.Printf(\"%s: %v, and not %v: errno %d\\n\", call, got, wanted, int(number))
    os.Exit(1)
}

func main() { lessons[os.Args[1]]() }
";

/// Node functions.
fn node() -> String {
    let mut program = format!("{}\n\nfunction serve(connection) {{}}\n", Language::Node.prologue());
    let mut all = Vec::new();
    for (lesson, calls) in performed() {
        all.push(lesson.name);
        writeln!(program, "\nasync function {}() {{", lesson.name).unwrap();
        for line in calls.iter().flat_map(|call| code(call, Language::Node)) {
            // A name may be made a second time.
            writeln!(program, "  {}", line.replacen("const ", "var ", 1)).unwrap();
        }
        program += "}\n";
    }
    let all = all.join(", ");
    writeln!(program, "\nawait ({{ {all} }})[process.argv[2]]();\nprocess.exit(0);").unwrap();
    program
}

/// A private folder with one program in it.
fn write(program: &str, name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, program).unwrap();
    (folder, file)
}

/// Runs the command, and returns whether it succeeded, with all it said.
#[track_caller]
fn outcome(command: &mut Command) -> (bool, String) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap_or_else(|error| panic!("{piped:?}: {error}"));
    // What it starts reads from its input: that stays open until all have ended.
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let (said, wrong) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), format!("{command:?}: {}\n{said}{wrong}", output.status))
}

#[track_caller]
fn succeeds(command: &mut Command, program: &str) {
    let (succeeded, said) = outcome(command);
    assert!(succeeded, "{said}\n{program}");
}

/// Runs the functions of these lessons, each in a network namespace of its own.
#[track_caller]
fn run(lessons: &[&str], command: &[&Path], program: &str) {
    // Whoever lists descriptors in this instant, as other tests do, has those of a socket just closed, and
    // so its port: the program, which asks once, then finds it taken.
    let is_taken = |said: &str| said.contains("EADDRINUSE") || said.contains("errno 98\n");
    for lesson in lessons {
        let mut tries = 0..10;
        loop {
            let Some(mut run) = netns::command_in_netns() else { return };
            // What does not end has not answered.
            let (succeeded, said) = outcome(run.args(["timeout", "60"]).args(command).arg(lesson));
            if succeeded {
                break;
            }
            assert!(is_taken(&said) && tries.next().is_some(), "{said}\n{program}");
        }
    }
}

/// Returns the program's path; a skip where it is not installed.
fn tool(name: &str) -> Option<PathBuf> {
    let found = support::program(name);
    if found.is_none() {
        support::skip(&format!("needs {name}"));
    }
    found
}

#[test]
fn every_lesson_is_a_python_program() {
    let Some(python3) = tool("python3") else { return };
    let program = python();
    let (_folder, file) = write(&program, "lessons.py");
    succeeds(Command::new(&python3).args(["-m", "py_compile"]).arg(&file), &program);
    run(&RUN, &[&python3, &file], &program);
}

#[test]
fn every_lesson_is_a_c_program() {
    let Some(cc) = tool("cc") else { return };
    let program = c();
    let (folder, file) = write(&program, "lessons.c");
    let binary = folder.path().join("lessons");
    let strict = ["-std=gnu11", "-Wall", "-Wno-unused-variable", "-Wno-unused-but-set-variable"];
    let mut compile = Command::new(&cc);
    succeeds(compile.args(strict).args(["-Werror", "-o"]).arg(&binary).arg(&file), &program);
    run(&RUN, &[&binary], &program);
}

/// Returns the compiled libraries of this name beside the test, the newest first: a build may have left
/// several.
fn libraries(name: &str) -> Vec<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let start = format!("lib{name}-");
    let is_it = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        stem.starts_with(&start) && path.extension().is_some_and(|kind| kind == "rlib")
    };
    let files = std::fs::read_dir(own.parent().unwrap()).unwrap();
    let mut found: Vec<PathBuf> = files.map(|file| file.unwrap().path()).filter(is_it).collect();
    found.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    found.reverse();
    found
}

/// Compiles with these libraries, without making a program.
fn rustc(rustc: &Path, file: &Path, libraries: [&PathBuf; 3]) -> Command {
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--emit=metadata", "--crate-type=bin"]).arg(file);
    // What the libraries were built for, which may be another than the compiler's own.
    if cfg!(target_os = "linux") {
        let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
        command.arg(format!("--target={}-unknown-linux-{libc}", std::env::consts::ARCH));
    }
    command.arg("-o").arg(file.with_extension("rmeta"));
    let folder = libraries[0].parent().unwrap();
    command.arg("-L").arg(format!("dependency={}", folder.display()));
    for (name, library) in ["libc", "rustix", "socket2"].into_iter().zip(libraries) {
        command.arg("--extern").arg(format!("{name}={}", library.display()));
    }
    command
}

#[test]
fn every_lesson_is_a_rust_program() {
    let Some(compiler) = tool("rustc") else { return };
    let [libcs, rustixes, sockets] = ["libc", "rustix", "socket2"].map(libraries);
    let uses = "use {libc as _, rustix::event::poll as _, socket2::Socket as _};\nfn main() {}";
    let (_folder, small) = write(uses, "small.rs");
    let mut sets = libcs.iter().flat_map(|libc| {
        let pairs = rustixes.iter().flat_map(|rustix| sockets.iter().map(move |s| (rustix, s)));
        pairs.map(move |(rustix, socket)| [libc, rustix, socket])
    });
    // Those of one build fit each other and this compiler.
    let fits =
        |set: &[&PathBuf; 3]| rustc(&compiler, &small, *set).output().unwrap().status.success();
    let set = sets.find(fits).expect("the libraries this test was built with");
    let program = rust();
    let (_folder, file) = write(&program, "lessons.rs");
    succeeds(&mut rustc(&compiler, &file, set), &program);
}

#[test]
fn every_lesson_is_a_node_program() {
    let Some(node_js) = tool("node") else { return };
    let program = node();
    let (_folder, file) = write(&program, "lessons.mjs");
    succeeds(Command::new(&node_js).arg("--check").arg(&file), &program);
    // Those in which no call fails: Node tells of that by an event.
    run(&["tcp", "clients"], &[&node_js, &file], &program);
}

#[test]
fn every_lesson_is_a_go_program() {
    let Some(go_tool) = tool("go") else { return };
    let program = go();
    let (folder, file) = write(&program, "lessons.go");
    let main = folder.path().join("main.go");
    std::fs::write(&main, GO_MAIN).unwrap();
    let binary = folder.path().join("lessons");
    let mut compile = Command::new(&go_tool);
    compile.args(["build", "-o"]).arg(&binary).arg(&file).arg(&main);
    // What it keeps between builds is not to be found in anybody's home.
    compile.env("GOCACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/go")).env("GO111MODULE", "off");
    succeeds(&mut compile, &program);
    // Not those about SO_REUSEADDR, which Go always sets, about a bound client of UDP that connects later,
    // which is one call here, and about the file of a UNIX socket that stays: Close() removes it.
    let mut lessons = RUN.to_vec();
    lessons.retain(|lesson| !["inuse", "udp", "unix"].contains(lesson));
    run(&lessons, &[&binary], &program);
}

/// Those of a transcript stand four columns in, on a terminal of 80.
#[test]
fn no_line_is_too_long_for_a_terminal() {
    let long = |text: &str| text.chars().count() > 80 - 4;
    for language in Language::ALL {
        let lines = performed().iter().flat_map(|(_, calls)| calls);
        let lines = lines.flat_map(|call| code(call, language));
        let lines = lines.chain(language.prologue().lines().map(str::to_owned));
        assert_eq!(lines.filter(|line| long(line)).collect::<BTreeSet<_>>(), BTreeSet::new());
    }
}

/// A line that is a comment is not looked at by any compiler, and nor is a tool that is not here.
#[test]
fn no_line_has_an_argument_left_out() {
    for (_, calls) in performed() {
        for call in calls {
            for language in Language::ALL {
                let lines = code(call, language);
                assert!(!lines.is_empty(), "{call:?} in {language:?}");
                let text = lines.join("\n");
                let words =
                    ["{socket}", "{other}", "{ip}", "{port}", "{text}", "{length}", "{value}"];
                assert!(words.iter().all(|word| !text.contains(word)), "{language:?}: {text}");
                let count = |c: char| text.matches(c).count();
                for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
                    assert_eq!(count(open), count(close), "{language:?}: {text}");
                }
            }
        }
    }
}

#[test]
fn the_transcript_and_the_json_have_the_lines_of_the_language() {
    let demo = |args: &[&str]| {
        let output = support::output(support::sockscope().args(["demo", "udp"]).args(args));
        String::from_utf8(output.stdout).unwrap()
    };
    let transcript = demo(&["--code", "python"]);
    assert!(transcript.contains("\n    import ctypes, os"), "{transcript}");
    let mut lines = transcript.lines();
    assert!(lines.any(|line| line.starts_with("  bind(server, 127.0.0.1:0) ")), "{transcript}");
    assert_eq!(lines.next(), Some("    server.bind((\"127.0.0.1\", 0))"));
    let first: Value =
        serde_json::from_str(demo(&["--json", "--code=c"]).lines().next().unwrap()).unwrap();
    assert_eq!(first["calls"][0]["code"][0], "int server = socket(AF_INET, SOCK_DGRAM, 0);");
    let without: Value = serde_json::from_str(demo(&["--json"]).lines().next().unwrap()).unwrap();
    assert_eq!(without["calls"][0].get("code"), None);
}
