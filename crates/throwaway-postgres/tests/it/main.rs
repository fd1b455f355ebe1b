//! A temporary server on every installed major: it starts, and nothing of it stays.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod leaves_nothing;
mod lifecycle;
