//! Words as values: users, commands, interfaces, protocols, families, states, owners.
//!
//! Shared by the language and lsof's lists, so that both know the same words.

use super::Names;
use super::error::{Fault, visible};
use super::expression::{Expression, Named, NumberKey, Ranges, StateSet, Test, TextKey};
use super::glob::Glob;
use super::number::{Unit, literal};
use super::token::Word;
use super::{host, word};
use crate::process::Via;

/// Returns the condition that the socket or an owner is this user's.
pub(super) fn user(word: &Word, names: &dyn Names) -> Result<Expression, Fault> {
    let name = word.glob();
    let Some(text) = name.literal() else {
        return Ok(Test::User(Named { name, number: None }).into());
    };
    if let Ok(uid) = text.parse::<u32>() {
        let uid = u64::from(uid);
        return Ok(Test::Number(NumberKey::Uid, Ranges::new([uid..=uid])).into());
    }
    let number = names.user(&text).map(|uid| uid.0);
    if number.is_none()
        && let Some(known) = names.users()
        && !known.contains(&text)
    {
        let message = format!("unknown user '{}'", visible(&text));
        return Err(Fault::new(word.span.clone(), message).nearest(&text, known));
    }
    Ok(Test::User(Named { name, number }).into())
}

/// Returns the condition that the socket is in one of these network namespaces, by number or name.
pub(super) fn netns(words: &[Word]) -> Expression {
    let (mut numbers, mut names) = (Vec::new(), Vec::new());
    for word in words {
        match Unit::of(NumberKey::Netns).range(word) {
            Ok(range) => numbers.push(range),
            Err(_) => names.push(Test::Netns(word.glob()).into()),
        }
    }
    if !numbers.is_empty() {
        names.push(Test::Number(NumberKey::Netns, Ranges::new(numbers)).into());
    }
    Expression::any(names)
}

/// Returns the condition that the socket is bound to this device.
pub(super) fn device(word: &Word, names: &dyn Names) -> Expression {
    Test::Device(host::interface(word.glob(), names)).into()
}

/// Returns the condition that this is known of an owner. A control group may be given as its directory,
/// as `ss(8)` wants it.
pub(super) fn text(key: TextKey, word: &Word) -> Expression {
    let mut glob = word.glob();
    while let (TextKey::Cgroup, Some(path)) = (key, glob.after("/sys/fs/cgroup/")) {
        let path = path.after("unified/").unwrap_or(path);
        glob = Glob::new(format!("/{path}"));
    }
    Test::Text(key, glob).into()
}

/// Returns the condition that the socket speaks this protocol.
pub(super) fn protocol(word: &Word) -> Result<Expression, Fault> {
    known(word, "protocol", word::protocol, word::protocols())
}

/// Returns the condition that the socket is of this family.
pub(super) fn family(word: &Word) -> Result<Expression, Fault> {
    let family = known(word, "family", word::family, word::families())?;
    Ok(Test::Family(family).into())
}

/// Returns the condition that the socket is of this type.
pub(super) fn socket_type(word: &Word) -> Result<Expression, Fault> {
    let socket_type = known(word, "socket type", word::socket_type, word::socket_types())?;
    Ok(Test::Type(socket_type).into())
}

/// Returns the states this word names.
pub(super) fn states(word: &Word) -> Result<StateSet, Fault> {
    known(word, "state", word::states, word::state_words())
}

/// Returns the condition that somebody, nobody, or nobody visible owns the socket.
pub(super) fn owner(word: &Word) -> Result<Expression, Fault> {
    let kinds = super::expression::OwnerKind::ALL.map(|kind| kind.name().to_owned());
    Ok(Test::Owner(known(word, "ownership", word::owner, kinds)?).into())
}

/// Returns the condition that an owner was found this way.
pub(super) fn via(word: &Word) -> Result<Expression, Fault> {
    let ways = Via::ALL.map(|via| via.name().to_owned());
    Ok(Test::Via(known(word, "way to find an owner", word::via, ways)?).into())
}

/// Looks a word up; the error lists a few known ones, and the nearest.
fn known<T>(
    word: &Word,
    noun: &str,
    find: fn(&str) -> Option<T>,
    words: impl IntoIterator<Item = String>,
) -> Result<T, Fault> {
    let text = literal(word)?;
    find(&text).ok_or_else(|| {
        let words: Vec<String> = words.into_iter().collect();
        let some = words.iter().take(6).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if words.len() > 6 { ", …" } else { "" };
        let message = format!("'{}' is no {noun}; expected {some}{more}", visible(&text));
        word::unsupported(word)
            .unwrap_or_else(|| Fault::new(word.span.clone(), message).nearest(&text, words))
    })
}
