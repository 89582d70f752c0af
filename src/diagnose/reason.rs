//! The reasons why a bind fails, or is not what it seems: each with its fixed word, what it is called,
//! and the long story.

use std::fmt;

/// Why a bind fails. Each has a fixed word, the same in every format and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Somebody listens at the same address.
    Listener,
    /// Somebody listens at an address that covers it, or is covered by it.
    OverlappingListener,
    /// Somebody listens on `::`, which takes IPv4 too.
    DualStack,
    /// A socket holds it that neither listens nor is connected.
    BoundOnly,
    /// A socket holds it that listened before.
    ClosedListener,
    /// A connection that an earlier listener accepted is still open.
    Connection,
    /// A connection from here has it as its own port.
    EphemeralClient,
    /// The kernel keeps a closed connection until late segments cannot come any more.
    TimeWait,
    /// The kernel still ends a connection that its process closed.
    Orphan,
    /// Both sides set, or must set, `SO_REUSEPORT`, and the kernel does not let them share.
    ReusePort,
    /// Sockets share the address; that is allowed.
    Shared,
    /// A socket has the port on another device or in another VRF.
    OtherDevice,
    /// Several may bind, but the first to listen keeps the others from it.
    ListenLater,
    /// A process has the socket only because it inherited it.
    LeakedChild,
    /// The socket is held in a way that most tools do not see.
    HiddenHolder,
    /// The holder is stopped.
    StoppedHolder,
    /// The holder outlived the session that started it.
    LeftBehind,
    /// Several sockets listen on the port, and who answers is not plain.
    SeveralListeners,
    /// The holder that was seen is gone by now.
    Gone,
    /// Another network namespace has the port, which is in nobody's way here.
    HeldElsewhere,
    /// A socket answers who connects.
    Answers,
    /// A socket would answer if another had not the more specific address.
    LessSpecific,
    /// Nobody has the port.
    NobodyListens,
    /// Somebody listens at other addresses only.
    OtherAddress,
    /// Somebody listens in another network namespace only.
    OtherNamespace,
    /// The listener's queue is full.
    BacklogFull,
    /// Its processes are stopped.
    Stopped,
    /// There is no way to the address.
    NoRoute,
    /// No port is left for our own end.
    NoSourcePort,
    /// Something between the two ends drops or refuses it.
    PacketFilter,
    /// Something that is no socket here takes the connection.
    Redirected,
    /// The address is another machine's.
    OtherMachine,
    /// Nothing is at the path.
    NoFile,
    /// The file of a socket may not be written to.
    NoAccess,
    /// systemd holds it for a service that it would start.
    SocketUnit,
    /// A proxy or tunnel holds it for something elsewhere.
    Forwarder,
    /// The stub of systemd-resolved holds it.
    ResolvedStub,
    /// The kernel has it for a service of its own.
    KernelService,
    /// Every port that the kernel could give is taken.
    PortsExhausted,
    /// The port is for those with a right to it.
    PrivilegedPort,
    /// The address is none of this machine's.
    NoAddress,
    /// The address is checked for duplicates.
    TentativeAddress,
    /// IPv6 is switched off where the address would be.
    Ipv6Disabled,
    /// The link of a link-local address is not named.
    NoScope,
    /// The address is a group's.
    Multicast,
    /// The address is one of IPv4, and the socket takes IPv6 alone.
    MappedV6Only,
    /// There is no such device.
    NoDevice,
    /// The kernel has no IPv6.
    NoIpv6,
    /// The process may open no more descriptors.
    DescriptorLimit,
    /// The machine may open no more files.
    FileLimit,
    /// A socket's file is left over, and nobody has it.
    StaleSocket,
    /// A file that is no socket's is in the way.
    FileInTheWay,
    /// A directory is missing.
    NoDirectory,
    /// A directory may not be searched or written to.
    ClosedDirectory,
    /// The filesystem may only be read.
    ReadOnlyFilesystem,
    /// The path is longer than the kernel takes.
    PathTooLong,
    /// A socket of another network namespace has the file.
    BoundElsewhere,
    /// SELinux may have refused.
    Selinux,
    /// AppArmor may have refused.
    Apparmor,
    /// Landlock may have refused.
    Landlock,
    /// A filter of seccomp may have refused.
    Seccomp,
    /// A program of the control group may have refused.
    ControlGroup,
    /// Windows may have it, beside WSL.
    WindowsSide,
    /// Windows keeps the port out of use.
    ExcludedRange,
    /// The holder lets nobody have it beside itself.
    ExclusiveUse,
    /// Windows' kernel has it for a driver.
    WindowsKernel,
    /// Windows has it for a program inside WSL.
    WslRelay,
    /// Windows forwards it.
    PortProxy,
    /// macOS receives AirPlay there.
    AirPlay,
    /// launchd holds it for a job that it would start.
    LaunchdSocket,
    /// macOS finds names by multicast there.
    MulticastDns,
    /// inetd holds it for a program that it would start.
    Inetd,
    /// A jail of FreeBSD has it.
    Jail,
    /// A socket has the port at an address that overlaps, and lets another have it.
    Beside,
}

