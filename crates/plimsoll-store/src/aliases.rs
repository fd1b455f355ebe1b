//! Aliases: names by which databases are asked for that have another name, behind a pooler.

use async_trait::async_trait;

use crate::rows::{Transactions, Value};
use crate::{DatabaseKey, StoreError};

/// Which database a pooler's alias leads to.
#[async_trait]
pub trait Aliases: Send + Sync {
    /// Every alias, and the name of the database that it led to at the last visit.
    async fn aliases(&self) -> Result<Vec<(DatabaseKey, String)>, StoreError>;

    /// Keeps where an alias leads. What was imported under it goes on under the database's own name, unless that has a
    /// history.
    async fn keep_alias(&self, alias: &DatabaseKey, database: &str) -> Result<(), StoreError>;
}

#[async_trait]
impl<S: Transactions> Aliases for S {
    async fn aliases(&self) -> Result<Vec<(DatabaseKey, String)>, StoreError> {
        self.reading(|work| {
            Box::pin(async move {
                let sql = "select instance, alias, database from plimsoll.aliases
                           order by instance collate \"C\", alias collate \"C\"";
                work.read(sql, &[], |row| {
                    let alias = DatabaseKey {
                        instance: row.get(0)?,
                        database: row.get(1)?,
                    };
                    Ok((alias, row.get(2)?))
                })
                .await
            })
        })
        .await
    }

    async fn keep_alias(&self, alias: &DatabaseKey, database: &str) -> Result<(), StoreError> {
        let (alias, database) = (alias.clone(), database.to_owned());
        self.writing(move |work| {
            Box::pin(async move {
                let [instance, name] = [&alias.instance, &alias.database].map(Value::from);
                let database = Value::from(&database);
                let sql = "delete from plimsoll.aliases where instance = $1 and alias = $2";
                work.execute(sql, &[instance.clone(), name.clone()]).await?;
                let sql = "insert into plimsoll.aliases (instance, alias, database) values ($1, $2, $3)";
                let params = [instance.clone(), name.clone(), database.clone()];
                work.execute(sql, &params).await?;
                let sql = "select instance_id from plimsoll.instances where name = $1";
                let ids: Vec<i32> = work.read(sql, &[instance], |row| row.get(0)).await?;
                let Some(id) = ids.into_iter().next() else {
                    return Ok(());
                };
                let sql = "select database_id from plimsoll.databases where instance_id = $1 and name = $2";
                let own: Vec<i32> = work
                    .read(sql, &[id.into(), database.clone()], |row| row.get(0))
                    .await?;
                if own.is_empty() {
                    // what was measured under the name is of a database that has it
                    let sql = "update plimsoll.databases set name = $3
                               where instance_id = $1 and name = $2 and oid = 0";
                    work.execute(sql, &[id.into(), name, database]).await?;
                }
                Ok(())
            })
        })
        .await
    }
}
