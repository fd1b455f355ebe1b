//! The same series in the shapes that tools export, and what must be refused.

#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod files;
mod refusals;
mod series;
