//! Keeps a snapshot: loads what is known, and writes what it changes.

use std::pin::pin;

use futures_util::TryStreamExt;
use plimsoll_core::change::{
    Changes, KnownDatabase, KnownRelation, KnownToast, LastVisit, RelationId, RelationKind, Sizes,
};
use plimsoll_core::sample::SampleHeader;
use tokio_postgres::Row;

use self::writer::Writer;
use super::error::Wrong;
use super::read::{header, instance_id, keep_name};
use super::work::Work;
use crate::keys::Place;
use crate::last_samples::{Guess, State};
use crate::sample::{Before, SampleRow, from_millis, unsigned};
use crate::{events, former_names, unread};

mod writer;

/// Guards the making of instances and databases: "plimsoll" in ASCII, and two more.
pub(super) const NEW_DATABASE_LOCK: i64 = 0x706c_696d_736f_6c6e;

/// What became of a sample.
pub(super) enum Written {
    New(SampleHeader, Place),
    /// Another process took this scheduled sample.
    Already(SampleHeader),
    /// Another sample was kept since the changes were worked out.
    Outdated,
}

pub(super) async fn load(
    work: &Work<'_>,
    sample: &SampleRow,
    guess: Option<&Guess>,
) -> Result<Before, Wrong> {
    let Some(found) = find(work, include_str!("append/find.sql"), sample).await? else {
        return Ok(Before {
            known: KnownDatabase::new(),
            ..Before::default()
        });
    };
    if let Some(header) = scheduled(work, found.keys, sample).await? {
        return Ok(Before {
            already: Some(header),
            ..Before::default()
        });
    }
    let (instance_id, database_id) = found.keys;
    let row = work
        .row(
            include_str!("append/last_visit.sql"),
            &[&instance_id, &database_id],
        )
        .await?;
    let system_identifier: Option<&str> = row.try_get(1)?;
    let last = LastVisit {
        database_oid: row.try_get(0)?,
        system_identifier: system_identifier.and_then(|text| text.parse().ok()),
        timeline: row
            .try_get::<_, Option<i64>>(2)?
            .and_then(|id| u32::try_from(id).ok()),
        in_recovery: row.try_get(3)?,
        stats_reset_at: row.try_get(4)?,
        sampled_at: row.try_get(5)?,
        total_bytes: row.try_get::<_, Option<i64>>(6)?.map(unsigned),
    };
    let guess = guess.filter(|guess| {
        let state = found.last_tick.map(|last_tick| State {
            keys: found.keys,
            last_tick,
            next_relation_id: found.next_relation_id,
        });
        state.is_some_and(|state| guess.holds(state, &last, sample))
    });
    Ok(Before {
        last_tick: found.last_tick,
        is_part: guess.is_some(),
        known: KnownDatabase {
            last: Some(last),
            relations: match guess {
                Some(guess) => some_relations(work, found.keys, &guess.ids).await?,
                None => relations(work, found.keys).await?,
            },
            unread: unread::now(work, found.keys).await?,
            next_relation_id: found.next_relation_id,
        },
        already: None,
    })
}

struct KnownKeys {
    keys: (i32, i32),
    last_tick: Option<i64>,
    next_relation_id: i32,
}

/// The database of the same OID on the same system, or else of the same name.
async fn find(
    work: &Work<'_>,
    sql: &'static str,
    sample: &SampleRow,
) -> Result<Option<KnownKeys>, Wrong> {
    let Some(instance_id) = instance_id(work, &sample.instance).await? else {
        return Ok(None);
    };
    let system_identifier = sample.system_identifier.map(|id| id.to_string());
    let row = work
        .optional(
            sql,
            &[
                &instance_id,
                &sample.database,
                &sample.database_oid,
                &system_identifier,
            ],
        )
        .await?;
    row.map(|row| {
        Ok(KnownKeys {
            keys: (row.try_get(0)?, row.try_get(1)?),
            last_tick: row.try_get(2)?,
            next_relation_id: row.try_get(3)?,
        })
    })
    .transpose()
}

