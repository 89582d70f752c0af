//! The guided, live session: each call, and the rows it makes.
