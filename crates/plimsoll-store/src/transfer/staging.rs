//! Sorts sizes that come in any order in a temporary file, and makes a history of them.

mod indexes;
mod out;
mod owners;
mod relation;

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt as _;

use plimsoll_core::sample::SampleKind;
use plimsoll_input::Kind;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use tokio::sync::mpsc::Sender;

use self::out::Out;
pub use self::owners::Relations;
use self::owners::owners;
use self::relation::{NO_SIZES, Relation};
use super::row::{DatabaseRow, FORMAT, IMPORT, PGHERO, Row, SampleRow, SizesRow, TableValueRow};
use super::{ImportProgress, TransferError};
use crate::DatabaseKey;
use crate::sample::from_millis;

/// So much of a series' name tells it from others.
const NAME_LENGTH: usize = 100;

/// One relation's size at one time, as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportedSize {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) schema: String,
    pub(super) relation: String,
    pub(super) bytes: i64,
}

/// What became of a size that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    New,
    /// It was there already.
    Again,
    /// Another size was there already.
    Otherwise(i64),
}

/// Sizes on their way to a history.
#[derive(Debug)]
pub(super) struct Staging {
    sorted: Connection,
    kind: Kind,
    /// Of one size over time, what the file calls it.
    name: Option<String>,
    _folder: TempDir,
}

impl Staging {
    pub(super) fn new(kind: Kind) -> Result<Self, TransferError> {
        // others of this machine have no business with the names and sizes in it
        let folder = tempfile::Builder::new()
            .prefix("plimsoll-import-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()?;
        let sorted = Connection::open(folder.path().join("sizes.db"))?;
        // it is gone after a crash anyway; one transaction as long as it lives
        sorted.execute_batch(
            "pragma journal_mode = off; pragma synchronous = off; begin;
             create table seen (
                 schema text not null, relation text not null, at integer not null,
                 bytes integer not null, primary key (schema, relation, at)
             ) without rowid;
             create table totals (at integer primary key, bytes integer not null);
             create table spoiled (at integer primary key);
             create table times (at integer primary key, tick integer not null);
             create table relations (
                 id integer primary key, schema text not null, relation text not null, owner integer
             );
             create table points (id integer, tick integer, heap integer, indexes integer)",
        )?;
        Ok(Self {
            sorted,
            kind,
            name: None,
            _folder: folder,
        })
    }

    pub(super) fn add(&self, seen: &ImportedSize) -> Result<Added, TransferError> {
        let ImportedSize {
            at,
            schema,
            relation,
            bytes,
        } = seen;
        let added = self
            .sorted
            .prepare_cached(
                "insert or ignore into seen (schema, relation, at, bytes) values (?1, ?2, ?3, ?4)",
            )?
            .execute(params![schema, relation, at, bytes])?;
        if added > 0 {
            return Ok(Added::New);
        }
        let there: i64 = self
            .sorted
            .prepare_cached(
                "select bytes from seen where schema = ?1 and relation = ?2 and at = ?3",
            )?
            .query_row(params![schema, relation, at], |row| row.get(0))?;
        Ok(if there == *bytes {
            Added::Again
        } else {
            Added::Otherwise(there)
        })
    }

    /// Adds the size of all, of which nobody says what it is made of.
    pub(super) fn add_total(&self, at: i64, bytes: i64) -> Result<(), TransferError> {
        self.sorted
            .prepare_cached("insert or replace into totals (at, bytes) values (?1, ?2)")?
            .execute([at, bytes])?;
        Ok(())
    }

    /// Notes what the file calls the size of all.
    pub(super) fn call(&mut self, name: &str) {
        self.name = Some(
            name.chars()
                .filter(|c| *c != '\0')
                .take(NAME_LENGTH)
                .collect(),
        );
    }

    /// What measured, as far as a file says: where that changes, so may what is covered.
    fn method(&self) -> String {
        match (self.kind, &self.name) {
            (Kind::PgHero, _) => PGHERO.to_owned(),
            (Kind::Tables, _) => format!("{IMPORT} tables"),
            (Kind::Series, name) => format!("{IMPORT} {}", name.as_deref().unwrap_or("series")),
        }
    }

    /// Tables and indexes mixed, and every sample whole.
    fn is_pghero(&self) -> bool {
        self.kind == Kind::PgHero
    }

    /// Leaves out the sample of this time.
    pub(super) fn spoil(&self, at: i64) -> Result<(), TransferError> {
        self.sorted
            .execute("insert or ignore into spoiled (at) values (?1)", [at])?;
        Ok(())
    }

    /// Whether there is anything to make a history of.
    pub(super) fn check(&self) -> Result<(), TransferError> {
        let sql = "select exists (select 1 from seen where at not in (select at from spoiled))
                       or exists (select 1 from totals)";
        if self.sorted.query_row(sql, [], |row| row.get(0))? {
            return Ok(());
        }
        Err(TransferError::Nothing(
            "no line has a size that can be used".to_owned(),
        ))
    }

    /// Sends the history as rows of database `of`; `known` is what is known of its relations.
    pub(super) fn emit(
        self,
        of: &DatabaseKey,
        known: &Relations,
        progress: &ImportProgress,
        to: &Sender<Vec<Row>>,
    ) -> Result<(), TransferError> {
        self.sorted
            .execute("delete from seen where at in (select at from spoiled)", [])?;
        progress.check()?;
        let times = self.times()?;
        let (Some(&(_, first_tick)), Some(&(_, last_tick))) = (times.first(), times.last()) else {
            return self.check();
        };
        if self.is_pghero() {
            self.drop_sizes_of_vanished_tables()?;
        }
        let mut relations = self.relations(known, &times)?;
        progress.check()?;
        let changes = self.points(&mut relations)?;
        progress.check()?;
        relations.retain(|_, relation| relation.first_tick != i64::MAX);
        let mut out = Out::new(to, progress);
        let last_id = relations.keys().max().copied().unwrap_or(0);
        out.send(Row::Database(DatabaseRow {
            format: FORMAT,
            instance: of.instance.clone(),
            database: of.database.clone(),
            oid: 0,
            system_identifier: None,
            timeline: None,
            in_recovery: false,
            server_version_num: 0,
            stats_reset_at: None,
            first_tick,
            last_tick,
            next_relation: last_id + 1,
        }));
        let mut ids: Vec<_> = relations.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            out.send(Row::Relation(relations[&id].row(id)));
        }
        self.samples(&times, &changes, &mut out)?;
        self.table_values(&mut out)?;
        self.index_values(&relations, &mut out)?;
        out.finish()
    }

