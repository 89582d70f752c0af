//! The filter language: which rows are wanted.

use std::net::IpAddr;

use crate::process::Uid;
use crate::socket::Protocol;

/// The names a filter may use instead of numbers, as the system knows them.
///
/// The filter itself asks nothing: whoever parses one says where its names come from. Names are
/// looked up once, while parsing.
pub trait Names {
    /// Returns the port of this service (`services(5)`), for this protocol or for any.
    fn service(&self, name: &str, protocol: Option<Protocol>) -> Option<u16>;

    /// Returns every address of this host; empty when it has none.
    fn hosts(&self, name: &str) -> Vec<IpAddr>;

    /// Returns the number of this user.
    fn user(&self, name: &str) -> Option<Uid>;

    /// Returns the index of this network interface.
    fn interface(&self, name: &str) -> Option<u32>;

    /// Returns the users' names, to tell an unknown user from a known one and to find the nearest
    /// word; `None` when the users are not this machine's (a recording) or have no numbers
    /// (Windows): then every name is taken as text and compared with the names in the rows.
    fn users(&self) -> Option<Vec<String>>;
}

/// Knows no names: every port, host and interface has to be a number.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn service(&self, _name: &str, _protocol: Option<Protocol>) -> Option<u16> {
        None
    }

    fn hosts(&self, _name: &str) -> Vec<IpAddr> {
        Vec::new()
    }

    fn user(&self, _name: &str) -> Option<Uid> {
        None
    }

    fn interface(&self, _name: &str) -> Option<u32> {
        None
    }

    fn users(&self) -> Option<Vec<String>> {
        None
    }
}
