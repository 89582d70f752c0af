//! Decides which columns are shown, and how wide.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use super::grid::Cell;
use crate::render::column::Column;

/// The columns shown and the spaces between them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) columns: Vec<Shown>,
    pub(super) gap: usize,
}

/// One column shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) column: Column,
    /// Its place in the grid.
    pub(super) index: usize,
    pub(super) width: usize,
}

impl Shown {
    fn least(&self) -> usize {
        self.column.spec().shrinks_to.map_or(self.width, |least| least.min(self.width))
    }
}

fn total(widths: impl ExactSizeIterator<Item = usize>, gap: usize) -> usize {
    gap * widths.len().saturating_sub(1) + widths.sum::<usize>()
}

/// Fits the first `wanted` columns into `available`. While not even their least widths fit, the
/// least important column goes (LOCAL gives its place to PORT, if that was added after the wanted
/// ones); then the widest is cut, bit by bit.
pub(super) fn fit(
    columns: &[Column],
    widths: &[usize],
    wanted: usize,
    available: Option<usize>,
) -> Layout {
    let all: Vec<Shown> = columns
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(index, (&column, &width))| Shown { column, index, width })
        .collect();
    let (wanted, spare) = all.split_at_checked(wanted).unwrap_or((&all, &[]));
    let mut layout = Layout { columns: wanted.to_vec(), gap: 2 };
    let Some(available) = available else { return layout };
    let full = |layout: &Layout| total(layout.columns.iter().map(|shown| shown.width), layout.gap);
    if full(&layout) <= available {
        return layout;
    }
    layout.gap = 1;
    drop_columns(&mut layout, spare.first().copied(), available);
    while full(&layout) > available {
        let cuttable = layout.columns.iter_mut().filter(|shown| shown.width > shown.least());
        match cuttable.max_by_key(|shown| shown.width) {
            Some(widest) => widest.width -= 1,
            None => break,
        }
    }
    layout
}

fn drop_columns(layout: &mut Layout, mut port: Option<Shown>, available: usize) {
    while layout.columns.len() > 1
        && total(layout.columns.iter().map(Shown::least), layout.gap) > available
    {
        // Of equals the rightmost goes.
        let unimportant = layout
            .columns
            .iter()
            .enumerate()
            .rev()
            .min_by_key(|(_, shown)| shown.column.spec().importance);
        let Some((place, shown)) = unimportant else { return };
        match port.take_if(|_| shown.column == Column::Local) {
            Some(port) => {
                layout.columns.splice(place..=place, [port]);
            }
            None => {
                layout.columns.remove(place);
            }
        }
    }
}

impl Shown {
    /// Cuts a cell to the column's width.
    pub(super) fn cut<'a>(&self, cell: Cell<'a>) -> (Cow<'a, str>, usize) {
        if cell.width <= self.width {
            return (Cow::Borrowed(cell.text), cell.width);
        }
        let is_endpoint = matches!(self.column, Column::Local | Column::Peer);
        let text =
            if is_endpoint { self.cut_endpoint(cell.text) } else { self.cut_before(cell.text, "") };
        let width = text.width();
        (Cow::Owned(text), width)
    }

    /// Cuts an address but not its port. An IPv4-mapped address gives up its `::ffff:` first: PROTO
    /// tells that the socket is an IPv6 one.
    fn cut_endpoint(&self, text: &str) -> String {
        let mapped = text
            .strip_prefix("[::ffff:")
            .and_then(|text| text.split_once(']'))
            .filter(|(address, _)| address.contains('.'))
            .map(|(address, port)| format!("{address}{port}"));
        match &mapped {
            Some(short) if short.width() <= self.width => return short.clone(),
            Some(_) | None => {}
        }
        let text = mapped.as_deref().unwrap_or(text);
        let port = Some(port_of(text)).filter(|port| port.width() + 3 <= self.width);
        self.cut_before(text, port.unwrap_or_default())
    }

    /// Returns the beginning of the text, `…` and the tail.
    fn cut_before(&self, text: &str, tail: &str) -> String {
        format!("{}…{tail}", prefix(text, self.width.saturating_sub(1 + tail.width())))
    }
}

