//! Messages through every channel, to receivers that are real and to some that behave badly.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it needs"
)]

mod alertmanager;
mod command;
mod http;
mod mail;
mod receiver;
mod schema;
mod support;
mod webhook;
