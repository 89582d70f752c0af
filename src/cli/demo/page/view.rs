//! The page as a picture: a pure function of the model and the size.
//!
//! Wide: the calls on the left, on the right the rows and below them the states. Less wide: the states on
//! the right, and the rows, which then need the whole width, below. Narrow: one under the other, the
//! states as two lines. The sentence is always below, and whole; what gives way are the oldest calls, then
//! the rows that did not change.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget as _};

use super::diagram::{self, Form, cut};
use super::machine::{self, Lit};
use super::model::{Model, Play};
use super::paint::{Paint, bold, symbol};
use super::{menu, wrap};
use crate::cli::demo::table;
use crate::demo::cast::Role;
use crate::demo::see::{SeeIt, see_it};
use crate::socket::Protocol;

/// The smallest size that the page is made for.
pub const SMALLEST: (u16, u16) = (60, 16);
/// From this width on, calls and rows stand side by side.
const WIDE: u16 = 150;
/// From this width on, calls and states do.
const MIDDLE: u16 = 108;
/// The fewest lines of calls that are worth showing.
const FEWEST_CALLS: u16 = 2;
/// Below this height, the states are one line.
const LOW: u16 = 20;

/// The keys while a lesson is played.
const KEYS: &str =
    "space next · r run free · l see it yourself · c code · m menu · ? help · q quit";
/// The same where there is less room.
const SHORT_KEYS: &str = "space next · r run · l see · m menu · ? help · q quit";

/// What `?` shows.
const HELP: &[(&str, &str)] = &[
    ("space, Enter, →", "the next step, or the next lesson"),
    ("r", "run free: go on by itself; again: stop"),
    ("l", "see it yourself: what lsof, ss and netstat would show now"),
    ("c", "the calls in Python, Rust, C, Go or Node, too: the next one"),
    ("↑ ↓ PgUp PgDn", "scroll the calls"),
    ("Tab", "turn to the rows that do not fit"),
    ("m, Esc", "the menu; this lesson's sockets are closed"),
    ("?", "these keys"),
    ("q, Ctrl-C", "quit"),
    ("", ""),
    ("● ■ ▲", "client, server, child: in the calls, the rows, the states"),
    ("*", "a row that this step made or changed"),
    ("──▶  ──✗", "what crosses; what does not get there"),
];

/// Draws the page.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let paint = Paint { color: model.color };
    let (width, height) = SMALLEST;
    if area.width < width || area.height < height {
        return too_small(area, buf);
    }
    match &model.play {
        Some(play) => lesson(model, play, area, paint, buf),
        // It begins in a moment.
        None if !model.queue.is_empty() => {}
        None => menu::draw(&model.menu, area, paint, buf),
    }
    if model.helps {
        help(area, paint, buf);
    }
}

/// Says how large the terminal has to be.
fn too_small(area: Rect, buf: &mut Buffer) {
    let (width, height) = SMALLEST;
    let is = format!("This terminal is {} × {}.", area.width, area.height);
    let needs = format!("The demo needs {width} × {height}: enlarge it, or press q.");
    let mut lines = wrap(&is, area.width.into(), 0);
    lines.extend(wrap(&needs, area.width.into(), 0));
    put(lines.into_iter().map(Line::from), area, buf);
}

/// Puts lines into an area, from its top; what is too much is left out.
pub(super) fn put(lines: impl IntoIterator<Item = Line<'static>>, area: Rect, buf: &mut Buffer) {
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        buf.set_line(area.x, y, &line, area.width);
    }
}

/// Draws a bar across the screen with a text at either end.
pub(super) fn bar(left: &str, right: &str, area: Rect, paint: Paint, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let right = cut(right, width);
    // Two blanks between them: both are bold.
    let room = width.saturating_sub(right.chars().count() + 3);
    let left = cut(left, room.saturating_sub(1));
    let text = format!(" {left:<room$} {right} ");
    put([Line::from(Span::styled(text, paint.bar()))], area, buf);
}

/// Draws a part's title over a line, and returns what is left for the part.
fn part(title: Line<'static>, area: Rect, paint: Paint, buf: &mut Buffer) -> Rect {
    if area.is_empty() {
        return area;
    }
    let rule = "─".repeat(usize::from(area.width).saturating_sub(title.width() + 4));
    let mut spans = vec![Span::styled("─ ", paint.dim())];
    spans.extend(title.spans);
    spans.push(Span::styled(format!(" {rule}─"), paint.dim()));
    put([Line::from(spans)], area, buf);
    below(area, 1)
}