/// Returns the `:80` or `]:80` at the end of an address; nothing for a path.
fn port_of(endpoint: &str) -> &str {
    let is_address = !endpoint.starts_with(['/', '@']);
    match endpoint.rfind(':').filter(|_| is_address) {
        Some(colon) => {
            let start =
                colon - usize::from(endpoint.get(..colon).is_some_and(|s| s.ends_with(']')));
            endpoint.get(start..).unwrap_or_default()
        }
        None => "",
    }
}

/// Returns the longest beginning that is at most `room` wide; a wide character is never halved.
fn prefix(text: &str, room: usize) -> &str {
    text.char_indices()
        .map(|(start, character)| start + character.len_utf8())
        .map_while(|end| text.get(..end).filter(|head| head.width() <= room))
        .last()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::render::column::{COLUMNS, DEFAULT};

    fn shown(column: Column, width: usize) -> Shown {
        Shown { column, index: 0, width }
    }

    fn cut(column: Column, text: &str, width: usize) -> String {
        shown(column, width).cut(Cell { text, width: text.width() }).0.into_owned()
    }

    #[test]
    fn a_cut_address_keeps_its_port() {
        let address = "[2001:db8:1:2:3:4:5:6]:50312";
        assert_eq!(cut(Column::Peer, address, 21), "[2001:db8:1:2…]:50312");
        assert_eq!(cut(Column::Local, "very-long-host.example:http", 15), "very-long…:http");
    }

    #[test]
    fn a_mapped_address_is_cut_as_ipv4() {
        assert_eq!(cut(Column::Local, "[::ffff:192.0.2.10]:443", 15), "192.0.2.10:443");
        assert_eq!(cut(Column::Peer, "[::ffff:198.51.100.7]:50312", 15), "198.51.1…:50312");
        assert_eq!(cut(Column::Peer, "[::ffff:0:1:2:3]:50312", 17), "[::ffff:0…]:50312");
    }

    #[test]
    fn a_cut_path_keeps_its_beginning() {
        assert_eq!(cut(Column::Local, "/run/with:colon/socket", 10), "/run/with…");
    }

    #[test]
    fn a_wide_character_is_never_halved() {
        assert_eq!(cut(Column::Command, "日本語サーバー", 8), "日本語…");
        assert_eq!(cut(Column::Command, "日本語サーバー", 7), "日本語…");
        assert_eq!(cut(Column::Command, "日本語サーバー", 6), "日本…");
    }

    #[test]
    fn a_combining_mark_stays_with_its_letter() {
        assert_eq!(cut(Column::Command, "e\u{301}e\u{301}e\u{301}xyz", 3), "e\u{301}e\u{301}…");
    }

    #[test]
    fn local_gives_its_place_to_port() {
        let columns = [Column::Command, Column::Local, Column::State, Column::Port];
        let layout = fit(&columns, &[20, 40, 11, 5], 3, Some(30));
        let shown: Vec<_> = layout.columns.iter().map(|s| (s.column, s.width)).collect();
        assert_eq!(shown, [(Column::Command, 12), (Column::Port, 5), (Column::State, 11)]);
    }

    proptest! {
        #[test]
        fn a_layout_fits_or_is_down_to_one_column(
            widths in proptest::collection::vec(1usize..60, COLUMNS.len()),
            available in 1usize..400,
        ) {
            let layout = fit(COLUMNS, &widths, COLUMNS.len(), Some(available));
            let width = total(layout.columns.iter().map(|s| s.width), layout.gap);
            prop_assert!(width <= available || layout.columns.len() == 1);
        }

        #[test]
        fn wider_terminals_show_no_fewer_columns(
            widths in proptest::collection::vec(1usize..60, DEFAULT.len()),
            available in 1usize..200,
        ) {
            let count = |width| fit(DEFAULT, &widths, DEFAULT.len(), Some(width)).columns.len();
            prop_assert!(count(available) <= count(available + 1));
        }

        #[test]
        fn a_cut_cell_is_never_too_wide(text in "\\PC{0,40}", width in 1usize..30) {
            for column in [Column::Command, Column::Local] {
                prop_assert!(cut(column, &text, width).width() <= width);
            }
        }
    }
}
