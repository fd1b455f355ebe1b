//! Tests of the server as a whole: its specification, its routes and its schedule on real servers.
#![allow(missing_docs)]

mod openapi;
