//! The binary itself: exit codes, usage errors, pipes, and what the flags mean together. What one
//! module can show is tested there. All listings here are of a recording, so they are the same on
//! every machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support;

/// Returns the command with these arguments.
fn sockscope(arguments: &[&str]) -> Command {
    let mut command = support::sockscope();
    command.args(arguments);
    command
}

/// What a run left: its exit code and both outputs.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(mut command: Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Ran {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/collected").join(name)
}

/// Lists the recording of a laptop.
fn laptop(arguments: &[&str]) -> Ran {
    let mut command = sockscope(arguments);
    command.arg("--replay").arg(fixture("laptop.json"));
    run(command)
}

/// Returns what a listing of the laptop prints; it must find something.
#[track_caller]
fn found(arguments: &[&str]) -> String {
    let ran = laptop(arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

/// Returns the sockets of a listing of the laptop.
#[track_caller]
fn sockets(arguments: &[&str]) -> Vec<Value> {
    let listing: Value = serde_json::from_str(&found(&[arguments, &["--json"]].concat())).unwrap();
    listing.get("sockets").unwrap().as_array().unwrap().clone()
}

/// Returns what the command says to wrong usage: exit code 2, nothing on stdout.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let ran = laptop(arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert!(ran.stderr.starts_with("sockscope: "), "{ran:?}");
    ran.stderr
}

/// Checks that wrong usage is answered with all these words.
#[track_caller]
fn assert_refused(arguments: &[&str], words: &[&str]) {
    let answer = refused(arguments);
    for word in words {
        assert!(answer.contains(word), "{word:?} is missing in:\n{answer}");
    }
}

#[test]
fn the_version_is_the_packages() {
    for flag in ["--version", "-V"] {
        let ran = run(sockscope(&[flag]));
        assert_eq!(ran.code, 0);
        assert_eq!(ran.stdout, concat!("sockscope ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

// Exit codes.

#[test]
fn something_found_is_0() {
    assert_eq!(laptop(&["tcp"]).code, 0);
}

#[test]
fn nothing_matched_is_1() {
    let ran = laptop(&["port 1"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
}

#[test]
fn a_recording_that_cannot_be_read_is_2_with_a_hint() {
    let ran = run(sockscope(&["--replay", "no such file"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("sockscope: cannot read the recording no such file: "));
    assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
}

#[test]
fn a_closed_pipe_is_silent_success() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = sockscope(&["--replay"]);
    let ran = run({
        command.arg(fixture("laptop.json")).stdout(writer);
        command
    });
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_trouble() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = sockscope(&["--replay"]);
    command.arg(fixture("laptop.json")).stdout(full);
    let ran =
        command.stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    let expected = "sockscope: cannot write the answer: no space left on device\n";
    assert_eq!(String::from_utf8(ran.stderr).unwrap(), expected);
}

// Usage errors: exit code 2, the flag or a caret, and a way out.

#[test]
fn an_unknown_flag_is_named() {
    assert_refused(&["--nonsense"], &["'--nonsense'"]);
}

#[test]
fn a_word_that_is_neither_command_nor_filter_is_answered_with_the_nearest_command() {
    assert_refused(&["lits"], &["lits\n", "^^^^", "hint: ", "'list'"]);
}

#[test]
fn a_misspelt_filter_word_is_answered_with_the_nearest_word() {
    assert_refused(&["list", "tcp and lisen"], &["tcp and lisen\n", "^^^^^", "'listen'"]);
}

#[test]
fn a_port_is_at_most_65535() {
    assert_refused(&["port 65536"], &["65536", "^^^^^"]);
    assert_refused(&["--port", "65536"], &["--port", "65536"]);
    assert_refused(&[":65536"], &["65536"]);
}

#[test]
fn port_0_is_no_port() {
    assert_refused(&["--port", "0"], &["--port"]);
    assert_refused(&[":0"], &[":0"]);
}

#[test]
fn a_reversed_range_is_refused() {
    assert_refused(&["port 90-80"], &["90-80", "^^^^^"]);
    assert_refused(&["--port", "90-80"], &["--port"]);
}

#[test]
fn a_prefix_longer_than_the_address_is_refused() {
    assert_refused(&["src 10.0.0.0/33"], &["10.0.0.0/33", "^"]);
}

#[test]
fn an_unknown_column_is_answered_with_the_nearest() {
    assert_refused(&["-o", "pid,comand"], &["--columns", "'comand'", "'command'"]);
}

#[test]
fn an_unknown_sort_key_is_answered_with_the_nearest() {
    assert_refused(&["--sort", "prot"], &["--sort", "'prot'"]);
}

#[test]
fn an_unknown_table_is_answered_with_the_list() {
    assert_refused(&["-A", "tpc"], &["--query", "'tpc'", "tcp", "udp", "unix"]);
}

#[test]
fn an_unknown_state_is_named() {
    assert_refused(&["--state", "listn"], &["--state", "listn"]);
}

#[test]
fn a_process_number_is_a_number() {
    assert_refused(&["--pid", "nginx"], &["--pid", "nginx"]);
}

#[test]
fn an_address_that_is_none_is_named() {
    assert_refused(&["-i", "tcp@:http:"], &["-i", "tcp@:http:"]);
}

#[cfg(unix)] // Windows' users are not known, so none can be told to be unknown
#[test]
fn an_unknown_user_is_refused_on_the_live_system() {
    let ran = run(sockscope(&["user nosuchuserhere"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert!(ran.stderr.contains("nosuchuserhere"), "{ran:?}");
}

#[test]
fn formats_contradict_each_other() {
    for pair in [["--json", "--csv"], ["--jsonl", "-F"], ["--pids", "--json"]] {
        assert_refused(&pair, &["cannot be used with"]);
    }
}

#[test]
fn columns_are_for_table_and_csv() {
    assert_refused(&["--json", "-o", "pid"], &["--columns", "--json"]);
}

// What flags mean.

#[test]
fn no_command_is_list() {
    let words = ["tcp and listen", "--sort", "port"];
    let listed = found(&words);
    assert_eq!(listed, found(&[&["list"], &words[..]].concat()));
    assert_eq!(listed, found(&[&["ls"], &words[..]].concat()));
}

#[test]
fn words_of_a_filter_need_no_quotes() {
    assert_eq!(found(&["tcp", "and", "port", "80"]), found(&["tcp and port 80"]));
}

#[test]
fn tulpn_lists_tcp_and_udp_that_listen() {
    assert_eq!(sockets(&["-tulpn"]), sockets(&["(tcp or udp) and server"]));
}

#[test]
fn what_is_always_on_changes_nothing() {
    assert_eq!(found(&["-anpO"]), found(&[]));
}

#[test]
fn families_restrict_and_both_are_all() {
    assert_eq!(sockets(&["-4"]), sockets(&["family inet"]));
    assert_eq!(sockets(&["-6"]), sockets(&["family inet6"]));
    assert_eq!(sockets(&["-46"]), sockets(&[]));
}

#[test]
fn internet_addresses_add_up_and_everything_else_restricts() {
    let either = sockets(&["-i", ":22", "-i", ":6379", "--state", "^listen", "tcp"]);
    assert_eq!(either, sockets(&["tcp and (port 22 or port 6379) and not state listen"]));
    assert!(!either.is_empty());
}

#[test]
fn lists_of_lsof_mean_what_the_filter_says() {
    for (flags, words) in [
        (&["--port", "22,80"][..], "port 22 or port 80"),
        (&["--port", "^22"], "not port 22"),
        (&["--command", "redis"], "command redis*"),
        (&["--state", "listen,time-wait"], "state listen or state time-wait"),
    ] {
        assert_eq!(sockets(flags), sockets(&[words]), "{flags:?}");
    }
}

#[test]
fn extended_adds_columns() {
    let header = found(&["-e", ":22"]).lines().next().unwrap().to_owned();
    for column in ["UID", "INODE", "COOKIE", "TIMER"] {
        assert!(header.split_whitespace().any(|word| word == column), "{column}: {header}");
    }
}

#[test]
fn columns_are_added_and_taken_away() {
    let header = |list| {
        let listed = found(&["-o", list, ":22"]);
        listed.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(header("pid,port"), "PID PORT");
    assert_eq!(header("+inode,-user,-fd"), "COMMAND PID PROTO LOCAL PEER STATE INODE");
    assert_eq!(header("-peer"), "COMMAND PID USER FD PROTO LOCAL STATE");
}

#[test]
fn no_header_is_one_line_less() {
    assert_eq!(found(&["-H"]).lines().count() + 1, found(&[]).lines().count());
}

#[test]
fn a_pipe_is_not_cut_to_columns() {
    let mut command = sockscope(&["-e", "--replay"]);
    command.arg(fixture("laptop.json")).env("COLUMNS", "40");
    assert!(run(command).stdout.lines().next().unwrap().len() > 100);
}

#[test]
fn a_pipe_is_coloured_only_when_asked() {
    assert!(!found(&[]).contains('\u{1b}'));
    assert!(found(&["--color", "always"]).contains('\u{1b}'));
}

#[test]
fn sort_orders_by_a_column() {
    let ports = |key| -> Vec<u64> {
        let rows = sockets(&["tcp and listen", "--sort", key]);
        rows.iter().map(|row| row["local"]["port"].as_u64().unwrap()).collect()
    };
    assert!(ports("port").is_sorted());
    assert!(ports("-port").is_sorted_by(|one, next| one >= next));
}

#[test]
fn narrowing_changes_no_answer() {
    for words in ["listen", "port 22", "tcp and not port 80", "established and sport 22"] {
        assert_eq!(found(&[words]), found(&[words, "--no-narrow"]), "{words}");
    }
}

#[test]
fn pids_are_numbers_and_each_once() {
    let pids: Vec<u32> =
        found(&["--pids", "tcp"]).lines().map(|line| line.parse().unwrap()).collect();
    assert!(pids.is_sorted_by(|one, next| one < next), "{pids:?}");
}

// stderr.

#[test]
fn hidden_owners_are_told_in_one_line_with_a_hint() {
    let told = laptop(&[]).stderr;
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.starts_with("2 of 49 sockets have a hidden owner"), "{told}");
    assert!(told.contains("hint: "), "{told}");
}

#[test]
fn what_does_not_matter_to_the_rows_is_not_told() {
    assert_eq!(laptop(&["port 22"]).stderr, "");
}

#[test]
fn nothing_found_by_owner_is_told_with_what_could_not_be_seen() {
    let ran = laptop(&["command nosuchcommand"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
}

#[test]
fn quiet_tells_nothing() {
    assert_eq!(laptop(&["-q"]).stderr, "");
}

#[test]
fn verbose_tells_more() {
    assert!(laptop(&["-v"]).stderr.lines().count() > laptop(&[]).stderr.lines().count());
}

// Recordings.

#[test]
fn a_recording_holds_what_was_not_selected_too() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.json");
    let mut command = sockscope(&["port 22", "--record"]);
    command.arg(&copy).arg("--replay").arg(fixture("laptop.json"));
    assert_eq!(run(command).code, 0);
    let recorded = std::fs::read_to_string(copy).unwrap();
    let original = std::fs::read_to_string(fixture("laptop.json")).unwrap().replace("\r\n", "\n");
    assert_eq!(recorded, original);
}

#[test]
fn a_recording_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kept.json");
    std::fs::write(&path, "kept").unwrap();
    let mut command = sockscope(&["--record"]);
    command.arg(&path).arg("--replay").arg(fixture("laptop.json"));
    let ran = run(command);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("kept.json"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "kept");
}

#[test]
fn a_redacted_recording_has_no_user_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("redacted.json");
    let mut command = sockscope(&["--redact", "--record"]);
    command.arg(&path).arg("--replay").arg(fixture("laptop.json"));
    assert_eq!(run(command).code, 0);
    let recorded = std::fs::read_to_string(path).unwrap();
    assert!(!recorded.contains("alice"), "{recorded}");
}

// Documentation.

/// Returns the arguments and the output of every transcript in the README.
fn transcripts() -> Vec<(Vec<String>, String)> {
    let readme = include_str!("../../README.md");
    readme
        .split("```console\n$ sockscope ")
        .skip(1)
        .map(|block| {
            let (line, rest) = block.split_once('\n').unwrap();
            let (output, _) = rest.split_once("```").unwrap();
            (shell_words(line), output.to_owned())
        })
        .collect()
}

/// Splits at spaces outside single quotes: all that the README needs of a shell.
fn shell_words(line: &str) -> Vec<String> {
    let pieces = line.split('\'').enumerate().flat_map(|(index, piece)| {
        if index % 2 == 1 {
            vec![piece.to_owned()]
        } else {
            piece.split_whitespace().map(str::to_owned).collect()
        }
    });
    pieces.collect()
}

#[test]
fn the_readme_shows_what_the_command_prints() {
    let transcripts = transcripts();
    assert!(transcripts.len() >= 7);
    for (arguments, shown) in transcripts {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(found(&arguments), shown, "sockscope {}", arguments.join(" "));
    }
}

#[test]
fn every_file_the_readme_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = include_str!("../../README.md");
    let names = readme.split(|c: char| c.is_whitespace() || "(),;:`".contains(c)).filter(|word| {
        let is_page = Path::new(word).extension().is_some_and(|extension| extension == "md");
        is_page || word.starts_with("LICENSE-")
    });
    for name in names {
        assert!(root.join(name).exists(), "{name}");
    }
}
