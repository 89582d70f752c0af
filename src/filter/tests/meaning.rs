//! What each key, operator and spelling selects.

use super::rows::ALL;
use super::{Known, fitting, parse};
use crate::filter::{Filter, NoNames};
use crate::state::TcpState;

/// Asserts that each filter selects exactly these rows, and its negation exactly the others.
fn table(cases: &[(&str, &[&str])]) {
    for (input, expected) in cases {
        let filter = parse(input);
        assert_eq!(fitting(&filter), *expected, "{input}");
        let others: Vec<&str> = ALL.iter().copied().filter(|row| !expected.contains(row)).collect();
        assert_eq!(fitting(&!filter), others, "not ({input})");
    }
}

#[test]
fn protocols_and_families() {
    let tcp: &[&str] = &["web", "node", "mapped", "tw", "link", "waiting"];
    let inet: &[&str] = &["web", "node", "tw", "dns", "waiting"];
    table(&[
        ("tcp", tcp),
        ("TCP", tcp),
        ("protocol tcp", tcp),
        ("proto = tcp", tcp),
        ("protocol:tcp", tcp),
        ("protocol tcp,udp and not inet", &["mapped", "link", "quic"]),
        ("protocol tcp4", &["web", "node", "tw", "waiting"]),
        ("tcp4", &["web", "node", "tw", "waiting"]),
        ("tcp6", &["mapped", "link"]),
        ("udp", &["dns", "quic"]),
        ("udp4", &["dns"]),
        ("udp6", &["quic"]),
        ("udplite", &[]),
        ("raw", &[]),
        ("raw6", &[]),
        ("unix", &["bus", "x11"]),
        ("udp,unix", &["dns", "quic", "bus", "x11"]),
        ("inet", inet),
        ("ipv4", inet),
        ("ip4", inet),
        ("family inet", inet),
        ("family 4", inet),
        ("family != inet", &["mapped", "link", "quic", "bus", "x11"]),
        ("inet6", &["mapped", "link", "quic"]),
        ("ipv6", &["mapped", "link", "quic"]),
        ("family 6", &["mapped", "link", "quic"]),
        ("family unix", &["bus", "x11"]),
    ]);
}

#[test]
fn states_in_every_spelling() {
    let rows_of = |state| match state {
        TcpState::Listen => vec!["web", "bus"],
        TcpState::Established => vec!["node", "quic", "x11"],
        TcpState::CloseWait => vec!["mapped"],
        TcpState::TimeWait => vec!["tw"],
        TcpState::SynSent => vec!["link"],
        TcpState::SynRecv => vec!["waiting"],
        TcpState::Closed => vec!["dns"],
        TcpState::Bound
        | TcpState::FinWait1
        | TcpState::FinWait2
        | TcpState::Closing
        | TcpState::LastAck
        | TcpState::Other(_) => vec![],
    };
    for word in TcpState::spellings() {
        let expected = rows_of(TcpState::parse(word).unwrap());
        for input in [
            word.to_owned(),
            word.to_lowercase(),
            format!("state {word}"),
            format!("state = {word}"),
            format!("not exclude {word}"),
        ] {
            // The unknown states are excluded by nothing, but no row has one.
            assert_eq!(fitting(&parse(&input)), expected, "{input}");
        }
    }
}

#[test]
fn the_classes_of_ss() {
    table(&[
        ("all", ALL),
        ("state all", ALL),
        ("state connected", &["node", "mapped", "tw", "link", "quic", "waiting", "x11"]),
        ("connected", &["node", "mapped", "tw", "link", "quic", "waiting", "x11"]),
        ("unconnected", &["dns"]),
        ("udp connected", &["quic"]),
        ("udp unconnected", &["dns"]),
        ("synchronized", &["node", "mapped", "tw", "quic", "waiting", "x11"]),
        ("bucket", &["tw", "waiting"]),
        ("state big", &["web", "node", "mapped", "link", "dns", "quic", "bus", "x11"]),
    ]);
}

