//! `sockscope schema`: the JSON Schema of `sockscope list --json`.

use clap::Args;

use crate::cli::{Exit, Io};
use crate::render::json;

/// The arguments of `sockscope schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {}

/// Writes the schema.
pub fn run(_args: &SchemaArgs, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    io.stdout.write_all(json::schema().as_bytes())?;
    Ok(Exit::Found)
}
