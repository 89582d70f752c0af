
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
            cand -A 'Tables: all,inet,tcp,udp,udplite,raw,unix or !tcp'
            cand --query 'Tables: all,inet,tcp,udp,udplite,raw,unix or !tcp'
            cand -F 'lsof''s fields, all or these: -FpcfnPT'
            cand --fields 'lsof''s fields, all or these: -FpcfnPT'
            cand -o 'pid,port or +inode,-user; alone +timer, as ss -o'
            cand --columns 'pid,port or +inode,-user; alone +timer, as ss -o'
            cand --sort 'By columns: port,-pid (- for descending)'
            cand --resolve-timeout 'Longest wait for names'
            cand --color 'auto, always or never'
            cand --backend 'native or portable (netstat2, sysinfo)'
            cand --record 'Also write all that was collected to FILE'
            cand --replay 'List a recording; - reads it from stdin'
            cand -t 'TCP; -t -u -w -x and -A add up'
            cand --tcp 'TCP; -t -u -w -x and -A add up'
            cand -u 'UDP'
            cand --udp 'UDP'
            cand -w 'Raw IP'
            cand --raw 'Raw IP'
            cand -x 'UNIX'
            cand --unix 'UNIX'
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
            cand demo 'Watch real sockets live: each call, and the rows it makes'
            cand completions 'Print a completion script for a shell'
            cand man 'Print the manual page, or write all pages to a directory'
            cand schema 'Print the JSON Schema of the listing'
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
            cand -A 'Tables: all,inet,tcp,udp,udplite,raw,unix or !tcp'
            cand --query 'Tables: all,inet,tcp,udp,udplite,raw,unix or !tcp'
            cand -F 'lsof''s fields, all or these: -FpcfnPT'
            cand --fields 'lsof''s fields, all or these: -FpcfnPT'
            cand -o 'pid,port or +inode,-user; alone +timer, as ss -o'
            cand --columns 'pid,port or +inode,-user; alone +timer, as ss -o'
            cand --sort 'By columns: port,-pid (- for descending)'
            cand --resolve-timeout 'Longest wait for names'
            cand --color 'auto, always or never'
            cand --backend 'native or portable (netstat2, sysinfo)'
            cand --record 'Also write all that was collected to FILE'
            cand --replay 'List a recording; - reads it from stdin'
            cand -t 'TCP; -t -u -w -x and -A add up'
            cand --tcp 'TCP; -t -u -w -x and -A add up'
            cand -u 'UDP'
            cand --udp 'UDP'
            cand -w 'Raw IP'
            cand --raw 'Raw IP'
            cand -x 'UNIX'
            cand --unix 'UNIX'
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
        &'sockscope;demo'= {
            cand --pause 'How long --auto pauses after each step'
            cand --auto 'Go on by itself, with a pause after each step'
            cand --step 'Wait for Enter after each step (the default on a terminal)'
            cand --script 'Print a plain transcript without waiting (the default in a pipe)'
            cand --json 'Print one JSON object a step, without waiting'
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
            cand demo 'Watch real sockets live: each call, and the rows it makes'
            cand completions 'Print a completion script for a shell'
            cand man 'Print the manual page, or write all pages to a directory'
            cand schema 'Print the JSON Schema of the listing'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'sockscope;help;list'= {
        }
        &'sockscope;help;demo'= {
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
