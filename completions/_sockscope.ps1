
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'sockscope' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'sockscope'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'sockscope' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable')
            [CompletionResult]::new('--internet', '--internet', [CompletionResultType]::ParameterName, 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable')
            [CompletionResult]::new('--pid', '--pid', [CompletionResultType]::ParameterName, 'Held by these processes: 1,22 or ^1')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Held by these users: alice,0 or ^root')
            [CompletionResult]::new('--command', '--command', [CompletionResultType]::ParameterName, 'Held by commands that start so: nginx or ^ssh')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'In these states: listen,time-wait or ^listen')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'With these ports at an end: 80,8000-8099 or ^22')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'lsof''s fields, all or these: -FpcfnPT')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'lsof''s fields, all or these: -FpcfnPT')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'pid,port or +inode,-user; alone +timer, as ss -o')
            [CompletionResult]::new('--columns', '--columns', [CompletionResultType]::ParameterName, 'pid,port or +inode,-user; alone +timer, as ss -o')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'By columns: port,-pid (- for descending)')
            [CompletionResult]::new('--resolve-timeout', '--resolve-timeout', [CompletionResultType]::ParameterName, 'Longest wait for names')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'auto, always or never')
            [CompletionResult]::new('--backend', '--backend', [CompletionResultType]::ParameterName, 'native or portable (netstat2, sysinfo)')
            [CompletionResult]::new('--owners', '--owners', [CompletionResultType]::ParameterName, 'How to find owners: auto, bpf or proc')
            [CompletionResult]::new('--netns', '--netns', [CompletionResultType]::ParameterName, 'Network namespaces: all, PID, NAME or current')
            [CompletionResult]::new('--record', '--record', [CompletionResultType]::ParameterName, 'Also write all that was collected to FILE')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'List a recording; - reads it from stdin')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'TCP; -t -u -w -x -0 and -A add up')
            [CompletionResult]::new('--tcp', '--tcp', [CompletionResultType]::ParameterName, 'TCP; -t -u -w -x -0 and -A add up')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'UDP')
            [CompletionResult]::new('--udp', '--udp', [CompletionResultType]::ParameterName, 'UDP')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Raw IP')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Raw IP')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'UNIX')
            [CompletionResult]::new('--unix', '--unix', [CompletionResultType]::ParameterName, 'UNIX')
            [CompletionResult]::new('-0', '-0', [CompletionResultType]::ParameterName, 'Packet (frames of a link)')
            [CompletionResult]::new('--packet', '--packet', [CompletionResultType]::ParameterName, 'Packet (frames of a link)')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Listening; of UDP, the unconnected')
            [CompletionResult]::new('--listening', '--listening', [CompletionResultType]::ParameterName, 'Listening; of UDP, the unconnected')
            [CompletionResult]::new('-4', '-4', [CompletionResultType]::ParameterName, 'IPv4 only')
            [CompletionResult]::new('--ipv4', '--ipv4', [CompletionResultType]::ParameterName, 'IPv4 only')
            [CompletionResult]::new('-6', '-6', [CompletionResultType]::ParameterName, 'IPv6 only; with -4, both')
            [CompletionResult]::new('--ipv6', '--ipv6', [CompletionResultType]::ParameterName, 'IPv6 only; with -4, both')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'More columns: queues, timer, uid, inode, cookie')
            [CompletionResult]::new('--extended', '--extended', [CompletionResultType]::ParameterName, 'More columns: queues, timer, uid, inode, cookie')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Always on: every state')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Always on: every state')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Always on: numbers, unless with -r')
            [CompletionResult]::new('--numeric', '--numeric', [CompletionResultType]::ParameterName, 'Always on: numbers, unless with -r')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Always on: processes')
            [CompletionResult]::new('--processes', '--processes', [CompletionResultType]::ParameterName, 'Always on: processes')
            [CompletionResult]::new('-O', '-O ', [CompletionResultType]::ParameterName, 'Always on: one line a socket')
            [CompletionResult]::new('--oneline', '--oneline', [CompletionResultType]::ParameterName, 'Always on: one line a socket')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document (see sockscope schema)')
            [CompletionResult]::new('--jsonl', '--jsonl', [CompletionResultType]::ParameterName, 'One JSON object a socket, each on a line')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'Comma-separated, every fact on its own')
            [CompletionResult]::new('--pids', '--pids', [CompletionResultType]::ParameterName, 'Process numbers only, each once')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'No header line')
            [CompletionResult]::new('--no-header', '--no-header', [CompletionResultType]::ParameterName, 'No header line')
            [CompletionResult]::new('--wide', '--wide', [CompletionResultType]::ParameterName, 'Cut nothing to fit the terminal')
            [CompletionResult]::new('--fds', '--fds', [CompletionResultType]::ParameterName, 'A row for each descriptor, as lsof')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Names of hosts and ports')
            [CompletionResult]::new('--resolve', '--resolve', [CompletionResultType]::ParameterName, 'Names of hosts and ports')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell all that could not be seen')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell all that could not be seen')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--redact', '--redact', [CompletionResultType]::ParameterName, 'Replace names, users and addresses in it')
            [CompletionResult]::new('--no-narrow', '--no-narrow', [CompletionResultType]::ParameterName, 'Read everything, and only then select: slower, never different')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List sockets with their owners; also: ls, or no command at all')
            [CompletionResult]::new('port', 'port', [CompletionResultType]::ParameterValue, 'Tell all about one port: listeners, peers, clients, what is left over, forwarders')
            [CompletionResult]::new('why', 'why', [CompletionResultType]::ParameterValue, 'Tell whether a bind would succeed, and if not why and what to do')
            [CompletionResult]::new('free', 'free', [CompletionResultType]::ParameterValue, 'Make a port free with the least harm: shows the plan, asks, and verifies')
            [CompletionResult]::new('close', 'close', [CompletionResultType]::ParameterValue, 'Close one connection from outside (Linux, root); a listener is refused')
            [CompletionResult]::new('pick', 'pick', [CompletionResultType]::ParameterValue, 'Pick ports that are free, or run a command with one')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until something listens, a port is free, or a connection is made; then run a command')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path')
            [CompletionResult]::new('connect', 'connect', [CompletionResultType]::ParameterValue, 'Connect to an echo server, send, and verify that every byte comes back')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show all that is known of one socket, and what its state means')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Watch real sockets live: each call, and the rows it makes')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Tell what this system lets sockscope see, what a listing lacks here, and the cure')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write all pages to a directory')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of what a command writes with --json')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'sockscope;list' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable')
            [CompletionResult]::new('--internet', '--internet', [CompletionResultType]::ParameterName, 'As lsof: [46][tcp|udp][@HOST][:PORTS]; repeatable')
            [CompletionResult]::new('--pid', '--pid', [CompletionResultType]::ParameterName, 'Held by these processes: 1,22 or ^1')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Held by these users: alice,0 or ^root')
            [CompletionResult]::new('--command', '--command', [CompletionResultType]::ParameterName, 'Held by commands that start so: nginx or ^ssh')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'In these states: listen,time-wait or ^listen')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'With these ports at an end: 80,8000-8099 or ^22')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Tables as in ss: all,inet,tcp,u_str,netlink,… or !tcp')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'lsof''s fields, all or these: -FpcfnPT')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'lsof''s fields, all or these: -FpcfnPT')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'pid,port or +inode,-user; alone +timer, as ss -o')
            [CompletionResult]::new('--columns', '--columns', [CompletionResultType]::ParameterName, 'pid,port or +inode,-user; alone +timer, as ss -o')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'By columns: port,-pid (- for descending)')
            [CompletionResult]::new('--resolve-timeout', '--resolve-timeout', [CompletionResultType]::ParameterName, 'Longest wait for names')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'auto, always or never')
            [CompletionResult]::new('--backend', '--backend', [CompletionResultType]::ParameterName, 'native or portable (netstat2, sysinfo)')
            [CompletionResult]::new('--owners', '--owners', [CompletionResultType]::ParameterName, 'How to find owners: auto, bpf or proc')
            [CompletionResult]::new('--netns', '--netns', [CompletionResultType]::ParameterName, 'Network namespaces: all, PID, NAME or current')
            [CompletionResult]::new('--record', '--record', [CompletionResultType]::ParameterName, 'Also write all that was collected to FILE')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'List a recording; - reads it from stdin')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'TCP; -t -u -w -x -0 and -A add up')
            [CompletionResult]::new('--tcp', '--tcp', [CompletionResultType]::ParameterName, 'TCP; -t -u -w -x -0 and -A add up')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'UDP')
            [CompletionResult]::new('--udp', '--udp', [CompletionResultType]::ParameterName, 'UDP')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Raw IP')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Raw IP')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'UNIX')
            [CompletionResult]::new('--unix', '--unix', [CompletionResultType]::ParameterName, 'UNIX')
            [CompletionResult]::new('-0', '-0', [CompletionResultType]::ParameterName, 'Packet (frames of a link)')
            [CompletionResult]::new('--packet', '--packet', [CompletionResultType]::ParameterName, 'Packet (frames of a link)')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Listening; of UDP, the unconnected')
            [CompletionResult]::new('--listening', '--listening', [CompletionResultType]::ParameterName, 'Listening; of UDP, the unconnected')
            [CompletionResult]::new('-4', '-4', [CompletionResultType]::ParameterName, 'IPv4 only')
            [CompletionResult]::new('--ipv4', '--ipv4', [CompletionResultType]::ParameterName, 'IPv4 only')
            [CompletionResult]::new('-6', '-6', [CompletionResultType]::ParameterName, 'IPv6 only; with -4, both')
            [CompletionResult]::new('--ipv6', '--ipv6', [CompletionResultType]::ParameterName, 'IPv6 only; with -4, both')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'More columns: queues, timer, uid, inode, cookie')
            [CompletionResult]::new('--extended', '--extended', [CompletionResultType]::ParameterName, 'More columns: queues, timer, uid, inode, cookie')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Always on: every state')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Always on: every state')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Always on: numbers, unless with -r')
            [CompletionResult]::new('--numeric', '--numeric', [CompletionResultType]::ParameterName, 'Always on: numbers, unless with -r')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Always on: processes')
            [CompletionResult]::new('--processes', '--processes', [CompletionResultType]::ParameterName, 'Always on: processes')
            [CompletionResult]::new('-O', '-O ', [CompletionResultType]::ParameterName, 'Always on: one line a socket')
            [CompletionResult]::new('--oneline', '--oneline', [CompletionResultType]::ParameterName, 'Always on: one line a socket')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document (see sockscope schema)')
            [CompletionResult]::new('--jsonl', '--jsonl', [CompletionResultType]::ParameterName, 'One JSON object a socket, each on a line')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'Comma-separated, every fact on its own')
            [CompletionResult]::new('--pids', '--pids', [CompletionResultType]::ParameterName, 'Process numbers only, each once')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'No header line')
            [CompletionResult]::new('--no-header', '--no-header', [CompletionResultType]::ParameterName, 'No header line')
            [CompletionResult]::new('--wide', '--wide', [CompletionResultType]::ParameterName, 'Cut nothing to fit the terminal')
            [CompletionResult]::new('--fds', '--fds', [CompletionResultType]::ParameterName, 'A row for each descriptor, as lsof')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Names of hosts and ports')
            [CompletionResult]::new('--resolve', '--resolve', [CompletionResultType]::ParameterName, 'Names of hosts and ports')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell all that could not be seen')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell all that could not be seen')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--redact', '--redact', [CompletionResultType]::ParameterName, 'Replace names, users and addresses in it')
            [CompletionResult]::new('--no-narrow', '--no-narrow', [CompletionResultType]::ParameterName, 'Read everything, and only then select: slower, never different')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;port' {
            [CompletionResult]::new('--netns', '--netns', [CompletionResultType]::ParameterName, 'Network namespaces: all (the usual), PID, NAME or current')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'Look into a recording; - reads it from stdin')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document (see sockscope schema port)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'sockscope;why' {
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'The program binds to this device (SO_BINDTODEVICE)')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'This user binds: a name or a number; only predicts')
            [CompletionResult]::new('--pid', '--pid', [CompletionResultType]::ParameterName, 'This process binds, in its network namespace; only predicts')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Longest wait for an answer to --connect')
            [CompletionResult]::new('--record', '--record', [CompletionResultType]::ParameterName, 'Write what was read to a new file, for a bug report')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'Predict from a recording; - reads it from stdin')
            [CompletionResult]::new('--reuseaddr', '--reuseaddr', [CompletionResultType]::ParameterName, 'The program sets SO_REUSEADDR')
            [CompletionResult]::new('--reuseport', '--reuseport', [CompletionResultType]::ParameterName, 'The program sets SO_REUSEPORT')
            [CompletionResult]::new('--v6only', '--v6only', [CompletionResultType]::ParameterName, 'The program sets IPV6_V6ONLY')
            [CompletionResult]::new('--connect', '--connect', [CompletionResultType]::ParameterName, 'Ask about a connection to HOST:PORT or /PATH instead of a bind')
            [CompletionResult]::new('--no-probe', '--no-probe', [CompletionResultType]::ParameterName, 'Only predict: make no bind, and no connection, to find out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document (see sockscope schema why)')
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'The long story of each cause, with its source')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;free' {
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Take these steps of the plan instead of those that do the least harm')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long all of it may take')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do it without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do it without asking')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show the plan; do nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show the plan; do nothing')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Kill processes that do not end when asked (SIGKILL after SIGTERM)')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document (see sockscope schema free)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;close' {
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Close without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Close without asking')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Say what would be closed and what that does; close nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would be closed and what that does; close nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;pick' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Which ports may be picked: 8000-8999, or one')
            [CompletionResult]::new('--range', '--range', [CompletionResultType]::ParameterName, 'Which ports may be picked: 8000-8999, or one')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many, no two the same')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'How many, no two the same')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Free at this IP address, whatever it is at others')
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'Free at this IP address, whatever it is at others')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Free for TCP, whatever it is for UDP; without -t and -u it must be for both')
            [CompletionResult]::new('--tcp', '--tcp', [CompletionResultType]::ParameterName, 'Free for TCP, whatever it is for UDP; without -t and -u it must be for both')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Free for UDP')
            [CompletionResult]::new('--udp', '--udp', [CompletionResultType]::ParameterName, 'Free for UDP')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document (see sockscope schema pick)')
            [CompletionResult]::new('--exec', '--exec', [CompletionResultType]::ParameterName, 'Run CMD with the port; see below')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;wait' {
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Longest wait; 0 looks once')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Longest wait; 0 looks once')
            [CompletionResult]::new('--reuseaddr', '--reuseaddr', [CompletionResultType]::ParameterName, 'With free: for a program that sets SO_REUSEADDR, as most servers do')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document, also when time is up (see sockscope schema wait)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;serve' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'The port, if ADDR has none; 0 takes a free one and tells which')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The port, if ADDR has none; 0 takes a free one and tells which')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'How many connections at once; further ones wait in the backlog')
            [CompletionResult]::new('--idle', '--idle', [CompletionResultType]::ParameterName, 'Close a client that does nothing for this long, such as 30s or 5m')
            [CompletionResult]::new('--drain', '--drain', [CompletionResultType]::ParameterName, 'How long clients may finish once the server is stopped')
            [CompletionResult]::new('--backlog', '--backlog', [CompletionResultType]::ParameterName, 'How many connections may wait to be accepted')
            [CompletionResult]::new('--slow', '--slow', [CompletionResultType]::ParameterName, 'Read so many bytes a second from each connection, such as 1000 or 64K, so that queues fill')
            [CompletionResult]::new('--drop', '--drop', [CompletionResultType]::ParameterName, 'Throw datagrams away: every Nth, or N% of them, always the same ones')
            [CompletionResult]::new('--any', '--any', [CompletionResultType]::ParameterName, 'Listen on every address of this machine: anyone who can reach it can use it')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Echo TCP connections (the default)')
            [CompletionResult]::new('--tcp', '--tcp', [CompletionResultType]::ParameterName, 'Echo TCP connections (the default)')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Echo UDP datagrams; with --tcp both')
            [CompletionResult]::new('--udp', '--udp', [CompletionResultType]::ParameterName, 'Echo UDP datagrams; with --tcp both')
            [CompletionResult]::new('--framed', '--framed', [CompletionResultType]::ParameterName, 'Messages with a header: its length in two bytes, JSON with content-length, the content')
            [CompletionResult]::new('--hold', '--hold', [CompletionResultType]::ParameterName, 'Do not accept: connections wait in the backlog until it is full')
            [CompletionResult]::new('--leak', '--leak', [CompletionResultType]::ParameterName, 'Never close a connection whose client has ended its side: it stays in CLOSE_WAIT')
            [CompletionResult]::new('--reset', '--reset', [CompletionResultType]::ParameterName, 'Close connections by RST instead of FIN (SO_LINGER with 0 seconds)')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace the socket that an earlier server left at a UNIX path')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line for each thing that happens (see sockscope schema serve)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;connect' {
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'A line to send')
            [CompletionResult]::new('--message', '--message', [CompletionResultType]::ParameterName, 'A line to send')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'A file to send')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'A file to send')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many messages to send [default: 1]')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'How many messages to send [default: 1]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'How long a message is, such as 1000, 64KiB or 10M (powers of 1024) [default: 1024]')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'How long a message is, such as 1000, 64KiB or 10M (powers of 1024) [default: 1024]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'How many connections at once')
            [CompletionResult]::new('--connections', '--connections', [CompletionResultType]::ParameterName, 'How many connections at once')
            [CompletionResult]::new('--hold', '--hold', [CompletionResultType]::ParameterName, 'Keep the connections open after the echo: for so long, or until Ctrl-C')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up when nothing moves for so long [default: 30s; over UDP, 1s for each datagram]')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Which pseudo-random bytes to send')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Send UDP datagrams, one a message')
            [CompletionResult]::new('--udp', '--udp', [CompletionResultType]::ParameterName, 'Send UDP datagrams, one a message')
            [CompletionResult]::new('--half-close', '--half-close', [CompletionResultType]::ParameterName, 'End our side once all is sent (shutdown), with --hold too; without, that is always done')
            [CompletionResult]::new('--framed', '--framed', [CompletionResultType]::ParameterName, 'Messages with a header: its length in two bytes, JSON with content-length, the content')
            [CompletionResult]::new('--reset', '--reset', [CompletionResultType]::ParameterName, 'Close by RST instead of FIN (SO_LINGER with 0 seconds): no TIME_WAIT')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The result as JSON (see sockscope schema connect)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;show' {
            [CompletionResult]::new('--netns', '--netns', [CompletionResultType]::ParameterName, 'Network namespaces: all, PID, NAME or current')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'Show from a recording; - reads it from stdin')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document (see sockscope schema show)')
            [CompletionResult]::new('--deep', '--deep', [CompletionResultType]::ParameterName, 'Also read the options of the holder''s socket, through a copy of its descriptor')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'sockscope;demo' {
            [CompletionResult]::new('--code', '--code', [CompletionResultType]::ParameterName, 'Show each call in this language, too')
            [CompletionResult]::new('--pause', '--pause', [CompletionResultType]::ParameterName, 'How long --auto pauses after each step')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'Print the lessons, one a line')
            [CompletionResult]::new('--auto', '--auto', [CompletionResultType]::ParameterName, 'Go on by itself, with a pause after each step')
            [CompletionResult]::new('--step', '--step', [CompletionResultType]::ParameterName, 'Plain text instead of the full-screen page: wait for Enter after each step')
            [CompletionResult]::new('--script', '--script', [CompletionResultType]::ParameterName, 'Print a plain transcript without waiting (the default in a pipe)')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a step, without waiting (see sockscope schema demo)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('quiz', 'quiz', [CompletionResultType]::ParameterValue, 'Find out what is wrong: causes of trouble, set up for real, with hints and points')
            break
        }
        'sockscope;demo;quiz' {
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'What decides the order by chance: the same number, the same quiz')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'Print the questions, one a line')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object for each question, hint and answer (see sockscope schema quiz)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;doctor' {
            [CompletionResult]::new('--self', '--self', [CompletionResultType]::ParameterName, 'Examine sockscope itself: its rights, the kernel''s answers, what a listing lacks')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON document (see sockscope schema doctor)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;man' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;schema' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockscope;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List sockets with their owners; also: ls, or no command at all')
            [CompletionResult]::new('port', 'port', [CompletionResultType]::ParameterValue, 'Tell all about one port: listeners, peers, clients, what is left over, forwarders')
            [CompletionResult]::new('why', 'why', [CompletionResultType]::ParameterValue, 'Tell whether a bind would succeed, and if not why and what to do')
            [CompletionResult]::new('free', 'free', [CompletionResultType]::ParameterValue, 'Make a port free with the least harm: shows the plan, asks, and verifies')
            [CompletionResult]::new('close', 'close', [CompletionResultType]::ParameterValue, 'Close one connection from outside (Linux, root); a listener is refused')
            [CompletionResult]::new('pick', 'pick', [CompletionResultType]::ParameterValue, 'Pick ports that are free, or run a command with one')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until something listens, a port is free, or a connection is made; then run a command')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path')
            [CompletionResult]::new('connect', 'connect', [CompletionResultType]::ParameterValue, 'Connect to an echo server, send, and verify that every byte comes back')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show all that is known of one socket, and what its state means')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Watch real sockets live: each call, and the rows it makes')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Tell what this system lets sockscope see, what a listing lacks here, and the cure')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write all pages to a directory')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of what a command writes with --json')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'sockscope;help;list' {
            break
        }
        'sockscope;help;port' {
            break
        }
        'sockscope;help;why' {
            break
        }
        'sockscope;help;free' {
            break
        }
        'sockscope;help;close' {
            break
        }
        'sockscope;help;pick' {
            break
        }
        'sockscope;help;wait' {
            break
        }
        'sockscope;help;serve' {
            break
        }
        'sockscope;help;connect' {
            break
        }
        'sockscope;help;show' {
            break
        }
        'sockscope;help;demo' {
            [CompletionResult]::new('quiz', 'quiz', [CompletionResultType]::ParameterValue, 'Find out what is wrong: causes of trouble, set up for real, with hints and points')
            break
        }
        'sockscope;help;demo;quiz' {
            break
        }
        'sockscope;help;doctor' {
            break
        }
        'sockscope;help;completions' {
            break
        }
        'sockscope;help;man' {
            break
        }
        'sockscope;help;schema' {
            break
        }
        'sockscope;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
