//! What a learner says, and what the answer is then worth.

/// What a question is worth.
pub const POINTS: u32 = 10;
/// What a hint costs.
const HINT: u32 = 2;
/// What a wrong answer costs.
const WRONG: u32 = 3;

/// What a line of the learner's means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// A hint, if there is one left.
    Hint,
    /// The solution: given up.
    Solution,
    /// Set it up once more: it has ended, or was ended.
    Again,
    /// No more.
    Quit,
    /// An answer: the number of a cause from 0, a process, or both.
    Answer {
        /// The cause, as its place in what was offered.
        cause: Option<usize>,
        /// The process.
        pid: Option<u32>,
    },
    /// Arguments of `sockscope`, to be run.
    Command(Vec<String>),
    /// None of these.
    Unknown,
}

/// The commands that a learner may give in the place of an answer.
pub const COMMANDS: &[&str] = &["list", "ls", "port", "show", "why"];

/// Returns what a line means, when so many causes were offered.
pub fn said(line: &str, offered: usize) -> Said {
    let words = split(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        [] => Said::Nothing,
        ["h" | "hint"] => Said::Hint,
        ["s" | "solution"] => Said::Solution,
        ["r" | "again"] => Said::Again,
        ["q" | "quit"] => Said::Quit,
        ["sockscope", ref command @ ..] | ref command @ [..]
            if command.first().is_some_and(|first| COMMANDS.contains(first)) =>
        {
            Said::Command(command.iter().map(|&word| word.to_owned()).collect())
        }
        ref words => answer(words, offered).unwrap_or(Said::Unknown),
    }
}

/// Reads a letter, a number, or both in any order.
fn answer(words: &[&str], offered: usize) -> Option<Said> {
    let (mut cause, mut pid) = (None, None);
    for word in words {
        if let Ok(number) = word.parse() {
            pid.replace(number).is_none().then_some(())?;
        } else {
            let index = ('a'..)
                .take(offered)
                .position(|letter| word.eq_ignore_ascii_case(&letter.to_string()))?;
            cause.replace(index).is_none().then_some(())?;
        }
    }
    Some(Said::Answer { cause, pid })
}

/// Splits a line into words as a shell does, as far as quotes go.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// How it goes with one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempt {
    /// How many hints were given.
    pub hints: usize,
    /// How many answers were wrong.
    pub wrong: u32,
    /// Whether the cause was found.
    pub cause: bool,
    /// Whether the process was found, or there is none to be found.
    pub process: bool,
}

impl Attempt {
    /// Returns whether nothing is left to be found.
    pub const fn is_solved(self) -> bool {
        self.cause && self.process
    }

    /// Returns what it is worth: nothing before it is solved.
    pub fn points(self) -> u32 {
        let hints = u32::try_from(self.hints).unwrap_or(u32::MAX).saturating_mul(HINT);
        let lost = hints.saturating_add(self.wrong.saturating_mul(WRONG));
        if self.is_solved() { POINTS.saturating_sub(lost) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(cause: Option<usize>, pid: Option<u32>) -> Said {
        Said::Answer { cause, pid }
    }

    #[test]
    fn an_answer_is_a_letter_a_number_or_both_in_any_order() {
        assert_eq!(said("b\n", 5), answer(Some(1), None));
        assert_eq!(said(" 4711 ", 5), answer(None, Some(4711)));
        assert_eq!(said("B 4711", 5), answer(Some(1), Some(4711)));
        assert_eq!(said("4711 e", 5), answer(Some(4), Some(4711)));
    }

    #[test]
    fn what_was_not_offered_is_no_answer() {
        for line in ["f", "a b", "1 2", "x", "-1", "a 1 b", "99999999999", "é"] {
            assert_eq!(said(line, 5), Said::Unknown, "{line}");
        }
    }

    #[test]
    fn a_word_or_its_first_letter_is_a_wish() {
        for (line, wish) in [("", Said::Nothing), ("h", Said::Hint), ("solution", Said::Solution)] {
            assert_eq!(said(line, 5), wish, "{line}");
        }
        assert_eq!((said("r", 5), said("q", 5)), (Said::Again, Said::Quit));
    }

    #[test]
    fn a_command_is_taken_with_and_without_its_first_word_and_with_quotes() {
        let command = |words: &[&str]| Said::Command(words.iter().map(|&w| w.to_owned()).collect());
        assert_eq!(said("why 127.0.0.1:80", 5), command(&["why", "127.0.0.1:80"]));
        assert_eq!(
            said("sockscope list 'tcp and listen'", 5),
            command(&["list", "tcp and listen"])
        );
        assert_eq!(said("list \"\" 'open", 5), command(&["list", "", "open"]));
        assert_eq!(said("sockscope free 80", 5), Said::Unknown, "this only looks");
        assert_eq!(said("sockscope", 5), Said::Unknown);
    }

    #[test]
    fn hints_and_wrong_answers_cost_and_what_is_not_solved_is_worth_nothing() {
        let solved = Attempt { cause: true, process: true, ..Attempt::default() };
        assert_eq!(solved.points(), 10);
        assert_eq!(Attempt { hints: 2, ..solved }.points(), 6);
        assert_eq!(Attempt { hints: 1, wrong: 2, ..solved }.points(), 2);
        assert_eq!(Attempt { hints: usize::MAX, wrong: u32::MAX, ..solved }.points(), 0);
        assert_eq!(Attempt { process: false, ..solved }.points(), 0);
    }
}
