//! Every cell of a table, written once, end to end in one string.

use unicode_width::UnicodeWidthStr;

use super::TableOptions;
use crate::render::column::Column;
use crate::render::row::{Row, Rows};
use crate::snapshot::Snapshot;

/// The cells and their widths.
pub(super) struct Grid {
    /// The columns wanted, and maybe PORT after them, for a terminal too narrow for LOCAL.
    pub(super) columns: Vec<Column>,
    /// The width of each column, header included.
    pub(super) widths: Vec<usize>,
    text: String,
    /// Where each cell ends in `text`, and its width, row by row.
    ends: Vec<(usize, usize)>,
}

/// One cell.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) text: &'a str,
    pub(super) width: usize,
}

impl Grid {
    pub(super) fn new(snapshot: &Snapshot, options: &TableOptions<'_>) -> Self {
        let mut columns = options.columns.to_vec();
        if options.width.is_some()
            && columns.contains(&Column::Local)
            && !columns.contains(&Column::Port)
            && snapshot.entries.iter().any(|entry| {
                entry.socket.local.as_ref().is_some_and(|local| local.port().is_some())
            })
        {
            columns.push(Column::Port);
        }
        let header_width =
            |column: &Column| if options.header { column.spec().header.width() } else { 0 };
        let mut grid = Self {
            widths: columns.iter().map(header_width).collect(),
            columns,
            text: String::new(),
            ends: Vec::new(),
        };
        grid.fill(snapshot, options);
        grid
    }

    fn fill(&mut self, snapshot: &Snapshot, options: &TableOptions<'_>) {
        let mut cell = String::new();
        let last = options.columns.len().saturating_sub(1);
        for row in options.rows.of(&snapshot.entries) {
            for (index, (column, widest)) in self.columns.iter().zip(&mut self.widths).enumerate() {
                cell.clear();
                (column.spec().cell)(&row, options.names, &mut cell);
                if cell.is_empty() {
                    cell.push_str(&column.unknown(&row));
                } else if *column == Column::Pid && options.rows == Rows::Sockets {
                    push_others(&row, &mut cell);
                } else if *column == Column::Fd {
                    push_thread(&row, &mut cell);
                }
                if options.tokens && index != last && cell.contains(' ') {
                    self.text.push_str(&cell.replace(' ', "\\x20"));
                } else {
                    self.text.push_str(&cell);
                }
                let start = self.ends.last().map_or(0, |&(end, _)| end);
                let width = width(self.text.get(start..).unwrap_or_default());
                self.ends.push((self.text.len(), width));
                *widest = width.max(*widest);
            }
        }
    }

    /// Returns the number of rows, without the header.
    pub(super) fn rows(&self) -> usize {
        self.ends.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    /// Returns a cell; an empty one outside the grid.
    pub(super) fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let place = row * self.columns.len() + column;
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = start.map_or(0, |&(end, _)| end);
        let &(end, width) = self.ends.get(place).unwrap_or(&(start, 0));
        Cell { text: self.text.get(start..end).unwrap_or_default(), width }
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
