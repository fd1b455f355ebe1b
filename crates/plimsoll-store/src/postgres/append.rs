//! Keeps a snapshot: loads what is known, and writes what it changes.

use std::pin::pin;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use plimsoll_core::change::{
    Changes, Known, KnownDatabase, KnownToast, LastVisit, Part, RelationKind, Sizes,
};
use plimsoll_core::sample::SampleHeader;
use tokio_postgres::Row;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::error::Wrong;
use super::pool::Work;
use super::read::header;
use crate::sample::{
    Before, RelationRow, SampleRow, columns, former_key, from_millis, signed, status_name, unsigned,
};

/// Guards the making of instances and databases: "plimsoll" in ASCII, and two more.
const NEW_DATABASE_LOCK: i64 = 0x706c_696d_736f_6c6e;

/// What became of a sample.
pub(super) enum Written {
    New(SampleHeader),
    /// Another process took this scheduled sample.
    Already(SampleHeader),
    /// Another sample was kept since the changes were worked out.
    Moved,
}

pub(super) async fn load(work: &Work<'_>, sample: &SampleRow) -> Result<Before, Wrong> {
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
    let system_identifier: Option<&str> = row.get(1);
    let last = LastVisit {
        database_oid: row.get(0),
        system_identifier: system_identifier.and_then(|text| text.parse().ok()),
        timeline: row
            .get::<_, Option<i64>>(2)
            .and_then(|id| u32::try_from(id).ok()),
        in_recovery: row.get(3),
        stats_reset_at: row.get(4),
        sampled_at: row.get(5),
        total_bytes: unsigned(row.get(6)),
    };
    Ok(Before {
        last_tick: found.last_tick,
        known: KnownDatabase {
            last: Some(last),
            relations: relations(work, found.keys).await?,
            unread: unread(work, found.keys).await?,
            next_relation_id: found.next_relation_id,
        },
        already: None,
    })
}

struct Found {
    keys: (i32, i32),
    last_tick: Option<i64>,
    next_relation_id: i32,
}

/// The database of the same OID on the same system, or else of the same name.
async fn find(
    work: &Work<'_>,
    sql: &'static str,
    sample: &SampleRow,
) -> Result<Option<Found>, Wrong> {
    let system_identifier = sample.system_identifier.map(|id| id.to_string());
    let row = work
        .optional(
            sql,
            &[
                &sample.instance,
                &sample.database,
                &sample.database_oid,
                &system_identifier,
            ],
        )
        .await?;
    Ok(row.map(|row| Found {
        keys: (row.get(0), row.get(1)),
        last_tick: row.get(2),
        next_relation_id: row.get(3),
    }))
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
    Ok(row.as_ref().map(header))
}

async fn relations(
    work: &Work<'_>,
    (instance_id, database_id): (i32, i32),
) -> Result<Vec<Known>, Wrong> {
    let rows = work
        .stream(
            include_str!("append/relations.sql"),
            vec![instance_id, database_id],
        )
        .await?;
    let mut rows = pin!(rows);
    let mut relations = Vec::new();
    while let Some(row) = rows.try_next().await? {
        relations.push(known(&row));
    }
    Ok(relations)
}

fn known(row: &Row) -> Known {
    let toast: Option<u32> = row.get(8);
    Known {
        id: row.get(0),
        oid: row.get(1),
        kind: RelationKind::from_letter(row.get(2)).unwrap_or(RelationKind::Index),
        owner: row.get(3),
        schema_name: row.get::<_, &str>(4).into(),
        relation_name: row.get::<_, &str>(5).into(),
        parent: row.get(6),
        filenode: row.get(7),
        toast: toast.map(|oid| KnownToast {
            oid,
            filenode: row.get(9),
            index_oid: row.get(10),
            index_filenode: row.get(11),
        }),
        sizes: sizes(row, 12),
    }
}

/// Reads the five columns of a point, from column `at` on.
pub(super) fn sizes(row: &Row, at: usize) -> Sizes {
    let bytes = |at: usize| row.get::<_, Option<i64>>(at).map(unsigned);
    Sizes {
        heap_bytes: bytes(at),
        toast_bytes: bytes(at + 1),
        toast_index_bytes: bytes(at + 2),
        index_bytes: bytes(at + 3).unwrap_or(0),
        row_count: bytes(at + 4),
    }
}

