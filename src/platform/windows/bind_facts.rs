//! What decides a bind on Windows beside the sockets. No documented call tells the excluded ranges, so
//! `netsh` is asked, whose numbers are read and whose words are not.

use std::process::{Command, Stdio};

use super::{netsh, sys};
use crate::diagnose::{BindFacts, BindRequest, PortProxy, Target, WindowsFacts};
use crate::snapshot::{Gap, Missing};

/// Where the service `iphlpsvc` keeps what it forwards.
const PROXIES: &str = r"SYSTEM\CurrentControlSet\Services\PortProxy";

/// Gathers the facts.
pub(in crate::platform) fn gather(request: &BindRequest) -> BindFacts {
    let mut facts = BindFacts {
        // Windows has no privileged ports, and IPv6 sockets refuse IPv4 unless told otherwise
        // (<https://learn.microsoft.com/windows/win32/winsock/dual-stack-sockets>).
        unprivileged_port_start: Some(0),
        bindv6only: Some(true),
        ..BindFacts::default()
    };
    let Target::Inet { protocol, address, .. } = &request.target else { return facts };
    let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    let protocol = protocol.name();
    let mut gaps = Vec::new();
    let mut ask = |words: &[&str]| {
        netsh(words).unwrap_or_else(|why| {
            let gap = Gap::new(Missing::BindFacts, why);
            gaps.push(gap.detail(format!("netsh {}", words.join(" "))));
            String::new()
        })
    };
    let of_protocol = format!("protocol={protocol}");
    let excluded =
        netsh::parse_excluded(&ask(&["int", family, "show", "excludedportrange", &of_protocol]));
    facts.ephemeral = netsh::parse_dynamic(&ask(&["int", family, "show", "dynamicport", protocol]));
    let urls = netsh::parse_urls(&ask(&["http", "show", "servicestate"]));
    facts.windows =
        Some(WindowsFacts { excluded, urls, proxies: proxies(), is_wine: sys::is_wine() });
    facts.gaps = gaps;
    facts
}

fn proxies() -> Vec<PortProxy> {
    let mut proxies = Vec::new();
    for kind in ["v4tov4", "v4tov6", "v6tov4", "v6tov6"] {
        // A key that is not there is the usual case: nothing is forwarded so.
        let values = sys::registry_texts(&format!(r"{PROXIES}\{kind}\tcp")).unwrap_or_default();
        proxies
            .extend(values.iter().filter_map(|(name, data)| netsh::parse_proxy(kind, name, data)));
    }
    proxies
}

/// Returns what `netsh` prints.
#[expect(clippy::disallowed_methods, reason = "no documented call tells the same")]
fn netsh(words: &[&str]) -> Result<String, String> {
    let output = Command::new("netsh")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    // Wine's netsh does nothing, and says so by its status. Of Windows' that is a refusal.
    if !output.status.success() && !sys::is_wine() {
        return Err("netsh refuses to tell".to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{Ipv4Addr, SocketAddr};

    use socket2::{Domain, Socket, Type};

    use super::*;
    use crate::diagnose::windows::{FIRST, Outcome, Reach, SECOND, Sharing};

    fn bind(sharing: Sharing, reach: Reach, port: u16) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        match sharing {
            Sharing::Default => {}
            Sharing::Reuse => socket.set_reuse_address(true)?,
            Sharing::Exclusive => sys::set_exclusive(&socket)?,
        }
        let address = match reach {
            Reach::Wildcard => Ipv4Addr::UNSPECIFIED,
            Reach::Specific => Ipv4Addr::LOCALHOST,
        };
        socket.bind(&SocketAddr::from((address, port)).into())?;
        Ok(socket)
    }

    /// What Wine 10 answers otherwise. While somebody listens, Linux below it refuses more; no program
    /// does here.
    const OF_WINE: [&str; 3] = [
        "(Default, Wildcard) after (Exclusive, Wildcard) is Denied, not InUse",
        "(Default, Specific) after (Reuse, Specific) is InUse, not Denied",
        "(Exclusive, Wildcard) after (Exclusive, Wildcard) is Denied, not InUse",
    ];

    #[test]
    fn the_table_of_binds_is_the_system_s() {
        let mut others = Vec::new();
        for (second, outcomes) in SECOND {
            for (first, told) in FIRST.into_iter().zip(outcomes) {
                let holder = bind(first.0, first.1, 0).unwrap();
                let port = holder.local_addr().unwrap().as_socket().unwrap().port();
                let made = match bind(second.0, second.1, port) {
                    Ok(_) => Outcome::Shared,
                    Err(error) if error.raw_os_error() == Some(10_048) => Outcome::InUse,
                    Err(error) if error.raw_os_error() == Some(10_013) => Outcome::Denied,
                    Err(error) => panic!("{first:?} {second:?}: {error}"),
                };
                // One user makes both.
                let told = if told == Outcome::Check { Outcome::Shared } else { told };
                if made != told {
                    others.push(format!("{second:?} after {first:?} is {made:?}, not {told:?}"));
                }
            }
        }
        let expected = if sys::is_wine() { &OF_WINE[..] } else { &[] };
        assert_eq!(others, expected);
    }
}
