//! The layer for kinds of rows, on PostgreSQL.

use async_trait::async_trait;
use bytes::BytesMut;
use jiff::Timestamp;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::PostgresStore;
use super::error::Wrong;
use super::param::{Column, Param};
use super::work::Work;
use crate::StoreError;
use crate::rows::{Insert, Kind, NewRow, Outcome, Row, Transaction, Transactions, Value};

impl Transactions for PostgresStore {
    async fn reading<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Clone + Send + Sync + 'static,
    {
        transaction!(self, read, |transaction| async {
            Ok(work.clone()(&transaction).await?)
        })
    }

    async fn writing<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w dyn Transaction) -> Outcome<'w, T> + Clone + Send + Sync + 'static,
    {
        transaction!(self, write, |transaction| async {
            Ok(work.clone()(&transaction).await?)
        })
    }
}

#[async_trait]
impl Transaction for Work<'_> {
    async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = Work::query(self, sql, &as_params(params)).await;
        let rows = rows.and_then(|rows| rows.iter().map(read).collect());
        rows.map_err(|wrong| wrong.on(self.store()))
    }

    async fn execute(&self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        let changed = Work::execute(self, sql, &as_params(params)).await;
        changed.map_err(|wrong| wrong.on(self.store()))
    }

    async fn insert(&self, insert: &Insert, rows: Vec<NewRow>) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let mut columns: Vec<Column> = insert
            .columns
            .iter()
            .map(|(_, kind)| Column {
                list: list_of(*kind),
                values: Vec::with_capacity(rows.len()),
            })
            .collect();
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.values.push(value);
            }
        }
        let params: Vec<&dyn Param> = columns.iter().map(|column| column as &dyn Param).collect();
        let inserted = Work::execute(self, &insert.of_arrays(), &params).await;
        inserted.map_err(|wrong| wrong.on(self.store()))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        // not `now()`: that stands still while the transaction waits for a lock
        let sql = "select pg_catalog.clock_timestamp()";
        let rows = Transaction::query(self, sql, &[]).await?;
        match rows.first() {
            Some(row) => row.get(0).map_err(|error| self.unreadable(error)),
            None => Err(self.failed("the server did not say its time")),
        }
    }

    fn failed(&self, reason: &str) -> StoreError {
        Wrong::Row(reason.to_owned()).on(self.store())
    }
}

fn as_params(values: &[Value]) -> Vec<&dyn Param> {
    values.iter().map(|value| value as &dyn Param).collect()
}

/// The type of a list of a column's values.
const fn list_of(kind: Kind) -> Type {
    match kind {
        Kind::Int4 => Type::INT4_ARRAY,
        Kind::Int8 => Type::INT8_ARRAY,
        Kind::Text => Type::TEXT_ARRAY,
        Kind::Time => Type::TIMESTAMPTZ_ARRAY,
    }
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
            // its type is the statement's: see `encode_format`
            Self::Int(number) if *column == Type::UNKNOWN => {
                number.to_string().to_sql(&Type::TEXT, out)
            }
            Self::Int(number) => match *column {
                Type::INT4 => i32::try_from(*number)?.to_sql(column, out),
                Type::OID => u32::try_from(*number)?.to_sql(column, out),
                _ => number.to_sql_checked(column, out),
            },
            Self::Text(text) => text.to_sql_checked(column, out),
            Self::Time(at) => at.to_sql_checked(column, out),
            Self::Ids(ids) => ids.to_sql_checked(column, out),
            Self::BigIds(ids) => ids.to_sql_checked(column, out),
            Self::Texts(texts) => texts.to_sql_checked(column, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // what it is decides, value by value
        true
    }

    fn encode_format(&self, column: &Type) -> Format {
        if matches!(self, Self::Int(_)) && *column == Type::UNKNOWN {
            return Format::Text;
        }
        Format::Binary
    }

    to_sql_checked!();
}
