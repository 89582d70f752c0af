//! "Did you mean": the nearest of the known words, for filters, columns and commands.

/// Returns the known word with the fewest typing slips between it and this one; `None` when all are
/// further away than a third of the word.
pub(crate) fn nearest<S: AsRef<str>>(
    word: &str,
    known: impl IntoIterator<Item = S>,
) -> Option<String> {
    let word = word.to_lowercase();
    let limit = word.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(&word, &known.as_ref().to_lowercase()), known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_word_is_suggested() {
        assert_eq!(nearest("lisen", ["listen", "closing"]).as_deref(), Some("listen"));
        assert_eq!(nearest("ROOT", ["root"]).as_deref(), Some("root"));
        assert_eq!(nearest("xyzzy", ["listen", "closing"]), None);
    }
}
