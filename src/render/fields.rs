//! lsof's field output (`lsof -F`, "OUTPUT FOR OTHER PROGRAMS" in `lsof(8)`), for scripts that parse
//! it: process sets that start with `p`, in each its file sets that start with `f`, one field a line.
//!
//! As lsof does: sockets that no process holds are left out; names are escaped as `\n`, `^[` or
//! `\x9b` with a backslash doubled; an IPv4-mapped address is written as IPv4, a wildcard as `*`;
//! `c` is the kernel's short name. Unlike lsof: a socket that is bound but neither listens nor is
//! connected has an address and `TST=BOUND` (lsof knows only `protocol: TCP`), the address in memory
//! of a UNIX socket is not written, and the letters `C D F g G k K m M N r s S z Z` select nothing.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use crate::process::{Fd, Pid, Process};
use crate::render::sanitize;
use crate::snapshot::{Entries, Snapshot, parts};
use crate::socket::{
    Endpoint, Family, Protocol, Queues, Socket, SocketId, ethertype_name, netlink_name,
};
use crate::state::TcpState;

/// Every letter of `lsof -F?`, known or not to us.
const LETTERS: &str = "acCdDfFgGikKlLmMnNopPrRsStTuzZ";

/// The fields wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// The letters; all when empty.
    letters: String,
    /// Whether a NUL ends each field, and a newline each set.
    nul: bool,
}

impl Fields {
    /// Parses the letters after `-F`: `pcn`, `0` for NUL as the end of fields, none for all fields.
    ///
    /// # Errors
    ///
    /// When a letter is none of lsof's.
    pub fn parse(letters: &str) -> Result<Self, UnknownField> {
        match letters.chars().find(|&letter| letter != '0' && !LETTERS.contains(letter)) {
            Some(letter) => Err(UnknownField(letter)),
            None => Ok(Self { letters: letters.replace('0', ""), nul: letters.contains('0') }),
        }
    }

    fn wants(&self, letter: char) -> bool {
        // lsof always writes the process.
        letter == 'p' || self.letters.is_empty() || self.letters.contains(letter)
    }
}

/// A letter that is none of lsof's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no field has the letter '{}'; known are {LETTERS} and 0", .0.escape_debug())]
pub struct UnknownField(pub char);

/// Writes the fields of each process and its sockets, by process and descriptor.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    snapshot: &Snapshot<dyn Entries>,
    fields: &Fields,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut processes: BTreeMap<Pid, Holdings> = BTreeMap::new();
    let entries = &snapshot.entries;
    let mut row = 0..;
    for part in parts(entries) {
        for (row, entry) in row.by_ref().zip(part.iter()) {
            for owner in entry.ownership.owners() {
                // Inferred owners have no descriptor: lsof could not see them.
                if !owner.via.is_inferred() {
                    let process = processes.entry(owner.process.pid);
                    let (_, files) =
                        process.or_insert_with(|| (Arc::clone(&owner.process), Vec::new()));
                    files.push((owner.fd, entry.socket.id, row));
                }
            }
        }
    }
    let mut out = io::BufWriter::with_capacity(64 * 1024, out);
    let mut set = Set { fields, text: String::new() };
    for (process, files) in processes.values_mut() {
        files.sort_unstable();
        set.process(process);
        set.write(&mut out)?;
        for &(fd, _, row) in files.iter() {
            for entry in entries.some(row..row + 1).iter() {
                set.file(fd, &entry.socket);
                set.write(&mut out)?;
            }
        }
    }
    out.flush()
}

/// A process and what it holds: descriptors, each with its socket and where that is among the rows.
type Holdings = (Arc<Process>, Vec<(Option<Fd>, SocketId, usize)>);

/// The fields of one process or file.
struct Set<'a> {
    fields: &'a Fields,
    text: String,
}