/// What is to be said of a reason.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The reason.
    pub reason: Reason,
    /// Its word, in the JSON.
    pub word: &'static str,
    /// What it is, a clause.
    pub title: &'static str,
    /// The long story.
    pub story: &'static str,
    /// Where that is said: kernel source, manual.
    pub source: &'static str,
}

macro_rules! reasons {
    ($( $reason:ident $word:literal: $title:literal, $story:literal, $source:expr; )+) => {
        /// Every reason.
        pub const REASONS: &[About] = &[$(
            About {
                reason: Reason::$reason,
                word: $word,
                title: $title,
                story: $story,
                source: $source,
            }
        ),+];
    };
}

/// Where TCP's rules are.
const TCP: &str = "linux/net/ipv4/inet_connection_sock.c (inet_csk_get_port, inet_bind_conflict)";
/// Where the rules of addresses are.
const ADDRESSES: &str = "linux/net/ipv4/inet_connection_sock.c (inet_rcv_saddr_equal)";
/// Where the addresses are checked.
const BIND: &str =
    "linux/net/ipv4/af_inet.c (__inet_bind), linux/net/ipv6/af_inet6.c (__inet6_bind)";
/// Where UNIX sockets are bound.
const UNIX: &str = "linux/net/unix/af_unix.c (unix_bind_bsd); unix(7)";
/// Where TIME_WAIT is made.
const TIMEWAIT: &str = "linux/net/ipv4/inet_timewait_sock.c (inet_twsk_alloc)";

/// Where the listener of a connection is chosen.
const LOOKUP: &str = "linux/net/ipv4/inet_hashtables.c (__inet_lookup_listener, compute_score)";

