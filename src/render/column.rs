//! The one table of columns. A new column is one entry here: its words, its sentence for the
//! documentation, its layout, what is in its cells and how it sorts.

mod cells;
mod keys;

use std::borrow::Cow;
use std::fmt;

use crate::nearest::nearest;
use crate::process::{HiddenReason, Ownership, Via};
use crate::render::names::ResolvedNames;
use crate::render::row::Row;
use crate::snapshot::Entry;

pub use keys::Key;

/// How a column's cells line up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Everything there is to know of one column.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Spec {
    /// The title in the table's header.
    pub header: &'static str,
    /// The words that name it in `--columns` and `--sort`; the first is its CSV title.
    pub words: &'static [&'static str],
    /// What it shows, in a sentence or two.
    pub doc: &'static str,
    /// How its cells line up.
    pub align: Align,
    /// How much it matters: on a narrow terminal the columns that matter least go first.
    pub importance: u8,
    /// The width it may be cut down to before columns are dropped; `None` when a cut cell would be
    /// worth nothing (numbers).
    pub shrinks_to: Option<usize>,
    /// Writes the cell, safe for a terminal; nothing when unknown.
    pub cell: fn(&Row<'_>, &ResolvedNames, &mut String),
    /// Returns what the column sorts by; `None` when unknown, which sorts last.
    pub key: for<'a> fn(&'a Entry) -> Option<Key<'a>>,
}

macro_rules! columns {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident $header:literal $words:tt $align:ident $importance:literal $shrinks_to:expr,
        $fact:ident;
    )+) => {
        /// A column of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Column {
            $( $(#[doc = $doc])+ $name, )+
        }

        /// Every column, in the order of the documentation.
        pub const COLUMNS: &[Column] = &[$(Column::$name),+];

        impl Column {
            /// Returns everything there is to know of the column.
            pub const fn spec(self) -> &'static Spec {
                match self {
                    $(Self::$name => const {
                        &Spec {
                            header: $header,
                            words: &$words,
                            doc: concat!($($doc),+).trim_ascii(),
                            align: Align::$align,
                            importance: $importance,
                            shrinks_to: $shrinks_to,
                            cell: cells::$fact,
                            key: keys::$fact,
                        }
                    },)+
                }
            }
        }
    };
}

