//! Every recording in `tests/fixtures/collected`, of whatever system, is shown with the same words on
//! every system: each command's output beside the text that is committed in `tests/fixtures/replayed`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{self, sockscope};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

/// Everything there is to see of a recording. What a person reads and what a program reads: the table
/// at a width and in full, each column, lsof's fields, and the rows of one state.
const VIEWS: [&[&str]; 5] = [
    &["list", "-A", "all", "-e", "-o", "+container,unit,age,netns"],
    &["list", "--wide", "-A", "all", "--sort", "-port"],
    &["list", "--csv", "-A", "all"],
    &["list", "-F", "-A", "all"],
    &["list", "--fds", "listen or state TIME_WAIT"],
];

/// Returns what the command says in each view, with the words it was asked with above.
fn replayed(recording: &Path) -> String {
    let mut text = String::new();
    for view in VIEWS {
        let output = support::output(sockscope().args(view).arg("--replay").arg(recording));
        let said = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace('\0', "\\0");
        let (stdout, stderr) = (said(output.stdout), said(output.stderr));
        write!(text, "$ sockscope {}\n{stdout}-- stderr\n{stderr}\n", view.join(" ")).unwrap();
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
