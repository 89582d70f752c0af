//! The calls as a sequence diagram: a column a program, time runs down, arrows are what crosses.
//!
//! Lines are made for one width; the page shows the last of them that fit.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::model::{Play, word};
use super::paint::{Paint, bold, name, symbol};
use super::wrap;
use crate::demo::cast::Program;
use crate::demo::code::{Language, code};
use crate::demo::stage::Call;
use crate::demo::stage::wire::{Crossing, Packet};

/// In front of the first column: the step's number.
const GUTTER: usize = 4;

/// The columns, and where they are.
#[derive(Debug, Clone)]
struct Columns {
    programs: Vec<Program>,
    /// How wide each is, its line of life included.
    width: usize,
    code: Option<Language>,
    paint: Paint,
}

/// How the diagram is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// How wide it is.
    pub(super) width: usize,
    /// Whether a handshake is one arrow, and not three.
    pub(super) is_short: bool,
    pub(super) paint: Paint,
}

/// Returns the line above the diagram: who has which column.
pub(super) fn head(play: &Play, form: Form) -> Line<'static> {
    let columns = Columns::new(play, form);
    let paint = form.paint;
    let mut spans = vec![Span::raw(" ".repeat(GUTTER))];
    for program in &columns.programs {
        let style = paint.program(*program).patch(bold());
        spans.push(Span::styled(
            pad(&format!("{} {}", symbol(*program), name(*program)), columns.width),
            style,
        ));
    }
    Line::from(spans)
}

/// Returns all lines of the diagram.
pub(super) fn lines(play: &Play, form: Form) -> Vec<Line<'static>> {
    let columns = Columns::new(play, form);
    let Form { paint, is_short, .. } = form;
    let mut lines = Vec::new();
    let mut last = 0;
    for (step, call) in &play.calls {
        let is_now = *step == play.number;
        let gutter = if *step == last { String::new() } else { format!("{step:>2}") };
        last = *step;
        for (index, mut line) in columns.call(call, is_now, is_short).into_iter().enumerate() {
            let number = if index == 0 { gutter.as_str() } else { "" };
            let style = if is_now { bold() } else { paint.dim() };
            line.spans.insert(0, Span::styled(format!("{number:<GUTTER$}"), style));
            lines.push(line);
        }
    }
    lines
}

/// Returns how many of the last lines belong to the step that was performed last.
pub(super) fn height_of_step(play: &Play, form: Form) -> usize {
    let columns = Columns::new(play, form);
    let now = play.calls.iter().filter(|(step, _)| *step == play.number);
    now.map(|(_, call)| columns.call(call, true, form.is_short).len()).sum()
}

impl Columns {
    fn new(play: &Play, form: Form) -> Self {
        let programs = play.programs();
        let width = form.width.saturating_sub(GUTTER) / programs.len().max(1);
        Self { programs, width, code: play.code, paint: form.paint }
    }