#[test]
fn a_run_of_states_is_one_set() {
    table(&[
        ("state established state time-wait", &["node", "tw", "quic", "x11"]),
        ("state established tcp", &["node"]),
        ("state established,time-wait tcp", &["node", "tw"]),
        ("state connected exclude established", &["mapped", "tw", "link", "waiting"]),
        ("exclude listening exclude connected", &["dns"]),
        ("state:listen state:closed", &["web", "dns", "bus"]),
        ("state != listen and tcp", &["node", "mapped", "tw", "link", "waiting"]),
        ("not state listen state established", &["mapped", "tw", "link", "dns", "waiting"]),
        ("state established and state time-wait", &[]),
        ("established,time-wait", &["node", "tw", "quic", "x11"]),
        ("state all exclude all", &[]),
    ]);
}

#[test]
fn listen_is_the_state_and_server_what_l_lists() {
    table(&[
        ("listen", &["web", "bus"]),
        ("state listening", &["web", "bus"]),
        ("server", &["web", "dns", "bus"]),
    ]);
    assert_eq!(Filter::servers(), parse("server"));
}

#[test]
fn ports() {
    let web: &[&str] = &["web", "tw", "waiting"];
    table(&[
        ("port 80", web),
        ("port = 80", web),
        ("port == 80", web),
        ("port eq 80", web),
        ("port:80", web),
        ("port: 80", web),
        ("port=:80", web),
        ("port *:80", web),
        ("port http", web),
        ("port :http", web),
        (":80", web),
        ("80", web),
        ("*:80", web),
        ("tcp:80", web),
        ("tcp:http", web),
        ("tcp4:80,443", web),
        ("udp:80", &[]),
        ("port 3000-3999", &["node"]),
        ("3000-3999", &["node"]),
        ("port my-app", &["node"]),
        ("port 22-my-app", &["web", "node", "mapped", "tw", "link", "dns", "quic", "waiting"]),
        ("port 53,443", &["mapped", "dns", "quic"]),
        ("port 53, 443", &["mapped", "dns", "quic"]),
        ("53,443", &["mapped", "dns", "quic"]),
        (":53,443", &["mapped", "dns", "quic"]),
        ("sport 80", web),
        ("lport 80", web),
        ("local port 80", web),
        ("src port:80", web),
        ("sport 443", &["mapped"]),
        ("dport 443", &["quic"]),
        ("rport 443", &["quic"]),
        ("peer port 443", &["quic"]),
        ("dport = :ssh or sport = :ssh", &["link"]),
        ("sport inet6::443", &["mapped"]),
        ("sport < 80", &["dns"]),
        ("sport lt 80", &["dns"]),
        ("sport <= 80", &["web", "tw", "dns", "waiting"]),
        ("sport leq :80", &["web", "tw", "dns", "waiting"]),
        ("sport le :80", &["web", "tw", "dns", "waiting"]),
        ("dport gt :50000", &["tw"]),
        ("dport > 50000", &["tw"]),
        ("dport>=50000", &["node", "tw"]),
        ("dport ge 50000", &["node", "tw"]),
        ("dport geq 50000", &["node", "tw"]),
    ]);
    let not_http = ["web", "node", "tw", "link", "dns", "waiting", "bus", "x11"];
    for operator in ["!=", "ne", "neq"] {
        assert_eq!(fitting(&parse(&format!("port {operator} 443"))), not_http, "{operator}");
    }
}

