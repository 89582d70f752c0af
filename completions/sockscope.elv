
use builtin;
use str;

set edit:completion:arg-completer[sockscope] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'sockscope'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'sockscope'= {
            cand -i 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable'
            cand --internet 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable'
            cand --pid 'Held by these processes: 1,22 or ^1'
            cand --user 'Held by these users: alice,0 or ^root'
            cand --command 'Held by commands that start so: nginx or ^ssh'
            cand --state 'In these states: listen,time-wait or ^listen'
            cand --port 'With these ports at an end: 80,8000-8099 or ^22'
            cand -A 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp'
            cand --query 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp'
            cand -F 'lsof''s fields, all or these: -FpcfnPT'
            cand --fields 'lsof''s fields, all or these: -FpcfnPT'
            cand -o 'pid,port or +inode,-user; alone +timer, as ss -o'
            cand --columns 'pid,port or +inode,-user; alone +timer, as ss -o'
            cand --sort 'By columns: port,-pid (- for descending)'
            cand --resolve-timeout 'Longest wait for names'
            cand --color 'auto, always or never'
            cand --backend 'native or portable (netstat2, sysinfo)'
            cand --owners 'How to find owners: auto, bpf or proc'
            cand --netns 'Network namespaces: all, PID, NAME or current'
            cand --record 'Also write all that was collected to FILE'
            cand --replay 'List a recording; - reads it from stdin'
            cand -t 'TCP; -t -u -w -x -0 and -A add up'
            cand --tcp 'TCP; -t -u -w -x -0 and -A add up'
            cand -u 'UDP'
            cand --udp 'UDP'
            cand -w 'Raw IP'
            cand --raw 'Raw IP'
            cand -x 'UNIX'
            cand --unix 'UNIX'
            cand -0 'Packet (frames of a link)'
            cand --packet 'Packet (frames of a link)'
            cand -l 'Listening; of UDP, the unconnected'
            cand --listening 'Listening; of UDP, the unconnected'
            cand -4 'IPv4 only'
            cand --ipv4 'IPv4 only'
            cand -6 'IPv6 only; with -4, both'
            cand --ipv6 'IPv6 only; with -4, both'
            cand -e 'More columns: queues, timer, uid, inode, cookie'
            cand --extended 'More columns: queues, timer, uid, inode, cookie'
            cand -a 'Always on: every state'
            cand --all 'Always on: every state'
            cand -n 'Always on: numbers, unless with -r'
            cand --numeric 'Always on: numbers, unless with -r'
            cand -p 'Always on: processes'
            cand --processes 'Always on: processes'
            cand -O 'Always on: one line a socket'
            cand --oneline 'Always on: one line a socket'
            cand --json 'One JSON document (see sockscope schema)'
            cand --jsonl 'One JSON object a socket, each on a line'
            cand --csv 'Comma-separated, every fact on its own'
            cand --pids 'Process numbers only, each once'
            cand -H 'No header line'
            cand --no-header 'No header line'
            cand --wide 'Cut nothing to fit the terminal'
            cand --fds 'A row for each descriptor, as lsof'
            cand -r 'Names of hosts and ports'
            cand --resolve 'Names of hosts and ports'
            cand -v 'Tell all that could not be seen'
            cand --verbose 'Tell all that could not be seen'
            cand -q 'Tell nothing but errors'
            cand --quiet 'Tell nothing but errors'
            cand --redact 'Replace names, users and addresses in it'
            cand --no-narrow 'Read everything, and only then select: slower, never different'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand list 'List sockets with their owners; also: ls, or no command at all'
            cand port 'Tell all about one port: listeners, peers, clients, what is left over, forwarders'
            cand why 'Tell whether a bind would succeed, and if not why and what to do'
            cand free 'Make a port free with the least harm: shows the plan, asks, and verifies'
            cand close 'Close one connection from outside (Linux, root); a listener is refused'
            cand pick 'Pick ports that are free, or run a command with one'
            cand wait 'Wait until something listens, a port is free, or a connection is made; then run a command'
            cand serve 'Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path'
            cand connect 'Connect to an echo server, send, and verify that every byte comes back'
            cand show 'Show all that is known of one socket, and what its state means'
            cand demo 'Watch real sockets live: each call, and the rows it makes'
            cand doctor 'Tell what this system lets sockscope see, what a listing lacks here, and the cure'
            cand completions 'Print a completion script for a shell'
            cand man 'Print the manual page, or write all pages to a directory'
            cand schema 'Print the JSON Schema of what a command writes with --json'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'sockscope;list'= {
            cand -i 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable'
            cand --internet 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable'
            cand --pid 'Held by these processes: 1,22 or ^1'
            cand --user 'Held by these users: alice,0 or ^root'
            cand --command 'Held by commands that start so: nginx or ^ssh'
            cand --state 'In these states: listen,time-wait or ^listen'
            cand --port 'With these ports at an end: 80,8000-8099 or ^22'
            cand -A 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp'
            cand --query 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp'
            cand -F 'lsof''s fields, all or these: -FpcfnPT'
            cand --fields 'lsof''s fields, all or these: -FpcfnPT'
            cand -o 'pid,port or +inode,-user; alone +timer, as ss -o'
            cand --columns 'pid,port or +inode,-user; alone +timer, as ss -o'
            cand --sort 'By columns: port,-pid (- for descending)'
            cand --resolve-timeout 'Longest wait for names'
            cand --color 'auto, always or never'
            cand --backend 'native or portable (netstat2, sysinfo)'
            cand --owners 'How to find owners: auto, bpf or proc'
            cand --netns 'Network namespaces: all, PID, NAME or current'
            cand --record 'Also write all that was collected to FILE'
            cand --replay 'List a recording; - reads it from stdin'
            cand -t 'TCP; -t -u -w -x -0 and -A add up'
            cand --tcp 'TCP; -t -u -w -x -0 and -A add up'
            cand -u 'UDP'
            cand --udp 'UDP'
            cand -w 'Raw IP'
            cand --raw 'Raw IP'
            cand -x 'UNIX'
            cand --unix 'UNIX'
            cand -0 'Packet (frames of a link)'
            cand --packet 'Packet (frames of a link)'
            cand -l 'Listening; of UDP, the unconnected'
            cand --listening 'Listening; of UDP, the unconnected'
            cand -4 'IPv4 only'
            cand --ipv4 'IPv4 only'
            cand -6 'IPv6 only; with -4, both'
            cand --ipv6 'IPv6 only; with -4, both'
            cand -e 'More columns: queues, timer, uid, inode, cookie'
            cand --extended 'More columns: queues, timer, uid, inode, cookie'
            cand -a 'Always on: every state'
            cand --all 'Always on: every state'
            cand -n 'Always on: numbers, unless with -r'
            cand --numeric 'Always on: numbers, unless with -r'
            cand -p 'Always on: processes'
            cand --processes 'Always on: processes'
            cand -O 'Always on: one line a socket'
            cand --oneline 'Always on: one line a socket'
            cand --json 'One JSON document (see sockscope schema)'
            cand --jsonl 'One JSON object a socket, each on a line'
            cand --csv 'Comma-separated, every fact on its own'
            cand --pids 'Process numbers only, each once'
            cand -H 'No header line'
            cand --no-header 'No header line'
            cand --wide 'Cut nothing to fit the terminal'
            cand --fds 'A row for each descriptor, as lsof'
            cand -r 'Names of hosts and ports'
            cand --resolve 'Names of hosts and ports'
            cand -v 'Tell all that could not be seen'
            cand --verbose 'Tell all that could not be seen'
            cand -q 'Tell nothing but errors'
            cand --quiet 'Tell nothing but errors'
            cand --redact 'Replace names, users and addresses in it'
            cand --no-narrow 'Read everything, and only then select: slower, never different'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;port'= {
            cand --netns 'Network namespaces: all (the usual), PID, NAME or current'
            cand --replay 'Look into a recording; - reads it from stdin'
            cand --json 'One JSON document (see sockscope schema port)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'sockscope;why'= {
            cand --device 'The program binds to this device (SO_BINDTODEVICE)'
            cand --user 'This user binds: a name or a number; only predicts'
            cand --pid 'This process binds, in its network namespace; only predicts'
            cand --timeout 'Longest wait for an answer to --connect'
            cand --record 'Write what was read to a new file, for a bug report'
            cand --replay 'Predict from a recording; - reads it from stdin'
            cand --reuseaddr 'The program sets SO_REUSEADDR'
            cand --reuseport 'The program sets SO_REUSEPORT'
            cand --v6only 'The program sets IPV6_V6ONLY'
            cand --connect 'Ask about a connection to HOST:PORT or /PATH instead of a bind'
            cand --no-probe 'Only predict: make no bind, and no connection, to find out'
            cand --json 'One JSON document (see sockscope schema why)'
            cand --explain 'The long story of each cause, with its source'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;free'= {
            cand --only 'Take these steps of the plan instead of those that do the least harm'
            cand --timeout 'How long all of it may take'
            cand -y 'Do it without asking'
            cand --yes 'Do it without asking'
            cand -n 'Show the plan; do nothing'
            cand --dry-run 'Show the plan; do nothing'
            cand --force 'Kill processes that do not end when asked (SIGKILL after SIGTERM)'
            cand --json 'One JSON document (see sockscope schema free)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;close'= {
            cand -y 'Close without asking'
            cand --yes 'Close without asking'
            cand -n 'Say what would be closed and what that does; close nothing'
            cand --dry-run 'Say what would be closed and what that does; close nothing'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;pick'= {
            cand -r 'Which ports may be picked: 8000-8999, or one'
            cand --range 'Which ports may be picked: 8000-8999, or one'
            cand -n 'How many, no two the same'
            cand --count 'How many, no two the same'
            cand -a 'Free at this IP address, whatever it is at others'
            cand --address 'Free at this IP address, whatever it is at others'
            cand -t 'Free for TCP, whatever it is for UDP; without -t and -u it must be for both'
            cand --tcp 'Free for TCP, whatever it is for UDP; without -t and -u it must be for both'
            cand -u 'Free for UDP'
            cand --udp 'Free for UDP'
            cand --json 'One JSON document (see sockscope schema pick)'
            cand --exec 'Run CMD with the port; see below'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;wait'= {
            cand -t 'Longest wait; 0 looks once'
            cand --timeout 'Longest wait; 0 looks once'
            cand --reuseaddr 'With free: for a program that sets SO_REUSEADDR, as most servers do'
            cand --json 'One JSON document, also when time is up (see sockscope schema wait)'
            cand -q 'Tell nothing but errors'
            cand --quiet 'Tell nothing but errors'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;serve'= {
            cand -p 'The port, if ADDR has none; 0 takes a free one and tells which'
            cand --port 'The port, if ADDR has none; 0 takes a free one and tells which'
            cand --limit 'How many connections at once; further ones wait in the backlog'
            cand --idle 'Close a client that does nothing for this long, such as 30s or 5m'
            cand --drain 'How long clients may finish once the server is stopped'
            cand --backlog 'How many connections may wait to be accepted'
            cand --slow 'Read so many bytes a second from each connection, such as 1000 or 64K, so that queues fill'
            cand --drop 'Throw datagrams away: every Nth, or N% of them, always the same ones'
            cand --any 'Listen on every address of this machine: anyone who can reach it can use it'
            cand -t 'Echo TCP connections (the default)'
            cand --tcp 'Echo TCP connections (the default)'
            cand -u 'Echo UDP datagrams; with --tcp both'
            cand --udp 'Echo UDP datagrams; with --tcp both'
            cand --framed 'Messages with a header: its length in two bytes, JSON with content-length, the content'
            cand --hold 'Do not accept: connections wait in the backlog until it is full'
            cand --leak 'Never close a connection whose client has ended its side: it stays in CLOSE_WAIT'
            cand --reset 'Close connections by RST instead of FIN (SO_LINGER with 0 seconds)'
            cand --force 'Replace the socket that an earlier server left at a UNIX path'
            cand --json 'One JSON object a line for each thing that happens (see sockscope schema serve)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;connect'= {
            cand -m 'A line to send'
            cand --message 'A line to send'
            cand -f 'A file to send'
            cand --file 'A file to send'
            cand -n 'How many messages to send [default: 1]'
            cand --count 'How many messages to send [default: 1]'
            cand -s 'How long a message is, such as 1000, 64KiB or 10M (powers of 1024) [default: 1024]'
            cand --size 'How long a message is, such as 1000, 64KiB or 10M (powers of 1024) [default: 1024]'
            cand -c 'How many connections at once'
            cand --connections 'How many connections at once'
            cand --hold 'Keep the connections open after the echo: for so long, or until Ctrl-C'
            cand --timeout 'Give up when nothing moves for so long [default: 30s; over UDP, 1s for each datagram]'
            cand --seed 'Which pseudo-random bytes to send'
            cand -u 'Send UDP datagrams, one a message'
            cand --udp 'Send UDP datagrams, one a message'
            cand --half-close 'End our side once all is sent (shutdown), with --hold too; without, that is always done'
            cand --framed 'Messages with a header: its length in two bytes, JSON with content-length, the content'
            cand --reset 'Close by RST instead of FIN (SO_LINGER with 0 seconds): no TIME_WAIT'
            cand --json 'The result as JSON (see sockscope schema connect)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;show'= {
            cand --netns 'Network namespaces: all, PID, NAME or current'
            cand --replay 'Show from a recording; - reads it from stdin'
            cand --json 'One JSON document (see sockscope schema show)'
            cand --deep 'Also read the options of the holder''s socket, through a copy of its descriptor'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'sockscope;demo'= {
            cand --code 'Show each call in this language, too'
            cand --pause 'How long --auto pauses after each step'
            cand --list 'Print the lessons, one a line'
            cand --auto 'Go on by itself, with a pause after each step'
            cand --step 'Plain text instead of the full-screen page: wait for Enter after each step'
            cand --script 'Print a plain transcript without waiting (the default in a pipe)'
            cand --json 'Print one JSON object a step, without waiting (see sockscope schema demo)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand quiz 'Find out what is wrong: causes of trouble, set up for real, with hints and points'
        }
        &'sockscope;demo;quiz'= {
            cand --seed 'What decides the order by chance: the same number, the same quiz'
            cand --list 'Print the questions, one a line'
            cand --json 'Print one JSON object for each question, hint and answer (see sockscope schema quiz)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;doctor'= {
            cand --self 'Examine sockscope itself: its rights, the kernel''s answers, what a listing lacks'
            cand --json 'One JSON document (see sockscope schema doctor)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;completions'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;man'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;schema'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockscope;help'= {
            cand list 'List sockets with their owners; also: ls, or no command at all'
            cand port 'Tell all about one port: listeners, peers, clients, what is left over, forwarders'
            cand why 'Tell whether a bind would succeed, and if not why and what to do'
            cand free 'Make a port free with the least harm: shows the plan, asks, and verifies'
            cand close 'Close one connection from outside (Linux, root); a listener is refused'
            cand pick 'Pick ports that are free, or run a command with one'
            cand wait 'Wait until something listens, a port is free, or a connection is made; then run a command'
            cand serve 'Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path'
            cand connect 'Connect to an echo server, send, and verify that every byte comes back'
            cand show 'Show all that is known of one socket, and what its state means'
            cand demo 'Watch real sockets live: each call, and the rows it makes'
            cand doctor 'Tell what this system lets sockscope see, what a listing lacks here, and the cure'
            cand completions 'Print a completion script for a shell'
            cand man 'Print the manual page, or write all pages to a directory'
            cand schema 'Print the JSON Schema of what a command writes with --json'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'sockscope;help;list'= {
        }
        &'sockscope;help;port'= {
        }
        &'sockscope;help;why'= {
        }
        &'sockscope;help;free'= {
        }
        &'sockscope;help;close'= {
        }
        &'sockscope;help;pick'= {
        }
        &'sockscope;help;wait'= {
        }
        &'sockscope;help;serve'= {
        }
        &'sockscope;help;connect'= {
        }
        &'sockscope;help;show'= {
        }
        &'sockscope;help;demo'= {
            cand quiz 'Find out what is wrong: causes of trouble, set up for real, with hints and points'
        }
        &'sockscope;help;demo;quiz'= {
        }
        &'sockscope;help;doctor'= {
        }
        &'sockscope;help;completions'= {
        }
        &'sockscope;help;man'= {
        }
        &'sockscope;help;schema'= {
        }
        &'sockscope;help;help'= {
        }
    ]
    $completions[$command]
}