impl Set<'_> {
    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.fields.nul && !self.text.is_empty() {
            self.text.push('\n');
        }
        out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }

    fn push(&mut self, letter: char, value: impl fmt::Display) {
        if self.fields.wants(letter) {
            // Writing to a String cannot fail.
            let _infallible = write!(self.text, "{letter}{value}");
            self.text.push(if self.fields.nul { '\0' } else { '\n' });
        }
    }

    fn push_some(&mut self, letter: char, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.push(letter, value);
        }
    }

    fn process(&mut self, process: &Process) {
        self.push('p', process.pid);
        self.push_some('R', process.ppid);
        let comm = process.comm.as_ref().or(process.command.as_ref());
        self.push_some('c', comm.map(|name| Escaped(name.as_bytes())));
        self.push_some('u', process.uid);
        self.push_some('L', process.user.as_ref().map(|name| Escaped(name.as_bytes())));
    }

    fn file(&mut self, fd: Option<Fd>, socket: &Socket) {
        match fd {
            Some(fd) => self.push('f', fd),
            // lsof's word where there is no descriptor to name.
            None => self.push('f', "NOFD"),
        }
        // Sockets are always open for reading and writing, and never locked.
        self.push('a', 'u');
        self.push('l', ' ');
        let has_ports = match socket.protocol {
            Protocol::Tcp
            | Protocol::Mptcp
            | Protocol::Udp
            | Protocol::Udplite
            | Protocol::Sctp => true,
            Protocol::Raw
            | Protocol::Unix
            | Protocol::Packet
            | Protocol::Netlink
            | Protocol::Icmp
            | Protocol::Vsock
            | Protocol::Xdp
            | Protocol::Other => false,
        };
        match (has_ports, socket.family) {
            (true, Family::Inet) => self.push('t', "IPv4"),
            (true, Family::Inet6) => self.push('t', "IPv6"),
            (_, Family::Unix) => self.push('t', "unix"),
            (_, Family::Packet) => self.push('t', "pack"),
            (_, Family::Netlink) => self.push('t', "netlink"),
            (_, Family::Vsock) => self.push('t', "vsock"),
            (_, Family::Xdp) => self.push('t', "xdp"),
            (_, Family::Other) => self.push('t', "sock"),
            (false, Family::Inet | Family::Inet6) => self.push('t', socket.protocol),
        }
        // lsof's DEVICE of an IP socket is its inode; NODE is then the protocol.
        if has_ports || socket.protocol == Protocol::Packet {
            self.push_some('d', socket.inode);
            self.push('o', "0t0");
            let protocol = match &socket.local {
                Some(Endpoint::Packet { ethertype, .. }) => match ethertype_name(*ethertype) {
                    Some(name) => name.to_ascii_uppercase(),
                    None => format!("{ethertype:#x}"),
                },
                Some(_) | None => socket.protocol.name().to_ascii_uppercase(),
            };
            self.push('P', protocol);
        } else {
            self.push('o', "0t0");
            self.push_some('i', socket.inode);
        }
        self.push('n', Name(socket));
        if socket.protocol == Protocol::Unix {
            // All that /proc/net/unix, and so lsof, says of one.
            let state = socket.state.unwrap_or(TcpState::Closed);
            return self.push('T', State(socket.protocol, state));
        }
        self.push_some('T', socket.state.map(|state| State(socket.protocol, state)));
        match socket.queues {
            Some(Queues::Bytes { recv, send }) => {
                self.push('T', format_args!("QR={recv}"));
                self.push('T', format_args!("QS={send}"));
            }
            // What /proc/net/tcp, and so lsof, says of a listener.
            Some(Queues::Backlog { pending, .. }) => {
                self.push('T', format_args!("QR={pending}"));
                self.push('T', "QS=0");
            }
            None => {}
        }
    }
}

struct State(Protocol, TcpState);

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(protocol, state) = self;
        if *protocol != Protocol::Unix {
            return write!(f, "ST={state}");
        }
        if *state == TcpState::Established {
            f.write_str("ST=CONNECTED")
        } else if *state == TcpState::Closed {
            f.write_str("ST=UNCONNECTED")
        } else {
            write!(f, "ST={state}")
        }
    }
}

