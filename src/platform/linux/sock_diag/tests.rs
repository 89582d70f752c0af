//! Real sockets on the loopback, found again in the kernel's own tables.

mod fallback;

use std::net::{
    Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket,
};
use std::os::linux::fs::MetadataExt as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as SocketAddrUnix, UnixDatagram, UnixListener, UnixStream};

use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{bind, getsockname, ipproto, listen, sockopt};

use super::*;
use crate::platform::clock::wait_until;
use crate::process::Uid;
use crate::socket::{Queues, TimerKind};

const LOCALHOST: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);
const EVERYTHING: fn() -> Request = Request::default;

/// Returns the sockets of a dump.
fn rows(request: &Request) -> Vec<Socket> {
    dump(request).expect("a dump").sockets.iter().collect()
}

/// Returns the TCP sockets of a dump that have this local port.
fn at(request: &Request, port: u16) -> Vec<Socket> {
    let mut sockets = rows(request);
    sockets.retain(|row| row.protocol == Protocol::Tcp && local_port(row) == Some(port));
    sockets
}

/// Returns a UDP socket's row.
fn udp_row(socket: &UdpSocket) -> Socket {
    let cookie = Some(Cookie(sockopt::socket_cookie(socket).unwrap()));
    rows(&EVERYTHING()).into_iter().find(|row| row.cookie == cookie).expect("the socket's row")
}

fn local_port(socket: &Socket) -> Option<u16> {
    socket.local.as_ref().and_then(Endpoint::port)
}

fn peer_port(socket: &Socket) -> Option<u16> {
    socket.peer.as_ref().and_then(Endpoint::port)
}

/// Returns the row of this TCP socket: another test may have the same port at another address.
fn only(socket: impl AsFd) -> Socket {
    let cookie = Some(Cookie(sockopt::socket_cookie(socket).unwrap()));
    let mut sockets = rows(&EVERYTHING());
    sockets.retain(|socket| socket.cookie == cookie);
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    sockets.swap_remove(0)
}

/// Returns the one socket with these ends.
fn between(local: SocketAddr, peer: SocketAddr) -> Socket {
    let mut sockets = at(&EVERYTHING(), local.port());
    sockets.retain(|socket| peer_port(socket) == Some(peer.port()));
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    sockets.swap_remove(0)
}

/// Returns the socket with these ends as soon as it is in this state: the kernel's part of a
/// handshake or a close may come a moment later.
fn becomes(local: SocketAddr, peer: SocketAddr, state: TcpState) -> Socket {
    let mut socket = between(local, peer);
    wait_until(|| {
        socket = between(local, peer);
        socket.state == Some(state)
    });
    socket
}

/// Returns the two ends of an accepted connection; the first is the one that connected.
fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server)
}

fn ends(stream: &TcpStream) -> (SocketAddr, SocketAddr) {
    (stream.local_addr().unwrap(), stream.peer_addr().unwrap())
}

fn inode(socket: impl AsFd) -> Inode {
    Inode(rustix::fs::fstat(socket).unwrap().st_ino)
}

fn me() -> Uid {
    Uid(rustix::process::geteuid().as_raw())
}

/// Returns a bound TCP socket that does nothing more, and its port.
fn bound_only() -> (OwnedFd, u16) {
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &SocketAddr::from(LOCALHOST)).unwrap();
    let address = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
    (socket, address.port())
}

#[test]
fn a_listener_has_all_its_facts() {
    let (socket, port) = bound_only();
    listen(&socket, 7).unwrap();

    let found = only(&socket);
    let netns = std::fs::metadata("/proc/thread-self/ns/net").unwrap().st_ino();
    let mut expected = Socket::new(found.id, Protocol::Tcp, Family::Inet);
    expected.state = Some(TcpState::Listen);
    expected.local = Some(Endpoint::inet(Ipv4Addr::LOCALHOST.into(), port));
    expected.queues = Some(Queues::Backlog { pending: 0, limit: Some(7) });
    expected.inode = Some(inode(&socket));
    expected.cookie = Some(Cookie(sockopt::socket_cookie(&socket).unwrap()));
    expected.netns = Some(NetnsId(netns));
    // None before Linux 5.8; which one it is, is told elsewhere.
    expected.cgroup_id = found.cgroup_id;
    expected.uid = Some(me());
    assert_eq!(found, expected);
}

