//! What ARCHITECTURE.md promises of the code and a compiler does not check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The words that ask which system this is, and the only parts of `src/` that may.
const SYSTEM_WORDS: [(&str, &[&str]); 4] = [
    ("target_os", &["platform"]),
    ("target_family", &["platform"]),
    ("unix", &["platform", "echo", "cli/runtime.rs"]),
    ("windows", &["platform", "echo", "cli/runtime.rs"]),
];

/// How ARCHITECTURE.md says the same.
const PROMISE: &str = "`cfg(target_os)` stands in `src/platform` alone; `cfg(unix)` also in `echo/` and `cli/runtime.rs`";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns true when the file, or the folder or module it is in, is one of these parts of `src/`.
fn is_part_of(file: &Path, parts: &[&str]) -> bool {
    let path = file.strip_prefix(root().join("src")).unwrap();
    parts.iter().any(|part| path.starts_with(part) || path == Path::new(part).with_extension("rs"))
}

/// Returns the words of the conditions on the line: of `#[cfg(…)]`, `cfg!(…)` and their like.
fn condition_words(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    let condition = code.split_once("cfg").map_or("", |(_, condition)| condition);
    condition.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

#[test]
fn only_the_seam_asks_which_system_this_is() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        for (number, line) in (1..).zip(fs::read_to_string(&file).unwrap().lines()) {
            for word in condition_words(line) {
                let allowed = SYSTEM_WORDS.iter().find(|(known, _)| *known == word);
                assert!(
                    allowed.is_none_or(|(_, parts)| is_part_of(&file, parts)),
                    "{}:{number} asks for `{word}`: {PROMISE}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn the_architecture_says_which_parts_may_ask() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.contains(PROMISE), "ARCHITECTURE.md does not say: {PROMISE}");
}

/// What `native()` asks for, and how people write it.
const SYSTEMS: [(&str, &str); 4] = [
    ("target_os = \"linux\"", "Linux"),
    ("target_os = \"macos\"", "macOS"),
    ("target_os = \"freebsd\"", "FreeBSD"),
    ("windows", "Windows"),
];

/// Returns each system's backend, as `native()` has it: the last arm is of all that have none.
fn backends() -> Vec<(&'static str, String)> {
    let code = fs::read_to_string(root().join("src/platform.rs")).unwrap();
    let native = code.split_once("pub fn native()").unwrap().1.split_once("\n}\n").unwrap().0;
    let arms: Vec<(&str, &str)> =
        native.lines().filter_map(|line| line.trim().split_once(" => ")).collect();
    let of = |condition: &str| {
        let arm = arms.iter().find(|(asked, _)| asked.contains(condition));
        arm.or(arms.last()).unwrap().1.to_owned()
    };
    SYSTEMS.iter().map(|&(condition, name)| (name, of(condition))).collect()
}

#[test]
fn the_readmes_platform_table_is_what_native_returns() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split_once("## Platforms").unwrap().1;
    let rows = table.lines().skip_while(|line| !line.starts_with('|'));
    let rows: Vec<(&str, &str)> = rows
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.trim_matches('|').split_once('|'))
        .collect();
    for (system, backend) in backends() {
        let named = |(names, _): &&(&str, &str)| names.split(',').any(|name| name.trim() == system);
        let (_, says) = rows.iter().find(named).unwrap_or_else(|| panic!("no row for {system}"));
        let is_wished = backend.contains("unsupported::");
        assert_eq!(says.contains("wished"), is_wished, "{system}: {backend}, README: {says}");
        let is_portable = backend.contains("portable::Portable");
        let says_so = says.contains("the portable backend");
        assert_eq!(says_so, is_portable, "{system}: {backend}, README: {says}");
    }
}

#[test]
fn the_page_on_platforms_has_a_column_for_each_system() {
    let page = fs::read_to_string(root().join("docs/platforms.md")).unwrap();
    let header = page.lines().find(|line| line.starts_with("| |")).unwrap();
    let columns: Vec<&str> = header.split('|').map(str::trim).collect();
    let backend = page.lines().find(|line| line.starts_with("| backend |")).unwrap();
    let says: Vec<&str> = backend.split('|').map(str::trim).collect();
    for (system, backend) in backends() {
        let index = columns.iter().position(|column| *column == system);
        let index = index.unwrap_or_else(|| panic!("docs/platforms.md has no column for {system}"));
        let is_wished = backend.contains("unsupported::");
        assert_eq!(says[index] == "none yet", is_wished, "{system}: {backend}, {}", says[index]);
    }
}

/// Returns what the table of the page on platforms says of a system, in the row that begins so.
fn cell(page: &str, row: &str, system: &str) -> String {
    let header = page.lines().find(|line| line.starts_with("| |")).unwrap();
    let index = header.split('|').position(|column| column.trim() == system).unwrap();
    let start = format!("| {row}");
    let row = page.lines().find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("docs/platforms.md has no row {start}"));
    row.split('|').nth(index).unwrap().trim().to_owned()
}

