//! What a process forwards, concluded from its command line: docker-proxy, ssh, kubectl, socat and
//! their like.
//!
//! A command line says what was asked for, not what is: these are inferences, and are shown as such.
//! [`TOOLS`] is the one table of those known.

use crate::process::Process;

/// What a command line says of a forwarding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The tool, by its usual name.
    pub tool: &'static str,
    /// Where it listens; the words are the command line's, and so untrusted.
    pub from: Place,
    /// Where it forwards to; likewise.
    pub to: Place,
}

/// One end of a forwarding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In words, from the command line: `127.0.0.1:8080`.
    pub text: String,
    /// The port of this machine it is.
    pub port: Local,
}

/// Whether a place is a port of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// This one.
    Port(u16),
    /// The command line does not say which.
    Some,
    /// It is elsewhere.
    No,
}

impl Forward {
    /// Returns whether this is where what comes to the port is forwarded from, given that the process
    /// listens on it.
    pub fn listens_at(&self, port: u16) -> bool {
        match self.from.port {
            Local::Port(from) => from == port,
            Local::Some => true,
            Local::No => false,
        }
    }

    /// Returns whether this is about the port, given whether the process listens on it.
    pub fn concerns(&self, port: u16, serves: bool) -> bool {
        let is_from = match self.from.port {
            Local::Port(from) => from == port,
            Local::Some => serves,
            Local::No => false,
        };
        is_from || self.to.port == Local::Port(port)
    }
}

/// A tool that forwards, known by the name of its program.
struct Tool {
    /// The name of its program, up to the length that the kernel keeps of it.
    name: &'static str,
    /// What its arguments say.
    parse: fn(&[&str]) -> Vec<(Place, Place)>,
}

/// The tools known.
const TOOLS: &[Tool] = &[
    Tool { name: "docker-proxy", parse: docker_proxy },
    Tool { name: "ssh", parse: ssh },
    Tool { name: "kubectl", parse: kubectl },
    Tool { name: "socat", parse: socat },
    Tool { name: "systemd-socket-proxyd", parse: socket_proxyd },
    Tool { name: "rootlessport", parse: into_container },
    Tool { name: "rootlessport-child", parse: into_container },
    Tool { name: "com.docker.backend", parse: into_container },
    Tool { name: "wslrelay.exe", parse: |_| vec![(Place::some_port(), Place::there("WSL"))] },
];

/// Returns what the command line of a process says that it forwards.
pub fn infer(process: &Process) -> Vec<Forward> {
    let argv: Vec<_> = process.argv.iter().flatten().map(|word| word.to_lossy()).collect();
    let argv: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
    let Some((program, arguments)) = argv.split_first() else { return Vec::new() };
    let program = program.rsplit(['/', '\\']).next().unwrap_or(program);
    TOOLS
        .iter()
        .filter(|tool| tool.name == program)
        .flat_map(|&Tool { name, parse }| {
            let all = parse(arguments).into_iter();
            all.map(move |(from, to)| Forward { tool: name, from, to })
        })
        .collect()
}

impl Place {
    fn here(host: Option<&str>, port: u16) -> Self {
        let text = format!("{}:{port}", host.unwrap_or("localhost"));
        Self { text, port: Local::Port(port) }
    }

    fn some_port() -> Self {
        Self { text: "its port".to_owned(), port: Local::Some }
    }

    fn there(text: impl Into<String>) -> Self {
        Self { text: text.into(), port: Local::No }
    }

    /// A place that a process of this machine connects to: here, where the host is this one.
    fn reached(host: &str, port: &str) -> Self {
        let is_here = matches!(
            host.trim_matches(['[', ']']),
            "localhost" | "::1" | "0.0.0.0" | "::" | "" | "*"
        ) || host.starts_with("127.");
        let number = port.parse().ok().filter(|_| is_here);
        Self { text: format!("{host}:{port}"), port: number.map_or(Local::No, Local::Port) }
    }
}

/// Splits at colons outside brackets: `[::1]:80:host:81` is four words.
fn split_colons(spec: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    spec.split(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ':' && depth == 0
    })
    .collect()
}

