//! Every cell of a table, and how wide the columns must be for them.

use std::convert::Infallible;

use unicode_width::UnicodeWidthStr;

use super::TableOptions;
use crate::render::column::Column;
use crate::render::row::{Row, Rows};
use crate::snapshot::{Entries, Snapshot, parts};

/// The cells, written anew whenever they are asked for: all of them at once would be the better part
/// of what a long listing takes.
pub(super) struct Grid<'a> {
    /// The columns wanted, and maybe PORT after them, for a terminal too narrow for LOCAL.
    pub(super) columns: Vec<Column>,
    /// The width of each column, header included.
    pub(super) widths: Vec<usize>,
    /// The number of rows, without the header.
    pub(super) rows: usize,
    snapshot: &'a Snapshot<dyn Entries>,
    options: &'a TableOptions<'a>,
}

/// One cell.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) text: &'a str,
    pub(super) width: usize,
}

/// The cells of one row, end to end in one string.
#[derive(Default)]
pub(super) struct Cells {
    text: String,
    /// Where in `text` each ends.
    ends: Vec<usize>,
}

impl Cells {
    /// Returns the cell of a column, by its place in [`Grid::columns`].
    pub(super) fn get(&self, index: usize) -> Option<Cell<'_>> {
        let end = *self.ends.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.ends.get(before));
        let text = self.text.get(before.copied().unwrap_or(0)..end)?;
        Some(Cell { text, width: width(text) })
    }
}

impl<'a> Grid<'a> {
    pub(super) fn new(snapshot: &'a Snapshot<dyn Entries>, options: &'a TableOptions<'a>) -> Self {
        let mut columns = options.columns.to_vec();
        if options.width.is_some()
            && columns.contains(&Column::Local)
            && !columns.contains(&Column::Port)
            && parts(&snapshot.entries).any(|entries| {
                let mut ends = entries.iter().filter_map(|entry| entry.socket.local.as_ref());
                ends.any(|end| end.port().is_some())
            })
        {
            columns.push(Column::Port);
        }
        let header_width =
            |column: &Column| if options.header { column.spec().header.width() } else { 0 };
        let mut widths: Vec<usize> = columns.iter().map(header_width).collect();
        let mut grid = Self { columns, widths: Vec::new(), rows: 0, snapshot, options };
        let mut rows = 0;
        let Ok(()) = grid.each_row(|cells| {
            rows += 1;
            for (index, widest) in widths.iter_mut().enumerate() {
                *widest = cells.get(index).map_or(0, |cell| cell.width).max(*widest);
            }
            Ok::<(), Infallible>(())
        });
        (grid.widths, grid.rows) = (widths, rows);
        grid
    }

    /// Calls `row` with the cells of each row.
    pub(super) fn each_row<E>(
        &self,
        mut row: impl FnMut(&Cells) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut cells = Cells::default();
        for entries in parts(&self.snapshot.entries) {
            for each in self.options.rows.of(&entries) {
                self.write(&each, &mut cells);
                row(&cells)?;
            }
        }
        Ok(())
    }

    fn write(&self, row: &Row<'_>, cells: &mut Cells) {
        let Cells { text, ends } = cells;
        text.clear();
        ends.clear();
        let last = self.options.columns.len().saturating_sub(1);
        for (index, column) in self.columns.iter().enumerate() {
            let start = text.len();
            (column.spec().cell)(row, self.options.names, text);
            if text.len() == start {
                text.push_str(&column.unknown(row));
            } else if *column == Column::Pid && self.options.rows == Rows::Sockets {
                push_others(row, text);
            } else if *column == Column::Fd {
                push_thread(row, text);
            }
            if self.options.tokens && index != last {
                escape_spaces(text, start);
            }
            ends.push(text.len());
        }
    }
}

/// Writes each space from this place on as `\x20`.
fn escape_spaces(text: &mut String, start: usize) {
    let cell = text.get(start..).unwrap_or_default();
    if cell.bytes().any(|byte| byte == b' ') {
        let escaped = cell.replace(' ', "\\x20");
        text.truncate(start);
        text.push_str(&escaped);
    }
}

/// Returns the columns of the terminal that a text takes: nearly always ASCII, one each.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// Says which thread's table the descriptor is in, when it has one for itself: `@8123`.
fn push_thread(row: &Row<'_>, cell: &mut String) {
    if let Some(tid) = row.owner.and_then(|owner| owner.tid) {
        cell.push('@');
        cell.push_str(&tid.to_string());
    }
}

/// Says how many more processes hold the socket: `+2`.
fn push_others(row: &Row<'_>, cell: &mut String) {
    match row.others() {
        0 => {}
        others => {
            cell.push('+');
            cell.push_str(&others.to_string());
        }
    }
}
