//! TCP's state machine as a drawing, and as two lines: the states that rows have now are lit, and beside
//! each stands whose rows these are.

use std::collections::BTreeMap;

use ratatui::text::{Line, Span};

use super::model::Rows;
use super::paint::{Paint, symbol};
use crate::demo::cast::Program;
use crate::socket::Protocol;
use crate::state::TcpState;

/// The drawing. Behind each state is room for the symbols of those who are in it.
const DRAWING: [&str; 11] = [
    "CLOSED ──bind──▶ BOUND      ──listen──▶ LISTEN",
    "  │ connect                               │ SYN",
    "  ▼                                       ▼",
    "SYN_SENT      ────▶ ESTABLISHED      ◀──── SYN_RECV",
    "              close   │         │   FIN",
    "    ┌─────────────────┘         └─────────┐",
    "    ▼                                     ▼",
    "FIN_WAIT1       ─FIN─▶ CLOSING         CLOSE_WAIT",
    "    │ ACK                │ ACK            │ close",
    "    ▼                    ▼                ▼",
    "FIN_WAIT2       ─FIN─▶ TIME_WAIT       LAST_ACK     ▶ gone",
];

/// How wide the drawing is.
pub(super) const WIDTH: u16 = 59;
/// How high it is.
pub(super) const HEIGHT: u16 = 11;

/// The states as two lines: how a connection begins, and how it ends.
const LINES: [&[TcpState]; 2] = [
    &[
        TcpState::Bound,
        TcpState::Listen,
        TcpState::SynSent,
        TcpState::SynRecv,
        TcpState::Established,
    ],
    &[
        TcpState::FinWait1,
        TcpState::FinWait2,
        TcpState::Closing,
        TcpState::CloseWait,
        TcpState::LastAck,
        TcpState::TimeWait,
    ],
];

/// Between two states of a line.
const GAP: &str = "  ";

/// Who is in each state, and how many of them.
#[derive(Debug, Default)]
pub(super) struct Lit(BTreeMap<TcpState, BTreeMap<Program, usize>>);

impl Lit {
    /// Returns the states that TCP's rows have.
    pub(super) fn of(rows: &Rows) -> Self {
        let mut lit = Self::default();
        for (role, entry) in rows.all() {
            if let Some(state) = entry.socket.state
                && entry.socket.protocol == Protocol::Tcp
            {
                *lit.0.entry(state).or_default().entry(role.program).or_default() += 1;
            }
        }
        lit
    }

    /// Returns the symbols of those who are in the state, each with their number when it is not one.
    fn marks(&self, state: TcpState, paint: Paint) -> Vec<Span<'static>> {
        let Some(counts) = self.0.get(&state) else { return Vec::new() };
        let mark = |program| {
            let count = *counts.get(&program)?;
            let count = if count > 1 { count.to_string() } else { String::new() };
            Some(Span::styled(format!("{}{count}", symbol(program)), paint.program(program)))
        };
        Program::IN_ORDER.into_iter().filter_map(mark).collect()
    }

    fn has(&self, state: TcpState) -> bool {
        self.0.contains_key(&state)
    }
}

/// Returns the drawing.
pub(super) fn drawing(lit: &Lit, paint: Paint) -> Vec<Line<'static>> {
    DRAWING.iter().map(|line| drawn(line, lit, paint)).collect()
}

/// Returns one line of the drawing, its states lit or not.
fn drawn(line: &'static str, lit: &Lit, paint: Paint) -> Line<'static> {
    let mut spans = Vec::new();
    let mut rest = line;
    loop {
        let states = TcpState::all().map(|state| (state, state.to_string()));
        let found = states.filter_map(|(state, name)| rest.find(&name).map(|at| (at, state, name)));
        let Some((at, state, name)) = found.min_by_key(|(at, ..)| *at) else { break };
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        spans.push(Span::styled(before, paint.dim()));
        rest = from.strip_prefix(&name).unwrap_or_default();
        if lit.has(state) {
            spans.push(Span::styled(name, paint.lit()));
            // The symbols stand where the drawing left room for them.
            spans.push(Span::raw(" "));
            let marks = lit.marks(state, paint);
            let room = 1 + marks.iter().map(Span::width).sum::<usize>();
            let blank = rest.chars().take(room).take_while(|c| *c == ' ').count();
            rest = rest.get(blank..).unwrap_or_default();
            spans.extend(marks);
        } else {
            spans.push(Span::raw(name));
        }
    }
    spans.push(Span::styled(rest, paint.dim()));
    Line::from(spans)
}

/// Returns the states as two lines; where they do not fit, only those that are lit.
pub(super) fn two_lines(lit: &Lit, width: usize, paint: Paint) -> Vec<Line<'static>> {
    let line = |states: &&[TcpState]| {
        let line = |only_lit: bool| {
            let states = states.iter().filter(|state| !only_lit || lit.has(**state));
            Line::from(states.flat_map(|state| named(*state, lit, paint)).collect::<Vec<_>>())
        };
        let all = line(false);
        if all.width() <= width + GAP.len() { all } else { line(true) }
    };
    LINES.iter().map(line).collect()
}

/// Returns the states that are lit.
pub(super) fn one_line(lit: &Lit, paint: Paint) -> Vec<Span<'static>> {
    let states = LINES.into_iter().flatten().filter(|state| lit.has(**state));
    let mut spans = vec![Span::raw(GAP)];
    spans.extend(states.flat_map(|state| named(*state, lit, paint)));
    spans.pop();
    spans
}

/// Returns a state with the symbols of those who are in it.
fn named(state: TcpState, lit: &Lit, paint: Paint) -> Vec<Span<'static>> {
    let style = if lit.has(state) { paint.lit() } else { paint.dim() };
    let mut spans = vec![Span::styled(state.to_string(), style)];
    if lit.has(state) {
        spans.push(Span::raw(" "));
        spans.extend(lit.marks(state, paint));
    }
    spans.push(Span::raw(GAP));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_and_the_lines_have_every_state_of_tcp_once() {
        for state in TcpState::all() {
            let name = state.to_string();
            let drawn: usize = DRAWING.iter().map(|line| line.matches(&name).count()).sum();
            assert_eq!(drawn, 1, "{name}");
            let listed = LINES.iter().flat_map(|line| *line).filter(|one| **one == state).count();
            assert_eq!(listed, usize::from(state != TcpState::Closed), "{name}");
        }
    }

    #[test]
    fn the_drawing_is_as_large_as_it_says() {
        let widest = DRAWING.iter().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(WIDTH), "{widest}");
        assert_eq!(DRAWING.len(), usize::from(HEIGHT));
    }
}