async fn unread(
    work: &Work<'_>,
    (instance_id, database_id): (i32, i32),
) -> Result<Vec<(i32, Part)>, Wrong> {
    let rows = work
        .query(
            "select relation_id, part from plimsoll.unread
             where instance_id = $1 and database_id = $2 and until_tick is null",
            &[&instance_id, &database_id],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            (
                row.get(0),
                Part::from_letter(row.get(1)).unwrap_or(Part::Heap),
            )
        })
        .collect())
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
        return Ok(Written::Moved);
    }
    if found.is_none() {
        // two processes that see a database for the first time take turns
        work.execute("select pg_advisory_xact_lock($1)", &[&NEW_DATABASE_LOCK])
            .await?;
        if find(work, include_str!("append/find.sql"), sample)
            .await?
            .is_some()
        {
            return Ok(Written::Moved);
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
    writer.unread(changes).await?;
    writer.events(changes).await?;
    Ok(Written::New(sample.header(id, changes.table_count)))
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
                .row(
                    "select i.instance_id, coalesce(max(d.database_id), 0) + 1
                     from plimsoll.instances as i
                     left join plimsoll.databases as d on d.instance_id = i.instance_id
                     where i.name = $1 group by i.instance_id",
                    &[&sample.instance],
                )
                .await?;
            (row.get(0), row.get(1))
        }
    };
    // Another database may still have the name, if both were renamed: it is told apart until it is
    // seen again.
    work.execute(
        "update plimsoll.databases set name = name || ' (OID ' || oid || ')'
         where instance_id = $1 and name = $2 and database_id <> $3",
        &[&instance_id, &sample.database, &database_id],
    )
    .await?;
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

struct Writer<'a> {
    work: &'a Work<'a>,
    instance_id: i32,
    database_id: i32,
    tick: i64,
    major: u32,
}