#[test]
fn a_socket_that_is_only_bound_is_listed() {
    let (socket, port) = bound_only();
    let dump = dump(&EVERYTHING()).unwrap();
    let ours = |row: &Socket| row.protocol == Protocol::Tcp && local_port(row) == Some(port);
    let bound = dump.sockets.iter().find(ours);
    // An old kernel cannot list it, and then must have a gap that says so.
    if !dump.gaps.iter().any(|gap| gap.what == Missing::BoundSockets) {
        let bound = bound.expect("the socket's row");
        assert_eq!((bound.state, bound.inode), (Some(TcpState::Bound), Some(inode(&socket))));
    }
}

#[test]
fn a_connection_has_two_ends() {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let (client, server) = connection(&listener);
    for stream in [&client, &server] {
        let (local, peer) = ends(stream);
        let socket = between(local, peer);
        assert_eq!(socket.state, Some(TcpState::Established));
        assert_eq!((socket.local, socket.peer), (Some(local.into()), Some(peer.into())));
        assert_eq!((socket.inode, socket.uid), (Some(inode(stream)), Some(me())));
    }
}

#[test]
fn unread_bytes_are_in_the_receive_queue() {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let (mut client, server) = connection(&listener);
    io::Write::write_all(&mut client, b"hello").unwrap();
    // Once they can be seen here they are in the queue.
    server.peek(&mut [0; 5]).unwrap();
    let (local, peer) = ends(&server);
    assert_eq!(between(local, peer).queues, Some(Queues::Bytes { recv: 5, send: 0 }));
}

#[test]
fn an_unaccepted_connection_belongs_to_nobody_yet() {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (local, peer) = ends(&client);
    let waiting = becomes(peer, local, TcpState::Established);
    assert_eq!((waiting.inode, waiting.uid), (None, None));
    let mut sockets = at(&EVERYTHING(), peer.port());
    sockets.retain(|socket| socket.state == Some(TcpState::Listen));
    assert!(matches!(sockets[0].queues, Some(Queues::Backlog { pending: 1, limit: Some(_) })));
}

#[test]
fn a_half_closed_connection_is_fin_wait2_here_and_close_wait_there() {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let (client, server) = connection(&listener);
    client.shutdown(Shutdown::Write).unwrap();
    let (local, peer) = ends(&client);
    becomes(local, peer, TcpState::FinWait2);
    becomes(peer, local, TcpState::CloseWait);
    drop(server);
}

#[test]
fn time_wait_belongs_to_nobody_and_ends_within_a_minute() {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let (client, server) = connection(&listener);
    let (local, peer) = ends(&client);
    // Not by closing it, which lasts as long as a program that another test is just starting has it.
    client.shutdown(Shutdown::Write).unwrap();
    becomes(peer, local, TcpState::CloseWait);
    server.shutdown(Shutdown::Write).unwrap();
    let over = becomes(local, peer, TcpState::TimeWait);
    assert_eq!((over.inode, over.uid), (None, None));
    let timer = over.timer.unwrap();
    assert_eq!(timer.kind, TimerKind::Timewait);
    assert!((1..=60_000).contains(&timer.expires_ms), "{timer:?}");
}

#[test]
fn a_udp_socket_has_no_state_and_a_peer_when_connected() {
    let bound = UdpSocket::bind(LOCALHOST).unwrap();
    let connected = UdpSocket::bind(LOCALHOST).unwrap();
    connected.connect(bound.local_addr().unwrap()).unwrap();

    let found = udp_row(&bound);
    let local = Some(bound.local_addr().unwrap().into());
    assert_eq!((found.state, &found.local, &found.peer), (None, &local, &None));
    assert_eq!((found.inode, found.uid), (Some(inode(&bound)), Some(me())));
    let found = udp_row(&connected);
    assert_eq!((found.state, found.peer), (None, local));
}

