//! lsof's comma-separated lists: `--pid 1,^5`, `--user root,^nobody`, `--state LISTEN,^TIME_WAIT`.
//!
//! A row is wanted when it fits one of the items and none of those after a `^`; a list of only such
//! exclusions wants all others (`lsof(8)` -p, -u, -c, -s).

use super::error::Fault;
use super::expression::{End, Expression, NumberKey, Ranges, Side, Test};
use super::number::Unit;
use super::token::Word;
use super::{Filter, FilterError, Names, value};

/// Parses a list of process numbers and ranges: `1,100-199,^150`.
///
/// # Errors
///
/// When an item is no process number.
pub fn pids(input: &str, _names: &dyn Names) -> Result<Filter, FilterError> {
    list(input, 0, "a process number", |word| {
        let pids = Ranges::new([Unit::of(NumberKey::Pid).range(word)?]);
        Ok(Test::Number(NumberKey::Pid, pids).into())
    })
}

/// Parses a list of users by name or number: `root,1000,^nobody`.
///
/// # Errors
///
/// When an item is no user.
pub fn users(input: &str, names: &dyn Names) -> Result<Filter, FilterError> {
    list(input, 0, "a user", |word| value::user(word, names))
}

/// Parses a list of commands, by how they begin as in lsof, or as a pattern: `nginx,python?,^sshd`.
///
/// # Errors
///
/// When an item is one of lsof's regular expressions, which are not supported.
pub fn commands(input: &str, _names: &dyn Names) -> Result<Filter, FilterError> {
    // Before the commas are cut: a regular expression may contain some.
    let item = input.trim_start().trim_start_matches('^');
    if item.starts_with('/') && item.matches('/').count() > 1 {
        let message = "regular expressions are not supported; expected the beginning of a command";
        let fault = Fault::new(0..input.len(), message).hint("use a pattern such as *worker*");
        return Err(FilterError::new(input, fault));
    }
    list(input, 0, "a command", |word| {
        let glob = word.glob();
        let glob = if glob.literal().is_some() { glob.prefix() } else { glob };
        Ok(Test::Command(glob).into())
    })
}

/// Parses a list of states, in every spelling: `LISTEN,^time-wait`; or as lsof has it for the
/// sockets of one protocol: `TCP:LISTEN`, `UDP:^Idle`.
///
/// # Errors
///
/// When an item is no state.
pub fn states(input: &str, _names: &dyn Names) -> Result<Filter, FilterError> {
    let state = |word: &Word| Ok(Test::State(value::states(word)?).into());
    let Some((protocol, states)) = input.split_once(':') else {
        return list(input, 0, "a state", state);
    };
    let word = Word::plain(protocol, 0);
    let of = value::protocol(&word).map_err(|fault| FilterError::new(input, fault))?;
    let only_exclusions = states.split(',').all(|item| item.trim_start().starts_with('^'));
    let Filter(wanted) = list(input, input.len() - states.len(), "a state", state)?;
    // lsof(8) -s: exclusions leave the other protocols alone, an inclusion leaves only what it names.
    Ok(Filter(if only_exclusions {
        Expression::any([of.negate(), wanted])
    } else {
        Expression::all([of, wanted])
    }))
}

/// Parses a list of ports, of either end: `80,443,3000-3999,^3306`.
///
/// # Errors
///
/// When an item is no port.
pub fn ports(input: &str, names: &dyn Names) -> Result<Filter, FilterError> {
    list(input, 0, "a port", |word| {
        let ports = Ranges::new([Unit::port(names, None).range(word)?]);
        Ok(Test::End(Side::Either, End::Port(ports)).into())
    })
}

/// Parses the list that starts at this byte of the input.
fn list(
    input: &str,
    start: usize,
    expected: &str,
    item: impl Fn(&Word) -> Result<Expression, Fault>,
) -> Result<Filter, FilterError> {
    let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
    let mut place = start;
    for text in input.get(start..).unwrap_or_default().split(',') {
        let trimmed = text.trim();
        let indent = text.len() - text.trim_start().len();
        let (negated, name) = match trimmed.strip_prefix('^') {
            Some(name) => (true, name),
            None => (false, trimmed),
        };
        let word = Word::unquoted(name, place + indent + usize::from(negated));
        let expression = if name.is_empty() {
            Err(Fault::new(word.span.clone(), format!("expected {expected}")))
        } else {
            item(&word)
        };
        let expression = expression.map_err(|fault| FilterError::new(input, fault))?;
        if negated {
            unwanted.push(expression.negate());
        } else {
            wanted.push(expression);
        }
        place += text.len() + 1;
    }
    let wanted = if wanted.is_empty() { Expression::All } else { Expression::any(wanted) };
    Ok(Filter(Expression::all([wanted].into_iter().chain(unwanted))))
}
