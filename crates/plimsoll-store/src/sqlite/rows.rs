//! The layer for kinds of rows, on SQLite.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::SqliteStore;
use super::error::Wrong;
use crate::StoreError;
use crate::rows::{Insert, NewRow, Outcome, Row, Transaction, Transactions, Value, sqlite_text};
use crate::sample::millis;

/// One transaction. The mutex is nobody else's: it makes the connection one that may be lent to a
/// future.
pub(super) struct SqliteTransaction {
    connection: Mutex<Connection>,
    store: String,
}

impl Transactions for SqliteStore {
    async fn reading<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Clone + Send + Sync + 'static,
    {
        self.read(|transaction| wait(work(transaction))).await
    }

    async fn writing<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Clone + Send + Sync + 'static,
    {
        self.write(|transaction| wait(work(transaction))).await
    }
}

/// What a future comes to whose statements never wait for anything but this thread.
pub(super) fn wait<T, E: Into<Wrong>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Wrong> {
    match work.now_or_never() {
        Some(result) => result.map_err(Into::into),
        None => Err(Wrong::Waited),
    }
}

impl SqliteTransaction {
    /// Runs `work` between a statement that begins and `commit`, and gives the connection back.
    pub(super) fn run<T>(
        connection: Connection,
        store: String,
        begin: &str,
        work: impl FnOnce(&Self) -> Result<T, Wrong>,
    ) -> (Connection, Result<T, Wrong>) {
        if let Err(error) = connection.execute_batch(begin) {
            return (connection, Err(error.into()));
        }
        let transaction = Self {
            connection: Mutex::new(connection),
            store,
        };
        let result = work(&transaction);
        let connection = transaction.connection;
        let connection = connection
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let result = result.and_then(|value| {
            connection.execute_batch("commit")?;
            Ok(value)
        });
        (connection, result)
    }

    /// For statements that are SQLite's own; nothing else may be asked of the transaction meanwhile.
    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Wrong>) -> Result<T, StoreError> {
        work(&self.connection()).map_err(|wrong| wrong.on(std::path::Path::new(&self.store)))
    }
}

#[async_trait]
impl Transaction for SqliteTransaction {
    async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&sqlite_text(sql))?;
            bind(&mut statement, params)?;
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            let mut read = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|at| Ok(value(row.get_ref(at)?)));
                read.push(Row(values.collect::<Result<_, Wrong>>()?));
            }
            Ok(read)
        })
    }

    async fn execute(&self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&sqlite_text(sql))?;
            bind(&mut statement, params)?;
            Ok(statement.raw_execute()? as u64)
        })
    }

    async fn insert(&self, insert: &Insert, rows: Vec<NewRow>) -> Result<u64, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&sqlite_text(&insert.of_one_row()))?;
            let mut inserted = 0;
            for row in &rows {
                bind(&mut statement, row)?;
                inserted += statement.raw_execute()? as u64;
            }
            Ok(inserted)
        })
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::now())
    }

    fn failed(&self, reason: &str) -> StoreError {
        StoreError::Failed {
            store: self.store.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// SQLite takes `$1` for a name.
fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    for (number, value) in (1..).zip(params) {
        if let Some(at) = statement.parameter_index(&format!("${number}"))? {
            statement.raw_bind_parameter(at, value)?;
        }
    }
    Ok(())
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Text(number.to_string()),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Bool(is_so) => ToSqlOutput::Borrowed(ValueRef::Integer((*is_so).into())),
            Self::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Time(at) => ToSqlOutput::Borrowed(ValueRef::Integer(millis(*at))),
            Self::Ids(ids) => json(ids),
            Self::BigIds(ids) => json(ids),
            Self::Texts(texts) => json(texts),
        })
    }
}

fn json(list: &impl serde::Serialize) -> ToSqlOutput<'static> {
    // numbers and texts: cannot fail
    ToSqlOutput::from(serde_json::to_string(list).unwrap_or_default())
}