/// `docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2
/// -container-port 80` (moby, cmd/docker-proxy).
fn docker_proxy(arguments: &[&str]) -> Vec<(Place, Place)> {
    let value = |name: &str| {
        let is_it = |word: &str| word.trim_start_matches('-') == name && word.starts_with('-');
        let next = arguments.iter().position(|word| is_it(word)).and_then(|i| arguments.get(i + 1));
        let joined = || {
            let words = arguments.iter().filter_map(|word| word.split_once('='));
            words.filter(|(key, _)| is_it(key)).map(|(_, value)| value).next()
        };
        next.copied().or_else(joined)
    };
    let Some(port) = value("host-port").and_then(|port| port.parse().ok()) else {
        return Vec::new();
    };
    let to = match (value("container-ip"), value("container-port")) {
        (Some(ip), Some(port)) => Place::there(format!("{ip}:{port} in a container")),
        _ => Place::there("a container"),
    };
    vec![(Place::here(value("host-ip"), port), to)]
}

/// The letters of ssh's options that take a value (`ssh(1)`).
const SSH_VALUES: &str = "BbcDEeFIiJLlmOoPpQRSWw";

/// `ssh -L [BIND:]PORT:HOST:PORT -R … -D [BIND:]PORT DESTINATION`, in every way getopt reads them.
fn ssh(arguments: &[&str]) -> Vec<(Place, Place)> {
    let mut specs: Vec<(char, &str)> = Vec::new();
    let mut destination = None;
    let mut words = arguments.iter();
    while let Some(&word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            if destination.is_some() {
                // What follows is the command to run there.
                break;
            }
            destination = Some(word);
            continue;
        };
        let value = letters.char_indices().find(|(_, letter)| SSH_VALUES.contains(*letter));
        if let Some((place, letter)) = value {
            let rest = letters.get(place + letter.len_utf8()..).unwrap_or_default();
            let value = if rest.is_empty() { words.next().copied() } else { Some(rest) };
            specs.extend(value.map(|value| (letter, value)));
        }
    }
    let server = destination.unwrap_or("the server");
    specs.iter().filter_map(|(letter, spec)| ssh_forward(*letter, spec, server)).collect()
}

fn ssh_forward(letter: char, spec: &str, server: &str) -> Option<(Place, Place)> {
    let words = split_colons(spec);
    let listening = |bind: Option<&&str>, port: &str| {
        port.parse().ok().map(|port| Place::here(bind.copied(), port))
    };
    let listens_there = |bind: Option<&&str>, port: &str| {
        let bind = bind.map_or_else(String::new, |bind| format!("{bind}:"));
        Place::there(format!("{bind}{port} on {server}"))
    };
    let proxy = |by: &str| Place::there(format!("anywhere, as a SOCKS proxy {by}"));
    match (letter, words.as_slice()) {
        ('L', [bind @ .., port, host, to]) if bind.len() < 2 => {
            let to = Place::there(format!("{host}:{to} as seen from {server}"));
            Some((listening(bind.first(), port)?, to))
        }
        ('R', [bind @ .., port, host, to]) if bind.len() < 2 => {
            Some((listens_there(bind.first(), port), Place::reached(host, to)))
        }
        ('D', [bind @ .., port]) if bind.len() < 2 => {
            Some((listening(bind.first(), port)?, proxy(&format!("through {server}"))))
        }
        ('R', [bind @ .., port]) if bind.len() < 2 => {
            Some((listens_there(bind.first(), port), proxy("through this machine")))
        }
        _ => None,
    }
}

