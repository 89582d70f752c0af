//! What files tell of the kernel's ports: `/proc`, and configfs, where its targets are set up.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::kernel::{End, KernelPort, Service};
use crate::socket::Protocol;

/// Reads the files of one network namespace, from a directory such as `/proc/PID/net`.
pub(super) fn read_net(directory: &Path) -> Vec<KernelPort> {
    let mut ports = lines(&directory.join("nfsfs/servers"), parse_nfs_server);
    ports.extend(lines(&directory.join("rxrpc/locals"), parse_rxrpc_local));
    ports
}

/// Reads the files that are of the machine, below this root. Their sockets are in its first network
/// namespace.
pub(super) fn read_machine(root: &Path) -> Vec<KernelPort> {
    let mut ports = lines(&root.join("proc/fs/nfsd/portlist"), parse_nfsd_port);
    let sysctl = root.join("proc/sys/fs/nfs");
    for (file, service, protocol) in [
        ("nlm_tcpport", Service::Lockd, Protocol::Tcp),
        ("nlm_udpport", Service::Lockd, Protocol::Udp),
        ("nfs_callback_tcpport", Service::NfsCallback, Protocol::Tcp),
    ] {
        ports.extend(
            number(&sysctl.join(file)).map(|port| KernelPort::new(service, protocol, port)),
        );
    }
    let config = root.join("sys/kernel/config");
    let tcp = |service| move |port| KernelPort::new(service, Protocol::Tcp, port);
    // linux/drivers/nvme/target/configfs.c
    for port in entries(&config.join("nvmet/ports")) {
        let is_tcp = text(&port.join("addr_trtype")).is_some_and(|kind| kind.trim() == "tcp");
        let number = number(&port.join("addr_trsvcid")).filter(|_| is_tcp);
        ports.extend(number.map(tcp(Service::Nvmet)));
    }
    // linux/drivers/target/iscsi/iscsi_target_configfs.c: a portal is a directory, `[::]:3260`.
    for target in entries(&config.join("target/iscsi")) {
        for portal in entries(&target).iter().flat_map(|group| entries(&group.join("np"))) {
            let name = portal.file_name().and_then(|name| name.to_str());
            let port = name.and_then(|name| name.rsplit_once(':')?.1.parse().ok());
            ports.extend(port.map(tcp(Service::IscsiTarget)));
        }
    }
    // linux/fs/dlm/config.c, linux/fs/ocfs2/cluster/nodemanager.c
    if let Some(port) = number(&config.join("dlm/cluster/tcp_port")) {
        ports.extend(both_ends(Service::Dlm, port));
    }
    for cluster in entries(&config.join("cluster")) {
        for node in entries(&cluster.join("node")) {
            let port = number(&node.join("ipv4_port"));
            ports.extend(port.into_iter().flat_map(|port| both_ends(Service::Ocfs2, port)));
        }
    }
    ports
}

/// Returns the port of a service that both listens and connects.
fn both_ends(service: Service, port: u16) -> [KernelPort; 2] {
    let local = KernelPort::new(service, Protocol::Tcp, port);
    [KernelPort { end: End::Peer, ..local.clone() }, local]
}

/// Parses a line such as `tcp 2049` (`svc_one_xprt_name`, linux/net/sunrpc/svc_xprt.c).
fn parse_nfsd_port(line: &str) -> Option<KernelPort> {
    let (protocol, port) = line.split_once(' ')?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    Some(KernelPort::new(Service::Nfsd, protocol, port.trim().parse().ok()?))
}

/// Parses a line such as `v4 0a000001  801   2 server` (`nfs_server_list_show`, linux/fs/nfs/client.c):
/// version, address and port in hexadecimal.
fn parse_nfs_server(line: &str) -> Option<KernelPort> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (address, port) = (words.next()?, words.next()?);
    let address = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?)),
        32 => IpAddr::from(Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?)),
        _ => return None,
    };
    let fact = KernelPort::new(Service::Nfs, Protocol::Tcp, u16::from_str_radix(port, 16).ok()?);
    Some(KernelPort { end: End::Peer, address: Some(address.to_canonical()), ..fact })
}

