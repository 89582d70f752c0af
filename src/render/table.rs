//! The table: aligned columns for people, one token a column for `awk`.
//!
//! Three steps, whatever the output: [`grid`] measures every cell, [`layout`] decides which
//! columns are shown how wide, and the lines are written. What a person reads on a terminal is drawn
//! by tabled, which knows alignment, padding and the width of coloured text. It keeps every cell of a
//! table several times over, though (100,000 rows: 170 MB and 15 times the time of a plain loop), so
//! a pipe and a very long table get the plain loop of [`Writer::stream`] over the same grid and layout.
//!
//! tabled can cut cells itself, but cuts a double-width character in half, the port off an address,
//! and never drops a column: widths are therefore settled in [`layout`] before it sees them.
//!
//! On a terminal a cell that is cut ends in `…` (an address keeps its port: `[2001:db8:…]:443`). In a
//! pipe nothing is cut, coloured or dropped, and a space inside a cell is written `\x20`, as lsof
//! does, in every column but the last: field 3 is field 3.

mod grid;
mod layout;

use std::io::{self, Write};

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Color, Padding, Style};
use unicode_width::UnicodeWidthStr;

use crate::render::column::{Align, Column, DEFAULT};
use crate::render::names::ResolvedNames;
use crate::render::row::Rows;
use crate::snapshot::{Entries, Snapshot};
use grid::{Cell, Grid};
use layout::Layout;

/// Above this many rows nobody waits for tabled.
const DRAWN_ROWS: usize = 1_000;

/// So many bytes are written at a time.
const WRITTEN: usize = 32 * 1024;

/// How a table is to look.
#[derive(Debug, Clone)]
pub struct TableOptions<'a> {
    /// The columns wanted, in this order.
    pub columns: &'a [Column],
    /// The terminal's width to fit; `None` for a pipe, or to show everything whatever its width.
    pub width: Option<usize>,
    /// Whether spaces inside cells are escaped, so that programs can split lines at spaces.
    pub tokens: bool,
    /// Whether to colour states. Colour never says what the text does not.
    pub color: bool,
    /// Whether to write the header line.
    pub header: bool,
    /// What makes a row.
    pub rows: Rows,
    /// Names to print in place of numbers.
    pub names: &'a ResolvedNames,
}

impl<'a> TableOptions<'a> {
    /// Returns the options of a plain listing in a pipe.
    pub fn new(names: &'a ResolvedNames) -> Self {
        Self {
            columns: DEFAULT,
            width: None,
            tokens: true,
            color: false,
            header: true,
            rows: Rows::Sockets,
            names,
        }
    }
}

/// Writes the table.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    snapshot: &Snapshot<dyn Entries>,
    options: &TableOptions<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let grid = Grid::new(snapshot, options);
    let layout = layout::fit(&grid.columns, &grid.widths, options.columns.len(), options.width);
    let writer = Writer { grid: &grid, layout: &layout, options };
    if options.width.is_some() && grid.rows <= DRAWN_ROWS {
        writer.draw(out)
    } else {
        writer.stream(out)
    }
}

/// Everything that is needed to write lines.
struct Writer<'a> {
    grid: &'a Grid<'a>,
    layout: &'a Layout,
    options: &'a TableOptions<'a>,
}

impl Writer<'_> {
    /// Draws with tabled.
    fn draw(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut builder = Builder::with_capacity(self.grid.rows + 1, self.layout.columns.len());
        self.each_line(|line| {
            builder.push_record(line.map(|cell| cell.painted()));
            Ok(())
        })?;
        if builder.count_records() == 0 {
            return Ok(());
        }
        let mut table = builder.build();
        table.with(Style::empty()).with(Padding::new(0, self.layout.gap, 0, 0));
        for (index, shown) in self.layout.columns.iter().enumerate() {
            if shown.column.spec().align == Align::Right {
                table.modify(Columns::one(index), Alignment::right());
            }
        }
        for line in table.to_string().lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Writes line by line, many at once.
    fn stream(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut text = String::with_capacity(2 * WRITTEN);
        self.each_line(|line| {
            for (cell, shown) in line.zip(&self.layout.columns) {
                let air = shown.width.saturating_sub(cell.width);
                let (before, after) = match shown.column.spec().align {
                    Align::Left => (0, air),
                    Align::Right => (air, 0),
                };
                push_air(&mut text, before);
                cell.push_painted(&mut text);
                push_air(&mut text, after + self.layout.gap);
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            if text.len() >= WRITTEN {
                out.write_all(text.as_bytes())?;
                text.clear();
            }
            Ok(())
        })?;
        out.write_all(text.as_bytes())
    }

    /// Calls `line` for the header and each row, with the cells cut to their widths.
    fn each_line(
        &self,
        mut line: impl FnMut(&mut dyn Iterator<Item = Painted<'_>>) -> io::Result<()>,
    ) -> io::Result<()> {
        let shown = self.layout.columns.iter();
        if self.options.header {
            line(&mut shown.clone().map(|shown| {
                let header = shown.column.spec().header;
                let cell = Cell { text: header, width: header.width() };
                Painted::new(cell, shown, self.options.color.then_some(Color::BOLD))
            }))?;
        }
        self.grid.each_row(|cells| {
            line(&mut shown.clone().filter_map(|shown| {
                let cell = cells.get(shown.index)?;
                let color = if self.options.color { color(shown.column, cell.text) } else { None };
                Some(Painted::new(cell, shown, color))
            }))
        })
    }
}

/// Writes spaces, many at once.
fn push_air(out: &mut String, mut wanted: usize) {
    const AIR: &str = "                                ";
    while let Some(rest) = wanted.checked_sub(AIR.len()) {
        out.push_str(AIR);
        wanted = rest;
    }
    out.push_str(AIR.get(..wanted).unwrap_or_default());
}

/// A cell as it is shown: cut, and maybe coloured.
struct Painted<'a> {
    text: std::borrow::Cow<'a, str>,
    width: usize,
    color: Option<Color>,
}

impl<'a> Painted<'a> {
    fn new(cell: Cell<'a>, shown: &layout::Shown, color: Option<Color>) -> Self {
        let (text, width) = shown.cut(cell);
        Self { text, width, color }
    }

    fn painted(&self) -> String {
        let mut out = String::new();
        self.push_painted(&mut out);
        out
    }

    fn push_painted(&self, out: &mut String) {
        match &self.color {
            None => out.push_str(&self.text),
            Some(color) => out.push_str(&color.colorize(&self.text)),
        }
    }
}

/// Returns the colour of a state: what waits is green, what is open is plain, what asks for
/// attention is yellow, what is nearly over is dim.
fn color(column: Column, text: &str) -> Option<Color> {
    if column != Column::State {
        return None;
    }
    match text {
        "LISTEN" => Some(Color::FG_GREEN),
        "BOUND" | "CLOSED" => Some(Color::FG_CYAN),
        "SYN_SENT" | "SYN_RECV" | "CLOSE_WAIT" => Some(Color::FG_YELLOW),
        "FIN_WAIT1" | "FIN_WAIT2" | "CLOSING" | "LAST_ACK" | "TIME_WAIT" => {
            Some(Color::FG_BRIGHT_BLACK)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
