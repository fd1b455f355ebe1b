//! The reads that the history's questions need, on PostgreSQL.

use jiff::Timestamp;
use plimsoll_core::change::{RelationId, RelationKind, Sizes};
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::TableKind;
use tokio_postgres::Row;

use super::append::sizes;
use super::error::Wrong;
use super::read::{header, instance_name};
use super::work::{Params, Work};
use crate::history::{SeriesQuery, TableName};
use crate::reader::{Compared, Ids, Keys, Reader, Relation, SizeChange, Which};
use crate::rows::Transaction;
use crate::sample::{Step, unsigned};
use crate::series::{Tick, Value};

impl Reader for Work<'_> {
    type Error = Wrong;

    fn rows(&self) -> &dyn Transaction {
        self
    }

    async fn ticks(&self, of: Keys, query: &SeriesQuery) -> Result<Vec<Tick>, Wrong> {
        let kinds: Vec<&str> = query.kinds.iter().map(|kind| kind.as_str()).collect();
        let step_s = query.step.millis() / 1000;
        let rows = match query.step {
            Step::All => {
                self.query(
                    include_str!("reader/ticks_all.sql"),
                    &[&of.0, &of.1, &kinds, &query.since, &query.until],
                )
                .await?
            }
            Step::Hour | Step::Day => {
                self.query(
                    include_str!("reader/ticks.sql"),
                    &[&of.0, &of.1, &kinds, &query.since, &query.until, &step_s],
                )
                .await?
            }
        };
        let rows = rows.iter().map(|row| -> Result<_, Wrong> {
            Ok(Tick {
                tick: row.try_get(0)?,
                sample_id: row.try_get(1)?,
                sampled_at: row.try_get(2)?,
                kind: row
                    .try_get::<_, &str>(3)?
                    .parse()
                    .unwrap_or(SampleKind::Manual),
                total_bytes: row.try_get::<_, Option<i64>>(4)?.map(unsigned),
                is_imported: row.try_get(5)?,
            })
        });
        rows.collect()
    }

    async fn sample_at(
        &self,
        of: Keys,
        at: Timestamp,
    ) -> Result<Option<(SampleHeader, i64, bool)>, Wrong> {
        let last = self
            .optional(include_str!("reader/last_sample.sql"), &[&of.0, &of.1, &at])
            .await?;
        let row = match last {
            Some(row) => Some(row),
            None => {
                self.optional(
                    include_str!("reader/first_sample.sql"),
                    &[&of.0, &of.1, &at],
                )
                .await?
            }
        };
        let Some(row) = row else {
            return Ok(None);
        };
        let instance = instance_name(self, of.0).await?;
        Ok(Some((
            header(&row, &instance)?,
            row.try_get(9)?,
            row.try_get(10)?,
        )))
    }

    async fn relations(&self, of: Keys, which: Which<'_>) -> Result<Vec<Relation>, Wrong> {
        let (instance_id, database_id) = (&of.0, &of.1);
        let rows = match which {
            Which::Named(name) => return self.named(of, name).await,
            Which::Ids(ids) => return self.by_id(of, ids).await,
            Which::IndexesOf(owner) => {
                self.query(
                    include_str!("reader/relations_indexes.sql"),
                    &[instance_id, database_id, &owner],
                )
                .await?
            }
            Which::IndexesOfAny([]) => Vec::new(),
            Which::IndexesOfAny(owners) => {
                self.query(
                    include_str!("reader/relations_indexes_of_any.sql"),
                    &[instance_id, database_id, &owners],
                )
                .await?
            }
            Which::ChildrenOf([]) => Vec::new(),
            Which::ChildrenOf(parents) => {
                self.query(
                    include_str!("reader/relations_children.sql"),
                    &[instance_id, database_id, &parents],
                )
                .await?
            }
            Which::WithParent => {
                self.query(
                    include_str!("reader/relations_with_parent.sql"),
                    &[instance_id, database_id],
                )
                .await?
            }
            Which::InSchema(schema) => {
                self.query(
                    include_str!("reader/relations_in_schema.sql"),
                    &[instance_id, database_id, &schema],
                )
                .await?
            }
            Which::Tables => {
                self.query(
                    include_str!("reader/relations_tables.sql"),
                    &[instance_id, database_id],
                )
                .await?
            }
            Which::After(id, limit) => {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                self.query(
                    include_str!("reader/relations_after.sql"),
                    &[instance_id, database_id, &id, &limit],
                )
                .await?
            }
        };
        rows.iter().map(relation).collect()
    }

    async fn parents(&self, of: Keys) -> Result<Vec<(RelationId, RelationId)>, Wrong> {
        let rows = self
            .query(
                "select relation_id, parent_id from plimsoll.relations
                 where instance_id = $1 and database_id = $2 and parent_id is not null",
                &[&of.0, &of.1],
            )
            .await?;
        let rows = rows.iter();
        rows.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    async fn table_values(&self, of: Keys, ids: Ids<'_>, last: i64) -> Result<Vec<Value>, Wrong> {
        // two statements: planning a list of all tables, in each partition, takes longer than reading them
        let rows = match ids {
            None => {
                self.query(
                    include_str!("reader/table_values.sql"),
                    &[&of.0, &of.1, &last],
                )
                .await?
            }
            Some([]) => Vec::new(),
            Some([id]) => {
                self.query(
                    include_str!("reader/table_values_id.sql"),
                    &[&of.0, &of.1, &last, &id],
                )
                .await?
            }
            Some(ids) => {
                self.query(
                    include_str!("reader/table_values_ids.sql"),
                    &[&of.0, &of.1, &last, &ids],
                )
                .await?
            }
        };
        let rows = rows.iter().map(|row| -> Result<_, Wrong> {
            Ok(Value {
                id: row.try_get(0)?,
                tick: row.try_get(1)?,
                sizes: sizes(row, 2)?,
            })
        });
        let values = rows.collect::<Result<_, _>>()?;
        Ok(if ids.is_some() {
            in_order(values)
        } else {
            values
        })
    }

    async fn index_values(
        &self,
        of: Keys,
        ids: &[RelationId],
        last: i64,
    ) -> Result<Vec<Value>, Wrong> {
        let rows = match ids {
            [] => Vec::new(),
            [id] => {
                self.query(
                    include_str!("reader/index_values_id.sql"),
                    &[&of.0, &of.1, &last, &id],
                )
                .await?
            }
            ids => {
                self.query(
                    include_str!("reader/index_values_ids.sql"),
                    &[&of.0, &of.1, &last, &ids],
                )
                .await?
            }
        };
        let rows = rows.iter().map(|row| -> Result<_, Wrong> {
            Ok(Value {
                id: row.try_get(0)?,
                tick: row.try_get(1)?,
                sizes: index_sizes(row.try_get(2)?),
            })
        });
        Ok(in_order(rows.collect::<Result<_, _>>()?))
    }

    async fn tables_at(
        &self,
        of: Keys,
        tick: Option<i64>,
        kinds: &[TableKind],
    ) -> Result<Vec<(RelationId, Sizes)>, Wrong> {
        let letters = letters(kinds);
        let rows = match tick {
            None => {
                self.query(
                    "select relation_id, heap_bytes, toast_bytes, toast_index_bytes, index_bytes,
                         row_count
                     from plimsoll.relations
                     where instance_id = $1 and database_id = $2 and gone_tick is null
                         and owner_id is null
                         and (cardinality($3::text[]) = 0 or kind = any ($3::text[]))
                     order by relation_id",
                    &[&of.0, &of.1, &letters],
                )
                .await?
            }
            Some(tick) => {
                self.query(
                    include_str!("reader/tables_at.sql"),
                    &[&of.0, &of.1, &letters, &tick],
                )
                .await?
            }
        };
        let rows = rows.iter();
        rows.map(|row| Ok((row.try_get(0)?, sizes(row, 1)?)))
            .collect()
    }

    async fn changed(
        &self,
        of: Keys,
        (from, to): (i64, i64),
        what: Compared<'_>,
    ) -> Result<Vec<SizeChange>, Wrong> {
        let rows = match what {
            Compared::Tables(kinds) => {
                self.query(
                    include_str!("reader/changed_tables.sql"),
                    &[&of.0, &of.1, &from, &to, &letters(kinds)],
                )
                .await?
            }
            Compared::Indexes => {
                self.query(
                    include_str!("reader/changed_indexes.sql"),
                    &[&of.0, &of.1, &from, &to],
                )
                .await?
            }
        };
        let rows = rows.iter().map(|row| -> Result<_, Wrong> {
            Ok(SizeChange {
                id: row.try_get(0)?,
                before_bytes: row.try_get(1)?,
                after_bytes: row.try_get(2)?,
            })
        });
        rows.collect()
    }
}

