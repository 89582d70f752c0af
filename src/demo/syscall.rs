//! The calls of a lesson as data: which one, on which socket, with what arguments. [`super::code`]
//! writes them down.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::demo::cast::Role;

/// One call with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The socket it is made on, or that it makes; absent when it is about none.
    pub socket: Option<Role>,
    /// What that socket is.
    pub kind: Kind,
    /// The call.
    pub syscall: Syscall,
}

/// What a socket is: languages with a type for each write the same call in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// A TCP socket that connects or is connected.
    #[default]
    Tcp,
    /// A TCP socket with an address to listen at, whether it does yet or not.
    TcpListener,
    /// A UDP socket.
    Udp,
    /// A UNIX stream that connects or is connected.
    Unix,
    /// A UNIX stream with an address to listen at.
    UnixListener,
}

impl Kind {
    /// Returns what it is once it has an address of its own choice: a stream is going to listen.
    #[must_use]
    pub const fn bound(self) -> Self {
        match self {
            Self::Tcp | Self::TcpListener => Self::TcpListener,
            Self::Unix | Self::UnixListener => Self::UnixListener,
            Self::Udp => Self::Udp,
        }
    }

    /// Returns whether it sends datagrams.
    pub const fn is_datagram(self) -> bool {
        matches!(self, Self::Udp)
    }

    /// Returns what `accept()` makes of it.
    #[must_use]
    pub const fn accepted(self) -> Self {
        match self {
            Self::TcpListener | Self::Tcp => Self::Tcp,
            Self::UnixListener | Self::Unix => Self::Unix,
            Self::Udp => Self::Udp,
        }
    }
}

/// Where a socket is bound or connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Inet(SocketAddr),
    /// The file of a UNIX socket.
    Path(PathBuf),
    /// An abstract name, without the zero byte in front.
    Abstract(String),
}

/// A call, and its arguments besides the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Syscall {
    /// `socket()`.
    Socket {
        /// `INET`, `INET6`, `UNIX`.
        family: &'static str,
    },
    /// `socketpair()`.
    Pair {
        /// The second of the two.
        other: Role,
    },
    /// `bind()`.
    Bind(Address),
    /// `listen()`.
    Listen {
        /// How many may wait.
        backlog: i32,
    },
    /// `connect()`.
    Connect {
        /// Where to.
        address: Address,
        /// Whether it waits for the answer.
        blocking: bool,
    },
    /// `accept()`.
    Accept {
        /// At which listener.
        listener: Role,
    },
    /// `shutdown()`, for sending.
    Shutdown,
    /// `close()`.
    Close,
    /// `fcntl()`: calls return at once.
    NonBlocking,
    /// `setsockopt()`.
    SetOption(SocketOption),
    /// `send()` of a text.
    Send {
        /// The text.
        text: String,
    },
    /// `send()` of so many bytes, whatever they are.
    SendBytes {
        /// How many.
        length: usize,
    },
    /// `sendto()`.
    SendTo {
        /// The text.
        text: String,
        /// Where to.
        address: SocketAddr,
    },
    /// `recv()`.
    Recv {
        /// How many bytes at most; absent when there is room for more than will come.
        most: Option<usize>,
    },
    /// `sendmsg()` with a descriptor.
    SendDescriptor {
        /// Whose.
        other: Role,
    },
    /// `recvmsg()` with a descriptor.
    RecvDescriptor {
        /// What the new descriptor is called.
        other: Role,
    },
    /// `poll()`: which of these can be read.
    Poll {
        /// The sockets.
        sockets: Vec<Role>,
    },
    /// `unlink()`.
    Unlink {
        /// The file.
        path: PathBuf,
    },
    /// `fork()` and `exec()`.
    Start {
        /// The program.
        program: &'static str,
        /// The socket that it inherits.
        inherits: Option<Role>,
    },
    /// `unshare()`: a network namespace of its own.
    Unshare,
    /// The child's `exit()`.
    Exit,
    /// No call: what `sockscope why` says of an address.
    Why(SocketAddr),
}

/// An option of a socket, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketOption {
    /// `SO_REUSEADDR`, on.
    ReuseAddress,
    /// `SO_REUSEPORT`, on.
    ReusePort,
    /// `SO_LINGER`, on, no time.
    LingerZero,
    /// `TCP_DEFER_ACCEPT`, in seconds.
    DeferAccept(u32),
    /// `TCP_SYNCNT`.
    SynCount(u32),
    /// `SO_KEEPALIVE`, on.
    Keepalive,
    /// `TCP_KEEPIDLE` and `TCP_KEEPINTVL` in seconds, `TCP_KEEPCNT`.
    KeepaliveTimes {
        /// After how long.
        idle: u32,
        /// How often then.
        interval: u32,
        /// How many times.
        probes: u32,
    },
    /// `TCP_KEEPIDLE`, in seconds.
    KeepaliveIdle(u32),
    /// `IP_MINTTL`.
    MinTtl(u32),
    /// `IPV6_V6ONLY`.
    V6Only(bool),
    /// `SO_BINDTODEVICE` with the loopback device.
    LoopbackDevice,
    /// `IP_LOCAL_PORT_RANGE`.
    PortRange {
        /// The first port.
        first: u16,
        /// The last.
        last: u16,
    },
    /// `SO_RCVBUF`, in bytes.
    ReceiveBuffer(usize),
}