columns! {
    /// The name of the process that holds the socket: `-` nobody (the kernel keeps it), `?` you may
    /// not see who (`?nginx.service` but the unit it was made in is known), `?vanished` gone while we looked, `?no-descriptor` held in a way that shows no
    /// descriptor, `?in-flight` likewise and maybe on its way to another process.
    Command "COMMAND" ["command", "cmd", "process"] Left 10 Some(7), command;
    /// Its process number; `812+2` means that two more processes hold the same socket.
    Pid "PID" ["pid"] Right 10 None, pid;
    /// The user of that process, by name or else by number. Where the owner is hidden, the user of
    /// the socket.
    User "USER" ["user", "owner_user"] Left 6 Some(5), user;
    /// The descriptor in that process; `4@8123` is descriptor 4 of its thread 8123, which has a
    /// table for itself. `acc`: no descriptor yet, the connection waits for that process to accept
    /// it. `uring`: none, the socket is registered with an io_uring of that process. `sent`:
    /// none yet, it is on its way to that process.
    Fd "FD" ["fd", "descriptor"] Right 5 None, fd;
    /// The protocol, with a 6 for a socket of the IPv6 family, as netstat writes it.
    Proto "PROTO" ["proto", "protocol", "netid"] Left 9 None, proto;
    /// The local address and port, as the kernel has them; the path or `@name` of a UNIX socket;
    /// what a packet socket hears (`arp%eth0`); the protocol and port of a netlink socket; the kernel's
    /// name for what is in none of its lists (`protocol:TCP`).
    Local "LOCAL" ["local", "src"] Left 8 Some(15), local;
    /// The peer's address and port; the path or `@name` of a UNIX peer, or `socket:[inode]` when it
    /// has none; `-` when unconnected.
    Peer "PEER" ["peer", "remote", "foreign", "dst"] Left 7 Some(15), peer;
    /// The TCP state; `-` for protocols that have none.
    State "STATE" ["state", "st"] Left 10 None, state;
    /// The local port alone.
    Port "PORT" ["port", "local_port", "lport", "sport"] Right 10 None, port;
    /// The peer's port alone.
    PeerPort "PPORT" ["peer_port", "pport", "dport", "rport"] Right 3 None, peer_port;
    /// The local address alone.
    LocalAddress "LADDR" ["local_address", "laddr"] Left 3 Some(9), local_address;
    /// The peer's address alone.
    PeerAddress "PADDR" ["peer_address", "paddr", "raddr"] Left 3 Some(9), peer_address;
    /// The address family of the socket: `inet`, `inet6`, `unix`, `packet`, `netlink`, `vsock`,
    /// `xdp`, `other`.
    Family "FAMILY" ["family", "af"] Left 2 None, family;
    /// The type of the socket, where its family has several: `stream`, `dgram`, `seqpacket`.
    Type "TYPE" ["type", "socket_type"] Left 4 None, socket_type;
    /// Who holds the other end of a UNIX socket: `dbus-daemon[712]`, and `dbus-daemon[712]+2` when
    /// two more processes do.
    PeerOwner "PEEROWNER" ["peer_owner", "peer_process"] Left 4 Some(9), peer_owner;
    /// The inode number of a UNIX socket's peer.
    PeerInode "PINODE" ["peer_inode"] Right 2 None, peer_inode;
    /// The device the socket is bound to (`SO_BINDTODEVICE`).
    Interface "IFACE" ["interface", "iface", "dev", "device"] Left 3 None, interface;
    /// Whether an IPv6 socket refuses IPv4 (`IPV6_V6ONLY`), where the kernel tells.
    V6only "V6ONLY" ["v6only"] Left 2 None, v6only;
    /// Bytes received that the owner has not read; a received FIN counts as one.
    RecvQ "RECVQ" ["recv_q", "recvq", "unread"] Right 4 None, recv_q;
    /// Bytes sent that the peer has not acknowledged, or not sent yet.
    SendQ "SENDQ" ["send_q", "sendq", "unsent"] Right 4 None, send_q;
    /// Of a listener: the connections that wait to be accepted, and the limit, as `0/128`.
    Backlog "BACKLOG" ["backlog"] Right 4 None, backlog;
    /// The running TCP timer: `timewait:43.2s`, and `on:0.4s:3` after three retransmissions.
    Timer "TIMER" ["timer"] Left 2 None, timer;
    /// The smoothed round trip time of a TCP connection, in milliseconds.
    Rtt "RTT" ["rtt"] Right 3 None, rtt;
    /// Its congestion window, in segments.
    Cwnd "CWND" ["cwnd"] Right 2 None, cwnd;
    /// Segments it has retransmitted so far.
    Retrans "RETRANS" ["retrans", "retransmits"] Right 3 None, retrans;
    /// Bytes it has received in order.
    BytesIn "BYTES_IN" ["bytes_in", "bytes_received"] Right 3 None, bytes_in;
    /// Bytes it has sent, each counted once.
    BytesOut "BYTES_OUT" ["bytes_out", "bytes_sent"] Right 3 None, bytes_out;
    /// Its congestion control.
    Cong "CONG" ["congestion", "cong"] Left 2 None, congestion;
    /// Bytes of memory that the receive and send queues take; buffers are counted whole.
    Mem "MEM" ["memory", "mem", "skmem"] Right 3 None, memory;
    /// Datagrams, or connections of a listener, that were dropped: mostly for want of room.
    Drops "DROPS" ["drops"] Right 3 None, drops;
    /// Options that differ from how a new socket has them, such as `freebind`, of those the kernel
    /// tells of.
    Options "OPTIONS" ["options", "opts"] Left 2 None, options;
    /// The user number of the socket; unknown for what only the kernel keeps.
    Uid "UID" ["uid"] Right 3 None, uid;
    /// The inode number of the socket, as in `/proc/PID/fd`.
    Inode "INODE" ["inode", "ino"] Right 2 None, inode;
    /// The cookie of the socket: never reused while the machine is up.
    Cookie "COOKIE" ["cookie", "sk"] Right 2 None, cookie;
    /// The network namespace: `host`, its name in `/run/netns`, else the first process in it as
    /// `4711/nginx`, else the inode of its `ns/net` link.
    Netns "NETNS" ["netns", "net"] Left 5 Some(6), netns;
    /// The process's number in its own PID namespace, as programs in its container know it.
    Nspid "NSPID" ["nspid"] Right 2 None, nspid;
    /// The thread that has the descriptor in a table for itself.
    Tid "TID" ["tid", "thread"] Right 2 None, tid;
    /// The parent of the process.
    Ppid "PPID" ["ppid"] Right 3 None, ppid;
    /// How long ago the process began: `45s`, `12m5s`, `3h20m`, `41d7h`.
    Age "AGE" ["age", "elapsed", "etime"] Right 3 None, age;
    /// When the process began, in UTC.
    Start "START" ["start", "started", "started_at"] Left 2 None, start;
    /// The kernel's own short name of the process, at most 15 bytes: what lsof and ss print.
    Comm "COMM" ["comm"] Left 3 Some(7), comm;
    /// The command line of the process.
    Cmdline "CMDLINE" ["cmdline", "args", "argv"] Left 4 Some(12), cmdline;
    /// The file of the program; `(deleted)` when it has been, `(replaced)` when another is there now.
    Exe "EXE" ["exe", "program"] Left 3 Some(12), exe;
    /// The working directory of the process.
    Cwd "CWD" ["cwd", "directory"] Left 2 Some(9), cwd;
    /// The systemd unit of the process, a user's own as `user@1000.service/app.service`. Where the
    /// owner is hidden, the unit that the socket was made in. On Windows the service that made the socket.
    Unit "UNIT" ["unit", "service"] Left 4 Some(12), unit;
    /// The container of the process, as `docker:web`, or by its number where the name
    /// may not be read (as a rule only by root): `docker:0123456789ab`; also a snap or Flatpak. Where the
    /// owner is hidden, the one that the socket was made in.
    Container "CONTAINER" ["container"] Left 4 Some(12), container;
    /// The control group of the process. Where the owner is hidden, the one that the socket was made
    /// in.
    Cgroup "CGROUP" ["cgroup"] Left 2 Some(12), cgroup;
    /// How many more processes hold the socket.
    Others "OTHERS" ["others", "shared"] Right 2 None, others;
    /// Whose the socket is: `held`, `kernel`, or `hidden` with the reason, as `hidden:permission`.
    Owner "OWNER" ["owner", "ownership"] Left 3 None, owner;
    /// How the owner was found: `fd` in its descriptors, `table` told by the system, `accept-queue`
    /// inferred from the listener the connection waits at, `thread-fd` in the descriptors that a
    /// thread has for itself, `io_uring` registered with a ring,
    /// `in-flight` inferred: it is on its way to that process inside a UNIX socket.
    Via "VIA" ["via"] Left 2 None, via;
}

