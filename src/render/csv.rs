//! Comma-separated values (RFC 4180): the table's columns, titled by their first word.
//!
//! An unknown value is an empty field. `pid` is a bare number, the count of further processes is in
//! `others`. Names are escaped as in the table, so one line is one row. Nothing is done about text
//! that a spreadsheet takes for a formula (`=1+1`, `@name`): import such columns as text.

use std::io::{self, Write};

use ::csv::{Terminator, WriterBuilder};

use crate::render::column::Column;
use crate::render::names::ResolvedNames;
use crate::render::row::Rows;
use crate::snapshot::{Entries, Snapshot, parts};

/// The columns of a CSV listing unless others are asked for: every fact on its own.
pub const DEFAULT: &[Column] = &[
    Column::Command,
    Column::Pid,
    Column::User,
    Column::Fd,
    Column::Proto,
    Column::Family,
    Column::LocalAddress,
    Column::Port,
    Column::PeerAddress,
    Column::PeerPort,
    Column::State,
    Column::RecvQ,
    Column::SendQ,
    Column::Backlog,
    Column::Uid,
    Column::Inode,
    Column::Cookie,
    Column::Netns,
    Column::Interface,
    Column::Owner,
    Column::Via,
    Column::Others,
    Column::Local,
    Column::Peer,
];

/// What the CSV is to hold.
#[derive(Debug, Clone)]
pub struct CsvOptions<'a> {
    /// The columns wanted, in this order.
    pub columns: &'a [Column],
    /// Whether to write the line of titles.
    pub header: bool,
    /// What makes a row.
    pub rows: Rows,
    /// Names to print in place of numbers.
    pub names: &'a ResolvedNames,
}

/// Writes the CSV.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    snapshot: &Snapshot<dyn Entries>,
    options: &CsvOptions<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(out);
    if options.header {
        let titles = options.columns.iter().map(|column| {
            let spec = column.spec();
            spec.words.first().unwrap_or(&spec.header)
        });
        writer.write_record(titles)?;
    }
    let mut cell = String::new();
    for entries in parts(&snapshot.entries) {
        for row in options.rows.of(&entries) {
            for column in options.columns {
                cell.clear();
                (column.spec().cell)(&row, options.names, &mut cell);
                writer.write_field(&cell)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn csv(options: &CsvOptions<'_>) -> String {
        let mut out = Vec::new();
        write(&fixture::snapshot(), options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_default_listing_is_this() {
        let names = ResolvedNames::default();
        let options =
            CsvOptions { columns: DEFAULT, header: true, rows: Rows::Sockets, names: &names };
        insta::assert_snapshot!(csv(&options));
    }

    #[test]
    fn every_row_has_every_field_and_reads_back() {
        let names = ResolvedNames::default();
        let columns = crate::render::column::COLUMNS;
        let options = CsvOptions { columns, header: false, rows: Rows::Descriptors, names: &names };
        let text = csv(&options);
        let mut reader =
            ::csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), Rows::Descriptors.of(&fixture::snapshot().entries).count());
        assert_eq!(rows.len(), text.lines().count());
        assert!(rows.iter().all(|row| row.len() == columns.len()));
    }
}