#[test]
fn hosts() {
    table(&[
        ("host 127.0.0.1", &["node", "tw"]),
        ("addr 127.0.0.1", &["node", "tw"]),
        ("address:127.0.0.1", &["node", "tw"]),
        ("127.0.0.1", &["node", "tw"]),
        ("src 127.0.0.1", &["node", "tw"]),
        ("local = 127.0.0.1", &["node", "tw"]),
        ("local address 127.0.0.1", &["node", "tw"]),
        ("dst 127.0.0.1", &["tw"]),
        ("peer 127.0.0.1", &["tw"]),
        ("remote:127.0.0.1", &["tw"]),
        ("dst 10.0.0.0/8", &["node", "waiting"]),
        ("dst 10/8", &["node", "waiting"]),
        ("dst 10.1.2.3/16", &["node"]),
        ("10.0.0.0/8", &["node", "waiting"]),
        ("dst != 10.0.0.0/8", &["web", "mapped", "tw", "link", "dns", "quic", "bus", "x11"]),
        ("dst 10.1.0.0/16,fe80::/10", &["node", "link"]),
        ("127.0.0.1:80", &["tw"]),
        ("src 127.0.0.1:80,3000", &["node", "tw"]),
        ("src 127.0.0.1:80,10.0.0.1:80", &["tw", "waiting"]),
        ("src 127.0.0.1:80,http", &["tw"]),
        ("src :443", &["mapped"]),
        ("src :https", &["mapped"]),
        ("src *:443", &["mapped"]),
        ("dst *:*", ALL),
        ("src 0.0.0.0", &["web", "dns"]),
        ("[2001:db8::2]:443", &["quic"]),
        ("dst [2001:db8::2]:443", &["quic"]),
        ("dst [2001:db8::2]", &["quic"]),
        ("dst 2001:db8::2", &["quic"]),
        ("dst [2001:db8::/32]:443", &["quic"]),
        ("2001:db8::/32", &["quic"]),
        ("::/0", &["link", "quic"]),
        ("host localhost", &["node", "tw"]),
        ("src localhost:3000", &["node"]),
        ("localhost:3000", &["node"]),
        ("dst peer.test", &["node"]),
        ("inet:127.0.0.1", &["node", "tw"]),
        ("src inet6:*:443", &["mapped"]),
        ("dst inet6:*", &["mapped", "link", "quic"]),
    ]);
}

#[test]
fn host_and_port_are_those_of_one_end() {
    table(&[("host 127.0.0.1:50000", &[]), ("host 127.0.0.1 port 50000", &["node"])]);
}

#[test]
fn mapped_addresses_are_ipv4() {
    table(&[
        ("src 192.168.1.5", &["mapped"]),
        ("src ::ffff:192.168.1.5", &["mapped"]),
        ("192.168.0.0/16", &["mapped"]),
        ("[::ffff:192.168.0.0/112]:443", &["mapped"]),
        ("dst ::ffff:127.0.0.1", &["tw"]),
    ]);
}

#[test]
fn a_zone_counts_when_given() {
    table(&[
        ("fe80::1", &["link"]),
        ("fe80::1%eth0", &["link"]),
        ("fe80::1%2", &["link"]),
        ("fe80::1%lo", &[]),
        ("dst [fe80::2%eth0]:22", &["link"]),
        ("dst [fe80::2%wlan0]:22", &[]),
    ]);
}

#[test]
fn unix_names() {
    table(&[
        ("src unix:/run/*", &["bus"]),
        ("unix:/run/*", &["bus"]),
        ("/run/*", &["bus"]),
        ("src '/run/dbus/System Bus'", &["bus"]),
        ("src:\"/RUN/dbus/system bus\"", &["bus"]),
        ("@/tmp/.X11-unix/*", &["x11"]),
        ("src unix:*X1[0-1]*", &["x11"]),
        ("dst unix:?", &["x11"]),
        ("unix:*", &["bus", "x11"]),
    ]);
}

#[test]
fn numbers_of_owners_match_any_owner() {
    table(&[
        ("pid 100", &["web", "waiting"]),
        ("pid 101", &["web"]),
        ("pid = 100-200", &["web", "node", "waiting"]),
        ("pid 200,300", &["node", "link"]),
        ("pid < 101", &["web", "waiting"]),
        ("pid > 400", &["quic", "bus"]),
        ("pid:500", &["quic"]),
        ("ppid 100", &["web"]),
        ("ppid 50", &["node"]),
        ("fd 6", &["web"]),
        ("fd >= 7", &["web", "node"]),
        ("uid 0", &["web", "waiting", "bus"]),
        ("uid 33", &["web"]),
        ("uid:1000", &["node", "mapped", "link"]),
        ("uid >= 1000", &["node", "mapped", "link", "dns"]),
        ("pid != 100", &["node", "mapped", "tw", "link", "dns", "quic", "bus", "x11"]),
    ]);
}