/// Parses a line such as `UDP   0.0.0.0:7001   3   2` (`rxrpc_local_seq_show`,
/// linux/net/rxrpc/proc.c).
fn parse_rxrpc_local(line: &str) -> Option<KernelPort> {
    let local: SocketAddr =
        line.strip_prefix("UDP")?.split_ascii_whitespace().next()?.parse().ok()?;
    (local.port() != 0).then(|| KernelPort::new(Service::Rxrpc, Protocol::Udp, local.port()))
}

/// Returns what this makes of the lines of a file; nothing when there is none, or it may not be read.
fn lines(path: &Path, parse: impl Fn(&str) -> Option<KernelPort>) -> Vec<KernelPort> {
    text(path).map(|text| text.lines().filter_map(parse).collect()).unwrap_or_default()
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Returns the port in a file; 0 is none.
fn number(path: &Path) -> Option<u16> {
    text(path)?.trim().parse().ok().filter(|port| *port != 0)
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The port of each fact with its service, protocol and end.
    fn facts(ports: &[KernelPort]) -> Vec<(Service, Protocol, End, u16)> {
        ports.iter().map(|port| (port.kind, port.protocol, port.end, port.port)).collect()
    }

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn servers_and_targets_are_read_from_proc_and_configfs() {
        let root = tree(&[
            ("proc/fs/nfsd/portlist", "rdma 20049\ntcp 2049\nudp 2050\n"),
            ("proc/sys/fs/nfs/nlm_tcpport", "4045\n"),
            ("proc/sys/fs/nfs/nlm_udpport", "0\n"),
            ("sys/kernel/config/nvmet/ports/1/addr_trtype", "tcp\n"),
            ("sys/kernel/config/nvmet/ports/1/addr_trsvcid", "4420\n"),
            ("sys/kernel/config/nvmet/ports/2/addr_trtype", "rdma\n"),
            ("sys/kernel/config/nvmet/ports/2/addr_trsvcid", "4421\n"),
            (
                "sys/kernel/config/target/iscsi/iqn.2026-11.example:disk/tpgt_1/np/[::]:3261/iser",
                "0",
            ),
            ("sys/kernel/config/dlm/cluster/tcp_port", "21064\n"),
            ("sys/kernel/config/cluster/c/node/a/ipv4_port", "7777\n"),
        ]);
        let (tcp, local) = (Protocol::Tcp, End::Local);
        assert_eq!(
            facts(&read_machine(root.path())),
            [
                (Service::Nfsd, tcp, local, 2049),
                (Service::Nfsd, Protocol::Udp, local, 2050),
                (Service::Lockd, tcp, local, 4045),
                (Service::Nvmet, tcp, local, 4420),
                (Service::IscsiTarget, tcp, local, 3261),
                (Service::Dlm, tcp, End::Peer, 21064),
                (Service::Dlm, tcp, local, 21064),
                (Service::Ocfs2, tcp, End::Peer, 7777),
                (Service::Ocfs2, tcp, local, 7777),
            ]
        );
    }

    #[test]
    fn clients_are_read_from_the_tables_of_their_namespace() {
        let net = tree(&[
            (
                "nfsfs/servers",
                "NV SERVER   PORT USE HOSTNAME\n\
                 v4 0a000001  801   2 server\n\
                 v3 00000000000000000000ffff0a000002  801   1 other\n",
            ),
            (
                "rxrpc/locals",
                "Proto Local    Use Act\nUDP   [::]:7001   3   2\nUDP   0.0.0.0:0  1   1\n",
            ),
        ]);
        let ports = read_net(net.path());
        assert_eq!(
            facts(&ports),
            [
                (Service::Nfs, Protocol::Tcp, End::Peer, 2049),
                (Service::Nfs, Protocol::Tcp, End::Peer, 2049),
                (Service::Rxrpc, Protocol::Udp, End::Local, 7001),
            ]
        );
        let addresses: Vec<_> = ports.iter().filter_map(|port| port.address).collect();
        assert_eq!(addresses, ["10.0.0.1", "10.0.0.2"].map(|it| it.parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn a_machine_without_any_has_none() {
        let nothing = tree(&[]);
        assert_eq!(read_machine(nothing.path()), []);
        assert_eq!(read_net(nothing.path()), []);
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parsers_panic(line: String) {
            let _facts = (parse_nfsd_port(&line), parse_nfs_server(&line), parse_rxrpc_local(&line));
        }
    }
}
