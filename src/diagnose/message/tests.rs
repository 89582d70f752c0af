use proptest::prelude::*;

use super::*;

/// Messages of programs, with what each is to tell. Its first lines say how it is written.
const MESSAGES: &str = include_str!("messages.txt");

/// Writes what was read as the file does.
fn told(Pasted { errno, call, place }: &Pasted) -> String {
    let errno = errno.map_or_else(|| "-".to_owned(), |errno| format!("{errno:?}"));
    let call = if *call == Call::Connect { "connect" } else { "bind" };
    let place = place.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    format!("{errno} {call} {place}")
}

#[test]
fn messages_of_real_programs_are_read() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for block in MESSAGES.split("\n### ").skip(1) {
        let [source, expected, text] = block.splitn(3, '\n').collect::<Vec<_>>()[..] else {
            panic!("no message: {block}")
        };
        let read = parse(text.trim_end()).map_or_else(|| "none".to_owned(), |pasted| told(&pasted));
        if expected != format!("=> {read}") {
            wrong.push(format!("{source}\n{text}read {read}, expected {expected}\n"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(count, MESSAGES.matches("\n=> ").count());
    assert!(count >= 90, "{count}");
}

#[test]
fn colours_and_other_escapes_change_nothing() {
    let text = "\x1b[31m\x1b[1mError:\x1b[0m listen \x1b[4mEADDRINUSE\x1b[m: address already in use :::\x1b[33m3000\x1b[39m\r\n";
    let plain = "Error: listen EADDRINUSE: address already in use :::3000";
    assert_eq!(parse(text), parse(plain));
}

#[test]
fn what_is_no_such_message_is_none() {
    for text in [
        "",
        "8080",
        "tcp:127.0.0.1:80",
        "hello world",
        "cat: /etc/shadow: Permission denied",
        "ls: cannot access 'x': No such file or directory",
        "error[E0433]: failed to resolve: use of undeclared type",
        "segmentation fault (core dumped)",
        "HTTP/1.1 404 Not Found",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn the_number_of_a_line_of_code_is_no_port() {
    for text in [
        "server.js:12: listen EADDRINUSE",
        "main.go:8080: bind: address already in use",
        "    at bind (net.js:1313:16)\nEADDRINUSE",
        "12:34:56.789 [4711] bind: address already in use",
    ] {
        assert_eq!(parse(text).unwrap().place, None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _read = parse(&text);
    }

    /// Texts made of the pieces that the rules look for get further in.
    #[test]
    fn no_mixture_of_pieces_panics(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("EADDRINUSE"), Just("errno "), Just("-98"), Just("port"), Just(" "), Just(":"), Just("::"),
                Just("["), Just("]"), Just("'"), Just(","), Just("é"), Just("\n"), Just("\x1b["), Just("127.0.0.1"),
                Just("65536"), Just("80"), Just("unix"), Just("/x.sock"), Just("{ip,{"), Just("}"), Just("http://"),
                Just("#"), Just("%"), Just("-"), Just("bind"),
            ],
            0..40,
        )
    ) {
        let _read = parse(&pieces.concat());
    }

    #[test]
    fn every_address_and_port_is_read_back(address: std::net::SocketAddr) {
        prop_assume!(address.port() != 0);
        let plain = std::net::SocketAddr::new(address.ip(), address.port());
        let read = parse(&format!("listen tcp {plain}: bind: address already in use")).unwrap();
        prop_assert_eq!(read.place.unwrap().to_string(), format!("tcp:{plain}"));
    }
}
