//! Tables as they are seen. The snapshots are sorted as the listing is.

use super::*;
use crate::render::column::COLUMNS;
use crate::render::fixture;
use crate::sort::sort;

fn snapshot() -> Snapshot {
    let mut snapshot = fixture::snapshot();
    sort(&mut snapshot.entries, &[]);
    snapshot
}

fn table(snapshot: &Snapshot, change: impl FnOnce(&mut TableOptions<'_>)) -> String {
    let names = ResolvedNames::default();
    let mut options = TableOptions::new(&names);
    change(&mut options);
    let mut out = Vec::new();
    write(snapshot, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn at(width: usize) -> String {
    table(&snapshot(), |options| {
        options.width = Some(width);
        options.tokens = false;
    })
}

#[test]
fn at_40_columns_it_is_this() {
    insta::assert_snapshot!(at(40));
}

#[test]
fn at_80_columns_it_is_this() {
    insta::assert_snapshot!(at(80));
}

#[test]
fn at_120_columns_it_is_this() {
    insta::assert_snapshot!(at(120));
}

#[test]
fn at_200_columns_it_is_this() {
    insta::assert_snapshot!(at(200));
}

#[test]
fn in_a_pipe_it_is_this() {
    insta::assert_snapshot!(table(&snapshot(), |_| {}));
}

#[test]
fn by_descriptor_it_is_this() {
    insta::assert_snapshot!(table(&snapshot(), |options| options.rows = Rows::Descriptors));
}

#[test]
fn every_column_at_once_is_this() {
    insta::assert_snapshot!(table(&snapshot(), |options| options.columns = COLUMNS));
}

#[test]
fn with_names_it_is_this() {
    let mut names = ResolvedNames::default();
    names.insert_host("127.0.0.1".parse().unwrap(), "localhost");
    names.insert_host("198.51.100.7".parse().unwrap(), "evil\x1b[2J.example");
    names.insert_service(crate::socket::Protocol::Tcp, 443, "https");
    let options = TableOptions {
        columns: &[Column::Pid, Column::Local, Column::Peer, Column::State],
        ..TableOptions::new(&names)
    };
    let mut out = Vec::new();
    write(&snapshot(), &options, &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 30..200 {
        let text = at(width);
        let widest = text.lines().map(UnicodeWidthStr::width).max();
        assert!(widest <= Some(width), "{width}:\n{text}");
    }
}

#[test]
fn the_port_the_process_and_the_state_survive_at_40_columns() {
    let header = at(40).lines().next().unwrap().to_owned();
    let kept: Vec<_> = header.split_whitespace().collect();
    for column in ["PORT", "PID", "COMMAND", "STATE"] {
        assert!(kept.contains(&column), "{header}");
    }
}

#[test]
fn tabled_and_the_plain_loop_write_the_same() {
    let snapshot = snapshot();
    for width in [40, 80, 120, 200] {
        for color in [false, true] {
            let names = ResolvedNames::default();
            let mut options = TableOptions::new(&names);
            (options.width, options.color) = (Some(width), color);
            let grid = Grid::new(&snapshot, &options);
            let layout =
                layout::fit(&grid.columns, &grid.widths, options.columns.len(), options.width);
            let writer = Writer { grid: &grid, layout: &layout, options: &options };
            let (mut drawn, mut streamed) = (Vec::new(), Vec::new());
            writer.draw(&mut drawn).unwrap();
            writer.stream(&mut streamed).unwrap();
            assert_eq!(String::from_utf8(drawn).unwrap(), String::from_utf8(streamed).unwrap());
        }
    }
}

#[test]
fn a_pipe_has_as_many_tokens_in_every_line_and_no_trailing_space() {
    let text = table(&snapshot(), |_| {});
    for line in text.lines() {
        assert_eq!(line.split(' ').filter(|token| !token.is_empty()).count(), DEFAULT.len());
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let plain = at(120);
    let colored = table(&snapshot(), |options| {
        (options.width, options.tokens, options.color) = (Some(120), false, true);
    });
    assert!(colored.contains("\x1b[32mLISTEN\x1b[39m"), "{colored}");
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some((text, code)) = rest.split_once('\x1b') {
        stripped.push_str(text);
        rest = code.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    let trimmed: Vec<_> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
}

#[test]
fn no_output_has_a_control_character() {
    for width in [None, Some(50), Some(500)] {
        let text = table(&snapshot(), |options| {
            (options.width, options.columns) = (width, COLUMNS);
        });
        assert!(!text.replace('\n', "").contains(char::is_control));
    }
}

#[test]
fn nothing_to_show_is_a_header_or_nothing() {
    let mut empty = snapshot();
    empty.entries.clear();
    for width in [None, Some(80)] {
        let with = table(&empty, |options| options.width = width);
        assert_eq!(with.split_whitespace().count(), DEFAULT.len());
        let without = table(&empty, |options| (options.width, options.header) = (width, false));
        assert_eq!(without, "");
    }
}

#[test]
fn nobody_hidden_and_vanished_look_different() {
    let text = table(&snapshot(), |options| options.columns = &[Column::Owner, Column::Command]);
    let commands = |owner: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with(owner));
        lines.map(|line| line.split_whitespace().last().unwrap().to_owned()).collect()
    };
    assert_eq!(commands("kernel"), ["-"]);
    assert_eq!(commands("hidden:permission"), ["?postgresql.service"]);
    assert_eq!(commands("hidden:vanished"), ["?vanished"]);
}