reasons! {
    Listener "listener": "another socket has this address",
        "One address and port serve one listener, unless all of them set SO_REUSEPORT and are of one \
         user. SO_REUSEADDR changes nothing while a socket listens.", TCP;
    OverlappingListener "overlapping-listener": "another socket has an address that overlaps",
        "0.0.0.0 stands for every IPv4 address and :: for every IPv6 address, so a listener on one of \
         them blocks each single address, and a listener on a single address blocks them; on macOS and \
         FreeBSD not one that sets SO_REUSEADDR and is of the same user.", ADDRESSES;
    DualStack "dual-stack": "another socket has ::, which takes IPv4 too",
        "A socket on :: serves IPv4 too unless IPV6_V6ONLY is set on it (its default is \
         net.ipv6.bindv6only). So it has the port on every IPv4 address as well.", "ipv6(7); RFC 3493, 5.3";
    BoundOnly "bound-only": "another socket is bound to it without listening",
        "bind alone takes the port. A socket that never called listen blocks it like a listener; most \
         tools do not show it. Often it is a client that binds before it connects, or a leaked \
         socket.", TCP;
    ClosedListener "closed-listener": "a socket that listened before is still open",
        "A listener that was shut down, or destroyed from outside, serves nobody any more and still \
         holds its port until its process closes the descriptor.", TCP;
    Connection "connection": "a connection of an earlier listener is still open",
        "Connections keep the port of the listener that accepted them. When it is gone they still \
         block a new one, unless the earlier and the new listener both set SO_REUSEADDR before bind (on \
         macOS and FreeBSD it is enough that the new one does).",
        TCP;
    EphemeralClient "ephemeral-client": "an outgoing connection uses it as its own port",
        "connect takes a free port from net.ipv4.ip_local_port_range; it may be one that a service \
         wants. No option of the service helps. net.ipv4.ip_local_reserved_ports keeps a port out.",
        "linux/net/ipv4/inet_hashtables.c (__inet_hash_connect); ip(7)";
    TimeWait "time-wait": "the kernel keeps a closed connection for a while",
        "The end that closes first keeps the connection in TIME_WAIT for 60 seconds, so that late \
         segments cannot reach a new one. Meanwhile a new listener can have the port only when it and \
         the earlier one set SO_REUSEADDR: on the new one alone it does nothing. On macOS and FreeBSD it is \
         enough on the new one, and the time is twice net.inet.tcp.msl (30 and 60 seconds).", TIMEWAIT;
    Orphan "orphan": "the kernel still ends a connection that its process closed",
        "The process closed the connection with data unsent, or the peer has not closed yet. The \
         kernel goes on alone until the peer answers or it gives up (tcp_orphan_retries, \
         tcp_fin_timeout). It holds the port like any connection.", "tcp(7)";
    ReusePort "reuse-port": "SO_REUSEPORT is not set on both, or they are of two users",
        "With SO_REUSEPORT several sockets share an address when every one of them set it before \
         bind and all belong to one user (the effective one that made the socket).", TCP;
    Shared "shared": "other sockets have the same address, and share it",
        "With SO_REUSEPORT the kernel deals connections and datagrams out among all of them. With \
         SO_REUSEADDR several may bind, but TCP lets only one of them listen, and a UDP datagram \
         goes to the socket bound last.", "socket(7)";
    OtherDevice "other-device": "a socket has the port on another device, which is no conflict",
        "Sockets bound to different devices (SO_BINDTODEVICE, or the scope of a link-local address) \
         share a port. So do, for TCP, those inside and outside a VRF, unless \
         net.ipv4.tcp_l3mdev_accept is set.", "linux/net/ipv4/inet_hashtables.c (inet_bind_bucket_match)";
    ListenLater "listen-later": "bind succeeds for several, listen only for the first",
        "With SO_REUSEADDR on all of them, sockets that do not listen share an address. As soon as one \
         of them listens, listen fails for the others with EADDRINUSE: bind had not failed.", TCP;
    LeakedChild "leaked-child": "a process has it that only inherited it",
        "A descriptor without close-on-exec (SOCK_CLOEXEC, FD_CLOEXEC) stays open in every program that \
         its process starts. The socket lives until the last copy is closed: ending the server does \
         not free the port while a child that it started runs.", "execve(2); fcntl(2), FD_CLOEXEC";
    HiddenHolder "hidden-holder": "it is held in a way that most tools do not see",
        "A socket may be in the descriptors that one thread has for itself (CLONE_FILES), be registered \
         with an io_uring, or wait inside a UNIX socket to be received. It holds its port like any \
         other.", "unshare(2); io_uring_register(2); unix(7), SCM_RIGHTS";
    StoppedHolder "stopped-holder": "the process that has it is stopped",
        "Ctrl-Z (SIGTSTP) or a debugger stops a process with everything it holds. It goes on with fg in \
         its shell; a signal to end takes effect when it goes on.", "signal(7); proc_pid_stat(5)";
    LeftBehind "left-behind": "the process that has it outlived the session that started it",
        "The terminal or program that started the server is gone, and the server still runs, now a \
         child of the first process: often an earlier instance that nobody looks after.",
        "setsid(2); credentials(7)";
    SeveralListeners "several-listeners": "several sockets listen on the port",
        "The kernel takes the listener with exactly the address that was asked for, else one with the \
         wildcard of its family, else one on :: that takes IPv4 too. Among twins by SO_REUSEPORT it deals \
         connections out by a hash of both ends. So a client may reach another server than the one that \
         was meant.", LOOKUP;
    Gone "gone": "whoever had it is gone by now",
        "It was there when the sockets were listed, and the kernel gave the port to the probe right \
         after. A service that restarts in a loop looks like this.", "";
    HeldElsewhere "held-elsewhere": "another network namespace has the port, which is no conflict here",
        "Each network namespace has all ports for itself. A program that cannot bind a port which is \
         free here may run in another namespace, a container say: ask there, with --pid and a process \
         that lives in it.", "network_namespaces(7)";
    Answers "answers": "this socket has the address",
        "Among the sockets of a port the kernel takes one with exactly this address, else one with a \
         wildcard that covers it; then one that is bound to the device, then one of the address's own \
         family.", LOOKUP;
    LessSpecific "less-specific": "others have the port too, and are asked only when that one is gone",
        "A socket with exactly this address comes before one on 0.0.0.0 or ::, and 0.0.0.0 before :: for \
         IPv4. So two servers can have one port, and which of them answers depends on the address.", LOOKUP;
    NobodyListens "nobody-listens": "nobody listens on this port",
        "A SYN that finds no listener is answered with RST, which connect reports as ECONNREFUSED. A \
         datagram is answered with an ICMP message, which the next call on the connected socket \
         reports.", "RFC 9293, 3.10.7.1; udp(7)";
    OtherAddress "other-address": "it listens at another address only",
        "A listener serves the address it is bound to. 127.0.0.1 and ::1 are for this machine alone. \
         0.0.0.0 is every IPv4 address; :: is every IPv6 address, and every IPv4 address too unless \
         IPV6_V6ONLY is set.", "ip(7); ipv6(7)";
    OtherNamespace "other-namespace": "somebody listens on it in another network namespace",
        "A network namespace has its own addresses and ports, loopback included: 127.0.0.1 in a container \
         is not 127.0.0.1 of the machine. It is reached by an address of its own, or by a port that is \
         forwarded to it.", "network_namespaces(7)";
    BacklogFull "backlog-full": "the queue of connections that wait to be accepted is full",
        "A connection waits until the program calls accept. When more wait than listen allowed (at most \
         net.core.somaxconn), the kernel drops the SYN, and the client asks again for two minutes. With \
         net.ipv4.tcp_abort_on_overflow it is refused instead.", "listen(2); linux/net/ipv4/tcp_input.c (tcp_conn_request)";
    Stopped "stopped": "its process is stopped: it accepts nobody before it is continued",
        "The kernel makes the connection by itself, so connect succeeds although the program does \
         nothing: it was stopped by SIGSTOP, by ^Z in its shell, or by a debugger. What is sent waits.",
        "signal(7); proc_pid_stat(5)";
    NoRoute "no-route": "there is no route to the address",
        "No route of this namespace leads to it, or a router on the way, or the last link, says that it \
         is not there.", "ip-route(8)";
    NoSourcePort "no-source-port": "no port is left for our end of the connection",
        "connect takes a port of net.ipv4.ip_local_port_range that nobody bound and that has no \
         connection to the same address and port yet. TIME_WAIT counts for a minute, unless \
         net.ipv4.tcp_tw_reuse is set (for loopback it is).", "linux/net/ipv4/inet_hashtables.c (__inet_hash_connect)";
    PacketFilter "packet-filter": "a packet filter may drop or refuse it",
        "When a socket should answer and does not, something between drops what is sent: a packet filter \
         here or there (nftables, iptables, a cloud's security group), or the machine is off.", "nft(8)";
    Redirected "redirected": "something that is no socket of this namespace takes it",
        "A rule of NAT may lead it elsewhere, as container runtimes do for published ports; so may a BPF \
         program (sk_lookup) or a load balancer (IPVS).", "nft(8); bpf(2)";
    OtherMachine "other-machine": "the address is another machine's, of which nothing can be seen here",
        "From here it can only be said what came back: a connection, a refusal, or nothing.", "";
    NoFile "no-file": "nothing is at the path",
        "The server makes the file when it binds. It is not started, it makes it elsewhere, or it runs \
         where another filesystem is at that path, as in a container.", UNIX;
    NoAccess "no-access": "the file of the socket may not be written to",
        "Whoever may write to the file of a UNIX socket may connect to it: its owner, its group and its \
         mode decide, and every directory on the way must let one through.", UNIX;
    SocketUnit "socket-unit": "systemd holds it, for a service that it starts on demand",
        "A socket unit makes systemd itself bind and listen; it starts the service when somebody \
         connects, and hands it the socket. To stop the service alone frees nothing: systemd listens \
         on, and starts it again.", "systemd.socket(5)";
    Forwarder "forwarder": "a proxy or tunnel holds it, for something elsewhere",
        "The process listens only to pass on what comes: to a container, a pod, another machine. What \
         it was started for is what must be stopped; that it forwards is concluded from its command \
         line.", "ssh(1), socat(1), docker-port(1)";
    ResolvedStub "resolved-stub": "systemd-resolved answers names there",
        "systemd-resolved listens on 127.0.0.53 and 127.0.0.54 for programs that ask the server named \
         in /etc/resolv.conf. 0.0.0.0:53 overlaps with it, any other single address does not.",
        "systemd-resolved.service(8), resolved.conf(5)";
    KernelService "kernel-service": "the kernel itself has it",
        "Tunnels (VXLAN, WireGuard, …) and servers (NFS, SMB, iSCSI, …) in the kernel have sockets \
         that no process holds. They go with the link or the service they are for.",
        "docs/json.md (kernel.service)";
    PortsExhausted "ports-exhausted": "every port that the kernel could give is taken",
        "Port 0 asks the kernel for a port of net.ipv4.ip_local_port_range. Each socket with an \
         overlapping address takes one, TIME_WAIT too. A client need not bind a port before it \
         connects: with IP_BIND_ADDRESS_NO_PORT many share one, by their peers.",
        "linux/net/ipv4/inet_connection_sock.c (inet_csk_find_open_port); ip(7)";
    PrivilegedPort "privileged-port": "the port is for those with CAP_NET_BIND_SERVICE",
        "Ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE in the user \
         namespace that owns the network namespace; root has it, and programs with that file \
         capability. Root of a user namespace has it only over network namespaces made in there. On \
         FreeBSD ports up to net.inet.ip.portrange.reservedhigh are root's; on macOS those below 1024, \
         of single addresses only: 0.0.0.0 and :: everybody may bind.",
        "capabilities(7), ip(7), user_namespaces(7); in_pcbbind of xnu and FreeBSD";
    NoAddress "no-address": "the address is none of this machine's",
        "bind takes addresses that an interface of this network namespace has, or that a local route \
         names. In a container the addresses of the host are none. With net.ipv4.ip_nonlocal_bind or \
         IP_FREEBIND any address is taken.", BIND;
    TentativeAddress "tentative-address": "the address is still being checked for duplicates",
        "A new IPv6 address is tentative for a second or two, until no other machine on the link has \
         claimed it; before that it cannot be bound. A service that starts at boot meets this.",
        "RFC 4862, 5.4; linux/net/ipv6/addrconf.c (ipv6_chk_addr)";
    Ipv6Disabled "ipv6-disabled": "IPv6 is switched off there",
        "With net.ipv6.conf.NAME.disable_ipv6 set to 1 an interface has no IPv6 address, not even \
         ::1 on lo. Sockets of IPv6 can still be made, and :: can be bound.",
        "linux/Documentation/networking/ip-sysctl.rst";
    NoScope "no-scope": "a link-local address needs the name of its link",
        "Every link has addresses of fe80::/10, so the address alone says nothing. It is written \
         fe80::1%eth0; in a program that is sin6_scope_id.", BIND;
    Multicast "multicast": "the address is one of a group",
        "TCP connects two ends; a group of many has no connections. UDP can be bound to one.", BIND;
    MappedV6Only "mapped-v6only": "the address is one of IPv4, and IPV6_V6ONLY is set",
        "::ffff:a.b.c.d stands for an IPv4 address on a socket of IPv6, which takes none with \
         IPV6_V6ONLY.", BIND;
    NoDevice "no-device": "there is no such device here",
        "SO_BINDTODEVICE and the link behind the % of an address name a device of the process's own \
         network namespace.", "socket(7)";
    NoIpv6 "no-ipv6": "this kernel has no IPv6",
        "IPv6 was left out of the kernel or switched off at boot (ipv6.disable=1); then not even the \
         socket can be made.", "linux/net/ipv6/af_inet6.c";
    DescriptorLimit "descriptor-limit": "the process may open no more descriptors",
        "Every socket takes a descriptor, and a process has RLIMIT_NOFILE of them, often 1024. A \
         process that reaches it has many connections, or leaks: closes less than it opens.",
        "getrlimit(2)";
    FileLimit "file-limit": "the machine may open no more files",
        "All processes together may have fs.file-max files open; above it only CAP_SYS_ADMIN opens \
         more.", "proc_sys_fs(5)";
    StaleSocket "stale-socket": "the file of a socket is left over",
        "bind makes the file, and close does not remove it. A server that ended without removing it \
         leaves it behind; to remove it then takes nothing from anybody.", UNIX;
    FileInTheWay "file-in-the-way": "a file of another kind is at the path",
        "bind makes a new file, and never replaces one: whatever is at the path, even a broken \
         symbolic link, makes it fail with EADDRINUSE.", UNIX;
    NoDirectory "no-directory": "the directory of the path is not there",
        "bind makes the file, not the directories on the way. /run is empty after each boot: a \
         service's directory there is made by RuntimeDirectory= or tmpfiles.d.", UNIX;
    ClosedDirectory "closed-directory": "the directory of the path is closed to the user",
        "bind makes a file: that takes the right to search every directory on the way, and to write \
         to the last.", UNIX;
    ReadOnlyFilesystem "read-only-filesystem": "no file can be made there",
        "The filesystem is mounted read-only, as in containers and with ProtectSystem=.", UNIX;
    PathTooLong "path-too-long": "the path is longer than the kernel takes",
        "sun_path has 108 bytes, in most languages 107 and a NUL. A path relative to the working \
         directory is a way around.", UNIX;
    BoundElsewhere "bound-elsewhere": "a socket in another network namespace has the file",
        "Ports and abstract names are of one network namespace, files are not: a socket of a container \
         may be bound to a file that the host sees, and be reached through it.", "network_namespaces(7)";
    Selinux "selinux": "SELinux may have refused it",
        "The policy says which kind of process may bind which ports. What was refused is in the audit \
         log, and semanage port lists and adds ports.", "semanage-port(8)";
    Apparmor "apparmor": "AppArmor may have refused it",
        "The profile of the program, the snap or the container says which calls it may make. What was \
         refused is in the kernel's log.", "apparmor(7)";
    Landlock "landlock": "Landlock may have refused it",
        "A process can give up the right to bind TCP ports, for itself and for all that it starts; \
         that cannot be seen from outside, and not be undone.", "landlock(7)";
    Seccomp "seccomp": "a filter of seccomp may have refused it",
        "A filter of system calls answers for the kernel, with whatever error it likes: containers, \
         and units with SystemCallFilter= or RestrictAddressFamilies=, have one.", "seccomp(2)";
    ControlGroup "control-group": "a program of the control group may have refused it",
        "A BPF program attached to a control group decides its binds, and answers EPERM: that is how \
         systemd does SocketBindDeny=.", "systemd.resource-control(5)";
    WindowsSide "windows-side": "Windows may have it",
        "In WSL with mirrored networking, ports that Windows listens at or keeps for itself are taken \
         here too, and no list in here shows them.",
        "https://learn.microsoft.com/windows/wsl/networking";
    ExcludedRange "excluded-range": "Windows keeps the port out of use",
        "Hyper-V, WSL, Docker and others have Windows set ranges of ports aside, each time it starts, \
         wherever in the dynamic range there is room. A bind in them fails with WSAEACCES (10013), though \
         nobody is seen to have the port. A star marks ranges that an administrator made.",
        "netsh int ipv4 show excludedportrange";
    ExclusiveUse "exclusive-use": "the holder may have set SO_EXCLUSIVEADDRUSE",
        "On Windows a second socket with SO_REUSEADDR can take over a port, and a specific address \
         beside a wildcard is shared. With SO_EXCLUSIVEADDRUSE the first one forbids that: whoever tries \
         gets WSAEACCES (10013) in place of WSAEADDRINUSE (10048).",
        "https://learn.microsoft.com/windows/win32/winsock/using-so-reuseaddr-and-so-exclusiveaddruse";
    WindowsKernel "windows-kernel": "Windows' kernel has it for one of its drivers",
        "Process 4, System, holds the sockets of drivers. HTTP.sys serves the URLs of many programs at one \
         port: IIS, WinRM, SQL Server's reports. To free it is to stop the service whose URL it is.",
        "https://learn.microsoft.com/windows-server/administration/windows-commands/netsh-http";
    WslRelay "wsl-relay": "Windows has it for a program that listens inside WSL",
        "For each port that a program inside WSL listens at, a relay listens on localhost of Windows. It \
         ends when that program does.", "https://learn.microsoft.com/windows/wsl/networking";
    PortProxy "port-proxy": "Windows' IP helper service forwards it",
        "netsh interface portproxy makes the service iphlpsvc listen at a port for another machine, until \
         the entry is deleted. It outlives restarts.",
        "https://learn.microsoft.com/windows-server/networking/technologies/netsh/netsh-interface-portproxy";
    AirPlay "airplay": "macOS receives AirPlay there",
        "Since macOS 12 a Mac can be played to. ControlCenter listens for that on 5000 and 7000 as long as \
         somebody is logged in, and is started again when it is ended.",
        "https://developer.apple.com/forums/thread/682332";
    LaunchdSocket "launchd-socket": "launchd holds it, for a job that it starts on demand",
        "A property list with Sockets makes launchd itself bind and listen; it starts the job when somebody \
         connects, and hands it the socket. To end the job alone frees nothing: launchd listens on, and \
         starts it again.", "launchd.plist(5)";
    MulticastDns "multicast-dns": "macOS finds names by multicast there",
        "mDNSResponder finds printers, other Macs and every name that ends in .local on port 5353 of UDP, \
         with SO_REUSEPORT: others may have the port too, when they set it.", "RFC 6762, 15.1";
    Inetd "inetd": "inetd holds it, for a program that it starts on demand",
        "inetd listens for every service that /etc/inetd.conf names and starts a program for each \
         connection. To end that program frees nothing.", "inetd(8)";
    Jail "jail": "a jail has it",
        "A jail that has addresses of its own has their ports for itself, and is in nobody's way. One that \
         inherits the host's addresses has the host's ports too. What comes in goes to a jail before it \
         goes to the host.", "jail(8), ip4; freebsd/sys/netinet/in_pcb.c (in_pcblookup_local)";
    Beside "beside": "others have the port at an address that overlaps, and both may have it",
        "On macOS and FreeBSD SO_REUSEADDR lets a socket have one address beside another's wildcard, or the \
         wildcard beside another's address, also of another program; and :: may be bound beside 0.0.0.0. \
         The more specific address is served first: which of two servers answers depends on whether one \
         asks 127.0.0.1, ::1 or the name of the machine.",
        "xnu/bsd/netinet/in_pcb.c, freebsd/sys/netinet/in_pcb.c (in_pcbbind); node issue 26274";
}

