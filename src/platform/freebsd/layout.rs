//! Where the fields of FreeBSD's structures are, in bytes, on its 64-bit processors; the same since
//! version 12. `scripts/check-layouts` compares what is behind `//` with its headers.

pub(super) const FILE_SIZE: usize = 128; // sizeof xfile
pub(super) const FILE_PID: usize = 8; // xfile.xf_pid
pub(super) const FILE_FD: usize = 16; // xfile.xf_fd
pub(super) const FILE_TYPE: usize = 32; // xfile.xf_type
pub(super) const FILE_DATA: usize = 56; // xfile.xf_data

pub(super) const GEN_SIZE: usize = 64; // sizeof xinpgen
pub(super) const UNIX_GEN_SIZE: usize = 32; // sizeof xunpgen

pub(super) const SO: usize = 8; // xsocket.xso_so
pub(super) const FAMILY: usize = 100; // xsocket.xso_family
pub(super) const QLEN: usize = 104; // xsocket.so_qlen
pub(super) const QLIMIT: usize = 112; // xsocket.so_qlimit
pub(super) const UID: usize = 120; // xsocket.so_uid
pub(super) const TYPE: usize = 156; // xsocket.so_type
pub(super) const OPTIONS: usize = 158; // xsocket.so_options
pub(super) const STATE: usize = 162; // xsocket.so_state
pub(super) const RCV: usize = 168; // xsocket.so_rcv
pub(super) const SND: usize = 204; // xsocket.so_snd

pub(super) const PCB_SIZE: usize = 400; // sizeof xinpcb
pub(super) const PCB_SOCKET: usize = 8; // xinpcb.xi_socket
pub(super) const PCB_INC: usize = 248; // xinpcb.inp_inc
pub(super) const GENCNT: usize = 296; // xinpcb.inp_gencnt
pub(super) const FLAGS: usize = 356; // xinpcb.inp_flags
pub(super) const VFLAG: usize = 392; // xinpcb.inp_vflag

pub(super) const FPORT: usize = 4; // in_conninfo.inc_ie.ie_fport
pub(super) const LPORT: usize = 6; // in_conninfo.inc_ie.ie_lport
pub(super) const FADDR: usize = 8; // in_conninfo.inc_ie.ie_dependfaddr
pub(super) const LADDR: usize = 24; // in_conninfo.inc_ie.ie_dependladdr
pub(super) const ZONE: usize = 40; // in_conninfo.inc_ie.ie6_zoneid

pub(super) const TCP_SIZE: usize = 744; // sizeof xtcpcb
pub(super) const TCP_PCB: usize = 8; // xtcpcb.xt_inp
pub(super) const TCP_STATE: usize = 568; // xtcpcb.t_state
pub(super) const TCP_2MSL: usize = 604; // xtcpcb.tt_2msl

pub(super) const UNIX_SIZE: usize = 904; // sizeof xunpcb
pub(super) const UNIX_PCB: usize = 8; // xunpcb.xu_unpp
pub(super) const UNIX_CONN: usize = 24; // xunpcb.unp_conn
pub(super) const UNIX_ADDR: usize = 152; // xunpcb.xu_addr
pub(super) const UNIX_CADDR: usize = 408; // xunpcb.xu_caddr
pub(super) const UNIX_SOCKET: usize = 664; // xunpcb.xu_socket

pub(super) const PROC_SIZE: usize = 1088; // sizeof kinfo_proc
pub(super) const PROC_PID: usize = 72; // kinfo_proc.ki_pid
pub(super) const PROC_PPID: usize = 76; // kinfo_proc.ki_ppid
pub(super) const PROC_UID: usize = 168; // kinfo_proc.ki_uid
pub(super) const PROC_START: usize = 336; // kinfo_proc.ki_start
pub(super) const PROC_FLAG: usize = 368; // kinfo_proc.ki_flag
pub(super) const PROC_STAT: usize = 388; // kinfo_proc.ki_stat
pub(super) const PROC_COMM: usize = 447; // kinfo_proc.ki_comm
pub(super) const PROC_JID: usize = 592; // kinfo_proc.ki_jid
