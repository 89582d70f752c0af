//! Linux: sock_diag, /proc/net and the /proc/PID/fd walk.
