//! Sorts rows: a total order, so that equal input gives equal output.
