//! Connects to PostgreSQL as libpq does: URLs and their environment, password files, TLS, hosts in turn.
//!
//! **Invariant:** the only crate that opens connections. It knows nothing of sizes, and no catalog.

mod connect;
mod error;
pub mod folder;
mod socket;
mod startup;
mod tls;
mod url;

pub use crate::connect::Connected;
pub use crate::error::{ConnectError, Peer, allows_no_transactions};
pub use crate::url::{DatabaseUrl, UrlError};

/// The name that servers show for our sessions.
pub const APPLICATION_NAME: &str = "plimsoll";
