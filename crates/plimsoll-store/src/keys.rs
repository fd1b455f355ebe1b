//! Which instance and database a row belongs to, and which sample writes it.

use crate::rows::{Transaction, Value};
use crate::{DatabaseKey, StoreError};

/// The keys of an instance and one of its databases.
pub(crate) type Keys = (i32, i32);

/// Where the rows of one sample go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) keys: Keys,
    pub(crate) tick: i64,
    /// The server's major version, by which names are quoted.
    pub(crate) major: u32,
}

impl Place {
    /// The parameters that begin every row's key.
    pub(crate) fn params(&self) -> [Value; 2] {
        params(self.keys)
    }
}

/// The parameters that begin every row's key.
pub(crate) fn params(keys: Keys) -> [Value; 2] {
    [keys.0.into(), keys.1.into()]
}

/// The keys of a database that has samples. In two steps, because each table is asked by a parameter.
pub(crate) async fn find(
    work: &dyn Transaction,
    of: &DatabaseKey,
) -> Result<Option<Keys>, StoreError> {
    let sql = "select instance_id from plimsoll.instances where name = $1";
    let instances: Vec<i32> = work
        .read(sql, &[Value::from(&of.instance)], |row| row.get(0))
        .await?;
    let Some(instance) = instances.into_iter().next() else {
        return Ok(None);
    };
    let sql = "select database_id from plimsoll.databases where instance_id = $1 and name = $2";
    let params = [instance.into(), Value::from(&of.database)];
    let databases: Vec<i32> = work.read(sql, &params, |row| row.get(0)).await?;
    Ok(databases
        .into_iter()
        .next()
        .map(|database| (instance, database)))
}
