//! `sockscope man`: the manual pages, one a command.

use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::{Cli, Exit, Io};

/// The arguments of `sockscope man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write every page to this directory; without it the main page goes to stdout
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

/// Returns every page with its file name: `sockscope.1`, `sockscope-list.1`,
/// `sockscope-demo-quiz.1`, and so on.
pub fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages)?;
    Ok(pages)
}

/// Adds the pages of a command and of what is below it.
fn add(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    pages.push(page(command.clone())?);
    let mut below = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    below.try_for_each(|subcommand| add(subcommand, pages))
}

fn page(command: clap::Command) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok((man.get_filename(), page))
}

/// Writes the pages.
pub fn run(args: &ManArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let pages = pages()?;
    let Some(directory) = &args.directory else {
        for (_, main) in pages.iter().take(1) {
            io.stdout.write_all(main)?;
        }
        return Ok(Exit::Found);
    };
    for (name, page) in pages {
        let path = directory.join(name);
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(io.stdout, "{}", path.display())?;
    }
    Ok(Exit::Found)
}