#[test]
fn an_address_of_one_link_has_its_interface_for_scope() {
    // The loopback is number 1 in every namespace (LOOPBACK_IFINDEX). It has no link-local address
    // of its own, but anybody may bind to a group of link scope on it.
    let group: Ipv6Addr = "ff02::1".parse().unwrap();
    let socket = UdpSocket::bind(SocketAddrV6::new(group, 0, 0, 1)).unwrap();
    let lo = Some(Box::new(Interface { index: 1, name: Some("lo".into()) }));
    let found = udp_row(&socket);
    let port = socket.local_addr().unwrap().port();
    let local = Endpoint::Inet { address: group.into(), port, scope: lo.clone() };
    assert_eq!((found.local, found.rare.interface.clone()), (Some(local), lo));
}

/// Returns an inet6 listener on every address, and its port.
fn listener_on_all(v6only: bool) -> (TcpListener, u16) {
    let socket =
        socket_with(AddressFamily::INET6, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    sockopt::set_ipv6_v6only(&socket, v6only).unwrap();
    bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).unwrap();
    listen(&socket, 7).unwrap();
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn an_inet6_listener_tells_whether_it_takes_inet_too() {
    for v6only in [true, false] {
        let (listener, _) = listener_on_all(v6only);
        let found = only(&listener);
        assert_eq!((found.family, found.v6only), (Family::Inet6, Some(v6only)));
    }
}

#[test]
fn an_inet_connection_on_an_inet6_socket_stays_mapped() {
    let (listener, port) = listener_on_all(false);
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let (_server, _) = listener.accept().unwrap();
    let (local, peer) = ends(&client);

    assert_eq!(between(local, peer).family, Family::Inet);
    let found = between(peer, local);
    let mapped = Endpoint::inet(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), port);
    assert_eq!((found.family, found.local), (Family::Inet6, Some(mapped)));
}

#[test]
fn every_socket_has_an_id_and_a_cookie_of_its_own() {
    let _listener = TcpListener::bind(LOCALHOST).unwrap();
    // Reads listeners twice over: for their ports, and for those who wait at them.
    let ports = Some(PortWish::Local(0..=u16::MAX));
    let dump = dump(&Request { ports, ..EVERYTHING() }).unwrap();
    let ids: HashSet<_> = dump.sockets.iter().map(|socket| socket.id).collect();
    assert_eq!(ids.len(), dump.sockets.len());
    let cookies: Vec<Cookie> = dump.sockets.iter().filter_map(|socket| socket.cookie).collect();
    let unique: HashSet<Cookie> = cookies.iter().copied().collect();
    assert_eq!(unique.len(), cookies.len());
}

/// A scene of many states around one port, for narrowing.
struct Scene {
    port: u16,
    client_port: u16,
    bound_port: u16,
    /// Those of all its sockets.
    cookies: HashSet<Cookie>,
    /// Keeps the sockets open.
    _sockets: (TcpListener, TcpStream, TcpStream, TcpStream, UdpSocket, OwnedFd),
}

fn scene() -> Scene {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = connection(&listener);
    let waiting = TcpStream::connect(address).unwrap();
    let (local, peer) = ends(&waiting);
    let unaccepted = becomes(peer, local, TcpState::Established);
    // The same port, so that the filter is seen to work on UDP too. Taken by somebody: then another.
    let udp = UdpSocket::bind(address).unwrap_or_else(|_| UdpSocket::bind(LOCALHOST).unwrap());
    let (bound, bound_port) = bound_only();
    let sockets = [
        listener.as_fd(),
        client.as_fd(),
        server.as_fd(),
        waiting.as_fd(),
        udp.as_fd(),
        bound.as_fd(),
    ];
    let own = sockets.map(|socket| Cookie(sockopt::socket_cookie(socket).unwrap()));
    Scene {
        port: address.port(),
        client_port: client.local_addr().unwrap().port(),
        bound_port,
        cookies: own.into_iter().chain(unaccepted.cookie).collect(),
        _sockets: (listener, client, server, waiting, udp, bound),
    }
}

/// Says which sockets a filter keeps.
type Keep<'a> = &'a dyn Fn(&Socket) -> bool;

