//! The reads that the history's questions need, on SQLite.

use jiff::Timestamp;
use plimsoll_core::change::{RelationId, RelationKind, Sizes};
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::TableKind;
use rusqlite::{OptionalExtension, Row, ToSql};

use super::append::sizes;
use super::error::Wrong;
use super::read::{HEADER, header};
use super::rows::SqliteTransaction;
use crate::history::SeriesQuery;
use crate::reader::{Compared, Ids, Keys, Reader, Relation, SizeChange, Which};
use crate::rows::Transaction;
use crate::sample::{from_millis, millis, unsigned};
use crate::series::{Tick, Value};

/// Reads on a connection; every future is ready at once.
pub(super) struct SqliteReader<'a>(pub(super) &'a SqliteTransaction);

type ReadResult<T> = Result<T, Wrong>;

impl Reader for SqliteReader<'_> {
    type Error = Wrong;

    fn rows(&self) -> &dyn Transaction {
        self.0
    }

    async fn ticks(&self, of: Keys, query: &SeriesQuery) -> ReadResult<Vec<Tick>> {
        self.read_ticks(of, query)
    }

    async fn sample_at(
        &self,
        of: Keys,
        at: Timestamp,
    ) -> ReadResult<Option<(SampleHeader, i64, bool)>> {
        self.read_sample_at(of, at)
    }

    async fn relations(&self, of: Keys, which: Which<'_>) -> ReadResult<Vec<Relation>> {
        self.read_relations(of, which)
    }

    async fn parents(&self, of: Keys) -> ReadResult<Vec<(RelationId, RelationId)>> {
        self.select(
            "select relation_id, parent_id from relations
             where instance_id = ?1 and database_id = ?2 and parent_id is not null",
            &[&of.0, &of.1],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    async fn table_values(&self, of: Keys, ids: Ids<'_>, last: i64) -> ReadResult<Vec<Value>> {
        let some = "relation_id, tick, heap_bytes, toast_bytes, toast_index_bytes, index_bytes, \
                    row_count from table_values";
        self.values(some, of, ids, last, |row| {
            Ok(Value {
                id: row.get(0)?,
                tick: row.get(1)?,
                sizes: sizes(row, 2)?,
            })
        })
    }

    async fn index_values(
        &self,
        of: Keys,
        ids: &[RelationId],
        last: i64,
    ) -> ReadResult<Vec<Value>> {
        let some = "relation_id, tick, bytes from index_values";
        self.values(some, of, Some(ids), last, |row| {
            Ok(Value {
                id: row.get(0)?,
                tick: row.get(1)?,
                sizes: Sizes {
                    heap_bytes: row.get::<_, Option<i64>>(2)?.map(unsigned),
                    ..Sizes::default()
                },
            })
        })
    }

    async fn tables_at(
        &self,
        of: Keys,
        tick: Option<i64>,
        kinds: &[TableKind],
    ) -> ReadResult<Vec<(RelationId, Sizes)>> {
        self.read_tables_at(of, tick, kinds)
    }

    async fn changed(
        &self,
        of: Keys,
        ticks: (i64, i64),
        what: Compared<'_>,
    ) -> ReadResult<Vec<SizeChange>> {
        self.read_changed(of, ticks, what)
    }
}

impl SqliteReader<'_> {
    fn select<T>(
        &self,
        sql: &str,
        params: &[&dyn ToSql],
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Wrong> {
        let connection = self.0.connection();
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Selects values, `some` of them, of one database.
    fn values(
        &self,
        some: &str,
        (instance_id, database_id): Keys,
        ids: Ids<'_>,
        last: i64,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<Value>,
    ) -> Result<Vec<Value>, Wrong> {
        let base =
            format!("select {some} where instance_id = ?1 and database_id = ?2 and tick <= ?3");
        let order = "order by relation_id, tick";
        match ids {
            None => self.select(
                &format!("{base} {order}"),
                &[&instance_id, &database_id, &last],
                row,
            ),
            Some([]) => Ok(Vec::new()),
            // one look-up, rather than a list of one
            Some([id]) => self.select(
                &format!("{base} and relation_id = ?4 {order}"),
                &[&instance_id, &database_id, &last, id],
                row,
            ),
            Some(ids) => {
                let json = serde_json::to_string(ids).unwrap_or_default();
                self.select(
                    &format!("{base} and relation_id in (select value from json_each(?4)) {order}"),
                    &[&instance_id, &database_id, &last, &json],
                    row,
                )
            }
        }
    }

    fn read_ticks(
        &self,
        (instance_id, database_id): Keys,
        query: &SeriesQuery,
    ) -> Result<Vec<Tick>, Wrong> {
        let kinds = serde_json::to_string(&query.kinds).unwrap_or_default();
        let since = query.since.map_or(i64::MIN, millis);
        let until = query.until.map_or(i64::MAX, millis);
        self.select(
            "select tick, id, sampled_at, kind, total_bytes, method like 'import%' from (
                 select tick, id, sampled_at, kind, total_bytes, method, row_number() over (
                     partition by iif(?6 = 1, id, sampled_at / ?6) order by tick desc) as place
                 from samples
                 where instance_id = ?1 and database_id = ?2 and sampled_at between ?4 and ?5
                     and (?3 = '[]' or kind in (select value from json_each(?3))))
             where place = 1 order by tick",
            &[
                &instance_id,
                &database_id,
                &kinds,
                &since,
                &until,
                &query.step.millis(),
            ],
            |row| {
                Ok(Tick {
                    tick: row.get(0)?,
                    sample_id: row.get(1)?,
                    sampled_at: from_millis(row.get(2)?),
                    kind: row
                        .get_ref(3)?
                        .as_str()?
                        .parse()
                        .unwrap_or(SampleKind::Manual),
                    total_bytes: row.get::<_, Option<i64>>(4)?.map(unsigned),
                    is_imported: row.get(5)?,
                })
            },
        )
    }

    fn read_sample_at(
        &self,
        (instance_id, database_id): Keys,
        at: Timestamp,
    ) -> Result<Option<(SampleHeader, i64, bool)>, Wrong> {
        let found = |condition: &str, order: &str, at: i64| {
            let sql = format!(
                "{} where s.instance_id = ?1 and s.database_id = ?2 and {condition}
                 order by s.tick {order} limit 1",
                HEADER.replace(
                    "s.unread_count",
                    "s.unread_count, s.tick, s.tick = d.last_tick"
                )
            );
            self.0
                .connection()
                .prepare_cached(&sql)?
                .query_row((instance_id, database_id, at), |row| {
                    Ok((header(row)?, row.get(10)?, row.get(11)?))
                })
                .optional()
        };
        let last = found("s.sampled_at <= ?3", "desc", millis(at))?;
        Ok(match last {
            Some(sample) => Some(sample),
            None => found("s.sampled_at > ?3", "asc", millis(at))?,
        })
    }

    fn read_relations(
        &self,
        (instance_id, database_id): Keys,
        which: Which<'_>,
    ) -> Result<Vec<Relation>, Wrong> {
        let base = "select relation_id, kind, owner_id, schema_name, relation_name, parent_id, \
                    first_tick, gone_tick from relations as r \
                    where instance_id = ?1 and database_id = ?2";
        let list;
        let most;
        let (condition, params): (&str, Vec<&dyn ToSql>) = match &which {
            Which::Named(name) => (
                "and (relation_id in (
                         select relation_id from relations indexed by relations_by_name
                         where instance_id = ?1 and database_id = ?2
                             and owner_id is null and relation_name = ?3 and schema_name = ?4
                         union select relation_id from former_names
                         where instance_id = ?1 and database_id = ?2 and relation_name = ?3
                             and schema_name = ?4))
                     and owner_id is null",
                vec![&name.table_name, &name.schema_name],
            ),
            Which::Ids(ids) => {
                list = serde_json::to_string(ids).unwrap_or_default();
                ("and relation_id in (select value from json_each(?3))", vec![&list])
            }
            Which::IndexesOf(owner) => (
                // by itself SQLite passes over all relations of the database
                "and relation_id in (
                     select relation_id from relations indexed by indexes_by_owner
                     where instance_id = ?1 and database_id = ?2 and owner_id = ?3)",
                vec![owner],
            ),
            Which::IndexesOfAny(owners) => {
                list = serde_json::to_string(owners).unwrap_or_default();
                (
                    "and relation_id in (
                         select relation_id from relations indexed by indexes_by_owner
                         where instance_id = ?1 and database_id = ?2
                             and owner_id in (select value from json_each(?3)))",
                    vec![&list],
                )
            }
            Which::ChildrenOf(parents) => {
                list = serde_json::to_string(parents).unwrap_or_default();
                (
                    "and relation_id in (
                         select relation_id from relations indexed by relations_by_parent
                         where instance_id = ?1 and database_id = ?2 and parent_id is not null
                             and parent_id in (select value from json_each(?3)))",
                    vec![&list],
                )
            }
            Which::WithParent => (
                "and (relation_id in (
                         select relation_id from relations where instance_id = ?1 and database_id = ?2
                             and parent_id is not null
                         union select relation_id from former_names
                         where instance_id = ?1 and database_id = ?2 and parent_id is not null))",
                Vec::new(),
            ),
            Which::InSchema(schema) => (
                "and owner_id is null and kind <> 'p' and (schema_name = ?3 or relation_id in (
                     select relation_id from former_names
                     where instance_id = ?1 and database_id = ?2 and schema_name = ?3))",
                vec![schema],
            ),
            Which::Tables => ("and owner_id is null", Vec::new()),
            Which::After(id, limit) => {
                most = i64::try_from(*limit).unwrap_or(i64::MAX);
                ("and owner_id is null and relation_id > ?3 order by relation_id limit ?4",
                    vec![id, &most])
            }
        };
        let params: Vec<&dyn ToSql> = [&instance_id as &dyn ToSql, &database_id]
            .into_iter()
            .chain(params)
            .collect();
        self.select(&format!("{base} {condition}"), &params, |row| {
            Ok(Relation {
                id: row.get(0)?,
                kind: RelationKind::from_letter(row.get_ref(1)?.as_str()?)
                    .unwrap_or(RelationKind::Index),
                owner: row.get(2)?,
                schema_name: row.get(3)?,
                relation_name: row.get(4)?,
                parent: row.get(5)?,
                first_tick: row.get(6)?,
                gone_tick: row.get(7)?,
            })
        })
    }

    fn read_tables_at(
        &self,
        (instance_id, database_id): Keys,
        tick: Option<i64>,
        kinds: &[TableKind],
    ) -> Result<Vec<(RelationId, Sizes)>, Wrong> {
        let letters = letters(kinds);
        let row = |row: &Row<'_>| Ok((row.get(0)?, sizes(row, 1)?));
        let of_kind = "r.owner_id is null
             and (?3 = '[]' or r.kind in (select value from json_each(?3)))";
        match tick {
            None => self.select(
                &format!(
                    "select relation_id, heap_bytes, toast_bytes, toast_index_bytes, index_bytes,
                         row_count
                     from relations as r
                     where instance_id = ?1 and database_id = ?2 and gone_tick is null and {of_kind}
                     order by relation_id"
                ),
                &[&instance_id, &database_id, &letters],
                row,
            ),
            Some(tick) => self.select(
                &format!(
                    "select r.relation_id, v.heap_bytes, v.toast_bytes, v.toast_index_bytes,
                         v.index_bytes, v.row_count
                     from relations as r
                     left join table_values as v on v.instance_id = ?1 and v.database_id = ?2
                         and v.relation_id = r.relation_id and v.tick = (
                             select max(l.tick) from table_values as l
                             where l.instance_id = ?1 and l.database_id = ?2
                                 and l.relation_id = r.relation_id and l.tick <= ?4)
                     where r.instance_id = ?1 and r.database_id = ?2 and r.first_tick <= ?4
                         and (r.gone_tick is null or r.gone_tick > ?4) and {of_kind}
                     order by r.relation_id"
                ),
                &[&instance_id, &database_id, &letters, &tick],
                row,
            ),
        }
    }

    fn read_changed(
        &self,
        (instance_id, database_id): Keys,
        (from, to): (i64, i64),
        what: Compared<'_>,
    ) -> Result<Vec<SizeChange>, Wrong> {
        let (sql, letters) = match what {
            Compared::Tables(kinds) => (include_str!("reader/changed_tables.sql"), letters(kinds)),
            Compared::Indexes => (include_str!("reader/changed_indexes.sql"), String::new()),
        };
        let mut params: Vec<&dyn ToSql> = vec![&instance_id, &database_id, &from, &to];
        if matches!(what, Compared::Tables(_)) {
            params.push(&letters);
        }
        self.select(sql, &params, |row| {
            Ok(SizeChange {
                id: row.get(0)?,
                before_bytes: row.get(1)?,
                after_bytes: row.get(2)?,
            })
        })
    }
}

/// The letters of kinds of tables, as a JSON array.
fn letters(kinds: &[TableKind]) -> String {
    let letters: Vec<&str> = kinds
        .iter()
        .map(|kind| RelationKind::Table(*kind).letter())
        .collect();
    serde_json::to_string(&letters).unwrap_or_default()
}