async fn scheduled(
    work: &Work<'_>,
    (instance_id, database_id): (i32, i32),
    sample: &SampleRow,
) -> Result<Option<SampleHeader>, Wrong> {
    let Some(scheduled_for) = sample.recording.scheduled_for else {
        return Ok(None);
    };
    let row = work
        .optional(
            include_str!("append/scheduled.sql"),
            &[
                &instance_id,
                &database_id,
                &sample.recording.kind.as_str(),
                &scheduled_for,
            ],
        )
        .await?;
    row.map(|row| header(&row, &sample.instance)).transpose()
}

/// The sample itself, if it was kept although the answer to that was lost.
pub(super) async fn kept(
    work: &Work<'_>,
    sample: &SampleRow,
) -> Result<Option<SampleHeader>, Wrong> {
    let Some(found) = find(work, include_str!("append/find.sql"), sample).await? else {
        return Ok(None);
    };
    let (instance_id, database_id) = found.keys;
    let row = work
        .optional(
            include_str!("append/kept.sql"),
            &[
                &instance_id,
                &database_id,
                &sample.recording.kind.as_str(),
                &from_millis(sample.sampled_at),
            ],
        )
        .await?;
    row.map(|row| header(&row, &sample.instance)).transpose()
}

async fn relations(
    work: &Work<'_>,
    (instance_id, database_id): (i32, i32),
) -> Result<Vec<KnownRelation>, Wrong> {
    let rows = work
        .stream(
            include_str!("append/relations.sql"),
            &[&instance_id, &database_id],
        )
        .await?;
    let mut rows = pin!(rows);
    let mut relations = Vec::new();
    while let Some(row) = rows.try_next().await? {
        relations.push(known(&row)?);
    }
    Ok(relations)
}

/// Present tables of some ids, with their indexes.
async fn some_relations(
    work: &Work<'_>,
    (instance_id, database_id): (i32, i32),
    ids: &[RelationId],
) -> Result<Vec<KnownRelation>, Wrong> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = work
        .query(
            include_str!("append/some_relations.sql"),
            &[&instance_id, &database_id, &ids],
        )
        .await?;
    rows.iter().map(known).collect()
}

fn known(row: &Row) -> Result<KnownRelation, Wrong> {
    let toast: Option<u32> = row.try_get(8)?;
    let toast = match toast {
        Some(oid) => Some(KnownToast {
            oid,
            filenode: row.try_get(9)?,
            index_oid: row.try_get(10)?,
            index_filenode: row.try_get(11)?,
        }),
        None => None,
    };
    Ok(KnownRelation {
        id: row.try_get(0)?,
        oid: row.try_get(1)?,
        kind: RelationKind::from_letter(row.try_get(2)?).unwrap_or(RelationKind::Index),
        owner: row.try_get(3)?,
        schema_name: row.try_get::<_, &str>(4)?.into(),
        relation_name: row.try_get::<_, &str>(5)?.into(),
        parent: row.try_get(6)?,
        filenode: row.try_get(7)?,
        toast,
        sizes: sizes(row, 12)?,
    })
}

/// Reads the five columns of a point, from column `at` on.
pub(super) fn sizes(row: &Row, at: usize) -> Result<Sizes, Wrong> {
    let bytes = |at: usize| -> Result<Option<u64>, Wrong> {
        Ok(row.try_get::<_, Option<i64>>(at)?.map(unsigned))
    };
    Ok(Sizes {
        heap_bytes: bytes(at)?,
        toast_bytes: bytes(at + 1)?,
        toast_index_bytes: bytes(at + 2)?,
        index_bytes: bytes(at + 3)?.unwrap_or(0),
        row_count: bytes(at + 4)?,
    })
}

