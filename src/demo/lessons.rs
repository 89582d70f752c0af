//! The lessons, in the order they are best taken. Adding one is adding a file.

mod abort;
mod backlog;
mod errors;
mod half_close;
mod in_use;
mod partial;
mod tcp;
mod three_clients;
mod udp;

use crate::demo::Lesson;

/// Every lesson.
pub const ALL: &[&Lesson] = &[
    &tcp::LESSON,
    &partial::LESSON,
    &errors::LESSON,
    &three_clients::LESSON,
    &half_close::LESSON,
    &in_use::LESSON,
    &abort::LESSON,
    &backlog::LESSON,
    &udp::LESSON,
];
