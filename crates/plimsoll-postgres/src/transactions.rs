//! Which transactions are under way on the server.

use crate::error::VisitError;
use crate::session::Session;

/// Transactions as they are at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Transactions {
    /// `pg_current_snapshot()`: moves when one of them ends, so while it stands still the catalog does.
    pub snapshot: String,
    /// The oldest one that may still run: whatever is below it has ended.
    pub oldest: i64,
    /// The next one to begin: whatever runs is below it.
    pub next: i64,
}

impl Transactions {
    /// Reads them as they are now.
    pub(crate) async fn read(session: &Session) -> Result<Self, VisitError> {
        let sql = include_str!("transactions/transactions.sql");
        let row = session.one(sql, &[]).await?;
        Ok(Self {
            snapshot: session.read(&row, 0)?,
            oldest: session.read(&row, 1)?,
            next: session.read(&row, 2)?,
        })
    }
}