/// The columns of the listing.
pub const DEFAULT: &[Column] = &[
    Column::Command,
    Column::Pid,
    Column::User,
    Column::Fd,
    Column::Proto,
    Column::Local,
    Column::Peer,
    Column::State,
];

impl Column {
    /// Returns the column that a word names: one of its words, whatever its case; `-` and `_` are
    /// the same.
    ///
    /// # Errors
    ///
    /// When no column has that word.
    pub fn parse(word: &str) -> Result<Self, UnknownColumn> {
        let wanted = word.trim().to_ascii_lowercase().replace('-', "_");
        COLUMNS
            .iter()
            .copied()
            .find(|column| {
                let spec = column.spec();
                spec.words.contains(&wanted.as_str()) || spec.header.eq_ignore_ascii_case(&wanted)
            })
            .ok_or_else(|| UnknownColumn::new(word, &wanted))
    }

    /// Returns true for a column that is empty unless [`crate::platform::Request::details`] were
    /// asked for.
    pub const fn needs_details(self) -> bool {
        matches!(
            self,
            Self::Rtt
                | Self::Cwnd
                | Self::Retrans
                | Self::BytesIn
                | Self::BytesOut
                | Self::Cong
                | Self::Mem
                | Self::Drops
                | Self::Options
        )
    }

