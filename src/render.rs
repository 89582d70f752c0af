//! Turns rows into bytes: table, JSON, CSV and lsof fields. Takes data and a `Write`, nothing else.
//!
//! | module | output |
//! | --- | --- |
//! | [`table`] | aligned columns, for people and for `awk` |
//! | [`json`] | the documented schema `sockscope.list/1` |
//! | [`csv`] | the same columns as the table, comma-separated |
//! | [`fields`] | lsof's `-F` fields |
//! | [`pids`] | process numbers only |
//! | [`summary`] | what could not be seen, in one line |
//!
//! [`column`] is the one table of columns, [`names`] what numbers are replaced by on request, and
//! [`sanitize`] what keeps hostile names from driving a terminal.
#![forbid(unsafe_code)]

pub mod column;
pub mod csv;
pub mod fields;
pub mod json;
pub mod names;
pub mod pids;
pub mod row;
pub mod sanitize;
pub mod summary;
pub mod table;

#[cfg(test)]
pub(crate) mod fixture;
