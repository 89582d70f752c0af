//! The backend for Windows: the portable one, and what Windows' own tables tell beside it.
//!
//! netstat2 and sysinfo are the base. On top come the scopes of link-local addresses, endpoints that are
//! bound and no more, the service behind a `svchost`, the users' names, and the moment at which a
//! socket was made: a process that is younger did not make it, it only has the number of who did.

#[cfg(all(feature = "portable", windows))]
pub(crate) mod bind_facts;
pub(crate) mod destroy;
#[cfg(all(feature = "portable", windows))]
pub(crate) mod native;
mod netsh;
#[cfg(all(feature = "portable", windows))]
pub(crate) mod process_control;
mod refine;
#[cfg(all(feature = "portable", windows))]
mod sys;
mod tables;
