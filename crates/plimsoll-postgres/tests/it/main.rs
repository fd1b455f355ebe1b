//! Visits to real servers of every supported major.

#![allow(missing_docs)]

mod connect;
mod facts;
