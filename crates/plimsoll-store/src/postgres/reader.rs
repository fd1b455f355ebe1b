//! The reads that the history's questions need, on PostgreSQL.

use jiff::Timestamp;
use plimsoll_core::change::{Event, EventKind, RelationId, RelationKind, Sizes};
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::TableKind;

use super::append::sizes;
use super::error::Wrong;
use super::pool::Work;
use super::read::header;
use crate::history::SeriesQuery;
use crate::reader::{
    Changed, Compared, FormerName, Ids, Keys, Reader, Relation, UnreadPart, Which,
};
use crate::sample::unsigned;
use crate::series::{Interval, Tick, Value};

impl Reader for Work<'_> {
    type Error = Wrong;

    async fn ticks(&self, of: Keys, query: &SeriesQuery) -> Result<Vec<Tick>, Wrong> {
        let kinds: Vec<&str> = query.kinds.iter().map(|kind| kind.as_str()).collect();
        let step_s = query.step.millis() / 1000;
        let rows = self
            .query(
                include_str!("reader/ticks.sql"),
                &[&of.0, &of.1, &kinds, &query.since, &query.until, &step_s],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Tick {
                tick: row.get(0),
                sample_id: row.get(1),
                sampled_at: row.get(2),
                kind: row.get::<_, &str>(3).parse().unwrap_or(SampleKind::Manual),
                total_bytes: unsigned(row.get(4)),
            })
            .collect())
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
        Ok(row.map(|row| (header(&row), row.get(8), row.get(9))))
    }

    async fn relations(&self, of: Keys, which: Which<'_>) -> Result<Vec<Relation>, Wrong> {
        let (instance_id, database_id) = (&of.0, &of.1);
        let rows = match which {
            Which::Named(name) => {
                self.query(
                    include_str!("reader/relations_named.sql"),
                    &[
                        instance_id,
                        database_id,
                        &name.table_name,
                        &name.schema_name,
                    ],
                )
                .await?
            }
            Which::Ids([]) => Vec::new(),
            Which::Ids(ids) => {
                self.query(
                    include_str!("reader/relations_ids.sql"),
                    &[instance_id, database_id, &ids],
                )
                .await?
            }
            Which::IndexesOf(owner) => {
                self.query(
                    include_str!("reader/relations_indexes.sql"),
                    &[instance_id, database_id, &owner],
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
        Ok(rows
            .iter()
            .map(|row| Relation {
                id: row.get(0),
                kind: RelationKind::from_letter(row.get(1)).unwrap_or(RelationKind::Index),
                owner: row.get(2),
                schema_name: row.get(3),
                relation_name: row.get(4),
                parent: row.get(5),
                first_tick: row.get(6),
                gone_tick: row.get(7),
            })
            .collect())
    }

    async fn parents(&self, of: Keys) -> Result<Vec<(RelationId, RelationId)>, Wrong> {
        let rows = self
            .query(
                "select relation_id, parent_id from plimsoll.relations
                 where instance_id = $1 and database_id = $2 and parent_id is not null",
                &[&of.0, &of.1],
            )
            .await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn former(&self, of: Keys, ids: Ids<'_>) -> Result<Vec<FormerName>, Wrong> {
        let rows = self
            .query(
                "select relation_id, until_tick, schema_name, relation_name, parent_id
                 from plimsoll.former_names
                 where instance_id = $1 and database_id = $2
                     and ($3::integer[] is null or relation_id = any ($3))
                 order by relation_id, until_tick",
                &[&of.0, &of.1, &ids],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| FormerName {
                id: row.get(0),
                until: row.get(1),
                schema_name: row.get(2),
                relation_name: row.get(3),
                parent: row.get(4),
            })
            .collect())
    }

    async fn table_values(&self, of: Keys, ids: &[RelationId]) -> Result<Vec<Value>, Wrong> {
        let rows = self
            .query(
                "select relation_id, tick, heap_bytes, toast_bytes, toast_index_bytes, index_bytes,
                     row_count
                 from plimsoll.table_values
                 where instance_id = $1 and database_id = $2 and relation_id = any ($3)
                 order by relation_id, tick",
                &[&of.0, &of.1, &ids],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Value {
                id: row.get(0),
                tick: row.get(1),
                sizes: sizes(row, 2),
            })
            .collect())
    }

    async fn index_values(&self, of: Keys, ids: &[RelationId]) -> Result<Vec<Value>, Wrong> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .query(
                "select relation_id, tick, bytes from plimsoll.index_values
                 where instance_id = $1 and database_id = $2 and relation_id = any ($3)
                 order by relation_id, tick",
                &[&of.0, &of.1, &ids],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Value {
                id: row.get(0),
                tick: row.get(1),
                sizes: index_sizes(row.get(2)),
            })
            .collect())
    }

    async fn unread(&self, of: Keys, ids: Ids<'_>) -> Result<Vec<UnreadPart>, Wrong> {
        let rows = self
            .query(
                "select relation_id, from_tick, until_tick, last_good_at from plimsoll.unread
                 where instance_id = $1 and database_id = $2
                     and ($3::integer[] is null or relation_id = any ($3))",
                &[&of.0, &of.1, &ids],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| UnreadPart {
                id: row.get(0),
                interval: Interval {
                    from: row.get(1),
                    until: row.get::<_, Option<i64>>(2).unwrap_or(i64::MAX),
                },
                last_good_at: row.get(3),
            })
            .collect())
    }

    async fn events(&self, of: Keys, ids: Ids<'_>) -> Result<Vec<Event>, Wrong> {
        let rows = self
            .query(
                "select relation_id, kind, from_at, to_at, bytes_before, bytes_after, detail
                 from plimsoll.events
                 where instance_id = $1 and database_id = $2
                     and ($3::integer[] is null or relation_id = any ($3))
                 order by tick, event_id",
                &[&of.0, &of.1, &ids],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Event {
                relation: row.get(0),
                kind: row.get::<_, &str>(1).parse().unwrap_or(EventKind::Rewrite),
                from: row.get(2),
                to: row.get(3),
                bytes_before: row.get::<_, Option<i64>>(4).map(unsigned),
                bytes_after: row.get::<_, Option<i64>>(5).map(unsigned),
                detail: row.get(6),
            })
            .collect())
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
        Ok(rows.iter().map(|row| (row.get(0), sizes(row, 1))).collect())
    }

    async fn changed(
        &self,
        of: Keys,
        (from, to): (i64, i64),
        what: Compared<'_>,
    ) -> Result<Vec<Changed>, Wrong> {
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
        Ok(rows
            .iter()
            .map(|row| Changed {
                id: row.get(0),
                before_bytes: row.get(1),
                after_bytes: row.get(2),
            })
            .collect())
    }
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
