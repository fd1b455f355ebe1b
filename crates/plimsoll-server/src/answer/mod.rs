//! What is answered, by the API and by the command line alike: shapes, and pure functions to them.
//!
//! Fields never change their type: what is absent is null. Bytes are integers, times RFC 3339 UTC.

pub mod alerts;
pub mod channels;
pub mod chunks;
pub mod cleanup;
pub mod databases;
pub mod disk;
pub mod events;
pub mod forecast;
pub mod gone;
pub mod growth;
pub mod growth_base;
pub mod history;
pub mod instance;
pub mod jobs;
pub mod kept;
pub mod ranking;
pub mod room;
mod schema;
pub mod series;
pub mod shapes;
pub mod silences;
pub mod sizes;
pub mod state;
pub mod store;
pub mod table;
pub mod visit;
