//! docs/filter.md is the manual: every word of the language is in it, and what it shows works.

use super::super::expression::Side;
use super::super::word::{self, Key};
use super::{Known, parse};
use crate::filter::Filter;
use crate::process::Via;

const MANUAL: &str = include_str!("../../../docs/filter.md");

fn assert_documented(word: &str) {
    assert!(MANUAL.contains(&format!("`{word}`")), "docs/filter.md lacks `{word}`");
}

#[test]
fn every_word_is_in_the_manual() {
    let operators = word::COMPARE_WORDS.iter().map(|(word, _)| *word).chain(word::JOINS);
    let grammar: Vec<&str> = operators.collect();
    for word in word::vocabulary() {
        if grammar.contains(&word.as_str()) {
            assert!(MANUAL.contains(&format!("\"{word}\"")), "the grammar lacks \"{word}\"");
        } else {
            assert_documented(&word);
        }
    }
    for via in Via::ALL {
        assert_documented(via.name());
    }
    for (word, _) in word::UNSUPPORTED {
        assert_documented(word);
    }
}

#[test]
fn every_sign_is_in_the_grammar() {
    for sign in ["=", "==", ":", "!=", "<", "<=", ">", ">=", "!", "&", "&&", "|", "||", "(", ")"] {
        assert!(MANUAL.contains(&format!("\"{sign}\"")), "{sign}");
    }
}

/// Each row of the table of keys starts with the spellings of one key.
#[test]
fn every_key_has_a_row_with_its_spellings() {
    for (key, words) in word::KEYS {
        let mut words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        if *key == Key::Port(Side::Local) {
            words.push("`local port`".into());
        } else if *key == Key::Port(Side::Peer) {
            words.push("`peer port`".into());
        }
        let row = format!("| {} | ", words.join(", "));
        assert!(MANUAL.lines().any(|line| line.starts_with(&row)), "no row {row}");
    }
}

#[test]
fn every_example_is_a_filter() {
    let (_, rest) = MANUAL.split_once("```filter\n").unwrap();
    let (examples, _) = rest.split_once("```").unwrap();
    assert!(examples.lines().count() > 10);
    examples.lines().for_each(|line| drop(parse(line)));
}

/// The first column of the table of hosts, each after a key.
#[test]
fn every_spelling_of_a_host_is_one() {
    let (_, rest) = MANUAL.split_once("## Hosts").unwrap();
    let (table, _) = rest.split_once("## ").unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let hosts: Vec<&str> = cells.flat_map(|(cell, _)| cell.split(" · ")).collect();
    assert!(hosts.len() > 20, "{hosts:?}");
    for host in hosts {
        drop(parse(&format!("host {}", host.trim_matches('`'))));
    }
}

#[test]
fn the_error_shown_is_the_real_one() {
    let error = Filter::parse("tcp and lisen", &Known).unwrap_err();
    assert!(MANUAL.contains(&format!("```text\n{error}\n```")), "{error}");
}
