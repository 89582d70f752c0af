//! Where the fields of xnu's structures are, in bytes, the same on both processors.
//!
//! `scripts/check-layouts` compares what is behind `//` with Apple's headers. The structures of
//! `pcblist_n` are in no header that Apple gives away; they are in xnu's sources, packed to four bytes
//! (bsd/netinet/in_pcb.h, bsd/netinet/tcp_var.h, bsd/sys/socketvar.h).

pub(super) const FD: usize = 0; // proc_fdinfo.proc_fd
pub(super) const FD_TYPE: usize = 4; // proc_fdinfo.proc_fdtype
pub(super) const FD_SIZE: usize = 8; // sizeof proc_fdinfo

pub(super) const SOCKET_INFO: usize = 24; // socket_fdinfo.psi

pub(super) const SO: usize = 136; // socket_info.soi_so
pub(super) const TYPE: usize = 152; // socket_info.soi_type
pub(super) const PROTOCOL: usize = 156; // socket_info.soi_protocol
pub(super) const FAMILY: usize = 160; // socket_info.soi_family
pub(super) const OPTIONS: usize = 164; // socket_info.soi_options
pub(super) const STATE: usize = 168; // socket_info.soi_state
pub(super) const QLEN: usize = 170; // socket_info.soi_qlen
pub(super) const QLIMIT: usize = 174; // socket_info.soi_qlimit
pub(super) const RCV: usize = 184; // socket_info.soi_rcv
pub(super) const SND: usize = 208; // socket_info.soi_snd
pub(super) const PROTO: usize = 240; // socket_info.soi_proto

pub(super) const SBI_CC: usize = 0; // sockbuf_info.sbi_cc

pub(super) const FPORT: usize = 0; // in_sockinfo.insi_fport
pub(super) const LPORT: usize = 4; // in_sockinfo.insi_lport
pub(super) const GENCNT: usize = 8; // in_sockinfo.insi_gencnt
pub(super) const FLAGS: usize = 16; // in_sockinfo.insi_flags
pub(super) const VFLAG: usize = 24; // in_sockinfo.insi_vflag
pub(super) const FADDR: usize = 32; // in_sockinfo.insi_faddr
pub(super) const LADDR: usize = 48; // in_sockinfo.insi_laddr
pub(super) const TCP_STATE: usize = 80; // tcp_sockinfo.tcpsi_state

pub(super) const CONN_SO: usize = 0; // un_sockinfo.unsi_conn_so
pub(super) const ADDR: usize = 16; // un_sockinfo.unsi_addr
pub(super) const CADDR: usize = 271; // un_sockinfo.unsi_caddr

pub(super) const BSD_SIZE: usize = 136; // sizeof proc_bsdinfo
pub(super) const BSD_STATUS: usize = 4; // proc_bsdinfo.pbi_status
pub(super) const BSD_PPID: usize = 16; // proc_bsdinfo.pbi_ppid
pub(super) const BSD_START: usize = 120; // proc_bsdinfo.pbi_start_tvsec

/// `struct xinpgen`, before and after the rows.
pub(super) const X_HEADER: usize = 24;
// Every piece of a row begins with these two.
pub(super) const X_LEN: usize = 0;
pub(super) const X_KIND: usize = 4;
// `struct xinpcb_n`.
pub(super) const X_FPORT: usize = 16;
pub(super) const X_LPORT: usize = 18;
pub(super) const X_GENCNT: usize = 28;
pub(super) const X_FLAGS: usize = 36;
pub(super) const X_VFLAG: usize = 44;
pub(super) const X_FADDR: usize = 48;
pub(super) const X_LADDR: usize = 64;
// `struct xsocket_n`.
pub(super) const X_SO: usize = 8;
pub(super) const X_TYPE: usize = 16;
pub(super) const X_OPTIONS: usize = 20;
pub(super) const X_STATE: usize = 26;
pub(super) const X_FAMILY: usize = 40;
pub(super) const X_QLEN: usize = 44;
pub(super) const X_QLIMIT: usize = 48;
pub(super) const X_UID: usize = 64;
// `struct xsockbuf_n`.
pub(super) const X_CC: usize = 8;
// `struct xtcpcb_n`.
pub(super) const X_TCP_STATE: usize = 36;