impl Work<'_> {
    /// The tables that have a name or had it before. Two short statements at once: planning one that finds both takes
    /// longer than either.
    async fn named(&self, of: Keys, name: &TableName) -> Result<Vec<Relation>, Wrong> {
        let params: Params<'_> = &[&of.0, &of.1, &name.table_name, &name.schema_name];
        let (now, before) = tokio::try_join!(biased;
            self.query(include_str!("reader/relations_named.sql"), params),
            self.query(include_str!("reader/relations_once_named.sql"), params),
        )?;
        let mut found: Vec<Relation> = now.iter().map(relation).collect::<Result<_, _>>()?;
        let ids = before.iter().map(|row| row.try_get(0));
        let mut ids: Vec<RelationId> = ids.collect::<Result<_, _>>()?;
        ids.retain(|id| found.iter().all(|relation| relation.id != *id));
        let others = self.by_id(of, &ids).await?;
        found.extend(others.into_iter().filter(|other| other.owner.is_none()));
        Ok(found)
    }

    async fn by_id(&self, of: Keys, ids: &[RelationId]) -> Result<Vec<Relation>, Wrong> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = include_str!("reader/relations_ids.sql");
        let rows = self.query(sql, &[&of.0, &of.1, &ids]).await?;
        rows.iter().map(relation).collect()
    }
}

fn relation(row: &Row) -> Result<Relation, Wrong> {
    Ok(Relation {
        id: row.try_get(0)?,
        kind: RelationKind::from_letter(row.try_get(1)?).unwrap_or(RelationKind::Index),
        owner: row.try_get(2)?,
        schema_name: row.try_get(3)?,
        relation_name: row.try_get(4)?,
        parent: row.try_get(5)?,
        first_tick: row.try_get(6)?,
        gone_tick: row.try_get(7)?,
    })
}

/// Values in the order of ids and ticks. Asked of the server, that order doubles what planning takes: there is an index
/// of each week that might give it.
fn in_order(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_unstable_by_key(|value| (value.id, value.tick));
    values
}

/// The letters of kinds of tables.
fn letters(kinds: &[TableKind]) -> Vec<&'static str> {
    kinds
        .iter()
        .map(|kind| RelationKind::Table(*kind).letter())
        .collect()
}

/// An index's bytes as a point.
fn index_sizes(bytes: Option<i64>) -> Sizes {
    Sizes {
        heap_bytes: bytes.map(unsigned),
        ..Sizes::default()
    }
}