/// Cuts lines off the top.
fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}

/// Cuts lines off the bottom; returns what is left, and those.
fn split_bottom(area: Rect, lines: u16) -> (Rect, Rect) {
    let lines = lines.min(area.height);
    let above = Rect { height: area.height - lines, ..area };
    (above, below(area, area.height - lines))
}

fn count(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

fn lesson(model: &Model, play: &Play, area: Rect, paint: Paint, buf: &mut Buffer) {
    let Play { lesson, number, .. } = play;
    let of = lesson.steps.len();
    let free = if model.runs_free { "running free · " } else { "" };
    let progress: String = (1..=of).map(|step| if step <= *number { '▰' } else { '▱' }).collect();
    let title = format!("{}: {}", lesson.name, lesson.title);
    let step = format!("{free}step {number} of {of}");
    // The title is whole, before the progress is drawn too.
    let both = [&title, &step].map(|text| text.chars().count()).iter().sum::<usize>() + of + 5;
    let is_room = both <= usize::from(area.width);
    let step = if is_room { format!("{step} {progress}") } else { step };
    bar(&title, &step, area, paint, buf);
    let (body, footer) = split_bottom(below(area, 1), 1);
    let keys = if area.width < 80 { SHORT_KEYS } else { KEYS };
    put([Line::from(Span::styled(format!(" {keys}"), paint.dim()))], footer, buf);

    let said = said(play, area.width, paint);
    let (body, sentence) = split_bottom(body, 1 + count(said.len()));
    let title = match (play.is_acting, play.is_over()) {
        (true, _) => "what to see …",
        (false, true) if model.queue.is_empty() && model.ends => "the end: press space to leave",
        (false, true) if model.queue.is_empty() => {
            "the end of this lesson: press space for the menu"
        }
        (false, true) => "the end of this lesson: press space for the next",
        (false, false) => "what to see",
    };
    let sentence = part(Span::styled(title, paint.title()).into(), sentence, paint, buf);
    put(said, sentence, buf);

    let tools = if model.sees { see(model, play) } else { Vec::new() };
    if area.width >= WIDE {
        wide(play, tools, body, paint, buf);
    } else if area.width >= MIDDLE && body.height >= machine::HEIGHT + 10 {
        middle(play, tools, body, paint, buf);
    } else {
        narrow(play, tools, body, area.height < LOW, paint, buf);
    }
}

/// Returns the sentence, and what was not as promised.
fn said(play: &Play, width: u16, paint: Paint) -> Vec<Line<'static>> {
    let room = usize::from(width).saturating_sub(2);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for text in wrap(play.say, room, 0) {
        lines.push(Span::styled(format!(" {text}"), bold()).into());
    }
    for surprise in &play.surprises {
        for text in wrap(&format!("! not as promised: {surprise}"), room, 2) {
            lines.push(Span::styled(format!(" {text}"), paint.bad()).into());
        }
    }
    lines
}

/// Calls on the left; on the right the rows, and below them the states.
fn wide(play: &Play, tools: Vec<SeeIt>, body: Rect, paint: Paint, buf: &mut Buffer) {
    let (left, right) = split_right(body, body.width - body.width * 2 / 5 - 2);
    calls(play, left, paint, buf);
    let right = see_below(tools, right, paint, buf);
    let is_drawn = right.height >= machine::HEIGHT + 1 + wanted(play).min(8);
    let (above, below) = split_bottom(right, if is_drawn { machine::HEIGHT + 1 } else { 3 });
    rows(play, above, paint, buf);
    states(play, below, paint, buf);
}

/// Calls on the left, states on the right, rows below both.
fn middle(play: &Play, tools: Vec<SeeIt>, body: Rect, paint: Paint, buf: &mut Buffer) {
    let (body, below) = split_bottom(body, wanted(play).min(body.height - machine::HEIGHT - 1));
    rows(play, below, paint, buf);
    let (left, right) = split_right(body, machine::WIDTH);
    calls(play, left, paint, buf);
    let right = see_below(tools, right, paint, buf);
    states(play, right, paint, buf);
}