/// Returns the cookies of the scene's sockets in a dump: what others do meanwhile does not matter,
/// not even on the same ports.
fn cookies(request: &Request, scene: &Scene, keep: impl Fn(&Socket) -> bool) -> Vec<Cookie> {
    let ours = |socket: &Socket| socket.cookie.is_some_and(|own| scene.cookies.contains(&own));
    let sockets = rows(request);
    let kept = sockets.iter().filter(|socket| ours(socket) && keep(socket));
    let mut cookies: Vec<Cookie> = kept.filter_map(|socket| socket.cookie).collect();
    cookies.sort();
    cookies
}

#[test]
fn tcp_read_at_once_is_both_of_its_tables() {
    let scene = scene();
    let (dual, port) = listener_on_all(false);
    let mapped = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    // Until they are in its queue, the listener's row changes.
    let _accepted = [dual.accept().unwrap(), dual.accept().unwrap()];
    let others = [dual.as_fd(), mapped.as_fd(), v6.as_fd()];
    let others = others.map(|socket| Cookie(sockopt::socket_cookie(socket).unwrap()));
    let all: Vec<Cookie> = scene.cookies.iter().copied().chain(others).collect();
    let rows = |families: &[Family], details, states: Option<Vec<TcpState>>| -> Vec<Socket> {
        let (protocols, families) = (vec![Protocol::Tcp], families.to_vec());
        let request = Request { protocols, families, states, details, ..Request::default() };
        let mut rows = rows(&Request { owners: false, ..request });
        rows.retain(|socket| socket.cookie.is_some_and(|cookie| all.contains(&cookie)));
        for socket in &mut rows {
            assert_eq!(socket.details.take().is_some(), details);
            socket.id.0 = 0;
        }
        rows.sort_by_key(|socket| socket.cookie);
        rows
    };
    for states in [None, Some(vec![TcpState::Listen, TcpState::Bound])] {
        for details in [false, true] {
            let at_once = rows(&[Family::Inet, Family::Inet6], details, states.clone());
            let mut one_by_one = rows(&[Family::Inet], details, states.clone());
            one_by_one.extend(rows(&[Family::Inet6], details, states.clone()));
            one_by_one.sort_by_key(|socket| socket.cookie);
            assert_eq!(at_once, one_by_one);
            assert_eq!(at_once.len(), if states.is_some() { 3 } else { all.len() - 1 });
        }
    }
}