    /// Returns true for a column that is empty unless
    /// [`crate::platform::Request::process_details`] were asked for.
    pub const fn needs_process_details(self) -> bool {
        matches!(self, Self::Exe | Self::Cwd | Self::Unit | Self::Container | Self::Cgroup)
    }

    /// Returns true for a column that shows numbers unless [`crate::platform::Request::user_names`]
    /// were asked for.
    pub const fn needs_user_names(self) -> bool {
        matches!(self, Self::User)
    }

    /// Returns what a cell shows when its value is unknown: a question mark for facts about an
    /// owner that is hidden, how it is held for the descriptor that is not needed for that, a dash
    /// for everything else.
    pub(crate) fn unknown(self, row: &Row<'_>) -> Cow<'static, str> {
        match row.owner.map(|owner| owner.via) {
            Some(Via::AcceptQueue) if self == Self::Fd => return "acc".into(),
            Some(Via::IoUring) if self == Self::Fd => return "uring".into(),
            Some(Via::InFlight) if self == Self::Fd => return "sent".into(),
            Some(_) | None => {}
        }
        let Ownership::Hidden(reason) = &row.entry.ownership else { return "-".into() };
        if (self, *reason) == (Self::Command, HiddenReason::Permission) {
            return cells::hidden_command(row).into();
        }
        let word = match (self, reason) {
            (Self::Command, HiddenReason::Vanished) => "?vanished",
            (Self::Command, HiddenReason::NoDescriptor) => "?no-descriptor",
            (Self::Command, HiddenReason::InFlight) => "?in-flight",
            (
                Self::Command
                | Self::Pid
                | Self::User
                | Self::Fd
                | Self::Nspid
                | Self::Tid
                | Self::Ppid
                | Self::Comm
                | Self::Cmdline
                | Self::Age
                | Self::Start
                | Self::Exe
                | Self::Cwd
                | Self::Others
                | Self::Via,
                _,
            ) => "?",
            _ => "-",
        };
        word.into()
    }
}

/// Parses a list of columns: words with commas between them. `all` is every column. A list that
/// starts with `+` or `-` changes the usual columns: `+word` adds one, `-word` takes one away.
///
/// # Errors
///
/// When a word names no column.
pub fn parse_list(list: &str, usual: &[Column]) -> Result<Vec<Column>, UnknownColumn> {
    let list = list.trim();
    let mut columns = if list.starts_with(['+', '-']) { usual.to_vec() } else { Vec::new() };
    for word in list.split(',').map(str::trim) {
        if let Some(word) = word.strip_prefix('-') {
            let unwanted = Column::parse(word)?;
            columns.retain(|column| *column != unwanted);
            continue;
        }
        let named = match word.strip_prefix('+').unwrap_or(word) {
            "all" => COLUMNS.to_vec(),
            word => vec![Column::parse(word)?],
        };
        for column in named {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
    }
    Ok(columns)
}

/// A word that names no column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownColumn {
    /// The word.
    pub word: String,
    /// The nearest word that does.
    pub nearest: Option<String>,
}

impl UnknownColumn {
    fn new(word: &str, wanted: &str) -> Self {
        let words = COLUMNS.iter().flat_map(|column| column.spec().words).copied();
        let nearest = nearest(wanted, words);
        Self { word: word.to_owned(), nearest }
    }
}

impl fmt::Display for UnknownColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no column is named '{}'", super::sanitize::string(&self.word))?;
        if let Some(nearest) = &self.nearest {
            return write!(f, "; did you mean '{nearest}'?");
        }
        f.write_str("; the columns are ")?;
        for (index, column) in COLUMNS.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", column.spec().words.first().unwrap_or(&column.spec().header))?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownColumn {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{KernelReason, KernelService, Service};

