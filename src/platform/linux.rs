//! Linux: sock_diag, /proc/net and the /proc/PID/fd walk.

#[cfg_attr(not(test), expect(dead_code, reason = "used once the backend is put together"))]
pub(crate) mod owners;
pub(crate) mod privilege;
pub(crate) mod stat;