/// What the backends of the BSDs read nothing of is what the page calls a gap there, no more and no less.
#[test]
fn the_page_on_platforms_names_the_protocols_that_a_backend_leaves_out() {
    let page = fs::read_to_string(root().join("docs/platforms.md")).unwrap();
    for (system, file) in [("macOS", "macos.rs"), ("FreeBSD", "freebsd.rs")] {
        let code = fs::read_to_string(root().join("src/platform").join(file)).unwrap();
        let list = code.split_once("const UNREAD").unwrap().1.split_once("= [").unwrap().1;
        let left_out: BTreeSet<String> = list
            .split_once("];")
            .unwrap()
            .0
            .split("Protocol::")
            .map(|name| name.trim_matches([',', ' ', '\n']).to_lowercase())
            .filter(|name| !name.is_empty() && name != "udplite")
            .map(|name| if name == "icmp" { "ping".to_owned() } else { name })
            .collect();
        let says = cell(&page, "MPTCP, SCTP", system);
        let gap = says.split(';').find_map(|part| part.trim().strip_suffix(" not (gap)"));
        let words = gap.unwrap_or_default().replace(" and ", ", ").to_lowercase();
        let named: BTreeSet<String> = words.split(", ").map(str::to_owned).collect();
        assert_eq!(left_out, named, "{file}, docs/platforms.md on {system}");
        let reads_udplite = !list.split_once("];").unwrap().0.contains("Udplite");
        assert_eq!(cell(&page, "UDPLITE", system) != "no (gap)", reads_udplite, "{system}");
    }
}

/// README, the page on platforms and the script that checks them say the same of where nothing was run.
#[test]
fn where_nothing_was_ever_run_is_said_everywhere() {
    let text = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (readme, page) = (text("README.md"), text("docs/platforms.md"));
    let script = text("scripts/check-platforms");
    let table = readme.split_once("## Platforms").unwrap().1;
    for (_, system) in SYSTEMS {
        let step = if system == "Linux" { "musl".to_owned() } else { system.to_lowercase() };
        let is_run = script.contains(&format!("\n{step}-test() {{"));
        let row = table.lines().find(|line| line.starts_with(&format!("| {system} |"))).unwrap();
        assert_eq!(row.contains("never run"), !is_run, "README: {row}");
        let says = page.contains(&format!("**{system} was never run.**"));
        assert_eq!(says, !is_run, "docs/platforms.md on {system}");
    }
}

#[test]
fn a_condition_is_seen_wherever_it_stands() {
    for line in [
        "#[cfg(unix)]",
        "    if cfg!(unix) && datagram {",
        "#[cfg_attr(not(any(test, unix)), expect(dead_code))]",
        "cfg_select! { unix => 1, _ => 2 }",
    ] {
        assert!(condition_words(line).any(|word| word == "unix"), "{line}");
    }
    assert!(condition_words("/// #[cfg(unix)] in a comment").all(|word| word != "unix"));
}
