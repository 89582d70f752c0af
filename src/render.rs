//! Turns rows into bytes: table, JSON, CSV and lsof fields. Takes data and a `Write`, nothing else.
//!
//! | module | output |
//! | --- | --- |
//! | [`table`] | aligned columns, for people and for `awk` |
//! | [`json`] | the documented schema `sockscope.list/1` |
//! | [`csv`] | the same columns as the table, comma-separated |
//! | [`fields`] | lsof's `-F` fields |
//! | [`free`] | a plan that frees a port, and what came of it |
//! | [`pids`] | process numbers only |
//! | [`diagnosis`] | why a bind fails |
//! | [`show`] | all of one socket, on a page |
//! | [`summary`] | what could not be seen, in one line |
//!
//! [`mod@column`] is the one table of columns, [`names`] what numbers are replaced by on request, and
//! [`sanitize`] what keeps hostile names from driving a terminal.
#![forbid(unsafe_code)]

pub mod column;
pub mod csv;
pub mod diagnosis;
pub mod doctor;
pub mod fields;
pub mod free;
pub mod json;
pub mod names;
mod owner;
mod parts;
pub mod phrase;
pub mod pids;
pub mod port;
pub mod row;
pub mod sanitize;
pub mod show;
pub mod summary;
pub mod table;

#[cfg(test)]
pub(crate) mod fixture;

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};

    use super::names::ResolvedNames;
    use super::row::Rows;
    use super::{column, csv, fields, fixture, json, pids, table};
    use crate::join::join_packed;
    use crate::snapshot::{Entries, Snapshot};

    /// A pipe whose reader has gone.
    struct ClosedPipe;

    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }

    type Format = (&'static str, fn(&Snapshot<dyn Entries>, &mut dyn Write) -> io::Result<()>);

    const FORMATS: &[Format] = &[
        ("table", |snapshot, out| {
            table::write(snapshot, &table::TableOptions::new(&ResolvedNames::default()), out)
        }),
        ("terminal", |snapshot, out| {
            let names = ResolvedNames::default();
            let options =
                table::TableOptions { width: Some(80), ..table::TableOptions::new(&names) };
            table::write(snapshot, &options, out)
        }),
        ("json", json::write),
        ("jsonl", json::write_lines),
        ("csv", |snapshot, out| {
            let names = ResolvedNames::default();
            let columns = column::COLUMNS;
            let rows = Rows::Sockets;
            csv::write(
                snapshot,
                &csv::CsvOptions { columns, header: true, rows, names: &names },
                out,
            )
        }),
        ("-F", |snapshot, out| {
            fields::write(snapshot, &fields::Fields::parse("").map_err(io::Error::other)?, out)
        }),
        ("pids", pids::write),
    ];

    #[test]
    fn a_closed_pipe_is_told_from_other_trouble_in_every_format() {
        for (name, write) in FORMATS {
            let error = write(&fixture::snapshot(), &mut ClosedPipe).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{name}: {error}");
        }
    }

    #[test]
    fn rows_made_when_they_are_asked_for_are_written_as_a_list_of_them_is() {
        for (name, write) in FORMATS {
            let (mut list, mut packed) = (Vec::new(), Vec::new());
            write(&fixture::snapshot(), &mut list).unwrap();
            write(&join_packed(fixture::collected().packed()), &mut packed).unwrap();
            assert_eq!(packed, list, "{name}");
        }
    }

    #[test]
    fn no_name_can_drive_a_terminal_in_any_format() {
        for (name, write) in FORMATS {
            let mut out = Vec::new();
            write(&fixture::snapshot(), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(!text.replace('\n', "").contains(char::is_control), "{name}");
        }
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        for (name, write) in FORMATS {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            write(&fixture::snapshot(), &mut one).unwrap();
            write(&fixture::snapshot(), &mut other).unwrap();
            assert_eq!(one, other, "{name}");
        }
    }
}