#[test]
fn an_age_is_in_seconds_or_in_a_unit_of_time() {
    table(&[
        ("age 90", &["node"]),
        ("age 90s", &["node"]),
        ("age < 2m", &["node"]),
        ("age >= 1h", &["web"]),
        ("age > 1h", &[]),
        ("age 1m-1d", &["web", "node"]),
        ("age < 1w", &["web", "node"]),
    ]);
}

#[test]
fn programs_are_known_by_path_or_name_and_directories_by_path() {
    table(&[
        ("exe /usr/sbin/nginx", &["web"]),
        ("exe nginx", &["web"]),
        ("program /usr/*", &["web"]),
        ("exe sbin", &[]),
        ("cwd /srv/*", &["web"]),
        ("directory www", &[]),
    ]);
}

#[test]
fn units_are_known_with_or_without_their_kind() {
    table(&[
        ("unit nginx.service", &["web"]),
        ("unit nginx", &["web"]),
        ("service nginx", &["web"]),
        ("unit user@1000", &["node"]),
        ("unit snap.node.*", &["node"]),
        ("unit user@1000.service/snap.node.node-1f.scope", &["node"]),
        // The group a socket was made in stands in for an owner who is hidden, for no other.
        ("unit init.scope", &[]),
        ("unit gone", &[]),
    ]);
}

#[test]
fn containers_are_known_by_runtime_number_name_or_pod() {
    table(&[
        ("container snap", &["node"]),
        ("container node", &["node"]),
        ("container snap:node", &["node"]),
        ("container cri-o", &["mapped"]),
        ("container 4f5d", &["mapped"]),
        ("container cri-o:4f5d0c1e9b8a", &["mapped"]),
        ("container 1f2e3d4c-5b6a-7980-8f9e-0a1b2c3d4e5f", &["mapped"]),
        ("container 5d0c", &[]),
        ("container nod", &[]),
        ("container \"\"", &[]),
        ("container *", &["node", "mapped"]),
    ]);
}

#[test]
fn a_control_group_is_the_owners_or_the_socket_s_own() {
    table(&[
        ("cgroup /system.slice/nginx.service", &["web"]),
        ("cgroup /system.slice/*", &["web", "tw"]),
        ("cgroup /init.scope", &["node"]),
        ("cgroup = /sys/fs/cgroup/init.scope", &["node"]),
        ("cgroup /sys/fs/cgroup/unified/kubepods/*", &["mapped"]),
    ]);
}

#[test]
fn numbers_of_sockets() {
    table(&[
        ("inode 10", &["web"]),
        ("ino:10", &["web"]),
        ("cookie 31", &["web"]),
        ("cookie 0x1f", &["web"]),
        ("sk:1f", &["web"]),
        ("sk 10-1f", &["web"]),
        ("netns 4026531840", &["web"]),
        ("netns >= 4026531840", &["web"]),
        ("netns host", &["web"]),
        ("netns:h*,5", &["web"]),
        ("netns blue", &[]),
        ("recvq 5", &["node"]),
        ("recv-q > 0", &["node"]),
        ("sendq >= 700", &["node"]),
        ("send-q < 700", &[]),
        ("backlog > 0", &["web"]),
        ("retrans > 2", &["node"]),
        ("drops 7", &["dns"]),
    ]);
}

#[test]
fn users_by_name_and_number() {
    let alice: &[&str] = &["node", "mapped", "link"];
    table(&[
        ("user root", &["web", "waiting", "bus"]),
        ("user 0", &["web", "waiting", "bus"]),
        ("user = alice", alice),
        ("user:alice", alice),
        ("user root,alice", &["web", "node", "mapped", "link", "waiting", "bus"]),
        ("user www-*", &["web"]),
        (r"user *\\bob", &["quic"]),
        ("user != root", &["node", "mapped", "tw", "link", "dns", "quic", "x11"]),
    ]);
}

#[test]
fn where_users_cannot_be_checked_names_are_text() {
    let filter = Filter::parse("user nobody", &NoNames).unwrap();
    assert_eq!(fitting(&filter), ["dns"]);
    let filter = Filter::parse(r"user 'HOME\\bob'", &NoNames).unwrap();
    assert_eq!(fitting(&filter), ["quic"]);
}

