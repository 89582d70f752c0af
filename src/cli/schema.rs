//! `sockscope schema`: the JSON Schemas of what the commands write with `--json`.

use clap::{Args, ValueEnum};

use crate::cli::{Exit, Io, connect, demo, pick, serve, wait};
use crate::render::{diagnosis, doctor, free, json, port, show};

/// The arguments of `sockscope schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The command whose JSON it describes
    #[arg(value_name = "COMMAND", value_enum, default_value_t)]
    pub of: Schema,
}

/// A command that writes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[expect(missing_docs, reason = "a variant's doc comment would make --help twice as long")]
pub enum Schema {
    #[default]
    List,
    Port,
    Why,
    Free,
    Show,
    Doctor,
    Pick,
    Wait,
    Connect,
    Serve,
    Demo,
    Quiz,
}

/// Writes the schema.
pub fn run(args: &SchemaArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let schema = match args.of {
        Schema::List => json::schema(),
        Schema::Port => port::json::schema(),
        Schema::Why => diagnosis::json::schema(),
        Schema::Free => free::json::schema(),
        Schema::Show => show::json::schema(),
        Schema::Doctor => doctor::schema(),
        Schema::Pick => pick::schema(),
        Schema::Wait => wait::schema(),
        Schema::Connect => connect::schema(),
        Schema::Serve => serve::schema(),
        Schema::Demo => demo::schema(),
        Schema::Quiz => demo::quiz::schema(),
    };
    io.stdout.write_all(schema.as_bytes())?;
    Ok(Exit::Found)
}