#[test]
fn a_dump_narrowed_to_ports_is_the_full_one_filtered() {
    let scene = scene();
    for port in [scene.port, scene.client_port, scene.bound_port] {
        for range in [port..=port, port - 1..=port + 1, 0..=port, port..=u16::MAX] {
            let local = |s: &Socket| local_port(s).is_some_and(|port| range.contains(&port));
            let peer = |s: &Socket| range.contains(&peer_port(s).unwrap_or(0));
            let either = |s: &Socket| local(s) || peer(s);
            let wishes: [(PortWish, Keep<'_>); 3] = [
                (PortWish::Local(range.clone()), &local),
                (PortWish::Peer(range.clone()), &peer),
                (PortWish::Either(range.clone()), &either),
            ];
            for (wish, keep) in wishes {
                let name = format!("{wish:?}");
                let request = Request { ports: Some(wish), owners: false, ..EVERYTHING() };
                let narrowed = cookies(&request, &scene, |_| true);
                assert_eq!(narrowed, cookies(&EVERYTHING(), &scene, keep), "{name}");
            }
        }
    }
}

#[test]
fn a_dump_narrowed_to_states_is_the_full_one_filtered() {
    let scene = scene();
    for states in [
        vec![TcpState::Listen],
        vec![TcpState::Bound],
        vec![TcpState::Established],
        vec![TcpState::Listen, TcpState::Bound],
        vec![TcpState::Closed],
        vec![],
    ] {
        let stateless =
            |s: &Socket| if s.peer.is_some() { TcpState::Established } else { TcpState::Closed };
        let wanted = |s: &Socket| states.contains(&s.state.unwrap_or(stateless(s)));
        let request = Request { states: Some(states.clone()), owners: false, ..EVERYTHING() };
        let narrowed = cookies(&request, &scene, |_| true);
        assert_eq!(narrowed, cookies(&EVERYTHING(), &scene, wanted), "{states:?}");
    }
}

#[test]
fn listeners_come_with_owners_whatever_is_narrowed() {
    let scene = scene();
    for owners in [true, false] {
        let request = Request {
            states: Some(vec![TcpState::Established]),
            ports: Some(PortWish::Local(scene.client_port..=scene.client_port)),
            families: vec![Family::Inet6],
            owners,
            ..EVERYTHING()
        };
        let listeners: Vec<_> = at(&request, scene.port)
            .into_iter()
            .map(|socket| (socket.protocol, socket.state))
            .collect();
        let expected = [(Protocol::Tcp, Some(TcpState::Listen))];
        assert_eq!(listeners, if owners { &expected[..] } else { &[] });
    }
}

#[test]
fn an_unwanted_protocol_or_family_is_not_read() {
    let scene = scene();
    let request = Request { protocols: vec![Protocol::Udp], ..EVERYTHING() };
    assert_eq!(at(&request, scene.port), []);
    let request = Request { families: vec![Family::Inet6], owners: false, ..EVERYTHING() };
    assert_eq!(at(&request, scene.port), []);
}

/// Returns the UNIX sockets of a dump.
fn unix_rows() -> Vec<Socket> {
    let (protocols, families) = (vec![Protocol::Unix], vec![Family::Unix]);
    let dump = dump(&Request { protocols, families, ..EVERYTHING() }).unwrap();
    assert_eq!(dump.gaps, []);
    dump.sockets.iter().collect()
}

/// Returns the row of this socket.
fn row_of(socket: impl AsFd, rows: &[Socket]) -> &Socket {
    let inode = Some(inode(socket));
    rows.iter().find(|row| row.inode == inode).expect("the socket's row")
}

#[test]
fn unix_sockets_have_their_names_and_states() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a b.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let name = format!("sockscope {}\0!", std::process::id());
    let datagram =
        UnixDatagram::bind_addr(&SocketAddrUnix::from_abstract_name(&name).unwrap()).unwrap();
    let (one, _other) = UnixStream::pair().unwrap();

    let rows = unix_rows();
    let bound = Some(Endpoint::Path(Text::new(path.as_os_str().as_encoded_bytes())));
    let row = row_of(&listener, &rows);
    assert_eq!((row.state, &row.local, row.uid), (Some(TcpState::Listen), &bound, Some(me())));
    assert!(matches!(row.queues, Some(Queues::Backlog { pending: 0, limit: Some(1..) })));
    let row = row_of(&datagram, &rows);
    assert_eq!((row.state, &row.local), (None, &Some(Endpoint::Abstract(name.into()))));
    let row = row_of(&one, &rows);
    assert_eq!((row.state, &row.local), (Some(TcpState::Established), &None));
}

#[test]
fn raw_sockets_show_their_protocol_as_port() {
    let kind = SocketType::RAW;
    // Needs CAP_NET_RAW: without it there is nothing to look for.
    let Ok(socket) =
        socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, Some(ipproto::ICMP))
    else {
        return eprintln!("skipped: may not open a raw socket");
    };
    let request = Request { protocols: vec![Protocol::Raw], ..EVERYTHING() };
    let sockets = rows(&request);
    let found = sockets.iter().find(|row| row.inode == Some(inode(&socket))).unwrap();
    let any = Endpoint::inet(Ipv4Addr::UNSPECIFIED.into(), 1);
    assert_eq!((found.protocol, found.local.clone()), (Protocol::Raw, Some(any)));
}

#[test]
fn a_kernel_release_tells_its_version() {
    for (release, version) in [
        ("6.18.44-fc-v669", Some((6, 18))),
        ("5.15.0-91-generic", Some((5, 15))),
        ("6.8-rc1", Some((6, 8))),
        ("3", None),
        ("", None),
    ] {
        assert_eq!(kernel_version(release), version, "{release}");
    }
}
