# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_sockscope_global_optspecs
    string join \n i/internet= pid= user= command= state= port= t/tcp u/udp w/raw x/unix 0/packet l/listening 4/ipv4 6/ipv6 A/query= e/extended a/all n/numeric p/processes O/oneline json jsonl csv F/fields= pids o/columns= sort= H/no-header wide fds r/resolve resolve-timeout= color= v/verbose q/quiet backend= owners= netns= record= redact replay= no-narrow h/help V/version
end

function __fish_sockscope_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_sockscope_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_sockscope_using_subcommand
    set -l cmd (__fish_sockscope_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c sockscope -n "__fish_sockscope_needs_command" -s i -l internet -d 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l pid -d 'Held by these processes: 1,22 or ^1' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l user -d 'Held by these users: alice,0 or ^root' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l command -d 'Held by commands that start so: nginx or ^ssh' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l state -d 'In these states: listen,time-wait or ^listen' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l port -d 'With these ports at an end: 80,8000-8099 or ^22' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -s A -l query -d 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -s F -l fields -d 'lsof\'s fields, all or these: -FpcfnPT' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -s o -l columns -d 'pid,port or +inode,-user; alone +timer, as ss -o' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l sort -d 'By columns: port,-pid (- for descending)' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l resolve-timeout -d 'Longest wait for names' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l color -d 'auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockscope -n "__fish_sockscope_needs_command" -l backend -d 'native or portable (netstat2, sysinfo)' -r -f -a "native\t''
portable\t''"
complete -c sockscope -n "__fish_sockscope_needs_command" -l owners -d 'How to find owners: auto, bpf or proc' -r -f -a "auto\t'The fastest that this system permits'
bpf\t'By a program that the kernel runs for every descriptor; an error where that is refused'
proc\t'By walking through `/proc`'"
complete -c sockscope -n "__fish_sockscope_needs_command" -l netns -d 'Network namespaces: all, PID, NAME or current' -r
complete -c sockscope -n "__fish_sockscope_needs_command" -l record -d 'Also write all that was collected to FILE' -r -F
complete -c sockscope -n "__fish_sockscope_needs_command" -l replay -d 'List a recording; - reads it from stdin' -r -F
complete -c sockscope -n "__fish_sockscope_needs_command" -s t -l tcp -d 'TCP; -t -u -w -x -0 and -A add up'
complete -c sockscope -n "__fish_sockscope_needs_command" -s u -l udp -d 'UDP'
complete -c sockscope -n "__fish_sockscope_needs_command" -s w -l raw -d 'Raw IP'
complete -c sockscope -n "__fish_sockscope_needs_command" -s x -l unix -d 'UNIX'
complete -c sockscope -n "__fish_sockscope_needs_command" -s 0 -l packet -d 'Packet (frames of a link)'
complete -c sockscope -n "__fish_sockscope_needs_command" -s l -l listening -d 'Listening; of UDP, the unconnected'
complete -c sockscope -n "__fish_sockscope_needs_command" -s 4 -l ipv4 -d 'IPv4 only'
complete -c sockscope -n "__fish_sockscope_needs_command" -s 6 -l ipv6 -d 'IPv6 only; with -4, both'
complete -c sockscope -n "__fish_sockscope_needs_command" -s e -l extended -d 'More columns: queues, timer, uid, inode, cookie'
complete -c sockscope -n "__fish_sockscope_needs_command" -s a -l all -d 'Always on: every state'
complete -c sockscope -n "__fish_sockscope_needs_command" -s n -l numeric -d 'Always on: numbers, unless with -r'
complete -c sockscope -n "__fish_sockscope_needs_command" -s p -l processes -d 'Always on: processes'
complete -c sockscope -n "__fish_sockscope_needs_command" -s O -l oneline -d 'Always on: one line a socket'
complete -c sockscope -n "__fish_sockscope_needs_command" -l json -d 'One JSON document (see sockscope schema)'
complete -c sockscope -n "__fish_sockscope_needs_command" -l jsonl -d 'One JSON object a socket, each on a line'
complete -c sockscope -n "__fish_sockscope_needs_command" -l csv -d 'Comma-separated, every fact on its own'
complete -c sockscope -n "__fish_sockscope_needs_command" -l pids -d 'Process numbers only, each once'
complete -c sockscope -n "__fish_sockscope_needs_command" -s H -l no-header -d 'No header line'
complete -c sockscope -n "__fish_sockscope_needs_command" -l wide -d 'Cut nothing to fit the terminal'
complete -c sockscope -n "__fish_sockscope_needs_command" -l fds -d 'A row for each descriptor, as lsof'
complete -c sockscope -n "__fish_sockscope_needs_command" -s r -l resolve -d 'Names of hosts and ports'
complete -c sockscope -n "__fish_sockscope_needs_command" -s v -l verbose -d 'Tell all that could not be seen'
complete -c sockscope -n "__fish_sockscope_needs_command" -s q -l quiet -d 'Tell nothing but errors'
complete -c sockscope -n "__fish_sockscope_needs_command" -l redact -d 'Replace names, users and addresses in it'
complete -c sockscope -n "__fish_sockscope_needs_command" -l no-narrow -d 'Read everything, and only then select: slower, never different'
complete -c sockscope -n "__fish_sockscope_needs_command" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_needs_command" -s V -l version -d 'Print version'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "list" -d 'List sockets with their owners; also: ls, or no command at all'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "port" -d 'Tell all about one port: listeners, peers, clients, what is left over, forwarders'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "why" -d 'Tell whether a bind would succeed, and if not why and what to do'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "free" -d 'Make a port free with the least harm: shows the plan, asks, and verifies'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "close" -d 'Close one connection from outside (Linux, root); a listener is refused'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "pick" -d 'Pick ports that are free, or run a command with one'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "wait" -d 'Wait until something listens, a port is free, or a connection is made; then run a command'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "serve" -d 'Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "connect" -d 'Connect to an echo server, send, and verify that every byte comes back'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "show" -d 'Show all that is known of one socket, and what its state means'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "demo" -d 'Watch real sockets live: each call, and the rows it makes'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "doctor" -d 'Tell what this system lets sockscope see, what a listing lacks here, and the cure'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "completions" -d 'Print a completion script for a shell'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "man" -d 'Print the manual page, or write all pages to a directory'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "schema" -d 'Print the JSON Schema of what a command writes with --json'
complete -c sockscope -n "__fish_sockscope_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s i -l internet -d 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l pid -d 'Held by these processes: 1,22 or ^1' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l user -d 'Held by these users: alice,0 or ^root' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l command -d 'Held by commands that start so: nginx or ^ssh' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l state -d 'In these states: listen,time-wait or ^listen' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l port -d 'With these ports at an end: 80,8000-8099 or ^22' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s A -l query -d 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s F -l fields -d 'lsof\'s fields, all or these: -FpcfnPT' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s o -l columns -d 'pid,port or +inode,-user; alone +timer, as ss -o' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l sort -d 'By columns: port,-pid (- for descending)' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l resolve-timeout -d 'Longest wait for names' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l color -d 'auto, always or never' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l backend -d 'native or portable (netstat2, sysinfo)' -r -f -a "native\t''
portable\t''"
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l owners -d 'How to find owners: auto, bpf or proc' -r -f -a "auto\t'The fastest that this system permits'
bpf\t'By a program that the kernel runs for every descriptor; an error where that is refused'
proc\t'By walking through `/proc`'"
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l netns -d 'Network namespaces: all, PID, NAME or current' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l record -d 'Also write all that was collected to FILE' -r -F
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l replay -d 'List a recording; - reads it from stdin' -r -F
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s t -l tcp -d 'TCP; -t -u -w -x -0 and -A add up'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s u -l udp -d 'UDP'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s w -l raw -d 'Raw IP'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s x -l unix -d 'UNIX'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s 0 -l packet -d 'Packet (frames of a link)'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s l -l listening -d 'Listening; of UDP, the unconnected'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s 4 -l ipv4 -d 'IPv4 only'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s 6 -l ipv6 -d 'IPv6 only; with -4, both'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s e -l extended -d 'More columns: queues, timer, uid, inode, cookie'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s a -l all -d 'Always on: every state'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s n -l numeric -d 'Always on: numbers, unless with -r'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s p -l processes -d 'Always on: processes'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s O -l oneline -d 'Always on: one line a socket'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l json -d 'One JSON document (see sockscope schema)'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l jsonl -d 'One JSON object a socket, each on a line'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l csv -d 'Comma-separated, every fact on its own'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l pids -d 'Process numbers only, each once'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s H -l no-header -d 'No header line'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l wide -d 'Cut nothing to fit the terminal'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l fds -d 'A row for each descriptor, as lsof'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s r -l resolve -d 'Names of hosts and ports'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s v -l verbose -d 'Tell all that could not be seen'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s q -l quiet -d 'Tell nothing but errors'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l redact -d 'Replace names, users and addresses in it'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -l no-narrow -d 'Read everything, and only then select: slower, never different'
complete -c sockscope -n "__fish_sockscope_using_subcommand list" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand port" -l netns -d 'Network namespaces: all (the usual), PID, NAME or current' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand port" -l replay -d 'Look into a recording; - reads it from stdin' -r -F
complete -c sockscope -n "__fish_sockscope_using_subcommand port" -l json -d 'One JSON document (see sockscope schema port)'
complete -c sockscope -n "__fish_sockscope_using_subcommand port" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l device -d 'The program binds to this device (SO_BINDTODEVICE)' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l user -d 'This user binds: a name or a number; only predicts' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l pid -d 'This process binds, in its network namespace; only predicts' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l timeout -d 'Longest wait for an answer to --connect' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l record -d 'Write what was read to a new file, for a bug report' -r -F
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l replay -d 'Predict from a recording; - reads it from stdin' -r -F
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l reuseaddr -d 'The program sets SO_REUSEADDR'
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l reuseport -d 'The program sets SO_REUSEPORT'
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l v6only -d 'The program sets IPV6_V6ONLY'
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l connect -d 'Ask about a connection to HOST:PORT or /PATH instead of a bind'
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l no-probe -d 'Only predict: make no bind, and no connection, to find out'
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l json -d 'One JSON document (see sockscope schema why)'
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -l explain -d 'The long story of each cause, with its source'
complete -c sockscope -n "__fish_sockscope_using_subcommand why" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand free" -l only -d 'Take these steps of the plan instead of those that do the least harm' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand free" -l timeout -d 'How long all of it may take' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand free" -s y -l yes -d 'Do it without asking'
complete -c sockscope -n "__fish_sockscope_using_subcommand free" -s n -l dry-run -d 'Show the plan; do nothing'
complete -c sockscope -n "__fish_sockscope_using_subcommand free" -l force -d 'Kill processes that do not end when asked (SIGKILL after SIGTERM)'
complete -c sockscope -n "__fish_sockscope_using_subcommand free" -l json -d 'One JSON document (see sockscope schema free)'
complete -c sockscope -n "__fish_sockscope_using_subcommand free" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand close" -s y -l yes -d 'Close without asking'
complete -c sockscope -n "__fish_sockscope_using_subcommand close" -s n -l dry-run -d 'Say what would be closed and what that does; close nothing'
complete -c sockscope -n "__fish_sockscope_using_subcommand close" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand pick" -s r -l range -d 'Which ports may be picked: 8000-8999, or one' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand pick" -s n -l count -d 'How many, no two the same' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand pick" -s a -l address -d 'Free at this IP address, whatever it is at others' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand pick" -s t -l tcp -d 'Free for TCP, whatever it is for UDP; without -t and -u it must be for both'
complete -c sockscope -n "__fish_sockscope_using_subcommand pick" -s u -l udp -d 'Free for UDP'
complete -c sockscope -n "__fish_sockscope_using_subcommand pick" -l json -d 'One JSON document (see sockscope schema pick)'
complete -c sockscope -n "__fish_sockscope_using_subcommand pick" -l exec -d 'Run CMD with the port; see below'
complete -c sockscope -n "__fish_sockscope_using_subcommand pick" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand wait" -s t -l timeout -d 'Longest wait; 0 looks once' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand wait" -l reuseaddr -d 'With free: for a program that sets SO_REUSEADDR, as most servers do'
complete -c sockscope -n "__fish_sockscope_using_subcommand wait" -l json -d 'One JSON document, also when time is up (see sockscope schema wait)'
complete -c sockscope -n "__fish_sockscope_using_subcommand wait" -s q -l quiet -d 'Tell nothing but errors'
complete -c sockscope -n "__fish_sockscope_using_subcommand wait" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -s p -l port -d 'The port, if ADDR has none; 0 takes a free one and tells which' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l limit -d 'How many connections at once; further ones wait in the backlog' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l idle -d 'Close a client that does nothing for this long, such as 30s or 5m' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l drain -d 'How long clients may finish once the server is stopped' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l backlog -d 'How many connections may wait to be accepted' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l slow -d 'Read so many bytes a second from each connection, such as 1000 or 64K, so that queues fill' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l drop -d 'Throw datagrams away: every Nth, or N% of them, always the same ones' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l any -d 'Listen on every address of this machine: anyone who can reach it can use it'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -s t -l tcp -d 'Echo TCP connections (the default)'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -s u -l udp -d 'Echo UDP datagrams; with --tcp both'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l framed -d 'Messages with a header: its length in two bytes, JSON with content-length, the content'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l hold -d 'Do not accept: connections wait in the backlog until it is full'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l leak -d 'Never close a connection whose client has ended its side: it stays in CLOSE_WAIT'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l reset -d 'Close connections by RST instead of FIN (SO_LINGER with 0 seconds)'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l force -d 'Replace the socket that an earlier server left at a UNIX path'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -l json -d 'One JSON object a line for each thing that happens (see sockscope schema serve)'
complete -c sockscope -n "__fish_sockscope_using_subcommand serve" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -s m -l message -d 'A line to send' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -s f -l file -d 'A file to send' -r -F
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -s n -l count -d 'How many messages to send [default: 1]' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -s s -l size -d 'How long a message is, such as 1000, 64KiB or 10M (powers of 1024) [default: 1024]' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -s c -l connections -d 'How many connections at once' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -l hold -d 'Keep the connections open after the echo: for so long, or until Ctrl-C' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -l timeout -d 'Give up when nothing moves for so long [default: 30s; over UDP, 1s for each datagram]' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -l seed -d 'Which pseudo-random bytes to send' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -s u -l udp -d 'Send UDP datagrams, one a message'
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -l half-close -d 'End our side once all is sent (shutdown), with --hold too; without, that is always done'
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -l framed -d 'Messages with a header: its length in two bytes, JSON with content-length, the content'
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -l reset -d 'Close by RST instead of FIN (SO_LINGER with 0 seconds): no TIME_WAIT'
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -l json -d 'The result as JSON (see sockscope schema connect)'
complete -c sockscope -n "__fish_sockscope_using_subcommand connect" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand show" -l netns -d 'Network namespaces: all, PID, NAME or current' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand show" -l replay -d 'Show from a recording; - reads it from stdin' -r -F
complete -c sockscope -n "__fish_sockscope_using_subcommand show" -l json -d 'One JSON document (see sockscope schema show)'
complete -c sockscope -n "__fish_sockscope_using_subcommand show" -l deep -d 'Also read the options of the holder\'s socket, through a copy of its descriptor'
complete -c sockscope -n "__fish_sockscope_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -l code -d 'Show each call in this language, too' -r -f -a "python\t'Python, as in its guide to sockets'
rust\t'Rust, with socket2 and rustix'
c\t'C, on Linux'
go\t'Go, with its package net'
node\t'JavaScript, with Node\'s modules net and dgram'"
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -l pause -d 'How long --auto pauses after each step' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -l list -d 'Print the lessons, one a line'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -l auto -d 'Go on by itself, with a pause after each step'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -l step -d 'Plain text instead of the full-screen page: wait for Enter after each step'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -l script -d 'Print a plain transcript without waiting (the default in a pipe)'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -l json -d 'Print one JSON object a step, without waiting (see sockscope schema demo)'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and not __fish_seen_subcommand_from quiz" -a "quiz" -d 'Find out what is wrong: causes of trouble, set up for real, with hints and points'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and __fish_seen_subcommand_from quiz" -l seed -d 'What decides the order by chance: the same number, the same quiz' -r
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and __fish_seen_subcommand_from quiz" -l list -d 'Print the questions, one a line'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and __fish_seen_subcommand_from quiz" -l json -d 'Print one JSON object for each question, hint and answer (see sockscope schema quiz)'
complete -c sockscope -n "__fish_sockscope_using_subcommand demo; and __fish_seen_subcommand_from quiz" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand doctor" -l self -d 'Examine sockscope itself: its rights, the kernel\'s answers, what a listing lacks'
complete -c sockscope -n "__fish_sockscope_using_subcommand doctor" -l json -d 'One JSON document (see sockscope schema doctor)'
complete -c sockscope -n "__fish_sockscope_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand completions" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand man" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand schema" -s h -l help -d 'Print help'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "list" -d 'List sockets with their owners; also: ls, or no command at all'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "port" -d 'Tell all about one port: listeners, peers, clients, what is left over, forwarders'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "why" -d 'Tell whether a bind would succeed, and if not why and what to do'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "free" -d 'Make a port free with the least harm: shows the plan, asks, and verifies'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "close" -d 'Close one connection from outside (Linux, root); a listener is refused'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "pick" -d 'Pick ports that are free, or run a command with one'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "wait" -d 'Wait until something listens, a port is free, or a connection is made; then run a command'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "serve" -d 'Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "connect" -d 'Connect to an echo server, send, and verify that every byte comes back'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "show" -d 'Show all that is known of one socket, and what its state means'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "demo" -d 'Watch real sockets live: each call, and the rows it makes'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "doctor" -d 'Tell what this system lets sockscope see, what a listing lacks here, and the cure'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "man" -d 'Print the manual page, or write all pages to a directory'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "schema" -d 'Print the JSON Schema of what a command writes with --json'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and not __fish_seen_subcommand_from list port why free close pick wait serve connect show demo doctor completions man schema help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sockscope -n "__fish_sockscope_using_subcommand help; and __fish_seen_subcommand_from demo" -f -a "quiz" -d 'Find out what is wrong: causes of trouble, set up for real, with hints and points'
