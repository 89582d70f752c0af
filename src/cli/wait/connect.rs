//! Whether connections are accepted: each target is tried by a thread of its own until it is.

use std::error::Error as _;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use crate::cli::Io;
use crate::cli::error::Failure;
use crate::cli::wait::{Missed, PAUSE, WaitArgs, Why, announce};
use crate::echo::address::{Address, Host};
use crate::echo::error::EchoError;
use crate::echo::reach::reach;
use crate::platform::clock::Deadline;
use crate::render::sanitize;

/// How long one attempt may take. Then another is made: a lost packet is sent again only after seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest pause between two attempts at another machine, which is not to be flooded.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Reads what is to be connected to. Names are looked up at every attempt.
fn parse(text: &str) -> anyhow::Result<Address> {
    let address: Address = text.parse().map_err(EchoError::from)?;
    if let Address::Inet { port: None | Some(0), .. } = address {
        let text = sanitize::string(text);
        return Err(Failure::new(format!("'{text}' has no port to connect to"))
            .hint("as in localhost:8080")
            .into());
    }
    Ok(address)
}

/// Waits until every target was connected to once; returns those that were not.
pub(super) fn wait<'a>(args: &'a WaitArgs, io: &mut Io<'_>) -> anyhow::Result<Vec<Missed<'a>>> {
    let addresses: Vec<Address> =
        args.targets.iter().map(|text| parse(text)).collect::<anyhow::Result<_>>()?;
    let is_once = args.timeout.is_zero();
    // A single attempt is given its time.
    let deadline = Deadline::after(if is_once { PATIENCE } else { args.timeout });
    let mut answers = vec![Some("no answer yet".to_owned()); addresses.len()];
    let (sender, attempts) = mpsc::channel();
    for (number, address) in addresses.into_iter().enumerate() {
        let sender = sender.clone();
        let run = move || keep_trying(number, &address, is_once, &sender);
        // Left behind when time is up: it holds nothing, and the end of the program ends it.
        thread::Builder::new().name("connect".to_owned()).spawn(run)?;
    }
    drop(sender);
    let mut is_first = true;
    while let Ok((number, refusal)) = attempts.recv_timeout(deadline.left()) {
        if let Some(answer) = answers.get_mut(number) {
            *answer = refusal;
        }
        if answers.iter().all(Option::is_none) {
            break;
        }
        if std::mem::take(&mut is_first) {
            announce(args, io)?;
        }
    }
    let missed = args
        .targets
        .iter()
        .zip(answers)
        .filter_map(|(target, answer)| Some(Missed { target, why: Why::Answer(answer?) }));
    Ok(missed.collect())
}

/// Tries until a connection is made, or nobody wants to know any more.
fn keep_trying(
    number: usize,
    address: &Address,
    is_once: bool,
    sender: &Sender<(usize, Option<String>)>,
) {
    let longest = if is_near(address) { PAUSE } else { LONGEST_PAUSE };
    let mut pause = PAUSE;
    loop {
        let refusal = reach(address, PATIENCE).err().map(|error| in_words(&error));
        let is_done = refusal.is_none() || is_once;
        if sender.send((number, refusal)).is_err() || is_done {
            return;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(longest);
    }
}

/// Returns true for what is certainly on this machine, where an attempt costs next to nothing.
fn is_near(address: &Address) -> bool {
    match address {
        Address::Path(_) => true,
        Address::Inet { host, .. } => match host {
            Host::Unnamed | Host::Localhost | Host::Any => true,
            Host::Ip(address) => address.is_loopback(),
            Host::Name(_) => false,
        },
    }
}

fn in_words(error: &EchoError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
