//! Writes the rows of one sample, kind by kind.

use std::pin::pin;

use plimsoll_core::change::{Changes, KnownRelation, Sizes};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use super::super::error::Wrong;
use super::super::param::Param;
use super::super::work::Work;
use crate::sample::{RelationRow, SampleRow, columns, from_millis, signed, value_count};

/// One sample being written: where its rows belong, and the transaction that they are part of.
pub(super) struct Writer<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) instance_id: i32,
    pub(super) database_id: i32,
    pub(super) tick: i64,
    pub(super) major: u32,
}

impl Writer<'_> {
    pub(super) async fn sample(&self, sample: &SampleRow, changes: &Changes) -> Result<i64, Wrong> {
        let totals = &sample.totals;
        let row = self
            .work
            .row(
                include_str!("keep_sample.sql"),
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
                    &totals.total_bytes.map(signed),
                    &signed(totals.attributed_bytes),
                    &signed(totals.estimated_bytes),
                    &totals.unattributed_bytes.map(signed),
                    &totals.unmeasured_bytes.map(signed),
                    &signed(changes.table_count),
                    &signed(changes.unread_count),
                    &signed(value_count(changes)),
                    &sample.recording.is_demo,
                ],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    pub(super) async fn added(&self, added: &[KnownRelation]) -> Result<(), Wrong> {
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

    pub(super) async fn updated(&self, updated: &[KnownRelation]) -> Result<(), Wrong> {
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
        let params: [&dyn Param; 20] = [
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
            .execute(include_str!("update_relations.sql"), &params)
            .await?;
        Ok(())
    }

    /// Relations that are gone, and names that are no more.
    pub(super) async fn ended(&self, changes: &Changes) -> Result<(), Wrong> {
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
        Ok(())
    }

    pub(super) async fn table_points(&self, points: &[(i32, Sizes)]) -> Result<(), Wrong> {
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

    pub(super) async fn index_points(&self, points: &[(i32, u64)]) -> Result<(), Wrong> {
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
}
