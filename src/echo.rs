//! The bundled echo server and client, on tokio: real sockets for the listing, the demo and a
//! learner's second terminal to look at.
//!
//! | part | job |
//! | --- | --- |
//! | [`address`] | `8080`, `[::1]:8080`, `/run/x.sock`: what a user types, as a value |
//! | [`frame`] | messages with a header in front, over a stream |
//! | [`listen`] | an address → bound sockets, or an error that says what to do |
//! | [`server`] | bound sockets + a stop future → echo, and a stream of [`event::Event`]s |
//! | [`client`] | sends, and verifies the echo byte for byte → a [`client::Report`] |
//! | [`reach`] | whether anybody accepts at an address |
//! | [`payload`] | the bytes sent: any offset can be made again, so nothing has to be remembered |
//!
//! Nothing here prints or reads a signal: the commands do (`cli/serve.rs`, `cli/connect.rs`).
//! Sockets and the stop future are arguments, so a test binds port 0 and stops when it likes.

pub mod address;
pub mod client;
pub mod error;
pub mod event;
pub mod frame;
pub mod listen;
pub mod payload;
pub mod reach;
pub mod server;
#[cfg(unix)]
mod unix_path;

use std::io;
use std::time::Duration;

use tokio::time::timeout;

/// What one connection's buffer holds. A thousand connections at once hold a few of these each:
/// measured, larger ones make nothing faster.
const CHUNK: usize = 16 * 1024;

/// The largest datagram there is: UDP's length field has 16 bits (RFC 768).
const LARGEST_DATAGRAM: usize = 65_535;

/// Waits for one input or output operation, at most `limit` where there is one.
async fn within<T>(
    limit: Option<Duration>,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match limit {
        None => operation.await,
        Some(limit) => timeout(limit, operation)
            .await
            .unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())),
    }
}
