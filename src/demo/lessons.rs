//! The lessons, in the order they are best taken. Adding one is adding a file.

mod abort;
mod backlog;
mod dual_stack;
mod errors;
mod half_close;
mod in_use;
mod inherit;
mod keepalive;
mod leak;
mod museum;
mod namespaces;
mod orphan;
mod partial;
mod ports_run_out;
mod tcp;
mod three_clients;
mod udp;
mod unix;

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
    &museum::LESSON,
    &orphan::LESSON,
    &inherit::LESSON,
    &udp::LESSON,
    &dual_stack::LESSON,
    &unix::LESSON,
    &leak::LESSON,
    &keepalive::LESSON,
    &ports_run_out::LESSON,
    &namespaces::LESSON,
];