    #[test]
    fn no_word_names_two_columns() {
        for &column in COLUMNS {
            for word in column.spec().words.iter().chain([&column.spec().header]) {
                assert_eq!(Column::parse(word), Ok(column), "{word}");
            }
        }
    }

    #[test]
    fn every_column_has_a_header_words_and_a_sentence() {
        for column in COLUMNS {
            let spec = column.spec();
            assert_eq!(spec.header, spec.header.to_ascii_uppercase());
            assert!(!spec.words.is_empty(), "{column:?}");
            assert!(spec.doc.ends_with('.'), "{column:?}: {}", spec.doc);
            assert!(spec.shrinks_to.is_none() || spec.align == Align::Left, "{column:?}");
        }
    }

    #[test]
    fn every_column_is_in_the_documentation() {
        let documented = include_str!("../../docs/columns.md");
        let written: Vec<String> = COLUMNS
            .iter()
            .map(|column| {
                let spec = column.spec();
                let words: Vec<String> =
                    spec.words.iter().map(|word| format!("`{word}`")).collect();
                let mark = if DEFAULT.contains(column) { "yes" } else { "" };
                format!("| {} | {} | {mark} | {} |", spec.header, words.join(" "), spec.doc)
            })
            .collect();
        let written = written.join("\n");
        assert!(documented.contains(&written), "docs/columns.md should contain:\n{written}");
    }

    #[test]
    fn what_the_kernel_keeps_is_never_root_s() {
        let mut snapshot = crate::render::fixture::snapshot();
        snapshot.entries.retain(|entry| entry.ownership.kernel().is_some());
        for entry in &mut snapshot.entries {
            entry.socket.uid = Some(crate::process::Uid(0));
            entry.user = Some("root".into());
        }
        for column in [Column::User, Column::Uid] {
            assert_eq!(crate::render::fixture::cells(&snapshot.entries, column), [""]);
            assert!(snapshot.entries.iter().all(|entry| (column.spec().key)(entry).is_none()));
        }
    }

    #[test]
    fn the_numbers_of_a_connection_have_their_units_and_sort_as_numbers() {
        let snapshot = crate::render::fixture::snapshot();
        let [_, accepted, waiting, ..] = &snapshot.entries[..] else { panic!("three rows") };
        for (column, cell) in [
            (Column::Rtt, "18.204ms"),
            (Column::Cwnd, "10"),
            (Column::Retrans, "3"),
            (Column::BytesIn, "517"),
            (Column::BytesOut, "5736"),
            (Column::Cong, "cubic"),
            (Column::Mem, "5120"),
            (Column::Drops, "0"),
            (Column::Options, "freebind,transparent"),
        ] {
            let entries = [accepted.clone(), waiting.clone()];
            assert_eq!(crate::render::fixture::cells(&entries, column), [cell, ""], "{column:?}");
            assert!(column.needs_details());
            assert!((column.spec().key)(accepted).is_some(), "{column:?}");
            assert!((column.spec().key)(waiting).is_none(), "{column:?}");
        }
        assert_eq!((Column::Rtt.spec().key)(accepted), Some(Key::Number(18_204)));
    }