/// A socket's ends in lsof's form: `*:80`, `127.0.0.1:80->127.0.0.1:5000`, `[::1]:80`,
/// `/run/x type=STREAM`.
struct Name<'a>(&'a Socket);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(socket) = self;
        if let Some(Endpoint::Netlink { protocol, .. }) = &socket.local {
            return match netlink_name(*protocol) {
                Some(name) => f.write_str(&name.to_ascii_uppercase()),
                None => write!(f, "{protocol}"),
            };
        }
        if let (Protocol::Packet, Some(socket_type)) = (socket.protocol, socket.socket_type) {
            return write!(f, "type=SOCK_{}", socket_type.name().to_ascii_uppercase());
        }
        if let Some(socket_type) = socket.socket_type {
            if let Some(local) = &socket.local {
                write_end(local, f)?;
                f.write_char(' ')?;
            }
            return write!(f, "type={}", socket_type.name().to_ascii_uppercase());
        }
        match &socket.local {
            Some(local) => write_end(local, f)?,
            None if socket.protocol == Protocol::Unix => f.write_str("socket")?,
            None => {
                f.write_str("protocol: ")?;
                match &socket.rare.protocol_name {
                    Some(name) => write!(f, "{}", Escaped(name.as_bytes()))?,
                    None => f.write_str(&socket.protocol.name().to_ascii_uppercase())?,
                }
            }
        }
        match &socket.peer {
            Some(peer) => {
                f.write_str("->")?;
                write_end(peer, f)
            }
            None => Ok(()),
        }
    }
}

fn write_end(end: &Endpoint, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match end {
        Endpoint::Inet { address, port, .. } => {
            match address.to_canonical() {
                address if address.is_unspecified() => f.write_char('*')?,
                IpAddr::V4(v4) => write!(f, "{v4}")?,
                IpAddr::V6(v6) => write!(f, "[{v6}]")?,
            }
            match port {
                0 => f.write_str(":*"),
                port => write!(f, ":{port}"),
            }
        }
        Endpoint::Path(path) => write!(f, "{}", Escaped(path.as_bytes())),
        Endpoint::Abstract(name) => write!(f, "@{}", Escaped(name.as_bytes())),
        Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Xdp { .. } => {
            write!(f, "{}", Escaped(end.to_string().as_bytes()))
        }
    }
}

/// Bytes as lsof writes them (`safestrprt` in its source): what is not printable as `\n`, `^[` or
/// `\x9b`, byte by byte; a backslash doubled.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    '\u{8}' => f.write_str("\\b")?,
                    '\u{c}' => f.write_str("\\f")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    // ^@ to ^_: each is the character 0x40 further on.
                    '\0'..='\x1f' => {
                        f.write_char('^')?;
                        f.write_char(char::from_u32(u32::from(character) + 0x40).unwrap_or('?'))?;
                    }
                    _ if sanitize::is_unsafe(character) => {
                        let mut bytes = [0; 4];
                        write_hex(character.encode_utf8(&mut bytes).as_bytes(), f)?;
                    }
                    _ => f.write_char(character)?,
                }
            }
            write_hex(chunk.invalid(), f)?;
        }
        Ok(())
    }
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use proptest::prelude::*;

    fn fields(letters: &str) -> String {
        let mut out = Vec::new();
        write(&fixture::snapshot(), &Fields::parse(letters).unwrap(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn all_fields_are_these() {
        insta::assert_snapshot!(fields(""));
    }

    #[test]
    fn letters_select_fields_and_the_process_is_always_there() {
        let text = fields("n");
        assert!(text.lines().all(|line| line.starts_with(['p', 'n'])), "{text}");
        assert!(text.starts_with("p700\nn*:5353\nn*:5353\nn[fe80::1]:546->[fe80::2]:547\np811\n"));
    }

    #[test]
    fn a_nul_ends_each_field_and_a_newline_each_set() {
        let text = fields("cf0");
        assert!(text.starts_with("p700\0csystemd-resolve\0\nf12\0\nf13\0\n"), "{text:?}");
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let mut snapshot = fixture::snapshot();
        snapshot.entries.reverse();
        let mut out = Vec::new();
        write(&snapshot, &Fields::parse("").unwrap(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), fields(""));
    }

    #[test]
    fn an_unknown_letter_is_refused() {
        assert_eq!(Fields::parse("pX"), Err(UnknownField('X')));
        assert!(Fields::parse(LETTERS).is_ok());
    }

    /// As `lsof 4.95` wrote this name of a process that had set it by `prctl`.
    #[test]
    fn names_are_escaped_as_lsof_does() {
        let name = b"a\\b\x7f\x1b\n \xc3\xa9\xff\x9b";
        assert_eq!(Escaped(name).to_string(), "a\\\\b\\x7f^[\\n é\\xff\\x9b");
    }

    proptest! {
        #[test]
        fn no_bytes_leave_an_unsafe_character(bytes: Vec<u8>) {
            prop_assert!(!Escaped(&bytes).to_string().chars().any(sanitize::is_unsafe));
        }
    }
}