    /// Returns a call's lines: the call, what crosses, the result.
    fn call(&self, call: &Call, is_now: bool, is_short: bool) -> Vec<Line<'static>> {
        let Self { paint, .. } = *self;
        let failed = call.result.starts_with("-1");
        let (words, style) =
            if is_now { (bold(), Style::new()) } else { (paint.dim(), paint.dim()) };
        let style = if failed && is_now { paint.bad() } else { style };
        let result = format!("{} {}", if failed { '✗' } else { '=' }, call.result);
        let room = self.width.saturating_sub(3);
        let arrows = self.arrows(&call.crossed, is_now, is_short);
        let mut lines = Vec::new();
        let written = self.code.filter(|_| is_now).map(|language| code(call, language));
        let mut below = Vec::new();
        for text in written.iter().flatten().flat_map(|line| wrap(&format!("  » {line}"), room, 4))
        {
            below.push(self.beside(call.program, vec![Span::styled(text, paint.code())]));
        }
        if call.call.chars().count() + 1 + result.chars().count() <= room {
            let call_words = Span::styled(call.call.clone(), words);
            let text = vec![call_words, Span::styled(format!(" {result}"), style)];
            lines.push(self.beside(call.program, text));
            lines.extend(below);
            lines.extend(arrows);
            return lines;
        }
        for text in wrap(&call.call, room, 2) {
            lines.push(self.beside(call.program, vec![Span::styled(text, words)]));
        }
        lines.extend(below);
        lines.extend(arrows);
        for text in wrap(&format!("  {result}"), room, 4) {
            lines.push(self.beside(call.program, vec![Span::styled(text, style)]));
        }
        lines
    }

    /// Returns a line with this text beside the program's line of life.
    fn beside(&self, program: Program, text: Vec<Span<'static>>) -> Line<'static> {
        let mut spans = Vec::new();
        let mut text = Some(text);
        for column in &self.programs {
            spans.push(Span::styled("│", self.paint.program(*column)));
            let mut free = self.width.saturating_sub(1);
            if *column == program
                && let Some(text) = text.take()
            {
                let long: usize = text.iter().map(Span::width).sum();
                free = free.saturating_sub(long + 1);
                spans.push(Span::raw(" "));
                spans.extend(text);
            }
            spans.push(Span::raw(" ".repeat(free)));
        }
        Line::from(spans)
    }

    /// Returns a line for each arrow.
    fn arrows(&self, crossed: &[Crossing], is_now: bool, is_short: bool) -> Vec<Line<'static>> {
        let is_handshake = crossed.iter().any(|crossing| crossing.what == Packet::SynAck);
        if let [first, ..] = crossed
            && is_short
            && is_handshake
        {
            return self.arrow(first, "SYN, SYN+ACK, ACK", is_now).into_iter().collect();
        }
        crossed.iter().filter_map(|it| self.arrow(it, &word(it.what), is_now)).collect()
    }

    /// Returns an arrow from one line of life to the other; none within one program.
    fn arrow(&self, crossing: &Crossing, word: &str, is_now: bool) -> Option<Line<'static>> {
        let place = |program| self.programs.iter().position(|column| *column == program);
        let (from, to) = (place(crossing.from.program)?, place(crossing.to.program)?);
        let (left, right) = (from.min(to), from.max(to));
        let between = (self.width * right.checked_sub(left).filter(|n| *n > 0)?).saturating_sub(1);
        let style = match (is_now, crossing.arrives) {
            (false, _) => self.paint.dim(),
            (true, true) => self.paint.arrow(),
            (true, false) => self.paint.bad(),
        };
        let is_right = from < to;
        let word = cut(word, between.saturating_sub(6));
        let rule = between.saturating_sub(word.chars().count() + 3);
        let (before, after) = (rule / 2, rule - rule / 2);
        let shaft = |count| "─".repeat(count);
        // What does not arrive ends half way.
        let text = match (is_right, crossing.arrives) {
            (true, true) => format!("{} {word} {}▶", shaft(before), shaft(after)),
            (false, true) => format!("◀{} {word} {}", shaft(before), shaft(after)),
            (true, false) => format!("{} {word} ✗{}", shaft(before), " ".repeat(after)),
            (false, false) => format!("{}✗ {word} {}", " ".repeat(before), shaft(after)),
        };
        let mut spans = Vec::new();
        for (index, column) in self.programs.iter().enumerate() {
            if left < index && index < right {
                continue;
            }
            let life = self.paint.program(*column);
            spans.push(Span::styled("│", life));
            if index == left {
                spans.push(Span::styled(text.clone(), style));
            } else {
                spans.push(Span::raw(" ".repeat(self.width.saturating_sub(1))));
            }
        }
        Some(Line::from(spans))
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{:<width$}", cut(text, width))
}

/// Cuts a text that is too long, and says so.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { format!("{kept}…") }
}