    #[test]
    fn an_age_is_told_in_its_two_largest_units() {
        let told = |seconds| {
            let mut entries = crate::render::fixture::snapshot().entries;
            entries.retain(|entry| matches!(entry.ownership, Ownership::Held(_)));
            entries.truncate(1);
            if let Ownership::Held(owners) = &mut entries[0].ownership {
                let process = std::sync::Arc::make_mut(&mut owners[0].process);
                process.age = Some(std::time::Duration::from_secs(seconds));
            }
            crate::render::fixture::cells(&entries, Column::Age).remove(0)
        };
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m0s"),
            (3599, "59m59s"),
            (3600, "1h0m"),
            (86_399, "23h59m"),
            (86_400, "1d0h"),
            (41 * 86_400 + 7 * 3600 + 59, "41d7h"),
        ] {
            assert_eq!(told(seconds), expected);
        }
    }

    #[test]
    fn a_hidden_owner_goes_by_the_control_group_the_socket_was_made_in() {
        let mut entries = crate::render::fixture::snapshot().entries;
        let hidden = Ownership::Hidden(HiddenReason::Permission);
        entries.retain(|entry| entry.ownership == hidden);
        let command = |entries: &[Entry]| {
            let row = Row { entry: &entries[0], owner: None };
            Column::Command.unknown(&row).into_owned()
        };
        let cells = |entries: &[Entry], column| crate::render::fixture::cells(entries, column);
        assert_eq!(command(&entries), "?postgresql.service");
        assert_eq!(cells(&entries, Column::Unit), ["postgresql.service"]);
        assert_eq!(cells(&entries, Column::Cgroup), ["/system.slice/postgresql.service"]);
        assert_eq!(cells(&entries, Column::Command), [""], "in CSV it is unknown");

        let id = "0123456789abcdef".repeat(4);
        let docker = crate::cgroup::Cgroup::new(format!("/docker/{id}").as_str().into());
        entries[0].socket.cgroup = Some(docker.into());
        assert_eq!(command(&entries), "?docker:0123456789ab");
        entries[0].socket.cgroup = Some(crate::cgroup::Cgroup::new("/".into()).into());
        assert_eq!(command(&entries), "?");
        // A service of the kernel's is no process.
        for (is_inferred, shown) in [(false, "[vxlan]"), (true, "[vxlan?]")] {
            let service = KernelService { kind: Service::Vxlan, links: Vec::new(), is_inferred };
            entries[0].ownership = Ownership::Kernel(KernelReason::Service(service.into()));
            assert_eq!(cells(&entries, Column::Command), [shown]);
            assert_eq!(cells(&entries, Column::Owner), ["kernel:vxlan"]);
        }
        // What only the kernel keeps is nobody's, whoever made it.
        entries[0].ownership = Ownership::Kernel(KernelReason::TimeWait);
        assert_eq!(cells(&entries, Column::Cgroup), [""]);
    }

    #[test]
    fn case_and_dashes_do_not_matter() {
        assert_eq!(Column::parse("Local-Port"), Ok(Column::Port));
        assert_eq!(Column::parse("STATE"), Ok(Column::State));
    }

    #[test]
    fn a_near_miss_is_suggested() {
        let error = Column::parse("comand").unwrap_err();
        assert_eq!(error.to_string(), "no column is named 'comand'; did you mean 'command'?");
    }

    #[test]
    fn a_list_names_each_column_once() {
        assert_eq!(parse_list("pid, PORT,pid", DEFAULT), Ok(vec![Column::Pid, Column::Port]));
        assert_eq!(parse_list("all", DEFAULT).unwrap(), COLUMNS);
    }

    #[test]
    fn a_plus_adds_to_the_usual_columns_and_a_minus_takes_away() {
        let usual = [Column::Pid, Column::Local];
        let columns = |list| parse_list(list, &usual).unwrap();
        assert_eq!(columns("+inode,pid"), [Column::Pid, Column::Local, Column::Inode]);
        assert_eq!(columns("-pid,+state"), [Column::Local, Column::State]);
        assert_eq!(columns("-user"), usual);
    }
}
