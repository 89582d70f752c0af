//! The terminal and the environment, read once when the command starts.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use terminal_size::{Height, Width, terminal_size_of};

/// What is known of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// The width of the terminal that stdout is; absent in a pipe or file, where nothing is cut.
    pub width: Option<u16>,
    /// Its height; absent likewise.
    pub height: Option<u16>,
    /// Whether stdout is a terminal.
    pub stdout: bool,
    /// Whether stdin is a terminal.
    pub stdin: bool,
    /// Whether stderr is a terminal.
    pub stderr: bool,
    /// Whether it can do nothing but print (`TERM=dumb`).
    pub dumb: bool,
    /// Whether stdout may be coloured when the user says nothing about it.
    pub color: bool,
}

/// When to colour: the value of `--color`. `Auto` is on a terminal, unless `NO_COLOR` is set or
/// `TERM` is `dumb`, and elsewhere with `CLICOLOR_FORCE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[expect(missing_docs, reason = "a variant's doc comment would make --help twice as long")]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

impl Terminal {
    /// Reads the three streams' nature, the size and the variables that concern them.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn read() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let size = if is_terminal { terminal_size_of(&stdout) } else { None };
        Self {
            width: size.map(|(Width(columns), _)| columns),
            height: size.map(|(_, Height(rows))| rows),
            stdout: is_terminal,
            stdin: io::stdin().is_terminal(),
            stderr: io::stderr().is_terminal(),
            dumb: is_dumb(|variable| std::env::var_os(variable)),
            color: may_color(is_terminal, |variable| std::env::var_os(variable)),
        }
    }

    /// Returns whether to colour, given the user's choice.
    pub const fn colors(self, choice: ColorChoice) -> bool {
        match choice {
            ColorChoice::Auto => self.color,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        }
    }
}

/// Follows <https://no-color.org> and <https://bixense.com/clicolors/>: `NO_COLOR` wins, then
/// `CLICOLOR_FORCE`, then whether it is a terminal that can.
fn may_color(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let is_on = |name| is_set(name) && variable(name).is_none_or(|value| value != "0");
    if is_set("NO_COLOR") {
        return false;
    }
    is_on("CLICOLOR_FORCE") || (is_terminal && !is_dumb(variable))
}

fn is_dumb(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors(is_terminal: bool, environment: &[(&str, &str)]) -> bool {
        may_color(is_terminal, |name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn a_terminal_is_coloured_and_a_pipe_is_not() {
        assert!(colors(true, &[]));
        assert!(!colors(false, &[]));
    }

    #[test]
    fn no_color_wins_over_everything() {
        assert!(!colors(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    }

    #[test]
    fn an_empty_no_color_is_no_wish() {
        assert!(colors(true, &[("NO_COLOR", "")]));
    }

    #[test]
    fn a_pipe_is_coloured_when_forced() {
        assert!(colors(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!colors(false, &[("CLICOLOR_FORCE", "0")]));
    }

    #[test]
    fn a_dumb_terminal_is_not_coloured() {
        assert!(!colors(true, &[("TERM", "dumb")]));
    }

    #[test]
    fn the_option_wins_over_the_environment() {
        let terminal = Terminal { color: true, ..Terminal::default() };
        assert!(!terminal.colors(ColorChoice::Never));
        assert!(Terminal::default().colors(ColorChoice::Always));
    }
}