    /// The samples' times with their ticks, oldest first.
    fn times(&self) -> Result<Vec<(i64, i64)>, TransferError> {
        let mut statement = self
            .sorted
            .prepare("select at from seen union select at from totals order by at")?;
        let mut times: Vec<(i64, i64)> = Vec::new();
        for at in statement.query_map([], |row| row.get(0))? {
            let at: i64 = at?;
            let second = at.div_euclid(1000);
            let tick = times.last().map_or(second, |last| second.max(last.1 + 1));
            times.push((at, tick));
        }
        let mut add = self
            .sorted
            .prepare("insert into times (at, tick) values (?1, ?2)")?;
        for time in &times {
            add.execute(*time)?;
        }
        Ok(times)
    }

    /// PgHero writes 0 for a table that was dropped while it measured: a size that was none.
    fn drop_sizes_of_vanished_tables(&self) -> Result<(), TransferError> {
        self.sorted.execute(
            "delete from seen as s where s.bytes = 0
                 and s.at < (select max(at) from times)
                 and not exists (
                     select 1 from seen as l
                     where l.schema = s.schema and l.relation = s.relation and l.at > s.at)
                 and exists (
                     select 1 from seen as e
                     where e.schema = s.schema and e.relation = s.relation and e.at < s.at
                         and e.bytes > 0)",
            [],
        )?;
        Ok(())
    }

    /// Numbers the relations, tables first, and finds each index's table.
    fn relations(
        &self,
        known: &Relations,
        times: &[(i64, i64)],
    ) -> Result<HashMap<i32, Relation>, TransferError> {
        let mut statement = self.sorted.prepare(
            "select s.schema, s.relation,
                 (select n.tick from times as n where n.at > s.last order by n.at limit 1)
             from (
                 select schema, relation, max(at) as last from seen group by schema, relation
             ) as s
             order by s.schema, s.relation",
        )?;
        let seen: Vec<(String, String, Option<i64>)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let owners = if self.is_pghero() {
            owners(&seen, known)
        } else {
            HashMap::new()
        };
        let mut ids: HashMap<(&str, &str), i32> = HashMap::new();
        let mut relations = HashMap::new();
        let mut add = self.sorted.prepare(
            "insert into relations (id, schema, relation, owner) values (?1, ?2, ?3, ?4)",
        )?;
        let is_index = |schema: &str, name: &str| owners.contains_key(&(schema, name));
        let tables = seen
            .iter()
            .filter(|(schema, name, _)| !is_index(schema, name));
        let indexes = seen
            .iter()
            .filter(|(schema, name, _)| is_index(schema, name));
        for (id, (schema, name, next)) in (1..).zip(tables.chain(indexes)) {
            let owner = match owners.get(&(&**schema, &**name)) {
                None => None,
                // a table that nobody measured has no series that its index could belong to
                Some(owner) => match ids.get(&(&**schema, *owner)) {
                    Some(&owner) => Some(owner),
                    None => continue,
                },
            };
            ids.insert((schema, name), id);
            add.execute(params![id, schema, name, owner])?;
            let relation = Relation {
                schema: schema.clone(),
                name: name.clone(),
                owner,
                first_tick: i64::MAX,
                // only a tool that measures everything says by silence that a table is gone
                gone_tick: next.filter(|_| self.is_pghero() && times.len() > 1),
                sizes: NO_SIZES,
            };
            relations.insert(id, relation);
        }
        Ok(relations)
    }

