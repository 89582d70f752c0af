//! `sockscope completions`: completion scripts for packagers and people.

use clap::builder::PossibleValue;
use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::{Shell, generate};
use clap_complete_nushell::Nushell;

use crate::cli::{Cli, Exit, Io};

/// The arguments of `sockscope completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that will read the script
    pub shell: Target,
}

/// A shell there is a completion script for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    name: &'static str,
    /// Where `completions/` keeps the script: what the shell expects it to be called.
    file: &'static str,
    generator: Generator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generator {
    Own(Shell),
    Nushell,
}

const fn target(name: &'static str, file: &'static str, generator: Generator) -> Target {
    Target { name, file, generator }
}

/// The one table of shells.
const TARGETS: &[Target] = &[
    target("bash", "sockscope.bash", Generator::Own(Shell::Bash)),
    target("zsh", "_sockscope", Generator::Own(Shell::Zsh)),
    target("fish", "sockscope.fish", Generator::Own(Shell::Fish)),
    target("powershell", "_sockscope.ps1", Generator::Own(Shell::PowerShell)),
    target("elvish", "sockscope.elv", Generator::Own(Shell::Elvish)),
    target("nushell", "sockscope.nu", Generator::Nushell),
];

impl ValueEnum for Target {
    fn value_variants<'a>() -> &'a [Self] {
        TARGETS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name))
    }
}

impl Target {
    /// Returns the script.
    fn script(self) -> Vec<u8> {
        let mut command = Cli::command();
        let mut script = Vec::new();
        match self.generator {
            Generator::Own(shell) => generate(shell, &mut command, "sockscope", &mut script),
            Generator::Nushell => generate(Nushell, &mut command, "sockscope", &mut script),
        }
        script
    }
}

/// Returns every script with the name of its file in `completions/`.
pub fn files() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    TARGETS.iter().map(|target| (target.file, target.script()))
}

/// Writes the script.
pub fn run(args: &CompletionsArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    io.stdout.write_all(&args.shell.script())?;
    Ok(Exit::Found)
}
