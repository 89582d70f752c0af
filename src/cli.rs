//! The command: it parses the arguments, runs one command and turns its result into an exit code.
//!
//! Each command is one file with its arguments and a `run`. A command gets its two output streams
//! and what is known of the terminal as an [`Io`]; it never reads the environment and never prints.
//! stdout is the answer, stderr is everything else.

mod actor;
pub mod args;
pub mod close;
mod command;
pub mod completions;
pub mod connect;
pub mod demo;
pub mod doctor;
mod elsewhere;
pub mod error;
pub mod free;
pub mod later;
pub mod list;
pub mod man;
pub mod output;
pub mod pick;
pub mod plan;
pub mod port;
mod program;
mod runtime;
pub mod schema;
pub mod screen;
pub mod serve;
pub mod show;
pub mod target;
pub mod terminal;
pub mod wait;
pub mod why;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::cli::args::ListArgs;
use crate::cli::error::Failure;
use crate::cli::later::Later;
use crate::cli::output::Output;
use crate::cli::terminal::Terminal;
use crate::filter::FilterError;
use crate::nearest::nearest;
use crate::platform;

/// List the sockets of this machine with every process that holds them
#[derive(Debug, Parser)]
#[command(name = "sockscope", version, max_term_width = 100, help_template = HELP)]
#[command(args_conflicts_with_subcommands = true, args_override_self = true)]
pub struct Cli {
    /// What to do; without one, the listing.
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become the command's help")]
    pub list: ListArgs,
}

/// The help of the command without a command. It takes all options of `list`, which would bury the
/// commands here.
const HELP: &str = "\
{about}

{usage-heading} {usage}

Commands:
{subcommands}

Without a command it lists, and takes what list takes:
  sockscope                     every TCP and UDP socket
  sockscope :8080               who has port 8080
  sockscope -tulpn              listening sockets, as ss and netstat write it
  sockscope 'tcp and not user root'

All options of the listing: sockscope list --help
";

/// The examples at the end of `sockscope list --help`.
const LIST_EXAMPLES: &str = "\
Examples:
  sockscope list :8080                         one port, at either end
  sockscope list -tulpn                        what listens, as ss writes it
  sockscope list 'tcp and listen and port 3000-3999 and not user root'
  sockscope list 'dst 10.0.0.0/8 and (state established or close-wait)'
  sockscope list -iTCP:443 --command nginx     lsof's addresses and lists
  sockscope list -o port,pid,command --sort port
  sockscope list --json | jq '.sockets[].owners[].command'
  sockscope list --record bug.json --redact    to send; --replay lists it

Exit codes: 0 found, 1 nothing matched, 2 trouble
";

/// The examples at the end of `sockscope port --help`.
const PORT_EXAMPLES: &str = "\
Examples:
  sockscope port 8080
  sockscope port http
  sockscope port 8080 --json | jq -r '.verdicts[]'

Exit codes: 0 somebody holds it, 1 nobody does, 2 trouble
";

/// The examples at the end of `sockscope close --help`.
const CLOSE_EXAMPLES: &str = "\
Examples:
  sockscope close 4110                                a cookie: sockscope list -o +cookie
  sockscope close '127.0.0.1:80->127.0.0.1:5000'      both ends, the local one first
  sockscope close --dry-run 'dst 10.0.0.7 and port 22'
  sockscope close --yes 'state time-wait and sport 8080'

Exit codes: 0 closed, 1 there was none or it was gone, 2 trouble (none or several named, refused)
";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List sockets with their owners; also: ls, or no command at all
    #[command(alias = "ls", after_help = LIST_EXAMPLES)]
    List(Later<Box<ListArgs>>),
    /// Tell all about one port: listeners, peers, clients, what is left over, forwarders
    #[command(after_help = PORT_EXAMPLES)]
    Port(Later<port::PortArgs>),
    /// Tell whether a bind would succeed, and if not why and what to do
    #[command(after_help = why::EXAMPLES)]
    Why(Later<why::WhyArgs>),
    /// Make a port free with the least harm: shows the plan, asks, and verifies
    #[command(after_help = free::EXAMPLES)]
    Free(Later<free::FreeArgs>),
    /// Close one connection from outside (Linux, root); a listener is refused
    #[command(after_help = CLOSE_EXAMPLES)]
    Close(Later<close::CloseArgs>),
    /// Pick ports that are free, or run a command with one
    #[command(after_help = pick::HELP)]
    Pick(Later<pick::PickArgs>),
    /// Wait until something listens, a port is free, or a connection is made; then run a command
    #[command(after_help = wait::HELP)]
    Wait(Later<wait::WaitArgs>),
    /// Run an echo server: what comes is sent back, over TCP, UDP or a UNIX path
    Serve(Later<serve::ServeArgs>),
    /// Connect to an echo server, send, and verify that every byte comes back
    Connect(Later<connect::ConnectArgs>),
    /// Show all that is known of one socket, and what its state means
    #[command(after_help = show::EXAMPLES)]
    Show(Later<show::ShowArgs>),
    /// Watch real sockets live: each call, and the rows it makes
    // Not later: what is completed behind `help demo` is among its arguments.
    Demo(demo::DemoArgs),
    /// Tell what this system lets sockscope see, what a listing lacks here, and the cure
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(Later<doctor::DoctorArgs>),
    /// Print a completion script for a shell
    Completions(Later<completions::CompletionsArgs>),
    /// Print the manual page, or write all pages to a directory
    Man(Later<man::ManArgs>),
    /// Print the JSON Schema of what a command writes with --json
    Schema(Later<schema::SchemaArgs>),
}

