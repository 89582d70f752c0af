//! The `sockscope` command.

fn main() {}
