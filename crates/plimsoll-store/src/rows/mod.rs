//! The small layer under which a kind of row is written once for both stores: statements with
//! parameters, rows that are read with checks, and transactions.
//!
//! A statement is written as PostgreSQL wants it: tables with their schema, parameters as `$1`. The
//! SQLite store leaves out what it has not: see [`sqlite_text`].

mod insert;
mod value;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

pub(crate) use self::insert::{Insert, Kind, NewRow};
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

    /// Inserts rows; returns how many were new.
    async fn insert(&self, insert: &Insert, rows: Vec<NewRow>) -> Result<u64, StoreError>;

    /// The time by the store's own clock: the server's, or the machine's that has the file.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// An error of this store's.
    fn failed(&self, reason: &str) -> StoreError;

    /// The error of a row that cannot be read.
    fn unreadable(&self, error: RowError) -> StoreError {
        self.failed(&error.to_string())
    }
}

impl dyn Transaction + '_ {
    /// The rows that a statement answers, each read by `read`.
    pub(crate) async fn read<T>(
        &self,
        sql: &'static str,
        params: &[Value],
        read: impl Fn(&Row) -> Result<T, RowError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.query(sql, params).await?;
        let read: Result<Vec<T>, RowError> = rows.iter().map(read).collect();
        read.map_err(|error| self.unreadable(error))
    }
}

/// A store that runs transactions. Work that was lost with the server before it was kept is done once more.
pub(crate) trait Transactions: Send + Sync + 'static {
    /// Runs `work` on one state of the store, which it cannot change.
    fn reading<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Clone + Send + Sync + 'static;

    /// Runs `work`, and keeps what it did if it succeeds.
    fn writing<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Clone + Send + Sync + 'static;
}

/// A statement without what SQLite has not. It knows one schema only, compares text by its bytes, and
/// has no locks on rows: whoever writes there writes alone.
pub(crate) fn sqlite_text(sql: &str) -> String {
    let mut text = sql
        .replace("plimsoll.", "")
        .replace(" collate \"C\"", "")
        .replace(" for update", "");
    while let Some(from) = text.find(ANY) {
        let Some(length) = text[from..].find(')') else {
            break;
        };
        let list = text[from + ANY.len()..from + length].to_owned();
        let within = format!("in (select value from json_each({list}))");
        text.replace_range(from..=from + length, &within);
    }
    text
}

/// What a statement asks a list with; SQLite has lists as JSON.
const ANY: &str = "= any (";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_reads_the_same_statements() {
        for (sql, expect) in [
            (
                "select name from plimsoll.jobs order by name collate \"C\"",
                "select name from jobs order by name",
            ),
            (
                "select 1 from plimsoll.jobs where name = any ($2) and id = any ($3) for update",
                "select 1 from jobs where name in (select value from json_each($2)) \
                 and id in (select value from json_each($3))",
            ),
        ] {
            assert_eq!(sqlite_text(sql), expect);
        }
    }

    #[test]
    fn a_batch_names_each_column_once() {
        let insert = Insert {
            table: "plimsoll.t",
            columns: &[("a", Kind::Int4), ("b", Kind::Time)],
            skips_known: true,
        };
        assert_eq!(
            insert.of_arrays(),
            "insert into plimsoll.t (a, b) select * from rows from (unnest($1::int4[]), \
             unnest($2::timestamptz[])) on conflict do nothing"
        );
        assert_eq!(
            sqlite_text(&insert.of_one_row()),
            "insert into t (a, b) values ($1, $2) on conflict do nothing"
        );
    }
}
