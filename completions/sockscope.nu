module completions {

  def "nu-complete sockscope color" [] {
    [ "auto" "always" "never" ]
  }

  def "nu-complete sockscope backend" [] {
    [ "native" "portable" ]
  }

  def "nu-complete sockscope owners" [] {
    [ "auto" "bpf" "proc" ]
  }

  # List the sockets of this machine with every process that holds them
  export extern sockscope [
    --internet(-i): string    # As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable
    --pid: string             # Held by these processes: 1,22 or ^1
    --user: string            # Held by these users: alice,0 or ^root
    --command: string         # Held by commands that start so: nginx or ^ssh
    --state: string           # In these states: listen,time-wait or ^listen
    --port: string            # With these ports at an end: 80,8000-8099 or ^22
    --tcp(-t)                 # TCP; -t -u -w -x -0 and -A add up
    --udp(-u)                 # UDP
    --raw(-w)                 # Raw IP
    --unix(-x)                # UNIX
    --packet(-0)              # Packet (frames of a link)
    --listening(-l)           # Listening; of UDP, the unconnected
    --ipv4(-4)                # IPv4 only
    --ipv6(-6)                # IPv6 only; with -4, both
    --query(-A): string       # Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp
    --extended(-e)            # More columns: queues, timer, uid, inode, cookie
    --all(-a)                 # Always on: every state
    --numeric(-n)             # Always on: numbers, unless with -r
    --processes(-p)           # Always on: processes
    --oneline(-O)             # Always on: one line a socket
    --json                    # One JSON document (see sockscope schema)
    --jsonl                   # One JSON object a socket, each on a line
    --csv                     # Comma-separated, every fact on its own
    --fields(-F): string      # lsof's fields, all or these: -FpcfnPT
    --pids                    # Process numbers only, each once
    --columns(-o): string     # pid,port or +inode,-user; alone +timer, as ss -o
    --sort: string            # By columns: port,-pid (- for descending)
    --no-header(-H)           # No header line
    --wide                    # Cut nothing to fit the terminal
    --fds                     # A row for each descriptor, as lsof
    --resolve(-r)             # Names of hosts and ports
    --resolve-timeout: string # Longest wait for names
    --color: string@"nu-complete sockscope color" # auto, always or never
    --verbose(-v)             # Tell all that could not be seen
    --quiet(-q)               # Tell nothing but errors
    --backend: string@"nu-complete sockscope backend" # native or portable (netstat2, sysinfo)
    --owners: string@"nu-complete sockscope owners" # How to find owners: auto, bpf or proc
    --netns: string           # Network namespaces: all, PID, NAME or current
    --record: path            # Also write all that was collected to FILE
    --redact                  # Replace names, users and addresses in it
    --replay: path            # List a recording; - reads it from stdin
    --no-narrow               # Read everything, and only then select: slower, never different
    --help(-h)                # Print help
    --version(-V)             # Print version
    ...filter: string         # Rows wanted, in words: tcp and listen and port 3000-3999
  ]

  def "nu-complete sockscope list color" [] {
    [ "auto" "always" "never" ]
  }

  def "nu-complete sockscope list backend" [] {
    [ "native" "portable" ]
  }

  def "nu-complete sockscope list owners" [] {
    [ "auto" "bpf" "proc" ]
  }

  # List sockets with their owners; also: ls, or no command at all
  export extern "sockscope list" [
    --internet(-i): string    # As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable
    --pid: string             # Held by these processes: 1,22 or ^1
    --user: string            # Held by these users: alice,0 or ^root
    --command: string         # Held by commands that start so: nginx or ^ssh
    --state: string           # In these states: listen,time-wait or ^listen
    --port: string            # With these ports at an end: 80,8000-8099 or ^22
    --tcp(-t)                 # TCP; -t -u -w -x -0 and -A add up
    --udp(-u)                 # UDP
    --raw(-w)                 # Raw IP
    --unix(-x)                # UNIX
    --packet(-0)              # Packet (frames of a link)
    --listening(-l)           # Listening; of UDP, the unconnected
    --ipv4(-4)                # IPv4 only
    --ipv6(-6)                # IPv6 only; with -4, both
    --query(-A): string       # Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp
    --extended(-e)            # More columns: queues, timer, uid, inode, cookie
    --all(-a)                 # Always on: every state
    --numeric(-n)             # Always on: numbers, unless with -r
    --processes(-p)           # Always on: processes
    --oneline(-O)             # Always on: one line a socket
    --json                    # One JSON document (see sockscope schema)
    --jsonl                   # One JSON object a socket, each on a line
    --csv                     # Comma-separated, every fact on its own
    --fields(-F): string      # lsof's fields, all or these: -FpcfnPT
    --pids                    # Process numbers only, each once
    --columns(-o): string     # pid,port or +inode,-user; alone +timer, as ss -o
    --sort: string            # By columns: port,-pid (- for descending)
    --no-header(-H)           # No header line
    --wide                    # Cut nothing to fit the terminal
    --fds                     # A row for each descriptor, as lsof
    --resolve(-r)             # Names of hosts and ports
    --resolve-timeout: string # Longest wait for names
    --color: string@"nu-complete sockscope list color" # auto, always or never
    --verbose(-v)             # Tell all that could not be seen
    --quiet(-q)               # Tell nothing but errors
    --backend: string@"nu-complete sockscope list backend" # native or portable (netstat2, sysinfo)
    --owners: string@"nu-complete sockscope list owners" # How to find owners: auto, bpf or proc
    --netns: string           # Network namespaces: all, PID, NAME or current
    --record: path            # Also write all that was collected to FILE
    --redact                  # Replace names, users and addresses in it
    --replay: path            # List a recording; - reads it from stdin
    --no-narrow               # Read everything, and only then select: slower, never different
    --help(-h)                # Print help
    ...filter: string         # Rows wanted, in words: tcp and listen and port 3000-3999
  ]

  # Tell all about one port: listeners, peers, clients, what is left over, forwarders
  export extern "sockscope port" [
    --json                    # One JSON document (see sockscope schema port)
    --netns: string           # Network namespaces: all (the usual), PID, NAME or current
    --replay: path            # Look into a recording; - reads it from stdin
    --help(-h)                # Print help (see more with '--help')
    port: string              # The port: a number from 1 to 65535, or a service's name
  ]

  # Tell whether a bind would succeed, and if not why and what to do
  export extern "sockscope why" [
    --reuseaddr               # The program sets SO_REUSEADDR
    --reuseport               # The program sets SO_REUSEPORT
    --v6only                  # The program sets IPV6_V6ONLY
    --device: string          # The program binds to this device (SO_BINDTODEVICE)
    --user: string            # This user binds: a name or a number; only predicts
    --pid: string             # This process binds, in its network namespace; only predicts
    --connect                 # Ask about a connection to HOST:PORT or /PATH instead of a bind
    --timeout: string         # Longest wait for an answer to --connect
    --no-probe                # Only predict: make no bind, and no connection, to find out
    --json                    # One JSON document (see sockscope schema why)
    --explain                 # The long story of each cause, with its source
    --record: path            # Write what was read to a new file, for a bug report
    --replay: path            # Predict from a recording; - reads it from stdin
    --help(-h)                # Print help
    target: string            # What is bound: 8080, 127.0.0.1:8080, udp:53, localhost:http; or an error message (- for stdin)
  ]

  # Make a port free with the least harm: shows the plan, asks, and verifies
  export extern "sockscope free" [
    --yes(-y)                 # Do it without asking
    --dry-run(-n)             # Show the plan; do nothing
    --only: string            # Take these steps of the plan instead of those that do the least harm
    --force                   # Kill processes that do not end when asked (SIGKILL after SIGTERM)
    --timeout: string         # How long all of it may take
    --json                    # One JSON document (see sockscope schema free)
    --help(-h)                # Print help
    target: string            # What is to be free: a port, ADDRESS:PORT, tcp:PORT or udp:PORT
  ]

  # Close one connection from outside (Linux, root); a listener is refused
  export extern "sockscope close" [
    --yes(-y)                 # Close without asking
    --dry-run(-n)             # Say what would be closed and what that does; close nothing
    --help(-h)                # Print help
    ...socket: string         # Its cookie, LOCAL->PEER, or a filter that only it matches
  ]

  # Pick ports that are free, or run a command with one
  export extern "sockscope pick" [
    --range(-r): string       # Which ports may be picked: 8000-8999, or one
    --count(-n): string       # How many, no two the same
    --tcp(-t)                 # Free for TCP, whatever it is for UDP; without -t and -u it must be for both
    --udp(-u)                 # Free for UDP
    --address(-a): string     # Free at this IP address, whatever it is at others
    --json                    # One JSON document (see sockscope schema pick)
    --exec                    # Run CMD with the port; see below
    --help(-h)                # Print help
  ]

  def "nu-complete sockscope wait event" [] {
    [ "listen" "free" "connect" ]
  }

  # Wait until something listens, a port is free, or a connection is made; then run a command
  export extern "sockscope wait" [
    --timeout(-t): string     # Longest wait; 0 looks once
    --reuseaddr               # With free: for a program that sets SO_REUSEADDR, as most servers do
    --json                    # One JSON document, also when time is up (see sockscope schema wait)
    --quiet(-q)               # Tell nothing but errors
    --help(-h)                # Print help
    event: string@"nu-complete sockscope wait event" # What to wait for: listen, free or connect
    ...targets: string        # Where: 8080, 127.0.0.1:8080, udp:53, /run/x.sock; all must hold
  ]

  # Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path
  export extern "sockscope serve" [
    --port(-p): string        # The port, if ADDR has none; 0 takes a free one and tells which
    --any                     # Listen on every address of this machine: anyone who can reach it can use it
    --tcp(-t)                 # Echo TCP connections (the default)
    --udp(-u)                 # Echo UDP datagrams; with --tcp both
    --limit: string           # How many connections at once; further ones wait in the backlog
    --idle: string            # Close a client that does nothing for this long, such as 30s or 5m
    --drain: string           # How long clients may finish once the server is stopped
    --backlog: string         # How many connections may wait to be accepted
    --framed                  # Messages with a header: its length in two bytes, JSON with content-length, the content
    --slow: string            # Read so many bytes a second from each connection, such as 1000 or 64K, so that queues fill
    --drop: string            # Throw datagrams away: every Nth, or N% of them, always the same ones
    --hold                    # Do not accept: connections wait in the backlog until it is full
    --leak                    # Never close a connection whose client has ended its side: it stays in CLOSE_WAIT
    --reset                   # Close connections by RST instead of FIN (SO_LINGER with 0 seconds)
    --force                   # Replace the socket that an earlier server left at a UNIX path
    --json                    # One JSON object a line for each thing that happens (see sockscope schema serve)
    --help(-h)                # Print help
    address?: string          # Where to listen [default: a free port of 127.0.0.1]
  ]

  # Connect to an echo server, send, and verify that every byte comes back
  export extern "sockscope connect" [
    --message(-m): string     # A line to send
    --file(-f): path          # A file to send
    --count(-n): string       # How many messages to send [default: 1]
    --size(-s): string        # How long a message is, such as 1000, 64KiB or 10M (powers of 1024) [default: 1024]
    --connections(-c): string # How many connections at once
    --udp(-u)                 # Send UDP datagrams, one a message
    --hold: string            # Keep the connections open after the echo: for so long, or until Ctrl-C
    --half-close              # End our side once all is sent (shutdown), with --hold too; without, that is always done
    --framed                  # Messages with a header: its length in two bytes, JSON with content-length, the content
    --reset                   # Close by RST instead of FIN (SO_LINGER with 0 seconds): no TIME_WAIT
    --timeout: string         # Give up when nothing moves for so long [default: 30s; over UDP, 1s for each datagram]
    --seed: string            # Which pseudo-random bytes to send
    --json                    # The result as JSON (see sockscope schema connect)
    --help(-h)                # Print help
    address: string           # Whom to connect to
    text?: string             # A line to send
  ]

  # Show all that is known of one socket, and what its state means
  export extern "sockscope show" [
    --json                    # One JSON document (see sockscope schema show)
    --deep                    # Also read the options of the holder's socket, through a copy of its descriptor
    --netns: string           # Network namespaces: all, PID, NAME or current
    --replay: path            # Show from a recording; - reads it from stdin
    --help(-h)                # Print help (see more with '--help')
    ...socket: string         # Cookie, inode, :PORT, ADDRESS:PORT, 'LOCAL->PEER' or a filter
  ]

  def "nu-complete sockscope demo lessons" [] {
    [ "tcp" "partial" "errors" "clients" "halfclose" "inuse" "abort" "backlog" "museum" "orphan" "inherit" "udp" "dual" "unix" "leak" "keepalive" "ports" "netns" "all" ]
  }

  def "nu-complete sockscope demo code" [] {
    [ "python" "rust" "c" "go" "node" ]
  }

  # Watch real sockets live: each call, and the rows it makes
  export extern "sockscope demo" [
    --list                    # Print the lessons, one a line
    --auto                    # Go on by itself, with a pause after each step
    --step                    # Plain text instead of the full-screen page: wait for Enter after each step
    --script                  # Print a plain transcript without waiting (the default in a pipe)
    --json                    # Print one JSON object a step, without waiting (see sockscope schema demo)
    --code: string@"nu-complete sockscope demo code" # Show each call in this language, too
    --pause: string           # How long --auto pauses after each step
    --help(-h)                # Print help (see more with '--help')
    ...lessons: string@"nu-complete sockscope demo lessons" # The lessons, in this order, or 'all'; without one, a menu on a terminal, else all of them
  ]

  # Find out what is wrong: causes of trouble, set up for real, with hints and points
  export extern "sockscope demo quiz" [
    --list                    # Print the questions, one a line
    --seed: string            # What decides the order by chance: the same number, the same quiz
    --json                    # Print one JSON object for each question, hint and answer (see sockscope schema quiz)
    --help(-h)                # Print help
    ...questions: string      # The questions, by number or name, in this order; without one, all in an order by chance
  ]

  # Tell what this system lets sockscope see, what a listing lacks here, and the cure
  export extern "sockscope doctor" [
    --self                    # Examine sockscope itself: its rights, the kernel's answers, what a listing lacks
    --json                    # One JSON document (see sockscope schema doctor)
    --help(-h)                # Print help
  ]

  def "nu-complete sockscope completions shell" [] {
    [ "bash" "zsh" "fish" "powershell" "elvish" "nushell" ]
  }

  # Print a completion script for a shell
  export extern "sockscope completions" [
    --help(-h)                # Print help
    shell: string@"nu-complete sockscope completions shell" # The shell that will read the script
  ]

  # Print the manual page, or write all pages to a directory
  export extern "sockscope man" [
    --help(-h)                # Print help
    directory?: path          # Write every page to this directory; without it the main page goes to stdout
  ]

  def "nu-complete sockscope schema of" [] {
    [ "list" "port" "why" "free" "show" "doctor" "pick" "wait" "connect" "serve" "demo" "quiz" ]
  }

  # Print the JSON Schema of what a command writes with --json
  export extern "sockscope schema" [
    --help(-h)                # Print help
    of?: string@"nu-complete sockscope schema of" # The command whose JSON it describes
  ]

  # Print this message or the help of the given subcommand(s)
  export extern "sockscope help" [
  ]

  # List sockets with their owners; also: ls, or no command at all
  export extern "sockscope help list" [
  ]

  # Tell all about one port: listeners, peers, clients, what is left over, forwarders
  export extern "sockscope help port" [
  ]

  # Tell whether a bind would succeed, and if not why and what to do
  export extern "sockscope help why" [
  ]

  # Make a port free with the least harm: shows the plan, asks, and verifies
  export extern "sockscope help free" [
  ]

  # Close one connection from outside (Linux, root); a listener is refused
  export extern "sockscope help close" [
  ]

  # Pick ports that are free, or run a command with one
  export extern "sockscope help pick" [
  ]

  # Wait until something listens, a port is free, or a connection is made; then run a command
  export extern "sockscope help wait" [
  ]

  # Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path
  export extern "sockscope help serve" [
  ]

  # Connect to an echo server, send, and verify that every byte comes back
  export extern "sockscope help connect" [
  ]

  # Show all that is known of one socket, and what its state means
  export extern "sockscope help show" [
  ]

  # Watch real sockets live: each call, and the rows it makes
  export extern "sockscope help demo" [
  ]

  # Find out what is wrong: causes of trouble, set up for real, with hints and points
  export extern "sockscope help demo quiz" [
  ]

  # Tell what this system lets sockscope see, what a listing lacks here, and the cure
  export extern "sockscope help doctor" [
  ]

  # Print a completion script for a shell
  export extern "sockscope help completions" [
  ]

  # Print the manual page, or write all pages to a directory
  export extern "sockscope help man" [
  ]

  # Print the JSON Schema of what a command writes with --json
  export extern "sockscope help schema" [
  ]

  # Print this message or the help of the given subcommand(s)
  export extern "sockscope help help" [
  ]

}

export use completions *
