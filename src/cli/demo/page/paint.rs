//! How things look: one place that knows the colours, and that there may be none. Whatever a colour says,
//! a symbol or a word says too.

use ratatui::style::{Color, Modifier, Style};

use crate::demo::cast::Program;

/// The styles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) color: bool,
}

impl Paint {
    fn tint(self, style: Style, color: Color) -> Style {
        if self.color { style.fg(color) } else { style }
    }

    /// The program's colour.
    pub(super) fn program(self, program: Program) -> Style {
        self.tint(
            Style::new(),
            match program {
                Program::Client => Color::Cyan,
                Program::Server => Color::Yellow,
                Program::Child => Color::Magenta,
            },
        )
    }

    /// What is not the point now.
    pub(super) fn dim(self) -> Style {
        if self.color {
            Style::new().fg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    /// The title of a part.
    pub(super) fn title(self) -> Style {
        self.tint(bold(), Color::Blue)
    }

    /// A bar across the screen.
    pub(super) fn bar(self) -> Style {
        if self.color {
            Style::new().fg(Color::Black).bg(Color::Blue).add_modifier(Modifier::BOLD)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        }
    }

    /// A state that a row has.
    pub(super) fn lit(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        self.tint(style, Color::Green)
    }

    /// A call that failed, a packet that is lost, a promise that was not kept.
    pub(super) fn bad(self) -> Style {
        self.tint(bold(), Color::Red)
    }

    /// A call in a language.
    pub(super) fn code(self) -> Style {
        self.tint(Style::new().add_modifier(Modifier::ITALIC), Color::Green)
    }

    /// What crosses.
    pub(super) fn arrow(self) -> Style {
        self.tint(bold(), Color::Green)
    }
}

/// What is the point now.
pub(super) const fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

/// The symbol of a program: the same in the calls, the rows and the states.
pub(super) const fn symbol(program: Program) -> char {
    match program {
        Program::Client => '●',
        Program::Server => '■',
        Program::Child => '▲',
    }
}

/// The program's name.
pub(super) const fn name(program: Program) -> &'static str {
    match program {
        Program::Client => "client",
        Program::Server => "server",
        Program::Child => "child",
    }
}
