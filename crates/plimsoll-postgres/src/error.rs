//! What can go wrong on a visit, each with a stable code and a text that says what to do.

/// Why a visit failed as a whole.
///
/// Texts name the server and database, never a password.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// Nothing answers at the address, or the name does not resolve.
    #[error("cannot reach {server}: {reason}")]
    Unreachable {
        /// `host:port`, or the socket's path.
        server: String,
        /// What the operating system said.
        reason: String,
    },
}

impl VisitError {
    /// A stable code, as answers and logs carry it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "server_unreachable",
        }
    }
}
