//! Writes what changed since the sample before.

use plimsoll_core::change::Changes;
use rusqlite::{Connection, params};

use super::super::error::Wrong;
use crate::sample::{RelationRow, columns, signed};

/// What a sample's changes are written with.
pub(super) struct Writer<'a> {
    pub(super) connection: &'a Connection,
    pub(super) instance_id: i32,
    pub(super) database_id: i32,
    pub(super) tick: i64,
    pub(super) major: u32,
}

impl Writer<'_> {
    pub(super) fn relations(&self, changes: &Changes) -> Result<(), Wrong> {
        let mut add = self.connection.prepare_cached(
            "insert into relations (instance_id, database_id, relation_id, first_tick, oid, kind,
                 owner_id, schema_name, relation_name, table_key, parent_id, filenode, toast_oid,
                 toast_filenode, toast_index_oid, toast_index_filenode, heap_bytes, toast_bytes,
                 toast_index_bytes, index_bytes, row_count)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21)
             on conflict (instance_id, database_id, relation_id) do update set
                 oid = excluded.oid, kind = excluded.kind, owner_id = excluded.owner_id,
                 schema_name = excluded.schema_name, relation_name = excluded.relation_name,
                 table_key = excluded.table_key, parent_id = excluded.parent_id,
                 filenode = excluded.filenode, toast_oid = excluded.toast_oid,
                 toast_filenode = excluded.toast_filenode,
                 toast_index_oid = excluded.toast_index_oid,
                 toast_index_filenode = excluded.toast_index_filenode,
                 heap_bytes = excluded.heap_bytes, toast_bytes = excluded.toast_bytes,
                 toast_index_bytes = excluded.toast_index_bytes,
                 index_bytes = excluded.index_bytes, row_count = excluded.row_count",
        )?;
        for known in changes.added.iter().chain(&changes.updated) {
            let row = RelationRow::new(known, self.major);
            let [
                toast_oid,
                toast_filenode,
                toast_index_oid,
                toast_index_filenode,
            ] = row.toast();
            let (heap, toast, toast_index, indexes, rows) = columns(&known.sizes);
            add.execute(params![
                self.instance_id,
                self.database_id,
                known.id,
                self.tick,
                known.oid,
                known.kind.letter(),
                known.owner,
                known.schema_name,
                known.relation_name,
                row.table_key,
                known.parent,
                known.filenode,
                toast_oid,
                toast_filenode,
                toast_index_oid,
                toast_index_filenode,
                heap,
                toast,
                toast_index,
                indexes,
                rows,
            ])?;
        }
        let mut end = self.connection.prepare_cached(
            "update relations set gone_tick = ?4
             where instance_id = ?1 and database_id = ?2 and relation_id = ?3",
        )?;
        for id in &changes.gone {
            end.execute((self.instance_id, self.database_id, id, self.tick))?;
        }
        Ok(())
    }

    pub(super) fn points(&self, changes: &Changes) -> Result<(), Wrong> {
        let mut add = self.connection.prepare_cached(
            "insert into table_values (instance_id, database_id, relation_id, tick, heap_bytes,
                 toast_bytes, toast_index_bytes, index_bytes, row_count)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        for (id, sizes) in &changes.table_points {
            let (heap, toast, toast_index, indexes, rows) = columns(sizes);
            add.execute(params![
                self.instance_id,
                self.database_id,
                id,
                self.tick,
                heap,
                toast,
                toast_index,
                indexes,
                rows,
            ])?;
        }
        let mut add = self.connection.prepare_cached(
            "insert into index_values (instance_id, database_id, relation_id, tick, bytes)
             values (?1, ?2, ?3, ?4, ?5)",
        )?;
        for (id, bytes) in &changes.index_points {
            add.execute((
                self.instance_id,
                self.database_id,
                id,
                self.tick,
                signed(*bytes),
            ))?;
        }
        Ok(())
    }
}
