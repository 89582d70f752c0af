//! The lessons, in the order they are best taken. Adding one is adding a file.

mod tcp;
mod three_clients;
mod udp;

use crate::demo::Lesson;

/// Every lesson.
pub const ALL: &[&Lesson] = &[&tcp::LESSON, &udp::LESSON, &three_clients::LESSON];
