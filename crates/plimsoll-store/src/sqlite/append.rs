//! Keeps a snapshot: loads what is known, and writes what it changes.

mod writer;

use plimsoll_core::change::{
    Changes, KnownDatabase, KnownRelation, KnownToast, LastVisit, RelationId, RelationKind, Sizes,
};
use plimsoll_core::sample::SampleHeader;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use self::writer::Writer;
use super::error::Wrong;
use super::read::{HEADER, header};
use super::rows::{SqliteTransaction, wait};
use crate::keys::{Keys, Place};
use crate::last_samples::{Guess, State};
use crate::sample::{Before, SampleRow, from_millis, millis, signed, unsigned, value_count};
use crate::{events, former_names, unread};

/// What became of a sample.
pub(super) enum Written {
    New(SampleHeader, Place),
    /// Another process took this scheduled sample.
    Already(SampleHeader),
    /// Another sample was kept since the changes were worked out.
    Outdated,
}

pub(super) fn load(
    work: &SqliteTransaction,
    sample: &SampleRow,
    guess: Option<&Guess>,
) -> Result<Before, Wrong> {
    let found = find(&work.connection(), sample)?;
    let mut before = last_known(&work.connection(), sample, found, guess)?;
    if let Some(keys) = found {
        before.known.unread = wait(unread::now(work, keys))?;
    }
    Ok(before)
}

fn last_known(
    connection: &Connection,
    sample: &SampleRow,
    found: Option<(i32, i32)>,
    guess: Option<&Guess>,
) -> Result<Before, Wrong> {
    let Some((instance_id, database_id)) = found else {
        return Ok(Before {
            known: KnownDatabase::new(),
            ..Before::default()
        });
    };
    let already = scheduled(connection, instance_id, database_id, sample)?;
    if already.is_some() {
        return Ok(Before {
            already,
            ..Before::default()
        });
    }
    let (last_tick, next_relation_id, last) = connection.query_row(
        "select d.last_tick, d.next_relation_id, d.oid, d.system_identifier, d.timeline,
                d.in_recovery, d.stats_reset_at, s.sampled_at, s.total_bytes
         from databases as d
         join samples as s on s.instance_id = d.instance_id and s.database_id = d.database_id
             and s.tick = d.last_tick
         where d.instance_id = ?1 and d.database_id = ?2",
        (instance_id, database_id),
        |row| {
            let system_identifier: Option<String> = row.get(3)?;
            let last = LastVisit {
                sampled_at: from_millis(row.get(7)?),
                database_oid: row.get(2)?,
                system_identifier: system_identifier.and_then(|text| text.parse().ok()),
                timeline: row.get(4)?,
                in_recovery: row.get(5)?,
                stats_reset_at: row.get::<_, Option<i64>>(6)?.map(from_millis),
                total_bytes: row.get::<_, Option<i64>>(8)?.map(unsigned),
            };
            Ok((row.get(0)?, row.get(1)?, last))
        },
    )?;
    let state = State {
        keys: (instance_id, database_id),
        last_tick,
        next_relation_id,
    };
    let guess = guess.filter(|guess| guess.holds(state, &last, sample));
    Ok(Before {
        last_tick: Some(last_tick),
        is_part: guess.is_some(),
        known: KnownDatabase {
            last: Some(last),
            relations: match guess {
                Some(guess) => some_relations(connection, state.keys, &guess.ids)?,
                None => relations(connection, state.keys)?,
            },
            // is read next
            unread: Vec::new(),
            next_relation_id,
        },
        already: None,
    })
}

