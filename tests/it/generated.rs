//! The committed files that the program makes itself: completions and manual pages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sockscope::cli::{completions, man};

/// Compares a directory with what it should hold, to the last byte and file. `BLESS=1` rewrites it.
#[track_caller]
fn assert_current(directory: &str, wanted: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let wanted: BTreeMap<String, Vec<u8>> = wanted.into_iter().collect();
    let committed = || -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(&directory).into_iter().flatten().map(Result::unwrap);
        entries
            .map(|file| {
                let name = file.file_name().into_string().unwrap();
                (name, fs::read(file.path()).unwrap())
            })
            .collect()
    };
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(&directory).unwrap();
        for stale in committed().keys().filter(|name| !wanted.contains_key(*name)) {
            fs::remove_file(directory.join(stale)).unwrap();
        }
        for (name, bytes) in &wanted {
            fs::write(directory.join(name), bytes).unwrap();
        }
    }
    let committed = committed();
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&wanted), "BLESS=1 cargo test generated");
    for (name, bytes) in wanted {
        let current = committed.get(&name) == Some(&bytes);
        assert!(current, "{name} is not current: BLESS=1 cargo test generated");
    }
}

#[test]
fn the_completions_are_current() {
    assert_current(
        "completions",
        completions::files().map(|(name, script)| (name.to_owned(), script)),
    );
}

#[test]
fn the_manual_pages_are_current() {
    assert_current("man", man::pages().unwrap());
}
