//! Linux: sock_diag, /proc/net and the /proc/PID/fd walk.

mod inet_diag;
mod netlink;
#[cfg_attr(not(test), expect(dead_code, reason = "used once the backend is put together"))]
pub(crate) mod owners;
pub(crate) mod privilege;
mod proc_net;
#[cfg_attr(not(test), expect(dead_code, reason = "used once the backend is put together"))]
pub(crate) mod sock_diag;
pub(crate) mod stat;