#[test]
fn commands_are_whole_names_or_patterns() {
    let web: &[&str] = &["web", "waiting"];
    table(&[
        ("command nginx", web),
        ("cmd nginx", web),
        ("comm = nginx", web),
        ("command ngin", &[]),
        ("command NGINX", &[]),
        ("command ngin*", web),
        ("command node", &["node"]),
        ("command MainThread", &["node"]),
        ("command nginx,node", &["web", "node", "waiting"]),
        ("command \"Web Content\"", &["quic"]),
        ("command 'Web *'", &["quic"]),
        ("command:Web\\ Content", &["quic"]),
        ("command 'a)b, c'", &["bus"]),
        ("command != nginx", &["node", "mapped", "tw", "link", "dns", "quic", "bus", "x11"]),
    ]);
}

#[test]
fn devices_owners_and_ways() {
    table(&[
        ("dev lo", &["dns"]),
        ("dev = lo", &["dns"]),
        ("dev 2", &["node"]),
        ("device eth*", &["node"]),
        (
            "interface != lo",
            &["web", "node", "mapped", "tw", "link", "quic", "waiting", "bus", "x11"],
        ),
        ("held", &["web", "node", "link", "dns", "quic", "waiting", "bus"]),
        ("owner held", &["web", "node", "link", "dns", "quic", "waiting", "bus"]),
        ("kernel", &["tw"]),
        ("ownership = kernel", &["tw"]),
        ("hidden", &["mapped", "x11"]),
        ("owner hidden,kernel", &["mapped", "tw", "x11"]),
        ("via fd", &["web", "node", "link", "dns", "bus"]),
        ("via table", &["quic"]),
        ("via accept-queue", &["waiting"]),
    ]);
}

#[test]
fn operators_and_precedence() {
    table(&[
        ("", ALL),
        ("  ", ALL),
        ("tcp and listen", &["web"]),
        ("tcp && listen", &["web"]),
        ("tcp & listen", &["web"]),
        ("tcp listen", &["web"]),
        ("TCP AND Listen", &["web"]),
        ("kernel or hidden", &["mapped", "tw", "x11"]),
        ("kernel||hidden", &["mapped", "tw", "x11"]),
        ("kernel | hidden", &["mapped", "tw", "x11"]),
        ("!tcp", &["dns", "quic", "bus", "x11"]),
        ("not not tcp6", &["mapped", "link"]),
        ("not tcp udp4", &["dns"]),
        ("kernel or tcp and listen", &["web", "tw"]),
        ("(kernel or tcp) and listen", &["web"]),
        ("listen tcp or kernel", &["web", "tw"]),
        ("not kernel and tcp4", &["web", "node", "waiting"]),
        ("not (kernel and tcp4) and tcp4", &["web", "node", "waiting"]),
        ("!(listen||connected)", &["dns"]),
        ("tcp and port 3000-3999 and not user root", &["node"]),
    ]);
}

/// ss.8's own examples, and the one it gets wrong itself: see 25-models.md and iproute2
/// misc/ssfilter.y.
#[test]
fn expressions_of_ss_mean_what_its_manual_says() {
    table(&[
        ("state syn-sent ( dport = :ssh or sport = :ssh )", &["link"]),
        ("src /tmp/.X11-unix/*", &[]),
        ("src @/tmp/.x11-unix/*", &["x11"]),
        ("state time-wait ( sport = :http or sport = :https ) dst 127.0.0/24", &["tw"]),
        ("sport = 3000 or sport = 80 and dport = 55555", &["node", "tw"]),
        ("dport gt :1024 and dev = eth0", &["node"]),
        ("not dst 127.0.0.1 and sport neq :80 tcp4", &["node"]),
    ]);
}

#[test]
fn names_are_resolved_once_while_parsing() {
    let filter = Filter::parse("user root and host localhost", &Known).unwrap();
    assert_eq!(filter.to_string(), "user root and (host 127.0.0.1 or host ::1)");
}
