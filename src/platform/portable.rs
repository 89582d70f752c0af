//! The portable backend: netstat2 and sysinfo.