/// All of it, one under the other.
fn narrow(
    play: &Play,
    tools: Vec<SeeIt>,
    body: Rect,
    is_low: bool,
    paint: Paint,
    buf: &mut Buffer,
) {
    let body = see_below(tools, body, paint, buf);
    let is_drawn = body.height >= machine::HEIGHT + 1 + wanted(play) + 12;
    let lines = match is_drawn {
        true => machine::HEIGHT + 1,
        false if is_low => 1,
        false => 3,
    };
    let (body, below) = split_bottom(body, lines);
    states(play, below, paint, buf);
    // Where not all fits, the calls of this step have half of it at most.
    let own = 2 + count(diagram::height_of_step(
        play,
        Form { width: body.width.into(), is_short: true, paint },
    ));
    let least = own.min(body.height / 2).max(2 + FEWEST_CALLS);
    let (above, below) = split_bottom(body, wanted(play).min(body.height.saturating_sub(least)));
    calls(play, above, paint, buf);
    rows(play, below, paint, buf);
}

/// Returns how many lines all rows take, with their title and head.
fn wanted(play: &Play) -> u16 {
    2 + count(play.rows.roles.len().max(1) + play.gone().len())
}

/// Cuts so many columns off the right, and two between.
fn split_right(area: Rect, width: u16) -> (Rect, Rect) {
    let left = area.width.saturating_sub(width + 2);
    (Rect { width: left, ..area }, Rect { x: area.right().saturating_sub(width), width, ..area })
}

/// Draws the states: as a drawing where there is room, else as two lines.
fn states(play: &Play, area: Rect, paint: Paint, buf: &mut Buffer) {
    let lit = Lit::of(&play.rows);
    let mut title = Line::from(Span::styled("TCP states", paint.title()));
    let mut protocols = play.rows.all().map(|(_, entry)| entry.socket.protocol).peekable();
    if protocols.peek().is_some() && !protocols.any(|protocol| protocol == Protocol::Tcp) {
        title.spans.push(Span::styled(" none of these rows is TCP's", paint.dim()));
    }
    if area.height == 1 {
        title.spans.extend(machine::one_line(&lit, paint));
    }
    let inner = part(title, area, paint, buf);
    if inner.height >= machine::HEIGHT && inner.width >= machine::WIDTH {
        let shift = (inner.width - machine::WIDTH) / 2;
        let at = Rect { x: inner.x + shift, width: inner.width - shift, ..inner };
        put(machine::drawing(&lit, paint), at, buf);
    } else {
        let at = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
        put(machine::two_lines(&lit, at.width.into(), paint), at, buf);
    }
}

/// Draws the calls: the last that fit, or those that were scrolled to.
fn calls(play: &Play, area: Rect, paint: Paint, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let mut title = Line::from(Span::styled("calls", paint.title()));
    let room = usize::from(area.height).saturating_sub(2);
    let form = Form { width, is_short: false, paint };
    let is_short = diagram::height_of_step(play, form) > room;
    let lines = diagram::lines(play, Form { is_short, ..form });
    let most = lines.len().saturating_sub(room);
    let skipped = most.saturating_sub(play.scrolled);
    if skipped > 0 {
        title.spans.push(Span::styled(format!(" ↑ {skipped} lines above"), paint.dim()));
    }
    let area = part(title, area, paint, buf);
    put([diagram::head(play, form)], area, buf);
    put(lines.into_iter().skip(skipped), below(area, 1), buf);
}

/// Draws the rows as the listing has them, each with whose it is in the lesson.
fn rows(play: &Play, area: Rect, paint: Paint, buf: &mut Buffer) {
    let mut title = Line::from(Span::styled("rows, as sockscope lists them now", paint.title()));
    let gone = play.gone();
    let room = usize::from(area.height).saturating_sub(2);
    let hidden = (play.rows.roles.len() + gone.len()).saturating_sub(room);
    if hidden > 0 {
        title.spans.push(Span::styled(format!(" {hidden} more: Tab"), paint.bad()));
    }
    let area = part(title, area, paint, buf);
    let roles = play.rows.roles.iter().chain(&gone);
    let width = roles.map(|role| role.name.chars().count()).max().unwrap_or_default();
    let empty = "(no rows)";
    let Some(snapshot) = play.rows.snapshot.as_ref().filter(|_| !play.rows.roles.is_empty()) else {
        let gone = gone.iter().map(|role| gone_line(*role, width, paint));
        put(
            [Span::styled(format!("   {empty}"), paint.dim()).into()].into_iter().chain(gone),
            area,
            buf,
        );
        return;
    };
    let left = usize::from(area.width).saturating_sub(width + 6);
    // Writing to a Vec does not fail.
    let text = table(snapshot, Some(left), false).unwrap_or_default();
    let mut text = text.lines();
    let head = text.next().unwrap_or_default();
    let changed = play.changed();
    let mut lines: Vec<(bool, Line<'static>)> = Vec::new();
    for (role, text) in play.rows.roles.iter().zip(text) {
        let is_changed = changed.contains(role);
        let mark = if is_changed { '*' } else { ' ' };
        let style = paint.program(role.program);
        let own = if is_changed { style.patch(bold()) } else { style };
        let line = vec![
            Span::styled(format!("{mark} "), bold()),
            Span::styled(format!("{} {:width$}  ", symbol(role.program), role.name), own),
            Span::styled(text.to_owned(), if is_changed { bold() } else { Style::new() }),
        ];
        lines.push((is_changed, line.into()));
    }
    lines.extend(gone.iter().map(|role| (true, gone_line(*role, width, paint))));
    let head = Span::styled(format!("{:1$}{head}", "", width + 6), paint.dim());
    put([head.into()], area, buf);
    put(turned_to(lines, room, play.rows_turned), below(area, 1), buf);
}

fn gone_line(role: Role, width: usize, paint: Paint) -> Line<'static> {
    let text = format!("  {} {:width$}  gone", symbol(role.program), role.name);
    Span::styled(text, paint.dim()).into()
}

