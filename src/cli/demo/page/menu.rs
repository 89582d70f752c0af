//! The lessons to choose from.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::diagram::cut;
use super::model::{Item, Menu};
use super::paint::{Paint, bold};
use super::view::{bar, put};
use super::wrap;

/// The keys of the menu.
const KEYS: &str = "↑ ↓ or a number: choose · Enter play · r run from here · ? help · q quit";
/// The same where there is less room.
const SHORT_KEYS: &str = "↑ ↓ or number · Enter play · r run · ? help · q quit";

/// Draws the menu: a line a lesson, the chosen one always in sight.
pub(super) fn draw(menu: &Menu, area: Rect, paint: Paint, buf: &mut Buffer) {
    let done = menu.items.iter().filter(|item| item.is_done).count();
    let lessons = menu.items.iter().filter(|item| item.lesson.is_some()).count();
    let right = format!("{done} of {lessons} done");
    bar("sockscope demo: real sockets on the real kernel", &right, area, paint, buf);
    let width = usize::from(area.width);
    let name = menu.items.iter().map(|item| item.name.len()).max().unwrap_or_default();
    let lines = (0..)
        .zip(&menu.items)
        .map(|(place, item)| line(place, item, place == menu.selected, (width, name), paint));
    // Above it the bar and, where there is room, a blank line; below it what is chosen, in full, and the
    // keys.
    let about = menu.items.get(menu.selected).map(text).unwrap_or_default();
    let about = wrap(&about, width.saturating_sub(2), 0);
    let about_height = u16::try_from(about.len() + 1).unwrap_or(u16::MAX);
    let items = u16::try_from(menu.items.len()).unwrap_or(u16::MAX);
    let room = area.height.saturating_sub(2 + about_height);
    let blank = u16::from(room > items);
    let list = Rect { y: area.y + 1 + blank, height: room - blank, ..area };
    let skipped = (menu.selected + 1).saturating_sub(usize::from(list.height));
    put(lines.skip(skipped), list, buf);
    let below = Rect { y: list.bottom() + 1, height: about_height - 1, ..area };
    let about = about.into_iter().map(|line| Span::styled(format!(" {line}"), bold()).into());
    put(about, below, buf);
    let keys = if width < 80 { SHORT_KEYS } else { KEYS };
    let footer = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    put([Line::from(Span::styled(format!(" {keys}"), paint.dim()))], footer, buf);
}

/// Returns what a lesson is about, or why it cannot be shown.
fn text(item: &Item) -> String {
    match &item.missing {
        None => item.title.to_owned(),
        Some(why) => format!("cannot be shown here: {why}"),
    }
}

fn line(
    place: usize,
    item: &Item,
    is_selected: bool,
    (width, name): (usize, usize),
    paint: Paint,
) -> Line<'static> {
    let sign = if is_selected { '▶' } else { ' ' };
    let done = if item.is_done { '✓' } else { ' ' };
    let head = format!(" {sign} {done} {:>2}  {:name$}  ", place + 1, item.name);
    let text = cut(&text(item), width.saturating_sub(head.chars().count() + 1));
    let style = match (is_selected, item.missing.is_some()) {
        (true, _) => paint.lit(),
        (false, true) => paint.dim(),
        (false, false) => bold(),
    };
    let rest = if item.missing.is_some() { paint.dim() } else { Style::new() };
    Line::from(vec![Span::styled(head, style), Span::styled(text, rest)])
}
