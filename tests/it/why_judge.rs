//! The kernel as judge: what is predicted of a bind, beside what the kernel does, for every pair of a
//! holder made for real and a newcomer that is tried for real. "Unknown" is allowed where a fact cannot
//! be read; wrong is not.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::thread::set_thread_res_uid;
use socket2::{Domain, Socket, Type};
use sockscope::diagnose::{
    BindFacts, BindRequest, Call, Diagnosis, Errno, Target, Verdict, diagnose, undecided,
};
use sockscope::join::join;
use sockscope::platform::{self, PortWish, Request};
use sockscope::process::Uid;
use sockscope::snapshot::Snapshot;
use sockscope::socket::{Interface, Protocol};
use sockscope::state::TcpState;

use crate::netns::{alone, is_root, may_be_nobody};
use crate::support::{skip, wait_until};

const NOBODY: u32 = 65534;

/// How long a socket that is closed may go on having its port.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a socket is bound.
#[derive(Debug, Clone, Copy)]
struct Bound {
    protocol: Protocol,
    address: IpAddr,
    v6only: bool,
    reuse_address: bool,
    reuse_port: bool,
    device: Option<(u32, &'static str)>,
    nobody: bool,
}

const PLACES: [(IpAddr, bool); 9] = [
    (IpAddr::V4(Ipv4Addr::LOCALHOST), false),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), false),
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), false),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), false),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), false),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), true),
    (IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()), false),
    (IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()), false),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), true),
];
const FLAGS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];
const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const DEVICES: [Option<(u32, &str)>; 3] = [None, Some((1, "lo")), Some((77, "d0"))];

fn bounds(protocol: Protocol) -> impl Iterator<Item = Bound> {
    PLACES.into_iter().flat_map(move |(address, v6only)| {
        FLAGS.into_iter().map(move |(reuse_address, reuse_port)| Bound {
            protocol,
            address,
            v6only,
            reuse_address,
            reuse_port,
            device: None,
            nobody: false,
        })
    })
}

/// Every socket that there may be, as a holder and as a newcomer.
fn everyone(protocol: Protocol) -> Vec<Bound> {
    let users: &[bool] = if is_root() { &[false, true] } else { &[false] };
    let mut all = Vec::new();
    for bound in bounds(protocol) {
        for device in DEVICES {
            // An IPv6 address is looked for on the device alone, which is another rule.
            if bound.address == PLACES[3].0 && device == DEVICES[2] {
                continue;
            }
            // As nobody, a device of one's own takes a right.
            let users = if device.is_none() { users } else { &[false] };
            all.extend(users.iter().map(|&nobody| Bound { device, nobody, ..bound }));
        }
    }
    all
}

/// Runs it as the user nobody, as far as this thread goes.
fn as_nobody<T>(nobody: bool, act: impl FnOnce() -> T) -> T {
    let root = rustix::process::Uid::ROOT;
    if nobody {
        set_thread_res_uid(root, rustix::process::Uid::from_raw(NOBODY), root).unwrap();
    }
    let done = act();
    if nobody {
        set_thread_res_uid(root, root, root).unwrap();
    }
    done
}

impl Bound {
    fn bind(&self, port: u16) -> io::Result<Socket> {
        as_nobody(self.nobody, || {
            let address = SocketAddr::new(self.address, port);
            let kind = if self.protocol == Protocol::Tcp { Type::STREAM } else { Type::DGRAM };
            let socket = Socket::new(Domain::for_address(address), kind, None)?;
            socket.set_reuse_address(self.reuse_address)?;
            socket.set_reuse_port(self.reuse_port)?;
            if address.is_ipv6() {
                socket.set_only_v6(self.v6only)?;
            }
            if let Some((_, device)) = self.device {
                socket.bind_device(Some(device.as_bytes()))?;
            }
            socket.bind(&address.into())?;
            Ok(socket)
        })
    }

    fn request(&self, port: u16) -> BindRequest {
        let mut request = BindRequest::plain(Target::Inet {
            protocol: self.protocol,
            address: self.address,
            scope: None,
            port,
        });
        request.reuse_address = self.reuse_address;
        request.reuse_port = self.reuse_port;
        request.v6only = self.address.is_ipv6().then_some(self.v6only);
        request.device =
            self.device.map(|(index, name)| Interface { index, name: Some(name.into()) });
        request
    }

    /// What the kernel says to bind, and for TCP to listen.
    fn real(&self, port: u16) -> Result<(), (Call, io::ErrorKind)> {
        let socket = self.bind(port).map_err(|error| (Call::Bind, error.kind()))?;
        if self.protocol == Protocol::Tcp {
            socket.listen(1).map_err(|error| (Call::Listen, error.kind()))?;
        }
        Ok(())
    }
}

