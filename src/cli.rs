//! The command: it parses the arguments, runs one command and turns its result into an exit code.
//!
//! Each command is one file with its arguments and a `run`. A command gets its two output streams
//! and what is known of the terminal as an [`Io`]; it never reads the environment and never prints.
//! stdout is the answer, stderr is everything else.

pub mod args;
pub mod completions;
pub mod demo;
pub mod error;
pub mod man;
pub mod output;
pub mod terminal;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::args::ListArgs;
use crate::cli::output::Output;
use crate::cli::terminal::Terminal;

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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch real sockets live: each call, and the rows it makes
    Demo(demo::DemoArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write all pages to a directory
    Man(man::ManArgs),
}

impl Command {
    fn run(&self, io: &mut Io<'_>) -> anyhow::Result<Exit> {
        match self {
            Self::Demo(args) => demo::run(args, io),
            Self::Completions(args) => completions::run(args, io),
            Self::Man(args) => man::run(args, io),
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
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Found => 0,
            Exit::Nothing => 1,
            Exit::Trouble => 2,
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
    let mut stderr = io::stderr();
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
            error::report(&failure, &mut stderr);
            Exit::Trouble
        }
    }
    .into()
}

fn run(cli: &Cli, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    match &cli.command {
        Some(command) => command.run(io),
        None => Ok(Exit::Found),
    }
}
