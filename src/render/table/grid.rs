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
    /// How many bytes of `text` each cell has, row by row.
    lengths: Vec<u32>,
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
            lengths: Vec::new(),
        };
        grid.fill(snapshot, options);
        grid
    }

    fn fill(&mut self, snapshot: &Snapshot, options: &TableOptions<'_>) {
        let last = options.columns.len().saturating_sub(1);
        for row in options.rows.of(&snapshot.entries) {
            for (index, (column, widest)) in self.columns.iter().zip(&mut self.widths).enumerate() {
                let start = self.text.len();
                (column.spec().cell)(&row, options.names, &mut self.text);
                if self.text.len() == start {
                    self.text.push_str(&column.unknown(&row));
                } else if *column == Column::Pid && options.rows == Rows::Sockets {
                    push_others(&row, &mut self.text);
                } else if *column == Column::Fd {
                    push_thread(&row, &mut self.text);
                }
                if options.tokens && index != last {
                    escape_spaces(&mut self.text, start);
                }
                let cell = self.text.get(start..).unwrap_or_default();
                *widest = width(cell).max(*widest);
                self.lengths.push(u32::try_from(cell.len()).unwrap_or(u32::MAX));
            }
        }
    }

    /// Returns the number of rows, without the header.
    pub(super) fn rows(&self) -> usize {
        self.lengths.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    /// Calls `row` with the cells of each row, in the order of the columns.
    pub(super) fn each_row<'a, E>(
        &'a self,
        mut row: impl FnMut(&[Cell<'a>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut cells = Vec::with_capacity(self.columns.len());
        let mut rest = self.text.as_str();
        for lengths in self.lengths.chunks(self.columns.len().max(1)) {
            cells.clear();
            for &length in lengths {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let (text, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
                rest = after;
                cells.push(Cell { text, width: width(text) });
            }
            row(&cells)?;
        }
        Ok(())
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