impl Reason {
    /// Returns true when the sockets of such a cause keep the bind from succeeding.
    pub const fn is_in_the_way(self) -> bool {
        self.is_of_sockets()
            && !matches!(
                self,
                Self::Shared
                    | Self::Beside
                    | Self::OtherDevice
                    | Self::Gone
                    | Self::HeldElsewhere
                    | Self::Answers
                    | Self::LessSpecific
                    | Self::Stopped
                    | Self::Redirected
                    | Self::OtherMachine
            )
    }

    /// Returns true when such a cause is a socket, and false when it says more of one: how it is held,
    /// or what else matters.
    pub const fn is_of_sockets(self) -> bool {
        !matches!(
            self,
            Self::ListenLater
                | Self::LeakedChild
                | Self::HiddenHolder
                | Self::StoppedHolder
                | Self::LeftBehind
                | Self::SeveralListeners
        )
    }

    /// Returns true for those who refuse without saying what, and whom no rule foresees.
    pub const fn is_unforeseeable(self) -> bool {
        matches!(
            self,
            Self::Selinux
                | Self::Apparmor
                | Self::Landlock
                | Self::Seccomp
                | Self::ControlGroup
                | Self::WindowsSide
                | Self::ExclusiveUse
        )
    }

    /// Returns what is to be said of it.
    pub fn about(self) -> &'static About {
        const NOTHING: About =
            About { reason: Reason::Gone, word: "", title: "", story: "", source: "" };
        REASONS.iter().find(|about| about.reason == self).unwrap_or(&NOTHING)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.about().word)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_stands_in_the_table_once() {
        let words: BTreeSet<&str> = REASONS.iter().map(|about| about.word).collect();
        assert_eq!(words.len(), REASONS.len());
        for (place, about) in REASONS.iter().enumerate() {
            // The order of the declaration, so that none is left out unseen.
            assert_eq!(about.reason as usize, place, "{}", about.word);
            assert_eq!(about.reason.to_string(), about.word);
        }
    }
}
