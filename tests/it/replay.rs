//! Every recording in `tests/fixtures/collected`, of whatever system, is shown with the same words on
//! every system: each command's output beside the text that is committed in `tests/fixtures/replayed`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::sockscope;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

/// Everything there is to see of a recording. What a person reads and what a program reads: the table
/// at a width and in full, each column, JSON, lsof's fields, the rows of one state; a listener's page, its
/// port's, and why that cannot be bound.
const VIEWS: [&[&str]; 9] = [
    &["list", "-A", "all", "-e", "-o", "+container,unit,age,netns"],
    &["list", "--wide", "-A", "all", "--sort", "-port"],
    &["list", "--csv", "-A", "all"],
    &["list", "--json", "listen and sport PORT"],
    &["list", "-F", "-A", "all"],
    &["list", "--fds", "listen or state TIME_WAIT"],
    &["show", "LISTENER"],
    &["port", "PORT"],
    &["why", "LISTENER", "--no-probe"],
];

/// What a port is meant for is in a file of the machine that asks, not in the recording.
const OF_THIS_MACHINE: &str = "the services file calls it ";

/// A listener of each recording.
const LISTENERS: [(&str, &str); 6] = [
    ("freebsd", "0.0.0.0:80"),
    ("laptop", "[::]:80"),
    ("macos", "0.0.0.0:5000"),
    ("nobody", "127.0.0.1:18080"),
    ("portable", "127.0.0.1:8080"),
    ("windows", "127.0.0.1:8080"),
];

/// Returns what the command says in each view, with the words it was asked with above.
fn replayed(recording: &Path) -> String {
    let name = recording.file_stem().unwrap().to_str().unwrap();
    let (_, listener) = LISTENERS.iter().find(|(of, _)| *of == name).unwrap();
    let mut text = String::new();
    for view in VIEWS {
        let port = listener.rsplit(':').next().unwrap();
        let word = |word: &&str| word.replace("LISTENER", listener).replace("PORT", port);
        let view: Vec<String> = view.iter().map(word).collect();
        // What `why` answers is its status, too.
        let output = sockscope().args(&view).arg("--replay").arg(recording).output().unwrap();
        let said = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace('\0', "\\0");
        let (mut stdout, stderr) = (said(output.stdout), said(output.stderr));
        if let Some(line) = stdout.lines().find(|line| line.starts_with(OF_THIS_MACHINE)) {
            stdout = stdout.replace(&format!("{line}\n"), "");
        }
        let status = output.status.code().unwrap();
        let words = view.join(" ");
        write!(text, "$ sockscope {words}\n{stdout}-- status {status}, stderr\n{stderr}\n")
            .unwrap();
    }
    text
}

#[test]
fn every_recording_is_shown_with_the_same_words_on_every_system() {
    let mut shown = 0;
    for entry in fs::read_dir(fixtures("collected")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = replayed(&path);
        let name = path.with_extension("txt");
        let golden = fixtures("replayed").join(name.file_name().unwrap());
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(fixtures("replayed")).unwrap();
            fs::write(&golden, &text).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        for (number, (ours, theirs)) in (1..).zip(text.lines().zip(expected.lines())) {
            assert_eq!(ours, theirs, "{}:{number}; BLESS=1 to take it", golden.display());
        }
        assert_eq!(text, expected, "{}; BLESS=1 to take it", golden.display());
        shown += 1;
    }
    assert!(shown >= 3);
}

#[test]
fn no_text_is_kept_of_a_recording_that_is_gone() {
    for entry in fs::read_dir(fixtures("replayed")).unwrap() {
        let golden = entry.unwrap().path();
        let recording = golden.with_extension("json");
        let recording = fixtures("collected").join(recording.file_name().unwrap());
        assert!(recording.exists(), "{} has no recording", golden.display());
    }
}

#[test]
fn where_sockets_have_no_numbers_one_is_to_be_named_by_its_ends() {
    let recording = fixtures("collected").join("windows.json");
    let show = |socket: &str| {
        sockscope().args(["show", socket, "--replay"]).arg(&recording).output().unwrap()
    };
    let several = String::from_utf8(show("established").stderr).unwrap();
    assert!(several.starts_with("sockscope: 2 sockets are that; name one by both of its ends"));
    let one = show("127.0.0.1:8080->127.0.0.1:59830");
    assert!(one.status.success(), "{}", String::from_utf8_lossy(&one.stderr));
}
