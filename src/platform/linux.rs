//! Linux: sock_diag, /proc/net and the /proc/PID/fd walk.

mod command;
mod inet_diag;
mod netlink;
#[cfg_attr(not(test), expect(dead_code, reason = "used once the backend is put together"))]
pub(crate) mod owners;
mod privilege;
mod proc_net;
pub(crate) mod process;
#[cfg_attr(not(test), expect(dead_code, reason = "used once the backend is put together"))]
pub(crate) mod sock_diag;
mod stat;
mod unix_diag;
