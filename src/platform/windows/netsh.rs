//! What `netsh` prints, and the registry holds, about ports. Words are the user's language's: numbers,
//! marks and addresses alone are read. Pure.

use std::ops::RangeInclusive;

use crate::diagnose::{ExcludedPorts, PortProxy};

/// Reads `netsh int ipv4 show excludedportrange`: two ports a line, and a star behind ranges that an
/// administrator made.
pub(super) fn parse_excluded(text: &str) -> Vec<ExcludedPorts> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (first, last): (u16, u16) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let is_administered = match words.next() {
            None => false,
            Some("*") => true,
            Some(_) => return None,
        };
        (first <= last).then_some(ExcludedPorts { ports: first..=last, is_administered })
    };
    text.lines().filter_map(line).collect()
}

/// Reads `netsh int ipv4 show dynamicport`: the first port, and then how many.
pub(super) fn parse_dynamic(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.lines().filter_map(|line| line.rsplit_once(':')?.1.trim().parse().ok());
    let (first, count): (u32, u32) = (numbers.next()?, numbers.next()?);
    let last = first.checked_add(count.checked_sub(1)?)?;
    Some(u16::try_from(first).ok()?..=u16::try_from(last).ok()?)
}

/// Reads `netsh http show servicestate`: every URL that HTTP.sys serves, with its port.
pub(super) fn parse_urls(text: &str) -> Vec<(u16, String)> {
    let mut urls: Vec<(u16, String)> = Vec::new();
    for word in text.split_whitespace() {
        let Some((scheme, rest)) = word.split_once("://") else { continue };
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            continue;
        }
        let host = rest.split('/').next().unwrap_or_default();
        // A prefix may carry an address behind its port: `http://host:80:127.0.0.1/`.
        let port = host.rsplit_once("]:").or_else(|| host.split_once(':')).map(|(_, port)| port);
        let port = port.and_then(|port| port.split(':').next()).and_then(|port| port.parse().ok());
        if let Some(port) = port
            && !urls.iter().any(|(_, known)| known == word)
        {
            urls.push((port, word.to_owned()));
        }
    }
    urls
}

/// Reads a value of the registry's key `PortProxy`: `0.0.0.0/8080` to `172.20.0.5/80`.
pub(super) fn parse_proxy(kind: &'static str, name: &str, data: &str) -> Option<PortProxy> {
    let (address, port) = name.rsplit_once('/')?;
    let (to, to_port) = data.rsplit_once('/')?;
    let _: u16 = to_port.parse().ok()?;
    // A person is to type the address, and to read where it leads.
    let is_plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:%*-_".contains(&byte))
    };
    if !is_plain(address) || !is_plain(to) {
        return None;
    }
    Some(PortProxy {
        kind,
        address: address.to_owned(),
        port: port.parse().ok()?,
        to: if to.contains(':') { format!("[{to}]:{to_port}") } else { format!("{to}:{to_port}") },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn excluded_ranges_are_read_in_any_language() {
        let text = "\r\nProtokoll tcp-Portausschlussbereiche\r\n\r\nStartport    Endport\r\n\
             ----------    --------\r\n        80          80\r\n      5357        5357\r\n     \
             50000       50059     *\r\n\r\n* - Verwaltete Portausschlüsse.\r\n";
        let told: Vec<_> = parse_excluded(text)
            .into_iter()
            .map(|range| (range.ports, range.is_administered))
            .collect();
        assert_eq!(told, [(80..=80, false), (5357..=5357, false), (50000..=50059, true)]);
        assert_eq!(parse_excluded("9 8\n1 2 3\n"), []);
    }

    #[test]
    fn the_dynamic_range_is_a_first_port_and_a_count() {
        let text = "\r\nProtocol tcp Dynamic Port Range\r\n---------------------------------\r\n\
             Start Port      : 49152\r\nNumber of Ports : 16384\r\n\r\n";
        assert_eq!(parse_dynamic(text), Some(49152..=65535));
        assert_eq!(parse_dynamic("Start Port : 65535\nNumber of Ports : 2\n"), None);
        assert_eq!(parse_dynamic("Start Port : 5\nNumber of Ports : 0\n"), None);
        assert_eq!(parse_dynamic(""), None);
    }

    #[test]
    fn urls_of_http_sys_have_ports() {
        let text = "        Registered URLs:\r\n            HTTP://+:5985/WSMAN/\r\n            \
             HTTPS://[::1]:8443/x/\r\n            HTTP://HOST:80:127.0.0.1/\r\n\r\nRequest queues:\r\n    \
             Request queue name: Request queue is unnamed.\r\n            HTTP://+:5985/WSMAN/\r\n";
        let ports: Vec<u16> = parse_urls(text).into_iter().map(|(port, _)| port).collect();
        assert_eq!(ports, [5985, 8443, 80]);
    }

    #[test]
    fn a_proxy_leads_from_one_end_to_another() {
        let proxy = parse_proxy("v4tov4", "0.0.0.0/8080", "172.20.0.5/80").unwrap();
        assert_eq!((&*proxy.address, proxy.port, &*proxy.to), ("0.0.0.0", 8080, "172.20.0.5:80"));
        let proxy = parse_proxy("v4tov6", "*/8080", "fe80::1/80").unwrap();
        assert_eq!((&*proxy.address, &*proxy.to), ("*", "[fe80::1]:80"));
        assert_eq!(parse_proxy("v4tov4", "0.0.0.0", "x"), None);
        assert_eq!(parse_proxy("v4tov4", "1 & format c:/80", "x/80"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, other: String) {
            parse_excluded(&text);
            parse_dynamic(&text);
            parse_urls(&text);
            parse_proxy("v4tov4", &text, &other);
        }
    }
}
