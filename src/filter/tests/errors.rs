//! Refused filters, as they are shown.

use proptest::prelude::*;

use super::Known;
use crate::filter::{Filter, NoNames, lists, lsof};

fn refused(input: &str) -> String {
    match Filter::parse(input, &Known) {
        Ok(filter) => panic!("{input} was taken as: {filter}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_error_shows_the_place_what_was_expected_and_the_nearest_word() {
    assert_eq!(
        refused("tcp and lisen"),
        "'lisen' is no condition; expected one such as tcp, listen, port 80\n  \
           tcp and lisen\n          \
                   ^^^^^\n\
         hint: did you mean 'listen'?"
    );
    assert_eq!(
        refused("tcp and"),
        "expected a condition such as tcp, listen, port 80, found nothing\n  \
           tcp and\n         \
                  ^"
    );
}

/// The first line of the error, and what the carets are under.
fn assert_refused(cases: &[(&str, &str, &str)]) {
    for (input, place, message) in cases {
        let error = Filter::parse(input, &Known).expect_err(input);
        assert_eq!(error.message(), *message, "{input}");
        assert_eq!(input.get(error.span()), Some(*place), "{input}");
    }
}

#[test]
fn the_grammar() {
    assert_refused(&[
        ("and tcp", "and", "expected a condition such as tcp, listen, port 80, found 'and'"),
        ("tcp or or udp", "or", "expected a condition such as tcp, listen, port 80, found 'or'"),
        ("not", "", "expected a condition such as tcp, listen, port 80, found nothing"),
        ("(tcp", "(", "this '(' is never closed; expected ')'"),
        ("tcp)", ")", "this ')' closes nothing"),
        ("()", ")", "expected a condition such as tcp, listen, port 80, found ')'"),
        ("= 80", "=", "expected a condition such as tcp, listen, port 80, found an operator"),
        ("port = = 80", "=", "expected a port such as 80, 3000-3999, http, found an operator"),
        ("pid:", "", "expected a number, found nothing"),
        ("user >= bob", ">=", "'user' has no order; expected = or !="),
        ("state > listen", ">", "states have no order; expected = or !="),
        ("port > 80,90", "90", "expected one value to compare with"),
        ("command \"abc", "\"abc", "this \" is never closed"),
        ("command and", "and", "expected a command such as nginx, python*, found 'and'"),
    ]);
}

#[test]
fn ports_and_numbers() {
    let on_both_sides = "expected a port such as 80, 3000-3999, http on both sides of ','";
    assert_refused(&[
        ("port 0", "0", "port 0 is out of range; expected 1 to 65535"),
        ("port 65536", "65536", "port 65536 is out of range; expected 1 to 65535"),
        ("tcp:65536", "65536", "port 65536 is out of range; expected 1 to 65535"),
        (":0", "0", "port 0 is out of range; expected 1 to 65535"),
        ("0", "0", "port 0 is out of range; expected 1 to 65535"),
        ("port 80-70000", "70000", "port 70000 is out of range; expected 1 to 65535"),
        (
            "port 99999999999999999999999",
            "99999999999999999999999",
            "port 99999999999999999999999 is out of range; expected 1 to 65535",
        ),
        ("port 443,3999-3000", "3999-3000", "the range 3999-3000 is reversed"),
        ("port 80,,443", "", on_both_sides),
        ("port 80,", "", on_both_sides),
        ("port < 1", "1", "nothing fits; expected a port, 1 to 65535, to lie there"),
        ("port > 65535", "65535", "nothing fits; expected a port, 1 to 65535, to lie there"),
        ("pid < 0", "0", "nothing fits; expected a pid, 0 to 4294967295, to lie there"),
        ("pid abc", "abc", "'abc' is no pid; expected a number or a range such as 100-199"),
        ("pid 1-x", "x", "'x' is no pid; expected a number or a range such as 100-199"),
        (
            "pid 4294967296",
            "4294967296",
            "pid 4294967296 is out of range; expected 0 to 4294967295",
        ),
        ("sk xyz", "xyz", "'xyz' is no cookie; expected a hexadecimal number"),
        (
            "port htp",
            "htp",
            "'htp' is no port; expected a number, a range such as 3000-3999, or a known service",
        ),
        ("port 80*", "80*", "'80*' is a pattern; this needs a single value"),
    ]);
    assert!(refused("port 3999-3000").ends_with("\nhint: did you mean '3000-3999'?"));
}

#[test]
fn hosts() {
    let expected = "is no address; expected one such as 10.0.0.1, 10.0.0.0/8, ::1";
    assert_refused(&[
        ("10.0.0.0/33", "10.0.0.0/33", "'/33' is no prefix length; expected /0 to /32"),
        ("dst ::/129", "::/129", "'/129' is no prefix length; expected /0 to /128"),
        ("dst 10.0.0.0/x", "10.0.0.0/x", "'/x' is no prefix length; expected /0 to /32"),
        ("dst 10.0.0.0/+8", "10.0.0.0/+8", "'/+8' is no prefix length; expected /0 to /32"),
        ("dst 300.1.1.1", "300.1.1.1", &format!("'300.1.1.1' {expected}")),
        ("dst 10.0.0", "10.0.0", &format!("'10.0.0' {expected}")),
        ("dst 8080", "8080", "'8080' is no address"),
        ("dst [::1", "[::1", "this '[' is never closed; expected ']'"),
        ("dst [::1]80", "80", "expected ':' and a port after ']'"),
        ("dst inet:[::1]", "::1", "'::1' is no inet address"),
        ("dst inet6:1.2.3.4", "1.2.3.4", "'1.2.3.4' is no inet6 address"),
        ("dst nowhere.test", "nowhere.test", "unknown host 'nowhere.test'"),
        ("prot:80", "prot", "unknown host 'prot'"),
        ("fe80::1%", "fe80::1%", "expected an interface after '%'"),
        ("10.0.0.1%eth0", "10.0.0.1%eth0", "only an IPv6 address has a zone behind '%'"),
    ]);
    assert!(refused("prot:80").ends_with("hint: did you mean 'port'?"));
}

#[test]
fn words() {
    assert_refused(&[
        (
            "state listen,tme-wait",
            "tme-wait",
            "'tme-wait' is no state; expected all, connected, synchronized, bucket, big, listen, …",
        ),
        (
            "family inet5",
            "inet5",
            "'inet5' is no family; expected inet, ipv4, ip4, 4, inet6, ipv6, …",
        ),
        ("owner root", "root", "'root' is no ownership; expected held, kernel, hidden"),
        (
            "via thread",
            "thread",
            "'thread' is no way to find an owner; expected fd, table, accept-queue, thread-fd, io_uring, in-flight",
        ),
        ("age soon", "soon", "'soon' is no age; expected one such as 90s, 15m, 1h, 7d"),
        ("age", "", "expected an age such as 90s, 15m, 1h, 7d, found nothing"),
        ("user rot", "rot", "unknown user 'rot'"),
        ("udp,tpc", "tpc", "'tpc' is no condition; expected one such as tcp, listen, port 80"),
        ("\"tcp\"", "\"tcp\"", "'tcp' is no condition; expected one such as tcp, listen, port 80"),
    ]);
    assert!(refused("user rot").ends_with("hint: did you mean 'root'?"));
    assert!(refused("state tme-wait").ends_with("hint: did you mean 'time_wait'?"));
}

#[test]
fn what_ss_can_and_we_cannot_is_named() {
    for input in ["autobound", "fwmark = 0x1/0x3", "dst tipc:1", "dccp"] {
        assert!(refused(input).contains("is not supported: sockscope "), "{input}");
    }
}

#[test]
fn nesting_has_a_limit_and_no_overflow() {
    for open in ["(", "not ", "! ", "not ("] {
        assert!(refused(&open.repeat(100_000)).starts_with("nested deeper than 200 levels\n"));
    }
    let deepest = format!("{}tcp{}", "(".repeat(200), ")".repeat(200));
    assert_eq!(Filter::parse(&deepest, &NoNames).unwrap().to_string(), "tcp");
}

#[test]
fn a_hostile_word_is_escaped_wherever_it_is_shown() {
    let word = "\u{1b}]0;x\u{7}\u{202e}";
    for input in [
        word.to_owned(),
        format!("port {word}"),
        format!("user {word}"),
        format!("state {word}"),
        format!("dst {word}"),
        format!("dst 10.0.0.1/{word}"),
        format!("port 5-{word}"),
        format!("command and{word} ("),
    ] {
        let shown = refused(&input);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
    }
    for error in [
        lists::users(word, &Known).unwrap_err(),
        lists::states(&format!("{word}:LISTEN"), &Known).unwrap_err(),
        lsof::parse_internet(word, &Known).unwrap_err(),
    ] {
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

proptest! {
    #[test]
    fn no_input_panics(input in prop_oneof![any::<String>(), "[a-z0-9,:\\\\\"*\\[\\]%/@é ]{0,12}"]) {
        if let Err(error) = Filter::parse(&input, &Known) {
            prop_assert!(input.get(error.span()).is_some());
        }
    }

    #[test]
    fn no_list_and_no_address_panics(input in "[0-9a-z^,:@/\\[\\]%*.\\-\u{e9}\u{1b} ]{0,20}") {
        for parse in [lists::pids, lists::users, lists::commands, lists::states, lists::ports, lsof::parse_internet] {
            if let Err(error) = parse(&input, &Known) {
                prop_assert!(input.get(error.span()).is_some(), "{error}");
            }
        }
    }
}
