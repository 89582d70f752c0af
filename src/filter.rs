//! The filter language: which rows are wanted. docs/filter.md is its manual.
//!
//! ```
//! use sockscope::filter::{Filter, NoNames};
//!
//! let filter = Filter::parse("tcp and listen and port 3000-3999", &NoNames)?;
//! assert_eq!(filter.to_string(), "tcp and state LISTEN and port 3000-3999");
//! # Ok::<(), sockscope::filter::FilterError>(())
//! ```
//!
//! Text is cut into tokens (`token`), parsed by one grammar (`parse`) with one table of words
//! (`word`) into a tree of tests (`expression`), which is run on rows (`eval`), written back
//! (`display`), and asked what a backend may skip (`narrow`). [`lsof`] and [`lists`] read lsof's
//! arguments into the same trees. Nothing here asks the system: see [`Names`].

#![forbid(unsafe_code)]

mod display;
mod error;
mod eval;
mod expression;
mod glob;
mod host;
pub mod lists;
pub mod lsof;
mod narrow;
mod number;
mod parse;
#[cfg(test)]
mod tests;
mod token;
mod value;
mod word;

use std::fmt;
use std::net::IpAddr;
use std::ops::Not;

pub use self::error::FilterError;
use self::expression::{Expression, Test};
use crate::platform::Request;
use crate::process::Uid;
use crate::snapshot::Entry;
use crate::socket::{Family, Protocol, SocketType};

/// Which rows are wanted.
///
/// `Display` writes a canonical form that parses back to an equal filter. It is not safe for a
/// terminal: it may hold names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Expression);

impl Filter {
    /// Parses a filter. An empty one accepts every row.
    ///
    /// # Errors
    ///
    /// When the text is no filter, or names something unknown; the error shows the place.
    pub fn parse(input: &str, names: &dyn Names) -> Result<Self, FilterError> {
        parse::parse(input, names).map(Self).map_err(|fault| FilterError::new(input, fault))
    }

    /// Returns the filter that accepts every row.
    pub const fn everything() -> Self {
        Self(Expression::All)
    }

    /// Returns the filter for what `ss -l` and `netstat -l` list, the word `server`: see
    /// [`crate::socket::Socket::is_listening`].
    pub const fn servers() -> Self {
        Self(Expression::Test(Test::Server))
    }

    /// Returns the filter for one protocol.
    pub const fn protocol(protocol: Protocol) -> Self {
        Self(Expression::Test(Test::Protocol(protocol)))
    }

    /// Returns the filter for one address family.
    pub const fn family(family: Family) -> Self {
        Self(Expression::Test(Test::Family(family)))
    }

    /// Returns the filter for one type of socket.
    pub const fn socket_type(socket_type: SocketType) -> Self {
        Self(Expression::Test(Test::Type(socket_type)))
    }

    /// Returns the filter that accepts what both accept.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Expression::all([self.0, other.0]))
    }

    /// Returns the filter that accepts what either accepts.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Expression::any([self.0, other.0]))
    }

    /// Returns the filter that accepts what one of these accepts; without any, nothing.
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        Self(Expression::any(filters.into_iter().map(|filter| filter.0)))
    }

    /// Returns whether the row is wanted.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.0.matches(entry)
    }

    /// Returns whether a row's owners can decide: then a row may be missing because they could not
    /// be seen.
    pub fn asks_for_owners(&self) -> bool {
        self.0.asks_for_owners()
    }

    /// Takes from the request what this filter cannot accept. Only work is saved: the rows are the
    /// same.
    pub fn narrow(&self, request: &mut Request) {
        narrow::narrow(&self.0, request);
    }

    /// Adds to the request the protocols and network namespaces that the filter names and the plain
    /// listing leaves out, so that `sockscope list unix` needs no flag. To be called before [`Filter::narrow`].
    pub fn widen(&self, request: &mut Request) {
        narrow::widen(&self.0, request);
        request.process_details |= self.0.asks_for_process_details();
        request.user_names |= self.0.asks_for_user_names();
    }
}

impl Not for Filter {
    type Output = Self;

    /// Returns the filter that accepts exactly what this one does not.
    fn not(self) -> Self {
        Self(self.0.negate())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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