impl Writer<'_> {
    async fn sample(&self, sample: &SampleRow, changes: &Changes) -> Result<i64, Wrong> {
        let totals = &sample.totals;
        let row = self
            .work
            .row(
                include_str!("append/keep_sample.sql"),
                &[
                    &self.instance_id,
                    &self.database_id,
                    &self.tick,
                    &sample.recording.kind.as_str(),
                    &from_millis(sample.sampled_at),
                    &sample.recording.scheduled_for,
                    &signed(sample.took_ms),
                    &sample.method,
                    &sample.full_sweep_at.map(from_millis),
                    &signed(totals.total_bytes),
                    &signed(totals.attributed_bytes),
                    &signed(totals.estimated_bytes),
                    &signed(totals.unattributed_bytes),
                    &signed(totals.unmeasured_bytes),
                    &signed(changes.table_count),
                    &signed(changes.unread_count),
                    &sample.recording.is_demo,
                ],
            )
            .await?;
        Ok(row.get(0))
    }

    async fn added(&self, added: &[Known]) -> Result<(), Wrong> {
        if added.is_empty() {
            return Ok(());
        }
        let sink = self
            .work
            .copy_in(
                "copy plimsoll.relations (instance_id, database_id, relation_id, first_tick, oid, kind,
                     owner_id, schema_name, relation_name, table_key, parent_id, filenode, toast_oid,
                     toast_filenode, toast_index_oid, toast_index_filenode, heap_bytes, toast_bytes,
                     toast_index_bytes, index_bytes, row_count)
                 from stdin (format binary)",
            )
            .await?;
        let types = [
            Type::INT4,
            Type::INT4,
            Type::INT4,
            Type::INT8,
            Type::OID,
            Type::TEXT,
            Type::INT4,
            Type::TEXT,
            Type::TEXT,
            Type::TEXT,
            Type::INT4,
            Type::OID,
            Type::OID,
            Type::OID,
            Type::OID,
            Type::OID,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
        ];
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &types));
        for known in added {
            let row = RelationRow::new(known, self.major);
            let [
                toast_oid,
                toast_filenode,
                toast_index_oid,
                toast_index_filenode,
            ] = row.toast();
            let (heap, toast, toast_index, indexes, count) = columns(&known.sizes);
            rows.as_mut()
                .write(&[
                    &self.instance_id,
                    &self.database_id,
                    &known.id,
                    &self.tick,
                    &known.oid,
                    &known.kind.letter(),
                    &known.owner,
                    &&*known.schema_name,
                    &&*known.relation_name,
                    &row.table_key,
                    &known.parent,
                    &known.filenode,
                    &toast_oid,
                    &toast_filenode,
                    &toast_index_oid,
                    &toast_index_filenode,
                    &heap,
                    &toast,
                    &toast_index,
                    &indexes,
                    &count,
                ])
                .await?;
        }
        rows.finish().await?;
        Ok(())
    }

    async fn updated(&self, updated: &[Known]) -> Result<(), Wrong> {
        if updated.is_empty() {
            return Ok(());
        }
        let rows: Vec<RelationRow<'_>> = updated
            .iter()
            .map(|known| RelationRow::new(known, self.major))
            .collect();
        let ids: Vec<i32> = updated.iter().map(|k| k.id).collect();
        let oids: Vec<u32> = updated.iter().map(|k| k.oid).collect();
        let kinds: Vec<&str> = updated.iter().map(|k| k.kind.letter()).collect();
        let owners: Vec<Option<i32>> = updated.iter().map(|k| k.owner).collect();
        let schemas: Vec<&str> = updated.iter().map(|k| &*k.schema_name).collect();
        let names: Vec<&str> = updated.iter().map(|k| &*k.relation_name).collect();
        let keys: Vec<Option<&str>> = rows.iter().map(|row| row.table_key.as_deref()).collect();
        let parents: Vec<Option<i32>> = updated.iter().map(|k| k.parent).collect();
        let files: Vec<u32> = updated.iter().map(|k| k.filenode).collect();
        let toast =
            |at: usize| -> Vec<Option<u32>> { rows.iter().map(|row| row.toast()[at]).collect() };
        let (toast_oids, toast_files, toast_indexes, toast_index_files) =
            (toast(0), toast(1), toast(2), toast(3));
        let points: Vec<_> = updated.iter().map(|k| columns(&k.sizes)).collect();
        let heaps: Vec<_> = points.iter().map(|p| p.0).collect();
        let toasts: Vec<_> = points.iter().map(|p| p.1).collect();
        let toast_index_sizes: Vec<_> = points.iter().map(|p| p.2).collect();
        let indexes: Vec<_> = points.iter().map(|p| p.3).collect();
        let counts: Vec<_> = points.iter().map(|p| p.4).collect();
        let params: [&(dyn ToSql + Sync); 20] = [
            &self.instance_id,
            &self.database_id,
            &ids,
            &oids,
            &kinds,
            &owners,
            &schemas,
            &names,
            &keys,
            &parents,
            &files,
            &toast_oids,
            &toast_files,
            &toast_indexes,
            &toast_index_files,
            &heaps,
            &toasts,
            &toast_index_sizes,
            &indexes,
            &counts,
        ];
        self.work
            .execute(include_str!("append/update_relations.sql"), &params)
            .await?;
        Ok(())
    }

    /// Relations that are gone, and names that are no more.
    async fn ended(&self, changes: &Changes) -> Result<(), Wrong> {
        if !changes.gone.is_empty() {
            self.work
                .execute(
                    "update plimsoll.relations set gone_tick = $4
                     where instance_id = $1 and database_id = $2 and relation_id = any ($3)",
                    &[
                        &self.instance_id,
                        &self.database_id,
                        &changes.gone,
                        &self.tick,
                    ],
                )
                .await?;
        }
        for former in &changes.former {
            self.work
                .execute(
                    "insert into plimsoll.former_names (instance_id, database_id, relation_id,
                         until_tick, schema_name, relation_name, table_key, parent_id)
                     values ($1, $2, $3, $4, $5, $6, $7, $8)",
                    &[
                        &self.instance_id,
                        &self.database_id,
                        &former.id,
                        &self.tick,
                        &&*former.schema_name,
                        &&*former.relation_name,
                        &former_key(former, self.major),
                        &former.parent,
                    ],
                )
                .await?;
        }
        Ok(())
    }

    async fn table_points(&self, points: &[(i32, Sizes)]) -> Result<(), Wrong> {
        if points.is_empty() {
            return Ok(());
        }
        let sink = self
            .work
            .copy_in(
                "copy plimsoll.table_values (instance_id, database_id, relation_id, tick, heap_bytes,
                     toast_bytes, toast_index_bytes, index_bytes, row_count)
                 from stdin (format binary)",
            )
            .await?;
        let types = [
            Type::INT4,
            Type::INT4,
            Type::INT4,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
        ];
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &types));
        for (id, sizes) in points {
            let (heap, toast, toast_index, indexes, count) = columns(sizes);
            rows.as_mut()
                .write(&[
                    &self.instance_id,
                    &self.database_id,
                    id,
                    &self.tick,
                    &heap,
                    &toast,
                    &toast_index,
                    &indexes,
                    &count,
                ])
                .await?;
        }
        rows.finish().await?;
        Ok(())
    }

    async fn index_points(&self, points: &[(i32, u64)]) -> Result<(), Wrong> {
        if points.is_empty() {
            return Ok(());
        }
        let sink = self
            .work
            .copy_in(
                "copy plimsoll.index_values (instance_id, database_id, relation_id, tick, bytes)
                 from stdin (format binary)",
            )
            .await?;
        let types = [Type::INT4, Type::INT4, Type::INT4, Type::INT8, Type::INT8];
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &types));
        for (id, bytes) in points {
            rows.as_mut()
                .write(&[
                    &self.instance_id,
                    &self.database_id,
                    id,
                    &self.tick,
                    &signed(*bytes),
                ])
                .await?;
        }
        rows.finish().await?;
        Ok(())
    }

    async fn unread(&self, changes: &Changes) -> Result<(), Wrong> {
        if !changes.unread.is_empty() {
            let ids: Vec<i32> = changes.unread.iter().map(|part| part.0).collect();
            let parts: Vec<&str> = changes.unread.iter().map(|part| part.1.letter()).collect();
            let states: Vec<&str> = changes
                .unread
                .iter()
                .map(|part| status_name(part.2))
                .collect();
            self.work
                .execute(
                    include_str!("append/begin_unread.sql"),
                    &[
                        &self.instance_id,
                        &self.database_id,
                        &self.tick,
                        &ids,
                        &parts,
                        &states,
                    ],
                )
                .await?;
        }
        if !changes.read_again.is_empty() {
            let ids: Vec<i32> = changes.read_again.iter().map(|part| part.0).collect();
            let parts: Vec<&str> = changes
                .read_again
                .iter()
                .map(|part| part.1.letter())
                .collect();
            self.work
                .execute(
                    "update plimsoll.unread as u set until_tick = $3
                     from unnest($4::integer[], $5::text[]) as n (relation_id, part)
                     where u.instance_id = $1 and u.database_id = $2
                         and u.relation_id = n.relation_id and u.part = n.part
                         and u.until_tick is null",
                    &[
                        &self.instance_id,
                        &self.database_id,
                        &self.tick,
                        &ids,
                        &parts,
                    ],
                )
                .await?;
        }
        Ok(())
    }

    async fn events(&self, changes: &Changes) -> Result<(), Wrong> {
        let events = &changes.events;
        if events.is_empty() {
            return Ok(());
        }
        let relations: Vec<Option<i32>> = events.iter().map(|e| e.relation).collect();
        let kinds: Vec<&str> = events.iter().map(|e| e.kind.as_str()).collect();
        let from: Vec<Timestamp> = events.iter().map(|e| e.from).collect();
        let to: Vec<Timestamp> = events.iter().map(|e| e.to).collect();
        let before: Vec<Option<i64>> = events.iter().map(|e| e.bytes_before.map(signed)).collect();
        let after: Vec<Option<i64>> = events.iter().map(|e| e.bytes_after.map(signed)).collect();
        let details: Vec<Option<&str>> = events.iter().map(|e| e.detail.as_deref()).collect();
        self.work
            .execute(
                "insert into plimsoll.events (instance_id, database_id, tick, relation_id, kind, from_at,
                     to_at, bytes_before, bytes_after, detail)
                 select $1, $2, $3, n.*
                 from unnest($4::integer[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                     $8::bigint[], $9::bigint[], $10::text[]) as n",
                &[
                    &self.instance_id,
                    &self.database_id,
                    &self.tick,
                    &relations,
                    &kinds,
                    &from,
                    &to,
                    &before,
                    &after,
                    &details,
                ],
            )
            .await?;
        Ok(())
    }
}
