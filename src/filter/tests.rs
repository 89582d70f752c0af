//! What the parts of the language mean together: a table over hand-made rows, errors as they are
//! shown, properties, and the manual.

mod documented;
mod errors;
mod lsof_arguments;
mod meaning;
mod properties;
mod rows;

use std::net::IpAddr;

use super::{Filter, Names};
use crate::kernel::{KernelReason, KernelService, Service};
use crate::process::{Ownership, Uid};
use crate::socket::Protocol;
use rows::rows;

/// A system with a few names.
struct Known;

impl Names for Known {
    fn service(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        match (name, protocol) {
            ("ssh", _) => Some(22),
            ("domain", _) => Some(53),
            ("http", _) => Some(80),
            ("https", _) => Some(443),
            ("who", Some(Protocol::Udp)) => Some(513),
            ("who", _) => Some(514),
            ("my-app", _) => Some(3000),
            _ => None,
        }
    }

    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        match name {
            "localhost" => vec![[127, 0, 0, 1].into(), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)],
            "peer.test" => vec![[10, 1, 2, 3].into()],
            _ => Vec::new(),
        }
    }

    fn user(&self, name: &str) -> Option<Uid> {
        match name {
            "root" => Some(Uid(0)),
            "alice" => Some(Uid(1000)),
            _ => None,
        }
    }

    fn interface(&self, name: &str) -> Option<u32> {
        match name {
            "lo" => Some(1),
            "eth0" => Some(2),
            _ => None,
        }
    }

    fn users(&self) -> Option<Vec<String>> {
        Some(vec!["root".to_owned(), "alice".to_owned()])
    }
}

fn parse(input: &str) -> Filter {
    Filter::parse(input, &Known).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the names of the rows that fit.
fn fitting(filter: &Filter) -> Vec<&'static str> {
    rows().into_iter().filter(|(_, entry)| filter.matches(entry)).map(|(name, _)| name).collect()
}

#[test]
fn only_some_conditions_ask_for_owners() {
    let asks = |filter| Filter::parse(filter, &Known).unwrap().asks_for_owners();
    for filter in ["pid 1", "user root", "not command nginx", "tcp and (port 80 or fd 3)"] {
        assert!(asks(filter), "{filter}");
    }
    for filter in ["", "tcp", "not port 80", "src 10.0.0.0/8 and listen", "inode 7"] {
        assert!(!asks(filter), "{filter}");
    }
}

#[test]
fn a_service_of_the_kernels_goes_by_its_word_as_a_command() {
    let service = KernelService { kind: Service::Vxlan, links: Vec::new(), is_inferred: false };
    let [(_, entry), ..] = &mut rows()[..] else { panic!("no rows") };
    entry.ownership = Ownership::Kernel(KernelReason::Service(service.into()));
    for (filter, expected) in [
        ("command vxlan", true),
        ("command vx*", true),
        ("owner kernel", true),
        ("command nfsd", false),
        ("owner held", false),
    ] {
        assert_eq!(parse(filter).matches(entry), expected, "{filter}");
    }
}
