//! Turns rows into bytes: table, JSON, CSV and lsof fields. Takes data and a `Write`, nothing else.
