//! What names one socket on a command line: its cookie, its two ends, or a filter that it alone
//! matches. The first two are short for filters, so a target is one.

use crate::filter::{Filter, FilterError, Names};
use crate::socket::Protocol;

/// Parses what names a socket: `4110`, `127.0.0.1:80->127.0.0.1:5000`, `tcp:127.0.0.1:80->[::1]:5000`,
/// or a filter.
///
/// # Errors
///
/// When it is no filter either.
pub fn parse(text: &str, names: &dyn Names) -> Result<Filter, FilterError> {
    let text = text.trim();
    Filter::parse(filter(text).as_deref().unwrap_or(text), names)
}

/// Says what is short for a filter as that filter; `None` when it is neither a cookie nor two ends.
/// A number too large for a cookie is one nevertheless: the filter's error then names it so.
pub(super) fn filter(text: &str) -> Option<String> {
    cookie(text).or_else(|| ends(text))
}

/// Says a plain number as a filter.
fn cookie(text: &str) -> Option<String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("cookie {text}"))
}

/// Says `LOCAL->PEER`, or `PROTOCOL:LOCAL->PEER`, as a filter; `None` when it is neither.
fn ends(text: &str) -> Option<String> {
    let (local, peer) = text.split_once("->")?;
    let (local, peer) = (local.trim(), peer.trim());
    let is_word = |end: &str| !end.is_empty() && !end.contains(|c: char| " ()\"'".contains(c));
    if !is_word(local) || !is_word(peer) {
        return None;
    }
    Some(match local.split_once(':') {
        Some((protocol, local)) if is_protocol(protocol) => {
            format!("{protocol} and src {local} and dst {peer}")
        }
        Some(_) | None => format!("src {local} and dst {peer}"),
    })
}

/// Returns true for `tcp`, `tcp4`, `udp6` and so on.
fn is_protocol(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let name = word.strip_suffix(['4', '6']).unwrap_or(&word);
    Protocol::ALL.iter().any(|protocol| protocol.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::NoNames;

    /// Checks that the target means the same as the filter.
    #[track_caller]
    fn assert_means(target: &str, filter: &str) {
        assert_eq!(parse(target, &NoNames).unwrap(), Filter::parse(filter, &NoNames).unwrap());
    }

    #[test]
    fn a_number_is_a_cookie_and_no_port() {
        assert_means("4110", "cookie 4110");
        assert_means(" 4110 ", "cookie 4110");
    }

    #[test]
    fn an_impossible_cookie_is_called_a_cookie() {
        let error = parse("99999999999999999999", &NoNames).unwrap_err().to_string();
        assert!(error.starts_with("cookie 99999999999999999999 is out of range"), "{error}");
    }

    #[test]
    fn two_ends_are_local_and_peer() {
        assert_means("127.0.0.1:80->127.0.0.1:5000", "src 127.0.0.1:80 and dst 127.0.0.1:5000");
        assert_means("[::1]:80 -> [::1]:5000", "src [::1]:80 and dst [::1]:5000");
    }

    #[test]
    fn a_protocol_may_stand_before_the_ends() {
        assert_means(
            "tcp:127.0.0.1:80->127.0.0.1:5000",
            "tcp and src 127.0.0.1:80 and dst 127.0.0.1:5000",
        );
        assert_means("UDP6:[::1]:53->[::1]:5000", "udp6 and src [::1]:53 and dst [::1]:5000");
    }

    #[test]
    fn the_ends_cannot_smuggle_a_filter_in() {
        assert!(parse("127.0.0.1:80 or tcp->127.0.0.1:5000", &NoNames).is_err());
        assert!(parse("127.0.0.1:80->127.0.0.1:5000 or tcp", &NoNames).is_err());
        assert!(parse("->127.0.0.1:5000", &NoNames).is_err());
    }

    #[test]
    fn everything_else_is_a_filter() {
        assert_means("tcp and port 80", "tcp and port 80");
        assert_means(":80", ":80");
    }
}