/// A scene: what it is, its port, and what holds it.
struct Scene {
    name: String,
    protocol: Protocol,
    port: u16,
    sockets: Vec<Socket>,
    /// Whether a holder is there whose options nobody can read.
    unreadable: bool,
}

/// Makes what holds a port.
type Make<'a> = dyn Fn(u16) -> io::Result<Vec<Socket>> + 'a;

/// What has been seen.
#[derive(Debug, Default)]
struct Tally {
    pairs: usize,
    unknown: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

/// What is seen of a scene.
fn look(scene: &Scene) -> (Snapshot, BindFacts) {
    let mut request = Request::default();
    request.protocols = vec![Protocol::Tcp, Protocol::Udp];
    request.ports = Some(PortWish::Local(scene.port..=scene.port));
    let snapshot = join(platform::native().collect(&request).unwrap());
    // What does not depend on the newcomer is read once, for whoever it is.
    let wildcard = Bound { address: PLACES[4].0, ..first(scene.protocol) }.request(scene.port);
    let mut facts = platform::bind_facts(&wildcard);
    facts.uid = None;
    facts.options.extend(platform::options_of(&undecided(&snapshot, &facts, &wildcard)));
    (snapshot, facts)
}

/// Tries every newcomer at the scene; what is made again is made at the next port.
fn judge(scene: &mut Scene, make: &Make<'_>, next: &mut u16, tally: &mut Tally) {
    let (snapshot, mut facts) = look(scene);
    let mut port = scene.port;
    for newcomer in everyone(scene.protocol) {
        let diagnosis = predict(&snapshot, &mut facts, &newcomer, scene.port);
        let real = settled(&diagnosis, || newcomer.real(port));
        tally.pairs += 1;
        let is_right = fits(diagnosis.prediction, real).unwrap_or_else(|| {
            *tally.unknown.entry(scene.name.clone()).or_default() += 1;
            scene.unreadable
        });
        if !is_right {
            tally.wrong.push(format!(
                "{}\n  newcomer {newcomer:?}\n  predicted {:?}, the kernel: {real:?}\n  causes {:?}",
                scene.name,
                diagnosis.prediction,
                diagnosis.causes.iter().map(|cause| cause.reason).collect::<Vec<_>>()
            ));
        }
        // The kernel remembers of those with SO_REUSEPORT the last one that it let in, also when it is
        // closed by now, and the next may come in by that: each gets a port without memories. Where the
        // holder's options cannot be read nothing is predicted of them anyway.
        if real.is_ok()
            && !scene.unreadable
            && newcomer.reuse_port
            && newcomer.protocol == Protocol::Tcp
        {
            *next += 1;
            port = *next;
            scene.sockets = make(port).unwrap_or_else(|error| panic!("{}: {error}", scene.name));
        }
    }
}

/// Returns whether the kernel did what was predicted; `None` where nothing was.
fn fits(prediction: Verdict, real: Result<(), (Call, io::ErrorKind)>) -> Option<bool> {
    match prediction {
        Verdict::Free | Verdict::Shareable => Some(real.is_ok()),
        Verdict::Fails { call, errno: Errno::EADDRINUSE } => {
            Some(real == Err((call, io::ErrorKind::AddrInUse)))
        }
        Verdict::Fails { .. } => Some(false),
        Verdict::Unknown => None,
    }
}

/// Asks the kernel, again for a while where it says that a port is taken which was predicted to be free, or
/// to be taken later: the newcomer before this one may be closed and not gone yet, because whoever lists
/// descriptors in this instant holds a reference to each open file it looks at.
fn settled(
    diagnosis: &Diagnosis,
    ask: impl Fn() -> Result<(), (Call, io::ErrorKind)>,
) -> Result<(), (Call, io::ErrorKind)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let real = ask();
        let is_taken = matches!(real, Err((_, io::ErrorKind::AddrInUse)));
        let is_as_predicted = fits(diagnosis.prediction, real) != Some(false);
        if !is_taken || is_as_predicted || Instant::now() > until {
            return real;
        }
        std::thread::yield_now();
    }
}

fn predict(snapshot: &Snapshot, facts: &mut BindFacts, newcomer: &Bound, port: u16) -> Diagnosis {
    let root = if is_root() { 0 } else { rustix::process::geteuid().as_raw() };
    facts.uid = Some(Uid(if newcomer.nobody { NOBODY } else { root }));
    diagnose(snapshot, facts, &newcomer.request(port))
}

fn first(protocol: Protocol) -> Bound {
    bounds(protocol).next().unwrap()
}

/// Makes the scenes, each at a port of its own, and judges each.
struct Scenes {
    port: u16,
    tally: Tally,
}

