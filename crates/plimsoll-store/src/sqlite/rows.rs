//! The layer for kinds of rows, on SQLite.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::SqliteStore;
use super::error::Wrong;
use super::file::Access;
use crate::StoreError;
use crate::rows::{Outcome, Row, Transaction, Transactions, Value, sqlite_text};
use crate::sample::millis;

/// One transaction on the store of this name. The mutex is nobody else's: it makes the connection one
/// that may be lent to a future.
struct SqliteTransaction {
    connection: Mutex<Connection>,
    store: String,
}

impl Transactions for SqliteStore {
    async fn reading<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Send + 'static,
    {
        self.rows(Access::Read, "begin", work).await
    }

    async fn writing<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Send + 'static,
    {
        self.rows(Access::Write, "begin immediate", work).await
    }
}

impl SqliteStore {
    async fn rows<T, F>(
        &self,
        access: Access,
        begin: &'static str,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Send + 'static,
    {
        let file = std::sync::Arc::clone(&self.file);
        let result = tokio::task::spawn_blocking(move || {
            let store = file.name();
            let result = file.with_own(access, |connection| {
                if let Err(error) = connection.execute_batch(begin) {
                    return (connection, Err(Wrong::from(error).on(&file.path)));
                }
                let transaction = SqliteTransaction {
                    connection: Mutex::new(connection),
                    store: store.clone(),
                };
                // its statements never wait for anything but this thread
                let mut result = work(&transaction).now_or_never().unwrap_or_else(|| {
                    Err(StoreError::Failed {
                        store,
                        reason: "a transaction on a file waited for something else".to_owned(),
                    })
                });
                let connection = transaction.connection;
                let connection = connection
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner);
                if result.is_ok()
                    && let Err(error) = connection.execute_batch("commit")
                {
                    result = Err(Wrong::from(error).on(&file.path));
                }
                (connection, result)
            });
            result.map_err(|wrong| wrong.on(&file.path))?
        })
        .await;
        result.unwrap_or_else(|panic| self.panicked(&panic))
    }
}

impl SqliteTransaction {
    fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Wrong>) -> Result<T, StoreError> {
        let connection = self.connection.lock();
        work(&connection.unwrap_or_else(PoisonError::into_inner))
            .map_err(|wrong| wrong.on(std::path::Path::new(&self.store)))
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
        })
    }
}