/// `kubectl port-forward TYPE/NAME [LOCAL:]REMOTE…`.
fn kubectl(arguments: &[&str]) -> Vec<(Place, Place)> {
    let mut address = None;
    let mut words = Vec::new();
    let mut rest = arguments.iter();
    while let Some(&word) = rest.next() {
        match word.split_once('=') {
            Some(("--address", value)) => address = Some(value),
            // Without "=" the value is the next word; the two that take none are named here.
            None if matches!(word, "--insecure-skip-tls-verify" | "--match-server-version") => {}
            None if word.starts_with('-') => {
                let value = rest.next().copied();
                if word == "--address" {
                    address = value;
                }
            }
            Some(_) if word.starts_with('-') => {}
            Some(_) | None => words.push(word),
        }
    }
    let ["port-forward", resource, ports @ ..] = words.as_slice() else { return Vec::new() };
    let forward = |spec: &&str| {
        let (local, remote) = spec.split_once(':').unwrap_or((spec, spec));
        let to = Place::there(format!("port {remote} of {resource}"));
        let from = match local {
            "" => Place::some_port(),
            local => Place::here(address, local.parse().ok()?),
        };
        Some((from, to))
    };
    ports.iter().filter_map(forward).collect()
}

/// `socat TCP-LISTEN:8080,fork TCP:localhost:80`: two addresses, of which one listens.
fn socat(arguments: &[&str]) -> Vec<(Place, Place)> {
    let addresses: Vec<&str> = arguments
        .iter()
        .copied()
        .filter(|word| !word.starts_with('-') && word.contains(':'))
        .collect();
    let [one, other] = addresses.as_slice() else { return Vec::new() };
    let pair =
        |listening: &str, target: &str| Some((socat_listener(listening)?, socat_target(target)));
    pair(one, other).or_else(|| pair(other, one)).into_iter().collect()
}

fn socat_listener(address: &str) -> Option<Place> {
    let (kind, rest) = address.split_once(':')?;
    let kind = kind.to_ascii_uppercase();
    let (protocol, action) = kind.split_once('-')?;
    let is_known = ["TCP", "TCP4", "TCP6", "UDP", "UDP4", "UDP6", "OPENSSL"].contains(&protocol);
    let listens = ["LISTEN", "L", "RECVFROM", "RECV"].contains(&action);
    let mut options = rest.split(',');
    let port = options.next()?.parse().ok().filter(|_| is_known && listens)?;
    let bind = options.find_map(|option| option.strip_prefix("bind="));
    Some(Place::here(Some(bind.unwrap_or("*")), port))
}

fn socat_target(address: &str) -> Place {
    let plain = address.split(',').next().unwrap_or(address);
    match split_colons(plain).as_slice() {
        [kind, host, port]
            if kind.to_ascii_uppercase().starts_with("TCP")
                || kind.to_ascii_uppercase().starts_with("UDP") =>
        {
            Place::reached(host, port)
        }
        _ => Place::there(plain),
    }
}

/// `systemd-socket-proxyd [OPTION…] HOST[:PORT]`, or a path; the port it listens on is systemd's.
fn socket_proxyd(arguments: &[&str]) -> Vec<(Place, Place)> {
    let Some(target) = arguments.iter().rev().find(|word| !word.starts_with('-')) else {
        return Vec::new();
    };
    let to = match split_colons(target).as_slice() {
        [host, port] => Place::reached(host, port),
        _ => Place::there(*target),
    };
    vec![(Place::some_port(), to)]
}