pub(super) async fn write(
    work: &Work<'_>,
    sample: &SampleRow,
    expected: Option<i64>,
    changes: &Changes,
) -> Result<Written, Wrong> {
    // the row lock makes samples of one database take turns
    let found = find(work, include_str!("append/find_for_update.sql"), sample).await?;
    if let Some(found) = &found
        && let Some(header) = scheduled(work, found.keys, sample).await?
    {
        return Ok(Written::Already(header));
    }
    let last_tick = found.as_ref().and_then(|found| found.last_tick);
    if last_tick != expected {
        return Ok(Written::Outdated);
    }
    if found.is_none() {
        // two processes that see a database for the first time take turns
        work.execute("select pg_advisory_xact_lock($1)", &[&NEW_DATABASE_LOCK])
            .await?;
        if find(work, include_str!("append/find.sql"), sample)
            .await?
            .is_some()
        {
            return Ok(Written::Outdated);
        }
    }
    let tick = sample.tick(last_tick);
    let keys = found.map(|found| found.keys);
    let (instance_id, database_id) =
        keep_database(work, sample, keys, tick, changes.next_relation_id).await?;
    let writer = Writer {
        work,
        instance_id,
        database_id,
        tick,
        major: sample.major(),
    };
    let id = writer.sample(sample, changes).await?;
    writer.added(&changes.added).await?;
    writer.updated(&changes.updated).await?;
    writer.ended(changes).await?;
    writer.table_points(&changes.table_points).await?;
    writer.index_points(&changes.index_points).await?;
    let place = Place {
        keys: (instance_id, database_id),
        tick,
        major: sample.major(),
    };
    former_names::keep(work, place, &changes.former).await?;
    unread::keep(work, place, changes).await?;
    events::keep(work, place, &changes.events).await?;
    Ok(Written::New(sample.header(id, changes), place))
}

async fn keep_database(
    work: &Work<'_>,
    sample: &SampleRow,
    keys: Option<(i32, i32)>,
    tick: i64,
    next_relation_id: i32,
) -> Result<(i32, i32), Wrong> {
    let (instance_id, database_id) = match keys {
        Some(keys) => keys,
        None => {
            work.execute(
                "insert into plimsoll.instances (name) values ($1) on conflict (name) do nothing",
                &[&sample.instance],
            )
            .await?;
            let row = work
                .row(include_str!("instance_id.sql"), &[&sample.instance])
                .await?;
            let instance_id: i32 = row.try_get(0)?;
            let row = work
                .row(
                    "select coalesce(max(database_id), 0) + 1 from plimsoll.databases
                     where instance_id = $1",
                    &[&instance_id],
                )
                .await?;
            (instance_id, row.try_get(0)?)
        }
    };
    // Another database may still have the name, if both were renamed: it is told apart until it is
    // seen again.
    let others = work
        .query(
            "update plimsoll.databases set name = name || ' (OID ' || oid || ')'
             where instance_id = $1 and name = $2 and database_id <> $3
             returning database_id, name",
            &[&instance_id, &sample.database, &database_id],
        )
        .await?;
    for other in others {
        let (other_id, name): (i32, &str) = (other.try_get(0)?, other.try_get(1)?);
        keep_name(work, (instance_id, other_id), name).await?;
    }
    keep_name(work, (instance_id, database_id), &sample.database).await?;
    let system_identifier = sample.system_identifier.map(|id| id.to_string());
    let version = i32::try_from(sample.server_version_num).unwrap_or(i32::MAX);
    work.execute(
        include_str!("append/keep_database.sql"),
        &[
            &instance_id,
            &database_id,
            &sample.database,
            &sample.database_oid,
            &system_identifier,
            &sample.timeline.map(i64::from),
            &sample.in_recovery,
            &version,
            &sample.stats_reset_at.map(from_millis),
            &tick,
            &next_relation_id,
        ],
    )
    .await?;
    Ok((instance_id, database_id))
}