impl Scenes {
    fn new() -> Self {
        Self { port: 10_000, tally: Tally::default() }
    }

    /// Judges what `make` makes at the port it is given; nothing when the kernel refuses that.
    fn scene(
        &mut self,
        name: String,
        protocol: Protocol,
        unreadable: bool,
        make: impl Fn(u16) -> io::Result<Vec<Socket>>,
    ) {
        self.port += 1;
        let Ok(sockets) = make(self.port) else { return };
        let mut scene = Scene { name, protocol, port: self.port, sockets, unreadable };
        judge(&mut scene, &make, &mut self.port, &mut self.tally);
    }

    /// Checks that no pair was wrong, and that they were not fewer than at least these.
    fn finish(self, at_least: usize) {
        let Tally { pairs, unknown, wrong } = self.tally;
        let unknowns: usize = unknown.values().sum();
        eprintln!("{pairs} pairs, {unknowns} unknown, {} wrong", wrong.len());
        for (scene, count) in &unknown {
            eprintln!("  unknown {count:>4}: {scene}");
        }
        let shown = wrong.len().min(12);
        assert!(
            wrong.is_empty(),
            "{} of {pairs} wrong:\n{}",
            wrong.len(),
            wrong[..shown].join("\n")
        );
        assert!(pairs >= at_least, "{pairs}");
    }
}

/// A device beside loopback, with a known number.
fn make_device() {
    let ip = |arguments: &[&str]| Command::new("ip").args(arguments).status().unwrap();
    assert!(ip(&["link", "add", "d0", "index", "77", "type", "bridge"]).success());
    assert!(ip(&["link", "set", "d0", "up"]).success());
}

/// Both ends of a connection to a listener bound so: the client, the server's end.
fn connect(listener: &Socket, port: u16, address: IpAddr) -> io::Result<(TcpStream, Socket)> {
    let client = TcpStream::connect(SocketAddr::new(address, port))?;
    Ok((client, listener.accept()?.0))
}

