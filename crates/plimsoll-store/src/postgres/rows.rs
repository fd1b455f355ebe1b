//! The layer for kinds of rows, on PostgreSQL.

use async_trait::async_trait;
use bytes::BytesMut;
use jiff::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::PostgresStore;
use super::error::Wrong;
use super::pool::{Work, get};
use crate::StoreError;
use crate::rows::{Outcome, Row, Transaction, Transactions, Value};

/// One transaction on the store of this name.
struct PostgresTransaction<'a> {
    work: Work<'a>,
    store: &'a str,
}

impl Transactions for PostgresStore {
    async fn reading<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Send + 'static,
    {
        let on = |wrong: Wrong| wrong.on(&self.name);
        let mut connection = get(&self.pool).await.map_err(on)?;
        let transaction = PostgresTransaction {
            work: connection.read().await.map_err(on)?,
            store: &self.name,
        };
        let value = work(&transaction).await?;
        transaction.work.commit().await.map_err(on)?;
        Ok(value)
    }

    async fn writing<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Send + 'static,
    {
        let on = |wrong: Wrong| wrong.on(&self.name);
        let mut connection = get(&self.pool).await.map_err(on)?;
        let transaction = PostgresTransaction {
            work: connection.write().await.map_err(on)?,
            store: &self.name,
        };
        let value = work(&transaction).await?;
        transaction.work.commit().await.map_err(on)?;
        Ok(value)
    }
}

#[async_trait]
impl Transaction for PostgresTransaction<'_> {
    async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = self.work.query(sql, &as_params(params)).await;
        let rows = rows.map_err(|wrong| wrong.on(self.store))?;
        rows.iter()
            .map(|row| read(row).map_err(|wrong| wrong.on(self.store)))
            .collect()
    }

    async fn execute(&self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        let changed = self.work.execute(sql, &as_params(params)).await;
        changed.map_err(|wrong| wrong.on(self.store))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        // not `now()`: that stands still while the transaction waits for a lock
        let rows = self
            .query("select pg_catalog.clock_timestamp()", &[])
            .await?;
        match rows.first() {
            Some(row) => row.get(0).map_err(|error| self.unreadable(error)),
            None => Err(self.failed("the server did not say its time")),
        }
    }

    fn failed(&self, reason: &str) -> StoreError {
        Wrong::Row(reason.to_owned()).on(self.store)
    }
}

fn as_params(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

fn read(row: &tokio_postgres::Row) -> Result<Row, Wrong> {
    let values = (0..row.len()).map(|at| row.try_get::<_, Value>(at));
    Ok(Row(values.collect::<Result<_, _>>()?))
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(
        column: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *column {
            Type::BOOL => Self::Bool(bool::from_sql(column, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(column, raw)?.into()),
            Type::OID => Self::Int(u32::from_sql(column, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(column, raw)?),
            Type::TIMESTAMPTZ => Self::Time(Timestamp::from_sql(column, raw)?),
            _ => Self::Text(String::from_sql(column, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(column: &Type) -> bool {
        let known = [
            Type::BOOL,
            Type::INT4,
            Type::OID,
            Type::INT8,
            Type::TIMESTAMPTZ,
        ];
        known.contains(column) || <String as FromSql>::accepts(column)
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        column: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(is_so) => is_so.to_sql_checked(column, out),
            Self::Int(number) => match *column {
                Type::INT4 => i32::try_from(*number)?.to_sql(column, out),
                Type::OID => u32::try_from(*number)?.to_sql(column, out),
                _ => number.to_sql_checked(column, out),
            },
            Self::Text(text) => text.to_sql_checked(column, out),
            Self::Time(at) => at.to_sql_checked(column, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // what it is decides, value by value
        true
    }

    to_sql_checked!();
}