/// A forwarder of containers that gets its ports in another way than by arguments.
fn into_container(_: &[&str]) -> Vec<(Place, Place)> {
    vec![(Place::some_port(), Place::there("a container"))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Pid;
    use crate::text::Text;

    fn infer_line(line: &str) -> Vec<Forward> {
        let mut process = Process::new(Pid(1));
        process.argv = Some(line.split(' ').map(Text::from).collect());
        infer(&process)
    }

    /// Command lines, and what they forward: `from => to`, `;` between several.
    const VECTORS: &[(&str, &str)] = &[
        (
            "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 \
             -container-ip 172.17.0.2 -container-port 80 -use-listen-fd",
            "0.0.0.0:8080 => 172.17.0.2:80 in a container",
        ),
        (
            "docker-proxy --host-ip=:: --host-port=53 --container-ip=fd00::2 --container-port=53",
            ":::53 => fd00::2:53 in a container",
        ),
        ("docker-proxy -version", ""),
        ("ssh -L 8080:db:5432 bastion", "localhost:8080 => db:5432 as seen from bastion"),
        ("ssh -fNL8080:db:5432 bastion", "localhost:8080 => db:5432 as seen from bastion"),
        (
            "ssh -i key -L [::1]:80:[fe80::2]:81 -p 22 user@host cmd -L 1:a:2",
            "[::1]:80 => [fe80::2]:81 as seen from user@host",
        ),
        ("ssh host -L *:80:a:81", "*:80 => a:81 as seen from host"),
        ("ssh -R 9000:localhost:3000 host", "9000 on host => localhost:3000"),
        ("ssh -R 9000 host", "9000 on host => anywhere, as a SOCKS proxy through this machine"),
        ("ssh -D 1080 host", "localhost:1080 => anywhere, as a SOCKS proxy through host"),
        (
            "ssh -L 1:a:2 -L 3:b:4 host",
            "localhost:1 => a:2 as seen from host; localhost:3 => b:4 as seen from host",
        ),
        ("ssh host", ""),
        ("ssh -L /run/a.sock:/run/b.sock host", ""),
        ("sshd -D -p 22", ""),
        (
            "kubectl port-forward -n web svc/shop 8080:80 9090",
            "localhost:8080 => port 80 of svc/shop; localhost:9090 => port 9090 of svc/shop",
        ),
        (
            "kubectl --context=x port-forward pod/a :http --address 0.0.0.0",
            "its port => port http of pod/a",
        ),
        ("kubectl get pods", ""),
        ("socat TCP-LISTEN:8080,fork,reuseaddr TCP:localhost:80", "*:8080 => localhost:80"),
        ("socat -d UDP4-L:53,bind=127.0.0.1 udp:10.0.0.1:53", "127.0.0.1:53 => 10.0.0.1:53"),
        ("socat UNIX-CONNECT:/run/x.sock TCP6-LISTEN:80", "*:80 => UNIX-CONNECT:/run/x.sock"),
        ("socat - TCP:localhost:80", ""),
        (
            "/lib/systemd/systemd-socket-proxyd --exit-idle-time=5s 127.0.0.1:81",
            "its port => 127.0.0.1:81",
        ),
        ("rootlessport", "its port => a container"),
        ("nginx: master process", ""),
    ];

    #[test]
    fn every_command_line_means_what_its_manual_says() {
        for (line, expected) in VECTORS {
            let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let said: Vec<String> = infer_line(&line)
                .iter()
                .map(|forward| format!("{} => {}", forward.from.text, forward.to.text))
                .collect();
            assert_eq!(&said.join("; "), expected, "{line}");
        }
    }

    #[test]
    fn every_tool_has_a_command_line_that_is_tested_or_needs_none() {
        for tool in TOOLS {
            let is_tested = VECTORS.iter().any(|(line, expected)| {
                let program = line.split(' ').next().unwrap_or_default();
                program.rsplit('/').next() == Some(tool.name) && !expected.is_empty()
            });
            assert!(is_tested || !(tool.parse)(&[]).is_empty(), "{}", tool.name);
        }
    }

    #[test]
    fn a_forward_concerns_the_port_it_listens_on() {
        let [forward] = infer_line("ssh -L 8080:localhost:80 host").try_into().unwrap();
        assert!(forward.concerns(8080, false));
        // That localhost is the server's.
        assert!(!forward.concerns(80, false));
    }

    #[test]
    fn a_forward_concerns_the_port_of_this_machine_that_it_goes_to() {
        let [forward] = infer_line("ssh -R 8080:localhost:80 host").try_into().unwrap();
        assert!(forward.concerns(80, false));
        assert!(!forward.concerns(8080, true));
        let [forward] = infer_line("socat TCP-L:8080 TCP:127.0.0.1:80").try_into().unwrap();
        assert!(forward.concerns(80, false) && forward.concerns(8080, false));
    }

    #[test]
    fn a_port_that_is_not_said_is_the_one_it_listens_on() {
        let [forward] = infer_line("rootlessport").try_into().unwrap();
        assert!(forward.concerns(8080, true));
        assert!(!forward.concerns(8080, false));
    }

    proptest::proptest! {
        #[test]
        fn no_command_line_makes_it_panic(words: Vec<String>, tool in 0..TOOLS.len()) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            (TOOLS[tool].parse)(&words);
        }
    }
}
