//! The command: arguments, plan, one file per command.