impl Command {
    fn run(&self, io: &mut Io<'_>) -> anyhow::Result<Exit> {
        match self {
            Self::List(args) => list::run(args, io),
            Self::Port(args) => port::run(args, io),
            Self::Why(args) => why::run(args, io),
            Self::Free(args) => free::run(args, io),
            Self::Close(args) => close::run(args, io),
            Self::Pick(args) => pick::run(args, io),
            Self::Wait(args) => wait::run(args, io),
            Self::Serve(args) => serve::run(args, io),
            Self::Connect(args) => connect::run(args, io),
            Self::Show(args) => show::run(args, io),
            Self::Demo(args) => demo::run(args, io),
            Self::Doctor(args) => doctor::run(args, io),
            Self::Completions(args) => completions::run(args, io),
            Self::Man(args) => man::run(args, io),
            Self::Schema(args) => schema::run(args, io),
        }
    }
}

/// How a command ended, as the shell sees it: ripgrep's and grep's three codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: found, yes, done.
    Found,
    /// 1: nothing matched, no, timed out.
    Nothing,
    /// 2: bad usage, or it could not look.
    Trouble,
    /// What the command ended with that was run on the user's behalf; 126 and 127 when it could not be.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Found => 0,
            Exit::Nothing => 1,
            Exit::Trouble => 2,
            Exit::Command(code) => code,
        })
    }
}

/// What a command may write to, and what it knows of who reads it.
#[expect(missing_debug_implementations, reason = "the two streams have no text of their own")]
pub struct Io<'a> {
    /// The answer. Buffered: flush before writing to `stderr` and before waiting for anything.
    pub stdout: &'a mut dyn Write,
    /// Everything that is not the answer.
    pub stderr: &'a mut dyn Write,
    /// The terminal, read once when the command started.
    pub terminal: Terminal,
}

/// Runs the command of this process and returns its exit code.
pub fn main() -> ExitCode {
    platform::hand_back_memory();
    let mut stderr = io::stderr();
    if let Some(port) = elsewhere::asked(std::env::args_os()) {
        return elsewhere::run(port).into();
    }
    if screen::keeper_asked(std::env::args_os()) {
        return screen::keep().into();
    }
    if actor::asked(std::env::args_os()) {
        return actor::run().into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return error::usage(&answer).into(),
    };
    let mut stdout = Output::new(io::stdout());
    let mut io = Io { stdout: &mut stdout, stderr: &mut stderr, terminal: Terminal::read() };
    let done = run(&cli, &mut io)
        .and_then(|exit| io.stdout.flush().map(|()| exit).map_err(anyhow::Error::from));
    match done {
        Ok(exit) => exit,
        // Whoever read our output has what they wanted: `sockscope | head -1`.
        Err(_) if stdout.is_closed() => Exit::Found,
        Err(failure) => {
            let failure = if stdout.has_failed() {
                failure.context("cannot write the answer")
            } else {
                failure
            };
            error::report(&failure, &mut stderr);
            Exit::Trouble
        }
    }
    .into()
}

fn run(cli: &Cli, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    match &cli.command {
        Some(command) => command.run(io),
        None => list::run(&cli.list, io).map_err(|error| or_command(error, &cli.list)),
    }
}

/// Adds the nearest command to what is wrong with a filter that may have been meant as a command.
fn or_command(error: anyhow::Error, args: &ListArgs) -> anyhow::Error {
    let (Some(fault), [word, ..]) = (error.downcast_ref::<FilterError>(), &*args.filter) else {
        return error;
    };
    if fault.span().start >= word.len() {
        return error;
    }
    let commands: Vec<String> =
        Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    match nearest(word, commands) {
        Some(command) => {
            Failure::new(fault.to_string()).hint(format!("there is a command '{command}'")).into()
        }
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_contradict_each_other_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_s_arguments_are_there_before_it_is_asked_for() {
        let arguments = |command: &clap::Command| {
            command.find_subcommand("list").map_or(0, |list| list.get_arguments().count())
        };
        let mut command = Cli::command();
        assert_eq!(arguments(&command), 0);
        command.build();
        assert!(arguments(&command) > 10);
    }

    #[test]
    fn every_command_and_argument_has_help() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {argument}", command.get_name());
            }
        }
    }
}
