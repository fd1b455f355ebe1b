//! Connections to real servers of every supported major.

#![allow(missing_docs, clippy::unwrap_used)]

mod connect;
mod tls;
