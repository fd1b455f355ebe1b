//! The small layer under which a kind of row is written once for both stores: statements with
//! parameters, rows that are read with checks, and transactions.
//!
//! A statement is written as PostgreSQL wants it: tables with their schema, parameters as `$1`. The
//! SQLite store leaves out what it has not: see [`sqlite_text`].

mod value;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

pub(crate) use self::value::{Row, RowError, Value};
use crate::StoreError;

/// What a transaction's work comes to, in time.
pub(crate) type Outcome<'w, T> = BoxFuture<'w, Result<T, StoreError>>;

/// One transaction. What it did is undone unless its work succeeds.
#[async_trait]
pub(crate) trait Transaction: Send + Sync {
    /// The rows that a statement answers.
    async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// Runs a statement; returns how many rows it changed.
    async fn execute(&self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError>;

    /// The time by the store's own clock: the server's, or the machine's that has the file.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// An error of this store's.
    fn failed(&self, reason: &str) -> StoreError;

    /// The error of a row that cannot be read.
    fn unreadable(&self, error: RowError) -> StoreError {
        self.failed(&error.to_string())
    }
}

/// A store that runs transactions.
pub(crate) trait Transactions: Send + Sync + 'static {
    /// Runs `work` on one state of the store, which it cannot change.
    fn reading<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Send + 'static;

    /// Runs `work`, and keeps what it did if it succeeds.
    fn writing<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Send + 'static;
}

/// A statement without what SQLite has not. It knows one schema only, compares text by its bytes, and
/// has no locks on rows: whoever writes there writes alone.
pub(crate) fn sqlite_text(sql: &str) -> String {
    sql.replace("plimsoll.", "")
        .replace(" collate \"C\"", "")
        .replace(" for update", "")
}
