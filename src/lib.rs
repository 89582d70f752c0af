//! Lists the sockets of this machine with every process that holds them.
//!
//! Data goes one way:
//!
//! ```text
//! platform::collect ─▶ Collected ─▶ join ─▶ Snapshot ─▶ filter ─▶ sort ─▶ render ─▶ bytes
//! ```
//!
//! Only [`platform`] asks the system; everything after it is pure.
//!
//! # Every listener with its owners
//!
//! ```no_run
#![doc = include_str!("../examples/list.rs")]
//! ```
//!
//! # Who has a port
//!
//! A filter decides which rows are wanted; narrowing the request by it saves the system work and
//! changes no answer.
//!
//! ```no_run
#![doc = include_str!("../examples/who_has_port.rs")]
//! ```

pub mod cgroup;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod demo;
pub mod details;
pub mod diagnose;
pub mod doctor;
#[cfg(feature = "echo")]
pub mod echo;
pub mod error;
pub mod explain;
pub mod filter;
pub mod free;
pub mod holders;
pub mod join;
pub mod kernel;
mod nearest;
pub mod options;
pub mod overlap;
pub mod pairs;
pub mod pick;
pub mod platform;
pub mod port;
pub mod process;
pub mod rare;
pub mod render;
pub mod snapshot;
pub mod socket;
pub mod sockets;
pub mod sort;
pub mod state;
pub mod tcp_info;
pub mod text;
