//! The names of the live system, for filters: services, hosts, users and interfaces.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::OnceLock;

use super::services::Services;
use super::users;
use crate::filter::Names;
use crate::process::Uid;
use crate::socket::Protocol;

/// Looks names up on this machine, and hosts wherever it looks for them. Nothing is read before it
/// is asked for.
#[derive(Debug, Default)]
pub struct SystemNames {
    services: OnceLock<Services>,
}

impl SystemNames {
    /// Returns the names of this machine.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Names for SystemNames {
    fn service(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        self.services.get_or_init(Services::read).port(name, protocol)
    }

    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        let mut hosts: Vec<IpAddr> = Vec::new();
        if name.is_empty() {
            // Windows takes it for this machine.
            return hosts;
        }
        for address in (name, 0).to_socket_addrs().into_iter().flatten() {
            if !hosts.contains(&address.ip()) {
                hosts.push(address.ip());
            }
        }
        hosts
    }

    fn user(&self, name: &str) -> Option<Uid> {
        users::number(name)
    }

    /// Asks the resolver for the zone of a link-local address, which every system answers in the
    /// network namespace we are in, and without asking anybody else (RFC 4007, section 11).
    fn interface(&self, name: &str) -> Option<u32> {
        let address = (format!("fe80::1%{name}"), 0);
        match address.to_socket_addrs().ok()?.next()? {
            SocketAddr::V6(address) => Some(address.scope_id()).filter(|&index| index != 0),
            SocketAddr::V4(_) => None,
        }
    }

    fn users(&self) -> Option<Vec<String>> {
        users::local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn localhost_is_a_loopback_address() {
        assert!(SystemNames::new().hosts("localhost").contains(&Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn an_address_is_its_own_host() {
        assert_eq!(SystemNames::new().hosts("192.0.2.7"), [IpAddr::from([192, 0, 2, 7])]);
    }

    #[test]
    fn a_name_that_is_no_host_has_no_addresses() {
        for name in ["", "no\0host"] {
            assert_eq!(SystemNames::new().hosts(name), [] as [IpAddr; 0], "{name:?}");
        }
    }

    #[test]
    fn services_are_looked_up() {
        assert_eq!(SystemNames::new().service("https", Some(Protocol::Tcp)), Some(443));
        assert_eq!(SystemNames::new().service("no such service", None), None);
    }

    #[cfg(unix)]
    #[test]
    fn users_are_looked_up_and_listed() {
        assert_eq!(SystemNames::new().user("root"), Some(Uid(0)));
        assert!(SystemNames::new().users().unwrap().contains(&"root".to_owned()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_loopback_interface_has_an_index() {
        // In every network namespace it is made first.
        assert_eq!(SystemNames::new().interface("lo"), Some(1));
    }

    #[test]
    fn a_name_that_is_no_interface_has_no_index() {
        for name in ["", "no such one", "lo%lo", "lo\0", "averylongname-beyond-any-limit"] {
            assert_eq!(SystemNames::new().interface(name), None, "{name:?}");
        }
    }
}