/// The keys of the sample's instance and database: the database of the same OID on the same system,
/// or else of the same name.
fn find(connection: &Connection, sample: &SampleRow) -> Result<Option<(i32, i32)>, Wrong> {
    let found = connection
        .prepare_cached(
            "select d.instance_id, d.database_id
             from instances as i
             join databases as d on d.instance_id = i.instance_id
             where i.name = :instance
                 and (d.name = :name
                     or (d.oid = :oid and d.system_identifier = :system_identifier))
             order by d.oid = :oid and d.system_identifier = :system_identifier desc, d.name = :name desc
             limit 1",
        )?
        .query_row(
            named_params! {
                ":instance": sample.instance,
                ":name": sample.database,
                ":oid": sample.database_oid,
                ":system_identifier": sample.system_identifier.map(|id| id.to_string()),
            },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(found)
}

fn scheduled(
    connection: &Connection,
    instance_id: i32,
    database_id: i32,
    sample: &SampleRow,
) -> Result<Option<SampleHeader>, Wrong> {
    let Some(scheduled_for) = sample.recording.scheduled_for else {
        return Ok(None);
    };
    let sql = format!(
        "{HEADER} where s.instance_id = ?1 and s.database_id = ?2 and s.kind = ?3 and s.scheduled_for = ?4"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row(
            (
                instance_id,
                database_id,
                sample.recording.kind.as_str(),
                millis(scheduled_for),
            ),
            header,
        )
        .optional()?;
    Ok(found)
}

/// Present relations with their last sizes.
const RELATIONS: &str =
    "select relation_id, oid, kind, owner_id, schema_name, relation_name, parent_id, filenode,
         toast_oid, toast_filenode, toast_index_oid, toast_index_filenode,
         heap_bytes, toast_bytes, toast_index_bytes, index_bytes, row_count
     from relations
     where instance_id = ?1 and database_id = ?2 and gone_tick is null";

fn relations(connection: &Connection, keys: Keys) -> Result<Vec<KnownRelation>, Wrong> {
    let mut statement = connection.prepare_cached(RELATIONS)?;
    let rows = statement.query_map(keys, known)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Tables of some ids, with their indexes.
fn some_relations(
    connection: &Connection,
    keys: Keys,
    ids: &[RelationId],
) -> Result<Vec<KnownRelation>, Wrong> {
    let mut table = connection.prepare_cached(&format!("{RELATIONS} and relation_id = ?3"))?;
    let mut indexes = connection.prepare_cached(&format!("{RELATIONS} and owner_id = ?3"))?;
    let mut found = Vec::new();
    for id in ids {
        for statement in [&mut table, &mut indexes] {
            for relation in statement.query_map((keys.0, keys.1, id), known)? {
                found.push(relation?);
            }
        }
    }
    Ok(found)
}

fn known(row: &Row<'_>) -> rusqlite::Result<KnownRelation> {
    let text = |at: usize| -> rusqlite::Result<Box<str>> { Ok(row.get_ref(at)?.as_str()?.into()) };
    let mut known = KnownRelation {
        id: row.get(0)?,
        oid: row.get(1)?,
        kind: RelationKind::Index,
        owner: row.get(3)?,
        schema_name: text(4)?,
        relation_name: text(5)?,
        parent: None,
        filenode: row.get(7)?,
        toast: None,
        sizes: Sizes::default(),
    };
    // hundreds of thousands of indexes have nothing in the other columns
    if known.owner.is_some() {
        known.sizes.heap_bytes = row.get::<_, Option<i64>>(12)?.map(unsigned);
        return Ok(known);
    }
    known.kind = RelationKind::from_letter(row.get_ref(2)?.as_str()?).unwrap_or(known.kind);
    known.parent = row.get(6)?;
    let toast: Option<u32> = row.get(8)?;
    if let Some(oid) = toast {
        known.toast = Some(KnownToast {
            oid,
            filenode: row.get(9)?,
            index_oid: row.get(10)?,
            index_filenode: row.get(11)?,
        });
    }
    known.sizes = sizes(row, 12)?;
    Ok(known)
}

/// Reads the five columns of a point, from column `at` on.
pub(super) fn sizes(row: &Row<'_>, at: usize) -> rusqlite::Result<Sizes> {
    let bytes = |at: usize| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(at)?.map(unsigned))
    };
    Ok(Sizes {
        heap_bytes: bytes(at)?,
        toast_bytes: bytes(at + 1)?,
        toast_index_bytes: bytes(at + 2)?,
        index_bytes: bytes(at + 3)?.unwrap_or(0),
        row_count: bytes(at + 4)?,
    })
}

pub(super) fn write(
    work: &SqliteTransaction,
    sample: &SampleRow,
    expected: Option<i64>,
    changes: &Changes,
) -> Result<Written, Wrong> {
    let written = write_values(&work.connection(), sample, expected, changes)?;
    if let Written::New(_, place) = written {
        wait(former_names::keep(work, place, &changes.former))?;
        wait(unread::keep(work, place, changes))?;
        wait(events::keep(work, place, &changes.events))?;
    }
    Ok(written)
}

/// Writes the sample, its relations and their values, unless it is there.
fn write_values(
    connection: &Connection,
    sample: &SampleRow,
    expected: Option<i64>,
    changes: &Changes,
) -> Result<Written, Wrong> {
    let found = find(connection, sample)?;
    let mut last_tick = None;
    if let Some((instance_id, database_id)) = found {
        if let Some(header) = scheduled(connection, instance_id, database_id, sample)? {
            return Ok(Written::Already(header));
        }
        last_tick = Some(connection.query_row(
            "select last_tick from databases where instance_id = ?1 and database_id = ?2",
            (instance_id, database_id),
            |row| row.get(0),
        )?);
    }
    if last_tick != expected {
        return Ok(Written::Outdated);
    }
    let tick = sample.tick(last_tick);
    let database = keep_database(connection, sample, found, tick, changes.next_relation_id)?;
    let id = keep_sample(connection, sample, database, tick, changes)?;
    let writer = Writer {
        connection,
        instance_id: database.0,
        database_id: database.1,
        tick,
        major: sample.major(),
    };
    writer.relations(changes)?;
    writer.points(changes)?;
    let place = Place {
        keys: database,
        tick,
        major: sample.major(),
    };
    Ok(Written::New(sample.header(id, changes), place))
}

fn keep_database(
    connection: &Connection,
    sample: &SampleRow,
    found: Option<(i32, i32)>,
    tick: i64,
    next_relation_id: i32,
) -> Result<(i32, i32), Wrong> {
    let (instance_id, database_id) = match found {
        Some(keys) => keys,
        None => {
            connection.execute(
                "insert into instances (name) values (?1) on conflict (name) do nothing",
                [&sample.instance],
            )?;
            connection.query_row(
                "select i.instance_id, coalesce(max(d.database_id), 0) + 1
                 from instances as i left join databases as d on d.instance_id = i.instance_id
                 where i.name = ?1 group by i.instance_id",
                [&sample.instance],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
        }
    };
    // Another database may still have the name, if both were renamed: it is told apart until it is
    // seen again.
    connection.execute(
        "update databases set name = name || ' (OID ' || oid || ')'
         where instance_id = ?1 and name = ?2 and database_id <> ?3",
        params![instance_id, sample.database, database_id],
    )?;
    connection.execute(
        "insert into databases (instance_id, database_id, name, oid, system_identifier, timeline,
             in_recovery, server_version_num, stats_reset_at, last_tick, next_relation_id)
         values (:instance_id, :database_id, :name, :oid, :system_identifier, :timeline,
             :in_recovery, :server_version_num, :stats_reset_at, :last_tick, :next_relation_id)
         on conflict (instance_id, database_id) do update set
             name = excluded.name, oid = excluded.oid,
             system_identifier = coalesce(excluded.system_identifier, system_identifier),
             timeline = coalesce(excluded.timeline, timeline),
             in_recovery = excluded.in_recovery,
             server_version_num = excluded.server_version_num,
             -- a restored database counts anew, and may not say yet since when
             stats_reset_at = case when oid = excluded.oid
                 then coalesce(excluded.stats_reset_at, stats_reset_at)
                 else excluded.stats_reset_at end,
             last_tick = excluded.last_tick, next_relation_id = excluded.next_relation_id",
        named_params! {
            ":instance_id": instance_id,
            ":database_id": database_id,
            ":name": sample.database,
            ":oid": sample.database_oid,
            ":system_identifier": sample.system_identifier.map(|id| id.to_string()),
            ":timeline": sample.timeline,
            ":in_recovery": sample.in_recovery,
            ":server_version_num": sample.server_version_num,
            ":stats_reset_at": sample.stats_reset_at,
            ":last_tick": tick,
            ":next_relation_id": next_relation_id,
        },
    )?;
    Ok((instance_id, database_id))
}

fn keep_sample(
    connection: &Connection,
    sample: &SampleRow,
    (instance_id, database_id): (i32, i32),
    tick: i64,
    changes: &Changes,
) -> Result<i64, Wrong> {
    connection.execute(
        "insert into samples (instance_id, database_id, tick, kind, sampled_at, scheduled_for, took_ms,
             method, full_sweep_at, total_bytes, attributed_bytes, estimated_bytes,
             unattributed_bytes, unmeasured_bytes, table_count, unread_count, value_count, is_demo)
         values (:instance_id, :database_id, :tick, :kind, :sampled_at, :scheduled_for, :took_ms,
             :method, :full_sweep_at, :total_bytes, :attributed_bytes, :estimated_bytes,
             :unattributed_bytes, :unmeasured_bytes, :table_count, :unread_count, :value_count,
             :is_demo)",
        named_params! {
            ":instance_id": instance_id,
            ":database_id": database_id,
            ":tick": tick,
            ":kind": sample.recording.kind.as_str(),
            ":sampled_at": sample.sampled_at,
            ":scheduled_for": sample.recording.scheduled_for.map(millis),
            ":took_ms": signed(sample.took_ms),
            ":method": sample.method,
            ":full_sweep_at": sample.full_sweep_at,
            ":total_bytes": sample.totals.total_bytes.map(signed),
            ":attributed_bytes": signed(sample.totals.attributed_bytes),
            ":estimated_bytes": signed(sample.totals.estimated_bytes),
            ":unattributed_bytes": sample.totals.unattributed_bytes.map(signed),
            ":unmeasured_bytes": sample.totals.unmeasured_bytes.map(signed),
            ":table_count": signed(changes.table_count),
            ":unread_count": signed(changes.unread_count),
            ":value_count": signed(value_count(changes)),
            ":is_demo": sample.recording.is_demo,
        },
    )?;
    Ok(connection.last_insert_rowid())
}