/// The address at which a listener bound so is reached.
fn reached_at(bound: &Bound, v4: bool) -> Option<IpAddr> {
    let mapped = bound.address.to_canonical();
    match mapped {
        IpAddr::V4(any) if any.is_unspecified() => v4.then_some(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(any) if any.is_unspecified() && v4 => {
            (!bound.v6only).then_some(Ipv4Addr::LOCALHOST.into())
        }
        IpAddr::V6(any) if any.is_unspecified() => Some(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) => v4.then_some(mapped),
        IpAddr::V6(_) => (!v4).then_some(mapped),
    }
}

/// Runs a test where there is nobody else, as a user who can be another.
fn judged(name: &str, body: impl FnOnce()) {
    alone(name, || if may_be_nobody() { body() } else { skip("needs root, to bind as nobody") });
}

#[test]
fn tcp_binds_and_listens_as_predicted_beside_what_is_bound() {
    judged("why_judge::tcp_binds_and_listens_as_predicted_beside_what_is_bound", || {
        make_device();
        let mut scenes = Scenes::new();
        for holder in everyone(Protocol::Tcp) {
            let bind = |port| Ok(vec![holder.bind(port)?]);
            let listen = |port| {
                let socket = holder.bind(port)?;
                socket.listen(1)?;
                Ok(vec![socket])
            };
            scenes.scene(format!("bound {holder:?}"), Protocol::Tcp, false, bind);
            scenes.scene(format!("listens {holder:?}"), Protocol::Tcp, false, listen);
        }
        scenes.finish(5_000);
    });
}

#[test]
fn tcp_binds_and_listens_as_predicted_beside_what_a_listener_left() {
    judged("why_judge::tcp_binds_and_listens_as_predicted_beside_what_a_listener_left", || {
        make_device();
        let mut scenes = Scenes::new();
        for holder in bounds(Protocol::Tcp) {
            for v4 in [true, false] {
                let Some(address) = reached_at(&holder, v4) else { continue };
                let opened = |port| {
                    let listener = holder.bind(port)?;
                    listener.listen(1)?;
                    let (client, server) = connect(&listener, port, address)?;
                    Ok::<_, io::Error>((listener, client, server))
                };
                let left = |port| {
                    let (listener, client, server) = opened(port)?;
                    drop(listener);
                    // Whoever lists descriptors may hold it for an instant more.
                    wait_until(|| !is_there(port, TcpState::Listen));
                    Ok::<_, io::Error>((client, server))
                };
                let name = |what: &str| format!("{what}, v4 {v4}, {holder:?}");
                scenes.scene(name("established"), Protocol::Tcp, false, |port| {
                    let (client, server) = left(port)?;
                    Ok(vec![client.into(), server])
                });
                scenes.scene(name("close wait"), Protocol::Tcp, false, |port| {
                    let (client, server) = left(port)?;
                    client.shutdown(Shutdown::Write)?;
                    wait_until(|| (&server).read(&mut [0]).is_ok_and(|read| read == 0));
                    Ok(vec![client.into(), server])
                });
                scenes.scene(name("orphan"), Protocol::Tcp, true, |port| {
                    let (mut client, server) = left(port)?;
                    drop(server);
                    assert_eq!(client.read(&mut [0])?, 0);
                    Ok(vec![client.into()])
                });
                scenes.scene(name("time wait"), Protocol::Tcp, true, |port| {
                    let (mut client, server) = left(port)?;
                    drop(server);
                    assert_eq!(client.read(&mut [0])?, 0);
                    drop(client);
                    wait_until(|| is_there(port, TcpState::TimeWait));
                    Ok(Vec::new())
                });
                scenes.scene(name("shut listener"), Protocol::Tcp, false, |port| {
                    let (listener, client, server) = opened(port)?;
                    listener.shutdown(Shutdown::Both)?;
                    Ok(vec![listener, client.into(), server])
                });
                scenes.scene(name("not accepted"), Protocol::Tcp, false, |port| {
                    let listener = holder.bind(port)?;
                    listener.listen(1)?;
                    let client = TcpStream::connect(SocketAddr::new(address, port))?;
                    Ok(vec![listener, client.into()])
                });
            }
        }
        scenes.finish(4_000);
    });
}

/// Returns whether a socket of this port is in this state.
fn is_there(port: u16, state: TcpState) -> bool {
    let mut request = Request::default();
    request.owners = false;
    request.ports = Some(PortWish::Local(port..=port));
    let sockets = platform::native().collect(&request).unwrap().sockets;
    sockets.iter().any(|socket| socket.state == Some(state))
}

#[test]
fn tcp_binds_and_listens_as_predicted_beside_outgoing_connections() {
    judged("why_judge::tcp_binds_and_listens_as_predicted_beside_outgoing_connections", || {
        make_device();
        let mut scenes = Scenes::new();
        for (reuse_address, reuse_port) in FLAGS {
            for only6 in [true, false] {
                for address in [PLACES[0].0, PLACES[3].0, PLACES[6].0] {
                    let name = format!("client {address} {reuse_address} {reuse_port} {only6}");
                    let client = |port| {
                        let canonical = address.to_canonical();
                        // The kernel has one port alone for a client.
                        std::fs::write(RANGE, format!("{port} {port}"))?;
                        let listener = Bound { address: canonical, ..first(Protocol::Tcp) };
                        let listener = listener.bind(port + 20_000)?;
                        listener.listen(8)?;
                        let to = port + 20_000;
                        let to = SocketAddr::new(address, to);
                        let client = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
                        client.set_reuse_address(reuse_address)?;
                        client.set_reuse_port(reuse_port)?;
                        if canonical.is_ipv6() {
                            client.set_only_v6(only6)?;
                        }
                        client.connect(&to.into())?;
                        assert_eq!(
                            client.local_addr()?.as_socket().map(|own| own.port()),
                            Some(port)
                        );
                        Ok(vec![listener, client])
                    };
                    scenes.scene(name, Protocol::Tcp, false, client);
                }
            }
        }
        scenes.finish(2_000);
    });
}

#[test]
fn udp_binds_as_predicted() {
    judged("why_judge::udp_binds_as_predicted", || {
        make_device();
        let mut scenes = Scenes::new();
        for holder in everyone(Protocol::Udp) {
            let bind = |port| Ok(vec![holder.bind(port)?]);
            scenes.scene(format!("bound {holder:?}"), Protocol::Udp, false, bind);
        }
        for holder in bounds(Protocol::Udp) {
            scenes.scene(format!("connected {holder:?}"), Protocol::Udp, false, |port| {
                let socket = holder.bind(port)?;
                let v4 = reached_at(&holder, true).is_some();
                let peer = reached_at(&holder, v4).map(|peer| SocketAddr::new(peer, 9));
                let peer = peer.filter(|_| holder.address.is_ipv4() || !v4);
                socket.connect(&peer.ok_or(io::ErrorKind::Other)?.into())?;
                Ok(vec![socket])
            });
            // Two that share: the kernel may ask the one or the other.
            scenes.scene(format!("two, one plain in {holder:?}"), Protocol::Udp, true, |port| {
                let one = Bound { reuse_address: true, reuse_port: true, ..holder };
                let other = Bound { reuse_address: true, reuse_port: false, ..holder };
                Ok(vec![other.bind(port)?, one.bind(port)?])
            });
        }
        scenes.finish(3_000);
    });
}