    /// Works out the points at which a table changed. Returns what the samples' totals change by:
    /// bytes and tables, by tick.
    fn points(
        &self,
        relations: &mut HashMap<i32, Relation>,
    ) -> Result<BTreeMap<i64, (i64, i64)>, TransferError> {
        let mut statement = self.sorted.prepare(
            "select coalesce(r.owner, r.id), t.tick,
                 max(iif(r.owner is null, s.bytes, null)),
                 coalesce(sum(iif(r.owner is null, null, s.bytes)), 0)
             from relations as r
             join seen as s on s.schema = r.schema and s.relation = r.relation
             join times as t on t.at = s.at
             group by 1, 2 order by 1, 2",
        )?;
        let mut add = self
            .sorted
            .prepare("insert into points (id, tick, heap, indexes) values (?1, ?2, ?3, ?4)")?;
        let mut changes: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, tick): (i32, i64) = (row.get(0)?, row.get(1)?);
            let (heap, indexes): (Option<i64>, i64) = (row.get(2)?, row.get(3)?);
            let Some(relation) = relations.get_mut(&id) else {
                continue;
            };
            let Some(heap) = heap.or(relation.sizes.heap_bytes) else {
                continue;
            };
            if relation.gone_tick.is_some_and(|gone| tick >= gone) {
                continue;
            }
            let was = relation.sizes;
            let is_first = was.heap_bytes.is_none();
            if !is_first && was.heap_bytes == Some(heap) && was.index_bytes == indexes {
                continue;
            }
            let change = changes.entry(tick).or_default();
            change.0 += heap + indexes - was.heap_bytes.unwrap_or(0) - was.index_bytes;
            change.1 += i64::from(is_first);
            relation.first_tick = relation.first_tick.min(tick);
            relation.sizes.heap_bytes = Some(heap);
            relation.sizes.index_bytes = indexes;
            add.execute((id, tick, heap, indexes))?;
        }
        for relation in relations.values() {
            if let (Some(gone), Some(heap), None) = (
                relation.gone_tick,
                relation.sizes.heap_bytes,
                relation.owner,
            ) {
                let change = changes.entry(gone).or_default();
                change.0 -= heap + relation.sizes.index_bytes;
                change.1 -= 1;
            }
        }
        self.index_sizes(relations)?;
        Ok(changes)
    }

    /// The last sample of a day stands for it; what lies between is thinned like a light watch's.
    fn samples(
        &self,
        times: &[(i64, i64)],
        changes: &BTreeMap<i64, (i64, i64)>,
        out: &mut Out<'_>,
    ) -> Result<(), TransferError> {
        const DAY: i64 = 86_400_000;
        let (mut attributed_bytes, mut table_count) = (0, 0);
        let mut total = self
            .sorted
            .prepare("select bytes from totals where at = ?1")?;
        for (place, &(at, tick)) in times.iter().enumerate() {
            if let Some((bytes, tables)) = changes.get(&tick) {
                attributed_bytes += bytes;
                table_count += tables;
            }
            let is_last_of_day = times
                .get(place + 1)
                .is_none_or(|next| next.0.div_euclid(DAY) != at.div_euclid(DAY));
            // what was not measured is unknown: the sum of some tables is no database's size, and PgHero leaves
            // out catalogs
            let total_bytes: Option<i64> = match self.kind {
                Kind::Series => Some(total.query_row([at], |row| row.get(0))?),
                Kind::PgHero | Kind::Tables => None,
            };
            out.send(Row::Sample(SampleRow {
                tick,
                id: None,
                kind: if is_last_of_day {
                    SampleKind::Daily
                } else {
                    SampleKind::Watch
                },
                sampled_at: from_millis(at),
                scheduled_for: None,
                took_ms: 0,
                method: self.method(),
                full_sweep_at: None,
                total_bytes,
                attributed_bytes,
                estimated_bytes: 0,
                unattributed_bytes: None,
                unmeasured_bytes: total_bytes,
                table_count,
                unread_count: 0,
                is_demo: false,
            }));
        }
        Ok(())
    }

    fn table_values(&self, out: &mut Out<'_>) -> Result<(), TransferError> {
        let mut statement = self
            .sorted
            .prepare("select id, tick, heap, indexes from points order by rowid")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            out.send(Row::TableValue(TableValueRow {
                relation: row.get(0)?,
                tick: row.get(1)?,
                sizes: SizesRow {
                    heap_bytes: row.get(2)?,
                    index_bytes: row.get(3)?,
                    ..NO_SIZES
                },
            }));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sorted_is_its_owners_only() {
        let staging = Staging::new(Kind::Tables).unwrap();
        let mode = staging
            ._folder
            .path()
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