/// Returns the lines to show: first what fits best, then, turn by turn, all of them from the first on.
fn turned_to(lines: Vec<(bool, Line<'static>)>, room: usize, turned: usize) -> Vec<Line<'static>> {
    if lines.len() <= room {
        return fitting(lines, room);
    }
    let pages = lines.len().div_ceil(room.max(1));
    match turned % (pages + 1) {
        0 => fitting(lines, room),
        page => {
            lines.into_iter().map(|(_, line)| line).skip((page - 1) * room).take(room).collect()
        }
    }
}

/// Returns the lines that fit: those that did not change give way first, the oldest before the others.
fn fitting(lines: Vec<(bool, Line<'static>)>, room: usize) -> Vec<Line<'static>> {
    let mut excess = lines.len().saturating_sub(room);
    let mut fits = |is_changed: bool| {
        let gives_way = !is_changed && excess > 0;
        excess -= usize::from(gives_way);
        !gives_way
    };
    lines.into_iter().filter_map(|(is_changed, line)| fits(is_changed).then_some(line)).collect()
}

/// Returns the commands of other tools.
fn see(model: &Model, play: &Play) -> Vec<SeeIt> {
    let rows = &play.rows;
    let commands = |snapshot| see_it(model.system, snapshot, &rows.roles);
    let mut all: Vec<SeeIt> = rows.snapshot.iter().flat_map(commands).collect();
    if all.is_empty() {
        let command = "# no tool shows anything: there are no rows".to_owned();
        all.push(SeeIt { tool: "", command, lacks: Vec::new() });
    }
    all
}

/// Draws the commands, if there are any, at the bottom of the area, and returns what is left above them.
fn see_below(tools: Vec<SeeIt>, area: Rect, paint: Paint, buf: &mut Buffer) -> Rect {
    if tools.is_empty() {
        return area;
    }
    let room = usize::from(area.width).saturating_sub(2);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for see in tools {
        for text in wrap(&see.command, room, 4) {
            lines.push(Span::raw(format!(" {text}")).into());
        }
        if !see.lacks.is_empty() {
            let text = format!("    does not show: {}", see.lacks.join(", "));
            lines.push(Span::styled(format!(" {}", cut(&text, room)), paint.dim()).into());
        }
    }
    let (above, panel) = split_bottom(area, 1 + count(lines.len()));
    let title = "see it yourself, in another terminal";
    let panel = part(Span::styled(title, paint.title()).into(), panel, paint, buf);
    put(lines, panel, buf);
    above
}

/// Draws the keys and the symbols over the middle of the page.
fn help(area: Rect, paint: Paint, buf: &mut Buffer) {
    let keys = HELP.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
    let text = HELP.iter().map(|(key, what)| format!(" {key:keys$}  {what} "));
    let text: Vec<String> = text.collect();
    let widest = text.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    let (width, height) =
        (count(widest + 2).min(area.width), count(text.len() + 2).min(area.height));
    let at = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(at, buf);
    let inner = usize::from(width).saturating_sub(2);
    let edge = |left, right| Line::from(format!("{left}{}{right}", "─".repeat(inner)));
    let middle = text.iter().map(|line| Line::from(format!("│{:inner$}│", cut(line, inner))));
    put([edge('╭', '╮')].into_iter().chain(middle).chain([edge('╰', '╯')]), at, buf);
    let title = Line::from(Span::styled(" keys and signs: any key goes on ", paint.title()));
    put([title], Rect { x: at.x + 2, width: at.width.saturating_sub(4), ..at }, buf);
}
